"""Points: object keypoint similarity, and lengths between two of them."""

import json
from itertools import combinations

import jsonschema
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annostat import AnnostatError, bounds
from annostat.ceilings import point_bounds
from annostat.ceilings.keypoints import constants_of
from annostat.labels import Points
from annostat.tables import read_points, read_rounds
from tests.test_points import DOCS, drawn


def test_oks_is_that_of_loops():
    """Pairs of readers, landmark by landmark, with a size for each object; biases left in."""
    z = drawn(30, 3, 2, missing=0.15, seed=3)
    scale = np.random.default_rng(1).uniform(5, 30, 30)
    kappa = {"l": 0.1, "r": 0.3}
    points = Points.from_array(z, landmarks=("l", "r"), scale=scale, exchangeable=True)
    found = point_bounds(points, oks=kappa, n_resamples=99)
    two, gauss = [], []
    for i, item in enumerate(z):
        d2 = [
            (((item[a, m] - item[b, m]) ** 2).sum(), (scale[i] * k) ** 2)
            for m, k in enumerate(kappa.values())
            for a, b in combinations(range(3), 2)
            if np.isfinite(item[[a, b], m]).all()
        ]
        if d2:
            two.append(np.mean([np.exp(-d / (2 * c)) for d, c in d2]))
            gauss.append(np.mean([np.exp(-d / (4 * c)) for d, c in d2]))
    x = found["oks"]
    assert (x.low, x.gaussian) == pytest.approx((np.mean(two), np.mean(gauss)))
    assert x.high == pytest.approx(np.sqrt(np.mean(gauss)))
    assert not x.floor and x.interval.low <= x.low and x.high <= x.interval.high
    assert "OKS" in str(found)
    schema = json.loads((DOCS / "points.schema.json").read_text())
    jsonschema.validate(json.loads(json.dumps(found.to_dict(), allow_nan=False)), schema)


@given(
    st.integers(0, 10_000),
    st.sampled_from([1, 2, 3]),
    st.sampled_from(["normal", "laplace", "exponential"]),
    st.floats(0.1, 5.0),
)
def test_the_bracket_of_oks_holds_under_every_law(seed, d, law, width):
    """E K(D) ≤ max over places of E K(X − a) ≤ √E exp(−|D|²/(4c²)), also for skew noise."""
    x = getattr(np.random.default_rng(seed), law)(size=(12, d))

    def similarity(r2, by=2.0):
        return np.exp(-r2 / (by * width**2))

    pairs = ((x[:, None] - x) ** 2).sum(axis=2)
    upper = np.sqrt(similarity(pairs, 4.0).mean())
    places = np.vstack([x, x.mean(axis=0)[None]])
    at = similarity(((x[:, None] - places) ** 2).sum(axis=2)).mean(axis=0)
    assert similarity(pairs).mean() <= at.max() + 1e-12 <= upper + 1e-9


def test_oks_of_gaussian_noise_is_exact():
    rng = np.random.default_rng(4)
    z = rng.normal(0, [1.0, 3.0], (40_000, 2, 1, 2))
    points = Points.from_array(z, scale=np.full(40_000, 10.0))
    want = 1 / np.sqrt((1 + 1 / 4) * (1 + 9 / 4))
    assert point_bounds(points, oks=0.2, n_resamples=19)["oks"].gaussian == pytest.approx(
        want, abs=5e-3
    )


def test_constants_of_oks():
    assert constants_of("coco", ["Left Eye", "right_hip", "nose"]) == pytest.approx(
        [0.05, 0.214, 0.052]
    )
    assert constants_of(0.1, ["a", "b"]).tolist() == [0.1, 0.1]
    points = Points.from_array(drawn(), landmarks=("a", "b"), scale=np.ones(40))
    for oks, message in (
        ("coco", "no constant for a, b"),
        ("mpii", "must be a number, 'coco'"),
        ({"a": 0.1}, "no constant for b"),
        ({"a": 0.1, "b": 0}, "oks of b must be"),
        (-1.0, "oks must be"),
    ):
        with pytest.raises(AnnostatError, match=message):
            point_bounds(points, oks=oks)
    with pytest.raises(AnnostatError, match="size of the object"):
        point_bounds(Points.from_array(drawn()), oks=0.1)
    for scale in (np.zeros(40), np.ones(3)):
        with pytest.raises(AnnostatError, match="scale must be one number above 0"):
            Points.from_array(drawn(), scale=scale)


