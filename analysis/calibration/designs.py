"""How data come about: sizes, laws of the noise, rounds, missing cells, clusters."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

import annostat

LAWS = ("gaussian", "laplace", "laplace + 1/300", "laplace + 1/20", "t3", "shared difficulty")
# The situation of the supplement: the noise of ES and ED frames, with and without abandonment.
PAPER = {
    f"paper, E|X| {mae}" + (", 1/300" if rate else ""): annostat.NoiseModel.with_mae(
        "laplace",
        mae,
        abandonment="independent" if rate else "none",
        abandonment_rate=rate,
        window=50,
    )
    for mae in (2.0, 2.4)
    for rate in (0.0, 1 / 300)
}


@dataclass(frozen=True)
class Design:
    """One way that data come about."""

    n: int
    law: str = "gaussian"
    rounds: int = 2
    missing: float = 0.0
    cluster_size: int = 1

    def errors(self, rng: np.random.Generator, n: int | None = None) -> np.ndarray:
        """Draw errors of unit scale, float64 of shape (n, rounds)."""
        shape = (self.n if n is None else n, self.rounds)
        if self.law in PAPER:
            return PAPER[self.law].sample_errors(shape, rng=rng) / 2.0
        if self.law == "gaussian":
            return rng.normal(size=shape)
        if self.law == "t3":
            return rng.standard_t(3, size=shape)
        if self.law == "shared difficulty":
            return rng.normal(size=shape) * rng.lognormal(0, 0.6, size=(shape[0], 1))
        core = rng.laplace(size=shape)
        if self.law == "laplace":
            return core
        rate = {"laplace + 1/300": 1 / 300, "laplace + 1/20": 1 / 20}[self.law]
        return np.where(rng.random(shape) < rate, rng.uniform(-25, 25, shape), core)

    def sample(
        self, rng: np.random.Generator, *, scale: float, spread: float, whole: bool = False
    ) -> tuple[annostat.Rounds, np.ndarray]:
        """Draw rounds and the truth behind them."""
        truth = rng.normal(0, spread, self.n)
        cluster = None
        if self.cluster_size > 1:
            # Patients differ in difficulty: the size of the error is shared within a cluster.
            codes = np.arange(self.n) // self.cluster_size
            factor = rng.lognormal(0, 0.4, codes[-1] + 1)[codes][:, None]
            cluster = [f"c{c}" for c in codes]
        else:
            factor = np.ones((self.n, 1))
        errors = scale * factor * self.errors(rng)
        if whole:
            truth, errors = np.rint(truth), np.rint(errors)
        values = truth[:, None] + errors
        if self.missing:
            values[rng.random(values.shape) < self.missing] = np.nan
        return annostat.Rounds.from_array(values, cluster=cluster), truth


@functools.cache
def moments(design: Design, *, scale: float, whole: bool = False) -> tuple[float, float]:
    """Return E|X| and the SD of X, from two million draws of a fixed seed."""
    rng = np.random.default_rng(20261124)
    draws = scale * design.errors(rng, 2_000_000 // design.rounds)
    if design.cluster_size > 1:
        draws *= rng.lognormal(0, 0.4, (draws.shape[0], 1))
    if whole:
        draws = np.rint(draws)
    return float(np.abs(draws).mean()), float(draws.std())
