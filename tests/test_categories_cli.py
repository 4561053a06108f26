"""Categories at the command line: bounds, score, report; published numbers; bad input."""

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


def test_text_without_a_kind_is_asked_for(run, table):
    code, out, err = run("bounds", table, *READERS)
    assert (code, out) == (2, "") and "if these are categories, say --kind categories" in err


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
    assert code == 0 and "How good the models look" in out
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
