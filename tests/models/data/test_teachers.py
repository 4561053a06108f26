"""Teachers, clips of each kind of folder, and annotators whose noise is known."""

import dataclasses
import warnings

import numpy as np
import pytest
import torch

from annostat import AnnostatError, NoiseModel
from annostat.datasets import read_echonet
from models.config import Config, Data, Net
from models.data.batches import Batches, Sampling
from models.data.clips import open_store
from models.data.images import squared, unsquared
from models.data.reference import truth_of
from models.data.teachers import Source, merged, parse_teacher
from models.world.annotators import (
    Noise,
    annotate,
    displacement,
    draw_outlines,
    margin,
    signed_distance,
)
from models.world.phantom import make_clip
from tests.folders import EchoFolder, write_camus

PHANTOM = Data(size=32, frames=16, n_train=4, n_valid=2, n_test=3)


@pytest.fixture(scope="module")
def clip():
    return make_clip(2, 0, size=48, frames=24)


def source(clip):
    return Source(clip.name, clip.frames, clip.mask)


def write_masks(folder, masks):
    folder.mkdir()
    for name, values in masks.items():
        np.savez_compressed(folder / f"{name}.npz", values)
    return folder


# ---- annotators


def test_displacement_has_the_wanted_law():
    drawn = displacement(4000, noise_px=1.5, correlation=0.6, rng=np.random.default_rng(1))
    assert drawn.shape == (4000, 256)
    assert drawn.std() == pytest.approx(1.5, rel=0.02)
    angle = 2 * np.pi * 30 / 256
    found = np.mean(drawn * np.roll(drawn, 30, axis=1)) / drawn.var()
    # The Gaussian on the circle, wrapped.
    wrapped = [np.exp(-((a / 0.6) ** 2) / 2) for a in angle + 2 * np.pi * np.arange(-3, 4)]
    zero = [np.exp(-((a / 0.6) ** 2) / 2) for a in 2 * np.pi * np.arange(-3, 4)]
    assert found == pytest.approx(sum(wrapped) / sum(zero), abs=0.02)


def test_signed_distance_of_a_disc():
    y, x = np.mgrid[:81, :81]
    far = np.hypot(x - 40.3, y - 39.8)
    gap = signed_distance(far < 25) - (far - 25)
    assert np.abs(gap).max() < 0.75 and abs(gap.mean()) < 0.2
    assert np.isinf(signed_distance(np.zeros((3, 3), bool))).all()
    assert signed_distance(np.ones((5, 5), bool))[2, 2] == -2.5


def test_outlines_are_off_by_the_wanted_distance():
    """The area of a band of width |δ| around an outline of length L is L·E|δ| = L·σ·√(2/π).

    Distances from pixel to pixel make it 5% wider.
    """
    y, x = np.mgrid[:96, :96]
    disc = np.repeat((np.hypot(x - 48.3, y - 47.8) < 30)[None], 300, axis=0)
    drawn = draw_outlines(disc, noise_px=2.0, rng=np.random.default_rng(3))
    band = (drawn ^ disc).sum((1, 2)).mean()
    assert 1.0 < band / (2 * np.pi * 30 * 2.0 * np.sqrt(2 / np.pi)) < 1.1
    moved = margin(disc[:2], bias_px=3.0, rng=np.random.default_rng(0)) > 0
    assert moved[0].sum() == pytest.approx(np.pi * 33**2, rel=0.02)
    assert np.array_equal(moved[0], moved[1])


