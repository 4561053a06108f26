"""The students that come with the checkout are what their cards say, and commands know them."""

import json

import numpy as np
import pytest

from annostat import AnnostatError
from models import infer, ship
from models.checkpoints import load_student
from models.data.teachers import Source, parse_teacher
from models.network.predict import predict
from models.network.weights import SHIPPED, find_weights, read_student, shipped_names
from models.ship import score_card
from models.world.phantom import make_clip


@pytest.mark.parametrize("name", shipped_names())
def test_dice_is_what_the_card_says(name, tmp_path):
    """On clips of a seed that the student was not trained on, drawn anew."""
    student, config = load_student(name)
    _, facts = read_student(name)
    test = facts["card"]["test"]
    found = score_card(student, config, tmp_path)
    assert found["clips"] == test["clips"] and f"seed {config.data.seed}," not in test["clips"]
    for structure, scores in test["scores"].items():
        for score, value in scores.items():
            mine = found["scores"][structure][score]["value"]
            assert mine == pytest.approx(value["value"], abs=1e-3)
            assert value["low"] < mine < value["high"]
    assert (SHIPPED / f"{name}.safetensors").stat().st_size < 150_000
    beside = json.loads((SHIPPED / f"{name}.json").read_text())
    assert (
        beside["card"] == facts["card"]
        and "not for images of patients" in beside["card"]["purpose"]
    )


def test_the_tiny_student_is_good():
    _, facts = read_student("phantom-tiny")
    assert facts["card"]["test"]["scores"]["LV"]["dice"]["low"] > 0.9


def test_commands_take_the_name(tmp_path, monkeypatch):
    frames = np.array(make_clip(3, 0, size=48, frames=10).frames)
    np.save(tmp_path / "a.npy", frames)
    infer.main(
        ["phantom-tiny", str(tmp_path / "a.npy"), "--out", str(tmp_path / "m"), "--quiet"],
        standalone_mode=False,
    )
    student, _ = load_student("phantom-tiny")
    masks = np.load(tmp_path / "m" / "a.npz")["arr_0"]
    assert np.array_equal(masks, predict(student, frames)[:, 0])
    taught = parse_teacher("LV=student:phantom-tiny").masks(Source("a", frames))
    assert np.array_equal(taught, masks)
    # A file of that name comes first, and a path is never taken for a name.
    monkeypatch.chdir(tmp_path)
    assert find_weights("phantom-tiny") == SHIPPED / "phantom-tiny.safetensors"
    assert find_weights("out/phantom-tiny").parts == ("out", "phantom-tiny")
    (tmp_path / "phantom-tiny").write_bytes(b"junk")
    with pytest.raises(AnnostatError, match="weights 'phantom-tiny' cannot be used"):
        load_student("phantom-tiny")
    with pytest.raises(
        AnnostatError, match="there are no weights 'tiny'; by name there are: phantom-tiny"
    ):
        load_student("tiny")


def test_a_card_is_of_hearts_that_were_not_trained_on(tmp_path):
    import dataclasses

    student, config = load_student("phantom-tiny")
    seen = dataclasses.replace(config, data=dataclasses.replace(config.data, seed=ship.SEED))
    with pytest.raises(AnnostatError, match="was trained on hearts of the seed of cards"):
        score_card(student, seen, tmp_path)
    with pytest.raises(AnnostatError, match="--name must be of a-z"):
        ship.main(["phantom-tiny", "--name", "A/b"], standalone_mode=False)
