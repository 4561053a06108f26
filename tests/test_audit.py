"""The audit finds every planted fault, and nothing on clean folders; it survives bad input."""

import gzip
import json
import signal
import subprocess
import sys
import time
from copy import deepcopy
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from annostat import Rounds
from annostat.cli import COMMANDS, cli, main
from annostat.cli.common import without
from annostat.datasets import audit_folder
from annostat.datasets.audit import REASONS, Limits, rank_correlation, read_prompts
from annostat.datasets.audit.measuring import Task, measure, measure_all, read_journal
from annostat.datasets.audit.signs import Meter, read_thumbnail
from annostat.datasets.audit.traces import count_crossings, crossings
from annostat.datasets.echonet import Trace
from annostat.errors import AnnostatError
from annostat.report import make_report
from tests import folders
from tests.conftest import hear_interrupts


def found(audit):
    return {(f.item, f.reason) for f in audit.findings}


def evidence(audit, item, reason):
    [text] = [f.evidence for f in audit.findings if (f.item, f.reason) == (item, reason)]
    return text


@pytest.fixture(scope="module")
def clean():
    """Return a folder without fault: change copies of it."""
    return folders.EchoFolder.make(16, seed=21)


@pytest.fixture(scope="module")
def clean_small():
    return folders.EchoFolder.make(14, seed=25, size=64)


# Clean folders


def test_nothing_is_found_on_a_clean_folder(clean, tmp_path):
    audit = audit_folder(clean.write(tmp_path / "e"))
    assert found(audit) == set() and audit.pairs == ()
    assert (audit.source.kind, len(audit.table), audit.n_measured) == ("dynamic", 16, 16)
    assert "Nothing was found." in str(audit)


@pytest.mark.parametrize("codec", ["rawvideo", "mpeg4", "ffv1"])
def test_nothing_is_found_with_other_codecs(clean, codec, tmp_path):
    assert found(audit_folder(clean.write(tmp_path / "e", codec=codec))) == set()


def test_nothing_is_found_on_clean_variants(tmp_path):
    synthetic = folders.synthetic(folders.EchoFolder.make(12, seed=22, size=64))
    audit = audit_folder(synthetic.write(tmp_path / "s", tracings=False))
    assert (audit.source.kind, found(audit)) == ("synthetic", set())
    young = folders.EchoFolder.make(12, seed=23, size=64)
    audit = audit_folder(folders.write_pediatric(young, tmp_path / "p"))
    # The writer plants one absent phase, as the paediatric lists have them.
    assert audit.source.kind == "pediatric"
    assert found(audit) == {(young.names[0], "untraced")}
    assert "No Systolic" in audit.findings[0].evidence
    for release in ("nifti", "mhd"):
        path, _ = folders.write_camus(tmp_path / release, n=5, release=release)
        audit = audit_folder(path)
        assert (audit.source.kind, found(audit)) == ("camus", set())
        assert audit.n_measured == len(audit.table) == 10
    clips = folders.EchoFolder.make(10, seed=24, size=64)
    for k, (name, frames) in enumerate(clips.clips.items()):
        place = tmp_path / "c" / ("train", "test")[k % 2]
        place.mkdir(parents=True, exist_ok=True)
        folders.write_clip(place / f"{name}.avi", frames, fps=(25, 50)[k % 2])
    audit = audit_folder(tmp_path / "c")
    assert (audit.source.kind, found(audit)) == ("clips", set())
    assert audit.frame_rates()[["fps", "n_items"]].to_numpy().tolist() == [[25, 5], [50, 5]]
    assert audit.splits()["split"].tolist() == ["TEST", "TRAIN"]


# Signs


def plain_signs(frames, step):
    """Return the signs of a clip by whole arrays."""
    x = np.asarray(frames)[:, ::step, ::step].astype(int)
    n, rows, _ = x.shape
    low, high = x.min((1, 2)), x.max((1, 2))
    black = high < 24
    flat = (high - low < 8) & ~black
    saturated = ((x >= 250).mean((1, 2)) > 0.3) & ~(black | flat)
    odd = black | flat | saturated
    levels = np.abs(np.diff(x, axis=0)).mean((1, 2))
    still = levels < 0.05
    runs = "".join("r" if s else " " for s in still & ~odd[1:]).split(" ")
    longest = max(map(len, runs))
    at = sum(len(r) + 1 for r in runs[: [len(r) for r in runs].index(longest)])
    plain = ~(still | odd[1:] | odd[:-1] | np.append(False, still[:-1]))
    jump = [0.0, 0, 0.0]
    if plain.sum() >= 4:
        k = int(np.where(plain, levels, -1).argmax())
        jump = [levels[k] / np.quantile(levels[plain], 0.9), k + 1, levels[k]]
    tear = [0.0, 0, 0]
    if n >= 4 and rows > 8:
        steps = np.abs(np.diff(x, axis=1)).mean(2)
        excess = steps - steps.mean(axis=0)
        excess[odd] = 0
        row = excess.argmax(axis=1)
        near = np.abs(np.arange(rows - 1) - row[:, None]) <= 1
        alone = excess.max(axis=1) - np.where(near, 0, excess).max(axis=1).clip(0)
        k = int(alone.argmax())
        if alone[k] > 0:
            noise = np.sqrt((excess**2).mean()) + 0.5
            tear = [alone[k] / noise, k, (int(row[k]) + 1) * step]
    return {
        **{
            name: [int(w.sum()), int(w.argmax())]
            for name, w in (("black", black), ("flat", flat), ("saturated", saturated))
        },
        "frozen": [longest, at if longest else 0],
        "jump": jump,
        "torn": tear,
        "mean": x.mean(0),
        "motion": np.abs(np.diff(x, axis=0)).sum(0) / max(n - 1, 1),
    }


