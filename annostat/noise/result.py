"""The noise of a pick under one model: the fit, its tests, its refits."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annostat._version import __version__
from annostat.arrays import FloatArray
from annostat.errors import AnnostatError
from annostat.labels.pairs import pair_mae
from annostat.noise import kernels
from annostat.noise.goodness import SimulatedSets, deviance, pair_counts, pairs_of, pooled_bins
from annostat.noise.model import NoiseModel
from annostat.noise.problem import (
    MAX_RATE,
    Problem,
    cell_log_likelihoods,
)
from annostat.noise.profile import Profiler
from annostat.noise.search import Draw, Solution, refit, resampled_counts, search
from annostat.resampling.generators import Rng
from annostat.resampling.intervals import exp
from annostat.resampling.parallel import Progress
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check, Provenance, Result
from annostat.results.sections import Section
from annostat.results.text import p_text, plain

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
    problem: Problem = field(repr=False)
    solution: FloatArray = field(repr=False)
    rater_scales: dict[str, float] = field(default_factory=dict)

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
        draw = resampled_counts(self.problem)
        return self.refit(draw, n_resamples, rng=rng, n_jobs=n_jobs, progress=progress)

    def refit(
        self,
        draw: Draw,
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
        values, windows, maes, u = refit(
            p,
            self._as_start(),
            draw,
            n_resamples,
            like_data=like_data,
            rng=rng,
            n_jobs=n_jobs,
            progress=progress,
        )
        frame = pd.DataFrame({"log_likelihood": values, "window": windows, "mae": maes})
        for j, parameter in enumerate(p.family.parameters):
            frame[parameter.name] = np.exp(u[:, j])
        frame["abandonment_rate"] = u[:, p.n_core] if p.rated else 0.0
        return frame

    def _as_start(self) -> Solution:
        """Return the solution on the data, which refits begin at."""
        return Solution(
            self.problem,
            self.log_likelihood,
            self.solution,
            self.model.window or 0,
            self.converged,
            *self.window_profile,
        )

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
        _, windows, _, solutions = refit(
            sets.problem, self._as_start(), sets.draw, n_resamples, rng=0, n_jobs=n_jobs
        )
        cell, distance = pairs_of(sets.problem.cells)
        values = np.empty(n_resamples)
        n_core = self.problem.n_core
        names = [p.name for p in self.problem.family.parameters]
        for b, (window, u) in enumerate(zip(windows, solutions, strict=True)):
            model = replace(
                self.model,
                parameters=dict(zip(names, np.exp(u[:n_core]).tolist(), strict=True)),
                abandonment_rate=float(u[n_core]) if self.problem.rated else 0.0,
                window=(int(window) or None) if self.model.window else None,
            )
            seen = np.bincount(distance, weights=sets.counts(b)[cell]).astype(np.float64)
            law = replace(self, model=model).difference_law(bins.size - 1)
            values[b] = deviance(seen, law, bins)
        p_value = (1 + int((values >= observed).sum())) / (n_resamples + 1)
        words = "fits" if p_value >= 0.05 else "does not fit"
        return Check(
            "goodness_of_fit",
            p_value >= 0.05,
            f"{self.label} {words} the observed differences (G² = {observed:.1f}, parametric "
            f"bootstrap {p_text(p_value)})"
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
            fit.problem.of_sets(sets.problem.cells, fit.solution) for fit in (null, self)
        )
        kwargs: dict[str, Any] = {"rng": 0, "n_jobs": n_jobs, "like_data": False}
        under = refit(null_problem, null._as_start(), sets.draw, n_resamples, **kwargs)[0]
        above = refit(full_problem, self._as_start(), sets.draw, n_resamples, **kwargs)[0]
        ratios = 2 * (above - under)
        observed = 2 * (self.log_likelihood - null.log_likelihood)
        p_value = (1 + int((ratios >= observed - 1e-9).sum())) / (n_resamples + 1)
        found = p_value < 0.05
        return Check(
            "abandonment",
            True,
            ("Annotators do sometimes give up" if found else "No sign that annotators give up")
            + f" (likelihood ratio {max(observed, 0.0):.1f}, parametric bootstrap "
            f"{p_text(p_value)}, core {self.model.family.name})",
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
    solution = search(problem, refine=refine)
    problem, u, window = solution.problem, solution.u, solution.window
    rounds = problem.rounds
    unit = rounds.period_unit if problem.physical else rounds.unit or "frames"
    notes, passed_over = notes_of(solution)
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
    mae, spread, errors = solution.uncertainty()
    limits: Interval | None = None
    rate_limits: Interval | None = None
    profiler = Profiler(problem, solution.value, u, window, solution.profile, level)
    if (problem.cells.span == 0).all():
        # Nothing to profile; but E|X| ≤ E|D|, and |D| has an exact limit.
        exact = pair_mae(rounds, level=level).high or 0.0
        method = "Clopper-Pearson limit of E|D|, which E|X| cannot exceed"
        limits = Interval(0.0, exact * float(problem.cells.period.max()), level, method)
        interval = False
    if interval:
        limits = profiler.mae_interval(mae, spread)
        if problem.rated:
            rate_limits = profiler.coordinate(problem.n_core, errors[problem.n_core])
    known = [None if math.isnan(e) else float(e) for e in errors]
    parameters: dict[str, Estimate] = {}
    for j, p in enumerate(problem.family.parameters):
        on_log = profiler.coordinate(j, errors[j]) if interval else None
        of = Estimate(float(u[j]), known[j], on_log, unit if j == 0 else "")
        parameters[p.name] = of.through(exp, math.exp(u[j]))
    rate_estimate = Estimate(0.0, note="no abandonment in this model")
    if problem.rated:
        rate_estimate = Estimate(rate, known[problem.n_core], rate_limits)
    scales = {}
    if problem.raters > 1:
        offsets = np.concatenate([[0.0], u[problem.n_core + problem.rated :]])
        scales = dict(zip(rounds.names, (float(v) for v in np.exp(offsets)), strict=True))
    return NoiseFit(
        model=model,
        log_likelihood=solution.value,
        n_parameters=u.size + int(problem.windows.size > 1),
        mae=Estimate(mae, spread, limits, unit),
        abandonment_rate=rate_estimate,
        parameters=parameters,
        window_profile=solution.profile,
        converged=solution.converged and not passed_over,
        notes=notes,
        provenance=Provenance(
            __version__,
            problem.cells.digest,
            problem.cells.n_items,
            seed,
            {"core": problem.family.name, "abandonment": problem.abandonment.name, "level": level},
        ),
        problem=problem,
        solution=u,
        rater_scales=scales,
    )


def notes_of(solution: Solution) -> tuple[tuple[str, ...], bool]:
    """Return what a reader must know of a solution, and whether it passed an item over."""
    problem, u, windows = solution.problem, solution.u, solution.windows
    c = problem.cells
    notes = []
    far = int((c.span * c.period[c.group]).argmax())
    alone = problem.data(solution.window, np.eye(1, c.span.size, far)[0])
    value = kernels.evaluate(problem.family.kernel, problem.spec, u, alone, np.empty(u.size))
    passed_over = bool(value < math.log(1e-290))
    if passed_over:
        notes.append(
            f"picks that differ by {c.span[far]:,} are all but impossible under this law, and the "
            "search passed them over"
        )
    if (c.span == 0).all():
        notes.append("all differences are zero: the noise is below what whole frames can show")
    elif u[0] <= problem.box[0][0] + 1e-9:
        notes.append("the core's scale is at the lower end of its domain")
    if problem.rated and u[problem.n_core] >= MAX_RATE - 1e-9:
        notes.append("the abandonment rate is at its limit of one half: not rare abandonment")
    if windows.size and solution.window == windows[-1] and u[problem.n_core] > 0:
        notes.append("the best window is the widest one tried")
    return tuple(notes), passed_over
