"""A student as an ONNX model: one frame and the cells' states in, masks and new states out."""

from __future__ import annotations

import importlib
import json
import logging
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from annostat import AnnostatError
from models.network.student import Student
from models.one_frame import OneFrame, begin

NEEDED = ("onnx", "onnxscript", "onnxruntime")

Program = Callable[[Tensor, list[Tensor]], tuple[Tensor, list[Tensor]]]


def check_onnx() -> None:
    """Raise an error with the cure if a package is not there."""
    for name in NEEDED:
        try:
            importlib.import_module(name)
        except ImportError:
            raise AnnostatError(f'{name} is not installed: pip install "annostat[onnx]"') from None


def export_onnx(student: Student, size: int, structures: Sequence[str]) -> bytes:
    """Return a student as an ONNX model for frames of size × size.

    Parameters
    ----------
    student : Student
        In evaluation mode.
    size : int
    structures : sequence of str
        Kept in the model's metadata, as the order of the masks.

    Returns
    -------
    bytes
        Inputs are ``frame`` (uint8, 1 × 1 × size × size) and ``state_0``, ``state_1``, ...
        (float32, zeros before a clip's first frame); outputs ``masks`` (probabilities) and
        ``next_0``, ``next_1``, ...

    Raises
    ------
    AnnostatError
        If onnx, onnxscript or onnxruntime is not installed.
    """
    check_onnx()
    states = begin(student, size)
    n = len(states)
    given = (torch.zeros(1, 1, size, size, dtype=torch.uint8), states)
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)  # it tells of operators of torchvision, which none are of
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # torch deprecates what its exporter uses
            program: Any = torch.onnx.export(
                OneFrame(student).eval(),
                given,
                dynamo=True,
                verbose=False,
                input_names=["frame", *(f"state_{k}" for k in range(n))],
                output_names=["masks", *(f"next_{k}" for k in range(n))],
            )
    finally:
        logger.setLevel(before)
    proto = program.model_proto
    for key, value in {"structures": list(structures), "size": size}.items():
        entry = proto.metadata_props.add()
        entry.key, entry.value = f"annostat.{key}", json.dumps(value)
    return bytes(proto.SerializeToString())


def run_onnx(model: bytes, *, threads: int = 0) -> Program:
    """Return an ONNX model as a function of a frame and states, run by onnxruntime on the CPU.

    Parameters
    ----------
    model : bytes
    threads : int
        0 leaves onnxruntime's own number.
    """
    check_onnx()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [x.name for x in session.get_inputs()]

    def program(frame: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        given = [x.numpy() for x in (frame, *states)]
        found = session.run(None, dict(zip(names, given, strict=True)))
        masks, *after = (torch.from_numpy(x) for x in found)
        return masks, after

    return program
