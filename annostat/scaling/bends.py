"""Scaling laws that bend: a hinge of two powers, a broken power law."""

from __future__ import annotations

import math

import numpy as np

from annostat.arrays import FloatArray
from annostat.scaling.laws import STEEPEST, Combine, Law, Limits, Power, Smooth, soft_step
from annostat.scaling.solve import Chart, threshold

NOTHING = 1e-12  # share of a sum of squares below which ramps do not vary
EXACT = 1e-6  # share of the whole below which a remainder is summed point by point


class Hinge(Law):
    """log L = c + α max(h − v, 0): a straight line, then saturation; linear for a given h."""

    name, label, n_parameters, n_sizes = "hinge", "power law, then flat", 3, 4

    def fit(self) -> None:
        """Take the best hinge of each gap between sizes, and of the sizes themselves; exact."""
        hinges = np.concatenate([self.points.knots[1:], self._meetings()])
        scan = self._scan(hinges)
        best = int(np.argmin(scan["rss"]))
        self.hinge = float(hinges[best])
        self.exponent, self.flat = float(scan["exponent"][best]), float(scan["flat"][best])

    def _meetings(self) -> FloatArray:
        """Return where the line of all points up to a size meets the mean of those beyond it.

        Those that lie in the gap after that size; the lines are of cumulative sums.
        """
        v, y, w = self.points.v, self.points.y, self.points.w
        left, right = self.points.knots[1:-1], self.points.knots[2:]
        order = np.argsort(v, kind="stable")
        # About the first sizes, whose lines have the fewest digits to lose.
        at, height = float(self.points.knots[0]), float(y @ w / w.sum())
        x, e, weight = v[order] - at, y[order] - height, w[order]
        terms = np.stack([weight, weight * x, weight * x**2, weight * e, weight * e * x])
        sums = np.cumsum(terms, axis=1)
        n, first, second, cross, moved = sums[:, np.searchsorted(v[order], left, "right") - 1]
        exponent = -(moved - first * cross / n) / (second - first**2 / n)
        flat = (sums[3, -1] - cross) / (sums[0, -1] - n)
        with np.errstate(divide="ignore", invalid="ignore"):
            meet = at + first / n + (cross / n - flat) / exponent
        return np.asarray(meet[(exponent > 0) & (left < meet) & (meet < right)])

    def _scan(self, hinges: FloatArray) -> dict[str, FloatArray]:
        """Return the least squares of the line's two coefficients for each hinge."""
        v, y, w = self.points.v, self.points.y, self.points.w
        total = w.sum()
        height = float(y @ w / total)
        # Sums of the ramps h − v over all points below a hinge, from cumulative sums of these.
        order = np.argsort(v, kind="stable")
        centre = float(v @ w / total)
        x, e, weight = v[order] - centre, y[order] - height, w[order]
        terms = np.stack([weight, weight * x, weight * x**2, weight * e, weight * e * x])
        before = np.hstack([np.zeros((5, 1)), np.cumsum(terms, axis=1)])
        n, first, second, cross, moved = before[:, np.searchsorted(v[order], hinges)]
        h = hinges - centre
        ramp_mean = (h * n - first) / total
        spread = np.maximum(h * h * n - 2 * h * first + second - total * ramp_mean**2, 0.0)
        spread = np.where(spread > NOTHING * total * ramp_mean**2, spread, 0.0)
        slope = (h * cross - moved) / np.where(spread > 0, spread, 1)
        slope = np.where(spread > 0, np.maximum(slope, 0.0), 0.0)
        flat = height - slope * ramp_mean
        whole = float(weight @ e**2)
        rss = whole - slope * (2 * (h * cross - moved) - slope * spread)
        # Where the fit leaves almost nothing, the difference has no digits left.
        for i in np.flatnonzero(rss < EXACT * whole):
            ramp = np.maximum(hinges[i] - v, 0)
            rss[i] = (y - flat[i] - slope[i] * ramp) ** 2 @ w
        return {
            "exponent": slope,
            "flat": flat,
            "rss": rss,
            "spread": spread,
            "ramp_mean": ramp_mean,
        }

    def curve(self, v: FloatArray) -> FloatArray:
        """Return log loss at log sizes."""
        return np.asarray(self.flat + self.exponent * np.maximum(self.hinge - v, 0))

    @property
    def values(self) -> dict[str, float]:
        """What the law says; its floor is the level at which it saturates."""
        return {"exponent": self.exponent, "floor": self.flat, "hinge": self.hinge}

    def limits(self, *, level: float, inflation: float = 1.0) -> dict[str, Limits]:
        """Return the limits of `values`: the union over all hinges that the data allow."""
        knots = self.points.knots
        allowed = self.rss * math.exp(threshold(self.dof, level, inflation) / self.dof)
        exponent = self._union(lambda h: (h * 0, h * 0 + 1), allowed)
        floor = self._union(lambda h: (h * 0 + 1, h * 0), allowed)
        hinges = self._grid()
        inside = np.flatnonzero(self._scan(hinges)["rss"] <= allowed)
        first, last = (int(inside[0]), int(inside[-1])) if inside.size else (0, 0)
        low = high = self.hinge
        if inside.size:
            low = self._cross(min(low, float(hinges[first])), float(hinges[first - 1]), allowed)
            after = float(hinges[min(last + 1, hinges.size - 1)])
            high = self._cross(max(high, float(hinges[last])), after, allowed)
        if inside.size and last == hinges.size - 1:
            high = math.inf  # a line without an end fits as well
        if inside.size and first == 0:  # all may happen before the second size
            low, exponent = float(knots[0]), (exponent[0], math.inf)
        middle = np.average(self.points.y, weights=self.points.w)
        if float((self.points.y - middle) ** 2 @ self.points.w) <= allowed:
            low, exponent = -math.inf, (0.0, exponent[1])  # nothing moves at all
        return {
            "exponent": (max(exponent[0], 0.0), exponent[1]),
            "floor": floor,
            "hinge": (low, high),
        }

    def band(self, v: FloatArray, *, level: float, inflation: float = 1.0) -> FloatArray:
        """Return limits of log loss at log sizes."""
        allowed = self.rss * math.exp(threshold(self.dof, level, inflation) / self.dof)
        out = np.empty((2, v.size))
        for i, at in enumerate(v):

            def at_size(h: FloatArray, at: float = float(at)) -> tuple[FloatArray, FloatArray]:
                return h * 0 + 1, np.maximum(h - at, 0)

            out[:, i] = self._union(at_size, allowed, float(at))
        return out

    def _grid(self, beyond: float = -math.inf) -> FloatArray:
        """Return hinges that are dense within and at the sizes, and at `beyond` after the last."""
        knots = self.points.knots
        within = np.linspace(knots[:-1], knots[1:], 65, axis=1)[:, 1:].ravel()
        last = [beyond] if beyond > knots[-1] else []
        return np.concatenate([[knots[0] + 1e-6 * (knots[1] - knots[0])], within, last])

    def _union(self, combine: Combine, allowed: float, beyond: float = -math.inf) -> Limits:
        """Return the range of a·flat + b·exponent over all hinges within the allowed rss.

        For one hinge both coefficients are linear, so that the range is an interval in closed
        form; the grid over hinges is refined where the range ends.
        """
        ends = []
        for sign in (-1.0, 1.0):
            hinges = self._grid(beyond)
            for _ in range(3):
                reach = self._reach(hinges, combine, allowed, sign)
                top = int(np.argmax(sign * reach))
                near = hinges[max(top - 1, 0)], hinges[min(top + 1, hinges.size - 1)]
                end = float(reach[top])
                hinges = np.linspace(*near, 65)
            ends.append(end)
        return ends[0], ends[1]

    def _reach(
        self, hinges: FloatArray, combine: Combine, allowed: float, sign: float
    ) -> FloatArray:
        scan = self._scan(hinges)
        a, b = combine(hinges)
        spread = np.where(scan["spread"] > 0, scan["spread"], math.inf)
        variance = a**2 / self.points.w.sum() + (b - a * scan["ramp_mean"]) ** 2 / spread
        left = allowed - scan["rss"]
        half = np.sqrt(np.maximum(left, 0) * variance)
        value = a * scan["flat"] + b * scan["exponent"] + sign * half
        return np.asarray(np.where(left >= 0, value, -sign * math.inf))

    def _cross(self, inside: float, outside: float, allowed: float) -> float:
        """Return where the rss crosses what is allowed, by bisection."""
        for _ in range(40):
            middle = 0.5 * (inside + outside)
            if self._scan(np.array([middle]))["rss"][0] <= allowed:
                inside = middle
            else:
                outside = middle
        return inside


