"""Reading rounds: layouts, formats, streaming, and what is refused."""

import gzip

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annostat import AnnostatError, Rounds, read_rounds
from annostat.noise.cells import Cells


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


@given(
    st.lists(
        st.lists(st.one_of(st.none(), st.integers(0, 99)), min_size=3, max_size=3),
        min_size=1,
        max_size=12,
    )
)
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
    monkeypatch.setattr("annostat.tables.streaming.BATCH_ROWS", 64)
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
    assert "1 item with fewer than two annotations was left out" in rounds.usable().notes[0]


def write(folder, text, name="rounds.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("name", ["item", "clip", "FileName", "case"])
def test_identifiers_stay_text(tmp_path, name):
    path = write(tmp_path, f"{name};a;b\n007;1;2\n7;3;4\n")
    assert read_rounds(path).items.tolist() == ["007", "7"]


def test_identifiers_in_the_index(tmp_path):
    table = frame().set_index("item")
    path = tmp_path / "t.parquet"
    table.to_parquet(path)
    for source in (table, path):
        assert read_rounds(source, rounds=["x", "y"]).items.tolist() == ["007", "b", "c"]
    streamed = read_rounds(path, rounds=["x", "y"], collapse=True)
    assert streamed.row_weights.sum() == 3


def test_labels_are_the_same_text_streamed_or_not(tmp_path):
    path = write(tmp_path, "a,b,s\n1,2,01\n2,3,1\n4,4,01\n")
    for collapse in (False, True):
        rounds = read_rounds(path, rounds=["a", "b"], by="s", collapse=collapse)
        assert {s: r.n_items for s, r in rounds.strata().items()} == {"01": 2, "1": 1}


@pytest.mark.parametrize("collapse", [False, True])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"item,a,b\n", "no rows"),
        (b"\x89PNG\0\0", "binary file"),
        ("item,\xe9,b\nx,1,2\n".encode("latin-1"), "not UTF-8"),
        (b"PAR1 but no more", "not a Parquet file"),
        (b"a,a,b\n1,2,3\n", "names the column 'a' twice"),
        (b"a,b\n5,1,2\n6,3,4\n", "more cells than its header"),
        (b"item,a,b\nx,1,2\ny,3,4,5,6\n", "cannot be read as a table"),
        (b"item,a,b\nx,1,2\ny,inf,4\n", r"infinite value; first: item '.*', a = inf"),
        (b"item,a,b\nx,1,2\ny,two,4\n", r"'a' holds text in 1 row; first: .*: 'two'"),
    ],
)
def test_files_that_are_refused(tmp_path, text, words, collapse):
    rounds = ["a", "b"] if b"item,a,b" in text else None
    with pytest.raises(AnnostatError, match=words) as caught:
        read_rounds(write(tmp_path, text), rounds=rounds, collapse=collapse)
    assert "\n" not in str(caught.value)


def test_no_file_a_folder_and_broken_ones(tmp_path):
    with pytest.raises(AnnostatError, match="there is no file"):
        read_rounds(tmp_path / "absent.csv")
    with pytest.raises(AnnostatError, match="is a folder"):
        read_rounds(tmp_path)
    with pytest.raises(AnnostatError, match="cannot be read"):
        read_rounds(write(tmp_path, b"no gzip", "t.csv.gz"))
    with pytest.raises(AnnostatError, match="cannot be read"):
        read_rounds(write(tmp_path, gzip.compress(b"item,a,b\n" * 99)[:20], "u.csv.gz"))
    path = tmp_path / "t.parquet"
    frame()[["x", "y"]].to_parquet(path)
    damaged = bytearray(path.read_bytes())
    damaged[4:60] = b"\xff" * 56
    path.write_bytes(bytes(damaged))
    for collapse in (False, True):
        with pytest.raises(AnnostatError, match="cannot be read as a table"):
            read_rounds(path, rounds=["x", "y"], collapse=collapse)


