"""The tables of docs/calibration.md, from the results file and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from analysis.calibration.tables import (
    Table,
    bias,
    count,
    coverage,
    curve,
    drawn,
    frames,
    frames_wide,
    mean,
    noise,
    percent,
    points,
    points_wide,
    raters,
    root,
    series,
    share,
    size,
    study,
    thousandths,
    votes,
    width,
)

PAGE = Path("docs/calibration.md")
MARKED = re.compile(r"(<!-- table: (.+?) -->\n).*?(<!-- end of table -->)", re.DOTALL)
PAPER = "interval: mae, laplace + independent"
BEST, ENVELOPE = "interval: mae of the best model", "interval: envelope over models"
SIGMA = "interval: noise_sd, bootstrap-t"
LIMIT, ICC = "interval: upper limit of agreement", "interval: icc_c_1"
PICK = "interval: blind pick"
PAIRS = "interval: n_pairs"
OUTER, LADDER = "interval: bracket from pairs", "interval: ladder"
SCALING = (("truth, noise", "sizes × seeds"), series)


def of_raters(given: str = "") -> dict[str, str]:
    """Return the columns of STAPLE's intervals, with what was given to it."""
    return {
        f"{what}, rater {r}": f"interval: {what} of rater {r}{given}"
        for what in ("sensitivity", "specificity")
        for r in (1, 3)
    }


