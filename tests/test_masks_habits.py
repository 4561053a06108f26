"""Masks by raters with habits: plain twins, outlines by hand, invariances, verdicts."""

import itertools
import json

import numpy as np
import pytest
from scipy import ndimage, stats

from analysis.calibration.designs import Design
from analysis.calibration.habits import drawn
from annostat import AnnostatError
from annostat.ceilings import dice_ceiling
from annostat.ceilings.habits import (
    REACH,
    cubic,
    perfect_losses,
    shift_curves,
)
from annostat.ceilings.outlines import length_of, outlines_of
from annostat.consensus import staple
from annostat.labels import MaskRounds
from annostat.truth import compare_masks
from annostat.truth.mask_verdicts import mask_verdict


def rounds_of(masks, **options):
    return MaskRounds.from_arrays({f"r{j}": m for j, m in enumerate(masks)}, **options)


def squares_of(*halves, side=80, n=3):
    """Squares of half-widths about the middle, n items of each rater."""
    y, x = np.indices((side, side)) - (side - 1) / 2
    far = np.maximum(abs(y), abs(x))
    return [np.stack([far < half + i for i in range(n)]) for half in halves]


# ---------------------------------------------------------------- plain twins


def plain_losses(h, curves, scale=1.0):
    """The same ceilings with loops, and a polynomial through four nodes."""

    def value(curve, t):
        t = min(max(t + REACH, 0.0), len(curve) - 1.0)
        first = min(max(int(np.floor(t)), 1), len(curve) - 3) - 1
        at = np.arange(first, first + 4)
        return np.polyval(np.polyfit(at - t, curve[at], 3), 0.0)

    m = len(h)
    pairs = list(itertools.combinations(range(m), 2))
    loss = {p: value(curves[i], h[p[0]] - h[p[1]]) for i, p in enumerate(pairs)}
    if m == 2:
        noise = np.full(2, loss[0, 1] ** 2 / 2)
    else:
        rows = [[float(j in p) for j in range(m)] for p in pairs]
        square = np.array([loss[p] ** 2 for p in pairs])
        noise = np.maximum(np.linalg.lstsq(rows, square, rcond=None)[0], 0.02 * square.mean())
    at_random = []
    for c in np.linspace(-1, 1, 9):
        total = []
        for i, (j, k) in enumerate(pairs):
            for rater, sign in ((j, -1), (k, 1)):
                part = np.sqrt(noise[rater] / (noise[j] + noise[k])) * scale
                shift = h[j] - h[k] + sign * (h[rater] - c) / part
                total.append(part * value(curves[i], shift))
        at_random.append(np.mean(total))
    return np.sqrt(noise) * scale, min(at_random)


@pytest.mark.parametrize("m", [2, 3, 5])
@pytest.mark.parametrize("scale", [1.0, 0.75 * 2**0.5])
def test_ceilings_equal_their_plain_twin(m, scale):
    rng = np.random.default_rng(m)
    t = np.arange(-REACH, REACH + 1)
    pairs = m * (m - 1) // 2
    curves = np.sqrt(0.003 + 0.0008 * (t - rng.normal(0, 0.5, (pairs, 1))) ** 2)
    h = rng.normal(0, 1, m)
    h -= h.mean()
    named, at_random, _ = perfect_losses(h[None], curves[None], scale)
    plain_named, least = plain_losses(h, curves, scale)
    assert named[0] == pytest.approx(plain_named, rel=1e-7)
    # The parabola through the lowest three of a grid lies a little below the grid's lowest.
    assert least * 0.99 < at_random[0] <= least * (1 + 1e-9)


def test_cubic_is_exact_for_cubics():
    y = np.arange(9.0) ** 3 - 2 * np.arange(9.0)
    at = np.array([0.3, 4.0, 4.7, 7.9])
    assert cubic(np.tile(y, (4, 1)), at) == pytest.approx(at**3 - 2 * at)


