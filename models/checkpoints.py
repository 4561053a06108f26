"""Checkpoints that are whole or not there, and never unpickled beyond plain data and tensors."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch

from annostat import AnnostatError
from annostat.files import write_whole
from models.config import Config
from models.network.student import Student
from models.network.weights import FORMAT, make_student, read_student, write_weights


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write a training state with the states of all random generators."""
    whole = {**state, "format": FORMAT, "random": random_states()}
    write_whole(path, lambda stream: torch.save(whole, stream))


def load_state(path: Path, device: Any = "cpu") -> dict[str, Any]:
    """Return a training state, and set the random generators as they were."""
    state = read_state(path, device)
    try:
        set_random_states(state["random"])
    except Exception as error:  # whatever a foreign state holds
        raise _unreadable(path, error) from None
    return state


def read_state(path: Path, device: Any = "cpu") -> dict[str, Any]:
    """Return a training state; the random generators stay as they are."""
    try:
        state = torch.load(path, map_location=device, weights_only=True)
        if state["format"] != FORMAT:
            raise KeyError(f"format {state['format']!r}")
        return dict(state)
    except FileNotFoundError:
        raise AnnostatError(f"there is no checkpoint {str(path)!r}") from None
    except Exception as error:  # torch raises many kinds for a file cut short or foreign
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> AnnostatError:
    return AnnostatError(
        f"checkpoint {str(path)!r} cannot be read ({type(error).__name__}: "
        f"{' '.join(str(error).split())[:120]}); delete it to begin again, or restore a copy"
    )


def random_states() -> dict[str, Any]:
    """Return the states of the generators of Python, NumPy and torch as plain data."""
    numpy_state = np.random.get_state(legacy=False)  # noqa: NPY002 - the global one may be used
    numpy_state["state"]["key"] = numpy_state["state"]["key"].tolist()
    states = {"python": random.getstate(), "numpy": numpy_state, "torch": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state_all()
    return states


def set_random_states(states: dict[str, Any]) -> None:
    """Set what `random_states` returned."""
    version, inner, gauss = states["python"]
    random.setstate((version, tuple(inner), gauss))
    numpy_state = {**states["numpy"], "state": dict(states["numpy"]["state"])}
    numpy_state["state"]["key"] = np.array(numpy_state["state"]["key"], dtype=np.uint32)
    np.random.set_state(numpy_state)  # noqa: NPY002
    torch.set_rng_state(states["torch"].cpu())
    if "cuda" in states and torch.cuda.device_count() == len(states["cuda"]):
        torch.cuda.set_rng_state_all([s.cpu() for s in states["cuda"]])


def save_weights(
    path: Path, weights: dict[str, Any], config: Config, facts: dict[str, Any]
) -> None:
    """Write weights as safetensors, the settings inside; also as JSON beside, for people."""
    write_weights(path, weights, {"config": config.to_dict(), **facts})


def load_student(path: str | os.PathLike[str], device: Any = "cpu") -> tuple[Student, Config]:
    """Return a trained student, ready for inference, and the settings it was trained with."""
    student, facts = read_student(path, device)
    return student, Config.from_dict(facts["config"])


def build_student(config: Config) -> Student:
    """Return a new student with the settings' shape."""
    structures = len(config.data.structures)
    return make_student(config.student, structures, engine=config.train.engine)
