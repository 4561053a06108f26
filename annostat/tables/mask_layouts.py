"""Whose masks lie where: folders and files by rater and by clip, before a pixel is read.

The layouts that people have:

- one folder for each rater, a file for each case; of nnU-Net, `labelsTs` in it;
- one folder that holds such folders;
- one folder for each case, a file for each rater (`CASE/anna.nii.gz`, `CASE/CASE_anna.nii.gz`);
- one folder of files `CASE_anna.nii.gz`, if the raters are named;
- one file for each rater.

A folder of folders does not say which of them are raters and which are models: it is asked, unless
there are two, their names say so, or the rest was named.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path

from annostat.errors import AnnostatError, check_choice, option, printable, shown
from annostat.files import reading
from annostat.tables.folders import is_inside, plain_name
from annostat.tables.image_files import SUFFIXES

MASKS = (".npz", *SUFFIXES)
MANY = 8  # so many cases or more are known by their number
NNUNET = ("labelsTs", "labelsTr")
IMAGES = re.compile(r"(image|img|scan|video|frame|raw)s?(t[rs])?", re.IGNORECASE)
RATERS = re.compile(
    r"(rater|reader|annotator|observer|expert|radiologist|cardiologist|grader|reviewer|doctor|obs)"
    r"[-_ ]?([a-z]|\d{1,3})",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Place:
    """Where the masks of one rater or model are.

    Attributes
    ----------
    name : str
    path : Path
        A folder, or one file that holds them all.
    files : dict of str to Path
        By clip; empty for one file.
    outside : int
        Links that lead out of the folder; they were not followed.
    """

    name: str
    path: Path
    files: dict[str, Path] = field(default_factory=dict)
    outside: int = 0


@dataclass(frozen=True)
class Layout:
    """The raters and the models, and what was found out about them on the way."""

    raters: tuple[Place, ...]
    models: tuple[Place, ...]
    notes: tuple[str, ...] = ()


def find_masks(
    sources: Sequence[Path],
    *,
    names: Sequence[str] | None = None,
    raters: Sequence[str] | None = None,
    models: Mapping[str, str] | None = None,
) -> Layout:
    """Return where the masks of raters and models are.

    Parameters
    ----------
    sources : sequence of Path
        Folders or files: one for each rater, or one folder that holds them all.
    names : sequence of str, optional
        Of the sources; by default those of the folders and files.
    raters : sequence of str, optional
        Names of those who are raters; the others are left out.
    models : mapping of str to str, optional
        By name, a path, or the name of one of what the sources hold.

    Raises
    ------
    AnnostatError
        If there is nothing to read, or it cannot be told who is a rater.
    """
    if len({p.is_dir() for p in sources}) > 1:
        raise AnnostatError("masks must be all folders or all files, not a mixture")
    together = len(sources) == 1 and sources[0].is_dir()
    notes: list[str] = []
    if together:
        inside = [_inside(sources[0], text) for text in (models or {}).values()]
        found = _of_folder(sources[0], [*(raters or ()), *inside], notes, named=bool(raters))
    else:
        found = {}
        for name, path in zip(names or _names(sources), sources, strict=True):
            found[name] = _place(name, path)
    chosen: list[Place] = []
    for name, text in (models or {}).items():
        if Path(text).exists():
            chosen.append(_place(name, Path(text)))
        elif text in found:
            chosen.append(replace(found[text], name=name))
        else:
            raise AnnostatError(f"model {name!r}: there is no file or folder {text!r}")
    rest = list(found)
    if together:  # who is named as a model is no rater
        rest = [n for n, p in found.items() if not any(_same_place(p, m) for m in chosen)]
    if raters is not None:
        if len(set(raters)) < len(raters):
            raise AnnostatError(f"raters names one twice: {shown(raters)}")
        for name in raters:
            check_choice("raters", name, list(found))
        left = [n for n in rest if n not in raters]
        if left:
            notes.append(f"left out, being neither named as raters nor as models: {shown(left)}")
        rest = list(raters)
    elif together and not models and len(rest) > 2 and not all(map(RATERS.fullmatch, rest)):
        many = Counter(len(p.files) for p in found.values()).most_common(1)[0][0]
        raise AnnostatError(
            f"{str(sources[0])!r} holds masks by {shown(rest, 12)} ({many} files each), and only "
            f"you know which of them are raters: name them by {option('raters')}, and those of "
            f"models by {option('model')}"
        )
    for model in chosen:
        for name in rest:
            if _same_place(found[name], model):
                raise AnnostatError(f"{name!r} is given as a rater and as the model {model.name!r}")
    for a, b in combinations(rest, 2):
        if _same_place(found[a], found[b]):
            raise AnnostatError(f"{a!r} and {b!r} are one folder or file, given twice")
    for place in [*(found[n] for n in rest), *chosen]:
        if place.outside:
            notes.append(
                f"{place.name}: {place.outside} links that leave its folder were not followed"
            )
    return Layout(tuple(found[n] for n in rest), tuple(chosen), tuple(notes))


def _same_place(a: Place, b: Place) -> bool:
    if a.files or b.files:
        return {*a.files.values()} == {*b.files.values()}  # of folders without links
    return a.path.resolve() == b.path.resolve()


def _place(name: str, path: Path) -> Place:
    """Return one file, or the masks of one folder."""
    check_source(path)
    if not path.is_dir():
        return Place(name, path)
    files, outside = list_masks(path)
    if not files:
        raise AnnostatError(_nothing_in(path, outside))
    return Place(name, path, files, outside)


def check_source(path: Path) -> None:
    """Refuse what is neither a folder nor a file that can be read more than once."""
    if not path.exists():
        raise AnnostatError(f"there is no file or folder {str(path)!r}")
    if not path.is_dir() and not path.is_file():
        raise AnnostatError(f"{str(path)!r} is a pipe or a device: masks need a file or a folder")


def list_masks(folder: Path) -> tuple[dict[str, Path], int]:
    """Return the masks of one folder by clip, and how many links lead out of it.

    A folder of nnU-Net is its `labelsTs`, or where there is none its `labelsTr`.
    """
    root = folder.resolve()
    files, outside = _masks_in(root)
    inner = next((root / n for n in NNUNET if (root / n).is_dir()), None)
    if not files and inner is not None and is_inside(root, inner):
        files, outside = _masks_in(inner)
    reading(*files.values())
    return files, outside


def _masks_in(root: Path) -> tuple[dict[str, Path], int]:
    files: dict[str, Path] = {}
    outside = 0
    for path in sorted(root.iterdir()):
        suffix = next((s for s in MASKS if path.name.lower().endswith(s)), None)
        if suffix is None or path.name.startswith("."):
            continue
        if path.is_symlink() and not (path.exists() and is_inside(root, path)):
            outside += 1
        elif path.is_file():
            clip = printable(path.name[: -len(suffix)])
            if clip in files:
                raise AnnostatError(
                    f"{clip!r} stands twice in {root.name!r}: {files[clip].name} and {path.name}"
                )
            files[clip] = path
    return files, outside


def _nothing_in(folder: Path, outside: int = 0) -> str:
    """Return what a folder without masks holds instead."""
    if outside:
        return f"{str(folder)!r} holds only links that leave it, which are not followed; copy them"
    others = Counter(p.suffix.lower() for p in folder.iterdir() if p.is_file())
    told = ", ".join(f"{n} {suffix or 'without suffix'}" for suffix, n in others.most_common(4))
    return f"folder: {str(folder)!r} holds no masks that are read ({', '.join(MASKS)})" + (
        f"; it holds files {told}" if told else ""
    )


def _names(paths: Sequence[Path]) -> list[str]:
    """Return names that tell paths apart: their own, or of the folders that they stand in."""
    whole = [p.resolve() for p in paths]
    stems = [p.name if p.is_dir() else without_suffix(p.name) for p in whole]
    parts = [[stem, *reversed(p.parts[:-1])] for stem, p in zip(stems, whole, strict=True)]
    for k in range(min(map(len, parts))):
        names = [printable(p[k]) for p in parts]
        if len(set(names)) == len(names):
            return names
    twice = next((s for s in stems if stems.count(s) > 1), stems[0])
    raise AnnostatError(f"two folders or files are named {twice!r}: names are the raters")


def without_suffix(name: str) -> str:
    """Return the name of a file of masks without its suffix."""
    suffix = next((s for s in MASKS if name.lower().endswith(s)), "")
    return name[: len(name) - len(suffix)]


# One folder that holds them all


def _inside(folder: Path, text: str) -> str:
    """Return the name of what a model's path means within a folder, else the path itself."""
    path = Path(text)
    return path.name if path.exists() and path.resolve().parent == folder.resolve() else text


