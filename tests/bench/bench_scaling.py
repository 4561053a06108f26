"""Scaling laws beside curve_fit from many starts, as a notebook would; see docs/benchmarks.md."""

import numpy as np
import pytest
from scipy import optimize

from annostat.datasets import scaling_points
from annostat.scaling import compare_scaling

LAWS = {
    "power": (lambda u, a, b: a - b * u, [(a, b) for a in (-1, 0, 1) for b in (0.1, 0.5)]),
    "power_floor": (
        lambda u, a, b, e: np.log(np.exp(e) + np.exp(a - b * u)),
        [(a, b, e) for a in (-3, -1, 1) for b in (0.1, 0.4, 1.0) for e in (-4, -2.5, -1.5)],
    ),
    "hinge": (
        lambda u, c, b, h: c + b * np.maximum(h - u, 0),
        [(c, b, h) for c in (-3, -1) for b in (0.1, 0.5) for h in (-2, -1, 0, 1, 2)],
    ),
    "broken": (
        lambda u, p, a, b, h, d: (
            p - a * u + (a - b) * np.exp(d) * np.logaddexp(0, (u - h) / np.exp(d))
        ),
        [
            (-2, a, b, h, d)
            for a in (0.2, 0.5)
            for b in (0.05, 0.3)
            for h in (-1, 0, 1)
            for d in (-1.5, 0)
        ],
    ),
}


@pytest.fixture(scope="module")
def series():
    table = scaling_points("echodfkd")
    return table["parameters"].to_numpy(float), table["dice"].to_numpy()


def plain(series):
    """Fit all laws by curve_fit from many starts: points and covariances, no profile."""
    size, dice = series
    u, y = np.log(size) - np.log(size).mean(), np.log(1 - dice)
    best = {}
    for name, (law, starts) in LAWS.items():
        for start in starts:
            try:
                p, cov = optimize.curve_fit(law, u, y, start, maxfev=2000)
            except RuntimeError:
                continue
            rss = float(np.sum((y - law(u, *p)) ** 2))
            if name not in best or rss < best[name][0]:
                best[name] = rss, p, cov
    return best


def plain_profile(series):
    """Add the two limits of the floor law's exponent: brentq over refits of curve_fit."""
    size, dice = series
    u, y = np.log(size) - np.log(size).mean(), np.log(1 - dice)
    rss, p, cov = plain(series)["power_floor"]
    allowed = rss * (1 + 4.667 / 13)
    law = LAWS["power_floor"][0]

    def above(value):
        def held(u, a, e):
            return law(u, a, value, e)

        found = []
        for a in (-3, -1, 1):
            for e in (-4, -2.5, -1.5):
                try:
                    q, _ = optimize.curve_fit(held, u, y, (a, e), maxfev=2000)
                except RuntimeError:
                    continue
                found.append(float(np.sum((y - held(u, *q)) ** 2)))
        return min(found) - allowed

    return [
        optimize.brentq(above, p[1], p[1] + side * 4 * cov[1, 1] ** 0.5, xtol=1e-4)
        for side in (-1, 1)
    ]


@pytest.mark.benchmark(group="one scaling series, 16 points")
def bench_all_laws_with_profile_intervals(benchmark, series):
    benchmark(compare_scaling, *series, higher_is_better=True)


@pytest.mark.benchmark(group="one scaling series, 16 points")
def bench_all_laws_with_an_uncertain_floor(benchmark, series):
    benchmark(compare_scaling, *series, higher_is_better=True, floor=0.067, floor_se=0.01)


@pytest.mark.benchmark(group="one scaling series, 16 points")
@pytest.mark.filterwarnings("ignore")
def bench_plain_curve_fit_without_profiles(benchmark, series):
    benchmark.pedantic(plain, (series,), rounds=3, iterations=1)


@pytest.mark.benchmark(group="one scaling series, 16 points")
@pytest.mark.filterwarnings("ignore")
def bench_plain_curve_fit_and_one_profile(benchmark, series):
    benchmark.pedantic(plain_profile, (series,), rounds=2, iterations=1)