class Broken(Smooth):
    """A power law that bends into another: exponents α and α₂, about a size, over a width.

    log L = p − α (v − v*) + (α − α₂) Δ (softplus((v − h)/Δ) − softplus((v* − h)/Δ)).
    The smoothly broken power law without a floor (Caballero et al. 2023, one break, a = 0).
    """

    name, label, n_parameters, n_sizes = "broken", "smoothly broken power law", 5, 6

    def fit(self) -> None:
        """Variable projection from a grid of breaks and widths."""
        self.prior = None
        knots = self.points.knots
        line = Power(self.points).exponent
        grid = [
            (0.0, line * f, line * g, h, d)
            for h in np.quantile(knots, (0.2, 0.4, 0.6, 0.8))
            for d in (-1.5, 0.0)
            for f, g in ((1.5, 0.3), (0.5, 1.5))
        ]
        starts = self.near.theta[None] if isinstance(self.near, Broken) else np.array(grid)
        self.theta, self.deviance = self._best(self._chart(0.0), starts, (0, 1, 2, 3, 4))

    def _chart(self, at: float) -> Chart:
        def shape(theta: FloatArray, v: FloatArray) -> tuple[FloatArray, FloatArray]:
            p, a, b, h, d = theta.T[:, :, None]
            width = np.exp(d)
            t, t_at = (v - h) / width, (at - h) / width
            soft, on = soft_step(t)
            soft_at, on_at = soft_step(t_at)
            bend = soft
            bend -= soft_at
            bend *= width
            slopes = np.empty((len(theta), 5, v.size))
            slopes[:, 0] = 1.0
            away = v - at
            np.subtract(bend, away, out=slopes[:, 1])
            np.negative(bend, out=slopes[:, 2])
            t *= on
            t -= on_at * t_at
            t *= -width
            t += bend
            np.multiply(t, a - b, out=slopes[:, 4])
            on -= on_at
            np.multiply(on, b - a, out=slopes[:, 3])
            curve = (a - b) * bend
            curve -= a * away
            curve += p
            return curve, slopes

        knots = self.points.knots
        span = float(knots[-1] - knots[0])
        # A break narrower than a third of the closest sizes looks like a hinge; wider than all
        # of them like a line.
        narrow = math.log(float(np.diff(knots).min()) / 3)
        low = np.array([-80.0, 0.0, 0.0, knots[1], narrow])
        high = np.array([80.0, STEEPEST, STEEPEST, knots[-2], math.log(span)])
        return Chart(shape, low, high)

    def curve(self, v: FloatArray) -> FloatArray:
        """Return log loss at log sizes."""
        return np.asarray(self._chart(0.0).shape(self.theta[None], v)[0][0])

    @property
    def values(self) -> dict[str, float]:
        """What the law says; its hinge is the break."""
        _, a, b, h, d = (float(x) for x in self.theta)
        return {"exponent": a, "hinge": h, "second_exponent": b, "sharpness": math.exp(-d)}

    def limits(self, *, level: float, inflation: float = 1.0) -> dict[str, Limits]:
        """Return the limits of `values`; none are known for the sharpness."""
        rise = threshold(self.dof, level, inflation)
        chart = self._chart(0.0)
        starts = np.repeat(self.theta[None], 3, axis=0)
        starts[1:, 4] += (-1.0, 1.0)
        first, second, hinge = self._limits(chart, starts, (0, 1, 2, 3, 4), rise, 1, 2, 3)
        return {
            "exponent": (max(first[0], 0.0), first[1]),
            "second_exponent": (max(second[0], 0.0), second[1]),
            "hinge": hinge,
        }

    def band(self, v: FloatArray, *, level: float, inflation: float = 1.0) -> FloatArray:
        """Return limits of log loss at log sizes."""
        rise = threshold(self.dof, level, inflation)
        out = np.empty((2, v.size))
        for i, (at, p) in enumerate(zip(v, self.curve(v), strict=True)):
            starts = np.repeat(self.theta[None], 2, axis=0)
            starts[:, 0] = p
            starts[1, 4] += 1.0
            chart = self._chart(float(at))
            [out[:, i]] = self._limits(chart, starts, (0, 1, 2, 3, 4), rise, 0)
        return out
