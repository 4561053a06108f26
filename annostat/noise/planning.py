"""How many items must be annotated twice for an interval of a wanted width."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annostat._names import renamed
from annostat._version import __version__
from annostat.arrays import FloatArray
from annostat.errors import AnnostatError, check_count, check_level, check_number
from annostat.labels.pairs import PairTable, single_pairs, unit_sums
from annostat.labels.rounds import Rounds
from annostat.resampling.bootstraps import BLOCK_CELLS
from annostat.resampling.generators import Rng, as_generator, seed_of
from annostat.resampling.intervals import exp, log_t_limits, t_reach, wilson
from annostat.resampling.parallel import Progress, map_parallel
from annostat.resampling.sums import Sums
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Provenance, Result
from annostat.results.sections import Section
from annostat.results.text import percent

if TYPE_CHECKING:
    import pandas as pd

    from annostat.noise.model import NoiseModel

__all__ = ["PlanResult", "plan_rounds"]


FAMILY_LIMIT = 1500  # pairs beyond which the choice of family is the larger error
SMALL_PILOT = 30
OPEN = 4.0  # an interval of n that is wider than this, upper by lower limit, is said to be wide
PILOT_RESAMPLES = 2000
MAX_PAIRS = 10**9
LOG_ROUNDING = math.log(1e-12)  # of a squared CV: below, it is rounding
SHIFTS = (-1e-4, 1e-4)  # relative steps of central differences


@dataclass(frozen=True)
class PlanResult(Result):
    """How many items to annotate twice, and what a simulation says about that number.

    Attributes
    ----------
    n_pairs : Estimate
        Items to annotate twice (a whole number, rounded up); with an interval if it comes from
        a pilot.
    variation : Estimate
        CV = SD(|D|)/E|D|, a pure number.
    pair_mae : float
        E|D| of the law that was simulated, in `unit`.
    half_width : float
        Wanted half-width of the interval relative to the estimate.
    level : float
        Confidence level.
    achieved : Estimate
        Median over simulated sets of the relative half-width; uncertainty is Monte Carlo's.
    coverage : Estimate
        Share of simulated intervals that hold the true E|D|; uncertainty is Monte Carlo's.
    design_effect : float
        Factor on n for items that share clusters; 1 without clusters.
    source : str
        What the law was taken from.
    unit : str
        Unit of `pair_mae`.
    n_pairs_fit : int or None
        Pairs that a maximum-likelihood fit of the model's own family would take (window known),
        by its Fisher information; None from a pilot.
    notes : tuple of str
        What a reader must know.
    provenance : Provenance
        What is needed to make the result again.
    """

    n_pairs: Estimate
    variation: Estimate
    pair_mae: float
    half_width: float
    level: float
    achieved: Estimate
    coverage: Estimate
    provenance: Provenance
    design_effect: float = 1.0
    source: str = ""
    unit: str = ""
    n_pairs_fit: int | None = None
    notes: tuple[str, ...] = ()

    def answer(self) -> str:
        """Return how many items it takes, as a sentence."""
        n = f"{self.n_pairs.value:,.0f}"
        rng = self.n_pairs.interval
        if rng is not None:
            top = f"to {rng.high:,.0f}" if math.isfinite(rng.high) else "or more"
            n += f" ({percent(rng.level)} interval {rng.low:,.0f} {top})"
        return (
            f"Annotate {n} items twice: the {percent(self.level)} interval of the mean error will "
            f"then be about ±{percent(self.half_width)} wide."
        )

    def quote(self) -> str:
        """Return what simulated studies of that size reach."""
        return (
            f"{self.n_pairs.value:,.0f} items labelled twice: ±{100 * self.achieved.value:.1f}% in "
            f"the median of simulated studies, {percent(round(self.coverage.value, 4))} of whose "
            "intervals hold the truth."
        )

    def sections(self) -> list[Section]:
        """Return the answer, a table and the notes."""
        rows = [
            ["CV of |D|", str(self.variation)],
        ]
        if self.n_pairs_fit is not None:
            rows.append(["pairs if its family is fitted", f"{self.n_pairs_fit:,}"])
        if self.design_effect != 1:
            rows.append(["design effect", f"{self.design_effect:.2f}"])
        title = f"Plan, from {self.source}" if self.source else "Plan"
        return [self.opening(), Section(title, ["quantity", "value"], rows, list(self.notes))]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {
            "n_pairs": self.n_pairs.to_dict(),
            "variation": self.variation.to_dict(),
            "pair_mae": self.pair_mae,
            "half_width": self.half_width,
            "level": self.level,
            "achieved_half_width": self.achieved.to_dict(),
            "coverage": self.coverage.to_dict(),
            "design_effect": self.design_effect,
            "source": self.source,
            "unit": self.unit,
            "n_pairs_fit": self.n_pairs_fit,
            "notes": list(self.notes),
            "provenance": self.provenance.to_dict(),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per estimate."""
        import pandas as pd

        named = {
            "n_pairs": self.n_pairs,
            "variation": self.variation,
            "achieved_half_width": self.achieved,
            "coverage": self.coverage,
        }
        rows = {name: estimate.to_dict() for name, estimate in named.items()}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("quantity")


