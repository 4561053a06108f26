"""Beats: picks, aFD, ejection fractions and the first frames against hand-made curves."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annostat import AnnostatError, Estimate, Interval, NoiseModel, compare_noise, simulate_rounds
from annostat.cardiac import (
    AFD_THRESHOLD,
    DICE_THRESHOLD,
    beat_length,
    disc_volumes,
    ejection_fraction,
    first_frames,
    mask_areas,
    pick_blind,
    pick_frames,
    pick_nearest,
    pick_prominent,
    pre_pad,
    prompt_curve,
    score_afd,
    score_ef,
)
from annostat.plotting.cardiac import plot_afd, plot_beat, plot_first_frames


def beats(n, beat, systole):
    """Return an area curve whose minima are at systole + k·beat."""
    t = np.arange(n)
    return 100 + 30 * np.cos(2 * np.pi * (t - systole) / beat + np.pi)


# ---------------------------------------------------------------- picks


@pytest.mark.parametrize(("beat", "systole"), [(20, 7), (32, 11), (40, 25), (51, 3)])
def test_known_extrema_are_found_exactly(beat, systole):
    curve = beats(150, beat, systole)
    minima = np.arange(systole, 150, beat)
    maxima = np.arange(systole + beat // 2, 150, beat)
    for reference in minima:
        for off in (-4, 0, 4):
            if 0 <= reference + off < 150:
                assert pick_nearest(curve, reference + off) == reference
    if beat % 2 == 0:
        for reference in maxima:
            assert pick_nearest(curve, reference, phase="ED") == reference
    assert pick_blind(curve).frame in minima
    assert pick_frames([curve], reference=[systole]).tolist() == [systole]


def naive_nearest(curve, reference):
    """The protocol, frame by frame."""
    z = (np.asarray(curve) - np.mean(curve)) / np.std(curve)
    runs, run = [], []
    for t, value in enumerate(z):
        if value < np.median(z):
            run.append(t)
        elif run:
            runs.append(run)
            run = []
    if run:
        runs.append(run)
    if not runs:
        return None
    near = min(runs, key=lambda r: min(abs(t - reference) for t in r))
    return min(near, key=lambda t: z[t])


@settings(max_examples=100)
@given(st.lists(st.integers(0, 30), min_size=3, max_size=40), st.data())
def test_nearest_equals_its_plain_twin(curve, data):
    reference = data.draw(st.integers(0, len(curve) - 1))
    expected = None if len(set(curve)) == 1 else naive_nearest(curve, reference)
    assert pick_nearest(curve, reference) == expected
    # ED is ES of the negated curve; scale and offset change nothing.
    assert pick_nearest(-np.array(curve), reference, phase="ED") == expected
    assert pick_nearest(2 * np.array(curve) + 64, reference) == expected


def test_blind_is_within_its_stated_error():
    """At noise of 5 to 15% of the curve's range, 95% of blind picks are within 1.96 SE."""
    rng = np.random.default_rng(5)
    hits, count = 0, 0
    for noise in (3.0, 6.0, 9.0):
        for _ in range(150):
            beat, systole = rng.uniform(25, 50), rng.uniform(0, 25)
            n = int(rng.integers(80, 200))
            curve = beats(n, beat, systole) + rng.normal(0, noise, n)
            pick = pick_blind(curve)
            minima = systole + beat * np.arange(-1, 10)
            hits += np.abs(pick.frame - minima).min() <= 1.96 * pick.standard_error
            count += 1
    assert 0.92 < hits / count < 0.99


def test_blind_prefers_a_minimum_that_the_clip_does_not_cut():
    curve = beats(60, 40, 20)
    curve[-8:] = np.linspace(95, 40, 8)  # still falling at the end, and deeper
    assert pick_blind(curve).frame == 20
    assert 59 in pick_blind(curve).candidates
    assert abs(pick_blind(np.linspace(10, 1, 30)).frame - 29) == 0


