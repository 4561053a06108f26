"""Scaling laws of few sizes: ``python -m analysis.calibration.sizes``.

The law of a design names the truth, its relative noise, and over how many decades of size:
"floor 40%, 2%, 3 decades". Counted are the union of the laws that are not refuted, and the
interval of the law of least AICc, which was the headline before.
"""

from __future__ import annotations

import numpy as np

from analysis.calibration.designs import Design
from analysis.calibration.outcomes import Outcome, held
from analysis.calibration.runner import command_of
from annostat import Estimate
from annostat.scaling import compare_scaling

RATE = 0.35


def series(
    design: Design, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """Draw losses of `design.n` sizes, `design.rounds` seeds of each, and their truth."""
    law, noise, decades = (part.strip() for part in design.law.split(","))
    one = np.geomspace(1e4, 1e4 * 10.0 ** float(decades.split()[0]), design.n)
    size = np.repeat(one, design.rounds)
    ratio = size / one[0]
    if law == "hinge":
        knee = (one[-1] / one[0]) ** 0.6
        floor = knee**-RATE
        loss = np.minimum(ratio, knee) ** -RATE
    else:
        floor = float(law.split()[1].strip("%")) / 100 if law.startswith("floor") else 0.0
        loss = floor + (1 - floor) * ratio**-RATE
    error = float(noise.strip("%")) / 100 * rng.normal(size=size.size)
    return size, loss * np.exp(error), {"exponent": RATE, "floor": floor}


def few_sizes(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Exponent and floor over the laws that are not refuted, and by the law of least AICc."""
    size, loss, truth = series(design, rng)
    found = compare_scaling(size, loss)
    least = min(found.fits, key=lambda f: f.aicc if np.isfinite(f.aicc) else np.inf)
    outcomes = {f"interval: {k}": _held(getattr(found.together, k), v) for k, v in truth.items()}
    outcomes["least AICc: exponent"] = held(least.exponent, truth["exponent"])
    name = design.law.split(",")[0].split()[0]
    own = {"floor": "power_floor"}.get(name, name)
    outcomes["kept: the law that made it"] = Outcome(own in found.together.laws)
    return outcomes


def _held(estimate: Estimate, truth: float) -> Outcome:
    """Return `held`; of a floor that is 0 the width is not relative."""
    interval = estimate.interval
    if truth or interval is None:
        return held(estimate, truth)
    return Outcome(truth in interval, interval.high - interval.low)


SUITES = {
    "few sizes": (
        few_sizes,
        [
            Design(n, f"{law}, {noise}, {decades} decades", 1)
            for n in (5, 6, 8, 12)
            for law in ("power", "floor 20%", "floor 40%", "hinge")
            for noise in ("2%", "5%")
            for decades in (2, 3)
        ],
    ),
}


main = command_of(SUITES)

if __name__ == "__main__":
    main()
