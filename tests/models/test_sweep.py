"""B × L in one command, which goes on where it was stopped."""

import csv
import json

import pytest

from annostat import AnnostatError
from models import sweep
from models.config import load_config
from models.data.clips import open_store
from models.data.settings import Data
from models.network.step import Step
from models.sweep import as_markdown, numbers
from models.trainer import Stopped
from tests.folders import write_camus

SET = [
    "data.size=16",
    "data.frames=16",
    "data.n_train=2",
    "data.n_valid=1",
    "data.n_test=2",
    "train.epochs=1",
    "train.batch=2",
    "train.window=3",
    "student.filters=2",
]


def call(folder, *more):
    command = [
        "--preset",
        "phantom-tiny",
        "--blocks",
        "1,2",
        "--layers",
        "1,2",
        "--quiet",
        "--out",
        str(folder / "sweep"),
        "--cache",
        str(folder / "clips"),
        *more,
    ]
    for text in SET:
        command += ["--set", text]
    with pytest.raises(SystemExit) as end:
        sweep.main(command)
    return end.value.code


def test_sweep_goes_on(tmp_path, monkeypatch, capsys):
    plain, calls = sweep.train, []

    def stopped(config, out, **options):
        calls.append(out.name)
        if len(calls) == 3:
            raise Stopped
        return plain(config, out, **options)

    monkeypatch.setattr(sweep, "train", stopped)
    assert call(tmp_path) == sweep.STOPPED
    kept = (tmp_path / "sweep" / "B1L2" / "result.json").stat().st_mtime_ns
    assert call(tmp_path) == 0
    assert calls == ["B1L1", "B1L2", "B2L1", "B1L1", "B1L2", "B2L1", "B2L2"]
    assert (tmp_path / "sweep" / "B1L2" / "result.json").stat().st_mtime_ns == kept
    rows = list(csv.DictReader((tmp_path / "sweep" / "sweep.csv").read_text().splitlines()))
    assert [(r["blocks"], r["layers"]) for r in rows] == [
        ("1", "1"),
        ("1", "2"),
        ("2", "1"),
        ("2", "2"),
    ]
    assert all(0 <= float(r["mean_iou"]) <= float(r["mean_dice"]) <= 1 for r in rows)
    assert (tmp_path / "sweep" / "sweep.png").exists()
    assert "| B = 2 |" in capsys.readouterr().out


def test_trained_students_are_scored_on_other_clips(tmp_path, monkeypatch, capsys):
    """The same command with further test clips trains nothing, and ends with a table for each."""
    assert call(tmp_path) == 0

    def stepped(self, *given):
        raise AssertionError("a step was taken")

    monkeypatch.setattr(Step, "__call__", stepped)
    path, _ = write_camus(tmp_path / "C", n=6)
    texts = f"data.tests=['kind=phantom,seed=9,n_test=3', 'kind=camus,path={path},view=2CH']"
    assert call(tmp_path, "--set", texts) == 0
    rows = list(csv.DictReader((tmp_path / "sweep" / "sweep.csv").read_text().splitlines()))
    assert len(rows) == 12 and [r["clips"] for r in rows[:3]] == ["2", "3", "2"]
    assert [r["against"] for r in rows[:3]] == ["the truth", "the truth", "people's labels"]
    out = capsys.readouterr().out
    assert out.count("| B = 2 |") == 4 and "view=2CH, against people's labels:" in out
    result = json.loads((tmp_path / "sweep" / "B1L1" / "result.json").read_text())
    assert len(result["tests"]) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data.tests=[CAMUS]", "take texts such as kind=camus,path=CAMUS"),
        ("data.tests=['knd=camus']", "did you mean 'kind'"),
        ("data.tests=['kind=camus,n_test=x']", "n_test in"),
        ("data.valid='size=3'", "setting in 'size=3' must be one of"),
    ],
)
def test_wrong_test_sets_are_told(text, message):
    with pytest.raises(AnnostatError, match=message):
        load_config(preset="phantom-tiny", settings=[text])


def test_validation_on_another_folder(tmp_path):
    path, _ = write_camus(tmp_path / "C", n=6)
    data = Data(size=16, frames=16, n_train=2, n_valid=1, n_test=1, valid=f"kind=camus,path={path}")
    store = open_store(data, "valid", tmp_path)
    assert store.names[0].endswith("_4CH") and store.kind == "labels" and len(store) == 1
    assert open_store(data, "train", tmp_path).names[0].startswith("phantom")


def test_table():
    rows = [
        {"tested_on": "", "blocks": 1, "layers": 2, "mean_iou": 0.5, "mean_dice": 0.75},
        {"tested_on": "", "blocks": 3, "layers": 1, "mean_iou": 0.25, "mean_dice": 0.5},
    ]
    assert as_markdown(rows) == (
        "| mean IoU / mean Dice | L = 1 | L = 2 |\n|---|---|---|\n"
        "| B = 1 |  | 0.500 / 0.750 |\n| B = 3 | 0.250 / 0.500 |  |\n"
    )
    assert numbers("3,1,1") == [1, 3]
    with pytest.raises(AnnostatError, match="numbers of at least 1"):
        numbers("0,x")
