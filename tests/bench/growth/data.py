"""Data of any size for the cases of `cases`, the same for the same size."""

from __future__ import annotations

import numpy as np
import pandas as pd

from annostat import NoiseModel, Rounds, simulate_masks, simulate_rounds
from annostat.labels import Categories, Findings, Points

LAW = NoiseModel("laplace", {"scale": 2.0}, "independent", 1 / 100, window=30)


def values(n, k=2, *, per_cluster=0, missing=0.0):
    """Labels of n items by k raters; an SD of 10 between items, of 2 within them."""
    g = np.random.default_rng(1)
    z = g.normal(50, 10, (n, 1)) + g.normal(0, 2, (n, k))
    if missing:
        gone = g.random(z.shape) < missing
        gone[:, :2] = False
        z[gone] = np.nan
    cluster = np.arange(n) // per_cluster if per_cluster else None
    return Rounds.from_array(z, cluster=cluster)


def models(n, m=1):
    """Predictions of m models for the items of `values`."""
    truth = np.random.default_rng(1).normal(50, 10, (n, 1))[:, 0]
    g = np.random.default_rng(2)
    return {f"m{i}": truth + g.normal(0, 3, n) for i in range(m)}


def picks(n, k=2, **about):
    """Whole-number picks with Laplace noise and a few give-ups."""
    z = simulate_rounds(LAW, n, n_rounds=k, rng=1).values
    return Rounds.from_array(z - z.min() + 50, **about)


def categories(n, k=3, classes=2):
    """Answers of k raters on n items, of which some are hard."""
    g = np.random.default_rng(3)
    p = g.dirichlet(np.full(classes, 0.4), n)
    u = g.random((n, k, 1))
    return Categories.from_array((u > np.cumsum(p, axis=1)[:, None, :]).sum(axis=2))


def probabilities(n, classes=2):
    """What a model says of the items of `categories`."""
    return np.random.default_rng(3).dirichlet(np.full(classes, 0.4), n)


def masks(n, k=3, side=64):
    """Outlines by k raters of n ellipses."""
    radius = (side / 6, side / 3)
    return simulate_masks(n, k, noise_px=1.5, radius_px=radius, shape=(side, side), rng=4)


def points(n, k=3):
    """A landmark of n images by k readers."""
    g = np.random.default_rng(5)
    truth = g.uniform(0, 100, (n, 1, 2))
    return Points.from_array(truth + g.normal(0, 1, (n, k, 2)), unit="mm")


def finding_table(n, readers=3, each=4):
    """Times that readers mark in n recordings, as rows."""
    g = np.random.default_rng(6)
    seen = g.random((n, each, readers)) < 0.8
    image, event, reader = np.nonzero(seen)
    return pd.DataFrame({"image": image, "reader": reader.astype(str), "time": 10.0 * event})


def findings(n, readers=3, each=4, models=()):
    """The marks of `finding_table`."""
    return Findings.from_frame(finding_table(n, readers, each), models=list(models))


def curves(n, frames=60):
    """Areas over time of n beating clips."""
    t = np.arange(frames)
    start = np.random.default_rng(7).uniform(0, 30, (n, 1))
    return 100 + 30 * np.cos(2 * np.pi * (t - start) / 30)
