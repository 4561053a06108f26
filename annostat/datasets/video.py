"""Clips: decoded with PyAV, one at a time, grey, at the stored size.

A clip is foreign data. Only container formats of video files are opened, nothing but the file
itself is read, and a header that promises a frame or a clip beyond the limits is refused before
memory is taken for it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat.errors import AnnostatError

__all__ = ["MAX_CLIP_BYTES", "SUFFIXES", "ClipInfo", "clip_info", "iter_frames", "read_clip"]

SUFFIXES = (".avi", ".mp4", ".mov", ".mkv", ".webm")
# Playlists and other formats that name further files are not on the list.
CONTAINERS = "avi,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm"
MAX_PIXELS = 4096 * 4096
MAX_CLIP_BYTES = 4 << 30


def without_suffix(name: str) -> str:
    """Return the name of a clip without the suffix of a video file, if it has one."""
    suffix = next((s for s in SUFFIXES if name.lower().endswith(s)), "")
    return name[: len(name) - len(suffix)]


@dataclass(frozen=True, slots=True)
class ClipInfo:
    """What a file says of itself, before anything is decoded.

    Attributes
    ----------
    height, width : int
        Size of a frame in pixels.
    n_frames : int
        Number of frames that the header states; 0 if it states none.
    fps : float
        Frames per second; NaN if the header states none.
    complete : bool
        False if the file is shorter than its header says.
    intra : bool
        True if every frame is stored by itself, and not as a change from others.
    """

    height: int
    width: int
    n_frames: int
    fps: float
    complete: bool
    intra: bool


def clip_info(path: str | os.PathLike[str]) -> ClipInfo:
    """Return what the header of a clip states.

    Raises
    ------
    AnnostatError
        If PyAV is missing, or the file is no video or promises frames of more than 16 megapixels.
    """
    with opened(Path(path)) as (_, stream):
        return _info(Path(path), stream)


def read_clip(path: str | os.PathLike[str], *, max_bytes: int = MAX_CLIP_BYTES) -> NDArray[Any]:
    """Decode a whole clip.

    Parameters
    ----------
    path : path
        A video file that FFmpeg knows: AVI, MP4, MOV, MKV, WebM.
    max_bytes : int
        Largest array that may be made; a longer clip is an error.

    Returns
    -------
    uint8 array of shape (n_frames, height, width)
        Grey values: the stored luma where there is one (full range 0 to 255), else
        luma computed by FFmpeg.

    Raises
    ------
    AnnostatError
        If the file cannot be decoded to its end, holds no frame, changes its frame size, or is
        larger than `max_bytes`.
    """
    frames: list[NDArray[Any]] = []
    size = 0
    for frame in iter_frames(path):
        size += frame.size
        if size > max_bytes:
            raise AnnostatError(
                f"{Path(path).name} takes more than {max_bytes:,} bytes when decoded: use "
                "iter_frames, or raise max_bytes"
            )
        frames.append(frame.copy())
    if not frames:
        raise AnnostatError(f"{Path(path).name} holds no frame that can be decoded")
    return np.stack(frames)


def iter_frames(path: str | os.PathLike[str]) -> Iterator[NDArray[Any]]:
    """Yield the frames of a clip, uint8 of shape (height, width), one at a time.

    A frame is valid until the next one is asked for: copy what you keep. Errors as `read_clip`.
    """
    with decoding(Path(path)) as (_, frames):
        yield from frames


@contextmanager
def decoding(path: Path) -> Iterator[tuple[ClipInfo, Iterator[NDArray[Any]]]]:
    """Open a clip once: yield what its header states, and its frames as `iter_frames` does."""
    with opened(path) as (container, stream):
        info = _info(path, stream)

        def frames() -> Iterator[NDArray[Any]]:
            for frame in container.decode(stream):
                if (frame.height, frame.width) != (info.height, info.width):
                    raise AnnostatError(
                        f"{path.name} changes its frame size from {info.height}×{info.width} to "
                        f"{frame.height}×{frame.width}"
                    )
                yield grey(frame)

        yield info, frames()


@contextmanager
def opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """Yield the container and its first video stream; what FFmpeg raises becomes one line."""
    try:
        import av
    except ImportError:
        raise AnnostatError("decoding clips needs PyAV: pip install 'annostat[video]'") from None
    if not path.is_file():
        raise AnnostatError(f"there is no file {str(path)!r}")
    options = {"protocol_whitelist": "file"}
    kind = "avi" if path.suffix.lower() == ".avi" else None
    if kind is None:
        options["format_whitelist"] = CONTAINERS
    limit: Any = {"max_pixels": str(MAX_PIXELS)}
    try:
        # The prefix keeps FFmpeg from reading a protocol into a file's name. A name whose bytes
        # are no UTF-8 cannot be handed over.
        with (
            _named(path) as file,
            av.open(file, format=kind, options=options, stream_options=[limit]) as c,
        ):
            if not c.streams.video:
                raise AnnostatError(f"{path.name} holds no video")
            stream = c.streams.video[0]
            stream.codec_context.options = limit
            # Small frames: handing them to other threads costs more than decoding them.
            stream.codec_context.thread_count = 1
            yield c, stream
    except av.error.FFmpegError as error:
        text = str(error.strerror or error).split("\n")[0]
        raise AnnostatError(f"{path.name} cannot be decoded: {text}") from None
    except MemoryError:
        raise AnnostatError(f"{path.name} cannot be decoded: not enough memory") from None


@contextmanager
def _named(path: Path) -> Iterator[Any]:
    """Yield a file by its name, or open if FFmpeg could not take that."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        with path.open("rb") as stream:
            yield stream
        return
    yield f"file:{path}"


