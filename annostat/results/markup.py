"""Sentences and tables in plain text, Markdown and LaTeX."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from annostat.errors import check_choice, printable
from annostat.results.sections import Section, chosen

FORMS = ("text", "markdown", "latex")
P = re.compile(r"\bp ([<=]) (0\.\d+)")
NAME = re.compile(r"`([^`]*)`")
KEY = re.compile(r" ?\[@(\w+)\]")
THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")
MINUS = re.compile(r"(?<![\w.])[-−](?=\d)([\d.,]+)")
SPECIAL = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
}
SYMBOLS = {
    "α": r"$\alpha$",
    "ε": r"$\varepsilon$",
    "κ": r"$\kappa$",
    "ρ": r"$\rho$",
    "σ": r"$\sigma$",
    "τ": r"$\tau$",
    "ω": r"$\omega$",
    "Δ": r"$\Delta$",
    "√": r"$\surd$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "∞": r"$\infty$",
    "−": "$-$",
    "–": "--",
    "…": r"\ldots{}",
    "²": r"\textsuperscript{2}",
    "½": r"$\frac{1}{2}$",
    "⅔": r"$\frac{2}{3}$",
    "¾": r"$\frac{3}{4}$",
    "µ": r"$\mu$",
}
EVERY = re.compile("|".join(re.escape(c) for c in (*SPECIAL, *SYMBOLS)))


def latex(text: str) -> str:
    r"""Return text in which LaTeX's own characters, and symbols that it lacks, are written out.

    Examples
    --------
    >>> print(latex("50% of a_b, σ ≤ 2"))
    50\% of a\_b, $\sigma$ $\leq$ 2
    """
    every = SPECIAL | SYMBOLS
    return EVERY.sub(lambda found: every[found[0]], text)


def sentence(text: str, form: str, number: Callable[[str], int]) -> str:
    """Return a sentence in a form.

    Parameters
    ----------
    text : str
        With names in backticks, references as ``[@key]``, and p-values as "p = 0.012".
    form : {"text", "markdown", "latex"}
    number : callable
        ``number(key)``: the number of a reference in plain text.
    """
    text = printable(text)
    if check_choice("form", form, FORMS) == "markdown":
        return P.sub(lambda p: f"*p* {p[1]} {p[2]}", text)
    if form == "text":
        told = KEY.sub(lambda key: f" [{number(key[1])}]", text)
        return NAME.sub(lambda name: f'"{name[1]}"', told)
    # What is mathematics or a command stands aside while the rest is escaped.
    kept: list[str] = []

    def aside(made: str) -> str:
        kept.append(made)
        return f"\x00{len(kept) - 1}\x00"

    told = KEY.sub(lambda key: aside(rf"~\cite{{{key[1]}}}"), text)
    told = NAME.sub(lambda name: aside(rf"\texttt{{{latex(name[1])}}}"), told)
    told = P.sub(lambda p: aside(f"$p {p[1]} {p[2]}$"), told)
    told = MINUS.sub(lambda m: aside(f"$-{m[1]}$"), told)
    told = THOUSANDS.sub(lambda _: aside("{,}"), told)
    return re.sub("\x00(\\d+)\x00", lambda i: kept[int(i[1])], latex(told))


def markdown_table(section: Section) -> str:
    """Return the table of a section in Markdown, its title above and its lines below."""

    def row(cells: Iterable[str]) -> str:
        told = (printable(c).replace("\\", "\\\\").replace("|", "\\|") for c in cells)
        return f"| {' | '.join(told)} |"

    lines = [f"**{printable(section.title)}**", ""] if section.title else []
    lines += [row(section.columns), row("---" for _ in section.columns)]
    lines += [row(cells) for cells in section.rows]
    return "\n".join([*lines, *_below(section, "")])


def latex_table(section: Section) -> str:
    """Return the table of a section in LaTeX (package booktabs), its lines as notes below."""

    def row(cells: Iterable[str]) -> str:
        return " & ".join(sentence(c.replace("`", "'"), "latex", lambda _: 0) for c in cells)

    lines = [
        r"\begin{table}",
        rf"\caption{{{latex(printable(section.title))}}}" if section.title else "",
        rf"\begin{{tabular}}{{{'l' * len(section.columns)}}}",
        r"\toprule",
        rf"{row(section.columns)} \\",
        r"\midrule",
        *(rf"{row(cells)} \\" for cells in section.rows),
        r"\bottomrule",
        r"\end{tabular}",
        *_below(section, "\\\\"),
        r"\end{table}",
    ]
    return "\n".join(line for line in lines if line)


def _below(section: Section, end: str) -> list[str]:
    told = [printable(line) for line in section.lines]
    if not told:
        return []
    if end:
        return [
            r"\par",
            *(sentence(t.replace("`", "'"), "latex", lambda _: 0) + r"\par" for t in told),
        ]
    return ["", *"\n\n".join(told).split("\n")]


def tables(
    sections: Sequence[Section], write: Callable[[Section], str], *, everything: bool = False
) -> str:
    """Return the tables among sections, an empty line between them."""
    shown = chosen(sections, everything=everything)
    return "\n\n".join(write(section) for section in shown if section.columns)
