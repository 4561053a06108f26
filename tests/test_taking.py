"""Functions of rounds take data frames too, and say in one line what they cannot take."""

import numpy as np
import pandas as pd
import pytest

import annostat
from annostat import AnnostatError, Rounds, bounds, compare_noise, read_rounds, score_models
from annostat.agreement import bland_altman, icc, repeatability
from annostat.plotting import plot_bland_altman

G = np.random.default_rng(3)
TRUTH = G.normal(50, 10, 40)
FRAME = pd.DataFrame(
    {
        "patient": [f"p{i:02}" for i in range(40)],
        "age": G.integers(20, 90, 40),
        "a": TRUTH + G.normal(0, 3, 40),
        "b": TRUTH + G.normal(0, 3, 40),
        "net": TRUTH + G.normal(0, 1, 40),
    }
)
NAMED = {"item": "patient", "rounds": ["a", "b"]}


@pytest.mark.parametrize("function", [bounds, repeatability, icc, bland_altman])
def test_a_frame_is_read_with_the_options_that_read_it(function):
    rounds = read_rounds(FRAME, **NAMED)
    wanted = str(function(rounds))
    assert str(function(FRAME, **NAMED)) == wanted
    assert str(function(rounds=rounds)) == wanted
    assert str(function(dict(FRAME), item="patient", rounds=["a", "b"], models=["net"])) == wanted


def test_scores_and_laws_of_a_frame():
    models = {"net": FRAME["net"].to_numpy()}
    found = score_models(FRAME, models, n_resamples=99, **NAMED)
    assert str(found) == str(score_models(read_rounds(FRAME, **NAMED), models, n_resamples=99))
    picks = FRAME.assign(a=FRAME["a"].round(), b=FRAME["b"].round())
    few = {"cores": "laplace", "abandonment": "none", "n_tests": 19}
    assert str(compare_noise(picks, **NAMED, **few)) == str(
        compare_noise(read_rounds(picks, **NAMED), **few)
    )


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("ef.csv", r"bounds takes rounds, not a file: bounds\(annostat.read_rounds\('ef.csv'\)\)"),
        (np.zeros((4, 2)), "Rounds.from_array"),
        ([1, 2], "Rounds.from_array"),
        (3, "a path, a data frame or a mapping"),
        (FRAME.rename(columns={"net": "volume"}), "which columns are rounds"),
    ],
)
def test_what_is_no_table_is_one_line(source, words):
    with pytest.raises(AnnostatError, match=words):
        bounds(source)


def test_a_picture_of_rounds():
    rounds = Rounds.from_array(FRAME[["a", "b"]].to_numpy())
    assert plot_bland_altman(rounds).get_xlabel() == (
        plot_bland_altman(bland_altman(rounds)).get_xlabel()
    )


def test_signatures_are_those_of_the_functions():
    import inspect

    assert list(inspect.signature(annostat.bounds).parameters)[:2] == ["rounds", "m"]
