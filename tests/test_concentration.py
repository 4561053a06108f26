"""Concentration: closed forms by simulation, plain twins, invariants, planted excess, bad input."""

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

import annostat
from annostat import AnnostatError, NoiseModel, Rounds, fit_noise, simulate_rounds
from annostat.concentration import (
    Curve,
    Gaussians,
    compare_concentration,
    concentration,
    law_gini,
    law_half,
    law_share,
    overlap,
)
from annostat.concentration.laws import Lattice
from annostat.concentration.null import (
    Both,
    Simulated,
    both_errors,
    check_label,
    dealt_anew,
    draw_counts,
    law_of_all,
    mixed,
    step_losses,
    summaries,
)
from annostat.concentration.published import fit_of_model
from annostat.report import make_report
from annostat.results.text import format_p
from tests import naive

SCHEMA = Path(__file__).parent.parent / "docs" / "concentration.schema.json"
MIXTURE = Gaussians((0.9, 0.1), (1.0, 3.0))
BLUNDERS = NoiseModel("laplace", {"scale": 2.0}, "independent", 1 / 300, window=50)
PARTS = (0.01, 0.05, 0.15, 0.5, 0.9)
errors = st.lists(st.floats(-100, 100).filter(lambda x: abs(x) > 1e-3), min_size=3, max_size=40)


def drawn(law, rng, shape):
    if isinstance(law, Gaussians):
        return rng.normal(size=shape) * rng.choice(law.sds, p=law.weights, size=shape)
    if isinstance(law, NoiseModel):
        return law.sample_errors(shape, rng=rng).astype(float)
    draw = {"gaussian": rng.normal, "laplace": rng.laplace, "uniform": rng.uniform}[law]
    return draw(-1.0, 1.0, size=shape) if law == "uniform" else draw(size=shape)


# --- closed forms -------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["squared", "absolute"])
@pytest.mark.parametrize("law", ["gaussian", "laplace", "uniform", MIXTURE, BLUNDERS], ids=str)
def test_closed_forms_against_simulation(law, loss):
    """To three standard errors of 40 sets of 50,000 errors."""
    rng = np.random.default_rng(11)
    sets = [
        naive.concentration(naive.losses(drawn(law, rng, (50_000, 1))[:, 0], loss), PARTS)
        for _ in range(40)
    ]
    known = [*(float(law_share(law, p, loss=loss)) for p in PARTS), law_gini(law, loss=loss)]
    for values, value in zip(np.array(sets).T, known, strict=True):
        error = values.std(ddof=1) / np.sqrt(len(values))
        assert abs(values.mean() - value) < 3 * error + 2e-5  # a set's own bias is of order 1/n


@pytest.mark.parametrize("loss", ["squared", "absolute"])
@pytest.mark.parametrize("law", ["gaussian", "laplace", "uniform", MIXTURE], ids=str)
def test_gini_is_twice_the_area(law, loss):
    area = integrate.quad(lambda p: float(law_share(law, p, loss=loss)), 0, 1, limit=200)[0]
    assert law_gini(law, loss=loss) == pytest.approx(2 * area - 1, abs=2e-8)
    half = law_half(law, loss=loss)
    assert float(law_share(law, half, loss=loss)) == pytest.approx(0.5, abs=1e-9)


def test_table_of_the_specification():
    """THEORY section 4, worst 15% and Gini; Laplace + uniform as scale 2, 1/300 on ±50."""
    shares = {"gaussian": (0.558, 0.355), "laplace": (0.704, 0.435), "uniform": (0.386, 0.2775)}
    for law, values in shares.items():
        for loss, value in zip(("squared", "absolute"), values, strict=True):
            assert float(law_share(law, 0.15, loss=loss)) == pytest.approx(value, abs=6e-4)
    assert float(law_share(MIXTURE, 0.15)) == pytest.approx(0.702, abs=5e-4)
    # Of discrete Laplace with E|X| = 2 in all, hence the second digit.
    assert float(law_share(BLUNDERS, 0.15)) == pytest.approx(0.753, abs=0.03)
    assert law_gini(BLUNDERS) == pytest.approx(0.791, abs=0.03)


@pytest.mark.parametrize("law", ["gaussian", "laplace", "uniform", MIXTURE], ids=str)
def test_lattice_is_fine_enough(law):
    curve = Lattice.of(law).curve("squared")
    assert np.abs(curve.share(PARTS) - law_share(law, PARTS)).max() < 2e-4


