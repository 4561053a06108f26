"""Raters who differ: each one's bias, and E|X| against each one's label and one at random.

Picks less each rater's bias, to half a frame, follow the symmetric laws of the other modules: on
the lattice of half frames where a bias is not whole. With three and more rounds each rater has a
scale of their own; two rounds give the average of two noises only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from annostat.arrays import FloatArray
from annostat.errors import AnnostatError
from annostat.labels.pairs import design_effect
from annostat.labels.rounds import Rounds
from annostat.noise.model import NoiseModel
from annostat.noise.problem import make_problem
from annostat.noise.profile import Profiler
from annostat.noise.result import NoiseFit, fit_problem
from annostat.resampling.intervals import t_reach
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Result
from annostat.results.sections import Section
from annostat.results.text import counted

if TYPE_CHECKING:
    import pandas as pd

TRIMMED = 0.1  # of each end: what gives up says nothing of a habit
TURNS = 50  # backfitting of offsets of raters who share few items


@dataclass(frozen=True, eq=False)
class RaterNoise(Result):
    """Biases of raters, and the least mean error of any model against each one's label.

    Attributes
    ----------
    bias : dict of str to Estimate
        Of each rater against the mean of all, in frames; their sum is 0.
    mae : dict of str to Estimate
        Least mean absolute error against a label of this rater, whose bias a model can learn.
        Two rounds know no more of it than 0 to E|D|: the value is that of equally noisy raters.
    one_of_them : Estimate
        Least mean absolute error against a label of one of these raters, drawn at random.
    own_scales : bool
        Whether each rater has a scale of their own.
    """

    bias: dict[str, Estimate]
    mae: dict[str, Estimate]
    one_of_them: Estimate
    own_scales: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of the promised JSON."""
        return {
            "own_scales": self.own_scales,
            "raters": {
                name: {
                    "bias": self.bias[name].to_dict(),
                    "mae": self.mae[name].to_dict(),
                }
                for name in self.bias
            },
            "one_of_them": self.one_of_them.to_dict(),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per rater and one for any of them."""
        import pandas as pd

        rows = []
        for name, bias in self.bias.items():
            m = self.mae[name]
            limits = (bias.value, bias.low, bias.high, m.value, m.low, m.high)
            rows.append([name, *limits])
        one = self.one_of_them
        rows.append(["one of them", None, None, None, one.value, one.low, one.high])
        columns = ["rater", "bias", "bias_low", "bias_high", "mae", "mae_low", "mae_high"]
        return pd.DataFrame(rows, columns=columns)

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        rows = [
            [name, f"{b.value:+.2f}", b.range(), self.mae[name].short(), self.mae[name].range()]
            for name, b in self.bias.items()
        ]
        one = self.one_of_them
        rows.append(["one of them", "", "", one.short(), one.range()])
        lines = [
            "Each rater has a scale of their own."
            if self.own_scales
            else "Two rounds give the average of two noises: of either rater no more is known than "
            "0 to the mean difference (the value is that of equally noisy ones)."
        ]
        columns = ("label of", "bias", "interval", "mae", "interval of mae")
        return [
            Section("Against whose label (mae of the best possible model)", columns, rows, lines)
        ]


def trimmed_mean(d: FloatArray, level: float, effect: float = 1.0) -> Estimate:
    """Return the trimmed mean of differences, with the interval of Tukey and McLaughlin (1963).

    A tenth of each end is left out: the estimate of a shift of symmetric noise is unbiased and
    moves by less than a frame however far off give-ups are.
    """
    n = d.size
    cut = math.floor(TRIMMED * n)
    ordered = np.sort(d)
    kept = ordered[cut : n - cut]
    low, high = kept[0], kept[-1]
    spread = float(np.clip(d, low, high).std(ddof=1)) if n > 1 else math.nan
    error = math.sqrt(effect) * spread / ((1 - 2 * TRIMMED) * math.sqrt(n))
    value = float(kept.mean())
    if not (kept.size > 1 and math.isfinite(error)):
        return Estimate(value)
    half = t_reach(kept.size - 1, level) * error
    method = "t of the trimmed mean"
    return Estimate(value, error, Interval(value - half, value + half, level, method))


def rater_biases(rounds: Rounds, *, level: float = 0.95) -> dict[str, Estimate]:
    """Return each rater's bias against the mean of all raters; they sum to 0.

    Of rater j: the trimmed mean of z_ij − mean of the others' picks less their biases, fitted in
    turns, so that raters who share few items are compared too.

    Parameters
    ----------
    rounds : Rounds
        Two or more rounds with identity.

    Returns
    -------
    dict of str to Estimate
        In the unit of the picks, with t intervals (widened by the design effect of clusters).

    Raises
    ------
    AnnostatError
        If the order of the rounds has no identity, or a rater shares no item with another.

    Examples
    --------
    >>> from annostat import Rounds
    >>> rounds = Rounds.from_array([[10, 13], [20, 22], [31, 33], [7, 11]], names=["a", "b"])
    >>> {name: bias.value for name, bias in rater_biases(rounds).items()}
    {'a': -1.375, 'b': 1.375}
    """
    if rounds.exchangeable:
        raise AnnostatError(
            "by_rater needs rounds that are persons: the order of these has no identity"
        )
    values = np.repeat(rounds.values, rounds.row_weights, axis=0)
    seen = np.isfinite(values)
    k = values.shape[1]
    offsets = np.zeros(k)
    found: list[Estimate] = []
    effect = design_effect(rounds)
    for _ in range(TURNS):
        found = []
        for j in range(k):
            less = np.where(seen, values - offsets, 0.0)
            others = seen.sum(axis=1) - seen[:, j]
            mine = seen[:, j] & (others > 0)
            if not mine.any():
                raise AnnostatError(f"rater {rounds.names[j]!r} shares no item with another rater")
            rest = (less.sum(axis=1) - less[:, j])[mine] / others[mine]
            found.append(trimmed_mean(values[mine, j] - rest, level, effect))
        new = np.array([e.value for e in found])
        new = (offsets + new - new.mean()) / 2  # undamped, two raters would swap for ever
        if np.abs(new - offsets).max() < 1e-9:
            break
        offsets = new
    # Complete rounds: z_ij − mean of the others has k/(k − 1) times the error of the bias.
    return {
        name: Estimate(
            float(o),
            None if e.standard_uncertainty is None else e.standard_uncertainty * (k - 1) / k,
            None
            if e.interval is None
            else replace(
                e.interval,
                low=float(o) + (e.interval.low - e.value) * (k - 1) / k,
                high=float(o) + (e.interval.high - e.value) * (k - 1) / k,
            ),
            rounds.unit or "frames",
        )
        for name, o, e in zip(rounds.names, offsets, found, strict=True)
    }


def unbiased(
    rounds: Rounds, biases: dict[str, Estimate], *, physical: bool
) -> tuple[Rounds, FloatArray]:
    """Return the picks less each rater's bias against the first one, to half a frame, and those.

    Where a bias is not whole, picks and lengths are in half frames, each with half of the period
    (of a frame, unless `physical`).
    """
    against = np.array([e.value for e in biases.values()])
    halves = np.round(2 * (against - against[0])).astype(np.int64)
    if not (halves % 2).any():
        return replace(rounds, values=rounds.values - halves / 2), halves / 2
    given = rounds.period if physical else None
    finer = replace(
        rounds,
        values=2 * rounds.values - halves,
        period=np.full(len(rounds.values), 0.5) if given is None else given / 2,
        period_unit=rounds.unit or "frames" if given is None else rounds.period_unit,
        length=None if rounds.length is None else 2 * rounds.length,
        notes=(*rounds.notes, "biases of half frames are taken away: windows are in half frames"),
    )
    return finer, halves / 2


def own_noise(fits: Sequence[NoiseFit], rounds: Rounds, level: float) -> dict[str, Estimate]:
    """Return E|X| of each of three and more raters, from one scale each.

    Each core of `fits` is fitted again with a scale for each rater: the mixture of a quiet and a
    noisy rater looks like a heavy tail. Limits are the hull over cores within 2 AIC of the best.
    """
    cores: dict[str, NoiseFit] = {}
    for fit in fits:  # in the order of AIC: the best way of giving up of each core
        cores.setdefault(fit.model.family.name, fit)
    own = [_by_rater(fit, rounds, 0, level) for fit in cores.values()]
    best = min(f.aic for f in own)
    kept = [
        (fit, first)
        for fit, first in zip(cores.values(), own, strict=True)
        if first.aic <= best + 2
    ]
    kept.sort(key=lambda pair: pair[1].aic)
    found = {}
    for j, name in enumerate(rounds.names):
        each = [
            _size_of_first(first if j == 0 else _by_rater(fit, rounds, j, level), level)
            for fit, first in kept
        ]
        lows = [e.interval.low for e in each if e.interval is not None]
        highs = [e.interval.high for e in each if e.interval is not None]
        method = f"profile likelihood of the rater's scale, hull of {counted(len(each), 'core')}"
        limits = Interval(min(lows), max(highs), level, method)
        found[name] = replace(each[0], interval=limits)
    return found


def _by_rater(fit: NoiseFit, rounds: Rounds, first: int, level: float) -> NoiseFit:
    """Fit the core of a model with one scale for each rater; the core's is that of `first`."""
    order = [first, *(i for i in range(rounds.n_rounds) if i != first)]
    names = tuple(rounds.names[i] for i in order)
    mine = replace(rounds, values=rounds.values[:, order], names=names)
    window: str | int = "length" if fit.problem.by_length else fit.model.window or "auto"
    problem = make_problem(
        mine, fit.model.family, fit.problem.abandonment, window, fit.problem.physical, True, None
    )
    return fit_problem(problem, interval=False, level=level)


def _size_of_first(own: NoiseFit, level: float) -> Estimate:
    """Return E|X| of the rater whose scale is the core's, from the profile of that scale."""
    p, u = own.problem, own.solution
    name = p.family.parameters[0].name
    window = own.model.window or 0
    profiler = Profiler(p, own.log_likelihood, u, window, own.window_profile, level)
    # Biases are plugged in: the cut is that of 2 degrees of freedom, of the noise and of its bias.
    profiler.half = -p.cells.effect * math.log1p(-level)
    error = own.parameters[name].standard_uncertainty
    # On the log scale, as the profile walks.
    scale = profiler.coordinate(
        0, math.nan if error is None else error / own.parameters[name].value
    )
    law = replace(own.model, period=float(p.cells.period.mean()))
    low, high = (
        replace(law, parameters={**law.parameters, name: math.exp(x)}).mae
        if math.isfinite(x)
        else (0.0 if x < 0 else math.inf)
        for x in (scale.low, scale.high)
    )
    return Estimate(law.mae, None, Interval(low, high, level, scale.method), own.mae.unit)


def mixed_size(model: NoiseModel, sizes: FloatArray, shifts: FloatArray) -> float:
    """Return min_c of the mean over raters of E|s_j X + o_j − c|: X of the model, E|X| = 1.

    The best model of labels of raters drawn at random predicts the median of all their laws.
    """
    x, f = model.noise_pmf()
    unit = x * model.period / model.mae
    places = (sizes[:, None] * unit + shifts[:, None]).ravel()
    weights = np.tile(f / f.sum() / sizes.size, sizes.size)
    order = np.argsort(places, kind="stable")
    places, weights = places[order], weights[order]
    middle = places[np.searchsorted(np.cumsum(weights), 0.5)]
    return float(weights @ np.abs(places - middle))


def over_models(own: Estimate, one: Estimate, all_of_them: Estimate) -> Estimate:
    """Return a rater's E|X| with limits as much wider as those of all models are than one's."""
    a, b, c = own.interval, one.interval, all_of_them.interval
    if a is None or b is None or c is None or not b.low > 0:
        return own
    low, high = a.low * min(c.low / b.low, 1), a.high * max(c.high / b.high, 1)
    return replace(own, interval=replace(a, low=low, high=high, method=f"{a.method}; {c.method}"))


def rater_noise(
    fits: Sequence[NoiseFit],
    rounds: Rounds,
    same: Estimate,
    either: Estimate,
    biases: dict[str, Estimate],
    unit: float,
) -> RaterNoise:
    """Return the rows of each rater and of one at random.

    Parameters
    ----------
    fits : sequence of NoiseFit
        The models of the picks less biases, in the order of AIC.
    rounds : Rounds
        The picks less biases.
    same : Estimate
        E|X| of the average rater, with limits.
    either : Estimate
        E|X| of either of two raters who may be unequally noisy.
    biases : dict
        Of `rater_biases`, in frames.
    unit : float
        Duration of a frame in the unit of E|X|.

    Notes
    -----
    The interval of one at random has the noise at its limits and the biases moved by a standard
    error of their own, both at once.
    """
    fit, own = fits[0], rounds.n_rounds > 2
    level = same.interval.level if same.interval is not None else 0.95
    if own:
        mae = own_noise(fits, rounds, level)
        mae = {name: over_models(e, fit.mae, same) for name, e in mae.items()}
    else:
        mae = dict.fromkeys(rounds.names, replace(either, value=same.value))
    model = replace(fit.model, period=float(fit.problem.cells.period.mean()))
    sizes = np.array([e.value if own else same.value for e in mae.values()])
    shifts = unit * np.array([e.value for e in biases.values()])
    errors = unit * np.array([e.standard_uncertainty or 0.0 for e in biases.values()])
    limits = None
    if same.interval is not None and sizes.mean() > 0:
        ends = [
            mixed_size(
                model,
                sizes * end / sizes.mean(),
                np.sign(shifts) * np.maximum(np.abs(shifts) + side * errors, 0),
            )
            for end, side in ((same.interval.low, -1), (same.interval.high, 1))
        ]
        method = f"{same.interval.method}; biases moved by a standard error"
        limits = Interval(ends[0], ends[1], level, method)
    value = mixed_size(model, sizes, shifts)
    return RaterNoise(biases, mae, Estimate(value, None, limits, fit.mae.unit), own)
