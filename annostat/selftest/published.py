"""Numbers printed in papers, from the data printed beside them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from annostat.agreement import bland_altman, category_agreement, icc
from annostat.labels import Categories, Rounds
from annostat.selftest.result import Row

# Six targets, four judges (Shrout & Fleiss 1979, table 2).
JUDGES = ((9, 2, 5, 8), (6, 1, 3, 2), (8, 4, 6, 8), (7, 1, 2, 6), (10, 5, 6, 9), (6, 2, 4, 7))
# Their table 4.
ICCS = {
    "icc_1_1": ("ICC(1,1)", "0.17"),
    "icc_a_1": ("ICC(2,1)", "0.29"),
    "icc_c_1": ("ICC(3,1)", "0.71"),
    "icc_1_k": ("ICC(1,4)", "0.44"),
    "icc_a_k": ("ICC(2,4)", "0.62"),
    "icc_c_k": ("ICC(3,4)", "0.91"),
}
# First readings of peak flow, l/min: Wright meter and mini meter (Bland & Altman 1986).
WRIGHT = (494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427)
MINI = (512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451)
# Twelve units, four observers, 0 for none (Krippendorff 2011).
OBSERVERS = ("123321412000", "123322412500", "033323422513", "123324412510")
ALPHAS = {"nominal": "0.743", "ordinal": "0.815", "interval": "0.849"}
# What irrCAC 0.4.4 prints for them.
GWET = {
    ("agreement", "nominal"): ("percent agreement", "0.81818"),
    ("fleiss", "nominal"): ("Fleiss' kappa", "0.76117"),
    ("conger", "nominal"): ("Conger's kappa", "0.76282"),
    ("ac1", "nominal"): ("Gwet's AC1", "0.77544"),
    ("brennan_prediger", "nominal"): ("Brennan and Prediger's coefficient", "0.77273"),
    ("conger", "quadratic"): ("Conger's kappa, quadratic weights", "0.85771"),
}
TABLES = "published tables (ICC, limits, kappa, alpha)"


def published() -> Iterator[Row]:
    """Yield the rows of published tables."""
    found = icc(Rounds.from_array(np.array(JUDGES, float)), interval="f")
    for form, (name, expected) in ICCS.items():
        yield Row.printed(
            TABLES, name, "Shrout & Fleiss 1979", expected=expected, found=found[form].value
        )
    flow = Rounds.from_array(np.column_stack([MINI, WRIGHT]).astype(float))
    limits = bland_altman(flow, interval="exact-variance")
    for name, expected, value in (
        ("bias of peak flow", "-2.1", limits.bias.value),
        ("SD of differences of peak flow", "38.8", limits.sd.value),
    ):
        yield Row.printed(TABLES, name, "Bland & Altman 1986", expected=expected, found=value)
    grades = np.array([[int(c) or None for c in row] for row in OBSERVERS], dtype=object).T
    labels = Categories.from_array(grades, order=[1, 2, 3, 4, 5])
    agreed = category_agreement(labels)
    by_key = {(c.key, c.weights): c.estimate.value for c in agreed.coefficients if not c.of_class}
    for weights, expected in ALPHAS.items():
        yield Row.printed(
            TABLES,
            f"Krippendorff's alpha, {weights}",
            "Krippendorff 2011",
            expected=expected,
            found=by_key["alpha", weights],
        )
    for key, (name, expected) in GWET.items():
        yield Row.printed(TABLES, name, "irrCAC 0.4.4", expected=expected, found=by_key[key])