def test_lattice_sums_to_one():
    """Both signs together: zero counts once, every other distance twice."""
    assert Lattice.of_half(np.array([2.0, 1.0, 3.0])).pmf == pytest.approx([0.2, 0.2, 0.6])
    for law in ("gaussian", "laplace", "uniform", MIXTURE, BLUNDERS):
        assert Lattice.of(law).pmf.sum() == pytest.approx(1, abs=1e-12)


def test_mixture_of_one_is_gaussian():
    p = np.linspace(0, 1, 21)
    assert law_share(Gaussians((1.0,), (5.0,)), p) == pytest.approx(law_share("gaussian", p))


# --- the curve ----------------------------------------------------------------------------------


@given(errors, st.floats(0.01, 0.99))
def test_curve_is_the_plain_one(values, p):
    x = np.array(values) ** 2
    curve = Curve.of(x)
    share, gini = naive.concentration(x, [p])
    assert float(curve.share(p)) == pytest.approx(share, abs=1e-9)
    assert curve.gini == pytest.approx(gini, abs=1e-9)
    assert curve.gini == pytest.approx(naive.mean_difference_gini(x), abs=1e-9)
    half = curve.fraction(0.5)
    assert float(curve.share(half)) == pytest.approx(0.5, abs=1e-9)


@given(
    st.lists(st.one_of(st.just(0.0), st.floats(-100, 100)), min_size=1, max_size=40).filter(
        lambda x: max(map(abs, x)) > 1e-3
    ),
    st.floats(1e-3, 1e3),
    st.integers(2, 4),
)
def test_invariants(values, scale, times):
    """Invariant 9. Worst first the curve is concave (the Lorenz curve convex); scale and copies
    change nothing; squared errors are more concentrated than absolute ones."""
    x = np.abs(np.array(values))
    p = np.linspace(0, 1, 33)
    square, plain = Curve.of(x**2), Curve.of(x)
    assert (np.diff(square.share(p), 2) <= 1e-9).all()
    assert Curve.of((scale * x) ** 2).share(p) == pytest.approx(square.share(p), abs=1e-9)
    assert Curve.of(np.repeat(x**2, times)).share(p) == pytest.approx(square.share(p), abs=1e-9)
    assert (square.share(p) >= plain.share(p) - 1e-9).all()
    assert square.gini >= plain.gini - 1e-9


@given(errors, st.data())
def test_weights_are_copies(values, data):
    x = np.array(values) ** 2
    w = np.array(data.draw(st.lists(st.integers(1, 4), min_size=x.size, max_size=x.size)))
    weighted, copied = Curve.of(x, w.astype(float)), Curve.of(np.repeat(x, w))
    p = np.linspace(0, 1, 17)
    assert weighted.share(p) == pytest.approx(copied.share(p), abs=1e-9)
    assert weighted.gini == pytest.approx(copied.gini, abs=1e-9)
    assert weighted.fraction(0.5) == pytest.approx(copied.fraction(0.5), abs=1e-9)


@given(errors, st.floats(0.05, 0.95), st.booleans())
def test_left_out_is_left_out(values, p, weighted):
    x = np.array(values) ** 2
    w = np.arange(1.0, x.size + 1) if weighted else np.ones(x.size)
    curve = Curve.of(x, w)
    shares, ginis = curve.without(p)
    plain = curve.without_clusters(p, np.arange(x.size))
    for i, item in enumerate(curve.order):
        assert shares[i] == pytest.approx(plain[0][item], abs=1e-9)
        assert ginis[i] == pytest.approx(plain[1][item], abs=1e-9)


def test_bias_of_small_samples_is_corrected():
    """Mean over 400 samples of 50: nearer the law by far more than the standard error."""
    rng = np.random.default_rng(5)
    results = [concentration(rng.laplace(size=50)) for _ in range(400)]
    plain = np.array([r.observed["worst_share"] for r in results]) - law_share("laplace", 0.15)
    corrected = np.array([r.worst_share.value for r in results]) - law_share("laplace", 0.15)
    assert plain.mean() < -0.015
    assert abs(corrected.mean()) < 0.6 * abs(plain.mean())


