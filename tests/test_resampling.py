"""The bootstrap: same numbers on any number of workers, whole clusters, known intervals."""

import inspect
import math
import os

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joblib.parallel import ThreadingBackend
from scipy import stats

from annostat import AnnostatError
from annostat.resampling import draws, kernels
from annostat.resampling.bootstraps import bootstrap, bootstrap_interval, bootstrap_sums
from annostat.resampling.clusters import cluster_codes
from annostat.resampling.generators import as_generator, seed_of, spawn
from annostat.resampling.parallel import map_parallel
from tests import naive

X = np.random.default_rng(5).gamma(2.0, size=40)
JACKKNIFE = (X.sum() - X) / (X.size - 1)


def mean(w):
    return w @ X / w.sum(axis=1)


def test_any_number_of_workers_gives_the_same_bits(monkeypatch):
    monkeypatch.setattr("annostat.resampling.bootstraps.BLOCK_CELLS", 40 * 16)
    runs = [bootstrap(mean, 40, n_resamples=301, rng=3, n_jobs=j) for j in (1, 2, 3, -1, None)]
    for run in runs[1:]:
        np.testing.assert_array_equal(runs[0], run)
    assert len(np.unique(runs[0])) > 290  # the blocks are not copies of each other
    again = bootstrap(mean, 40, n_resamples=301, rng=np.random.default_rng(3))
    np.testing.assert_array_equal(runs[0], again)
    assert (bootstrap(mean, 40, n_resamples=301, rng=4) != runs[0]).any()


class AtOnce(ThreadingBackend):
    """Hands over all results at the end, as joblib's backends for Ray and multiprocessing do."""

    supports_return_generator = False


def test_a_backend_that_hands_over_at_once():
    joblib.register_parallel_backend("at-once", AtOnce)
    seen = []
    with joblib.parallel_config(backend="at-once", n_jobs=2):
        found = map_parallel(abs, range(-4, 0), n_jobs=2, progress=lambda *x: seen.append(x))
    assert found == [4, 3, 2, 1]
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_memory_grows_with_the_block_only(monkeypatch):
    monkeypatch.setattr("annostat.resampling.bootstraps.BLOCK_CELLS", 400)
    sizes = []
    bootstrap(lambda w: sizes.append(w.shape) or w[:, 0], 40, n_resamples=25, rng=1)
    assert sizes == [(10, 40), (10, 40), (5, 40)]


@given(st.lists(st.integers(0, 6), min_size=1, max_size=30), st.integers(0, 2**32))
def test_clusters_are_drawn_whole(labels, seed):
    codes = cluster_codes([f"p{v}" for v in labels])
    weights = bootstrap(lambda w: w, len(labels), n_resamples=7, cluster=codes, rng=seed)
    drawn = [weights[:, codes == c] for c in range(codes.max() + 1)]
    assert all((w == w[:, :1]).all() for w in drawn)
    assert (sum(w[:, 0] for w in drawn) == len(drawn)).all()
    plain = bootstrap(lambda w: w, len(labels), n_resamples=7, rng=seed)
    assert (plain.sum(axis=1) == len(labels)).all()


def test_multiplicities_are_multinomial():
    w = bootstrap(lambda w: w, 10, n_resamples=20_000, rng=2)
    np.testing.assert_allclose(w.mean(axis=0), 1, atol=0.04)
    np.testing.assert_allclose(w.var(axis=0), 0.9, atol=0.05)
    np.testing.assert_allclose(np.cov(w[:, 0], w[:, 1])[0, 1], -0.1, atol=0.03)


@pytest.mark.parametrize(
    ("start", "rows", "n"), [(0, 40, 1), (7, 9, 2), (2**40, 20, 13), (0, 1, 200_003)]
)
def test_draws_equal_their_plain_twin(start, rows, n):
    """Of the last one a few numbers are rejected: one in 42,000."""
    out = np.full((rows, n), np.nan)
    expected = naive.multiplicities(2**64 - 5, start, rows, n)
    for draw in (draws.draw_multiplicities, kernels.draw_multiplicities):
        with np.errstate(over="ignore"):
            draw(np.uint64(2**64 - 5), start, out)
        np.testing.assert_array_equal(out, expected)
    assert (out.sum(axis=1) == n).all()


def test_all_resamples_of_three_items_occur_as_often_as_they_should():
    drawn = bootstrap(lambda w: w, 3, n_resamples=27_000, rng=1)
    kinds, seen = np.unique(drawn, axis=0, return_counts=True)
    expected = 27_000 * stats.multinomial(3, [1 / 3] * 3).pmf(kinds)
    assert len(kinds) == 10 and stats.chisquare(seen, expected).pvalue > 0.01
    # Neighbouring resamples, which share the generator's counter, know nothing of each other.
    after = np.corrcoef(drawn[:-1].T, drawn[1:].T)[:3, 3:]
    assert np.abs(after).max() < 4 / math.sqrt(27_000)


