"""Whole validation clips are scored against what people read of them, and nothing else moves."""

import csv
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from annostat.cardiac import disc_volumes
from models.checkpoints import read_state
from models.config import Config
from models.data.reference import with_outlined_ef
from models.data.settings import Data
from models.data.store import Outline, Store
from models.figures import plot_curves
from models.network.predict import predict
from models.network.settings import Net, Train
from models.network.weights import make_student
from models.predictions import beat_of
from models.train import train
from models.whole import COLUMNS, against_readings, read_by_people
from tests.folders import EchoFolder

N, T, SIZE = 7, 14, 16


def make_store(facts, **options):
    """Clips of noise with the given facts."""
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (len(facts) * T, SIZE, SIZE)).astype(np.uint8)
    lengths = np.full(len(facts), T)
    names = [f"clip-{k}" for k in range(len(facts))]
    return Store(names, lengths, frames, frames[:, None], facts, "teachers", **options)


@pytest.fixture
def net():
    """A student whose masks are neither empty nor full."""
    torch.manual_seed(3)
    net = make_student(Net(blocks=1, layers=1, filters=2), 1).eval()
    with torch.no_grad():
        net.head.weight.mul_(200)
        net.head.bias.zero_()
    return net


def world(rank=0, size=1, add=lambda x: x):
    return SimpleNamespace(rank=rank, size=size, device=torch.device("cpu"), sum=add)


FACTS = [
    {"beat": [1, 12], "ed": 1, "es": 8, "ef": 50.0},
    {"beat": [0, 10], "ed": 9, "es": 2, "ef": 61.0},
    {"beat": [0, 14], "ef": 40.0},
    {"beat": [0, 14], "ed": 0, "es": 7, "ef": None},
    {"fps": 50},
    {"beat": [2, 14], "ed": 2, "es": 9, "ef": float("nan")},
    {"beat": [1, 14], "ed": 1, "es": 6, "ef": 35.0},
]


def test_the_figures_are_means_over_the_clips_with_a_reading(net):
    store = make_store(FACTS)
    found = against_readings(net, store, 64, world())
    # Of each clip by itself, the numbers written out.
    es_off, squares = [], []
    for k, known in enumerate(FACTS):
        if k == 4:
            continue
        soft = predict(net, np.asarray(store.clip(k).frames))[:, 0]
        ed, es = known.get("ed"), known.get("es")
        pick, ef = beat_of(soft, known["beat"], from_es=ed is not None and es < ed)
        if es is not None:
            es_off.append(abs(pick - es))
        if np.isfinite(known["ef"] if known["ef"] is not None else np.nan):
            squares.append((ef - known["ef"]) ** 2)
    assert list(found) == list(COLUMNS)
    assert found["human_afd_ES"] == pytest.approx(np.nanmean(es_off), rel=1e-12)
    assert found["human_rmse_EF"] == pytest.approx(np.nanmean(squares) ** 0.5, rel=1e-12)


def test_several_processes_add_up_to_one(net):
    store, parts = make_store(FACTS), []

    def keep(x):
        parts.append(x.clone())
        return x

    for rank in (0, 1, 2):
        against_readings(net, store, 64, world(rank, 3, keep))
    whole = against_readings(net, store, 64, world())
    sums, counts = torch.stack(parts).sum(0).T
    means = (sums / counts).tolist()
    assert [*means[:2], means[2] ** 0.5] == pytest.approx(list(whole.values()), rel=1e-12)


def test_few_clips_are_spread_over_all_that_people_read():
    store = make_store([{"ef": 50.0} for _ in range(100)])
    assert read_by_people(store, 4) == [0, 25, 50, 75]
    assert len(set(read_by_people(store, 64))) == 64 and read_by_people(store, 0) == []
    assert read_by_people(make_store(FACTS), 64) == [0, 1, 2, 3, 5, 6]
    # The phantom's facts are true, and nobody has read them.
    assert read_by_people(replace(store, kind="truth"), 64) == []


def disc(radius):
    y, x = np.mgrid[:32, :32] - 15.5
    return (255 * (np.hypot(x, 1.4 * y) < radius)).astype(np.uint8)


