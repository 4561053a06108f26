"""Is a model as good as an annotator: twins, known answers, invariances, refusals."""

import json
import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import annostat
from annostat import AnnostatError, Rounds, simulate_masks
from annostat.consensus import consensus
from annostat.interchange import DISTANCES, interchange
from annostat.interchange.alternative import alternative_test, yekutieli
from annostat.interchange.cells import Columns, sums_among, to_model
from annostat.interchange.distances import distance_of
from annostat.interchange.spread import Units, difference, log_ratio
from annostat.interchange.verdicts import Standing, not_better
from annostat.labels import Categories
from annostat.truth.products import cross_products


def labels_of(n=120, k=4, seed=1, bias=0.0, noise=4.0):
    g = np.random.default_rng(seed)
    truth = g.normal(55, 10, n)
    z = truth[:, None] + g.normal(0, noise, (n, k)) + g.normal(0, bias, k)
    return truth, z, g


def with_holes(z, g, share=0.25):
    z = np.where(g.random(z.shape) < share, np.nan, z)
    z[:, :2] = np.where(np.isnan(z[:, :2]), 50.0, z[:, :2])
    return z


# Plain loops over pairs.
def twin_pairs(z, f, d):
    """Return h (mean distance to the model minus that of the pair) and M of each item and pair."""
    n, k = z.shape
    pairs = list(combinations(range(k), 2))
    a, b, m = (np.zeros((n, len(pairs))) for _ in range(3))
    for i in range(n):
        seen = [p for p, (j, other) in enumerate(pairs) if not np.isnan(z[i, [j, other]]).any()]
        for p in seen:
            j, other = pairs[p]
            a[i, p] = (d(f[i], z[i, j]) + d(f[i], z[i, other])) / 2 / len(seen)
            b[i, p] = d(z[i, j], z[i, other]) / len(seen)
            m[i, p] = 1 / len(seen)
    return a, b, m, pairs


def twin(z, f, d, codes=None, log=False):
    """Return the statistic, the variance over items, over readers and over cells."""
    a, b, m, pairs = twin_pairs(z, f, d)
    keep = m.sum(axis=1) > 0
    a, b, m = a[keep], b[keep], m[keep]
    k = z.shape[1]
    if log:
        value = math.log(a.sum() / b.sum())
        e = a / a.sum() - b / b.sum()
    else:
        value = (a.sum() - b.sum()) / m.sum()
        e = (a - b - value * m) / m.sum()
    if codes is not None:
        e = np.array([e[codes[keep] == c].sum(axis=0) for c in sorted(set(codes[keep]))])
    n = len(e)
    items = n / (n - 1) * (e.sum(axis=1) ** 2).sum()
    left = []
    for j in range(k):
        out = [p for p, pair in enumerate(pairs) if j not in pair]
        top, bottom, weight = a[:, out].sum(), b[:, out].sum(), m[:, out].sum()
        left.append(math.log(top / bottom) if log else (top - bottom) / weight)
    left = np.array(left)
    jackknife = (k - 1) / k * ((left - left.mean()) ** 2).sum()
    cells = np.array(
        [e[:, [p for p, pair in enumerate(pairs) if j in pair]].sum(1) for j in range(k)]
    )
    of_cells = ((cells - cells.mean(axis=0)) ** 2).sum()
    of_readers = (cells.sum(axis=1) ** 2).sum()
    return value, items, jackknife, of_cells / of_readers


SCALARS = {
    "absolute": lambda a, b: abs(a - b),
    "squared": lambda a, b: (a - b) ** 2,
    "differ": lambda a, b: float(a != b),
}


