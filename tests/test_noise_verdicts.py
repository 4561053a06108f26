"""What is the headline, and that no two sentences of one page contradict each other."""

from dataclasses import replace

import numpy as np
import pytest

from annostat import NoiseModel, Rounds, compare_noise, fit_noise, simulate_rounds
from annostat.noise.verdicts import agreed, make_envelope, more_of_two_events, near_best, of_bracket
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check

CALM = simulate_rounds(NoiseModel("laplace", {"scale": 2.0}), 150, rng=1)
GIVEN_UP = simulate_rounds(
    NoiseModel("laplace", {"scale": 2.0}, "independent", 0.04, window=20), 300, rng=2
)
PAIR = Estimate(3.0, 0.2, Interval(2.6, 3.4, 0.95, "log-t"), "frames")


def two_peaks():
    """Picks of which the rounds often differ by exactly 7: no core has such a law."""
    rng = np.random.default_rng(3)
    z = 50 + rng.integers(-1, 2, (300, 2))
    z[rng.random(300) < 0.3, 1] += 7
    return Rounds.from_array(z)


@pytest.mark.parametrize("sizes", ["lognormal", "two"])
def test_items_that_differ_in_difficulty_have_half_power(sizes):
    """E|X| = E|D|/√2 for Gaussian noise, whatever the law of the items' sizes."""
    rng = np.random.default_rng(0)
    n = 400_000
    size = rng.lognormal(1, 0.8, (n, 1)) if sizes == "lognormal" else rng.choice([1, 9.0], (n, 1))
    x = size * rng.normal(size=(n, 2))
    d = np.abs(x[:, 0] - x[:, 1])
    assert np.abs(x).mean() == pytest.approx(
        of_bracket(replace(PAIR, value=d.mean()), "").value, 0.01
    )


def test_the_envelope_reaches_items_that_differ_in_difficulty():
    fit = fit_noise(CALM, "laplace", abandonment="none")
    plain, wide = make_envelope([fit]), make_envelope([fit], PAIR)
    assert (plain.low, plain.high) == (fit.mae.low, fit.mae.high)
    assert wide.low == plain.low
    assert wide.high == pytest.approx(max(plain.high, 3.4 / 2**0.5))
    assert (
        "difficulty"
        in make_envelope([fit], replace(PAIR, interval=Interval(3, 9, 0.95, ""))).interval.method
    )


def test_the_laws_of_the_envelope_are_named():
    """The row says which laws it is over: the best one has giving up, so its kin count too."""
    result = compare_noise(CALM, cores=["laplace", "gaussian"], n_tests=0)
    near, kin = near_best(result.fits)
    assert all(f.aic <= result.best.aic + 2 for f in near)
    assert all(f.aic > result.best.aic + 2 and f.problem.rated for f in kin)
    text = " ".join(str(result).split())
    assert "floor, laws within 2 of the best AIC" in text and "fit as well" not in text
    assert ("or of its core" in text) == bool(kin)
    lows = [f.mae.low for f in [*near, *kin]]
    assert result.envelope.low == min(lows)


def test_where_no_model_fits_the_bracket_is_the_headline():
    result = compare_noise(two_peaks(), cores=["gaussian", "laplace"], n_tests=39)
    assert result.refuted
    pair = result.pair_mae
    for told in (result.mae, result.envelope):
        assert (told.low, told.high) == (pair.low / 2, pair.high)
    text, data = " ".join(str(result).split()), result.to_dict()["headline"]
    assert "No model fits these differences" in text and "if gaussian" not in text
    assert data["of"] == "bracket" and data["mae"]["low"] == pytest.approx(pair.low / 2)
    assert "Annotators do" not in text and "No sign" not in text
    calm = compare_noise(CALM, cores="laplace", n_tests=39)
    assert not calm.refuted and calm.mae is calm.best.mae
    assert calm.to_dict()["headline"]["of"] == "model"


@pytest.mark.parametrize("p_value", [0.01, 0.6])
@pytest.mark.parametrize("gives_up", [False, True])
@pytest.mark.parametrize("fits", [False, True])
def test_giving_up_and_the_choice_of_model_never_contradict(p_value, gives_up, fits):
    fit = fit_noise(CALM, "laplace", abandonment="independent", window=20, ci="none")
    best = replace(fit, model=replace(fit.model, abandonment_rate=0.02 if gives_up else 0.0))
    said = (
        "Annotators do sometimes give up" if p_value < 0.05 else "No sign that annotators give up"
    )
    given = Check("abandonment", True, f"{said} (likelihood ratio 7.0, p = 0.01)", 7.0, p_value)
    _, told = agreed([Check("goodness_of_fit", fits, "", 9.0, 0.001), given], best)
    assert told.p_value == p_value and "(likelihood ratio 7.0" in told.message
    if fits and gives_up == (p_value < 0.05):
        assert told == given
    else:
        assert told.passed is None and told.message.startswith("Not settled")


def test_two_events_have_more_of_what_is_far_off():
    """E|D| = E|X| if raters are wrong half of the time; 2 and 4/3 times it if they give up."""
    fit = fit_noise(GIVEN_UP, "laplace", abandonment="independent", window=20, ci="none")
    rate, wide = fit.model.rate, 20 * 21 / 41
    assert rate > 0 and more_of_two_events(fit) == pytest.approx(rate * wide, rel=1e-6)
    both = fit_noise(GIVEN_UP, "laplace", abandonment="shared", window=20, ci="none")
    assert more_of_two_events(both) == pytest.approx(both.model.rate * wide / 3, rel=1e-6)
    assert more_of_two_events(fit_noise(CALM, "laplace", abandonment="none", ci="none")) == 0
    rng = np.random.default_rng(1)
    share, far = 0.1, 25
    wrong = (rng.random((400_000, 1)) < share) & (rng.random((400_000, 2)) < 0.5)
    x = far * wrong
    assert np.abs(x[:, 0] - x[:, 1]).mean() == pytest.approx(np.abs(x).mean(), rel=0.03)
    u = rng.uniform(-1, 1, (400_000, 2))
    assert np.abs(u[:, 0] - u[:, 1]).mean() == pytest.approx(4 / 3 * np.abs(u).mean(), rel=0.01)
