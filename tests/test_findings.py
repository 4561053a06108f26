"""Findings: matching, ceilings of F1 and sensitivity, checks, tables as users make them."""

import json
from itertools import permutations, product
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq, linprog

from analysis.calibration.findings import SUITES, best_f1, simulated
from analysis.calibration.runner import run_suite
from annostat import AnnostatError
from annostat.ceilings import finding_bounds
from annostat.ceilings.finding_checks import refuse_votes
from annostat.ceilings.findings import f1_of_two
from annostat.ceilings.mixing import binomial
from annostat.ceilings.seen_mixing import FINE, Seen, SeenMixture, f1_gain, froc_gain
from annostat.datasets import lidc_findings
from annostat.labels import Findings, match_findings
from annostat.labels.matching import Rule
from annostat.report import make_report
from annostat.tables import read_findings
from annostat.truth import score_findings

DOCS = Path(__file__).parent.parent / "docs"


def table(rows, columns=("image", "reader", "x", "y")):
    return pd.DataFrame(rows, columns=list(columns))


def best_matching(a, b, limit):
    """Most matches of two lists of points, the nearest of those: all assignments tried."""
    if len(a) > len(b):
        a, b = b, a
    best = (0, 0.0)
    for chosen in permutations(range(len(b)), len(a)):
        for use in product([0, 1], repeat=len(a)):
            pairs = [(i, j) for (i, j), u in zip(enumerate(chosen), use, strict=True) if u]
            d = [float(np.linalg.norm(a[i] - b[j])) for i, j in pairs]
            if all(x <= limit for x in d):
                best = max(best, (len(d), -sum(d)))
    return best


@given(st.integers(0, 10_000), st.integers(0, 4), st.integers(0, 4), st.booleans())
def test_two_readers_are_matched_as_by_trying_all(seed, n, m, lattice):
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(0, 4, (n, 2)), rng.uniform(0, 4, (m, 2))
    if lattice:
        a, b = a.round(), b.round()
    if not n + m:
        return
    rows = [("i", "a", *p) for p in a] + [("i", "b", *p) for p in b]
    rows += [("i", r, np.nan, np.nan) for r in "ab"]
    f = read_findings(table(rows))
    found = match_findings(f, "distance 1.5")
    both = found.marked.all(axis=1)
    total = -sum(
        float(np.linalg.norm(np.diff(f.geometry[found.finding == i], axis=0)))
        for i in np.flatnonzero(both)
    )
    assert (int(both.sum()), pytest.approx(total)) == best_matching(a, b, 1.5)


def linked(g, reader, limit):
    """Average linkage in loops: the nearest two groups first, no reader twice."""
    groups = [[i] for i in range(len(g))]
    while True:
        best = None
        for i in range(len(groups)):
            for j in range(i + 1, len(groups)):
                if {reader[x] for x in groups[i]} & {reader[x] for x in groups[j]}:
                    continue
                d = np.mean([np.linalg.norm(g[x] - g[y]) for x in groups[i] for y in groups[j]])
                if d <= limit and (best is None or d < best[0]):
                    best = (d, i, j)
        if best is None:
            return {frozenset(x) for x in groups}
        _, i, j = best
        groups[i] += groups.pop(j)


def partition(found):
    return {frozenset(np.flatnonzero(found.finding == i).tolist()) for i in set(found.finding)}


@given(st.integers(0, 10_000), st.integers(3, 5), st.integers(2, 12))
def test_groups_are_those_of_loops(seed, k, m):
    rng = np.random.default_rng(seed)
    rows = [("i", f"r{rng.integers(k)}", *rng.uniform(0, 5, 2)) for _ in range(m)]
    rows += [("i", f"r{j}", np.nan, np.nan) for j in range(k)]
    f = read_findings(table(rows))
    assert partition(match_findings(f, "distance 1.5")) == linked(f.geometry, f.reader, 1.5)


