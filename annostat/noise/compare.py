"""All models side by side, what holds whichever is right, and the checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from annostat._version import __version__
from annostat.arrays import FloatArray
from annostat.errors import AnnostatError, check_choice, check_level
from annostat.labels.checks import check_rounds
from annostat.labels.kinds import grades_check
from annostat.labels.pairs import pair_mae
from annostat.labels.rounds import Rounds
from annostat.labels.taking import takes_rounds
from annostat.noise import words
from annostat.noise.abandonment import ABANDONMENT, Abandonment, get_abandonment
from annostat.noise.brackets import Bracket, bracket
from annostat.noise.cells import Cells
from annostat.noise.families import FAMILIES, Family, get_family
from annostat.noise.fit import with_bootstrap
from annostat.noise.problem import (
    cell_log_likelihoods,
    make_problem,
    warn_of_window,
)
from annostat.noise.raters import RaterNoise, rater_biases, rater_noise, unbiased
from annostat.noise.result import NoiseFit, fit_problem
from annostat.noise.skew import SkewFit, check_skew, fit_skewed
from annostat.noise.typos import likely_typos
from annostat.noise.unimodal import UnimodalFit, fit_unimodal
from annostat.noise.verdicts import (
    agreed,
    headline_of,
    make_envelope,
    of_any_two,
    of_bracket,
    reaching,
    with_remedy,
)
from annostat.resampling.generators import Rng, seed_of, spawn
from annostat.resampling.parallel import Progress, map_parallel
from annostat.results.cite import Cited
from annostat.results.estimates import Estimate
from annostat.results.result import Check, Provenance, Result, check_section
from annostat.results.sections import Section
from annostat.results.text import counted

if TYPE_CHECKING:
    import pandas as pd

FEW_ITEMS = 20  # below, the coverage of intervals has not been looked at


@dataclass(frozen=True, eq=False)
class NoiseComparison(Result):
    """All models fitted to the same rounds, and what may be said whatever the model.

    Attributes
    ----------
    fits : tuple of NoiseFit
        In the order of AIC.
    mae : Estimate
        E|X|: the smallest mean absolute error that any model of the measurand can have against
        one annotation. Of the best model; of the skewed law where three rounds show skew; where
        the best one is refuted, of any noise. Of fewer than 20 items the limits are those of
        `envelope`, with a note that they are not known to cover.
    envelope : Estimate
        The best value, with the lowest and highest limit over all models within 2 AIC of the
        best and over the kinds of abandonment of the best core, and at least to the upper limit of
        E|D|/√2, for items that differ in difficulty. Where the best model is refuted, `mae`.
    bracket : Bracket
        Limits of E|X| from E|D| alone.
    pair_mae : Estimate
        What two annotators differ by on average.
    unimodal : UnimodalFit or None
        Nonparametric cross-check.
    checks : tuple of Check
        Assumptions that were looked at.
    by_rater : RaterNoise or None
        With `by_rater`: biases, and E|X| against whose label.
    skew : SkewFit or None
        Where the test of symmetry fails: the floor about the median.
    """

    fits: tuple[NoiseFit, ...]
    envelope: Estimate
    bracket: Bracket
    pair_mae: Estimate
    unimodal: UnimodalFit | None
    checks: tuple[Check, ...]
    rounds: Rounds
    provenance: Provenance
    by_rater: RaterNoise | None = None
    skew: SkewFit | None = None

    @property
    def best(self) -> NoiseFit:
        """The model of the smallest AIC."""
        return self.fits[0]

    @property
    def of(self) -> str:
        """What the headline is of: "model", "skewed" (law), or "bracket" where none fits."""
        return headline_of(self.checks, self.best, self.skew)

    @property
    def refuted(self) -> bool:
        """Whether no law fits, so that the bracket is the headline."""
        return self.of == "bracket"

    @property
    def mae(self) -> Estimate:
        """E|X| of the best model, of the skewed law, or of any noise where none fits.

        Of few items with the range of `envelope`, as the answer has it.
        """
        if few := words.too_few(self):
            return replace(self.envelope, note=f"not known to cover: {few} too few")
        if self.skew is not None and self.of == "skewed":
            return self.skew.mae
        return of_bracket(self.pair_mae, self.best.mae.unit) if self.refuted else self.best.mae

    @property
    def weights(self) -> FloatArray:
        """Akaike weights, in the order of `fits`."""
        gaps = np.array([f.aic for f in self.fits]) - self.best.aic
        w = np.exp(-gaps / 2)
        return np.asarray(w / w.sum())

    def to_dict(self) -> dict[str, Any]:
        """Return the promised JSON object."""
        models = []
        for fit, weight in zip(self.fits, self.weights, strict=True):
            models.append({**fit.to_dict(), "weight": float(weight)})
        entry = {
            "n_items": self.rounds.n_items,
            "n_pairs": self.rounds.n_pairs,
            "unit": self.mae.unit,
            "pair_mae": self.pair_mae.to_dict(),
            "models": models,
            "headline": {
                "of": self.of,
                "mae": self.mae.to_dict(),
                "envelope": self.envelope.to_dict(),
                "bracket": self.bracket.to_dict(),
            },
            "unimodal": None if self.unimodal is None else self.unimodal.to_dict(),
            "checks": [c.to_dict() for c in self.checks],
            "provenance": self.provenance.to_dict(),
        }
        if self.by_rater is not None:
            entry["by_rater"] = self.by_rater.to_dict()
        if self.skew is not None:
            entry["skew"] = self.skew.to_dict()
        return entry

    def to_frame(self) -> pd.DataFrame:
        """Return one row per model, in the order of AIC."""
        import pandas as pd

        rows = []
        for fit, weight in zip(self.fits, self.weights, strict=True):
            rows.append(
                {
                    "core": fit.model.family.name,
                    "abandonment": fit.model.abandonment,
                    "window": fit.model.window,
                    "log_likelihood": fit.log_likelihood,
                    "n_parameters": fit.n_parameters,
                    "aic": fit.aic,
                    "aicc": fit.aicc,
                    "bic": fit.bic,
                    "weight": weight,
                    "mae": fit.mae.value,
                    "mae_low": fit.mae.low,
                    "mae_high": fit.mae.high,
                    "abandonment_rate": fit.abandonment_rate.value,
                    "converged": fit.converged,
                }
            )
        return pd.DataFrame(rows)

    def answer(self) -> str:
        """Return the floor in a sentence."""
        return words.answer(self)

    def quote(self) -> str:
        """Return the floor to quote, with what its interval presumes."""
        return words.quote(self)

    def cited(self) -> Cited:
        """Return the sentences for a paper."""
        return words.cited(self)

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        return [
            self.opening(),
            words.floors(self),
            *words.models(self),
            *(self.by_rater.sections() if self.by_rater else []),
            check_section(self.checks, when="all"),
        ]


@takes_rounds
def compare_noise(
    rounds: Rounds,
    *,
    cores: str | Sequence[str | Family] = "all",
    abandonment: str | Abandonment | Sequence[str | Abandonment] = "all",
    window: str | int = "auto",
    physical: bool | None = None,
    by_rater: bool = False,
    ci: str = "profile",
    level: float = 0.95,
    n_resamples: int = 2000,
    n_tests: int = 199,
    rng: Rng = 0,
    n_jobs: int | None = 1,
    progress: Progress | None = None,
) -> NoiseComparison:
    """Fit all models and say what holds whichever of them is right.

    Parameters
    ----------
    cores : "all", a name, or a sequence of names or families
    abandonment : "all", or one or more of "none", "independent", "shared", or an Abandonment
    n_tests : int
        Simulated sets for the goodness of fit and for the test of ε = 0; 0 leaves them out.
    by_rater : bool
        Take each rater's bias away before fitting, to half a frame, and say what holds against
        whose label; with three or more rounds each rater has a scale of their own. Rounds must be
        persons, not "exchangeable".
    window, physical, ci, level, n_resamples, rng, n_jobs, progress
        As in `fit_noise`.

    Returns
    -------
    NoiseComparison

    Examples
    --------
    >>> from annostat import NoiseModel, compare_noise, simulate_rounds
    >>> rounds = simulate_rounds(NoiseModel("laplace", {"scale": 2.0}), 300, rng=1)
    >>> result = compare_noise(rounds, cores=["laplace", "gaussian"], n_tests=0)
    >>> result.best.model.family.name
    'laplace'
    """
    check_choice("ci", ci, ("profile", "bootstrap", "none"))
    level = check_level(level)
    if isinstance(cores, (str, Family)):
        cores = list(FAMILIES) if cores == "all" else [cores]
    families = [get_family(core) for core in cores]
    if isinstance(abandonment, (str, Abandonment)):
        abandonment = ABANDONMENT if abandonment == "all" else [abandonment]
    ways = [get_abandonment(a) for a in abandonment]
    if not families or not ways:
        raise AnnostatError("nothing to compare: no cores or no kinds of abandonment")
    usable = seen = given = rounds.picks().usable()
    biases, in_units = None, usable.period is not None if physical is None else physical
    unit_of_frame = float(usable.period.mean()) if in_units and usable.period is not None else 1.0
    if by_rater:
        biases = rater_biases(usable, level=level)
        usable, shift = unbiased(usable, biases, physical=in_units)
        seen = replace(seen, values=seen.values - shift)
        if usable.period is not None and usable.period is not seen.period:
            physical = True
            window = window if isinstance(window, str) else 2 * window
    shared = make_problem(usable, families[0], "none", window, physical, False, None)
    warn_of_window(window, shared.cells)
    seed = seed_of(rng)
    whole = usable.cluster is not None and (ci == "bootstrap" or not shared.cells.span.any())
    few, cells = (usable, shared.cells) if whole else of_cells(usable, shared.cells)

    def one(task: tuple[Family, Abandonment]) -> NoiseFit:
        problem = make_problem(few, task[0], task[1], window, physical, False, cells)
        fit = fit_problem(problem, interval=ci == "profile", level=level, seed=seed)
        if ci == "bootstrap":
            fit = with_bootstrap(fit, level, n_resamples, rng, 1, None)
        return fit

    tasks = [(family, way) for family in families for way in ways]
    fits = map_parallel(one, tasks, n_jobs=n_jobs, progress=progress)
    # Rounded, so that equal models keep the order of the families on every machine.
    ranked = tuple(sorted(fits, key=lambda f: (not f.converged, round(f.aic, 6))))
    best = ranked[0]
    unit = best.mae.unit
    checks = [*check_rounds(seen, level=level, rng=0), *check_sample(best)]
    if (typos := likely_typos(given)) is not None:
        checks.append(typos)
    if (grades := grades_check(given)) is not None:
        checks.append(grades)
    if n_tests and not (shared.cells.span == 0).all():
        # Heavy tails look like abandonment to a core without them: the null is the best model
        # of all that know none.
        calm = next((f for f in ranked if not f.problem.rated), None)
        cores_tested = families if calm is None else [calm.model.family]
        giving_up = next(
            (f for f in ranked if f.problem.rated and f.model.family in cores_tested), None
        )

        def test(task: tuple[bool, np.random.Generator]) -> Check | None:
            try:
                if task[0]:
                    return best.goodness_of_fit(n_resamples=n_tests, rng=task[1])
                if giving_up is not None:
                    return giving_up.test_abandonment(n_resamples=n_tests, rng=task[1])
            except AnnostatError as error:
                name = "goodness_of_fit" if task[0] else "abandonment"
                return Check(name, None, str(error))
            return None

        streams = spawn(rng if seed is None else seed, 2)
        both = zip((True, False), streams, strict=True)
        done = map_parallel(test, both, n_jobs=n_jobs, progress=progress)
        checks += [check for check in done if check is not None]
    ranked = tuple(
        replace(f, problem=replace(f.problem, rounds=usable, cells=shared.cells)) for f in ranked
    )
    best = ranked[0]
    pair = pair_mae(usable, level=level)
    if best.problem.physical:
        pair = pair_mae(in_physical_units(usable), level=level)
    pair = replace(pair, unit=unit)
    symmetry = check_skew(usable)
    checks = [with_remedy(check, by_rater) for check in agreed([*checks, symmetry], best)]
    skew = None
    if symmetry.passed is False:
        frame = float(shared.cells.share @ shared.cells.period)
        skew = fit_skewed(usable, level=level, period=frame, unit=unit)
    envelope = make_envelope(ranked, pair)
    of = headline_of(checks, best, skew)
    if of == "skewed" and skew is not None:
        envelope = reaching(skew.mae, pair)
    elif of == "bracket":
        envelope = of_bracket(pair, unit)
    own = None
    if biases is not None:
        own = rater_noise(ranked, usable, envelope, of_any_two(pair, unit), biases, unit_of_frame)
    return NoiseComparison(
        fits=ranked,
        envelope=envelope,
        bracket=bracket(pair),
        pair_mae=pair,
        unimodal=fit_unimodal(shared.cells, unit),
        checks=tuple(checks),
        rounds=usable,
        provenance=Provenance(
            __version__,
            given.digest(),
            usable.n_items,
            seed,
            {
                "cores": [f.name for f in families],
                "abandonment": [way.name for way in ways],
                "window": window,
                "physical": bool(in_units),
                **({"by_rater": True} if by_rater else {}),
                "ci": ci,
                "level": level,
                "n_resamples": n_resamples,
                "n_tests": n_tests,
                "notes": list(usable.notes),
            },
        ),
        by_rater=own,
        skew=skew,
    )


def of_cells(rounds: Rounds, cells: Cells) -> tuple[Rounds, Cells]:
    """Return rounds with a row for each cell, and their cells: all that travels to a worker.

    Clusters are told of by the cells' design effect; to resample whole ones takes all rows.
    """
    first = np.unique(cells.of_item, return_index=True)[1]
    few = replace(
        rounds,
        values=rounds.values[first],
        items=None,
        cluster=None,
        stratum=None,
        period=None if rounds.period is None else rounds.period[first],
        length=None if rounds.length is None else rounds.length[first],
        weights=cells.count.astype(np.int64),
        read=None,
    )
    return few, replace(cells, of_item=np.arange(first.size))


def check_sample(best: NoiseFit) -> list[Check]:
    """Say what a few items do to this fit: too few in all, or a few that carry the likelihood."""
    cells = best.problem.cells
    n = int(cells.count.sum())
    if n < FEW_ITEMS:
        text = f"{counted(n, 'item')}: intervals from so few are not known to cover; annotate more."
        return [Check("sample_size", False, text, float(n))]
    window = best.model.window or 0
    loss = -cell_log_likelihoods(best.problem, best.solution, window)
    order = np.argsort(-loss, kind="stable")
    count = cells.count[order]
    top = max(1, n // 100)
    taken = np.clip(top - (np.cumsum(count) - count), 0, count)
    share = float(taken @ loss[order]) / float(cells.count @ loss) if loss.any() else 0.0
    what = (
        "The least expected item carries"
        if top == 1
        else (f"The {top:,} least expected items (of {n:,}) carry")
    )
    text = f"{what} {100 * share:.0f}% of the log-likelihood"
    if share > 0.5:
        text += ": the choice of model rests on them; look at them (--items)"
    return [Check("likelihood_share", share <= 0.5, text + ".", share)]


def in_physical_units(rounds: Rounds) -> Rounds:
    """Return the rounds with each item's values times its period."""
    if (period := rounds.period) is None:
        raise AnnostatError("physical needs a period (or fps) for each item")
    return replace(rounds, values=rounds.values * period[:, None], unit=rounds.period_unit)
