"""Overlap of masks: hand-drawn pictures, brute force, properties, bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from annostat import AnnostatError
from annostat.masks import dice, iou, overlap, surface_distances


def picture(text):
    """Return a mask drawn with # (in) and . (out)."""
    return np.array([[c == "#" for c in line.strip()] for line in text.strip().splitlines()])


A = picture("""
    ......
    .####.
    .####.
    .####.
    ......
    """)
B = picture("""
    ......
    ...###
    ...###
    ...###
    ...###
    """)


def test_hand_computed():
    # 12 in each, 6 in both; 30 pixels, 18 in either.
    assert dice(A, B) == 2 * 6 / 24
    assert iou(A, B) == 6 / 18
    result = overlap(A, B, n_resamples=0)
    row = result.per_frame().iloc[0]
    assert (row["sensitivity"], row["specificity"]) == (6 / 12, 12 / 18)
    # A's surface is its ring of 10, B's its ring of 10. Distances from A's ring to B's: columns
    # 1 and 2 are 2 and 1 away (rows 1 to 3); column 3 lies on B's ring; (1, 4) lies on it,
    # (2, 4) and (3, 4) are inside B, 1 from its ring; (2, 4) is 1 away, (3, 4) is 1 away.
    ring_a = picture("""
        ......
        .####.
        .#..#.
        .####.
        ......
        """)
    there = np.array([2, 1, 0, 0, 2, 1, 2, 1, 0, 1])
    ring_b = picture("""
        ......
        ...###
        ...#.#
        ...#.#
        ...###
        """)
    # From B's ring, row by row: (1,3) 0, (1,4) 0, (1,5) 1; (2,3) 1, (2,5) 1; (3,3) 0, (3,5) 1;
    # (4,3) 1, (4,4) 1, (4,5) root 2.
    back = np.array([0, 0, 1, 1, 1, 0, 1, 1, 1, 2**0.5])
    assert (ring_a.sum(), ring_b.sum()) == (there.size, back.size)
    mean, largest, most = surface_distances(A, B)
    assert mean == pytest.approx((there.sum() + back.sum()) / 20, abs=1e-12)
    assert largest == 2
    assert most == pytest.approx(max(np.percentile(there, 95), np.percentile(back, 95)), abs=1e-12)
    assert row["surface_distance"] == mean


def test_one_empty_and_both_empty():
    none = np.zeros_like(A)
    assert dice(A, none) == iou(A, none) == 0
    assert dice(none, none) == iou(none, none) == 1
    assert np.isnan(dice(none, none, empty=np.nan))
    row = overlap(A, none, n_resamples=0).per_frame().iloc[0]
    assert np.isnan(row["sensitivity"]) and np.isnan(row["hausdorff"])
    full = np.ones_like(A)
    row = overlap(A, full, n_resamples=0).per_frame().iloc[0]
    assert np.isnan(row["specificity"]) and row["sensitivity"] == 12 / 30
    pair = overlap(np.stack([A, none]), np.stack([B, none]), n_resamples=0)
    assert pair.summary[1, "dice", "mean"].value == (0.5 + 1) / 2
    assert pair.summary[1, "dice", "pooled"].value == 0.5
    assert "1 times both masks are empty" in str(pair)
    left_out = overlap(np.stack([A, none]), np.stack([B, none]), empty=np.nan, n_resamples=0)
    assert left_out.dice.value == 0.5


def brute_force(a, b, spacing):
    """Distances between surfaces from all pairs of points."""

    def surface(mask):
        padded = np.pad(mask, 1)
        return np.argwhere(mask & ~ndimage.binary_erosion(padded)[1:-1, 1:-1])

    pa, pb = surface(a) * spacing, surface(b) * spacing
    d = np.sqrt(((pa[:, None] - pb[None]) ** 2).sum(axis=2))
    there, back = d.min(axis=1), d.min(axis=0)
    both = np.concatenate([there, back])
    return both.mean(), both.max(), max(np.percentile(there, 95), np.percentile(back, 95))