@given(st.integers(0, 10_000), st.integers(2, 4), st.sampled_from(["box", "interval", "point"]))
def test_matching_knows_no_order(seed, k, kind):
    """Neither of rows nor of readers, with ties everywhere; no reader is twice in a finding."""
    rng = np.random.default_rng(seed)
    columns = {
        "box": ("x1", "y1", "x2", "y2"),
        "interval": ("start", "end"),
        "point": ("x", "y"),
    }[kind]
    half = len(columns) // 2 if kind != "point" else 2
    rows = []
    for _ in range(12):
        low = rng.integers(0, 5, half)
        mark = low if kind == "point" else np.r_[low, low + rng.integers(1, 4, half)]
        rows.append((f"i{rng.integers(2)}", f"r{rng.integers(k)}", *map(float, mark)))
    rows += [("i0", f"r{j}", *[np.nan] * len(columns)) for j in range(k)]
    frame = table(rows, ("image", "reader", *columns))
    rule = "distance 1.5" if kind == "point" else "iou 0.3"
    names = [f"r{j}" for j in range(k)]
    swap = dict(zip(names, [f"s{j}" for j in rng.permutation(k)], strict=True))
    other = frame.assign(reader=frame["reader"].replace(swap)).sample(frac=1, random_state=seed)
    seen = []
    for f in (read_findings(frame), read_findings(other)):
        found = match_findings(f, rule)
        pairs = np.column_stack([found.finding, f.reader])
        assert len(np.unique(pairs, axis=0)) == len(pairs)
        groups = []
        for i in range(len(found.image)):
            inside = found.finding == i
            groups.append((int(found.image[i]), sorted(map(tuple, f.geometry[inside].tolist()))))
        seen.append((sorted(groups), sorted(found.counts.tolist()), found.doubles))
    assert seen[0] == seen[1]


def test_many_near_marks_are_found_by_the_sweep():
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 100, (300, 2))
    g = np.column_stack([low, low + rng.uniform(1, 30, (300, 2))])
    names = rng.integers(0, 3, 300)
    rows = [(f"i{i % 4}", f"r{r}", *x) for i, (r, x) in enumerate(zip(names, g, strict=True))]
    f = read_findings(table(rows, ("image", "reader", "x1", "y1", "x2", "y2")))
    from annostat.labels.matching import _near

    rule = Rule("iou", 0.2)
    i, j = _near(f.geometry, f.image, rule)
    d = rule.distances(f.geometry[:, None], f.geometry[None])
    want = (d <= 0.8 + 1e-12) & (f.image[:, None] == f.image) & np.tri(300, k=-1, dtype=bool)
    assert {frozenset(p) for p in zip(i, j, strict=True)} == {
        frozenset(p) for p in zip(*np.nonzero(want), strict=True)
    }


def test_iou_and_rules():
    a, b = np.array([0.0, 0, 2, 2]), np.array([1.0, 0, 3, 2])
    assert Rule("iou", 0.5).distances(a, b) == pytest.approx(1 - 2 / 6)
    assert Rule("iou", 0.5).distances(np.array([0.0, 4]), np.array([3.0, 6])) == 1 - 1 / 6
    assert [str(r) for r in Rule.of("iou 0.5", "box").others] == ["IoU ≥ 0.75", "IoU ≥ 0.25"]
    assert Rule.of("distance 5 mm", "box") == Rule("distance", 5.0)
    assert Rule.of("overlap 0.2", "interval") == Rule.of(None, "interval")
    for text, kind in (("iou", "box"), ("iou 2", "box"), ("near 3", "box"), ("iou 0.5", "point")):
        with pytest.raises(AnnostatError, match="match"):
            Rule.of(text, kind)
    with pytest.raises(AnnostatError, match="'distance 5'"):
        Rule.of(None, "point")


def test_two_readers_have_the_bracket_of_the_closed_form():
    f = simulated("beta(.7,.7)", 200, 2, np.random.default_rng(1))
    found = finding_bounds(f, "distance 1", false_positives=())
    one, two = found.counts[2]
    share = two / (two + one / 2)
    assert (found.f1.low, found.f1.high) == pytest.approx((share, np.sqrt(share)))
    n = np.array([[one, two]], dtype=float)
    assert SeenMixture(Seen((2,), (n,), np.array([[200]]))).bracket(f1_gain) == pytest.approx(
        (share, np.sqrt(share)), abs=2e-3
    )


