"""What holds without a noise law, and whether the data contradict the assumptions behind one.

`pair_mae` is what two annotations of an item differ by on average; `bracket` is what follows
from it for one annotation, family or no family; `check_rounds` looks at the assumptions.

The unit of independence is the cluster (patient) where one is given, else the item. A row of
weight w counts as w items.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from annostat.errors import AnnostatError, check_level, check_numbers, check_squares
from annostat.estimates import (
    Check,
    Estimate,
    Interval,
    Result,
    Section,
    format_number,
    format_p,
    percent,
    plain,
)
from annostat.resampling import Rng, as_generator, cluster_codes
from annostat.rounds import Rounds

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Bracket", "bracket", "check_rounds", "lattice_floor", "pair_mae"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

FACTORS = {"symmetric": (1 / 2, 1.0), "unimodal": (1 / 2, 3 / 4), "log_concave": (2 / 3, 3 / 4)}
NARROW_FRAMES = 2.0  # below this E|D| the lattice matters to the log-concave bracket
ROUNDING = 1e-12  # a spread below this fraction of the mean is rounding, not spread
CF_POINTS, CF_REACH, CF_DRAWS = 48, 8.0, 2000  # grid of t, its end in 1/E|D|, Gaussian draws
CF_MIN_UNITS, RANK_MIN_UNITS, INFLUENCE_MIN_ITEMS, FEW_CLUSTERS = 20, 5, 20, 10
INFLUENCE_TOP, INFLUENCE_LIMIT = 0.01, 0.5
CHUNK_ROWS = 1 << 16


# --------------------------------------------------------------------------- E|D| and brackets


def pair_mae(rounds: Rounds, *, level: float = 0.95) -> Estimate:
    r"""Return the mean absolute difference between two annotations of the same item, E|D|.

    Every pair of annotations of an item has weight 1, so an item with k annotations counts
    k(k − 1)/2 times; with more than two rounds and missing cells the note says so.

    Parameters
    ----------
    rounds : Rounds
        Values of shape (n_items, n_rounds); NaN is a missing annotation, and items with fewer
        than two annotations are left out.
    level : float
        Confidence level.

    Returns
    -------
    Estimate
        In `rounds.unit`. The interval is a t interval for log E|D|: with S_u the sum of |D| and
        M_u the number of pairs in unit u of C, m = ΣS/ΣM and
        SE² = C/(C−1) · Σ(S_u − m·M_u)² / (ΣM)², it is m·exp(± t_{C−1}·SE/m). It covers 93 to
        95% even under rare blunders. If all differences are 0 the interval is [0, u]: u is the
        Clopper-Pearson limit 1 − (α/2)^(1/C) of the share of units that differ, times the
        smallest step between two values (1 for whole numbers). It then bounds how often
        annotations differ, on the premise that they differ by that smallest step. With one unit,
        or if all differences have one size, the interval is None and the note says why.

    Raises
    ------
    AnnostatError
        If no item has two annotations, values are beyond 1e60 or all below 1e-60, or the level
        is outside (0, 1).

    Examples
    --------
    >>> rounds = Rounds.from_array([[10, 12], [31, 30], [7, 7], [20, 23]], unit="frames")
    >>> print(pair_mae(rounds))
    1.50 frames, 95% interval 0.38 to 5.90
    """
    level = check_level(level)
    rounds = rounds.usable()
    unit = rounds.unit
    table = _Table.of(rounds)
    mean, se, units = _ratio(table.abs_sum, table.pairs, table.weights, table.codes)
    note = ""
    if len(set(table.pairs.tolist())) > 1:
        note = "every pair of annotations counts once: items with more annotations weigh more"
    if mean == 0:
        share = -math.expm1(math.log((1 - level) / 2) / units)
        method = "Clopper-Pearson limit of the share that differs, by one step each"
        top = share * _smallest_step(rounds.values)
        return Estimate(0.0, None, Interval(0.0, top, level, method), unit, note)
    if units < 2:
        what = "items" if table.codes is None else "clusters"
        return Estimate(mean, None, None, unit, f"no interval: it takes two {what} or more")
    if se <= ROUNDING * mean:
        why = "no interval: all differences have the same size"
        return Estimate(mean, None, None, unit, why)
    low, high = log_t_limits(mean, se, units - 1, level)
    where = "items" if table.codes is None else "clusters"
    interval = Interval(float(low), float(high), level, f"log-t over {where}")
    return Estimate(mean, se, interval, unit, note)


def log_t_limits(
    mean: ArrayLike, se: ArrayLike, df: int, level: float
) -> tuple[FloatArray, FloatArray]:
    """Return the limits of the t interval on the log scale; arrays give arrays."""
    m = np.asarray(mean, dtype=np.float64)
    reach = special.stdtrit(df, (1 + level) / 2) * np.asarray(se, dtype=np.float64) / m
    with np.errstate(over="ignore"):
        return np.asarray(m * np.exp(-reach)), np.asarray(m * np.exp(reach))


@dataclass(frozen=True)
class Bracket(Result):
    """E|X| of one annotation between limits that need no family, from E|D| of two.

    Attributes
    ----------
    pair_mae : Estimate
        E|D|, from which everything follows.
    symmetric, unimodal, log_concave : dict
        ``low`` and ``high`` at the estimate; ``low_limit`` and ``high_limit`` at the limits of
        its interval (None without one). In the unit of `pair_mae`.
    note : str
        What the lattice does to the log-concave bracket, empty if it does not matter.
    """

    pair_mae: Estimate
    symmetric: dict[str, float | None]
    unimodal: dict[str, float | None]
    log_concave: dict[str, float | None]
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the three brackets as plain data."""
        return {name: plain(dict(getattr(self, name))) for name in FACTORS}

    def to_frame(self) -> pd.DataFrame:
        """Return one row per shape of the noise."""
        import pandas as pd

        return pd.DataFrame.from_dict(self.to_dict(), orient="index").rename_axis("noise")

    def sections(self) -> list[Section]:
        """Return one table and one line of text."""
        rows = []
        spread = self.pair_mae.standard_uncertainty
        for name in FACTORS:
            entry = getattr(self, name)
            cells = [format_number(entry[key], spread) for key in entry]
            rows.append([name.replace("_", "-"), *cells])
        columns = ["noise", "low", "high", "lower limit", "upper limit"]
        lines = [self.line(), *([self.note] if self.note else [])]
        return [Section("Without choosing a family", columns, rows, lines)]

    def line(self) -> str:
        """Return the bracket in one sentence for people."""
        unit = f" {self.pair_mae.unit}" if self.pair_mae.unit else ""
        spread = self.pair_mae.standard_uncertainty

        def pair(entry: dict[str, float | None]) -> str:
            low, high = (format_number(entry[k], spread) for k in ("low", "high"))
            return f"{low} to {high}"

        return (
            f"Whatever the law of the noise, if it is symmetric one annotation is off by "
            f"{pair(self.symmetric)}{unit} on average; if small errors are likelier than large "
            f"ones, by {pair(self.unimodal)}; if it is log-concave too (no heavy tails), by "
            f"{pair(self.log_concave)}."
        )


