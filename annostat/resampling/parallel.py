"""The one place where annostat runs things in parallel."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np

from annostat.errors import AnnostatError

Progress: TypeAlias = Callable[[int, int], None]
MANY = 8  # tasks, so that the first one is little of them
WORTH_WORKERS = 1.0  # seconds of work; below, starting workers costs more than they spare
T = TypeVar("T")
R = TypeVar("R")
# What tells a worker that its results are not waited for any more: its pool's, and those around it.
_STOPS: ContextVar[tuple[threading.Event, ...]] = ContextVar("stops", default=())


class _Stopped(BaseException):
    """Ends the work of a thread; nobody sees it, nor may what catches errors."""


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
    # Where joblib is not loaded, nobody has chosen a backend. Loading it takes a tenth of a second.
    plain = "joblib" not in sys.modules and not processes
    with contextlib.ExitStack() as stack:
        if n_jobs == 1 or len(rest) < 2 or (plain and n_jobs is None):
            stream: Iterable[R] = _here(function, rest)
        elif plain and n_jobs is not None:
            stream = stack.enter_context(_threads(function, rest, n_jobs))
        else:
            stream = _by_joblib(function, rest, n_jobs, processes)
        for result in stream:
            results.append(result)
            if progress is not None:
                progress(len(results), len(todo))
    return results


def _here(function: Callable[[T], R], tasks: list[T]) -> Iterator[R]:
    """Yield the results one after the other; in a thread no task is begun after it was stopped."""
    for task in tasks:
        _end_if_stopped()
        yield function(task)


def _end_if_stopped() -> None:
    if any(stop.is_set() for stop in _STOPS.get()):
        raise _Stopped


@contextlib.contextmanager
def _threads(function: Callable[[T], R], tasks: list[T], n_jobs: int) -> Iterator[Iterable[R]]:
    """Give the results in the order of the tasks.

    After an error or an interrupt no further task is begun, and those that are run end before the
    next of their own.
    """
    from concurrent.futures import ThreadPoolExecutor

    stop = threading.Event()
    stops = (*_STOPS.get(), stop)

    def one(task: T) -> R:
        _STOPS.set(stops)  # a thread begins with none
        _end_if_stopped()
        return function(task)

    workers = n_jobs if n_jobs > 0 else max(1, cores() + 1 + n_jobs)
    pool = ThreadPoolExecutor(min(workers, len(tasks)))
    try:
        yield pool.map(one, tasks)
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


def _by_joblib(
    function: Callable[[T], R], tasks: list[T], n_jobs: int | None, processes: bool
) -> Iterable[R]:
    """Return the results by the backend that the caller has chosen (processes, Dask, Ray)."""
    import joblib

    kind = "processes" if processes else "threads"  # where none was chosen
    try:
        pool = joblib.Parallel(n_jobs=n_jobs, prefer=kind, return_as="generator")
    except ValueError:  # a backend that hands over all results at once (Ray, multiprocessing)
        pool = joblib.Parallel(n_jobs=n_jobs, prefer=kind)
    found: Iterable[R] = pool(joblib.delayed(function)(task) for task in tasks)
    return found


def cores() -> int:
    """Return how many cores this process may use: those of its container, if that has fewer."""
    there = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        there = len(os.sched_getaffinity(0))
    # What a container may use of a period, of control groups version 2.
    with contextlib.suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        there = min(there, max(1, round(int(quota) / int(period))))
    return there


def is_elsewhere() -> bool:
    """Return whether a backend of joblib's was chosen that is not on this machine."""
    if "joblib" not in sys.modules:
        return False
    from joblib.parallel import BACKENDS, get_active_backend

    backend = get_active_backend()[0]
    here = tuple(BACKENDS[name] for name in ("loky", "threading", "sequential") if name in BACKENDS)
    return not isinstance(backend, here)