def test_clusters_widen_the_interval():
    rng = np.random.default_rng(2)
    scale = np.repeat(rng.lognormal(0, 0.5, 60), 5)
    e = scale * rng.normal(size=300)
    alone = concentration(e).gini
    together = concentration(e, cluster=np.arange(300) // 5).gini
    assert together.standard_uncertainty > 1.1 * alone.standard_uncertainty
    assert "clusters" in together.interval.method


def test_no_interval_where_a_few_items_carry_all():
    e = np.append(np.random.default_rng(1).normal(size=200), 60.0)
    found = concentration(e)
    assert found.worst_share.interval is None and "carry" in found.worst_share.note
    assert found.checks[0].passed is False


# --- the null and the excess --------------------------------------------------------------------


def test_simulated_curves_are_those_of_simulated_errors():
    rng = np.random.default_rng(3)
    x = np.abs(rng.integers(-6, 7, (5, 40)))
    w = rng.uniform(0.5, 2, 40)
    counts = np.array([np.bincount(row, weights=w, minlength=7) for row in x])
    grid = np.array([0.1, 0.15, 0.4])
    found = summaries(step_losses(7, "squared"), counts, grid)
    for row, value in zip(x, found, strict=True):
        curve = Curve.of(row.astype(float) ** 2, w)
        assert value == pytest.approx([*curve.share(grid), curve.gini, curve.fraction(0.5)])


def test_counts_follow_the_law():
    lattice = Lattice.of(BLUNDERS)
    counts = draw_counts(lattice, 500, np.ones(500), 200, np.random.default_rng(4))
    assert counts.sum(axis=1).tolist() == [500] * 200
    seen = counts.sum(axis=0)[:6] / counts.sum()
    assert np.abs(seen - lattice.pmf[:6]).max() < 4 * np.sqrt(0.25 / 100_000)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("against", [0, 1])
def test_the_error_against_the_other_label_is_found(sign, against):
    rng = np.random.default_rng(14)
    noise = rng.laplace(0, 3, (300, 2))
    z = rng.normal(50, 11, 300)[:, None] + noise
    model_error = rng.normal(0, 2, 300)
    e = sign * (noise + model_error[:, None])
    found = both_errors(e[:, against], z[:, 0], z[:, 1])
    assert found.second == pytest.approx(e[:, 1 - against])
    assert check_label(found).passed
    assert check_label(both_errors(e.mean(axis=1), z[:, 0], z[:, 1])).passed is False


def test_few_items_cannot_tell_what_errors_are_against():
    """Of five items, errors against one label were called errors against the mean."""
    said = {False: [], True: []}
    for seed in range(60):
        rng = np.random.default_rng(seed)
        noise = rng.normal(0, 3, (5, 2))
        z = 55 + noise
        for mean, e in ((False, noise[:, 0]), (True, noise.mean(axis=1))):
            if (e >= 0).all() or (e <= 0).all():
                continue
            said[mean].append(check_label(both_errors(e + 0.1, *z.T)).passed)
    assert said[False].count(False) <= 0.05 * len(said[False])
    assert said[False].count(None) > 10 and said[True].count(None) > 0.7 * len(said[True])
    # A model that errs by far more than readers differ by hides the difference.
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 1, (60, 2))
    wild = both_errors(noise[:, 0] + rng.normal(0, 20, 60), *(50 + noise).T)
    assert check_label(wild).passed is None


def test_errors_of_given_predictions_are_not_asked_about():
    rng = np.random.default_rng(7)
    z = 50 + rng.normal(0, 3, (60, 2))
    values = 50 + rng.normal(0, 8, 60)
    rounds = Rounds.from_array(z)
    told = {"rounds": rounds, "predictions": values, "n_resamples": 19}
    own = concentration(values - z[:, 1], **told)
    assert "one_label" not in {c.name for c in own.checks}
    other = concentration(values - z.mean(axis=1), **told)
    assert "one_label" in {c.name for c in other.checks}


def test_what_is_quoted_is_one_thing():
    """The estimate stands with its own interval, and few items have none."""
    e = np.random.default_rng(3).normal(size=60)
    found = concentration(e, noise="gaussian", n_resamples=99)
    share = found.worst_share
    value, low, high = (100 * x for x in (share.value, share.low, share.high))
    assert low < value < high
    assert (
        f"{value:.1f}% in the worst 15% of items (95% {low:.1f} to {high:.1f}%, " in found.quote()
    )
    seen = 100 * found.observed["worst_share"]
    assert f"these items {seen:.1f}%; noise alone" in found.quote()
    few = concentration(e[:19], noise="gaussian", n_resamples=99)
    assert few.answer().startswith("19 items are too few to tell where the error sits: the worst")
    assert "of 19 items, too few for an interval; noise alone" in few.quote()
    assert [c.passed for c in few.checks if c.name == "sample_size"] == [False]
    assert "range, not known to cover" in str(few)
    assert not [c for c in concentration(e[:20]).checks if c.name == "sample_size"]


