"""What is seen of a run while it goes on: a bar on the terminal, events for TensorBoard."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from annostat import AnnostatError


@contextmanager
def progress(
    epoch: int, total: int, batch: int, quiet: bool
) -> Iterator[Callable[[int, torch.Tensor], None]]:
    """Show loss, clips per second and the time left of an epoch, if stderr is a terminal.

    Yields a function of the batches done and of the sum of their losses.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(),
        TextColumn("{task.fields[text]}"),
        TimeRemainingColumn(),
    )
    off = quiet or not console.is_terminal
    start, shown = time.perf_counter(), 0.0
    with Progress(*columns, console=console, transient=True, disable=off) as bar:
        task = bar.add_task("", total=total, epoch=epoch, text="")
        first: list[int] = []

        def show(done: int, losses: torch.Tensor) -> None:
            nonlocal shown
            first[:] = first or [done - 1]
            now = time.perf_counter()
            # Reading the loss waits for the GPU: not at each batch.
            if not off and (now - shown > 0.5 or done == total):
                shown, speed = now, (done - first[0]) * batch / (now - start)
                text = f"loss {float(losses) / done:.4f}, {speed:.1f} clips/s"
                bar.update(task, completed=done, text=text)

        yield show


class Events:
    """Writes each epoch's row as events for TensorBoard, while the run goes on.

    Parameters
    ----------
    folder : Path
    after : int
        Epochs that are done; later events of an earlier start are taken back.

    Raises
    ------
    AnnostatError
        If tensorboard is not installed.
    """

    def __init__(self, folder: Path, after: int = 0) -> None:
        check_tensorboard()
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(str(folder), purge_step=after + 1 if after else None)

    def __call__(self, row: dict[str, Any]) -> None:
        """Write the numbers of one epoch."""
        for name, value in row.items():
            self.writer.add_scalar(name, value, row["epoch"])
        self.writer.flush()

    def close(self) -> None:
        """Close the file."""
        self.writer.close()


def check_tensorboard() -> None:
    """Refuse to go on without tensorboard."""
    try:
        from torch.utils.tensorboard import SummaryWriter  # noqa: F401
    except ImportError:
        raise AnnostatError(
            "train.tensorboard needs tensorboard: pip install it, or set it to false"
        ) from None
