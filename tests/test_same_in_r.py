"""What R's packages print for published tables, as on the page "The same in R"."""

from pathlib import Path

import numpy as np
import pytest
from statsmodels.stats.tests import test_inter_rater as published

from annostat.agreement import category_agreement
from annostat.labels import Categories
from tests.test_categories import CANONICAL

PAGE = (Path(__file__).parent.parent / "docs" / "r.md").read_text(encoding="utf-8")


def of_table(table):
    pairs = [(i, j) for (i, j), n in np.ndenumerate(np.array(table)) for _ in range(int(n))]
    return Categories.from_array(pairs, order=range(len(table)))


SEXUAL_FUN = of_table([[7, 7, 2, 3], [2, 8, 3, 7], [1, 5, 4, 9], [2, 8, 9, 14]])
COHEN = of_table(
    np.rint(200 * np.array([[0.44, 0.07, 0.09], [0.05, 0.2, 0.05], [0.01, 0.03, 0.06]]))
)
DIAGNOSES = Categories.from_array(published.diagnoses, exchangeable=True)
ANXIETY = Categories.from_array(published.anxiety[:, 1:])
OBSERVERS = Categories.from_array(CANONICAL)


@pytest.mark.parametrize(
    ("labels", "key", "weights", "call", "prints"),
    [
        (DIAGNOSES, "fleiss", "nominal", "kappam.fleiss(diagnoses)", "0.4302445"),
        (ANXIETY, "cohen", "nominal", "kappa2(anxiety[, 2:3])", "-0.006289308"),
        (SEXUAL_FUN, "cohen", "nominal", "Kappa(SexualFun)", "0.1293"),
        (SEXUAL_FUN, "cohen", "linear", "weighted (equal spacing)", "0.2374"),
        (COHEN, "cohen", "nominal", "cohen.kappa(cohen, n.obs = 200)", ".492"),
        (OBSERVERS, "agreement", "nominal", "pa.coeff.raw", "0.81818"),
        (OBSERVERS, "fleiss", "nominal", "fleiss.kappa.raw", "0.76117"),
        (OBSERVERS, "conger", "nominal", "conger.kappa.raw", "0.76282"),
        (OBSERVERS, "alpha", "nominal", "krippen.alpha.raw", "0.74342"),
        (OBSERVERS, "ac1", "nominal", "gwet.ac1.raw", "0.77544"),
        (OBSERVERS, "brennan_prediger", "nominal", "bp.coeff.raw", "0.77273"),
    ],
)
def test_printed_numbers(labels, key, weights, call, prints):
    (row,) = [line for line in PAGE.splitlines() if call in line and line.startswith("|")]
    assert f"| {prints} |" in row
    (found,) = [
        c.estimate
        for c in category_agreement(labels).coefficients
        if (c.key, c.weights, c.of_class) == (key, weights, "")
    ]
    digits = len(prints.partition(".")[2])
    assert found.value == pytest.approx(float(prints), abs=0.6 * 10**-digits)
