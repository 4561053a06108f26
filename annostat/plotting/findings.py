"""Plots of findings: how many readers marked what, F1 and sensitivity with their brackets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from annostat.ceilings.finding_result import FindingBounds
from annostat.plotting.figures import COLOURS, axes_of, shortened, the_first
from annostat.results.text import percent
from annostat.truth.findings import DetectorScore, DetectorScores

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_findings", "plot_froc"]

MARKS = "sD^vP*"


def plot_findings(result: FindingBounds, *, ax: Axes | None = None) -> Axes:
    """Draw how many readers marked each finding.

    Parameters
    ----------
    result : FindingBounds
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = axes_of(ax)
    most = max(result.counts)
    below = np.zeros(most)
    for i, (k, counts) in enumerate(result.counts.items()):
        height = np.r_[np.array(counts, dtype=np.float64), np.zeros(most - k)]
        colour = COLOURS[i % len(COLOURS)]
        ax.bar(np.arange(1, most + 1), height, bottom=below, color=colour, label=f"{k} readers")
        below += height
    ax.set_xticks(range(1, most + 1))
    ax.set_xlabel("readers who marked it")
    ax.set_ylabel("findings")
    if len(result.counts) > 1:
        ax.legend(frameon=False, fontsize=8)
    return ax


def plot_froc(result: FindingBounds | DetectorScores, *, ax: Axes | None = None) -> Axes:
    """Draw the best sensitivity by false positives per image, two readers, and detectors.

    Parameters
    ----------
    result : FindingBounds or DetectorScores
        Detectors with scores are curves, others points.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = axes_of(ax)
    scores: tuple[DetectorScore, ...] = ()
    if isinstance(result, DetectorScores):
        scores, result = result.scores, result.bounds
    rows = result.froc
    x = [s.false_positives for s in rows]
    known = [s for s in rows if s.interval is not None]
    if known and known[0].interval is not None:
        ax.fill_between(
            [s.false_positives for s in known],
            [s.interval.low for s in known if s.interval is not None],
            [s.interval.high for s in known if s.interval is not None],
            color=COLOURS[0],
            alpha=0.15,
            lw=0,
            label=f"{percent(known[0].interval.level)} limits",
        )
    if rows:
        ax.fill_between(
            x,
            [s.low for s in rows],
            [s.high for s in rows],
            color=COLOURS[0],
            alpha=0.4,
            lw=0,
            label="best possible detector",
        )
        ax.set_xscale("log", base=2)
        ax.set_xticks(x, [f"{v:g}" for v in x])
        ax.minorticks_off()
    seen = [r for r in result.readers if r.false_positives > 0]
    ax.plot(
        [r.false_positives for r in seen],
        [r.sensitivity for r in seen],
        "o",
        color="black",
        ms=4,
        label="a reader against another",
    )
    drawn, of_all = the_first(scores)
    for i, s in enumerate(drawn):
        curve = [(at.false_positives, at.sensitivity.value) for at in s.froc]
        at = np.array(curve or [(s.false_positives, s.sensitivity)])
        ax.plot(
            at[:, 0],
            at[:, 1],
            f"{MARKS[i]}-",
            color=COLOURS[1 + i % 3],
            ms=4,
            lw=1,
            label=shortened(s.name),
        )
    ax.set_ylim(0, 1.02)
    ax.set_xlabel("false positives per image")
    ax.set_ylabel("sensitivity")
    title = of_all or None
    ax.legend(frameon=False, fontsize=8, loc="lower right", title=title, title_fontsize=8)
    return ax
