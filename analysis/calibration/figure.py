"""One picture of the results: what every default interval covers."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.lines import Line2D

from analysis.calibration.results import pooled
from analysis.calibration.tables import PROMISED
from analysis.common import COLOURS, new_figure
from annostat.files import write_whole

FIGURE = Path("docs/images/calibration.png")
INTERVALS = {  # area: what it is called, its suite and its name there
    "fit-afd": {
        "envelope of E|X|": ("picks", "interval: envelope over models"),
        "best model's E|X|": ("picks", "interval: mae of the best model"),
        "E|X|, law known": ("paper", "interval: mae, laplace + independent"),
    },
    "plan": {
        "pairs needed": ("plan", "interval: n_pairs"),
        "E|D| of that study": ("plan", "interval: E|D| of the study"),
    },
    "bounds": {
        "σ": ("values", "interval: noise_sd, bootstrap-t"),
        "ρ": ("values", "interval: reliability"),
        "E|D|": ("values", "interval: pair_mae"),
    },
    "agreement": {
        "concordance": ("values", "interval: concordance"),
        "limit of agreement": ("values", "interval: upper limit of agreement"),
        "ICC(C,1)": ("values", "interval: icc_c_1"),
        "ICC(A,1)": ("values", "interval: icc_a_1"),
        "gauge: repeatability": ("gauge", "interval: repeatability"),
        "gauge: reproducibility": ("gauge", "interval: reproducibility"),
        "gauge R&R": ("gauge", "interval: gauge"),
        "gauge: parts": ("gauge", "interval: parts"),
    },
    "score": {
        "E(f − Y)², f = Y": ("truth", "interval: E(f−Y)², f = Y"),
        "E(f − Y)², 0.1σ²": ("truth", "interval: E(f−Y)², 0.1σ²"),
        "share learned": ("leaky", "interval: share learned, leaky"),
        "r with truth": ("truth", "interval: correlation with truth, 0.1σ²"),
        "difference": ("truth", "interval: 0.1σ² − shrunken"),
        "RMSE": ("scores", "interval: rmse"),
        "MAE": ("scores", "interval: mae"),
        "r": ("scores", "interval: correlation"),
        "R²": ("scores", "interval: r2"),
    },
    "concentration": {
        "Gini": ("shares", "interval: Gini"),
        "worst 15%": ("shares", "interval: worst 15%"),
        "holds half": ("shares", "interval: fraction that holds half"),
    },
    "scaling": {
        "exponent": ("scaling", "interval: exponent"),
        "floor": ("scaling", "interval: floor"),
        "N½": ("scaling", "interval: n_half"),
        "hinge": ("scaling", "interval: hinge"),
    },
    "masks": {
        "bracket of Dice": ("outlines", "interval: bracket from pairs"),
        "ladder, 5 raters": ("outlines", "interval: ladder"),
        "Dice of two raters": ("compare", "interval: Dice of two raters"),
        "Dice of a model": ("compare", "interval: Dice of a perfect model"),
        "sensitivity by STAPLE": ("staple", "interval: sensitivity of rater 3"),
        "specificity by STAPLE": ("staple", "interval: specificity of rater 1"),
    },
    "beats": {
        "aFD": ("afd", "interval: aFD"),
        "bias of picks": ("afd", "interval: bias of picks"),
        "wrong beats": ("afd", "interval: wrong beats"),
        "excess over the floor": ("afd", "interval: excess over the floor"),
        "r of EF": ("ef", "interval: r"),
        "RMSE of EF": ("ef", "interval: RMSE"),
        "hinge of first frames": ("first frames", "interval: hinge"),
        "band of first frames": ("first frames", "interval: band of the whole curve"),
    },
    "audit": {"rank correlation": ("ranks", "interval: rank correlation")},
}
MORE_RATERS = ("scaling", "outlines", "gauge", "staple", "compare")  # where 3 "rounds" are plain
LAWS = {
    "gaussian": COLOURS[0],
    "laplace": COLOURS[2],
    "laplace + 1/300": COLOURS[1],
    "laplace + 1/20": "#7A3B00",
    "t3": COLOURS[3],
    "shared difficulty": "#000000",
    "other": "0.55",
}
SIZES = {"n up to 60": ("o", 60), "n up to 300": ("s", 300), "n = 1,000 or more": ("^", 10**9)}


def draw(results: Path, target: Path) -> None:
    """Draw the figure of a results file; the picture remembers the file's digest."""
    figure = coverages(pooled(pd.read_csv(results)))

    def write(stream: Any) -> None:
        figure.savefig(stream, format="png", dpi=140, metadata={"Description": digest(results)})

    write_whole(target, write)


