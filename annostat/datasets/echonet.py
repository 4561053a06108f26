"""EchoNet-Dynamic and its relatives: clips, lists and traced outlines of the left ventricle.

The three variants share a folder's shape: `FileList.csv`, `VolumeTracings.csv`, `Videos/`.
EchoNet-Dynamic (Ouyang et al. 2020, Nature 580:252) traces a long axis and 20 chords,
EchoNet-Pediatric (Reddy et al. 2023, J Am Soc Echocardiogr 36:482) points of an outline,
EchoNet-Synthetic (Reynaud et al. 2024, MICCAI) nothing. None of it is shipped with annostat.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from annostat.arrays import FloatArray
from annostat.datasets import video
from annostat.errors import AnnostatError, check_choice, printable, shown
from annostat.tables.folders import (
    Listing,
    list_files,
    numbers,
    open_folder,
    read_columns,
    unreadable,
)

if TYPE_CHECKING:
    import pandas as pd

    from annostat.labels.rounds import Rounds

__all__ = ["EchoNet", "Trace", "read_echonet", "read_tracings"]

ROWS = 21  # of one trace of EchoNet-Dynamic: the long axis and 20 chords
MEASURES = {"area_px2": "px²", "length_px": "px", "volume_px3": "px³"}
# Numbers of a list, by the name of their column here and there.
LISTED = (
    ("ef", "EF"),
    ("edv_ml", "EDV"),
    ("esv_ml", "ESV"),
    ("height", "FrameHeight"),
    ("width", "FrameWidth"),
    ("fps", "FPS"),
    ("n_frames", "NumberOfFrames"),
)
PATIENT_NAMES = ("patient", "patientid", "patient_id", "mrn", "subject", "subjectid", "subject_id")


@dataclass(frozen=True, eq=False, slots=True)
class Trace:
    """One outline that one annotator drew on one frame.

    Attributes
    ----------
    clip : str
        Name of the clip without suffix.
    frame : int
        Frame, counted from 0.
    annotator : int
        0, 1, ...: the order in the file. It is *not* the identity of an annotator.
    outline : float64 array of shape (n_points, 2)
        Corners x, y in pixels; the last one joins the first. Not a number nowhere.
    axis : float64 array of shape (2, 2) or None
        Ends of the long axis, x and y; None where only an outline was stored.
    chords : float64 array of shape (n_chords, 2, 2) or None
        Ends of the short-axis chords; `outline` goes along the first ends and back along the
        second ones.
    n_rows : int
        Rows of the table that it was read from.
    """

    clip: str
    frame: int
    annotator: int
    outline: FloatArray
    axis: FloatArray | None = None
    chords: FloatArray | None = None
    n_rows: int = 0

    @property
    def area_px2(self) -> float:
        """Area of the outline in pixels², by the shoelace formula."""
        from annostat.masks.outlines import polygon_area

        return polygon_area(self.outline)

    @property
    def length_px(self) -> float:
        """Length of the long axis in pixels; NaN without one."""
        return np.nan if self.axis is None else float(np.hypot(*(self.axis[1] - self.axis[0])))

    @property
    def volume_px3(self) -> float:
        """Volume in pixels³ by the method of discs: π/4 · (L/n) · Σ wᵢ²; NaN without an axis.

        The single-plane form of Schiller et al. (1989), J Am Soc Echocardiogr 2:358.
        """
        if self.chords is None or not len(self.chords):
            return np.nan
        squares = ((self.chords[:, 1] - self.chords[:, 0]) ** 2).sum()
        return float(np.pi / 4 * self.length_px / len(self.chords) * squares)

    def mask(self, height: int, width: int) -> NDArray[np.bool_]:
        """Return the outline filled, bool of shape (height, width).

        As the published loaders do: corners go to whole pixels, and the pixels of the outline
        itself belong to the mask. What lies outside the frame is cut off.
        """
        from annostat.masks.outlines import polygon_mask

        return polygon_mask(self.outline, (height, width), rule="echonet")

    def moved(self, by: ArrayLike) -> Trace:
        """Return the trace with `by`, x and y in pixels, added to its points."""
        shift = np.asarray(by, dtype=np.float64)
        axis = None if self.axis is None else self.axis + shift
        chords = None if self.chords is None else self.chords + shift
        return replace(self, outline=self.outline + shift, axis=axis, chords=chords)


@dataclass(frozen=True, eq=False)
class EchoNet:
    """A folder of EchoNet-Dynamic, EchoNet-Synthetic or EchoNet-Pediatric.

    Attributes
    ----------
    folder : Path
        Resolved path.
    variant : {"dynamic", "synthetic", "pediatric"}
    clips : DataFrame
        One row for each row of `FileList.csv`, in its order, rows that name a clip twice
        included: clip, split (text, upper case), ef (percent), edv_ml, esv_ml (NaN if 0), height,
        width (pixels), fps, n_frames, patient (None if not listed).
    traces : tuple of Trace
        In the order of clip, frame and annotator of their first appearance.
    videos : Listing
        The files in `Videos/` by clip, and links that lead out of the folder.
    missing_phases : tuple of (str, str)
        Clip and text such as "No Systolic" where a phase was not traced.
    bad_rows : tuple of (str, int)
        Clip and number of rows of the tracings that hold no numbers; they were left out.
    bad_cells : tuple of (str, str, str)
        Clip, column and text of cells of the list that should hold a number, and are NaN.
    traced : bool
        Whether there is a `VolumeTracings.csv`.
    """

    folder: Path
    variant: str
    clips: pd.DataFrame
    traces: tuple[Trace, ...]
    videos: Listing
    missing_phases: tuple[tuple[str, str], ...] = ()
    bad_rows: tuple[tuple[str, int], ...] = ()
    bad_cells: tuple[tuple[str, str, str], ...] = ()
    traced: bool = True
    _by_clip: dict[str, list[Trace]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        for trace in self.traces:
            self._by_clip.setdefault(trace.clip, []).append(trace)

    def __repr__(self) -> str:
        return (
            f"<EchoNet ({self.variant}): {len(self.clips)} listed clips, "
            f"{len(self.videos.files)} videos, {len(self.traces)} traces>"
        )

    def clip(self, name: str) -> NDArray[np.uint8]:
        """Decode one clip: uint8 of shape (n_frames, height, width), grey, at the stored size."""
        if name not in self.videos.files:
            raise AnnostatError(f"clip: there is no video of {name!r} in {self.folder / 'Videos'}")
        return video.read_clip(self.videos.files[name])

    def iter_clips(self) -> Iterator[tuple[str, NDArray[np.uint8]]]:
        """Yield the listed clips that have a video, by name, one decoded at a time."""
        for name in dict.fromkeys(self.clips["clip"]):
            if name in self.videos.files:
                yield name, self.clip(name)

    def traces_of(self, clip: str, frame: int | None = None) -> list[Trace]:
        """Return the traces of one clip, or of one of its frames; every annotator's."""
        found = self._by_clip.get(clip, [])
        return [t for t in found if frame is None or t.frame == frame]

    def rounds(self, measure: str = "area_px2") -> Rounds:
        """Return what several annotators of the same frame drew, as rounds.

        Parameters
        ----------
        measure : {"area_px2", "length_px", "volume_px3"}
            Area of the outline, length of the long axis, volume by the method of discs.

        Returns
        -------
        Rounds
            One item "CLIP:FRAME" for each traced frame, rounds "annotator_1", ...; NaN where a
            frame has fewer annotators. The cluster is the clip; the rounds are exchangeable.

        Raises
        ------
        AnnostatError
            If no frame has two annotators.
        """
        from annostat.labels.rounds import Rounds

        check_choice("measure", measure, list(MEASURES))
        frames: dict[tuple[str, int], list[float]] = {}
        for trace in self.traces:
            frames.setdefault((trace.clip, trace.frame), []).append(getattr(trace, measure))
        width = max(map(len, frames.values()), default=0)
        if width < 2:
            raise AnnostatError(
                "no frame was traced by two annotators, so the tracings hold no rounds: bring a "
                "second set of masks (mask_rounds)"
            )
        values = np.full((len(frames), width), np.nan)
        for row, found in zip(values, frames.values(), strict=True):
            row[: len(found)] = found
        return Rounds.from_array(
            values,
            names=[f"annotator_{k + 1}" for k in range(width)],
            items=[f"{clip}:{frame}" for clip, frame in frames],
            cluster=[clip for clip, _ in frames],
            unit=MEASURES[measure],
            exchangeable=True,
        )

    def phases(self) -> pd.DataFrame:
        """Return the traced frames of each clip as ED and ES, told apart by area.

        The order of the frames in the file says nothing reliable about the phase, so ED is the
        traced frame with the largest outline and ES that with the smallest one (medians over
        annotators).

        Returns
        -------
        DataFrame
            One row for each clip with two or more traced frames: clip, ed_frame, es_frame,
            ed_area_px2, es_area_px2, first_frame (the one that the file names first), n_traced.
        """
        import pandas as pd

        rows = []
        for clip, traces in self._by_clip.items():
            areas: dict[int, list[float]] = {}
            for trace in traces:
                areas.setdefault(trace.frame, []).append(trace.area_px2)
            if len(areas) < 2:
                continue
            middle = {frame: float(np.median(a)) for frame, a in areas.items()}
            ed = max(middle, key=lambda f: middle[f])
            es = min(middle, key=lambda f: middle[f])
            rows.append((clip, ed, es, middle[ed], middle[es], next(iter(areas)), len(areas)))
        columns = [
            "clip",
            "ed_frame",
            "es_frame",
            "ed_area_px2",
            "es_area_px2",
            "first_frame",
            "n_traced",
        ]
        return pd.DataFrame(rows, columns=columns)


