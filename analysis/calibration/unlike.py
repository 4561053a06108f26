"""Concentration of unlike rounds and of clusters: ``python -m analysis.calibration.unlike``.

The law of a design names what noise there is: "first t3" is heavy-tailed in the round that the
errors are against and Gaussian in the other, "second t3" the other way round, "first skew" is
one-sided (exponential) in the first; in clusters the items of a patient share their difficulty (a
lognormal factor of 0.7).
"""

from __future__ import annotations

import numpy as np

from analysis.calibration.designs import Design
from analysis.calibration.outcomes import Outcome
from analysis.calibration.runner import command_of
from annostat import Rounds
from annostat.concentration import concentration

N_SIMULATED = 39
PLANTED = 8.0  # SDs by which a model is off on one item in twenty


def noise(design: Design, rng: np.random.Generator) -> tuple[np.ndarray, list[str]]:
    """Draw errors of two rounds, of SD 1, and the cluster of each item."""
    heavy = {"first t3": (0,), "second t3": (1,), "t3": (0, 1)}.get(design.law, ())
    errors = rng.normal(size=(design.n, 2))
    for j in heavy:
        errors[:, j] = rng.standard_t(3, design.n) / 3**0.5
    if design.law == "first skew":
        errors[:, 0] = rng.exponential(size=design.n) - 1
    if design.law == "laplace":
        errors = rng.laplace(size=errors.shape) / 2**0.5
    size = design.cluster_size
    patient = np.arange(design.n) // size
    if size > 1:
        factor = np.exp(rng.normal(0, 0.7, patient.max() + 1))
        errors *= factor[patient, None]
    return errors, [f"p{p}" for p in patient]


def unlike(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Test noise alone, and a planted excess; each of the two tests as well."""
    errors, patient = noise(design, rng)
    rounds = Rounds.from_array(100 + errors)
    outcomes = {}
    for name, step in (("noise alone", 0.0), ("5% planted", PLANTED)):
        model = errors[:, 0] + np.where(np.arange(design.n) < design.n / 20, step, 0.0)
        found = concentration(
            model,
            rounds=rounds,
            cluster=patient if design.cluster_size > 1 else None,
            n_resamples=N_SIMULATED,
            rng=rng,
        )
        assert found.excess is not None and found.excess.p_value_pairing is not None
        assert found.null is not None
        outcomes[f"test: excess, {name}"] = Outcome(found.excess.p_value <= 0.05)
        outcomes[f"test: paired anew, {name}"] = Outcome(found.excess.p_value_pairing <= 0.05)
        dealt = found.null.simulated.p_value(found.observed["worst_share"], -3)
        outcomes[f"dealt anew, {name}"] = Outcome(dealt <= 0.05)
        alike = next(c for c in found.checks if c.name == "rounds_alike")
        outcomes[f"test: rounds alike, {name}"] = Outcome(alike.passed is False)
        interval = found.excess.worst_share.interval
        outcomes[f"given: interval, {name}"] = Outcome(interval is not None)
        if interval is not None and not step:
            width = interval.high - interval.low
            outcomes["interval: excess of noise alone"] = Outcome(0.0 in interval, width)
    return outcomes


SUITES = {
    "unlike rounds": (
        unlike,
        [
            *(
                Design(n, law)
                for n in (50, 200, 1000)
                for law in ("gaussian", "laplace", "first t3", "second t3", "t3")
            ),
            *(Design(n, law, cluster_size=4) for n in (200, 1000) for law in ("gaussian", "t3")),
        ],
    ),
}


main = command_of(SUITES)

if __name__ == "__main__":
    main()
