"""The table of LIDC in docs/interchange.md: its figures, and what must come out."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from annostat import AnnostatError
from annostat.cli import main
from annostat.cli.marks import held_out
from annostat.interchange import interchange

PAGE = (Path(__file__).parent.parent / "docs" / "interchange.md").read_text(encoding="utf-8")
ROW = re.compile(
    r"^\| [^|]*\(`(lidc[\w-]*)`\) \| `([\w-]+)` \|[^|]*\|([^|]*)\|([^|]*)\|([^|]*)\|$", re.M
)
NUMBER = re.compile(r"[−-]?\d+\.\d+")
ROWS = ROW.findall(PAGE)


def numbers(cell):
    return [(float(t.replace("−", "-")), len(t.split(".")[1])) for t in NUMBER.findall(cell)]


def test_the_table_has_every_kind():
    assert {example for example, *_ in ROWS} == {
        *("lidc", "lidc-diameter", "lidc-malignancy", "lidc-masks", "lidc-centres"),
        "lidc-findings",
    }


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}-{row[1]}")
def test_figures_of_the_page(row, capsys):
    example, distance, one, mean, among = row
    main(["interchange", "--example", example, "--distance", distance, "--json", "-"])
    found = json.loads(capsys.readouterr().out)
    models = {m["name"]: m["change"] for m in found["models"]}
    cells = {"one reader": numbers(one), "mean of two readers": numbers(mean)}
    for name, said in cells.items():
        assert bool(said) == (name in models)
        if not said:
            continue
        change = models[name]
        for key, (value, digits) in zip(("value", "low", "high"), said, strict=True):
            # Half a unit of the last digit, or one where the value lies between two.
            assert change[key] == pytest.approx(value, abs=0.501 * 10**-digits), (name, key)
    [(value, digits)] = numbers(among)
    assert found["among"]["value"] == pytest.approx(value, abs=0.501 * 10**-digits)
    reader = models["one reader"]
    assert reader["low"] < 0 < reader["high"]
    if "mean of two readers" in models:
        assert models["mean of two readers"]["value"] < min(reader["value"], 0)


def test_a_mean_of_centres_that_contains_a_reader_is_refused():
    readers, _ = held_out("lidc-centres")
    with pytest.raises(AnnostatError, match="the mean of reading_1 and reading_2"):
        interchange(readers, {"mean": np.asarray(readers.values.mean(axis=1))})
    with pytest.raises(AnnostatError, match="equals reading_2"):
        interchange(readers, {"copy": readers.values[:, 1]})
