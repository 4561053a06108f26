"""Scaling laws: exact recovery, independent twins, invariants, published figures, bad input."""

import json
import math
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from statsmodels.stats.diagnostic import het_breuschpagan

from annostat import AnnostatError, Estimate
from annostat.datasets import scaling_points
from annostat.report import make_report
from annostat.scaling import (
    LAWS,
    compare_scaling,
    compare_scaling_table,
    dimension_from_slope,
    log_slope,
)
from annostat.scaling.robust import K, mad_scale, residuals
from annostat.scaling.solve import Points

SCHEMA = Path(__file__).parent.parent / "docs" / "scaling.schema.json"
SIZES = np.geomspace(1e4, 1e7, 12)
FINE = {"xatol": 1e-10, "fatol": 1e-13, "maxiter": 5000}  # of Nelder-Mead
exponents = st.floats(0.08, 1.2)
shares = st.floats(0.05, 0.9)


def with_floor(sizes, exponent=0.35, share=0.4, scale=1.0):
    """Loss of a power law with a floor that is `share` of the loss of the smallest model."""
    return scale * (share + (1 - share) * (sizes / sizes.min()) ** -exponent)


def with_hinge(sizes, exponent=0.3, hinge=3e5, scale=0.2):
    return scale * (np.minimum(sizes, hinge) / sizes.min()) ** -exponent


def noisy(losses, sd=0.03, seed=0):
    return losses * np.exp(sd * np.random.default_rng(seed).normal(size=losses.size))


def one(sizes, losses, law, **options):
    return compare_scaling(sizes, losses, laws=[law], **options).best


# --- recovery without noise ---------------------------------------------------------------------


@given(exponents, st.floats(1e-3, 1e3))
def test_power_law_is_recovered(exponent, scale):
    """Invariant 10: without noise a law is found again, as are the next three."""
    fit = one(SIZES, scale * SIZES**-exponent, "power")
    assert fit.exponent.value == pytest.approx(exponent, rel=1e-8)
    assert fit.exponent.value in fit.exponent.interval


@settings(max_examples=25)
@given(exponents, shares, st.floats(1e-3, 1e3))
def test_floor_is_recovered(exponent, share, scale):
    losses = with_floor(SIZES, exponent, share, scale)
    fit = one(SIZES, losses, "power_floor")
    assert fit.exponent.value == pytest.approx(exponent, rel=1e-8)
    assert fit.floor.value == pytest.approx(scale * share, rel=1e-8)
    half = SIZES[0] * ((1 - share) / share) ** (1 / exponent)
    assert fit.n_half.value == pytest.approx(half, rel=1e-7)  # (A/E)^(1/α)
    known = one(SIZES, losses, "power_given_floor", floor=scale * share)
    assert known.exponent.value == pytest.approx(exponent, rel=1e-8)
    assert known.n_half.value == pytest.approx(half, rel=1e-7)


@given(exponents, st.floats(0.15, 0.85))
def test_hinge_is_recovered(exponent, place):
    hinge = SIZES[0] * 1e3**place
    fit = one(SIZES, with_hinge(SIZES, exponent, hinge), "hinge")
    assert fit.exponent.value == pytest.approx(exponent, rel=1e-8)
    assert fit.hinge.value == pytest.approx(hinge, rel=1e-8)


@settings(max_examples=8)
@given(st.floats(0.3, 0.8), st.floats(0.02, 0.15), st.floats(0.35, 0.65), st.floats(0.3, 1.0))
def test_broken_law_is_recovered(first, second, place, width):
    sizes = np.geomspace(1e4, 1e8, 24)
    hinge = sizes[0] * 1e4**place
    losses = sizes**-first * (1 + (sizes / hinge) ** (1 / width)) ** ((first - second) * width)
    fit = one(sizes, losses, "broken")
    assert fit.exponent.value == pytest.approx(first, rel=1e-6)
    assert fit.second_exponent.value == pytest.approx(second, abs=1e-6)
    assert fit.hinge.value == pytest.approx(hinge, rel=1e-5)


def test_the_right_law_is_chosen_without_noise():
    for losses, law in (
        (SIZES**-0.3, "power"),
        (with_floor(SIZES), "power_floor"),
        (with_hinge(SIZES), "hinge"),
    ):
        assert compare_scaling(SIZES, losses).best.name == law


# --- independent twins --------------------------------------------------------------------------


def test_power_law_is_ordinary_least_squares():
    losses = noisy(SIZES**-0.3)
    fit = one(SIZES, losses, "power", level=0.9)
    ols = sm.OLS(np.log(losses), sm.add_constant(np.log(SIZES))).fit()
    low, high = -ols.conf_int(0.1)[1][::-1]
    assert fit.exponent.value == pytest.approx(-ols.params[1], rel=1e-10)
    assert (fit.exponent.low, fit.exponent.high) == pytest.approx((low, high), rel=1e-8)
    assert fit.log_likelihood == pytest.approx(ols.llf, rel=1e-10)
    new = ols.get_prediction([[1.0, math.log(3e7)]]).conf_int(alpha=0.1)[0]
    [prediction] = fit.predict([3e7])
    assert (prediction.loss.low, prediction.loss.high) == pytest.approx(np.exp(new), rel=1e-8)
    assert prediction.extrapolated


def test_naive_slope_and_its_hc3_errors():
    losses = noisy(with_floor(SIZES), 0.05)
    ols = sm.OLS(np.log(losses), sm.add_constant(np.log(SIZES))).fit(cov_type="HC3", use_t=True)
    slope = log_slope(SIZES, losses)
    assert slope.value == pytest.approx(-ols.params[1], rel=1e-10)
    assert slope.standard_uncertainty == pytest.approx(ols.bse[1], rel=1e-8)
    assert (slope.low, slope.high) == pytest.approx(-ols.conf_int()[1][::-1], rel=1e-8)


