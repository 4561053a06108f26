"""Plots of the noise of picks."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from annostat.noise import NoiseComparison, NoiseFit
from annostat.noise.goodness import pair_counts
from annostat.noise.words import too_few
from annostat.plotting.figures import COLOURS, DASHES, Panel, axes_of, spelt_out

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_differences", "plot_noise", "plot_noise_law", "plot_windows"]

MARKS = "os^D"


def plot_noise(result: NoiseComparison, *, figsize: tuple[float, float] = (12, 4)) -> Figure:
    """Draw the differences, the noise law and the window profile side by side.

    Parameters
    ----------
    result : NoiseComparison
    figsize : tuple of float
        Size in inches.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure as NewFigure

    figure = NewFigure(figsize=figsize, layout="constrained")
    axes = figure.subplots(1, 3, width_ratios=(1.5, 1, 1))
    for panel, ax in zip(panels_of_noise(result), axes, strict=True):
        panel.draw(ax=ax)
    return figure


def panels_of_noise(result: NoiseComparison) -> list[Panel]:
    """Return what `plot_noise` draws, panel by panel."""
    return [Panel(partial(f, result)) for f in (plot_differences, plot_noise_law, plot_windows)]


def plot_differences(result: NoiseComparison, *, ax: Axes | None = None, n_models: int = 3) -> Axes:
    """Draw counts of |D| with the best models' laws on a log scale.

    The bars of the counts are exact Poisson 95% intervals (Garwood 1936).
    """
    from scipy import stats

    ax = axes_of(ax)
    counts = pair_counts(result.best.problem.cells)
    d = np.arange(counts.size)
    seen = counts > 0
    low = np.asarray(stats.chi2.ppf(0.025, 2 * counts[seen])) / 2
    high = np.asarray(stats.chi2.ppf(0.975, 2 * counts[seen] + 2)) / 2
    spread = np.abs(np.vstack([counts[seen] - low, high - counts[seen]]))
    ax.errorbar(
        d[seen],
        counts[seen],
        spread,
        fmt="o",
        ms=3.5,
        color="black",
        elinewidth=0.8,
        label="observed pairs",
        zorder=3,
    )
    for fit, colour, dash in zip(_kinds(result)[:n_models], COLOURS, DASHES, strict=False):
        expected = counts.sum() * fit.difference_law(counts.size - 1)
        ax.plot(d, expected, color=colour, ls=dash, lw=1.4, label=fit.label)
    ax.set_yscale("log")
    ax.set_ylim(max(0.02, 0.3 * float(low.min())), 3 * float(counts.max()))
    unit = result.rounds.unit or "frames"
    ax.set_xlabel(f"|difference between two annotations| ({unit})")
    ax.set_ylabel("pairs")
    ax.set_title("What two annotators differ by")
    ax.legend(frameon=False, fontsize=8)
    return spelt_out(ax)


def plot_noise_law(result: NoiseComparison, *, ax: Axes | None = None) -> Axes:
    """Draw the law of one annotation's error under the best model, with E|X| and its interval."""
    ax = axes_of(ax)
    x, f = result.best.noise_pmf()
    reach = int(np.abs(x[f > 1e-5]).max(initial=1))
    inside = np.abs(x) <= max(reach, 2)
    ax.vlines(x[inside], 1e-6, f[inside], color=COLOURS[0], lw=1.5)
    ax.plot(x[inside], f[inside], "o", ms=2.5, color=COLOURS[0])
    ax.set_yscale("log")
    ax.set_ylim(5e-6, 1.5)
    ax.set_xlabel(f"error of one annotation ({result.rounds.unit or 'frames'})")
    ax.set_ylabel("probability")
    mae = result.mae
    said = f"E|X| = {mae.short()} {mae.unit} ({mae.range()})"
    if too_few(result):
        said = f"E|X| {mae.range()} {mae.unit}: too few items"
    ax.set_title(f"Noise of one annotation\n{said}")
    return spelt_out(ax)


def plot_windows(result: NoiseComparison, *, ax: Axes | None = None) -> Axes:
    """Draw E|X| against the width of abandonment, where the likelihood allows that width."""
    ax = axes_of(ax)
    best, drawn = result.best, 0
    for fit in _kinds(result):
        windows, values, maes = fit.window_profile
        if not values.size:
            continue
        colour = COLOURS[drawn % len(COLOURS)]
        allowed = values > values.max() - 1.92
        ax.plot(windows, maes, color=colour, lw=0.8, alpha=0.6)
        mark = MARKS[drawn % len(MARKS)]
        ax.plot(windows[allowed], maes[allowed], mark, ms=3, color=colour, label=fit.label)
        drawn += 1
    if best.mae.interval is not None and not too_few(result):
        ax.axhspan(best.mae.interval.low, best.mae.interval.high, color="0.9", zorder=0)
    ax.axhline(best.mae.value, color="0.4", lw=0.8, ls="--")
    ax.set_xlabel(f"window W ({result.rounds.unit or 'frames'})")
    ax.set_ylabel(f"E|X| ({best.mae.unit})")
    ax.set_title("How E|X| moves with the window\n(dots: within the 95% profile)")
    if drawn:
        ax.legend(frameon=False, fontsize=8)
    else:
        ax.text(0.5, 0.5, "no window was profiled", ha="center", transform=ax.transAxes)
    return spelt_out(ax)


def _kinds(result: NoiseComparison) -> list[NoiseFit]:
    """Return the best model, then the best one of each other kind of abandonment."""
    found: dict[str, NoiseFit] = {}
    for fit in result.fits:
        found.setdefault(fit.model.way.name, fit)
    return list(found.values())
