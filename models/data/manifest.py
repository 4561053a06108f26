"""Whose masks or answers lie in a folder: a small file that is written before the first one."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annostat import AnnostatError
from annostat.errors import shown
from annostat.files import write_text


@dataclass(frozen=True)
class Kind:
    """What a folder holds.

    Attributes
    ----------
    what, name, form : str
        In words; the file that says whose; its format.
    patterns : tuple of str
        Where such files lie.
    """

    what: str
    name: str
    form: str
    patterns: tuple[str, ...]


MASKS = Kind("masks", "masks.json", "annostat-masks-1", ("*.npz", "*/*.npz"))
ANSWERS = Kind("answers", "prompts.json", "annostat-prompts-1", ("responses/*.json", "phase/*.npy"))


def digest_of(path: Path) -> str:
    """Return a digest of a file's content."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def claim(folder: Path, facts: dict[str, Any], kind: Kind = MASKS) -> None:
    """Write whose masks a folder is to hold, or go on in a folder that holds these already.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    facts : dict
        Plain data that tells these masks from others: the weights' digest, the options.
    kind : Kind
        Masks, or what else is told from others in the same way.

    Raises
    ------
    AnnostatError
        If there are masks in the folder, or in a folder of it, that are others or of unknown
        origin.
    """
    wanted = {"format": kind.form, **facts}
    path = folder / kind.name
    if not path.exists():
        if any(any(folder.glob(pattern)) for pattern in kind.patterns):
            raise AnnostatError(
                f"--out {str(folder)!r} holds {kind.what} and no {kind.name} that says whose: give "
                "another folder"
            )
        folder.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(wanted, indent=2) + "\n")
        return
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        different = [k for k in {**wanted, **found} if wanted.get(k) != found.get(k)]
    except (OSError, ValueError, TypeError) as error:
        raise AnnostatError(f"{str(path)!r} cannot be read: {error}") from None
    if different:
        changes = shown(f"{k} {found.get(k)!r} → {wanted.get(k)!r}" for k in different)
        raise AnnostatError(
            f"--out {str(folder)!r} holds other {kind.what} ({changes}): give another folder, or "
            "delete it"
        )
