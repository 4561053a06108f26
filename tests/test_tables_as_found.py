"""Tables as people have them: what is read is right, or one line says what is not."""

import io
import json
import os
import shlex
import subprocess
import sys
import threading
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from annostat import AnnostatError, AnnostatWarning, bounds, read_rounds, score_models
from annostat.cli import main
from annostat.tables import files
from annostat.tables.predictions import read_predictions

RNG = np.random.default_rng(7)
TRUTH = RNG.normal(60, 10, 30)
FRAME = pd.DataFrame(
    {
        "patient": [f"{i:03d}" for i in range(30)],
        "first": (TRUTH + RNG.normal(0, 4, 30)).round(1),
        "second": (TRUTH + RNG.normal(0, 4, 30)).round(1),
    }
)
NAMED = {"item": "patient", "rounds": ["first", "second"]}
FLOOR = bounds(read_rounds(FRAME), n_resamples=100).rmse_floor.value
LONG = FRAME.melt("patient", var_name="rater", value_name="value")


def floor(source, **options):
    return bounds(read_rounds(source, **options), n_resamples=100).rmse_floor.value


def written(path, frame=FRAME, **options):
    frame.to_csv(path, index=False, **options)
    return path


# What a column is


def test_index_that_pandas_writes_is_no_round(tmp_path):
    FRAME.to_csv(tmp_path / "indexed.csv")
    rounds = read_rounds(tmp_path / "indexed.csv")
    assert rounds.names == ("first", "second") and rounds.read.unused == ("Unnamed: 0",)
    assert bounds(rounds, n_resamples=100).rmse_floor.value == FLOOR


def test_rounds_beside_other_numbers_are_asked_for(run, tmp_path):
    table = written(tmp_path / "t.csv", FRAME.assign(small=FRAME["first"] + 1, big=2.5))
    code, out, err = run("bounds", table)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "--rounds first second" in err and "big (constant)" in err
    code, out, _ = run("bounds", table, "--rounds", "first", "second", "--resamples", "100")
    assert code == 0 and "Not used: small, big." in " ".join(out.split())


@pytest.mark.parametrize("other", ["age", "model", "fps", "patient_number", "exam_id"])
def test_numbers_beside_the_rounds_are_never_rounds(other):
    frame = FRAME.assign(**{other: RNG.integers(20, 90, 30)})
    rounds = read_rounds(frame)
    assert rounds.names == ("first", "second") and rounds.read.item in {("patient",), (other,)}


def test_raters_are_chosen_and_models_are_none_of_them(tmp_path):
    ai = LONG[LONG["rater"] == "first"].assign(rater="ai")
    table = written(tmp_path / "long.csv", pd.concat([LONG, ai]))
    with pytest.raises(AnnostatError, match=r"is ai a model\? .*rounds=\['first', 'second'\]"):
        read_rounds(table)
    assert len(read_rounds(table, rounds=["ai", "first", "second"]).names) == 3
    rounds = read_rounds(table, models=["ai"])
    assert rounds.names == ("first", "second", "ai") and rounds.read.models == ("ai",)
    with pytest.raises(AnnostatError, match=r"ai are models.*choose\(\['first', 'second'\]\)"):
        bounds(rounds)
    assert bounds(rounds.choose(["first", "second"])).rmse_floor.value == FLOOR
    with pytest.raises(AnnostatError, match="which columns are rounds"):
        read_rounds(FRAME[["patient", "first"]].assign(unet=FRAME["second"]))
    chosen = read_rounds(table, rounds=["first", "second"])
    assert chosen.names == ("first", "second")
    assert chosen.read.notes[-1] == "Raters not used: ai."
    assert bounds(chosen, n_resamples=100).rmse_floor.value == FLOOR


def test_columns_together_tell_items_apart():
    frame = pd.concat([FRAME.assign(phase=p) for p in ("ED", "ES")])
    with pytest.raises(AnnostatError, match="30 items stand in more than one row"):
        read_rounds(frame, **NAMED)
    both = read_rounds(frame, item=["patient", "phase"], rounds=["first", "second"])
    assert both.items[0] == "000:ED"
    by = read_rounds(frame, **NAMED, by="phase")
    assert list(by.items) == list(both.items) and "told apart" in by.read.notes[0]


