"""Agreement against published tables, pingouin, plain formulas and simulation."""

import json
import math
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from annostat import AnnostatError, Rounds, agreement, simulate_values
from annostat.agreement import gauge
from annostat.agreement.anova import MeanSquares
from annostat.agreement.differences import Differences
from annostat.agreement.lines import fit_line
from annostat.agreement.variances import NONE_COVERS, Variances
from annostat.ceilings import bounds

TABLES = json.loads((Path(__file__).parent / "data" / "published_tables.json").read_text("utf-8"))
INTERVALS = ("bootstrap-t", "chi-square", "t", "percentile", "bca")


def rounds_of(values, **options):
    return Rounds.from_array(values, **options)


# ------------------------------------------------------------------------------ conventions


def test_numbers_of_the_paper():
    assert agreement.noise_sd_from(5.7, "between-sessions") == pytest.approx(4.0305, abs=1e-4)
    readings = agreement.sd_readings(5.7)
    assert readings["noise-sd"] == 5.7
    assert readings["session-vs-mean"] == pytest.approx(8.0610, abs=1e-4)


@given(
    st.sampled_from(list(agreement.CONVENTIONS)),
    st.sampled_from(list(agreement.CONVENTIONS)),
    st.floats(1e-6, 1e6),
    st.integers(2, 40),
)
def test_conventions_convert_back_and_forth(a, b, sd, k):
    there = agreement.convert_sd(sd, a, b, n_rounds=k)
    assert agreement.convert_sd(there, b, a, n_rounds=k) == pytest.approx(sd)


@given(
    hnp.arrays(
        float, st.tuples(st.integers(2, 8), st.integers(2, 5)), elements=st.floats(-100, 100)
    )
)
def test_every_convention_of_one_matrix_inverts_to_the_same_sigma(v):
    """Invariant 3: exactly, the rounds being equal or a bias between two being removed."""
    k = v.shape[1]
    assume(v.std(axis=1).max() > 1e-3)
    d = v[:, :, None] - v[:, None, :]
    off_mean = v - v.mean(axis=1, keepdims=True)
    printed = {
        "between-sessions": math.sqrt((d**2).sum() / (len(v) * k * (k - 1))),
        "session-vs-mean": math.sqrt((off_mean**2).mean()),
        "noise-sd": math.sqrt(v.var(axis=1, ddof=1).mean()),
    }
    found = agreement.repeatability(rounds_of(v, exchangeable=True), interval="chi-square")
    for name, sd in printed.items():
        assert agreement.noise_sd_from(sd, name, n_rounds=k) == pytest.approx(
            found.noise_sd.value, rel=1e-9
        )
        assert found.convention(name, n_rounds=k).value == pytest.approx(sd, rel=1e-9)
    if k == 2:
        # The mean SD within an item says what E|D| says of Gaussian noise: E|D| = 2σ/√π.
        sd = agreement.noise_sd_from(v.std(axis=1, ddof=1).mean(), "mean-item-sd")
        assert sd == pytest.approx(math.sqrt(math.pi) / 2 * np.abs(d[:, 0, 1]).mean(), rel=1e-9)
        differences = d[:, 0, 1]
        assume(differences.std() > 1e-3)
        found = agreement.repeatability(rounds_of(v), interval="chi-square").noise_sd.value
        for name, sd in (
            ("between-sessions", differences.std(ddof=1)),
            ("session-vs-mean", off_mean[:, 0].std(ddof=1)),
        ):
            assert agreement.noise_sd_from(sd, name) == pytest.approx(found, rel=1e-9)


def test_every_convention_inverts_to_the_sigma_of_the_population():
    v = np.random.default_rng(1).normal(0, 3, (200_000, 2))
    d = v[:, 1] - v[:, 0]
    printed = {
        "between-sessions": d.std(),
        "session-vs-mean": (v[:, 0] - v.mean(axis=1)).std(),
        "noise-sd": math.sqrt(v.var(axis=1, ddof=1).mean()),
        "mean-item-sd": v.std(axis=1, ddof=1).mean(),
    }
    for name, sd in printed.items():
        assert agreement.noise_sd_from(sd, name) == pytest.approx(3.0, rel=0.01), name


def test_c4_of_the_mean_item_sd():
    for k, c4 in ((2, 0.797885), (3, 0.886227), (5, 0.939986)):
        assert agreement.convert_sd(1.0, "noise-sd", "mean-item-sd", n_rounds=k) == pytest.approx(
            c4, abs=1e-6
        )


# ---------------------------------------------------------------------------- repeatability


@pytest.mark.parametrize(("columns", "name"), [((0, 1), "wright"), ((2, 3), "mini")])
def test_repeatability_of_peak_flow(columns, name):
    table = TABLES["bland_altman_1986_pefr"]
    want = table["repeatability"][name]
    v = np.array(table["data"], float)[:, columns]
    with_bias_removed = agreement.repeatability(rounds_of(v), n_resamples=99)
    assert with_bias_removed.noise_sd.value == pytest.approx(want["sigmaX"], abs=1e-6)
    assert with_bias_removed.sd_difference.value == pytest.approx(want["sd_diff"], abs=1e-6)
    assert with_bias_removed.convention("session-vs-mean").value == pytest.approx(
        want["sd_Z1_minus_mean"], abs=1e-6
    )
    as_replicates = agreement.repeatability(rounds_of(v, exchangeable=True), n_resamples=99)
    assert as_replicates.noise_sd.value == pytest.approx(want["rms_sqrt_half_mean_d2"], abs=1e-6)


@pytest.mark.parametrize("method", ["RV", "IC"])
def test_repeatability_of_unbalanced_cardiac_output(method):
    table = TABLES["bland_altman_1999_cardiac_unbalanced"]
    frame = pd.DataFrame(table["rows"], columns=["method", "item", "rater", "value"])
    rounds = Rounds.from_frame(
        frame[frame.method == method].astype({"item": str}).drop(columns="method"),
        item="item",
        rater="rater",
        value="value",
        exchangeable=True,
    )
    found = agreement.repeatability(rounds, n_resamples=99)
    assert found.noise_sd.value**2 == pytest.approx(table["expected"]["within_MS"][method])


def test_variance_within_is_that_of_the_residuals_of_the_two_way_table():
    g = np.random.default_rng(3)
    v = g.normal(0, 5, (30, 1)) + g.normal([0, 1, 4], 2, (30, 3))
    v[g.random(v.shape) < 0.2] = np.nan
    v = v[np.isfinite(v).sum(axis=1) >= 2]
    found = Variances.of(rounds_of(v))
    ms = MeanSquares.of(v)
    assert float(found.within(found.sums.totals)) * found.scale**2 == pytest.approx(
        ms.residual, rel=1e-9
    )


@given(st.integers(0, 2**31), st.floats(1e-6, 1e6), st.floats(-1e6, 1e6))
def test_affine_maps_scale_the_noise(seed, a, b):
    """Invariant 1 of the SD of the noise."""
    v = np.random.default_rng(seed).normal(0, 1, (12, 3))
    base = agreement.repeatability(rounds_of(v), interval="chi-square").noise_sd
    moved = agreement.repeatability(rounds_of(v * a + a * b), interval="chi-square").noise_sd
    assert moved.value == pytest.approx(a * base.value, rel=1e-6)
    assert moved.interval.high == pytest.approx(a * base.interval.high, rel=1e-6)


