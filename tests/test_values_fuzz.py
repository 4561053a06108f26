"""Hostile tables of values: an answer or an `AnnostatError`, never anything else."""

import numpy as np
import pytest

from annostat.agreement.hierarchical import hierarchy
from annostat.agreement.profile import floor_for, precision_profile
from annostat.agreement.rater_bias import bias_of_raters
from annostat.agreement.small import check_few, noise_interval, reliability_interval
from annostat.agreement.unequal import unequal_raters
from annostat.agreement.variances import Variances
from annostat.ceilings.mae_hull import mae_floor
from annostat.errors import AnnostatError
from annostat.labels.rounds import Rounds
from annostat.truth.trained import trained_on_one

TABLES = (
    lambda y, x, g: np.round(y + x),
    lambda y, x, g: np.round(y) + 0 * x,
    lambda y, x, g: 0 * y + x,
    lambda y, x, g: 0 * y + 0 * x + 1,
    lambda y, x, g: (y + x) * 1e12 + 1e15,
    lambda y, x, g: np.exp(y + x * 0.3) * 1e-9,
    lambda y, x, g: y + x * np.r_[np.zeros(x.shape[1] - 1), 1],
    lambda y, x, g: y + x * g.standard_t(1.2, x.shape),
)


def table(seed):
    g = np.random.default_rng(seed)
    n, k = int(g.choice([1, 2, 3, 4, 5, 8, 10, 12, 20, 40])), int(g.choice([2, 2, 3, 4, 6]))
    y, x = g.normal(0, 3, (n, 1)), g.normal(size=(n, k))
    z = TABLES[seed % len(TABLES)](y, x, g).astype(float)
    z[g.random(z.shape) < g.choice([0, 0, 0.3])] = np.nan
    columns = {}
    if g.random() < 0.3:
        columns["cluster"] = [str(i // 3) for i in range(n)]
    if g.random() < 0.2:
        columns["exchangeable"] = True
    return Rounds.from_array(z, **columns), y[:, 0] + g.normal(size=n)


@pytest.mark.parametrize("seed", range(48))
def test_an_answer_or_a_reason(seed):
    rounds, f = table(seed)

    def profile():
        found = precision_profile(rounds)
        return str(found) + str(floor_for(found, [1.0, 2.0]))

    def few():
        v = Variances.of(rounds)
        return noise_interval(v), reliability_interval(v), check_few(v)

    calls = (
        lambda: str(unequal_raters(rounds)),
        lambda: str(unequal_raters(rounds, model=f)),
        lambda: str(mae_floor(rounds)),
        lambda: str(hierarchy(rounds)),
        lambda: bias_of_raters(rounds),
        lambda: str(trained_on_one(rounds, f, rounds.names[0])),
        profile,
        few,
    )
    for call in calls:
        try:
            assert call()
        except AnnostatError as error:
            assert str(error) and "\n" not in str(error)
