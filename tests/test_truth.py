"""A model against the truth: identities, oracles, plain twins, verdicts, bad input."""

import json
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

import annostat
from annostat import AnnostatError, Estimate, Rounds
from annostat.labels import check_rounds
from annostat.labels.kinds import kind_of
from annostat.resampling.sums import Sums
from annostat.truth import (
    correct_for_attenuation,
    cross_products,
    grubbs,
    score_models,
    three_cornered_hat,
    triple_collocation,
)
from annostat.truth.instruments import correlation_with_truth
from annostat.truth.means import fieller, mean_estimate
from annostat.truth.products import Labels, half_products
from annostat.truth.result import QUANTITIES
from annostat.truth.verdicts import ABOVE, AT, BELOW, OPEN, TWO, Verdict, flip_p, judge, sign_tests

PUBLISHED = json.loads((Path(__file__).parent / "data" / "published_tables.json").read_text())
FAST = {"n_resamples": 200, "kind": "values"}
finite = st.floats(-100, 100, allow_subnormal=False)


def plain_product(labels, f, g):
    """Average (f − z_j)(g − z_l) over ordered pairs, one by one."""
    seen = [z for z in labels if not np.isnan(z)]
    if len(seen) < 2:
        return np.nan
    return np.mean([(f - a) * (g - b) for a, b in permutations(seen, 2)])


def study(n=400, *, noise=4.0, k=2, seed=1):
    """Draw a truth and k labels of each item."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(55, 10, n)
    return rng, truth, truth[:, None] + rng.normal(0, noise, (n, k))


def named(scores):
    return {m.name: m for m in scores.models}


# ------------------------------------------------------------------------- identities


@given(arrays(float, st.tuples(st.integers(1, 8), st.just(2)), elements=finite), st.data())
def test_polarisation(z, data):
    """Invariant 2: T is half the mean square of both rounds less half of that of D."""
    f = data.draw(arrays(float, len(z), elements=finite))
    mean = cross_products(z, f).mean()
    by_scores = np.mean((f[:, None] - z) ** 2, axis=0).sum() / 2 - np.mean(np.diff(z) ** 2) / 2
    assert mean == pytest.approx(by_scores, rel=1e-12, abs=1e-12 * 1e4)


@given(
    arrays(
        float,
        st.tuples(st.integers(1, 6), st.integers(2, 5)),
        elements=st.one_of(finite, st.just(np.nan)),
    ),
    st.data(),
)
def test_many_raters_equal_all_pairs(z, data):
    """Invariant 2: any number of raters; with f = g it is (f − z̄)² − s²/m."""
    f, g = (data.draw(arrays(float, len(z), elements=finite)) for _ in range(2))
    expected = [plain_product(*row) for row in zip(z, f, g, strict=True)]
    np.testing.assert_allclose(cross_products(z, f, g), expected, rtol=1e-12, atol=1e-8)
    m = np.isfinite(z).sum(axis=1)
    some = m >= 2
    z, f, m = z[some], f[some], m[some]
    off_mean = (f - np.nanmean(z, axis=1)) ** 2 - np.nanvar(z, axis=1, ddof=1) / m
    np.testing.assert_allclose(cross_products(z, f), off_mean, rtol=1e-12, atol=1e-8)


@settings(max_examples=30)
@given(
    st.floats(1e-6, 1e6),
    st.booleans(),
    st.floats(-1e4, 1e4),
    st.integers(2, 3),
    st.integers(20, 60),
    st.integers(0, 2**32),
)
def test_affine_maps_scale_errors_and_keep_correlations(size, flip, shift, k, n, seed):
    """Invariant 1 of a model's scores, its error against the truth and its verdict."""
    rng, truth, z = study(n, k=k, seed=seed)
    f = truth + rng.normal(0, 2, n)
    a = -size if flip else size
    one = score_models(Rounds.from_array(z), {"m": f}, **FAST).models[0]
    two = score_models(
        Rounds.from_array(a * z + shift), {"m": a * f + shift}, margin=None, **FAST
    ).models[0]
    digits = 1e-8 * max(1.0, abs(shift) / size)
    for key, power in (
        ("rmse", 1),
        ("mae", 1),
        ("true_rmse", 1),
        ("excess", 2),
        ("r2", 0),
        ("correlation", 0),
        ("true_correlation", 0),
    ):
        x, y = getattr(one, key), getattr(two, key)
        expected = np.array([x.value, x.low, x.high]) * size**power
        np.testing.assert_allclose(
            [y.value, y.low, y.high], expected, rtol=digits, atol=digits * size**power
        )
    assert two.verdict.p_above == pytest.approx(one.verdict.p_above, rel=1e-6)


@given(st.integers(2, 30), st.integers(2, 4), st.integers(0, 99))
def test_removing_the_bias_of_rounds_costs_no_accuracy(n, k, seed):
    """A shift of one round changes nothing once biases are removed."""
    _, truth, z = study(n, k=k, seed=seed)
    moved = z + np.linspace(-5, 5, k)
    one, two = (Labels.of(Rounds.from_array(v)).products(truth) for v in (z, moved))
    np.testing.assert_allclose(one, two, atol=1e-8)


def test_bias_between_rounds_does_not_fake_a_verdict():
    _, truth, z = study(1000)
    biased = z + np.array([0.0, 3.0])
    perfect = {"m": truth + 1.5}
    # Left in, the bias lowers the mean square by 9/4.
    kept = score_models(Rounds.from_array(biased, exchangeable=True), perfect, **FAST).models[0]
    assert kept.excess.value == pytest.approx(-2.25, abs=1.5)
    removed = score_models(Rounds.from_array(biased), perfect, **FAST).models[0]
    assert removed.verdict.name == OPEN and 0 in removed.excess.interval


# ------------------------------------------------------------------------- oracles


