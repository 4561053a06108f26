"""What a first user of the command line, the app and Python came upon."""

from __future__ import annotations

import io

import numpy as np
import pytest

from annostat import AnnostatError, Rounds, read_rounds
from annostat.app.columns import looked_at
from annostat.cli import main
from annostat.cli.beside import beside
from annostat.errors import check_number
from annostat.interchange import interchange
from annostat.labels import Categories, MaskRounds, Points
from annostat.labels.columns import looks_like
from annostat.results.layout import fit_table


def ran(capsys, *args):
    """Return what a command prints, and what it says beside it."""
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in args])
        raise SystemExit(0)
    out = capsys.readouterr()
    return stop.value.code, out.out, out.err


@pytest.fixture
def typed(tmp_path):
    """A table of two classes with two slips of the pen."""
    rows = []
    for i in range(60):
        a = "malignant" if i % 2 else "benign"
        b = a if i % 5 else "benign"
        rows.append([a, b, a])
    rows[3][0], rows[4][1] = "maligant", "Benign "
    lines = ["case,anna,ben,cleo", *(f"c{i},{','.join(r)}" for i, r in enumerate(rows))]
    path = tmp_path / "typed.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("name", "other", "same"),
    [
        ("maligant", "malignant", True),
        ("Benign ", "benign", True),
        ("bening", "benign", True),
        ("bemign", "benign", True),
        ("benignn", "benign", True),
        ("grade 1", "grade 2", False),
        ("grade 1", "grade 11", False),
        ("benign", "malignant", False),
        ("no", "na", False),
        ("left", "right", False),
    ],
)
def test_a_letter_that_differs_is_a_slip(name, other, same):
    assert looks_like(name, other) is same
    assert looks_like(other, name) is same


def test_a_class_that_is_a_slip_is_asked_about_and_not_answered_with(typed, capsys):
    code, out, _ = ran(capsys, "bounds", typed, "--rounds", "anna", "ben", "cleo")
    assert code == 0
    text = " ".join(out.split())
    answer, quote = text.split("Answer")[1].split("Quote")[0], text.split("Quote")[1]
    assert "F1 of benign" in answer and "Benign" not in answer and "maligant" not in answer
    accuracy, f1 = quote.index("accuracy"), quote.index("F1 of benign")
    assert accuracy < f1 < quote.index("F1 of malignant")
    assert "'maligant' looks like 'malignant'" in text
    assert "'Benign' looks like 'benign'" in text


def test_the_column_of_patients_is_named_where_it_is_seen(tmp_path, capsys):
    path = tmp_path / "twice.csv"
    rows = [f"{i // 2},{i},{50 + i % 7}.5,{50 + i % 5}.25" for i in range(40)]
    path.write_text("\n".join(["patient_id,study_id,first,second", *rows]) + "\n")
    code, out, _ = ran(capsys, "bounds", path, "--all")
    assert code == 0
    assert "patient_id looks like it: --cluster patient_id." in " ".join(out.split())


@pytest.mark.parametrize("kind", ["auto", "categories"])
def test_the_app_takes_words_for_labels(typed, kind):
    lines = typed.read_text().splitlines()
    more = [
        f"{lines[0]},net,p",
        *(f"{line},{line.split(',')[1]},0.{i + 10}" for i, line in enumerate(lines[1:])),
    ]
    typed.write_text("\n".join(more) + "\n")
    roles = {c.name: c.role for c in looked_at(typed, "typed.csv", kind).columns}
    assert roles == {
        "case": "Item",
        **dict.fromkeys(("anna", "ben", "cleo"), "Annotation"),
        "net": "Model",
        "p": "Not used",
    }