def _of_folder(
    folder: Path, wanted: Sequence[str], notes: list[str], *, named: bool
) -> dict[str, Place]:
    own, outside = list_masks(folder)
    inner = [p for p in sorted(folder.iterdir()) if p.is_dir() and not p.name.startswith(".")]
    if own:
        stems = {without_suffix(name) for name in wanted}
        if named and stems <= set(own):  # one file for each rater
            return {name: Place(name, path) for name, path in own.items()}
        parts = _by_ending(folder, own, wanted) if named else {}
        if parts:
            return parts
        raise AnnostatError(
            f"{str(folder)!r} holds files ({shown(own, 4)}), and it is not known whose: give one "
            f"folder for each rater, or name the raters ({option('raters')}) if each file holds "
            "the masks of one, or if its files are CASE_RATER"
        )
    listed = {
        printable(p.name): (p, *list_masks(p)) for p in inner if is_inside(folder.resolve(), p)
    }
    held = {n: Place(n, p, files, links) for n, (p, files, links) in listed.items() if files}
    if not held:
        raise AnnostatError(_nothing_in(folder, outside))
    by_case = _by_case(folder, held)
    if set(wanted) & (set(held) | set(by_case)):
        nested = not set(wanted) & set(held)
    elif _are_raters(held, by_case):
        nested = False
    elif _are_raters(by_case, held) or any(
        c.startswith(f"{n}_") for n, p in held.items() for c in p.files
    ):
        nested = True
    else:
        raise AnnostatError(
            f"{str(folder)!r} holds {len(held)} folders of {len(by_case)} files, and only you know "
            f"which are the raters: name them by {option('raters')}: {shown(held)}, or "
            f"{shown(by_case)}"
        )
    found = by_case if nested else held
    images = [n for n in found if IMAGES.fullmatch(n) and n not in wanted]
    if images:
        notes.append(f"left out, being images: {shown(images)}")
    return {n: p for n, p in found.items() if n not in images}


