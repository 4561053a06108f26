"""Masks of readers with habits in a reader's place: plain twin, squares, invariances."""

import itertools
import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from scipy import stats

from analysis.calibration.designs import Design
from analysis.calibration.habits import SUITES, drawn
from analysis.calibration.runner import run_suite
from annostat.ceilings.outlines import outlines_of
from annostat.cli import main
from annostat.interchange import interchange
from annostat.interchange.habits import allowing_for_pixels
from annostat.labels import MaskRounds

SCHEMA = json.loads(
    (Path(__file__).parent.parent / "docs" / "interchange.schema.json").read_text(encoding="utf-8")
)


def rounds_of(masks, **options):
    return MaskRounds.from_arrays({f"r{j}": m for j, m in enumerate(masks)}, **options)


def outlines(law="gauss, 4 px", n=12, k=3, seed=1):
    masks, models = drawn(Design(n, law, k), np.random.default_rng(seed), models=True)
    return masks, {name: models[name] for name in ("true masks", "a fresh rater")}


def squares_of(*halves, side=80, n=4):
    """Squares of half-widths about the middle, n items of each reader."""
    y, x = np.indices((side, side)) - (side - 1) / 2
    far = np.maximum(abs(y), abs(x))
    return [np.stack([far < half + i for i in range(n)]) for half in halves]


def size_of(found):
    return next(c for c in found.checks if c.name == "habit_size")


# ---------------------------------------------------------------- plain twin


def plain_loss(inner, outer):
    """1 − Dice of two masks."""
    return 1 - 2 * np.sum(inner & outer) / (inner.sum() + outer.sum())


def loss_when_moved(d, by, e, other):
    """1 − Dice of outlines moved inwards by `by` and `other`, by a cubic over whole pixels."""
    apart = by - other
    whole = np.floor(apart) + np.arange(-1, 3)
    losses = []
    for t in whole:
        at = by + (t - apart) / 2
        q = np.floor(at)
        ends = [plain_loss(d > q + s, e > q + s - t) for s in (0, 1)]
        losses.append(ends[0] * (1 - (at - q)) + ends[1] * (at - q))
    return np.polyval(np.polyfit(whole - apart, losses, 3), 0.0)


def plain(masks, model):
    """γ in shape with its reach, and γ of the reader of mean size, with loops."""
    k, n = len(masks), len(masks[0])
    area = np.array([[m[i].sum() for i in range(n)] for m in (*masks, model)], dtype=float)
    size, pixel = np.zeros_like(area), np.zeros(n)
    for i in range(n):
        d = outlines_of(np.stack([m[i] for m in masks]), 2).mean(axis=0)
        length = (np.clip(d + 1, 0, 1) - np.clip(d, 0, 1)).sum()
        size[:, i] = (area[:, i] - area[:k, i].mean()) / length
        pixel[i] = length / (2 * area[:k, i].mean())
    h = size.mean(axis=1)
    change, mean_reader, among = np.zeros(n), np.zeros(n), np.zeros(n)
    for i in range(n):
        d = outlines_of(np.stack([m[i] for m in (*masks, model)]), 20)
        readers = list(itertools.combinations(range(k), 2))
        change[i] = np.mean([loss_when_moved(d[k], h[k], d[j], h[j]) for j in range(k)])
        among[i] = np.mean([loss_when_moved(d[j], h[j], d[o], h[o]) for j, o in readers])
        whole = np.arange(-5, 6)
        for j, o in itertools.permutations(range(k), 2):
            loss = [plain_loss(d[j] > t, d[o] > 0) for t in whole]
            first = min(int(np.floor(h[j])) + 5, len(whole) - 3) - 1
            near = slice(first, first + 4)
            moved_there = np.polyval(np.polyfit(whole[near] - h[j], loss[near], 3), 0.0)
            mean_reader[i] += (moved_there - loss[5]) / (k * (k - 1))
    change -= among
    error = change.std(ddof=1) / np.sqrt(n)
    of_pixels = 0.06 * pixel.mean() / max(among.mean() / pixel.mean(), 0.3)
    reach = stats.t.ppf(0.975, n - 1) * error + of_pixels
    return change.mean(), reach, mean_reader.mean()


@pytest.mark.parametrize("k", [2, 3])
def test_plain_loops_say_the_same(k):
    masks, models = outlines(k=k)
    found = interchange(rounds_of(masks), models, readers="these")
    for name, model in models.items():
        value, reach, mean_reader = plain(masks, model)
        e = found.habits.in_shape[name].change
        assert e.value == pytest.approx(value, abs=1e-12)
        assert e.interval.high - e.value == pytest.approx(reach, rel=1e-9)
        assert found.habits.mean_reader.value == pytest.approx(mean_reader, abs=1e-12)
        assert found.habits.mean_reader.interval is None
        assert found.habits.mean_reader.note.startswith("no interval")


