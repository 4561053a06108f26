"""Figures of plans: widths against items, for every plan of a width."""

import numpy as np
import pytest

from annostat import AnnostatError, simulate_masks
from annostat.ceilings import plan_categories, plan_masks
from annostat.labels import Categories, Rounds
from annostat.noise import plan_rounds
from annostat.planning import plan_floor
from annostat.plotting import plot_width_plan


def plans():
    rng = np.random.default_rng(1)
    values = Rounds.from_array(rng.normal(0, 5, (80, 1)) + rng.normal(0, 1, (80, 2)))
    picks = Rounds.from_array(np.rint(rng.normal(20, 5, (80, 1)) + rng.normal(0, 2, (80, 2))))
    p = rng.beta(0.4, 0.4, 150)
    labels = Categories.from_array((rng.random((150, 3)) < p[:, None]).astype(int))
    masks, _ = simulate_masks(12, 2, noise_px=2.0, rng=1)
    yield plan_floor(values, half_width=0.1, rng=1), 0.1
    yield plan_rounds(picks, half_width=0.1, rng=1), 0.1
    yield plan_categories(labels, half_width=0.1, n_studies=3), 0.1
    yield plan_masks(masks, half_width=0.01, n_resamples=0), 0.01


def test_each_line_crosses_the_wanted_width_where_the_plan_says():
    for plan, wanted in plans():
        ax = plan.plot().axes[0]
        dots = [line for line in ax.lines if line.get_marker() not in ("None", None, "")]
        curves = [line for line in ax.lines if len(line.get_xdata()) == 100]
        assert dots and len(curves) == len(dots)
        for dot, curve in zip(dots, curves, strict=True):
            [n], [y] = dot.get_xdata(), dot.get_ydata()
            there = np.interp(np.log(n), np.log(curve.get_xdata()), curve.get_ydata())
            assert y in (pytest.approx(wanted), pytest.approx(100 * wanted))
            assert there == pytest.approx(y, rel=0.02)
            assert f"{n:,}" in dot.get_label()


def test_what_no_items_are_enough_for_is_said():
    masks, _ = simulate_masks(12, 2, noise_px=2.0, rng=1)
    plan = plan_masks(masks, half_width=1e-6, n_resamples=0)
    with pytest.raises(AnnostatError, match="no number of items is enough"):
        plot_width_plan(plan)


def test_the_command_draws_every_plan(tmp_path, run):
    for more in (["--example", "lidc", "--for", "rmse"], ["--example", "lidc-masks"]):
        code, _, err = run("plan", *more, "--plot", tmp_path / "plan.svg")
        assert (code, err) == (0, "") and (tmp_path / "plan.svg").stat().st_size > 3000
        (tmp_path / "plan.svg").unlink()
