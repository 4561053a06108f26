"""What functions of values and picks may cost."""

from __future__ import annotations

import numpy as np

import annostat as an
from annostat import agreement, ceilings, labels, truth
from annostat.interchange import interchange, plan_interchange
from annostat.noise import check_skew, rater_biases
from annostat.planning import plan_floor
from annostat.study import study
from tests.bench.growth import data
from tests.bench.growth.case import ITEMS, MANY, PAIRS, SMALL, case, of, of_all

# ---- values
for name in ("icc", "repeatability", "bland_altman", "concordance", "limits_with_mean"):
    case(f"agreement.{name}", "items", ITEMS, of(data.values, getattr(agreement, name)))
for name in ("precision_profile", "unequal_raters", "floors_by_label", "hierarchy"):
    case(
        f"agreement.{name}",
        "items",
        SMALL,
        of(lambda n: data.values(n, 3), getattr(agreement, name)),
    )
case(
    "agreement.hierarchy",
    "raters",
    (8, 16, 32, 64),
    of(lambda k: data.values(500, k), agreement.hierarchy),
    PAIRS,
)
case(
    "agreement.bias_of_raters",
    "items",
    SMALL,
    of(lambda n: data.values(n, 4, missing=0.3), agreement.bias_of_raters),
)


def _gauge(n):
    g = np.random.default_rng(1)
    part, rater = np.repeat(np.arange(n), 6), np.tile([0, 0, 1, 1, 2, 2], n)
    value = g.normal(0, 3, n)[part] + g.normal(0, 0.5, 3)[rater] + g.normal(0, 1, 6 * n)
    return lambda: agreement.gauge_rr(part, rater, value)


case("agreement.gauge_rr", "parts", ITEMS, _gauge)


def _stacks(n):
    first, second = data.values(n).values.T.tolist()
    return [first], [second]


case(
    "agreement.stacked_rounds",
    "items",
    SMALL,
    of_all(_stacks, agreement.stacked_rounds),
)


def _floor_for(n):
    profile = agreement.precision_profile(data.values(300))
    z = data.values(n).values[:, 0]
    return lambda: agreement.floor_for(profile, z)


case("agreement.floor_for", "items", ITEMS, _floor_for)
case("ceilings.bounds", "items", ITEMS, of(data.values, an.bounds))
case(
    "ceilings.bounds", "rounds", (30, 100, 300), of(lambda k: data.values(100, k), an.bounds), PAIRS
)
case(
    "ceilings.bounds",
    "clusters",
    (300, 3_000, 30_000),
    of(lambda n: data.values(9 * n, per_cluster=9), an.bounds),
)
case("ceilings.mae_floor", "items", ITEMS, of(data.values, ceilings.mae_floor))
case("labels.check_rounds", "items", ITEMS, of(data.values, labels.check_rounds))
case(
    "labels.check_rounds",
    "rounds",
    (30, 100, 300),
    of(lambda k: data.values(100, k), labels.check_rounds),
    PAIRS,
)
case("labels.pair_mae", "items", MANY, of(data.values, labels.pair_mae))
case("labels.kind_of", "items", ITEMS, of(data.values, labels.kind_of))
case("planning.plan_floor", "items", SMALL, of(data.values, plan_floor))
case("study.study", "items", SMALL, of(data.values, study))


# ---- models
def _score(n, m=1, **about):
    rounds, predictions = data.values(n, **about), data.models(n, m)
    return lambda: an.score_models(rounds, predictions)


case("truth.score_models", "items", ITEMS, _score)
case("truth.score_models", "models", (5, 10, 20, 40), lambda m: _score(1_000, m), PAIRS)
case("truth.score_models", "clusters", SMALL, lambda n: _score(5 * n, per_cluster=5))
case("truth.score_models", "rounds", (4, 8, 16), lambda k: _score(1_000, k=k), PAIRS)
case("truth.grubbs", "items", ITEMS, of(data.values, truth.grubbs))
case(
    "truth.three_cornered_hat",
    "items",
    ITEMS,
    of(lambda n: data.values(n, 3), truth.three_cornered_hat),
)


