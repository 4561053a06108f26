"""The walls of the house: what may import what, and what the repository may speak of."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = [
    ["_version", "errors", "arrays", "lazy"],
    ["files", "jit", "results"],
    ["resampling"],
    ["labels"],
    ["tables"],
    ["masks"],
    ["noise", "agreement", "consensus"],
    ["ceilings"],
    ["truth", "concentration", "scaling"],
    ["cardiac", "simulate", "rounds", "estimates"],
    ["datasets"],
    ["plotting"],
    ["report"],
    ["cli"],
]


def test_import_is_light():
    code = (
        "import sys, annostat; heavy = {'matplotlib','click','torch','numba','pandas','scipy'}"
        " & set(sys.modules); sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def imported(path):
    """Yield the dotted names that a module imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield str(node.module)


def test_imports_run_one_way():
    level = {name.strip("_"): i for i, names in enumerate(LAYERS) for name in names}
    for path in (ROOT / "annostat").rglob("*.py"):
        part = path.relative_to(ROOT / "annostat").parts[0].removesuffix(".py").strip("_")
        if part in ("init", "main"):
            continue
        for name in imported(path):
            top, *rest = name.split(".")
            assert top not in ("models", "analysis", "tests"), path
            assert top != "matplotlib" or part == "plotting", path
            assert top != "click" or part == "cli", path
            if top == "annostat" and rest:
                other = rest[0].strip("_")
                assert other == part or level[other] <= level[part], (path, name)


DEFAULTS = {"level": 0.95, "n_resamples": 2000, "n_jobs": 1}


def test_an_option_has_one_default_everywhere():
    seen = set()
    for part in ("", "agreement", "cardiac", "ceilings", "concentration", "masks", "noise",
                 "scaling", "truth"):  # fmt: skip
        module = importlib.import_module(f"annostat.{part}".rstrip("."))
        for name in module.__all__:
            function = getattr(module, name)
            if inspect.isfunction(function):
                seen.add(function)
    for function in seen:
        for name, parameter in inspect.signature(function).parameters.items():
            if parameter.default is not parameter.empty:
                assert parameter.default == DEFAULTS.get(name, parameter.default), function
    assert len(seen) > 40


def test_repository_stands_alone():
    forbidden = ["../" + "shared", "/" + "work/", "/" + "root/", "/" + "home/", "/" + "Users/"]
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    for path in (ROOT / name for name in listed.stdout.splitlines()):
        if path.suffix not in {".gz", ".png"} and path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            assert not [w for w in forbidden if w in text], path
