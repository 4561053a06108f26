"""A Dask cluster of two worker processes, for tests that hold it against the serial run."""

import contextlib


@contextlib.contextmanager
def two_workers():
    """Yield a local cluster that a client is connected to."""
    import distributed

    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", processes=True
        ) as cluster,
        distributed.Client(cluster),
    ):
        yield cluster
