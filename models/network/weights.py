"""Weights of a student as safetensors, the settings that it was made with inside."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from annostat import AnnostatError
from annostat.files import write_text, write_whole
from models.network.settings import Net
from models.network.student import Student

FORMAT = "annostat-student-1"
SHIPPED = Path(__file__).parents[1] / "weights"  # students that come with the checkout


def make_student(net: Net, structures: int, *, engine: str = "auto") -> Student:
    """Return a new student with the settings' shape."""
    return Student(
        net.blocks,
        net.layers,
        structures=structures,
        skip=net.skip,
        filters=net.filters,
        normalise=net.normalise,
        engine=engine,
    )


def write_weights(path: Path, weights: dict[str, Any], facts: dict[str, Any]) -> None:
    """Write weights with what is known of them; the latter also as JSON beside, for people.

    Parameters
    ----------
    path : Path
        Ends in ``.safetensors``.
    weights : dict of str to Tensor
    facts : dict
        Plain data; ``facts["config"]`` holds all settings, as `read_student` needs them.
    """
    from safetensors.torch import save

    text = json.dumps({"format": FORMAT, **facts}, indent=2)
    tensors = {k: v.detach().cpu().contiguous() for k, v in weights.items()}
    data = save(tensors, metadata={"annostat": text})
    write_whole(path, lambda stream: stream.write(data))
    write_text(path.with_suffix(".json"), text + "\n")


def find_weights(path: str | os.PathLike[str]) -> Path:
    """Return the file of weights: as given, or that of a student that comes along, by its name."""
    given = Path(path)
    shipped = SHIPPED / f"{given.name}.safetensors"
    alone = given.name == os.fspath(path)
    return shipped if alone and not given.exists() and shipped.is_file() else given


def shipped_names() -> list[str]:
    """Return the names of the students that come along."""
    return sorted(path.stem for path in SHIPPED.glob("*.safetensors"))


def read_student(
    path: str | os.PathLike[str], device: Any = "cpu"
) -> tuple[Student, dict[str, Any]]:
    """Return a trained student, ready for inference, and what `write_weights` wrote with it.

    Parameters
    ----------
    path : path
        A file, or the name of a student that comes along (`shipped_names`).
    device : device

    Raises
    ------
    AnnostatError
        If there is no such file, or it is cut short, foreign, or does not fit its own settings.
    """
    from safetensors import SafetensorError, safe_open

    path = find_weights(path)
    try:
        with safe_open(os.fspath(path), framework="pt", device=str(device)) as file:
            facts = json.loads((file.metadata() or {})["annostat"])
            if facts["format"] != FORMAT:
                raise KeyError(f"format {facts['format']!r}")
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        config = facts["config"]
        student = make_student(Net(**config["student"]), len(config["data"]["structures"]))
        student.load_state_dict(tensors)
    except FileNotFoundError:
        raise AnnostatError(
            f"there are no weights {os.fspath(path)!r}; by name there are: "
            f"{', '.join(shipped_names())}"
        ) from None
    except (SafetensorError, KeyError, TypeError, OSError, RuntimeError, ValueError) as error:
        raise AnnostatError(
            f"weights {os.fspath(path)!r} cannot be used ({type(error).__name__}: "
            f"{' '.join(str(error).split())[:120]}); give a best.safetensors of models.train"
        ) from None
    return student.to(device).eval(), facts
