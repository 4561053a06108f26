"""A round whose labels are all equal: numbers are exact or undefined, and intervals hold them."""

import math

import numpy as np
import pytest

from annostat import Rounds
from annostat.agreement import icc
from annostat.agreement.unequal import unequal_raters
from annostat.ceilings import bounds
from annostat.interchange import interchange
from annostat.truth import score_models

CONSTANTS = (5.0, 0.1, 1 / 3, 1e8)
KINDS = [(missing, clusters) for missing in (False, True) for clusters in (False, True)]


def estimates(found, path=""):
    """Yield all numbers with limits that a result holds as plain data, and where they stand."""
    if isinstance(found, dict):
        if {"value", "low", "high"} <= set(found):
            yield path, found
        for name, part in found.items():
            yield from estimates(part, f"{path}/{name}")
    elif isinstance(found, list):
        for i, part in enumerate(found):
            yield from estimates(part, f"{path}/{i}")


def hold(result):
    """Check that all limits are in order, hold their estimate, and that none is rounding."""
    seen = list(estimates(result.to_dict()))
    assert seen
    for path, e in seen:
        value = e["value"]
        if e["method"] is not None:
            low = -math.inf if e["low"] is None else e["low"]
            high = math.inf if e["high"] is None else e["high"]
            assert low <= high, (path, e)
            if "/models/" not in path or "/bland_altman/" not in path:
                # Those of pairs within items are about the SD of single pairs (golden files).
                assert value is None or low <= value <= high, (path, e)
        if path.endswith("relative_noise"):
            continue  # 3 of 1e8
        for x in (value, e["low"], e["high"]):
            assert x is None or x == 0 or abs(x) > 1e-6, (path, e)


def table(constant, rounds, missing, clusters):
    g = np.random.default_rng(8)
    truth = g.normal(constant, 5, 40)
    values = truth[:, None] + g.normal([0, 9, 1][:rounds], 3, (40, rounds))
    values[:, 0] = constant
    if missing:
        values[3, 0] = values[7, 1] = np.nan
    cluster = np.arange(40) // 2 if clusters else None
    return Rounds.from_array(values, cluster=cluster), truth + g.normal(0, 1, 40)


@pytest.mark.parametrize(("missing", "clusters"), KINDS)
@pytest.mark.parametrize("rounds", [2, 3])
@pytest.mark.parametrize("constant", CONSTANTS)
def test_every_number_is_exact_or_has_a_reason(constant, rounds, missing, clusters):
    given, model = table(constant, rounds, missing, clusters)
    hold(bounds(given, n_resamples=199))
    hold(score_models(given, {"model": model}, n_resamples=199))
    hold(interchange(given, {"model": model}))
    for interval in ("auto", "f", "f-kurtosis", "bootstrap-t"):
        hold(icc(given, interval=interval, n_resamples=199))
    hold(unequal_raters(given, model=model))


@pytest.mark.parametrize("constant", CONSTANTS)
def test_two_rounds_of_which_one_is_constant_show_no_truth(constant):
    given, _ = table(constant, 2, False, False)
    found = unequal_raters(given)
    flat, other, either = found.kinds
    assert flat.rmse_floor.value == 0 and flat.rmse_floor.interval is None
    assert math.isnan(flat.r2_ceiling.value)
    for kind in (other, either):
        assert kind.r2_ceiling.value == kind.correlation_ceiling.value == 0
        assert kind.r2_ceiling.interval is None and "show no truth" in kind.r2_ceiling.note
    forms = {form.name: form.estimate for form in icc(given).forms}
    for name in ("icc_a_1", "icc_c_1", "icc_a_k", "icc_c_k"):
        assert forms[name].value == 0 and forms[name].interval is None and forms[name].note
    quote = bounds(given)
    assert quote.correlation_ceiling.value == 0 and quote.correlation_ceiling.interval is None
    assert "ceiling of r 0 (no interval" in quote.to_text()


def test_two_constants():
    found = unequal_raters(Rounds.from_array(np.full((9, 2), 0.1)))
    assert all(math.isnan(kind.r2_ceiling.value) for kind in found.kinds)