def test_curves_without_a_pick():
    for flat in ([5.0] * 20, [0.1] * 20, [0.0] * 12 + [3.0] * 8):
        assert pick_nearest(flat, 3) is None
        if len(set(flat)) == 1:
            assert pick_blind(flat) is None
    assert np.isnan(pick_frames([[1.0] * 9, [1.0] * 9], method="blind")).all()


def test_beat_length():
    rng = np.random.default_rng(1)
    for beat in (18, 30.5, 47):
        curve = beats(160, beat, 9) + rng.normal(0, 5, 160)
        assert beat_length(curve) == pytest.approx(beat, rel=0.04)
    assert math.isnan(beat_length(np.arange(40.0)))
    assert math.isnan(beat_length([1.0] * 10))


def test_prompt_reference():
    # The valve is closed in frames 10-24 of each beat of 40: systole ends at 24.
    closed = np.array([1.0 if 10 <= t % 40 < 25 else 0.0 for t in range(80)])
    opened = 0.625 * (1 - closed)
    curve = prompt_curve(closed, opened)
    assert curve[24] == -15 + 6.25  # ten open frames, then fifteen closed ones
    assert pick_prominent(curve) == 24
    assert pick_prominent(np.linspace(5, 1, 30)) == 29  # no peak: the lowest frame
    assert pick_prominent(-curve, phase="ED") == 24
    # Less prominent than 1.5 standard deviations is no peak.
    dips = np.full(60, 1.0)
    dips[20], dips[40:] = 0.9, 0.0
    assert pick_prominent(dips, prominence=1.5) == 40


def test_areas_and_their_thresholds():
    assert (AFD_THRESHOLD, DICE_THRESHOLD) == (25 / 255, 80 / 255)
    soft = np.array([[[0, 25, 26, 80, 81, 255]]], dtype=np.uint8)
    assert mask_areas(soft).tolist() == [4.0]
    assert mask_areas(soft, threshold=DICE_THRESHOLD).tolist() == [2.0]
    assert mask_areas(soft / 255.0, threshold=DICE_THRESHOLD).tolist() == [2.0]
    assert mask_areas(np.array([[[0, 1, 1]]], dtype=np.uint8)).tolist() == [2.0]
    assert mask_areas(np.array([[[True, False]], [[False, False]]])).tolist() == [1.0, 0.0]
    assert mask_areas(np.zeros((0, 4, 4))).tolist() == []


# ---------------------------------------------------------------- aFD


def test_afd_by_hand():
    score = score_afd([10, 22, 31, np.nan], [11, 20, 31, 7], fps=[50, 25, 50, 50], phase="ED")
    assert score.afd.value == pytest.approx(1.0)
    assert score.afd_ms.value == pytest.approx((20 + 80 + 0) / 3)
    assert score.bias.value == pytest.approx(1 / 3)
    assert (score.n_clips, score.n_without_pick) == (4, 1)
    assert not score.checks[0].passed and "1 of 4" in score.checks[0].message
    assert score.differences.tolist() == [-1, 2, 0]
    assert "ED: 3 clips scored of 4" in str(score)
    json.dumps(score.to_dict(), allow_nan=False)
    assert score.to_frame()["quantity"].tolist()[:2] == ["aFD", "aFD in ms"]


def test_exact_picks_have_no_spread():
    score = score_afd([1, 2, 3], [1, 2, 3], fps=50)
    assert score.afd.value == 0 and score.afd.interval is None and "exact" in score.afd.note
    same = score_afd([2, 3, 4], [1, 2, 3])
    assert same.afd.value == 1 and same.afd.interval is None


def test_interval_covers_the_mean_distance():
    rng = np.random.default_rng(2)
    hits = 0
    for seed in range(200):
        error = np.rint(rng.laplace(0, 2, 60))
        score = score_afd(50 + error, np.full(60, 50.0), n_resamples=400, rng=seed)
        hits += math.exp(-0.25) / (1 - math.exp(-0.5)) in score.afd.interval
    assert 0.90 <= hits / 200 <= 0.985


