"""Items and raters for the ceiling of Dice, against studies of that size."""

import json

import numpy as np
import pytest

from annostat import AnnostatError, simulate_masks
from annostat.ceilings import dice_ceiling, plan_masks
from annostat.ceilings.mask_plan import RatersPlan
from annostat.cli import main


def half(rounds):
    interval = dice_ceiling(rounds).dice.interval
    return (interval.high - interval.low) / 2


def test_that_many_items_give_that_width():
    pilot, _ = simulate_masks(40, 3, noise_px=2.0, rng=1)
    plan = plan_masks(pilot, half_width=0.008, n_resamples=2)
    assert plan.needed[3] < plan.needed[2]
    for k, n in plan.needed.items():
        widths = [half(simulate_masks(n, k, noise_px=2.0, rng=20 + s)[0]) for s in range(3)]
        assert np.mean(widths) == pytest.approx(0.008, rel=0.25), (k, n)
    assert plan.achieved == pytest.approx(0.008, rel=0.3)
    json.dumps(plan.to_dict(), allow_nan=False)
    text = " ".join(str(plan).split())
    assert "that makes the 95% interval of the ceiling of Dice ±0.008" in text
    assert len(plan.to_frame()) == 8


def test_what_the_raters_leave_open_is_not_bought_with_items():
    few = RatersPlan(0.94, 0.03, 0.004)
    assert few.items(0.004, 0.95) is None and few.items(0.0041, 0.95) > 50_000
    for wanted in (0.03, 0.01, 0.006):
        n = few.items(wanted, 0.95)
        assert few.half_width(n, 0.95) <= wanted < few.half_width(n - 1, 0.95)
    pilot, _ = simulate_masks(12, 2, noise_px=2.0, rng=1)
    plan = plan_masks(pilot, half_width=0.001, n_resamples=0)
    assert plan.needed == {2: None} and "No number of items" in plan.answer()
    assert plan.quote() == "" and "none is enough" in str(plan)
    assert [c.passed for c in plan.checks] == [False]


def test_the_command(tmp_path, capsys):
    rounds, _ = simulate_masks(12, 2, noise_px=2.0, rng=1)
    np.savez(tmp_path / "m.npz", anna=rounds.values[0], ben=rounds.values[1])
    args = [str(tmp_path / "m.npz"), "--for", "floor", "--kind", "masks", "--half-width", "0.02"]
    main(["plan", *args, "--json", "-"])
    data = json.loads(capsys.readouterr().out)
    assert data["needed"][0]["n_raters"] == 2 and data["half_width"] == 0.02
    for more, words in (
        (["--for", "verdict"], "have --for floor"),
        (["--model", "x"], "takes no --model"),
        (["--half-width", "0"], "half_width"),
    ):
        with pytest.raises(SystemExit):
            main(["plan", *args, *more])
        error = capsys.readouterr().err
        assert words in error and error.count("\n") == 1


def test_pilots_that_cannot_tell():
    small, _ = simulate_masks(6, 2, noise_px=2.0, rng=1)
    with pytest.raises(AnnostatError, match="10 items"):
        plan_masks(small)
    with pytest.raises(AnnostatError, match="two or more raters"):
        plan_masks(small.choose(small.names[:1]))
