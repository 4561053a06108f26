"""Raters who differ, beside statsmodels' mixed model; see docs/benchmarks.md for how to run it."""

import warnings

import numpy as np
import pandas as pd
import pytest

from annostat import Rounds, agreement

SIZES = [(100, 3), (1_000, 3), (1_000, 6)]


@pytest.fixture(scope="module", params=SIZES, ids=[f"{n} × {k}" for n, k in SIZES])
def table(request):
    n, k = request.param
    g = np.random.default_rng(1)
    return g.normal(50, 10, (n, 1)) + g.normal(0, 1, k) + g.normal(0, 2, (n, k))


@pytest.mark.benchmark(group="raters as effects, items as random ones")
def bench_hierarchy(benchmark, table):
    """Bias and noise of each rater, of a new one, floors and checks."""
    benchmark(agreement.hierarchy, Rounds.from_array(table))


@pytest.mark.benchmark(group="raters as effects, items as random ones")
def bench_mixedlm(benchmark, table):
    """Biases and two variances by REML, one noise for all raters."""
    formula = pytest.importorskip("statsmodels.formula.api")
    long = pd.DataFrame(table).melt(ignore_index=False, var_name="rater").reset_index(names="item")

    def plain():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return formula.mixedlm("value ~ C(rater)", long, groups=long["item"]).fit(reml=True)

    noise = agreement.repeatability(Rounds.from_array(table)).noise_sd.value
    assert plain().scale ** 0.5 == pytest.approx(noise, rel=0.01)
    benchmark.pedantic(plain, rounds=3, iterations=1)