def test_triple_collocation_oracle():
    table = PUBLISHED["triple_collocation_oracle"]
    found = triple_collocation(table["cov"])
    expected = table["expected"]
    np.testing.assert_allclose(np.square(found.error_sd), expected["err_var_own_units"], rtol=1e-9)
    np.testing.assert_allclose(found.error_sd_scaled, expected["err_std_scaled_to_x"], rtol=1e-9)
    np.testing.assert_allclose(found.beta, expected["beta"], rtol=1e-12)
    np.testing.assert_allclose(found.snr_db, expected["snr_db"], rtol=1e-9)
    ratio = 10 ** (np.array(expected["snr_db"]) / 10)
    np.testing.assert_allclose(np.square(found.correlation), ratio / (1 + ratio), rtol=1e-9)
    assert found.notes == ("", "", "")


def test_triple_collocation_says_why_it_is_undefined():
    negative = [[1, -0.5, 0.5], [-0.5, 1, 0.5], [0.5, 0.5, 1]]
    found = triple_collocation(negative)
    assert np.isnan(found.error_sd).all() and all(found.notes)
    over = triple_collocation([[1, 0.9, 0.9], [0.9, 1, 0.5], [0.9, 0.5, 1]])
    assert np.isnan(over.error_sd[0]) and "negative" in over.notes[0]
    exact = triple_collocation(np.ones((3, 3)) + np.diag([0, 1, 1]))
    assert exact.snr_db[0] == np.inf and exact.error_sd[0] == 0
    for bad in (np.eye(2), [[1, 2, 0], [0, 1, 0], [0, 0, 1]], np.full((3, 3), np.nan)):
        with pytest.raises(AnnostatError, match="covariance"):
            triple_collocation(bad)


def test_hats_are_their_covariances():
    _, _, z = study(60, k=3)
    hat = three_cornered_hat(Rounds.from_array(z))
    s = np.cov(z.T)
    for j, (name, e) in enumerate(hat.items()):
        k, m = (i for i in range(3) if i != j)
        variance = s[j, j] + s[k, m] - s[j, k] - s[j, m]
        assert e.value**2 == pytest.approx(max(variance, 0), rel=1e-9), name
    two = Rounds.from_array(z[:, :2])
    for j, e in enumerate(grubbs(two).values()):
        variance = s[j, j] - s[0, 1]
        assert e.value**2 == pytest.approx(max(variance, 0.0), rel=1e-9)
        if variance < 0:
            assert "negative" in e.note
    with pytest.raises(AnnostatError, match="three rounds"):
        three_cornered_hat(two)
    with pytest.raises(AnnostatError, match="two rounds"):
        grubbs(Rounds.from_array(z))


def test_correlation_with_truth_is_extended_triple_collocation():
    rng, truth, z = study(200, k=2)
    f = 0.6 * truth + rng.normal(0, 3, 200)
    e = correlation_with_truth(z, f, None, level=0.95, exchangeable=False)
    expected = triple_collocation(np.cov(np.column_stack([f, z]).T)).correlation[0]
    assert e.value == pytest.approx(expected, rel=1e-9)
    assert np.corrcoef(f, truth)[0, 1] in e.interval
    # Rounds without identity: Spearman's correction of the pooled correlation.
    pooled = correlation_with_truth(z, -f, None, level=0.95, exchangeable=True)
    zbar = z.mean(axis=1)
    s12 = np.mean(z[:, 0] * z[:, 1]) - zbar.mean() ** 2
    spearman = correct_for_attenuation(np.corrcoef(f, zbar)[0, 1], s12 / np.var(zbar))
    assert pooled.value == pytest.approx(-spearman, rel=1e-9)


def test_t_interval_and_tests_are_those_of_scipy():
    rng, truth, z = study(40)
    f = truth + rng.normal(0, 2, 40)
    rounds = Rounds.from_array(z, exchangeable=True)
    m = score_models(rounds, {"m": f}, **FAST).models[0]
    product = (f - z[:, 0]) * (f - z[:, 1])
    t = stats.ttest_1samp(product, 0, alternative="greater")
    assert m.verdict.p_above == pytest.approx(t.pvalue, rel=1e-9)
    low, high = stats.ttest_1samp(product, 0).confidence_interval(0.95)
    assert m.excess.low == pytest.approx(low, rel=1e-9)
    # The upper end reaches to the limit that stands beside it.
    assert m.excess.high == pytest.approx(max(high, m.verdict.upper**2), rel=1e-9)
    limit = stats.ttest_1samp(product, 0, alternative="less").confidence_interval(0.95).high
    assert m.verdict.upper >= np.sqrt(limit) * (1 - 1e-9)  # which: test_verdict_limits
    wilcoxon = stats.wilcoxon(product, alternative="greater", correction=False, method="approx")
    assert m.verdict.p_signed_rank == pytest.approx(wilcoxon.pvalue, rel=1e-9)
    signs = stats.binomtest(int((product > 0).sum()), 40, alternative="greater")
    assert m.verdict.p_sign == pytest.approx(signs.pvalue, rel=1e-9)


def test_few_units_try_all_signs():
    x = np.random.default_rng(1).normal(0.5, 1, 9)
    ranks, signs = sign_tests(x)
    exact = stats.wilcoxon(x, alternative="greater", method="exact").pvalue
    assert ranks == pytest.approx(exact, rel=1e-12)
    up = int((x > 0).sum())
    assert signs == pytest.approx(stats.binomtest(up, 9, alternative="greater").pvalue, rel=1e-9)
    assert sign_tests(np.zeros(5)) == (None, None)
    assert flip_p(np.zeros(20)) == 1.0


def test_signs_of_a_cluster_flip_together():
    x = np.random.default_rng(2).normal(0.3, 1, 30)
    alone = sign_tests(x, np.arange(30))
    # Four copies of an item are one piece of evidence.
    copies = sign_tests(np.repeat(x, 4), np.repeat(np.arange(30), 4))
    assert copies[1] == pytest.approx(alone[1], rel=1e-9)
    assert copies[0] == pytest.approx(alone[0], rel=0.05)


