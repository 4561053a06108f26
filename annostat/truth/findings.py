"""Detectors against the marks of one reader, and against the best that any detector can show."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import special

from annostat._version import __version__
from annostat.arrays import FloatArray, IntArray
from annostat.ceilings.category_result import Ceiling
from annostat.ceilings.finding_result import FindingBounds
from annostat.ceilings.findings import FALSE_POSITIVES, finding_bounds
from annostat.errors import AnnostatError, check_level
from annostat.labels.findings import Findings
from annostat.labels.matching import Rule, match_findings
from annostat.resampling.clusters import cluster_codes
from annostat.resampling.intervals import t_interval
from annostat.resampling.inverted import ratio_limits
from annostat.resampling.multiplicity import holm
from annostat.results.cite import TOOL, Cited, ci, methods_of
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check, Provenance, Result, check_section, told_failed
from annostat.results.sections import Section
from annostat.results.text import counted, format_number, format_p
from annostat.truth.category_result import ScoreDifference
from annostat.truth.finding_curve import AtRate, Curve, at_rates, curve_of

if TYPE_CHECKING:
    import pandas as pd

BELOW, WITHIN = "below the ceiling", "within the range"
BEYOND, OPEN = "beyond the ceiling", "not resolved"
MOST_ROWS = 12  # of a table that is shown unasked
SAID = {
    BELOW: "below the ceiling: a better detector exists",
    WITHIN: "within the range of the best possible detector: these marks show no better one",
    BEYOND: "beyond the ceiling, which no detector reaches by being right: it has seen these marks",
    OPEN: "not resolved: its limits reach into those of the ceiling",
}


@dataclass(frozen=True, slots=True)
class AgainstReader:
    """One detector against one reader by name.

    Attributes
    ----------
    reader : str
    f1 : Estimate
    ceiling : Ceiling
        Of any detector against that reader.
    verdict : str
    """

    reader: str
    f1: Estimate
    ceiling: Ceiling
    verdict: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "reader": self.reader,
            "f1": self.f1.to_dict(),
            "ceiling": self.ceiling.to_dict(),
            "verdict": self.verdict,
        }


@dataclass(frozen=True, slots=True)
class DetectorScore:
    """One detector against one reader at random.

    Attributes
    ----------
    name : str
    f1 : Estimate
    sensitivity : float
    false_positives : float
        Per image.
    verdict : str
        "below the ceiling", "within the range", "beyond the ceiling" or "not resolved".
    named : tuple of AgainstReader
        Against each reader by name; empty where readers are anonymous.
    froc : tuple of AtRate
        Cut by its scores, at false positives per image; empty without scores.
    """

    name: str
    f1: Estimate
    sensitivity: float
    false_positives: float
    verdict: str
    named: tuple[AgainstReader, ...] = ()
    froc: tuple[AtRate, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "name": self.name,
            "f1": self.f1.to_dict(),
            "sensitivity": self.sensitivity,
            "false_positives_per_image": self.false_positives,
            "verdict": self.verdict,
            "named": [n.to_dict() for n in self.named],
            "froc": [at.to_dict() for at in self.froc],
        }


@dataclass(frozen=True)
class DetectorScores(Result):
    """Detectors against one reader, and the ceiling.

    Attributes
    ----------
    scores : tuple of DetectorScore
    bounds : FindingBounds
    provenance : Provenance
    comparisons : tuple of ScoreDifference
        Of F1, of each two detectors on the same images.
    """

    scores: tuple[DetectorScore, ...]
    bounds: FindingBounds
    provenance: Provenance
    comparisons: tuple[ScoreDifference, ...] = ()

    @property
    def checks(self) -> tuple[Check, ...]:
        """What was checked of the readers and the matching."""
        return self.bounds.checks

    def __getitem__(self, name: str) -> DetectorScore:
        """Return the score of a detector."""
        for score in self.scores:
            if score.name == name:
                return score
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "quote": self.quote(),
            "models": [s.to_dict() for s in self.scores],
            "comparisons": [c.to_dict() for c in self.comparisons],
            "bounds": self.bounds.to_dict(),
            "checks": [c.to_dict() for c in self.checks],
            "provenance": self.provenance.to_dict(),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each detector."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "model": s.name,
                    "f1": s.f1.value,
                    "f1_low": s.f1.low,
                    "f1_high": s.f1.high,
                    "sensitivity": s.sensitivity,
                    "false_positives_per_image": s.false_positives,
                    "verdict": s.verdict,
                }
                for s in self.scores
            ]
        )

    def answer(self) -> str:
        """Return one sentence for each detector."""
        return " ".join(f"{s.name} is {SAID[s.verdict]}." for s in self.scores)

    def quote(self) -> str:
        """Return each detector's F1, and the ceiling."""
        told = ", ".join(f"{s.name} {s.f1.cell()}" for s in self.scores)
        best = self.bounds.f1
        ceiling = f"Ceiling {best.best()} ({best.limits()})."
        return f"F1 against {self.bounds.reader}: {told}. {ceiling}"

    def cited(self) -> Cited:
        """Return the sentences for a paper."""
        ways = methods_of([s.f1 for s in self.scores[:1]])
        told = [f"{ci(s.f1)} for `{s.name}`" for s in self.scores]
        best = self.bounds.f1
        n = counted(self.provenance.n_items, "image")
        return Cited(
            f"Detectors were matched with each of {counted(len(self.bounds.readers), 'reader')} on "
            f"{n} ({self.bounds.rule}); F1 was pooled over readers and held against its ceiling, "
            f"derived from the readers' marks with {TOOL}"
            f"{f'; intervals of F1: {ways}' if ways else ''}.",
            f"Against {self.bounds.reader}, F1 was {' and '.join(told)}; the ceiling was "
            f"{best.best()} ({best.limits()})." + told_failed(self.checks),
        )

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        rows = [
            [s.name, s.f1.cell(), f"{s.sensitivity:.2f}", f"{s.false_positives:.2f}", s.verdict]
            for s in self.scores
        ]
        best = self.bounds.f1
        rows.append(["best possible", f"{best.best()} ({best.limits()})", "", "", ""])
        columns = ("model", "F1", "sensitivity", "false positives per image", "")
        parts = [self.opening(), Section(f"Against {self.bounds.reader}", columns, rows)]
        named = [
            [s.name, n.reader, n.f1.cell(), f"{n.ceiling.best()} ({n.ceiling.limits()})", n.verdict]
            for s in self.scores
            for n in s.named
        ]
        if named:
            names = ("model", "reader", "F1", "best possible", "")
            when = "all" if len(named) > MOST_ROWS else ""
            parts.append(Section("Against each reader by name", names, named, when=when))
        if any(s.froc for s in self.scores):
            parts.append(self._froc())
        if self.comparisons:
            rows = [
                [f"{c.first} − {c.second}", c.difference.cell(), format_p(c.p_adjusted)]
                for c in self.comparisons
            ]
            heads = ("models", "difference of F1", "p (Holm)")
            parts.append(Section("Models against each other, on the same images", heads, rows))
        return [*parts, check_section(self.checks, when="all")]

    def _froc(self) -> Section:
        """Return the sensitivity of detectors that are cut by their scores, and the best one's."""
        scored = [s for s in self.scores if s.froc]
        best = {s.false_positives: s for s in self.bounds.froc}
        rows = []
        for i, at in enumerate(scored[0].froc):
            cells = [
                s.froc[i].sensitivity.cell() if not i or s.froc[i].cut < s.froc[i - 1].cut else "–"
                for s in scored
            ]
            b = best.get(at.rate)
            limits = "–" if b is None else f"{b.low:.2f} to {b.high:.2f}"
            rows.append([format_number(at.rate), *cells, limits])
        columns = ("false positives per image", *(s.name for s in scored), "best possible")
        line = (
            "Each is cut at its lowest score with no more false positives than that; –: no more "
            "marks."
        )
        return Section("Sensitivity, cut by scores", columns, rows, (line,))


