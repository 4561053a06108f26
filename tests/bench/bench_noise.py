"""Speed beside the plain alternative: python -m tests.bench.bench_noise.

Prints the median time of each and their ratio. Machines are noisy: read the ratios.
"""

import subprocess
import sys
import time

import numba as nb
import numpy as np
from scipy import optimize

from annostat import NoiseModel, Rounds, fit_noise
from annostat.noise import FAMILIES, kernels
from annostat.noise.fit import make_problem
from tests import naive


@nb.njit
def many_evaluations(fill, spec, u, data, grad, times):
    """Evaluate repeatedly without Python's cost of passing arguments."""
    total = 0.0
    for _ in range(times):
        total += kernels.evaluate(fill, spec, u, data, grad)
    return total


def median_seconds(function, repeats):
    """Return the median time of a call."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def main():
    """Run all and print a table."""
    law = NoiseModel("laplace", {"scale": 2.0}, "independent", 1 / 300, window=50)
    rounds = Rounds.from_array(law.sample_errors((1277, 2), rng=1))
    d = rounds.differences().astype(int)
    problem = make_problem(rounds, FAMILIES["laplace"], "independent", 50, False, False, None)
    u = np.array([np.log(2.0), 1 / 300])
    problem.support[:] = 50
    grad, data = np.zeros(2), problem.data(50)
    kernel = FAMILIES["laplace"].kernel

    def thousand():
        for _ in range(1000):
            kernels.evaluate(kernel, problem.spec, u, data, grad)

    ours = median_seconds(thousand, 9) / 1000
    inner = (
        median_seconds(lambda: many_evaluations(kernel, problem.spec, u, data, grad, 10000), 9)
        / 1e4
    )
    f = naive.laplace_uniform(2.0, 1 / 300, 50, reach=50)[1]
    plain = median_seconds(lambda: naive.log_likelihood(d, f), 99)
    print(f"likelihood and gradient, ±50:       {inner * 1e6:9.1f} µs")
    print(f"  called from Python:               {ours * 1e6:9.1f} µs")
    print(f"  likelihood by numpy.convolve:     {plain * 1e6:9.1f} µs   ratio {plain / inner:8.1f}")

    fit = fit_noise(rounds, "laplace", window=50, ci="none")
    ours = median_seconds(lambda: fit.bootstrap(n_resamples=2000, rng=0, n_jobs=2), 5)
    rng = np.random.default_rng(0)

    def one_plain_refit():
        sample = rng.choice(d, d.size)

        def minus(v):
            if not (0.05 < v[0] < 20 and 0 <= v[1] <= 0.5):
                return 1e9
            return -naive.log_likelihood(sample, naive.laplace_uniform(v[0], v[1], 50, 100)[1])

        optimize.minimize(minus, [2.0, 0.003], method="Nelder-Mead")

    plain = median_seconds(one_plain_refit, 9) * 2000
    print(f"2,000 refits, window given:         {ours:9.3f} s")
    print(f"  by scipy.optimize + convolve:     {plain:9.1f} s    ratio {plain / ours:8.0f}")
    profiled = fit_noise(rounds, "laplace", ci="none")
    ours = median_seconds(lambda: profiled.bootstrap(n_resamples=2000, rng=0, n_jobs=2), 3)
    print(f"2,000 refits, window refitted too:  {ours:9.3f} s")
    for words, command in (
        ("import annostat", [sys.executable, "-c", "import annostat"]),
        ("fit-afd --example lidc (cached)",
         [sys.executable, "-m", "annostat", "fit-afd", "--example", "lidc", "--json", "-"]),
    ):  # fmt: skip
        seconds = median_seconds(
            lambda command=command: subprocess.run(command, check=True, capture_output=True), 3
        )
        print(f"{words + ':':36s}{seconds:9.3f} s")


if __name__ == "__main__":
    main()
