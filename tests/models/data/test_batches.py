"""Which frames are seen when, and clips on disk."""

import dataclasses

import numpy as np
import pytest
import torch

from annostat import AnnostatError
from models.data.batches import (
    Batches,
    Sampling,
    ahead,
    moved,
    window_around,
    window_frames,
    window_start,
)
from models.data.clips import open_store
from models.data.settings import Data
from models.data.store import Example, Outline, Recipe, Store, Unreadable, make_store

TINY = Data(size=16, frames=16, n_train=8, n_valid=3, n_test=2)


def store_of(lengths):
    total = sum(lengths)
    frames = np.arange(total * 4, dtype=np.uint8).reshape(total, 2, 2)
    return Store(
        [f"c{k}" for k in range(len(lengths))],
        np.array(lengths),
        frames,
        frames[:, None],
        [{} for _ in lengths],
    )


def test_windows_are_uniform_and_repeatable():
    starts = [window_start(1, e, "clip", 10) for e in range(3000)]
    counts = np.bincount(starts, minlength=10)
    assert counts.size == 10
    assert ((counts - 300) ** 2 / 300).sum() < 27.9  # chi-square, 9 degrees of freedom, 0.1 %
    assert starts == [window_start(1, e, "clip", 10) for e in range(3000)]
    assert window_start(2, 0, "clip", 10**9) != window_start(1, 0, "clip", 10**9)


def test_windows_of_short_clips_swing():
    assert window_frames(0, 0, "c", 3, 7, 1).tolist() == [0, 1, 2, 1, 0, 1, 2]
    assert window_frames(0, 0, "c", 1, 3, 1).tolist() == [0, 0, 0]
    frames = window_frames(0, 5, "c", 40, 6, 2)
    assert (np.diff(frames) == 2).all() and frames.max() < 40


@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("length", [2, 9, 40])
def test_windows_around_a_frame(length, stride):
    for frame in range(length):
        frames, at = window_around(frame, length, 7, stride)
        assert frames[at] == frame and frames.min() >= 0 and frames.max() < length
        if length == 40 and 12 <= frame < 28:
            assert at == 4 and (np.diff(frames) == stride).all()


