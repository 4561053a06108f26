"""Distances between two labels: each is declared once, and everything else follows from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray, IntArray
from annostat.errors import AnnostatError, check_choice, check_number
from annostat.masks import count_pairs, scores_of, surface_distances
from annostat.results.text import squared

# Labels of m items by one and by another, of shape (m, ...), and the m distances between them.
Between: TypeAlias = Callable[[NDArray[Any], NDArray[Any]], FloatArray]
# Marks of the one, of the other, and those on the same finding, of m images each.
OnCounts: TypeAlias = Callable[[IntArray, IntArray, IntArray], FloatArray]
# The same with the size of a pixel of each item, (m, n_axes) or None.
Surface: TypeAlias = Callable[[NDArray[Any], NDArray[Any], FloatArray | None], FloatArray]


@dataclass(frozen=True, slots=True)
class Distance:
    """A distance between two labels of an item.

    Attributes
    ----------
    name : str
        How it is asked for.
    label : str
        What changes, in words: "the disagreement", "1 − Dice".
    kinds : tuple of {"numbers", "masks", "points", "findings"}
        The labels that it takes.
    unit : {"labels", "square", "none"}
        Whether it is in the unit of the labels, in its square, or a pure number.
    between : callable or None
        Takes the labels of m items by one and by another annotator, each of shape (m, ...), and
        returns m distances.
    spaced : callable or None
        The same with the size of a pixel, of shape (m, n_axes) or None.
    share : bool
        Whether it lies between 0 and 1.
    ratio : bool
        Whether verdicts on readers that are a sample rest on the ratio of mean distances.
    perfect : tuple of two floats, callable or None
        What a perfect model differs from a label by, over what two labels differ by: the least and
        the most that is possible, or a function of the latter that returns them; None where nothing
        general is known.
    threshold : float or None
        Of "further than".
    on_counts : callable or None
        Of findings: takes the marks of the one, of the other, and those that are the same finding,
        int64 of shape (m,) each, and returns m distances.
    counted_in : callable or None
        Of findings whose distance is a ratio of sums over images: its denominators.
    weight : callable or None
        What the mean is weighted by, as `between`: the distance is the ratio of the sums.
    """

    name: str
    label: str
    kinds: tuple[str, ...]
    unit: str = "labels"
    between: Between | None = None
    spaced: Surface | None = None
    share: bool = False
    ratio: bool = False
    perfect: tuple[float, float] | Callable[[float], tuple[float, float]] | None = None
    threshold: float | None = None
    on_counts: OnCounts | None = None
    counted_in: OnCounts | None = None
    weight: Between | None = None

    def perfect_at(self, among: float) -> tuple[float, float] | None:
        """Return `perfect` where two labels differ by `among`."""
        return self.perfect(among) if callable(self.perfect) else self.perfect

    def unit_of(self, labels: str) -> str:
        """Return the unit of the distance, given that of the labels."""
        return {"labels": labels, "square": squared(labels), "none": ""}[self.unit]

    def of(self, a: NDArray[Any], b: NDArray[Any], spacing: FloatArray | None) -> FloatArray:
        """Return the distances of m pairs of labels, float64 of shape (m,)."""
        if self.spaced is not None:
            return self.spaced(a, b, spacing)
        if self.between is None:
            raise AnnostatError(f"distance {self.name!r} has no function")
        return self.between(a, b)


def absolute(a: NDArray[Any], b: NDArray[Any]) -> FloatArray:
    """Return |a − b|."""
    return np.asarray(np.abs(a - b))


def square(a: NDArray[Any], b: NDArray[Any]) -> FloatArray:
    """Return (a − b)²."""
    return np.asarray((a - b) ** 2)


def differ(a: NDArray[Any], b: NDArray[Any]) -> FloatArray:
    """Return 1 where two labels differ, else 0."""
    return np.asarray(a != b, dtype=np.float64)


def radial(a: NDArray[Any], b: NDArray[Any]) -> FloatArray:
    """Return the Euclidean distance of points, the last axis being their coordinates."""
    d = a - b
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", d, d)))


def one_minus(score: str) -> Between:
    """Return 1 − Dice or 1 − IoU of binary masks; two empty masks are alike."""

    def between(a: NDArray[Any], b: NDArray[Any]) -> FloatArray:
        counts = count_pairs(np.ascontiguousarray(a), np.ascontiguousarray(b), 1)
        return np.asarray(1 - scores_of(counts, a[0].size, 1.0)[score])

    return between


def of_surfaces(place: int) -> Surface:
    """Return the mean (0) or 95th-percentile (2) distance of two masks' outlines."""

    def between(a: NDArray[Any], b: NDArray[Any], spacing: FloatArray | None) -> FloatArray:
        sizes = [None] * len(a) if spacing is None else list(spacing)
        found = [surface_distances(x, y, spacing=s)[place] for x, y, s in zip(a, b, sizes)]  # noqa: B905
        return np.asarray(found, dtype=np.float64)

    return between


def unmatched(a: IntArray, b: IntArray, both: IntArray) -> FloatArray:
    """Return the marks that only one of two has."""
    return np.asarray(a + b - 2 * both, dtype=np.float64)