def score_findings(
    findings: Findings,
    match: str | Rule | None = None,
    *,
    false_positives: Sequence[float] = FALSE_POSITIVES,
    level: float = 0.95,
) -> DetectorScores:
    """Return how detectors do against one reader, beside what the best possible one would.

    Parameters
    ----------
    findings : Findings
        Two or more readers, and models (`read_findings(models=...)`). All marks of a model count
        for its F1: `Findings.cut` leaves out those that score less. Where marks have scores,
        sensitivity is given at `false_positives` per image too, each at a cut of its own.
    match : str or Rule, optional
    false_positives : sequence of float
        As in `finding_bounds`.
    level : float

    Returns
    -------
    DetectorScores
        Each against one reader at random and against each by name, and two detectors against each
        other on the same images (t of the linearised difference of F1, Holm). A verdict compares
        limits: a detector is "below the ceiling" only if its whole interval is below that of the
        ceiling.

    Raises
    ------
    AnnostatError
        If there is no model, or as `finding_bounds`.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> rows = [(i // 4, r, 10.0 * (i % 4)) for i in range(400) for r in "ab" if rng.random() < 0.8]
    >>> rows += [(i, "net", 10.0) for i in range(100)]
    >>> table = pd.DataFrame(rows, columns=["image", "reader", "time"])
    >>> found = score_findings(Findings.from_frame(table, models=["net"]), "distance 1")
    >>> found["net"].verdict
    'below the ceiling'
    """
    level = check_level(level)
    models = findings.models
    if not models:
        raise AnnostatError("no model: name the reader that is one (models=['net'])")
    used = findings.take(np.flatnonzero(findings.without_models().saw.sum(axis=1) >= 2))
    people = used.without_models()
    bounds = finding_bounds(people, match, false_positives=false_positives, level=level)
    rule = Rule.of(match, findings.kind)
    counts = {name: _counts(used, name, people.names, rule) for name in models}
    curves = _curves(used, people.names, rule) if used.score is not None else {}
    about = {"match": str(rule), "level": level, "models": list(models)}
    return DetectorScores(
        tuple(
            replace(
                _score(name, c, people.names, bounds, level),
                froc=tuple(at_rates(curves[name], false_positives, level, units=c.units))
                if curves
                else (),
            )
            for name, c in counts.items()
        ),
        bounds,
        Provenance(__version__, used.digest(), len(used.items), None, about),
        tuple(_compared(counts, level)),
    )


