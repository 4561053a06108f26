"""What an audit returns: counts, findings, pairs, prompts; as text, JSON, tables."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from annostat.datasets.audit.findings import LISTS, REASONS, Finding
from annostat.datasets.audit.prompts import Association
from annostat.datasets.audit.sources import Source
from annostat.datasets.audit.tiles import Tile, tile_of
from annostat.errors import check_count, printable
from annostat.files import safe_cell, write_text
from annostat.results.result import Provenance, Result
from annostat.results.sections import Section
from annostat.results.text import format_number, format_p, plain
from annostat.tables.folders import each_row

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Audit"]

QUANTILES = {"min": 0.0, "q25": 0.25, "median": 0.5, "q75": 0.75, "max": 1.0}
COLUMNS = ("item", "reason", "score", "evidence")
EXTREMES = 5
SHOWN = 15  # findings in the text; all of them are in the table


@dataclass(frozen=True, eq=False)
class Audit(Result):
    """An audited folder.

    The counts are those of this folder, all of it: they have no interval.

    Attributes
    ----------
    source : Source
        The folder and its tables.
    table : DataFrame
        One row for each listed item: item, split, patient, fps, n_frames, height, width, ef,
        edv_ml, esv_ml. The list's numbers; those of the file where the list has none.
    findings : tuple of Finding
        The worst first.
    pairs : tuple of (str, str, float)
        Clips that are the same (similarity 1), or look the same.
    responses : DataFrame or None
        Prompt responses by clip.
    associations : tuple of Association
    n_measured : int
        Clips that were decoded, wholly or in part.
    n_resumed : int
        Of these, how many an earlier run had measured.
    provenance : Provenance
    notes : tuple of str
        What of the tables beside the folder does not belong to it.
    """

    source: Source
    table: pd.DataFrame
    findings: tuple[Finding, ...]
    pairs: tuple[tuple[str, str, float], ...]
    responses: pd.DataFrame | None
    associations: tuple[Association, ...]
    n_measured: int
    n_resumed: int
    provenance: Provenance
    notes: tuple[str, ...] = ()

    # Tables

    @property
    def reasons(self) -> dict[str, int]:
        """How many items have each reason, in the order of `REASONS`."""
        pairs = {(f.item, f.reason) for f in self.findings}
        counts = Counter(reason for _, reason in pairs)
        return {reason: counts[reason] for reason in REASONS if reason in counts}

    @property
    def items(self) -> list[str]:
        """The items that have a finding, the worst first."""
        return list(dict.fromkeys(f.item for f in self.findings if f.item not in LISTS))

    def frame_rates(self) -> pd.DataFrame:
        """Return how many items have which frame rate: fps, n_items, share."""
        import pandas as pd

        known = self.table["fps"].dropna()
        counts = known.value_counts().sort_index()
        return pd.DataFrame(
            {
                "fps": counts.index.astype(float),
                "n_items": counts.to_numpy(),
                "share": counts.to_numpy() / max(len(known), 1),
            }
        )

    def lengths(self) -> dict[str, dict[str, float]]:
        """Return quantiles of the number of frames and of the duration in seconds."""
        frames = self.table["n_frames"]
        fps = self.table["fps"].where(self.table["fps"] > 0)
        return {"frames": _quantiles(frames), "seconds": _quantiles(frames / fps)}

    def sizes(self) -> pd.DataFrame:
        """Return how many items have which frame size: height, width, n_items."""
        known = self.table.dropna(subset=["height", "width"])
        counts = known.groupby(["height", "width"]).size()
        return counts.reset_index(name="n_items").astype(int)

    def splits(self) -> pd.DataFrame:
        """Return for each split its items, its patients, and items with a finding."""
        import pandas as pd

        found, rows = set(self.items), []
        for split, part in self.table.groupby("split"):
            patients = int(part["patient"].nunique())
            rows.append((split, len(part), patients, int(part["item"].isin(found).sum())))
        return pd.DataFrame(rows, columns=["split", "n_items", "n_patients", "n_with_findings"])

    def leakage(self) -> list[tuple[str, str, float]]:
        """Return the pairs of alike clips that stand in different splits."""
        split = dict(zip(self.table["item"], self.table["split"], strict=True))
        return [(a, b, s) for a, b, s in self.pairs if split.get(a, "") != split.get(b, "")]

    def extremes(self, n: int = EXTREMES) -> dict[str, dict[str, list[tuple[str, float]]]]:
        """Return for each prompt the clips that respond least and most, the extreme ones first."""
        n = check_count("n", n, low=1)
        found: dict[str, dict[str, list[tuple[str, float]]]] = {}
        if self.responses is None:
            return found
        for prompt in self.responses.columns:
            column = self.responses[prompt].dropna().sort_values(kind="stable")
            pairs = [(str(k), float(v)) for k, v in column.items()]
            found[str(prompt)] = {"least": pairs[:n], "most": pairs[::-1][:n]}
        return found

    def to_frame(self) -> pd.DataFrame:
        """Return one row per finding: item, reason, score, evidence."""
        import pandas as pd

        rows = [f.to_dict() for f in self.findings]
        return pd.DataFrame(rows, columns=list(COLUMNS))

    def write_corrupted(self, path: str | os.PathLike[str]) -> None:
        """Write the findings as CSV, whole: what every command takes as ``--exclude``.

        Names that begin a formula stand behind a ', as a spreadsheet would calculate them.
        """
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in (f.to_dict() for f in self.findings):
            cells = (row[c] for c in COLUMNS)
            writer.writerow([safe_cell(c) if isinstance(c, str) else c for c in cells])
        write_text(path, stream.getvalue())

    # Rendering

    def to_dict(self) -> dict[str, Any]:
        """Return the promised JSON object."""
        lengths = self.lengths()
        shape: dict[str, Any] = plain(
            {
                "read": self._read(),
                "kind": self.source.kind,
                "n_items": len(self.table),
                "n_measured": self.n_measured,
                "n_with_findings": len(self.items),
                "frame_rates": self.frame_rates().to_dict("records"),
                "lengths": lengths,
                "sizes": self.sizes().to_dict("records"),
                "splits": self.splits().to_dict("records"),
                "pairs": [{"a": a, "b": b, "similarity": s} for a, b, s in self.pairs],
                "leakage": [{"a": a, "b": b, "similarity": s} for a, b, s in self.leakage()],
                "reasons": self.reasons,
                "findings": [f.to_dict() for f in self.findings],
                "prompts": [
                    {"prompt": prompt}
                    | {
                        side: [{"item": i, "response": r} for i, r in rows]
                        for side, rows in ends.items()
                    }
                    for prompt, ends in self.extremes().items()
                ],
                "associations": [a.to_dict() for a in self.associations],
                "provenance": self.provenance.to_dict(),
            }
        )
        return shape

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        found = len(self.items)
        parts = [Section("Audit of a data set", lines=self._headline())]
        parts += [s for s in (self._rates(), self._splits()) if s.rows]
        if self.findings:
            rows = [[r, str(n), REASONS[r].split(" (")[0]] for r, n in self.reasons.items()]
            parts.append(Section("Findings", ("reason", "items", "meaning"), rows))
            first = [name for name in LISTS if any(f.item == name for f in self.findings)]
            worst = [self._first(item) for item in [*first, *self.items[:SHOWN]]]
            more = [f"... and {found - SHOWN} more items"] if found > SHOWN else []
            parts.append(
                Section("The worst items", ("item", "score", "reasons", "evidence"), worst, more)
            )
        return parts + self._prompts()

    def _read(self) -> list[str]:
        """Return what was read."""
        n, name = len(self.table), printable(self.source.folder.name)
        told = f"{name}: {n:,} items ({self.source.kind}), {self.n_measured:,} clips measured."
        return [told, *self.notes]

    def _headline(self) -> list[str]:
        found = len(self.items)
        lengths = self.lengths()["frames"]
        nothing = "Nothing was found." if not self.findings else "Findings are of the lists alone."
        lines = [
            *self._read(),
            f"{found:,} items have findings." if found else nothing,
        ]
        if lengths:
            lines.append(
                f"Clips have {lengths['min']:,.0f} to {lengths['max']:,.0f} frames "
                f"(median {lengths['median']:,.0f})."
            )
        sizes = [f"{r.height}×{r.width} ({r.n_items:,})" for r in each_row(self.sizes())]
        if sizes:
            lines.append(f"Frame sizes: {', '.join(sizes[:6])}{', ...' if sizes[6:] else ''}.")
        if self.n_measured and (self.table["split"] != "").any():
            leaks = self.leakage()
            many = f"{len(leaks)} pairs of alike clips stand"
            told = {0: "No pair of alike clips stands", 1: "1 pair of alike clips stands"}
            lines.append(f"{told.get(len(leaks), many)} in different splits.")
        return lines

    def _rates(self) -> Section:
        rates = self.frame_rates()
        rows = [
            [f"{r.fps:g}", f"{r.n_items:,}", f"{r.share:.1%}"]
            for r in each_row(rates.nlargest(10, "n_items", keep="first"))
        ]
        more = [f"... and {len(rates) - 10} more rates"] if len(rates) > 10 else []
        return Section("Frames per second", ("rate", "items", "share"), rows, more)

    def _splits(self) -> Section:
        table = self.splits()
        if list(table["split"]) == [""]:
            return Section()
        rows = [
            [
                r.split or "none",
                f"{r.n_items:,}",
                f"{r.n_patients:,}" if r.n_patients else "–",
                f"{r.n_with_findings:,}",
            ]
            for r in each_row(table)
        ]
        return Section("Splits", ("split", "items", "patients", "with findings"), rows)

    def _first(self, item: str) -> list[str]:
        own = [f for f in self.findings if f.item == item]
        reasons = ", ".join(dict.fromkeys(f.reason for f in own))
        return [item, f"{own[0].to_dict()['score']:.2f}", reasons, own[0].evidence]

    def _prompts(self) -> list[Section]:
        parts = []
        rows = [
            [prompt, side, ", ".join(f"{i} ({format_number(r)})" for i, r in clips)]
            for prompt, ends in self.extremes(3).items()
            for side, clips in ends.items()
        ]
        if rows:
            parts.append(Section("Prompts: least and most", ("prompt", "", "clips"), rows))
        if self.associations:
            rows = [
                [
                    a.prompt,
                    a.outcome,
                    str(a.n_items),
                    a.correlation.short(),
                    a.correlation.range(),
                    format_p(a.p_value),
                    format_p(a.p_adjusted),
                ]
                for a in self.associations
            ]
            columns = (
                "prompt",
                "goes with",
                "clips",
                "rank correlation",
                "interval",
                "p",
                "p, adjusted",
            )
            notes = sorted({a.correlation.note for a in self.associations} - {""})
            parts.append(Section("Prompts and errors", columns, rows, notes))
        return parts

    # Pictures

    def tiles(self, n: int = 12) -> list[Tile]:
        """Return pictures of the `n` worst items that have one; decodes these clips again."""
        n = check_count("n", n, low=1)
        tiles: list[Tile] = []
        for item in self.items:
            if len(tiles) == n:
                break
            own = [f for f in self.findings if f.item == item]
            tile = tile_of(self.source, item, own)
            if tile is not None:
                tiles.append(tile)
        return tiles


def _quantiles(values: pd.Series[float]) -> dict[str, float]:
    known = values.dropna().to_numpy(float)
    if not known.size:
        return {}
    return {name: float(np.quantile(known, q)) for name, q in QUANTILES.items()}
