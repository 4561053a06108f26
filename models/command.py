"""What the commands of `models` share: errors as one line, the device, a line of progress."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import torch

from annostat import AnnostatError


def run_command(command: click.Command, args: list[str] | None = None) -> None:
    """Run a command; input that cannot be used gives one line on stderr and exit status 2."""
    try:
        command(args, standalone_mode=True)
    except AnnostatError as error:
        click.echo(f"Error: {' '.join(str(error).split())}", err=True)
        sys.exit(2)


def pick_device(text: str) -> torch.device:
    """Return the device that a text names; "auto" is a GPU if there is one."""
    if text == "auto":
        text = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(text)
    except RuntimeError:
        raise AnnostatError(f"--device must be auto, cpu, cuda or cuda:N, got {text!r}") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise AnnostatError("--device cuda: torch sees no GPU on this machine")
    return device


@contextmanager
def counter(title: str, total: int | None = None, *, quiet: bool = False) -> Iterator[Any]:
    """Yield a function that is told how many are done; shown on stderr if it is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    off = quiet or not console.is_terminal
    with Progress(console=console, transient=True, disable=off) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done: bar.update(task, completed=done)


def say(text: str, *, quiet: bool = False) -> None:
    """Write a line on stderr."""
    if not quiet:
        click.echo(text, err=True)
