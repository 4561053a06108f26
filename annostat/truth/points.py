"""Models that put points: how far they are from a truth that nobody has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from annostat._version import __version__
from annostat.arrays import FloatArray
from annostat.ceilings.keypoints import mean_within, means_by
from annostat.ceilings.points import point_bounds, similar_of
from annostat.errors import AnnostatError, check_level, check_number, check_numbers, shown
from annostat.labels.points import Points
from annostat.labels.rounds import Rounds
from annostat.resampling.clusters import cluster_codes, renumbered
from annostat.resampling.generators import Rng, seed_of
from annostat.results.estimates import Estimate
from annostat.results.result import Provenance
from annostat.truth.means import mean_estimate, root, unit_sums
from annostat.truth.point_result import PointScore, PointScores
from annostat.truth.products import Labels, half_products
from annostat.truth.skewed import limit_by_level, reaching
from annostat.truth.verdicts import judge


def score_points(
    points: Points,
    models: Mapping[str, Any] | None = None,
    *,
    margin: float | None = None,
    thresholds: Sequence[float] | None = None,
    oks: float | str | Mapping[str, float] | None = None,
    lengths: Sequence[tuple[str, str]] = (),
    level: float = 0.95,
    n_resamples: int = 2000,
    rng: Rng = 0,
) -> PointScores:
    """Return how far models are from one reader, and from the truth that nobody has.

    Parameters
    ----------
    points : Points
        Two or more readers; models may be among them (`Points.models`).
    models : mapping of str to array-like of shape (n_items, n_landmarks, d), optional
        Or (n_items, d) for one landmark, in the unit of the points; NaN where a model has none.
    margin : float, optional
        An error against the truth that counts as none.
    thresholds, oks, lengths, level, n_resamples, rng
        As in `point_bounds`.

    Returns
    -------
    PointScores
        (f − z₁)·(f − z₂) has the mean E|f − Y|², whatever the noise of the readers.

    Raises
    ------
    AnnostatError
        If there is no model, or a shape does not fit.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> truth = rng.uniform(0, 100, (300, 1, 2))
    >>> points = Points.from_array(truth + rng.normal(0, 1, (300, 2, 2)), unit="mm")
    >>> off = truth[:, 0] + [3.0, 4.0]
    >>> round(score_points(points, {"off": off})["off"].error.value, 1)
    5.0
    """
    level = check_level(level)
    if margin is not None:
        margin = check_number("margin", margin, low=0, open_ends=True)
    given = {n: points.values[:, points.names.index(n)] for n in points.models}
    readers = points.without_models()
    n, _, m, d = readers.values.shape
    for name, f in (models or {}).items():
        if name in given:
            raise AnnostatError(f"model {name!r} is in the table and among the models")
        x = check_numbers(name, f)
        x = x[:, None, :] if x.ndim == 2 and m == 1 else x
        if x.shape != (n, m, d):
            raise AnnostatError(f"model {name!r} must have shape {(n, m, d)}, got {x.shape}")
        given[str(name)] = x
    if not given:
        raise AnnostatError("no model: give its points, or name the reader that is one")
    bounds = point_bounds(
        readers,
        thresholds=thresholds,
        oks=oks,
        lengths=lengths,
        level=level,
        n_resamples=n_resamples,
        rng=rng,
    )
    labels = _labels(readers)
    codes = cluster_codes(readers.cluster)
    similar = None if oks is None else similar_of(readers, oks)
    scores = []
    for name, f in given.items():
        products, halves, noise = _products(labels, f)
        if not np.isfinite(products).any():
            raise AnnostatError(
                f"model {name!r} shares no point with two readers ({shown(readers.landmarks)})"
            )
        squared = mean_estimate(products, codes, level=level)
        away = ((f[:, None] - readers.values) ** 2).sum(axis=3)
        of = np.isfinite(away).reshape(n, -1).any(axis=1)
        flat = np.where(of[:, None], away.reshape(n, -1), 0.0)
        square = np.where(of, np.nanmean(flat, axis=1), np.nan)
        mean = np.where(of, np.nanmean(np.sqrt(flat), axis=1), np.nan)
        sums = unit_sums(np.column_stack([np.ones(n), products]), codes)
        near = np.sqrt(away)
        limit_at = limit_by_level(products, *noise, codes, squares=readers.n_dimensions)
        reached = reaching(squared, limit_at, sums.n_units, level)
        scores.append(
            PointScore(
                name,
                mean_estimate(mean, codes, level=level, unit=readers.unit),
                root(mean_estimate(square, codes, level=level), readers.unit),
                root(reached, readers.unit),
                reached,
                judge(
                    squared,
                    halves,
                    codes,
                    df=sums.n_units - 1,
                    margin=margin,
                    level=level,
                    upper=limit_at(level),
                ),
                sums.n_units if codes is None else int(np.isfinite(products).sum()),
                tuple(
                    (
                        x.threshold,
                        _share(
                            np.where(np.isfinite(away), near <= x.threshold, np.nan), codes, level
                        ),
                    )
                    for x in bounds.success()
                    if x.threshold is not None
                ),
                None if similar is None else _share(np.exp(-away / similar), codes, level),
            )
        )
    about = {"level": level, "margin": margin, "models": list(given)}
    provenance = Provenance(__version__, readers.digest(), n, seed_of(rng), about)
    return PointScores(tuple(scores), bounds, readers.unit, provenance)


def _share(x: FloatArray, codes: Any, level: float) -> Estimate:
    """Return the mean of values between 0 and 1 of each item, reader and landmark; NaN: none."""
    flat = x.reshape(len(x), -1)
    there = np.isfinite(flat).any(axis=1)
    sums = means_by(None if codes is None else renumbered(codes[there]))
    return mean_within(sums, flat[there], level)


def _labels(points: Points) -> list[list[Labels]]:
    """Return the labels of each landmark and coordinate, less the bias of each reader."""
    found = []
    for m in range(len(points.landmarks)):
        row = []
        if (np.isfinite(points.values[:, :, m, 0]).sum(axis=1) >= 2).any():
            for c in range(points.n_dimensions):
                rounds = Rounds.from_array(
                    points.values[:, :, m, c], names=points.names, exchangeable=points.exchangeable
                )
                row.append(Labels.of(rounds))
        found.append(row)
    return found


def _products(
    labels: list[list[Labels]], f: FloatArray
) -> tuple[FloatArray, FloatArray, tuple[FloatArray, FloatArray]]:
    """Return what each item says about E|f − Y|², in halves, and its noise and number of labels.

    Means over its landmarks.
    """
    each, halves, noises, counts = [], [], [], []
    for m, row in enumerate(labels):
        if row:
            each.append(sum(x.products(f[:, m, c]) for c, x in enumerate(row)))
            halves.append(sum(half_products(x.values, f[:, m, c]) for c, x in enumerate(row)))
            noise = sum(x.noise()[0] for x in row)
            there = np.isfinite(each[-1])
            noises.append(np.where(there, noise, np.nan))
            counts.append(np.where(there, row[0].noise()[1], np.nan))
    mean = [_row_mean(np.column_stack(x)) for x in (each, halves, noises, counts)]
    return mean[0], mean[1], (mean[2], mean[3])


def _row_mean(x: FloatArray) -> FloatArray:
    count = np.isfinite(x).sum(axis=1)
    return np.asarray(np.where(count > 0, np.nansum(x, axis=1) / np.maximum(count, 1), np.nan))