@pytest.mark.parametrize("name", SCALARS)
@pytest.mark.parametrize("clustered", [False, True])
def test_plain_loops_over_pairs_say_the_same(name, clustered):
    truth, z, g = labels_of(60, 4, bias=1.0)
    z = with_holes(np.round(z / 5) * 5, g)
    f = np.round((truth + g.normal(0, 3, len(truth))) / 5) * 5
    codes = np.repeat(np.arange(20), 3) if clustered else None
    columns = Columns(list(z.T), np.isfinite(z))
    d = distance_of(name, "numbers")
    among = sums_among(columns, d)
    cells = np.nan_to_num(to_model(columns, f, np.ones(len(f), bool), d))
    units = Units.of(cells, among, columns.seen, codes, readers=True)
    for log, g_ in ((False, difference), (True, log_ratio)):
        value, items, jackknife, share = twin(z, f, SCALARS[name], codes, log)
        whole, half = units.spread(g_), units.spread(g_, half=True)
        assert whole.value == pytest.approx(value, abs=1e-12)
        assert whole.variance == pytest.approx(items + jackknife, rel=1e-9)
        kept = jackknife * max(1 - 0.5 * share, 0)
        assert half.variance == pytest.approx(items + kept, rel=1e-9)
        n = 20 if clustered else 60
        df = (items + kept) ** 2 / (items**2 / (n - 1) + kept**2 / 3)
        assert half.df == pytest.approx(df, rel=1e-9)
    alone = Units.of(cells, among, columns.seen, codes, readers=False).spread(difference)
    assert alone.variance == pytest.approx(twin(z, f, SCALARS[name], codes)[1], rel=1e-9)


@pytest.mark.parametrize("name", ["absolute", "squared", "differ"])
@pytest.mark.parametrize("k", [3, 11])
def test_sorting_squares_and_counts_are_the_pairs(name, k):
    _, z, g = labels_of(80, k)
    z = with_holes(np.round(z / 4), g)
    found = sums_among(Columns(list(z.T), np.isfinite(z)), distance_of(name, "numbers"))
    want = np.zeros(z.shape)
    for i in range(len(z)):
        for j, other in combinations(range(k), 2):
            if not np.isnan(z[i, [j, other]]).any():
                want[i, [j, other]] += SCALARS[name](z[i, j], z[i, other])
    np.testing.assert_allclose(found, want, atol=1e-9)


def test_sorted_sums_lose_no_digits_at_large_labels():
    _, z, _ = labels_of(50, 9)
    d = distance_of("absolute", "numbers")
    near, far = (sums_among(Columns(list(v.T), np.isfinite(v)), d) for v in (z, z + 2.0**33))
    np.testing.assert_allclose(near, far, atol=1e-4)


def test_squares_are_the_cross_product_of_score_less_the_noise():
    truth, z, g = labels_of(300, 3)
    f = truth + g.normal(0, 3, 300)
    found = interchange(z, {"m": f}, distance="squared", readers="these")
    products = cross_products(z, f).mean()
    noise = z.var(axis=1, ddof=1).mean()
    assert found.models[0].change.value == pytest.approx(products - noise, abs=1e-9)
    low, high = found.models[0].share
    assert low == pytest.approx(high) == pytest.approx(-(products - noise) / noise)


def twin_alternative(z, f, d, epsilon, q):
    rejected, shares, p_values = 0, [], []
    k = z.shape[1]
    for j in range(k):
        differences, wins = [], []
        for i in range(len(z)):
            others = [other for other in range(k) if other != j and not np.isnan(z[i, other])]
            if np.isnan(z[i, j]) or not others:
                continue
            model = -np.mean([d(f[i], z[i, other]) for other in others])
            human = -np.mean([d(z[i, j], z[i, other]) for other in others])
            w_f, w_h = float(model >= human), float(human >= model)
            differences.append(w_h - w_f)
            wins.append(w_f)
        shares.append(np.mean(wins))
        p_values.append(stats.ttest_1samp(differences, epsilon, alternative="less").pvalue)
    adjusted = stats.false_discovery_control(p_values, method="by")
    rejected = int((adjusted <= q).sum())
    return rejected / k, np.mean(shares)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", ["differ", "squared"])
def test_the_alternative_annotator_test_is_the_published_procedure(name, seed):
    g = np.random.default_rng(seed)
    truth = g.integers(0, 3, 90)
    flip = g.random((90, 4)) < 0.3
    z = np.where(flip, g.integers(0, 3, (90, 4)), truth[:, None]).astype(float)
    z[g.random(z.shape) < 0.1] = np.nan
    z[:, :2] = np.nan_to_num(z[:, :2])
    f = np.where(g.random(90) < 0.1 + 0.1 * seed, g.integers(0, 3, 90), truth).astype(float)
    columns = Columns(list(z.T), np.isfinite(z))
    d = distance_of(name, "numbers")
    cells = np.nan_to_num(to_model(columns, f, np.ones(90, bool), d))
    found = alternative_test(cells, sums_among(columns, d), columns.seen)
    omega, rho = twin_alternative(z, f, SCALARS[name], 0.2, 0.05)
    assert (found.omega, found.rho) == (pytest.approx(omega), pytest.approx(rho))
    assert found.passed == (omega >= 0.5)


