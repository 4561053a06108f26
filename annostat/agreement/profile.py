r"""Precision profile: the noise SD as a function of the value, and the floors that follow.

Where noise grows with the value, a few large items carry the sum of squares, and an SD of all of
them is neither of the small nor of the large ones. The forms of `variance_forms` are fitted; those
within 2·φ of the best quasi-AIC, −2Q + 2φ·p, are kept, φ being the dispersion of s²/μ in the
smooth form (1 for Gaussian noise, 1.75 for Laplace), and what is printed is the hull of their
intervals: the best form alone covers σ(y) in 57 to 97%.

    floor of the RMSE for the labels at hand   √mean σ²(m_i)
    floor for a test set of labels z           √mean E[σ²(Y) | z]

    log limits: ± t·½·√max(J'VJ, φ*·J'H⁻¹J)

with H the information of Gaussian noise, V the robust covariance over units, and φ* the dispersion
shrunken to that of exponential noise. Labels are off their values by the noise: values are moved to
E[y | m] by Tweedie's formula before the profile is drawn (Efron 2011), which Gaussian noise needs
and allows. Under heavy tails an outlying mean has an outlying variance too, and the profile bends
up at both ends, whatever is done with two labels; where tails are heavy and the noise is no small
part of the spread, the floor alone is given. Skewed errors bend one end: s² shares κ₃ with the mean
of k labels, E s²·(m − y) = κ₃·σ³/k, so that to first order

    E[s² | m] = σ² − κ₃·(σ³·f)'/(k·f),    f the density of m

and two labels do not show κ₃. Limits of σ(y) are those of errors skewed as exponential ones are to
either side, κ₃ = ±2; where that moves σ² by half of it or more there are none. They hold 92 to 100%
for exponential errors (15 to 98% without), and 93 to 100% for Gaussian and Laplace ones. The floors
are not misled by skew (91 to 98%).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from annostat.agreement.covariances import shrunken
from annostat.agreement.profile_result import PrecisionProfile, ProfilePoint
from annostat.agreement.variance_forms import FORMS, FormFit, Spread, fit_form
from annostat.agreement.variances import NONE_COVERS, Variances, dominates
from annostat.arrays import FloatArray, row_sums
from annostat.errors import AnnostatError, check_level, check_numbers
from annostat.labels.rounds import Rounds
from annostat.labels.taking import takes_rounds
from annostat.noise.tails import Tails, tails_of_labels
from annostat.resampling.clusters import cluster_codes, renumbered
from annostat.resampling.intervals import t_reach
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check
from annostat.results.text import p_text

FEWEST = 10
WITHIN = 2.0  # quasi-AIC, in units of the dispersion
TAILS = 1.5  # excess of the dispersion for exponential errors, two labels an item
POINTS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
HEAVY, NOISY = 1.5, 0.1  # dispersion and share of the noise from which edges are not told
SKEW, SKEWED = 2.0, 0.5  # of exponential errors; share of σ² beyond which no limits are told
EDGES = (
    "under heavy tails its ends bend up whatever the noise does; four labels an item or more would "
    "tell"
)
ONE_SIDED = "no interval: one-sided errors, which two labels do not show, would move it as far"


@dataclass(frozen=True, eq=False)
class Fits:
    """The forms kept, and what their intervals need.

    `seen` is the dispersion of the data; `dispersion` is shrunken, and holds the design effect of
    clusters. `tails` are those of the differences on the scale of the best form.
    """

    kept: tuple[FormFit, ...]
    seen: float
    dispersion: float
    t: float
    level: float
    scale: float
    tails: Tails | None = None

    def hull(self, rows: list[tuple[float, float]], unit: str) -> Estimate:
        """Return the root of the first variance, within the hull of all: (variance, log error)."""
        values, errors = np.array(rows).T
        low = float(np.min(values * np.exp(-np.minimum(self.t * errors, 300.0))))
        high = float(np.max(values * np.exp(np.minimum(self.t * errors, 300.0))))
        limits = Interval(
            math.sqrt(low) * self.scale,
            math.sqrt(high) * self.scale,
            self.level,
            "hull of quasi-likelihood intervals of the forms kept",
        )
        sigma = math.sqrt(values[0]) * self.scale
        found = Estimate(sigma, sigma * float(errors[0]) / 2, limits, unit)
        return found if self.tails is None else self.tails.added(found)

    def mean_variance(self, y: FloatArray, unit: str, *, test_set: bool = False) -> Estimate:
        """Return √mean σ²(y) with its hull; for labels of a test set √mean E[σ²(Y) | z]."""
        rows = []
        for form in self.kept:
            mu = form.variance(y)
            weight = mu / max(float(mu.sum()), 1e-100)
            slope = (weight[:, None] * form.slopes(y)).sum(axis=0)
            value = _deconvolved(form, y) if test_set else float(mu.mean())
            rows.append((value, float(form.log_error(slope, self.dispersion))))
        return self.hull(rows, unit)

    def at(self, y: float, unit: str) -> Estimate:
        """Return σ(y) with its hull."""
        point = np.array([y])
        return self.hull(
            [
                (
                    float(f.variance(point)[0]),
                    float(f.log_error(f.slopes(point), self.dispersion)[0]),
                )
                for f in self.kept
            ],
            unit,
        )


@takes_rounds
def precision_profile(rounds: Rounds, *, level: float = 0.95) -> PrecisionProfile:
    r"""Return the noise SD as a function of the value.

    Parameters
    ----------
    rounds : Rounds
        Values of shape (n_items, n_rounds), NaN for missing; items with fewer than two labels are
        left out. A bias between rounds is removed unless they are exchangeable; clusters are units.
    level : float
        Confidence level.

    Returns
    -------
    PrecisionProfile
        With the floor of the RMSE for the labels at hand (items of equal weight), the test of a
        constant SD, and σ at nine quantiles of the values between 10 and 90%.

    Raises
    ------
    AnnostatError
        If fewer than ten items have two labels, or all labels of each item are equal.

    Examples
    --------
    >>> import numpy as np
    >>> g = np.random.default_rng(1)
    >>> size = g.lognormal(np.log(8), 0.6, (400, 1))
    >>> found = precision_profile(Rounds.from_array(size * (1 + g.normal(0, 0.12, (400, 2)))))
    >>> found.constant.passed, found.forms[0]
    (False, 'proportional')
    >>> float(0.12 * np.sqrt(np.mean(size**2))) in found.floor.interval
    True
    """
    level = check_level(level)
    used = rounds.usable()
    if used.weights is not None:
        rows = np.repeat(np.arange(len(used.values)), used.weights)
        used = replace(used.take(rows), weights=None)
    if len(used.values) < FEWEST:
        raise AnnostatError(
            f"a precision profile takes {FEWEST} items with two labels, got {len(used.values)}"
        )
    data, numbers, labels = _spread(used)
    if not np.any(data.square > 0):
        raise AnnostatError("all labels of each item are equal: their noise has no profile")
    fits, quasi = _fit(data, level)
    heavy = _tails(data, fits.kept[0], labels, level)
    # Tails that show are in the squares too, and take the profile from the first sentence.
    unseen = heavy if heavy.check.passed is None else None
    fits = replace(fits, tails=unseen)
    table = {name: value for value, name in quasi}
    standard = data.square / np.maximum(fits.kept[0].variance(data.mean), 1e-300)
    w = data.freedom * standard
    freedom = float(data.freedom.mean())
    kurtosis = 1 + freedom * (float(np.mean(w**2)) / float(np.mean(w)) ** 2 - 1)
    effective = float(w.sum() ** 2 / np.sum(w**2))
    floor = fits.mean_variance(data.mean, used.unit)
    refused = dominates(kurtosis, data.n_units, freedom)
    if refused:
        floor = Estimate(floor.value, None, None, used.unit, NONE_COVERS)
    moved = Spread(
        _tweedie(data, fits.kept[0], numbers),
        data.square,
        data.freedom,
        data.units,
        data.positive,
        data.scale,
    )
    noise = float(np.mean(fits.kept[0].variance(data.mean) / numbers))
    note = EDGES if fits.seen >= HEAVY and noise > NOISY * float(np.var(data.mean)) else ""
    if refused:
        note = NONE_COVERS
    points: tuple[ProfilePoint, ...] = ()
    if not note:
        drawn = replace(_fit(moved, level)[0], tails=unseen)
        at = np.quantile(data.mean, POINTS)
        bias = _skew_bias(data, fits.kept[0], at, 1 / float(np.mean(1 / numbers)))
        points = tuple(
            ProfilePoint(float(y) * data.scale, _with_skew(drawn.at(float(y), used.unit), float(b)))
            for y, b in zip(at, bias, strict=True)
        )
    return PrecisionProfile(
        tuple(form.name for form in fits.kept),
        table,
        floor,
        constant_noise(data, level),
        heavy.check,
        points,
        _exponent(fits, data),
        _relative(fits, data),
        effective,
        used.unit,
        note,
        fits,
    )


def floor_for(profile: PrecisionProfile, labels: ArrayLike) -> Estimate:
    """Return the floor of the RMSE for a test set of single labels, in the unit of the profile.

    Parameters
    ----------
    profile : PrecisionProfile
    labels : array-like of shape (n,)
        Labels of the test set, one an item; NaN are left out.

    Returns
    -------
    Estimate
        √mean E[σ²(Y) | z]: (a² + b²·mean z²)/(1 + b²) for the two-component form, to second order
        mean σ² − ½·mean (σ²)''·σ² for the others. The profile is stretched beyond the labels that
        it was made of, at the reader's risk.

    Raises
    ------
    AnnostatError
        If there is no label, or one is not positive where the profile is of positive values.
    """
    z = check_numbers("labels", labels)
    z = z[np.isfinite(z)]
    fits: Fits = profile.fits
    if z.size == 0:
        raise AnnostatError("labels: there is no finite label to make a floor for")
    if fits.kept[0].positive and (z <= 0).any():
        raise AnnostatError(f"labels must be positive as the profile's are, got {z.min():g}")
    if profile.floor.interval is None:
        found = fits.mean_variance(z / fits.scale, profile.unit, test_set=True)
        return Estimate(found.value, None, None, profile.unit, profile.floor.note)
    return fits.mean_variance(z / fits.scale, profile.unit, test_set=True)


def constancy(rounds: Rounds, *, level: float = 0.95) -> Check:
    """Return the test of a constant SD of `precision_profile` alone, of as many items."""
    return constant_noise(_spread(rounds.usable())[0], check_level(level))


def constant_noise(data: Spread, level: float) -> Check:
    """Return the studentised score test of a constant SD against one that goes with the value."""
    x = np.log(data.mean) if data.positive else data.mean
    w, s = data.freedom, data.square
    if not np.any(s > 0):
        return Check("constant_noise", None, "All labels of each item are equal.")
    residual = s / (np.sum(w * s) / np.sum(w)) - 1
    score = w * residual * (x - np.sum(w * x) / np.sum(w))
    total = np.bincount(data.units, score)
    spread = float(np.sqrt(np.sum(total**2)))
    name = "constant_noise"
    if not spread > 0 or data.n_units < 2:
        return Check(name, None, "Whether the noise grows with the value cannot be told.")
    t = float(total.sum()) / spread
    p = 2 * float(special.stdtr(data.n_units - 1, -abs(t)))
    if p >= 1 - level:
        return Check(name, True, f"The noise does not go with the value ({p_text(p)}).", t, p)
    way = "grows" if t > 0 else "falls"
    text = (
        f"The noise {way} with the value ({p_text(p)}): one SD for all values stands for none; "
        "read the floor of its profile, which is averaged over the labels at hand."
    )
    return Check(name, False, text, t, p)


def _spread(rounds: Rounds) -> tuple[Spread, FloatArray, FloatArray]:
    """Return what the items say, their numbers of labels, and the labels less their biases."""
    rounds = rounds.by_value()
    v = Variances.of(rounds)
    there = np.isfinite(v.centred)
    k = row_sums(there).astype(float)
    adjusted = rounds.values - v.effects * v.scale
    mean = row_sums(np.where(there, adjusted, 0.0)) / k
    positive = bool(np.nanmin(rounds.values) > 0 and mean.min() > 0)
    # About the typical value, so that units move no digit that matters.
    scale = float(np.exp(np.mean(np.log(mean)))) if positive else float(np.std(mean)) or 1.0
    scale = 2.0 ** round(math.log2(scale))
    inflation = (v.n_labels - v.n_items) / v.degrees
    square = (
        row_sums(np.where(there, (v.centred * v.scale) ** 2, 0.0)) / (k - 1) * inflation / scale**2
    )
    codes = cluster_codes(rounds.cluster)
    units = np.arange(len(k)) if codes is None else renumbered(codes)
    return Spread(mean / scale, square, k - 1, units, positive, scale), k, adjusted


def _fit(data: Spread, level: float) -> tuple[Fits, list[tuple[float, str]]]:
    """Return the forms that are kept, the best first, and the quasi-AIC of all less the best."""
    names = [n for n in FORMS if data.positive or n != "proportional"]
    if np.unique(data.mean).size < 4 or len(set(np.quantile(data.mean, (0.1, 0.5, 0.9)))) < 3:
        names = ["constant"]
    fits = [fit_form(name, data) for name in names]
    phi = max(_dispersion(data, fits[-1]), 1.0)
    criterion = [-2 * f.quasi + 2 * phi * len(f.parameters) for f in fits]
    least = min(criterion)
    ranked = sorted(range(len(fits)), key=lambda i: criterion[i])
    kept = tuple(fits[i] for i in ranked if criterion[i] <= least + WITHIN * phi)
    n = len(data.mean)
    prior = TAILS / float(data.freedom.mean())
    wide = 1 + shrunken(phi - 1, prior, n)
    t = t_reach(max(data.n_units - 1, 1), level)
    quasi = [(criterion[i] - least, fits[i].name) for i in ranked]
    return Fits(kept, phi, wide * _clustering(data, kept[0]), t, level, data.scale), quasi


def _tails(data: Spread, form: FormFit, labels: FloatArray, level: float) -> Tails:
    """Return how heavy the tails of the differences are on the scale of a form."""
    spread = np.sqrt(2 * np.maximum(form.variance(data.mean), 1e-300))
    raters = np.ones(labels.shape[1])
    return tails_of_labels(labels / data.scale, raters, data.units, spread=spread, level=level)


def _dispersion(data: Spread, form: FormFit) -> float:
    residual = data.square / np.maximum(form.variance(data.mean), 1e-300) - 1
    spare = len(residual) - len(form.parameters)
    return float(np.sum(data.freedom * residual**2)) / 2 / spare


def _clustering(data: Spread, form: FormFit) -> float:
    """Return the design effect of the standardised squares, at least 1."""
    residual = data.freedom * (data.square / np.maximum(form.variance(data.mean), 1e-300) - 1)
    total = np.bincount(data.units, residual)
    alone = float(residual @ residual)
    return max(float(total @ total) / alone, 1.0) if alone > 0 else 1.0


def _tweedie(data: Spread, form: FormFit, numbers: FloatArray) -> FloatArray:
    """Return E[y | m] = m + (v·f)'(m)/f(m), v = σ²(m)/k and f the density of m, by a kernel."""
    m = data.mean
    drift = _drift(data, m)
    if drift is None:
        return m
    v = form.variance(m) / numbers
    moved = m + v * drift + _bend(data, form, m, 1.0) / numbers
    if data.positive:
        return np.asarray(np.clip(moved, m / 2, 1.5 * m))
    reach = 3 * np.sqrt(v)
    return np.asarray(np.clip(moved, m - reach, m + reach))


