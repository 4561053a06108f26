"""Three jobs from the file to the answer and its figure: docs/jobs.md.

`python -m analysis.jobs` runs the command of each job at 80 columns and writes what it prints, to
the end of a table, and its figure. The test suite runs the commands again and compares.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from analysis.gallery import DOCS
from annostat import simulate_masks
from annostat.files import write_text

PAGE = DOCS / "jobs.md"
PICTURES = DOCS / "images" / "jobs"
WIDTH = 80
TEAMS = {"team_1": 0.4, "team_2": 1.0, "team_3": 1.1, "team_4": 2.5, "team_5": 4.0}  # px


class Job(NamedTuple):
    """One question, and the command that answers it."""

    name: str
    title: str
    before: str
    command: str
    after: str
    blocks: int = 2  # parts of what is printed, each to an empty line, that are shown
    strata: tuple[str, ...] = ()

    @property
    def pictures(self) -> list[str]:
        """Files that the command draws."""
        return [f"{self.name}-{s}.png" for s in self.strata] or [f"{self.name}.png"]


JOBS = (
    Job(
        "ejection_fractions",
        "A clip study: are our models as good as the labels allow?",
        "`ef.csv` has a row for each patient: two readings of the ejection fraction, and the "
        "output of three models. What the table leaves open is which columns are readings, and "
        "which models.",
        "annostat score ef.csv --rounds first second --model small --model large --unit points",
        "`small` still errs; whether `large` does cannot be told from two readings of 400 "
        "patients, and the answer says how large its error may be.",
        3,
    ),
    Job(
        "picks",
        "The same study: how exact are the picked frames?",
        "`picks.csv` has a row for each clip and phase: the frame that a reader picked, twice, "
        "and a model's.",
        "annostat fit-afd picks.csv --rounds first second --by phase --cluster patient",
        "Each phase has its own floor; for what the pictures show see [picks](picks.md).",
        4,
        ("ED", "ES"),
    ),
    Job(
        "challenge",
        "A challenge: who won, and could anyone do better?",
        "Two folders of label maps (NIfTI): three readers, five teams; here of simulated outlines.",
        "annostat masks readers --model teams/team_1 --model teams/team_2 --model teams/team_3 "
        "--model teams/team_4 --model teams/team_5",
        "`team_1` is the best, and what it lacks to the ceiling is less than these 40 cases can "
        "show. `--report page.html` makes a page of it.",
    ),
    Job(
        "reviewer",
        "A review: can the claim stand?",
        "A paper says that its model reads ejection fractions with an RMSE of 5.17 points on 100 "
        "patients, “at human level”, and cites a study of 100 patients in which two sessions "
        "differed with an SD of 5.7 points. There is no table, only these numbers.",
        "annostat bounds --sd 5.7 --convention between-sessions --n 100 --score-rmse 5.17 "
        "--score-n 100 --unit points",
        "",
    ),
)


def challenge(folder: Path) -> None:
    """Write the label maps of simulated readers and teams, as NIfTI."""
    rounds, truth = simulate_masks(40, 3, noise_px=1.5, rng=4)
    rng = np.random.default_rng(7)
    for name, masks in zip(("anna", "ben", "cleo"), rounds.values, strict=True):
        for at, mask in enumerate(masks):
            _save(folder / "readers" / name, at, mask)
    for name, px in TEAMS.items():
        for at, mask in enumerate(truth):
            depth = ndimage.distance_transform_edt(mask) - ndimage.distance_transform_edt(~mask)
            field = ndimage.gaussian_filter(rng.normal(size=mask.shape), 8)
            _save(folder / "teams" / name, at, depth + px * field / field.std() > 0)


def _save(folder: Path, at: int, mask: np.ndarray) -> None:
    import nibabel as nib

    folder.mkdir(parents=True, exist_ok=True)
    labels = mask.astype(np.uint8)
    labels[ndimage.binary_erosion(mask, iterations=8)] = 2
    nib.save(nib.Nifti1Image(labels, np.eye(4)), folder / f"case{at:02d}.nii.gz")


def printed(job: Job, folder: Path, plot: Path | None = None) -> str:
    """Return what the command of a job prints, to the end of the parts that are shown."""
    words = shlex.split(job.command)[1:]
    more = ["--n-jobs", "1"] + (["--plot", str(plot)] if plot else [])
    path = os.pathsep.join(map(str, sys.path))
    done = subprocess.run(
        [sys.executable, "-m", "annostat", *words, *more],
        cwd=folder if job.name == "challenge" else DOCS / "data",
        env={**os.environ, "COLUMNS": str(WIDTH), "PYTHONPATH": path},
        capture_output=True,
        encoding="utf-8",
    )
    if done.returncode:
        raise RuntimeError(f"{job.command}: {done.stderr}")
    parts = done.stdout.rstrip().split("\n\n")
    shown = "\n\n".join(parts[: job.blocks])
    return shown if job.blocks >= len(parts) else f"{shown}\n\n…"


def page(texts: dict[str, str]) -> str:
    """Return the page with what the commands print."""
    parts = [
        "# Three jobs, from the file to the answer\n",
        "One command each; options stand only where the data leave a choice. Everything below is "
        "as printed at 80 columns (`python -m analysis.jobs`); the tables lie in `docs/data` and "
        "are simulated.\n",
    ]
    for job in JOBS:
        parts.append(f"## {job.title}\n\n{job.before}\n")
        command = f"{job.command} --plot {job.name}.png"
        parts.append(f"```text\n$ {command}\n\n{texts[job.name]}\n```\n")
        parts += [f"![{job.title}](images/jobs/{name})\n" for name in job.pictures]
        if job.after:
            parts.append(f"{job.after}\n")
    return "\n".join(parts)


def texts_of(plots: Path | None = None) -> dict[str, str]:
    """Return what the command of each job prints; draw its figures into a folder."""
    found = {}
    with tempfile.TemporaryDirectory() as name:
        challenge(Path(name))
        for job in JOBS:
            found[job.name] = printed(job, Path(name), plots and plots / f"{job.name}.png")
    return found


if __name__ == "__main__":
    PICTURES.mkdir(parents=True, exist_ok=True)
    write_text(PAGE, page(texts_of(PICTURES)))
