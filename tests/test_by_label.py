"""Floors by label of three raters and more: the hierarchy, sparse designs, what no design tells."""

import json
import math
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from scipy import special, stats

from annostat import Estimate, Interval, Rounds, bounds, score_models
from annostat.agreement import NEW, ONE_OF_THEM, floors_by_label, hierarchy, unequal_raters
from annostat.agreement.rater_noise import share_of_truth
from annostat.report import make_report

SCHEMA = json.loads((Path(__file__).parent.parent / "docs" / "bounds.schema.json").read_text())


def drawn(seed, n, sd, bias, seen=None, tau=3.0):
    g = np.random.default_rng(seed)
    z = g.normal(20, tau, (n, 1)) + g.normal(bias, sd, (n, len(sd)))
    if seen is not None:
        z[g.random(z.shape).argsort(axis=1) >= seen] = np.nan
    return z


def test_the_share_of_the_truth_joins_the_reaches_on_the_scale_of_odds():
    rmse = Estimate(1.0, None, Interval(0.5, 2.0, 0.95, "t"), "mm")
    found = share_of_truth(rmse, 4.0, 0.1, 50, 0.95)
    reach = stats.t.ppf(0.975, 50) * 0.1
    ends = [math.hypot(reach, math.log(4)) * side for side in (-1, 1)]
    assert found.value == 0.8
    assert [found.low, found.high] == pytest.approx(
        [special.expit(math.log(4) + e) for e in ends], rel=1e-9
    )
    unbounded = share_of_truth(
        Estimate(1.0, None, Interval(0.0, math.inf, 0.95, "t")), 4.0, 0.1, 50, 0.95
    )
    assert unbounded.low == 0 and unbounded.high > 0.99
    assert share_of_truth(rmse, math.nan, 0.0, 5, 0.95).value == 0
    assert share_of_truth(Estimate(0.0), 4.0, 0.1, 5, 0.95).value == 1


@pytest.mark.parametrize("seen", [None, 2])
def test_floors_of_full_and_of_sparse_designs(seen):
    sd, bias = np.array([1.0, 1.5, 2.0, 1.0, 1.5]), np.array([0, 1, -1, 2, 0.0])
    rounds = Rounds.from_array(drawn(2, 500, sd, bias, seen), names=list("ABCDE"), unit="mm")
    found = floors_by_label(rounds)
    assert found.raters == hierarchy(rounds).raters and found.hierarchy is not None
    for name, s in zip("ABCDE", sd, strict=True):
        kind = found.kind(name)
        assert s in kind.rmse_floor.interval
        assert 9 / (9 + s**2) in kind.r2_ceiling.interval
    square = np.mean(sd**2) + np.var(bias)
    one = found.kind(ONE_OF_THEM)
    assert square**0.5 in one.rmse_floor.interval and 9 / (9 + square) in one.r2_ceiling.interval
    assert np.isfinite(found.kind(NEW).rmse_floor.high)
    assert found.equal.passed is False and "equal_noise" in str(found.hierarchy.to_dict())


def test_bounds_print_what_the_check_of_bias_points_to(tmp_path):
    bias = np.linspace(-2, 2, 12)
    z = drawn(3, 400, np.ones(12), bias, seen=2)
    names = [f"reader{j}" for j in range(12)]
    rounds = Rounds.from_array(z, names=names, unit="mm")
    found = bounds(rounds, n_resamples=99)
    [check] = [c for c in found.checks if c.name == "rater_bias"]
    assert check.passed is False and "by the label that a model meets" in check.message
    # The test of pairs, which share some six items, is not left to say the contrary.
    assert not [c for c in found.checks if c.name == "bias" and c.passed]
    text, page = str(found), make_report([found])
    for words in ("by the label it meets", "bias about the mean", "SD of the biases", *names):
        assert words in text and words in page
    kept = {**found.to_dict(), "read": None}
    jsonschema.validate(kept, SCHEMA)
    assert kept["by_label"]["hierarchy"]["law"] == "gauss"
    assert {k["name"] for k in kept["by_label"]["labels"]} == {*names, ONE_OF_THEM, NEW}
    frame = found.by_label.to_frame()
    assert set(frame.quantity) == {"rmse_floor", "mae_floor", "r2_ceiling", "correlation_ceiling"}
    scores = score_models(rounds, {"Y": np.nanmean(z - bias, axis=1)}, n_resamples=99)
    assert scores.perfect.kind == ONE_OF_THEM
    assert scores.floors["rmse_floor"] == found.by_label.kind(ONE_OF_THEM).rmse_floor
    assert scores.floors["mae_floor"] == found.by_label.kind(ONE_OF_THEM).mae_floor
    assert "rater_bias" in {c.name for c in scores.checks}


def test_three_raters_bound_a_new_one_from_below_only():
    found = bounds(Rounds.from_array(drawn(4, 100, [1, 1, 1.2], [0, 0, 0])), n_resamples=99)
    new = found.by_label.kind(NEW).rmse_floor
    assert new.low > 0 and math.isinf(new.high) and "do not bound" in str(found)
    assert found.to_dict()["by_label"]["labels"][-1]["rmse_floor"]["high"] is None


def test_designs_that_tell_no_rater_apart():
    z = drawn(5, 40, np.ones(4), np.arange(4.0))
    apart = z.copy()
    apart[:20, :2] = apart[20:, 2:] = np.nan  # two teams that share no item
    assert floors_by_label(Rounds.from_array(apart)) is None
    found = bounds(Rounds.from_array(apart), n_resamples=99)
    assert "more items that raters share" in str(found) and found.by_label is None
    assert floors_by_label(Rounds.from_array(z, exchangeable=True)) is None
    few = floors_by_label(Rounds.from_array(z[:5]))
    assert few == unequal_raters(Rounds.from_array(z[:5]))
    two = floors_by_label(Rounds.from_array(z[:, :2]))
    assert two == unequal_raters(Rounds.from_array(z[:, :2]))


def test_equal_noise_is_walds_test():
    z = drawn(6, 300, np.ones(3), np.zeros(3))
    check = hierarchy(Rounds.from_array(z)).equal
    assert check.passed is True
    # The twin, for complete Gaussian labels: Grubbs' variances and their errors over items.
    c = z - z.mean(axis=1, keepdims=True)
    c = c - c.mean(axis=0)
    u = 3 * (c**2 - (c**2).sum(axis=1, keepdims=True) / 6) * 300 / 299
    s = u.mean(axis=0)
    off = np.array([s[0] - s[2], s[1] - s[2]])
    pull = np.column_stack([u[:, 0] - u[:, 2], u[:, 1] - u[:, 2]])
    f = off @ np.linalg.solve(np.cov(pull.T) / 300, off) / 2
    assert check.statistic == pytest.approx(f, rel=0.25)
    assert check.p_value == pytest.approx(stats.f.sf(check.statistic, 2, 298))
    unequal = hierarchy(Rounds.from_array(drawn(7, 300, [1, 1, 2], np.zeros(3)))).equal
    assert unequal.passed is False and "round_3 scatters more" in unequal.message
