r"""Whether raters are biased against each other, however few items any two of them share.

In the two-way layout z_ij = y_i + β_j + x_ij with gaps, the raters' sum of squares after the items
is RSS₀ − RSS₁, the residual sums about items alone and about items and raters:

    F = (RSS₀ − RSS₁)/e / (RSS₁/ν),   e and ν degrees of freedom

Twenty raters of whom any two share a handful of items give no test of a pair a chance, but this one
pools them all (Scheffé 1959, section 4.4).
"""

from __future__ import annotations

import numpy as np
from scipy import special

from annostat.agreement.variances import Variances
from annostat.errors import check_level
from annostat.labels.rounds import Rounds
from annostat.results.result import Check
from annostat.results.text import format_number, p_text

NOTHING = 1e-24
READ = "read the floors by the label that a model meets, and each rater's bias"
MORE = "more items that raters share would tell the floors against each of them"


def bias_of_raters(rounds: Rounds, *, level: float = 0.95) -> Check:
    """Return the F test of raters after items.

    Parameters
    ----------
    rounds : Rounds
        Values of shape (n_items, n_rounds), NaN for missing, with an identity. Items are taken as
        independent; with clusters the biases' own intervals (`annostat.agreement.hierarchical`) are
        robust, and this is undecided.
    level : float
        The check fails if p is below 1 − level.

    Returns
    -------
    Check
        "rater_bias"; `statistic` is F.

    Raises
    ------
    AnnostatError
        If no item has two labels.

    Examples
    --------
    >>> gap = float("nan")
    >>> labels = [[1.0, 2.1, gap], [5, gap, 7.2], [gap, 3, 4.1], [8, 9.0, 9.9]]
    >>> bias_of_raters(Rounds.from_array(labels)).passed
    False
    """
    level = check_level(level)
    name, cannot = "rater_bias", "Whether raters are biased against each other cannot be told: "
    if rounds.exchangeable:
        return Check(name, None, f"{cannot}the order of the rounds has no identity.")
    if rounds.cluster is not None:
        return Check(name, None, f"{cannot}items of a cluster are not independent.")
    used = rounds.usable()
    apart, alike = Variances.of(used), Variances.of(used.without_identity())
    with_raters, without = (float(np.nansum(v.centred**2)) for v in (apart, alike))
    if apart.n_effects == 0 or apart.degrees < 1:
        return Check(name, None, f"{cannot}too few labels.")
    spread = np.ptp(apart.effects) * apart.scale
    size = f"{format_number(float(spread), digits=3)}{' ' + used.unit if used.unit else ''}"
    if with_raters <= NOTHING:
        if without <= NOTHING:
            return Check(name, True, "The raters agree to the last digit.")
        return Check(name, False, f"The raters differ by constants, up to {size}.")
    f = (without - with_raters) / apart.n_effects / (with_raters / apart.degrees)
    p = float(special.fdtrc(apart.n_effects, apart.degrees, f))
    if p >= 1 - level:
        text = f"No bias between raters is visible over all items ({p_text(p)})."
        return Check(name, True, text, f, p)
    text = f"The raters are biased against each other, by up to {size} ({p_text(p)}): {READ}."
    return Check(name, False, text, f, p)
