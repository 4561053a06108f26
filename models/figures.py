"""Figures of a run: the curves of training, and masks on frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter
from numpy.typing import NDArray

from annostat.plotting.figures import COLOURS
from models.store import Example


def plot_curves(history: Sequence[dict[str, Any]]) -> Figure:
    """Return loss and validation Dice over epochs, the best epoch marked."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = [row["epoch"] for row in history]
    best = min(history, key=lambda row: row["valid_loss"])["epoch"]
    for name, label, colour in (
        ("train_loss", "training", COLOURS[0]), ("valid_loss", "validation", COLOURS[1])
    ):  # fmt: skip
        left.plot(epochs, [row[name] for row in history], "o-", ms=3, color=colour, label=label)
    left.set(xlabel="epoch", ylabel="loss", yscale="log")
    for which in (left.yaxis.set_major_formatter, left.yaxis.set_minor_formatter):
        which(LogFormatter(minor_thresholds=(2, 0.7)))
    left.legend(frameon=False)
    structures = [name for name in history[0] if name.startswith("dice_")]
    for colour, name in zip(COLOURS, structures, strict=False):
        values = [row[name] for row in history]
        right.plot(epochs, values, "o-", ms=3, color=colour, label=name.removeprefix("dice_"))
    right.set(xlabel="epoch", ylabel="Dice of validation windows", ylim=(0, 1))
    right.legend(frameon=False, loc="lower center")
    for axes in (left, right):
        axes.axvline(best, color="0.6", lw=1, ls=":")
        axes.spines[["top", "right"]].set_visible(False)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_title(f"best validation loss: epoch {best}", fontsize=9, color="0.3")
    return figure


def plot_masks(
    examples: Sequence[tuple[Example, NDArray[np.uint8]]], structures: Sequence[str]
) -> Figure:
    """Return frames at ED and ES of some clips: targets as solid outlines, masks as dashed ones."""
    figure = Figure(figsize=(2.2 * len(examples), 5.2), layout="constrained")
    grid = figure.subplots(2, len(examples), squeeze=False)
    for column, (clip, masks) in enumerate(examples):
        area = (clip.targets[:, 0] >= 128).sum((1, 2))
        ed = int(clip.facts.get("ed", area.argmax()))
        es = int(clip.facts.get("es", area.argmin()))
        for axes, name, t in zip(grid[:, column], ("ED", "ES"), (ed, es), strict=True):
            axes.imshow(clip.frames[t], cmap="gray", vmin=0, vmax=255)
            axes.set_title(f"{clip.name}\n{name}, frame {t}" if name == "ED" else
                           f"{name}, frame {t}", fontsize=8)  # fmt: skip
            axes.axis("off")
            for k in range(len(structures)):
                colour = COLOURS[k % len(COLOURS)]
                for values, style in ((clip.targets[t, k], "solid"), (masks[t, k], "dashed")):
                    if (values >= 128).any() and not (values >= 128).all():
                        axes.contour(values, [127.5], colors=[colour], linewidths=1.2,
                                     linestyles=style)  # fmt: skip
    handles = [_line(COLOURS[k % len(COLOURS)], "solid", s) for k, s in enumerate(structures)]
    handles += [_line("0.4", "solid", "target"), _line("0.4", "dashed", "student")]
    figure.legend(handles=handles, loc="outside lower center", ncol=len(handles), frameon=False)
    return figure


def _line(colour: str, style: str, label: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=colour, linestyle=style, label=label)
