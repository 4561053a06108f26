"""What functions of masks, points, findings, curves and scores of models may cost."""

from __future__ import annotations

import numpy as np
import pandas as pd

from annostat import cardiac, ceilings, consensus, labels, truth
from annostat import masks as geometry
from annostat.scaling import compare_scaling, compare_scaling_table, log_slope
from tests.bench.growth import data
from tests.bench.growth.case import ITEMS, MANY, PAIRS, SMALL, case, of, of_all

# ---- masks
case(
    "truth.compare_masks",
    "items",
    (10, 30, 100),
    of(lambda n: data.masks(n)[0], truth.compare_masks),
)
case(
    "truth.compare_masks",
    "raters",
    (3, 6, 12),
    of(lambda k: data.masks(20, k)[0], truth.compare_masks),
    PAIRS,
)
case(
    "truth.compare_masks",
    "side",
    (64, 128, 256),
    of(lambda s: data.masks(10, side=s)[0], truth.compare_masks),
    PAIRS,
)
case(
    "ceilings.dice_ceiling",
    "items",
    (10, 30, 100),
    of(lambda n: data.masks(n)[0], ceilings.dice_ceiling),
)
case(
    "ceilings.dice_ceiling",
    "raters, up to 8 (all subsets)",
    (2, 4, 8),
    of(lambda k: data.masks(20, k)[0], ceilings.dice_ceiling),
    3.0,
)
case(
    "ceilings.dice_ceiling",
    "raters",
    (6, 12, 24, 48),
    of(lambda k: data.masks(20, k)[0], ceilings.dice_ceiling),
    PAIRS,
)
case(
    "ceilings.dice_ceiling",
    "side",
    (64, 128, 256),
    of(lambda s: data.masks(10, side=s)[0], ceilings.dice_ceiling),
    PAIRS,
)
case(
    "ceilings.plan_masks",
    "items",
    (10, 20, 40),
    of(lambda n: data.masks(n)[0], ceilings.plan_masks, n_resamples=2),
)
case(
    "consensus.consensus",
    "items",
    (30, 100, 300),
    of(lambda n: data.masks(n)[0], consensus.consensus),
)
case(
    "consensus.staple",
    "items",
    (100, 300, 1_000),
    of(
        lambda n: (
            data.masks(n)[0].masks
            if hasattr(data.masks(1)[0], "masks")
            else data.masks(n)[0].values
        ),
        consensus.staple,
    ),
)


def _bayes(n):
    p = np.random.default_rng(1).random((1, n))
    return lambda: consensus.bayes_mask(probability=p)


case(
    "consensus.bayes_mask",
    "pixels",
    ITEMS,
    _bayes,
)
case(
    "consensus.signed_distance",
    "side",
    (128, 256, 512),
    of(lambda s: data.masks(1, side=s)[1][0], consensus.signed_distance),
    PAIRS,
)


def _two(n, side=64):
    return data.masks(n, side=side)[1], data.masks(n, 2, side=side)[1][::-1].copy()


case("masks.dice", "items", (100, 1_000, 4_000), of_all(_two, geometry.dice))
case("masks.iou", "items", (100, 1_000, 4_000), of_all(_two, geometry.iou))
case("masks.overlap", "items", (30, 100, 300), of_all(_two, geometry.overlap))
case(
    "masks.surface_distances",
    "side",
    (128, 256, 512),
    of_all(lambda s: [t[0] for t in _two(2, s)], geometry.surface_distances),
    PAIRS,
)
case(
    "masks.clean_masks",
    "items",
    (30, 100, 300),
    of(lambda n: data.masks(n)[1], geometry.clean_masks),
)
case(
    "masks.compare_cleanup",
    "items",
    (10, 30, 100),
    of_all(_two, geometry.compare_cleanup, n_resamples=0),
)


def _outline(n):
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return np.column_stack([50 + 30 * np.cos(angle), 50 + 20 * np.sin(angle)])