def plain_floor_fit(sizes, losses, weights, exponent=None, floor=None):
    """Least squares of log loss by scipy from many starts; what is given is held."""
    u, y = np.log(sizes / sizes.mean()), np.log(losses)

    def parts(p):
        p = list(p)
        a = exponent if exponent is not None else p.pop()
        e = floor if floor is not None else math.exp(p.pop())
        return a, e, math.exp(p.pop())

    def misfit(p):
        a, e, scale = parts(p)
        return np.sqrt(weights) * (y - np.log(e + scale * np.exp(-a * u)))

    best = math.inf
    for scale in (0.1, 0.5, 2):
        for e in (0.1, 0.5, 0.9):
            for a in (0.1, 0.4, 1.0):
                start = [math.log(scale * losses.mean())]
                start += [math.log(e * losses.min())] * (floor is None)
                start += [a] * (exponent is None)
                low = [-30.0] * (2 if floor is None else 1) + [1e-3] * (exponent is None)
                found = optimize.least_squares(
                    misfit, start, bounds=(low, np.inf), xtol=1e-13, ftol=1e-13, gtol=1e-13
                )
                best = min(best, 2 * found.cost)
    return best


@pytest.mark.parametrize("seed", [1, 2])
def test_floor_profile_against_scipy(seed):
    weights = np.random.default_rng(seed + 10).uniform(0.5, 2, SIZES.size)
    weights /= weights.mean()
    losses = noisy(with_floor(SIZES), 0.02, seed)
    fit = one(SIZES, losses, "power_floor", weights=7 * weights)
    rss = plain_floor_fit(SIZES, losses, weights)
    assert fit.law.rss == pytest.approx(rss, rel=1e-6)
    allowed = rss * (1 + stats.f.ppf(0.95, 1, 9) / 9)
    for estimate, name in ((fit.exponent, "exponent"), (fit.floor, "floor")):
        for limit in (estimate.low, estimate.high):
            held = plain_floor_fit(SIZES, losses, weights, **{name: limit})
            assert held == pytest.approx(allowed, rel=2e-3)


def test_band_meets_the_profile_where_both_are_known():
    """The curve's limits far beyond the data are those of the floor."""
    fit = one(SIZES, noisy(with_floor(SIZES, 0.6), 0.02), "power_floor")
    far = fit.predict([1e30])[0].loss
    assert (far.low, far.high) == pytest.approx((fit.floor.low, fit.floor.high), rel=2e-3)
    hinge = one(SIZES, noisy(with_hinge(SIZES), 0.02), "hinge")
    far = hinge.predict([1e30])[0].loss
    assert (far.low, far.high) == pytest.approx((hinge.floor.low, hinge.floor.high), rel=1e-3)


def test_hinge_against_a_plain_grid():
    losses = noisy(with_hinge(SIZES), 0.04, 3)
    fit = one(SIZES, losses, "hinge")
    u, y = np.log(SIZES), np.log(losses)

    def rss(h, exponent=None):
        ramp = np.maximum(h - u, 0)
        if exponent is None:
            x = np.column_stack([np.ones(u.size), ramp])
            return float(np.linalg.lstsq(x, y, rcond=None)[1][0])
        rest = y - exponent * ramp
        return float(((rest - rest.mean()) ** 2).sum())

    grid = np.linspace(u[1], u[-1], 20001)
    values = np.array([rss(h) for h in grid])
    assert fit.law.rss <= values.min() + 1e-12
    assert np.log(fit.hinge.value) == pytest.approx(grid[values.argmin()], abs=1e-3)
    allowed = fit.law.rss * (1 + stats.f.ppf(0.95, 1, 9) / 9)
    inside = grid[values <= allowed]
    assert np.log(fit.hinge.low) == pytest.approx(inside.min(), abs=1e-3)
    assert np.log(fit.hinge.high) == pytest.approx(inside.max(), abs=1e-3)
    for limit in (fit.exponent.low, fit.exponent.high):
        assert min(rss(h, limit) for h in grid[::4]) == pytest.approx(allowed, rel=2e-3)


def test_given_floor_lies_between_exact_and_free():
    losses = noisy(with_floor(SIZES), 0.02, 5)
    free = one(SIZES, losses, "power_floor")
    exact = one(SIZES, losses, "power_given_floor", floor=0.39)
    tight = one(SIZES, losses, "power_given_floor", floor=0.39, floor_se=1e-6)
    loose = one(SIZES, losses, "power_given_floor", floor=0.39, floor_se=50.0)
    middle = one(SIZES, losses, "power_given_floor", floor=Estimate(0.39, 0.02))
    assert tight.exponent.value == pytest.approx(exact.exponent.value, rel=1e-4)
    assert loose.exponent.value == pytest.approx(free.exponent.value, rel=1e-4)
    assert loose.exponent.high == pytest.approx(free.exponent.high, rel=1e-3)
    widths = [f.exponent.high - f.exponent.low for f in (exact, middle, free)]
    assert widths == sorted(widths)
    assert widths[0] < 0.6 * widths[2]
    assert exact.floor.interval is None and exact.floor.note == "given"


def test_penalised_fit_against_scipy():
    losses = noisy(with_floor(SIZES), 0.02, 6)
    fit = one(SIZES, losses, "power_given_floor", floor=0.36, floor_se=0.02)
    u, y, dof = np.log(SIZES / SIZES.mean()), np.log(losses), 9

    def deviance(p):
        e, scale, a = np.exp(p)
        rss = np.sum((y - np.log(e + scale * np.exp(-a * u))) ** 2)
        return dof * np.log(rss) + ((e - 0.36) / 0.02) ** 2

    found = optimize.minimize(deviance, np.log([0.4, 0.1, 0.3]), method="Nelder-Mead", options=FINE)
    assert fit.law.deviance == pytest.approx(found.fun, abs=1e-8)
    assert fit.exponent.value == pytest.approx(np.exp(found.x[2]), rel=1e-5)
    assert fit.floor.value == pytest.approx(np.exp(found.x[0]), rel=1e-5)


