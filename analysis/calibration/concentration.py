"""What `concentration` prints."""

from __future__ import annotations

import math

import numpy as np

import annostat
from analysis.calibration.designs import LAWS, Design
from analysis.calibration.outcomes import LEVEL, Outcome, held
from annostat.concentration import concentration, excess_by_swaps, law_half, law_share

N_SIMULATED = 39  # as the tests of `picks`: 5% is exact, a little power is lost
# Gini, share of the worst 15%, fraction that holds half: closed forms.
SHARES = {
    "gaussian": (2 / math.pi, float(law_share("gaussian", 0.15)), law_half("gaussian")),
    "laplace": (0.75, float(law_share("laplace", 0.15)), law_half("laplace")),
}


def concentrated(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Test whether errors sit on few items: noise alone, then with a planted excess."""
    truth = rng.normal(0, 11, design.n)
    labels = 4.0 * design.errors(rng)
    rounds = annostat.Rounds.from_array(truth[:, None] + labels)
    found = concentration(labels[:, 0], rounds=rounds, n_resamples=N_SIMULATED, rng=rng)
    assert found.excess is not None
    # One item in twenty, on which the model is off by eight scales of the noise.
    planted = labels[:, 0] + np.where(np.arange(design.n) < design.n / 20, 32.0, 0.0)
    worse = concentration(planted, rounds=rounds, n_resamples=N_SIMULATED, rng=rng)
    assert worse.excess is not None
    return {
        "test: excess of the worst 15%, noise alone": Outcome(found.excess.p_value <= 1 - LEVEL),
        "test: excess of the Gini, noise alone": Outcome(found.excess.p_value_gini <= 1 - LEVEL),
        "test: excess of the worst 15%, 5% planted": Outcome(worse.excess.p_value <= 1 - LEVEL),
        "interval: excess of the worst 15%": held_excess(found.excess.worst_share),
    }


def swapped(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Hold the exact test against a perfect model, a planted excess, and an even error."""
    truth = rng.normal(0, 11, design.n)
    rounds = annostat.Rounds.from_array(truth[:, None] + 4.0 * design.errors(rng))
    models = {
        "noise alone": truth,
        "5% planted": truth + np.where(np.arange(design.n) < design.n / 20, 16.0, 0.0),
        "an even error as large as the noise": truth + 4.0 * design.errors(rng)[:, 0],
    }
    return {
        f"test: swaps, {name}": Outcome(
            excess_by_swaps(model, rounds, n_resamples=199, rng=rng).p_value <= 1 - LEVEL
        )
        for name, model in models.items()
    }


def concentrated_elsewhere(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Test errors against noise that was fitted to as many other items."""
    rounds = annostat.Rounds.from_array(np.rint(2.0 * design.errors(rng)) + 100)
    fit = annostat.fit_noise(rounds, "symmetric-nb", ci="none")
    errors = np.rint(2.0 * design.errors(rng)[:, 0])
    found = concentration(errors, noise=fit, n_resamples=N_SIMULATED, rng=rng)
    assert found.excess is not None
    return {"test: excess, noise of other items": Outcome(found.excess.p_value <= 1 - LEVEL)}


def shares(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Hold the intervals of Gini, worst share and the half against those of the law."""
    found = concentration(design.errors(rng)[:, 0])
    gini, share, half = SHARES[design.law]
    outcomes = {
        "interval: Gini": held(found.gini, gini),
        "interval: worst 15%": held(found.worst_share, share),
        "interval: fraction that holds half": held(found.half_of_error, half),
    }
    # Where none is given, nothing is claimed: the coverage is of those that are.
    given = {k: v for k, v in outcomes.items() if not math.isnan(v.width)}
    return {**given, "given: interval of the worst 15%": Outcome(found.worst_share.low is not None)}


def held_excess(estimate: annostat.Estimate) -> Outcome:
    """Return whether an interval of the excess holds 0, what noise alone has."""
    interval = estimate.interval
    return Outcome(interval is not None and 0.0 in interval)


EXCESS_LAWS = LAWS[:3]
SUITES = {
    "concentration": (
        concentrated,
        [Design(n, law) for n in (200, 1277) for law in EXCESS_LAWS],
    ),
    "swaps": (
        swapped,
        [Design(n, law) for n in (50, 200, 1277) for law in (*EXCESS_LAWS, "shared difficulty")],
    ),
    "concentration, other items": (
        concentrated_elsewhere,
        [Design(n, law) for n in (200, 1277) for law in EXCESS_LAWS],
    ),
    "shares": (shares, [Design(n, law) for n in (50, 200, 1277) for law in SHARES]),
}
