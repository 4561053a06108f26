"""The gates of a ConvLSTM cell and their gradients, as one kernel each where they are compiled.

All arrays are rows of pixels: P = clips × height × width, channels last. So the compiled code sees
two sizes, P and the filters F, both dynamic, and one memory layout: one variant for each number
type serves every block, batch and clip. (Dynamo keeps eight variants of a function, drops all
further ones and runs them uncompiled: with a variant for each shape a student of four blocks, or a
sweep, loses its compiled gates.)
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

BACKEND: Any = "inductor"


def forward(z_in: Tensor, z_state: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the new hidden and cell state, and the gates' logits.

    Parameters
    ----------
    z_in, z_state : tensors of shape (P, 4, F)
        What the inputs and the hidden state add to the logits of the gates i, f, o, g.
    c : tensor of shape (P, F)
        The old cell state, float32 or wider.
    """
    logits = z_in + z_state
    z = logits.to(c.dtype)
    i, f, o = torch.sigmoid(z[:, 0]), torch.sigmoid(z[:, 1]), torch.sigmoid(z[:, 2])
    c = f * c + i * torch.tanh(z[:, 3])
    return (o * torch.tanh(c)).to(logits.dtype), c, logits


def backward(
    logits: Tensor, c0: Tensor, c1: Tensor, dh: Tensor, d_out: Tensor, dc: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the gradients of the gates' logits, (P, 4, F), and of the old cell, (P, F).

    Parameters
    ----------
    logits : tensor of shape (P, 4, F)
    c0, c1 : tensors of shape (P, F)
        Cell state before and after.
    dh, d_out : tensors of shape (P, F)
        Gradients of the hidden state, from the next step and from what was read of this one.
    dc : tensor of shape (P, F)
        Gradient of the cell state after.
    """
    z = logits.to(c0.dtype)
    i, f, o = torch.sigmoid(z[:, 0]), torch.sigmoid(z[:, 1]), torch.sigmoid(z[:, 2])
    g, tanh = torch.tanh(z[:, 3]), torch.tanh(c1)
    dh = dh.to(c0.dtype) + d_out.to(c0.dtype)
    dc = dc + dh * o * (1 - tanh * tanh)
    dz = torch.stack(
        [
            dc * g * i * (1 - i),
            dc * c0 * f * (1 - f),
            dh * tanh * o * (1 - o),
            dc * i * (1 - g * g),
        ],
        1,
    )
    return dz.to(logits.dtype), dc * f


@cache
def compiled(function: Callable[..., Any], backend: Any) -> Callable[..., Any]:
    """Return the function as one kernel; only gates, since unrolled time compiles badly."""
    return torch.compile(function, dynamic=True, backend=backend)


def gate(function: Callable[..., Any], *, compile: bool) -> Callable[..., Any]:
    """Return `forward` or `backward`, compiled or as it is.

    To be called without gradients and outside of autocast. Compiled code is also made anew for a
    tensor that is a view of another: `data` is the same memory without being one.
    """
    if not compile:
        return function
    quick = compiled(function, BACKEND)
    return lambda *given: quick(*(x.data for x in given))


@cache
def can_compile(device: str) -> bool:
    """Return whether torch compiles on a device; a warning says why not.

    It takes Triton for a GPU, and a C compiler for either.
    """
    try:
        x = torch.ones(2, 3, device=device)
        torch.compile(_probe, dynamic=True, backend=BACKEND)(x)
    except Exception as error:  # whatever is missing, the gates also run as they are
        why = " ".join(str(error).split())[:160]
        warnings.warn(
            f"the gates run uncompiled, and slower: torch.compile fails on {device} "
            f"({type(error).__name__}: {why})",
            stacklevel=2,
        )
        return False
    return True


def _probe(x: Tensor) -> Tensor:
    return torch.sigmoid(x) + 1