def test_benjamini_yekutieli_is_scipys():
    g = np.random.default_rng(3)
    for m in (1, 2, 5, 9):
        p = g.random(m) ** 3
        want = stats.false_discovery_control(p, method="by") <= 0.05
        assert yekutieli(list(p), 0.05) == want.tolist()


# What must not matter.
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    shift=st.floats(-100, 100),
    scale=st.floats(0.01, 50),
    k=st.integers(3, 9),
)
def test_units_orders_and_origins_do_not_matter(seed, shift, scale, k):
    truth, z, g = labels_of(40, k, seed)
    z = with_holes(z, g)
    f = truth + g.normal(0, 3, 40)
    base = interchange(z, {"m": f}).models[0]
    moved = interchange(z * scale + shift, {"m": f * scale + shift}).models[0]
    assert moved.change.value == pytest.approx(base.change.value * scale, rel=1e-6, abs=1e-9)
    assert moved.ratio.value == pytest.approx(base.ratio.value, rel=1e-6)
    assert moved.ratio.high == pytest.approx(base.ratio.high, rel=1e-6)
    rows, columns = g.permutation(40), g.permutation(k)
    turned = interchange(z[rows][:, columns], {"m": f[rows]}).models[0]
    assert turned.change.value == pytest.approx(base.change.value, rel=1e-9, abs=1e-12)
    assert turned.change.low == pytest.approx(base.change.low, rel=1e-9, abs=1e-12)
    by_name = {p.reader: p.change.value for p in turned.places}
    for j, place in enumerate(base.places):
        new = f"round_{list(columns).index(j) + 1}"
        assert by_name[new] == pytest.approx(place.change.value, rel=1e-9, abs=1e-12)
    assert turned.alternative.omega == base.alternative.omega


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_names_of_categories_do_not_matter(seed):
    g = np.random.default_rng(seed)
    truth = g.integers(0, 4, 60)
    z = np.where(g.random((60, 3)) < 0.3, g.integers(0, 4, (60, 3)), truth[:, None])
    f = np.where(g.random(60) < 0.2, g.integers(0, 4, 60), truth)
    names = g.permutation(1000)[:4]
    a = interchange(z, {"m": f}, distance="differ").models[0]
    b = interchange(names[z], {"m": names[f]}, distance="differ").models[0]
    assert a.change == b.change and a.places == b.places


def test_places_average_to_the_change_and_swapping_models_turns_the_sign():
    truth, z, g = labels_of(100, 4)
    a, b = truth + g.normal(0, 2, 100), truth + g.normal(0, 6, 100)
    found = interchange(z, {"a": a, "b": b})
    for m in found.models:
        assert np.mean([p.change.value for p in m.places]) == pytest.approx(m.change.value)
    [one] = found.comparisons
    [other] = interchange(z, {"b": b, "a": a}).comparisons
    assert one.difference.value == pytest.approx(-other.difference.value)
    assert one.p_value == pytest.approx(other.p_value) and one.better == "a"
    gap = found.models[0].change.value - found.models[1].change.value
    assert one.difference.value == pytest.approx(gap)


# Known answers.
def test_lidc_a_held_out_reader_is_as_good_as_a_reader_and_the_mean_of_two_is_better():
    from annostat.datasets import lidc

    for measure, distance in (("diameter_mm", "absolute"), ("malignancy", "differ")):
        four = lidc(measure)
        four = four.take(four.readings == 4)
        g = np.random.default_rng(5)
        order = g.permuted(np.tile(np.arange(4), (896, 1)), axis=1)
        z = np.take_along_axis(four.values, order, axis=1)
        rounds = replace(four, values=z[:, :3], names=four.names[:3])
        found = interchange(rounds, {"held out": z[:, 3]}, distance=distance)
        assert found.models[0].change.low < 0 < found.models[0].change.high, measure
        assert found.readers == "these"
        assert found.n_clusters == 554
    four = lidc("diameter_mm")
    four = four.take(four.readings == 4)
    z = np.take_along_axis(four.values, order, axis=1)
    two = replace(four, values=z[:, :2], names=four.names[:2])
    found = interchange(two, {"mean of two": z[:, 2:].mean(axis=1)})
    assert found.models[0].standing.name == "better than a reader"
    assert "Readers are anonymous" in str(found)


