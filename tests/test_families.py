"""The contract that every family keeps, registered or made up on the spot."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import special, stats

from annostat import AnnostatError, NoiseModel, Rounds, fit_noise
from annostat.noise import FAMILIES, Family, Parameter
from annostat.noise.abandonment import ABANDONMENTS, Abandonment
from annostat.noise.model import find_support


def _fill_geometric(theta, w, dw):
    for x in range(w.size):
        w[x] = math.exp(-x / theta[0])
        dw[0, x] = w[x] * x / (theta[0] * theta[0])


def _fill_cauchy_like(theta, w, dw):
    for x in range(w.size):
        t = x / theta[0]
        w[x] = math.exp(-math.sqrt(1.0 + t * t))
        dw[0, x] = w[x] * t * t / theta[0] / math.sqrt(1.0 + t * t)


THROWAWAY = Family(
    "hyperbolic",
    "discrete hyperbolic",
    "exp(-sqrt(1 + (x/scale)²))",
    (Parameter("scale", 0.02, 1e4, (0.6, 6.0)),),
    _fill_cauchy_like,
)
ALL = [*FAMILIES.values(), THROWAWAY]
HALF_AND_HALF = Abandonment("half-and-half", "some alone, some together", alone=0.5, together=0.5)
WAYS = [*ABANDONMENTS.values(), HALF_AND_HALF]
by_family = pytest.mark.parametrize("family", ALL, ids=lambda f: f.name)


any_family = st.sampled_from(ALL)


@st.composite
def noise_models(draw, families=any_family, longest=60):
    """Any family with typical parameters, with or without abandonment."""
    family = draw(families)
    parameters = {p.name: draw(st.floats(*p.typical), label=p.name) for p in family.parameters}
    way = draw(st.sampled_from(WAYS))
    if not way.rated:
        return NoiseModel(family, parameters)
    rate, window = draw(st.floats(0, 0.5)), draw(st.integers(1, longest))
    return NoiseModel(family, parameters, way, rate, window=window)


def parts_of(model, core=None):
    """The laws that all picks of an item follow, with their probabilities; plain."""
    alone, together = model.way.alone * model.rate, model.way.together * model.rate
    core = model.core_pmf if core is None else core
    if model.rate == 0:
        return [(1.0, core)]
    wide = np.full(model.window + 1, 1 / (2 * model.window + 1))
    mixed = np.zeros(max(core.size, wide.size) if alone else core.size)
    mixed[: core.size] += (1 - alone) * core
    if alone:
        mixed[: wide.size] += alone * wide
    return [(1 - together, mixed), (together, wide)] if together else [(1.0, mixed)]


@by_family
@given(data=st.data())
def test_is_a_symmetric_law_with_exact_slopes(family, data):
    theta = [data.draw(st.floats(*p.typical), label=p.name) for p in family.parameters]
    support = find_support(family, np.array(theta))
    pmf = family.pmf(theta, support)
    assert (pmf >= 0).all()
    tail = 1e-5 if family.tail_index >= 0 else 1e-12
    assert abs(pmf[0] + 2 * pmf[1:].sum() - 1) < tail
    _, slopes = family.weights(theta, 60)
    for j, value in enumerate(theta):
        if family.kinked:
            continue
        h = 1e-5 * value
        up, down = list(theta), list(theta)
        up[j] += h
        down[j] -= h
        numeric = (family.weights(up, 60)[0] - family.weights(down, 60)[0]) / (2 * h)
        np.testing.assert_allclose(slopes[j], numeric, atol=2e-6 * max(1, np.abs(numeric).max()))


def check_difference_law(model, widest):
    """A power tail has no end: what it has beyond the support stays missing."""
    heavy = model.family.tail_index >= 0
    x, f = model.noise_pmf()
    d, q = model.difference_pmf()
    expected = np.zeros(q.size)
    for weight, half in parts_of(model):
        law = np.concatenate([half[:0:-1], half])
        both = np.convolve(law, law[::-1])
        start = (q.size - both.size) // 2
        expected[start : start + both.size] += weight * both
    np.testing.assert_allclose(q, expected, atol=1e-12)
    counts = expected[d >= 0] * np.where(d[d >= 0] == 0, 1, 2)
    padded = np.pad(counts, (0, widest))[: widest + 1]
    np.testing.assert_allclose(model.difference_counts_law(widest), padded, atol=1e-12)

    np.testing.assert_allclose(q, q[::-1], atol=1e-15)
    assert abs(q.sum() - 1) < (1e-5 if heavy else 1e-12)
    assert abs((d**2 @ q) - 2 * (x**2 @ f)) < (1e-6 if heavy else 1e-8) * (1 + x**2 @ f)
    assert abs(model.noise_sd**2 - x**2 @ f) < 1e-12 * (1 + x**2 @ f)
    phi = np.cos(np.outer(np.linspace(0, np.pi, 40), d)) @ q
    assert phi.min() > -1e-12
    mean_abs = float(np.abs(x) @ f)
    if mean_abs > 0:
        ratio = mean_abs / float(np.abs(d) @ q)
        assert 0.5 - 1e-9 <= ratio <= 0.75 + 1e-9


@pytest.mark.parametrize("family", [f for f in ALL if f.tail_index < 0], ids=lambda f: f.name)
@given(data=st.data())
def test_difference_law(family, data):
    """Invariant 5: what numpy.convolve makes of f; its sum, symmetry, variance and φ_D ≥ 0."""
    model = data.draw(noise_models(st.just(family)))
    check_difference_law(model, data.draw(st.integers(0, 1000)))


@settings(max_examples=20)
@given(noise_models(st.sampled_from([f for f in ALL if f.tail_index >= 0])), st.integers(0, 300))
def test_difference_law_of_a_power_tail(model, widest):
    """Invariant 5 where the support is cut off at some thousands of frames."""
    check_difference_law(model, widest)


@by_family
def test_fits_its_own_draws(family):
    theta = [math.sqrt(p.typical[0] * p.typical[1]) for p in family.parameters]
    truth = NoiseModel(family, dict(zip([p.name for p in family.parameters], theta, strict=True)))
    rounds = Rounds.from_array(truth.sample_errors((4000, 2), rng=5))
    fit = fit_noise(rounds, family, abandonment="none", ci="none")
    assert fit.converged
    assert abs(fit.mae.value / truth.mae - 1) < 0.06
    assert fit.log_likelihood >= fit_value(truth, rounds) - 1e-6


def fit_value(model, rounds):
    d = np.abs(rounds.differences()).astype(int)
    _, q = model.difference_pmf()
    return float(np.log(q[(q.size - 1) // 2 + d]).sum())


def test_throwaway_family_equals_the_registered_one():
    family = Family(
        "mine", "mine", "", (Parameter("scale", 0.02, 1e4, (0.6, 6.0)),), _fill_geometric
    )
    rounds = Rounds.from_array(NoiseModel("laplace", {"scale": 2.0}).sample_errors((500, 2), rng=1))
    mine, theirs = (fit_noise(rounds, f, ci="none") for f in (family, "laplace"))
    assert abs(mine.log_likelihood - theirs.log_likelihood) < 1e-8


@given(st.floats(0.6, 6.0), st.floats(2.5, 30.0))
def test_student_t_is_scipys(scale, df):
    x = np.arange(60)
    cdf = stats.t(df, scale=scale).cdf
    expected = cdf(x + 0.5) - cdf(x - 0.5)
    np.testing.assert_allclose(
        FAMILIES["student-t"].pmf([scale, df], 600)[:60], expected, atol=2e-9
    )


@given(st.floats(0.1, 6.0), st.floats(0.7, 8.0))
@example(0.625, 4.0)
@example(0.62, 8.0)
def test_exponential_power_is_scipys(scale, shape):
    x = np.arange(60)
    cdf = stats.gennorm(shape, scale=scale).cdf
    expected = cdf(x + 0.5) - cdf(x - 0.5)
    support = 4000 if shape < 1 else 200
    pmf = FAMILIES["exponential-power"].pmf([scale, shape], support)
    np.testing.assert_allclose(pmf[:60], expected, atol=5e-10)


@given(st.floats(0.6, 6.0))
def test_rounded_and_skellam_are_scipys(scale):
    x = np.arange(50)
    laws = {"gaussian": stats.norm, "logistic": stats.logistic, "rounded-laplace": stats.laplace}
    for name, law in laws.items():
        cdf = law(scale=scale).cdf
        pmf = FAMILIES[name].pmf([scale], 60)[:50]
        np.testing.assert_allclose(pmf, cdf(x + 0.5) - cdf(x - 0.5), atol=1e-13)
    mu = scale**2 / 2
    np.testing.assert_allclose(
        FAMILIES["skellam"].pmf([scale], 120)[:50],
        special.ive(x, 2 * mu),
        rtol=1e-9,
        atol=1e-14,
    )


@given(st.floats(0.6, 5.0), st.floats(0.3, 20.0))
def test_symmetric_nb_doubles_r(sd, r):
    """Invariant 5: symNB(r) ⋆ symNB(r) = symNB(2r), a difference of negative binomials."""
    model = NoiseModel("symmetric-nb", {"sd": sd, "r": r})
    d, q = model.difference_pmf()
    double = NoiseModel("symmetric-nb", {"sd": sd * math.sqrt(2), "r": 2 * r})
    pmf = double.core_pmf
    m = min(pmf.size, d.max() + 1)
    np.testing.assert_allclose(q[d >= 0][:m], pmf[:m], atol=1e-12)
    v = sd * sd
    p = v / (v + r + math.sqrt(r * (2 * v + r)))
    g = stats.nbinom.pmf(np.arange(2000), r, 1 - p)
    direct = np.array([g[: g.size - x] @ g[x:] for x in range(20)])
    np.testing.assert_allclose(model.family.pmf(model.theta, 400)[:20], direct, atol=1e-11)


def test_nested_members():
    laplace = NoiseModel("laplace", {"scale": 2.0})
    sd = laplace.noise_sd
    same = NoiseModel("symmetric-nb", {"sd": sd, "r": 1.0})
    np.testing.assert_allclose(same.core_pmf[:40], laplace.core_pmf[:40], atol=1e-12)
    far = NoiseModel("symmetric-nb", {"sd": 2.0, "r": 1e6})
    skellam = NoiseModel("skellam", {"sd": 2.0})
    np.testing.assert_allclose(far.core_pmf[:12], skellam.core_pmf[:12], atol=1e-5)


def test_unknown_core_names_the_nearest():
    with pytest.raises(AnnostatError, match="did you mean 'laplace'"):
        NoiseModel("laplase", {"scale": 1.0})
    with pytest.raises(AnnostatError, match="has the parameters scale"):
        NoiseModel("laplace", {"sd": 1.0})
