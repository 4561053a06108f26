"""The audit of a folder, from its files to one result."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from annostat._version import __version__
from annostat.arrays import digest
from annostat.datasets.audit import verdicts
from annostat.datasets.audit.camus_labels import camus_findings
from annostat.datasets.audit.findings import LISTS, Finding, Limits
from annostat.datasets.audit.measuring import Record, Task, measure_all, read_journal
from annostat.datasets.audit.prompts import annotation_noise, associate, read_prompts
from annostat.datasets.audit.result import Audit
from annostat.datasets.audit.sources import Source, open_source, with_measured
from annostat.datasets.audit.traces import (
    area_findings,
    beat_findings,
    phase_table,
    trace_findings,
)
from annostat.datasets.camus import Camus
from annostat.datasets.echonet import EchoNet
from annostat.errors import AnnostatError, check_level, printable, shown
from annostat.resampling.parallel import Progress
from annostat.results.result import Provenance
from annostat.tables.folders import each_row, plain_name

if TYPE_CHECKING:
    from annostat.labels.rounds import Rounds

__all__ = ["audit_folder"]

LIST, TRACINGS = LISTS


def audit_folder(
    folder: str | os.PathLike[str],
    *,
    journal: str | os.PathLike[str] | None = None,
    limits: Limits | None = None,
    prompts: str | os.PathLike[str] | None = None,
    noise: Rounds | None = None,
    errors: Mapping[str, Mapping[str, float]] | None = None,
    level: float = 0.95,
    n_jobs: int | None = 1,
    progress: Progress | None = None,
) -> Audit:
    """Audit a folder: its sampling rates, its splits, broken clips, broken labels, prompts.

    Parameters
    ----------
    folder : path
        EchoNet-Dynamic, EchoNet-Synthetic, EchoNet-Pediatric, CAMUS, or clips (in it, or in
        folders of it that are its splits). Links that leave it are not followed.
    journal : path, optional
        File to which every measured clip is written at once. A run that finds it goes on where
        the last one stopped; clips that changed since are measured again.
    limits : Limits, optional
        Where a sign becomes a finding.
    prompts : path, optional
        Responses of clips to prompts, as `read_prompts` takes them.
    noise : Rounds, optional
        Rounds of annotation of the same clips: their mean absolute difference is set beside the
        prompts. Without it, frames that several annotators traced give the spread of areas.
    errors : mapping of str to mapping of str to float, optional
        For each model its error by clip; its absolute value is set beside the prompts.
    level : float
        Level of the intervals of associations.
    n_jobs : int or None
        Processes that decode; -1 for all cores.
    progress : callable, optional
        Called as ``progress(done, total)`` after each clip.

    Returns
    -------
    Audit

    Raises
    ------
    AnnostatError
        If the folder, a list in it or a table beside it cannot be used. A clip or an image that
        cannot be used is a finding.

    Examples
    --------
    >>> audit = audit_folder("EchoNet-Dynamic", journal="audit.jsonl")  # doctest: +SKIP
    >>> audit.to_frame()[["item", "reason"]]  # doctest: +SKIP
    """
    level, limits = check_level(level), Limits() if limits is None else limits
    source = open_source(folder)
    responses = None if prompts is None else read_prompts(prompts)
    if responses is None and (noise is not None or errors):
        raise AnnostatError("noise and errors are set beside prompts: give prompts, too")
    place = None if journal is None else Path(journal)
    n_resumed = len(read_journal(place, source.tasks))
    records = measure_all(source.tasks, journal=place, n_jobs=n_jobs, progress=progress)
    table = with_measured(source.table, records)
    pairs = verdicts.duplicate_pairs(records, digests_of(source.tasks, records), limits)
    found = list(_findings(source, records, pairs, limits))
    findings = sorted(found, key=lambda f: (-f.score, f.item, f.reason))
    associations = []
    notes: list[str] = []
    if responses is not None:
        known = {*table["item"], *records}
        notes += _strangers("prompts", responses.index, known)
        outcomes = _outcomes(source, noise, errors)
        for name, values in outcomes.items():
            notes += _strangers(name, values, known)
        patients = {
            str(i): str(p)
            for i, p in zip(table["item"], table["patient"], strict=True)
            if p is not None
        }
        associations = associate(responses, outcomes, patient_of=patients or None, level=level)
    measured = sum(bool(r.get("signs", {}).get("n_frames")) for r in records.values())
    return Audit(
        source,
        table,
        tuple(findings),
        tuple(pairs),
        responses,
        tuple(associations),
        n_measured=measured,
        n_resumed=n_resumed,
        provenance=Provenance(
            __version__,
            _digest(source, records),
            len(table),
            None,
            {"limits": limits.to_dict(), "level": level},
        ),
        notes=tuple(notes),
    )


def _strangers(name: str, items: Iterable[str], known: Set[str]) -> list[str]:
    """Return in words how many items of a table the folder does not have; it must have some."""
    listed = [printable(item) for item in items]
    strange = [item for item in listed if item not in known]
    if listed and len(strange) == len(listed):
        raise AnnostatError(
            f"{name}: none of its {len(listed)} items is in the folder: it has "
            f"{shown(strange, 2)}, the folder {shown(sorted(known), 2)}"
        )
    if strange:
        return [f"{name}: {len(strange)} of {len(listed)} items are not in the folder."]
    return []


def _findings(
    source: Source,
    records: Mapping[str, Record],
    pairs: list[tuple[str, str, float]],
    limits: Limits,
) -> Iterator[Finding]:
    listed = source.table
    split_of = dict(zip(listed["item"], listed["split"], strict=True))
    for link in source.outside:
        yield Finding(link, "outside_link", 1.0, "it leads out of the folder")
    if source.kind != "camus":
        names = {t.item for t in source.tasks} | set(source.outside)
        missing = [item for item in dict.fromkeys(listed["item"]) if item not in names]
        if len(missing) > 1 and len(missing) == len(set(listed["item"])):
            told = f"none of the {len(missing):,} listed clips has a video"
            yield Finding(LIST, "missing_file", 1.0, told)
        else:
            alike = {plain_name(name): name for name in sorted(names)}
            for item in missing:
                told = "there is no video of that name"
                if plain_name(item) in alike:
                    told += f"; {alike[plain_name(item)]!r} differs by case or spaces only"
                yield Finding(item, "missing_file", 1.0, told)
        for item in names - set(split_of) - set(source.outside):
            yield Finding(item, "unlisted", 0.5, "the list does not name it", 0)
    yield from verdicts.clip_findings(records, limits)
    yield from verdicts.sector_findings(records, limits)
    yield from verdicts.list_findings(listed, records, limits)
    yield from verdicts.leaks_of_patients(listed)
    yield from verdicts.duplicate_findings(pairs, split_of)
    if isinstance(source.data, EchoNet):
        yield from _of_echonet(source.data, records, limits)
    elif isinstance(source.data, Camus):
        yield from camus_findings(source.data, records, limits)


def _of_echonet(echo: EchoNet, records: Mapping[str, Record], limits: Limits) -> Iterator[Finding]:
    yield from _cells(echo)
    if not echo.traced and echo.variant != "synthetic":
        told = f"it is a list of EchoNet-{echo.variant.capitalize()}, but there are no tracings"
        yield Finding(TRACINGS, "missing_file", 1.0, told)
    frames = {}
    listed = echo.clips[["clip", "n_frames", "height", "width"]].itertuples(index=False)
    for clip, *facts in listed:
        signs = records.get(clip, {}).get("signs", {})
        whole = not records.get(clip, {}).get("error", "no file")
        n = signs.get("n_frames", 0) if whole else np.nan_to_num(facts[0])
        height = signs.get("height", np.nan_to_num(facts[1]))
        width = signs.get("width", np.nan_to_num(facts[2]))
        frames[clip] = (int(n), int(height), int(width))
    yield from trace_findings(echo, frames, limits)
    yield from area_findings(echo, limits)
    fps = {row.clip: float(row.fps) for row in each_row(echo.clips)}
    phases, _ = phase_table(echo)
    for row in each_row(phases[phases["n_traced"] == 2]):
        stated = records.get(row.clip, {}).get("stated", {}).get("fps") or np.nan
        rate = fps.get(row.clip, np.nan)
        rate = stated if np.isnan(rate) else rate
        yield from beat_findings(row.clip, row.ed_frame, row.es_frame, rate, limits)


def _cells(echo: EchoNet) -> Iterator[Finding]:
    """Yield what of the list should be numbers and is not; a whole column is told once."""
    by_column: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for clip, column, text in echo.bad_cells:
        by_column[column].append((clip, text))
    for column, cells in by_column.items():
        if len(cells) > max(1, len(echo.clips) // 2):
            told = f"{len(cells):,} cells of {column} hold no number, such as {cells[0][1][:40]!r}"
            yield Finding(LIST, "bad_list", 1.0, told)
            continue
        for clip, text in cells:
            yield Finding(clip, "bad_list", 1.0, f"{column} is no number: {text[:40]!r}")


def _outcomes(
    source: Source, noise: Rounds | None, errors: Mapping[str, Mapping[str, float]] | None
) -> dict[str, Mapping[str, float]]:
    """Return what is set beside the prompts: the noise, and the error of each model."""
    outcomes: dict[str, Mapping[str, float]] = {}
    if noise is not None:
        outcomes["annotation noise"] = annotation_noise(noise)
    elif isinstance(source.data, EchoNet):
        spread = _spread_of_areas(source.data)
        if spread:
            outcomes["spread of traced areas"] = spread
    for model, values in (errors or {}).items():
        outcomes[f"error of {model}"] = {item: abs(v) for item, v in values.items()}
    return outcomes


def _spread_of_areas(echo: EchoNet) -> dict[str, float]:
    """Return by clip the mean SD of its annotators' areas, over their mean."""
    areas: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for trace in echo.traces:
        areas[trace.clip][trace.frame].append(trace.area_px2)
    spread = {}
    for clip, by_frame in areas.items():
        several = [
            np.std(a, ddof=1) / np.mean(a)
            for a in by_frame.values()
            if len(a) > 1 and np.mean(a) > 0
        ]
        if several:
            spread[clip] = float(np.mean(several))
    return spread


def digests_of(tasks: Sequence[Task], records: Mapping[str, Record]) -> dict[str, str]:
    """Return the SHA-256 of files that can be the same: those of one size and one mean frame.

    A file that cannot be read, or is there no more, has none: its record says so.
    """
    groups: dict[tuple[int, str], list[tuple[str, Path]]] = defaultdict(list)
    for task in tasks:
        with contextlib.suppress(OSError):
            size = 0 if task.path is None else task.path.stat().st_size
            if task.path is not None and size:
                thumb = records[task.item]["signs"].get("thumb", "")
                groups[size, thumb].append((task.item, task.path))
    digests = {}
    for group in groups.values():
        for item, path in group if len(group) > 1 else ():
            with contextlib.suppress(OSError), path.open("rb") as stream:
                digests[item] = hashlib.file_digest(stream, "sha256").hexdigest()
    return digests


def _digest(source: Source, records: Mapping[str, Record]) -> str:
    """Return a digest of the list and of what was measured: paths and times play no part."""
    import json

    kept = ({k: v for k, v in records[i].items() if k != "state"} for i in sorted(records))
    measured = (json.dumps(record, sort_keys=True) for record in kept)
    return digest(source.table.to_csv(index=False), *measured)
