"""Intraclass correlations: six forms, three naming conventions, one table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from annostat._version import __version__
from annostat.agreement.anova import MeanSquares
from annostat.agreement.small import chosen, for_tails, log_variance_error, reliability_interval
from annostat.agreement.variances import NONE_COVERS, Variances, share_interval
from annostat.errors import AnnostatError, check_choice, check_level
from annostat.labels.rounds import Rounds
from annostat.labels.taking import takes_rounds
from annostat.once import one_answer
from annostat.resampling.generators import Rng, seed_of
from annostat.resampling.sums import FEW_UNITS, Function, draw_together
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Provenance, Result
from annostat.results.sections import Section
from annostat.results.text import format_number, format_p, plain

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
INTERVALS = ("auto", "f-kurtosis", "bootstrap-t", "f")
FLAT = "no interval: two items only, or a round that is constant or mirrors another"
NO_ERROR = 1e-9  # a standard error of a share below this is rounding
EQUAL_SQUARES = 1e-12  # mean squares that differ by less, as a share, are equal
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
            [
                *NAMES[f.name],
                f.estimate.short(),
                f.estimate.range(),
                format_number(f.f),
                format_p(f.p_value),
            ]
            for f in self.forms
        ]
        columns = ("McGraw–Wong", "Shrout–Fleiss", "in words", "value", "interval", "F", "p")
        return [Section("Intraclass correlation", columns, rows, notes_of(self.forms))]


def notes_of(forms: Sequence[IccForm]) -> list[str]:
    """Return what must be said below a table of these forms."""
    notes = list(dict.fromkeys(f.estimate.note for f in forms if f.estimate.note))
    methods = {f.name: f.estimate.interval.method for f in forms if f.estimate.interval}
    if any("for kurtosis" in method for method in methods.values()):
        notes.append(
            "F intervals presume Gaussian truths, and errors with tails up to exponential ones."
        )
    elif any(method.startswith("F") for method in methods.values()):
        notes.append("F intervals presume Gaussian truths and errors of independent items.")
    elif "icc_a_1" in methods:
        notes.append("The intervals of ICC(A,·) hold for these raters, not for raters drawn anew.")
    return notes


@takes_rounds
@one_answer()
def icc(
    rounds: Rounds,
    *,
    interval: str = "auto",
    level: float = 0.95,
    k: int | None = None,
    n_resamples: int = 2000,
    rng: Rng = 0,
    n_jobs: int | None = 1,
) -> Icc:
    r"""Return all intraclass correlations with intervals, F tests and p-values.

    Parameters
    ----------
    rounds : Rounds
        Values of shape (n_items, n_rounds), NaN where missing.
    interval : {"auto", "f-kurtosis", "bootstrap-t", "f"}
        "bootstrap-t" draws items, or whole clusters, on the scale of −log(1 − ρ); it presumes no
        law and speaks of these raters. "f" is exact for Gaussian truths and errors of independent
        items, too narrow for others, and takes the raters of ICC(A,·) for a sample of many.
        "f-kurtosis" is "f" with fewer degrees of freedom within items, for tails of the errors up
        to exponential ones (`reliability_interval`). Fewer than 30 independent items (or clusters)
        cannot show their law: "auto" takes "f-kurtosis" there, and "bootstrap-t" from there on.
        Where whole clusters count, ICC(A,1) is bootstrap-t in both.
    level : float
        Confidence level.
    k : int, optional
        Number of labels that the k forms average; by default the number of rounds.
    n_resamples, rng, n_jobs
        For the bootstrap.

    Returns
    -------
    Icc
        With mean squares MS of items (I), rounds (J), residual (E) and within items (W):
        ICC(1) = (MSI − MSW)/(MSI + (k−1)MSW), ICC(C,1) = (MSI − MSE)/(MSI + (k−1)MSE),
        ICC(A,1) = (MSI − MSE)/(MSI + (k−1)MSE + k(MSJ − MSE)/n), and k forms by Spearman–Brown.
        F intervals: Shrout & Fleiss (1979), McGraw & Wong (1996); for ICC(A,1) Satterthwaite's
        degrees of freedom. The bootstrap's of the consistency form is that of ρ in
        `annostat.ceilings.bounds`. Cells may be missing: components come from the unbalanced
        analysis of variance (no item is dropped); F intervals are then approximate, which their
        method says, and the bootstrap's are from the items with two or more labels. Where a few
        differences carry most of the variance (as in `repeatability`) the bootstrap gives no
        interval, since none covers. Negative values stay
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
    >>> table = icc(Rounds.from_array(ratings))  # six items: F intervals
    >>> [round(form.estimate.value, 2) for form in table.forms]
    [0.17, 0.29, 0.71, 0.44, 0.62, 0.91]
    """
    check_choice("interval", interval, INTERVALS)
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
        single[1:] = [
            IccForm(f.name, nothing, math.nan, f.df1, f.df2, math.nan) for f in single[1:]
        ]
    used, drawn = interval, False
    if interval != "f":
        # A power of two: the ICC has no scale, and squares of what is tiny have no digits.
        step = math.ldexp(1.0, math.frexp(scale)[1]) if 0 < scale < 1e-60 else 1.0
        near_one = rounds if step == 1 else replace(rounds, values=rounds.values / step)
        apart = Variances.of(near_one)
        used = chosen(interval, apart, "f-kurtosis")
        drawn = used == "bootstrap-t" or apart.sums.clustered
        auto = interval == "auto"
        single = _beyond(single, ms, near_one, apart, used, auto, level, n_resamples, rng, n_jobs)
    forms = (*single, *(_averaged(form, count) for form in single))
    options = {"interval": used, "level": level, "k": count, "n_resamples": n_resamples}
    seed = seed_of(rng) if drawn else None
    return Icc(
        forms,
        int(count),
        ms,
        Provenance(__version__, rounds.digest(), ms.n_items, seed, options),
    )


def _beyond(
    forms: list[IccForm],
    ms: MeanSquares,
    rounds: Rounds,
    apart: Variances,
    method: str,
    auto: bool,
    level: float,
    n_resamples: int,
    rng: Rng,
    n_jobs: int | None,
) -> list[IccForm]:
    """Return the forms with intervals that presume no Gaussian errors, where they have one."""
    alike = Variances.of(rounds.without_identity())
    shares: dict[str, tuple[Variances, Function]] = {
        "icc_1_1": (alike, alike.reliability),
        "icc_a_1": (apart, apart.absolute_agreement),
        "icc_c_1": (apart, apart.reliability),
    }
    if method == "bootstrap-t" and apart.sums.n_units >= FEW_UNITS:
        both = [alike.sums, apart.sums]
        draw_together(both, n_resamples=n_resamples, rng=rng, n_jobs=n_jobs)
    found = []
    for form in forms:
        e = form.estimate
        v, share = shares[form.name]
        undefined = math.isnan(e.value) or e.value == 1 or form.f == 0
        if e.interval is None and (undefined or method != "bootstrap-t"):
            found.append(form)
        elif v.dominated:
            found.append(replace(form, estimate=Estimate(e.value, note=NONE_COVERS)))
        else:
            error = v.sums.standard_error(share)
            note = "no interval: a round that is constant or mirrors another"
            if not error > NO_ERROR:
                limits, note = None, why_flat(v)
            elif method == "bootstrap-t" or (form.name == "icc_a_1" and v.sums.clustered):
                limits = share_interval(
                    v.sums, share, level=level, n_resamples=n_resamples, rng=rng, n_jobs=n_jobs
                )
            elif form.name == "icc_a_1":
                noise = log_variance_error(v)
                own = _agreement(ms, level, 2 / noise if 0 < noise < math.inf else None).estimate
                limits, note = own.interval, own.note
            else:
                limits = reliability_interval(v, level=level)
            note = "" if limits else note
            e = Estimate(e.value, error, limits and limits.holding(e.value), "", note)
            found.append(
                replace(form, estimate=for_tails(e, v, level=level, share=True) if auto else e)
            )
    return found


def _one_way(ms: MeanSquares, level: float) -> IccForm:
    return _ratio_form(
        "icc_1_1", ms.items, ms.within, ms.k_items, ms.n_items - 1, ms.df_within, ms, level
    )


def _consistency(ms: MeanSquares, level: float) -> IccForm:
    return _ratio_form(
        "icc_c_1",
        ms.items_adjusted,
        ms.residual,
        ms.k_adjusted,
        ms.n_items - 1,
        ms.df_residual,
        ms,
        level,
    )


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
    if top <= ROUNDING:
        note = "no interval: all items have the same mean label"
        return IccForm(name, Estimate(-1 / (k - 1), None, None, "", note), 0.0, df1, df2, 1.0)
    f = 1 + _excess(top, bottom) / bottom
    lower, upper = f / _f_quantile(df1, df2, level), f * _f_quantile(df2, df1, level)
    low, high = ((x - 1) / (x + k - 1) for x in (lower, upper))
    method = "F" if ms.balanced else "F, approximate with missing cells"
    estimate = Estimate((f - 1) / (f + k - 1), None, Interval(low, high, level, method))
    return IccForm(name, estimate, f, df1, df2, float(special.fdtrc(df1, df2, f)))


def _agreement(ms: MeanSquares, level: float, freedom: float | None = None) -> IccForm:
    """Return ICC(A,1); `freedom` is that of the residual in the interval, if not the exact one."""
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
    value = _excess(items, residual) / bottom
    f = items / residual if residual > 0 else math.inf if items > 0 else math.nan
    a, b = k * value / (n * (1 - value)), 1 + k * value * (n - 1) / (n * (1 - value))
    within = df2 if freedom is None else freedom
    spread = (a * rounds) ** 2 / (ms.n_rounds - 1) + (b * residual) ** 2 / within
    interval = None
    note = "no interval: the residual vanishes"
    if spread > 0:
        joint = (a * rounds + b * residual) ** 2 / spread
        high, low = _f_quantile(df1, joint, level), _f_quantile(joint, df1, level)
        rest = k * rounds + (k * n - k - n) * residual
        method = "F with Satterthwaite's degrees of freedom"
        method += "" if freedom is None else " for kurtosis"
        lower = n * (items - high * residual) / (high * rest + n * items)
        upper = n * (low * items - residual) / (rest + n * low * items)
        # The formula breaks down where its denominators vanish: very few labels, negative values.
        note = "no interval: the table is too small for its formula"
        if lower <= value <= upper:
            method += "" if ms.balanced else ", approximate with missing cells"
            interval, note = Interval(lower, upper, level, method), ""
    p = float(special.fdtrc(df1, df2, f))
    return IccForm("icc_a_1", Estimate(value, None, interval, "", note), f, df1, df2, p)


def why_flat(v: Variances) -> str:
    """Return why a share of the variance without a standard error has no interval."""
    return FLAT if v.sums.n_units > 1 else "no interval: there is one cluster only"


def _excess(items: float, residual: float) -> float:
    """Return by how much a mean square exceeds another; 0, and no rounding, where they are equal.

    They are where one of two rounds is constant.
    """
    excess = items - residual
    return excess if abs(excess) > EQUAL_SQUARES * residual else 0.0


def _why_not(ms: MeanSquares) -> str:
    if not ms.connected:
        return "no chain of shared items links all rounds, so that their bias cannot be told"
    return "too few labels for the residual"


def _degenerate(name: str, top: float, bottom: float, df1: int, df2: int) -> IccForm | None:
    """Return the defined result of a table without noise, None for any other."""
    if bottom > ROUNDING:
        return None
    if top <= ROUNDING:
        nothing = Estimate(math.nan, note="all items have the same labels: nothing to tell apart")
        return IccForm(name, nothing, math.nan, df1, df2, math.nan)
    note = (
        "no interval: the rounds are identical"
        if name != "icc_c_1"
        else ("no interval: the rounds differ by a constant at most")
    )
    return IccForm(name, Estimate(1.0, None, None, "", note), math.inf, df1, df2, 0.0)


def _averaged(form: IccForm, k: int) -> IccForm:
    """Return the form for the mean of k labels, by Spearman–Brown."""
    bottom = 1 + (k - 1) * form.estimate.value
    slope = k / bottom**2 if bottom > 1e-12 else math.nan
    averaged = form.estimate.through(lambda x: spearman_brown(x, k), slope)
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
