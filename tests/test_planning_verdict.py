"""Items and labels for a verdict of `score`, against studies that are scored."""

import json
from pathlib import Path

import numpy as np
import pytest

from annostat import AnnostatError, Rounds, score_models, simulate_values
from annostat.cli import main
from annostat.plotting import plot_verdict_plan
from annostat.truth import plan_verdict
from annostat.truth.verdict_power import VerdictPower
from annostat.truth.verdicts import ABOVE, AT, BELOW

EF = Path(__file__).parent.parent / "docs" / "data" / "ef.csv"


@pytest.mark.parametrize("k", [2, 3, 5])
@pytest.mark.parametrize(("error", "learned"), [(1.5, 0.0), (0.0, 0.4), (0.8, 0.3)])
@pytest.mark.parametrize("difficulty", [1.0, 2.0])
def test_moments_are_those_of_simulated_products(k, error, learned, difficulty):
    plan = VerdictPower(AT, error, 3.0, learned, 2.0, difficulty, 0.95)
    g = np.random.default_rng(1)
    h = plan.products(400_000, k, g)
    mean, variance = plan.moments(k)
    assert h.mean() == pytest.approx(mean, abs=5 * (variance / 4e5) ** 0.5)
    assert h.var() == pytest.approx(variance, rel=0.08)


@pytest.mark.parametrize(
    ("claim", "error", "margin", "learned", "n", "k"),
    [(AT, 1.0, 2.0, 0.0, 200, 2), (ABOVE, 1.5, None, 0.0, 150, 3), (BELOW, 0.5, None, 0.5, 60, 2)],
)
def test_predicted_power_is_that_of_simulated_studies(claim, error, margin, learned, n, k):
    plan = VerdictPower(claim, error, margin, learned, 3.0, 1.0, 0.95)
    got = plan.simulated(n, k, 2000, np.random.default_rng(2))
    assert got == pytest.approx(plan.power(n, k), abs=0.06)


@pytest.mark.parametrize(("claim", "error", "learned"), [(AT, 1.0, 0.0), (BELOW, 0.0, 0.6)])
def test_studies_that_are_scored_give_the_verdict_as_often(claim, error, learned):
    margin = 2.5 if claim == AT else None
    pilot = simulate_values(400, noise_sd=3, truth_sd=10, rng=1)
    plan = plan_verdict(pilot, margin=margin, error=error, learned=learned)
    n = plan.needed[2]
    g = np.random.default_rng(3)
    said = 0
    for _ in range(100):
        y = g.normal(50, 10, n)
        x = g.normal(0, 3, (n, 2))
        f = y + g.normal(0, error, n) + learned * x.mean(axis=1)
        found = score_models(
            Rounds.from_array(y[:, None] + x), {"m": f}, margin=margin, kind="values", n_resamples=9
        )
        said += found.models[0].verdict.name == claim
    # 0.8 is wanted; four standard errors of 100 studies, and the pilot's error of σ.
    assert 0.62 <= said / 100 <= 0.95


def test_simulated_curves_go_on_as_the_formula():
    plan = VerdictPower(AT, 1.0, 2.0, 0.0, 3.0, 1.0, 0.95)
    curve = plan.curve(1200, 2, 1000, np.random.default_rng(4))
    for n in (150, 400, 1200):
        assert curve[n] == pytest.approx(plan.power(n, 2), abs=0.05)
    assert np.isnan(curve[:3]).all() and plan.needed(2, 0.8, curve) == pytest.approx(
        plan.needed(2, 0.8, None), rel=0.15
    )
    short = plan.curve(30, 2, 200, np.random.default_rng(4))
    assert plan.needed(2, 0.8, short) == plan.needed(2, 0.8, None)