def test_number_of_processes_does_not_change_the_data():
    options = {"batch": 4, "window": 3, "stride": 1, "seed": 5}
    alone = Batches(store_of([9, 5, 7, 4, 6, 8, 5, 9]), Sampling(**options))
    shares = [Batches(alone.store, Sampling(**options, rank=r, world=2)) for r in (0, 1)]
    for (whole_batch, _), *parts in zip(alone.epoch(3), *(s.epoch(3) for s in shares), strict=True):
        mixed = torch.stack([parts[k % 2][0][k // 2] for k in range(4)])
        assert torch.equal(whole_batch, mixed)
    later = list(alone.epoch(3, first=1))
    assert torch.equal(later[0][0], list(alone.epoch(3))[1][0])
    with pytest.raises(AnnostatError, match="multiple of the 3 processes"):
        Batches(alone.store, Sampling(**options, rank=0, world=3))


def test_validation_windows_are_fixed():
    fixed = Batches(store_of([9, 5, 7]), Sampling(batch=2, window=3, seed=5), fixed=True)
    first, second = ([b[0] for b in fixed.epoch(e)] for e in (0, 7))
    assert [len(b) for b in first] == [2, 1]
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def recipe_of(made, *, workers=1, n=9):
    """A store of clips that are told apart by their frames; the one in three cannot be read."""

    def group(k):
        made.append(k)
        if k % 3 == 2:
            return [Unreadable(f"c{k}", "is broken")]
        frames = np.full((k + 2, 4, 4), k, np.uint8)
        mask = np.full((4, 4), 3 * k, np.uint8)
        outlines = [Outline(1, "LV", 0, mask)] if k % 2 else []
        return [Example(f"c{k}", frames, frames[:, None], {"k": k}, outlines)]

    return Recipe(n, group, "teachers", ["a note"], workers)


def append(path, data):
    """Add bytes to a file."""
    with path.open("ab") as file:
        file.write(data)


def contents(store):
    """Return all of a store as plain data."""
    outlines = [[(o.frame, o.mask.tolist()) for o in part] for part in store.outlines]
    arrays = [store.frames.tolist(), store.targets.tolist(), store.lengths.tolist()]
    return [store.names, arrays, outlines, store.facts, store.kind, store.messages()]


def test_a_store_cut_short_is_gone_on_with(tmp_path):
    """Killed between two clips, within one, and within a line of the journal."""
    whole = contents(make_store(tmp_path / "whole", {}, lambda: recipe_of([])))
    assert whole[0] == ["c0", "c1", "c3", "c4", "c6", "c7"] and "3 clips cannot" in whole[-1][1]
    for junk in ("", "bytes", "line", "lost"):
        made, place = [], tmp_path / f"cut-{junk}"

        def killed(made=made):
            recipe = recipe_of(made)

            def group(k):
                if k == 5:
                    raise KeyboardInterrupt
                return recipe.group(k)

            return dataclasses.replace(recipe, group=group)

        with pytest.raises(KeyboardInterrupt):
            make_store(place, {}, killed)
        folder = next(place.iterdir())
        if junk == "bytes":
            for name in ("frames.u8", "targets.u8", "outlines.u8"):
                append(folder / name, b"half a clip")
        if junk == "line":
            append(folder / "made.jsonl", b'{"clips": [{"na')
        if junk == "lost":  # the power went before the frames were on the disk
            (folder / "frames.u8").write_bytes((folder / "frames.u8").read_bytes()[:-3])
        assert contents(make_store(place, {}, lambda made=made: recipe_of(made))) == whole
        assert made[5:] == list(range(4 if junk == "lost" else 5, 9)), junk
        assert not (folder / "made.jsonl").exists()


def test_threads_make_the_same_store(tmp_path):
    one, four = (
        contents(make_store(tmp_path / str(w), {}, lambda w=w: recipe_of([], workers=w, n=40)))
        for w in (1, 4)
    )
    assert one == four


def test_a_store_that_cannot_be_read_is_told(tmp_path):
    open_store(TINY, "valid", tmp_path)
    folder = next(tmp_path.iterdir())
    (folder / "index.json").write_text("{")
    with pytest.raises(AnnostatError, match="cannot be read"):
        open_store(TINY, "valid", tmp_path)
    with pytest.raises(AnnostatError, match=r"no clip can be read.*c2 is broken"):
        broken = Recipe(1, lambda k: [Unreadable("c2", "is broken")])
        make_store(tmp_path / "none", {}, lambda: broken)


def test_splits_are_other_clips(tmp_path):
    names = [set(open_store(TINY, split, tmp_path).names) for split in ("train", "valid", "test")]
    assert sum(map(len, names)) == len(set.union(*names)) == 13


def test_arrays_are_moved_in_pieces():
    array = np.random.default_rng(0).integers(0, 256, (23, 3, 4), dtype=np.uint8)
    for piece in (1, 50, 10**6):
        assert np.array_equal(moved(array, torch.device("cpu"), piece).numpy(), array)


def test_a_thread_reads_ahead_and_passes_errors_on():
    made = []

    def items():
        for k in range(5):
            made.append(k)
            yield k
        raise OSError("gone")

    found = ahead(items())
    assert next(found) == 0
    seen = []
    with pytest.raises(OSError, match="gone"):
        for k in found:
            seen.append(k)
    assert seen == [1, 2, 3, 4] == made[1:]
    assert list(ahead(iter([]))) == []


def test_indices_are_placed_once_an_epoch(monkeypatch):
    """As tensors, which is how they lie on a GPU, the batches are the same."""
    plain = Batches(store_of([9, 5, 7, 4, 6]), Sampling(2, 3))
    placed = Batches(plain.store, Sampling(2, 3))
    placed.frames, placed.targets = (torch.from_numpy(a) for a in (plain.frames, plain.targets))
    calls = []
    keep = torch.from_numpy
    monkeypatch.setattr(torch, "from_numpy", lambda a: calls.append(a.shape) or keep(a))
    found = list(placed.epoch(1))
    assert calls == [(4, 3)]
    for (a, b), (c, d) in zip(plain.epoch(1), found, strict=True):
        assert torch.equal(a, c) and torch.equal(b, d)
