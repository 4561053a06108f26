"""Values beside the plain alternatives; see docs/benchmarks.md for how to run it."""

import subprocess
import sys
import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from annostat import Rounds, agreement
from annostat.resampling.sums import Sums

REPLICATES = 10_000


@pytest.fixture(scope="module")
def table():
    g = np.random.default_rng(1)
    return g.normal(0, 2, (10_000, 1)) + g.normal(0, 1, 4) + g.normal(0, 1, (10_000, 4))


@pytest.mark.benchmark(group="six ICCs with F intervals, 10,000 × 4")
def bench_icc(benchmark, table):
    rounds = Rounds.from_array(table)
    benchmark(agreement.icc, rounds, interval="f")  # as pingouin's are


@pytest.mark.benchmark(group="six ICCs with F intervals, 10,000 × 4")
def bench_icc_pingouin(benchmark, table):
    pingouin = pytest.importorskip("pingouin")
    long = pd.DataFrame(table).melt(ignore_index=False, var_name="rater").reset_index(names="item")

    def plain():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pingouin.intraclass_corr(long, targets="item", raters="rater", ratings="value")

    benchmark.pedantic(plain, rounds=3, iterations=1)


@pytest.fixture(scope="module")
def errors():
    return np.random.default_rng(1).laplace(0, 3, 1000)


def log_rmse(t):
    """Return ln RMSE from the number of items and the sum of their squared errors."""
    return 0.5 * np.log(t[..., 1] / t[..., 0])


@pytest.mark.benchmark(group="10,000 replicates of an RMSE, n = 1,000")
@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("method", ["bootstrap-t", "bca"])
def bench_rmse(benchmark, errors, method, n_jobs):
    sums = Sums.of(np.column_stack([np.ones_like(errors), errors**2]))
    benchmark(sums.interval, log_rmse, method=method, n_resamples=REPLICATES, n_jobs=n_jobs)


@pytest.mark.benchmark(group="10,000 replicates of an RMSE, n = 1,000")
def bench_rmse_scipy_bca(benchmark, errors):
    def plain():
        stats.bootstrap(
            (errors,),
            lambda e, axis=-1: np.sqrt(np.mean(e**2, axis=axis)),
            n_resamples=REPLICATES,
            method="BCa",
            batch=1000,
            rng=np.random.default_rng(0),
        )

    benchmark.pedantic(plain, rounds=3, iterations=1)


@pytest.mark.benchmark(group="peak memory of the replicates, MB in extra_info")
@pytest.mark.parametrize("n_resamples", [1_000, 10_000, 100_000])
def bench_memory(benchmark, errors, n_resamples):
    sums = Sums.of(np.column_stack([np.ones_like(errors), errors**2]))

    def peak():
        tracemalloc.start()
        sums.interval(log_rmse, n_resamples=n_resamples)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    benchmark.extra_info["peak_mb"] = benchmark.pedantic(peak, rounds=1, iterations=1) / 1e6
    print(f"{n_resamples:,} replicates: peak {benchmark.extra_info['peak_mb']:.1f} MB")


@pytest.mark.benchmark(group="start-up of bounds")
@pytest.mark.parametrize(
    "arguments",
    [["--sd", "5.7"], ["--example", "lidc-diameter", "--json", "-"]],
    ids=["published numbers", "lidc-diameter"],
)
def bench_start(benchmark, arguments):
    command = [sys.executable, "-m", "annostat", "bounds", *arguments]

    def start():
        subprocess.run(command, check=True, capture_output=True)

    benchmark.pedantic(start, rounds=3, warmup_rounds=1, iterations=1)
