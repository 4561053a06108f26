"""Train a student: python -m models.train --preset phantom-tiny, or under torchrun.

Everything is written to one folder: `config.json` (the settings), `log.csv`, `last.pt` (whole
training state, after each epoch), `best.safetensors` and `best.json`, and at the end `curves.png`,
`masks.png` and `result.json`. The same command goes on where it was stopped.
"""

from __future__ import annotations

import copy
import csv
import io
import json
import math
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from torch import nn

from annostat import AnnostatError
from annostat.files import write_text
from annostat.results.text import plain
from models.batches import Batches
from models.checkpoints import (
    build_student,
    load_state,
    load_student,
    save_state,
    save_weights,
)
from models.clips import open_store
from models.command import counter, pick_device, run_command, say
from models.config import PRESETS, Config, load_config
from models.infer import predict
from models.losses import distillation_loss, overlap_counts
from models.norm import share_statistics
from models.scores import overlaps, predictions
from models.step import Average, Step
from models.store import Store
from models.world import World, join

STOPPED = 128 + signal.SIGTERM


class Stopped(Exception):
    """The run was asked to stop, and its state is saved."""


class Trainer:
    """A run: the network, its optimiser, where it stands, and what it has seen.

    `epoch` and `batch` count what is done; `history` has one row for each whole epoch.
    """

    def __init__(self, config: Config, out: Path, train: Store, valid: Store, world: World) -> None:
        self.config, self.out, self.world = config, out, world
        t = config.train
        torch.manual_seed(t.seed)
        student = build_student(config).to(world.device)
        if world.device.type == "cuda":
            student = student.to(memory_format=torch.channels_last)
        if t.shared_norm and world.size > 1:
            share_statistics(student)
        self.student = student
        options: dict[str, Any] = {
            "batch": t.batch, "window": t.window, "stride": t.stride, "seed": t.seed,
            "device": world.device, "rank": world.rank, "world": world.size,
        }  # fmt: skip
        self.train = Batches(train, **options)
        self.valid = Batches(valid, **options, fixed=True)
        net: nn.Module = student
        if world.size > 1:
            net = nn.parallel.DistributedDataParallel(student)
        self.step = Step(net, t, world.device, total=t.epochs * len(self.train))
        self.average = Average(student, t.ema) if t.ema else None
        self.epoch = self.batch = 0
        self.loss = 0.0  # sum over the batches of the present epoch
        self.history: list[dict[str, Any]] = []
        self.spent = (0.0, 0.0)  # wall and CPU seconds of the present epoch before a restart
        self.stop = False

    @property
    def best(self) -> int:
        """Epoch of the lowest validation loss, the first of equals; 0 before there is one."""
        losses = [row["valid_loss"] for row in self.history]
        return 1 + int(np.argmin(losses)) if losses else 0

    @property
    def finished(self) -> bool:
        """Whether the last epoch is done, or the validation loss no longer falls."""
        t = self.config.train
        return self.epoch >= t.epochs or self.epoch - self.best >= t.patience

    def fit(self, *, quiet: bool = False) -> None:
        """Train until the end, writing the state after each epoch."""
        if (self.out / "last.pt").exists():
            self.resume()
            say(f"Going on after epoch {self.epoch}.", quiet=quiet)
        if self.world.first:
            text = json.dumps(self.config.to_dict(), indent=2)
            write_text(self.out / "config.json", text + "\n")
        while not self.finished:
            self.run_epoch(quiet=quiet)

    def run_epoch(self, *, quiet: bool = False) -> None:
        """Train for one epoch (or what is left of it), validate, and save."""
        start = time.perf_counter(), time.process_time()
        self.student.train()
        total = len(self.train)
        # The sum goes on in the same order after a restart, so that it has the same digits.
        losses = torch.tensor(self.loss, dtype=torch.float64, device=self.world.device)
        with progress(self.epoch + 1, total, self.train.batch, quiet) as show:
            for frames, targets in self.train.epoch(self.epoch, first=self.batch):
                losses += self.step(frames, targets)
                if self.average is not None:
                    self.average.update(self.student)
                self.batch += 1
                show(self.batch, losses)
                if self.stop:
                    self.loss = float(losses)
                    self.spent = self._spent(start)
                    self.save()
                    raise Stopped
        mean = self.world.sum(losses) / (total * self.world.size)
        row = {"epoch": self.epoch + 1, "rate": self.step.rate(), "train_loss": float(mean)}
        row |= self.validate()
        if not math.isfinite(row["train_loss"] + row["valid_loss"]):
            raise AnnostatError(
                f"the loss is no longer a number in epoch {row['epoch']}: lower train.rate or "
                "train.clip_norm"
            )
        row["wall_s"], row["cpu_s"] = (round(s, 3) for s in self._spent(start))
        row["clips_per_s"] = round(total * self.train.batch / max(row["wall_s"], 1e-9), 2)
        self.history.append(row)
        self.epoch, self.batch, self.loss, self.spent = self.epoch + 1, 0, 0.0, (0.0, 0.0)
        if self.world.first:
            if self.best == self.epoch:
                facts = {"epoch": self.epoch, "valid_loss": row["valid_loss"]}
                save_weights(self.out / "best.safetensors", self.weights(), self.config, facts)
            self.save()
            write_text(self.out / "log.csv", table(self.history))
        say(
            f"epoch {self.epoch:3d}  train {row['train_loss']:.4f}  valid {row['valid_loss']:.4f}  "
            f"Dice {row['valid_dice']:.4f}  {row['clips_per_s']:.1f} clips/s",
            quiet=quiet or not self.world.first,
        )

    def _spent(self, start: tuple[float, float]) -> tuple[float, float]:
        now = time.perf_counter(), time.process_time()
        wall, cpu = (s + n - b for s, n, b in zip(self.spent, now, start, strict=True))
        return wall, cpu

    def weights(self) -> dict[str, Any]:
        """Return the weights that are validated and kept: the average's, if there is one."""
        return self.student.state_dict() if self.average is None else self.average.weights

    @torch.no_grad()
    def validate(self) -> dict[str, Any]:
        """Return loss and Dice of the fixed validation windows, over all processes."""
        net = self.student
        if self.average is not None:
            net = copy.deepcopy(self.student)
            net.load_state_dict(self.average.weights)
        if self.world.size > 1:
            # Without shared statistics the processes have seen different batches.
            for buffer in net.buffers():
                torch.distributed.broadcast(buffer, 0)
        net.eval()
        t, structures = self.config.train, self.config.data.structures
        sums = torch.zeros(2 + 2 * len(structures), dtype=torch.float64, device=self.world.device)
        half = self.world.device.type == "cuda" and t.bf16
        for frames, targets in self.valid.epoch(0):
            with torch.autocast(self.world.device.type, torch.bfloat16, enabled=half):
                logits = net(frames)
            loss = distillation_loss(logits, targets, hard=t.targets == "hard", dice=t.dice)
            sums[0] += loss * len(frames)
            sums[1] += len(frames)
            sums[2:] += overlap_counts(logits, targets).flatten()
        self.world.sum(sums)
        loss_sum, count, *overlap = sums.tolist()
        dice = [a / b if b else 1.0 for a, b in zip(overlap[::2], overlap[1::2], strict=True)]
        row = {"valid_loss": loss_sum / count, "valid_dice": sum(dice) / len(dice)}
        return row | {f"dice_{s}": d for s, d in zip(structures, dice, strict=True)}

    def save(self) -> None:
        """Write the whole state, in one step."""
        if not self.world.first:
            return
        save_state(
            self.out / "last.pt",
            {
                "config": self.config.to_dict(),
                "student": self.student.state_dict(),
                "step": self.step.state_dict(),
                "average": None if self.average is None else self.average.weights,
                "epoch": self.epoch, "batch": self.batch, "loss": self.loss,
                "history": self.history, "spent": list(self.spent),
            },
        )  # fmt: skip

    def resume(self) -> None:
        """Take up the state of `last.pt`."""
        path = self.out / "last.pt"
        state = load_state(path, self.world.device)
        if state["config"] != self.config.to_dict():
            changed = differences(state["config"], self.config.to_dict())
            raise AnnostatError(
                f"{str(path)!r} is of a run with other settings ({changed}): give the same ones, "
                "or another --out"
            )
        self.student.load_state_dict(state["student"])
        self.step.load_state_dict(state["step"])
        if self.average is not None:
            self.average.weights = state["average"]
        self.epoch, self.batch, self.loss = state["epoch"], state["batch"], state["loss"]
        self.history, self.spent = state["history"], (state["spent"][0], state["spent"][1])
        if self.world.first and self.history:
            write_text(self.out / "log.csv", table(self.history))


