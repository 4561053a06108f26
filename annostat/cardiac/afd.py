"""The average frame distance, with the floor that noise of the reference sets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from annostat._version import __version__
from annostat.arrays import FloatArray
from annostat.cardiac.common import (
    Resampling,
    digest_of,
    distance_row,
    floor_of,
    mean_distance,
    minus,
    render_rows,
)
from annostat.cardiac.curves import as_vector
from annostat.cardiac.picks import PHASES
from annostat.errors import AnnostatError, check_choice
from annostat.resampling.clusters import cluster_codes, renumbered
from annostat.resampling.generators import Rng, seed_of
from annostat.results.estimates import Estimate
from annostat.results.result import Check, Provenance, Result, check_section
from annostat.results.sections import Section
from annostat.results.text import plain

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class AfdScore(Result):
    """How far picked frames are from a reference, and how far a perfect model would be.

    Attributes
    ----------
    phase : str
        "ES" or "ED".
    afd : Estimate
        Mean |pick − reference| over clips, in frames.
    afd_ms : Estimate or None
        The same in milliseconds, each clip by its own frame rate.
    bias : Estimate
        Mean of pick − reference, in frames; positive if the model picks late.
    blind, blind_ms : Estimate or None
        The aFD of picks made without looking at the reference.
    wrong_beat : Estimate or None
        Share of the blind picks further than half a beat from the reference.
    floor : Estimate or None
        E|X| of one annotation: the aFD of a perfect model against such a reference.
    excess : Estimate or None
        aFD − floor, in the unit of the floor; the blind aFD if there is one.
    differences : float64 array of shape (n_scored,)
        pick − reference in frames, clips without a pick left out.
    n_clips, n_without_pick : int
        Clips given, and those whose curve gave no pick.
    checks : tuple of Check
    provenance : Provenance
    """

    phase: str
    afd: Estimate
    afd_ms: Estimate | None
    bias: Estimate
    blind: Estimate | None
    blind_ms: Estimate | None
    wrong_beat: Estimate | None
    floor: Estimate | None
    excess: Estimate | None
    differences: FloatArray
    n_clips: int
    n_without_pick: int
    checks: tuple[Check, ...]
    provenance: Provenance

    def rows(self) -> list[tuple[str, Estimate]]:
        """Return the estimates that there are, with their names."""
        named = [
            ("aFD", self.afd),
            ("aFD in ms", self.afd_ms),
            ("bias (pick − reference)", self.bias),
            ("aFD, blind", self.blind),
            ("aFD in ms, blind", self.blind_ms),
            ("blind picks in a wrong beat", self.wrong_beat),
            ("floor: a perfect model", self.floor),
            ("above the floor", self.excess),
        ]
        return [(name, value) for name, value in named if value is not None]

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        scored = self.n_clips - self.n_without_pick
        head = [f"{self.phase}: {scored} clips scored of {self.n_clips}"]
        return [
            render_rows("Average frame distance", self.rows(), head),
            check_section(self.checks),
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        names = ("afd", "afd_ms", "bias", "blind", "blind_ms", "wrong_beat", "floor", "excess")
        return {
            "phase": self.phase,
            "n_clips": self.n_clips,
            "n_without_pick": self.n_without_pick,
            **{name: plain(getattr(self, name)) for name in names},
            "checks": [c.to_dict() for c in self.checks],
            "provenance": self.provenance.to_dict(),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per estimate."""
        import pandas as pd

        return pd.DataFrame([distance_row(name, value) for name, value in self.rows()])


