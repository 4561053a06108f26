"""Dice and IoU from counts, against those of annostat."""

import numpy as np
import pytest

from annostat.masks import dice, iou
from models.overlap import count_pairs, overlap_of


def test_against_annostat():
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 3, 5, 7, 6)) < 0.3
    a[0, 0] = b[0, 0] = a[1, 1] = False
    found = overlap_of(count_pairs(a, b))
    for k in range(3):
        assert np.allclose(found["dice"][k], dice(a[k], b[k], empty=1.0))
        assert np.allclose(found["iou"][k], iou(a[k], b[k], empty=1.0))
    assert found["dice"][0, 0] == 1 and found["dice"][1, 1] == 0
    assert count_pairs(a, b)[2, 4].tolist() == [(a & b)[2, 4].sum(), a[2, 4].sum(), b[2, 4].sum()]
    assert found["iou"] == pytest.approx(found["dice"] / (2 - found["dice"]))