def test_a_range_of_no_width_is_no_range():
    grid = np.array([0.15])
    sets = np.tile([0.5, 0.6, 0.1475], (40, 1))
    sets[:, 1] += np.linspace(0, 0.1, 40)
    mean = sets.mean(axis=0)
    ranges = Simulated(grid, mean, sets - mean, sets).ranges(0.95, "range of sets")
    assert ranges["gini"].interval is not None
    assert ranges["worst_share"].interval is None and ranges["half_of_error"].interval is None
    assert ranges["half_of_error"].short() == "0.1475"


def test_dealing_keeps_the_errors():
    rng = np.random.default_rng(15)
    first, second = rng.normal(size=(2, 30))
    paired = np.ones(30, dtype=bool)
    both = Both(first, second, paired, 0.01)
    curves, counts = dealt_anew(both, "squared", np.array([0.15]), None, 300, rng)
    assert counts.sum(axis=1).tolist() == [30.0] * 301
    pool = np.concatenate([first, second])
    pairs = np.abs(pool[:, None] - pool)[np.triu_indices(60, 1)]
    d = 0.01 * counts @ np.arange(counts.shape[1]) / 30
    assert d[0] == pytest.approx(np.abs(first - second).mean(), abs=0.01)
    assert abs(d.mean() - pairs.mean()) < 4 * d.std() / np.sqrt(300) + 0.01
    assert len(np.unique(curves[:, 0])) > 250


def paired_errors(rng, n, law="laplace", scale=4.0):
    noise = scale * drawn(law, rng, (n, 2))
    return noise[:, 0], Rounds.from_array(rng.normal(50, 11, n)[:, None] + noise)


@pytest.mark.parametrize("whole", [False, True])
def test_planted_excess_is_found(whole):
    rng = np.random.default_rng(6)
    e, rounds = paired_errors(rng, 400)
    if whole:
        rounds = Rounds.from_array(np.rint(rounds.values))
    quiet = concentration(e, rounds=rounds, n_resamples=199)
    assert quiet.excess.p_value > 0.05
    loud = concentration(e + np.where(np.arange(400) < 16, 40, 0), rounds=rounds, n_resamples=199)
    assert loud.excess.p_value < 0.01 and "more than noise" in loud.excess.verdict
    assert loud.excess.worst_share.value > 0.05
    assert set(loud.worst[:16]) == set(range(16))


def test_raw_differences_are_not_the_null():
    """The law of D is less concentrated than that of X: the deconvolved null is above it."""
    rng = np.random.default_rng(7)
    e, rounds = paired_errors(rng, 1500)
    found = concentration(e, rounds=rounds, n_resamples=99)
    raw = float(Curve.of(rounds.differences() ** 2).share(0.15))
    assert found.null.population["worst_share"] > raw + 0.02
    assert found.null.population["worst_share"] == pytest.approx(0.704, abs=0.03)


@pytest.mark.parametrize("law", ["gaussian", "laplace", "uniform", MIXTURE, BLUNDERS], ids=str)
def test_assumed_law(law):
    """Pure noise of the assumed law: p-values are uniform (Kolmogorov-Smirnov at 0.1%)."""
    rng = np.random.default_rng(8)
    found = [
        concentration(e, noise=law, n_resamples=199, rng=rng)
        for e in drawn(law, rng, (60 * 200, 1)).reshape(60, 200)
    ]
    p = np.array([f.excess.p_value for f in found])
    assert stats.kstest(p, "uniform").pvalue > 0.001
    null = found[0].null
    assert null.population["worst_share"] == pytest.approx(float(law_share(law, 0.15)))
    e = drawn(law, rng, (200, 1))[:, 0]
    weighted = concentration(e, noise=law, weights=np.full(200, 2.0), n_resamples=199)
    assert weighted.null.expected["gini"].value == pytest.approx(
        null.expected["gini"].value, abs=0.03
    )