def test_annotations_follow_their_laws(tmp_path):
    data = Data(size=16, frames=16, n_train=1, n_valid=1, n_test=80)
    store = open_store(data, "test", tmp_path)
    noise = Noise(1.0, NoiseModel.with_mae("laplace", 3.0), 5.0)
    found = annotate(truth_of(store), noise, seed=1)
    es = np.array([f["es"] for f in store.facts])
    ef = np.array([f["ef"] for f in store.facts])
    assert found.outlines.shape == (2, 80, 2, 16, 16)
    assert not np.array_equal(found.outlines[0], found.outlines[1])
    assert np.abs(found.es.values - es[:, None]).mean() == pytest.approx(3.0, rel=0.25)
    assert (found.ef.values - ef[:, None]).std() == pytest.approx(5.0, rel=0.2)
    again = annotate(truth_of(store), noise, seed=1)
    assert np.array_equal(again.outlines, found.outlines)
    assert np.array_equal(again.ef.values, found.ef.values)


# ---- teachers


def test_oracle_with_defects(clip):
    truth = clip.mask("LV")
    exact = parse_teacher("LV=oracle").masks(source(clip))
    assert np.array_equal(exact, 255 * truth.astype(np.uint8))
    wide = parse_teacher("LV=oracle,bias=2").masks(source(clip)) >= 128
    assert (wide >= truth).all() and wide.sum() > 1.1 * truth.sum()
    soft = parse_teacher("LV=oracle,soft=1").masks(source(clip))
    assert np.array_equal(soft >= 128, truth) and len(np.unique(soft)) > 10
    missed = parse_teacher("LV=oracle,miss=0.5").masks(source(clip))
    assert 4 <= (missed.sum((1, 2)) == 0).sum() <= 20
    noisy, same, other = (
        parse_teacher(f"LV=oracle,noise=1,seed={s}").masks(source(clip)) for s in (1, 1, 2)
    )
    assert np.array_equal(noisy, same) and not np.array_equal(noisy, other)


def test_folders_of_masks(clip, tmp_path):
    soft = parse_teacher("LV=oracle,soft=2").masks(source(clip))
    folder = write_masks(tmp_path / "soft", {clip.name: soft[:, None]})
    assert np.array_equal(parse_teacher(f"LV=folder:{folder}").masks(source(clip)), soft)
    hard = write_masks(tmp_path / "hard", {clip.name: (soft >= 128).astype(np.uint8)})
    teacher = parse_teacher(f"LV=folder:{hard},kind=binary")
    assert np.array_equal(teacher.masks(source(clip)), 255 * (soft >= 128).astype(np.uint8))


class Net2(torch.nn.Module):
    """Two channels: bright pixels, dark pixels."""

    def forward(self, x):
        bright = 20 * (x.mean(1, keepdim=True) - 0.3)
        return torch.cat([bright, -bright], 1)


def test_modules(clip, tmp_path):
    wanted = clip.frames >= 0.3 * 255
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is on its way out
        torch.jit.script(Net2()).save(str(tmp_path / "t.pt"))
    example = (torch.zeros(4, 3, 48, 48),)
    shapes = {"x": {0: torch.export.Dim("n", min=2, max=64)}}
    torch.export.save(
        torch.export.export(Net2(), example, dynamic_shapes=shapes), tmp_path / "t.pt2"
    )
    for name in ("t.pt", "t.pt2"):
        mask = parse_teacher(f"LV=module:{tmp_path / name}").masks(source(clip))
        assert np.array_equal(mask >= 128, wanted)
        dark = parse_teacher(f"LV=module:{tmp_path / name},channel=1").masks(source(clip))
        assert ((dark >= 128) ^ wanted).mean() > 0.99
    with pytest.raises(AnnostatError, match="with channel 2"):
        parse_teacher(f"LV=module:{tmp_path / 't.pt'},channel=2").masks(source(clip))
    (tmp_path / "junk.pt").write_bytes(b"junk")
    with pytest.raises(AnnostatError, match="no TorchScript"):
        parse_teacher(f"LV=module:{tmp_path / 'junk.pt'}")


