"""Concentration of many items, of models far off, and of errors of extreme size."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from annostat import AnnostatError, Rounds
from annostat.cli.concentration import concentration as command
from annostat.concentration import compare_concentration, concentration
from annostat.concentration.laws import Lattice, law_share
from annostat.concentration.null import WIDEST, both_errors, fit_differences, lattice_step
from annostat.plotting import plot_concentration


@pytest.mark.parametrize("model_sd", [0.0, 2.0])
def test_the_lattice_of_many_items_does_not_show_in_the_law(model_sd):
    """Four steps in the median error moved the law by 0.0025, ten standard errors of the share."""
    rng = np.random.default_rng(0)
    n = 200_000
    x, e = rng.normal(0, 3, (n, 2)), model_sd * rng.normal(size=n)
    both = both_errors(e - x[:, 0], x[:, 0], x[:, 1])
    pool = rng.permutation(np.concatenate([both.first, both.second]))
    for first, second in ((both.first, both.second), (pool[:n], pool[n:])):
        fit = fit_differences(np.bincount(both.differences(first, second)).astype(float))
        share = float(Lattice.of(fit.model).curve("squared").share(0.15))
        assert share == pytest.approx(float(law_share("gaussian", 0.15)), abs=0.001)


def test_few_items_and_far_errors_keep_a_coarse_lattice():
    sizes = np.linspace(0, 4, 2000)
    assert lattice_step(sizes, 2.0) == 0.5
    many = np.linspace(0, 4, 200_000)
    assert lattice_step(many, 2.0) == pytest.approx(2.0 / (4 * 100**0.25))
    many[-1] = 400.0  # as fine as the widest error has room for
    assert lattice_step(many, 2.0) == pytest.approx(800 / WIDEST)
    many[-1] = 1e6
    assert lattice_step(many, 2.0) == 0.5


def test_a_model_far_off_is_compared_by_its_values():
    rng = np.random.default_rng(3)
    z = rng.normal(50, 8, 100)[:, None] + rng.normal(0, 3, (100, 2))
    values = z.mean(axis=1) + 60
    rounds = Rounds.from_array(z)
    errors = values - z[:, 0]
    with pytest.raises(AnnostatError, match="give its values instead"):
        concentration(errors, rounds=rounds, n_resamples=19)
    found = concentration(errors, rounds=rounds, predictions=values, n_resamples=19)
    assert found.excess is not None and found.excess.p_value > 0.1
    with pytest.raises(AnnostatError, match="give its values instead"):  # sizes are no errors
        low = np.abs(z[:, 0] - z.mean(axis=1))
        concentration(low, rounds=rounds, predictions=z.mean(axis=1), n_resamples=19)


@pytest.mark.parametrize(
    ("scale", "words"),
    [(1e153, "too large to square"), (1e100, "too large to square"), (1e-200, "below 1e-60")],
)
def test_errors_of_extreme_size_are_refused(scale, words):
    errors = scale * np.random.default_rng(0).normal(size=50)
    with pytest.raises(AnnostatError, match=words):
        concentration(errors, noise="gaussian")
    with pytest.raises(AnnostatError, match=words):
        concentration(errors)


def test_of_many_models_the_first_are_drawn():
    """Forty of them left no room for the axes beside their names."""
    errors = {
        f"net {i}": row for i, row in enumerate(np.random.default_rng(0).normal(size=(9, 50)))
    }
    ax = plot_concentration(compare_concentration(errors, noise="gaussian", n_resamples=19))
    legend = ax.get_legend()
    assert legend.get_title().get_text() == "the first 6 of 9 models"
    assert sum(text.get_text().startswith("net") for text in legend.get_texts()) == 6


def test_items_that_stand_twice_are_asked_about(tmp_path):
    """The rows were numbered, and a row that stood twice counted twice."""
    table = pd.DataFrame({"patient": [f"p{i // 2}" for i in range(60)]})
    table["error"] = np.random.default_rng(0).normal(size=60)
    path = str(tmp_path / "errors.csv")
    table.to_csv(path, index=False)
    told = CliRunner().invoke(command, [path, "--column", "error"])
    assert isinstance(told.exception, AnnostatError)
    assert "'patient' names some items twice" in str(told.exception)
    assert "(cluster='patient')" in str(told.exception)
    done = CliRunner().invoke(command, [path, "--column", "error", "--cluster", "patient"])
    assert done.exit_code == 0, done.output
    table.assign(tag=[f"t{i:02}" for i in range(60)]).to_csv(path, index=False)
    done = CliRunner().invoke(command, [path, "--column", "error"])
    assert done.exit_code == 0 and "60 items (tag)" in done.output
