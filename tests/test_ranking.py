"""Many models: ranks that hold together, groups, and that equal models are not told apart."""

import itertools
import json
import re
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from annostat import AnnostatError, Rounds
from annostat.cli import main
from annostat.labels import Categories, MaskRounds
from annostat.plotting import plot_ranks
from annostat.resampling.multiplicity import step_down
from annostat.results.estimates import Estimate
from annostat.simulate import simulate_masks
from annostat.truth import (
    compare_masks,
    compare_models,
    rank_models,
    score_categories,
    score_models,
)
from annostat.truth.mask_ranks import mean_over_structures

DOCS = Path(__file__).parent.parent / "docs"


def test_step_down_is_that_of_its_definition():
    rng = np.random.default_rng(3)
    drawn = rng.normal(size=(199, 6)) @ rng.normal(size=(6, 6))
    drawn[5, 2] = np.nan
    t = np.array([2.0, -0.1, 5.0, 1.2, -3.0, 0.6])
    expected, left, before = {}, set(range(6)), 0.0
    for i in np.argsort(-np.abs(t)):
        most = [max(abs(row[j]) for j in left if row[j] == row[j]) for row in drawn]
        before = max(before, (1 + sum(m >= abs(t[i]) for m in most)) / 200)
        expected[i] = before
        left.remove(i)
    assert step_down(t, drawn) == pytest.approx([expected[i] for i in range(6)])
    assert step_down([], np.zeros((9, 0))) == []


def simulated(k, n, sd, seed):
    """Return the products of k models with independent errors beside a shared one."""
    rng = np.random.default_rng([seed, k, n])
    noise = 4.0 * rng.normal(size=(n, 2))
    shared = rng.normal(size=n)
    products = {}
    for i in range(k):
        error = shared + rng.normal(0, sd(i), n)
        products[f"m{i}"] = (error - noise[:, 0]) * (error - noise[:, 1])
    return products


@pytest.mark.parametrize(("k", "n", "sets"), [(15, 60, 120), (40, 100, 30), (20, 200, 60)])
def test_equal_models_are_seldom_told_apart(k, n, sets):
    wrong = 0
    for seed in range(sets):
        found = compare_models(simulated(k, n, lambda i: 2.0, seed), n_resamples=999)
        wrong += any(c.nearer for c in found)
    # Not above 5%: what a sound rule exceeds once in 10,000 times.
    assert wrong <= stats.binom.ppf(1 - 1e-4, sets, 0.05)


def test_models_that_are_better_are_shown_among_forty():
    """Where Holm's rule over a bootstrap's p-values can show nothing: 780 / 2001 > 0.05."""
    shown, wrong = 0, 0
    for seed in range(15):
        found = compare_models(simulated(40, 200, lambda i: 1.0 if i < 5 else 6.0, seed))
        assert min(c.p_adjusted for c in found) <= 0.05 < 780 * min(c.p_value for c in found)
        good = {f"m{i}" for i in range(5)}
        across = [c for c in found if (c.first in good) != (c.second in good)]
        shown += np.mean([c.nearer in good for c in across]) / 15
        wrong += any(c.nearer for c in found if c not in across)
    assert shown > 0.95 and wrong <= stats.binom.ppf(1 - 1e-4, 15, 0.05)


