"""The rooms of `models`: what may import what, and how long a file may be."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "models").rglob("*.py"))
ALLOWED = {
    "world": {"world"},
    "network": {"network"},
    "data": {"world", "network", "data"},
}


def name_of(path):
    """Return the dotted name of a module."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path):
    """Yield the modules of `models` that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "models":
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in NAMES else node.module
        elif isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.split(".")[0] == "models")


NAMES = {name_of(path) for path in FILES}
GRAPH = {name_of(path): set(imports(path)) for path in FILES}


@pytest.mark.parametrize("room", ALLOWED)
def test_rooms_import_one_way(room):
    for name, found in GRAPH.items():
        if name.split(".")[1:2] == [room]:
            other = {m for m in found if m.split(".")[1:2][0] not in ALLOWED[room]}
            assert not other, f"{name} imports {other}"


def test_no_circle_of_imports():
    done, path = set(), []

    def visit(name):
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name in done:
            return
        path.append(name)
        for other in GRAPH.get(name, ()):
            visit(other)
        done.add(path.pop())

    for name in GRAPH:
        visit(name)


def test_files_are_short():
    for path in FILES:
        assert len(path.read_text(encoding="utf-8").splitlines()) < 500, path


def test_every_module_can_be_imported_first():
    code = "import importlib, sys; importlib.import_module(sys.argv[1])"
    for name in ("models.data.teachers", "models.network.predict", "models.world.annotators"):
        subprocess.run([sys.executable, "-c", code, name], check=True, cwd=ROOT)
