"""DeepLabV3 on ResNet-50 or -101, under torchvision's names of weights, and its checkpoints.

Chen, Papandreou, Schroff & Adam 2017 (arXiv:1706.05587) at output stride 8; bottlenecks have their
stride in the 3 × 3 convolution. EchoNet-Dynamic's published segmentation network is one of 50
layers and one channel. It is here so that a checkpoint can be read with torch alone: torchvision
must be of the same build as torch, and is not everywhere to be had.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from annostat import AnnostatError
from annostat.errors import shown

DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}  # bottlenecks of each stage
WIDTHS = (64, 128, 256, 512)
WIDER = 4  # channels out of a bottleneck, in its widths
RATES = (12, 24, 36)  # of the dilated branches
BRANCH = 256  # channels of a branch
HOLDERS = ("state_dict", "model_state_dict", "model")  # where checkpoints keep their weights
PREFIXES = ("module.", "_orig_mod.")  # of DataParallel and of torch.compile
EXTRA = "aux_classifier."  # a second head that only training uses


def conv3(inputs: int, outputs: int, *, stride: int = 1, rate: int = 1) -> nn.Conv2d:
    """Return a 3 × 3 convolution that keeps the size, but for its stride."""
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=rate, dilation=rate, bias=False)


class Bottleneck(nn.Module):
    """1 × 1, 3 × 3 and 1 × 1 convolutions beside a shortcut.

    Parameters
    ----------
    inputs, width : int
        Channels in, and in the middle; four times `width` come out.
    stride, rate : int
        Of the convolution in the middle.
    """

    def __init__(self, inputs: int, width: int, *, stride: int = 1, rate: int = 1) -> None:
        super().__init__()
        outputs = WIDER * width
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = conv3(width, width, stride=stride, rate=rate)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Return features (N, 4 · width, H / stride, W / stride) of features (N, inputs, H, W)."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


def stage(inputs: int, width: int, n: int, *, stride: int, first: int, rate: int) -> nn.Sequential:
    """Return `n` bottlenecks; the first one has the stride, and the dilation rate `first`."""
    rest = [Bottleneck(WIDER * width, width, rate=rate) for _ in range(n - 1)]
    return nn.Sequential(Bottleneck(inputs, width, stride=stride, rate=first), *rest)


class Backbone(nn.Module):
    """A residual network whose last two stages are dilated instead of strided."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        n = DEPTHS[depth]
        a, b, c, d = WIDTHS
        self.conv1 = nn.Conv2d(3, a, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(a)
        self.layer1 = stage(a, a, n[0], stride=1, first=1, rate=1)
        self.layer2 = stage(WIDER * a, b, n[1], stride=2, first=1, rate=1)
        self.layer3 = stage(WIDER * b, c, n[2], stride=1, first=1, rate=2)
        self.layer4 = stage(WIDER * c, d, n[3], stride=1, first=2, rate=4)

    def forward(self, x: Tensor) -> Tensor:
        """Return features (N, 2048, H / 8, W / 8) of images (N, 3, H, W)."""
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, stride=2, padding=1)
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))  # type: ignore[no-any-return]


def branch(convolution: nn.Module) -> nn.Sequential:
    """Return a convolution with its norm and a rectifier."""
    return nn.Sequential(convolution, nn.BatchNorm2d(BRANCH), nn.ReLU())


class Pooled(nn.Sequential):
    """The mean over the image as a branch, spread over the image again."""

    def __init__(self, inputs: int) -> None:
        mean = nn.AdaptiveAvgPool2d(1)
        super().__init__(mean, *branch(nn.Conv2d(inputs, BRANCH, 1, bias=False)))

    def forward(self, x: Tensor) -> Tensor:
        """Return one value of each channel in every pixel."""
        y: Tensor = super().forward(x)
        return y.expand(-1, -1, *x.shape[-2:])


class Pyramid(nn.Module):
    """Branches of several dilation rates side by side, and a projection of all of them."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        dilated = [branch(conv3(inputs, BRANCH, rate=rate)) for rate in RATES]
        self.convs = nn.ModuleList(
            [branch(nn.Conv2d(inputs, BRANCH, 1, bias=False)), *dilated, Pooled(inputs)]
        )
        n = len(self.convs)
        self.project = nn.Sequential(
            *branch(nn.Conv2d(n * BRANCH, BRANCH, 1, bias=False)), nn.Dropout(0.5)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return features (N, 256, H, W)."""
        y: Tensor = self.project(torch.cat([part(x) for part in self.convs], dim=1))
        return y


