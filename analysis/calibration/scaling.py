"""What `scaling` prints."""

from __future__ import annotations

import numpy as np

from analysis.calibration.designs import Design
from analysis.calibration.outcomes import Outcome, held
from annostat.scaling import compare_scaling

# Laws of loss against size: the truth, the relative noise, and what is said of the floor.
SCALING = {
    f"{law}, {noise:.0%}": (law, noise)
    for law in (
        "power",
        "floor",
        "known floor",
        "floor within 5%",
        "floor within 10%",
        "floor 10% too high",
        "hinge",
        "broken",
        "floor, t3 and Huber",
    )
    for noise in (0.02, 0.05)
}
ASKED = {
    "power": "power",
    "floor": "power_floor",
    "hinge": "hinge",
    "broken": "broken",
    "floor, t3 and Huber": "power_floor",
}


def scaling_series(
    design: Design, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """Draw a series of `design.n` sizes over three decades, and say what it was made from.

    Exponent 0.35; the floor is 40% of the loss of the smallest model, or the hinge a fifth of the
    way (in log size) beyond the middle.
    """
    law, noise = SCALING[design.law]
    one = np.geomspace(1e4, 1e7, design.n)
    size = np.repeat(one, design.rounds)
    rate = 0.35
    truth = {"exponent": rate}
    if law == "power":
        loss = (size / one[0]) ** -rate
    elif law == "hinge":
        truth["hinge"] = 1e4 * 1e3**0.6
        truth["floor"] = (truth["hinge"] / one[0]) ** -rate
        loss = (np.minimum(size, truth["hinge"]) / one[0]) ** -rate
    elif law == "broken":
        truth |= {"hinge": 1e4 * 1e3**0.5, "second_exponent": 0.1}
        bend = (1 + (size / truth["hinge"]) ** 2) ** ((rate - 0.1) / 2)
        loss = (size / one[0]) ** -rate * bend
    else:
        truth |= {"floor": 0.4, "n_half": one[0] * (0.6 / 0.4) ** (1 / rate)}
        loss = 0.4 + 0.6 * (size / one[0]) ** -rate
    error = rng.standard_t(3, size.size) if "t3" in law else rng.normal(size=size.size)
    return size, loss * np.exp(noise * error), truth


def scaling(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Fit the law that made the series: the intervals of everything it says."""
    size, loss, truth = scaling_series(design, rng)
    law = SCALING[design.law][0]
    options: dict[str, object] = {"laws": [ASKED.get(law, "power_given_floor")]}
    if law in ("known floor", "floor 10% too high"):
        options["floor"] = 0.44 if "high" in law else 0.4
    elif "within" in law:
        se = 0.4 * (0.1 if "10%" in law else 0.05)
        options |= {"floor": 0.4 + se * rng.normal(), "floor_se": se}
    elif "Huber" in law:
        options["robust"] = True
    result = compare_scaling(size, loss, **options)
    found = {"naive slope": held(result.log_slope, truth["exponent"])}
    for name, value in truth.items():
        estimate = getattr(result.best, name)
        if estimate.interval is not None:
            found[name] = held(estimate, value)
    return {f"interval: {name}": outcome for name, outcome in found.items()}


def scaling_choice(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Which law AICc picks."""
    size, loss, _ = scaling_series(design, rng)
    result = compare_scaling(size, loss)
    return {f"choice: {law}": Outcome(result.best.name == law) for law in LAWS_TRIED}


LAWS_TRIED = ("power", "power_floor", "hinge", "broken")
SUITES = {
    "scaling": (
        scaling,
        [
            Design(n, f"{law}, {noise}", rounds=seeds)
            for law in ("hinge", "power", "floor")
            for noise in ("2%", "5%")
            for n, seeds in ((8, 1), (12, 1), (12, 3))
        ]
        + [
            Design(12, f"{law}, 2%")
            for law in ("known floor", "floor within 5%", "floor within 10%", "floor 10% too high")
        ]
        + [Design(12, "floor, t3 and Huber, 2%"), Design(12, "broken, 2%", rounds=3)],
    ),
    "scaling choice": (
        scaling_choice,
        [Design(12, f"{law}, 2%", rounds=3) for law in ("power", "floor", "hinge", "broken")],
    ),
}
