"""Hypothesis profiles (random locally, the same examples every time in CI); the command line."""

import os
import signal
import sys

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("local", deadline=None)
settings.register_profile(
    "ci", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
os.environ.pop("COLUMNS", None)  # of the shell, or of workers: screens are as wide as they say
settings.load_profile("ci" if os.environ.get("CI") else "local")


def hear_interrupts():
    """Undo, in a child, what a shell does to a suite in the background: it ignores interrupts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def figures_are_closed():
    """Close what a test has drawn with pyplot, as a notebook would keep it open."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture
def run(capsys):
    """Run a command; return its exit status and what it printed."""
    from annostat.cli import main

    def call(*args):
        code = 0
        try:
            main([str(a) for a in args])
        except SystemExit as stop:
            code = stop.code or 0
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call
