r"""A model that was trained on one of two rounds, whose raters may be unequally noisy.

Z_j = Y + β_j + X_j, and the model is f = Y + u + c·X₁, trained on round 1. With S the covariances
of Z₁, Z₂ and f, and o the distance of the mean of f from the mean of both rounds,

    E(f − Y)²                T = E(f − Z₂)² − σ₂² = S_ff − 2·S_f2 + S_12 + o²
    over the floor of Z₁     V = E(f − Z₁)² − σ₁² = S_ff − 2·S_f1 + S_12 + o²
    share of X₁ in f         c = (S_f1 − S_f2)/(S_11 − S_12)

since two rounds on one scale identify the noise of each, σ₂² = S_22 − S_12 (Grubbs 1948). V < 0 is
what no right model reaches: it has learned the noise of round 1. Taking both raters to be equally
noisy, σ² = ½·Var D, misses T by half of σ₁² − σ₂²: with a ratio of 1.25 : 0.8 its intervals cover
4% at n = 200, and with 0.8 : 1.25 honest models are told to have learned the noise in 39%. Nor may
that be printed where a test does not refute equal raters: then it covers 4 to 35% (n = 300).

What Grubbs' moments say is cut to what is possible whatever they say: σ₂² is between 0 and Var D,
so that T is between E(f − Z₂)² − Var D and E(f − Z₂)², and not negative. Where both limits are
those ends, two rounds do not resolve it. All of it needs one scale: if the raters' gains differ by
g − 1, T and V move by (g − 1)·τ². The gain that would undo a verdict is told, and none is given
where that is below 1.05.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from annostat.agreement.covariances import TAILS, Moments, shrunken
from annostat.agreement.rater_noise import (
    equal_noise,
    log_limits,
    noise_variance_of,
)
from annostat.errors import AnnostatError, check_choice, check_level, check_numbers
from annostat.labels.rounds import Rounds
from annostat.noise.tails import HELD, Tails, tails_of_labels
from annostat.resampling.clusters import cluster_codes
from annostat.resampling.intervals import t_reach
from annostat.resampling.sums import Sums
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check, Result, check_section
from annostat.results.sections import Section
from annostat.results.text import format_number, plain
from annostat.truth.means import fieller, root

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 3
SAME_SCALE = 1.05  # a gain between two raters that nobody would notice
NOT_RESOLVED = "not resolved by two rounds: all that is possible is left"


@dataclass(frozen=True)
class TrainedOnOne(Result):
    """A model that was trained on one of two rounds, against the truth.

    Attributes
    ----------
    excess : Estimate
        T = E(f − Y)²; its interval is cut to what is possible.
    true_rmse : Estimate
        √T.
    over_floor : Estimate
        V, the model's mean square error over the floor of the round it was trained on; signed.
    learned : bool or None
        Whether it has learned the noise of that round (all of V's interval is negative). None
        where a gain between raters below 1.05 would undo it.
    share : Estimate
        Share c of that round's noise that is in the model; Fieller's interval.
    p_value : float or None
        Two-sided, of c = 0.
    resolved : bool
        False where the interval of T is all that is possible.
    gain_to_undo : float
        Gain between raters at which the end of V's interval would reach 0.
    equal : Check
        Whether they are.
    round_ : str
        The round it was trained on.
    """

    excess: Estimate
    true_rmse: Estimate
    over_floor: Estimate
    learned: bool | None
    share: Estimate
    p_value: float | None
    resolved: bool
    gain_to_undo: float
    equal: Check
    round_: str
    n_items: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "round": self.round_,
            "p_value": plain(self.p_value),
            "n_items": self.n_items,
            "excess": self.excess.to_dict(),
            "true_rmse": self.true_rmse.to_dict(),
            "over_floor": self.over_floor.to_dict(),
            "learned": self.learned,
            "share": self.share.to_dict(),
            "resolved": self.resolved,
            "gain_to_undo": plain(self.gain_to_undo),
            "equal_noise": self.equal.to_dict(),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per estimate."""
        import pandas as pd

        names = ("excess", "true_rmse", "over_floor", "share")
        return pd.DataFrame([{"quantity": n, **getattr(self, n).to_dict()} for n in names])

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        rows = [
            ["error against the truth, RMSE", self.true_rmse],
            [f"square error over the floor of {self.round_}", self.over_floor],
            [f"share of the noise of {self.round_} in it", self.share],
        ]
        cells = [
            [str(name), e.short(), e.range(), e.note] for name, e in rows if isinstance(e, Estimate)
        ]
        title = f"Trained on {self.round_}"
        return [
            Section(title, ("what", "estimate", "interval", "note"), cells, [self.sentence()]),
            check_section([self.equal]),
        ]

    def sentence(self) -> str:
        """Return the verdict for people."""
        if self.learned is None:
            gain = format_number(self.gain_to_undo)
            return (
                f"Its errors against {self.round_} are below that round's floor, but raters whose "
                f"scales differ by a factor of {gain} would explain it: not judged."
            )
        if self.learned:
            gain = format_number(self.gain_to_undo)
            return (
                f"It has learned the noise of {self.round_}: against it, it is better than a right "
                f"model can be (unless the raters' scales differ by a factor of {gain})."
            )
        if not self.resolved:
            return f"Its error against the truth is {NOT_RESOLVED}; a third round would tell."
        return f"It is not shown to have learned the noise of {self.round_}."


def trained_on_one(
    rounds: Rounds, predictions: ArrayLike, trained: str, *, level: float = 0.95
) -> TrainedOnOne:
    r"""Score a model that was trained on one of two rounds, raters being unequal or not.

    Parameters
    ----------
    rounds : Rounds
        Two rounds with an identity, of shape (n_items, 2). Items that lack a label or a prediction
        are left out; clusters are units. A bias between rounds is removed.
    predictions : array-like of shape (n_items,)
        What the model says, in the unit of the labels, NaN where nothing.
    trained : str
        Name of the round whose labels of these very items it was trained on.
    level : float
        Confidence level.

    Returns
    -------
    TrainedOnOne

    Raises
    ------
    AnnostatError
        If there are not two rounds with an identity, fewer than three complete items, or the
        predictions do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> g = np.random.default_rng(1)
    >>> truth = g.normal(50, 8, 800)
    >>> labels = truth[:, None] + g.normal(0, [1.0, 3.0], (800, 2))
    >>> rounds = Rounds.from_array(labels, names=["A", "B"])
    >>> honest = trained_on_one(rounds, truth + g.normal(0, 1, 800), "A")
    >>> honest.learned, 1.0 in honest.true_rmse.interval
    (False, True)
    """
    level = check_level(level)
    check_choice("trained", trained, rounds.names)
    if rounds.n_rounds != 2 or rounds.exchangeable:
        what = "rounds without identity" if rounds.exchangeable else f"{rounds.n_rounds} rounds"
        raise AnnostatError(
            f"training on one of two rounds takes two rounds with an identity, got {what}; with "
            "more, the rounds it has not seen tell its error (score_models)"
        )
    if rounds.weights is not None:
        raise AnnostatError("training on one of two rounds takes every item, but these are counts")
    f = check_numbers("predictions", predictions)
    if f.shape != (len(rounds.values),):
        raise AnnostatError(
            f"predictions must have shape ({len(rounds.values)},), one per item, got {f.shape}"
        )
    first = rounds.names.index(trained)
    columns = np.column_stack([rounds.values[:, [first, 1 - first]], f])
    full = np.isfinite(columns).all(axis=1)
    if full.sum() < FEWEST:
        raise AnnostatError(
            f"predictions and labels must share {FEWEST} items or more, got {int(full.sum())}"
        )
    codes = cluster_codes(None if rounds.cluster is None else rounds.cluster[full])
    labels = columns[full][:, :2] - columns[full][:, :2].mean(axis=0)
    units = np.arange(len(labels)) if codes is None else codes
    tails = tails_of_labels(labels, np.ones(2), units, level=level)
    return _score(Moments.of(columns[full], codes), tails, trained, rounds, level)


def _score(m: Moments, tails: Tails, trained: str, rounds: Rounds, level: float) -> TrainedOnOne:
    unit, df = rounds.unit, m.n_units - 1
    square_unit = f"{unit}²" if unit else ""
    both = [noise_variance_of(j, 2) for j in (0, 1)]
    # Neither the noise of the other round nor the error of the model is more than they differ by.
    most = max(m.value(against_other), 0.0)
    noise = np.array([max(m.value(g), 0.0) for g in (*both, error_of)])
    noise[1:] = np.minimum(noise[1:], most)
    t = t_reach(df, level) if df > 0 else math.nan
    scale = m.scale**2
    value, error = m.value(error_of), m.error(error_of, noise)
    low = value - t * error
    high = value + upwards(value, error, t, m.n_units)
    seen, width = m.value(against_other), m.error(against_other, noise)
    spread = m.value(difference)
    ends = (0.0, math.inf)
    if seen > 0 and spread > 0:
        gap_error = m.error(lambda a, s: against_other(a, s) - difference(a, s), noise)
        ends = (max(seen - spread - t * gap_error, 0.0), log_limits(seen, width, df, level)[1])
    resolved = low > ends[0] or high < ends[1]
    low, high = (min(max(x, ends[0]), ends[1]) for x in (low, high))
    hidden = tails.of_part(m.value(part_learned))
    low, high, held = _with_tails(value, low, high, hidden)
    method = f"t over {m.sums.units}, cut to what is possible{held}"
    note = "" if resolved else NOT_RESOLVED
    if value < 0:
        note = "; ".join(x for x in ("the estimate of its square is negative", note) if x)
    limits = Interval(low * scale, high * scale, level, method)
    excess = Estimate(value * scale, error * scale, limits, square_unit, note)
    over, over_error = m.value(over_floor), m.error(over_floor, noise)
    top = over + t * over_error
    signal = m.covariance[0, 1]
    gain = 1 + abs(top) / signal if signal > 0 else math.inf
    learned: bool | None = top < 0
    if learned and gain < SAME_SCALE:
        learned = None
    limits = Interval((over - t * over_error) * scale, top * scale, level, f"t over {m.sums.units}")
    names = (trained, next(name for name in rounds.names if name != trained))
    equal = equal_noise(m, both, names, level)
    return TrainedOnOne(
        excess,
        root(excess, unit),
        Estimate(over * scale, over_error * scale, limits, square_unit),
        learned,
        *_share(m, level),
        resolved,
        gain,
        equal,
        trained,
        m.n_items,
    )


def _with_tails(value: float, low: float, high: float, hidden: Tails) -> tuple[float, float, str]:
    """Return limits of a mean square, joined with what heavy tails of learned noise hide of it.

    In squares on the log scale. The lower limit may be 0, and stays so.
    """
    if not 0 < value < high or hidden.low == hidden.high == 1:
        return low, high, ""
    up = math.hypot(math.log(high / value), 2 * math.log(hidden.high))
    if 0 < low < value:
        low = value * math.exp(-math.hypot(math.log(value / low), 2 * math.log(hidden.low)))
    return low, value * math.exp(up), f", {HELD}"


def upwards(value: float, error: float, t: float, n: int) -> float:
    """Return the upper reach of a mean square that is only seen less other variances.

    What it scatters by itself, as a mean of squares of heavy-tailed errors, goes upwards on the log
    scale; the rest of its error is symmetric; the two are joined as in MOVER (Zou 2008).
    """
    own = math.sqrt((2 + shrunken(0.0, TAILS, n)) / n)
    own = min(own, error / value) if value > 0 else 0.0
    up = value * math.expm1(min(t * own, 700.0))
    return math.hypot(t * math.sqrt(max(error**2 - (own * value) ** 2, 0.0)), up)


def error_of(mean: NDArray[Any], s: NDArray[Any]) -> NDArray[Any]:
    """Return T of the columns: trained round, other round, model."""
    return np.asarray(s[..., 2, 2] - 2 * s[..., 1, 2] + s[..., 0, 1] + _offset(mean))


def part_learned(mean: NDArray[Any], s: NDArray[Any]) -> NDArray[Any]:
    """Return the share c²·σ₁²/T of learned noise in T; all of it where that is not identified."""
    noise, square = s[..., 0, 0] - s[..., 0, 1], error_of(mean, s)
    seen = (noise > 0) & (square > 0)
    learned = np.maximum(s[..., 0, 2] - s[..., 1, 2], 0.0) ** 2
    share = learned / np.where(seen, noise * square, 1.0)
    return np.where(seen, np.minimum(share, 1.0), 1.0)


def over_floor(mean: NDArray[Any], s: NDArray[Any]) -> NDArray[Any]:
    """Return V of the columns."""
    return np.asarray(s[..., 2, 2] - 2 * s[..., 0, 2] + s[..., 0, 1] + _offset(mean))


def against_other(mean: NDArray[Any], s: NDArray[Any]) -> NDArray[Any]:
    """Return E(f − Z₂)² of the columns, the bias of the rounds removed."""
    return np.asarray(s[..., 2, 2] - 2 * s[..., 1, 2] + s[..., 1, 1] + _offset(mean))


def difference(_: NDArray[Any], s: NDArray[Any]) -> NDArray[Any]:
    """Return Var D of the rounds."""
    return np.asarray(s[..., 0, 0] + s[..., 1, 1] - 2 * s[..., 0, 1])


def _offset(mean: NDArray[Any]) -> NDArray[Any]:
    return np.asarray((mean[..., 2] - (mean[..., 0] + mean[..., 1]) / 2) ** 2)


def _share(m: Moments, level: float) -> tuple[Estimate, float | None]:
    """Return c = (S_f1 − S_f2)/(S_11 − S_12), by Fieller over units, and the p-value of 0."""
    parts = (
        lambda _, s: np.asarray(s[..., 0, 2] - s[..., 1, 2]),
        lambda _, s: np.asarray(s[..., 0, 0] - s[..., 0, 1]),
    )
    columns = [
        m.sums.pull(lambda t, g=g: g(*m.split(t))) + m.value(g) / m.n_units  # type: ignore[misc]
        for g in parts
    ]
    return fieller(Sums(np.column_stack(columns), m.sums.clustered), level=level)
