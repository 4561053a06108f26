"""Films of a student at work: python -m models.film WEIGHTS --out FOLDER.

The best, the median and the worst test clip, each a GIF: frames with the student's outlines dashed
and the reference's solid, beside the curve of areas with the picks of ED and ES.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from annostat import AnnostatError
from annostat.errors import check_number
from annostat.files import write_whole
from annostat.plotting import COLOURS
from models.checkpoints import load_student
from models.command import clip_options, counter, padding_options, pick_device, run_command
from models.data.clips import open_store
from models.data.store import Example, Store
from models.figures import draw_outlines
from models.network.predict import predict
from models.predictions import (
    Predictions,
    beat_around,
    beat_of,
    expected_area,
    labelled,
    predictions,
)
from models.scores import drawn_errors

NAMES = ("best", "median", "worst")
SLOWEST, FASTEST = 5.0, 50.0  # frames per second; browsers show no GIF faster


def pick_clips(found: Predictions) -> dict[str, int]:
    """Return the best, the median and the worst clip by mean 1 − Dice of the first structure.

    Against people where they drew, else against the targets; clips without either are left out.
    """
    errors = drawn_errors(found)
    if not np.isfinite(errors).any():
        errors = np.array([float(np.mean(e)) for e in found.frame_errors()])
    order = np.argsort(errors, kind="stable")[: int(np.isfinite(errors).sum())]
    if not order.size:
        raise AnnostatError("there is nothing to compare the student with on these clips")
    return {name: int(order[round(q * (len(order) - 1))]) for name, q in zip(NAMES, (0, 0.5, 1))}  # noqa: B905


def film(
    clip: Example,
    masks: NDArray[np.uint8],
    structures: Sequence[str],
    *,
    title: str = "",
    floor: float | None = None,
) -> list[NDArray[np.uint8]]:
    """Return the pictures of a film, each uint8 of shape (height, width, 3).

    Parameters
    ----------
    clip : Example
    masks : uint8 array of shape (T, K, H, W)
        The student's.
    structures : sequence of str
    title : str
    floor : float, optional
        Mean error of one picked frame: a band around the labelled ES.
    """
    figure = Figure(figsize=(7.2, 3.4), dpi=80, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1, 1.25]})
    picture = left.imshow(clip.frames[0], cmap="gray", vmin=0, vmax=255)
    left.axis("off")
    area = expected_area(masks[:, 0])
    right.plot(area, color=COLOURS[0], label=f"{structures[0]}, student")
    if clip.targets is not None:
        right.plot(expected_area(np.asarray(clip.targets[:, 0])), color="0.6", label="reference")
    _mark(right, clip, masks[:, 0], area, floor)
    cursor = right.axvline(0, color="0.3", lw=1)
    right.set(xlabel="frame", ylabel="area (pixels)", title=title)
    right.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower right", ncols=4, frameon=False, fontsize=8)
    pictures = []
    for t in range(len(clip.frames)):
        picture.set_data(clip.frames[t])
        cursor.set_xdata([t, t])
        drawn = draw_outlines(left, clip, masks, t, structures)
        canvas.draw()
        pictures.append(np.asarray(canvas.buffer_rgba())[..., :3].copy())
        for lines in drawn:
            lines.remove()
    return pictures


def _mark(
    ax: Any, clip: Example, soft: NDArray[np.uint8], area: NDArray[Any], floor: float | None
) -> None:
    """Mark the labelled frames, the student's pick of ES, and the floor's band."""
    frames = labelled(clip.facts)
    if frames is not None:
        for name, t in zip(("ED", "ES"), frames, strict=True):
            ax.axvline(t, color=COLOURS[1], lw=1, ls=":")
            ax.annotate(
                f"{name}, labelled",
                (t, 0.02),
                xycoords=("data", "axes fraction"),
                rotation=90,
                fontsize=7,
                color=COLOURS[1],
            )
        if floor is not None:
            ax.axvspan(
                frames[1] - floor,
                frames[1] + floor,
                color=COLOURS[1],
                alpha=0.15,
                lw=0,
                label="noise of one label",
            )
    es, _ = beat_of(soft, beat_around(clip.facts, area))
    if np.isfinite(es):
        ax.plot(es, area[int(es)], "v", color=COLOURS[0], label="ES, student")


def write_gif(path: Path, pictures: Sequence[NDArray[np.uint8]], fps: float) -> None:
    """Write a film, whole or not at all."""
    from PIL import Image

    images = [Image.fromarray(p).quantize(128) for p in pictures]
    stream = io.BytesIO()
    images[0].save(
        stream,
        format="GIF",
        save_all=True,
        append_images=images[1:],
        duration=1000 / min(max(fps, SLOWEST), FASTEST),
        loop=0,
    )
    write_whole(path, lambda file: file.write(stream.getvalue()))


def films(store: Store, found: Predictions) -> list[tuple[str, int]]:
    """Return names and numbers of the clips to be shown, each clip once."""
    chosen: dict[int, str] = {}
    for name, k in pick_clips(found).items():
        chosen.setdefault(k, name)
    return [(name, k) for k, name in chosen.items()]


@click.command(context_settings={"show_default": True})
@click.argument("weights", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of films.")
@clip_options
@padding_options
@click.option("--floor", type=float, help="Noise of one labelled frame: a band around ES.")
@click.option("--device", default="auto", help="auto, cpu, cuda or cuda:N.")
@click.option("--quiet", is_flag=True)
def main(
    weights: Path,
    out: Path,
    split: str,
    settings: tuple[str, ...],
    cache: Path,
    pad: int,
    how: str,
    floor: float | None,
    device: str,
    quiet: bool,
) -> None:
    """Show a student's best, median and worst clip as GIFs."""
    if floor is not None:
        check_number("--floor", floor, low=0.0)
    where = pick_device(device)
    student, config = load_student(weights, where)
    structures = config.data.structures
    config = config.changed(settings)
    if config.data.structures != structures:
        raise AnnostatError("--set cannot change data.structures: they came with the weights")
    with counter(f"Clips for {split}", quiet=quiet) as done:
        store = open_store(config.data, split, cache, device=where, progress=done)
    found = predictions(student, store, structures=structures, pad=pad, how=how, quiet=quiet)
    out.mkdir(parents=True, exist_ok=True)
    for name, k in films(store, found):
        clip = store.clip(k)
        masks = predict(student, np.asarray(clip.frames), pad=pad, how=how)
        pictures = film(clip, masks, structures, title=f"{name}: {clip.name}", floor=floor)
        rate = clip.facts.get("fps")
        write_gif(out / f"{name}.gif", pictures, rate if isinstance(rate, (int, float)) else 25.0)
        click.echo(f"{out / name}.gif: {clip.name}")


if __name__ == "__main__":
    run_command(main)
