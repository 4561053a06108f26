"""Ask a vision-language model about clips: python -m models.prompts MODEL CLIPS --out FOLDER.

Each frame is compared with texts ("prompts"): the cosine of the two embeddings. Answers of a clip
are written frame by frame to `responses/CLIP.json`, which ``annostat audit --prompts`` reads. With
``--phase`` two prompts on the mitral valve give a curve in `phase/CLIP.npy` whose minimum is
end-systole, and `picks.csv` the frames that it picks: a reference for the average frame distance
that no person has drawn (see `models.prompted`). `prompts.json` says whose weights and which
prompts, `clips.csv` what became of each clip.

The model is a folder that open_clip can read, an architecture with ``--weights FILE``, or, and only
then is a network used, ``hf-hub:OWNER/NAME``, such as EchoCLIP's hf-hub:mkaichristensen/echo-clip.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from scipy.signal import peak_prominences
from torch import Tensor

from annostat import AnnostatError
from annostat.cardiac import pick_prominent, prompt_curve
from annostat.datasets import read_mask_folder
from annostat.errors import shown
from annostat.files import write_text, write_whole
from models.command import counter, kind_option, pick_device, run_command, say
from models.data.clip_files import Whole
from models.data.folders import clips_in
from models.data.manifest import ANSWERS, claim
from models.data.store import clips as counted
from models.history import as_csv
from models.vision import Judge, open_judge

PROMINENCE = 1.5  # standard deviations of a curve, as `pick_prominent` wants
CLOSED, OPENED = "THE MITRAL VALVE IS CLOSED", "THE MITRAL VALVE IS OPEN"
# What a frame shows whose ventricle is blackened, with the sign of each: EchoDFKD's score of masks.
HIDDEN = {"WALL": 1, "NOTHING": 1, "LEFT VENTRICLE": -1}


@dataclass(frozen=True)
class Questions:
    """What is asked of every frame.

    Attributes
    ----------
    prompts : tuple of str
        Answers to these are kept frame by frame.
    valve : tuple of str
        That the mitral valve is closed, and that it is open; or nothing.
    """

    prompts: tuple[str, ...]
    valve: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.prompts and not self.valve:
            raise AnnostatError("nothing is asked: give --prompt, --prompts or --phase")
        twice = sorted({p for p in self.prompts if self.prompts.count(p) > 1})
        if twice:
            raise AnnostatError(f"prompts must differ, got twice {shown(twice)}")
        if not all(p.strip() for p in (*self.prompts, *self.valve)):
            raise AnnostatError("a prompt must be a text, got an empty one")
        if len(set(self.valve)) == 1:
            raise AnnostatError(f"--closed and --opened must differ, got {self.valve[0]!r}")

    def files(self, out: Path, name: str) -> list[Path]:
        """Return the files of a clip."""
        responses = [out / "responses" / f"{name}.json"] if self.prompts else []
        return responses + ([out / "phase" / f"{name}.npy"] if self.valve else [])


def read_texts(path: Path) -> list[str]:
    """Return the prompts of a file, one a line; empty lines and those with # in front are none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise AnnostatError(f"--prompts {os.fspath(path)!r} cannot be read: {error}") from None
    found = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not found:
        raise AnnostatError(f"--prompts {os.fspath(path)!r} holds no prompt")
    return found


def without(clip: Whole, masks: NDArray[np.bool_], name: str) -> Whole:
    """Return a clip whose pixels within masks (T, H, W) are black."""
    if masks.shape != clip.frames.shape:
        raise AnnostatError(
            f"masks of {name!r} have shape {masks.shape}, its frames {clip.frames.shape}"
        )
    frames = np.where(masks, 0, clip.frames)
    image = None if clip.image is None else dataclasses.replace(clip.image, values=frames)
    return Whole(frames, image)


def answer(judge: Judge, texts: Tensor, clip: Whole) -> NDArray[np.float64]:
    """Return the cosines (T, P) of a clip's frames, in a square of their own size, and texts."""
    return judge.similarity(clip.squared(max(clip.frames.shape[1:])), texts)


