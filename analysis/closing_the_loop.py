"""Closing the loop: a model trained on noisy labels, and the floor that two rounds predict.

Everything is simulated. Annotators of known noise outline the left ventricle of phantom clips. From
two rounds on the test clips, and nothing else, annostat predicts what a perfect model would score
against one annotator. Students are trained on one noisy annotation of N clips, and scored on the
test clips against one annotator and against the truth. If the theory is right, the first score
approaches the prediction as the second one approaches zero, and the truth itself, scored like a
model, meets the prediction. It trains for minutes, so that it is a command of its own:
python -m analysis.closing_the_loop [--out DIR] [--seed N] [--quick].
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from analysis.common import new_figure, save
from annostat.plotting import COLOURS
from annostat.results import Estimate
from models.checkpoints import load_student
from models.config import Config, Data, Net, Train
from models.data.clips import open_store
from models.data.reference import truth_of
from models.data.store import Store
from models.evaluation import COLUMNS
from models.predictions import Predictions, predictions
from models.scores import Row, score
from models.train import train
from models.world.annotators import Noise, annotate

PAD = 12  # frames put in front of a clip, for the student to settle
OUTLINE_PX = 1.0
SHOWN = ("Dice at ED and ES", "aFD of ES", "RMSE of EF")
TITLES = {
    "Dice at ED and ES": "1 − Dice at ED and ES",
    "aFD of ES": "aFD of ES (frames)",
    "RMSE of EF": "RMSE of EF (points)",
}


def settings(n: int, *, steps: int, seed: int) -> Config:
    """Return the settings of one student: as many steps for all, or twelve times its clips."""
    return Config(
        Data(
            size=48,
            frames=40,
            n_train=n,
            n_valid=16,
            n_test=12,
            teachers=(f"LV=oracle,noise={OUTLINE_PX},seed={seed + 1}",),
        ),
        Net(blocks=2, layers=1, filters=8),
        Train(
            seed=seed,
            epochs=max(4 * steps // n, 12),
            patience=1000,
            batch=4,
            window=12,
            rate=5e-3,
            schedule="cosine",
            threads=1,
        ),
    )


def perfect(store: Store) -> Predictions:
    """Return the predictions of a model that knows the truth."""
    truth = truth_of(store)
    es, ef = (np.array(values, dtype=float) for values in (truth.es, truth.ef))
    return Predictions(truth.names, [], truth.outlines, es, ef)


def main(out: Path, *, seed: int = 0, quick: bool = False) -> dict[str, Any]:
    """Train one student for each number of clips (restartable), and score them all."""
    sizes, steps, n_test = ((2, 4), 8, 16) if quick else ((16, 144, 576), 240, 120)
    clips = out / "closing_the_loop" / "clips"
    annotations = store = None
    tables: dict[str, list[Row]] = {}
    spent = {}
    for n in sizes:
        config = settings(n, steps=steps, seed=seed)
        if quick:
            config = config.changed(["data.n_valid=2", "train.epochs=2"])
        folder = out / "closing_the_loop" / f"clips-{n}{'-quick' if quick else ''}"
        result = train(config, folder, cache=clips, device="cpu")
        spent[n] = {name: round(result[name], 1) for name in ("wall_s", "cpu_s")}
        student, _ = load_student(folder / "best.safetensors")
        store = open_store(config.changed([f"data.n_test={n_test}"]).data, "test", clips)
        annotations = annotate(truth_of(store), Noise(OUTLINE_PX), seed=seed)
        found = predictions(student, store, pad=PAD)
        tables[str(n)] = score(found, store, annotations, seed=seed)
    assert store is not None and annotations is not None
    tables["perfect"] = score(perfect(store), store, annotations, seed=seed)
    numbers = {
        "kind": "simulated",
        "n_test_clips": n_test,
        "steps": steps,
        "seconds": spent,
        "noise": {
            "outline_px": OUTLINE_PX,
            "picks": annotations.noise.picks.mae,
            "ef_points": annotations.noise.ef_points,
        },
        "scores": {
            name: {row.name: {c: getattr(row, c) for c in COLUMNS} for row in rows}
            for name, rows in tables.items()
        },
    }
    figure, axes = new_figure(12, 4, 3)
    for ax, name in zip(axes, SHOWN, strict=True):
        rows = {k: next(r for r in t if r.name == name) for k, t in tables.items()}
        draw(ax, name, sizes, rows)
    axes[0].legend(frameon=False, fontsize=8)
    save(out, "closing_the_loop", numbers, figure)
    print(markdown(tables))
    return numbers


def draw(ax: Any, name: str, sizes: Sequence[int], rows: dict[str, Row]) -> None:
    """Draw one score over the number of training clips, and the predicted floor."""
    turned = name.startswith("Dice")

    def loss(estimate: Estimate | None) -> tuple[float, float, float]:
        assert estimate is not None
        low, high = estimate.low, estimate.high
        low, high = (estimate.value if v is None else v for v in (low, high))
        values = (estimate.value, low, high)
        return (1 - values[0], 1 - values[2], 1 - values[1]) if turned else values

    floor, low, high = loss(rows["perfect"].bound)
    ax.axhspan(low, high, color=COLOURS[2], alpha=0.2, lw=0)
    ax.axhline(floor, color=COLOURS[2], lw=1.2, ls="--", label="floor, predicted by two rounds")
    for column, colour, label in (
        ("one", COLOURS[1], "against one annotator"),
        ("truth", COLOURS[0], "against the truth"),
    ):
        values = np.array([loss(getattr(rows[str(n)], column)) for n in sizes])
        spread = np.abs(values[:, 1:] - values[:, :1]).T
        ax.errorbar(
            sizes, values[:, 0], yerr=spread, fmt="o-", ms=5, capsize=2, color=colour, label=label
        )
    one, low, high = loss(rows["perfect"].one)
    beyond = sizes[-1] * 3
    ax.errorbar(
        [beyond],
        [one],
        yerr=[[one - low], [high - one]],
        fmt="D",
        ms=5,
        capsize=2,
        color="0.2",
        label="the truth as a model",
    )
    ax.set(xscale="log", ylim=(0, None), xlabel="clips in training", ylabel=TITLES[name])
    ax.set_xticks([*sizes, beyond], [*map(str, sizes), "truth"])
    ax.minorticks_off()
    ax.spines[["top", "right"]].set_visible(False)


def markdown(tables: dict[str, list[Row]]) -> str:
    """Return predicted and reached scores as a table."""
    lines = [
        "| score | trained on | " + " | ".join(COLUMNS.values()) + " |",
        "|---" * (2 + len(COLUMNS)) + "|",
    ]
    for name in SHOWN:
        for model, rows in tables.items():
            row = next(r for r in rows if r.name == name)
            cells = [
                "–" if e is None else f"{e.short()} ({e.range()})" if e.interval else e.short()
                for e in (getattr(row, column) for column in COLUMNS)
            ]
            label = "(the truth itself)" if model == "perfect" else f"{model} clips"
            lines.append(f"| {name} | {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


@click.command()
@click.option("--out", type=Path, default=Path("analysis/output"), show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--quick", is_flag=True, help="Two tiny students, to see that it runs.")
def command(out: Path, seed: int, quick: bool) -> None:
    """Train students on noisy labels and set what they reach beside what was predicted."""
    main(out, seed=seed, quick=quick)


if __name__ == "__main__":
    command()