def test_several_teachers_are_merged(clip, tmp_path):
    texts = [f"LV=oracle,noise=1.5,seed={s}" for s in range(5)]
    truth = clip.mask("LV")
    teachers = [parse_teacher(t) for t in texts]
    alone = [(t.masks(source(clip)) >= 128) for t in teachers]
    worst = min(2 * (m & truth).sum() / (m.sum() + truth.sum()) for m in alone)
    for how in ("mean", "staple"):
        together = merged(teachers, source(clip), how) >= 128
        dice = 2 * (together & truth).sum() / (together.sum() + truth.sum())
        assert dice > worst + 0.02, how
    mean = np.mean([t.masks(source(clip)) for t in teachers], axis=0)
    assert np.abs(merged(teachers, source(clip), "mean") - mean).max() <= 0.5
    table = tmp_path / "q.csv"
    table.write_text(f"clip,quality\n{clip.name},3\n")
    pair = [
        parse_teacher(f"LV=oracle,quality={table}"),
        parse_teacher("LV=oracle,miss=1,quality=1"),
    ]
    assert set(np.unique(merged(pair, source(clip), "quality"))) == {0, round(0.75 * 255)}
    none = [parse_teacher("LV=oracle,miss=1")] * 2
    assert not merged(none, source(clip), "staple").any()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("LV", "a teacher is STRUCTURE=KIND:WHERE"),
        ("XX=oracle", "a teacher is STRUCTURE"),
        ("LV=oracel", "did you mean 'oracle'"),
        ("LV=folder:nowhere", "there is no 'nowhere'"),
        ("LV=oracle,nois=1", "did you mean 'noise'"),
        ("LV=oracle,noise=x", "noise must be a number"),
        ("LV=oracle,miss=2", "miss must be in"),
        ("LV=oracle,quality=-1", "quality must be"),
    ],
)
def test_wrong_teachers_are_told(text, message):
    with pytest.raises(AnnostatError, match=message):
        parse_teacher(text)


def test_oracle_needs_a_truth(clip):
    with pytest.raises(AnnostatError, match="phantom clips only"):
        parse_teacher("LV=oracle").masks(Source("a", clip.frames))


# ---- clips


def test_phantom_targets(tmp_path):
    data = {
        **PHANTOM.__dict__,
        "structures": ("LV", "MYO"),
        "teachers": ("LV=oracle", "MYO=oracle,bias=1"),
        "n_corrupted": 2,
    }
    config = Config(Data(**data))
    store = open_store(config.data, "train", tmp_path)
    assert store.targets.shape == (64, 2, 32, 32) and store.names[0] == "phantom-1-00000"
    assert [bool(f["corruption"]) for f in store.facts] == [True, True, False, False]
    clip = make_clip(1, 3, size=32, frames=16)
    last = store.clip(3)
    assert np.array_equal(last.frames, clip.frames)
    assert np.array_equal(last.targets[:, 0] >= 128, clip.mask("LV"))
    assert (last.targets[:, 1] >= 128).sum() > clip.mask("MYO").sum()
    test = open_store(config.data, "test", tmp_path).clip(0)
    exact = make_clip(1, 2_000_000, size=32, frames=16)
    assert np.array_equal(test.targets[:, 1] >= 128, exact.mask("MYO"))
    lacking = Config(Data(**{**data, "teachers": ("LV=oracle",)}))
    with pytest.raises(AnnostatError, match=r"none for MYO; add for example 'MYO=folder:PATH'"):
        open_store(lacking.data, "train", tmp_path)


@pytest.fixture(scope="module")
def echo(tmp_path_factory):
    made = EchoFolder.make(5, n_frames=12, size=48)
    return made, made.write(tmp_path_factory.mktemp("echo") / "E")


