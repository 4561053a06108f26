"""Detectors in a reader's place: marks of readers and of a detector, drawn; what γ then is.

An image has a number of things to mark (negative binomial: 4 on average), each with a chance p that
a reader of middling appetite marks it; every reader has false marks of his own besides. Readers are
"alike", or differ by "bias" (the odds that they mark, and their false marks, by a factor) or by
"scale" (how much their odds follow p). The detector marks independently, as a reader of middling
appetite whose odds are multiplied by `own` where p is above ½ and divided by it below.
"""

from __future__ import annotations

import functools

import numpy as np

from analysis.calibration.designs import Design
from annostat.interchange import Interchange, interchange
from annostat.labels import Findings

FINDINGS, FALSE = 4.0, 0.3  # per image
APPETITE, FOLLOWS = 0.5, 0.3  # SD of log odds, and of the log of how far they follow p
IMAGES = 60_000  # behind a true value
MATCH = "distance 1"


def readers_of(law: str) -> str:
    """Return how readers differ."""
    return law.split(", ")[1].removesuffix(" these")


def seen(
    design: Design, own: float, rng: np.random.Generator, *, fresh: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the image of each finding, who marked it (detector last), and false marks.

    Returns
    -------
    image : int64 array of shape (n_findings,)
    marked : bool array of shape (n_findings, k + 1)
    false : int64 array of shape (n_images, k + 1)
    """
    n, k = design.n, design.rounds
    readers = readers_of(design.law)
    busy = rng.gamma(1.0, 1.0, n)
    if design.cluster_size > 1:
        codes = np.arange(n) // design.cluster_size
        busy = rng.gamma(1.0, 1.0, codes[-1] + 1)[codes]
    image = np.repeat(np.arange(n), rng.poisson(FINDINGS * busy))
    m = len(image)
    p = rng.beta(1.5, 1.0, m)
    odds = np.log(p / (1 - p))[:, None]
    shape = (n, k) if fresh else (1, k)
    shift = rng.normal(0, APPETITE, shape) if readers == "bias" else np.zeros(shape)
    slope = np.exp(rng.normal(0, FOLLOWS, shape)) if readers == "scale" else np.ones(shape)
    of = image if fresh else np.zeros(m, dtype=int)
    net = odds[:, 0] + np.log(own) * np.where(p > 0.5, 1.0, -1.0)
    all_odds = np.column_stack([slope[of] * odds + shift[of], net])
    marked = rng.random((m, k + 1)) < 1 / (1 + np.exp(-all_odds))
    rate = np.column_stack([np.exp(np.broadcast_to(shift, (n, k))), np.ones(n)])
    return image, marked, rng.poisson(FALSE * rate)


def findings_of(design: Design, own: float, rng: np.random.Generator) -> Findings:
    """Return the marks as a container; findings of an image lie 10 apart."""
    image, marked, false = seen(design, own, rng)
    n, width = false.shape
    first = np.r_[0, np.cumsum(np.bincount(image, minlength=n))][:-1]
    where = 10.0 * (np.arange(len(image)) - first[image])
    f, who = np.nonzero(marked)
    at = where[f] + rng.normal(0, 0.1, len(f))
    i, j = np.nonzero(false)
    times = false[i, j]
    i, j = np.repeat(i, times), np.repeat(j, times)
    wrong = -10.0 * (1 + np.arange(len(i)))  # nowhere near another mark
    names = (*(f"r{v + 1}" for v in range(width - 1)), "net")
    cluster = None
    if design.cluster_size > 1:
        codes = np.arange(n) // design.cluster_size
        cluster = np.array([f"c{c}" for c in codes], dtype=object)
    return Findings(
        "point",
        np.r_[at, wrong][:, None],
        np.r_[image[f], i],
        np.r_[who, j],
        names,
        np.array([f"i{v}" for v in range(n)], dtype=object),
        np.ones((n, width), dtype=bool),
        cluster=cluster,
    )


@functools.cache
def true_findings(law: str, own: float, cluster_size: int) -> tuple[float, float]:
    """Return 1 − F1 of the detector and a reader, and of two readers, of pooled counts.

    Readers are drawn anew for each image.
    """
    design = Design(IMAGES, law, 2, 0.0, cluster_size)
    _, marked, false = seen(design, own, np.random.default_rng(20261129), fresh=True)
    total = marked.sum(axis=0) + false.sum(axis=0)
    lost = [
        1 - 2 * (marked[:, a] & marked[:, b]).sum() / (total[a] + total[b])
        for a, b in ((2, 0), (2, 1), (0, 1))
    ]
    by_pairs = ((total[2] + total[0]) * lost[0] + (total[2] + total[1]) * lost[1]) / (
        2 * total[2] + total[0] + total[1]
    )
    return float(by_pairs), float(lost[2])


def place_findings(
    design: Design, own: float, margin: float | None, rng: np.random.Generator
) -> Interchange:
    """Return what annostat says of a detector on one data set."""
    both = findings_of(design, own, rng)
    net = both.choose(["net"])
    people = both.choose(both.names[:-1])
    readers = "these" if "these" in design.law else "auto"
    return interchange(people, net, match=MATCH, margin=margin, readers=readers)