def score_afd(
    picks: ArrayLike,
    reference: ArrayLike,
    *,
    phase: str = "ES",
    fps: ArrayLike | None = None,
    blind: ArrayLike | None = None,
    beat: ArrayLike | None = None,
    floor: Any = None,
    cluster: Sequence[object] | NDArray[Any] | None = None,
    level: float = 0.95,
    n_resamples: int = 2000,
    rng: Rng = 0,
    n_jobs: int | None = 1,
) -> AfdScore:
    """Score picked frames against a reference: people's picks, another model's, or prompts'.

    Parameters
    ----------
    picks : array-like of shape (n_clips,)
        Picked frames, as from `pick_frames`; NaN where there is none. Such clips are left out of
        the mean, counted, and a failed check says so.
    reference : array-like of shape (n_clips,)
        Frames to compare with.
    phase : {"ES", "ED"}
        For the labels.
    fps : float or array-like of shape (n_clips,), optional
        Frames per second of each clip; gives the aFD in milliseconds.
    blind : array-like of shape (n_clips,), optional
        Picks made without the reference (``pick_frames(..., method="blind")``), scored beside.
    beat : float or array-like of shape (n_clips,), optional
        Length of a beat in frames (`beat_length`; NaN where unknown): a blind pick further than
        half of it from the reference is in a wrong beat.
    floor : NoiseFit, NoiseComparison, Estimate or float, optional
        Noise of one reference annotation: its `mae` is the aFD of a perfect model. A floor in
        ms needs `fps`; a bare number is in frames. Fitted on other clips it is independent of
        the aFD, which the interval of the excess assumes.
    cluster : sequence of n_clips labels, optional
        Patients; resampled whole.
    level, n_resamples, rng, n_jobs
        As everywhere.

    Returns
    -------
    AfdScore
        Intervals are bootstrap-t on the logarithm over clips (t below eight clips), t for the bias;
        that of the excess combines both intervals by MOVER (Donner & Zou 2012, Stat Methods Med
        Res 21:347).

    Raises
    ------
    AnnostatError
        If lengths differ, no clip has a pick, a number is infinite, or `fps` not positive.

    Examples
    --------
    >>> score = score_afd([10, 22, 31, 40], [11, 20, 31, 43], fps=50)
    >>> score.afd.value, score.afd_ms.value, score.bias.value
    (1.5, 30.0, -0.5)
    """
    check_choice("phase", phase, PHASES)
    how = Resampling(level, n_resamples, rng, n_jobs)
    frames = as_vector("picks", picks, missing=True)
    n = frames.size
    if n == 0:
        raise AnnostatError("picks is empty: give one pick per clip")
    truth = as_vector("reference", reference, n)
    codes = cluster_codes(cluster)
    if codes is not None and codes.size != n:
        raise AnnostatError(f"cluster must have one label per clip ({n}), got {codes.size}")
    scored = np.isfinite(frames)
    if not scored.any():
        raise AnnostatError("no clip has a pick: every curve is constant, or all picks are NaN")
    period = None
    if fps is not None:
        rate = as_vector("fps", fps, n)
        if not (rate > 0).all():
            raise AnnostatError(f"fps must be positive, got {rate.min():g}")
        period = 1000.0 / rate

    def of(found: FloatArray, size: FloatArray | float, unit: str) -> Estimate:
        keep = np.isfinite(found)
        return mean_distance((np.abs(found - truth) * size)[keep], unit, _kept(codes, keep), how)

    def in_ms(found: FloatArray) -> Estimate | None:
        return None if period is None else of(found, period, "ms")

    afd, afd_ms = of(frames, 1.0, "frames"), in_ms(frames)
    delta = frames - truth
    bias = mean_distance(delta[scored], "frames", _kept(codes, scored), how, signed=True)
    checks = [_missing_check(n, int((~scored).sum()))]
    blind_afd = blind_ms = wrong = None
    if blind is not None:
        unseen = as_vector("blind", blind, n, missing=True)
        if not np.isfinite(unseen).any():
            raise AnnostatError("blind has no pick: all of them are NaN")
        blind_afd, blind_ms = of(unseen, 1.0, "frames"), in_ms(unseen)
        if beat is not None:
            lengths = as_vector("beat", beat, n, missing=True)
            known = np.isfinite(unseen) & np.isfinite(lengths)
            if known.any():
                far = (np.abs(unseen - truth) > lengths / 2)[known].astype(np.float64)
                wrong = mean_distance(far, "", _kept(codes, known), how, share=True)
    elif beat is not None:
        raise AnnostatError("beat tells which blind picks are in a wrong beat: give blind too")
    bound = floor_of(floor, "frames")
    excess = None
    if bound is not None:
        scored_afd, headline = afd, blind_afd or afd
        if bound.unit == "ms":
            if afd_ms is None:
                raise AnnostatError("the floor is in ms: give fps, or a floor in frames")
            scored_afd, headline = afd_ms, blind_ms or afd_ms
        excess = minus(headline, bound)
        checks.append(_floor_check(scored_afd, bound))
    return AfdScore(
        phase=phase,
        afd=afd,
        afd_ms=afd_ms,
        bias=bias,
        blind=blind_afd,
        blind_ms=blind_ms,
        wrong_beat=wrong,
        floor=bound,
        excess=excess,
        differences=delta[scored],
        n_clips=n,
        n_without_pick=int((~scored).sum()),
        checks=tuple(checks),
        provenance=Provenance(
            __version__,
            digest_of(frames, truth),
            n,
            seed_of(rng),
            {"phase": phase, "level": level, "n_resamples": n_resamples},
        ),
    )


def _kept(codes: NDArray[np.int64] | None, keep: NDArray[np.bool_]) -> NDArray[np.int64] | None:
    return None if codes is None else renumbered(codes[keep])


def _missing_check(n: int, missing: int) -> Check:
    if not missing:
        return Check("picks", True, "Every clip has a pick.", 0.0)
    text = (
        f"{missing} of {n} clips gave no pick and are left out of the aFD, which is optimistic: "
        "look at their curves, or give them a fall-back pick."
    )
    return Check("picks", False, text, missing / n)


def _floor_check(afd: Estimate, bound: Estimate) -> Check:
    top = afd.high if afd.high is not None else afd.value
    low = bound.low if bound.low is not None else bound.value
    if math.isfinite(top) and top < low:
        text = (
            f"The aFD ({afd.short()} {afd.unit}) is below the floor ({bound.short()}), where no "
            "model can be: the picks look at the reference, or the floor is of other references."
        )
        return Check("floor", False, text, afd.value - bound.value)
    text = f"The aFD ({afd.short()} {afd.unit}) is not below the floor ({bound.short()})."
    return Check("floor", True, text, afd.value - bound.value)
