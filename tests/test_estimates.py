"""Numbers, their digits, and the three forms of a result."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annostat import Check, Estimate, Interval, Provenance
from annostat.results.result import Result, check_section
from annostat.results.sections import Section
from annostat.results.text import format_number, format_p, plain

KEYS = ["value", "standard_uncertainty", "low", "high", "level", "method", "unit", "note"]


@pytest.mark.parametrize(
    ("value", "spread", "text"),
    [
        (2.0314, 0.0571, "2.031"),
        (2.0314, None, "2.031"),
        (12.345, 1.2, "12.3"),
        (1234.5, 30.0, "1,234"),
        (12345.6, None, "12,346"),
        (-12345.6, None, "-12,346"),
        (0.0, None, "0"),
        (0.0, 0.5, "0.00"),
        (-0.001, 1.0, "0.0"),
        (3e-18, 1e-20, "3e-18"),
        (1 / 3, 1e-15, "0.33333333"),
        (1.5, math.nan, "1.5"),
        (1.5, math.inf, "1.5"),
        (1.5, 0.0, "1.5"),
        (math.nan, 1.0, "–"),
        (None, None, "–"),
        (math.inf, None, "∞"),
        (-math.inf, 1.0, "-∞"),
    ],
)
def test_digits(value, spread, text):
    assert format_number(value, spread) == text


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e6))
def test_formatting_loses_less_than_the_uncertainty(value, spread):
    read = float(format_number(value, spread).replace(",", ""))
    assert abs(read - value) <= max(spread / 2, abs(value) * 1e-7)


@pytest.mark.parametrize(
    ("p", "text"), [(0.0001, "<0.001"), (0.25, "0.250"), (None, "–"), (math.nan, "–")]
)
def test_p_values(p, text):
    assert format_p(p) == text


@given(st.builds(Interval, st.floats(), st.floats(), st.just(0.95), st.text()), st.floats())
def test_eight_keys_that_json_knows(interval, value):
    for estimate in (Estimate(value, None, interval), Estimate(value, 0.1), Estimate(value)):
        data = estimate.to_dict()
        assert list(data) == KEYS
        json.dumps(data, allow_nan=False)
        assert isinstance(str(estimate), str)


def test_an_estimate_without_an_interval_says_why():
    estimate = Estimate(1.0, note="no method covers here")
    assert estimate.to_dict()["method"] is None
    assert estimate.to_dict()["note"] == "no method covers here"
    assert (estimate.low, estimate.high, estimate.range()) == (None, None, "–")
    assert str(estimate) == "1 (no method covers here)"


def test_text_of_an_estimate():
    interval = Interval(1.9, math.inf, 0.9, "profile likelihood")
    assert str(Estimate(2, None, interval, "frames")) == "2 frames, 90% interval 1.9 to ∞"
    assert 2 in interval
    assert 1 not in interval


def test_plain_data():
    odd = {1: np.float32(0.5), "a": np.arange(2), "b": (np.bool_(True), math.inf), "c": Path("x")}
    assert plain(odd) == {"1": 0.5, "a": [0, 1], "b": [True, None], "c": "x"}
    check = Check("bias", False, "biased: re-align", 2.5, math.nan)
    assert plain([check])[0]["p_value"] is None
    data = Provenance("0", "ab", 3, 1, {"core": ("laplace",)}).to_dict()
    assert json.loads(json.dumps(data))["options"] == {"core": ["laplace"]}


def test_failed_checks_come_first():
    checks = [Check("a", True, "fine"), Check("b", None, "unknown"), Check("c", False, "bad")]
    assert check_section(checks).lines == ["!!  bad", "??  unknown", "ok  fine"]


class Small(Result):
    def __init__(self, *sections):
        self._sections = list(sections)

    def sections(self):
        return self._sections


def test_html_is_escaped():
    nasty = "<script>alert('x & y')</script>"
    html = Small(Section(nasty, [nasty], [[nasty]], [nasty]))._repr_html_()
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 4
    assert html.count("&amp;") == 4


def test_text_is_whole_and_plain():
    wide = ["x" * 900, "[bold]y[/bold]"]
    text = str(Small(Section("T", ["a", "[b]"], [wide], ["z" * 900, "[i]"]), Section("U")))
    lines = text.splitlines()
    assert all(word in text for word in (*wide, "z" * 900, "[b]", "[i]"))
    assert lines[0] == "T" and lines[-2:] == ["", "U"]
    assert "\x1b" not in text
    assert all(line == line.rstrip() for line in lines)


def test_text_in_a_notebook(monkeypatch):
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    assert str(Small(Section("shown"))) == "shown"
