"""Folders of masks: one `.npz` file for each clip, as teachers and students write them."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annostat.errors import AnnostatError, check_choice, check_number, shown
from annostat.files import reading
from annostat.tables.folders import list_files, open_folder

if TYPE_CHECKING:
    from annostat.labels.rounds import Rounds

__all__ = ["MaskFolder", "mask_rounds", "read_mask_folder", "read_npz"]

KINDS = {"binary": 0.5, "uint8": 127.5, "logits": 0.0, "probability": 0.5}
NAMES = ("arr_0", "output")
MEASURES = {"area_px2": "px²", "largest_frame": "frames", "smallest_frame": "frames"}
MAX_BYTES = 8 << 30


@dataclass(frozen=True, eq=False)
class MaskFolder:
    """Masks of clips, read one at a time.

    Attributes
    ----------
    folder : Path
    kind : {"binary", "uint8", "logits", "probability"}
        What the numbers mean, as the caller stated.
    threshold : float
        A pixel is inside where its number is at least this.
    files : dict of str to Path
        By clip.
    outside : tuple of str
        Links that lead out of the folder; they were not followed.
    """

    folder: Path
    kind: str
    threshold: float
    files: dict[str, Path]
    outside: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<MaskFolder ({self.kind}): {len(self.files)} clips>"

    def raw(self, clip: str) -> NDArray[Any]:
        """Return the stored numbers of one clip, of shape (n_frames, height, width)."""
        if clip not in self.files:
            raise AnnostatError(f"clip: there are no masks of {clip!r} in {str(self.folder)!r}")
        values = read_npz(self.files[clip])
        refuse_other_kind(self.files[clip].name, values, self.kind)
        return values

    def masks(self, clip: str) -> NDArray[np.bool_]:
        """Return one clip's masks, bool of shape (n_frames, height, width)."""
        return np.asarray(self.raw(clip) >= self.threshold)

    def probabilities(self, clip: str) -> NDArray[np.float32]:
        """Return one clip's masks as numbers from 0 to 1, float32."""
        values = self.raw(clip).astype(np.float32)
        if self.kind == "logits":
            from scipy import special

            return np.asarray(special.expit(values), dtype=np.float32)
        return values / np.float32(255) if self.kind == "uint8" else values

    def iter_masks(self) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """Yield clips and their masks, one at a time."""
        for clip in self.files:
            yield clip, self.masks(clip)


def read_mask_folder(
    folder: str | os.PathLike[str], *, kind: str, threshold: float | None = None
) -> MaskFolder:
    """Open a folder of `.npz` masks.

    Parameters
    ----------
    folder : path
        One file for each clip, with one array named `arr_0` or `output`, of shape (T, H, W), or
        with axes of length 1 that are squeezed: (T, 1, H, W).
    kind : {"binary", "uint8", "logits", "probability"}
        What the numbers are: 0 and 1, 0 to 255 for probabilities from 0 to 1, logits, or
        probabilities themselves. Nothing is guessed: a file of the wrong kind looks plausible.
    threshold : float, optional
        A pixel is inside where its number is at least this. Default: probability one half
        (0.5, 127.5, 0 or 0.5).

    Returns
    -------
    MaskFolder

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> np.savez(f"{folder}/clip.npz", np.full((4, 1, 8, 8), 200, np.uint8))
    >>> masks = read_mask_folder(folder, kind="uint8")
    >>> masks.masks("clip").shape, masks.masks("clip").all()
    ((4, 8, 8), np.True_)
    """
    check_choice("kind", kind, list(KINDS))
    cut = KINDS[kind] if threshold is None else check_number("threshold", threshold)
    root = open_folder(folder)
    listing = list_files(root, root, (".npz",))
    if not listing.files:
        raise AnnostatError(f"folder: {str(folder)!r} holds no .npz file")
    return MaskFolder(root, kind, cut, listing.files, listing.outside)