def digest(results: Path) -> str:
    """Return what tells one results file from another."""
    return hashlib.sha256(results.read_bytes()).hexdigest()


def law_of(name: str) -> str:
    """Return the law's place in the legend."""
    if name.startswith("paper"):
        return "laplace + 1/300" if "1/300" in name else "laplace"
    name = name.partition(", ")[0]  # a gauge study says more of itself
    return name if name in LAWS else "other"


def coverages(results: pd.DataFrame) -> Any:
    """Return the figure: a row for each interval, a point for each design."""
    results = results.set_index(["suite", "what"]).sort_index()
    count = sum(len(rows) for rows in INTERVALS.values())
    figure, ax = new_figure(8, 0.4 * count + 1.8)
    ax.axvspan(*(100 * p for p in PROMISED), color="0.9", lw=0)
    ax.axvline(95, color="0.6", lw=0.8)
    labels = []
    for area, rows in INTERVALS.items():
        if labels:
            ax.axhline(len(labels) - 0.5, color="0.75", lw=0.8)
        ax.text(101.0, len(labels) - 0.35, area, va="top", ha="left", weight="bold", clip_on=False)
        for label, key in rows.items():
            points = results.loc[[key]]
            if label.startswith("ladder"):
                points = points[points.rounds > 3]
            if area == "scaling":  # a wrong floor is not the interval's fault
                points = points[~points.law.str.contains("too high")]
            order = points.assign(place=points.law.map(law_of).map(list(LAWS).index))
            order = order.sort_values(["place", "n"], kind="stable")
            step = 0.76 / max(len(order) - 1, 1)
            for i, row in enumerate(order.itertuples()):
                y = len(labels) + (step * i - 0.38 if len(order) > 1 else 0.0)
                marker = next(m for m, top in SIZES.values() if row.n <= top)
                plain = row.rounds == 2 or key[0] in MORE_RATERS
                plain = plain and not row.missing and row.cluster_size == 1
                colour = LAWS[law_of(row.law)]
                rate, se = 100 * row.rate, 100 * row.rate_se
                ax.plot([rate - se, rate + se], [y, y], color=colour, lw=1)
                face = colour if plain else "white"
                ax.plot(rate, y, marker, ms=4.5, color=colour, mfc=face, clip_on=False, zorder=3)
            labels.append(label)
    ax.set_yticks(range(count), labels)
    ax.set_ylim(count - 0.5, -0.5)
    ax.set_xlim(None, 100.6)
    ax.set_xlabel("data sets whose 95% interval holds the truth (%), ± standard error")
    handles = [Line2D([], [], color=c, lw=3, label=name) for name, c in LAWS.items()]
    handles.append(Line2D([], [], ls="", label=""))  # the laws fill two columns
    handles += [
        Line2D([], [], color="0.3", marker=m, ls="", label=name) for name, (m, _) in SIZES.items()
    ]
    handles.append(
        Line2D(
            [],
            [],
            color="0.3",
            marker="o",
            mfc="white",
            ls="",
            label="more rounds, missing cells or clusters",
        )
    )
    figure.legend(handles=handles, loc="outside upper center", ncols=3, frameon=False)
    return figure
