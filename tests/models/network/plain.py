"""A ConvLSTM student written as plainly as possible: the oracle of `models.network.student`."""

import torch
from torch.nn import functional as F


def conv_lstm(x, weight, bias):
    """Loop over time and gates one by one, with weights (4F, C + F, 3, 3) in order i, f, o, g."""
    filters = weight.shape[0] // 4
    batch, steps, _, height, width = x.shape
    h = torch.zeros(batch, filters, height, width, dtype=x.dtype)
    c = torch.zeros_like(h)
    out = []
    for t in range(steps):
        both = torch.cat([x[:, t], h], dim=1)
        z = [
            F.conv2d(
                both,
                weight[k * filters : (k + 1) * filters],
                bias[k * filters :][:filters],
                padding=1,
            )
            for k in range(4)
        ]
        c = z[1].sigmoid() * c + z[0].sigmoid() * z[3].tanh()
        h = z[2].sigmoid() * c.tanh()
        out.append(h)
    return torch.stack(out, dim=1)


def norm(x, weight, bias, eps=1e-5):
    """Normalise each channel over clips, frames and pixels."""
    mean = x.mean(dim=(0, 1, 3, 4), keepdim=True)
    var = ((x - mean) ** 2).mean(dim=(0, 1, 3, 4), keepdim=True)
    shape = (1, 1, -1, 1, 1)
    return (x - mean) / (var + eps).sqrt() * weight.view(shape) + bias.view(shape)


def student(frames, w, blocks, layers, skip=False):
    """Run the whole network from a dictionary of weights, in training mode."""
    x = (frames[:, :, None].to(w["head.weight"].dtype) - 33.0) / 50.0
    kept = []
    for b in range(blocks):
        if b:
            x = torch.stack([F.max_pool2d(x[:, t], 2) for t in range(x.shape[1])], 1)
        for j in range(layers):
            key = f"{b}.{j}"
            x = conv_lstm(x, w[f"cells.{key}.gates.weight"], w[f"cells.{key}.gates.bias"])
            x = norm(x, w[f"norms.{key}.weight"], w[f"norms.{key}.bias"])
        kept.append(x)
    for b in range(blocks - 2, -1, -1):
        x = x.repeat_interleave(2, dim=3).repeat_interleave(2, dim=4)
        if skip:
            x = torch.cat([x, kept[b]], dim=2)
        x = torch.stack(
            [
                F.conv2d(x[:, t], w[f"up.{b}.weight"], w[f"up.{b}.bias"], padding=1)
                for t in range(x.shape[1])
            ],
            dim=1,
        )
        x = norm(x, w[f"up_norms.{b}.weight"], w[f"up_norms.{b}.bias"])
    return torch.stack(
        [F.conv2d(x[:, t], w["head.weight"], w["head.bias"]) for t in range(x.shape[1])], dim=1
    )