def _are_raters(some: Iterable[str], others: Iterable[str]) -> bool:
    """Return whether of two lists of names the first is sure to be that of raters.

    They say so themselves; the others are a series (case01, case02), and they are none; or there
    are many more of the others.
    """
    names, cases = ([n for n in part if not IMAGES.fullmatch(n)] for part in (some, others))
    if all(map(RATERS.fullmatch, names)) or all(map(RATERS.fullmatch, cases)):
        return all(map(RATERS.fullmatch, names))
    if _are_series(names) != _are_series(cases):
        return _are_series(cases)
    return len(cases) >= max(MANY, 3 * len(names))


def _are_series(names: Sequence[str]) -> bool:
    """Return whether names differ by their numbers only."""
    return len({re.sub(r"\d+", "#", n) for n in names}) == 1 and bool(re.search(r"\d", names[0]))


def _by_case(folder: Path, held: Mapping[str, Place]) -> dict[str, Place]:
    """Return the files of folders of cases by rater: their names without that of the case."""
    found: dict[str, dict[str, Path]] = {}
    for case, place in held.items():
        for clip, path in place.files.items():
            rater = re.sub(rf"^{re.escape(case)}[-_. ]|[-_. ]{re.escape(case)}$", "", clip)
            found.setdefault(rater, {})[case] = path
    return {rater: Place(rater, folder, files) for rater, files in found.items()}