@pytest.mark.parametrize("interval", (*INTERVALS, "bonett"))
def test_intervals_hold_the_truth(interval):
    rounds = simulate_values(400, noise_sd=3.0, truth_sd=8.0, rng=5)
    found = agreement.repeatability(rounds, interval=interval).noise_sd
    assert found.interval.low < 3.0 < found.interval.high
    assert found.interval.high - found.interval.low < 1.0
    assert found.interval.method


def test_no_interval_where_a_few_differences_carry_the_variance():
    rounds = simulate_values(300, noise_sd=2.0, truth_sd=5.0, rng=1)
    v = rounds.values.copy()
    v[:3, 1] += 60
    found = agreement.repeatability(Rounds.from_array(v)).noise_sd
    assert found.interval is None and "use the mae" in found.note
    named = agreement.repeatability(Rounds.from_array(v), interval="chi-square").noise_sd
    assert named.interval is not None


def test_kurtosis_is_that_of_the_differences_for_any_number_of_rounds():
    g = np.random.default_rng(0)
    for k in (2, 3, 5):
        rounds = rounds_of(g.normal(0, 1, (60_000, k)), exchangeable=True)
        assert Variances.of(rounds).kurtosis == pytest.approx(3.0, abs=0.1)


def test_equal_and_too_few_annotations():
    same = agreement.repeatability(rounds_of([[1, 1], [2, 2], [5, 5]]))
    assert same.noise_sd.value == 0 and "equal" in same.noise_sd.note
    with pytest.raises(AnnostatError, match="too few items"):
        agreement.repeatability(rounds_of([[1, 2]]))
    with pytest.raises(AnnostatError, match="no item has two"):
        agreement.repeatability(rounds_of([[1, np.nan], [2, np.nan]]))
    one = agreement.repeatability(rounds_of([[1, 2], [3, 7]]))
    assert one.noise_sd.value > 0
    text = str(one)
    assert "noise of one annotation" in text and one.to_frame().shape[0] == 4


def test_clusters_widen_the_interval():
    g = np.random.default_rng(4)
    scale = np.exp(g.normal(0, 0.8, 40)).repeat(10)
    v = g.normal(0, 5, (400, 1)) + g.normal(0, 1, (400, 2)) * scale[:, None]
    labels = [f"p{i // 10}" for i in range(400)]
    alone = agreement.repeatability(rounds_of(v), interval="t").noise_sd.interval
    inside = agreement.repeatability(rounds_of(v, cluster=labels), interval="t").noise_sd.interval
    assert inside.high - inside.low > 1.3 * (alone.high - alone.low)
    assert "clusters" in inside.method


# --------------------------------------------------------------------------------------- icc


def test_shrout_fleiss_table():
    table = TABLES["shrout_fleiss_1979"]
    found = agreement.icc(rounds_of(table["data"]), interval="f")
    names = dict(
        zip(
            ("ICC1", "ICC2", "ICC3", "ICC1k", "ICC2k", "ICC3k"),
            ("icc_1_1", "icc_a_1", "icc_c_1", "icc_1_k", "icc_a_k", "icc_c_k"),
            strict=True,
        )
    )
    for published, name in names.items():
        e = found[name]
        assert [e.value, e.interval.low, e.interval.high] == pytest.approx(
            table["icc"][published], abs=1e-6
        )
    forms = {f.name: f for f in found.forms}
    for name, key in (("icc_1_1", "1"), ("icc_a_1", "2,3"), ("icc_c_1", "2,3")):
        f = forms[name]
        assert [f.f, f.df1, f.df2, f.p_value] == pytest.approx(table["F"][key], abs=1e-6)
    scale = np.max(np.abs(np.array(table["data"]) - np.mean(table["data"])))
    ms = found.mean_squares
    squares = [m * scale**2 for m in (ms.items, ms.within, ms.rounds, ms.residual)]
    assert squares == pytest.approx(list(table["MS"].values()), abs=1e-6)


def test_weir_table():
    table = TABLES["weir_2005_A"]
    v = np.column_stack([table["x"], table["y"]]).astype(float)
    found = agreement.repeatability(rounds_of(v), n_resamples=99)
    sem = found.noise_sd.value
    assert round(sem, 1) == table["expected"]["SEM"]
    total = v.std(ddof=1)
    rho = agreement.icc(rounds_of(v))["icc_c_1"].value
    assert round(total * math.sqrt(1 - rho**2), 1) == table["expected"]["SEP"]
    assert round(total * math.sqrt(rho * (1 - rho)), 1) == table["expected"]["SEE"]


@pytest.mark.parametrize("seed", range(8))
def test_icc_equals_pingouin(seed):
    pingouin = pytest.importorskip("pingouin")
    g = np.random.default_rng(seed)
    n, k = int(g.integers(4, 30)), int(g.integers(2, 6))
    v = g.normal(0, 2, (n, 1)) + g.normal(0, 1, k) + g.normal(0, g.uniform(0.3, 4), (n, k))
    long = pd.DataFrame(v).melt(ignore_index=False, var_name="rater").reset_index(names="item")
    options = pingouin.options.copy()
    try:
        for key in options:
            if key.startswith("round"):
                pingouin.options[key] = None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pingouin's own, about pandas
            want = pingouin.intraclass_corr(long, targets="item", raters="rater", ratings="value")
    finally:
        pingouin.options.update(options)
    found = agreement.icc(rounds_of(v), interval="f")
    for i, form in enumerate(found.forms):
        row = want.iloc[i]
        assert form.estimate.value == pytest.approx(row["ICC"], abs=1e-9)
        assert form.f == pytest.approx(row["F"], rel=1e-9)
        column = next((c for c in want.columns if c.startswith("CI")), None)
        if column is not None:
            interval = [form.estimate.interval.low, form.estimate.interval.high]
            assert interval == pytest.approx(list(row[column]), abs=1e-9)


def test_icc_equals_pingouin_where_it_drops_missing_items():
    """pingouin's way with missing cells: the items that have one are dropped."""
    pingouin = pytest.importorskip("pingouin")
    g = np.random.default_rng(3)
    v = g.normal(0, 2, (25, 1)) + g.normal(0, 1, (25, 4))
    holes = np.where(g.random(v.shape) < 0.1, np.nan, v)
    long = pd.DataFrame(holes).melt(ignore_index=False, var_name="rater").reset_index(names="item")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        want = pingouin.intraclass_corr(
            long, targets="item", raters="rater", ratings="value", nan_policy="omit"
        )
    complete = holes[np.isfinite(holes).all(axis=1)]
    assert len(complete) < 25
    for form, value in zip(agreement.icc(rounds_of(complete)).forms, want["ICC"], strict=True):
        assert form.estimate.value == pytest.approx(value, abs=1e-6)


def test_rounds_that_no_item_links_have_no_two_way_forms():
    v = np.full((8, 4), np.nan)
    g = np.random.default_rng(1)
    v[:4, :2], v[4:, 2:] = g.normal(0, 3, (4, 1)) + g.normal(0, 1, (4, 2)), g.normal(0, 1, (4, 2))
    found = agreement.icc(rounds_of(v))
    assert not math.isnan(found["icc_1_1"].value)
    for name in ("icc_a_1", "icc_c_1", "icc_a_k"):
        assert math.isnan(found[name].value) and "links all rounds" in found[name].note
    # Two biases are removed, not three.
    assert Variances.of(rounds_of(v)).degrees == 16 - 8 - 2


