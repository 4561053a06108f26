"""Picks that are far off: the profile of E|X|, what a typo costs, and how it is named."""

import math

import numpy as np
import pytest

from annostat import NoiseModel, Rounds, compare_noise, fit_noise
from annostat.noise import kernels
from annostat.noise.cells import FAR
from annostat.noise.families import FAMILIES
from annostat.noise.problem import WIDE, cell_log_likelihoods, make_problem
from annostat.noise.result import fit_problem
from annostat.noise.search import search
from annostat.noise.typos import likely_typos

GAVE_UP = [150, 310, 42, 228, 370]


def table(far, n=90, seed=4):
    """Pairs of Laplace picks, the first of which are far off by so much."""
    rng = np.random.default_rng(seed)
    z = 40 + NoiseModel("laplace", {"scale": 1.2}).sample_errors((n, 2), rng=rng)
    z[: len(far), 1] += np.array(far, dtype=np.int64)
    return Rounds.from_array(z, items=[f"clip {i}" for i in range(n)], names=["first", "second"])


def brute(d, kind, windows, half):
    """Limits of E|X| by closed forms on a grid: all (scale, rate, window) near the maximum."""
    d, counts = np.unique(np.abs(d), return_counts=True)
    rates = np.concatenate([[0.0], np.geomspace(1e-3, 0.5, 240)])
    tops, sizes = [], []
    for scale in np.geomspace(0.4, 4.0, 90):
        p = math.exp(-1 / scale)
        a = (1 - p) / (1 + p)
        both = a * a * p**d * (d + (1 + p * p) / (1 - p * p))
        core = 2 * p / (1 - p * p)
        for w in windows:
            b = 2 * w + 1
            triangle = np.maximum(b - d, 0) / b**2
            inside = (1 - (p ** np.maximum(w + 1 - d, 0) + p ** (w + 1 + d)) / (1 + p)) / b
            beyond = p ** np.maximum(d - w, 0) * (1 - p**b) / ((1 + p) * b)
            mixed = np.where(d <= w, inside, beyond)
            e = rates[:, None]
            if kind == "shared":
                q = (1 - e) * both + e * triangle
            else:
                q = (1 - e) ** 2 * both + 2 * e * (1 - e) * mixed + e * e * triangle
            tops.append(np.log(np.maximum(q, 1e-300)) @ counts)
            sizes.append((1 - rates) * core + rates * w * (w + 1) / b)
    top, size = np.concatenate(tops), np.concatenate(sizes)
    near = size[top >= top.max() - half]
    return top.max(), near.min(), near.max()


@pytest.mark.parametrize("kind", ["independent", "shared"])
@pytest.mark.parametrize("window", ["auto", 260])
def test_the_profile_of_far_give_ups_is_that_of_brute_force(kind, window):
    rounds = table(GAVE_UP)
    fit = fit_noise(rounds, "laplace", abandonment=kind, window=window)
    # The cut is that of 2 degrees of freedom where the window is fitted too.
    half = 1.9207 if window == 260 else -math.log(0.05)
    windows = [260] if window == 260 else fit.window_profile[0][::3]
    top, low, high = brute(rounds.differences(), kind, windows, half)
    assert fit.log_likelihood == pytest.approx(top, abs=0.05)
    assert fit.mae.low == pytest.approx(low, rel=0.03)
    assert fit.mae.high == pytest.approx(high, rel=0.05)
    assert ("cut for a fitted window" in fit.mae.interval.method) == (window == "auto")


def test_the_cut_of_a_calm_table_stays():
    """Where nobody gives up, the window is not there to be fitted."""
    rounds = table([])
    calm = fit_noise(rounds, "laplace", abandonment="none")
    rated = fit_noise(rounds, "laplace", abandonment="independent")
    assert rated.model.rate == 0
    assert rated.mae.low == pytest.approx(calm.mae.low, rel=1e-3)


@pytest.mark.parametrize("typo", [500, 2000, 15_000])
def test_the_cost_of_a_law_is_not_that_of_the_widest_difference(typo):
    rounds = table([typo])
    for core in ("student-t", "laplace"):
        problem = make_problem(rounds, FAMILIES[core], "independent", "auto", None, False, None)
        found = search(problem)
        assert found.problem.support.max() <= FAR
        assert found.windows.size <= 160
        assert abs(found.window - typo) < 30  # half of a pick's own window, and not less


