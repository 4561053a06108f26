"""A state_dict of torchvision's DeepLabV3 as a teacher."""

import hashlib
import math

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from annostat import AnnostatError
from models.data.teachers import Source, parse_teacher
from models.network.deeplab import DeepLab, read_deeplab

FRAMES = np.random.default_rng(0).integers(0, 256, (3, 24, 32)).astype(np.uint8)
MEAN, STD = (32.09, 32.59, 33.38), (50.13, 50.49, 51.35)
OPTIONS = "mean=32.09/32.59/33.38,std=50.13/50.49/51.35"


def drawn(network):
    """Return weights drawn name by name, of a size that keeps features near 1."""
    rng = torch.Generator().manual_seed(0)
    out = {}
    for name, value in sorted(network.state_dict().items()):
        if name.endswith("num_batches_tracked"):
            out[name] = value
            continue
        u = torch.rand(value.shape, generator=rng)
        if value.ndim > 1:
            out[name] = (2 * u - 1) * math.sqrt(3 / value[0].numel())
        else:
            out[name] = u - 0.5 if name.endswith(("bias", "mean")) else 0.5 + u
    return out


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A checkpoint as EchoNet-Dynamic publishes one, with a head for training beside."""
    weights = drawn(DeepLab(1))
    wrapped = {f"module.{k}": v for k, v in weights.items()}
    wrapped["module.aux_classifier.4.bias"] = torch.zeros(1)
    path = tmp_path_factory.mktemp("deeplab") / "best.pt"
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1e-5, momentum=0.9)
    more = {
        "epoch": 3,
        "best_loss": 0.1,
        "loss": 0.1,
        "opt_dict": optimiser.state_dict(),
        "scheduler_dict": torch.optim.lr_scheduler.StepLR(optimiser, math.inf).state_dict(),
    }
    torch.save({**more, "state_dict": wrapped}, path)
    yield path, weights
    path.unlink()  # 160 MB


def by_hand(network, frames=FRAMES):
    """Return probabilities (T, C, H, W), frame by frame."""
    out = []
    with torch.no_grad():
        for frame in frames.astype(np.float32):
            image = np.stack([(frame - m) / s for m, s in zip(MEAN, STD, strict=True)])
            out.append(torch.sigmoid(network(torch.from_numpy(image)[None].float()))[0].numpy())
    return np.stack(out)


def source(frames=FRAMES):
    return Source("a", frames)


@pytest.mark.parametrize(
    ("depth", "trained", "names"),
    # Of torchvision 0.28: its parameters with 21 classes less those of the second head, and names
    # and shapes of all weights of two classes.
    [
        (50, 42_004_074 - 2_365_205, "5922e16080e8710a"),
        (101, 60_996_202 - 2_365_205, "80dbc47c1499f9cf"),
    ],
)
def test_names_shapes_and_size_are_those_of_torchvision(depth, trained, names):
    with torch.device("meta"):
        assert sum(p.numel() for p in DeepLab(21, depth=depth).parameters()) == trained
        shapes = {k: tuple(v.shape) for k, v in DeepLab(2, depth=depth).state_dict().items()}
    digest = hashlib.sha256(repr(sorted(shapes.items())).encode()).hexdigest()
    assert digest.startswith(names)


def test_logits_are_those_of_torchvision():
    """Of the same weights and image, as torchvision 0.28 gives them."""
    network = DeepLab(2).eval()
    network.load_state_dict(drawn(network))
    x = torch.linspace(-2, 2, 3 * 40 * 56).sin().view(1, 3, 40, 56)
    with torch.no_grad():
        y = network(x)
    assert y.shape == (1, 2, 40, 56)
    assert y[0, :, [0, 17, 39], [0, 30, 55]].numpy() == pytest.approx(np.array(KNOWN), abs=2e-4)
    try:
        from torchvision.models.segmentation import deeplabv3_resnet50
    except (ImportError, RuntimeError) as error:  # the latter where it is of another build
        pytest.skip(f"torchvision cannot be imported to compare with: {error}")
    theirs = deeplabv3_resnet50(weights=None, weights_backbone=None, num_classes=2).eval()
    theirs.load_state_dict(network.state_dict())
    with torch.no_grad():
        assert torch.allclose(theirs(x)["out"], y, atol=1e-4)


KNOWN = [[-0.50400, -1.02416, -1.17647], [-1.17637, -0.62144, -0.73519]]


def test_masks_are_those_of_the_network_called_by_hand(checkpoint, tmp_path):
    path, weights = checkpoint
    network = DeepLab(1).eval()
    network.load_state_dict(weights)
    wanted = by_hand(network)[:, 0]
    assert wanted.std() > 0.05
    with pytest.warns(UserWarning, match="1 weights of its aux_classifier"):
        teacher = parse_teacher(f"LV=deeplab:{path},{OPTIONS}")
    masks = teacher.masks(source())
    assert masks.dtype == np.uint8 and masks.shape == FRAMES.shape
    assert np.abs(masks - 255 * wanted).max() < 0.51
    # Alone, without its counts of batches, as safetensors.
    plain = {k: v.clone() for k, v in weights.items() if not k.endswith("tracked")}
    save_file(plain, tmp_path / "w.safetensors")
    again = parse_teacher(f"LV=deeplab:{tmp_path / 'w.safetensors'},{OPTIONS}")
    assert np.array_equal(again.masks(source()), masks)
    grey = parse_teacher(f"LV=deeplab:{tmp_path / 'w.safetensors'},mean=33,std=50,quality=0.5")
    (tmp_path / "w.safetensors").unlink()
    assert grey.quality("a") == 0.5 and not np.array_equal(grey.masks(source()), masks)


def test_channels(tmp_path):
    """Classes of a pixel add up to one; sigmoids do not."""
    path = tmp_path / "three.safetensors"
    network = DeepLab(3)
    network.load_state_dict(drawn(network))
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, path)
    text = f"LV=deeplab:{path},mean=33,std=50"
    with pytest.raises(AnnostatError, match="3 channels: output=softmax says"):
        parse_teacher(text)
    with pytest.raises(AnnostatError, match=r"channel must be below 3, .* got 3"):
        parse_teacher(f"{text},channel=3")
    found = [
        parse_teacher(f"{text},channel={k},output=softmax").masks(source()).astype(int)
        for k in range(3)
    ]
    assert np.abs(sum(found) - 255).max() <= 2
    other = parse_teacher(f"{text},output=sigmoid").masks(source())
    assert not np.array_equal(other, found[0])
    path.unlink()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("mean=33", "needs std, in grey levels .* EchoNet-Dynamic's network: mean=32.09"),
        ("mean=33/3,std=50", "mean must be one number or three"),
        ("mean=0.4/0.4/0.4,std=50", "give it times 255"),
        ("mean=33,std=0", "no std 0"),
        ("mean=x,std=1", "mean must be a number"),
        (f"{OPTIONS},channel=1", "channel must be below 1, .* got 1"),
        (f"{OPTIONS},output=logits", "output must be one of"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*aux_classifier")
def test_wrong_options(checkpoint, options, message):
    with pytest.raises(AnnostatError, match=message):
        parse_teacher(f"LV=deeplab:{checkpoint[0]},{options}")


def refused(path, content, message):
    torch.save(content, path)
    with pytest.raises(AnnostatError, match=message) as error:
        read_deeplab(path)
    assert "\n" not in str(error.value)


def test_wrong_weights(tmp_path, checkpoint):
    path, weights = tmp_path / "w.pt", dict(checkpoint[1])
    short = {k: v for k, v in weights.items() if "layer4.2.bn3" not in k}
    refused(path, short, r"ResNet-50: it lacks 4 weights: backbone.layer4.2.bn3.weight, .*")
    refused(path, {**weights, "extra": torch.zeros(1)}, "it has 1 others: extra$")
    wide = {**weights, "backbone.conv1.weight": torch.zeros(64, 1, 7, 7)}
    refused(path, wide, r"backbone.conv1.weight has shape \(64, 1, 7, 7\), not \(64, 3, 7, 7\)")
    refused(path, {"fc.weight": torch.zeros(1)}, "no DeepLabV3 of torchvision .*: it holds fc")
    refused(path, [1, 2], "names and tensors")
    refused(path, {"state_dict": {"a": 1}}, "names and tensors")
    refused(path, DeepLab, "cannot be read .*torch.save")  # a class is code
    path.write_bytes(b"junk")
    with pytest.raises(AnnostatError, match="cannot be read"):
        read_deeplab(path)
    with pytest.raises(AnnostatError, match="there are no weights"):
        read_deeplab(tmp_path / "none.pt")
