"""Scores of models beside the same figures from SciPy; see docs/benchmarks.md."""

import numpy as np
import pytest
from scipy import stats

from annostat import Rounds, score_models

RESAMPLES = 2000


@pytest.fixture(scope="module")
def study():
    rng = np.random.default_rng(1)
    truth = rng.normal(55, 10, 1000)
    labels = truth[:, None] + rng.normal(0, 4, (1000, 2))
    return labels, {f"m{i}": truth + rng.normal(0, 1 + i, 1000) for i in range(3)}


@pytest.mark.benchmark(group="three models on 1,000 items, 2,000 resamples")
def bench_score_models(benchmark, study):
    labels, models = study
    rounds = Rounds.from_array(labels)
    benchmark(score_models, rounds, models, kind="values", n_resamples=RESAMPLES)


@pytest.mark.benchmark(group="three models on 1,000 items, 2,000 resamples")
def bench_plain_percentile_intervals(benchmark, study):
    """RMSE, MAE, r and R² of each model and three differences, SciPy's vectorised bootstrap."""
    labels, models = study
    z = labels.mean(axis=1)

    def mean_square(f, z, axis=-1):
        return np.mean((f - z) ** 2, axis=axis)

    def size(f, z, axis=-1):
        return np.mean(np.abs(f - z), axis=axis)

    def correlation(f, z, axis=-1):
        f, z = (v - v.mean(axis=axis, keepdims=True) for v in (f, z))
        return np.sum(f * z, axis=axis) / np.sqrt(np.sum(f**2, axis=axis) * np.sum(z**2, axis=axis))

    def r2(f, z, axis=-1):
        return 1 - mean_square(f, z, axis=axis) / np.var(z, axis=axis)

    def difference(f, g, z, axis=-1):
        return mean_square(f, z, axis=axis) - mean_square(g, z, axis=axis)

    options = {
        "paired": True,
        "n_resamples": RESAMPLES,
        "method": "percentile",
        "vectorized": True,
        "random_state": 0,
    }

    def plain():
        for f in models.values():
            for statistic in (mean_square, size, correlation, r2):
                stats.bootstrap((f, z), statistic, **options)
            stats.ttest_1samp((f - labels[:, 0]) * (f - labels[:, 1]), 0, alternative="greater")
        for a, b in (("m0", "m1"), ("m0", "m2"), ("m1", "m2")):
            stats.bootstrap((models[a], models[b], z), difference, **options)

    benchmark.pedantic(plain, rounds=3, iterations=1)
