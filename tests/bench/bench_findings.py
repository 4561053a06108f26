"""Matching of findings beside the plain loop; see docs/benchmarks.md for how to run it."""

import numpy as np
import pytest

from annostat.labels import Findings, match_findings

PER_READER = 200_000
SLICE = 200  # images that the plain loop has


def marked(n_images, per_image=10, k=5):
    """Marks of k readers, boxes of 30 pixels on images of 512, each reader sees nine of ten."""
    rng = np.random.default_rng(1)
    image = np.repeat(np.arange(n_images), per_image)
    centre = rng.uniform(0, 512, (len(image), 2))
    finding, reader = np.nonzero(rng.random((len(image), k)) < 0.9)
    corner = centre[finding] + rng.normal(0, 1.5, (len(finding), 2))
    size = 30 + rng.normal(0, 1, (len(finding), 2))
    names = tuple(f"r{j}" for j in range(k))
    items = np.array([f"i{i:06d}" for i in range(n_images)], dtype=object)
    saw = np.ones((n_images, k), dtype=bool)
    geometry = np.hstack([corner, corner + size])
    return Findings("box", geometry, image[finding], reader, names, items, saw)


def plain_loop(findings, limit=0.5):
    """Average linkage in loops: the nearest two groups without a common reader, while near."""

    def area(a):
        return (a[2] - a[0]) * (a[3] - a[1])

    def iou(a, b):
        w = min(a[2], b[2]) - max(a[0], b[0])
        h = min(a[3], b[3]) - max(a[1], b[1])
        both = max(w, 0) * max(h, 0)
        return both / (area(a) + area(b) - both)

    counts = []
    for image in range(len(findings.items)):
        at = np.flatnonzero(findings.image == image)
        groups = [[i] for i in at.tolist()]
        g, reader = findings.geometry.tolist(), findings.reader.tolist()
        while True:
            best = None
            for p in range(len(groups)):
                for q in range(p + 1, len(groups)):
                    if {reader[i] for i in groups[p]} & {reader[i] for i in groups[q]}:
                        continue
                    d = np.mean([1 - iou(g[i], g[j]) for i in groups[p] for j in groups[q]])
                    if d <= 1 - limit and (best is None or d < best[0]):
                        best = (d, p, q)
            if best is None:
                break
            groups[best[1]] += groups.pop(best[2])
        counts += [len(group) for group in groups]
    return np.bincount(counts)


@pytest.fixture(scope="module")
def million():
    return marked(PER_READER // 9)


@pytest.mark.benchmark(group="matching of a million boxes of 5 readers")
def bench_match_a_million(benchmark, million):
    assert million.n_marks > 990_000
    found = benchmark.pedantic(match_findings, (million, "iou 0.5"), rounds=1, iterations=1)
    assert found.counts.max() <= 5


@pytest.mark.benchmark(group="matching of a few images")
def bench_match_few(benchmark):
    few = marked(SLICE)
    benchmark.pedantic(match_findings, (few, "iou 0.5"), rounds=3, iterations=1)


@pytest.mark.benchmark(group="matching of a few images")
def bench_match_few_plain_loop(benchmark):
    few = marked(SLICE // 20)
    found = benchmark.pedantic(plain_loop, (few,), rounds=1, iterations=1)
    assert (found == np.bincount(match_findings(few, "iou 0.5").counts)).all()
