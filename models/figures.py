"""Figures of a run: the curves of training, and masks on frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter
from numpy.typing import NDArray
from scipy import special

from annostat import Estimate
from annostat.plotting import COLOURS, plot_afd, plot_concentration, plot_first_frames
from models.data.store import Example
from models.predictions import expected_area, labelled
from models.settling import Settling

# Columns of the log about whole clips (see `models.whole`), and what they are called.
READ = {
    "human_afd_ES": "aFD of ES, frames",
    "human_afd_ED": "aFD of ED, frames",
    "human_rmse_EF": "RMSE of EF, points",
}


def plot_curves(history: Sequence[dict[str, Any]]) -> Figure:
    """Return loss and validation Dice over epochs, the best epoch marked.

    Where whole clips were scored against what people read, with a panel of that.
    """
    read = {name: label for name, label in READ.items() if any(name in row for row in history)}
    n = 3 if read else 2
    figure = Figure(figsize=(4.5 * n, 3.6), layout="constrained")
    left, right, *rest = panels = figure.subplots(1, n)
    epochs = [row["epoch"] for row in history]
    best = min(history, key=lambda row: row["valid_loss"])["epoch"]
    for name, label, colour in (
        ("train_loss", "training", COLOURS[0]),
        ("valid_loss", "validation", COLOURS[1]),
    ):
        left.plot(epochs, [row[name] for row in history], "o-", ms=3, color=colour, label=label)
    left.set(xlabel="epoch", ylabel="loss")
    losses = [row[name] for row in history for name in ("train_loss", "valid_loss")]
    if max(losses) > 2 * min(losses) > 0:  # within less, a logarithmic scale has no round numbers
        left.set_yscale("log")
        for which in (left.yaxis.set_major_formatter, left.yaxis.set_minor_formatter):
            which(LogFormatter(minor_thresholds=(2, 0.7)))
    left.legend(frameon=False)
    structures = [name for name in history[0] if name.startswith("dice_")]
    for colour, name in zip(COLOURS, structures, strict=False):
        label = name.removeprefix("dice_")
        right.plot(epochs, [r[name] for r in history], "o-", ms=3, color=colour, label=label)
        human = [row.get(f"human_{name}", np.nan) for row in history]
        if np.isfinite(human).any():
            label = f"{label}, people's outlines"
            right.plot(epochs, human, "s--", ms=3, color=colour, label=label)
    right.set(xlabel="epoch", ylabel="Dice of validation windows", ylim=(0, 1))
    right.legend(frameon=False, loc="lower center")
    for axes in rest:
        for colour, (name, label) in zip(COLOURS, read.items(), strict=False):
            values = [row.get(name, np.nan) for row in history]
            axes.plot(epochs, values, "o-", ms=3, color=colour, label=label)
        axes.set(xlabel="epoch", ylabel="whole clips against people")
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False)
    for axes in panels:
        axes.axvline(best, color="0.6", lw=1, ls=":")
        axes.spines[["top", "right"]].set_visible(False)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_title(f"best validation loss: epoch {best}", fontsize=9, color="0.3")
    return figure


def plot_masks(
    examples: Sequence[tuple[Example, NDArray[np.uint8]]], structures: Sequence[str]
) -> Figure:
    """Return frames at ED and ES of some clips: the student's outlines dashed.

    Solid ones are what people drew on these frames, or else the targets.
    """
    figure = Figure(figsize=(2.2 * len(examples), 5.2), layout="constrained")
    grid = figure.subplots(2, len(examples), squeeze=False)
    for column, (clip, masks) in enumerate(examples):
        frames = labelled(clip.facts)
        if frames is None:
            area = expected_area(masks[:, 0])
            frames = [int(area.argmax()), int(area.argmin())]
        ed, es = frames
        for axes, name, t in zip(grid[:, column], ("ED", "ES"), (ed, es), strict=True):
            axes.imshow(clip.frames[t], cmap="gray", vmin=0, vmax=255)
            axes.set_title(
                f"{clip.name}\n{name}, frame {t}" if name == "ED" else f"{name}, frame {t}",
                fontsize=8,
            )
            axes.axis("off")
            draw_outlines(axes, clip, masks, t, structures)
    handles = [_line(COLOURS[k % len(COLOURS)], "solid", s) for k, s in enumerate(structures)]
    handles += [_line("0.4", "solid", "reference"), _line("0.4", "dashed", "student")]
    figure.legend(handles=handles, loc="outside lower center", ncol=len(handles), frameon=False)
    return figure


def draw_outlines(
    ax: Any, clip: Example, masks: NDArray[np.uint8], t: int, structures: Sequence[str]
) -> list[Any]:
    """Draw the reference's outlines solid and the student's dashed; return what was drawn."""
    drawn = []
    for k, structure in enumerate(structures):
        colour = COLOURS[k % len(COLOURS)]
        lines = [(values, "solid") for values in _references(clip, t, k, structure)]
        for values, style in [*lines, (masks[t, k], "dashed")]:
            if (values >= 128).any() and not (values >= 128).all():
                found = ax.contour(
                    values, [127.5], colors=[colour], linewidths=1.2, linestyles=style
                )
                drawn.append(found)
    return drawn


def _references(clip: Example, t: int, k: int, structure: str) -> list[NDArray[np.uint8]]:
    """Return what people drew of a structure on a frame, or else the target, if there is one."""
    drawn = [o.mask for o in clip.outlines if o.frame == t and o.structure == structure]
    if not drawn and clip.targets is not None:
        drawn = [clip.targets[t, k]]
    return drawn


def _line(colour: str, style: Any, label: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=colour, linestyle=style, label=label)


def plot_evaluation(result: Any, found: Any, facts: Sequence[dict[str, Any]]) -> Figure:
    """Return scores beside their bounds, first frames, picks and ejection fractions."""
    figure = Figure(figsize=(16, 7.5), layout="constrained")
    panels = figure.subplot_mosaic(
        [["overlaps", "first", "share"], ["afd", "values", "share"]],
        gridspec_kw={"width_ratios": [1, 1, 1.3]},
    )
    plot_overlaps(result.rows, panels["overlaps"])
    plot_values(found.ef, [f.get("ef") for f in facts], panels["values"])
    beat = None if result.afd is None else result.afd.scores.get("beat")
    settled = result.settled or None
    first, plot_first = (settled, plot_settling) if settled else (result.first, plot_first_frames)
    drawn = (
        ("first", first, plot_first, "", "1 − Dice" if settled is None else "excess of 1 − Dice"),
        ("afd", beat, plot_afd, "", "clips within (%)"),
        (
            "share",
            result.concentration,
            plot_concentration,
            "squared error of EF against one annotator",
            "share of the squared error (%)",
        ),
    )
    for name, part, plot, title, label in drawn:
        if part is None:
            panels[name].set_visible(False)
            continue
        plot(part, ax=panels[name])
        panels[name].set_ylabel(label)
        panels[name].set_title(title, fontsize=10)
    return figure


def plot_settling(settled: Sequence[Settling], ax: Any) -> None:
    """Draw what a cold start costs, frame by frame, without padding and with it."""
    for colour, one, name in zip(
        COLOURS, settled, ("without padding", "padded in front"), strict=False
    ):
        t = np.arange(len(one.gaps))
        ax.fill_between(t, one.low, one.high, color=colour, alpha=0.25, lw=0)
        ax.plot(t, one.gaps, "o-", ms=4, color=colour, label=f"{name}: {one.words()}")
        if one.frame:
            ax.axvline(one.frame, color=colour, lw=1, ls=":")
    margin = settled[0].margin
    ax.axhspan(-margin, margin, color="0.5", alpha=0.2, lw=0)
    ax.axhline(0, color="0.5", lw=1)
    ax.set(xlabel="frames after a start in the midst of a clip")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=8)


def plot_overlaps(rows: Sequence[Any], ax: Any) -> None:
    """Draw the overlaps: against truth and annotators, and the predicted ceiling."""
    shown = [row for row in rows if row.name.startswith(("Dice", "IoU"))]
    look = {
        "truth": ("o", "truth"),
        "one": ("s", "one annotator"),
        "bound": ("|", "perfect model, predicted"),
        "human": ("o", "people"),
        "teachers": ("s", "teachers' masks"),
    }
    used = [c for c in look if any(getattr(row, c) is not None for row in shown)]
    for colour, column in zip(COLOURS, used, strict=False):
        marker, label = look[column]
        for k, row in enumerate(shown):
            estimate = getattr(row, column)
            if estimate is None:
                continue
            if estimate.interval is not None:
                ax.plot([estimate.low, estimate.high], [k, k], color=colour, lw=1.5)
            size = 14 if marker == "|" else 6
            ax.plot(estimate.value, k, marker, color=colour, ms=size, mew=2 if size > 6 else 1)
        ax.plot([], [], marker, color=colour, label=label)
    ax.set_yticks(range(len(shown)), [row.name for row in shown])
    ax.invert_yaxis()
    ax.margins(y=0.15)
    ax.set_xlabel("overlap (95% intervals over clips)")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)


def plot_values(ours: NDArray[np.float64], truth: Sequence[Any], ax: Any) -> None:
    """Draw the student's ejection fractions over the true (or listed) ones."""
    pairs = [(t, o) for t, o in zip(truth, ours, strict=True) if t is not None and np.isfinite(o)]
    if not pairs:
        ax.set_visible(False)
        return
    x, y = np.array(pairs, dtype=float).T
    ends = [min(x.min(), y.min()) - 2, max(x.max(), y.max()) + 2]
    ax.plot(ends, ends, color="0.6", lw=1)
    ax.plot(x, y, "o", ms=4, alpha=0.6, color=COLOURS[0], mec="none")
    ax.set(
        xlabel="true ejection fraction (%)",
        ylabel="student's ejection fraction (%)",
        aspect="equal",
        xlim=ends,
        ylim=ends,
    )
    ax.spines[["top", "right"]].set_visible(False)


