"""Mutate a package with mutmut and list what its tests do not notice.

python -m tests.mutation [--sample N] [--seed S] PACKAGE [PATTERN]

PACKAGE is a name of `PACKAGES`; PATTERN keeps a part of it, such as ``icc.py``. A sample is drawn
evenly from all its mutants, and the same seed draws the same. Works on a copy under
``out/mutation/PACKAGE``. What was killed stays so; what survived, and what a stopped run left, is
tried when the command is given again.
Kernels and the families are left out: compiled code does not see a mutant.
"""

import argparse
import collections
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "agreement": ["agreement"],
    "ceilings": ["ceilings"],
    "concentration": ["concentration", "concentration_swaps"],
    "noise": ["noise", "diagnostics", "planning", "ahead"],
    "scaling": ["scaling"],
    "truth": ["truth"],
}
SETTINGS = """
[mutmut]
source_paths = annostat
only_mutate = annostat/{package}/{pattern}
do_not_mutate =
    annostat/*kernels.py
    annostat/noise/families.py
also_copy =
    {copied}
pytest_add_cli_args_test_selection =
    {tests}
pytest_add_cli_args =
    -x
    -p
    no:cacheprovider
    -W
    ignore
timeout_multiplier = 5
timeout_constant = 2
"""
COPIED = ("annostat", "analysis", "docs", "models", "tests", "README.md", "setup.cfg")
NO_TESTS, TIMEOUTS = 33, (24, 36, 152, 255, -24)  # exit codes of mutmut


def copy_checkout(target: Path, settings: str) -> None:
    """Copy what git knows of the checkout; what did not change keeps its time."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, check=True)
    for name in listed.stdout.decode().splitlines():
        if not (ROOT / name).is_file():
            continue
        data = (ROOT / name).read_bytes() + (settings.encode() if name == "setup.cfg" else b"")
        for copy in (target / name, target / "mutants" / name):
            # mutmut makes the second copy once only, and changes its modules.
            old = copy.read_bytes() if copy.is_file() else None
            first = copy == target / name
            if data != old and (first or (old is not None and not name.startswith("annostat/"))):
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(data)


def verdicts(work: Path) -> dict[str, int | None]:
    """Return the exit code of the tests under each mutant, None if it was not tried."""
    found: dict[str, int | None] = {}
    for meta in sorted((work / "mutants" / "annostat").rglob("*.meta")):
        found |= json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"]
    return found


def verdict(code: int | None) -> str:
    """Return the word for an exit code."""
    if code in TIMEOUTS:
        return "timeout"
    words = {None: "not tried", 0: "survived", NO_TESTS: "no tests"}
    return words.get(code, "killed")


def main() -> int:
    """Run mutmut on a copy; print the mutants that survived, each as its change, and the count."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("package", choices=PACKAGES)
    parser.add_argument("pattern", nargs="?", default="*.py")
    parser.add_argument("--sample", type=int, help="how many mutants (default: all)")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    tests = [f"tests/test_{name}.py" for name in (*PACKAGES[given.package], "golden")]
    inner = "\n    "
    settings = SETTINGS.format(
        package=given.package,
        pattern=given.pattern,
        copied=inner.join(COPIED),
        tests=inner.join(tests),
    )
    work = ROOT / "out" / "mutation" / given.package
    shutil.rmtree(work / "mutants" / "annostat" / given.package / "__pycache__", ignore_errors=True)
    copy_checkout(work, settings)
    here = {"cwd": work, "env": os.environ | {"CI": "1"}, "check": False}
    # A name that no mutant has: mutmut makes the mutants, learns which test reaches which, stops.
    made = subprocess.run(["mutmut", "run", "none"], capture_output=True, text=True, **here)
    names = sorted(verdicts(work))
    if "nothing matches" not in made.stderr or not names:
        print(made.stdout[-3000:], made.stderr[-3000:])
        return 1
    if given.sample is not None and given.sample < len(names):
        names = sorted(random.Random(given.seed).sample(names, given.sample))
    before = verdicts(work)
    again = [name for name in names if verdict(before[name]) not in ("killed", "timeout")]
    if again:
        subprocess.run(
            ["mutmut", "run", "--max-children", "1", *again], stdout=subprocess.DEVNULL, **here
        )
    after = verdicts(work)
    for name in names:
        if verdict(after[name]) not in ("killed", "timeout"):
            print(f"{verdict(after[name])}: {name}", flush=True)
            subprocess.run(["mutmut", "show", name], **here)
    count = collections.Counter(verdict(after[name]) for name in names)
    print(f"{given.package}: {len(names)} of {len(after)} mutants,", dict(count))
    return 0


if __name__ == "__main__":
    sys.exit(main())
