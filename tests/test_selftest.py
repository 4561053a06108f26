"""The self-test: certified values are NIST's, every row passes, and a wrong number is told."""

import json
from collections import Counter
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from scipy import optimize, stats

from annostat import AnnostatError
from annostat.cli import main
from annostat.datasets import lidc
from annostat.selftest import Row, selftest
from annostat.selftest.certified import CERTIFIED, DIGITS, texts
from annostat.selftest.reference import FITTED, SLOPE, WINDOW, norris
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


def test_the_certified_line_is_that_of_rational_arithmetic():
    y, x = ([Fraction(text) for text in column] for column in norris())
    n = len(x)
    mean_x, mean_y = sum(x) / n, sum(y) / n
    sxx = sum((a - mean_x) ** 2 for a in x)
    slope = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / sxx
    rss = sum((b - mean_y - slope * (a - mean_x)) ** 2 for a, b in zip(x, y, strict=True))
    variance = float(rss / (n - 2))
    found = (float(slope), (variance / float(sxx)) ** 0.5, variance**0.5)
    assert found == pytest.approx([float(v) for v in SLOPE], rel=1e-13)


def test_the_reference_fit_of_picks_is_that_of_plain_numpy():
    """Shared abandonment, uniform within a window; every truth of an item is as likely."""
    patterns = Counter()
    for row in lidc("largest_slice").values:
        picks = row[np.isfinite(row)]
        if picks.size > 1:
            patterns[tuple(np.sort(picks - picks.min()).astype(int))] += 1
    x, truths = np.arange(-120, 121), np.arange(-100, 115)

    def law(scale, df):
        half = stats.t.cdf((0.5 - np.arange(121)) / scale, df)  # below −x + ½
        half = np.append(half[:-1] - half[1:], 0.0)
        return np.concatenate([half[:0:-1], half])

    def loss(theta, window):
        core, share = law(*np.exp(theta[:2])), 1 / (1 + np.exp(-theta[2]))
        wide = np.where(abs(x) <= window, 1 / (2 * window + 1), 0)
        total = 0.0
        for pattern, count in patterns.items():
            at = np.subtract.outer(pattern, truths) + 120
            at = np.clip(at, 0, 240)
            own, gone = core[at].prod(axis=0).sum(), wide[at].prod(axis=0).sum()
            total -= count * np.log((1 - share) * own + share * gone)
        return total

    options = {"xatol": 1e-7, "fatol": 1e-8, "maxiter": 600}
    found = {
        w: optimize.minimize(
            loss, [-1.0, 1.0, -4.5], args=(w,), method="Nelder-Mead", options=options
        )
        for w in (6, 7, 8)
    }
    best = min(found, key=lambda w: found[w].fun)
    theta = found[best].x
    share, far = 1 / (1 + np.exp(-theta[2])), np.arange(1, 200_000)
    core = 2 * np.sum(stats.t.sf((far - 0.5) / np.exp(theta[0]), np.exp(theta[1])))
    mae = (1 - share) * core + share * best * (best + 1) / (2 * best + 1)
    assert (f"{mae:.5f}", f"{share:.5f}") == (FITTED["mean error"], FITTED["share given up"])
    assert f"{-found[best].fun:.4f}" == FITTED["log-likelihood"] and str(best) == WINDOW


def test_every_number_is_right_here():
    found = selftest()
    assert found.ok and all(row.ok for row in found.rows) and len(found.to_frame()) == 49
    assert "49 of 49 numbers" in found.quote()
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
    text = page.read_text("utf-8")
    assert text.count("AtmWtAg, F") == 1 and "Assumptions that were looked at" not in text
    assert "SmLs07" in text and json.loads(data.read_text("utf-8"))["ok"]
    monkeypatch.setitem(CERTIFIED, "SiRstv", ("1.28046237440255E+00", "1.04076068334656E-01"))
    with pytest.raises(SystemExit) as stop:
        main(["selftest", "--quick"])
    assert stop.value.code == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "1 number of this installation" in out and "!! SiRstv, F is 1.18046" in out


def test_every_set_has_a_floor_of_digits():
    assert set(DIGITS) == set(CERTIFIED)
