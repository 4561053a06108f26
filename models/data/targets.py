"""What the targets of a split are, and who gives them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat import AnnostatError
from annostat.errors import shown
from models.data.images import squared
from models.data.settings import Data
from models.data.store import Unreadable, clips
from models.data.teachers import Source, Teacher, merged, parse_teacher


@dataclass
class Targets:
    """The teachers of a split.

    Attributes
    ----------
    kind : {"truth", "labels", "teachers", "none"}
        What the targets are; "labels" come with the folder and need no teacher.
    teachers : list of Teacher
    notes : list of str
        What a reader of scores must know about them and the clips; kept with the clips.
    told : list of str
        What must be known of this call alone.
    """

    kind: str
    teachers: list[Teacher] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    @property
    def workers(self) -> int:
        """How many threads may ask at the same time: one, if a teacher is a network."""
        folders = all(t.clips is not None for t in self.teachers)
        return min(8, os.cpu_count() or 1) if folders else 1

    @property
    def identity(self) -> list[Any]:
        """What changes when the targets do."""
        return [(t.text, t.identity) for t in self.teachers]

    def check(self, names: list[str], *, needed: bool) -> None:
        """Look for clips of which a teacher has no masks, before any work is done.

        Parameters
        ----------
        names : list of str
            The clips.
        needed : bool
            Without masks there is nothing to train on; scores do without them.
        """
        for teacher in self.teachers:
            missing = [] if teacher.clips is None else sorted(set(names) - teacher.clips)
            if not missing:
                continue
            lack = f"teacher {teacher.text!r} has no masks of {len(missing)} of {clips(len(names))}"
            if needed:
                raise AnnostatError(
                    f"{lack}: {shown(missing)}; make them, or train on the clips that have some "
                    "(data.n_train)"
                )
            self.kind, self.teachers = "none", []
            self.notes.append(f"{lack}, so that nothing is scored against the teachers")
            return

    def of(
        self, data: Data, source: Source, square: Callable[[Any], Any] | None = None
    ) -> NDArray[np.uint8] | None:
        """Return the targets of a clip, (T, K, size, size), or None if there are no teachers.

        `square` brings masks of the source's frames to size × size, where pixels are not square.
        """
        if not self.teachers:
            return None
        parts = []
        for structure in data.structures:
            own = [t for t in self.teachers if t.structure == structure]
            masks = merged(own, source, data.merge)
            parts.append(squared(masks, data.size) if square is None else square(masks))
        return np.stack(parts, axis=1)


def targets_of(data: Data, split: str, device: Any = "cpu") -> Targets:
    """Return who gives the targets of a split; teachers are opened, their masks not yet read.

    Raises
    ------
    AnnostatError
        If a teacher cannot be used, or a split to be trained on has none for some structure. The
        test clips of a folder do without: a note says so.
    """
    oracles = [f"{s}=oracle" for s in data.structures]
    if data.kind == "phantom" and (split == "test" or not data.teachers):
        return Targets("truth", [parse_teacher(text) for text in oracles])
    if data.kind == "camus" and not data.teachers:
        return Targets("labels")
    spared = split == "test" and data.kind != "phantom"  # people are the reference there
    try:
        teachers = [parse_teacher(text, device=device) for text in data.teachers]
    except AnnostatError as error:
        if not spared:
            raise
        return Targets("none", told=[f"nothing is scored against the teachers: {error}"])
    lacking = [s for s in data.structures if s not in {t.structure for t in teachers}]
    if not lacking:
        return Targets("teachers", teachers)
    if spared:
        return Targets("none")
    raise AnnostatError(
        f"data.teachers has none for {shown(lacking)}; add for example '{lacking[0]}=folder:PATH'"
    )


def unreadable(name: str, error: Exception) -> Unreadable:
    """Return a clip that is told of and left out."""
    return Unreadable(name, " ".join(str(error).split()))