def bracket(pair: Estimate, *, lattice: bool = True) -> Bracket:
    r"""Return what E|D| says about E|X| without a family.

    For symmetric X, E|D| = E max(|X₁|, |X₂|) = E|X|·(1 + G) with G the Gini index of |X|. Hence
    E|X| is in [½, 1]·E|D|; in [½, ¾]·E|D| if X is unimodal (Khintchine: G ≥ ⅓, with equality for
    the uniform, on whole numbers too); in [⅔, ¾]·E|D| if its density is log-concave (G ≤ ½).

    Parameters
    ----------
    pair : Estimate
        From `pair_mae`: not negative.
    lattice : bool
        Whether the labels are whole numbers. The last ⅔ is then slightly too high for noise that
        is narrow against one frame; the note says so where E|D| is below 2. See `lattice_floor`.

    Returns
    -------
    Bracket
        Every limit is a factor times E|D|, or times a limit of its interval.

    Raises
    ------
    AnnostatError
        If the estimate is negative or not a number.

    Examples
    --------
    >>> b = bracket(Estimate(3.0, None, Interval(2.7, 3.3, 0.95, "log-t"), "frames"))
    >>> b.log_concave["low"], b.log_concave["high"]
    (2.0, 2.25)
    >>> b.to_dict()["unimodal"]["low_limit"]
    1.35
    """
    if not pair.value >= 0:
        raise AnnostatError(f"pair must be a mean difference of at least 0, got {pair.value!r}")
    entries: dict[str, dict[str, float | None]] = {}
    for name, (low, high) in FACTORS.items():
        entries[name] = {
            "low": low * pair.value,
            "high": high * pair.value,
            "low_limit": None if pair.low is None else low * pair.low,
            "high_limit": None if pair.high is None else high * pair.high,
        }
    note = ""
    if lattice and 0 < pair.value < NARROW_FRAMES:
        floor = lattice_floor(pair.value)
        note = (
            "The log-concave bracket is for noise that is wide against one frame: with picks this "
            f"close, log-concave noise on whole frames can be as low as {floor:.3g} "
            f"({floor / pair.value:.2f} of the mean difference, as for discrete Laplace noise)."
        )
    return Bracket(pair, entries["symmetric"], entries["unimodal"], entries["log_concave"], note)


