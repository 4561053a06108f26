"""What the commands of `models` share: errors as one line, the device, settings, progress."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import torch

from annostat import AnnostatError
from models.data.clips import SPLITS
from models.network.predict import PADDINGS


def run_command(command: click.Command, args: list[str] | None = None) -> None:
    """Run a command; input that cannot be used gives one line on stderr and exit status 2."""
    warnings.showwarning = _warn  # type: ignore[assignment]
    try:
        command(args, standalone_mode=True)
    except AnnostatError as error:
        _fail(str(error))
    except (OSError, MemoryError) as error:
        _fail(_words(error))
    except RuntimeError as error:
        # What torch says when memory is short, on a GPU or a host; all else is a fault of ours.
        if "out of memory" not in str(error) and "not enough memory" not in str(error):
            raise
        _fail(f"memory is short: a smaller train.batch, train.window or data.size helps ({error})")
    except ImportError as error:
        if error.name is None or error.name.split(".")[0] in ("annostat", "models"):
            raise
        _fail(f'{error.name} is not installed: pip install "annostat[train]"')


def _fail(message: str) -> None:
    click.echo(f"Error: {' '.join(message.split())[:2000]}", err=True)
    sys.exit(2)


def _words(error: OSError | MemoryError) -> str:
    """Return what an error of the system says, with the file that it is about."""
    if isinstance(error, MemoryError):
        return "memory is short: a smaller train.batch, train.window or data.size helps"
    name = f" {str(error.filename)!r}" if error.filename else ""
    return f"{error.strerror or error}{name}"


def _warn(message: Any, category: Any, filename: str, lineno: int, *more: Any) -> None:
    """Tell a warning as one line, without the place in the code."""
    click.echo(f"Warning: {' '.join(str(message).split())}", err=True)


def add(command: Callable[..., Any], *options: Callable[..., Any]) -> Callable[..., Any]:
    """Apply click's decorators so that the help keeps their order."""
    for option in reversed(options):
        command = option(command)
    return command


def setting_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options --preset, --config and --set."""
    return add(
        command,
        click.option("--preset", help="Settings that come along; see models.config."),
        click.option(
            "--config",
            "file",
            type=click.Path(path_type=Path),
            help="YAML or JSON of settings.",
        ),
        click.option(
            "--set",
            "settings",
            multiple=True,
            metavar="SECTION.NAME=VALUE",
            help="Change a setting; as often as needed.",
        ),
    )


def padding_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of what is put in front of a clip."""
    return add(
        command,
        click.option("--pad", type=click.IntRange(0), default=0, help="Frames put in front."),
        click.option(
            "--how", type=click.Choice(PADDINGS), default="mirror", help="What is put in front."
        ),
    )


def kind_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option of what the numbers in a folder of masks are."""
    return click.option(
        "--kind",
        type=click.Choice(["uint8", "binary", "logits", "probability"]),
        default="uint8",
        help="What the masks' numbers are; models.infer writes uint8.",
    )(command)


def clip_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of which clips of a student's data it is about."""
    return add(
        command,
        click.option("--split", type=click.Choice(SPLITS), default="test"),
        click.option(
            "--set",
            "settings",
            multiple=True,
            metavar="SECTION.NAME=VALUE",
            help="Change a setting of the data, for example data.n_test=100.",
        ),
        click.option("--cache", type=click.Path(path_type=Path), default=Path("out/clips")),
    )


def pick_device(text: str) -> torch.device:
    """Return the device that a text names; "auto" is a GPU if there is one."""
    if text == "auto":
        text = "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, number = text.partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdigit()):
        raise AnnostatError(f"--device must be auto, cpu, cuda or cuda:N, got {text!r}")
    if kind == "cuda":
        if not torch.cuda.is_available():
            raise AnnostatError("--device cuda: torch sees no GPU on this machine")
        n = torch.cuda.device_count()
        if number and int(number) >= n:
            raise AnnostatError(f"--device {text}: torch sees {n} GPUs, cuda:0 to cuda:{n - 1}")
    return torch.device(text)


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