def test_echonet_folder_with_a_teacher(echo, tmp_path):
    made, path = echo
    train = [r["FileName"] for r in made.rows if r["Split"] == "TRAIN"]
    masks = {n: np.full((12, 48, 48), 200, np.uint8) for n in train}
    folder = write_masks(tmp_path / "T", masks)
    data = Data(kind="echonet", path=str(path), size=32, teachers=(f"LV=folder:{folder}",))
    store = open_store(data, "train", tmp_path / "cache")
    assert store.names == train and store.frames.shape == (36, 32, 32)
    assert (np.array(store.targets) == 200).all()
    heart = made.hearts[train[0]]
    assert (store.facts[0]["ed"], store.facts[0]["es"]) == (heart.ed, heart.es)
    # A clip whose masks are missing is told before any work is done.
    (folder / f"{train[1]}.npz").unlink()
    with pytest.raises(AnnostatError, match=f"no masks of 1 of 3 clips: {train[1]}"):
        open_store(data, "train", tmp_path / "cache")
    np.savez_compressed(folder / f"{train[1]}.npz", masks[train[1]][:5])
    with pytest.raises(AnnostatError, match=r"have shape \(5, 48, 48\), its frames \(12, 48, 48\)"):
        open_store(data, "train", tmp_path / "cache")
    with pytest.raises(AnnostatError, match="no masks of 1 of 1 clip"):
        open_store(data, "valid", tmp_path / "cache")


def test_people_outline_the_clips_of_a_test_split(echo, tmp_path):
    """Without a teacher; every annotator's outline is kept, traces beyond the clip are not."""
    made, path = echo
    data = Data(kind="echonet", path=str(path), size=48)
    store = open_store(data, "test", tmp_path)
    name = store.names[0]
    heart = made.hearts[name]
    assert store.kind == "none" and store.targets is None and store.has_outlines
    assert [o.frame for o in store.outlines[0]] == [heart.es, heart.ed]
    for outline, trace in zip(store.outlines[0], read_echonet(path).traces_of(name), strict=True):
        assert np.array_equal(outline.mask == 255, trace.mask(48, 48))
    with pytest.raises(AnnostatError, match="no targets to train on"):
        Batches(store, Sampling(1, 5))
    # A teacher that has no masks of them is told of and left out.
    folder = write_masks(tmp_path / "T", {"other": np.zeros((12, 48, 48), np.uint8)})
    taught = dataclasses.replace(data, teachers=(f"LV=folder:{folder}",))
    store = open_store(taught, "test", tmp_path)
    assert store.targets is None and "no masks of 1 of 1 clip" in store.messages()[0]
    # Nor has a teacher to be where it was in training.
    gone = dataclasses.replace(data, teachers=(f"LV=folder:{tmp_path / 'gone'}",))
    store = open_store(gone, "test", tmp_path)
    assert store.targets is None and "there is no" in store.messages()[0]
    with pytest.raises(AnnostatError, match="there is no"):
        open_store(gone, "valid", tmp_path)
    made, path = EchoFolder.make(5, n_frames=12, size=48), tmp_path / "twice"
    name = next(r["FileName"] for r in made.rows if r["Split"] == "TEST")
    heart = made.hearts[name]
    made.retrace(name, heart.ed, [heart.trace(heart.ed), heart.trace(heart.ed, scale=1.1)])
    made.traces.append((name, 99, heart.trace(0)))
    twice = open_store(dataclasses.replace(data, path=str(made.write(path))), "test", tmp_path)
    assert [(o.frame, o.annotator) for o in twice.outlines[0]] == [
        (heart.es, 0),
        (heart.ed, 0),
        (heart.ed, 1),
    ]
    bare = EchoFolder.make(5, n_frames=12, size=48).write(tmp_path / "bare", tracings=False)
    with pytest.raises(AnnostatError, match="nothing is there to score against"):
        open_store(dataclasses.replace(data, path=str(bare)), "test", tmp_path)


