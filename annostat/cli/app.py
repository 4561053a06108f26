"""`annostat app`: the report and the reviewer's calculator in a browser, on this computer only."""

from __future__ import annotations

import click


@click.command("app")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0 takes a free one.")
@click.option(
    "--limit",
    type=click.FloatRange(min=0, min_open=True, max=2000),
    default=200,
    show_default=True,
    metavar="MB",
    help="Largest table.",
)
@click.option("--no-browser", is_flag=True, help="Print the address only.")
def app(port: int, limit: float, no_browser: bool) -> None:
    """Serve pages on this computer: drop a table, correct what was read, read the report.

    The address holds a token, without which nothing is answered. Tables stay in memory until the
    app ends; nothing is sent anywhere. Needs the extra annostat[app].
    """
    from annostat.app import serve

    serve(port=port, limit_mb=limit, browser=not no_browser)
