"""Tables in parts, by Dask: the same numbers as in one piece, on threads and on a LocalCluster."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from annostat import AnnostatError, bounds, fit_noise, read_rounds, score_models
from annostat.tables import parts, read_categories
from tests.clusters import two_workers

pytest.importorskip("dask.dataframe", reason="needs dask[dataframe]")
pytest.importorskip("pyarrow", reason="needs pyarrow")
# Dask itself calls pandas so.
pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword")
ROOT = Path(__file__).parent.parent
N = 600


def table(whole=True):
    g = np.random.default_rng(0)
    truth = g.uniform(20, 80, N)
    first, second = truth + g.laplace(0, 2, (2, N))
    frame = pd.DataFrame({"clip": [f"c{i}" for i in g.permutation(N)], "a": first, "b": second})
    frame["net"] = truth + 1.0
    if whole:
        frame[["a", "b", "net"]] = frame[["a", "b", "net"]].round()
    frame.loc[7, "a"] = np.nan
    frame["patient"] = [f"p{i // 3}" for i in range(N)]
    frame["period"] = np.where(np.arange(N) % 2, 20.0, 33.0)
    return frame


def in_parts(folder, frame, pieces=7):
    """Write a frame as Parquet files, one of which has no rows."""
    folder.mkdir()
    for i, rows in enumerate(np.array_split(np.arange(len(frame)), pieces)):
        frame.iloc[rows].to_parquet(folder / f"part-{i:02d}.parquet", index=False)
    frame.iloc[:0].to_parquet(folder / "part-03b.parquet", index=False)
    return folder


def same(found, expected):
    """Whether two results hold the same, but for the name of the file that was read."""
    left, right = found.to_dict(), expected.to_dict()
    for entry in (left, right):
        entry.pop("provenance", None)
    return repr(left) == repr(right)


OPTIONS = [
    {},
    {"cluster": "patient"},
    {"models": ["net"]},
    {"period": "period", "by": "patient"},
    {"collapse": True},
    {"collapse": True, "period": "period"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_rounds_in_parts_are_those_of_one_piece(tmp_path, options):
    import dask.dataframe as dd

    frame = table()
    one = tmp_path / "one.parquet"
    frame.to_parquet(one, index=False)
    folder = in_parts(tmp_path / "parts", frame)
    expected = read_rounds(one, rounds=["a", "b"], **options)
    for source in (folder, str(folder), dd.from_pandas(frame, npartitions=5)):
        found = read_rounds(source, rounds=["a", "b"], **options)
        assert found.digest() == expected.digest()
        if not options.get("collapse"):  # a file that is streamed has only the columns asked for
            assert found.read.unused == expected.read.unused
        assert found.read.n_rows == expected.read.n_rows


def test_functions_take_a_data_frame_of_dask():
    import dask.dataframe as dd

    frame = table().rename(columns={"a": " a"})  # with spaces around names, as files have them
    parted = dd.from_pandas(frame.set_index("clip"), npartitions=4, sort=False)
    for function in (bounds, fit_noise):
        found, expected = (function(t, rounds=["a", "b"], item="clip") for t in (parted, frame))
        assert same(found, expected)
    labels = read_rounds(frame, rounds=["a", "b"], item="clip")
    models = {"net": frame["net"].to_numpy()}
    found = score_models(parted, models, rounds=["a", "b"], item="clip")
    assert same(found, score_models(labels, models))
    words = frame.assign(a="yes", b="no").drop(columns=" a")
    found = read_categories(dd.from_pandas(words, npartitions=3), rounds=["a", "b"], item="clip")
    assert found.digest() == read_categories(words, rounds=["a", "b"], item="clip").digest()


def test_counts_are_added_up_in_a_tree(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "FAN_IN", 2)
    monkeypatch.setattr("annostat.tables.counts.TABLES", 2)
    folder = in_parts(tmp_path / "parts", table(), pieces=9)
    options = dict(rounds=["a", "b"], period="period", collapse=True)
    table().to_parquet(tmp_path / "one.parquet")
    expected = read_rounds(tmp_path / "one.parquet", **options)
    assert read_rounds(folder, **options).digest() == expected.digest()


def test_what_is_wrong_in_a_part_is_told_of_the_part(tmp_path):
    import dask.dataframe as dd

    frame = table(whole=False)
    folder = in_parts(tmp_path / "parts", frame)
    with pytest.raises(AnnostatError, match=r"part \d: .*not a whole number"):
        read_rounds(folder, rounds=["a", "b"], collapse=True)
    twice = frame.round({"a": 0, "b": 0}).assign(clip="same")
    for collapse in (True, False):
        with pytest.raises(AnnostatError, match="row"):
            read_rounds(
                dd.from_pandas(twice, npartitions=3),
                rounds=["a", "b"],
                collapse=collapse,
                item="clip",
            )
    with pytest.raises(AnnostatError, match="no column 'c'"):
        read_rounds(folder, rounds=["a", "c"])
    with pytest.raises(AnnostatError, match="no rows"):
        read_rounds(dd.from_pandas(frame.iloc[:0], npartitions=1), rounds=["a", "b"])
    with pytest.raises(AnnostatError, match="without a cluster"):
        read_rounds(folder, rounds=["a", "b"], collapse=True, cluster="patient")


def test_without_dask_the_message_says_what_to_install(tmp_path, monkeypatch):
    folder = in_parts(tmp_path / "parts", table())
    monkeypatch.setitem(sys.modules, "dask", None)
    with pytest.raises(AnnostatError, match=r"pip install 'annostat\[dask\]'"):
        read_rounds(folder, rounds=["a", "b"])


@pytest.mark.parametrize(
    "command", [["fit-afd", "--core", "laplace"], ["bounds"], ["score", "--model", "net"]]
)
def test_commands_take_a_folder_of_parquet_files(tmp_path, command, run):
    folder, one = in_parts(tmp_path / "parts", table()), tmp_path / "parts.csv"
    table().to_csv(one, index=False)
    told = [run(*command, "--rounds", "a", "b", str(source)) for source in (folder, one)]
    assert [code for code, *_ in told] == [0, 0], told
    in_parts_says, in_one_says = (out.split("Answer", 1)[1] for _, out, *_ in told)
    assert in_parts_says == in_one_says


def results(source):
    """Return the noise of picks, the bounds and the score of a model, of one table."""
    whole = read_rounds(source, rounds=["a", "b"], collapse=True)
    rounds = read_rounds(source, rounds=["a", "b"], models=["net"], cluster="patient")
    labels = rounds.without_models()
    net = rounds.values[:, rounds.names.index("net")]
    return fit_noise(whole), bounds(labels), score_models(labels, {"net": net})


def compared(folder, one):
    """Print whether workers in other processes give what one process does."""
    import dask.dataframe as dd

    with two_workers() as cluster:
        found = results(dd.read_parquet(sorted(str(p) for p in Path(folder).iterdir())))
        told = [printed(folder, "--dask", cluster.scheduler_address), printed(folder)]
    equal = [same(a, b) for a, b in zip(found, results(one), strict=True)]
    print(all(equal), "Answer" in told[0] and told[0] == told[1])


def printed(folder, *options):
    """Return what a command prints."""
    from click.testing import CliRunner

    from annostat.cli import cli

    line = ["bounds", str(folder), "--rounds", "a", "b", *options]
    return CliRunner().invoke(cli, line, catch_exceptions=False).output


def test_a_cluster_that_does_not_answer_is_one_line(tmp_path, monkeypatch, run):
    pytest.importorskip("distributed", reason="needs dask[distributed]")
    monkeypatch.setattr("annostat.cli.workers.CONNECT", "1s")
    table().to_csv(tmp_path / "one.csv", index=False)
    line = ["bounds", tmp_path / "one.csv", "--rounds", "a", "b", "--dask"]
    for address in ("tcp://127.0.0.1:9", "nonsense"):
        code, out, err = run(*line, address)
        assert (code, out) == (2, "") and f"no scheduler answers at '{address}'" in err
    monkeypatch.setitem(sys.modules, "distributed", None)
    code, _, err = run(*line, "tcp://127.0.0.1:9")
    assert code == 2 and "pip install 'annostat[dask]'" in err


def test_a_local_cluster_gives_the_serial_numbers(tmp_path):
    pytest.importorskip("distributed", reason="needs dask[distributed]")
    folder, one = in_parts(tmp_path / "parts", table()), tmp_path / "one.parquet"
    table().to_parquet(one, index=False)
    code = f"from tests.test_parts import compared; compared({str(folder)!r}, {str(one)!r})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["True", "True"], done.stdout + done.stderr
