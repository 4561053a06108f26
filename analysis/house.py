"""The house as its imports draw it: which room imports how much from which other one.

Rooms stand in the order of the contract that `.importlinter` holds them to, the ground floor at
the bottom; nothing of it may lie above the diagonal.
"""

from __future__ import annotations

import ast
import configparser
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from analysis.common import COLOURS, new_figure, save

ROOT = Path(__file__).parent.parent
TREES = ("annostat", "models", "analysis")


def rooms() -> list[str]:
    """Return the rooms from the ground floor up."""
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter", encoding="utf-8")
    layers = contracts["importlinter:contract:rooms"]["layers"].split("\n")
    return [name.strip() for layer in layers[::-1] for name in layer.split("|") if name.strip()]


def room_of(module: str, known: list[str]) -> str | None:
    """Return the room that a module stands in."""
    return next((room for room in known if f"{module}.".startswith(f"{room}.")), None)


def imports(known: list[str]) -> tuple[Counter[tuple[str, str]], Counter[str]]:
    """Return how often each room imports from each other one, and the lines of each."""
    found: Counter[tuple[str, str]] = Counter()
    lines: Counter[str] = Counter()
    for path in (p for tree in TREES for p in sorted((ROOT / tree).rglob("*.py"))):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        here = room_of(module, known)
        if here is None:
            continue
        text = path.read_text(encoding="utf-8")
        lines[here] += len(text.splitlines())
        for node in ast.walk(ast.parse(text)):
            names = []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            for there in (room_of(name, known) for name in names):
                if there is not None and there != here:
                    found[here, there] += 1
    return found, lines


def main(out: Path, *, seed: int = 0, quick: bool = False) -> None:
    """Draw the matrix of imports, and write it down."""
    known = rooms()
    found, lines = imports(known)
    place = {room: i for i, room in enumerate(known)}
    figure, ax = new_figure(9.5, 8.5)
    last = len(known) - 0.5
    ax.fill_between([-0.5, last], [-0.5, last], -0.5, color="0.95", lw=0)
    for (here, there), count in found.items():
        size, at = 18 + 9 * count, (place[there], place[here])
        ax.scatter(*at, s=size, color=COLOURS[0 if at[0] < at[1] else 1], zorder=3)
        ax.annotate(str(count), at, ha="center", va="center", fontsize=6, color="white", zorder=4)
    names = [room.removeprefix("annostat.") for room in known]
    words = [f"{n}  {lines[r]:,}" for n, r in zip(names, known, strict=True)]
    ax.set_yticks(range(len(known)), words, fontsize=8)
    ax.set_xticks(range(len(known)), names, rotation=60, ha="right", fontsize=8)
    ax.set_ylabel("imports (lines of code)")
    ax.set_xlabel("from")
    ax.grid(color="0.92", lw=0.6)
    ax.set_axisbelow(True)
    ax.set_xlim(-0.7, len(known) - 0.3)
    ax.set_ylim(-0.7, len(known) - 0.3)
    ax.set_title("Imports of each room from those below it; the grey half must stay empty")
    wrong = sorted(f"{a} from {b}" for a, b in found if place[a] < place[b])
    numbers: dict[str, Any] = {
        "kind": "code",
        "rooms": {room: lines[room] for room in known},
        "imports": {f"{a} from {b}": n for (a, b), n in sorted(found.items())},
        "upwards": wrong,
        "share_of_pairs": float(np.mean([(a, b) in found for a in known for b in known])),
    }
    save(out, "house", numbers, figure)
