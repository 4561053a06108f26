"""Where outputs go: links, modes, FIFOs, devices, and never in place of what is read."""

import os
import stat
import subprocess
import sys
import threading

import numpy as np
import pytest

from annostat import simulate_masks
from annostat.errors import AnnostatError
from annostat.files import (
    claim,
    one_run,
    plain_cell,
    reading,
    safe_cell,
    write_text,
    write_whole,
)
from tests import folders

TABLE = "clip,first,second\n" + "".join(f"c{i},{i % 7},{(i + i % 3) % 7}\n" for i in range(30))
BOUNDS = ["bounds", "--item", "clip", "--rounds", "first", "second", "--resamples", "100"]


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_link_is_followed_and_the_mode_kept(tmp_path):
    real, link, far = tmp_path / "real", tmp_path / "link", tmp_path / "far"
    real.write_text("before, and longer than what comes")
    real.chmod(0o640)
    link.symlink_to("real")
    far.symlink_to(link)
    write_text(far, "now")
    assert real.read_text() == "now" and link.is_symlink() and far.is_symlink()
    assert mode(real) == 0o640
    write_text(tmp_path / "fresh", "x")
    mask = os.umask(0)
    os.umask(mask)
    assert mode(tmp_path / "fresh") == 0o666 & ~mask
    (tmp_path / "dangling").symlink_to("later")
    write_text(tmp_path / "dangling", "x")
    assert (tmp_path / "later").read_text() == "x" and (tmp_path / "dangling").is_symlink()


def test_what_cannot_be_replaced(tmp_path):
    with pytest.raises(AnnostatError, match="is a folder"):
        write_text(tmp_path, "x")
    long = tmp_path / ("x" * 250)
    write_text(long, "x")
    assert long.read_text() == "x"
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(AnnostatError, match="cannot be written"):
        write_text(tmp_path / "loop" / "x", "x")
    kept = tmp_path / "kept"
    kept.write_text("kept")
    kept.chmod(0o444)
    if os.geteuid():  # who is root may write everywhere
        with pytest.raises(AnnostatError, match="write-protected"):
            write_text(kept, "x")


def test_fifos_and_devices_stay_what_they_are(tmp_path, monkeypatch):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    got = []
    reader = threading.Thread(target=lambda: got.append(fifo.read_bytes()))
    reader.start()
    write_whole(fifo, lambda s: np.savez(s, np.arange(5)))  # which seeks
    reader.join(timeout=30)
    assert got[0].startswith(b"PK") and stat.S_ISFIFO(fifo.stat().st_mode)
    monkeypatch.setattr("annostat.files.PATIENCE", 0.1)
    with pytest.raises(AnnostatError, match="nobody reads from it"):
        write_text(fifo, "x")
    write_text("/dev/null", "x")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    (tmp_path / "null").symlink_to("/dev/null")
    write_text(tmp_path / "null", "x")
    assert (tmp_path / "null").is_symlink()


def test_standard_output_by_its_name_keeps_the_order(tmp_path):
    code = (
        "from annostat.files import write_text\n"
        "print('first', end=' '); write_text('/dev/stdout', 'second '); print('third')"
    )
    with (tmp_path / "out").open("wb") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, check=True, timeout=60)
    assert (tmp_path / "out").read_text() == "first second third\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60)
    assert done.stdout == b"first second third\n"
    code = "import sys; from annostat.files import write_text; write_text(sys.argv[1], 'there')"
    end, start = os.pipe()
    command = [sys.executable, "-c", code, f"/dev/fd/{start}"]
    subprocess.run(command, pass_fds=[start], check=True, timeout=60)
    assert os.read(end, 10) == b"there"
    os.close(end), os.close(start)


def test_a_run_keeps_its_inputs_and_outputs_apart(tmp_path):
    table, alias, hard = (tmp_path / n for n in ("t.csv", "alias", "hard"))
    table.write_text("kept")
    alias.symlink_to(table)
    os.link(table, hard)
    with one_run():
        reading(table)
        for name in (table, alias, hard, tmp_path / "." / "t.csv"):
            with pytest.raises(AnnostatError, match="input of this run"):
                write_text(name, "lost")
        write_text(tmp_path / "a.json", "x")
        (tmp_path / "b.json").symlink_to("a.json")
        for name in ("a.json", "b.json"):
            with pytest.raises(AnnostatError, match="two outputs of this run are one file"):
                write_text(tmp_path / name, "y")
        for _ in range(2):
            write_text("/dev/null", "x")
        claim(tmp_path / "journal")
        with pytest.raises(AnnostatError, match="one file"):
            write_text(tmp_path / "journal", "x")
    assert table.read_text() == "kept" and (tmp_path / "a.json").read_text() == "x"
    with one_run():  # another run may
        write_text(tmp_path / "a.json", "y")
    write_text(table, "from Python, whoever wants to")
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "a.json",
        "alias",
        "b.json",
        "hard",
        "t.csv",
    ]


