"""Categories beside the plain alternatives; see docs/benchmarks.md for how to run it."""

import numpy as np
import pytest

from annostat.agreement import category_agreement
from annostat.ceilings.mixing import GAINS, Cells, Mixture
from annostat.labels import Categories


@pytest.fixture(scope="module")
def crowd():
    rng = np.random.default_rng(1)
    edges = rng.dirichlet([0.5] * 4, 100_000).cumsum(axis=1)
    codes = (rng.random((100_000, 10))[:, :, None] > edges[:, None, :]).sum(axis=2)
    return Categories(codes, tuple("abcd"), tuple(f"r{j}" for j in range(10)))


@pytest.mark.benchmark(group="agreement of 100,000 × 10 labels of 4 classes")
def bench_all_coefficients_with_intervals(benchmark, crowd):
    benchmark.pedantic(category_agreement, (crowd,), rounds=5, iterations=1)


@pytest.mark.benchmark(group="agreement of 100,000 × 10 labels of 4 classes")
def bench_alpha_alone_without_interval_krippendorff(benchmark, crowd):
    package = pytest.importorskip("krippendorff")
    data = crowd.codes.T.astype(float)

    def plain():
        return package.alpha(data, level_of_measurement="nominal")

    benchmark.pedantic(plain, rounds=3, iterations=1)


@pytest.mark.benchmark(group="agreement of 100,000 × 10 labels of 4 classes")
def bench_alpha_bootstrap_of_20_krippendorff(benchmark, crowd):
    """What an interval costs there: 20 replicates of the 2,000 that one would take."""
    package = pytest.importorskip("krippendorff")
    rng = np.random.default_rng(0)
    n = len(crowd.codes)

    def plain():
        for _ in range(20):
            data = crowd.codes[rng.integers(0, n, n)].T.astype(float)
            package.alpha(data, level_of_measurement="nominal")

    benchmark.pedantic(plain, rounds=1, iterations=1)


@pytest.mark.benchmark(group="limits of four ceilings, n = 1,000, k = 10")
def bench_ceilings(benchmark):
    rng = np.random.default_rng(0)
    yes = rng.binomial(10, rng.beta(0.3, 0.3, 1000))

    def limits():
        mixture = Mixture(Cells.of(yes, np.full(1000, 10)))
        for key in ("accuracy", "f1", "kappa", "balanced_accuracy"):
            mixture.limits(GAINS[key], 0.95)

    benchmark.pedantic(limits, rounds=3, iterations=1)
