"""What a result is made of: checks, provenance, and the base of them all.

A result is a frozen dataclass derived from `Result`. It describes itself once, as sections
(`Result.sections`) and as plain data (`Result.to_dict`); text, HTML and tables follow.
"""

from __future__ import annotations

import importlib
import shutil
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from annostat.errors import AnnostatError, printable
from annostat.results.html import render_html
from annostat.results.markup import latex_table, markdown_table, tables
from annostat.results.sections import Section, render_text
from annostat.results.text import counted, hang, plain

if TYPE_CHECKING:
    import pandas as pd

    from annostat.results.cite import Cited

MOST = 140  # characters of each sentence in a repr


@dataclass(frozen=True, slots=True)
class Check:
    """An assumption that was looked at, and what was seen.

    Attributes
    ----------
    name : str
        Short identifier, stable across versions.
    passed : bool or None
        None if the data cannot tell.
    message : str
        One sentence in plain words; for a failed check it ends with the remedy.
    statistic, p_value : float or None
        The evidence, where it is a test.
    """

    name: str
    passed: bool | None
    message: str
    statistic: float | None = None
    p_value: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the check as plain data."""
        return {
            "name": self.name,
            "passed": self.passed,
            "message": self.message,
            "statistic": plain(self.statistic),
            "p_value": plain(self.p_value),
        }


@dataclass(frozen=True, slots=True)
class Provenance:
    """What is needed to make a result again; never a clock.

    Attributes
    ----------
    version : str
        Version of annostat.
    data_hash : str
        Digest of the input values (`Rounds.digest`).
    n_items : int
        Number of labelled items that were used.
    seed : int or None
        Seed of every random step; None if the caller passed a generator or nothing.
    options : mapping
        The settings that shaped the result.
    """

    version: str
    data_hash: str
    n_items: int
    seed: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the provenance as plain data."""
        return {
            "annostat_version": self.version,
            "data_hash": self.data_hash,
            "n_items": self.n_items,
            "seed": self.seed,
            "options": plain(dict(self.options)),
        }


