"""Masks of several raters from files and folders, as `MaskRounds`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annostat.errors import AnnostatError, check_choice, check_number, shown
from annostat.tables.folders import list_files
from annostat.tables.mask_folders import (
    KINDS,
    NAMES,
    MaskFolder,
    frames_of,
    member_names,
    read_mask_folder,
    read_members,
    refuse_other_kind,
)

if TYPE_CHECKING:
    from annostat.labels import MaskRounds

__all__ = ["read_masks", "read_models"]

MAX_PIXELS = 1 << 32  # of all raters together
ABOUT = ("items", "cluster", "present", "spacing")  # arrays of a file that are no masks
MADE_OF = "consensus_of"  # written beside a consensus, so that nobody scores it against itself


def read_masks(
    sources: Sequence[str | os.PathLike[str]],
    *,
    kind: str = "binary",
    threshold: float | None = None,
    labels: Sequence[int] | None = None,
    spacing: Any = None,
    spacing_unit: str = "",
    patients: Mapping[str, str] | None = None,
) -> MaskRounds:
    """Read the masks of several raters.

    Parameters
    ----------
    sources : sequence of paths
        Several folders: one rater each, with one `.npz` file per clip (`read_mask_folder`); the
        items are the frames of all clips, "CLIP:FRAME". Several `.npz` files: one rater each,
        with one array (N, H, W). One `.npz` file: one array per rater, and if it likes `items`,
        `cluster`, `spacing`, and `present` (raters × items). One folder: a folder of EchoNet, whose
        traced frames are the items, or a folder of such folders, one for each rater.
    kind : {"binary", "uint8", "logits"}
        What the numbers are; see `read_mask_folder`.
    threshold : float, optional
        Of soft masks.
    labels : sequence of int, optional
        Structures; the numbers are then labels.
    spacing, spacing_unit
        As in `MaskRounds.from_arrays`, of all items.
    patients : mapping of str to str, optional
        Patient of each item or clip, for the intervals. Without it clips are taken as patients.

    Returns
    -------
    MaskRounds

    Raises
    ------
    AnnostatError
        If a path is not there, a file is broken, sizes differ, or there is one rater only.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> path = tempfile.mkdtemp() + "/two.npz"
    >>> np.savez(path, anna=np.ones((1, 4, 4), bool), ben=np.eye(4, dtype=bool)[None])
    >>> read_masks([path]).names
    ('anna', 'ben')
    """
    check_choice("kind", kind, list(KINDS))
    cut = KINDS[kind] if threshold is None else check_number("threshold", threshold)
    paths = [Path(source) for source in sources]
    if not paths:
        raise AnnostatError("no input: give folders or .npz files of masks")
    for path in paths:
        if not path.exists():
            raise AnnostatError(f"there is no file or folder {str(path)!r}")
    about: dict[str, Any] = {}
    if len(paths) == 1 and paths[0].is_dir():
        if (paths[0] / "FileList.csv").is_file():
            return _echonet(paths[0], patients)
        inner = sorted(p for p in paths[0].iterdir() if p.is_dir() and not p.name.startswith("."))
        if not inner and list_files(paths[0].resolve(), paths[0], (".npz",)).files:
            raise AnnostatError(
                f"{str(paths[0])!r} holds the masks of one rater; give one folder for each rater"
            )
        if not inner:
            raise AnnostatError(f"folder: {str(paths[0])!r} holds no .npz file and no folder")
        paths = inner
    if len({p.is_dir() for p in paths}) > 1:
        raise AnnostatError("masks must be all folders or all .npz files, not a mixture")
    labelled = labels is not None
    if paths[0].is_dir():
        masks, about = _folders(paths, kind, threshold, labelled)
    elif len(paths) == 1:
        masks, about = _one_file(paths[0], kind, cut, labelled)
    else:
        masks = {}
        for path in paths:
            _add(masks, path.stem, _alone(path, kind, cut, labelled))
    if len(masks) < 2:
        raise AnnostatError(
            f"masks must come from two or more raters, got {shown(masks) or 'none'}"
        )
    return _rounds(masks, about, labels, spacing, spacing_unit, patients)


def read_models(
    models: Mapping[str, str | os.PathLike[str]], rounds: MaskRounds, *, kind: str = "binary",
    threshold: float | None = None,
) -> MaskRounds:  # fmt: skip
    """Read the masks of models, for the items of `rounds`.

    Parameters
    ----------
    models : mapping of name to path
        A folder with one `.npz` file per clip, or an `.npz` file with one array (N, H, W), of
        the same items in the same order.
    rounds : MaskRounds
    kind, threshold
        As in `read_masks`.

    Raises
    ------
    AnnostatError
        If items are missing, or a file is a consensus of these very raters.
    """
    from annostat.labels import MaskRounds

    check_choice("kind", kind, list(KINDS))
    cut = KINDS[kind] if threshold is None else check_number("threshold", threshold)
    labelled = rounds.labels != (1,)
    found: dict[str, NDArray[Any]] = {}
    present: dict[str, NDArray[np.bool_]] = {}
    for name, source in models.items():
        path = Path(source)
        if not path.exists():
            raise AnnostatError(f"there is no file or folder {str(path)!r}")
        if path.is_file():
            masks = _alone(path, kind, cut, labelled)
            if len(masks) != rounds.n_items:
                raise AnnostatError(
                    f"{path.name} has {len(masks)} masks for {rounds.n_items} items"
                )
            found[name] = masks
            continue
        loaded, about = _folders([path], kind, threshold, labelled)
        found[name], present[name] = _on_items(name, loaded[path.name], about["items"], rounds)
    return MaskRounds.from_arrays(
        found, labels=list(rounds.labels) if labelled else None, present=present,
        items=list(rounds.items),
    )  # fmt: skip


def _on_items(
    name: str, masks: NDArray[Any], items: Sequence[str], rounds: MaskRounds
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return a model's masks in the order of the rounds' items, and which of them it has."""
    place = {item: i for i, item in enumerate(items)}
    where = np.array([place.get(str(item), -1) for item in rounds.items])
    if (where < 0).all():
        raise AnnostatError(
            f"model {name!r} has none of the items: it has {shown(items, 2)}, the raters "
            f"{shown(rounds.items, 2)}"
        )
    out = masks[np.maximum(where, 0)]
    out[where < 0] = 0
    return out, where >= 0


