"""The phantom's truth: shapes, volumes, frames, and the same clip from NumPy and torch."""

import numpy as np
import pytest
import torch

from annostat import AnnostatError
from models.world import heart
from models.world.phantom import CORRUPTIONS, corrupt, draw_clip, make_clip, render


@pytest.fixture(scope="module")
def clips():
    return [make_clip(7, k, size=112, frames=48) for k in range(4)]


def disk_volume(mask, length_scale):
    """Sum discs along the LV's own long axis, from the second moments of a mask."""
    y, x = np.nonzero(mask)
    points = np.stack([x, y], 1) - [x.mean(), y.mean()]
    along = points @ np.linalg.eigh(np.cov(points.T))[1][:, 1]
    bins = np.linspace(along.min(), along.max(), 21)
    widths = []
    for k in range(20):
        inside = (along >= bins[k]) & (along <= bins[k + 1])
        widths.append(inside.sum() / (bins[1] - bins[0]))
    return np.pi / 4 * np.sum(np.square(widths)) * (bins[1] - bins[0]) * length_scale**3 / 1000


def test_ejection_fraction_of_masks_is_the_truth(clips):
    for clip in clips:
        lv = clip.mask("LV")
        ed, es = (disk_volume(lv[t], clip.mm_per_pixel) for t in (clip.ed, clip.es))
        assert abs(100 * (1 - es / ed) - clip.ef) < 1.0, clip.name


def test_area_is_smallest_at_es(clips):
    for clip in clips:
        a, b = clip.beat
        area = clip.mask("LV").sum((1, 2))[a:b]
        assert a <= clip.ed < clip.es < b
        # The area counts whole pixels: neighbours of the true frame may tie with it.
        assert area[clip.es - a] <= area.min() + 2
        assert abs(int(area.argmin()) - (clip.es - a)) <= 1
        assert clip.volumes_ml[a:b].argmin() == clip.es - a


def test_volume_is_width_squared_times_length():
    b = heart.BASE
    ellipse = heart.Outline(c2=0.0, c3=0.0, s3=0.0, bend=0.05)
    assert ellipse.volume_constant() == pytest.approx(np.pi * (1 + b - (1 + b**3) / 3), rel=1e-5)
    shape = heart.Outline(c2=0.04, c3=-0.03, s3=0.02, bend=0.1)
    y, x = np.meshgrid(np.linspace(-b, 1.2, 801), np.linspace(-1.3, 1.3, 2601), indexing="ij")
    width = (heart.wall_ratio(np, x, y, shape)[0] < 1).sum(axis=1) * (2.6 / 2600)
    counted = np.pi / 4 * np.trapezoid(width**2, dx=(1.2 + b) / 800)
    assert shape.volume_constant() == pytest.approx(counted, rel=2e-3)


def test_wanted_ejection_fraction_is_met():
    assert make_clip(1, 0, size=32, frames=60, fps=40, ef=35.0).ef == pytest.approx(35.0, abs=0.3)


def test_structures_are_disjoint_and_whole(clips):
    for clip in clips:
        counts = {name: int(clip.mask(name)[clip.ed].sum()) for name in heart.LABELS}
        assert all(n > 60 for n in counts.values()), counts
        assert clip.masks.max() == 4
        outside = (clip.frames == 0).all(axis=0)
        assert not clip.mask("LV")[:, outside].any()


def test_blood_is_darker_than_wall(clips):
    for clip in clips:
        grey = clip.frames.astype(float)
        assert grey[clip.mask("LV")].mean() + 15 < grey[clip.mask("MYO")].mean()


def test_speckle_moves_with_the_wall(clips):
    """Neighbouring frames resemble each other, distant phases do not."""
    clip = clips[0]
    wall = clip.mask("MYO")
    both = wall[clip.es] & wall[clip.es + 1] & wall[clip.ed]
    grey = clip.frames.astype(float)
    near = np.corrcoef(grey[clip.es][both], grey[clip.es + 1][both])[0, 1]
    far = np.corrcoef(grey[clip.es][both], grey[clip.ed][both])[0, 1]
    assert near > 0.6 > far


def test_same_clip_whoever_makes_it():
    draws = [draw_clip(5, k, size=64, frames=24) for k in (0, 3)]
    together, alone = render(draws), render(draws[1:])[0]
    assert np.array_equal(together[1].frames, alone.frames)
    torch_clips = render(draws, device="cpu")
    for ours, theirs in zip(together, torch_clips, strict=True):
        assert np.array_equal(ours.masks, theirs.masks)
        gap = np.abs(ours.frames.astype(int) - theirs.frames.astype(int))
        assert gap.max() <= 1 and (gap > 0).mean() < 1e-3


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_same_clip_on_a_gpu():
    draws = [draw_clip(5, k, size=64, frames=24) for k in (0, 3)]
    for ours, theirs in zip(render(draws), render(draws, device="cuda"), strict=True):
        assert (ours.masks != theirs.masks).mean() < 1e-5
        gap = np.abs(ours.frames.astype(int) - theirs.frames.astype(int))
        assert (gap > 1).mean() < 1e-4


def test_quality_falls_with_the_window():
    quality = [draw_clip(2, k, size=16, frames=16).quality for k in range(40)]
    assert 0 <= min(quality) < 0.7 < 0.85 < max(quality) <= 1


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_corruptions_change_frames_not_masks(kind):
    clip = make_clip(4, 1, size=32, frames=24)
    broken = corrupt(clip, kind, 4, 1)
    assert broken.corruption == kind
    assert np.array_equal(broken.masks, clip.masks)
    assert not np.array_equal(broken.frames, clip.frames)


def test_bad_input():
    with pytest.raises(AnnostatError, match="structure must be one of LV"):
        make_clip(0, 0, size=16, frames=16).mask("AO")
    with pytest.raises(AnnostatError, match="hold no whole beat"):
        draw_clip(0, 0, frames=10, fps=100)
    with pytest.raises(AnnostatError, match="one size"):
        render([draw_clip(0, 0, size=16), draw_clip(0, 0, size=32)])
    with pytest.raises(AnnostatError, match="corruption must"):
        make_clip(0, 0, size=16, corruption="bent")