case("masks.polygon_area", "corners", MANY, of(_outline, geometry.polygon_area))
case("masks.polygon_mask", "corners", SMALL, of(_outline, geometry.polygon_mask, shape=(100, 100)))
case(
    "masks.polygon_coverage",
    "corners",
    SMALL,
    of(_outline, geometry.polygon_coverage, shape=(100, 100)),
)
case(
    "masks.outlines_mask",
    "corners",
    SMALL,
    of(lambda n: [_outline(n)], geometry.outlines_mask, shape=(100, 100)),
)

# ---- points and findings
case("ceilings.point_bounds", "items", SMALL, of(data.points, ceilings.point_bounds))
case(
    "truth.score_points",
    "items",
    SMALL,
    of_all(lambda n: (data.points(n), {"m": np.full((n, 2), 50.0)}), truth.score_points),
)
case(
    "labels.match_findings",
    "items",
    SMALL,
    of(data.findings, labels.match_findings, match="distance 1"),
)
case(
    "labels.match_findings",
    "readers",
    (4, 8, 16),
    of(lambda k: data.findings(100, k), labels.match_findings, match="distance 1"),
    PAIRS,
)
case(
    "ceilings.finding_bounds",
    "items",
    SMALL,
    of(data.findings, ceilings.finding_bounds, match="distance 1"),
)
case(
    "truth.score_findings",
    "items",
    SMALL,
    of(lambda n: data.findings(n, models=["2"]), truth.score_findings, match="distance 1"),
)


# ---- scaling
def _scores(n):
    sizes = np.geomspace(1e4, 1e8, n)
    noise = np.exp(0.02 * np.random.default_rng(1).normal(size=n))
    return sizes, (0.05 + 8 * sizes**-0.4) * noise


def _series(n):
    sizes, scores = _scores(12)
    return pd.DataFrame(
        {
            "n": np.tile(sizes, n),
            "y": np.tile(scores, n),
            "g": np.repeat(np.arange(n).astype(str), 12),
        }
    )


case(
    "scaling.compare_scaling",
    "points",
    (50, 200, 1_000),
    of_all(_scores, compare_scaling),
)
case(
    "scaling.compare_scaling_table",
    "series",
    (3, 10, 30),
    of(_series, compare_scaling_table, size="n", score="y", group="g"),
)
case("scaling.log_slope", "points", ITEMS, of_all(_scores, log_slope))

# ---- beats
case(
    "cardiac.pick_frames",
    "clips",
    (30, 100, 300),
    of(data.curves, cardiac.pick_frames, method="blind"),
)
case("cardiac.pick_blind", "frames", SMALL, of(lambda n: data.curves(1, n)[0], cardiac.pick_blind))
case(
    "cardiac.pick_nearest",
    "frames",
    SMALL,
    of(lambda n: data.curves(1, n)[0], cardiac.pick_nearest, reference=20.0),
)
case(
    "cardiac.pick_prominent",
    "frames",
    SMALL,
    of(lambda n: data.curves(1, n)[0], cardiac.pick_prominent),
)
case(
    "cardiac.beat_length", "frames", SMALL, of(lambda n: data.curves(1, n)[0], cardiac.beat_length)
)
case(
    "cardiac.first_frames",
    "clips",
    (1_000, 3_000, 10_000),
    of(lambda n: np.abs(data.curves(n, 40)), cardiac.first_frames, n_resamples=200),
)
case(
    "cardiac.score_afd",
    "clips",
    ITEMS,
    of_all(lambda n: data.picks(n).values.T, cardiac.score_afd),
)
case(
    "cardiac.score_ef",
    "clips",
    ITEMS,
    of_all(lambda n: data.values(n).values.T, cardiac.score_ef, reliability=0.9),
)
case(
    "cardiac.mask_areas",
    "frames",
    ITEMS,
    of(lambda n: np.ones((n, 32, 32), bool), cardiac.mask_areas),
)
case(
    "cardiac.disc_volumes",
    "frames",
    (30, 100, 300),
    of(lambda n: np.tile(data.masks(1)[1][:1], (n, 1, 1)), cardiac.disc_volumes),
)
case(
    "cardiac.ejection_fraction",
    "clips",
    MANY,
    of_all(
        lambda n: np.add(data.values(n).values.T, [[500.0], [200.0]]), cardiac.ejection_fraction
    ),
)
