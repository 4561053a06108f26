"""Which statistics a table of labels and models gets, all in one result.

The report, and whoever wants everything that a table allows, takes it from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from annostat.ceilings.measured import MeasuredBounds
from annostat.ceilings.values import bounds
from annostat.concentration.compare import ConcentrationComparison, compare_concentration
from annostat.concentration.measure import concentration
from annostat.concentration.result import Concentration
from annostat.errors import AnnostatError, check_level
from annostat.interchange.measure import interchange
from annostat.interchange.result import Interchange
from annostat.labels.kinds import Kind, kind_of
from annostat.labels.rounds import Rounds
from annostat.labels.taking import takes_rounds
from annostat.noise.compare import NoiseComparison, compare_noise, in_physical_units
from annostat.resampling.generators import Rng
from annostat.resampling.parallel import Progress
from annostat.results.result import Check, Result
from annostat.results.sections import Section
from annostat.truth.floors import is_biased
from annostat.truth.result import Scores
from annostat.truth.score import score_models

__all__ = ["Study", "study"]

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 20  # items below which no curve of errors is shown


@dataclass(frozen=True)
class Study(Result):
    """Everything that a table of labels and models allows.

    Attributes
    ----------
    rounds : Rounds
        The labels.
    kind : Kind
        What they are, and whether that is a guess.
    noise : NoiseComparison or None
        The law of the noise, of picks.
    bounds : MeasuredBounds or None
        Floors and ceilings of values; also of picks, where that they are picks is a guess.
    scores : Scores or None
        The models against labels and truth; None without models.
    concentration : Concentration, ConcentrationComparison or None
        Where the models' errors sit; None without models, or where `no_concentration` says why.
    no_concentration : str
    interchange : Interchange or None
        The models in an annotator's place; None without models, or where `no_interchange` says why.
    no_interchange : str
    """

    rounds: Rounds
    kind: Kind
    noise: NoiseComparison | None
    bounds: MeasuredBounds | None
    scores: Scores | None
    concentration: Concentration | ConcentrationComparison | None
    no_concentration: str = ""
    interchange: Interchange | None = None
    no_interchange: str = ""

    @property
    def results(self) -> tuple[Result, ...]:
        """The results that there are, in the order in which they are read."""
        found = self.noise, self.bounds, self.scores, self.interchange, self.concentration
        return tuple(result for result in found if result is not None)

    @property
    def checks(self) -> tuple[Check, ...]:
        """What the kind of the labels rests on, and what could not be shown."""
        found = list(self.kind.checks())
        if self.no_concentration:
            text = f"Where the error sits is not shown: {self.no_concentration}."
            found.append(Check("concentration", None, text))
        if self.no_interchange:
            text = (
                f"Whether a model is as good as an annotator is not shown: {self.no_interchange}."
            )
            found.append(Check("interchange", None, text))
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, None where there is no such result."""
        parts = {
            "noise": self.noise,
            "bounds": self.bounds,
            "scores": self.scores,
            "interchange": self.interchange,
            "concentration": self.concentration,
        }
        return {
            "kind": self.kind.name,
            "kind_is_sure": self.kind.sure,
            **{name: None if part is None else part.to_dict() for name, part in parts.items()},
        }

    def to_frame(self) -> pd.DataFrame:
        """Return the tables of all results below each other, named by a column ``result``."""
        import pandas as pd

        parts = [r.to_frame().assign(result=type(r).__name__) for r in self.results]
        return pd.concat(parts, ignore_index=True)

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        return [section for result in self.results for section in result.sections()]


