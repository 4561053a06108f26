"""A model trained on one of two rounds: plain twins, known answers, invariances."""

import numpy as np
import pytest
from scipy import stats

from annostat.errors import AnnostatError
from annostat.labels.rounds import Rounds
from annostat.noise.tails import tails
from annostat.truth.trained import NOT_RESOLVED, trained_on_one


def drawn(seed, n, sd=(1.0, 2.0), share=0.0, own=0.5, truth=4.0, bias=1.0):
    g = np.random.default_rng(seed)
    y = g.normal(10, truth, n)
    x = g.normal(0, sd, (n, 2))
    z = y[:, None] + x + np.array([0.0, bias])
    f = y + bias / 2 + g.normal(0, own, n) + share * x[:, 0]
    return np.round(256 * z) / 256, np.round(256 * f) / 256


def numbers(found):
    rows = [found.excess, found.true_rmse, found.over_floor, found.share]
    return np.array([[e.value, e.low, e.high] for e in rows])


def test_the_moments_are_grubbs_carried_through():
    z, f = drawn(1, 60, share=0.4)
    found = trained_on_one(Rounds.from_array(z), f, "round_1")
    n = len(f)
    s = np.cov(np.column_stack([z, f]), rowvar=False)
    level = z - z.mean(axis=0) + z.mean()  # rounds without their bias
    error = np.var(f - level[:, 1], ddof=1) + (f.mean() - z.mean()) ** 2
    assert found.excess.value == pytest.approx(error - (s[1, 1] - s[0, 1]))
    over = np.var(f - level[:, 0], ddof=1) + (f.mean() - z.mean()) ** 2 - (s[0, 0] - s[0, 1])
    assert found.over_floor.value == pytest.approx(over)
    c = np.column_stack([z, f]) - np.column_stack([z, f]).mean(axis=0)
    d = c[:, 0] - c[:, 1]
    assert found.share.value == pytest.approx(np.sum(c[:, 2] * d) / np.sum(c[:, 0] * d))
    # The t interval of item values, as it is without shrinking: narrower, never far off.
    u = (f - level[:, 1]) ** 2 + n / (n - 1) * c[:, 1] * (c[:, 0] - c[:, 1])
    error = stats.t.ppf(0.975, n - 1) * u.std(ddof=1) / np.sqrt(n)
    low = found.excess.value - error
    assert found.excess.low == pytest.approx(max(low, 0.0), rel=0.5, abs=0.3)


def test_an_honest_model_is_not_accused_by_a_noisier_other_round():
    z, f = drawn(2, 2000, sd=(0.8, 1.25))
    found = trained_on_one(Rounds.from_array(z), f, "round_1")
    assert found.learned is False and 0.5 in found.true_rmse.interval
    assert found.equal.passed is False
    assert "not shown" in found.sentence()


def test_a_model_that_holds_the_noise_of_a_round_is_told():
    z, f = drawn(3, 2000, sd=(1.5, 0.7), share=0.9, truth=2.0)
    found = trained_on_one(Rounds.from_array(z), f, "round_1")
    assert found.learned is True and 0.9 in found.share.interval
    assert (0.25 + (0.9 * 1.5) ** 2) ** 0.5 in found.true_rmse.interval
    assert found.gain_to_undo > 1.05 and "learned the noise" in found.sentence()
    assert trained_on_one(Rounds.from_array(z), f, "round_2").learned is False


def test_a_small_gain_that_would_undo_it_withholds_the_verdict():
    z, f = drawn(4, 4000, sd=(0.6, 0.3), share=0.9, truth=4.0, own=0.05)
    found = trained_on_one(Rounds.from_array(z), f, "round_1")
    assert found.learned is None and found.gain_to_undo < 1.05 and "not judged" in found.sentence()
    expected = 1 - found.over_floor.high / np.cov(z, rowvar=False)[0, 1]
    assert found.gain_to_undo == pytest.approx(expected)


def test_what_is_possible_cuts_the_interval():
    z, f = drawn(1, 30, sd=(3.0, 0.2), truth=10.0, own=0.3)
    found = trained_on_one(Rounds.from_array(z), f, "round_1")
    assert found.excess.low == 0.0 and not found.resolved and NOT_RESOLVED in found.excess.note
    level = z - z.mean(axis=0) + z.mean()
    most = np.var(f - level[:, 1], ddof=1) + (f.mean() - z.mean()) ** 2
    assert most < found.excess.high < 4 * most


