"""Mutate modules with mutmut and list what the tests do not notice.

python -m tests.mutation annostat/agreement/icc.py tests/test_agreement.py

The first argument is a file or a pattern of files, the others are the tests to run. Works on a
copy under ``out/mutation``; a run that was stopped goes on where it was. Kernels are left out:
compiled code does not see a mutant.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SETTINGS = """
[mutmut]
source_paths = annostat
only_mutate = {module}
do_not_mutate =
    annostat/*kernels.py
also_copy =
    {copied}
pytest_add_cli_args_test_selection =
    {tests}
pytest_add_cli_args =
    -p
    no:cacheprovider
    -W
    ignore
mutate_only_covered_lines = true
"""
COPIED = ("annostat", "analysis", "docs", "models", "tests", "README.md", "setup.cfg")


def copy_checkout(target: Path) -> None:
    """Copy what git knows of the checkout."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, check=True)
    for name in listed.stdout.decode().splitlines():
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)


def main(module: str, *tests: str) -> int:
    """Run mutmut on a copy and print the mutants that survived, each as its change."""
    work = ROOT / "out" / "mutation"
    copy_checkout(work)
    inner = "\n    "
    with open(work / "setup.cfg", "a", encoding="utf-8") as settings:
        settings.write(
            SETTINGS.format(module=module, copied=inner.join(COPIED), tests=inner.join(tests))
        )
    here = {"cwd": work, "env": os.environ | {"CI": "1"}}
    done = subprocess.run(["mutmut", "run"], check=False, **here)
    listed = subprocess.run(
        ["mutmut", "results"], capture_output=True, text=True, check=True, **here
    )
    for line in listed.stdout.splitlines():
        name, _, verdict = line.strip().partition(": ")
        if verdict != "killed":
            print(f"{verdict}: {name}")
            subprocess.run(["mutmut", "show", name], check=False, **here)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
