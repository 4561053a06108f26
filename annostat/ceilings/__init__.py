"""Floors and ceilings: how good a perfect model can look against noisy labels of values."""

from __future__ import annotations

from annostat.ceilings.bounds import Bounds, bounds
from annostat.ceilings.published import Published, PublishedReading, compare_published
from annostat.ceilings.summary import bounds_from_summary

__all__ = [
    "Bounds",
    "Published",
    "PublishedReading",
    "bounds",
    "bounds_from_summary",
    "compare_published",
]
