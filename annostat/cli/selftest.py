"""`annostat selftest`: whether this installation gives the numbers that are known."""

from __future__ import annotations

import sys
from typing import Any

import click

from annostat.cli.command import Command
from annostat.cli.common import add, json_option, publish, screen_options


def selftest_options(command: Any) -> Any:
    """Add the options of the command."""
    return add(
        command,
        click.option("--quick", is_flag=True, help="Without the simulated studies."),
        click.option("--report", "report_file", metavar="FILE.html", help="Write a page."),
        json_option,
    )


@click.command("selftest", cls=Command)
@screen_options
@selftest_options
def selftest(**options: Any) -> None:
    """Compare this installation with certified and published numbers.

    NIST's certified values with the digits reached, published tables, and how often intervals hold
    the truth in simulated studies. The exit status is 1 if a number is wrong.
    """
    from annostat.selftest import selftest as run

    result = run(n_sets=0 if options["quick"] else 200)
    if options["report_file"]:
        from annostat.report import write_report

        command = "annostat selftest --report FILE.html"
        write_report(
            options["report_file"], [result], title="Self-test of annostat", command=command
        )
    publish({"": result}, options, by=None)
    if not result.ok:
        sys.exit(1)
