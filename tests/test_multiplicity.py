"""Adjusted p-values against statsmodels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from annostat.resampling.multiplicity import holm


@settings(max_examples=20)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_that_of_statsmodels(p):
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])


def test_what_was_not_tested_is_not_counted():
    assert holm([None, 0.01, float("nan"), 0.04]) == [None, pytest.approx(0.02), None, 0.04]
    assert holm([]) == []