def write_answers(files: Sequence[Path], questions: Questions, found: NDArray[np.float64]) -> None:
    """Write the answers (T, P) to all prompts and then those on the valve."""
    n = len(questions.prompts)
    for path in files:
        if path.suffix == ".json":
            columns = found[:, :n].T.round(6).tolist()
            rows = dict(zip(questions.prompts, columns, strict=True))
            write_text(path, json.dumps(rows, ensure_ascii=False) + "\n")
        else:
            curve = prompt_curve(found[:, n], found[:, n + 1])
            write_whole(path, lambda stream, curve=curve: np.save(stream, curve))  # type: ignore[misc]


def read_responses(path: Path) -> dict[str, list[float]]:
    """Return what `write_answers` wrote of a clip: for each prompt one number for each frame."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        lengths = {len(values) for values in found.values()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise AnnostatError(f"{path.name} cannot be read: {error}") from None
    if len(lengths) != 1:
        raise AnnostatError(f"{path.name} must hold as many numbers for each prompt")
    return dict(found)


def hidden_score(responses: dict[str, list[float]]) -> float:
    """Return how well masks hide the left ventricle: the sum over `HIDDEN`, a mean over frames."""
    return float(sum(sign * np.mean(responses[prompt]) for prompt, sign in HIDDEN.items()))


def read_curve(path: Path) -> NDArray[np.float64]:
    """Return a clip's curve whose minimum is end-systole, one number for each frame."""
    try:
        curve = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise AnnostatError(f"{path.name} cannot be read: {error}") from None
    if curve.ndim != 1 or curve.dtype.kind != "f" or not np.isfinite(curve).all():
        raise AnnostatError(
            f"{path.name} must hold one finite number for each frame, got {curve.dtype} "
            f"{curve.shape}"
        )
    return np.asarray(curve, dtype=np.float64)


def frames_answered(path: Path) -> int:
    """Return of how many frames a file has answers."""
    if path.suffix == ".npy":
        return len(read_curve(path))
    return len(next(iter(read_responses(path).values())))


