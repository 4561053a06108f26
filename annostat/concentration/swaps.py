"""An exact test of concentration for a model that was scored against two rounds.

Let the model be perfect and the noise of each round symmetric about the truth: the errors
against the two rounds, (X₁, X₂), then have the law of (X₁, −X₂), and so the half-sum and the
half-difference of an item may be swapped. The error of a model doubles in the sum and cancels in
the difference. No law is fitted, and nothing is asked of the noise but symmetry: items may differ
in difficulty, and both rounds may share it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from annostat._names import renamed
from annostat._version import __version__
from annostat.arrays import FloatArray
from annostat.concentration.curve import Curve
from annostat.errors import (
    AnnostatError,
    check_choice,
    check_count,
    check_number,
    check_numbers,
    shown,
)
from annostat.labels.rounds import Rounds
from annostat.resampling.clusters import cluster_codes
from annostat.resampling.generators import Rng, as_generator, seed_of
from annostat.results.result import Provenance, Result
from annostat.results.sections import Section
from annostat.results.text import p_text, percent

if TYPE_CHECKING:
    import pandas as pd

BLOCK = 1 << 21  # losses held at once


@dataclass(frozen=True)
class SwapTest(Result):
    """Whether a model's error sits on fewer items than the noise of two rounds.

    Attributes
    ----------
    share : float
        Share of the loss of the sums of both errors in the worst `top` of the items.
    share_of_noise : float
        The same of the differences between the rounds, in which no model has a part.
    p_value : float
        One-sided, exact for a perfect model and symmetric noise.
    top : float
    loss : str
    n_items, n_swaps : int
    provenance : Provenance
    """

    share: float
    share_of_noise: float
    p_value: float
    top: float
    loss: str
    n_items: int
    n_swaps: int
    provenance: Provenance

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "share": self.share,
            "share_of_noise": self.share_of_noise,
            "p_value": self.p_value,
            "top": self.top,
            "loss": self.loss,
            "n_items": self.n_items,
            "n_swaps": self.n_swaps,
            "provenance": self.provenance.to_dict(),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row."""
        import pandas as pd

        return pd.DataFrame([{k: v for k, v in self.to_dict().items() if k != "provenance"}])

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        return [Section("Concentration beyond the noise of two rounds", lines=[self.line()])]

    def line(self) -> str:
        """Return the finding as a sentence."""
        kind = "squared" if self.loss == "squared" else "absolute"
        return (
            f"Against both rounds: the worst {percent(self.top)} of {self.n_items:,} items hold "
            f"{100 * self.share:.1f}% of the {kind} sum of both errors, and "
            f"{100 * self.share_of_noise:.1f}% of the {kind} difference of the rounds, in which "
            f"the model has no part (exact test, {p_text(self.p_value)})."
        )


