"""What an audit is given in real life: half a data set, names of any bytes, journals of others."""

import json
import os
import re
from copy import deepcopy

import numpy as np
import pytest

from annostat.datasets import audit_folder, read_echonet, read_masks
from annostat.datasets.audit.measuring import Task, measure_all, read_journal
from annostat.datasets.audit.prompts import read_item_column
from annostat.errors import AnnostatError, printable
from annostat.report import make_report
from tests import folders

NASTY = "\x1b[31mred\x1b[0m\u202e$x$ ^_"
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]")


def found(audit):
    return {(f.item, f.reason) for f in audit.findings}


def evidence(audit, item, reason):
    return next(f.evidence for f in audit.findings if (f.item, f.reason) == (item, reason))


@pytest.fixture(scope="module")
def clean():
    return folders.EchoFolder.make(10, seed=25, size=64, n_frames=20)


# A list by itself


def real_list(path, n=10_030):
    """Write a list as EchoNet-Dynamic has it."""
    path.mkdir()
    rng = np.random.default_rng(0)
    edv, ef = rng.uniform(60, 200, n), rng.uniform(20, 75, n)
    lines = [folders.COLUMNS]
    for i in range(n):
        esv = edv[i] * (1 - ef[i] / 100)
        row = (
            f"0X{i:015X}",
            ef[i],
            esv,
            edv[i],
            112,
            112,
            50,
            170,
            ("TRAIN", "VAL", "TEST")[i % 3],
        )
        lines.append(",".join(map(str, row)))
    (path / "FileList.csv").write_text("\n".join(lines) + "\n")
    return path


def test_a_list_alone_is_one_finding_and_is_audited(run, tmp_path):
    path = real_list(tmp_path / "e")
    lines = (path / "FileList.csv").read_text().splitlines()
    lines.append(lines[5])
    lines[9] = lines[9].replace(",50,", ",-50,")
    (path / "FileList.csv").write_text("\n".join(lines) + "\n")
    audit = audit_folder(path)
    assert audit.source.kind == "dynamic" and len(audit.table) == 10_031
    clip = [line.split(",")[0] for line in lines]
    assert found(audit) == {
        ("FileList.csv", "missing_file"),
        ("VolumeTracings.csv", "missing_file"),
        (clip[5], "bad_list"),
        (clip[9], "bad_list"),
    }
    assert "none of the 10,030 listed clips" in evidence(audit, "FileList.csv", "missing_file")
    assert set(audit.items) == {clip[5], clip[9]} and "2 items have findings" in str(audit)
    assert audit.splits()["n_items"].sum() == 10_031 and audit.frame_rates()["fps"].max() == 50
    code, out, _ = run("audit", path, "--journal", tmp_path / "j", "--plot", tmp_path / "s.png")
    assert code == 0 and "10,031 items (dynamic)" in out


def test_what_a_folder_is_is_told_by_what_it_holds(clean, tmp_path):
    plain = clean.write(tmp_path / "dynamic", tracings=False)
    assert read_echonet(plain).variant == "dynamic"
    assert found(audit_folder(plain)) == {("VolumeTracings.csv", "missing_file")}
    synthetic = folders.synthetic(deepcopy(clean)).write(tmp_path / "synthetic", tracings=False)
    assert read_echonet(synthetic).variant == "synthetic"
    assert found(audit_folder(synthetic)) == set()
    children = folders.write_pediatric(deepcopy(clean), tmp_path / "pediatric")
    (children / "VolumeTracings.csv").unlink()
    assert read_echonet(children).variant == "pediatric"


def test_numbers_of_the_list_that_cannot_be_read(clean, tmp_path):
    folder = deepcopy(clean)
    names = folder.names
    folder.row(names[0])["EF"] = "fifty"
    folder.row(names[1])["FPS"] = "50 Hz"
    folder.row(names[2])["EDV"] = "inf"
    folder.row(names[3])["NumberOfFrames"] = 20.5
    folder.row(names[4])["ESV"] = ""
    path = folder.write(tmp_path / "e")
    audit = audit_folder(path)
    assert {i for i, r in found(audit) if r == "bad_list"} == set(names[:4])
    assert evidence(audit, names[0], "bad_list") == "EF is no number: 'fifty'"
    assert evidence(audit, names[1], "bad_list") == "FPS is no number: '50 Hz'"
    assert "a number of frames of 20.5" in evidence(audit, names[3], "bad_list")
    folder.row(names[0])["EF"] = 61.5
    for row in folder.rows:
        row["EF"] = '"{}"'.format(
            str(row["EF"]).replace(".", ",")
        )  # as a German spreadsheet has it
    audit = audit_folder(folder.write(tmp_path / "comma"))
    [told] = [f.evidence for f in audit.findings if f.item == "FileList.csv"]
    assert told.startswith("10 cells of EF hold no number, such as '61,5'")


