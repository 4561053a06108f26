"""Teachers: what gives the targets of a structure, from a short text, and several of them merged.

A text is ``STRUCTURE=KIND:WHERE,option=value,...``:

- ``LV=folder:PATH`` masks in files ``CLIP.npz`` (options ``kind=uint8|binary|logits``);
- ``LV=module:FILE`` TorchScript, or an exported program if the name ends in ``.pt2``: grey frames
  (N, 3, H, W) / 255 in, logits (N, C, H, W) out (options ``channel=0``, ``output=logits``);
- ``LV=deeplab:FILE`` a state_dict of torchvision's DeepLabV3 on ResNet-50 or -101, such as that of
  EchoNet-Dynamic; ``mean`` and ``std`` are those its frames were normalised by, in grey levels from
  0 to 255, one number or three as ``32/33/33`` (options ``channel=0``, ``output=sigmoid|softmax``);
- ``LV=student:FILE`` weights of `models.train`, used as a teacher in turn;
- ``LV=oracle`` the phantom's exact masks with chosen defects (options ``bias``, ``noise``,
  ``soft`` in pixels, ``miss``: probability that a frame has no mask, ``seed``).

Every kind takes ``quality=NUMBER`` or ``quality=FILE.csv`` (columns clip, quality), the weight of
the merge "quality".
"""

from __future__ import annotations

import csv
import hashlib
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from annostat import AnnostatError
from annostat.consensus import staple
from annostat.datasets import read_mask_folder
from annostat.errors import check_choice, check_number
from models.world.annotators import margin
from models.world.heart import LABELS

Bytes = NDArray[np.uint8]
OPTIONS = {
    "folder": ("kind",),
    "module": ("channel", "output"),
    "deeplab": ("mean", "std", "channel", "output"),
    "student": (),
    "oracle": ("bias", "noise", "soft", "miss", "seed"),
}
CHUNK = 32  # frames at once through a module
# What EchoNet-Dynamic's published network was trained with; its code estimates them from 128 clips.
ECHONET = "mean=32.09/32.59/33.38,std=50.13/50.49/51.35"


@dataclass(frozen=True)
class Source:
    """What a teacher may look at: frames (T, H, W), the truth if it is known."""

    name: str
    frames: Bytes
    truth: Callable[[str], NDArray[np.bool_]] | None = None


@dataclass(frozen=True)
class Teacher:
    """One teacher of one structure; `masks` gives uint8 (T, H, W), 255 for certain."""

    structure: str
    text: str
    masks: Callable[[Source], Bytes]
    quality: Callable[[str], float]
    identity: tuple[Any, ...] = ()
    clips: frozenset[str] | None = field(default=None, repr=False)


def parse_teacher(text: str, *, device: Any = "cpu") -> Teacher:
    """Return the teacher that a text describes; its files are opened, its masks not yet read."""
    head, _, options_text = text.partition(",")
    structure, equals, rest = head.partition("=")
    kind, _, where = rest.partition(":")
    if not equals or structure.strip() not in LABELS:
        raise AnnostatError(
            f"a teacher is STRUCTURE=KIND:WHERE with a structure of {', '.join(LABELS)}, "
            f"got {text!r}"
        )
    check_choice("kind of teacher", kind, list(OPTIONS))
    options: dict[str, str] = {}
    for part in filter(None, (p.strip() for p in options_text.split(","))):
        name, equals, value = part.partition("=")
        check_choice(f"option of teacher {kind!r}", name, [*OPTIONS[kind], "quality"])
        options[name] = value
    if kind == "student":
        from models.network.weights import find_weights

        where = os.fspath(find_weights(where))
    if kind != "oracle" and not Path(where).exists():
        raise AnnostatError(f"teacher {text!r}: there is no {where!r}")
    quality = _quality(options.pop("quality", "1"))
    masks, clips = MAKERS[kind](structure.strip(), where, options, device)
    return Teacher(structure.strip(), text, masks, quality, _identity(Path(where)), clips)


