"""Findings about CAMUS: configurations, masks at ED and ES, and the listed EF."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from annostat.datasets.audit.findings import Finding, Limits
from annostat.datasets.audit.measuring import Record, Task
from annostat.datasets.audit.traces import beat_findings, ef_findings
from annostat.datasets.camus import Camus

PHASES = ("ED", "ES")


def camus_tasks(camus: Camus) -> list[Task]:
    """Return what is to be measured: the sequence and the two masks of each view."""
    return [
        Task(
            item,
            camus.path(item, "sequence"),
            tuple(camus.path(item, kind, labels=True) for kind in PHASES)
            + tuple(camus.path(item, kind) for kind in PHASES),
        )
        for item in camus.table["item"]
    ]


def camus_findings(
    camus: Camus, records: Mapping[str, Record], limits: Limits
) -> Iterator[Finding]:
    """Yield what is wrong with configurations and masks."""
    for item, text in camus.problems:
        reason = "outside_link" if "link" in text else "bad_list"
        yield Finding(item, reason, 1.0, text)
    splits_of: dict[str, list[str]] = defaultdict(list)
    for name, patients in camus.splits.items():
        for patient in dict.fromkeys(patients):
            splits_of[patient].append(name)
    for item, patient in camus.table[["item", "patient"]].itertuples(index=False):
        if len(splits_of[patient]) > 1:
            told = f"patient {patient} stands in {' and '.join(sorted(splits_of[patient]))}"
            yield Finding(item, "patient_leak", 1.0, told)
    traced, listed, at = {}, {}, {}
    columns = ["item", "ed_frame", "es_frame", "n_frames", "fps", "ef"]
    for item, ed, es, n, fps, ef in camus.table[columns].itertuples(index=False):
        for name, frame in (("ED", ed), ("ES", es)):
            if frame < 0 or frame >= n:
                told = f"{name} is frame {frame + 1:.0f} of {n:.0f} (from 1)"
                yield Finding(item, "frame_range", 1.0, told, 0)
        yield from beat_findings(item, ed, es, fps, limits)
        record = records[item]
        masks, images = record["masks"][:2], record["masks"][2:]
        yield from _mask_findings(item, masks, images)
        areas = [m.get("area_mm2", np.nan) for m in masks]
        if np.isfinite(areas).all() and min(areas) > 0:
            traced[item] = 100 * (1 - (areas[1] / areas[0]) ** 1.5)
            listed[item], at[item] = ef, 0 if ed != ed else int(max(ed, 0))
            if areas[0] < areas[1]:
                told = f"left ventricle {areas[0]:.0f} mm² at ED and {areas[1]:.0f} mm² at ES"
                yield Finding(item, "ed_below_es", 1 - areas[0] / areas[1], told, at[item])
    yield from ef_findings(listed, traced, at, limits)


def _mask_findings(
    item: str, masks: list[dict[str, Any]], images: list[dict[str, Any]]
) -> Iterator[Finding]:
    for name, mask, image in zip(PHASES, masks, images, strict=True):
        wrong = []
        if mask["error"]:
            wrong.append(mask["error"])
        else:
            if mask["strange"]:
                wrong.append(f"labels {', '.join(f'{v:g}' for v in mask['strange'])}")
            if not mask["area_mm2"]:
                wrong.append("no pixel of the left ventricle")
            if image["error"]:
                wrong.append(f"its image: {image['error']}")
            elif _plain(mask["shape"]) != _plain(image["shape"]):
                shapes = (" × ".join(map(str, _plain(x["shape"]))) for x in (mask, image))
                wrong.append("a mask of {} for an image of {}".format(*shapes))
        if wrong:
            yield Finding(item, "bad_mask", 1.0, f"{name}: {'; '.join(wrong)}")


def _plain(shape: list[int]) -> list[int]:
    """Return a shape without a depth of 1, which some writers keep."""
    return shape[1:] if len(shape) == 3 and shape[0] == 1 else shape