def test_shifting_takes_a_habit_out():
    a, b = (m[0] for m in squares_of(20, 16))
    d = outlines_of(np.stack([a, b]), REACH + 2)
    [curve] = shift_curves(d, 1)
    # Four pixels apart on each side: {d_a > 2} and {d_b > −2} are alike but for the corners.
    assert np.argmin(curve) - REACH == 4 and curve[REACH + 4] < 0.01
    assert curve[REACH] == pytest.approx(1 - 2 * 32**2 / (32**2 + 40**2))
    assert length_of(d[0]) == pytest.approx(4 * 40, rel=0.05)  # the perimeter


def test_habits_by_hand():
    found = dice_ceiling(rounds_of(squares_of(20, 16, 18, n=4))).habits
    size = [s.value for s in found.size]
    assert size == pytest.approx([2, -2, 0], abs=0.1) and sum(size) == pytest.approx(0, abs=1e-9)


# ---------------------------------------------------------------- what is printed

HABITS, _MODELS = drawn(Design(20, "gauss, 4 px", 3), np.random.default_rng(4), models=True)


def test_raters_and_items_in_any_order():
    one = dice_ceiling(rounds_of(HABITS))
    turned = dice_ceiling(rounds_of(HABITS[::-1, ::-1]))
    assert turned.dice.value == pytest.approx(one.dice.value, rel=1e-9)
    assert (turned.dice.low, turned.dice.high) == pytest.approx((one.dice.low, one.dice.high))
    for mine, other in zip(one.habits.size, turned.habits.size[::-1], strict=True):
        assert mine.value == pytest.approx(other.value) and mine.low == pytest.approx(other.low)
    for mine, other in zip(one.habits.named, turned.habits.named[::-1], strict=True):
        assert mine.value == pytest.approx(other.value)


def test_what_habits_say():
    found = dice_ceiling(rounds_of(HABITS))
    assert found.method == "shifts" and "at random" in str(found)
    checks = {c.name: c for c in found.checks}
    assert checks["habit_size"].p_value < 1e-6 and "r0 +" in checks["habit_size"].message
    assert checks["habit_size"].passed  # it was made, and is allowed for: no ?? on the screen
    assert checks["habit_size"].message.endswith("the ceilings allow for it.")
    # Against one rater whose habit is known a model scores more than against one at random.
    assert all(e.value > found.dice.value + 0.01 for e in found.habits.named)
    ladder = dice_ceiling(rounds_of(HABITS), method="ladder")
    assert ladder.habits is None and found.dice.value > ladder.dice.value
    assert json.dumps(found.to_dict(), allow_nan=False) and len(found.habits.to_frame()) == 6
    two = dice_ceiling(rounds_of(HABITS[:2]))
    assert all(e.high == 1 and "whose noise" in e.note for e in two.habits.named)
    nobody = rounds_of(HABITS, exchangeable=True)
    assert dice_ceiling(nobody).method == "ladder"
    for few in (nobody, rounds_of(HABITS[:, :2])):
        with pytest.raises(AnnostatError, match="shifts need raters who are the same"):
            dice_ceiling(few, method="shifts")


def test_the_test_of_size_is_the_anova():
    masks, _ = drawn(Design(12, "gauss, 1 px", 3), np.random.default_rng(5))
    found = dice_ceiling(rounds_of(masks))
    check = next(c for c in found.habits.checks if c.name == "habit_size")
    x = []
    for i in range(12):
        d = outlines_of(masks[:, i], 2)
        area = masks[:, i].reshape(3, -1).sum(axis=1)
        x.append((area - area.mean()) / length_of(d.mean(axis=0)))
    x = np.array(x)
    rest = x - x.mean(axis=0)  # rows sum to 0
    f = 12 * (x.mean(axis=0) ** 2).sum() / 2 / ((rest**2).sum() / 22)
    assert (check.statistic, check.p_value) == pytest.approx((f, stats.f.sf(f, 2, 22)))