def whole_image(a, b, spacing):
    """The same by distance transforms of the whole image, without the box."""

    def ring(mask):
        return mask & ~ndimage.binary_erosion(mask)

    there = ndimage.distance_transform_edt(~ring(b), sampling=spacing)[ring(a)]
    back = ndimage.distance_transform_edt(~ring(a), sampling=spacing)[ring(b)]
    both = np.concatenate([there, back])
    return both.mean(), both.max(), max(np.percentile(there, 95), np.percentile(back, 95))


@pytest.mark.parametrize("seed", range(8))
def test_surface_distances_equal_brute_force(seed):
    rng = np.random.default_rng(seed)
    fields = ndimage.gaussian_filter(rng.normal(size=(2, 24, 31)), (0, 2, 3))
    a, b = fields > np.quantile(fields, 0.6)
    spacing = np.array([1.0, 1.0]) if seed % 2 else np.array([0.7, 1.9])
    got = surface_distances(a, b, spacing=spacing)
    np.testing.assert_allclose(got, brute_force(a, b, spacing), rtol=0, atol=1e-12)
    np.testing.assert_allclose(got, whole_image(a, b, spacing), rtol=0, atol=1e-12)


def test_volumes_have_distances_too():
    a, b = np.zeros((2, 1, 6, 6, 6), bool)
    a[0, 1:3, 1:3, 1:3] = True
    b[0, 1:3, 1:3, 3:5] = True
    result = overlap(a, b, spacing=(1, 1, 0.5), n_resamples=0)
    assert result.summary[1, "hausdorff", "mean"].value == 1.0


def test_labels():
    a = np.array([[[0, 1, 1, 3]]])
    b = np.array([[[0, 1, 3, 3]]])
    result = overlap(a, b, labels=[1, 3], surface=False, n_resamples=0)
    assert result.counts.tolist() == [[[1, 2, 1]], [[1, 1, 2]]]
    assert result.to_frame()["label"].unique().tolist() == [1, 3]
    assert dice(a, b, label=3)[0] == 2 / 3
    assert result.to_dict()["labels"]["3"]["dice"]["mean"]["value"] == pytest.approx(2 / 3)
    with pytest.raises(AnnostatError, match="labels that are not in"):
        overlap(a, b, labels=[1])
    with pytest.raises(AnnostatError, match="distinct"):
        overlap(a, b, labels=[1, 1])


def test_clips_pool_their_frames():
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 6, 9, 9)) < 0.4
    clips = ["x", "y", "x", "x", "y", "y"]
    result = overlap(a, b, clips=clips, n_resamples=200, rng=1)
    table = result.per_clip().set_index("clip")
    picked = [0, 2, 3]
    assert table.loc["x", "dice"] == dice(a[picked].reshape(27, 9), b[picked].reshape(27, 9))
    assert table.loc["x", "n_frames"] == 3
    frames = result.per_frame()
    assert table.loc["x", "hausdorff"] == frames.loc[picked, "hausdorff"].max()
    assert table.loc["x", "surface_distance"] == pytest.approx(
        frames.loc[picked, "surface_distance"].mean()
    )
    pooled = result.summary[1, "dice", "pooled"]
    assert pooled.value == dice(a.reshape(54, 9), b.reshape(54, 9))
    assert pooled.value in pooled.interval
    with pytest.raises(AnnostatError, match="clips="):
        overlap(a, b, n_resamples=0).per_clip()


def test_any_array_type():
    torch = pytest.importorskip("torch")
    for kind in (np.uint8, np.int64, np.float32, bool):
        assert dice(A.astype(kind), B) == 0.5
    assert dice(A.astype(np.uint8) * 255, B) == 0.5
    assert dice(torch.tensor(A), torch.tensor(B, dtype=torch.uint8)) == 0.5
    assert dice(A.tolist(), np.asfortranarray(B)) == 0.5
    assert dice(np.stack([A, A, B])[::2], np.stack([B, B])).tolist() == [0.5, 1.0]


MASKS = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=3, max_side=9))


