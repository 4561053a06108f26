"""Bundled rounds of real annotations, and readers of public data sets."""

from __future__ import annotations

from annostat.datasets.lidc import lidc, lidc_table

__all__ = ["lidc", "lidc_table"]
