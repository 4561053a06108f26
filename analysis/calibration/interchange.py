"""Models in an annotator's place: ``python -m analysis.calibration.interchange``.

The law of a design names distance, readers and noise, so that results have the columns of the other
suites: "absolute, both, laplace". Readers are "alike", or differ by "bias", "scale" or "both";
"sparse" has each item read by two of them, drawn for it. Two models are put in their place: a good
one, and a fair one whose γ is 0 in the population of readers. "These" asks for an interval of these
readers alone.
"""

from __future__ import annotations

import functools
from pathlib import Path

import click
import numpy as np
import pandas as pd

import annostat
from analysis.calibration.designs import Design
from analysis.calibration.interchange_findings import place_findings, true_findings
from analysis.calibration.outcomes import Outcome
from analysis.calibration.raters import unit_errors
from analysis.calibration.runner import outcomes_of, run_suites
from annostat import AnnostatError
from annostat.files import write_text
from annostat.interchange import DISTANCES, Interchange, interchange
from annostat.labels import Points

RESULTS = Path("docs/studies/interchange.csv")
PAGE = Path("docs/interchange.md")
BIAS, LOG_SCALE, TRUTH_SD, GOOD = 0.5, 0.4, 2.0, 0.7
POINTS = 400_000  # draws behind a true value
WITHDRAWN = ("few_items", "skewed", "rare_events")  # checks that take back an interval


def words(design: Design) -> tuple[str, str, str]:
    """Return distance, readers and law."""
    distance, readers, law = design.law.split(", ")
    return distance, readers.removesuffix(" these"), law


