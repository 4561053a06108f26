"""Functions of rounds take data frames too, and say in one line what they cannot take."""

import numpy as np
import pandas as pd
import pytest

import annostat
from annostat import AnnostatError, Rounds, bounds, compare_noise, read_rounds, score_models
from annostat.agreement import bland_altman, icc, repeatability
from annostat.interchange import interchange
from annostat.plotting import plot_bland_altman
from annostat.study import study
from annostat.tables.reading import read_categories

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
    "function",
    [interchange, lambda *a, **k: score_models(*a, **k, n_resamples=99)],
    ids=["interchange", "score_models"],
)
def test_models_of_a_frame_are_its_predictions(function):
    backwards = FRAME.iloc[::-1].reset_index(drop=True)
    wanted = str(function(read_rounds(FRAME, **NAMED), {"net": FRAME["net"].to_numpy()}))
    assert str(function(backwards, **NAMED, models=["net"])) == wanted
    assert str(function(read_rounds(FRAME, **NAMED, models=["net"]))) == wanted
    other = {"other": TRUTH + 1}
    both = str(function(FRAME, **NAMED, models=["net"], predictions=other))
    assert both == str(function(FRAME, other, **NAMED, models=["net"]))
    assert both == str(function(FRAME, {"net": FRAME["net"], **other}, **NAMED))
    with pytest.raises(AnnostatError, match="net: among models and predictions"):
        function(FRAME, FRAME[["net"]], **NAMED, models=["net"])
    with pytest.raises(AnnostatError, match="must be a mapping"):
        function(FRAME, 3, **NAMED, models=["net"])
    with pytest.raises(AnnostatError, match=r"there is no model .*\(models=\['net'\]\)"):
        function(FRAME, **NAMED)


def test_models_of_classes_and_of_a_study():
    classes = FRAME.assign(**{c: (FRAME[c] > 50).map(str) for c in ("a", "b", "net")})
    table = read_categories(classes, **NAMED, models=["net"])
    alone = read_categories(classes, **NAMED)
    assert str(interchange(table)) == str(interchange(alone, {"net": classes["net"]}))
    found = study(FRAME, **NAMED, models=["net"], n_resamples=99)
    assert [m.name for m in found.scores.models] == ["net"]


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
