"""Settings of the network and of its training."""

from __future__ import annotations

from dataclasses import dataclass

from annostat.errors import check_choice, check_count, check_number

ENGINES = ("auto", "plain", "hoisted", "compiled")


@dataclass(frozen=True)
class Net:
    """The student: see `models.network.student.Student`."""

    blocks: int = 3
    layers: int = 3
    filters: int = 12
    skip: bool = False
    normalise: bool = True

    def __post_init__(self) -> None:
        for name in ("blocks", "layers", "filters"):
            check_count(f"student.{name}", getattr(self, name), low=1)


@dataclass(frozen=True)
class Train:
    """How it is trained. `batch` is that of all processes together.

    `targets` is "soft" (as the teacher gave them) or "hard" (0 or 1). `threads` 0 leaves torch's
    own number. `ema` 0 switches the moving average of the weights off. `engine` is how the
    recurrence is run (see `models.network.student.Student`), `graph` whether a GPU's steps are
    captured. The learning rate rises over the first `warm_up` steps. With `accumulate` a batch goes
    through in so many parts, each with its own batch statistics, for want of memory. `gain`,
    `shift`, `zoom` and `sector` are how much training clips are changed at random (see
    `models.data.augment.Augmentation`), `tempo` how much their frame rate is (see
    `models.data.batches.window_frames`). `bf16` asks for half precision (see
    `models.network.precision`). After each epoch so many validation clips go through whole, to be
    scored against what people read of them (`whole_clips`, see `models.whole`).
    """

    seed: int = 0
    epochs: int = 350
    patience: int = 10
    batch: int = 32
    window: int = 25
    stride: int = 1
    rate: float = 1e-3
    schedule: str = "constant"
    targets: str = "soft"
    dice: float = 0.0
    clip_norm: float = 1.0
    ema: float = 0.0
    warm_up: int = 0
    accumulate: int = 1
    gain: float = 0.0
    shift: float = 0.0
    zoom: float = 0.0
    sector: float = 0.0
    tempo: float = 0.0
    shared_norm: bool = False
    engine: str = "auto"
    bf16: bool = True
    graph: bool = True
    threads: int = 0
    whole_clips: int = 64
    tensorboard: bool = False

    def __post_init__(self) -> None:
        check_choice("train.targets", self.targets, ("soft", "hard"))
        check_choice("train.schedule", self.schedule, ("constant", "cosine"))
        check_choice("train.engine", self.engine, ENGINES)
        for name in ("epochs", "batch", "window", "stride", "patience", "accumulate"):
            check_count(f"train.{name}", getattr(self, name), low=1)
        for name, high in (
            ("gain", 2.0),
            ("shift", 0.5),
            ("zoom", 0.7),
            ("sector", 0.9),
            ("tempo", 0.7),
        ):
            check_number(f"train.{name}", getattr(self, name), low=0.0, high=high)
        for name in ("seed", "threads", "warm_up", "whole_clips"):
            check_count(f"train.{name}", getattr(self, name), low=0)
        check_number("train.rate", self.rate, low=0.0, high=1.0, open_ends=True)
        check_number("train.ema", self.ema, low=0.0, high=0.99999)
        check_number("train.dice", self.dice, low=0.0)
        check_number("train.clip_norm", self.clip_norm, low=0.0)