# Names


@pytest.mark.parametrize("name", ["NA", "None", "null", "nan", "n/a"])
def test_na_may_be_a_name(tmp_path, name):
    raters = written(tmp_path / "long.csv", LONG.replace({"rater": {"second": name}}))
    assert name in read_rounds(raters).names and floor(raters) == FLOOR
    items = written(tmp_path / "wide.csv", FRAME.replace({"patient": {"003": name}}))
    assert name in read_rounds(items).items and floor(items) == FLOOR
    site = FRAME.assign(site=np.where(np.arange(30) % 2, name, "EU"))
    strata = read_rounds(written(tmp_path / "site.csv", site), **NAMED, by="site").strata()
    assert set(strata) == {name, "EU"}


def test_spaces_around_names_mean_nothing(tmp_path):
    half = LONG.copy()
    half.loc[::2, "patient"] += " "
    half.loc[::3, "rater"] += "  "
    assert floor(written(tmp_path / "long.csv", half)) == FLOOR
    spaced = FRAME.rename(columns=lambda c: f"{c} ")
    assert floor(written(tmp_path / "wide.csv", spaced), **NAMED) == FLOOR
    numbers = FRAME.assign(first=FRAME["first"].map("{} ".format))
    assert floor(written(tmp_path / "numbers.csv", numbers), **NAMED) == FLOOR


def test_names_that_are_alike_are_pointed_out_and_joined_when_told(tmp_path):
    some = (LONG["rater"] == "first") & (LONG.index % 2 == 0)
    frame = LONG.assign(rater=LONG["rater"].where(~some, "First"))
    with pytest.warns(AnnostatWarning, match="names of raters differ only by case"):
        assert read_rounds(frame).n_rounds == 3
    joined = read_rounds(frame, tidy_names=True)
    assert joined.n_rounds == 2 and "Taken as one" in joined.read.notes[-1]
    assert bounds(joined, n_resamples=100).rmse_floor.value == FLOOR


def test_leading_zeros_stay(tmp_path):
    assert read_rounds(written(tmp_path / "t.csv")).items[0] == "000"


# Files


@pytest.mark.parametrize(
    "make",
    [
        lambda p: written(p, encoding="utf-8-sig"),
        lambda p: written(p, encoding="utf-16"),
        lambda p: written(p, sep="\t"),
        lambda p: written(p, sep="|"),
        lambda p: written(p, sep=";"),
        lambda p: written(p, sep=";", decimal=","),
        lambda p: written(p, sep="\t", decimal=","),
        lambda p: written(p, sep="\t", encoding="utf-16"),
        lambda p: written(p, lineterminator="\r\n"),
        lambda p: written(p, lineterminator="\r"),
        lambda p: p.write_text("sep=;\n" + FRAME.to_csv(index=False, sep=";")) and p,
        lambda p: written(p.with_suffix(".csv.gz")),
        lambda p: written(p.with_suffix(".csv.zip")),
        lambda p: FRAME.to_excel(p.with_suffix(".xlsx"), index=False) or p.with_suffix(".xlsx"),
        lambda p: FRAME.to_parquet(p.with_suffix(".parquet")) or p.with_suffix(".parquet"),
    ],
)
def test_files_of_every_kind(tmp_path, make):
    path = make(tmp_path / "t.csv")
    rounds = read_rounds(path)
    assert rounds.read.source == path.name and rounds.items[1] == "001"
    assert bounds(rounds, n_resamples=100).rmse_floor.value == FLOOR


