"""One run of training: epochs, checkpoints, and going on from one."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from annostat import AnnostatError
from annostat.files import write_text
from models.checkpoints import build_student, load_state, save_state, save_weights
from models.command import say
from models.config import Config, changes
from models.data.augment import Augmentation
from models.data.batches import Batches, Sampling
from models.data.store import Store
from models.history import History
from models.logs import progress
from models.network.norm import share_statistics
from models.network.step import Average, Step
from models.network.student import Student
from models.processes import World
from models.validation import validate


class Stopped(Exception):
    """The run was asked to stop, and its state is saved."""


def batches_of(store: Store, config: Config, world: World, *, fixed: bool = False) -> Batches:
    """Return this process's share of a store's batches."""
    t = config.train
    sampling = Sampling(
        t.batch, t.window, t.stride, t.seed, world.rank, world.size, 0.0 if fixed else t.tempo
    )
    changes = Augmentation(t.gain, t.shift, t.zoom, t.sector)
    return Batches(store, sampling, device=world.device, fixed=fixed, augmentation=changes)


def begin_student(config: Config, world: World) -> Student:
    """Return a new student on its device, the same one in all processes."""
    torch.manual_seed(config.train.seed)
    student = build_student(config).to(world.device)
    if world.device.type == "cuda":
        student.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        torch.backends.cudnn.benchmark = True  # all batches have the same shapes
    if config.train.shared_norm and world.size > 1:
        share_statistics(student)
    return student


class Trainer:
    """A run: the network, its optimiser, its data, and where it stands.

    Parameters
    ----------
    config : Config
    out : Path
        Where the first process writes `config.json`, `log.csv`, `last.pt` and the best weights.
    train, valid : Store
    world : World
        This process and the others.
    """

    def __init__(self, config: Config, out: Path, train: Store, valid: Store, world: World) -> None:
        self.config, self.out, self.world = config, out, world
        self.student = begin_student(config, world)
        self.train = batches_of(train, config, world)
        self.valid = batches_of(valid, config, world, fixed=True)
        t = config.train
        share = world.mean if world.size > 1 else None
        total = t.epochs * len(self.train)
        self.step = Step(self.student, t, world.device, total, share)
        self.average = Average(self.student, t.ema) if t.ema else None
        self.history = History()
        self.watchers: list[Callable[[dict[str, Any]], None]] = []  # are told each epoch's row
        self.stop = False  # set by whoever wants the run to end after the present batch

    def fit(self, *, quiet: bool = False) -> None:
        """Train until the end, writing the state after each epoch."""
        if (self.out / "last.pt").exists():
            self.resume()
            say(f"Going on after epoch {self.history.epoch}.", quiet=quiet)
        if self.world.first:
            text = json.dumps(self.config.to_dict(), indent=2)
            write_text(self.out / "config.json", text + "\n")
        while not self.history.finished(self.config.train):
            self.run_epoch(quiet=quiet)

    def run_epoch(self, *, quiet: bool = False) -> None:
        """Train for one epoch (or what is left of it), validate, and save."""
        start = time.perf_counter(), time.process_time()
        at = self.history
        row = {"epoch": at.epoch + 1, **self._train(start, quiet), **self.validate()}
        if not math.isfinite(row["train_loss"] + row["valid_loss"]):
            raise AnnostatError(
                f"the loss is no longer a number in epoch {row['epoch']}: lower train.rate or "
                "train.clip_norm"
            )
        row["wall_s"], row["cpu_s"] = (round(s, 3) for s in self._spent(start))
        clips = len(self.train) * self.train.batch
        row["clips_per_s"] = round(clips / max(row["wall_s"], 1e-9), 2)
        at.add(row)
        if self.world.first:
            if at.best == at.epoch:
                facts = {"epoch": at.epoch, "valid_loss": row["valid_loss"]}
                save_weights(self.out / "best.safetensors", self.weights(), self.config, facts)
            self.save()
            write_text(self.out / "log.csv", at.to_csv())
            for tell in self.watchers:
                tell(row)
        people = [v for name, v in row.items() if name.startswith("human_dice_")]
        human = f"people {sum(people) / len(people):.4f}  " if people else ""
        say(
            f"epoch {at.epoch:3d}  train {row['train_loss']:.4f}  valid {row['valid_loss']:.4f}  "
            f"Dice {row['valid_dice']:.4f}  {human}{row['clips_per_s']:.1f} clips/s",
            quiet=quiet or not self.world.first,
        )

    def _train(self, start: tuple[float, float], quiet: bool) -> dict[str, Any]:
        """Take the steps of an epoch; return its learning rate and mean loss."""
        self.student.train()
        at, total = self.history, len(self.train)
        # The sum goes on in the same order after a restart, so that it has the same digits.
        losses = torch.tensor(at.loss, dtype=torch.float64, device=self.world.device)
        with progress(at.epoch + 1, total, self.train.batch, quiet) as show:
            for frames, targets in self.train.epoch(at.epoch, first=at.batch):
                losses += self.step(frames, targets)
                if self.average is not None:
                    self.average.update()
                at.batch += 1
                show(at.batch, losses)
                if self.stop:
                    at.loss, at.spent = float(losses), self._spent(start)
                    self.save()
                    raise Stopped
        mean = self.world.sum(losses) / (total * self.world.size)
        return {"rate": self.step.rate(), "train_loss": float(mean)}

    def _spent(self, start: tuple[float, float]) -> tuple[float, float]:
        now = time.perf_counter(), time.process_time()
        wall, cpu = (s + n - b for s, n, b in zip(self.history.spent, now, start, strict=True))
        return wall, cpu

    def weights(self) -> dict[str, Any]:
        """Return the weights that are validated and kept: the average's, if there is one."""
        return self.student.state_dict() if self.average is None else self.average.weights

    def validate(self) -> dict[str, Any]:
        """Return loss and Dice of the fixed validation windows."""
        net = self.student
        if self.average is not None:
            net = copy.deepcopy(self.student)
            for parameter in net.parameters():
                parameter.grad = None
            net.load_state_dict(self.average.weights)
        structures = self.config.data.structures
        return validate(net, self.valid, self.config.train, structures, self.world)

    def save(self) -> None:
        """Write the whole state, in one step."""
        if not self.world.first:
            return
        state = {
            "config": self.config.to_dict(),
            "student": self.student.state_dict(),
            "step": self.step.state_dict(),
            "average": None if self.average is None else self.average.weights,
            **self.history.to_dict(),
        }
        save_state(self.out / "last.pt", state)

    def resume(self) -> None:
        """Take up the state of `last.pt`."""
        path = self.out / "last.pt"
        state = load_state(path, self.world.device)
        check_settings(path, state, self.config)
        self.student.load_state_dict(state["student"])
        self.step.load_state_dict(state["step"])
        if self.average is not None:
            self.average.weights = state["average"]
        self.history = History.from_dict(state)
        if self.world.first and self.history.rows:
            write_text(self.out / "log.csv", self.history.to_csv())


def check_settings(path: Path, state: dict[str, Any], config: Config) -> None:
    """Refuse a checkpoint of a run whose settings differ in what may not change."""
    different = changes(Config.from_dict(state["config"]), config)
    if different:
        raise AnnostatError(
            f"{str(path)!r} is of a run with other settings ({', '.join(different)}): give the "
            "same ones, or another --out"
        )
