"""Floors and ceilings: the paper's numbers, identities, simulation, the command."""

import json
import math
from dataclasses import replace
from pathlib import Path

import jsonschema
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from annostat import (
    AnnostatError,
    Estimate,
    Interval,
    Rounds,
    bounds,
    bounds_from_summary,
    compare_published,
    score_models,
    simulate_values,
)
from annostat.agreement import (
    CONVENTIONS,
    limits_with_mean,
    noise_interval,
    precision_profile,
    reliability_interval,
    spearman_brown,
    unequal_raters,
)
from annostat.agreement.variances import Variances
from annostat.ceilings import mae_floor, reliability_by_profile, unbiased_pair_mae
from annostat.ceilings.floors import not_above
from annostat.ceilings.values import with_mae
from annostat.plotting import plot_bounds, plot_deviations
from annostat.report import make_report

SCHEMA = json.loads((Path(__file__).parent.parent / "docs" / "bounds.schema.json").read_text())


def rounds_of(values, **options):
    return Rounds.from_array(values, **options)


# ---------------------------------------------------------------------- published summaries


def test_numbers_of_the_paper():
    found = bounds_from_summary(sd=5.7, convention="between-sessions", correlation=0.801, n=50)
    assert round(found.rmse_floor.value, 2) == 4.03
    assert round(found.correlation_ceiling.value, 3) == 0.895
    assert round(found.r2_ceiling.value, 3) == 0.801


def test_echocotr_under_each_convention():
    """THEORY's figures: z of +2.4, −1.0, −4.4, and −2.8 with a kurtosis of 6."""

    def z(**options):
        found = compare_published(score_rmse=5.17, score_n=1277, sd=5.7, n=50, **options)
        return {r.convention: (round(r.z, 1), r.refuted) for r in found.readings}, found

    plain, found = z()
    assert plain["between-sessions"] == (2.4, False)
    assert plain["noise-sd"] == (-1.0, False)
    assert plain["session-vs-mean"] == (-4.4, True)
    heavy, _ = z(kurtosis=6.0, score_kurtosis=6.0)
    assert heavy["session-vs-mean"] == (-2.8, True)
    words = " ".join(found.conclusions())
    assert "Not refuted: between-sessions, noise-sd" in words and "another data set" in words


def test_the_merged_reading_of_the_correlation():
    found = bounds_from_summary(sd=5.7, correlation=0.801)
    merged, between = (found.readings[k] for k in ("session-vs-mean", "between-sessions"))
    assert merged.reliability.value == pytest.approx(2 * 0.801**2 - 1)
    assert round(merged.correlation_ceiling.value, 3) == 0.532
    assert round(between.sd_of_labels.value, 1) == 9.0
    assert round(merged.sd_of_labels.value, 1) == 9.5
    judged = compare_published(
        score_correlation=0.78, score_n=1277, correlation=0.801, n=50
    ).readings
    assert [r.refuted for r in judged] == [False, True]


def test_an_open_convention_gives_every_reading_and_no_number():
    found = bounds_from_summary(sd=5.7, n=50)
    assert list(found.readings) == list(CONVENTIONS)
    for name in ("noise_sd", "reliability", "rmse_floor"):
        with pytest.raises(AnnostatError, match=f"{name}: the convention .* is open.*noise-sd"):
            getattr(found, name)
    assert not hasattr(found, "no_such_number")
    assert found.to_dict()["rmse_floor"]["value"] is None
    assert set(found.to_frame().convention) == set(CONVENTIONS)
    assert [r["convention"] for r in found.to_dict()["readings"]] == list(CONVENTIONS)
    assert "nothing here tells which was meant" in str(found)


@given(
    st.sampled_from(list(CONVENTIONS)), st.floats(0.5, 20), st.floats(0.05, 0.95), st.integers(2, 6)
)
def test_conventions_printed_from_one_truth_come_back(convention, sigma, rho, k):
    from annostat.agreement import convert_sd

    sd = convert_sd(sigma, "noise-sd", convention, n_rounds=k)
    merged = convention == "session-vs-mean"
    r = math.sqrt((1 + (k - 1) * rho) / k) if merged else rho
    found = bounds_from_summary(sd=sd, correlation=r, convention=convention, n_rounds=k, n=30)
    assert found.noise_sd.value == pytest.approx(sigma)
    assert found.reliability.value == pytest.approx(rho)
    assert found.reliability.interval.low < rho < found.reliability.interval.high


def test_correlation_of_a_session_with_the_mean_of_k():
    g = np.random.default_rng(1)
    z = g.normal(0, 2, (300_000, 1)) + g.normal(0, 1, (300_000, 3))
    r = np.corrcoef(z[:, 0], z.mean(axis=1))[0, 1]
    found = bounds_from_summary(correlation=r, convention="session-vs-mean", n_rounds=3)
    assert found.reliability.value == pytest.approx(0.8, abs=0.005)


def test_intervals_of_a_published_sd_cover():
    g = np.random.default_rng(2)
    hits = []
    for _ in range(2000):
        sd = g.normal(0, math.sqrt(2) * 3, 30).std(ddof=1)
        found = bounds_from_summary(sd=sd, convention="between-sessions", n=30)
        hits.append(3.0 in found.rmse_floor.interval)
    assert np.mean(hits) == pytest.approx(0.95, abs=0.015)


