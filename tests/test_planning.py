"""Plans hold what they promise."""

import json
import math
from dataclasses import dataclass

import numpy as np
import pytest

from annostat.errors import AnnostatError
from annostat.labels.rounds import Rounds
from annostat.noise.compare import compare_noise
from annostat.noise.model import NoiseModel
from annostat.noise.planning import plan_rounds
from annostat.simulate import simulate_rounds

DL = NoiseModel("laplace", {"scale": 2.0})
C = NoiseModel("laplace", {"scale": 2.0}, "independent", 1 / 300, window=50)


@dataclass(frozen=True)
class Law:
    """A difference law alone is enough to plan."""

    d: tuple
    q: tuple

    def difference_pmf(self):
        return np.array(self.d), np.array(self.q)


def gaussian_law():
    d = np.arange(-60, 61)
    q = np.exp(-(d**2) / (2 * 8.0**2))
    return Law(tuple(d), tuple(q / q.sum()))


@pytest.mark.parametrize(
    ("law", "cv", "n"), [(gaussian_law(), 0.755, 877), (DL, 0.89, 1220), (C, 1.11, 1900)]
)
def test_known_numbers(law, cv, n):
    plan = plan_rounds(law, rng=1, n_resamples=400)
    assert plan.variation.value == pytest.approx(cv, rel=0.03)
    assert plan.n_pairs.value == pytest.approx(n, rel=0.06)
    assert plan.achieved.value == pytest.approx(0.05, rel=0.05)
    assert 0.9 < plan.coverage.value < 0.985 and plan.coverage.standard_uncertainty < 0.02
    assert plan.coverage.low < plan.coverage.value < plan.coverage.high
    assert plan.n_pairs.interval is None


# Wide noise has known information: ½ of the variance for Gaussian, and for Laplace
# I = ½∫u⁴e^(−u)/(1+u)du − 1 = 1.2982 for log b.
@pytest.mark.parametrize(
    ("model", "n"),
    [
        (NoiseModel("gaussian", {"sd": 20.0}), 768.3),
        (NoiseModel("laplace", {"scale": 30.0}), 1536.6 / 1.2982),
    ],
)
def test_fit_takes_what_its_information_says(model, n):
    assert plan_rounds(model, rng=1, n_resamples=2).n_pairs_fit == pytest.approx(n, rel=0.01)


def test_narrow_laplace_by_the_delta_method():
    # E|X| as a function of E|D| alone is the moment estimator: a fit cannot be worse.
    from annostat.noise.brackets import lattice_floor

    plan = plan_rounds(DL, rng=1, n_resamples=2)
    ed = plan.pair_mae
    slope = np.log(lattice_floor(ed * 1.001) / lattice_floor(ed / 1.001)) / (2 * np.log(1.001))
    assert plan.n_pairs.value < plan.n_pairs_fit <= plan.n_pairs.value * slope**2


def test_twice_as_narrow_takes_four_times_as_many():
    wide, narrow = (plan_rounds(DL, half_width=h, rng=1).n_pairs.value for h in (0.1, 0.05))
    assert narrow == pytest.approx(4 * wide, abs=4)


def test_pilot_agrees_with_its_law_and_has_an_interval():
    plan = plan_rounds(simulate_rounds(DL, 2000, rng=2), rng=1)
    assert plan.n_pairs.low < 1220 < plan.n_pairs.high and plan.unit == "frames"
    assert plan.n_pairs.low < plan.n_pairs.value < plan.n_pairs.high
    assert plan.achieved.value == pytest.approx(0.05, rel=0.1)
    assert plan.provenance.seed == 1 and plan.provenance.n_items == 2000


def test_clusters_raise_the_number():
    v = simulate_rounds(DL, 200, rng=3).values
    alone = plan_rounds(Rounds.from_array(v), rng=1)
    twins = Rounds.from_array(np.repeat(v, 3, axis=0), cluster=np.repeat(np.arange(200), 3))
    plan = plan_rounds(twins, rng=1)
    assert plan.design_effect == pytest.approx(3, rel=0.02)
    assert plan.n_pairs.value == pytest.approx(3 * alone.n_pairs.value, rel=0.02)
    assert plan.achieved.value == pytest.approx(0.05, rel=0.1)


def test_the_interval_is_of_what_is_printed():
    """By hand: of n from sums over clusters, and of CV, whose values lie within."""
    v = simulate_rounds(DL, 240, rng=6).values
    v[:120] *= 3  # clusters differ
    codes = np.arange(240) // 4
    plan = plan_rounds(Rounds.from_array(v, cluster=codes), rng=1)
    d = np.abs(np.diff(v))[:, 0]
    s = np.bincount(codes, d)
    z = 1.959964 / 0.05
    assert plan.n_pairs.value == pytest.approx(4 * s.var(ddof=1) / s.mean() ** 2 * z**2, abs=1)
    assert plan.variation.value == pytest.approx(d.std() / d.mean())
    for estimate in (plan.n_pairs, plan.variation):
        assert estimate.low < estimate.value < estimate.high
        assert "bootstrap-t" in estimate.interval.method and "clusters" in estimate.interval.method
    # Where clusters are alike, n is that of independent items, and not less.
    alike = plan_rounds(Rounds.from_array(v[:60].repeat(4, axis=0), cluster=[0, 1, 2, 3] * 60))
    single = plan_rounds(Rounds.from_array(v[:60]))
    assert alike.design_effect == 1 and alike.n_pairs.value == single.n_pairs.value
    assert alike.n_pairs.interval is None and "too much alike" in alike.n_pairs.note