def read_echonet(folder: str | os.PathLike[str]) -> EchoNet:
    """Read a folder of EchoNet-Dynamic, EchoNet-Synthetic or EchoNet-Pediatric.

    Parameters
    ----------
    folder : path
        Holds `FileList.csv`, `Videos/` (or the clips themselves) and, unless the clips are
        synthetic, `VolumeTracings.csv`.
        What it is is told by what it holds: by the columns of the tracings; without these by the
        list, where EchoNet-Pediatric has ages and EchoNet-Synthetic no volumes.

    Returns
    -------
    EchoNet
        Tables and traces; clips are decoded when they are asked for. Quirks are kept, not
        repaired: `annostat.datasets.audit_folder` lists them.

    Raises
    ------
    AnnostatError
        If a list is missing, is a link that leaves the folder, or lacks a column.

    Notes
    -----
    Names may end in `.avi` or not. A frame that several annotators traced has more rows than one
    trace; it is split where a long axis recurs: at every 21st row if a row there is perpendicular
    to the next one, else at rows that differ by more than 45° in direction from the chord before
    and from the row after them.
    """
    root = open_folder(folder)
    if not (root / "FileList.csv").is_file():
        raise AnnostatError(
            f"folder: {str(folder)!r} has no FileList.csv, so it is no EchoNet folder"
        )
    listed = read_columns(root, root / "FileList.csv", ["FileName"], ["FileName", "Split"])
    clips = _clips(listed)
    bad_cells = _bad_cells(listed, clips["clip"])
    videos = list_files(root, _videos(root), video.SUFFIXES)
    path = root / "VolumeTracings.csv"
    if not path.exists() and not path.is_symlink():
        kind = _kind_of(listed, clips)
        return EchoNet(root, kind, clips, (), videos, (), (), bad_cells, traced=False)
    variant, traces, missing, bad = _tracings(root, path)
    return EchoNet(
        root, variant, clips, tuple(traces), videos, tuple(missing), tuple(bad), bad_cells
    )


