"""Whether the worst items of a model meet those of another, or a list, beyond chance."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from annostat._names import renamed
from annostat.concentration.curve import codes_of
from annostat.errors import AnnostatError, shown
from annostat.resampling.generators import Rng, as_generator
from annostat.results.result import Result
from annostat.results.sections import Section
from annostat.results.text import p_text

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Overlap(Result):
    """Two sets of the same items, and how many they share.

    Attributes
    ----------
    names : tuple of two str
    sizes : tuple of two int
    n_items, shared : int
    expected : float
        What chance would share: the product of the sizes over n.
    p_value : float
        One-sided: how often chance shares as many or more.
    method : str
    """

    names: tuple[str, str]
    sizes: tuple[int, int]
    n_items: int
    shared: int
    expected: float
    p_value: float
    method: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "names": list(self.names),
            "sizes": list(self.sizes),
            "n_items": self.n_items,
            "shared": self.shared,
            "expected": self.expected,
            "p_value": self.p_value,
            "method": self.method,
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row."""
        import pandas as pd

        return pd.DataFrame([self.to_dict()])

    def sections(self) -> list[Section]:
        """Return the one line that says it."""
        return [Section("Overlap", lines=[self.line()])]

    def line(self) -> str:
        """Return the overlap as a sentence."""
        first, second = self.names
        noun = "item" if self.shared == 1 else "items"
        return (
            f"{first} ({self.sizes[0]:,}) and {second} ({self.sizes[1]:,}) share {self.shared:,} "
            f"{noun}; chance: {self.expected:.1f} ({p_text(self.p_value)}, {self.method})"
        )


@renamed(clusters="cluster", n_permutations="n_resamples")
def overlap(
    first: ArrayLike,
    second: ArrayLike,
    *,
    names: tuple[str, str] = ("first", "second"),
    cluster: ArrayLike | None = None,
    n_resamples: int = 9999,
    rng: Rng = 0,
) -> Overlap:
    """Test whether two sets of the same items share more than chance would.

    Parameters
    ----------
    first, second : bool array-likes of shape (n,)
        Who is in each set.
    cluster : array-like of shape (n,), optional
        Cluster (patient) of each item. Without, P(shared or more) is hypergeometric. With, bad
        items come in clusters and share more by chance: then the clusters of the second set are
        put into a random order, each whole, `n_resamples` times.
    rng : Generator, int or None

    Returns
    -------
    Overlap

    Raises
    ------
    AnnostatError
        If the sets are not boolean, differ in length, or one of them is empty.

    Examples
    --------
    >>> import numpy as np
    >>> worst, known = np.zeros(100, bool), np.zeros(100, bool)
    >>> worst[:10] = known[5:15] = True
    >>> found = overlap(worst, known)
    >>> found.shared, found.expected, round(found.p_value, 4)
    (5, 1.0, 0.0007)
    """
    a, b = np.asarray(first), np.asarray(second)
    if a.dtype != bool or b.dtype != bool or a.ndim != 1 or a.shape != b.shape:
        raise AnnostatError("overlap needs two lists of true or false of the same length")
    for name, chosen in zip(names, (a, b), strict=True):
        if not chosen.any():
            raise AnnostatError(f"overlap: there are no items in {name}")
    n, k, m = a.size, int(a.sum()), int(b.sum())
    shared = int((a & b).sum())
    codes = codes_of(cluster, n)
    if codes is None:
        p, method = hypergeometric_tail(shared, n, k, m), "hypergeometric"
    else:
        p = permuted_tail(a, b, codes, shared, n_resamples, rng)
        method = f"{n_resamples:,} permutations of {int(codes.max()) + 1:,} whole clusters"
    return Overlap(names, (k, m), n, shared, k * m / n, p, method)


def hypergeometric_tail(shared: int, n: int, k: int, m: int) -> float:
    """Return P(X ≥ shared) of the items that k and m drawn of n have in common."""
    x = np.arange(shared, min(k, m) + 1)

    def log_choose(total: Any, chosen: Any) -> Any:
        return (
            special.gammaln(total + 1)
            - special.gammaln(chosen + 1)
            - special.gammaln(total - chosen + 1)
        )

    possible = x[(x >= k + m - n)]
    log_p = log_choose(k, possible) + log_choose(n - k, m - possible) - log_choose(n, m)
    return min(float(np.exp(log_p).sum()), 1.0)


def permuted_tail(
    a: NDArray[np.bool_],
    b: NDArray[np.bool_],
    codes: NDArray[np.int64],
    shared: int,
    n_resamples: int,
    rng: Rng,
) -> float:
    """Return how often random orders of b's clusters share as many items with a, or more."""
    order = np.argsort(codes, kind="stable")
    a, b = a[order], b[order]
    sizes = np.bincount(codes)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    generator = as_generator(rng)
    beyond = 0
    for _ in range(n_resamples):
        shuffled = generator.permutation(sizes.size)
        lengths = sizes[shuffled]
        offset = np.repeat(starts[shuffled] - np.cumsum(lengths) + lengths, lengths)
        moved = b[offset + np.arange(b.size)]
        # A random start, so that clusters of unlike size do not always meet the same ones.
        beyond += int((a & np.roll(moved, int(generator.integers(b.size)))).sum()) >= shared
    return (1 + beyond) / (1 + n_resamples)


def listed(items: NDArray[Any], wanted: Iterable[object], name: str) -> NDArray[np.bool_]:
    """Return which items are in a list; names that no item has are refused."""
    names = {str(v) for v in wanted}
    known = {str(v) for v in items}
    strange = sorted(names - known)
    if strange and not names & known:
        raise AnnostatError(
            f"{name}: none of its {len(names)} items is among the errors ({shown(strange, 3)})"
        )
    return np.array([str(v) in names for v in items])