def test_halves_are_symmetric_for_a_perfect_model():
    rng = np.random.default_rng(3)
    x = rng.laplace(size=(20_000, 3))
    x[rng.random(x.shape) < 0.2] = np.nan
    x = x[np.isfinite(x).sum(axis=1) >= 2]
    half = half_products(x, np.zeros(len(x)))
    assert abs(np.mean(half > 0) - 0.5) < 0.012
    # The mean over all pairs is not, which is why it is not ranked.
    assert np.mean(cross_products(x, np.zeros(len(x))) > 0) < 0.47


def test_fieller_limits_are_where_the_t_test_turns():
    rng = np.random.default_rng(4)
    y = rng.chisquare(1, 30)
    x = 0.3 * y + rng.normal(0, 0.4, 30)
    estimate, p = fieller(Sums.of(np.column_stack([x, y])), level=0.95)
    assert p == pytest.approx(stats.ttest_1samp(x, 0).pvalue, rel=1e-9)
    for a in (estimate.low, estimate.high):
        assert stats.ttest_1samp(x - a * y, 0).pvalue == pytest.approx(0.05, rel=1e-6)
    signs = np.repeat([1.0, -1.0], [16, 14])  # a denominator that may well be 0
    wild, _ = fieller(Sums.of(np.column_stack([x, signs])), level=0.95)
    assert wild.low == -np.inf and "unbounded" in wild.interval.method


# ------------------------------------------------------------------------- leakage, verdicts


def test_leakage_is_found_and_corrected():
    rng, truth, z = study(4000)
    noise = z - truth[:, None]
    f = truth + 0.3 * noise[:, 0] + rng.normal(0, 1.5, 4000)
    rounds = Rounds.from_array(z, names=("first", "second"))
    naive = score_models(rounds, {"m": f}, **FAST)
    exact = 1.5**2 + 0.09 * 16
    assert naive.models[0].excess.high < exact  # biased by −a·σ² = −4.8
    assert naive.models[0].leakage.round == "first" and not naive.models[0].leakage.trained
    assert [c.passed for c in naive.checks if c.name == "leakage"] == [False]
    told = score_models(rounds, {"m": f}, trained_on="first", **FAST).models[0]
    assert exact in told.excess.interval and 0.3 in told.leakage.share.interval
    # Grubbs' moments: the noise of each round from the covariance with the other one.
    (s11, s12, s1f), (_, _, s2f), (_, _, sff) = np.cov(np.column_stack([z, f]), rowvar=False)
    assert told.leakage.share.value == pytest.approx((s1f - s2f) / (s11 - s12), rel=1e-9)
    excess = sff - 2 * s2f + s12 + (f.mean() - z.mean()) ** 2
    assert told.excess.value == pytest.approx(excess, rel=1e-9)
    assert told.trained.round_ == "first" and naive.models[0].trained is None
    assert told.verdict.p_signed_rank is None and "two rounds" in told.true_correlation.note


def test_trained_on_one_of_two_unequal_raters():
    """An honest model is not accused, and what two rounds do not tell is said not to be told."""
    g = np.random.default_rng(4)
    y = g.normal(10, 4, 2000)
    x = g.normal(0, [0.8, 1.25], (2000, 2))
    rounds = Rounds.from_array(y[:, None] + x, names=("a", "b"), unit="mm")
    models = {"honest": y + g.normal(0, 0.5, 2000), "taught": y + 0.9 * x[:, 0]}
    told = score_models(rounds, models, trained_on="a", margin=2.0, **FAST)
    honest, taught = told.models
    assert 0.5 in honest.true_rmse.interval and honest.trained.learned is False
    assert honest.verdict.name == AT and honest.verdict.upper < 2
    assert 0.9 in taught.leakage.share.interval and taught.leakage.p_value < 1e-3
    assert 0.72 in taught.true_rmse.interval
    assert honest.trained.sentence() in str(told) and taught.trained.sentence() in str(told)
    data = told.to_dict()["models"][0]
    assert data["trained_on_one"]["excess"] == data["excess"]
    few = Rounds.from_array(g.normal(0, 12, (12, 1)) + g.normal(0, 1, (12, 2)), unit="mm")
    off = few.values.mean(axis=1) + g.normal(0, 0.3, 12)
    [open_] = score_models(few, {"m": off}, trained_on="round_1", **FAST).models
    assert open_.verdict.name == TWO and not open_.trained.resolved
    assert "a third round" in open_.verdict.sentence("mm")
    assert open_.true_rmse.interval.low == 0 and np.isfinite(open_.true_rmse.interval.high)


def test_a_square_below_zero_is_no_limit_of_zero():
    g = np.random.default_rng(4)
    y = g.normal(10, 4, 800)
    z = y[:, None] + g.normal(0, 1, (800, 2))
    rounds = Rounds.from_array(z)
    # It holds the noise of the round that it has not seen: its square is negative.
    [m] = score_models(rounds, {"m": 0.1 * y + 0.9 * z[:, 1]}, trained_on="round_1", **FAST).models
    assert m.excess.value < 0 and m.verdict.name == OPEN and np.isnan(m.verdict.upper)
    assert "not judged" in m.verdict.sentence("")


def test_leakage_with_three_rounds_needs_no_equal_noise():
    rng = np.random.default_rng(5)
    truth = rng.normal(0, 10, 5000)
    noise = rng.normal(0, [2.0, 4.0, 6.0], (5000, 3))
    f = truth + 0.4 * noise[:, 0] + rng.normal(0, 1, 5000)
    rounds = Rounds.from_array(truth[:, None] + noise, names=("a", "b", "c"))
    m = score_models(rounds, {"m": f}, trained_on="a", **FAST).models[0]
    assert 0.4 in m.leakage.share.interval
    assert 1 + 0.16 * 4 in m.excess.interval
    seen = score_models(rounds, {"m": f}, **FAST).models[0]
    assert seen.leakage.round == "a" and seen.leakage.p_value < 1e-3


