"""What a GPU would be told to do, seen on a CPU: operations, memory layouts, compilations.

The rule by which a convolution chooses its layout is the same on both (channels last if the input
or the weight is), and so are Dynamo's guards. What nothing here can see is time.
"""

import torch

from models.network.losses import distillation_loss
from models.network.student import Student


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
