"""Settings of the clips and of their targets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from annostat import AnnostatError
from annostat.errors import check_choice, check_count, check_number
from models.world.heart import LABELS


@dataclass(frozen=True)
class Data:
    """Where clips and targets come from.

    `kind` is "phantom", "echonet" (FileList.csv and Videos/, also EchoNet-Synthetic) or "camus".
    `teachers` are texts as in `models.data.teachers.parse_teacher`; several for one structure are
    merged by `merge`. For the phantom an empty list means its exact masks, for CAMUS the labels.
    `seed` and the numbers of clips are the phantom's; 0 clips of a folder means all of them.

    `valid` says what is different about the validation clips, and each text of `tests` about a
    further set of test clips, as "kind=camus,path=CAMUS". Of folders, further test clips are
    scored against people, and CAMUS is validated on its labels, without teachers.
    """

    kind: str = "phantom"
    path: str = ""
    view: str = "4CH"
    size: int = 112
    structures: tuple[str, ...] = ("LV",)
    teachers: tuple[str, ...] = ()
    merge: str = "mean"
    seed: int = 1
    frames: int = 100
    n_train: int = 0
    n_valid: int = 0
    n_test: int = 0
    n_corrupted: int = 0
    valid: str = ""
    tests: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_choice("data.kind", self.kind, ("phantom", "echonet", "camus"))
        check_choice("data.merge", self.merge, ("mean", "quality", "staple"))
        check_choice("data.view", self.view, ("2CH", "4CH"))
        low = {"size": 16 if self.kind == "phantom" else 1, "frames": 8}
        for name in ("size", "frames", "seed", "n_train", "n_valid", "n_test", "n_corrupted"):
            check_count(f"data.{name}", getattr(self, name), low=low.get(name, 0))
        for name in self.structures:
            check_choice("data.structures", name, list(LABELS))
        if not self.structures or len(set(self.structures)) != len(self.structures):
            raise AnnostatError(f"data.structures must be names, each once, got {self.structures}")

        for text in (*self.tests, *filter(None, [self.valid])):
            self.other(text)

    def other(self, text: str) -> Data:
        """Return the settings of other clips for the same student, as a text describes them."""
        known = ("kind", "path", "view", "seed", "frames", "n_valid", "n_test")
        changes: dict[str, Any] = {}
        for part in text.split(","):
            name, equals, value = (s.strip() for s in part.partition("="))
            if not equals:
                raise AnnostatError(
                    f"data.valid and data.tests take texts such as kind=camus,path=CAMUS, got "
                    f"{text!r}"
                )
            check_choice(f"setting in {text!r}", name, known)
            changes[name] = value
            if isinstance(getattr(self, name), int):
                number = check_number(f"{name} in {text!r}", value, text=True)
                changes[name] = check_count(f"{name} in {text!r}", number)
        kind = changes.get("kind", self.kind)
        teachers = self.teachers if kind == "echonet" else ()
        return replace(self, **changes, teachers=teachers, valid="", tests=())

    def for_split(self, split: str) -> Data:
        """Return the settings of a split's clips."""
        if split == "valid" and self.valid:
            return self.other(self.valid)
        return replace(self, valid="", tests=())

    def wanted(self, split: str) -> int:
        """Return how many clips of a split are asked for; 0 means all of a folder."""
        return {"train": self.n_train, "valid": self.n_valid, "test": self.n_test}[split]
