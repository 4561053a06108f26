"""The F test of raters after items: statsmodels as oracle, sparse designs, edges."""

import numpy as np
import pytest

from annostat.agreement.rater_bias import bias_of_raters
from annostat.labels.rounds import Rounds


def sparse(seed, bias, n=200):
    g = np.random.default_rng(seed)
    z = np.full((n, len(bias)), np.nan)
    for i in range(n):
        j = g.choice(len(bias), 2, replace=False)
        z[i, j] = g.normal(0, 5) + bias[j] + g.normal(0, 1, 2)
    return z


def test_it_is_the_anova_of_two_linear_models():
    import pandas as pd
    import statsmodels.formula.api as smf
    from statsmodels.stats.anova import anova_lm

    z = sparse(1, np.linspace(0, 1, 5), 40)
    i, j = np.nonzero(np.isfinite(z))
    frame = pd.DataFrame({"z": z[i, j], "item": i.astype(str), "rater": j.astype(str)})
    small, large = (smf.ols(f, frame).fit() for f in ("z ~ item", "z ~ item + rater"))
    table = anova_lm(small, large)
    found = bias_of_raters(Rounds.from_array(z))
    assert found.statistic == pytest.approx(table["F"].iloc[1])
    assert found.p_value == pytest.approx(table["Pr(>F)"].iloc[1])


def test_twenty_readers_with_two_labels_an_item():
    assert bias_of_raters(Rounds.from_array(sparse(2, np.linspace(-1.5, 1.5, 20)))).passed is False
    assert bias_of_raters(Rounds.from_array(sparse(3, np.zeros(20)))).passed is True


def test_order_units_and_constants_change_nothing():
    z = sparse(4, np.linspace(0, 2, 6))
    here = bias_of_raters(Rounds.from_array(z))
    for moved in (z[::-1], z[:, ::-1], 4 * z, z + 100):
        found = bias_of_raters(Rounds.from_array(moved))
        assert found.statistic == pytest.approx(here.statistic, rel=1e-9)


def test_what_cannot_be_told():
    z = sparse(5, np.zeros(4), 20)
    assert bias_of_raters(Rounds.from_array(z, exchangeable=True)).passed is None
    assert bias_of_raters(Rounds.from_array(z, cluster=["a"] * 20)).passed is None
    assert bias_of_raters(Rounds.from_array([[1.0, 2]])).passed is None
    assert bias_of_raters(Rounds.from_array([[1.0, 2], [3, 4], [5, 6]])).passed is False
    assert bias_of_raters(Rounds.from_array([[1.0, 1], [3, 3], [5, 5]])).passed is True
