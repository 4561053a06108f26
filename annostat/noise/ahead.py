"""Compile the kernels in two processes while there is no cache of them.

numba compiles one function at a time in a process, so the first run ever would wait for them one
after the other. Here two processes go through the same list from its two ends: what the other one
has compiled comes out of numba's cache on disk. Where that other process fails, all is compiled
all the same.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numba as nb

from annostat import jit
from annostat.noise import kernels
from annostat.noise.families import FAMILIES, Family
from annostat.noise.kernels.types import (
    CALLS,
    CELLS,
    DATA,
    GOAL,
    MATRIX,
    NUMBERS,
    SPACE,
    VECTOR,
    WALK,
    WARM,
)


@contextlib.contextmanager
def compiled_ahead() -> Iterator[Callable[[], None]]:
    """Begin to compile, and give what ends when all is compiled."""
    if not worthwhile():
        yield lambda: None
        return
    silent = subprocess.DEVNULL
    with subprocess.Popen(command(), stdin=silent, stdout=silent, stderr=silent) as other:
        try:
            yield lambda: compile_all(reversed(tasks()))
        finally:
            other.terminate()


def command() -> list[str]:
    """Return what starts the other process, with the same annostat whatever folder it is in."""
    code = "from annostat.noise.ahead import compile_all, tasks; compile_all(tasks())"
    # It ends before a search for cycles among what the compiler makes would be of use.
    return [
        sys.executable,
        "-c",
        f"import gc, sys; gc.disable(); sys.path[:] = {sys.path!r}; {code}",
    ]


def worthwhile() -> bool:
    """Return whether there is a cache on disk that does not know what the command needs last."""
    if jit.OFF or (os.cpu_count() or 1) < 2:
        return False
    last = kernels.refit_counts
    folder = last.stats.cache_path
    if folder is None:
        return False
    there = os.listdir(folder) if os.path.isdir(folder) else []
    return not any(f".{last.__name__}-" in file for file in there)


def compile_all(todo: Iterable[tuple[Any, Any]]) -> None:
    """Compile kernels of given types; entries and families have theirs (None)."""
    for kernel, types in todo:
        if types is not None:
            kernel.compile(types)
        elif isinstance(kernel, Family):
            _ = kernel.kernel
        else:
            _ = kernel.compiled


def tasks() -> list[tuple[Any, Any]]:
    """Return all kernels with their types: what maximises first, the likelihood last."""
    whole = nb.int64
    fill, point = (nb.types.FunctionType(s) for s in (kernels.FILL, kernels.POINT))
    return [
        (kernels.maximise, None),
        (kernels.scan_windows, (CALLS, SPACE, VECTOR, NUMBERS, MATRIX, MATRIX)),
        (kernels.profile_limit, (WALK, NUMBERS, CALLS, SPACE, VECTOR)),
        (kernels.refit_counts, (CALLS, SPACE, WARM, MATRIX, MATRIX, MATRIX)),
        (kernels.call_climb, (CALLS, SPACE, VECTOR, MATRIX, GOAL)),
        *((family, None) for family in FAMILIES.values()),
        (kernels.pair_law, (VECTOR, whole)),
        (kernels.call_fill, (fill, VECTOR, VECTOR, MATRIX)),
        (kernels.call_point, (point, fill, NUMBERS, VECTOR, DATA, VECTOR)),
        (kernels.law_slopes, (MATRIX, CELLS, nb.float64, nb.float64, whole, MATRIX)),
        (kernels.mean_error, None),
        (kernels.evaluate, None),
    ]
