"""The page of three jobs is what the commands print."""

from pathlib import Path

import pytest

from analysis.jobs import JOBS, PICTURES, challenge, page, printed

PAGE = Path(__file__).parent.parent / "docs" / "jobs.md"


@pytest.mark.parametrize("job", JOBS, ids=[job.name for job in JOBS])
def test_a_job_is_as_printed(job, tmp_path):
    if job.name == "challenge":
        pytest.importorskip("nibabel", reason="needs nibabel, to write NIfTI")
        challenge(tmp_path)
    assert printed(job, tmp_path) in PAGE.read_text(encoding="utf-8")
    assert all((PICTURES / name).stat().st_size > 10_000 for name in job.pictures)


def test_the_page_has_the_jobs_and_nothing_else():
    text = PAGE.read_text(encoding="utf-8")
    empty = page({job.name: "" for job in JOBS})
    kept = [line for line in empty.splitlines() if line]
    assert all(line in text for line in kept)
    assert text.count("\n## ") == len(JOBS)
