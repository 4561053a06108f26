"""Reference fits: a straight line that NIST certifies, and the picks of LIDC by a second program.

NIST's nonlinear regressions have none of the scaling laws as their model: DanWood is a power law,
but fitted to the loss and not, as here, to its logarithm. A power law is a straight line of
logarithms, so that its certified twin is the linear regression Norris
(https://www.itl.nist.gov/div898/strd/lls/data/Norris.shtml, public domain).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from annostat.datasets import lidc
from annostat.noise import fit_noise
from annostat.scaling import compare_scaling
from annostat.selftest.result import Row

# Calibration of ozone monitors: y and x of each of 36 measurements.
NORRIS = (
    "0.1 0.2, 338.8 337.4, 118.1 118.2, 888.0 884.6, 9.2 10.1, 228.1 226.5, 668.5 666.3, "
    "998.5 996.3, 449.1 448.6, 778.9 777.0, 559.2 558.2, 0.3 0.4, 0.1 0.6, 778.1 775.5, "
    "668.8 666.9, 339.3 338.0, 448.9 447.5, 10.8 11.6, 557.7 556.0, 228.3 228.1, 998.0 995.8, "
    "888.8 887.6, 119.6 120.2, 0.3 0.3, 0.6 0.3, 557.6 556.8, 339.3 339.1, 888.0 887.2, "
    "998.5 999.0, 778.9 779.0, 10.2 11.1, 117.6 118.3, 228.9 229.2, 668.4 669.1, 449.2 448.9, "
    "0.2 0.5"
)
SLOPE = ("1.00211681802045", "0.429796848199937E-03", "0.884796396144373")
SHRUNK = 100.0  # so that the exponentials of x and y are numbers
LINE = "NIST StRD, a power law as a line of logarithms"
PICKS = "reference fit of picks (LIDC, Student t)"
# By plain NumPy and Nelder and Mead's simplex (`tests/test_selftest.py`).
FITTED = {"mean error": "0.34482", "share given up": "0.01015", "log-likelihood": "-4855.2425"}
WINDOW = "7"


def norris() -> tuple[list[str], list[str]]:
    """Return y and x as NIST prints them."""
    pairs = [pair.split() for pair in NORRIS.split(", ")]
    return [y for y, _ in pairs], [x for _, x in pairs]


def line() -> Iterator[Row]:
    """Yield the exponent of Norris, its standard error and the SD of the residuals."""
    y, x = (np.array(column, dtype=float) / SHRUNK for column in norris())
    [fit] = compare_scaling(np.exp(x), np.exp(-y), laws=["power"]).fits
    error = fit.exponent.standard_uncertainty
    found = (
        fit.exponent.value,
        float("nan") if error is None else error,
        SHRUNK * fit.residual_sd.value,
    )
    names = ("slope", "SE of the slope", "residual SD")
    for name, expected, value in zip(names, SLOPE, found, strict=True):
        what = f"Norris, {name}"
        yield Row.certified(LINE, what, "NIST StRD", expected=expected, found=value, digits=9.0)


def picks() -> Iterator[Row]:
    """Yield what one law says of the largest slices of LIDC's nodules, in slices."""
    fit = fit_noise(lidc("largest_slice"), core="student-t", abandonment="shared", physical=False)
    found = {
        "mean error": fit.mae.value,
        "share given up": fit.abandonment_rate.value if fit.abandonment_rate else float("nan"),
        "log-likelihood": fit.log_likelihood,
    }
    source = "a second program"
    for name, expected in FITTED.items():
        yield Row.printed(PICKS, f"LIDC, {name}", source, expected=expected, found=found[name])
    window = float(fit.model.window or 0)
    yield Row.printed(PICKS, "LIDC, window", source, expected=WINDOW, found=window)
