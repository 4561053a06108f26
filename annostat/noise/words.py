"""What a comparison of noise laws says in words: the answer, what to quote, its tables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from annostat.arrays import FloatArray
from annostat.labels.rounds import Rounds
from annostat.noise.brackets import Bracket
from annostat.noise.raters import RaterNoise
from annostat.noise.result import NoiseFit
from annostat.noise.skew import SkewFit
from annostat.noise.unimodal import UnimodalFit
from annostat.noise.verdicts import near_best, refutation
from annostat.results.cite import TOOL, Cited, ci, methods_of
from annostat.results.estimates import Estimate
from annostat.results.result import Check, told_failed
from annostat.results.sections import Section
from annostat.results.text import TELLING, counted, format_number, percent

ENVELOPE = re.compile(r"envelope of the intervals of (\d+) models")
NEAR = 10.0  # units of AIC beyond which the data speak against a model
LEAST, MOST = 3, 12  # rows of the table that is not folded
COLUMNS = ("model", "ΔAIC", "weight", "mae", "interval", "rate", "window", "logL")


class Compared(Protocol):
    """What the words are of: `annostat.noise.NoiseComparison`."""

    @property
    def of(self) -> str:
        """What the headline is of."""
        ...

    @property
    def refuted(self) -> bool:
        """Whether no law fits."""
        ...

    @property
    def mae(self) -> Estimate:
        """The floor."""
        ...

    @property
    def envelope(self) -> Estimate:
        """The floor over all laws that fit as well."""
        ...

    @property
    def pair_mae(self) -> Estimate:
        """What two annotators differ by."""
        ...

    @property
    def best(self) -> NoiseFit:
        """The model of the smallest AIC."""
        ...

    @property
    def fits(self) -> Sequence[NoiseFit]:
        """All models, best first."""
        ...

    @property
    def weights(self) -> FloatArray:
        """Akaike weights."""
        ...

    @property
    def bracket(self) -> Bracket:
        """Limits without a family."""
        ...

    @property
    def unimodal(self) -> UnimodalFit | None:
        """Without a family."""
        ...

    @property
    def by_rater(self) -> RaterNoise | None:
        """With the raters' biases taken away."""
        ...

    @property
    def skew(self) -> SkewFit | None:
        """Where errors are skewed."""
        ...

    @property
    def checks(self) -> Sequence[Check]:
        """What was looked at."""
        ...

    @property
    def rounds(self) -> Rounds:
        """The picks."""
        ...


def answer(noise: Compared) -> str:
    """Return the floor in a sentence: a value where a law fits, else a range."""
    mae, few = noise.mae, too_few(noise)
    if few:
        if noise.envelope.interval is None or noise.rounds.n_items < TELLING:
            return f"{few} too few to tell the floor."
        return (
            f"{few} too few to tell the floor: by the laws that fit best it is "
            f"{noise.envelope.range()} {mae.unit}, which is not known to cover."
        )
    value = mae.range() if noise.refuted and mae.interval is not None else mae.short()
    median = ", who says the median," if noise.of == "skewed" else ""
    return (
        f"Against one annotation, even a perfect model{median} is off by {value} {mae.unit} on "
        "average. This is the floor: no model can show less over many tests."
    )


def too_few(noise: Compared) -> str:
    """Return "3 items are" where they are too few for any interval, else nothing."""
    if all(c.passed is not False for c in noise.checks if c.name == "sample_size"):
        return ""
    n = noise.rounds.n_items
    return f"{counted(n, 'item')} {'is' if n == 1 else 'are'}"


def quote(noise: Compared) -> str:
    """Return the floor to quote, with what its interval presumes.

    The value with the envelope over the laws within reach where one fits; else the range for any
    noise, its ends carried outwards by the limits of what two annotators differ by.
    """
    e, few = noise.envelope, too_few(noise)
    if e.interval is None:
        return f"Floor of the mean error {e.short()} {e.unit} (no interval)."
    level = percent(e.interval.level)
    if noise.rounds.n_items < TELLING:
        return f"Nothing: {few} too few for a floor."
    if few:
        return f"Floor of the mean error {e.range()} {e.unit} ({few} too few for an interval)."
    if noise.refuted:
        why = refutation(noise.checks, noise.best)
        return f"Floor of the mean error {e.range()} {e.unit} ({level}, any noise). {why}."
    return f"Floor of the mean error {e.short()} {e.unit} ({level} {e.range()}, {presumes(noise)})."


def cited(noise: Compared) -> Cited:
    """Return the sentences for a paper."""
    r, e, pair = noise.rounds, noise.envelope, noise.pair_mae
    unit, ways = noise.mae.unit, methods_of([noise.best.mae])
    whole = "" if r.cluster is None else f" ({len(set(r.cluster)):,} clusters)"
    allow = "" if r.cluster is None else ", which allow for clusters"
    of_limits = f"; intervals: {ways}{allow}" if ways else ""
    n = len(noise.fits)
    laws = f"{n} laws of the noise were" if n > 1 else "one law of the noise was"
    methods = (
        f"The noise of a single annotation was estimated from {counted(r.n_pairs, 'pair')} of "
        f"annotations of {counted(r.n_items, 'item')}{whole} in {r.n_rounds} rounds with {TOOL}; "
        f"{laws} fitted by maximum likelihood{of_limits}."
    )
    results = f"Two annotators differed by {ci(pair, unit)} on average. "
    if r.n_items < TELLING:
        return Cited(methods, f"{too_few(noise)} too few to tell the floor.")
    if noise.refuted:
        ends = "no interval" if e.interval is None else f"{percent(e.interval.level)}, any noise"
        results += (
            f"{refutation(noise.checks, noise.best)}, so that even a perfect model would differ "
            f"from one annotator by {e.range()} {unit} on average ({ends})."
        )
    elif few := too_few(noise):
        results += (
            f"Even a perfect model would differ from one annotator by {e.range()} {unit} on "
            f"average; {few} too few for an interval."
        )
    else:
        results += (
            "Even a perfect model would differ from one annotator by "
            f"{ci(e, unit, words=presumes(noise))} on average."
        )
    return Cited(methods, results + told_failed(noise.checks, but=("goodness_of_fit",)))