@pytest.mark.parametrize("n", [1, 7, 40, 1000])
def test_sums_are_those_of_the_same_resamples(n):
    columns = np.random.default_rng(n).normal(size=(n, 3))
    plain = bootstrap(lambda w: w @ columns, n, n_resamples=90, rng=3)
    for n_jobs in (1, 2):
        found = bootstrap_sums(columns, n_resamples=90, rng=3, n_jobs=n_jobs)
        np.testing.assert_allclose(found, plain, rtol=1e-12, atol=1e-12)


def test_a_resample_is_the_same_in_any_block_and_run(monkeypatch):
    runs = [bootstrap(lambda w: w, 40, n_resamples=b, rng=3) for b in (500, 90)]
    np.testing.assert_array_equal(runs[0][:90], runs[1])
    monkeypatch.setattr("annostat.resampling.bootstraps.BLOCK_CELLS", 400)
    np.testing.assert_array_equal(runs[0], bootstrap(lambda w: w, 40, n_resamples=500, rng=3))


@pytest.mark.parametrize("method", ["percentile", "basic", "bca"])
@pytest.mark.parametrize("level", [0.5, 0.9, 0.95])
def test_intervals_against_scipy(method, level):
    # SciPy renamed the argument in 1.15.
    seed = {"rng" if "rng" in inspect.signature(stats.bootstrap).parameters else "random_state": 1}
    reference = stats.bootstrap(
        (X,), np.mean, method=method, confidence_level=level, n_resamples=999, **seed
    )
    ours = bootstrap_interval(
        reference.bootstrap_distribution, X.mean(), level=level, method=method, jackknife=JACKKNIFE
    )
    np.testing.assert_allclose((ours.low, ours.high), reference.confidence_interval, rtol=1e-12)
    assert ours.level == level
    assert method in ours.method.lower()


def test_bootstrap_t_by_hand():
    replicates = bootstrap(mean, 40, n_resamples=500, rng=1)
    errors = np.linspace(0.5, 1.5, 500)
    pivots = (replicates - X.mean()) / errors
    interval = bootstrap_interval(
        replicates, X.mean(), method="t", standard_errors=errors, standard_error=2.0, level=0.9
    )
    assert interval.low == pytest.approx(X.mean() - 2 * np.quantile(pivots, 0.95))
    assert interval.high == pytest.approx(X.mean() - 2 * np.quantile(pivots, 0.05))


