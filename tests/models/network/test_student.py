"""The student against published parameter counts and a plain reference."""

import pytest
import torch

from annostat import AnnostatError
from models.network.student import Student, count_parameters
from tests.models.network import plain

COUNTS = {
    1: (5_701, 16_141, 26_581, 37_021),
    2: (39_577, 91_633, 143_689, 195_745),
    3: (174_721, 392_953, 611_185, 829_417),
    4: (714_577, 1_596_937, 2_479_297, 3_361_657),
}


@pytest.mark.parametrize("blocks", COUNTS)
def test_parameter_counts(blocks):
    found = tuple(count_parameters(Student(blocks, layers)) for layers in (1, 2, 3, 4))
    assert found == COUNTS[blocks]


@pytest.mark.parametrize("engine", ["plain", "hoisted"])
@pytest.mark.parametrize(("blocks", "layers", "skip"), [(1, 1, False), (3, 2, False), (2, 2, True)])
def test_values_and_gradients_equal_the_plain_student(blocks, layers, skip, engine):
    torch.manual_seed(0)
    net = Student(blocks, layers, skip=skip, filters=4, structures=2, engine=engine).double()
    frames = torch.randint(0, 256, (2, 5, 8, 12), dtype=torch.uint8)
    weights = {k: v.detach().clone().requires_grad_() for k, v in net.named_parameters()}
    ours, reference = net(frames), plain.student(frames, weights, blocks, layers, skip)
    assert ours.shape == (2, 5, 2, 8, 12)
    assert torch.allclose(ours, reference, atol=1e-10)
    pull = torch.randn_like(ours)
    (ours * pull).sum().backward()
    (reference * pull).sum().backward()
    for name, parameter in net.named_parameters():
        scale = weights[name].grad.abs().max().clamp(min=1)
        assert (parameter.grad - weights[name].grad).abs().max() < 1e-9 * scale, name


def test_single_precision_agrees_to_1e5():
    torch.manual_seed(1)
    net = Student(3, 1)
    frames = torch.randint(0, 256, (1, 4, 16, 16), dtype=torch.uint8)
    reference = plain.student(frames, dict(net.named_parameters()), 3, 1)
    assert torch.allclose(net(frames), reference, atol=1e-5)


@pytest.mark.parametrize("engine", ["plain", "hoisted"])
def test_input_gradient_by_differences(engine):
    torch.manual_seed(2)
    net = Student(1, 1, filters=2, engine=engine).double().eval()
    x = (255 * torch.rand(1, 3, 4, 4, dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(net, x, eps=1e-3, atol=1e-5)


def test_frames_may_come_in_pieces():
    torch.manual_seed(3)
    net = Student(2, 2, filters=4).eval()
    frames = torch.randint(0, 256, (1, 11, 16, 16), dtype=torch.uint8)
    with torch.no_grad():
        whole, states = net(frames), []
        pieces = [net(part, states) for part in frames.split(4, dim=1)]
    assert torch.allclose(whole, torch.cat(pieces, 1), atol=1e-6)


def test_raw_input_differs_only_by_scale():
    net = Student(1, 1, normalise=False)
    assert not net.normalise
    assert net(torch.zeros(1, 2, 8, 8)).shape == (1, 2, 1, 8, 8)


@pytest.mark.parametrize("shape", [(1, 2, 10, 8), (2, 8, 8), (1, 0, 8, 8)])
def test_bad_frames_are_refused(shape):
    with pytest.raises(AnnostatError, match=r"frames must|multiples of 4"):
        Student(3, 1)(torch.zeros(shape))
    with pytest.raises(AnnostatError, match="blocks must"):
        Student(0, 1)
    with pytest.raises(AnnostatError, match="engine must"):
        Student(1, 1, engine="quick")
