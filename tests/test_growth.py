"""The growth suite runs, and knows every public function; what it measures is not tested here."""

from __future__ import annotations

import importlib
import inspect
import json
import re

import pytest

from tests.bench import works
from tests.bench.growth import measure
from tests.bench.growth.case import Case
from tests.bench.growth.cases import CASES, OF_NO_SIZE

ROOMS = (
    "agreement cardiac ceilings concentration consensus interchange labels masks noise planning "
    "scaling simulate study tables truth"
).split()


def public_functions():
    for room in ROOMS:
        module = importlib.import_module(f"annostat.{room}")
        for name in getattr(module, "__all__", [n for n in dir(module) if n[0] != "_"]):
            function = getattr(module, name)
            own = inspect.isfunction(function) and function.__module__.startswith("annostat.")
            if own and (hasattr(module, "__path__") or function.__module__ == module.__name__):
                yield f"{room}.{name}"


def test_every_public_function_has_its_growth_declared():
    declared = {case.function for case in CASES}
    missing = set(public_functions()) - declared - OF_NO_SIZE
    assert not missing, f"declare what these may cost in tests/bench/growth: {sorted(missing)}"
    gone = (declared | OF_NO_SIZE) - set(public_functions())
    assert not gone, f"no longer public: {sorted(gone)}"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case_runs_at_its_smallest_size(case):
    case.make(case.sizes[0])()


def slow_case(power):
    """A case whose cost is a power of its size, told by a clock that counts."""
    return Case("room.function", "items", (10, 20, 40), 1.0, lambda n: lambda: n**power)


@pytest.mark.parametrize("power", [1, 2])
def test_exponent_is_measured_and_held_against_its_limit(power, monkeypatch):
    monkeypatch.setattr(measure, "cpu", lambda call, **_: call() / 10)
    row = measure.measured(slow_case(power))
    assert row["exponent"] == pytest.approx(power)
    assert row["holds"] is (power == 1)
    assert ("EXCEEDS" in measure.line(row)) is (power == 2)


def test_short_times_have_no_exponent():
    assert measure.exponent((10, 100), [1e-6, 1e-3]) is None
    assert measure.exponent((10, 100), [0.01, 1.0]) == pytest.approx(2.0)


@pytest.mark.filterwarnings("ignore")
def test_quick_run_is_kept_compared_and_put_on_the_page(tmp_path, capsys, monkeypatch):
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    for path in (first, second):
        assert measure.main(["--quick", "--only", "log_slope|pair_mae", "--json", str(path)]) == 0
    rows = json.loads(first.read_text("utf-8"))["cases"]
    assert [r["function"] for r in rows] == ["labels.pair_mae", "scaling.log_slope"]
    assert all(r["peak_mb"] > 0 and r["holds"] for r in rows)
    capsys.readouterr()
    assert measure.main(["--compare", str(first), str(second)]) in (0, 1)
    assert len(re.findall(r"CPU ×\d", capsys.readouterr().out)) == 2
    page = tmp_path / "page.md"
    page.write_text("# Page\n<!-- table: growth -->\nold\n<!-- end of table -->\nend\n", "utf-8")
    monkeypatch.setattr(measure, "PAGE", page)
    assert measure.main(["--page", str(first)]) == 0
    text = page.read_text("utf-8")
    assert "`labels.pair_mae`" in text and "old" not in text and text.endswith("end\n")


def test_a_slower_run_is_named_and_fails():
    row = measure.measured(slow_case(1))
    old = {"commit": "a", "cases": [{**row, "cpu_s": [1.0, 1.0, 1.0]}]}
    new = {"commit": "b", "cases": [{**row, "cpu_s": [1.0, 1.0, 1.6]}]}
    lines, fine = measure.compared(old, new)
    assert not fine and "SLOWER" in lines[1]
    assert measure.compared(old, old)[1]


def test_an_exponent_that_exceeds_its_declaration_fails_the_run(monkeypatch):
    monkeypatch.setattr(measure, "CASES", [slow_case(2)])
    monkeypatch.setattr(measure, "cpu", lambda call, **_: call() / 10)
    assert measure.main([]) == 1


@pytest.mark.filterwarnings("ignore")
def test_works_run_and_fill_a_table_of_two_runs(tmp_path):
    found = works.works(tmp_path, quick=True)
    rows = [works.measured(w, quick=True) for w in (found[0], found[3], found[-1])]
    assert all(0 < row["cpu_s"] < 60 for row in rows) and rows[0]["plain_s"] > 0
    assert "reading the table" in works.line(rows[0])
    lines = works.table([{"works": rows}, {"works": rows}]).splitlines()
    assert len(lines) == 5 and all(text.count("|") == lines[0].count("|") for text in lines)
    assert lines[2].count(" and ") == 3 and " and " in lines[3]


def test_cpu_of_a_child_is_counted():
    assert works.spent(works.python("sum(range(1_000_000))"), child=True) > 0