def lattice_floor(pair_mae: float) -> float:
    r"""Return the least E|X| of symmetric log-concave noise on whole numbers, given E|D|.

    The discrete Laplace law attains it. Let Y be discrete Laplace with E|Y| = E|X|. On 0, 1, ...
    the log-ratio of the laws of |X| and |Y| is concave up to a constant at 0 that is common to
    both, so their difference changes sign as −, +, −, and |X| is smaller than |Y| in convex order.
    As the maximum is convex in each argument, E|D_X| = E max(|X₁|, |X₂|) ≤ E|D_Y|. With
    parameter p, E|Y| = 2p/(1 − p²) and E|D_Y| = 2(1 + p + p²)/(1 + p)² · E|Y|: the ratio E|X|/E|D|
    tends to ⅔ for wide noise, is .6545 at E|X| = 2, and tends to ½ as the noise vanishes.

    Parameters
    ----------
    pair_mae : float
        E|D| in frames, at least 0.

    Returns
    -------
    float
        Least E|X| in frames.

    Raises
    ------
    AnnostatError
        If `pair_mae` is negative or not finite.

    Examples
    --------
    >>> round(lattice_floor(3.0557), 2), round(lattice_floor(0.01) / 0.01, 2)
    (2.0, 0.5)
    """
    if not (math.isfinite(pair_mae) and pair_mae >= 0):
        raise AnnostatError(f"pair_mae must be a finite number of at least 0, got {pair_mae!r}")
    if pair_mae == 0:
        return 0.0
    if pair_mae > 1e4:
        return 2 / 3 * pair_mae
    # E|D| = 4p(1 + p + p²)/((1 − p)(1 + p)³), a polynomial with one root between 0 and 1.
    m = pair_mae
    law = [m, 4 + 2 * m, 4, 4 - 2 * m, -m]
    (p,) = (float(r.real) for r in np.roots(law) if abs(r.imag) < 1e-9 and 0 < r.real < 1)
    p -= float(np.polyval(law, p) / np.polyval(np.polyder(law), p))
    return 2 * p / (1 - p * p)


# --------------------------------------------------------------------------- assumption checks


def check_rounds(
    rounds: Rounds,
    *,
    covariates: Mapping[str, ArrayLike] | None = None,
    level: float = 0.95,
    rng: Rng = 0,
) -> tuple[Check, ...]:
    r"""Look at the assumptions behind every statement about the noise of these rounds.

    Parameters
    ----------
    rounds : Rounds
        Values of shape (n_items, n_rounds), NaN for missing; items with fewer than two
        annotations are left out.
    covariates : mapping of str to array-like of shape (n_items,), optional
        Numbers that the size of the noise might depend on (image quality, age); rows where one is
        NaN are left out for it.
    level : float
        A check fails if its p-value is below 1 − level.
    rng : Generator, int or None
        For the calibration of "characteristic_function".

    Returns
    -------
    tuple of Check
        In this order, `passed` being None wherever the data cannot tell (with the reason):

        bias
            Mean difference of each pair of rounds: robust t test and sign test, the smaller
            p-value doubled, then Holm over pairs. `statistic` is the largest mean difference.
        equal_raters
            Two rounds: Pitman-Morgan, the correlation of Z₁ + Z₂ with D, by ranks and studentised
            (DiCiccio & Romano 2017), hence valid if |D| depends on the value. Three or more: ranks
            of |z_j − mean of the others| within each item, Hotelling's T² of their mean; missing
            cells may follow any pattern, and clusters are kept whole.
        characteristic_function
            φ_D(t) = E cos(tD) = |φ_X(t)|² ≥ 0 if the errors of an item are independent copies of
            one law. Test by the minimum over t of φ̂/SE, calibrated by 2,000 draws of the Gaussian
            process with the covariance of φ̂ (the limit of the multiplier bootstrap) at φ ≡ 0. One
            item without difference is added, which keeps it honest in small samples. 48 values
            of t, up to 8/E|D| and for whole numbers also up to π.
        dependence_on_value
            Rank correlation, studentised, of an item's mean |D| with its mean value, with each
            covariate and with the period; Holm. If a period is given, |D| in physical units.
        influence
            Share of ΣD² that the top 1% of items (at least one) carries; fails above one half,
            where a root mean square says more about these items than about the others. Normal
            noise gives .08, Laplace-like noise about .2.
        clusters
            Design effect of E|D|: its cluster-robust variance over the one for independent items.
            Fails below ten clusters, where no cluster-robust interval is trustworthy.

    Raises
    ------
    AnnostatError
        If no item has two annotations, or a covariate has the wrong length or is not numeric.

    Examples
    --------
    >>> import numpy as np
    >>> g = np.random.default_rng(1)
    >>> picks = g.integers(0, 100, (300, 1)) + np.round(g.normal([0, 1.5], 2, (300, 2)))
    >>> checks = check_rounds(Rounds.from_array(picks, unit="frames"))
    >>> [c.name for c in checks if c.passed is False]
    ['bias']
    """
    alpha = 1 - check_level(level)
    generator = as_generator(rng)
    columns = _covariates(covariates, len(rounds.values))
    keep = rounds.readings >= 2
    rounds = rounds.usable()
    columns = {name: column[keep] for name, column in columns.items()}
    table = _Table.of(rounds)
    return (
        _check_bias(rounds, table, alpha),
        _check_equal_raters(rounds, table, alpha),
        _check_characteristic_function(rounds, table, alpha, generator),
        _check_dependence(rounds, table, columns, alpha),
        _check_influence(table),
        _check_clusters(rounds, table),
    )


