"""The one place where annostat runs things in parallel."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from typing import TypeAlias, TypeVar

import numpy as np

from annostat.errors import AnnostatError

Progress: TypeAlias = Callable[[int, int], None]
MANY = 8  # tasks, so that the first one is little of them
WORTH_WORKERS = 1.0  # seconds of work; below, starting workers costs more than they spare
T = TypeVar("T")
R = TypeVar("R")


def map_parallel(
    function: Callable[[T], R],
    tasks: Iterable[T],
    *,
    n_jobs: int | None = 1,
    progress: Progress | None = None,
    processes: bool = False,
) -> list[R]:
    """Apply `function` to each task, in order, on `n_jobs` workers.

    Parameters
    ----------
    function : callable
        Called once per task. It must not share state between tasks.
    tasks : iterable
        What to call it with.
    n_jobs : int or None
        Workers; -1 for all cores, None for joblib's current setting. With -1 many tasks that take
        less than a second in all are done here, one after the other: the first one tells.
        Threads by default, since the kernels release the interpreter lock;
        ``joblib.parallel_config`` chooses another backend (processes, Dask, Ray).
    progress : callable, optional
        Called as ``progress(done, total)`` after each task.
    processes : bool
        Prefer processes, for functions that hold the interpreter lock; they must be importable.

    Returns
    -------
    list
        The results, in the order of the tasks.
    """
    if n_jobs is not None and (n_jobs == 0 or not isinstance(n_jobs, (int, np.integer))):
        raise AnnostatError(
            f"n_jobs must be a number of workers, or -1 for all cores, got {n_jobs!r}"
        )
    todo = list(tasks)
    results: list[R] = []
    if n_jobs == -1 and len(todo) >= MANY and not is_elsewhere():
        start = time.perf_counter()
        results.append(function(todo[0]))
        if progress is not None:
            progress(1, len(todo))
        if (time.perf_counter() - start) * len(todo) < WORTH_WORKERS:
            n_jobs = 1
    rest = todo[len(results) :]
    if n_jobs == 1 or len(rest) < 2:
        stream: Iterable[R] = map(function, rest)
    else:
        import joblib

        # A backend chosen by the caller (processes, Dask, Ray) stays; the default becomes threads.
        kind = "processes" if processes else "threads"
        try:
            pool = joblib.Parallel(n_jobs=n_jobs, prefer=kind, return_as="generator")
        except ValueError:  # a backend that hands over all results at once (Ray, multiprocessing)
            pool = joblib.Parallel(n_jobs=n_jobs, prefer=kind)
        stream = pool(joblib.delayed(function)(task) for task in rest)
    for result in stream:
        results.append(result)
        if progress is not None:
            progress(len(results), len(todo))
    return results


def is_elsewhere() -> bool:
    """Return whether a backend of joblib's was chosen that is not on this machine."""
    if "joblib" not in sys.modules:
        return False
    from joblib.parallel import BACKENDS, get_active_backend

    backend = get_active_backend()[0]
    here = tuple(BACKENDS[name] for name in ("loky", "threading", "sequential") if name in BACKENDS)
    return not isinstance(backend, here)
