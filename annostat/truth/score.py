"""Models scored against labels, and against the truth behind them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from annostat._version import __version__
from annostat.agreement import BlandAltman, bland_altman
from annostat.agreement.repeatability import scaled
from annostat.ceilings import bounds
from annostat.errors import AnnostatError, check_choice, check_level, check_number
from annostat.estimates import (
    Check,
    Estimate,
    Interval,
    Provenance,
    Result,
    Section,
    check_section,
    format_p,
    plain,
)
from annostat.noise import compare_noise
from annostat.noise.compare import in_physical_units
from annostat.noise.diagnostics import check_rounds
from annostat.resampling import Rng, cluster_codes, seed_of
from annostat.rounds import Rounds
from annostat.sums import Function, Sums, mapped
from annostat.truth.comparison import Comparison, compare_models, holm
from annostat.truth.instruments import (
    correlation_with_truth,
    fieller,
    mean_estimate,
    ratio,
    root,
    unit_sums,
)
from annostat.truth.products import Labels, half_products
from annostat.truth.verdicts import BELOW, Verdict, judge

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
KINDS = ("auto", "picks", "values")
WIDEST_PICKS = 1000  # whole numbers that lie further apart are values, unless the caller says so
FLOORS = ("rmse_floor", "mae_floor", "correlation_ceiling", "r2_ceiling")


@dataclass(frozen=True, slots=True)
class Leakage:
    """How much of one round's noise is in a model.

    Attributes
    ----------
    round : str
    share : Estimate
        a in f = Y + u + a·X_round.
    p_value : float or None
        Two-sided, of a = 0; adjusted by Holm where the round was not named but found.
    trained : bool
        True if the caller said that the model was trained on the round: estimates are corrected.
    """

    round: str
    share: Estimate
    p_value: float | None
    trained: bool

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "round": self.round,
            "share": self.share.to_dict(),
            "p_value": plain(self.p_value),
            "trained": self.trained,
        }


@dataclass(frozen=True)
class ModelScore:
    """One model against the labels and against the truth.

    Attributes
    ----------
    name : str
    n_items : int
        Items with a prediction and two or more labels.
    rmse, mae, bias, correlation, r2 : Estimate
        Against one label, all labels of an item counting alike.
    excess : Estimate
        E(f − Y)², the mean square error above the floor; signed, in squared units.
    true_rmse : Estimate
        Its root.
    true_correlation : Estimate
        Correlation with the truth, extended triple collocation.
    verdict : Verdict
    leakage : Leakage or None
        None where rounds have no identity.
    agreement : BlandAltman or None
        Model − label of every label, those of one item (or cluster) belonging together; None for
        fewer than three items.
    """

    name: str
    n_items: int
    rmse: Estimate
    mae: Estimate
    bias: Estimate
    correlation: Estimate
    r2: Estimate
    excess: Estimate
    true_rmse: Estimate
    true_correlation: Estimate
    verdict: Verdict
    leakage: Leakage | None
    agreement: BlandAltman | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        limits = None if self.agreement is None else {
            k: e.to_dict() for k in ("bias", "lower", "upper") if (e := getattr(self.agreement, k))
        }  # fmt: skip
        quantities = ("rmse", "mae", "bias", "correlation", "r2", "excess", "true_rmse",
                      "true_correlation")  # fmt: skip
        return {
            "name": self.name,
            "n_items": self.n_items,
            **{key: getattr(self, key).to_dict() for key in quantities},
            "verdict": self.verdict.name,
            "evidence": self.verdict.to_dict(),
            "leakage": None if self.leakage is None else self.leakage.to_dict(),
            "bland_altman": limits,
        }


@dataclass(frozen=True)
class Scores(Result):
    """Models beside their floors.

    Attributes
    ----------
    models : tuple of ModelScore
    floors : mapping of str to Estimate
        "rmse_floor", "mae_floor", "correlation_ceiling" and "r2_ceiling" against one label.
    comparisons : tuple of Comparison
    checks : tuple of Check
    provenance : Provenance
    rounds : Rounds
        The labels that were used.
    predictions : mapping of str to float64 array of shape (n_items,)
        In the order of `rounds`; NaN where a model gives none.
    """

    models: tuple[ModelScore, ...]
    floors: Mapping[str, Estimate]
    comparisons: tuple[Comparison, ...]
    checks: tuple[Check, ...]
    provenance: Provenance
    rounds: Rounds
    predictions: Mapping[str, FloatArray]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "n_items": self.provenance.n_items,
            "unit": self.rounds.unit,
            "notes": list(self.rounds.notes),
            "models": [m.to_dict() for m in self.models],
            "floors": {name: e.to_dict() for name, e in self.floors.items()},
            "comparisons": [c.to_dict() for c in self.comparisons],
            "checks": [c.to_dict() for c in self.checks],
            "provenance": self.provenance.to_dict(),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per model and quantity."""
        import pandas as pd

        rows = [
            {"model": m.name, "quantity": key, **value}
            for m in self.models
            for key, value in m.to_dict().items()
            if isinstance(value, dict) and "standard_uncertainty" in value
        ]
        return pd.DataFrame(rows)

    def items(self) -> pd.DataFrame:
        """Return the items of every model, the largest error first.

        Returns
        -------
        DataFrame
            model, item, cluster (if there is one), prediction, label_mean, n_labels, error
            (prediction − label_mean) and in_noise_sds: the error over the noise SD of the mean
            of that many labels, which a perfect model would scatter by.
        """
        import pandas as pd

        z = self.rounds.values
        k = np.isfinite(z).sum(axis=1)
        mean = np.nansum(z, axis=1) / k
        noise = self.floors["rmse_floor"].value / np.sqrt(k)
        names = self.rounds.items
        if names is None:
            names = np.array([f"row {i + 1}" for i in range(len(z))], dtype=object)
        parts = []
        for model, f in self.predictions.items():
            part = pd.DataFrame({"model": model, "item": names})
            if self.rounds.cluster is not None:
                part["cluster"] = self.rounds.cluster
            part["prediction"], part["label_mean"], part["n_labels"] = f, mean, k
            part["error"] = f - mean
            with np.errstate(divide="ignore", invalid="ignore"):
                part["in_noise_sds"] = np.where(noise > 0, (f - mean) / noise, np.nan)
            part = part[np.isfinite(f)]
            parts.append(part.sort_values("error", key=np.abs, ascending=False, kind="stable"))
        return pd.concat(parts, ignore_index=True)

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        unit = self.rounds.unit
        lines = [*self.rounds.notes,
                 *(f"{m.name} is {m.verdict.sentence(unit)}." for m in self.models)]  # fmt: skip
        of = f" ({unit})" if unit else ""
        keys = ("rmse", "mae", "correlation", "r2")
        rows = [[m.name, *(_cell(getattr(m, key)) for key in keys)] for m in self.models]
        rows.append(["a perfect model", *(_cell(self.floors[key]) for key in FLOORS)])
        against = Section(
            "Against one label", ("model", f"RMSE{of}", f"MAE{of}", "correlation", "R²"), rows,
            [f"{name}: {e.note}" for name, e in self.floors.items() if e.note]
            + [f"{m.name}, {key}: {getattr(m, key).note}"
               for m in self.models for key in keys if getattr(m, key).note],
        )  # fmt: skip
        truth = Section(
            "Against the truth",
            ("model", f"RMSE{of}", "mean square above the floor", "correlation", "p: t",
             "ranks", "signs"),
            [
                [m.name, _cell(m.true_rmse), _cell(m.excess), _cell(m.true_correlation),
                 *(format_p(p) for p in (m.verdict.p_above, m.verdict.p_signed_rank,
                                         m.verdict.p_sign))]
                for m in self.models
            ],
            ["The truth is what labels of these annotators average to; errors that all of them "
             "share cannot be seen.",
             *(f"{m.name}, {key.replace('_', ' ')}: {getattr(m, key).note}"
               for m in self.models for key in ("true_rmse", "true_correlation")
               if getattr(m, key).note)],
        )  # fmt: skip
        sections = [Section(lines=lines), against, truth]
        if self.comparisons:
            rows = [
                [f"{c.first} − {c.second}", _cell(c.difference), format_p(c.p_value),
                 format_p(c.p_adjusted), c.nearer or "not shown"]
                for c in self.comparisons
            ]  # fmt: skip
            sections.append(
                Section(
                    "Which is nearer to the truth",
                    ("models", "difference of mean squares", "p", "p adjusted", "nearer"),
                    rows,
                )
            )
        told = [m for m in self.models if m.leakage is not None and m.leakage.trained]
        if told:
            rows = [[m.name, lk.round, _cell(lk.share), format_p(lk.p_value)]
                    for m in told if (lk := m.leakage)]  # fmt: skip
            note = "Scores against the truth are corrected for it; those against labels are not."
            sections.append(
                Section("Noise that was learned", ("model", "of round", "share", "p"), rows, [note])
            )
        return [*sections, check_section(self.checks)]