class DeepLab(nn.Module):
    """DeepLabV3: logits of images, at their size.

    Parameters
    ----------
    channels : int
        Logits of each pixel.
    depth : {50, 101}
        Layers of the residual network.
    """

    def __init__(self, channels: int = 1, *, depth: int = 50) -> None:
        super().__init__()
        self.backbone = Backbone(depth)
        self.classifier = nn.Sequential(
            Pyramid(WIDER * WIDTHS[-1]),
            conv3(BRANCH, BRANCH),
            nn.BatchNorm2d(BRANCH),
            nn.ReLU(),
            nn.Conv2d(BRANCH, channels, 1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, channels, H, W) of normalised images (N, 3, H, W)."""
        y = self.classifier(self.backbone(images))
        return F.interpolate(y, size=images.shape[-2:], mode="bilinear", align_corners=False)


def read_deeplab(
    path: str | os.PathLike[str], device: Any = "cpu"
) -> tuple[DeepLab, int, tuple[str, ...]]:
    """Return a network with the weights of a checkpoint, ready for inference.

    Parameters
    ----------
    path : path
        A `state_dict` of torchvision's names as safetensors, or as `torch.save` writes it, alone or
        under "state_dict", as EchoNet-Dynamic's are; the prefixes of DataParallel and of
        torch.compile are taken off. Tensors and plain data are all that is read of it.
    device : device

    Returns
    -------
    DeepLab
        In evaluation mode.
    int
        Its channels.
    tuple of str
        Names that were left out: those of the head that only training uses.

    Raises
    ------
    AnnostatError
        If the file is something else, or a weight is missing, unexpected or of another shape.
    """
    name = os.fspath(path)
    weights = _stripped(_read(Path(name)), name)
    spare = tuple(k for k in weights if k.startswith(EXTRA))
    weights = {k: v for k, v in weights.items() if k not in spare}
    head = weights.get("classifier.4.weight")
    if head is None or "backbone.conv1.weight" not in weights:
        raise AnnostatError(
            f"{name!r} is no DeepLabV3 of torchvision (no classifier.4.weight or "
            f"backbone.conv1.weight): it holds {shown(weights, 3)}"
        )
    depth = 101 if any(k.startswith("backbone.layer3.6.") for k in weights) else 50
    channels = int(head.shape[0]) if head.ndim else 0
    network = DeepLab(max(channels, 1), depth=depth)
    _check(name, depth, network.state_dict(), weights)
    network.load_state_dict(weights, strict=False)  # what it may lack are counts of batches
    return network.to(device).eval(), channels, spare


def _check(
    name: str, depth: int, wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]
) -> None:
    """Refuse weights that are not those of the network."""
    what = f"{name!r} does not fit DeepLabV3 of ResNet-{depth}"
    counts = ".num_batches_tracked"  # unknown to old versions of torch, and of no use here
    missing = [k for k in wanted if k not in found and not k.endswith(counts)]
    unexpected = [k for k in found if k not in wanted]
    if missing or unexpected:
        lacks = f"it lacks {len(missing)} weights: {shown(missing, 3)}" if missing else ""
        more = f"it has {len(unexpected)} others: {shown(unexpected, 3)}" if unexpected else ""
        raise AnnostatError(f"{what}: {'; '.join(filter(None, [lacks, more]))}")
    for k, value in found.items():
        if value.shape != wanted[k].shape:
            raise AnnostatError(
                f"{what}: {k} has shape {tuple(value.shape)}, not {tuple(wanted[k].shape)}"
            )


def _read(path: Path) -> Any:
    """Return what a checkpoint holds; nothing in it is run."""
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise AnnostatError(f"there are no weights {str(path)!r}") from None
    except Exception as error:  # both raise many kinds for a file cut short or foreign
        raise AnnostatError(
            f"weights {str(path)!r} cannot be read ({type(error).__name__}: "
            f"{' '.join(str(error).split())[:120]}); where they were made, "
            "torch.save(network.state_dict(), FILE) writes what is needed"
        ) from None


def _stripped(found: Any, name: str) -> dict[str, Tensor]:
    """Return the weights in what a checkpoint holds, without the prefixes of wrappers."""
    while isinstance(found, dict):
        inner = next((k for k in HOLDERS if isinstance(found.get(k), dict)), None)
        if inner is None:
            break
        found = found[inner]
    if not isinstance(found, dict) or not all(isinstance(v, Tensor) for v in found.values()):
        raise AnnostatError(
            f"{name!r} is no checkpoint of DeepLabV3: that holds names and tensors (a state_dict)"
        )
    weights = {str(k): v for k, v in found.items()}
    for _ in PREFIXES:
        for prefix in PREFIXES:
            if weights and all(k.startswith(prefix) for k in weights):
                weights = {k[len(prefix) :]: v for k, v in weights.items()}
    return weights
