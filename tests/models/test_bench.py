"""The benchmark runs, counts, and claims nothing about a GPU that is not there."""

import json

import pytest
import torch

from models.bench import NO_GPU, main
from models.config import load_config
from models.measure import count_flops, least_bytes, make_step, random_batch

SET = ["data.size=16", "train.batch=2", "train.window=3", "student.filters=2", "train.threads=1"]


def test_benchmark_on_a_cpu(tmp_path, capsys):
    command = [
        "--preset",
        "phantom-tiny",
        "--device",
        "cpu",
        "--repeats",
        "1",
        "--json",
        str(tmp_path / "b.json"),
    ]
    for text in SET:
        command += ["--set", text]
    with pytest.raises(SystemExit) as end:
        main(command)
    assert end.value.code == 0
    out = capsys.readouterr().out
    assert out.endswith(NO_GPU + "\n") and "plain" in out and "hoisted" in out
    rows = json.loads((tmp_path / "b.json").read_text())["rows"]
    assert [r["engine"] for r in rows] == ["plain", "hoisted"]
    assert all(r["operations"] > 100 and r["clips_per_s"] > 0 for r in rows)


def test_operations_are_counted_by_hand():
    """One block, one layer: a convolution of the gates each step, and one of the head."""
    config = load_config(preset="phantom-tiny", settings=[*SET, "student.blocks=1"])
    cpu = torch.device("cpu")
    step, batch = make_step(config, "plain", cpu), random_batch(config, cpu)
    frames = 2 * 3 * 16 * 16
    gates, head = 2 * frames * 9 * (1 + 2) * 8, 2 * frames * 2
    # Forward, by weights, by inputs; at the first step neither frames nor state need a gradient.
    assert count_flops(step.net, batch) == 3 * (gates + head) - gates // 3
    assert least_bytes(step.net, batch[0].shape) == 3 * frames * 2 * (16 + 8 + 12)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_graph_equals_eager():
    config = load_config(preset="phantom-tiny", settings=SET)
    losses = []
    for engine in ("hoisted", "graph"):
        gpu = torch.device("cuda")
        step, batch = make_step(config, engine, gpu), random_batch(config, gpu)
        losses.append([float(step(*batch)) for _ in range(6)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)
