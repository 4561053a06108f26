"""Detectors against the marks of one reader, and against the best that any detector can show."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from annostat._version import __version__
from annostat.ceilings.category_result import Ceiling
from annostat.ceilings.finding_result import FindingBounds
from annostat.ceilings.findings import FALSE_POSITIVES, finding_bounds
from annostat.errors import AnnostatError, check_level
from annostat.labels.findings import Findings
from annostat.labels.matching import Rule, match_findings
from annostat.resampling.clusters import cluster_codes
from annostat.resampling.inverted import ratio_limits
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check, Provenance, Result, check_section
from annostat.results.sections import Section

if TYPE_CHECKING:
    import pandas as pd

BELOW, WITHIN = "below the ceiling", "within the range"
BEYOND, OPEN = "beyond the ceiling", "not resolved"
SAID = {
    BELOW: "below the ceiling: a better detector exists",
    WITHIN: "within the range of the best possible detector: these marks show no better one",
    BEYOND: "beyond the ceiling, which no detector reaches by being right: it has seen these marks",
    OPEN: "not resolved: its limits reach into those of the ceiling",
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
    """

    name: str
    f1: Estimate
    sensitivity: float
    false_positives: float
    verdict: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "name": self.name,
            "f1": self.f1.to_dict(),
            "sensitivity": self.sensitivity,
            "false_positives_per_image": self.false_positives,
            "verdict": self.verdict,
        }


@dataclass(frozen=True)
class DetectorScores(Result):
    """Detectors against one reader, and the ceiling.

    Attributes
    ----------
    scores : tuple of DetectorScore
    bounds : FindingBounds
    provenance : Provenance
    """

    scores: tuple[DetectorScore, ...]
    bounds: FindingBounds
    provenance: Provenance

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
            "models": [s.to_dict() for s in self.scores],
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

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        rows = [
            [s.name, s.f1.cell(), f"{s.sensitivity:.2f}", f"{s.false_positives:.2f}", s.verdict]
            for s in self.scores
        ]
        best = self.bounds.f1
        rows.append(["best possible", f"{best.best()} ({best.limits()})", "", "", ""])
        columns = ("model", "F1", "sensitivity", "false positives per image", "")
        return [
            self.opening(),
            Section(f"Against {self.bounds.reader}", columns, rows),
            check_section(self.checks, when="all"),
        ]


def score_findings(
    findings: Findings, match: str | Rule | None = None, *, level: float = 0.95
) -> DetectorScores:
    """Return how detectors do against one reader, beside what the best possible one would.

    Parameters
    ----------
    findings : Findings
        Two or more readers, and models (`read_findings(models=...)`). All marks of a model count:
        cut its scores where it is used.
    match : str or Rule, optional
        As in `finding_bounds`.
    level : float

    Returns
    -------
    DetectorScores
        A verdict compares limits: a detector is "below the ceiling" only if its whole interval is
        below that of the ceiling.

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
    bounds = finding_bounds(people, match, false_positives=FALSE_POSITIVES, level=level)
    rule = Rule.of(match, findings.kind)
    scores = [_score(used, name, people.names, rule, bounds, level) for name in models]
    about = {"match": str(rule), "level": level, "models": list(models)}
    provenance = Provenance(__version__, used.digest(), len(used.items), None, about)
    return DetectorScores(tuple(scores), bounds, provenance)


def _score(
    used: Findings,
    name: str,
    readers: tuple[str, ...],
    rule: Rule,
    bounds: FindingBounds,
    level: float,
) -> DetectorScore:
    """Return the score of one detector: matched with each reader alone, all of them pooled."""
    codes = cluster_codes(used.cluster)
    unit = np.arange(len(used.items)) if codes is None else codes
    n = int(unit.max()) + 1
    both, of_model, of_reader = np.zeros(n), np.zeros(n), np.zeros(n)
    images = 0
    for reader in readers:
        pair = used.choose([name, reader])
        here = np.flatnonzero(pair.saw.all(axis=1))
        images += len(here)
        pair = pair.take(here)
        z = match_findings(pair, rule)
        at = unit[here][z.image]
        both += np.bincount(at, z.marked.all(axis=1), n)
        of_model += np.bincount(at, z.marked[:, 0], n)
        of_reader += np.bincount(at, z.marked[:, 1], n)
    top, bottom = 2 * both, of_model + of_reader
    value = float(top.sum() / bottom.sum()) if bottom.any() else math.nan
    size = 2.0 * len(readers)
    interval = None
    if n > 1 and bottom.any():
        low, high = ratio_limits(
            top, bottom, level=level, pseudo=((0.0, size), (size, size)), top=1.0
        )
        over = "images" if codes is None else "clusters"
        interval = Interval(min(low, value), max(high, value), level, f"inverted test over {over}")
    f1 = Estimate(value, None, interval, "", "" if interval is not None else "no interval")
    return DetectorScore(
        name,
        f1,
        float(both.sum() / max(of_reader.sum(), 1)),
        float((of_model - both).sum() / max(images, 1)),
        verdict_of(f1, bounds.f1),
    )


def verdict_of(f1: Estimate, ceiling: Ceiling) -> str:
    """Return what the limits of a detector's F1 and of the ceiling allow to say."""
    if f1.interval is None or ceiling.interval is None:
        return OPEN
    if f1.interval.high < ceiling.interval.low:
        return BELOW
    if f1.interval.low > ceiling.interval.high:
        return BEYOND
    return WITHIN if ceiling.low <= f1.value <= ceiling.high else OPEN
