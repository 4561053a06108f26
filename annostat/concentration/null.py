"""What pure annotation noise alone would give, and whether a curve exceeds it.

The statistic is T = S(p; errors) − S(p; law fitted to the differences between two rounds). The
law of the noise is found by deconvolution, never read off the differences themselves, whose
tails are lighter. T is then simulated, each time with the law fitted again, so that the uncertainty
of the law is in the null and the small-sample bias of S is in both.

With two rounds of the same items both errors of each are known, and under the null all of them
are draws of one law. Sets are then made by dealing the errors out anew, which is exact whatever
that law is (a randomisation test; a parametric bootstrap rejects 8 to 12% of the time at n = 200,
since the law that it draws from is so uncertain). With a law from other items, sets are drawn from
the law that errors and differences together speak for (`law_of_all`).
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from annostat.arrays import FloatArray, all_whole
from annostat.concentration.curve import Curve
from annostat.concentration.laws import Gaussians, Lattice, Law, step_losses
from annostat.concentration.published import N_WINDOWS, Fitted, window_of
from annostat.errors import AnnostatError
from annostat.labels.rounds import Rounds
from annostat.noise.cells import MAX_SPAN, Cells
from annostat.noise.families import get_family
from annostat.noise.goodness import SimulatedSets, pair_counts
from annostat.noise.kernels.law import pair_law
from annostat.noise.model import NoiseModel, mirror
from annostat.noise.problem import make_problem
from annostat.noise.result import NoiseFit, fit_problem
from annostat.resampling.generators import as_generator
from annostat.resampling.intervals import NORMAL_95
from annostat.resampling.parallel import Progress
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check
from annostat.results.text import p_text

CORE = "symmetric-nb"  # nests Laplace (r = 1) and, as r grows, Gaussian
PER_ERROR = 4.0  # steps of the lattice in the median error of real values, of up to FEW_ERRORS
FEW_ERRORS, MOST_PER_ERROR = 2000, 16.0  # beyond, more steps, at most that many
WHOLE_MEDIAN = 25.0  # whole numbers whose median error is beyond are put on that lattice too
WIDEST = 2000  # steps in the widest difference, at most
NO_WIDTH = 1e-9  # of a range of shares
ONE_LABEL = math.sqrt(0.5)  # correlation of a perfect model's error with the difference, at most
# Where the numbers of `summary` stand behind the shares at the grid, whose last is that of `top`.
PLACES = {"gini": -2, "worst_share": -3, "half_of_error": -1}


@dataclass(frozen=True, eq=False)
class Simulated:
    """Curves of simulated noise, each less the curve of the law fitted to it.

    Attributes
    ----------
    grid : float64 array of shape (g,)
        Fractions of the items; the last is `top`.
    law : float64 array of shape (g + 2,)
        The fitted law's shares at the grid, its Gini, and the fraction that holds half.
    gaps : float64 array of shape (n_resamples, g + 2)
        T of each simulated set: its own less those of the law fitted to it.
    laws : float64 array of shape (n_resamples, g + 2)
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

    def ranges(self, level: float, method: str) -> dict[str, Estimate]:
        """Return what noise gives on average, with the range in which it lies.

        Losses that take few values may give one number in nearly all sets, which is no range.
        """
        low, high = self.band(level)
        spread = self.gaps.std(axis=0, ddof=1)
        found = {}
        for key, j in PLACES.items():
            value = float(self.expected[j])
            if high[j] - low[j] > NO_WIDTH:
                limits = Interval(float(low[j]), float(high[j]), level, method)
                found[key] = Estimate(value, float(spread[j]), limits)
            else:
                found[key] = Estimate(value, note=f"{method}: nearly all sets give this number")
        return found

    def p_value(self, observed: float, which: int) -> float:
        """Return the one-sided p of an observed number: how often noise exceeds as much."""
        gap = observed - self.law[which]
        beyond = int((self.gaps[:, which] >= gap - 1e-12).sum())
        return (1 + beyond) / (1 + len(self.gaps))