def test_noise_of_other_items_from_a_fit_and_its_json():
    rng = np.random.default_rng(9)
    z = BLUNDERS.sample_errors((800, 2), rng=rng) + 100
    noise = annostat.compare_noise(
        Rounds.from_array(z), cores="laplace", abandonment="independent", n_tests=0
    )
    e = BLUNDERS.sample_errors((500, 1), rng=rng)[:, 0]
    fitted = concentration(e, noise=noise, n_resamples=199)
    read = concentration(e, noise=json.loads(json.dumps(noise.to_dict())), n_resamples=199)
    assert read.null.population["worst_share"] == pytest.approx(
        fitted.null.population["worst_share"], abs=1e-9
    )
    for found in (fitted, read):
        assert found.excess.p_value > 0.01
        assert "800 other items" in found.null.source
        assert "other_items" in [c.name for c in found.checks]
    spread = [f.null.simulated.laws[:, -3].std() for f in (fitted, read)]
    assert spread[0] == pytest.approx(spread[1], rel=0.5)


def plain_likelihood(model, errors, differences):
    """Log-likelihood of errors from f and of differences from f convolved with itself."""
    x, f = model.noise_pmf()
    q = np.convolve(f, f)
    return np.log(f[errors - x[0]]).sum() + np.log(q[differences + x[-1] - x[0]]).sum()


def test_the_law_that_sets_are_drawn_from():
    """Both errors and differences speak for it; where that has no meaning it is the fitted one."""
    rng = np.random.default_rng(30)
    for kind in ("none", "independent"):
        law = (
            replace(BLUNDERS, abandonment_rate=0.05)
            if kind != "none"
            else NoiseModel("laplace", {"scale": 2.0})
        )
        z = law.sample_errors((300, 2), rng=rng)
        e = law.sample_errors((300, 1), rng=rng)[:, 0].astype(int)
        fit = annostat.fit_noise(Rounds.from_array(z + 100), "laplace", abandonment=kind)
        found = law_of_all(fit, e.astype(float))
        d = (z[:, 1] - z[:, 0]).astype(int)
        best = plain_likelihood(found, e, d)
        assert best >= plain_likelihood(fit.model, e, d)
        for factor in (0.97, 1.03):
            scale = {"scale": found.parameters["scale"] * factor}
            assert plain_likelihood(replace(found, parameters=scale), e, d) < best
            if kind != "none":
                rate = found.abandonment_rate * factor
                assert plain_likelihood(replace(found, abandonment_rate=rate), e, d) < best
        assert law_of_all(fit, e.astype(float), published=True) is fit.model
        # A fit without abandonment can be simulated, too.
        assert concentration(e + 0.0, noise=fit, n_resamples=19).excess.p_value > 0.05
    shared = NoiseModel("laplace", {"scale": 2.0}, "shared", 0.1, window=30)
    z = shared.sample_errors((200, 2), rng=rng)
    fit = annostat.fit_noise(Rounds.from_array(z + 100), "laplace", abandonment="shared")
    assert law_of_all(fit, z[:, 0].astype(float)) is fit.model
    timed = Rounds.from_array(
        z + 100, period=np.where(np.arange(200) % 2, 20.0, 33.0), period_unit="ms"
    )
    fit = annostat.fit_noise(timed, "laplace", abandonment="none")
    assert law_of_all(fit, z[:, 0].astype(float)) is fit.model


@given(st.floats(0, 0.5), st.integers(1, 30), st.integers(1, 30))
def test_a_core_with_abandonment(rate, window, reach):
    core = NoiseModel("uniform", {"half_width": float(reach)}).noise_pmf()
    half = mixed(core[1][core[0] >= 0], rate, window)
    both = NoiseModel("uniform", {"half_width": float(reach)}, "independent", rate, window=window)
    x, f = both.noise_pmf() if rate else core
    assert half[: f[x >= 0].size] == pytest.approx(f[x >= 0], abs=1e-12)
    assert half[0] + 2 * half[1:].sum() == pytest.approx(1)


def test_windows_about_a_published_one():
    problem = fit_of_model(BLUNDERS, 100, 2).fit.problem
    assert 50 in problem.windows and (problem.windows[0], problem.windows[-1]) == (25, 100)
    assert fit_of_model(replace(BLUNDERS, window=1), 100, 2).fit.problem.windows[0] == 1
    z = BLUNDERS.sample_errors((60, 2), rng=1) + 100
    by_length = annostat.fit_noise(
        Rounds.from_array(z, length=200), "laplace", abandonment="independent", window="length"
    )
    entry = {
        "core": "laplace",
        "parameters": {"scale": {"value": 2.0}},
        "abandonment_rate": {"value": 0.1},
        "abandonment": "independent",
    }
    for window, message in (("length", "window for each clip's length"), (None, "no window")):
        noise = {"models": [{**entry, "window": window}], "n_items": 60}
        with pytest.raises(AnnostatError, match=message):
            concentration(z[:, 0] + 0.0, noise=noise)
    with pytest.raises(AnnostatError, match="fit it with a single window"):
        concentration(z[:, 0] + 0.0, noise=by_length)


