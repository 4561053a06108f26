"""Categories at the command line: bounds, score, report; published numbers; bad input."""

import io
import json
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest

DOCS = Path(__file__).parent.parent / "docs"
RNG = np.random.default_rng(11)
P = RNG.beta(0.4, 0.4, 120)
WORDS = np.array(["no", "yes"], dtype=object)


def labelled(k=3):
    return pd.DataFrame(
        {
            "clip": [f"c{i:03d}" for i in range(120)],
            **{f"reader_{j}": WORDS[(RNG.random(120) < P).astype(int)] for j in range(k)},
            "net": WORDS[(P > 0.5).astype(int)],
            "p": P.round(4),
            "site": np.where(np.arange(120) < 60, "a", "b"),
        }
    )


FRAME = labelled()


@pytest.fixture
def table(tmp_path):
    FRAME.to_csv(tmp_path / "labels.csv", index=False)
    return tmp_path / "labels.csv"


READERS = ("--rounds", "reader_0", "reader_1", "reader_2")


def test_bounds_of_categories_in_text_json_and_picture(run, table, tmp_path):
    code, out, err = run(
        "bounds", table, "--kind", "categories", *READERS, "--plot", tmp_path / "b.svg"
    )
    assert (code, err) == (0, "")
    flat = " ".join(out.split())
    assert "2 categories: no, yes." in flat and "Answer Against one annotator, the best" in flat
    assert (tmp_path / "b.svg").stat().st_size > 1000
    code, out, _ = run("bounds", table, "--kind", "categories", *READERS, "--json", "-")
    found = json.loads(out)
    jsonschema.validate(found, json.loads((DOCS / "bounds-categories.schema.json").read_text()))
    assert {c["metric"] for c in found["ceilings"]} >= {"f1", "accuracy", "kappa", "brier"}


def test_text_that_may_be_something_else_is_asked_about(run, tmp_path):
    frame = FRAME.assign(reader_0=["1", *FRAME["reader_0"][1:]])
    frame.to_csv(tmp_path / "t.csv", index=False)
    code, out, err = run("bounds", tmp_path / "t.csv", *READERS)
    assert (code, out) == (2, "") and "'reader_1' holds text in 120 rows" in err


def test_strata_and_order(run, table):
    code, out, _ = run("bounds", table, "--kind", "categories", *READERS, "--by", "site")
    assert code == 0 and "== site: a ==" in out and "== site: b ==" in out
    code, out, _ = run("bounds", table, *READERS, "--order", "yes", "no")
    assert code == 0 and "2 grades, in this order: yes, no." in " ".join(out.split())
    code, _, err = run("bounds", table, *READERS, "--order", "yes", "maybe")
    assert code == 2 and "order must name every class, and misses no" in err


def test_counts_of_a_crowd(run, tmp_path):
    counts = pd.DataFrame({"image": range(40), "cat": RNG.binomial(9, RNG.beta(0.5, 0.5, 40))})
    counts["dog"] = 9 - counts["cat"]
    counts.to_csv(tmp_path / "counts.csv", index=False)
    code, out, _ = run("bounds", tmp_path / "counts.csv", "--counts", "--rounds", "cat", "dog")
    assert code == 0 and "Columns are classes" in " ".join(out.split())


def test_examples(run):
    code, out, _ = run("bounds", "--example", "lidc-malignancy", "--positive", "4,5")
    assert code == 0 and "to 0.685 and an accuracy of 0.732 to 0.766" in " ".join(out.split())
    code, _, err = run("score", "--example", "lidc-malignancy", "--resamples", "50")
    assert code == 2 and "no model" in err


def test_published_numbers(run):
    code, out, _ = run("bounds", "--kappa", "0.61", "--n", "400")
    assert code == 0 and "Ceiling of κ 0.527 to 0.826" in " ".join(out.split())
    code, out, _ = run("bounds", "--agreement", "0.72", "--classes", "3", "--json", "-")
    assert json.loads(out)["ceilings"][0]["bracket"]["high"] == pytest.approx(0.841, abs=1e-3)
    code, _, err = run("bounds", "--kappa", "0.61", "--plot", "x.png")
    assert code == 2 and "--plot needs labels" in err


