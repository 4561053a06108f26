"""Masks of whole clips."""

import numpy as np
import pytest
import torch

from annostat import AnnostatError
from models.network.predict import keep_largest, predict, predict_many, stream
from models.network.settings import Net
from models.network.weights import make_student
from models.world.phantom import make_clip

NET = Net(blocks=2, layers=1, filters=2)


@pytest.fixture(scope="module")
def student():
    torch.manual_seed(0)
    return make_student(NET, 2).eval()


@pytest.fixture(scope="module")
def frames():
    return make_clip(3, 0, size=32, frames=24).frames


def test_memory_does_not_grow_with_the_clip(student, frames):
    """Pieces come lazily and leave at once; the result is that of the whole."""

    def pieces():
        for start in range(0, 24, 5):
            yield frames[start : start + 5]

    parts = stream(student, pieces())
    assert next(parts).shape == (5, 2, 32, 32)
    rest = np.concatenate(list(parts))
    assert np.abs(rest.astype(int) - predict(student, frames)[5:]).max() <= 1


def test_padding_is_cut_off_again(student, frames):
    bare = predict(student, frames)
    padded = predict(student, frames, pad=7)
    assert padded.shape == bare.shape and not np.array_equal(padded[0], bare[0])
    by_hand = predict(student, np.concatenate([frames[7:0:-1], frames]))[7:]
    assert np.array_equal(padded, by_hand)
    looped = predict(student, np.concatenate([frames[-7:], frames]))[7:]
    assert np.array_equal(predict(student, frames, pad=7, how="loop"), looped)


def test_largest_component():
    mask = np.zeros((1, 1, 6, 8), np.uint8)
    mask[..., 1:4, 1:3] = 200
    mask[..., 4:6, 5:7] = 255
    mask[..., 0, 7] = 90
    kept = keep_largest(mask)
    assert kept[..., 1:4, 1:3].all() and not kept[..., 4:6, 5:7].any() and kept[0, 0, 0, 7] == 90
    assert not keep_largest(np.zeros((1, 3, 3), np.uint8)).any()


def test_a_training_network_is_refused(frames):
    with pytest.raises(AnnostatError, match="evaluation mode"):
        predict(make_student(NET, 2), frames)


def test_prediction_does_not_depend_on_the_pieces(student, frames):
    whole = predict(student, frames)
    assert whole.shape == (24, 2, 32, 32)
    for chunk in (1, 7):
        other = predict(student, frames, chunk=chunk)
        assert np.abs(other.astype(int) - whole).max() <= 1  # of 255: rounding


def test_clips_may_go_together(student, frames):
    """Of other lengths, padded; the same masks but for rounding."""
    clips = [frames, frames[5:13], frames[::-1][:17]]
    for options in ({}, {"pad": 4, "how": "loop", "largest": True, "chunk": 5}):
        several = predict_many(student, clips, **options)
        for clip, masks in zip(clips, several, strict=True):
            alone = predict(student, clip, **options)
            assert masks.shape == alone.shape
            # A component may hang on one pixel.
            assert (np.abs(masks.astype(int) - alone) > 1).mean() < 1e-3
