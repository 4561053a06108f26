"""A student as a program of its own gives the same masks."""

import numpy as np
import pytest
import torch

from annostat import AnnostatError
from models import export
from models.checkpoints import build_student, save_weights
from models.config import Config
from models.data.settings import Data
from models.export import begin, difference, export_student
from models.network.predict import predict
from models.network.settings import Net
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
    assert difference(export.OneFrame(student), student, 16) <= 1
    assert difference(export.OneFrame(other), student, 16) > 1
    monkeypatch.setattr(export, "difference", lambda *given: 40)
    with pytest.raises(AnnostatError, match="off by 40 of 255"):
        export_student(student, 16)


def test_wrong_name(tmp_path):
    with pytest.raises(AnnostatError, match=r"must end in .pt2"):
        export.main(["w", "--out", str(tmp_path / "s.onnx")], standalone_mode=False)
