"""Findings about traced outlines: their rows, their shape, one another, and the listed EF."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray
from annostat.datasets.audit.findings import Finding, Limits
from annostat.datasets.echonet import ROWS, EchoNet, Trace
from annostat.tables.folders import each_row

if TYPE_CHECKING:
    import pandas as pd

CHUNK = 128  # outlines whose edges are compared at once
CLEAR = 0.8  # share of clips that must agree on which phase the file names first
FEW = 8  # clips without which there is no such thing as the usual


def trace_findings(
    echo: EchoNet, frames: Mapping[str, tuple[int, int, int]], limits: Limits
) -> Iterator[Finding]:
    """Yield what is wrong with traces; `frames` holds number, height and width by clip."""
    listed = set(echo.clips["clip"])
    for trace, crossings in zip(echo.traces, count_crossings(echo.traces), strict=True):
        clip, who = trace.clip, f"frame {trace.frame}, annotator {trace.annotator + 1}"
        if clip not in listed:
            continue
        if echo.variant == "dynamic" and trace.n_rows != ROWS:
            told = f"{who}: {trace.n_rows} rows instead of {ROWS}"
            score = min(1.0, abs(trace.n_rows - ROWS) / ROWS)
            yield Finding(clip, "rows", score, told, trace.frame)
        if clip in frames:
            n, height, width = frames[clip]
            if trace.frame >= n > 0:
                told = f"{who}: the clip has {n} frames"
                yield Finding(clip, "frame_range", 1.0, told, max(n - 1, 0))
            beyond = np.maximum(-trace.outline, trace.outline - [width - 1, height - 1])
            out = (beyond > limits.outside).any(axis=1)
            if height and out.any():
                told = f"{who}: {out.sum()} of {out.size} corners, by up to {beyond.max():.1f} px"
                yield Finding(clip, "outside", float(out.mean()), told, trace.frame)
        if crossings:
            told = f"{who}: the outline crosses itself {crossings} times"
            yield Finding(clip, "self_intersecting", 1 - 1 / (1 + crossings), told, trace.frame)
    yield from _several(echo, limits)
    yield from _absent(echo, listed)


def _several(echo: EchoNet, limits: Limits) -> Iterator[Finding]:
    frames: dict[tuple[str, int], list[Trace]] = defaultdict(list)
    for trace in echo.traces:
        frames[trace.clip, trace.frame].append(trace)
    for (clip, frame), traces in frames.items():
        if len(traces) < 2:
            continue
        told = f"frame {frame}: {len(traces)} traces"
        yield Finding(clip, "several_annotators", 1 - 1 / len(traces), told, frame)
        best = [0.0] * len(traces)
        for i, j in combinations(range(len(traces)), 2):
            dice = _dice(traces[i], traces[j])
            best[i], best[j] = max(best[i], dice), max(best[j], dice)
        for trace, dice in zip(traces, best, strict=True):
            if dice < limits.dice:
                told = f"frame {frame}, annotator {trace.annotator + 1}: Dice {dice:.2f} at most"
                yield Finding(clip, "disjoint", 1 - dice, told, frame)


def _dice(a: Trace, b: Trace) -> float:
    """Return the Dice overlap of two outlines, filled on the pixels of the box of both."""
    corners = np.concatenate([a.outline, b.outline])
    low = np.floor(corners.min(axis=0))
    width, height = (np.ceil(corners.max(axis=0) - low) + 1).astype(int)
    if width * height > 1 << 22:  # outlines that are far apart
        return 0.0
    one, other = (t.moved(-low).mask(int(height), int(width)) for t in (a, b))
    total = int(one.sum() + other.sum())
    return 2 * int((one & other).sum()) / total if total else 0.0


def _absent(echo: EchoNet, listed: set[str]) -> Iterator[Finding]:
    for clip, n in echo.bad_rows:
        yield Finding(clip, "bad_rows", 1.0, f"{n} rows of its tracings hold no numbers")
    if echo.variant == "synthetic" or not echo.traced:
        return
    traced: dict[str, set[int]] = defaultdict(set)
    for trace in echo.traces:
        traced[trace.clip].add(trace.frame)
    said = defaultdict(list)
    for clip, words in echo.missing_phases:
        said[clip].append(words)
    for clip in dict.fromkeys(echo.clips["clip"]):
        frames = traced.get(clip, set())
        if not frames:
            yield Finding(clip, "untraced", 1.0, "no frame is traced")
        elif len(frames) == 1 or clip in said:
            told = f"only frame {min(frames)} is traced" if len(frames) == 1 else "a phase lacks"
            words = f" ({', '.join(said[clip])})" if clip in said else ""
            yield Finding(clip, "untraced", 0.5, told + words, min(frames))
    for clip in traced:
        if clip not in listed:
            yield Finding(clip, "unlisted", 0.5, "it is traced, but the list does not name it")


def count_crossings(traces: Sequence[Trace]) -> list[int]:
    """Return how many pairs of edges of each closed outline properly cross."""
    by_size: dict[int, list[int]] = defaultdict(list)
    for i, trace in enumerate(traces):
        by_size[len(trace.outline)].append(i)
    counts = [0] * len(traces)
    for n, members in by_size.items():
        if n < 4:
            continue
        step = max(1, CHUNK * 1600 // (n * n))
        for start in range(0, len(members), step):
            some = members[start : start + step]
            found = crossings(np.stack([traces[i].outline for i in some]))
            for i, count in zip(some, found, strict=True):
                counts[i] = int(count)
    return counts


def crossings(outlines: FloatArray) -> NDArray[np.int64]:
    """Return the number of crossings of each outline, shape (k, n, 2)."""
    p, q = outlines, np.roll(outlines, -1, axis=1)

    def side(a: FloatArray, b: FloatArray, c: FloatArray) -> FloatArray:
        """Return on which side of the edge a → b each point c lies, shape (k, n, n)."""
        edge, to = (b - a)[:, :, None], c[:, None] - a[:, :, None]
        cross = edge[..., 0] * to[..., 1] - edge[..., 1] * to[..., 0]
        # Points that lie on an edge but for rounding touch it; they do not cross it.
        size = np.abs(edge).sum(axis=-1) * (np.abs(to).sum(axis=-1) + 1.0)
        return np.where(np.abs(cross) > 1e-9 * size, np.sign(cross), 0.0)

    of_p, of_q = side(p, q, p), side(p, q, q)
    apart = of_p * of_q < 0
    both = apart & apart.transpose(0, 2, 1)
    return np.asarray(both.sum(axis=(1, 2)) // 2, dtype=np.int64)


def phase_table(echo: EchoNet) -> tuple[pd.DataFrame, str]:
    """Return the phases by area, and which one the file names first: "ED", "ES" or "".

    A file that names the phases in no order says nothing about them.
    """
    phases = echo.phases()
    two = phases[(phases["n_traced"] == 2) & (phases["ed_area_px2"] > phases["es_area_px2"])]
    if len(two) < FEW:
        return phases, ""
    share = float((two["first_frame"] == two["ed_frame"]).mean())
    return phases, "ED" if share >= CLEAR else "ES" if share <= 1 - CLEAR else ""


def area_findings(echo: EchoNet, limits: Limits) -> Iterator[Finding]:
    """Yield clips whose areas contradict the order of the file, or the listed EF."""
    phases, first = phase_table(echo)
    if first:
        other = phases["ed_frame" if first == "ED" else "es_frame"]
        for row in each_row(phases[(other != phases["first_frame"]) & (phases["n_traced"] == 2)]):
            told = (
                f"the file names {first} first nearly always, but here frame {row.first_frame} "
                f"has the {'smaller' if first == 'ED' else 'larger'} outline "
                f"({row.es_area_px2:.0f} and {row.ed_area_px2:.0f} px²)"
            )
            score = 1 - row.es_area_px2 / row.ed_area_px2
            yield Finding(row.clip, "ed_below_es", score, told, row.first_frame)
    listed = {row.clip: float(row.ef) for row in each_row(echo.clips)}
    traced = {r.clip: traced_ef(echo, r.clip, r.ed_frame, r.es_frame) for r in each_row(phases)}
    frames = {r.clip: int(r.es_frame) for r in each_row(phases)}
    yield from ef_findings(listed, traced, frames, limits)


def traced_ef(echo: EchoNet, clip: str, ed: int, es: int) -> float:
    """Return the EF in percent of two traced frames: by discs, or of areas to the power 1.5."""
    sizes = []
    for frame in (ed, es):
        traces = echo.traces_of(clip, frame)
        volumes = [t.volume_px3 for t in traces]
        if not np.isfinite(volumes).all():
            volumes = [t.area_px2**1.5 for t in traces]
        sizes.append(float(np.median(volumes)))
    return 100 * (1 - sizes[1] / sizes[0]) if sizes[0] > 0 else np.nan


def ef_findings(
    listed: Mapping[str, float],
    traced: Mapping[str, float],
    frames: Mapping[str, int],
    limits: Limits,
) -> Iterator[Finding]:
    """Yield items whose listed EF is far from the traced one, after what is usual in the folder."""
    gaps = {
        item: listed[item] - ef
        for item, ef in traced.items()
        if item in listed and np.isfinite(listed[item]) and np.isfinite(ef)
    }
    # Two ways to measure a volume differ by a bias that is nobody's error.
    usual = float(np.median(list(gaps.values()))) if len(gaps) >= FEW else 0.0
    for item, gap in gaps.items():
        if abs(gap - usual) > limits.ef_traced:
            told = f"EF {listed[item]:.1f}% listed, {traced[item]:.1f}% from the outlines"
            if abs(usual) >= 0.05:
                told += f" (usual difference {usual:+.1f})"
            yield Finding(item, "ef_traced", min(1.0, abs(gap - usual) / 100), told, frames[item])


def beat_findings(item: str, ed: float, es: float, fps: float, limits: Limits) -> Iterator[Finding]:
    """Yield ED and ES whose distance no heart rate within the limits allows.

    From ED to ES lies a systole, from ES to ED a diastole. The true time between two frames is
    up to one frame longer than their distance, or shorter.
    """
    if not (np.isfinite([ed, es, fps]).all() and fps > 0):
        return
    distance = int(abs(es - ed))
    order = "ED before ES" if ed < es else "ES before ED" if es < ed else "ED and ES on one frame"
    least = limits.shortest_diastole if es < ed else limits.shortest_systole
    time, most = distance / fps, limits.longest_systole
    seen = f"{order}, {distance} frames at {fps:g} per second: {1000 * time:.0f} ms"
    at = int(min(ed, es))
    if (distance + 1) / fps < least:
        told = f"{seen}, at {limits.heart_rate_max:g} beats a minute {1000 * least:.0f} ms"
        yield Finding(item, "phases_close", 1 - time / least, told, at)
    if es > ed and (distance - 1) / fps > most:
        told = f"{seen}, at {limits.heart_rate_min:g} beats a minute {1000 * most:.0f} ms"
        yield Finding(item, "phases_apart", 1 - most / time, told, at)