def test_extreme_bca_stays_in_order():
    replicates = np.r_[np.zeros(1), np.arange(1, 2000.0)]
    jackknife = np.r_[np.full(40, 0.0), -100.0]
    interval = bootstrap_interval(
        replicates, 1999.0, level=0.9999, method="bca", jackknife=jackknife
    )
    assert 0 <= interval.low <= interval.high <= 1999


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: as_generator(-1), "seed >= 0"),
        (lambda: as_generator(True), "numpy Generator"),
        (lambda: as_generator("x"), "numpy Generator"),
        (lambda: bootstrap(mean, 0), "n must be a whole number of at least 1"),
        (lambda: bootstrap(mean, 40, n_resamples=0), "n_resamples"),
        (lambda: bootstrap(mean, 2, cluster=np.array([0, 5])), "each of them in use"),
        (lambda: bootstrap(mean, 2, cluster=np.array([-1, 0])), "each of them in use"),
        (lambda: bootstrap(mean, 3, cluster=np.array([0, 1])), "3 whole numbers"),
        (lambda: map_parallel(str, [1, 2], n_jobs=0), "n_jobs"),
        (lambda: bootstrap_interval([1.0, math.nan], 1.0), "1 of 2 bootstrap replicates"),
        (lambda: bootstrap_interval([], 1.0), "two or more"),
        (lambda: bootstrap_interval([1.0, 2], math.nan), "estimate must be finite"),
        (lambda: bootstrap_interval([1.0, 2], 1.0, method="bcaa"), "mean 'bca'"),
        (lambda: bootstrap_interval([1.0, 2], 1.0, method="bca"), "jackknife"),
        (
            lambda: bootstrap_interval([1.0, 2], 1.0, method="bca", jackknife=[1, math.nan]),
            "all finite",
        ),
        (lambda: bootstrap_interval([1.0, 2], 1.0, method="t"), "standard_errors"),
        (
            lambda: bootstrap_interval(
                [1.0, 2], 1.0, method="t", standard_errors=[0, 1], standard_error=1
            ),
            "one positive number",
        ),
        (lambda: bootstrap_interval([1.0, 2], 1.0, level=95), "level"),
        (lambda: cluster_codes(["a", None]), "cluster is missing in 1 row$"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(AnnostatError, match=words):
        call()


def test_seeds():
    assert (seed_of(7), seed_of(np.int64(7)), seed_of(None)) == (7, 7, None)
    assert seed_of(np.random.default_rng(7)) is None
    one, two = ([g.random() for g in spawn(7, 3)] for _ in range(2))
    assert one == two
    assert len(set(one)) == 3
    generator = np.random.default_rng(7)
    assert as_generator(generator) is generator
    assert spawn(generator, 1)[0].random() != spawn(generator, 1)[0].random()


def test_order_progress_and_the_callers_backend():
    seen = []
    result = map_parallel(
        lambda i: i * i, range(5), n_jobs=2, progress=lambda *done: seen.append(done)
    )
    assert result == [0, 1, 4, 9, 16]
    assert seen == [(i, 5) for i in range(1, 6)]
    assert map_parallel(str, []) == []
    here = os.getpid()
    assert set(map_parallel(lambda _: os.getpid(), range(4), n_jobs=2)) == {here}
    with joblib.parallel_config(backend="loky"):
        assert here not in map_parallel(lambda _: os.getpid(), range(4), n_jobs=2)


def test_codes_in_order_of_appearance():
    assert cluster_codes(["b", "a", "b"]).tolist() == [0, 1, 0]
    assert cluster_codes(None) is None


@pytest.mark.parametrize("worth, pooled", [(1.0, False), (0.0, True)])
def test_little_work_is_not_handed_to_workers(worth, pooled, monkeypatch):
    """With all cores, the first of many tasks tells whether workers are worth it."""
    import joblib

    from annostat.resampling import parallel

    monkeypatch.setattr(parallel, "WORTH_WORKERS", worth)
    pools, seen = [], []
    pool = joblib.Parallel
    monkeypatch.setattr(joblib, "Parallel", lambda **o: pools.append(o) or pool(**o))
    tasks = range(20)
    found = parallel.map_parallel(
        lambda i: i * i, tasks, n_jobs=-1, progress=lambda done, total: seen.append((done, total))
    )
    assert found == [i * i for i in tasks]
    assert seen == [(i + 1, 20) for i in tasks]
    assert bool(pools) is pooled
    assert parallel.map_parallel(abs, [-1, -2], n_jobs=-1) == [1, 2] and pools  # few: not tried


def test_threads_without_joblib(monkeypatch):
    """Where nobody has loaded joblib, plain threads do the same and end after an error."""
    import sys

    from annostat.resampling import parallel

    for name in [n for n in sys.modules if n.split(".")[0] == "joblib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(parallel, "WORTH_WORKERS", 0.0)
    for n_jobs in (1, 2, 7, -1, -99, None):
        seen: list[int] = []
        found = parallel.map_parallel(
            lambda i: i * i,
            range(20),
            n_jobs=n_jobs,
            progress=lambda done, _, s=seen: s.append(done),
        )
        assert found == [i * i for i in range(20)] and seen == list(range(1, 21))
    begun = []

    def fails(i):
        begun.append(i)
        raise ValueError(i)

    with pytest.raises(ValueError):
        parallel.map_parallel(fails, range(10_000), n_jobs=2)
    assert len(begun) < 10_000
    assert "joblib" not in sys.modules
    assert 1 <= parallel.cores() <= os.cpu_count()


@pytest.mark.parametrize("between", [False, True], ids=["error of a task", "between two results"])
@pytest.mark.parametrize("within", [1, 2], ids=["in turn", "in threads of its own"])
def test_what_threads_run_ends_with_them(monkeypatch, between, within):
    """An interrupt or an error does not wait for the tasks that a running task has of its own."""
    import sys
    import threading
    import time

    from annostat.resampling import parallel

    for name in [n for n in sys.modules if n.split(".")[0] == "joblib"]:
        monkeypatch.delitem(sys.modules, name)
    begun, running = [], threading.Event()

    def piece(i):
        begun.append(i)
        running.set()
        time.sleep(0.01)

    def task(i):
        if i == 0:
            running.wait()
            if not between:
                raise KeyboardInterrupt
            return None
        return parallel.map_parallel(piece, range(2000), n_jobs=within)

    def interrupt(done, total):
        raise KeyboardInterrupt

    start = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        parallel.map_parallel(task, range(4), n_jobs=2, progress=interrupt)
    assert time.perf_counter() - start < 5
    assert 0 < len(begun) < 1000
    stopped = len(begun)
    time.sleep(0.1)
    assert len(begun) == stopped  # and no thread is left that works


def test_a_backend_that_was_chosen_gets_all_tasks():
    import joblib

    from annostat.resampling import parallel

    assert not parallel.is_elsewhere()
    with joblib.parallel_config(backend="multiprocessing"):
        assert parallel.is_elsewhere()


def test_codes_of_text_need_no_pandas(monkeypatch):
    import sys

    from annostat.resampling.clusters import cluster_codes

    labels = np.array(["b", "a", "b", "c", "a", ""], dtype=object)
    expected = cluster_codes(labels)
    monkeypatch.delitem(sys.modules, "pandas")
    assert expected.tolist() == cluster_codes(labels).tolist() == [0, 1, 0, 2, 1, 3]