def test_summaries_refused():
    for options, words in (
        ({}, "give an SD"),
        ({"sd": -1}, "sd must be"),
        ({"sd": 5, "convention": "between-session"}, "did you mean 'between-sessions'"),
        ({"correlation": 1.0}, "correlation must be"),
        ({"sd": 5, "n": 3}, "n must be"),
        ({"sd": 5, "kurtosis": 0.5}, "kurtosis must be"),
    ):
        with pytest.raises(AnnostatError, match=words):
            bounds_from_summary(**options)
    with pytest.raises(AnnostatError, match="counterpart"):
        compare_published(score_rmse=5, score_n=100, correlation=0.8, n=50)
    with pytest.raises(AnnostatError, match="above the SD of the noise"):
        bounds_from_summary(sd=5, convention="noise-sd").at(sd_of_labels=4)
    with pytest.raises(AnnostatError, match="give sd or rounds"):
        bounds_from_summary(correlation=0.5, convention="noise-sd").at(sd_of_labels=4)


# ------------------------------------------------------------------------------ from rounds


def test_a_perfect_model_scores_what_the_bounds_say():
    """Simulated: f = Y against the mean of m labels, for Gaussian and Laplace noise."""
    g = np.random.default_rng(3)
    y = g.normal(0, 8, 400_000)
    for law, size in (("gaussian", 4.0), ("laplace", 4.0)):
        scale = size if law == "gaussian" else size / math.sqrt(2)
        draw = g.normal if law == "gaussian" else g.laplace
        x = draw(0, scale, (y.size, 3))
        found = bounds(rounds_of((y[:, None] + x)[:20_000, :2]), interval="t", n_resamples=100)
        for m in (1, 2, 3):
            z = y + x[:, :m].mean(axis=1)
            at = found.against(m)
            e = z - y
            assert at.rmse_floor.value == pytest.approx(math.sqrt(np.mean(e**2)), rel=0.03)
            r = np.corrcoef(y, z)[0, 1]
            assert at.correlation_ceiling.value == pytest.approx(r, abs=0.005)
            assert at.r2_ceiling.value == pytest.approx(1 - np.mean(e**2) / z.var(), abs=0.01)
            ccc = 2 * np.cov(y, z)[0, 1] / (y.var() + z.var())
            assert at.ccc_reference.value == pytest.approx(ccc, abs=0.005)
            mae = np.abs(e).mean()
            low, high = (at.mae_bracket["symmetric"][end] for end in ("low", "high"))
            assert low * 0.99 < mae < high * 1.01
            if m == 2 or law == "gaussian":  # exact for any symmetric law, or the Gaussian one
                assert at.mae_floor.value == pytest.approx(mae, rel=0.02)
    # Laplace, m = 3: 0.625 b, which the Gaussian reading of E|D| = 1.5 b misses by 2%.
    assert mae == pytest.approx(0.625 * scale, rel=0.01)


def test_concordance_is_no_bound():
    """A prediction inflated about the mean beats f = Y and reaches √ρ."""
    g = np.random.default_rng(4)
    y = g.normal(0, 2, 500_000)
    z = y + g.normal(0, 1, y.size)
    found = bounds_from_summary(sd=1.0, convention="noise-sd", correlation=0.8)

    def ccc(f):
        return 2 * np.cov(f, z)[0, 1] / (f.var() + z.var() + (f.mean() - z.mean()) ** 2)

    assert ccc(y) == pytest.approx(found.ccc_reference.value, abs=0.003)
    inflated = ccc(y / math.sqrt(0.8))
    assert inflated > found.ccc_reference.value + 0.003
    assert inflated == pytest.approx(found.correlation_ceiling.value, abs=0.003)


@given(st.floats(1e-6, 1 - 1e-6), st.integers(1, 8))
def test_order_of_ceilings(rho, m):
    """Invariant 4: ρ ≤ 2ρ/(1 + ρ) ≤ √ρ, against any number of annotations."""
    found = bounds_from_summary(correlation=rho, convention="between-sessions", m=m)
    r2, ccc, r = (found.r2_ceiling, found.ccc_reference, found.correlation_ceiling)
    assert r2.value <= ccc.value <= r.value
    assert r2.value == pytest.approx(spearman_brown(rho, m))


@settings(max_examples=40)
@given(
    st.integers(0, 2**32),
    st.integers(10, 40),
    st.integers(2, 4),
    st.floats(0, 0.3),
    st.floats(0.3, 10),
    st.floats(1e-6, 1e6),
    st.booleans(),
    st.floats(-100, 100),
)
def test_affine_maps(seed, n, k, missing, truth_sd, size, flip, shift):
    """Invariant 1: of labels and predictions together; biased rounds, missing labels."""
    g = np.random.default_rng(seed)
    v = g.normal(0, truth_sd, (n, 1)) + g.normal(np.arange(k) * 0.4, 1, (n, k))
    v[:, 1:][g.random((n, k - 1)) < missing] = np.nan
    moved = (-size if flip else size) * (v + shift)
    one, two = (bounds(rounds_of(w), n_resamples=200) for w in (v, moved))
    if one.profile is not None or two.profile is not None:
        # Noise that goes with the value depends on where 0 is: only the unit does not matter.
        two = bounds(rounds_of(size * v), n_resamples=200)
    for name, scale in (
        ("rmse_floor", size),
        ("mae_floor", size),
        ("noise_sd", size),
        ("correlation_ceiling", 1),
        ("r2_ceiling", 1),
        ("reliability", 1),
        ("ccc_reference", 1),
    ):
        x, y = getattr(one, name), getattr(two, name)
        assert y.value == pytest.approx(scale * x.value)
        assert (y.interval is None) == (x.interval is None) and y.note == x.note
        if x.interval is not None:
            limits = [scale * x.interval.low, scale * x.interval.high]
            assert [y.interval.low, y.interval.high] == pytest.approx(limits, rel=1e-6)


