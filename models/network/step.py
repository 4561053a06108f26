"""One training step: forward, loss, backward, clipping, Adam; on a GPU as two CUDA graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from models.network.losses import distillation_loss
from models.network.precision import LossScale, autocast, half_precision
from models.network.settings import Train

WARM_UP = 3  # steps before a capture, as the CUDA graphs of torch ask for
# What an optimiser's state says of the device it was on, and not of the training.
OF_DEVICE = ("lr", "capturable", "fused", "foreach", "differentiable")


class Step:
    """Trains a network on one batch per call.

    Gradients lie in one flat array, so that several processes share them in one message. On a GPU,
    where the shapes never change, what comes before and after that message is captured as a graph
    each: two launches then replace thousands. The steps before the capture are ordinary ones.

    Parameters
    ----------
    net : Module
        Logits (B, T, K, H, W) of frames (B, T, H, W).
    train : Train
    device : torch.device
    total : int
        Steps of the whole run, for the schedule of the learning rate.
    share : callable, optional
        Replaces a tensor by its mean over processes, in place.
    """

    def __init__(
        self,
        net: nn.Module,
        train: Train,
        device: torch.device,
        total: int,
        share: Callable[[Tensor], None] | None = None,
    ) -> None:
        self.net, self.train, self.device = net, train, device
        self.half = half_precision(device, train)
        self.scale = LossScale(device) if self.half == torch.float16 else None
        self.parameters = [p for p in net.parameters() if p.requires_grad]
        self.gradients = flat_gradients(self.parameters)
        self.share = share
        on_gpu = device.type == "cuda"
        # In a graph the learning rate must be a tensor, or it would be frozen.
        rate = torch.tensor(train.rate, device=device) if on_gpu else train.rate
        options: dict[str, Any] = {"capturable": True, "fused": True} if on_gpu else {}
        self.optimiser = torch.optim.Adam(self.parameters, lr=rate, **options)
        self.total = max(total, 1)
        self.done = 0
        # Statistics shared over processes are messages within the forward pass: no graph then.
        graphed = on_gpu and train.graph and not (share is not None and train.shared_norm)
        self.captured = Captured(self.differentiate, self.message, self.update) if graphed else None

    def __call__(self, frames: Tensor, targets: Tensor) -> Tensor:
        """Take one step; return the loss before it, on the device."""
        self._set_rate()
        self.done += 1
        if self.captured is not None:
            return self.captured(frames, targets)
        loss = self.differentiate(frames, targets)
        self.message()
        self.update()
        return loss

    def rate(self) -> float:
        """Return the learning rate of the next step."""
        rate = self.train.rate
        if self.done < self.train.warm_up:
            rate *= (self.done + 1) / (self.train.warm_up + 1)
        if self.train.schedule == "constant":
            return rate
        done = min(self.done / self.total, 1.0)
        return rate * (0.01 + 0.99 * 0.5 * (1 + torch.cos(torch.tensor(done * torch.pi)).item()))

    def state_dict(self) -> dict[str, Any]:
        """Return the optimiser's state, the position in the schedule, and fp16's scale."""
        state = {"optimiser": self.optimiser.state_dict(), "done": self.done}
        return state if self.scale is None else {**state, "scale": self.scale.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state, also one of another kind of device.

        The learning rate follows from the position; how Adam runs is a matter of this device.
        """
        saved = dict(state["optimiser"])
        own = self.optimiser.state_dict()["param_groups"]
        saved["param_groups"] = [
            {**group, **{k: mine[k] for k in OF_DEVICE if k in mine}}
            for group, mine in zip(saved["param_groups"], own, strict=True)
        ]
        self.optimiser.load_state_dict(saved)
        self.done = int(state["done"])
        if self.scale is not None and "scale" in state:
            self.scale.load_state_dict(state["scale"])

    def _set_rate(self) -> None:
        for group in self.optimiser.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(self.rate())
            else:
                group["lr"] = self.rate()

    def differentiate(self, frames: Tensor, targets: Tensor) -> Tensor:
        """Put the gradients of a batch into the flat array; return its loss."""
        self.gradients.zero_()
        t, total = self.train, torch.zeros((), device=frames.device)
        n = min(t.accumulate, len(frames))
        for part, wanted in zip(frames.chunk(n), targets.chunk(n), strict=True):
            with autocast(self.device, self.half):
                logits = self.net(part)
            loss = distillation_loss(logits, wanted, hard=t.targets == "hard", dice=t.dice)
            loss = loss * (len(part) / len(frames)) if n > 1 else loss
            (loss if self.scale is None else loss * self.scale.value).backward()
            total = total + loss.detach() if n > 1 else loss.detach()
        return total

    def message(self) -> None:
        """Share the gradients with the other processes."""
        if self.share is not None:
            self.share(self.gradients)

    def update(self) -> None:
        """Clip the gradients and move the weights, unless fp16 gradients overflowed."""
        if self.scale is not None:
            self.scale.unscale(self.gradients)
            # Adam, fused, then leaves weights and its own state as they are.
            self.optimiser.found_inf = self.scale.overflow  # type: ignore[attr-defined]
        if self.train.clip_norm:
            nn.utils.clip_grad_norm_(self.parameters, self.train.clip_norm)
        self.optimiser.step()
        if self.scale is not None:
            self.scale.update()


