"""Mean squares of items and rounds, complete tables or not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from annostat.arrays import FloatArray, dot
from annostat.errors import AnnostatError


@dataclass(frozen=True)
class MeanSquares:
    """One-way and two-way analysis of variance of items × rounds.

    With missing cells the two-way squares are adjusted for each other (Henderson's third method,
    Searle, Casella & McCulloch 1992, ch. 5), so that no item is dropped; `k_*` and `n_rounds_*`
    are then the multiples of the variance components in their expectations.

    Attributes
    ----------
    n_items, n_rounds, n_labels : int
    items, within : float
        One-way mean squares between and within items.
    k_items : float
        Labels of an item, in the expectation within + k·between of the one-way `items`.
    items_adjusted, rounds, residual : float
        Two-way mean squares.
    k_adjusted, n_adjusted : float
        Labels of an item in the expectation of `items_adjusted`, labels of a round in `rounds`.
    balanced, connected : bool
        No cell is missing; a chain of shared items links all rounds (else the two-way squares mean
        nothing).
    """

    n_items: int
    n_rounds: int
    n_labels: int
    items: float
    within: float
    k_items: float
    items_adjusted: float
    rounds: float
    residual: float
    k_adjusted: float
    n_adjusted: float
    balanced: bool
    connected: bool = True

    @property
    def df_within(self) -> int:
        """Degrees of freedom of `within`."""
        return self.n_labels - self.n_items

    @property
    def df_residual(self) -> int:
        """Degrees of freedom of `residual`."""
        return self.n_labels - self.n_items - self.n_rounds + 1

    @classmethod
    def of(cls, values: FloatArray) -> MeanSquares:
        """Return the mean squares of an array (n_items, n_rounds), NaN where missing.

        Raises
        ------
        AnnostatError
            If fewer than two items have a label, or no item has two.
        """
        seen = np.isfinite(values)
        complete = bool(seen.all())
        if not complete:
            values = values[seen.any(axis=1)][:, seen.any(axis=0)]
            seen = np.isfinite(values)
        n, rounds = values.shape
        labels = int(seen.sum())
        if n < 2 or rounds < 2 or labels == n:
            raise AnnostatError(
                "an analysis of variance takes two or more items, and two labels of one of them; "
                f"got {n} items, {rounds} rounds, {labels} labels"
            )
        if complete:
            return cls._complete(values)
        z = np.where(seen, values - values[seen].mean(), 0.0)
        k, per_round = seen.sum(axis=1).astype(float), seen.sum(axis=0).astype(float)
        item_sums, round_sums = z.sum(axis=1), z.sum(axis=0)
        total = float(np.sum(z**2))
        correction = float(z.sum()) ** 2 / labels
        raw_items = float(np.sum(item_sums**2 / k)) - correction
        within = total - correction - raw_items
        raw_rounds = float(np.sum(round_sums**2 / per_round)) - correction
        # Rounds adjusted for items: the items' means are swept out.
        normal = np.diag(per_round) - (seen / k[:, None]).T @ seen
        right = round_sums - seen.T @ (item_sums / k)
        solution, _, rank, _ = np.linalg.lstsq(normal, right, rcond=1e-10)
        rounds_adjusted = float(right @ solution)
        items_adjusted = raw_items + rounds_adjusted - raw_rounds
        freedom = labels - n - rounds + 1
        residual = within - rounds_adjusted
        return cls(
            n,
            rounds,
            labels,
            raw_items / (n - 1),
            within / (labels - n),
            (labels - float(np.sum(k**2)) / labels) / (n - 1),
            items_adjusted / (n - 1),
            rounds_adjusted / (rounds - 1),
            residual / freedom if freedom > 0 else np.nan,
            (labels - rounds) / (n - 1),
            (labels - n) / (rounds - 1),
            False,
            rank == rounds - 1,
        )

    @classmethod
    def _complete(cls, values: FloatArray) -> MeanSquares:
        n, k = values.shape
        centred = values - values.mean()
        item_means, round_means = centred.mean(axis=1), centred.mean(axis=0)
        items = k * dot(item_means, item_means) / (n - 1)
        rounds = n * dot(round_means, round_means) / (k - 1)
        # From residuals: the difference of sums of squares would lose their digits.
        inside = centred - item_means[:, None]
        within = float(np.einsum("ij,ij->", inside, inside))
        inside -= round_means
        residual = float(np.einsum("ij,ij->", inside, inside))
        return cls(
            n,
            k,
            n * k,
            items,
            within / (n * (k - 1)),
            float(k),
            items,
            rounds,
            residual / ((n - 1) * (k - 1)),
            float(k),
            float(n),
            True,
        )