def test_robust_is_the_minimum_of_hubers_loss():
    losses = noisy(with_floor(SIZES), 0.02, 7)
    losses[4] *= 1.5
    fit = one(SIZES, losses, "power_floor", robust=True)
    points = Points(np.log(SIZES) - fit.centre, np.log(losses), np.ones(SIZES.size))
    scale = mad_scale(residuals(fit.law, points), fit.law.dof)

    def loss(p):
        e, a0, a = np.exp(p)
        r = np.abs(points.y - np.log(e + a0 * np.exp(-a * points.v))) / scale
        return np.sum(np.where(r <= K, r * r / 2, K * r - K * K / 2))

    found = optimize.minimize(loss, np.log([0.4, 0.1, 0.3]), method="Nelder-Mead", options=FINE)
    assert fit.exponent.value == pytest.approx(np.exp(found.x[2]), rel=1e-4)
    plain = one(SIZES, losses, "power_floor")
    assert abs(fit.floor.value - 0.4) < abs(plain.floor.value - 0.4)


def test_interval_covers_on_a_thin_slice():
    """A slice of the study in analysis/calibration, fixed seeds."""
    hits = []
    for seed in range(150):
        fit = one(SIZES, noisy(with_hinge(SIZES), 0.03, seed), "hinge")
        hits.append([0.3 in fit.exponent.interval, 3e5 in fit.hinge.interval])
    assert (np.mean(hits, axis=0) > 0.95 - 3 * math.sqrt(0.05 * 0.95 / 150)).all()


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("inflation", [0.6, 2.5])
def test_inflation_is_another_level(law, inflation):
    """Limits rest on inflation times a quantile of F: that of another level, without inflation."""
    options = {"floor": 0.39, "floor_se": 0.05} if law == "power_given_floor" else {}
    sizes = np.geomspace(1e4, 1e7, 16)
    law_ = one(sizes, noisy(with_floor(sizes), 0.01, 4), law, **options).law
    other = float(stats.f.cdf(inflation * stats.f.ppf(0.9, 1, law_.dof), 1, law_.dof))
    found, expected = law_.limits(level=0.9, inflation=inflation), law_.limits(level=other)
    assert set(found) == set(expected)
    for name in found:
        assert found[name] == pytest.approx(expected[name], rel=1e-9)
    v = np.array([law_.points.v[3], law_.points.v[-1] + 1])
    bands = law_.band(v, level=0.9, inflation=inflation), law_.band(v, level=other)
    assert bands[0] == pytest.approx(bands[1], rel=1e-9)
    assert (np.diff(law_.band(v, level=0.9), axis=0) > 0).all()


def plain_union(sizes, losses, level=0.95):
    """The laws that are not refuted and the union of their F-profiles, on plain grids."""
    x, y = np.log(sizes / sizes[0]), np.log(losses)
    n = y.size
    rates = np.linspace(0, 1.5, 751)
    shares = np.concatenate([[0], np.geomspace(1e-3, 0.999, 900)])  # of the floor at the first size
    knees = np.linspace(x[0], x[-1], 801)[1:]
    away = shares + (1 - shares) * np.exp(-rates[:, None, None] * x[:, None])
    gap = y[:, None] - np.log(away)
    height = gap.mean(axis=1)
    floor_rss = ((gap - height[:, None]) ** 2).sum(axis=1)  # by rate and share
    ramp = np.maximum(knees[:, None] - x, 0)
    flat = y.mean() - rates[:, None] * ramp.mean(axis=1)
    hinge_rss = ((y - flat[..., None] - rates[:, None, None] * ramp) ** 2).sum(axis=2)
    power_rss = floor_rss[:, :1]
    tables = {"power": (power_rss, 2), "power_floor": (floor_rss, 3), "hinge": (hinge_rss, 3)}
    least = min(t.min() for t, _ in tables.values())
    limit = least * (1 + stats.f.ppf(0.99, 1, n - 3) / (n - 3))
    kept, low, high = [], [], []
    for name, (rss, k) in tables.items():
        if rss.min() <= limit:
            inside = (rss <= rss.min() * (1 + stats.f.ppf(level, 1, n - k) / (n - k))).any(axis=1)
            kept.append(name)
            low.append(rates[inside].min())
            high.append(rates[inside].max())
    return set(kept), min(low), max(high)


@pytest.mark.parametrize("n", [5, 6, 8])
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_laws_not_refuted_against_plain_grids(n, seed):
    sizes = np.geomspace(1e4, 1e7, n)
    made = (with_floor(sizes, 0.35, 0.3), with_hinge(sizes), sizes**-0.3)[seed % 3]
    losses = noisy(made, 0.03, seed)
    found = compare_scaling(sizes, losses, laws=["power", "power_floor", "hinge"])
    kept, low, high = plain_union(sizes, losses)
    assert set(found.together.laws) == kept
    assert found.together.exponent.low == pytest.approx(low, abs=0.003)
    assert min(found.together.exponent.high, 1.5) == pytest.approx(high, abs=0.003)
    assert found.together.exponent.value in found.together.exponent.interval
    assert all(math.isnan(f.weight) for f in found.fits) and not found.weighed
    assert "weight" not in str(found) and "AICc" not in str(found)