def test_pair_mae_pays_for_the_bias_it_removes():
    """Gaussian noise: E|D| of 2σ/√π at any n, a bias between the rounds notwithstanding."""
    g = np.random.default_rng(5)
    for k in (2, 4):
        found = []
        for _ in range(1500):
            r = rounds_of(g.normal(np.arange(k) * 3.0, 1, (8, k)))
            found.append(unbiased_pair_mae(r, Variances.of(r), level=0.95).value)
        error = np.std(found) / math.sqrt(len(found))
        assert np.mean(found) == pytest.approx(2 / math.sqrt(math.pi), abs=3 * error)


def test_transport_goes_through_sigma():
    """THEORY: range restriction takes ρ from .80 to .41; transport recovers .80."""
    g = np.random.default_rng(6)
    y = g.normal(0, 2, 200_000)
    z = y[:, None] + g.normal(0, 1, (y.size, 2))
    narrow = z[np.abs(y) < 1.5]
    found = bounds(rounds_of(narrow[:40_000]), interval="t", level=0.999, n_resamples=100)
    assert found.reliability.value == pytest.approx(0.41, abs=0.02)
    there = found.at(sd_of_labels=float(z[:, 0].std()))
    assert there.reliability.value == pytest.approx(0.8, abs=0.01)
    assert there.rmse_floor == found.rmse_floor
    assert there.r2_ceiling.interval.low < 0.8 < there.r2_ceiling.interval.high


def test_few_large_differences_leave_no_interval_but_that_of_the_mae():
    v = simulate_values(300, noise_sd=2.0, truth_sd=5.0, rng=1).values.copy()
    v[:3, 1] += 60
    found = bounds(rounds_of(v))
    for name in ("rmse_floor", "reliability", "correlation_ceiling"):
        e = getattr(found, name)
        assert e.interval is None and "no interval covers" in e.note
    assert found.mae_floor.interval is not None
    assert "use the mae" in str(found)


def test_many_carriers_of_heavy_tails_keep_the_interval():
    g = np.random.default_rng(2)
    size = g.lognormal(0, 0.8, (20_000, 1))
    found = bounds(rounds_of(size * g.normal(size=(20_000, 2))), n_resamples=200)
    assert found.rmse_floor.interval is not None


def test_clusters_and_level():
    g = np.random.default_rng(4)
    size = np.exp(g.normal(0, 0.4, 40)).repeat(10)
    v = g.normal(0, 5, (400, 1)) + g.normal(0, 1, (400, 2)) * size[:, None]
    labels = [f"p{i // 10}" for i in range(400)]
    alone, inside = bounds(rounds_of(v)), bounds(rounds_of(v, cluster=labels))
    for name in ("rmse_floor", "mae_floor"):
        a, b = (getattr(x, name).interval for x in (alone, inside))
        assert b.high - b.low > 1.2 * (a.high - a.low)
    wide = bounds(rounds_of(v), level=0.99).r2_ceiling.interval
    assert wide.low < alone.r2_ceiling.interval.low and wide.level == 0.99


def test_serial_equals_parallel():
    rounds = simulate_values(600, noise_sd=2.0, truth_sd=5.0, rng=1)
    assert bounds(rounds, n_jobs=1).to_dict() == bounds(rounds, n_jobs=2).to_dict()


# --------------------------------------------------------------------------------- bad input

G = np.random.default_rng(0)
BASE = G.normal(0, 3, (30, 1)) + G.normal(0, 1, (30, 2))
DEGENERATE = {
    "all equal": np.full((20, 2), 5.0),
    "both constant": np.tile([5.0, 7.0], (20, 1)),
    "one constant": np.column_stack([np.full(20, 5.0), BASE[:20, 1]]),
    "identical": np.repeat(BASE[:, :1], 2, axis=1),
    "shifted": BASE[:, :1] + np.array([0.0, 1.0]),
    "n = 2": np.array([[1.0, 2], [3, 5]]),
    "a rater all missing": np.column_stack([BASE, np.full(30, np.nan)]),
    "anticorrelated": np.column_stack([BASE[:, 0], BASE[:, 1] - 2 * BASE[:, 0]]),
    "mirrored": np.column_stack([BASE[:, 0], -BASE[:, 0]]),
    "huge": BASE * 1e55,
    "tiny": BASE * 1e-55,
    "far from zero": BASE + 1e9,
    "no shared item": np.array(
        [
            [1, 2, np.nan, np.nan],
            [np.nan, np.nan, 3, 4],
            [2, 3, np.nan, np.nan],
            [np.nan, np.nan, 5, 4.0],
        ]
    ),
}


@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_tables_have_defined_results(name):
    found = bounds(rounds_of(DEGENERATE[name]), n_resamples=200)
    for key, e in found.estimates().items():
        assert not math.isnan(e.value) or e.note, key
        assert e.interval is not None or e.note, key
        if e.interval is not None:
            assert e.interval.low <= e.value <= e.interval.high, key
    assert 0 <= found.correlation_ceiling.value <= 1 or found.correlation_ceiling.note
    json.dumps(found.to_dict(), allow_nan=False)
    jsonschema.validate(found.to_dict(), SCHEMA)
    assert "nan" not in str(found).lower().replace("no shared item", "")


