"""The noise of picks beside the plain alternative; see docs/benchmarks.md for how to run it."""

import subprocess
import sys

import numba as nb
import numpy as np
import pytest
from scipy import optimize

from annostat import NoiseModel, Rounds, fit_noise
from annostat.noise import FAMILIES, kernels
from annostat.noise.problem import make_problem
from tests import naive

REFITS = 2000


@nb.njit
def evaluations(like, fill, spec, u, data, grad, times):
    """Evaluate repeatedly without Python's cost of passing arguments."""
    total = 0.0
    for _ in range(times):
        total += like(fill, spec, u, data, grad)
    return total


@pytest.fixture(scope="module")
def rounds():
    law = NoiseModel("laplace", {"scale": 2.0}, "independent", 1 / 300, window=50)
    return Rounds.from_array(law.sample_errors((1277, 2), rng=1))


@pytest.fixture(scope="module")
def point(rounds):
    problem = make_problem(rounds, FAMILIES["laplace"], "independent", 50, False, False, None)
    problem.support[:] = 50
    u, grad = np.array([np.log(2.0), 1 / 300]), np.zeros(2)
    return FAMILIES["laplace"].kernel, problem.spec, u, problem.data(50), grad


@pytest.mark.benchmark(group="1,000 × likelihood and gradient, support ±50")
def bench_compiled(benchmark, point):
    benchmark(evaluations, kernels.evaluate.compiled, *point, 1000)


@pytest.mark.benchmark(group="1,000 × likelihood and gradient, support ±50")
def bench_called_from_python(benchmark, point):
    benchmark(lambda: [kernels.evaluate(*point) for _ in range(1000)])


@pytest.mark.benchmark(group="1,000 × likelihood and gradient, support ±50")
def bench_plain_likelihood_without_gradient(benchmark, rounds):
    d = rounds.differences().astype(int)
    f = naive.laplace_uniform(2.0, 1 / 300, 50, reach=50)[1]
    benchmark(lambda: [naive.log_likelihood(d, f) for _ in range(1000)])


@pytest.mark.benchmark(group="refits of Laplace + uniform on 1,277 pairs, time of 2,000")
@pytest.mark.parametrize("window", [50, "auto"])
def bench_refits(benchmark, rounds, window):
    fit = fit_noise(rounds, "laplace", window=window, ci="none")
    benchmark(fit.bootstrap, n_resamples=REFITS, rng=0, n_jobs=2)


def plain_refits(rounds, windows):
    """Refit as a notebook would: Nelder-Mead on numpy.convolve, for each window."""
    d = rounds.differences().astype(int)
    rng = np.random.default_rng(0)

    def refit():
        sample = rng.choice(d, d.size)
        for window in windows:

            def minus(v, window=window):
                if not (0.05 < v[0] < 20 and 0 <= v[1] <= 0.5):
                    return 1e9
                f = naive.laplace_uniform(v[0], v[1], window, window + 50)[1]
                return -naive.log_likelihood(sample, f)

            optimize.minimize(minus, [2.0, 0.003], method="Nelder-Mead")

    return refit


@pytest.mark.benchmark(group="refits of Laplace + uniform on 1,277 pairs, time of 2,000")
@pytest.mark.parametrize("window", [50, "auto"])
def bench_plain_refits_times_100(benchmark, rounds, window):
    """Time 20 plain refits: multiply by 100."""
    fit = fit_noise(rounds, "laplace", ci="none")
    # As many windows as a window that is profiled tries, at least.
    windows = [50] if window == 50 else fit.window_profile[0][::4]
    refit = plain_refits(rounds, windows)
    benchmark.pedantic(lambda: [refit() for _ in range(20)], rounds=3, iterations=1)


@pytest.mark.benchmark(group="start-up")
@pytest.mark.parametrize(
    "command",
    [
        ["-c", "pass"],
        ["-c", "import annostat"],
        ["-c", "import scipy.stats"],
        ["-m", "annostat", "fit-afd", "--example", "lidc", "--json", "-"],
    ],
    ids=["python", "import annostat", "import scipy.stats", "fit-afd --example lidc"],
)
def bench_start(benchmark, command):
    def start():
        subprocess.run([sys.executable, *command], check=True, capture_output=True)

    benchmark.pedantic(start, rounds=3, warmup_rounds=1, iterations=1)