def presumes(noise: Compared) -> str:
    """Return what the interval of the floor holds for."""
    method = "" if noise.envelope.interval is None else noise.envelope.interval.method
    told = method.replace("envelope of the intervals of 1 model", "for the law that fits best")
    told = ENVELOPE.sub(rf"over the \1 {_laws_near(noise)}", told)
    return told.replace(" and of ", " and for ").removesuffix(",")


def _laws_near(noise: Compared) -> str:
    """Return which laws the envelope is over."""
    _, kin = near_best(noise.fits)
    return f"laws within 2 of the best AIC{' or of its core,' if kin else ''}"


def floors(noise: Compared) -> Section:
    """Return what annotators differ by, and the floor with and without a law, as a table."""
    unit, best, pair, r = noise.mae.unit, noise.best, noise.pair_mae, noise.rounds
    spread = pair.standard_uncertainty
    told = "" if noise.by_rater is None else ", each less a bias of their own"
    rows = [[f"two annotators differ by{told}", pair.short(), pair.range()]]
    if noise.refuted:
        rows.append(["floor, any noise", "–", noise.envelope.range()])
    elif noise.of == "skewed":
        rows.append(["floor, skewed law", noise.mae.short(), noise.mae.range()])
    fits = " (does not fit: for orientation)" if noise.refuted else ""
    rows.append([f"floor, {best.label}{fits}", best.mae.short(), best.mae.range()])
    if not noise.refuted:
        rows.append([f"floor, {_laws_near(noise).rstrip(',')}", "–", noise.envelope.range()])
    shapes = {
        "symmetric": "floor, any symmetric noise",
        "unimodal": "floor, symmetric with one peak",
        "log_concave": "floor, log-concave (no heavy tails)",
    }
    for shape, label in shapes.items():
        entry = getattr(noise.bracket, shape)
        low, high, least, most = (
            format_number(entry[key], spread) for key in ("low", "high", "low_limit", "high_limit")
        )
        limits = "–" if entry["low_limit"] is None else f"{least} to {most}"
        rows.append([label, f"{low} to {high}", limits])
    if noise.unimodal is not None:
        value = format_number(noise.unimodal.mae.value, noise.mae.standard_uncertainty or spread)
        rows.append(["floor, unimodal maximum likelihood", value, "–"])
    lines = [
        f"{counted(r.n_items, 'item')}, {counted(r.n_pairs, 'pair')} of annotations, "
        f"{r.n_rounds} rounds" + "".join(f"; {note}" for note in r.notes) + "."
    ]
    if noise.skew is not None and noise.of == "skewed":
        lines.append(noise.skew.line())
    columns = (f"mean error, {unit}", "value", _limits_of(noise))
    return Section("Noise of one annotation", columns, rows, lines)


def _limits_of(noise: Compared) -> str:
    """Return the head of a column of limits: of few items they are no intervals."""
    return "range, not known to cover" if too_few(noise) else "interval"


def models(noise: Compared) -> list[Section]:
    """Return the models that the data leave, and, folded, all of them."""
    best = noise.best
    rows = []
    for fit, weight in zip(noise.fits, noise.weights, strict=True):
        rated = fit.model.way.rated
        rate, window = fit.abandonment_rate.value, fit.model.window
        text = "length" if fit.problem.by_length else str(window)
        rows.append(
            [
                fit.label + ("" if fit.converged else " (not converged)"),
                f"{fit.aic - best.aic:.1f}",
                f"{weight:.2f}",
                fit.mae.short(),
                fit.mae.range(),
                f"{rate:.4f}" if rated else "–",
                text if rated and rate else "–",
                f"{fit.log_likelihood:.2f}",
            ]
        )
    notes = sorted({f"{f.label}: {note}" for f in noise.fits[:3] for note in f.notes})
    near = sum(f.converged and f.aic < best.aic + NEAR for f in noise.fits)
    kept = LEAST if noise.refuted else min(max(near, LEAST), MOST)
    title = "Models, best first (mae: E|X| of one annotation)"
    if noise.refuted:
        title = "Models, best first, for orientation: none fits (mae: E|X| of one annotation)"
    columns = [_limits_of(noise) if name == "interval" else name for name in COLUMNS]
    full = Section(title, columns, rows, notes)
    if len(rows) <= kept:
        return [full]
    left = len(rows) - kept
    why = "" if noise.refuted or near > MOST else ", which the data speak against"
    short = [*notes, f"… {left:,} more{why}."]
    return [
        replace(full, rows=rows[:kept], lines=short, when="brief"),
        replace(full, title=f"All {len(rows)} models{title.removeprefix('Models')}", when="all"),
    ]