def merged(teachers: Sequence[Teacher], source: Source, how: str) -> Bytes:
    """Return the targets of one structure from its teachers, uint8 (T, H, W).

    "mean" averages probabilities; "quality" weighs them by each teacher's quality of this clip;
    "staple" estimates the teachers' sensitivities and specificities of this clip, from masks cut
    at one half and within the boxes around all that was marked.
    """
    masks = []
    for teacher in teachers:
        mask = teacher.masks(source)
        if mask.shape != source.frames.shape:
            raise AnnostatError(
                f"teacher {teacher.text!r}: masks of clip {source.name!r} have shape {mask.shape}, "
                f"its frames {source.frames.shape}"
            )
        masks.append(mask)
    if len(masks) == 1:
        return masks[0]
    if how == "staple":
        cut = np.stack([m >= 128 for m in masks])
        if not cut.any():
            return np.zeros_like(masks[0])
        return to_bytes(staple(cut, region="box").probability())
    weights = np.ones(len(masks))
    if how == "quality":
        weights = np.array([t.quality(source.name) for t in teachers])
        if not weights.sum() > 0:
            raise AnnostatError(f"all teachers of clip {source.name!r} have quality 0")
    total = sum(w * m.astype(np.float32) for w, m in zip(weights / weights.sum(), masks))  # noqa: B905
    return np.asarray(np.rint(total), dtype=np.uint8)


def to_bytes(probability: NDArray[Any]) -> Bytes:
    """Return probabilities as 0–255."""
    return np.asarray(np.rint(255 * np.clip(probability, 0, 1)), dtype=np.uint8)


Made = tuple[Callable[[Source], Bytes], frozenset[str] | None]


def _folder(structure: str, where: str, options: dict[str, str], device: Any) -> Made:
    folder = read_mask_folder(where, kind=options.get("kind", "uint8"))

    def masks(source: Source) -> Bytes:
        return to_bytes(folder.probabilities(source.name))

    return masks, frozenset(folder.files)


def _module(structure: str, where: str, options: dict[str, str], device: Any) -> Made:
    import torch

    channel = _whole("channel", options.get("channel", "0"))
    logits = check_choice("output", options.get("output", "logits"), ("logits", "probability"))
    try:
        if where.endswith(".pt2"):
            network = torch.export.load(where).module()
        else:
            with warnings.catch_warnings():  # torch deprecates what teachers still come as
                warnings.simplefilter("ignore")
                network = torch.jit.load(where, map_location=device).eval()
    except Exception as error:  # both loaders raise many kinds for foreign files
        raise AnnostatError(
            f"teacher {where!r} is no TorchScript or exported program: "
            f"{' '.join(str(error).split())[:120]}"
        ) from None

    @torch.inference_mode()
    def masks(source: Source) -> Bytes:
        parts = []
        for piece in torch.from_numpy(source.frames).split(CHUNK):
            grey = piece.to(device).float().unsqueeze(1).expand(-1, 3, -1, -1) / 255
            out = network(grey)
            out = out["out"] if isinstance(out, dict) else out
            if out.ndim != 4 or out.shape[1] <= channel:
                raise AnnostatError(
                    f"teacher {where!r} gives shape {tuple(out.shape)}, not (N, C, H, W) with "
                    f"channel {channel}"
                )
            out = out[:, channel].float().cpu().numpy()
            parts.append(to_bytes(special.expit(out) if logits == "logits" else out))
        return np.concatenate(parts)

    return masks, None


def _deeplab(structure: str, where: str, options: dict[str, str], device: Any) -> Made:
    import torch

    from models.network.deeplab import read_deeplab

    lacking = [name for name in ("mean", "std") if name not in options]
    if lacking:
        raise AnnostatError(
            f"teacher {where!r} needs {' and '.join(lacking)}, in grey levels from 0 to 255, as "
            f"its frames were normalised; EchoNet-Dynamic's network: {ECHONET}"
        )
    mean, std = (_grey_levels(name, options[name]) for name in ("mean", "std"))
    channel = _whole("channel", options.get("channel", "0"))
    network, n, spare = read_deeplab(where, device)
    if channel >= n:
        raise AnnostatError(
            f"channel must be below {n}, the number of channels of teacher {where!r}, got {channel}"
        )
    if n > 1 and "output" not in options:
        raise AnnostatError(
            f"teacher {where!r} has {n} channels: output=softmax says that a pixel is of one "
            "class, output=sigmoid that each channel stands for itself"
        )
    how = check_choice("output", options.get("output", "sigmoid"), ("sigmoid", "softmax"))
    if spare:
        warnings.warn(
            f"teacher {where!r}: {len(spare)} weights of its aux_classifier, which only training "
            "uses, are left out",
            stacklevel=2,
        )
    shift, scale = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (mean, std))

    @torch.inference_mode()
    def masks(source: Source) -> Bytes:
        parts = []
        for piece in torch.from_numpy(source.frames).split(CHUNK):
            grey = piece.to(device).float().unsqueeze(1).expand(-1, 3, -1, -1)
            logits = network((grey - shift) / scale)
            y = logits.softmax(1) if how == "softmax" else logits.sigmoid()
            parts.append(to_bytes(y[:, channel].cpu().numpy()))
        return np.concatenate(parts)

    return masks, None