def _check_bias(rounds: Rounds, table: _Table, alpha: float) -> Check:
    name = "bias"
    if rounds.exchangeable:
        return Check(
            name,
            None,
            "Bias between raters cannot be looked at: the order of the rounds has no identity.",
        )
    pairs: list[tuple[float, float, int, int]] = []
    for a, b in combinations(range(rounds.n_rounds), 2):
        d = rounds.values[:, b] - rounds.values[:, a]
        seen = np.isfinite(d)
        codes = None if table.codes is None else table.codes[seen]
        w, d = table.weights[seen], d[seen]
        if not w.sum() > 0:
            continue
        mean, se, units = _ratio(d, np.ones_like(d), w, codes)
        if units < 2:
            continue
        sums, counts = _unit_sums(d, w, codes)
        p = _sign_test(float(counts[sums > 0].sum()), float(counts[sums < 0].sum()))
        if se > ROUNDING * abs(mean):
            p = min(p, 2 * float(special.stdtr(units - 1, -abs(mean) / se)))
        pairs.append((min(1.0, 2 * p), mean, a, b))
    if not pairs:
        return Check(name, None, "Bias between rounds cannot be looked at: too few items.")
    p = _bonferroni([entry[0] for entry in pairs])
    _, mean, a, b = min(pairs, key=lambda entry: (entry[0], -abs(entry[1])))
    size = f"{format_number(abs(mean), digits=3)}{_unit(rounds)}"
    names = rounds.names[a], rounds.names[b]
    if p >= alpha:
        which = "the two rounds" if rounds.n_rounds == 2 else f"{names[0]} and {names[1]}"
        text = f"No bias between rounds is visible: {which} differ by {size} on average ({_p(p)})."
        return Check(name, True, text, mean, p)
    what = f"by {size} on average" if mean else "more often to one side than to the other"
    order = "above" if mean > 0 else "below"
    where = f" ({names[1]} {order} {names[0]})" if mean else f" ({names[0]}, {names[1]})"
    text = (
        f"The rounds are biased against each other, {what}{where}, {_p(p)}: subtract the bias "
        "before fitting, or use the SD of the differences, noise_sd² = (RMS² − bias²)/2."
    )
    return Check(name, False, text, mean, p)


