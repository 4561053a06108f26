"""Masks larger than memory: packed where they are read, the same numbers as laid out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from annostat import AnnostatError, simulate_masks
from annostat.consensus import consensus, staple
from annostat.datasets.mask_files import read_masks, read_masks_and_models
from annostat.interchange import interchange
from annostat.labels import MaskRounds, packed_masks
from annostat.labels.packed_masks import PackedMasks
from annostat.plotting import plot_disputed
from annostat.truth import compare_masks
from tests.clusters import two_workers

ROOT = Path(__file__).parent.parent
WHO = ("anna", "ben", "cleo")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Label maps of clips of four frames: two structures, one label that is left out, two sizes.

    Ben lacks a clip, cleo drew nothing in a frame, and the model lacks a clip.
    """
    root = tmp_path_factory.mktemp("masks")
    rounds, truth = simulate_masks(24, 3, noise_px=1.5, rng=1, shape=(40, 44), radius_px=(8, 14))
    for name, masks in zip((*WHO, "net"), [*rounds.values, truth], strict=True):
        values = 2 * np.asarray(masks, dtype=np.uint16)
        values[:, :20][values[:, :20] > 0] = 300
        values[:, 0, 0] = 7 if name == "anna" else 0
        if name == "cleo":
            values[5] = 0
        (root / name).mkdir()
        for c in range(6):
            if (name, c) not in {("ben", 3), ("net", 1)}:
                clip = values[4 * c : 4 * c + 4, :, : 40 if c == 2 else 44]
                np.savez(root / name / f"clip{c}.npz", clip)
    return root


def read(folder, **options):
    return read_masks_and_models(
        [folder / name for name in WHO], {"net": folder / "net"}, spacing=0.3, **options
    )


@pytest.fixture
def little_memory(monkeypatch):
    monkeypatch.setattr("annostat.masks.counts.CHUNK", 4000)
    monkeypatch.setattr("annostat.datasets.mask_files.HELD", 0)
    monkeypatch.setattr(packed_masks, "MAX_PIXELS", 110_000)


def numbers(result):
    """Return what a result holds but for the hash of the data, which is one of boxes if packed."""

    def without(entry):
        if isinstance(entry, dict):
            return {k: without(v) for k, v in entry.items() if k != "provenance"}
        return [without(e) for e in entry] if isinstance(entry, list) else entry

    return repr(without(result.to_dict()))


def test_packed_masks_are_the_array_that_they_stand_for():
    g = np.random.default_rng(0)
    masks = (g.random((5, 9, 7)) < 0.1).astype(np.uint8) * g.integers(1, 4, (5, 9, 7), np.uint8)
    masks[2] = 0
    packed = PackedMasks.of(masks)
    assert packed.shape == masks.shape and packed.ndim == 3 and len(packed) == 5
    assert (np.asarray(packed) == masks).all() and (packed[3] == masks[3]).all()
    rows = np.array([4, 2, 2])
    assert (np.asarray(packed[rows]) == masks[rows]).all()
    assert ((packed[1:3] == 2) == (masks[1:3] == 2)).all()
    assert [int(v) for v in np.flatnonzero(packed.numbers())] == np.unique(masks).tolist()
    codes = np.zeros(1 << 16, np.uint8)
    codes[3] = 1
    again = PackedMasks.of(codes[masks])
    assert packed.recoded(codes).equals(again) and not packed.equals(again)
    assert packed.recoded(codes).tobytes() == again.tobytes() != packed.tobytes()
    wide = packed.placed((12, 7), np.dtype(np.uint16))
    assert (np.asarray(wide)[:, :9] == masks).all() and not np.asarray(wide)[:, 9:].any()


def test_what_is_read_is_the_same(folder, little_memory, monkeypatch):
    packed, net = read(folder)
    assert isinstance(packed.values, PackedMasks) and isinstance(net.values, PackedMasks)
    monkeypatch.setattr(packed_masks, "MAX_PIXELS", 1 << 32)
    for held in (0, 1 << 30):  # packed on the way, or not
        monkeypatch.setattr("annostat.datasets.mask_files.HELD", held)
        for one, other in zip((packed, net), read(folder), strict=True):
            assert isinstance(other.values, np.ndarray)
            assert (np.asarray(one.values) == other.values).all()
            for name in ("names", "labels", "notes", "spacing_unit"):
                assert getattr(one, name) == getattr(other, name)
            for name in ("drawn", "items", "cluster", "spacing"):
                assert repr(getattr(one, name)) == repr(getattr(other, name))
    some = np.array([3, 0, 9])
    assert packed.take(some).digest() == PackedRounds(packed.take(some)).digest()
    assert packed.take(some).digest() != packed.digest()
    assert (packed.of("ben") == read(folder)[0].of("ben")).all()


