"""Score a student: python -m models.evaluate WEIGHTS --out FOLDER.

Whole clips of the test split go through the student. On the phantom, whose truth is known, two
simulated annotators of known noise label the same clips: every score is given against the truth,
against one annotator and against both, beside the floor or ceiling that the two rounds alone
predict. On EchoNet folders and CAMUS the reference is what people drew and read; where the teachers
have masks of the same clips, these stand in a column of their own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from numpy.typing import NDArray

from annostat import AnnostatError, NoiseModel, Rounds, __version__
from annostat.agreement import icc
from annostat.cardiac import EfScore, FirstFrames, first_frames, score_ef
from annostat.concentration import Concentration, concentration
from annostat.errors import check_number
from annostat.files import write_text
from annostat.results import Provenance, Result, Section, plain
from models.checkpoints import load_student
from models.command import clip_options, counter, padding_options, pick_device, run_command, say
from models.config import Config
from models.data.clips import open_store
from models.data.readings import Readings, read_noise, read_readings
from models.data.reference import truth_of
from models.data.store import Store, clips
from models.network.student import Student, count_parameters
from models.picks import Picks, cell, labelled_es, score_picks
from models.predictions import Predictions, expected_area, predictions
from models.scores import Row, human_rows, overlap_rows, pick_row, read_rows, score, seen
from models.settling import MARGIN, Settling, cold_starts, settle, settling_section
from models.world.annotators import Noise, annotate

if TYPE_CHECKING:
    import pandas as pd

# Fields of a row, and what they are called: of clips whose truth is known, and of real ones.
COLUMNS = {
    "truth": "against the truth",
    "estimated": "the same, from two rounds",
    "one": "one annotator",
    "two": "both annotators",
    "bound": "perfect model",
}
REAL_COLUMNS = {"human": "against people", "teachers": "against the teachers' masks"}
ALL_COLUMNS = COLUMNS | REAL_COLUMNS
LEAST = 8  # clips, for the scores that are made over clips


@dataclass(frozen=True, eq=False)
class Evaluation(Result):
    """A student's scores.

    Attributes
    ----------
    rows : list of Row
    afd : Picks or None
        Picks of end-systole against one annotator (the labelled frame), by three protocols.
    ef : EfScore or None
        Ejection fraction against one annotator (the listed value), with the ceiling of r.
    first : FirstFrames or None
        1 − Dice over the first frames, without and with padding.
    settled : tuple of Settling
        From which frame on 1 − Dice is flat: without padding, and with it if there is some.
    concentration : Concentration or None
        Where the squared error of EF against one annotator sits, beside pure noise.
    notes : tuple of str
        What must be known of the clips: some that cannot be read, teachers without masks of them.
    provenance : Provenance
    """

    rows: list[Row]
    afd: Picks | None
    ef: EfScore | None
    first: FirstFrames | None
    settled: tuple[Settling, ...]
    concentration: Concentration | None
    notes: tuple[str, ...]
    provenance: Provenance

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        known = [c for c in ALL_COLUMNS if any(getattr(row, c) is not None for row in self.rows)]
        table = [[row.name, *(cell(getattr(row, column)) for column in known)] for row in self.rows]
        columns = ["score", *(ALL_COLUMNS[c] for c in known)]
        lines = [clips(self.provenance.n_items), *self.notes]
        lines += bias_lines(self.rows)
        if "bound" in known and "truth" in known:
            lines.append("Annotators are simulated; 'perfect model' is predicted from them alone.")
        elif "bound" in known:
            lines.append("'perfect model' is predicted from what several people said, and no more.")
        out = [Section("Scores", columns, table, lines)]
        out += [] if self.afd is None else [self.afd.section()]
        for part in (self.ef, self.first):
            out += [] if part is None else part.sections()
        if self.settled:
            out.append(settling_section(self.settled[0], *self.settled[1:] or (None,)))
        out += [] if self.concentration is None else self.concentration.sections()
        return out

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {
            "scores": {
                row.name: {c: plain(getattr(row, c)) for c in ALL_COLUMNS} for row in self.rows
            },
            "afd": None if self.afd is None else self.afd.to_dict(),
            "ef": plain(self.ef),
            "first_frames": plain(self.first),
            "settled": [s.to_dict() for s in self.settled],
            "concentration": plain(self.concentration),
            "notes": list(self.notes),
            "provenance": self.provenance.to_dict(),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per score and reference."""
        import pandas as pd

        return pd.DataFrame(
            [
                {"score": row.name, "against": column, **getattr(row, column).to_dict()}
                for row in self.rows
                for column in ALL_COLUMNS
                if getattr(row, column) is not None
            ]
        )


