"""Intraclass correlations: six forms, three naming conventions, one table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from annostat._version import __version__
from annostat.agreement.anova import MeanSquares
from annostat.errors import AnnostatError, check_level
from annostat.estimates import (
    Estimate,
    Interval,
    Provenance,
    Result,
    Section,
    format_number,
    format_p,
    plain,
)
from annostat.rounds import Rounds

if TYPE_CHECKING:
    import pandas as pd

# McGraw & Wong (1996), Shrout & Fleiss (1979), and in words as Koo & Li (2016) ask for.
NAMES = {
    "icc_1_1": ("ICC(1)", "ICC(1,1)", "one-way random, absolute agreement, single label"),
    "icc_a_1": ("ICC(A,1)", "ICC(2,1)", "two-way random, absolute agreement, single label"),
    "icc_c_1": ("ICC(C,1)", "ICC(3,1)", "two-way mixed, consistency, single label"),
    "icc_1_k": ("ICC(k)", "ICC(1,k)", "one-way random, absolute agreement, mean of k"),
    "icc_a_k": ("ICC(A,k)", "ICC(2,k)", "two-way random, absolute agreement, mean of k"),
    "icc_c_k": ("ICC(C,k)", "ICC(3,k)", "two-way mixed, consistency, mean of k"),
}
ROUNDING = 1e-24  # mean squares below this share of the largest value's square are rounding


@dataclass(frozen=True)
class IccForm:
    """One form: its estimate, F test of ρ = 0, degrees of freedom and p-value."""

    name: str
    estimate: Estimate
    f: float
    df1: float
    df2: float
    p_value: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        mcgraw_wong, shrout_fleiss, words = NAMES[self.name]
        return {
            "name": self.name,
            "mcgraw_wong": mcgraw_wong,
            "shrout_fleiss": shrout_fleiss,
            "description": words,
            **self.estimate.to_dict(),
            "f": plain(self.f),
            "df1": plain(self.df1),
            "df2": plain(self.df2),
            "p_value": plain(self.p_value),
        }


@dataclass(frozen=True)
class Icc(Result):
    """All forms of the intraclass correlation of one table.

    Attributes
    ----------
    forms : tuple of IccForm
        In the order of `NAMES`; by name through ``icc["icc_a_1"]``.
    k : int
        Number of labels that the k forms average.
    mean_squares : MeanSquares
    provenance : Provenance
    """

    forms: tuple[IccForm, ...]
    k: int
    mean_squares: MeanSquares
    provenance: Provenance

    def __getitem__(self, name: str) -> Estimate:
        for form in self.forms:
            if form.name == name:
                return form.estimate
        raise AnnostatError(f"there is no form {name!r}: {', '.join(NAMES)}")

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "k": self.k,
            "icc": [form.to_dict() for form in self.forms],
            "provenance": self.provenance.to_dict(),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per form, with all three names."""
        import pandas as pd

        return pd.DataFrame([form.to_dict() for form in self.forms])

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        rows = [
            [*NAMES[f.name], f.estimate.short(), f.estimate.range(), format_number(f.f),
             format_p(f.p_value)]
            for f in self.forms
        ]  # fmt: skip
        notes = dict.fromkeys(f.estimate.note for f in self.forms if f.estimate.note)
        columns = ("McGraw–Wong", "Shrout–Fleiss", "in words", "value", "interval", "F", "p")
        return [Section("Intraclass correlation", columns, rows, list(notes))]


