"""Train a student: python -m models.train --preset phantom-tiny, or under torchrun.

Everything is written to one folder: `config.json` (the settings), `log.csv`, `last.pt` (whole
training state, after each epoch), `best.safetensors` and `best.json`, and at the end `curves.png`,
`masks.png` and `result.json`. The same command goes on where it was stopped.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import torch

from models.command import counter, pick_device, run_command, say, setting_options
from models.config import Config, load_config
from models.data.clips import open_store
from models.data.store import Store
from models.finish import check_ready, finish, result_of
from models.logs import Events
from models.processes import World, join
from models.trainer import Stopped, Trainer

STOPPED = 128 + signal.SIGTERM


def train(
    config: Config,
    out: Path,
    *,
    cache: Path,
    device: str = "auto",
    quiet: bool = False,
    watch: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Train as the settings say, or go on with it; return what `result.json` holds.

    Parameters
    ----------
    config : Config
    out, cache : Path
        Folder of the run; where clips are kept.
    device : str
        "auto", "cpu", "cuda" or "cuda:N".
    quiet : bool
    watch : callable, optional
        Is told each epoch's row of `log.csv` as a dict, in the first process: the place for any
        other logger.

    Raises
    ------
    Stopped
        After SIGTERM: the state is saved, the same call goes on.
    AnnostatError
        If data, teachers, a package or a checkpoint cannot be used; before any training.
    """
    done = result_of(config, out)
    if done is not None:
        return done
    t = config.train
    if t.threads:
        torch.set_num_threads(t.threads)
    with join(pick_device(device)) as world:
        quiet = quiet or not world.first
        with world.first_alone():
            if world.first:
                check_ready(config, out)
                # The test clips are opened first: what they lack is told before the training.
                others = open_others(config, cache, world, quiet)
                test, *stores = open_stores(config, ("test", "train", "valid"), cache, world, quiet)
        if not world.first:
            stores = open_stores(config, ("train", "valid"), cache, world, quiet=True)
        trainer = Trainer(config, out, stores[0], stores[1], world)
        with watching(trainer, watch), stop_signal(trainer):
            trainer.fit(quiet=quiet)
        result: dict[str, Any] = {}
        if world.first:
            where = world.device
            history = trainer.history
            result = finish(config, out, history, test, others, device=where, quiet=quiet)
        world.wait()
    return result


def open_stores(
    config: Config, splits: Sequence[str], cache: Path, world: World, quiet: bool
) -> list[Store]:
    """Return the clips of some splits, made if they are not there yet."""
    stores = []
    for split in splits:
        with counter(f"Clips for {split}", quiet=quiet) as done:
            store = open_store(config.data, split, cache, device=world.device, progress=done)
        for message in store.messages():
            say(f"{split}: {message}", quiet=quiet)
        stores.append(store)
    return stores


def open_others(config: Config, cache: Path, world: World, quiet: bool) -> dict[str, Store]:
    """Return the further test clips, by the texts of `data.tests`."""
    stores = {}
    for text in config.data.tests:
        with counter(f"Clips of {text}", quiet=quiet) as done:
            data = config.data.other(text)
            store = open_store(data, "test", cache, device=world.device, progress=done)
        for message in store.messages():
            say(f"{text}: {message}", quiet=quiet)
        stores[text] = store
    return stores


@contextmanager
def watching(trainer: Trainer, watch: Callable[[dict[str, Any]], None] | None) -> Iterator[None]:
    """Let TensorBoard's events and one other logger be told of each epoch."""
    if watch is not None:
        trainer.watchers.append(watch)
    if not (trainer.config.train.tensorboard and trainer.world.first):
        yield
        return
    folder = trainer.out / "events"
    events: Events | None = None

    def tell(row: dict[str, Any]) -> None:
        nonlocal events
        # Opened late: only after a checkpoint is read it is known where the run stands.
        events = events or Events(folder, int(row["epoch"]) - 1)
        events(row)

    trainer.watchers.append(tell)
    try:
        yield
    finally:
        if events is not None:
            events.close()


@contextmanager
def stop_signal(trainer: Trainer) -> Iterator[None]:
    """Let SIGTERM end the run after the present batch, its state saved.

    Among several processes each would stop at another batch; there it ends them at once, and the
    present epoch is lost.
    """
    if trainer.world.size > 1:
        yield
        return

    def ask(number: int, frame: Any) -> None:
        trainer.stop = True

    before = signal.signal(signal.SIGTERM, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@click.command(context_settings={"show_default": True})
@setting_options
@click.option("--out", type=click.Path(path_type=Path), help="Folder; out/NAME by default.")
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    default=Path("out/clips"),
    help="Where drawn or decoded clips are kept.",
)
@click.option("--device", default="auto", help="auto, cpu, cuda or cuda:N.")
@click.option("--quiet", is_flag=True, help="Nothing on stderr but errors.")
def main(
    preset: str | None,
    file: Path | None,
    settings: tuple[str, ...],
    out: Path | None,
    cache: Path,
    device: str,
    quiet: bool,
) -> None:
    """Train a student, or go on with a run that was stopped."""
    config = load_config(preset=preset, file=file, settings=settings)
    out = out or Path("out") / (preset or Path(str(file)).stem)
    try:
        result = train(config, out, cache=cache, device=device, quiet=quiet)
    except Stopped:
        say(f"Stopped, state saved in {os.fspath(out)}; the same command goes on.", quiet=quiet)
        sys.exit(STOPPED)
    if result:
        click.echo(
            f"{out}: {result['epochs']} epochs, best {result['best_epoch']}, {in_words(result)}"
        )
        for text, other in result["tests"].items():
            click.echo(f"{text}: {in_words(other)}")


def in_words(result: dict[str, Any]) -> str:
    """Return the scores of some test clips in a line."""
    dice = ", ".join(f"{s} {d['dice']['value']:.4f}" for s, d in result["test"].items())
    return f"mean Dice of {result['n_test_clips']} unseen clips against {result['against']}: {dice}"


if __name__ == "__main__":
    run_command(main)
