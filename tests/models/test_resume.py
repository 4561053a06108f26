"""What may change when a run goes on, and what is looked for before it begins."""

import csv
import json
import sys
import types

import numpy as np
import pytest

from annostat import AnnostatError
from models.checkpoints import read_state
from models.config import Config, changes
from models.data.settings import Data
from models.network.settings import Net, Train
from models.network.step import Step
from models.train import train
from tests.folders import EchoFolder, synthetic

SMALL = Config(
    Data(size=16, frames=16, n_train=4, n_valid=2, n_test=2),
    Net(blocks=1, layers=1, filters=2),
    Train(epochs=2, batch=2, window=4, threads=1),
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def run(config, out, cache, **options):
    return train(config, out, cache=cache, device="cpu", quiet=True, **options)


def test_a_longer_training_goes_on(cache, tmp_path):
    """To the same end as one that was as long from the beginning."""
    long = SMALL.changed(["train.epochs=4", "train.patience=9"])
    run(long, tmp_path / "whole", cache)
    assert run(SMALL, tmp_path / "parts", cache)["epochs"] == 2
    other = [
        "train.epochs=4",
        "train.patience=9",
        "train.threads=2",
        "train.graph=false",
        "data.path=moved",
    ]
    assert run(SMALL.changed(other), tmp_path / "parts", cache)["epochs"] == 4
    one, two = (read_state(tmp_path / name / "last.pt") for name in ("whole", "parts"))
    for name, value in one["student"].items():
        assert np.allclose(value, two["student"][name], rtol=1e-5), name
    assert json.loads((tmp_path / "parts" / "result.json").read_text())["epochs"] == 4


def test_what_changes_the_result_may_not():
    new = SMALL.changed(["train.rate=0.1", "data.seed=4", "train.epochs=9"])
    assert changes(SMALL, new) == ["data.seed 1 → 4", "train.rate 0.001 → 0.1"]
    cosine = [c.changed(["train.schedule=cosine"]) for c in (SMALL, new)]
    assert "train.epochs 2 → 9" in changes(*cosine)


@pytest.fixture
def no_step(monkeypatch):
    """Any training step is one too many."""

    def stepped(self, *given):
        raise AssertionError("a step was taken")

    monkeypatch.setattr(Step, "__call__", stepped)


def test_a_logger_that_is_missing_is_told_before_training(cache, tmp_path, no_step, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(AnnostatError, match=r"needs tensorboard: pip install it, or set it"):
        run(SMALL.changed(["train.tensorboard=true"]), tmp_path, cache)


def test_a_folder_that_cannot_be_written_is_told_before_training(cache, tmp_path, no_step):
    (tmp_path / "file").write_text("")
    with pytest.raises(AnnostatError, match="cannot be written"):
        run(SMALL, tmp_path / "file", cache)


def test_events_come_with_each_epoch_and_may_be_switched_on_later(cache, tmp_path, monkeypatch):
    seen = []

    class Writer:
        def __init__(self, folder, purge_step=None):
            seen.append(("opened", purge_step))

        def add_scalar(self, name, value, step):
            if name == "valid_loss":
                seen.append((name, step))

        def flush(self):
            seen.append(("flushed", len(rows)))

        def close(self):
            seen.append(("closed", None))

    module = types.SimpleNamespace(SummaryWriter=Writer)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    rows = []
    run(SMALL.changed(["train.epochs=1"]), tmp_path, cache, watch=rows.append)
    assert [r["epoch"] for r in rows] == [1] and not seen
    later = SMALL.changed(["train.epochs=3", "train.tensorboard=true"])
    run(later, tmp_path, cache, watch=rows.append)
    assert [r["epoch"] for r in rows] == [1, 2, 3]
    assert seen == [
        ("opened", 2),
        ("valid_loss", 2),
        ("flushed", 2),
        ("valid_loss", 3),
        ("flushed", 3),
        ("closed", None),
    ]


# ---- folders


@pytest.fixture
def echo(tmp_path):
    """A folder and the masks of teachers for training and validation, not for test."""
    made = EchoFolder.make(5, n_frames=12, size=32)
    (tmp_path / "T").mkdir()
    for row in made.rows:
        if row["Split"] != "TEST":
            masks = np.zeros((12, 32, 32), np.uint8)
            masks[:, 8:24, 8:24] = 220
            np.savez(tmp_path / "T" / f"{row['FileName']}.npz", masks)
    teacher = f"LV=folder:{tmp_path / 'T'}"
    data = Data(kind="echonet", path=str(tmp_path / "E"), size=32, teachers=(teacher,))
    return made, Config(data, SMALL.student, SMALL.train)


def test_a_run_on_a_folder_is_scored_against_people(echo, cache, tmp_path):
    """The teachers have no masks of the test clips, and none are needed."""
    made, config = echo
    made.write(tmp_path / "E")
    result = run(config, tmp_path / "run", cache)
    assert result["against"] == "people's outlines" and set(result["test"]) == {"LV"}
    assert 0 <= result["test"]["LV"]["dice"]["value"] <= 1
    assert "no masks of 1 of 1 clip," in result["notes"][0]
    rows = list(csv.DictReader((tmp_path / "run" / "log.csv").read_text().splitlines()))
    assert all(0 <= float(r["human_dice_LV"]) <= 1 for r in rows)
    assert (tmp_path / "run" / "masks.png").exists()


def test_what_the_end_lacks_is_told_at_the_beginning(echo, cache, tmp_path, no_step):
    """Neither people's outlines nor teachers' masks of the test clips."""
    made, config = echo
    synthetic(made).write(tmp_path / "E", tracings=False)
    with pytest.raises(AnnostatError, match="nothing is there to score against"):
        run(config, tmp_path / "run", cache)
