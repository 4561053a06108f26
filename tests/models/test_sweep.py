"""B × L in one command, which goes on where it was stopped."""

import csv

import pytest

from annostat import AnnostatError
from models import sweep
from models.sweep import as_markdown, numbers
from models.trainer import Stopped

SET = ["data.size=16", "data.frames=16", "data.n_train=2", "data.n_valid=1", "data.n_test=2",
       "train.epochs=1", "train.batch=2", "train.window=3", "student.filters=2"]  # fmt: skip


def call(folder, *more):
    command = ["--preset", "phantom-tiny", "--blocks", "1,2", "--layers", "1,2", "--quiet",
               "--out", str(folder / "sweep"), "--cache", str(folder / "clips"), *more]  # fmt: skip
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
    assert [(r["blocks"], r["layers"]) for r in rows] == [("1", "1"), ("1", "2"), ("2", "1"),
                                                          ("2", "2")]  # fmt: skip
    assert all(0 <= float(r["mean_iou"]) <= float(r["mean_dice"]) <= 1 for r in rows)
    assert (tmp_path / "sweep" / "sweep.png").exists()
    assert "| B = 2 |" in capsys.readouterr().out


def test_table():
    rows = [{"blocks": 1, "layers": 2, "mean_iou": 0.5, "mean_dice": 0.75},
            {"blocks": 3, "layers": 1, "mean_iou": 0.25, "mean_dice": 0.5}]  # fmt: skip
    assert as_markdown(rows) == (
        "| mean IoU / mean Dice | L = 1 | L = 2 |\n|---|---|---|\n"
        "| B = 1 |  | 0.500 / 0.750 |\n| B = 3 | 0.250 / 0.500 |  |\n"
    )
    assert numbers("3,1,1") == [1, 3]
    with pytest.raises(AnnostatError, match="numbers of at least 1"):
        numbers("0,x")
