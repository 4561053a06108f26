"""Concentration curves with the band of noise beside plain NumPy; see docs/benchmarks.md."""

import numpy as np
import pytest

from annostat import NoiseModel, Rounds
from annostat.concentration import concentration

N, SETS = 10_000, 2000
GROUP = f"curve of {N:,} items with a band of {SETS:,} simulated sets"


@pytest.fixture(scope="module")
def errors():
    return np.random.default_rng(1).laplace(size=N)


@pytest.mark.benchmark(group=GROUP)
@pytest.mark.parametrize("law", ["laplace", NoiseModel("laplace", {"scale": 2.0})], ids=str)
def bench_band(benchmark, errors, law):
    benchmark.pedantic(lambda: concentration(errors, noise=law, n_resamples=SETS), rounds=5)


@pytest.mark.benchmark(group=GROUP)
def bench_plain_band(benchmark, errors):
    """Draw, sort and add up each set, as a notebook would."""

    def band():
        rng = np.random.default_rng(0)
        at = (np.linspace(0, 1, 201) ** 2 * (N - 1)).astype(int)
        curves = np.empty((SETS, at.size))
        for b in range(SETS):
            x = np.sort(rng.laplace(size=N) ** 2)[::-1].cumsum()
            curves[b] = x[at] / x[-1]
        observed = np.sort(errors**2)[::-1].cumsum()
        return observed[at] / observed[-1], np.quantile(curves, [0.025, 0.975], axis=0)

    benchmark.pedantic(band, rounds=3)


@pytest.mark.benchmark(group="verdict on 1,277 items, law fitted again to 499 simulated sets")
def bench_refits(benchmark):
    rng = np.random.default_rng(2)
    noise = rng.laplace(0, 4, (1277, 2))
    rounds = Rounds.from_array(noise + 50)
    benchmark.pedantic(lambda: concentration(noise[:, 0], rounds=rounds), rounds=3)
