"""Masks of whole clips, their scores beside the bounds, and the commands."""

import json

import numpy as np
import pytest
import torch

from annostat import AnnostatError, NoiseModel
from annostat.datasets import read_mask_folder
from models import evaluate as evaluate_command
from models import infer as infer_command
from models.checkpoints import build_student, save_weights
from models.config import Config, Data, Net, Train
from models.data.clips import open_store
from models.data.reference import truth_of
from models.evaluate import evaluate
from models.network.predict import predict
from models.scores import Predictions, beat_of, mean_estimate, overlaps, score
from models.world.annotators import Noise, annotate
from tests.folders import write_clip

CONFIG = Config(
    Data(size=32, frames=24, n_train=1, n_valid=1, n_test=16, structures=("LV", "LA")),
    Net(blocks=2, layers=1, filters=2),
    Train(window=8),
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def store(cache):
    return open_store(CONFIG.data, "test", cache)


@pytest.fixture(scope="module")
def student():
    torch.manual_seed(0)
    return build_student(CONFIG).eval()


@pytest.fixture(scope="module")
def weights(student, tmp_path_factory):
    path = tmp_path_factory.mktemp("w") / "best.safetensors"
    save_weights(path, student.state_dict(), CONFIG, {})
    return path


def perfect(store):
    """Return the predictions of a model that knows the truth."""
    clips = [store.clip(k) for k in range(len(store))]
    outlines = np.stack([c.targets[[c.facts["ed"], c.facts["es"]], 0] >= 128 for c in clips])
    counts = [np.repeat((c.targets >= 128).sum((2, 3)).T[..., None], 3, axis=2) for c in clips]
    return Predictions(store.names, counts, 32 * 32, outlines,
                       np.array([float(c.facts["es"]) for c in clips]),
                       np.array([c.facts["ef"] for c in clips]))  # fmt: skip


# ---- masks


def run(command, *arguments):
    with pytest.raises(SystemExit) as end:
        command.main([str(a) for a in arguments])
    return end.value.code


def test_infer_writes_what_teachers_write(weights, student, store, tmp_path, capsys):
    clips = tmp_path / "clips"
    clips.mkdir()
    frames = np.array(store.clip(2).frames)
    np.save(clips / "a.npy", frames)
    write_clip(clips / "b.avi", frames, codec="ffv1")
    out = tmp_path / "masks"
    assert run(infer_command, weights, clips, "--out", out, "--pad", 3, "--quiet") == 0
    wanted = predict(student, frames, pad=3)
    for k, structure in enumerate(("LV", "LA")):
        folder = read_mask_folder(out / structure, kind="uint8")
        assert sorted(folder.files) == ["a", "b"]
        assert np.array_equal(folder.raw("a"), wanted[:, k])
        assert np.array_equal(folder.raw("b"), wanted[:, k])
    # A broken clip is told at the end, the others are done; another speed is warned of.
    np.save(clips / "c.npy", frames.astype(float))
    with pytest.raises(AnnostatError, match=r"1 clips have no masks: c \(c.npy must hold uint8"):
        infer_command.main(
            [str(weights), str(clips), "--out", str(out), "--stride", "2"], standalone_mode=False
        )
    assert "every 1. frame and is used on every 2." in capsys.readouterr().err


# ---- scores


def test_a_perfect_model_meets_the_bounds(store):
    """Scored like a model, the truth reaches what the two rounds predict of a perfect one."""
    noise = Noise(0.8, NoiseModel.with_mae("laplace", 2.0), 5.0)
    rows = {
        r.name: r for r in score(perfect(store), store, annotate(truth_of(store), noise, seed=2))
    }
    assert rows["Dice at ED and ES"].truth.value == 1 and rows["aFD of ES"].truth.value == 0
    for row in rows.values():
        gap = row.one.value - row.bound.value
        spread = np.hypot(row.one.standard_uncertainty, row.bound.standard_uncertainty or 0)
        assert abs(gap) < 3 * spread, row.name


def test_overlaps_against_plain_means(store):
    found = overlaps(perfect(store), ("LV", "LA"))
    assert found["LV"]["dice"].value == 1 and found["LA"]["iou"].value == 1
    counts = np.array([[[2, 3, 5], [0, 0, 0]]])
    other = Predictions(["a", "b"], [counts, counts], 64, None, np.zeros(2), np.zeros(2))
    assert overlaps(other, ("LV",))["LV"]["dice"].value == pytest.approx((4 / 8 + 1) / 2)
    assert overlaps(other, ("LV",))["LV"]["iou"].value == pytest.approx((2 / 6 + 1) / 2)


def test_means_with_intervals():
    values = np.random.default_rng(0).gamma(2, 1, 200)
    plain = mean_estimate(values)
    assert plain.value == pytest.approx(values.mean()) and plain.low < 2 < plain.high
    assert plain.standard_uncertainty == pytest.approx(values.std(ddof=1) / 200**0.5, rel=1e-6)
    root = mean_estimate(values**2, root=True)
    assert root.value == pytest.approx(np.sqrt(np.mean(values**2))) and root.low < root.value
    share = mean_estimate(1 - values / 20, share=True)
    assert share.value == pytest.approx(1 - values.mean() / 20) and share.high < 1
    gone = mean_estimate(np.array([1.0, np.nan, 3.0]))
    assert gone.value == 2 and "1 of 3 have none" in gone.note
    assert np.isnan(mean_estimate(np.array([np.nan])).value)


def test_beat_is_read_from_soft_masks(store):
    for k in range(5):
        clip = store.clip(k)
        es, ef = beat_of(np.asarray(clip.targets[:, 0]), clip.facts["beat"])
        assert abs(es - clip.facts["es"]) <= 2
        assert abs(ef - clip.facts["ef"]) < 8  # a ventricle of 300 pixels
    assert np.isnan(beat_of(np.zeros((9, 4, 4), np.uint8), None)).all()


def test_evaluation_of_the_phantom(weights, cache, tmp_path, capsys):
    arguments = [weights, "--out", tmp_path, "--cache", cache, "--pad", 5, "--quiet"]
    assert run(evaluate_command, *arguments) == 0
    found = json.loads((tmp_path / "evaluation.json").read_text())
    assert set(found) == {"scores", "afd", "ef", "first_frames", "concentration", "provenance"}
    names = {"Dice LV, all frames", "IoU LV, all frames", "Dice LA, all frames",
             "IoU LA, all frames", "Dice at ED and ES", "IoU at ED and ES", "aFD of ES",
             "RMSE of EF"}  # fmt: skip
    assert set(found["scores"]) == names
    for name in ("Dice at ED and ES", "aFD of ES", "RMSE of EF"):
        assert all(found["scores"][name][c]["value"] is not None
                   for c in ("truth", "one", "two", "bound"))  # fmt: skip
    assert found["provenance"]["options"]["pad"] == 5
    assert (tmp_path / "evaluation.png").stat().st_size > 10_000
    assert "perfect model" in capsys.readouterr().out


def test_evaluation_of_labelled_folders(student, store):
    """Without a phantom there are no annotators; the labels take the truth's place."""
    config = Config(Data(kind="echonet", path="x"), CONFIG.student)
    result, _ = evaluate(student, store, config)
    assert [r.bound for r in result.rows] == [None, None] and result.afd.floor is None
    assert result.to_dict()["scores"]["Dice LV, all frames"]["one"] is None
    assert set(result.to_frame()["against"]) == {"truth"}