def _rounds(
    masks: dict[str, NDArray[Any]], about: dict[str, Any], labels: Sequence[int] | None,
    spacing: Any, spacing_unit: str, patients: Mapping[str, str] | None,
) -> MaskRounds:  # fmt: skip
    from annostat.labels import MaskRounds

    if patients is not None:
        n = len(next(iter(masks.values())))
        items = [str(i) for i in about.get("items", range(n))]
        about["cluster"] = _patients(items, patients)
    if spacing is None and "spacing" in about:
        spacing, spacing_unit = about["spacing"], spacing_unit or "mm"
    return MaskRounds.from_arrays(
        masks,
        labels=labels,
        present=about.get("present"),
        items=about.get("items"),
        cluster=about.get("cluster"),
        spacing=spacing,
        spacing_unit=spacing_unit,
    )


def _patients(items: Sequence[str], patients: Mapping[str, str]) -> list[str]:
    found = []
    for item in items:
        clip = item.rpartition(":")[0]
        if item not in patients and clip not in patients:
            raise AnnostatError(f"the table of patients does not have {item!r}")
        found.append(patients.get(item, patients.get(clip, "")))
    return found


def _add(masks: dict[str, NDArray[Any]], name: str, values: NDArray[Any]) -> None:
    if name in masks:
        raise AnnostatError(f"two inputs are named {name!r}: rename one, names are the raters")
    masks[name] = values


def _cut(
    name: str, values: NDArray[Any], kind: str, threshold: float, labelled: bool
) -> NDArray[Any]:
    """Return masks or labels from stored numbers."""
    if labelled:
        return values
    if kind == "binary" and values.dtype == np.uint8 and values.max() == 255:
        if ((values == 0) | (values == 255)).all():
            return np.asarray(values == 255)  # as image files have it
    refuse_other_kind(name, values, kind)
    return np.asarray(values >= threshold)


def _alone(path: Path, kind: str, threshold: float, labelled: bool) -> NDArray[Any]:
    """Read the masks of one rater from a file: its one array, or arr_0 or output."""
    stored = member_names(path)
    if MADE_OF in stored:
        made_of = read_members(path, [MADE_OF], "U")[MADE_OF]
        raise AnnostatError(
            f"{path.name} is a consensus of {shown(made_of.tolist())}: scored against the raters "
            "it is made of it would look too good; score it on other raters"
        )
    name = next((n for n in NAMES if n in stored), stored[0] if len(stored) == 1 else None)
    if name is None:
        raise AnnostatError(
            f"{path.name} holds {shown(stored)}; one array (N × H × W) is needed for one rater"
        )
    values = frames_of(path.name, read_members(path, [name])[name])
    return _cut(path.name, values, kind, threshold, labelled)