def test_few_sizes_keep_a_floor_that_aicc_drops():
    sizes = np.geomspace(1e4, 1e6, 5)
    losses = noisy(with_floor(sizes, 0.35, 0.2), 0.02, 3)
    found = compare_scaling(sizes, losses)
    assert {"power", "power_floor"} <= set(found.together.laws)
    assert 0.35 in found.together.exponent.interval and found.together.floor.low == 0
    assert "Not refuted: " in str(found) and "over all of them" in str(found)
    # A known floor stands in for none and for a free one.
    known = compare_scaling(sizes, losses, floor=0.2)
    assert set(known.together.laws) <= {"power_given_floor", "hinge"}
    assert known.together.exponent.high < found.together.exponent.high
    four = compare_scaling(sizes[:4], losses[:4])
    assert four.together.exponent.interval is None and "hides part of a slope" in str(four)


def test_constant_and_noiseless_scores_are_said_to_be_so():
    for n in (4, 6, 12):
        sizes = np.geomspace(1e4, 1e7, n)
        same = compare_scaling(sizes, np.full(n, 0.2))
        assert [c.name for c in same.checks] == ["constant"] and not same.checks[0].passed
        assert "undefined: all scores are equal" in str(same)
        assert math.isnan(same.together.exponent.value) and "Laws" not in str(same)
        exact = compare_scaling(sizes, sizes**-0.3)
        assert not checks_of(exact)["noiseless"].passed
        assert exact.together.exponent.interval is None
        assert "noiseless" not in checks_of(compare_scaling(sizes, noisy(sizes**-0.3)))


# --- invariants ---------------------------------------------------------------------------------


curves = st.builds(
    lambda exponent, share, sd, seed: noisy(with_floor(SIZES, exponent, share), sd, seed),
    st.floats(0.2, 1.0),
    st.floats(0.1, 0.7),
    st.floats(0.005, 0.05),
    st.integers(0, 2**32),
)


@settings(max_examples=8)
@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3), curves)
def test_units_change_nothing(unit, scale, losses):
    """Invariant 10: N → cN keeps α and E, and takes A to A·c^α; L → sL keeps α."""
    one_, two = compare_scaling(SIZES, losses), compare_scaling(unit * SIZES, scale * losses)
    assert [f.name for f in one_.fits] == [f.name for f in two.fits]
    for a, b in zip(one_.fits, two.fits, strict=True):
        for name, factor in (("exponent", 1), ("floor", scale), ("n_half", unit), ("hinge", unit)):
            x, y = getattr(a, name), getattr(b, name)
            if a.name == "broken" or x is None:
                continue  # its width is barely identified here: only found to its own precision
            for field in ("value", "low", "high"):
                p, q = getattr(x, field), getattr(y, field)
                assert q == pytest.approx(factor * p, rel=1e-3 if field != "value" else 1e-5)
        assert a.weight == pytest.approx(b.weight, abs=1e-5)


@settings(max_examples=6)
@given(curves, st.permutations(range(SIZES.size)), st.floats(1e-3, 1e3), st.floats(1, 10))
def test_order_and_the_scale_of_weights_change_nothing(losses, order, factor, widest):
    """Invariant 10: the sum of the weighted squares, or their mean, or any multiple."""
    weights = np.linspace(1, widest, SIZES.size)
    one_ = compare_scaling(SIZES, losses, weights=weights)
    two = compare_scaling(SIZES[order], losses[order], weights=factor * weights[order])
    for a, b in zip(one_.fits, two.fits, strict=True):
        assert b.exponent.value == pytest.approx(a.exponent.value, rel=1e-6)
        assert b.aicc == pytest.approx(a.aicc, abs=1e-6)


def test_a_weight_of_two_is_two_equal_points():
    losses = noisy(with_floor(SIZES), 0.02, 2)
    twice = np.repeat(np.arange(SIZES.size), [2, *[1] * (SIZES.size - 1)])
    weights = np.array([2.0, *[1.0] * (SIZES.size - 1)])
    a = one(SIZES, losses, "power_floor", weights=weights)
    b = one(SIZES[twice], losses[twice], "power_floor")
    assert a.exponent.value == pytest.approx(b.exponent.value, rel=1e-6)


def test_higher_is_better_is_one_minus_the_score():
    losses = noisy(with_floor(SIZES, scale=0.3), 0.02)
    a = compare_scaling(SIZES, losses)
    b = compare_scaling(SIZES, 1 - losses, higher_is_better=True)
    assert b.best.exponent.value == pytest.approx(a.best.exponent.value, rel=1e-7)
    assert b.loss_name == "1 − loss"


def test_the_floor_biases_the_naive_slope():
    """THEORY: exponent 0.35, floor 40% of the first loss; the local slope is α(1 − E/L)."""
    sizes = np.geomspace(1e4, 1e7, 30)
    result = compare_scaling(sizes, noisy(with_floor(sizes), 0.001))
    assert result.log_slope.value == pytest.approx(0.11, abs=0.01)
    assert result.log_slope.high < 0.2 < result.fit_of("power_floor").exponent.low
    seen = result.fit_of("power_floor").exponent.value + result.floor_bias.value
    assert seen == pytest.approx(result.log_slope.value, abs=1e-3)


# --- published figures --------------------------------------------------------------------------


def test_the_papers_points():
    table = scaling_points("echodfkd")
    result = compare_scaling(table["parameters"], table["dice"], higher_is_better=True)
    assert round(result.log_slope.value, 2) == 0.16
    assert result.best.name == "hinge"
    # The text says "around 1M parameters"; these points put the end of the slope before that.
    assert result.best.hinge.low < 3e5 < result.best.hinge.high < 1e6
    assert 0.0855 < result.best.floor.value < 0.0925
    # ±0.001 of digitising moves nothing of this.
    rng = np.random.default_rng(0)
    moved = table["dice"] + rng.uniform(-0.001, 0.001, len(table))
    again = compare_scaling(table["parameters"], moved, higher_is_better=True)
    assert round(again.log_slope.value, 2) == 0.16 and again.best.name == "hinge"