def score_models(
    rounds: Rounds,
    predictions: Mapping[str, ArrayLike],
    *,
    trained_on: str | Sequence[str] | None = None,
    margin: float | None = None,
    kind: str = "auto",
    physical: bool = False,
    level: float = 0.95,
    n_resamples: int = 2000,
    rng: Rng = 0,
    n_jobs: int | None = 1,
) -> Scores:
    r"""Score models against noisy labels, and against the truth behind them.

    Parameters
    ----------
    rounds : Rounds
        Labels of shape (n_items, n_rounds), NaN for missing; items with fewer than two are left
        out. A bias between rounds is removed where truth is concerned, unless their order means
        nothing (`Rounds.exchangeable`).
    predictions : mapping of str to array-like of shape (n_items,)
        What each model says, in the unit of the labels; NaN where it says nothing.
    trained_on : str or sequence of str, optional
        Rounds whose labels of these very items the models were trained on. Their noise is then
        in the models: the error against the truth comes from the other rounds, and the share
        that was learned is reported.
    margin : float, optional
        What counts as no error, in the unit of the labels: with it a model can be shown to be at
        the floor.
    kind : {"auto", "picks", "values"}
        Picks are whole numbers, and the floor of their mae comes from the fitted law of the noise;
        "auto" takes whole numbers for picks.
    physical : bool
        Multiply labels and predictions by each item's period first (`Rounds.period`), so that
        frames become milliseconds, or slices millimetres; the margin is then in that unit.
    level : float
        Level of the intervals; tests are made at 1 − level.
    n_resamples, rng, n_jobs
        For the bootstraps; whole clusters are drawn.

    Returns
    -------
    Scores
        With z the labels and f a model,

        - `excess` is T = mean (f − z₁)(f − z₂), with k labels (f − z̄)² − s²/k: E(f − Y)² without
          bias, whatever f, as long as its errors are independent of the labels' noise. Its t
          interval covers; the signed value is kept.
        - `true_rmse` is √T, its interval clipped after it was formed, NaN with a note if all of it
          is negative.
        - `true_correlation` is √(S_f1·S_f2/(S_ff·S_12)), signed (McColl et al. 2014).
        - trained on z₁: T = mean (f − z₂)² − ½·Var D, or the cross products of the rounds that it
          has not seen; the share is [MSE(f, z₂) − MSE(f, z₁)]/Var D, or the mean of
          (f − z_l)(z₁ − z_m) over that of (z₁ − z_l)(z₁ − z_m).

    Raises
    ------
    AnnostatError
        If no item has two labels and a prediction, a prediction is infinite or no number, a
        model is a copy of a round, or an option is out of its domain.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> truth = rng.normal(55, 10, 600)
    >>> rounds = Rounds.from_array(truth[:, None] + rng.normal(0, 4, (600, 2)))
    >>> scores = score_models(rounds, {"model": truth + rng.normal(0, 2, 600)})
    >>> scores.models[0].verdict.name, 2.0 in scores.models[0].true_rmse.interval
    ('above the floor', True)
    """
    level = check_level(level)
    check_choice("kind", kind, KINDS)
    if margin is not None:
        margin = check_number("margin", margin, low=0.0, open_ends=True)
    if rounds.weights is not None:
        raise AnnostatError(
            "scores need every item, but these rounds are collapsed into counts: read the table "
            "with collapse=False"
        )
    used = rounds.usable()
    models = _predictions(predictions, rounds)
    trained = _trained(trained_on, rounds)
    models = {name: f[rounds.readings >= 2] for name, f in models.items()}
    if len(used.values) < 2:
        raise AnnostatError("scores take two items with two labels or more, got one")
    _refuse_copies(used, models)
    picks = None
    if kind == "picks" or (kind == "auto" and _look_like_picks(used)):
        picks = used.picks()
    if physical:
        if used.period is None:
            raise AnnostatError("physical needs the period of each item (period or fps)")
        models = {name: f * used.period for name, f in models.items()}
        used = in_physical_units(used)
    labels = Labels.of(used)
    codes = cluster_codes(used.cluster)
    frame = _Frame.of(used, labels, codes, level, n_resamples, rng, n_jobs)
    found = tuple(_score(used, frame, name, f, trained, margin) for name, f in models.items())
    products = {name: frame.products(f, trained) for name, f in models.items()}
    comparisons = compare_models(
        products, codes, unit=frame.square_unit, level=level, n_resamples=n_resamples, rng=rng,
        n_jobs=n_jobs,
    )  # fmt: skip
    below = {m.name for m in found if m.verdict.name == BELOW}
    comparisons = [
        replace(
            c, difference=scaled(c.difference, frame.scale**2),
            nearer="" if {c.first, c.second} & below else c.nearer,
        )
        for c in comparisons
    ]  # fmt: skip
    return Scores(
        found,
        floors_of(used, picks, level=level, n_resamples=n_resamples, rng=rng, n_jobs=n_jobs),
        tuple(comparisons),
        (*_checks(found, models, used, 1 - level), *check_rounds(used, level=level, rng=0)),
        Provenance(
            __version__,
            _digest(used, models),
            used.n_items,
            seed_of(rng),
            {
                "trained_on": [used.names[j] for j in trained],
                "margin": margin,
                "kind": kind,
                "physical": physical,
                "level": level,
                "n_resamples": n_resamples,
            },
        ),
        used,
        models,
    )