def _check_equal_raters(rounds: Rounds, table: _Table, alpha: float) -> Check:
    name = "equal_raters"
    cannot = "Whether the raters are equally noisy cannot be looked at: "
    if rounds.exchangeable:
        return Check(name, None, cannot + "the order of the rounds has no identity.")
    v = rounds.values
    if rounds.n_rounds == 2:
        if _collapsed(rounds):
            return Check(name, None, cannot + "items were collapsed.")
        total, d = v[:, 0] + v[:, 1], v[:, 1] - v[:, 0]
        w = table.weights
        found = _association(_midranks(total, w), _midranks(d, w), w, table.codes)
        if found is None:
            return Check(name, None, cannot + "too few items, or values that do not vary.")
        rho, p = found
        if p >= alpha:
            text = f"The two raters look equally noisy (rank correlation {rho:.2f}, {_p(p)})."
            return Check(name, True, text, rho, p)
        worse = rounds.names[1] if rho > 0 else rounds.names[0]
        text = (
            f"The raters are not equally noisy: {worse} spreads more (rank correlation of sum and "
            f"difference {rho:.2f}, {_p(p)}), so the result is an average of the two: estimate "
            "them apart (Grubbs), or add a third round and fit one scale per rater."
        )
        return Check(name, False, text, rho, p)
    # |z_j − mean of the others| = |z_j − mean of all| · k/(k − 1)
    seen = np.isfinite(v)
    k = table.readings[:, None].astype(np.float64)
    distance: FloatArray = np.where(seen, np.abs(table.centred) * k / (k - 1), np.nan)
    # Rounded, so that ties stay ties.
    ranks = _row_ranks(np.asarray(np.round(distance, 9), dtype=np.float64), seen)
    sums = [_unit_sums(ranks[:, j], table.weights, table.codes) for j in range(rounds.n_rounds)]
    u, counts = np.column_stack([s for s, _ in sums]), sums[0][1]
    n = int(counts.sum())
    total = counts @ u
    values, vectors = np.linalg.eigh((u * counts[:, None]).T @ u)
    good = values > 1e-9 * max(float(values.max()), 1e-300)
    p_dim = int(good.sum())
    if p_dim == 0 or n - p_dim < RANK_MIN_UNITS:
        why = "too few items with three or more annotations, or no differences."
        return Check(name, None, cannot + why)
    # Hotelling's T² through the second moments about 0: share = T²/(T² + n − 1), at most 1.
    share = float(((vectors[:, good].T @ total) ** 2 / values[good]).sum()) / n
    f = share / max(1 - share, ROUNDING) * (n - p_dim) / p_dim
    p = float(special.fdtrc(p_dim, n - p_dim, f))
    weight = np.where(seen, table.weights[:, None], 0.0)
    total_weight = np.maximum(weight.sum(axis=0), 1.0)
    by_rater = np.nansum(np.where(seen, distance, 0.0) * weight, axis=0) / total_weight
    by_rater = np.where(weight.sum(axis=0) > 0, by_rater, np.nan)
    worst, best = int(np.nanargmax(by_rater)), int(np.nanargmin(by_rater))
    sizes = (
        f"{rounds.names[worst]} is {by_rater[worst]:.3g}{_unit(rounds)} from the mean of the "
        f"others, {rounds.names[best]} {by_rater[best]:.3g}"
    )
    if p >= alpha:
        return Check(name, True, f"The raters look equally noisy: {sizes} ({_p(p)}).", f, p)
    text = f"The raters are not equally noisy: {sizes} ({_p(p)}): fit one scale per rater."
    return Check(name, False, text, f, p)


def _check_characteristic_function(
    rounds: Rounds, table: _Table, alpha: float, rng: np.random.Generator
) -> Check:
    name = "characteristic_function"
    cannot = "Whether the errors of two rounds are alike and independent cannot be looked at: "
    scale = float(table.weights @ table.abs_sum) / float(table.weights @ table.pairs)
    if scale == 0:
        return Check(name, None, cannot + "all differences are zero.")
    # A fine grid where the law has its width; for whole numbers a coarse one up to π as well.
    ends = [min(CF_REACH / scale, math.pi) if table.whole else CF_REACH / scale]
    if ends[0] < math.pi and table.whole:
        ends.append(math.pi)
    count = CF_POINTS // len(ends)
    grid = np.concatenate([end / count * np.arange(1, count + 1) for end in ends])
    moments = _cosine_moments(table, [end / count for end in ends], count)
    if moments.units < CF_MIN_UNITS:
        what = "items" if table.codes is None else "clusters"
        return Check(name, None, cannot + f"it takes {CF_MIN_UNITS} {what} or more.")
    # One unit of no difference is added: it keeps SE above 0 and leans towards passing.
    m = moments.m / moments.units
    units = moments.units + 1
    y, total = moments.y + m, moments.m + m
    yy, ym, mm = moments.yy + m * m, moments.ym + m * m, moments.mm + m * m
    phi = y / total
    cov = yy - np.outer(phi, ym) - np.outer(ym, phi) + np.outer(phi, phi) * mm
    se = np.sqrt(np.maximum(np.diag(cov), 0.0) * units / (units - 1)) / total
    good = se > ROUNDING
    if not good.any():
        return Check(name, None, cannot + "the differences do not vary.")
    z = np.where(good, phi / np.where(good, se, 1.0), np.inf)
    at = int(np.argmin(z))
    sub = cov[np.ix_(good, good)]
    root = np.sqrt(np.diag(sub))
    values, vectors = np.linalg.eigh(sub / np.outer(root, root))
    factor = vectors * np.sqrt(np.maximum(values, 0.0))
    lowest = (rng.standard_normal((CF_DRAWS, factor.shape[1])) @ factor.T).min(axis=1)
    p = (1 + int((lowest <= z[at]).sum())) / (CF_DRAWS + 1)
    if p >= alpha:
        text = (
            "Nothing speaks against errors that are alike and independent between rounds "
            f"(characteristic function of the differences, {_p(p)})."
        )
        return Check(name, True, text, float(z[at]), p)
    text = (
        "The errors of two rounds are not independent copies of one law: the characteristic "
        f"function of the differences is {phi[at]:.2f} at t = {grid[at]:.2f}, where it "
        f"cannot be negative ({_p(p)}); look for bias, picks on every other frame, or raters who "
        "knew each other's picks, and trust the symmetric bracket only."
    )
    return Check(name, False, text, float(z[at]), p)