class Result:
    """Base of all results: implement `sections` and `to_dict`; text and HTML follow."""

    __slots__ = ()

    def __init_subclass__(cls, **options: Any) -> None:
        """Keep the short repr: a dataclass would print every array and every part."""
        super().__init_subclass__(**options)
        if "__repr__" not in cls.__dict__:
            cls.__repr__ = cls.__repr__  # type: ignore[method-assign]

    def __repr__(self) -> str:
        checks: tuple[Check, ...] = getattr(self, "checks", ())
        provenance: Provenance | None = getattr(self, "provenance", None)
        name = type(self).__name__
        lines = [f"{name} of {counted(provenance.n_items, 'item')}" if provenance else name]
        for word, text in (("Answer", self.answer()), ("Quote", self.quote())):
            if text:
                short = textwrap.shorten(text, MOST, placeholder=" …")
                lines += hang(word, printable(short))
        failed = sum(c.passed is False for c in checks)
        told = f"{failed} of {counted(len(checks), 'check')} fail{'s' * (failed == 1)}"
        return "\n".join([*lines, f"{told + '  ' if checks else ''}.summary() .to_frame()"])

    def sections(self) -> list[Section]:
        """Return what a person should read, in order."""
        raise NotImplementedError

    def answer(self) -> str:
        """Return the answer in one sentence or two; empty where a result has no headline."""
        return ""

    def quote(self) -> str:
        """Return the number to quote, with its interval and unit; empty without a headline."""
        return ""

    def cited(self) -> Cited | None:
        """Return the sentences for a paper, with their marks; None where a result has none."""
        return None

    def cite(self, form: str = "text") -> str:
        r"""Return a sentence for the methods section and one for the results, with references.

        Parameters
        ----------
        form : {"text", "markdown", "latex"}
            References are numbered, ``[@key]``, or commands ``\cite{key}`` with BibTeX below.

        Returns
        -------
        str
            Methods: what was labelled, how often, the estimator, the intervals, the version.
            Results: the number of `quote`, with interval and unit, and the checks that fail.

        Raises
        ------
        AnnostatError
            If this kind of result has no such sentences.

        Examples
        --------
        >>> from annostat import bounds_from_summary
        >>> found = bounds_from_summary(sd=4.0, convention="noise-sd", n=60, unit="mm")
        >>> print(found.cite().splitlines()[0])
        Methods  The best attainable agreement with one annotation was derived from
        """
        found = self.cited()
        if found is None:
            raise AnnostatError(f"cite: a {type(self).__name__} has no sentences for a paper")
        return found.to_text(form)

    def to_markdown(self, *, everything: bool = False) -> str:
        """Return the tables in Markdown; with `everything` the folded ones too."""
        return tables(self.sections(), markdown_table, everything=everything)

    def to_latex(self, *, everything: bool = False) -> str:
        """Return the tables in LaTeX (package booktabs); with `everything` the folded ones too."""
        return tables(self.sections(), latex_table, everything=everything)

    def opening(self, *notes: str) -> Section:
        """Return what a screen opens with: answer, quote, and the checks that want attention."""
        checks: tuple[Check, ...] = getattr(self, "checks", ())
        said = [*(("", note) for note in notes), ("Answer", self.answer()), ("Quote", self.quote())]
        return Section(said=[*said, *called(checks)])

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        raise NotImplementedError

    def to_frame(self) -> pd.DataFrame:
        """Return the main table, one row per estimate."""
        raise NotImplementedError

    def to_text(self, *, width: int | None = None, everything: bool = False) -> str:
        """Return the result as text.

        Parameters
        ----------
        width : int, optional
            Columns of the screen, at least 60: what is wider wraps, and columns of tables are
            dropped from the right. By default tables are as wide as they need to be.
        everything : bool
            Show what is folded away too: every model, every check.

        Returns
        -------
        str
        """
        return render_text(self.sections(), width=width, everything=everything)

    def summary(self, *, width: int | None = None, everything: bool = False) -> None:
        """Print the result as a screen; `to_text` returns it.

        Parameters
        ----------
        width : int, optional
            Columns, at least 60; those of the terminal by default, 100 in a notebook or a file.
        everything : bool
            Show what is folded away too: every model, every check.
        """
        if width is None:
            width = shutil.get_terminal_size((100, 24)).columns
        print(self.to_text(width=width, everything=everything))

    def plot(self, *, ax: Any = None, **options: Any) -> Any:
        """Draw the result.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw, if the result has one panel; a new figure by default.
        **options
            ``size="one"`` or ``"two"``: the width of one or of two columns of a journal, 85 and
            175 mm, with letters of 7 and 8 points; several panels stand below one another. Others
            go to the function of `annostat.plotting` that draws this kind of result.

        Returns
        -------
        matplotlib Figure, which a notebook shows; Axes if `ax` is given

        Raises
        ------
        AnnostatError
            If no picture of this kind of result is known, or `ax` is given for several panels.
        """
        # By name: this room does not know that of the pictures, which loads matplotlib.
        draw = importlib.import_module("annostat.plotting.drawn").draw
        return draw(self, ax=ax, **options)

    def __str__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        return render_html(self.sections())


def told_failed(checks: Iterable[Check], *, but: Iterable[str] = ()) -> str:
    """Return a sentence on the checks that fail, for a paper; empty where all hold.

    `but` names those that are told already.
    """
    told = [c.message for c in checks if c.passed is False and c.name not in but]
    clauses = [text.partition(":")[0].rstrip(".") for text in told]
    return f" Not met: {'; '.join(dict.fromkeys(clauses))}." if clauses else ""


def called(checks: Iterable[Check]) -> list[tuple[str, str]]:
    """Return the paragraph "Checks" of a screen, and one for each that fails or cannot be made."""
    checks = tuple(checks)
    if not checks:
        return []
    failed = [c for c in checks if c.passed is False]
    unknown = [c for c in checks if c.passed is None]
    held = len(checks) - len(failed) - len(unknown)
    parts = [f"{held} hold" if held != 1 else "1 holds"]
    if failed:
        parts.append(f"{len(failed)} fail{'s' if len(failed) == 1 else ''} (!!)")
    if unknown:
        parts.append(f"{len(unknown)} cannot be made (??)")
    marked = [("!!", c.message) for c in failed] + [("??", c.message) for c in unknown]
    return [("Checks", f"{', '.join(parts)}."), *marked]


def check_section(checks: Iterable[Check], *, when: str = "") -> Section:
    """Return the checks as a section: one line each, failed ones first."""
    mark = {True: "ok  ", False: "!!  ", None: "??  "}
    order = {False: 0, None: 1, True: 2}
    ranked = sorted(checks, key=lambda c: order[c.passed])
    return Section("Checks", lines=[mark[c.passed] + c.message for c in ranked], when=when)
