"""Whether probabilities are those with which annotators say a class: calibration against p.

The mean of labels has no bias for the mean of p, so that a bin of the reliability diagram needs no
truth; but a squared distance has. Products of labels of different items take the noise out of the
distance of a bin's mean (miscalibration), products of different annotators' labels of one item that
out of the whole distance E(f − p)²; the rest is what the model does not tell apart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from annostat.arrays import FloatArray, IntArray, dot
from annostat.errors import check_count, check_level
from annostat.labels.categories import Categories
from annostat.resampling.intervals import t_reach
from annostat.resampling.inverted import METHOD, ratio_limits
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Result
from annostat.results.sections import Section
from annostat.results.text import format_number, format_p, plain

if TYPE_CHECKING:
    import pandas as pd

BINS = 10
FEWEST = 10  # items of a bin


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Items of like probability.

    Attributes
    ----------
    n : int
    forecast : float
        Mean probability that the model gives.
    share : Estimate
        Share of labels that are of the class: mean of p.
    spread : float
        SD of p within the bin, from products of different annotators' labels: what the model does
        not tell apart.
    """

    n: int
    forecast: float
    share: Estimate
    spread: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "n_items": self.n,
            "forecast": plain(self.forecast),
            "share": self.share.to_dict(),
            "spread": plain(self.spread),
        }


