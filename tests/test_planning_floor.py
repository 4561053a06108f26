"""Items and labels for the floor of the RMSE, against simulated studies."""

import json
from pathlib import Path

import numpy as np
import pytest

from annostat import AnnostatError, Rounds, simulate_values
from annostat.agreement import repeatability
from annostat.cli import main
from annostat.planning import plan_floor

EF = Path(__file__).parent.parent / "docs" / "data" / "ef.csv"


def pilot(law, k, n=4000, seed=1):
    g = np.random.default_rng(seed)
    x = g.normal(size=(n, k)) if law == "gauss" else g.laplace(size=(n, k))
    return Rounds.from_array(g.normal(0, 10, (n, 1)) + 3 * x)


@pytest.mark.parametrize(("law", "kurtosis"), [("gauss", 0.0), ("laplace", 3.0)])
@pytest.mark.parametrize("k", [2, 3])
def test_known_numbers(law, kurtosis, k):
    plan = plan_floor(pilot(law, k), half_width=0.1, n_resamples=0)
    assert plan.excess_kurtosis == pytest.approx(kurtosis, abs=0.5 if law == "gauss" else 0.9)
    for rounds, n in plan.needed.items():
        want = (kurtosis / rounds + 2 / (rounds - 1)) / 4 * (1.96 / 0.1) ** 2
        assert n == pytest.approx(want, rel=0.3)


@pytest.mark.parametrize("k", [2, 4])
def test_that_many_items_give_that_width(k):
    plan = plan_floor(pilot("laplace", 2), half_width=0.15, n_rounds=(2, 4), n_resamples=100)
    g = np.random.default_rng(3)
    widths, printed = [], []
    for _ in range(60):
        z = g.normal(0, 10, (plan.needed[k], 1)) + 3 * g.laplace(size=(plan.needed[k], k))
        labels = Rounds.from_array(z)
        for kind, seen in (("bootstrap-t", widths), ("auto", printed)):
            found = repeatability(labels, interval=kind, n_resamples=199).noise_sd.interval
            if found is not None:  # one sample in twelve has a few items that carry its variance
                seen.append((found.high - found.low) / 2 / (3 * 2**0.5))
    assert len(widths) >= 50
    if k == 2:  # that of the pilot
        assert plan.as_printed == pytest.approx(np.median(printed), rel=0.25)
        assert "reaches to heavier ones" in plan.quote()
    assert np.median(widths) == pytest.approx(0.15, rel=0.2)
    assert plan.achieved == pytest.approx(0.15, rel=0.2) and plan.coverage > 0.85


def test_text_json_and_the_command(capsys):
    rounds = simulate_values(100, noise_sd=4, truth_sd=11, rng=1)
    plan = plan_floor(rounds, n_resamples=50)
    json.dumps(plan.to_dict(), allow_nan=False)
    assert len(plan.to_frame()) == 9 and "labelled 3 times" in str(plan)
    args = ["plan", str(EF), "--item", "patient", "--rounds", "first", "second"]
    main([*args, "--for", "rmse", "--half-width", "0.1"])
    text = capsys.readouterr().out
    assert "floor of the RMSE is ±10% wide" in text and "items, 4 rounds" in text


def test_clusters_take_more():
    g = np.random.default_rng(4)
    size = np.repeat(g.lognormal(0, 0.7, 80), 5)[:, None]
    z = g.normal(0, 9, (400, 1)) + size * g.normal(size=(400, 2))
    clusters = np.repeat(np.arange(80), 5).astype(str)
    alone = plan_floor(Rounds.from_array(z), n_resamples=0)
    shared = plan_floor(Rounds.from_array(z, cluster=clusters), n_resamples=0)
    assert shared.needed[2] > 1.3 * alone.needed[2]


def test_what_cannot_be_planned():
    with pytest.raises(AnnostatError, match="15 items"):
        plan_floor(simulate_values(9, noise_sd=4, truth_sd=11, rng=1))
    with pytest.raises(AnnostatError, match="no noise"):
        plan_floor(Rounds.from_array(np.tile(np.arange(40.0)[:, None], 2)))
    with pytest.raises(AnnostatError, match="half_width"):
        plan_floor(simulate_values(40, noise_sd=4, truth_sd=11, rng=1), half_width=0)