# ---------------------------------------------------------------- known answers


def test_limits_and_verdicts_in_shape_allow_for_pixels():
    masks, models = outlines(n=12, k=2)
    found = interchange(rounds_of(masks), models, readers="these")
    place = found.habits.in_shape["true masks"]
    same = allowing_for_pixels(place, 0.0)
    assert same.change.interval.high == place.change.interval.high
    assert place.standing.name == same.standing.name == "better than a reader"
    far = allowing_for_pixels(place, 0.5)  # more than two outlines can differ by
    assert far.change.value == place.change.value and far.standing.name == "not resolved"
    assert far.change.low == pytest.approx(place.change.low - 0.5)
    assert far.change.high == pytest.approx(place.change.high + 0.5)
    assert far.standing.least_margin == pytest.approx(place.standing.least_margin + 0.5)
    moved = far.places[0].change
    assert moved.high == pytest.approx(place.places[0].change.high + 0.5)


def test_squares_that_differ_in_size_alone_are_alike_in_shape():
    small, middle, large = squares_of(20, 21, 22)
    found = interchange(rounds_of([small, large]), {"model": middle})
    habits = found.habits
    assert [s.value for s in habits.size] == pytest.approx([-1, 1], abs=0.02)
    # Areas grow with squares: 42² is 4 pixels less than the mean of 40² and 44², of 170 around.
    assert habits.models["model"].value == pytest.approx(-4 / 172, abs=0.002)
    two = found.among.value
    assert two > 0.08
    # Whole pixels moved the squares would be one: sizes from areas are 1% too large, and at so
    # little beyond 2 px cubics through 1, 0, 1, 2 px of outlines leave this much.
    beyond = 2 * habits.size[1].value - 2
    side = 42 + 2 * np.arange(4)
    one = [1 - 2 * a**2 / (a**2 + (a + 2) ** 2) for a in (side - 2, side)]
    cubic = np.polyfit([-1, 0, 1, 2], [1, 0, 1, 2], 3)
    assert habits.aligned == pytest.approx(np.mean(one) * np.polyval(cubic, beyond), rel=0.1)
    assert abs(habits.in_shape["model"].change.value) < 0.01 * two
    # A reader of mean size is the square in the middle.
    drawn_change = found.models[0].change.value
    assert drawn_change < -0.04
    assert habits.mean_reader.value == pytest.approx(drawn_change, abs=0.01 * two)


def test_a_fresh_rater_is_better_by_size_alone():
    masks, models = outlines(n=30, k=2, seed=4)
    found = interchange(rounds_of(masks), {"net": models["a fresh rater"]})
    assert found.models[0].standing.name == "better than a reader"
    assert found.habits.in_shape["net"].standing.name == "not resolved"
    check = size_of(found)
    assert check.passed is False and "r0 +1.8, r1 -1.8" in check.message
    assert "As drawn net is better than a reader, in shape this is not shown" in check.message
    text = str(found)
    assert "what is size, and what is shape" in text and "verdict in shape" in text
    low, high = found.models[0].share
    assert 0.7 < low < high < 0.95
    shape = found.habits.in_shape["net"].change
    masks, models = outlines("gauss, 0 px", n=30, k=2, seed=4)
    found = interchange(rounds_of(masks), {"net": models["a fresh rater"]})
    assert found.habits is None and size_of(found).passed and "shape" not in str(found)
    # The same outlines without their habits: what is left in shape.
    alike = found.models[0].change
    assert shape.value == pytest.approx(alike.value, abs=0.002)
    assert shape.interval.high == pytest.approx(alike.interval.high, abs=0.002)


def test_order_and_names_do_not_matter():
    masks, models = outlines()
    one = interchange(rounds_of(masks), models, readers="these").habits
    turned = {name: models[name] for name in reversed(models)}
    two = interchange(rounds_of(masks[::-1]), turned, readers="these").habits
    assert one.mean_reader.value == pytest.approx(two.mean_reader.value, abs=1e-12)
    assert one.aligned == pytest.approx(two.aligned, abs=1e-12)
    assert one.perfect == pytest.approx(two.perfect, abs=1e-12)
    for name in models:
        a, b = one.in_shape[name].change, two.in_shape[name].change
        assert a.value == pytest.approx(b.value, abs=1e-12)
        assert a.interval.low == pytest.approx(b.interval.low, abs=1e-12)


