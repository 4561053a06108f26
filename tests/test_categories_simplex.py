"""Three and four classes: brackets of accuracy and quadratic κ over the simplex."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annostat.ceilings import category_bounds
from annostat.ceilings.category_forms import accuracy_ceiling
from annostat.ceilings.simplex import STEPS, Simplex, all_cells, fits_simplex, simplex_grid
from annostat.labels import Categories

CLASSES = ("1", "2", "3", "4")


def simulated(n, k, n_classes, seed=0, alpha=0.4):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([alpha] * n_classes, n)
    counts = np.stack([rng.multinomial(k, row) for row in p])
    return Categories.from_counts(counts, classes=CLASSES[:n_classes], ordinal=True), p


def population(p, w, k):
    """A programme whose counts are those of a law of p, exactly."""
    n_classes = p.shape[1]
    cells = np.rint(simplex_grid(n_classes, k) * k).astype(int)
    labels = Categories.from_counts(cells, classes=CLASSES[:n_classes], ordinal=True)
    simplex = Simplex(labels)
    simplex.__dict__["whole"] = simplex.law_of(p) @ w
    return simplex


def best_scores(p, w):
    """Best accuracy, and quadratic κ by brute force over answers: each item's grade."""
    grades = np.arange(p.shape[1])
    m = p @ grades
    mu = w @ m
    total = w @ (p @ (grades - mu) ** 2)

    def excess(theta):
        each = [2 * (f - mu) * (m - mu) - theta * (f - mu) ** 2 for f in grades]
        return w @ np.max(each, axis=0) - theta * total

    low, high = 0.0, 1.0
    if total == 0:
        return w @ p.max(axis=1), None
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return w @ p.max(axis=1), low


@st.composite
def laws(draw):
    n_classes = draw(st.sampled_from([3, 4]))
    grid = simplex_grid(n_classes, STEPS[n_classes][0])
    n = draw(st.integers(1, 4))
    places = draw(st.lists(st.integers(0, len(grid) - 1), min_size=n, max_size=n))
    w = np.array(draw(st.lists(st.floats(0.05, 1), min_size=n, max_size=n)))
    return grid[places], w / w.sum()


@settings(max_examples=30, deadline=None)
@given(laws(), st.integers(2, 4))
def test_brackets_hold_for_any_law_on_the_simplex(law, k):
    p, w = law
    accuracy, kappa = best_scores(p, w)
    simplex = population(p, w, k)
    low, high = simplex.bracket("accuracy")
    assert low - 1e-5 <= accuracy <= high + 1e-5
    a = w @ (p**2).sum(axis=1)
    # What two labels' agreement alone says is wider.
    assert a - 1e-5 <= low and high <= accuracy_ceiling(a, p.shape[1]) + 1e-5
    if kappa is not None:
        low, high = simplex.bracket("quadratic_kappa")
        assert low - 1e-4 <= kappa <= high + 1e-4


def test_best_quadratic_kappa_is_that_of_all_answers():
    """The Lagrangian against every way to answer three kinds of items."""
    rng = np.random.default_rng(3)
    for _ in range(5):
        p, w = rng.dirichlet([0.5] * 3, 3), rng.dirichlet([1] * 3)
        grades = np.arange(3)
        shares = w @ p
        best = -1.0
        for answer in np.ndindex(3, 3, 3):
            f = np.array(answer)
            observed = w @ sum(p[:, c] * (f - c) ** 2 for c in grades)
            q = np.array([w[f == c].sum() for c in grades])
            chance = sum(q[a] * shares[b] * (a - b) ** 2 for a in grades for b in grades)
            best = max(best, 1 - observed / chance if chance else -1)
        found = population(p, w, 2).best("quadratic_kappa", w, p, float(w @ p @ grades) / 2)
        assert found == pytest.approx(best, abs=1e-6)
        assert best_scores(p, w)[1] == pytest.approx(best, abs=1e-6)


def test_certificates_hold_between_the_points_of_the_grid():
    labels, _ = simulated(200, 3, 3, 1)
    simplex = Simplex(labels)
    p = np.random.default_rng(0).dirichlet([0.7] * 3, 5000)
    for metric, theta in (("accuracy", 0.75), ("quadratic_kappa", 0.6)):
        for side in (-1, 1):
            g = -side * simplex.gain(metric, theta, simplex.coarse)
            fine = -side * simplex.gain(metric, theta, simplex.fine)
            for phi in simplex._certificates(2.0).best(g, fine):
                slack = -side * simplex.gain(metric, theta, p) - phi @ simplex.law_of(p)
                assert slack.min() > -2e-3


def test_cells_are_all_counts():
    labels = Categories.from_counts([[2, 1, 0], [0, 0, 3], [1, 1, 0]], classes=["a", "b", "c"])
    cells, place = all_cells(labels)
    assert len(cells) == 6 + 10
    assert (cells[place] == labels.counts).all()
    simplex = Simplex(labels)
    assert simplex.law_of(np.array([[0.2, 0.3, 0.5]])).sum() == pytest.approx(1)


def test_more_labels_narrow_and_the_truth_is_inside():
    widths = []
    for k in (2, 3, 5):
        labels, p = simulated(600, k, 3, 2)
        assert fits_simplex(labels)
        found = category_bounds(labels)
        for metric in ("accuracy", "quadratic_kappa"):
            c = found[metric]
            truth = best_scores(p, np.full(600, 1 / 600))[metric != "accuracy"]
            assert c.interval.low <= truth <= c.interval.high
            assert c.interval.low <= c.low <= c.high <= c.interval.high
        widths.append(found["accuracy"].high - found["accuracy"].low)
    assert widths[0] > widths[1] > widths[2]
    four, p = simulated(400, 3, 4, 4)
    found = category_bounds(four)["accuracy"]
    assert found.interval.low <= p.max(axis=1).mean() <= found.interval.high
    few, _ = simulated(30, 5, 4, 5)
    assert not fits_simplex(few) and category_bounds(few)["accuracy"].high <= 1


def test_rows_and_the_order_of_unordered_classes_change_nothing():
    labels, _ = simulated(300, 3, 3, 6)
    mixed = labels.take(np.random.default_rng(1).permutation(300))
    first, again = category_bounds(labels)["accuracy"], category_bounds(mixed)["accuracy"]
    assert (first.low, first.high) == pytest.approx((again.low, again.high), abs=1e-9)
    assert first.interval.low == pytest.approx(again.interval.low, abs=1e-9)
    turned = Categories.from_counts(labels.counts[:, ::-1], classes=CLASSES[:3], ordinal=True)
    for metric in ("accuracy", "quadratic_kappa"):
        one, two = Simplex(labels).bracket(metric), Simplex(turned).bracket(metric)
        assert one == pytest.approx(two, abs=1e-4)