def bias_lines(rows: Sequence[Row]) -> list[str]:
    """Return a sentence for each reference from which the ejection fraction is off for sure."""
    out = []
    row = next((r for r in rows if r.name == "Bias of EF"), Row(""))
    for column in ("truth", "human"):
        estimate = getattr(row, column)
        if estimate is None or estimate.interval is None or 0 in estimate.interval:
            continue
        word = "low" if estimate.value < 0 else "high"
        out.append(
            f"The student's EF is too {word}, {ALL_COLUMNS[column]}: by {cell(estimate)} on average"
        )
    return out


def evaluate(
    student: Student,
    store: Store,
    config: Config,
    *,
    noise: Noise | None = None,
    readings: Readings | None = None,
    pad: int = 0,
    how: str = "mirror",
    largest: bool = False,
    margin: float = MARGIN,
    seed: int = 0,
    quiet: bool = True,
) -> tuple[Evaluation, Predictions]:
    """Return all scores of a student on the clips of a store.

    Parameters
    ----------
    student : Student
    store : Store
        Whole clips; for the phantom their targets are the truth.
    config : Config
        The student's own.
    noise : Noise, optional
        Of the simulated annotators (phantom only).
    readings : Readings, optional
        What several people read of real clips: their first round is the reference then, and all
        of them make the floors.
    pad, how, largest
        As in `models.network.predict.predict`. With padding, the first frames are looked at
        without it, too.
    margin : float
        A difference of 1 − Dice that does not matter, for the frame from which on it is flat.
    seed : int
        Of the annotators and of the bootstraps.
    """
    structures = config.data.structures
    options: dict[str, Any] = {"how": how, "largest": largest, "quiet": quiet}
    found = predictions(student, store, structures=structures, pad=pad, **options)
    rows = human_rows(found, structures, store, seed=seed)
    rows += overlap_rows(found, structures, store.kind)
    facts, given = store.facts, readings or Readings()
    if store.kind == "truth":
        annotations = annotate(truth_of(store), noise or Noise(), seed=seed)
        rows += score(found, store, annotations, seed=seed)
        given = Readings(annotations.es, annotations.ef)
        afd = _picks(store, found, given, rows, seed)
    else:
        floor = [pick_row(found.es, given.es, seed=seed)] if given.es is not None else []
        afd = _picks(store, found, given, floor, seed)
        rows += read_rows(found, facts, afd, given, seed=seed)
    ef = first = share = None
    settled: tuple[Settling, ...] = ()
    if len(store) >= LEAST:
        if found.counts:
            bare = predictions(student, store, **options) if pad else found
            second = found.frame_errors() if pad else None
            first = first_frames(bare.frame_errors(), padded=second, n_frames=30, rng=seed)
            settled = _settled(student, store, bare, pad, margin, how=how, largest=largest)
        kept, values = read(facts, given.ef, found)
        if values is not None:
            rho = None if given.ef is None else icc(seen(given.ef))["icc_1_1"]
            ef = score_ef(*values, reliability=rho, rng=seed)
        if values is not None and given.ef is not None:
            share = concentration(
                values[0] - values[1],
                rounds=given.ef.take(kept),
                items=[store.names[k] for k in kept],
                unit="points",
                rng=seed,
            )
    settings = {
        "pad": pad,
        "how": how,
        "largest": largest,
        "margin": margin,
        "parameters": count_parameters(student),
        "config": config.to_dict(),
    }
    provenance = Provenance(__version__, "", len(store), seed, settings)
    notes = tuple(store.messages())
    result = Evaluation(
        rows=rows,
        afd=afd,
        ef=ef,
        first=first,
        settled=settled,
        concentration=share,
        notes=notes,
        provenance=provenance,
    )
    return result, found


def _settled(
    student: Student, store: Store, bare: Predictions, pad: int, margin: float, **options: Any
) -> tuple[Settling, ...]:
    """Return how long the student takes to settle, without padding and with it."""
    out = []
    for n in (0, pad) if pad else (0,):
        cold, warm = cold_starts(student, store, bare, pad=n, **options)
        if len(cold) < LEAST:
            return ()
        out.append(settle(cold, warm, margin=margin))
    return tuple(out)


def _picks(
    store: Store, found: Predictions, given: Readings, rows: list[Row], seed: int
) -> Picks | None:
    """Return the picks of ES by each protocol, against one annotator or the labelled frames."""
    if len(store) < LEAST:
        return None
    exact = None
    if store.kind == "truth":
        exact = [expected_area(np.asarray(store.clip(k).targets)[:, 0]) for k in range(len(store))]
    reference = labelled_es(store.facts)
    if given.es is not None:
        reference = given.es.values[:, 0].tolist()
    floor = next((row.bound for row in rows if row.name.startswith("aFD")), given.noise)
    return score_picks(found.areas, store.facts, reference, floor=floor, exact=exact, seed=seed)


