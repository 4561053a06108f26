"""What a table's columns look like, what they may be, and the command that follows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from annostat.errors import AnnostatError, printable
from annostat.labels.layout import Layout, Roles
from annostat.labels.looks import is_model_name, is_patient_name, look_of, may_be_category
from annostat.results.text import counted
from annostat.tables.peek import holds_words
from annostat.tables.reading import read_categories, read_rounds, read_table

SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".xlsx")
UNUSED = "Not used"
ROLES = ("Item", "Annotation", "Model", "Patient", "Group", "Frame rate", UNUSED)
KINDS = {
    "auto": "Look for me",
    "values": "Values",
    "picks": "Picked frames",
    "categories": "Categories",
    "ordinal": "Grades",
}
# What the page calls what a message of the command line names by its option.
WORDS = {
    "--kind categories": "Categories",
    "--kind ordinal": "Grades",
    "--kind values": "Values",
    "--rounds": "Annotation",
    "--model": "Model",
    "--cluster": "Patient",
    "--item": "Item",
    "--by": "Group",
    "--fps": "Frame rate",
}
WORDY = ("text", "few values", "constant", "0/1")  # looks of columns that hold categories
SHOWN = 3  # first values of a column
MOST_COLUMNS = 200


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, its first values, what it looks like and what it is taken for."""

    name: str
    values: str
    look: str
    role: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table that was looked at."""

    name: str
    n_rows: int
    columns: tuple[Column, ...]


def in_words_of_the_page(message: str) -> str:
    """Return a message of the command line with the words that stand on the page for its options.

    Examples
    --------
    >>> in_words_of_the_page("name all columns that tell them apart by --item")
    "name all columns that tell them apart by 'Item'"
    """
    for flag, word in WORDS.items():
        message = re.sub(rf"{flag}(?![-\w])", repr(word), message)
    return message


def looked_at(path: Path, name: str, kind: str = "auto") -> Table:
    """Return a table's columns with a guess of what each is.

    Parameters
    ----------
    path : Path
    name : str
        What the table is called.
    kind : str
        What the labels are, from `KINDS`; "auto": words are categories, as at the command line.
    """
    frame = read_table(path)
    names = [str(c) for c in frame.columns]
    if len(names) > MOST_COLUMNS:
        raise AnnostatError(
            f"{name} has {len(names)} columns, more than the {MOST_COLUMNS} that a page can list: "
            "use the command line"
        )
    found = {c: look_of(frame.iloc[:, i]) for i, c in enumerate(names)}
    words = kind in ("categories", "ordinal") or (kind == "auto" and holds_words(path))
    try:
        layout = Layout.resolve(frame, Roles(), categories=words)
        items, rounds = layout.item, list(layout.rounds)
    except AnnostatError:  # several readings: the person decides
        items = tuple(c for c in names if found[c] in ("identifier", "row numbers"))[:1]
        free = [c for c in names if c not in items and not is_model_name(c)]
        if words:
            held = [c for c in free if may_be_category(c, found[c]) and found[c] in WORDY]
            texts = [c for c in held if found[c] == "text"]
            rounds = texts if len(texts) > 1 else held
        else:
            rounds = [c for c in free if "numbers" in found[c]][:2]

    def role(column: str) -> str:
        if column in items:
            return "Item"
        if column in rounds:
            return "Annotation"
        if is_patient_name(column):
            return "Patient"
        labelled = found[column] in WORDY if words else "numbers" in found[column]
        return "Model" if is_model_name(column) and labelled else UNUSED

    columns = []
    for i, c in enumerate(names):
        first = " ".join(str(v) for v in frame.iloc[:SHOWN, i])
        columns.append(Column(c, printable(first)[:60], found[c], role(c)))
    return Table(name, len(frame), tuple(columns))


def chosen(table: Table, roles: Sequence[str]) -> dict[str, list[str]]:
    """Return the columns of each role.

    Raises
    ------
    AnnostatError
        If a role is unknown, fewer than two columns are annotations, two columns have a role
        that one may have, or a name begins with a hyphen.
    """
    if len(roles) != len(table.columns) or not set(roles) <= set(ROLES):
        raise AnnostatError("say of each column what it is, with the words of the list")
    of = {
        role: [c.name for c, r in zip(table.columns, roles, strict=True) if r == role]
        for role in ROLES
    }
    used = [name for role in ROLES if role != UNUSED for name in of[role]]
    if odd := [name for name in used if name.startswith("-") or not name.strip()]:
        raise AnnostatError(f"column {odd[0]!r} begins with a hyphen or is empty: rename it")
    for role in ("Patient", "Group", "Frame rate"):
        if len(of[role]) > 1:
            raise AnnostatError(f"one column may be {role}, got {', '.join(of[role])}")
    if len(of["Annotation"]) < 2:
        raise AnnostatError(f"two columns or more must be Annotation, got {len(of['Annotation'])}")
    return of


def what_is_read(path: Path, table: Table, roles: Sequence[str], options: Mapping[str, str]) -> str:
    """Return what the columns say when they are read so, in the words of the command line.

    Parameters
    ----------
    path : Path
        The table itself.
    table, roles, options
        As in `arguments`.

    Raises
    ------
    AnnostatError
        If the columns cannot be read so.
    """
    of = chosen(table, roles)
    group, patient, rate = (
        next(iter(of[role]), None) for role in ("Group", "Patient", "Frame rate")
    )
    names: dict[str, Any] = {
        "item": of["Item"] or None,
        "rounds": of["Annotation"],
        "models": of["Model"],
        "by": group,
        "cluster": patient,
    }
    kind = options.get("kind", "auto")
    labels: Any
    if kind in ("categories", "ordinal"):
        labels = read_categories(path, **names, ordinal=kind == "ordinal")
    else:
        labels = read_rounds(path, **names, fps=rate, unit=options.get("unit", "").strip())
    left_out = getattr(labels.without_models().usable().read, "left_out", {})
    return str(replace(labels.read, left_out=left_out)) if labels.read is not None else ""


def arguments(
    table: Table, roles: Sequence[str], options: Mapping[str, str]
) -> tuple[list[str], str]:
    """Return the arguments of `annostat report`, and what will be read in a sentence.

    Parameters
    ----------
    table : Table
    roles : sequence of str
        Of each column, from `ROLES`.
    options : mapping of str to str
        "kind", "unit" and "exchangeable" of the form; anything else is not looked at.

    Raises
    ------
    AnnostatError
        If a role is unknown, fewer than two columns are annotations, two columns have a role
        that one may have, or a name begins with a hyphen.
    """
    of = chosen(table, roles)
    kind = options.get("kind", "auto")
    if kind not in KINDS:
        raise AnnostatError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    args = [*(["--item", *of["Item"]] if of["Item"] else []), "--rounds", *of["Annotation"]]
    for name in of["Model"]:
        args += ["--model", name]
    for role, flag in (("Patient", "--cluster"), ("Group", "--by"), ("Frame rate", "--fps")):
        if of[role]:
            args += [flag, of[role][0]]
    if kind != "auto":
        args += ["--kind", kind]
    if unit := options.get("unit", "").strip():
        args.append(f"--unit={unit}")
    if options.get("exchangeable"):
        args.append("--exchangeable")
    words = counted(table.n_rows, "row")
    for role, noun in (("Annotation", "round"), ("Model", "model")):
        if of[role]:
            words += f", {counted(len(of[role]), noun)} ({', '.join(of[role])})"
    return args, words
