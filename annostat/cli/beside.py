"""What is said beside a result, on standard error: errors, warnings, what is left out."""

from __future__ import annotations

import shutil
import sys
import textwrap

import click


def beside(text: str) -> None:
    """Say one line beside the result; a terminal wraps it between words, a file or a pipe never."""
    line = f"annostat: {text}"
    if sys.stderr.isatty():
        width = shutil.get_terminal_size((80, 24)).columns
        line = textwrap.fill(
            line, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
        )
    click.echo(line, err=True)
