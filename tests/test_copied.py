"""Rounds that are copies are asked about, honest ones that agree are not."""

import numpy as np
import pytest

from annostat import Rounds, bounds
from annostat.labels import check_rounds

G = np.random.default_rng(1)
VALUES = G.normal(50, 10, 60)
PICKS = G.integers(0, 90, 60).astype(float)
ROUNDED = G.integers(0, 9, 60) / 10


def said(*columns, **about):
    rounds = Rounds.from_array(
        np.column_stack(columns), names=list("abcd"[: len(columns)]), **about
    )
    return [c for c in check_rounds(rounds) if c.name == "copied"]


@pytest.mark.parametrize(
    "column",
    [
        VALUES,
        VALUES[:5],
        VALUES.round(2)[:5],
        VALUES.round(1)[:20],
        np.append(VALUES[:40], [np.nan] * 20),
        PICKS,
        1e6 * VALUES,
        1e-6 * VALUES,
        np.repeat(VALUES[:3], 2),
    ],
)
def test_a_copy_is_asked_about(column):
    for exchangeable in (False, True):
        [check] = said(column, column, exchangeable=exchangeable)
        n = np.isfinite(column).sum()
        assert check.passed is False and check.statistic == n
        assert check.message.startswith(f"a and b are equal in all {n} items that both have: was")


@pytest.mark.parametrize(
    "column",
    [
        VALUES[:4],
        np.repeat(VALUES[:2], 20),
        PICKS[:30],
        PICKS % 7,
        PICKS % 7 / 2,
        ROUNDED + G.normal(0, 1e-15, 60),
        PICKS[:30] / 25,
        PICKS[:30] * 33.3,
        np.zeros(60),
    ],
)
def test_honest_agreement_is_not_accused(column):
    assert not said(column, column)


def test_one_item_that_differs_is_no_copy():
    assert not said(VALUES, np.append(VALUES[:-1], VALUES[-1] + 1e-6))
    assert not said(VALUES, VALUES + 1)


def test_the_pair_with_most_items_is_named():
    other = VALUES + G.normal(0, 3, 60)
    few = np.append(VALUES[:10], [np.nan] * 50)
    [check] = said(other, few, VALUES, VALUES)
    assert check.message.startswith(
        "c and d are equal in all 60 items that both have (and 2 other pairs likewise): was"
    )
    assert check.message.endswith("leave one of them out.")
    assert not said(other, VALUES)


def test_without_noise_there_are_no_tails():
    found = bounds(Rounds.from_array(np.column_stack([VALUES, VALUES])), n_resamples=99)
    assert not {"heavy_tails"} & {c.name for c in found.checks}
    assert "Heavy tails" not in str(found)
    assert [c.name for c in found.checks if c.passed is False] == ["copied"]
