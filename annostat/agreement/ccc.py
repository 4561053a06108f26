"""Lin's concordance correlation coefficient, for two or more rounds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat.errors import AnnostatError, check_choice, check_level
from annostat.labels.rounds import Rounds
from annostat.labels.taking import takes_rounds
from annostat.resampling.clusters import cluster_codes
from annostat.resampling.generators import Rng
from annostat.resampling.intervals import t_reach
from annostat.resampling.sums import Sums
from annostat.results.estimates import Estimate, Interval

INTERVALS = ("bootstrap-t", "lin", "t", "percentile", "bca")


@takes_rounds
def concordance(
    rounds: Rounds,
    *,
    interval: str = "bootstrap-t",
    level: float = 0.95,
    n_resamples: int = 2000,
    rng: Rng = 0,
) -> Estimate:
    r"""Return the concordance correlation coefficient of the rounds.

    Parameters
    ----------
    rounds : Rounds
        Values of shape (n_items, n_rounds); items where a round is missing are left out.
    interval : {"bootstrap-t", "lin", "t", "percentile", "bca"}
        On the scale of Fisher's z. "lin" is the formula of Lin (1989) for two Gaussian rounds.
    level, n_resamples, rng
        As everywhere; clusters are drawn whole.

    Returns
    -------
    Estimate
        For k rounds the overall coefficient of Barnhart, Haber & Song (2002):
        2·ΣΣ S_jl / ((k−1)·Σ S_jj + ΣΣ (m_j − m_l)²) over pairs j < l, with moments divided by
        n; for two rounds Lin's 2·S₁₂/(S₁₁ + S₂₂ + (m₁ − m₂)²). NaN if all values are equal.

    Raises
    ------
    AnnostatError
        If fewer than three items have all rounds.

    Examples
    --------
    >>> rounds = Rounds.from_array([[1, 1.1], [2, 2.3], [3, 2.8], [4, 4.2], [5, 4.9]])
    >>> print(round(concordance(rounds, interval="lin").value, 2))
    0.99
    """
    check_choice("interval", interval, INTERVALS)
    level = check_level(level)
    complete = np.asarray(np.isfinite(rounds.values).all(axis=1))
    used = rounds.take(complete) if complete.any() else None
    if used is None or used.n_items < 3:
        raise AnnostatError("a concordance takes three or more items with all rounds")
    v = used.values if used.weights is None else np.repeat(used.values, used.weights, axis=0)
    z = v - v.mean()
    z = z / (float(np.max(np.abs(z))) or 1.0)
    k = z.shape[1]
    first, second = np.triu_indices(k)
    columns = np.hstack([np.ones((len(z), 1)), z, z[:, first] * z[:, second]])
    codes = cluster_codes(used.cluster)
    if codes is not None and used.weights is not None:
        codes = np.repeat(codes, used.weights)
    sums = Sums.of(columns, codes)

    def coefficient(t: NDArray[Any]) -> NDArray[Any]:
        n = t[..., 0]
        means = [t[..., 1 + j] / n for j in range(k)]
        shared: Any = 0.0
        spread: Any = 0.0
        for i, (a, b) in enumerate(zip(first, second, strict=True)):
            moment = t[..., 1 + k + i] / n - means[a] * means[b]
            if a == b:
                spread = spread + (k - 1) * moment
            else:
                shared = shared + 2 * moment
                spread = spread + (means[a] - means[b]) ** 2
        return np.asarray(shared / spread)

    if float(np.sum((z - z.mean()) ** 2)) == 0:
        return Estimate(math.nan, note="all labels are equal: there is nothing to tell apart")
    value = sums.value(coefficient)
    if 1 - value < 1e-14:
        return Estimate(1.0, note="no interval: the rounds are identical")
    if interval == "lin":
        if k != 2 or codes is not None:
            raise AnnostatError("interval='lin' takes two rounds of independent items")
        found: Interval | None = _lin(z, value, level)
        return Estimate(value, None, found)
    found = sums.interval(
        lambda t: np.arctanh(coefficient(t)),
        method=interval,
        level=level,
        n_resamples=n_resamples,
        rng=rng,
        scale="Fisher's z",
    )
    return Estimate(value, sums.standard_error(coefficient), found and found.through(math.tanh))


def _lin(z: NDArray[np.float64], value: float, level: float) -> Interval | None:
    """Return Lin's interval (1989, Biometrics 45:255-268, with the correction of 2000)."""
    n = len(z)
    m, s = z.mean(axis=0), z.std(axis=0)
    r = float(np.asarray(np.corrcoef(z.T))[0, 1])
    shift = (m[0] - m[1]) ** 2 / (s[0] * s[1])
    if n < 4 or r == 0:
        return None
    c = value
    variance = (
        (1 - r**2) * c**2 / ((1 - c**2) * r**2)
        + 2 * c**3 * (1 - c) * shift / (r * (1 - c**2) ** 2)
        - c**4 * shift**2 / (2 * r**2 * (1 - c**2) ** 2)
    ) / (n - 2)
    reach = t_reach(math.inf, level) * math.sqrt(max(variance, 0.0))
    centre = math.atanh(c)
    return Interval(math.tanh(centre - reach), math.tanh(centre + reach), level, "Lin (1989)")
