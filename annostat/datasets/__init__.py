"""Bundled rounds of real annotations, readers of public data sets, and their audit.

Names are loaded when they are first used: only the bundled readings come with the package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from annostat._names import attach

if TYPE_CHECKING:
    from annostat.datasets.audit import Audit, audit_folder
    from annostat.datasets.camus import Camus, read_camus
    from annostat.datasets.echonet import EchoNet, Trace, read_echonet
    from annostat.datasets.lidc_database import LidcDatabase, read_lidc
    from annostat.datasets.lidc_tables import lidc, lidc_masks, lidc_table
    from annostat.datasets.marks import lidc_centres, lidc_findings
    from annostat.datasets.mask_files import read_masks, read_masks_and_models
    from annostat.datasets.ratings import lidc_ratings, vader
    from annostat.datasets.scaling import scaling_points
    from annostat.datasets.video import clip_info, iter_frames, read_clip
    from annostat.tables.mask_folders import MaskFolder, mask_rounds, read_mask_folder

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
    "lidc_centres",
    "lidc_findings",
    "lidc_masks",
    "lidc_ratings",
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
    "vader",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        "Audit": "annostat.datasets.audit",
        "Camus": "annostat.datasets.camus",
        "EchoNet": "annostat.datasets.echonet",
        "LidcDatabase": "annostat.datasets.lidc_database",
        "MaskFolder": "annostat.tables.mask_folders",
        "Trace": "annostat.datasets.echonet",
        "audit_folder": "annostat.datasets.audit",
        "clip_info": "annostat.datasets.video",
        "iter_frames": "annostat.datasets.video",
        "lidc": "annostat.datasets.lidc_tables",
        "lidc_centres": "annostat.datasets.marks",
        "lidc_findings": "annostat.datasets.marks",
        "lidc_masks": "annostat.datasets.lidc_tables",
        "lidc_ratings": "annostat.datasets.ratings",
        "lidc_table": "annostat.datasets.lidc_tables",
        "mask_rounds": "annostat.tables.mask_folders",
        "read_camus": "annostat.datasets.camus",
        "read_clip": "annostat.datasets.video",
        "read_echonet": "annostat.datasets.echonet",
        "read_lidc": "annostat.datasets.lidc_database",
        "read_mask_folder": "annostat.tables.mask_folders",
        "read_masks": "annostat.datasets.mask_files",
        "read_masks_and_models": "annostat.datasets.mask_files",
        "scaling_points": "annostat.datasets.scaling",
        "vader": "annostat.datasets.ratings",
    },
)
