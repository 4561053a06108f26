"""The settings of a run: frozen dataclasses, from a preset or a YAML file, changed by --set."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from annostat import AnnostatError
from annostat.errors import check_choice, check_number
from models.data.settings import Data
from models.network.settings import Net, Train


@dataclass(frozen=True)
class Config:
    """All settings of a run."""

    data: Data = field(default_factory=Data)
    student: Net = field(default_factory=Net)
    train: Train = field(default_factory=Train)

    def __post_init__(self) -> None:
        multiple = 2 ** (self.student.blocks - 1)
        if self.data.size % multiple:
            raise AnnostatError(
                f"data.size must be a multiple of {multiple} for student.blocks = "
                f"{self.student.blocks}, got {self.data.size}"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain data."""
        return dataclasses.asdict(self, dict_factory=_plain)

    @classmethod
    def from_dict(cls, given: Any) -> Config:
        """Make settings from plain data; unknown names and wrong types are refused."""
        found: Config = _build(cls, given, "")
        return found

    def changed(self, settings: Sequence[str]) -> Config:
        """Return the settings with `section.name=value` texts applied, values in YAML."""
        import yaml

        data = self.to_dict()
        for text in settings:
            key, equals, value = text.partition("=")
            section, _, name = key.strip().partition(".")
            if not equals or name not in data.get(section, {}):
                known = [f"{s}.{n}" for s, part in data.items() for n in part]
                if equals:
                    check_choice("--set", key.strip(), known)
                raise AnnostatError(f"--set takes section.name=value, got {text!r}")
            try:
                data[section][name] = yaml.safe_load(value)
            except yaml.YAMLError:
                raise AnnostatError(
                    f"--set {key.strip()}: the value is no YAML: {value!r}"
                ) from None
        return Config.from_dict(data)


# Settings that a run may be gone on with under other values: they change where clips lie, how fast
# and how long it runs and what is seen of it, and nothing that a step computes but its rounding.
FREE = (
    "data.path",
    "data.tests",
    "train.epochs",
    "train.patience",
    "train.threads",
    "train.engine",
    "train.graph",
    "train.whole_clips",
    "train.tensorboard",
)


def changes(old: Config, new: Config, *, free: Sequence[str] = FREE) -> list[str]:
    """Return the settings that differ and may not, as "section.name old → new".

    With the schedule "cosine" the learning rate of every step depends on the number of epochs,
    which is then not free.
    """
    if new.train.schedule != "constant":
        free = [name for name in free if name != "train.epochs"]
    before, after = old.to_dict(), new.to_dict()
    return [
        f"{section}.{name} {before[section][name]!r} → {value!r}"
        for section, part in after.items()
        for name, value in part.items()
        if before[section][name] != value and f"{section}.{name}" not in free
    ]


PRESETS = {
    "phantom-tiny": Config(
        Data(size=48, frames=40, n_train=48, n_valid=12, n_test=12),
        Net(blocks=2, layers=1, filters=8),
        Train(epochs=24, batch=4, window=12, rate=5e-3, schedule="cosine", threads=1),
    ),
    "phantom": Config(
        Data(n_train=2000, n_valid=200, n_test=400, structures=("LV", "RV", "LA", "MYO")),
    ),
    "echonet": Config(Data(kind="echonet", teachers=("LV=folder:teacher",))),
    "camus": Config(Data(kind="camus", structures=("LV", "LA", "MYO")), train=Train(dice=1.0)),
}


def load_config(
    *, preset: str | None = None, file: str | Path | None = None, settings: Sequence[str] = ()
) -> Config:
    """Return the settings of a preset or of a YAML file, with changes applied."""
    if (preset is None) == (file is None):
        raise AnnostatError("give either --preset or --config")
    if preset is not None:
        return PRESETS[check_choice("--preset", preset, list(PRESETS))].changed(settings)
    import yaml

    try:
        given = yaml.safe_load(Path(str(file)).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise AnnostatError(f"--config {str(file)!r}: {' '.join(str(error).split())}") from None
    return Config.from_dict(given).changed(settings)


def _plain(items: list[tuple[str, Any]]) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in items}


def _build(kind: Any, given: Any, path: str) -> Any:
    if not isinstance(given, dict):
        of = f" of {path.rstrip('.')}" if path else ""
        raise AnnostatError(f"settings{of} must be names and values, got {given!r:.80}")
    types = typing.get_type_hints(kind)
    for name in given:
        check_choice(f"setting {path}{name}", name, list(types))
    values = {}
    for name, value in given.items():
        wanted, where = types[name], f"{path}{name}"
        if dataclasses.is_dataclass(wanted):
            values[name] = _build(wanted, value, where + ".")
        elif wanted is float:
            values[name] = check_number(where, value, text=True)
        elif typing.get_origin(wanted) is tuple:
            texts = [value] if isinstance(value, str) else value
            if not isinstance(texts, (list, tuple)) or not all(isinstance(v, str) for v in texts):
                raise AnnostatError(f"{where} must be a list of texts, got {value!r}")
            values[name] = tuple(texts)
        elif type(value) is not wanted:
            raise AnnostatError(f"{where} must be of type {wanted.__name__}, got {value!r}")
        else:
            values[name] = value
    return kind(**values)
