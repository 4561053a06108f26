"""Shares at the command line: 5% is understood wherever one is asked, and errors say the cure."""

import json
from pathlib import Path

import click
import pytest

from annostat.cli import COMMANDS, cli, main
from annostat.cli.shares import INSIDE, MARGIN, NUMBER_OR_SHARE, PERCENTAGE, SHARE

DATA = Path(__file__).parent.parent / "docs" / "data"
SHARES = {"level", "top", "power", "learned", "abandonment_rate", "agreement", "f1", "prevalence"}


def test_percentages_are_shares():
    assert [SHARE.convert(t, None, None) for t in ("5%", "5 %", "0.05", ".05", 0.05)] == [0.05] * 5
    assert SHARE.convert("100%", None, None) == 1 and NUMBER_OR_SHARE.convert("7", None, None) == 7
    assert NUMBER_OR_SHARE.convert("93%", None, None) == 0.93
    assert PERCENTAGE.convert("5%", None, None) == PERCENTAGE.convert("5", None, None) == 5
    assert MARGIN.convert("0.2", None, None) == 0.2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("95", "'95' is not between 0 and 1 (0% and 100%): write 95%"),
        ("95,5%", "'95,5%' is no share: write 95.5%"),
        ("0,95", "'0,95' is no share: write 0.95"),
        ("many", "'many' is no share, such as 5% or 0.05"),
        ("5%%", "'5%%' is no share, such as 5% or 0.05"),
        ("%", "'%' is no share, such as 5% or 0.05"),
        ("-1", "'-1' is not between 0 and 1 (0% and 100%)"),
        ("nan", "'nan' is not between 0 and 1 (0% and 100%)"),
        ("1e308", "'1e308' is not between 0 and 1 (0% and 100%)"),
    ],
)
def test_what_is_no_share_is_refused_with_the_cure(text, said):
    with pytest.raises(click.BadParameter) as error:
        SHARE.convert(text, None, None)
    assert error.value.message == said


@pytest.mark.parametrize("text", ["0", "0%", "1", "100%"])
def test_levels_lie_inside(text):
    with pytest.raises(click.BadParameter, match="is not between 0 and 1"):
        INSIDE.convert(text, None, None)


def test_every_share_of_every_command_takes_a_percentage():
    found = set()
    for name in COMMANDS:
        for option in cli.get_command(None, name).params:
            if option.name in SHARES:
                found.add(option.name)
                assert option.type in (SHARE, INSIDE), (name, option.name)
    assert found == SHARES


def test_percentages_at_the_command_line(capsys, tmp_path):
    table = [str(DATA / "ef.csv"), "--rounds", "first", "second", "--json", "-"]
    main(["bounds", *table, "--level", "90%"])
    first = capsys.readouterr().out
    main(["bounds", *table, "--level", "0.9"])
    assert capsys.readouterr().out == first
    assert json.loads(first)["rmse_floor"]["level"] == 0.9
    for args, said in (
        (["bounds", *table, "--level", "95"], "annostat: error: Invalid value for '--level': '95'"),
        (
            ["interchange", *table, "--model", "small", "--margin", "5%"],
            "a share, 0.05, or a part of what two readers differ by, --margin-percent 5",
        ),
    ):
        with pytest.raises(SystemExit) as stop:
            main(args)
        err = capsys.readouterr().err
        assert stop.value.code == 2 and said in err and len(err.splitlines()) == 1
