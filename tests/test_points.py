"""Points: floors and ceilings against one reader, biases, swaps, models, tables as found."""

import json
from itertools import combinations
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.calibration.points import SUITES
from analysis.calibration.runner import run_suite
from annostat import AnnostatError
from annostat.ceilings import point_bounds, published_points
from annostat.datasets import lidc_centres
from annostat.labels import Points
from annostat.plotting import plot_ellipses, plot_success
from annostat.resampling.hotelling import equal_means, hotelling
from annostat.tables import read_points
from annostat.truth import cross_products, score_points

DOCS = Path(__file__).parent.parent / "docs"


def twin(z, thresholds):
    """Floors and ceilings in loops, biases left in: mean bracket, rms, success brackets."""
    mean, square, share = [], [], {t: [] for t in thresholds}
    for item in z:
        r = [
            float(np.linalg.norm(item[i, m] - item[j, m]))
            for m in range(item.shape[1])
            for i, j in combinations(range(len(item)), 2)
            if np.isfinite(item[[i, j], m]).all()
        ]
        if r:
            mean.append(np.mean(r))
            square.append(np.mean(np.square(r)))
            for t in thresholds:
                share[t].append((np.mean(np.array(r) <= t), np.mean(np.array(r) <= 2 * t)))
    e = np.mean(mean)
    found = {t: np.mean(s, axis=0) for t, s in share.items()}
    rms = np.sqrt(np.mean(square) / 2)
    return (e / 2, e), rms, {t: (a, max(np.sqrt(b), a)) for t, (a, b) in found.items()}


def drawn(n=40, k=3, m=2, d=2, seed=0, missing=0.0):
    rng = np.random.default_rng(seed)
    z = rng.uniform(0, 100, (n, 1, m, d)) + rng.normal(0, 1, (n, k, m, d))
    z[rng.random((n, k, m)) < missing] = np.nan
    return z


@pytest.mark.parametrize("d", [1, 2, 3])
def test_bounds_are_those_of_loops(d):
    z = drawn(d=d, missing=0.2, seed=d)
    found = point_bounds(Points.from_array(z, exchangeable=True), thresholds=[1, 2], n_resamples=99)
    mean, rms, share = twin(z, [1, 2])
    assert (found["mean"].low, found["mean"].high) == pytest.approx(mean)
    assert found["rms"].low == found["rms"].high == pytest.approx(rms)
    for x in found.success():
        assert (x.low, x.high) == pytest.approx(share[x.threshold])
    json.dumps(found.to_dict(), allow_nan=False)
    assert len(found.to_frame()) == 12 and "Answer" in str(found)


def test_gaussian_noise_is_found_and_biases_are_taken_out():
    z = drawn(2000, 2, 1)
    plain = point_bounds(Points.from_array(z), thresholds=[1.5], n_resamples=99)
    z[:, 1] += 5.0
    moved = point_bounds(Points.from_array(z), thresholds=[1.5], n_resamples=99)
    for key in ("mean", "rms"):
        assert moved[key].low == pytest.approx(plain[key].low)
    assert plain["rms"].low == pytest.approx(np.sqrt(2), rel=0.05)
    assert plain["mean"].gaussian == pytest.approx(np.sqrt(np.pi / 2), rel=0.05)
    gauss = 1 - np.exp(-(1.5**2) / 2)
    assert plain.success()[0].gaussian == pytest.approx(gauss, abs=0.03)
    assert moved.biases[0].vector == pytest.approx((5, 5), abs=0.2)
    assert moved.biases[0].p_value < 1e-9
    assert "rater_2 puts point" in next(c for c in moved.checks if c.name == "point_bias").message


