"""What padding and the largest component do to the first frames, by figures made by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from models.data.store import Store
from models.remedies import AS_IT_IS, BOTH, LARGEST, PADDED, try_remedies

HEART, HIDDEN, SPURIOUS = 200, 150, 100  # grey levels
N, T = 12, 20


class Cold(nn.Module):
    """Marks the heart, but in its first steps what is SPURIOUS too, and of the heart no HIDDEN.

    It counts its steps in the states, as a recurrent student carries its cells.
    """

    def __init__(self, steps=1):
        super().__init__()
        self.steps = steps
        self.head = SimpleNamespace(weight=torch.zeros(1))

    def forward(self, frames, states):
        done = int(states[0][0]) if states else 0
        n = frames.shape[1]
        cold = (done + torch.arange(n) < self.steps)[None, :, None, None]
        states[:] = [(torch.tensor(done + n), torch.tensor(0))]
        early = (frames == HEART) | (frames == SPURIOUS)
        late = (frames == HEART) | (frames == HIDDEN)
        return torch.where(torch.where(cold, early, late), 20.0, -20.0)[:, :, None]


def make_store(hidden, spurious):
    """Clips of a square heart of 36 pixels beside a row of some others, alike in all frames."""
    clips, targets = [], []
    for k in range(N):
        image = np.zeros((24, 24), np.uint8)
        image[10:16, 10:16] = HEART
        for pixel in range(hidden):
            image[15 - pixel // 6, 15 - pixel % 6] = HIDDEN
        n = spurious + k % 4  # clips differ, so that there are intervals
        image[2, :n] = SPURIOUS
        clips.append(np.repeat(image[None], T, axis=0))
        targets.append(255 * (clips[-1] >= HIDDEN).astype(np.uint8))
    names = [f"clip-{k}" for k in range(N)]
    frames, masks = np.concatenate(clips), np.concatenate(targets)[:, None]
    return Store(names, np.full(N, T), frames, masks, [{} for _ in names])


def sizes(spurious):
    return spurious + np.arange(N) % 4


def test_a_spurious_piece_at_the_first_frame_is_taken_away_by_either():
    found = try_remedies(Cold().eval(), make_store(0, 4), pad=5)
    # 36 pixels right and s too many: Dice = 72 / (72 + s).
    wanted = np.zeros((N, 10))
    wanted[:, 0] = 1 - 72 / (72 + sizes(4))
    assert found.errors[AS_IT_IS] == pytest.approx(wanted, abs=1e-12)
    for name in (LARGEST, PADDED, BOTH):
        assert not found.errors[name].any(), name
        change = found.change(name, 0)
        assert change.value == pytest.approx(-wanted[:, 0].mean()) and change.high < 0
        assert found.change(name, 1).value == 0
    assert found.mean(AS_IT_IS, 0).value == pytest.approx(wanted[:, 0].mean())
    section = found.section()
    assert section.lines[0] == "1 − Dice of 12 clips; padded: 5, mirror"
    assert not any("worse" in line for line in section.lines)
    assert [row[0] for row in section.rows] == [str(t) for t in range(10)]


def test_the_largest_component_harms_where_it_is_not_the_heart():
    """Of the heart 12 pixels are seen at first, in a larger piece beside it nothing is heart."""
    found = try_remedies(Cold().eval(), make_store(24, 14), pad=5)
    s = sizes(14)
    assert found.errors[AS_IT_IS][:, 0] == pytest.approx(1 - 2 * 12 / (36 + 12 + s))
    assert (found.errors[LARGEST][:, 0] == 1).all()
    assert not found.errors[PADDED].any() and not found.errors[BOTH].any()
    assert found.change(LARGEST, 0).value == pytest.approx((2 * 12 / (48 + s)).mean())
    line = next(t for t in found.section().lines if t.startswith(f"at frame 0, {LARGEST} "))
    assert line.endswith("it is worse (95%) at frame 0")
    saved = found.to_dict()
    assert saved["changes"][LARGEST][0]["value"] == found.change(LARGEST, 0).value
    assert saved["pad"] == 5 and len(saved["means"][BOTH]) == 10


@pytest.mark.parametrize(("how", "steps", "pad", "left"), [("mirror", 3, 2, 1), ("loop", 4, 2, 2)])
def test_too_few_padded_frames_help_as_far_as_they_reach(how, steps, pad, left):
    found = try_remedies(Cold(steps).eval(), make_store(0, 4), pad=pad, how=how)
    error = 1 - 72 / (72 + sizes(4))
    for name, n in ((AS_IT_IS, steps), (PADDED, left)):
        assert found.errors[name][:, :n] == pytest.approx(np.tile(error[:, None], n))
        assert not found.errors[name][:, n:].any()


def test_short_clips_are_left_out_and_one_is_too_few():
    store = make_store(0, 4)
    assert try_remedies(Cold().eval(), store, pad=T) is None  # as many frames as a clip has
    one = Store(store.names[:1], store.lengths[:1], store.frames[:T], store.targets[:T], [{}])
    assert try_remedies(Cold().eval(), one) is None
