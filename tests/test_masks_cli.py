"""`annostat masks` as a user meets it: files, folders, models, JSON, one line for bad input."""

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from annostat import simulate_masks
from annostat.datasets import read_masks
from annostat.plotting import plot_disputed, plot_ladder
from annostat.report import part_of
from tests import folders

SCHEMA = Path(__file__).parent.parent / "docs" / "masks.schema.json"


@pytest.fixture(scope="module")
def drawn():
    return simulate_masks(24, 3, noise_px=1.5, rng=1, shape=(48, 48), radius_px=(8, 16))


@pytest.fixture
def one_file(drawn, tmp_path):
    rounds, _ = drawn
    path = tmp_path / "three.npz"
    masks = dict(zip(("anna", "ben", "cleo"), rounds.values, strict=True))
    np.savez(
        path, **masks, cluster=np.array([f"p{i // 2}" for i in range(24)]), spacing=np.full(24, 0.5)
    )
    return path


@pytest.fixture
def three_folders(drawn, tmp_path):
    """One folder for each rater with clips of six frames; ben lacks one clip."""
    rounds, truth = drawn
    for name, masks in zip(("anna", "ben", "cleo", "model"), [*rounds.values, truth], strict=True):
        (tmp_path / name).mkdir()
        for c in range(4):
            if (name, c) != ("ben", 3):
                np.savez(tmp_path / name / f"clip{c}.npz", masks[6 * c : 6 * c + 6].astype(bool))
    return [tmp_path / name for name in ("anna", "ben", "cleo")]


def test_json_keeps_its_promise(run, one_file, drawn, tmp_path):
    model = tmp_path / "net.npz"
    np.savez(model, output=drawn[1])
    code, out, err = run("masks", one_file, "--model", f"perfect={model}", "--json", "-")
    assert (code, err) == (0, "")
    data = json.loads(out)
    jsonschema.validate(data, json.loads(SCHEMA.read_text()))
    assert data["raters"] == ["anna", "ben", "cleo"] and len(data["pairs"]) == 3
    assert data["models"][0]["model"] == "perfect"
    assert data["pairs"][0]["unit"] == "mm"
    again = run("masks", one_file, "--model", f"perfect={model}", "--json", "-", "--n-jobs", "1")
    assert again[1] == out


def test_folders_of_clips_with_a_missing_one(run, three_folders):
    rounds = read_masks(three_folders)
    assert rounds.names == ("anna", "ben", "cleo") and rounds.items[7] == "clip1:1"
    assert rounds.drawn[1].tolist() == [True] * 18 + [False] * 6
    assert len(set(rounds.cluster)) == 4
    model = three_folders[0].parent / "model"
    code, out, err = run("masks", *three_folders, "--model", model, "--spacing", "0.3")
    assert (code, err) == (0, "")
    told = " ".join(out.split())
    assert "anna, ben 18 " in told and "anna, cleo 24 " in told and "(mm)" in told
    assert "Models against one rater" in out and "model" in out
    together = three_folders[0].parent
    code, nothing, err = run("masks", together)
    assert (code, nothing) == (2, "") and "only you know" in err and "anna, ben, cleo, model" in err
    for args in (("--raters", "anna", "ben", "cleo", "--model", "model"), ("--model", "model")):
        code, again, err = run("masks", together, *args, "--spacing", "0.3")
        assert (code, err) == (0, "") and again == out


def test_cite_takes_no_word(run, three_folders):
    a, b = three_folders[0], three_folders[2]
    for more in (("--cite",), ("--cite", "--level", "0.9")):
        code, out, err = run("masks", a, b, *more)
        assert code == 0 and "The annostat developers" in out, err


def test_files_and_patients(run, drawn, tmp_path):
    rounds, _ = drawn
    for name, masks in zip("ab", rounds.values, strict=False):
        np.savez(tmp_path / f"{name}.npz", masks * np.uint8(255))
    table = tmp_path / "patients.csv"
    table.write_text("item,patient\n" + "".join(f"{i},p{i // 3}\n" for i in range(24)))
    code, out, _ = run("masks", tmp_path / "a.npz", tmp_path / "b.npz", "--patients", table)
    assert code == 0 and "2 raters, 24 items" in out and "clusters" in out and "⅔ to ¾" in out
    table.write_text(table.read_text() + "nobody,p9\n")
    code, out, _ = run("masks", tmp_path / "a.npz", tmp_path / "b.npz", "--patients", table)
    assert code == 0
    assert "1 of the 25 names in the table of patients match no mask: nobody" in " ".join(
        out.split()
    )
    table.write_text("item,patient\n0,p\n")
    code, _, err = run("masks", tmp_path / "a.npz", tmp_path / "b.npz", "--patients", table)
    assert code == 2 and "does not have '1'" in err
    soft = (rounds.values[0] * 200).astype(np.uint8)
    np.savez(tmp_path / "c.npz", soft)
    code, out, _ = run("masks", tmp_path / "a.npz", tmp_path / "c.npz", "--kind", "uint8")
    assert code == 0


def test_consensus_is_written_and_refused_as_a_model(run, one_file, tmp_path):
    target = tmp_path / "agreed.npz"
    for method in ("boundary", "majority", "staple"):
        code, _, _ = run("masks", one_file, "--consensus", target, "--method", method)
        assert code == 0
        with np.load(target, allow_pickle=False) as data:
            assert data["output"].shape == (24, 48, 48) and data["output"].max() == 1
            assert str(data["method"]) == method
            assert data["consensus_of"].tolist() == ["anna", "ben", "cleo"]
    code, out, err = run("masks", one_file, "--model", target)
    assert code == 2 and out == "" and "too good" in err and err.count("\n") == 1


