"""Concentration: where a model's error sits, and how much of that noise would do as well."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from annostat._names import renamed
from annostat._version import __version__
from annostat.arrays import FloatArray, digest
from annostat.concentration.curve import (
    DOMINATED,
    Curve,
    codes_of,
    estimates_of,
    losses_of,
    numbers_of,
    weights_of,
)
from annostat.concentration.laws import SHAPES, Gaussians, Law, law_gini, law_half, law_share
from annostat.concentration.lists import overlap
from annostat.concentration.null import (
    CORE,
    PLACES,
    Both,
    Simulated,
    both_errors,
    check_label,
    describe,
    generator_of,
    simulate,
)
from annostat.concentration.published import Fitted, fit_of_model, model_of_json
from annostat.concentration.result import Concentration, Excess, Null, few_check, grid_of
from annostat.concentration.swaps import excess_by_swaps
from annostat.concentration.unlike import pairing_p, rounds_alike
from annostat.errors import AnnostatError, check_choice, check_count, check_level, check_number
from annostat.labels import check_rounds
from annostat.labels.rounds import Rounds
from annostat.noise import NoiseComparison, NoiseFit, NoiseModel
from annostat.resampling.clusters import renumbered
from annostat.resampling.generators import Rng, as_generator, seed_of
from annostat.resampling.intervals import t_reach
from annostat.resampling.parallel import Progress
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check, Provenance
from annostat.results.text import p_text, percent

FAMILY = f"{CORE} + independent abandonment"  # fitted to rounds of the errors' own items
ALPHA = 0.05  # of the verdict
OTHER_ITEMS = Check(
    "other_items",
    None,
    "The law comes from other items: of 200 of them, pure noise with heavy tails was rejected in "
    "10 to 15% of simulated sets instead of 5%; two labels of these items (rounds) make the test "
    "exact.",
)
Noise = str | Gaussians | NoiseModel | NoiseFit | NoiseComparison | Mapping[str, Any]
MOST_LABELS = 10**8  # of other items, which are simulated anew


@renamed(clusters="cluster", n_simulated="n_resamples")
def concentration(
    errors: ArrayLike,
    *,
    loss: str = "squared",
    noise: Noise | None = None,
    rounds: Rounds | None = None,
    top: float = 0.15,
    weights: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    predictions: ArrayLike | None = None,
    items: ArrayLike | None = None,
    lists: Mapping[str, ArrayLike] | None = None,
    name: str = "",
    unit: str = "",
    level: float = 0.95,
    n_resamples: int | None = None,
    rng: Rng = 0,
    n_jobs: int | None = 1,
    progress: Progress | None = None,
) -> Concentration:
    r"""Return where a model's error sits, and how much of that pure noise would do as well.

    Parameters
    ----------
    errors : array-like of shape (n,)
        Errors of a model against ONE annotation of each item, with their sign if there are
        `rounds`; losses with ``loss="asis"``. NaN is refused.
    loss : {"squared", "absolute", "asis"}
        What is shared out. "asis": any loss ≥ 0, such as 1 − Dice; it has no null.
    noise : optional
        Law of one annotation's error: an assumed shape ("gaussian", "laplace", "uniform",
        `Gaussians`, `NoiseModel`), or a law fitted to *other* items (`NoiseFit`,
        `NoiseComparison`, the JSON object of ``annostat fit-afd``), whose uncertainty counts.
    rounds : Rounds, optional
        Two rounds of the *same* items in the same order; the errors, with their sign, are against
        one of them. The
        law is fitted to their differences: symmetric negative binomial with rare abandonment,
        whole numbers as they are, real values on a lattice of a quarter of the median difference.
    top : float
        The worst fraction that is looked at and tested.
    weights : array-like of shape (n,), optional
        How many items each stands for, positive.
    cluster : array-like of shape (n,), optional
        Cluster (patient) of each item, for the intervals and the overlaps.
    predictions : array-like of shape (n,), optional
        The model's values, with `rounds`: adds the exact test of `excess_by_swaps`, which fits no
        law and finds more.
    items : array-like of shape (n,), optional
        Names of the items; rows are numbered without.
    lists : mapping of str to bool array-likes of shape (n,), optional
        Known sets of items (corrupted ones, ...) whose overlap with the worst is tested.
    level, n_resamples, rng, n_jobs, progress
        As everywhere; `n_resamples` is 2,000 for an assumed shape and 499 for a fitted law.

    Returns
    -------
    Concentration
        The verdict is one-sided at 5%: T = S(top) − S(top; law fitted to the differences), with
        the law fitted again to each simulated set of differences. With `rounds`, sets are all
        errors against both labels, dealt out anew: under pure noise they are alike, whatever
        their law; and the exact test of `excess_by_swaps`, which lets one round be heavier-tailed
        than the other and the items of a cluster err together: p is the larger one. With a fit to
        other items, sets are drawn from the law that its differences and the errors together
        speak for.

    Raises
    ------
    AnnostatError
        If errors are not finite, negative "asis", all zero, or fewer than three; or the noise
        and the loss do not go together.

    Notes
    -----
    The null takes noise as independent between items, symmetric, and alike on all items. Items
    that are harder for both annotators make it more concentrated than it is, so that the test
    then finds less, not more.

    Examples
    --------
    >>> import numpy as np
    >>> from annostat import Rounds
    >>> from annostat.concentration import concentration
    >>> rng = np.random.default_rng(1)
    >>> noise = rng.normal(0, 4, (400, 2))
    >>> rounds = Rounds.from_array(50 + noise)
    >>> model_error = np.where(np.arange(400) < 12, 25.0, 0.0)
    >>> found = concentration(noise[:, 0] - model_error, rounds=rounds, n_resamples=99)
    >>> found.excess.p_value, bool(found.excess.worst_share.value > 0.1)
    (0.01, True)
    """
    level = check_level(level)
    top = check_number("top", top, low=0.0, high=1.0, open_ends=True)
    names = None if items is None else np.asarray(items, dtype=object)
    losses = losses_of(errors, loss, names)
    n = losses.size
    if names is None:
        names = np.array([f"row {i + 1}" for i in range(n)], dtype=object)
    elif names.shape != (n,):
        raise AnnostatError(f"items must be one name for each of {n} errors, got {names.shape}")
    w, codes = weights_of(weights, n), codes_of(cluster, n)
    if noise is not None and rounds is not None:
        raise AnnostatError("give either noise or rounds, not both")
    if (noise is not None or rounds is not None) and loss == "asis":
        raise AnnostatError(
            "a loss taken as it is has no null of noise: give the errors with loss='squared' or "
            "'absolute', or leave out the noise"
        )
    if predictions is not None and rounds is None:
        raise AnnostatError("predictions are held against rounds: give both")
    curve = Curve.of(losses, w)
    observed = numbers_of(curve, top)
    gini, worst_share, half = estimates_of(curve, top, codes, level)
    checks: list[Check] = [*few_check(n), _dominance(curve)]
    null = excess = None
    if noise is not None or rounds is not None:
        signed = np.asarray(errors, dtype=np.float64)
        own = (
            predictions is not None
            and rounds is not None
            and _own_errors(signed, predictions, rounds)
        )
        source, words, more = _source(noise, rounds, signed, level, own)
        if own:
            more = [check for check in more if check.name != "one_label"]
        checks += more
        assumed = not isinstance(source, (Both, Fitted))
        n_resamples = check_count("n_resamples", n_resamples or (2000 if assumed else 499), low=19)
        done = simulate(
            source,
            signed,
            loss=loss,
            grid=grid_of(top),
            weights=w,
            n_resamples=n_resamples,
            rng=generator_of(rng),
            n_jobs=n_jobs,
            progress=progress,
        )
        null = _null(source, words, done, loss, top, level)
        pairing = None
        if isinstance(source, Both) and w is None:
            paired = source.paired
            two = source.first[paired], source.second
            units = None if codes is None else renumbered(codes[paired])
            generator = as_generator(rng).spawn(2)[1]
            chosen: dict[str, Any] = {"top": top, "loss": loss, "n_resamples": n_resamples}
            alike = rounds_alike(*two, units, generator=generator, **chosen)
            reason = ""
            if alike.passed is False:
                reason = "no interval: the two rounds differ in their laws"
            elif units is not None:
                reason = "no interval: items of a cluster may share their difficulty"
            pairing = pairing_p(*two, units, generator=generator, **chosen), reason
            checks.append(alike)
        excess = _excess(observed, null, (worst_share, gini), pairing, top, level)
    worst = curve.order[: max(int(np.searchsorted(curve.mass, top * curve.mass[-1] - 1e-9)), 1)]
    in_worst = np.zeros(n, dtype=bool)
    in_worst[worst] = True
    overlaps = [
        overlap(
            in_worst,
            np.asarray(chosen),
            names=(f"worst {percent(top)}", label),
            cluster=cluster,
            rng=rng,
        )
        for label, chosen in (lists or {}).items()
    ]
    swaps = None
    if predictions is not None and rounds is not None:
        swaps = excess_by_swaps(predictions, rounds, top=top, loss=loss, rng=rng)
    return Concentration(
        name=name,
        loss=loss,
        top=top,
        gini=gini,
        worst_share=worst_share,
        half_of_error=half,
        observed=observed,
        null=null,
        excess=excess,
        worst=worst,
        items=names,
        curve=curve,
        overlaps=tuple(overlaps),
        checks=tuple(checks),
        provenance=Provenance(
            __version__,
            digest(losses, w, codes, None if rounds is None else rounds.digest()),
            n,
            seed_of(rng),
            {"loss": loss, "top": top, "level": level, "n_simulated": n_resamples},
        ),
        unit=unit and {"squared": f"{unit}²", "absolute": unit, "asis": unit}[loss],
        swaps=swaps,
    )


def _source(
    noise: Noise | None, rounds: Rounds | None, errors: FloatArray, level: float, own: bool
) -> tuple[Both | Fitted | Law, str, list[Check]]:
    """Return the law to simulate, where it comes from, and the checks of its data."""
    n = errors.size
    if rounds is not None:
        if rounds.n_rounds != 2 or len(rounds.values) != n:
            raise AnnostatError(
                f"rounds must be two labels of the same {n} items as the errors, got "
                f"{len(rounds.values)} items and {rounds.n_rounds} rounds"
            )
        both = both_errors(errors, rounds.values[:, 0], rounds.values[:, 1], signed=own)
        words = f"fitted to the differences of {both.second.size:,} of these items"
        return (
            both,
            words,
            [check_label(both), *check_rounds(rounds.usable(), level=level, rng=0)],
        )
    if isinstance(noise, NoiseComparison):
        noise = noise.best
    if isinstance(noise, NoiseFit):
        if noise.problem.by_length:
            raise AnnostatError("noise: fit it with a single window, not the clips' lengths")
        words = f"fitted to {noise.problem.rounds.n_items:,} other items"
        return Fitted(noise), words, [OTHER_ITEMS]
    if isinstance(noise, (NoiseModel, Gaussians)):
        return noise, "assumed", []
    if isinstance(noise, str):
        return check_choice("noise", noise, SHAPES), "assumed", []
    if not isinstance(noise, Mapping) or not noise.get("models"):
        raise AnnostatError(
            "noise must be a shape, a NoiseModel, a fit, or the JSON object of `annostat fit-afd`"
            + (" (this one has strata: give one of them)" if _has_strata(noise) else "")
        )
    model = model_of_json(noise["models"][0])
    items = check_count("n_items of the noise", noise.get("n_items"), low=3)
    pairs = check_count("n_pairs of the noise", noise.get("n_pairs", items), low=1)
    k = max(2, round((1 + math.sqrt(1 + 8 * pairs / items)) / 2))
    if items * k > MOST_LABELS:
        raise AnnostatError(
            f"noise: a fit to {items:g} items with {pairs:g} pairs cannot be simulated: more than "
            f"{MOST_LABELS:,} labels"
        )
    return fit_of_model(model, items, k), f"fitted to {items:,} other items", [OTHER_ITEMS]


def _own_errors(errors: FloatArray, predictions: ArrayLike, rounds: Rounds) -> bool:
    """Return whether errors are those of the predictions against a round: nothing to ask then."""
    values = np.asarray(predictions, dtype=np.float64)
    if values.shape != errors.shape:
        return False  # said where predictions are looked at
    found = [values - rounds.values[:, j] for j in range(rounds.n_rounds)]
    return any(
        np.allclose(sign * errors, e, rtol=1e-9, atol=1e-12) for e in found for sign in (1, -1)
    )


def _has_strata(noise: object) -> bool:
    return isinstance(noise, Mapping) and "strata" in noise


def _null(
    source: Both | Fitted | Law, words: str, done: Simulated, loss: str, top: float, level: float
) -> Null:
    """Put the simulated sets into words."""
    ranges = done.ranges(level, "range of simulated noise")
    if isinstance(source, (Both, Fitted)):
        population = {key: float(done.law[j]) for key, j in PLACES.items()}
        law = FAMILY if isinstance(source, Both) else describe(source.fit.model)
        return Null(law, words, population, ranges, done)
    population = {
        "gini": law_gini(source, loss=loss),
        "worst_share": float(law_share(source, top, loss=loss)),
        "half_of_error": law_half(source, loss=loss),
    }
    return Null(describe(source), words, population, ranges, done)


def _excess(
    observed: Mapping[str, float],
    null: Null,
    spreads: tuple[Estimate, Estimate],
    pairing: tuple[float, str] | None,
    top: float,
    level: float,
) -> Excess:
    """Return observed less expected, and the verdict; it takes both tests, where there are two."""
    done = null.simulated
    estimates = []
    for key, j, own in (("worst_share", -3, spreads[0]), ("gini", -2, spreads[1])):
        gap = observed[key] - null.expected[key].value
        error = own.standard_uncertainty
        note = own.note
        if pairing is not None:
            note = note or pairing[1]
        interval = None
        if error is not None:
            error = math.hypot(error, float(done.laws[:, j].std(ddof=1)))
            reach = t_reach(math.inf, level) * error
            if not note:
                interval = Interval(gap - reach, gap + reach, level, "normal, jackknife and refits")
        estimates.append(Estimate(gap, error, interval, "", note))
    dealt = done.p_value(observed["worst_share"], -3)
    p = dealt if pairing is None else max(dealt, pairing[0])
    p_gini = done.p_value(observed["gini"], -2)
    share = 100 * null.expected["worst_share"].value
    if p <= ALPHA:
        verdict = (
            f"That is more than noise alone explains: it would give {share:.1f}% ({p_text(p)})"
        )
    elif dealt <= ALPHA:
        verdict = (
            f"One law of noise would give {share:.1f}%; but rounds that differ, or items of a "
            f"cluster that err together, explain as much ({p_text(p)})"
        )
    else:
        verdict = (
            f"Noise alone would give {share:.1f}%: no sign that the error sits on a few items "
            f"more than noise does ({p_text(p)})"
        )
    other = None if pairing is None else pairing[0]
    return Excess(estimates[0], estimates[1], p, p_gini, verdict, other)


def _dominance(curve: Curve) -> Check:
    k = max(1, curve.loss.size // 100)
    share = 100 * float(curve.total[k] / curve.total[-1])
    what = "The worst item holds" if k == 1 else f"The worst {k:,} items hold"
    good = curve.dominance <= DOMINATED
    text = f"{what} {share:.0f}% of the total" + (
        "." if good else ": intervals of shares do not cover here; look at these items."
    )
    return Check("dominance", good, text, curve.dominance)
