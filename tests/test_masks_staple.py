"""STAPLE against an independent pixel-by-pixel implementation, SimpleITK, and edge cases."""

import numpy as np
import pytest

from annostat import AnnostatError
from annostat.consensus import staple
from annostat.labels import MaskRounds


def readers(shape, wrong, seed=0):
    """A disc in each frame, and masks whose readers err at their own rates."""
    rng = np.random.default_rng(seed)
    y, x = np.indices(shape[-2:])
    disc = np.hypot(y - shape[-2] / 2, x - shape[-1] / 2) < 0.3 * shape[-1]
    truth = np.broadcast_to(disc, shape)
    return truth, [truth ^ (rng.random(shape) < np.where(truth, a, b)) for a, b in wrong]


FIVE = ((0.05, 0.02), (0.1, 0.01), (0.2, 0.005), (0.03, 0.1), (0.15, 0.05))


def plain_staple(masks, present=None, tolerance=1e-13, prior=None):
    """STAPLE as its paper writes it: one weight per pixel, products of probabilities."""
    d = np.array([np.asarray(m, dtype=float).ravel() for m in masks])
    seen = np.ones_like(d) if present is None else np.asarray(present, dtype=float)
    w = (d * seen).sum(axis=0) / seen.sum(axis=0)
    f = (d * seen).sum() / seen.sum() if prior is None else prior
    p = q = np.zeros(len(d))
    for _ in range(100_000):
        old_p, old_q = p, q
        p = np.array([(w * d[r] * seen[r]).sum() / (w * seen[r]).sum() for r in range(len(d))])
        q = np.array(
            [
                ((1 - w) * (1 - d[r]) * seen[r]).sum() / ((1 - w) * seen[r]).sum()
                for r in range(len(d))
            ]
        )
        a, b = np.full(d.shape[1], f), np.full(d.shape[1], 1 - f)
        for r in range(len(d)):
            a *= np.where(seen[r] == 1, np.where(d[r] == 1, p[r], 1 - p[r]), 1)
            b *= np.where(seen[r] == 1, np.where(d[r] == 1, 1 - q[r], q[r]), 1)
        w = a / (a + b)
        if max(abs(p - old_p).max(), abs(q - old_q).max()) < tolerance:
            break
    return w.reshape(np.shape(masks[0])), p, q


def plain_multilabel(masks, n_labels, tolerance=1e-13):
    """The same for several labels, with one confusion matrix per rater."""
    d = np.array([np.ravel(m) for m in masks])
    w = np.array([(d == s).mean(axis=0) for s in range(n_labels)])
    f = w.mean(axis=1)
    theta = np.zeros((len(d), n_labels, n_labels))
    for _ in range(100_000):
        old = theta.copy()
        for r in range(len(d)):
            for s in range(n_labels):
                for said in range(n_labels):
                    theta[r, s, said] = w[s][d[r] == said].sum() / w[s].sum()
        w = np.array(
            [
                f[s] * np.prod([theta[r, s, d[r]] for r in range(len(d))], axis=0)
                for s in range(n_labels)
            ]
        )
        w /= w.sum(axis=0)
        if abs(theta - old).max() < tolerance:
            break
    return w.reshape(n_labels, *np.shape(masks[0])), theta