def test_the_camus_table():
    table = scaling_points("camus")
    assert table["parameters"].tolist() == scaling_points()["parameters"].tolist()
    best = table.loc[table["dice"].idxmax()]
    assert (best["blocks"], best["layers"], best["dice"]) == (4, 2, 0.8521)  # the text's .852
    assert table.loc[(table["blocks"] == 2) & (table["layers"] == 4), "mean_iou"].item() == 0.4981
    # Mean Dice is at most 2J/(1 + J), a concave map of the mean IoU: one printed pair breaks that.
    most = 2 * table["mean_iou"] / (1 + table["mean_iou"])
    odd = table[table["dice"] > most + 1e-4]
    assert odd[["blocks", "layers"]].to_numpy().tolist() == [[4, 3]]


PAPER = (0.15, 0.086, 0.16, 0.11, 0.124, 0.07, 0.067, 0.088)


@pytest.mark.parametrize("slope", PAPER)
@pytest.mark.parametrize(("kind", "k"), [("quadratic", 4), ("first-order", 2)])
def test_dimension_of_the_papers_slopes(slope, kind, k):
    found = dimension_from_slope(slope, 0.02, loss_kind=kind)
    assert found.value == pytest.approx(k / slope)
    assert found.low == pytest.approx(k / (slope + 1.959964 * 0.02), rel=1e-6)
    assert found.high == pytest.approx(k / (slope - 1.959964 * 0.02), rel=1e-6)


def test_dimension_against_theory():
    first, second = dimension_from_slope(0.15, 0.02), dimension_from_slope(0.124, 0.02)
    assert [round(x) for x in (first.value * 10, first.low, first.high)] == [267, 21, 36]
    assert [round(x) for x in (second.value, second.low, second.high)] == [32, 25, 47]
    assert dimension_from_slope(0.067, 0.05).high == math.inf
    assert dimension_from_slope(0.15, 0.02, dof=6).high > first.high
    # The two regimes differ only if their standard errors are about 0.01 or less.
    assert (0.15 - 0.124) / (math.sqrt(2) * 0.01) == pytest.approx(1.84, abs=0.01)
    for bad in ((0, 0.1), (-0.1, 0.1), (0.1, -1), (math.nan, 0.1), (0.1, math.inf)):
        with pytest.raises(AnnostatError, match=r"^(slope|se) must"):
            dimension_from_slope(*bad)
    assert "published slope" in first.interval.method


# --- checks, edges, bad input -------------------------------------------------------------------


def checks_of(result):
    return {check.name: check for check in result.checks}


def test_checks():
    seeds = np.repeat(SIZES, 3)
    shape = np.repeat(np.random.default_rng(1).normal(size=SIZES.size), 3)
    good = compare_scaling(seeds, noisy(with_floor(seeds), 0.02, 4))
    odd = compare_scaling(seeds, noisy(with_floor(seeds), 0.01, 4) * np.exp(0.05 * shape))
    assert checks_of(good)["lack_of_fit"].passed and not checks_of(odd)["lack_of_fit"].passed
    grows = compare_scaling(SIZES, 0.1 * SIZES**0.1)
    assert not checks_of(grows)["falls"].passed
    spread = np.exp(np.random.default_rng(2).normal(size=36) * np.linspace(0.2, 0.001, 36))
    unequal = compare_scaling(np.geomspace(1e4, 1e7, 36), np.geomspace(1, 0.1, 36) * spread)
    assert not checks_of(unequal)["equal_scatter"].passed


@pytest.mark.parametrize("n", [4, 5, 7, 12])
def test_scatter_that_is_alike_everywhere_does_not_move_with_size(n):
    sizes = np.repeat(np.geomspace(1e4, 1e7, n), 2)
    found = compare_scaling(sizes, sizes**-0.3 * np.tile([1.05, 1 / 1.05], n), laws=["power"])
    check = checks_of(found)["equal_scatter"]
    assert check.passed and check.statistic == 0 and check.p_value == 1


def test_a_floor_of_zero_is_no_floor():
    for seed, said in ((0, False), (1, True)):
        losses = SIZES**-0.3 * np.exp(np.random.default_rng(seed).normal(0, 0.02, SIZES.size))
        found = compare_scaling(SIZES, losses, laws=["power_floor"])
        assert (found.best.floor.value > 0) == said == ("levels off" in str(found))


def test_sizes_that_were_trained_are_not_extrapolated():
    losses = noisy(SIZES**-0.3)
    near = np.array([0.99, 1, 1.01])
    found = one(SIZES, losses, "power").predict([*SIZES[0] * near, *SIZES[-1] * near])
    assert [p.extrapolated for p in found] == [True, False, False, False, False, True]
    assert [p.loss.note == "extrapolated" for p in found] == [p.extrapolated for p in found]


def test_checks_say_what_they_found():
    grows = 0.1 * SIZES**0.1
    losses, scores = (
        checks_of(compare_scaling(SIZES, s, higher_is_better=h))
        for s, h in ((grows, False), (1 - grows, True))
    )
    asks = "The loss grows with size: if higher scores are better, say so (--higher-is-better)."
    assert losses["falls"].message == asks
    assert scores["falls"].message == "The loss grows with size, against what the laws say."
    assert losses["falls"].statistic == pytest.approx(-0.1)
    for order, word in ((1, "smaller"), (-1, "larger")):
        spread = np.exp(np.random.default_rng(2).normal(size=36) * np.linspace(0.2, 0.001, 36))
        sizes = np.geomspace(1e4, 1e7, 36)
        result = compare_scaling(sizes, sizes**-0.3 * spread[::order], laws=["power"])
        check = checks_of(result)["equal_scatter"]
        assert f"The relative scatter is {word} for larger models" in check.message
        # Koenker's test is n·R² of the squared residuals on the regressor.
        ols = sm.OLS(np.log(result.losses), sm.add_constant(np.log(sizes))).fit()
        lm, p, *_ = het_breuschpagan(ols.resid, ols.model.exog, robust=True)
        assert (check.statistic, check.p_value) == pytest.approx((lm, p), rel=1e-8)