def PackedRounds(rounds):
    """Return rounds made anew from the laid-out masks of packed ones."""
    values = {n: PackedMasks.of(np.asarray(v)) for n, v in zip(WHO, rounds.values, strict=True)}
    again = {
        n: v.recoded(np.array([0, *rounds.labels] + [0] * 65533, np.uint16))
        for n, v in values.items()
    }
    return MaskRounds.from_arrays(
        again, labels=rounds.labels, present=dict(zip(WHO, rounds.drawn, strict=True))
    )


def test_the_numbers_are_the_same(folder, little_memory, monkeypatch):
    packed, net = read(folder)
    found = compare_masks(packed, models=net, n_resamples=200)
    monkeypatch.setattr(packed_masks, "MAX_PIXELS", 1 << 32)
    rounds, model = read(folder)
    expected = compare_masks(rounds, models=model, n_resamples=200)
    assert numbers(found) == numbers(expected)
    for region in ("box", "all"):
        one, other = (staple(r, region=region, margin=2) for r in (packed, rounds))
        assert numbers(one) == numbers(other) and (one.patterns == other.patterns).all()
    assert [t.get_text() for t in plot_disputed(found, n=3).texts] == [
        t.get_text() for t in plot_disputed(expected, n=3).texts
    ]


def test_what_takes_all_pixels_at_once_says_so(folder, little_memory, run, tmp_path):
    packed, net = read(folder)
    for refused in (
        lambda: consensus(packed),
        lambda: np.asarray(packed.values),
        lambda: interchange(packed, net, label=2),
    ):
        with pytest.raises(AnnostatError, match=r"more than can be laid out at once.*take some"):
            refused()
    with pytest.raises(AnnostatError, match=r"take some of the items"):
        _ = staple(packed).mask
    few = packed.take(np.arange(4))
    assert consensus(few).mask.shape == (4, 40, 44)
    out = tmp_path / "consensus.npz"
    code, _, err = run("masks", *[folder / n for n in WHO], "--consensus", out)
    assert code == 2 and "laid out at once" in err and not out.exists()


def test_wrong_numbers_are_refused(folder, little_memory):
    with pytest.raises(AnnostatError, match="label 9"):
        read_masks([folder / name for name in WHO], labels=[9])
    masks = PackedMasks.of(np.full((2, 4, 4), 3, np.uint8))
    with pytest.raises(AnnostatError, match="must be a mask of 0 and 1"):
        MaskRounds.from_arrays({"a": masks, "b": masks})
    with pytest.raises(AnnostatError, match=r"not in labels=\[1\]: 3"):
        MaskRounds.from_arrays({"a": masks, "b": masks}, labels=[1])
    with pytest.raises(AnnostatError, match="have shape"):
        MaskRounds.from_arrays({"a": masks, "b": masks[:1]}, labels=[3])


def compared(folder):
    """Print whether workers in other processes give what one process does."""
    import joblib

    folder = Path(folder)
    rounds, model = read(folder)
    expected = numbers(compare_masks(rounds, models=model, n_resamples=100))
    packed_masks.MAX_PIXELS = 110_000
    with (
        two_workers(),
        joblib.parallel_config(backend="dask", n_jobs=2),
    ):
        rounds, model = read(folder, n_jobs=2)
        found = compare_masks(rounds, models=model, n_resamples=100, n_jobs=2)
    print(isinstance(rounds.values, PackedMasks), numbers(found) == expected)


def test_a_local_cluster_gives_the_serial_numbers(folder):
    pytest.importorskip("distributed", reason="needs dask[distributed]")
    code = f"from tests.test_packed_masks import compared; compared({str(folder)!r})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["True", "True"], done.stderr
