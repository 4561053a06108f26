"""The command, its files, the plot and the chapter of the report."""

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest

from annostat import simulate_masks
from annostat.cli import main
from annostat.interchange import interchange
from annostat.report import make_report

SCHEMA = json.loads(
    (Path(__file__).parent.parent / "docs" / "interchange.schema.json").read_text(encoding="utf-8")
)


def run(capsys, *args):
    main(["interchange", *map(str, args)])
    return capsys.readouterr().out


@pytest.fixture
def table(tmp_path):
    g = np.random.default_rng(1)
    truth = g.normal(55, 10, 90)
    frame = pd.DataFrame(truth[:, None] + g.normal(0, 4, (90, 3)), columns=["anna", "ben", "cleo"])
    frame.insert(0, "patient", [f"p{i:03d}" for i in range(90)])
    frame["net"] = truth + g.normal(0, 2, 90)
    frame["old"] = truth + g.normal(0, 9, 90)
    frame["site"] = np.where(np.arange(90) % 2, "north", "south")
    path = tmp_path / "ef.csv"
    frame.to_csv(path, index=False)
    return path


ROUNDS = ("--rounds", "anna", "ben", "cleo", "--item", "patient")


def test_the_screen_and_all_files(table, tmp_path, capsys):
    out = {name: tmp_path / f"out.{name}" for name in ("json", "svg", "csv", "html")}
    text = run(
        capsys,
        table,
        *ROUNDS,
        *("--model", "net", "--model", "old", "--margin", 1, "--unit", "points"),
        *("--json", out["json"], "--plot", out["svg"], "--items", out["csv"]),
        *("--report", out["html"]),
    )
    words = ["Read", "Answer", "Quote", "Checks", "model  ", "In the place of", "More"]
    places = [text.index(w) for w in words]
    assert places == sorted(places)
    flat = " ".join(text.split())
    assert "net is better than a reader like these" in flat and "old is worse" in flat
    data = json.loads(out["json"].read_text())
    jsonschema.validate(data, SCHEMA)
    assert data["read"]["models"] == ["net", "old"] and len(data["models"]) == 2
    svg = out["svg"].read_text()
    for words in (
        "a perfect model",
        "the margin",
        "better than a reader",
        "in one reader",
        "points",
    ):
        assert words in svg
    items = pd.read_csv(out["csv"])
    change = data["models"][0]["change"]["value"]
    assert items[items.model == "net"].change.mean() == pytest.approx(change)
    page = out["html"].read_text()
    assert "In an annotator" in page and "annostat interchange" in page and "<svg" not in page


def test_strata_and_a_file_of_predictions(table, tmp_path, capsys):
    frame = pd.read_csv(table)
    frame[["patient", "net"]].sample(frac=1, random_state=1).to_csv(tmp_path / "f.csv", index=False)
    frame.drop(columns=["net", "old"]).to_csv(tmp_path / "labels.csv", index=False)
    text = run(
        capsys,
        *(tmp_path / "labels.csv", *ROUNDS, "--predictions", tmp_path / "f.csv"),
        *("--by", "site", "--json", "-"),
    )
    data = json.loads(text)
    assert list(data["strata"]) == ["north", "south"]
    one = interchange(
        frame[frame.site == "north"][["anna", "ben", "cleo"]].to_numpy(),
        {"net": frame[frame.site == "north"]["net"].to_numpy()},
    )
    found = data["strata"]["north"]["models"][0]["change"]["value"]
    assert found == pytest.approx(one.models[0].change.value)


def test_categories_that_are_text(tmp_path, capsys):
    g = np.random.default_rng(3)
    kinds = np.array(["cyst", "tumour", "none"])
    truth = g.integers(0, 3, 120)
    z = np.where(g.random((120, 4)) < 0.3, g.integers(0, 3, (120, 4)), truth[:, None])
    frame = pd.DataFrame(kinds[z[:, :3]], columns=["a", "b", "c"])
    frame.iloc[0, 0] = None
    frame["net"] = kinds[z[:, 3]]
    frame.to_csv(tmp_path / "t.csv", index=False)
    text = run(
        capsys,
        *(tmp_path / "t.csv", "--rounds", "a", "b", "c", "--model", "net"),
        *("--distance", "differ", "--json", "-"),
    )
    data = json.loads(text)
    jsonschema.validate(data, SCHEMA)
    texts = interchange(
        frame[["a", "b", "c"]].to_numpy(dtype=object), {"net": frame["net"]}, distance="differ"
    )
    assert data["models"][0]["change"]["value"] == texts.models[0].change.value
    codes = z[:, :3].astype(float)
    codes[0, 0] = np.nan
    numbers = interchange(codes, {"net": z[:, 3]}, distance="differ")
    assert numbers.models[0].change == texts.models[0].change


