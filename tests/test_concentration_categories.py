"""Which items carry the disagreement on categories, and which a model's errors."""

import json

import numpy as np
import pandas as pd
import pytest

from annostat import AnnostatError
from annostat.concentration import category_concentration
from annostat.labels import Categories

NAMES = np.array(["no", "yes"], dtype=object)


def equally_hard(n, k, rng):
    truth = rng.random(n) < 0.4
    yes = np.where(truth[:, None], rng.random((n, k)) < 0.8, rng.random((n, k)) > 0.9)
    return Categories(yes.astype(np.int16), ("no", "yes"), tuple(f"r{j}" for j in range(k)))


def test_losses_are_what_loops_give():
    labels = Categories.from_array(
        [["a", "b", "a"], ["a", "a", None], ["c", "b", "a"], ["b", "b", "b"]]
    )
    found = category_concentration(labels)
    assert found.null is not None
    two = category_concentration(labels.binary("a"))
    assert two.null is None and two.checks[0].name == "null"  # fitted exactly
    shares = dict(zip(found.items[found.curve.order], found.curve.loss, strict=True))
    assert [shares[f"row {i}"] for i in (1, 2, 3, 4)] == pytest.approx([2 / 3, 0, 1, 0])
    model = category_concentration(labels, ["a", "b", "b", "other"], n_resamples=19)
    shares = dict(zip(model.items[model.curve.order], model.curve.loss, strict=True))
    assert [shares[f"row {i}"] for i in (1, 2, 3, 4)] == pytest.approx([1 / 3, 1, 2 / 3, 1])


def test_equally_hard_items_are_not_accused_and_hard_ones_are():
    rng = np.random.default_rng(1)
    found = [
        category_concentration(equally_hard(200, 5, rng), n_resamples=39).excess.p_value
        for _ in range(25)
    ]
    assert np.mean(np.array(found) <= 0.05) <= 0.2
    p = np.where(rng.random(300) < 0.1, 0.5, rng.choice([0.01, 0.99], 300))
    codes = (rng.random((300, 5)) < p[:, None]).astype(np.int16)
    hard = Categories(codes, ("no", "yes"), tuple("abcde"))
    told = category_concentration(hard, n_resamples=99)
    assert told.excess.p_value <= 0.05 and "all items of a class" in told.answer()


def test_another_annotator_as_the_model_is_not_accused():
    """The exact null: a model's label is one of the annotators'."""
    rng = np.random.default_rng(2)
    p_values = []
    for _ in range(40):
        p = rng.beta(0.4, 0.4, 120)
        codes = (rng.random((120, 4)) < p[:, None]).astype(np.int16)
        labels = Categories(codes[:, :3], ("no", "yes"), tuple("abc"))
        found = category_concentration(labels, NAMES[codes[:, 3]], n_resamples=39)
        p_values.append(found.excess.p_value)
    assert np.mean(np.array(p_values) <= 0.05) <= 0.15
    # A model that is right but for a few clear items.
    p = rng.choice([0.05, 0.95], 300)
    codes = (rng.random((300, 3)) < p[:, None]).astype(np.int16)
    wrong = np.arange(300) < 50
    said = NAMES[((p > 0.5) ^ wrong).astype(int)]
    found = category_concentration(Categories(codes, ("no", "yes"), tuple("abc")), said, name="net")
    assert found.excess.p_value < 0.05
    assert "On " in found.excess.verdict and "all annotators agree" in found.answer()
    assert {f"row {i + 1}" for i in range(50)} >= set(found.worst_items()["item"][:15])
    assert found.plot().axes[0].get_ylabel() == "share of the disagreement (%)"


def test_what_cannot_be_shared_out_is_refused():
    same = Categories.from_array([["a", "a"]] * 5 + [["b", "b"]])
    with pytest.raises(AnnostatError, match="annotators never differ"):
        category_concentration(same)
    with pytest.raises(AnnostatError, match="agrees with every label"):
        category_concentration(same, ["a"] * 5 + ["b"])
    with pytest.raises(AnnostatError, match="3 answers for 6 items"):
        category_concentration(same, ["a"] * 3)
    with pytest.raises(AnnostatError, match="they have x, the labels have a, b"):
        category_concentration(same, ["x"] * 6)


def test_command(run, tmp_path):
    rng = np.random.default_rng(3)
    labels = equally_hard(120, 4, rng)
    frame = pd.DataFrame(NAMES[labels.codes], columns=labels.names)
    frame.insert(0, "clip", [f"c{i:03d}" for i in range(120)])
    frame.to_csv(tmp_path / "t.csv", index=False)
    base = ("concentration", tmp_path / "t.csv", "--kind", "categories", "--resamples", "39")
    code, out, err = run(*base, "--rounds", "r0", "r1", "r2", "r3", "--plot", tmp_path / "c.svg")
    assert (
        (code, err) == (0, "") and "hold" in out and "of the disagreement" in " ".join(out.split())
    )
    assert (tmp_path / "c.svg").stat().st_size > 1000
    code, out, _ = run(*base, "--rounds", "r0", "r1", "r2", "--model", "r3", "--json", "-")
    found = json.loads(out)
    assert found["loss"] == "disagreement" and found["null"]["law"].startswith("the label of")
    code, _, err = run(*base, "--column", "r0")
    assert code == 2 and "--column does not go with categories" in err