def mask_rounds(
    folders: Mapping[str, MaskFolder],
    measure: str = "area_px2",
    *,
    frames: Mapping[str, list[int]] | None = None,
) -> Rounds:
    """Return what several folders of masks of the same clips give, as rounds.

    Parameters
    ----------
    folders : mapping of str to MaskFolder
        Two or more, by the name of the round.
    measure : {"area_px2", "largest_frame", "smallest_frame"}
        Area of the mask on each frame, or the frame of the largest or the smallest mask of a clip
        (the first one of equals; NaN for a clip whose masks are all empty).
    frames : mapping of str to list of int, optional
        The frames of each clip whose areas are wanted; all of them by default.

    Returns
    -------
    Rounds
        Clips that a folder lacks are NaN there. Items are clips, or "CLIP:FRAME" for areas, with
        the clip as cluster.

    Raises
    ------
    AnnostatError
        If fewer than two folders are given, or two of them disagree on the number of frames.
    """
    from annostat.labels.rounds import Rounds

    check_choice("measure", measure, list(MEASURES))
    if len(folders) < 2:
        raise AnnostatError(f"folders: two or more are needed, got {len(folders)}")
    clips = sorted(set().union(*(f.files for f in folders.values())))
    items: list[str] = []
    cluster: list[str] = []
    values: list[NDArray[np.float64]] = []
    for clip in clips:
        curves = {
            name: folder.masks(clip).sum(axis=(1, 2)).astype(np.float64)
            for name, folder in folders.items()
            if clip in folder.files
        }
        lengths = {name: len(curve) for name, curve in curves.items()}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{name}: {n}" for name, n in lengths.items())
            raise AnnostatError(f"folders: {clip!r} has different numbers of frames ({told})")
        n = next(iter(lengths.values()))
        if measure == "area_px2":
            wanted = list(range(n)) if frames is None else list(frames.get(clip, ()))
            strange = [f for f in wanted if not 0 <= f < n]
            if strange:
                raise AnnostatError(f"frames: {clip!r} has {n} frames, not {shown(strange)}")
            empty = np.full(n, np.nan)
            values.append(np.column_stack([curves.get(name, empty)[wanted] for name in folders]))
            items += [f"{clip}:{f}" for f in wanted]
            cluster += [clip] * len(wanted)
            continue
        pick = np.argmax if measure == "largest_frame" else np.argmin
        row = [
            float(pick(curves[name])) if name in curves and curves[name].any() else np.nan
            for name in folders
        ]
        values.append(np.array([row]))
        items.append(clip)
        cluster.append(clip)
    stacked = np.concatenate(values) if values else np.zeros((0, len(folders)))
    return Rounds.from_array(
        stacked,
        names=list(folders),
        items=items,
        cluster=cluster if measure == "area_px2" else None,
        unit=MEASURES[measure],
    )


def read_npz(path: Path) -> NDArray[Any]:
    """Read the one array of a file, (T, H, W), after looking at what its headers promise."""
    stored = member_names(path)
    name = next((n for n in NAMES if n in stored), None)
    if name is None:
        raise AnnostatError(
            f"{path.name} holds no array arr_0 or output (it holds {shown(stored)})"
        )
    return frames_of(path.name, read_members(path, [name])[name])


def frames_of(name: str, values: NDArray[Any]) -> NDArray[Any]:
    """Return masks as (T, H, W), axes of length 1 between squeezed."""
    squeezed = values.reshape(
        [n for i, n in enumerate(values.shape) if n > 1 or i in _kept(values)]
    )
    if squeezed.ndim != 3 or 0 in squeezed.shape:
        raise AnnostatError(f"{name} has the shape {values.shape}: not (T, H, W)")
    return squeezed


def member_names(path: Path) -> list[str]:
    """Return the names of the arrays of an `.npz` file."""
    reading(path)
    try:
        with zipfile.ZipFile(path) as archive:
            return [i.filename.removesuffix(".npy") for i in archive.infolist()]
    except Exception as error:
        raise _unreadable(path, error) from None


def read_members(path: Path, names: list[str], kinds: str = "biuf") -> dict[str, NDArray[Any]]:
    """Read some arrays of an `.npz` file, after looking at what their headers promise."""
    try:
        with zipfile.ZipFile(path) as archive:
            for name in names:
                _check_header(path, archive, name, kinds)
        with np.load(path, allow_pickle=False) as data:
            return {name: np.asarray(data[name]) for name in names}
    except AnnostatError:
        raise
    except Exception as error:  # zipfile, zlib and numpy raise many kinds for broken files
        raise _unreadable(path, error) from None


def _check_header(path: Path, archive: zipfile.ZipFile, name: str, kinds: str) -> None:
    info = archive.getinfo(f"{name}.npy")
    with archive.open(info) as stream:
        version = np.lib.format.read_magic(stream)
        read = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read(stream)
        header = stream.tell()
    size = int(dtype.itemsize)
    for n in shape:
        size *= int(n)
    # The promise of the header and that of the archive must agree, and be bearable.
    if dtype.hasobject or dtype.kind not in kinds:
        raise AnnostatError(f"{path.name} holds {dtype} and not numbers")
    if size + header != info.file_size or size > MAX_BYTES:
        raise AnnostatError(
            f"{path.name} promises {size:,} bytes of masks in a member of "
            f"{info.file_size:,} bytes; the limit is {MAX_BYTES:,}"
        )


def _unreadable(path: Path, error: Exception) -> AnnostatError:
    text = " ".join(str(error).split())[:200] or type(error).__name__
    return AnnostatError(f"{path.name} cannot be read: {text}")


def _kept(values: NDArray[Any]) -> tuple[int, ...]:
    """Return the axes that are never squeezed: time first, height and width last."""
    return (0, values.ndim - 2, values.ndim - 1)


def refuse_other_kind(name: str, values: NDArray[Any], kind: str) -> None:
    """Refuse numbers that cannot be of the stated kind."""
    if values.dtype == bool and kind == "binary":
        return
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise AnnostatError(f"{name} holds numbers that are not finite")
    low, high = float(values.min()), float(values.max())
    inside = {
        "binary": low >= 0 and high <= 1 and bool(((values == 0) | (values == 1)).all()),
        "uint8": values.dtype == np.uint8,
        "logits": values.dtype.kind == "f",
        "probability": low >= 0 and high <= 1,
    }[kind]
    if not inside:
        raise AnnostatError(
            f"{name} is not {kind}: it holds {values.dtype} from {low:g} to {high:g}; "
            "state its kind"
        )
