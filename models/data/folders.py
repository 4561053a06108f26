"""Clips and masks in folders: what `models.infer` reads and writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from annostat import AnnostatError
from annostat.files import write_whole


def write_masks(path: Path, masks: NDArray[np.uint8]) -> None:
    """Write the masks (T, H, W) of one clip in the format of `annostat.datasets.MaskFolder`."""
    write_whole(path, lambda stream: np.savez_compressed(stream, masks))


def clips_in(path: Path) -> dict[str, Path]:
    """Return the clips of a folder (videos, or .npy/.npz of uint8 frames), or one file, by name."""
    from annostat.datasets.video import SUFFIXES

    if path.is_file():
        return {path.stem: path}
    folder = path / "Videos" if (path / "Videos").is_dir() else path
    if not folder.is_dir():
        raise AnnostatError(f"there are no clips {str(path)!r}")
    suffixes = (*SUFFIXES, ".npy")
    found = {f.stem: f for f in sorted(folder.iterdir()) if f.suffix.lower() in suffixes}
    if not found:
        raise AnnostatError(f"{str(folder)!r} holds no clip ({', '.join(suffixes)})")
    return found


def read_frames(path: Path) -> NDArray[np.uint8]:
    """Return the grey frames (T, H, W) of a video or of a .npy file."""
    from annostat.datasets import read_clip

    if path.suffix != ".npy":
        return read_clip(path)
    try:
        frames = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise AnnostatError(f"{path.name} cannot be read: {error}") from None
    if frames.dtype != np.uint8 or frames.ndim != 3 or 0 in frames.shape:
        raise AnnostatError(
            f"{path.name} must hold uint8 frames (T, H, W), got {frames.dtype} {frames.shape}"
        )
    return np.asarray(frames)