def test_plot_and_report(run, one_file, tmp_path):
    for suffix in ("png", "svg"):
        assert run("masks", one_file, "--plot", tmp_path / f"p.{suffix}")[0] == 0
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    from annostat.truth import compare_masks

    result = compare_masks(read_masks([one_file]), surface=False, n_resamples=50)
    assert "1/k" in plot_ladder(result).get_xlabel()
    assert len(plot_disputed(result, n=5).images) == 5
    part = part_of(result)
    assert "perfect model" in part.answer[0] and len(part.pictures) == 2
    two = compare_masks(read_masks([one_file]).choose(["anna", "ben"]), n_resamples=50)
    plot_ladder(two.ceilings[1])
    part_of(two)


def test_labels(run, drawn, tmp_path):
    rounds, _ = drawn
    a, b = (v * np.uint8(4) for v in rounds.values[:2])
    np.savez(tmp_path / "l.npz", a=a, b=b)
    code, out, _ = run("masks", tmp_path / "l.npz", "--labels", "4", "--json", "-")
    assert code == 0 and json.loads(out)["labels"] == [4]
    for labels, words in (
        ("5", "stands in no mask; found: 4"),
        ("x", "--labels"),
        ("1.5", "whole"),
    ):
        code, _, err = run("masks", tmp_path / "l.npz", "--labels", labels)
        assert code == 2 and words in err and err.count("\n") == 1
    code, out, _ = run("masks", tmp_path / "l.npz", "--json", "-")
    data = json.loads(out)
    assert code == 0 and data["labels"] == [4] and "label maps, with the labels 4" in data["read"]
    code, _, err = run("masks", tmp_path / "l.npz", "--kind", "binary")
    assert code == 2 and "label map, not one outline" in err and err.count("\n") == 1


def test_echonet_folder(run, tmp_path):
    echo = folders.EchoFolder.make(3, n_frames=12)
    rng = np.random.default_rng(0)
    for name in echo.names:
        heart = echo.hearts[name]
        for frame in (heart.es, heart.ed):
            drawn = [heart.trace(frame, scale=s, rng=rng) for s in (0.97, 1.03)]
            echo.retrace(name, frame, drawn)
    root = echo.write(tmp_path / "echo")
    rounds = read_masks([root])
    assert rounds.exchangeable and rounds.n_raters == 2 and rounds.n_items == 6
    code, out, _ = run("masks", root)
    assert code == 0 and "2 raters, 6 items" in out
    single = folders.EchoFolder.make(2, n_frames=12).write(tmp_path / "single")
    code, _, err = run("masks", single)
    assert code == 2 and "two annotators" in err


def test_bad_input_is_one_line(run, drawn, tmp_path):
    rounds, _ = drawn
    a, b = rounds.values[:2]

    def stored(name, **arrays):
        np.savez(tmp_path / name, **arrays)
        return tmp_path / name

    empty = tmp_path / "empty"
    empty.mkdir()
    lonely = tmp_path / "lonely"
    lonely.mkdir()
    np.savez(lonely / "clip.npz", a)
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"PK\x03\x04 nothing")
    text = tmp_path / "text.npz"
    text.write_text("no archive")
    pickled = tmp_path / "pickled.npz"
    np.savez(pickled, a=np.array([{}], dtype=object), b=b)
    good = stored("good.npz", a=a, b=b)
    single = stored("single.npz", output=a)
    holes = np.where(a, np.nan, 0.0)
    cases = [
        ((), "no input"),
        ((tmp_path / "missing.npz",), "no file or folder"),
        ((empty,), "holds no masks that are read"),
        ((lonely,), "one folder for each rater"),
        ((lonely, good), "mixture"),
        ((single,), "one rater"),
        ((single, tmp_path / "single.npz"), "named 'single'"),
        ((broken,), "broken.npz cannot be read"),
        ((text,), "text.npz cannot be read"),
        ((pickled,), "not numbers"),
        ((stored("shape.npz", a=a, b=b[:, :40]),), "same items and image size"),
        ((stored("n.npz", a=a, b=b[:5]),), "same items and image size"),
        ((stored("two.npz", a=a, b=b * 2),), "no two raters draw one label"),
        ((stored("soft.npz", a=a * 0.5, b=b),), "state its kind"),
        ((stored("nan.npz", a=a, b=holes),), "not finite"),
        ((stored("none.npz", a=a, b=b, present=np.array([[1] * 24, [0] * 24])),), "no mask by b"),
        ((stored("p.npz", a=a, b=b, present=np.ones(3)),), "2 raters × items"),
        ((stored("i.npz", a=a, b=b, items=np.array(["x"])),), "items has 1"),
        ((stored("zero.npz", a=a * 0, b=b * 0),), "nothing to compare"),
        ((good, "--spacing", "0"), "positive"),
        ((good, "--spacing", "a"), "--spacing"),
        ((good, "--model", single, "--model", single), "same name"),
        ((good, "--model", stored("m.npz", output=a[:3])), "3 masks for 24"),
        ((good, "--model", lonely), "none of the items"),
        ((good, "--example", "lidc-masks"), "not both"),
        ((good, "--level", "2"), "level"),
        ((good, "--consensus", tmp_path / "no" / "c.npz"), "cannot be written"),
    ]
    for args, words in cases:
        code, out, err = run("masks", *args)
        assert code == 2 and out == "", args
        assert words in err and err.count("\n") == 1, (args, err)
