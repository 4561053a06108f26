"""Who does the work of a command: workers here, or those of a Dask cluster."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from annostat.errors import AnnostatError

CONNECT = "15s"  # until a scheduler that does not answer is given up


def job_options(command: Callable[..., Any], workers: str = "Workers") -> Callable[..., Any]:
    """Add the options that say who does the work; `workers` is what they are called."""

    @functools.wraps(command)
    def run(*args: Any, **options: Any) -> Any:
        with on_dask(options.pop("dask", None)):
            return command(*args, **options)

    jobs = click.option(
        "--n-jobs", type=int, default=-1, show_default=True, help=f"{workers}; -1 for all cores."
    )
    dask = click.option(
        "--dask",
        metavar="ADDRESS",
        help="Scheduler of a Dask cluster that does the work (tcp://host:8786).",
    )
    return jobs(dask(run))


@contextmanager
def on_dask(address: str | None) -> Iterator[None]:
    """Hand parallel work, and the parts of tables, to a Dask cluster; without an address do not.

    Raises
    ------
    AnnostatError
        If dask.distributed is missing, or nobody answers there.
    """
    if address is None:
        yield
        return
    try:
        from distributed import Client
    except ImportError:
        raise AnnostatError(
            "--dask needs dask.distributed, which is not installed: pip install 'annostat[dask]'"
        ) from None
    import joblib

    try:
        connect: Any = Client
        client = connect(address, timeout=CONNECT)
    except (OSError, ValueError, TypeError) as error:
        told = " ".join(str(error).split())[:200]
        raise AnnostatError(f"--dask: no scheduler answers at {address!r}: {told}") from None
    with client, joblib.parallel_config(backend="dask", n_jobs=-1):
        yield