def test_missing_second_labels():
    rng = np.random.default_rng(10)
    e, rounds = paired_errors(rng, 300)
    values = rounds.values.copy()
    values[:100, 1] = np.nan
    found = concentration(e, rounds=Rounds.from_array(values), n_resamples=49)
    assert "200 of these items" in found.null.source


def test_scale_does_not_matter_for_real_values():
    rng = np.random.default_rng(12)
    e, rounds = paired_errors(rng, 250)
    one = concentration(e, rounds=rounds, n_resamples=49)
    big = concentration(1000 * e, rounds=Rounds.from_array(1000 * rounds.values), n_resamples=49)
    assert big.excess.p_value == one.excess.p_value
    assert big.null.population["gini"] == pytest.approx(one.null.population["gini"])


# --- overlap ------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(st.integers(5, 60), st.data())
def test_overlap_is_hypergeometric(n, data):
    a = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    b = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    a[0] = b[-1] = True
    found = overlap(a, b)
    known = stats.hypergeom.sf(found.shared - 1, n, a.sum(), b.sum())
    assert found.p_value == pytest.approx(known, abs=1e-9)


def test_overlap_says_what_is_wrong():
    some, none = np.array([True, False, False]), np.zeros(3, dtype=bool)
    for arguments, names, message in (
        ((some, none), ("a", "b"), "no items in b$"),
        ((none, some), ("a", "b"), "no items in a$"),
        ((some, some[:2]), ("a", "b"), "true or false of the same length"),
        (([1, 0, 0], some), ("a", "b"), "true or false"),
        ((some, [1, 0, 0]), ("a", "b"), "true or false"),
        ((some[None], some[None]), ("a", "b"), "true or false"),
    ):
        with pytest.raises(AnnostatError, match=message):
            overlap(*arguments, names=names)
    with pytest.raises(AnnostatError, match="one label for each of 3 items"):
        overlap(some, some, cluster=[1, 2])
    text = overlap(some, np.array([True, True, False]), names=("ours", "theirs")).line()
    assert text.startswith("ours (1) and theirs (2) share 1 item; chance: 0.7 (p = ")


def test_overlap_of_clusters():
    """Two sets of whole patients overlap by chance more than their items say."""
    rng = np.random.default_rng(13)
    patient = np.repeat(np.arange(40), 10)
    p_items, p_clusters = [], []
    for _ in range(60):
        a = np.isin(patient, rng.choice(40, 6, replace=False))
        b = np.isin(patient, rng.choice(40, 6, replace=False))
        p_items.append(overlap(a, b).p_value)
        p_clusters.append(overlap(a, b, cluster=patient, n_resamples=199).p_value)
    assert np.mean(np.array(p_items) < 0.05) > 0.15
    assert np.mean(np.array(p_clusters) < 0.05) < 0.15
    a = patient < 6
    assert overlap(a, a, cluster=patient, n_resamples=199).p_value < 0.02


# --- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0, -1.0, 2.0], {"loss": "asis"}), "negative losses"),
        (([0.0, 0.0, 0.0], {}), "all zero"),
        (([1.0, 2.0], {}), "3 or more items"),
        (([1.0, np.nan, 2.0], {}), "missing or infinite"),
        (([1.0, 2.0, 3.0], {"loss": "cubed"}), "loss must be one of"),
        (([1.0, 2.0, 3.0], {"top": 15}), "top must be in"),
        (([1.0, 2.0, 3.0], {"noise": "gausian"}), "did you mean"),
        (([1.0, 2.0, 3.0], {"noise": "laplace", "loss": "asis"}), "no null of noise"),
        (([1.0, 2.0, 3.0], {"weights": [1, 0, 1]}), "not positive"),
        (([1.0, 2.0, 3.0], {"weights": [1, 1]}), "one number for each"),
        (([1.0, 2.0, 3.0], {"cluster": ["a"] * 3}), "one cluster"),
        (([1.0, -2.0, 3.0], {"rounds": Rounds.from_array([[1, 1]] * 3)}), "no noise to expect"),
        (([1.0, 2.0, 3.0], {"rounds": Rounds.from_array([[1, 2]] * 3)}), "must have their sign"),
        (([0.0, 2.0, 3.0], {"rounds": Rounds.from_array([[1, 2]] * 3)}), "must have their sign"),
        (([0.0, -2.0, -3.0], {"rounds": Rounds.from_array([[1, 2]] * 3)}), "must have their sign"),
        (([1.0, 2.0, 3.0], {"rounds": Rounds.from_array([[1, 2]] * 4)}), "same 3 items"),
        (([1.0, 2.0, 3.0], {"noise": {"strata": {}}}), "strata"),
        (([1.0, 2.0, 3.0], {"noise": {"n_items": 9}}), "`annostat fit-afd`$"),
        (([1.0, 2.0, 3.0], {"noise": 0.3}), "noise must be a shape"),
        (([1.0, 2.0, 3.0], {"noise": {"models": [{}], "n_items": 5}}), "fit-afd"),
        ((["a", "b", "c"], {}), "must be numbers"),
        (([[1.0, 2.0, 3.0]], {}), "shape"),
        (([1e200, 2.0, 3.0], {}), "too large to square"),
    ],
)
def test_bad_input_says_what_is_wrong(arguments, message):
    with pytest.raises(AnnostatError, match=message):
        concentration(arguments[0], **arguments[1])


