"""Reading rounds: layouts, formats, streaming, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annostat import AnnostatError, Rounds, read_rounds
from annostat.noise.cells import Cells
from annostat.resampling import bootstrap, bootstrap_interval


def frame():
    return pd.DataFrame(
        {"item": ["007", "b", "c"], "x": [10, 31, 7], "y": [12.0, np.nan, 7], "fps": [50.0, 25, 40]}
    )


@pytest.mark.parametrize("suffix", ["csv", "tsv", "csv.gz", "parquet"])
def test_formats_agree(tmp_path, suffix):
    path = tmp_path / f"rounds.{suffix}"
    if suffix == "parquet":
        frame().to_parquet(path)
    else:
        frame().to_csv(path, index=False, sep="\t" if suffix == "tsv" else ",")
    rounds = read_rounds(path, rounds=["x", "y"], fps="fps")
    assert rounds.items.tolist() == ["007", "b", "c"]
    np.testing.assert_array_equal(rounds.values, frame()[["x", "y"]].to_numpy(float))
    assert rounds.period.tolist() == [20.0, 40.0, 25.0]
    assert rounds.period_unit == "ms"
    assert (rounds.n_items, rounds.n_pairs) == (2, 2)
    assert rounds.digest() == read_rounds(frame(), rounds=["x", "y"], fps="fps").digest()


@given(st.lists(st.lists(st.one_of(st.none(), st.integers(0, 99)), min_size=3, max_size=3),
                min_size=1, max_size=12))  # fmt: skip
def test_long_is_wide(rows):
    wide = pd.DataFrame(rows, columns=["r1", "r2", "r3"], dtype=float)
    wide.insert(0, "item", [f"i{i}" for i in range(len(rows))])
    long = wide.melt("item", var_name="rater", value_name="value")
    one = read_rounds(wide, item="item", rounds=["r1", "r2", "r3"])
    two = read_rounds(long)
    np.testing.assert_array_equal(one.values, two.values)
    assert one.names == two.names


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_streaming_counts_what_memory_counts(tmp_path, monkeypatch, k, suffix):
    monkeypatch.setattr("annostat.rounds.BATCH_ROWS", 64)
    rng = np.random.default_rng(k)
    table = pd.DataFrame(rng.integers(0, 9, (500, k)), columns=list("abc")[:k])
    if k == 3:
        table = table.astype(float).mask(rng.random((500, k)) < 0.2)
    table["period"] = rng.choice([1.0, 2.0], 500)
    path = tmp_path / f"t.{suffix}"
    table.to_csv(path, index=False) if suffix == "csv" else table.to_parquet(path)
    for period in (None, "period"):
        options = {"rounds": list("abc")[:k], "period": period}
        cells = [
            Cells.from_rounds(read_rounds(path, collapse=c, **options).usable(), physical=True)
            for c in (False, True)
        ]
        np.testing.assert_array_equal(cells[0].z, cells[1].z)
        np.testing.assert_array_equal(cells[0].count, cells[1].count)
        np.testing.assert_allclose(cells[0].share, cells[1].share)


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        ({"item": ["a", "a", "c"]}, {}, "more than one row; first: a"),
        ({"x": [1, np.inf, 2]}, {}, "infinite value; first: item 'b', x = inf"),
        ({"x": ["1", "two", "3"]}, {"rounds": ["x", "y"]}, "first: b: 'two'"),
        ({}, {"rounds": ["x"]}, "two rounds"),
        ({}, {"rounds": ["x", "z"]}, "no column 'z'"),
        ({}, {"rounds": ["x", "y"], "fps": 0.0}, "must be positive"),
        ({}, {"rounds": ["x", "y"], "fps": "fps", "period": 1.0}, "either period or fps"),
        ({}, {"rater": "x"}, "both rater and value"),
        ({}, {"rounds": ["x", "y"], "length": 2.5}, "whole number of frames"),
    ],
)
def test_refusals_show_the_first_rows(change, options, words):
    table = frame().assign(**change)
    options.setdefault("rounds", ["x", "y"] if "rater" not in options else None)
    with pytest.raises(AnnostatError, match=words):
        read_rounds(table, **options)


def test_twice_by_one_rater_and_changing_extras():
    long = pd.DataFrame({"item": list("aab"), "rater": [1, 1, 2], "value": [3, 4, 5]})
    with pytest.raises(AnnostatError, match="same item twice by the same rater"):
        read_rounds(long)
    long["rater"] = [1, 2, 1]
    long["fps"] = [50, 51, 50]
    with pytest.raises(AnnostatError, match="changes within an item"):
        read_rounds(long, fps="fps")


def test_strata_and_usable():
    rounds = Rounds.from_array([[1, 2], [3, np.nan], [5, 6]], stratum=["v", "u", "u"])
    assert list(rounds.strata()) == ["u", "v"]
    assert rounds.usable().n_items == 2
    assert "1 items with fewer" in rounds.usable().notes[0]


def test_bootstrap_is_serial_equals_parallel_and_whole():
    x = np.arange(30.0)
    clusters = np.repeat(np.arange(10), 3)

    def mean(w):
        return w @ x / w.sum(axis=1)

    runs = [bootstrap(mean, 30, n_resamples=700, rng=3, n_jobs=j) for j in (1, 2)]
    np.testing.assert_array_equal(*runs)
    weights = bootstrap(lambda w: w, 30, n_resamples=50, clusters=clusters, rng=1)
    assert (weights.reshape(50, 10, 3).std(axis=2) == 0).all()
    low, high = np.quantile(runs[0], [0.05, 0.95])
    interval = bootstrap_interval(runs[0], x.mean(), level=0.9)
    assert (interval.low, interval.high) == (low, high)
    jackknife = (x.sum() - x) / 29
    bca = bootstrap_interval(runs[0], x.mean(), level=0.9, method="bca", jackknife=jackknife)
    assert abs(bca.low - low) < 0.5
    with pytest.raises(AnnostatError, match="not finite"):
        bootstrap_interval(np.array([1.0, np.nan]), 1.0)
