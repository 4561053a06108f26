"""Training: what is written, restarts, several processes, and what goes wrong."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from annostat import AnnostatError
from models.checkpoints import load_state, load_student
from models.config import PRESETS, Config, Data, Net, Train, load_config
from models.network.step import Step
from models.network.student import Student
from models.train import STOPPED, train
from models.trainer import Stopped
from models.world.phantom import make_clip

TINY = Config(
    Data(size=16, frames=16, n_train=8, n_valid=3, n_test=2, structures=("LV", "MYO")),
    Net(blocks=2, layers=1, filters=4),
    Train(epochs=3, batch=4, window=5, rate=3e-3, threads=1, ema=0.9, schedule="cosine"),
)
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def whole(tmp_path_factory, cache):
    """A run without any interruption."""
    out = tmp_path_factory.mktemp("whole")
    train(TINY, out, cache=cache, device="cpu", quiet=True)
    return out


def same_run(a, b):
    """Assert that two runs ended in the same state, bit for bit."""
    one, two = (load_state(folder / "last.pt") for folder in (a, b))
    for part in ("student", "average"):
        for name, value in one[part].items():
            assert torch.equal(value, two[part][name]), name
    for key, moments in one["step"]["optimiser"]["state"].items():
        for name, value in moments.items():
            assert torch.equal(value, two["step"]["optimiser"]["state"][key][name])
    assert torch.equal(one["random"]["torch"], two["random"]["torch"])
    times = ("wall_s", "cpu_s", "clips_per_s")
    rows = [
        [{k: v for k, v in row.items() if k not in times} for row in state["history"]]
        for state in (one, two)
    ]
    assert rows[0] == rows[1]
    assert (a / "best.safetensors").read_bytes() == (b / "best.safetensors").read_bytes()


def command(out, cache, *more):
    settings = {
        "data": TINY.to_dict()["data"],
        "student": TINY.to_dict()["student"],
        "train": TINY.to_dict()["train"],
    }
    file = cache / "tiny.yaml"
    file.write_text(json.dumps(settings))
    return [
        "--config",
        str(file),
        "--out",
        str(out),
        "--cache",
        str(cache),
        "--device",
        "cpu",
        *more,
    ]


def test_everything_is_written(whole):
    names = {
        "config.json",
        "log.csv",
        "last.pt",
        "best.safetensors",
        "best.json",
        "curves.png",
        "masks.png",
        "result.json",
    }
    assert {path.name for path in whole.iterdir()} == names
    rows = list(csv.DictReader((whole / "log.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert float(rows[-1]["train_loss"]) < float(rows[0]["train_loss"])
    student, config = load_student(whole / "best.safetensors")
    assert config == TINY and not student.training
    result = json.loads((whole / "result.json").read_text())
    assert set(result["test"]) == {"LV", "MYO"} and result["n_test_clips"] == 2


def test_a_finished_run_stays_as_it_is(whole, cache):
    before = (whole / "last.pt").read_bytes()
    train(TINY, whole, cache=cache, device="cpu", quiet=True)
    assert (whole / "last.pt").read_bytes() == before


@pytest.mark.parametrize("batches", [1, 2, 3])
def test_stopped_by_sigterm_goes_on_bit_for_bit(batches, whole, cache, tmp_path, monkeypatch):
    """Within an epoch (1, 3 batches of 2 an epoch) and at the end of one (2)."""
    plain, seen = Step.__call__, []

    def counted(self, *given):
        seen.append(1)
        if len(seen) == batches:
            signal.raise_signal(signal.SIGTERM)
        return plain(self, *given)

    monkeypatch.setattr(Step, "__call__", counted)
    with pytest.raises(Stopped):
        train(TINY, tmp_path, cache=cache, device="cpu", quiet=True)
    assert load_state(tmp_path / "last.pt")["step"]["done"] == batches
    train(TINY, tmp_path, cache=cache, device="cpu", quiet=True)
    same_run(whole, tmp_path)


def test_killed_run_loses_at_most_its_epoch(whole, cache, tmp_path):
    """SIGKILL while the second epoch runs: the state of the first is there, and goes on."""
    code = (
        "import time, models.train as t\n"
        "from models.network.step import Step\n"
        "plain = Step.__call__\n"
        "def slow(self, *given):\n"
        "    time.sleep(0.3 if self.done >= 2 else 0)\n"
        "    return plain(self, *given)\n"
        "Step.__call__ = slow; t.run_command(t.main)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, *command(tmp_path, cache)], cwd=ROOT, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "log.csv").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert load_state(tmp_path / "last.pt")["epoch"] == 1
    train(TINY, tmp_path, cache=cache, device="cpu", quiet=True)
    same_run(whole, tmp_path)


def test_two_processes_equal_one(cache, tmp_path):
    """With statistics shared, two gloo processes take the steps of one; in double precision.

    In single precision Adam's first steps turn the rounding of small gradients into whole steps.
    """
    code = (
        "import torch, models.train as t; torch.set_default_dtype(torch.float64); "
        "t.run_command(t.main)"
    )
    script = tmp_path / "double.py"
    script.write_text(code)
    more = ("--set", "train.shared_norm=true", "--set", "train.ema=0", "--quiet")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    python = {
        "one": [sys.executable],
        "two": [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--nproc-per-node=2",
            "--standalone",
        ],
    }
    for name, start in python.items():
        subprocess.run(
            [*start, str(script), *command(tmp_path / name, cache, *more)],
            check=True,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            timeout=120,
        )
    one, both = (load_state(tmp_path / name / "last.pt") for name in python)
    for mine, theirs in zip(one["history"], both["history"], strict=True):
        for name in ("train_loss", "valid_loss", "dice_LV", "dice_MYO"):
            assert mine[name] == pytest.approx(theirs[name], abs=1e-9)
    for name, value in one["student"].items():
        assert torch.allclose(value, both["student"][name], atol=1e-8), name


def test_one_clip_is_learnt_by_heart():
    clip = make_clip(3, 0, size=32, frames=12)
    torch.manual_seed(0)
    net = Student(2, 1, filters=8)
    step = Step(net, Train(rate=1e-2), torch.device("cpu"), 60)
    frames = torch.from_numpy(clip.frames)[None]
    targets = 255 * torch.from_numpy(clip.mask("LV").astype(np.uint8))[None, :, None]
    losses = [float(step(frames, targets)) for _ in range(60)]
    net.train()  # batch statistics, as in the steps
    with torch.no_grad():
        mask = (net(frames)[0, :, 0] > 0).numpy()
    truth = clip.mask("LV")
    assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.98
    assert losses[-1] < 0.1 * losses[0]


# ---- what goes wrong


def test_broken_checkpoints_are_told(whole, cache, tmp_path):
    data = (whole / "last.pt").read_bytes()
    for number, broken in enumerate((data[: len(data) // 2], b"", b"junk" * 99)):
        out = tmp_path / str(number)
        out.mkdir()
        (out / "last.pt").write_bytes(broken)
        with pytest.raises(AnnostatError, match=r"cannot be read.*delete it to begin again"):
            train(TINY, out, cache=cache, device="cpu", quiet=True)
    out = tmp_path / "code"
    out.mkdir()
    torch.save({"format": "annostat-student-1", "random": os.system}, out / "last.pt")
    with pytest.raises(AnnostatError, match="cannot be read"):
        train(TINY, out, cache=cache, device="cpu", quiet=True)


def test_broken_weights_are_told(whole, tmp_path):
    data = (whole / "best.safetensors").read_bytes()
    for broken in (data[:-7], b"", b"{}" * 50, data.replace(b"annostat-student-1", b"x" * 18)):
        path = tmp_path / "w.safetensors"
        path.write_bytes(broken)
        with pytest.raises(AnnostatError, match=r"cannot be used.*best.safetensors"):
            load_student(path)
    with pytest.raises(AnnostatError, match="there are no weights"):
        load_student(tmp_path / "none")


def test_a_loss_that_is_no_number_is_told(cache, tmp_path, monkeypatch):
    monkeypatch.setattr(Step, "__call__", lambda self, *given: torch.tensor(float("nan")))
    with pytest.raises(AnnostatError, match=r"no longer a number in epoch 1: lower train.rate"):
        train(TINY, tmp_path, cache=cache, device="cpu", quiet=True)
    assert not (tmp_path / "best.safetensors").exists()


def test_other_settings_are_not_mixed_in(whole, cache):
    other = TINY.changed(["train.rate=0.01"])
    before = (whole / "config.json").read_text()
    with pytest.raises(AnnostatError, match=r"other settings \(train.rate 0.003 → 0.01\)"):
        train(other, whole, cache=cache, device="cpu", quiet=True)
    assert (whole / "config.json").read_text() == before


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["train.epoch=3"], "did you mean 'train.epochs'"),
        (["train.epochs=0"], "train.epochs must"),
        (["train.epochs=x"], "of type int"),
        (["data.structures=[LV, LV]"], "each once"),
        (["data.structures=[XX]"], "data.structures must be one of"),
        (["train.rate=0"], "train.rate must"),
        (["data.merge=vote"], "data.merge must"),
        (["nonsense"], "--set"),
    ],
)
def test_wrong_settings_are_told(settings, message):
    with pytest.raises(AnnostatError, match=message):
        load_config(preset="phantom-tiny", settings=settings)


def test_presets_and_files():
    assert PRESETS["phantom"].train.epochs == 350 and PRESETS["phantom"].train.patience == 10
    assert load_config(preset="phantom-tiny", settings=["train.seed=4"]).train.seed == 4
    with pytest.raises(AnnostatError, match="either --preset or --config"):
        load_config()
    with pytest.raises(AnnostatError, match="No such file"):
        load_config(file="none.yaml")
    for name, config in PRESETS.items():
        assert Config.from_dict(config.to_dict()) == config, name


def run_module(name, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", name, *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )


def test_command_tells_errors_in_one_line(tmp_path):
    done = run_module("models.train", "--preset", "phantm", "--out", tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == (
        "Error: --preset must be one of phantom-tiny, phantom, echonet, camus, got 'phantm'; did "
        "you mean 'phantom'?\n"
    )


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_training_on_a_gpu(cache, tmp_path):
    result = train(TINY, tmp_path, cache=cache, device="cuda", quiet=True)
    assert result["epochs"] == 3


assert STOPPED == 143
