"""The same numbers on a cluster: joblib's Dask backend against the serial result, bit for bit."""

import pickle

import joblib
import numpy as np
import pytest

import annostat
from annostat.resampling import bootstrap

ROUNDS = annostat.simulate_rounds(
    annostat.NoiseModel("laplace", {"scale": 2.0}), 200, rng=np.random.default_rng(1)
)


def mean(weights):
    return (weights @ np.arange(50.0)) / weights.sum(axis=1)


def several(n_jobs):
    """Return the results of everything that repeats itself."""
    fit = annostat.fit_noise(ROUNDS, "laplace", abandonment="none", ci="none")
    comparison = annostat.compare_noise(
        ROUNDS, cores=["laplace", "gaussian"], n_tests=19, n_jobs=n_jobs
    )
    return (
        bootstrap(mean, 50, n_resamples=500, rng=3, n_jobs=n_jobs).tolist(),
        fit.bootstrap(n_resamples=150, rng=1, n_jobs=n_jobs).to_dict(),
        comparison.to_dict(),
    )


def test_a_fit_survives_the_way_to_another_process():
    fit = annostat.fit_noise(ROUNDS, "laplace", ci="none")
    again = pickle.loads(pickle.dumps(fit))
    assert again.model.family is fit.model.family
    assert again.bootstrap(n_resamples=5, rng=1).equals(fit.bootstrap(n_resamples=5, rng=1))


def test_dask_gives_the_serial_result():
    distributed = pytest.importorskip("distributed", reason="needs dask[distributed]")
    serial = several(1)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True
        ) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask", n_jobs=2),
    ):
        assert several(2) == serial