@pytest.mark.parametrize("made", ["mean", "median", "copy", "mean of all"])
def test_what_contains_a_reader_is_refused(made):
    from annostat.datasets import lidc

    four = lidc("diameter_mm")
    four = four.take(four.readings == 4)
    z = four.values
    model = {
        "mean": z[:, :2].mean(axis=1).round(1),
        "median": np.median(z[:, :3], axis=1),
        "copy": z[:, 2],
        "mean of all": z.mean(axis=1),
    }[made]
    with pytest.raises(AnnostatError, match="it contains the labels it would be compared with"):
        interchange(four, {"consensus": model})


def test_a_vote_that_contains_a_reader_is_refused_and_one_of_others_is_not():
    from annostat.datasets import lidc

    four = lidc("malignancy")
    four = four.take(four.readings == 4)
    z = np.where(four.values >= 4, 1.0, 0.0)
    rounds = replace(four, values=z[:, :3], names=four.names[:3])
    vote = np.median(z[:, :3], axis=1)
    with pytest.raises(
        AnnostatError, match=r"majority of reading_1, reading_2 and reading_3 on 100"
    ):
        interchange(rounds, {"vote": vote}, distance="differ")
    assert interchange(rounds, {"fourth": z[:, 3]}, distance="differ").models


def test_a_model_that_leans_on_all_labels_is_refused_and_an_honest_one_is_not():
    truth, z, g = labels_of(400, 3)
    leaning = 0.3 * truth + 0.7 * z.mean(axis=1) + g.normal(0, 0.1, 400)
    with pytest.raises(AnnostatError, match="errs with the labels"):
        interchange(z, {"leaning": leaning})
    for seed in range(40):
        truth, z, g = labels_of(60, 3, seed, bias=2.0)
        interchange(z, {"perfect": truth})


def test_a_perfect_model_of_rare_errors_is_doubted_but_not_refused():
    g = np.random.default_rng(2)
    truth = g.integers(0, 2, 800)
    z = np.where(g.random((800, 3)) < 0.006, 1 - truth[:, None], truth[:, None]).astype(float)
    found = interchange(z, {"perfect": truth.astype(float)}, distance="differ")
    [doubt] = [c for c in found.checks if c.name == "contains_rounds"]
    assert doubt.passed is False and "leave it out" in doubt.message
    assert "perfect is better" in found.answer() and "Doubted: Model 'perfect'" in found.answer()


@pytest.mark.parametrize("n", [60, 100])
def test_better_is_said_by_the_interval_beside_it(n):
    rng = np.random.default_rng(8)
    said = 0
    for _ in range(25):
        truth = rng.normal(55, 10, n)
        z = truth[:, None] + rng.normal(0, 3, (n, 3))
        models = {"m": truth + rng.normal(0, 1.5, n)}
        found = interchange(z, models)
        one_sided = interchange(z, models, level=0.9).models[0]  # 95% on one side
        [m] = found.models
        by_ratio = n >= 100
        assert m.standing.by_ratio is by_ratio
        high = one_sided.ratio.interval.high - 1 if by_ratio else one_sided.change.interval.high
        assert (m.standing.name == "better than a reader") == (high < 0)
        if high < 0:
            said += 1
            assert (", by the ratio)" in found.answer()) is by_ratio
            told = f"{m.ratio.short()} ({m.ratio.range()}) of what two readers differ by"
            assert (told in found.quote()) is by_ratio
            if not by_ratio:  # its p is where the limit passes 0
                at = interchange(z, models, level=1 - 2 * m.standing.p_better).models[0]
                assert abs(at.change.interval.high) < 1e-4
    assert said >= 8


def test_a_model_no_longer_better_may_still_be_within_the_margin():
    found = Standing("better than a reader", 0.02, 0.98, 0.001, 0.0, None, 2.0, None)
    assert not_better(found, 0.01, 0.95) is found
    assert not_better(found, 0.06, 0.95).name == "interchangeable with a reader"
    assert not_better(replace(found, p_within=None), 0.06, 0.95).name == "not resolved"
    assert not_better(found, 0.04, 0.95).p_better == 0.04