def test_workbooks_with_two_tables_are_refused(tmp_path):
    path = tmp_path / "book.xlsx"
    with pd.ExcelWriter(path) as book:
        FRAME.to_excel(book, sheet_name="May", index=False)
        pd.DataFrame().to_excel(book, sheet_name="empty")
    assert floor(path) == FLOOR
    with pd.ExcelWriter(path) as book:
        for month in ("May", "June"):
            FRAME.to_excel(book, sheet_name=month, index=False)
    with pytest.raises(AnnostatError, match=r"2 sheets with tables .May, June"):
        read_rounds(path)


def test_other_encodings_are_named(tmp_path):
    frame = FRAME.assign(patient="é" + FRAME["patient"])
    with pytest.raises(AnnostatError, match="not UTF-8 text; if it is of Windows"):
        read_rounds(written(tmp_path / "t.csv", frame, encoding="latin-1"))


def test_thousands_are_refused(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("patient;first;second\na;998;1.001\nb;1.200;999\nc;1.100;1.104\n")
    with pytest.raises(AnnostatError, match=r"is 1\.200 a thousand and more"):
        read_rounds(path)


@pytest.mark.parametrize("mark", [".", "-", "n.a.", "?"])
def test_markers_of_missing_numbers(run, tmp_path, mark):
    frame = FRAME.astype({"second": object})
    frame.loc[3, "second"] = mark
    table = written(tmp_path / "t.csv", frame)
    code, _, err = run("bounds", table, "--rounds", "first", "second")
    assert code == 2 and f"003: {mark!r}" in err and f"--missing {shlex.quote(mark)}" in err
    rounds = read_rounds(table, **NAMED, missing=[mark])
    assert np.isnan(rounds.values[3, 1]) and rounds.n_items == 29


@pytest.mark.parametrize("mark", ["NA", "#N/A", "#DIV/0!", "NULL", ""])
def test_usual_markers_need_no_telling(tmp_path, mark):
    frame = FRAME.astype({"second": object})
    frame.loc[3, "second"] = mark
    assert read_rounds(written(tmp_path / "t.csv", frame)).n_items == 29


def test_infinities_are_refused(tmp_path):
    frame = FRAME.assign(second=FRAME["second"].where(FRAME.index != 3, np.inf))
    with pytest.raises(AnnostatError, match="infinite value; first: item '003'"):
        read_rounds(written(tmp_path / "t.csv", frame))


def test_stray_quotes_swallow_no_rows(tmp_path):
    lines = FRAME.to_csv(index=False).splitlines()
    lines[4], lines[9] = '"' + lines[4], lines[9].replace(",", '",', 1)
    (tmp_path / "t.csv").write_text("\n".join(lines))
    with pytest.raises(AnnostatError, match="quotation mark is not closed"):
        read_rounds(tmp_path / "t.csv")


# Pipes


@pytest.mark.parametrize(
    "how",
    [
        "{0} -m annostat bounds - < {1}",
        "cat {1} | {0} -m annostat bounds /dev/stdin",
        "{0} -m annostat bounds <(cat {1})",
    ],
)
def test_pipes_are_read_whole(tmp_path, how):
    n = 20_000  # more than a pipe holds
    frame = pd.DataFrame({"clip": np.arange(n), "first": np.arange(n) % 97, "second": 50})
    table = written(tmp_path / "big.csv", frame)
    command = how.format(sys.executable, table) + " --json - --resamples 100"
    done = subprocess.run(["bash", "-c", command], capture_output=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout)["n_items"] == n


def test_pipe_that_nobody_writes_to(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "PATIENCE", 0.1)
    os.mkfifo(tmp_path / "f.csv")
    with pytest.raises(AnnostatError, match="nobody writes to the pipe"):
        read_rounds(tmp_path / "f.csv")


def test_pipe_that_somebody_writes_to(tmp_path):
    pipe = tmp_path / "f.csv"
    os.mkfifo(pipe)
    writer = threading.Thread(target=written, args=(pipe,))
    writer.start()
    assert floor(pipe) == FLOOR
    writer.join()


# Edges


def test_many_columns_are_one_line(tmp_path):
    names = [f"x{i}" for i in range(100_000)]
    path = tmp_path / "t.csv"
    path.write_text(",".join(["clip", "first", "second", *names]) + "\na,1,2" + ",1" * 100_000)
    with pytest.raises(AnnostatError, match="100,003 columns, of which at most 20,000"):
        read_rounds(path)


def test_long_header_is_read_whole(tmp_path):
    more = pd.DataFrame(1, index=FRAME.index, columns=[f"long_{i:0500d}" for i in range(300)])
    wide = pd.concat([FRAME, more], axis=1)
    assert floor(written(tmp_path / "t.csv", wide), **NAMED) == FLOOR


def test_long_names_are_cut_in_messages(tmp_path):
    frame = FRAME.assign(patient=FRAME["patient"].where(FRAME.index > 0, "x" * 20_000))
    assert floor(written(tmp_path / "t.csv", frame)) == FLOOR
    broken = frame.assign(second=["y" * 20_000, *FRAME["second"][1:]])
    with pytest.raises(AnnostatError) as told:
        read_rounds(written(tmp_path / "t.csv", broken), **NAMED)
    assert len(str(told.value)) < 500


@pytest.mark.parametrize("as_text", [False, True])
def test_whole_numbers_that_are_not_exact(as_text):
    big = FRAME.assign(first=2**62 + np.arange(30), second=2**62)
    with pytest.raises(AnnostatError, match=r"whole numbers of 2\^53 or more in 30 rows"):
        read_rounds(big.astype({"first": str}) if as_text else big)


def test_numbers_without_squares():
    huge = FRAME.assign(first=FRAME["first"] * 1e306)
    with pytest.raises(AnnostatError, match="cannot be squared"):
        bounds(read_rounds(huge))
    rounds = read_rounds(FRAME)
    with pytest.raises(AnnostatError, match="cannot be squared"):
        score_models(rounds, {"m": FRAME["first"] * 1e306})
    with pytest.raises(AnnostatError, match="margin must be in"):
        score_models(rounds, {"m": TRUTH}, margin=1e308)
    with pytest.raises(AnnostatError, match="sd_of_labels must be in"):
        bounds(rounds, n_resamples=100).at(sd_of_labels=1e308)


def test_bytes_are_no_names(run, tmp_path):
    path = tmp_path / "t.parquet"
    FRAME.assign(patient=[b"\xff%d" % i for i in range(30)]).to_parquet(path)
    for command in (
        ("bounds", path, "--item", "patient"),
        ("bounds", path),
        ("concentration", path, "--column", "first", "--item", "patient"),
    ):
        code, _, err = run(*command)
        assert (code, err.count("\n")) == (2, 1), err


def test_item_of_no_name_is_one_line(run, tmp_path):
    table = written(tmp_path / "t.csv")
    for command in (("concentration", table, "--column", "first"), ("bounds", table)):
        code, _, err = run(*command, "--item", "")
        assert (code, err.count("\n")) == (2, 1) and "no column ''" in err


# Streamed tables


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_items_that_stand_twice_in_a_streamed_table(tmp_path, suffix):
    frame = FRAME.round().astype({"first": int, "second": int})
    twice = pd.concat([frame, frame.iloc[[4, 7]]])
    path = tmp_path / f"t{suffix}"
    write = {
        ".csv": lambda f: f.to_csv(path, index=False),
        ".parquet": lambda f: f.to_parquet(path),
    }
    for options in (NAMED, {"rounds": ["first", "second"]}):
        write[suffix](frame)
        assert read_rounds(path, **options, collapse=True).n_items == 30
        write[suffix](twice)
        with pytest.raises(AnnostatError, match="2 items stand in more than one row"):
            read_rounds(path, **options, collapse=True)
    write[suffix](pd.concat([frame.assign(phase=p) for p in ("ED", "ES")]))
    assert read_rounds(path, **NAMED, by="phase", collapse=True).n_items == 60


# Predictions, strata, frames


def test_predictions_are_joined_by_item(tmp_path, run):
    models = FRAME[["patient"]].assign(large=TRUTH, grade=np.arange(30) % 3, note="x")
    path = written(tmp_path / "models.csv", models.sample(frac=1, random_state=0).iloc[:-2])
    with open(path, "a") as file:
        file.write("zz,1,2,x\n")
    found, words = read_predictions(path, read_rounds(FRAME))
    assert set(found) == {"large", "grade"}
    np.testing.assert_allclose(
        found["large"][~np.isnan(found["large"])], TRUTH[~np.isnan(found["large"])]
    )
    assert "28 of 30 items" in words and "1 of its items have no labels: zz" in words
    assert words.endswith("not used: note")
    code, out, err = run(
        "score", written(tmp_path / "t.csv"), "--predictions", path, "--resamples", "50"
    )
    assert code == 0 and "2 models (large, grade)" in " ".join(out.split()) and "28 of 30" in err


def test_stratum_of_one_item_does_not_stop_the_others(run, tmp_path):
    site = FRAME.assign(site=["A"] * 15 + ["B"] * 14 + ["C"], model=TRUTH)
    table = written(tmp_path / "t.csv", site)
    common = ("--rounds", "first", "second", "--by", "site")
    for command in (
        ("bounds", table, "--resamples", "100"),
        ("score", table, "--model", "model", "--resamples", "50"),
    ):
        code, out, err = run(*command, *common)
        assert code == 0 and "== site: B ==" in out and "site C is left out" in err
    gap = site.assign(second=site["second"].where(site["site"] != "B"))
    code, out, err = run("bounds", written(table, gap), "--resamples", "100", *common)
    assert code == 0 and "== site: A ==" in out and "site B is left out" in err


def test_strata_with_alike_names_have_files_of_their_own(run, tmp_path):
    views = FRAME.assign(view=np.repeat(["2 CH", "2_CH", "2/ch"], 10))
    table = written(tmp_path / "t.csv", views)
    code, _, err = run(
        "bounds",
        table,
        "--rounds",
        "first",
        "second",
        "--by",
        "view",
        "--resamples",
        "100",
        "--plot",
        tmp_path / "p.svg",
    )
    assert code == 0, err
    assert len(list(tmp_path.glob("p*.svg"))) == 3


@pytest.mark.parametrize(
    "make",
    [
        lambda t: t.convert_dtypes(),
        lambda t: t.convert_dtypes(dtype_backend="pyarrow"),
        lambda t: t.assign(patient=t["patient"].astype("category")),
        lambda t: t.assign(first=t["first"].astype("category")),
        lambda t: t.assign(first=t["first"].astype(str)),
        lambda t: t.assign(first=[Decimal(str(v)) for v in t["first"]]),
        lambda t: t.assign(first=pd.arrays.SparseArray(t["first"])),
        lambda t: t.set_index("patient"),
        lambda t: t.assign(visit=1).set_index(["patient", "visit"]),
        lambda t: {c: list(t[c]) for c in t},
        lambda t: t.to_records(index=False),
        lambda t: pytest.importorskip("pyarrow").Table.from_pandas(t),
        lambda t: pytest.importorskip("polars").from_pandas(t),
    ],
)
def test_frames_of_every_kind(make):
    assert floor(make(FRAME), **NAMED) == pytest.approx(FLOOR, rel=1e-12)


def test_arrays_and_times_are_told_what_to_do():
    with pytest.raises(AnnostatError, match=r"Rounds\.from_array"):
        read_rounds(FRAME[["first", "second"]].to_numpy())
    with pytest.raises(AnnostatError, match="must hold numbers, but holds timedelta64"):
        read_rounds(FRAME.assign(first=pd.to_timedelta(FRAME["first"], unit="s")), **NAMED)


# Numbers that are none


@pytest.mark.parametrize("code", ["-999", "999", "-1"])
def test_codes_for_nothing_are_pointed_out_and_left_out_if_named(run, tmp_path, code):
    frame = FRAME.copy()
    frame.loc[[3, 7], "second"] = float(code)
    table = written(tmp_path / "t.csv", frame)
    code_, out, _ = run("bounds", table, "--resamples", "100", "--json", "-")
    (note,) = json.loads(out)["read"]["notes"]
    assert code_ == 0
    assert note.startswith(f"{code} stands 2 times in second") and f"--missing {code}." in note
    code_, out, _ = run("bounds", table, "--missing", code, "--resamples", "100", "--json", "-")
    read = json.loads(out)["read"]
    assert code_ == 0 and read["notes"] == []
    assert read["left_out"] == {"with fewer than two annotations": 2}


def test_codes_among_the_other_numbers_are_numbers(tmp_path):
    frame = FRAME.assign(first=FRAME["first"] - 60, second=FRAME["second"] - 60)
    frame.loc[0, "first"] = -9.0
    assert read_rounds(written(tmp_path / "t.csv", frame)).read.notes == ()


def test_codes_are_left_out_of_streamed_picks(tmp_path):
    frame = pd.DataFrame({"a": [10, 20, 999, 30], "b": [11, 20, 25, 29]})
    table = written(tmp_path / "t.csv", frame)
    options = {"rounds": ["a", "b"], "missing": ["999"]}
    streamed = read_rounds(table, collapse=True, **options)
    assert streamed.n_items == read_rounds(table, **options).n_items == 3


def test_markers_of_several_columns_are_told_at_once(run, tmp_path):
    frame = FRAME.astype(object)
    frame.loc[3, "first"], frame.loc[4, "second"] = "?", "--"
    table = written(tmp_path / "t.csv", frame)
    code, _, err = run("bounds", table, "--rounds", "first", "second")
    assert code == 2 and "first: 003: '?'" in err and "--missing '?' --" in err


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch):
    table = written(tmp_path / "t.csv")
    read = pd.read_csv

    def slowly(*args, **options):
        with table.open("a") as stream:
            stream.write("099,1,2\n")
        return read(*args, **options)

    monkeypatch.setattr(pd, "read_csv", slowly)
    with pytest.raises(AnnostatError, match=r"t\.csv was written while it was read"):
        read_rounds(table)


