"""The comparison of masks: models and raters, what is answered and how it is said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from annostat.ceilings.masks import DiceCeiling
from annostat.consensus.staple_masks import Staple
from annostat.errors import AnnostatError, shown
from annostat.labels.masks import MaskRounds
from annostat.masks.scores import Overlap
from annostat.results.cite import TOOL, Cited, ci, methods_of
from annostat.results.estimates import Estimate
from annostat.results.result import Check, Provenance, Result, check_section, told_failed
from annostat.results.sections import Section
from annostat.results.text import counted, percent, plain
from annostat.truth.mask_ranks import ALL, DiceDifference, ranking_of_dice
from annostat.truth.mask_verdicts import MaskVerdict
from annostat.truth.ranking import Ranking

if TYPE_CHECKING:
    import pandas as pd

FEW = 3  # models that are named in the answer; more are ranked there
METRICS = ("dice", "iou", "surface_distance", "hausdorff_95")


@dataclass(frozen=True)
class MaskScore:
    """A model's masks against single raters, and against the ceiling.

    Attributes
    ----------
    name : str
    label : int
    dice, iou : Estimate
        Mean over raters and items of the ceiling.
    gap : Estimate
        Ceiling − model, in Dice: what a better model could still gain.
    by_rater : mapping of str to float
        Mean Dice against each rater.
    check : Check
    verdict : MaskVerdict or None
        What its errors have in common with the raters'; None below three items.
    """

    name: str
    label: int
    dice: Estimate
    iou: Estimate
    gap: Estimate
    by_rater: Mapping[str, float]
    check: Check
    verdict: MaskVerdict | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "model": self.name,
            "label": self.label,
            "dice": self.dice.to_dict(),
            "iou": self.iou.to_dict(),
            "gap_to_ceiling": self.gap.to_dict(),
            "dice_by_rater": plain(dict(self.by_rater)),
            "check": self.check.to_dict(),
            "verdict": None if self.verdict is None else self.verdict.to_dict(),
        }


@dataclass(frozen=True, eq=False)
class MaskComparison(Result):
    """What the masks of several raters, and of models, say.

    Attributes
    ----------
    rounds : MaskRounds
    pairs : dict of (str, str) to Overlap
        Each rater (first) against each later one, on the items of both.
    ceilings : dict of int to DiceCeiling
        By label.
    quality : Staple
    models : tuple of MaskScore
    comparisons : tuple of DiceDifference
        Each two models, by structure and by the mean over structures.
    """

    rounds: MaskRounds
    pairs: dict[tuple[str, str], Overlap]
    ceilings: dict[int, DiceCeiling]
    quality: Staple
    models: tuple[MaskScore, ...]
    comparisons: tuple[DiceDifference, ...]
    provenance: Provenance

    def ranking(self, label: int | None = None) -> Ranking:
        """Return the ranks of the models.

        Parameters
        ----------
        label : int, optional
            The structure; by default the mean over structures, where there are several.

        Returns
        -------
        Ranking
            Models that are made of the raters' masks have no rank.
        """
        labels = self.rounds.labels
        if label is not None and label not in labels:
            raise AnnostatError(f"label must be one of {shown(labels, 9)}, got {label}")
        one = label if label is not None else (labels[0] if len(labels) == 1 else ALL)
        dice: dict[str, list[Estimate]] = {}
        for m in self.models:
            if one in (ALL, m.label):
                dice.setdefault(m.name, []).append(m.dice)
        return ranking_of_dice(
            dice,
            self.comparisons,
            label=one,
            level=float(self.provenance.options["level"]),
            left_out=sorted({m.name for m in self.models if m.check.passed is False}),
        )

    @property
    def checks(self) -> tuple[Check, ...]:
        """Of the ceilings, of STAPLE and of the models."""
        found = [c for ceiling in self.ceilings.values() for c in ceiling.checks]
        return (*found, *(score.check for score in self.models), *self.quality.checks)

    def disputed(self, n: int | None = None) -> pd.DataFrame:
        """Return the items on which raters overlap least, worst first: item, cluster, dice."""
        import pandas as pd

        dice = np.min([c.pair_dice for c in self.ceilings.values()], axis=0)
        order = np.argsort(dice, kind="stable")
        order = order[np.isfinite(dice[order])][:n]
        table = pd.DataFrame({"item": self.rounds.items[order]})
        if self.rounds.cluster is not None:
            table["cluster"] = self.rounds.cluster[order]
        return table.assign(n_raters=self.rounds.drawn[:, order].sum(axis=0), dice=dice[order])

    def to_frame(self) -> pd.DataFrame:
        """Return one row per pair of raters, label and metric."""
        import pandas as pd

        rows = [
            {"rater_a": a, "rater_b": b, "label": label, "metric": metric, **estimate.to_dict()}
            for (a, b), found in self.pairs.items()
            for (label, metric, how), estimate in found.summary.items()
            if how == "mean"
        ]
        return pd.DataFrame(rows)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        out = {
            "read": list(self.rounds.notes),
            "n_items": self.rounds.n_items,
            "raters": list(self.rounds.names),
            "labels": list(self.rounds.labels),
            "pairs": [
                {"rater_a": a, "rater_b": b, **found.to_dict()}
                for (a, b), found in self.pairs.items()
            ],
            "ceiling": [ceiling.to_dict() for ceiling in self.ceilings.values()],
            "staple": self.quality.to_dict(),
            "models": [score.to_dict() for score in self.models],
            "comparisons": [c.to_dict() for c in self.comparisons],
            "ranking": self.ranking().to_dict(),
            "most_disputed": self.disputed(20).to_dict("records"),
            "checks": [c.to_dict() for c in self.checks],
            "provenance": self.provenance.to_dict(),
        }
        whole: dict[str, Any] = plain(out)
        return whole

    def answer(self) -> str:
        """Return the ceiling of each structure, and which models are below it."""
        tops = [f"{ceiling.dice.short()}{self._of(k)}" for k, ceiling in self.ceilings.items()]
        text = (
            f"Against one rater, a perfect model has a mean Dice of {', '.join(tops)}: on average, "
            "no model can show more."
        )
        if len(self.models) > FEW * len(self.rounds.labels):
            under = len({m.name for m in self.models if (m.gap.low or 0.0) > 0})
            n = len({m.name for m in self.models})
            where = " in a structure" if len(self.rounds.labels) > 1 else ""
            return f"{text} {under} of {n} models are below it{where}. {self.ranking().answer()}"
        below = [f"{m.name}{self._of(m.label)}" for m in self.models if (m.gap.low or 0.0) > 0]
        rest = [f"{m.name}{self._of(m.label)}" for m in self.models if not (m.gap.low or 0.0) > 0]
        if below:
            text += f" Below the ceiling: {shown(below, 6)}."
        if rest:
            text += f" Not told from a perfect model: {shown(rest, 6)}."
        return text

    def quote(self) -> str:
        """Return the ceiling of each structure with its interval, and what two raters have."""
        told = []
        for i, (label, ceiling) in enumerate(self.ceilings.items()):
            e, level = ceiling.dice, ""
            if e.interval is not None and not i:
                level = f"{percent(e.interval.level)} "
            held = "no interval" if e.interval is None else f"{level}{e.range()}"
            told.append(f"{e.short()} ({held}){self._of(label)}, two raters {ceiling.pair.short()}")
        return f"Ceiling of Dice against one rater {'; '.join(told)}."

    def cited(self) -> Cited:
        """Return the sentences for a paper."""
        r = self.rounds
        ways = methods_of([c.dice for c in self.ceilings.values()])
        tops = [f"{ci(c.dice)}{self._of(label)}" for label, c in self.ceilings.items()]
        results = f"The ceiling of Dice against one rater was {' and '.join(tops)}."
        if gaps := [f"{ci(m.gap)} for `{m.name}`{self._of(m.label)}" for m in self.models]:
            results += f" The distance from it was {', '.join(gaps)}."
        return Cited(
            "The highest mean Dice that a model can reach against one rater was estimated from the "
            f"outlines of {r.n_raters} raters on {counted(r.n_items, 'image')} with {TOOL}"
            f"{f'; intervals: {ways}' if ways else ''}.",
            results + told_failed(self.checks),
        )

    def _of(self, label: int) -> str:
        return f" (label {label})" if len(self.rounds.labels) > 1 else ""

    def _overall(self) -> list[Section]:
        """Return the ranks by the mean over structures, beside those of each structure."""
        found, labels = self.ranking(), self.rounds.labels
        of_each = [self.ranking(label) for label in labels]
        cells = {
            m.name: [m.value.short(), *(each[m.name].span() for each in of_each)]
            for m in found.models
        }
        heads = ("mean Dice", *(f"rank, label {label}" for label in labels))
        return found.tables("Ranks over all structures", heads, cells)

    def _models(self, label: int, mine: list[MaskScore], of: str) -> list[Section]:
        """Return the table of the models of a structure, ranked where there are several."""
        cells = {m.name: [m.dice.cell(), m.gap.cell(), m.iou.short()] for m in mine}
        title = f"Models against one rater{of}"
        columns = ("Dice", "ceiling − Dice", "IoU")
        found = self.ranking(label)
        if len(found.models) < 2:
            rows = [[name, *row] for name, row in cells.items()]
            return [Section(title, ("model", *columns), rows)]
        gone = [["", name, *cells[name], ""] for name in found.left_out]
        tables = found.tables(title, columns, cells)
        return [replace(table, rows=[*table.rows, *gone]) for table in tables]

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        rounds = self.rounds
        several = len(rounds.labels) > 1
        read = [("" if i else "Read", note) for i, note in enumerate(rounds.notes)]
        sections = [Section(said=[*read, *self.opening().said])]
        for label, ceiling in self.ceilings.items():
            of = f" (label {label})" if several else ""
            head, *more, _ = ceiling.sections()
            lines = [f"{rounds.n_raters} raters, {rounds.n_items} items{of}.", *head.lines]
            sections += [Section(head.title + of, head.columns, head.rows, lines), *more]
            mine = [m for m in self.models if m.label == label]
            if mine:
                sections += self._models(label, mine, of)
        if several and len(self.models) > len(rounds.labels):
            sections[1:1] = self._overall()
        distances = any(o.distances is not None for o in self.pairs.values())
        metrics = METRICS if distances else METRICS[:2]
        unit = rounds.spacing_unit
        columns = (
            "raters",
            *(("label",) if several else ()),
            "items",
            "Dice",
            "interval",
            "IoU",
            *((f"distance ({unit})", f"95% Hausdorff ({unit})") if distances else ()),
        )
        rows = []
        for (a, b), found in self.pairs.items():
            for label in rounds.labels:
                values = [found.summary[label, metric, "mean"] for metric in metrics]
                rows.append(
                    [
                        f"{a}, {b}",
                        *((str(label),) if several else ()),
                        f"{found.n_frames}",
                        values[0].short(),
                        values[0].range(),
                        *(v.short() for v in values[1:]),
                    ]
                )
        sections.append(Section("Raters with each other (means over items)", columns, rows))
        sections.append(self.quality.sections()[0])
        worst = self.disputed(5)
        rows = [
            [str(r["item"]), str(r["n_raters"]), f"{r['dice']:.3f}"]
            for r in worst.to_dict("records")
        ]
        sections.append(Section("Most disputed items", ("item", "raters", "mean Dice"), rows))
        sections.append(check_section(self.checks, when="all"))
        return sections