def test_what_degenerate_tables_say():
    def of(name):
        return bounds(rounds_of(DEGENERATE[name]), n_resamples=200)

    assert of("identical").rmse_floor.value == of("shifted").mae_floor.value == 0
    assert of("identical").correlation_ceiling.value == 1
    assert math.isnan(of("all equal").reliability.value)
    assert of("one constant").correlation_ceiling.value == 0
    for name in ("anticorrelated", "mirrored"):
        found = of(name)
        assert found.reliability.value < 0 and found.correlation_ceiling.value == 0
        assert "do not correlate" in found.correlation_ceiling.note
    assert of("huge").rmse_floor.value == pytest.approx(
        1e55 * bounds(rounds_of(BASE)).rmse_floor.value
    )
    assert [f.estimate.note != "" for f in of("no shared item").icc[:3]] == [False, True, True]


def test_refused_tables():
    for values, words in (
        ([[1.0, 2.0]], "too few items"),
        (np.column_stack([BASE[:, 0], np.full(30, np.nan)]), "no item has two"),
        (BASE * 1e70, "rescale"),
        (BASE * 1e-70, "rescale"),
    ):
        with pytest.raises(AnnostatError, match=words):
            bounds(rounds_of(values))


# -------------------------------------------------------------------------------- the command


@pytest.fixture
def table(tmp_path):
    v = simulate_values(120, noise_sd=4.0, truth_sd=9.0, rng=3).values + 55
    frame = pd.DataFrame(v, columns=["first", "second"])
    frame.insert(0, "patient", [f"P{i:03d}" for i in range(120)])
    frame["site"] = np.where(np.arange(120) % 2, "A", "B")
    path = tmp_path / "ef.csv"
    frame.to_csv(path, index=False)
    return path


def test_json_keeps_its_promise(run, table):
    for args in (
        (table, "--rounds", "first", "second"),
        ("--example", "lidc-diameter"),
        ("--sd", "5.7", "--convention", "between-sessions", "--correlation", "0.801", "--n", "50"),
        ("--sd", "5.7"),
        ("--correlation", "0.801"),
        ("--sd", "5.7", "--n", "50", "--score-rmse", "5.17", "--score-n", "1277"),
    ):
        code, out, err = run("bounds", *args, "--json", "-", "--resamples", "100")
        assert (code, err) == (0, ""), err
        found = json.loads(out)
        jsonschema.validate(found, SCHEMA)
        open_ = args[0] in ("--sd", "--correlation") and "--convention" not in args
        assert ("readings" in found) == open_


def test_text_strata_and_plot(run, table, tmp_path):
    target = tmp_path / "limits.png"
    code, out, _ = run(
        "bounds",
        table,
        "--rounds",
        "first",
        "second",
        "--by",
        "site",
        "--unit",
        "%",
        "--plot",
        target,
    )
    assert code == 0
    assert "site: A" in out and "ICC(2,1)" in out and "floor of the RMSE" in out
    for name in "AB":
        assert target.with_name(f"limits-{name}.png").read_bytes().startswith(b"\x89PNG")
    code, out, _ = run(
        "bounds", table, "--rounds", "first", "second", "--by", "site", "--json", "-"
    )
    assert set(json.loads(out)["strata"]) == {"A", "B"}
    code, out, _ = run("bounds", "--example", "lidc-diameter")
    assert code == 0 and "1.71" in out and "use the mae" in out
    assert "1.634 mm, 95% interval 1.464 to 1.823" in out and "about 12% of it" in out


def test_plot_of_rounds_without_identity(run, tmp_path):
    target = tmp_path / "deviations.png"
    code, _, err = run("bounds", "--example", "lidc-diameter", "--plot", target)
    assert (code, err) == (0, "") and target.read_bytes().startswith(b"\x89PNG")


def test_limits_of_agreement_with_the_mean():
    """Simulated: each reader has a bias; ±1.96·s·√((k−1)/k), s being the scatter within items."""
    g = np.random.default_rng(8)
    v = g.normal(50, 9, (400, 1)) + g.normal(0, 4, (400, 3)) + [-2.0, 0.0, 2.0]
    v[:100, 2] = np.nan
    ax = plot_deviations(limits_with_mean(rounds_of(v, unit="mm"), n_resamples=99))
    k = np.isfinite(v).sum(axis=1)
    s = math.sqrt(np.nanvar(v, axis=1) @ k / (k - 1).sum())
    drawn = sorted(
        {round(abs(line.get_ydata()[0]), 9) for line in ax.lines if len(line.get_ydata())}
    )
    want = [0.0, *(1.959963984540054 * s * math.sqrt((m - 1) / m) for m in (2, 3))]
    assert drawn == pytest.approx(want)
    assert len(ax.collections[0].get_offsets()) == 1100 and "(mm)" in ax.get_ylabel()
    inside = np.abs(v - np.nanmean(v, axis=1)[:, None]) < 1.959963984540054 * s * np.sqrt(
        (k - 1) / k
    ).reshape(-1, 1)
    assert f"{inside.sum() / 1100:.1%} of 1,100 readings" in ax.get_title()
    plt.close(ax.figure)


def test_bad_input_is_one_line(run, table, tmp_path):
    flat = tmp_path / "one.csv"
    flat.write_text("id,a,b\nx,1,2\n")
    for args, words in (
        ((), "no input"),
        ((table, "--sd", "5"), "not both"),
        ((table, "--n", "50"), "--n goes with published numbers"),
        ((table, "--rounds", "first", "secnd"), "did you mean 'second'"),
        (("--sd", "-1"), "sd must be"),
        (("--sd", "5", "--convention", "x"), "--convention"),
        (("--sd", "5", "--score-rmse", "4"), "--score-n"),
        ((table, "--rounds", "first", "second", "--sd-of-labels", "2"), "above the SD"),
        ((flat,), "too few items"),
    ):
        code, out, err = run("bounds", *args)
        assert code == 2 and out == "", (args, out)
        assert words in err and err.startswith("annostat: error: ") and err.count("\n") == 1


