"""What holds for one annotation without a noise law, from E|D| of two."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from annostat.errors import AnnostatError
from annostat.results.estimates import Estimate
from annostat.results.result import Result
from annostat.results.sections import Section
from annostat.results.text import format_number, plain

if TYPE_CHECKING:
    import pandas as pd


FACTORS = {"symmetric": (1 / 2, 1.0), "unimodal": (1 / 2, 3 / 4), "log_concave": (2 / 3, 3 / 4)}
NARROW_FRAMES = 2.0  # below this E|D| the lattice matters to the log-concave bracket


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


def limits_line(entries: Mapping[str, Mapping[str, float | None]]) -> str:
    """Return brackets of the floor of the MAE with the sampling error of E|D|, in one sentence.

    `entries` as in `Bracket.to_dict`; where E|D| has no interval they are those at its estimate.
    """
    words = {
        "symmetric": "symmetric",
        "unimodal": "symmetric and unimodal",
        "log_concave": "log-concave",
    }
    known = all(entry["low_limit"] is not None for entry in entries.values())
    low, high = ("low_limit", "high_limit") if known else ("low", "high")
    ends = [entry[end] or 0.0 for entry in entries.values() for end in (low, high)]
    spread = (max(ends) - min(ends)) / 8
    told = ", ".join(
        f"{format_number(entry[low], spread)} to {format_number(entry[high], spread)} if "
        f"{words[name]}"
        for name, entry in entries.items()
    )
    error = "sampling error included" if known else "without its sampling error"
    return f"Floor of the MAE whatever the law of the noise, {error}: {told}."


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
    >>> from annostat import Estimate, Interval
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
