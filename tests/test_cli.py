"""The command line as a user meets it: output, JSON promise, one line for every bad input."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest

from annostat import NoiseModel

SCHEMA = Path(__file__).parent.parent / "docs" / "fit-afd.schema.json"
FAST = ["--core", "laplace", "--resamples", "19"]


@pytest.fixture
def table(tmp_path):
    law = NoiseModel("laplace", {"scale": 2.0}, "independent", 0.01, window=30)
    z = law.sample_errors((300, 2), rng=2) + 100
    frame = pd.DataFrame(
        {"clip": [f"c{i}" for i in range(300)], "first": z[:, 0], "second": z[:, 1]}
    )
    frame["phase"] = np.where(np.arange(300) % 2, "ED", "ES")
    frame["fps"] = 50.0
    frame["patient"] = np.arange(300) // 3
    path = tmp_path / "a table é.csv"
    frame.to_csv(path, index=False)
    return path


def test_several_cores_follow_one_option(run, table):
    args = ("--core", "laplace", "gaussian", "--resamples", "19", "--json", "-")
    code, out, _ = run("fit-afd", table, "--rounds", "first", "second", *args)
    names = {fit["core"] for fit in json.loads(out)["models"]}
    assert code == 0 and names == {"laplace", "gaussian"}


def test_json_keeps_its_promise(run, table, tmp_path):
    code, out, err = run("fit-afd", table, "--rounds", "first", "second", "--json", "-", *FAST)
    assert (code, err) == (0, "")
    data = json.loads(out)
    jsonschema.validate(data, json.loads(SCHEMA.read_text()))
    aics = [m["aic"] for m in data["models"]]
    assert aics == sorted(aics)
    assert set(data["headline"]["mae"]) == {
        "value",
        "standard_uncertainty",
        "low",
        "high",
        "level",
        "method",
        "unit",
        "note",
    }
    assert data["n_items"] == data["n_pairs"] == 300
    target = tmp_path / "fit.json"
    code, out, _ = run(
        "fit-afd", table, "--rounds", "first", "second", "--by", "phase", "--json", target, *FAST
    )
    assert code == 0
    strata = json.loads(target.read_text())["strata"]
    assert set(strata) == {"ED", "ES"}
    jsonschema.validate(strata["ED"], json.loads(SCHEMA.read_text()))


def test_same_seed_same_bytes(run, table):
    args = ("fit-afd", table, "--rounds", "first", "second", "--json", "-", "--seed", "3", *FAST)
    assert run(*args) == run(*args, "--n-jobs", "1")


def test_text_plot_items(run, table, tmp_path):
    plot, items = tmp_path / "p.png", tmp_path / "i.csv"
    code, out, _ = run(
        "fit-afd",
        table,
        "--rounds",
        "first",
        "second",
        "--fps",
        "fps",
        "--cluster",
        "patient",
        "--plot",
        plot,
        "--items",
        items,
        *FAST,
    )
    assert code == 0
    assert "two annotators differ by" in out and "ms" in out
    assert plot.read_bytes().startswith(b"\x89PNG")
    ranked = pd.read_csv(items)
    assert ranked["posterior"].is_monotonic_decreasing
    assert len(ranked) == 300


def test_long_table_equals_wide(run, table, tmp_path):
    wide = pd.read_csv(table)
    long = wide.melt(["clip"], ["first", "second"], "who", "frame")
    path = tmp_path / "long.tsv"
    long.to_csv(path, index=False, sep="\t")
    one = run("fit-afd", table, "--rounds", "first", "second", "--json", "-", *FAST)[1]
    two = run(
        "fit-afd",
        path,
        "--item",
        "clip",
        "--rater",
        "who",
        "--value",
        "frame",
        "--json",
        "-",
        *FAST,
    )[1]
    assert json.loads(one)["models"] == json.loads(two)["models"]


BAD = {
    "empty": (b"", "is empty"),
    "header only": (b"id,a,b\n", "no rows"),
    "binary": (b"\x00\x01\x02\x00", "binary"),
    "one round": (b"id,a\nx,1\ny,2\n", "two rounds"),
    "text": (b"id,a,b\nx,1,2\ny,three,4\n", "three"),
    "infinity": (b"id,a,b\nx,1,inf\ny,3,4\n", "infinite"),
    "fraction": (b"id,a,b\nx,1,2.5\ny,3,4\n", "not a whole number"),
    "duplicate": (b"id,a,b\nx,1,2\nx,3,4\n", "more than one row"),
    "no pair": (b"id,a,b\nx,1,\ny,,4\n", "two annotations"),
    "huge": (b"id,a,b\nx,1,10000001\ny,3,4\n", "differ by up to"),
    "latin": ("id,a,b\né,1,2\n".encode("latin-1"), "UTF-8"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line(run, tmp_path, name):
    content, words = BAD[name]
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    args = ("--rounds", "a", "b") if b",b" in content else ()
    code, out, err = run("fit-afd", path, *args, *FAST)
    assert code == 2
    assert out == ""
    assert err.startswith("annostat: error: ") and err.count("\n") == 1
    assert words in err


def test_bad_options_are_one_line(run, table, tmp_path):
    for args, words in (
        (("fit-afd", table, "--rounds", "first", "secnd"), "did you mean 'second'"),
        (("fit-afd", tmp_path / "missing.csv"), "no file"),
        (("fit-afd", tmp_path), "folder"),
        (("fit-afd",), "no input"),
        (("fit-afd", table, "--rounds", "first", "second", "--core", "laplase"), "laplace"),
        (("fit-afd", table, "--rounds", "first", "second", "--window", "x"), "--window"),
        (("fit-afd", table, "--rounds", "first", "second", "--level", "2"), "level"),
        (("plan", "--core", "laplace"), "--mae"),
    ):
        code, _, err = run(*args)
        assert code == 2, args
        assert words in err and err.count("\n") == 1


def test_small_answers(run, tmp_path):
    path = tmp_path / "small.csv"
    path.write_text("id,a,b\n" + "".join(f"i{k},5,5\n" for k in range(30)))
    code, out, _ = run("fit-afd", path, "--rounds", "a", "b", *FAST)
    assert code == 0 and "nan" not in out.lower()
    path.write_text("id,a,b\nx,10,50\n" + "".join(f"i{k},5,{5 + k % 3}\n" for k in range(60)))
    code, out, _ = run("fit-afd", path, "--rounds", "a", "b", "--window", "5", *FAST)
    assert code == 0 and "nan" not in out.lower()


def test_plan(run):
    code, out, _ = run("plan", "--core", "laplace", "--mae", "2", "--half-width", "0.05")
    assert code == 0
    assert "1,2" in out


def test_module_runs():
    out = subprocess.run(
        [sys.executable, "-m", "annostat", "--version"], check=True, capture_output=True, text=True
    )
    assert out.stdout.startswith("annostat, version")
