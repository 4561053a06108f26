"""Detectors with scores, findings that are masks, and models that put points."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annostat import AnnostatError
from annostat.labels import Points, match_findings
from annostat.labels.runs import Runs, overlap_distance
from annostat.tables import read_findings
from annostat.tables.coco import filled
from annostat.truth import score_findings, score_points


def crowded(seed, n=30):
    """Marks on a line so dense that which mark matches which is ambiguous."""
    rng = np.random.default_rng(seed)
    rows = [
        (f"i{i}", who, rng.uniform(0, 12), rng.random() if who == "net" else np.nan)
        for i in range(n)
        for who in ("anna", "ben", "net")
        for _ in range(rng.poisson(4))
    ]
    return pd.DataFrame(rows, columns=["image", "reader", "x", "score"])


def read(table):
    seen = [f"i{i}" for i in range(30)]
    return read_findings(table, models=["net"], geometry=["x"], score="score", seen=seen)


@settings(max_examples=8)
@given(st.integers(0, 10_000))
def test_each_cut_has_the_matches_of_its_own_matching(seed):
    table = crowded(seed)
    found = score_findings(read(table), "distance 1", false_positives=(0.3, 1.0, 2.0, 9.0))["net"]
    for at in found.froc:
        if not np.isfinite(at.cut):
            continue
        cut = score_findings(read(table).cut(at.cut), "distance 1", false_positives=())["net"]
        assert (
            at.false_positives == pytest.approx(cut.false_positives)
            and at.false_positives <= at.rate
        )
        assert at.sensitivity.value == pytest.approx(cut.sensitivity)
        assert at.sensitivity.value in at.sensitivity.interval


def test_the_cut_is_the_lowest_that_is_allowed():
    table = crowded(1)
    found = score_findings(read(table), "distance 1", false_positives=(1.0,))["net"].froc[0]
    lower = table["score"][table["score"] < found.cut].max()
    wrong = score_findings(read(table).cut(lower), "distance 1", false_positives=())["net"]
    assert wrong.false_positives > 1.0


def test_a_detector_with_scores_in_words(tmp_path, run):
    path = tmp_path / "marks.csv"
    crowded(2).to_csv(path, index=False)
    asked = ("findings", path, "--geometry", "x", "--match", "distance 1", "--model", "net")
    code, out, err = run(
        *asked, "--score", "score", "--froc", "0.5,9", "--cite", "--plot", tmp_path / "f.png"
    )
    assert (code, err) == (0, "") and "Sensitivity, cut by scores" in out
    assert "Quote   F1 against one" in out and "the ceiling was" in " ".join(out.split())
    assert (tmp_path / "f.png").stat().st_size > 5000
    code, out, _ = run(*asked, "--score", "score", "--cut", "0.9", "--json", "-")
    many = json.loads(out)["models"][0]
    assert many["sensitivity"] < 0.5 and many["froc"]
    code, _, err = run(*asked, "--cut", "0.9")
    assert code == 2 and err.count("\n") == 1 and "no scores: name their column (--score C)" in err


def test_a_mark_of_a_model_without_a_score_is_refused():
    table = crowded(3)
    at = table.index[table["reader"] == "net"][0]
    table.loc[at, "score"] = np.nan
    with pytest.raises(AnnostatError, match="1 mark of a model without a score"):
        score_findings(read(table), "distance 1")


def blob(rng, height=40, width=30):
    y, x = np.mgrid[:height, :width]
    cy, cx, r = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(1, 9)
    inside = (y - cy) ** 2 + (x - cx) ** 2 <= r**2
    inside[int(cy) % height, int(cx) % width] = True
    return inside


@given(st.integers(0, 10_000))
def test_overlaps_of_runs_are_those_of_pixels(seed):
    rng = np.random.default_rng(seed)
    masks = [blob(rng) for _ in range(6)]
    runs = Runs.of([Runs.of_image(m) for m in masks])
    i, j = (x.ravel() for x in np.meshgrid(range(6), range(6), indexing="ij"))
    want = [
        1 - (masks[a] & masks[b]).sum() / (masks[a] | masks[b]).sum()
        for a, b in zip(i, j, strict=True)
    ]
    assert overlap_distance(runs, i, j) == pytest.approx(np.array(want), abs=1e-12)
    some = runs.take(np.array([4, 1]))
    assert some.areas.tolist() == [masks[4].sum(), masks[1].sum()]
    assert some.joined(runs).areas.tolist()[2:] == runs.areas.tolist()


def masked(rng, n=12):
    rows = []
    for i in range(n):
        for _ in range(2):
            whole = blob(rng, 60, 50)
            rows += [(f"i{i}", who, np.roll(whole, k, axis=0)) for k, who in enumerate("abc")]
    return pd.DataFrame(rows, columns=["image", "reader", "mask"])


def test_masks_match_by_their_own_overlap_in_any_order():
    rng = np.random.default_rng(5)
    ring = np.zeros((20, 20), dtype=bool)
    ring[2:18, 2:18] = True
    ring[4:16, 4:16] = False
    solid = np.zeros((20, 20), dtype=bool)
    solid[4:16, 4:16] = True
    table = pd.DataFrame(
        [("s", "a", ring), ("s", "b", solid), ("s", "b", ring)], columns=["image", "reader", "mask"]
    )
    found = read_findings(table, kind="mask")
    assert found.kind == "mask" and "3 masks." in str(found.read)
    matched = match_findings(found, "iou 0.5")  # a box of the ring and of the solid overlap by 0.56
    assert matched.finding[0] == matched.finding[2] != matched.finding[1]
    table = masked(rng)
    whole = match_findings(read_findings(table, kind="mask"))
    turned = table.sample(frac=1, random_state=1)
    again = match_findings(read_findings(turned, kind="mask"))
    assert sorted(whole.counts) == sorted(again.counts) and (whole.counts == 3).sum() > 5
    assert (
        read_findings(table, kind="mask").digest()
        != read_findings(table.assign(mask=[~m for m in table["mask"]]), kind="mask").digest()
    )


def test_polygons_and_run_lengths_of_coco_are_masks(tmp_path, run):
    images = [{"id": i, "file_name": f"{i}.png", "width": 40, "height": 30} for i in range(4)]
    square = [[5, 5, 25, 5, 25, 20, 5, 20]]
    whole = np.zeros((30, 40), dtype=bool)
    whole[5:20, 5:25] = True
    flat = whole.T.ravel().astype(int)
    counts = np.diff(np.r_[0, np.flatnonzero(np.diff(flat)) + 1, flat.size]).tolist()
    runs = {"size": [30, 40], "counts": counts}
    for name, shape in (("anna", square), ("ben", runs)):
        marks = [{"image_id": i, "segmentation": shape, "bbox": [5, 5, 20, 15]} for i in range(4)]
        (tmp_path / f"{name}.json").write_text(json.dumps({"images": images, "annotations": marks}))
    files = [tmp_path / "anna.json", tmp_path / "ben.json"]
    found = read_findings(files, kind="mask")
    assert found.runs.areas.tolist() == [300] * 8
    assert match_findings(found, "iou 1").counts.tolist() == [2] * 4
    code, out, err = run("findings", *files, "--kind", "mask", "--froc", "none")
    assert (code, err) == (0, "") and "8 masks." in out
    bad = [{"image_id": 0, "segmentation": {"size": [40, 30], "counts": [0, 1, 1199]}}]
    (tmp_path / "ben.json").write_text(json.dumps({"images": images, "annotations": bad}))
    code, _, err = run("findings", *files, "--kind", "mask")
    assert code == 2 and "its mask has 30 × 40 pixels, its image 40 × 30" in err
    with pytest.raises(AnnostatError, match="no segmentation"):
        bad = [{"image_id": 0, "bbox": [1, 1, 2, 2]}]
        (tmp_path / "ben.json").write_text(json.dumps({"images": images, "annotations": bad}))
        read_findings(files, kind="mask")


@given(st.integers(0, 10_000))
def test_a_polygon_is_filled_as_matplotlib_does(seed):
    from matplotlib.path import Path

    rng = np.random.default_rng(seed)
    turn = np.sort(rng.uniform(0, 2 * np.pi, 9))
    r = rng.uniform(2, 9, 9)
    polygon = np.column_stack([10 + r * np.cos(turn), 8 + r * np.sin(turn)]) + 1e-4 * rng.random(2)
    y, x = np.mgrid[:17, :20] + 0.5
    want = Path(polygon).contains_points(np.column_stack([x.ravel(), y.ravel()])).reshape(17, 20)
    assert (filled(polygon, 17, 20) == want).all()


def test_masks_are_refused_in_one_line():
    table = pd.DataFrame({"image": ["a", "a"], "reader": ["x", "y"], "mask": ["p.png", None]})
    with pytest.raises(AnnostatError, match="masks of shape"):
        read_findings(table, kind="mask")
    table["mask"] = [np.zeros((3, 3), dtype=bool), None]
    with pytest.raises(AnnostatError, match="row 0 is empty"):
        read_findings(table, kind="mask")


def test_shares_and_oks_of_models_are_means_over_items():
    rng = np.random.default_rng(7)
    truth = rng.uniform(0, 100, (60, 3, 2))
    values = truth[:, None] + rng.normal(0, 1, (60, 2, 3, 2))
    values[4, 1, 2] = np.nan
    points = Points.from_array(values, unit="mm", scale=np.full(60, 50.0))
    off = truth + 1.5
    found = score_points(points, {"off": off}, thresholds=[2, 3], oks=0.05, n_resamples=99)
    away = np.linalg.norm(off[:, None] - values, axis=3).reshape(60, -1)
    for threshold, share in found["off"].success:
        near = np.where(np.isfinite(away), away <= threshold, np.nan)
        assert share.value == pytest.approx(np.nanmean(near, axis=1).mean())
        assert 0 <= share.low <= share.value <= share.high <= 1
    oks = np.exp(-(away**2) / (2 * 50.0**2 * 0.05**2))
    assert found["off"].oks.value == pytest.approx(np.nanmean(oks, axis=1).mean())
    text = str(found)
    assert (
        "Share of points within" in text
        and "Quote   RMS radial error against the truth, mm" in text
    )
    assert "for `off`" in found.cited().results and found.to_frame()["oks"][0] > 0.5
    assert score_points(points, {"off": off}, n_resamples=99)["off"].oks is None


def test_a_list_of_results_has_the_categories_of_the_first_file(tmp_path):
    images = [{"id": i, "file_name": f"{i}.png", "width": 100, "height": 100} for i in range(6)]
    names = [{"id": 1, "name": "mass"}, {"id": 2, "name": "calc"}]
    boxes = [{"image_id": i, "bbox": [9, 9, 20, 20], "category_id": 1 + i % 2} for i in range(6)]
    for reader in ("anna", "ben"):
        whole = {"images": images, "annotations": boxes, "categories": names}
        (tmp_path / f"{reader}.json").write_text(json.dumps(whole))
    (tmp_path / "net.json").write_text(json.dumps([{**b, "score": 0.5} for b in boxes]))
    files = [tmp_path / f"{name}.json" for name in ("anna", "ben", "net")]
    found = read_findings(files, classes="category", models=["net"])
    assert set(found.classes) == {"mass", "calc"}
    assert match_findings(found).counts.tolist() == [3] * 6


def test_options_that_would_be_passed_over_are_refused_or_counted(tmp_path, run):
    crowded(4).to_csv(tmp_path / "m.csv", index=False)
    asked = ("findings", tmp_path / "m.csv", "--geometry", "x", "--match", "distance 1")
    asked += ("--model", "net", "--score", "score")
    code, out, err = run(*asked, "--froc", "0.5", "--froc", "2,4", "--json", "-")
    assert (code, err) == (0, "")
    assert [at["rate"] for at in json.loads(out)["models"][0]["froc"]] == [0.5, 2, 4]
    code, _, err = run(*asked, "--cut", "2")
    assert code == 2 and "no mark of a model scores 2 or more" in err
    code, _, err = run("points", "--mre", "1.4", "--length", "a:b")
    assert code == 2 and "--length needs points" in err


def test_lengths_stand_beside_models():
    rng = np.random.default_rng(8)
    truth = rng.uniform(0, 100, (40, 2, 2))
    points = Points.from_array(truth[:, None] + rng.normal(0, 1, (40, 2, 2, 2)))
    names = points.landmarks
    found = score_points(points, {"m": truth}, lengths=[(names[0], names[1])], n_resamples=99)
    assert f"{names[0]}:{names[1]}" in str(found)
