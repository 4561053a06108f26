"""Skewed errors of three and more rounds: the test, the law, and the floor about the median."""

import math

import numpy as np
import pytest
from scipy import stats

from annostat import Rounds, compare_noise
from annostat.noise.kernels.skewed import scan_skewed
from annostat.noise.skew import check_skew, fit_skewed, signed_cells, third_moments


def late(n=250, k=3, seed=1):
    """Picks that are late by a geometric number of frames."""
    rng = np.random.default_rng(seed)
    return Rounds.from_array(40 + rng.geometric(0.3, (n, k)) - 1.0, unit="frames")


def with_gaps(rounds, seed=3):
    values = rounds.values.copy()
    values[np.random.default_rng(seed).random(values.shape) < 0.2] = np.nan
    return Rounds.from_array(values).usable()


def plain(z, a, b, shape, reach=200):
    """Log-likelihood, floor and mean − median by plain sums."""
    x = np.arange(-reach, reach + 1)
    f = np.where(x < 0, np.exp(-((np.abs(x) / b) ** shape)), np.exp(-((np.abs(x) / a) ** shape)))
    f /= f.sum()
    total = 0.0
    for row in z:
        seen = row[np.isfinite(row)].astype(int)
        seen = seen - seen.min()
        total += math.log(
            sum(
                np.prod([f[s - y + reach] for s in seen])
                for y in range(seen.max() - reach, reach + 1)
            )
        )
    middle = x[np.searchsorted(np.cumsum(f), 0.5)]
    return total, min(f @ np.abs(x - c) for c in range(-5, 6)), f @ x - middle


@pytest.mark.parametrize("point", [(3.0, 0.4, 1.0), (4.0, 6.0, 2.3), (0.8, 0.5, 0.65)])
@pytest.mark.parametrize("gaps", [False, True])
def test_the_kernel_is_its_twin(point, gaps):
    rounds = late(30, 4)
    rounds = with_gaps(rounds) if gaps else rounds
    values = np.empty((1, 3))
    scan_skewed(signed_cells(rounds), np.array([point]), values)
    assert values[0] == pytest.approx(plain(rounds.values, *point), rel=1e-8)


def test_the_statistic_is_the_mean_of_third_over_second_moments():
    rounds = late(80)
    check = check_skew(rounds)
    c = rounds.values - rounds.values.mean(axis=1, keepdims=True)
    c -= c.mean(axis=0)
    c -= c.mean(axis=1, keepdims=True)
    t = [(row**3).sum() / (row**2).sum() if (row**2).sum() > 1e-9 else 0.0 for row in c]
    found = stats.ttest_1samp(t, 0)
    assert check.statistic == pytest.approx(found.statistic, rel=1e-6)
    assert check.p_value == pytest.approx(found.pvalue, rel=1e-5)
    assert check.passed is False and "late picks are farther off" in check.message


def test_mirrored_picks_have_mirrored_skew():
    rounds = late(120)
    turned = Rounds.from_array(200 - rounds.values, unit="frames")
    one, two = check_skew(rounds), check_skew(turned)
    assert two.statistic == pytest.approx(-one.statistic) and "early" in two.message
    a, b = (fit_skewed(r, level=0.95, period=1.0, unit="frames") for r in (rounds, turned))
    assert b.mae.value == pytest.approx(a.mae.value, rel=0.01)
    assert b.mae.high == pytest.approx(a.mae.high, rel=0.02)
    assert (b.late, b.early) == pytest.approx((a.early, a.late), rel=0.1)


def test_order_of_items_and_raters_and_a_constant_move_nothing():
    rounds = late(60)
    moved = Rounds.from_array(rounds.values[::-1, [2, 0, 1]] + 7)
    one, two = (fit_skewed(r, level=0.9, period=1.0, unit="") for r in (rounds, moved))
    assert one.mae == two.mae and one.log_likelihood == two.log_likelihood
    assert check_skew(moved).p_value == pytest.approx(check_skew(rounds).p_value)
    slow = fit_skewed(rounds, level=0.9, period=20.0, unit="ms")
    assert slow.mae.high == pytest.approx(20 * one.mae.high)


def test_the_interval_is_the_range_within_the_cut():
    """No point of a grid of one's own within the cut leaves the interval by more than its step."""
    rounds = late(120)
    fit = fit_skewed(rounds, level=0.95, period=1.0, unit="frames")
    rng = np.random.default_rng(0)
    points = np.column_stack(
        [
            fit.late * np.exp(rng.normal(0, 0.4, 4000)),
            fit.early * np.exp(rng.normal(0, 0.8, 4000)),
            rng.choice([0.65, 0.8, 1.0, 1.2, 1.4], 4000),
        ]
    )
    values = np.empty((4000, 3))
    scan_skewed(signed_cells(rounds), points, values)
    assert values[:, 0].max() <= fit.log_likelihood + 0.02
    near = values[values[:, 0] >= fit.log_likelihood + math.log(0.05), 1]
    assert near.min() >= fit.mae.low - 0.02 and near.max() <= fit.mae.high + 0.02
    assert near.min() <= fit.mae.low + 0.1 and near.max() >= fit.mae.high - 0.1


@pytest.mark.parametrize("seed", range(3))
def test_symmetric_noise_of_unequal_biased_raters_is_not_skewed(seed):
    rng = np.random.default_rng(seed)
    x = np.round(rng.laplace(0, 2, (400, 3)) * [0.5, 1, 2])
    x += np.array([0, 3, -4])
    x[rng.random(400) < 0.3] *= 2  # and items differ in difficulty
    assert check_skew(Rounds.from_array(x)).p_value > 0.01


def test_two_rounds_cannot_see_skew():
    pairs = late(50, 2)
    check = check_skew(pairs)
    assert check.passed is None and "cannot show whether errors are skewed" in check.message
    assert third_moments(pairs)[0].size == 0
    result = compare_noise(pairs, cores="laplace", n_tests=0)
    assert result.skew is None and "skew" not in result.to_dict()
    assert "cannot show whether errors are skewed" in str(result)


def test_clusters_are_units():
    rounds = late(90)
    twice = Rounds.from_array(np.repeat(rounds.values, 2, axis=0), cluster=np.arange(180) // 2)
    assert check_skew(twice).p_value == pytest.approx(check_skew(rounds).p_value)


def test_the_skewed_floor_is_the_headline():
    rounds = late(300)
    result = compare_noise(rounds, cores=["laplace", "gaussian"], n_tests=0)
    x = rounds.values - 40
    assert result.of == "skewed" and result.mae is result.skew.mae
    assert np.abs(x - np.median(x)).mean() in result.envelope.interval
    text, data = str(result), result.to_dict()
    assert "says the median" in text and "frames later than the median one" in text
    assert data["headline"]["of"] == "skewed" and data["skew"]["shift"]["value"] > 0
    # A law that explains the picks worse than a symmetric one is no headline: nothing is left.
    gone = rounds.values.copy()
    gone[:6, 0] += [150, 320, 240, 90, 400, 280]
    far = compare_noise(Rounds.from_array(gone), cores="laplace", n_tests=0)
    if far.skew is not None:
        assert far.of == "bracket" and "No law explains skewed errors better" in str(far)
