"""Figure 1: the distribution of sampling rates of EchoNet-Dynamic.

On the real folder if its path is given (``--echonet PATH``): then it is the paper's figure. Else on
a generated folder in the same format, which shows the method and not the data.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from analysis.common import COLOURS, new_figure, save
from analysis.echo_folder import echo_folder
from annostat.datasets import read_echonet


def main(
    out: Path, *, seed: int = 0, quick: bool = False, echonet: Path | None = None
) -> dict[str, Any]:
    """Draw the sampling rates and what they mean for one frame of aFD."""
    if echonet is None:
        echo_folder(out / "echo_folder", seed=seed, quick=quick)
    clips = read_echonet(echonet or out / "echo_folder" / "echonet").clips
    fps, frames = clips["fps"].dropna(), clips["n_frames"].dropna()
    kind = "simulated folder" if echonet is None else "EchoNet-Dynamic"
    scale = "log" if fps.value_counts().max() > 100 else "linear"
    figure, axes = new_figure(11, 3.6, 3)
    axes[0].hist(fps, bins=40, color=COLOURS[0])
    axes[0].set(xlabel="frames per second", ylabel="clips", yscale=scale)
    axes[0].set_title(f"Sampling rates ({kind})")
    axes[1].hist(1000 / fps, bins=40, color=COLOURS[0])
    axes[1].set(xlabel="duration of a frame (ms)", ylabel="clips", yscale=scale)
    axes[1].set_title("One frame is not one duration")
    axes[2].hist(frames / fps, bins=40, color=COLOURS[0])
    axes[2].set(xlabel="duration of a clip (s)", ylabel="clips")
    axes[2].set_title("Clip lengths")
    counts = fps.value_counts().sort_index()
    numbers = {
        "kind": kind,
        "n_clips": len(clips),
        "rates": {f"{rate:g}": int(n) for rate, n in counts.items()},
        "fps": quantiles(fps),
        "frame_ms": quantiles(1000 / fps),
        "clip_s": quantiles(frames / fps),
        "share_at_the_commonest_rate": float(counts.max() / counts.sum()),
    }
    save(out, "sampling_rates", numbers, figure)
    return numbers


def quantiles(values: Any) -> dict[str, float]:
    """Return five quantiles."""
    levels = {"min": 0.0, "q25": 0.25, "median": 0.5, "q75": 0.75, "max": 1.0}
    return {name: float(np.quantile(values, level)) for name, level in levels.items()}