def _one_file(
    path: Path, kind: str, threshold: float, labelled: bool
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read a file with one array for each rater."""
    stored = member_names(path)
    raters = [n for n in stored if n not in ABOUT]
    if MADE_OF in stored or len(raters) < 2:
        raise AnnostatError(
            f"{path.name} holds the masks of {'one rater' if raters else 'no rater'}; give one "
            "array, one file or one folder for each of two or more raters"
        )
    arrays = read_members(path, raters)
    masks = {}
    for name, values in arrays.items():
        masks[name] = _cut(f"{name} in {path.name}", values, kind, threshold, labelled)
    about: dict[str, Any] = {}
    for name in ABOUT:
        if name in stored:
            value = read_members(path, [name], "biufU")[name]
            about[name] = value if name == "spacing" else value.tolist()
    if "present" in about:
        rows = np.asarray(about["present"], dtype=bool)
        if rows.ndim != 2 or len(rows) != len(raters):
            raise AnnostatError(
                f"present in {path.name} must be {len(raters)} raters × items, got {rows.shape}"
            )
        about["present"] = dict(zip(raters, rows, strict=True))
    return masks, about


def _folders(
    paths: Sequence[Path], kind: str, threshold: float | None, labelled: bool
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read one folder for each rater; clips that a rater lacks are missing, not empty."""
    folders: dict[str, MaskFolder] = {}
    for path in paths:
        if path.resolve().name in folders:
            raise AnnostatError(f"two folders are named {path.name!r}: names are the raters")
        folders[path.resolve().name] = read_mask_folder(path, kind=kind, threshold=threshold)
    clips = sorted(set().union(*(f.files for f in folders.values())))
    values: dict[str, list[NDArray[Any]]] = {name: [] for name in folders}
    present: dict[str, list[NDArray[np.bool_]]] = {name: [] for name in folders}
    items: list[str] = []
    cluster: list[str] = []
    size: tuple[int, ...] | None = None
    total = 0
    for clip in clips:
        found = {}
        for name, folder in folders.items():
            if clip not in folder.files:
                continue
            found[name] = read_one(folder, clip, labelled)
        shapes = {name: m.shape for name, m in found.items()}
        first = next(iter(shapes.values()))
        size = first[1:] if size is None else size
        if len(set(shapes.values())) > 1 or first[1:] != size:
            told = ", ".join(f"{name}: {' × '.join(map(str, s))}" for name, s in shapes.items())
            raise AnnostatError(
                f"masks of {clip!r} have another size ({told}); all clips need one image size, and "
                "raters the same frames"
            )
        total += len(folders) * int(np.prod(first))
        if total > MAX_PIXELS:
            raise AnnostatError(
                f"more than {MAX_PIXELS:,} pixels of masks; give fewer frames, such as ED and ES"
            )
        for name in folders:
            there = name in found
            kind_of = next(iter(found.values())).dtype
            values[name].append(found[name] if there else np.zeros(first, dtype=kind_of))
            present[name].append(np.full(first[0], there))
        items += [f"{clip}:{k}" for k in range(first[0])]
        cluster += [clip] * first[0]
    masks = {name: np.concatenate(parts) for name, parts in values.items()}
    flags = {name: np.concatenate(parts) for name, parts in present.items()}
    return masks, {"items": items, "cluster": cluster, "present": flags}


def read_one(folder: MaskFolder, clip: str, labelled: bool) -> NDArray[Any]:
    """Return the masks or labels of one clip."""
    from annostat.tables.mask_folders import read_npz

    path = folder.files[clip]
    return _cut(path.name, read_npz(path), folder.kind, folder.threshold, labelled)


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
    return MaskRounds.from_arrays(
        {f"annotator_{r + 1}": values[r] for r in range(n)},
        present={f"annotator_{r + 1}": present[r] for r in range(n)},
        items=items,
        cluster=clips if patients is None else _patients(items, patients),
        exchangeable=True,
    )
