"""What functions of errors, categories and tables may cost."""

from __future__ import annotations

import numpy as np
import pandas as pd

import annostat as an
from annostat import agreement, ceilings, concentration, consensus, truth
from annostat.tables import read_categories, read_findings, read_points, read_rounds
from tests.bench.growth import data
from tests.bench.growth.case import ITEMS, MANY, PAIRS, SMALL, case, of, of_all


# ---- concentration
def _errors(n):
    e = np.random.default_rng(8).laplace(0, 4, n)
    return {"a": e, "b": 2 * e}


def _concentration(n):
    rounds, f = data.values(n), data.models(n)["m0"]
    e = f - rounds.values[:, 0]
    return lambda: concentration.concentration(e, rounds=rounds, n_resamples=99)


def _swaps(n):
    rounds, f = data.values(n), data.models(n)["m0"]
    return lambda: concentration.excess_by_swaps(f, rounds, n_resamples=199)


def _overlap(n):
    a, b = np.random.default_rng(9).random((2, n)) < 0.1
    return lambda: concentration.overlap(a, b, cluster=np.arange(n) // 5, n_resamples=999)


case("concentration.concentration", "items", ITEMS, _concentration)
case("concentration.excess_by_swaps", "items", ITEMS, _swaps)
case("concentration.overlap", "items", ITEMS, _overlap)
case(
    "concentration.compare_concentration",
    "items",
    ITEMS,
    of(_errors, concentration.compare_concentration),
)
case(
    "concentration.category_concentration",
    "items",
    SMALL,
    of(data.categories, concentration.category_concentration, n_resamples=49),
)

# ---- categories
case(
    "agreement.category_agreement",
    "items",
    ITEMS,
    of(data.categories, agreement.category_agreement),
)
case(
    "agreement.category_agreement",
    "raters",
    (10, 20, 40),
    of(lambda k: data.categories(1_000, k), agreement.category_agreement),
    PAIRS,
)
case(
    "agreement.category_confusion",
    "items",
    ITEMS,
    of(data.categories, agreement.category_confusion),
)
case("ceilings.category_bounds", "items", SMALL, of(data.categories, ceilings.category_bounds))
case("ceilings.category_law", "items", SMALL, of(data.categories, ceilings.category_law))
case(
    "ceilings.plan_categories",
    "items",
    (50, 100, 200),
    of(data.categories, ceilings.plan_categories, n_studies=2),
)


def _pilot(n):
    return data.categories(n), {"m": np.argmax(data.probabilities(n), axis=1)}


case(
    "truth.plan_category_verdict",
    "items",
    (100, 1000, 5000),  # of 10,000 these raters differ, and there is no verdict to plan
    of_all(_pilot, truth.plan_category_verdict, n_resamples=0),
)
case("consensus.merge_categories", "items", SMALL, of(data.categories, consensus.merge_categories))


def _answers(n):
    return data.categories(n), data.probabilities(n)


def _score_categories(n, m=1):
    answers = {f"m{i}": np.argmax(data.probabilities(n), axis=1) for i in range(m)}
    given = data.categories(n)
    return lambda: truth.score_categories(given, answers)


case("truth.score_categories", "items", SMALL, _score_categories)
case("truth.score_categories", "models", (2, 4, 8), lambda m: _score_categories(300, m), PAIRS)
case(
    "truth.calibrated",
    "items",
    ITEMS,
    of_all(_answers, truth.calibrated),
)
case(
    "truth.excess_brier",
    "items",
    ITEMS,
    of_all(_answers, truth.excess_brier),
)

# ---- simulated labels and tables
case(
    "simulate.simulate_rounds",
    "items",
    MANY,
    lambda n: lambda: an.simulate_rounds(data.LAW, n, rng=1),
)
case(
    "simulate.simulate_values",
    "items",
    MANY,
    lambda n: lambda: an.simulate_values(n, noise_sd=2.0, truth_sd=9.0, rng=1),
)
case("simulate.simulate_masks", "items", (10, 30, 100), lambda n: lambda: data.masks(n))
case("tables.read_rounds", "rows", ITEMS, of(lambda n: data.values(n).to_frame(), read_rounds))


def _wide(k):
    names = [f"c{i}" for i in range(k)]
    table = pd.DataFrame(np.ones((4, k)), columns=names)
    return lambda: read_rounds(table, rounds=names)


case(
    "tables.read_rounds",
    "columns",
    (1_000, 4_000, 16_000),
    _wide,
)
case(
    "tables.read_categories",
    "rows",
    ITEMS,
    of(lambda n: data.categories(n).to_frame(), read_categories),
)
case(
    "tables.read_findings",
    "rows",
    SMALL,
    of(data.finding_table, read_findings, item="image", rater="reader"),
)


def _point_rows(n):
    g = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "image": np.repeat(np.arange(n), 2),
            "reader": np.tile(["a", "b"], n),
            "x": g.normal(size=2 * n),
            "y": g.normal(size=2 * n),
        }
    )


case("tables.read_points", "rows", ITEMS, of(_point_rows, read_points, unit="mm"))