# ---------------------------------------------------------------- where there is nothing to say


def test_other_distances_have_checks_alone_and_anonymous_readers_none():
    masks, models = outlines()
    found = interchange(rounds_of(masks), models, distance="1-iou")
    assert found.habits is None and size_of(found).passed is None
    assert size_of(found).message.endswith("they are in the changes.")
    found = interchange(rounds_of(masks, exchangeable=True), models)
    assert found.habits is None and not any(c.name.startswith("habit") for c in found.checks)
    found = interchange(rounds_of([m[:2] for m in masks]), {"m": models["true masks"][:2]})
    assert found.habits is None and not any(c.name.startswith("habit") for c in found.checks)


def test_a_model_that_leaves_an_item_empty_and_gaps_of_readers():
    masks, models = outlines(n=16)
    model = models["true masks"].copy()
    model[0] = False
    masks[1][2] = False
    found = interchange(rounds_of(masks), {"net": model})
    assert found.habits.n_items == 15
    place = found.habits.in_shape["net"]
    assert place.n_items == 15 and np.isfinite(place.change.value)
    kept = [m[3:] for m in masks]
    whole = interchange(rounds_of(kept), {"net": model[3:]}).habits
    assert place.change.value > whole.in_shape["net"].change.value  # the empty mask counts as 1
    assert abs(found.habits.models["net"].value) < 0.5  # and is no habit
    nothing = interchange(rounds_of(masks), {"net": model & False})
    assert nothing.habits is None and size_of(nothing).passed is None


def test_volumes_in_thick_slices_have_habits_of_size_alone():
    z, y, x = np.indices((10, 26, 26)) - np.array([4.5, 12.5, 12.5])[:, None, None, None]
    far = np.where(abs(z) < 3, np.maximum(abs(y), abs(x)), 99)
    boxes = [np.stack([far < half + i for i in range(4)]) for half in (7, 8, 9)]
    boxes[2][:, 1] = boxes[2][:, 2]  # a slice more, which is no larger outline
    spacing = [8.0, 1.0, 1.0]
    found = interchange(rounds_of(boxes[::2], spacing=spacing), {"net": boxes[1]})
    assert found.habits.size[1].value == pytest.approx(1, abs=0.05)
    assert abs(found.habits.models["net"].value) < 0.1  # of the mean area
    assert abs(found.habits.in_shape["net"].change.value) < 0.06
    assert not any(c.name == "habit_place" for c in found.checks)
    # Axes may stand in any order.
    turned = [np.moveaxis(b, 1, 3) for b in boxes]
    same = interchange(rounds_of(turned[::2], spacing=[1.0, 1.0, 8.0]), {"net": turned[1]})
    assert same.habits.to_dict() == found.habits.to_dict()
    # Which way slices go is not known without their thickness.
    unknown = interchange(rounds_of(boxes[::2]), {"net": boxes[1]})
    assert unknown.habits is None and "slices" in size_of(unknown).message


# ---------------------------------------------------------------- each structure


def test_each_structure_has_its_own_habits(tmp_path, capsys):
    two, models = outlines(n=12, k=3, seed=2)
    alike, plain_models = outlines("gauss, 0 px", n=12, k=3, seed=2)

    def maps(first, second):
        return np.concatenate([first * np.uint8(1), second * np.uint8(2)], axis=2)

    readers = {f"r{j}": maps(two[j], alike[j]) for j in range(3)}
    np.savez(tmp_path / "masks.npz", **readers)
    name = "a fresh rater"
    np.savez(tmp_path / "net.npz", net=maps(models[name], plain_models[name]))
    args = [str(tmp_path / "masks.npz"), "--model", f"net={tmp_path / 'net.npz'}", "--json", "-"]
    main(["interchange", *args, "--labels", "1,2"])
    found = json.loads(capsys.readouterr().out)["strata"]
    assert found["1"]["habits"]["readers"]["r0"]["value"] > 1 and found["2"]["habits"] is None
    for part in found.values():
        jsonschema.validate({"read": None, **part}, SCHEMA)


# ---------------------------------------------------------------- calibration


def test_changes_hold_as_drawn_and_in_shape():
    rows = run_suite(SUITES, "mask places", Design(12, "gauss, 4 px", 2), 20, seed=5)
    rate = {row["what"]: row["rate"] for row in rows}
    for name, hits in rate.items():
        if name.startswith("interval"):
            assert hits >= 0.75, name  # fewer: 1 in 300 at a true 92%
    assert rate["given: shape"] == 1 and rate["test: better, a fresh rater"] >= 0.9
    assert rate["test: better in shape, a fresh rater"] <= 0.3