# Predictions in a file of their own, some of them


def test_models_are_chosen_among_the_columns_of_a_file(run, tmp_path):
    table = written(tmp_path / "t.csv")
    other = FRAME[["patient"]].assign(AI=TRUTH, old=TRUTH + 3, age=50.0)
    file = written(tmp_path / "p.csv", other)
    code, out, err = run(
        "score", table, "--predictions", file, "--model", "old", "--resamples", "50", "--json", "-"
    )
    assert code == 0 and "not used: AI, age" in err
    assert json.loads(out)["read"]["models"] == ["old"]
    code, _, err = run("score", table, "--predictions", file, "--model", "odl")
    assert code == 2 and "there is no column 'odl'" in err


def test_a_model_in_both_tables_is_asked_for(run, tmp_path):
    table = written(tmp_path / "t.csv", FRAME.assign(AI=TRUTH))
    file = written(tmp_path / "p.csv", FRAME[["patient"]].assign(AI=TRUTH + 1))
    for more in ([], ["--model", "AI"]):
        code, _, err = run(
            "score", table, "--rounds", "first", "second", "--predictions", file, *more
        )
        assert code == 2 and "AI stands in the table of the labels and in" in err


def test_values_taken_for_errors_are_pointed_out(run, tmp_path):
    table = written(tmp_path / "t.csv", FRAME.assign(error=FRAME["first"] - TRUTH))
    for column, said in (("first", True), ("error", False)):
        code, out, _ = run(
            "concentration", table, "--column", column, "--noise", "gaussian", "--resamples", "50"
        )
        assert code == 0 and ("far from 0" in " ".join(out.split())) is said


