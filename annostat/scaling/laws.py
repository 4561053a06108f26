"""The laws: how log loss moves with log size, and what each of them can be asked.

All are fitted by least squares of log loss, so that their likelihoods can be compared: the error
of a loss is taken as proportional to it. `v` is log size about the mean log size.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from annostat.arrays import FloatArray
from annostat.scaling.solve import Chart, Points, Prior, Profile, solve, threshold

Limits = tuple[float, float]
Combine = Callable[[FloatArray], tuple[FloatArray, FloatArray]]
STEEPEST = 20.0  # largest exponent that is tried
FAR = 60.0  # log ratio of excess to floor, and log size from the middle, taken as infinite


class Law:
    """A law fitted to points."""

    name = ""
    label = ""
    n_parameters = 0
    n_sizes = 2  # different sizes below which the law is not tried

    def __init__(
        self, points: Points, *, prior: Prior | None = None, near: Law | None = None
    ) -> None:
        self.points = points
        self.prior = prior
        self.near = near  # the same law, fitted to nearly the same points: where to start
        self.dof = max(points.n - self.n_parameters, 1)
        self.penalty = 0.0
        self.fit()
        self.near = None
        self.rss = float((points.y - self.curve(points.v)) ** 2 @ points.w)

    def fit(self) -> None:
        """Find the best parameters."""
        raise NotImplementedError

    def curve(self, v: FloatArray) -> FloatArray:
        """Return log loss at log sizes."""
        raise NotImplementedError

    @property
    def values(self) -> dict[str, float]:
        """What the law says: "exponent", then what it has of its own (logs of loss and size)."""
        raise NotImplementedError

    def limits(self, *, level: float, inflation: float = 1.0) -> dict[str, Limits]:
        """Return the limits of `values`, from the F-calibrated profile."""
        raise NotImplementedError

    def band(self, v: FloatArray, *, level: float, inflation: float = 1.0) -> FloatArray:
        """Return limits of log loss at log sizes, float64 of shape (2, len(v))."""
        raise NotImplementedError


class Power(Law):
    """log L = a − α v: a straight line, whose profile is the t interval."""

    name, label, n_parameters = "power", "power law", 2

    def fit(self) -> None:
        """Least squares of a line."""
        v, y, w = self.points.v, self.points.y, self.points.w
        self.middle = float(v @ w / w.sum())
        self.height = float(y @ w / w.sum())
        self.spread = float((v - self.middle) ** 2 @ w)
        self.exponent = -float((v - self.middle) * (y - self.height) @ w) / self.spread

    def curve(self, v: FloatArray) -> FloatArray:
        """Return log loss at log sizes."""
        return np.asarray(self.height - self.exponent * (v - self.middle))

    @property
    def values(self) -> dict[str, float]:
        """What the law says."""
        return {"exponent": self.exponent}

    def limits(self, *, level: float, inflation: float = 1.0) -> dict[str, Limits]:
        """Return the limits of `values`."""
        half = self._reach(level, inflation) / math.sqrt(self.spread)
        return {"exponent": (self.exponent - half, self.exponent + half)}

    def band(self, v: FloatArray, *, level: float, inflation: float = 1.0) -> FloatArray:
        """Return limits of log loss at log sizes."""
        leverage = 1 / self.points.w.sum() + (v - self.middle) ** 2 / self.spread
        half = self._reach(level, inflation) * np.sqrt(leverage)
        return np.asarray(self.curve(v) + np.array([[-1.0], [1.0]]) * half)

    def _reach(self, level: float, inflation: float) -> float:
        """Return √(F·s²): the half-width of a coefficient of unit variance factor."""
        return math.sqrt(self.rss * math.expm1(threshold(self.dof, level, inflation) / self.dof))


class Smooth(Law):
    """What laws have in common that are fitted in charts by Levenberg-Marquardt."""

    theta: FloatArray

    def _best(
        self, chart: Chart, starts: FloatArray, free: tuple[int, ...]
    ) -> tuple[FloatArray, float]:
        mask = np.isin(np.arange(starts.shape[1]), free)
        chart = self._boxed(chart)
        theta, cost = solve(chart, self.points, starts, mask, dof=self.dof, prior=self.prior)
        if self.near is not None:
            return theta[0], float(cost[0])
        pick = theta[[int(np.argmin(cost))]]
        theta, cost = solve(
            chart, self.points, pick, mask, dof=self.dof, prior=self.prior, tolerance=1e-15
        )
        return theta[0], float(cost[0])

    def _boxed(self, chart: Chart) -> Chart:
        """Return the chart with exponents that no power of the sizes overflows by."""
        reach = float(np.abs(self.points.v).max())
        high = chart.high.copy()
        high[1] = min(high[1], 150 / reach)
        return replace(chart, high=high)

    def _limits(
        self, chart: Chart, starts: FloatArray, free: tuple[int, ...], rise: float, *targets: int
    ) -> list[Limits]:
        chart = self._boxed(chart)
        profile = Profile(
            chart,
            self.points,
            np.clip(starts, chart.low, chart.high),
            np.isin(np.arange(starts.shape[1]), free),
            self.deviance,
            rise,
            self.dof,
            self.prior,
        )
        return profile.limits(targets)

    deviance: float


class Floor(Smooth):
    """L = E + A·N^−α. E is free; or known, exactly or with a standard error.

    Written with s, the floor's share of the loss at v = 0:
    log L = p + log(s + (1 − s) exp(−αv)), log E = p + log s.
    """

    name, label, n_parameters, n_sizes = "power_floor", "power law + floor", 3, 3

    def fit(self) -> None:
        """Variable projection from a grid of exponents and shares."""
        points = self.points
        self.known = self.prior is not None and self.prior.se == 0
        self.given, self.prior = self.prior, None if self.known else self.prior
        if self.known:
            self.dof = max(points.n - 2, 1)
        slopes = np.geomspace(0.02, 5, 9)
        if self.given is None:
            grid = np.array([(0.0, a, s) for a in slopes for s in (0.02, 0.3, 0.6, 0.85, 0.97)])
            if isinstance(self.near, Floor):
                grid = self.near.theta[None]
            self.theta, self.deviance = self._best(share_chart(0.0), grid, (0, 1, 2))
            self.level, self.exponent, s = (float(x) for x in self.theta)
            self.share = s
            self.ratio = math.log((1 - s) / s) if s > 0 else math.inf
            self.log_floor = self.level + math.log(s) if s > 0 else -math.inf
            return
        known = math.log(self.given.floor)
        above = float(np.average(points.y, weights=points.w)) - known
        grid = np.array(
            [(known, a, above + d) for a in slopes for d in (-2.0, -0.7, 0.0, 0.7, 2.0)]
        )
        if isinstance(self.near, Floor):
            grid = self.near.theta[None]
        free = (1, 2) if self.known else (0, 1, 2)
        self.theta, self.deviance = self._best(ratio_chart(), grid, free)
        self.log_floor, self.exponent, self.ratio = (float(x) for x in self.theta)
        self.level = self.log_floor + float(np.logaddexp(0, self.ratio))
        self.share = 1 / (1 + math.exp(self.ratio))
        if self.prior is not None:
            self.penalty = ((math.exp(self.log_floor) - self.prior.floor) / self.prior.se) ** 2

    def curve(self, v: FloatArray) -> FloatArray:
        """Return log loss at log sizes."""
        away = np.exp(-self.exponent * v)
        return np.asarray(self.level + np.log(self.share + (1 - self.share) * away))

    @property
    def values(self) -> dict[str, float]:
        """What the law says."""
        return {
            "exponent": self.exponent,
            "floor": self.log_floor,
            "n_half": self.ratio / self.exponent,
        }

    def limits(self, *, level: float, inflation: float = 1.0) -> dict[str, Limits]:
        """Return the limits of `values`."""
        rise = threshold(self.dof, level, inflation)
        a, ratio = self.exponent, float(np.clip(self.ratio, -FAR, FAR))
        e = self.level - float(np.logaddexp(0, ratio))
        free = (1, 2) if self.known else (0, 1, 2)
        # The ratio may be anything where E is barely seen: a few of them to start from.
        ratios = np.array([(e, a * k, ratio + d) for k, d in ((1, 0), (0.6, 1), (1.6, -1))])
        if self.known:
            [exponent] = self._limits(ratio_chart(), ratios, free, rise, 1)
            floor = (self.log_floor, self.log_floor)
        elif self.given is not None:
            floor, exponent = self._limits(ratio_chart(), ratios, free, rise, 0, 1)
        else:
            [floor] = self._limits(ratio_chart(), ratios, free, rise, 0)
            starts = np.array([(self.level, a, x) for x in (self.share, 0.05, 0.5, 0.9)])
            [exponent] = self._limits(share_chart(0.0), starts, free, rise, 1)
        place = self.values["n_half"]
        starts = np.array([(e, a * k, place) for k in (1.0, 0.6, 1.6)])
        [n_half] = self._limits(half_chart(), starts, free, rise, 2)
        if abs(place) >= FAR:  # beyond the box
            n_half = (n_half[0], math.inf) if place > 0 else (-math.inf, n_half[1])
        if not self.known and self._without_floor() <= self.deviance + rise:
            floor, n_half = (-math.inf, floor[1]), (n_half[0], math.inf)
        exponent = (max(exponent[0], 0.0), exponent[1])
        return {"exponent": exponent, "floor": floor, "n_half": n_half}

    def _without_floor(self) -> float:
        """Return the deviance of the pure power law, with what the prior says of E = 0."""
        cost = self.dof * math.log(max(Power(self.points).rss, 1e-300))
        return cost if self.prior is None else cost + (self.prior.floor / self.prior.se) ** 2

    def band(self, v: FloatArray, *, level: float, inflation: float = 1.0) -> FloatArray:
        """Return limits of log loss at log sizes."""
        rise = threshold(self.dof, level, inflation)
        out = np.empty((2, v.size))
        for i, (at, p) in enumerate(zip(v, self.curve(v), strict=True)):
            starts = np.array([(p, self.exponent * k, self.share) for k in (1.0, 0.6, 1.6)])
            if self.known:
                starts[:, 0], starts[:, 2] = self.log_floor, self.ratio - self.exponent * at
                [above] = self._limits(ratio_chart(float(at)), starts, (1, 2), rise, 2)
                out[:, i] = self.log_floor + np.logaddexp(0, above)
            else:
                [out[:, i]] = self._limits(share_chart(float(at)), starts, (0, 1, 2), rise, 0)
        return out


def share_chart(at: float) -> Chart:
    """Write the floor law as (p, α, s): log loss p at log size `at`; s is E's share at v = 0."""

    def mix(theta: FloatArray, v: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return log(s + (1 − s) exp(−αv)) and its slopes by α and s."""
        _, a, s = theta.T[:, :, None]
        away = np.exp(-a * v)
        total = s + (1 - s) * away
        return np.log(total), -(1 - s) * away * v / total, (1 - away) / total

    def shape(theta: FloatArray, v: FloatArray) -> tuple[FloatArray, FloatArray]:
        height, by_exponent, by_share = mix(theta, v)
        if at:
            there = mix(theta, np.array([at]))
            height, by_exponent = height - there[0], by_exponent - there[1]
            by_share = by_share - there[2]
        slopes = np.empty((len(theta), 3, v.size))
        slopes[:, 0], slopes[:, 1], slopes[:, 2] = 1.0, by_exponent, by_share
        return theta[:, :1] + height, slopes

    def log_floor(theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        share = np.maximum(theta[:, 2], 1e-300)
        height, by_exponent, by_share = (x[:, 0] for x in mix(theta, np.array([at])))
        slopes = np.stack([np.ones_like(share), -by_exponent, 1 / share - by_share], axis=1)
        return theta[:, 0] + np.log(share) - height, slopes

    return Chart(
        shape, np.array([-80.0, 1e-4, 0.0]), np.array([80.0, STEEPEST, 1 - 1e-12]), log_floor
    )


def ratio_chart(at: float = 0.0) -> Chart:
    """Write it as (log E, α, r): at log size `at` the excess over E is exp(r) times E."""

    def shape(theta: FloatArray, v: FloatArray) -> tuple[FloatArray, FloatArray]:
        e, a, r = theta.T[:, :, None]
        return _above(e, r - a * (v - at), at - v, np.ones_like(a))

    high = np.array([80.0, STEEPEST, FAR])
    return Chart(shape, np.array([-80.0, 1e-4, -FAR]), high, _first)


def half_chart() -> Chart:
    """Write it as (log E, α, h): at log size h the excess equals E."""

    def shape(theta: FloatArray, v: FloatArray) -> tuple[FloatArray, FloatArray]:
        e, a, h = theta.T[:, :, None]
        return _above(e, a * (h - v), h - v, a)

    high = np.array([80.0, STEEPEST, FAR])
    return Chart(shape, np.array([-80.0, 1e-4, -FAR]), high, _first)


def _above(
    e: FloatArray, t: FloatArray, by_exponent: FloatArray, by_place: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return e + log(1 + exp t) and its slopes, given those of t."""
    soft, excess = soft_step(t)
    slopes = np.empty((len(t), 3, t.shape[1]))
    slopes[:, 0] = 1.0
    np.multiply(excess, by_exponent, out=slopes[:, 1])
    np.multiply(excess, by_place, out=slopes[:, 2])
    return e + soft, slopes


def soft_step(t: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return softplus, log(1 + exp t), and its slope 1/(1 + exp −t), from one exponential."""
    e = np.exp(-np.abs(t))
    soft = np.log1p(e)
    soft += np.maximum(t, 0.0)
    on = np.where(t >= 0, 1.0, e)
    e += 1.0
    on /= e
    return soft, on


def _first(theta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return column 0 and its slopes: log E where it is a parameter itself."""
    slopes = np.zeros_like(theta)
    slopes[:, 0] = 1.0
    return theta[:, 0], slopes
