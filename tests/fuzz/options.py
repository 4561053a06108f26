"""Random combinations of options, in process: python -m tests.fuzz.options [COUNT [SEED]].

A command may end well or with one line and status 2, and in nothing else.
"""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import sys
import tempfile
import traceback
from pathlib import Path

import numpy as np
import pandas as pd

from annostat.cli import main

Random = np.random.Generator
NUMBERS = ("1", "0", "-1", "0.5", "1e308", "1e-320", "nan", "inf", "x", "", "1000000000")
NAMES = (
    "first",
    "second",
    "model",
    "clip",
    "phase",
    "patient",
    "who",
    "value",
    "fps",
    "n",
    "odd",
    "nobody",
    "",
)
TABLES = tuple(
    "wide.csv long.csv picks.csv wide.parquet semicolons.csv utf16.csv book.xlsx names.csv "
    "models.csv empty.csv absent.csv . odd.csv".split(" ")
)
# One value, as many as follow, or none; after the colon what it is.
SHARED = {
    "--item": "names",
    "--rounds": "names",
    "--rater": "name",
    "--value": "name",
    "--model": "name",
    "--by": "name",
    "--period": "name or number",
    "--fps": "name or number",
    "--period-unit": "text",
    "--length": "name or number",
    "--cluster": "name",
    "--missing": "texts",
    "--tidy-names": "",
    "--exclude": "table",
    "--level": "number",
    "--seed": "number",
}
VALUES = {"--unit": "text", "--exchangeable": ""}
WRITTEN = {"--json": "output", "--plot": "output"}
SCREEN = {"--all": "", "--cite": "form"}
CLASSES = {
    "--kind": "kind",
    "--order": "names",
    "--positive": "name",
    "--counts": "",
}
COMMANDS: dict[str, dict[str, str]] = {
    "bounds": SHARED
    | VALUES
    | WRITTEN
    | SCREEN
    | CLASSES
    | {
        "--majority-of": "number",
        "--kappa": "number",
        "--f1": "number",
        "--agreement": "number",
        "--classes": "number",
        "--prevalence": "number",
        "--mean-of": "number",
        "--sd-of-labels": "number",
        "--sd": "number",
        "--n": "number",
        "--convention": "text",
        "--correlation": "number",
        "--kurtosis": "number",
    },
    "fit-afd": SHARED
    | WRITTEN
    | SCREEN
    | {"--window": "number", "--items": "output", "--by-rater": ""},
    "score": SHARED
    | VALUES
    | WRITTEN
    | SCREEN
    | CLASSES
    | {
        "--proba": "name",
        "--metric": "text",
        "--predictions": "table",
        "--trained-on": "name",
        "--margin": "number",
        "--kind": "kind",
        "--items": "output",
    },
    "plan": SHARED | {"--json": "output", "--half-width": "number", "--mae": "number"},
    "concentration": WRITTEN
    | {
        "--column": "name",
        "--model": "name",
        "--rounds": "names",
        "--loss": "loss",
        "--noise": "noise",
        "--top": "number",
        "--item": "names",
        "--cluster": "name",
        "--missing": "texts",
        "--exclude": "table",
        "--weights": "name",
        "--list": "table",
        "--best-first": "",
        "--level": "number",
        "--seed": "number",
    },
    "interchange": SHARED
    | VALUES
    | WRITTEN
    | SCREEN
    | {
        "--predictions": "table",
        "--distance": "distance",
        "--margin": "number",
        "--margin-percent": "number",
        "--readers": "readers",
        "--trained-on": "name",
        "--items": "output",
    },
    "points": WRITTEN
    | SCREEN
    | {
        "--landmark": "name",
        "--coordinates": "axes",
        "--threshold": "number",
        "--spacing": "number",
        "--model": "name",
        "--by": "name",
        "--mre": "number",
        "--sd": "number",
        "--n": "number",
    },
    "findings": WRITTEN
    | SCREEN
    | {
        "--match": "rule",
        "--seen": "table",
        "--froc": "number",
        "--model": "name",
        "--by": "name",
    },
    "scaling": WRITTEN
    | SCREEN
    | {
        "--size": "name",
        "--score": "name",
        "--group": "name",
        "--weight": "name",
        "--higher-is-better": "",
        "--floor": "number",
        "--at": "number",
        "--level": "number",
    },
    "selftest": SCREEN | {"--json": "output", "--report": "output"},
}
NO_TABLE = ("selftest",)
ONE_JOB = ("scaling", "selftest")  # have no --n-jobs
# What keeps a run short.
ALWAYS = {
    "bounds": ["--resamples", "100"],
    "fit-afd": ["--core", "laplace", "--abandonment", "none", "--resamples", "19"],
    "score": ["--resamples", "20"],
    "concentration": ["--resamples", "19"],
    "selftest": ["--quick"],
}


