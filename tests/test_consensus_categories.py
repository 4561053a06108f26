"""Merged labels of categories, and which classes annotators confuse."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest

from annostat import AnnostatError
from annostat.agreement import category_agreement, category_confusion
from annostat.consensus import merge_categories
from annostat.consensus.decisions import curvature, fit_decisions
from annostat.datasets import vader
from annostat.labels import Categories

# Dawid & Skene (1979), table 1: 45 patients; observer 1 three times, then observers 2 to 5.
PATIENTS = """
1111111 3334334 1122122 2223121 2223222 2223322 1222111 3333433 2222223 2322223 4444444 2223343
1111111 2223212 1211111 1112111 1111111 1111111 2222221 2221322 2222222 2222221 2223222 2212222
1111111 1111111 2322222 1111111 1111111 1121121 1111111 3333233 1111111 2222222 2223232 4334343
2212232 2323233 3333432 1111111 1111111 1212111 2322222 1211111 2222222
""".split()


def anaesthetists():
    """Counts of answers, of shape (45 patients, 5 observers, 4 classes)."""
    said = np.zeros((45, 5, 4))
    for i, row in enumerate(PATIENTS):
        for observer, answer in zip((0, 0, 0, 1, 2, 3, 4), row, strict=True):
            said[i, observer, int(answer) - 1] += 1
    return said


def twin(said, steps=2000):
    """Dawid and Skene by plain loops."""
    n, r, k = said.shape
    q = said.sum(axis=1) / said.sum(axis=(1, 2))[:, None]
    for _ in range(steps):
        prior = q.mean(axis=0)
        theta = np.zeros((r, k, k))
        for a in range(r):
            for s in range(k):
                row = sum(q[i, s] * said[i, a] for i in range(n))
                theta[a, s] = row / row.sum() if row.sum() else 1 / k
        total = 0.0
        for i in range(n):
            joint = [
                prior[s] * np.prod([theta[a, s] ** said[i, a] for a in range(r)]) for s in range(k)
            ]
            q[i] = np.array(joint) / sum(joint)
            total += np.log(sum(joint))
    return prior, theta, q, total


def drawn(n=400, k=4, seed=1, **about):
    """Labels by the model: 30% yes, sensitivity .85, specificity .92."""
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.3
    yes = np.where(truth[:, None], rng.random((n, k)) < 0.85, rng.random((n, k)) > 0.92)
    names = tuple(f"r{j}" for j in range(k))
    return Categories(yes.astype(np.int16), ("no", "yes"), names, **about), truth


def test_the_published_table():
    """Shares of the classes as Dawid and Skene print them: .40, .42, .11, .07."""
    said = anaesthetists()
    shares = said.sum(axis=(0, 1)) / said.sum()
    fit = fit_decisions(
        said, np.ones(45), shares, max_iterations=5000, tolerance=1e-10, prior_moves=True
    )
    assert fit.converged
    assert fit.prior.round(2).tolist() == [0.40, 0.42, 0.11, 0.07]
    prior, theta, q, total = twin(said, 300)
    assert fit.prior == pytest.approx(prior, abs=1e-6)
    assert np.nan_to_num(fit.theta) == pytest.approx(theta, abs=1e-5)
    assert fit.posterior == pytest.approx(q, abs=1e-5)
    assert fit.log_likelihood == pytest.approx(total, abs=1e-4)


def test_information_is_the_curvature_of_the_likelihood():
    labels, _ = drawn(200, 3)
    codes = labels.codes
    merged = merge_categories(labels, method="dawid-skene", n_resamples=0)
    prior = np.array([e.value for e in merged.prior])
    theta = merged.confusion
    said = (codes[:, :, None] == np.arange(2)).astype(float)
    fit = fit_decisions(
        said, np.ones(200), prior, max_iterations=10_000, tolerance=1e-12, prior_moves=True
    )
    shape = curvature(said, np.ones(200), fit, prior_moves=True)
    free = [tuple(row) for row in shape.free.tolist()]
    top = int(fit.prior.argmax())

    def loglik(x):
        t, p = fit.theta.copy(), fit.prior.copy()
        for (r, s, d), value in zip(free, x[: len(free)], strict=True):
            t[r, s, d], t[r, s, s] = value, 1 - value
        p[1 - top], p[top] = x[-1], 1 - x[-1]
        like = sum(
            p[s] * np.prod([t[r, s, codes[:, r]] for r in range(3)], axis=0) for s in range(2)
        )
        return np.log(like).sum()

    at = np.array([fit.theta[f] for f in free] + [fit.prior[1 - top]])
    m, h = len(at), 1e-4
    hessian = np.empty((m, m))
    for i, j in itertools.product(range(m), repeat=2):
        a, b = np.eye(m)[i] * h, np.eye(m)[j] * h
        hessian[i, j] = (
            loglik(at + a + b) - loglik(at + a - b) - loglik(at - a + b) + loglik(at - a - b)
        ) / (4 * h * h)
    assert shape.information == pytest.approx(-hessian, rel=2e-3, abs=0.5)
    assert theta == pytest.approx(fit.theta, abs=1e-4)


def test_qualities_and_shares_are_found_with_intervals():
    labels, truth = drawn(600, 4, 3)
    merged = merge_categories(labels, method="dawid-skene", n_resamples=19)
    right = np.mean([said == "yes" for said in merged.labels] == truth)
    assert right > 0.95
    assert [e.interval is not None for e in merged.quality.values()] == [True] * 8
    held = [(0.85 if c == "yes" else 0.92) in e.interval for (_, c), e in merged.quality.items()]
    assert sum(held) >= 7 and 0.3 in merged.prior[1].interval
    _, theta, q, total = twin((labels.codes[:, :, None] == np.arange(2)).astype(float), 200)
    assert merged.confusion == pytest.approx(theta, abs=1e-5)
    assert merged.probability == pytest.approx(q, abs=1e-4)
    assert merged.log_likelihood == pytest.approx(total, abs=1e-4)
    assert {c.name: c.passed for c in merged.checks}["equal_difficulty"] is True


def test_anonymous_raters_share_one_quality():
    labels, _ = drawn(500, 5, 4, exchangeable=True)
    merged = merge_categories(labels, method="dawid-skene", n_resamples=19)
    assert merged.raters == ("all raters",) and merged.confusion.shape == (1, 2, 2)
    mixed = Categories(labels.codes[:, ::-1], labels.classes, labels.names, exchangeable=True)
    again = merge_categories(mixed, method="dawid-skene", n_resamples=0)
    assert again.confusion == pytest.approx(merged.confusion, abs=1e-9)
    assert 0.85 in merged.quality["all raters", "yes"].interval
    # One quality for all is a sharper estimate than one for each.
    named, _ = drawn(500, 5, 4)
    each = merge_categories(named, method="dawid-skene", n_resamples=0)
    widths = [e.interval.high - e.interval.low for e in each.quality.values()]
    one = merged.quality["all raters", "yes"].interval
    assert one.high - one.low < min(widths) * 1.05


def test_items_of_varied_difficulty_are_told():
    rng = np.random.default_rng(2)
    p = rng.beta(0.3, 0.3, 500)
    codes = (rng.random((500, 5)) < p[:, None]).astype(np.int16)
    merged = merge_categories(
        Categories(codes, ("no", "yes"), tuple("abcde")), method="dawid-skene", n_resamples=39
    )
    (check,) = [c for c in merged.checks if c.name == "equal_difficulty"]
    assert check.passed is False and "Difficulty varies" in check.message
    # What it would promise as a ceiling of accuracy, against what is true.
    prior = np.array([e.value for e in merged.prior])
    promised = prior @ np.mean(np.diagonal(merged.confusion, axis1=1, axis2=2), axis=0)
    assert promised > np.maximum(p, 1 - p).mean() + 0.01
    three = merge_categories(
        Categories(codes[:, :3], ("no", "yes"), tuple("abc")), method="dawid-skene"
    )
    assert {c.name: c.passed for c in three.checks}["equal_difficulty"] is None


def test_order_of_items_raters_and_classes_changes_nothing():
    labels, _ = drawn(200, 4, 5)
    first = merge_categories(labels, method="dawid-skene", n_resamples=0)
    turned = Categories(1 - labels.codes[::-1, ::-1], ("yes", "no"), labels.names[::-1])
    again = merge_categories(turned, method="dawid-skene", n_resamples=0)
    for key, e in first.quality.items():
        assert again.quality[key].value == pytest.approx(e.value, abs=1e-6)
        assert again.quality[key].low == pytest.approx(e.low, abs=1e-5)
    assert again.labels == first.labels[::-1]


def test_majorities_and_ties():
    labels = Categories.from_array(
        [["a", "a", "b"], ["a", "b", None], ["b", None, None], ["c", "c", "c"], [None] * 3],
    )
    merged = merge_categories(labels)
    assert merged.labels == ("a", None, "b", "c") and merged.n_tied == 1
    assert merged.probability[0].tolist() == pytest.approx([2 / 3, 1 / 3, 0])
    assert "1 item of 4 have no most frequent label" in merged.checks[0].message
    frame = merged.to_frame()
    assert list(frame.columns) == ["item", "label", "p(a)", "p(b)", "p(c)"]
    assert merged.to_dict()["n_labels"] == {"a": 1, "b": 1, "c": 1}
    with pytest.raises(AnnostatError, match="knows nothing of its raters"):
        merged.plot()


def test_what_cannot_be_merged_is_refused():
    two = Categories.from_array([["a", "b"], ["a", "a"]])
    with pytest.raises(AnnostatError, match="needs items with three labels"):
        merge_categories(two, method="dawid-skene")
    same = Categories.from_array([["a", "a", "a"]] * 5)
    with pytest.raises(AnnostatError, match="all labels are of one class"):
        merge_categories(same, method="dawid-skene")
    with pytest.raises(AnnostatError, match="method must be"):
        merge_categories(two, method="vote")


def test_missing_labels_and_clusters():
    cluster = np.repeat(np.arange(100), 4).astype(str).astype(object)
    labels, _ = drawn(400, 5, 6, cluster=cluster)
    codes = labels.codes.copy()
    codes[np.random.default_rng(0).random(codes.shape) < 0.3] = -1
    codes[(codes >= 0).sum(axis=1) == 0, 0] = 0
    gaps = Categories(codes, labels.classes, labels.names, cluster=cluster)
    merged = merge_categories(gaps, method="dawid-skene")
    e = merged.quality["r0", "yes"]
    assert "100 clusters" in e.interval.method and 0.6 < e.value < 1
    assert {c.name: c.passed for c in merged.checks}["equal_difficulty"] is None
    alone = Categories(codes, labels.classes, labels.names)
    found = merge_categories(alone, method="dawid-skene", n_resamples=19)
    assert {c.name: c.passed for c in found.checks}["equal_difficulty"] is not False


# Confusion


def test_confusion_is_what_loops_give():
    rng = np.random.default_rng(7)
    codes = rng.integers(-1, 3, (60, 4)).astype(np.int16)
    codes[:, 0] = np.maximum(codes[:, 0], 0)
    labels = Categories(codes, ("a", "b", "c"), tuple("wxyz"))
    pairs = np.zeros((3, 3))
    for row in codes:
        seen = [c for c in row if c >= 0]
        for x, y in itertools.permutations(seen, 2):
            pairs[x, y] += 1 / (len(seen) - 1)
    found = category_confusion(labels)
    assert found.pairs == pytest.approx(pairs)
    assert found.matrix() == pytest.approx(pairs / pairs.sum(axis=1, keepdims=True))
    # Its diagonal is the specific agreement.
    for c in category_agreement(labels).coefficients:
        if c.key == "agreement_on":
            same = found.shares[c.of_class, c.of_class]
            assert same.value == pytest.approx(c.estimate.value)
    both = category_confusion(labels, "w", "x")
    keep = (codes[:, 0] >= 0) & (codes[:, 1] >= 0)
    table = pd.crosstab(codes[keep, 0], codes[keep, 1]).to_numpy()
    assert both.pairs == pytest.approx(table)
    with pytest.raises(AnnostatError, match="name two raters, or none"):
        category_confusion(labels, "w")


def test_confusion_says_what_is_confused_most():
    rows = [["a", "a"]] * 8 + [["a", "b"]] * 3 + [["b", "c"]] + [["c", "c"]] * 9
    found = category_confusion(Categories.from_array(rows))
    assert "between a and b in 75% of the cases" in found.answer()
    assert found.quote().startswith("Where one says b, another says a")
    assert len(found.to_frame()) == 9 and found.to_dict()["first"] is None
    same = category_confusion(Categories.from_array([["a", "a"], ["b", "b"]]))
    assert same.answer() == "Two annotators never differ." and same.quote() == ""
    ax = found.plot().axes[0]
    assert ax.get_xlabel() == "another annotator says" and len(ax.texts) == 9


# The command line


@pytest.fixture
def table(tmp_path):
    labels, _ = drawn(150, 4, 8)
    frame = pd.DataFrame(np.array(["no", "yes"])[labels.codes], columns=labels.names)
    frame.insert(0, "clip", [f"c{i:03d}" for i in range(150)])
    frame.to_csv(tmp_path / "labels.csv", index=False)
    return tmp_path / "labels.csv"


def test_merge_command(run, table, tmp_path):
    items, plot = tmp_path / "merged.csv", tmp_path / "q.svg"
    code, out, err = run(
        "merge",
        table,
        "--method",
        "dawid-skene",
        "--items",
        items,
        "--plot",
        plot,
        "--json",
        tmp_path / "m.json",
        "--cite",
    )
    assert (code, err) == (0, "")
    flat = " ".join(out.split())
    assert "150 items of 150 have one label, by Dawid and Skene's model" in flat
    assert "Dawid–Skene presumes" in flat and "How often a rater says the true class" in flat
    merged = pd.read_csv(items)
    assert list(merged["item"][:2]) == ["c000", "c001"]
    assert set(merged["label"]) == {"no", "yes"}
    assert plot.stat().st_size > 1000
    found = json.loads((tmp_path / "m.json").read_text())
    assert found["method"] == "dawid-skene" and set(found["quality"]) == {"r0", "r1", "r2", "r3"}
    code, out, _ = run("merge", table)
    assert code == 0 and "by the majority" in out
    code, _, err = run("merge", table, "--plot", plot)
    assert code == 2 and "--method dawid-skene" in err
    code, _, err = run("merge", table, "--rounds", "r0", "r1", "--method", "dawid-skene")
    assert code == 2 and "needs items with three labels" in err
    code, _, err = run("merge")
    assert code == 2 and "no input" in err


def test_labels_of_a_model_that_fails_are_not_the_headline():
    found = merge_categories(vader(), method="dawid-skene")
    assert any(check.passed is False for check in found.checks)
    assert found.answer().startswith("Dawid and Skene's model does not hold here: take the most")
