"""Score masks against what prompts pick: python -m models.prompted ANSWERS MASKS --out FILE.

A vision-language model stands in for people: its curve of the mitral valve (`models.prompts`)
gives each clip's end-systole and end-diastole, and the average frame distance says how far the
masks' own picks are from them. The candidate nearest to the reference is the protocol of EchoDFKD;
it looks at the reference and cannot show a wrong beat, so the blind pick, which looks at nothing
but the masks, stands beside it, and what both would be were the reference blind, any frame of the
clip alike.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from numpy.typing import NDArray

from annostat import AnnostatError
from annostat.cardiac import (
    AfdScore,
    beat_length,
    mask_areas,
    pick_frames,
    pick_nearest,
    score_afd,
)
from annostat.datasets import MaskFolder, read_mask_folder
from annostat.errors import shown
from annostat.files import write_text
from annostat.results import Result, Section
from models.command import counter, kind_option, run_command
from models.data.rates import read_rates
from models.data.store import clips
from models.prompts import picked, read_curve

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Prompted(Result):
    """Picks of masks against those of prompts.

    Attributes
    ----------
    es, ed : AfdScore
        Of end-systole and end-diastole.
    names : tuple of str
        The clips.
    chance : dict of str to dict
        For "es" and "ed" the aFD of both protocols ("nearest", "blind"), in frames, were every
        frame of a clip the reference alike.
    notes : tuple of str
        What must be known of the clips.
    """

    es: AfdScore
    ed: AfdScore
    names: tuple[str, ...]
    chance: dict[str, dict[str, float]]
    notes: tuple[str, ...]

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        lines = ["The reference is what prompts pick, not people; its noise has no known floor."]
        lines += [
            f"{phase.upper()}, by a reference that knows nothing: {found['nearest']:.1f} frames, "
            f"blind {found['blind']:.1f}"
            for phase, found in self.chance.items()
        ]
        lines += self.notes
        return [*self.es.sections(), *self.ed.sections(), Section("Reference", [], [], lines)]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {
            "es": self.es.to_dict(),
            "ed": self.ed.to_dict(),
            "clips": list(self.names),
            "chance": self.chance,
            "notes": list(self.notes),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per estimate and phase."""
        import pandas as pd

        parts = {"ES": self.es.to_frame(), "ED": self.ed.to_frame()}
        return pd.concat(parts, names=["phase"]).reset_index("phase")


def score_prompted(
    curves: dict[str, NDArray[np.float64]],
    areas: dict[str, NDArray[np.float64]],
    *,
    fps: float | Sequence[float] | None = None,
    notes: tuple[str, ...] = (),
) -> Prompted:
    """Score the picks of areas against those of prompts.

    Parameters
    ----------
    curves : dict of str to float64 array of shape (T,)
        The prompts' curve of each clip, smallest at end-systole.
    areas : dict of str to float64 array of shape (T,)
        Of the masks, by the same names in the same order.
    fps : float or sequence of float, optional
        Frames per second of all clips or of each; gives milliseconds as well.
    notes : tuple of str
        Kept with the result.
    """
    own, beats = list(areas.values()), np.array([beat_length(area) for area in areas.values()])
    picks = [picked(curve) for curve in curves.values()]
    found, chance, told = {}, {}, list(notes)
    for phase in ("ES", "ED"):
        key = phase.lower()
        reference = [pick[key] for pick in picks]
        blind = pick_frames(own, phase=phase, method="blind")
        found[phase] = score_afd(
            pick_frames(own, reference=reference, phase=phase),
            reference,
            phase=phase,
            fps=fps,
            blind=blind,
            beat=beats,
        )
        chance[key] = by_chance(own, blind, phase)
        flat = [name for name, p in zip(areas, picks, strict=True) if not p[f"{key}_stands_out"]]
        if flat:
            told.append(
                f"{phase}: no frame of the prompts' curve stands out in {len(flat)} of "
                f"{clips(len(picks))} ({shown(flat)}): their reference says little"
            )
    return Prompted(found["ES"], found["ED"], tuple(areas), chance, tuple(told))


def by_chance(
    areas: Sequence[NDArray[np.float64]], blind: NDArray[np.float64], phase: str
) -> dict[str, float]:
    """Return the aFD of both protocols, in frames, if each frame of a clip were its reference.

    Parameters
    ----------
    areas : sequence of float64 arrays of shape (T,)
    blind : float64 array of shape (n_clips,)
        Blind picks; clips without one are left out, as everywhere.
    phase : {"ES", "ED"}
    """
    nearest, other = [], []
    for area, frame in zip(areas, blind, strict=True):
        at = np.arange(len(area))
        picks = [pick_nearest(area, float(t), phase=phase) for t in at]
        if picks[0] is not None and np.isfinite(frame):
            nearest.append(np.abs(np.array(picks, dtype=np.float64) - at).mean())
            other.append(np.abs(frame - at).mean())
    if not nearest:
        return {"nearest": float("nan"), "blind": float("nan")}
    return {"nearest": float(np.mean(nearest)), "blind": float(np.mean(other))}


def areas_of(folder: MaskFolder, name: str, n: int) -> NDArray[np.float64]:
    """Return the areas (T,) of a clip's masks, cut as EchoDFKD cuts them for the aFD."""
    masks = folder.raw(name) if folder.kind == "uint8" else folder.probabilities(name)
    if folder.kind == "binary":
        masks = masks > 0
    if len(masks) != n:
        raise AnnostatError(f"{name!r} has masks of {len(masks)} frames and answers of {n}")
    return mask_areas(masks)


def rates_of(text: str, names: Sequence[str]) -> float | list[float]:
    """Return the frames per second of all clips, or of each if the text names a table."""
    try:
        return float(text)
    except ValueError:
        if not Path(text).is_file():
            raise AnnostatError(f"--fps {text!r} is neither a number nor a table") from None
    return read_rates(text, names)


@click.command(context_settings={"show_default": True})
@click.argument("answers", type=click.Path(path_type=Path))
@click.argument("masks", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A .json file.")
@click.option(
    "--fps",
    metavar="NUMBER|TABLE",
    help="Frames per second, for ms: of all clips, or a table as EchoNet's FileList.csv.",
)
@kind_option
@click.option("--quiet", is_flag=True)
def main(answers: Path, masks: Path, out: Path, fps: str | None, kind: str, quiet: bool) -> None:
    """Compare the frames that masks pick with those that prompts pick."""
    files = {path.stem: path for path in sorted((answers / "phase").glob("*.npy"))}
    if not files:
        raise AnnostatError(
            f"{os.fspath(answers)!r} has no phase/CLIP.npy: python -m models.prompts --phase "
            "writes them"
        )
    folder = read_mask_folder(masks, kind=kind)
    names = [name for name in files if name in folder.files]
    lacking = [name for name in files if name not in folder.files]
    if not names:
        raise AnnostatError(f"no masks of {shown(lacking)} in {os.fspath(masks)!r}")
    notes = (f"no masks of {clips(len(lacking))}: {shown(lacking)}",) if lacking else ()
    curves, areas = {}, {}
    with counter("Clips", len(names), quiet=quiet) as done:
        for k, name in enumerate(names):
            curves[name] = read_curve(files[name])
            areas[name] = areas_of(folder, name, len(curves[name]))
            done(k + 1)
    rates = None if fps is None else rates_of(fps, names)
    result = score_prompted(curves, areas, fps=rates, notes=notes)
    write_text(out, json.dumps(result.to_dict(), indent=2) + "\n")
    click.echo(str(result))


if __name__ == "__main__":
    run_command(main)
