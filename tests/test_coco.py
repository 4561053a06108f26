"""Findings from COCO JSON: boxes, polygons, run lengths, readers by file or by field."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annostat import AnnostatError
from annostat.labels import match_findings
from annostat.labels.finding_shapes import box_around
from annostat.tables import read_findings
from annostat.tables.coco import run_lengths, runs_of

IMAGES = [
    {"id": i, "file_name": f"s{i}.png", "width": 100, "height": 80, "patient": f"p{i // 2}"}
    for i in range(4)
]


def coco(path, annotations, images=IMAGES, **more):
    found = {"images": images, "annotations": annotations, **more}
    path.write_text(json.dumps(found), encoding="utf-8")
    return path


def mark(image, box, **more):
    return {"image_id": image, "bbox": list(box), "category_id": 1, **more}


def compressed(counts):
    """The text of run lengths, as the COCO API writes it: a twin of the reader."""
    text = ""
    for i, c in enumerate(counts):
        x = c - counts[i - 2] if i > 2 else c
        more = True
        while more:
            bits = x & 31
            x >>= 5
            more = x != -1 if bits & 16 else x != 0
            text += chr((bits | 32 if more else bits) + 48)
    return text


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=30))
def test_compressed_run_lengths_are_read(counts):
    assert run_lengths(compressed(counts)) == counts


def test_compressed_run_lengths_are_those_of_pycocotools():
    coco_mask = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(1)
    for _ in range(20):
        mask = np.asfortranarray(rng.random((17, 23)) < rng.random(), dtype=np.uint8)
        text = coco_mask.encode(mask)["counts"].decode()
        flat = np.repeat(np.arange(len(run_lengths(text))) % 2, run_lengths(text))
        assert (flat.reshape(23, 17).T == mask).all()


@given(st.integers(0, 10_000))
def test_boxes_around_run_lengths_are_those_of_the_mask(seed):
    rng = np.random.default_rng(seed)
    mask = (rng.random((rng.integers(1, 9), rng.integers(1, 9))) < 0.2).astype(int)
    mask[rng.integers(mask.shape[0]), rng.integers(mask.shape[1])] = 1
    flat = mask.T.ravel()
    change = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff(np.r_[0, change, flat.size]).tolist()
    counts = [0, *counts] if flat[0] else counts
    y, x = np.nonzero(mask)
    for given_counts in (counts, compressed(counts)):
        runs = runs_of({"size": list(mask.shape), "counts": given_counts}, "here")
        box = box_around(*runs)
        assert box == (x.min(), y.min(), x.max() + 1, y.max() + 1)


def test_one_file_for_each_reader(tmp_path, run):
    a = coco(tmp_path / "anna.json", [mark(0, (10, 10, 20, 20)), mark(1, (5, 5, 9, 9))])
    turned = [{**i, "id": 9 - i["id"]} for i in IMAGES]  # other numbers, the same files
    box = {"image_id": 9, "segmentation": [[11, 10, 30, 10, 30, 31, 11, 31]]}
    b = coco(tmp_path / "ben.json", [box], turned)
    found = read_findings([a, b])
    assert (found.kind, found.names, len(found.items)) == ("box", ("anna", "ben"), 4)
    assert found.saw.all() and found.marks.tolist() == [[1, 1], [1, 0], [0, 0], [0, 0]]
    assert found.geometry[2].tolist() == [11, 10, 30, 31]
    assert match_findings(found).counts.tolist() == [2, 1]
    assert "1 mask taken as the box" in str(found.read)
    assert read_findings([a, b], cluster="patient").cluster.tolist() == ["p0", "p0", "p1", "p1"]
    code, out, err = run("findings", a, b, "--froc", "none")
    assert (code, err) == (0, "") and out.startswith("Read    anna.json, ben.json: 4 images")
    net = tmp_path / "net.json"
    net.write_text(json.dumps([mark(0, (10, 10, 20, 20), score=0.9)]))
    code, out, err = run("findings", a, b, net, "--model", "net", "--froc", "none")
    assert (code, err) == (0, "") and "net" in out


def test_a_field_of_the_reader(tmp_path):
    of = (("anna", 0), ("ben", 0), ("cleo", 3))
    marks = [mark(i, (10, 10, 20, 20), attributes={"annotator": r}) for r, i in of]
    names = [{"id": 1, "name": "nodule"}, {"id": 2, "name": "cyst"}]
    path = coco(tmp_path / "all.json", [*marks, mark(1, (0, 0, 5, 5), iscrowd=1)], categories=names)
    found = read_findings(path)
    assert found.names == ("anna", "ben", "cleo") and found.saw.all() and found.n_marks == 3
    assert "1 crowd region left out" in str(found.read)
    other = [{**m, "category_id": 1 + (m["image_id"] == 3), "who": "x"} for m in marks]
    other[0]["who"] = "y"
    path = coco(tmp_path / "other.json", other, categories=names)
    named = read_findings(path, rater="who", classes="category")
    assert named.names == ("x", "y") and set(named.classes) == {"nodule", "cyst"}


def test_tables_of_each_reader(tmp_path):
    for name, x in (("anna", 1.0), ("ben", 1.5)):
        pd.DataFrame({"image": ["a", "b"], "x": [x, 9.0], "y": 0.0}).to_csv(
            tmp_path / f"{name}.csv", index=False
        )
    found = read_findings([tmp_path / "anna.csv", tmp_path / "ben.csv"])
    assert found.names == ("anna", "ben") and found.n_marks == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"annotations": [mark(7, (0, 0, 5, 5))]}, "image_id 7 is not among the images"),
        ({"annotations": [mark(0, (0, 0, 5))]}, "bbox must be"),
        ({"annotations": [mark(0, (0, 0, -5, 5))]}, "1 box without a positive size"),
        ({"annotations": [{"image_id": 0}]}, "neither bbox nor segmentation"),
        ({"annotations": [mark(0, (90, 10, 95, 20))]}, "leaves the image of 100 × 80"),
        ({"annotations": [{"image_id": 0, "segmentation": [[1, 2, 3]]}]}, "a polygon must be"),
        (
            {"annotations": [{"image_id": 0, "segmentation": {"size": [2, 2], "counts": [1]}}]},
            "must add up to 2 × 2",
        ),
        ({"images": [*IMAGES, IMAGES[0]]}, "with the id 0 twice"),
        ({"images": [{**IMAGES[0], "width": 50}]}, "50 × 80 in bad.json"),
        ({"annotations": 3}, "must be a list"),
    ],
)
def test_files_that_are_refused(tmp_path, change, message):
    good = coco(tmp_path / "good.json", [mark(0, (10, 10, 20, 20))])
    data = {"images": IMAGES, "annotations": []} | change
    (tmp_path / "bad.json").write_text(json.dumps(data))
    with pytest.raises(AnnostatError, match=message) as found:
        read_findings([good, tmp_path / "bad.json"])
    assert "\n" not in str(found.value)


def test_what_is_no_coco(tmp_path):
    good = coco(tmp_path / "good.json", [mark(0, (10, 10, 20, 20))])
    for text, message in (
        ("{", "is no JSON"),
        ("{}", "is no COCO JSON"),
        ("[]", "list of results without images"),
    ):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(AnnostatError, match=message):
            read_findings(tmp_path / "bad.json")
    with pytest.raises(AnnostatError, match="no annotation has a field of the reader"):
        read_findings(good)
    with pytest.raises(AnnostatError, match="leave out geometry"):
        read_findings([good, good], geometry=["a", "b", "c", "d"])
    (tmp_path / "t.csv").write_text("image,x,y\na,1,2\n")
    with pytest.raises(AnnostatError, match=r"not both, got t\.csv too"):
        read_findings([good, tmp_path / "t.csv"])