@given(st.integers(0, 2**31))
def test_icc_intervals_hold_their_estimates(seed):
    g = np.random.default_rng(seed)
    n, k = int(g.integers(2, 10)), int(g.integers(2, 5))
    v = g.normal(0, g.choice([0, 0.3, 3]), (n, 1)) + g.normal(0, 1, (n, k))
    v = np.where(g.random(v.shape) < g.choice([0, 0.3]), np.nan, v)
    try:
        forms = agreement.icc(rounds_of(v)).forms
    except AnnostatError:
        return
    for form in forms:
        e = form.estimate
        assert e.interval is None or e.interval.low <= e.value <= e.interval.high


def test_icc_with_missing_cells_is_unbiased_and_complete_cells_agree():
    g = np.random.default_rng(8)
    truth, bias = 2.0, np.array([0.0, 0.7, -0.5, 0.2])
    v = g.normal(0, truth, (20_000, 1)) + bias + g.normal(0, 1.0, (20_000, 4))
    holes = np.where(g.random(v.shape) < 0.3, np.nan, v)
    full, part = (agreement.icc(rounds_of(z), interval="f") for z in (v, holes))
    for name in ("icc_1_1", "icc_a_1", "icc_c_1"):
        assert part[name].value == pytest.approx(full[name].value, abs=0.01)
        assert "approximate" in part[name].interval.method
    assert full["icc_c_1"].value == pytest.approx(0.8, abs=0.01)


def test_two_way_squares_equal_least_squares_models():
    import statsmodels.formula.api as smf
    from statsmodels.stats.anova import anova_lm

    g = np.random.default_rng(2)
    v = g.normal(0, 2, (15, 1)) + g.normal(0, 1, 4) + g.normal(0, 1, (15, 4))
    v[g.random(v.shape) < 0.25] = np.nan
    v = v[np.isfinite(v).any(axis=1)]
    long = pd.DataFrame(v).melt(ignore_index=False, var_name="r").reset_index(names="i").dropna()
    fit = smf.ols("value ~ C(i) + C(r)", long.astype({"r": int})).fit()
    table = anova_lm(fit, typ=2)
    ms = MeanSquares.of(v)
    assert ms.items_adjusted == pytest.approx(table.sum_sq["C(i)"] / table.df["C(i)"])
    assert ms.rounds == pytest.approx(table.sum_sq["C(r)"] / table.df["C(r)"])
    assert ms.residual == pytest.approx(table.sum_sq["Residual"] / table.df["Residual"])


def test_expected_mean_squares_with_missing_cells():
    """The multiples of the components equal the traces of the quadratic forms."""
    g = np.random.default_rng(5)
    seen = g.random((12, 4)) < 0.7
    seen[seen.sum(axis=1) == 0, 0] = True
    rows, columns = np.nonzero(seen)
    zi, zr = np.eye(12)[rows], np.eye(4)[columns]

    def projector(*blocks):
        q = np.hstack(blocks)
        return q @ np.linalg.pinv(q)

    both = projector(zi, zr)
    ms = MeanSquares.of(np.where(seen, g.normal(size=seen.shape), np.nan))
    k = np.trace(zi.T @ (both - projector(zr)) @ zi) / 11
    n = np.trace(zr.T @ (both - projector(zi)) @ zr) / 3
    assert (ms.k_adjusted, ms.n_adjusted) == pytest.approx((k, n))
    one = projector(np.ones((len(rows), 1)))
    assert ms.k_items == pytest.approx(np.trace(zi.T @ (projector(zi) - one) @ zi) / 11)


def test_icc_of_degenerate_tables_is_defined():
    same = agreement.icc(rounds_of([[1, 1], [2, 2], [4, 4]]))
    assert same["icc_1_1"].value == same["icc_a_1"].value == same["icc_c_1"].value == 1
    assert same["icc_a_1"].interval is None
    flat = agreement.icc(rounds_of([[3, 3], [3, 3], [3, 3]]))
    assert math.isnan(flat["icc_1_1"].value) and "all items have the same" in flat["icc_1_1"].note
    apart = agreement.icc(rounds_of([[3, 5]] * 20))  # each round is constant
    assert apart["icc_1_1"].value == -1 and apart["icc_1_1"].interval is None
    assert "same mean" in apart["icc_1_1"].note and "same labels" in apart["icc_c_1"].note
    shifted = agreement.icc(rounds_of([[1, 2], [2, 3], [4, 5]]))
    assert shifted["icc_c_1"].value == 1 and shifted["icc_a_1"].value < 1
    opposed = agreement.icc(rounds_of([[1, 4], [2, 3], [3, 2], [4, 1]]))
    assert opposed["icc_c_1"].value == pytest.approx(-1)
    exchangeable = agreement.icc(rounds_of([[1, 2], [3, 5], [6, 4]], exchangeable=True))
    assert math.isnan(exchangeable["icc_a_1"].value) and not math.isnan(
        exchangeable["icc_1_1"].value
    )
    with pytest.raises(AnnostatError, match="two or more items"):
        agreement.icc(rounds_of([[1, 2]]))
    with pytest.raises(AnnostatError, match="k must be"):
        agreement.icc(rounds_of([[1, 2], [2, 3]]), k=0)


def icc_by_hand(v):
    """Return ICC(1), ICC(A,1) and ICC(C,1) of a complete table, from the mean squares."""
    n, k = v.shape
    rows, columns = v.mean(axis=1), v.mean(axis=0)
    items = k * rows.var(ddof=1)
    between = n * columns.var(ddof=1)
    rest = np.sum((v - rows[:, None] - columns + v.mean()) ** 2) / ((n - 1) * (k - 1))
    within = np.sum((v - rows[:, None]) ** 2) / (n * (k - 1))
    return (
        (items - within) / (items + (k - 1) * within),
        (items - rest) / (items + (k - 1) * rest + k * (between - rest) / n),
        (items - rest) / (items + (k - 1) * rest),
    )


def test_resampled_icc_is_that_of_the_resampled_table():
    """The sums of a resample give the ICC of the table whose rows were drawn."""
    g = np.random.default_rng(4)
    v = g.normal(0, 2, (30, 1)) + np.array([0.0, 0.5, -1.0]) + g.normal(0, 1, (30, 3))
    rounds = rounds_of(v)
    alike, apart = Variances.of(replace(rounds, exchangeable=True)), Variances.of(rounds)
    shares = (
        (alike, alike.reliability),
        (apart, apart.absolute_agreement),
        (apart, apart.reliability),
    )
    same = [form.estimate.value for form in agreement.icc(rounds).forms[:3]]
    assert same == pytest.approx(icc_by_hand(v), abs=1e-12)
    drawn = np.bincount(g.integers(0, 30, 30), minlength=30)
    again = np.repeat(v, drawn, axis=0)
    for (of, share), whole, part in zip(shares, same, icc_by_hand(again), strict=True):
        assert float(share(of.sums.totals)) == pytest.approx(whole, abs=1e-12)
        assert float(share(drawn @ of.sums.columns)) == pytest.approx(part, abs=1e-12)


