"""Floors and ceilings of points: what is answered, and how it is said."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annostat.results.cite import TOOL, Cited
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check, Provenance, Result, check_section, told_failed
from annostat.results.sections import Section
from annostat.results.text import counted, format_number, format_p, percent, plain

if TYPE_CHECKING:
    import pandas as pd

ALL = "all landmarks"
MOST_ROWS = 12  # of a table of a result


@dataclass(frozen=True, slots=True)
class PointLimit:
    """What a perfect model shows against one reader, for one measure and landmark.

    Attributes
    ----------
    measure : str
        "mean", "rms": floors of the radial error. "success": a ceiling of the share of points
        within `threshold` of the reader's. "oks": a ceiling of object keypoint similarity.
    landmark : str
        "all landmarks" for the pooled one.
    two_readers : Estimate
        The same of two readers: their mean distance, their RMS distance, the share within the
        threshold of each other.
    low, high : float
        Bracket of the perfect model's; equal where it is identified.
    gaussian : float
        Its value for Gaussian noise.
    interval : Interval or None
        Holds the perfect model's at its level.
    threshold : float or None
    unit : str
    """

    measure: str
    landmark: str
    two_readers: Estimate
    low: float
    high: float
    gaussian: float
    interval: Interval | None
    threshold: float | None = None
    unit: str = ""

    @property
    def floor(self) -> bool:
        """Whether less is better."""
        return self.measure in ("mean", "rms")

    @property
    def label(self) -> str:
        """The measure in words."""
        if self.measure == "success":
            unit = f" {self.unit}" if self.unit else ""
            return f"within {format_number(self.threshold)}{unit}"
        return {"mean": "mean radial error", "rms": "RMS radial error", "oks": "OKS"}[self.measure]

    def best(self) -> str:
        """Return the bracket as text."""
        low, high = (self._text(x) for x in (self.low, self.high))
        return low if low == high else f"{low} to {high}"

    def limits(self) -> str:
        """Return the interval as text."""
        if self.interval is None:
            return "–"
        return f"{self._text(self.interval.low)} to {self._text(self.interval.high)}"

    def _text(self, x: float) -> str:
        if self.interval is None:
            return format_number(x, None if math.isnan(x) else max(abs(x), 1e-300) / 30)
        return format_number(x, (self.interval.high - self.interval.low) / 4)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        i = self.interval
        return {
            "measure": self.measure,
            "landmark": self.landmark,
            "threshold": plain(self.threshold),
            "unit": self.unit if self.floor else "",
            "floor": self.floor,
            "two_readers": self.two_readers.to_dict(),
            "bracket": {"low": plain(self.low), "high": plain(self.high)},
            "gaussian": plain(self.gaussian),
            "low": None if i is None else plain(i.low),
            "high": None if i is None else plain(i.high),
            "level": None if i is None else i.level,
            "method": None if i is None else i.method,
        }


@dataclass(frozen=True, slots=True)
class PointBias:
    """What the second of two readers puts beside the first, on average.

    Attributes
    ----------
    landmark, first, second : str
    vector : tuple of float
        Mean of the second's point less the first's.
    p_value : float or None
        Hotelling's, Holm over all pairs and landmarks.
    """

    landmark: str
    first: str
    second: str
    vector: tuple[float, ...]
    p_value: float | None

    @property
    def length(self) -> float:
        """Length of the vector."""
        return math.sqrt(sum(v * v for v in self.vector))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "landmark": self.landmark,
            "first": self.first,
            "second": self.second,
            "vector": [plain(v) for v in self.vector],
            "length": plain(self.length),
            "p_value": plain(self.p_value),
        }


@dataclass(frozen=True, slots=True)
class Ellipse:
    """The noise of one reader at one landmark: its covariance, and its axes.

    Attributes
    ----------
    landmark : str
    covariance : float64 array of shape (d, d)
        Half of the mean of D Dᵀ, biases taken out.
    """

    landmark: str
    covariance: NDArray[np.float64]

    @property
    def axes(self) -> tuple[float, ...]:
        """SDs along the axes, the largest first."""
        values = np.linalg.eigvalsh(self.covariance)[::-1]
        return tuple(float(v) for v in np.sqrt(np.maximum(values, 0.0)))

    @property
    def angle(self) -> float:
        """Angle of the long axis from that of x, in degrees from 0 to 180, in two dimensions."""
        if len(self.covariance) != 2:
            return math.nan
        x, y = np.linalg.eigh(self.covariance)[1][:, -1]
        return float(math.degrees(math.atan2(y, x)) % 180)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "landmark": self.landmark,
            "covariance": plain(self.covariance),
            "axes_sd": [plain(v) for v in self.axes],
            "angle_degrees": plain(self.angle),
        }


@dataclass(frozen=True, slots=True)
class Swap:
    """Two landmarks that one reader seems to have exchanged on an item.

    Attributes
    ----------
    item : str
    landmarks : tuple of str
    readers : tuple of str
        The one who seems to have done it; of two readers both, as it cannot be told.
    """

    item: str
    landmarks: tuple[str, str]
    readers: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "item": self.item,
            "landmarks": list(self.landmarks),
            "readers": list(self.readers),
        }


@dataclass(frozen=True, slots=True)
class PointLength:
    """The distance between two landmarks, and the noise of one reader's.

    Attributes
    ----------
    first, second : str
    mean : float
        Mean length.
    sd : Estimate
        SD of one reader's noise: the floor of the RMSE of lengths against one reader.
    mae : Estimate
        Floor of their mean absolute error.
    from_ends : float
        The SD that the noise of the ends makes, if they err independently.
    """

    first: str
    second: str
    mean: float
    sd: Estimate
    mae: Estimate
    from_ends: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "first": self.first,
            "second": self.second,
            "mean": plain(self.mean),
            "sd": self.sd.to_dict(),
            "mae": self.mae.to_dict(),
            "from_ends": plain(self.from_ends),
        }


@dataclass(frozen=True)
class PointBounds(Result):
    """How near any model can come to the points of one reader.

    Attributes
    ----------
    limits : tuple of PointLimit
        Pooled ones first, then by landmark.
    ellipses : tuple of Ellipse
    biases : tuple of PointBias
    swaps : tuple of Swap
    unit : str
    n_items : int or None
    checks : tuple of Check
    provenance : Provenance
    lengths : tuple of PointLength
    """

    limits: tuple[PointLimit, ...]
    ellipses: tuple[Ellipse, ...]
    biases: tuple[PointBias, ...]
    swaps: tuple[Swap, ...]
    unit: str
    n_items: int | None
    checks: tuple[Check, ...]
    provenance: Provenance
    lengths: tuple[PointLength, ...] = ()

    def __getitem__(self, key: str | tuple[str, str]) -> PointLimit:
        """Return a limit by its measure ("mean", "rms"), or by (measure, landmark)."""
        measure, landmark = key if isinstance(key, tuple) else (key, ALL)
        for limit in self.limits:
            if limit.measure == measure and limit.landmark == landmark:
                return limit
        raise KeyError(key)

    def success(self, landmark: str = ALL) -> tuple[PointLimit, ...]:
        """Return the ceilings of success rates of a landmark, by threshold."""
        return tuple(x for x in self.limits if x.measure == "success" and x.landmark == landmark)

    @property
    def landmarks(self) -> tuple[str, ...]:
        """The landmarks, without the pooled one."""
        names = dict.fromkeys(x.landmark for x in self.limits)
        return tuple(n for n in names if n != ALL)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "n_items": self.n_items,
            "unit": self.unit,
            "limits": [x.to_dict() for x in self.limits],
            "ellipses": [x.to_dict() for x in self.ellipses],
            "biases": [x.to_dict() for x in self.biases],
            "swaps": [x.to_dict() for x in self.swaps],
            "lengths": [x.to_dict() for x in self.lengths],
            "quote": self.quote(),
            "checks": [c.to_dict() for c in self.checks],
            "provenance": self.provenance.to_dict(),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each measure and landmark."""
        import pandas as pd

        rows = []
        for limit in self.limits:
            row = limit.to_dict()
            two, bracket = row.pop("two_readers"), row.pop("bracket")
            extra = {"bracket_low": bracket["low"], "bracket_high": bracket["high"]}
            rows.append({**row, "two_readers": two["value"], **extra})
        return pd.DataFrame(rows)

    def answer(self) -> str:
        """Return the answer in one or two sentences."""
        unit = f" {self.unit}" if self.unit else ""
        mean = self["mean"]
        text = (
            f"Against one reader, even a perfect model is off by {mean.best()}{unit} on average. "
            "This is the floor: no model can show less, on average."
        )
        for limit in self.success()[1:2]:
            text += f" It puts {_share(limit)} of its points {limit.label} of that reader's."
        return text

    def quote(self) -> str:
        """Return what to quote."""
        unit = f" {self.unit}" if self.unit else ""
        found = [x for x in self.limits if x.landmark == ALL and x.floor and x.interval is not None]
        if not found:
            mean = self["mean"]
            return f"Floor of the mean radial error {mean.best()}{unit} ({mean.two_readers.note})."
        parts = [f"{x.label} {x.limits()}{unit}" for x in found]
        level = found[0].interval.level if found[0].interval else 0.95
        return f"Floor of the {', of the '.join(parts)} ({percent(level)})."

    def cited(self) -> Cited:
        """Return the sentences for a paper."""
        unit = f" {self.unit}" if self.unit else ""
        told = []
        for x in (x for x in self.limits if x.landmark == ALL and x.floor):
            held = "no interval"
            if x.interval is not None:
                held = f"{percent(x.interval.level)} CI {x.limits()}"
            told.append(f"{x.label} of {x.best()}{unit} ({held})")
        n = "" if self.n_items is None else f" of {counted(self.n_items, 'item')}"
        return Cited(
            "The least radial error that any model can show against one reader was derived from "
            f"the distances between readers' points{n} with {TOOL}; where these leave a range, "
            "both ends are given.",
            f"Against one reader, no model can, on average, show less than a {' or a '.join(told)}."
            + told_failed(self.checks),
        )

    def table(self) -> Section:
        """Return the pooled limits as a table."""
        rows = []
        for x in self.limits:
            if x.landmark == ALL:
                gauss = format_number(x.gaussian, max(abs(x.gaussian), 1e-300) / 30)
                note = "" if x.interval is not None else x.two_readers.note
                rows.append([x.label, x.two_readers.cell(), x.best(), x.limits(), gauss, note])
        columns = (
            "measure",
            "two readers",
            "perfect model",
            "with its limits",
            "Gaussian noise",
            "",
        )
        unit = f", {self.unit}" if self.unit else ""
        return Section(f"A perfect model against one reader{unit}", columns, rows[:MOST_ROWS])

    def by_landmark(self) -> Section:
        """Return one row for each landmark: floors, axes of the noise."""
        rows = []
        axes = {e.landmark: e for e in self.ellipses}
        for name in self.landmarks:
            mean, rms = self["mean", name], self["rms", name]
            ellipse = axes[name]
            sds = " × ".join(format_number(v, max(v, 1e-300) / 10) for v in ellipse.axes)
            angle = "" if math.isnan(ellipse.angle) else f" at {ellipse.angle:.0f}°"
            rows.append([name, mean.best(), mean.limits(), rms.best(), rms.limits(), sds + angle])
        columns = ("landmark", "floor of the mean", "limits", "floor of the RMS", "limits", "SDs")
        return Section("By landmark, and one reader's noise along its axes", columns, rows)

    def length_table(self) -> Section:
        """Return the noise of lengths between two landmarks."""
        unit = f", {self.unit}" if self.unit else ""
        rows = []
        for x in self.lengths:
            spread = max(x.from_ends, 1e-300) / 10
            ends = format_number(x.from_ends, spread)
            mean = format_number(x.mean, spread * 10)
            rows.append([f"{x.first}:{x.second}", mean, x.sd.cell(), x.mae.cell(), ends])
        columns = ("between", "mean", "floor of the RMSE", "floor of the MAE", "from the ends")
        line = (
            "From the ends: what their noise along the line makes, if they err independently; "
            "less than that stands where both ends are moved together."
        )
        return Section(f"Lengths, one reader's noise{unit}", columns, rows, (line,))

    def bias_table(self) -> Section:
        """Return the biases between readers that are seen, the surest first."""
        seen = [b for b in self.biases if b.p_value is not None and b.p_value < 0.05]
        seen.sort(key=lambda b: (b.p_value, -b.length))
        rows = []
        for b in seen[:MOST_ROWS]:
            vector = ", ".join(format_number(v, max(b.length, 1e-300) / 20) for v in b.vector)
            length = format_number(b.length, max(b.length, 1e-300) / 20)
            rows.append(
                [b.landmark, f"{b.second} − {b.first}", vector, length, format_p(b.p_value)]
            )
        return Section(
            "Biases between readers (taken out of the floors)",
            ("landmark", "readers", "mean vector", "length", "p"),
            rows,
        )

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        parts = [self.opening(), self.table()]
        if len(self.landmarks) > 1 or self.ellipses:
            parts.append(self.by_landmark())
        if self.lengths:
            parts.append(self.length_table())
        biases = self.bias_table()
        if biases.rows:
            parts.append(biases)
        if self.checks:
            parts.append(check_section(self.checks, when="all"))
        return parts


def _share(limit: PointLimit) -> str:
    low, high = f"{limit.low:.0%}", f"{limit.high:.0%}"
    return low if low == high else f"{low[:-1]} to {high}"
