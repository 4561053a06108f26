"""Outlines of one more person, from folders of masks and lists of tracings."""

import dataclasses

import numpy as np
import pytest
import torch

from annostat import AnnostatError
from annostat.datasets import read_echonet
from models.checkpoints import build_student
from models.config import Config
from models.data.clips import open_store
from models.data.outlines import with_outlines
from models.data.settings import Data
from models.evaluation import evaluate
from models.network.settings import Net
from models.scores import outline_ceiling
from tests.folders import EchoFolder, write_camus, write_nifti

SIZE = 40


def wide(folder):
    """Make the frames wider than high, so that a transposed mask would be seen."""
    for name, frames in folder.clips.items():
        folder.clips[name] = np.pad(frames, ((0, 0), (0, 0), (0, 12)))
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Ten test clips: one annotator, two in one file, and the second in a file of its own."""
    path = tmp_path_factory.mktemp("people")
    one, both = (wide(EchoFolder.make(10, n_frames=12, size=SIZE)) for _ in range(2))
    other = []
    for name, heart in one.hearts.items():
        one.row(name)["Split"] = both.row(name)["Split"] = "TEST"
        for frame in (heart.es, heart.ed):
            second = heart.trace(frame, scale=1.15, shift=(1, 0))
            other.append((name, frame, second))
            both.retrace(name, frame, [heart.trace(frame), second])
    one.write(path / "one", codec="ffv1")
    both.write(path / "both", codec="ffv1")
    one.traces = other
    one.write(path / "other", codec="ffv1")
    return path


def stored(path):
    return open_store(Data(kind="echonet", path=str(path), size=32), "test", path / "cache")


def settings(made):
    return Data(kind="echonet", path=str(made / "one"), size=32)


def write_png(path, mask, high=255):
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((high * mask).astype(np.uint8)).save(path)


def second_masks(made):
    """Yield clip, frame and the second annotator's mask in the clip's own pixels."""
    for trace in read_echonet(made / "other").traces:
        yield trace.clip, trace.frame, trace.mask(SIZE, SIZE + 12)


def test_every_form_gives_the_ceiling_of_two_people_in_one_folder(made, tmp_path):
    wanted = outline_ceiling(stored(made / "both"), "LV")
    store = stored(made / "one")
    assert wanted is not None and outline_ceiling(store, "LV") is None
    whole = {}
    for clip, frame, mask in second_masks(made):
        ed = store.facts[store.names.index(clip)]["ed"] == frame
        write_png(tmp_path / "flat" / f"{clip}_{frame}.png", mask)
        write_png(tmp_path / "nested" / clip / f"{frame}_gt.png", mask, high=1)
        write_png(tmp_path / "phases" / "LV" / f"{clip}_{'ED' if ed else 'ES'}.png", mask)
        whole.setdefault(clip, np.zeros((12, *mask.shape), np.uint8))[frame] = 255 * mask
    (tmp_path / "whole").mkdir()
    for clip, masks in whole.items():
        np.savez(tmp_path / "whole" / f"{clip}.npz", masks)
    paths = [tmp_path / name for name in ("flat", "nested", "phases", "whole")]
    paths += [made / "other", made / "other" / "VolumeTracings.csv"]
    for path in paths:
        found = with_outlines(store, settings(made), [path])
        assert sum(map(len, found.outlines)) == 40 and found.people == ["folder", path.name]
        assert outline_ceiling(found, "LV").dice == wanted.dice, path
        assert found.notes[-1] == f"{path.name}: 20 outlines of one more person, 10 clips"
    assert store.people == [] and sum(map(len, store.outlines)) == 20


def test_a_third_person(made, tmp_path):
    """People in the folder whose order has no identity stay anonymous."""
    for clip, frame, mask in second_masks(made):
        write_png(tmp_path / "anna" / f"{clip}_{frame}.png", mask)
        write_png(tmp_path / "ben" / f"{clip}_{frame}.png", np.roll(mask, 1, axis=0))
    three = with_outlines(
        stored(made / "one"), settings(made), [tmp_path / "anna", tmp_path / "ben"]
    )
    assert {o.annotator for o in three.outlines[0]} == {0, 1, 2}
    assert three.people == ["folder", "anna", "ben"]
    data = dataclasses.replace(settings(made), path=str(made / "both"))
    third = with_outlines(stored(made / "both"), data, [tmp_path / "ben"])
    assert {o.annotator for o in third.outlines[0]} == {0, 1, 2} and third.people == []


def test_the_student_in_a_persons_place(made):
    torch.manual_seed(0)
    config = Config(settings(made), Net(blocks=1, layers=1, filters=2))
    store = with_outlines(stored(made / "one"), config.data, [made / "other"])
    result, _ = evaluate(build_student(config).eval(), store, config)
    place = result.places["outlines LV"]
    assert place.taken.names == ("folder", "other") and place.n_clusters == 10
    rows = {r.name: r for r in result.rows}
    assert rows["Dice LV, outlined frames"].bound is not None
    # What two people differ by is 1 less the mean Dice of their outlines.
    both = stored(made / "both")
    a, b = (
        np.stack([o.mask >= 128 for own in both.outlines for o in own if o.annotator == k])
        for k in (0, 1)
    )
    dice = 2 * (a & b).sum((1, 2)) / (a.sum((1, 2)) + b.sum((1, 2)))
    assert place.among.value == pytest.approx(1 - dice.mean())


def test_a_second_person_on_camus(tmp_path):
    """Label maps as CAMUS stores them, of oblong pixels; the labels are the first person's."""
    path, truth = write_camus(tmp_path / "C", n=6)
    data = Data(kind="camus", path=str(path), size=32, structures=("LV", "LA"))
    store = open_store(data, "test", tmp_path)
    for item, labels in truth.items():
        folder = tmp_path / "second" / item[:11]
        folder.mkdir(parents=True, exist_ok=True)
        write_nifti(folder / f"{item}_ED_gt", np.roll(labels[0], 1, axis=1))
        write_nifti(folder / f"{item}_ED", np.zeros_like(labels[0]))  # the image beside
    for facts, name in zip(store.facts, store.names, strict=True):
        facts["ed"] = 0
        assert name.endswith("4CH")
    found = with_outlines(store, data, [tmp_path / "second"])
    for k, own in enumerate(found.outlines):
        drawn = [(o.annotator, o.frame, o.structure) for o in own]
        assert drawn == [(a, 0, s) for a in (0, 1) for s in ("LV", "LA")]
        by = {(o.annotator, o.structure): o.mask >= 128 for o in own}
        assert np.array_equal(by[0, "LV"], store.clip(k).targets[0, 0] >= 128)
        for s in ("LV", "LA"):
            both = 2 * (by[0, s] & by[1, s]).sum() / (by[0, s].sum() + by[1, s].sum())
            assert 0.8 < both < 1


def test_what_is_no_outline_is_told(made, tmp_path):
    store, data = stored(made / "one"), settings(made)
    clip = store.names[0]

    def refused(message, path=None):
        with pytest.raises(AnnostatError, match=message):
            with_outlines(store, data, [path or tmp_path / "bad"])

    refused("there is no folder of masks")
    write_png(tmp_path / "bad" / "other_3.png", np.eye(SIZE))
    refused(r"holds no outline of these clips: its files must be named CLIP.npz")
    write_png(tmp_path / "bad" / f"{clip}_3.png", np.eye(SIZE))
    refused(r"frame 3, has \(40, 40\) pixels, the frames of the clip \(40, 52\)")
    write_png(tmp_path / "bad" / f"{clip}_3.png", np.ones((SIZE, SIZE + 12)), high=3)
    refused("holds uint8 from 3 to 3: a mask holds 0 and 1")
    (tmp_path / "bad" / f"{clip}_3.png").unlink()
    write_png(tmp_path / "bad" / f"{clip}_99.png", np.ones((SIZE, SIZE + 12)))
    refused("has frames 0 to 11, not 99")
    with pytest.raises(AnnostatError, match="not of the phantom's"):
        with_outlines(store, Data(), [tmp_path / "bad"])
