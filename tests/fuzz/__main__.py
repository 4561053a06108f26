"""Fuzz each target for some seconds; what fails is kept in crash-* files and ends the run."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def run(name: str, seconds: str) -> int:
    """Fuzz one target in a process of its own, since libFuzzer takes the process over."""
    corpus = HERE / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    grown = Path("out") / "fuzz" / name
    grown.mkdir(parents=True, exist_ok=True)
    child = [sys.executable, "-m", "tests.fuzz.one", name, str(grown), str(corpus)]
    limits = [f"-max_total_time={seconds}", "-timeout=30", "-rss_limit_mb=4096", "-max_len=4096"]
    # Kernels run as plain Python: the fuzzer's marks in their code are none that numba knows.
    return subprocess.run(
        [*child, *limits, f"-artifact_prefix={grown}/crash-"],
        check=False,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
    ).returncode


if __name__ == "__main__":
    from tests.fuzz.targets import TARGETS

    seconds, *names = sys.argv[1:] or ["600"]
    sys.exit(max(run(name, seconds) for name in names or TARGETS))
