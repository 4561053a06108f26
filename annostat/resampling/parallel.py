"""The one place where annostat runs things in parallel."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias, TypeVar

import numpy as np

from annostat.errors import AnnostatError

Progress: TypeAlias = Callable[[int, int], None]
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
        Workers; -1 for all cores, None for joblib's current setting. Threads by default, since
        the kernels release the interpreter lock; ``joblib.parallel_config`` chooses another
        backend (processes, Dask, Ray).
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
    if n_jobs == 1 or len(todo) < 2:
        stream: Iterable[R] = map(function, todo)
    else:
        import joblib

        # A backend chosen by the caller (processes, Dask, Ray) stays; the default becomes threads.
        kind = "processes" if processes else "threads"
        try:
            pool = joblib.Parallel(n_jobs=n_jobs, prefer=kind, return_as="generator")
        except ValueError:  # a backend that hands over all results at once (Ray, multiprocessing)
            pool = joblib.Parallel(n_jobs=n_jobs, prefer=kind)
        stream = pool(joblib.delayed(function)(task) for task in todo)
    for result in stream:
        results.append(result)
        if progress is not None:
            progress(len(results), len(todo))
    return results