def _info(path: Path, stream: Any) -> ClipInfo:
    height, width = int(stream.height or 0), int(stream.width or 0)
    if height * width > MAX_PIXELS:
        raise AnnostatError(
            f"{path.name} promises frames of {height}×{width} pixels; the limit is {MAX_PIXELS:,}"
        )
    if height < 1 or width < 1:
        raise AnnostatError(f"{path.name} states no frame size")
    rate = stream.average_rate
    fps = float(rate) if rate else float("nan")
    codec = stream.codec_context.codec
    intra = bool(codec.intra_only) or codec.name == "ffv1"  # which shares statistics, not pixels
    return ClipInfo(height, width, int(stream.frames or 0), fps, _is_complete(path), intra)


def _is_complete(path: Path) -> bool:
    """Return whether an AVI file is as long as its RIFF header says; other files pass."""
    with path.open("rb") as file:
        head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"AVI ":
        return True
    stated = int.from_bytes(head[4:8], "little")
    # A writer that was killed leaves 0 here.
    return stated > 0 and path.stat().st_size >= stated


def grey(frame: Any) -> NDArray[Any]:
    """Return the luma of a decoded frame, uint8 of shape (height, width): a view of the frame."""
    pixels = frame.format
    full = _luma_range(pixels.name, int(frame.color_range))
    if full is None:
        frame = frame.reformat(format="gray")
    plane = frame.planes[0]
    values = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    values = values[: frame.height, : frame.width]
    return values if full is not False else _expand()[values]


@lru_cache
def _luma_range(name: str, stated: int) -> bool | None:
    """Return whether a format's first plane is 8-bit luma of full range; None if it is no luma.

    `stated` is FFmpeg's colour range: 1 limited (16 to 235), 2 full, 0 not stated.
    """
    if name == "gray" or name.startswith("yuvj"):
        return True
    if name in ("yuv420p", "yuv422p", "yuv444p", "yuv411p", "yuv410p", "yuv440p", "nv12", "nv21"):
        return stated == 2
    return None


@lru_cache
def _expand() -> NDArray[Any]:
    """Return the table from limited to full range."""
    table = np.clip(np.rint((np.arange(256) - 16.0) * 255 / 219), 0, 255)
    return np.asarray(table, dtype=np.uint8)
