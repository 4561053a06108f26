"""Labels of an item that differ by rounding alone agree: no noise is made of it."""

import numpy as np
import pytest

from annostat import Rounds
from annostat.agreement.unequal import unequal_raters
from annostat.agreement.variances import Variances
from annostat.ceilings import bounds


def nearly(rounds, bias, clusters=False):
    g = np.random.default_rng(1)
    z = g.normal(50, 9, (60, 1)) * (1 + 3e-16 * g.choice([-1, 1], (60, rounds)))
    cluster = np.arange(60) // 3 if clusters else None
    return Rounds.from_array(z + bias * np.arange(rounds), cluster=cluster)


@pytest.mark.parametrize("clusters", [False, True])
@pytest.mark.parametrize("bias", [0.0, 1.7])
@pytest.mark.parametrize("rounds", [2, 3, 5])
def test_rounding_is_no_noise(rounds, bias, clusters):
    given = nearly(rounds, bias, clusters)
    assert not np.any(Variances.of(given).centred)
    found = bounds(given, n_resamples=99)
    assert found.noise_sd.value == 0 and found.noise_sd.interval is None
    assert found.reliability.value == 1
    apart = unequal_raters(given)
    assert all(r.noise_sd.value == 0 and r.noise_sd.interval is None for r in apart.raters)
    assert apart.equal.passed is None
    floors = [k.rmse_floor for k in apart.kinds[rounds:]]
    assert all(e.interval is None and (e.value > 0.8 if bias else e.value == 0) for e in floors)


def test_three_equal_rounds_agree_as_two_do():
    z = np.random.default_rng(2).normal(50, 9, (60, 1))
    for rounds in (2, 3, 5):
        found = bounds(Rounds.from_array(np.repeat(z, rounds, axis=1)), n_resamples=99)
        assert found.noise_sd.value == 0 and found.reliability.value == 1
        failed = [check.name for check in found.checks if check.passed is False]
        assert failed == ["copied"]  # whether they are copies is all that is to be asked


def test_noise_that_is_small_and_no_rounding_stays():
    g = np.random.default_rng(3)
    z = g.normal(50, 9, (60, 1)) + g.normal(0, 1e-11, (60, 3))
    assert Variances.of(Rounds.from_array(z)).centred.any()
    assert bounds(Rounds.from_array(z), n_resamples=99).noise_sd.value == pytest.approx(
        1e-11, rel=0.2
    )