def _check_dependence(
    rounds: Rounds, table: _Table, covariates: Mapping[str, FloatArray], alpha: float
) -> Check:
    name = "dependence_on_value"
    cannot = "Whether the noise depends on the value cannot be looked at: "
    if _collapsed(rounds):
        return Check(name, None, cannot + "items were collapsed.")
    w = table.weights
    size = table.abs_sum / table.pairs
    if rounds.period is not None:
        # E|D|·T does not depend on the grid T, its ranks do: hence no ranks here.
        size = size * rounds.period
    against: dict[str, FloatArray] = {"the value": table.means}
    if rounds.period is not None and float(np.ptp(rounds.period)) > 0:
        against["the period"] = rounds.period
    against.update(covariates)
    found: list[tuple[float, float, str]] = []
    for label, column in against.items():
        seen = np.isfinite(column)
        ws, codes = w[seen], None if table.codes is None else table.codes[seen]
        y = size[seen] if rounds.period is not None else _midranks(size[seen], ws)
        result = _association(_midranks(column[seen], ws), y, ws, codes)
        if result is not None:
            found.append((result[1], result[0], label))
    if not found:
        why = "too few items, or values or differences that do not vary."
        return Check(name, None, cannot + why)
    p = _bonferroni([entry[0] for entry in found])
    _, rho, label = min(found)
    if p >= alpha:
        names = " or ".join(entry[2] for entry in found)
        text = f"The size of the differences does not visibly depend on {names} ({_p(p)})."
        return Check(name, True, text, rho, p)
    more = "grow" if rho > 0 else "shrink"
    text = (
        f"The differences {more} with {label} (correlation {rho:.2f}, {_p(p)}): the noise has no "
        "single size, so split the items (--by) or trust the bracket rather than a family."
    )
    return Check(name, False, text, rho, p)


def _check_influence(table: _Table) -> Check:
    name = "influence"
    total = float(table.weights @ table.square_sum)
    n = int(table.weights.sum())
    if total == 0:
        return Check(name, None, "No item stands out: all differences are zero.")
    top = max(1, math.floor(INFLUENCE_TOP * n))
    order = np.argsort(-table.square_sum, kind="stable")
    w = table.weights[order]
    before = np.cumsum(w) - w
    taken = np.clip(top - before, 0, w)
    share = float(taken @ table.square_sum[order]) / total
    who = "The one item that differs most carries" if top == 1 else (
        f"The {top:,} items that differ most (of {n:,}) carry"
    )  # fmt: skip
    text = f"{who} {100 * share:.0f}% of the squared differences"
    if n < INFLUENCE_MIN_ITEMS:
        return Check(name, None, f"{text}, but {n} items are too few to judge that.", share)
    if share > INFLUENCE_LIMIT:
        remedy = "floors of RMSE rest on a handful of items: look at these, and use the mae scale."
        return Check(name, False, f"{text}: {remedy}", share)
    return Check(name, True, f"{text}.", share)


def _check_clusters(rounds: Rounds, table: _Table) -> Check:
    name = "clusters"
    if table.codes is None:
        return Check(
            name,
            None,
            "Intervals assume that items are independent: pass the patient column (cluster) if "
            "items share patients.",
        )
    mean, se, units = _ratio(table.abs_sum, table.pairs, table.weights, table.codes)
    n = int(table.weights.sum())
    if units < FEW_CLUSTERS:
        noun = "cluster" if units == 1 else "clusters"
        text = (
            f"All {n:,} items come from {units} {noun}, too few for an interval that can be "
            "trusted: annotate items of more patients."
        )
        return Check(name, False, text)
    _, plain_se, _ = _ratio(table.abs_sum, table.pairs, table.weights, None)
    if plain_se <= ROUNDING * mean:
        return Check(name, None, "The effect of clusters is not visible: |D| does not vary.")
    effect = (se / plain_se) ** 2
    text = (
        f"Intervals allow for the {units:,} clusters of the {n:,} items (design effect "
        f"{effect:.2f}: {percent(round(effect, 2))} of the variance for independent items)."
    )
    return Check(name, True, text, effect)


