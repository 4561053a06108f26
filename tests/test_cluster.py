"""The same numbers on a cluster: joblib's Dask backend against the serial result, bit for bit."""

import pickle

import joblib
import numpy as np
import pytest

import annostat
from analysis.calibration.designs import Design
from analysis.calibration.results import run
from annostat.datasets import audit_folder
from annostat.resampling import bootstrap
from tests import folders

ROUNDS = annostat.simulate_rounds(
    annostat.NoiseModel("laplace", {"scale": 2.0}), 200, rng=np.random.default_rng(1)
)


def mean(weights):
    return (weights @ np.arange(50.0)) / weights.sum(axis=1)


def several(n_jobs, clips):
    """Return the results of everything that repeats itself: bootstraps, a study, an audit."""
    fit = annostat.fit_noise(ROUNDS, "laplace", abandonment="none", ci="none")
    comparison = annostat.compare_noise(
        ROUNDS, cores=["laplace", "gaussian"], n_tests=19, n_jobs=n_jobs
    )
    return (
        bootstrap(mean, 50, n_resamples=500, rng=3, n_jobs=n_jobs).tolist(),
        fit.bootstrap(n_resamples=150, rng=1, n_jobs=n_jobs).to_dict(),
        comparison.to_dict(),
        run("values", Design(20, "gaussian"), 6, seed=1, n_jobs=n_jobs),
        audit_folder(clips, n_jobs=n_jobs).to_dict(),
    )


def test_a_fit_survives_the_way_to_another_process():
    fit = annostat.fit_noise(ROUNDS, "laplace", ci="none")
    again = pickle.loads(pickle.dumps(fit))
    assert again.model.family is fit.model.family
    assert again.bootstrap(n_resamples=5, rng=1).equals(fit.bootstrap(n_resamples=5, rng=1))


def test_dask_gives_the_serial_result(tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed", reason="needs dask[distributed]")
    monkeypatch.setattr("annostat.datasets.audit.measuring.FEW", 2)  # few clips go there, too
    clips = folders.EchoFolder.make(4, seed=30, size=48).write(tmp_path / "e")
    serial = repr(several(1, clips))  # of floats to the last bit, and NaN equals itself
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", processes=True
        ) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask", n_jobs=2),
    ):
        found = repr(several(2, clips))
    assert found == serial