class _Counts(NamedTuple):
    """Marks of a detector against each reader, by unit: float64 arrays of shape (n_units, k)."""

    both: FloatArray
    of_model: FloatArray
    of_reader: FloatArray
    images: int  # pairs of an image and a reader who saw it
    units: str

    @property
    def top(self) -> FloatArray:
        """Twice the matched marks: numerator of F1."""
        return 2 * self.both

    @property
    def bottom(self) -> FloatArray:
        """Marks of both: denominator of F1."""
        return self.of_model + self.of_reader


def _pairs(
    used: Findings, name: str, readers: tuple[str, ...]
) -> Iterator[tuple[Findings, IntArray]]:
    """Yield a detector with each reader alone, and the unit of each image that both saw."""
    unit = _units(used)
    for reader in readers:
        pair = used.choose([name, reader])
        here = np.flatnonzero(pair.saw.all(axis=1))
        yield pair.take(here), unit[here]


def _units(used: Findings) -> IntArray:
    codes = cluster_codes(used.cluster)
    return np.arange(len(used.items), dtype=np.int64) if codes is None else codes


def _counts(used: Findings, name: str, readers: tuple[str, ...], rule: Rule) -> _Counts:
    """Return the counts of one detector, matched with each reader alone."""
    n = int(_units(used).max()) + 1
    found = np.zeros((3, n, len(readers)))
    images = 0
    for j, (pair, unit) in enumerate(_pairs(used, name, readers)):
        images += len(pair.items)
        z = match_findings(pair, rule)
        at = unit[z.image]
        for row, marked in enumerate((z.marked.all(axis=1), z.marked[:, 0], z.marked[:, 1])):
            found[row, :, j] = np.bincount(at, marked, n)
    both, of_model, of_reader = found
    units = "images" if used.cluster is None else "clusters"
    return _Counts(both, of_model, of_reader, images, units)