def test_a_clip_that_cannot_be_read_is_left_out_and_told(echo, tmp_path):
    made, _ = echo
    path = made.write(tmp_path / "E")
    train = [r["FileName"] for r in made.rows if r["Split"] == "TRAIN"]
    (path / "Videos" / f"{train[0]}.avi").write_bytes(b"no video")
    masks = {n: np.full((12, 48, 48), 200, np.uint8) for n in train}
    folder = write_masks(tmp_path / "T", masks)
    data = Data(kind="echonet", path=str(path), size=32, teachers=(f"LV=folder:{folder}",))
    store = open_store(data, "train", tmp_path / "cache")
    assert store.names == train[1:] and store.skipped[0].name == train[0]
    assert f"1 clip cannot be read and left out: {train[0]}" in store.messages()[0]


def test_new_masks_make_a_new_store(clip, tmp_path):
    folder = write_masks(tmp_path / "T", {"phantom-1-00000": np.zeros((16, 32, 32), np.uint8)})
    data = Data(size=32, frames=16, n_train=1, teachers=(f"LV=folder:{folder}",))
    assert not np.array(open_store(data, "train", tmp_path / "c").targets).any()
    np.savez(folder / "phantom-1-00000.npz", np.full((16, 32, 32), 255, np.uint8))
    assert np.array(open_store(data, "train", tmp_path / "c").targets).all()


def test_camus_with_its_labels(tmp_path):
    path, truth = write_camus(tmp_path / "C", n=3)
    data = Data(kind="camus", path=str(path), size=48, structures=("LV", "LA", "MYO"))
    store = open_store(data, "train", tmp_path / "cache")
    assert store.names == ["patient0001_4CH"] and store.targets.shape == (12, 3, 48, 48)
    assert store.facts[0]["es"] == 0 and store.facts[0]["ed"] == 11  # odd patients start at ES
    share = (np.array(store.targets[:, 0]) == 255).mean()
    # The image is square in millimetres: pixels twice as many, and half as high.
    assert share == pytest.approx((truth["patient0001_4CH"] == 1).mean(), rel=0.06)
    with pytest.raises(AnnostatError, match="CAMUS has no RV"):
        open_store(Data(**{**data.__dict__, "structures": ("RV",)}), "train", tmp_path)
    bare, _ = write_camus(tmp_path / "B", n=1, splits=False)
    with pytest.raises(AnnostatError, match="which patients are for training"):
        open_store(Data(**{**data.__dict__, "path": str(bare)}), "train", tmp_path)


def test_one_geometry_for_frames_and_masks():
    """A heart stays round, and masks go back to where they were."""
    frames = np.random.default_rng(0).integers(0, 256, (2, 40, 60)).astype(np.uint8)
    small = squared(frames, 20)
    assert small.shape == (2, 20, 20)
    assert small.mean() == pytest.approx(frames.mean() * 40 / 60, rel=0.02)
    assert squared(small, 20) is small
    disc = np.zeros((1, 60, 120), np.uint8)
    y, x = np.mgrid[:60, :120]
    disc[0, np.hypot(x - 70, y - 25) < 15] = 255
    inside = squared(disc, 48)[0] >= 128
    rows, columns = (np.ptp(a) + 1 for a in np.nonzero(inside))
    assert abs(rows - columns) <= 1 and inside.sum() == pytest.approx(np.pi * 6**2, rel=0.1)
    back = unsquared(squared(disc, 48), (60, 120))
    assert back.shape == disc.shape
    both = ((back >= 128) & (disc >= 128)).sum()
    assert 2 * both / ((back >= 128).sum() + (disc >= 128).sum()) > 0.95


def test_a_student_can_teach(clip, tmp_path):
    from models.checkpoints import build_student, save_weights

    config = Config(PHANTOM, Net(blocks=1, layers=1, filters=2))
    save_weights(tmp_path / "s.safetensors", build_student(config).state_dict(), config, {})
    mask = parse_teacher(f"LV=student:{tmp_path / 's.safetensors'}").masks(source(clip))
    assert mask.shape == clip.frames.shape and mask.dtype == np.uint8
    with pytest.raises(AnnostatError, match="must be one of LV"):
        parse_teacher(f"RV=student:{tmp_path / 's.safetensors'}")
