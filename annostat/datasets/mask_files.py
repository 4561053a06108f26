"""Masks of several raters from files and folders, as `MaskRounds`."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annostat.errors import AnnostatError, check_choice, option, printable, shown
from annostat.files import AnyPath
from annostat.labels.packed_masks import PackedMasks
from annostat.resampling.parallel import Progress, is_elsewhere, map_parallel
from annostat.tables.mask_arrays import (
    ABOUT,
    MADE_OF,
    Drawn,
    Reading,
    drawn_in_npz,
    read_drawn,
    structures,
)
from annostat.tables.mask_folders import member_names
from annostat.tables.mask_joining import HELD, Arrays, ClipTask, in_mm, joined, read_block
from annostat.tables.mask_layouts import Layout, Place, check_source, find_masks, matched

if TYPE_CHECKING:
    from annostat.labels import MaskRounds

__all__ = ["MADE_OF", "read_masks", "read_masks_and_models"]

NO_PATIENTS = "if these are images of one patient"


def read_masks(
    sources: Sequence[AnyPath] | Mapping[str, AnyPath],
    *,
    raters: Sequence[str] | None = None,
    kind: str | None = None,
    threshold: float | None = None,
    labels: Sequence[int] | None = None,
    items: str | None = None,
    orientation: str = "affine",
    tidy_names: bool = False,
    spacing: Any = None,
    spacing_unit: str = "",
    patients: Mapping[str, str] | None = None,
    n_jobs: int | None = 1,
    progress: Progress | None = None,
) -> MaskRounds:
    """Read the masks of several raters: npz, NIfTI, MHD, MHA, NRRD, PNG, TIFF.

    Parameters
    ----------
    sources : sequence of paths, or mapping of rater to path
        Several folders: one rater each, with one file per clip or case. One folder: of such
        folders, of folders for each case with a file for each rater, or a folder of EchoNet, whose
        traced frames are the items. Several files: one rater each. One `.npz` file: one array
        (N, H, W) per rater, and if it likes `items`, `cluster`, `spacing`, and `present`
        (raters × items). Files are matched by name; what a rater lacks is missing, not empty.
    raters : sequence of str, optional
        Those of the folders, files or arrays that are raters; needed where a folder holds more
        than two, whose names do not say who they are.
    kind : {"binary", "uint8", "logits", "probability"}, optional
        What the numbers are; see `read_mask_folder`. By default masks of 0 and 1 (or 0 and 255),
        or label maps.
    threshold : float, optional
        Of soft masks.
    labels : sequence of int, optional
        Structures of label maps; other numbers are background. By default all that are found.
    items : {"frames", "volumes"}, optional
        What of a stack of images one item is. By default volumes of NIfTI, MHA and NRRD, frames of
        npz and TIFF and of NIfTI whose fourth axis is time.
    orientation : {"affine", "stored"}
        Whether images that say how they lie are turned the same way (LPS), or taken as stored.
    tidy_names : bool
        Whether names of files that differ only by case, spaces or a common ending are one.
    spacing, spacing_unit
        As in `MaskRounds.from_arrays`, of all items. By default that of the files, in mm.
    patients : mapping of str to str, optional
        Patient of each item or clip, for the intervals. Without it clips are taken as patients.
    n_jobs, progress
        As everywhere. Each worker opens the files of a clip itself, and hands over what is marked.

    Returns
    -------
    MaskRounds
        Its `notes` say what was read and what was not. Images of different sizes are filled up
        with background. More than 2³² pixels in folders are cut to what is marked and packed
        (`annostat.labels.packed_masks`).

    Raises
    ------
    AnnostatError
        If a path is not there, a file is broken, names or sizes do not match, it cannot be told
        who is a rater, or there is one rater only.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> path = tempfile.mkdtemp() + "/two.npz"
    >>> np.savez(path, anna=np.ones((1, 4, 4), bool), ben=np.eye(4, dtype=bool)[None])
    >>> read_masks([path]).names
    ('anna', 'ben')
    """
    found, _ = read_masks_and_models(
        sources,
        {},
        raters=raters,
        kind=kind,
        threshold=threshold,
        labels=labels,
        items=items,
        orientation=orientation,
        tidy_names=tidy_names,
        spacing=spacing,
        spacing_unit=spacing_unit,
        patients=patients,
        n_jobs=n_jobs,
        progress=progress,
    )
    return found


def read_masks_and_models(
    sources: Sequence[AnyPath] | Mapping[str, AnyPath],
    models: Mapping[str, AnyPath],
    *,
    raters: Sequence[str] | None = None,
    kind: str | None = None,
    threshold: float | None = None,
    labels: Sequence[int] | None = None,
    items: str | None = None,
    orientation: str = "affine",
    tidy_names: bool = False,
    spacing: Any = None,
    spacing_unit: str = "",
    patients: Mapping[str, str] | None = None,
    n_jobs: int | None = 1,
    progress: Progress | None = None,
) -> tuple[MaskRounds, MaskRounds | None]:
    """Read the masks of raters, and of models for the same items.

    Parameters
    ----------
    sources
        As in `read_masks`.
    models : mapping of name to path
        A folder or a file each, or the name of one of what the sources hold.
    raters, kind, threshold, labels, items, orientation, tidy_names, spacing, spacing_unit, patients
        As in `read_masks`.
    n_jobs, progress
        As in `read_masks`.

    Returns
    -------
    MaskRounds, MaskRounds or None
        The raters and the models, of the same items in the same order.

    Raises
    ------
    AnnostatError
        As `read_masks`; and if a model is a consensus of raters or one of them, or has none of the
        items.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> path = tempfile.mkdtemp() + "/all.npz"
    >>> np.savez(path, anna=np.ones((1, 4, 4)), ben=np.eye(4)[None], net=np.tri(4)[None])
    >>> rounds, models = read_masks_and_models([path], {"net": "net"})
    >>> rounds.names, models.names
    (('anna', 'ben'), ('net',))
    """
    how = Reading.checked(kind, threshold, items, orientation)
    if isinstance(sources, str | os.PathLike):
        sources = [sources]
    paths = [Path(p) for p in (sources.values() if isinstance(sources, Mapping) else sources)]
    if not paths:
        raise AnnostatError("no input: give folders or files of masks")
    for path in paths:
        check_source(path)
    named = {name: os.fspath(path) for name, path in models.items()}
    about: dict[str, Any] = {}
    whole = paths[0].resolve()
    if len(paths) == 1 and (whole / "FileList.csv").is_file():
        if named or raters is not None:
            raise AnnostatError("an EchoNet folder holds neither models nor named raters")
        return _echonet(paths[0], patients), None
    if len(paths) == 1 and whole.suffix.lower() == ".npz":
        masks, predicted, about = _one_file(paths[0], how, raters, named)
    else:
        names = list(sources) if isinstance(sources, Mapping) else None
        layout = find_masks(paths, names=names, raters=raters, models=named)
        masks, predicted, about = _of_layout(
            layout, how, tidy_names=tidy_names, n_jobs=n_jobs, progress=progress
        )
    if len(masks) < 2:
        raise AnnostatError(
            f"masks must come from two or more raters, got {shown(masks) or 'none'}"
        )
    for name, values in predicted.items():
        twin = next((r for r, v in masks.items() if _equal(v, values)), None)
        if twin is not None:
            raise AnnostatError(
                f"model {name!r} has the very masks of rater {twin!r}; leave it out"
            )
    for a, b in itertools.combinations(masks, 2):
        if masks[a].any() and _equal(masks[a], masks[b]):
            about["notes"].append(f"{a} and {b} have the very same masks")
    chosen = structures(masks, predicted, how, labels, about["notes"])
    about["notes"].insert(0, _summary(masks, predicted, about, own_spacing=spacing is None))
    return _as_rounds(masks, predicted, about, chosen, spacing, spacing_unit, patients)


def _summary(
    masks: Arrays, predicted: Arrays, about: Mapping[str, Any], *, own_spacing: bool
) -> str:
    """Return in one line what was read."""
    shape = next(iter(masks.values())).shape
    what = "volumes" if len(shape) == 4 else "images"
    told = f"{shape[0]} {what} of {' × '.join(map(str, shape[1:]))} pixels"
    if "cluster" in about and len(set(about["cluster"])) < shape[0]:
        told += f", of {len(set(about['cluster']))} clips or patients"
    told += f", by the raters {shown(masks, 12)}"
    if predicted:
        models = "model" if len(predicted) == 1 else "models"
        told += f", and by the {models} {shown(predicted, 12)}"
    if own_spacing and about.get("spacing") is not None:
        steps = np.atleast_1d(np.asarray(about["spacing"], dtype=np.float64))
        if len(steps) != shape[0]:  # of all items
            steps = steps[None]
        steps = np.unique(steps.reshape(len(steps), -1), axis=0)
        one = f"; pixels of {in_mm(steps[0])} mm"
        told += one if len(steps) == 1 else f"; pixels of {len(steps)} sizes, as the files say"
    return told


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, PackedMasks):
        return a.equals(b)
    return a.shape == b.shape and bool((a == b).all())


def _as_rounds(
    masks: Arrays,
    predicted: Arrays,
    about: dict[str, Any],
    labels: Sequence[int] | None,
    spacing: Any,
    spacing_unit: str,
    patients: Mapping[str, str] | None,
) -> tuple[MaskRounds, MaskRounds | None]:
    from annostat.labels import MaskRounds

    n = len(next(iter(masks.values())))
    items = [printable(str(i)) for i in about.get("items", range(n))]
    if patients is not None:
        about["notes"] = [n for n in about["notes"] if NO_PATIENTS not in n]
        about["cluster"] = _patients(items, patients, about["notes"])
    if spacing is None and about.get("spacing") is not None:
        spacing, spacing_unit = about["spacing"], spacing_unit or "mm"
    there = about.get("present", {})
    rounds = MaskRounds.from_arrays(
        masks,
        labels=labels,
        present={name: there[name] for name in masks if name in there},
        items=items,
        cluster=about.get("cluster"),
        spacing=spacing,
        spacing_unit=spacing_unit,
        notes=about["notes"],
    )
    if not predicted:
        return rounds, None
    found = MaskRounds.from_arrays(predicted, labels=labels, items=list(rounds.items))
    flags = np.array([there.get(name, np.ones(n, dtype=bool)) for name in predicted])
    for name, row in zip(predicted, flags, strict=True):
        if not row.any():
            raise AnnostatError(f"model {name!r} has none of the items of the raters")
    return rounds, replace(found, drawn=flags)


def _patients(items: Sequence[str], patients: Mapping[str, str], notes: list[str]) -> list[str]:
    """Return the patient of each item; a note says which of the table match none."""
    found = []
    for item in items:
        clip = item.rpartition(":")[0]
        if item not in patients and clip not in patients:
            raise AnnostatError(f"the table of patients does not have {item!r}")
        found.append(patients.get(item, patients.get(clip, "")))
    known = {*items, *(item.rpartition(":")[0] for item in items)}
    if others := [name for name in patients if name not in known]:
        notes.append(
            f"{len(others)} of the {len(patients)} names in the table of patients match no mask: "
            f"{shown(others, 3)}"
        )
    return found


def _one_file(
    path: Path, how: Reading, raters: Sequence[str] | None, models: Mapping[str, str]
) -> tuple[Arrays, Arrays, dict[str, Any]]:
    """Read a file with one array for each rater, and perhaps for models."""
    stored = [n for n in member_names(path) if n not in ABOUT]
    inside = {name: text for name, text in models.items() if text in stored}
    outside = {name: text for name, text in models.items() if name not in inside}
    names = [n for n in stored if n not in inside.values()]
    notes: list[str] = []
    if raters is not None:
        for name in raters:
            check_choice("raters", name, names)
        left = [n for n in names if n not in raters]
        notes += [f"left out, being not named as raters: {shown(left)}"] if left else []
        names = list(raters)
    if MADE_OF in stored or len(names) < 2:
        raise AnnostatError(
            f"{path.name} holds the masks of {'one rater' if names else 'no rater'}; give one "
            "array, one file or one folder for each of two or more raters"
        )
    arrays, about = drawn_in_npz(path, [*names, *inside.values()], how)
    about["notes"] = notes
    there = about.pop("present", None)
    if there is not None:
        rows = np.asarray(there, dtype=bool)
        if rows.ndim != 2 or len(rows) != len(stored):
            raise AnnostatError(
                f"present in {path.name} must be {len(stored)} raters × items, got {rows.shape}"
            )
        about["present"] = dict(zip(map(printable, stored), rows, strict=True))
        about["present"] |= {name: about["present"][text] for name, text in inside.items()}
    masks = {printable(name): arrays[name] for name in names}
    predicted = {name: arrays[text] for name, text in inside.items()}
    items = [printable(str(i)) for i in about["items"]] if "items" in about else None
    n = len(next(iter(masks.values())))
    for place in find_masks([path], models=outside).models:
        values, present = _on_items(place, how, items, n)
        predicted[place.name] = values
        about.setdefault("present", {})[place.name] = present
    return masks, predicted, about


def _on_items(
    place: Place, how: Reading, items: Sequence[str] | None, n: int
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return a model's masks for the items of a file, and which of them it has."""
    drawn = _all_of(place, how)
    if drawn.items is None and items is not None and len(drawn.values) != len(items):
        raise AnnostatError(f"{place.path.name} has {len(drawn.values)} masks for {n} items")
    if drawn.items is None or (items is None and not place.files):
        if len(drawn.values) != n:
            raise AnnostatError(f"{place.path.name} has {len(drawn.values)} masks for {n} items")
        return drawn.values, np.ones(n, dtype=bool)
    known = [str(i) for i in range(n)] if items is None else items
    where = {item: i for i, item in enumerate(drawn.items)}
    rows = np.array([where.get(item, -1) for item in known])
    if (rows < 0).all():
        raise AnnostatError(
            f"model {place.name!r} has none of the items: it has {shown(drawn.items, 2)}, the "
            f"raters {shown(known, 2)}"
        )
    values = drawn.values[np.maximum(rows, 0)]
    values[rows < 0] = 0
    return values, rows >= 0