def test_verdicts():
    rng, truth, z = study(2000)
    noise = z - truth[:, None]
    models = {
        "off": truth + rng.normal(0, 2, 2000),
        "right": truth,
        "leaky": truth + 0.5 * noise.mean(axis=1),
        "close": truth + rng.normal(0, 1.2, 2000),
    }
    rounds = Rounds.from_array(z)
    found = named(score_models(rounds, models, margin=1.9, **FAST))
    assert {k: m.verdict.name for k, m in found.items()} == {
        "off": ABOVE,
        "right": AT,
        "leaky": BELOW,
        "close": AT,
    }
    excess = found["off"].excess
    assert abs(excess.value - 4) < 4 * excess.standard_uncertainty
    assert np.isnan(found["leaky"].true_rmse.value) and found["leaky"].true_rmse.note
    assert found["leaky"].excess.high < 0  # the signed value is kept
    assert "small but there" in found["close"].verdict.sentence("%")
    assert score_models(rounds, {"m": truth}, **FAST).models[0].verdict.name == OPEN


@pytest.mark.parametrize(
    ("ranks", "signs", "hint"),
    [(0.01, 0.3, "p = 0.010"), (0.3, 0.02, "p = 0.020"), (0.03, 0.3, ""), (None, None, "")],
)
def test_ranks_and_signs_are_quoted_where_they_see_what_t_does_not(ranks, signs, hint):
    """Two tests share a one-sided error of 5%."""
    verdict = Verdict(OPEN, 0.2, ranks, signs, 0.8, 3.0, None, 0.95)
    said = verdict.sentence("%")
    assert ("see an error" in said) == bool(hint) and hint in said


def test_comparisons_are_paired_and_adjusted():
    rng, truth, z = study(500)
    models = {
        name: truth + rng.normal(0, sd, 500) for name, sd in (("a", 1.0), ("b", 1.05), ("c", 5.0))
    }
    rounds = Rounds.from_array(z)
    found = score_models(rounds, models, n_resamples=999, kind="values").comparisons
    pairs = {(c.first, c.second): c for c in found}
    zbar = z.mean(axis=1)
    d = (models["a"] - zbar) ** 2 - (models["c"] - zbar) ** 2
    c = pairs["a", "c"]
    assert c.difference.value == pytest.approx(d.mean(), rel=1e-9)
    assert c.nearer == "a" and c.p_adjusted == pytest.approx(1 / 1000)
    t = stats.ttest_1samp(d, 0).confidence_interval(0.95)
    assert (c.difference.low, c.difference.high) == pytest.approx(tuple(t), rel=0.1)
    assert pairs["a", "b"].nearer == "" and pairs["a", "b"].p_adjusted > 0.05
    # The same seed gives the same numbers, on one worker and on two.
    again = score_models(rounds, models, n_resamples=999, kind="values", n_jobs=2).comparisons
    assert again == found


def test_a_model_below_the_floor_wins_no_comparison():
    rng, truth, z = study(2000)
    leaky = truth + 0.5 * (z.mean(axis=1) - truth)
    scores = score_models(
        Rounds.from_array(z), {"leaky": leaky, "m": truth + rng.normal(0, 3, 2000)}, **FAST
    )
    assert named(scores)["leaky"].verdict.name == BELOW
    assert scores.comparisons[0].nearer == ""


def test_clusters_are_wholes():
    rng, truth, z = study(80)
    f = {"a": truth + rng.normal(0, 2, 80), "b": truth + rng.normal(0, 3, 80)}
    one = score_models(Rounds.from_array(z, exchangeable=True), f, **FAST)
    twice = score_models(
        Rounds.from_array(np.tile(z, (2, 1)), exchangeable=True, cluster=[*range(80)] * 2),
        {k: np.tile(v, 2) for k, v in f.items()},
        **FAST,
    )
    for x, y in zip(one.models, twice.models, strict=True):
        for key in ("excess", "true_rmse", "true_correlation", "mae", "rmse"):
            a, b = getattr(x, key), getattr(y, key)
            assert (b.value, b.low, b.high) == pytest.approx((a.value, a.low, a.high), rel=1e-9)
        assert y.verdict.p_above == pytest.approx(x.verdict.p_above, rel=1e-9)
    a, b = one.comparisons[0], twice.comparisons[0]
    assert b.difference.interval.low == pytest.approx(a.difference.interval.low, rel=1e-9)
    assert "clusters" in twice.models[0].excess.interval.method


def test_missing_cells_and_predictions():
    rng, truth, z = study(300, k=3)
    z[rng.random(z.shape) < 0.3] = np.nan
    f = truth + rng.normal(0, 2, 300)
    f[:20] = np.nan
    scores = score_models(Rounds.from_array(z, exchangeable=True), {"m": f}, **FAST)
    expected = np.nanmean([plain_product(*row) for row in zip(z, f, f, strict=True)])
    assert scores.models[0].excess.value == pytest.approx(expected, rel=1e-9)
    usable = np.isfinite(z).sum(axis=1) >= 2
    assert scores.models[0].n_items == int((usable & np.isfinite(f)).sum())
    lost = next(c for c in scores.checks if c.name == "missing_predictions")
    assert lost.passed is False and "left out" in lost.message
    table = scores.items()
    assert len(table) == scores.models[0].n_items
    assert table["error"].abs().is_monotonic_decreasing
    # A mean over items that have one, not over cells.
    e2 = np.nanmean((f[:, None] - z)[usable & np.isfinite(f)] ** 2, axis=1)
    assert scores.models[0].rmse.value == pytest.approx(np.sqrt(np.mean(e2)), rel=1e-9)