def test_score_of_hard_labels_and_probabilities(run, table):
    code, out, err = run(
        "score",
        table,
        "--kind",
        "categories",
        *READERS,
        "--model",
        "net",
        "--proba",
        "soft=p",
    )
    assert (code, err) == (0, "")
    flat = " ".join(out.split())
    assert "net is below" not in flat and "net is beyond" not in flat  # it knows the truth
    assert "Probabilities" in flat
    code, out, _ = run(
        "score", table, "--kind", "categories", *READERS, "--model", "net", "--json", "-"
    )
    found = json.loads(out)
    jsonschema.validate(found, json.loads((DOCS / "score-categories.schema.json").read_text()))
    code, _, err = run("score", table, "--kind", "categories", *READERS)
    assert code == 2 and "--proba" in err
    code, _, err = run("score", table, "--kind", "categories", *READERS, "--proba", "soft=q")
    assert code == 2 and "there is no column 'q'" in err


def test_report_has_both_chapters(run, table, tmp_path):
    code, out, _ = run(
        "report",
        table,
        "--kind",
        "categories",
        *READERS,
        "--model",
        "net",
        "-o",
        tmp_path / "page.html",
    )
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert code == 0 and "Wrote" in out and "How good the models look" in page
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "labels.csv: 120 items (clip)" in page  # what was read
    assert "the best possible model has" in page and "image/svg+xml" in page


def test_a_class_that_only_the_model_uses_is_no_class_of_the_annotators(run, tmp_path):
    frame = FRAME.copy()
    frame.loc[:5, "net"] = "maybe"
    frame.to_csv(tmp_path / "t.csv", index=False)
    base = (tmp_path / "t.csv", "--kind", "categories", *READERS, "--model", "net")
    code, out, _ = run("score", *base)
    flat = " ".join(out.split())
    assert code == 0 and "net gives 6 of 120 items a class that no annotator uses" in flat
    assert "F1 of yes" in flat and "rare class" not in flat
    code, out, _ = run("concentration", *base, "--resamples", "19")
    assert code == 0 and "of the disagreement" in " ".join(out.split())


def test_probabilities_that_cannot_be_are_refused_with_the_item(run, tmp_path):
    frame = FRAME.assign(percent=FRAME["p"] * 100, no=0.5, yes=0.6, gap=FRAME["p"])
    frame.loc[4, "gap"] = np.nan
    frame.to_csv(tmp_path / "t.csv", index=False)
    base = ("score", tmp_path / "t.csv", "--kind", "categories", *READERS, "--proba")
    for proba, told in (
        ("m=percent", "divide percentages by 100"),
        ("m=gap", "item 'c004' has none (1 in all)"),
        ("m=no,yes", "those of item 'c000' sum to 1.1"),
        ("m=no,yes,gap", "expected (120, 2)"),
    ):
        code, out, err = run(*base, proba)
        assert (code, out) == (2, "") and told in err, err


def test_the_second_class_does_not_depend_on_case(run, tmp_path):
    frame = FRAME.copy()
    frame["reader_0"] = frame["reader_0"].replace({"yes": " Yes"})
    frame.loc[3, "reader_1"] = "NO "
    frame.to_csv(tmp_path / "t.csv", index=False)
    code, out, _ = run(
        "bounds", tmp_path / "t.csv", "--kind", "categories", *READERS, "--tidy-names"
    )
    assert code == 0 and "an F1 of Yes" in " ".join(out.split())


def test_pictures_of_scores_and_bounds(run, table, tmp_path):
    base = (table, "--kind", "categories", *READERS)
    code, _, err = run("bounds", *base, "--plot", tmp_path / "b.svg")
    assert (code, err) == (0, "")
    assert "chance that an annotator says yes" in (tmp_path / "b.svg").read_text()
    code, _, err = run(
        "score", *base, "--model", "net", "--proba", "soft=p", "--plot", tmp_path / "s.svg"
    )
    assert (code, err) == (0, "")
    assert "share of annotators who say it" in (tmp_path / "s.svg").read_text()


