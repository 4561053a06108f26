"""The three protocols of picking end-systole, on clips of several beats."""

import numpy as np
import pytest

from annostat import Estimate
from annostat.cardiac import beat_length
from models.picks import PROTOCOLS, labelled_frames, picks_by, score_picks
from models.predictions import beat_around, expected_area, length_of_beat, window_of
from models.world.phantom import make_clip


@pytest.fixture(scope="module")
def hearts():
    """Exact areas of clips of 150 frames; ED and ES of one beat are labelled, as in EchoNet."""
    clips = [make_clip(5, k, size=48, frames=150) for k in range(10)]
    areas = [expected_area(255 * c.mask("LV").astype(np.uint8)) for c in clips]
    return areas, [{"ed": c.ed, "es": c.es, "fps": c.fps, "ef": c.ef} for c in clips]


def test_exact_masks_are_within_a_frame(hearts):
    """In the labelled beat and nearest to the label; a blind pick is in whatever beat it likes."""
    areas, facts = hearts
    picks = score_picks(areas, facts, labelled_frames(facts), floor=Estimate(2.0, unit="frames"))
    assert set(picks.scores) == set(PROTOCOLS)
    assert picks.scores["beat"].afd.value < 1
    assert picks.scores["nearest"].afd.value < 2  # the first of several equal areas
    assert picks.scores["blind"].afd.value > 10
    assert picks.wrong_beat["beat"] == 0 and picks.wrong_beat["blind"] > 0.2
    assert picks.scores["beat"].floor.value == 2 and picks.scores["blind"].floor is None
    text = str(picks.section())
    assert all(name in text for name in PROTOCOLS.values())
    assert set(picks.to_dict()["protocols"]) == set(PROTOCOLS)


@pytest.mark.parametrize("frames", [200, 300])
def test_longer_clips_are_no_harder(frames):
    """Six to ten beats: within a frame in the labelled one."""
    clips = [make_clip(6, k, size=48, frames=frames) for k in range(6)]
    areas = [expected_area(255 * c.mask("LV").astype(np.uint8)) for c in clips]
    facts = [{"ed": c.ed, "es": c.es, "fps": c.fps} for c in clips]
    picks = score_picks(areas, facts, labelled_frames(facts))
    assert picks.scores["beat"].afd.value < 1 and picks.wrong_beat["beat"] == 0


def test_end_diastole_is_picked_from_the_largest_areas(hearts):
    """Within a frame and a half of the label: areas at end-diastole are flat."""
    areas, facts = hearts
    picks = score_picks(areas, facts, labelled_frames(facts, "ED"), phase="ED")
    assert picks.scores["beat"].afd.value < 1.5 and abs(picks.scores["beat"].bias.value) < 1.5
    assert picks.wrong_beat["beat"] == 0
    assert "frame distance of ED" in picks.section().title
    # The label of ED itself is not looked at: moved by two frames, the picks stay.
    moved = [{**f, "ed": f["ed"] + 2} for f in facts]
    first, second = (
        picks_by(areas, f, labelled_frames(facts, "ED"), phase="ED")["beat"] for f in (facts, moved)
    )
    assert np.array_equal(first, second)


@pytest.mark.parametrize(("ed", "es"), [(86, 106), (126, 106), (46, 26)])
def test_the_beat_of_an_end_diastole(ed, es):
    """It ends at the labelled ES, or begins there, and the pick may be early or late."""
    area = 300 + 100 * np.cos(2 * np.pi * (np.arange(170) - 6) / 40)
    first, last = window_of({"ed": ed, "es": es}, area, "ED")
    assert last - first in (40, 41) and first < ed < last - 1 and es in (first, last - 1)
    assert picks_by([area], [{"ed": ed, "es": es}], [ed], phase="ED")["beat"] == [ed]


def test_a_later_beat_may_be_labelled(hearts):
    """ED and ES of the third beat, and ES before ED, as the file may have it."""
    t = np.arange(170)
    area = 300 + 100 * np.cos(2 * np.pi * (t - 6) / 40)
    for ed, es in ((86, 106), (126, 106), (6, 26)):
        first, last = beat_around({"ed": ed, "es": es}, area)
        assert last - first in (40, 41) and first <= es < last and ed in (first, last - 1)
        found = picks_by([area], [{"ed": ed, "es": es}], [es])
        assert found["beat"] == [es] and found["nearest"] == [es]


def test_a_clip_of_less_than_two_beats_that_shows_two_end_systoles():
    """Beats of 77 frames in 150: longer than half of the clip, yet a pick may be in either."""
    t = np.arange(150)
    area = 300 + 100 * np.cos(2 * np.pi * (t - 2) / 77) - 0.05 * t  # the second one is smaller
    assert np.isnan(beat_length(area))
    facts = {"ed": 2, "es": 40}
    assert length_of_beat(facts, area) == pytest.approx(77, abs=2)
    assert beat_around(facts, area)[1] == pytest.approx(79, abs=2)
    assert abs(picks_by([area], [facts], [40])["beat"][0] - 40) <= 1
    # Of half a beat nothing is made up.
    assert np.isnan(length_of_beat({}, area[:60])) and np.isnan(length_of_beat({}, area[:2]))


def test_a_clip_of_one_beat_is_taken_whole():
    area = 300 + 100 * np.cos(2 * np.pi * np.arange(30) / 34)
    assert beat_around({"ed": 2, "es": 17}, area) == (2, 30)
    assert beat_around({"ed": 29, "es": 17}, area) == (0, 30)
    assert beat_around({}, area) == (0, 30)
    assert beat_around({"beat": [3, 20], "ed": 5, "es": 9}, area) == (3, 20)


def test_labels_that_are_missing_are_left_out(hearts):
    areas, facts = hearts
    some = [dict(f) for f in facts]
    del some[0]["es"]
    some[1]["ed"] = float("nan")
    picks = score_picks(areas, some, labelled_frames(some))
    assert picks.n_clips == 8 and picks.n_unlabelled == 2
    assert score_picks(areas, [{}] * 10, labelled_frames([{}] * 10)) is None
