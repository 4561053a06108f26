"""The unit of the values does not matter, however small or large the numbers are in it."""

import re

import numpy as np
import pytest

from annostat import Rounds
from annostat.agreement import bland_altman
from annostat.arrays import all_whole
from annostat.ceilings import bounds
from annostat.labels.kinds import kind_of
from annostat.labels.pairs import smallest_step


def leaves(found, path=""):
    """Yield what plain data holds, and where."""
    if isinstance(found, dict):
        for name, part in found.items():
            yield from leaves(part, f"{path}/{name}")
    elif isinstance(found, list):
        for i, part in enumerate(found):
            yield from leaves(part, f"{path}/{i}")
    elif "/provenance/" not in path:
        yield path, found


def same(one, other, unit):
    """Check that two results differ by the unit alone: numbers, and what checks say of them."""
    one, other = (dict(leaves(r.to_dict())) for r in (one, other))
    assert list(one) == list(other)
    for path, a in one.items():
        b = other[path]
        if isinstance(a, float) and isinstance(b, float):
            assert any(b == pytest.approx(a * u, rel=1e-6, abs=0) for u in (1, unit, unit**2)), path
        elif isinstance(a, str):
            words = (re.sub(r"differ by \S+ on", "differ by D on", text) for text in (a, b))
            assert next(words) == next(words), path
        else:
            assert a == b, path


def values(law, seed=1):
    g = np.random.default_rng(seed)
    truth = g.normal(50, 9, (60, 1))
    if law == "grows":
        return truth * np.exp(g.normal(0, 0.1, (60, 2)))
    if law == "around 0":
        return truth - 50 + g.normal([0, 0.4], 3, (60, 2))
    return truth + g.normal([0, 0.4], 3, (60, 2))


@pytest.mark.parametrize("clusters", [False, True])
@pytest.mark.parametrize("law", ["constant", "grows", "around 0"])
@pytest.mark.parametrize("unit", [1e-30, 1e30])
def test_bounds_in_any_unit(unit, law, clusters):
    x = values(law)
    cluster = np.arange(60) // 3 if clusters else None
    one, other = (
        bounds(Rounds.from_array(z, cluster=cluster), n_resamples=99) for z in (x, x * unit)
    )
    assert sum(check.passed is None for check in other.checks) <= 3
    same(one, other, unit)


@pytest.mark.parametrize("unit", [1e-30, 1, 1e30])
def test_slopes_of_a_line_through_all_points_have_no_p(unit):
    x = values("constant") * unit
    x[:, 0] = 5 * unit  # the difference is twice the mean, and a constant
    found = bland_altman(Rounds.from_array(x), n_resamples=99)
    assert found.bias_line.slope == pytest.approx(2)
    assert all(check.passed is None for check in found.checks)
    assert not np.isfinite([found.bias_line.p_value, found.spread_line.p_value]).any()


def test_whole_numbers_of_which_float64_knows_no_fraction_are_none():
    assert all_whole(np.array([3.0, 2.0**53 - 1, np.nan])) and not all_whole(np.array([2.0**53]))
    rounds = Rounds.from_array(np.array([[3.0, 4.0], [7.0, 9.0]]) * 1e30)
    assert kind_of(rounds).name == "values" and smallest_step(rounds.values) == pytest.approx(1e30)
