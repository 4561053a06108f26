"""A folder in EchoNet-Dynamic's format with phantom clips and planted defects. All simulated.

The figures of the paper's section 1 are drawn from it where the path of the real data set, which
needs a licence agreement, is not given.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from annostat.files import write_text
from models.world.annotators import draw_outlines
from models.world.folders import discs, write_avi
from models.world.phantom import CORRUPTIONS, Clip, make_clip

FRAMES, SIZE, OUTLINE_PX = 60, 56, 0.25
RATES = (50.0, 50.0, 50.0, 50.0, 30.0, 37.0, 46.0, 59.0)  # one rate rules, others are rare
PROMPT = "THE VIEW IS FORESHORTENED"
LABEL_DEFECTS = ("short trace", "swapped areas", "near phases")


def echo_folder(path: Path, *, seed: int, quick: bool) -> dict[str, Any]:
    """Write the folder unless it is there, and return what was planted in it.

    `path` then holds the folder itself, `prompts/` one file for each clip, and `planted.json`.
    """
    told = path / "planted.json"
    wanted = {"seed": seed, "clips": 10 if quick else 40}
    if told.exists() and json.loads(told.read_text())["made"] == wanted:
        return dict(json.loads(told.read_text()))
    shutil.rmtree(path, ignore_errors=True)
    (path / "echonet" / "Videos").mkdir(parents=True)
    (path / "prompts").mkdir()
    rng = np.random.default_rng([seed, 7])
    kinds = dict(zip(rng.permutation(wanted["clips"]), (*CORRUPTIONS, *LABEL_DEFECTS)))  # noqa: B905
    planted: dict[str, list[str]] = {}
    listed, traced = [], []
    for index in range(wanted["clips"]):
        kind = kinds.get(index, "")
        clip = make_clip(
            seed,
            index,
            size=SIZE,
            frames=FRAMES,
            fps=float(rng.choice(RATES)),
            corruption=kind if kind in CORRUPTIONS else "",
        )
        name = f"0X{rng.integers(2**63):016X}"
        write_avi(path / "echonet" / "Videos" / f"{name}.avi", clip.frames, clip.fps)
        listed.append(list_row(name, clip, ("TRAIN", "TRAIN", "TRAIN", "VAL", "TEST")[index % 5]))
        rows, twice = trace_rows(name, clip, kind, rng)
        traced += rows
        defects = [d for d in (kind, "several annotators" * twice) if d]
        if defects:
            planted[name] = defects
        # A prompt's response to each frame: it rises as the phantom's window gets poorer.
        level = 0.30 - 0.15 * clip.quality + 0.02 * rng.normal()
        answers = level + 0.01 * rng.normal(size=FRAMES)
        write_text(path / "prompts" / f"{name}.json", json.dumps({PROMPT: answers.tolist()}))
    pd.DataFrame(listed).to_csv(path / "echonet" / "FileList.csv", index=False)
    columns = ["FileName", "X1", "Y1", "X2", "Y2", "Frame"]
    pd.DataFrame(traced, columns=columns).to_csv(
        path / "echonet" / "VolumeTracings.csv", index=False
    )
    facts = {"made": wanted, "planted": planted}
    write_text(told, json.dumps(facts, indent=2))
    return facts


def list_row(name: str, clip: Clip, split: str) -> dict[str, Any]:
    """Return a clip's row of FileList.csv."""
    n, height, width = clip.frames.shape
    edv, esv = (float(clip.volumes_ml[t]) for t in (clip.ed, clip.es))
    return {
        "FileName": name,
        "EF": clip.ef,
        "ESV": esv,
        "EDV": edv,
        "FrameHeight": height,
        "FrameWidth": width,
        "FPS": clip.fps,
        "NumberOfFrames": n,
        "Split": split,
    }


def trace_rows(
    name: str, clip: Clip, kind: str, rng: np.random.Generator
) -> tuple[list[list[Any]], bool]:
    """Return a clip's rows of VolumeTracings.csv, and whether a frame has two annotators."""
    es, ed = clip.es, clip.es - 1 if kind == "near phases" else clip.ed
    rows: list[list[Any]] = []
    twice = False
    for frame, source in ((es, ed), (ed, es)) if kind == "swapped areas" else ((es, es), (ed, ed)):
        annotators = 2 if rng.random() < 0.25 else 1
        twice |= annotators == 2
        for _ in range(annotators):
            mask = draw_outlines(clip.mask("LV")[[source]], noise_px=OUTLINE_PX, rng=rng)[0]
            segments = discs(mask)[: -3 if kind == "short trace" else None]
            rows += [[f"{name}.avi", *np.round(s.ravel(), 4), frame] for s in segments]
    return rows, twice