def test_the_report_has_a_chapter(run, table, tmp_path):
    page = tmp_path / "page.html"
    code, out, _ = run("report", table, "--rounds", "first", "second", "-o", page)
    assert code == 0 and "Wrote" in out and "How good a model can look" in page.read_text()
    assert "Limits of agreement" in page.read_text() or "limits of agreement" in page.read_text()


# ----------------------------------------------------------------- what mutation testing found


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"kurtosis": 0.5}, "^kurtosis must"),
        ({"score_kurtosis": 0.5}, "score_kurtosis"),
        ({"score_rmse": 0.0}, "score_rmse"),
        ({"correlation": -1.5}, "correlation"),
        ({"n_rounds": 1}, "n_rounds"),
        ({"m": 0}, "^m "),
    ],
)
def test_published_numbers_out_of_their_domain_are_named(options, name):
    with pytest.raises(AnnostatError, match=name):
        compare_published(**{"score_rmse": 5.0, "score_n": 100, "sd": 5.7, "n": 50} | options)


def test_three_items_are_enough_to_draw():
    rounds = rounds_of([[1, 2], [3, 5], [7, 6.0]], names=["a", "b"])
    assert bounds(rounds, interval="chi-square").limits is not None
    assert bounds(rounds.take([0, 1]), interval="chi-square").limits is None


@pytest.mark.parametrize("level", [0.95, 0.8])
def test_intervals_of_summaries_are_the_textbook_ones(level):
    """Chi-square for σ; normal for ln σ with a kurtosis; Fisher's z for the correlation."""
    options = {"sd": 6.0, "convention": "noise-sd", "n": 12, "level": level}
    tails = stats.chi2.ppf([(1 + level) / 2, (1 - level) / 2], 11)
    e = bounds_from_summary(**options).noise_sd
    assert (e.low, e.high) == pytest.approx(tuple(6 * np.sqrt(11 / tails)))
    assert e.standard_uncertainty == pytest.approx(6 / math.sqrt(2 * 11))
    z = stats.norm.ppf((1 + level) / 2)
    for kurtosis in (1.0, 3.0, 7.5):
        e = bounds_from_summary(**options, kurtosis=kurtosis).noise_sd
        spread = math.sqrt((kurtosis - 1) / 44)
        assert (e.low, e.high) == pytest.approx(
            (6 * math.exp(-z * spread), 6 * math.exp(z * spread))
        )
        assert e.standard_uncertainty == pytest.approx(6 * spread)
        assert f"kurtosis {kurtosis:g}" in e.interval.method
    for r, k in ((0.8, 2), (0.65, 4), (-0.3, 3)):
        limits = np.tanh(np.arctanh(r) + np.array([-1, 1]) * z / math.sqrt(9))
        for convention, to_rho in (
            ("between-sessions", lambda x: x),
            ("session-vs-mean", lambda x, k=k: (k * x * abs(x) - 1) / (k - 1)),
        ):
            e = bounds_from_summary(
                correlation=r, convention=convention, n=12, n_rounds=k, level=level
            ).reliability
            assert e.value == pytest.approx(to_rho(r))
            assert (e.low, e.high) == pytest.approx(tuple(to_rho(x) for x in limits))
            slope = (to_rho(r + 1e-6) - to_rho(r - 1e-6)) / 2e-6
            assert e.standard_uncertainty == pytest.approx(slope * (1 - r * r) / 3, rel=1e-6)
            assert e.interval.level == level


def test_what_summaries_do_not_tell_is_said():
    anti, no_n = "do not correlate", "the number of items (n) is not given"
    for r, n, words in (
        (0.5, None, {no_n}),
        (-0.5, None, {anti, no_n}),
        (-0.5, 9, {anti}),
        (0.5, 9, set()),
        (0.0, 9, {anti}),
    ):
        note = bounds_from_summary(correlation=r, convention="noise-sd", n=n).reliability.note
        assert {w for w in (anti, no_n) if w in note} == words
        assert bool(note) == bool(words) and not note.startswith(";")
    only_sd = bounds_from_summary(sd=2.0, convention="noise-sd", unit="mm")
    assert only_sd.reliability.note == "the correlation is not given"
    assert no_n in only_sd.noise_sd.note and only_sd.noise_sd.unit == "mm"
    only_r = bounds_from_summary(correlation=0.5, unit="mm")
    assert list(only_r.readings) == ["between-sessions", "session-vs-mean"]
    assert only_r.readings["between-sessions"].noise_sd.note == "the SD is not given"
    for n in (None, 4, 50):
        for convention in (None, "noise-sd"):
            found = bounds_from_summary(sd=2.0, convention=convention, n=n)
            assert found.provenance.n_items == (n or 0) and found.n_items == n


def test_one_round_is_no_repetition():
    for options in ({"correlation": 0.5}, {"sd": 2.0}):
        for convention in (None, "session-vs-mean", "between-sessions"):
            with pytest.raises(AnnostatError, match=r"n_rounds must be .* at least 2, got 1"):
                bounds_from_summary(**options, n_rounds=1, convention=convention)


