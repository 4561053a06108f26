"""One run that proves or refutes what is said of the GPU code: python -m models.gpu_check.

Each part runs in a process of its own with a limit of its own, so that one that hangs or crashes
does not take the others along; all of them together take less than eight minutes on one GPU of
2024. Results go to a JSON file as they come, and `--page` makes a page of it. `--tiny` runs every
part in seconds, on a CPU too, where it shows that the check itself works.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import torch

from annostat import AnnostatError
from annostat.errors import check_choice
from annostat.files import write_text
from models.command import pick_device, run_command, say
from models.gpu_parts import PARTS
from models.gpu_sizes import TINY, WHOLE

TIMES = ("_s", "_ms", "per_s", "per_minute", "times_plain", "times_alone", "idle_share")
PATIENCE = 4  # a CPU, which compiles slowly and which others may share, has so many times the limit
NEVER = "Never run on a GPU: what follows was seen on a CPU and says nothing about speed."


def machine_of(device: torch.device) -> dict[str, Any]:
    """Return what the figures are of."""
    on_gpu = device.type == "cuda"
    return {
        "gpu": torch.cuda.get_device_name(device) if on_gpu else None,
        "capability": list(torch.cuda.get_device_capability(device)) if on_gpu else None,
        "torch": torch.__version__,
        "cuda": torch.version.cuda if on_gpu else None,
        "cudnn": torch.backends.cudnn.version() if on_gpu else None,
        "python": platform.python_version(),
    }


def run_part(name: str, device: torch.device, *, tiny: bool) -> dict[str, Any]:
    """Run a part in this process; an error is a result."""
    start = time.perf_counter()
    found: dict[str, Any] = {"rows": []}
    try:
        found["rows"] = PARTS[name][0](TINY if tiny else WHOLE, device)
    except Exception as error:  # the other parts go on
        found["error"] = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    found["seconds"] = time.perf_counter() - start
    return found


def run_apart(name: str, device: str, *, tiny: bool) -> dict[str, Any]:
    """Run a part in a process of its own, within its limit."""
    limit = PARTS[name][1] * (1 if device.startswith("cuda") else PATIENCE)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "part.json"
        command = [sys.executable, "-m", "models.gpu_check", name, "--here", "--device", device]
        command += ["--out", str(out), *(["--tiny"] if tiny else [])]
        try:
            done = subprocess.run(command, timeout=limit, capture_output=True, text=True)
        except subprocess.TimeoutExpired:
            return {"rows": [], "error": f"did not end within {limit} s", "seconds": float(limit)}
        if not out.exists():
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            return {"rows": [], "error": f"ended with status {done.returncode}: {last[:300]}"}
        part: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))["parts"][name]
        return part


def passed(results: dict[str, Any]) -> list[str]:
    """Return what failed, as "part: row"."""
    failed = []
    for name, part in results["parts"].items():
        if "error" in part:
            failed.append(f"{name}: {part['error']}")
        failed += [f"{name}: {row['what']}" for row in part["rows"] if row.get("ok") is False]
    return failed


def page(results: dict[str, Any]) -> str:
    """Return a page in Markdown of the results."""
    machine = results["machine"]
    where = f"{machine['gpu']}, CUDA {machine['cuda']}, cuDNN {machine['cudnn']}, "
    first = f"Measured on {where}" if machine["gpu"] else f"{NEVER} ("
    lines = [f"{first}torch {machine['torch']}, Python {machine['python']}"]
    lines[0] += "." if machine["gpu"] else ")"
    size = "of tiny sizes" if results["tiny"] else "of B3 L3, batch 32, 25 frames"
    lines += ["", "# The GPU code, checked", ""]
    lines += [f"By `python -m models.gpu_check`, {size}; `ok` is what the check is about."]
    failed = passed(results)
    lines += ["", "Nothing failed." if not failed else "Failed:", *(f"- {f}" for f in failed)]
    for name, part in results["parts"].items():
        title = (PARTS[name][0].__doc__ or name).strip().splitlines()[0]
        lines += ["", f"## {name}", "", title, ""]
        if "error" in part:
            lines += [part["error"], ""]
        lines += _table(part["rows"], times=bool(machine["gpu"]))
    return "\n".join(lines).rstrip() + "\n"


def _table(rows: list[dict[str, Any]], *, times: bool) -> list[str]:
    """Return rows as a table in Markdown; what is not one number or word is left to the JSON.

    Times of tiny sizes on a CPU mean nothing, and are left out.
    """
    if not rows:
        return []
    names = list(dict.fromkeys(n for row in rows for n in row))
    names = [n for n in names if not any(isinstance(r.get(n), (dict, list)) for r in rows)]
    names = [n for n in names if times or not n.endswith(TIMES)]
    out = ["| " + " | ".join(n.replace("_", " ") for n in names) + " |"]
    out.append("|---" * len(names) + "|")
    out += ["| " + " | ".join(_cell(row.get(n)) for n in names) + " |" for row in rows]
    return out


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "**no**"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


@click.command(context_settings={"show_default": True})
@click.argument("parts", nargs=-1, metavar="[PART]...")
@click.option("--tiny", is_flag=True, help="Every part in seconds, on a CPU too.")
@click.option("--here", is_flag=True, help="In this process, without limits.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("out/gpu_check.json"))
@click.option("--page", "page_file", type=click.Path(path_type=Path), help="Also write a page.")
@click.option("--device", default="auto", help="auto, cpu, cuda or cuda:N.")
def main(
    parts: tuple[str, ...],
    tiny: bool,
    here: bool,
    out: Path,
    page_file: Path | None,
    device: str,
) -> None:
    """Check numbers, graphs, moves, speed, compilations, data feed, inference and memory."""
    for name in parts:
        check_choice("PART", name, list(PARTS))
    where = pick_device(device)
    if where.type != "cuda" and not tiny:
        raise AnnostatError("torch sees no GPU on this machine: --tiny runs the check on a CPU")
    results: dict[str, Any] = {"machine": machine_of(where), "tiny": tiny, "parts": {}}
    out.parent.mkdir(parents=True, exist_ok=True)
    for name in parts or tuple(PARTS):
        if here:
            results["parts"][name] = run_part(name, where, tiny=tiny)
        else:
            results["parts"][name] = run_apart(name, str(where), tiny=tiny)
        write_text(out, json.dumps(results, indent=2) + "\n")
        seconds = results["parts"][name].get("seconds", 0.0)
        say(f"{name}: {len(results['parts'][name]['rows'])} rows, {seconds:.1f} s")
    if page_file is not None:
        write_text(page_file, page(results))
    failed = passed(results)
    click.echo(
        f"{out}: {len(results['parts'])} parts, "
        + ("nothing failed" if not failed else f"{len(failed)} failed: {'; '.join(failed)}")
    )
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    run_command(main)
