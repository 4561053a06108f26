"""Compile the kernels in two processes while there is no cache of them.

numba compiles one function at a time in a process, so the first run ever would wait for them one
after the other. What is compiled here reaches the other process through numba's cache on disk.
Where nothing can be cached, or this process fails, the other one compiles everything by itself.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import numba as nb

from annostat import jit
from annostat.noise import kernels
from annostat.noise.families import FAMILIES
from annostat.noise.kernels import CELLS, DATA, MATRIX, NUMBERS, VECTOR

COMMAND = [sys.executable, "-m", "annostat.noise.ahead"]


@contextlib.contextmanager
def compiled_ahead() -> Iterator[Callable[[], None]]:
    """Begin to compile, and give what waits until all is compiled."""
    if not worthwhile():
        yield lambda: None
        return
    silent = subprocess.DEVNULL
    with subprocess.Popen(COMMAND, stdin=silent, stdout=silent, stderr=silent) as other:

        def finish() -> None:
            compile_likelihood()
            other.wait()

        try:
            yield finish
        finally:
            other.terminate()


def worthwhile() -> bool:
    """Return whether there is a cache on disk that does not know what the command needs last."""
    if jit.OFF or (os.cpu_count() or 1) < 2:
        return False
    last = kernels.refit_counts
    folder = last.stats.cache_path
    if folder is None:
        return False
    there = os.listdir(folder) if os.path.isdir(folder) else []
    return not any(file.startswith(f"kernels.{last.__name__}-") for file in there)


def compile_likelihood() -> None:
    """Compile the likelihood and what shares parts with it."""
    _ = kernels.evaluate.compiled, kernels.mean_error.compiled
    kernels.fit_unimodal.compile((CELLS, VECTOR, MATRIX, nb.int64, nb.float64))


def compile_searches() -> None:
    """Compile the maximiser, what calls it, and the families."""
    _ = kernels.maximise.compiled
    real = nb.float64
    signatures = kernels.FILL, kernels.POINT, kernels.POINT, kernels.CLIMB
    calls = [nb.types.FunctionType(s) for s in signatures]
    at, box = [NUMBERS, VECTOR, DATA], [VECTOR, VECTOR]  # spec, u, data; low, high
    kernels.scan_windows.compile((*calls, *at, NUMBERS, *box, real, MATRIX, MATRIX))
    walk = [real, real, real, nb.int64, real, real, NUMBERS]
    kernels.profile_limit.compile((*walk, *calls, *at, *box))
    drawn = [MATRIX, real[:, :, ::1], DATA, MATRIX, NUMBERS, nb.int64]
    kernels.refit_counts.compile((*calls, NUMBERS, *drawn, *box, MATRIX, MATRIX))
    kernels.call_climb.compile((*calls, *at, real, *box, MATRIX, real))
    for family in FAMILIES.values():
        _ = family.kernel


if __name__ == "__main__":
    compile_searches()
