"""Raters as a hierarchy: against plain twins, statsmodels' MixedLM, known answers, invariances."""

import numpy as np
import pytest
from scipy import integrate, stats

from annostat.agreement.difficulty import shared_difficulty
from annostat.agreement.hierarchical import _table, hierarchy
from annostat.agreement.location_scale import fit, log_likelihood
from annostat.ceilings import bounds
from annostat.errors import AnnostatError
from annostat.labels.rounds import Rounds


def drawn(seed, n, sd=(1.0, 2.0, 3.0), gaps=0.0, spread=0.0):
    g = np.random.default_rng(seed)
    k = len(sd)
    hard = np.exp(spread * g.normal(size=(n, 1)) - spread**2)
    z = g.normal(0, 5, (n, 1)) + np.arange(k) + hard * g.normal(0, sd, (n, k))
    z = np.round(256 * z) / 256
    z[g.random((n, k)) < gaps] = np.nan
    return z


def numbers(found):
    rows = [e for r in found.raters for e in (r.bias, r.noise_sd)]
    rows += [found.one_of_them, found.new_rater, found.bias_sd]
    return np.array([[e.value, e.low, e.high] for e in rows])


# ------------------------------------------------------------------------------ likelihood


def test_the_likelihood_is_that_of_gaussian_contrasts():
    """REML by the density of error contrasts, with a flat prior on the items' values."""
    z = drawn(1, 25, gaps=0.25)
    table = _table(Rounds.from_array(z).usable())
    g = np.random.default_rng(0)
    base = None
    for _ in range(3):
        beta, log_w = g.normal(size=3), g.normal(size=3)
        value = 0.0
        for row, seen in zip(table.z, table.seen, strict=True):
            k = int(seen.sum())
            contrast = np.diff(np.eye(k), axis=0)
            cov = contrast @ np.diag(np.exp(-log_w[seen])) @ contrast.T
            value += stats.multivariate_normal.logpdf(
                contrast @ (row - beta)[seen], np.zeros(k - 1), cov
            )
        found = log_likelihood(table, np.concatenate([beta, log_w]), False)[0]
        base = value - found if base is None else base
        assert value - found == pytest.approx(base, abs=1e-8)  # they differ by a constant


def test_difficulty_is_integrated_out():
    z = drawn(2, 4)
    table = _table(Rounds.from_array(z))
    beta, log_w, spread = np.array([0.1, -0.2, 0.1]), np.array([0.3, -0.4, 0.1]), 0.5
    x = np.concatenate([beta, log_w, [np.log(spread)]])
    found = log_likelihood(table, x, True)[0]
    w = np.exp(log_w)
    value = 0.0
    for row in table.z:
        off = row - beta
        q = np.sum(w * (off - np.sum(w * off) / w.sum()) ** 2)

        def density(t, q=q):
            log_d = spread * t - spread**2
            return stats.norm.pdf(t) * np.exp(-2 * log_d - q / 2 * np.exp(-2 * log_d))

        value += 0.5 * log_w.sum() - 0.5 * np.log(w.sum())
        value += np.log(integrate.quad(density, -9, 9)[0])
    assert found == pytest.approx(value, abs=1e-5)


@pytest.mark.parametrize("difficulty", [False, True])
def test_the_scores_are_the_derivatives(difficulty):
    table = _table(Rounds.from_array(drawn(3, 30, gaps=0.2)).usable())
    x = np.concatenate([[0.2, -0.1, 0.3], [0.1, -0.5, 0.4], [-0.7] if difficulty else []])
    scores = log_likelihood(table, x, difficulty)[1].sum(axis=0)
    for j in range(len(x)):
        moved = [
            log_likelihood(table, x + s * 1e-6 * np.eye(len(x))[j], difficulty)[0] for s in (1, -1)
        ]
        assert scores[j] == pytest.approx((moved[0] - moved[1]) / 2e-6, rel=1e-5, abs=1e-5)


def test_equal_raters_are_the_mixed_model_of_statsmodels():
    import pandas as pd
    import statsmodels.formula.api as smf

    z = drawn(4, 60, sd=(1.5, 1.5, 1.5))
    found = hierarchy(Rounds.from_array(z), law="gauss")
    frame = pd.DataFrame(
        {"z": z.ravel(), "rater": np.tile(["a", "b", "c"], 60), "item": np.repeat(np.arange(60), 3)}
    )
    mixed = smf.mixedlm("z ~ 0 + rater", frame, groups=frame["item"]).fit(reml=True)
    bias = np.asarray(mixed.fe_params) - np.mean(mixed.fe_params)
    # Complete and nearly alike: biases agree up to the weights, the noise as a mean.
    assert [r.bias.value for r in found.raters] == pytest.approx(bias, abs=1e-9)
    mean = np.mean([r.noise_sd.value**2 for r in found.raters])
    assert mean == pytest.approx(mixed.scale, rel=0.02)