def flat_gradients(parameters: list[nn.Parameter]) -> Tensor:
    """Give each parameter a gradient within one flat array of zeros, and return that.

    A gradient has the memory layout of its parameter, or Adam would not treat all at once.
    """
    if not parameters:
        return torch.zeros(0)
    flat = parameters[0].new_zeros(sum(p.numel() for p in parameters))
    start = 0
    for p in parameters:
        p.grad = flat.as_strided(p.shape, p.stride(), start)
        start += p.numel()
    return flat


class Captured:
    """A step recorded as two CUDA graphs after a few ordinary calls, then replayed.

    Parameters
    ----------
    differentiate : callable
        Frames and targets in, the loss out. All batches must have the same shapes.
    message, update : callable
        What comes after; the message to other processes is not recorded.

    Attributes
    ----------
    warm : int
        Ordinary calls so far.
    graphs : tuple of two graphs, or None
        None before the capture.
    """

    def __init__(
        self,
        differentiate: Callable[[Tensor, Tensor], Tensor],
        message: Callable[[], None],
        update: Callable[[], None],
    ) -> None:
        self.differentiate, self.message, self.update = differentiate, message, update
        self.warm = 0
        self.stream: Any = None
        self.graphs: tuple[Any, Any] | None = None

    def __call__(self, frames: Tensor, targets: Tensor) -> Tensor:
        """Take one step; return its loss."""
        if self.graphs is None:
            return self._ordinary(frames, targets)
        self.frames.copy_(frames)
        self.targets.copy_(targets)
        self.graphs[0].replay()
        self.message()
        self.graphs[1].replay()
        return self.loss.clone()

    def _ordinary(self, frames: Tensor, targets: Tensor) -> Tensor:
        """Take an ordinary step; after a few, capture."""
        if self.warm == 0:
            self.frames, self.targets = frames.clone(), targets.clone()
        loss = self.aside(lambda: self._take(frames, targets))
        self.warm += 1
        if self.warm == WARM_UP:
            # Capturing records without taking a step: the weights stay as they are.
            first = self.record(self._differentiate)
            self.graphs = first, self.record(self.update, first)
        return loss

    def _take(self, frames: Tensor, targets: Tensor) -> Tensor:
        loss = self.differentiate(frames, targets)
        self.message()
        self.update()
        return loss

    def _differentiate(self) -> None:
        self.loss = self.differentiate(self.frames, self.targets)

    def aside(self, function: Callable[[], Tensor]) -> Tensor:
        """Run on a side stream, as torch asks for before a capture."""
        if self.stream is None:
            self.stream = torch.cuda.Stream()
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            found = function()
        torch.cuda.current_stream().wait_stream(self.stream)
        return found

    def record(self, function: Callable[[], None], after: Any = None) -> Any:
        """Return a function's kernels as a graph, in the memory of another one if there is one."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=None if after is None else after.pool()):
            function()
        return graph


class Average:
    """Exponential moving average of weights and of batch-norm statistics.

    Parameters
    ----------
    net : Module
        On its device already; its tensors are looked at in place.
    decay : float

    Attributes
    ----------
    weights : dict of str to Tensor
        A state of the network.
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.decay = decay
        state = {k: v.detach() for k, v in net.state_dict().items()}
        self.weights = {k: v.clone() for k, v in state.items()}
        self.real = {k: v for k, v in state.items() if v.is_floating_point()}
        self.counts = {k: v for k, v in state.items() if not v.is_floating_point()}

    @torch.no_grad()
    def update(self) -> None:
        """Move towards the network's present state, all weights in one go."""
        torch._foreach_lerp_(
            [self.weights[k] for k in self.real], list(self.real.values()), 1 - self.decay
        )
        for name, value in self.counts.items():
            self.weights[name].copy_(value)
