"""Items and labels that a wanted width of κ, or of a ceiling, takes."""

import json

import numpy as np
import pandas as pd
import pytest

from annostat import AnnostatError
from annostat.agreement import category_agreement
from annostat.ceilings import category_bounds, plan_categories
from annostat.ceilings.category_plan import law_of, law_of_many
from annostat.ceilings.mixing import Cells, Mixture
from annostat.labels import Categories


def pilot(n=200, k=3, seed=1):
    rng = np.random.default_rng(seed)
    p = rng.beta(0.4, 0.4, n)
    codes = (rng.random((n, k)) < p[:, None]).astype(np.int16)
    return Categories(codes, ("no", "yes"), tuple(f"r{j}" for j in range(k)))


def test_planned_items_give_the_width_of_kappa():
    """Checked by studies of the planned size from the law itself, not from its fit."""
    plan = plan_categories(pilot(2000), half_width=0.06, rng=2)
    rng = np.random.default_rng(5)
    for k, n in plan.needed.items():
        widths = []
        for _ in range(20):
            p = rng.beta(0.4, 0.4, n)
            x = rng.binomial(k, p)
            found = category_agreement(Categories.from_counts(np.column_stack([k - x, x])))
            widths.append((found["fleiss"].high - found["fleiss"].low) / 2)
        assert np.mean(widths) == pytest.approx(0.06, rel=0.15), k
    assert plan.coverage > 0.85 and plan.bracket == {2: 0.0, 3: 0.0, 5: 0.0}
    assert plan.needed[2] > plan.needed[3] > plan.needed[5]
    assert "items labelled 2 times" in plan.answer() and "in studies simulated" in plan.quote()


def test_planned_items_give_the_width_of_a_ceiling():
    plan = plan_categories(pilot(2000), aim="accuracy", half_width=0.06, n_labels=[2, 5], rng=3)
    rng = np.random.default_rng(6)
    n = plan.needed[5]
    widths = []
    for _ in range(8):
        x = rng.binomial(5, rng.beta(0.4, 0.4, n))
        found = category_bounds(Categories.from_counts(np.column_stack([5 - x, x])))
        limits = found["accuracy"].interval
        widths.append((limits.high - limits.low) / 2)
    assert np.mean(widths) == pytest.approx(0.06, rel=0.3)
    # What labels leave open no number of items closes.
    narrow = plan_categories(pilot(), aim="accuracy", half_width=0.02, n_labels=[2], n_studies=2)
    assert narrow.needed == {2: None} and narrow.bracket[2] > 0.02
    assert "take more labels" in narrow.answer() and narrow.quote() == ""
    assert narrow.to_dict()["needed"][0]["n_items"] is None


@pytest.mark.parametrize("ordinal", [False, True])
def test_kappa_of_several_classes_is_planned(ordinal):
    """The width that is promised is that of studies from the law itself."""
    rng = np.random.default_rng(8)

    def study(n, k):
        p = rng.dirichlet([0.3] * 4, n)
        counts = rng.multinomial(k, p)
        return Categories.from_counts(counts, classes=tuple("1234"), ordinal=ordinal)

    plan = plan_categories(study(1500, 4), half_width=0.06, n_labels=[2, 4], rng=2)
    truth = 1 - 4 * 0.3 / (4 * 0.3 + 1)  # of a Dirichlet law, for any distance
    assert plan.value == pytest.approx(truth, abs=0.04) and plan.positive == ""
    assert ("of the quadratic κ" in plan.answer()) == ordinal
    for k, n in plan.needed.items():
        found = [category_agreement(study(n, k)) for _ in range(15)]
        limits = [f["fleiss"] for f in found]
        width = np.mean([(e.interval.high - e.interval.low) / 2 for e in limits])
        assert width == pytest.approx(0.06, rel=0.2), k


def test_the_law_of_many_classes_gives_the_pilots_pairs():
    rng = np.random.default_rng(3)
    labels = Categories.from_counts(rng.multinomial(3, rng.dirichlet([0.5] * 3, 4000)))
    p, w = law_of_many(labels)
    pairs = np.einsum("i,ia,ib->ab", w, p, p)
    counts = labels.counts
    seen = (counts[:, :, None] * (counts[:, None, :] - np.eye(3))).mean(axis=0) / 6
    assert pairs == pytest.approx(seen, abs=0.01)


def test_the_law_that_studies_are_drawn_from_gives_the_pilots_counts():
    x = np.repeat([0, 1, 2, 3], [60, 12, 8, 40])
    mixture = Mixture(Cells.of(x, np.full(120, 3)))
    p, w = law_of(mixture)
    assert w.sum() == pytest.approx(1)
    assert mixture.cells.law(p) @ w == pytest.approx(np.array([60, 12, 8, 40]) / 120, abs=0.01)


def test_what_cannot_be_planned_is_refused():
    with pytest.raises(AnnostatError, match="needs 20 items"):
        plan_categories(pilot(10))
    three = Categories.from_array([["a", "b"], ["c", "c"]] * 20)
    with pytest.raises(AnnostatError, match="there are 3: name the positive"):
        plan_categories(three, aim="accuracy")
    with pytest.raises(AnnostatError, match="aim must be"):
        plan_categories(pilot(), aim="rmse")
    with pytest.raises(AnnostatError, match="of one class"):
        plan_categories(Categories(np.zeros((30, 2), dtype=np.int16), ("a", "b"), ("x", "y")))


def test_command(run, tmp_path):
    labels = pilot()
    frame = pd.DataFrame(np.array(["no", "yes"])[labels.codes], columns=labels.names)
    frame.insert(0, "clip", [f"c{i:03d}" for i in range(200)])
    frame.to_csv(tmp_path / "t.csv", index=False)
    code, out, err = run("plan", tmp_path / "t.csv", "--for", "agreement", "--half-width", "0.1")
    assert (code, err) == (0, "") and "that makes the 95% interval of the κ" in " ".join(
        out.split()
    )
    code, out, _ = run("plan", tmp_path / "t.csv", "--for", "agreement", "--json", "-")
    assert json.loads(out)["aim"] == "agreement"
    code, _, err = run("plan", "--for", "f1")
    assert code == 2 and "no input" in err


def test_grades_at_the_command_line(run, tmp_path):
    rng = np.random.default_rng(4)
    p = rng.dirichlet([0.3] * 3, 150)
    codes = (rng.random((150, 3))[:, :, None] > p.cumsum(axis=1)[:, None, :-1]).sum(axis=2)
    words = pd.DataFrame(np.array(["low", "mid", "top"])[codes], columns=["a", "b", "c"])
    words.to_csv(tmp_path / "t.csv", index=False)
    given = ("plan", tmp_path / "t.csv", "--for", "agreement", "--half-width", "0.1")
    code, out, err = run(*given, "--order", "low", "mid", "top")
    assert (code, err) == (0, "") and "of the quadratic κ of two" in " ".join(out.split())
    pd.DataFrame(codes, columns=["a", "b", "c"]).to_csv(tmp_path / "t.csv", index=False)
    code, again, _ = run(*given, "--kind", "ordinal", "--rounds", "a", "b", "c")
    assert code == 0 and "of the quadratic κ of two" in " ".join(again.split())
    _, nominal, _ = run(*given, "--rounds", "a", "b", "c")
    assert "of the κ of two" in " ".join(nominal.split())
