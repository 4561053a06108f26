"""The self-test: certified values are NIST's, every row passes, and a wrong number is told."""

import json
from dataclasses import replace
from fractions import Fraction

import pytest

from annostat import AnnostatError
from annostat.cli import main
from annostat.selftest import Row, selftest
from annostat.selftest.certified import CERTIFIED, DIGITS, texts
from annostat.selftest.result import log_relative_error


@pytest.mark.parametrize("name", CERTIFIED)
def test_certified_values_are_those_of_rational_arithmetic(name):
    groups = [[Fraction(text) for text in group] for group in texts(name)]
    n, k = sum(map(len, groups)), len(groups)
    mean = sum(map(sum, groups)) / n
    means = [sum(group) / len(group) for group in groups]
    between = sum(len(g) * (m - mean) ** 2 for g, m in zip(groups, means, strict=True)) / (k - 1)
    within = sum((v - m) ** 2 for g, m in zip(groups, means, strict=True) for v in g) / (n - k)
    f, sd = CERTIFIED[name]
    assert float(between / within) == pytest.approx(float(f), rel=1e-14)
    assert float(within) ** 0.5 == pytest.approx(float(sd), rel=1e-14)


def test_every_number_is_right_here():
    found = selftest()
    assert found.ok and all(row.ok for row in found.rows) and len(found.to_frame()) == 41
    assert "41 of 41 numbers" in found.quote()
    assert found.provenance.options["NumPy"] and json.dumps(found.to_dict(), allow_nan=False)


def test_digits_and_printed_numbers():
    assert log_relative_error(1.0001, 1.0) == pytest.approx(4, abs=1e-3)
    assert log_relative_error(1.0, 1.0) == 15 and log_relative_error(float("nan"), 1.0) == 0
    assert Row.printed("", "", "", expected="0.29", found=0.2898).ok
    assert not Row.printed("", "", "", expected="0.29", found=0.2951).ok
    assert not Row.printed("", "", "", expected="0.29", found=float("nan")).ok
    row = Row.certified("", "", "", expected="2.0", found=2.001, digits=4)
    assert not row.ok and replace(row, found=2.00001).ok
    with pytest.raises(AnnostatError, match="n_sets must be 0 or more"):
        selftest(n_sets=-1)


def test_a_wrong_number_is_told_and_is_the_exit_status(monkeypatch, capsys, tmp_path):
    page, data = tmp_path / "page.html", tmp_path / "data.json"
    main(["selftest", "--quick", "--report", str(page), "--json", str(data)])
    assert "Answer  This installation gives" in capsys.readouterr().out
    assert "SmLs07" in page.read_text("utf-8") and json.loads(data.read_text("utf-8"))["ok"]
    monkeypatch.setitem(CERTIFIED, "SiRstv", ("1.28046237440255E+00", "1.04076068334656E-01"))
    with pytest.raises(SystemExit) as stop:
        main(["selftest", "--quick"])
    assert stop.value.code == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "1 number of this installation" in out and "!! SiRstv, F is 1.18046" in out


def test_every_set_has_a_floor_of_digits():
    assert set(DIGITS) == set(CERTIFIED)
