"""Items for the verdict "below the ceiling" of a classifier."""

import numpy as np
import pandas as pd
import pytest

from annostat import AnnostatError
from annostat.labels import Categories
from annostat.truth import plan_category_verdict, score_categories
from annostat.truth.category_planning import least


def drawn(n, err, seed=2):
    rng = np.random.default_rng(seed)
    p = rng.beta(0.5, 0.5, n)
    votes = (rng.random((n, 3)) < p[:, None]).astype(int)
    return Categories.from_array(votes), np.where(rng.random(n) < err, p < 0.5, p > 0.5).astype(int)


def test_power_grows_and_is_that_of_new_studies():
    labels, net = drawn(400, 0.15)
    plan = plan_category_verdict(labels, {"net": net}, n_resamples=30)
    powers = [p.power for p in plan.table]
    assert powers == sorted(powers) and plan.needed < 2000
    assert 0.5 < plan.simulated < 1  # about the wanted 0.8, of 30 studies
    said = 0
    for seed in range(10, 22):
        new, answers = drawn(2 * plan.needed, 0.15, seed)
        [found] = score_categories(new, {"net": answers}, n_resamples=100).models
        said += found.verdict == "below the ceiling"
    assert said >= 10
    assert plan.words() in plan.answer() and f"{plan.needed:,} items" in plan.quote()
    assert plan.to_frame()["n_items"].tolist() == [p.n_items for p in plan.table]
    assert plan.plot().axes[0].get_xlabel() == "items"


def test_a_model_that_is_not_below_needs_no_number():
    labels, _ = drawn(300, 0.0)
    best = (labels.counts[:, 1] * 0 + (np.random.default_rng(2).beta(0.5, 0.5, 300) > 0.5)).astype(
        int
    )
    plan = plan_category_verdict(labels, {"best": best}, n_resamples=0)
    assert plan.needed is None and "No number of items" in plan.answer()
    assert plan.checks[0].passed is False


def test_clusters_are_drawn_whole():
    labels, net = drawn(300, 0.2)
    clustered = Categories.from_array(
        labels.codes, cluster=np.array([f"p{i // 3}" for i in range(300)], dtype=object)
    )
    plan = plan_category_verdict(clustered, {"net": net}, n_resamples=4)
    assert plan.needed is not None and not np.isnan(plan.simulated)


def test_least_is_the_first_that_is_enough():
    assert least(lambda n: n / 1000, 0.5) == 500
    assert least(lambda n: 0.3, 0.5) is None


def test_mistakes_are_one_line(tmp_path, run):
    labels, net = drawn(40, 0.2)
    with pytest.raises(AnnostatError, match="planned for one model"):
        plan_category_verdict(labels, {"a": net, "b": net})
    with pytest.raises(AnnostatError, match="needs 30 items"):
        plan_category_verdict(labels.take(np.arange(20)), {"a": net[:20]})
    words = np.array(["benign", "malignant"], dtype=object)
    table = pd.DataFrame(words[labels.codes], columns=["anna", "ben", "cleo"])
    table.assign(case=range(40), net=words[net]).to_csv(tmp_path / "t.csv", index=False)
    asked = ("plan", tmp_path / "t.csv", "--for", "verdict", "--rounds", "anna", "ben", "cleo")
    code, out, err = run(*asked, "--model", "net", "--plot", tmp_path / "p.svg")
    assert (code, err) == (0, "") and "below the ceiling" in out
    assert (tmp_path / "p.svg").stat().st_size > 2000
    code, _, err = run(*asked)
    assert code == 2 and "needs one model" in err and err.count("\n") == 1
    code, _, err = run(*asked, "--model", "net", "--margin", "2")
    assert code == 2 and "--margin is of values" in err