def test_where_the_clips_may_lie_and_how_they_are_spelt(clean, tmp_path):
    path = clean.write(tmp_path / "e")
    (path / "Videos").rename(path / "videos")
    assert found(audit_folder(path)) == set()
    for clip in (path / "videos").iterdir():
        clip.rename(path / clip.name)
    (path / "videos").rmdir()
    assert found(audit_folder(path)) == set()
    name = clean.names[0]
    (path / f"{name}.avi").rename(path / f"{name.lower()}.AVI")
    audit = audit_folder(path)
    assert found(audit) == {(name, "missing_file"), (name.lower(), "unlisted")}
    assert f"'{name.lower()}' differs by case" in evidence(audit, name, "missing_file")


def test_a_folder_of_data_sets(clean, tmp_path):
    for name in ("A4C", "PSAX"):
        folders.write_pediatric(deepcopy(clean), tmp_path / name)
    with pytest.raises(AnnostatError, match="several data sets, A4C, PSAX: audit one of them"):
        audit_folder(tmp_path)


# Journals


def test_a_journal_that_was_changed_is_measured_again(clean, tmp_path):
    videos = clean.write(tmp_path / "e") / "Videos"
    tasks = [Task(p.stem, p) for p in sorted(videos.iterdir())]
    journal = tmp_path / "j.jsonl"
    whole = measure_all(tasks, journal=journal)
    lines = journal.read_text().splitlines()

    def without_sum(line):
        return json.dumps({k: v for k, v in json.loads(line).items() if k != "sum"})

    changes = [
        lines[0].replace('"n_frames":20', '"n_frames":21', 1),
        lines[1].replace('"error":null', '"error":"x"'),
        without_sum(lines[2]),
        json.dumps(json.loads(lines[3])),  # the same, but not as it was written
        lines[4].replace(tasks[4].item, tasks[5].item),
    ]
    for k, changed in enumerate(changes):
        assert changed != lines[k]
        journal.write_text("\n".join([*lines[:k], changed, *lines[k + 1 :]]) + "\n")
        known = read_journal(journal, tasks)
        assert set(known) == {t.item for t in tasks} - {tasks[k].item}
        assert measure_all(tasks, journal=journal) == whole


# Names


def test_printable_text():
    assert printable("Łódź 心臓 👩‍⚕️ a\u200cb") == "Łódź 心臓 👩‍⚕️ a\u200cb"
    assert printable("a\tb\n\x9b\u2028") == r"a\x09b\x0a\x9b\u2028"
    assert printable("a\nb", keep="\n") == "a\nb"
    assert printable(os.fsdecode(b"caf\xe9")) == r"caf\xe9"
    assert "\x1b" not in str(AnnostatError(f"no {NASTY}"))


