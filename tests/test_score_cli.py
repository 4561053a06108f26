"""`annostat score` as a user meets it, its plot and its chapter of the report."""

import json
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest

import annostat
from annostat.plotting import plot_rmse_floor, plot_scores
from annostat.report import make_report
from annostat.truth import score_models

ROOT = Path(__file__).parent.parent
SCHEMA = json.loads((ROOT / "docs" / "score.schema.json").read_text())
TABLE = ROOT / "docs" / "data" / "ef.csv"
ROUNDS = ("--item", "patient", "--rounds", "first", "second", "--resamples", "200")
MODELS = ("--model", "small", "--model", "large", "--model", "leaky")


@pytest.fixture(scope="module")
def scores():
    table = pd.read_csv(TABLE)
    rounds = annostat.read_rounds(TABLE, item="patient", rounds=["first", "second"], unit="%")
    return score_models(rounds, table[["small", "large", "leaky"]], n_resamples=200, margin=2)


def test_json_keeps_its_promise(run):
    code, out, err = run("score", TABLE, *ROUNDS, *MODELS, "--unit", "%", "--json", "-")
    assert (code, err) == (0, "")
    data = json.loads(out)
    jsonschema.validate(data, SCHEMA)
    assert [m["name"] for m in data["models"]] == ["small", "large", "leaky"]
    assert [m["verdict"] for m in data["models"]] == [
        "above the floor",
        "not resolved",
        "below the floor",
    ]
    assert data["unit"] == "%" and len(data["comparisons"]) == 3
    # The simulated truth: models err by 5 and 1.2, one annotation by 4.
    small, large = data["models"][:2]
    assert small["true_rmse"]["low"] < 5 < small["true_rmse"]["high"]
    assert large["true_rmse"]["low"] < 1.2 < large["true_rmse"]["high"]
    assert data["floors"]["rmse_floor"]["low"] < 4 < data["floors"]["rmse_floor"]["high"]
    assert large["true_rmse"]["value"] ** 2 == pytest.approx(large["excess"]["value"])


def test_trained_on_and_margin(run):
    leaky = ("--model", "leaky", "--trained-on", "first", "--json", "-")
    data = json.loads(run("score", TABLE, *ROUNDS, *leaky)[1])
    leakage = data["models"][0]["leakage"]
    assert leakage["round"] == "first" and leakage["trained"]
    assert leakage["share"]["low"] < 0.4 < leakage["share"]["high"]
    jsonschema.validate(data, SCHEMA)
    out = run("score", TABLE, *ROUNDS, "--model", "large", "--margin", "2")[1]
    assert "large is at the floor within 2" in out


def test_same_seed_same_bytes(run):
    args = ("score", TABLE, *ROUNDS, *MODELS, "--json", "-", "--seed", "3")
    assert run(*args) == run(*args, "--n-jobs", "1")


def test_several_models_follow_one_option(run):
    several = run("score", TABLE, *ROUNDS, "--model", "large", "small", "--json", "-")
    assert several[0] == 0
    again = ("--model", "large", "--model", "small", "--json", "-")
    assert several == run("score", TABLE, *ROUNDS, *again)
    # The table may come last.
    assert several == run("score", "--model", "large", "small", TABLE, *ROUNDS, "--json", "-")


def test_a_folder_called_like_a_model_is_no_source(run, tmp_path, monkeypatch):
    """What lies in the working folder does not tell what a column is."""
    wanted = run("score", TABLE, *ROUNDS, "--model", "large", "small", "--json", "-")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small").mkdir()
    assert run("score", TABLE, *ROUNDS, "--model", "large", "small", "--json", "-") == wanted


def test_a_round_named_twice_is_told_in_one_line(run):
    for command in ("score", "bounds", "interchange"):
        args = ("--rounds", "first", "first", "--model", "large")
        code, _, err = run(command, TABLE, "--item", "patient", *args)
        assert code == 2 and "got first twice" in err and err.count("\n") == 1


def test_long_table_equals_wide(run, tmp_path):
    wide = pd.read_csv(TABLE)
    long = wide.melt(["patient"], ["first", "second", "large"], "who", "ef")
    path = tmp_path / "long.csv"
    long.to_csv(path, index=False)
    one = run("score", TABLE, *ROUNDS, "--model", "large", "--json", "-")[1]
    two = run(
        "score",
        path,
        "--item",
        "patient",
        "--rater",
        "who",
        "--value",
        "ef",
        "--model",
        "large",
        "--resamples",
        "200",
        "--json",
        "-",
    )[1]
    assert json.loads(one)["models"] == json.loads(two)["models"]