# ---------------------------------------------------------------- verdicts


def plain_t(f, a, b, moved):
    """½(D²_fa + D²_fb − D²_ab) of one item with constant habits, by loops over edges."""
    d = [
        ndimage.distance_transform_edt(m)
        - ndimage.distance_transform_edt(~m)
        - np.where(m, 0.5, -0.5)
        for m in (f, a, b)
    ]

    def square(x, y):
        both = []
        for p, q in ((x, y), (y, x)):
            gaps = [
                (d[q][at] - d[p][at] - (moved[q] - moved[p])) ** 2
                for at in zip(*np.nonzero(np.abs(d[p]) <= 0.5), strict=True)
            ]
            both.append(np.mean(gaps))
        return np.mean(both)

    return (square(0, 1) + square(0, 2) - square(1, 2)) / 2


def test_t_equals_its_plain_twin():
    raters, models = HABITS[:2, :5], _MODELS["a fresh rater"][:5]
    found = mask_verdict(list(raters), models, ["a", "b"], None)
    moved = []
    for i in range(5):
        d = outlines_of(np.stack([*raters[:, i], models[i]]), 4)
        mean = d[:2].mean(axis=0)
        edge = np.abs(mean) <= 0.5
        moved.append([(x - mean)[edge].mean() for x in d[[2, 0, 1]]])
    moved = np.mean(moved, axis=0)
    t = [plain_t(models[i], *raters[:, i], moved) for i in range(5)]
    assert found.square.value == pytest.approx(np.mean(t), rel=1e-9)
    assert found.pairs["a", "b"].interval.high == pytest.approx(
        np.mean(t) + stats.t.ppf(0.975, 4) * np.std(t, ddof=1) / 5**0.5
    )


def test_the_truth_is_not_accused_and_copies_are_found():
    rounds = rounds_of(HABITS)
    found = compare_masks(rounds, models=_MODELS, surface=False, n_resamples=0)
    by_name = {m.name: m for m in found.models}
    for honest in ("true masks", "truth with A's habit", "half the noise", "a fresh rater"):
        assert by_name[honest].check.passed is not False, honest
    copy, mean = by_name["a copy of A"], by_name["mean outline"]
    assert copy.check.passed is False and copy.check.message.startswith("a copy of A is r0's mask")
    assert mean.check.passed is False and "made of, or has seen" in mean.check.message
    assert by_name["half truth, half A"].verdict.leans == ("r0",)
    assert 0 in by_name["true masks"].gap.interval
    assert by_name["truth with A's habit"].verdict.size.value > 1
    assert json.dumps(found.to_dict(), allow_nan=False)


def test_two_raters_do_not_identify_staple():
    a = np.array([[[1, 1, 1, 0, 0, 0, 0, 0]]])
    b = np.array([[[1, 1, 0, 1, 1, 0, 0, 0]]])
    found = staple(MaskRounds.from_arrays({"a": a, "b": b}))
    assert [(e.low, e.high) for e in found.sensitivity] == [(2 / 4, 1), (2 / 3, 1)]
    assert [(e.low, e.high) for e in found.specificity] == [(3 / 4, 1), (3 / 5, 1)]
    assert next(c for c in found.checks if c.name == "identified").passed is False
    assert "identify" in str(found)
    third = np.array([[[1, 1, 1, 0, 1, 0, 0, 0]]])
    three = staple(MaskRounds.from_arrays({"a": a, "b": b, "c": third}))
    assert "identified" not in {c.name for c in three.checks}


# ---------------------------------------------------------------- volumes