def test_long_tables_take_text_too(tmp_path, capsys):
    g = np.random.default_rng(4)
    truth = g.integers(0, 2, 60)
    rows = [
        (f"i{i:02d}", who, "yes" if (truth[i] ^ (g.random() < 0.2)) else "no")
        for i in range(60)
        for who in ("a", "b", "net")
    ]
    pd.DataFrame(rows, columns=["item", "rater", "value"]).to_csv(tmp_path / "l.csv", index=False)
    text = run(
        capsys,
        *(tmp_path / "l.csv", "--item", "item", "--rater", "rater", "--value", "value"),
        *("--model", "net", "--distance", "differ"),
    )
    assert "percentage points" in text and "2 rounds (a, b), 1 model (net)" in text


@pytest.mark.parametrize("example", ["lidc", "lidc-diameter", "lidc-malignancy", "lidc-masks"])
def test_examples_hold_readers_out(capsys, example):
    data = json.loads(run(capsys, "--example", example, "--json", "-"))
    jsonschema.validate(data, SCHEMA)
    one = data["models"][0]
    assert one["name"] == "one reader" and one["change"]["low"] < 0 < one["change"]["high"]
    for model in data["models"][1:]:
        better = model["verdict"] == "better than a reader"
        assert better or (example == "lidc" and model["change"]["value"] < 0)


def test_folders_of_masks_as_in_masks(tmp_path, capsys):
    rounds, truth = simulate_masks(14, 3, noise_px=2.0, rng=1)
    whole = {"anna": rounds.values[0], "ben": rounds.values[1], "cleo": rounds.values[2]}
    np.savez(tmp_path / "masks.npz", **whole)
    np.savez(tmp_path / "net.npz", net=np.asarray(truth))
    text = run(
        capsys,
        *(tmp_path / "masks.npz", "--model", f"net={tmp_path / 'net.npz'}", "--distance", "1-iou"),
    )
    assert "net is better than a reader" in text and "change of 1 − IoU" in text
    named = replace(rounds, names=("anna", "ben", "cleo"))
    direct = interchange(named, {"net": truth}, distance="1-iou")
    assert direct.models[0].change.short() in text


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--example", "lidc", "--model", "x"), "leave out ROUNDS and --model"),
        (("TABLE", *ROUNDS), "no model"),
        (("TABLE", *ROUNDS, "--model", "net", "--distance", "1-dice"), "is for masks"),
        (("TABLE", *ROUNDS, "--model", "net", "--distance", "further"), "needs a threshold"),
        (("TABLE", *ROUNDS, "--model", "net", "--model", "net"), "named twice"),
        (("TABLE", "other.csv", "--model", "net"), "one table of ROUNDS"),
        (("TABLE", *ROUNDS, "--model", "net", "--trained-on", "x"), "trained_on must be one of"),
    ],
)
def test_mistakes_are_one_line(table, capsys, args, words):
    with pytest.raises(SystemExit) as stop:
        main(["interchange", *(str(table) if a == "TABLE" else a for a in args)])
    error = capsys.readouterr().err
    assert stop.value.code == 2 and words in error and error.count("\n") == 1


def test_a_chapter_says_the_answer_and_shows_the_plot():
    g = np.random.default_rng(2)
    truth = g.normal(0, 9, 70)
    found = interchange(
        truth[:, None] + g.normal(0, 3, (70, 4)), {"<net>": truth + g.normal(0, 2, 70)}, unit="mm"
    )
    page = make_report([found])
    assert "&lt;net&gt;" in page and "<net>" not in page
    for words in ("a perfect model", "alternative-annotator test", "Two readers differ by"):
        assert words in page


def test_words_are_put_in_place_without_a_distance(run, tmp_path):
    rng = np.random.default_rng(0)
    p = rng.beta(0.4, 0.4, 150)
    words = np.array(["benign", "malignant"])
    frame = pd.DataFrame({n: words[(rng.random(150) < p).astype(int)] for n in ("a", "b", "c")})
    frame["net"] = words[(p > 0.5).astype(int)]
    frame.to_csv(tmp_path / "t.csv", index=False)
    given = (tmp_path / "t.csv", "--rounds", "a", "b", "c", "--model", "net")
    alone = run("interchange", *given)
    assert alone == run("interchange", *given, "--distance", "differ") and alone[0] == 0
    assert "2 categories: benign, malignant." in " ".join(alone[1].split())
    code, out, _ = run("interchange", *given, "--order", "benign", "malignant", "--json", "-")
    assert code == 0 and json.loads(out)["distance"] == "linear"
