"""Films of the best, the median and the worst clip."""

import numpy as np
import pytest
import torch
from PIL import Image

from models import film as command
from models.checkpoints import build_student, save_weights
from models.config import Config
from models.data.clips import open_store
from models.data.settings import Data
from models.film import film, pick_clips, write_gif
from models.network.settings import Net
from models.predictions import Drawn, Predictions

CONFIG = Config(Data(size=16, frames=9, n_test=4), Net(blocks=1, layers=1, filters=2))


def predicted(errors, drawn=None):
    """Clips of one frame of a hundred pixels, off by these numbers of pixels."""
    counts = [np.array([[[50 - e, 50, 50]]]) for e in errors]
    names = [f"c{k}" for k in range(len(errors))]
    return Predictions(names, counts, None, np.zeros(4), np.zeros(4), [], drawn)


def test_clips_are_picked_by_their_error():
    assert pick_clips(predicted([20, 5, 40, 10, 30])) == {"best": 1, "median": 0, "worst": 2}
    rows = np.array([2, 4, 4])
    counts = np.array([[50, 50, 50], [20, 50, 50], [30, 50, 50]])
    people = Drawn(rows, np.zeros(3, int), np.zeros(3, int), counts)
    found = pick_clips(predicted([20, 5, 40, 10, 30], people))
    assert found["best"] == 2 and found["worst"] == 4


def test_a_film_has_a_picture_of_each_frame(tmp_path):
    clip = open_store(CONFIG.data, "test", tmp_path).clip(0)
    masks = np.array(clip.targets)
    pictures = film(clip, masks, ("LV",), title="a clip", floor=1.0)
    assert len(pictures) == 9 and pictures[0].shape == (272, 576, 3)
    assert (pictures[0] != pictures[4]).any()
    write_gif(tmp_path / "f.gif", pictures, 40.0)
    with Image.open(tmp_path / "f.gif") as image:
        assert image.n_frames == 9 and image.info["duration"] in (20, 30)


def test_command(tmp_path, capsys):
    torch.manual_seed(0)
    weights = tmp_path / "w.safetensors"
    save_weights(weights, build_student(CONFIG).state_dict(), CONFIG, {})
    options = ["--out", tmp_path / "films", "--cache", tmp_path / "c", "--pad", 2, "--floor", 2]
    with pytest.raises(SystemExit) as end:
        command.main([str(a) for a in (weights, *options, "--quiet")])
    assert end.value.code == 0
    made = sorted(p.name for p in (tmp_path / "films").iterdir())
    assert "best.gif" in made and len(capsys.readouterr().out.splitlines()) == len(made)