@dataclass(frozen=True, eq=False)
class Both:
    """The errors of a model against both labels of each item.

    Attributes
    ----------
    first : float64 array of shape (n,)
        Against the label that the errors were given for.
    second : float64 array of shape (n_paired,)
        Against the other label, of the items that have it.
    paired : bool array of shape (n,)
        Which ones these are.
    step : float
        Unit of the lattice that differences are put on.
    """

    first: FloatArray
    second: FloatArray
    paired: NDArray[np.bool_]
    step: float

    def differences(self, first: FloatArray, second: FloatArray) -> NDArray[np.int64]:
        """Return |d| in steps; an error far beyond all differences is cut, so that these fit."""
        reach = WIDEST / 2
        x, y = (np.clip(np.rint(v / self.step), -reach, reach) for v in (first, second))
        return np.asarray(np.abs(x - y), dtype=np.int64)


def both_errors(
    errors: FloatArray, first: FloatArray, second: FloatArray, *, signed: bool = False
) -> Both:
    """Return the errors against both labels of the items; NaN where a label is missing.

    Errors of one sign alone may have lost it, unless they are known to be `signed`.

    Whether errors are model − label or label − model, and against which of the two, shows in the
    data: the error against the other label is the error plus or minus the difference, whichever
    scatters less (its variance is larger by 4σ² otherwise). The lattice is chosen from all errors
    together, so that no way of dealing them out is preferred.
    """
    difference = second - first
    paired = np.isfinite(difference)
    d = difference[paired]
    if d.size < 3:
        raise AnnostatError(f"rounds: three or more items need both labels, got {d.size}")
    if not d.any():
        raise AnnostatError("rounds: all pairs of labels are equal, so there is no noise to expect")
    if not signed and ((errors >= 0).all() or (errors <= 0).all()):
        raise AnnostatError(
            "errors: with rounds, errors must have their sign (model − label), got one sign only; "
            "if the model is so far off, give its values instead (predictions, --model)"
        )
    others = [errors[paired] + d, errors[paired] - d]
    other = min(others, key=lambda e: float(np.var(e)))
    size = np.abs(np.concatenate([errors, other]))
    middle = float(np.median(size[size > 0]))
    labels = np.concatenate([first[paired], second[paired]])
    whole = all_whole(labels) and middle <= WHOLE_MEDIAN
    return Both(errors, other, paired, 1.0 if whole else lattice_step(size, middle))


def lattice_step(sizes: FloatArray, middle: float) -> float:
    """Return the step of the lattice that real values are put on.

    What rounding moves the fitted law's shares by falls with the square of the step, and must stay
    below what sampling moves them by, √n: many items take finer steps, as long as the widest
    error has room.
    """
    wanted = PER_ERROR * math.sqrt(math.sqrt(max(sizes.size / FEW_ERRORS, 1.0)))
    fine = middle / min(wanted, MOST_PER_ERROR)
    return min(middle / PER_ERROR, max(fine, 2 * float(sizes.max()) / WIDEST))


def check_label(both: Both) -> Check:
    """Check that errors are against one of the two labels: then they follow the difference.

    The correlation is then SD(D)/(2 SD(error)), of a perfect model √½, and against the mean of both
    it is 0. Where it could be either (Fisher's z), too few items are there to tell.
    """
    first, second = both.first[both.paired], both.second
    d = second - first
    n = d.size
    if not (np.ptp(first) > 0 and np.ptp(d) > 0):
        text = "Errors or differences that are all equal do not tell which label errors are against"
        return Check("one_label", None, f"{text}.")
    r = float(np.corrcoef(first, d)[0, 1])
    p = float(2 * special.stdtr(n - 2, -abs(r) * math.sqrt((n - 2) / max(1 - r * r, 1e-12))))
    facts = f"(correlation {r:.2f}, {p_text(p)})"
    if p < 0.05:
        text = "The errors follow the difference between the labels, as errors against one of them"
        return Check("one_label", True, f"{text} do {facts}.", r, p)
    expected = min(float(d.std() / (2 * first.std())), ONE_LABEL)
    if n < 4 or math.atanh(abs(r)) + NORMAL_95 / math.sqrt(n - 3) >= math.atanh(expected):
        text = f"{n:,} items are too few to tell whether the errors are against one of the labels"
        return Check("one_label", None, f"{text} {facts}.", r, p)
    text = (
        "The errors do not follow the difference between the labels: give errors against one of "
        "the two, not against their mean"
    )
    return Check("one_label", False, f"{text} {facts}.", r, p)


