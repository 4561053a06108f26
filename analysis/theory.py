"""The figures of docs/theory.md: what follows from label = truth + error, drawn and checked.

Everything here is simulated or computed from a law; the pictures of the documentation are made by
``python -m analysis theory --out docs/images``.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from scipy import special

from analysis.common import COLOURS, draw, new_figure, save
from annostat import NoiseModel
from annostat.noise import FAMILIES

Numbers = dict[str, Any]


def floors(out: Path) -> Numbers:
    """Draw the floor of RMSE and MAE against the mean of m annotations."""
    m = np.arange(1, 11)
    # E|mean of m Laplace errors| / b = 2m (2m choose m) / 4^m / m.
    laplace = 2 * special.comb(2 * m, m) / 4.0**m
    figure, ax = new_figure(5.2, 3.6)
    ax.plot(m, 1 / np.sqrt(m), "o-", ms=4, color=COLOURS[0], label="RMSE, any noise; MAE, Gaussian")
    ax.plot(m, laplace, "s--", ms=4, color=COLOURS[1], label="MAE, Laplace")
    ax.set(xlabel="annotations averaged, m", ylabel="floor / floor at m = 1", ylim=(0, 1.05))
    ax.legend(frameon=False)
    draw(out, "theory_floors", figure)
    return {"mae_laplace": laplace.tolist(), "rmse": (1 / np.sqrt(m)).tolist()}


def symmetry(out: Path) -> Numbers:
    """Draw two laws of the error that give the same differences: one skewed, one symmetric."""
    p = 0.6
    x = np.arange(60)
    skewed = (1 - p) * p**x  # geometric; the difference of two is discrete Laplace
    model = NoiseModel("symmetric-nb", {"sd": math.sqrt(p) / (1 - p), "r": 0.5})
    at, even = model.noise_pmf()
    lag = np.arange(16)
    d_skewed = np.array([skewed[: 60 - k] @ skewed[k:] for k in lag])
    d, q = model.difference_pmf()
    d_even = q[d >= 0][:16]
    median = int(np.searchsorted(np.cumsum(skewed), 0.5))
    figure, axes = new_figure(9, 3.4, 2)
    axes[0].vlines(x - median - 0.12, 0, skewed, color=COLOURS[1], lw=3, label="skewed")
    axes[0].vlines(at + 0.12, 0, even, color=COLOURS[0], lw=3, label="symmetric")
    axes[0].set(xlabel="error of one annotation (frames)", ylabel="probability", xlim=(-8, 10))
    axes[0].set_title("Two laws of the error ...")
    axes[0].legend(frameon=False)
    axes[1].plot(lag, d_skewed, "o", ms=8, mfc="none", color=COLOURS[1], label="skewed")
    axes[1].plot(lag, d_even, ".", ms=6, color=COLOURS[0], label="symmetric")
    axes[1].set(xlabel="|difference of two annotations| (frames)", ylabel="probability")
    axes[1].set_title("... and the one law of their differences")
    axes[1].set_yscale("log")
    axes[1].legend(frameon=False)
    draw(out, "theory_symmetry", figure)
    return {
        "largest_gap_of_the_difference_laws": float(np.abs(d_skewed - d_even).max()),
        "mae_skewed": float(np.abs(x - median) @ skewed),
        "mae_symmetric": model.mae,
    }


def bracket(out: Path) -> Numbers:
    """Draw E|X| / E|D| of every registered family over sizes of the noise."""
    sizes = np.geomspace(0.25, 20, 25)
    figure, ax = new_figure(6.4, 4)
    ax.axhspan(2 / 3, 3 / 4, color=COLOURS[2], alpha=0.18, lw=0, label="log-concave")
    for level, name in ((0.5, "any symmetric law"), (0.75, "unimodal")):
        ax.axhline(level, color="0.3", lw=0.8, ls="--")
        ax.text(1.01, level, name, va="center", fontsize=8, transform=ax.get_yaxis_transform())
    numbers = {}
    for number, family in enumerate(FAMILIES.values()):
        ratio = np.array([ratio_of(NoiseModel.with_mae(family.name, size)) for size in sizes])
        style = ("-", "--", ":")[number // len(COLOURS)]
        ax.plot(sizes, ratio, style, color=COLOURS[number % len(COLOURS)], label=family.name)
        numbers[family.name] = {"low": float(ratio.min()), "high": float(ratio.max())}
    ax.set(xscale="log", xlabel="E|X| (frames)", ylabel="E|X| / E|D|", ylim=(0.48, 0.78))
    ax.legend(frameon=False, fontsize=7, ncols=2, loc="lower right", bbox_to_anchor=(1, 0.05))
    draw(out, "theory_bracket", figure)
    return numbers


def ratio_of(model: NoiseModel) -> float:
    """Return E|X| / E|D|."""
    d, q = model.difference_pmf()
    return model.mae / float(np.abs(d) @ q)


def product(out: Path, rng: np.random.Generator, repetitions: int) -> Numbers:
    """Draw what the cross-product says of a perfect model and of one with an error of its own."""
    n = 200
    figure, ax = new_figure(5.6, 3.6)
    numbers = {}
    for error, colour in ((0.0, COLOURS[0]), (0.5, COLOURS[1])):
        x = rng.normal(size=(2, repetitions, n))
        u = error * rng.normal(size=(repetitions, n))
        t = ((u - x[0]) * (u - x[1])).mean(axis=1)
        label = f"true RMSE {error:g} σ" if error else "perfect model"
        ax.hist(t, bins=40, color=colour, alpha=0.6, label=label)
        ax.axvline(error**2, color=colour, lw=1.2)
        numbers[f"{error:g}"] = {"mean": float(t.mean()), "negative": float((t < 0).mean())}
    ax.set(xlabel="T = mean (f − Z₁)(f − Z₂), in units of σ²", yticks=[])
    ax.set_ylabel(f"simulated test sets of {n} items")
    ax.legend(frameon=False)
    draw(out, "theory_product", figure)
    return numbers


def concentration(out: Path) -> Numbers:
    """Draw the share of the squared error in the worst items, for pure noise."""
    p = np.linspace(1e-4, 1, 400)
    t = special.chdtri(1, p)
    curves = {
        "uniform": 1 - (1 - p) ** 3,
        "Gaussian": special.chdtrc(3, t),
        "Laplace": p * (1 - np.log(p) + 0.5 * np.log(p) ** 2),
    }
    figure, ax = new_figure(5.2, 4)
    for (name, share), colour in zip(curves.items(), COLOURS, strict=False):
        ax.plot(100 * p, 100 * share, color=colour, label=name)
    ax.plot([0, 100], [0, 100], color="0.6", lw=0.8, ls=":")
    ax.axvline(15, color="0.6", lw=0.8)
    ax.set(xlabel="worst items (%)", ylabel="share of the squared error (%)", xlim=(0, 100))
    ax.set(ylim=(0, 102))
    ax.legend(frameon=False, loc="lower right")
    draw(out, "theory_concentration", figure)
    return {name: float(np.interp(0.15, p, share)) for name, share in curves.items()}


def scaling(out: Path) -> Numbers:
    """Draw how a floor bends a power law, and what the straight line through it says."""
    size = np.geomspace(5e3, 3e6, 16)
    alpha, floor = 0.35, 0.4
    score = floor + (1 - floor) * (size / size[0]) ** -alpha
    slope = float(np.polyfit(np.log(size), np.log(score), 1)[0])
    figure, ax = new_figure(5.6, 3.6)
    ax.loglog(size, score, "o", ms=5, color="black", label=f"floor + power law, α = {alpha}")
    line = np.exp(np.polyval(np.polyfit(np.log(size), np.log(score), 1), np.log(size)))
    ax.loglog(size, line, color=COLOURS[1], label=f"straight line, slope {-slope:.2f}")
    ax.loglog(size, score - floor, color=COLOURS[0], label="score − floor")
    ax.axhline(floor, color="0.4", ls="--", lw=0.8, label="floor")
    ax.set(xlabel="parameters", ylabel="score (smaller is better)")
    ax.legend(frameon=False, fontsize=8)
    draw(out, "theory_scaling", figure)
    return {"alpha": alpha, "slope": -slope}


def dice(out: Path, rng: np.random.Generator, repetitions: int) -> Numbers:
    """Draw (1 − Dice)² of mean outlines against 1/k + 1/l: a line through the origin."""
    theta = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    outline = 40 / np.sqrt(np.cos(theta) ** 2 + (1.5 * np.sin(theta)) ** 2)
    waves = np.arange(1, 13)
    basis = np.concatenate([np.cos(np.outer(waves, theta)), np.sin(np.outer(waves, theta))])
    basis *= np.tile(np.exp(-waves / 5), 2)[:, None]
    basis *= 2 / math.sqrt(float((basis**2).sum(axis=0).mean()))  # SD of two pixels
    noise = rng.normal(size=(repetitions, 12, len(basis))) @ basis
    found = []
    for k in range(1, 7):
        for m in range(1, 13 - k):
            a = outline + noise[:, :k].mean(axis=1)
            b = outline + noise[:, k : k + m].mean(axis=1)
            if m >= k:
                found.append((1 / k + 1 / m, (1 - polar_dice(a, b)).mean() ** 2))
    x, y = np.array(found).T
    perfect = (1 - polar_dice(outline, outline + noise[:, 0])).mean() ** 2
    line = np.polyfit(x, y, 1)
    figure, ax = new_figure(5.6, 3.8)
    ax.plot(x, 1e4 * y, "o", ms=4, color=COLOURS[0], label="mean outline of k against that of l")
    ends = np.array([0.0, 2.05])
    ax.plot(ends, 1e4 * np.polyval(line, ends), color=COLOURS[0], lw=1)
    ax.plot(
        1,
        1e4 * perfect,
        "D",
        ms=8,
        mfc="none",
        mew=1.5,
        color=COLOURS[1],
        label="the truth against one rater",
    )
    ax.set(xlabel="1/k + 1/l", ylabel="(1 − Dice)² × 10⁴", xlim=(0, 2.1), ylim=(0, None))
    ax.legend(frameon=False)
    draw(out, "theory_dice", figure)
    return {
        "truth_against_one": 1 - math.sqrt(perfect),
        "line_at_1": 1 - math.sqrt(float(np.polyval(line, 1.0))),
        "pair": 1 - math.sqrt(float(y[x == 2.0][0])),
    }


def polar_dice(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the Dice of outlines given as radii, exact up to the grid of angles."""
    both = (np.minimum(a, b) ** 2).sum(axis=-1)
    return np.asarray(2 * both / ((a**2).sum(axis=-1) + (b**2).sum(axis=-1)))


def main(out: Path, *, seed: int = 0, quick: bool = False) -> Numbers:
    """Draw all figures of the theory page."""
    rng = np.random.default_rng(seed)
    repetitions = 200 if quick else 4000
    numbers = {
        "kind": "simulated and computed",
        "floors": floors(out),
        "symmetry": symmetry(out),
        "bracket": bracket(out),
        "product": product(out, rng, repetitions),
        "concentration": concentration(out),
        "scaling": scaling(out),
        "dice": dice(out, rng, repetitions // 10),
    }
    save(out, "theory", numbers)
    return numbers