@renamed(n_swaps="n_resamples")
def excess_by_swaps(
    predictions: ArrayLike,
    rounds: Rounds,
    *,
    top: float = 0.15,
    loss: str = "squared",
    n_resamples: int = 999,
    rng: Rng = 0,
) -> SwapTest:
    """Test whether a model's error sits on a few items more than the noise of two rounds does.

    Parameters
    ----------
    predictions : array-like of shape (n,)
        The model's values, in the unit and the order of the rounds.
    rounds : Rounds
        Exactly two rounds of the same items; items without both labels or a prediction are left
        out. Whole clusters are swapped.
    top : float
        The worst fraction that is looked at.
    loss : {"squared", "absolute"}
    n_resamples : int
        Random swaps; the smallest p-value is 1/(n_resamples + 1).
    rng : Generator, int or None

    Returns
    -------
    SwapTest
        T = S(top; (e₁ + e₂)) − S(top; (e₁ − e₂)) with e_j = prediction − round j less its mean, S
        the share of the loss in the worst items, and p how often T is as large after each item's
        sum and difference were swapped or not, at random (Fisher 1935; Phipson & Smyth 2010).

    Raises
    ------
    AnnostatError
        If there are not two rounds, fewer than three items are complete, or all rounds agree.

    Notes
    -----
    Means are removed, so that a bias of the model or of a round is not taken for concentration;
    that leaves the test exact up to terms of order 1/n. An error that is spread like the noise is
    no excess, however large.

    Examples
    --------
    >>> import numpy as np
    >>> from annostat import Rounds
    >>> rng = np.random.default_rng(1)
    >>> truth = rng.normal(55, 10, 400)
    >>> rounds = Rounds.from_array(truth[:, None] + rng.laplace(0, 4, (400, 2)))
    >>> wrong = np.where(np.arange(400) < 20, 25.0, 0.0)
    >>> excess_by_swaps(truth + wrong, rounds).p_value
    0.001
    """
    check_choice("loss", loss, ("squared", "absolute"))
    top = check_number("top", top, low=0.0, high=1.0, open_ends=True)
    n_resamples = check_count("n_resamples", n_resamples, low=19)
    if rounds.n_rounds != 2:
        raise AnnostatError(f"rounds must be two, got {rounds.n_rounds} ({shown(rounds.names)})")
    values = check_numbers("predictions", predictions)
    if values.shape != (len(rounds.values),):
        raise AnnostatError(
            f"predictions must be one number for each of {len(rounds.values)} items, got shape "
            f"{values.shape}"
        )
    if np.isinf(values).any():
        raise AnnostatError("predictions must be finite (NaN where the model gave none)")
    errors = values[:, None] - rounds.values
    complete = np.isfinite(errors).all(axis=1)
    if complete.sum() < 3:
        raise AnnostatError(f"three or more complete items are needed, got {int(complete.sum())}")
    errors = errors[complete] - errors[complete].mean(axis=0)
    power = 2 if loss == "squared" else 1
    sums = np.abs(errors[:, 0] + errors[:, 1]) ** power
    differences = np.abs(errors[:, 0] - errors[:, 1]) ** power
    if not differences.any() or not sums.any():
        raise AnnostatError("the two rounds, or the model and the rounds, agree on every item")
    codes = cluster_codes(None if rounds.cluster is None else rounds.cluster[complete])
    share, of_noise, p = swap_losses(
        sums, differences, codes, top=top, n_resamples=n_resamples, generator=as_generator(rng)
    )
    return SwapTest(
        share,
        of_noise,
        p,
        top,
        loss,
        len(sums),
        n_resamples,
        Provenance(
            __version__,
            rounds.digest(),
            len(sums),
            seed_of(rng),
            {"top": top, "loss": loss, "n_swaps": n_resamples},
        ),
    )


def swap_losses(
    first: FloatArray,
    second: FloatArray,
    codes: NDArray[np.int64] | None,
    *,
    top: float,
    n_resamples: int,
    generator: np.random.Generator,
    two_sided: bool = False,
) -> tuple[float, float, float]:
    """Return the worst shares of two losses of each item, and the p of their difference.

    The two of an item, or of a whole cluster, are swapped or not at random. One-sided: the first
    is the more concentrated one.
    """
    units = len(first) if codes is None else int(codes.max()) + 1
    share, other = (float(Curve.of(x).share(top)) for x in (first, second))
    beyond, done = 0, 0
    while done < n_resamples:
        size = min(max(1, BLOCK // len(first)), n_resamples - done)
        swap = generator.random((size, units)) < 0.5
        swap = swap if codes is None else swap[:, codes]
        one = np.where(swap, second, first)
        gaps = shares(one, top) - shares(first + second - one, top)
        if two_sided:
            beyond += int((np.abs(gaps) >= abs(share - other) - 1e-12).sum())
        else:
            beyond += int((gaps >= share - other - 1e-12).sum())
        done += size
    return share, other, (1 + beyond) / (1 + n_resamples)


def shares(losses: FloatArray, top: float) -> FloatArray:
    """Return the share of the worst fraction of each row, as `Curve.share` has it."""
    n = losses.shape[1]
    whole = int(np.floor(top * n + 1e-9))
    edge = max(n - 1 - whole, 0)  # of the order from the best to the worst
    parted = np.partition(losses, edge, axis=1)
    worst = parted[:, n - whole :].sum(axis=1) + (top * n - whole) * parted[:, edge]
    return np.asarray(worst / np.maximum(losses.sum(axis=1), 1e-300))
