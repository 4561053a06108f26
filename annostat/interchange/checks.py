"""What an interchangeability study presumes, tried on the data."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from annostat.arrays import FloatArray
from annostat.errors import AnnostatError
from annostat.interchange.contains import refuse_made_of, shared_noise
from annostat.interchange.contains_findings import refuse_made_of_marks
from annostat.interchange.contains_masks import refuse_merged_masks
from annostat.interchange.distances import Distance
from annostat.interchange.spread import Units, across, mean_first
from annostat.interchange.taken import Taken
from annostat.resampling import cluster_codes, holm
from annostat.resampling.clusters import renumbered
from annostat.resampling.hotelling import equal_means
from annostat.results.result import Check
from annostat.results.text import counted, format_number, p_text, percent

FEW_UNITS = 30
FEW_READERS, MANY_READERS = 5, 20
# How often intervals held where readers differ: of distances of numbers and points, and of others.
HELD_UNLIKE, HELD_PLAIN, WORSE_SAID = "88 to 100%", "84 to 100%", "15%"
FEW_EVENTS = 15
FEW_FINDINGS = 10
COUNTED = ("differ", "further")  # distances of 0 and 1
HEAVY = 6.0  # kurtosis of the labels' differences beyond which mean squares have no interval
NOT_MADE = "is none of the readers, nor made of them."
MOST_LOOKED_AT = 20_000  # items
NEAR = 0.1  # of what others differ from a reader by, in the median
ACCUSED_FROM = 6  # units: with two t accused a model that is right in 12% of sets, not in 2.5%
NEVER = 1e-4  # p below which shared noise is no chance


def check_models(taken: Taken, distance: Distance) -> list[Check]:
    """Return checks on what models are made of and where they say nothing; refuse copies."""
    checks = []
    for name, (f, given) in taken.models.items():
        lost = int((~given).sum())
        if lost == len(given):
            raise AnnostatError(f"model {name!r} has no prediction for an item with two labels")
        if lost:
            text = (
                f"{name} says nothing on {lost:,} of {len(given):,} items, which are left out: if "
                "they are the hard ones, it looks better than it is."
            )
            checks.append(Check("missing_predictions", False, text, lost / len(given)))
        if taken.kind == "numbers":
            checks += _of_numbers(taken, name, f, distance)
        elif taken.kind == "masks":
            refuse_merged_masks(name, f, given, taken.columns, taken.names)
        elif taken.counts is not None:
            doubt = refuse_made_of_marks(name, taken.counts, taken.names)
            text = f"{doubt[0].upper()}{doubt[1:]}." if doubt else f"{name} {NOT_MADE}"
            checks.append(Check("contains_rounds", not doubt, text))
        else:
            checks += _of_points(taken, name, f, given)
    if not any(c.name == "missing_predictions" for c in checks):
        checks.append(Check("missing_predictions", True, "Every model labels every item."))
    return checks


def _of_numbers(taken: Taken, name: str, f: FloatArray, distance: Distance) -> list[Check]:
    z = taken.values
    nominal = distance.name == "differ"
    doubt = refuse_made_of(name, f, z, taken.names, nominal=nominal)
    if doubt:
        return [Check("contains_rounds", False, f"{doubt[0].upper()}{doubt[1:]}.")]
    if nominal:
        fine = f"{name} {NOT_MADE}"
        return [Check("contains_rounds", True, fine)]
    products, usable = shared_noise(f, z, exchangeable=taken.exchangeable)
    return [_seen(taken, name, products, usable), *_near_copy(taken, name, f)]


def _near_copy(taken: Taken, name: str, f: FloatArray) -> list[Check]:
    """Return an open check where a model keeps far nearer to one reader than the others do.

    A model that is right differs from a reader by his noise, which is in what others differ from
    him by, too.
    """
    if taken.exchangeable:
        return []
    step = max(len(f) // MOST_LOOKED_AT, 1)  # a median of many items is that of some of them
    z, f = taken.values[::step], f[::step]
    for j, reader in enumerate(taken.names):
        others = [i for i in range(len(taken.names)) if i != j]
        own = np.abs(f - z[:, j])
        apart = np.abs(z[:, others] - z[:, j : j + 1])
        if not np.isfinite(own).any() or not np.isfinite(apart).any():
            continue
        near, far = float(np.nanmedian(own)), float(np.nanmedian(apart))
        if near < NEAR * far:
            text = (
                f"{name} differs from {reader} by {format_number(near, digits=2)} in the median, "
                f"other readers by {format_number(far, digits=2)}: is it made of that reader's "
                "labels? If so, leave the reader out."
            )
            return [Check("near_copy", None, text, near / far)]
    return []


def _seen(taken: Taken, name: str, products: FloatArray, usable: NDArray[np.bool_]) -> Check:
    """Return whether a model errs with the labels, from its products; refuse one that surely does.

    Parameters
    ----------
    products : float64 array of shape (n_items,)
        Of each item, with the mean E(f − Y)² if the model has not seen the labels.
    usable : bool array of shape (n_items,)
    """
    codes = None if taken.codes is None else taken.codes[usable]
    units = Units.of_means(products[usable], codes)
    p = units.spread(mean_first).p_below(0.0)
    if units.n_units < ACCUSED_FROM:
        text = f"Whether {name} has seen these labels is not told by so few {units.words}."
        return Check("contains_rounds", None, text, p_value=p)
    if p is not None and p < NEVER:
        raise AnnostatError(
            f"model {name!r} errs with the labels ({p_text(p)} that it does not): it has seen "
            "them, or is made of them. Test it on items, or against readers, that it has not seen "
            "(trained_on)"
        )
    if p is not None and p < 0.025:
        text = f"{name} may have seen these labels: it errs with them ({p_text(p)}, one-sided)."
        return Check("contains_rounds", False, text, p_value=p)
    text = f"{name} {NOT_MADE}"
    return Check("contains_rounds", True, text, p_value=p)


def _of_points(taken: Taken, name: str, f: FloatArray, given: NDArray[np.bool_]) -> list[Check]:
    """Look at every coordinate: a model that has one of them from the readers contains them."""
    z = np.stack(list(taken.columns.labels), axis=1)
    z = np.where(taken.columns.seen[..., None], z, np.nan)
    f = np.where(given[:, None], f, np.nan)
    part = np.zeros(len(z), dtype=np.int64) if taken.part is None else taken.part
    doubt, products = "", np.zeros(len(z))
    usable = given.copy()
    for axis in range(f.shape[1]):
        found = refuse_made_of(name, f[:, axis], z[..., axis], taken.names, nominal=False)
        doubt = doubt or found
        for code in np.unique(part):  # readers have other biases at other landmarks
            rows = part == code
            of_part, known = shared_noise(
                f[rows, axis], z[rows, :, axis], exchangeable=taken.exchangeable
            )
            products[rows] += of_part
            usable[rows] &= known
    if doubt:
        return [Check("contains_rounds", False, f"{doubt[0].upper()}{doubt[1:]}.")]
    return [_seen(taken, name, products, usable)]


def check_readers(taken: Taken, readers: str, distance: Distance) -> list[Check]:
    """Return checks on whom the numbers speak of."""
    k = len(taken.names)
    if taken.exchangeable:
        text = "Readers are anonymous: this holds for readers as these were drawn."
        return [Check("readers", None, text)]
    if readers == "these":
        text = (
            f"The numbers speak of {' and '.join(taken.names) if k == 2 else 'these readers'} alone"
        )
        why = "; it takes three readers to speak of others." if k == 2 else ", as was asked."
        return [Check("readers", None if k == 2 else True, text + why)]
    held = HELD_UNLIKE if distance.ratio else HELD_PLAIN
    if k < FEW_READERS:
        text = (
            f"{k} readers say little of others: the interval is up to four times as wide as with "
            f"ten, however many items there are, and where readers differ it held {held} in "
            "simulation. Take five or more, or speak of these alone (readers these)."
        )
        return [Check("readers", False, text, float(k))]
    text = f"{k} readers stand for readers like these."
    if k >= MANY_READERS:
        return [Check("readers", True, text, float(k))]
    text += (
        f" Where they differ in bias or scale by half of their noise, such an interval held {held} "
        f"in simulation, and “worse” was said of a fair model in up to {WORSE_SAID} instead of 5%."
    )
    return [Check("readers", None, text, float(k))]


def check_biases(taken: Taken, level: float) -> list[Check]:
    """Return whether a reader differs from the others on average, of numbers with identity."""
    if taken.kind != "numbers" or taken.exchangeable:
        return []
    z, seen = taken.values, taken.columns.seen
    total = across(np.where(seen, z, 0.0))
    m = across(seen)
    p_values, gaps = [], []
    for j in range(len(taken.names)):
        both = seen[:, j] & (m >= 2)
        here = slice(None) if both.all() else both
        d = z[here, j] - (total[here] - z[here, j]) / (m[here] - 1)
        if taken.codes is not None and d.size:
            codes = renumbered(taken.codes[here])
            d = np.bincount(codes, weights=d) / (len(d) / (codes.max() + 1))
        error = float(d.std(ddof=1)) / math.sqrt(d.size) if d.size > 1 else 0.0
        gaps.append(float(d.mean()) if d.size else 0.0)
        p_values.append(
            2 * float(special.stdtr(d.size - 1, -abs(gaps[-1]) / error)) if error else None
        )
    adjusted = holm(p_values)
    known = [(p, j) for j, p in enumerate(adjusted) if p is not None]
    if not known:
        return []
    p, j = min(known)
    if p >= 1 - level:
        text = (
            f"No reader is shown to read higher or lower than the others ({p_text(p)} after Holm)."
        )
        return [Check("bias_of_readers", True, text, gaps[j], p)]
    side = "higher" if gaps[j] > 0 else "lower"
    unit = f" {taken.unit}" if taken.unit else ""
    text = (
        f"{taken.names[j]} reads {format_number(abs(gaps[j]), abs(gaps[j]) / 10)}{unit} {side} "
        f"than the others ({p_text(p)}, two-sided, after Holm): look at each reader's place."
    )
    return [Check("bias_of_readers", False, text, gaps[j], p)]


def refuse_heavy_tails(taken: Taken, distance: Distance) -> None:
    """Refuse mean squares of labels whose differences have heavy tails."""
    if distance.name != "squared":
        return
    worst = ("two readers", _kurtosis([b - a for a, b in combinations(taken.values.T, 2)]))
    z = taken.values
    with np.errstate(invalid="ignore"):
        mean = np.nanmean(z, axis=1)
    for name, (f, _) in taken.models.items():
        found = _kurtosis([f - mean])
        if found > worst[1]:
            worst = (f"{name} and the readers", found)
    if worst[1] > HEAVY:
        raise AnnostatError(
            f"the differences of {worst[0]} have heavy tails (kurtosis {worst[1]:.3g}): intervals "
            "of mean squares then hold 76 to 83% instead of 95%. Take distance='absolute'"
        )


def _kurtosis(differences: list[FloatArray]) -> float:
    d = np.concatenate([x[np.isfinite(x)] for x in differences])
    d = d - d.mean() if d.size else d
    square = float(np.mean(d**2)) if d.size else 0.0
    return float(np.mean(d**4)) / square**2 if square > 0 else 0.0


def check_units(taken: Taken, n_units: int, words: str, level: float) -> list[Check]:
    """Return whether there are enough independent units."""
    if taken.items is not None and n_units >= len(set(taken.items)):
        words = "items"  # each is a cluster of its own: nobody named any
    if n_units >= FEW_UNITS:
        return [
            Check(
                "few_items",
                True,
                f"{counted(n_units, words.removesuffix('s'))} are enough.",
                float(n_units),
            )
        ]
    text = (
        f"{counted(n_units, words.removesuffix('s'))} are few: intervals and verdicts may hold "
        f"less often than {percent(level)}."
    )
    return [Check("few_items", False, text, float(n_units))]


FEW_SQUARES = 250  # units below which heavy tails may hide from mean squares


def check_skew(name: str, pulls: FloatArray, distance: Distance, level: float) -> list[Check]:
    """Return whether a t interval of a mean holds: Cochran's rule, n > 25 times skewness squared.

    Parameters
    ----------
    pulls : float64 array of shape (n_units,)
        What each unit adds to the change, about its mean.
    """
    square = float(np.mean(pulls**2)) if pulls.size else 0.0
    if square <= 0:
        return []
    skew = float(np.mean(pulls**3)) / square**1.5
    needed = math.ceil(25 * skew**2)
    if pulls.size > needed:
        text = f"No few items carry the change of {name}."
        if distance.unit != "square" or pulls.size >= FEW_SQUARES:
            return [Check("skewed", True, text, skew)]
        # Samples whose tails hide look like this, too, and squares feel tails most.
        text += (
            f" But {pulls.size} would not show heavy tails for sure, with which intervals of mean "
            "squares held 77 to 92% in simulation: absolute distances do better."
        )
        return [Check("skewed", None, text, skew)]
    text = (
        f"A few items carry the change of {name} (skewness {skew:.2g}): with fewer than {needed:,} "
        f"its interval may hold 85 to 93% instead of {percent(level)}, and always errs to one side."
    )
    return [Check("skewed", False, text, skew)]


def check_events(taken: Taken, among: FloatArray, distance: Distance, level: float) -> list[Check]:
    """Return whether anything happens often enough for a mean of zeros and ones."""
    if distance.name not in COUNTED:
        return []
    events = int((across(among) > 0).sum())
    if events >= FEW_EVENTS:
        return [Check("rare_events", True, f"Readers disagree on {events:,} items.", float(events))]
    text = (
        f"Readers disagree on {counted(events, 'item')} only: the interval is too short, in "
        f"simulation it held 89% instead of {percent(level)}. Do not quote it; label more items."
    )
    return [Check("rare_events", False, text, float(events))]


def check_findings(taken: Taken, level: float) -> list[Check]:
    """Return whether readers share findings enough, and mark as much as each other."""
    counts = taken.counts
    if counts is None:
        return []
    places = [counts.findings.names.index(name) for name in taken.names]
    shared = [int(counts.both[:, j, m].sum()) for j, m in combinations(places, 2)]
    found = []
    if max(shared) < FEW_FINDINGS:
        text = (
            f"No two readers share more than {counted(max(shared), 'finding')}: nothing can be "
            "said of F1 with so few. Do not quote it; read more images."
        )
        found.append(Check("few_findings", False, text, float(max(shared))))
    else:
        text = f"Readers share {max(shared):,} findings."
        found.append(Check("few_findings", True, text, float(max(shared))))
    if taken.exchangeable:
        return found
    whole = counts.findings.saw[:, places].all(axis=1)
    marks = counts.marks[whole][:, places].astype(np.float64)
    if taken.cluster is not None and len(marks):
        codes = cluster_codes(counts.findings.cluster)
        if codes is not None:
            code = renumbered(codes[whole])
            marks = np.column_stack([np.bincount(code, column) for column in marks.T])
    test = equal_means(marks) if len(marks) > 1 else None
    if test is None:
        return found
    if test[1] >= 1 - level:
        text = f"Readers mark as much as each other ({p_text(test[1])})."
        return [*found, Check("appetite", True, text, *test)]
    per = counts.marks[:, places].sum(axis=0) / counts.findings.saw[:, places].sum(axis=0)
    listed = ", ".join(
        f"{n} {format_number(float(v), digits=3)}" for n, v in zip(taken.names, per, strict=True)
    )
    text = (
        f"Readers differ in how much they mark (per image: {listed}; {p_text(test[1])}): look at "
        "each reader's place."
    )
    return [*found, Check("appetite", False, text, *test)]


def check_margin(margin: float | None, among: float, unit: str) -> list[Check]:
    """Return whether a margin is small beside what two readers differ by."""
    if margin is None:
        return []
    if margin <= among:
        text = "The margin is less than what two readers differ by."
        return [Check("margin", True, text, margin)]
    value = f"{format_number(margin)} {unit}".strip()
    text = (
        f"The margin of {value} is more than two readers differ by ({format_number(among)}): a "
        "model twice as far from readers would pass. Is it in the unit of the distance?"
    )
    return [Check("margin", False, text, margin)]