def read(
    facts: list[dict[str, Any]], rounds: Rounds | None, found: Predictions
) -> tuple[NDArray[np.int64], Any]:
    """Return the clips with both ejection fractions, and the student's and the reference's.

    The latter is None if there are too few of them.
    """
    reference = [f.get("ef") for f in facts] if rounds is None else rounds.values[:, 0].tolist()
    pairs = list(zip(found.ef.tolist(), reference, strict=True))
    kept = np.array([k for k, p in enumerate(pairs) if known(p[0]) and known(p[1])], dtype=np.int64)
    table = np.array([pairs[k] for k in kept], dtype=float).T
    # Without any spread there is no correlation: an untrained student's masks are all alike.
    enough = len(kept) >= LEAST and np.ptp(table, axis=1).min() > 0
    return kept, table if enough else None


def known(value: Any) -> bool:
    """Return whether a fact is a finite number."""
    return isinstance(value, (int, float)) and math.isfinite(value)


@click.command(context_settings={"show_default": True})
@click.argument("weights", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of results.")
@clip_options
@padding_options
@click.option("--largest", is_flag=True, help="Keep the largest component of each mask.")
@click.option(
    "--flat-within", "margin", type=float, default=MARGIN, help="Dice that does not matter."
)
@click.option("--outline-px", type=float, default=1.0, help="SD of the annotators' outlines.")
@click.option("--pick-mae", type=float, default=2.0, help="Mean error of their picks, frames.")
@click.option("--ef-points", type=float, default=6.0, help="SD of their ejection fractions.")
@click.option(
    "--es-rounds",
    type=click.Path(path_type=Path),
    help="Table of people's picked frames of real clips: clip, then a column for each round.",
)
@click.option(
    "--ef-rounds",
    type=click.Path(path_type=Path),
    help="The same of their ejection fractions, in percent.",
)
@click.option(
    "--noise",
    "noise_file",
    type=click.Path(path_type=Path),
    help="Noise of one picked frame, from annostat fit-afd --json, for the floor of the aFD.",
)
@click.option("--seed", type=click.IntRange(0), default=0)
@click.option("--device", default="auto", help="auto, cpu, cuda or cuda:N.")
@click.option("--quiet", is_flag=True)
def main(
    weights: Path,
    out: Path,
    split: str,
    settings: tuple[str, ...],
    cache: Path,
    outline_px: float,
    pick_mae: float,
    ef_points: float,
    es_rounds: Path | None,
    ef_rounds: Path | None,
    noise_file: Path | None,
    device: str,
    quiet: bool,
    **options: Any,
) -> None:
    """Score a student on whole clips: one JSON file, one figure."""
    from annostat.plotting import save_figure
    from models.figures import plot_evaluation

    where = pick_device(device)
    check_number("--flat-within", options["margin"], low=0.0, open_ends=True)
    check_number("--outline-px", outline_px, low=0.0)
    check_number("--pick-mae", pick_mae, low=0.0, open_ends=True)
    check_number("--ef-points", ef_points, low=0.0)
    student, trained = load_student(weights, where)
    config = trained.changed(settings)
    if (config.student, config.train, config.data.structures) != (
        trained.student,
        trained.train,
        trained.data.structures,
    ):
        raise AnnostatError(
            "--set changes settings of the data only (data.path, data.n_test, ...), and not its "
            "structures: the rest came with the weights"
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AnnostatError(f"--out {str(out)!r} cannot be written: {error}") from None
    with counter(f"Clips for {split}", quiet=quiet) as done:
        store = open_store(config.data, split, cache, device=where, progress=done)
    for message in store.messages():
        say(message, quiet=quiet)
    noise = Noise(outline_px, NoiseModel.with_mae("laplace", pick_mae), ef_points)
    if store.kind == "truth" and any((es_rounds, ef_rounds, noise_file)):
        raise AnnostatError(
            "--es-rounds, --ef-rounds and --noise are of real clips: the phantom's annotators are "
            "simulated (--pick-mae, --ef-points)"
        )
    readings = Readings(
        None if es_rounds is None else read_readings(es_rounds, store.names, unit="frames"),
        None if ef_rounds is None else read_readings(ef_rounds, store.names, unit="points"),
        None if noise_file is None else read_noise(noise_file),
    )
    result, found = evaluate(
        student, store, config, noise=noise, readings=readings, quiet=quiet, **options
    )
    text = json.dumps(plain(result.to_dict()), indent=2, ensure_ascii=False, allow_nan=False)
    write_text(out / "evaluation.json", text + "\n")
    save_figure(plot_evaluation(result, found, store.facts), out / "evaluation.png")
    click.echo(str(result))


if __name__ == "__main__":
    run_command(main)