def _drift(data: Spread, at: FloatArray) -> FloatArray | None:
    """Return (log f)' of the density f of the items' means, by a kernel; None if all are equal."""
    slopes = data.log_density_slopes
    if slopes is None:
        return None
    there = np.log(at) if data.positive else at
    slope = np.interp(there, *slopes)
    # The density of m is that of log m over m.
    return np.asarray((slope - 1) / at if data.positive else slope)


def _bend(data: Spread, form: FormFit, at: FloatArray, power: float) -> FloatArray:
    """Return the derivative of (σ²)^power at values."""
    step = 1e-4 * (at if data.positive else np.std(data.mean))
    up, down = form.variance(at + step) ** power, form.variance(at - step) ** power
    return np.asarray((up - down) / (2 * step))


def _skew_bias(data: Spread, form: FormFit, at: FloatArray, k: float) -> FloatArray:
    """Return by how much exponential errors would move σ²(y), as a share of it, to first order.

    E[s² | m] is off σ² by −κ₃·(σ³·f)'/(k·f) where errors have the skewness κ₃, which s² shares with
    the mean of the k labels: E s²·(m − y) = κ₃·σ³/k.
    """
    drift = _drift(data, at)
    if drift is None:
        return np.zeros(len(at))
    v = form.variance(at)
    return np.asarray(SKEW * np.abs(_bend(data, form, at, 1.5) + v**1.5 * drift) / (k * v))