def test_a_good_verdict_on_a_model_that_may_have_seen_the_labels_is_doubted():
    g = np.random.default_rng(6)
    truth = g.normal(0, 3, 40)
    z = truth[:, None] + g.normal(size=(40, 2))
    found = interchange(z, {"net": truth + 0.5 * (z - truth[:, None]).mean(axis=1)})
    assert found.answer().startswith("net is better")
    assert found.answer().endswith("Doubted: net may have seen these labels.")
    open_ = interchange(z, {"net": truth})
    assert "Doubted" not in open_.answer()


def test_so_few_items_accuse_no_model():
    rng = np.random.default_rng(4)
    for n, told in ((2, None), (5, None), (6, True)):
        truth = rng.normal(55, 10, n)
        z = truth[:, None] + rng.normal(0, 3, (n, 2))
        found = interchange(z, {"net": truth})
        [check] = [c for c in found.checks if c.name == "contains_rounds"]
        assert check.passed is told


def test_masks_a_held_out_reader_a_copy_and_a_majority():
    from annostat.datasets import lidc_masks

    four = lidc_masks()
    rest = four.choose(four.names[:3])
    found = interchange(rest, {"held out": four.values[3]})
    assert found.models[0].change.low < 0 < found.models[0].change.high
    assert found.distance.name == "1-dice" and found.unit == ""
    with pytest.raises(AnnostatError, match="is that of reading_2"):
        interchange(rest, {"copy": four.values[1]})
    with pytest.raises(AnnostatError, match="the majority of reading_1, reading_2, reading_3"):
        interchange(rest, {"vote": four.values[:3].sum(axis=0) >= 2})
    for method in ("boundary", "majority", "staple"):
        made = consensus(four, method=method).mask
        with pytest.raises(AnnostatError, match="it contains the masks"):
            interchange(four, {method: made})
    far = interchange(rest.take(np.arange(12)), {"h": four.values[3, :12]}, distance="hd95")
    assert far.unit == "mm" and far.among.value > 0


def test_masks_say_what_plain_loops_say():
    rounds, truth = simulate_masks(8, 3, noise_px=2.0, rng=1)
    found = interchange(rounds, {"m": np.roll(truth, 1, axis=1)})

    def loss(a, b):
        return 1 - 2 * (a & b).sum() / (a.sum() + b.sum())

    values = rounds.values.astype(bool)
    model = np.roll(np.asarray(truth), 1, axis=1).astype(bool)
    u = [
        np.mean([loss(model[i], values[j, i]) for j in range(3)])
        - np.mean([loss(values[j, i], values[other, i]) for j, other in combinations(range(3), 2)])
        for i in range(8)
    ]
    assert found.models[0].change.value == pytest.approx(np.mean(u), abs=1e-12)


def test_points_and_a_function_of_ones_own():
    g = np.random.default_rng(4)
    truth = g.normal(0, 20, (90, 2))
    z = truth[:, None] + g.normal(0, 2, (90, 3, 2))
    z[0, 0] = np.nan
    f = truth + g.normal(0, 1, (90, 2))
    found = interchange(z, {"m": f}, unit="mm")
    assert found.distance.name == "radial" and found.models[0].standing.name.startswith("better")
    own = interchange(z, {"m": f}, distance=lambda a, b: np.hypot(*(a - b).T))
    assert own.models[0].change.value == pytest.approx(found.models[0].change.value)
    far = interchange(z, {"m": f}, distance="further", threshold=3.0, unit="mm")
    assert "further apart than 3 mm" in far.quote() and "percentage points" in far.quote()


def test_grades_and_percent_margins():
    g = np.random.default_rng(6)
    truth = g.integers(1, 6, 150)
    z = np.clip(truth[:, None] + g.integers(-1, 2, (150, 6)), 1, 5)
    f = np.clip(truth + g.integers(-1, 2, 150), 1, 5)
    found = interchange(z, {"m": f}, distance="linear", margin_percent=0.5, unit="steps")
    [m] = found.models
    assert m.standing.name.startswith(("better", "interchangeable"))
    these = interchange(z, {"m": f}, distance="linear", margin_percent=0.5, readers="these")
    assert these.models[0].standing.p_within < 0.05
    quadratic = interchange(z, {"m": f}, distance="quadratic", unit="steps")
    assert quadratic.unit == "steps²"