def test_the_app_speaks_of_what_stands_on_its_page(tmp_path):
    pytest.importorskip("flask", reason="needs the extra annostat[app]")
    from annostat.app.server import create_app

    client = create_app(token="t" * 24, limit_mb=1).test_client()
    rows = [f"c{i // 2},{50 + i % 7}.5,{50 + i % 5}.25" for i in range(40)]
    data = "\n".join(["case,first,second", *rows]).encode()
    base = {"base_url": "http://127.0.0.1:8000"}
    found = client.post(
        f"/{'t' * 24}/table",
        data={"table": (io.BytesIO(data), "twice.csv"), "kind": "auto"},
        content_type="multipart/form-data",
        **base,
    )
    page = client.get(found.headers["Location"], **base).get_data(as_text=True)
    refused = client.post(
        found.headers["Location"].replace("/columns", "/report"),
        data={"role": ["Item", "Annotation", "Annotation"], "kind": "auto"},
        **base,
    )
    assert refused.status_code == 400
    for text in (page, refused.get_data(as_text=True)):
        assert "stand in more than one row" in text
        assert "--item" not in text and "Item" in text.split("more than one row")[1][:120]


def test_verdicts_are_the_last_columns_that_are_dropped():
    heads = ["law", "exponent", "floor", "interval", "residual SD", "refuted"]
    row = ["power law", "0.25", "0.2", "0.1 to 0.3", "0.0123", "yes"]
    assert fit_table(heads, [row], 52)[0] == ["law", "exponent", "floor", "interval", "refuted"]
    assert fit_table(heads, [row], 36)[::2] == (
        ["law", "exponent", "refuted"],
        ["floor", "interval", "residual SD"],
    )
    assert fit_table(heads, [row], 12)[0] == ["law", "exponent"]


