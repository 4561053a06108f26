"""What is fuzzed. A target takes bytes and may raise AnnostatError, and nothing else."""

from __future__ import annotations

import contextlib
import json
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from annostat import AnnostatError, read_rounds

OPTIONS = (
    {},
    {"rounds": ["a", "b"]},
    {"item": "id", "rounds": ["a", "b"], "cluster": "p", "fps": "fps", "length": "n"},
    {"item": "id", "rater": "who", "value": "v", "by": "phase"},
    {"item": ["id", "phase"], "rounds": ["a", "b"], "models": ["m"], "missing": ["?", "."]},
    {"models": ["m"], "tidy_names": True},
    {"item": "id", "rounds": ["a", "b"], "collapse": True},
    {"rounds": ["a", "b"], "by": "phase", "fps": "fps", "collapse": True},
)


def rounds(data: bytes) -> None:
    """Read a table of rounds; the first byte chooses the options and the suffix."""
    how = data[0] if data else 0
    suffix = (".csv", ".tsv", ".csv.gz", ".parquet")[how >> 4 & 3]
    options = OPTIONS[how & 3 | (how >> 6 & 1) << 2]
    with on_disk(data[1:], suffix) as path, tolerated():
        found = read_rounds(path, **options)
        str(found.read), found.digest(), found.usable(), found.picks()


def predictions(data: bytes) -> None:
    """Join a table of predictions to labels; the first byte chooses the names of their items."""
    from annostat.tables.predictions import read_predictions

    how = data[0] if data else 0
    item = (["id"], ["id", "phase"])[how & 1]
    frame = pd.DataFrame({"id": ["1", "2", "c"], "phase": "ED", "a": [1, 2, 3], "b": [2, 2, 4]})
    labels = read_rounds(frame, item=item, rounds=["a", "b"])
    with on_disk(data[1:], (".csv", ".xlsx")[how >> 1 & 1]) as path, tolerated():
        read_predictions(path, labels, missing=["?"])


def traces(data: bytes) -> None:
    """Read an EchoNet folder whose list and traces are the two halves of the data."""
    from annostat.datasets import read_echonet

    files, _, lines = data.partition(b"\0")
    with tempfile.TemporaryDirectory() as folder, tolerated():
        (Path(folder) / "FileList.csv").write_bytes(files)
        (Path(folder) / "VolumeTracings.csv").write_bytes(lines)
        found = read_echonet(folder)
        found.phases(), found.rounds()
        for trace in found.traces[:5]:
            trace.mask(64, 64)


def masks(data: bytes) -> None:
    """Read masks; the first byte says what their numbers are."""
    from annostat.datasets import read_masks

    kind = ("binary", "uint8", "logits")[(data[0] if data else 0) % 3]
    with on_disk(data[1:], ".npz") as path, tolerated():
        read_masks([path], kind=kind)


def camus(data: bytes) -> None:
    """Read the facts of a CAMUS patient."""
    from annostat.datasets import read_camus

    with tempfile.TemporaryDirectory() as folder, tolerated():
        home = Path(folder) / "database_nifti" / "patient0001"
        home.mkdir(parents=True)
        (home / "Info_2CH.cfg").write_bytes(data)
        read_camus(folder)


def prompts(data: bytes) -> None:
    """Read the responses of a clip to prompts, as JSON and as a table."""
    from annostat.datasets.audit.prompts import read_prompts

    with tempfile.TemporaryDirectory() as folder, tolerated():
        (Path(folder) / "clip.json").write_bytes(data)
        read_prompts(folder)
    with on_disk(data, ".csv") as path, tolerated():
        read_prompts(path)


def scaling(data: bytes) -> None:
    """Fit scaling laws to a table."""
    from annostat.scaling import compare_scaling_table
    from annostat.tables.reading import read_table

    with on_disk(data, ".csv") as path, tolerated():
        compare_scaling_table(read_table(path), size="n", score="s")


def noise(data: bytes) -> None:
    """Judge a concentration by the noise of a fit, which is JSON."""
    from annostat.cli.concentration import noise_of
    from annostat.concentration import concentration

    with on_disk(data, ".json") as path, tolerated():
        concentration(range(20), noise=noise_of(str(path)), n_resamples=1)


def journal(data: bytes) -> None:
    """Take an audit up from its journal, as it is and with a check sum that is right."""
    from annostat.datasets.audit.measuring import Task, measure_all, signed

    lines = [data]
    with contextlib.suppress(ValueError, RecursionError):
        lines.append(signed(json.loads(data)).encode())
    for line in lines:
        with on_disk(line, ".jsonl") as path, tolerated():
            measure_all([Task("a", None)], journal=path)


def mask_folders(data: bytes) -> None:
    """Read one rater's file beside another's; the first two bytes choose its format and options."""
    from annostat.datasets import read_masks
    from annostat.tables.mask_layouts import MASKS

    first, second = (*data[:2], 0, 0)[:2]
    with tempfile.TemporaryDirectory() as folder, tolerated():
        for name in ("a", "b"):
            (Path(folder) / name).mkdir()
        np.savez(Path(folder) / "a" / "c.npz", np.eye(8, dtype=np.uint8)[None])
        (Path(folder) / "b" / f"c{MASKS[first % len(MASKS)]}").write_bytes(data[2:])
        read_masks(
            [Path(folder) / "a", Path(folder) / "b"],
            items=(None, "frames", "volumes")[second % 3],
            orientation=("affine", "stored")[second // 3 % 2],
        )


def images(data: bytes) -> None:
    """Read an image; the first byte chooses its format."""
    from annostat.tables.image_files import SUFFIXES, read_header, read_picture

    suffix = SUFFIXES[(data[0] if data else 0) % len(SUFFIXES)]
    for read in (read_header, read_picture):
        with on_disk(data[1:], suffix) as path, tolerated():
            read(path)


def config(data: bytes) -> None:
    """Read the settings of a training run, which are YAML."""
    from models.config import load_config

    with on_disk(data, ".yaml") as path, tolerated():
        load_config(file=path)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "camus": camus,
    "config": config,
    "images": images,
    "journal": journal,
    "mask_folders": mask_folders,
    "masks": masks,
    "noise": noise,
    "predictions": predictions,
    "prompts": prompts,
    "rounds": rounds,
    "scaling": scaling,
    "traces": traces,
}


@contextlib.contextmanager
def on_disk(data: bytes, suffix: str):
    """Yield the path of a file that holds the data."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"input{suffix}"
        path.write_bytes(data)
        yield path


@contextlib.contextmanager
def tolerated():
    """Let pass what a user may see: one clear error, or a warning of annostat's own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(AnnostatError):
            yield