@dataclass(frozen=True)
class _Law:
    """Units to draw from: Σ|D|, ΣD² and pairs of each, and its probability."""

    size: FloatArray
    square: FloatArray
    pairs: FloatArray
    chance: FloatArray
    effective: int  # units that the law rests on; 0 for a model

    @property
    def mean(self) -> float:
        return float(self.chance @ self.size) / float(self.chance @ self.pairs)

    @property
    def pairs_per_unit(self) -> float:
        return float(self.chance @ self.pairs)


@renamed(n_check="n_resamples")
def plan_rounds(
    pilot_or_model: Rounds | NoiseModel,
    *,
    half_width: float = 0.05,
    level: float = 0.95,
    n_resamples: int = 200,
    rng: Rng = 0,
    n_jobs: int | None = 1,
    progress: Progress | None = None,
) -> PlanResult:
    r"""Return how many items to annotate twice for a wanted precision of the mean error.

    E|X| is E|D| times a factor that the family sets, so the relative precision of both is nearly
    the same: n ≈ (z·CV/h)² pairs with CV = SD(|D|)/E|D|, z the normal quantile and h the relative
    half-width (delta method on the log scale). At n the log-t interval of E|D| is then simulated.

    Parameters
    ----------
    pilot_or_model : Rounds or NoiseModel
        Pilot rounds, of which every pair counts once; or a law, of which
        ``difference_pmf() -> (d, probability)`` is used. With clusters in the pilot n grows by
        their design effect on E|D| (if above 1), and clusters of the pilot's sizes are simulated.
    half_width : float
        h in (0, 1): 0.05 for an interval of ±5%.
    level : float
        Confidence level.
    n_resamples : int
        Number of simulated sets, at least 2.
    rng, n_jobs, progress
        As everywhere: `annostat.resampling`.

    Returns
    -------
    PlanResult
        From a pilot, n has an interval: bootstrap-t of log n over its units. It covers 91 to 97%
        where the pilot shows the law, and 62 to 74% with blunders so rare, or tails so heavy, that
        most pilots do not show them.

    Raises
    ------
    AnnostatError
        If the pilot has fewer than two units of independence, only differences of zero, or only
        differences of one size: it then cannot tell.

    Notes
    -----
    CV of |D| is .755 for Gaussian noise, .88 for Laplace noise and 1.11 for E|X| of 2 frames with
    1 pick in 300 uniform on ±50: ±5% takes about 880, 1,200 and 1,900 pairs.

    A maximum-likelihood fit of the right family has √(g'I⁻¹g)/E|X| in place of CV, with I the
    information of one pair and g the gradient of E|X|: 1/√2 for Gaussian and .878 for Laplace
    noise that is wide against one frame, hence 768 and 1,184 pairs. From a NoiseModel,
    `n_pairs_fit` is that number. It exceeds n for Laplace noise of about two frames, because on
    whole numbers E|X| moves a little faster than E|D| does (see `lattice_floor`).

    Examples
    --------
    >>> from annostat.noise.model import NoiseModel
    >>> plan = plan_rounds(NoiseModel("laplace", {"scale": 2.0}), rng=1)
    >>> bool(1100 < plan.n_pairs.value < 1300)
    True
    """
    h = check_number("half_width", half_width, low=0.0, high=1.0, open_ends=True)
    level = check_level(level)
    n_resamples = check_count("n_resamples", n_resamples, low=2)
    generator = as_generator(rng)
    notes: list[str] = []
    z = t_reach(math.inf, level)
    is_pilot = isinstance(pilot_or_model, Rounds)
    effect = 1.0
    fitted: int | None = None
    if isinstance(pilot_or_model, Rounds):
        rounds = pilot_or_model.usable()
        law, variation, n_interval, effect = _from_pilot(rounds, z / h, level, generator)
        if rounds.cluster is None:  # the study that is planned has one pair of each item
            size, chance = single_pairs(rounds)
            law = _Law(size, size**2, np.ones(len(size)), chance, law.effective)
        source, unit = "pilot rounds", rounds.unit
        if law.effective < SMALL_PILOT:
            what = "clusters" if rounds.cluster is not None else "items"
            notes.append(
                f"The pilot has {law.effective} {what}: its spread, and so this plan, is rough."
            )
        if n_interval is not None and n_interval.high > OPEN * n_interval.low:
            notes.append(
                "A few differences carry most of the pilot's spread: it leaves the number of pairs "
                "open (see its interval); a larger pilot would tell."
            )
        notes.append(
            "A pilot without a rare blunder gives a plan that is too small, and an interval that "
            "does not know of it."
        )
        digest, n_items = rounds.digest(), rounds.n_items
    else:
        law, variation = _from_model(pilot_or_model)
        efficient = _fit_variation(pilot_or_model)
        fitted = None if efficient is None else math.ceil((z * efficient / h) ** 2)
        n_interval, source, unit, digest, n_items = None, "a model", "frames", "", 0
    needed = max(2.0, effect * (z * variation.value / h) ** 2)
    if needed > MAX_PAIRS:
        raise AnnostatError(
            f"half_width {h:g} would take {needed:.2g} pairs; choose a wider half_width"
        )
    n, why_none = math.ceil(needed), ""
    if is_pilot and n_interval is None:
        why_none = "no interval: the pilot is too small, or its units too much alike"
    if n > FAMILY_LIMIT:
        notes.append(
            f"Beyond about {FAMILY_LIMIT:,} pairs the error from the choice of noise family "
            "exceeds that of sampling: more pairs sharpen E|D|, not the mean error of one "
            "annotation."
        )
    units = max(2, math.ceil(n / law.pairs_per_unit))
    widths, hits = _simulate(law, units, level, n_resamples, generator, n_jobs, progress)
    achieved, coverage = _summarise(widths, hits, level)
    return PlanResult(
        n_pairs=Estimate(float(n), None, n_interval, "pairs", why_none),
        variation=variation,
        pair_mae=law.mean,
        half_width=h,
        level=level,
        achieved=achieved,
        coverage=coverage,
        design_effect=effect,
        source=source,
        unit=unit,
        n_pairs_fit=fitted,
        notes=tuple(notes),
        provenance=Provenance(
            __version__,
            digest,
            n_items,
            seed_of(rng),
            {"half_width": h, "level": level, "n_check": n_resamples, "pilot": is_pilot},
        ),
    )


