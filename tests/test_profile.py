"""The precision profile: fits against twins, known answers, LIDC, invariances."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize, stats

from annostat.agreement.profile import (
    ONE_SIDED,
    _skew_bias,
    _spread,
    floor_for,
    precision_profile,
)
from annostat.agreement.variance_forms import basis, fit_form
from annostat.datasets import lidc
from annostat.errors import AnnostatError
from annostat.labels.rounds import Rounds
from annostat.noise.pair_sizes import likelihood_of_pairs
from annostat.noise.tails import Tails, heavy_tails, tails


def drawn(seed, n, k=2, relative=0.12, constant=0.5, bias=0.0):
    g = np.random.default_rng(seed)
    y = g.lognormal(np.log(8), 0.6, n)
    z = y[:, None] + np.hypot(constant, relative * y)[:, None] * g.normal(size=(n, k))
    return np.maximum(np.round(1024 * (z + bias * np.arange(k))) / 1024, 1 / 1024)


def numbers(found):
    rows = [found.floor, *(p.noise_sd for p in found.points)]
    return np.array([[e.value, e.low, e.high] for e in rows])


def quasi(mu, data):
    return -0.5 * np.sum(data.freedom * (np.log(mu) + data.square / mu))


@pytest.mark.parametrize("name", ["constant", "proportional", "two-component", "power", "smooth"])
def test_every_form_is_at_its_maximum(name):
    data, _, _ = _spread(Rounds.from_array(drawn(1, 80, 3)))
    fit = fit_form(name, data)
    y = data.mean

    def mu(theta):
        if name in ("power", "smooth"):
            return np.exp(basis(y, fit.knots, True) @ theta)
        return {
            "constant": lambda t: np.exp(t[0]) + 0 * y,
            "proportional": lambda t: np.exp(t[0]) * y**2,
            "two-component": lambda t: np.exp(t[0]) + np.exp(t[1]) * y**2,
        }[name](theta)

    start = fit.parameters if name in ("power", "smooth") else np.log(fit.parameters + 1e-12)
    best = optimize.minimize(
        lambda t: -quasi(mu(t), data),
        start,
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-10, "maxiter": 4000},
    )
    assert fit.quasi == pytest.approx(-best.fun, abs=1e-5)
    assert quasi(fit.variance(y), data) == pytest.approx(fit.quasi)
    # Derivatives against differences.
    for j in range(len(fit.parameters)):
        step = 1e-6 * max(abs(fit.parameters[j]), 1e-3)
        moved = [
            type(fit)(
                fit.name,
                fit.parameters + side * step * np.eye(len(fit.parameters))[j],
                fit.knots,
                0.0,
                fit.inverse,
                fit.sandwich,
                True,
            ).variance(y)
            for side in (1, -1)
        ]
        slope = (np.log(moved[0]) - np.log(moved[1])) / (2 * step)
        assert fit.slopes(y)[:, j] == pytest.approx(slope, rel=1e-4, abs=1e-6)


def test_the_variance_of_the_constant_form_is_that_of_a_mean():
    data, _, _ = _spread(Rounds.from_array(drawn(2, 60, relative=0.0)))
    fit = fit_form("constant", data)
    assert fit.parameters[0] == pytest.approx(data.square.mean())
    assert fit.inverse[0, 0] / fit.parameters[0] ** 2 == pytest.approx(2 / 60)
    ratio = data.square / data.square.mean() - 1
    assert fit.sandwich[0, 0] / fit.parameters[0] ** 2 == pytest.approx(
        60 / 59 * np.sum(ratio**2) / 60**2
    )


def test_items_say_half_the_square_of_their_difference():
    z = drawn(3, 30, bias=2.0)
    data, numbers_, labels = _spread(Rounds.from_array(z))
    pairs, _ = likelihood_of_pairs(labels.T, np.ones(2), data.units)
    d = z[:, 0] - z[:, 1]
    expected = np.sort((d - d.mean()) ** 2 / 2 * 30 / 29)
    assert np.sort(data.square * data.scale**2) == pytest.approx(expected)
    assert np.all(numbers_ == 2) and pairs.n == 30


def test_the_floor_and_the_test_set_of_proportional_noise():
    z = drawn(4, 600, constant=0.0)
    found = precision_profile(Rounds.from_array(z))
    assert found.constant.passed is False and found.forms[0] == "proportional"
    truth = np.random.default_rng(4).lognormal(np.log(8), 0.6, 600)
    assert 0.12 * np.sqrt(np.mean(truth**2)) in found.floor.interval
    assert 0.12 in found.relative.interval and 1.0 in found.exponent.interval
    g = np.random.default_rng(5)
    y = 2 * g.lognormal(np.log(8), 0.6, 3000)
    there = floor_for(found, y * (1 + 0.12 * g.normal(size=3000)))
    assert 0.12 * np.sqrt(np.mean(y**2)) in there.interval
    for point in found.points[::4]:
        assert 0.12 * point.value in point.noise_sd.interval


def test_noise_that_is_constant_is_said_to_be():
    found = precision_profile(Rounds.from_array(drawn(6, 300, relative=0.0)))
    assert found.constant.passed is True and "constant" in found.forms
    assert 0.5 in found.floor.interval


def test_the_score_test_is_of_log_values():
    z = drawn(7, 90, constant=0.0)
    found = precision_profile(Rounds.from_array(z, exchangeable=True))
    s, x = np.var(z, axis=1, ddof=1), np.log(z.mean(axis=1))
    score = (s / s.mean() - 1) * (x - x.mean())
    t = score.sum() / np.sqrt(np.sum(score**2))
    assert found.constant.statistic == pytest.approx(t)
    assert found.constant.p_value == pytest.approx(2 * stats.t.sf(abs(t), 89))


def test_lidc_diameters_have_a_floor():
    found = precision_profile(lidc("diameter_mm"))
    low, high = found.floor.low, found.floor.high
    assert [round(x, 2) for x in (found.floor.value, low, high)] == [1.63, 1.46, 1.82]
    assert found.constant.passed is False and found.forms == ("smooth",)
    assert round(found.criteria["power"], 1) == 13.8
    assert round(found.relative.value, 3) == 0.117 and round(found.effective_items) == 476


def test_heavy_tails_are_told():
    g = np.random.default_rng(8)
    t3 = np.abs(np.diff(g.standard_t(3, (1500, 2)), axis=1)[:, 0])
    assert heavy_tails(t3).passed is False
    gauss, laplace = (
        np.abs(np.diff(law(size=(1500, 2)), axis=1)[:, 0]) for law in (g.normal, g.laplace)
    )
    assert heavy_tails(gauss).passed is True and tails(gauss) == Tails(heavy_tails(gauss))
    # Laplace errors are still within reach of t with four degrees of freedom.
    assert heavy_tails(laplace).passed is None
    assert heavy_tails(t3[:5]).passed is None


@pytest.mark.parametrize("k", [2, 3])
def test_order_names_swap_units_and_constants_change_nothing(k):
    z = drawn(9, 60, k, bias=0.5)
    here = numbers(precision_profile(Rounds.from_array(z)))
    order = np.random.default_rng(1).permutation(60)
    assert np.array_equal(numbers(precision_profile(Rounds.from_array(z[order]))), here)
    turned = numbers(precision_profile(Rounds.from_array(z[:, ::-1], names=list("abc"[:k]))))
    assert turned == pytest.approx(here, rel=1e-9)
    scaled = numbers(precision_profile(Rounds.from_array(16 * z)))
    assert scaled == pytest.approx(16 * here, rel=1e-9)
    signed = z - 10
    here = numbers(precision_profile(Rounds.from_array(signed)))
    flipped = numbers(precision_profile(Rounds.from_array(-signed)))
    assert flipped[0] == pytest.approx(here[0], rel=1e-6)


def test_clusters_are_units():
    z = np.repeat(drawn(10, 60), 2, axis=0)
    cluster = [str(i // 2) for i in range(120)]
    apart = precision_profile(Rounds.from_array(z)).floor
    together = precision_profile(Rounds.from_array(z, cluster=cluster)).floor
    assert together.value == pytest.approx(apart.value)
    reach = [np.log(e.high / e.low) for e in (together, apart)]
    assert 1.25 < reach[0] / reach[1] < 1.7


def test_what_has_no_profile():
    with pytest.raises(AnnostatError, match="takes 10 items with two labels, got 9"):
        precision_profile(Rounds.from_array(drawn(11, 9)))
    with pytest.raises(AnnostatError, match="labels of each item are equal"):
        precision_profile(Rounds.from_array(np.repeat(np.arange(1.0, 13)[:, None], 2, axis=1)))
    found = precision_profile(Rounds.from_array(drawn(11, 40)))
    with pytest.raises(AnnostatError, match="labels must be positive"):
        floor_for(found, [1.0, -2.0])
    with pytest.raises(AnnostatError, match="no finite label"):
        floor_for(found, [float("nan")])
    same = Rounds.from_array(np.tile([[1.0, 2.0]], (12, 1)) + 0.5, exchangeable=True)
    assert precision_profile(same).forms == ("constant",)
    assert "Noise by value" in str(found) and len(found.to_frame()) == 9
    assert found.to_dict()["forms"] == list(found.forms)


def test_the_profile_is_drawn():
    from annostat.plotting.profile import plot_profile

    found = precision_profile(Rounds.from_array(drawn(12, 200), unit="mm"))
    ax = plot_profile(found)
    assert ax.get_xlabel() == "value (mm)" and "95% interval" in ax.get_legend_handles_labels()[1]
    assert ax.lines[0].get_ydata() == pytest.approx([p.noise_sd.value for p in found.points])
    with pytest.raises(AnnostatError, match="no points to draw"):
        plot_profile(replace(found, points=(), note="heavy"))


@pytest.mark.parametrize("k", [2, 3])
def test_skew_moves_the_profile_by_what_the_formula_says(k):
    # Constant σ and Gaussian means: κ₃·(σ³·f)'/(k·f·σ²) = 2·σ·|m − μ|/(k·var m).
    g = np.random.default_rng(3)
    y = g.normal(0, 2, 40_000)
    data, _, _ = _spread(Rounds.from_array(y[:, None] + g.normal(size=(40_000, k))))
    form = fit_form("constant", data)
    sigma, at = form.parameters[0] ** 0.5, np.quantile(data.mean, (0.1, 0.3, 0.7, 0.9))
    expected = 2 * sigma * np.abs(at - data.mean.mean()) / (k * data.mean.var())
    # The density is a kernel's, of width 1.3·s·n^(−1/7), whose variance adds to that of the means.
    smoothed = expected / (1 + 1.3**2 * 40_000 ** (-2 / 7))
    assert _skew_bias(data, form, at, float(k)) == pytest.approx(smoothed, rel=0.05, abs=0.01)
    # And exponential errors move it so, the noise being a quarter of the spread: what is odd about
    # the mean, as the kurtosis has the rest.
    spread, z_quantile = np.sqrt(16 + 1 / k), stats.norm.ppf(0.8)
    z = g.normal(0, 4, (800_000, 1)) + g.exponential(size=(800_000, k)) - 1
    m, s = z.mean(axis=1), z.var(axis=1, ddof=1)
    low, high = (s[np.abs(m - q * z_quantile * spread) < 0.3].mean() for q in (-1, 1))
    assert (high - low) / 2 == pytest.approx(2 * z_quantile / (k * spread), rel=0.15)


def test_where_skew_would_move_the_noise_by_half_no_interval_is_printed():
    g = np.random.default_rng(1)
    size = g.lognormal(np.log(8), 0.6, (400, 1))
    found = precision_profile(Rounds.from_array(size * (1 + g.normal(0, 0.15, (400, 2)))))
    bare = [p for p in found.points if p.noise_sd.interval is None]
    assert bare and len(bare) < len(found.points)
    assert {p.noise_sd.note for p in bare} == {ONE_SIDED}
    assert all(np.isfinite(p.noise_sd.value) for p in bare)
    assert ONE_SIDED in found.to_text() and found.floor.interval is not None
