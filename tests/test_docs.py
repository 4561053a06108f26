"""The documentation says what the code does."""

import ast
import importlib.util
import re
import shlex
import shutil
from pathlib import Path

import pandas as pd
import pytest

from annostat.ceilings.floors import QUANTITIES as OF_BOUNDS
from annostat.cli import main
from annostat.interchange.places import QUANTITIES as OF_PLACES
from annostat.noise import ABANDONMENTS, FAMILIES
from annostat.truth.result import QUANTITIES as OF_MODELS

ROOT = Path(__file__).parent.parent


def families_page():
    """Return docs/families.md as the families declare themselves."""
    lines = [
        "# Families of the core",
        "",
        "Each law is symmetric on the whole numbers; the first parameter is its scale.",
        "",
        "| `--core` | law | weight of x ≥ 0 | parameters |",
        "|---|---|---|---|",
    ]
    for f in FAMILIES.values():
        names = ", ".join(
            f"`{p.name}` ({p.meaning}; {p.low:g} to {p.high:g})" for p in f.parameters
        )
        formula = f.formula.replace("|", "\\|")
        lines.append(f"| `{f.name}` | {f.label} | {formula} | {names} |")
    lines += [
        "",
        "## Giving up",
        "",
        "With a rate ε, a pick may be wide of all that: the annotator gave up.",
        "",
        "| `--abandonment` | who gives up | share of ε alone | share of ε together |",
        "|---|---|---|---|",
    ]
    for way in ABANDONMENTS.values():
        lines.append(f"| `{way.name}` | {way.meaning} | {way.alone:g} | {way.together:g} |")
    return "\n".join(lines) + "\n"


ROLES = {"floor": "Floor. ", "ceiling": "Ceiling. ", "reference": "No bound. "}
UNITS = {"labels": "of the labels", "square": "its square", "none": "none"}


OF_COMMANDS = {"bounds": OF_BOUNDS, "score": OF_MODELS, "interchange": OF_PLACES}


def quantities_page():
    """Return docs/quantities.md as the quantities declare themselves."""
    lines = [
        "# Every number",
        "",
        "What `bounds`, `score` and `interchange` print, write as JSON and return as a frame,",
        "under one name each. An interval rests on an outcome of the [study](calibration.md).",
    ]
    for command, quantities in OF_COMMANDS.items():
        lines += ["", f"## `annostat {command}`", ""]
        lines += ["| name | in tables | unit | what it is | rests on |", "|---|---|---|---|---|"]
        for q in quantities:
            what = ROLES.get(q.role, "") + q.meaning
            rests = q.calibrated.removeprefix("interval: ")
            if q.few:
                rests += f"; below 30 items {q.few.removeprefix('interval: ')}"
            lines.append(f"| `{q.key}` | {q.label} | {UNITS[q.unit]} | {what} | {rests} |")
    return "\n".join(lines) + "\n"


def test_page_of_quantities_is_current():
    page = (ROOT / "docs" / "quantities.md").read_text(encoding="utf-8")
    assert page == quantities_page()


def test_families_page_is_current():
    assert (ROOT / "docs" / "families.md").read_text(encoding="utf-8") == families_page()


PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def pages_with_code():
    """Yield the pages with code that runs: blocks marked ``python`` or ``sh``."""
    for page in PAGES:
        blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
        if blocks:
            yield pytest.param(blocks, id=page.name)


@pytest.mark.parametrize("blocks", list(pages_with_code()))
def test_code_of_the_documentation_runs(blocks, tmp_path, monkeypatch, capsys):
    for table in (ROOT / "docs" / "data").glob("*.csv"):
        shutil.copy(table, tmp_path)
    monkeypatch.chdir(tmp_path)
    names = {}
    for language, code in blocks:
        if language == "python":
            exec(compile(code, "<documentation>", "exec"), names)
            continue
        for line in code.replace("\\\n", " ").splitlines():
            program, *args = shlex.split(line, comments=True)
            assert program == "annostat", line
            main(args)
            assert capsys.readouterr().out or "-o" in args, line


def test_simulated_tables_are_current(monkeypatch):
    spec = importlib.util.spec_from_file_location("make", ROOT / "docs" / "data" / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    tables = {
        "picks": make.picks(),
        "ef": make.ejection_fractions(),
        "errors": make.errors().drop(columns="swapped"),
        "teams": make.teams(),
    }
    for name, table in tables.items():
        kept = pd.read_csv(ROOT / "docs" / "data" / f"{name}.csv")
        pd.testing.assert_frame_equal(kept, table)


def test_every_public_module_has_its_place_in_the_api():
    listed = set(re.findall(r"^   annostat\.(\w+)$", (ROOT / "docs" / "api.md").read_text(), re.M))
    inside = {
        "arrays",
        "cli",
        "estimates",  # the old names of what has moved
        "files",
        "jit",
        "once",
        "rounds",
        "_names",
        "_version",
        "__main__",
        "__init__",
    }
    modules = {
        p.stem
        for p in (ROOT / "annostat").iterdir()
        if p.suffix == ".py" or (p / "__init__.py").exists()
    }
    assert listed == modules - inside


def test_every_invariant_of_the_theory_has_a_random_test():
    """The list of docs/theory.md; the docstring of a property says which number it holds."""
    page = (ROOT / "docs" / "theory.md").read_text(encoding="utf-8").split("## Ten invariants")[1]
    listed = {int(n) for n in re.findall(r"^(\d+)\. ", page, re.M)}
    held = set()
    for path in (ROOT / "tests").glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and any(
                isinstance(d, ast.Call) and ast.unparse(d.func) == "given"
                for d in node.decorator_list
            ):
                text = ast.get_docstring(node) or ""
                held |= {int(n) for n in re.findall(r"Invariant (\d+)", text)}
    assert held == listed == set(range(1, 11))
