"""Masks of folders of clips, in the geometry of each clip."""

import csv
import json

import numpy as np
import pytest
import torch

from annostat import AnnostatError
from annostat.datasets import read_mask_folder
from models import infer
from models.checkpoints import build_student, save_weights
from models.config import Config
from models.data.clip_files import Whole
from models.data.folders import clips_in
from models.data.images import squared, unsquared
from models.data.settings import Data
from models.data.teachers import Source, parse_teacher
from models.infer import masks_of
from models.network.predict import predict
from models.network.settings import Net, Train
from models.world.phantom import make_clip
from tests.folders import write_camus, write_clip

CONFIG = Config(
    Data(size=32, structures=("LV", "LA")), Net(blocks=2, layers=1, filters=2), Train(window=8)
)


@pytest.fixture(scope="module")
def student():
    torch.manual_seed(0)
    return build_student(CONFIG).eval()


@pytest.fixture(scope="module")
def weights(student, tmp_path_factory):
    path = tmp_path_factory.mktemp("w") / "best.safetensors"
    save_weights(path, student.state_dict(), CONFIG, {})
    return path


def run(*arguments):
    with pytest.raises(SystemExit) as end:
        infer.main([str(a) for a in arguments])
    return end.value.code


def test_masks_have_the_geometry_of_their_clip(weights, student, tmp_path, capsys):
    """A wide video and frames of the student's size; what is written can teach."""
    clips, out = tmp_path / "clips", tmp_path / "masks"
    clips.mkdir()
    frames = np.array(make_clip(1, 0, size=32, frames=12).frames)
    wide = np.pad(frames.repeat(2, 1).repeat(2, 2), ((0, 0), (0, 0), (10, 22)))
    np.save(clips / "a.npy", frames)
    write_clip(clips / "b.avi", wide, codec="ffv1")
    assert run(weights, clips, "--out", out, "--pad", 3, "--quiet") == 0
    wanted = predict(student, frames, pad=3)
    seen = predict(student, squared(wide, 32), pad=3)
    for k, structure in enumerate(("LV", "LA")):
        folder = read_mask_folder(out / structure, kind="uint8")
        assert np.array_equal(folder.raw("a"), wanted[:, k])
        assert folder.raw("b").shape == wide.shape
        assert np.array_equal(folder.raw("b"), unsquared(seen[:, k], wide.shape[1:]))
    taught = parse_teacher(f"LV=folder:{out / 'LV'}").masks(Source("b", wide))
    assert taught.shape == wide.shape
    rows = list(csv.DictReader((out / "clips.csv").read_text().splitlines()))
    assert rows[1] == {"clip": "b", "frames": "12", "height": "64", "width": "96", "error": ""}


def test_a_clip_that_cannot_be_read_is_a_row(weights, tmp_path, capsys):
    clips, out = tmp_path / "clips", tmp_path / "masks"
    clips.mkdir()
    np.save(clips / "a.npy", np.zeros((3, 20, 20)))
    (clips / "b.avi").write_bytes(b"no video")
    with pytest.raises(AnnostatError, match=r"no clip can be read: a \(a.npy must hold uint8"):
        infer.main([str(weights), str(clips), "--out", str(out)], standalone_mode=False)
    np.save(clips / "c.npy", np.zeros((3, 20, 20), np.uint8))
    assert run(weights, clips, "--out", out, "--stride", 1) == 0
    errors = [r["error"] for r in csv.DictReader((out / "clips.csv").read_text().splitlines())]
    assert "uint8" in errors[0] and errors[1] and not errors[2]
    assert "Without masks, see clips.csv: 2 clips: a (" in capsys.readouterr().err


def test_several_clips_at_once(weights, tmp_path, monkeypatch):
    """As on a GPU: one that cannot be read or is too short to pad does not take others along."""
    clips = tmp_path / "clips"
    clips.mkdir()
    for k, n in enumerate((9, 12, 1, 7)):
        frames = np.array(make_clip(1, k, size=32, frames=12).frames)[:n]
        np.save(clips / f"{k}.npy", frames)
    (clips / "x.npy").write_bytes(b"")
    found = []
    for n in (1, 3):
        monkeypatch.setattr(infer, "together", lambda student, n=n: n)
        out = tmp_path / str(n)
        assert run(weights, clips, "--out", out, "--pad", 3, "--quiet") == 0
        rows = list(csv.DictReader((out / "clips.csv").read_text().splitlines()))
        found.append([(r["clip"], r["frames"], bool(r["error"])) for r in rows])
        assert np.load(out / "LV" / "0.npz")["arr_0"].shape == (9, 32, 32)
    assert found[0] == found[1] and found[0][-1] == ("x", "", True)


