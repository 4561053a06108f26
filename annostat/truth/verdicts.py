"""Is a model at the floor? Tests of the mean cross product, and what they allow to say."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from annostat.arrays import FloatArray, dot
from annostat.resampling.clusters import renumbered
from annostat.results.estimates import Estimate
from annostat.results.text import format_number, p_text, percent, plain

ABOVE = "above the floor"
AT = "at the floor within the margin"
BELOW = "below the floor"
OPEN = "not resolved"
TWO = "not resolved by two rounds"
FEW = "not resolved by so few items"
RARE = 0.1  # an error that sits in so many of the items must not be missed when none is claimed
MANY = 100  # units from which on what they miss goes without saying
EXACT_UNITS = 14  # up to here all 2^n signs are tried


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a model is at the floor of its labels, with the evidence.

    Attributes
    ----------
    name : str
        "above the floor": it errs, E(f − Y)² > 0 by the one-sided t test. "at the floor within the
        margin": the upper limit of its error against the truth, that of t or of χ² for skewed
        products, whichever is larger, is below the margin; it may be detectable all the same.
        "not resolved by so few items": the same, but with fewer units than show an error that sits
        in one item of ten (`fewest_units`), and no error is shown.
        "below the floor": the whole two-sided interval of E(f − Y)² is negative, so that model and
        labels share errors; it takes `fewest_to_accuse` units. "not resolved by two rounds":
        trained on one of them, and its interval is all that is possible. Else "not resolved".
    p_above, p_signed_rank, p_sign : float or None
        One-sided p-values of H₀: f = Y against an error of the model. None where undefined. The
        verdict rests on the first; the others hold under heavy tails, for symmetric errors.
    p_below : float or None
        One-sided p-value of E(f − Y)² ≥ 0.
    upper : float
        One-sided upper limit of √E(f − Y)²: the least margin that could be claimed.
    margin : float or None
    level : float
    n_units : int or None
        Items, or clusters, that it rests on.
    """

    name: str
    p_above: float | None
    p_signed_rank: float | None
    p_sign: float | None
    p_below: float | None
    upper: float
    margin: float | None
    level: float
    n_units: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the evidence as plain data."""
        keys = ("p_above", "p_signed_rank", "p_sign", "p_below", "upper", "margin", "level")
        return {key: plain(getattr(self, key)) for key in keys}

    def sentence(self, unit: str) -> str:
        """Return the verdict for people."""
        unit = f" {unit}" if unit else ""
        if self.name == BELOW:
            return (
                "below the floor, which no model reaches by being right: it has learned the noise "
                "of these labels, or shares their errors; its error cannot be told from them"
            )
        if math.isnan(self.upper):
            return "not judged: its error against the truth cannot be told from these rounds"
        upper = f"{format_number(self.upper, self.upper / 10)}{unit}"
        tail = f"below {upper} with {percent(self.level)} confidence"
        p = p_text(self.p_above)
        if self.name == TWO:
            return f"{TWO}: its error against the truth is {tail}; a third round would tell more"
        if self.name == ABOVE:
            return f"above the floor ({p}); its error against the truth is {tail}"
        if self.name == AT:
            more = (
                ""
                if self.p_above is None or self.p_above >= 1 - self.level
                else (f"; that error is small but there ({p})")
            )
            wanted = format_number(self.margin)
            return (
                f"at the floor within {wanted}{unit}: its error against the truth is {tail}"
                f"{self.missed()}{more}"
            )
        if self.name == FEW:
            return f"{FEW}: its error against the truth is {tail}, {self.but()}"
        robust = [q for q in (self.p_signed_rank, self.p_sign) if q is not None]
        hint = ""
        if robust and min(robust) < (1 - self.level) / 2:
            hint = (
                f"; tests of ranks and signs see an error ({p_text(min(robust))}), which "
                "heavy tails hide from the t test"
            )
        return (
            f"not resolved: no error against the truth is shown ({p}), nor is its absence: it is "
            f"{tail}{hint}"
        )

    def missed(self) -> str:
        """Return what so many items may miss whatever they say, in brackets; "" from 100 on."""
        if self.n_units is None or self.n_units >= MANY:
            return ""
        return f" (but {self._unseen()})"

    def but(self) -> str:
        """Return why so few items do not show that there is no error."""
        return f"but {self._unseen()}: the verdict takes {fewest_units(self.level)}"

    def _unseen(self) -> str:
        n = self.n_units or 0
        share = percent(round(unseen_share(n, self.level), 2))
        return f"{n} may miss errors that sit in fewer than {share} of items"


def fewest_units(level: float = 0.95, share: float = RARE) -> int:
    """Return the number of units that holds, with this confidence, one of a rare error.

    Parameters
    ----------
    level : float
    share : float
        Of the units that err.

    Returns
    -------
    int
        The least n with (1 − share)^n ≤ 1 − level: whatever the method, n units without any of the
        errors are seen in (1 − share)^n of samples, and nothing in them tells of the others.

    Examples
    --------
    >>> fewest_units(0.95), fewest_units(0.95, 0.05)
    (29, 59)
    """
    return math.ceil(math.log1p(-level) / math.log1p(-share) - 1e-9)


def fewest_to_accuse(level: float = 0.95) -> int:
    """Return the number of units from which on a model may be said to share errors with labels.

    The least n with 2^−n < (1 − level)/2, at which signs alone could show it. With two units,
    whose products are one number twice once the bias between rounds is out, t accused a perfect
    model in 12% of 20,000 simulated sets (Laplace and t₃ errors 10%), from three on in 0 to 2.5%.

    Examples
    --------
    >>> fewest_to_accuse(0.95), fewest_to_accuse(0.99)
    (6, 8)
    """
    return math.floor(-math.log2((1 - level) / 2)) + 1


def unseen_share(n: int, level: float = 0.95) -> float:
    """Return the share of units in which an error may sit that n of them do not show.

    The upper limit of a share of which one of n was seen (Clopper & Pearson 1934): with a smaller
    share, fewer than two units that err are more likely than 1 − level, and one alone among many
    is too little for the limit of a mean square (7 to 12% of simulated studies in place of 5%).

    Examples
    --------
    >>> round(unseen_share(29), 3), round(unseen_share(100), 3)
    (0.153, 0.047)
    """
    return float(special.betaincinv(2, max(n - 1, 1), level))


def judge(
    square: Estimate,
    halves: FloatArray | None,
    cluster: NDArray[np.int64] | None,
    *,
    df: int,
    margin: float | None = None,
    level: float = 0.95,
    upper: float = -math.inf,
) -> Verdict:
    """Return the verdict on an estimate of E(f − Y)² whose interval is not clipped.

    Parameters
    ----------
    square : Estimate
        Mean of the products with its standard error.
    halves : float64 array of shape (n_items,) or None
        Products that are symmetric about 0 for a perfect model, for ranks and signs.
    df : int
        Degrees of freedom of the t tests.
    upper : float
        One-sided upper limit that allows for the skewness of products (`upper_limit`); the larger
        of it and of the t limit counts.
    """
    value, error = square.value, square.standard_uncertainty
    ranks = signs = None
    if halves is not None:
        ranks, signs = sign_tests(halves, cluster)
    if math.isnan(value) or error is None:
        return Verdict(OPEN, None, ranks, signs, None, math.nan, margin, level)
    if error == 0:
        # Labels without noise leave nothing to chance.
        name = ABOVE if value > 0 else AT
        if margin is not None and 0 < value <= margin**2:
            name = AT
        limit = math.sqrt(max(value, 0.0))
        return Verdict(name, None, ranks, signs, None, limit, margin, level)
    t = value / error
    above, below = float(special.stdtr(df, -t)), float(special.stdtr(df, t))
    limit = max(value + float(special.stdtrit(df, level)) * error, upper)
    alpha = 1 - level
    if below < alpha / 2:
        name, limit = BELOW if df + 1 >= fewest_to_accuse(level) else OPEN, math.nan
    elif margin is not None and limit < margin**2 and df + 1 >= fewest_units(level):
        name = AT
    elif above < alpha:
        name = ABOVE
    else:
        name = FEW if margin is not None and limit < margin**2 else OPEN
    limit = math.nan if math.isnan(limit) else math.sqrt(max(limit, 0.0))
    return Verdict(name, above, ranks, signs, below, limit, margin, level, df + 1)


def sign_tests(
    products: FloatArray, codes: NDArray[np.int64] | None = None
) -> tuple[float | None, float | None]:
    """Return one-sided p-values of the signed-rank and the sign test that products exceed 0.

    Zeros are dropped. The signs of whole clusters are flipped together (Datta & Satten 2008 for
    the variance); up to 14 units all flips are tried, beyond the sums are Gaussian, but for the
    sign test of independent items, which is binomial.
    """
    there = np.isfinite(products) & (products != 0)
    x = products[there]
    if not x.size:
        return None, None
    order = np.argsort(np.abs(x))
    x = x[order]
    size, signs = np.abs(x), np.sign(x)
    first = np.flatnonzero(np.append(True, size[1:] != size[:-1]))
    ranks = np.arange(1.0, size.size + 1)
    if first.size < size.size:  # ties share the mean of their ranks
        count = np.diff(np.append(first, size.size))
        ranks = np.repeat(first + (count + 1) / 2, count)
    scores = signs * ranks
    if codes is None and x.size > EXACT_UNITS:
        up = int(np.sum(signs > 0))
        return flip_p(scores), float(special.bdtrc(up - 1, x.size, 0.5))
    if codes is not None:
        group = renumbered(codes[there][order])
        scores, signs = (np.bincount(group, weights=v) for v in (scores, signs))
    return flip_p(scores), flip_p(signs)


def flip_p(sums: FloatArray) -> float:
    """Return P(Σ ±|s| ≥ Σ s) over equally likely signs of the units."""
    total = float(sums.sum())
    if sums.size <= EXACT_UNITS:
        flips = 1 - 2.0 * ((np.arange(2**sums.size)[:, None] >> np.arange(sums.size)) & 1)
        return float(np.mean(flips @ np.abs(sums) >= total - 1e-9 * np.abs(sums).sum()))
    scale = math.sqrt(dot(sums, sums))
    return float(special.ndtr(-total / scale)) if scale > 0 else 1.0