def design_effect(rounds: Rounds) -> float:
    """Return by how much clusters widen the variance of mean |D|; at least 1, 1 without clusters.

    Ratio of the cluster-robust variance to that of independent items (Kish 1965).
    """
    table = _Table.of(rounds)
    if table.codes is None:
        return 1.0
    mean, se, units = _ratio(table.abs_sum, table.pairs, table.weights, table.codes)
    _, plain_se, _ = _ratio(table.abs_sum, table.pairs, table.weights, None)
    if units < 2 or plain_se <= ROUNDING * mean:
        return 1.0
    return max((se / plain_se) ** 2, 1.0)


# --------------------------------------------------------------------------- shared pieces


@dataclass(frozen=True)
class _Table:
    """Sums over the pairs of each row, without a loop over pairs."""

    weights: FloatArray  # multiplicity of each row, shape (n,)
    codes: IntArray | None  # cluster of each row
    readings: IntArray
    pairs: FloatArray
    means: FloatArray
    centred: FloatArray  # values − mean of the row, NaN where missing
    abs_sum: FloatArray  # Σ|D| over the pairs of the row
    square_sum: FloatArray  # ΣD²
    whole: bool

    @classmethod
    def of(cls, rounds: Rounds) -> _Table:
        """Return the sums; rows of weight 0 are left out by the caller's arithmetic."""
        v = rounds.values
        seen = np.isfinite(v)
        check_squares(float(np.abs(v[seen]).max()))
        k = rounds.readings
        start = v[np.arange(len(v)), seen.argmax(axis=1)]  # keeps whole numbers whole
        shifted = np.where(seen, v - start[:, None], np.nan)
        mean = np.where(seen, shifted, 0.0).sum(axis=1) / k
        # Σ|z_i − z_j| = Σ (2r − k − 1) z_(r); missing cells sort last.
        ordered = np.sort(shifted, axis=1)
        ranks = 2.0 * np.arange(1, v.shape[1] + 1) - 1.0 - k[:, None]
        spread = np.where(np.isfinite(ordered), ordered, 0.0)
        centred = shifted - mean[:, None]
        square = k * (np.where(seen, centred, 0.0) ** 2).sum(axis=1)
        return cls(
            weights=rounds.row_weights.astype(np.float64),
            codes=cluster_codes(rounds.cluster),
            readings=k,
            pairs=(k * (k - 1) / 2).astype(np.float64),
            means=mean + start,
            centred=centred,
            abs_sum=np.maximum(np.where(np.isfinite(ordered), ranks * spread, 0.0).sum(axis=1), 0),
            square_sum=square,
            whole=bool((v[seen] == np.round(v[seen])).all()),
        )


@dataclass(frozen=True)
class _Moments:
    units: int
    y: FloatArray
    m: float
    yy: FloatArray
    ym: FloatArray
    mm: float


def _cosine_moments(table: _Table, steps: Sequence[float], count: int) -> _Moments:
    """Return first and second moments over units of Σ cos(tD), at t = step, ..., count·step.

    Σ over pairs of cos(tD) is (|Σ_j exp(itz_j)|² − k)/2, and powers replace the cosines.
    """
    w, codes, pairs, k = table.weights, table.codes, table.pairs, table.readings
    z = table.centred
    if codes is None and bool((k == 2).all()):
        size, inverse = np.unique(table.abs_sum, return_inverse=True)
        w = _counted(inverse, w)
        z = np.column_stack([np.zeros_like(size), size])
        pairs, k = np.ones_like(size), np.full(size.size, 2)
    n_units = 0 if codes is None else int(codes.max()) + 1
    by_unit = np.zeros((n_units, CF_POINTS))
    y, yy, ym = np.zeros(CF_POINTS), np.zeros((CF_POINTS, CF_POINTS)), np.zeros(CF_POINTS)
    for begin in range(0, len(z), CHUNK_ROWS):
        part = slice(begin, begin + CHUNK_ROWS)
        seen = np.isfinite(z[part])
        sums = np.empty((len(seen), CF_POINTS))
        for g, step in enumerate(steps):
            turn = np.where(seen, np.exp(1j * step * np.where(seen, z[part], 0.0)), 0.0)
            power = turn.copy()
            for j in range(g * count, (g + 1) * count):
                total = power.sum(axis=1)
                sums[:, j] = (total.real**2 + total.imag**2 - k[part]) / 2
                power *= turn
        weighted = sums * w[part, None]
        if codes is None:
            y += weighted.sum(axis=0)
            yy += weighted.T @ sums
            ym += weighted.T @ pairs[part]
        else:
            for j in range(CF_POINTS):
                by_unit[:, j] += np.bincount(codes[part], weighted[:, j], minlength=n_units)
    if codes is None:
        return _Moments(int(w.sum()), y, float(w @ pairs), yy, ym, float(w @ pairs**2))
    m = np.bincount(codes, w * pairs, minlength=n_units)
    return _Moments(
        int((m > 0).sum()),
        by_unit.sum(axis=0),
        float(m.sum()),
        by_unit.T @ by_unit,
        by_unit.T @ m,
        float(m @ m),
    )


