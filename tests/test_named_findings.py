"""Readers by name: their odds of marking, the best F1 against each, two detectors together."""

import json
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from analysis.calibration.findings import best_named, flipped, simulated
from annostat.ceilings import finding_bounds
from annostat.ceilings.named_findings import appetites_of, gain_of
from annostat.ceilings.seen_mixing import FINE, Seen, SeenMixture, f1_gain, marked_by, tilted
from annostat.labels import match_findings
from annostat.labels.read import Read
from annostat.truth import score_findings


def test_readers_of_other_odds_mark_like_patterns_say():
    """Poisson-binomial cells against all patterns, and the odds that counts were made with."""
    rng = np.random.default_rng(2)
    each = rng.uniform(0, 1, (4, 7))
    want = np.zeros((5, 7))
    for pattern in product((0, 1), repeat=4):
        z = np.array(pattern)[:, None]
        want[sum(pattern)] += np.where(z == 1, each, 1 - each).prod(axis=0)
    assert marked_by(each) == pytest.approx(want[1:])
    assert tilted(np.array([0.2, 1.0]), 4.0) == pytest.approx([0.5, 1.0])
    f = simulated("beta(.7,.7)", 3000, 3, rng, odds=(0.5, 1, 2))
    m = match_findings(f, "distance 1")
    found = appetites_of(f, m, np.arange(3000))
    assert found.beta == pytest.approx(np.log([0.5, 1, 2]), abs=0.1)
    z = m.marked
    two = appetites_of(
        f.choose(["r1", "r2"]),
        match_findings(f.choose(["r1", "r2"]), "distance 1"),
        np.arange(3000),
    )
    more, less = (z[:, 0] & ~z[:, 1]).sum() + 0.5, (z[:, 1] & ~z[:, 0]).sum() + 0.5
    assert np.diff(two.beta) == pytest.approx(-np.log(more / less))
    assert np.sqrt(two.covariance[0, 0]) * 2 == pytest.approx(np.sqrt(1 / more + 1 / less), rel=0.1)


@given(st.integers(0, 10_000), st.integers(2, 5))
def test_ceilings_by_name_hold_the_best_detector(seed, k):
    """Exact counts of four kinds of findings whose readers differ by their odds."""
    rng = np.random.default_rng(seed)
    p, w = rng.uniform(0.02, 0.98, 4), rng.uniform(10, 200, 4)
    odds = np.exp(rng.normal(0, 0.7, k))
    counts = (marked_by(tilted(p, odds[:, None])) @ w)[None]
    mixture = SeenMixture(Seen((k,), (counts,), np.array([[100]]), (odds,)))
    for o in odds:
        q = tilted(p, o)
        theta = brentq(lambda t, q=q: w @ f1_gain(t, q), 0, 1)
        low, high = mixture.bracket(gain_of(o))
        assert low - 6e-3 <= theta <= high + 6e-3
        for side in (-1, 1):
            phi = mixture._dual(0, counts[0], gain_of(o), theta, side, 2.0)
            law = marked_by(tilted(FINE, odds[:, None]))
            assert (phi @ law + side * f1_gain(theta, tilted(FINE, o)) <= 1e-9).all()


def test_readers_by_name():
    rng = np.random.default_rng(7)
    odds = (0.4, 1.0, 2.5)
    f = simulated("beta(.7,.7)", 200, 3, rng, odds=odds)
    found = finding_bounds(f, "distance 1", false_positives=())
    assert next(c for c in found.checks if c.name == "odds").passed is True
    z = match_findings(f, "distance 1").marked
    for j, o in enumerate(odds):
        one = found[f"r{j + 1}"]
        assert best_named("beta(.7,.7)", o) in one.interval
        votes = [np.delete(z, j, axis=1).sum(axis=1) >= t for t in (1, 2)]
        f1 = [2 * (z[:, j] & v).sum() / (z[:, j].sum() + v.sum()) for v in votes]
        assert one.reached.value == pytest.approx(max(f1)) and one.least == 1 + np.argmax(f1)
        assert one.interval.low <= one.low <= one.high <= one.interval.high
    text = str(found)
    assert "F1 against each reader by name" in text and "their odds of marking alone" in text
    assert found.to_frame().reader.tolist() == ["", "r1", "r2", "r3"]
    noisy = simulated("beta(.7,.7)", 300, 3, rng, odds=(1, 1, 1), noisy=True)
    other = finding_bounds(noisy, "distance 1", false_positives=())
    assert next(c for c in other.checks if c.name == "odds").passed is False
    assert other["r1"].high == 1 and "only the lower end" in other["r1"].note
    anonymous = replace(f, exchangeable=True)
    assert finding_bounds(anonymous, "distance 1", false_positives=()).named == ()
    with pytest.raises(KeyError):
        found["anna"]


def test_detectors_are_compared_on_the_same_images():
    rng = np.random.default_rng(3)
    f = simulated("beta(.7,.7)", 80, 2, rng, detectors=(flipped(0.1), flipped(0.3)))
    images = ("image",)
    models = replace(f, read=Read("simulated", 80, images, f.names[:2], f.names[2:]))
    found = score_findings(models, "distance 1", false_positives=())
    (pair,) = found.comparisons
    top, bottom = np.zeros((2, 80)), np.zeros((2, 80))
    for m in (0, 1):
        for reader in ("r1", "r2"):
            z = match_findings(f.choose([f.names[2 + m], reader]), "distance 1")
            np.add.at(top[m], z.image, 2.0 * z.marked.all(axis=1))
            np.add.at(bottom[m], z.image, z.marked.sum(axis=1))

    def f1(keep):
        return top[:, keep].sum(axis=1) / bottom[:, keep].sum(axis=1)

    whole = np.arange(80)
    assert pair.difference.value == pytest.approx(-np.diff(f1(whole))[0])
    left = np.array([-np.diff(f1(np.delete(whole, i)))[0] for i in whole])
    jackknife = np.sqrt(79 / 80 * ((left - left.mean()) ** 2).sum())
    assert pair.difference.standard_uncertainty == pytest.approx(jackknife, rel=0.03)
    assert pair.p_value < 0.01 and len(found["r3"].named) == 2
    one = found["r3"].named[0]
    assert one.reader == "r1" and one.ceiling.low == found.bounds["r1"].low
    text = found.to_text(everything=True)
    assert "r3 − r4" in text and "Against each reader by name" in text
    json.dumps(found.to_dict(), allow_nan=False)
