"""Concentration where rounds differ and items are in clusters: twins, invariances, verdicts."""

import itertools

import numpy as np
import pytest

from annostat import Rounds
from annostat.concentration import concentration
from annostat.concentration.unlike import blocks_of, pairing_p, rounds_alike

OPTIONS = {"top": 0.4, "loss": "squared"}


def plain_share(losses, top):
    """Share of the worst fraction, the last item in part."""
    ordered = sorted(losses, reverse=True)
    count, total = top * len(ordered), 0.0
    for rank, loss in enumerate(ordered):
        total += loss * min(max(count - rank, 0.0), 1.0)
    return total / sum(ordered)


def test_pairing_equals_all_permutations():
    """Five items have 120 pairings: the random ones come near to all of them."""
    rng = np.random.default_rng(3)
    first, second = rng.normal(size=(2, 5))
    first[0] += 4
    second[0] += 4
    shares = []
    for order in itertools.permutations(range(5)):
        d = first - second[list(order)]
        shares.append(plain_share((d - d.mean()) ** 2, 0.4))
    exact = np.mean(np.array(shares) <= shares[0] + 1e-12)
    found = pairing_p(
        first, second, None, n_resamples=4000, generator=np.random.default_rng(1), **OPTIONS
    )
    assert found == pytest.approx(exact, abs=4 * (exact * (1 - exact) / 4000) ** 0.5 + 1e-3)


def test_blocks_keep_clusters_whole():
    assert [b.tolist() for b in blocks_of(3, None)] == [[[0], [1], [2]]]
    blocks = blocks_of(6, np.array([1, 0, 1, 2, 0, 3]))
    assert [b.tolist() for b in blocks] == [[[3], [5]], [[1, 4], [0, 2]]]
    # One cluster of each size: nothing can be paired anew.
    first, second = np.random.default_rng(1).normal(size=(2, 3))
    p = pairing_p(
        first,
        second,
        np.array([0, 0, 1]),
        n_resamples=19,
        generator=np.random.default_rng(1),
        **OPTIONS,
    )
    assert p == 1


def unlike(seed, n=300, planted=0.0):
    """Errors against a heavy-tailed first round; the second one is Gaussian."""
    rng = np.random.default_rng(seed)
    noise = np.stack([rng.standard_t(3, n) / 3**0.5, rng.normal(size=n)], axis=1)
    model = np.where(np.arange(n) < n / 20, planted, 0.0)
    return noise[:, 0] + model, Rounds.from_array(50 + noise)


def test_one_heavy_round_is_no_excess_and_a_planted_one_is():
    found = []
    for seed in range(4):
        errors, rounds = unlike(seed)
        found.append(concentration(errors, rounds=rounds, n_resamples=39))
    assert sum(f.excess.p_value <= 0.05 for f in found) <= 1
    for f in found:
        check = next(c for c in f.checks if c.name == "rounds_alike")
        if check.passed is False:
            assert f.excess.worst_share.interval is None
            assert "differ" in f.excess.worst_share.note or "few items" in f.excess.worst_share.note
    errors, rounds = unlike(1, planted=8.0)
    loud = concentration(errors, rounds=rounds, n_resamples=39)
    assert loud.excess.p_value <= 0.05 and loud.excess.p_value_pairing <= 0.05
    scaled = concentration(7 * errors, rounds=Rounds.from_array(7 * rounds.values), n_resamples=39)
    assert scaled.excess.p_value_pairing == loud.excess.p_value_pairing


def test_alike_rounds_are_found_alike():
    rng = np.random.default_rng(2)
    first, second = rng.normal(size=(2, 400))
    options = {"top": 0.15, "loss": "absolute", "n_resamples": 199}
    same = rounds_alike(first, second, None, generator=np.random.default_rng(1), **options)
    assert same.passed and same.p_value > 0.05
    other = rounds_alike(first, second**3, None, generator=np.random.default_rng(1), **options)
    assert other.passed is False and other.statistic < 0
    none = rounds_alike(first, 0 * second, None, generator=np.random.default_rng(1), **options)
    assert none.passed is None