def all_marks(a: IntArray, b: IntArray, both: IntArray) -> FloatArray:
    """Return the marks of two."""
    return np.asarray(a + b, dtype=np.float64)


def one_minus_f1(a: IntArray, b: IntArray, both: IntArray) -> FloatArray:
    """Return 1 − F1 of each image; two empty ones are alike."""
    return np.asarray(unmatched(a, b, both) / np.maximum(a + b, 1))


def best_detector(among: float) -> tuple[float, float]:
    """Return 1 − F1 of the best detector over that of two readers, whose F1 is f: f to √f."""
    return 1 / (1 + max(1 - among, 0.0) ** 0.5), 1.0


NUMBERS, MASKS, POINTS, FINDINGS = ("numbers",), ("masks",), ("points",), ("findings",)
# A perfect model is the middle of the law of labels. By the triangle inequality it is at least half
# as far from one label as two labels are from each other, and at most as far (Jensen); three
# quarters for symmetric one-peaked errors; exactly half of a mean square without bias.
DISTANCES = (
    Distance(
        "absolute", "the disagreement", NUMBERS, between=absolute, ratio=True, perfect=(0.5, 0.75)
    ),
    Distance(
        "squared",
        "the mean square disagreement",
        NUMBERS,
        "square",
        square,
        ratio=True,
        perfect=(0.5, 0.5),
    ),
    Distance("differ", "the disagreeing share", NUMBERS, "none", differ, share=True),
    Distance(
        "linear", "the disagreement", NUMBERS, between=absolute, ratio=True, perfect=(0.5, 1.0)
    ),
    Distance(
        "quadratic",
        "the mean square disagreement",
        NUMBERS,
        "square",
        square,
        ratio=True,
        perfect=(0.5, 0.5),
    ),
    Distance(
        "1-dice", "1 − Dice", MASKS, "none", one_minus("dice"), share=True, perfect=(0.5, 0.75)
    ),
    Distance("1-iou", "1 − IoU", MASKS, "none", one_minus("iou"), share=True),
    Distance("hd95", "the 95% Hausdorff distance", MASKS, spaced=of_surfaces(2)),
    Distance("surface", "the mean surface distance", MASKS, spaced=of_surfaces(0)),
    Distance(
        "radial", "the radial disagreement", POINTS, between=radial, ratio=True, perfect=(0.5, 1.0)
    ),
    Distance("further", "the share further than", (*NUMBERS, *POINTS), "none", share=True),
    Distance(
        "1-f1",
        "1 − F1",
        FINDINGS,
        "none",
        share=True,
        perfect=best_detector,
        on_counts=unmatched,
        counted_in=all_marks,
    ),
    Distance(
        "1-f1-image",
        "the mean 1 − F1 of an image",
        FINDINGS,
        "none",
        share=True,
        on_counts=one_minus_f1,
    ),
    Distance("unmatched", "the unmatched marks of an image", FINDINGS, on_counts=unmatched),
)
NAMES = tuple(d.name for d in DISTANCES)
DEFAULTS = {"numbers": "absolute", "masks": "1-dice", "points": "radial", "findings": "1-f1"}


def distance_of(
    asked: str | Distance | Callable[..., Any] | None, kind: str, threshold: float | None = None
) -> Distance:
    """Return the distance that was asked for, by name, as a function or as a `Distance`.

    Parameters
    ----------
    asked : str, Distance, callable or None
        A callable takes two arrays of shape (m, ...), the labels of m items by two annotators, and
        returns m numbers: it is called once for each two annotators, and never with a missing
        label. Of findings it takes three arrays of m images: the marks of the one, of the other,
        and those that are the same finding. None is the usual one of the kind.
    kind : {"numbers", "masks", "points", "findings"}
    threshold : float, optional
        Of "further", in the unit of the labels.
    """
    if asked is None:
        asked = DEFAULTS[kind]
    if threshold is not None and asked != "further":
        raise AnnostatError("threshold goes with distance='further' only")
    if isinstance(asked, Distance):
        found = asked
    elif callable(asked):
        name = getattr(asked, "__name__", "a function")
        words = f"the disagreement ({name})"
        if kind == "findings":
            return Distance(name, words, (kind,), "none", on_counts=asked)
        return Distance(name, words, (kind,), "none", asked)
    else:
        check_choice("distance", asked, NAMES)
        [found] = [d for d in DISTANCES if d.name == asked]
    if kind not in found.kinds:
        fitting = [d.name for d in DISTANCES if kind in d.kinds]
        raise AnnostatError(
            f"distance {found.name!r} is for {' or '.join(found.kinds)}, but these labels are "
            f"{kind}: take one of {', '.join(fitting)}"
        )
    if found.name == "further" and found.between is None:
        if threshold is None:
            raise AnnostatError("distance 'further' needs a threshold, in the unit of the labels")
        limit = check_number("threshold", threshold, low=0.0)
        inner = radial if kind == "points" else absolute

        def beyond(a: NDArray[Any], b: NDArray[Any]) -> FloatArray:
            return np.asarray(inner(a, b) > limit, dtype=np.float64)

        return replace(
            found, label=f"the share further than {limit:g}", between=beyond, threshold=limit
        )
    return found