def test_the_bracket_is_that_of_a_primal_programme():
    """The largest and least F1* over measures on a grid, by bisection of the primal."""
    grid = np.unique(np.r_[np.geomspace(1e-3, 0.05, 12), np.linspace(0.05, 1, 96)])
    p, w = np.array([0.1, 0.6, 0.95]), np.array([200.0, 80, 60])
    counts = binomial(np.arange(1, 4), 3, p) @ w
    a = binomial(np.arange(1, 4), 3, grid)

    def extreme(theta, side):
        done = linprog(-side * f1_gain(theta, grid), A_eq=a, b_eq=counts, bounds=(0, None))
        return side * -done.fun

    want = [brentq(lambda t, s=s: extreme(t, s), 0.05, 0.99) for s in (-1, 1)]
    seen = Seen((3,), (counts[None],), np.array([[100]]))
    low, high = SeenMixture(seen).bracket(f1_gain)
    assert (low, high) == pytest.approx(want, abs=2e-3)
    theta = brentq(lambda t: w @ f1_gain(t, p), 0.01, 0.99)
    assert low - 1e-3 <= theta <= high + 1e-3


def test_lidc_counts_have_the_figures_of_the_theory():
    """2,637 nodules of 3 mm and more of LIDC-IDRI by how many of four readers marked them."""
    counts = np.array([[769.0, 491, 481, 896]])
    low, high = SeenMixture(Seen((4,), (counts,), np.array([[1018]]))).bracket(f1_gain)
    assert f"{low:.3f} {high:.3f}" == "0.765 0.820"
    grid = np.unique(np.r_[np.geomspace(1e-4, 0.05, 25), np.linspace(0.05, 1, 4000)])
    a = binomial(np.arange(1, 5), 4, grid)
    at_least = linprog(f1_gain(low, grid), A_eq=a, b_eq=counts[0], bounds=(0, None)).fun
    assert at_least / counts.sum() == pytest.approx(0, abs=1e-4)
    assert f1_of_two(Seen((4,), (counts,), np.array([[1018]])), 0.95, clustered=False).value == (
        pytest.approx(0.719, abs=5e-4)
    )


@given(st.integers(0, 10_000), st.integers(2, 5))
def test_brackets_hold_the_best_detector_and_certificates_are_certain(seed, k):
    rng = np.random.default_rng(seed)
    p, w = rng.uniform(0.02, 1, 4), rng.uniform(10, 200, 4)
    counts = (binomial(np.arange(1, k + 1), k, p) @ w)[None]
    mixture = SeenMixture(Seen((k,), (counts,), np.array([[100]])))
    for gain, free in ((f1_gain, 0.0), (froc_gain(0.7), 0.7 * 0.5 * 100)):

        def f(t, gain=gain, free=free):
            return w @ gain(t, p) + free

        theta = brentq(f, 0, 1) if f(1.0) < 0 else 1.0
        low, high = mixture.bracket(gain, free)
        assert low - 4e-3 <= theta <= high + 4e-3
        for side in (-1, 1):
            phi = mixture._dual(0, counts[0], gain, theta, side, 2.0)
            over = phi @ binomial(np.arange(1, k + 1), k, FINE) + side * gain(theta, FINE)
            assert (over <= 1e-9).all()


@given(st.integers(0, 10_000), st.integers(2, 5), st.sampled_from([0.05, 0.3, 1.0, 3.0]))
def test_the_best_sensitivity_lies_in_its_bracket(seed, k, rate):
    """Exact counts of a law of four kinds of findings; the best detector marks the likeliest."""
    rng = np.random.default_rng(seed)
    p = np.sort(np.r_[rng.uniform(0.02, 1, 3), rng.uniform(0.001, 0.02)])[::-1]
    w = rng.uniform(20, 200, 4)
    counts = (binomial(np.arange(1, k + 1), k, p) @ w)[None]
    wrong, right = np.cumsum(w * (1 - p)) / 100, np.cumsum(w * p) / (w @ p)
    best = np.interp(rate, np.r_[0, wrong], np.r_[0, right])
    mixture = SeenMixture(Seen((k,), (counts,), np.array([[100]])))
    (low, high), (below, above) = mixture.sensitivity(rate, 0.95)
    assert low - 5e-3 <= best <= high + 5e-3
    assert below <= low <= high <= above


def test_findings_that_are_all_alike_have_one_froc():
    """Six readers know that p is 0.7: S*(s) = 0.7/0.3 · s / (0.7 · findings per image)."""
    counts = (binomial(np.arange(1, 7), 6, np.array([0.7])) @ np.array([4000.0]))[None]
    mixture = SeenMixture(Seen((6,), (counts,), np.array([[1000]])))
    for rate in (0.25, 0.5, 1.0):
        (low, high), _ = mixture.sensitivity(rate, 0.95)
        best = rate / 0.3 / 4
        # The grid of p has steps of 0.007: between them a kink is passed on a chord.
        assert low <= best + 5e-3 and high >= best - 5e-3 and high - low < 0.04