def test_scores_against_labels_are_the_plain_ones():
    rng, truth, z = study(100)
    f = truth + rng.normal(0, 2, 100)
    m = score_models(Rounds.from_array(z, exchangeable=True), {"m": f}, **FAST).models[0]
    e, both, twice = (f[:, None] - z).ravel(), z.ravel(), np.repeat(f, 2)
    assert m.rmse.value == pytest.approx(np.sqrt(np.mean(e**2)), rel=1e-12)
    assert m.mae.value == pytest.approx(np.mean(np.abs(e)), rel=1e-12)
    assert m.correlation.value == pytest.approx(np.corrcoef(twice, both)[0, 1], rel=1e-12)
    assert m.r2.value == pytest.approx(1 - np.mean(e**2) / np.var(both), rel=1e-12)
    assert m.bias.value == pytest.approx(np.mean(e), rel=1e-9)
    # What stands in the identity: the mean square is the excess and the noise.
    noise = np.mean(np.diff(z) ** 2) / 2
    assert m.rmse.value**2 == pytest.approx(m.excess.value + noise, rel=1e-12)
    for name in ("rmse", "mae", "correlation", "r2", "bias"):
        estimate = getattr(m, name)
        assert estimate.value in estimate.interval


# ------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("predictions", "options", "words"),
    [
        ({}, {}, "no model"),
        ([1.0], {}, "mapping"),
        ({"m": [1.0, 2.0]}, {}, "shape"),
        ({"m": ["a"] * 40}, {}, "numbers"),
        ({"m": [np.inf] * 40}, {}, "infinite"),
        ({"m": [np.nan] * 40}, {}, "no prediction"),
        ({"round_1": [1.0] * 40}, {}, "name of its own"),
        ({"m": [1.0] * 40}, {"trained_on": "round_9"}, "did you mean"),
        ({"m": [1.0] * 40}, {"trained_on": ["round_1", "round_2"]}, "every round"),
        ({"m": [1.0] * 40}, {"margin": -1}, "margin"),
        ({"m": [1.0] * 40}, {"level": 2}, "level"),
        ({"m": [1.0] * 40}, {"kind": "pick"}, "picks"),
    ],
)
def test_bad_input(predictions, options, words):
    _, _, z = study(40)
    with pytest.raises(AnnostatError, match=words):
        score_models(Rounds.from_array(z), predictions, **{**FAST, **options})


def test_a_copy_of_the_labels_is_no_model():
    _, truth, z = study(40)
    with pytest.raises(AnnostatError, match="a copy"):
        score_models(Rounds.from_array(z), {"m": z[:, 1]}, **FAST)
    with pytest.raises(AnnostatError, match="identity"):
        score_models(
            Rounds.from_array(z, exchangeable=True), {"m": truth}, trained_on="round_1", **FAST
        )
    counted = Rounds.from_array(z, weights=np.full(40, 2))
    with pytest.raises(AnnostatError, match="every item"):
        score_models(counted, {"m": truth}, **FAST)


def test_degenerate_models_get_a_reason_and_never_a_bare_nan():
    rng, truth, z = study(60)
    models = {"constant": np.full(60, 55.0), "upside down": 110 - truth}
    found = named(score_models(Rounds.from_array(z), models, **FAST))
    flat = found["constant"]
    assert np.isnan(flat.correlation.value) and "same value" in flat.correlation.note
    assert np.isnan(flat.true_correlation.value) and flat.true_correlation.note
    assert flat.verdict.name == ABOVE
    assert found["upside down"].true_correlation.value < -0.9
    # Rounds that see no common truth.
    noise = rng.normal(0, 1, 60)
    opposed = Rounds.from_array(np.column_stack([noise, -noise]))
    m = score_models(opposed, {"m": truth}, **FAST).models[0]
    assert np.isnan(m.true_correlation.value) and "do not correlate" in m.true_correlation.note


def test_labels_without_noise():
    truth = np.arange(30.0)
    same = Rounds.from_array(np.column_stack([truth, truth]))
    exact = score_models(same, {"m": truth}, **FAST).models[0]
    assert exact.verdict.name == AT and exact.rmse.value == 0 and exact.r2.value == 1
    off = score_models(same, {"m": truth + 1}, **FAST).models[0]
    assert off.verdict.name == ABOVE and off.true_rmse.value == pytest.approx(1)


@pytest.mark.parametrize("n", [2, 3, 7])
def test_few_items_give_wide_answers(n):
    _, truth, z = study(n)
    scores = score_models(Rounds.from_array(z), {"m": truth + 1, "w": truth - 2}, **FAST)
    text = str(scores)
    assert "nan" not in text.lower()
    json.dumps(scores.to_dict(), allow_nan=False)


def test_one_item_is_too_few():
    with pytest.raises(AnnostatError, match="two items"):
        score_models(Rounds.from_array([[1.0, 2.0]]), {"m": [1.0]}, **FAST)


@pytest.mark.parametrize("unit", [1e-30, 1e30])
def test_huge_and_tiny_units(unit):
    rng, truth, z = study(50)
    f = truth + rng.normal(0, 2, 50)
    one = score_models(Rounds.from_array(z), {"m": f}, **FAST).models[0]
    two = score_models(Rounds.from_array(z * unit), {"m": f * unit}, **FAST).models[0]
    assert two.true_rmse.value == pytest.approx(one.true_rmse.value * unit, rel=1e-9)
    assert two.correlation.value == pytest.approx(one.correlation.value, rel=1e-9)
    assert two.verdict.name == one.verdict.name


def test_mean_estimate_without_anything_says_so():
    e = mean_estimate(np.full(3, np.nan), np.zeros(3, int), level=0.95)
    assert np.isnan(e.value) and e.note