def simulate(
    source: Both | Fitted | Law,
    errors: FloatArray,
    *,
    loss: str,
    grid: FloatArray,
    weights: FloatArray | None,
    n_resamples: int,
    rng: np.random.Generator,
    n_jobs: int | None,
    progress: Progress | None = None,
) -> Simulated:
    """Simulate the curve of pure noise on as many items as there are errors."""
    n = errors.size
    if not isinstance(source, (Both, Fitted)):
        lattice = Lattice.of(source)
        law = summary(lattice.curve(loss), grid)
        counts = draw_counts(lattice, n, weights, n_resamples, rng)
        curves = summaries(step_losses(counts.shape[1], loss), counts, grid)
        return Simulated(grid, law, curves - law, np.broadcast_to(law, curves.shape))
    if isinstance(source, Both):
        curves, counts = dealt_anew(source, loss, grid, weights, n_resamples, rng)
        # The fit that all searches start from is one to all sets together, the observed one too.
        fit = fit_differences(counts.mean(axis=0))
        problem, n_sets = fit.problem, len(counts)

        def drawn_again(numbers: range, _: np.random.Generator) -> FloatArray:
            return counts[numbers.start : numbers.stop]

    else:
        model = law_of_all(source.fit, errors, published=source.published)
        sets = SimulatedSets(source.fit.problem, model, n_resamples, rng)
        fit, problem = source.fit, sets.problem
        drawn_again, n_sets = sets.draw, sets.n_sets
        drawn = draw_counts(Lattice.of(model), n, weights, n_resamples, rng)
        curves = summaries(step_losses(drawn.shape[1], loss), drawn, grid)
    refits = fit.refit(
        drawn_again,
        n_sets,
        rng=0,
        n_jobs=n_jobs,
        problem=problem,
        progress=progress,
    )
    laws = np.array(
        [summary(refitted(fit, row).curve(loss), grid) for row in refits.to_dict("records")]
    )
    if isinstance(source, Both):
        return Simulated(grid, laws[0], curves[1:] - laws[1:], laws[1:])
    return Simulated(grid, summary(Lattice.of(fit.model).curve(loss), grid), curves - laws, laws)


def fit_differences(counts: FloatArray) -> NoiseFit:
    """Fit the law of one label to counts of |d| = 0, 1, ..., few windows of abandonment tried."""
    d = np.arange(counts.size, dtype=np.float64)
    rounds = Rounds.from_array(np.column_stack([np.zeros_like(d), d]))
    cells = Cells.from_rounds(rounds).with_counts(counts)
    problem = make_problem(rounds, get_family(CORE), "independent", "auto", False, False, cells)
    chosen = np.geomspace(problem.windows[0], problem.windows[-1], N_WINDOWS)
    problem = replace(problem, windows=np.unique(np.rint(chosen).astype(np.int64)))
    return fit_problem(problem, interval=False, refine=False)


def law_of_all(fit: NoiseFit, errors: FloatArray, *, published: bool = False) -> NoiseModel:
    """Return the law of noise that the errors and the differences together speak for.

    Sets are simulated under the null, by which the errors themselves are noise: the likelihood of
    both together (as if independent) is maximised. From the differences alone, the shape of heavy
    tails is so uncertain in small samples that the sets would often be drawn from too light a law.
    Where the differences are not at hand, or not the differences of draws of one law (shared
    abandonment, several periods), sets are drawn from the fitted law.
    """
    problem = fit.problem
    if published or problem.physical or problem.abandonment.together > 0:
        return fit.model
    family = problem.family
    x = np.rint(np.minimum(np.abs(errors), MAX_SPAN)).astype(np.int64)
    widest = int(problem.cells.span.max())
    support = int(max(problem.support.max(), x.max()))
    seen = np.bincount(x).astype(np.float64)
    pairs = pair_counts(problem.cells)
    low, high = problem.box

    def half_at(u: FloatArray, window: int) -> FloatArray:
        core = family.pmf(np.exp(u[: problem.n_core]), support)
        return mixed(core, float(u[problem.n_core]) if problem.rated else 0.0, window)

    def minus(u: FloatArray, window: int) -> float:
        half = half_at(u, window)
        q = pair_law(mirror(half), widest)
        f = half[: seen.size]
        log_f = np.log(np.maximum(f, 1e-300)), np.log(np.maximum(q, 1e-300))
        return -float(seen[: f.size] @ log_f[0] + pairs @ log_f[1])

    windows = problem.windows if problem.windows.size else np.zeros(1, dtype=np.int64)
    best: tuple[float, FloatArray, int] = (math.inf, fit.solution, int(windows[0]))
    start = np.clip(fit.solution, low, high)
    window = window_of(fit.model) if problem.rated else 0
    for _ in range(2):
        found = optimize.minimize(
            minus, start, (window,), method="L-BFGS-B", bounds=list(zip(low, high, strict=True))
        )
        if found.fun < best[0]:
            best = (float(found.fun), np.asarray(found.x), window)
        scores = [minus(best[1], int(w)) for w in windows]
        window, start = int(windows[int(np.argmin(scores))]), best[1]
    return replace(
        fit.model,
        parameters=problem.theta(best[1]),
        abandonment_rate=float(best[1][problem.n_core]) if problem.rated else 0.0,
        window=best[2] if problem.rated else None,
    )