def test_text_json_frame_report_and_votes():
    f = simulated("beta(.7,.7)", 150, 4, np.random.default_rng(2))
    found = finding_bounds(f, "distance 1", false_positives=(0.5,))
    truth = best_f1("beta(.7,.7)")
    assert truth in found.f1.interval and found.f1.low - 0.05 < truth < found.f1.high + 0.05
    assert found.votes["own"] > found.f1.high and found.votes["others"] < found.votes["own"]
    text = str(found)
    assert "not possible" in text and "Two readers reach" in text and "Matching" in text
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert len(data["thresholds"]) == 3 and len(found.to_frame()) == 6
    assert "How good any detector" in make_report([found], title="Marks")
    z = match_findings(f, "distance 1").marked
    vote = z.sum(axis=1) >= 2
    one = found.readers[1]
    others = [j for j in range(4) if j != 1]
    assert one.sensitivity == pytest.approx(np.mean([z[z[:, j], 1].mean() for j in others]))
    wrong = np.mean([(z[:, 1] & ~z[:, j]).sum() / 150 for j in others])
    assert one.false_positives == pytest.approx(wrong)
    assert one.marks == pytest.approx(z[:, 1].sum() / 150)
    f1 = [2 * (z[:, j] & vote).sum() / (z[:, j].sum() + vote.sum()) for j in range(4)]
    assert found.votes["own"] == pytest.approx(np.mean(f1))


def test_appetite_and_votes_are_seen():
    rng = np.random.default_rng(3)
    f = simulated("beta(.7,.7)", 150, 3, rng, odds=(0.25, 1, 4))
    found = finding_bounds(f, "distance 1", false_positives=())
    assert next(c for c in found.checks if c.name == "appetite").passed is False
    assert "one of these readers" in found.answer() and "from pairs" in found.f1.note
    two = found.f1.two_raters.value
    assert found.f1.low == two and np.sqrt(two) < found.f1.high < 1
    f = simulated("beta(.7,.7)", 150, 3, rng)
    frame = pd.DataFrame(
        {"image": f.items[f.image], "reader": np.array(f.names)[f.reader], "x": f.geometry[:, 0]}
    )
    m = match_findings(f, "distance 1")
    at = [np.flatnonzero(m.finding == i)[0] for i in np.flatnonzero(m.counts >= 2)]
    vote = frame.iloc[at].assign(reader="third")
    both = pd.concat([frame, vote])
    options = {"kind": "point", "geometry": ["x"]}
    with pytest.raises(AnnostatError, match="third marked exactly what 2 or more"):
        finding_bounds(read_findings(both, **options), "distance 1")
    with pytest.raises(AnnostatError, match="no ceiling"):
        finding_bounds(read_findings(both.replace("third", "consensus"), **options), "distance 1")


@pytest.mark.parametrize("law", ["edge", "clear and faint", "all alike"])
def test_honest_readers_are_not_taken_for_votes(law):
    for seed in range(6):
        for n, k in ((20, 4), (60, 3)):
            f = simulated(law, n, k, np.random.default_rng(seed))
            refuse_votes(f, match_findings(f, "distance 1"))


def test_doubles_ambiguity_empty_readers_and_few_findings():
    rows = [(f"i{i}", r, 10.0 * i, 0.0) for i in range(30) for r in ("anna", "ben")]
    rows += [(f"i{i}", "anna", 10.0 * i + 0.5, 0.0) for i in range(10)]
    found = finding_bounds(read_findings(table(rows)), "distance 1", false_positives=())
    checks = {c.name: c for c in found.checks}
    assert checks["two_marks"].statistic == 10 and checks["ambiguous"].passed is False
    assert found.counts == {2: (10, 30)}
    empty = table([*rows, ("i0", "cleo", np.nan, np.nan)])
    names = {c.name for c in finding_bounds(read_findings(empty), "distance 1").checks}
    assert "no_marks" in names
    few = finding_bounds(read_findings(table(rows[:8])), "distance 1")
    assert few.f1.interval is None and "too few" in few.quote()
    json.dumps(few.to_dict(), allow_nan=False)


