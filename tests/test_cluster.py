"""The same numbers on a cluster: joblib's Dask and Ray backends against the serial result."""

import pickle
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest

import annostat
from analysis.calibration.designs import Design
from analysis.calibration.results import run
from annostat import Rounds, fit_noise
from annostat.datasets import audit_folder
from annostat.noise.compare import check_sample
from annostat.resampling.bootstraps import bootstrap
from tests import folders
from tests.clusters import two_workers

ROOT = Path(__file__).parent.parent
ROUNDS = annostat.simulate_rounds(
    annostat.NoiseModel("laplace", {"scale": 2.0}), 200, rng=np.random.default_rng(1)
)


def mean(weights):
    return (weights @ np.arange(50.0)) / weights.sum(axis=1)


def several(n_jobs, clips):
    """Return the results of everything that repeats itself: bootstraps, a study, an audit."""
    fit = fit_noise(ROUNDS, "laplace", abandonment="none", ci="none")
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


def compared(clips):
    """Print whether a cluster gives what one process does: to the last bit, NaN being NaN."""
    serial = repr(several(1, Path(clips)))
    with (
        two_workers(),
        joblib.parallel_config(backend="dask", n_jobs=2),
    ):
        found = repr(several(2, Path(clips)))
    print(found == serial)


def through_read_only_memory(value, dumps=pickle.dumps):
    """Return what another process gets of Ray: arrays that may only be read."""
    buffers = []
    data = dumps(value, protocol=5, buffer_callback=buffers.append)
    return pickle.loads(data, buffers=map(bytes, buffers))


@pytest.mark.parametrize("cluster", [None, np.arange(200) // 2])
def test_a_fit_survives_the_way_to_another_process(cluster):
    """Also through memory that may only be read, as Ray's."""
    period, items = np.repeat([20.0, 33.0], 100), np.arange(200)
    rounds = Rounds.from_array(ROUNDS.values, items=items, cluster=cluster, period=period)
    fit = fit_noise(rounds, "laplace", ci="none")
    for again in (pickle.loads(pickle.dumps(fit)), through_read_only_memory(fit)):
        assert again.model.family is fit.model.family
        assert again.bootstrap(n_resamples=5, rng=1).equals(fit.bootstrap(n_resamples=5, rng=1))
        assert again.goodness_of_fit(n_resamples=5, rng=1) == fit.goodness_of_fit(
            n_resamples=5, rng=1
        )
        assert again.test_abandonment(n_resamples=5, rng=1) == fit.test_abandonment(
            n_resamples=5, rng=1
        )
        assert again.abandonment_posterior().equals(fit.abandonment_posterior())
        assert check_sample(again) == check_sample(fit)


@pytest.fixture
def clips(tmp_path, monkeypatch):
    """A folder of clips of which all go to the workers, few as they are."""
    monkeypatch.setattr("annostat.datasets.audit.measuring.FEW", 2)
    return folders.EchoFolder.make(4, seed=30, size=48).write(tmp_path / "e")


def test_memory_that_may_only_be_read(clips, monkeypatch):
    dumps = pytest.importorskip("cloudpickle", reason="needs cloudpickle (dask)").dumps

    def far(value):
        return through_read_only_memory(value, dumps)

    def elsewhere(function, tasks, **_):
        return [far(far(function)(far(task))) for task in tasks]

    serial = repr(several(1, clips))
    places = ("resampling.bootstraps", "noise.search", "noise.compare", "datasets.audit.measuring")
    for module in places:
        monkeypatch.setattr(f"annostat.{module}.map_parallel", elsewhere)
    assert repr(several(1, clips)) == serial


def test_dask_gives_the_serial_result(clips):
    pytest.importorskip("distributed", reason="needs dask[distributed]")
    # What was compiled just now may differ in the last bit of a sum from what is loaded, since it
    # was linked in another order: the first run compiles, all processes of the second load.
    for _ in range(2):
        code = f"from tests.test_cluster import compared; compared({str(clips)!r})"
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
        )
    assert done.stdout.split() == ["True"], done.stderr


def test_ray_gives_the_serial_result(clips):
    ray = pytest.importorskip("ray", reason="needs ray (nox -s ray)")
    from ray.util.joblib import register_ray

    serial = repr(several(1, clips))
    register_ray()
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        with joblib.parallel_config(backend="ray", n_jobs=-1):
            found = repr(several(-1, clips))
    finally:
        ray.shutdown()
    assert found == serial


def test_what_travels_of_a_comparison_does_not_grow_with_the_items(monkeypatch):
    """The names and picks of a million items went to workers with each model, and came back."""
    cloudpickle = pytest.importorskip("cloudpickle", reason="needs dask[distributed]")
    from annostat.noise import compare
    from annostat.resampling.parallel import map_parallel

    sizes = []

    def weighed(function, tasks, **options):
        found = map_parallel(function, tasks, **options)
        sizes.append(len(cloudpickle.dumps(function)) + len(cloudpickle.dumps(found)))
        return found

    monkeypatch.setattr(compare, "map_parallel", weighed)
    n = 20_000
    many = annostat.simulate_rounds(annostat.NoiseModel("laplace", {"scale": 2.0}), n, rng=1)
    names = {"items": range(n), "cluster": [f"patient {i // 4}" for i in range(n)]}
    rounds = Rounds.from_array(many.values, **names)
    done = annostat.compare_noise(rounds, cores=["laplace"], n_tests=19)
    assert len(sizes) == 2 and max(sizes) < 200_000, sizes
    assert all(fit.problem.rounds is done.rounds for fit in done.fits)
    assert len(done.best.abandonment_posterior()) == n