def test_picks_take_their_floor_from_the_law_of_the_noise():
    law = annostat.NoiseModel("laplace", {"scale": 2.0})
    truth = np.random.default_rng(6).integers(0, 100, 300)
    rounds = annostat.simulate_rounds(law, 300, truth=truth, rng=6)
    scores = score_models(rounds, {"m": truth}, n_resamples=200)
    assert law.mae in scores.floors["mae_floor"].interval
    assert "model" in scores.floors["mae_floor"].interval.method
    values = score_models(rounds, {"m": truth}, n_resamples=200, kind="values")
    assert values.floors["mae_floor"].interval.method != scores.floors["mae_floor"].interval.method


def test_physical_units_multiply_by_the_period():
    rng, truth, z = study(60)
    f = truth + rng.normal(0, 2, 60)
    period = rng.uniform(10, 40, 60)
    frames = Rounds.from_array(z, period=period, period_unit="ms")
    scaled = Rounds.from_array(z * period[:, None])
    one = score_models(frames, {"m": f}, physical=True, **FAST)
    two = score_models(scaled, {"m": f * period}, **FAST)
    assert one.models[0].excess.value == pytest.approx(two.models[0].excess.value)
    assert one.models[0].rmse.unit == "ms" and one.floors["rmse_floor"].unit == "ms"
    with pytest.raises(AnnostatError, match="period"):
        score_models(scaled, {"m": f}, physical=True, **FAST)


# ----------------------------------------------------------------- what mutation testing found