def differences(old: dict[str, Any], new: dict[str, Any]) -> str:
    """Return the settings that differ, as "section.name old → new"."""
    return ", ".join(
        f"{section}.{name} {old[section].get(name)!r} → {value!r}"
        for section, part in new.items()
        for name, value in part.items()
        if old[section].get(name) != value
    )


def table(history: list[dict[str, Any]]) -> str:
    """Return the history as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return text.getvalue()


@contextmanager
def progress(epoch: int, total: int, batch: int, quiet: bool) -> Iterator[Any]:
    """Show loss, clips per second and the time left of an epoch, if stderr is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("epoch {task.fields[epoch]}"), BarColumn(), TextColumn("{task.fields[text]}"),
        TimeRemainingColumn(),
    )  # fmt: skip
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


def train(
    config: Config, out: Path, *, cache: Path, device: str = "auto", quiet: bool = False
) -> dict[str, Any]:
    """Train as the settings say, or go on with it; return what `result.json` holds.

    Raises
    ------
    Stopped
        After SIGTERM: the state is saved, the same call goes on.
    AnnostatError
        If data, teachers or a checkpoint cannot be used.
    """
    done = result_of(config, out)
    if done is not None:
        return done
    t = config.train
    if t.threads:
        torch.set_num_threads(t.threads)
    with join(pick_device(device)) as world:
        quiet = quiet or not world.first
        if world.first:
            out.mkdir(parents=True, exist_ok=True)
            stores = open_stores(config, cache, world, quiet=quiet)
        world.wait()
        if not world.first:
            stores = open_stores(config, cache, world, quiet=True)
        trainer = Trainer(config, out, *stores, world)
        with stop_signal(trainer):
            trainer.fit(quiet=quiet)
        if t.tensorboard and world.first:
            write_tensorboard(out, trainer.history)
        result = finish(config, out, trainer, cache, quiet=quiet) if world.first else {}
        world.wait()
    return result


