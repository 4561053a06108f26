"""The study that the paper could not publish: picks, sizes and masks of up to four real readers.

The paper's second annotation round is not public. LIDC-IDRI (Armato et al. 2011, CC BY 3.0) has
everything that the paper's argument needs: a slice picked by several readers, sizes, and outlines.
All data are real. Readers are exchangeable: the file does not say who they are.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import annostat
from analysis.afd import describe
from analysis.common import COLOURS, new_figure, save
from annostat import agreement
from annostat.plotting import plot_differences, plot_ladder
from annostat.truth import compare_masks

PICKS = {
    "largest_slice": "slice of the largest outline",
    "first_slice": "first slice",
    "last_slice": "last slice",
}
SIZES = ("diameter_mm", "volume_mm3")


def picks(*, seed: int, quick: bool) -> dict[str, annostat.NoiseComparison]:
    """Fit the noise of the three picks, in slices."""
    options: dict[str, Any] = {"physical": False, "rng": seed, "n_jobs": 2}
    if quick:
        options |= {"cores": "laplace", "n_tests": 0}
    return {name: annostat.compare_noise(annostat.datasets.lidc(name), **options) for name in PICKS}


def sizes(*, seed: int) -> dict[str, Any]:
    """Return the repeatability of sizes, as they are and on the log scale.

    The noise of a size grows with the size, so that σ of the raw scale is carried by a few large
    nodules and has no interval that covers; on the log scale it has.
    """
    found: dict[str, Any] = {}
    for name in SIZES:
        raw = annostat.datasets.lidc(name)
        values = np.where(raw.values > 0, raw.values, np.nan)
        for scale, rounds in (
            ("raw", raw),
            ("log", replace(raw, values=np.log(values), unit="log")),
        ):
            scatter = agreement.repeatability(rounds, rng=seed)
            reliability = agreement.icc(rounds)["icc_1_1"]
            found[f"{name}, {scale}"] = {
                "noise_sd": scatter.noise_sd.to_dict(),
                "kurtosis": scatter.kurtosis,
                "icc_1_1": reliability.to_dict(),
                "correlation_ceiling": float(np.sqrt(reliability.value)),
                "failed": [c.message for c in scatter.checks if c.passed is False],
            }
    return found


def spread_by_size(n_bins: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Return the median diameter and the noise SD of groups of nodules of like diameter."""
    rounds = annostat.datasets.lidc("diameter_mm")
    mean = np.nanmean(rounds.values, axis=1)
    edges = np.quantile(mean, np.linspace(0, 1, n_bins + 1))
    group = np.clip(np.searchsorted(edges, mean, side="right") - 1, 0, n_bins - 1)
    spread = [
        agreement.repeatability(rounds.take(group == g)).noise_sd.value for g in range(n_bins)
    ]
    return np.array([np.median(mean[group == g]) for g in range(n_bins)]), np.array(spread)


def main(out: Path, *, seed: int = 0, quick: bool = False) -> dict[str, Any]:
    """Write the study."""
    fits = picks(seed=seed, quick=quick)
    numbers: dict[str, Any] = {
        "kind": "real: LIDC-IDRI",
        "picks": {name: describe(noise) for name, noise in fits.items()},
        "sizes": sizes(seed=seed),
    }
    drawn = compare_masks(
        annostat.datasets.lidc_masks(),
        surface=False,
        rng=seed,
        n_resamples=200 if quick else 2000,
        n_jobs=2,
    )
    numbers["masks"] = drawn.to_dict()
    figure, axes = new_figure(13, 8, 3, rows=2)
    for ax, (name, noise) in zip(axes[0], fits.items(), strict=True):
        plot_differences(noise, ax=ax)
        ax.set_title(f"{PICKS[name].capitalize()}\nE|X| = {noise.mae.short()} slices")
    for row, noise in enumerate(fits.values()):
        draw_floor(axes[1][0], row, noise)
    axes[1][0].set_yticks(range(3), [PICKS[name].replace(" of the", "\nof the") for name in fits])
    axes[1][0].invert_yaxis()
    axes[1][0].set(xlabel="E|X|, mean error of one reader (slices)", xlim=(0, None))
    axes[1][0].set_title("The floor of a pick, and its bracket")
    diameter, spread = spread_by_size()
    axes[1][1].loglog(diameter, spread, "o", color=COLOURS[0])
    share = numbers["sizes"]["diameter_mm, log"]["noise_sd"]["value"]
    axes[1][1].loglog(diameter, share * diameter, color=COLOURS[1], label=f"{100 * share:.0f}%")
    axes[1][1].set(xlabel="diameter (mm)", ylabel="noise SD of one reader (mm)")
    axes[1][1].set_title("The noise of a diameter grows with it")
    axes[1][1].legend(frameon=False, title="of the diameter")
    plot_ladder(drawn, ax=axes[1][2])
    axes[1][2].set_title("Outlines: the ceiling of Dice")
    save(out, "lidc", numbers, figure)
    return numbers


def draw_floor(ax: Any, row: int, noise: annostat.NoiseComparison) -> None:
    """Draw the floor with its interval, the envelope over models, and the bracket."""
    low, high = (noise.bracket.symmetric[end] for end in ("low", "high"))
    ax.plot([low, high], [row, row], color="0.85", lw=10, solid_capstyle="butt")
    for estimate, width, colour in ((noise.envelope, 5, "0.6"), (noise.mae, 2, COLOURS[0])):
        if estimate.interval is not None:
            ends = [estimate.interval.low, estimate.interval.high]
            ax.plot(ends, [row, row], color=colour, lw=width, solid_capstyle="butt")
    ax.plot(noise.mae.value, row, "o", color=COLOURS[0])
