"""Dice against the size of students, beside the ceiling that people's noise sets."""

import csv
import json

import numpy as np
import pytest

from annostat import AnnostatError, Estimate
from models.config import load_config
from models.data.clips import open_store
from models.data.settings import Data
from models.figures import plot_sweep
from models.finish import ceilings
from models.scaling import fit_laws, gflop_of, laws_of, mean_ceiling, read_ceiling
from models.sweep import write_summary
from tests.folders import EchoFolder

CEILING = Estimate(0.93, 0.004)


def sweep_rows(*, ceiling=CEILING.value, text=""):
    """Nine students whose loss is that of a perfect model plus a power of their size."""
    rows = []
    noise = np.exp(0.01 * np.random.default_rng(1).normal(size=9))
    for k, factor in enumerate(noise):
        size = int(5000 * 2**k)
        loss = (1 - ceiling + 3 * size**-0.5) * factor
        facts = {"tested_on": text, "against": "people's outlines", "blocks": k // 3 + 1}
        facts |= {"layers": k % 3 + 1, "parameters": size, "gflop": size / 3e5, "clips": 9}
        rows.append(facts | {"mean_dice": 1 - loss, "mean_iou": (1 - loss) / (1 + loss)})
    return rows


def test_operations_of_a_frame():
    """B3 L3 of 112²: 1.78 T over 32 clips of 25 frames; one block by hand."""
    phantom = load_config(preset="phantom", settings=["data.structures=[LV]"])
    assert 800 * gflop_of(phantom) == pytest.approx(5.33e3 / 3, rel=0.01)
    one = phantom.changed(["student.blocks=1", "student.layers=1", "data.size=16"])
    gates, head = 9 * (1 + 12) * 4 * 12, 12
    assert gflop_of(one) * 1e9 == pytest.approx(2 * 256 * (gates + head))


def test_the_law_with_the_given_ceiling_finds_the_exponent():
    rows = sweep_rows()
    for size in ("parameters", "gflop"):
        law = laws_of(rows, size, CEILING)
        assert law.given_floor.value == pytest.approx(0.07)
        fit = law.fit_of("power_given_floor")
        assert fit.exponent.low < 0.5 < fit.exponent.high
    told = laws_of(rows[:2], "parameters", CEILING)
    assert told.startswith("no law of Dice against parameters: a scaling law needs at least four")
    # A ceiling that students pass is no floor of their losses.
    assert "above all losses" in laws_of(rows, "parameters", Estimate(0.5, 0.01))


def test_ceilings_of_a_folder_that_two_people_drew(tmp_path):
    folder = EchoFolder.make(9, n_frames=10, size=32)
    for name, heart in folder.hearts.items():
        folder.row(name)["Split"] = "TEST"
        for frame in (heart.es, heart.ed):
            folder.retrace(name, frame, [heart.trace(frame), heart.trace(frame, scale=1.1)])
    folder.write(tmp_path / "E", codec="ffv1")
    store = open_store(Data(kind="echonet", path=str(tmp_path / "E"), size=32), "test", tmp_path)
    found = ceilings(store, ("LV",))
    assert 0.8 < found["LV"]["value"] < 1
    assert mean_ceiling(found, ("LV",)).value == found["LV"]["value"]
    assert mean_ceiling(found, ("LV", "LA")) is None and mean_ceiling({}, ("LV",)) is None


def test_the_figures_show_the_ceiling(tmp_path, capsys):
    rows = sweep_rows() + sweep_rows(ceiling=0.9, text="kind=camus")
    write_summary(tmp_path, rows, {"": CEILING, "kind=camus": None})
    text = capsys.readouterr().out
    assert "Dice against parameters: Exponent" in text
    assert "kind=camus: Dice against GFLOP a frame: Exponent" in text
    found = json.loads((tmp_path / "scaling.json").read_text())
    assert set(found) == {"", "kind=camus"} and set(found[""]) == {"parameters", "gflop"}
    assert (tmp_path / "scaling.png").stat().st_size > 10_000
    axes = plot_sweep(rows[:9], CEILING).axes[0]
    line = next(line for line in axes.lines if line.get_label() == "perfect model")
    assert line.get_ydata()[0] == CEILING.value
    laws, _ = fit_laws(rows, {"": CEILING})
    assert laws[""]["parameters"].given_floor and not laws["kind=camus"]["gflop"].given_floor


def test_the_ceiling_of_an_evaluation(tmp_path):
    path = tmp_path / "evaluation.json"
    path.write_text("{}")
    with pytest.raises(AnnostatError, match=r"is no evaluation\.json with outlined frames of LV"):
        read_ceiling(path, ("LV",))
    scores = {"Dice LV, outlined frames": {"bound": None}}
    path.write_text(json.dumps({"scores": scores}))
    with pytest.raises(AnnostatError, match="needs frames that two people outlined"):
        read_ceiling(path, ("LV",))
    scores["Dice LV, outlined frames"]["bound"] = CEILING.to_dict()
    path.write_text(json.dumps({"scores": scores}))
    assert read_ceiling(path, ("LV",)).value == CEILING.value


def test_rows_are_written_as_a_table():
    """What `fit_laws` takes may come from `sweep.csv`, too."""
    rows = sweep_rows()
    lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
    again = [
        {**row, **{k: float(row[k]) for k in ("parameters", "gflop", "mean_dice")}}
        for row in csv.DictReader(lines)
    ]
    assert fit_laws(again, {"": CEILING})[1] == fit_laws(rows, {"": CEILING})[1]
