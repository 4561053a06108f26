"""The command line: parse, call, print. One module for each command, loaded when needed."""

from __future__ import annotations

import atexit
import copy
import difflib
import functools
import gc
import importlib
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import click

from annostat._version import __version__
from annostat.cli import blas  # noqa: F401  before what loads NumPy
from annostat.cli.beside import beside
from annostat.cli.front import SUMMARIES, front
from annostat.errors import (
    AnnostatError,
    AnnostatWarning,
    is_interrupt,
    printable,
    spoken_to_a_shell,
)
from annostat.files import check_outputs, one_run

__all__ = ["main"]

# The commands in the order of the help page, each with the module that holds it.
COMMANDS = {
    "fit-afd": "fit_afd",
    "bounds": "bounds",
    "score": "score",
    "interchange": "interchange",
    "masks": "masks",
    "findings": "findings",
    "points": "points",
    "merge": "merge",
    "plan": "plan",
    "concentration": "concentration",
    "scaling": "scaling",
    "audit": "audit",
    "report": "report",
    "app": "app",
    "selftest": "selftest",
}
# Options that name files to be written, by the command's argument; all others may name inputs.
OUTPUTS = {
    "json_file": "--json",
    "plot_file": "--plot",
    "rates_file": "--plot-rates",
    "items_file": "--items",
    "report_file": "--report",
    "consensus_file": "--consensus",
    "output": "--output",
    "journal": "--journal",
}
FIGURES = ("plot_file", "rates_file")


class Commands(click.Group):
    """A group that imports a command when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the help page."""
        return list(COMMANDS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is named; a name that none has is told with the nearest one."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], COMMANDS, 1)
            tail = f"; did you mean {near[0]!r}?" if near else f": there are {', '.join(COMMANDS)}"
            raise click.UsageError(f"no command {args[0]!r}{tail}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands with what each answers, uncut."""
        rows = []
        for name in self.list_commands(ctx):
            command = None if name in SUMMARIES else self.get_command(ctx, name)
            summary = "" if command is None else command.get_short_help_str(60)
            rows.append((name, SUMMARIES.get(name, summary)))
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Return the command of that name."""
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"annostat.cli.{COMMANDS[name]}")
        command = getattr(module, COMMANDS[name])
        if command.callback is None:
            return None
        checked: click.Command = copy.copy(command)
        checked.callback = _with_files_apart(command.callback)
        return checked


def _with_files_apart(callback: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command that begins by refusing outputs that cannot be, or must not be, written."""

    @functools.wraps(callback)
    def checked(*args: Any, **options: Any) -> Any:
        given = click.get_current_context().params
        outputs = {flag: given[n] for n, flag in OUTPUTS.items() if given.get(n) not in (None, "-")}
        inputs: list[str] = []
        for name, value in given.items():
            if name not in OUTPUTS:
                texts = value if isinstance(value, tuple) else (value,)
                inputs += [part for t in texts if isinstance(t, str) for part in _paths_of(t)]
        check_outputs(outputs, inputs)
        for name in FIGURES:
            if given.get(name):
                from annostat.plotting.figures import format_of

                format_of(given[name])
        return callback(*args, **options)

    return checked


def _paths_of(text: str) -> list[str]:
    """Return what of an option may be a path: all of it, and what follows NAME=."""
    return [text, text.partition("=")[2]] if "=" in text else [text]


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="annostat")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Say how noisy annotations are, and how good any model can look against them."""
    if ctx.invoked_subcommand is None:
        click.echo(front(list(COMMANDS)))


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line; errors become one line and exit status 2."""
    # Most of a short run is imports. Looking for cycles among their objects took a tenth of it, and
    # at its end, for nothing, as much again.
    gc.set_threshold(200_000, 50, 1000)
    atexit.register(gc.freeze)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    warnings.simplefilter("default", AnnostatWarning)
    warnings.showwarning = lambda message, *_: beside(f"warning: {printable(str(message))}")
    try:
        with one_run(), spoken_to_a_shell():
            given = None if args is None else list(args)
            cli.main(args=given, prog_name="annostat", standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except (click.Abort, SystemError) as stop:
        if isinstance(stop, SystemError) and not is_interrupt(stop):
            raise
        beside("stopped")
        sys.exit(130)
    except click.ClickException as error:
        beside(f"error: {printable(error.format_message())}")
        sys.exit(2)
    except AnnostatError as error:
        beside(f"error: {error}")
        sys.exit(2)
    except OSError as error:
        if error.filename is None and sys.__stdout__ is not None:
            # Standard output is closed or full: Python must not flush it again at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())
        if not isinstance(error, BrokenPipeError):  # a reader that has seen enough is no error
            what = "cannot write" if error.filename is None else printable(str(error.filename))
            beside(f"error: {what}: {error.strerror}")
        sys.exit(2)
    except MemoryError:
        beside("error: not enough memory for this input")
        sys.exit(2)