# What was read


def test_what_was_read_stands_in_json(run, tmp_path):
    table = written(tmp_path / "t.csv", FRAME.assign(age=50, model=TRUTH))
    gone = tmp_path / "gone.csv"
    gone.write_text("item\n001\n002\nnobody\n")
    code, out, err = run(
        "score", table, "--model", "model", "--exclude", gone, "--resamples", "50", "--json", "-"
    )
    assert code == 0 and "1 names of" in err
    read = json.loads(out)["read"]
    assert read == {
        "source": "t.csv",
        "n_rows": 30,
        "item": ["patient"],
        "rounds": ["first", "second"],
        "models": ["model"],
        "cluster": None,
        "n_clusters": None,
        "stratum": None,
        "unused": ["age"],
        "left_out": {"excluded": 2},
        "notes": [],
    }
    gone.write_text("item\nnobody\n")
    code, _, err = run("bounds", table, "--rounds", "first", "second", "--exclude", gone)
    assert code == 2 and "names no item of the table" in err


def test_items_left_out_are_said(run, tmp_path):
    table = written(tmp_path / "t.csv", FRAME.assign(second=FRAME["second"].where(FRAME.index > 3)))
    code, out, _ = run("bounds", table, "--resamples", "100")
    assert code == 0 and "Left out: 4 with fewer than two annotations." in " ".join(out.split())