def _from_model(model: NoiseModel) -> tuple[_Law, Estimate]:
    d, q = model.difference_pmf()
    # Both signs of d are one size; tiny negative rounding of the law is none.
    size, inverse = np.unique(np.abs(d).astype(np.float64), return_inverse=True)
    chance = np.maximum(np.bincount(inverse, np.asarray(q, dtype=np.float64)), 0.0)
    size, chance = size[chance > 0], chance[chance > 0]
    law = _Law(size, size**2, np.ones_like(size), chance / chance.sum(), 0)
    if law.mean == 0:
        raise AnnostatError("the model never errs, so there is nothing to plan")
    return law, Estimate(math.sqrt(float(_variation(law, law.chance[None])[0])))


def _fit_variation(model: NoiseModel) -> float | None:
    """Return √(g'I⁻¹g)/E|X| of a fit of the model's family; None for a bare difference law."""
    parameters = dict(getattr(model, "parameters", {}))
    rate = float(getattr(model, "rate", 0.0))
    if not parameters or not 0 <= rate < 0.5:
        return None
    moved = []
    for name, value in parameters.items():
        steps = [replace(model, parameters={**parameters, name: value * (1 + e)}) for e in SHIFTS]
        moved.append((2 * SHIFTS[1] * value, *steps))
    if rate > 0:
        steps = [replace(model, abandonment_rate=rate * (1 + e)) for e in SHIFTS]
        moved.append((2 * SHIFTS[1] * rate, *steps))
    laws = [[m.difference_pmf()[1] for m in entry[1:]] for entry in moved]
    centre = model.difference_pmf()[1]
    half = max(q.size for q in (centre, *(q for pair in laws for q in pair))) // 2

    def pad(q: FloatArray) -> FloatArray:
        return np.pad(q, half - q.size // 2)

    base = pad(centre)
    seen = base > 1e-12
    slopes = [(pad(q1) - pad(q0))[seen] / h for (h, *_), (q0, q1) in zip(moved, laws, strict=True)]
    information = np.array([[float((a * b / base[seen]).sum()) for a in slopes] for b in slopes])
    gradient = np.array([(m1.mae - m0.mae) / h for h, m0, m1 in moved])
    if np.linalg.cond(information) > 1e14:
        return None
    return math.sqrt(float(gradient @ np.linalg.solve(information, gradient))) / model.mae


def _from_pilot(
    rounds: Rounds, factor: float, level: float, rng: np.random.Generator
) -> tuple[_Law, Estimate, Interval | None, float]:
    """Return the pilot's law, its CV, the interval of n and the design effect."""
    table = PairTable.of(rounds)
    columns = (table.abs_sum, table.square_sum, table.pairs)
    sums = [unit_sums(c, table.weights, table.codes) for c in columns]
    counts = sums[0][1]
    units = int(counts.sum())
    law = _Law(sums[0][0], sums[1][0], sums[2][0], counts / counts.sum(), units)
    if units < 2:
        what = "items" if table.codes is None else "clusters"
        raise AnnostatError(f"a pilot needs at least two {what}, got {units}")
    if law.mean == 0:
        raise AnnostatError(
            "all differences of the pilot are zero: it cannot tell how many pairs are needed"
        )
    cv2 = float(_variation(law, counts[None])[0])
    if cv2 <= 1e-12:
        text = "all differences of the pilot have the same size: it cannot tell how many pairs are"
        raise AnnostatError(f"{text} needed")
    effect = 1.0 if table.codes is None else float(_effect(law, counts[None])[0])
    own = np.repeat(np.arange(counts.size), counts.astype(np.int64))
    size, square, pairs = law.size[own] / law.mean, law.square[own] / law.mean**2, law.pairs[own]
    each = Sums(np.column_stack([size, square, pairs]), table.codes is not None)
    options: dict[str, Any] = {"level": level, "n_resamples": PILOT_RESAMPLES, "scale": "log n"}
    log_cv2 = each.interval(_log_cv2, rng=rng, **options)
    found = [log_cv2]
    if table.codes is not None:
        products = np.column_stack([size, pairs, size**2, size * pairs, pairs**2])
        clusters, shift = Sums(products, True), math.log(units / (units - 1))
        if clusters.value(_log_spread) > LOG_ROUNDING:  # clusters that are not all alike
            found.append(clusters.interval(lambda t: _log_spread(t) + shift, rng=rng, **options))
    cv = math.sqrt(cv2)
    error = cv / 2 * each.standard_error(_log_cv2)
    scaled, needed = log_cv2 and log_cv2.through(lambda x: exp(x / 2)), _larger(found, factor)
    if scaled is not None:
        open_end = needed is not None and math.isinf(needed.high)  # it is as open as that
        method = scaled.method.replace("log n", "log CV")
        scaled = replace(scaled, high=math.inf if open_end else scaled.high, method=method)
    return law, Estimate(cv, error, scaled), needed, effect


def _log_cv2(t: NDArray[Any]) -> NDArray[Any]:
    """Return the logarithm of CV² from Σ|D|, ΣD² and the pairs of units; analytic."""
    return np.asarray(np.log(t[..., 1] * t[..., 2] / t[..., 0] ** 2 - 1))


def _log_spread(t: NDArray[Any]) -> NDArray[Any]:
    """Return the same times the design effect, which may be below 1, of clusters; analytic."""
    size, pairs, square, cross, pairs_square = (t[..., i] for i in range(5))
    mean = size / pairs
    spread = square - 2 * mean * cross + mean**2 * pairs_square
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.log(pairs * spread / size**2))


