"""Fit the noise of a pick: one model."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annostat._version import __version__
from annostat.arrays import FloatArray
from annostat.errors import AnnostatError, check_choice, check_count, check_level
from annostat.labels.pairs import pair_mae
from annostat.labels.rounds import Rounds
from annostat.noise import kernels
from annostat.noise.abandonment import Abandonment, get_abandonment
from annostat.noise.families import Family, get_family
from annostat.noise.goodness import SimulatedSets, deviance, pair_counts, pairs_of, pooled_bins
from annostat.noise.model import NoiseModel
from annostat.noise.problem import (
    MAX_RATE,
    Problem,
    cell_log_likelihoods,
    make_problem,
    warn_of_window,
)
from annostat.noise.profile import Profiler
from annostat.noise.search import coarse, scan_windows
from annostat.resampling.bootstraps import bootstrap_interval
from annostat.resampling.clusters import cluster_codes
from annostat.resampling.generators import Rng, seed_of, spawn
from annostat.resampling.parallel import Progress, map_parallel
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check, Provenance, Result
from annostat.results.sections import Section
from annostat.results.text import format_p, plain

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class NoiseFit(Result):
    """The noise of one annotation under one model.

    Attributes
    ----------
    model : NoiseModel
        The fitted law.
    log_likelihood, aic, aicc, bic : float
        Of the signed differences; a profiled window counts as a parameter.
    n_parameters : int
        Number of fitted parameters.
    mae : Estimate
        E|X|: the mean absolute error of a perfect model against one annotation.
    abandonment_rate : Estimate
        ε; exactly 0 without abandonment.
    parameters : dict of str to Estimate
        The core's parameters.
    rater_scales : dict of str to float
        Scale of each rater relative to the first, if fitted.
    window_profile : DataFrame-like tuple of arrays
        (window, log-likelihood, mae) for each window tried.
    converged : bool
        Whether the search ended at a maximum.
    notes : tuple of str
        What a reader must know.
    provenance : Provenance
        Version, data hash, settings.
    """

    model: NoiseModel
    log_likelihood: float
    n_parameters: int
    mae: Estimate
    abandonment_rate: Estimate
    parameters: dict[str, Estimate]
    window_profile: tuple[NDArray[np.int64], FloatArray, FloatArray]
    converged: bool
    notes: tuple[str, ...]
    provenance: Provenance
    rater_scales: dict[str, float] = field(default_factory=dict)
    problem: Problem = field(repr=False, default=None)  # type: ignore[assignment]
    solution: FloatArray = field(repr=False, default_factory=lambda: np.zeros(0))

    def __setstate__(self, state: dict[str, Any]) -> None:
        # What Ray hands to another process can be read only, and kernels take what they may write.
        self.__dict__.update(state, solution=state["solution"].copy())

    @property
    def aic(self) -> float:
        """Akaike's criterion, 2k − 2 log L."""
        return 2 * self.n_parameters - 2 * self.log_likelihood

    @property
    def aicc(self) -> float:
        """AIC with the small-sample correction; infinite where that is undefined."""
        k, n = self.n_parameters, self.provenance.n_items
        return self.aic + 2 * k * (k + 1) / (n - k - 1) if n > k + 1 else math.inf

    @property
    def bic(self) -> float:
        """Schwarz's criterion, k log n − 2 log L."""
        return self.n_parameters * math.log(self.provenance.n_items) - 2 * self.log_likelihood

    @property
    def label(self) -> str:
        """Name of the model for a table."""
        way = self.model.way
        return self.model.family.name + (f" + {way.name}" if way.rated else "")

    def noise_pmf(self) -> tuple[NDArray[np.int64], FloatArray]:
        """Return the law of one annotation's error, as `NoiseModel.noise_pmf`."""
        return self.model.noise_pmf()

    def sample_errors(self, shape: tuple[int, int], *, rng: Rng = None) -> NDArray[np.int64]:
        """Draw errors, as `NoiseModel.sample_errors`."""
        return self.model.sample_errors(shape, rng=rng)

    def difference_law(self, widest: int) -> FloatArray:
        """Return q(|d|) for |d| = 0..widest over the data's groups (both signs together)."""
        c = self.problem.cells
        k = c.readings
        pairs = np.bincount(c.group, weights=c.count * k * (k - 1) / 2, minlength=c.period.size)
        total = np.zeros(widest + 1)
        for g in range(c.period.size):
            model = replace(self.model, period=float(c.period[g]))
            if self.problem.by_length:
                model = replace(model, length=int(c.length[g]))
            support = int(self.problem.support[g])
            total += pairs[g] * model.difference_counts_law(widest, support=support)
        return np.asarray(total / pairs.sum())

    def to_dict(self) -> dict[str, Any]:
        """Return the model's entry of the promised JSON."""
        parameters: dict[str, Any] = {k: v.to_dict() for k, v in self.parameters.items()}
        window = "length" if self.problem.by_length else self.model.window
        entry = {
            "core": self.model.family.name,
            "abandonment": self.model.way.name,
            "window": window if self.model.way.rated else None,
            "parameters": parameters,
            "abandonment_rate": self.abandonment_rate.to_dict(),
            "mae": self.mae.to_dict(),
            "log_likelihood": plain(self.log_likelihood),
            "aic": plain(self.aic),
            "aicc": plain(self.aicc),
            "bic": plain(self.bic),
            "n_parameters": self.n_parameters,
            "converged": self.converged,
            "notes": list(self.notes),
        }
        if self.rater_scales:
            entry["rater_scales"] = self.rater_scales
        return entry

    def to_frame(self) -> pd.DataFrame:
        """Return one row per estimate."""
        import pandas as pd

        rows = {"mae": self.mae, "abandonment_rate": self.abandonment_rate, **self.parameters}
        return pd.DataFrame([{"estimate": k, **v.to_dict()} for k, v in rows.items()])

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        rows = [["mae", self.mae.short(), self.mae.range()]]
        rows += [[k, v.short(), v.range()] for k, v in self.parameters.items()]
        if self.model.way.rated:
            rate = self.abandonment_rate
            rows.append(["abandonment rate", rate.short(), rate.range()])
        title = f"Noise of one annotation: {self.label}"
        facts = f"log-likelihood {self.log_likelihood:.2f}, AIC {self.aic:.1f}"
        return [
            Section(title, ("estimate", "value", "interval"), rows, (facts, *self.notes)),
        ]

    def abandonment_posterior(self) -> pd.DataFrame:
        """Return, per item, the posterior probability that a rater gave up on it.

        Independent abandonment: at least one of the item's picks; shared: all of them.
        Returns a table with columns item, span, posterior, sorted by posterior.
        """
        import pandas as pd

        p = self.problem
        if not p.rated:
            raise AnnostatError("a model without abandonment has no posterior of abandonment")
        if p.rounds.items is None:
            raise AnnostatError("the rounds were collapsed, so there are no items to rank")
        u = self.solution
        total = cell_log_likelihoods(p, u, self.model.window or 0)
        core = cell_log_likelihoods(p.without_abandonment(), np.delete(u, p.n_core), 0)
        way, rate = p.abandonment, self.model.rate
        by_all, by_each = math.log1p(-way.together * rate), math.log1p(-way.alone * rate)
        kept = np.exp(np.minimum(by_all + p.cells.readings * by_each + core - total, 0.0))
        frame = pd.DataFrame(
            {
                "item": p.rounds.items,
                "span": p.cells.span[p.cells.of_item],
                "posterior": (1 - kept)[p.cells.of_item],
            }
        )
        for j, name in enumerate(p.rounds.names):
            frame[name] = p.rounds.values[:, j]
        order = frame.sort_values(["posterior", "span"], ascending=False, kind="stable")
        return order.reset_index(drop=True)

    def bootstrap(
        self,
        *,
        n_resamples: int = 2000,
        rng: Rng = 0,
        n_jobs: int | None = 1,
        progress: Progress | None = None,
    ) -> pd.DataFrame:
        """Refit resamples of the items (whole clusters, if there are any).

        Returns
        -------
        DataFrame
            One row per resample: mae, window, log_likelihood, the core's parameters and the
            abandonment rate.
        """
        p = self.problem
        codes = cluster_codes(p.rounds.cluster)
        n_cells = p.cells.count.size
        if codes is None:
            share = p.cells.count / p.cells.count.sum()
            n = int(p.cells.count.sum())

            def draw(numbers: range, generator: np.random.Generator) -> FloatArray:
                return generator.multinomial(n, share, size=len(numbers)).astype(np.float64)
        else:
            import scipy.sparse as sparse

            ones = p.rounds.row_weights.astype(np.float64)
            shape = (int(codes.max()) + 1, n_cells)
            table = sparse.csr_array((ones, (codes, p.cells.of_item)), shape=shape)

            def draw(numbers: range, generator: np.random.Generator) -> FloatArray:
                picked = generator.integers(0, shape[0], size=(len(numbers), shape[0]))
                times = np.array([np.bincount(row, minlength=shape[0]) for row in picked])
                return np.asarray(times @ table, float)

        return self.refit(draw, n_resamples, rng=rng, n_jobs=n_jobs, progress=progress)

    def refit(
        self,
        draw: Callable[[range, np.random.Generator], FloatArray],
        n_resamples: int,
        *,
        rng: Rng = 0,
        n_jobs: int | None = 1,
        progress: Progress | None = None,
        problem: Problem | None = None,
        like_data: bool = True,
    ) -> pd.DataFrame:
        """Refit counts of the problem's cells, drawn block by block; see `bootstrap`.

        Counts that are not like the data, but drawn under another law, take longer.
        """
        import pandas as pd

        p = self.problem if problem is None else problem
        windows = coarse(self.window_profile, p, self.model.window)
        low, high = p.box
        metrics = np.zeros((windows.size, low.size, low.size))
        for w, metric in zip(windows, metrics, strict=True):
            space = self.problem.space(int(w))._replace(low=low, high=high)
            kernels.set_metric(p.calls.points, space, self.solution, 0.0, metric)
        starts = np.tile(self.solution, (windows.size, 1))
        data = p.data(int(windows[0]))
        size = max(1, min(64, 2_000_000 // max(p.cells.count.size, 1)))
        n_resamples = check_count("n_resamples", n_resamples, low=1)
        own = int(np.argmin(np.abs(windows - (self.model.window or 0))))
        first = own if like_data else -1
        # A block has a generator of its own and a fixed size: any number of workers agrees.
        ranges = [range(i, min(i + size, n_resamples)) for i in range(0, n_resamples, size)]
        blocks = list(zip(ranges, spawn(rng, len(ranges)), strict=True))

        def one(task: tuple[range, np.random.Generator]) -> FloatArray:
            block = task[0]
            counts = np.ascontiguousarray(draw(*task))
            coordinates = np.empty((len(block), low.size))
            best = np.empty((len(block), 3))
            # Arrays that Ray shares with a worker are read only, which kernels do not take.
            u, inverse, tried, a, b, *cells = (
                np.require(array, requirements="W")
                for array in (starts, metrics, windows, low, high, *data)
            )
            space = kernels.Space(p.spec, tuple(cells), a, b)
            warm = kernels.Warm(u, inverse, tried, first)
            kernels.refit_counts(p.calls, space, warm, counts, coordinates, best)
            return np.column_stack([best, coordinates])

        table = np.concatenate(map_parallel(one, blocks, n_jobs=n_jobs, progress=progress))
        frame = pd.DataFrame(table[:, :3], columns=["log_likelihood", "window", "mae"])
        for j, parameter in enumerate(p.family.parameters):
            frame[parameter.name] = np.exp(table[:, 3 + j])
        frame["abandonment_rate"] = table[:, 3 + p.n_core] if p.rated else 0.0
        return frame

    def goodness_of_fit(
        self, *, n_resamples: int = 199, rng: Rng = 0, n_jobs: int | None = 1
    ) -> Check:
        """Compare observed counts of |D| with the fitted law: parametric-bootstrap G² with refit.

        G² = 2 Σ c log(c / expected) over |d| of all pairs, neighbours pooled until five are
        expected. Sets are drawn from the fitted law with the data's own missing cells and
        periods, and the model is fitted to each again.
        """
        sets = SimulatedSets(self.problem, self.model, n_resamples, rng)
        counts = pair_counts(self.problem.cells)
        widest = int(max(self.problem.cells.span.max(), sets.problem.cells.span.max()))
        bins = pooled_bins(counts.sum() * self.difference_law(widest))
        observed = deviance(counts, self.difference_law(bins.size - 1), bins)
        refits = self.refit(sets.draw, n_resamples, rng=0, n_jobs=n_jobs, problem=sets.problem)
        cell, distance = pairs_of(sets.problem.cells)
        values = np.empty(n_resamples)
        for b, row in enumerate(refits.to_dict("records")):
            parameters = {p.name: float(row[p.name]) for p in self.problem.family.parameters}
            window = int(row["window"]) or None
            model = replace(
                self.model,
                parameters=parameters,
                abandonment_rate=float(row["abandonment_rate"]),
                window=window if self.model.window else None,
            )
            seen = np.bincount(distance, weights=sets.counts[b][cell]).astype(np.float64)
            law = replace(self, model=model).difference_law(bins.size - 1)
            values[b] = deviance(seen, law, bins)
        p_value = (1 + int((values >= observed).sum())) / (n_resamples + 1)
        words = "fits" if p_value >= 0.05 else "does not fit"
        return Check(
            "goodness_of_fit",
            p_value >= 0.05,
            f"{self.label} {words} the observed differences (G² = {observed:.1f}, parametric "
            f"bootstrap p = {format_p(p_value)})"
            + ("" if p_value >= 0.05 else ": trust the bracket more than this model"),
            observed,
            p_value,
        )

    def test_abandonment(
        self, *, n_resamples: int = 199, rng: Rng = 0, n_jobs: int | None = 1
    ) -> Check:
        """Test ε = 0 by the likelihood ratio, calibrated by parametric bootstrap.

        The window is not identified under the null (Davies 1977), so no chi-square applies.
        """
        if not self.problem.rated:
            raise AnnostatError("a model without abandonment cannot be tested for it")
        null = fit_problem(self.problem.without_abandonment(), interval=False)
        sets = SimulatedSets(null.problem, null.model, n_resamples, rng)
        null_problem, full_problem = (
            replace(p, cells=sets.problem.cells) for p in (null.problem, self.problem)
        )
        kwargs: dict[str, Any] = {"rng": 0, "n_jobs": n_jobs, "like_data": False}
        under = null.refit(sets.draw, n_resamples, problem=null_problem, **kwargs)
        above = self.refit(sets.draw, n_resamples, problem=full_problem, **kwargs)
        ratios = 2 * (above["log_likelihood"] - under["log_likelihood"]).to_numpy()
        observed = 2 * (self.log_likelihood - null.log_likelihood)
        p_value = (1 + int((ratios >= observed - 1e-9).sum())) / (n_resamples + 1)
        found = p_value < 0.05
        return Check(
            "abandonment",
            True,
            ("Annotators do sometimes give up" if found else "No sign that annotators give up")
            + f" (likelihood ratio {max(observed, 0.0):.1f}, parametric bootstrap p = "
            f"{format_p(p_value)}, core {self.model.family.name})",
            max(observed, 0.0),
            p_value,
        )


def fit_problem(
    problem: Problem,
    *,
    interval: bool = True,
    level: float = 0.95,
    seed: int | None = None,
    refine: bool = True,
) -> NoiseFit:
    """Maximise over the parameters and the window, with profile intervals.

    Without `refine`, only the problem's own windows are tried.
    """
    best: tuple[float, FloatArray, bool] | None = None
    middle = int(problem.windows[problem.windows.size // 2]) if problem.windows.size else 0
    for start in problem.starts():
        sized = problem.with_support(start, 3.0)
        trial = sized.maximise(start, middle)
        if best is None or trial[0] > best[0]:
            best = trial
    assert best is not None
    problem = problem.with_support(best[1], 1.5)
    value, u, fine = problem.maximise(best[1], middle)
    window = middle
    profile = (problem.windows, np.zeros(0), np.zeros(0))
    if problem.windows.size:
        found, values = scan_windows(problem, u)
        top = int(np.argmax(values[:, 0]))
        # A sparse grid of windows is refined around its best one.
        left = problem.windows[max(top - 1, 0)]
        right = problem.windows[min(top + 1, problem.windows.size - 1)]
        near = np.setdiff1d(np.arange(left, right + 1), problem.windows)
        if refine and 0 < near.size < 2000:
            refined = replace(problem, windows=np.union1d(problem.windows, near))
            return fit_problem(refined, interval=interval, level=level, seed=seed)
        window = int(problem.windows[top])
        value, u, fine = problem.maximise(found[top], window)
        values[top] = value, problem.mae(u, window)[0], fine
        profile = (problem.windows, values[:, 0], values[:, 1])
    needed = problem.with_support(u)
    if (needed.support > problem.support).any():
        problem = needed
        value, u, fine = problem.maximise(u, window)
    return make_fit(problem, value, u, window, fine, profile, interval, level, seed)


def make_fit(
    problem: Problem,
    value: float,
    u: FloatArray,
    window: int,
    fine: bool,
    profile: tuple[NDArray[np.int64], FloatArray, FloatArray],
    interval: bool,
    level: float,
    seed: int | None,
) -> NoiseFit:
    """Put a solution into a `NoiseFit`."""
    rounds = problem.rounds
    low, high = problem.box
    notes = []
    unit = rounds.period_unit if problem.physical else rounds.unit or "frames"
    c = problem.cells
    far = int((c.span * c.period[c.group]).argmax())
    alone = problem.data(window, np.eye(1, c.span.size, far)[0])
    grad = np.empty(u.size)
    evaluated = kernels.evaluate(problem.family.kernel, problem.spec, u, alone, grad)
    passed_over = evaluated < math.log(1e-290)
    if passed_over:
        notes.append(
            f"picks that differ by {c.span[far]:,} are all but impossible under this law, and the "
            "search passed them over"
        )
    scale_low = u[0] <= low[0] + 1e-9
    zero = bool((problem.cells.span == 0).all())
    if zero:
        notes.append("all differences are zero: the noise is below what whole frames can show")
    elif scale_low:
        notes.append("the core's scale is at the lower end of its domain")
    if problem.rated and u[problem.n_core] >= MAX_RATE - 1e-9:
        notes.append("the abandonment rate is at its limit of one half: not rare abandonment")
    if profile[0].size and profile[1].size and window == profile[0][-1] and u[problem.n_core] > 0:
        notes.append("the best window is the widest one tried")
    rate = float(u[problem.n_core]) if problem.rated else 0.0
    model = NoiseModel(
        problem.family,
        problem.theta(u),
        problem.abandonment,
        rate,
        window=window if problem.rated and not problem.by_length else None,
        length=int(problem.cells.length[0]) if problem.by_length else None,
        period=float(problem.cells.period[0]) if problem.cells.period.size == 1 else 1.0,
    )
    mae, slopes = problem.mae(u, window)
    hessian = np.zeros((u.size, u.size))
    kernels.curvature(problem.calls.points, problem.space(window), u, 0.0, hessian)
    inside = (u > low + 1e-9) & (u < high - 1e-9)
    covariance = np.zeros_like(hessian)
    spread: float | None = None
    if inside.any():
        part = np.ix_(inside, inside)
        try:
            covariance[part] = np.linalg.inv(hessian[part])
            variance = float(slopes @ covariance @ slopes)
            spread = math.sqrt(variance) if variance > 0 and math.isfinite(variance) else None
        except np.linalg.LinAlgError:
            spread = None
    errors = np.sqrt(np.where(np.diag(covariance) > 0, np.diag(covariance), np.nan))
    limits: Interval | None = None
    rate_limits: Interval | None = None
    parameters: dict[str, Estimate] = {}
    profiler = Profiler(problem, value, u, window, profile, level)
    if zero:
        # Nothing to profile; but E|X| ≤ E|D|, and |D| has an exact limit.
        exact = pair_mae(rounds, level=level).high or 0.0
        method = "Clopper-Pearson limit of E|D|, which E|X| cannot exceed"
        limits = Interval(0.0, exact * float(problem.cells.period.max()), level, method)
        interval = False
    if interval:
        limits = profiler.mae_interval(mae, spread)
        if problem.rated:
            rate_limits = profiler.coordinate(problem.n_core, errors[problem.n_core])
    for j, p in enumerate(problem.family.parameters):
        bounds = profiler.coordinate(j, errors[j]) if interval else None
        if bounds is not None:
            bounds = replace(bounds, low=math.exp(bounds.low), high=math.exp(bounds.high))
        sd = None if math.isnan(errors[j]) else float(math.exp(u[j]) * errors[j])
        parameters[p.name] = Estimate(float(math.exp(u[j])), sd, bounds, unit if j == 0 else "")
    n_parameters = u.size + int(problem.windows.size > 1)
    rate_estimate = Estimate(0.0, note="no abandonment in this model")
    if problem.rated:
        rate_sd = float(errors[problem.n_core])
        rate_estimate = Estimate(rate, None if math.isnan(rate_sd) else rate_sd, rate_limits)
    scales = {}
    if problem.raters > 1:
        offsets = np.concatenate([[0.0], u[problem.n_core + problem.rated :]])
        scales = dict(zip(rounds.names, (float(v) for v in np.exp(offsets)), strict=True))
    return NoiseFit(
        model=model,
        log_likelihood=value,
        n_parameters=n_parameters,
        mae=Estimate(mae, spread, limits, unit),
        abandonment_rate=rate_estimate,
        parameters=parameters,
        window_profile=profile,
        converged=fine and not passed_over,
        notes=tuple(notes),
        provenance=Provenance(
            __version__,
            rounds.digest(),
            rounds.n_items,
            seed,
            {"core": problem.family.name, "abandonment": problem.abandonment.name, "level": level},
        ),
        rater_scales=scales,
        problem=problem,
        solution=u,
    )


def fit_noise(
    rounds: Rounds,
    core: str | Family = "laplace",
    *,
    abandonment: str | Abandonment = "independent",
    window: str | int = "auto",
    physical: bool | None = None,
    by_rater: bool = False,
    ci: str = "profile",
    level: float = 0.95,
    n_resamples: int = 2000,
    rng: Rng = 0,
    n_jobs: int | None = 1,
    progress: Progress | None = None,
) -> NoiseFit:
    """Fit the law of one annotator's error from the differences between rounds.

    Two rounds: q(d) = Σ_x f(x) f(x + d), with f = (1 − ε)·core + ε·uniform{−W..W}. More rounds:
    Σ_y Π_j f(z_j − y), any pattern of missing cells.

    Parameters
    ----------
    rounds : Rounds
        Whole-number picks, two or more rounds.
    core : str or Family
        Family of the core; the names are in ``annostat.noise.FAMILIES``.
    abandonment : {"independent", "shared", "none"} or Abandonment
        Whether raters give up independently, all together on an item, or never; or a way that is
        declared.
    window : "auto", "length" or int
        W: tried over whole numbers, given, or replaced by each clip's own length.
    physical : bool, optional
        Fit in the unit of the period, discretised by each item's own period. Default: if the
        rounds have a period.
    by_rater : bool
        One scale per rater; needs three or more rounds.
    ci : {"profile", "bootstrap", "none"}
        Intervals: profile likelihood, or the bootstrap (of whole clusters, if any).
    level : float
        Confidence level.
    n_resamples, rng, n_jobs, progress
        For the bootstrap; see `annostat.resampling`.

    Returns
    -------
    NoiseFit

    Raises
    ------
    AnnostatError
        If picks are not whole numbers, no item has two annotations, or a name is unknown.

    Examples
    --------
    >>> from annostat import NoiseModel, fit_noise, simulate_rounds
    >>> law = NoiseModel("laplace", {"scale": 2.0})
    >>> rounds = simulate_rounds(law, 2000, rng=1)
    >>> fit = fit_noise(rounds, "laplace", abandonment="none")
    >>> law.mae in fit.mae.interval
    True
    """
    check_choice("ci", ci, ("profile", "bootstrap", "none"))
    level = check_level(level)
    family = get_family(core)
    way = get_abandonment(abandonment)
    usable = rounds.picks().usable()
    problem = make_problem(usable, family, way, window, physical, by_rater, None)
    warn_of_window(window, problem.cells)
    fit = fit_problem(problem, interval=ci == "profile", level=level, seed=seed_of(rng))
    if ci == "bootstrap":
        fit = with_bootstrap(fit, level, n_resamples, rng, n_jobs, progress)
    return fit


def with_bootstrap(
    fit: NoiseFit,
    level: float,
    n_resamples: int,
    rng: Rng,
    n_jobs: int | None,
    progress: Progress | None,
) -> NoiseFit:
    """Return the fit with percentile bootstrap intervals."""
    table = fit.bootstrap(n_resamples=n_resamples, rng=rng, n_jobs=n_jobs, progress=progress)
    clustered = fit.problem.rounds.cluster is not None

    def dress(name: str, estimate: Estimate) -> Estimate:
        values = table[name].to_numpy()
        limits = bootstrap_interval(values, estimate.value, level=level)
        if clustered:
            limits = replace(limits, method=f"{limits.method} of whole clusters")
        return replace(estimate, standard_uncertainty=float(values.std(ddof=1)), interval=limits)

    parameters = {k: dress(k, v) for k, v in fit.parameters.items()}
    rate = fit.abandonment_rate
    return replace(
        fit,
        mae=dress("mae", fit.mae),
        parameters=parameters,
        abandonment_rate=dress("abandonment_rate", rate) if fit.problem.rated else rate,
    )