@given(
    st.integers(0, 10_000),
    st.sampled_from([1, 2, 3]),
    st.sampled_from(["normal", "laplace", "standard_cauchy"]),
)
def test_brackets_hold_under_every_law(seed, d, law):
    """½E|D| ≤ E|X| ≤ E|D| and S(t) ≤ √P(|D| ≤ 2t), for noise of mean zero."""
    rng = np.random.default_rng(seed)
    atoms = np.clip(getattr(rng, law)(size=(6, d)), -50, 50)
    x = np.concatenate([atoms, -atoms])  # a symmetric law of twelve atoms: all pairs are known
    r = np.linalg.norm(x, axis=1)
    pairs = np.linalg.norm(x[:, None] - x, axis=2)
    assert pairs.mean() / 2 <= r.mean() + 1e-12 <= pairs.mean() + 1e-9
    assert (r**2).mean() == pytest.approx((pairs**2).mean() / 2)
    for t in np.quantile(r, [0.2, 0.5, 0.8]):
        assert (r <= t).mean() <= np.sqrt((pairs <= 2 * t).mean()) + 1e-12


@given(st.integers(0, 10_000), st.sampled_from([1, 2, 3]), st.sampled_from([2, 3]))
def test_cross_products_are_the_mean_over_pairs(seed, d, k):
    rng = np.random.default_rng(seed)
    z, f = rng.normal(size=(5, k, d)), rng.normal(size=(5, d))
    want = [
        np.mean([(f[i] - z[i, a]) @ (f[i] - z[i, b]) for a, b in combinations(range(k), 2)])
        for i in range(5)
    ]
    assert sum(cross_products(z[..., c], f[:, c]) for c in range(d)) == pytest.approx(want)


def test_models_are_scored_against_the_truth():
    rng = np.random.default_rng(3)
    truth = rng.uniform(0, 100, (400, 2, 2))
    z = truth[:, None] + rng.normal(0, 2, (400, 3, 2, 2))
    points = Points.from_array(z, unit="mm", exchangeable=True)
    off = truth + np.array([3.0, 4.0])
    found = score_points(points, {"truth": truth, "off": off}, n_resamples=99)
    assert found["off"].error.value == pytest.approx(5, abs=0.3)
    assert found["off"].verdict.name == "above the floor"
    assert found["truth"].verdict.name == "not resolved"
    want = np.mean(
        [
            (off[i, m] - z[i, a, m]) @ (off[i, m] - z[i, b, m])
            for i in range(400)
            for m in range(2)
            for a, b in combinations(range(3), 2)
        ]
    )
    assert found["off"].squared_error.value == pytest.approx(want)
    near = score_points(points, {"truth": truth}, margin=2.0, n_resamples=99)
    assert near["truth"].verdict.name == "at the floor within the margin"
    json.dumps(near.to_dict(), allow_nan=False)
    assert "a perfect model" in str(near) and len(near.to_frame()) == 1
    for bad in ({}, {"x": truth[:5]}, {"x": truth * np.nan}):
        with pytest.raises(AnnostatError, match="model"):
            score_points(points, bad)


def test_order_of_rows_and_readers_does_not_matter():
    frame = Points.from_array(drawn(30, missing=0.1), items=range(30)).to_frame()
    one = point_bounds(read_points(frame), n_resamples=99)
    two = point_bounds(read_points(frame.sample(frac=1, random_state=1)), n_resamples=99)
    assert one.to_dict() == two.to_dict()
    swapped = frame.assign(rater=frame["rater"].replace({"rater_1": "zed"}))
    three = point_bounds(read_points(swapped), n_resamples=99)
    assert three["mean"].low == pytest.approx(one["mean"].low)


def test_swapped_landmarks_are_found():
    rng = np.random.default_rng(1)
    truth = np.array([[0.0, 0.0], [80.0, 0.0], [40.0, 60.0]])
    z = truth + rng.normal(0, 1, (50, 3, 3, 2))
    z[7, 1, [0, 1]] = z[7, 1, [1, 0]]
    points = Points.from_array(
        z, names=("anna", "ben", "cleo"), landmarks=("l", "r", "top"), items=range(50)
    )
    (swap,) = point_bounds(points, n_resamples=99).swaps
    assert swap.to_dict() == {"item": "7", "landmarks": ["l", "r"], "readers": ["ben"]}
    (pair,) = point_bounds(points.choose(["anna", "ben"]), n_resamples=99).swaps
    assert pair.readers == ("anna", "ben")
    rms = point_bounds(points, n_resamples=99)["rms"].two_readers
    assert rms.interval is None and "holds" in rms.note