@takes_rounds
def study(
    rounds: Rounds,
    predictions: Mapping[str, ArrayLike] | None = None,
    *,
    kind: str = "auto",
    physical: bool = False,
    level: float = 0.95,
    n_resamples: int = 2000,
    rng: Rng = 0,
    n_jobs: int | None = 1,
    progress: Progress | None = None,
) -> Study:
    """Return everything that a table of labels and models allows.

    Parameters
    ----------
    rounds : Rounds
        Labels of shape (n_items, n_rounds), NaN for missing.
    predictions : mapping of str to array-like of shape (n_items,), optional
        What each model says; NaN where it says nothing.
    kind : {"auto", "picks", "values"}
        What the labels are (`annostat.labels.kind_of`).
    physical : bool
        Whether noise and scores are in the unit of the period.
    level : float
        Confidence level.
    n_resamples : int
        Number of bootstrap resamples.
    rng, n_jobs, progress
        Seed, workers, and a function called with steps done and steps in all.

    Returns
    -------
    Study
        Picks get the law of their noise, values their floors and ceilings, and models their scores
        and, from 20 items on, the curve of their errors over the noise of the first two rounds.

    Raises
    ------
    AnnostatError
        If no item has two labels, or an option is out of its domain.

    Examples
    --------
    >>> from annostat import simulate_values
    >>> rounds = simulate_values(60, noise_sd=4.0, truth_sd=11.0, rng=1)
    >>> found = study(rounds)
    >>> found.kind.name, found.noise is None, found.bounds.n_items
    ('values', True, 60)
    """
    level = check_level(level)
    sort = kind_of(rounds, kind)
    common: dict[str, Any] = {"level": level, "rng": rng, "n_jobs": n_jobs}
    noise = limits = scores = errors = place = None
    missing = unplaced = ""
    if sort.picks:
        noise = compare_noise(rounds, physical=physical, progress=progress, **common)
    if not (sort.picks and sort.sure):
        limits = bounds(rounds, n_resamples=n_resamples, **common)
        if noise is not None and limits.mae is not None and not is_biased(limits.checks):
            law = limits.mae.of_picks(noise.envelope, noise.bracket)
            limits = replace(limits, mae=law, pair_mae=noise.pair_mae)
    if predictions:
        models = {name: np.asarray(f, dtype=np.float64) for name, f in predictions.items()}
        scores = score_models(
            rounds, models, kind=sort.name, physical=physical, n_resamples=n_resamples, **common
        )
        try:
            errors = _concentration(rounds, models, common)
        except AnnostatError as error:  # the other results stand without it
            missing = str(error)
        if errors is None and not missing:
            missing = f"it takes {FEWEST} items with two labels and all predictions"
        try:
            place = _interchange(rounds, models, physical, level)
        except AnnostatError as error:
            unplaced = str(error)
    return Study(rounds, sort, noise, limits, scores, errors, missing, place, unplaced)


def _interchange(
    rounds: Rounds, models: Mapping[str, Any], physical: bool, level: float
) -> Interchange:
    """Return the models in an annotator's place, by absolute distances."""
    if physical and rounds.period is not None:
        models = {name: f * rounds.period for name, f in models.items()}
        rounds = in_physical_units(rounds)
    return interchange(rounds, models, level=level)


def _concentration(
    rounds: Rounds, models: Mapping[str, Any], common: Mapping[str, Any]
) -> Concentration | ConcentrationComparison | None:
    """Return where the models' errors sit, over the null of the first two rounds."""
    whole = np.isfinite(np.column_stack([rounds.values[:, :2], *models.values()])).all(axis=1)
    if whole.sum() < FEWEST:
        return None
    seen = rounds.take(np.flatnonzero(whole))
    two = replace(seen, values=seen.values[:, :2], names=seen.names[:2])
    given: dict[str, Any] = {
        "rounds": two,
        "items": seen.items,
        "cluster": seen.cluster,
        "unit": rounds.unit,
        **common,
    }
    predictions = {name: f[whole] for name, f in models.items()}
    errors = {name: f - two.values[:, 0] for name, f in predictions.items()}
    if len(errors) == 1:
        [(name, error)] = errors.items()
        return concentration(error, name=name, predictions=predictions[name], **given)
    return compare_concentration(errors, predictions=predictions, **given)