def test_ranks_hold_the_true_ones_and_letters_are_the_largest_groups():
    values = {f"m{i}": Estimate(float(i)) for i in range(6)}
    better = [("m0", "m3"), ("m0", "m4"), ("m0", "m5"), ("m1", "m5"), ("m2", "m5"), ("m1", "m4")]
    found = rank_models(values, better, what="error")
    assert [m.span() for m in found.models] == ["1-3", "1-4", "1-5", "2-6", "3-6", "4-6"]
    parted = {frozenset(pair) for pair in better}
    cliques = [
        set(group)
        for size in range(1, 7)
        for group in itertools.combinations(values, size)
        if not any(frozenset(p) in parted for p in itertools.combinations(group, 2))
    ]
    largest = [g for g in cliques if not any(g < other for other in cliques)]
    letters = {m.name: set(m.group) for m in found.models}
    groups = [{n for n in letters if a in letters[n]} for a in set.union(*letters.values())]
    assert sorted(map(sorted, groups)) == sorted(map(sorted, largest))
    assert found.best == ("m0", "m1", "m2") and "3 models may be the best" in found.answer()
    # Those that have seen the labels have no rank and push nobody down.
    fewer = rank_models(values, better, what="error", left_out=["m0"])
    assert [m.low for m in fewer.models] == [1, 1, 1, 2, 3] and "Not ranked: m0" in fewer.note()
    assert (
        next(m.name for m in rank_models(values, [], what="r", higher_is_better=True).models)
        == "m5"
    )
    equal = rank_models(dict.fromkeys("ab", Estimate(1.0)), [], what="error")
    assert [(m.rank, m.span(), m.group) for m in equal.models] == [(1, "1-2", "a")] * 2
    alone = rank_models({"a": Estimate(1.0)}, [], what="error")
    assert "only model" in alone.answer() and alone.to_text() and alone.cite()
    assert "No model" in rank_models({}, [], what="error").answer()


def test_many_models_of_values_are_ranked(tmp_path, capsys):
    rng = np.random.default_rng(0)
    truth = rng.normal(55, 12, 300)
    rounds = Rounds.from_array(truth[:, None] + rng.normal(0, 4, (300, 2)), unit="points")
    models = {f"net_{i:02d}": truth + rng.normal(0, 0.1 + i, 300) for i in range(15)}
    found = score_models(rounds, models)
    order = found.ranking
    assert [m.name for m in order.models[-3:]] != list(models)[:3] and order.n_pairs == 105
    # Their true ranks are known.
    assert all(m.low <= int(m.name[-2:]) + 1 <= m.high for m in order.models)
    assert order["net_14"].low > 10 and order["net_00"].high <= 3
    frame = order.to_frame()
    assert list(frame["rank"]) == sorted(frame["rank"]) and len(frame) == 15
    text = found.to_text(width=80)
    assert "… 4 more" in text and "105 pairs together" in text and "net_00 leads" in text
    assert max(map(len, text.splitlines())) <= 80
    assert "… 4 more" not in found.to_text(everything=True)
    schema = json.loads((DOCS / "score.schema.json").read_text())
    data = found.to_dict()["ranking"]
    jsonschema.validate(data, {**schema["properties"]["ranking"], "$defs": schema["$defs"]})
    ax = plot_ranks(found)
    assert next(t.get_text() for t in ax.get_yticklabels()) == order.models[0].name
    with pytest.raises(AnnostatError, match="no structures"):
        plot_ranks(found, label=1)
    with pytest.raises(AnnostatError, match="nothing to draw"):
        plot_ranks(rank_models({}, [], what="error"))
    table = pd.DataFrame({"item": range(300), "a": rounds.values[:, 0], "b": rounds.values[:, 1]})
    path = tmp_path / "many.csv"
    table.assign(**models).to_csv(path, index=False)
    chosen = [part for name in models for part in ("--model", name)]
    main(["score", str(path), "--rounds", "a", "b", *chosen, "--json", "-"])
    assert len(json.loads(capsys.readouterr().out)["ranking"]["models"]) == 15


def test_many_models_of_categories_are_ranked():
    rng = np.random.default_rng(5)
    p = rng.beta(0.4, 0.4, 500)
    labels = Categories.from_array((rng.random((500, 3)) < p[:, None]).astype(int))
    models = {
        f"k{i:02d}": np.where(rng.random(500) < 0.06 * i, rng.integers(0, 2, 500), p > 0.5)
        for i in range(16)
    }
    found = score_categories(labels, {k: v.astype(int) for k, v in models.items()})
    order = found.ranking
    assert order["k00"].low == 1 and order["k15"].low > 8 and order.n_pairs == 120
    assert all(m.low <= int(m.name[-2:]) + 1 <= m.high for m in order.models)
    text = found.to_text(width=80)
    assert "120 pairs" in text and "best possible" in text and "the best: k0" in text
    assert found.to_dict()["ranking"]["models"][0]["rank"] == 1
    assert plot_ranks(found).get_xlabel().startswith("rank by F1")


