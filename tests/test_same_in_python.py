"""What pingouin, statsmodels, scikit-learn and krippendorff print is what is printed here."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import annostat
from annostat.agreement import bland_altman, category_agreement, icc
from annostat.labels import Categories

TABLE = Path(__file__).parent.parent / "docs" / "data" / "ef.csv"


@pytest.fixture
def table():
    return pd.read_csv(TABLE)


@pytest.fixture
def rounds():
    return annostat.read_rounds(TABLE, item="patient", rounds=["first", "second"])


@pytest.fixture
def grades():
    g = np.random.default_rng(1)
    p = g.beta(0.5, 0.5, 200)
    return (g.random((200, 3)) < p[:, None]).astype(int) + (g.random((200, 3)) < 0.2)


def test_six_coefficients_of_pingouin(table, rounds):
    pingouin = pytest.importorskip("pingouin")
    long = table.melt("patient", ["first", "second"], var_name="round", value_name="ef")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pingouin's own, about pandas
        want = pingouin.intraclass_corr(long, targets="patient", raters="round", ratings="ef")
    found = [form.estimate.value for form in icc(rounds).forms]
    assert found == pytest.approx(want["ICC"].tolist(), abs=5e-7)


def test_limits_of_agreement_of_statsmodels(table, rounds):
    d = table["second"] - table["first"]
    found = bland_altman(rounds)
    assert found.bias.value == pytest.approx(d.mean())
    half = 1.959964 * d.std(ddof=1)  # statsmodels.graphics.agreement.mean_diff_plot(sd_limit=1.96)
    assert found.upper.value - found.bias.value == pytest.approx(half, rel=1e-6)


def test_kappa_of_statsmodels_and_scikit_learn(grades):
    from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

    found = category_agreement(Categories.from_array(grades))
    want = fleiss_kappa(aggregate_raters(grades)[0])
    assert found["fleiss"].value == pytest.approx(want)
    metrics = pytest.importorskip("sklearn.metrics")
    two = category_agreement(Categories.from_array(grades[:, :2], order=range(3)))
    for weights, label in ((None, "Cohen's κ"), ("quadratic", "Cohen's κ, quadratic")):
        want = metrics.cohen_kappa_score(*grades[:, :2].T, weights=weights)
        [here] = [c for c in two.coefficients if c.label == label]
        assert here.estimate.value == pytest.approx(want)


def test_alpha_of_krippendorff(grades):
    krippendorff = pytest.importorskip("krippendorff")
    found = category_agreement(Categories.from_array(grades))
    want = krippendorff.alpha(grades.T.astype(float), level_of_measurement="nominal")
    assert found["alpha"].value == pytest.approx(want)