def test_three_complete_raters_are_grubbs():
    """Moments and likelihood have as many parameters as numbers: they are the same."""
    z = drawn(5, 80)
    found = hierarchy(Rounds.from_array(z), law="gauss")
    s = np.cov(z, rowvar=False)
    for j, r in enumerate(found.raters):
        a, b = (i for i in range(3) if i != j)
        expected = s[j, j] - s[j, a] - s[j, b] + s[a, b]
        assert r.noise_sd.value**2 == pytest.approx(expected * 79 / 80, rel=0.02)


def test_the_maximum_is_one():
    table = _table(Rounds.from_array(drawn(6, 60, gaps=0.2)).usable())
    for difficulty in (False, True):
        f = fit(table, np.zeros(3), difficulty=difficulty)
        tail = [np.log(f.spread)] if difficulty else []
        at = np.concatenate([f.beta, f.log_w, tail])
        g = np.random.default_rng(1)
        for _ in range(20):
            moved = at + 0.05 * g.normal(size=len(at))
            moved[-1:] = np.maximum(moved[-1:], np.log(0.02)) if difficulty else moved[-1:]
            assert log_likelihood(table, moved, difficulty)[0] <= f.loglik + 1e-7


# ---------------------------------------------------------------------------------- answers


def test_shared_difficulty_is_seen_by_four_and_not_by_three():
    hard = Rounds.from_array(drawn(7, 400, sd=(1, 1, 2, 2), spread=0.6))
    found = shared_difficulty(hard)
    assert found.passed is False and hierarchy(hard).law == "difficulty"
    g = np.random.default_rng(8)
    heavy = g.normal(0, 5, (400, 1)) + g.laplace(size=(400, 4)) * [1, 2, 1, 3] + [0, 1, 2, 3]
    assert shared_difficulty(Rounds.from_array(heavy)).passed is True
    assert shared_difficulty(Rounds.from_array(heavy[:, :3])).passed is None


def test_the_statistic_of_difficulty_is_a_mean_of_products():
    z = drawn(9, 40, sd=(1, 2, 1, 2))
    found = shared_difficulty(Rounds.from_array(z))
    total = np.zeros(40)
    for one, two in (((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2))):
        parts = []
        for a, b in (one, two):
            d = z[:, a] - z[:, b]
            d = d - d.mean()
            parts.append(d**2 / np.mean(d**2) - 1)
        total += parts[0] * parts[1] / 3
    assert found.statistic == pytest.approx(total.mean())
    t = total.mean() / (total.std(ddof=1) / 40**0.5)
    assert found.p_value == pytest.approx(stats.t.sf(t, 39))


def test_difficulty_is_estimated():
    found = hierarchy(Rounds.from_array(drawn(10, 800, sd=(1, 2, 3, 1), spread=0.5)))
    assert found.law == "difficulty" and found.difficulty_sd == pytest.approx(0.5, abs=0.12)
    for sd, r in zip((1, 2, 3, 1), found.raters, strict=True):
        assert r.noise_sd.value == pytest.approx(sd, rel=0.15)


def test_a_new_rater_is_bounded_from_below_by_three():
    found = hierarchy(Rounds.from_array(drawn(11, 200)))
    assert np.isinf(found.new_rater.high) and "do not bound" in found.new_rater.note
    five = hierarchy(Rounds.from_array(drawn(11, 200, sd=(1, 1.2, 0.9, 1.1, 1))))
    assert np.isfinite(five.new_rater.high)
    mean = np.mean([r.noise_sd.value**2 for r in five.raters])
    biases = np.var([r.bias.value for r in five.raters], ddof=1)
    assert five.new_rater.value**2 == pytest.approx(mean * (1 - 1 / 200) + biases)
    assert five.one_of_them.value**2 == pytest.approx(mean * (1 - 0.8 / 200) + 0.8 * biases)
    assert five.bias_sd.value**2 == pytest.approx(biases - mean / 200)


def test_a_rater_without_noise_has_an_upper_limit_only():
    z = drawn(12, 60, sd=(1e-4, 2.0, 2.0))
    found = hierarchy(Rounds.from_array(z)).raters[0].noise_sd
    assert found.low == 0 and 0 < found.high < 1.5 and "too quiet" in found.note