def test_equal_models_of_categories_are_seldom_told_apart():
    wrong = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        p = rng.beta(0.4, 0.4, 120)
        labels = Categories.from_array((rng.random((120, 2)) < p[:, None]).astype(int))
        flips = rng.random((15, 120)) < 0.15
        models = {f"k{i}": ((p > 0.5) ^ flip).astype(int) for i, flip in enumerate(flips)}
        found = score_categories(labels, models, metric="accuracy", n_resamples=499)
        wrong += any((c.p_adjusted or 1) < 0.05 for c in found.comparisons)
    assert wrong <= stats.binom.ppf(1 - 1e-4, 40, 0.05)


def test_models_of_masks_are_ranked_by_structure_and_over_all():
    rounds, truth = simulate_masks(24, 3, noise_px=1.5, rng=1)
    both = rounds.values.copy()
    both[:, :, : both.shape[2] // 2][both[:, :, : both.shape[2] // 2] > 0] = 2
    halves = MaskRounds.from_arrays({f"r{r}": both[r] for r in range(3)}, labels=[1, 2])
    named = truth.astype(np.uint8)
    named[:, : named.shape[1] // 2][named[:, : named.shape[1] // 2] > 0] = 2
    models = {f"by_{k}": np.roll(named, k, axis=2) for k in (0, 1, 3, 5)}
    found = compare_masks(
        halves, models={**models, "copy": both[0]}, surface=False, n_resamples=400
    )
    for label in (None, 1, 2):
        order = found.ranking(label)
        assert [m.name for m in order.models][-2:] == ["by_3", "by_5"]
        assert order.left_out == ("copy",) and order["by_5"].span() == "4"
    dice = {(m.name, m.label): m.dice.value for m in found.models}
    overall = found.ranking()
    for m in overall.models:
        assert m.value.value == pytest.approx((dice[m.name, 1] + dice[m.name, 2]) / 2)
    [c] = [c for c in found.comparisons if (c.label, c.first, c.second) == (0, "by_0", "by_5")]
    gap = overall["by_0"].value.value - overall["by_5"].value.value
    assert c.difference.value == pytest.approx(gap, rel=1e-9) and c.p_adjusted < 0.05
    text = found.to_text(width=80)
    assert "Ranks over all structures" in text and "Not ranked: copy" in text
    schema = json.loads((DOCS / "masks.schema.json").read_text())
    jsonschema.validate(found.to_dict(), schema)
    assert plot_ranks(found, label=1).get_ylim()[0] > 3
    with pytest.raises(AnnostatError, match="label must be one of"):
        found.ranking(7)


def test_mean_over_structures_counts_each_structure_alike():
    loss = {
        1: {"m": np.array([0.1, 0.2, np.nan, 0.4])},
        2: {"m": np.array([0.5, np.nan, np.nan, 0.3])},
    }
    each = mean_over_structures([loss[1], loss[2]])["m"]
    assert np.isnan(each).tolist() == [False, False, True, False]
    assert np.nanmean(each) == pytest.approx((0.7 / 3 + 0.4) / 2)


def test_the_ranks_of_the_documentation_are_printed(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    data = DOCS / "data"
    command = ["score", str(data / "ef.csv"), "--rounds", "first", "second", "--unit", "points"]
    main([*command, "--predictions", str(data / "teams.csv")])
    blocks = re.findall(
        r"```text\n(.*?)\n```", (DOCS / "values.md").read_text("utf-8"), flags=re.DOTALL
    )
    shown, out = [b for b in blocks if "team02" in b], capsys.readouterr().out
    assert len(shown) == 2 and all(block in out for block in shown)


def test_pages_of_many_models(tmp_path, capsys):
    data, page = DOCS / "data", tmp_path / "page.html"
    command = ["score", str(data / "ef.csv"), "--rounds", "first", "second", "--resamples", "99"]
    main([*command, "--predictions", str(data / "teams.csv"), "--report", str(page)])
    text = page.read_text("utf-8")
    assert "The ranks that each model may have" in text and "400 items" in text
    assert "annostat score" in text and "--predictions" in text
    main(["masks", "--example", "lidc-masks", "--report", str(page)])
    text = page.read_text("utf-8")
    assert "annostat masks --example lidc-masks" in text and "most disputed" in text
    capsys.readouterr()