def test_less_precise_readers_are_named():
    rng = np.random.default_rng(2)
    z = rng.normal(0, 1, (200, 3, 1, 2)) * np.array([1.0, 1.0, 3.0])[:, None, None]
    found = point_bounds(Points.from_array(z), n_resamples=99)
    check = next(c for c in found.checks if c.name == "equal_precision")
    assert check.passed is False and "rater_3 4.2" in check.message


def test_hotelling_is_that_of_matrices():
    x = np.random.default_rng(4).normal(0.2, 1, (30, 2))
    s = np.linalg.inv(np.cov(x.T))
    t2, p = hotelling(x)
    assert t2 == pytest.approx(30 * x.mean(0) @ s @ x.mean(0)) and 0 < p < 1
    t = np.sqrt(hotelling(x[:, :1])[0])  # without its sign
    assert t == pytest.approx(-x[:, 0].mean() / (x[:, 0].std(ddof=1) / np.sqrt(30)))
    assert hotelling(np.ones((5, 2))) == (np.inf, 0.0)
    assert hotelling(np.zeros((5, 2))) is None and hotelling(x[:2]) is None
    assert equal_means(x + np.array([0, 5]))[1] < 1e-6


def test_published_distances():
    found = published_points(mre=1.38, sd=0.9, n=100, unit="mm")
    assert (found["mean"].low, found["mean"].high) == (0.69, 1.38)
    assert found["mean"].gaussian == pytest.approx(0.976, abs=1e-3)
    assert 0.5 < found["mean"].interval.low < 0.69
    assert "no interval" in published_points(mre=2).quote()
    with pytest.raises(AnnostatError, match="mre"):
        published_points(mre=-1)


def test_lidc_centres():
    points = lidc_centres()
    assert points.values.shape == (100, 4, 1, 2) and points.exchangeable
    found = point_bounds(points, n_resamples=99)
    assert found["mean"].best() == "0.267 to 0.533"
    assert found["rms"].low == pytest.approx(0.476, abs=1e-3)


FRAME = pd.DataFrame(
    {
        "image": ["a", "a", "b", "b"],
        "reader": ["anna", "ben", "anna", "ben"],
        "x": [1.0, 2.0, 3.0, 5.0],
        "y": [1.0, 1.0, 7.0, 7.0],
    }
)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, {"coordinates": ["x", "why"]}, "there is no column 'why'"),
        ({"reader": ["anna", "anna", "anna", "ben"]}, {}, "put twice by the same reader"),
        ({"reader": ["anna"] * 4, "image": list("abcd")}, {}, "at least two readers"),
        ({"reader": ["anna", "model", "anna", "model"]}, {}, "is model a model"),
        ({"y": "?"}, {"coordinates": "x,y,why"}, "no column 'why'"),
        ({}, {"size": [4, 4]}, "2 points outside the image"),
        ({"x": [1.0, np.nan, 3.0, 5.0]}, {}, "all its coordinates, or none"),
        ({"x": [1.0, np.inf, 3.0, 5.0]}, {}, "finite"),
        ({"x": ["1", "left", "3", "5"]}, {}, "holds text"),
        ({}, {"spacing": 0}, "spacing must be"),
        ({}, {"spacing": [1, 1, 1]}, "spacing must be one number"),
        ({}, {"rounds": ["anna", "cleo"]}, "cleo"),
        ({}, {"landmark": "joint"}, "joint"),
    ],
)
def test_tables_that_are_refused(change, options, message):
    with pytest.raises(AnnostatError, match=message):
        read_points(FRAME.assign(**change), **options)