def _grey_levels(name: str, text: str) -> list[float]:
    """Return one number for each of three colours."""
    values = [check_number(name, part, low=0.0, high=255.0, text=True) for part in text.split("/")]
    if len(values) not in (1, 3) or (name == "std" and min(values) == 0):
        raise AnnostatError(
            f"{name} must be one number or three as 32/33/33, and no std 0, got {text!r}"
        )
    if max(values) < 1:
        raise AnnostatError(
            f"{name} is in grey levels from 0 to 255, got {text!r}: of frames from 0 to 1, give it "
            "times 255"
        )
    return values * (3 // len(values))


def _student(structure: str, where: str, options: dict[str, str], device: Any) -> Made:
    from models.network.predict import predict
    from models.network.weights import read_student

    student, facts = read_student(where, device)
    known = list(facts["config"]["data"]["structures"])
    check_choice(f"structure of {where!r}", structure, known)

    def masks(source: Source) -> Bytes:
        return predict(student, source.frames)[:, known.index(structure)]

    return masks, None


def _oracle(structure: str, where: str, options: dict[str, str], device: Any) -> Made:
    seed = _whole("seed", options.pop("seed", "0"))
    values = {name: check_number(name, text, text=True) for name, text in options.items()}
    bias, noise = values.get("bias", 0.0), values.get("noise", 0.0)
    soft = check_number("soft", values.get("soft", 0.0), low=0.0)
    miss = check_number("miss", values.get("miss", 0.0), low=0.0, high=1.0)

    def masks(source: Source) -> Bytes:
        if source.truth is None:
            raise AnnostatError("the teacher 'oracle' knows the truth of phantom clips only")
        truth = source.truth(structure)
        if not (bias or noise or soft or miss):
            return 255 * truth.astype(np.uint8)
        text = f"{seed}/{structure}/{source.name}".encode()
        digest = hashlib.blake2b(text, digest_size=8).digest()
        rng = np.random.default_rng(int.from_bytes(digest, "big"))
        inside = margin(truth, noise_px=noise, bias_px=bias, rng=rng)
        out = to_bytes(special.expit(inside / soft) if soft else inside > 0)
        out[rng.random(len(out)) < miss] = 0
        return out

    return masks, None


MAKERS: dict[str, Callable[[str, str, dict[str, str], Any], Made]] = {
    "folder": _folder,
    "module": _module,
    "deeplab": _deeplab,
    "student": _student,
    "oracle": _oracle,
}


def _quality(text: str) -> Callable[[str], float]:
    if not text.endswith(".csv"):
        number = check_number("quality", text, low=0.0, text=True)
        return lambda name: number
    try:
        with open(text, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise AnnostatError(f"{text!r} cannot be read: {error}") from None
    if not rows or not {"clip", "quality"} <= set(rows[0]):
        raise AnnostatError(f"{text!r} needs the columns clip and quality")
    values = {row["clip"]: row["quality"] for row in rows}

    def of(name: str) -> float:
        if name not in values:
            raise AnnostatError(f"{text!r} has no quality of clip {name!r}")
        return check_number(f"quality of {name!r}", values[name], low=0.0, text=True)

    return of


def _identity(where: Path) -> tuple[Any, ...]:
    """Return what changes when a teacher's files do, so that stored targets are made again."""
    if not where.exists() or where == Path():
        return ()
    files = sorted(where.iterdir()) if where.is_dir() else [where]
    return tuple((f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files)


def _whole(name: str, text: str) -> int:
    if not text.isdigit():
        raise AnnostatError(f"{name} must be a whole number from 0 on, got {text!r}")
    return int(text)