@given(MASKS, st.randoms(use_true_random=False))
def test_properties(a, random):
    b = np.array([random.random() < 0.5 for _ in range(a.size)]).reshape(a.shape)
    d, j = np.atleast_1d(dice(a, b)), np.atleast_1d(iou(a, b))
    assert ((d >= 0) & (d <= 1)).all() and ((j >= 0) & (j <= d)).all()
    np.testing.assert_array_equal(d, np.atleast_1d(dice(b, a)))
    np.testing.assert_allclose(j, d / (2 - d), rtol=0, atol=1e-15)
    assert np.all(np.atleast_1d(dice(a, a)) == 1)
    if a.ndim == 2:
        assert surface_distances(a, b) == pytest.approx(surface_distances(b, a), nan_ok=True)


@given(
    hnp.arrays(bool, (7, 8)),
    hnp.arrays(bool, (7, 8)),
    st.integers(0, 5),
    st.integers(0, 5),
)
def test_translation_invariance(a, b, down, right):
    def moved(mask):
        # One free pixel all around, so that the edge of the image plays no part.
        out = np.zeros((15, 16), bool)
        out[1 + down : 8 + down, 1 + right : 9 + right] = mask
        return out

    def still(mask):
        out = np.zeros((15, 16), bool)
        out[1:8, 1:9] = mask
        return out

    assert dice(moved(a), moved(b)) == dice(a, b)
    assert surface_distances(moved(a), moved(b)) == pytest.approx(
        surface_distances(still(a), still(b)), nan_ok=True
    )


def test_bad_input():
    for wrong, message in [
        (A[:, :-1], "same shape"),
        (np.where(A, 2, 0), r"0 and 1 .*got also 2"),
        (np.where(A, np.nan, 0), "12 NaN"),
        (A * 0.3, "threshold"),
        (np.full(A.shape, "x"), "dtype"),
        (A[0], "shape"),
        (np.zeros((0, 5, 6)), "shape"),
        (-A.astype(int), "got also -1"),
    ]:
        with pytest.raises(AnnostatError, match=message):
            dice(wrong, B)
    with pytest.raises(AnnostatError, match="spacing"):
        overlap(A, B, spacing=[1, 2, 3])
    with pytest.raises(AnnostatError, match="positive"):
        overlap(A, B, spacing=-1)
    with pytest.raises(AnnostatError, match="clips has 2"):
        overlap(A, B, clips=["a", "b"])
    with pytest.raises(AnnostatError, match="whole numbers from 0 to 255"):
        dice(A * 300, B, label=300)
    with pytest.raises(AnnostatError, match="empty"):
        overlap(A, B, empty=2)


def test_intervals_are_bootstrap_t_of_what_is_printed():
    from annostat.simulate import simulate_masks

    rounds, _ = simulate_masks(20, 2, noise_px=2.0, difficulty_sd=0.3, rng=1)
    a, b = rounds.values
    result = overlap(a, b, n_resamples=400, rng=1)
    frames = result.per_frame()
    for (_, metric, how), estimate in result.summary.items():
        assert estimate.low < estimate.value < estimate.high
        assert "bootstrap-t of log" in estimate.interval.method
        if how == "mean":
            each = frames[metric]
            assert estimate.value == pytest.approx(each.mean())
            assert estimate.standard_uncertainty == pytest.approx(each.std() / np.sqrt(20))
        elif metric in ("dice", "iou"):
            assert estimate.value == {"dice": dice, "iou": iou}[metric](
                a.reshape(-1, 112), b.reshape(-1, 112)
            )
    by_patient = overlap(a, b, cluster=np.arange(20) // 2, n_resamples=400, rng=1)
    assert "clusters" in by_patient.dice.interval.method


def test_intervals_of_two_frames_stay_between_0_and_1():
    a, b = np.zeros((2, 2, 9, 9), bool)
    a[:, 2:6, 2:6], b[0, 2:6, 2:6], b[1, 4:8, 4:8] = True, True, True
    b[0, 2, 2] = False
    for (_, metric, _), estimate in overlap(a, b, surface=False).summary.items():
        assert 0 <= estimate.low < estimate.value < estimate.high <= 1, metric
    equal = overlap(a, a)
    for (_, metric, _), estimate in equal.summary.items():
        assert estimate.interval is None and "equal" in estimate.note, metric
        assert estimate.value == (0 if "distance" in metric or "hausdorff" in metric else 1)