@pytest.fixture
def masks_by_file(tmp_path):
    """A folder with one file for each rater, and one of a model."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "all"
    folder.mkdir()
    for name in ("anna", "ben", "net"):
        masks = np.zeros((6, 12, 12), dtype=bool)
        for mask, at in zip(masks, rng.integers(1, 4, (6, 2)), strict=True):
            mask[at[0] : at[0] + 7, at[1] : at[1] + 7] = True
        np.savez(folder / f"{name}.npz", masks=masks, items=np.array([f"c{i}" for i in range(6)]))
    return folder


@pytest.mark.parametrize("model", ["net", "{}/net.npz"])
def test_a_folder_with_a_file_for_each_rater_is_read(masks_by_file, capsys, model):
    args = ("masks", masks_by_file, "--raters", "anna", "ben")
    code, out, err = ran(capsys, *args, "--model", model.format(masks_by_file))
    assert code == 0, err
    assert "raters anna, ben" in " ".join(out.split())
    assert "net" in out
    code, _, err = ran(capsys, "masks", masks_by_file)
    assert code == 2 and "anna, ben, net" in err and "(--raters) if each file" in err


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (("1.51{},77", "1.73{},40"), "A, B hold text such as '1.511,77', which is not"),
        (("1.51{},77", "1.73{},40"), "without thousands separators (1511.77)"),
        (("1 51{},77", "2 73{},40"), "without thousands separators (1511.77)"),
        (("0{}.02.2024", "0{}.04.2024"), "dates are no labels: write numbers"),
        (("1{} mm", "3{} mm"), "such as '11 mm', which is not taken for a number: write plain"),
    ],
)
def test_text_that_is_meant_for_numbers_is_shown(tmp_path, capsys, cells, said):
    path = tmp_path / "odd.csv"
    rows = [f"{i};{';'.join(cells).format(i, i)}" for i in range(1, 10)]
    path.write_text("\n".join(["case;A;B", *rows]) + "\n")
    code, _, err = ran(capsys, "bounds", path)
    assert code == 2 and len(err.splitlines()) == 1
    assert said in err


def test_many_strata_that_are_left_out_are_one_line(tmp_path, capsys):
    path = tmp_path / "ef.csv"
    rows = [f"P{i},{50 + i % 7}.5,{50 + i % 5}.25" for i in range(40)]
    path.write_text("\n".join(["patient,first,second", *rows]) + "\n")
    code, _, err = ran(capsys, "bounds", path, "--by", "patient", "--rounds", "first", "second")
    first, last = err.splitlines()
    assert code == 2 and "no patient has a result" in last
    assert first.startswith(
        "annostat: 40 strata of patient are left out (P0, P1, P10, ...), P0 since too few items"
    )


def test_a_terminal_wraps_what_is_said_beside_a_result(capsys, monkeypatch):
    text = "error: " + "words of a message that is long " * 5
    beside(text)
    assert len(capsys.readouterr().err.splitlines()) == 1
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    beside(text)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) > 2 and max(map(len, lines)) <= 60
    assert all(line.startswith("  ") and line[2] != " " for line in lines[1:])


def test_patterns_and_items_are_both_counted(tmp_path):
    path = tmp_path / "picks.csv"
    rows = [f"c{i},{10 + i % 3},{11 + i % 2}" for i in range(400)]
    path.write_text("\n".join(["clip,first,second", *rows]) + "\n")
    patterns = read_rounds(path, collapse=True)
    n = len(patterns.values)
    assert repr(patterns) == f"<Rounds: {n} patterns of 400 items × 2 rounds (first, second)>"
    assert n < 400


@pytest.mark.parametrize(
    "make",
    [
        lambda items: Rounds.from_array(np.arange(8.0).reshape(4, 2), items=items),
        lambda items: Categories.from_array([["a", "b"]] * 4, items=items),
        lambda items: Points.from_array(np.arange(16.0).reshape(4, 2, 2), items=items),
        lambda items: MaskRounds.from_arrays({"a": np.ones((4, 3, 3))}, items=items),
    ],
)
def test_items_that_stand_twice_are_refused_in_python_too(make):
    assert make(["a", "b", "c", "d"]).items[3] == "d"
    with pytest.raises(AnnostatError, match=r"'a' stands 3 times \(1 such in all\)"):
        make(["a", "a", "b", "a"])


def test_masks_have_a_short_repr():
    rounds = MaskRounds.from_arrays({"anna": np.ones((2, 8, 9)), "ben": np.ones((2, 8, 9))})
    assert repr(rounds) == "<MaskRounds: 2 items of 8 × 9 × 2 raters (anna, ben)>"


@pytest.mark.parametrize("value", ["2", b"2"])
def test_text_is_no_number(value):
    with pytest.raises(AnnostatError, match=r"margin must be a number, got b?'2'"):
        check_number("margin", value)


def test_interchange_of_masks_says_what_was_read_in_whole_words(masks_by_file, capsys):
    net = f"net={masks_by_file}/net.npz"
    raters = [masks_by_file / "anna.npz", masks_by_file / "ben.npz"]
    code, out, err = ran(capsys, "interchange", *raters, "--model", net)
    assert code == 0, err
    text = " ".join(out.split())
    assert text.startswith("Read 6 images of 12 × 12 pixels")
    assert "by the model net" in text and "by the models net" not in text
    assert "Answer Whether net is as good as" in text
    assert "6 items are few" in text and "clusters" not in text


def test_clusters_are_spoken_of_only_where_items_share_them():
    z = np.random.default_rng(0).normal(50, 9, 24)
    noise = np.random.default_rng(1).normal(0, 3, (24, 3))
    clips = [f"c{i}" for i in range(24)]
    rounds = Rounds.from_array(z[:, None] + noise[:, :2], items=clips, cluster=clips)
    found = interchange(rounds, {"net": z + noise[:, 2]})
    assert any(c.message.startswith("24 items are few") for c in found.checks)
    shared = Rounds.from_array(z[:, None] + noise[:, :2], cluster=[i // 2 for i in range(24)])
    found = interchange(shared, {"net": z + noise[:, 2]})
    assert any(c.message.startswith("12 clusters are few") for c in found.checks)