def _with_skew(sigma: Estimate, bias: float) -> Estimate:
    """Return σ at a value with limits that hold errors skewed to either side, or without any."""
    if sigma.interval is None:
        return sigma
    if bias >= SKEWED:
        return Estimate(sigma.value, None, None, sigma.unit, ONE_SIDED)
    i = sigma.interval
    low, high = i.low / math.sqrt(1 + bias), i.high / math.sqrt(1 - bias)
    wide = Interval(low, high, i.level, f"{i.method}, with skew to either side")
    return replace(sigma, interval=wide)


def _deconvolved(form: FormFit, z: FloatArray) -> float:
    """Return mean E[σ²(Y) | z] over single labels z."""
    if form.name in ("constant", "proportional", "two-component"):
        a, b = {
            "constant": (form.parameters[0], 0.0),
            "proportional": (0.0, form.parameters[0]),
        }.get(form.name, tuple(form.parameters))
        return float((a + b * np.mean(z * z)) / (1 + b))
    step = 1e-3 * (z if form.positive else np.std(z) or 1.0)
    mu = form.variance(z)
    bend = (form.variance(z + step) - 2 * mu + form.variance(z - step)) / step**2
    found, plain = float(np.mean(mu - bend * mu / 2)), float(mu.mean())
    return min(max(found, plain / 2), 2 * plain)


def _exponent(fits: Fits, data: Spread) -> Estimate:
    """Return p of σ ∝ y^p; NaN where values are not all positive."""
    if not data.positive:
        return Estimate(math.nan, note="values are not all positive")
    form = fit_form("power", data)
    value = float(form.parameters[1]) / 2
    error = float(form.log_error(np.array([0.0, 1.0]), fits.dispersion)) / 2
    limits = Interval(
        value - fits.t * error, value + fits.t * error, fits.level, "quasi-likelihood"
    )
    return Estimate(value, error, limits)


def _relative(fits: Fits, data: Spread) -> Estimate | None:
    """Return the noise as a share of the value, where the exponent's interval holds 1."""
    exponent = _exponent(fits, data)
    if exponent.interval is None or 1.0 not in exponent.interval:
        return None
    form = fit_form("proportional", data)
    b = math.sqrt(float(form.parameters[0]))
    error = float(form.log_error(form.slopes(np.array([1.0])), fits.dispersion)[0]) / 2
    limits = Interval(
        b * math.exp(-fits.t * error),
        b * math.exp(fits.t * error),
        fits.level,
        "quasi-likelihood of the proportional form",
    )
    return Estimate(b, b * error, limits)