def test_margins_and_the_least_one():
    truth, z, g = labels_of(400, 2)
    f = truth + g.normal(0, 4, 400)
    bare = interchange(z, {"m": f}).models[0]
    least = bare.standing.least_margin
    above = interchange(z, {"m": f}, margin=least * 1.001).models[0].standing
    below = interchange(z, {"m": f}, margin=least * 0.999).models[0].standing
    assert bare.standing.name == "not resolved" and least > 0
    assert above.name == "interchangeable with a reader" and below.name == "not resolved"
    assert above.p_within < 0.05 < below.p_within
    found = interchange(z, {"m": f}, margin=20.0)
    assert "more than two readers differ by" in str(found)


def test_trained_on_leaves_its_reader_out():
    _truth, z, g = labels_of(200, 4)
    rounds = Rounds.from_array(z, names=list("abcd"))
    f = z[:, 0] + g.normal(0, 0.2, 200)
    found = interchange(rounds, {"m": f}, trained_on="a")
    assert found.taken.names == ("b", "c", "d") and "trained on their labels: a" in str(found)
    alone = interchange(z[:, 1:], {"m": f}).models[0].change.value
    assert found.models[0].change.value == pytest.approx(alone)
    with pytest.raises(AnnostatError, match="trained_on leaves 1 reader of 4"):
        interchange(rounds, {"m": f}, trained_on=["a", "b", "c"])


def test_one_result_for_text_json_and_frames():
    truth, z, g = labels_of(150, 5)
    found = annostat.interchange(z, {"net": truth + g.normal(0, 3, 150)}, margin=1, unit="points")
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert data["models"][0]["change"]["value"] == found.models[0].change.value
    assert data["answer"] == found.answer() and data["speaks_of"] == "sample"
    assert list(found.to_frame()["quantity"]) == ["change", "ratio", "to_reader"]
    assert found.items()["change"].mean() == pytest.approx(found.models[0].change.value)
    text = str(found)
    order = [text.index(w) for w in ("Answer", "Quote", "Checks", "model  ", "In the place of")]
    assert order == sorted(order) and max(map(len, text.splitlines())) < 130


def test_a_data_frame_and_its_options():
    import pandas as pd

    truth, z, g = labels_of(60, 3)
    frame = pd.DataFrame(z, columns=["anna", "ben", "cleo"])
    frame["net"] = truth + g.normal(0, 3, 60)
    frame["patient"] = np.repeat(np.arange(30), 2).astype(str)
    found = annostat.interchange(
        frame, {"net": frame["net"]}, rounds=["anna", "ben", "cleo"], cluster="patient", unit="ml"
    )
    assert found.n_clusters == 30 and found.unit == "ml" and found.taken.names[0] == "anna"