def _by_ending(folder: Path, files: Mapping[str, Path], wanted: Sequence[str]) -> dict[str, Place]:
    """Return the files CASE_RATER or RATER_CASE of one folder by rater."""
    found: dict[str, dict[str, Path]] = {}
    for clip, path in files.items():
        for name in wanted:
            ends = re.fullmatch(rf"(.+)[-_. ]{re.escape(name)}|{re.escape(name)}[-_. ](.+)", clip)
            if ends:
                found.setdefault(name, {})[ends[1] or ends[2]] = path
    return {name: Place(name, folder, found[name]) for name in wanted if name in found}


# Names of clips


def matched(places: Sequence[Place], *, tidy_names: bool = False) -> tuple[list[Place], list[str]]:
    """Return places whose clips have the same names, and what they lack of each other.

    Names are never joined in silence: those that differ by case, spaces or the form of their
    Unicode only, or by an ending that all files of one folder have, are an error that says so, and
    joined if `tidy_names` is set.
    """
    named = [p for p in places if p.files]
    if not named:
        return list(places), []
    kept = [_tidied(p, named) if tidy_names else p for p in named]
    spelt: dict[str, dict[str, str]] = {}
    for place in kept:
        for clip in place.files:
            spelt.setdefault(plain_name(clip), {}).setdefault(clip, place.name)
    alike = [forms for forms in spelt.values() if len(forms) > 1]
    if alike:
        told = " and ".join(f"{clip!r} ({who})" for clip, who in alike[0].items())
        raise AnnostatError(
            f"names that differ only by case or spaces: {told}, {len(alike)} such in all; rename "
            f"the files, or join them by {option('tidy-names', True)}"
        )
    for place in kept:
        others = _clips_but(place, kept)
        if len(kept) > 1 and not others & set(place.files):
            ending = next((e for p in kept if (e := _ending(p, _clips_but(p, kept)))), "")
            raise AnnostatError(
                f"{place.name} has none of the clips of the others: it has "
                f"{shown(place.files, 2)}, they have {shown(sorted(others), 2)}"
                + (f"; {option('tidy-names', True)} leaves out {ending!r}" if ending else "")
            )
    clips = set().union(*(p.files for p in kept))
    notes = []
    for place in kept:
        lacking = sorted(clips - set(place.files))
        if lacking:
            notes.append(f"{place.name} lacks {len(lacking)} of {len(clips)}: {shown(lacking)}")
    return kept, notes


def _clips_but(place: Place, places: Sequence[Place]) -> set[str]:
    return {clip for p in places if p is not place for clip in p.files}


def _tidied(place: Place, places: Sequence[Place]) -> Place:
    """Return a place with the names of the first that has them in another form."""
    ending = _ending(place, _clips_but(place, places))
    known: dict[str, str] = {}
    for other in places:
        own = _ending(other, _clips_but(other, places))
        for clip in other.files:
            stem = _without(clip, own)
            known.setdefault(plain_name(stem), stem)
    files: dict[str, Path] = {}
    for clip, path in place.files.items():
        name = known[plain_name(_without(clip, ending))]
        if name in files:
            raise AnnostatError(
                f"tidy_names would join {files[name].name} and {path.name} of {place.name}"
            )
        files[name] = path
    return replace(place, files=files)


def _ending(place: Place, others: Iterable[str]) -> str:
    """Return an ending that all names have and without which others have them, else ""."""
    if not place.files:
        return ""
    first, last = min(c[::-1] for c in place.files), max(c[::-1] for c in place.files)
    same = next((i for i, c in enumerate(first) if last[i : i + 1] != c), len(first))
    end = first[:same][::-1]
    known = {plain_name(c) for c in others}
    if {plain_name(c) for c in place.files} & known:
        return ""
    for start in [m.start() for m in re.finditer(r"[-_. ]", end)]:
        if all(plain_name(_without(c, end[start:])) in known for c in place.files):
            return end[start:]
    return ""


def _without(clip: str, ending: str) -> str:
    return clip[: len(clip) - len(ending)] if ending and clip.endswith(ending) else clip