def test_icc_intervals_whatever_the_law_and_with_clusters():
    """Where F intervals hold 60 to 75%: errors whose size is the patient's."""
    g = np.random.default_rng(9)
    hits, reps, groups = {"bootstrap-t": 0, "f": 0}, 200, 80
    labels = np.repeat(np.arange(groups), 4)
    square = math.exp(2 * 0.5**2)  # of the factor below
    for seed in range(reps):
        size = g.lognormal(0, 0.5, groups)[labels, None]
        v = g.normal(0, 2, (4 * groups, 1)) + size * g.normal(0, 1, (4 * groups, 2))
        rounds = rounds_of(v, cluster=labels)
        for interval in hits:
            found = agreement.icc(rounds, interval=interval, n_resamples=399, rng=seed)["icc_c_1"]
            if found.interval is not None:
                hits[interval] += found.interval.low <= 4 / (4 + square) <= found.interval.high
            else:
                assert found.note == NONE_COVERS
                hits[interval] += 0.95
    assert abs(hits["bootstrap-t"] / reps - 0.95) < 3 * math.sqrt(0.95 * 0.05 / reps)
    assert hits["f"] / reps < 0.85


def test_few_items_have_intervals_that_do_not_wait_for_their_law():
    g = np.random.default_rng(2)
    v = g.normal(0, 2, (14, 1)) + g.normal(0, 1, (14, 2))
    few = rounds_of(v)
    table = agreement.icc(few)
    assert table.to_dict() == agreement.icc(few, interval="f-kurtosis").to_dict()
    v_few = Variances.of(few)
    for name, alike in (("icc_c_1", few), ("icc_1_1", replace(few, exchangeable=True))):
        assert table[name].interval == agreement.reliability_interval(Variances.of(alike))
    plain_a, wide_a = (
        agreement.icc(few, interval="f")["icc_a_1"].interval,
        table["icc_a_1"].interval,
    )
    assert wide_a.low < plain_a.low and wide_a.high > plain_a.high
    spread = agreement.repeatability(few).noise_sd
    assert spread.interval == agreement.noise_interval(v_few)
    assert (
        "bootstrap-t"
        in agreement.repeatability(few, interval="bootstrap-t").noise_sd.interval.method
    )
    plain = agreement.bland_altman(few)
    assert plain.to_dict() == agreement.bland_altman(few, interval="noncentral-t").to_dict()
    assert any("F intervals presume" in line for line in agreement.icc(few).sections()[0].lines)
    assert any("presume Gaussian" in line for line in plain.sections()[0].lines)
    more = rounds_of(np.vstack([v, [[0.0, 1.0]]]))
    assert "for kurtosis" in agreement.icc(more)["icc_1_k"].interval.method
    many = rounds_of(np.vstack([v, 1 + v, [[0.0, 1.0], [2.0, 1.5]]]))
    assert "bootstrap-t" in agreement.icc(many)["icc_1_k"].interval.method
    assert "bootstrap-t" in agreement.repeatability(many).noise_sd.interval.method
    assert "bootstrap-t" in agreement.bland_altman(more).upper.interval.method
    # Clusters are never taken for items.
    eight = rounds_of(v, cluster=np.arange(14) // 2)
    assert "clusters" in agreement.icc(eight)["icc_a_1"].interval.method


def test_icc_interval_holds_its_estimate_with_missing_cells():
    for seed in range(40):
        g = np.random.default_rng(seed)
        v = g.normal(0, g.choice([0.3, 3]), (40, 1)) + g.laplace(0, 1, (40, 3))
        v = np.where(g.random(v.shape) < 0.4, np.nan, v)
        for form in agreement.icc(rounds_of(v), n_resamples=199).forms:
            e = form.estimate
            assert e.interval is None or e.interval.low <= e.value <= e.interval.high


@given(st.integers(0, 2**31), st.floats(1e-9, 1e9), st.floats(-1e3, 1e3))
def test_icc_is_free_of_units(seed, a, b):
    """Invariant 1 of the ICC."""
    g = np.random.default_rng(seed)
    v = g.normal(0, 1, (8, 1)) + g.normal(0, 1, (8, 3))
    one, two = agreement.icc(rounds_of(v)), agreement.icc(rounds_of(a * (v + b)))
    for x, y in zip(one.forms, two.forms, strict=True):
        assert y.estimate.value == pytest.approx(x.estimate.value, abs=1e-6)


@given(st.floats(0.01, 0.99), st.integers(1, 9), st.integers(1, 9))
def test_spearman_brown_composes(rho, a, b):
    """Invariant 4: the mean of b means of a annotations is the mean of ab."""
    twice = agreement.spearman_brown(agreement.spearman_brown(rho, a), b)
    assert twice == pytest.approx(agreement.spearman_brown(rho, a * b))


def test_icc_prints_all_three_names():
    text = str(agreement.icc(rounds_of(TABLES["shrout_fleiss_1979"]["data"])))
    for name in ("ICC(A,1)", "ICC(2,1)", "two-way random, absolute agreement, single label"):
        assert name in text


# ------------------------------------------------------------------------------ bland-altman


def peak_flow():
    table = TABLES["bland_altman_1986_pefr"]
    v = np.array(table["data"], float)
    return rounds_of(v[:, [2, 0]], names=["mini", "wright"]), table


def test_bland_altman_1986():
    rounds, table = peak_flow()
    exact, published = table["exact"], table["published"]
    found = agreement.bland_altman(rounds, interval="exact-variance")
    assert found.bias.value == pytest.approx(exact["bias"], abs=1e-6)
    assert found.sd.value == pytest.approx(exact["sd"], abs=1e-6)
    assert [found.lower.value, found.upper.value] == pytest.approx(exact["loa_196"], abs=1e-2)
    assert found.bias.standard_uncertainty == pytest.approx(exact["se_bias"], abs=1e-6)
    assert found.lower.standard_uncertainty == pytest.approx(exact["se_loa_exact"], abs=1e-2)
    two = agreement.bland_altman(rounds, multiplier=2, interval="sqrt3")
    assert [two.lower.value, two.upper.value] == pytest.approx(exact["loa_2s"], abs=1e-6)
    assert two.upper.standard_uncertainty == pytest.approx(exact["se_loa_sqrt3"], abs=1e-6)
    # The paper computed from rounded numbers: 75.5 ± 2.12·16.3.
    assert [two.upper.interval.low, two.upper.interval.high] == pytest.approx(
        published["ci_upper"], abs=0.2
    )
    assert [two.lower.interval.low, two.lower.interval.high] == pytest.approx(
        published["ci_lower"], abs=0.2
    )
    assert [two.bias.interval.low, two.bias.interval.high] == pytest.approx(
        published["ci_bias"], abs=0.1
    )


def test_the_noncentral_t_interval_is_scipys():
    """The quantiles of SciPy's distribution, inverted another way than its special function."""
    d = np.random.default_rng(3).normal(1, 2, 30)
    rounds = rounds_of(np.column_stack([np.zeros(30), d]))
    found = agreement.bland_altman(rounds, interval="noncentral-t").upper
    n, z = 30, stats.norm.ppf(0.975)
    tails = stats.nct.ppf([0.025, 0.975], n - 1, z * math.sqrt(n)) * d.std(ddof=1) / math.sqrt(n)
    assert (found.low, found.high) == pytest.approx(tuple(d.mean() + tails), rel=1e-6)


@pytest.mark.parametrize("interval", ["bootstrap-t", "noncentral-t", "exact-variance"])
def test_limits_of_agreement_cover(interval):
    g = np.random.default_rng(12)
    hits, reps, n = 0, 600, 20
    for _ in range(reps):
        d = g.normal(0.5, 2, n)
        x = g.normal(0, 10, n)
        found = agreement.bland_altman(
            rounds_of(np.column_stack([x, x + d])), interval=interval, n_resamples=599
        )
        hits += found.upper.interval.low <= 0.5 + 1.959964 * 2 <= found.upper.interval.high
    assert abs(hits / reps - 0.95) < 3 * math.sqrt(0.95 * 0.05 / reps)


@pytest.mark.parametrize("law", ["laplace", "exponential", "clusters"])
def test_limits_of_agreement_cover_whatever_the_law(law):
    """Both limits and the SD; a skew law couples bias and SD, clusters share a size of error."""
    g = np.random.default_rng(13)
    reps, n = 300, 120
    labels = np.repeat(np.arange(n // 3), 3) if law == "clusters" else None
    sd = {"laplace": math.sqrt(2), "exponential": 1.0, "clusters": math.exp(0.4**2)}[law]
    truths = {"lower": -1.959964 * sd, "upper": 1.959964 * sd, "sd": sd}
    hits = {(part, i): 0.0 for part in truths for i in ("bootstrap-t", "noncentral-t")}
    for seed in range(reps):
        if law == "laplace":
            d = g.laplace(size=n)
        elif law == "exponential":
            d = g.exponential(size=n) - 1
        else:
            d = g.lognormal(0, 0.4, n // 3)[labels] * g.normal(size=n)
        rounds = rounds_of(np.column_stack([np.zeros(n), d]), cluster=labels)
        for interval in ("bootstrap-t", "noncentral-t"):
            found = agreement.bland_altman(rounds, interval=interval, n_resamples=399, rng=seed)
            for part, truth in truths.items():
                e = getattr(found, part)
                if e.interval is None:
                    assert e.note == NONE_COVERS
                    hits[part, interval] += 0.95
                else:
                    hits[part, interval] += truth in e.interval
    for part in truths:
        assert hits[part, "bootstrap-t"] / reps > 0.95 - 3 * math.sqrt(0.95 * 0.05 / reps), part
        assert hits[part, "noncentral-t"] / reps < 0.9 or (law, part) == ("exponential", "lower")


def test_limits_that_a_few_differences_carry_have_no_interval():
    g = np.random.default_rng(1)
    d = g.normal(0, 1, 200)
    d[0] = 60
    found = agreement.bland_altman(rounds_of(np.column_stack([np.zeros(200), d])))
    assert found.upper.interval is found.lower.interval is found.sd.interval is None
    assert found.bias.interval is not None and NONE_COVERS in str(found)
    classical = agreement.bland_altman(
        rounds_of(np.column_stack([np.zeros(200), d])), interval="noncentral-t"
    )
    assert classical.upper.value == found.upper.value and classical.upper.interval is not None


def test_differences_from_sums_are_the_plain_ones():
    """Pairs, pairs in clusters, and unpaired replicates: mean and SD as `bland_altman` has them."""
    g = np.random.default_rng(7)
    labels = np.repeat(np.arange(40), g.integers(1, 5, 40))
    n = len(labels)
    x = g.normal(0, 10, n)
    d = 0.3 + g.normal(0, 2, 40)[labels] + g.normal(0, 1.5, n)
    holes = np.where(g.random((n, 2)) < 0.15, np.nan, np.column_stack([x, x + d]))
    for values, cluster, replicates in (
        (np.column_stack([x, x + d]), None, False),
        (np.column_stack([x, x + d]), labels, False),
        (holes, labels, True),
    ):
        found = agreement.bland_altman(
            rounds_of(values, cluster=cluster), replicates=replicates, n_resamples=199
        )
        if replicates:
            parts = Differences.of_replicates(*values.T, labels)
        else:
            parts = Differences.of(d, cluster)
        totals = parts.sums.totals
        assert float(parts.mean(totals)) == pytest.approx(found.bias.value)
        assert float(parts.variance(totals)) == pytest.approx(found.sd.value**2)
        assert parts.sums.standard_error(parts.mean) == pytest.approx(
            found.bias.standard_uncertainty, rel=0.05
        )
        for e in (found.sd, found.lower, found.upper):
            assert e.interval.low < e.value < e.interval.high
            # A Gaussian's: the spread of a limit, twice to each side.
            assert e.interval.high - e.interval.low == pytest.approx(
                4 * e.standard_uncertainty, rel=0.3
            )


def test_limits_follow_from_the_interval_of_the_sd():
    """MOVER with the correlation of mean and log SD, by hand; what the SD holds, they hold."""
    g = np.random.default_rng(11)
    for law in (g.standard_normal, lambda size: g.standard_t(2, size), g.standard_exponential):
        x, d = g.normal(0, 5, 60), law(60)
        rounds = rounds_of(np.column_stack([x, x + d]))
        sd = agreement.repeatability(rounds, interval="log-t").sd_difference
        found = agreement.bland_altman(rounds, sd=sd)
        assert found.sd.interval == sd.interval
        s, z = d.std(ddof=1), 1.959964
        reach = stats.t.ppf(0.975, 59) * s / 60**0.5
        r = float(np.corrcoef(d, (d - d.mean()) ** 2)[0, 1])
        down, up = z * (s - sd.low), z * (sd.high - s)
        upper, lower = d.mean() + z * s, d.mean() - z * s
        assert [
            found.upper.low,
            found.upper.high,
            found.lower.low,
            found.lower.high,
        ] == pytest.approx(
            [
                upper - math.sqrt(down**2 + reach**2 + 2 * r * down * reach),
                upper + math.sqrt(up**2 + reach**2 + 2 * r * up * reach),
                lower - math.sqrt(up**2 + reach**2 - 2 * r * up * reach),
                lower + math.sqrt(down**2 + reach**2 - 2 * r * down * reach),
            ],
            rel=1e-6,
        )
    none = replace(sd, interval=None, note="none covers")
    found = agreement.bland_altman(rounds, sd=none)
    assert found.upper.interval is None and found.upper.note == "none covers"
    with pytest.raises(AnnostatError, match="paired differences"):
        agreement.bland_altman(rounds, sd=sd, replicates=True)


def test_bounds_prints_limits_that_hold_what_its_sd_holds():
    g = np.random.default_rng(2)
    x, d = g.normal(0, 5, 300), g.standard_t(3, 300)
    rounds = rounds_of(np.column_stack([x, x + d]))
    found, sd = bounds(rounds), agreement.repeatability(rounds).sd_difference
    assert "held for heavy tails" in sd.interval.method
    assert found.limits.to_dict()["upper"] == agreement.bland_altman(rounds, sd=sd).upper.to_dict()
    alone = agreement.bland_altman(rounds).upper.interval
    assert found.limits.upper.low < alone.low - 0.1


def test_limits_do_not_depend_on_unit_and_bias():
    g = np.random.default_rng(5)
    x, d = g.normal(0, 5, 60), g.normal(0, 2, 60)
    plain = agreement.bland_altman(rounds_of(np.column_stack([x, x + d])))
    for a, b in ((1e-40, 0.0), (1e40, 0.0), (1.0, 1e7)):
        other = agreement.bland_altman(rounds_of(a * np.column_stack([x, x + d + b])))
        for part in ("lower", "upper"):
            one, two = getattr(plain, part).interval, getattr(other, part).interval
            assert [two.low / a - b, two.high / a - b] == pytest.approx(
                [one.low, one.high], rel=1e-6
            )


def test_log_scale_gives_ratios():
    g = np.random.default_rng(3)
    x = np.exp(g.normal(3, 0.5, 500))
    y = x * np.exp(g.normal(math.log(1.1), 0.2, 500))
    found = agreement.bland_altman(rounds_of(np.column_stack([x, y]), unit="mm"), log=True)
    assert found.bias.value == pytest.approx(1.1, rel=0.03) and found.bias.unit == ""
    assert found.upper.value == pytest.approx(1.1 * math.exp(1.96 * 0.2), rel=0.06)
    with pytest.raises(AnnostatError, match="above 0"):
        agreement.bland_altman(rounds_of([[1, 2], [0, 3], [4, 5]]), log=True)


def test_growing_spread_and_proportional_bias_are_found_and_modelled():
    g = np.random.default_rng(3)
    x = g.uniform(5, 40, 20_000)
    y = 1.2 * x + g.normal(0, 1, x.size) * 0.1 * x
    found = agreement.bland_altman(rounds_of(np.column_stack([x, y])))
    assert [c.passed for c in found.checks] == [False, False]
    at = np.array([10.0, 20.0, 35.0])
    low, centre, high = found.limits_at(at)
    near = [np.abs(found.means - m) < 1 for m in at]
    assert centre == pytest.approx([found.differences[i].mean() for i in near], rel=0.15)
    assert (high - low) / 2 == pytest.approx(
        [1.96 * found.differences[i].std() for i in near], rel=0.12
    )
    calm = agreement.bland_altman(simulate_values(300, noise_sd=1, truth_sd=5, rng=2))
    assert [c.passed for c in calm.checks] == [True, True]


def plain_line(x, y, codes):
    """Slope, its HC2 error and Bell and McCaffrey's degrees of freedom with whole matrices."""
    n = len(x)
    design = np.column_stack([np.ones(n), x])
    inverse = np.linalg.inv(design.T @ design)
    rest = np.eye(n) - design @ inverse @ design.T
    slope = (inverse @ design.T @ y)[1]
    row = (inverse @ design.T)[1] / np.sqrt(np.diag(rest))
    each = np.array([np.where(codes == c, row, 0.0) for c in np.unique(codes)])
    middle = each @ rest @ each.T
    error = np.sqrt(np.sum((each @ rest @ y) ** 2))
    return slope, error, np.trace(middle) ** 2 / np.trace(middle @ middle)


@pytest.mark.parametrize("size", [1, 3])
def test_lines_are_those_of_whole_matrices(size):
    g = np.random.default_rng(4)
    x = np.exp(g.normal(2, 0.6, 30))
    y = 0.1 * x + g.normal(size=30)
    codes = np.arange(30) // size
    slope, error, freedom = plain_line(x, y, codes)
    for found in (
        fit_line(x, y, codes),
        fit_line(x[::-1], y[::-1], codes[::-1]),
        fit_line(x, y) if size == 1 else fit_line(x, y, 7 - codes),
    ):
        assert found.slope == pytest.approx(slope, rel=1e-10)
        assert found.slope_error == pytest.approx(error, rel=1e-10)
        p = 2 * stats.t.sf(abs(slope) / error, freedom)
        assert found.p_value == pytest.approx(p, rel=1e-8)
    assert freedom < 30 / size - 2
    moved = fit_line(1e-3 * x, 1e20 * y + 1e20, codes)
    assert moved.p_value == pytest.approx(p, rel=1e-6)


def test_lines_of_a_few_large_values_keep_their_size():
    """Log-normal values, Gaussian noise of one size: HC3 with n − 2 failed in 8 to 9%."""
    g = np.random.default_rng(8)
    fails = np.zeros(2)
    for _ in range(1000):
        truth = np.exp(g.normal(np.log(8), 0.6, 100))
        z = truth[:, None] + g.normal(size=(100, 2))
        means, d = z.mean(axis=1), z[:, 1] - z[:, 0]
        line = fit_line(means, d)
        spread = fit_line(means, np.abs(d - line.at(means)))
        fails += [line.p_value < 0.05, spread.p_value < 0.05]
    assert (fails / 1000 <= 0.07).all() and (fails / 1000 >= 0.025).all()


def test_repeated_measures_recover_the_sd_of_a_single_difference():
    g = np.random.default_rng(1)
    subjects, repeats = 3000, 3
    person = g.normal(0, 2.0, subjects)  # between-subject part of the difference
    d = person.repeat(repeats) + g.normal(0, 1.5, subjects * repeats)
    x = g.normal(0, 10, subjects * repeats)
    labels = np.arange(subjects).repeat(repeats)
    rounds = rounds_of(np.column_stack([x, x + d]), cluster=labels)
    changing = agreement.bland_altman(rounds)
    assert changing.sd.value == pytest.approx(2.5, rel=0.02)
    first, second = [], []
    for i in range(subjects):
        truth = g.normal(0, 10)
        first.append(list(truth + g.normal(0, 1.0, g.integers(1, 4))))
        second.append(list(truth + person[i] + g.normal(0, 2.0, g.integers(1, 5))))
    constant = agreement.bland_altman(agreement.stacked_rounds(first, second), replicates=True)
    assert constant.sd.value == pytest.approx(math.sqrt(4 + 1 + 4), rel=0.03)


def test_bland_altman_1999_cardiac_output():
    """RV − IC with unequal replicates of a constant truth, checked by its plain formula."""
    rows = TABLES["bland_altman_1999_cardiac_unbalanced"]["rows"]
    groups = {
        m: [[r[3] for r in rows if r[0] == m and r[1] == i] for i in range(1, 13)]
        for m in ("RV", "IC")
    }
    found = agreement.bland_altman(
        agreement.stacked_rounds(groups["IC"], groups["RV"]), replicates=True
    )
    delta = np.array(
        [np.mean(a) - np.mean(b) for a, b in zip(groups["RV"], groups["IC"], strict=True)]
    )
    within = {
        m: sum((len(v) - 1) * np.var(v, ddof=1) for v in groups[m])
        / sum(len(v) - 1 for v in groups[m])
        for m in groups
    }
    share = {m: 1 - np.mean([1 / len(v) for v in groups[m]]) for m in groups}
    variance = delta.var(ddof=1) + sum(share[m] * within[m] for m in groups)
    assert found.sd.value**2 == pytest.approx(variance)
    assert found.bias.value == pytest.approx(delta.mean())


def test_bland_altman_refuses():
    with pytest.raises(AnnostatError, match="3 or more pairs"):
        agreement.bland_altman(rounds_of([[1, 2], [2, 3]]))
    with pytest.raises(AnnostatError, match="same round"):
        agreement.bland_altman(rounds_of([[1, 2], [2, 3], [3, 4]]), 0, 0)
    with pytest.raises(AnnostatError, match="did you mean"):
        agreement.bland_altman(rounds_of(np.eye(3)[:, :2], names=["first", "second"]), "frist")
    flat = agreement.bland_altman(rounds_of([[1, 2], [2, 3], [3, 4]]))
    assert flat.sd.value == 0 and flat.bias.value == 1 and flat.bias.interval is None


# ------------------------------------------------------------------------------------- gauge


def aiag():
    table = TABLES["aiag_grr"]
    v = np.array(table["data"])
    part, column = np.indices(v.shape)
    return part.ravel(), (column // 3).ravel(), v.ravel(), table


def test_aiag_study():
    part, rater, value, table = aiag()
    want = table["anova"]
    found = agreement.gauge_rr(part, rater, value)
    assert not found.interaction
    pooled = want["pooled"]
    for e, key in (
        (found.repeatability, "EV"),
        (found.reproducibility, "AV"),
        (found.parts, "PV"),
        (found.total, "TV"),
    ):
        assert e.value == pytest.approx(pooled[key], abs=1e-6)
    # The printed GRR is off by 1.2e-6 from the root of the printed EV² + AV².
    assert found.gauge.value == pytest.approx(math.hypot(pooled["EV"], pooled["AV"]), abs=1e-6)
    assert found.gauge.value == pytest.approx(pooled["GRR"], abs=2e-6)
    assert found.distinct_categories == pooled["ndc"]
    assert 100 * found.share_of_variation == pytest.approx(pooled["pct_GRR"], abs=0.005)
    rows = {r["source"]: r for r in found.anova}
    for source, key in (
        ("parts", "part"),
        ("raters", "operator"),
        ("interaction", "interaction"),
        ("repeats", "repeat"),
    ):
        assert rows[source]["ss"] == pytest.approx(want["SS"][key], abs=5e-5)
    assert [rows[s]["df"] for s in ("parts", "raters", "interaction", "repeats")] == want["df"][:4]
    assert rows["interaction"]["f"] == pytest.approx(want["F_interaction"], abs=5e-4)
    assert rows["interaction"]["p_value"] == pytest.approx(want["p_interaction"], abs=5e-4)
    kept = agreement.gauge_rr(part, rater, value, interaction=True)
    assert kept.repeatability.value == pytest.approx(want["EV_not_pooled"], abs=1e-6)
    share = found.to_frame().share_of_variance.to_numpy()[:4] * 100
    assert share == pytest.approx(pooled["pct_contribution"], abs=0.005)


def test_aiag_average_and_range():
    part, rater, value, table = aiag()
    want = table["average_range"]
    found = agreement.gauge_rr(part, rater, value, method="average-range")
    # The manual's constants have four digits.
    for name, key in (
        ("repeatability", "EV"),
        ("reproducibility", "AV"),
        ("gauge", "GRR"),
        ("parts", "PV"),
        ("total", "TV"),
    ):
        assert getattr(found, name).value == pytest.approx(want[key], rel=3e-4), name


def test_expected_ranges():
    for n, d2, d3 in ((2, 1.1283792, 0.8525), (3, 1.6925688, 0.8884), (10, 3.0775, 0.7971)):
        mean, square = gauge.expected_range(n)
        assert mean == pytest.approx(d2, abs=5e-5)
        assert math.sqrt(square**2 - mean**2) == pytest.approx(d3, abs=5e-4)


def test_unbalanced_study_recovers_the_components():
    g = np.random.default_rng(4)
    parts, raters, repeats = 60, 20, 3
    p, o, _ = (a.ravel() for a in np.indices((parts, raters, repeats)))
    y = g.normal(0, 3, parts)[p] + g.normal(0, 1, raters)[o]
    y = y + g.normal(0, 0.8, (parts, raters))[p, o] + g.normal(0, 0.5, len(p))
    keep = g.random(len(p)) < 0.6
    found = agreement.gauge_rr(p[keep], o[keep], y[keep])
    assert found.interaction
    assert found.repeatability.value == pytest.approx(0.5, rel=0.05)
    assert found.reproducibility.value == pytest.approx(math.hypot(1, 0.8), rel=0.25)
    assert found.parts.value == pytest.approx(3, rel=0.25)
    for e, truth in ((found.repeatability, 0.5), (found.parts, 3.0)):
        assert e.interval.low < truth < e.interval.high


def test_reproducibility_that_is_not_there_is_held():
    """Raters are alike: cut at zero one by one, the components left 0 out in one study of ten."""
    g = np.random.default_rng(8)
    part, rater, _ = (a.ravel() for a in np.indices((10, 3, 3)))
    hits, reps = 0, 400
    for seed in range(reps):
        y = g.normal(0, 2, 10)[part] + g.normal(size=len(part))
        hits += 0.0 in agreement.gauge_rr(part, rater, y, rng=seed).reproducibility.interval
    assert hits / reps > 0.95 - 3 * math.sqrt(0.95 * 0.05 / reps)


def test_gauge_refuses():
    with pytest.raises(AnnostatError, match="two or more parts"):
        agreement.gauge_rr([1, 1], [1, 2], [3.0, 4.0])
    with pytest.raises(AnnostatError, match="one length"):
        agreement.gauge_rr([1, 1], [1, 2], [3.0])
    with pytest.raises(AnnostatError, match="repeats"):
        agreement.gauge_rr([1, 1, 2, 2], [1, 2, 1, 2], [1.0, 2, 3, 5], interaction=True)
    perfect = agreement.gauge_rr([1, 1, 1, 1, 2, 2, 2, 2], [1, 1, 2, 2] * 2, [1.0] * 4 + [5.0] * 4)
    assert perfect.distinct_categories is None and "no limit" in str(perfect)
    no_repeats = agreement.gauge_rr([1, 1, 2, 2, 3, 3], [1, 2, 1, 2, 1, 2], [1.0, 2, 3, 5, 7, 7])
    assert not no_repeats.interaction


# --------------------------------------------------------------------------------------- ccc


def test_concordance_by_its_plain_formula_and_lin():
    g = np.random.default_rng(6)
    v = simulate_values(80, noise_sd=1, truth_sd=2, rng=6).values + np.array([0, 0.5])
    x, y = v.T
    want = 2 * np.cov(x, y, ddof=0)[0, 1] / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)
    for interval in ("bootstrap-t", "lin", "t", "percentile", "bca"):
        e = agreement.concordance(rounds_of(v), interval=interval)
        assert e.value == pytest.approx(want)
        assert e.interval.low < want < e.interval.high
    lin = agreement.concordance(rounds_of(v), interval="lin").interval
    hits = 0
    for _ in range(300):
        w = g.normal(0, 2, (40, 1)) + g.normal(0, 1, (40, 2))
        i = agreement.concordance(rounds_of(w), interval="lin").interval
        hits += i.low < 0.8 < i.high
    assert hits > 270 and lin.method.startswith("Lin")


def test_concordance_of_several_rounds_and_degenerate_ones():
    v = np.random.default_rng(1).normal(0, 1, (50, 1)) + np.random.default_rng(2).normal(
        0, 0.5, (50, 3)
    )
    pairs = []
    for i, j in ((0, 1), (0, 2), (1, 2)):
        x, y = v[:, i], v[:, j]
        pairs.append(
            (2 * np.cov(x, y, ddof=0)[0, 1], x.var() + y.var() + (x.mean() - y.mean()) ** 2)
        )
    want = sum(a for a, _ in pairs) / sum(b for _, b in pairs)
    assert agreement.concordance(rounds_of(v)).value == pytest.approx(want)
    assert agreement.concordance(rounds_of([[1, 1], [2, 2], [3, 3]])).value == 1
    assert math.isnan(agreement.concordance(rounds_of([[1, 1], [1, 1], [1, 1]])).value)
    with pytest.raises(AnnostatError, match="three or more items"):
        agreement.concordance(rounds_of([[1, 1], [2, np.nan], [3, 3]]))


# ----------------------------------------------------------------- what mutation testing found


def counted(values, times):
    """Return rounds whose rows stand for several equal items, and the same written out."""
    values = np.asarray(values, dtype=float)
    plain = Rounds.from_array(np.repeat(values, times, axis=0))
    return replace(Rounds.from_array(values), weights=np.asarray(times)), plain


def test_rows_that_stand_for_several_items_count_as_often():
    values = np.random.default_rng(4).normal(50, 3, (9, 2)).round(1)
    short, long = counted(values, [1, 3, 2, 1, 1, 4, 2, 1, 1])
    one, other = agreement.bland_altman(short), agreement.bland_altman(long)
    assert one.bias.value == pytest.approx(other.bias.value)
    assert one.sd.value == pytest.approx(other.sd.value)
    one, other = (agreement.repeatability(r, interval="chi-square") for r in (short, long))
    assert one.noise_sd.value == pytest.approx(other.noise_sd.value)
    assert one.noise_sd.interval.low == pytest.approx(other.noise_sd.interval.low)


def test_a_line_through_one_place_is_level():
    line = fit_line(np.full(5, 2.0), np.array([1.0, 2.0, 3.0, 4.0, 10.0]))
    assert (line.intercept, line.slope) == (4.0, 0.0) and math.isnan(line.p_value)


def test_icc_of_tiny_numbers_is_that_of_large_ones():
    values = np.random.default_rng(4).normal(0, 3, (9, 1)) + np.random.default_rng(5).normal(
        size=(9, 3)
    )
    large, tiny = (agreement.icc(rounds_of(values * scale)) for scale in (1.0, 1e-170))
    for a, b in zip(large.forms, tiny.forms, strict=True):
        assert a.estimate.value == pytest.approx(b.estimate.value)


def test_bonett_takes_two_full_rounds():
    values = np.random.default_rng(4).normal(size=(9, 3))
    for wrong in (
        rounds_of(values),
        rounds_of(values[:, :2], cluster=[0, 1, 2] * 3),
    ):
        with pytest.raises(AnnostatError, match="two rounds of five or more independent items"):
            agreement.repeatability(wrong, interval="bonett")


def test_a_wrong_interval_is_named():
    with pytest.raises(AnnostatError, match="interval must be one of"):
        agreement.concordance(rounds_of(np.eye(3)), interval="none")


def test_two_way_tests_with_missing_cells_are_f_tests_of_nested_models():
    """F of items over the rounds, and its p-value, from least squares with and without items."""
    import statsmodels.formula.api as smf

    g = np.random.default_rng(12)
    v = g.normal(0, 1, (9, 1)) + g.normal(0, 1, 4) + g.normal(0, 1.2, (9, 4))
    v[[0, 3, 3, 7], [1, 0, 2, 3]] = np.nan
    long = pd.DataFrame(v).melt(ignore_index=False, var_name="r").reset_index(names="i").dropna()
    long = long.astype({"r": int})
    forms = {f.name: f for f in agreement.icc(rounds_of(v)).forms}
    for small, names in (("C(r)", ("icc_a_1", "icc_c_1")), ("1", ("icc_1_1",))):
        large = "C(i)" if small == "1" else "C(i) + C(r)"
        fits = [smf.ols(f"value ~ {terms}", long).fit() for terms in (large, small)]
        f, p, extra = fits[0].compare_f_test(fits[1])
        for name in (*names, *(n[:-1] + "k" for n in names)):
            form = forms[name]
            assert (form.f, form.p_value) == pytest.approx((f, p), rel=1e-9), name
            assert (form.df1, form.df2) == (extra, fits[0].df_resid)


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_interval_of_agreement_is_mcgraw_and_wongs(level):
    """McGraw & Wong (1996), case 2A, with mean squares from statsmodels; balanced tables."""
    import statsmodels.formula.api as smf
    from statsmodels.stats.anova import anova_lm

    g = np.random.default_rng(5)
    n, k = 7, 4
    v = g.normal(0, 2, (n, 1)) + g.normal(0, 1, k) + g.normal(0, 1, (n, k))
    long = pd.DataFrame(v).melt(ignore_index=False, var_name="r").reset_index(names="i")
    fit = smf.ols("value ~ C(i) + C(r)", long.astype({"r": int})).fit()
    table = anova_lm(fit, typ=2)
    msr, msc, mse = table.sum_sq / table.df
    rho = (msr - mse) / (msr + (k - 1) * mse + k / n * (msc - mse))
    a, b = k * rho / (n * (1 - rho)), 1 + k * rho * (n - 1) / (n * (1 - rho))
    df = (a * msc + b * mse) ** 2 / (
        (a * msc) ** 2 / (k - 1) + (b * mse) ** 2 / ((n - 1) * (k - 1))
    )
    upper, lower = (stats.f.ppf((1 + level) / 2, *d) for d in ((n - 1, df), (df, n - 1)))
    rest = k * msc + (k * n - k - n) * mse
    e = agreement.icc(rounds_of(v), interval="f", level=level)["icc_a_1"]
    assert e.value == pytest.approx(rho)
    assert e.low == pytest.approx(n * (msr - upper * mse) / (upper * rest + n * msr))
    assert e.high == pytest.approx(n * (lower * msr - mse) / (rest + n * lower * msr))
    assert e.interval.level == level


def test_what_degenerate_tables_say_of_their_test():
    same = {f.name: f for f in agreement.icc(rounds_of([[1, 1], [2, 2], [4, 4]])).forms}
    for name, form in same.items():
        assert math.isinf(form.f) and form.p_value == 0.0 and (form.df1 == 2), name
        why = "differ by a constant" if name.startswith("icc_c") else "the rounds are identical"
        assert why in form.estimate.note
    shifted = {f.name: f for f in agreement.icc(rounds_of([[1, 2], [2, 3], [4, 5]])).forms}
    assert math.isinf(shifted["icc_a_1"].f) and shifted["icc_a_1"].p_value == 0.0
    only_raters = {f.name: f for f in agreement.icc(rounds_of([[0.1, 0.3]] * 4)).forms}
    form = only_raters["icc_a_1"]  # no truth to find, and no residual to find it against
    assert form.estimate.value == 0 and "the residual vanishes" in form.estimate.note
    assert math.isnan(form.f) and math.isnan(form.p_value)
    flat = {f.name: f for f in agreement.icc(rounds_of([[3, 3], [3, 3], [3, 3]])).forms}
    assert all(math.isnan(f.f) and math.isnan(f.p_value) for f in flat.values())
    few = agreement.icc(rounds_of([[1, 2], [np.nan, 3]]))
    assert "too few labels for the residual" in few["icc_c_1"].note


def test_forms_are_asked_for_by_name_and_number():
    rounds = rounds_of(TABLES["shrout_fleiss_1979"]["data"])
    with pytest.raises(AnnostatError, match="there is no form 'icc_3_1': icc_1_1, icc_a_1"):
        agreement.icc(rounds)["icc_3_1"]
    for k in (0, -1, 2.0, 1.5, "2"):
        with pytest.raises(AnnostatError, match="k must be a whole number of at least 1"):
            agreement.icc(rounds, k=k)
    for k in (None, 1, 7):
        found = agreement.icc(rounds, interval="f", k=k)
        assert found.k == found.provenance.options["k"] == (k or 4)
        for form in ("icc_1", "icc_a", "icc_c"):
            one, many = found[f"{form}_1"], found[f"{form}_k"]
            for x in ("value", "low", "high"):
                rho = getattr(one, x)
                want = found.k * rho / (1 + (found.k - 1) * rho)
                assert getattr(many, x) == pytest.approx(want)
    assert agreement.spearman_brown(-0.5, 3) == agreement.spearman_brown(-0.9, 3) == -math.inf
    assert agreement.spearman_brown(-0.9, 1) == pytest.approx(-0.9)


def test_a_slope_has_four_digits_at_most():
    x = np.random.default_rng(1).normal(50, 9, 40)
    pair = np.column_stack([x, 3 * x + np.random.default_rng(2).normal(0, 1e-6, 40)])
    message = agreement.bland_altman(Rounds.from_array(pair), n_resamples=99).checks[0].message
    assert "(slope 1.000, p < 0.001)" in message