BAD = {
    "one reader": (lambda z, f: (z[:, :1], {"m": f}, {}), "two rounds"),
    "one label each": (
        lambda z, f: (np.where(np.eye(4)[np.arange(len(z)) % 4] > 0, z, np.nan), {"m": f}, {}),
        "no item has two",
    ),
    "no prediction": (lambda z, f: (z, {"m": f * np.nan}, {}), "no prediction"),
    "no model": (lambda z, f: (z, {}, {}), "no model"),
    "other length": (lambda z, f: (z, {"m": f[:-1]}, {}), "one per item"),
    "infinite": (lambda z, f: (z, {"m": np.where(f > 60, np.inf, f)}, {}), "infinite"),
    "margin of the wrong unit": (
        lambda z, f: (z.round(-1), {"m": f.round(-1)}, dict(distance="differ", margin=5)),
        "a share between 0 and 1",
    ),
    "negative margin": (lambda z, f: (z, {"m": f}, dict(margin=-1)), "margin must be in"),
    "two margins": (lambda z, f: (z, {"m": f}, dict(margin=1, margin_percent=0.1)), "not both"),
    "negative distance": (
        lambda z, f: (z, {"m": f}, dict(distance=lambda a, b: a - b)),
        "must be 0 or more",
    ),
    "NaN": (
        lambda z, f: (z, {"m": f}, dict(distance=lambda a, b: a * np.nan)),
        "must be 0 or more",
    ),
    "not symmetric": (
        lambda z, f: (z, {"m": f}, dict(distance=lambda a, b: np.maximum(a - b, 0))),
        "must be symmetric",
    ),
    "not vectorised": (
        lambda z, f: (z, {"m": f}, dict(distance=lambda a, b: abs(a[0] - b[0]))),
        "one number per item",
    ),
    "it fails": (lambda z, f: (z, {"m": f}, dict(distance=lambda a, b: 1 / 0)), "failed: division"),
    "of masks": (lambda z, f: (z, {"m": f}, dict(distance="1-dice")), "is for masks"),
    "misspelt": (lambda z, f: (z, {"m": f}, dict(distance="absolut")), "did you mean 'absolute'"),
    "no threshold": (lambda z, f: (z, {"m": f}, dict(distance="further")), "needs a threshold"),
    "sample of two": (lambda z, f: (z[:, :2], {"m": f}, dict(readers="sample")), "three readers"),
    "a round's name": (lambda z, f: (z, {"round_1": f}, {}), "a round and a model"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_in_one_line(case):
    make, words = BAD[case]
    truth, z, g = labels_of(80, 4)
    z, models, options = make(z, truth + g.normal(0, 3, 80))
    with pytest.raises(AnnostatError, match=words) as caught:
        interchange(z, models, **options)
    assert "\n" not in str(caught.value)


def test_squares_of_heavy_tails_are_refused_for_absolute_distances():
    g = np.random.default_rng(8)
    truth = g.normal(0, 10, 400)
    z = truth[:, None] + g.standard_t(2.2, (400, 3))
    with pytest.raises(AnnostatError, match="Take distance='absolute'"):
        interchange(z, {"m": truth}, distance="squared")
    assert interchange(z, {"m": truth}).models


def test_a_model_that_says_nothing_of_half_is_pointed_out():
    truth, z, g = labels_of(100, 4)
    f = np.where(np.arange(100) < 50, truth, np.nan)
    found = interchange(z, {"m": f, "n": truth + g.normal(0, 2, 100)})
    assert "m says nothing on 50 of 100 items" in str(found)
    assert found.models[0].n_items == 50 == found.comparisons[0].n_items


def test_small_and_constant_data():
    z = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    found = interchange(z, {"m": np.array([1.0, 2.0, 4.0])})
    assert found.among.value == 0 and "no interval" in found.among.note
    str(found), json.dumps(found.to_dict(), allow_nan=False)
    one = interchange(np.array([[1.0, 2.0]]), {"m": np.array([1.5])})
    assert one.models[0].change.interval is None and str(one)
    same = interchange(np.tile([[1.0, 3.0]], (30, 1)), {"m": np.full(30, 7.0)})
    assert same.models[0].standing.name == "worse than a reader" and str(same)


def test_every_distance_is_declared_whole():
    for d in DISTANCES:
        assert d.kinds and d.label and d.unit in ("labels", "square", "none")
        ways = [d.between, d.spaced, d.on_counts]
        assert sum(way is not None for way in ways) == 1 or d.name == "further"


def test_biases_are_those_of_the_two_way_layout():
    from annostat.interchange.contains import biases

    _, z, g = labels_of(80, 4, bias=3.0)
    z = with_holes(z, g)
    seen = np.isfinite(z)
    found = biases(z, seen)
    rows, columns = np.nonzero(seen)
    design = np.zeros((rows.size, 80 + 4))
    design[np.arange(rows.size), rows] = 1
    design[np.arange(rows.size), 80 + columns] = 1
    want = np.linalg.lstsq(design, z[seen], rcond=None)[0][80:]
    np.testing.assert_allclose(found, want - want.mean(), atol=1e-8)


def test_a_consensus_is_found_among_many_items_too():
    g = np.random.default_rng(9)
    truth = g.normal(0, 9, 3000)
    z = truth[:, None] + g.normal(0, 3, (3000, 4))
    with pytest.raises(AnnostatError, match="the mean of round_1 and round_3"):
        interchange(z, {"m": z[:, [0, 2]].mean(axis=1)})
    rare = np.zeros((3000, 3))
    rare[::40] = g.integers(0, 2, (75, 3))
    rare = np.hstack([rare, rare[:, :1] != (g.random((3000, 1)) < 0.02)])
    with pytest.raises(AnnostatError, match="equals round_2 on 100%"):
        interchange(rare, {"m": rare[:, 1]}, distance="differ")


@pytest.mark.parametrize(("kinds", "share"), [(2, 0.81), (4, 0.43)])
def test_how_often_the_alternative_test_passes_a_worse_model(kinds, share):
    """What the warning says: models that err in 40% where three annotators err in 30%."""
    g = np.random.default_rng(1)
    passed = better = 0
    for _ in range(150):
        truth = g.integers(0, kinds, (100, 1))
        wrong = (truth + g.integers(1, kinds, (100, 4))) % kinds
        labels = np.where(g.random((100, 4)) < [0.3, 0.3, 0.3, 0.4], wrong, truth)
        [m] = interchange(labels[:, :3], {"m": labels[:, 3]}, distance="differ").models
        passed += m.alternative.passed
        better += m.standing.name.startswith("better")
    assert passed / 150 == pytest.approx(share, abs=0.1) and better <= 3


def test_rare_events_allow_no_claim():
    g = np.random.default_rng(4)
    z = (g.random((200, 3)) < 0.01).astype(float)
    found = interchange(z, {"m": np.zeros(200)}, distance="differ", margin=0.05)
    assert found.models[0].standing.name == "not resolved"
    assert "too few items tell" in found.answer() and "Do not quote it" in str(found)
    never = interchange(np.zeros((200, 3)), {"m": np.zeros(200)}, distance="differ", margin=0.05)
    assert never.models[0].standing.name == "not resolved" and str(never)


@pytest.mark.parametrize("ordinal", [False, True])
def test_containers_of_categories(ordinal):
    g = np.random.default_rng(7)
    truth = g.integers(0, 3, 90)
    z = np.where(g.random((90, 4)) < 0.3, g.integers(0, 3, (90, 4)), truth[:, None])
    z[0, 0] = -1
    names = np.array(["low", "middle", "high"])
    labels = Categories(z[:, :3], tuple(names), ("a", "b", "c"), ordinal)
    found = interchange(labels, {"m": names[z[:, 3]]})
    assert found.distance.name == ("linear" if ordinal else "differ")
    codes = np.where(z[:, :3] < 0, np.nan, z[:, :3])
    numbers = interchange(codes, {"m": z[:, 3]}, distance=found.distance.name)
    assert found.models[0].change == numbers.models[0].change
    assert found.taken.names == ("a", "b", "c")
    if ordinal:
        with pytest.raises(AnnostatError, match="none of low, middle, high"):
            interchange(labels, {"m": np.full(90, "tall")})
        return
    more = interchange(labels, {"m": np.where(z[:, 3] == 0, "none", names[z[:, 3]])})
    assert more.models[0].change.value > found.models[0].change.value


def test_a_model_nearer_to_a_reader_than_the_others_is_asked_about():
    rng = np.random.default_rng(5)
    truth = rng.normal(0, 10, 80)
    rounds = Rounds.from_array(
        truth[:, None] + rng.normal(0, 3, (80, 3)), names=["anna", "ben", "cleo"]
    )
    near = rounds.values[:, 0] + rng.normal(0, 0.01, 80)
    models = {"near": near, "good": truth + rng.normal(0, 0.3, 80)}
    found = interchange(rounds, models, readers="these")
    [check] = [c for c in found.checks if c.name == "near_copy"]
    assert check.passed is None and check.message.startswith("near differs from anna by 0.0")


@pytest.mark.parametrize(("n", "passed"), [(100, None), (300, True)])
def test_squares_of_few_items_do_not_show_tails(n, passed):
    g = np.random.default_rng(3)
    labels = g.normal(0, 2, (n, 1)) + g.normal(0, 1, (n, 3))
    model = labels.mean(axis=1) + g.normal(0, 1, n)
    squares = interchange(labels, {"net": model}, distance="squared")
    assert {c.name: c.passed for c in squares.checks}["skewed"] is passed
    absolute = interchange(labels, {"net": model})
    assert {c.name: c.passed for c in absolute.checks}["skewed"] is True
