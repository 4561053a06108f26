"""One command of annostat, run by itself in a folder that is removed when it ends."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from annostat.errors import AnnostatError

SECONDS = 1800  # a report of many models and items takes minutes
PAGE = ("-o", "page.html")
PICTURE = ("--plot", "picture.svg")
ERROR = "annostat: error: "


def run(
    command: str,
    args: Sequence[str],
    *,
    table: tuple[str, bytes] | None = None,
    writes: tuple[str, str] | None = None,
) -> tuple[str, str]:
    """Run a command; return what it printed, and the text that it wrote ("" without).

    Parameters
    ----------
    command : str
    args : sequence of str
        Without the table and the output.
    table : tuple of str and bytes, optional
        Name and contents of the table.
    writes : tuple of str, optional
        Option and name of the file that the command writes.

    Raises
    ------
    AnnostatError
        In the words of the command, or if it takes longer than half an hour.
    """
    with tempfile.TemporaryDirectory(prefix="annostat-app-") as folder:
        files = []
        if table is not None:
            (Path(folder) / table[0]).write_bytes(table[1])
            files = [table[0]]
        line = [sys.executable, "-m", "annostat", command, *files, *args]
        if writes is not None:
            line += writes
        environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}
        # A folder of the user's must not stand before the library on the path of the child.
        environment["PYTHONSAFEPATH"] = "1"
        try:
            done = subprocess.run(
                line,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise AnnostatError(
                f"{command} took more than {SECONDS // 60} minutes: use the command line"
            ) from None
        if done.returncode:
            told = [s for s in done.stderr.splitlines() if s.startswith(ERROR)]
            raise AnnostatError(
                told[-1].removeprefix(ERROR) if told else f"{command} ended without an answer"
            )
        made = ""
        if writes is not None:
            made = (Path(folder) / writes[1]).read_text(encoding="utf-8")
        return done.stdout, made