def reader_traits(
    readers: str, shape: tuple[int, ...], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return biases and scales of readers; centred among them if they are all there are."""
    bias = rng.normal(0, BIAS, shape) if readers in ("bias", "both") else np.zeros(shape)
    wide = readers in ("scale", "both")
    scale = np.exp(rng.normal(0, LOG_SCALE, shape)) if wide else np.ones(shape)
    return bias, scale


def labelled(distance: str, truth: np.ndarray, bias: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Return truth with bias and error, cut into grades or categories where these are meant."""
    z = truth + bias + errors
    if distance == "linear":
        return np.clip(np.rint(z + 3), 1, 5)
    if distance == "differ":
        return np.digitize(z, (-1.0, 1.0)).astype(float)
    if distance == "rare":
        return (z > 2.5 * TRUTH_SD).astype(float)
    return z


def cells(
    design: Design, own: float, rng: np.random.Generator, *, fresh: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return labels (n, k) and a model's (n,); `fresh` draws new readers for each item."""
    distance, readers, law = words(design)
    n, k = design.n, design.rounds
    axes = 2 if distance == "radial" else 1
    bias, scale = reader_traits(readers, (n, k) if fresh else (1, k), rng)
    drawn = []
    for _ in range(axes):
        truth = rng.normal(0, TRUTH_SD, n)
        size = 1.0
        if design.cluster_size > 1:
            codes = np.arange(n) // design.cluster_size
            size = rng.lognormal(0, 0.4, codes[-1] + 1)[codes][:, None]
            truth = rng.normal(0, TRUTH_SD, codes[-1] + 1)[codes]
        errors = size * scale * unit_errors(law, (n, k), rng)
        f = truth[:, None] + own * size * unit_errors(law, (n, 1), rng)
        drawn.append(
            (
                labelled(distance, truth[:, None], bias, errors),
                labelled(distance, f, np.zeros(1), np.zeros(1))[:, 0],
            )
        )
    if axes == 1:
        return drawn[0]
    return np.stack([z for z, _ in drawn], axis=2), np.stack([f for _, f in drawn], axis=1)


def measured(distance: str, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return distances of two columns of labels."""
    name = "differ" if distance == "rare" else distance
    [found] = [d for d in DISTANCES if d.name == name]
    return found.of(a, b, None)


@functools.cache
def true_values(law: str, own: float, cluster_size: int) -> tuple[float, float]:
    """Return E d(f, Z) and E d(Z, Z′) over readers and items, by drawing both anew each time."""
    if law.startswith("1-f1"):
        return true_findings(law, own, cluster_size)
    design = Design(POINTS, law, 2, 0.0, cluster_size)
    z, f = cells(design, own, np.random.default_rng(20261129), fresh=True)
    a, b = z[:, 0], z[:, 1]
    distance = words(design)[0]
    to_model = (measured(distance, f, a).mean() + measured(distance, f, b).mean()) / 2
    return float(to_model), float(measured(distance, a, b).mean())


@functools.cache
def fair(law: str, cluster_size: int) -> float:
    """Return the model's error for which γ is 0."""
    low, high = 0.0, 4.0
    more_is_better = law.startswith("1-f1")
    for _ in range(14):
        middle = (low + high) / 2
        a, b = true_values(law, middle, cluster_size)
        low, high = (middle, high) if (a < b) != more_is_better else (low, middle)
    return (low + high) / 2


def holed(z: np.ndarray, design: Design, rng: np.random.Generator) -> np.ndarray:
    """Return labels with missing cells, or two of each item's readers."""
    n, k = z.shape[:2]
    if "sparse" in design.law:
        keep = np.argsort(rng.random((n, k)), axis=1) < 2
    elif design.missing:
        keep = rng.random((n, k)) >= design.missing
    else:
        return z
    z = z.copy()
    z[~keep] = np.nan
    return z


def place(
    design: Design, own: float, margin: float | None, rng: np.random.Generator
) -> Interchange:
    """Return what annostat says of a model on one data set."""
    if design.law.startswith("1-f1"):
        return place_findings(design, own, margin, rng)
    z, f = cells(Design(**{**vars(design), "law": design.law.replace("sparse ", "")}), own, rng)
    z = holed(z, design, rng)
    distance = words(design)[0]
    options: dict[str, object] = {
        "distance": "differ" if distance == "rare" else distance,
        "margin": margin,
        "readers": "these" if "these" in design.law else "auto",
    }
    rounds: object = z
    if design.cluster_size > 1:
        codes = np.arange(design.n) // design.cluster_size
        of = Points if z.ndim == 3 else annostat.Rounds
        rounds = of.from_array(z, cluster=[f"c{c}" for c in codes])
    return interchange(rounds, {"model": f}, **options)  # type: ignore[arg-type]


def index(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """γ and its ratio, of a good and a fair model; verdicts where the truth is on their edge."""
    law = design.law.replace("sparse ", "").replace(" these", "")
    outcomes: dict[str, Outcome] = {}
    zero = fair(law, design.cluster_size)
    models = (("good", GOOD * zero), ("fair", zero), ("worse", 1.3 * zero))
    if law.startswith("1-f1"):  # a factor of odds, more is better
        models = (("good", 1.6 * zero), ("fair", zero), ("worse", zero / 1.6))
    for name, own in models:
        to_model, among = true_values(law, own, design.cluster_size)
        gamma = to_model - among
        margin = gamma if name == "worse" else None
        if margin is not None and margin >= 1 and words(design)[0] in ("differ", "rare"):
            margin = None
        try:
            found = place(design, own, margin, rng)
        except AnnostatError:
            outcomes[f"given: {name}"] = Outcome(False)
            continue
        outcomes[f"given: {name}"] = Outcome(True)
        [m] = found.models
        change = m.change.interval
        warned = any(not c.passed and c.name in WITHDRAWN for c in found.checks)
        if change is not None:
            seen = Outcome(
                gamma in change,
                (change.high - change.low) / among,
                (m.change.value - gamma) / among,
            )
            outcomes[f"interval: γ, {name}"] = seen
            if not warned:
                outcomes[f"interval: γ, {name}, without a warning"] = seen
        ratio = m.ratio.interval
        if ratio is not None and to_model > 0:
            seen = Outcome(to_model / among in ratio, ratio.high - ratio.low)
            outcomes[f"interval: ratio, {name}"] = seen
        verdict = m.standing.name
        outcomes[f"test: better, {name}"] = Outcome(verdict.startswith("better"))
        outcomes[f"test: worse, {name}"] = Outcome(verdict.startswith("worse"))
        if name == "worse" and margin:
            outcomes["test: within, at the margin"] = Outcome(verdict.startswith("interch"))
    return outcomes


def masks(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """1 − Dice of outlines of readers who are alike, of the true mask and of one more reader."""
    outcomes = {}
    rounds, truth = annostat.simulate_masks(design.n, design.rounds + 1, noise_px=2.0, rng=rng)
    readers = rounds.choose(rounds.names[:-1])
    for name, model in (("perfect", truth), ("reader", rounds.values[-1])):
        found = interchange(readers, {name: model})
        want = perfect_change() if name == "perfect" else 0.0
        interval = found.models[0].change.interval
        if interval is not None:
            width = (interval.high - interval.low) / found.among.value
            outcomes[f"interval: γ, {name}"] = Outcome(want in interval, width)
        verdict = found.models[0].standing.name
        outcomes[f"test: better, {name}"] = Outcome(verdict.startswith("better"))
    return outcomes


@functools.cache
def perfect_change() -> float:
    """Return γ of the true mask, from 1,500 items."""
    rounds, truth = annostat.simulate_masks(1500, 2, noise_px=2.0, rng=20261129)
    return interchange(rounds, {"truth": truth}).models[0].change.value


SIZES, READERS = (20, 50, 200, 1000), (3, 5, 10)
SUITES = {
    "population": (
        index,
        [
            Design(n, f"{d}, {r}, {law}", k)
            for d in ("absolute", "squared")
            for r, law in (
                ("alike", "gauss"),
                ("alike", "laplace"),
                ("bias", "gauss"),
                ("scale", "gauss"),
                ("both", "laplace"),
            )
            for k in READERS
            for n in SIZES
        ]
        + [
            Design(n, f"{d}, {r}, gauss", k)
            for d in ("differ", "linear", "radial", "rare")
            for r in ("alike", "both")
            for k in READERS
            for n in SIZES
        ],
    ),
    "holes": (
        index,
        [
            Design(n, f"{d}, {r}, gauss", k, missing, cluster)
            for d in ("absolute", "differ")
            for r, k, missing, cluster in (
                ("sparse alike", 10, 0.0, 1),
                ("sparse both", 10, 0.0, 1),
                ("alike", 5, 0.3, 1),
                ("both", 5, 0.3, 1),
                ("alike", 5, 0.0, 5),
                ("both", 5, 0.0, 5),
            )
            for n in (50, 200)
        ],
    ),
    "these": (
        index,
        [
            Design(n, f"{d}, alike these, {law}", k)
            for d in ("absolute", "squared", "differ", "linear", "radial", "rare")
            for law in ("gauss", "t3")
            for k in (2,)
            for n in SIZES
        ],
    ),
    "points": (
        index,
        [
            Design(n, f"radial, {r}, gauss", k)
            for r in ("bias", "scale")
            for k in (3, 5)
            for n in SIZES
        ]
        + [Design(n, f"radial, {r}, laplace", 5) for r in ("alike", "both") for n in SIZES]
        + [
            Design(n, f"radial, {r}, gauss", k, missing, cluster)
            for r in ("alike", "both")
            for k, missing, cluster in ((5, 0.3, 1), (5, 0.0, 5))
            for n in (50, 200)
        ],
    ),
    "findings": (
        index,
        [Design(n, "1-f1, alike these, plain", 2) for n in SIZES]
        + [
            Design(n, f"1-f1, {r}, plain", k)
            for r in ("alike", "bias", "scale")
            for k in (3, 5)
            for n in SIZES
        ]
        + [Design(n, f"1-f1, {r}, plain", 5, 0.0, 5) for r in ("alike", "bias") for n in (50, 200)],
    ),
    "masks": (masks, [Design(n, "1-dice, alike, gauss", k) for k in (2, 3, 5) for n in (20, 50)]),
}


def run(suite: str, design: Design, repetitions: int, *, seed: int) -> list[dict[str, object]]:
    """Return one row for each interval and verdict of a suite on one design."""
    rows = outcomes_of(SUITES[suite][0], design, repetitions, seed=seed)
    return [
        {
            "suite": suite,
            "what": what,
            **vars(design),
            "repetitions": len(seen),
            "rate": round(float(np.mean([o.hit for o in seen])), 4),
            "relative_width": round(float(np.nanmedian([o.width for o in seen])), 4)
            if what.startswith("interval")
            else float("nan"),
        }
        for what, seen in rows.items()
    ]


def tables(found: pd.DataFrame) -> str:
    """Return the tables of the page: how often intervals hold, and verdicts are given."""
    parts = found.law.str.split(", ", expand=True)
    found = found.assign(distance=parts[0], readers=parts[1], noise=parts[2])
    lines = [
        "| readers | distance | data sets | γ holds, % | no warning | ratio holds | "
        "fair model “better” / “worse” | at the margin “as good” |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (suite, readers, distance), part in found.groupby(
        ["suite", "readers", "distance"], sort=False
    ):
        if suite == "masks":
            continue

        def rates(*names: str, part: pd.DataFrame = part) -> str:
            rows = part[part.what.isin(names) & (part.repetitions >= 30)]
            if rows.empty:
                return "–"
            mean = np.average(rows.rate, weights=rows.repetitions)
            return f"{100 * mean:.0f} ({100 * rows.rate.min():.0f}–{100 * rows.rate.max():.0f})"

        all_of = ("good", "fair", "worse")
        cells = [
            f"{readers}{', with gaps or clusters' if suite == 'holes' else ''}",
            distance,
            f"{int(part[part.what == 'given: fair'].repetitions.sum()):,}",
            rates(*(f"interval: γ, {m}" for m in all_of)),
            rates(*(f"interval: γ, {m}, without a warning" for m in all_of)),
            rates(*(f"interval: ratio, {m}" for m in all_of)),
            f"{rates('test: better, fair')} / {rates('test: worse, fair')}",
            rates("test: within, at the margin"),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def filled(page: str, found: pd.DataFrame) -> str:
    """Return the page with its tables anew."""
    before, _, rest = page.partition("<!-- table -->")
    _, _, after = rest.partition("<!-- end -->")
    return f"{before}<!-- table -->\n{tables(found)}\n<!-- end -->{after}"


@click.command()
@click.argument("suites", nargs=-1, type=click.Choice(list(SUITES)))
@click.option("--quick", is_flag=True, help="Few repetitions of every 13th design; writes nothing.")
@click.option("--lacking", is_flag=True, help="Only designs that the file lacks.")
@click.option("--repetitions", default=200, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--out", type=Path, default=RESULTS, show_default=True)
@click.option("--table", is_flag=True, help="Write the page's tables from the file.")
def main(
    suites: tuple[str, ...],
    quick: bool,
    lacking: bool,
    repetitions: int,
    seed: int,
    out: Path,
    table: bool,
) -> None:
    """Run the suites that are named, or all of them."""
    if table:
        found = filled(PAGE.read_text(encoding="utf-8"), pd.read_csv(out))
        write_text(PAGE, found)
        return
    kept = None if quick else out
    run_suites(SUITES, suites, quick, repetitions, seed, out=kept, lacking=lacking, run=run)


if __name__ == "__main__":
    main()
