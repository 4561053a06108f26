"""γ beside a NumPy double loop over pairs and reading the columns; see docs/benchmarks.md."""

import io
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from annostat import Rounds, simulate_masks
from annostat.interchange import interchange

MANY = 1_000_000


@pytest.fixture(scope="module")
def study():
    rng = np.random.default_rng(1)
    truth = rng.normal(55, 10, MANY)
    labels = truth[:, None] + rng.normal(0, 4, (MANY, 5))
    return labels.round(2), (truth + rng.normal(0, 3, MANY)).round(2)


def double_loop(z, f):
    """γ and its standard error over items, from all pairs of columns."""
    pairs = list(combinations(range(z.shape[1]), 2))
    to_model = np.mean([np.abs(f - z[:, j]) for j in range(z.shape[1])], axis=0)
    among = np.mean([np.abs(z[:, j] - z[:, k]) for j, k in pairs], axis=0)
    u = to_model - among
    return u.mean(), u.std(ddof=1) / len(u) ** 0.5


@pytest.mark.benchmark(group="γ of 10⁶ items × 5 readers, absolute")
def bench_interchange(benchmark, study):
    rounds = Rounds.from_array(study[0])
    found = benchmark.pedantic(
        interchange, (rounds, {"m": study[1]}), {"readers": "these"}, rounds=5, iterations=1
    )
    assert found.models[0].change.value == pytest.approx(double_loop(*study)[0])


@pytest.mark.benchmark(group="γ of 10⁶ items × 5 readers, absolute")
def bench_interchange_readers_sampled(benchmark, study):
    rounds = Rounds.from_array(study[0])
    benchmark.pedantic(interchange, (rounds, {"m": study[1]}), rounds=5, iterations=1)


@pytest.mark.benchmark(group="γ of 10⁶ items × 5 readers, absolute")
def bench_numpy_double_loop(benchmark, study):
    benchmark.pedantic(double_loop, study, rounds=5, iterations=1)


@pytest.mark.benchmark(group="γ of 10⁶ items × 5 readers, absolute")
def bench_reading_the_columns(benchmark, study):
    text = pd.DataFrame(np.column_stack(study)).to_csv(index=False)
    benchmark.pedantic(lambda: pd.read_csv(io.StringIO(text)), rounds=3, iterations=1)


@pytest.mark.benchmark(group="1 − Dice of 100 items × 4 readers, 112 × 112")
def bench_masks(benchmark):
    rounds, truth = simulate_masks(100, 4, noise_px=2.0, rng=1)
    benchmark(interchange, rounds, {"m": truth})


@pytest.mark.benchmark(group="1 − Dice of 100 items × 4 readers, 112 × 112")
def bench_masks_double_loop(benchmark):
    rounds, truth = simulate_masks(100, 4, noise_px=2.0, rng=1)
    values, model = rounds.values.astype(bool), np.asarray(truth).astype(bool)

    def loss(a, b):
        return 1 - 2 * (a & b).sum() / (a.sum() + b.sum())

    def loop():
        return np.mean(
            [
                np.mean([loss(model[i], v[i]) for v in values])
                - np.mean([loss(a[i], b[i]) for a, b in combinations(values, 2)])
                for i in range(100)
            ]
        )

    benchmark.pedantic(loop, rounds=3, iterations=1)
