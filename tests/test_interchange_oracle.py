"""γ of categories against evalaudit's comparison of a judge with human raters."""

import numpy as np
import pandas as pd
import pytest

from annostat.interchange import interchange

evalaudit = pytest.importorskip("evalaudit")


def expected(counts):
    """Return Krippendorff's expected nominal disagreement of pooled values."""
    n = counts.sum()
    return 1 - float((counts * (counts - 1)).sum()) / (n * (n - 1))


def counted(values):
    return np.unique(values, return_counts=True)[1].astype(float)


@pytest.mark.parametrize("wrong", [0.1, 0.3, 0.5])
def test_its_alphas_are_our_distances_over_what_chance_gives(wrong):
    g = np.random.default_rng(int(10 * wrong))
    n, k = 150, 3
    truth = g.integers(0, 4, n)

    def noisy(share):
        return np.where(g.random(n) < share, g.integers(0, 4, n), truth)

    z = np.column_stack([noisy(0.3) for _ in range(k)])
    f = noisy(wrong)
    ids = [f"i{i}" for i in range(n)]
    rows = pd.DataFrame(
        {
            "item_id": np.repeat(ids, k),
            "cluster_id": np.repeat(ids, k),
            "rater_id": np.tile(["a", "b", "c"], n),
            "rating": z.ravel().astype(str),
        }
    )
    theirs = evalaudit.judge_validation(
        z[:, 0].astype(str),
        f.astype(str),
        item_ids=ids,
        human_baseline=rows,
        ties="category",
        seed=1,
    )
    ours = interchange(z.astype(float), {"judge": f.astype(float)}, distance="differ")
    [model] = ours.models
    of_humans = expected(counted(z))
    with_judge = expected(counted(np.r_[z.ravel(), np.repeat(f, k)]))
    assert (1 - theirs.baseline_human_human) * of_humans == pytest.approx(ours.among.value)
    assert (1 - theirs.baseline_judge_human) * with_judge == pytest.approx(model.to_reader.value)
    # Where chance gives much the same, the difference of its alphas is -γ over chance.
    gap = -model.change.value / of_humans
    assert theirs.baseline_difference == pytest.approx(gap, abs=0.02)
    low, high = theirs.baseline_ci_low * -of_humans, theirs.baseline_ci_high * -of_humans
    these = interchange(
        z.astype(float), {"judge": f.astype(float)}, distance="differ", readers="these"
    ).models[0]
    assert min(low, high) == pytest.approx(these.change.interval.low, abs=0.03)
    assert max(low, high) == pytest.approx(these.change.interval.high, abs=0.03)
