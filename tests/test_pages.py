"""Every command whose result a person would show writes a page of it: `--report`."""

import re
from pathlib import Path

import pytest

from annostat.cli import COMMANDS, cli

DATA = Path(__file__).parent.parent / "docs" / "data"
PAGES = {
    "bounds": ["bounds", "ef.csv", "--rounds", "first", "second"],
    "published": ["bounds", "--sd", "5.7", "--n", "50", "--score-rmse", "5.17", "--score-n", "99"],
    "categories": ["bounds", "--example", "lidc-malignancy", "--positive", "4,5"],
    "score": ["score", "ef.csv", "--rounds", "first", "second", "--model", "large"],
    "interchange": ["interchange", "ef.csv", "--rounds", "first", "second", "--model", "small"],
    "fit-afd": "fit-afd picks.csv --rounds first second --by phase --core laplace "
    "--abandonment none --resamples 19".split(),
    "findings": ["findings", "--example", "lidc-findings", "--froc", "0.5"],
    "points": ["points", "--example", "lidc-centres"],
    "published-points": ["points", "--mre", "2.1", "--n", "99"],
    "masks": ["masks", "--example", "lidc-masks"],
    "merge": ["merge", "--example", "lidc-malignancy"],
    "plan": ["plan", "ef.csv", "--rounds", "first", "second", "--for", "rmse"],
    "plan-law": ["plan", "--core", "laplace", "--mae", "2"],
    "plan-categories": ["plan", "--example", "lidc-malignancy", "--for", "agreement"],
    "concentration": ["concentration", "errors.csv", "--column", "ours", "--resamples", "19"],
    "scaling": ["scaling", "--example", "echodfkd"],
    "selftest": ["selftest", "--quick"],
}
WRITES = {"report", "app"}  # the first writes nothing else, the second is a page


@pytest.mark.parametrize("name", PAGES)
def test_a_command_writes_its_page(name, run, tmp_path, monkeypatch):
    monkeypatch.chdir(DATA)
    page = tmp_path / "page.html"
    jobs = [] if name in ("scaling", "selftest") else ["--n-jobs", "1"]
    code, out, err = run(*PAGES[name], *jobs, "--report", page)
    assert code == 0, err
    text = page.read_text(encoding="utf-8")
    assert "<h1" in text and out.strip()
    answer = re.search(r"^Answer  (.*)$", out, re.MULTILINE)
    assert not answer or answer[1].split(",")[0][:20].strip() in re.sub(r"\s+", " ", text)
    assert ("<figure" in text) == (name not in ("published-points", "merge", "selftest")), name


def test_no_command_is_without_a_page():
    for name in COMMANDS:
        options = {o for p in cli.get_command(None, name).params for o in p.opts}
        assert name in WRITES or "--report" in options, name


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_of_a_help_page_is_wider_than_the_screen(width, run, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    for name in COMMANDS:
        code, out, err = run(name, "--help")
        assert code == 0, err
        assert [line for line in out.splitlines() if len(line) > width] == [], name
    code, out, _ = run("interchange", "--help")
    assert "--distance NAME" in out and "One of: absolute," in " ".join(out.split())


def test_a_plan_says_the_answer_first_and_offers_no_strata(run):
    code, out, _ = run("plan", "--core", "laplace", "--mae", "2")
    words = [line.split("  ")[0] for line in out.splitlines() if line[:1].isupper()]
    assert code == 0 and words[:2] == ["Answer", "Quote"] and words[-1] == "More"
    assert "--by" not in out and "--report FILE.html" in out