def test_an_ejection_fraction_that_is_not_listed_is_that_of_the_outlines():
    drawn = [
        [Outline(3, "LV", 0, disc(10)), Outline(8, "LV", 0, disc(7))],
        [
            Outline(3, "LV", 0, disc(11)),
            Outline(3, "LV", 1, disc(10)),
            Outline(8, "LV", 1, disc(8)),  # the first person did not draw ES
        ],
        [Outline(3, "LV", 0, disc(10)), Outline(8, "LA", 0, disc(7))],
        [Outline(3, "LV", 0, disc(10)), Outline(8, "LV", 0, disc(7))],
    ]
    facts = [{"ed": 3, "es": 8, "ef": None} for _ in drawn[:3]] + [{"ed": 3, "es": 8, "ef": 55.0}]
    store = with_outlined_ef(make_store(facts, outlines=drawn), "LV")

    def ef(a, b):
        ed, es = disc_volumes(np.stack([disc(a), disc(b)]) > 127)
        return 100 * (1 - es / ed)

    found = [f["ef"] for f in store.facts]
    assert found[:2] == pytest.approx([ef(10, 7), ef(10, 8)])
    assert found[0] == pytest.approx(100 * (1 - 0.7**3), abs=3)
    assert found[2:] == [None, 55.0]
    note = "no ejection fraction is listed of 2 clips: it is that of people's outlines"
    assert store.notes == [note]
    assert facts[0]["ef"] is None  # what was given stays


# ---- runs


@pytest.fixture
def echo(tmp_path):
    """A folder of five clips with a teacher's masks."""
    made = EchoFolder.make(5, n_frames=12, size=32)
    made.write(tmp_path / "E")
    (tmp_path / "T").mkdir()
    for row in made.rows:
        masks = np.zeros((12, 32, 32), np.uint8)
        masks[:, 8:24, 8:24] = 220
        np.savez(tmp_path / "T" / f"{row['FileName']}.npz", masks)
    teacher = f"LV=folder:{tmp_path / 'T'}"
    data = Data(kind="echonet", path=str(tmp_path / "E"), size=32, teachers=(teacher,))
    net = Net(blocks=1, layers=1, filters=2)
    return Config(data, net, Train(epochs=3, batch=2, window=4, rate=0.01, threads=1))


def run(config, out, cache, **options):
    train(config, out, cache=cache, device="cpu", quiet=True, **options)
    return list(csv.DictReader((out / "log.csv").read_text().splitlines()))


def same_weights(one, two):
    a, b = (read_state(path / "last.pt")["student"] for path in (one, two))
    return all(torch.equal(a[name], b[name]) for name in a)


def test_the_log_has_them_and_the_training_is_the_same(echo, tmp_path):
    seen = []
    whole = run(echo, tmp_path / "whole", tmp_path / "c", watch=seen.append)
    for row, told in zip(whole, seen, strict=True):
        dice, iou = float(row["human_dice_LV"]), float(row["human_iou_LV"])
        assert iou == pytest.approx(dice / (2 - dice)) and told["human_iou_LV"] == iou
    assert set(COLUMNS) & set(whole[0])
    assert len(plot_curves(seen).axes) == 3
    none = run(echo.changed(["train.whole_clips=0"]), tmp_path / "none", tmp_path / "c")
    assert not set(COLUMNS) & set(none[0]) and none[0]["human_iou_LV"]
    assert same_weights(tmp_path / "whole", tmp_path / "none")


def test_a_run_that_is_gone_on_with_is_the_same_to_the_bit(echo, tmp_path):
    """Switched off for an epoch, whose columns stay empty, and on again."""
    first = echo.changed(["train.epochs=1", "train.whole_clips=0"])
    run(first, tmp_path / "parts", tmp_path / "c")
    parts = run(echo, tmp_path / "parts", tmp_path / "c")
    whole = run(echo, tmp_path / "whole", tmp_path / "c")
    assert same_weights(tmp_path / "parts", tmp_path / "whole")
    columns = [c for c in COLUMNS if c in whole[0]]
    assert columns and [parts[0][c] for c in columns] == [""] * len(columns)
    kept = ("valid_loss", "human_dice_LV", *columns)
    assert [[r[c] for c in kept] for r in parts[1:]] == [[r[c] for c in kept] for r in whole[1:]]