def test_items_name_their_cluster_where_there_is_one():
    _, truth, labels = study(20)
    for cluster, there in ((None, False), (np.arange(20) // 2, True)):
        rounds = Rounds.from_array(labels, cluster=cluster)
        items = score_models(rounds, {"m": truth}, **FAST).items()
        assert ("cluster" in items.columns) == there


def test_inflated_products_with_a_missing_label():
    """Of an item with labels 1, 3 and none: f = 2 and an inflation of 2, by hand."""
    labels = np.array([[1.0, 3.0, np.nan]])
    plain = cross_products(labels, [2.0])
    assert plain[0] == pytest.approx(-1.0)  # (2 − 1)(2 − 3)
    # The rounds scatter by 1 about their mean, 2 in all, over k(k − 1) = 2.
    assert cross_products(labels, [2.0], inflation=2.0)[0] == pytest.approx(-2.0)


def test_flat_labels_and_few_items_have_their_reasons():
    truth = np.arange(12.0)
    flat = score_models(Rounds.from_array(np.full((12, 2), 5.0)), {"m": truth}, **FAST).models[0]
    for e in (flat.correlation, flat.r2):
        assert np.isnan(e.value) and e.note == "undefined: all labels are equal"
    _, truth, z = study(2)
    two = score_models(Rounds.from_array(z), {"m": truth + np.array([1, -2])}, **FAST).models[0]
    for name in ("rmse", "mae", "r2"):
        e = getattr(two, name)
        assert e.interval is None and e.note.startswith("no interval: too few items")


def test_leakage_is_of_a_round_whose_noise_is_seen():
    """b and c scatter about a to opposite sides: nothing tells the noise of a."""
    rng = np.random.default_rng(9)
    truth, e = rng.normal(0, 10, 200), rng.normal(0, 3, 200)
    z = truth[:, None] + np.column_stack([np.zeros(200), e, -e])
    rounds = Rounds.from_array(z, names=("a", "b", "c"))
    m = score_models(rounds, {"m": truth + 0.5 * e + rng.normal(0, 0.1, 200)}, **FAST).models[0]
    assert m.leakage.round == "b" and m.leakage.share.value > 0
    told = score_models(rounds, {"m": truth + e**2}, trained_on="a", **FAST).models[0]
    assert told.leakage.round == "a" and np.isnan(told.leakage.share.value)
    assert told.leakage.share.note


def test_tables_of_scores():
    rng, truth, z = study(30, k=3)
    z[rng.random(z.shape) < 0.2] = np.nan
    models = {"a": truth + rng.normal(0, 2, 30), "b": truth + rng.normal(0, 5, 30)}
    scores = score_models(Rounds.from_array(z), models, **FAST)
    table = scores.to_frame().set_index(["model", "quantity"])
    quantities = [q.key for q in QUANTITIES]
    assert {"rmse", "bias", "excess", "true_correlation"} < set(quantities)
    assert list(table.index) == [(m, q) for m in models for q in quantities]
    for m in scores.models:
        for q in quantities:
            assert table.loc[(m.name, q), "value"] == getattr(m, q).value
    items = scores.items()
    usable = np.isfinite(z).sum(axis=1) >= 2
    for name, f in models.items():
        part = items[items["model"] == name]
        assert len(part) == usable.sum()
        row = part.iloc[0]
        labels = z[usable][int(row["item"].removeprefix("row ")) - 1]
        k = np.isfinite(labels).sum()
        assert (row["label_mean"], row["n_labels"]) == (np.nanmean(labels), k)
        assert row["error"] == pytest.approx(row["prediction"] - np.nanmean(labels))
        noise = scores.perfect.noise_sd.value / np.sqrt(k)
        assert row["in_noise_sds"] == pytest.approx(row["error"] / noise)
        assert part["error"].abs().is_monotonic_decreasing
        assert row["prediction"] in f


def test_whole_numbers_are_picks_if_those_of_an_item_are_close():
    """Late in a long recording they are as good picks as early; far apart they are values."""
    law = annostat.NoiseModel("laplace", {"scale": 2.0})
    truth = np.random.default_rng(6).integers(0, 50_000, 60)
    near = annostat.simulate_rounds(law, 60, truth=truth, rng=6).values
    far, half = near.copy(), near.copy()
    far[0] = [0, 1001]
    half[0] += 0.5
    for z, picks in ((near, True), (far, False), (half, False)):
        scores = score_models(Rounds.from_array(z), {"m": truth}, n_resamples=99)
        assert ("envelope" in scores.floors["mae_floor"].interval.method) == picks
    edge = near.copy()
    edge[0] = [0, 1000]
    assert kind_of(Rounds.from_array(edge)).picks


def test_an_item_that_carries_all_error_leaves_no_limit():
    """Nearly every resample without it is far better: limits on the log scale are beyond e^709."""
    truth = np.linspace(0, 50_000, 40)
    z = truth[:, None] + np.random.default_rng(1).choice([-2.0, 0.0, 2.0], (40, 2))
    z[0] = [0, 1001]
    m = score_models(Rounds.from_array(z), {"m": truth + 40_000 * (truth == 0)}, **FAST).models[0]
    assert m.r2.low == -np.inf and m.r2.value <= m.r2.high <= 1
    assert m.rmse.high == np.inf and m.rmse.low > 0
    scores = score_models(Rounds.from_array(z), {"m": truth + 40_000 * (truth == 0)}, **FAST)
    json.dumps(scores.to_dict(), allow_nan=False)
    assert "∞" in str(scores) and "inf" not in str(scores)


@pytest.mark.parametrize(("level", "t"), [(0.8, 2.0), (0.99, 2.6)])
def test_level_reaches_checks_and_intervals(level, t):
    """The rounds differ by t standard errors, which 95% confidence judges otherwise."""
    _, truth, z = study(60, seed=3)
    d = z[:, 1] - z[:, 0]
    z[:, 1] += t * stats.sem(d) - d.mean()
    rounds = Rounds.from_array(z)
    assert check_rounds(rounds, rng=0)[0].passed == (level < 0.95)
    scores = score_models(rounds, {"m": truth + 1}, level=level, **FAST)
    # Sixty items rule no heavy tails out, which `score` says besides.
    rest = {c.name: c for c in scores.checks if c.name not in ("leakage", "heavy_tails")}
    assert rest == {c.name: c for c in check_rounds(rounds, level=level, rng=0)}
    m = scores.models[0]
    assert m.verdict.level == level
    for e in (
        m.rmse,
        m.mae,
        m.bias,
        m.correlation,
        m.r2,
        m.excess,
        m.true_correlation,
        m.agreement.bias,
        *scores.floors.values(),
    ):
        assert e.interval.level == level


def test_predictions_say_what_they_are():
    with pytest.raises(AnnostatError, match="one number per item, got list"):
        score_models(Rounds.from_array([[1, 2], [3, 4]]), [1.0, 2.0], **FAST)


@pytest.mark.parametrize(
    ("value", "error", "margin", "name"),
    [
        (0.25, 0.0, 0.5, AT),  # without noise: √0.25 against the margin itself
        (0.25, 0.0, 0.49, ABOVE),
        (9.0, 0.0, 3.0, AT),
        (9.0, 0.0, 2.9, ABOVE),
        (0.0, 0.0, None, AT),
        (0.25, 0.0, None, ABOVE),
        (1.0, 0.1, 1.1, AT),  # 1 + 1.66·0.1 = 1.166 < 1.21
        (1.0, 0.1, 1.07, ABOVE),  # 1.1449
        (0.1, 0.1, None, OPEN),  # t = 1
        (0.2, 0.1, None, ABOVE),  # t = 2
        (-0.19, 0.1, None, OPEN),  # t = −1.9, two-sided 5% at −1.98
        (-0.21, 0.1, None, BELOW),
        (-0.19, 0.1, 0.3, AT),
    ],
)
def test_what_a_mean_square_allows_to_say(value, error, margin, name):
    verdict = judge(Estimate(value, error), None, None, df=100, margin=margin, level=0.95)
    assert (verdict.name, verdict.margin, verdict.level) == (name, margin, 0.95)
    if error:
        t = stats.t(100)
        assert verdict.p_above == pytest.approx(t.sf(value / error))
        assert verdict.p_below == pytest.approx(t.cdf(value / error))
        if name != BELOW:
            upper = max(value + t.ppf(0.95) * error, 0)
            assert verdict.upper == pytest.approx(np.sqrt(upper))


@pytest.mark.parametrize(
    ("unit", "square"), [("mm", "mm²"), ("beats per minute", "(beats per minute)²"), ("", "")]
)
def test_units_of_scores(unit, square):
    rng, truth, z = study(30)
    models = {"m": truth + rng.normal(0, 2, 30), "w": truth + rng.normal(0, 5, 30)}
    scores = score_models(Rounds.from_array(z, unit=unit), models, margin=1.0, **FAST)
    for m in scores.models:
        assert {getattr(m, k).unit for k in ("rmse", "mae", "bias", "true_rmse")} == {unit}
        assert {getattr(m, k).unit for k in ("correlation", "r2", "true_correlation")} == {""}
        assert m.excess.unit == square and m.leakage.share.unit == ""
        assert m.agreement.bias.unit == unit
        assert all(getattr(m, k).note == "" for k in ("rmse", "mae", "correlation", "r2"))
    assert scores.comparisons[0].difference.unit == square
    for name, floor in scores.floors.items():
        assert floor.unit == (unit if name in ("rmse_floor", "mae_floor") else "")
    for e in (
        *three_cornered_hat(Rounds.from_array(study(30, k=3)[2], unit=unit)).values(),
        *grubbs(Rounds.from_array(z, unit=unit)).values(),
    ):
        assert e.unit == unit


@pytest.mark.parametrize("kind", ["picks", "values"])
def test_a_perfect_model_of_raters_who_are_biased_is_off_by_the_bias(kind):
    g = np.random.default_rng(4)
    y = g.normal(40, 6, 300)
    z = np.round(y[:, None] + g.normal([0.0, 4.0], 1.2, (300, 2)))
    found = score_models(
        Rounds.from_array(z, names=["A", "B"]), {"Y": y + 2}, kind=kind, n_resamples=99
    )
    [perfect] = found.models
    assert found.perfect.kind == "one of these raters, at random" == found.to_dict()["label_of"]
    for key, seen in (("rmse_floor", perfect.rmse), ("mae_floor", perfect.mae)):
        assert seen.value in found.floors[key].interval
    assert perfect.r2.value in found.floors["r2_ceiling"].interval
    assert perfect.correlation.value < found.floors["correlation_ceiling"].high
    assert found.floors["mae_floor"].value < found.floors["rmse_floor"].value
    assert found.perfect.noise_sd.value < 1.5 and "count the bias" in str(found)
    alike = score_models(Rounds.from_array(z - [0, 4]), {"Y": y}, kind=kind, n_resamples=99)
    assert alike.perfect.kind == "" and alike.floors["mae_floor"].value < 1.2


def test_bias_counts_beside_noise_that_grows():
    g = np.random.default_rng(6)
    size = g.lognormal(np.log(8), 0.6, (500, 1))
    z = size * (1 + g.normal(0, 0.12, (500, 2))) + [0.0, 3.0]
    found = score_models(Rounds.from_array(z), {"Y": size[:, 0] + 1.5}, n_resamples=99)
    truth = np.sqrt(np.mean((0.12 * size) ** 2) + 1.5**2)
    assert found.perfect.kind and truth in found.floors["rmse_floor"].interval
    [perfect] = found.models
    assert perfect.rmse.value == pytest.approx(found.floors["rmse_floor"].value, rel=0.05)
    assert perfect.r2.value in found.floors["r2_ceiling"].interval
    assert found.floors["mae_floor"].value < found.floors["rmse_floor"].value


# ---------------------------------------------------------------- correlation with the truth


def plain_limits(f, a, b, level=0.95):
    """Limits by leave-one-out loops and a fine grid: two Fisher intervals, joined."""
    n = len(f)

    def pair(rows):
        s = np.cov(np.column_stack([f, a, b])[rows].T)
        single = np.sqrt(s[1, 1] * s[2, 2])
        return np.sqrt(s[0, 1] * s[0, 2] / (s[0, 0] * single)), s[1, 2] / single

    every = np.arange(n)
    r, rho = pair(every)
    left = np.arctanh([pair(np.delete(every, i)) for i in range(n)])
    error = np.sqrt((n - 1) / n * ((left - left.mean(axis=0)) ** 2).sum(axis=0))
    off = stats.t.ppf((1 + level) / 2, n - 1) * error
    both = np.corrcoef(left.T)[0, 1]
    r_low, r_high = np.tanh(np.arctanh(r) + off[0] * np.array([-1, 1]))
    low, high = np.sqrt(np.maximum(np.tanh(np.arctanh(rho) + off[1] * np.array([-1, 1])), 0))
    y, held = np.sqrt(rho), []
    for theta in np.linspace(0, 1, 20001):
        gap = r - theta * y
        p, q = (r - r_low, theta * (high - y)) if gap > 0 else (r_high - r, theta * (y - low))
        if gap**2 <= p**2 + q**2 - 2 * both * p * q:
            held.append(theta)
    return held[0], held[-1]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_limits_of_the_correlation_with_the_truth_by_loops(seed):
    rng, truth, z = study(40, k=2, seed=seed)
    f = truth + rng.normal(0, 3, 40)
    e = correlation_with_truth(z, f - f.mean())
    low, high = plain_limits(f, *z.T)
    # The delta method's error counts where it is larger than the jackknife's.
    assert e.interval.low == pytest.approx(low, abs=0.004)
    assert e.interval.high == pytest.approx(high, abs=0.004)
    turned = correlation_with_truth(z * 7 - 3, 5 - 2 * f)
    assert turned.interval.low == pytest.approx(-e.interval.high, abs=1e-9)
    assert turned.interval.high == pytest.approx(-e.interval.low, abs=1e-9)


@pytest.mark.parametrize("n", [5, 10, 50])
def test_the_correlation_with_the_truth_is_held_on_both_sides(n):
    rng = np.random.default_rng(n)
    below = above = 0
    for _ in range(300):
        truth = rng.normal(0, 10, n)
        z = truth[:, None] + rng.normal(0, 3, (n, 2))
        f = truth + rng.normal(0, 5, n)
        found = correlation_with_truth(z, f - f.mean()).interval
        below += found is not None and found.low > 0.8944
        above += found is not None and found.high < 0.8944
    # At 2.5% more than 16 has P = 0.3%; t of the ratio had 69, 43 and 25 below.
    assert below <= 16 and above <= 16


def test_a_perfect_model_has_a_correlation_of_one_in_its_interval():
    rng, truth, z = study(30, k=3)
    e = correlation_with_truth(z, truth)
    assert e.interval.high == 1.0 and e.interval.low < 1
    # Labels without noise leave Fisher's interval of the model alone.
    f = truth + rng.normal(0, 2, 30)
    bare = correlation_with_truth(np.column_stack([truth, truth]), f)
    assert bare.value == pytest.approx(np.corrcoef(f, truth)[0, 1])
    assert bare.interval.low < bare.value < bare.interval.high < 1


def test_the_correlation_with_the_truth_says_where_tails_may_be_heavy():
    g = np.random.default_rng(4)
    truth = g.normal(0, 10, 200)
    heavy, light = (
        truth[:, None] + 3 * e for e in (g.standard_t(3, (200, 2)), g.normal(size=(200, 2)))
    )
    model = truth + g.normal(0, 3, 200)
    told, plain = (
        score_models(Rounds.from_array(z), {"m": model}).models[0].true_correlation
        for z in (heavy, light)
    )
    assert told.interval.method.endswith("not for heavy tails") and "heavy" in told.note
    assert "heavy" not in plain.interval.method and plain.note == ""
