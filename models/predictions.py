"""What a student says of the clips of a store: one pass over whole clips, counts kept."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat.cardiac import beat_length, disc_volumes, ejection_fraction, pick_blind
from models.command import counter
from models.data.reference import HALF
from models.data.store import Example, Store
from models.network.predict import predict_many, together
from models.network.student import Student
from models.overlap import FloatArray, IntArray, count_pairs, overlap_of


@dataclass(frozen=True)
class Drawn:
    """The student against what people drew, one row for each outline.

    Attributes
    ----------
    clip, frame, structure : int64 arrays of shape (n,)
        Number of the clip and of the structure; several people may have drawn on a frame.
    counts : int64 array of shape (n, 3)
        Pixels in both, in the student's mask, in the person's.
    teachers : int64 array of shape (n, 3) or None
        The same with the teachers' masks in the place of the person's.
    """

    clip: IntArray
    frame: IntArray
    structure: IntArray
    counts: IntArray
    teachers: IntArray | None = None


@dataclass(frozen=True)
class Predictions:
    """What a student says of the clips of a store.

    Attributes
    ----------
    names : list of str
    counts : list of int64 arrays of shape (structures, T, 3)
        Pixels in both, in the student's mask and in the target, of each frame; empty if the store
        has no targets.
    outlines : bool array of shape (n, 2, H, W), or None
        The first structure at the labelled ED and ES; None if some clip has no labelled frames.
    es : float64 array of shape (n,)
        Picked frame of end-systole within the labelled beat; NaN where there is none.
    ef : float64 array of shape (n,)
        Ejection fraction in percent, of disc volumes at the student's own ED and ES; NaN where a
        mask is empty.
    areas : list of float64 arrays of shape (T,)
        Expected area of the first structure in pixels, frame by frame.
    drawn : Drawn or None
        The student against what people drew; None if nobody did.
    ed : float64 array of shape (n,) or None
        Picked frame of end-diastole within the labelled beat, as `es`.
    shared : dict of (int, int, int) to bool array of shape (H, W)
        The student's masks where several people drew: by clip, frame and structure.
    """

    names: list[str]
    counts: list[IntArray]
    outlines: NDArray[np.bool_] | None
    es: FloatArray
    ef: FloatArray
    areas: list[FloatArray] = field(default_factory=list)
    drawn: Drawn | None = None
    ed: FloatArray | None = None
    shared: dict[tuple[int, int, int], NDArray[np.bool_]] = field(default_factory=dict)

    def frame_errors(self, structure: int = 0) -> list[FloatArray]:
        """Return 1 − Dice of each frame, for each clip."""
        return [1 - overlap_of(c[structure])["dice"] for c in self.counts]


def predictions(
    student: Student,
    store: Store,
    *,
    structures: Sequence[str] = (),
    pad: int = 0,
    how: str = "mirror",
    largest: bool = False,
    quiet: bool = True,
) -> Predictions:
    """Run a student over all clips of a store.

    Parameters
    ----------
    student : Student
    store : Store
    structures : sequence of str
        Names of the student's outputs, to find what people drew of them.
    pad, how, largest
        As in `models.network.predict.predict`.
    quiet : bool
    """
    counts, outlines, areas, drawn = [], [], [], []
    read: list[tuple[float, float, float]] = []  # ED, ES, ejection fraction
    shared: dict[tuple[int, int, int], NDArray[np.bool_]] = {}
    masks = masks_of(student, store, range(len(store)), pad=pad, how=how, largest=largest)
    with counter("Masks", len(store), quiet=quiet) as done:
        for k, soft in enumerate(masks):
            clip = store.clip(k)
            if clip.targets is not None:
                counts.append(_pairs(soft, clip.targets))
            frames = labelled(clip.facts)
            if frames is not None:
                outlines.append(soft[frames, 0] >= HALF)
            area = expected_area(soft[:, 0])
            areas.append(area)
            read.append(read_masks(soft[:, 0], area, clip.facts))
            drawn += _drawn(k, clip, soft, structures)
            shared |= _shared(k, clip, soft, structures)
            done(k + 1)
    ed, es, ef = np.array(read, dtype=np.float64).reshape(-1, 3).T
    whole = np.stack(outlines) if len(outlines) == len(store) else None
    return Predictions(
        names=store.names,
        counts=counts,
        outlines=whole,
        es=es,
        ef=ef,
        areas=areas,
        drawn=_table(drawn, store.targets is not None) if drawn else None,
        ed=ed,
        shared=shared,
    )


def read_masks(
    soft: NDArray[np.uint8], area: FloatArray, facts: dict[str, Any]
) -> tuple[float, float, float]:
    """Return ED, ES and ejection fraction of one clip, from its soft masks (T, H, W) and areas.

    ED and ES are picked within the labelled beat; NaN where nothing can be said.
    """
    frames = labelled(facts)
    from_es = frames is not None and frames[1] < frames[0]
    es, ef = beat_of(soft, beat_around(facts, area), from_es=from_es)
    return blind_pick(area, window_of(facts, area, "ED"), "ED"), es, ef


def masks_of(
    student: Student, store: Store, numbers: Sequence[int], **options: Any
) -> Iterator[NDArray[np.uint8]]:
    """Yield the masks of some clips; on a GPU several clips go through together."""
    n = together(student)
    for start in range(0, len(numbers), n):
        frames = [np.asarray(store.clip(k).frames) for k in numbers[start : start + n]]
        yield from predict_many(student, frames, **options)


def expected_area(soft: NDArray[np.uint8]) -> FloatArray:
    """Return the expected number of pixels inside, frame by frame, from soft masks (T, H, W)."""
    return np.asarray(soft.sum(axis=(1, 2), dtype=np.float64) / 255)


def labelled(facts: dict[str, Any]) -> list[int] | None:
    """Return the labelled frames of ED and ES, or None if one of them is not known."""
    pair = [facts.get(name) for name in ("ed", "es")]
    if any(not isinstance(f, (int, float)) or not math.isfinite(f) for f in pair):
        return None
    return [int(f) for f in pair]  # type: ignore[arg-type]


def beat_around(facts: dict[str, Any], area: FloatArray) -> tuple[int, int]:
    """Return first frame and end of the beat that the labels are of.

    Facts may hold it ("beat"). Otherwise it begins at the labelled ED and is as long as the
    student's own curve says (`length_of_beat`); if ES is labelled before ED, the beat ends at ED.
    Where the curve shows no second beat, or nothing is labelled, the beat reaches to the end of the
    clip. The labelled ES is looked at only for being before or after ED.
    """
    n = len(area)
    if facts.get("beat") is not None:
        first, last = facts["beat"]
        return int(first), int(last)
    frames = labelled(facts)
    if frames is None:
        return 0, n
    ed, es = frames
    length = length_of_beat(facts, area)
    if es >= ed:
        return ed, n if math.isnan(length) else min(n, max(ed + round(length), es + 1))
    return 0 if math.isnan(length) else max(0, min(ed - round(length), es)), ed + 1


def length_of_beat(facts: dict[str, Any], area: FloatArray) -> float:
    """Return the length of a beat in frames, NaN if a curve shows one beat only.

    Facts may hold it ("beat"). Otherwise it is that of `annostat.cardiac.beat_length`, which looks
    at lags of up to half of a clip; of longer beats, of which a clip holds less than two, it is the
    median distance of neighbouring deep minima within the clip.
    """
    if facts.get("beat") is not None:
        return float(facts["beat"][1] - facts["beat"][0])
    length = beat_length(area) if len(area) >= 3 else math.nan
    pick = pick_blind(area) if math.isnan(length) and len(area) >= 5 else None
    if pick is None:
        return length
    deep = (float(area.min()) + float(np.median(area))) / 2
    inner = [t for t in pick.candidates if 0 < t < len(area) - 1 and area[t] < deep]
    return float(np.median(np.diff(inner))) if len(inner) > 1 else math.nan


def window_of(facts: dict[str, Any], area: FloatArray, phase: str = "ES") -> tuple[int, int]:
    """Return first frame and end of the frames among which a phase is picked.

    For ES this is `beat_around`. For ED it is the beat that ends at the labelled ES, or begins
    there if ED is labelled after it: ED itself would stand at an end of `beat_around`, where a pick
    can be late but not early. The labelled ED is looked at only for being before or after ES.
    """
    frames, n = labelled(facts), len(area)
    if phase == "ES" or frames is None:
        return beat_around(facts, area)
    ed, es = frames
    length = length_of_beat(facts, area)
    if ed <= es:
        return 0 if math.isnan(length) else max(0, min(es - round(length), ed)), es + 1
    return es, n if math.isnan(length) else min(n, max(es + round(length), ed + 1))


def blind_pick(area: FloatArray, window: tuple[int, int], phase: str = "ES") -> float:
    """Return the frame that `annostat.cardiac.pick_blind` picks among some, NaN if there is none.

    Of fewer than five frames nothing is picked.
    """
    first, last = window
    part = area[first:last]
    pick = pick_blind(part, phase=phase) if len(part) >= 5 else None
    return math.nan if pick is None else float(first + pick.frame)


def beat_of(
    soft: NDArray[np.uint8], beat: Sequence[int] | None, *, from_es: bool = False
) -> tuple[float, float]:
    """Return end-systole and ejection fraction of one clip, from its soft masks (T, H, W).

    End-systole is the blind pick on the curve of expected areas (the sum of probabilities), within
    the labelled beat if there is one; end-diastole the frame of the largest area before it, or
    after it where clips run from ES to ED (`from_es`), as half of those of CAMUS do.
    """
    first, last = (0, len(soft)) if beat is None else (int(beat[0]), int(beat[1]))
    area = expected_area(soft[first:last])
    pick = pick_blind(area) if len(area) >= 5 else None
    if pick is None:
        return math.nan, math.nan
    es = pick.frame
    ed = es + int(np.argmax(area[es:])) if from_es else int(np.argmax(area[: es + 1]))
    volumes = disc_volumes(soft[first:last][[ed, es]] >= HALF)
    ef = float(ejection_fraction(volumes[:1], volumes[1:])[0]) if volumes[0] > 0 else math.nan
    return float(first + es), ef


def dice_errors(soft: NDArray[np.uint8], targets: NDArray[np.uint8]) -> FloatArray:
    """Return 1 − Dice of each frame of soft masks (T, H, W)."""
    counts = count_pairs(soft >= HALF, np.asarray(targets) >= HALF)
    return np.asarray(1 - overlap_of(counts)["dice"])


def _pairs(soft: NDArray[np.uint8], targets: NDArray[np.uint8]) -> IntArray:
    """Return pixels in both, in ours and in theirs, (K, T, 3), of soft masks (T, K, H, W)."""
    return count_pairs(soft >= HALF, np.asarray(targets) >= HALF).swapaxes(0, 1)


def _drawn(
    k: int, clip: Example, soft: NDArray[np.uint8], structures: Sequence[str]
) -> list[tuple[Any, ...]]:
    """Return (clip, frame, structure, counts, counts with the teachers) of each outline."""
    rows = []
    for outline in clip.outlines:
        if outline.structure not in structures:
            continue
        s, t = structures.index(outline.structure), outline.frame
        ours = soft[t : t + 1, s : s + 1]
        mine = _pairs(ours, outline.mask[None, None])[0, 0]
        taught = None
        if clip.targets is not None:
            taught = _pairs(ours, clip.targets[t : t + 1, s : s + 1])[0, 0]
        rows.append((k, t, s, mine, taught))
    return rows


def _shared(
    k: int, clip: Example, soft: NDArray[np.uint8], structures: Sequence[str]
) -> dict[tuple[int, int, int], NDArray[np.bool_]]:
    """Return the student's masks of the frames and structures that several people drew."""
    places = Counter((o.frame, o.structure) for o in clip.outlines if o.structure in structures)
    return {
        (k, t, s): soft[t, s] >= HALF
        for (t, name), n in places.items()
        if n > 1
        for s in [structures.index(name)]
    }


def _table(rows: list[tuple[Any, ...]], taught: bool) -> Drawn:
    clip, frame, structure, mine, theirs = zip(*rows, strict=True)
    a, b, c = (np.array(column, dtype=np.int64) for column in (clip, frame, structure))
    return Drawn(a, b, c, np.stack(mine), np.stack(theirs) if taught else None)
