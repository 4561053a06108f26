"""`annostat interchange` on long tables of points and marks, and models of their own tables."""

import json
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest

from annostat import AnnostatError
from annostat.cli import main
from annostat.interchange import interchange
from annostat.labels import Points
from annostat.tables import read_findings, read_points

SCHEMA = json.loads(
    (Path(__file__).parent.parent / "docs" / "interchange.schema.json").read_text(encoding="utf-8")
)
WHERE = {"apex": (60, 20), "left": (30, 90), "right": (90, 90)}


@pytest.fixture
def run(capsys):
    def call(*args):
        main(["interchange", *map(str, args)])
        return capsys.readouterr().out

    return call


def landmarks(seed=1, n=60):
    g = np.random.default_rng(seed)
    rows = [
        (f"e{i:02d}", f"p{i // 2}", who, name, *(np.array(at) + g.normal(0, sd, 2)))
        for i in range(n)
        for who, sd in (("anna", 1.5), ("ben", 1.5), ("cleo", 1.5), ("net", 0.5))
        for name, at in WHERE.items()
    ]
    return pd.DataFrame(rows, columns=["image", "patient", "reader", "landmark", "x", "y"])


def boxes(seed=2, n=80):
    g = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        for m in range(3):
            for who in ("anna", "ben", "cleo", "net"):
                if g.random() < 0.8:
                    x, y, w, h = g.normal((100.0 * m, 50, 30, 30), 1)
                    rows.append((f"i{i:02d}", who, x, y, x + w, y + h))
    return pd.DataFrame(rows, columns=["image", "reader", "x1", "y1", "x2", "y2"])


def test_points_with_the_model_in_the_table(run, tmp_path):
    landmarks().to_csv(tmp_path / "t.csv", index=False)
    out = {name: tmp_path / f"out.{name}" for name in ("json", "svg", "csv", "html")}
    text = run(
        *(tmp_path / "t.csv", "--kind", "points", "--model", "net", "--unit", "mm"),
        *("--cluster", "patient", "--json", out["json"], "--plot", out["svg"]),
        *("--items", out["csv"], "--report", out["html"]),
    )
    assert "net is better than a reader like these" in text
    assert "change of the radial disagreement, mm" in text
    data = json.loads(out["json"].read_text())
    jsonschema.validate(data, SCHEMA)
    direct = interchange(read_points(landmarks(), models=["net"], cluster="patient", unit="mm"))
    assert data["models"][0]["change"] == direct.models[0].change.to_dict()
    assert data["n_clusters"] == 30 and all(p.exists() for p in out.values())
    assert pd.read_csv(out["csv"])["item"][0].count(", ") == 1


def test_each_landmark_and_all_of_them(run, tmp_path):
    landmarks().to_csv(tmp_path / "t.csv", index=False)
    found = run(
        *(tmp_path / "t.csv", "--kind", "points", "--model", "net", "--by", "landmark"),
        *("--distance", "further", "--than", 2, "--json", "-"),
    )
    strata = json.loads(found)["strata"]
    assert list(strata) == ["all landmarks", *WHERE]
    points = read_points(landmarks(), models=["net"])
    z = points.landmark("left").values[:, :, 0]
    d = np.sqrt(((z[:, :, None] - z[:, None]) ** 2).sum(axis=-1)) > 2
    among = np.mean([d[:, 0, 1], d[:, 0, 2], d[:, 1, 2]])
    of_model = d[:, :3, 3].mean()
    change = strata["left"]["models"][0]["change"]["value"]
    assert change == pytest.approx(of_model - among, abs=1e-12)
    whole = strata["all landmarks"]["models"][0]["change"]["value"]
    parts = [strata[m]["models"][0]["change"]["value"] for m in WHERE]
    assert whole == pytest.approx(np.mean(parts), abs=1e-12)