def test_bias_of_twenty_picks_with_heavy_tails_is_covered():
    rng = np.random.default_rng(12)
    hits, reps = 0, 400
    for seed in range(reps):
        error = np.rint(rng.laplace(0, 2, 20))
        score = score_afd(50 + error, np.full(20, 50.0), n_resamples=99, rng=seed)
        hits += 0.0 in score.bias.interval
    assert abs(hits / reps - 0.95) < 3 * math.sqrt(0.95 * 0.05 / reps)


def test_floor_from_a_noise_fit():
    rng = np.random.default_rng(3)
    law = NoiseModel.with_mae("laplace", 2.0)
    noise = compare_noise(simulate_rounds(law, 400, rng=1), cores=["laplace"], n_tests=0)
    truth = rng.integers(20, 120, 400)
    label = truth + law.sample_errors((400, 1), rng=9)[:, 0]
    score = score_afd(truth, label, floor=noise)
    assert score.floor is noise.mae
    assert 0.0 in score.excess.interval and score.checks[-1].passed
    assert score.excess.value == pytest.approx(score.afd.value - noise.mae.value)
    # Three frames of the model's own add to it; and nothing may be below the floor.
    worse = score_afd(truth + 6 * (-1.0) ** np.arange(400), label, floor=noise.best)
    assert worse.excess.low > 2
    better = score_afd(label, np.where(np.arange(400) % 9, label, label + 1), floor=noise)
    assert not better.checks[-1].passed and "below the floor" in better.checks[-1].message
    in_ms = Estimate(40.0, 2.0, Interval(36.0, 44.0, 0.95, "x"), "ms")
    assert score_afd(truth, label, fps=50, floor=in_ms).excess.unit == "ms"
    assert score_afd(truth, label, floor=2.0).excess.interval.method.endswith("the floor as given")


def test_protocol_beside_blind():
    rng = np.random.default_rng(4)
    curves, reference = [], []
    for _ in range(60):
        systole = int(rng.integers(5, 15))
        curves.append(beats(100, 30, systole) + rng.normal(0, 2, 100))
        reference.append(systole + 30 * int(rng.integers(0, 3)))
    near = pick_frames(curves, reference=reference)
    blind = pick_frames(curves, method="blind")
    score = score_afd(near, reference, blind=blind, beat=30.0, fps=50)
    assert score.afd.value < 2.5
    assert score.blind.value > 15  # one beat of three is right
    assert (
        0.4 < score.wrong_beat.value < 0.85 and score.wrong_beat.value in score.wrong_beat.interval
    )
    assert score.blind_ms.value == pytest.approx(20 * score.blind.value)


def test_clusters_widen_the_interval():
    rng = np.random.default_rng(6)
    patient = np.repeat(np.arange(30), 4)
    error = rng.laplace(0, 3, 30)[patient]
    single = score_afd(error, np.zeros(120)).afd.interval
    whole = score_afd(error, np.zeros(120), cluster=patient).afd.interval
    assert whole.high / whole.low > 1.4 * single.high / single.low
    assert "clusters" in whole.method


# ---------------------------------------------------------------- EF


def picture(*rows):
    return np.array([[c == "#" for c in row] for row in rows])


