"""Coverage of the interval of E|X|: python -m analysis.coverage [--quick] [--out FILE].

The paper's situation: 1,277 items, discrete Laplace with E|X| about 2.0 or 2.4 in all, ε = 1/300,
W = 50, the window profiled. Prints a table; each row is one setting.
"""

from __future__ import annotations

import argparse
import json
import math

import numpy as np

from annostat import NoiseModel, Rounds, fit_noise
from annostat.files import write_text
from annostat.resampling import map_parallel, spawn


def study(n: int, mae: float, rate: float, repetitions: int, *, seed: int, n_jobs: int) -> dict:
    """Simulate, fit, and count how often the interval holds the truth."""
    kind = "independent" if rate > 0 else "none"
    law = NoiseModel.with_mae("laplace", mae, abandonment=kind, abandonment_rate=rate, window=50)

    def one(rng: np.random.Generator) -> tuple[bool, float, float]:
        rounds = Rounds.from_array(law.sample_errors((n, 2), rng=rng))
        estimate = fit_noise(rounds, "laplace").mae
        return law.mae in estimate.interval, estimate.value, estimate.high - estimate.low

    rows = map_parallel(one, spawn(seed, repetitions), n_jobs=n_jobs)
    hits, values, widths = (np.array(column) for column in zip(*rows, strict=True))
    share = float(hits.mean())
    return {
        "n": n,
        "mae": round(law.mae, 4),
        "abandonment_rate": round(rate, 5),
        "repetitions": repetitions,
        "coverage": share,
        "coverage_se": math.sqrt(share * (1 - share) / repetitions),
        "bias_percent": 100 * float(values.mean() / law.mae - 1),
        "relative_width_percent": 100 * float(np.median(widths)) / law.mae,
    }


def main(out: str | None, *, repetitions: int, seed: int, n_jobs: int) -> list[dict]:
    """Run the grid and print it."""
    table = []
    print("    n   mae      ε  coverage (se)   bias %  width %")
    for n in (300, 1277):
        for mae in (2.0, 2.4):
            for rate in (0.0, 1 / 300):
                row = study(n, mae, rate, repetitions, seed=seed, n_jobs=n_jobs)
                table.append(row)
                print(
                    f"{n:5d} {row['mae']:5.2f} {rate:.4f}  {row['coverage']:.3f} "
                    f"({row['coverage_se']:.3f})  {row['bias_percent']:7.2f} "
                    f"{row['relative_width_percent']:8.1f}",
                    flush=True,
                )
    if out:
        write_text(out, json.dumps(table, indent=1) + "\n")
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few repetitions only")
    parser.add_argument("--repetitions", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--n-jobs", type=int, default=-1)
    parser.add_argument("--out")
    given = parser.parse_args()
    count = 20 if given.quick else given.repetitions
    main(given.out, repetitions=count, seed=given.seed, n_jobs=given.n_jobs)
