"""Two rounds predict a floor; a trained model gets there, and not below.

Simulated: a regression on six features, trained on N noisy labels, is scored on 1,277 test items
against one annotation of each. annostat sees two rounds of the test items and predicts the floor;
it also estimates the model's error against the truth, which is known here and can be compared.
Real: for LIDC diameters (on the log scale) σ is taken from two readings of one half of the
patients; the mean of k readings of the other half, used as a model, should then be off from a
further reading by σ√(1 + 1/k).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import annostat
from analysis.common import COLOURS, new_figure, save
from annostat.agreement import repeatability
from annostat.ceilings import bounds
from annostat.resampling import bootstrap, bootstrap_interval, cluster_codes
from annostat.truth import score_models

NOISE_SD, TRUTH_SD, N_TEST, FEATURES, WAVES = 4.0, 10.0, 1277, 6, 600


def truth_of(x: np.ndarray) -> np.ndarray:
    """Return the true value of items with features x, shape (n, 6): smooth, not linear."""
    wave = np.sin(1.5 * x[:, 0]) + x[:, 1] * x[:, 2] / 2 + np.tanh(x[:, 3] + x[:, 4]) + x[:, 5] / 3
    return 55 + TRUTH_SD * wave / 1.25


class Regression:
    """Ridge regression on random Fourier features, its penalty chosen on a fifth of the data."""

    def __init__(self, x: np.ndarray, z: np.ndarray, rng: np.random.Generator) -> None:
        self.waves = rng.normal(size=(FEATURES, WAVES)) / 2.5
        self.phase = rng.uniform(0, 2 * np.pi, WAVES)
        self.mean = float(z.mean())
        held = len(z) // 5
        h, y = self.features(x), z - self.mean
        found = [
            (float(((h[:held] @ solve(h[held:], y[held:], ridge) - y[:held]) ** 2).mean()), ridge)
            for ridge in (0.3, 3.0, 30.0, 300.0)
        ]
        self.weights = solve(h, y, min(found)[1])

    def features(self, x: np.ndarray) -> np.ndarray:
        """Return the features, shape (n, 600 + 6)."""
        return np.hstack([np.cos(x @ self.waves + self.phase), x])

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Return the predictions."""
        return np.asarray(self.mean + self.features(x) @ self.weights)


def solve(h: np.ndarray, y: np.ndarray, ridge: float) -> np.ndarray:
    """Return the ridge solution."""
    return np.asarray(np.linalg.solve(h.T @ h + ridge * np.eye(h.shape[1]), h.T @ y))


