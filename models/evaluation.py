"""The scores of a student on the clips of a store, each beside its bound.

On the phantom, whose truth is known, two simulated annotators of known noise label the same clips:
every score is given against the truth, against one annotator and against both, beside the floor or
ceiling that the two rounds alone predict. On EchoNet folders and CAMUS the reference is what people
drew and read; where the teachers have masks of the same clips, these stand in a column of their
own. Where several people labelled the same clips, the student is put in the place of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annostat import Rounds, __version__, compare_noise
from annostat.agreement import icc
from annostat.cardiac import EfScore, FirstFrames, first_frames, score_ef
from annostat.concentration import Concentration, concentration
from annostat.interchange import Interchange
from annostat.results import Provenance, Result, Section, plain
from models.config import Config
from models.data.readings import Readings
from models.data.reference import is_number, truth_of
from models.data.store import Store, clips
from models.network.student import Student, count_parameters
from models.picks import Picks, cell, labelled_frames, score_picks
from models.places import LEAST, places_section, take_places
from models.predictions import Predictions, expected_area, predictions
from models.remedies import Remedies, try_remedies
from models.scores import Row, human_rows, overlap_rows, read_rows, score, seen
from models.settling import MARGIN, Settling, cold_starts, settle, settling_section
from models.world.annotators import Annotations, Noise, annotate

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
ALL_COLUMNS = {"truth": COLUMNS["truth"], **REAL_COLUMNS, **COLUMNS}  # as they stand in a table


@dataclass(frozen=True, eq=False)
class Evaluation(Result):
    """A student's scores.

    Attributes
    ----------
    rows : list of Row
    afd, afd_ed : Picks or None
        Picks of end-systole and of end-diastole against one annotator (the labelled frame), by
        three protocols.
    ef : EfScore or None
        Ejection fraction against one annotator (the listed value), with the ceiling of r.
    first : FirstFrames or None
        1 − Dice over the first frames, without and with padding.
    settled : tuple of Settling
        From which frame on 1 − Dice is flat: without padding, and with it if there is some.
    remedies : Remedies or None
        The first frames one by one, with padding, the largest component, and both.
    concentration : Concentration or None
        Where the squared error of EF against one annotator sits, beside pure noise.
    places : dict of str to Interchange
        The student in the place of one of several people: "outlines LV", "ES", "ED", "EF".
    notes : tuple of str
        What must be known of the clips: some that cannot be read, teachers without masks of them.
    provenance : Provenance
    """

    rows: list[Row]
    afd: Picks | None
    afd_ed: Picks | None
    ef: EfScore | None
    first: FirstFrames | None
    settled: tuple[Settling, ...]
    remedies: Remedies | None
    concentration: Concentration | None
    places: dict[str, Interchange]
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
        out += [picks.section() for picks in (self.afd, self.afd_ed) if picks is not None]
        for part in (self.ef, self.first):
            out += [] if part is None else part.sections()
        if self.settled:
            out.append(settling_section(self.settled[0], *self.settled[1:] or (None,)))
        out += [] if self.remedies is None else [self.remedies.section()]
        out += [places_section(self.places)] if self.places else []
        out += [] if self.concentration is None else self.concentration.sections()
        return out

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {
            "scores": {
                row.name: {c: plain(getattr(row, c)) for c in ALL_COLUMNS} for row in self.rows
            },
            "afd": None if self.afd is None else self.afd.to_dict(),
            "afd_ed": None if self.afd_ed is None else self.afd_ed.to_dict(),
            "ef": plain(self.ef),
            "first_frames": plain(self.first),
            "settled": [s.to_dict() for s in self.settled],
            "remedies": None if self.remedies is None else self.remedies.to_dict(),
            "concentration": plain(self.concentration),
            "interchange": {name: place.to_dict() for name, place in self.places.items()},
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


AGAINST = ALL_COLUMNS | {"two": "against both annotators"}


def bias_lines(rows: Sequence[Row]) -> list[str]:
    """Return a sentence for each reference from which the ejection fraction is off for sure."""
    out = []
    row = next((r for r in rows if r.name == "Bias of EF"), Row(""))
    # Two annotators tell it where neither the truth nor a listed value does.
    columns = [c for c in ("truth", "human") if getattr(row, c) is not None] or ["two"]
    for column in columns:
        estimate = getattr(row, column)
        if estimate is None or estimate.interval is None or 0 in estimate.interval:
            continue
        word = "low" if estimate.value < 0 else "high"
        out.append(
            f"The student's EF is too {word}, {AGAINST[column]}: by {cell(estimate)} on average"
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
    annotations: Annotations | None = None
    if store.kind == "truth":
        annotations = annotate(truth_of(store), noise or Noise(), seed=seed)
        rows += score(found, store, annotations, seed=seed)
        given = Readings(annotations.es, annotations.ef, None, annotations.ed)
    afd = {phase: _picks(store, found, given, phase, seed) for phase in ("ES", "ED")}
    if store.kind != "truth":
        rows += read_rows(found, facts, afd, given, seed=seed)
    places, refused = take_places(found, structures, store, given, annotations)
    notes = [*store.messages(), *refused]
    unread = int(np.isnan(found.ef).sum())
    if unread:
        notes.append(
            f"No ejection fraction in {unread} of {clips(len(store))}: nothing is seen at ED."
        )
    ef = first = share = remedies = None
    settled: tuple[Settling, ...] = ()
    if len(store) >= LEAST:
        if found.counts:
            bare = predictions(student, store, **options) if pad else found
            errors = bare.frame_errors()
            if all((e == 1).all() for e in errors):
                notes.append("No frame has a Dice above 0: nothing is said of the first frames.")
            else:
                second = found.frame_errors() if pad else None
                first = first_frames(errors, padded=second, n_frames=30, rng=seed)
                settled = _settled(student, store, bare, pad, margin, how=how, largest=largest)
                remedies = try_remedies(student, store, pad=pad, how=how, seed=seed)
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
    result = Evaluation(
        rows=rows,
        afd=afd["ES"],
        afd_ed=afd["ED"],
        ef=ef,
        first=first,
        settled=settled,
        remedies=remedies,
        concentration=share,
        places=places,
        notes=tuple(notes),
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
    store: Store, found: Predictions, given: Readings, phase: str, seed: int
) -> Picks | None:
    """Return the picks by each protocol, against one annotator or the labelled frames."""
    if len(store) < LEAST:
        return None
    exact = None
    if store.kind == "truth":
        exact = [expected_area(np.asarray(store.clip(k).targets)[:, 0]) for k in range(len(store))]
    reference, rounds = labelled_frames(store.facts, phase), given.frames(phase)
    floor = given.noise if phase == "ES" else None
    if rounds is not None:
        reference = rounds.values[:, 0].tolist()
        floor = compare_noise(seen(rounds), n_tests=0, rng=seed).mae
    return score_picks(
        found.areas, store.facts, reference, floor=floor, exact=exact, phase=phase, seed=seed
    )


def read(
    facts: list[dict[str, Any]], rounds: Rounds | None, found: Predictions
) -> tuple[NDArray[np.int64], Any]:
    """Return the clips with both ejection fractions, and the student's and the reference's.

    The latter is None if there are too few of them.
    """
    reference = [f.get("ef") for f in facts] if rounds is None else rounds.values[:, 0].tolist()
    pairs = list(zip(found.ef.tolist(), reference, strict=True))
    kept = np.array(
        [k for k, p in enumerate(pairs) if is_number(p[0]) and is_number(p[1])], dtype=np.int64
    )
    table = np.array([pairs[k] for k in kept], dtype=float).T
    # Without any spread there is no correlation: an untrained student's masks are all alike.
    enough = len(kept) >= LEAST and np.ptp(table, axis=1).min() > 0
    return kept, table if enough else None
