"""Fit the noise of a pick: one model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from annostat.errors import check_choice, check_level
from annostat.labels.rounds import Rounds
from annostat.labels.taking import takes_rounds
from annostat.noise.abandonment import Abandonment, get_abandonment
from annostat.noise.families import Family, get_family
from annostat.noise.problem import (
    make_problem,
    warn_of_window,
)
from annostat.resampling.bootstraps import bootstrap_interval
from annostat.resampling.generators import Rng, seed_of
from annostat.resampling.parallel import Progress
from annostat.results.estimates import Estimate

if TYPE_CHECKING:
    pass


from annostat.noise.result import NoiseFit, fit_problem


@takes_rounds
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