def test_others_masks_are_not_called_its_own(weights, student, tmp_path):
    clips, out = tmp_path / "clips", tmp_path / "masks"
    clips.mkdir()
    np.save(clips / "a.npy", np.zeros((3, 20, 20), np.uint8))
    assert run(weights, clips, "--out", out, "--quiet") == 0
    first = (out / "LV" / "a.npz").stat().st_mtime_ns
    assert run(weights, clips, "--out", out, "--quiet") == 0  # goes on
    assert (out / "LV" / "a.npz").stat().st_mtime_ns == first
    assert json.loads((out / "masks.json").read_text())["pad"] == 0

    def refused(message, *arguments):
        with pytest.raises(AnnostatError, match=message):
            infer.main([str(a) for a in arguments], standalone_mode=False)

    refused(r"holds other masks \(pad 0 → 4\)", weights, clips, "--out", out, "--pad", 4)
    other = tmp_path / "other.safetensors"
    save_weights(other, {k: v + 1 for k, v in student.state_dict().items()}, CONFIG, {})
    refused(r"holds other masks \(weights", other, clips, "--out", out)
    (out / "masks.json").unlink()
    refused("no masks.json that says whose", weights, clips, "--out", out)


def test_every_frame_has_its_mask_whatever_the_stride(student):
    frames = np.array(make_clip(2, 0, size=32, frames=11).frames)
    masks = masks_of(student, [Whole(frames)], 32, stride=2, pad=2)[0]
    assert masks.shape == (11, 2, 32, 32)
    assert np.array_equal(masks[1::2], predict(student, frames[1::2], pad=2))


def test_camus_keeps_its_pixels(student, tmp_path):
    """Pixels twice as high as wide go there and back."""
    path, truth = write_camus(tmp_path / "C", n=1)
    clip = clips_in(path)["patient0001_4CH"]()
    labels = 255 * (truth["patient0001_4CH"] == 1).astype(np.uint8)
    image = clip.image.__class__(labels, clip.image.spacing_mm)
    back = clip.unsquared(Whole(labels, image).squared(64))
    assert back.shape == clip.frames.shape == labels.shape
    both = ((back >= 128) & (labels >= 128)).sum()
    assert 2 * both / ((back >= 128).sum() + (labels >= 128).sum()) > 0.94
    assert masks_of(student, [clip], 32)[0].shape == (12, 2, *clip.frames.shape[1:])


def test_nifti_gets_nifti_back(weights, tmp_path):
    """Of the same frames, beside the masks that can teach."""
    import nibabel

    frames = np.array(make_clip(1, 0, size=32, frames=9).frames)[:, 3:]
    affine = np.diag([0.3, -0.3, 1, 1])
    nibabel.Nifti1Image(frames.T.copy(), affine).to_filename(tmp_path / "heart.nii.gz")
    out = tmp_path / "masks"
    assert run(weights, tmp_path / "heart.nii.gz", "--out", out, "--quiet") == 0
    for structure in ("LV", "LA"):
        masks = read_mask_folder(out / structure, kind="uint8").raw("heart")
        back = nibabel.load(out / structure / "heart.nii.gz")
        assert masks.shape == frames.shape and np.allclose(back.affine, affine)
        assert np.array_equal(np.asarray(back.dataobj).T, masks)


def test_two_files_of_one_name_are_refused(tmp_path):
    for name in ("a.avi", "a.mp4"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(AnnostatError, match=r"several files of the same name \(a\)"):
        clips_in(tmp_path)
    with pytest.raises(AnnostatError, match="holds no clip"):
        clips_in(_empty(tmp_path))


def _empty(path):
    (path / "empty").mkdir()
    return path / "empty"


def test_masks_are_not_written_among_the_clips(weights, tmp_path, capsys):
    clips = tmp_path / "clips"
    clips.mkdir()
    np.save(clips / "a.npy", np.array(make_clip(1, 0, size=32, frames=8).frames))
    before = (clips / "a.npy").read_bytes()
    for source in (clips, clips / "a.npy"):
        with pytest.raises(AnnostatError, match="are not replaced"):
            infer.main.callback(weights, source, clips, 0, "mirror", False, 1, "cpu", True)
    (tmp_path / "link").symlink_to(clips)
    with pytest.raises(AnnostatError, match="are not replaced"):
        infer.main.callback(weights, clips, tmp_path / "link", 0, "mirror", False, 1, "cpu", True)
    with pytest.raises(AnnostatError, match="must be a folder"):
        infer.main.callback(weights, clips, clips / "a.npy", 0, "mirror", False, 1, "cpu", True)
    assert sorted(p.name for p in clips.iterdir()) == ["a.npy"]
    assert (clips / "a.npy").read_bytes() == before