def test_an_excess_over_the_noise_of_other_items_is_found():
    law = NoiseModel("laplace", {"scale": 2.0})
    fit = fit_noise(simulate_rounds(law, 400, rng=1), "laplace", abandonment="none", ci="none")
    errors = law.sample_errors((200, 1), rng=2)[:, 0].astype(float)
    assert concentration(errors, noise=fit, n_resamples=99).excess.p_value > 0.05
    errors[:6] += 40
    assert concentration(errors, noise=fit, n_resamples=99).excess.p_value <= 0.02


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(20)
    e, rounds = paired_errors(rng, 120)
    frame = pd.DataFrame(
        {
            "clip": [f"c{i:03d}" for i in range(120)],
            "first": rounds.values[:, 0],
            "second": rounds.values[:, 1],
            "ours": e + np.where(np.arange(120) < 6, 40, 0),
            "theirs": 2 * e,
            "dice_loss": np.abs(e) / 100,
            "patient": np.arange(120) // 2,
            "zero": 0.0,
            "text": "x",
        }
    )
    path = tmp_path / "errors é.csv"
    frame.to_csv(path, index=False)
    pd.DataFrame({"clip": ["c000", "c001", "c099"]}).to_csv(tmp_path / "bad.csv", index=False)
    return path


def test_command_keeps_its_promise(run, table, tmp_path):
    plot = tmp_path / "p.png"
    args = (
        "concentration",
        table,
        "--column",
        "ours",
        "--rounds",
        "first",
        "second",
        "--cluster",
        "patient",
        "--resamples",
        59,
        "--list",
        tmp_path / "bad.csv",
    )
    code, out, err = run(*args, "--json", "-", "--plot", plot)
    assert (code, err) == (0, "")
    data = json.loads(out)
    jsonschema.validate(data, json.loads(SCHEMA.read_text()))
    assert {i["item"] for i in data["items"][:6]} == {f"c{i:03d}" for i in range(6)}
    assert data["excess"]["p_value"] < 0.05 and data["overlap"][0]["shared"] >= 2
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert run(*args, "--json", "-", "--n-jobs", 1)[1] == out
    code, out, _ = run(*args)
    assert code == 0 and "more than noise alone explains" in out


def test_command_with_several_models(run, table, tmp_path):
    plot = tmp_path / "p.svg"
    code, out, err = run(
        "concentration",
        table,
        "--column",
        "ours",
        "--column",
        "theirs",
        "--noise",
        "laplace",
        "--json",
        "-",
        "--plot",
        plot,
        "--best-first",
        "--top",
        "0.1",
    )
    assert (code, err) == (0, "")
    data = json.loads(out)
    jsonschema.validate(data, json.loads(SCHEMA.read_text()))
    assert set(data["models"]) == {"ours", "theirs"}
    assert data["overlap"][0]["names"] == ["ours", "theirs"]
    assert b"items, best first" in plot.read_bytes()
    code, out, _ = run("concentration", table, "--column", "ours", "--column", "theirs")
    assert code == 0 and "share" in out


