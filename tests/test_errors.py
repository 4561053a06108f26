"""Messages name the argument, the rule, what was received and the remedy."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annostat import agreement
from annostat.concentration import law_share
from annostat.errors import (
    AnnostatError,
    check_choice,
    check_column,
    check_count,
    check_level,
    check_number,
    check_numbers,
    shown,
)
from annostat.truth import cross_products, triple_collocation


def test_shown_stops_early():
    assert shown([1, 2]) == "1, 2"
    assert shown(range(9), 2) == "0, 1, ... (9 in all)"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: check_choice("core", "laplas", ["laplace", "skellam"]), "mean 'laplace'"),
        (lambda: check_choice("core", 3, ["laplace"]), "core must be one of laplace, got 3"),
        (lambda: check_column("item", "cilp", ["clip", "a"]), r"'cilp'; did you mean 'clip'\?"),
        (lambda: check_level(95), r"level must be in \(0.0, 1.0\), got 95"),
        (lambda: check_level(1.0), "level must be in"),
        (lambda: check_number("x", "two"), "x must be a number, got 'two'"),
        (lambda: check_number("x", None), "x must be a number"),
        (lambda: check_number("x", 10**400), "x must be a number"),
        (lambda: check_number("x", math.inf), "x must be finite"),
        (lambda: check_number("x", -1, low=0, high=2), r"x must be in \[0, 2\], got -1"),
        (lambda: check_numbers("values", [1, "a"]), "^values must be numbers: .*'a'"),
        (lambda: check_numbers("values", [[1], [1, 2]]), "^values must be numbers: "),
        (lambda: check_count("n", 2.5), "n must be a whole number of at least 0, got 2.5"),
        (lambda: check_count("n", 1, low=2), "at least 2, got 1"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(AnnostatError, match=words):
        call()


@given(st.floats(allow_nan=True), st.floats(-10, 10), st.floats(0, 10), st.booleans())
def test_numbers_within_their_range_only(x, low, width, open_ends):
    high = low + width
    inside = low < x < high if open_ends else low <= x <= high
    if inside:
        assert check_number("x", x, low=low, high=high, open_ends=open_ends) == x
    else:
        with pytest.raises(AnnostatError):
            check_number("x", x, low=low, high=high, open_ends=open_ends)


def test_what_must_be_numbers_is_float64_of_its_own_shape():
    assert check_numbers("x", [[1, 2]]).tolist() == [[1.0, 2.0]]
    assert check_numbers("x", True).dtype == check_numbers("x", None).dtype == "float64"


@pytest.mark.parametrize(
    "call",
    [
        lambda text: agreement.gauge_rr([1, 1, 2, 2], [1, 2, 1, 2], text),
        lambda text: cross_products(text, [1, 2]),
        lambda text: cross_products([[1, 2], [3, 4]], text),
        lambda text: cross_products([[1, 2], [3, 4]], [1, 2], text),
        lambda text: triple_collocation(text),
        lambda text: law_share("gaussian", text),
    ],
)
def test_text_where_numbers_belong(call):
    with pytest.raises(AnnostatError, match=r"must be numbers: .*'x'"):
        call(["x"] * 4)


def test_an_annostat_error_is_a_value_error():
    assert issubclass(AnnostatError, ValueError)
    assert check_count("n", 7.0) == 7
    assert check_column("item", "a", ["a"]) == "a"
