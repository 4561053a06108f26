"""The GPU's path emulated on a CPU: layouts, launches and compilations, so that they stay low."""

import logging

import pytest
import torch
import torch._dynamo

from models.measure import Operations
from models.network import gates
from models.network.predict import predict
from tests.models.network.emulation import (
    Compilations,
    batch,
    forward_backward,
    student,
)


@pytest.mark.parametrize("skip", [False, True])
def test_every_convolution_is_channels_last(skip):
    """Of all layers, the one-channel input too, forward and backward."""
    watch = Operations()
    with watch:
        forward_backward(student(3, 2, skip=skip), *batch())
    assert set(watch.layouts) == {"NHWC"} and watch.layouts["NHWC"] > 100


def test_kernels_of_a_step():
    """A frame of a layer takes a convolution and a gate forwards, the same two backwards."""
    layers, frames = 3 * 2, 6
    net, data = student(3, 2), batch(t=frames)
    watch = Operations()
    with watch.gates_apart():
        forward_backward(net, *data)
    assert watch.kernels["gate calls"] == 2 * layers * frames
    convolutions = watch.kernels["convolution"] + watch.kernels["convolution_backward"]
    assert convolutions == layers * (2 * frames + 3) + layers - 1 + 2 * 3
    launched = watch.launched
    per_frame = 2 * 2 * layers * frames
    # Beside those of each frame: some thirty for each layer, norm, loss and the upward path.
    assert launched < per_frame + 35 * layers + 80, watch.kernels.most_common(20)
    net.zero_grad(set_to_none=True)
    data, more = batch(t=2 * frames), Operations()
    with more.gates_apart():
        forward_backward(net, *data)
    grown = more.launched - launched
    assert grown == per_frame, (more.kernels - watch.kernels).most_common(9)


@pytest.fixture
def compilations(monkeypatch):
    torch._dynamo.reset()
    backend = Compilations()
    monkeypatch.setattr(gates, "BACKEND", backend)
    yield backend
    torch._dynamo.reset()
    gates.compiled.cache_clear()


def test_gates_are_compiled_once_for_all_shapes(compilations, caplog):
    """A sweep over blocks, layers and filters, part of a batch, another size, inference."""
    caplog.set_level(logging.WARNING, logger="torch._dynamo")
    for blocks, layers, filters in ((1, 1, 12), (2, 2, 12), (4, 1, 12), (3, 1, 8)):
        net = student(blocks, layers, engine="compiled", filters=filters)
        forward_backward(net, *batch(4))
        forward_backward(net, *batch(3, size=24))
        net.eval()
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            net(batch(1)[0])
        predict(net, batch(1, t=5)[0][0].numpy())
    # Forward in bf16 and in float32 (inference), backward in bf16, some twice: with and without an
    # offset in memory.
    assert compilations.n <= 5
    assert "recompile_limit" not in caplog.text


def test_compiled_gates_give_the_same_numbers(compilations):
    nets = [student(2, 2, engine=e, filters=4).double() for e in ("plain", "hoisted", "compiled")]
    frames, targets = batch(t=5)
    found = []
    for net in nets:
        y = net(frames)
        ((y - targets / 255) ** 2).mean().backward()
        found.append((y.detach(), [p.grad for p in net.parameters()]))
    for y, grads in found[1:]:
        assert torch.allclose(y, found[0][0], atol=1e-12)
        for a, b in zip(grads, found[0][1], strict=True):
            assert torch.allclose(a, b, rtol=1e-9, atol=1e-12)


def test_without_a_compiler_the_gates_run_as_they_are(monkeypatch):
    def broken(graph, inputs):
        raise RuntimeError("Cannot find a working triton installation")

    monkeypatch.setattr(gates, "BACKEND", broken)
    gates.can_compile.cache_clear()
    try:
        with pytest.warns(UserWarning, match=r"the gates run uncompiled.*working triton"):
            assert not gates.can_compile("cpu")
        monkeypatch.setattr("models.network.student.can_compile", lambda device: False)
        net = student(1, 1, engine="auto")
        assert net.engine_on(torch.device("cuda")) == "hoisted"
        assert net.engine_on(torch.device("cpu")) == "plain"
    finally:
        gates.can_compile.cache_clear()
        torch._dynamo.reset()