def test_a_flat_loss_is_said_to_be_flat():
    """Eleven of twenty flat sets were said to grow, as the sign alone was looked at."""
    sizes, said = np.repeat(SIZES[::2], 3), []
    for seed in range(20):
        found = compare_scaling(sizes, noisy(np.full(sizes.size, 0.3), 0.025, seed))
        said.append(checks_of(found)["falls"].passed)
        if said[-1] is None:
            slope = found.log_slope
            assert slope.low < 0 < slope.high
            assert found.answer().startswith("No slope is shown: loss does not visibly fall or ")
            assert found.quote().startswith("No slope is shown: log–log slope ")
            assert "No slope was shown" in found.cited().results
    assert said.count(None) >= 17  # 5% of slopes, and the laws at 1%
    # A loss that falls at first only has a law, if hardly a slope.
    sharp = noisy(0.3 + 0.9 * (SIZES == SIZES[0]), 0.002, 1)
    found = compare_scaling(SIZES, sharp)
    assert found.log_slope.low < 0 and checks_of(found)["falls"].passed


def test_no_level_is_said_only_where_one_was_looked_for():
    found = compare_scaling(SIZES, noisy(SIZES**-0.3), laws=["power"])
    assert found.answer().endswith("if no level is approached: no law with one was fitted.")


def test_lack_of_fit_is_the_f_test_of_pure_error():
    """The law against a mean of its own for each size (Draper & Smith 1998, 2.1)."""
    sizes = np.repeat(SIZES[:6], [1, 2, 3, 1, 2, 3])
    losses = noisy(sizes**-0.3, 0.05, 8)
    check = checks_of(compare_scaling(sizes, losses, laws=["power"]))["lack_of_fit"]
    y, line = np.log(losses), sm.add_constant(np.log(sizes))
    full = sm.OLS(y, (sizes[:, None] == SIZES[:6]).astype(float)).fit()
    f, p, extra = full.compare_f_test(sm.OLS(y, line).fit())
    assert extra == 4
    assert (check.statistic, check.p_value) == pytest.approx((f, p), rel=1e-8)
    assert "lack_of_fit" not in checks_of(compare_scaling(SIZES, noisy(SIZES**-0.3)))


def test_scores_beyond_the_floor():
    losses = noisy(with_floor(SIZES, 0.8), 0.03, 1)
    result = compare_scaling(SIZES, losses, floor=0.42)
    beyond = int((losses < 0.42).sum())
    assert beyond >= 2
    check = checks_of(result)["beyond_floor"]
    assert check.statistic == beyond and not check.passed
    assert check.message.startswith(f"{beyond} of 12 scores are beyond the given floor 0.42: ")
    none = checks_of(compare_scaling(SIZES, losses, floor=0.3))["beyond_floor"]
    assert none.passed and none.message == "No score is beyond the given floor."
    wrong = compare_scaling(SIZES, noisy(with_floor(SIZES), 0.005), floor=0.2)
    assert not checks_of(wrong)["floor_agrees"].passed


def test_few_points_leave_laws_out():
    sizes = np.array([1e4, 1e5, 1e6, 1e7])
    result = compare_scaling(sizes, [0.4, 0.3, 0.21, 0.17])
    assert [f.name for f in result.fits] == ["power"]
    told = checks_of(result)["laws_left_out"].message
    assert "power law + floor (5 points of 3 sizes)" in told and "power_floor" not in told
    assert result.answer().endswith("4 points cannot show whether it levels off.")
    five = compare_scaling([*sizes, 1e8], [0.4, 0.3, 0.21, 0.17, 0.12])
    assert {f.name for f in five.fits} == {"power", "power_floor", "hinge"}
    assert json.dumps(result.to_dict(), allow_nan=False)
    assert "nan" not in str(result).lower()
    with pytest.raises(AnnostatError, match="hinge"):
        compare_scaling(sizes, [0.4, 0.3, 0.21, 0.17], laws=["hinge"])


def test_no_saturation_has_no_end():
    losses = noisy(SIZES**-0.3, 0.02)
    result = compare_scaling(SIZES, losses)
    assert result.best.name == "power"
    assert result.fit_of("hinge").hinge.high == math.inf
    floor = result.fit_of("power_floor")
    assert floor.floor.low == 0 and floor.n_half.high == math.inf
    assert result.to_dict()["models"][0]["floor"] is None


def test_flat_losses():
    result = compare_scaling(SIZES, noisy(np.full(SIZES.size, 0.2), 0.02, 3))
    text = str(result)
    assert "nan" not in text.lower() and "inf " not in text
    assert json.dumps(result.to_dict(), allow_nan=False)
    assert result.fit_of("hinge").exponent.low == 0
    same = compare_scaling(SIZES, np.full(SIZES.size, 0.2))
    assert json.dumps(same.to_dict(), allow_nan=False) and "nan" not in str(same).lower()