def icc(rounds: Rounds, *, level: float = 0.95, k: int | None = None) -> Icc:
    r"""Return all intraclass correlations with F intervals, F tests and p-values.

    Parameters
    ----------
    rounds : Rounds
        Values of shape (n_items, n_rounds), NaN where missing.
    level : float
        Confidence level.
    k : int, optional
        Number of labels that the k forms average; by default the number of rounds.

    Returns
    -------
    Icc
        With mean squares MS of items (I), rounds (J), residual (E) and within items (W):
        ICC(1) = (MSI − MSW)/(MSI + (k−1)MSW), ICC(C,1) = (MSI − MSE)/(MSI + (k−1)MSE),
        ICC(A,1) = (MSI − MSE)/(MSI + (k−1)MSE + k(MSJ − MSE)/n), and k forms by Spearman–Brown.
        Intervals: Shrout & Fleiss (1979), McGraw & Wong (1996); for ICC(A,1) Satterthwaite's
        degrees of freedom. They presume Gaussian truths and errors; for other errors see
        `annostat.ceilings.bounds`, whose reliability has an interval that does not. Cells may be
        missing: components come from the unbalanced analysis of variance (no item is dropped) and
        the intervals are then approximate, which their method says. Negative values stay
        negative. All labels equal: NaN. Identical rounds: 1, without an interval. Rounds that
        are `exchangeable` have no two-way forms: NaN.

    Raises
    ------
    AnnostatError
        If fewer than two items have labels or no item has two.

    Notes
    -----
    Shrout & Fleiss (1979), Psychol Bull 86:420-428; McGraw & Wong (1996), Psychol Methods
    1:30-46 (with its correction 1:390).

    Examples
    --------
    The ratings of Shrout & Fleiss (1979):

    >>> ratings = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8],
    ...            [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    >>> table = icc(Rounds.from_array(ratings))
    >>> [round(form.estimate.value, 2) for form in table.forms]
    [0.17, 0.29, 0.71, 0.44, 0.62, 0.91]
    """
    level = check_level(level)
    values = rounds.values
    if rounds.weights is not None:
        values = np.repeat(values, rounds.weights, axis=0)
    seen = np.isfinite(values)
    scale = float(np.max(np.abs(values - values[seen].mean()), where=seen, initial=0.0))
    ms = MeanSquares.of(values / scale if scale > 0 else values)
    count = ms.n_rounds if k is None else k
    if not isinstance(count, (int, np.integer)) or count < 1:
        raise AnnostatError(f"k must be a whole number of at least 1, got {k!r}")
    single = [_one_way(ms, level), _agreement(ms, level), _consistency(ms, level)]
    if rounds.exchangeable:
        why = "the rounds have no identity, so that only the one-way forms have a meaning"
        nothing = Estimate(math.nan, note=why)
        single[1:] = [IccForm(f.name, nothing, math.nan, f.df1, f.df2, math.nan)
                      for f in single[1:]]  # fmt: skip
    forms = (*single, *(_averaged(form, count) for form in single))
    return Icc(
        forms,
        int(count),
        ms,
        Provenance(__version__, rounds.digest(), ms.n_items, None, {"level": level, "k": count}),
    )


def _one_way(ms: MeanSquares, level: float) -> IccForm:
    return _ratio_form("icc_1_1", ms.items, ms.within, ms.k_items, ms.n_items - 1, ms.df_within,
                       ms, level)  # fmt: skip


def _consistency(ms: MeanSquares, level: float) -> IccForm:
    return _ratio_form("icc_c_1", ms.items_adjusted, ms.residual, ms.k_adjusted, ms.n_items - 1,
                       ms.df_residual, ms, level)  # fmt: skip


def _ratio_form(
    name: str,
    top: float,
    bottom: float,
    k: float,
    df1: int,
    df2: int,
    ms: MeanSquares,
    level: float,
) -> IccForm:
    if df2 < 1 or (name == "icc_c_1" and not ms.connected):
        why = _why_not(ms)
        return IccForm(name, Estimate(math.nan, note=why), math.nan, df1, df2, math.nan)
    degenerate = _degenerate(name, top, bottom, df1, df2)
    if degenerate is not None:
        return degenerate
    f = top / bottom
    lower, upper = f / _f_quantile(df1, df2, level), f * _f_quantile(df2, df1, level)
    low, high = ((x - 1) / (x + k - 1) for x in (lower, upper))
    method = "F" if ms.balanced else "F, approximate with missing cells"
    estimate = Estimate((f - 1) / (f + k - 1), None, Interval(low, high, level, method))
    return IccForm(name, estimate, f, df1, df2, float(special.fdtrc(df1, df2, f)))