def test_spacing_landmarks_and_clusters():
    points = read_points(
        FRAME.assign(px=[0.5, 0.5, 2, 2], p=list("uuvv")), spacing="px", cluster="p"
    )
    assert points.pair_distances().ravel().tolist() == [0.5, 4.0]
    assert points.cluster.tolist() == ["u", "v"]
    with pytest.raises(AnnostatError, match="no landmark of any item"):
        point_bounds(Points.from_array([[[0.0, 0.0], [np.nan, np.nan]]]))
    with pytest.raises(AnnostatError, match="differs within an item"):
        read_points(FRAME.assign(p=list("uvvv")), cluster="p")
    alone = point_bounds(read_points(FRAME.iloc[:2]))  # one item: nothing has an interval
    assert alone["mean"].interval is None and "no interval" in alone.quote()
    same = point_bounds(Points.from_array(np.zeros((5, 2, 2))))
    assert same["rms"].low == 0 and "perfect model" in str(same)


def test_command(run, tmp_path):
    points = Points.from_array(drawn(), items=range(40))
    points.to_frame().to_csv(tmp_path / "p.csv", index=False)
    code, out, err = run("points", tmp_path / "p.csv", "--unit", "mm", "--plot", tmp_path / "p.svg")
    assert (code, err) == (0, "") and out.startswith("Read    p.csv: 40 items (item)")
    assert "Floor of the mean radial error" in out and (tmp_path / "p.svg").stat().st_size > 1000
    code, out, _ = run("points", tmp_path / "p.csv", "--threshold", "2", "--json", "-")
    data = json.loads(out)
    jsonschema.validate(data, json.loads((DOCS / "points.schema.json").read_text()))
    assert {x["threshold"] for x in data["limits"]} == {None, 2.0}
    code, out, _ = run("points", tmp_path / "p.csv", "--model", "rater_3")
    assert code == 0 and "rater_3 is " in out and "a perfect model" in out
    code, out, _ = run("points", "--mre", "1.38", "--sd", ".9", "--n", "50", "--unit", "mm")
    assert code == 0 and "0.69" in out
    for args, message in (
        ((), "no input"),
        (("--example", "lidc-centres", "--mre", "1"), "not both"),
        ((tmp_path / "p.csv", "--size", "a,b"), "--size must be numbers"),
        (("--mre", "1", "--plot", tmp_path / "x.svg"), "--plot needs points"),
    ):
        code, _, err = run("points", *args)
        assert code == 2 and message in err
    with pytest.raises(AnnostatError, match="published"):
        plot_success(published_points(mre=1))
    with pytest.raises(AnnostatError, match="two coordinates"):
        plot_ellipses(point_bounds(Points.from_array(drawn(d=3)), n_resamples=99))


@pytest.mark.parametrize("suite", SUITES)
def test_a_slice_of_the_calibration(suite):
    rows = run_suite(SUITES, suite, SUITES[suite][1][1], 20, seed=1)
    for row in rows:
        if row["what"].startswith("interval"):
            assert row["rate"] >= 0.85, row
        if row["what"].startswith("test: no"):
            assert row["rate"] <= 0.2, row


def test_interchange_takes_points():
    from annostat.interchange import interchange

    rng = np.random.default_rng(3)
    truth = rng.uniform(0, 100, (60, 1, 2, 2))
    points = Points.from_array(truth + rng.normal(0, 1, (60, 3, 2, 2)), unit="mm")
    found = interchange(points, {"net": truth[:, 0], "far": truth[:, 0] + 9.0})
    assert found.unit == "mm" and found.n_clusters == 60 and found.n_items == 120
    z = points.values
    d = np.sqrt(((z[:, :, None] - z[:, None]) ** 2).sum(axis=-1))
    assert found.among.value == pytest.approx(d.sum() / (120 * 6))
    assert found.answer().startswith("net is better") and "far is worse" in found.answer()
    further = interchange(points, {"far": truth[:, 0] + 9.0}, distance="further", threshold=5.0)
    assert further.models[0].change.value > 0.9
    with pytest.raises(AnnostatError, match="Leave it out"):
        interchange(points, {"copy": z[:, 0]})