def test_lengths_are_values(tmp_path):
    """The noise of a length is that which `bounds` finds in lengths that are given as values."""
    rng = np.random.default_rng(5)
    truth = np.array([[0.0, 0.0], [50.0, 0.0], [20.0, 30.0]])
    z = truth + rng.normal(0, 1, (200, 2, 3, 2))
    z[3, 1, 0] = np.nan
    points = Points.from_array(
        z, names=("anna", "ben"), landmarks=("septum", "wall", "apex"), unit="mm", items=range(200)
    )
    found = point_bounds(points, lengths=[("septum", "wall"), ("apex", "wall")], n_resamples=199)
    rows = [
        {
            "item": i,
            "anna": np.hypot(*(z[i, 0, 0] - z[i, 0, 1])),
            "ben": np.hypot(*(z[i, 1, 0] - z[i, 1, 1])),
        }
        for i in range(200)
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "lengths.csv", index=False)
    values = read_rounds(tmp_path / "lengths.csv", item="item", rounds=["anna", "ben"], unit="mm")
    direct = bounds(values, n_resamples=199)
    one = found.lengths[0]
    assert one.sd.value == pytest.approx(direct.rmse_floor.value)
    assert one.sd.low == pytest.approx(direct.rmse_floor.low)
    assert one.mae.value == pytest.approx(direct.mae_floor.value)
    assert one.mae.high == pytest.approx(direct.mae_floor.high)
    pairs = [(r["anna"], r["ben"]) for r in rows if np.isfinite([r["anna"], r["ben"]]).all()]
    d = np.array([a - b for a, b in pairs])
    assert one.sd.value == pytest.approx(d.std(ddof=1) / np.sqrt(2))
    assert one.mean == pytest.approx(np.mean(pairs))
    # Ends that err independently: √2 of one end's noise along the line.
    assert one.from_ends == pytest.approx(np.sqrt(2), rel=0.08)
    assert np.sqrt(2) in one.sd.interval
    assert "septum:wall" in str(found) and "Lengths" in str(found)
    schema = json.loads((DOCS / "points.schema.json").read_text())
    jsonschema.validate(json.loads(json.dumps(found.to_dict(), allow_nan=False)), schema)


def test_ends_that_are_moved_together_are_seen():
    rng = np.random.default_rng(6)
    truth = np.array([[0.0, 0.0], [50.0, 0.0]])
    z = truth + rng.normal(0, 1, (200, 3, 1, 2)) + rng.normal(0, 0.2, (200, 3, 2, 2))
    (one,) = point_bounds(Points.from_array(z), lengths=[("point_1", "point_2")]).lengths
    assert one.sd.high < one.from_ends / 3


def test_lengths_that_are_refused():
    points = Points.from_array(drawn(), landmarks=("a", "b"))
    for ends, message in (
        (("a", "c"), "length must be one of"),
        (("a", "a"), "between two landmarks"),
    ):
        with pytest.raises(AnnostatError, match=message):
            point_bounds(points, lengths=[ends])
    z = drawn()
    z[:, 0, 0] = z[:, 1, 1] = z[:, 2, 0] = np.nan
    with pytest.raises(AnnostatError, match="no item has the length a:b from two readers"):
        point_bounds(Points.from_array(z, landmarks=("a", "b")), lengths=[("a", "b")])


def test_all_swaps_are_named():
    rng = np.random.default_rng(1)
    z = np.array([[0.0, 0.0], [80.0, 0.0]]) + rng.normal(0, 1, (50, 3, 2, 2))
    for item, reader in ((7, 1), (9, 2), (30, 0)):
        z[item, reader] = z[item, reader, ::-1]
    points = Points.from_array(
        z, names=("anna", "ben", "cleo"), landmarks=("l", "r"), items=range(50)
    )
    check = next(c for c in point_bounds(points, n_resamples=19).checks if c.name == "swaps")
    assert "3 pairs of landmarks seem swapped" in check.message
    for said in ("l and r by ben on 7;", "by cleo on 9;", "by anna on 30."):
        assert said in check.message


def test_the_command_has_oks_and_lengths(run, tmp_path):
    frame = Points.from_array(drawn(), landmarks=("left_eye", "nose"), items=range(40)).to_frame()
    frame["size"] = 20.0
    frame.to_csv(tmp_path / "p.csv", index=False)
    args = ("points", tmp_path / "p.csv", "--scale", "size")
    code, out, err = run(*args, "--oks", "coco", "--length", "left_eye:nose")
    assert (code, err) == (0, "") and "OKS" in out and "left_eye:nose" in out
    code, out, _ = run(*args, "--oks", "left_eye=0.1,nose=0.2", "--model", "rater_3")
    assert code == 0
    assert read_points(frame, scale=3.0).scale.tolist() == [3.0] * 40
    for more, message in (
        (("--oks", "left_eye=x"), "--oks must be a number"),
        (("--length", "nose"), "--length must name two landmarks"),
        (("--length", "nose:ear"), "length must be one of"),
    ):
        code, _, err = run(*args, *more)
        assert code == 2 and message in err
    frame.loc[3, "size"] = -1
    frame.to_csv(tmp_path / "bad.csv", index=False)
    code, _, err = run("points", tmp_path / "bad.csv", "--scale", "size")
    assert code == 2 and "scale must be above 0, but is not in 1 row" in err
