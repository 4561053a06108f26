"""Outlines to masks: pictures, scikit-image pixel for pixel, exact areas."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from annostat import AnnostatError
from annostat.masks import (
    chords_to_outline,
    outlines_mask,
    polygon_area,
    polygon_coverage,
    polygon_mask,
)


def picture(text):
    """Return a mask drawn with # (in) and . (out)."""
    return np.array([[c == "#" for c in line.strip()] for line in text.strip().splitlines()])


KITE = [[3, 0], [6, 3], [3, 6], [0, 3]]


def test_pictures_of_the_three_rules():
    with_edge = picture("""
        ...#...
        ..###..
        .#####.
        #######
        .#####.
        ..###..
        ...#...
        """)
    strict = picture("""
        .......
        ...#...
        ..###..
        .#####.
        ..###..
        ...#...
        .......
        """)
    np.testing.assert_array_equal(polygon_mask(KITE, (7, 7)), with_edge)
    np.testing.assert_array_equal(polygon_mask(KITE, (7, 7), rule="echonet"), with_edge)
    np.testing.assert_array_equal(polygon_mask(KITE, (7, 7), rule="lidc"), strict)
    shifted = np.array(KITE) + 0.4
    np.testing.assert_array_equal(polygon_mask(shifted, (7, 7), rule="echonet"), with_edge)
    # Rounding halves to even: 0.5 becomes 0 and 2.5 becomes 2.
    square = [[0.5, 0.5], [2.5, 0.5], [2.5, 2.5], [0.5, 2.5]]
    assert polygon_mask(square, (5, 5), rule="echonet")[:3, :3].sum() == 9
    bow = [[0, 0], [4, 4], [4, 0], [0, 4]]
    np.testing.assert_array_equal(
        polygon_mask(bow, (5, 5)), picture("#...#\n##.##\n#####\n##.##\n#...#")
    )


def test_parts_outside_the_image_are_cut_off():
    whole = polygon_mask(np.array(KITE) + 3, (13, 13))
    np.testing.assert_array_equal(polygon_mask(KITE, (4, 5)), whole[3:7, 3:8])
    np.testing.assert_array_equal(polygon_mask(np.array(KITE) - 3, (4, 4)), whole[6:10, 6:10])
    assert not polygon_mask(np.array(KITE) + 50, (7, 7)).any()
    assert not polygon_mask(KITE[:2], (7, 7)).any()
    full = polygon_coverage(np.array(KITE) + 3, (13, 13))
    np.testing.assert_allclose(polygon_coverage(np.array(KITE) - 2, (4, 4)), full[5:9, 5:9])


def trace(rng, n=20):
    """A trace as EchoNet-Dynamic has it: a long axis, then chords across it."""
    t = np.linspace(0.02, 0.98, n)
    width = 22 * np.sqrt(np.sin(np.pi * (0.1 + 0.75 * t))) + rng.normal(0, 0.4, n)
    tilt = rng.uniform(-0.4, 0.4)
    along = np.array([np.sin(tilt), np.cos(tilt)])
    across = np.array([along[1], -along[0]])
    middle = np.array([56, 18]) + 70 * t[:, None] * along
    chords = np.stack([middle - width[:, None] * across, middle + width[:, None] * across], 1)
    axis = np.array([[56, 18], [56, 18] + 70 * along])
    return np.concatenate([axis[None], chords])


@pytest.mark.parametrize("seed", range(12))
def test_echonet_rule_pixel_for_pixel(seed):
    draw = pytest.importorskip("skimage.draw")
    segments = trace(np.random.default_rng(seed), n=20 - seed % 3)
    # The rule of the EchoNet-Dynamic code, written out.
    x1, y1, x2, y2 = segments[:, 0, 0], segments[:, 0, 1], segments[:, 1, 0], segments[:, 1, 1]
    x = np.concatenate((x1[1:], np.flip(x2[1:])))
    y = np.concatenate((y1[1:], np.flip(y2[1:])))
    rows, columns = draw.polygon(np.rint(y).astype(int), np.rint(x).astype(int), (112, 112))
    expected = np.zeros((112, 112), bool)
    expected[rows, columns] = True
    got = polygon_mask(chords_to_outline(segments), (112, 112), rule="echonet")
    np.testing.assert_array_equal(got, expected)
    assert expected.sum() > 1000


