"""Models scored against labels, and against the truth behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from annostat._version import __version__
from annostat.agreement.small import UNHELD
from annostat.arrays import FloatArray
from annostat.ceilings.values import one_of_noise, seen_as_one
from annostat.errors import (
    LARGEST,
    AnnostatError,
    check_choice,
    check_level,
    check_number,
    check_numbers,
    check_squares,
    option,
)
from annostat.labels.checks import check_rounds
from annostat.labels.kinds import kind_of
from annostat.labels.rounds import Rounds
from annostat.labels.taking import all_aligned, takes_rounds
from annostat.noise.compare import in_physical_units
from annostat.once import one_answer
from annostat.resampling.clusters import cluster_codes
from annostat.resampling.generators import Rng, seed_of
from annostat.resampling.multiplicity import holm
from annostat.resampling.parallel import Progress
from annostat.resampling.sums import draw_together
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check, Provenance
from annostat.results.text import counted, p_text, squared
from annostat.truth.comparison import compare_models
from annostat.truth.floors import floors_of
from annostat.truth.model import Frame, Model, score_model
from annostat.truth.products import Labels
from annostat.truth.result import ModelScore, Scores
from annostat.truth.verdicts import BELOW


@takes_rounds
@one_answer()
def score_models(
    rounds: Rounds,
    predictions: Mapping[str, ArrayLike] | None = None,
    *,
    trained_on: str | Sequence[str] | None = None,
    margin: float | None = None,
    kind: str = "auto",
    physical: bool = False,
    level: float = 0.95,
    n_resamples: int = 2000,
    rng: Rng = 0,
    n_jobs: int | None = 1,
    progress: Progress | None = None,
) -> Scores:
    r"""Score models against noisy labels, and against the truth behind them.

    Parameters
    ----------
    rounds : Rounds
        Labels of shape (n_items, n_rounds), NaN for missing; items with fewer than two are left
        out. A bias between rounds is removed where truth is concerned, unless their order means
        nothing (`Rounds.exchangeable`).
    predictions : mapping of str to array-like of shape (n_items,), optional
        What each model says, in the unit of the labels; NaN where it says nothing. Models may also
        have been read with the rounds: of a data frame, ``models=["net"]`` names their columns.
    trained_on : str or sequence of str, optional
        Rounds whose labels of these very items the models were trained on. Their noise is then
        in the models: the error against the truth comes from the other rounds, and the share
        that was learned is reported.
    margin : float, optional
        What counts as no error, in the unit of the labels: with it a model can be shown to be at
        the floor.
    kind : {"auto", "picks", "values"}
        Picks are whole numbers, and the floor of their mae comes from the fitted law of the noise;
        "auto" takes whole numbers for picks, unless those of an item are far apart
        (`annostat.labels.kind_of`), and says so.
    physical : bool
        Multiply labels and predictions by each item's period first (`Rounds.period`), so that
        frames become milliseconds, or slices millimetres; the margin is then in that unit.
    level : float
        Level of the intervals; tests are made at 1 − level.
    n_resamples, rng, n_jobs
        For the bootstraps; whole clusters are drawn.
    progress : callable, optional
        Called as ``progress(done, total)`` after each model.

    Returns
    -------
    Scores
        With z the labels and f a model,

        - `excess` is T = mean (f − z₁)(f − z₂), with k labels (f − z̄)² − s²/k: E(f − Y)² without
          bias, whatever f, as long as its errors are independent of the labels' noise. Its t
          interval covers; the signed value is kept.
        - `true_rmse` is √T, its interval clipped after it was formed, NaN with a note if all of it
          is negative.
        - `true_correlation` is √(S_f1·S_f2/(S_ff·S_12)), signed (McColl et al. 2014).
        - trained on one of two rounds: `trained_on_one`, which takes no raters for equally noisy
          and says where two rounds do not resolve it; on one of more, T is from the cross products
          of the rounds that it has not seen, and the share is the mean of (f − z_l)(z₁ − z_m) over
          that of (z₁ − z_l)(z₁ − z_m).

    Raises
    ------
    AnnostatError
        If no item has two labels and a prediction, a prediction is infinite or no number, a
        model is a copy of a round, or an option is out of its domain.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> truth = rng.normal(55, 10, 600)
    >>> rounds = Rounds.from_array(truth[:, None] + rng.normal(0, 4, (600, 2)))
    >>> scores = score_models(rounds, {"model": truth + rng.normal(0, 2, 600)})
    >>> scores.models[0].verdict.name, 2.0 in scores.models[0].true_rmse.interval
    ('above the floor', True)
    """
    level = check_level(level)
    if margin is not None:
        margin = check_number("margin", margin, low=0.0, high=LARGEST, open_ends=True)
    if rounds.weights is not None:
        raise AnnostatError(
            "scores need every item, but these rounds are collapsed into counts: read the table "
            "with collapse=False"
        )
    check_squares(float(np.nanmax(np.abs(rounds.values), initial=0.0)))
    used = rounds.usable()
    models = _predictions(predictions, rounds)
    trained = _trained(trained_on, rounds)
    models = {name: f[rounds.usable_rows] for name, f in models.items()}
    if len(used.values) < 2:
        raise AnnostatError("scores take two items with two labels or more, got one")
    _refuse_copies(used, models)
    sort = kind_of(used, kind)
    picks = used.picks() if sort.picks else None
    if physical:
        if used.period is None:
            raise AnnostatError("physical needs the period of each item (period or fps)")
        models = {name: f * used.period for name, f in models.items()}
        used = in_physical_units(used)
    labels = Labels.of(used)
    codes = cluster_codes(used.cluster)
    frame = Frame.of(used, labels, trained, codes, level, n_resamples, rng, n_jobs)
    resampled: dict[str, Any] = {"n_resamples": n_resamples, "rng": rng, "n_jobs": n_jobs}
    scored, products = [], {}
    for name, f in models.items():
        model = Model.of(frame, name, f)
        draw_together([model.squares, model.correlated], **resampled)
        scored.append(score_model(used, frame, model, margin))
        products[name] = model.products
        if progress is not None:
            progress(len(scored), len(models))
    found = tuple(scored)
    comparisons = compare_models(
        products,
        cluster=codes,
        unit=squared(frame.unit),
        level=level,
        **resampled,
    )
    below = {m.name for m in found if m.verdict.name == BELOW}
    comparisons = [
        replace(
            c,
            difference=c.difference.scaled(frame.scale**2),
            nearer="" if {c.first, c.second} & below else c.nearer,
        )
        for c in comparisons
    ]
    checks = check_rounds(used, level=level, rng=0)
    floors = floors_of(used, picks, checks, level=level, **resampled)
    if any(c.name == "heavy_tails" and not c.passed for c in floors.checks):
        found = tuple(replace(m, true_correlation=_unheld(m.true_correlation)) for m in found)
    return Scores(
        found,
        floors,
        tuple(comparisons),
        one_of_noise(
            [
                *_checks(found, models, used, 1 - level),
                *seen_as_one(checks, floors.checks),
                *floors.checks,
                *sort.checks(),
            ]
        ),
        Provenance(
            __version__,
            _digest(used, models),
            used.n_items,
            seed_of(rng),
            {
                "trained_on": [used.names[j] for j in trained],
                "margin": margin,
                "kind": kind,
                "physical": physical,
                "level": level,
                "n_resamples": n_resamples,
            },
        ),
        used,
        models,
    )


def _unheld(correlation: Estimate) -> Estimate:
    """Return a correlation with the truth where labels may have heavy tails.

    Both sides with t₃ errors, its lower limit is too high in 8 to 14% of 10 to 100 items.
    """
    i = correlation.interval
    if i is None:
        return correlation
    held = Interval(i.low, i.high, i.level, f"{i.method}, {UNHELD}")
    return replace(correlation, interval=held, note=correlation.note or f"limits are {UNHELD}")


def _predictions(
    predictions: Mapping[str, ArrayLike] | None, rounds: Rounds
) -> dict[str, FloatArray]:
    if predictions is None:
        raise AnnostatError(
            "predictions: there is no model to score; give its predictions, or name the column "
            f"that is one ({option('model', 'net')})"
        )
    predictions = _by_item(predictions, rounds)
    if not hasattr(predictions, "items"):
        raise AnnostatError(
            "predictions must be a mapping from the names of models to one number per item, got "
            f"{type(predictions).__name__}"
        )
    found: dict[str, FloatArray] = {}
    for key, given in predictions.items():
        name = str(key)
        f = check_numbers(f"predictions of {name!r}", given)
        if f.shape != (len(rounds.values),):
            raise AnnostatError(
                f"predictions of {name!r} must have shape ({len(rounds.values)},), one per item, "
                f"got {f.shape}"
            )
        if np.isinf(f).any():
            rows = np.flatnonzero(np.isinf(f))
            raise AnnostatError(
                f"predictions of {name!r} hold an infinite value in "
                f"{counted(rows.size, 'row')}; first: row {rows[0] + 1}"
            )
        if name in rounds.names:
            raise AnnostatError(f"{name!r} is a round and a model: a model needs a name of its own")
        if not np.isfinite(f[rounds.readings >= 2]).any():
            raise AnnostatError(f"model {name!r} has no prediction for an item with two labels")
        check_squares(float(np.abs(f[np.isfinite(f)]).max()))
        found[name] = f
    if not found:
        raise AnnostatError("predictions: there is no model to score")
    return found


def _by_item(predictions: Any, rounds: Rounds) -> Any:
    """Return predictions whose index names items in the order of the rounds.

    An index that holds the items' names as a set is aligned; one that is 0, 1, ... stands for the
    rows as they are; any other is refused, since rows may have been put into another order.
    """
    if hasattr(predictions, "to_frame") and not hasattr(predictions, "columns"):  # a series
        predictions = predictions.to_frame(predictions.name or "model")
    columns = dict(predictions.items()) if hasattr(predictions, "items") else None
    if columns is None:
        return predictions
    return all_aligned({str(name): column for name, column in columns.items()}, rounds)


def _trained(trained_on: str | Sequence[str] | None, rounds: Rounds) -> tuple[int, ...]:
    names = [trained_on] if isinstance(trained_on, str) else list(trained_on or ())
    if names and rounds.exchangeable:
        raise AnnostatError(
            "trained_on needs rounds with an identity, but the order of these means nothing"
        )
    for name in names:
        check_choice("trained_on", name, rounds.names)
    found = tuple(dict.fromkeys(rounds.names.index(name) for name in names))
    if len(found) == rounds.n_rounds:
        raise AnnostatError(
            "trained_on names every round: a model that has seen all labels of an item cannot be "
            "told from a right one; score it on items that it has not seen"
        )
    return found


def _refuse_copies(rounds: Rounds, models: Mapping[str, FloatArray]) -> None:
    z = rounds.values
    for name, f in models.items():
        for j, label in enumerate(rounds.names):
            both = np.isfinite(f) & np.isfinite(z[:, j])
            if (both & (f != z[:, j])).any() or both.sum() < 2:
                continue
            if (np.isfinite(z) & both[:, None] & (z != z[:, [j]])).any():
                raise AnnostatError(
                    f"model {name!r} equals round {label!r} in all {int(both.sum())} items: it is "
                    "a copy of the labels, and no prediction"
                )


def _checks(
    scores: Sequence[ModelScore], models: Mapping[str, FloatArray], rounds: Rounds, alpha: float
) -> list[Check]:
    checks = []
    for name, f in models.items():
        lost = int(np.isnan(f).sum())
        if lost:
            text = (
                f"{name} has no prediction for {lost:,} of {len(f):,} items, which are left out: "
                "if they are the hard ones, it looks better than it is."
            )
            checks.append(Check("missing_predictions", False, text, lost / len(f)))
    looked = [s for s in scores if s.leakage is not None and not s.leakage.trained]
    together = holm([s.leakage.p_value if s.leakage else None for s in looked])
    for score, adjusted in zip(looked, together, strict=True):
        leak = score.leakage
        if leak is None:
            continue
        p = p_text(adjusted)
        if len(looked) > 1 and adjusted is not None:
            p += f", adjusted for {len(looked)} models"
        if leak.p_value is None:
            text = (
                f"whether {score.name} follows one round's noise cannot be told: {leak.share.note}"
            )
            checks.append(Check("leakage", None, text))
        elif adjusted is not None and adjusted < alpha and leak.share.value > 0:
            text = (
                f"{score.name} follows the noise of {leak.round}: share {leak.share.short()} "
                f"({leak.share.range()}), {p}. If it was trained on these labels say so "
                "(trained_on); otherwise that round is the less noisy one."
            )
            checks.append(Check("leakage", False, text, leak.share.value, leak.p_value))
        else:
            text = f"no sign that {score.name} follows the noise of one round ({p})"
            checks.append(Check("leakage", True, text, leak.share.value, leak.p_value))
    return checks


def _digest(rounds: Rounds, models: Mapping[str, FloatArray]) -> str:
    whole = np.column_stack([rounds.values, *models.values()])
    names = (*rounds.names, *models)
    return replace(rounds, values=whole, names=names).digest()