def test_level_reaches_every_interval():
    found = bounds(
        simulate_values(40, noise_sd=2.0, truth_sd=5.0, rng=1), level=0.8, n_resamples=99
    )
    assert {f.estimate.interval.level for f in found.icc} == {0.8}
    assert {e.interval.level for e in (*found.estimates().values(), found.pair_mae)} == {0.8}
    assert found.limits.bias.interval.level == found.limits.upper.interval.level == 0.8
    there = found.at(sd_of_labels=20.0)
    assert there.reliability.interval.level == 0.8
    assert there.provenance.options == {**found.provenance.options, "sd_of_labels": 20.0}


def test_uncertainties_follow_the_delta_method():
    """Each number is a function of σ or of ρ; its slope by central differences."""
    for convention, name, m in (("noise-sd", "noise_sd", 3), ("noise-sd", "reliability", 3)):

        def at(shift, convention=convention, name=name, m=m):
            sd, r = (2.0 + shift, 0.6) if name == "noise_sd" else (2.0, 0.6 + shift)
            return bounds_from_summary(sd=sd, correlation=r, convention=convention, n=30, m=m)

        here, source = at(0), getattr(at(0), name)
        followers = (
            ("rmse_floor", "sd_difference", "loa_reference")
            if name == "noise_sd"
            else ("r2_ceiling", "correlation_ceiling", "ccc_reference")
        )
        for other in followers:
            slope = (getattr(at(1e-5), other).value - getattr(at(-1e-5), other).value) / 2e-5
            e = getattr(here, other)
            expected = slope * source.standard_uncertainty
            assert e.standard_uncertainty == pytest.approx(expected, rel=1e-6), other
            assert e.low < e.value < e.high
    there = here.at(sd_of_labels=5.0).reliability
    assert there.value == pytest.approx(1 - (2 / 5) ** 2)
    assert there.standard_uncertainty == pytest.approx(
        2 * 2 / 25 * here.noise_sd.standard_uncertainty
    )
    assert (there.low, there.high) == pytest.approx(
        (1 - (here.noise_sd.high / 5) ** 2, 1 - (here.noise_sd.low / 5) ** 2)
    )


def test_units_of_what_follows():
    found = bounds_from_summary(sd=2.0, correlation=0.6, convention="noise-sd", n=30, unit="mm")
    units = {name: e.unit for name, e in found.estimates().items()}
    lengths = {"noise_sd", "sd_difference", "rmse_floor", "mae_floor"}
    assert units == {name: "mm" if name in lengths else "" for name in units}


def test_reasons_are_joined_where_there_are_two():
    def note(values):
        return bounds(rounds_of(values), n_resamples=99).reliability.note

    two, anti = "no interval: two items only", "do not correlate"
    assert two in note(DEGENERATE["mirrored"]) and anti in note(DEGENERATE["mirrored"])
    assert two in note(DEGENERATE["one constant"]) and anti not in note(DEGENERATE["one constant"])
    g = np.random.default_rng(3)
    v = g.normal(0, 1, (200, 2))
    v[0] = [60, -60]
    assert "no interval covers" in note(v) and anti in note(v)
    v += g.normal(0, 60, (200, 1))
    assert "no interval covers" in note(v) and anti not in note(v)


def test_z_of_a_reported_correlation():
    """atanh r against atanh √ρ, the latter's error by the delta method; p one-sided."""
    options = {"correlation": 0.7, "n": 40, "convention": "between-sessions"}
    found = compare_published(score_correlation=0.9, score_n=120, **options)
    [reading] = found.readings
    ceiling = math.sqrt(0.7)

    def scale(r):
        return math.atanh(math.sqrt(r))

    slope = (scale(0.7 + 1e-6) - scale(0.7 - 1e-6)) / 2e-6
    error = slope * (1 - 0.7**2) / math.sqrt(37)
    z = (math.atanh(0.9) - math.atanh(ceiling)) / math.hypot(error, 1 / math.sqrt(117))
    assert reading.bound == pytest.approx(ceiling)
    assert (reading.z, reading.p_value) == pytest.approx((z, stats.norm.sf(z)), rel=1e-6)
    assert reading.refuted == (reading.p_value < 0.05)
    for level in (1 - 1.01 * reading.p_value, 1 - 0.99 * reading.p_value):
        again = compare_published(score_correlation=0.9, score_n=120, level=level, **options)
        assert again.readings[0].refuted == (reading.p_value < 1 - level)
    [nothing] = compare_published(
        score_correlation=0.9, score_n=120, **{**options, "correlation": -0.2}
    ).readings
    assert math.isnan(nothing.z) and math.isnan(nothing.p_value) and not nothing.refuted
    assert nothing.bound == 0


# ---------------------------------------------------------------------------------- few items


def test_eight_items_have_intervals_that_end_and_one_for_each_number():
    rounds = simulate_values(8, noise_sd=4.0, truth_sd=11.0, rng=3)
    found, v = bounds(rounds), Variances.of(rounds)
    assert found.noise_sd.interval == noise_interval(v)
    assert found.noise_sd.high < 4 * found.noise_sd.value  # a bootstrap-t goes to 10 to 45 times
    assert found.reliability.interval == reliability_interval(v)
    forms = {form.name: form.estimate for form in found.icc}
    assert forms["icc_c_1"].interval == found.reliability.interval
    assert found.limits.sd.interval == found.sd_difference.interval
    assert found.provenance.options["interval"] == "log-t"
    assert [c.passed for c in found.checks if c.name == "few_items"] == [None]
    # What is asked for by name is given, and is one interval too.
    named = bounds(rounds, interval="chi-square")
    assert named.noise_sd.interval.method == "chi-square"
    forms = {form.name: form.estimate for form in named.icc}
    for end in ("low", "high"):
        want = getattr(forms["icc_c_1"], end)
        assert getattr(named.reliability, end) == pytest.approx(want)
    asked = bounds(rounds, interval="bootstrap-t")
    assert "bootstrap-t" in asked.noise_sd.interval.method
    assert "bootstrap-t" in asked.reliability.interval.method
    assert not [c for c in asked.checks if c.name == "few_items"]


