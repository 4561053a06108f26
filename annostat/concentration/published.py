"""A law of the noise that was fitted elsewhere: only its numbers are known."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from annostat.errors import AnnostatError
from annostat.labels.rounds import Rounds
from annostat.noise.abandonment import ABANDONMENTS
from annostat.noise.model import NoiseModel
from annostat.noise.problem import make_problem
from annostat.noise.result import NoiseFit
from annostat.results.estimates import Estimate
from annostat.results.result import Provenance

N_WINDOWS = 6


@dataclass(frozen=True, eq=False)
class Fitted:
    """A law fitted to differences of other items.

    Attributes
    ----------
    fit : NoiseFit
    published : bool
        Whether only the law is known, and not the differences that it was fitted to.
    """

    fit: NoiseFit
    published: bool = False


def fit_of_model(model: NoiseModel, n_items: int, n_rounds: int) -> Fitted:
    """Return a published fit in the form that can be simulated and fitted again."""
    rounds = Rounds.from_array(model.sample_errors((max(n_items, 3), n_rounds), rng=0))
    window = window_of(model) if model.way.rated else "auto"
    problem = make_problem(rounds, model.family, model.way, window, False, False, None)
    windows = problem.windows
    if windows.size:
        near = np.geomspace(max(window_of(model) / 2, 1), 2 * window_of(model), N_WINDOWS - 1)
        windows = np.unique(np.append(np.rint(near).astype(np.int64), window_of(model)))
    u = np.log(model.theta)
    if problem.rated:
        u = np.append(u, model.rate)
    problem = replace(problem, windows=windows).with_support(u, 1.5)
    nothing = Estimate(math.nan, note="as published")
    fit = NoiseFit(
        model=model,
        log_likelihood=math.nan,
        n_parameters=u.size,
        mae=nothing,
        abandonment_rate=nothing,
        parameters={},
        converged=True,
        notes=(),
        window_profile=(windows, np.zeros(0), np.zeros(0)),
        provenance=Provenance("", "", n_items),
        problem=problem,
        solution=u,
    )
    return Fitted(fit, published=True)


def window_of(model: NoiseModel) -> int:
    """Return the window of a model that has one."""
    if model.window is None:
        raise AnnostatError("noise: a law with each clip's length has no window of its own")
    return model.window


def model_of_json(entry: dict[str, object]) -> NoiseModel:
    """Return the law of one entry of `models` in the JSON of `annostat fit-afd`."""
    try:
        parameters = {k: float(v["value"]) for k, v in entry["parameters"].items()}  # type: ignore[attr-defined]
        rate = float(entry["abandonment_rate"]["value"] or 0.0)  # type: ignore[index]
        kind, window = str(entry["abandonment"]), entry["window"]
        core = str(entry["core"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise AnnostatError(
            f"noise: this is not a model of `annostat fit-afd --json` ({error!r} is missing)"
        ) from None
    if kind not in ABANDONMENTS:
        raise AnnostatError(f"noise: abandonment must be one of {', '.join(ABANDONMENTS)}")
    rated = ABANDONMENTS[kind].rated
    if window == "length":
        raise AnnostatError(
            "noise: a law with a window for each clip's length cannot be simulated here; "
            "run fit-afd with --window auto"
        )
    if rated and not isinstance(window, int):
        raise AnnostatError("noise: the model has abandonment but no window")
    width = int(window) if rated and isinstance(window, int) else None
    return NoiseModel(core, parameters, kind, rate, window=width)