def test_concentration_says_what_was_read(run, tmp_path):
    errors = FRAME.assign(ours=TRUTH - FRAME["first"], visit=1, theirs=1.0)
    table = written(tmp_path / "t.csv", errors)
    code, out, _ = run(
        "concentration",
        table,
        "--column",
        "ours",
        "--noise",
        "laplace",
        "--item",
        "patient",
        "visit",
        "--resamples",
        "99",
    )
    assert code == 0
    assert " ".join(out.split()).startswith(
        "Read t.csv: 30 items (patient, visit), 1 model (ours). Not used: first, second, theirs."
    )


def test_text_tables_in_memory_are_no_paths():
    with pytest.raises(AnnostatError, match="source must be a path"):
        read_rounds(io.StringIO("a,b\n1,2\n"))


@pytest.mark.parametrize("spoiled", [lambda i: str(int(i)), lambda i: f"{i}.avi"])
def test_predictions_whose_items_are_written_otherwise_are_told_how(tmp_path, spoiled):
    rounds = read_rounds(FRAME, **NAMED)
    table = pd.DataFrame({"patient": [spoiled(i) for i in FRAME["patient"]]})
    path = written(tmp_path / "net.csv", table.assign(net=np.arange(len(table)) + 0.5))
    with pytest.raises(AnnostatError, match="without leading zeros and endings"):
        read_predictions(path, rounds)