# --------------------------------------------------------------------------------- one model


@dataclass(frozen=True, eq=False)
class _Frame:
    """What the scores of all models share; values are centred and scaled, then squared."""

    labels: Labels
    raw: FloatArray
    centre: float
    scale: float
    codes: NDArray[np.int64] | None
    unit: str
    level: float
    n_resamples: int
    rng: Rng
    n_jobs: int | None

    @classmethod
    def of(
        cls, rounds: Rounds, labels: Labels, codes: NDArray[np.int64] | None, level: float,
        n_resamples: int, rng: Rng, n_jobs: int | None,
    ) -> _Frame:  # fmt: skip
        seen = rounds.values[np.isfinite(rounds.values)]
        centre = float(seen.mean())
        scale = float(np.abs(seen - centre).max()) or 1.0
        moved = replace(labels, values=(labels.values - centre) / scale)
        raw = (rounds.values - centre) / scale
        return cls(moved, raw, centre, scale, codes, rounds.unit, level, n_resamples, rng, n_jobs)

    @property
    def square_unit(self) -> str:
        return f"({self.unit})²" if " " in self.unit else f"{self.unit}²" if self.unit else ""

    def moved(self, f: FloatArray) -> FloatArray:
        return np.asarray((f - self.centre) / self.scale)

    def products(self, f: FloatArray, trained: tuple[int, ...]) -> FloatArray:
        return self.labels.products(self.moved(f), trained)