def test_names_of_any_bytes_stop_nothing_and_reach_no_terminal(run, clean, tmp_path, monkeypatch):
    root = tmp_path / "e"
    (root / NASTY).mkdir(parents=True)
    names = [b"caf\xe9", NASTY.encode(), b"two\nlines", b"plain"]
    for name, clip in zip(names, clean.names, strict=False):
        path = os.path.join(
            os.fsencode(root), b"" if name == b"plain" else NASTY.encode(), name + b".avi"
        )
        frames = clean.clips[clip].copy()
        frames[5] = 0
        folders.write_clip(tmp_path / "w.avi", frames)
        os.replace(tmp_path / "w.avi", path)
    with open(os.path.join(os.fsencode(root), b"broken\x1b\xff.avi"), "wb") as stream:
        stream.write(b"RIFF")
    monkeypatch.chdir(tmp_path)
    code, out, err = run(
        "audit",
        "e",
        "-o",
        "c.csv",
        "--json",
        "a.json",
        "--plot",
        "s.png",
        "--plot-rates",
        "r.svg",
        "--report",
        "p.html",
    )
    assert (code, err) == (0, "")
    assert not CONTROL.search(out) and r"caf\xe9" in out and r"\x1b[31mred" in out
    for name in ("c.csv", "a.json", "p.html", "r.svg"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert not CONTROL.search(text), name
    audit = audit_folder("e", journal="e.audit.jsonl")
    assert audit.n_resumed == 5 and audit.reasons == {"undecodable": 1, "black": 4}
    items = set(audit.table["item"])
    assert rf"{printable(NASTY)}/caf\xe9" in items and r"broken\x1b\xff" in items
    assert "$x$ ^_" in (tmp_path / "p.html").read_text()


def test_names_in_lists_and_lists_of_names(clean, tmp_path):
    folder = deepcopy(clean)
    old, new = folder.names[0], "\x1b[2Jgone"
    folder.row(old)["FileName"] = new
    folder.clips[new] = folder.clips.pop(old)
    folder.traces = [(new if n == old else n, f, s) for n, f, s in folder.traces]
    audit = audit_folder(folder.write(tmp_path / "e"))
    assert found(audit) == set() and printable(new) in set(audit.table["item"])
    assert not CONTROL.search(make_report([audit], title="t"))


def test_names_of_masks(run, tmp_path):
    rng = np.random.default_rng(0)
    for name in ("anna", NASTY):
        (tmp_path / name).mkdir()
        for k in range(3):
            mask = np.zeros((1, 20, 20), np.uint8)
            mask[:, 4 : 12 + rng.integers(3), 4:15] = 1
            np.savez(tmp_path / name / f"{NASTY}{k}.npz", mask)
    sources = [tmp_path / "anna", tmp_path / NASTY]
    rounds = read_masks(sources)
    assert rounds.names == ("anna", printable(NASTY))
    code, out, err = run("masks", *sources, "--plot", tmp_path / "p.svg", "--json", tmp_path / "j")
    assert (code, err) == (0, "") and not CONTROL.search(out)
    for name in ("p.svg", "j"):
        assert not CONTROL.search((tmp_path / name).read_text(encoding="utf-8"))
    code, out, err = run("masks", *sources, "--raters", "anna", NASTY + "x")
    assert code == 2 and not CONTROL.search(err.rstrip("\n")) and err.count("\n") == 1


def test_tables_beside_a_folder_that_belong_to_another(run, clean, tmp_path):
    path = clean.write(tmp_path / "e")
    table = tmp_path / "p.csv"
    values = np.linspace(0.1, 0.5, 10)

    def prompts(names):
        rows = "".join(f"{n},{v}\n" for n, v in zip(names, values, strict=False))
        table.write_text("clip,foreshortened\n" + rows)

    prompts([*clean.names[:8], "other1", "other2"])
    args = ("audit", path, "--journal", tmp_path / "j", "--prompts", table)
    code, out, _ = run(*args)
    assert code == 0 and "prompts: 2 of 10 items are not in the folder." in out
    code, out, _ = run(*args, "--json", "-")
    assert json.loads(out)["read"][1].startswith("prompts: 2 of 10")
    prompts([f"other{k}" for k in range(10)])
    code, out, err = run(*args)
    assert (code, out) == (2, "") and "none of its 10 items is in the folder" in err


def test_names_that_begin_a_formula(run, clean, tmp_path):
    names = ["=HYPERLINK(1)", "-x", "+1", "@a", "plain"]
    (tmp_path / "e").mkdir()
    for name, clip in zip(names, clean.names, strict=False):
        frames = clean.clips[clip].copy()
        frames[5] = 0
        folders.write_clip(tmp_path / "e" / f"{name}.avi", frames)
    audit = audit_folder(tmp_path / "e")
    audit.write_corrupted(tmp_path / "c.csv")
    rows = (tmp_path / "c.csv").read_text().splitlines()[1:]
    assert {r.split(",")[0] for r in rows} == {"'=HYPERLINK(1)", "'-x", "+1", "'@a", "plain"}
    assert set(read_item_column(tmp_path / "c.csv", "exclude")) >= {*names} - {"+1"}
