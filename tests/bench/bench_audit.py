"""The audit of 1,000 small clips beside decoding them; see docs/benchmarks.md."""

import numpy as np
import pytest
from scipy import ndimage

from annostat.datasets import audit_folder, iter_frames
from tests.folders import write_clip

CLIPS, FRAMES, SIZE = 1000, 40, 112


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder of clips that are all different: a beating field under speckle."""
    path = tmp_path_factory.mktemp("clips")
    rng = np.random.default_rng(0)
    speckle = ndimage.gaussian_filter(rng.normal(size=(FRAMES, SIZE, SIZE)), (0, 1, 1))
    speckle = (60 * speckle).astype(np.float32)
    beat = np.sin(np.arange(FRAMES, dtype=np.float32) / 5)[:, None, None]
    for i in range(CLIPS):
        field, motion = (np.kron(rng.random((14, 14)), np.ones((8, 8))) for _ in range(2))
        frames = 60 + 80 * field.astype(np.float32) + 15 * beat * motion.astype(np.float32)
        write_clip(path / f"c{i:04d}.avi", np.clip(frames + speckle, 0, 255).astype(np.uint8))
    return path


@pytest.mark.benchmark(group="audit of 1,000 clips of 40 × 112 × 112, one process")
def bench_audit(benchmark, folder, tmp_path):
    journals = iter(tmp_path / f"{k}.jsonl" for k in range(9))
    benchmark.pedantic(
        lambda: audit_folder(folder, journal=next(journals)), rounds=3, warmup_rounds=1
    )


@pytest.mark.benchmark(group="audit of 1,000 clips of 40 × 112 × 112, one process")
def bench_decoding_alone(benchmark, folder):
    def decode():
        for path in sorted(folder.iterdir()):
            for _ in iter_frames(path):
                pass

    benchmark.pedantic(decode, rounds=3)
