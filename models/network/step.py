"""One training step: forward, loss, backward, clipping, Adam; on a GPU as one CUDA graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from models.network.losses import distillation_loss
from models.network.settings import Train

WARM_UP = 3  # steps before a capture, as the CUDA graphs of torch ask for

Take = Callable[[Tensor, Tensor], Tensor]


class Step:
    """Trains a network on one batch per call.

    A graph is captured for one process on a GPU, where the shapes never change: one launch then
    replaces thousands. The steps that come before the capture are ordinary ones.

    Parameters
    ----------
    net : Module
        Logits (B, T, K, H, W) of frames (B, T, H, W).
    train : Train
    device : torch.device
    total : int
        Steps of the whole run, for the schedule of the learning rate.
    """

    def __init__(self, net: nn.Module, train: Train, device: torch.device, total: int) -> None:
        self.net, self.train, self.device = net, train, device
        on_gpu = device.type == "cuda"
        self.parameters = [p for p in net.parameters() if p.requires_grad]
        # In a graph the learning rate must be a tensor, or it would be frozen.
        rate = torch.tensor(train.rate, device=device) if on_gpu else train.rate
        self.optimiser = torch.optim.Adam(self.parameters, lr=rate, capturable=on_gpu)
        self.total = max(total, 1)
        self.done = 0
        several = isinstance(net, nn.parallel.DistributedDataParallel)
        graphed = on_gpu and train.graph and not several
        self.captured = Captured(self._eager) if graphed else None

    def __call__(self, frames: Tensor, targets: Tensor) -> Tensor:
        """Take one step; return the loss before it, on the device."""
        self._set_rate()
        self.done += 1
        take = self._eager if self.captured is None else self.captured
        return take(frames, targets)

    def rate(self) -> float:
        """Return the learning rate of the next step."""
        if self.train.schedule == "constant":
            return self.train.rate
        done = min(self.done / self.total, 1.0)
        return self.train.rate * (
            0.01 + 0.99 * 0.5 * (1 + torch.cos(torch.tensor(done * torch.pi)).item())
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the optimiser's state and the position in the schedule."""
        return {"optimiser": self.optimiser.state_dict(), "done": self.done}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state; the learning rate follows from the position."""
        self.optimiser.load_state_dict(state["optimiser"])
        self.done = int(state["done"])

    def _set_rate(self) -> None:
        for group in self.optimiser.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(self.rate())
            else:
                group["lr"] = self.rate()

    def _loss(self, frames: Tensor, targets: Tensor) -> Tensor:
        half = self.device.type == "cuda" and self.train.bf16
        with torch.autocast(self.device.type, torch.bfloat16, enabled=half):
            logits = self.net(frames)
        t = self.train
        return distillation_loss(logits, targets, hard=t.targets == "hard", dice=t.dice)

    def _eager(self, frames: Tensor, targets: Tensor) -> Tensor:
        self.optimiser.zero_grad(set_to_none=True)
        loss = self._loss(frames, targets)
        loss.backward()
        if self.train.clip_norm:
            nn.utils.clip_grad_norm_(self.parameters, self.train.clip_norm)
        self.optimiser.step()
        return loss.detach()


class Captured:
    """A step that is recorded as one CUDA graph after a few ordinary calls, then replayed.

    Parameters
    ----------
    take : callable
        The step: frames and targets in, the loss out. All batches must have the same shapes.

    Attributes
    ----------
    warm : int
        Ordinary calls so far.
    graph : torch.cuda.CUDAGraph or None
        None before the capture.
    """

    def __init__(self, take: Take) -> None:
        self.take = take
        self.warm = 0
        self.graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, frames: Tensor, targets: Tensor) -> Tensor:
        """Take one step; return its loss."""
        if self.graph is None:
            return self._ordinary(frames, targets)
        self.frames.copy_(frames)
        self.targets.copy_(targets)
        self.graph.replay()
        return self.loss.clone()

    def _ordinary(self, frames: Tensor, targets: Tensor) -> Tensor:
        """Take a step on a side stream, as a capture needs it; after a few, capture."""
        if self.warm == 0:
            self.frames, self.targets = frames.clone(), targets.clone()
            self.stream = torch.cuda.Stream()
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            loss = self.take(frames, targets)
        torch.cuda.current_stream().wait_stream(self.stream)
        self.warm += 1
        if self.warm == WARM_UP:
            graph = torch.cuda.CUDAGraph()
            # Capturing records the step without taking it.
            with torch.cuda.graph(graph):
                self.loss = self.take(self.frames, self.targets)
            self.graph = graph
        return loss


class Average:
    """Exponential moving average of weights and of batch-norm statistics."""

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {k: v.detach().clone() for k, v in net.state_dict().items()}

    @torch.no_grad()
    def update(self, net: nn.Module) -> None:
        """Move towards the network's present state."""
        for name, value in net.state_dict().items():
            if value.is_floating_point():
                self.weights[name].lerp_(value, 1 - self.decay)
            else:
                self.weights[name].copy_(value)
