"""What is done otherwise where items are many, against the plain way; what is worked out once."""

import numpy as np
import pytest

from annostat.agreement import location_scale
from annostat.agreement.hierarchical import _table, hierarchy
from annostat.agreement.location_scale import Table, _FewItems, fit
from annostat.agreement.many_items import ManyItems
from annostat.agreement.variances import Variances
from annostat.arrays import order_of, row_sums
from annostat.ceilings import bounds
from annostat.ceilings.differences import _square_sums
from annostat.labels import characteristic
from annostat.labels.columns import DIGITS, WIDTH, _numbers_alone, canonical_order
from annostat.labels.pairs import PairTable
from annostat.labels.rounds import Rounds
from annostat.once import once, one_answer
from tests.test_hierarchy import drawn, numbers


def labels(seed, n, *, sd=(1.0, 2.0, 3.0), law="gauss", gaps=0.0, spread=0.0, of_a_cluster=1):
    g = np.random.default_rng(seed)
    k = len(sd)
    hard = np.exp(spread * g.normal(size=(n, 1)) - spread**2)
    error = g.normal(size=(n, k)) if law == "gauss" else g.standard_t(3, (n, k))
    shared = (
        np.repeat(g.normal(0, 0.5, (n, k)), of_a_cluster, axis=0)[:n] if of_a_cluster > 1 else 0
    )
    z = g.normal(50, 5, (n, 1)) + np.arange(k) + hard * np.array(sd) * (error + shared)
    z[g.random((n, k)) < gaps] = np.nan
    cluster = None if of_a_cluster == 1 else [str(i // of_a_cluster) for i in range(n)]
    return Rounds.from_array(z, cluster=cluster)


@pytest.fixture
def few_are_many(monkeypatch):
    """Let the way of many items begin at a few hundred."""

    def set_to(many, sampled, sample):
        monkeypatch.setattr(location_scale, "MANY", many)
        monkeypatch.setattr(location_scale, "SAMPLED", sampled)
        monkeypatch.setattr(location_scale, "SAMPLE", sample)

    set_to(100, 800, 600)
    return set_to


# ------------------------------------------------------------------------------- likelihood


@pytest.mark.parametrize("gaps", [0.0, 0.25])
@pytest.mark.parametrize("difficulty", [False, True])
@pytest.mark.parametrize("log_spread", [-3.5, -0.7, 0.3])
def test_blocks_say_what_the_whole_table_says(monkeypatch, gaps, difficulty, log_spread):
    monkeypatch.setattr("annostat.agreement.many_items.BLOCK", 128)
    clusters = [str(i) for i in np.random.default_rng(3).integers(0, 90, 300)]
    z = drawn(1, 300, sd=(1, 2, 3, 1.5), gaps=gaps, spread=0.5)
    table = _table(Rounds.from_array(z, cluster=clusters).usable())
    blocks, plain = ManyItems.of(table.z, table.seen, table.units), _FewItems(table)
    assert len(blocks.cuts) > 5
    x = np.concatenate([[0.2, -0.1, 0.3, 0], [0.1, -0.5, 0.4, 0.2], [log_spread] * difficulty])
    value, scores = blocks.total(x, difficulty)
    expected = plain.total(x, difficulty)
    assert value == pytest.approx(expected[0], rel=1e-9)
    scale = np.abs(expected[1]).max()
    assert scores == pytest.approx(expected[1], abs=1e-8 * scale)
    curvature = plain.information(x, difficulty)  # by differences
    scale = np.abs(curvature).max()
    assert blocks.information(x, difficulty) == pytest.approx(curvature, abs=1e-5 * scale)
    middle = plain.middle(x, difficulty)
    scale = np.abs(middle).max()
    assert blocks.middle(x, difficulty) == pytest.approx(middle, abs=1e-8 * scale)


@pytest.mark.parametrize("difficulty", [False, True])
@pytest.mark.parametrize(
    "kind",
    [
        {},
        {"law": "t3"},
        {"law": "t3", "spread": 0.4, "of_a_cluster": 3},
        {"sd": (1.0, 1.0, 1.0), "spread": 0.4},
        {"gaps": 0.3, "spread": 0.4},
        {"sd": (1.0, 2.0, 3.0, 1.0, 0.5), "gaps": 0.3, "law": "t3", "of_a_cluster": 3},
    ],
    ids=str,
)
def test_a_sample_and_a_few_steps_end_where_the_whole_search_does(few_are_many, kind, difficulty):
    """To a fiftieth of a standard error at least, here to a hundredth."""
    for seed in (1, 2):
        rounds = labels(seed, 2400, **kind).usable()
        v = Variances.of(rounds)
        table = _table(rounds)
        start = v.effects * v.scale / table.scale
        found = fit(table, start, difficulty=difficulty)
        few_are_many(10**9, 10**9, 0)
        again = Table(table.z, table.seen, table.units, table.scale)  # nothing is remembered
        plain = fit(again, start, difficulty=difficulty)
        few_are_many(100, 800, 600)
        assert type(table.likelihood) is ManyItems and type(again.likelihood) is _FewItems
        k = table.z.shape[1]
        error = np.sqrt(np.diag(plain.sandwich))
        assert np.abs(found.beta - plain.beta).max() < 0.01 * error[:k].min()
        assert (np.abs(found.log_w - plain.log_w) < 0.01 * error[k : 2 * k]).all()
        assert found.loglik == pytest.approx(plain.loglik, abs=1e-4)
        for name in ("hessian", "sandwich"):
            ours, theirs = (np.diag(getattr(f, name))[: 2 * k] for f in (found, plain))
            assert ours == pytest.approx(theirs, rel=0.01)


def test_results_of_many_items_are_those_of_few(few_are_many):
    rounds = labels(3, 2400, gaps=0.2, of_a_cluster=2)
    many = numbers(hierarchy(rounds))
    order = np.random.default_rng(1).permutation(2400)
    assert np.array_equal(numbers(hierarchy(rounds.take(order))), many)
    few_are_many(10**9, 10**9, 0)
    plain = numbers(hierarchy(rounds))
    finite = np.isfinite(plain)
    assert np.array_equal(finite, np.isfinite(many))
    for ours, theirs in zip(many, plain, strict=True):
        if np.isfinite(theirs).all():  # three raters do not bound a new one
            assert np.abs(ours - theirs).max() < 0.005 * (theirs[2] - theirs[1])


def test_a_rater_whom_the_sample_hardly_holds(few_are_many):
    g = np.random.default_rng(4)
    z = g.normal(0, 5, (2400, 1)) + g.normal(0, [1, 2, 1, 1.5], (2400, 4))
    z[30:, 3] = np.nan
    many = numbers(hierarchy(Rounds.from_array(z)))
    few_are_many(10**9, 10**9, 0)
    plain = numbers(hierarchy(Rounds.from_array(z)))
    assert many[:8] == pytest.approx(plain[:8], rel=2e-3, abs=2e-3)


# ------------------------------------------------------------------------------ the ground


def test_an_order_by_several_keys_is_that_of_lexsort():
    g = np.random.default_rng(1)
    for _ in range(300):
        n, k = g.integers(0, 40), g.integers(1, 4)
        z = g.integers(0, g.integers(1, 40), (n, k)).astype(float)
        z[g.random(z.shape) < g.choice([0, 0.1, 0.5])] = np.nan
        keys = (*z.T, *np.sort(z, axis=1).T)
        assert np.array_equal(order_of(*keys), np.lexsort(keys))


@pytest.mark.parametrize("k", range(1, 11))
def test_sums_of_rows_are_numpys_to_the_last_bit(k):
    g = np.random.default_rng(k)
    for n in (0, 1, 7, 500):
        z = g.normal(size=(n, k)) * 10.0 ** g.integers(-8, 8, (n, k))
        z[g.random(z.shape) < 0.1] = -0.0
        for rows in (z, np.asfortranarray(z), z > 0):
            assert row_sums(rows).tobytes() == rows.sum(axis=1).tobytes()


def test_names_with_one_number_each_are_in_the_order_of_all_names():
    def plain(names):
        keys = [DIGITS.sub(lambda m: m[0].lstrip("0").rjust(WIDTH, "0"), n) for n in names]
        return sorted(range(len(names)), key=lambda i: (keys[i], names[i]))

    g = np.random.default_rng(1)
    quick = 0
    for _ in range(2000):
        before, after = g.choice(["", "a", "a1_", "9-", "é"]), g.choice(["", ".png", "_2.j", "7z"])
        several = [str(int(v)) for v in g.choice([0, 1, 5, 9, 10, 11, 99, 10**17, 10**18], 5)]
        several += ["0" + several[0]] * bool(g.random() < 0.2) + ["10" * 13] * bool(
            g.random() < 0.1
        )
        several += [str(g.choice(["", "x", "+5", "5_0", " 5", "٣"]))] * bool(g.random() < 0.2)
        names = [f"{before}{n}{after}" for n in several]
        quick += _numbers_alone(names) is not None
        assert canonical_order(np.array(names, dtype=object)).tolist() == plain(names)
    assert quick > 200


def test_squares_of_differences_are_added_up_row_by_row(monkeypatch):
    monkeypatch.setattr("annostat.ceilings.differences.BLOCK", 64)
    d = np.random.default_rng(1).normal(size=(500, 6))
    d[np.random.default_rng(2).random(d.shape) < 0.2] = np.nan
    total = np.zeros(6)
    for row in d:
        total += np.where(np.isfinite(row), row * row, 0.0)
    assert np.array_equal(_square_sums(d, np.isfinite(d)), total)


def test_cosines_in_blocks_are_those_at_once(monkeypatch):
    for rounds in (labels(1, 300, gaps=0.2), labels(2, 300, of_a_cluster=3)):
        table = PairTable.of(rounds.usable())
        whole = characteristic.cosine_moments(table, [0.1], 48)
        monkeypatch.setattr(characteristic, "IN_CACHE", 17)
        parts = characteristic.cosine_moments(table, [0.1], 48)
        monkeypatch.undo()
        assert np.array_equal(parts.yy, whole.yy) and np.array_equal(parts.y, whole.y)
        z = rounds.usable().values
        pairs = [np.cos(0.1 * (z[:, i] - z[:, j])) for i, j in ((0, 1), (0, 2), (1, 2))]
        assert whole.y[0] == pytest.approx(np.nansum(pairs))


def test_what_is_worked_out_once_is_forgotten():
    z, calls = np.arange(3.0), []

    def make():
        calls.append(1)
        return z.sum()

    assert once("sum", (z,), make) == 3
    with one_answer():
        assert once("sum", (z,), make) == once("sum", (z,), make) == 3
        with one_answer():
            once("sum", (z,), make)
    z[0] = 5
    assert once("sum", (z,), make) == 8 and len(calls) == 3


def test_labels_that_are_changed_between_two_answers_are_seen_as_they_are():
    rounds = labels(5, 60)
    before = bounds(rounds, n_resamples=200).to_dict()
    rounds.values[:, 0] += np.where(np.arange(60) % 2 == 0, 3.0, -3.0)
    after = bounds(rounds, n_resamples=200).to_dict()
    fresh = bounds(Rounds.from_array(rounds.values.copy()), n_resamples=200).to_dict()
    assert before != after and str(after) == str(fresh)