def _score(
    rounds: Rounds,
    frame: _Frame,
    name: str,
    f: FloatArray,
    trained: tuple[int, ...],
    margin: float | None,
) -> ModelScore:
    u, level, scale = frame.moved(f), frame.level, frame.scale
    there = np.isfinite(u)
    z, adjusted = frame.raw, frame.labels.values
    k = np.isfinite(z).sum(axis=1)
    e = u[:, None] - z
    square, size = np.nansum(e**2, axis=1) / k, np.nansum(np.abs(e), axis=1) / k
    mean, spread = np.nansum(adjusted, axis=1) / k, np.nansum(adjusted**2, axis=1) / k
    raw_mean, raw_spread = np.nansum(z, axis=1) / k, np.nansum(z**2, axis=1) / k
    one = np.where(there, 1.0, np.nan)
    v = u - u[there].mean()  # its own mean taken off, so that a constant model is seen as such
    products = frame.products(f, trained)
    excess = mean_estimate(products, frame.codes, level=level)
    halves = None
    if not trained or len(frame.labels.names) - len(trained) >= 2:
        halves = half_products(frame.labels.without(trained).values, u)
    n_units = int(np.isfinite(products).sum())
    if frame.codes is not None:
        n_units = np.unique(frame.codes[np.isfinite(products)]).size
    verdict = judge(
        excess, halves, frame.codes, df=max(n_units - 1, 1), level=level,
        margin=None if margin is None else margin / scale,
    )  # fmt: skip
    kept = frame.labels.without(trained)
    if len(kept.names) >= 2:
        truth = correlation_with_truth(
            kept.values, v, frame.codes, level=level, exchangeable=kept.exchangeable
        )
    else:
        note = "undefined: it takes two rounds that the model was not trained on"
        truth = Estimate(math.nan, note=note)
    unit, square_unit = frame.unit, frame.square_unit
    return ModelScore(
        name,
        int(there.sum()),
        scaled(_positive(frame, [one, square], half=True), scale, unit=unit),
        scaled(_positive(frame, [one, size]), scale, unit=unit),
        scaled(mean_estimate(u - raw_mean, frame.codes, level=level), scale, unit=unit),
        _correlation(frame, [one, v, mean, v * v, v * mean, spread]),
        _r2(frame, [one, square, raw_mean, raw_spread]),
        scaled(excess, scale**2, unit=square_unit),
        scaled(root(excess, ""), scale, unit=unit),
        truth,
        replace(verdict, upper=verdict.upper * scale, margin=margin),
        _leakage(frame, u, trained),
        _agreement(rounds, name, f, level),
    )