BOXES = table(
    [("a", "anna", 0, 0, 5, 5), ("a", "ben", 1, 0, 5, 5), ("b", "anna", 0, 0, 5, 5)],
    ("image", "reader", "x1", "y1", "x2", "y2"),
)


@pytest.mark.parametrize(
    ("frame", "options", "message"),
    [
        (BOXES.assign(x2=-3), {}, "3 boxes without a positive size; first: 'a' by anna"),
        (BOXES.assign(y2=[5, 5, np.nan]), {}, "all of x1, y1, x2, y2, or none"),
        (BOXES.assign(reader="anna"), {}, "at least two readers"),
        (BOXES.drop(columns="y2"), {}, "which columns are the marks"),
        (BOXES, {"geometry": ["x1", "y1"]}, "say what they are"),
        (BOXES, {"seen": table([("a", "anna"), ("a", "ben"), ("b", "ben")], ["image", "reader"])},
         "anna marked 'b'"),
        (BOXES.assign(reader=["anna", "net", "anna"]), {}, "is net a model"),
        (BOXES, {"classes": "kind"}, "kind"),
        (BOXES.iloc[:0], {}, "no rows"),
    ],
)  # fmt: skip
def test_tables_that_are_refused(frame, options, message):
    with pytest.raises(AnnostatError, match=message):
        read_findings(frame, **options)


def test_tables_that_are_read():
    sized = BOXES.rename(columns={"x1": "x", "y1": "y", "x2": "width", "y2": "height"})
    f = read_findings(sized)
    assert f.kind == "box" and f.geometry[1].tolist() == [1, 0, 6, 5]
    events = table(
        [("n", "a", 1.0, 0.5), ("n", "b", 1.1, 0.5)], ("night", "scorer", "onset", "duration")
    )
    found = read_findings(events, item="night", rater="scorer")
    assert found.kind == "interval" and match_findings(found).marked.all()
    seen = read_findings(
        BOXES, seen=table([("a", "u"), ("b", "v"), ("c", "v")], ["image", "patient"])
    )
    assert seen.saw.shape == (3, 2) and "list what was seen" not in str(seen.read)
    clustered = read_findings(
        BOXES.assign(patient=["u", "u", "v"]),
        seen=table([("a", "u"), ("b", "v"), ("c", "v")], ["image", "patient"]),
        cluster="patient",
    )
    assert clustered.cluster.tolist() == ["u", "v", "v"]
    classed = read_findings(BOXES.assign(kind=["x", "y", "x"]), classes="kind")
    assert len(match_findings(classed).image) == 3
    part = seen.take(np.array([1]))
    assert (part.n_marks, part.items.tolist()) == (1, ["b"])
    assert seen.choose(["ben"]).n_marks == 1 and seen.digest() != part.digest()
    with pytest.raises(AnnostatError, match="nothing is marked"):
        finding_bounds(seen.take(np.array([2])))
    partial = table([("a", "anna"), ("a", "ben"), ("b", "anna")], ["image", "reader"])
    assert finding_bounds(read_findings(BOXES, seen=partial)).n_images == 1


def test_images_with_other_numbers_of_readers():
    f = simulated("beta(.7,.7)", 200, 4, np.random.default_rng(5))
    saw = f.saw.copy()
    saw[:100, 3] = False
    keep = saw[f.image, f.reader]
    mixed = Findings(f.kind, f.geometry[keep], f.image[keep], f.reader[keep], f.names, f.items, saw)
    found = finding_bounds(mixed, "distance 1", false_positives=(1.0,))
    assert set(found.counts) == {3, 4} and best_f1("beta(.7,.7)") in found.f1.interval
    assert not found.votes


