"""Categories: labels, agreement, the best that any model can look, scores of models."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.stats.inter_rater as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.calibration.categories import SUITES
from analysis.calibration.designs import Design
from analysis.calibration.runner import run_suite
from annostat import AnnostatError, AnnostatWarning
from annostat.agreement import category_agreement
from annostat.agreement.category_raters import rater_tests
from annostat.ceilings import category_bounds, published_categories
from annostat.ceilings.category_forms import accuracy_ceiling, f1_ceiling, root_ceiling
from annostat.ceilings.mixing import GAINS, Cells, Mixture, against_majority
from annostat.consensus import merge_categories
from annostat.datasets import lidc_ratings, vader
from annostat.labels import Categories
from annostat.resampling.inverted import fieller_limits, likelihood_root
from annostat.tables import read_categories
from annostat.truth import excess_brier, score_categories

NA = None
# Four observers, twelve units (Krippendorff 2011), with gaps.
CANONICAL = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NA, NA, NA],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NA, NA],
        [NA, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 3],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NA],
    ],
    dtype=object,
).T
YES = ["-4", "-3", "-2"]


def simulated(n=200, k=3, seed=0, **about):
    rng = np.random.default_rng(seed)
    p = rng.beta(0.4, 0.4, n)
    codes = (rng.random((n, k)) < p[:, None]).astype(np.int16)
    return Categories(codes, ("no", "yes"), tuple(f"r{j}" for j in range(k)), **about), p


# Labels


def test_labels_from_arrays_tables_and_counts_are_one_thing():
    table = pd.DataFrame(
        {
            "clip": ["a", "b", "c", "d"],
            "anna": ["yes", "no", "no", None],
            "ben": ["yes", "yes", "", "no"],
            "net": ["yes", "yes", "no", "no"],
        }
    )
    wide = read_categories(table, models=["net"])
    assert wide.classes == ("no", "yes") and wide.models == ("net",)
    assert wide.codes.tolist() == [[1, 1, 1], [0, 1, 1], [0, -1, 0], [-1, 0, 0]]
    long = read_categories(
        table.melt("clip", var_name="reader", value_name="label"), models=["net"]
    )
    assert (long.codes == wide.codes).all() and long.names == wide.names
    array = Categories.from_array(table[["anna", "ben"]].to_numpy())
    assert (array.codes == wide.codes[:, :2]).all()
    counted = Categories.from_counts(array.counts, classes=array.classes)
    assert (counted.counts == array.counts).all() and counted.exchangeable
    frame = wide.to_frame()
    again = read_categories(frame, item="item", models=["net"])
    assert (again.codes == wide.codes).all()


def test_grades_are_ordered_by_size_or_as_told():
    table = pd.DataFrame({"id": [1, 2, 3], "a": [10.0, 9, 2], "b": [2, 9.0, 10]})
    assert read_categories(table, ordinal=True).classes == ("2", "9", "10")
    words = pd.DataFrame({"id": [1, 2], "a": ["low", "high"], "b": ["high", "high"]})
    labels = read_categories(words, rounds=["a", "b"], order=["low", "mid", "high"])
    assert labels.ordinal and labels.classes == ("low", "mid", "high")
    with pytest.raises(AnnostatError, match="order must name every class, and misses low"):
        read_categories(words, rounds=["a", "b"], order=["mid", "high"])
    with pytest.raises(AnnostatError, match="order names a class twice"):
        read_categories(words, rounds=["a", "b"], order=["low", "low", "high"])


def test_labels_that_differ_by_case_are_pointed_out_and_joined():
    table = pd.DataFrame({"id": [1, 2, 3], "a": ["Yes", "no", "no"], "b": ["yes ", "no", "Yes"]})
    with pytest.warns(AnnostatWarning, match=r"'Yes' and 'yes'.*tidy_names=True"):
        assert read_categories(table, rounds=["a", "b"]).n_classes == 3
    assert read_categories(table, rounds=["a", "b"], tidy_names=True).n_classes == 2


def test_positive_classes_make_two():
    labels = Categories.from_array([["1", "4"], ["5", "2"]], order=["1", "2", "4", "5"])
    two = labels.binary(["4", 5])
    assert two.classes == ("other", "4 or 5") and two.codes.tolist() == [[0, 1], [1, 0]]
    with pytest.raises(AnnostatError, match="positive must be one of"):
        labels.binary("6")
    with pytest.raises(AnnostatError, match="names every class"):
        labels.binary(["1", "2", "4", "5"])


# Agreement


def test_canonical_table_and_what_other_programs_print():
    labels = Categories.from_array(CANONICAL, order=[1, 2, 3, 4, 5])
    found = category_agreement(labels)
    by_key = {(c.key, c.weights): c.estimate.value for c in found.coefficients if not c.of_class}
    # Krippendorff (2011): nominal, ordinal, interval; irrCAC 0.4.4 prints the others.
    assert by_key["alpha", "nominal"] == pytest.approx(0.743, abs=5e-4)
    assert by_key["alpha", "ordinal"] == pytest.approx(0.815, abs=5e-4)
    assert by_key["alpha", "interval"] == pytest.approx(0.849, abs=5e-4)
    assert by_key["agreement", "nominal"] == pytest.approx(0.81818, abs=5e-6)
    assert by_key["fleiss", "nominal"] == pytest.approx(0.76117, abs=5e-6)
    assert by_key["conger", "nominal"] == pytest.approx(0.76282, abs=5e-6)
    assert by_key["ac1", "nominal"] == pytest.approx(0.77544, abs=5e-6)
    assert by_key["brennan_prediger", "nominal"] == pytest.approx(0.77273, abs=5e-6)
    assert by_key["fleiss", "quadratic"] == pytest.approx(0.86494, abs=5e-6)
    assert by_key["conger", "quadratic"] == pytest.approx(0.85771, abs=5e-6)
    assert by_key["conger", "linear"] == pytest.approx(0.81378, abs=5e-6)
    assert by_key["ac2", "quadratic"] == pytest.approx(0.914, abs=5e-6)
    assert by_key["brennan_prediger", "quadratic"] == pytest.approx(0.90152, abs=5e-6)


def test_alpha_is_that_of_the_package():
    package = pytest.importorskip("krippendorff")
    rng = np.random.default_rng(3)
    codes = rng.integers(-1, 4, (60, 5))
    codes[:20] = codes[:20, :1]
    codes[(codes >= 0).sum(axis=1) == 0, 0] = 1
    labels = Categories(codes, ("1", "2", "3", "4"), tuple("abcde"), ordinal=True)
    data = np.where(codes < 0, np.nan, codes + 1.0).T
    found = {c.weights: c for c in category_agreement(labels).coefficients if c.key == "alpha"}
    for level in ("nominal", "ordinal", "interval"):
        expected = package.alpha(data, level_of_measurement=level)
        assert found[level].estimate.value == pytest.approx(expected, abs=1e-12)


def test_fleiss_and_cohen_are_those_of_statsmodels():
    rng = np.random.default_rng(4)
    codes = np.where(
        rng.random((80, 4)) < 0.6, rng.integers(0, 3, (80, 1)), rng.integers(0, 3, (80, 4))
    )
    labels = Categories(codes, ("a", "b", "c"), tuple("wxyz"), ordinal=True)
    counts, _ = sm.aggregate_raters(codes, n_cat=3)
    assert category_agreement(labels).kappa is not None
    by_key = {(c.key, c.weights): c.estimate.value for c in category_agreement(labels).coefficients}
    assert by_key["fleiss", "nominal"] == pytest.approx(sm.fleiss_kappa(counts), abs=1e-12)
    two = labels.choose(["w", "x"])
    table = pd.crosstab(codes[:, 0], codes[:, 1]).to_numpy()
    by_key = {(c.key, c.weights): c.estimate.value for c in category_agreement(two).coefficients}
    for weights, theirs in (("nominal", None), ("linear", "linear"), ("quadratic", "quadratic")):
        expected = sm.cohens_kappa(table, wt=theirs).kappa
        assert by_key["cohen", weights] == pytest.approx(expected, abs=1e-12)


def test_coefficients_are_what_plain_loops_give():
    labels = Categories.from_array(CANONICAL, order=[1, 2, 3, 4, 5])
    codes = labels.codes
    per_item, pairs = [], []
    for row in codes:
        seen = [c for c in row if c >= 0]
        if len(seen) >= 2:
            same = [a == b for a, b in itertools.permutations(seen, 2)]
            per_item.append(np.mean(same))
            pairs += [(a, b, 1 / (len(seen) - 1)) for a, b in itertools.permutations(seen, 2)]
    found = category_agreement(labels)
    assert found["agreement"].value == pytest.approx(np.mean(per_item))
    for q, name in enumerate(labels.classes):
        weight = sum(w for a, _, w in pairs if a == q)
        both = sum(w for a, b, w in pairs if a == b == q)
        (on,) = [c for c in found.coefficients if c.of_class == name]
        assert on.estimate.value == pytest.approx(both / weight)


def test_edges_are_defined():
    same = Categories.from_array([["a", "a"]] * 30)
    found = category_agreement(same)
    assert found["agreement"].value == 1 and 0.8 < found["agreement"].low < 0.95
    assert (
        np.isnan(found["alpha"].value) if "alpha" in [c.key for c in found.coefficients] else True
    )
    perfect = Categories.from_array([["a", "a"], ["b", "b"]] * 20)
    kappa = category_agreement(perfect).kappa
    assert kappa.value == 1 and 0.5 < kappa.low < 1 and kappa.high == 1
    one_sided = Categories.from_array([["a", "b"], ["a", "a"]] * 20)  # anna says a, always
    assert category_agreement(one_sided).kappa.value == pytest.approx(0)
    rare = Categories.from_array([["no", "no"]] * 98 + [["yes", "yes"], ["yes", "no"]])
    checks = {c.name: c for c in category_agreement(rare).checks}
    assert (
        checks["rare_classes"].passed is False
        and "'yes': 2 items" in checks["rare_classes"].message
    )
    wide = category_agreement(rare).kappa
    assert wide.low <= 0 and wide.high == 1


def test_agreement_does_not_depend_on_order_or_names():
    labels, _ = simulated(120, 3, cluster=np.repeat(np.arange(40), 3).astype(str).astype(object))
    rng = np.random.default_rng(1)
    mixed = labels.take(rng.permutation(120))
    swapped = Categories(
        1 - labels.codes[:, ::-1], ("yes", "no"), labels.names[::-1], cluster=labels.cluster
    )
    first = category_agreement(labels)
    for other in (mixed, swapped):
        for a, b in zip(first.coefficients, category_agreement(other).coefficients, strict=True):
            if not a.of_class:
                assert a.key == b.key
                assert a.estimate.value == pytest.approx(b.estimate.value, abs=1e-12)
                assert a.estimate.low == pytest.approx(b.estimate.low, abs=1e-7)
    assert first.n_labels == 360 and first.to_frame().shape[0] == len(first.coefficients)


def test_fieller_is_a_scan_of_tests():
    rng = np.random.default_rng(5)
    for scale in (0.1, 1.0, 4.0):
        o, e = rng.gamma(1, 1, 25), 1 + scale * rng.normal(size=25)
        pseudo = ((0.0, float(e.mean())), (1.0, float(e.mean())))
        low, high = fieller_limits(o, e, level=0.95, pseudo=pseudo)
        w = np.r_[np.ones(25), 0.5, 0.5]
        inside = []
        for u in np.linspace(0, 2, 4001):
            v = np.r_[o, 0, 1] - u * np.r_[e, [p[1] for p in pseudo]]
            mean = w @ v / w.sum()
            sd = np.sqrt(w @ (v - mean) ** 2 * 25 / 24) / w.sum()
            inside.append(abs(mean) <= 2.0638985616 * sd)
        kept = np.linspace(0, 2, 4001)[inside]
        assert low == pytest.approx(kept.min(), abs=6e-4) and high == pytest.approx(
            kept.max(), abs=6e-4
        )


def test_likelihood_root_is_that_of_a_profile():
    rng = np.random.default_rng(6)
    v, w = rng.normal(0.3, 1, 40), np.r_[np.ones(39), 0.5]
    root = likelihood_root(v, w)
    mean = w @ v / w.sum()
    v2, w2 = np.r_[v, -0.5 * np.log(w.sum()) * mean], np.r_[w, 1.0]
    grid = np.linspace(0, (1 - 1e-9) / -v2.min(), 40_001)
    best = max(
        2 * float((np.log1p(part[:, None] * v2) @ w2).max()) for part in np.split(grid[:-1], 40)
    )
    assert root == pytest.approx(np.sqrt(best), rel=1e-6)
    assert likelihood_root(-np.abs(v), w) == 0.0


# Ceilings


def test_known_answers_of_vader_and_lidc():
    labels = vader()
    whole = category_bounds(labels, positive=YES)
    assert whole["accuracy"].best() == "0.8446"
    assert whole["accuracy"].two_raters.value == pytest.approx(0.784, abs=5e-4)
    assert whole["kappa"].two_raters.value == pytest.approx(0.487, abs=5e-4)
    assert whole["f1"].two_raters.value == pytest.approx(0.641, abs=5e-4)
    nodules = category_bounds(lidc_ratings("malignancy", readings=4), positive=["4", "5"])
    assert nodules["accuracy"].two_raters.value == pytest.approx(0.680, abs=5e-4)
    found = nodules["accuracy"]
    assert (found.low, found.high) == pytest.approx((0.732, 0.766), abs=1e-3)
    f1 = nodules["f1"]
    assert (f1.low, f1.high) == pytest.approx((0.649, 0.685), abs=1e-3)


MISLEADING = (Path(__file__).parent.parent / "docs" / "categories.md").read_text(encoding="utf-8")


def test_naive_ceilings_mislead():
    """The table of the docs: what is often printed as the ceiling, beside ours."""
    sets = (vader().binary(YES), lidc_ratings("malignancy", readings=4).binary(["4", "5"]))
    rows: dict[str, list[float]] = {}
    for labels in sets:
        used = labels.usable()
        codes, k = used.codes, used.n_raters
        ours = category_bounds(labels)["accuracy"]
        others = codes.sum(axis=1, keepdims=True) - codes
        vote = np.where(2 * others == k - 1, 0.5, (2 * others > k - 1) == codes)
        three = used.choose(used.names[:3]).counts
        sure = merge_categories(labels, method="dawid-skene", n_resamples=0).probability
        found = {
            "agreement of two raters": ours.two_raters.value,
            "majority of the other raters": vote.mean(),
            "majority of three": (three.max(axis=1) / 3).mean(),
            "majority of all": (used.counts.max(axis=1) / k).mean(),
            "mean certainty of Dawid": sure.max(axis=1).mean(),
        }
        for name, value in found.items():
            rows.setdefault(name, []).append(float(value))
        assert found["agreement of two raters"] < found["majority of the other raters"] < ours.low
        assert found["majority of three"] > ours.interval.high
        assert ours.high < found["majority of all"] < found["mean certainty of Dawid"]
    for name, values in rows.items():
        (row,) = [line for line in MISLEADING.splitlines() if line.startswith(f"| {name}")]
        told = [float(cell.strip(" %")) for cell in row.split("|")[2:4]]
        assert told == [round(100 * v, 1) for v in values], name


@st.composite
def laws(draw):
    n = draw(st.integers(1, 4))
    # On the grid of the programme, which is exact there.
    grid = Mixture(Cells.of(np.array([0, 1, 2]), np.full(3, 2))).coarse
    p = grid[draw(st.lists(st.integers(0, len(grid) - 1), min_size=n, max_size=n))]
    w = np.array(draw(st.lists(st.floats(0.05, 1), min_size=n, max_size=n)))
    return p, w / w.sum()


def best_scores(p, w):
    pi = w @ p
    order = np.argsort(-p)
    hit, q = np.cumsum((w * p)[order]), np.cumsum(w[order])
    return {
        "accuracy": w @ np.maximum(p, 1 - p),
        "f1": max(2 * hit / (pi + q)),
        "kappa": max(0.0, max(2 * (hit - pi * q) / (pi * (1 - q) + q * (1 - pi)))),
        "balanced_accuracy": max(0.5, max(0.5 * (hit / pi + 1 - (q - hit) / (1 - pi)))),
    }


@settings(max_examples=60, deadline=None)
@given(laws(), st.integers(2, 5))
def test_brackets_hold_for_any_law(law, k):
    p, w = law
    pi = w @ p
    if not 0.01 < pi < 0.99:
        return
    truth = best_scores(p, w)
    a, e2 = w @ (p**2 + (1 - p) ** 2), w @ p**2
    rho = (e2 - pi**2) / (pi * (1 - pi))
    assert a - 1e-9 <= truth["accuracy"] <= accuracy_ceiling(a) + 1e-9
    assert (
        e2 / pi - 1e-9
        <= truth["f1"]
        <= f1_ceiling(e2 / pi, pi) + 1e-9
        <= f1_ceiling(e2 / pi) + 2e-9
    )
    assert rho - 1e-9 <= truth["kappa"] <= root_ceiling(rho) + 1e-9
    cells = Cells.of(np.arange(k + 1), np.full(k + 1, k))
    mixture = Mixture(cells)
    mixture.__dict__["whole"] = cells.law(p) @ w
    for key, value in truth.items():
        low, high = mixture.bracket(GAINS[key])
        assert low - 1e-5 <= value <= high + 1e-5, (key, low, value, high)


def test_programme_of_two_labels_is_the_closed_form():
    for seed in range(5):
        labels, _ = simulated(500, 2, seed)
        x = labels.counts[:, 1]
        mixture = Mixture(Cells.of(x, np.full(500, 2)))
        a, pi = float(np.mean(x != 1)), float(x.mean() / 2)
        f, rho = float(np.mean(x == 2)) / pi, 1 - (1 - a) / (2 * pi * (1 - pi))
        assert mixture.bracket(GAINS["accuracy"]) == pytest.approx(
            (a, accuracy_ceiling(a)), abs=1e-3
        )
        assert mixture.bracket(GAINS["f1"]) == pytest.approx((f, f1_ceiling(f, pi)), abs=5e-4)
        assert mixture.bracket(GAINS["kappa"]) == pytest.approx((rho, rho**0.5), abs=5e-4)


def test_certificates_hold():
    """φ lies below g at every p, whatever the half that it was chosen on."""
    labels, _ = simulated(150, 4, 2)
    mixture = Mixture(Cells.of(labels.counts[:, 1], labels.readings))
    p = np.random.default_rng(0).random(5000)
    for key, theta in (("accuracy", 0.8), ("f1", 0.7), ("kappa", 0.6)):
        for side in (-1, 1):
            for phi in mixture._phi(GAINS[key], theta, side, 2.0):
                slack = -side * GAINS[key].at(theta, p, mixture.pi) - phi @ mixture.cells.law(p)
                assert slack.min() > -1e-4


def test_more_labels_narrow_the_bracket_and_order_changes_nothing():
    labels, p = simulated(600, 6, 3)
    truth = float(np.maximum(p, 1 - p).mean())
    widths = []
    for k in (2, 3, 6):
        found = category_bounds(labels.choose(labels.names[:k]))["accuracy"]
        widths.append(found.high - found.low)
        assert found.interval.low <= truth <= found.interval.high
    assert widths[0] > widths[1] > widths[2]
    first = category_bounds(labels)
    mixed = category_bounds(labels.take(np.random.default_rng(1).permutation(600)))
    for a, b in zip(first.ceilings, mixed.ceilings, strict=True):
        assert a.interval.low == pytest.approx(b.interval.low, abs=1e-9)
        assert a.low == pytest.approx(b.low, abs=1e-9)


def test_majority_of_annotators_is_easier():
    labels, p = simulated(500, 5, 4)
    one, three = (category_bounds(labels, majority_of=m)["accuracy"] for m in (1, 3))
    vote = 3 * p**2 - 2 * p**3
    assert three.interval.low <= np.maximum(vote, 1 - vote).mean() <= three.interval.high
    assert three.low > one.low
    with pytest.raises(AnnostatError, match="must be odd"):
        category_bounds(labels, majority_of=2)
    with pytest.raises(AnnostatError, match="not known"):
        against_majority(GAINS["kappa"], 3)


def test_raters_who_differ_are_found_and_take_the_programme_away():
    rng = np.random.default_rng(5)
    p = rng.beta(1, 6, 800)
    odds = np.array([0.2, 1, 5])
    each = p[:, None] * odds / (1 - p[:, None] + p[:, None] * odds)
    codes = (rng.random(each.shape) < each).astype(np.int16)
    labels = Categories(codes, ("no", "yes"), ("anna", "ben", "cleo"))
    tests = rater_tests(labels)
    assert tests.refuted and "Raters differ" in tests.checks[0].message
    found = category_bounds(labels)
    assert found["f1"].note == "raters differ: from pairs"
    mean = each.mean(axis=1)
    truth = best_scores(mean, np.full(800, 1 / 800))
    for key in ("accuracy", "f1", "kappa"):
        assert found[key].low <= truth[key] <= found[key].high
    anonymous = Categories(codes, ("no", "yes"), ("a", "b", "c"), exchangeable=True)
    assert not rater_tests(anonymous).refuted
    assert {c.name: c.passed for c in category_bounds(anonymous).checks}["anonymous"] is None


def test_published_numbers():
    found = published_categories(kappa=0.61, n=400)
    assert found["kappa"].best() == "0.610 to 0.781" and found["kappa"].limits() == "0.527 to 0.826"
    assert published_categories(agreement=0.72, n_classes=3)["accuracy"].high == pytest.approx(
        (1 + np.sqrt(2 * (3 * 0.72 - 1))) / 3
    )
    assert published_categories(f1=0.61)["f1"].high == pytest.approx(0.781, abs=5e-4)
    assert published_categories(kappa=0.5)["kappa"].interval is None
    with pytest.raises(AnnostatError, match="give a published"):
        published_categories()
    with pytest.raises(AnnostatError, match="kappa must be in"):
        published_categories(kappa=1.2)


def test_what_cannot_be_bounded_is_refused():
    with pytest.raises(AnnostatError, match="all labels are of one class"):
        category_bounds(Categories.from_array([["a", "a"]] * 5))
    with pytest.raises(AnnostatError, match="no item has two labels"):
        category_bounds(Categories.from_array([["a", None]] * 5))
    rare = Categories.from_array([["no", "no"]] * 98 + [["yes", "yes"], ["yes", "no"]])
    found = category_bounds(rare)["f1"]
    assert found.interval is None and "2 items have a label of yes" in found.note


# Scores


def test_verdicts_and_copies():
    labels, p = simulated(500, 3, 7)
    text = np.array(["no", "yes"], dtype=object)
    best = text[(p > 0.5).astype(int)]
    worse = np.where(
        np.random.default_rng(0).random(500) < 0.25, text[(p <= 0.5).astype(int)], best
    )
    vote = text[(labels.counts[:, 1] >= 2).astype(int)]
    rater = text[labels.codes[:, 0]]
    found = score_categories(labels, {"best": best, "worse": worse, "vote": vote, "r": rater})
    assert [m.verdict for m in found.models] == [
        "within the range",
        "below the ceiling",
        "beyond the ceiling",
        "beyond the ceiling",
    ]
    copies = [c.message for c in found.checks if c.name == "copy"]
    assert "vote of the labels" in copies[0] and "equals rater r0" in copies[1]
    z = labels.counts[:, 1] / 3
    yes = best == "yes"
    assert found["best"].scores["accuracy"].value == pytest.approx(np.where(yes, z, 1 - z).mean())
    assert found["best"].scores["f1"].value == pytest.approx(2 * (z * yes).sum() / (z + yes).sum())
    q, pi = yes.mean(), z.mean()
    kappa = 1 - (yes * (1 - z) + (1 - yes) * z).mean() / (pi * (1 - q) + q * (1 - pi))
    assert found["best"].scores["kappa"].value == pytest.approx(kappa)
    assert found.comparisons[0].p_adjusted < 0.001
    assert found["worse"].p_below < 0.01


def test_series_are_aligned_by_their_items():
    labels, p = simulated(60, 2, 3, items=np.array([f"i{j:02d}" for j in range(60)], dtype=object))
    text = np.array(["no", "yes"], dtype=object)
    said = pd.Series(text[(p > 0.5).astype(int)], index=labels.items)
    soft = pd.Series(p, index=labels.items)
    mixed = np.random.default_rng(0).permutation(60)
    first = score_categories(labels, {"m": said}, proba={"m": soft})
    again = score_categories(labels, {"m": said.iloc[mixed]}, proba={"m": soft.iloc[mixed]})
    assert first.to_dict() == again.to_dict()
    with pytest.raises(AnnostatError, match="neither the items' names nor 0, 1"):
        score_categories(labels, {"m": said.rename(lambda i: f"x{i}")})


def test_excess_brier_is_a_cross_product():
    labels, p = simulated(300, 3, 8)
    f = np.column_stack([1 - p**1.5, p**1.5])
    one_hot = np.eye(2)[labels.codes]
    expected = (
        np.mean(
            [
                (f - one_hot[:, a]) * (f - one_hot[:, b])
                for a, b in itertools.combinations(range(3), 2)
            ],
            axis=0,
        )
        .sum(axis=1)
        .mean()
    )
    found = excess_brier(labels, f)
    assert found.value == pytest.approx(expected, abs=1e-12)
    truth = 2 * ((p**1.5 - p) ** 2).mean()
    assert found.interval.low <= truth <= found.interval.high


def test_bad_models_are_refused():
    labels, _ = simulated(50, 2, 9)
    with pytest.raises(AnnostatError, match="no model"):
        score_categories(labels)
    with pytest.raises(AnnostatError, match="has 3 answers for 50 items"):
        score_categories(labels, {"m": ["yes"] * 3})
    with pytest.raises(AnnostatError, match="gives no class of the labels: it has maybe"):
        score_categories(labels, {"m": ["maybe"] * 50})
    with pytest.raises(AnnostatError, match=r"must sum to 1; those of item 1 sum to 1\.1"):
        score_categories(labels, proba={"m": np.full((50, 2), 0.55)})
    with pytest.raises(AnnostatError, match=r"expected \(50, 2\)"):
        score_categories(labels, proba={"m": np.full((50, 3), 1 / 3)})
    # A class that only the model uses is wrong wherever it stands.
    found = score_categories(labels, {"m": ["yes"] * 25 + ["maybe"] * 25})
    assert 0 < found["m"].scores["accuracy"].value < 0.6


SLICE = {
    "coefficients": (Design(100, "beta(.3,.3)", 3), 40),
    "ceilings": (Design(100, "beta(.3,.3)", 3), 12),
    "raters": (Design(400, "beta(.3,.3), other thresholds", 3), 10),
    "verdicts": (Design(400, "beta(.3,.3)", 3), 10),
    "classes": (Design(200, "3 classes, even", 3), 5),
    "dawid-skene": (Design(400, "equally hard, anonymous", 5), 20),
    "brier": (Design(100, "beta(.3,.3)", 2), 60),
}


@pytest.mark.parametrize("suite", list(SUITES))
def test_a_slice_of_each_suite_holds(suite):
    design, repetitions = SLICE[suite]
    rows = run_suite(SUITES, suite, design, repetitions, seed=5)
    for row in rows:
        worst = 0.92 - 3.5 * (0.92 * 0.08 / row["repetitions"]) ** 0.5
        if str(row["what"]).startswith(("interval", "ceiling")):
            assert row["rate"] >= worst, row
        if str(row["what"]).startswith("test"):
            assert row["rate"] <= 0.3, row


def test_a_table_read_in_batches_is_the_table(tmp_path, monkeypatch):
    from annostat.tables import category_streaming, reading

    labels, _ = simulated(300, 3, 21)
    text = np.array(["no", "yes", ""], dtype=object)
    frame = pd.DataFrame(text[labels.codes], columns=["anna", "ben", "cleo"])
    frame.loc[::7, "ben"] = None
    frame.insert(0, "clip", [f"c{i:03d}" for i in range(300)])
    frame["patient"] = [f"p{i // 3:03d}" for i in range(300)]
    frame.to_csv(tmp_path / "t.csv", index=False)
    options = {"item": "clip", "rounds": ["anna", "ben", "cleo"], "cluster": "patient"}
    whole = read_categories(tmp_path / "t.csv", **options)
    monkeypatch.setattr(reading, "STREAM_BYTES", 0)
    monkeypatch.setattr(category_streaming, "BATCH_ROWS", 64)
    streamed = read_categories(tmp_path / "t.csv", **options)
    assert streamed.items is None and streamed.classes == whole.classes
    assert (streamed.codes == whole.codes).all() and (streamed.cluster == whole.cluster).all()
    assert "Streamed" in str(streamed.read)
    a, b = category_bounds(whole), category_bounds(streamed)
    assert [c.to_dict() for c in a.ceilings] == [c.to_dict() for c in b.ceilings]
    with pytest.raises(AnnostatError, match="order must name every class"):
        read_categories(tmp_path / "t.csv", **{**options, "order": ["no"]})
    frame.loc[299, "clip"] = "c000"
    frame.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(AnnostatError, match="1 item stands in more than one row"):
        read_categories(tmp_path / "t.csv", **options)


def test_programmes_that_fail_numerically_are_solved_another_way(monkeypatch):
    import highspy

    from annostat.ceilings.programme import Programme

    labels, _ = simulated(120, 3, 30)
    expected = category_bounds(labels)["f1"]
    real, ways = highspy.Highs.getModelStatus, []

    def failing(self):
        """No solution but by inner points."""
        way = self.getOptionValue("solver")[1]
        ways.append(way)
        return real(self) if way == "ipm" else highspy.HighsModelStatus.kUnknown

    monkeypatch.setattr(highspy.Highs, "getModelStatus", failing)
    found = category_bounds(labels)["f1"]
    assert ways[:3] == ["simplex", "simplex", "ipm"]
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-6)
    assert found.interval.low == pytest.approx(expected.interval.low, abs=2e-3)
    monkeypatch.setattr(Programme, "solve", lambda *args: None)
    nothing = category_bounds(labels)["f1"]  # says nothing, and is not wrong
    assert (nothing.low, nothing.high) == (0.0, 1.0)
    assert (nothing.interval.low, nothing.interval.high) == (0.0, 1.0)


def test_programmes_are_scipys_and_do_not_depend_on_what_was_solved_before(capfd):
    from scipy.optimize import linprog

    from annostat.ceilings.programme import Programme

    rng = np.random.default_rng(5)
    matrix, n = rng.random((4, 30)), 34
    matrix = np.hstack([matrix, np.eye(4)])
    equals, low, high = matrix @ rng.random(n), np.zeros(n), np.full(n, 5.0)
    programme = Programme(matrix, equals, low, high)
    costs = rng.normal(size=(5, n))
    found = [programme.solve(c) for c in costs]
    for c, one in zip(costs, found, strict=True):
        oracle = linprog(c, A_eq=matrix, b_eq=equals, bounds=(0, 5), method="highs")
        assert c @ one.x == pytest.approx(oracle.fun, abs=1e-9)
        assert one.multipliers == pytest.approx(oracle.eqlin.marginals, abs=1e-7)
    programme.forget()
    assert (programme.solve(costs[0]).x == found[0].x).all()
    programme.add(matrix[:, 0])  # a cheaper copy of the first unknown
    cheaper = programme.solve(np.r_[costs[0], costs[0][0] - 1])
    assert np.r_[costs[0], costs[0][0] - 1] @ cheaper.x <= costs[0] @ found[0].x + 1e-12
    assert capfd.readouterr().out == ""  # HiGHS prints its name where it is not silenced first