@pytest.mark.parametrize("named", [True, False])
def test_predictions_of_points_in_a_table_of_their_own(run, tmp_path, named):
    t = landmarks()
    t[t.reader != "net"].to_csv(tmp_path / "people.csv", index=False)
    own = t[t.reader == "net"].sample(frac=1, random_state=1).drop(columns="patient")
    own = own if named else own.drop(columns="reader")
    own.to_csv(tmp_path / "net.csv", index=False)
    found = run(
        *(tmp_path / "people.csv", "--kind", "points", "--predictions", tmp_path / "net.csv"),
        *("--json", "-"),
    )
    inside = interchange(read_points(t, models=["net"])).models[0]
    assert json.loads(found)["models"][0]["change"] == inside.change.to_dict()


def test_findings_in_one_table_and_in_two(run, tmp_path):
    t = boxes()
    t.to_csv(tmp_path / "t.csv", index=False)
    t[t.reader != "net"].to_csv(tmp_path / "people.csv", index=False)
    t[t.reader == "net"].drop(columns="reader").to_csv(tmp_path / "net.csv", index=False)
    pd.DataFrame({"image": [f"i{i:02d}" for i in range(80)]}).to_csv(
        tmp_path / "seen.csv", index=False
    )
    options = ("--kind", "findings", "--seen", tmp_path / "seen.csv", "--match", "iou 0.4")
    one = json.loads(run(tmp_path / "t.csv", *options, "--model", "net", "--json", "-"))
    jsonschema.validate(one, SCHEMA)
    two = run(
        *(tmp_path / "people.csv", *options, "--predictions", tmp_path / "net.csv"),
        *("--json", "-"),
    )
    assert one["models"][0]["change"] == json.loads(two)["models"][0]["change"]
    direct = interchange(
        read_findings(t, models=["net"], seen=tmp_path / "seen.csv"), match="iou 0.4"
    )
    assert one["models"][0]["change"] == direct.models[0].change.to_dict()
    assert one["provenance"]["options"]["match"] == "IoU ≥ 0.4"
    text = run(tmp_path / "t.csv", *options, "--model", "net", "--distance", "1-f1-image")
    assert "change of the mean 1 − F1 of an image" in text


@pytest.mark.parametrize("example", ["lidc-centres", "lidc-findings"])
def test_examples_hold_readers_out(run, example):
    data = json.loads(run("--example", example, "--json", "-"))
    jsonschema.validate(data, SCHEMA)
    one, *rest = data["models"]
    assert one["name"] == "one reader" and one["change"]["low"] < 0 < one["change"]["high"]
    for model in rest:
        assert model["verdict"] == "better than a reader"


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_one_coordinate_of_a_reader_is_enough_to_be_refused(axis):
    g = np.random.default_rng(3)
    truth = g.uniform(0, 100, (50, 1, 1, 3))
    points = Points.from_array(truth + g.normal(0, 1, (50, 3, 1, 3)))
    f = truth[:, 0] + g.normal(0, 1, (50, 1, 3))
    assert interchange(points, {"net": f}).models
    f[..., axis] = points.values[:, 1, :, axis]
    with pytest.raises(AnnostatError, match="equals rater_2"):
        interchange(points, {"net": f})
    f[..., axis] = points.values[:, :2, :, axis].mean(axis=1)
    with pytest.raises(AnnostatError, match="the mean of rater_1 and rater_2"):
        interchange(points, {"net": f})


def test_a_weighted_mean_of_readers_errs_with_them_and_biases_do_not_matter():
    g = np.random.default_rng(4)
    truth = g.uniform(0, 100, (90, 1, 2, 2))
    bias = g.normal(0, 2, (1, 3, 2, 2))
    points = Points.from_array(truth + bias + g.normal(0, 1, (90, 3, 2, 2)))
    leans = (points.values * np.array([0.5, 0.3, 0.2])[:, None, None]).sum(axis=1)
    with pytest.raises(AnnostatError, match="errs with the labels"):
        interchange(points, {"net": leans + g.normal(0, 0.05, leans.shape)})
    [check] = [
        c
        for c in interchange(points, {"net": truth[:, 0] + bias.mean(axis=1)}).checks
        if c.name == "contains_rounds"
    ]
    assert check.passed is True


