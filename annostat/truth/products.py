"""Cross products: what a model is off from a truth that nobody has.

Two labels of an item err independently, so (f − z₁)(f − z₂) has the mean E(f − Y)², whatever the
model f: the noise of neither label is squared. With k labels the mean over all ordered pairs is
(f − z̄)² − s²/k.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from annostat.agreement.noise_sd import check_degrees
from annostat.agreement.variances import Variances
from annostat.arrays import FloatArray, beside
from annostat.errors import AnnostatError, check_numbers
from annostat.labels.rounds import Rounds


def cross_products(
    values: ArrayLike,
    first: ArrayLike,
    second: ArrayLike | None = None,
    *,
    inflation: float = 1.0,
) -> FloatArray:
    r"""Return the mean of (f − z_j)(g − z_l) over the ordered pairs j ≠ l of each item's labels.

    Parameters
    ----------
    values : array-like of shape (n_items, n_rounds)
        Labels, NaN where missing.
    first, second : array-like of shape (n_items,)
        f and g; g is f by default.
    inflation : float
        What s² is multiplied by, for degrees of freedom that were spent on the labels before.

    Returns
    -------
    float64 array of shape (n_items,)
        (f − z̄)(g − z̄) − s²/k with s² the variance of the item's k labels; NaN for an item with
        fewer than two labels or without f or g. With two rounds the mean over items is exactly
        ½·ΣMSE(f, Z_j) − ½·mean D² (polarisation).

    Raises
    ------
    AnnostatError
        If the shapes do not fit.

    Examples
    --------
    >>> cross_products([[1.0, 3.0], [5.0, float("nan")]], [4.0, 4.0]).tolist()
    [3.0, nan]
    """
    z, f = check_numbers("values", values), check_numbers("first", first)
    g = f if second is None else check_numbers("second", second)
    if z.ndim != 2 or f.shape != z.shape[:1] or g.shape != f.shape:
        raise AnnostatError(
            f"values must have shape (n_items, n_rounds) and the others (n_items,), got {z.shape}, "
            f"{f.shape} and {g.shape}"
        )
    # Sums of f − z and of g − z, small numbers, so that large labels lose no digits.
    k, e_sum, h_sum, cross = (np.zeros(len(z)) for _ in range(4))
    for column in z.T:
        seen = ~np.isnan(column)
        e = f - column
        h = e if second is None else g - column
        if not seen.all():
            e, h = np.where(seen, e, 0.0), np.where(seen, h, 0.0)
        k += seen
        e_sum += e
        h_sum += h
        cross += e * h
    with np.errstate(divide="ignore", invalid="ignore"):
        product = (e_sum * h_sum - cross) / (k * (k - 1))
        if inflation != 1:
            mean, square = f - e_sum / k, np.zeros(len(z))
            for column in z.T:
                square += np.where(np.isnan(column), 0.0, column - mean) ** 2
            product -= (inflation - 1) * square / (k * (k - 1))
    return np.asarray(np.where(k >= 2, product, np.nan))


def half_products(values: FloatArray, f: FloatArray) -> FloatArray:
    """Return (f − ā)(f − b̄), the labels of an item dealt in turn to the halves a and b.

    Unlike the mean over all pairs, it is symmetric about 0 if f is the truth and the errors are
    symmetric, as tests of signs and ranks need it; with two labels both are the same.
    """
    a, b = halves_of(values)
    return np.asarray((f - a) * (f - b))


def halves_of(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the means of the halves ā and b̄ of each item's labels."""
    rounds = values.T
    seen = np.isfinite(rounds)
    place = np.cumsum(seen, axis=0)
    odd = place % 2 == 1
    with np.errstate(invalid="ignore"):
        a = np.where(seen & odd, rounds, 0.0).sum(axis=0) / ((place[-1] + 1) // 2)
        b = np.where(seen & ~odd, rounds, 0.0).sum(axis=0) / (place[-1] // 2)
    return a, b


@dataclass(frozen=True, eq=False)
class Labels:
    """Labels of items that have two or more, less the bias of each round about the mean of all.

    A bias β between two rounds would lower the mean cross product by β²/4. Where the order of
    rounds means nothing (`Rounds.exchangeable`) there is none to remove.
    """

    values: FloatArray
    inflation: float
    names: tuple[str, ...]
    exchangeable: bool

    @classmethod
    def of(cls, rounds: Rounds) -> Labels:
        """Return the labels of usable rounds."""
        v = Variances.of(rounds)
        check_degrees(v)
        # Each round in one piece, as are its products and sums.
        adjusted = np.asfortranarray(rounds.values) - v.effects * v.scale
        inflation = (v.n_labels - v.n_items) / v.degrees
        return cls(adjusted, inflation, rounds.names, rounds.exchangeable)

    def without(self, trained: tuple[int, ...]) -> Labels:
        """Return the labels of the rounds that a model has not seen."""
        if not trained:
            return self
        kept = [j for j in range(len(self.names)) if j not in trained]
        return replace(self, values=self.values[:, kept], names=tuple(self.names[j] for j in kept))

    def products(self, f: FloatArray, trained: tuple[int, ...] = ()) -> FloatArray:
        """Return what each item says about E(f − Y)², for a model trained on some rounds.

        From the rounds it has not seen. If that is one only, the noise comes from all of them:
        (f − z)² − s², which takes their noise to be equal. NaN where an item says nothing.
        """
        rest = self.without(trained)
        if len(rest.names) >= 2:
            return cross_products(rest.values, f, inflation=self.inflation)
        if not rest.names:
            return np.full(len(f), np.nan)
        return np.asarray((f - rest.values[:, 0]) ** 2 - self.noise(trained)[0])

    def noise(self, trained: tuple[int, ...] = ()) -> tuple[FloatArray, FloatArray]:
        """Return what `products` takes off each item's square for noise, and the labels behind it.

        s²/k of the k labels that the model has not seen; s² of all where it has seen all but one.
        """
        rest = self.without(trained)
        own = rest if len(rest.names) >= 2 else self
        seen = np.isfinite(own.values)
        k = seen.sum(axis=1).astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = np.where(seen, own.values, 0.0).sum(axis=1) / k
            away = np.where(seen, own.values - mean[:, None], 0.0)
            s2 = np.where(k >= 2, self.inflation * (away**2).sum(axis=1) / (k - 1), np.nan)
            return np.asarray(s2 / k if own is rest else s2), k

    def learned(self, f: FloatArray, round_: int, trained: tuple[int, ...]) -> FloatArray:
        """Return what each item adds to the share of a round's noise that is in the model.

        The share is a in f = Y + u + a·X_j. Two or more other rounds: the sums of the cross
        products (f, z_j) and (z_j, z_j) about them, whose ratio is a. One other round z, with
        D = z_j − z: 2(f − z̄)D and D², which takes the noise of both to be equal.

        Returns
        -------
        float64 array of shape (n_items, 2)
        """
        rest = self.without(tuple({*trained, round_}))
        z = self.values[:, round_]
        if len(rest.names) >= 2:
            pair = [cross_products(rest.values, g, z) for g in (f, z)]
        elif rest.names:
            d = z - rest.values[:, 0]
            pair = [2 * (f - rest.values[:, 0]) * d - d**2, d**2]
        else:
            pair = [np.full(len(f), np.nan)] * 2
        return beside(pair)
