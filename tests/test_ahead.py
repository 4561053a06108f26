"""The kernels are compiled in two processes when there is no cache of them."""

import subprocess
import sys

import pytest

from annostat import NoiseModel, jit, simulate_rounds
from annostat.noise import ahead, compare_noise, kernels

pytestmark = pytest.mark.skipif(jit.OFF, reason="kernels run as plain Python")
OTHERS = [kernel.__name__ for kernel, types in ahead.tasks() if types is not None]


def test_what_is_compiled_ahead_is_what_fits_call():
    # In another process, where nothing has been called yet.
    done = subprocess.run(
        [sys.executable, "-c", "from tests import test_ahead as t; t.compare()"],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()


def compare():
    ahead.compile_all(ahead.tasks())
    before = {name: list(getattr(kernels, name).overloads) for name in OTHERS}
    rounds = simulate_rounds(NoiseModel("laplace", {"scale": 2.0}), 60, rng=1)
    compare_noise(rounds, cores=["laplace", "gaussian"], n_tests=9)
    for name, known in before.items():
        assert list(getattr(kernels, name).overloads) == known and len(known) == 1, name


def test_only_without_a_cache(tmp_path, monkeypatch):
    empty = type("Stats", (), {"cache_path": str(tmp_path)})
    monkeypatch.setattr(type(kernels.refit_counts), "stats", empty)
    monkeypatch.setattr(ahead.os, "cpu_count", lambda: 2)
    assert ahead.worthwhile()
    monkeypatch.setattr(ahead.os, "cpu_count", lambda: 1)
    assert not ahead.worthwhile()
    monkeypatch.setattr(ahead.os, "cpu_count", lambda: 2)
    (tmp_path / "refit.refit_counts-1.py311.nbi").touch()
    assert not ahead.worthwhile()
    monkeypatch.setattr(empty, "cache_path", None)
    assert not ahead.worthwhile()


def test_the_other_process_has_the_same_annostat(tmp_path):
    # In a checkout beside an installed package, Python would take what lies in the folder.
    (tmp_path / "annostat").mkdir()
    (tmp_path / "annostat" / "__init__.py").write_text("raise SystemExit('another one')")
    done = subprocess.run(ahead.command(), cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_another_process_that_fails_does_no_harm(monkeypatch):
    monkeypatch.setattr(ahead, "worthwhile", lambda: True)
    monkeypatch.setattr(ahead, "command", lambda: [sys.executable, "-c", "raise SystemExit(1)"])
    with ahead.compiled_ahead() as compiled:
        compiled()
    assert kernels.evaluate.compiled is not None


def test_an_error_ends_the_other_process(monkeypatch):
    monkeypatch.setattr(ahead, "worthwhile", lambda: True)
    monkeypatch.setattr(
        ahead, "command", lambda: [sys.executable, "-c", "import time; time.sleep(600)"]
    )
    with pytest.raises(KeyError), ahead.compiled_ahead():
        raise KeyError("no such column")