ROWS = [("yes", "no"), ("no", "no"), ("yes", "yes"), ("no", "yes"), ("yes", "yes")] * 8


@pytest.mark.parametrize(
    ("suffix", "given"),
    [(".csv", ()), (".csv", ("--rounds", "anna", "ben")), (".parquet", ()), (".xlsx", ())],
)
def test_words_are_taken_for_categories_and_said_to_be(run, tmp_path, suffix, given):
    table = pd.DataFrame(ROWS, columns=["anna", "ben"]).assign(clip=[f"c{i}" for i in range(40)])
    path = tmp_path / f"t{suffix}"
    if suffix == ".xlsx":
        table.to_excel(path, index=False)
    elif suffix == ".parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False)
    code, out, err = run("bounds", path, *given)
    assert code == 0, err
    assert "2 categories: no, yes" in " ".join(out.split())


@pytest.mark.parametrize(
    "cells",
    [
        ["1.5", "2.5"] * 20,  # numbers
        ["12,5", "13,5"] * 20,  # numbers as somebody writes them
        ["50 %", "60 %"] * 20,
        ["yes", "1"] * 20,  # words and numbers
        [f"note {i}" for i in range(40)],  # every cell another
    ],
)
def test_what_may_be_numbers_is_no_category_without_a_word(tmp_path, cells):
    from annostat.tables.peek import holds_words

    path = tmp_path / "t.csv"
    pd.DataFrame({"clip": range(40), "a": cells, "b": cells}).to_csv(path, index=False, sep=";")
    assert not holds_words(path, rounds=["a", "b"])
    assert not holds_words(path)
    assert not holds_words(tmp_path / "none.csv", rounds=["a", "b"])


def test_words_that_are_nearly_the_same_in_all_columns_need_no_names(run, tmp_path):
    frame = pd.DataFrame(ROWS, columns=["anna", "ben"]).assign(cleo=["yes"] * 39 + ["unsure"])
    frame.loc[0, "anna"] = "unsure"
    frame.to_csv(tmp_path / "t.csv", index=False)
    code, out, _ = run("bounds", tmp_path / "t.csv")
    assert code == 0 and "3 rounds (anna, ben, cleo). 3 categories" in " ".join(out.split())
    frame.assign(scanner=["GE", "Siemens"] * 20).to_csv(tmp_path / "t.csv", index=False)
    code, _, err = run("bounds", tmp_path / "t.csv")
    assert code == 2 and "which columns are rounds of annotation?" in err
    frame.assign(anna="yes", ben="yes", cleo="yes").to_csv(tmp_path / "t.csv", index=False)
    code, _, err = run("bounds", tmp_path / "t.csv")
    assert code == 2 and "all labels are of one class" in err


def test_counts_need_no_names_either(run, tmp_path):
    counts = pd.DataFrame(RNG.multinomial(9, [0.5, 0.3, 0.2], 50), columns=["cat", "dog", "ship"])
    counts.assign(image=range(50), year=2020).to_csv(tmp_path / "c.csv", index=False)
    code, out, err = run("bounds", tmp_path / "c.csv", "--counts")
    assert code == 0, err
    assert "Columns are classes, and cells count labels: cat, dog, ship." in " ".join(out.split())


def test_few_whole_numbers_are_no_picks_without_a_word(run, tmp_path):
    grades = pd.DataFrame({"a": RNG.integers(1, 6, 60)})
    grades["b"] = grades["a"] + RNG.integers(-1, 2, 60)
    grades.to_csv(tmp_path / "g.csv", index=False)
    code, out, _ = run("fit-afd", tmp_path / "g.csv", "--rounds", "a", "b")
    assert code == 0 and "if they are grades, take annostat bounds --kind ordinal" in " ".join(
        out.split()
    )
    (grades + 40).assign(length=90).to_csv(tmp_path / "g.csv", index=False)
    _, out, _ = run("fit-afd", tmp_path / "g.csv", "--rounds", "a", "b", "--length", "length")
    assert "if they are grades" not in " ".join(out.split())


