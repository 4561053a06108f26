"""What pure annotation noise alone would give, and whether a curve exceeds it.

The statistic is T = S(p; errors) − S(p; law fitted to the differences between two rounds). The
law of the noise is found by deconvolution, never read off the differences themselves, whose
tails are lighter. T is then simulated under the fitted law, each time with the law fitted again,
so that the uncertainty of the law is in the null and the small-sample bias of S is in both.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from annostat.concentration.curve import Curve
from annostat.concentration.laws import Gaussians, Lattice, Law, step_losses
from annostat.errors import AnnostatError
from annostat.estimates import Estimate, Provenance
from annostat.noise.cells import Cells
from annostat.noise.families import get_family
from annostat.noise.fit import NoiseFit, Problem, SimulatedSets, fit_problem, make_problem
from annostat.noise.model import ABANDONMENT, NoiseModel
from annostat.resampling import Progress, as_generator
from annostat.rounds import Rounds

FloatArray = NDArray[np.float64]
CORE = "symmetric-nb"  # nests Laplace (r = 1) and, as r grows, Gaussian
PER_DIFFERENCE = 4.0  # steps of the lattice in the median difference of real values
WHOLE_MEDIAN = 25.0  # whole numbers whose median difference is beyond are put on that lattice too
WIDEST = 2000  # steps in the widest difference, at most
N_WINDOWS = 6
BLOCK = 1 << 21  # draws held at once


@dataclass(frozen=True, eq=False)
class Simulated:
    """Curves of simulated noise, each less the curve of the law fitted to it.

    Attributes
    ----------
    grid : float64 array of shape (g,)
        Fractions of the items; the last is `top`.
    law : float64 array of shape (g + 2,)
        The fitted law's shares at the grid, its Gini, and the fraction that holds half.
    gaps : float64 array of shape (n_simulated, g + 2)
        T of each simulated set: its own less those of the law fitted to it.
    laws : float64 array of shape (n_simulated, g + 2)
        Those of the laws fitted to the simulated sets.
    """

    grid: FloatArray
    law: FloatArray
    gaps: FloatArray
    laws: FloatArray

    @property
    def expected(self) -> FloatArray:
        """What noise gives on average at this number of items."""
        return np.asarray(np.clip(self.law + self.gaps.mean(axis=0), 0.0, 1.0))

    def band(self, level: float) -> tuple[FloatArray, FloatArray]:
        """Return the central limits of what noise gives, within 0 and 1."""
        limits = np.quantile(self.gaps, [(1 - level) / 2, (1 + level) / 2], axis=0)
        low, high = np.clip(self.law + limits, 0.0, 1.0)
        return low, high

    def p_value(self, observed: float, which: int) -> float:
        """Return the one-sided p of an observed number: how often noise exceeds as much."""
        gap = observed - self.law[which]
        beyond = int((self.gaps[:, which] >= gap - 1e-12).sum())
        return (1 + beyond) / (1 + len(self.gaps))


@dataclass(frozen=True, eq=False)
class Fitted:
    """A law fitted to differences, and how its data came about.

    Attributes
    ----------
    fit : NoiseFit
        On a lattice of `step` units.
    step : float
    paired : bool array of shape (n,) or None
        Which items have both rounds, if the rounds are those of the same items as the errors;
        None if the law was fitted to other items.
    """

    fit: NoiseFit
    step: float = 1.0
    paired: NDArray[np.bool_] | None = None


def fit_pairs(first: FloatArray, second: FloatArray) -> Fitted:
    """Fit the law of one label to two rounds of the errors' own items; NaN where one is missing."""
    difference = second - first
    paired = np.isfinite(difference)
    d = np.abs(difference[paired])
    if d.size < 3:
        raise AnnostatError(f"rounds: three or more items need both labels, got {d.size}")
    if not d.any():
        raise AnnostatError("rounds: all pairs of labels are equal, so there is no noise to expect")
    both = np.concatenate([first[paired], second[paired]])
    middle = float(np.median(d[d > 0]))
    whole = bool((both == np.round(both)).all()) and middle <= WHOLE_MEDIAN
    step = 1.0 if whole else middle / PER_DIFFERENCE
    step = max(step, float(d.max()) / WIDEST)
    steps = np.rint(d / step)
    rounds = Rounds.from_array(np.column_stack([np.zeros_like(steps), steps]))
    problem = make_problem(rounds, get_family(CORE), "independent", "auto", False, False, None)
    chosen = np.geomspace(problem.windows[0], problem.windows[-1], N_WINDOWS)
    problem = replace(problem, windows=np.unique(np.rint(chosen).astype(np.int64)))
    return Fitted(fit_problem(problem, interval=False, refine=False), step, paired)


