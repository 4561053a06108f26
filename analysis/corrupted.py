"""Figure 2: the most corrupted clips, and the lists that the paper made by hand.

The paper names three clips and lists more in `corrupted.csv`. Here `annostat.datasets.audit_folder`
finds and ranks them, on the real folder if its path is given (``--echonet PATH``), else on a
generated one, in which the defects were planted and are therefore known.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from analysis.common import save
from analysis.echo_folder import echo_folder
from annostat.datasets.audit import Audit, audit_folder
from annostat.plotting import plot_contact_sheet

SHOWN = 3


def main(
    out: Path, *, seed: int = 0, quick: bool = False, echonet: Path | None = None
) -> dict[str, Any]:
    """Audit the folder, draw its three worst clips and write `corrupted.csv`."""
    audit = audited(out, seed=seed, quick=quick, echonet=echonet)
    audit.write_corrupted(out / "corrupted.csv")
    numbers: dict[str, Any] = {
        "kind": "simulated folder" if echonet is None else "EchoNet-Dynamic",
        "n_items": len(audit.table),
        "n_with_findings": len(audit.items),
        "reasons": audit.reasons,
        "worst": audit.items[:SHOWN],
    }
    if echonet is None:
        planted = echo_folder(out / "echo_folder", seed=seed, quick=quick)["planted"]
        found = audit.to_frame()
        numbers["planted"] = {
            name: {"defects": defects, "found": sorted(set(found["reason"][found["item"] == name]))}
            for name, defects in planted.items()
        }
        numbers["found_without_a_planted_defect"] = [i for i in audit.items if i not in planted]
    figure = Figure(figsize=(13, 3.6), layout="constrained")
    plot_contact_sheet(audit, n=SHOWN, ax=figure.subplots())
    save(out, "corrupted", numbers, figure)
    return numbers


def audited(
    out: Path,
    *,
    seed: int,
    quick: bool,
    echonet: Path | None = None,
    prompts: Path | None = None,
) -> Audit:
    """Return the audit of the real folder, or of the generated one with its prompts."""
    if echonet is None:
        echo_folder(out / "echo_folder", seed=seed, quick=quick)
        echonet, prompts = out / "echo_folder" / "echonet", out / "echo_folder" / "prompts"
    # The journal makes the second script that asks a matter of a moment.
    journal = out / f"{echonet.resolve().name}.audit.jsonl"
    return audit_folder(echonet, journal=journal, prompts=prompts, n_jobs=2)
