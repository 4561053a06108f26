"""Span F1 beside seqeval's, a detector's curve beside MONAI's; plain twins where neither is there.

Known to agree with seqeval 1.2.2; MONAI's curve is (false positives, true positives) by cut.
"""

import numpy as np
import pandas as pd
import pytest

from annostat.ceilings import finding_bounds
from annostat.tables import read_findings
from annostat.truth import score_findings

KINDS = ("PER", "LOC")


def sentences(seed):
    """Tags of two readers, in the BIO scheme: the second keeps, moves, renames or drops spans."""
    rng = np.random.default_rng(seed)
    tags = ([], [])
    for _ in range(20):
        rows = (["O"] * 40, ["O"] * 40)
        for start in range(0, 36, 6):
            length, kind = rng.integers(1, 4), KINDS[rng.integers(2)]
            for row in rows:
                if rng.random() < 0.2:
                    continue
                at = start + int(rng.random() < 0.2)
                name = kind if rng.random() < 0.9 else KINDS[rng.integers(2)]
                row[at : at + length] = [f"B-{name}"] + [f"I-{name}"] * (length - 1)
        for found, row in zip(tags, rows, strict=True):
            found.append(row)
    return tags


def spans(tags):
    """Spans (sentence, start, end, kind) of BIO tags."""
    found = []
    for s, row in enumerate(tags):
        start = None
        for i, tag in enumerate([*row, "O"]):
            if start is not None and not tag.startswith("I-"):
                found.append((s, start, i, row[start][2:]))
                start = None
            if tag.startswith("B-"):
                start = i
    return found


def f1_here(tags):
    rows = [
        (f"s{s}", who, a, b, kind)
        for who, t in zip("ab", tags, strict=True)
        for s, a, b, kind in spans(t)
    ]
    frame = pd.DataFrame(rows, columns=["sentence", "reader", "start", "end", "kind"])
    found = read_findings(
        frame, item="sentence", classes="kind", seen=[f"s{i}" for i in range(len(tags[0]))]
    )
    return finding_bounds(found, "overlap 1", false_positives=()).f1.two_raters.value


@pytest.mark.parametrize("seed", range(4))
def test_span_f1_is_that_of_sets(seed):
    tags = sentences(seed)
    a, b = (set(spans(t)) for t in tags)
    assert f1_here(tags) == pytest.approx(2 * len(a & b) / (len(a) + len(b)))


@pytest.mark.parametrize("seed", range(4))
def test_span_f1_is_that_of_seqeval(seed):
    metrics = pytest.importorskip("seqeval.metrics")
    tags = sentences(seed)
    assert f1_here(tags) == pytest.approx(metrics.f1_score(*tags))


def detections(seed=1):
    """Marks of two readers who agree, and of a detector with scores."""
    rng = np.random.default_rng(seed)
    rows, scored = [], []
    for i in range(50):
        for x in 20.0 * np.arange(rng.poisson(2)):
            rows += [(f"i{i:02d}", r, x, 0.0, np.nan) for r in ("anna", "ben")]
            if rng.random() < 0.8:
                scored.append((f"i{i:02d}", "net", x + 1, 0.0, rng.beta(3, 2)))
        scored += [
            (f"i{i:02d}", "net", 20.0 * j + 10, 0.0, rng.beta(2, 3)) for j in range(rng.poisson(1))
        ]
    columns = ["image", "reader", "x", "y", "score"]
    return pd.DataFrame(rows, columns=columns), pd.DataFrame(scored, columns=columns)


def curve(readers, net, cuts):
    """False positives per image and sensitivity of the detector, cut at scores."""
    seen = [f"i{i:02d}" for i in range(50)]
    found = []
    for cut in cuts:
        both = pd.concat([readers, net[net["score"] >= cut]]).drop(columns="score")
        marks = read_findings(both, models=["net"], seen=seen)
        score = score_findings(marks, "distance 2", false_positives=())["net"]
        found.append((score.false_positives, score.sensitivity))
    return np.array(found)


def parts(readers, net):
    """Scores of false and of true positives, and the number of findings."""
    true = net["x"] % 20 == 1
    return net["score"][~true].to_numpy(), net["score"][true].to_numpy(), len(readers) // 2


def test_the_curve_of_a_detector_is_that_of_counts():
    readers, net = detections()
    false, true, n = parts(readers, net)
    cuts = np.quantile(net["score"], [0, 0.25, 0.5, 0.75])
    want = [((false >= c).sum() / 50, (true >= c).sum() / n) for c in cuts]
    assert curve(readers, net, cuts) == pytest.approx(np.array(want))


def test_the_curve_of_a_detector_is_that_of_monai():
    metrics = pytest.importorskip("monai.metrics")
    readers, net = detections()
    false, true, n = parts(readers, net)
    fps, sensitivity = metrics.compute_froc_curve_data(false, true, n, 50)
    cuts = np.sort(np.unique(np.r_[false, true]))[1::20]  # MONAI leaves out the lowest score
    here = curve(readers, net, cuts)
    there = np.column_stack([fps, sensitivity])
    for point in here:
        assert np.abs(there - point).max(axis=1).min() < 1e-9
