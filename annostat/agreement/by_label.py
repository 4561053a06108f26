"""Floors by the label that a model meets: of two rounds by moments, of more by the hierarchy."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat.agreement.hierarchical import hierarchy
from annostat.agreement.hierarchy_result import Hierarchy
from annostat.agreement.label_kinds import NEW, ONE_OF_THEM, LabelKind, UnequalRaters, kind_of
from annostat.agreement.rater_noise import FEWEST, share_of_truth
from annostat.agreement.unequal import equally_noisy, unequal_raters
from annostat.agreement.variances import Variances
from annostat.errors import AnnostatError
from annostat.labels.rounds import Rounds
from annostat.results.estimates import Estimate
from annostat.results.sections import Section

MOST = 0.5  # share of the items with all labels from which two raters are told apart
MOST_ROUNDS = 100  # beyond these a table of raters is none that one reads
MANY = 10  # rounds beyond which moments of all pairs cost too much; the hierarchy does not


@dataclass(frozen=True)
class RatersByHierarchy(UnequalRaters):
    """`UnequalRaters` whose numbers are those of a hierarchy of raters.

    Attributes
    ----------
    hierarchy : Hierarchy or None
        Never None where this was made by `floors_by_label`.
    """

    hierarchy: Hierarchy | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        found = super().to_dict()
        if self.hierarchy is not None:
            found["hierarchy"] = {
                k: v
                for k, v in self.hierarchy.to_dict().items()
                if k in ("law", "difficulty_sd", "bias_sd", "checks")
            }
        return found

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        found = super().sections()
        if self.hierarchy is not None:
            found[0] = self.hierarchy.sections()[0]
        return found


def floors_by_label(rounds: Rounds, *, level: float = 0.95) -> UnequalRaters | None:
    """Return the floors against each kind of label, or None where raters cannot be told apart.

    Parameters
    ----------
    rounds : Rounds
        Values of shape (n_items, n_rounds), NaN for missing.
    level : float
        Confidence level.

    Returns
    -------
    UnequalRaters or None
        Three rounds or more: `RatersByHierarchy`, whatever the gaps, as long as shared items link
        all raters. Else `unequal_raters`, where half of the items or more have all labels. None
        for rounds without identity, and for more than a hundred.

    Examples
    --------
    >>> import numpy as np
    >>> g = np.random.default_rng(1)
    >>> labels = g.normal(50, 9, (300, 1)) + g.normal([0, 1, -1], [1.0, 2.0, 3.0], (300, 3))
    >>> labels[np.arange(300), np.arange(300) % 3] = np.nan  # two of three raters for each item
    >>> [k.name for k in floors_by_label(Rounds.from_array(labels, names=list("ABC"))).kinds][:3]
    ['A', 'B', 'C']
    """
    used = rounds.usable()
    if used.exchangeable:
        return None
    if used.n_rounds > MOST_ROUNDS:
        return None
    full = np.isfinite(used.values).all(axis=1)
    enough = bool(full.sum() >= FEWEST and full.mean() >= MOST) and used.n_rounds <= MANY
    found = None
    if used.n_rounds > 2:
        with suppress(AnnostatError):  # too few items or labels, raters that no shared item links
            found = hierarchy(used, level=level)
    if found is None:
        return unequal_raters(used, level=level) if enough else None
    return RatersByHierarchy(
        found.raters,
        _kinds(used, found, level),
        equally_noisy(used.by_value(), level=level) if enough else found.equal,
        found.tails,
        found.n_items,
        (),
        found,
    )


def _kinds(rounds: Rounds, found: Hierarchy, level: float) -> tuple[LabelKind, ...]:
    v = Variances.of(rounds)

    def log_truth(t: NDArray[Any]) -> NDArray[Any]:
        within = v.within(t)
        return np.asarray(np.log((v.between(t) - within) / v.size(t)))

    with np.errstate(invalid="ignore", divide="ignore"):
        truth = float(np.exp(v.sums.value(log_truth))) * v.scale**2
        error = v.sums.standard_error(log_truth) if truth > 0 else 0.0
    df = max(v.sums.n_units - 1, 1)
    floors: list[tuple[str, Estimate]] = [(r.name, r.noise_sd) for r in found.raters]
    floors += [(ONE_OF_THEM, found.one_of_them), (NEW, found.new_rater)]
    return tuple(
        kind_of(name, rmse, share_of_truth(rmse, truth, error, df, level)) for name, rmse in floors
    )
