"""Figure 4: where the error is, and how much of that noise alone would do.

The paper shows that most of the squared error is in the final 15% of the test set and concludes
that the errors are "localized to a specific subset". Pure annotation noise does that as well: here
each curve stands over the band that noise alone gives, with the excess and its test. The paper's
errors are not public. Simulated: three models of 1,277 clips whose labels are noisy as the paper
says. Real: LIDC-IDRI, where a third reader plays the model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import annostat
from analysis import paper
from analysis.common import new_figure, save
from annostat.concentration import compare_concentration, concentration
from annostat.plotting import plot_concentration

TOP = 0.15
HARD = 0.1  # share of the items on which the third model errs


def simulated(*, seed: int, n: int) -> tuple[annostat.Rounds, dict[str, np.ndarray]]:
    """Return two rounds of picks, and the errors of three models against the first one."""
    law = annostat.NoiseModel.with_mae(
        "laplace", paper.AFD["ES"], abandonment="independent", abandonment_rate=1 / 300, window=50
    )
    rng = np.random.default_rng([seed, 4])
    truth = rng.integers(60, 140, n)
    rounds = annostat.simulate_rounds(law, n, truth=truth, rng=rng)
    hard = rng.random(n) < HARD
    models = {
        "perfect": truth,
        "errs a little everywhere": truth + np.rint(rng.normal(0, 2, n)),
        "errs on a tenth of the clips": truth + hard * np.rint(rng.normal(0, 9, n)),
    }
    return rounds, {name: f - rounds.values[:, 0] for name, f in models.items()}


def main(out: Path, *, seed: int = 0, quick: bool = False) -> dict[str, Any]:
    """Draw the curves, from the best item to the worst as the paper does."""
    rounds, errors = simulated(seed=seed, n=300 if quick else paper.ECHONET_TEST_N)
    options: dict[str, Any] = {
        "top": TOP,
        "n_resamples": 39 if quick else 499,
        "rng": seed,
        "n_jobs": 2,
    }
    models = compare_concentration(errors, rounds=rounds, unit="frames", **options)
    read = annostat.datasets.lidc("largest_slice")
    read = read.take(np.isfinite(read.values[:, :3]).all(axis=1))
    two = annostat.Rounds.from_array(
        read.values[:, :2], names=read.names[:2], unit="slices", exchangeable=True
    )
    reader = concentration(
        read.values[:, 2] - read.values[:, 0],
        rounds=two,
        items=read.items,
        cluster=read.cluster,
        name="a third reader",
        unit="slices",
        **options,
    )
    numbers = {
        "kind": {"models": "simulated", "reader": "real: LIDC-IDRI"},
        "top": TOP,
        "models": models.to_dict(),
        "reader": reader.to_dict(),
    }
    figure, axes = new_figure(12, 4.8, 2)
    plot_concentration(models, best_first=True, ax=axes[0])
    axes[0].set_title("Simulated: 1,277 clips, labels as noisy as the paper's")
    plot_concentration(reader, best_first=True, ax=axes[1])
    axes[1].set_title("Real: LIDC, a reader against a reader")
    save(out, "error_concentration", numbers, figure)
    return numbers