def test_volume_of_a_cylinder_and_an_ellipsoid():
    box = np.zeros((1, 60, 60), dtype=bool)
    box[0, 10:50, 25:35] = True  # 40 long, 10 across
    assert disc_volumes(box)[0] == pytest.approx(math.pi / 4 * 10**2 * 40, rel=1e-9)
    # Pixels of 0.5 × 2 mm turn it round: 20 mm along, 20 across.
    assert disc_volumes(box[:, :, 20:40], spacing=(1.0, 1.0))[0] == pytest.approx(3141.59, rel=1e-5)
    assert disc_volumes(box, spacing=0.5)[0] == pytest.approx(3141.5927 / 8, rel=1e-6)
    assert disc_volumes(box, spacing=(1.0, 0.5))[0] == pytest.approx(3141.5927 / 4, rel=1e-6)
    y, x = np.mgrid[:200, :200]
    for angle in (0.0, 0.4, 1.2):
        u = (x - 99.5) * np.cos(angle) + (y - 99.5) * np.sin(angle)
        v = (y - 99.5) * np.cos(angle) - (x - 99.5) * np.sin(angle)
        mask = (u / 40) ** 2 + (v / 80) ** 2 < 1
        assert disc_volumes(mask[None])[0] == pytest.approx(4 / 3 * math.pi * 40**2 * 80, rel=0.012)
        # Twenty discs are what the convention costs: many more come closer.
        fine = disc_volumes(mask[None], n_discs=400)[0]
        assert fine == pytest.approx(4 / 3 * math.pi * 40**2 * 80, rel=0.006)
    assert disc_volumes(np.zeros((2, 5, 5), dtype=bool)).tolist() == [0.0, 0.0]
    two = picture("....", ".##.", ".##.", ".##.", "....")
    assert disc_volumes(two[None], n_discs=3)[0] == pytest.approx(math.pi / 4 * 4 * 3)


def test_naive_ef_is_lower_than_that_of_volumes():
    # The section shrinks to 0.6; a body that shrinks alike in all directions loses 0.6^1.5.
    y, x = np.mgrid[:160, :160]
    r = np.hypot((x - 80) / 1.0, (y - 80) / 2.0)
    large, small = r < 36, r < 36 * math.sqrt(0.6)
    masks = np.stack([large, small])
    naive = ejection_fraction(*(mask_areas(masks)[[i]] for i in (0, 1)))
    volume = ejection_fraction(*(disc_volumes(masks)[[i]] for i in (0, 1)))
    assert naive[0] == pytest.approx(40, abs=0.6)
    assert volume[0] == pytest.approx(100 * (1 - 0.6**1.5), abs=0.6)


def test_ef_against_its_ceiling():
    rng = np.random.default_rng(7)
    truth = rng.normal(55, 10, 400)
    reading = truth + rng.normal(0, 5, 400)
    reliability = Estimate(0.8, 0.02, Interval(0.76, 0.84, 0.95, "x"))
    score = score_ef(truth, reading, reliability=reliability)
    assert score.ceiling.value == pytest.approx(math.sqrt(0.8))
    assert score.ceiling.low == pytest.approx(math.sqrt(0.76))
    assert score.ceiling.standard_uncertainty == pytest.approx(0.01 / math.sqrt(0.8))
    assert math.sqrt(0.8) in score.correlation.interval
    assert score.correlation.value == pytest.approx(np.corrcoef(truth, reading)[0, 1])
    assert score.rmse.value == pytest.approx(math.sqrt(np.mean((truth - reading) ** 2)))
    assert score.mae.value == pytest.approx(np.abs(truth - reading).mean())
    assert score.bias.value == pytest.approx((truth - reading).mean())
    # Fisher's interval is the oracle for Gaussian data.
    z, reach = math.atanh(score.correlation.value), 1.96 / math.sqrt(397)
    assert score.correlation.low == pytest.approx(math.tanh(z - reach), abs=0.012)
    assert score.correlation.high == pytest.approx(math.tanh(z + reach), abs=0.012)
    leaky = score_ef(reading + rng.normal(0, 0.5, 400), reading, reliability=0.5)
    assert not leaky.checks[-1].passed
    assert not score_ef([-5, 60, 50], [40, 62, 55]).checks[0].passed
    exact = score_ef([50, 60, 70], [51, 61, 71])
    assert exact.correlation.interval is None and exact.correlation.value == pytest.approx(1.0)
    json.dumps(score.to_dict(), allow_nan=False)
    assert "Ejection fraction" in str(score) and len(score.to_frame()) == 5