def test_detectors_are_judged():
    rng = np.random.default_rng(8)
    p = rng.choice([0.95, 0.5, 0.1], 1200)
    rows = []
    for i, q in enumerate(p):
        marks = {f"r{j}": rng.random() < q for j in range(3)}
        marks |= {"best": q > 0.4, "poor": (q > 0.4) == (rng.random() < 0.7)}
        marks["copy"] = sum(marks[f"r{j}"] for j in range(3)) >= 2
        rows += [(f"i{i // 6}", name, 10.0 * (i % 6), 0.0) for name, m in marks.items() if m]
    f = read_findings(table(rows), models=["best", "poor", "copy"])
    found = score_findings(f, "distance 1")
    assert found["best"].verdict in ("within the range", "not resolved")
    assert found["poor"].verdict == "below the ceiling"
    assert found["copy"].f1.value > found["best"].f1.value
    z = match_findings(f.choose(["best", "r0"]), "distance 1").marked
    one = score_findings(f.choose(["r0", "r1", "best"]), "distance 1")["best"]
    y = match_findings(f.choose(["best", "r1"]), "distance 1").marked
    top = 2 * (z.all(axis=1).sum() + y.all(axis=1).sum())
    assert one.f1.value == pytest.approx(top / (z.sum() + y.sum()))
    wrong = (z[:, 0] & ~z[:, 1]).sum() + (y[:, 0] & ~y[:, 1]).sum()
    assert one.false_positives == pytest.approx(wrong / 400, rel=0.02)
    json.dumps(found.to_dict(), allow_nan=False)
    assert "best possible" in str(found) and len(found.to_frame()) == 3
    with pytest.raises(AnnostatError, match="no model"):
        score_findings(f.choose(["r0", "r1"]), "distance 1")


def test_command(run, tmp_path):
    f = simulated("beta(.7,.7)", 60, 3, np.random.default_rng(4))
    frame = pd.DataFrame(
        {
            "image": f.items[f.image],
            "reader": np.array(f.names)[f.reader],
            "time": f.geometry[:, 0],
            "hospital": [f"h{i % 2}" for i in f.image],
        }
    )
    frame.to_csv(tmp_path / "m.csv", index=False)
    args = ("findings", tmp_path / "m.csv", "--match", "distance 1")
    code, out, err = run(*args, "--froc", "1", "--plot", tmp_path / "f.svg")
    assert (code, err) == (0, "") and out.startswith("Read    m.csv: ")
    assert "Ceiling of F1" in out and (tmp_path / "f.svg").stat().st_size > 1000
    code, out, _ = run(*args, "--json", "-")
    jsonschema.validate(json.loads(out), json.loads((DOCS / "findings.schema.json").read_text()))
    code, out, _ = run(*args, "--froc", "none", "--json", "-")
    assert json.loads(out)["froc"] == []
    code, out, _ = run(*args, "--rounds", "r1", "r2", "--model", "r3")
    assert code == 0 and "best possible" in out and "r3 is " in out
    code, out, _ = run(*args, "--by", "hospital", "--froc", "none")
    assert code == 0 and "== hospital: h1 ==" in out
    for bad, message in (
        (("findings",), "no input"),
        (args[:2], "distance 5"),
        ((*args, "--froc", "x"), "--froc must be numbers"),
    ):
        code, _, err = run(*bad)
        assert code == 2 and message in err


@pytest.mark.parametrize("suite", SUITES)
def test_a_slice_of_the_calibration(suite):
    rows = run_suite(SUITES, suite, SUITES[suite][1][1], 12, seed=1)
    for row in rows:
        if row["what"].startswith("interval"):
            assert row["rate"] >= 0.8, row


def test_lidc_findings():
    findings = lidc_findings()
    assert findings.n_marks == 6778 and len(findings.items) == 1018 and findings.exchangeable
    assert len(set(findings.cluster)) == 1010
    assert findings.marks.sum() / 4 == 1694.5
    assert (findings.marks.sum(axis=1) == 0).any()  # scans on which nobody marked any
    matched = match_findings(findings, "distance 200")
    assert np.bincount(matched.counts).tolist() == [0, 769, 491, 481, 896]
    # No reading of a nodule is lost by dealing, and no reader has two.
    pairs = pd.DataFrame({"n": findings.classes, "r": findings.reader})
    assert not pairs.duplicated().any()
    found = finding_bounds(findings, "distance 200", false_positives=())
    assert f"{found.f1.two_raters.value:.3f}" == "0.719"
    # On a grid of p alone the lower end came out 0.766: the worst law lies where g bends.
    assert f"{found.f1.low:.3f} {found.f1.high:.3f}" == "0.765 0.820"
    assert f"{found.votes['own']:.3f} {found.votes['others']:.3f}" == "0.843 0.758"


def test_the_example_at_the_command_line(capsys):
    from annostat.cli import main

    main(["findings", "--example", "lidc-findings", "--froc", "none"])
    text = capsys.readouterr().out
    assert "1,018 scans" in text and "two readers" in text and "0.843, not possible" in text
