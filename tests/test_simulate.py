"""Simulated annotators follow the law that they were given."""

from dataclasses import dataclass

import numpy as np
import pytest

from annostat.errors import AnnostatError
from annostat.noise.model import NoiseModel
from annostat.simulate import LAWS, simulate_rounds, simulate_values

DL = NoiseModel("laplace", {"scale": 2.0})


@dataclass(frozen=True)
class Steps:
    """The least that simulate_rounds asks of a model: every error is one period long."""

    period: float = 1.0

    def sample_errors(self, shape, *, rng):
        return np.full(shape, round(12 / self.period), dtype=np.int64)


def test_shape_names_and_truth():
    r = simulate_rounds(Steps(), 3, 4, truth=[5, 6, 7])
    assert r.values.tolist() == [[17] * 4, [18] * 4, [19] * 4]
    assert r.names == ("round_1", "round_2", "round_3", "round_4") and r.unit == "frames"
    assert list(r.items) == ["sim-00001", "sim-00002", "sim-00003"]
    assert r.length is None and r.period is None and r.weights is None


def test_each_clip_has_its_own_period():
    r = simulate_rounds(Steps(), 4, truth=[0] * 4, period=[1.0, 3.0, 3.0, 4.0])
    assert r.values[:, 0].tolist() == [12, 4, 4, 3] and r.period.tolist() == [1, 3, 3, 4]
    assert simulate_rounds(Steps(2.0), 2).period.tolist() == [2.0, 2.0]
    ms = NoiseModel("laplace", {"scale": 60.0}, period=30.0)
    r = simulate_rounds(ms, 8000, period=np.tile([20.0, 40.0], 4000), rng=1)
    d = np.abs(r.differences()) * r.period
    assert d[::2].mean() == pytest.approx(d[1::2].mean(), rel=0.06)


def test_same_seed_same_rounds():
    a, b = (simulate_rounds(DL, 50, rng=3, missing=0.2, clip_length=60) for _ in range(2))
    assert a.digest() == b.digest()
    assert a.digest() != simulate_rounds(DL, 50, rng=4, missing=0.2, clip_length=60).digest()


def test_differences_follow_the_model():
    d = simulate_rounds(DL, 20000, rng=5).differences()
    support, q = DL.difference_pmf()
    for x in range(4):
        chance = float(q[support == x][0])
        assert np.mean(d == x) == pytest.approx(chance, abs=4 * np.sqrt(chance / d.size))


def test_shared_abandonment_is_drawn_per_item():
    m = NoiseModel("laplace", {"scale": 0.2}, "shared", 0.5, window=1000)
    far = np.abs(simulate_rounds(m, 2000, 2, truth=np.zeros(2000), rng=6).values) > 30
    assert np.mean(far[:, 0] != far[:, 1]) < 0.1 and 0.4 < far.mean() < 0.55


def test_missing_and_clusters():
    r = simulate_rounds(DL, 4000, 3, missing=0.25, n_clusters=7, clip_length=50, rng=7)
    assert np.isnan(r.values).mean() == pytest.approx(0.25, abs=0.02)
    assert len(set(r.cluster)) == 7 and set(r.length) == {50}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"missing": 1.0}, "missing"),
        ({"missing": -0.1}, "missing"),
        ({"truth": [1.5, 2]}, "truth must be whole"),
        ({"truth": [1, 2, 3]}, "truth must be one number or one per item"),
        ({"truth": ["a", "b"]}, "truth must be numbers"),
        ({"period": 0}, "period"),
        ({"clip_length": 0}, "clip_length"),
        ({"n_clusters": 0}, "n_clusters"),
        ({"n_rounds": 1}, "n_rounds"),
        ({"rng": -1}, "rng"),
    ],
)
def test_bad_input_is_named(options, text):
    with pytest.raises(AnnostatError, match=text):
        simulate_rounds(DL, 2, **options)


@pytest.mark.parametrize("law", LAWS)
def test_noise_sd_is_the_sd_whatever_the_law(law):
    r = simulate_values(200_000, noise_sd=3.0, truth_sd=5.0, law=law, rng=8)
    d = r.differences()
    assert d.std() / 2**0.5 == pytest.approx(3.0, rel=0.05)
    assert r.values[:, 0].std() == pytest.approx(34**0.5, rel=0.05)


def test_contaminated_law_is_as_stated():
    b = 0.60996
    v = np.abs(simulate_values(300_000, noise_sd=1, truth_sd=0, law="contaminated", rng=9).values)
    assert v.max() < 25 * b * 1.001
    # Beyond 12b the Laplace core has 6e-6 of its mass; the blunders have 13/25 of 1/300.
    assert np.mean(v > 12 * b) == pytest.approx(13 / 25 / 300, rel=0.1)


def test_values_refuse_an_unknown_law():
    with pytest.raises(AnnostatError, match="did you mean 'laplace'"):
        simulate_values(10, noise_sd=1, law="laplac")
    with pytest.raises(AnnostatError, match="noise_sd"):
        simulate_values(10, noise_sd=-1)
