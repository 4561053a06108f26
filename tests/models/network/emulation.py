"""What a GPU would be told to do, seen on a CPU: operations, memory layouts, compilations.

The rule by which a convolution chooses its layout is the same on both (channels last if the input
or the weight is), and so are Dynamo's guards. What nothing here can see is time.
"""

import collections
import contextlib

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from models.network import gates
from models.network.losses import distillation_loss
from models.network.student import Student

# Operations that launch nothing: they give another view of the same memory, or only allocate.
NO_KERNEL = {
    "view", "_unsafe_view", "_reshape_alias", "select", "split", "unsqueeze", "expand", "transpose",
    "permute", "detach", "alias", "slice", "as_strided", "squeeze", "t", "unbind", "empty",
    "empty_like", "empty_strided", "new_empty", "is_same_size", "unflatten",
}  # fmt: skip


def layout(x):
    """Return NHWC, NCHW or the strides of a tensor of four axes; of one channel, they are one."""
    if x.is_contiguous(memory_format=torch.channels_last):
        return "NHWC"
    return "NCHW" if x.is_contiguous() else str(tuple(x.stride()))


class Watch(TorchDispatchMode):
    """Counts kernels, those of the gates apart, and the layouts of convolutions."""

    def __init__(self):
        super().__init__()
        self.kernels, self.layouts, self.within = collections.Counter(), collections.Counter(), 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        name = str(func).removeprefix("aten.")
        base = name.split(".")[0]
        if base not in NO_KERNEL:
            self.kernels["gates" if self.within else base] += 1
        if name.startswith(("convolution.", "convolution_backward")):
            # Gradient, input and weight go in; whatever has four axes counts.
            seen = [*args[:3], *(out if isinstance(out, (tuple, list)) else [out])]
            for x in seen:
                if isinstance(x, torch.Tensor) and x.ndim == 4:
                    self.layouts[layout(x)] += 1
        return out

    @contextlib.contextmanager
    def gates_apart(self):
        """Count the operations within a gate by themselves: compiled, a call is one kernel."""
        plain = gates.gate

        def gate(function, *, compile):
            def counted(*args):
                self.within += 1
                try:
                    return function(*args)
                finally:
                    self.within -= 1
                    self.kernels["gate calls"] += 1

            return counted

        gates.gate = gate
        try:
            with self:
                yield self
        finally:
            gates.gate = plain


class Compilations:
    """A backend of Dynamo that runs what it is given as it is, and counts how often."""

    def __init__(self):
        self.n = 0

    def __call__(self, graph, inputs):
        self.n += 1
        return graph.forward


def student(blocks, layers, engine="hoisted", **options):
    """Return a student as a GPU gets it: weights channels last."""
    torch.manual_seed(0)
    net = Student(blocks, layers, engine=engine, **options)
    return net.to(memory_format=torch.channels_last)


def batch(b=2, t=3, size=16, structures=1):
    """Return frames and targets of random bytes."""
    g = torch.Generator().manual_seed(0)
    frames = torch.randint(0, 256, (b, t, size, size), dtype=torch.uint8, generator=g)
    shape = (b, t, structures, size, size)
    return frames, torch.randint(0, 256, shape, dtype=torch.uint8, generator=g)


def forward_backward(net, frames, targets):
    """Run forward and backward in bf16, as a step on a GPU does."""
    with torch.autocast("cpu", torch.bfloat16):
        logits = net(frames)
    distillation_loss(logits, targets, hard=False, dice=0.0).backward()
