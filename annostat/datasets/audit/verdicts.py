"""Findings about clips: signs against limits, the list against the files, clips against clips."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from annostat.datasets.audit.findings import Finding, Limits
from annostat.datasets.audit.measuring import Record
from annostat.datasets.audit.signs import read_thumbnail

if TYPE_CHECKING:
    import pandas as pd

FEW_CLIPS = 8  # fewer say nothing of what is common
LIT_ABOVE = 4.0  # grey levels of a cell of the mean frame that lies in the sector
CHUNK = 1024  # rows of similarities held at once
LAST_FRAMES = 1  # a writer may count one frame more or less


def clip_findings(records: Mapping[str, Record], limits: Limits) -> Iterator[Finding]:
    """Yield what the files of clips say by themselves."""
    for item, record in records.items():
        signs, stated = record.get("signs", {}), record.get("stated", {})
        n = signs.get("n_frames", 0)
        if record["error"]:
            place = f" after {n} frames" if n else ""
            yield Finding(item, "undecodable", 1.0, record["error"] + place, max(n - 1, 0))
        elif stated and n == 0:
            yield Finding(item, "undecodable", 1.0, "no frame can be decoded")
        if stated and not record["error"]:
            lacking = stated["n_frames"] - n
            if not stated["complete"] or (stated["n_frames"] and lacking > LAST_FRAMES):
                share = lacking / stated["n_frames"] if lacking > 0 else 0.5
                told = f"{n} frames of the {stated['n_frames']} that its header states"
                if not stated["complete"]:
                    told += ", and the file is shorter than its header says"
                yield Finding(item, "truncated", share, told, max(n - 1, 0))
        if n:
            yield from _odd_frames(item, signs, limits)
            jump = limits.jump if stated["intra"] else limits.jump_between
            yield from _odd_changes(item, signs, jump, limits)


def _odd_frames(item: str, signs: Record, limits: Limits) -> Iterator[Finding]:
    n = signs["n_frames"]
    for sign, reason in (("black", "black"), ("flat", "constant"), ("saturated", "saturated")):
        count, first = signs[sign]
        if count >= limits.odd_frames:
            told = f"{count} of {n} frames, the first is frame {first}"
            yield Finding(item, reason, count / n, told, first)


def _odd_changes(item: str, signs: Record, jump: float, limits: Limits) -> Iterator[Finding]:
    n = signs["n_frames"]
    run, start = signs["frozen"]
    if run >= limits.frozen:
        told = f"frame {start} is repeated {run} times in a row ({n} frames)"
        yield Finding(item, "frozen", run / n, told, start)
    excess, broken, row = signs["torn"]
    torn = excess > limits.torn
    if torn:
        told = f"frame {broken} breaks at row {row}: {excess:.1f} times the noise of rows"
        yield Finding(item, "torn", 1 - limits.torn / excess, told, broken)
    ratio, frame, levels = signs["jump"]
    # A torn frame is a jump as well, and is told once.
    told_before = torn and frame - broken in (0, 1)
    if ratio > jump and levels > limits.jump_levels and not told_before:
        told = f"frame {frame} differs from the one before {ratio:.1f} times as much as most do"
        yield Finding(item, "jump", 1 - jump / ratio, told, frame)


def sector_findings(records: Mapping[str, Record], limits: Limits) -> Iterator[Finding]:
    """Yield clips whose lit area is unlike the one that most clips share."""
    lit = {
        item: read_thumbnail(record["signs"]["thumb"]) > LIT_ABOVE
        for item, record in records.items()
        if record.get("signs", {}).get("n_frames")
    }
    if len(lit) < FEW_CLIPS:
        return
    common = np.mean(list(lit.values()), axis=0) >= 0.5
    for item, area in lit.items():
        if not area.any():
            continue  # black: told as such
        overlap = float((area & common).sum() / (area | common).sum())
        if overlap < limits.sector:
            told = (
                f"its lit area shares {overlap:.0%} with that of most clips "
                f"({area.mean():.0%} of the frame against {common.mean():.0%})"
            )
            yield Finding(item, "sector", 1 - overlap, told, 0)


def list_findings(
    table: pd.DataFrame, records: Mapping[str, Record], limits: Limits
) -> Iterator[Finding]:
    """Yield what the list says of its clips that the files or the list itself contradict."""
    counts = table["item"].value_counts(sort=False)
    for item, n in counts[counts > 1].items():
        splits = sorted(set(table.loc[table["item"] == item, "split"]))
        told = f"it stands in {n} rows of the list"
        if len(splits) > 1:
            told += f", in the splits {' and '.join(splits)}"
        yield Finding(str(item), "bad_list", 1.0, told)
    columns = ("item", "n_frames", "height", "width", "fps", "ef", "edv_ml", "esv_ml")
    for item, *facts in table[list(columns)].itertuples(index=False):
        frames, height, width, fps, ef, edv, esv = (float(v) for v in facts)
        record = records.get(item, {})
        signs = record.get("signs", {})
        n = signs.get("n_frames", 0)
        if n and frames == frames and frames != n and not record["error"]:
            told = f"{n} frames decoded, {frames:.0f} listed"
            yield Finding(item, "frame_count", abs(n - frames) / max(n, frames), told, n - 1)
        if n and height == height and (height, width) != (signs["height"], signs["width"]):
            told = f"{signs['height']}×{signs['width']} pixels decoded, {height:.0f}×{width:.0f}"
            yield Finding(item, "frame_size", 1.0, f"{told} listed", 0)
        impossible = []
        if fps <= 0:
            impossible.append(f"a frame rate of {fps:g}")
        if frames < 1 or frames % 1 > 0:
            impossible.append(f"a number of frames of {frames:g}")
        if height < 1 or width < 1:
            impossible.append(f"frames of {height:g}×{width:g} pixels")
        if not (ef != ef or 0 <= ef <= 100):
            impossible.append(f"an EF of {ef:g}%")
        if edv <= 0 or esv < 0:
            impossible.append(f"an EDV of {edv:g} ml and an ESV of {esv:g} ml")
        elif edv < esv:
            impossible.append(f"an EDV of {edv:g} ml below the ESV of {esv:g} ml")
        if impossible:
            yield Finding(item, "bad_list", 1.0, "it lists " + " and ".join(impossible))
        elif edv > 0 and ef == ef:
            expected = 100 * (edv - esv) / edv
            if abs(ef - expected) > limits.ef_volumes:
                told = f"EF {ef:.1f}% listed, {expected:.1f}% from {edv:.1f} and {esv:.1f} ml"
                yield Finding(item, "ef_volumes", abs(ef - expected) / 100, told)


def leaks_of_patients(table: pd.DataFrame) -> Iterator[Finding]:
    """Yield the clips of patients who stand in several splits."""
    known = table[table["patient"].notna() & (table["split"] != "")]
    for patient, rows in known.groupby("patient", sort=False):
        splits = sorted(set(rows["split"]))
        if len(splits) > 1:
            for item in dict.fromkeys(rows["item"]):
                told = f"patient {patient} stands in {' and '.join(splits)}"
                yield Finding(str(item), "patient_leak", 1.0, told)


def duplicate_pairs(
    records: Mapping[str, Record], digests: Mapping[str, str], limits: Limits
) -> list[tuple[str, str, float]]:
    """Return pairs of clips that are the same (1.0), or look the same (their similarity)."""
    groups: dict[str, list[str]] = {}
    for item, digest in digests.items():
        groups.setdefault(digest, []).append(item)
    same = {(g[0], other) for g in groups.values() for other in g[1:]}
    pairs = [(a, b, 1.0) for a, b in sorted(same)]
    copies = {b for _, b in same}
    items = [
        item
        for item, record in records.items()
        if record.get("signs", {}).get("n_frames") and item not in copies
    ]
    if len(items) < 2:
        return pairs
    mean = _standardised([records[i]["signs"]["thumb"] for i in items])
    motion = _standardised([records[i]["signs"]["motion"] for i in items])
    still = np.abs(motion).max(axis=1) == 0
    for start in range(0, len(items), CHUNK):
        rows = slice(start, start + CHUNK)
        alike: NDArray[np.float32] = mean[rows] @ mean.T
        for i, j in zip(*np.nonzero(alike >= limits.similarity), strict=True):
            a, b = int(i) + start, int(j)
            if a >= b:
                continue
            moved = 1.0 if still[a] and still[b] else float(motion[a] @ motion[b])
            if moved >= limits.motion_similarity:
                pairs.append((items[a], items[b], min(float(alike[i, j]), moved, 0.9999)))
    return pairs


def _standardised(thumbs: list[str]) -> NDArray[np.float32]:
    """Return thumbnails as vectors of mean 0 and length 1, or 0 where they are constant."""
    cells = np.stack([read_thumbnail(t).ravel() for t in thumbs])
    cells -= cells.mean(axis=1, keepdims=True)
    length = np.linalg.norm(cells, axis=1, keepdims=True)
    return np.asarray(cells / np.where(length > 1e-3, length, np.inf), dtype=np.float32)


def duplicate_findings(
    pairs: list[tuple[str, str, float]], split_of: Mapping[str, str]
) -> Iterator[Finding]:
    """Yield both clips of each pair."""
    for a, b, similarity in pairs:
        splits = split_of.get(a, ""), split_of.get(b, "")
        weight = 1.0 if splits[0] != splits[1] else 0.5
        for item, other, at in ((a, b, splits[1]), (b, a, splits[0])):
            where = f" ({at})" if at else ""
            if similarity == 1.0:
                yield Finding(item, "duplicate", weight, f"same bytes as {other}{where}", 0)
            else:
                told = f"similarity {similarity:.3f} to {other}{where}"
                yield Finding(item, "near_duplicate", weight * similarity, told, 0)