def fit_of_model(model: NoiseModel, n_items: int, n_rounds: int) -> Fitted:
    """Return a published fit in the form that can be simulated and fitted again."""
    rounds = Rounds.from_array(model.sample_errors((max(n_items, 3), n_rounds), rng=0))
    kind = model.abandonment
    window = model.window or 1 if kind != "none" else "auto"
    problem = make_problem(rounds, model.family, kind, window, False, False, None)
    windows = problem.windows
    if windows.size:
        near = np.geomspace(max(window_of(model) / 2, 1), 2 * window_of(model), N_WINDOWS - 1)
        windows = np.unique(np.append(np.rint(near).astype(np.int64), window_of(model)))
    u = np.log(model.theta)
    if problem.kind:
        u = np.append(u, model.rate)
    problem = replace(problem, windows=windows).with_support(u, 1.5)
    nothing = Estimate(math.nan, note="as published")
    fit = NoiseFit(
        model=model, log_likelihood=math.nan, n_parameters=u.size, mae=nothing,
        abandonment_rate=nothing, parameters={}, converged=True, notes=(),
        window_profile=(windows, np.zeros(0), np.zeros(0)),
        provenance=Provenance("", "", n_items), problem=problem, solution=u,
    )  # fmt: skip
    return Fitted(fit)


def window_of(model: NoiseModel) -> int:
    """Return the window of a model that has one."""
    if model.window is None:
        raise AnnostatError("a law with a window for each clip's length cannot be simulated here; "
                            "fit it with a single window")  # fmt: skip
    return model.window


def simulate(
    source: Fitted | Law,
    n: int,
    *,
    loss: str,
    grid: FloatArray,
    weights: FloatArray | None,
    n_simulated: int,
    rng: np.random.Generator,
    n_jobs: int | None,
    progress: Progress | None = None,
) -> Simulated:
    """Simulate the curve of pure noise on n items."""
    if not isinstance(source, Fitted):
        lattice = Lattice.of(source)
        law = summary(lattice.curve(loss), grid)
        counts = draw_counts(lattice, n, weights, n_simulated, rng)
        curves = summaries(step_losses(counts.shape[1], loss), counts, grid)
        return Simulated(grid, law, curves - law, np.broadcast_to(law, curves.shape))
    fit = source.fit
    lattice = Lattice.of(fit.model)
    if source.paired is None:
        sets = SimulatedSets(fit, n_simulated, rng)
        problem, counts = sets.problem, sets.counts
        errors = draw_counts(lattice, n, weights, n_simulated, rng)
    else:
        errors, counts = draw_pairs(fit.model, n, source.paired, weights, n_simulated, rng)
        problem = every_difference(fit.problem, counts.shape[1])
    refits = fit.refit(
        lambda numbers, _: counts[numbers.start : numbers.stop],
        n_simulated, rng=0, n_jobs=n_jobs, problem=problem, progress=progress,
    )  # fmt: skip
    laws = np.array(
        [summary(refitted(fit, row).curve(loss), grid) for row in refits.to_dict("records")]
    )
    curves = summaries(step_losses(errors.shape[1], loss), errors, grid)
    return Simulated(grid, summary(lattice.curve(loss), grid), curves - laws, laws)


def refitted(fit: NoiseFit, row: dict[Hashable, float]) -> Lattice:
    """Return the law of one refit; its support is that of the fit, which spares the search."""
    problem = fit.problem
    theta = np.array([row[p.name] for p in problem.family.parameters])
    core = problem.family.pmf(theta, int(problem.support.max()))
    wide = int(row["window"]) if problem.kind else 0
    rate = row["abandonment_rate"]
    half = np.zeros(max(core.size, wide + 1))
    half[: core.size] += (1 - rate) * core
    half[: wide + 1] += rate / (2 * wide + 1)
    return Lattice.of_half(half)


def summary(curve: Curve, grid: FloatArray) -> FloatArray:
    """Return the shares at the grid, the Gini, and the fraction that holds half."""
    return np.concatenate([curve.share(grid), [curve.gini, curve.fraction(0.5)]])


