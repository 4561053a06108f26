"""A ConvLSTM over a whole sequence, in two ways that give the same numbers.

`run_plain` is the loop as one would write it. `run_hoisted` convolves all inputs of the sequence
at once, and its backward pass, written by hand, also makes the gradients of the weights and of the
inputs in one convolution each, after a short loop. Its arrays are time first and channels last
throughout, which is what a GPU's convolutions work on without transposing anything.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from models.network import gates

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


def run_hoisted(
    x: Tensor, h: Tensor, c: Tensor, weight: Tensor, bias: Tensor, *, compile: bool = False
) -> tuple[Tensor, State]:
    """Return what `run_plain` does of a sequence with time first, x of shape (T, B, C, H, W).

    Hidden states are (T, B, F, H, W), channels last in memory.
    """
    if torch.is_autocast_enabled(x.device.type):
        kind = torch.get_autocast_dtype(x.device.type)
        x, h, weight, bias = x.to(kind), h.to(kind), weight.to(kind), bias.to(kind)
    hidden, h, c = _Sequence.apply(x, h.to(x.dtype), c, weight, bias, compile)
    return hidden, (h, c)


def as_rows(x: Tensor) -> Tensor:
    """Return images (N, C, H, W) as rows of pixels (N, H, W, C), contiguous.

    A copy unless the images are channels last.
    """
    return _settled(x.permute(0, 2, 3, 1))


def as_images(rows: Tensor) -> Tensor:
    """Return rows of pixels (N, H, W, C) as images (N, C, H, W), channels last."""
    return rows.permute(0, 3, 1, 2)


def _settled(x: Tensor) -> Tensor:
    """Return a contiguous tensor whose strides say so for axes of length 1, too.

    By them a convolution tells channels last from channels first: of one channel
    ``contiguous()`` may leave either.
    """
    wanted, size = [], 1
    for length in reversed(x.shape):
        wanted.append(size)
        size *= length
    if list(x.stride()) == wanted[::-1]:
        return x
    return x.clone(memory_format=torch.contiguous_format)


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return the 3 × 3 convolution of rows (N, H, W, C), as rows."""
    return as_rows(F.conv2d(as_images(x), weight, bias, padding=1))


def convolve_back(d: Tensor, x: Tensor, weight: Tensor, *, of_input: bool) -> Tensor:
    """Return the gradient of `convolve` with respect to its input (rows) or its weight.

    `torch.nn.grad` does the same with a stand-in for the other operand, and so loses the layout.
    """
    mask = [of_input, not of_input, False]
    pair = (1, 1)
    found = torch.ops.aten.convolution_backward(
        as_images(d), as_images(x), weight, None, pair, pair, pair, False, (0, 0), 1, mask
    )
    return as_rows(found[0]) if of_input else found[1]


class _Sequence(torch.autograd.Function):
    """The recurrence with a backward pass whose convolutions of weights are batched over time."""

    @staticmethod
    @torch.amp.custom_fwd(device_type="cuda")
    def forward(
        ctx: Any, x: Tensor, h: Tensor, c: Tensor, weight: Tensor, bias: Tensor, compile: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        ctx.set_materialize_grads(False)
        with torch.autocast(x.device.type, enabled=False):
            return _Sequence._forward(ctx, x, h, c, weight, bias, compile)

    @staticmethod
    def _forward(
        ctx: Any, x: Tensor, h: Tensor, c: Tensor, weight: Tensor, bias: Tensor, compile: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        steps, n = x.shape[0], x.shape[2]
        gate = gates.gate(gates.forward, compile=compile)
        w_x, w_h = (as_images(as_rows(w)) for w in (weight[:, :n], weight[:, n:]))
        frames = as_rows(x.flatten(0, 1))
        one, size = as_rows(h), h.shape[1]
        z_in = convolve(frames, w_x, bias).view(steps, -1, 4, size)
        state, cell = one.view(-1, size), as_rows(c).view(-1, size)
        logits, hidden, cells = [], [state], [cell]
        for t in range(steps):
            z_state = convolve(state.view(one.shape), w_h).view(-1, 4, size)
            state, cell, z = gate(z_in[t], z_state, cell)
            logits.append(z)
            hidden.append(state)
            cells.append(cell)
        ctx.save_for_backward(frames, w_x, w_h, *logits, *hidden, *cells)
        ctx.shape, ctx.compile = (steps, *one.shape), compile
        out = torch.stack(hidden[1:]).view(ctx.shape).permute(0, 1, 4, 2, 3)
        h, c = (as_images(a.clone().view(one.shape)) for a in (state, cell))
        return out, h, c

    @staticmethod
    @torch.amp.custom_bwd(device_type="cuda")
    def backward(
        ctx: Any, d_hidden: Tensor | None, dh: Tensor | None, dc: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        with torch.autocast(ctx.saved_tensors[0].device.type, enabled=False):
            return _Sequence._backward(ctx, d_hidden, dh, dc)

    @staticmethod
    def _backward(
        ctx: Any, d_hidden: Tensor | None, dh: Tensor | None, dc: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        frames, w_x, w_h, *saved = ctx.saved_tensors
        steps, *one = ctx.shape
        size = one[-1]
        logits, hidden = saved[:steps], saved[steps : 2 * steps + 1]
        cells = saved[2 * steps + 1 :]
        gate = gates.gate(gates.backward, compile=ctx.compile)
        none = torch.zeros_like(hidden[0])
        outs = [none] * steps
        if d_hidden is not None:
            rows = as_rows(d_hidden.flatten(0, 1)).view(steps, -1, size)
            outs = list(rows.unbind())
        back = none if dh is None else as_rows(dh).view(-1, size)
        d_cell = torch.zeros_like(cells[0]) if dc is None else as_rows(dc).view(-1, size)
        grads: list[Tensor] = [none] * steps
        for t in reversed(range(steps)):
            dz, d_cell = gate(logits[t], cells[t], cells[t + 1], back, outs[t], d_cell)
            grads[t] = dz
            back = convolve_back(
                dz.view(*one[:-1], 4 * size), hidden[t].view(one), w_h, of_input=True
            ).view(-1, size)
        dz = torch.cat(grads).view(-1, *one[1:-1], 4 * size)
        before = torch.cat(hidden[:-1]).view(-1, *one[1:])
        d_weight = torch.cat(
            [
                convolve_back(dz, frames, w_x, of_input=False),
                convolve_back(dz, before, w_h, of_input=False),
            ],
            1,
        )
        d_x = None
        if ctx.needs_input_grad[0]:
            d_x = as_images(convolve_back(dz, frames, w_x, of_input=True)).unflatten(0, (steps, -1))
        ends = (as_images(a.view(one)) for a in (back, d_cell))
        return (d_x, *ends, d_weight, dz.sum((0, 1, 2)), None)
