"""Whatever columns are added, and in whatever order a table stands, the result is one."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annostat import bounds, compare_noise, read_rounds, score_models
from annostat.labels.columns import canonical_order
from annostat.tables.predictions import read_predictions

RNG = np.random.default_rng(3)
N = 24
TRUTH = RNG.integers(20, 80, N)
WIDE = pd.DataFrame(
    {
        "clip": [f"c{i}" for i in range(N)],
        "patient": [f"p{i // 2}" for i in range(N)],
        "first": TRUTH + RNG.integers(-3, 4, N),
        "second": TRUTH + RNG.integers(-3, 4, N),
    }
)
LONG = WIDE.melt(["clip", "patient"], var_name="who", value_name="frame_number")
NAMED = {"item": "clip", "rounds": ["first", "second"], "cluster": "patient"}
RATERS = {"item": "clip", "rater": "who", "value": "frame_number", "cluster": "patient"}

# Columns that people have beside the rounds: numbers, whole and missing, words, dates, counts.
NAMES = st.sampled_from(
    [
        "age",
        "Unnamed: 0",
        "model",
        "third",
        "case",
        "NA",
        "first.1",
        "rater",
        "value",
        "id",
        "ÄÖ",
        "x y",
        "date",
        "pick",
    ]
)
CELLS = st.one_of(
    st.lists(st.floats(-1e6, 1e6), min_size=2 * N, max_size=2 * N),
    st.lists(st.none() | st.integers(0, 3), min_size=2 * N, max_size=2 * N),
    st.lists(st.sampled_from(["a", "", "2024-01-02", "1,5", "?"]), min_size=2 * N, max_size=2 * N),
    st.just(list(range(2 * N))),
)
ADDED = st.dictionaries(NAMES, CELLS, max_size=4)
ORDER = st.randoms(use_true_random=False)


def disturbed(frame, added, order):
    """Return the table with other columns, its rows and columns in another order."""
    more = {name: cells[: len(frame)] for name, cells in added.items() if name not in frame}
    frame = frame.assign(**more)
    columns, rows = list(frame.columns), list(range(len(frame)))
    order.shuffle(columns)
    order.shuffle(rows)
    return frame.iloc[rows][columns]


def said(rounds):
    """Return everything that two tables with one content must agree on."""
    found = bounds(rounds, n_resamples=100)
    return json.dumps(found.to_dict())


PLAIN = {"wide": said(read_rounds(WIDE, **NAMED)), "long": said(read_rounds(LONG, **RATERS))}


@given(added=ADDED, order=ORDER, indexed=st.booleans())
@settings(max_examples=25, deadline=None)
@pytest.mark.parametrize("kind", ["frame", "file"])
def test_wide(tmp_path_factory, kind, added, order, indexed):
    frame = disturbed(WIDE, added, order)
    if kind == "frame":
        source = frame.set_index("clip") if indexed else frame
    else:
        source = tmp_path_factory.mktemp("t") / "t.csv"
        frame.to_csv(source, index=indexed)
    assert said(read_rounds(source, **NAMED)) == PLAIN["wide"]


@given(added=ADDED, order=ORDER)
@settings(max_examples=25, deadline=None)
def test_long(added, order):
    assert said(read_rounds(disturbed(LONG, added, order), **RATERS)) == PLAIN["long"]


@given(added=ADDED, order=ORDER, kind=st.sampled_from(["csv", "parquet"]))
@settings(max_examples=25, deadline=None)
def test_streamed(tmp_path_factory, added, order, kind):
    path = tmp_path_factory.mktemp("t") / f"t.{kind}"
    options = {"item": "clip", "rounds": ["first", "second"], "collapse": True}
    WIDE.to_csv(path, index=False)
    plain = read_rounds(path, **options).digest()
    frame = disturbed(WIDE, added, order)
    if kind == "csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    assert read_rounds(path, **options).digest() == plain


@given(added=ADDED, order=ORDER)
@settings(max_examples=25, deadline=None)
def test_predictions(tmp_path_factory, added, order):
    path = tmp_path_factory.mktemp("t") / "m.csv"
    table = pd.DataFrame({"clip": WIDE["clip"], "net": TRUTH + 0.5})
    # What is all numbers is a model of the table, and what is partly is a slip: words are neither.
    words = {n: [f"w{c}" for c in cells] for n, cells in added.items()}
    disturbed(table, words, order).to_csv(path, index=False)
    rounds = read_rounds(disturbed(WIDE, added, order), **NAMED)
    found, _ = read_predictions(path, rounds)
    for item, value in zip(rounds.items, found["net"], strict=True):
        assert value == TRUTH[int(item[1:])] + 0.5


@given(order=ORDER)
@settings(max_examples=5, deadline=None)
def test_scores_and_laws(order):
    def scored(frame):
        rounds = read_rounds(frame, **NAMED)
        models = {"net": [TRUTH[int(i[1:])] + 0.5 for i in rounds.items]}
        scores = score_models(rounds, models, kind="values", n_resamples=50)
        law = compare_noise(
            rounds, cores="laplace", abandonment="none", ci="bootstrap", n_resamples=20, n_tests=19
        )
        return json.dumps(scores.to_dict()), str(law)

    assert scored(disturbed(WIDE, {}, order)) == scored(WIDE)


def test_order_of_names():
    names = ["c10", "c9", "C1", "b", "c09", "row 2", "row 11", ""]
    assert [names[i] for i in canonical_order(names)] == [
        "",
        "C1",
        "b",
        "c09",
        "c9",
        "c10",
        "row 2",
        "row 11",
    ]
