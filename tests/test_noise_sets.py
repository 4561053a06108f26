"""Sets drawn from a law as counts, against sets drawn item by item; laws of many periods."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from annostat import NoiseModel, Rounds, compare_noise, fit_noise, simulate_rounds
from annostat.noise import goodness
from annostat.noise.goodness import SimulatedSets, pair_counts
from annostat.noise.model import mirror

LAW = NoiseModel("laplace", {"scale": 2.0}, "independent", 0.05, window=20)


def drawn_one_by_one(rounds, model, n_sets, rng):
    """The plain way: an error for each pick, then the differences of each pair."""
    counts = np.zeros((n_sets, 9000))
    for b in range(n_sets):
        errors = model.sample_errors(rounds.values.shape, rng=rng).astype(float)
        errors[np.isnan(rounds.values)] = np.nan
        for i, j in itertools.combinations(range(rounds.n_rounds), 2):
            d = np.abs(errors[:, i] - errors[:, j])
            counts[b] += np.bincount(d[~np.isnan(d)].astype(int), minlength=9000)
    return counts


def drawn_as_counts(fit, model, n_sets, rng):
    sets = SimulatedSets(fit.problem, model, n_sets, rng)
    counts = np.zeros((n_sets, 9000))
    for b in range(n_sets):
        seen = pair_counts(sets.problem.cells.with_counts(sets.counts(b)))
        counts[b, : seen.size] = seen
    return counts


def pooled(a, b, least=20):
    """Columns of two tables, neighbours pooled until `least` were seen in all."""
    bins, number, held = np.zeros(a.shape[1], dtype=int), 0, 0
    for d in range(a.shape[1]):
        bins[d] = number
        held += a[:, d].sum() + b[:, d].sum()
        if held >= least:
            number, held = number + 1, 0
    one_hot = bins[:, None] == np.arange(number)
    return a @ one_hot, b @ one_hot


@pytest.mark.parametrize(
    "model",
    [
        LAW,
        NoiseModel("laplace", {"scale": 2.0}),
        NoiseModel("laplace", {"scale": 1.0}, "shared", 0.2, window=20),
        NoiseModel("gaussian", {"sd": 3.0}, "independent", 0.3, length=40),
        NoiseModel("student-t", {"scale": 2.0, "df": 2.5}),
    ],
    ids=lambda m: f"{m.family.name}-{m.abandonment}-{m.length}",
)
@pytest.mark.parametrize("missing", [False, True])
def test_counts_have_the_law_of_sets_drawn_item_by_item(model, missing):
    """Means by a chi-square of both tables, spread over sets by the variance of each bin."""
    n, n_sets = 1600, 200
    rounds = simulate_rounds(LAW, n, n_rounds=3 if missing else 2, rng=1)
    values = rounds.values.copy()
    if missing:  # pairs by the hundred, and items of three picks beside them
        values[: 3 * n // 4, 2] = np.nan
    rounds = Rounds.from_array(
        values, length=None if model.length is None else np.full(n, model.length)
    )
    window = "length" if model.length else model.window or "auto"
    fit = fit_noise(
        rounds if model.length is None else Rounds.from_array(values % 40, length=rounds.length),
        core="laplace",
        abandonment=model.abandonment,
        window=window,
        ci="none",
    )
    ours = drawn_as_counts(fit, model, n_sets, 5)
    plain = drawn_one_by_one(rounds, model, n_sets, np.random.default_rng(6))
    assert (ours.sum(axis=1) == plain.sum(axis=1)).all()
    a, b = pooled(ours, plain)
    assert stats.chi2_contingency([a.sum(axis=0), b.sum(axis=0)]).pvalue > 0.002
    busy = a.mean(axis=0) > 5
    ratio = a[:, busy].var(axis=0) / b[:, busy].var(axis=0)
    assert abs(np.log(ratio)).max() < 4.5 * np.sqrt(4 / n_sets)


def test_items_drawn_in_parts_have_the_same_law(monkeypatch):
    fit = fit_noise(simulate_rounds(LAW, 300, n_rounds=3, rng=1), ci="none")
    whole = drawn_as_counts(fit, LAW, 60, 1)
    monkeypatch.setattr(goodness, "AT_ONCE", 128)
    parts = drawn_as_counts(fit, LAW, 60, 2)
    assert (whole.sum(axis=1) == 900).all() and (parts.sum(axis=1) == 900).all()
    a, b = pooled(whole, parts)
    assert stats.chi2_contingency([a.sum(axis=0), b.sum(axis=0)]).pvalue > 0.002


def test_no_number_of_pairs_is_too_large():
    """A million pairs are as many counts as a thousand."""
    fit = fit_noise(simulate_rounds(LAW, 1_000_000, rng=1), window=20, ci="none")
    sets = SimulatedSets(fit.problem, fit.model, 199, 0)
    assert sets.counts(198).sum() == 1_000_000
    assert sets.problem.cells.count.size < 300


def test_p_values_are_those_of_sets_drawn_item_by_item():
    """The p-value of a wrong core is small and that of the right one is uniform."""
    right = [
        compare_noise(
            simulate_rounds(NoiseModel("laplace", {"scale": 2.0}), 200, rng=seed),
            cores="laplace",
            abandonment="none",
            n_tests=39,
            ci="none",
        )
        for seed in range(60)
    ]
    values = [c.p_value for r in right for c in r.checks if c.name == "goodness_of_fit"]
    assert stats.kstest(values, "uniform").pvalue > 0.01
    wrong = compare_noise(
        simulate_rounds(NoiseModel("laplace", {"scale": 2.0}), 2000, rng=1),
        cores="gaussian",
        abandonment="none",
        n_tests=39,
        ci="none",
    )
    [check] = [c for c in wrong.checks if c.name == "goodness_of_fit"]
    assert check.p_value == 1 / 40


def test_correction_of_two_give_ups_of_one_clip():
    """The closed form is that of the convolution of the laws."""
    length = np.array([5, 9, 30, 400])
    picks = np.array([[0, 4], [2, 5], [0, 29], [3, 250]])
    fit = fit_noise(Rounds.from_array(picks, length=length), window="length", ci="none")
    cells, extra = fit.problem.cells, fit.problem.extra
    for c in range(4):
        size, d = int(cells.length[cells.group[c]]), int(cells.span[c])
        half = (size - np.arange(size)) / size**2
        both = np.convolve(mirror(half), mirror(half))[2 * (size - 1) :]
        assert extra[c] == pytest.approx(half[d] - both[d], abs=1e-15)


def test_many_periods_are_fitted_as_few_are():
    """Supports of many periods are found in steps of scale, which changes no estimate."""
    rounds = simulate_rounds(LAW, 300, rng=3)
    few = Rounds.from_array(rounds.values, period=np.repeat([0.02, 0.03, 0.04], 100))
    jitter = 1 + 1e-9 * np.arange(300)
    many = Rounds.from_array(rounds.values, period=few.period * jitter)
    a, b = (fit_noise(r, window=20) for r in (few, many))
    assert b.problem.cells.period.size == 300
    assert b.mae.value == pytest.approx(a.mae.value, rel=1e-6)
    assert (b.mae.low, b.mae.high) == pytest.approx((a.mae.low, a.mae.high), rel=1e-5)