def read_tracings(path: str | os.PathLike[str]) -> tuple[Trace, ...]:
    """Read one `VolumeTracings.csv`, wherever it lies: those of another annotator, say.

    Raises
    ------
    AnnostatError
        If it cannot be read or lacks a column.
    """
    file = Path(path)
    return tuple(_tracings(open_folder(file.parent), file)[1])


def _tracings(
    root: Path, path: Path
) -> tuple[str, list[Trace], list[tuple[str, str]], list[tuple[str, int]]]:
    """Return the variant of a list of tracings, the traces, missing phases and bad rows."""
    tracings = read_columns(root, path, ["FileName", "Frame"], ["FileName"])
    if "X1" in tracings.columns:
        columns, variant = ["X1", "Y1", "X2", "Y2"], "dynamic"
    else:
        columns, variant = ["X", "Y"], "pediatric"
    lacking = [c for c in columns if c not in tracings.columns]
    if lacking:
        raise AnnostatError(
            f"{path.name} needs the columns X1, Y1, X2, Y2 or X, Y; it has "
            f"{shown(tracings.columns, 12)}"
        )
    return variant, *_traces(tracings, columns)


def _videos(root: Path) -> Path:
    """Return the folder of the clips: Videos, however it is spelt, else the folder itself."""
    inner = [p for p in sorted(root.iterdir()) if p.name.lower() == "videos"]
    return next((p for p in inner if p.is_dir()), root)


def _kind_of(listed: pd.DataFrame, clips: pd.DataFrame) -> str:
    """Return what a list without tracings is of."""
    columns = {str(c).strip().lower() for c in listed.columns}
    if {"age", "weight"} <= columns:
        return "pediatric"
    return "dynamic" if clips[["edv_ml", "esv_ml"]].notna().any(axis=None) else "synthetic"


