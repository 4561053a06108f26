"""Measure the cases, compare two runs, write the table of the page."""

from __future__ import annotations

import json
import math
import platform
import re
import subprocess
import sys
import time
import tracemalloc
import warnings
from pathlib import Path

import numba
import numpy as np
import scipy

import annostat
from tests.bench.growth.cases import CASES

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "benchmarks.md"
LEAST = 0.05  # seconds: below, a ratio of times is noise, or a cache that overflows
SLACK = 0.25  # of an exponent: caches that overflow, and other users of the machine
SLOWER = 1.25  # a ratio of two runs that is named


def cpu(call, *, least=0.2, most=20):
    """Return the least CPU seconds (user and system, all threads) of several calls."""
    best, spent = math.inf, 0.0
    for _ in range(most):
        start = time.process_time()
        call()
        took = time.process_time() - start
        best, spent = min(best, took), spent + took
        if spent > least:
            break
    return best


def peak(call):
    """Return the largest memory that NumPy and Python held at once in a call, in MB."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def exponent(sizes, seconds):
    """Return the exponent of the last step, or None where the times are too short to tell."""
    if len(sizes) < 2 or seconds[-1] < LEAST or seconds[-2] <= 0:
        return None
    return math.log(seconds[-1] / seconds[-2]) / math.log(sizes[-1] / sizes[-2])


def measured(case, *, quick=False):
    """Return what one case costs, as plain data."""
    sizes = case.sizes[:1] if quick else case.sizes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        calls = [case.make(n) for n in sizes]
        calls[0]()  # compiled, and everything imported
        options = {"most": 1} if quick else {}
        seconds = [cpu(call, **options) for call in calls]
        found = exponent(sizes, seconds)
        if found is not None and found > case.limit + SLACK:  # once more, if the machine was busy
            seconds = [min(s, cpu(call)) for s, call in zip(seconds, calls, strict=True)]
            found = exponent(sizes, seconds)
        memory = peak(calls[-1])
    return {
        "function": case.function,
        "axis": case.axis,
        "sizes": list(sizes),
        "cpu_s": seconds,
        "peak_mb": memory,
        "exponent": found,
        "limit": case.limit,
        "holds": found is None or found <= case.limit + SLACK,
    }


def run(*, pattern="", quick=False, say=print, keep=lambda results: None):
    """Measure all cases whose name has the pattern; what is known is kept after each."""
    results = {**versions(), "quick": quick, "cases": []}
    for case in CASES:
        if not re.search(pattern, case.name):
            continue
        row = measured(case, quick=quick)
        results["cases"].append(row)
        say(line(row))
        keep(results)
    return results


def versions():
    """Return the versions of what is measured, and the commit."""
    return {
        "versions": {
            "annostat": annostat.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "numba": numba.__version__,
        },
        "commit": commit(),
    }


def commit():
    """Return the commit that is checked out, empty without git."""
    try:
        command = ["git", "describe", "--always", "--dirty"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def shown(seconds):
    """Return seconds with two digits."""
    return f"{seconds:.2g}" if seconds < 10 else f"{seconds:.0f}"


def power(row):
    """Return an exponent in words."""
    return "–" if row["exponent"] is None else f"{row['exponent']:.2f}"


def line(row):
    """Return a case as a line for the terminal."""
    times = ", ".join(f"{n:,}: {shown(s)}" for n, s in zip(row["sizes"], row["cpu_s"], strict=True))
    mark = "" if row["holds"] else "  EXCEEDS"
    name = f"{row['function']}, {row['axis']}"
    return (
        f"{name:45s} {power(row):>5s} of {row['limit']:g}  {row['peak_mb']:7.1f} MB  {times}{mark}"
    )


def table(results):
    """Return the table of the page."""
    head = ["| function | grows | from | to | CPU, s | exponent | at most | peak, MB |"]
    head += ["|---|---|--:|--:|--:|--:|--:|--:|"]
    rows = [
        f"| `{r['function']}` | {r['axis']} | {r['sizes'][0]:,} | {r['sizes'][-1]:,} | "
        f"{shown(r['cpu_s'][0])} to {shown(r['cpu_s'][-1])} | "
        f"{power(r) if r['holds'] else f'**{power(r)}**'} | {r['limit']:g} | "
        f"{r['peak_mb']:.3g} |"
        for r in results["cases"]
    ]
    return "\n".join(head + rows)


def compared(old, new):
    """Return the lines that compare two runs, and whether nothing is much slower or grows more."""
    before = {(r["function"], r["axis"], r["sizes"][-1]): r for r in old["cases"]}
    lines, fine = [f"{old['commit'] or 'old'} → {new['commit'] or 'new'}"], True
    for row in new["cases"]:
        name = f"{row['function']}, {row['axis']}"
        was = before.get((row["function"], row["axis"], row["sizes"][-1]))
        if was is None:
            lines.append(f"{name:45s} new")
            continue
        ratio = row["cpu_s"][-1] / max(was["cpu_s"][-1], 1e-9)
        slower = ratio > SLOWER and row["cpu_s"][-1] > LEAST
        fine = fine and not slower and row["holds"]
        lines.append(
            f"{name:45s} CPU ×{ratio:.2f}  memory ×{row['peak_mb'] / max(was['peak_mb'], 1e-3):.2f}"
            f"  exponent {power(was)} → {power(row)}{'  SLOWER' if slower else ''}"
        )
    return lines, fine


def main(arguments):
    """Run the command; return its exit status, 1 where an exponent exceeds its declaration."""
    import argparse

    parser = argparse.ArgumentParser(
        prog="python -m tests.bench growth",
        description="How CPU time and memory grow with the data.",
    )
    parser.add_argument("--only", default="", help="a regular expression of names")
    parser.add_argument("--quick", action="store_true", help="the smallest sizes, no exponents")
    parser.add_argument("--json", type=Path, help="where to keep the results")
    parser.add_argument("--compare", nargs=2, type=Path, metavar=("OLD", "NEW"))
    parser.add_argument("--page", type=Path, metavar="JSON", help="fill docs/benchmarks.md with it")
    options = parser.parse_args(arguments)
    if options.compare:
        lines, fine = compared(*(json.loads(p.read_text("utf-8")) for p in options.compare))
        print("\n".join(lines))
        return 0 if fine else 1
    if options.page:
        from analysis.calibration.page import placed

        body = table(json.loads(options.page.read_text("utf-8")))
        PAGE.write_text(placed(PAGE.read_text("utf-8"), "growth", body), "utf-8")
        return 0

    def keep(results):
        if options.json:
            options.json.write_text(json.dumps(results, indent=1) + "\n", "utf-8")

    results = run(
        pattern=options.only, quick=options.quick, say=lambda s: print(s, flush=True), keep=keep
    )
    over = [r for r in results["cases"] if not r["holds"]]
    for row in over:
        print(f"grows faster than declared: {row['function']}, {row['axis']}", file=sys.stderr)
    return 1 if over else 0