def test_example_and_asis(run, table):
    code, out, _ = run("concentration", "--example", "lidc", "--resamples", 19)
    assert code == 0 and "896 items" in out
    code, out, _ = run("concentration", "--example", "lidc", "--noise", "laplace")
    assert code == 0 and "laplace, assumed" in out
    code, out, _ = run("concentration", table, "--column", "dice_loss", "--loss", "asis")
    assert code == 0 and "noise" not in out.lower().split("checks")[0]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--column", "our"], "did you mean 'ours'"),
        ([], "--column must name"),
        (["--column", "text"], "holds text"),
        (["--column", "zero"], "all zero"),
        (["--column", "ours", "--loss", "asis"], "negative losses"),
        (["--column", "ours", "--top", "0"], "'--top': '0' is not between"),
        (["--column", "ours", "--top", "many"], "'--top': 'many' is no share"),
        (["--column", "ours", "--rounds", "first"], "needs two columns"),
        (["--column", "ours", "--noise", "none.json"], "no file"),
        (["--column", "ours", "--noise", "bad.csv"], "is not JSON"),
        (["--column", "ours", "--rounds", "first", "second", "--noise", "laplace"], "not both"),
        (["--column", "ours", "--list", "none.csv"], "no file"),
        (["--column", "ours", "--plot", "no/where.png"], "cannot be written"),
    ],
)
def test_command_says_what_is_wrong(run, table, args, message, monkeypatch):
    monkeypatch.chdir(table.parent)
    code, _, err = run("concentration", table, *args)
    assert code == 2
    assert err.count("\n") == 1 and message in err


def test_law_of_what_is_no_fraction():
    for p in (-0.01, 1.01, [0.5, np.nan], "half"):
        with pytest.raises(AnnostatError, match=r"^p must be"):
            law_share("gaussian", p)
    for function in (law_gini, lambda law, **o: law_share(law, 0.5, **o)):
        with pytest.raises(AnnostatError, match="law must be one of"):
            function("cauchy")
        with pytest.raises(AnnostatError, match="loss must be one of"):
            function("laplace", loss="asis")
    for weights, sds, message in (
        ((1.0,), (1.0, 2.0), "one standard deviation for each weight"),
        ((), (), "one standard deviation for each weight"),
        ((0.5, 0.4), (1.0, 2.0), "must sum to 1, got 0.9"),
        ((1.0, 0.0), (1.0, 2.0), "a weight or standard deviation of a mixture must be in"),
        ((0.5, 0.5), (1.0, 0.0), "a weight or standard deviation of a mixture must be in"),
    ):
        with pytest.raises(AnnostatError, match=message):
            Gaussians(weights, sds)


def test_tables_of_a_comparison():
    """Each column holds what the models themselves say, with and without noise or predictions."""
    rng = np.random.default_rng(22)
    e, rounds = paired_errors(rng, 80)
    errors = {"a": e, "b": e + rng.normal(0, 2, 80)}
    plain = compare_concentration(errors)
    law = compare_concentration(errors, noise="laplace", n_resamples=99)
    with_one = compare_concentration(
        errors, rounds=rounds, n_resamples=19, predictions={"a": rounds.values[:, 0] + e}
    )
    for found, columns in ((plain, 5), (law, 7), (with_one, 8)):
        table = found.sections()[1]
        assert len(table.columns) == columns
        frame = found.to_frame().set_index("model")
        for row in table.rows:
            model = found.models[row[0]]
            cells = [
                row[0],
                model.worst_share.short(),
                model.worst_share.range(),
                model.gini.short(),
                model.half_of_error.short(),
            ]
            if model.null is not None:
                cells += [
                    model.null.expected["worst_share"].short(),
                    format_p(model.excess.p_value),
                ]
            if columns == 8:
                cells += ["–" if model.swaps is None else format_p(model.swaps.p_value)]
            assert row == cells
            line = frame.loc[row[0]]
            assert line["gini"] == model.gini.value
            assert line["p_value"] is None or line["p_value"] == model.excess.p_value
    assert with_one.models["b"].swaps is None and with_one.models["a"].swaps is not None
    for wrong, message in (({"a": e}, "two or more"), ({"a": e, "b": e[:9]}, r"\[9, 80\]")):
        with pytest.raises(AnnostatError, match=message):
            compare_concentration(wrong)


def test_report_has_a_chapter():
    rng = np.random.default_rng(21)
    e, rounds = paired_errors(rng, 100)
    one = concentration(e, rounds=rounds, n_resamples=19)
    both = compare_concentration({"a": e, "<b>": e**2})
    page = make_report([one, both])
    assert "Where the error sits" in page and "&lt;b&gt;" in page
    assert list(both.to_frame()["model"]) == ["a", "<b>"]
    frame = one.to_frame()
    assert (frame["null_low"] <= frame["null_high"]).all() and frame[
        "fraction"
    ].is_monotonic_increasing
