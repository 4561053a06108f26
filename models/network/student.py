"""The student: a ConvLSTM encoder and a plain upward path, one logit per structure.

Block b has `layers` ConvLSTMs of 12·2^b filters, each followed by batch norm; blocks are separated
by max-pooling. Upwards: nearest ×2, a convolution from 2f to f filters, batch norm. A 1 × 1
convolution ends it. There are no skip connections unless they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from annostat import AnnostatError
from annostat.errors import check_choice, check_count
from models.network.gates import can_compile
from models.network.norm import SequenceNorm
from models.network.recurrence import run_hoisted, run_plain
from models.network.settings import ENGINES

FILTERS = 12
GREY_MEAN, GREY_SD = 33.0, 50.0  # grey levels of EchoNet-Dynamic, all channels together


class ConvLSTM(nn.Module):
    """One ConvLSTM layer: 3 × 3, gates i, f, o, g in one convolution, zero initial state.

    Parameters
    ----------
    channels, filters : int
        Channels in and out.
    """

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        self.gates = nn.Conv2d(channels + filters, 4 * filters, 3, padding=1)
        self.filters = filters

    def forward(
        self, x: Tensor, state: tuple[Tensor, Tensor] | None = None, *, engine: str = "plain"
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Run over a sequence; return all hidden states and the last state.

        Parameters
        ----------
        x : tensor of shape (B, T, C, H, W), or (T, B, C, H, W) if the engine is not "plain"
        state : tuple of tensors of shape (B, F, H, W), optional
        engine : {"plain", "hoisted", "compiled"}
        """
        plain = engine == "plain"
        if state is None:
            shape = (x.shape[0 if plain else 1], self.filters, *x.shape[-2:])
            # The cell adds up over the sequence: it stays in single precision under autocast.
            state = (x.new_zeros(shape), x.new_zeros(shape, dtype=_cell_type(x)))
        weight: Tensor = self.gates.weight
        bias: Tensor = self.gates.bias  # type: ignore[assignment]
        if plain:
            return run_plain(x, *state, weight, bias)
        return run_hoisted(x, *state, weight, bias, compile=engine == "compiled")


def _cell_type(x: Tensor) -> torch.dtype:
    return torch.float64 if x.dtype == torch.float64 else torch.float32


class Student(nn.Module):
    """The student network.

    Parameters
    ----------
    blocks, layers : int
        B blocks of L ConvLSTM layers.
    structures : int
        Number of output logits.
    skip : bool
        Concatenate each block's output to the upward path.
    filters : int
        Filters of the first block.
    normalise : bool
        Subtract a fixed mean grey level and divide by a fixed SD; False feeds 0–255 as it is.
    engine : {"auto", "plain", "hoisted", "compiled"}
        "plain" convolves input and state together at each step, which is what a CPU does;
        "hoisted" convolves all inputs of a sequence at once and has a backward pass of its own,
        which launches far fewer kernels on a GPU; "compiled" does so with compiled gates. "auto" is
        "plain" on a CPU, "compiled" on a GPU, or "hoisted" if torch cannot compile there.

    Notes
    -----
    With one structure, 12 filters and no skip, ``Student(3, 3)`` has 611,185 parameters.
    """

    def __init__(
        self,
        blocks: int = 3,
        layers: int = 3,
        *,
        structures: int = 1,
        skip: bool = False,
        filters: int = FILTERS,
        normalise: bool = True,
        engine: str = "auto",
    ) -> None:
        super().__init__()
        self.blocks = check_count("blocks", blocks, low=1)
        self.layers = check_count("layers", layers, low=1)
        structures = check_count("structures", structures, low=1)
        filters = check_count("filters", filters, low=1)
        self.skip, self.normalise = skip, normalise
        self.engine = check_choice("engine", engine, ENGINES)
        width = [filters * 2**b for b in range(blocks)]
        inputs = [1, *width]
        self.cells = nn.ModuleList(
            nn.ModuleList(
                ConvLSTM(inputs[b] if j == 0 else width[b], width[b]) for j in range(layers)
            )
            for b in range(blocks)
        )
        self.norms = nn.ModuleList(
            nn.ModuleList(SequenceNorm(width[b]) for _ in range(layers)) for b in range(blocks)
        )
        self.up = nn.ModuleList(
            nn.Conv2d((3 if skip else 2) * width[b], width[b], 3, padding=1)
            for b in range(blocks - 1)
        )
        self.up_norms = nn.ModuleList(SequenceNorm(width[b]) for b in range(blocks - 1))
        self.head = nn.Conv2d(filters, structures, 1)

    @property
    def multiple(self) -> int:
        """Height and width must be multiples of this."""
        return int(2 ** (self.blocks - 1))

    def engine_on(self, device: torch.device) -> str:
        """Return the engine that runs on a device."""
        if self.engine != "auto":
            return self.engine
        if device.type != "cuda":
            return "plain"
        return "compiled" if can_compile(device.type) else "hoisted"

    def forward(self, frames: Tensor, states: list[tuple[Tensor, Tensor]] | None = None) -> Tensor:
        """Return logits (B, T, structures, H, W) of grey frames (B, T, H, W), uint8 or float.

        Parameters
        ----------
        frames : tensor of shape (B, T, H, W)
            Grey levels 0–255.
        states : list, optional
            Cell states from the previous frames of the same clips, replaced in place by the new
            ones: an empty list begins a clip. Frames can then be fed in pieces (with `eval()`).
        """
        if frames.ndim != 4 or 0 in frames.shape:
            raise AnnostatError(
                f"frames must have shape (B, T, H, W), none of them 0, got {tuple(frames.shape)}"
            )
        if frames.shape[-2] % self.multiple or frames.shape[-1] % self.multiple:
            raise AnnostatError(
                f"{self.blocks} blocks need a height and width that are multiples of "
                f"{self.multiple}, got {frames.shape[-2]} × {frames.shape[-1]}; resize or pad"
            )
        engine = self.engine_on(frames.device)
        if engine != "plain":  # time first from here on
            frames = frames.transpose(0, 1)
        x = frames.to(self.head.weight.dtype).unsqueeze(2)
        if self.normalise:
            x = (x - GREY_MEAN) / GREY_SD
        carried = list(states or [])
        after: list[tuple[Tensor, Tensor]] = []
        kept = []
        for b in range(self.blocks):
            if b:
                x = per_frame(lambda y: F.max_pool2d(y, 2), x)
            for j in range(self.layers):
                cell, norm = self.cells[b][j], self.norms[b][j]  # type: ignore[index]
                x, state = cell(x, carried[len(after)] if carried else None, engine=engine)
                after.append(state)
                x = norm(x)
            kept.append(x)
        for b in reversed(range(self.blocks - 1)):
            x = per_frame(lambda y: F.interpolate(y, scale_factor=2.0, mode="nearest"), x)
            if self.skip:
                # As images: of five axes cat would forget that channels come last.
                both = [y.flatten(0, 1) for y in (x, kept[b])]
                x = torch.cat(both, dim=1).unflatten(0, x.shape[:2])
            x = self.up_norms[b](per_frame(self.up[b], x))
        if states is not None:
            states[:] = after
        logits = per_frame(self.head, x)
        return logits if engine == "plain" else logits.transpose(0, 1)


def per_frame(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Apply a function of images (N, C, H, W) to sequences (B, T, C, H, W).

    The order of the first two axes does not matter.
    """
    y = function(x.flatten(0, 1))
    return y.view(*x.shape[:2], *y.shape[1:])


def count_parameters(module: nn.Module) -> int:
    """Return the number of trained parameters."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