@click.command(context_settings={"show_default": True})
@click.argument("model")
@click.argument("clips", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of answers.")
@click.option("--weights", type=click.Path(path_type=Path), help="File, if MODEL is a name.")
@click.option("--prompt", "more", multiple=True, metavar="TEXT", help="As often as needed.")
@click.option("--prompts", "file", type=click.Path(path_type=Path), help="One prompt a line.")
@click.option("--phase", is_flag=True, help="Also the curve of the mitral valve, and its picks.")
@click.option("--closed", default=CLOSED, metavar="TEXT", help="Of --phase.")
@click.option("--opened", default=OPENED, metavar="TEXT", help="Of --phase.")
@click.option(
    "--without",
    "masked",
    type=click.Path(path_type=Path),
    help="Folder of masks, CLIP.npz: what they hold is blackened before the model sees it.",
)
@kind_option
@click.option(
    "--hidden",
    is_flag=True,
    help="How well the masks of --without hide the left ventricle, for each clip.",
)
@click.option("--device", default="auto", help="auto, cpu, cuda or cuda:N.")
@click.option("--quiet", is_flag=True)
def main(
    model: str,
    clips: Path,
    out: Path,
    weights: Path | None,
    more: tuple[str, ...],
    file: Path | None,
    phase: bool,
    closed: str,
    opened: str,
    masked: Path | None,
    kind: str,
    hidden: bool,
    device: str,
    quiet: bool,
) -> None:
    """Write a model's answers about every clip; clips that are answered are left alone."""
    texts = more + tuple([] if file is None else read_texts(file))
    if hidden and masked is None:
        raise AnnostatError("--hidden is about the masks of --without MASKS: give them")
    texts += tuple(p for p in HIDDEN if p not in texts) if hidden else ()
    questions = Questions(texts, (closed, opened) if phase else ())
    found = clips_in(clips)
    masks = None if masked is None else read_mask_folder(masked, kind=kind)
    where = pick_device(device)
    judge = open_judge(model, weights, where)
    meaning = judge.texts([*questions.prompts, *questions.valve], where)
    if judge.cut:
        say(f"Warning: prompts that fill all tokens of the model may be cut: {shown(judge.cut)}")
    facts = {
        **judge.facts,
        "prompts": list(questions.prompts),
        "valve": list(questions.valve),
        "without": None if masked is None else masks_of(masked),
    }
    claim(out, facts, ANSWERS)

    def ask(name: str, read: Callable[[], Whole]) -> str:
        """Write a clip's answers; return what is wrong with it, if something is."""
        try:
            clip = read()
            if masks is not None:
                clip = without(clip, masks.masks(name), name)
            write_answers(questions.files(out, name), questions, answer(judge, meaning, clip))
        except AnnostatError as error:
            return " ".join(str(error).split())
        return ""

    for folder in {path.parent for path in questions.files(out, "a")}:
        folder.mkdir(exist_ok=True)
    todo = {k: r for k, r in found.items() if not all(f.exists() for f in questions.files(out, k))}
    errors: dict[str, str] = {}
    with counter("Clips", len(todo), quiet=quiet) as done:
        for k, (name, read) in enumerate(todo.items()):
            errors[name] = ask(name, read)
            done(k + 1)
    report(out, list(found), questions, errors, quiet=quiet)


def masks_of(folder: Path) -> dict[str, Any]:
    """Return whose masks a folder holds, as `models.infer` says it."""
    try:
        found = json.loads((folder / "masks.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = {}
    return found if isinstance(found, dict) and found else {"folder": folder.name}


def report(
    out: Path,
    names: Sequence[str],
    questions: Questions,
    errors: dict[str, str],
    *,
    quiet: bool = False,
) -> None:
    """Write `clips.csv`, `picks.csv` and `scores.csv`, and say what became of the clips."""
    rows, picks, scores = [], [], []
    for name in names:
        files = questions.files(out, name)
        row: dict[str, Any] = {"clip": name, "frames": "", "error": errors.get(name, "")}
        if not row["error"]:
            try:
                row["frames"] = frames_answered(files[-1])
                if questions.valve:
                    picks.append({"clip": name, **picked(read_curve(files[-1]))})
                if set(HIDDEN) <= set(questions.prompts):
                    score = hidden_score(read_responses(files[0]))
                    scores.append({"clip": name, "hidden": round(score, 6)})
            except AnnostatError as error:
                row["error"] = " ".join(str(error).split())
        rows.append(row)
    write_text(out / "clips.csv", as_csv(rows))
    for name, table in (("picks", picks), ("scores", scores)):
        if table:
            write_text(out / f"{name}.csv", as_csv(table))
    failed = {row["clip"]: row["error"] for row in rows if row["error"]}
    told = shown(f"{name} ({why})" for name, why in failed.items())
    if len(failed) == len(rows):
        raise AnnostatError(f"no clip can be answered: {told}")
    say(f"{counted(len(rows) - len(failed))} in {os.fspath(out)}", quiet=quiet)
    if failed:
        say(f"Without answers, see clips.csv: {counted(len(failed))}: {told}")


def picked(curve: NDArray[np.float64]) -> dict[str, int]:
    """Return the frames of end-systole and end-diastole that a curve picks.

    `es_stands_out` and `ed_stands_out` are 1 where the pick is a prominent minimum or maximum, and
    0 where the curve has none and its lowest or highest frame is all there is, often the first or
    the last one.
    """
    out = {phase: pick_prominent(curve, phase=phase.upper()) for phase in ("es", "ed")}
    stands = {f"{k}_stands_out": int(_stands_out(curve, v, k)) for k, v in out.items()}
    return out | stands


def _stands_out(curve: NDArray[np.float64], frame: int, phase: str) -> bool:
    up = -curve if phase == "es" else curve
    if not 0 < frame < len(up) - 1:
        return False
    return bool(peak_prominences(up, [frame])[0][0] >= PROMINENCE * curve.std())


if __name__ == "__main__":
    run_command(main)
