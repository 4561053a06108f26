"""What an audit can find: the reasons, in words, and the limits behind them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from annostat.errors import AnnostatError, check_number

__all__ = ["LISTS", "REASONS", "Finding", "Limits"]

LISTS = ("FileList.csv", "VolumeTracings.csv")  # of a finding that is of no single item

# Reasons by subject, in the order of the documentation. Each names what its score is.
REASONS = {
    "undecodable": "the clip cannot be decoded to its end (1)",
    "truncated": "the file or its frames end before the header says (share that is missing)",
    "frame_count": "the list states another number of frames (relative difference)",
    "frame_size": "the list states another frame size (1)",
    "black": "black frames (their share)",
    "constant": "frames of one grey value (their share)",
    "saturated": "frames with many saturated pixels (their share)",
    "frozen": "one frame is repeated many times in a row (share of the clip)",
    "torn": "a frame consists of pieces that do not fit (1 − limit/value)",
    "jump": "a change far above all others: frames are missing or foreign (1 − limit/value)",
    "sector": "the lit area is unlike that of the other clips (1 − overlap)",
    "missing_file": "listed or needed, but there is no such file (1)",
    "unlisted": "a file that the list does not name (0.5)",
    "outside_link": "a link that leaves the folder; it was not followed (1)",
    "bad_list": "the list says something impossible of this item, or no number (1)",
    "duplicate": "same bytes as another clip (1 across splits, else 0.5)",
    "near_duplicate": "looks like another clip (its similarity across splits, else half of it)",
    "patient_leak": "clips of one patient stand in several splits (1)",
    "ef_volumes": "the listed EF is not that of the listed volumes (difference / 100)",
    "several_annotators": "a frame has traces of several annotators (1 − 1/n)",
    "rows": "a trace has a wrong number of rows (relative difference)",
    "bad_rows": "rows of a trace hold no numbers (1)",
    "untraced": "a traced data set lacks a trace of this clip, or of one phase (1 or 0.5)",
    "frame_range": "a trace, or ED or ES, stands on a frame that does not exist (1)",
    "outside": "an outline leaves the frame (share of its corners)",
    "self_intersecting": "an outline crosses itself (1 − 1/(1 + crossings))",
    "disjoint": "an outline does not meet those of other annotators (1 − largest Dice)",
    "bad_mask": "a mask is unreadable, empty, of another shape, or of unknown labels (1)",
    "ed_below_es": "the outline named ED is smaller than the one named ES (1 − ED/ES)",
    "ef_traced": "the listed EF is not that of the traced outlines (difference / 100)",
    "phases_close": "ED and ES are closer than any heart rate allows (1 − time/least time)",
    "phases_apart": "ES is later after ED than any systole lasts (1 − longest/time)",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason not to trust one item.

    Attributes
    ----------
    item : str
        The clip, or one of `LISTS`.
    reason : str
        A key of `REASONS`.
    score : float
        From 0 to 1, what it is stands in `REASONS`; findings are ranked by it.
    evidence : str
        What was measured, in words.
    frame : int or None
        The frame to look at, if there is one.
    """

    item: str
    reason: str
    score: float
    evidence: str
    frame: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the four columns of `corrupted.csv`, and the frame."""
        return {**asdict(self), "score": round(min(max(self.score, 0.0), 1.0), 4)}


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a sign becomes a finding.

    The limits of signs of clips leave room around the largest values on 100 simulated clips
    (jump 1.2; torn 5.9; overlap of sectors 0.71; similarity of clips of different hearts 0.976).
    A codec with few key frames gives jumps of up to 4.3, and of 5.1, beyond the limit, in one of
    60 clips of 64 pixels.

    Attributes
    ----------
    odd_frames : float
        Black, constant or saturated frames in a clip, at least.
    frozen : float
        Repeats of one frame in a row, at least.
    jump, jump_between, jump_levels : float
        Largest change between neighbours over their 90% quantile, and its size in grey levels;
        `jump_between` where the codec stores most frames as changes, which pulse by themselves.
    torn : float
        Excess of one row step over the root mean square of all.
    sector : float
        Least overlap (intersection over union) with the common lit area.
    similarity, motion_similarity : float
        Correlation of thumbnails of the mean frame, and of the mean change, of near duplicates.
    ef_volumes, ef_traced : float
        Points of EF.
    outside : float
        Pixels beyond the edge of the frame.
    dice : float
        Outlines of one frame that overlap less are disjoint.
    heart_rate_min, heart_rate_max : float
        Beats per minute. Electromechanical systole lasts 546 − 2.1·rate milliseconds (Weissler
        et al. 1968, Circulation 37:149), extrapolated beyond the rates it was measured at.
    """

    odd_frames: float = 1
    frozen: float = 4
    jump: float = 2.0
    jump_between: float = 5.0
    jump_levels: float = 5.0
    torn: float = 8.0
    sector: float = 0.6
    similarity: float = 0.99
    motion_similarity: float = 0.8
    ef_volumes: float = 1.0
    ef_traced: float = 10.0
    outside: float = 1.0
    dice: float = 0.05
    heart_rate_min: float = 30.0
    heart_rate_max: float = 200.0

    def __post_init__(self) -> None:
        for field in fields(self):
            top = 220.0 if field.name.startswith("heart_rate") else 1e9
            check_number(f"limit {field.name}", getattr(self, field.name), low=0.0, high=top)
        if self.heart_rate_min >= self.heart_rate_max:
            raise AnnostatError("limit heart_rate_min must be below heart_rate_max")

    def to_dict(self) -> dict[str, float]:
        """Return the limits by name."""
        return asdict(self)

    @property
    def shortest_systole(self) -> float:
        """Least time from ED to ES in seconds, at the largest heart rate."""
        return systole(self.heart_rate_max)

    @property
    def shortest_diastole(self) -> float:
        """Least time from ES to the next ED in seconds, at the largest heart rate."""
        return 60 / self.heart_rate_max - systole(self.heart_rate_max)

    @property
    def longest_systole(self) -> float:
        """Largest time from ED to ES in seconds, at the smallest heart rate."""
        return systole(self.heart_rate_min)


def systole(heart_rate: float) -> float:
    """Return the duration of electromechanical systole in seconds (Weissler et al. 1968)."""
    return (546 - 2.1 * heart_rate) / 1000
