"""The check of the GPU code runs, says what fails, and claims nothing without a GPU."""

import json

import pytest
import torch
import torch._dynamo

from models import gpu_check
from models.gpu_check import NEVER, main, page, passed
from models.gpu_parts import PARTS
from models.network import gates


@pytest.fixture
def eager(monkeypatch):
    """Dynamo without a compiler behind it: every part in seconds."""
    torch._dynamo.reset()
    monkeypatch.setattr(gates, "BACKEND", "eager")
    yield
    torch._dynamo.reset()
    gates.compiled.cache_clear()


def run(*arguments):
    with pytest.raises(SystemExit) as end:
        main([str(a) for a in arguments])
    return end.value.code


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("gpu")


@pytest.mark.parametrize("part", PARTS)
def test_every_part_on_a_cpu(part, eager, folder):
    out = folder / f"{part}.json"
    assert run(part, "--tiny", "--here", "--device", "cpu", "--out", out) == 0
    found = json.loads(out.read_text())
    rows = found["parts"][part]["rows"]
    assert rows and found["machine"]["gpu"] is None and passed(found) == []
    text = page(found)
    assert text.startswith("Never run on a GPU") and NEVER in text.splitlines()[0]
    assert all(row["what"] in text for row in rows)


def test_a_part_that_fails_is_told_and_the_others_go_on(monkeypatch, tmp_path, capsys):
    def broken(size, device):
        raise RuntimeError("no kernel image is available")

    def wrong(size, device):
        return [{"what": "values", "ok": False, "off": 0.5}]

    parts = {"a": (broken, 9), "b": (wrong, 9), "c": (lambda size, device: [], 9)}
    monkeypatch.setattr(gpu_check, "PARTS", parts)
    out, written = tmp_path / "g.json", tmp_path / "gpu.md"
    options = ("--tiny", "--here", "--device", "cpu", "--out", out, "--page", written)
    assert run(*options) == 1
    assert list(json.loads(out.read_text())["parts"]) == ["a", "b", "c"]
    assert "2 failed: a: RuntimeError: no kernel image is available; b: values" in (
        capsys.readouterr().out
    )
    assert "| values | **no** | 0.5 |" in written.read_text()


def test_a_part_that_hangs_is_ended(monkeypatch, tmp_path):
    monkeypatch.setattr(gpu_check, "PARTS", {"exact": (PARTS["exact"][0], 0.1)})
    out = tmp_path / "g.json"
    assert run("--tiny", "--device", "cpu", "--out", out) == 1
    assert json.loads(out.read_text())["parts"]["exact"]["error"] == "did not end within 0.4 s"


def test_limits_add_up_to_less_than_eight_minutes():
    assert sum(limit for _, limit in PARTS.values()) <= 480


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so(tmp_path):
    with pytest.raises(gpu_check.AnnostatError, match="--tiny runs the check on a CPU"):
        main(["--out", str(tmp_path / "g.json")], standalone_mode=False)
    with pytest.raises(gpu_check.AnnostatError, match="did you mean 'exact'"):
        main(["exakt", "--tiny"], standalone_mode=False)