def test_models_as_points_are_joined_by_item_and_landmark():
    t = landmarks()
    points = read_points(t, models=["net"])
    net = points.choose(["net"])
    people = points.without_models()
    turned = net.take(np.arange(len(net.values))[::-1])
    assert interchange(people, turned).models[0].change == interchange(points).models[0].change
    with pytest.raises(AnnostatError, match="no item of the predictions"):
        others = [f"x{i}" for i in range(60)]
        interchange(
            people,
            Points.from_array(net.values, names=["net"], items=others, landmarks=list(WHERE)),
        )
    with pytest.raises(AnnostatError, match="have the landmarks"):
        interchange(people.landmark("apex"), net.landmark("left"))
    with pytest.raises(AnnostatError, match="no model"):
        interchange(people)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("T", "--kind", "points"), "no model"),
        (("T", "--kind", "points", "--model", "x"), "'x'"),
        (("T", "--kind", "points", "--model", "net", "--match", "iou 0.5"), "--match is of"),
        (("T", "--kind", "points", "--model", "net", "--distance", "1-f1"), "is for findings"),
        (("T", "--kind", "points", "--model", "net", "--distance", "further"), "threshold"),
        (("T", "--kind", "points", "--model", "net", "--margin", "-1"), "margin"),
        (("T", "--kind", "points", "--predictions", "OTHER"), "no item of"),
        (("T", "--kind", "points", "--model", "net", "--predictions", "T"), "is there already"),
        (("T", "--kind", "points", "--predictions", "FLAT"), "FLAT' has no column y, which the"),
        (("T", "--kind", "findings", "--model", "net"), "must say how near"),
        (("T", "--landmark", "landmark", "--model", "net"), "--landmark is of points"),
        (("--example", "lidc-centres", "--kind", "findings"), "leave out --kind"),
        (("--example", "lidc-centres", "--model", "net"), "leave out ROUNDS and --model"),
        (("--example", "lidc-centres", "--by", "landmark"), "one landmark only"),
        (("B", "--kind", "findings", "--model", "net", "--margin", "3"), "share between 0 and 1"),
        (("B", "--kind", "findings", "--model", "net", "--match", "iou"), "match must be such as"),
    ],
)
def test_mistakes_are_one_line(tmp_path, capsys, args, words):
    landmarks().to_csv(tmp_path / "T", index=False)
    boxes().to_csv(tmp_path / "B", index=False)
    landmarks().query("reader == 'net'").assign(image="z", reader="n2").to_csv(
        tmp_path / "OTHER", index=False
    )
    landmarks().query("reader == 'net'").drop(columns=["y", "reader"]).to_csv(
        tmp_path / "FLAT", index=False
    )
    files = ("T", "B", "OTHER", "FLAT")
    with pytest.raises(SystemExit) as stop:
        main(["interchange", *(str(tmp_path / a) if a in files else a for a in args)])
    error = capsys.readouterr().err
    assert stop.value.code == 2 and words in error and error.count("\n") == 1, error


def test_one_cluster_has_no_verdict():
    t = landmarks().query("image == 'e00'")
    found = interchange(read_points(t, models=["net"]))
    assert found.models[0].standing.name == "not resolved"
    assert found.models[0].change.interval is None


def test_messages_name_the_item_and_the_readers():
    t = landmarks()
    t.loc[3, "x"] = np.nan
    with pytest.raises(AnnostatError, match="first: item 'e00', ben, apex"):
        read_points(t, models=["net"])
    with pytest.raises(AnnostatError, match=r"got 1 \(anna\)"):
        read_points(landmarks().query("reader in ['anna', 'net']"), models=["net"])
