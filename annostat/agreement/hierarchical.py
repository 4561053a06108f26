r"""Three or more raters as a hierarchy: each one's bias and noise, and those of a new one.

The model and its likelihood are those of `location_scale`. Intervals of σ_j are log-t with the
*shrunken sandwich* of log σ_j²,

    v = [n·H + (n·max(n·(V − H), 0) + 20·6)/(n + 20)]/n

from the inverse Hessian H, the sandwich V and the n units that the rater labelled: 20 items' worth
of exponential errors. The floor against one of these raters at random is √(mean σ_j² + Var β),
divisor k. Against a new rater it is √(E σ² + Var β), the limits of the two parts joined as by
Graybill & Wang (1980), with the spread of σ_j² over raters in the first; three or four raters bound
it from below only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import special

from annostat.agreement.covariances import TAILS, shrunken
from annostat.agreement.difficulty import shared_difficulty
from annostat.agreement.hierarchy_result import Hierarchy
from annostat.agreement.label_kinds import RaterNoise, unbounded_note, unlike
from annostat.agreement.location_scale import WIDEST, Fitted, Table, fit, within
from annostat.agreement.variances import Variances
from annostat.arrays import FloatArray, row_sums
from annostat.errors import AnnostatError, check_choice, check_level
from annostat.labels.rounds import Rounds
from annostat.labels.taking import takes_rounds
from annostat.noise.tails import Tails, tails_of_labels
from annostat.resampling.clusters import cluster_codes, renumbered, require_clusters
from annostat.resampling.intervals import exp, t_reach
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check
from annostat.results.text import p_text

LAWS = ("auto", "gauss", "difficulty")
NOT_SEEN = 1.5  # SE of log σ_j² from which only an upper limit is told
FEWEST, FEWEST_LABELS = 10, 5
NO_NOISE = 1e-24
SEEN_FROM = 100  # units from which a test that sees no difficulty is taken at its word
DROP = 2.5  # variance of log s² for Laplace errors, over that for Gaussian ones


@takes_rounds
def hierarchy(rounds: Rounds, *, law: str = "auto", level: float = 0.95) -> Hierarchy:
    r"""Return the bias and the noise of each of three or more raters, and those of a new one.

    Parameters
    ----------
    rounds : Rounds
        Values of shape (n_items, n_rounds) with an identity, NaN for missing; items with fewer
        than two labels are left out. Clusters are units.
    law : {"auto", "gauss", "difficulty"}
        "auto" takes the difficulty that items share where `shared_difficulty` shows it; where that
        could not be seen (three raters, or fewer than 100 units) intervals hold both readings.
    level : float
        Confidence level.

    Returns
    -------
    Hierarchy
        Cost and memory grow with the number of labels: above 16,384 items the maximum is searched
        for among a random 8,192 of them (the same for any order of the rows), and a few steps over
        all items end at that of all, to less than a hundredth of a standard error.

    Raises
    ------
    AnnostatError
        If there are fewer than three rounds, rounds without identity or not linked by shared
        items, fewer than ten items, a rater with fewer than five labels, or no noise at all.

    Examples
    --------
    >>> import numpy as np
    >>> g = np.random.default_rng(1)
    >>> labels = g.normal(50, 9, (300, 1)) + g.normal([0, 1, -1], [1.0, 2.0, 3.0], (300, 3))
    >>> labels[g.random((300, 3)) < 0.2] = np.nan
    >>> found = hierarchy(Rounds.from_array(labels, names=["A", "B", "C"]))
    >>> [s in r.noise_sd.interval for s, r in zip((1.0, 2.0, 3.0), found.raters)]
    [True, True, True]
    """
    level = check_level(level)
    check_choice("law", law, LAWS)
    if rounds.n_rounds < 3:
        raise AnnostatError(f"a hierarchy takes three rounds or more, got {rounds.n_rounds}")
    if rounds.exchangeable:
        raise AnnostatError(
            "a hierarchy takes rounds with an identity, but their order means nothing"
        )
    used = rounds.usable()
    if used.weights is not None:
        rows = np.repeat(np.arange(len(used.values)), used.weights)
        used = replace(used.take(rows), weights=None)
    used = used.by_value()
    v = Variances.of(used)
    table = _table(used)
    beta = v.effects * v.scale / table.scale
    noise = within(table, beta)
    _refuse(used, v, table, noise)
    difficulty = shared_difficulty(used, level=level)
    fitted = fit(table, beta, log_w=np.full(used.n_rounds, -math.log(noise)))
    plain = _described(used, table, fitted, "gauss", difficulty, level)
    # Where a difficulty would not be seen, both likelihoods may be the right one.
    unseen = difficulty.passed is None or table.n_units < SEEN_FROM
    if law == "gauss" or (law == "auto" and difficulty.passed is True and not unseen):
        return plain
    hard = fit(table, fitted.beta, log_w=fitted.log_w, difficulty=True)
    found = _described(used, table, hard, "difficulty", difficulty, level)
    if law == "difficulty" or difficulty.passed is False:
        return found
    return _joined(plain, found)


def _joined(plain: Hierarchy, hard: Hierarchy) -> Hierarchy:
    """Return the result for Gaussian errors with intervals that hold those of the other one."""

    def both(a: Estimate, b: Estimate) -> Estimate:
        if a.interval is None or b.interval is None:
            return a
        low, high = min(a.interval.low, b.interval.low), max(a.interval.high, b.interval.high)
        method = f"{a.interval.method}, with and without shared difficulty"
        return replace(a, interval=Interval(low, high, a.interval.level, method))

    def light(a: RaterNoise, b: RaterNoise) -> Interval | None:
        plain = [replace(r.noise_sd, interval=r.light) for r in (a, b)]
        return both(*plain).interval

    raters = tuple(
        replace(
            a, bias=both(a.bias, b.bias), noise_sd=both(a.noise_sd, b.noise_sd), light=light(a, b)
        )
        for a, b in zip(plain.raters, hard.raters, strict=True)
    )
    return replace(
        plain,
        raters=raters,
        one_of_them=both(plain.one_of_them, hard.one_of_them),
        new_rater=both(plain.new_rater, hard.new_rater),
    )


def _table(rounds: Rounds) -> Table:
    seen = np.isfinite(rounds.values)
    z = rounds.values - np.mean(rounds.values[seen])
    mean = row_sums(np.where(seen, z, 0.0)) / row_sums(seen)
    # Items are free: about their means, large values lose no digits.
    z = np.where(seen, z - mean[:, None], 0.0)
    size = float(np.sqrt(np.mean(z[seen] ** 2)))
    scale = 2.0 ** round(math.log2(size)) if size > 0 else 1.0
    codes = cluster_codes(rounds.cluster)
    units = np.arange(len(z)) if codes is None else renumbered(codes)
    return Table(z / scale, seen, units, scale)


def _refuse(rounds: Rounds, v: Variances, table: Table, noise: float) -> None:
    if len(rounds.values) < FEWEST:
        raise AnnostatError(
            f"a hierarchy takes {FEWEST} items with two labels, got {len(rounds.values)}"
        )
    if rounds.cluster is not None:
        require_clusters("a hierarchy takes", table.n_units, 2)
    labels = table.seen.sum(axis=0)
    few = [n for n, count in zip(rounds.names, labels, strict=True) if count < FEWEST_LABELS]
    if few:
        raise AnnostatError(
            f"each rater must have {FEWEST_LABELS} labels of items that others labelled too; drop "
            f"{few[0]!r}, who has {int(labels[rounds.names.index(few[0])])}"
        )
    if v.n_effects < rounds.n_rounds - 1:
        raise AnnostatError("no chain of shared items links all raters: take them apart")
    if noise <= NO_NOISE or not float(v.within(v.sums.totals)) > 0:
        raise AnnostatError("the raters differ by constants at most: there is no noise to model")


def _described(
    rounds: Rounds, table: Table, f: Fitted, law: str, difficulty: Check, level: float
) -> Hierarchy:
    reading = _Reading(table, f, law, level, rounds.unit)
    tails = reading.tails()
    own = tails.of_few(rounds.n_rounds)
    noise = [reading.noise(j) for j in range(rounds.n_rounds)]
    raters = tuple(
        RaterNoise(name, reading.bias(j), own.widened(sigma), sigma.interval)
        for j, (name, sigma) in enumerate(zip(rounds.names, noise, strict=True))
    )
    at_random, new, spread = reading.floors()
    square = np.exp(-f.log_w)
    noise_share = float(square.mean() / (square.mean() + np.mean(f.beta**2)))
    part = tails.of_few(unlike(square)).of_part(noise_share)
    return Hierarchy(
        raters,
        part.widened(at_random),
        part.widened(new),
        spread,
        law,
        f.spread,
        difficulty,
        tails.check,
        len(rounds.values),
        reading.equal(rounds.names),
    )


@dataclass(frozen=True, eq=False)
class _Reading:
    """What a fitted likelihood says of the raters."""

    table: Table
    f: Fitted
    law: str
    level: float
    unit: str

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Number of units that each rater labelled."""
        seen, units = self.table.seen, self.table.units
        return np.array([np.count_nonzero(np.bincount(units[column])) for column in seen.T])

    def widened(self, own: float, robust: float, prior: float, n: int) -> float:
        """Return a variance from the Hessian's and the robust one, `prior` being its heavy tails'.

        What the items of a cluster have in common is no tail, and is not shrunken away.
        """
        found = max(own, 0.0) + shrunken(n * (robust - own), prior, n) / n
        if self.table.n_units < len(self.table.z):
            found = max(found, robust + shrunken(0.0, prior, n) / n)
        return found

    def tails(self) -> Tails:
        """Return how heavy the tails of the standardised differences are."""
        off = np.where(self.table.seen, self.table.z - self.f.beta, np.nan)
        variances = np.exp(-self.f.log_w)
        return tails_of_labels(off, variances, self.table.units, level=self.level)

    def bias(self, j: int) -> Estimate:
        """Return the bias of a rater about the mean of all."""
        k = len(self.f.beta)
        slope = np.zeros(len(self.f.hessian))
        slope[:k] = -1 / k
        slope[j] += 1
        error = math.sqrt(max(float(slope @ c @ slope) for c in (self.f.hessian, self.f.sandwich)))
        reach = t_reach(self.counts[j] - 1, self.level) * error
        low, high = ((self.f.beta[j] + side * reach) * self.table.scale for side in (-1, 1))
        limits = Interval(low, high, self.level, "t, likelihood with a robust error")
        return Estimate(
            float(self.f.beta[j]) * self.table.scale, error * self.table.scale, limits, self.unit
        )

    def noise(self, j: int) -> Estimate:
        """Return the SD of a rater's noise."""
        k, n = len(self.f.beta), int(self.counts[j])
        sigma = math.exp(-self.f.log_w[j] / 2) * self.table.scale
        own, robust = (float(c[k + j, k + j]) for c in (self.f.hessian, self.f.sandwich))
        error = math.sqrt(self.widened(own, robust, TAILS, n))
        at_bound = self.f.log_w[j] - self.f.log_w.mean() > WIDEST - 1 or not own > 0
        words = "Gaussian errors" if self.law == "gauss" else "shared difficulty"
        method = f"log-t, likelihood of {words}, shrunken sandwich"
        if at_bound or error > NOT_SEEN:
            top = self.highest(j) * self.table.scale
            limits = Interval(
                0.0, max(top, sigma), self.level, "profile of the likelihood, upper limit"
            )
            note = "too quiet beside the others to be told from 0"
            return Estimate(sigma, None, limits, self.unit, note)
        reach = t_reach(n - 1, self.level) * error / 2
        limits = Interval(sigma * math.exp(-reach), sigma * exp(reach), self.level, method)
        return Estimate(sigma, sigma * error / 2, limits, self.unit)

    def equal(self, names: tuple[str, ...]) -> Check:
        """Return Wald's test of equal σ_j², F over the raters with the shrunken sandwich."""
        name, k = "equal_noise", len(self.f.beta)
        robust = self.f.sandwich[k : 2 * k, k : 2 * k]
        own = np.diag(self.f.hessian)[k : 2 * k]
        wide = [
            self.widened(float(own[j]), float(robust[j, j]), TAILS, int(self.counts[j]))
            for j in range(k)
        ]
        grown = np.sqrt(np.array(wide) / np.maximum(np.diag(robust), 1e-300))
        spread = robust * np.outer(grown, grown)
        last = np.column_stack([np.eye(k - 1), -np.ones(k - 1)])
        off, cover = last @ self.f.log_w, last @ spread @ last.T
        df = int(self.counts.min()) - k + 1
        if df < 1 or max(wide) > NOT_SEEN**2 or np.linalg.cond(cover) > 1e10:
            why = "one of them is too quiet" if df >= 1 else "too few labels"
            return Check(name, None, f"Whether the raters are equally noisy cannot be told: {why}.")
        f = float(off @ np.linalg.solve(cover, off)) / (k - 1)
        p = float(special.fdtrc(k - 1, df, f))
        worst, best = names[int(np.argmin(self.f.log_w))], names[int(np.argmax(self.f.log_w))]
        if p >= 1 - self.level:
            text = f"The raters may be equally noisy ({p_text(p)}); it is not assumed."
            return Check(name, True, text, f, p)
        text = (
            f"The raters are not equally noisy ({p_text(p)}): {worst} scatters more than {best}; "
            "read the row of the rater whose labels are met."
        )
        return Check(name, False, text, f, p)

    def highest(self, j: int) -> float:
        """Return the σ_j at which the likelihood has dropped, allowing for Laplace errors."""
        hard = self.law == "difficulty"
        x = np.concatenate([self.f.beta, self.f.log_w, [math.log(self.f.spread)] if hard else []])
        k, bar = len(self.f.beta), float(special.chdtri(1, 1 - self.level)) / 2 * DROP
        low, high = float(self.f.log_w[j]) - 2 * WIDEST, float(self.f.log_w[j])
        for _ in range(60):
            middle = (low + high) / 2
            x[k + j] = middle
            if self.f.loglik - self.table.likelihood.total(x, hard)[0] > bar:
                low = middle
            else:
                high = middle
        return math.exp(-(low + high) / 4)

    def floors(self) -> tuple[Estimate, Estimate, Estimate]:
        """Return the floors against one of these raters and a new one, and the SD of biases."""
        k, scale, n = len(self.f.beta), self.table.scale, self.table.n_units
        square = np.exp(-self.f.log_w)
        mean, tail = float(square.mean()), (1 + self.level) / 2
        share = float(np.mean(1 / self.table.seen.sum(axis=0)))  # of one rater's noise in its bias
        biases = float(np.var(self.f.beta, ddof=1))

        def error(slope: FloatArray) -> float:
            own, robust = (float(slope @ c @ slope) for c in (self.f.hessian, self.f.sandwich))
            per_item = n / self.counts.mean()
            prior = TAILS * float(np.sum(slope[k : 2 * k] ** 2)) * per_item
            return math.sqrt(self.widened(own, robust, prior, n))

        slope = np.zeros(len(self.f.hessian))
        slope[k : 2 * k] = -square / k
        items = error(slope)
        slope[:k] = 2 * self.f.beta / k
        one = mean * (1 - (k - 1) / k * share) + float(np.mean(self.f.beta**2))
        reach = t_reach(n - 1, self.level) * error(slope) / one / 2
        root = math.sqrt(one) * scale
        limits = Interval(
            root * math.exp(-reach), root * exp(reach), self.level, "log-t, likelihood"
        )
        at_random = Estimate(root, root * error(slope) / one / 2, limits, self.unit)
        between = max(float(np.var(square, ddof=1)) / k - items**2, 0.0)
        total = items**2 + between
        df = total**2 / (items**4 / (n - 1) + between**2 / (k - 1))
        a = mean * (1 - share)
        reach = min(t_reach(df, self.level) * math.sqrt(total) / mean, 700.0)
        chi = [(k - 1) / float(special.chdtri(k - 1, p)) for p in (1 - tail, tail)]
        down = math.hypot(a - a * math.exp(-reach), biases * (1 - chi[0]))
        up = math.hypot(a * math.exp(reach) - a, biases * (chi[1] - 1))
        note = unbounded_note(k)
        high = math.inf if note else math.sqrt(a + biases + up) * scale
        low = math.sqrt(max(a + biases - down, 0.0)) * scale
        limits = Interval(low, high, self.level, "Graybill–Wang over raters")
        new = Estimate(math.sqrt(a + biases) * scale, None, limits, self.unit, note)
        spare = mean * share
        low, high = (math.sqrt(max(biases * c - spare, 0.0)) * scale for c in chi)
        limits = Interval(low, high, self.level, "χ² over raters")
        spread = Estimate(math.sqrt(max(biases - spare, 0.0)) * scale, None, limits, self.unit)
        return at_random, new, spread