def simulated(*, seed: int, quick: bool) -> dict[str, Any]:
    """Train on more and more labels; return the prediction and what was reached."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(N_TEST, FEATURES))
    truth = truth_of(x)
    labels = truth[:, None] + rng.normal(0, NOISE_SD, (N_TEST, 2))
    rounds = annostat.Rounds.from_array(labels, names=["first", "second"], unit="points")
    predicted = bounds(rounds, rng=seed)
    models, actual = {}, {}
    for n in (100, 400) if quick else (100, 300, 1000, 3000, 10_000, 30_000):
        features = rng.normal(size=(n, FEATURES))
        z = truth_of(features) + rng.normal(0, NOISE_SD, n)
        models[str(n)] = Regression(features, z, rng)(x)
        actual[str(n)] = float(np.sqrt(((models[str(n)] - truth) ** 2).mean()))
    models["the truth itself"] = truth
    actual["the truth itself"] = 0.0
    scores = score_models(rounds, models, rng=seed)
    return {
        "rmse_floor": predicted.rmse_floor.to_dict(),
        "correlation_ceiling": predicted.correlation_ceiling.to_dict(),
        "reached": {
            m.name: {
                "rmse": m.rmse.to_dict(),
                "correlation": m.correlation.to_dict(),
                "true_rmse": m.true_rmse.to_dict(),
                "true_rmse_known": actual[m.name],
                "verdict": m.verdict.to_dict(),
            }
            for m in scores.models
        },
    }


def real(*, seed: int) -> dict[str, Any]:
    """Predict from two readings of one half of the patients; look at the other half."""
    rounds = annostat.datasets.lidc("diameter_mm")
    whole = rounds.take(np.isfinite(rounds.values).all(axis=1))
    whole = replace(whole, values=np.log(whole.values), unit="log mm")
    codes = cluster_codes(whole.cluster)
    first_half = codes % 2 == 0
    two = whole.take(first_half)
    two = replace(two, values=two.values[:, :2], names=two.names[:2])
    sigma = repeatability(two, rng=seed).noise_sd
    rest = whole.take(~first_half)
    groups = cluster_codes(rest.cluster)
    found = {}
    for k in (1, 2, 3):
        square = (rest.values[:, 3] - rest.values[:, :k].mean(axis=1)) ** 2
        draws = bootstrap(
            lambda w, s=square: np.sqrt(w @ s / w.sum(axis=1)),
            len(square),
            cluster=groups,
            rng=seed,
        )
        reached = float(np.sqrt(square.mean()))
        interval = bootstrap_interval(draws, reached)
        factor = float(np.sqrt(1 + 1 / k))
        estimate = annostat.Estimate(reached, float(draws.std()), interval, "log mm")
        found[str(k)] = {
            "predicted": {key: factor * sigma.to_dict()[key] for key in ("value", "low", "high")},
            "reached": estimate.to_dict(),
        }
    return {"noise_sd": sigma.to_dict(), "n_items": rest.n_items, "mean_of_k": found}


def main(out: Path, *, seed: int = 0, quick: bool = False) -> dict[str, Any]:
    """Write predictions beside what was reached."""
    numbers = {
        "kind": {"regression": "simulated", "readers": "real: LIDC-IDRI"},
        "regression": simulated(seed=seed, quick=quick),
        "readers": real(seed=seed),
    }
    figure, axes = new_figure(11, 4, 2)
    draw_regression(axes[0], numbers["regression"])
    for k, cell in numbers["readers"]["mean_of_k"].items():
        for shift, part, colour in (
            (-0.06, "predicted", COLOURS[2]),
            (0.06, "reached", COLOURS[0]),
        ):
            value = cell[part]
            spread = [[value["value"] - value["low"]], [value["high"] - value["value"]]]
            axes[1].errorbar(
                int(k) + shift,
                value["value"],
                yerr=spread,
                fmt="o",
                capsize=3,
                color=colour,
                label=part if k == "1" else None,
            )
    axes[1].set(xlabel="readers averaged, k", ylabel="RMSE against another reader (log mm)")
    axes[1].set(xticks=[1, 2, 3], ylim=(0, None))
    axes[1].set_title("Real: predicted on one half of the patients,\nreached on the other")
    axes[1].legend(frameon=False)
    save(out, "floor_regression", numbers, figure)
    return numbers


def draw_regression(ax: Any, numbers: dict[str, Any]) -> None:
    """Draw the scores over the number of training labels, with the predicted floor."""
    floor = numbers["rmse_floor"]
    ax.axhspan(floor["low"], floor["high"], color=COLOURS[2], alpha=0.2, lw=0)
    ax.axhline(floor["value"], color=COLOURS[2], ls="--", lw=1.2, label="floor, from two rounds")
    rows = {int(n): row for n, row in numbers["reached"].items() if n.isdigit()}
    sizes = np.array(list(rows))
    for key, colour, label in (
        ("rmse", COLOURS[1], "against one annotation"),
        ("true_rmse", COLOURS[0], "against the truth, from two rounds"),
    ):
        value, low, high = (
            np.array([row[key][k] for row in rows.values()], dtype=float)
            for k in ("value", "low", "high")
        )
        ax.errorbar(
            sizes,
            value,
            yerr=[value - low, high - value],
            fmt="o-",
            ms=5,
            capsize=2,
            color=colour,
            label=label,
        )
    known = [row["true_rmse_known"] for row in rows.values()]
    ax.plot(sizes, known, "x", ms=7, color="black", label="against the truth, known")
    ax.set(xscale="log", xlabel="training labels", ylabel="RMSE (points)", ylim=(0, None))
    ax.set_title("Simulated: a regression approaches its floor")
    ax.legend(frameon=False, fontsize=8)
