"""A ConvLSTM over a whole sequence, in two ways that give the same numbers.

`run_plain` is the loop as one would write it. `run_hoisted` convolves all inputs of the sequence
at once, and its backward pass, written by hand, also makes the gradients of the weights and of the
inputs in one convolution each, after a short loop. On a GPU the gates are compiled into one kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.grad import conv2d_input, conv2d_weight

State = tuple[Tensor, Tensor]


def run_plain(
    x: Tensor, h: Tensor, c: Tensor, weight: Tensor, bias: Tensor
) -> tuple[Tensor, State]:
    """Return hidden states (B, T, F, H, W) and the last (hidden, cell) state."""
    hidden = []
    for t in range(x.shape[1]):
        z = F.conv2d(torch.cat([x[:, t], h.to(x.dtype)], 1), weight, bias, padding=1)
        h, c = step(z, c)
        hidden.append(h)
    return torch.stack(hidden, 1), (h, c)


def step(z: Tensor, c: Tensor) -> State:
    """Return the new hidden and cell state from the gates' logits (i, f, o, g) and the old cell."""
    i, f, o, g = z.to(c.dtype).chunk(4, 1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return (torch.sigmoid(o) * torch.tanh(c)).to(z.dtype), c


def step_back(z: Tensor, c0: Tensor, c1: Tensor, dh: Tensor, dc: Tensor) -> State:
    """Return the gradients of the gates' logits and of the old cell."""
    i, f, o, g = z.to(c0.dtype).chunk(4, 1)
    i, f, o, g = torch.sigmoid(i), torch.sigmoid(f), torch.sigmoid(o), torch.tanh(g)
    tanh = torch.tanh(c1)
    dh = dh.to(c0.dtype)
    dc = dc + dh * o * (1 - tanh * tanh)
    dz = torch.cat(
        [
            dc * g * i * (1 - i),
            dc * c0 * f * (1 - f),
            dh * tanh * o * (1 - o),
            dc * i * (1 - g * g),
        ],
        1,
    )
    return dz.to(z.dtype), dc * f


@cache
def compiled(function: Callable[..., State]) -> Callable[..., State]:
    """Return the function as one GPU kernel; only the gates, since unrolled time compiles badly."""
    return torch.compile(function, dynamic=False)


def run_hoisted(
    x: Tensor, h: Tensor, c: Tensor, weight: Tensor, bias: Tensor
) -> tuple[Tensor, State]:
    """Return what `run_plain` does, with the inputs' convolutions batched over time."""
    if torch.is_autocast_enabled(x.device.type):
        kind = torch.get_autocast_dtype(x.device.type)
        x, h, weight, bias = x.to(kind), h.to(kind), weight.to(kind), bias.to(kind)
    hidden, h, c = _Sequence.apply(x, h.to(x.dtype), c, weight, bias)
    return hidden, (h, c)


class _Sequence(torch.autograd.Function):
    """The recurrence with a backward pass whose convolutions of weights are batched over time."""

    @staticmethod
    @torch.amp.custom_fwd(device_type="cuda")
    def forward(
        ctx: Any, x: Tensor, h: Tensor, c: Tensor, weight: Tensor, bias: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        n = x.shape[2]
        gate = compiled(step) if x.is_cuda else step
        w_x, w_h = weight[:, :n].contiguous(), weight[:, n:].contiguous()
        form = torch.channels_last if x.is_cuda else torch.contiguous_format
        frames = x.transpose(0, 1)  # time first: one step is then one block of memory
        flat = frames.flatten(0, 1).contiguous(memory_format=form)
        z = F.conv2d(flat, w_x, bias, padding=1).unflatten(0, frames.shape[:2])
        logits, hidden, cells = [], [h], [c]
        for t in range(frames.shape[0]):
            logits.append(z[t] + F.conv2d(hidden[-1], w_h, padding=1))
            h, c = gate(logits[-1], cells[-1])
            hidden.append(h)
            cells.append(c)
        ctx.save_for_backward(x, weight, *logits, *hidden, *cells)
        return torch.stack(hidden[1:], 1), h.clone(), c.clone()

    @staticmethod
    @torch.amp.custom_bwd(device_type="cuda")
    def backward(ctx: Any, d_hidden: Tensor, dh: Tensor, dc: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, *saved = ctx.saved_tensors
        steps, n = x.shape[1], x.shape[2]
        logits, hidden = saved[:steps], saved[steps : 2 * steps + 1]
        cells = saved[2 * steps + 1 :]
        gate = compiled(step_back) if x.is_cuda else step_back
        w_x, w_h = weight[:, :n].contiguous(), weight[:, n:].contiguous()
        grads: list[Tensor] = [x] * steps
        for t in reversed(range(steps)):
            dz, dc = gate(logits[t], cells[t], cells[t + 1], dh + d_hidden[:, t], dc)
            grads[t] = dz
            dh = conv2d_input(hidden[t].shape, w_h, dz, padding=1)
        dz = torch.cat(grads)
        frames = x.transpose(0, 1).flatten(0, 1)
        before = torch.cat(hidden[:-1])
        d_weight = torch.cat(
            [
                conv2d_weight(frames, w_x.shape, dz, padding=1),
                conv2d_weight(before, w_h.shape, dz, padding=1),
            ],
            1,
        )
        d_x = None
        if ctx.needs_input_grad[0]:
            d_x = conv2d_input(frames.shape, w_x, dz, padding=1)
            d_x = d_x.unflatten(0, (steps, x.shape[0])).transpose(0, 1)
        return d_x, dh, dc, d_weight, dz.sum((0, 2, 3))