@pytest.mark.parametrize(("n", "words"), [(29, "log-t over items"), (30, "bootstrap-t")])
def test_intervals_switch_at_thirty_items(n, words):
    found = bounds(simulate_values(n, noise_sd=4.0, truth_sd=11.0, rng=3), n_resamples=200)
    assert found.noise_sd.interval.method.startswith(words)
    whole = simulate_values(4 * n, noise_sd=4.0, truth_sd=11.0, rng=3).values
    rounds = Rounds.from_array(whole, cluster=np.arange(4 * n) // 4)
    found = bounds(rounds, n_resamples=200)
    assert found.noise_sd.interval.method.startswith(words.replace("items", "clusters"))


def test_rounds_that_do_not_correlate_fail_a_check():
    g = np.random.default_rng(1)
    z = g.normal(0, 1, (40, 2))
    opposed = np.column_stack([z[:, 0], 0.4 * z[:, 1] - z[:, 0]])
    [check] = [c for c in bounds(rounds_of(opposed)).checks if c.name == "reliability"]
    assert check.passed is False and "do not correlate" in check.message
    [check] = [c for c in bounds(rounds_of(z + 0.1 * z[:, :1])).checks if c.name == "reliability"]
    assert check.passed is None and "may be 0" in check.message
    clear = bounds(simulate_values(40, noise_sd=1.0, truth_sd=9.0, rng=3))
    assert not [c for c in clear.checks if c.name == "reliability"]


def test_twenty_readers_of_two_items_each_are_seen_to_be_biased():
    g = np.random.default_rng(2)
    z = np.full((300, 20), np.nan)
    for row in z:
        row[g.choice(20, 2, replace=False)] = 0.0
    z += g.normal(0, 5, (300, 1)) + g.normal(0, 1, (300, 20))
    biased = z + np.where(np.arange(20) % 2, 1.0, -1.0)
    for values, passed in ((z, True), (biased, False)):
        checks = {c.name: c.passed for c in bounds(rounds_of(values), n_resamples=99).checks}
        assert checks["rater_bias"] is passed
    two = bounds(rounds_of(z[:, :2][np.isfinite(z[:, :2]).all(axis=1)]), n_resamples=99)
    assert "rater_bias" not in {c.name for c in two.checks}


def test_floors_against_each_kind_of_label_stand_beside_that_of_equal_raters():
    g = np.random.default_rng(2)
    z = g.normal(50, 3, (1000, 1)) + g.normal([0.0, 3.0], [1.0, 3.0], (1000, 2))
    rounds = Rounds.from_array(z, names=["A", "B"], unit="mm")
    found = bounds(rounds, n_resamples=99)
    plain, mae = unequal_raters(rounds), mae_floor(rounds)
    assert found.by_label == with_mae(plain, mae)
    assert [k.rmse_floor for k in found.by_label.kinds] == [k.rmse_floor for k in plain.kinds]
    assert found.mae == mae and found.pair_mae == mae.bracket.pair_mae
    for kind in found.by_label.kinds:
        assert kind.mae_floor.value < kind.rmse_floor.value
        assert kind.mae_floor.high <= kind.rmse_floor.high
    for name, floor in (("A", 1.0), ("B", 3.0), ("one of these raters, at random", 2.7)):
        assert floor in found.by_label.kind(name).rmse_floor.interval
    assert "by_label" in found.to_dict() and "at random" in str(found)
    assert "equal_noise" in {c.name for c in found.checks if c.passed is False}
    for other in (found.against(2), found.at(sd_of_labels=20.0)):
        assert "by_label" not in other.to_dict() and "at random" not in str(other)
    assert bounds(rounds_of(z, exchangeable=True), n_resamples=99).by_label is None


def test_the_floor_of_the_mae_is_the_hull_and_its_bracket_is_printed():
    g = np.random.default_rng(8)
    laplace = Rounds.from_array(g.normal(50, 9, (1000, 1)) + g.laplace(0, 2, (1000, 2)))
    found = bounds(laplace, n_resamples=99)
    # E|X| = 2 and E|D| = 3: the Gaussian reading would be 2.12.
    assert 2.0 in found.mae_floor.interval and found.mae_floor.value < 2.1
    assert found.mae_floor.interval.method.startswith("hull")
    ends = found.mae_bracket["log_concave"]
    assert ends["low_limit"] < ends["low"] < 2.05 < ends["high"] < ends["high_limit"]
    assert "sampling error included" in str(found) and "noise_law" not in str(found.checks)
    kept = found.to_dict()
    assert kept["mae"]["families"][0]["aic"] == 0
    assert kept["mae_bracket"]["symmetric"]["low_limit"] == found.pair_mae.low / 2
    assert "mae" not in bounds_from_summary(sd=5.7, convention="noise-sd").to_dict()
    twelve = Rounds.from_array(g.normal(50, 9, (400, 1)) + g.choice([-4.0, 4.0], (400, 2)))
    law = bounds(twelve, n_resamples=99)
    assert "noise_law" in {c.name for c in law.checks if c.passed is False}
    assert "no family of laws fits" in str(law) and law.mae_floor.high <= law.rmse_floor.high


def test_the_mae_is_not_above_the_rmse():
    low = Estimate(2.0, 0.1, Interval(1.8, 2.2, 0.95, "t"))
    wide = Estimate(2.1, None, Interval(1.5, 3.0, 0.95, "hull"))
    cut = not_above(wide, low)
    assert (cut.value, cut.low, cut.high) == (2.0, 1.5, 2.2)
    assert not_above(wide, replace(low, interval=None)).high == 3.0
    z = np.random.default_rng(1).normal(30, 5, (200, 1)).round()
    whole = Rounds.from_array(z + np.random.default_rng(2).integers(-1, 2, (200, 2)) + [0, 4])
    found = bounds(whole, n_resamples=99)
    assert found.mae_floor.value <= found.rmse_floor.value
    assert "whole numbers that lie close" in str(found)


def grown(seed, n, relative=0.12):
    g = np.random.default_rng(seed)
    size = g.lognormal(np.log(8), 0.6, (n, 1))
    return size, np.maximum(size * (1 + relative * g.normal(size=(n, 2))), 0.01)


def test_noise_that_grows_with_the_value_has_a_profile(run, tmp_path):
    size, z = grown(1, 400)
    found = bounds(rounds_of(z), n_resamples=200)
    assert found.profile == precision_profile(rounds_of(z))
    assert 0.12 * np.sqrt(np.mean(size**2)) in found.rmse_floor.interval
    assert "averaged over the labels at hand" in found.rmse_floor.interval.method
    assert found.against(4).rmse_floor.value == pytest.approx(found.rmse_floor.value / 2)
    share = 1 - np.mean((0.12 * size) ** 2) / np.var(size)
    assert share in found.reliability.interval
    assert all(f.estimate.interval is None for f in found.icc)
    assert "stands for none" in found.noise_sd.note and "Noise by value" in str(found)
    assert "constant_noise" in {c.name for c in found.checks if c.passed is False}
    assert "The noise goes with the value: " in str(found)
    page = make_report([found])
    assert "Noise SD against the value" in page and "goes with the value" in page
    jsonschema.validate({**found.to_dict(), "read": None}, SCHEMA)
    assert len(plot_bounds(found).axes) == 4  # floors have two
    scores = score_models(rounds_of(z), {"Y": size[:, 0]}, n_resamples=99)
    assert scores.floors["rmse_floor"].value == found.rmse_floor.value
    assert scores.floors["r2_ceiling"].value == found.r2_ceiling.value
    assert "constant_noise" in {c.name for c in scores.checks if c.passed is False}
    # A method that is asked for is taken, for one SD of all values.
    asked = bounds(rounds_of(z), interval="bootstrap-t", n_resamples=200)
    assert asked.profile is None and asked.rmse_floor == asked.noise_sd
    even = bounds(simulate_values(300, noise_sd=2.0, truth_sd=5.0, rng=1), n_resamples=200)
    assert even.profile is None and len(plot_bounds(even).axes) == 3


def test_the_share_of_the_truth_by_a_profile_is_one_less_a_ratio_of_variances():
    z = grown(3, 300, 0.3)[1]
    rounds = rounds_of(z)
    v, profile = Variances.of(rounds), precision_profile(rounds)
    found = reliability_by_profile(v, profile, Estimate(0.5))
    # The twin: the analysis of variance of one label, by hand.
    item, d = z.mean(axis=1), z[:, 0] - z[:, 1]
    within = np.sum((d - d.mean()) ** 2) / 2 / 299
    total = (2 * item.var(ddof=1) + within) / 2
    assert found.value == pytest.approx(1 - profile.floor.value**2 / total)
    assert found.low < found.value < found.high < 1
    # Where the labels vary no more than the noise it is the plain share.
    flat = replace(profile, floor=profile.floor.scaled(100.0))
    assert reliability_by_profile(v, flat, Estimate(0.5)).value == 0.5


def test_blunders_are_no_profile_and_no_headline():
    z = simulate_values(300, noise_sd=2.0, truth_sd=5.0, rng=1).values.copy()
    z[:3, 1] += 60
    found = bounds(rounds_of(z))
    assert found.profile is None
    [check] = [c for c in found.checks if c.name == "heavy_tails"]
    assert check.passed is False and "none is printed" in check.message
    first = found.answer()
    assert "MAE" in first and "RMSE" not in first and "no interval holds" in found.quote()
    assert "MAE" in make_report([found]).split("RMSE")[0]


@pytest.mark.parametrize("law", ["gauss", "laplace", "uniform", "shared", "t5"])
def test_the_mae_against_a_mean_is_between_the_readings(law):
    g = np.random.default_rng(5)
    draw = {
        "gauss": lambda s: g.normal(size=s),
        "laplace": lambda s: g.laplace(size=s),
        "uniform": lambda s: g.uniform(-2, 2, s),
        "shared": lambda s: g.normal(size=s) * np.exp(g.normal(0, 0.6, (s[0], 1))),
        "t5": lambda s: g.standard_t(5, s),
    }[law]
    found = bounds(rounds_of(g.normal(0, 6, (2000, 1)) + draw((2000, 2))), n_resamples=200)
    x = draw((200_000, 8))
    for m in (3, 5, 8):
        at = found.against(m).mae_floor
        assert np.abs(x[:, :m].mean(axis=1)).mean() in at.interval
        assert at.high <= found.against(m).rmse_floor.high
