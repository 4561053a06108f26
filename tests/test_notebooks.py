"""The notebooks of the documentation: every output is what the program gives now."""

import re

import pytest

from analysis.notebooks import CELL, DOCS, FOLDER, NAMES, executed, outputs

NUMBER = re.compile(r"\d+(?:\.\d+)?")
SPACE = re.compile(r"[\s─]+")


def close(found, kept):
    """Whether two numbers differ by no more than one unit of the last digit that is printed."""
    digits = len(kept.partition(".")[2])
    return abs(float(found) - float(kept)) <= 1.001 * 10.0**-digits


@pytest.mark.parametrize("name", NAMES)
def test_outputs_of_a_notebook_are_current(name):
    page = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
    kept = outputs(page)
    for number, (_, text, figure) in enumerate(executed(name), 1):
        before = kept[number - 1]
        words = [SPACE.sub(" ", NUMBER.sub("#", t)).strip() for t in (text, before)]
        assert words[0] == words[1], f"cell {number}"
        pairs = zip(NUMBER.findall(text), NUMBER.findall(before), strict=True)
        assert all(close(a, b) for a, b in pairs), f"cell {number}: {text}"
        picture = f"images/notebooks/{name}-{number}.png"
        assert (picture in page) == (figure is not None) == (DOCS / picture).exists()
    assert 6 <= len(kept) <= 15 and len(CELL.findall(page)) == len(kept)


def test_each_page_is_in_the_documentation():
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    assert {p.stem for p in FOLDER.glob("*.md")} == set(NAMES)
    assert all(f"notebooks/{name}" in index for name in NAMES)