def _all_of(place: Place, how: Reading) -> Drawn:
    """Return all masks of one place, which need one size."""
    if not place.files:
        return read_drawn(place.path, how).as_items("")
    parts = [read_drawn(path, how).as_items(clip) for clip, path in place.files.items()]
    if len({p.values.shape[1:] for p in parts}) > 1:
        raise AnnostatError(f"masks of {place.name!r} have different sizes")
    items = [item for part in parts for item in part.items or ()]
    return replace(parts[0], values=np.concatenate([p.values for p in parts]), items=items)


# Several places


def _of_layout(
    layout: Layout,
    how: Reading,
    *,
    tidy_names: bool,
    n_jobs: int | None,
    progress: Progress | None,
) -> tuple[Arrays, Arrays, dict[str, Any]]:
    raters, models = layout.raters, layout.models
    if len({p.name for p in (*raters, *models)}) < len(raters) + len(models):
        raise AnnostatError("a model has the name of a rater; write NAME=PATH")
    folders = bool(raters[0].files) if raters else False
    alike = [m for m in models if bool(m.files) == folders]
    kept, lacking = matched([*raters, *alike], tidy_names=tidy_names)
    names, others = [p.name for p in kept[: len(raters)]], [p.name for p in kept[len(raters) :]]
    tasks = _clip_tasks(kept, names, how)
    blocks = map_parallel(read_block, tasks, n_jobs=n_jobs, progress=progress)
    whole, about = joined(names, others, blocks)
    about["notes"] = [*layout.notes, *lacking, *_look_like_series(about), *about["notes"]]
    for model in models:
        if model not in alike:  # a file beside folders, or the other way round
            if about["turned"] and model.path.suffix.lower() == ".npz":
                raise AnnostatError(
                    f"model {model.name!r} does not say how it lies, and the raters' images were "
                    "turned; if all were stored alike, set "
                    f"{option('orientation', 'stored')}"
                )
            values, present = _on_items(model, how, about["items"], len(about["items"]))
            if values.shape != whole[names[0]].shape:
                told = " and ".join(
                    " × ".join(map(str, v.shape[1:])) for v in (values, whole[names[0]])
                )
                raise AnnostatError(f"masks of model {model.name!r} have another size: {told}")
            packed = isinstance(whole[names[0]], PackedMasks)
            whole[model.name] = PackedMasks.of(values) if packed else values
            about["present"][model.name] = present
    masks = {name: whole[name] for name in names}
    return masks, {p.name: whole[p.name] for p in models}, about