def test_strata_clusters_plot_items(run, tmp_path):
    frame = pd.read_csv(TABLE)
    frame["site"] = np.where(np.arange(len(frame)) % 2, "north", "south")
    frame["ward"] = np.arange(len(frame)) // 4
    frame.loc[3, "large"] = np.nan
    path, plot, items = tmp_path / "a table é.csv", tmp_path / "p.png", tmp_path / "i.csv"
    frame.to_csv(path, index=False)
    code, out, _ = run(
        "score",
        path,
        *ROUNDS,
        "--model",
        "large",
        "--model",
        "small",
        "--by",
        "site",
        "--cluster",
        "ward",
        "--plot",
        plot,
        "--items",
        items,
    )
    assert code == 0 and "site: north" in out and "no prediction for 1 of 200" in out
    assert (tmp_path / "p-north.png").read_bytes().startswith(b"\x89PNG")
    ranked = pd.read_csv(tmp_path / "i-north.csv")
    assert len(ranked) == 399 and "cluster" in ranked
    for _, part in ranked.groupby("model"):
        assert part["error"].abs().is_monotonic_decreasing


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((TABLE, *ROUNDS), "--model"),
        ((TABLE, *ROUNDS, "--model", "larg"), "did you mean 'large'"),
        ((TABLE, *ROUNDS, "--model", "first"), "one of the rounds"),
        ((TABLE, *ROUNDS, "--model", "large", "--model", "large"), "twice"),
        ((TABLE, *ROUNDS, "--model", "large", "--trained-on", "frist"), "did you mean 'first'"),
        ((TABLE, *ROUNDS, "--model", "large", "--margin", "0"), "margin"),
        ((TABLE, "--item", "patient", "--rounds", "first", "--model", "large"), "at least two"),
        ((TABLE, *ROUNDS, "--model", "large", "--kind", "picks"), "not a whole number"),
        (("missing.csv", "--model", "m"), "no file"),
        (("--model", "m"), "no input"),
        (("--example", "lidc-diameter", "--model", "m"), "its own models"),
        (("--example", "lidc-first"), "must be one of"),
        ((TABLE, "--example", "lidc-diameter"), "not both"),
    ],
)
def test_bad_options_are_one_line(run, args, words):
    code, out, err = run("score", *args)
    assert code == 2 and out == ""
    assert err.startswith("annostat: error: ") and err.count("\n") == 1
    assert words in err


def cells(third):
    """Return a small table whose model holds one bad cell."""
    rows = [f"i{k},{k},{k + 1},{2 * k}" for k in range(5)]
    return "\n".join(["id,a,b,m", *rows, f"z,1,2,{third}"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (cells("three"), "text"),
        (cells("inf"), "infinite"),
        ("id,a,b,m\nx,1,2,\ny,3,5,\n", "no prediction"),
        ("id,a,b,m\nx,1,2,1\ny,3,5,3\n", "a copy"),
        ("id,a,b,m\nx,1,,1\ny,,5,3\n", "two annotations"),
        ("id,a,b,m\nx,1,2,1\nx,3,4,5\n", "more than one row"),
        ("id,a,b,m\nx,1,2,1\n", "two items"),
    ],
)
def test_bad_tables_are_one_line(run, tmp_path, text, words):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    code, out, err = run("score", path, "--rounds", "a", "b", "--model", "m", "--kind", "values")
    assert code == 2 and out == ""
    assert err.startswith("annostat: error: ") and err.count("\n") == 1
    assert words in err


def test_held_out_readers_come_out_as_readers(run):
    """A reader scored as a model errs by one reader's noise; the mean of two by less."""
    data = json.loads(
        run("score", "--example", "lidc-diameter", "--resamples", "200", "--json", "-")[1]
    )
    assert "There is no model in these data" in data["notes"][0]
    floor = data["floors"]["rmse_floor"]["value"]
    one, two = (m["true_rmse"] for m in data["models"])
    assert one["low"] < floor < one["high"]
    assert two["low"] < floor / np.sqrt(2) < two["high"]
    # One nodule carries half of the difference: it is not shown, though it is there.
    assert data["comparisons"][0]["difference"]["value"] > 0
    jsonschema.validate(data, SCHEMA)


def test_plots(scores):
    figure = plot_scores(scores)
    assert [ax.get_title() for ax in figure.axes[:3]] == ["small", "large", "leaky"]
    ax = figure.axes[3]
    # The nearest to the truth first; what is below the floor has no rank and stands last.
    assert [t.get_text() for t in ax.get_yticklabels()] == ["large", "small", "leaky"]
    assert "RMSE (%)" in ax.get_xlabel()
    assert plot_rmse_floor(scores, ax=ax) is ax


def test_text_html_and_report(scores):
    text = str(scores)
    assert "small is above the floor" in text and "nan" not in text.lower()
    assert "large is at the floor within 2 %" in text
    assert "below the floor, which no model reaches by being right" in text
    page = make_report([scores])
    assert "small is above the floor" in page and page.count("<img") == 4
    assert scores.to_frame().shape[0] == 3 * 8


def test_report_scores_the_models_it_is_given(run, tmp_path):
    page = tmp_path / "page.html"
    code, out, _ = run("report", TABLE, *ROUNDS[:-2], "--unit", "%", "--model", "large", "-o", page)
    text = page.read_text(encoding="utf-8")
    assert code == 0 and "Wrote" in out and "Models against the truth" in text
    assert "large is not resolved" in text
