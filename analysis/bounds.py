"""Section 2: how good a model can look against labels as noisy as those of CAMUS.

The paper reads the published SD of 5.7 points as that of the difference of two sessions, and finds
a floor of 5.7/√2 = 4.03 and, from the correlation 0.801, a ceiling of √0.801 = 0.895. Both follow.
Its argument for that reading does not: an RMSE of 5.17 on another data set refutes "session
against the merged mean", whose floor is 8.06, but not that 5.7 is σ itself, whose floor is 5.70.
What is free of the scale is stronger: merged, a correlation of 0.801 means ρ = 0.283 and a ceiling
of 0.532, below the 0.78 that a model reached (if its patients were as diverse). And the R² of a
regression of the labels on the output is r², not r: the ceiling of a reported R² is ρ = 0.801.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import annostat
from analysis import paper
from analysis.common import COLOURS, new_figure, save
from annostat.agreement import CONVENTIONS
from annostat.ceilings import Bounds, bounds_from_summary, compare_published

MERGED = "session-vs-mean"


def derivation(*, seed: int, n: int) -> dict[str, float]:
    """Simulate the derivation: every identity of the section beside what a large sample gives."""
    rounds = annostat.simulate_values(n, noise_sd=4.0, truth_sd=8.0, rng=seed)
    z = rounds.values
    truth = np.random.default_rng(seed + 1).normal(0, 8, n)
    label = truth + np.random.default_rng(seed + 2).normal(0, 4, n)
    between = float(np.corrcoef(z.T)[0, 1])
    return {
        "rmse_between_rounds_over_sigma": float(np.sqrt(np.mean((z[:, 1] - z[:, 0]) ** 2))) / 4.0,
        "should_be": float(np.sqrt(2)),
        "correlation_between_rounds": between,
        "root_of_it": float(np.sqrt(between)),
        "correlation_of_the_truth_with_one_round": float(np.corrcoef(truth, label)[0, 1]),
    }


def main(out: Path, *, seed: int = 0, quick: bool = False) -> dict[str, Any]:
    """Write the paper's bounds, every other reading, and what the reported scores can refute."""
    summary: dict[str, Any] = {
        "sd": paper.CAMUS_SD,
        "correlation": paper.CAMUS_CORRELATION,
        "n": paper.CAMUS_N_ASSUMED,
        "unit": "points",
    }
    readings = {name: bounds_from_summary(convention=name, **summary) for name in CONVENTIONS}
    papers = readings["between-sessions"]
    judged = {
        f"kurtosis {kurtosis:g}": compare_published(
            score_rmse=paper.ECHOCOTR_RMSE,
            score_n=paper.ECHONET_TEST_N,
            score_kurtosis=kurtosis,
            sd=paper.CAMUS_SD,
            n=paper.CAMUS_N_ASSUMED,
            kurtosis=kurtosis,
        )
        for kurtosis in (3.0, 6.0)
    }
    correlation = compare_published(
        score_correlation=paper.BATOOL_CORRELATION,
        score_n=paper.CAMUS_N_ASSUMED,
        correlation=paper.CAMUS_CORRELATION,
        n=paper.CAMUS_N_ASSUMED,
    )
    numbers = {
        "kind": "published numbers; n of CAMUS assumed",
        "rmse_floor": papers.rmse_floor.to_dict(),
        "correlation_ceiling": papers.correlation_ceiling.to_dict(),
        "r2_ceiling": papers.r2_ceiling.to_dict(),
        "readings": {name: reading_of(found) for name, found in readings.items()},
        "echocotr": {name: found.to_dict() for name, found in judged.items()},
        "correlation_verdicts": correlation.to_dict(),
        "derivation_simulated": derivation(seed=seed, n=10_000 if quick else 1_000_000),
    }
    figure, axes = new_figure(11, 3.6, 2)
    draw(
        axes[0],
        {n: f.rmse_floor for n, f in readings.items()},
        paper.ECHOCOTR_RMSE,
        "EchoCoTr's RMSE, 5.17",
    )
    axes[0].set(xlabel="least RMSE of any model (points)", title="The floor, by what the 5.7 is")
    ceilings = {n: readings[n].correlation_ceiling for n in ("between-sessions", MERGED)}
    draw(axes[1], ceilings, paper.BATOOL_CORRELATION, "a reported correlation, 0.78")
    axes[1].set(xlabel="highest correlation of any model", xlim=(0, 1))
    axes[1].set_title("The ceiling, by what the 0.801 is")
    save(out, "bounds", numbers, figure)
    return numbers


def reading_of(found: Bounds) -> dict[str, Any]:
    """Return what one reading of the published numbers implies."""
    names = ("rmse_floor", "reliability", "correlation_ceiling", "r2_ceiling", "sd_of_labels")
    return {name: getattr(found, name).to_dict() for name in names}


def draw(ax: Any, bounds: dict[str, annostat.Estimate], score: float, label: str) -> None:
    """Draw one bound for each reading, with its interval, and the reported score."""
    for row, bound in enumerate(bounds.values()):
        if bound.interval is not None:
            ends = [bound.interval.low, bound.interval.high]
            ax.plot(ends, [row, row], color=COLOURS[0], lw=2)
        ax.plot(bound.value, row, "o", color=COLOURS[0])
        ax.annotate(
            bound.short(),
            (bound.value, row),
            (0, 6),
            textcoords="offset points",
            ha="center",
            fontsize=8,
        )
    ax.axvline(score, color=COLOURS[1], ls="--", lw=1.2, label=label)
    ax.set_yticks(range(len(bounds)), list(bounds))
    ax.set_ylim(len(bounds) - 0.5, -0.7)
    ax.legend(frameon=False, fontsize=8, loc="upper right" if len(bounds) > 2 else "upper left")
