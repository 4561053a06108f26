"""Calibration of categories: coefficients of agreement, ceilings, verdicts, probabilities.

    python -m analysis.calibration.categories [SUITE] [--quick] [--repetitions N] [--out FILE.csv]

`coefficients`: κ, α, AC1, specific agreement. `ceilings`: the best accuracy, F1 and κ, beside what
is known of the law. `raters`: raters with other thresholds, and one that is noisy. `verdicts`: the
best model, and one that is not. `brier`: distances of probabilities from the true ones. `classes`:
agreement and ceilings of three to seven classes. `dawid-skene`: qualities where its model holds,
and the test that it does not.
"""

from __future__ import annotations

import functools

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr

from analysis.calibration.designs import Design
from analysis.calibration.outcomes import Outcome, Suite
from analysis.calibration.runner import command_of
from annostat.agreement import category_agreement
from annostat.ceilings import category_bounds
from annostat.consensus import merge_categories
from annostat.errors import AnnostatError
from annostat.labels import Categories
from annostat.truth import excess_brier, score_categories

LARGE = 200_000
LEVEL = 0.95


def probabilities(law: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return probabilities of yes of n items under a named law."""
    if law == "clear and coin":
        return rng.choice([0.02, 0.5, 0.98], n, p=[0.4, 0.2, 0.4])
    if law == "beta(.3,.3)":
        return rng.beta(0.3, 0.3, n)
    if law == "beta(1,6)":
        return rng.beta(1, 6, n)
    if law == "rare 2%":
        return rng.choice([0.001, 0.6, 0.95], n, p=[0.975, 0.01, 0.015])
    if law == "all alike":
        return np.full(n, 0.3)
    raise ValueError(law)


LAWS = ("clear and coin", "beta(.3,.3)", "beta(1,6)", "rare 2%", "all alike")


def drawn(design: Design, rng: np.random.Generator) -> tuple[Categories, np.ndarray]:
    """Return labels of a design and the probabilities behind them; clusters share theirs."""
    law, *how = design.law.split(", ")
    k, size = design.rounds, design.cluster_size
    units = max(design.n // size, 4) if size > 1 else design.n
    p = probabilities(law, units, rng)
    cluster = None
    if size > 1:
        cluster = np.repeat(np.arange(units), rng.integers(1, 2 * size, units))
        p = p[cluster]
    each = np.repeat(p[:, None], k, axis=1)
    if how == ["other thresholds"]:
        odds = np.geomspace(1 / 3, 3, k)
        each = each * odds / (1 - each + each * odds)
    elif how == ["one noisy"]:
        each[:, -1] = 0.25 + 0.5 * each[:, -1]
    codes = (rng.random(each.shape) < each).astype(np.int16)
    codes[rng.random(codes.shape) < design.missing] = -1
    codes[(codes >= 0).sum(axis=1) == 0, 0] = 0
    names = tuple(f"r{j + 1}" for j in range(k))
    text = None if cluster is None else cluster.astype(str).astype(object)
    return Categories(codes, ("no", "yes"), names, cluster=text, exchangeable=not how), each


@functools.cache
def best(law: str, k: int) -> dict[str, float]:
    """Return the best scores against one label under a law, and the coefficients of two labels."""
    rng = np.random.default_rng(0)
    each = drawn(Design(LARGE, law, k), rng)[1]
    p = each.mean(axis=1)
    pi = float(p.mean())
    order = np.sort(p)[::-1]
    q = np.arange(1, len(p) + 1) / len(p)
    hit = np.cumsum(order) / len(p)
    chance = pi * (1 - q) + q * (1 - pi)
    a = float((p**2 + (1 - p) ** 2).mean())
    return {
        "accuracy": float(np.maximum(p, 1 - p).mean()),
        "f1": float((2 * hit / (pi + q)).max()),
        "kappa": float((2 * (hit - pi * q) / chance).max()),
        "agreement": a,
        "fleiss": float(p.var() / (pi * (1 - pi))),
        "ac1": (a - 2 * pi * (1 - pi)) / (1 - 2 * pi * (1 - pi)),
        "agreement_on": float((p**2).mean()) / pi,
    }


def coefficients(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Return whether intervals of coefficients of agreement hold."""
    truth = best(design.law, design.rounds)
    found = category_agreement(drawn(design, rng)[0])
    out = {}
    for c in found.coefficients:
        name = "fleiss" if c.key == "alpha" else c.key
        if name not in truth or c.of_class == "no":
            continue
        interval = c.estimate.interval
        # Undefined where all labels are of one class: nothing is claimed then.
        hit = interval is None or truth[name] in interval
        out[f"interval: {c.key}"] = Outcome(
            hit, np.nan if interval is None else interval.high - interval.low
        )
    return out


def ceilings(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Return whether intervals of the best scores hold."""
    truth = best(design.law, design.rounds)
    try:
        found = category_bounds(drawn(design, rng)[0], rng=rng)
    except AnnostatError:  # all labels of one class: nothing is claimed
        return {f"interval: {key}": Outcome(True) for key in ("accuracy", "f1", "kappa")}
    out = {}
    for key in ("accuracy", "f1", "kappa"):
        interval = found[key].interval
        hit = interval is None or truth[key] in interval
        width = np.nan if interval is None else interval.high - interval.low
        out[f"interval: {key}"] = Outcome(hit, width)
    for check in found.checks:
        if check.name == "equal_raters":
            out["check: raters differ"] = Outcome(check.passed is False)
    return out


def verdicts(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Return how often the best model is accused, and a worse one is found."""
    labels, each = drawn(design, rng)
    p = each.mean(axis=1)
    law = probabilities(design.law, LARGE, np.random.default_rng(0))
    order = np.sort(law)[::-1]
    q = np.arange(1, LARGE + 1) / LARGE
    cut = order[int((2 * np.cumsum(order) / LARGE / (law.mean() + q)).argmax())]
    perfect = (p >= cut).astype(int)
    flipped = np.where(rng.random(len(p)) < 0.15, 1 - perfect, perfect)
    names = np.array(["no", "yes"], dtype=object)
    try:
        found = score_categories(labels, {"best": names[perfect], "worse": names[flipped]}, rng=rng)
    except AnnostatError:
        return {}
    return {
        "test: the best model is below": Outcome(found["best"].verdict == "below the ceiling"),
        "test: the best model is beyond": Outcome(found["best"].verdict == "beyond the ceiling"),
        "power: 15% of answers flipped": Outcome(found["worse"].verdict == "below the ceiling"),
    }


def brier(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Return whether intervals of E‖f − p‖² hold, of the truth and of another model."""
    labels, each = drawn(design, rng)
    p = each.mean(axis=1)
    law = probabilities(design.law, LARGE, np.random.default_rng(0))
    out = {}
    models = {"perfect": lambda x: x, "over-sharp": lambda x: x**2 / (x**2 + (1 - x) ** 2)}
    for name, f in models.items():
        truth = float(2 * ((f(law) - law) ** 2).mean())
        keep = labels.readings >= 2
        used = labels.take(np.flatnonzero(keep))
        given = np.column_stack([1 - f(p), f(p)])[keep]
        interval = excess_brier(used, given).interval
        assert interval is not None
        hit = interval.low - 1e-12 <= truth <= interval.high + 1e-12
        out[f"interval: {name}"] = Outcome(hit, interval.high - interval.low)
    return out


def many_classes(law: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return probabilities of n items under a law such as "3 classes, even"."""
    n_classes, kind = int(law.split()[0]), law.split(", ")[1]
    if kind == "even":
        return rng.dirichlet([0.4] * n_classes, n)
    if kind == "rare 2%":  # the last class
        p = rng.dirichlet([0.4] * (n_classes - 1), n)
        last = probabilities("rare 2%", n, rng)
        return np.column_stack([p * (1 - last)[:, None], last])
    if kind == "grades":
        middle = rng.normal((n_classes - 1) / 2, n_classes / 4, n)
        spread = np.exp(rng.normal(-0.5, 0.5, n))
        edges = np.arange(n_classes - 1) + 0.5
        below = ndtr((edges - middle[:, None]) / spread[:, None])
        return np.diff(np.column_stack([np.zeros(n), below, np.ones(n)]), axis=1)
    raise ValueError(law)


def of_raters(p: np.ndarray, k: int, law: str) -> np.ndarray:
    """Return each rater's probabilities, of shape (n_items, k, n_classes)."""
    each = np.repeat(p[:, None, :], k, axis=1)
    if law.endswith("unequal"):  # raters who say the last class more or less often
        each[:, :, -1] *= np.geomspace(1 / 3, 3, k)
        each /= each.sum(axis=2, keepdims=True)
    return each


@functools.cache
def best_of_many(law: str, k: int) -> dict[str, float]:
    """Return the best scores against one label of one rater at random, and the coefficients."""
    p = of_raters(many_classes(law, LARGE // 2, np.random.default_rng(0)), k, law).mean(axis=1)
    n_classes = p.shape[1]
    grades = np.arange(n_classes)
    m, shares = p @ grades, p.mean(axis=0)
    mu = m.mean()
    total = float((p @ (grades - mu) ** 2).mean())

    def excess(theta: float) -> float:
        each = [2 * (f - mu) * (m - mu) - theta * (f - mu) ** 2 for f in grades]
        return float(np.max(each, axis=0).mean()) - theta * total

    a = float((p**2).sum(axis=1).mean())
    q = np.sort(p[:, -1])[::-1]
    rank = np.arange(1, len(q) + 1) / len(q)
    return {
        "accuracy": float(p.max(axis=1).mean()),
        "quadratic_kappa": float(brentq(excess, 1e-9, 1)),
        "f1": float((2 * np.cumsum(q) / len(q) / (q.mean() + rank)).max()),
        "agreement": a,
        "fleiss": (a - float(shares @ shares)) / (1 - float(shares @ shares)),
        "fleiss, quadratic": float(m.var()) / total,
    }


def classes(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Return whether intervals of agreement and of ceilings of several classes hold."""
    truth = best_of_many(design.law, design.rounds)
    size, k = design.cluster_size, design.rounds
    units = max(design.n // size, 4) if size > 1 else design.n
    p = many_classes(design.law, units, rng)
    cluster = None
    if size > 1:
        cluster = np.repeat(np.arange(units), size)
        p = p[cluster]
    each = of_raters(p, k, design.law)
    ends = np.cumsum(each, axis=2)[:, :, :-1]
    codes = (rng.random(each.shape[:2])[:, :, None] > ends).sum(axis=2).astype(np.int16)
    codes[rng.random(codes.shape) < design.missing] = -1
    codes[(codes >= 0).sum(axis=1) == 0, 0] = 0
    names = tuple(f"r{j + 1}" for j in range(k))
    text = None if cluster is None else cluster.astype(str).astype(object)
    unequal = design.law.endswith("unequal")
    kinds = tuple(str(c) for c in range(each.shape[2]))
    labels = Categories(codes, kinds, names, True, cluster=text, exchangeable=not unequal)
    found = category_bounds(labels, rng=rng)
    out = {}
    for key in ("accuracy", "quadratic_kappa", "f1"):
        of_class = kinds[-1] if key == "f1" else ""
        # A class that nobody named has no ceiling.
        interval = next(
            (c.interval for c in found.ceilings if (c.metric, c.of_class) == (key, of_class)), None
        )
        hit = interval is None or truth[key] in interval
        width = np.nan if interval is None else interval.high - interval.low
        out[f"ceiling: {key}"] = Outcome(hit, width)
    assert found.agreement is not None
    for c in found.agreement.coefficients:
        name = c.key if c.weights == "nominal" else f"{c.key}, {c.weights}"
        if unequal or name not in truth or c.of_class:
            continue  # of raters who differ the coefficients are those of these raters
        interval = c.estimate.interval
        hit = interval is None or truth[name] in interval
        out[f"interval: {name}"] = Outcome(
            hit, np.nan if interval is None else interval.high - interval.low
        )
    return out


def dawid_skene(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Return whether qualities hold where the model does, and whether its test sees that not."""
    n, k = design.n, design.rounds
    exchangeable = "anonymous" in design.law
    sens, spec, pi = 0.85, 0.92, 0.3
    if design.law.startswith("equally hard"):
        truth = rng.random(n) < pi
        yes = np.where(truth[:, None], rng.random((n, k)) < sens, rng.random((n, k)) > spec)
    else:
        yes = rng.random((n, k)) < probabilities("beta(.3,.3)", n, rng)[:, None]
    names = tuple(f"r{j + 1}" for j in range(k))
    labels = Categories(yes.astype(np.int16), ("no", "yes"), names, exchangeable=exchangeable)
    found = merge_categories(labels, method="dawid-skene", n_resamples=39, rng=rng)
    check = {c.name: c.passed for c in found.checks}["equal_difficulty"]
    if not design.law.startswith("equally hard"):
        return {"power: difficulty varies": Outcome(check is False)}
    out = {"test: difficulty varies": Outcome(check is False)}
    first = found.raters[0]
    for name, e, value in (
        ("sensitivity", found.quality[first, "yes"], sens),
        ("specificity", found.quality[first, "no"], spec),
        ("prevalence", found.prior[1], pi),
    ):
        i = e.interval
        out[f"interval: {name}"] = Outcome(
            i is None or value in i, np.nan if i is None else i.high - i.low
        )
    return out


def _classes() -> list[Design]:
    """Return designs of three to seven classes: sizes, gaps, clusters, rare ones, raters."""
    laws = [f"{c} classes, {kind}" for c in (3, 4, 5, 7) for kind in ("even", "grades", "rare 2%")]
    found = [Design(n, law, k) for law in laws for k in (2, 3, 5, 10) for n in (50, 200, 2000)]
    for law in ("3 classes, even", "4 classes, grades", "6 classes, even"):
        found += [Design(200, law, 4, 0.3), Design(200, law, 3, 0.0, 5)]
    return found + [Design(400, f"{c} classes, even, unequal", 3) for c in (3, 5)]


def _grid(sizes: tuple[int, ...], rounds: tuple[int, ...], laws: tuple[str, ...]) -> list[Design]:
    found = [Design(n, law, k) for law in laws for k in rounds for n in sizes]
    found += [Design(n, law, 4, 0.3) for law in laws for n in sizes]
    return found + [Design(n, law, 3, 0.0, 5) for law in laws for n in sizes]


SUITES: dict[str, tuple[Suite, list[Design]]] = {
    "coefficients": (coefficients, _grid((30, 100, 500), (2, 3, 5), LAWS)),
    "ceilings": (ceilings, _grid((50, 100, 400, 2000), (2, 3, 5, 10), LAWS)),
    "raters": (
        ceilings,
        [
            Design(n, f"{law}, {how}", k)
            for law in LAWS[:3]
            for how in ("other thresholds", "one noisy")
            for k in (2, 3)
            for n in (100, 400)
        ],
    ),
    "verdicts": (verdicts, _grid((100, 400), (2, 3, 5), LAWS[:4])),
    "classes": (classes, _classes()),
    "dawid-skene": (
        dawid_skene,
        [
            Design(n, f"{law}{names}", k)
            for law in ("equally hard", "beta(.3,.3)")
            for names in ("", ", anonymous")
            for n, k in ((100, 5), (400, 4), (400, 5))
        ],
    ),
    "brier": (brier, _grid((100, 1000), (2, 3), LAWS)),
}
main = command_of(SUITES)

if __name__ == "__main__":
    main()