def _agreement(rounds: Rounds, name: str, f: FloatArray, level: float) -> BlandAltman | None:
    """Return Bland–Altman of the model against every label."""
    z = rounds.values
    k = z.shape[1]
    groups = np.arange(len(f)) if rounds.cluster is None else rounds.cluster
    pairs = np.column_stack([z.ravel(), np.repeat(f, k)])
    seen = np.isfinite(pairs).all(axis=1)
    groups = np.repeat(groups, k)[seen]
    if len(set(groups)) < 3:
        return None
    names = ("label", name if name != "label" else "model")
    both = Rounds.from_array(pairs[seen], names=names, cluster=groups, unit=rounds.unit)
    return bland_altman(both, level=level)


def _positive(frame: _Frame, columns: list[FloatArray], *, half: bool = False) -> Estimate:
    """Return a mean of positive numbers, or its root, with an interval on the log scale."""
    sums = unit_sums(np.column_stack(columns), frame.codes)
    power = 0.5 if half else 1.0
    value = sums.value(ratio) ** power
    if value == 0:
        return Estimate(0.0, None, None, note="no interval: no error at all")

    def g(t: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(power * np.log(t[..., 1] / t[..., 0]))

    name = "log RMSE" if half else "log MAE"
    interval = mapped(_interval(frame, sums, g, name, "bootstrap-t" if half else "t"), math.exp)
    error = sums.standard_error(g)
    note = "" if interval is not None else "no interval: too few items, or errors of one size"
    return Estimate(value, value * error if math.isfinite(error) else None, interval, note=note)


def _interval(
    frame: _Frame, sums: Sums, g: Function, name: str, method: str = "bootstrap-t"
) -> Interval | None:
    if sums.n_units < 3:
        return None
    return sums.interval(
        g, method=method, level=frame.level, n_resamples=frame.n_resamples, rng=frame.rng,
        n_jobs=frame.n_jobs, scale=name,
    )  # fmt: skip


def _correlation(frame: _Frame, columns: list[FloatArray]) -> Estimate:
    sums = unit_sums(np.column_stack(columns), frame.codes)

    def parts(t: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        n = t[..., 0]
        x, y = t[..., 1] / n, t[..., 2] / n
        return t[..., 3] / n - x * x, t[..., 4] / n - x * y, t[..., 5] / n - y * y

    var_f, cov, var_z = (float(v) for v in parts(sums.totals))
    if not var_f > 1e-24:
        return Estimate(math.nan, note="undefined: the model gives the same value to all items")
    if not var_z > 1e-24:
        return Estimate(math.nan, note="undefined: all labels are equal")
    r = cov / math.sqrt(var_f * var_z)
    if 1 - abs(r) < 1e-12:
        return Estimate(round(r), note="no interval: all items lie on a line")

    def g(t: NDArray[Any]) -> NDArray[Any]:
        a, b, c = parts(t)
        return np.asarray(np.arctanh(b / np.sqrt(a * c)))

    interval = mapped(_interval(frame, sums, g, "artanh r"), math.tanh)
    error = sums.standard_error(g) * (1 - r * r)
    note = "" if interval is not None else "no interval: too few items"
    return Estimate(r, error if math.isfinite(error) else None, interval, note=note)


def _r2(frame: _Frame, columns: list[FloatArray]) -> Estimate:
    sums = unit_sums(np.column_stack(columns), frame.codes)
    n, square, mean, spread = sums.totals
    variance = spread / n - (mean / n) ** 2
    if not variance > 1e-24:
        return Estimate(math.nan, note="undefined: all labels are equal")
    value = 1 - square / n / variance
    if square == 0:
        return Estimate(1.0, note="no interval: no error at all")

    def g(t: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(
            np.log(t[..., 1] / t[..., 0] / (t[..., 3] / t[..., 0] - (t[..., 2] / t[..., 0]) ** 2))
        )

    found = _interval(frame, sums, g, "log (1 − R²)")
    error = sums.standard_error(g) * (1 - value)
    interval = None if found is None else Interval(
        1 - math.exp(found.high), 1 - math.exp(found.low), found.level, found.method
    )  # fmt: skip
    note = "" if interval is not None else "no interval: too few items"
    return Estimate(value, error if math.isfinite(error) else None, interval, note=note)


def _leakage(frame: _Frame, u: FloatArray, trained: tuple[int, ...]) -> Leakage | None:
    """Return the share of a round's noise in the model.

    Of the first round it was trained on, else of the round that it follows most.
    """
    names = frame.labels.names
    if frame.labels.exchangeable and not trained:
        return None
    rounds = trained[:1] or tuple(range(len(names)))
    found: list[tuple[str, Estimate, float | None]] = []
    for j in rounds:
        sums = unit_sums(frame.labels.learned(u, j, trained), frame.codes)
        found.append((names[j], *fieller(sums, level=frame.level)))
    adjusted = holm([p for _, _, p in found])
    if len(rounds) == 2 and not trained:  # one test, seen from both sides
        adjusted = [p for _, _, p in found]
    best = max(range(len(found)), key=lambda i: found[i][1].value if found[i][1].value ==
               found[i][1].value else -math.inf)  # fmt: skip
    name, share, _ = found[best]
    return Leakage(name, share, adjusted[best], bool(trained))


# ----------------------------------------------------------------------------- input, checks


def _predictions(predictions: Mapping[str, ArrayLike], rounds: Rounds) -> dict[str, FloatArray]:
    if not hasattr(predictions, "items"):
        raise AnnostatError(
            "predictions must be a mapping from the names of models to one number per item, got "
            f"{type(predictions).__name__}"
        )
    found: dict[str, FloatArray] = {}
    for key, given in predictions.items():
        name = str(key)
        try:
            f = np.asarray(given, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise AnnostatError(f"predictions of {name!r} must be numbers: {error}") from None
        if f.shape != (len(rounds.values),):
            raise AnnostatError(
                f"predictions of {name!r} must have shape ({len(rounds.values)},), one per item, "
                f"got {f.shape}"
            )
        if np.isinf(f).any():
            rows = np.flatnonzero(np.isinf(f))
            raise AnnostatError(
                f"predictions of {name!r} hold an infinite value in {rows.size} rows; first: row "
                f"{rows[0] + 1}"
            )
        if name in rounds.names:
            raise AnnostatError(f"{name!r} is a round and a model: a model needs a name of its own")
        if not np.isfinite(f[rounds.readings >= 2]).any():
            raise AnnostatError(f"model {name!r} has no prediction for an item with two labels")
        found[name] = f
    if not found:
        raise AnnostatError("predictions: there is no model to score")
    return found


def _trained(trained_on: str | Sequence[str] | None, rounds: Rounds) -> tuple[int, ...]:
    names = [trained_on] if isinstance(trained_on, str) else list(trained_on or ())
    if names and rounds.exchangeable:
        raise AnnostatError(
            "trained_on needs rounds with an identity, but the order of these means nothing"
        )
    for name in names:
        check_choice("trained_on", name, rounds.names)
    found = tuple(dict.fromkeys(rounds.names.index(name) for name in names))
    if len(found) == rounds.n_rounds:
        raise AnnostatError(
            "trained_on names every round: a model that has seen all labels of an item cannot be "
            "told from a right one; score it on items that it has not seen"
        )
    return found


def _refuse_copies(rounds: Rounds, models: Mapping[str, FloatArray]) -> None:
    z = rounds.values
    for name, f in models.items():
        for j, label in enumerate(rounds.names):
            both = np.isfinite(f) & np.isfinite(z[:, j])
            others = np.isfinite(z) & both[:, None] & (z != z[:, [j]])
            if both.sum() >= 2 and np.array_equal(f[both], z[both, j]) and others.any():
                raise AnnostatError(
                    f"model {name!r} equals round {label!r} in all {int(both.sum())} items: it is "
                    "a copy of the labels, and no prediction"
                )


def _checks(
    scores: Sequence[ModelScore], models: Mapping[str, FloatArray], rounds: Rounds, alpha: float
) -> list[Check]:
    checks = []
    for name, f in models.items():
        lost = int(np.isnan(f).sum())
        if lost:
            text = (
                f"{name} has no prediction for {lost:,} of {len(f):,} items, which are left out: "
                "if they are the hard ones, it looks better than it is."
            )
            checks.append(Check("missing_predictions", False, text, lost / len(f)))
    for score in scores:
        leak = score.leakage
        if leak is None or leak.trained:
            continue
        p = f"p = {format_p(leak.p_value)}".replace("= <", "< ")
        if leak.p_value is None:
            text = (
                f"whether {score.name} follows one round's noise cannot be told: {leak.share.note}"
            )
            checks.append(Check("leakage", None, text))
        elif leak.p_value < alpha and leak.share.value > 0:
            text = (
                f"{score.name} follows the noise of {leak.round}: share {leak.share.short()} "
                f"({leak.share.range()}), {p}. If it was trained on these labels say so "
                "(trained_on); otherwise that round is the less noisy one."
            )
            checks.append(Check("leakage", False, text, leak.share.value, leak.p_value))
        else:
            text = f"no sign that {score.name} follows the noise of one round ({p})"
            checks.append(Check("leakage", True, text, leak.share.value, leak.p_value))
    return checks


def _digest(rounds: Rounds, models: Mapping[str, FloatArray]) -> str:
    whole = np.column_stack([rounds.values, *models.values()])
    names = (*rounds.names, *models)
    return replace(rounds, values=whole, names=names).digest()


def _cell(estimate: Estimate) -> str:
    if estimate.interval is None:
        return estimate.short()
    return f"{estimate.short()} ({estimate.range()})"


def floors_of(
    rounds: Rounds,
    picks: Rounds | None,
    *,
    level: float,
    n_resamples: int,
    rng: Rng,
    n_jobs: int | None,
) -> dict[str, Estimate]:
    """Return floors and ceilings against one label; that of the mae of picks from their law."""
    limits = bounds(rounds, level=level, n_resamples=n_resamples, rng=rng, n_jobs=n_jobs)
    found = {name: getattr(limits, name) for name in FLOORS}
    if picks is not None:
        noise = compare_noise(
            picks, physical=picks is not rounds, level=level, n_tests=0, rng=rng, n_jobs=n_jobs
        )
        found["mae_floor"] = noise.envelope
    return found


def _look_like_picks(rounds: Rounds) -> bool:
    seen = rounds.values[np.isfinite(rounds.values)]
    reach = float(np.nanmax(np.nanmax(rounds.values, axis=1) - np.nanmin(rounds.values, axis=1)))
    return bool((seen == np.round(seen)).all() and reach <= WIDEST_PICKS)