def _unit_sums(
    y: FloatArray, w: FloatArray, codes: IntArray | None
) -> tuple[FloatArray, FloatArray]:
    """Return the sum of each unit and how many units it stands for."""
    if codes is None:
        return y, w
    present = _counted(codes, w) > 0
    return _counted(codes, w * y)[present], np.ones(int(present.sum()))


def _ratio(
    y: FloatArray, m: FloatArray, w: FloatArray, codes: IntArray | None
) -> tuple[float, float, int]:
    """Return Σy/Σm, its standard error over units (0 with one unit), and the number of units."""
    total, size = float(w @ y), float(w @ m)
    mean = total / size
    residual, counts = _unit_sums(y - mean * m, w, codes)
    units = int(counts.sum())
    if units < 2:
        return mean, 0.0, units
    return mean, math.sqrt(units / (units - 1) * float(counts @ residual**2)) / size, units


def _counted(codes: IntArray, w: FloatArray) -> FloatArray:
    return np.asarray(np.bincount(codes, w), dtype=np.float64)


def _midranks(x: FloatArray, w: FloatArray) -> FloatArray:
    """Return mid-ranks 1..Σw, rows counted as often as their weight says."""
    _, inverse = np.unique(x, return_inverse=True)
    counts = _counted(inverse, w)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[inverse])


def _row_ranks(x: FloatArray, seen: NDArray[np.bool_]) -> FloatArray:
    """Return mid-ranks within each row minus their mean, 0 where missing."""
    ranks = np.zeros_like(x)
    for j in range(x.shape[1]):
        other, here = x, x[:, [j]]
        ranks += np.sign(np.where(seen & seen[:, [j]], other - here, 0.0))
    return np.asarray(np.where(seen, ranks / 2, 0.0))


def _association(
    x: FloatArray, y: FloatArray, w: FloatArray, codes: IntArray | None
) -> tuple[float, float] | None:
    """Return the correlation and the p-value of the studentised test that it is zero."""
    if x.size == 0:
        return None
    x = x - float(w @ x) / float(w.sum())
    y = y - float(w @ y) / float(w.sum())
    product = x * y
    sxx, syy = float(w @ x**2), float(w @ y**2)
    sums, counts = _unit_sums(product, w, codes)
    units, variance = int(counts.sum()), float(counts @ sums**2)
    if units < RANK_MIN_UNITS or sxx * syy <= 0 or variance <= 0:
        return None
    total = float(w @ product)
    p = 2 * float(special.stdtr(units - 1, -abs(total) / math.sqrt(variance)))
    return total / math.sqrt(sxx * syy), p


def _sign_test(above: float, below: float) -> float:
    """Return the two-sided exact p-value for equal chances; 1 if there is nothing to count."""
    low, n = min(above, below), above + below
    return min(1.0, 2 * float(special.betainc(n - low, low + 1, 0.5))) if n else 1.0


def _bonferroni(p_values: Sequence[float]) -> float:
    """Return the smallest p-value times their number, at most 1; so does Holm for the smallest."""
    return min(1.0, len(p_values) * min(p_values))


def _smallest_step(values: FloatArray) -> float:
    seen = np.unique(values[np.isfinite(values)])
    if seen.size < 2 or bool((seen == np.round(seen)).all()):
        return 1.0
    return float(np.diff(seen).min())


def _covariates(given: Mapping[str, ArrayLike] | None, n: int) -> dict[str, FloatArray]:
    columns: dict[str, FloatArray] = {}
    for name, column in (given or {}).items():
        array = check_numbers(f"covariates: {name!r}", column)
        if array.shape != (n,):
            raise AnnostatError(
                f"covariates: {name!r} must have one number per item, shape ({n},), "
                f"got {array.shape}"
            )
        columns[str(name)] = array
    return columns


def _collapsed(rounds: Rounds) -> bool:
    return rounds.weights is not None and rounds.items is None


def _unit(rounds: Rounds) -> str:
    return f" {rounds.unit}" if rounds.unit else ""


def _p(p: float) -> str:
    text = format_p(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"