def _bad_cells(listed: pd.DataFrame, clips: pd.Series[Any]) -> tuple[tuple[str, str, str], ...]:
    """Return the cells of the list that hold no numbers where there should be some."""
    names = dict(zip(listed.index, clips, strict=True))
    return tuple(
        (str(names[row]), column, text)
        for _, column in LISTED
        for row, text in unreadable(listed, column).items()
    )


def _clips(listed: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    clips = pd.DataFrame({"clip": _names(listed["FileName"])})
    split = listed["Split"] if "Split" in listed.columns else pd.Series("", index=listed.index)
    # Fold numbers pass through pandas as text, too.
    clips["split"] = split.fillna("").astype(str).str.strip().str.upper().map(printable)
    for name, column in LISTED:
        values = numbers(listed, column)
        clips[name] = values.where(np.isfinite(values))
    empty = (clips["edv_ml"] == 0) & (clips["esv_ml"] == 0)
    clips.loc[empty, ["edv_ml", "esv_ml"]] = np.nan
    patient = next((c for c in listed.columns if str(c).lower() in PATIENT_NAMES), None)
    clips["patient"] = None if patient is None else listed[patient].astype(str).map(printable)
    return clips


def _names(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return names of clips without suffix, as text that can be shown."""
    return column.fillna("").astype(str).str.strip().map(video.without_suffix).map(printable)


def _traces(
    table: pd.DataFrame, columns: list[str]
) -> tuple[list[Trace], list[tuple[str, str]], list[tuple[str, int]]]:
    import pandas as pd

    clips = _names(table["FileName"]).to_numpy(dtype=object)
    frame = numbers(table, "Frame").to_numpy()
    points = np.column_stack([numbers(table, c) for c in columns])
    words = table["Frame"].astype(str).str.strip()
    absent = words.str.lower().str.startswith("no ").to_numpy()
    pairs = zip(clips[absent], words[absent], strict=True)
    missing = list(dict.fromkeys((str(c), str(w)) for c, w in pairs))
    usable = np.isfinite(points).all(axis=1) & (frame >= 0) & (frame == np.round(frame))
    broken = pd.Series(clips[~usable & ~absent], dtype=object).value_counts(sort=False)
    bad = [(str(clip), int(n)) for clip, n in broken.items()]
    if not usable.any():
        return [], missing, bad

    clips, frame, points = clips[usable], frame[usable].astype(np.int64), points[usable]
    # Rows of a frame need not be neighbours; frames keep the order in which the file names them.
    key = pd.factorize(pd.MultiIndex.from_arrays([clips, frame]))[0]
    order = np.argsort(key, kind="stable")
    bounds = np.flatnonzero(np.diff(key[order], prepend=-1))
    traces: list[Trace] = []
    for start, stop in pairwise([*bounds, order.size]):
        rows = order[start:stop]
        clip, number = str(clips[rows[0]]), int(frame[rows[0]])
        if len(columns) == 2:
            traces.append(Trace(clip, number, 0, points[rows], n_rows=len(rows)))
            continue
        segments = points[rows].reshape(-1, 2, 2)
        for annotator, part in enumerate(split_annotators(segments)):
            outline = np.concatenate([part[1:, 0], part[:0:-1, 1]])
            traces.append(Trace(clip, number, annotator, outline, part[0], part[1:], len(part)))
    return traces, missing, bad


def split_annotators(segments: FloatArray) -> list[FloatArray]:
    """Split the segments of one frame, shape (n, 2, 2), where a long axis recurs."""
    n = len(segments)
    if n <= ROWS:
        return [segments]
    heading = segments[:, 1] - segments[:, 0]
    length = np.hypot(*heading.T)
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = heading / length[:, None]

    def crosses(i: int, j: int) -> bool:
        """Return whether two segments differ by more than 45° in direction."""
        return bool(abs(unit[i] @ unit[j]) < np.sqrt(0.5))  # False where one is a point

    def next_one(i: int) -> int:
        """Return the next segment that is longer than a point, else `i`."""
        after = np.flatnonzero(length[i + 1 :] > 0)
        return i + 1 + int(after[0]) if after.size else i

    regular = range(0, n, ROWS)
    if n % ROWS == 0 and all(crosses(i, next_one(i)) for i in regular):
        return [segments[i : i + ROWS] for i in regular]
    starts, chord = [0], next_one(0)
    for i in range(chord + 1, n):
        if length[i] == 0:
            continue
        after = next_one(i)
        if after > i and crosses(i, chord) and crosses(i, after):
            starts.append(i)
            chord = after
        elif i > chord:
            chord = i
    return [segments[a:b] for a, b in zip(starts, [*starts[1:], n], strict=True)]
