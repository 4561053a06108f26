"""Pages that commands write: `--report FILE.html`, and the chapters that all of them begin with."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from annostat.cli.command import TYPED
from annostat.errors import printable

if TYPE_CHECKING:
    from annostat.labels.read import Read
    from annostat.report import Part

report_option = click.option(
    "--report", "report_file", metavar="FILE.html", help="Write a page for people."
)


def what_was_read(read: Read | None) -> list[Part]:
    """Return the chapter that says what was read, where a table was."""
    from annostat.report import Part

    return [] if read is None else [Part("What was measured", intro=(str(read),))]


def of_stratum(chapter: Part, name: str) -> Part:
    """Return a chapter whose title and answers name the stratum."""
    if not name:
        return chapter
    return replace(
        chapter,
        title=f"{name}: {chapter.title[0].lower()}{chapter.title[1:]}",
        answer=[f"{name}: {line}" for line in chapter.answer],
    )


def write_page(
    ctx: click.Context, path: str | None, results: Mapping[str, Any], read: Read | None, title: str
) -> None:
    """Write the results of a command as a page, if a file is named for it."""
    if not path:
        return
    from annostat.report import part_of, write_report

    chapters = what_was_read(read)
    chapters += [of_stratum(part_of(result), name) for name, result in results.items()]
    typed = shlex.join(["annostat", str(ctx.info_name), *ctx.meta.get(TYPED, ())])
    write_report(path, chapters, title=title, command=printable(typed))