def plot_sweep(rows: Sequence[dict[str, Any]], ceiling: Estimate | None = None) -> Figure:
    """Return mean Dice over the number of parameters, a line for each number of blocks.

    A `ceiling`, what a perfect model scores, is a line with its 95% band.
    """
    figure = Figure(figsize=(6, 4), layout="constrained")
    ax = figure.subplots()
    for colour, b in zip(COLOURS * 2, sorted({row["blocks"] for row in rows}), strict=False):
        part = [row for row in rows if row["blocks"] == b]
        sizes, dice = ([row[name] for row in part] for name in ("parameters", "mean_dice"))
        ax.plot(sizes, dice, "o-", color=colour, label=f"B = {b}")
        for row in part:
            at = (row["parameters"], row["mean_dice"])
            ax.annotate(
                f"L{row['layers']}",
                at,
                xytext=(3, 4),
                textcoords="offset points",
                fontsize=8,
                color=colour,
            )
    if ceiling is not None:
        reach = float(special.ndtri(0.975)) * (ceiling.standard_uncertainty or 0.0)
        ax.axhspan(ceiling.value - reach, ceiling.value + reach, color="0.5", alpha=0.15, lw=0)
        ax.axhline(ceiling.value, color="0.35", lw=1, ls="-.", label="perfect model")
    ax.set(xscale="log", xlabel="parameters", ylabel="mean Dice of unseen clips")
    ax.legend(frameon=False, loc="lower right")
    ax.spines[["top", "right"]].set_visible(False)
    return figure