def test_words_from_a_pipe_are_asked_about(run, monkeypatch):
    def piped(frame):
        text = io.TextIOWrapper(io.BytesIO(frame.to_csv(index=False).encode()))
        monkeypatch.setattr("sys.stdin", text)

    piped(pd.DataFrame(ROWS, columns=["anna", "ben"]))
    code, _, err = run("bounds", "-", "--rounds", "anna", "ben")
    assert code == 2 and "say --kind categories" in err
    piped(pd.DataFrame({f"r{j}": ["yes", "no"] * 4 for j in range(6)}))
    code, _, err = run("bounds", "-", "--rounds", *[f"r{j}" for j in range(6)])
    assert code == 2 and "and 3 more columns" in err


def test_probabilities_go_to_the_classes_that_their_columns_name(run, table, tmp_path):
    frame = FRAME.assign(p_no=(1 - FRAME["p"]).round(4), p_yes=FRAME["p"], q=FRAME["p"])
    frame.to_csv(tmp_path / "p.csv", index=False)
    given = ("p_no,p_yes", "p_yes,p_no", "p_yes", "p_no", "q")
    found = []
    for columns in given:
        code, out, err = run(
            "score", tmp_path / "p.csv", *READERS, "--proba", f"m={columns}", "--json", "-"
        )
        assert (code, err) == (0, ""), columns
        found.append(json.loads(out)["models"][0]["excess_brier"]["value"])
    assert found == pytest.approx([found[0]] * len(given), abs=1e-9)
    frame = frame.rename(columns={"p_no": "first", "p_yes": "second"})
    frame.to_csv(tmp_path / "p.csv", index=False)
    _, _, err = run("score", tmp_path / "p.csv", *READERS, "--proba", "m=first,second")
    assert err == "annostat: probabilities of m are taken as first of no, second of yes\n"


def test_probabilities_that_were_rounded_are_said_to_be():
    from annostat.errors import AnnostatError
    from annostat.labels import Categories
    from annostat.truth import score_categories
    from annostat.truth.category_proba import places_of_classes, proba_of

    rng = np.random.default_rng(0)
    p = rng.dirichlet([0.5] * 3, 200)
    codes = (rng.random((200, 3))[:, :, None] > p.cumsum(axis=1)[:, None, :-1]).sum(axis=2)
    labels = Categories(codes.astype(np.int16), ("a", "b", "c"), ("x", "y", "z"))
    rounded = score_categories(labels, proba={"m": p.round(2)})
    assert any(c.name == "rounded" and "2 decimals" in c.message for c in rounded.checks)
    exact = score_categories(labels, proba={"m": p})
    assert not any(c.name == "rounded" for c in exact.checks)
    assert rounded["m"].excess_brier.value == pytest.approx(exact["m"].excess_brier.value, abs=5e-3)
    with pytest.raises(AnnostatError, match="must sum to 1"):
        score_categories(labels, proba={"m": p * 0.97})
    with pytest.raises(AnnostatError, match=r"item 1 has -0\.2$"):
        score_categories(labels, proba={"m": np.tile([-0.2, 0.6, 0.6], (200, 1))})
    named = pd.DataFrame(p[:, [2, 0, 1]], columns=["p_c", "p_a", "p_b"])
    assert proba_of("m", named, labels).given == pytest.approx(p)
    # Of "a or b" against the rest: sums of the columns.
    merged = score_categories(labels, proba={"m": p}, positive=["b", "c"])
    two = labels.binary(["b", "c"])
    direct = score_categories(two, proba={"m": p[:, 1:].sum(axis=1)})
    assert merged["m"].excess_brier.value == pytest.approx(direct["m"].excess_brier.value)
    assert merged["m"].scores["f1"].value == direct["m"].scores["f1"].value
    assert places_of_classes(["p_sure", "p_not_sure"], ["not sure", "sure"]) == [1, 0]
    assert places_of_classes(["p_1", "p_10"], ["1", "10"]) == [0, 1]
    assert places_of_classes(["p_x", "p_y"], ["a", "b"]) is None