# ---------------------------------------------------------------- first frames


def falling(rng, n, n_frames, hinge, *, start=0.3, flat=0.1, noise=0.3):
    """Return errors that fall to the hinge, alike within a clip."""
    t = np.arange(n_frames)
    mean = flat + (start - flat) * np.maximum(1 - t / hinge, 0)
    clip = rng.gamma(20, 1 / 20, (n, 1))
    return mean * clip * rng.lognormal(0, noise, (n, n_frames))


def test_hinge_without_noise_is_exact():
    errors = np.tile(0.1 + 0.02 * np.maximum(12 - np.arange(40), 0), (10, 1))
    result = first_frames(errors, n_resamples=50)
    assert result.hinge.value == pytest.approx(12, abs=1e-9)
    assert result.start.value == pytest.approx(0.34) and result.flat.value == pytest.approx(0.1)
    np.testing.assert_allclose(result.fitted(), errors[0], atol=1e-12)
    assert result.hinge.interval.low == result.hinge.interval.high == 12


def test_hinge_interval_covers():
    rng = np.random.default_rng(8)
    hits = 0
    for seed in range(150):
        errors = falling(rng, 60, 40, 10.0)
        hits += 10.0 in first_frames(errors, n_resamples=200, rng=seed).hinge.interval
    assert 0.88 <= hits / 150 <= 0.99


def test_band_holds_the_whole_curve():
    rng = np.random.default_rng(9)
    big = falling(np.random.default_rng(0), 200_000, 30, 8.0).mean(axis=0)
    hits = 0
    for seed in range(100):
        result = first_frames(falling(rng, 80, 30, 8.0), n_resamples=200, rng=seed)
        hits += ((result.low <= big) & (big <= result.high)).all()
    assert 0.86 <= hits / 100 <= 1.0


@pytest.mark.parametrize("cluster", [1, 3])
def test_band_and_levels_hold_with_twenty_units(cluster):
    """Where a band of plain spreads holds 75 to 82%."""
    rng = np.random.default_rng(19)
    reps, patients = 150, 20
    codes = np.repeat(np.arange(patients), cluster)
    truth = (0.1 + 0.2 * np.maximum(1 - np.arange(30) / 8, 0)) * math.exp(0.3**2 / 2)
    hits = np.zeros(3)
    for seed in range(reps):
        errors = truth * rng.gamma(20, 1 / 20, patients)[codes, None]
        errors = errors * rng.lognormal(-(0.3**2) / 2, 0.3, errors.shape)
        result = first_frames(errors, cluster=codes, n_resamples=399, rng=seed)
        hits += [
            ((result.low <= truth) & (truth <= result.high)).all(),
            truth[0] in result.start.interval,
            truth[-1] in result.flat.interval,
        ]
    assert (hits / reps > 0.95 - 3 * math.sqrt(0.95 * 0.05 / reps)).all()


def test_no_fall_and_no_flat_part_are_said():
    rng = np.random.default_rng(10)
    level = first_frames(0.1 + 0.01 * rng.random((30, 40)), n_resamples=200)
    assert {c.name: c.passed for c in level.checks}["falls"] is None
    rising = first_frames(np.tile(np.linspace(0.1, 0.2, 40), (10, 1)), n_resamples=20)
    assert rising.hinge.value == 0 and rising.start.value == rising.flat.value
    assert np.ptp(rising.fitted()) == 0
    constant = first_frames(np.ones((10, 30)), n_resamples=50)
    assert constant.hinge.value == 0 and {c.name: c.passed for c in constant.checks} == {
        "flat_within": True,
        "falls": None,
    }
    slow = first_frames(falling(rng, 50, 60, 90.0), n_frames=40, n_resamples=200)
    assert {c.name: c.passed for c in slow.checks}["flat_within"] is False