def test_gaps_and_sparse_tables_are_taken():
    g = np.random.default_rng(13)
    bias = np.linspace(-2, 2, 20)
    z = np.full((400, 20), np.nan)
    for i in range(400):
        j = g.choice(20, 2, replace=False)
        z[i, j] = g.normal(0, 6) + bias[j] + g.normal(0, 1, 2)
    found = hierarchy(Rounds.from_array(z))
    hits = [b in r.bias.interval for b, r in zip(bias, found.raters, strict=True)]
    assert np.mean(hits) >= 0.85
    assert np.std(bias, ddof=1) in found.bias_sd.interval


@pytest.mark.parametrize("gaps", [0.0, 0.2])
def test_order_names_swap_units_and_constants_change_nothing(gaps):
    z = drawn(14, 50, gaps=gaps)
    here = numbers(hierarchy(Rounds.from_array(z)))
    order = np.random.default_rng(1).permutation(50)
    assert np.array_equal(numbers(hierarchy(Rounds.from_array(z[order]))), here)
    assert np.array_equal(numbers(hierarchy(Rounds.from_array(z, names=["c", "b", "a"]))), here)
    scaled = numbers(hierarchy(Rounds.from_array(8 * z)))
    assert scaled == pytest.approx(8 * here, rel=1e-9)
    shifted = numbers(hierarchy(Rounds.from_array(z + 4096 + np.array([0, 8, 16]))))
    off = np.array([-8.0, 0, 8])
    assert shifted[[1, 3, 5]] == pytest.approx(here[[1, 3, 5]], rel=1e-6)
    assert shifted[[0, 2, 4]] == pytest.approx(here[[0, 2, 4]] + off[:, None], abs=1e-6)
    turned = numbers(hierarchy(Rounds.from_array(z[:, ::-1])))
    assert turned[[4, 5, 2, 3, 0, 1]] == pytest.approx(here[:6], rel=1e-6, abs=1e-9)


def test_clusters_are_units():
    z = np.repeat(drawn(15, 60), 2, axis=0)
    cluster = [str(i // 2) for i in range(120)]
    apart = hierarchy(Rounds.from_array(z)).raters[2].noise_sd
    together = hierarchy(Rounds.from_array(z, cluster=cluster)).raters[2].noise_sd
    assert together.value == pytest.approx(apart.value)
    assert together.high / together.low > apart.high / apart.low


def test_what_cannot_be_modelled():
    z = drawn(16, 20)
    with pytest.raises(AnnostatError, match="three rounds or more, got 2"):
        hierarchy(Rounds.from_array(z[:, :2]))
    with pytest.raises(AnnostatError, match="an identity"):
        hierarchy(Rounds.from_array(z, exchangeable=True))
    with pytest.raises(AnnostatError, match="10 items"):
        hierarchy(Rounds.from_array(z[:8]))
    few = z.copy()
    few[4:, 1] = np.nan
    with pytest.raises(AnnostatError, match="drop 'round_2', who has 4"):
        hierarchy(Rounds.from_array(few))
    with pytest.raises(AnnostatError, match="constants at most"):
        hierarchy(Rounds.from_array(np.arange(12.0)[:, None] + np.arange(3)))
    apart = np.full((20, 4), np.nan)
    apart[:10, :2], apart[10:, 2:] = z[:10, :2], z[10:, :2]
    with pytest.raises(AnnostatError, match="no chain of shared items"):
        hierarchy(Rounds.from_array(apart))
    with pytest.raises(AnnostatError, match="law must be"):
        hierarchy(Rounds.from_array(z), law="cauchy")
    found = hierarchy(Rounds.from_array(z))
    assert "new rater" in str(found) and len(found.to_frame()) == 6
    assert found.to_dict()["law"] == "gauss"


def test_one_cluster_is_refused_with_what_to_do():
    g = np.random.default_rng(3)
    values = g.normal(50, 5, (30, 1)) + g.normal(0, 1, (30, 3))
    one = Rounds.from_array(values, cluster=["a"] * 30)
    with pytest.raises(AnnostatError, match=r"2 or more clusters, but there is 1 cluster: name an"):
        hierarchy(one)
    two = Rounds.from_array(values[:, :2], cluster=["a"] * 15 + ["b"] * 15)
    with pytest.raises(AnnostatError, match=r"3 or more clusters, but there are 2 clusters: name"):
        bounds(two)
    found = bounds(one)
    assert found.reliability.interval is None and "one cluster" in found.reliability.note
    assert all(e.interval is None for e in (found.rmse_floor, found.correlation_ceiling))
    assert "p unknown" not in str(found)
    assert all("one cluster" in form.estimate.note for form in found.icc)