def test_order_names_units_and_constants_change_nothing():
    z, f = drawn(6, 80, share=0.3)
    here = numbers(trained_on_one(Rounds.from_array(z), f, "round_1"))
    order = np.random.default_rng(1).permutation(len(f))
    moved = numbers(trained_on_one(Rounds.from_array(z[order]), f[order], "round_1"))
    assert np.array_equal(moved, here)
    named = Rounds.from_array(z, names=["B", "A"])
    assert np.array_equal(numbers(trained_on_one(named, f, "B")), here)
    turned = Rounds.from_array(z[:, ::-1], names=["A", "B"])
    assert numbers(trained_on_one(turned, f, "B")) == pytest.approx(here, rel=1e-9)
    scaled = numbers(trained_on_one(Rounds.from_array(4 * z), 4 * f, "round_1"))
    factor = np.array([16.0, 4.0, 16.0, 1.0])[:, None]
    assert np.array_equal(scaled, factor * here)
    shifted = numbers(trained_on_one(Rounds.from_array(z + 512), f + 512, "round_1"))
    assert shifted == pytest.approx(here, rel=1e-8, abs=1e-10)
    biased = z + np.array([0.0, 64.0])
    moved = numbers(trained_on_one(Rounds.from_array(biased), f + 32, "round_1"))
    assert moved == pytest.approx(here, rel=1e-8, abs=1e-8)


def test_clusters_are_units():
    z, f = drawn(7, 40)
    z2, f2 = np.repeat(z, 2, axis=0), np.repeat(f, 2)
    clustered = Rounds.from_array(z2, cluster=[str(i // 2) for i in range(80)])
    one, two = (
        trained_on_one(r, v, "round_1").excess
        for r, v in ((Rounds.from_array(z), f), (clustered, f2))
    )
    assert two.standard_uncertainty == pytest.approx(one.standard_uncertainty, rel=0.15)


def test_what_cannot_be_scored():
    z, f = drawn(8, 10)
    rounds = Rounds.from_array(z)
    with pytest.raises(AnnostatError, match="predictions must have shape"):
        trained_on_one(rounds, f[:3], "round_1")
    with pytest.raises(AnnostatError, match="trained must be"):
        trained_on_one(rounds, f, "third")
    with pytest.raises(AnnostatError, match="two rounds with an identity, got 3 rounds"):
        trained_on_one(Rounds.from_array(np.column_stack([z, f])), f, "round_1")
    with pytest.raises(AnnostatError, match="without identity"):
        trained_on_one(Rounds.from_array(z, exchangeable=True), f, "round_1")
    with pytest.raises(AnnostatError, match="3 items or more, got 2"):
        trained_on_one(rounds, np.r_[f[:2], np.full(8, np.nan)], "round_1")
    found = trained_on_one(rounds, f, "round_1")
    assert len(found.to_frame()) == 4 and "Trained on round_1" in str(found)
    assert set(found.to_dict()) >= {"excess", "learned", "resolved", "gain_to_undo"}


def test_learned_noise_with_heavy_tails_has_the_limits_of_such_tails():
    g = np.random.default_rng(8)
    truth, errors = g.normal(0, 2, 200), g.standard_t(3, (200, 2)) / 3**0.5
    rounds = Rounds.from_array(truth[:, None] + errors, names=["A", "B"])
    honest = truth + g.normal(0, 0.5, 200)
    one, other = (trained_on_one(rounds, f, "A") for f in (honest + 0.9 * errors[:, 0], honest))
    assert one.excess.interval.method.endswith("held for heavy tails")
    # By hand: what is hidden of an SD of which the share c²σ₁²/T has these tails, in squares.
    z = rounds.values
    s = np.cov(np.column_stack([z, honest + 0.9 * errors[:, 0]]).T)
    part = min((s[0, 2] - s[1, 2]) ** 2 / (s[0, 0] - s[0, 1]) / one.excess.value, 1)
    d = np.abs(np.diff(z - z.mean(axis=0), axis=1)[:, 0])
    hidden = np.log(1 + part * (tails(d).high ** 2 - 1))
    assert 0.5 < part < 1
    assert np.log(one.excess.high / one.excess.value) >= hidden * (1 - 1e-9)
    assert other.excess.interval.high < one.excess.interval.high
