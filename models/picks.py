"""Picked frames of ES and of ED by three protocols, each named, each beside its own floor.

A clip may hold several beats. Which of them the student's pick is taken from decides the score:

- "beat": the deepest minimum of the area within the labelled beat; of the labels only the other
  phase is used, at which the beat begins or ends;
- "nearest": the run of small areas that is nearest to the label, and its minimum
  (`annostat.cardiac.pick_nearest`). It looks at the label, so that it cannot be in a wrong beat;
- "blind": the deepest minimum of the whole clip. Beats of one heart are nearly alike, so that a
  perfect model may well pick another beat than the label is of.

ED is picked in the same way from the largest areas.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat import Estimate
from annostat.cardiac import AfdScore, pick_nearest, score_afd
from annostat.results import Section, plain
from models.data.store import clips
from models.overlap import FloatArray
from models.predictions import blind_pick, labelled, length_of_beat, window_of

PROTOCOLS = {
    "beat": "within the labelled beat",
    "nearest": "nearest candidate (looks at the label)",
    "blind": "blind, over the whole clip",
}


@dataclass(frozen=True)
class Picks:
    """Scores of the three protocols.

    Attributes
    ----------
    scores : dict of str to AfdScore
        By protocol; a protocol that gives no pick of any clip is left out.
    wrong_beat : dict of str to float
        Share of the picks further than half a beat from the label; NaN where no beat is known.
    exact : dict of str to Estimate
        Mean frame distance of picks from the true areas, by the same protocol: what a perfect
        model reaches. Empty where the truth is not known.
    n_clips, n_unlabelled : int
        Clips scored, and those left out since nobody labelled the frame.
    phase : {"ES", "ED"}
    """

    scores: dict[str, AfdScore]
    wrong_beat: dict[str, float]
    exact: dict[str, Estimate]
    n_clips: int
    n_unlabelled: int
    phase: str = "ES"

    def section(self) -> Section:
        """Return what a person should read."""
        columns = ["protocol", "aFD", "in ms", "bias", "in a wrong beat"]
        with_exact, floor = bool(self.exact), any(s.floor for s in self.scores.values())
        columns += ["exact masks"] if with_exact else []
        columns += ["floor: noise of one label"] if floor else []
        rows = []
        for name, score in self.scores.items():
            row = [PROTOCOLS[name], cell(score.afd), cell(score.afd_ms), cell(score.bias)]
            wrong = self.wrong_beat[name]
            row.append("" if math.isnan(wrong) else f"{100 * wrong:.0f}%")
            row += [cell(self.exact.get(name))] if with_exact else []
            row += [cell(score.floor)] if floor else []
            rows.append(row)
        lines = [clips(self.n_clips)]
        if self.n_unlabelled:
            lines.append(
                f"left out for want of a labelled {self.phase}: {clips(self.n_unlabelled)}"
            )
        for name, score in self.scores.items():
            if score.n_without_pick:
                lines.append(f"{PROTOCOLS[name]}: no pick of {clips(score.n_without_pick)}")
        if "blind" in self.scores:
            lines.append(
                "No floor holds for blind picks: with several beats a perfect model may be in "
                "another one."
            )
        return Section(f"Average frame distance of {self.phase}", columns, rows, lines)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {
            "phase": self.phase,
            "n_clips": self.n_clips,
            "n_unlabelled": self.n_unlabelled,
            "protocols": {
                name: {
                    "name": PROTOCOLS[name],
                    "wrong_beat": plain(self.wrong_beat[name]),
                    "exact": plain(self.exact.get(name)),
                    **score.to_dict(),
                }
                for name, score in self.scores.items()
            },
        }


def cell(estimate: Estimate | None) -> str:
    """Return an estimate with its interval for a cell of a table."""
    if estimate is None:
        return ""
    if math.isnan(estimate.value):
        return f"– ({estimate.note})" if estimate.note else "–"
    limits = "" if estimate.interval is None else f" ({estimate.range()})"
    return f"{estimate.short()}{limits}{' ' + estimate.unit if estimate.unit else ''}"


def picks_by(
    areas: Sequence[FloatArray],
    facts: Sequence[dict[str, Any]],
    reference: Sequence[float],
    *,
    phase: str = "ES",
) -> dict[str, FloatArray]:
    """Return the picks of each protocol, float64 of shape (n,), NaN where there is none.

    Parameters
    ----------
    areas : sequence of float64 arrays
        Area of each frame of each clip.
    facts : sequence of dict
        "beat", or "ed" and "es": where the labelled beat is.
    reference : sequence of float
        Labelled frames, which the protocol "nearest" looks at.
    phase : {"ES", "ED"}
    """
    found: dict[str, list[float]] = {name: [] for name in PROTOCOLS}
    for area, known, label in zip(areas, facts, reference, strict=True):
        found["beat"].append(blind_pick(area, window_of(known, area, phase), phase))
        near = None
        if len(area) >= 3:
            near = pick_nearest(area, float(np.clip(label, 0, len(area) - 1)), phase=phase)
        found["nearest"].append(math.nan if near is None else float(near))
        found["blind"].append(blind_pick(area, (0, len(area)), phase))
    return {name: np.array(values) for name, values in found.items()}


def score_picks(
    areas: Sequence[FloatArray],
    facts: Sequence[dict[str, Any]],
    reference: Sequence[float],
    *,
    floor: Estimate | None = None,
    exact: Sequence[FloatArray] | None = None,
    phase: str = "ES",
    seed: int = 0,
) -> Picks | None:
    """Score the student's picks against labelled frames, by each protocol.

    Parameters
    ----------
    areas : sequence of float64 arrays
        The student's area of each frame of each clip.
    facts : sequence of dict
        As in `picks_by`, with "fps".
    reference : sequence of float
        Labelled frames of the phase; NaN where there is none.
    floor : Estimate, optional
        E|X| of one label: the aFD of a perfect model within the labelled beat. It does not hold
        for blind picks.
    exact : sequence of float64 arrays, optional
        The true areas.
    phase : {"ES", "ED"}
    seed : int
        Of the bootstraps.

    Returns
    -------
    Picks or None
        None if no clip has a label and a pick.
    """
    there = [k for k, r in enumerate(reference) if math.isfinite(r)]
    if not there:
        return None
    own, known = [areas[k] for k in there], [facts[k] for k in there]
    labels = np.array([reference[k] for k in there], dtype=float)
    rates = _rates(known)
    lengths = np.array([length_of_beat(f, a) for f, a in zip(known, own, strict=True)])
    to = labels.tolist()
    truth = None
    if exact is not None:
        truth = picks_by([exact[k] for k in there], known, to, phase=phase)
    scores, wrong, reached = {}, {}, {}
    for name, picks in picks_by(own, known, to, phase=phase).items():
        if not np.isfinite(picks).any():
            continue
        limit = None if name == "blind" else floor
        scores[name] = score_afd(picks, labels, fps=rates, floor=limit, rng=seed)
        far = np.abs(picks - labels) > lengths / 2
        seen = np.isfinite(picks) & np.isfinite(lengths)
        wrong[name] = float(far[seen].mean()) if seen.any() else math.nan
        if truth is not None and np.isfinite(truth[name]).any():
            reached[name] = score_afd(truth[name], labels, rng=seed).afd
    if not scores:
        return None
    return Picks(scores, wrong, reached, len(there), len(reference) - len(there), phase)


def _rates(facts: Sequence[dict[str, Any]]) -> NDArray[np.float64] | None:
    """Return frames per second, or None unless they are known of every clip."""
    found = [f.get("fps") for f in facts]
    if not all(isinstance(v, (int, float)) and math.isfinite(v) and v > 0 for v in found):
        return None
    return np.array(found, dtype=float)


def labelled_frames(facts: Sequence[dict[str, Any]], phase: str = "ES") -> list[float]:
    """Return the labelled frame of a phase for each clip, NaN where ED or ES is not labelled."""
    frames = [labelled(f) for f in facts]
    return [math.nan if f is None else float(f[phase == "ES"]) for f in frames]
