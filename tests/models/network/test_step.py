"""One training step: gradients in one array, graphs, other devices."""

import copy
import io

import pytest
import torch

from models.network.losses import distillation_loss
from models.network.precision import LONG, LossScale, half_precision
from models.network.settings import Train
from models.network.step import WARM_UP, Average, Captured, Step, flat_gradients
from models.network.student import Student
from tests.models.network.emulation import batch, student

CPU = torch.device("cpu")


def steps_of(step, n, *, first=0):
    """Take steps on batches of their own; return the losses."""
    losses = []
    for k in range(first, first + n):
        frames, targets = batch(2, 3, 8)
        losses.append(float(step(frames.roll(k, 1), targets)))
    return losses


def new_step(net=None, **settings):
    torch.manual_seed(0)
    net = net or Student(1, 1, filters=2)
    return Step(net, Train(schedule="cosine", rate=1e-2, **settings), CPU, 20)


def test_a_step_is_what_one_would_write():
    """Forward, backward, clipping, Adam."""
    step = new_step()
    net = copy.deepcopy(step.net)
    adam = torch.optim.Adam(net.parameters(), lr=1e-2)
    for k in range(4):
        frames, targets = batch(2, 3, 8)
        adam.param_groups[0]["lr"] = step.rate()
        adam.zero_grad()
        loss = distillation_loss(net(frames.roll(k, 1)), targets, hard=False, dice=0.0)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        adam.step()
        assert steps_of(step, 1, first=k) == [float(loss.detach())]
    for mine, theirs in zip(step.net.parameters(), net.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_gradients_lie_in_one_array_with_their_parameters_layout():
    net = student(2, 1, filters=4)
    parameters = list(net.parameters())
    flat = flat_gradients(parameters)
    assert flat.numel() == sum(p.numel() for p in parameters)
    assert all(p.grad.stride() == p.stride() for p in parameters)
    distillation_loss(net(batch()[0]), batch()[1], hard=False, dice=0.0).backward()
    assert all(p.grad.untyped_storage().data_ptr() == flat.data_ptr() for p in parameters)
    assert float(flat.norm()) == pytest.approx(
        float(torch.stack([p.grad.norm() for p in parameters]).norm())
    )


class Emulated(Captured):
    """Graphs that are replayed by calling what they recorded; recording itself does nothing."""

    def aside(self, function):
        return function()

    def record(self, function, after=None):
        self.loss = torch.zeros(())

        class Graph:
            replay = staticmethod(function)

        return Graph()


def test_a_captured_step_goes_on_like_an_ordinary_one():
    """Across the capture: the losses, the weights, the schedule; the message every time."""
    messages = []
    plain, graphed = new_step(), new_step()
    graphed.share = lambda flat: messages.append(flat.data_ptr())
    graphed.captured = Emulated(graphed.differentiate, graphed.message, graphed.update)
    assert steps_of(plain, WARM_UP + 5) == steps_of(graphed, WARM_UP + 5)
    assert graphed.captured.graphs is not None and graphed.captured.warm == WARM_UP
    assert messages == [graphed.gradients.data_ptr()] * (WARM_UP + 5)
    for mine, theirs in zip(plain.net.parameters(), graphed.net.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def stored(state):
    """Return a state as it comes from a file."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def test_a_state_of_a_gpu_is_taken_up_on_a_cpu():
    """What Adam says of its device does not come along."""
    whole, first = new_step(), new_step()
    wanted = steps_of(whole, 6)
    steps_of(first, 3)
    state = stored(first.state_dict())
    group = state["optimiser"]["param_groups"][0]
    group |= {"capturable": True, "fused": True, "foreach": False, "lr": torch.tensor(0.5)}
    second = new_step(first.net)
    second.load_state_dict(state)
    assert steps_of(second, 3, first=3) == wanted[3:]
    now = second.optimiser.param_groups[0]
    assert not now["capturable"] and not now["fused"] and isinstance(now["lr"], float)


def test_a_state_of_a_cpu_is_taken_up_where_the_rate_is_a_tensor():
    first = new_step()
    steps_of(first, 2)
    second = new_step(first.net)
    second.optimiser = torch.optim.Adam(first.net.parameters(), lr=torch.tensor(1e-2), fused=True)
    second.load_state_dict(stored(first.state_dict()))
    group = second.optimiser.param_groups[0]
    assert isinstance(group["lr"], torch.Tensor) and group["fused"]
    second._set_rate()
    assert float(group["lr"]) == pytest.approx(second.rate())
    assert torch.isfinite(torch.tensor(steps_of(second, 2))).all()


def test_half_precision_where_it_exists(monkeypatch):
    assert half_precision(CPU, Train()) is None
    gpu = torch.device("cuda")
    for capability, wanted in (
        ((6, 1), None),
        ((7, 0), torch.float16),
        ((7, 5), torch.float16),
        ((8, 0), torch.bfloat16),
        ((9, 0), torch.bfloat16),
    ):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda d, c=capability: c)
        assert half_precision(gpu, Train()) is wanted
    assert half_precision(gpu, Train(bf16=False)) is None


def scaled_step(scale, **settings):
    """A step with the scale of a loss, as on a GPU without bf16: Adam fused, the network fp16."""
    step = new_step(**settings)
    step.optimiser = torch.optim.Adam(step.parameters, lr=1e-2, fused=True)
    step.half, step.scale = torch.float16, LossScale(CPU, scale)
    return step


def test_steps_in_fp16_are_those_in_single_precision_to_rounding():
    plain, half = new_step(), scaled_step(2.0**10)
    frames, targets = batch(2, 3, 8)
    plain.differentiate(frames, targets)
    half.differentiate(frames, targets)
    scaled = half.gradients / 2**10
    assert float((scaled - plain.gradients).norm() / plain.gradients.norm()) < 0.02
    for a, b in zip(steps_of(plain, 6), steps_of(half, 6), strict=True):
        assert a == pytest.approx(b, rel=0.02)
    assert half.scale.state_dict() == {"value": 2.0**10, "good": 6}


def test_a_step_that_overflows_is_left_out_and_the_scale_is_halved():
    step = scaled_step(2.0**24)
    before = [p.detach().clone() for p in step.parameters]
    step.gradients.fill_(1.0)
    step.gradients[3] = float("inf")
    step.update()
    assert all(torch.equal(a, b) for a, b in zip(before, step.parameters, strict=True))
    assert step.scale.state_dict() == {"value": 2.0**23, "good": 0}
    assert all(float(s["step"]) == 0 for s in step.optimiser.state.values())
    step.gradients.fill_(1.0)
    step.update()
    assert not torch.equal(before[0], step.parameters[0])
    step.scale.good.fill_(LONG - 1)
    step.update()
    assert step.scale.state_dict() == {"value": 2.0**24, "good": 0}
    # The scale comes along with the state, and a state without one is taken up.
    again = scaled_step(1.0)
    again.load_state_dict(stored(step.state_dict()))
    assert again.scale.state_dict() == step.scale.state_dict()
    again.load_state_dict(stored(new_step().state_dict()))


def test_the_average_follows_the_network():
    """Written out: decay times the old value and the rest of the new one; counts are copied."""
    torch.manual_seed(0)
    net = Student(1, 1, filters=2)
    average = Average(net, 0.9)
    wanted = {k: v.clone() for k, v in net.state_dict().items()}
    step = new_step(net)
    for k in range(3):
        steps_of(step, 1, first=k)
        average.update()
        for name, value in net.state_dict().items():
            old = wanted[name]
            wanted[name] = 0.9 * old + 0.1 * value if old.is_floating_point() else value.clone()
    for name, value in wanted.items():
        assert torch.allclose(average.weights[name], value, rtol=1e-6), name


def test_a_batch_may_go_through_in_parts():
    """The gradient is the mean over clips of the parts' gradients, and so is the loss."""
    frames, targets = batch(5, 3, 8)
    whole = new_step(accumulate=2)
    loss = whole.differentiate(frames, targets)
    found = whole.gradients.clone()
    wanted, losses = torch.zeros_like(found), 0.0
    for part in (slice(0, 3), slice(3, 5)):
        one = new_step()
        losses += float(one.differentiate(frames[part], targets[part])) * len(frames[part]) / 5
        wanted += one.gradients * len(frames[part]) / 5
    assert torch.allclose(found, wanted, atol=1e-7)
    assert float(loss) == pytest.approx(losses, rel=1e-6)
