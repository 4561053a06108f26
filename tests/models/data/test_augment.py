"""Random changes of clips."""

import numpy as np
import pytest
import torch

from models.data.augment import Augmentation, augment, uniform, within
from models.data.batches import Batches, Sampling, window_frames
from models.data.store import Store
from models.network.settings import Train
from models.network.step import Step
from models.network.student import Student


def clips(n=3, t=4, size=24):
    """A bright square, and the same square as the target of two structures."""
    frames = torch.zeros(n, t, size, size, dtype=torch.uint8)
    frames[:, :, 8:16, 10:18] = 100
    targets = torch.zeros(n, t, 2, size, size, dtype=torch.uint8)
    targets[:, :, 0, 8:16, 10:18] = 255
    return frames, targets


def test_nothing_drawn_changes_nothing():
    frames, targets = clips()
    still = torch.tensor([[1.0, 0, 0, 1, 0, 0]] * 3)
    new, wanted = augment(frames, targets, still)
    assert torch.equal(new, frames) and torch.equal(wanted, targets)
    assert not Augmentation() and Augmentation(gain=0.1)


def test_frames_and_targets_move_alike():
    """By a quarter of the side downwards; twice as large; brighter, but not beyond white."""
    frames, targets = clips()
    drawn = torch.tensor([[1.0, 0.25, 0, 1, 0, 0], [1, 0, -2 / 24, 1, 0, 0], [3, 0, 0, 2, 0, 0]])
    new, wanted = augment(frames, targets, drawn)
    assert torch.equal(new[0, 0], frames[0, 0].roll(6, 0))
    assert torch.equal(new[1, 0], frames[1, 0].roll(-2, 1))
    assert new[2].max() == 255 and (wanted[2, 0, 0] >= 128).sum() == 4 * 64
    for k in range(3):
        assert torch.equal(new[k] > new[k].max() / 2, wanted[k, :, 0] >= 128)
        assert not wanted[k, :, 1].any()


def test_a_narrower_sector_blackens_its_edges_and_no_target():
    """By 25° at the left: what lies more than 20° to that side of the apex."""
    frames = torch.full((2, 3, 40, 40), 90, dtype=torch.uint8)
    targets = torch.full((2, 3, 1, 40, 40), 255, dtype=torch.uint8)
    drawn = torch.tensor([[1.0, 0, 0, 1, 25, 0], [1, 0, 0, 1, 0, 0]])
    new, wanted = augment(frames, targets, drawn)
    assert torch.equal(wanted, targets) and torch.equal(new[1], frames[1])
    y, x = np.mgrid[:40, :40] + 0.5
    left = np.degrees(np.arctan2(20 - x, y)) > 20
    assert np.array_equal(new[0, 2].numpy() == 0, left) and 200 < left.sum() < 800
    both = within(torch.tensor([25.0]), torch.tensor([25.0]), (40, 40))[0]
    assert torch.equal(both, both.flip(1))
    draws = Augmentation(sector=0.4).draw(0, 1, ["a", "b"])
    assert (draws[:, 4:] > 0).all() and np.array_equal(draws[:, :4], [[1, 0, 0, 1]] * 2)


def test_another_frame_rate_takes_other_frames():
    """From half to twice as fast; without it the windows stay what they were."""
    for name in "abcdefgh":
        plain = window_frames(1, 2, name, 60, 10, 2)
        assert np.array_equal(plain, window_frames(1, 2, name, 60, 10, 2, 0.0))
        fast = window_frames(1, 2, name, 60, 10, 2, 0.69)
        factor = np.exp(0.69 * uniform(f"1/2/{name}/tempo")[0])
        assert np.array_equal(fast - fast[0], np.rint(factor * 2 * np.arange(10)))
        assert fast.min() >= 0 and fast.max() < 60
    factors = [np.exp(0.69 * uniform(f"1/2/{k}/tempo")[0]) for k in range(500)]
    assert min(factors) > 0.5 and max(factors) < 2 and abs(np.log(factors).mean()) < 0.06
    assert window_frames(1, 2, "a", 5, 10, 2, 0.69).max() < 5  # a short clip swings


def test_what_is_drawn_is_uniform_and_depends_on_seed_epoch_and_clip_alone():
    change = Augmentation(0.5, 0.1, 0.3, 0.4)
    names = [f"c{k}" for k in range(4000)]
    drawn = change.draw(3, 7, names)
    for column, high in (
        (np.log(drawn[:, 0]), 0.5),
        (drawn[:, 1], 0.1),
        (drawn[:, 2], 0.1),
        (np.log(drawn[:, 3]), 0.3),
        (drawn[:, 4] - 9, 9),  # up to 0.4 of 45°, inwards
        (drawn[:, 5] - 9, 9),
    ):
        counts, _ = np.histogram(column, bins=10, range=(-high, high))
        assert counts.sum() == 4000
        assert ((counts - 400) ** 2 / 400).sum() < 27.9  # chi-square, 9 degrees of freedom, 0.1 %
    assert np.array_equal(change.draw(3, 7, names[5:6]), drawn[5:6])
    assert not np.array_equal(change.draw(3, 8, names), drawn)
    assert abs(np.corrcoef(drawn.T) - np.eye(6)).max() < 0.08


def test_batches_are_changed_alike_whoever_makes_them():
    """One process or two, from the beginning or after a restart; validation is left alone."""
    frames = np.random.default_rng(0).integers(0, 256, (8 * 6, 8, 8), dtype=np.uint8)
    store = Store([f"c{k}" for k in range(8)], np.full(8, 6), frames, frames[:, None], [{}] * 8)
    change = Augmentation(0.4, 0.2, 0.2, 0.3)
    alone = list(Batches(store, Sampling(4, 3), augmentation=change).epoch(2))
    plain = list(Batches(store, Sampling(4, 3)).epoch(2))
    assert not torch.equal(alone[0][0], plain[0][0])
    later = list(Batches(store, Sampling(4, 3), augmentation=change).epoch(2, first=1))
    assert torch.equal(later[0][0], alone[1][0])
    shares = [
        list(Batches(store, Sampling(4, 3, rank=r, world=2), augmentation=change).epoch(2))
        for r in (0, 1)
    ]
    for k, (whole, targets) in enumerate(alone):
        for row in range(4):
            mine = shares[row % 2][k]
            assert torch.equal(whole[row], mine[0][row // 2])
            assert torch.equal(targets[row], mine[1][row // 2])
    fixed = Batches(store, Sampling(4, 3), fixed=True, augmentation=change)
    assert all(set(np.unique(b[0])) <= set(np.unique(frames)) for b in fixed.epoch(0))
    assert fixed.augmentation is None


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_the_learning_rate_rises_first(schedule):
    step = Step(
        Student(1, 1, filters=2),
        Train(rate=1e-2, warm_up=4, schedule=schedule),
        torch.device("cpu"),
        1000,
    )
    rates = []
    for k in range(6):
        step.done = k
        rates.append(step.rate())
    assert rates[:5] == pytest.approx([2e-3, 4e-3, 6e-3, 8e-3, 1e-2], rel=1e-3)