def _agreement(ms: MeanSquares, level: float) -> IccForm:
    n, k = ms.n_adjusted, ms.k_adjusted
    items, rounds, residual = (
        0.0 if square <= ROUNDING else square
        for square in (ms.items_adjusted, ms.rounds, ms.residual)
    )
    df1, df2 = ms.n_items - 1, ms.df_residual
    if df2 < 1 or not ms.connected:
        why = _why_not(ms)
        return IccForm("icc_a_1", Estimate(math.nan, note=why), math.nan, df1, df2, math.nan)
    if rounds == 0:
        degenerate = _degenerate("icc_a_1", items, residual, df1, df2)
        if degenerate is not None:
            return degenerate
    bottom = items + (k - 1) * residual + k * (rounds - residual) / n
    value = (items - residual) / bottom
    f = items / residual if residual > 0 else math.inf if items > 0 else math.nan
    a, b = k * value / (n * (1 - value)), 1 + k * value * (n - 1) / (n * (1 - value))
    spread = (a * rounds) ** 2 / (ms.n_rounds - 1) + (b * residual) ** 2 / df2
    interval = None
    note = "no interval: the residual vanishes"
    if spread > 0:
        freedom = (a * rounds + b * residual) ** 2 / spread
        high, low = _f_quantile(df1, freedom, level), _f_quantile(freedom, df1, level)
        rest = k * rounds + (k * n - k - n) * residual
        method = "F with Satterthwaite's degrees of freedom"
        lower = n * (items - high * residual) / (high * rest + n * items)
        upper = n * (low * items - residual) / (rest + n * low * items)
        # The formula breaks down where its denominators vanish: very few labels, negative values.
        note = "no interval: the table is too small for its formula"
        if lower <= value <= upper:
            method += "" if ms.balanced else ", approximate with missing cells"
            interval, note = Interval(lower, upper, level, method), ""
    p = float(special.fdtrc(df1, df2, f))
    return IccForm("icc_a_1", Estimate(value, None, interval, "", note), f, df1, df2, p)


def _why_not(ms: MeanSquares) -> str:
    if not ms.connected:
        return "no chain of shared items links all rounds, so that their bias cannot be told"
    return "too few labels for the residual"


def _degenerate(name: str, top: float, bottom: float, df1: int, df2: int) -> IccForm | None:
    """Return the defined result of a table without noise, None for any other."""
    if bottom > ROUNDING:
        return None
    if top <= ROUNDING:
        nothing = Estimate(math.nan, note="all labels are equal: there is nothing to tell apart")
        return IccForm(name, nothing, math.nan, df1, df2, math.nan)
    note = "no interval: the rounds are identical" if name != "icc_c_1" else (
        "no interval: the rounds differ by a constant at most"
    )  # fmt: skip
    return IccForm(name, Estimate(1.0, None, None, "", note), math.inf, df1, df2, 0.0)


def _averaged(form: IccForm, k: int) -> IccForm:
    """Return the form for the mean of k labels, by Spearman–Brown."""
    e = form.estimate
    interval = e.interval
    if interval is not None:
        interval = Interval(spearman_brown(interval.low, k), spearman_brown(interval.high, k),
                            interval.level, interval.method)  # fmt: skip
    averaged = Estimate(spearman_brown(e.value, k), None, interval, "", e.note)
    return IccForm(form.name[:-1] + "k", averaged, form.f, form.df1, form.df2, form.p_value)


def spearman_brown(reliability: float, k: float) -> float:
    """Return the reliability of the mean of k labels, k·ρ/(1 + (k−1)·ρ).

    −∞ where the mean of k labels would have no variance left: ρ ≤ −1/(k−1).

    Examples
    --------
    >>> round(spearman_brown(0.5, 2), 3)
    0.667
    """
    bottom = 1 + (k - 1) * reliability
    return -math.inf if bottom <= 1e-12 else k * reliability / bottom


def _f_quantile(df1: float, df2: float, level: float) -> float:
    return float(special.fdtri(df1, df2, (1 + level) / 2))
