"""Where it has to run: odd paths, odd locales, no cache, no space, no permission, a kill."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas
import pytest

from annostat import AnnostatError, read_rounds
from annostat.datasets import audit_folder, read_masks
from annostat.datasets.audit import measuring
from annostat.files import write_text, write_whole
from tests.conftest import hear_interrupts

TABLE = "clip,first,second\n" + "".join(f"c{i},{i},{i + i % 3}\n" for i in range(40))
FIT = (
    "fit-afd",
    "--item",
    "clip",
    "--rounds",
    "first",
    "second",
    "--core",
    "laplace",
    "--abandonment",
    "none",
    "--resamples",
    "9",
)


def annostat(*args, env=None, **options):
    return subprocess.run(
        [sys.executable, "-m", "annostat", *map(str, args)],
        capture_output=True,
        env=os.environ | (env or {}),
        timeout=600,
        **options,
    )


def test_paths_with_spaces_and_accents(tmp_path):
    folder = tmp_path / "données d'été – 心臓"
    folder.mkdir()
    table = folder / "two rounds.csv"
    table.write_text(TABLE)
    done = annostat(
        "fit-afd",
        table,
        *FIT[1:],
        "--json",
        folder / "résultat.json",
        "--plot",
        folder / "figure à voir.png",
    )
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads((folder / "résultat.json").read_text(encoding="utf-8"))["n_items"] == 40
    assert (folder / "figure à voir.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_that_cannot_show_it(tmp_path, encoding):
    table = tmp_path / "t.csv"
    table.write_text(TABLE)
    env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": encoding}
    done = annostat(*FIT[:1], table, *FIT[1:], env=env)
    assert done.returncode == 0, done.stderr.decode(encoding)
    assert b"Noise of one annotation" in done.stdout


def test_no_place_for_a_cache(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text(TABLE)
    blocked = tmp_path / "blocked"
    blocked.write_text("a file, not a folder")
    env = {"NUMBA_CACHE_DIR": str(blocked / "cache"), "HOME": str(blocked)}
    done = annostat("fit-afd", table, *FIT[1:], env=env)
    assert done.returncode == 0, done.stderr.decode()


def test_no_place_for_a_cache_at_all(tmp_path):
    # A package that cannot be written to, and no home: numba finds none.
    table = tmp_path / "t.csv"
    table.write_text(TABLE)
    code = (
        "from numba.core import caching\n"
        "for kind in list(vars(caching).values()):\n"
        "    if hasattr(kind, '_locator_classes'): kind._locator_classes = []\n"
        "from annostat.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, FIT[0], table, *FIT[1:]],
        capture_output=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert b"Noise of one annotation" in done.stdout


def test_a_full_disk_is_one_line(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text(TABLE)
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "annostat", "fit-afd", str(table), *FIT[1:], "--json", "-"],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=600,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == b"annostat: error: cannot write: No space left on device\n"


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text(TABLE)
    command = f"{sys.executable} -m annostat fit-afd {table} {' '.join(FIT[1:])} | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, timeout=600, check=False)
    assert done.stdout.startswith(b"Read    t.csv: 40 items") and done.stderr == b""


def test_a_folder_that_refuses(tmp_path):
    with pytest.raises(AnnostatError, match="missing"):
        write_text(tmp_path / "missing" / "x.json", "{}")


def test_half_a_file_is_never_seen(tmp_path):
    target = tmp_path / "out.json"
    target.write_text("before")

    def fails(stream):
        stream.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises((AnnostatError, OSError), match="space"):
        write_whole(target, fails)
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_a_kill_leaves_the_old_file(tmp_path):
    code = (
        "import sys, time; from annostat.files import write_whole\n"
        "def slow(stream):\n"
        "    stream.write(b'half'); stream.flush(); print('now', flush=True); time.sleep(60)\n"
        "write_whole(sys.argv[1], slow)"
    )
    target = tmp_path / "out.json"
    target.write_text("before")
    child = subprocess.Popen([sys.executable, "-c", code, str(target)], stdout=subprocess.PIPE)
    assert child.stdout.readline().strip() == b"now"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert target.read_text() == "before"


OUTPUTS = [("--json", "o.json"), ("--plot", "o.png")]
BOUNDS = ("bounds", "--item", "clip", "--rounds", "first", "second", "--resamples", "100")


@pytest.mark.parametrize(("flag", "name"), OUTPUTS)
def test_a_command_killed_while_it_writes(tmp_path, flag, name):
    """The process dies when all is written but for the last step: the old file stands whole."""
    table, target = tmp_path / "t.csv", tmp_path / name
    table.write_text(TABLE)
    target.write_text("before")
    code = (
        "import os, sys\n"
        "real = os.replace\n"
        "def last(a, b): os.kill(os.getpid(), 9) if str(b) == sys.argv[-1] else real(a, b)\n"
        "os.replace = last\n"
        "from annostat.cli import main\n"
        "main(sys.argv[1:])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *BOUNDS, str(table), flag, str(target)],
        capture_output=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert target.read_text() == "before"


@pytest.mark.parametrize(("flag", "name"), OUTPUTS)
def test_a_file_system_that_takes_no_more(tmp_path, flag, name):
    resource = pytest.importorskip("resource", reason="needs POSIX limits")
    table, target = tmp_path / "t.csv", tmp_path / name
    table.write_text(TABLE)
    full = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))  # noqa: E731
    done = annostat(*BOUNDS, table, flag, target, preexec_fn=full)
    message = f"annostat: error: {str(target)!r} cannot be written: File too large\n"
    assert (done.returncode, done.stderr.decode()) == (2, message)
    assert list(tmp_path.iterdir()) == [table]


@pytest.mark.parametrize(("flag", "name"), OUTPUTS)
def test_a_folder_that_is_read_only(tmp_path, flag, name):
    table, folder = tmp_path / "t.csv", tmp_path / "folder"
    table.write_text(TABLE)
    folder.mkdir(mode=0o555)
    command = [sys.executable, "-m", "annostat", *BOUNDS, str(table), flag, str(folder / name)]
    if os.geteuid() == 0:  # who may write everywhere gives that right up
        if shutil.which("setpriv") is None:
            pytest.skip("root writes everywhere, and there is no setpriv")
        command = ["setpriv", "--bounding-set=-dac_override", *command]
    done = subprocess.run(command, capture_output=True, timeout=600, check=False)
    assert done.returncode == 2 and list(folder.iterdir()) == []
    message = f"annostat: error: {str(folder / name)!r} cannot be written: Permission denied"
    assert done.stderr.decode() == message + "\n"


def vanishing(monkeypatch, owner, name, victim):
    """Make a function delete a file before it reads it."""
    real = getattr(owner, name)

    def gone(*args, **options):
        victim.unlink(missing_ok=True)
        return real(*args, **options)

    monkeypatch.setattr(owner, name, gone)


def test_a_table_that_vanishes_while_it_is_read(tmp_path, monkeypatch):
    table = tmp_path / "t.csv"
    table.write_text(TABLE)
    vanishing(monkeypatch, pandas, "read_csv", table)
    with pytest.raises(AnnostatError, match=r"t\.csv"):
        read_rounds(table, item="clip", rounds=["first", "second"])


def test_masks_that_vanish_while_they_are_read(tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        np.savez(tmp_path / name / "clip.npz", frames=np.array([1]), masks=np.ones((1, 4, 4), "u1"))
    vanishing(monkeypatch, np, "load", tmp_path / "b" / "clip.npz")
    with pytest.raises(AnnostatError, match=r"clip\.npz"):
        read_masks([tmp_path / "a", tmp_path / "b"], kind="uint8")


def test_a_clip_that_vanishes_during_the_audit(tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / f"{name}.avi").write_bytes(b"RIFF")
    vanishing(monkeypatch, measuring, "measure", tmp_path / "b.avi")
    found = audit_folder(tmp_path)
    lost = [f.evidence for f in found.findings if f.item == "b"]
    assert len(lost) == 1 and "there is no file" in lost[0]


def test_an_interrupt_is_one_line(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("a,b\n" + "".join(f"{i},{i + i % 7}\n" for i in range(3000)))
    given = ["fit-afd", str(table), "--rounds", "a", "b", "--ci", "bootstrap"]
    given += ["--resamples", "200000", "--n-jobs", "1"]
    ready = "import annostat.noise.compare; print('ready', flush=True)"  # what is slow to import
    child = subprocess.Popen(
        [sys.executable, "-c", f"{ready}; from annostat.cli import main; main({given!r})"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=hear_interrupts,
    )
    assert child.stdout.readline() == b"ready\n"
    time.sleep(3)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 130 and out == b""
    assert b"Traceback" not in err and b"stopped" in err