def test_errors_of_what_a_fit_is_asked():
    fit = one(SIZES, noisy(SIZES**-0.3), "power")
    for ask in (fit.curve, fit.predict):
        with pytest.raises(AnnostatError, match=r"^sizes must be positive numbers, got -1"):
            ask([1e5, -1.0])
    for sizes, losses, words in (
        ([1, 2, 3], [1, 2], "of one length, got 3 and 2"),
        ([1, 2], [2, 1], "three points or more"),
        ([2, 2, 2], [3, 2, 1], "at least two sizes"),
        ([0, 2, 3], [3, 2, 1], "^sizes must be positive"),
        ([1, 2, 3], [3, 2, math.inf], "^losses must be positive"),
        ([-1, -2, -3, -4, -5], [1] * 5, "-3 \\(point 3\\) and 2 more"),
        ([-1, -2, -3], [1] * 3, "-3 \\(point 3\\)$"),
    ):
        with pytest.raises(AnnostatError, match=words):
            log_slope(sizes, losses)
    with pytest.raises(AnnostatError, match="level"):
        log_slope([1, 2, 3], [3, 2, 1], level=2)
    assert log_slope([1, 2, 2], [3, 2, 1]).value > 0  # the least that is enough


def test_a_table_of_all_laws():
    result = compare_scaling(SIZES, noisy(with_floor(SIZES), 0.02), floor=0.39)
    table = result.to_frame().set_index(["law", "quantity"])
    assert len(table) == 1 + 3 + 3 + 3 + 3  # power, two with a floor, hinge, broken
    for fit in result.fits:
        rows = table.loc[fit.name]
        assert set(rows["aicc"]) == {fit.aicc} and set(rows["weight"]) == {fit.weight}
        for name in ("exponent", "floor", "n_half", "hinge", "second_exponent"):
            estimate = getattr(fit, name)
            assert (name in rows.index) == (estimate is not None)
            if estimate is not None:
                assert rows.loc[name, "value"] == estimate.value