TABLES = {
    "paper": Table(
        "paper",
        ((coverage, {"coverage": PAPER}), (bias, {"bias": PAPER}), (width, {"width": PAPER})),
    ),
    "picks": Table(
        "picks",
        (
            (coverage, {"envelope": ENVELOPE, "best model alone": BEST}),
            (percent, {"bracket": "range: symmetric bracket"}),
            (bias, {"bias": BEST}),
            (width, {"width, envelope": ENVELOPE, "width, best model": BEST}),
        ),
    ),
    "checks of picks": Table(
        "picks",
        (
            (
                size,
                {
                    "`bias`": "test: bias",
                    "`equal_raters`": "test: equal_raters",
                    "`dependence_on_value`": "test: dependence_on_value",
                },
            ),
            (
                percent,
                {
                    "`characteristic_function`": "test: characteristic_function",
                    "`goodness_of_fit`": "test: goodness_of_fit",
                },
            ),
        ),
    ),
    "abandonment": Table(
        "picks",
        (
            (
                percent,
                {"`abandonment` rejects": "test: abandonment", "`skew` rejects": "test: skew"},
            ),
        ),
    ),
    "plan": Table(
        "plan",
        (
            (coverage, {"n": PAIRS, "CV": "interval: CV of |D|"}),
            (bias, {"bias of n": PAIRS}),
            (width, {"width of n": PAIRS, "half-width, of the wanted": "promise: half-width"}),
            (percent, {"at most a tenth more": "promise: half-width"}),
            (coverage, {"E\\|D\\| of the study": "interval: E|D| of the study"}),
            (mean, {"coverage said": "said: coverage"}),
        ),
        (("noise", "pilot"), noise),
    ),
    "verdict plan": Table(
        "verdict plan",
        (
            (
                share,
                {
                    "said at the floor": "test: at the floor, as planned",
                    "error is the margin": "test: wrongly at the floor, as planned",
                },
            ),
            (count, {"items": "said: items, at the floor"}),
            (
                share,
                {
                    "said below": "test: below the floor, as planned",
                    "without a leak": "test: wrongly below the floor, as planned",
                },
            ),
            (count, {"items, below": "said: items, below the floor"}),
        ),
        (("noise", "pilot"), noise),
    ),
    "values": Table(
        "values",
        (
            (
                coverage,
                {
                    "σ": SIGMA,
                    "ρ": "interval: reliability",
                    "E\\|D\\|": "interval: pair_mae",
                    "concordance": "interval: concordance",
                    "limit of agreement": LIMIT,
                    "ICC(C,1)": ICC,
                    "ICC(A,1)": "interval: icc_a_1",
                },
            ),
            (share, {"σ given": "given: interval of noise_sd"}),
        ),
    ),
    "classical intervals": Table(
        "values",
        (
            (
                coverage,
                {"limit, noncentral t": f"{LIMIT}, noncentral t", "ICC(C,1), F": f"{ICC}, F"},
            ),
            (width, {"width of the limit": LIMIT, "noncentral t": f"{LIMIT}, noncentral t"}),
            (width, {"width of ICC(C,1)": ICC, "F": f"{ICC}, F"}),
        ),
    ),
    "other intervals of σ": Table(
        "values",
        (
            (
                coverage,
                {
                    "bootstrap-t (default)": SIGMA,
                    "Bonett": "interval: noise_sd, bonett",
                    "χ²": "interval: noise_sd, chi-square",
                    "BCa": "interval: noise_sd, bca",
                    "percentile": "interval: noise_sd, percentile",
                },
            ),
            (bias, {"bias of σ": SIGMA}),
            (width, {"width, bootstrap-t": SIGMA}),
        ),
    ),
    "checks of values": Table(
        "values",
        (
            (
                size,
                {
                    "`proportional_bias`": "test: proportional_bias",
                    "`growing_spread`": "test: growing_spread",
                },
            ),
        ),
    ),
    "published": Table(
        "published",
        (
            (
                size,
                {
                    "kurtosis known": "test: true reading refuted, kurtosis known",
                    "kurtosis 3": "test: true reading refuted, kurtosis 3",
                },
            ),
        ),
    ),
    "truth": Table(
        "truth",
        (
            (
                coverage,
                {
                    "E(f−Y)², f = Y": "interval: E(f−Y)², f = Y",
                    "0.1σ²": "interval: E(f−Y)², 0.1σ²",
                    "shrunken": "interval: E(f−Y)², shrunken",
                    "leaky, not told": "interval: E(f−Y)², leaky, not told",
                    "r with truth": "interval: correlation with truth, 0.1σ²",
                    "difference of equals": "interval: 0.1σ² − 0.1σ² again",
                    "difference": "interval: 0.1σ² − shrunken",
                },
            ),
        ),
    ),
    "leaky": Table(
        "leaky",
        (
            (
                coverage,
                {
                    "E(f−Y)²": "interval: E(f−Y)², leaky, told",
                    "share learned": "interval: share learned, leaky",
                },
            ),
            (share, {"resolved": "given: resolved"}),
            (
                width,
                {
                    "width, E(f−Y)²": "interval: E(f−Y)², leaky, told",
                    "width, share": "interval: share learned, leaky",
                },
            ),
        ),
    ),
    "false alarms of truth": Table(
        "truth",
        (
            (
                size,
                {
                    "t": "test: t, f = Y",
                    "ranks": "test: signed ranks, f = Y",
                    "signs": "test: signs, f = Y",
                    "below": "test: below, f = Y",
                    "within √0.1σ": "test: within √0.1σ, 0.1σ²",
                    "leakage": "test: leakage, 0.1σ²",
                    "two equal models": "test: 0.1σ² − 0.1σ² again",
                },
            ),
        ),
    ),
    "power of truth": Table(
        "truth",
        (
            (
                share,
                {
                    "t": "test: t, 0.1σ²",
                    "ranks": "test: signed ranks, 0.1σ²",
                    "signs": "test: signs, 0.1σ²",
                    "within √0.1σ, f = Y": "test: within √0.1σ, f = Y",
                    "0.1σ² against shrunken": "test: 0.1σ² − shrunken",
                },
            ),
        ),
    ),
    "scores": Table(
        "scores",
        (
            (
                coverage,
                {
                    "RMSE": "interval: rmse",
                    "MAE": "interval: mae",
                    "r": "interval: correlation",
                    "R²": "interval: r2",
                },
            ),
        ),
    ),
    "concentration": Table(
        "concentration",
        (
            (
                size,
                {
                    "rejects noise": "test: excess of the worst 15%, noise alone",
                    "by the Gini": "test: excess of the Gini, noise alone",
                },
            ),
            (share, {"finds 5% planted": "test: excess of the worst 15%, 5% planted"}),
            (percent, {"interval of the excess holds 0": "interval: excess of the worst 15%"}),
        ),
    ),
    "noise of other items": Table(
        "concentration, other items",
        ((size, {"rejects noise": "test: excess, noise of other items"}),),
    ),
    "swaps": Table(
        "swaps",
        (
            (size, {"rejects noise alone": "test: swaps, noise alone"}),
            (share, {"finds 5% planted": "test: swaps, 5% planted"}),
            (
                size,
                {
                    "calls an even error an excess": (
                        "test: swaps, an even error as large as the noise"
                    )
                },
            ),
        ),
    ),
    "shares": Table(
        "shares",
        (
            (
                coverage,
                {
                    "Gini": "interval: Gini",
                    "worst 15%": "interval: worst 15%",
                    "holds half": "interval: fraction that holds half",
                },
            ),
            (share, {"given": "given: interval of the worst 15%"}),
        ),
    ),
    "scaling": Table(
        "scaling",
        (
            (
                coverage,
                {
                    "exponent": "interval: exponent",
                    "second exponent": "interval: second_exponent",
                    "floor": "interval: floor",
                    "N½": "interval: n_half",
                    "hinge": "interval: hinge",
                    "naive slope": "interval: naive slope",
                },
            ),
        ),
        SCALING,
    ),
    "scaling choice": Table(
        "scaling choice",
        (
            (
                share,
                {
                    "power": "choice: power",
                    "power + floor": "choice: power_floor",
                    "hinge": "choice: hinge",
                    "broken": "choice: broken",
                },
            ),
        ),
        SCALING,
    ),
    "outlines": Table(
        "outlines",
        (
            (percent, {"ladder's interval holds": LADDER, "bracket holds": OUTER}),
            (
                thousandths,
                {
                    "ladder": LADDER,
                    "bracket's middle": OUTER,
                    "two raters": "no ceiling: two raters",
                    "majority of the others": "no ceiling: majority of the others",
                    "in-sample majority": "no ceiling: in-sample majority",
                },
            ),
        ),
        (("noise of the outline", "raters"), raters),
    ),
    "staple": Table(
        "staple",
        (
            (coverage, of_raters()),
            (
                points,
                {
                    "bias of sensitivity, rater 1": "interval: sensitivity of rater 1",
                    "rater 3": "interval: sensitivity of rater 3",
                    "of specificity, rater 1": "interval: specificity of rater 1",
                },
            ),
            (points_wide, {"width of sensitivity, rater 3": "interval: sensitivity of rater 3"}),
        ),
        (("errors", "items", "raters"), votes),
    ),
    "staple, prior known": Table(
        "staple",
        (
            (coverage, of_raters(", prior known")),
            (
                points,
                {"bias of sensitivity, rater 3": "interval: sensitivity of rater 3, prior known"},
            ),
        ),
        (("errors", "items", "raters"), votes),
    ),
    "compare": Table(
        "compare",
        (
            (
                coverage,
                {
                    f"{name} of two raters": f"interval: {name} of two raters"
                    for name in ("Dice", "IoU", "distance", "95% Hausdorff")
                }
                | {
                    "Dice of the perfect model": "interval: Dice of a perfect model",
                    "of the small one": "interval: Dice of a shrunk model",
                },
            ),
            (
                coverage,
                {
                    "ceiling of IoU": "interval: ceiling of IoU",
                    "gap of the perfect model": "interval: gap of a perfect model",
                    "of the small one": "interval: gap of a shrunk model",
                },
            ),
            (share, {"small one is found below": "test: shrunk model is below"}),
        ),
        (("noise of the outline", "items", "raters"), drawn),
    ),
    "gauge": Table(
        "gauge",
        (
            (
                coverage,
                {
                    name: f"interval: {name}"
                    for name in ("repeatability", "reproducibility", "gauge", "parts", "total")
                },
            ),
            (size, {"test of raters": "test: raters", "of interaction": "test: interaction"}),
        ),
        (("study", "parts × raters"), study),
    ),
    "blind": Table(
        "blind",
        (
            (root, {"RMS error": "square: blind pick"}),
            (frames, {"bias": PICK}),
            (frames_wide, {"median of 1.96 standard errors": PICK}),
            (coverage, {"within them": PICK}),
        ),
        (("curve", "noise"), curve),
    ),
    "afd": Table(
        "afd",
        (
            (
                coverage,
                {
                    "aFD": "interval: aFD",
                    "bias": "interval: bias of picks",
                    "wrong beats": "interval: wrong beats",
                    "excess": "interval: excess over the floor",
                },
            ),
        ),
    ),
    "ef": Table(
        "ef",
        ((coverage, {name: f"interval: {name}" for name in ("r", "MAE", "RMSE", "bias")}),),
    ),
    "first frames": Table(
        "first frames",
        (
            (
                coverage,
                {
                    "hinge": "interval: hinge",
                    "at frame 0": "interval: error at frame 0",
                    "when flat": "interval: error when flat",
                    "band": "interval: band of the whole curve",
                    "gain": "interval: gain of padding",
                },
            ),
        ),
    ),
    "ranks": Table(
        "ranks",
        (
            (
                coverage,
                {
                    "interval": "interval: rank correlation",
                    "clusters ignored": "interval: rank correlation, clusters ignored",
                },
            ),
            (
                percent,
                {
                    "p < 0.05": "test: no correlation",
                    "p < 0.05, clusters ignored": "test: no correlation, clusters ignored",
                },
            ),
        ),
    ),
}


def placed(page: str, name: str, body: str) -> str:
    """Return a page with one of its tables made anew."""
    return MARKED.sub(
        lambda found: f"{found[1]}\n{body}\n\n{found[3]}" if found[2] == name else found[0], page
    )


def filled(page: str, results: pd.DataFrame) -> str:
    """Return the page with its tables made anew, between the markers that name them."""
    return MARKED.sub(
        lambda found: "\n".join([found[1], *TABLES[found[2]].lines(results), "", found[3]]), page
    )
