"""The walls of the house: what may import what, and what the repository may speak of."""

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_import_is_light():
    code = (
        "import sys, annostat; heavy = {'matplotlib','click','torch','numba','pandas','scipy'}"
        " & set(sys.modules); sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def public_names(module):
    """Return the names that a module offers: `__all__`, its own or that of its package."""
    return set(getattr(importlib.import_module(module), "__all__", ()))


@pytest.mark.parametrize("folder", ["analysis", "models"])
def test_what_runs_from_a_checkout_uses_public_names(folder):
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ImportFrom) or not str(node.module).startswith("annostat"):
                continue
            names = {alias.name for alias in node.names}
            assert names <= public_names(node.module), (path, node.module, names)


def test_repository_stands_alone():
    forbidden = ["../" + "shared", "/" + "work/", "/" + "root/", "/" + "home/", "/" + "Users/"]
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    for path in (ROOT / name for name in listed.stdout.splitlines()):
        if path.suffix not in {".gz", ".png"} and path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            assert not [w for w in forbidden if w in text], path


WHEN_NUMPY_IS_LOADED = """
import os, sys
class Watch:
    def find_spec(self, name, *_):
        if name == "numpy":
            print(os.environ.get("OPENBLAS_NUM_THREADS"))
sys.meta_path.insert(0, Watch())
import annostat.cli
"""


def test_a_command_starts_no_threads_of_blas():
    for given, expected in (({}, "1"), ({"OPENBLAS_NUM_THREADS": "3"}, "3")):
        env = {k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"} | given
        told = subprocess.run(
            [sys.executable, "-c", WHEN_NUMPY_IS_LOADED], env=env, capture_output=True, text=True
        )
        assert told.stdout.strip() == expected, told.stderr
