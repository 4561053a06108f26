"""Gauge R&R: how much of the spread of measurements is the gauge's, and how much the parts'."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from annostat._version import __version__
from annostat.arrays import FloatArray
from annostat.errors import AnnostatError, check_choice, check_level, check_numbers
from annostat.resampling.clusters import cluster_codes
from annostat.resampling.generators import Rng, as_generator, seed_of
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Provenance, Result
from annostat.results.sections import Section
from annostat.results.text import format_number, format_p

if TYPE_CHECKING:
    import pandas as pd

POOL_ABOVE = 0.25  # AIAG (2010), Measurement Systems Analysis: an interaction beyond is pooled
DRAWS = 20_000
ROUNDING = 1e-13  # a sum of squares below this share of the total is rounding


@dataclass(frozen=True)
class GaugeRR(Result):
    """Components of variance of a crossed gauge study, as standard deviations.

    Attributes
    ----------
    repeatability, reproducibility, gauge, parts, total : Estimate
        AIAG's EV, AV, GRR, PV and TV.
    distinct_categories : int or None
        ndc = ⌊1.41·PV/GRR⌋: the number of groups that the gauge can tell apart; None if the gauge
        shows no error at all.
    anova : list of dict
        Source, df, sum of squares, mean square, F and p; empty for the average-and-range method.
    interaction : bool
        True if the interaction was kept and belongs to the reproducibility.
    provenance : Provenance
    """

    repeatability: Estimate
    reproducibility: Estimate
    gauge: Estimate
    parts: Estimate
    total: Estimate
    distinct_categories: int | None
    anova: list[dict[str, Any]]
    interaction: bool
    provenance: Provenance

    @property
    def share_of_variation(self) -> float:
        """GRR/TV, AIAG's %GRR as a fraction."""
        return self.gauge.value / self.total.value if self.total.value > 0 else math.nan

    def _parts(self) -> dict[str, Estimate]:
        return {
            "repeatability": self.repeatability,
            "reproducibility": self.reproducibility,
            "gauge": self.gauge,
            "parts": self.parts,
            "total": self.total,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            **{name: e.to_dict() for name, e in self._parts().items()},
            "distinct_categories": self.distinct_categories,
            "interaction": self.interaction,
            "anova": self.anova,
            "provenance": self.provenance.to_dict(),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per component, with its share of the variance and of the variation."""
        import pandas as pd

        total = self.total.value
        rows = [
            {
                "component": name,
                **e.to_dict(),
                "share_of_variance": (e.value / total) ** 2 if total > 0 else math.nan,
                "share_of_variation": e.value / total if total > 0 else math.nan,
            }
            for name, e in self._parts().items()
        ]
        return pd.DataFrame(rows)

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        table = self.to_frame()
        rows = [
            [
                name,
                e.short(),
                e.range(),
                f"{100 * table.share_of_variation[i]:.1f}%",
                f"{100 * table.share_of_variance[i]:.1f}%",
            ]
            for i, (name, e) in enumerate(self._parts().items())
        ]
        columns = ("component", "SD", "interval", "of the variation", "of the variance")
        count = self.distinct_categories
        lines = [f"Number of distinct categories: {'no limit' if count is None else count}"]
        if self.gauge.interval is not None:
            lines.append("The intervals presume Gaussian parts, raters and repeats.")
        found = [Section("Gauge R&R", columns, rows, lines)]
        if self.anova:
            cells = [
                [
                    str(r["source"]),
                    str(r["df"]),
                    format_number(r["ss"]),
                    format_number(r["ms"]),
                    format_number(r["f"]),
                    format_p(r["p_value"]),
                ]
                for r in self.anova
            ]
            head = ("source", "df", "SS", "MS", "F", "p")
            found.append(Section("Analysis of variance", head, cells))
        return found


def gauge_rr(
    parts: ArrayLike,
    raters: ArrayLike,
    values: ArrayLike,
    *,
    interaction: bool | None = None,
    method: str = "anova",
    level: float = 0.95,
    rng: Rng = 0,
) -> GaugeRR:
    """Return the gauge R&R of a crossed study: parts × raters, with repeats.

    Parameters
    ----------
    parts, raters : array-like of shape (n,)
        Labels of the part (item) and of the rater of each measurement.
    values : array-like of shape (n,)
        Measurements; NaN means missing. Cells may hold different numbers of repeats.
    interaction : bool, optional
        True keeps the interaction of parts and raters, False pools it with the repeats. By
        default it is kept if its p-value is at most 0.25 (AIAG's rule), and cannot be kept where
        no cell has repeats.
    method : {"anova", "average-range"}
        "average-range" is AIAG's hand method for complete tables.
    level : float
        Confidence level of the generalised intervals (Burdick, Borror & Montgomery 2005), made
        from 20,000 draws of the mean squares; approximate for unbalanced studies. They presume
        Gaussian parts, raters and repeats; with heavy-tailed repeats that of the repeatability
        (χ²) is too narrow, and `annostat.agreement.repeatability` is not.
    rng : Generator, int or None

    Returns
    -------
    GaugeRR
        Components from the analysis of variance of random effects. Unbalanced studies use
        Henderson's third method: mean squares adjusted for the other effects, with the exact
        multiples of the components in their expectations. Negative components are set to zero.

    Raises
    ------
    AnnostatError
        If there are fewer than two parts or raters, or nothing is left to estimate the repeats.

    Notes
    -----
    AIAG (2010), Measurement Systems Analysis, 4th ed., ch. III.

    Examples
    --------
    >>> import numpy as np
    >>> g = np.random.default_rng(1)
    >>> part, rater = np.repeat(np.arange(10), 6), np.tile([0, 0, 1, 1, 2, 2], 10)
    >>> value = g.normal(0, 3, 10)[part] + g.normal(0, 0.5, 3)[rater] + g.normal(0, 1, 60)
    >>> study = gauge_rr(part, rater, value)
    >>> study.distinct_categories >= 2, 1.0 in study.repeatability.interval
    (True, True)
    """
    check_choice("method", method, ("anova", "average-range"))
    level = check_level(level)
    y, p, o = _columns(parts, raters, values)
    centre = float(y.mean())
    scale = float(np.max(np.abs(y - centre))) or 1.0
    z = (y - centre) / scale
    if method == "average-range":
        return _average_range(z, p, o, scale, level)
    table = _anova(z, p, o)
    f, p_value = table[2]["f"], table[2]["p_value"]
    keep = interaction
    if table[2]["df"] == 0 or table[3]["df"] == 0:
        if interaction:
            raise AnnostatError("interaction=True needs repeats within the cells of the study")
        keep = False
    elif keep is None:
        keep = bool(p_value <= POOL_ABOVE) if f is not None and math.isfinite(f) else True
    squares, df, expectation = _squares(table, keep)
    if df[-1] < 1:
        raise AnnostatError("nothing is left to estimate the repeatability: give repeats")
    draws = as_generator(rng).chisquare(df, (DRAWS, len(df)))
    solve = np.linalg.inv(expectation)
    drawn = (squares * df / draws) @ solve.T
    point = solve @ squares
    point_sd = scale * _deviations(np.maximum(point, 0.0), keep)
    # A draw is cut at zero after its components are added, not before: each cut adds to the sum,
    # and the interval of a reproducibility of 0 would leave 0 out in one study in ten.
    drawn_sd = scale * _deviations(drawn, keep)
    tails = np.quantile(drawn_sd, [(1 - level) / 2, (1 + level) / 2], axis=0)
    name = "generalised, 20,000 draws"
    made = [
        Estimate(float(v), None, Interval(float(a), float(b), level, name))
        for v, a, b in zip(point_sd, *tails, strict=True)
    ]
    repeat = float(point_sd[0])
    low, high = (
        repeat * math.sqrt(df[-1] / float(special.chdtri(df[-1], q)))
        for q in ((1 - level) / 2, (1 + level) / 2)
    )
    made[0] = Estimate(
        repeat, repeat / math.sqrt(2 * df[-1]), Interval(low, high, level, "chi-square")
    )
    rows = [{**row, "ss": row["ss"] * scale**2, "ms": row["ms"] * scale**2} for row in table]
    repeatability, reproducibility, gauge, part, total = made
    return GaugeRR(
        repeatability,
        reproducibility,
        gauge,
        part,
        total,
        _categories(point_sd[3], point_sd[2]),
        [{k: v for k, v in row.items() if k != "trace"} for row in rows],
        bool(keep),
        Provenance(__version__, "", len(y), seed_of(rng), {"level": level, "method": method}),
    )


def _columns(
    parts: ArrayLike, raters: ArrayLike, values: ArrayLike
) -> tuple[FloatArray, NDArray[np.int64], NDArray[np.int64]]:
    y = check_numbers("values", values).ravel()
    labels = [np.asarray(v, dtype=object).ravel() for v in (parts, raters)]
    if any(len(v) != len(y) for v in labels):
        raise AnnostatError(
            f"parts, raters and values must have one length, got "
            f"{len(labels[0])}, {len(labels[1])} and {len(y)}"
        )
    if np.isinf(y).any():
        raise AnnostatError(f"values: {int(np.isinf(y).sum())} of them are infinite")
    seen = np.isfinite(y)
    p, o = (cluster_codes(v[seen]) if seen.any() else None for v in labels)
    if p is None or o is None or p.max() < 1 or o.max() < 1:
        raise AnnostatError("a gauge study takes two or more parts and two or more raters")
    return y[seen], p, o


class _Space(NamedTuple):
    """A space of effects: the squares of y in it, its dimension, its traces.

    The traces are those of its projection about parts, raters and cells, as they stand in the
    expectations of mean squares.
    """

    squares: float
    dimension: int
    traces: tuple[float, float, float]


def _spaces(y: FloatArray, p: NDArray[np.int64], o: NDArray[np.int64]) -> dict[str, _Space]:
    """Return the spaces of raters, parts, both, and cells.

    Everything follows from the counts and sums of cells. That of both effects is the one of parts
    and what raters add to it, a system of as many equations as there are raters: parts are
    absorbed, so that no matrix grows with the square of the parts.
    """
    n, shape = float(len(y)), (int(p.max()) + 1, int(o.max()) + 1)
    place = p * shape[1] + o
    count = np.bincount(place, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)
    total = np.bincount(place, y, shape[0] * shape[1]).reshape(shape)
    swapped = shape[0] < shape[1]
    if swapped:  # absorb what there is more of
        count, total = count.T, total.T
    rows, columns = count.sum(axis=1), count.sum(axis=0)
    row_sums, column_sums = total.sum(axis=1), total.sum(axis=0)
    square = float((count**2 / rows[:, None]).sum())
    share = count / rows[:, None]
    gram = np.diag(columns) - count.T @ share
    values, vectors = np.linalg.eigh(gram)
    kept = values > 1e-9 * max(float(values[-1]), 1e-300)
    inverse = vectors[:, kept] / values[kept] @ vectors[:, kept].T
    moved = column_sums - share.T @ row_sums
    # Σ over cells of n²(e − share)(e − share)ᵀ, e the unit vector of the cell's column.
    n2 = count**2
    mixed = n2.T @ share
    inner = np.diag(n2.sum(axis=0)) - mixed - mixed.T + (share * n2.sum(axis=1)[:, None]).T @ share
    absorbed = float((row_sums**2 / rows).sum())
    within = _Space(absorbed, len(rows), (n, square, square))
    other = float((count**2 / columns).sum())
    across = _Space(float((column_sums**2 / columns).sum()), len(columns), (other, n, other))
    both = _Space(
        absorbed + float(moved @ inverse @ moved),
        len(rows) + int(kept.sum()),
        (n, n, square + float((inverse * inner).sum())),
    )
    full = count > 0
    cells = _Space(float((total[full] ** 2 / count[full]).sum()), int(full.sum()), (n, n, n))
    if swapped:
        within = within._replace(traces=(square, n, square))
        across = across._replace(traces=(n, other, other))
        return {"o": within, "p": across, "po": both, "c": cells}
    return {"p": within, "o": across, "po": both, "c": cells}


def _anova(y: FloatArray, p: NDArray[np.int64], o: NDArray[np.int64]) -> list[dict[str, Any]]:
    """Return the rows of the table, each with the traces of its expectation."""
    n = len(y)
    found = _spaces(y, p, o)
    full = _Space(float(y @ y), n, (float(n), float(n), float(n)))
    rows: list[dict[str, Any]] = []
    for source, big, small in (
        ("parts", found["po"], found["o"]),
        ("raters", found["po"], found["p"]),
        ("interaction", found["c"], found["po"]),
        ("repeats", full, found["c"]),
    ):
        ss, df = big[0] - small[0], big[1] - small[1]
        ss = ss if ss > ROUNDING * full[0] else 0.0
        trace = [max(a - b, 0.0) for a, b in zip(big[2], small[2], strict=True)]
        rows.append(
            {
                "source": source,
                "df": df,
                "ss": ss,
                "ms": ss / df if df else math.nan,
                "f": None,
                "p_value": None,
                "trace": trace,
            }
        )
    repeats, inter = rows[3], rows[2]
    if inter["df"] and repeats["df"] and repeats["ms"] > 0:
        inter["f"] = inter["ms"] / repeats["ms"]
        inter["p_value"] = float(special.fdtrc(inter["df"], repeats["df"], inter["f"]))
    below = inter if inter["df"] else repeats
    for row in rows[:2]:
        if below["df"] and below["ms"] > 0:
            row["f"] = row["ms"] / below["ms"]
            row["p_value"] = float(special.fdtrc(row["df"], below["df"], row["f"]))
    return rows


def _squares(table: list[dict[str, Any]], keep: bool) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return mean squares, degrees of freedom, and the matrix of their expectations.

    Columns: parts, raters, interaction (if kept), repeats.
    """
    parts, raters, inter, repeats = table
    if keep:
        rows = [parts, raters, inter, repeats]
        matrix = np.array([[*(t / r["df"] for t in r["trace"]), 1.0] for r in rows])
        return (np.array([r["ms"] for r in rows]), np.array([r["df"] for r in rows], float), matrix)
    df = inter["df"] + repeats["df"]
    pooled = (inter["ss"] + repeats["ss"]) / df if df else math.nan
    rows = [parts, raters]
    matrix = np.array(
        [*([*(t / r["df"] for t in r["trace"][:2]), 1.0] for r in rows), [0.0, 0.0, 1.0]]
    )
    return (
        np.array([parts["ms"], raters["ms"], pooled]),
        np.array([parts["df"], raters["df"], df], float),
        matrix,
    )


def _deviations(components: FloatArray, keep: bool) -> FloatArray:
    """Return EV, AV, GRR, PV, TV from components in the order of `_squares`."""
    parts, raters, repeat = components[..., 0], components[..., 1], components[..., -1]
    reproducibility = raters + (components[..., 2] if keep else 0.0)
    gauge = repeat + reproducibility
    found = np.stack([repeat, reproducibility, gauge, parts, gauge + parts], axis=-1)
    return np.asarray(np.sqrt(np.maximum(found, 0.0)))


def _categories(parts: float, gauge: float) -> int | None:
    return int(1.41 * parts / gauge) if gauge > 1e-6 * parts else None


def expected_range(n: int) -> tuple[float, float]:
    """Return mean d₂ and root mean square d₂* of the range of n standard normals."""
    from scipy import integrate

    def density(r: float) -> float:
        grid = np.linspace(-9.0, 9.0, 361)
        inside = special.ndtr(grid + r) - special.ndtr(grid)
        phi = np.exp(-0.5 * (grid**2 + (grid + r) ** 2)) / (2 * math.pi)
        return float(n * (n - 1) * integrate.simpson(inside ** (n - 2) * phi, x=grid))

    r = np.linspace(0.0, 14.0, 281)
    law = np.array([density(v) for v in r])
    return (
        float(integrate.simpson(r * law, x=r)),
        math.sqrt(float(integrate.simpson(r**2 * law, x=r))),
    )


def _average_range(
    y: FloatArray, p: NDArray[np.int64], o: NDArray[np.int64], scale: float, level: float
) -> GaugeRR:
    parts, raters = int(p.max()) + 1, int(o.max()) + 1
    counts = np.zeros((parts, raters), dtype=int)
    np.add.at(counts, (p, o), 1)
    trials = int(counts.max())
    if (counts != trials).any() or trials < 2:
        raise AnnostatError("the average-and-range method takes a complete study with repeats")
    order = np.lexsort((o, p))
    cube = y[order].reshape(parts, raters, trials)
    mean_range = float(np.ptp(cube, axis=2).mean())
    rater_range = float(np.ptp(cube.mean(axis=(0, 2))))
    part_range = float(np.ptp(cube.mean(axis=(1, 2))))
    repeat = mean_range / expected_range(trials)[0]
    reproduce = math.sqrt(
        max((rater_range / expected_range(raters)[1]) ** 2 - repeat**2 / (parts * trials), 0.0)
    )
    gauge = math.hypot(repeat, reproduce)
    part = part_range / expected_range(parts)[1]
    note = "no interval: the average-and-range method gives none"
    made = [
        Estimate(scale * v, note=note)
        for v in (repeat, reproduce, gauge, part, math.hypot(gauge, part))
    ]
    ev, av, grr, pv, tv = made
    return GaugeRR(
        ev,
        av,
        grr,
        pv,
        tv,
        _categories(part, gauge),
        [],
        False,
        Provenance(__version__, "", len(y), None, {"level": level, "method": "average-range"}),
    )