def _larger(found: list[Interval | None], factor: float) -> Interval | None:
    """Return the interval of n, which is the largest of numbers whose intervals are given."""
    given = [i for i in found if i is not None]
    if not given:
        return None
    low, high = (factor**2 * exp(max(getattr(i, end) for i in given)) for end in ("low", "high"))
    high = math.ceil(high) if high < MAX_PAIRS else math.inf
    return replace(given[-1], low=float(math.ceil(max(2.0, low))), high=float(max(2, high)))


def _variation(law: _Law, times: FloatArray) -> FloatArray:
    """Return the squared CV of |D| over pairs, for each row of multiplicities."""
    pairs = times @ law.pairs
    mean = times @ law.size / pairs
    return np.asarray(np.maximum(times @ law.square / pairs / mean**2 - 1, 0.0))


def _effect(law: _Law, times: FloatArray) -> FloatArray:
    """Return the design effect of E|D|, at least 1, for each row of multiplicities."""
    mean, se = _ratio_rows(law, times)
    independent = mean**2 * _variation(law, times) / (times @ law.pairs)
    ratio = np.divide(se**2, independent, out=np.ones_like(se), where=independent > 0)
    return np.asarray(np.maximum(1.0, ratio))


def _ratio_rows(law: _Law, times: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return mean and robust standard error of E|D| for each row of multiplicities."""
    units = times.sum(axis=1)
    pairs = times @ law.pairs
    mean = times @ law.size / pairs
    spread = (
        times @ law.size**2
        - 2 * mean * (times @ (law.size * law.pairs))
        + mean**2 * (times @ law.pairs**2)
    )
    variance = units / np.maximum(units - 1, 1) * np.maximum(spread, 0.0)
    return np.asarray(mean), np.asarray(np.sqrt(variance) / pairs)


def _simulate(
    law: _Law,
    units: int,
    level: float,
    n_resamples: int,
    rng: np.random.Generator,
    n_jobs: int | None,
    progress: Progress | None,
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return the relative half-width of each simulated interval, and whether it held E|D|."""
    block = max(1, min(n_resamples, BLOCK_CELLS // law.size.size, 50))
    sizes = [min(block, n_resamples - begin) for begin in range(0, n_resamples, block)]

    def one_block(
        task: tuple[np.random.Generator, int],
    ) -> tuple[FloatArray, NDArray[np.bool_]]:
        generator, size = task
        times = generator.multinomial(units, law.chance, size=size).astype(np.float64)
        mean, se = _ratio_rows(law, times)
        seen = mean > 0
        low, high = log_t_limits(np.where(seen, mean, 1.0), se, units - 1, level)
        # A set of zeros alone has the interval that starts at 0 and misses.
        width = np.where(seen, (high - low) / 2 / np.where(seen, mean, 1.0), np.inf)
        return width, seen & (low <= law.mean) & (law.mean <= high)

    tasks = list(zip(rng.spawn(len(sizes)), sizes, strict=True))
    parts = map_parallel(one_block, tasks, n_jobs=n_jobs, progress=progress)
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def _summarise(
    widths: FloatArray, hits: NDArray[np.bool_], level: float
) -> tuple[Estimate, Estimate]:
    """Return median width and coverage with their Monte-Carlo uncertainty (Wilson)."""
    n = hits.size
    ordered = np.sort(widths)
    reach = t_reach(math.inf, level) * math.sqrt(n) / 2
    at = np.clip([math.floor(n / 2 - reach), math.ceil(n / 2 + reach)], 0, n - 1)
    low, high = (float(ordered[i]) for i in at)
    z = t_reach(math.inf, level)
    median = float(np.median(ordered))
    se = (high - low) / (2 * z) if math.isfinite(high) else None
    achieved = Estimate(median, se, Interval(low, high, level, "order statistics of simulation"))
    share = float(hits.mean())
    limits = wilson(share, n, level, "Wilson, simulation")
    return achieved, Estimate(share, math.sqrt(share * (1 - share) / n), limits)
