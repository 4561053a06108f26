"""NIST's Statistical Reference Datasets: one-way analysis of variance, with certified values.

Data and certified values: https://www.itl.nist.gov/div898/strd/anova/anova.html (public domain).
SmLs01 to SmLs09 are made by Simon and Lesage's rule (1989); the test suite recomputes every
certified value in rational arithmetic.
"""

from __future__ import annotations

import numpy as np

from annostat.arrays import FloatArray

# Resistivity of silicon wafers, five instruments.
RESISTIVITY = (
    "196.3052 196.1240 196.1890 196.2569 196.3403",
    "196.3042 196.3825 196.1669 196.3257 196.0422",
    "196.1303 196.2005 196.2889 196.0343 196.1811",
    "196.2795 196.1748 196.1494 196.1485 195.9885",
    "196.2119 196.1051 196.1850 196.0052 196.2090",
)
# Atomic weight of silver by two instruments; each number is what follows 107.868.
SILVER = (
    "1568 1465 1572 1785 1446 1903 1526 1494 1616 1587 1519 1486 "
    "1419 1569 1508 1672 1385 1518 1662 1424 1360 1333 1610 1477",
    "1079 1344 1513 1197 1604 1385 1642 1365 1151 1082 1517 1448 "
    "1198 1482 1334 1609 1101 1512 1469 1360 1254 1261 1450 1368",
)
# Name: certified F statistic and residual standard deviation (the square root of the mean square
# within), as printed by NIST.
CERTIFIED = {
    "SiRstv": ("1.18046237440255E+00", "1.04076068334656E-01"),
    "AtmWtAg": ("1.59467335677930E+01", "1.51048314446410E-05"),
    "SmLs01": ("2.10000000000000E+01", "1.00000000000000E-01"),
    "SmLs02": ("2.01000000000000E+02", "1.00000000000000E-01"),
    "SmLs03": ("2.00100000000000E+03", "1.00000000000000E-01"),
    "SmLs04": ("2.10000000000000E+01", "1.00000000000000E-01"),
    "SmLs05": ("2.01000000000000E+02", "1.00000000000000E-01"),
    "SmLs06": ("2.00100000000000E+03", "1.00000000000000E-01"),
    "SmLs07": ("2.10000000000000E+01", "1.00000000000000E-01"),
    "SmLs08": ("2.01000000000000E+02", "1.00000000000000E-01"),
    "SmLs09": ("2.00100000000000E+03", "1.00000000000000E-01"),
}
# Digits that a sound program reaches in double precision: 13 and 7 leading digits are constant in
# the harder sets, and the data themselves are rounded when they are stored.
DIGITS = {
    **dict.fromkeys(("SiRstv", "SmLs01", "SmLs02", "SmLs03"), 10.0),
    **dict.fromkeys(("AtmWtAg", "SmLs04", "SmLs05", "SmLs06"), 7.0),
    **dict.fromkeys(("SmLs07", "SmLs08", "SmLs09"), 2.0),
}


def texts(name: str) -> list[list[str]]:
    """Return the data of a set as NIST prints them, one list for each group."""
    if name == "SiRstv":
        return [row.split() for row in RESISTIVITY]
    if name == "AtmWtAg":
        return [[f"107.868{digits}" for digits in row.split()] for row in SILVER]
    number = int(name.removeprefix("SmLs")) - 1
    base, n = ("1", "1000000", "1000000000000")[number // 3], (21, 201, 2001)[number % 3]
    # A group's level comes first, then one tenth below and above it in turn.
    tenths = [(t, *[t - 1, t + 1] * (n // 2)) for t in (4, 3, 5, 3, 5, 3, 5, 3, 5)]
    return [[f"{base}.{t}" for t in group] for group in tenths]


def values(name: str) -> FloatArray:
    """Return the data of a set, groups in rows."""
    return np.array(texts(name), dtype=float)