def test_more_of_anything_is_never_worse():
    pilot = simulate_values(300, noise_sd=4, truth_sd=11, rng=1)
    plan = plan_verdict(pilot, margin=3, n_resamples=200)
    power = plan.to_frame().pivot_table(index="n_items", columns="n_labels", values="power")
    assert (power.diff().dropna() >= -0.01).all().all()
    assert (power.diff(axis=1).dropna(axis=1) >= -0.02).all().all()
    assert plan.needed[2] > plan.needed[3] > plan.needed[4]
    assert plan_verdict(pilot, margin=4).needed[2] < plan.needed[2]
    assert plan_verdict(pilot, margin=3, power=0.95).needed[2] > plan.needed[2]
    assert 0.6 < plan.simulated <= 1 and 0 <= plan.wrongly < 0.2


def test_wrong_verdicts_are_rare_and_told_where_they_are_not():
    pilot = simulate_values(300, noise_sd=4, truth_sd=11, rng=1)
    plan = plan_verdict(pilot, margin=2, n_labels=(8,), n_resamples=2000)
    assert plan.wrongly < 0.065 and not any(c.name == "wrong_verdicts" for c in plan.checks)
    # One item in 30 is ten times as hard as others, and it carries the noise.
    g = np.random.default_rng(5)
    hard = np.where(g.random((300, 1)) < 1 / 30, 10.0, 1.0)
    pilot = Rounds.from_array(50 + hard * g.normal(size=(300, 2)))
    plan = plan_verdict(pilot, margin=0.5, n_labels=(8,), n_resamples=2000)
    [check] = [c for c in plan.checks if c.name == "wrong_verdicts"]
    assert check.passed is False and plan.wrongly > 0.075


def test_text_json_figure_and_the_command(tmp_path, capsys):
    args = ["plan", str(EF), "--item", "patient", "--rounds", "first", "second", "--for", "verdict"]
    main([*args, "--margin", "2", "--plot", str(tmp_path / "v.svg")])
    text = capsys.readouterr().out
    words = ["Read", "Answer", "Quote", "Checks", "Power to say", "items   2", "More"]
    places = [text.index(w) for w in words]
    assert places == sorted(places) and (tmp_path / "v.svg").exists()
    assert 'a model that errs by 1 "at the floor within 2" with a power of 80%' in " ".join(
        text.split()
    )
    main([*args, "--learned", "0.4", "--json", "-"])
    data = json.loads(capsys.readouterr().out)
    assert data["claim"] == BELOW and data["needed"][0]["n_labels"] == 2
    plan = plan_verdict(simulate_values(99, noise_sd=4, truth_sd=11, rng=1), error=1, power=0.5)
    assert plan.claim == ABOVE and "a pilot of 99 items" in str(plan).lower()
    assert len(plot_verdict_plan(plan).lines) == 4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "needs a margin"),
        ({"margin": -1}, "margin"),
        ({"margin": 2, "error": 2}, "error must be below the margin"),
        ({"margin": 2, "learned": 0.5}, "give one"),
        ({"error": 0}, "above 0"),
        ({"learned": 1.5}, "learned"),
        ({"margin": 2, "power": 1}, "power"),
        ({"margin": 2, "n_labels": [1]}, "n_labels"),
    ],
)
def test_what_cannot_be_planned(options, words):
    with pytest.raises(AnnostatError, match=words) as refused:
        plan_verdict(simulate_values(40, noise_sd=4, truth_sd=11, rng=1), **options)
    assert "\n" not in str(refused.value)


def test_pilots_that_cannot_tell(capsys):
    with pytest.raises(AnnostatError, match="15 items"):
        plan_verdict(simulate_values(9, noise_sd=4, truth_sd=11, rng=1), margin=2)
    with pytest.raises(AnnostatError, match="no noise"):
        plan_verdict(Rounds.from_array(np.tile(np.arange(40.0)[:, None], 2)), margin=2)
    with pytest.raises(SystemExit):
        main(["plan", str(EF), "--rounds", "first", "second", "--error", "1"])
    assert "add --for verdict" in capsys.readouterr().err