def test_separators_at_the_ends_of_lines_shift_nothing(tmp_path):
    rounds = read_rounds(write(tmp_path, "item,a,b\nx,1,2,\ny,3,4,\n"))
    assert rounds.items.tolist() == ["x", "y"]
    assert rounds.values.tolist() == [[1, 2], [3, 4]]


def test_streamed_refusals(tmp_path, monkeypatch):
    monkeypatch.setattr("annostat.tables.streaming.BATCH_ROWS", 2)
    path = tmp_path / "t.parquet"
    pd.DataFrame({"a": [1, 2, 3, 4.5], "b": [1, 2, 3, 4]}).to_parquet(path)
    with pytest.raises(AnnostatError, match="not a whole number; first: item 'row 4'"):
        read_rounds(path, rounds=["a", "b"], collapse=True)
    path = write(tmp_path, "item,rater,value\nx,1,2\nx,2,4\n")
    with pytest.raises(AnnostatError, match="long table cannot be streamed"):
        read_rounds(path, collapse=True)
    path = write(tmp_path, "item,a,b\nx,1,2\n")
    for options in ({"item": "itme", "rounds": ["a", "b"]}, {"rounds": ["a", "c"]}):
        with pytest.raises(AnnostatError, match="there is no column"):
            read_rounds(path, collapse=True, **options)
    assert read_rounds(path, item="item", rounds=["a", "b"], collapse=True).n_items == 1
    path = write(tmp_path, "nr,a,b\n4,1,2\n")
    assert read_rounds(path, item="nr", collapse=True).names == ("a", "b")


@pytest.mark.parametrize("dtype", ["int16", "uint8", "uint64", "Int64", "int64"])
@given(st.data())
def test_streamed_counts_of_any_integer(tmp_path_factory, dtype, data):
    values = st.integers(0, 200) | (st.none() if dtype == "Int64" else st.nothing())
    rows = data.draw(st.lists(st.tuples(values, values), min_size=1, max_size=20))
    path = tmp_path_factory.mktemp("s") / "t.parquet"
    table = pd.DataFrame(rows, columns=["a", "b"], dtype=dtype)
    table.to_parquet(path)
    streamed = read_rounds(path, rounds=["a", "b"], collapse=True)
    whole = read_rounds(table, rounds=["a", "b"])
    assert streamed.row_weights.sum() == len(rows)
    assert streamed.n_items == whole.n_items
    repeated = np.repeat(streamed.values[:, 1] - streamed.values[:, 0], streamed.row_weights)
    np.testing.assert_array_equal(
        np.sort(repeated[np.isfinite(repeated)]), np.sort(whole.differences())
    )


def test_wide_differences_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr("annostat.tables.counts.COUNT_ROWS", 4)
    path = tmp_path / "t.parquet"
    b = [5, -5, 10_000_000, 0, 0, 0, 3, 3, 3, 5]
    pd.DataFrame({"a": [0] * 10, "b": b}).to_parquet(path)
    rounds = read_rounds(path, rounds=["a", "b"], collapse=True)
    found = dict(zip(rounds.differences().tolist(), rounds.row_weights.tolist(), strict=True))
    assert found == {-5: 1, 0: 3, 3: 3, 5: 2, 10_000_000: 1}


LONG = pd.DataFrame({"item": list("aabb"), "rater": [1, 2, 1, 2], "value": [3, 4, 5, 6]})


