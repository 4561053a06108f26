"""Tables of findings and points as users get them wrong: one line, or a check that says it."""

import numpy as np
import pandas as pd
import pytest

from annostat import AnnostatError
from annostat.ceilings import finding_bounds, point_bounds
from annostat.tables import read_findings, read_points


def boxes():
    rng = np.random.default_rng(1)
    rows = []
    for i in range(40):
        for _ in range(rng.poisson(3)):
            x, y = rng.uniform(0, 400, 2)
            for r in ("anna", "ben", "cleo"):
                if rng.random() < 0.75:
                    a, b, w, h = rng.normal((x, y, 30, 30), 2)
                    rows.append((f"i{i:02d}", r, a, b, a + w, b + h))
    return pd.DataFrame(rows, columns=["image", "reader", "x1", "y1", "x2", "y2"])


def landmarks():
    rng = np.random.default_rng(2)
    truth = {"left": (100, 200), "right": (300, 200), "apex": (200, 50)}
    rows = [
        (f"i{i:02d}", r, n, x + rng.normal(0, 3), y + rng.normal(0, 3))
        for i in range(40)
        for r in ("anna", "ben", "cleo")
        for n, (x, y) in truth.items()
    ]
    return pd.DataFrame(rows, columns=["image", "reader", "landmark", "x", "y"])


CORNERS = ["x1", "y1", "x2", "y2"]


def of_ben(frame, columns, change):
    frame = frame.copy()
    here = frame["reader"] == "ben"
    frame.loc[here, columns] = np.asarray(change(frame.loc[here, columns]))
    return frame


def failed(found):
    return {c.name: c.message for c in found.checks if c.passed is False}


@pytest.mark.parametrize(
    "frame",
    [
        of_ben(boxes(), CORNERS, lambda c: c * 2),  # another image size
        of_ben(boxes(), CORNERS, lambda c: c / 400),  # shares of the image
        of_ben(boxes(), ["image"], lambda c: c["image"].str.upper()),  # other images
    ],
)
def test_a_reader_who_matches_nobody_is_said(frame):
    found = finding_bounds(read_findings(frame), false_positives=())
    assert "Of the marks of ben (107) next to none" in failed(found)["no_match"]


def test_readers_who_match_are_not_said():
    found = finding_bounds(read_findings(boxes()), false_positives=())
    assert not {"no_match", "repeated"} & set(failed(found))


def test_rows_that_stand_twice_are_said():
    twice = pd.concat([boxes(), boxes().iloc[:2]])
    found = finding_bounds(read_findings(twice), false_positives=())
    assert "2 marks of the same reader on the very same place" in failed(found)["repeated"]


def test_corners_that_are_read_as_sizes_are_asked_about():
    frame = boxes().rename(columns=dict(zip(CORNERS, ["x", "y", "width", "height"], strict=True)))
    assert "are these corners?" in str(read_findings(frame).read)


@pytest.mark.parametrize(
    ("frame", "options", "message"),
    [
        (of_ben(boxes(), CORNERS, lambda c: c[["x2", "y1", "x1", "y2"]]), {}, "positive size"),
        (boxes().replace({"x1": {boxes()["x1"][3]: np.inf}}), {}, "finite coordinates; first"),
        (boxes(), {"seen": ["i00", "i01"]}, "marks not on the list of what was seen; first: 'i02'"),
        (boxes(), {"models": ["net"]}, "there is no reader 'net' .readers: anna, ben, cleo"),
        (boxes(), {"kind": "point"}, "--geometry x,y"),
    ],
)
def test_findings_that_are_refused(frame, options, message):
    with pytest.raises(AnnostatError, match=message.replace("--geometry x,y", "x,y")) as found:
        read_findings(frame, **options)
    assert "\n" not in str(found.value)


def test_a_match_below_zero_is_refused():
    with pytest.raises(AnnostatError, match="match must be in"):
        finding_bounds(read_findings(boxes()), "distance -1")


@pytest.mark.parametrize(
    ("frame", "check", "message"),
    [
        (of_ben(landmarks(), ["x", "y"], lambda c: c / 10), "same_unit", "ben vary 0.1 times"),
        (of_ben(landmarks(), ["x", "y"], lambda c: c * 0), "same_unit", "ben vary 0 times"),
        (of_ben(landmarks(), ["x", "y"], lambda c: c[["y", "x"]]), "same_axes", "of ben seem"),
        (
            of_ben(
                landmarks(),
                ["landmark"],
                lambda c: c["landmark"].replace({"left": "right", "right": "left"}),
            ),
            "swaps",
            "left and right by ben on i00, i01",
        ),
        (
            landmarks().replace({"x": {landmarks()["x"][7]: -999.0}}),
            "far_points",
            "1 point far from every other reader's: right of i00 by cleo",
        ),
    ],
)
def test_coordinates_that_are_wrong_are_said(frame, check, message):
    found = failed(point_bounds(read_points(frame, unit="mm"), n_resamples=99))
    assert message in found[check]
    assert len({"same_unit", "same_axes", "swaps", "far_points"} & set(found)) == 1


def test_coordinates_that_are_right_fail_no_check():
    assert not failed(point_bounds(read_points(landmarks()), n_resamples=99))
    rng = np.random.default_rng(3)
    heavy = landmarks()
    heavy[["x", "y"]] += rng.laplace(0, 3, (len(heavy), 2))
    assert not {"same_unit", "far_points", "swaps"} & set(
        failed(point_bounds(read_points(heavy), n_resamples=99))
    )


def test_two_readers_who_exchanged_all_landmarks_are_both_named():
    frame = landmarks()
    frame = frame[frame["reader"] != "cleo"]
    swapped = of_ben(
        frame,
        ["landmark"],
        lambda c: c["landmark"].replace({"left": "right", "right": "left"}),
    )
    found = failed(point_bounds(read_points(swapped), n_resamples=99))
    assert "left and right by anna or ben" in found["swaps"]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (
            of_ben(landmarks(), ["landmark"], lambda c: c["landmark"].str.upper()),
            "landmarks 'APEX' and 'apex' differ by capitals alone",
        ),
        (landmarks().drop(columns="landmark"), "which column is the landmark"),
        (pd.concat([landmarks(), landmarks().iloc[:1]]), "1 point was put twice"),
    ],
)
def test_points_that_are_refused(frame, message):
    with pytest.raises(AnnostatError, match=message):
        read_points(frame)


def test_few_gross_items_leave_no_interval():
    frame = landmarks()
    here = (frame["reader"] == "ben") & (frame["image"] < "i03")
    frame.loc[here, "landmark"] = frame["landmark"][here].replace(
        {"left": "right", "right": "left"}
    )
    rms = point_bounds(read_points(frame))["rms"]
    assert rms.interval is None and "few items hold the squares" in rms.two_readers.note
