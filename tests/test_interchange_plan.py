"""How many items and readers a claim needs: the formula against simulated studies."""

import json

import numpy as np
import pandas as pd
import pytest

from annostat import AnnostatError
from annostat.cli import main
from annostat.interchange import interchange, plan_interchange
from annostat.interchange.components import Components, components_of
from annostat.interchange.planning import _Plan


def study(g, n, k, own=0.8, apart=1.0):
    y = g.normal(0, 2, n)
    z = y[:, None] + g.normal(0, 0.5 * apart, k)
    z = z + np.exp(g.normal(0, 0.4 * apart, k)) * g.normal(size=(n, k))
    return z, y + own * g.normal(size=n)


@pytest.fixture(scope="module")
def pilot():
    g = np.random.default_rng(1)
    z, f = study(g, 150, 6)
    return interchange(z, {"net": f})


@pytest.mark.parametrize(("k", "apart"), [(8, 0.0), (8, 1.0)])
def test_components_make_up_the_variance_of_many_studies(k, apart):
    """With four readers they say 1.4 to 2 times as much: the jackknife is careful with few."""
    g = np.random.default_rng(7)
    n, found = 150, []
    for _ in range(30):
        z, f = study(g, n, k, apart=apart)
        found.append(components_of(interchange(z, {"net": f}), "net"))
    mean = {a: np.mean([getattr(c, a) for c in found]) for a in PARTS}
    seen = Components(n, k, **mean)
    values = []
    for _ in range(300):
        z, f = study(g, n, k, apart=apart)
        values.append(interchange(z, {"net": f}).models[0].change.value)
    assert seen.true(n, k) == pytest.approx(np.var(values), rel=0.35)


@pytest.mark.parametrize("k", [5, 10])
def test_predicted_power_is_that_of_simulated_components(k):
    parts = Components(100, k, 0.07, 0.04, 0.5, 0.2)
    for half, margin in ((False, 0.1), (True, 0.0)):
        plan = _Plan(parts, True, half, -0.2, margin, 0.95)
        seen = plan.simulated(60, k, 600, 3)
        assert seen.power == pytest.approx(plan.power(60, k), abs=0.07)
        assert seen.half_width == pytest.approx(plan.half_width(60, k), rel=0.12)


@pytest.mark.parametrize(("k", "apart"), [(4, 0.0), (8, 1.0)])
def test_predicted_power_is_that_of_studies_of_labels(k, apart):
    g = np.random.default_rng(3)
    pilots = [interchange(*_named(study(g, 200, 8, apart=apart))) for _ in range(40)]
    found = [components_of(p, "net") for p in pilots]
    parts = Components(200, 8, **{a: np.mean([getattr(c, a) for c in found]) for a in PARTS})
    gamma = np.mean([p.models[0].change.value for p in pilots])
    plan = _Plan(parts, True, False, gamma, 0.1, 0.95)
    hits = [
        interchange(*_named(study(g, 60, k, apart=apart)), margin=0.1).models[0].standing.p_within
        < 0.05
        for _ in range(150)
    ]
    assert np.mean(hits) == pytest.approx(plan.power(60, k), abs=0.13)


PARTS = ("items", "readers", "cells", "pairs")


def _named(drawn):
    return drawn[0], {"net": drawn[1]}


def test_these_readers_need_what_the_t_test_says():
    g = np.random.default_rng(4)
    z, f = study(g, 300, 2, apart=0.0)
    pilot = interchange(z, {"net": f})
    plan = plan_interchange(pilot, change=0.0, margin=0.2, n_resamples=400)
    assert list(plan.needed) == [2] and plan.simulated.power == pytest.approx(0.8, abs=0.07)
    spread = 300**0.5 * pilot.models[0].change.standard_uncertainty
    assert plan.needed[2] == pytest.approx(((1.645 + 0.842) * spread / 0.2) ** 2, rel=0.05)


def test_more_of_anything_is_never_worse(pilot):
    plan = plan_interchange(pilot, change=-0.1, margin=0.2, n_resamples=0)
    table = {(p.n_items, p.n_readers): p for p in plan.table}
    for (n, k), p in table.items():
        for other, q in table.items():
            if other[0] >= n and other[1] >= k:
                assert q.power >= p.power - 1e-9 and q.half_width <= p.half_width + 1e-9
    text = str(plan)
    assert "interchangeable with a reader within 0.2" in " ".join(text.split()) and "Power" in text
    json.dumps(plan.to_dict(), allow_nan=False)
    assert len(plan.to_frame()) == len(plan.table)
    hard = plan_interchange(pilot, change=0.19, margin=0.2, readers=(3, 4), n_resamples=0)
    assert hard.needed == {3: None, 4: None} and "No number of items" in str(hard)


def test_what_cannot_be_planned(pilot):
    with pytest.raises(AnnostatError, match=r"cannot be shown to be below 0\.1"):
        plan_interchange(pilot, change=0.3, margin=0.1)
    with pytest.raises(AnnostatError, match="model must be one of net"):
        plan_interchange(pilot, model="nett")
    with pytest.raises(AnnostatError, match="power must"):
        plan_interchange(pilot, power=1.0)


def test_the_command(tmp_path, capsys):
    g = np.random.default_rng(5)
    z, f = study(g, 80, 5)
    frame = pd.DataFrame(z, columns=list("abcde")).assign(net=f)
    frame.to_csv(tmp_path / "p.csv", index=False)
    args = ["plan", str(tmp_path / "p.csv"), "--rounds", *"abcde", "--model", "net"]
    main([*args, "--for", "interchange", "--margin", "0.3", "--plot", str(tmp_path / "p.svg")])
    assert "10 readers" in (tmp_path / "p.svg").read_text()
    text = capsys.readouterr().out
    assert "Read" in text and "To show with a power of 80%" in text and "5 readers" in text
    with pytest.raises(SystemExit):
        main([*args[:-2], "--for", "interchange"])
    assert "needs pilot data with a model" in capsys.readouterr().err
