"""A student as a program of its own gives the same masks."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from annostat import AnnostatError
from models import export, latency, one_frame
from models.checkpoints import build_student, save_weights
from models.config import Config
from models.data.settings import Data
from models.network.predict import predict
from models.network.settings import Net
from models.one_frame import OneFrame, begin, difference, export_student
from models.onnx_export import NEEDED
from models.world.phantom import make_clip

CONFIG = Config(Data(size=16, structures=("LV", "LA")), Net(blocks=2, layers=2, filters=2))


def test_frame_by_frame(tmp_path, capsys):
    torch.manual_seed(0)
    student = build_student(CONFIG).eval()
    weights, out = tmp_path / "w.safetensors", tmp_path / "s.pt2"
    save_weights(weights, student.state_dict(), CONFIG, {})
    with pytest.raises(SystemExit) as end:
        export.main([str(weights), "--out", str(out)])
    assert end.value.code == 0 and "probabilities of LV, LA" in capsys.readouterr().out
    program = torch.export.load(str(out)).module()
    frames = make_clip(1, 0, size=16, frames=12).frames
    states, masks = begin(student, 16), []
    assert len(states) == 8 and states[4].shape == (1, 4, 8, 8)
    with torch.no_grad():
        for frame in frames:
            y, states = program(torch.from_numpy(frame)[None, None], states)
            masks.append((255 * y[0]).round().numpy())
    assert np.abs(np.stack(masks) - predict(student, frames)).max() <= 1


def test_a_program_that_differs_is_not_written(monkeypatch):
    student = build_student(CONFIG).eval()
    other = build_student(CONFIG).eval()
    assert difference(OneFrame(student), student, 16) <= 1
    assert difference(OneFrame(other), student, 16) > 1
    monkeypatch.setattr(one_frame, "difference", lambda *given: 40)
    with pytest.raises(AnnostatError, match="off by 40 of 255"):
        export_student(student, 16)


def write(folder):
    torch.manual_seed(0)
    student = build_student(CONFIG).eval()
    weights = folder / "w.safetensors"
    save_weights(weights, student.state_dict(), CONFIG, {})
    return student, weights


def run(*arguments):
    export.main([str(a) for a in arguments], standalone_mode=False)


def test_onnx_frame_by_frame(tmp_path):
    """The masks of a clip are the student's, in a program that knows nothing of torch."""
    for name in NEEDED:
        pytest.importorskip(name, reason="needs annostat[onnx]")
    import onnxruntime

    student, weights = write(tmp_path)
    run(weights, "--out", tmp_path / "s.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "s.onnx")
    facts = session.get_modelmeta().custom_metadata_map
    assert json.loads(facts["annostat.structures"]) == ["LV", "LA"]
    names = [x.name for x in session.get_inputs()]
    assert names == ["frame", *(f"state_{k}" for k in range(8))]
    assert [x.name for x in session.get_outputs()] == ["masks", *(f"next_{k}" for k in range(8))]
    frames = make_clip(1, 0, size=16, frames=40).frames
    states, masks = [np.zeros(x.shape, np.float32) for x in session.get_inputs()[1:]], []
    for frame in frames:
        given = dict(zip(names, [frame[None, None], *states], strict=True))
        y, *states = session.run(None, given)
        masks.append(np.rint(255 * y[0]))
    assert np.abs(np.stack(masks) - predict(student, frames)).max() <= 1


def test_latency_beside_the_student(tmp_path, capsys, monkeypatch):
    """Every program has its turn; ratios are of the same rounds."""
    student, weights = write(tmp_path)
    run(weights, "--time")
    lines = capsys.readouterr().out.splitlines()
    assert "one frame of 16² at a time" in lines[0] and lines[1].startswith("student ")
    assert lines[1].endswith("1.00× student") and lines[2].startswith("exported program ")
    assert "onnxruntime" in lines[3]
    clock = iter(np.cumsum([0, 0] + [0, 8, 0, 2] * 3) / 1000)  # nobody times the first round
    # The module's own clock: torch looks at the time as well.
    monkeypatch.setattr(latency, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    programs = {"slow": OneFrame(student), "fast": OneFrame(student)}
    slow, fast = latency.measure_latency(programs, student, 16, rounds=3)
    assert (slow.ms, fast.ms) == (pytest.approx(1), pytest.approx(0.25))
    assert fast.ratio == pytest.approx(4) and fast.low == pytest.approx(fast.high)


def test_what_cannot_be_written_is_told(tmp_path, monkeypatch):
    _, weights = write(tmp_path)
    with pytest.raises(AnnostatError, match=r"must end in .pt2 or .onnx, got"):
        run(weights, "--out", tmp_path / "s.pth")
    with pytest.raises(AnnostatError, match=r"give --out FILE.pt2, --out FILE.onnx or --time"):
        run(weights)
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(AnnostatError, match=r"onnx is not installed: .*annostat\[onnx\]"):
        run(weights, "--out", tmp_path / "s.onnx")
    assert not (tmp_path / "s.onnx").exists()