def mixed(core: FloatArray, rate: float, window: int) -> FloatArray:
    """Return the probabilities of x = 0, 1, ... of a core with uniform abandonment."""
    half = np.zeros(max(core.size, window + 1))
    half[: core.size] += (1 - rate) * core
    half[: window + 1] += rate / (2 * window + 1)
    return half


def refitted(fit: NoiseFit, row: dict[Hashable, float]) -> Lattice:
    """Return the law of one refit; its support is that of the fit, which spares the search."""
    problem = fit.problem
    theta = np.array([row[p.name] for p in problem.family.parameters])
    core = problem.family.pmf(theta, int(problem.support.max()))
    window = int(row["window"]) if problem.rated else 0
    lost = problem.abandonment.total(float(row["abandonment_rate"]))
    half = mixed(core, lost, window)
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
    n_resamples: int,
    rng: np.random.Generator,
) -> FloatArray:
    """Return the weight of the items at each |x| in each simulated set, shape (b, S + 1)."""
    if weights is None:
        return rng.multinomial(n, lattice.pmf, size=n_resamples).astype(np.float64)
    steps = np.cumsum(lattice.pmf)
    size = lattice.pmf.size
    counts = np.empty((n_resamples, size))
    for b in range(n_resamples):
        x = np.searchsorted(steps, rng.random(n) * steps[-1], side="right")
        counts[b] = np.bincount(x, weights=weights, minlength=size)
    return counts


def dealt_anew(
    both: Both,
    loss: str,
    grid: FloatArray,
    weights: FloatArray | None,
    n_resamples: int,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Deal all errors out anew: curves of the first ones, and counts of each |d| in steps.

    The first row is as they are.
    """
    pool = np.concatenate([both.first, both.second])
    n = both.first.size
    curves = np.empty((n_resamples + 1, grid.size + 2))
    counts = np.zeros((n_resamples + 1, WIDEST + 1))
    # All are sorted once, and not those of each deal.
    all_of_them = Curve.of(pool**2 if loss == "squared" else np.abs(pool))
    rank = np.empty(pool.size, dtype=np.int64)
    rank[all_of_them.order] = np.arange(pool.size)
    for b in range(n_resamples + 1):
        dealt = rng.permutation(pool.size) if b else np.arange(pool.size)
        weight = np.zeros(pool.size)
        weight[rank[dealt[:n]]] = 1.0 if weights is None else weights
        mine = np.flatnonzero(weight)
        curve = Curve.of_order(mine, all_of_them.loss[mine], weight[mine])
        curves[b] = summary(curve, grid)
        x = pool[dealt]
        d = both.differences(x[:n][both.paired], x[n:])
        counts[b] = np.bincount(d, minlength=WIDEST + 1)
    seen = np.flatnonzero(counts.any(axis=0))
    return curves, counts[:, : max(int(seen[-1]) + 1, 2)]


def describe(law: Law) -> str:
    """Return the name of a law for a table."""
    if isinstance(law, str):
        return law
    if isinstance(law, Gaussians):
        return f"mixture of {len(law.sds)} Gaussians"
    way = f" + {law.way.name} abandonment" if law.way.rated else ""
    return f"{law.family.name}{way}"


def generator_of(rng: np.random.Generator | int | None) -> np.random.Generator:
    """Return a generator of its own for the simulation, whatever else uses the seed."""
    return as_generator(rng).spawn(1)[0]