@pytest.mark.parametrize("flag", ["--json", "--plot"])
def test_a_command_refuses_to_replace_its_table_before_it_works(run, tmp_path, flag):
    table = tmp_path / "t.csv"
    table.write_text(TABLE)
    (tmp_path / "link.png").symlink_to(table)
    for name in ("t.csv", "link.png"):
        code, out, err = run(*BOUNDS, table, flag, tmp_path / name)
        assert (code, out) == (2, "") and err.count("\n") == 1
        assert f"{flag} " in err and "input of this run" in err
    code, out, err = run(*BOUNDS, table, "--json", tmp_path / "a", "--plot", tmp_path / "a")
    assert (code, out) == (2, "") and "are one file" in err
    assert table.read_text() == TABLE and not (tmp_path / "a").exists()


def test_outputs_that_cannot_be_are_told_before_the_work(run, tmp_path, monkeypatch):
    def never(*_, **__):
        raise AssertionError

    monkeypatch.setattr("annostat.datasets.audit.audit_folder", never)
    monkeypatch.setattr("annostat.truth.compare_masks", never)
    (tmp_path / "file").write_text("x")
    cases = [
        (("--json", tmp_path), "it is a folder"),
        (("--json", tmp_path / "none" / "x"), "cannot be written: there is no folder"),
        (("--json", tmp_path / "file" / "x"), "cannot be written: there is no folder"),
        (("--plot", tmp_path / "x.docx"), "x.docx: figures are written as"),
        (("--plot", tmp_path / "x"), "x: say by its ending what figure is to be written: x.png"),
    ]
    for args, words in cases:
        for command in (("audit", tmp_path), ("masks", "--example", "lidc-masks")):
            code, out, err = run(*command, *args)
            assert (code, out) == (2, "") and words in err and err.count("\n") == 1, err


def test_masks_and_audit_keep_what_they_read(run, tmp_path, monkeypatch):
    drawn, _ = simulate_masks(6, 2, noise_px=1.5, rng=1, shape=(32, 32), radius_px=(5, 9))
    for name, values in zip(("anna", "ben"), drawn.values, strict=True):
        (tmp_path / name).mkdir()
        np.savez(tmp_path / name / "c.npz", values)
    before = (tmp_path / "anna" / "c.npz").read_bytes()
    code, _, err = run(
        "masks", tmp_path / "anna", tmp_path / "ben", "--consensus", tmp_path / "anna" / "c.npz"
    )
    assert code == 2 and "input of this run" in err
    assert (tmp_path / "anna" / "c.npz").read_bytes() == before
    echo = folders.EchoFolder.make(2, size=32, n_frames=8).write(tmp_path / "e")
    monkeypatch.chdir(tmp_path)
    listed = (echo / "FileList.csv").read_bytes()
    for place in (echo / "FileList.csv", next((echo / "Videos").iterdir()), "e.audit.jsonl"):
        code, out, err = run("audit", "e", "-o", place)
        told = err.splitlines()[-1]  # after what an earlier run had measured
        assert (code, out) == (2, "") and told.startswith("annostat: error: ")
        assert "input of this run" in told or "one file" in told
    for place in (echo / "FileList.csv", next((echo / "Videos").iterdir())):
        code, out, err = run("audit", "e", "--journal", place)
        assert (code, out) == (2, "") and err.count("\n") == 1, err
    assert (echo / "FileList.csv").read_bytes() == listed
    assert run("audit", "e", "-o", "found.csv")[0] == 0


@pytest.mark.parametrize("text", ["=1+1", "-x", "+cmd|' /C calc'!A0", "@SUM(A1)", "\tx", "'=1"])
def test_cells_that_begin_a_formula(text):
    assert not safe_cell(text).startswith(("=", "+", "-", "@", "\t"))
    assert plain_cell(safe_cell(text)) == text


@pytest.mark.parametrize("text", ["-5.2", "+3", "-1e5", "-inf", "case 1", "", "'quoted'"])
def test_cells_that_stay_as_they_are(text):
    assert safe_cell(text) == text == plain_cell(text)