def test_a_power_tail_cut_short_explains_what_give_ups_leave():
    """The law cut to what the bulk needs has the likelihood of the full one, where it is best."""
    rng = np.random.default_rng(2)
    z = np.round(2 * rng.standard_t(3, (300, 2)))
    z[0, 1] += 900
    problem = make_problem(
        Rounds.from_array(z), FAMILIES["student-t"], "independent", "auto", None, False, None
    )
    found = search(problem)
    wide = found.problem.support * 0 + 4000
    full = type(problem)(**{**vars_of(found.problem), "support": wide})
    logs = [
        float(p.cells.count @ cell_log_likelihoods(p, found.u, found.window))
        for p in (found.problem, full)
    ]
    assert found.problem.support.max() < 300
    assert logs[0] == pytest.approx(logs[1], abs=2e-3)


def vars_of(problem):
    names = ("rounds", "cells", "family", "abandonment", "raters", "windows", "by_length")
    return {n: getattr(problem, n) for n in (*names, "support", "physical")}


def test_sets_that_are_drawn_need_no_law_as_wide_as_the_data():
    rounds = table([2000])
    problem = make_problem(rounds, FAMILIES["student-t"], "none", "auto", None, False, None)
    fit = fit_problem(problem, interval=False)
    near = table([]).picks()
    cells = make_problem(near, FAMILIES["student-t"], "none", "auto", None, False, None).cells
    assert fit.problem.support.max() > 4000
    assert fit.problem.of_sets(cells, fit.solution).support.max() <= WIDE


def test_a_window_that_is_given_stays():
    """However near the picks of sets that are drawn without give-ups are."""
    fit = fit_noise(table([2000]), "laplace", window=1900, ci="none")
    near = make_problem(table([]).picks(), FAMILIES["laplace"], "none", "auto", None, False, None)
    assert list(fit.problem.of_sets(near.cells, fit.solution).windows) == [1900]


def test_a_typo_is_named():
    check = likely_typos(table([1960]))
    assert check is not None and check.passed is False
    assert "second of 'clip 0' is 2,0" in check.message and "beside" in check.message
    result = compare_noise(table([1960]), cores="laplace", n_tests=0)
    assert "likely_typos" in [c.name for c in result.checks]
    # Order of rows and of rounds moves nothing but the name of the round.
    rounds = table([1960])
    turned = Rounds.from_array(
        rounds.values[::-1, ::-1], items=rounds.items[::-1], names=rounds.names[::-1]
    )
    assert likely_typos(turned).message == check.message
    three = Rounds.from_array(np.column_stack([rounds.values, rounds.values[:, 0] + 1]))
    assert "round_2 of row 1" in likely_typos(three).message


@pytest.mark.parametrize("far", [[], [40], [150, 310, 42, 228, 370], [200] * 5])
def test_who_gives_up_is_no_typo(far):
    assert likely_typos(table(far)) is None


def test_few_items_and_items_with_one_pick():
    assert likely_typos(Rounds.from_array([[3, 4]])) is None
    gaps = Rounds.from_array([[3, 4], [7, np.nan], [5, 5], [9, 900.0]])
    assert "row 4" in likely_typos(gaps).message


@pytest.mark.parametrize("d", [0, 1, 5, 6, 7, 29, 30, 31, 36, 60])
def test_a_flat_law_is_summed_by_its_core_alone(d):
    middle, reach = 30, 3
    law = np.full((1, 2 * middle + 1), 0.01)
    law[0, middle - reach : middle + reach + 1] = [0.02, 0.05, 0.1, 0.3, 0.1, 0.05, 0.02]
    none, z = np.zeros(1), np.array([0, d])
    cells = kernels.Cells(z, z * 0, np.array([0, 2]), np.ones(1), none, none, np.empty(1), 0, 1)
    found = []
    for flat in (-1, reach):
        slopes = np.zeros(law.shape)
        value, _ = kernels.law_slopes(law, cells, 0.7, 0.0, np.int64(flat), slopes)
        core = slopes[0, middle - reach : middle + reach + 1]
        found.append([value, *(core + core[::-1]), slopes.sum()])
    assert found[0] == pytest.approx(found[1], rel=1e-12)
    plain = sum(law[0, i] * law[0, i + d] for i in range(law.size - d))
    assert found[1][0] == pytest.approx(np.log(0.7 * plain), rel=1e-12)
