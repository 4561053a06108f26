"""Detectors in a reader's place: plain loops, what contains readers, a known answer."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from annostat import AnnostatError
from annostat.datasets import lidc_findings
from annostat.datasets.marks import SAME_NODULE
from annostat.interchange import interchange, plan_interchange
from annostat.labels import Findings, match_findings

MATCH = "distance 1"


def marks_of(n=150, k=4, seed=1, *, per=3.0, miss=0.25, models=(), extra=0.3):
    """Images with findings that readers see with chances of their own, and false ones."""
    g = np.random.default_rng(seed)
    names = [*[f"r{j + 1}" for j in range(k)], *models]
    rows = []
    for i in range(n):
        rows += [(f"i{i:03d}", who, np.nan) for who in names]
        for m in range(g.poisson(per)):
            likely = g.choice([1 - miss, 0.3], p=[0.8, 0.2])
            for who in names:
                if g.random() < likely:
                    rows.append((f"i{i:03d}", who, 10.0 * m + g.normal(0, 0.1)))
        for who in names:
            rows += [(f"i{i:03d}", who, 500 + 10.0 * v) for v in range(g.poisson(extra))]
    return pd.DataFrame(rows, columns=["image", "reader", "time"])


def read(frame, models=(), **options):
    return Findings.from_frame(
        frame, item="image", rater="reader", kind="point", models=models, **options
    )


def by_loops(z, f, pooled):
    """Return A, B as ratios of sums or means of images, over pairs matched one by one."""

    def pair(a, b):
        two = z.choose([a, b])
        here = np.flatnonzero(two.saw.all(axis=1))
        m = match_findings(two.take(here), MATCH)
        out = {}
        for at, i in enumerate(here):
            rows = m.marked[m.image == at]
            out[i] = (int((rows.sum(axis=1) == 1).sum()), int(rows.sum()))
        return out

    people = [n for n in z.names if n != f]
    to_model = [pair(f, p) for p in people]
    among = [pair(a, b) for a, b in combinations(people, 2)]
    sums = []
    for pairs in (to_model, among):
        top = bottom = 0.0
        for i in range(len(z.items)):
            seen = [p[i] for p in pairs if i in p]
            if pooled:
                top += np.mean([u for u, _ in seen])
                bottom += np.mean([s for _, s in seen])
            else:
                top += np.mean([u / s if s else 0.0 for u, s in seen])
                bottom += 1
        sums.append(top / bottom)
    return sums


@pytest.mark.parametrize("distance", ["1-f1", "1-f1-image"])
@pytest.mark.parametrize("k", [2, 4])
def test_plain_loops_over_pairs_and_images(distance, k):
    z = read(marks_of(60, k, models=("net",)), ["net"])
    found = interchange(z, match=MATCH, distance=distance)
    a, b = by_loops(z, "net", distance == "1-f1")
    [m] = found.models
    assert found.among.value == pytest.approx(b, abs=1e-12)
    assert m.to_reader.value == pytest.approx(a, abs=1e-12)
    assert m.change.value == pytest.approx(a - b, abs=1e-12)
    assert m.ratio.value == pytest.approx(a / b, rel=1e-12)
    items = found.items()
    assert items["change"].mean() == pytest.approx(a - b, abs=1e-12)


def test_the_interval_of_pooled_counts_is_the_jackknife_of_images_and_readers():
    z = read(marks_of(80, 4, models=("net",)), ["net"])
    found = interchange(z, match=MATCH)
    counts, k = found.taken.counts, 4
    both, marks = counts.both.astype(float), counts.marks.astype(float)

    def gamma(rows, readers):
        pairs = list(combinations(readers, 2))
        u = [[marks[rows, j] + marks[rows, 4] - 2 * both[rows, j, 4] for j in readers]]
        s = [[marks[rows, j] + marks[rows, 4] for j in readers]]
        v = [marks[rows, j] + marks[rows, m] - 2 * both[rows, j, m] for j, m in pairs]
        t = [marks[rows, j] + marks[rows, m] for j, m in pairs]
        return np.mean(u) / np.mean(s) - np.mean(v) / np.mean(t)

    n, everyone = len(marks), range(k)
    left = [gamma(np.arange(n) != i, everyone) for i in range(n)]
    of_items = (n - 1) / n * np.sum((left - np.mean(left)) ** 2)
    out = [gamma(slice(None), [j for j in everyone if j != o]) for o in everyone]
    of_readers = (k - 1) / k * np.sum((out - np.mean(out)) ** 2)
    want = np.sqrt(of_items + of_readers)
    assert found.models[0].change.standard_uncertainty == pytest.approx(want, rel=0.01)
    these = interchange(z, match=MATCH, readers="these").models[0].change
    assert these.standard_uncertainty == pytest.approx(np.sqrt(of_items), rel=0.01)
    assert these.interval.method == "t over items"


def test_one_more_reader_is_as_good_and_a_careless_one_is_worse():
    frame = marks_of(300, 5, seed=3)
    g = np.random.default_rng(4)
    careless = frame[(frame.reader == "r5") & ((g.random(len(frame)) < 0.5) | frame.time.isna())]
    z = read(pd.concat([frame, careless.assign(reader="net")]), ["net"], rounds=["r1", "r2", "r3"])
    one = read(frame, ["r5"], rounds=["r1", "r2", "r3", "r4"])
    assert interchange(one, match=MATCH).models[0].change.interval.low < 0
    assert interchange(one, match=MATCH).models[0].change.interval.high > 0
    found = interchange(z, match=MATCH, margin=0.02)
    assert found.models[0].standing.name == "worse than a reader"
    low, high = found.perfect
    f = 1 - found.among.value
    assert low == pytest.approx(f - np.sqrt(f)) and high == pytest.approx(0)


def test_detectors_of_their_own_are_joined_by_image_and_compared():
    frame = marks_of(120, 3, models=("net", "old"), seed=5)
    inside = interchange(read(frame, ["net", "old"]), match=MATCH)
    people = read(frame[~frame.reader.isin(["net", "old"])])
    own = read(frame[frame.reader.isin(["net", "old"])].iloc[::-1], rounds=["net", "old"])
    apart = interchange(people, own, match=MATCH)
    for a, b in zip(inside.models, apart.models, strict=True):
        assert a.change == b.change
    [pair] = apart.comparisons
    gap = apart.models[0].change.value - apart.models[1].change.value
    assert pair.difference.value == pytest.approx(gap, abs=1e-12)


def test_order_of_rows_names_and_units_do_not_matter():
    frame = marks_of(80, 3, models=("net",), seed=6)
    first = interchange(read(frame, ["net"]), match=MATCH)
    again = frame.sample(frac=1, random_state=1).assign(time=lambda t: 60 * t.time)
    second = interchange(read(again, ["net"]), match="distance 60")
    assert first.models[0].change == second.models[0].change
    named = frame.replace({"reader": {"r1": "zoe"}})
    third = interchange(read(named, ["net"]), match=MATCH)
    assert first.models[0].change.value == pytest.approx(third.models[0].change.value, abs=1e-12)


def voted(frame, least, who, jitter=0.05):
    if len(who) == 1:
        g = np.random.default_rng(9)
        moved = frame[frame.reader == who[0]].assign(reader="net")
        return pd.concat([frame, moved.assign(time=moved.time + g.normal(0, jitter, len(moved)))])
    z = read(frame[frame.reader.isin(who)])
    m = match_findings(z, MATCH)
    kept = np.flatnonzero(m.marked.sum(axis=1) >= least)
    g = np.random.default_rng(9)
    rows = []
    for f in kept:
        at = np.flatnonzero(m.finding == f)
        time = float(z.geometry[at].mean()) + g.normal(0, jitter)
        rows.append((z.items[m.image[f]], "net", time))
    return pd.concat([frame, pd.DataFrame(rows, columns=frame.columns)])


@pytest.mark.parametrize(
    ("least", "who", "words"),
    [
        (1, ("r1",), "marks what r1 marked"),
        (2, ("r1", "r2", "r3"), "2 or more of"),
        (1, ("r1", "r2"), "1 or more of"),
        (2, ("r1", "r2"), "all of"),
        (2, ("r1", "r2", "r3", "r4"), "2 or more of"),
    ],
)
def test_a_reader_and_votes_of_readers_are_refused(least, who, words):
    frame = marks_of(150, 4)
    with pytest.raises(AnnostatError, match=words):
        interchange(read(voted(frame, least, who), ["net"]), match=MATCH)


def test_marks_that_were_picked_from_readers_are_refused():
    frame = marks_of(150, 4)
    some = frame[frame.time.notna()].sample(frac=0.3, random_state=2)
    some = some.drop_duplicates(["image", "time"]).assign(reader="net")
    jittered = frame.assign(time=frame.time + np.random.default_rng(1).normal(0, 0.01, len(frame)))
    some = jittered.loc[some.index].assign(reader="net")
    with pytest.raises(AnnostatError, match="to the last digit"):
        interchange(read(pd.concat([jittered, some]), ["net"]), match=MATCH)


def test_honest_detectors_are_not_refused():
    for seed in range(8):
        frame = marks_of(100, 3, seed=20 + seed, miss=0.1, models=("net",), extra=0.1)
        found = interchange(read(frame, ["net"]), match=MATCH)
        assert any(c.name == "contains_rounds" for c in found.checks)


def test_a_perfect_detector_of_careful_readers_is_doubted_but_not_refused():
    g = np.random.default_rng(1)
    rows = [(f"i{i}", who, 1.0) for i in range(600) for who in ("a", "b", "c", "net")]
    frame = pd.DataFrame(rows, columns=["image", "reader", "time"])
    keep = (frame.reader == "net") | (g.random(len(frame)) > 0.02)
    empty = pd.DataFrame(
        [(f"i{i}", w, np.nan) for i in range(600) for w in ("a", "b", "c", "net")],
        columns=frame.columns,
    )
    found = interchange(read(pd.concat([frame[keep], empty]), ["net"]), match=MATCH)
    [check] = [c for c in found.checks if c.name == "contains_rounds"]
    assert check.passed is False and "leave it out" in check.message
    assert found.models[0].standing.name == "better than a reader"


def test_lidc_a_held_out_reader_is_as_good_as_a_reader_and_a_vote_is_refused():
    z = lidc_findings()
    rule = f"distance {SAME_NODULE:g}"
    one = interchange(z.choose(z.names[:3]), z.choose(z.names[3:]), match=rule)
    held = one.models[0].change
    assert held.interval.low < 0 < held.interval.high
    assert abs(held.value) < 0.01
    assert one.n_clusters == len(set(z.cluster))
    m = match_findings(z, rule)
    votes = m.marked.sum(axis=1) >= 2
    first = np.array([np.flatnonzero(m.finding == f)[0] for f in np.flatnonzero(votes)])
    vote = Findings(
        z.kind,
        z.geometry[first] + 0.25,
        z.image[first],
        np.zeros(len(first), dtype=np.int64),
        ("vote",),
        z.items,
        np.ones((len(z.items), 1), dtype=bool),
        z.classes[first],
        z.cluster,
    )
    with pytest.raises(AnnostatError, match="2 or more of reader_1"):
        interchange(z, vote, match=rule)


@pytest.mark.parametrize(
    ("case", "words"),
    [
        (lambda z: interchange(z, match=MATCH), "no model"),
        (lambda z: interchange(z, {"net": [1, 2]}, match=MATCH), "must be Findings"),
        (lambda z: interchange(z, z.choose(["r1"]), match=MATCH), "is a round and a model"),
        (lambda z: interchange(z.choose(["r1", "r2"]), z.choose(["r3"])), "must say how near"),
        (
            lambda z: interchange(
                z.choose(["r1", "r2"]), z.choose(["r3"]), match=MATCH, distance="radial"
            ),
            "these labels are findings",
        ),
        (lambda z: interchange(z.choose(["r1"]), z.choose(["r3"]), match=MATCH), "two or more"),
        (
            lambda z: interchange(np.zeros((9, 3)), {"net": np.zeros(9)}, match=MATCH),
            "match is for findings",
        ),
    ],
)
def test_bad_input_is_refused_in_one_line(case, words):
    with pytest.raises(AnnostatError, match=words) as refused:
        case(read(marks_of(20, 3)))
    assert "\n" not in str(refused.value)


def test_a_function_of_counts():
    z = read(marks_of(60, 3, models=("net",)), ["net"])
    own = interchange(z, match=MATCH, distance=lambda a, b, both: a + b - 2 * both)
    named = interchange(z, match=MATCH, distance="unmatched")
    assert own.models[0].change.value == named.models[0].change.value
    assert named.unit == "marks"
    with pytest.raises(AnnostatError, match="symmetric"):
        interchange(z, match=MATCH, distance=lambda a, b, both: a - both)


def test_images_that_readers_did_not_see_and_few_findings():
    frame = marks_of(90, 3, models=("net",))
    seen = frame[["image", "reader"]].drop_duplicates()
    seen = seen[~((seen.reader == "r3") & (seen.image < "i030"))]
    seen = seen[~((seen.reader == "net") & (seen.image >= "i080"))]
    kept = frame.merge(seen)
    found = interchange(read(kept, ["net"], seen=seen), match=MATCH)
    assert found.models[0].n_items == 80
    assert any(c.name == "missing_predictions" and c.passed is False for c in found.checks)
    few = interchange(read(marks_of(4, 3, models=("net",)), ["net"]), match=MATCH)
    assert few.models[0].standing.name == "not resolved"


@pytest.mark.parametrize("readers", ["these", "sample"])
def test_a_plan_of_pooled_counts_knows_the_width_of_its_pilot(readers):
    # Readers of seed 5 differ by more than their noise, so that no component is cut at 0.
    z = read(marks_of(400, 4, seed=5, miss=0.3, models=("net",)), ["net"])
    pilot = interchange(z, match=MATCH, readers=readers)
    plan = plan_interchange(
        pilot, margin=0.2, change=0.0, items=(100, 400), readers=(4,), n_resamples=0
    )
    interval = pilot.models[0].change.interval
    [less, same] = plan.table
    assert same.half_width == pytest.approx((interval.high - interval.low) / 2, rel=0.02)
    # Studies of a hundred of these images each are the twin.
    if readers == "these":
        parts = [z.take(np.arange(400)[i::4]) for i in range(4)]
        each = [interchange(p, match=MATCH, readers=readers).models[0].change for p in parts]
        widths = [(e.interval.high - e.interval.low) / 2 for e in each]
        assert less.half_width == pytest.approx(np.mean(widths), rel=0.1)
