"""The self-test: whether this installation gives the numbers that are known."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import version

from annostat._version import __version__
from annostat.agreement import icc, repeatability
from annostat.errors import AnnostatError
from annostat.labels.rounds import Rounds
from annostat.results.result import Provenance
from annostat.selftest.certified import CERTIFIED, DIGITS, values
from annostat.selftest.coverage import coverage
from annostat.selftest.published import published
from annostat.selftest.reference import line, picks
from annostat.selftest.result import Row, SelfTest, check_of

NIST = "NIST StRD, one-way analysis of variance"


def certified() -> Iterator[Row]:
    """Yield F and the SD within groups of NIST's sets, groups being items."""
    for name, (f, sd) in CERTIFIED.items():
        rounds = Rounds.from_array(values(name), exchangeable=True)
        forms = {form.name: form for form in icc(rounds, interval="f").forms}
        within = repeatability(rounds, interval="chi-square").noise_sd.value
        for what, expected, found in (
            ("F", f, forms["icc_1_1"].f),
            ("SD within", sd, within),
        ):
            yield Row.certified(
                NIST,
                f"{name}, {what}",
                "NIST StRD",
                expected=expected,
                found=found,
                digits=DIGITS[name],
            )


def selftest(*, n_sets: int = 200, seed: int = 0) -> SelfTest:
    """Compare what this installation computes with certified and published numbers.

    Parameters
    ----------
    n_sets : int
        Simulated studies of the check of coverage; 0 leaves it out.
    seed : int
        Of the simulated studies.

    Returns
    -------
    SelfTest

    Raises
    ------
    AnnostatError
        If `n_sets` is negative.

    Notes
    -----
    Certified values: NIST's Statistical Reference Datasets, one-way analysis of variance and a
    straight line, with the digits reached (log relative error, McCullough 1998). Published numbers
    and a fit of picks by a second program must agree to the last printed digit. The number of
    intervals that hold the truth must lie in the binomial range outside which one sound program in
    5,000 is.

    Examples
    --------
    >>> from annostat.selftest import selftest
    >>> selftest(n_sets=0).ok
    True
    """
    if n_sets < 0:
        raise AnnostatError(f"n_sets must be 0 or more simulated studies, got {n_sets}")
    known = (*certified(), *line(), *published(), *picks())
    rows = (*known, *(coverage(n_sets, seed) if n_sets else ()))
    machine = {
        "annostat": __version__,
        "Python": platform.python_version(),
        "NumPy": version("numpy"),
        "SciPy": version("scipy"),
        "platform": f"{platform.system()} {platform.machine()}",
    }
    options = {"n_sets": n_sets, **machine}
    return SelfTest(
        rows=rows,
        machine=machine,
        checks=tuple(check_of(row) for row in rows),
        provenance=Provenance(__version__, "", len(rows), seed, options),
    )
