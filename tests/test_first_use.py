"""What a first user of the command line, the app and Python came upon."""

from __future__ import annotations

import pytest

from annostat.cli import main
from annostat.labels.columns import looks_like


def ran(capsys, *args):
    """Return what a command prints, and what it says beside it."""
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in args])
        raise SystemExit(0)
    out = capsys.readouterr()
    return stop.value.code, out.out, out.err


@pytest.fixture
def typed(tmp_path):
    """A table of two classes with two slips of the pen."""
    rows = []
    for i in range(60):
        a = "malignant" if i % 2 else "benign"
        b = a if i % 5 else "benign"
        rows.append([a, b, a])
    rows[3][0], rows[4][1] = "maligant", "Benign "
    lines = ["case,anna,ben,cleo", *(f"c{i},{','.join(r)}" for i, r in enumerate(rows))]
    path = tmp_path / "typed.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("name", "other", "same"),
    [
        ("maligant", "malignant", True),
        ("Benign ", "benign", True),
        ("bening", "benign", True),
        ("bemign", "benign", True),
        ("benignn", "benign", True),
        ("grade 1", "grade 2", False),
        ("grade 1", "grade 11", False),
        ("benign", "malignant", False),
        ("no", "na", False),
        ("left", "right", False),
    ],
)
def test_a_letter_that_differs_is_a_slip(name, other, same):
    assert looks_like(name, other) is same
    assert looks_like(other, name) is same


def test_a_class_that_is_a_slip_is_asked_about_and_not_answered_with(typed, capsys):
    code, out, _ = ran(capsys, "bounds", typed, "--rounds", "anna", "ben", "cleo")
    assert code == 0
    text = " ".join(out.split())
    answer, quote = text.split("Answer")[1].split("Quote")[0], text.split("Quote")[1]
    assert "F1 of benign" in answer and "Benign" not in answer and "maligant" not in answer
    accuracy, f1 = quote.index("accuracy"), quote.index("F1 of benign")
    assert accuracy < f1 < quote.index("F1 of malignant")
    assert "'maligant' looks like 'malignant'" in text
    assert "'Benign' looks like 'benign'" in text