def test_each_item_its_own_cluster_in_a_long_table():
    rounds = read_rounds(LONG, item="item", rater="rater", value="value", cluster="item")
    assert rounds.cluster.tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("table", "options", "words"),
    [
        (LONG, {"item": "rater", "rater": "rater", "value": "value"}, "different columns"),
        (LONG.assign(rater=["g", "r"] * 2, g=1), {"by": "g"}, "a rater has the name"),
        (pd.DataFrame([[1, 2, 3]], columns=list("aab")), {}, "names a column twice: a"),
        (frame(), {"rounds": "xy"}, "rounds must be a list"),
        (frame(), {"rounds": ["x", "x"]}, "different columns"),
        (frame(), {"rounds": ["x", "Y"]}, "there is no column 'Y'"),
        (frame(), {"rounds": ["x", "y"], "item": "itme"}, r"item: .* did you mean 'item'"),
        (frame().assign(x=pd.Timestamp(0)), {"rounds": ["x", "y"]}, "holds datetime64"),
        (frame().assign(item=["a", None, "c"]), {"rounds": ["x", "y"]}, "no item identifier"),
        ([1, 2], {}, "a path, a data frame or a mapping"),
    ],
)
def test_tables_that_are_refused(table, options, words):
    with pytest.raises(AnnostatError, match=words):
        read_rounds(table, **options)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"length": [2.5, 3]}, "length must hold whole numbers, got 2.5, 3"),
        ({"length": [np.nan, 3]}, "length must hold whole numbers"),
        ({"length": 0}, "length below 1"),
        ({"weights": [-1, 3]}, "multiplicity below 1"),
        ({"weights": [1, 2, 3]}, r"weights has shape \(3,\) for 2 items"),
        ({"period": "fast"}, "period must hold numbers"),
        ({"period": [1, -1]}, "not a positive number; first: row 2: -1"),
        ({"cluster": [np.nan, "a"]}, "cluster is empty in 1 row; first: 1"),
        ({"items": ["a"]}, "items has 1 entries for 2"),
        ({"names": ["a", "a"]}, "named twice: a, a"),
        ({"names": ["a"]}, "2 rounds but 1 names"),
    ],
)
def test_arrays_that_are_refused(columns, words):
    with pytest.raises(AnnostatError, match=words):
        Rounds.from_array([[1, 2], [3, 4]], **columns)


def test_arrays_need_two_rounds_of_numbers():
    for values in ([[1], [2]], [1, 2], [["a", "b"]], np.zeros((0, 2))):
        with pytest.raises(AnnostatError):
            Rounds.from_array(values)
    for values in ([[0.5, 1]], [[2.0**53, 1]]):
        with pytest.raises(AnnostatError, match="a pick"):
            Rounds.from_array(values).picks()


def test_digest_follows_what_matters():
    base = Rounds.from_array([[0, 1, np.nan], [2, 3, 4]])
    signed = Rounds.from_array([[-0.0, 1, -np.nan], [2, 3, 4]])
    assert base.digest() == signed.digest()
    others = [
        Rounds.from_array(np.asarray(base.values).reshape(3, 2)),
        Rounds.from_array([[0, 1, np.nan], [2, 3, 5]]),
        Rounds.from_array(base.values, period=2.0),
        Rounds.from_array(base.values, length=9),
        Rounds.from_array(base.values, cluster=["a", "b"]),
        Rounds.from_array(base.values, stratum=["a", "b"]),
    ]
    assert len({r.digest() for r in (base, *others)}) == 7


def test_back_to_a_table():
    rounds = read_rounds(frame(), rounds=["x", "y"], fps="fps", length=60)
    again = rounds.to_frame()
    assert list(again) == ["item", "x", "y", "period", "length"]
    same = read_rounds(again, rounds=["x", "y"], period="period", length="length")
    assert same.digest() == rounds.digest()
    assert "3 items × 2 rounds" in repr(rounds)
    assert "1 missing" in repr(rounds)


def test_one_row_is_one_row():
    with pytest.raises(AnnostatError, match=r"^1 row holds an infinite value; first: row 2"):
        Rounds.from_array([[1, 2], [np.inf, 3], [4, 5]])
    with pytest.raises(AnnostatError, match=r"^2 rows hold an infinite value; first: row 1"):
        Rounds.from_array([[1, np.inf], [np.inf, 3], [4, 5]])