def write_tables(folder: Path) -> None:
    """Write small tables as people have them."""
    random = np.random.default_rng(0)
    n = 24
    truth = random.integers(30, 80, n)
    wide = pd.DataFrame(
        {
            "clip": [f"{i:03d}" for i in range(n)],
            "phase": np.where(np.arange(n) % 2, "ED", "2 CH"),
            "patient": np.arange(n) // 2 + 1,
            "first": truth + random.normal(0, 3, n),
            "second": truth + random.normal(0, 3, n),
            "model": truth + 0.5,
            "fps": 50.0,
            "n": 90,
        }
    )
    wide.loc[3, "second"] = np.nan
    picks = wide.fillna(40).round().astype({"first": int, "second": int, "model": int})
    long = wide.melt(["clip", "phase", "patient"], ["first", "second", "model"], "who")
    odd = wide.astype({"second": object}).assign(odd="?")
    odd.loc[5, "second"] = "."
    names = long.assign(who=long["who"].where(long.index % 3 > 0, long["who"] + ".0"))
    for name, table in (
        ("wide", wide),
        ("long", long),
        ("picks", picks),
        ("names", names),
        ("odd", odd),
    ):
        table.to_csv(folder / f"{name}.csv", index=name == "odd")
    wide.to_parquet(folder / "wide.parquet")
    wide.to_excel(folder / "book.xlsx", index=False)
    wide.to_csv(folder / "semicolons.csv", index=False, sep=";", decimal=",")
    wide.to_csv(folder / "utf16.csv", index=False, encoding="utf-16", sep="\t")
    wide[["clip", "model"]].sample(frac=1, random_state=0).to_csv(folder / "models.csv")
    (folder / "empty.csv").write_text("")


def value_of(kind: str, random: Random) -> list[str]:
    """Return the words that follow an option."""

    def one(of: tuple[str, ...]) -> str:
        return str(random.choice(of))

    if kind == "names":
        return [one(NAMES) for _ in range(random.integers(0, 4))]
    if kind == "texts":
        return [one((".", "?", "NA", "", "40")) for _ in range(random.integers(0, 3))]
    return {
        "": [],
        "name": [one(NAMES)],
        "number": [one(NUMBERS)],
        "name or number": [one(NAMES + NUMBERS)],
        "text": [one(("ms", "", "$x_$", "\x1b[31m", "between-sessions"))],
        "table": [one(TABLES)],
        "output": [one(("out.json", "out.png", "out.svg", "wide.csv", "absent/x", "."))],
        "kind": [one(("auto", "picks", "values", "categories", "ordinal"))],
        "form": [one(("text", "markdown", "latex", "x"))],
        "distance": [one(("absolute", "squared", "differ", "linear", "further than 5", "x"))],
        "readers": [one(("these", "sample", "x"))],
        "axes": [one(("first,second", "first", "fps,n,first", ","))],
        "rule": [one(("iou 0.5", "distance 5", "overlap 0.2", "iou x", ""))],
        "loss": [one(("squared", "absolute", "asis"))],
        "noise": [one(("gaussian", "laplace", "wide.csv", "absent.json"))],
    }[kind]


def command_line(random: Random) -> list[str]:
    """Return one command with some options, half of them such as would run."""
    command = str(random.choice(list(COMMANDS)))
    table = str(random.choice(TABLES[:9] if random.random() < 0.9 else TABLES))
    if command in ("fit-afd", "concentration") and random.random() < 0.7:
        table = "picks.csv"  # whole numbers, and none is missing
    line = [command] if command in NO_TABLE else [command, table]
    likely = {
        "score": ["--model", "model"],
        "concentration": ["--model", "model"],
        "scaling": ["--size", "patient", "--score", "model"],
        "interchange": ["--model", "model"],
        "points": ["--coordinates", "first,second", "--landmark", "phase"],
        "findings": ["--match", "distance 5"],
    }.get(command, [])
    if random.random() < 0.7 and command not in NO_TABLE:
        line += likely
        if command in ("points", "findings"):
            pass  # they are long, and have no rounds
        elif table in ("long.csv", "names.csv"):
            if command not in ("concentration", "scaling"):
                line += ["--rater", "who", "--value", "value"]
        elif command != "scaling":
            line += ["--rounds", "first", "second"]
    options = COMMANDS[command]
    for name in random.choice(list(options), random.integers(0, 4), replace=False):
        line += [str(name), *value_of(options[str(name)], random)]
    return [*line, *ALWAYS.get(command, [])]


def run(line: list[str]) -> str:
    """Run a command; return what is wrong with how it ended, or nothing."""
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(line)
        except SystemExit as stop:
            code = stop.code
        except BaseException:
            return traceback.format_exc()
    errors = [s for s in err.getvalue().splitlines() if s.startswith("annostat: error:")]
    if code not in (0, None, 2):
        return f"status {code}: {err.getvalue()}"
    if code == 2 and len(errors) != 1:
        return f"status 2 with {len(errors)} lines: {err.getvalue()}"
    if "\x1b" in out.getvalue() + err.getvalue():
        return "an escape reached the terminal"
    if any(word in out.getvalue() for word in ("Traceback", "object at 0x")):
        return out.getvalue()
    return ""


def fuzz(count: int, seed: int = 0) -> list[tuple[list[str], str]]:
    """Run `count` commands in a folder of their own; return those that ended badly."""
    random = np.random.default_rng(seed)
    before = os.getcwd()
    bad = []
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            write_tables(Path())
            for _ in range(count):
                line = command_line(random)
                wrong = run([*line, *(["--n-jobs", "1"] if line[0] not in ONE_JOB else [])])
                if wrong:
                    bad.append((line, wrong))
        finally:
            os.chdir(before)
    return bad


if __name__ == "__main__":
    count, seed = (int(a) for a in (sys.argv[1:] + ["2000", "0"][len(sys.argv) - 1 :])[:2])
    found = fuzz(count, seed)
    for line, wrong in found:
        print(f"$ annostat {shlex.join(line)}\n{wrong}\n")
    print(f"{len(found)} of {count} commands ended badly")
    sys.exit(bool(found))