def result_of(config: Config, out: Path) -> dict[str, Any] | None:
    """Return the result of a run that is finished, with these settings."""
    if not all((out / name).exists() for name in ("last.pt", "config.json", "result.json")):
        return None
    try:
        given, result = (
            json.loads((out / name).read_text(encoding="utf-8"))
            for name in ("config.json", "result.json")
        )
    except ValueError as error:
        raise AnnostatError(f"{os.fspath(out)!r} holds broken JSON: {error}") from None
    return dict(result) if given == config.to_dict() else None


def open_stores(config: Config, cache: Path, world: World, *, quiet: bool) -> list[Store]:
    """Return the clips for training and validation, made if they are not there yet."""
    stores = []
    for split in ("train", "valid"):
        with counter(f"Clips for {split}", quiet=quiet) as done:
            stores.append(open_store(config, split, cache, device=world.device, progress=done))
    return stores


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


def write_tensorboard(out: Path, history: list[dict[str, Any]]) -> None:
    """Write the history as events."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise AnnostatError("train.tensorboard needs tensorboard: pip install it") from None
    with SummaryWriter(str(out / "events")) as writer:
        for row in history:
            for name, value in row.items():
                writer.add_scalar(name, value, row["epoch"])


def finish(
    config: Config, out: Path, trainer: Trainer, cache: Path, *, quiet: bool
) -> dict[str, Any]:
    """Score the best weights on unseen whole clips, draw the figures, write `result.json`."""
    from annostat.plotting import save_figure
    from models.figures import plot_curves, plot_masks

    device = trainer.world.device
    student, _ = load_student(out / "best.safetensors", device)
    with counter("Unseen clips", quiet=quiet) as done:
        store = open_store(config, "test", cache, device=device, progress=done)
    found = predictions(student, store, quiet=quiet)
    structures = config.data.structures
    test = plain(overlaps(found, structures))
    examples = [store.clip(k) for k in range(min(len(store), 4))]
    shown = [(clip, predict(student, np.asarray(clip.frames))) for clip in examples]
    result = {
        "test": test, "n_test_clips": len(store), "epochs": trainer.epoch,
        "best_epoch": trainer.best,
        "parameters": sum(p.numel() for p in student.parameters()),
        "wall_s": sum(row["wall_s"] for row in trainer.history),
        "cpu_s": sum(row["cpu_s"] for row in trainer.history),
        "device": str(device),
    }  # fmt: skip
    save_figure(plot_curves(trainer.history), out / "curves.png")
    save_figure(plot_masks(shown, structures), out / "masks.png")
    write_text(out / "result.json", json.dumps(result, indent=2) + "\n")
    return result


@click.command(context_settings={"show_default": True})
@click.option("--preset", help=f"One of {', '.join(PRESETS)}.")
@click.option("--config", "file", type=click.Path(path_type=Path), help="YAML or JSON of settings.")
@click.option("--set", "settings", multiple=True, metavar="SECTION.NAME=VALUE",
              help="Change a setting; as often as needed.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), help="Folder; out/NAME by default.")
@click.option("--cache", type=click.Path(path_type=Path), default=Path("out/clips"),
              help="Where drawn or decoded clips are kept.")  # fmt: skip
@click.option("--device", default="auto", help="auto, cpu, cuda or cuda:N.")
@click.option("--quiet", is_flag=True, help="Nothing on stderr but errors.")
def main(
    preset: str | None, file: Path | None, settings: tuple[str, ...], out: Path | None,
    cache: Path, device: str, quiet: bool,
) -> None:  # fmt: skip
    """Train a student, or go on with a run that was stopped."""
    config = load_config(preset=preset, file=file, settings=settings)
    out = out or Path("out") / (preset or Path(str(file)).stem)
    try:
        result = train(config, out, cache=cache, device=device, quiet=quiet)
    except Stopped:
        say(f"Stopped, state saved in {os.fspath(out)}; the same command goes on.", quiet=quiet)
        sys.exit(STOPPED)
    if result:
        dice = ", ".join(f"{s} {d['dice']['value']:.4f}" for s, d in result["test"].items())
        click.echo(
            f"{out}: {result['epochs']} epochs, best {result['best_epoch']}, mean Dice of "
            f"{result['n_test_clips']} unseen clips: {dice}"
        )


if __name__ == "__main__":
    run_command(main)