def _curves(used: Findings, readers: tuple[str, ...], rule: Rule) -> dict[str, list[Curve]]:
    """Return the marks of each detector against each reader, by their scores."""
    n = int(_units(used).max()) + 1
    return {
        name: [curve_of(pair, unit, n, rule) for pair, unit in _pairs(used, name, readers)]
        for name in used.models
    }


def _score(
    name: str, counts: _Counts, readers: tuple[str, ...], bounds: FindingBounds, level: float
) -> DetectorScore:
    """Return the score of one detector: against one reader at random, all pooled, and each."""
    f1 = _f1(counts.top.sum(axis=1), counts.bottom.sum(axis=1), len(readers), counts.units, level)
    ceilings = {c.name: c for c in bounds.named}
    named = []
    for j, reader in enumerate(readers):
        one = _f1(counts.top[:, j], counts.bottom[:, j], 1, counts.units, level)
        if reader in ceilings:
            ceiling = ceilings[reader].ceiling
            named.append(AgainstReader(reader, one, ceiling, verdict_of(one, ceiling)))
    wrong = float((counts.of_model - counts.both).sum())
    return DetectorScore(
        name,
        f1,
        float(counts.both.sum() / max(counts.of_reader.sum(), 1)),
        wrong / max(counts.images, 1),
        verdict_of(f1, bounds.f1),
        tuple(named),
    )


def _f1(top: FloatArray, bottom: FloatArray, k: int, units: str, level: float) -> Estimate:
    """Return F1 from its parts by unit, against k readers."""
    if not bottom.any():
        return Estimate(math.nan, None, None, "", "no interval: nothing is marked")
    value = float(top.sum() / bottom.sum())
    if len(top) < 2:
        return Estimate(value, None, None, "", "no interval: it takes two images or patients")
    size = 2.0 * k
    low, high = ratio_limits(top, bottom, level=level, pseudo=((0.0, size), (size, size)), top=1.0)
    method = f"inverted test over {units}"
    interval = Interval(float(min(low, value)), float(max(high, value)), level, method)
    return Estimate(value, None, interval)


def _compared(counts: dict[str, _Counts], level: float) -> list[ScoreDifference]:
    """Return the differences of F1 of all pairs of detectors, on the same images.

    The t interval of the linearised difference, units are independent: each is
    (2·matched − F1·marks) of the one over its mean number of marks, less that of the other.
    """
    values, pulls = {}, {}
    for name, c in counts.items():
        top, bottom = c.top.sum(axis=1), c.bottom.sum(axis=1)
        values[name] = float(top.sum() / bottom.sum()) if bottom.any() else math.nan
        pulls[name] = (top - values[name] * bottom) / bottom.mean() if bottom.any() else top
    found: list[tuple[str, str, Estimate, float | None]] = []
    for first, second in itertools.combinations(counts, 2):
        d, gap = pulls[first] - pulls[second], values[first] - values[second]
        n = len(d)
        error = float(d.std(ddof=1) / math.sqrt(n)) if n > 1 else 0.0
        if not error > 0 or math.isnan(gap):
            note = "no interval: they never differ" if n > 1 else "no interval: one image"
            found.append((first, second, Estimate(gap, note=note), None))
            continue
        p = 2 * float(special.stdtr(n - 1, -abs(gap) / error))
        interval = t_interval(gap, error, n - 1, level, f"t, linearised, over {c.units}")
        found.append((first, second, Estimate(gap, error, interval), p))
    adjusted = holm([p for *_, p in found])
    return [ScoreDifference(*pair, q) for pair, q in zip(found, adjusted, strict=True)]


def verdict_of(f1: Estimate, ceiling: Ceiling) -> str:
    """Return what the limits of a detector's F1 and of the ceiling allow to say."""
    if f1.interval is None or ceiling.interval is None:
        return OPEN
    if f1.interval.high < ceiling.interval.low:
        return BELOW
    if f1.interval.low > ceiling.interval.high:
        return BEYOND
    return WITHIN if ceiling.low <= f1.value <= ceiling.high else OPEN
