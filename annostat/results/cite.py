"""Sentences to paste: one for the methods section, one for the results, and their references."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass

from annostat._version import __version__
from annostat.errors import check_choice
from annostat.results.estimates import Estimate
from annostat.results.markup import FORMS, KEY, sentence
from annostat.results.text import hang, percent

TOOL = f"annostat {__version__} [@annostat]"


@dataclass(frozen=True, slots=True)
class Reference:
    """A work that sentences refer to.

    Attributes
    ----------
    text : str
        As a list of references has it.
    bibtex : str
    """

    text: str
    bibtex: str


# Every reference that sentences may have; each was looked up.
REFERENCES = {
    "annostat": Reference(
        "The annostat developers. annostat: the metrology of annotation noise, version "
        f"{__version__} (software).",
        f"""@software{{annostat,
  author = {{{{The annostat developers}}}},
  title = {{annostat: the metrology of annotation noise}},
  version = {{{__version__}}}
}}""",
    ),
    "bland1999": Reference(
        "Bland JM, Altman DG. Measuring agreement in method comparison studies. Statistical "
        "Methods in Medical Research 1999; 8: 135–160.",
        """@article{bland1999,
  author = {Bland, J. Martin and Altman, Douglas G.},
  title = {Measuring agreement in method comparison studies},
  journal = {Statistical Methods in Medical Research},
  year = {1999},
  volume = {8},
  pages = {135--160}
}""",
    ),
}


@dataclass(frozen=True, slots=True)
class Cited:
    """What a paper may say of a result.

    Attributes
    ----------
    methods, results : str
        With names in backticks, references as ``[@key]``, and p-values as "p = 0.012".
    """

    methods: str
    results: str

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of the references, in the order in which they are named."""
        found = KEY.findall(f"{self.methods} {self.results}")
        return tuple(dict.fromkeys(found))

    def to_text(self, form: str = "text") -> str:
        """Return the sentences in plain text, Markdown or LaTeX, their references below."""
        check_choice("form", form, FORMS)

        def number(key: str) -> int:
            return self.keys.index(key) + 1

        both = [sentence(part, form, number) for part in (self.methods, self.results)]
        if form == "text":
            lines = hang("Methods", both[0], gutter=9) + hang("Results", both[1], gutter=9)
            for key in self.keys:
                lines += hang(f"[{number(key)}]", REFERENCES[key].text, gutter=9)
            return "\n".join(lines)
        wrapped = [_wrapped(part) for part in both]
        if form == "latex":
            return "\n\n".join([*wrapped, *(REFERENCES[key].bibtex for key in self.keys)])
        listed = [_wrapped(f"[@{key}]: {REFERENCES[key].text}") for key in self.keys]
        return "\n\n".join([*wrapped, *listed])


def ci(e: Estimate, unit: str = "", *, words: str = "") -> str:
    """Return a value with unit and interval, as a paper has it.

    Examples
    --------
    >>> from annostat import Estimate, Interval
    >>> ci(Estimate(3.9, 0.17, Interval(3.6, 4.26, 0.95, "t")), "mm")
    '3.90 mm (95% CI 3.60 to 4.26)'
    """
    value = f"{e.short()} {unit}" if unit else e.short()
    if e.interval is None:
        return f"{value} (no interval)"
    tail = f", {words}" if words else ""
    return f"{value} ({percent(e.interval.level)} CI {e.range()}{tail})"


def methods_of(intervals: list[Estimate]) -> str:
    """Return how intervals were made, each way once."""
    ways = dict.fromkeys(e.interval.method for e in intervals if e.interval is not None)
    return " and ".join(ways)


def _wrapped(text: str) -> str:
    joined = re.sub(r"\s+", " ", text).strip()
    return textwrap.fill(joined, 80, break_long_words=False, break_on_hyphens=False)