CORNERS = hnp.arrays(
    np.float64, st.tuples(st.integers(3, 8), st.just(2)), elements=st.integers(-2, 12).map(float)
)


@given(CORNERS)
def test_any_polygon_equals_scikit_image(corners):
    draw = pytest.importorskip("skimage.draw")
    rows, columns = draw.polygon(corners[:, 1], corners[:, 0], (11, 11))
    expected = np.zeros((11, 11), bool)
    expected[rows, columns] = True
    np.testing.assert_array_equal(polygon_mask(corners, (11, 11), rule="echonet"), expected)


def star(rng, n):
    angle = np.sort(rng.uniform(0, 2 * np.pi, n))
    radius = rng.uniform(3, 14, n)
    return np.array([17.3, 16.1]) + radius[:, None] * np.c_[np.cos(angle), np.sin(angle)]


@pytest.mark.parametrize("seed", range(10))
def test_coverage_is_exact(seed):
    rng = np.random.default_rng(seed)
    corners = star(rng, int(rng.integers(3, 25)))
    cover = polygon_coverage(corners, (34, 36))
    assert cover.sum() == pytest.approx(polygon_area(corners), abs=1e-10)
    assert cover.min() >= 0 and cover.max() <= 1
    np.testing.assert_allclose(polygon_coverage(corners[::-1], (34, 36)), cover, atol=1e-12)
    # Each pixel by brute force: a grid of points within it.
    fine = 21
    steps = (np.arange(fine) + 0.5) / fine - 0.5
    big = polygon_mask((corners + 0.5) * fine - 0.5, (34 * fine, 36 * fine))
    brute = big.reshape(34, fine, 36, fine).mean(axis=(1, 3))
    assert steps.size == fine
    assert np.abs(brute - cover).max() < 0.1 and abs(brute.sum() - cover.sum()) < 0.5


def test_coverage_of_half_pixels():
    cover = polygon_coverage([[0, -0.5], [2, -0.5], [2, 0.5], [0, 0.5]], (1, 3))
    np.testing.assert_allclose(cover, [[0.5, 1, 0.5]])
    triangle = polygon_coverage([[-0.5, -0.5], [1.5, -0.5], [-0.5, 1.5]], (2, 2))
    np.testing.assert_allclose(triangle, [[1, 0.5], [0.5, 0]])


def test_holes_and_areas():
    outer, inner = [[0, 0], [6, 0], [6, 6], [0, 6]], [[1, 1], [5, 1], [5, 5], [1, 5]]
    mask = outlines_mask(
        [outer, [[8, 8], [10, 8], [10, 10], [8, 10]]], (12, 12), holes=[inner], rule="lidc"
    )
    assert mask.sum() == 25 - 9 + 1
    assert polygon_area(outer) == 36 and polygon_area(outer[::-1]) == 36
    assert polygon_area(outer[:2]) == 0


def test_bad_input():
    for call, words in [
        (lambda: polygon_mask(KITE, (7,)), "height, width"),
        (lambda: polygon_mask(KITE, 7), "height, width"),
        (lambda: polygon_mask(KITE, (0, 7)), "height must be"),
        (lambda: polygon_mask(KITE, (7, 7), rule="lid"), "did you mean 'lidc'"),
        (lambda: polygon_mask([1, 2, 3], (7, 7)), "corners x, y"),
        (lambda: polygon_mask([[1, np.nan], [2, 3], [4, 5]], (7, 7)), "finite"),
        (lambda: polygon_mask([["a", "b"]], (7, 7)), "numbers"),
        (lambda: polygon_mask(np.zeros((0, 2)), (7, 7)), "corners"),
        (lambda: polygon_coverage([[1e9, 0], [0, 1], [1, 1]], (7, 7)), "million"),
        (lambda: chords_to_outline([[1, 2], [3, 4]]), "long axis"),
    ]:
        with pytest.raises(AnnostatError, match=words):
            call()