def test_padding_moves_the_hinge():
    rng = np.random.default_rng(11)
    plain = falling(rng, 80, 60, 12.0)
    padded = falling(rng, 80, 60, 3.0, start=0.15)
    result = first_frames(plain, padded=padded, n_resamples=300)
    assert result.padded.hinge.value < result.hinge.value
    early = math.ceil(result.hinge.value)
    by_hand = (plain[:, :early] - padded[:, :early]).mean()
    assert result.gain.value == pytest.approx(by_hand) and result.gain.low > 0
    assert "gain of padding" in str(result)
    json.dumps(result.to_dict(), allow_nan=False)
    assert len(result.to_frame()) == 7


def test_ragged_clips_and_missing_frames():
    rng = np.random.default_rng(12)
    errors = [row[: int(rng.integers(25, 50))] for row in falling(rng, 40, 50, 9.0)]
    errors[3] = np.where(np.arange(errors[3].size) % 2, errors[3], np.nan)
    result = first_frames(errors, n_resamples=100, min_clips=10)
    assert result.counts[0] == 39 and result.counts.min() >= 10
    assert 6 < result.hinge.value < 12
    grouped = first_frames(errors, n_resamples=100, cluster=np.arange(40) // 2)
    assert "clusters" in grouped.hinge.interval.method


def test_pre_pad():
    clip = np.arange(12).reshape(3, 2, 2)
    out = pre_pad(clip, 2)
    assert out.shape == (5, 2, 2) and out.dtype == clip.dtype
    np.testing.assert_array_equal(out[:2], clip[[2, 1]])
    np.testing.assert_array_equal(pre_pad(clip[:1], 2), clip[[0, 0, 0]])
    np.testing.assert_array_equal(pre_pad(clip, 0), clip)
    np.testing.assert_array_equal(pre_pad(clip, 6)[6:], clip)


# ---------------------------------------------------------------- bad input, plots


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: pick_nearest([1, 2, np.nan, 4], 1), "curve must be finite, got nan at frames 2"),
        (lambda: pick_nearest([1, 2], 1), "at least 3"),
        (lambda: pick_nearest([[1, 2, 3]], 1), "one number per frame"),
        (lambda: pick_nearest("abc", 1), "one number per frame"),
        (lambda: pick_nearest([1, 2, 3], 3), "frame of the clip (0 to 2)"),
        (lambda: pick_nearest([1, 2, 3], -1), "frame of the clip"),
        (lambda: pick_nearest([1, 2, 3], 1, phase="es"), "phase must be one of ES, ED"),
        (lambda: pick_blind([1, 2, 3, 4, 5, 6], window=6), "odd number of frames"),
        (lambda: pick_blind([1, 2, 3, 4, 5], window=7), "odd number of frames"),
        (lambda: pick_frames([]), "curves is empty"),
        (lambda: pick_frames([[1, 2, 3]]), "needs the reference"),
        (lambda: pick_frames([[1, 2, 3]], reference=[1], method="blind"), "takes no reference"),
        (lambda: pick_frames([[3, 2, 3], [1, 2, 3]], reference=[1, 9]), "clip 1: reference"),
        (lambda: pick_frames([[1, 2, 3]], reference=[1, 2]), "one number per clip (1 clips)"),
        (lambda: pick_frames([[1, 2, 3]], method="near"), "did you mean 'nearest'"),
        (lambda: prompt_curve([1, 2], [1]), "must score the same frames"),
        (lambda: mask_areas(np.zeros((4, 4))), "three axes"),
        (lambda: mask_areas(np.full((1, 2, 2), 1.5)), "masks must be in [0, 1]"),
        (lambda: mask_areas(np.full((1, 2, 2), np.nan)), "masks must be in [0, 1]"),
        (lambda: mask_areas(np.full((1, 2, 2), -3)), "masks must be in [0, 255]"),
        (lambda: mask_areas(np.full((1, 2, 2), "a")), "booleans or numbers"),
        (lambda: mask_areas(np.zeros((1, 2, 2)), threshold=25), "threshold must be in [0.0, 1.0]"),
        (lambda: score_afd([], []), "picks is empty"),
        (lambda: score_afd([1, 2], [1]), "reference must be one number per clip (2 clips)"),
        (lambda: score_afd([1, 2], [1, np.nan]), "reference must be finite"),
        (lambda: score_afd([np.nan], [1]), "no clip has a pick"),
        (lambda: score_afd([1, np.inf], [1, 2]), "picks must be finite"),
        (lambda: score_afd([1, 2], [1, 2], fps=0), "fps must be positive"),
        (lambda: score_afd([1, 2], [1, 2], beat=3), "give blind too"),
        (lambda: score_afd([1, 2], [1, 2], blind=[np.nan, np.nan]), "blind has no pick"),
        (lambda: score_afd([1, 2], [1, 2], cluster=[1]), "one label per clip"),
        (lambda: score_afd([1, 2], [1, 2], floor=-1), "floor must be"),
        (lambda: score_afd([1, 2], [1, 3], floor=Estimate(1.0, unit="ms")), "give fps"),
        (lambda: score_afd([1, 2], [1, 3], floor=Estimate(1.0, unit="mm")), "frames or ms"),
        (
            lambda: score_afd(
                [1, 2, 9],
                [1, 3, 4],
                level=0.9,
                floor=Estimate(1.0, 0.1, Interval(0.8, 1.2, 0.95, "x"), "frames"),
            ),
            "one level for both",
        ),
        (lambda: ejection_fraction([0.0], [0.0]), "diastole must be positive"),
        (lambda: ejection_fraction([1.0], [-1.0]), "systole must not be negative"),
        (lambda: disc_volumes(np.zeros((1, 2, 2)), spacing=0), "spacing must be positive"),
        (lambda: disc_volumes(np.zeros((1, 2, 2)), n_discs=0), "n_discs"),
        (lambda: score_ef([1, 2], [1, 2]), "three clips"),
        (lambda: score_ef([1, 1, 1], [1, 2, 3]), "predicted is the same for all clips"),
        (lambda: score_ef([1, 2, 4], [1, 2, 3], reliability=1.2), "reliability must be in"),
        (lambda: first_frames([]), "errors is empty"),
        (lambda: first_frames(np.ones((3, 40))), "at least 8 clips"),
        (lambda: first_frames(np.ones((20, 3))), "4 frames"),
        (lambda: first_frames(np.full((9, 9), -1.0)), "not negative"),
        (lambda: first_frames(np.full((9, 9), np.inf)), "must be finite"),
        (lambda: first_frames(np.ones((9, 9)), padded=np.ones((8, 9))), "the same clips"),
        (lambda: first_frames(["ab"]), "must be numbers"),
        (lambda: pre_pad([1], -1), "n must be"),
        (lambda: pre_pad([1], 1, how="zero"), "how must be one of"),
        (lambda: pre_pad([], 1), "one frame or more"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(AnnostatError) as caught:
        call()
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_plots():
    rng = np.random.default_rng(13)
    curve = beats(110, 36, 15) + rng.normal(0, 3, 110)
    assert plot_beat(curve, reference=53).get_xlabel() == "frame"
    score = score_afd(50 + rng.laplace(0, 2, 80).round(), np.full(80, 50), floor=1.5)
    assert len(plot_afd(score).get_legend().get_texts()) == 2
    result = first_frames(
        falling(rng, 40, 40, 9.0), padded=falling(rng, 40, 40, 3.0), n_resamples=100
    )
    assert len(plot_first_frames(result).get_legend().get_texts()) == 2