def test_markers_may_begin_with_a_minus(tmp_path, capsys):
    text = "id,a,b\n1,10,12\n2,-999,31\n3,20,22\n4,41,40\n5,-,12\n6,30,33\n7,12,15\n"
    (tmp_path / "t.csv").write_text(text)
    args = ["--rounds", "a", "b", "--missing", "-999", "-", "--resamples", "100"]
    main(["bounds", str(tmp_path / "t.csv"), *args])
    assert "Left out: 2 with fewer than two" in capsys.readouterr().out


def test_a_report_takes_predictions_in_a_file_of_their_own(tmp_path, capsys):
    table = written(tmp_path / "t.csv")
    net = FRAME[["patient"]].assign(net=FRAME["first"] + 0.5)
    args = ["--rounds", "first", "second", "--predictions", str(written(tmp_path / "n.csv", net))]
    main(["report", str(table), *args, "--unit", "%", "-o", str(tmp_path / "page.html")])
    assert "Wrote" in capsys.readouterr().out
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Models against the truth" in page


def test_predictions_come_through_a_pipe_too(run, tmp_path):
    """Which models a file has is looked at before the labels are read: a pipe is read once."""
    table = written(tmp_path / "t.csv")
    text = FRAME[["patient"]].assign(AI=TRUTH, old=TRUTH + 3).to_csv(index=False)
    pipe = tmp_path / "p.csv"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(text,), daemon=True)
    writer.start()
    code, out, _ = run(
        "score", table, "--predictions", pipe, "--model", "AI", "--resamples", "50", "--json", "-"
    )
    writer.join(5)
    assert code == 0 and json.loads(out)["read"]["models"] == ["AI"]