def strange_clip(seed):
    """Return noise of any size with frames that are black, bright, flat, repeated or torn."""
    rng = np.random.default_rng(seed)
    shape = rng.integers((1, 3, 3), (90, 150, 150))
    noise = rng.normal(rng.choice([5, 90, 245]), rng.choice([1, 10, 60]), shape)
    clip = np.clip(noise, 0, 255).astype(np.uint8)
    for kind in rng.integers(0, 4, rng.integers(0, 5)):
        k = rng.integers(len(clip))
        part = clip[k : k + rng.integers(1, 9)]
        part[...] = (0, 90, 255, part[0])[kind]
        clip[k, shape[1] // 2 :] >>= rng.integers(2, dtype=np.uint8)
    return clip


@pytest.mark.parametrize("seed", range(24))
def test_the_signs_beside_their_plain_twin(seed):
    clip = strange_clip(seed)
    meter = Meter()
    for frame in clip:
        meter.add(frame)
    signs, step = meter.signs(), max(1, round(min(clip.shape[1:]) / 56))
    expected = plain_signs(clip, step)
    assert (signs["n_frames"], signs["height"], signs["width"]) == clip.shape
    for name in ("black", "flat", "saturated", "frozen"):
        assert signs[name] == expected[name]
    for name in ("jump", "torn"):
        assert signs[name] == pytest.approx(expected[name], abs=6e-4)
    for name, image in (("thumb", expected["mean"]), ("motion", expected["motion"])):
        # A cell is the mean of an image that is enlarged until cells hold whole pixels.
        h, w = image.shape
        cells = np.kron(image, np.ones((14, 14))).reshape(14, h, 14, w).mean((1, 3))
        assert np.abs(read_thumbnail(signs[name]) - cells).max() < 0.501


# Planted faults


def torn(frames, rng):
    out = frames.copy()
    out[12, 55:] = np.roll(out[12, 55:], 30, axis=1)
    return out


def patched(frames, where, value):
    out = frames.copy()
    out[where] = value
    return out


CLIP_FAULTS = {
    "black": lambda f, rng: patched(f, slice(5, 8), 0),
    "constant": lambda f, rng: patched(f, slice(3, 4), 90),
    "saturated": lambda f, rng: patched(f, (10, slice(0, 70)), 255),
    "frozen": lambda f, rng: patched(f, slice(10, 18), f[10]),
    "torn": torn,
    "jump": lambda f, rng: patched(f, 14, folders.Heart(rng, 4).frames[0]),
    "sector": lambda f, rng: np.ascontiguousarray(f[:, ::-1]),
}


@pytest.mark.parametrize("codec", ["mjpeg", "ffv1"])
def test_signs_of_broken_clips(codec, clean, tmp_path):
    folder, rng = deepcopy(clean), np.random.default_rng(1)
    faults = dict(zip(folder.names[::2], CLIP_FAULTS, strict=False))
    assert len(faults) == len(CLIP_FAULTS)
    for name, reason in faults.items():
        folder.clips[name] = CLIP_FAULTS[reason](folder.clips[name], rng)
    audit = audit_folder(folder.write(tmp_path / "e", codec=codec))
    assert found(audit) == set(faults.items())
    frames = {"black": 5, "constant": 3, "saturated": 10, "frozen": 10, "torn": 12, "sector": 0}
    for finding in audit.findings:
        assert 0 < finding.score <= 1
        if finding.reason == "jump":
            assert finding.frame in (14, 15)
        else:
            assert finding.frame == frames[finding.reason]


def test_files_that_are_broken_or_elsewhere(clean_small, tmp_path):
    folder = deepcopy(clean_small)
    names = folder.names
    folder.row(names[5])["NumberOfFrames"] = 37
    folder.row(names[6]).update(FrameHeight=768, FrameWidth=1040)
    path = folder.write(tmp_path / "e")
    videos = path / "Videos"
    outside = tmp_path / "secret.avi"
    (videos / f"{names[0]}.avi").write_bytes(b"RIFF no clip")
    data = (videos / f"{names[1]}.avi").read_bytes()
    (videos / f"{names[1]}.avi").write_bytes(data[: len(data) // 2])
    (videos / f"{names[2]}.avi").unlink()
    (videos / f"{names[3]}.avi").rename(outside)
    (videos / f"{names[3]}.avi").symlink_to(outside)
    folders.bomb_jpeg(videos / f"{names[4]}.avi", videos / f"{names[4]}.avi")
    folders.write_clip(videos / "stranger.avi", folders.Heart(np.random.default_rng(9)).frames)
    folders.write_clip(tmp_path / "raw.avi", folder.clips[names[7]], codec="rawvideo")
    folders.bomb_avi(tmp_path / "raw.avi", videos / f"{names[7]}.avi")
    audit = audit_folder(path)
    assert found(audit) == {
        (names[0], "undecodable"),
        (names[1], "truncated"),
        (names[2], "missing_file"),
        (names[3], "outside_link"),
        (names[4], "undecodable"),
        (names[5], "frame_count"),
        (names[6], "frame_size"),
        (names[7], "undecodable"),
        ("stranger", "unlisted"),
        # The list's frames of a truncated clip are missing, and a trace may stand on one.
        (names[1], "frame_count"),
    } | ({(names[1], "frame_range")} if ("frame_range" in audit.reasons) else set())
    assert audit.n_measured == 10
    assert "30 frames decoded, 37 listed" in evidence(audit, names[5], "frame_count")
    assert "768×1040 listed" in evidence(audit, names[6], "frame_size")


def test_what_is_decodable_of_a_broken_clip_is_measured(clean, tmp_path):
    folders.write_clip(tmp_path / "a.avi", clean.clips[clean.names[0]])
    data = bytearray((tmp_path / "a.avi").read_bytes())
    at = data.find(b"\xff\xc0", len(data) // 2)  # the size of one frame, made 0 × 0
    data[at + 5 : at + 9] = bytes(4)
    (tmp_path / "a.avi").write_bytes(data)
    record = measure(Task("a", tmp_path / "a.avi"))
    assert record["error"] and 5 < record["signs"]["n_frames"] < 30


def test_the_list_against_itself(clean_small, tmp_path):
    folder = deepcopy(clean_small)
    names = folder.names
    for row in folder.rows:
        row["Patient"] = f"P{row['FileName'][-4:]}"
    folder.row(names[0])["EF"] += 3
    folder.row(names[1]).update(EDV=40.0, ESV=90.0)
    folder.row(names[2])["EF"] = 140
    folder.row(names[3])["FPS"] = 0
    folder.rows.append(folder.row(names[5]) | {"Split": "TEST"})
    folder.row(names[9])["Patient"] = folder.row(names[10])["Patient"]
    assert folder.row(names[9])["Split"] != folder.row(names[10])["Split"]
    audit = audit_folder(folder.write(tmp_path / "e"))
    assert found(audit) == {
        (names[0], "ef_volumes"),
        (names[1], "bad_list"),
        (names[2], "bad_list"),
        (names[2], "ef_traced"),
        (names[3], "bad_list"),
        (names[5], "bad_list"),
        (names[5], "patient_leak"),
        (names[9], "patient_leak"),
        (names[10], "patient_leak"),
    }
    assert "in the splits TEST and TRAIN" in evidence(audit, names[5], "bad_list")


@pytest.mark.parametrize("how", ["same", "noise", "gain", "cut", "half", "codec"])
def test_duplicates_across_splits(how, clean, tmp_path):
    folder = deepcopy(clean)
    folder.rows = folder.rows[:5]
    folder.clips = {name: folder.clips[name] for name in folder.names}
    folder.traces = [t for t in folder.traces if t[0] in folder.clips]
    a, b = folder.names[0], folder.names[4]  # TRAIN and TEST
    assert folder.row(a)["Split"] != folder.row(b)["Split"]
    frames, rng = folder.clips[a], np.random.default_rng(0)
    folder.clips[b] = {
        "noise": lambda: np.clip(frames + rng.normal(0, 5, frames.shape), 0, 255).astype(np.uint8),
        "gain": lambda: (frames * 0.8).astype(np.uint8),
        "cut": lambda: frames[:20],
        "half": lambda: np.ascontiguousarray(frames[:, ::2, ::2]),
    }.get(how, lambda: frames)()
    n, size = folder.clips[b].shape[:2]
    folder.row(b).update(NumberOfFrames=n, FrameHeight=size, FrameWidth=size)
    folder.traces = [t for t in folder.traces if how != "half" or t[0] != b]
    path = folder.write(tmp_path / "e")
    if how == "codec":
        folders.write_clip(path / "Videos" / f"{b}.avi", frames, codec="mpeg4")
    audit = audit_folder(path)
    reason = "duplicate" if how == "same" else "near_duplicate"
    more = {(b, "untraced")} if how == "half" else set()
    assert found(audit) == {(a, reason), (b, reason)} | more
    [(x, y, similarity)] = audit.leakage()
    assert {x, y} == {a, b} and (similarity == 1.0) == (how == "same")
    assert b in evidence(audit, a, reason) and "TEST" in evidence(audit, a, reason)


def broken_labels(clean):
    folder = deepcopy(clean)
    names, hearts = folder.names, folder.hearts
    expected = set()

    def plant(i, *reasons):
        expected.update((names[i], r) for r in reasons)
        return names[i], hearts[names[i]]

    name, heart = plant(0, "several_annotators")
    folder.retrace(name, heart.ed, [heart.trace(heart.ed, scale=s) for s in (1, 1.03)])
    name, heart = plant(1, "several_annotators", "disjoint")
    shifts = [(0, 0), (1, 0), (0, 2), (-29, -20)]
    folder.retrace(
        name,
        heart.es,
        [heart.trace(heart.es, scale=0.5 if k == 3 else 1, shift=s) for k, s in enumerate(shifts)],
    )
    name, heart = plant(2, "rows")
    folder.retrace(name, heart.es, [np.delete(heart.trace(heart.es), 9, axis=0)])
    name, heart = plant(3, "outside")
    for frame in (heart.ed, heart.es):
        folder.retrace(name, frame, [heart.trace(frame, shift=(60, 0))])
    name, heart = plant(4, "self_intersecting")
    crossed = heart.trace(heart.ed)
    crossed[8] = crossed[8, ::-1]
    folder.retrace(name, heart.ed, [crossed])
    name, heart = plant(5, "ed_below_es")
    i, j = (k for k, t in enumerate(folder.traces) if t[0] == name)
    folder.traces[i], folder.traces[j] = folder.traces[j], folder.traces[i]
    name, heart = plant(6, "ef_traced")
    row = folder.row(name)
    row.update(EF=row["EF"] - 25, ESV=row["EDV"] * (1 - (row["EF"] - 25) / 100))
    name, heart = plant(7, "phases_close")
    folder.traces = [
        (n, heart.ed + 1 if (n, f) == (name, heart.es) else f, s) for n, f, s in folder.traces
    ]
    name, heart = plant(8, "frame_range", "phases_apart")
    folder.traces = [(n, 900 if (n, f) == (name, heart.es) else f, s) for n, f, s in folder.traces]
    name, _ = plant(9, "untraced")
    folder.traces = [t for t in folder.traces if t[0] != name]
    name, heart = plant(10, "untraced")
    folder.traces = [t for t in folder.traces if t[:2] != (name, heart.es)]
    plant(11, "bad_rows")
    return folder, expected


def test_broken_labels(clean, tmp_path):
    folder, expected = broken_labels(clean)
    path = folder.write(tmp_path / "e")
    with (path / "VolumeTracings.csv").open("a") as stream:
        stream.write(f"{folder.names[11]}.avi,1,2,oops,4,3\n")
        stream.writelines(
            f"nobody.avi,{p[0]},{p[1]},{q[0]},{q[1]},2\n" for p, q in folder.traces[0][2]
        )
    audit = audit_folder(path)
    assert found(audit) == expected | {("nobody", "unlisted")}
    names = folder.names
    assert "4 traces" in evidence(audit, names[1], "several_annotators")
    assert "annotator 4" in evidence(audit, names[1], "disjoint")
    assert "20 rows instead of 21" in evidence(audit, names[2], "rows")
    assert "1 frames at 50 per second" in evidence(audit, names[7], "phases_close")
    assert "listed" in evidence(audit, names[6], "ef_traced")


def test_an_order_that_says_nothing_is_no_fault(clean_small, tmp_path):
    folder = deepcopy(clean_small)
    for k in range(0, len(folder.traces), 4):  # every other clip
        folder.traces[k : k + 2] = folder.traces[k : k + 2][::-1]
    assert found(audit_folder(folder.write(tmp_path / "e"))) == set()


def test_broken_camus(tmp_path):
    path, truth = folders.write_camus(tmp_path, n=9)
    home = path / "database_nifti"

    def config(item, **values):
        patient, view = item.rsplit("_", 1)
        given = {"ed": 1, "es": 12, "n": 12, "ef": 60} | values
        (home / patient / f"Info_{view}.cfg").write_text(folders.CONFIG["nifti"].format(**given))

    def mask(item, kind, values):
        folders.write_nifti(home / item.rsplit("_", 1)[0] / f"{item}_{kind}_gt", values)

    even = [f"patient{i:04d}_2CH" for i in (2, 4, 6, 8)] + [
        f"patient{i:04d}_4CH" for i in (2, 4, 6, 8)
    ]
    config(even[0], es=30)
    config(even[1], es=3)
    config(even[2], n=11)
    config(even[3], ef=20)
    labels = {item: (truth[item][0], truth[item][-1]) for item in even}
    for kind, values in zip(("ED", "ES"), labels[even[4]][::-1], strict=True):
        mask(even[4], kind, values)
    mask(even[5], "ED", labels[even[5]][0] * 0)
    mask(even[6], "ED", labels[even[6]][0][:-2])
    mask(even[7], "ED", labels[even[7]][0] + np.uint8(4) * (labels[even[7]][0] == 2))
    (home / "patient0001" / "Info_2CH.cfg").write_text("ED: x\nES: 1\nNbFrame: 12\n")
    (home / "patient0003" / "patient0003_4CH_half_sequence.nii.gz").write_bytes(
        gzip.compress(b"short")
    )
    (home / "patient0005" / "patient0005_4CH_ES_gt.nii.gz").unlink()
    split = path / "database_split" / "subgroup_testing.txt"
    split.write_text(split.read_text() + "patient0007\n")
    audit = audit_folder(path)
    assert found(audit) == {
        (even[0], "frame_range"),
        (even[0], "phases_apart"),
        (even[1], "phases_close"),
        (even[2], "frame_count"),
        (even[2], "frame_range"),
        (even[3], "ef_traced"),
        (even[4], "ed_below_es"),
        (even[4], "ef_traced"),
        (even[5], "bad_mask"),
        (even[6], "bad_mask"),
        (even[7], "bad_mask"),
        ("patient0001_2CH", "bad_list"),
        ("patient0003_4CH", "undecodable"),
        ("patient0005_4CH", "bad_mask"),
        ("patient0007_2CH", "patient_leak"),
        ("patient0007_4CH", "patient_leak"),
    }


# Shapes and hashes beside plain twins


def crossings_by_hand(outline):
    """Count pairs of edges with one point inside both, by solving for it."""
    n, count = len(outline), 0
    for i in range(n):
        for j in range(i + 2, n):
            p, r = outline[i], outline[(i + 1) % n] - outline[i]
            q, s = outline[j], outline[(j + 1) % n] - outline[j]
            det = r[0] * s[1] - r[1] * s[0]
            if (i == 0 and j == n - 1) or abs(det) < 1e-12:
                continue
            t = ((q[0] - p[0]) * s[1] - (q[1] - p[1]) * s[0]) / det
            u = ((q[0] - p[0]) * r[1] - (q[1] - p[1]) * r[0]) / det
            count += 0 < t < 1 and 0 < u < 1
    return count


@pytest.mark.parametrize("n", [4, 5, 9, 40])
def test_crossings_are_those_of_solving_for_each(n):
    outlines = np.random.default_rng(n).uniform(0, 100, (60, n, 2))
    assert crossings(outlines).tolist() == [crossings_by_hand(o) for o in outlines]


def test_outlines_that_touch_do_not_cross():
    square = np.array([[0, 0], [4, 0], [4, 4], [0, 4.0]])
    point = np.array([[0, 0], [4, 0], [4, 4], [2, 0], [0, 4.0]])  # a corner on another edge
    double = np.array([[0, 0], [4, 0], [4, 0], [4, 4], [0, 4], [0, 4.0]])
    bow = np.array([[0, 0], [4, 4], [4, 0], [0, 4.0]])
    traces = [Trace("a", 0, 0, o) for o in (square, point, double, bow, square[:2])]
    assert count_crossings(traces) == [0, 0, 0, 1, 0]


def test_masks_of_traces_are_those_of_the_published_loaders():
    draw = pytest.importorskip("skimage.draw")
    rng = np.random.default_rng(3)
    for _ in range(40):
        heart = folders.Heart(rng, 4, 64)
        segments = heart.trace(0, shift=rng.uniform(-25, 25, 2), scale=rng.uniform(0.1, 1.2))
        outline = np.concatenate([segments[1:, 0], segments[:0:-1, 1]])
        expected = np.zeros((64, 60), bool)
        x, y = np.rint(outline).T
        expected[draw.polygon(y, x, expected.shape)] = True
        np.testing.assert_array_equal(Trace("a", 0, 0, outline).mask(64, 60), expected)
    assert not Trace("a", 0, 0, outline + 500).mask(64, 60).any()


# Bad input and interruptions


def test_links_out_of_a_folder_of_clips(clean, tmp_path):
    inner, outer = tmp_path / "in", tmp_path / "out"
    inner.mkdir(), outer.mkdir()
    for k, name in enumerate(clean.names[:3]):
        folders.write_clip((outer if k == 2 else inner) / f"{name}.avi", clean.clips[name])
    (inner / "leak.avi").symlink_to(outer / f"{clean.names[2]}.avi")
    (inner / "far").symlink_to(outer)
    audit = audit_folder(inner)
    assert found(audit) == {("leak", "outside_link"), ("far", "outside_link")}
    assert audit.table["item"].tolist() == sorted(clean.names[:2])


def test_folders_that_cannot_be_audited(tmp_path):
    with pytest.raises(AnnostatError, match="holds no clips"):
        audit_folder(tmp_path)
    np.savez(tmp_path / "a.npz", np.zeros((2, 3, 3)))
    with pytest.raises(AnnostatError, match="masks and no clips"):
        audit_folder(tmp_path)
    with pytest.raises(AnnostatError, match="there is no folder"):
        audit_folder(tmp_path / "none")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = folders.EchoFolder.make(8, seed=30, size=48)
    return folder.write(tmp_path_factory.mktemp("small") / "e")


def test_a_journal_gives_the_same_audit_and_decodes_nothing_again(small, tmp_path, monkeypatch):
    journal = tmp_path / "j.jsonl"
    first = audit_folder(small, journal=journal)
    kept = journal.read_bytes()
    assert len(kept.splitlines()) == 8 and first.n_resumed == 0
    monkeypatch.setattr("annostat.datasets.audit.measuring.Meter", None)
    again = audit_folder(small, journal=journal)
    assert again.to_dict() == first.to_dict() and again.n_resumed == 8
    assert journal.read_bytes() == kept


def test_a_journal_forgets_what_changed_and_forgives_a_torn_line(small, tmp_path):
    journal = tmp_path / "j.jsonl"
    tasks = [Task(p.stem, p) for p in sorted((small / "Videos").iterdir())]
    whole = measure_all(tasks, journal=journal)
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:3]) + lines[3][:40])
    assert set(read_journal(journal, tasks)) == {t.item for t in tasks[:3]}
    assert measure_all(tasks, journal=journal) == whole
    assert set(read_journal(journal, tasks)) == set(whole)
    changed = json.loads(lines[0])
    changed["state"] = [[1, 2]]
    journal.write_text(json.dumps(changed) + "\n[3]\n")
    assert read_journal(journal, tasks) == {}
    journal.write_text("this is\nno journal\n")
    with pytest.raises(AnnostatError, match="no journal of an audit"):
        measure_all(tasks, journal=journal)
    with pytest.raises(AnnostatError, match="cannot be written"):
        measure_all(tasks, journal=tmp_path / "no" / "folder.jsonl")


def test_processes_give_what_one_gives(small, monkeypatch):
    tasks = [Task(p.stem, p) for p in sorted((small / "Videos").iterdir())]
    one = measure_all(tasks)
    monkeypatch.setattr("annostat.datasets.audit.measuring.FEW", 2)
    assert measure_all(tasks, n_jobs=2) == one


def test_an_interrupt_within_a_kernel_condemns_no_clip(small, tmp_path, monkeypatch, capsys):
    def interrupted(*_, **__):
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as stop:
            raise SystemError("a dispatcher returned a result with an exception set") from stop

    monkeypatch.setattr("annostat.datasets.audit.measuring.Meter.add", interrupted)
    journal = tmp_path / "j.jsonl"
    path = next((small / "Videos").iterdir())
    with pytest.raises(KeyboardInterrupt):
        measure_all([Task(path.stem, path)], journal=journal)
    assert path.stem not in journal.read_text()
    monkeypatch.setattr("annostat.datasets.audit.measuring.measure", interrupted)
    with pytest.raises(SystemExit) as end:
        main(["audit", str(small), "--journal", str(tmp_path / "other.jsonl")])
    assert end.value.code == 130 and capsys.readouterr().err.endswith("annostat: stopped\n")


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_resumes_and_loses_nothing(kind, tmp_path, capsys):
    heart = folders.Heart(np.random.default_rng(0), 30, 64).frames
    (tmp_path / "clips").mkdir()
    folders.write_clip(tmp_path / "one.avi", np.concatenate([heart] * 8))
    data = (tmp_path / "one.avi").read_bytes()
    for k in range(40):
        (tmp_path / "clips" / f"c{k:03d}.avi").write_bytes(data)
    journal, output = tmp_path / "j.jsonl", tmp_path / "c.csv"
    command = [
        "audit",
        str(tmp_path / "clips"),
        "--journal",
        str(journal),
        "-o",
        str(output),
        "--n-jobs",
        "1",
    ]
    child = subprocess.Popen(
        [sys.executable, "-m", "annostat", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=hear_interrupts,
    )
    while not journal.exists() or journal.read_bytes().count(b"\n") < 5:
        assert child.poll() is None
        time.sleep(0.02)
    child.send_signal(kind)
    _, err = child.communicate(timeout=60)
    assert child.returncode == (-9 if kind == signal.SIGKILL else 130) and b"Traceback" not in err
    assert not output.exists()
    kept = journal.read_bytes()
    before = kept[: kept.rfind(b"\n") + 1]
    n = before.count(b"\n")
    assert 5 <= n < 40
    main(command)
    assert f"{n} clips were measured before" in capsys.readouterr().err
    assert journal.read_bytes().startswith(before)
    items = [
        json.loads(line)["item"]
        for line in journal.read_bytes().splitlines()
        if line.endswith(b"}")
    ]
    assert sorted(items) == [f"c{k:03d}" for k in range(40)]
    assert set(pd.read_csv(output)["reason"]) == {"duplicate"}


def test_memory_does_not_grow_with_the_number_of_clips(tmp_path):
    """Peak memory of 30 long clips is that of one, to within a few MiB."""
    heart = folders.Heart(np.random.default_rng(0), 30, 112).frames
    folders.write_clip(tmp_path / "one.avi", np.concatenate([heart] * 10))
    data = (tmp_path / "one.avi").read_bytes()
    for n in (1, 30):
        place = tmp_path / f"n{n}"
        place.mkdir()
        for k in range(n):
            (place / f"c{k}.avi").write_bytes(data)
    code = (
        "import resource, sys; from annostat.datasets import audit_folder\n"
        "for folder in sys.argv[1:]:\n"
        "    audit_folder(folder)\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    command = [sys.executable, "-c", code, tmp_path / "n1", tmp_path / "n30"]
    done = subprocess.run(command, capture_output=True, check=True)
    one, thirty = map(float, done.stdout.split())
    assert thirty < one + 12  # the clips hold 113 MB of pixels


# Prompts


def test_rank_correlation_is_spearmans():
    rng = np.random.default_rng(0)
    for n in (12, 50, 400):
        x = rng.normal(size=n)
        y = np.rint(3 * np.abs(x + rng.normal(size=n)))  # ties
        estimate, p = rank_correlation(x, y)
        expected = stats.spearmanr(x, y)
        assert estimate.value == pytest.approx(expected.statistic, abs=1e-12)
        assert estimate.low < estimate.value < estimate.high
        assert abs(p - expected.pvalue) < 0.15


def test_standard_error_of_the_rank_correlation_is_that_of_the_jackknife():
    rng = np.random.default_rng(1)
    x = rng.normal(size=150)
    y = np.rint(2 * x + 2 * rng.normal(size=150))
    estimate, _ = rank_correlation(x, y)
    left = np.array([stats.spearmanr(np.delete(x, i), np.delete(y, i))[0] for i in range(150)])
    jackknife = np.sqrt(149 / 150 * ((left - left.mean()) ** 2).sum())
    assert estimate.standard_uncertainty == pytest.approx(jackknife, rel=0.03)
    # Each item twice, as one unit: the same knowledge.
    twice, _ = rank_correlation(np.tile(x, 2), np.tile(y, 2), clusters=[*range(150)] * 2)
    assert twice.standard_uncertainty == pytest.approx(estimate.standard_uncertainty, rel=1e-9)


def test_rank_correlations_that_say_nothing():
    estimate, p = rank_correlation(np.ones(20), np.arange(20))
    assert np.isnan(estimate.value) and np.isnan(p) and "constant" in estimate.note
    estimate, p = rank_correlation(np.arange(5), np.arange(5)[::-1])
    assert estimate.value == -1 and estimate.interval is None and np.isnan(p)
    with pytest.raises(AnnostatError, match="one length"):
        rank_correlation([1, 2], [1, 2, 3])
    with pytest.raises(AnnostatError, match="finite"):
        rank_correlation([1, np.nan], [1, 2])


def write_prompts(path, responses):
    """Write responses as EchoCLIP's folders hold them: runs, and lists as text."""
    for k, run in enumerate(("wall", "valve")):
        (path / run).mkdir(parents=True)
        for clip, value in responses.items():
            frames = [float(value) - 0.1, float(value) + 0.1]
            answers = {"FORESHORTENED": str(frames)} if k else {"WALL": frames}
            answers["ejection_fraction"] = 55.5
            (path / run / f"{clip}.json").write_text(json.dumps(answers))
    return path


def test_prompts_of_each_format(tmp_path):
    responses = {"a": 0.3, "b": 0.5, "c": -1.25}
    table = read_prompts(write_prompts(tmp_path / "j", responses))
    assert sorted(table.columns) == ["FORESHORTENED", "WALL", "ejection_fraction"]
    assert table["FORESHORTENED"].to_dict() == pytest.approx(responses)
    assert table["ejection_fraction"].eq(55.5).all()
    (tmp_path / "p.csv").write_text("FileName,FORESHORTENED,note\na.avi,0.3,x\nb.avi,0.5,y\n")
    table = read_prompts(tmp_path / "p.csv")
    assert table["FORESHORTENED"].to_dict() == {"a": 0.3, "b": 0.5}
    assert list(table.columns) == ["FORESHORTENED"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", "{", "is no JSON"),
        ("a.json", "[1]", "an object of prompts"),
        ("a.json", '{"p": "__import__(1)"}', "no numbers for 'p'"),
        ("a.json", '{"p": []}', "no numbers for 'p'"),
        ("a.json", '{"p": NaN}', "no numbers for 'p'"),
        ("a.json", "[" * 100_000, "is no JSON"),
        ("a.csv", "x,y\n1,2\n", "no column of items"),
        ("a.csv", "clip,y\na,2\na.avi,3\n", "names an item twice"),
        ("a.csv", "clip,y\na,b\n", "no column of numbers"),
    ],
)
def test_bad_prompts(name, content, message, tmp_path):
    (tmp_path / name).write_text(content)
    with pytest.raises(AnnostatError, match=message):
        read_prompts(tmp_path if name.endswith("json") else tmp_path / name)


def test_runs_that_disagree_and_links(tmp_path):
    path = write_prompts(tmp_path / "j", {"a": 0.3})
    (tmp_path / "b.json").write_text('{"WALL": 3}')
    (path / "wall" / "b.json").symlink_to(tmp_path / "b.json")
    assert list(read_prompts(path).index) == ["a"]
    (path / "valve" / "a.json").write_text('{"WALL": 7}')
    with pytest.raises(AnnostatError, match="differently"):
        read_prompts(path)
    (tmp_path / "none").mkdir()
    with pytest.raises(AnnostatError, match="holds no"):
        read_prompts(tmp_path / "none")


@pytest.fixture
def prompted(tmp_path):
    """24 clips whose noise and error grow with the response of one prompt of two."""
    folder = folders.EchoFolder.make(24, seed=31, n_frames=16, size=48)
    rng = np.random.default_rng(0)
    strength = dict(zip(folder.names, rng.permutation(24) / 24, strict=True))
    write_prompts(tmp_path / "prompts", strength)
    names = folder.names
    noise = np.array([strength[n] for n in names]) * 10 + rng.uniform(0, 1, 24)
    pd.DataFrame({"clip": names, "first": 50, "second": 50 + np.rint(noise)}).to_csv(
        tmp_path / "rounds.csv", index=False
    )
    signs = rng.choice([-1, 1], 24)
    errors = {"student": noise * signs, "other": rng.normal(size=24)}
    table = pd.DataFrame({"FileName": [f"{n}.avi" for n in names]} | errors)
    table.to_csv(tmp_path / "errors.csv", index=False)
    for row in folder.rows:
        row["NumberOfFrames"] = 16
    return folder.write(tmp_path / "e"), strength


def test_prompts_beside_noise_and_errors(prompted, tmp_path, capsys):
    path, strength = prompted
    main(
        [
            "audit",
            str(path),
            "--journal",
            str(tmp_path / "j"),
            "--prompts",
            str(tmp_path / "prompts"),
            "--noise",
            str(tmp_path / "rounds.csv"),
            "--errors",
            str(tmp_path / "errors.csv"),
            "--json",
            "-",
        ]
    )
    data = json.loads(capsys.readouterr().out)
    ends = {p["prompt"]: p for p in data["prompts"]}
    ranked = sorted(strength, key=strength.__getitem__)
    assert [e["item"] for e in ends["FORESHORTENED"]["least"]] == ranked[:5]
    assert [e["item"] for e in ends["FORESHORTENED"]["most"]] == ranked[::-1][:5]
    found = {(a["prompt"], a["outcome"]): a for a in data["associations"]}
    assert len(found) == 9
    for outcome in ("annotation noise", "error of student"):
        a = found["FORESHORTENED", outcome]
        assert a["correlation"]["value"] > 0.8 and a["p_adjusted"] < 0.01
        assert a["p_adjusted"] >= a["p_value"] and a["n_items"] == 24
    assert found["FORESHORTENED", "error of other"]["p_adjusted"] > 0.05
    assert found["ejection_fraction", "annotation noise"]["correlation"]["value"] is None


def test_several_annotators_give_a_noise_of_their_own(tmp_path):
    folder = folders.EchoFolder.make(12, seed=32, n_frames=16, size=48)
    for k, (name, heart) in enumerate(folder.hearts.items()):
        folder.retrace(name, heart.ed, [heart.trace(heart.ed, scale=s) for s in (1, 1 + k / 100)])
    pd.DataFrame({"clip": folder.names, "p": range(12)}).to_csv(tmp_path / "p.csv", index=False)
    audit = audit_folder(folder.write(tmp_path / "e"), prompts=tmp_path / "p.csv")
    [a] = audit.associations
    assert (a.outcome, a.correlation.value) == ("spread of traced areas", 1.0)
    with pytest.raises(AnnostatError, match="give prompts"):
        audit_folder(tmp_path / "e", noise=Rounds.from_array([[1, 2]], items=["a"]))


# The command


def test_the_command_and_its_outputs(clean, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder, expected = broken_labels(clean)
    folder.write("e")
    schema = Path(__file__).parent.parent / "docs" / "audit.schema.json"
    main(
        [
            "audit",
            "e",
            "-o",
            "c.csv",
            "--json",
            "a.json",
            "--plot",
            "s.png",
            "--plot-rates",
            "r.svg",
            "--report",
            "r.html",
            "--limit",
            "dice=0.1",
        ]
    )
    out = capsys.readouterr()
    assert "The worst items" in out.out and out.err == ""
    data = json.loads(Path("a.json").read_text())
    jsonschema.validate(data, json.loads(schema.read_text()))
    assert data["provenance"]["options"]["limits"]["dice"] == 0.1
    table = pd.read_csv("c.csv")
    assert list(table.columns) == ["item", "reason", "score", "evidence"]
    assert table["score"].is_monotonic_decreasing and set(table["reason"]) <= set(REASONS)
    assert {i for i, _ in expected} - {folder.names[11]} == set(table["item"])
    assert (
        Path("s.png").read_bytes().startswith(b"\x89PNG") and b"<svg" in Path("r.svg").read_bytes()
    )
    page = Path("r.html").read_text()
    assert "The data set and its faults" in page and "self_intersecting" in page
    assert len(page) < 4_000_000 and "annostat audit e" in page
    assert {p.name for p in tmp_path.iterdir()} == {
        "e",
        "e.audit.jsonl",
        "c.csv",
        "a.json",
        "s.png",
        "r.svg",
        "r.html",
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["none"], "there is no folder 'none'"),
        (["e", "--limit", "jumps=3"], "did you mean 'jump'"),
        (["e", "--limit", "jump=x"], "must be a number"),
        (["e", "--limit", "heart_rate_max=10"], "below heart_rate_max"),
        (["e", "--prompts", "none.csv"], "there is no file"),
        (["e", "--errors", "x.csv"], "there is no file"),
        (["e", "--journal", "no/j.jsonl"], "cannot be written"),
        (["e", "--level", "2"], "'2' is not between 0 and 1"),
        (["e", "--n-jobs", "0"], "n_jobs must be"),
    ],
)
def test_bad_input_is_one_line(options, message, small, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "e").symlink_to(small)
    with pytest.raises(SystemExit) as stop:
        main(["audit", *options])
    out = capsys.readouterr()
    assert stop.value.code == 2 and out.out == ""
    assert message in out.err and out.err.count("\n") == 1


def test_every_command_that_reads_rounds_takes_the_list_of_what_to_leave_out():
    for name in COMMANDS:
        options = {p.name for p in cli.get_command(None, name).params}
        assert "exclude" in options or "rounds" not in options, name


def test_what_is_excluded_is_left_out(tmp_path, capsys):
    z = 50 + np.rint(np.random.default_rng(0).laplace(0, 2, (60, 2)))
    names = [f"c{i}" for i in range(60)]
    table = pd.DataFrame({"clip": names, "a": z[:, 0], "b": z[:, 1]})
    table.to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "x.csv").write_text(
        "item,reason,score,evidence\nc3.avi,torn,1,\nc4,jump,1,\nc4,torn,1,\nother,torn,1,\n"
    )
    table.drop([3, 4]).to_csv(tmp_path / "u.csv", index=False)
    args = ["--rounds", "a", "b", "--json", "-", "--half-width", "0.2"]
    main(["plan", str(tmp_path / "t.csv"), "--exclude", str(tmp_path / "x.csv"), *args])
    with_list = capsys.readouterr()
    main(["plan", str(tmp_path / "u.csv"), *args])
    found, plain = json.loads(with_list.out), json.loads(capsys.readouterr().out)
    assert found.pop("read")["left_out"] and plain.pop("read") and found == plain
    assert with_list.err.startswith("annostat: 2 of 60 items excluded")
    frames = Rounds.from_array([[1, 2], [3, 4]], items=["c3:10", "d:4"])
    assert without(frames, str(tmp_path / "x.csv")).items.tolist() == ["d:4"]
    for bad, message in (("t.csv", "leaves no item"), ("none.csv", "there is no file")):
        with pytest.raises(SystemExit):
            main(["plan", str(tmp_path / "t.csv"), "--exclude", str(tmp_path / bad), *args])
        assert message in capsys.readouterr().err


def test_limits_are_checked():
    assert Limits(heart_rate_max=100).shortest_systole == pytest.approx(0.336)
    for wrong in ({"jump": -1}, {"heart_rate_max": 400}, {"heart_rate_min": 250}):
        with pytest.raises(AnnostatError):
            Limits(**wrong)


def test_the_report_is_the_same_each_time(small):
    one, two = (make_report([audit_folder(small)]) for _ in range(2))
    assert one == two
