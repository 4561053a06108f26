"""The page: chapters in, HTML out."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version as version_of
from pathlib import Path

from annostat._version import __version__
from annostat.errors import AnnostatError, printable
from annostat.files import write_text
from annostat.report.parts import Part, Picture, part_of
from annostat.results.result import Result

CITATION = (
    "annostat: the metrology of annotation noise, version {} (BSD-3-Clause); see CITATION.cff in "
    "its repository."
)
MODELS = "models against"  # in the title of a chapter of verdicts
LIBRARIES = ("numpy", "scipy", "pandas", "numba", "matplotlib")


def make_report(
    results: Sequence[Result | Part], *, title: str = "Annotation noise", command: str = ""
) -> str:
    """Return results as one HTML page that needs nothing else.

    Parameters
    ----------
    results : sequence of Result or Part
        What was computed, in the order of the page: noise, bounds, scores, concentration, masks,
        audit. Nothing is computed here.
    title : str
        Title of the page; text from the data is escaped, always.
    command : str
        The command that makes the page again; empty for a page made from Python.

    Returns
    -------
    str
        HTML without scripts, fonts, pictures or styles from elsewhere.

    Raises
    ------
    AnnostatError
        If there is nothing to show, or a result has no chapter of its own.

    Examples
    --------
    >>> import annostat
    >>> from annostat.report import make_report
    >>> law = annostat.NoiseModel("laplace", {"scale": 2.0})
    >>> rounds = annostat.simulate_rounds(law, 200, rng=1)
    >>> noise = annostat.compare_noise(rounds, cores="laplace", abandonment="none", n_tests=0)
    >>> page = make_report([noise], title="Picks of <ED>")
    >>> page.startswith("<!DOCTYPE html>"), "Picks of &lt;ED&gt;" in page
    (True, True)
    """
    import jinja2

    if not results:
        raise AnnostatError("results: there is nothing to show")
    parts = _said_once(
        [result if isinstance(result, Part) else part_of(result) for result in results]
    )
    lead, parts = _led(parts)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("annostat", "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    checks = [check for part in parts for check in part.checks]
    versions = [f"{name} {version_of(name)}" for name in LIBRARIES]
    page = environment.get_template("page.html.j2").render(
        lead=lead,
        parts=parts,
        title=title,
        command=command or "annostat.report.make_report([...])",
        version=__version__,
        versions=", ".join(
            [f"annostat {__version__}", f"Python {platform.python_version()}", *versions]
        ),
        citation=CITATION.format(__version__),
        checks=len(checks),
        failed=sum(check.passed is False for check in checks),
    )
    return printable(page, keep="\n")


def _led(parts: Sequence[Part]) -> tuple[Picture | None, list[Part]]:
    """Return the picture beside the answer, and the chapters without it.

    It is the first one of the first verdict on models, else of the first answer.
    """
    drawn = [part for part in parts if part.pictures and part.answer]
    first = next((part for part in drawn if MODELS in part.title.lower()), next(iter(drawn), None))
    if first is None:
        return None, list(parts)
    kept = [replace(p, pictures=tuple(p.pictures)[1:]) if p is first else p for p in parts]
    return first.pictures[0], kept


def _said_once(parts: Sequence[Part]) -> list[Part]:
    """Leave out the checks that an earlier chapter has reported in the same words."""
    said: set[str] = set()
    kept = []
    for part in parts:
        kept.append(replace(part, checks=[c for c in part.checks if c.message not in said]))
        said.update(check.message for check in part.checks)
    return kept


def write_report(
    path: str | Path,
    results: Sequence[Result | Part],
    *,
    title: str = "Annotation noise",
    command: str = "",
) -> None:
    """Write `make_report` to a file, whole or not at all."""
    write_text(path, make_report(results, title=title, command=command))