def _clip_tasks(places: Sequence[Place], raters: Sequence[str], how: Reading) -> list[ClipTask]:
    """Return what is to be read of all places, one clip after the other."""
    named = tuple(raters)
    if not places or not places[0].files:
        return [ClipTask("", {p.name: p.path for p in places}, named, how, HELD)]
    clips = sorted(set().union(*(p.files for p in places[: len(named)])))
    room = 0 if is_elsewhere() else HELD // max(len(clips), 1)  # packed, what travels is little
    return [
        ClipTask(c, {p.name: p.files[c] for p in places if c in p.files}, named, how, room)
        for c in clips
    ]


def _look_like_series(about: Mapping[str, Any]) -> list[str]:
    """Return a note if files look like several images of one patient each."""
    clips = list(dict.fromkeys(about.get("cluster", ())))
    starts = {re.sub(r"[-_ ][a-zA-Z]*\d+$", "", clip) for clip in clips}
    if 1 < len(starts) < len(clips):
        return [
            f"names such as {clips[0]} begin alike: {NO_PATIENTS}, say so by {option('patients')}"
        ]
    return []


def _echonet(folder: Path, patients: Mapping[str, str] | None) -> MaskRounds:
    """Return the traces of an EchoNet folder: one item for each traced frame."""
    from annostat.datasets.echonet import read_echonet
    from annostat.labels import MaskRounds

    found = read_echonet(folder)
    frames: dict[str, list[Any]] = {}
    for trace in found.traces:
        frames.setdefault(f"{trace.clip}:{trace.frame}", []).append(trace)
    n = max(map(len, frames.values()), default=0)
    if n < 2:
        raise AnnostatError(
            "no frame was traced by two annotators, so the tracings hold no rounds: give folders "
            "of masks, one for each rater"
        )
    size = found.clips[["height", "width"]].median()
    height, width = (int(v) if np.isfinite(v) else 112 for v in size)
    values = np.zeros((n, len(frames), height, width), dtype=bool)
    present = np.zeros((n, len(frames)), dtype=bool)
    for i, traces in enumerate(frames.values()):
        for r, trace in enumerate(traces):
            values[r, i] = trace.mask(height, width)
            present[r, i] = True
    items = list(frames)
    clips = [item.rpartition(":")[0] for item in items]
    notes: list[str] = []
    return MaskRounds.from_arrays(
        {f"annotator_{r + 1}": values[r] for r in range(n)},
        present={f"annotator_{r + 1}": present[r] for r in range(n)},
        items=items,
        cluster=clips if patients is None else _patients(items, patients, notes),
        exchangeable=True,
        notes=notes,
    )