def cylinders(n=20, side=64, offsets=(0.0, 0.0, 1.5), seed=21, noise=0.75):
    """Six slices drawn apart with equal noise of the outline, and 1 − Dice of own true ones."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((side, side))
    drawn, loss = np.zeros((len(offsets), n, 8, side, side), bool), np.zeros((len(offsets), n))
    for i in range(n):
        cy, cx = side / 2 + rng.normal(0, 2, 2)
        radius = rng.uniform(14, 20)
        angle, far = np.arctan2(y - cy, x - cx), np.hypot(y - cy, x - cx)
        for r, offset in enumerate(offsets):
            true = far < radius + offset
            for z in range(1, 7):
                wave = rng.normal(0, noise, 5)
                moved = sum(w * np.cos(j * angle + j) for j, w in enumerate(wave, 1))
                drawn[r, i, z] = far < radius + offset + moved
            loss[r, i] = plain_loss(drawn[r, i, 1:7], true[None])
    return drawn, loss.mean(axis=1)


def plain_loss(a, b):
    return 1 - 2 * np.sum(a & b) / (a.sum() + 6 * b.sum())


def test_volumes_in_thick_slices_have_habits_of_their_outlines():
    masks, loss = cylinders()
    found = dice_ceiling(rounds_of(masks, spacing=[8.0, 1.0, 1.0], spacing_unit="mm"))
    assert found.method == "shifts"
    sizes = [s.value for s in found.habits.size]
    np.testing.assert_allclose(sizes, [-0.5, -0.5, 1.0], atol=0.12)
    for named, own in zip(found.habits.named, loss, strict=True):
        assert named.interval.low - 0.005 < 1 - own < named.interval.high + 0.005
        assert named.value == pytest.approx(1 - own, abs=0.01)
    # Of one slice the habits are those of an image.
    one = dice_ceiling(rounds_of(masks[:, :, 3]))
    flat = dice_ceiling(rounds_of(masks[:, :, 3:4], spacing=[8.0, 1.0, 1.0]))
    np.testing.assert_allclose(
        [s.value for s in flat.habits.size], [s.value for s in one.habits.size], rtol=1e-12
    )
    assert flat.habits.one_of_them.value == pytest.approx(one.habits.one_of_them.value, rel=1e-12)


def test_models_of_thick_slices_are_judged_by_their_outlines():
    drawn, _ = cylinders(n=8, offsets=(0.0, 0.0, 1.5, 2.5), noise=0.2)
    masks, larger = drawn[:3], drawn[3]
    rounds = rounds_of(masks, spacing=[8.0, 1.0, 1.0], spacing_unit="mm")
    models = {"a fourth": larger, "a copy": masks[1]}
    found = compare_masks(rounds, models=models, surface=False, n_resamples=0)
    by_name = {m.name: m for m in found.models}
    # 2 px outside of the mean outline; distances on the grid of pixels are some 7% shorter.
    assert by_name["a fourth"].verdict.size.value == pytest.approx(2, abs=0.15)
    assert by_name["a fourth"].check.passed is not False
    assert by_name["a copy"].verdict.same_as == "r1"
    # Volumes of one slice are images.
    flat = [m[:, :, 3:4] if m.ndim == 5 else m[:, 3:4] for m in (masks, larger)]
    volumes = mask_verdict(list(flat[0]), flat[1], list("abc"), None, axis=0)
    images = mask_verdict(list(flat[0][:, :, 0]), flat[1][:, 0], list("abc"), None)
    assert volumes.to_dict() == images.to_dict()
    # Slices that somebody left empty count for nothing, and nor do volumes without another.
    short = larger.copy()
    short[:, 1], short[0] = False, False
    rest = mask_verdict(list(masks[:, 1:, 2:]), larger[1:, 2:], list("abc"), None, axis=0)
    assert mask_verdict(list(masks), short, list("abc"), None, axis=0).size.value == pytest.approx(
        rest.size.value, rel=1e-12
    )


def test_volumes_that_do_not_show_their_slices_have_no_habits():
    masks, _ = cylinders(n=4)
    for options in ({}, {"spacing": [1.0, 1.0, 1.0]}):
        found = dice_ceiling(rounds_of(masks, **options))
        assert found.habits is None and found.method == "ladder"
        assert any("in which slices" in c.message for c in found.checks)
