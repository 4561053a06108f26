"""How clear items are; whether probabilities are those of annotators; pictures of both."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annostat import AnnostatError
from annostat.ceilings import category_bounds, category_law
from annostat.ceilings.law_of_p import _between, _up_to
from annostat.ceilings.mixing import Cells, Mixture
from annostat.labels import Categories
from annostat.plotting import plot_reliability
from annostat.truth import calibrated, score_categories


def simulated(n=400, k=3, seed=0, **about):
    rng = np.random.default_rng(seed)
    p = rng.beta(0.4, 0.4, n)
    codes = (rng.random((n, k)) < p[:, None]).astype(np.int16)
    return Categories(codes, ("no", "yes"), tuple(f"r{j}" for j in range(k)), **about), p


# The law of p


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 300), min_size=1, max_size=4, unique=True),
    st.lists(st.floats(0.05, 1), min_size=4, max_size=4),
    st.integers(2, 6),
    st.sampled_from([0.1, 0.35, 0.5, 0.9]),
)
def test_shares_lie_in_the_bracket_whatever_the_law(places, weights, k, t):
    grid = Mixture(Cells.of(np.array([0, 1, 2]), np.full(3, 2))).coarse
    p = grid[np.array(places) % len(grid)]
    w = np.array(weights[: len(p)])
    w /= w.sum()
    cells = Cells.of(np.arange(k + 1), np.full(k + 1, k))
    mixture = Mixture(cells)
    mixture.__dict__["whole"] = cells.law(p) @ w
    for gain, inside in ((_up_to(t), p <= t + 1e-6), (_between(0.1, 0.9), (p > 0.1) & (p < 0.9))):
        if ((np.abs(p - t) < 2e-6) | (np.abs(p - 0.1) < 2e-6) | (np.abs(p - 0.9) < 2e-6)).any():
            return  # on a step
        low, high = mixture.bracket(gain)
        assert low - 1e-5 <= w @ inside <= high + 1e-5


def test_limits_hold_and_labels_narrow_them():
    labels, p = simulated(800, 6, 1)
    few = category_law(labels.choose(labels.names[:2]), thresholds=[0.3, 0.7])
    many = category_law(labels, thresholds=[0.3, 0.7])
    for t, a, b in zip((0.3, 0.7), few.below, many.below, strict=True):
        truth = float((p <= t).mean())
        assert a.limit_low <= truth <= a.limit_high and b.limit_low <= truth <= b.limit_high
        assert b.high - b.low < a.high - a.low
        assert b.limit_low <= b.low <= b.high <= b.limit_high
    d = many.disputed
    assert d.limit_low <= ((p > 0.1) & (p < 0.9)).mean() <= d.limit_high
    assert "of the items are disputed" in many.answer() and "Disputed items" in many.quote()
    assert many.to_frame().shape == (2, 5) and many.to_dict()["below"][0]["threshold"] == 0.3
    assert many.plot().axes[0].get_xlabel().endswith("says yes")


def test_law_is_of_two_classes():
    three = Categories.from_array([["a", "b"], ["c", "c"], ["a", "a"]])
    with pytest.raises(AnnostatError, match="there are 3: name the positive"):
        category_law(three)
    assert category_law(three, positive="a", thresholds=[0.5]).positive == "a"
    with pytest.raises(AnnostatError, match="one class"):
        category_law(one_class())
    with pytest.raises(AnnostatError, match="margin must be"):
        category_law(three, positive="a", margin=0.6)


def one_class():
    return Categories(np.zeros((5, 2), dtype=np.int16), ("a", "b"), ("x", "y"))


# Calibration


def test_parts_of_the_distance_are_what_loops_give():
    labels, p = simulated(120, 3, 2)
    f = p**2 / (p**2 + (1 - p) ** 2)
    found = calibrated(labels, np.column_stack([1 - f, f]), n_bins=4)
    z = labels.codes.astype(float)
    pairs = list(itertools.combinations(range(3), 2))
    excess = np.mean([(f - z[:, a]) * (f - z[:, b]) for a, b in pairs])
    assert found.excess.value == pytest.approx(excess)
    order = np.argsort(f, kind="stable")
    d = f - z.mean(axis=1)
    mends = 0.0
    for part in np.array_split(order, 4):
        products = [d[i] * d[j] for i in part for j in part if i != j]
        mends += len(part) / 120 * np.mean(products)
    assert found.miscalibration.value == pytest.approx(mends)
    sizes = [b.n for b in found.bins]
    assert sizes == [30, 30, 30, 30]
    for part, b in zip(np.array_split(order, 4), found.bins, strict=True):
        assert b.forecast == pytest.approx(f[part].mean())
        assert b.share.value == pytest.approx(z[part].mean())


def test_calibrated_models_are_and_sharp_ones_are_not():
    labels, p = simulated(1500, 3, 3)
    sharp = p**3 / (p**3 + (1 - p) ** 3)
    soft = {"true": p, "sharp": sharp, "blunt": np.full(1500, labels.codes.mean())}
    found = score_categories(labels, proba=soft)
    right, over, none = (found[name].calibration[0] for name in ("true", "sharp", "blunt"))
    assert right.p_value > 0.05 and over.p_value < 0.001
    assert 2 * (sharp - p).var() > 0
    assert over.miscalibration.interval.low <= np.mean((sharp - p) ** 2)
    # One probability for all is calibrated, and tells nothing apart: its bin is as wide as p.
    assert len(none.bins) == 1 and none.bins[0].spread == pytest.approx(p.std(), abs=0.02)
    assert none.miscalibration.value < 1e-3 < none.excess.low
    flat = " ".join(str(found).split())
    assert "Calibration against the annotators" in flat
    assert "Reliability of sharp, yes" in found.to_text(everything=True)
    assert found.to_dict()["models"][1]["calibration"][0]["class"] == "yes"
    ax = plot_reliability(found)
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["true", "sharp", "blunt"]
    assert len(over.to_frame()) == 10 and "recalibrating mends" in str(over)


def test_each_of_more_classes_has_its_diagram():
    rng = np.random.default_rng(4)
    p = rng.dirichlet([0.5] * 3, 300)
    codes = np.array([rng.choice(3, 2, p=row) for row in p]).astype(np.int16)
    found = score_categories(Categories(codes, ("a", "b", "c"), ("x", "y")), proba={"m": p})
    assert [c.of_class for c in found["m"].calibration] == ["a", "b", "c"]
    total = sum(c.excess.value for c in found["m"].calibration)
    assert total == pytest.approx(found["m"].excess_brier.value)


def test_pictures_of_scores_and_bounds():
    labels, p = simulated(150, 2, 5)
    said = np.array(["no", "yes"])[(p > 0.5).astype(int)]
    found = score_categories(labels, {"net": said})
    ax = found.plot().axes[0]
    assert "net: " in ax.get_legend().get_texts()[-1].get_text()
    with pytest.raises(AnnostatError, match="no model gives probabilities"):
        plot_reliability(found)
    bounds = category_bounds(labels)
    assert bounds.confusion is not None and "Confusion of annotators" in bounds.to_text(
        everything=True
    )
