"""Run the benchmarks: python -m tests.bench [FILE ...] [pytest-benchmark's options].

``--benchmark-autosave`` keeps a run and ``--benchmark-compare`` shows the change since the last
one kept: run both on two commits to compare them. ``growth`` is a suite of its own: exponents and
peak memory (``python -m tests.bench growth --help``); so is ``works``, whole answers on large data.
"""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
OPTIONS = [
    "-o",
    "python_files=bench_*.py",
    "-o",
    "python_functions=bench_*",
    "-p",
    "no:cacheprovider",
    "--benchmark-enable",
    "--benchmark-only",
    "--benchmark-group-by=group",
    "-q",
    "--benchmark-sort=fullname",
    "--benchmark-columns=median,min,rounds",
]

if __name__ == "__main__":
    if sys.argv[1:2] == ["growth"]:
        from tests.bench.growth.measure import main

        sys.exit(main(sys.argv[2:]))
    if sys.argv[1:2] == ["works"]:
        from tests.bench.works import main

        sys.exit(main(sys.argv[2:]))
    named = [a for a in sys.argv[1:] if not a.startswith("-")]
    options = [a for a in sys.argv[1:] if a.startswith("-")]
    files = [str(HERE / f"bench_{name.removeprefix('bench_')}.py") for name in named]
    sys.exit(pytest.main([*OPTIONS, *options, *(files or [str(HERE)])]))
