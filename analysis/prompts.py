"""Figure 3: the clips that answer a prompt least and most, and what the answer goes with.

The paper shows the clips that activate "foreshortening" prompts of EchoCLIP least and most.
EchoCLIP and its answers are not public property: with ``--echonet PATH --prompts PATH`` they are
read from files; else answers are simulated that rise as a phantom's image gets poorer. What the
paper does not ask: whether the answer goes with the annotators' noise. That is the rank correlation
below.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from analysis.common import new_figure, save
from analysis.corrupted import audited

SHOWN = 4


def main(
    out: Path,
    *,
    seed: int = 0,
    quick: bool = False,
    echonet: Path | None = None,
    prompts: Path | None = None,
) -> dict[str, Any]:
    """Draw the extreme clips of the first prompt."""
    audit = audited(out, seed=seed, quick=quick, echonet=echonet, prompts=prompts)
    prompt, ends = next(iter(audit.extremes(SHOWN).items()))
    figure, axes = new_figure(2.4 * SHOWN, 5.4, SHOWN, rows=2)
    for row, (side, clips) in zip(axes, ends.items(), strict=True):
        for ax, (name, answer) in zip(row, clips, strict=True):
            frames = audit.source.data.clip(name)
            ax.imshow(frames[len(frames) // 2], cmap="gray", vmin=0, vmax=255)
            ax.set_title(f"{side}: {answer:.2f}", fontsize=9)
            ax.set_axis_off()
    figure.suptitle(f'"{prompt}"' + (" (simulated answers)" if echonet is None else ""))
    numbers = {
        "kind": "simulated folder and answers" if echonet is None else "EchoNet-Dynamic",
        "prompt": prompt,
        **{side: [{"clip": n, "answer": a} for n, a in clips] for side, clips in ends.items()},
        "associations": [a.to_dict() for a in audit.associations],
    }
    save(out, "prompts", numbers, figure)
    return numbers