@dataclass(frozen=True)
class CategoryCalibration(Result):
    """Calibration of one model's probabilities of one class against p.

    Attributes
    ----------
    model, of_class : str
    bins : tuple of CalibrationBin
        By the model's probability.
    excess : Estimate
        E(f − p)² of this class: the distance from the true probabilities, noise taken out.
    miscalibration : Estimate
        The part of it that recalibrating mends: between bins.
    p_value : float or None
        One-sided, of "recalibrating mends nothing"; too large rather than too small.
    """

    model: str
    of_class: str
    bins: tuple[CalibrationBin, ...]
    excess: Estimate
    miscalibration: Estimate
    p_value: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "model": self.model,
            "class": self.of_class,
            "bins": [b.to_dict() for b in self.bins],
            "excess": self.excess.to_dict(),
            "miscalibration": self.miscalibration.to_dict(),
            "p_value": plain(self.p_value),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per bin."""
        import pandas as pd

        rows = []
        for b in self.bins:
            row = b.to_dict()
            share = row.pop("share")
            rows.append(
                {**row, "share": share["value"], "low": share["low"], "high": share["high"]}
            )
        return pd.DataFrame(rows)

    def row(self) -> list[str]:
        """Return what a table of models shows."""
        return [
            self.model,
            self.of_class,
            self.excess.cell(),
            self.miscalibration.cell(),
            format_p(self.p_value),
        ]

    def table(self) -> Section:
        """Return the reliability diagram as a table."""
        rows = [
            [
                f"{b.n:,}",
                format_number(b.forecast, 0.05),
                b.share.cell(),
                format_number(b.spread, 0.05),
            ]
            for b in self.bins
        ]
        columns = (
            "items",
            f"{self.model} says {self.of_class} with",
            "annotators say it with",
            "SD of p within",
        )
        return Section("Reliability", columns, rows)

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        text = (
            f"{self.model}: squared distance from the true probabilities of {self.of_class} "
            f"{self.excess.cell()}, of which recalibrating mends {self.miscalibration.cell()}."
        )
        return [Section(lines=[text]), self.table()]


def calibrated(
    labels: Categories,
    proba: FloatArray,
    *,
    model: str = "model",
    of_class: str | None = None,
    n_bins: int = BINS,
    level: float = 0.95,
) -> CategoryCalibration:
    """Return how a model's probabilities of a class compare with those of annotators.

    Parameters
    ----------
    labels : Categories
        Items with two labels or more; clusters are the independent units.
    proba : float64 array of shape (n_items, n_classes)
    model : str
    of_class : str, optional
        The last class by default: the second of two.
    n_bins : int
        Bins with as many items each, ten at least; equal probabilities stay together.
    level : float

    Returns
    -------
    CategoryCalibration
        Miscalibration is Σ_b w_b (f̄_b − p̄_b)² by products over different units, with a jackknife
        interval, which is wide for a calibrated model, and a one-sided p-value of its t.

    Examples
    --------
    >>> rng = np.random.default_rng(2)
    >>> p = rng.beta(0.5, 0.5, 800)
    >>> labels = Categories.from_array((rng.random((800, 3)) < p[:, None]).astype(int))
    >>> sharp = p**3 / (p**3 + (1 - p) ** 3)
    >>> found = calibrated(labels, np.column_stack([1 - sharp, sharp]), model="sharp")
    >>> found.p_value < 0.001, found.miscalibration.interval.low > 0
    (True, True)
    """
    level = check_level(level)
    q = labels.n_classes - 1 if of_class is None else labels.classes.index(of_class)
    f = np.asarray(proba[:, q], dtype=np.float64)
    k = labels.readings.astype(np.float64)
    r = labels.counts[:, q].astype(np.float64)
    bins = _bins(f, check_count("n_bins", n_bins, low=1))
    unit, n_units = labels.units, labels.n_units
    both = (r * (r - 1)) / (k * (k - 1))  # both of two labels, without bias for p²
    square = f * f - 2 * f * r / k + both
    n_bins = int(bins.max()) + 1
    found = []
    for b in range(n_bins):
        inside = bins == b
        u = np.unique(unit[inside], return_inverse=True)[1]
        o = np.bincount(u, (r / k)[inside]).astype(np.float64)
        e = np.bincount(u).astype(np.float64)
        mean = float(o.sum() / e.sum())
        top = float(e.mean())
        low, high = ratio_limits(o, e, level=level, pseudo=((0.0, top), (top, top)), top=1.0)
        share = Estimate(mean, None, Interval(low, high, level, METHOD.format("units")))
        # Mean of p² less the square of the mean of p, which has the noise of the bin.
        error = float(((o - mean * e) ** 2).sum()) / e.sum() ** 2
        spread = math.sqrt(max(float(both[inside].mean()) - mean**2 + error, 0.0))
        found.append(CalibrationBin(int(inside.sum()), float(f[inside].mean()), share, spread))
    sums = np.zeros((n_units, n_bins))
    sizes = np.zeros((n_units, n_bins))
    np.add.at(sums, (unit, bins), f - r / k)
    np.add.at(sizes, (unit, bins), 1.0)
    mends = _miscalibration(sums, sizes, level)
    return CategoryCalibration(
        model,
        labels.classes[q],
        tuple(found),
        _mean(square, unit, n_units, level),
        mends,
        _p_value(mends, n_units),
    )


def _bins(f: FloatArray, n_bins: int) -> IntArray:
    """Return the bin of each item: equal numbers of items, equal probabilities together."""
    n = len(f)
    count = max(min(n_bins, n // FEWEST), 1)
    ends = np.unique(np.quantile(f, np.linspace(0, 1, count + 1)[1:-1], method="lower"))
    bins = np.searchsorted(ends, f, side="left")
    return np.asarray(np.unique(bins, return_inverse=True)[1], dtype=np.int64)


def _mean(x: FloatArray, unit: IntArray, n_units: int, level: float) -> Estimate:
    """Return a mean with its t interval over units."""
    value = float(x.mean())
    if n_units < 2:
        return Estimate(value, note="no interval: one independent unit")
    off = np.bincount(unit, x - value, n_units)
    error = math.sqrt(dot(off, off) * n_units / (n_units - 1)) / len(x)
    reach = t_reach(n_units - 1, level) * error
    interval = Interval(value - reach, value + reach, level, "t of cross products")
    return Estimate(value, error or None, interval)


def _miscalibration(sums: FloatArray, sizes: FloatArray, level: float) -> Estimate:
    """Return Σ_b w_b (mean difference of a bin)², by products over different units."""
    n = len(sums)
    total, size = sums.sum(axis=0), sizes.sum(axis=0)
    squares, own = (sums**2).sum(axis=0), (sizes**2).sum(axis=0)

    def value(t: FloatArray, s: FloatArray, t2: FloatArray, s2: FloatArray) -> FloatArray:
        pairs = s * s - s2
        with np.errstate(invalid="ignore", divide="ignore"):
            each = np.where(pairs > 0, (t * t - t2) / pairs, 0.0)
        return np.asarray((each * s).sum(axis=-1) / s.sum(axis=-1))

    whole = float(value(total, size, squares, own))
    if n < 3:
        return Estimate(whole, note="no interval: too few independent units")
    left = value(total - sums, size - sizes, squares - sums**2, own - sizes**2)
    error = math.sqrt((n - 1) / n * float(((left - left.mean()) ** 2).sum()))
    reach = t_reach(n - 1, level) * error
    interval = Interval(whole - reach, max(whole + reach, 0.0), level, "jackknife t")
    return Estimate(whole, error or None, interval)


def _p_value(miscalibration: Estimate, n_units: int) -> float | None:
    """Return the p-value of "calibrated", one-sided; it is too large rather than too small."""
    error = miscalibration.standard_uncertainty
    if error is None or n_units < 3:
        return None
    return float(special.stdtr(n_units - 1, -miscalibration.value / error))