def test_equals_plain():
    _, masks = readers((4, 30, 32), FIVE)
    w, p, q = plain_staple(masks)
    got = staple(masks, tolerance=1e-13)
    np.testing.assert_allclose(got.probability(), w, rtol=0, atol=1e-9)
    np.testing.assert_allclose([e.value for e in got.sensitivity], p, rtol=0, atol=1e-9)
    np.testing.assert_allclose([e.value for e in got.specificity], q, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(got.mask, w > 0.5)
    assert got.counts.sum() == 4 * 30 * 32 and got.converged
    assert got.n_unanimous == np.sum(np.ptp(np.array(masks, int), axis=0) == 0)


def test_equals_plain_with_missing_masks():
    _, masks = readers((6, 20, 20), FIVE)
    present = np.random.default_rng(3).random((5, 6)) < 0.7
    present[0, ~present.any(axis=0)] = True
    seen = np.repeat(present, 400, axis=1)
    w, p, q = plain_staple(masks, seen)
    got = staple(masks, present=present, tolerance=1e-13)
    np.testing.assert_allclose(got.probability(), w, rtol=0, atol=1e-9)
    np.testing.assert_allclose([e.value for e in got.sensitivity], p, rtol=0, atol=1e-9)
    np.testing.assert_allclose([e.value for e in got.specificity], q, rtol=0, atol=1e-9)
    rounds = MaskRounds.from_arrays(
        {str(r): m for r, m in enumerate(masks)},
        present={str(r): row for r, row in enumerate(present)},
    )
    again = staple(rounds, tolerance=1e-13)
    np.testing.assert_array_equal(again.probability(), got.probability())


def test_equals_plain_for_several_labels():
    rng = np.random.default_rng(5)
    truth = np.repeat([0, 0, 1, 2, 2], 400).reshape(40, 50)
    masks = [
        np.where(rng.random(truth.shape) < wrong, rng.integers(0, 3, truth.shape), truth)
        for wrong in (0.1, 0.2, 0.3)
    ]
    w, theta = plain_multilabel(masks, 3)
    values = np.array([0, 7, 4])
    got = staple([values[m] for m in masks], labels=[7, 4], tolerance=1e-13)
    np.testing.assert_allclose(got.confusion, theta, rtol=0, atol=1e-9)
    for s, label in enumerate(values):
        np.testing.assert_allclose(got.probability(label), w[s], rtol=0, atol=1e-9)
    assert (got.mask == values[truth]).mean() > 0.95
    assert set(np.unique(got.mask)) == {0, 4, 7}
    with pytest.raises(AnnostatError, match="label must be one of"):
        got.probability(3)


def test_two_labels_are_the_binary_case():
    _, masks = readers((2, 20, 20), FIVE)
    one = staple(masks)
    two = staple([np.where(m, 9, 0) for m in masks], labels=[9])
    np.testing.assert_array_equal(one.probability(), two.probability())


def test_many_raters_take_the_sorted_path():
    wrong = [(0.1 + 0.01 * r, 0.05) for r in range(18)]
    truth, masks = readers((2, 25, 25), wrong)
    w, p, _ = plain_staple(masks)
    got = staple(masks, tolerance=1e-13)
    np.testing.assert_allclose(got.probability(), w, rtol=0, atol=1e-9)
    np.testing.assert_allclose([e.value for e in got.sensitivity], p, rtol=0, atol=1e-9)
    assert (got.mask == truth).all()
    with pytest.raises(AnnostatError, match="too many patterns"):
        staple(masks * 4)


@pytest.mark.parametrize("shape, n", [((6, 40, 40), 5), ((10, 30, 30), 3)])
def test_equals_simpleitk(shape, n):
    sitk = pytest.importorskip("SimpleITK")
    _, masks = readers(shape, FIVE[:n], seed=n)
    filter_ = sitk.STAPLEImageFilter()
    filter_.SetForegroundValue(1)
    theirs = sitk.GetArrayFromImage(
        filter_.Execute([sitk.GetImageFromArray(m.astype(np.uint8)) for m in masks])
    )
    # SimpleITK stops when no squared change exceeds 1e-14.
    ours = staple(masks, tolerance=1e-7)
    assert ours.n_undecided == 0
    np.testing.assert_allclose(ours.probability(), theirs, rtol=0, atol=1e-6)
    np.testing.assert_allclose(
        [e.value for e in ours.sensitivity], filter_.GetSensitivity(), rtol=0, atol=1e-6
    )
    np.testing.assert_allclose(
        [e.value for e in ours.specificity], filter_.GetSpecificity(), rtol=0, atol=1e-6
    )


def test_confidence_weight_is_that_of_simpleitk():
    sitk = pytest.importorskip("SimpleITK")
    _, masks = readers((4, 40, 40), FIVE)
    theirs = sitk.STAPLE([sitk.GetImageFromArray(m.astype(np.uint8)) for m in masks], 0.7, 1)
    ours = staple(masks, confidence_weight=0.7, tolerance=1e-7)
    np.testing.assert_allclose(
        ours.probability(), sitk.GetArrayFromImage(theirs), rtol=0, atol=1e-6
    )


def test_labels_are_those_of_simpleitk():
    sitk = pytest.importorskip("SimpleITK")
    rng = np.random.default_rng(1)
    truth = np.repeat([0, 1, 2, 0], 600).reshape(6, 20, 20)
    masks = [
        np.where(rng.random(truth.shape) < wrong, rng.integers(0, 3, truth.shape), truth)
        for wrong in (0.1, 0.15, 0.2, 0.25, 0.2)
    ]
    images = [sitk.GetImageFromArray(m.astype(np.uint8)) for m in masks]
    theirs = sitk.GetArrayFromImage(sitk.MultiLabelSTAPLE(images, 255))
    ours = staple(masks, labels=[1, 2])
    clear = theirs != 255
    assert clear.mean() > 0.99
    assert (ours.mask[clear] == theirs[clear]).mean() > 0.999


def log_likelihood(theta, patterns, counts, f):
    """Binary log-likelihood with p in theta[:R] and q in theta[R:]."""
    p, q = np.split(theta, 2)
    a = np.prod(np.where(patterns == 1, p, 1 - p), axis=1)
    b = np.prod(np.where(patterns == 1, 1 - q, q), axis=1)
    return counts @ np.log(f * a + (1 - f) * b)


def test_standard_errors_of_one_image_are_those_of_the_observed_information():
    _, masks = readers((3, 40, 40), FIVE[:3])
    masks = [m.reshape(120, 40) for m in masks]
    got = staple(masks, tolerance=1e-13)
    theta = np.array([e.value for e in (*got.sensitivity, *got.specificity)])
    k, step = theta.size, 1e-4
    hessian = np.empty((k, k))
    for i in range(k):
        for j in range(k):
            total = 0.0
            for si in (1, -1):
                for sj in (1, -1):
                    moved = theta.copy()
                    moved[i] += si * step
                    moved[j] += sj * step
                    total += si * sj * log_likelihood(moved, got.patterns, got.counts, got.prior[1])
            hessian[i, j] = total / (4 * step**2)
    expected = np.sqrt(np.diag(np.linalg.inv(-hessian)))
    errors = [e.standard_uncertainty for e in (*got.sensitivity, *got.specificity)]
    np.testing.assert_allclose(errors, expected, rtol=1e-3)
    assert got.log_likelihood == pytest.approx(
        log_likelihood(theta, got.patterns, got.counts, got.prior[1])
    )


@pytest.mark.parametrize("n_items", [1, 25])
def test_intervals_cover_where_pixels_are_independent(n_items):
    hits = []
    for seed in range(200):
        truth, masks = readers((n_items, 40, 40), FIVE[:3], seed=1000 + seed)
        # The errors hold for a known prior.
        result = staple(masks, prior=truth.mean())
        for estimate, (miss, _) in zip(result.sensitivity, FIVE[:3], strict=True):
            hits.append(1 - miss in estimate.interval)
    assert 0.92 < np.mean(hits) < 0.98
    assert ("sandwich" in estimate.interval.method) == (n_items > 1)


@pytest.mark.parametrize("n_items", [2, 5])
def test_intervals_of_few_items_cover_where_neighbours_err_together(n_items):
    """Of sensitivity: rare false marks of two items are too few for any interval."""
    rng = np.random.default_rng(n_items)
    hits = []
    for _ in range(150):
        truth, _ = readers((n_items, 40, 40), ())
        masks = []
        for miss, false_mark in ((0.1, 0.05), (0.2, 0.05), (0.15, 0.1)):
            # Squares of 4 × 4 pixels err as one.
            wrong = np.repeat(np.repeat(rng.random((n_items, 10, 10)), 4, axis=1), 4, axis=2)
            masks.append(truth ^ (wrong < np.where(truth, miss, false_mark)))
        result = staple(masks, prior=truth.mean())
        for estimate, miss in zip(result.sensitivity, (0.1, 0.2, 0.15), strict=True):
            hits.append(estimate.interval is not None and 1 - miss in estimate.interval)
            assert estimate.interval is None or f"{n_items} items" in estimate.interval.method
    assert 0.92 < np.mean(hits) < 0.99


def test_one_item_says_that_pixels_are_taken_as_independent():
    _, masks = readers((1, 40, 40), FIVE[:3])
    result = staple(masks)
    assert all("too narrow" in e.note for e in (*result.sensitivity, *result.specificity))
    assert "too narrow" in str(result)
    several = staple([np.concatenate([m, m[::-1]]) for m in masks], cluster=["a", "a"])
    assert "too narrow" in several.sensitivity[0].note
    _, masks = readers((2, 40, 40), FIVE[:3])
    assert "too narrow" not in str(staple(masks))


def test_clustered_errors_are_larger_where_items_differ():
    rng = np.random.default_rng(2)
    truth, _ = readers((30, 20, 20), ())
    rates = rng.uniform(0, 0.4, size=(3, 30, 1, 1))
    masks = [truth ^ (rng.random(truth.shape) < rate) for rate in rates]
    by_item = staple(masks)
    by_patient = staple(masks, cluster=np.repeat(np.arange(10), 3))
    one = staple([m.reshape(600, 20) for m in masks])
    assert "sandwich, 30 items" in by_item.sensitivity[0].interval.method
    assert "sandwich, 10 clusters" in by_patient.sensitivity[0].interval.method
    for a, b in zip(by_item.sensitivity, one.sensitivity, strict=True):
        assert a.value == pytest.approx(b.value)
        assert a.standard_uncertainty > 2 * b.standard_uncertainty


def test_all_empty_all_full_and_255():
    shape = (2, 8, 9)
    empty = staple([np.zeros(shape)] * 3)
    assert not empty.mask.any() and np.isnan(empty.sensitivity[0].value)
    assert empty.specificity[0].value == pytest.approx(1)
    assert "never takes this label" in empty.sensitivity[0].note
    full = staple([np.ones(shape)] * 3)
    assert full.mask.all() and full.sensitivity[0].value == pytest.approx(1)
    assert np.isnan(full.specificity[0].value)
    _, masks = readers((2, 20, 20), FIVE)
    np.testing.assert_array_equal(
        staple(masks).probability(), staple([m * np.uint8(255) for m in masks]).probability()
    )
    for result in (empty, full):
        assert np.isfinite(result.probability()).all() and result.converged
        assert result.to_dict()["n_unanimous"] == 144
        str(result)


def test_one_empty_of_two_and_ties():
    some = np.zeros((10, 10), bool)
    some[2:5, 2:6] = True
    result = staple([some, np.zeros_like(some)])
    np.testing.assert_allclose(result.probability()[some], 0.5, atol=1e-6)
    assert result.n_undecided == 12 and not result.mask.any()
    np.testing.assert_array_equal(result.undecided, some)
    assert {c.name: c.passed for c in result.checks}["ties"] is False


def test_box_makes_the_result_independent_of_the_image():
    _, masks = readers((3, 30, 30), ((0.1, 0), (0.2, 0), (0.3, 0)))
    padded = [np.pad(m, ((0, 0), (50, 20), (5, 90))) for m in masks]
    small, large = (staple(m, region="box") for m in (masks, padded))
    np.testing.assert_array_equal(small.probability(), large.probability()[:, 50:80, 5:35])
    assert small.counts.sum() == large.counts.sum()
    whole, more = staple(masks), staple(padded)
    assert more.prior[1] < whole.prior[1] / 2
    # By hand: crop each frame to its box and run without a region.
    crop = []
    for frame in range(3):
        any_ = np.any([m[frame] for m in masks], axis=0)
        rows, columns = np.flatnonzero(any_.any(1)), np.flatnonzero(any_.any(0))
        box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        crop.append([m[frame][box].ravel() for m in masks])
    flat = [np.concatenate([c[r] for c in crop])[None] for r in range(3)]
    assert [e.value for e in staple(flat).sensitivity] == pytest.approx(
        [e.value for e in small.sensitivity]
    )
    grown = staple(masks, region="box", margin=2)
    assert grown.counts.sum() > small.counts.sum()
    assert staple([np.zeros((4, 4))] * 2, region="box").prior[1] == 0


def test_result_as_text_table_and_json():
    _, masks = readers((2, 20, 20), FIVE[:3])
    result = staple(masks, names=["anna", "ben", "cleo"])
    text = str(result)
    assert "anna" in text and "unanimous" in text and "converged" in text
    frame = result.to_frame()
    assert len(frame) == 6 and set(frame["meaning"]) == {"sensitivity", "specificity"}
    raters = result.to_dict()["raters"]
    assert raters["ben"]["sensitivity"]["value"] == result.sensitivity[1].value
    stuck = staple(masks, max_iterations=1)
    assert not stuck.converged and "did not converge" in str(stuck)


def test_a_contrary_rater_is_named():
    truth, masks = readers((4, 20, 20), FIVE[:3])
    result = staple([*masks, ~truth], names=["a", "b", "c", "d"])
    failed = [c for c in result.checks if c.name == "better_than_chance"]
    assert failed and failed[0].message.startswith("d ")


def test_bad_input():
    _, masks = readers((2, 8, 8), FIVE[:3])
    for wrong, options, message in [
        (masks[:1], {}, "two or more"),
        ([masks[0], masks[1][:1]], {}, "same items and image size"),
        ([masks[0], masks[1] * 3], {}, "got also 3"),
        ([masks[0], np.where(masks[1], np.nan, 0)], {}, "NaN"),
        (masks, {"region": "boxes"}, "did you mean 'box'"),
        (masks, {"names": ["a"]}, "3 different names"),
        (masks, {"prior": 1.5}, "prior"),
        (masks, {"confidence_weight": 50}, "exceed 1"),
        (masks, {"present": np.ones((2, 2))}, "present must have shape"),
        (masks, {"present": [[1, 1], [1, 1], [0, 0]]}, "rater 2 has no mask"),
        (masks, {"present": [[1, 0], [1, 0], [1, 0]]}, "nobody drew item 1"),
        (masks, {"labels": [2, 3]}, "labels that are not in"),
        (masks, {"cluster": ["a"]}, "cluster has 1"),
    ]:
        with pytest.raises(AnnostatError, match=message):
            staple(wrong, **options)
    for arrays, options, message in [
        ({}, {}, "got none"),
        ({"a": masks[0], "b": masks[1][:, :4]}, {}, "same items and image size"),
        ({"a": masks[0]}, {"present": {"a": [0, 0]}}, "no mask by a"),
        ({"a": masks[0]}, {"present": {"b": [0, 0]}}, "no column 'b'"),
        ({"a": masks[0]}, {"items": ["x"]}, "items has 1"),
    ]:
        with pytest.raises(AnnostatError, match=message):
            MaskRounds.from_arrays(arrays, **options)