BAD = {
    "one size": (dict(sizes=[1e5] * 6, scores=[0.2, 0.21, 0.2, 0.19, 0.2, 0.2]), "of 1"),
    "two points": (dict(sizes=[1e4, 1e5], scores=[0.3, 0.2]), "four points"),
    "two sizes": (dict(sizes=[1e4, 1e4, 1e5, 1e5], scores=[0.3, 0.2, 0.2, 0.1]), "of 2"),
    "empty": (dict(sizes=[], scores=[]), "got 0 of 0"),
    "nan score": (dict(scores=[0.3, math.nan, 0.2, 0.1]), "nan \\(point 2\\)"),
    "nan size": (dict(sizes=[1e4, math.nan, 1e6, 1e7]), "sizes must be positive"),
    "negative size": (dict(sizes=[1e4, -1e5, 1e6, 1e7]), "-100000 \\(point 2\\)"),
    "zero loss": (dict(scores=[0.3, 0.2, 0.1, 0.0]), "0 \\(point 4\\)"),
    "infinite": (dict(sizes=[1e4, 1e5, 1e6, math.inf]), "inf"),
    "perfect": (dict(scores=[0.7, 0.8, 0.9, 1.0], higher_is_better=True), "perfect"),
    "over one": (
        dict(scores=[0.7, 0.8, 0.9, 1.5], higher_is_better=True),
        "must be below 1, got 1.5 \\(percentages\\? divide by 100\\)$",
    ),
    "no percentage": (
        dict(scores=[70, 80, 90, 101], higher_is_better=True),
        "must be below 1, got 101$",
    ),
    "whole percent": (dict(scores=[70, 80, 90, 100], higher_is_better=True), "divide by 100"),
    "percent": (dict(scores=[70, 80, 90, 95], higher_is_better=True), "divide by 100"),
    "negative score": (dict(scores=[-0.1, 0.8, 0.9, 0.95], higher_is_better=True), "negative"),
    "floor above all": (dict(floor=0.5), "above all losses"),
    "floor zero": (dict(floor=0.0), "positive"),
    "floor se alone": (dict(floor_se=0.1), "needs the floor"),
    "negative se": (dict(floor=0.05, floor_se=-1), "floor_se"),
    "lengths": (dict(scores=[0.1, 0.2]), "one length"),
    "weights": (dict(weights=[1, 2]), "4 numbers"),
    "zero weight": (dict(weights=[1, 2, 0, 1]), "weights must be positive"),
    "law": (dict(laws=["powr"]), "did you mean 'power'"),
    "given without floor": (dict(laws=["power_given_floor"]), "needs a floor"),
    "kind": (dict(loss_kind="cubic"), "loss_kind"),
    "level": (dict(level=1.0), "level"),
    "text": (dict(sizes=["a", "b", "c", "d"]), "numbers"),
    "at": (dict(at=[-1.0]), "at must be positive"),
    "at text": (dict(at="big"), "^at must be numbers"),
    "text scores": (dict(scores=["a", "b", "c", "d"], higher_is_better=True), "numbers"),
    "all nan": (dict(scores=[math.nan] * 4, higher_is_better=True), "nan"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name):
    options, words = BAD[name]
    given_ = {"sizes": [1e4, 1e5, 1e6, 1e7], "scores": [0.3, 0.25, 0.2, 0.15], **options}
    with pytest.raises(AnnostatError, match=words):
        compare_scaling(given_.pop("sizes"), given_.pop("scores"), **given_)


# --- tables and the command ---------------------------------------------------------------------


def test_long_equals_wide():
    table = scaling_points("camus")
    options = {"size": "parameters", "higher_is_better": True, "laws": ["power", "power_floor"]}
    wide = compare_scaling_table(table, score=["dice", "mean_iou"], **options)
    long = table.melt(["blocks", "layers", "parameters"], var_name="metric", value_name="score")
    grouped = compare_scaling_table(long, score="score", group="metric", **options)
    assert set(wide) == set(grouped) == {"dice", "mean_iou"}
    for name in wide:
        assert wide[name].best.exponent == grouped[name].best.exponent


@pytest.fixture
def table(tmp_path):
    frame = pd.DataFrame({"size": SIZES, "score": noisy(with_floor(SIZES, scale=0.3), 0.02)})
    frame["regime"] = "real"
    path = tmp_path / "scores é.csv"
    frame.to_csv(path, index=False)
    return path


def test_json_keeps_its_promise(run, table):
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    code, out, err = run("scaling", "--example", "echodfkd", "--at", "1e7", "--json", "-")
    assert (code, err) == (0, "")
    data = json.loads(out)
    jsonschema.validate(data, schema)
    assert {"law", "exponent", "floor", "n_half", "hinge", "aicc", "weight"} <= set(
        data["models"][0]
    )
    assert data["models"][0]["law"] == data["together"]["laws"][0] == "hinge"
    assert data["dimension"]["law"] == ", ".join(data["together"]["laws"])
    assert sum(m["weight"] for m in data["models"]) == pytest.approx(1)
    assert len(data["predictions"]) == len(data["models"])
    code, out, _ = run(
        "scaling",
        table,
        "--size",
        "size",
        "--score",
        "score",
        "--group",
        "regime",
        "--floor",
        "0.12",
        "--floor-se",
        "0.01",
        "--json",
        "-",
    )
    strata = json.loads(out)["strata"]
    jsonschema.validate(strata["real"], schema)
    assert "power_given_floor" in [m["law"] for m in strata["real"]["models"]]
    assert run("scaling", "--example", "camus", "--json", "-") == run(
        "scaling", "--example", "camus", "--json", "-"
    )


def test_text_and_plots(run, table, tmp_path):
    plot = tmp_path / "p.png"
    code, out, err = run(
        "scaling",
        "--example",
        "camus",
        "--score",
        "dice",
        "--score",
        "mean_iou",
        "--law",
        "hinge",
        "--law",
        "power_given_floor",
        "--robust",
        "--ceiling",
        "0.9",
        "--floor-se",
        "0.01",
        "--at",
        "1e8",
        "--loss-kind",
        "first-order",
        "--plot",
        plot,
    )
    assert (code, err) == (0, "")
    assert "== series: dice ==" in out and "extrapolated" in out and "2/α" in out
    for name in ("dice", "mean_iou"):
        assert (tmp_path / f"p-{name}.png").read_bytes().startswith(b"\x89PNG")
    code, out, _ = run(
        "scaling", table, "--size", "size", "--score", "score", "--law", "power", "--plot", plot
    )
    assert code == 0 and plot.exists() and "extrapolated" not in out


def test_bad_options_are_one_line(run, table, tmp_path):
    empty, hole = tmp_path / "empty.csv", tmp_path / "hole.csv"
    empty.write_text("")
    hole.write_text("n,s\n1e4,0.3\n1e5,\n1e6,0.1\n1e7,0.05\n")
    base = ("scaling", table, "--size", "size", "--score", "score")
    for args, words in (
        (("scaling",), "no input"),
        (("scaling", table), "--size"),
        (("scaling", table, "--size", "size"), "--score"),
        (("scaling", table, "--size", "siz", "--score", "score"), "did you mean 'size'"),
        (("scaling", table, "--size", "size", "--score", "regime"), "holds text"),
        (("scaling", table, "--example", "camus"), "not both"),
        (("scaling", empty, "--size", "n", "--score", "s"), "is empty"),
        (("scaling", hole, "--size", "n", "--score", "s"), "row 2"),
        (("scaling", tmp_path / "no.csv", "--size", "n", "--score", "s"), "no file"),
        ((*base, "--floor", "9"), "above all losses"),
        ((*base, "--ceiling", "0.9"), "--higher-is-better"),
        ((*base, "--floor", "0.1", "--ceiling", "0.9"), "not both"),
        ((*base, "--law", "hing"), "did you mean 'hinge'"),
        ((*base, "--at", "0"), "positive"),
        ((*base, "--at", "nan"), "positive"),
        ((*base, "--law", "power", "--plot", tmp_path / "x.foo"), "png"),
        ((*base, "--law", "power", "--plot", tmp_path / "no" / "x.png"), "cannot be written"),
    ):
        code, out, err = run(*args)
        assert (code, out) == (2, ""), args
        assert words in err and err.count("\n") == 1, (args, err)


def test_chapter_of_the_report():
    table = scaling_points()
    result = compare_scaling(
        table["parameters"],
        table["dice"],
        higher_is_better=True,
        size_name="<i>n",
        score_name="Dice",
    )
    page = make_report([result])
    assert "How the score moves with size" in page and "&lt;i&gt;n" in page and "<i>n" not in page
    assert "Not refuted:" in page and "best by AICc" in page


@pytest.mark.parametrize("seed", [7, 17, 26, 48, 66, 93, 104])
def test_hostile_series_give_ordered_limits(seed):
    """Sizes over 40 e-folds, noise of any size, floors that are nearly zero."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(4, 20))
    sizes = np.exp(rng.uniform(0, rng.choice([0.5, 3, 12, 40]), n))
    losses = np.exp(rng.choice([0.001, 0.1, 1, 5]) * rng.normal(size=n)) * sizes**-0.3
    floor = float(np.quantile(losses, rng.random()) * rng.choice([0.01, 0.5, 0.99]))
    result = compare_scaling(
        sizes, losses, floor=floor, floor_se=floor * rng.choice([1e-6, 0.1, 3])
    )
    assert json.dumps(result.to_dict(), allow_nan=False) and "nan" not in str(result).lower()
    for fit in result.fits:
        for name in ("exponent", "floor", "n_half", "hinge", "second_exponent"):
            estimate = getattr(fit, name)
            if estimate is not None and estimate.interval is not None:
                low, value, high = estimate.low, estimate.value, estimate.high
                assert low <= value * (1 + 1e-9) and value <= high * (1 + 1e-9), (fit.name, name)