def summaries(values: FloatArray, mass: FloatArray, grid: FloatArray) -> FloatArray:
    """Return `summary` of many curves over the same ascending losses, shape (b, g + 2)."""
    w = mass[:, ::-1]
    m = np.zeros((len(w), w.shape[1] + 1))
    t = np.zeros_like(m)
    np.cumsum(w, axis=1, out=m[:, 1:])
    np.cumsum(w * values[::-1], axis=1, out=t[:, 1:])
    if not (t[:, -1] > 0).all():
        raise AnnostatError(
            "the noise is so small that simulated errors are all zero: nothing can be compared"
        )
    found = np.empty((len(w), grid.size + 2))
    for b in range(len(w)):
        found[b, :-2] = np.interp(grid * m[b, -1], m[b], t[b]) / t[b, -1]
        found[b, -1] = np.interp(0.5 * t[b, -1], t[b], m[b]) / m[b, -1]
    area = np.einsum("ij,ij->i", t[:, 1:] + t[:, :-1], w)
    found[:, -2] = area / (t[:, -1] * m[:, -1]) - 1.0
    return found


def draw_counts(
    lattice: Lattice,
    n: int,
    weights: FloatArray | None,
    n_simulated: int,
    rng: np.random.Generator,
) -> FloatArray:
    """Return the weight of the items at each |x| in each simulated set, shape (b, S + 1)."""
    if weights is None:
        return rng.multinomial(n, lattice.pmf, size=n_simulated).astype(np.float64)
    steps = np.cumsum(lattice.pmf)
    size = lattice.pmf.size
    counts = np.empty((n_simulated, size))
    for b in range(n_simulated):
        x = np.searchsorted(steps, rng.random(n) * steps[-1], side="right")
        counts[b] = np.bincount(x, weights=weights, minlength=size)
    return counts


def draw_pairs(
    model: NoiseModel,
    n: int,
    paired: NDArray[np.bool_],
    weights: FloatArray | None,
    n_simulated: int,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Draw two labels of the same items: weights at each |x| of the first, counts of each |d|."""
    errors, pairs = [], []
    size = max(1, BLOCK // n)
    ones = np.ones(n) if weights is None else weights
    for start in range(0, n_simulated, size):
        b = min(size, n_simulated - start)
        x = model.sample_errors((b * n, 2), rng=rng).reshape(b, n, 2)
        errors.append(counted(np.abs(x[:, :, 0]), ones))
        d = np.abs(x[:, :, 1] - x[:, :, 0])[:, paired]
        pairs.append(counted(d, np.ones(d.shape[1])))
    return stacked(errors), stacked(pairs)


def counted(x: NDArray[np.int64], weights: FloatArray) -> FloatArray:
    """Return the weight at each value, one row for each row of x."""
    size = int(x.max()) + 1
    flat = (x + size * np.arange(len(x))[:, None]).ravel()
    total = np.bincount(flat, np.broadcast_to(weights, x.shape).ravel(), size * len(x))
    return np.asarray(total, dtype=np.float64).reshape(len(x), size)


def stacked(parts: list[FloatArray]) -> FloatArray:
    """Put blocks of different widths below each other."""
    width = max(part.shape[1] for part in parts)
    return np.concatenate([np.pad(p, ((0, 0), (0, width - p.shape[1]))) for p in parts])


def every_difference(problem: Problem, size: int) -> Problem:
    """Return the problem with a cell for each |d| = 0..size − 1."""
    d = np.arange(max(size, 2), dtype=np.float64)[:size]
    rounds = Rounds.from_array(np.column_stack([np.zeros_like(d), d]))
    return replace(problem, cells=Cells.from_rounds(rounds, physical=False))


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
    if kind not in ABANDONMENT:
        raise AnnostatError(f"noise: abandonment must be one of {', '.join(ABANDONMENT)}")
    if window == "length":
        raise AnnostatError(
            "noise: a law with a window for each clip's length cannot be simulated here; "
            "run fit-afd with --window auto"
        )
    if kind != "none" and not isinstance(window, int):
        raise AnnostatError("noise: the model has abandonment but no window")
    width = int(window) if kind != "none" and isinstance(window, int) else None
    return NoiseModel(core, parameters, kind, rate, window=width)


def describe(law: Law) -> str:
    """Return the name of a law for a table."""
    if isinstance(law, str):
        return law
    if isinstance(law, Gaussians):
        return f"mixture of {len(law.sds)} Gaussians"
    kind = "" if law.abandonment == "none" else f" + {law.abandonment} abandonment"
    return f"{law.family.name}{kind}"


def generator_of(rng: np.random.Generator | int | None) -> np.random.Generator:
    """Return a generator of its own for the simulation, whatever else uses the seed."""
    return as_generator(rng).spawn(1)[0]