def test_a_pilot_that_leaves_it_open_says_so():
    d = np.repeat([1, 2, 3, 80], [20, 15, 5, 1])
    plan = plan_rounds(Rounds.from_array(np.column_stack([0 * d, d])), rng=1)
    assert any("leaves the number of pairs open" in note for note in plan.notes)
    assert plan.n_pairs.high > 4 * plan.n_pairs.low
    lone = plan_rounds(Rounds.from_array([[0, 1], [0, 9]]), rng=1)
    assert lone.n_pairs.high == np.inf and "or more" in str(lone)
    assert lone.to_dict()["n_pairs"]["high"] is None
    fine = plan_rounds(simulate_rounds(DL, 200, rng=5), rng=1)
    assert not any("leaves the number" in note for note in fine.notes)


def test_weights_equal_repetition():
    v, times = [[0, 0], [0, 1], [0, -3], [0, 7]], [40, 30, 20, 2]
    a = plan_rounds(Rounds.from_array(v, weights=times), rng=1)
    b = plan_rounds(Rounds.from_array(np.repeat(v, times, axis=0)), rng=1)
    assert a.n_pairs.value == b.n_pairs.value
    assert a.variation.value == pytest.approx(b.variation.value)


def test_serial_equals_parallel_and_progress_is_told():
    seen = []
    one = plan_rounds(DL, rng=4, progress=lambda done, total: seen.append((done, total)))
    assert one == plan_rounds(DL, rng=4, n_jobs=2)
    assert seen[-1] == (4, 4)


def test_rendering():
    plan = plan_rounds(C, half_width=0.03, rng=1)
    text = str(plan)
    assert "Annotate" in text and "Beyond about 1,500 pairs" in text
    data = json.loads(json.dumps(plan.to_dict(), allow_nan=False))
    assert {"value", "low", "high", "level", "method"} < set(data["coverage"])
    assert plan.to_frame().index[0] == "n_pairs" and "<table>" in plan._repr_html_()


def test_small_pilots_say_so():
    plan = plan_rounds(Rounds.from_array([[0, 1], [0, 2], [0, 4]]), rng=1)
    assert any("3 items" in note for note in plan.notes)
    zeros = plan_rounds(Rounds.from_array([[0, 0]] * 20 + [[0, 9]]), rng=1)
    json.dumps(zeros.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("values", "text"),
    [([[1, 2]], "two items"), ([[1, 1]] * 9, "zero"), ([[1, 2]] * 9, "same size")],
)
def test_pilots_that_cannot_tell(values, text):
    with pytest.raises(AnnostatError, match=text):
        plan_rounds(Rounds.from_array(values))


@pytest.mark.parametrize("half_width", [0, 1, -0.1, "x", 1e-6])
def test_bad_half_width(half_width):
    with pytest.raises(AnnostatError, match="half_width"):
        plan_rounds(C, half_width=half_width)


def test_a_law_without_error():
    with pytest.raises(AnnostatError, match="never errs"):
        plan_rounds(Law((0,), (1.0,)))


def test_three_rounds_plan_as_many_pairs_as_they_say():
    rng = np.random.default_rng(3)
    picks = np.rint(rng.normal(20, 5, (150, 1)) + rng.laplace(0, 2, (150, 3)))
    plan = plan_rounds(Rounds.from_array(picks), half_width=0.1, rng=1)
    assert plan.achieved.value == pytest.approx(0.1, rel=0.1)


def test_a_pilot_whose_upper_limit_is_open_says_so_of_its_spread_too():
    """The CV of |D| had an upper limit of 2e69 beside an open number of pairs."""
    rng = np.random.default_rng(0)
    z = rng.integers(10, 90, 200)[:, None] + np.rint(rng.laplace(0, 2, (200, 2)))
    z[3, 0] = 100_000
    plan = plan_rounds(Rounds.from_array(z), rng=0)
    assert math.isinf(plan.n_pairs.high) and math.isinf(plan.variation.high)


def test_a_window_of_zero_is_refused_without_a_warning(recwarn):
    z = np.column_stack([np.arange(50), np.arange(50) + np.arange(50) % 7])
    with pytest.raises(AnnostatError, match="window must be a whole number"):
        compare_noise(Rounds.from_array(z), window=0)
    assert not recwarn.list
