"""Bundled rounds of real annotations, readers of public data sets, and their audit.

Names are loaded when they are first used: only the bundled readings come with the package.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from annostat.datasets.lidc import lidc, lidc_masks, lidc_table
from annostat.datasets.scaling import scaling_points

if TYPE_CHECKING:
    from annostat.datasets.audit import Audit, audit_folder
    from annostat.datasets.camus import Camus, read_camus
    from annostat.datasets.echonet import EchoNet, Trace, read_echonet
    from annostat.datasets.lidc_database import LidcDatabase, read_lidc
    from annostat.datasets.mask_files import read_masks, read_masks_and_models
    from annostat.datasets.mask_folders import MaskFolder, mask_rounds, read_mask_folder
    from annostat.datasets.video import clip_info, iter_frames, read_clip

_HOME = {
    "Audit": "audit",
    "Camus": "camus",
    "EchoNet": "echonet",
    "LidcDatabase": "lidc_database",
    "MaskFolder": "mask_folders",
    "Trace": "echonet",
    "audit_folder": "audit",
    "clip_info": "video",
    "iter_frames": "video",
    "mask_rounds": "mask_folders",
    "read_camus": "camus",
    "read_clip": "video",
    "read_echonet": "echonet",
    "read_lidc": "lidc_database",
    "read_mask_folder": "mask_folders",
    "read_masks": "mask_files",
    "read_masks_and_models": "mask_files",
}

__all__ = [
    "Audit",
    "Camus",
    "EchoNet",
    "LidcDatabase",
    "MaskFolder",
    "Trace",
    "audit_folder",
    "clip_info",
    "iter_frames",
    "lidc",
    "lidc_masks",
    "lidc_table",
    "mask_rounds",
    "read_camus",
    "read_clip",
    "read_echonet",
    "read_lidc",
    "read_mask_folder",
    "read_masks",
    "read_masks_and_models",
    "scaling_points",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"annostat.datasets.{_HOME[name]}"), name)
    raise AttributeError(f"module 'annostat.datasets' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
