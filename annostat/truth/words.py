"""What scores say in words: the verdicts, and what to quote."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

from annostat.errors import shown
from annostat.labels.rounds import Rounds
from annostat.results.cite import TOOL, Cited, ci, methods_of
from annostat.results.estimates import Estimate
from annostat.results.result import Check, told_failed
from annostat.results.text import counted, format_number, p_text, percent, too_few_to_tell
from annostat.truth.ranking import Ranking
from annostat.truth.verdicts import ABOVE, AT, BELOW, Verdict
from annostat.truth.verdicts import FEW as FEW_UNITS

FEW = 3  # models that have a sentence each; more are counted by their verdict


class Scored(Protocol):
    """A model with its verdict: `annostat.truth.ModelScore`."""

    @property
    def name(self) -> str:
        """Of the model."""
        ...

    @property
    def verdict(self) -> Verdict:
        """On its error."""
        ...

    @property
    def rmse(self) -> Estimate:
        """Against one label."""
        ...

    @property
    def true_rmse(self) -> Estimate:
        """Against the truth."""
        ...


class Compared(Protocol):
    """What the words are of: `annostat.truth.Scores`."""

    @property
    def models(self) -> Sequence[Scored]:
        """The models."""
        ...

    @property
    def floors(self) -> Mapping[str, Estimate]:
        """What a perfect model has."""
        ...

    @property
    def rounds(self) -> Rounds:
        """The labels."""
        ...

    @property
    def ranking(self) -> Ranking:
        """Where each model stands."""
        ...

    @property
    def checks(self) -> Sequence[Check]:
        """What was looked at."""
        ...


def answer(scores: Compared) -> str:
    """Return the verdicts: a sentence for each of few models, else how many have which."""
    unit = scores.rounds.unit
    if few := too_few_to_tell(scores.rounds.n_items):
        return f"{few} to tell a model from the floor: label more."
    if len(scores.models) <= FEW:
        return " ".join(f"{m.name} is {judged(m, unit)}." for m in scores.models)
    groups: dict[str, list[str]] = {}
    for m in scores.models:
        groups.setdefault(m.verdict.name, []).append(m.name)
    ranked = sorted(groups.items(), key=lambda group: -len(group[1]))
    told = [f"{len(names)} {name} ({shown(names, 4)})" for name, names in ranked]
    return f"Of {len(scores.models)} models: {'; '.join(told)}. {scores.ranking.answer()}"


def judged(model: Scored, unit: str) -> str:
    """Return a verdict in a clause, not more than it says."""
    v, unit = model.verdict, f" {unit}" if unit else ""
    if v.name == BELOW:
        return (
            "below the floor, which no model reaches by being right: it has seen these labels, or "
            "shares their errors"
        )
    if math.isnan(v.upper):
        return "not judged: its error against the truth cannot be told from these rounds"
    upper = f"{format_number(v.upper, v.upper / 10)}{unit}"
    if v.name == AT:
        within = format_number(v.margin)
        return (
            f"at the floor within {within}{unit}: its error is below {upper} ({one_sided(v)})"
            f"{v.missed()}"
        )
    if v.name == FEW_UNITS:
        return f"{v.name}: its error is below {upper} ({one_sided(v)}), {v.but()}"
    if v.name == ABOVE:
        error = model.true_rmse.short()
        return (
            f"above the floor: it errs by {error}{unit} against the truth "
            f"({p_text(v.p_above)}, one-sided)"
        )
    return f"{v.name}: its error against the truth may be 0, or as much as {upper}{hidden(v)}"


def one_sided(verdict: Verdict) -> str:
    """Return the level of a limit in words."""
    return f"{percent(verdict.level)}, one-sided"


def hidden(verdict: Verdict) -> str:
    """Return what ranks and signs see that the t test does not."""
    robust = [q for q in (verdict.p_signed_rank, verdict.p_sign) if q is not None]
    if robust and min(robust) < (1 - verdict.level) / 2:
        return f", and tests of ranks and signs see one ({p_text(min(robust))})"
    return ""


def quote(scores: Compared) -> str:
    """Return the errors against the truth, and the floor; of many models those of the best."""
    if few := too_few_to_tell(scores.rounds.n_items):
        return f"Nothing: {few} for an error against the truth, or a floor."
    unit = f" in {scores.rounds.unit}" if scores.rounds.unit else ""
    floor = scores.floors["rmse_floor"]
    models = scores.models
    if len(models) > FEW:
        known = [m for m in models if not math.isnan(m.rmse.value)]
        models = tuple(sorted(known, key=lambda m: m.rmse.value)[:FEW])
    told = []
    for i, m in enumerate(models):
        if m.verdict.name == BELOW or math.isnan(m.true_rmse.value):
            told.append(f"{m.name} cannot be told")
        else:
            told.append(f"{m.name} {with_level(m.true_rmse, first=not i)}")
    which = "" if len(models) == len(scores.models) else ", the best by their RMSE"
    return (
        f"RMSE against the truth{unit}{which}: {', '.join(told)}. "
        f"Floor against one label {with_level(floor, first=False)}."
    )


def cited(scores: Compared) -> Cited:
    """Return the sentences for a paper; of many models the best and the worst."""
    unit, models = scores.rounds.unit, scores.models
    told = [m for m in models if m.verdict.name != BELOW and not math.isnan(m.true_rmse.value)]
    ways = methods_of([m.true_rmse for m in told[:1]])
    r = scores.rounds
    methods = (
        "Each model's error against the unobserved truth was estimated from the products of its "
        f"residuals to {r.n_rounds} rounds of annotation of {counted(r.n_items, 'item')} with "
        f"{TOOL}{f'; intervals: {ways}' if ways else ''}; p-values for an error above zero are "
        "one-sided."
    )
    if few := too_few_to_tell(r.n_items):
        return Cited(methods, f"{few} to tell an error against the truth.")
    told.sort(key=lambda m: m.true_rmse.value)
    if len(told) > FEW:
        ends = [_error(m, unit) for m in (told[0], told[-1])]
        text = f"Against the truth, the RMSE of {len(models)} models was {' to '.join(ends)}"
    elif told:
        text = f"Against the truth, the RMSE was {' and '.join(_error(m, unit) for m in told)}"
    else:
        text = "No model's error against the truth can be told"
    floor = ci(scores.floors["rmse_floor"], unit)
    results = f"{text}; the floor of the RMSE against one annotation was {floor}."
    unsolved = [f"`{m.name}`" for m in told if m.verdict.name not in (ABOVE, AT)]
    if unsolved and len(told) <= FEW:
        results += f" Of {' and '.join(unsolved)}, neither an error nor its absence was shown."
    if leaks := [f"`{m.name}`" for m in models if m.verdict.name == BELOW]:
        results += f" {' and '.join(leaks)} scored below the floor, which shows shared errors."
    return Cited(methods, results + told_failed(scores.checks))


def _error(model: Scored, unit: str) -> str:
    e, p = model.true_rmse, model.verdict.p_above
    words = "" if p is None else p_text(p)
    return f"{ci(e, unit, words=words) if e.interval else ci(e, unit)} for `{model.name}`"


def with_level(e: Estimate, *, first: bool) -> str:
    """Return a value and its interval, the level with the first of several."""
    if e.interval is None:
        return f"{e.short()} (no interval)"
    level = f"{percent(e.interval.level)} " if first else ""
    return f"{e.short()} ({level}{e.range()})"