def _trained(n):
    rounds, f = data.values(n), data.models(n)["m0"]
    return lambda: truth.trained_on_one(rounds, f, rounds.names[0])


def _labels_and_model(n):
    return data.values(n).values, data.models(n)["m0"]


case("truth.trained_on_one", "items", ITEMS, _trained)
case(
    "truth.cross_products",
    "items",
    MANY,
    of_all(_labels_and_model, truth.cross_products),
)
case(
    "truth.half_products",
    "items",
    ITEMS,
    of_all(_labels_and_model, truth.half_products),
)
case(
    "truth.correlation_with_truth",
    "items",
    ITEMS,
    of_all(_labels_and_model, truth.correlation_with_truth),
)


def _compare(n, m=3):
    z, f = data.values(n).values, data.models(n, m)
    products = {name: truth.cross_products(z, p) for name, p in f.items()}
    return lambda: truth.compare_models(products)


case("truth.compare_models", "items", ITEMS, _compare)
case("truth.compare_models", "models", (5, 10, 20, 40, 80), lambda m: _compare(1_000, m), PAIRS)


def _rank(m):
    values = {f"m{i:03d}": an.Estimate(float(i)) for i in range(m)}
    names = list(values)
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 5 :]]
    return lambda: truth.rank_models(values, pairs, what="error")


case("truth.rank_models", "models", (20, 40, 80), _rank, 4.0)  # letters of groups


def _interchange(n, k=4):
    z, f = data.values(n, k).values, data.models(n)
    return lambda: interchange(z, f)


case("interchange.interchange", "items", SMALL, _interchange)
case("interchange.interchange", "readers", (4, 8, 16), lambda k: _interchange(200, k), PAIRS)


def _plan_interchange(n):
    pilot = _interchange(n)()
    return lambda: plan_interchange(pilot, change=0.0, margin=1.0, n_resamples=50)


case("interchange.plan_interchange", "items", (50, 100, 200), _plan_interchange)

case(
    "truth.plan_verdict",
    "items",
    (50, 100, 200),
    of(data.values, truth.plan_verdict, margin=0.3, items=(50,), n_labels=(2,), n_resamples=20),
)

# ---- picks
case("noise.fit_noise", "items", MANY, of(data.picks, an.fit_noise))
case(
    "noise.fit_noise",
    "rounds",
    (2, 3, 4, 5),
    of(lambda k: data.picks(300, k), an.fit_noise, ci="none"),
    PAIRS,
)
case(
    "noise.fit_noise",
    "periods",
    (100, 200, 400),
    of(lambda n: data.picks(n, period=np.linspace(0.02, 0.04, n)), an.fit_noise),
)
case(
    "noise.fit_noise",
    "lengths, from 1,000",
    (100, 200, 400),
    of(lambda n: data.picks(n, length=np.arange(n) + 1_000), an.fit_noise, window="length"),
    1.5,
)
case(
    "noise.fit_noise",
    "lengths, from 4,000",
    (100, 200, 400),
    of(lambda n: data.picks(n, length=np.arange(n) + 4_000), an.fit_noise, window="length"),
)


def _far(width):
    z = data.picks(80).values
    z[0, 0] += width
    return an.Rounds.from_array(z)


case("noise.fit_noise", "widest difference", (100, 300, 1_000), of(_far, an.fit_noise), 1.5)
case("noise.compare_noise", "items", ITEMS, of(data.picks, an.compare_noise))
case(
    "noise.compare_noise",
    "periods",
    (100, 200, 400, 800),
    of(
        lambda n: data.picks(n, period=np.linspace(0.02, 0.04, n)),
        an.compare_noise,
        cores="laplace",
        n_tests=19,
    ),
)
case("noise.plan_rounds", "items", SMALL, of(data.picks, an.plan_rounds))
case("noise.check_skew", "items", ITEMS, of(lambda n: data.picks(n, 3), check_skew))
case("noise.rater_biases", "items", ITEMS, of(data.picks, rater_biases))
