"""Parts of `models.gpu_check` about numbers: values and gradients against double precision."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from models.config import Config
from models.gpu_sizes import Rows, Size
from models.measure import Batch, make_step, on_device, random_batch, wait, warm_steps
from models.network.precision import FIRST, LossScale, autocast
from models.network.step import Step
from models.network.student import Student
from models.network.weights import make_student

ENGINES = ("plain", "hoisted", "compiled")
# How far values and gradients may be from the plain loop in double precision, relative.
CLOSE = {"float64": 1e-9, "float32": 1e-4, "tf32": 1e-2, "bf16": 5e-2, "fp16": 2e-2}


def exact(size: Size, device: torch.device) -> Rows:
    """Compare values and gradients of every engine and precision with the plain loop in float64."""
    small = replace(size, batch=2, window=4).config(16)
    frames, targets = random_batch(small, device)
    torch.manual_seed(0)
    wanted = make_student(small.student, 1, engine="plain").double().to(device)
    values, gradients = _differentiated(wanted, (frames, targets), half=False)
    scale = max(float(g.norm()) for g in gradients)
    rows: Rows = []
    before = torch.backends.cudnn.allow_tf32
    for precision in ("float64", "float32", "tf32", "bf16"):
        close = CLOSE[precision]
        torch.backends.cudnn.allow_tf32 = precision in ("tf32", "bf16")
        for engine in ENGINES:
            kind = torch.float64 if precision == "float64" else torch.float32
            net = make_student(small.student, 1, engine=engine).to(kind)
            net.load_state_dict(wanted.state_dict())
            mine = _differentiated(
                on_device(net, device), (frames, targets), half=precision == "bf16"
            )
            off = float((mine[0] - values).norm() / values.norm())
            worst = max(float((a - b).norm()) for a, b in zip(mine[1], gradients, strict=True))
            rows.append(
                {
                    "what": f"{engine}, {precision}",
                    "values_off": off,
                    "gradients_off": worst / scale,
                    "ok": max(off, worst / scale) < close,
                }
            )
    torch.backends.cudnn.allow_tf32 = before
    return rows


def _differentiated(net: Student, batch: Batch, *, half: bool) -> tuple[Any, list[Any]]:
    """Return logits and gradients in float64."""
    with torch.autocast(batch[0].device.type, torch.bfloat16, enabled=half):
        y = net(batch[0])
    (y.double().sigmoid() - batch[1].double() / 255).square().mean().backward()
    gradients = [p.grad.double() for p in net.parameters() if p.grad is not None]
    return y.detach().double(), gradients


def fp16(size: Size, device: torch.device) -> Rows:
    """Compare fp16 and its scale of the loss with float64; overflow a step and leave it out."""
    small = replace(size, batch=2, window=4).config(16)
    batch = random_batch(small, device)
    torch.manual_seed(0)
    wanted = Step(make_student(small.student, 1, engine="plain").double(), small.train, device, 1)
    wanted.net.to(device)
    values, gradients = _stepped(wanted, batch)
    largest = max(float(g.norm()) for g in gradients)
    rows: Rows = []
    for name in (*ENGINES, "plain, no scale"):
        scaled = name in ENGINES
        step = _in_fp16(make_step(small, name.split(",")[0], device), scaled=scaled)
        step.net.load_state_dict(wanted.net.state_dict())
        mine = _stepped(step, batch)
        pairs = list(zip(mine[1], gradients, strict=True))
        off = float((mine[0] - values).norm() / values.norm())
        worst = max(float((a - b).norm()) for a, b in pairs) / largest
        lost = sum(int(((a == 0) & (b != 0)).sum()) for a, b in pairs)
        row = {
            "what": f"{name}, fp16",
            "values_off": off,
            "gradients_off": worst,
            "vanished": lost / sum(b.numel() for b in gradients),
        }
        # Without a scale the smallest gradients vanish: shown, and nothing is asked of it.
        rows.append(row | ({"ok": max(off, worst) < CLOSE["fp16"]} if scaled else {}))
    return [*rows, _overflowed(small, batch, device), _captured(small, batch, device)]


def _in_fp16(step: Step, *, scaled: bool = True) -> Step:
    """Return a new step made as on a GPU without bf16, whatever the device is."""
    step.half = torch.float16
    step.scale = LossScale(step.device) if scaled else None
    if step.device.type != "cuda":
        # Only a fused Adam leaves a step out by itself.
        step.optimiser = torch.optim.Adam(step.parameters, lr=step.train.rate, fused=True)
    return step


def _stepped(step: Step, batch: Batch) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Return logits and unscaled gradients of the training's own loss, in float64."""
    with torch.no_grad(), autocast(step.device, step.half):
        values = step.net(batch[0]).double()
    step.differentiate(*batch)
    if step.scale is not None:
        step.scale.unscale(step.gradients)
    return values, [p.grad.double() for p in step.parameters if p.grad is not None]


def _overflowed(config: Config, batch: Batch, device: torch.device) -> dict[str, Any]:
    """Return whether a step whose gradients overflow leaves the weights and halves the scale."""
    step = _in_fp16(make_step(config, "auto", device))
    step(*batch)  # Adam has momentum from here on, and would move
    before = [p.detach().clone() for p in step.parameters]
    if step.scale is None:
        raise RuntimeError("fp16 has no scale")
    step.scale.value.fill_(2.0**24)
    step.gradients.fill_(float("inf"))
    step.update()
    same = all(torch.equal(a, b) for a, b in zip(before, step.parameters, strict=True))
    halved = float(step.scale.value) == 2.0**23
    step.scale.value.fill_(FIRST)
    step(*batch)
    moved = not all(torch.equal(a, b) for a, b in zip(before, step.parameters, strict=True))
    return {"what": "a step that overflows is left out", "ok": same and halved and moved}


def _captured(config: Config, batch: Batch, device: torch.device) -> dict[str, Any]:
    """Return what captured steps in fp16 are off from ordinary ones."""
    ends = []
    for engine in ("auto", "graph"):
        step = _in_fp16(make_step(config, engine, device))
        for _ in range(warm_steps(device) + 2):
            step(*batch)
        wait(device)
        ends.append(step)
    pairs = zip(*([p.detach() for p in step.parameters] for step in ends), strict=True)
    off = max(float((a - b).double().norm() / a.double().norm().clamp_min(1e-9)) for a, b in pairs)
    captured = ends[1].captured is not None and ends[1].captured.graphs is not None
    ok = off < 1e-2 and (captured or device.type != "cuda")
    return {"what": "graph against eager, fp16", "weights_off": off, "captured": captured, "ok": ok}
