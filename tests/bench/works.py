"""Whole answers on large or odd data, in CPU seconds: python -m tests.bench works.

Each is the least of several runs, in turns with the plain thing that stands beside it: reading the
same table, another package, or the same work without what is odd. `--json` keeps a run, `--page`
with the files of one or more runs fills the table of docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from annostat import Rounds, compare_noise, read_rounds, score_models, simulate_masks
from annostat.agreement import gauge_rr, icc
from annostat.ceilings import bounds
from annostat.interchange import interchange
from annostat.labels import MaskRounds
from annostat.scaling import compare_scaling
from annostat.truth import compare_masks
from tests.bench.growth.measure import PAGE, ROOT, peak, shown, versions

Call = Callable[[], object]


@dataclass
class Work:
    """A whole answer and what stands beside it.

    Attributes
    ----------
    name : str
    call : callable
    beside : str
        What the plain thing is; "" without one.
    plain : callable, optional
    child : bool
        Whether both run in processes of their own, whose CPU counts.
    most : int
        Runs of each, at most.
    """

    name: str
    call: Call
    beside: str = ""
    plain: Call | None = None
    child: bool = False
    most: int = 5


def spent(call: Call, child: bool) -> float:
    """Return the CPU seconds of one call, user and system."""
    if not child:
        start = time.process_time()
        call()
        return time.process_time() - start
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    call()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measured(work: Work, *, quick: bool = False) -> dict[str, Any]:
    """Return what a work costs, and what stands beside it, in turns."""
    least = [math.inf, math.inf]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not work.child and not quick:
            work.call()  # compiled, and everything imported
        for _ in range(1 if quick else work.most):
            for i, call in enumerate((work.call, work.plain)):
                if call is not None:
                    least[i] = min(least[i], spent(call, work.child))
        memory = None if work.child or quick else peak(work.call)
    return {
        "name": work.name,
        "cpu_s": least[0],
        "beside": work.beside,
        "plain_s": None if work.plain is None else least[1],
        "peak_mb": memory,
    }


def command(*arguments: str, cache: str | None = None) -> Call:
    """Return a call of annostat's command in a process of its own."""
    line = [sys.executable, "-m", "annostat", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installation has its bytecode
    if cache is not None:
        environment["NUMBA_CACHE_DIR"] = cache

    def call() -> None:
        subprocess.run(line, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)

    return call


def first_time() -> Call:
    """Return a call of the first `fit-afd` of an installation: nothing is compiled."""

    def call() -> None:
        with tempfile.TemporaryDirectory() as cache:
            command("fit-afd", "--example", "lidc", cache=cache)()

    return call


def table_of(folder: Path, n: int, k: int, *, patients: bool = False) -> Path:
    """Write labels of n items by k readers and three models, and return the file."""
    g = np.random.default_rng(1)
    truth = g.normal(55, 10, n)
    columns: dict[str, Any] = {"item": np.arange(n)}
    if patients:
        columns["patient"] = np.arange(n) // 3
    columns |= {f"r{j + 1}": truth + g.normal(0, 4, n) for j in range(k)}
    columns |= {f"m{i + 1}": truth + g.normal(0, 2 + i, n) for i in range(3)}
    path = folder / f"{n}x{k}.csv"
    pd.DataFrame(columns).round(3).to_csv(path, index=False)
    return path


def picks_with(typo: int) -> Rounds:
    """Return 160 pairs of picks of which one is off by so many frames."""
    g = np.random.default_rng(1)
    second = g.integers(0, 60, 160)
    d = np.rint(g.laplace(0, 2, 160)).astype(int)
    d[0] = typo or d[0]
    return Rounds.from_array(np.column_stack([second, second + d]))


def works(folder: Path, *, quick: bool = False) -> list[Work]:
    """Return all works; quick ones are a thousandth of their size."""
    n = 100 if quick else 100_000
    g = np.random.default_rng(2)
    found: list[Work] = []

    large = table_of(folder, n, 2)
    rounds = read_rounds(large, rounds=["r1", "r2"])
    models = pd.read_csv(large)[["m1", "m2", "m3"]]
    found.append(
        Work(
            f"`score`, three models × {n:,} items",
            lambda: score_models(rounds, models, kind="values"),
            "reading the table",
            lambda: read_rounds(large, rounds=["r1", "r2"]),
        )
    )
    clustered = table_of(folder, 3 * n, 3, patients=True)
    names = {"rounds": ["r1", "r2", "r3"], "cluster": "patient"}
    held = read_rounds(clustered, **names)
    found.append(
        Work(
            f"`bounds`, {9 * n:,} labels in {n:,} clusters",
            lambda: bounds(held),
            "reading the table",
            lambda: read_rounds(clustered, **names),
            most=3,
        )
    )
    parts = Rounds.from_array(g.normal(0, 2, (n // 10, 1)) + g.normal(0, 1, (n // 10, 4)))
    found.append(
        Work(
            f"default ICCs, {n // 10:,} × 4",
            lambda: icc(parts),
            "pingouin, F intervals",
            pingouin_icc(parts),
        )
    )
    few = rounds.take(np.arange(100))
    found.append(
        Work(
            "`score`, three models × 100 items",
            lambda: score_models(few, models.head(100), kind="values"),
            most=20,
        )
    )
    pairs = Rounds.from_array(
        np.column_stack([np.zeros(n, int), np.rint(g.laplace(0, 2, n)).astype(int)])
    )
    found.append(Work(f"`compare_noise`, {n:,} pairs", lambda: compare_noise(pairs)))
    for frames in (500, 2000):
        odd, clean = picks_with(frames), picks_with(0)
        found.append(
            Work(
                f"one typo of {frames:,} frames among 160 picks",
                lambda odd=odd: compare_noise(odd),
                "the clean table",
                lambda clean=clean: compare_noise(clean),
                most=3,
            )
        )
    sizes = np.geomspace(1e4, 1e8, 100 if quick else 1000)
    losses = (0.1 + sizes**-0.3) * np.exp(g.normal(0, 0.02, sizes.size))
    found.append(Work("scaling laws, 1,000 points", lambda: compare_scaling(sizes, losses)))
    part = np.repeat(np.arange(max(n // 100, 10)), 6)
    operator = np.tile(np.repeat([0, 1, 2], 2), part[-1] + 1)
    value = g.normal(0, 2, part[-1] + 1)[part] + g.normal(0, 1, part.size)
    found.append(
        Work(
            f"gauge study, {n // 100:,} parts",
            lambda: gauge_rr(part, operator, value),
        )
    )
    many = [
        Rounds.from_array(g.normal(0, 2, (100, 1)) + g.normal(0, 1, (100, k)))
        for k in ((30, 60) if quick else (300, 600))
    ]
    found.append(
        Work(
            f"`bounds`, {many[1].n_rounds} raters × 100 items",
            lambda: bounds(many[1]),
            "half as many raters",
            lambda: bounds(many[0]),
            most=2,
        )
    )
    truth = few.values.mean(axis=1)
    forty = {f"m{i}": truth + g.normal(0, 1 + i / 20, 100) for i in range(4 if quick else 40)}
    found.append(
        Work(
            f"`score`, {len(forty)} models × 100 items",
            lambda: score_models(few, forty, kind="values"),
            most=3,
        )
    )
    masks, _ = simulate_masks(4 if quick else 100, 4, noise_px=1.5, rng=1)
    predicted = masks.values[0]
    three = MaskRounds.from_arrays(dict(zip(masks.names[1:], masks.values[1:], strict=True)))
    found.append(
        Work(
            f"`interchange`, {masks.n_items} masks of three readers, with habits",
            lambda: interchange(three, {"one more": predicted}),
            "`masks` of the same",
            lambda: compare_masks(three, models={"one more": predicted}),
            most=3,
        )
    )
    if not quick:
        million = table_of(folder, 1_000_000, 5)
        readers = [f"r{j + 1}" for j in range(5)]
        five = read_rounds(million, rounds=readers)
        model = {"m1": pd.read_csv(million, usecols=["m1"])["m1"].to_numpy()}
        found.append(
            Work(
                "`interchange`, 10⁶ × 5, absolute",
                lambda: interchange(five, model),
                "reading the table",
                lambda: read_rounds(million, rounds=readers),
                most=3,
            )
        )
        found += [
            Work(
                "`annostat bounds --example lidc-diameter`",
                command("bounds", "--example", "lidc-diameter"),
                "`import scipy.special`",
                python("import scipy.special"),
                child=True,
            ),
            Work(
                "`annostat fit-afd --example lidc`, kernels cached",
                command("fit-afd", "--example", "lidc"),
                "`import numba`",
                python("import numba"),
                child=True,
            ),
            Work("the same, the first time ever", first_time(), child=True, most=2),
        ]
    return found


def python(text: str) -> Call:
    """Return a call of Python in a process of its own."""
    return lambda: subprocess.run([sys.executable, "-c", text], check=True)


def pingouin_icc(rounds: Rounds) -> Call | None:
    """Return pingouin's six ICCs of the same labels, None where it is not installed."""
    try:
        import pingouin
    except ImportError:
        return None
    table = pd.DataFrame(rounds.values).melt(ignore_index=False, var_name="rater")
    table = table.reset_index(names="item")
    return lambda: pingouin.intraclass_corr(table, targets="item", raters="rater", ratings="value")


def line(row: dict[str, Any]) -> str:
    """Return a work as a line for the terminal."""
    ratio = ""
    if row["plain_s"] is not None:
        ratio = f"  {row['beside']} {shown(row['plain_s'])} s, ×{row['cpu_s'] / row['plain_s']:.2g}"
    memory = "" if row["peak_mb"] is None else f"  {row['peak_mb']:.3g} MB"
    return f"{row['name']:52s} {shown(row['cpu_s'])} s{memory}{ratio}"


def table(runs: list[dict[str, Any]]) -> str:
    """Return the table of the page: each run's seconds side by side."""
    lines = [
        "| work | CPU, s | beside it | CPU, s | ratio | peak, MB |",
        "|---|--:|---|--:|--:|--:|",
    ]
    for rows in zip(*(run["works"] for run in runs), strict=True):
        first = rows[0]
        own = " and ".join(shown(r["cpu_s"]) for r in rows)
        plain = ratio = ""
        if first["plain_s"] is not None:
            plain = " and ".join(shown(r["plain_s"]) for r in rows)
            ratio = " and ".join(f"{r['cpu_s'] / r['plain_s']:.2g}" for r in rows)
        memory = "" if first["peak_mb"] is None else f"{first['peak_mb']:.3g}"
        lines.append(
            f"| {first['name']} | {own} | {first['beside']} | {plain} | {ratio} | {memory} |"
        )
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench works", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="once each, a thousandth of the size")
    parser.add_argument("--json", type=Path, help="where to keep the results")
    parser.add_argument("--page", nargs="+", type=Path, metavar="JSON", help="fill the page")
    options = parser.parse_args(arguments)
    if options.page:
        from analysis.calibration.page import placed

        body = table([json.loads(p.read_text("utf-8")) for p in options.page])
        PAGE.write_text(placed(PAGE.read_text("utf-8"), "works", body), "utf-8")
        return 0
    results: dict[str, Any] = {**versions(), "quick": options.quick, "works": []}
    with tempfile.TemporaryDirectory() as folder:
        for work in works(Path(folder), quick=options.quick):
            row = measured(work, quick=options.quick)
            results["works"].append(row)
            print(line(row), flush=True)
            if options.json:
                options.json.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    return 0
