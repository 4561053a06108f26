"""Plots of where the error sits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from annostat.concentration import Concentration, ConcentrationComparison
from annostat.concentration.result import WORDS
from annostat.plotting.figures import COLOURS, DASHES, axes_of, shortened, spelt_out, the_first
from annostat.results.text import p_text, percent

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["plot_concentration"]


def plot_concentration(
    result: Concentration | ConcentrationComparison,
    *,
    best_first: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Draw the share of the error against the share of the items, over the band of noise.

    Parameters
    ----------
    result : Concentration or ConcentrationComparison
        Of several models, the band of noise is drawn once: the first model's. Of many, the first
        six are drawn.
    best_first : bool
        Begin with the best items, as the EchoDFKD paper does, and not with the worst.
    ax : Axes, optional
    """
    ax = axes_of(ax)
    comparison = isinstance(result, ConcentrationComparison)
    models = result.models if isinstance(result, ConcentrationComparison) else {"": result}
    first = next(iter(models.values()))
    drawn, of_all = the_first(list(models.items()))

    frame = first.to_frame()

    def turned(column: str, table: pd.DataFrame = frame) -> NDArray[np.float64]:
        values = table[column].to_numpy() * 100
        return np.asarray(100 - values if best_first else values)

    at = turned("fraction")

    if first.null is not None:
        ax.fill_between(
            at,
            turned("null_low"),
            turned("null_high"),
            color="0.85",
            lw=0,
            label="noise alone, 95%",
        )
        ax.plot(at, turned("null"), color="0.45", lw=1, ls="--")
    ax.plot([0, 100], [0, 100], color="0.6", lw=0.8, ls=":", label="every item alike")
    for i, (name, model) in enumerate(drawn):
        colour = COLOURS[i % len(COLOURS)]
        share = model.observed["worst_share"]
        label = f"{shortened(name or model.name or 'observed')}, Gini {model.observed['gini']:.2f}"
        ax.plot(
            at,
            turned("share", model.to_frame()),
            color=colour,
            lw=1.8,
            label=label,
            ls=DASHES[i % 4],
        )
        x, y = 100 * model.top, 100 * share
        if best_first:
            x, y = 100 - x, 100 - y
        ax.plot(x, y, "o", ms=5, color=colour)
        if not comparison:
            text = f"worst {percent(model.top)}: {100 * share:.0f}%"
            if model.null is not None and model.excess is not None:
                null = 100 * model.null.expected["worst_share"].value
                text += f"\nnoise: {null:.0f}%"
                # Of a model's classes p is of where it stands alone, and not of this share.
                if model.loss != "disagreement" or not model.name:
                    text += f", {p_text(model.excess.p_value)}"
            # In the empty corner, away from the curves and their band.
            ax.annotate(
                text,
                (0.03, 0.6) if best_first else (0.97, 0.3),
                xycoords="axes fraction",
                ha="left" if best_first else "right",
                fontsize=9,
            )
            ax.axvline(x, color="0.6", lw=0.6, ls=":", zorder=0)
    side = "best" if best_first else "worst"
    ax.set_xlim(0, 100)
    ax.set_ylim(0, 102)
    ax.set_xlabel(f"items, {side} first (%)")
    ax.set_ylabel(f"share of the {WORDS[first.loss]} (%)")
    ax.legend(
        frameon=False,
        fontsize=8,
        loc="upper left" if best_first else "lower right",
        title=of_all or None,
        title_fontsize=8,
    )
    return spelt_out(ax)
