"""Generated folders of every kind: through the one command, and a perfect student at the floor."""

import csv
import json

import numpy as np
import pytest

from annostat import AnnostatError
from annostat.datasets import read_camus, read_echonet
from models import try_folder
from models.config import Config
from models.data.clips import open_store
from models.data.outlines import with_outlines
from models.data.readings import read_readings, with_labels
from models.data.settings import Data
from models.evaluation import evaluate
from models.try_folder import KINDS
from models.world.folders import CAMUS_LABELS, Made, write_folder
from tests.models.test_evaluate import Exact


def run(*arguments):
    with pytest.raises(SystemExit) as end:
        try_folder.main([str(a) for a in arguments])
    return end.value.code


@pytest.mark.parametrize("kind", KINDS)
def test_one_command_ends_with_a_page(kind, tmp_path):
    """Train, infer, evaluate, report; the second time nothing is made anew."""
    assert run(kind, "--out", tmp_path, "--quick", "--quiet") == 0
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    people = {"echonet": "people's outlines", "camus": "people's labels"}
    assert result["against"] == people.get(kind, "the teachers' masks")
    rows = list(csv.DictReader((tmp_path / "masks" / "clips.csv").read_text().splitlines()))
    broken = [row["clip"] for row in rows if row["error"]]
    assert broken == (["0XBROKEN"] if kind == "echonet" else []) and len(rows) >= 15
    found = json.loads((tmp_path / "scores" / "evaluation.json").read_text())
    outlined = found["scores"]["Dice LV, outlined frames"]
    assert outlined["bound"]["value"] > 0.5 and outlined["human"]["value"] is not None
    assert (outlined["teachers"] is None) == (kind == "camus")
    assert {"outlines LV", "EF"} & set(found["interchange"])
    assert "perfect model" in (tmp_path / "scores" / "evaluation.html").read_text()
    before = (tmp_path / "run" / "result.json").stat().st_mtime_ns
    assert run(kind, "--out", tmp_path, "--quick", "--quiet") == 0
    assert (tmp_path / "run" / "result.json").stat().st_mtime_ns == before


MADE = Made(1, 1, 12, frames=150, size=40)


def stored(kind, path):
    """Return the test clips with the truth as teacher, and the options of people."""
    names = tuple(CAMUS_LABELS) if kind == "camus" else ("LV",)
    inner = {s: f"/{s}" if kind == "camus" else "" for s in names}
    teachers = tuple(f"{s}=folder:{path / 'teacher'}{inner[s]}" for s in names)
    data = Data(
        kind="camus" if kind == "camus" else "echonet",
        path=str(path / "data"),
        size=MADE.size,
        structures=names,
        teachers=teachers,
    )
    store = open_store(data, "test", path / "cache")
    people = {"echonet": (), "synthetic": ("anna", "ben"), "camus": ("second",)}[kind]
    store = with_outlines(store, data, [path / person for person in people])
    readings, _ = read_readings(path / "rounds.csv", store)
    return with_labels(store, readings), data, readings


@pytest.mark.parametrize("kind", KINDS)
def test_a_perfect_student_sits_at_the_floor_in_every_kind_of_data(kind, tmp_path):
    """On clips of 150 frames, of three or four beats (CAMUS: half a beat)."""
    write_folder(kind, tmp_path / "f", MADE)
    store, data, readings = stored(kind, tmp_path / "f")
    result, _ = evaluate(Exact(store).eval(), store, Config(data), readings=readings)
    rows = {r.name: r for r in result.rows}

    def meets(score, bound, name):
        spread = np.hypot(score.standard_uncertainty, bound.standard_uncertainty or 0)
        assert abs(score.value - bound.value) < 3 * spread + 0.01, (kind, name)

    outlined = rows["Dice LV, outlined frames"]
    meets(outlined.human, outlined.bound, "Dice")
    assert outlined.teachers.value == 1
    meets(rows["RMSE of EF"].one, rows["RMSE of EF"].bound, "EF")
    place = result.places["outlines LV"].models[0]
    assert place.change.value < 0 and place.standing.name == "better than a reader"
    if kind == "camus":
        # The labelled frames are the ends of the clip.
        assert rows["aFD of ES"].human.value < 3
        return
    for phase, picks in (("ES", result.afd), ("ED", result.afd_ed)):
        meets(rows[f"aFD of {phase}"].one, rows[f"aFD of {phase}"].bound, phase)
        assert picks.wrong_beat["beat"] == 0
        assert picks.scores["beat"].floor is not None


def test_the_quirks_are_there(tmp_path):
    made = Made(4, 2, 2, frames=30, size=32)
    write_folder("echonet", tmp_path / "e", made)
    folder = read_echonet(tmp_path / "e" / "data")
    assert len(folder.clips) == 9 and "0XBROKEN" in folder.videos.files
    assert set(folder.clips["width"]) == {32, 40}
    phases = folder.phases()
    first = phases["first_frame"] == phases["es_frame"]
    assert first.any() and not first.all()
    assert {t.annotator for t in folder.traces} == {0, 1}
    write_folder("synthetic", tmp_path / "s", made)
    folder = read_echonet(tmp_path / "s" / "data")
    assert folder.variant == "synthetic" and not folder.traces
    assert folder.clips["edv_ml"].isna().all() and (folder.clips["ef"] % 1 == 0).all()
    write_folder("camus", tmp_path / "c", made)
    table = read_camus(tmp_path / "c" / "data").table
    assert set(table["split"]) == {"training", "validation", "testing"}
    assert set(table["ed_frame"] < table["es_frame"]) == {True, False}
    with pytest.raises(AnnostatError, match="holds something already"):
        write_folder("camus", tmp_path / "c", made)
