"""A student has settled when that is shown."""

import numpy as np
import pytest
import torch
from scipy import stats

from annostat import AnnostatError
from models.data.clips import open_store
from models.data.settings import Data
from models.network.settings import Net
from models.network.weights import make_student
from models.predictions import predictions
from models.settling import cold_starts, settle, settling_section


def errors(rng, n=60, *, spread=0.02):
    """Errors after a start, which fall towards those of a run that saw all before."""
    t = np.arange(15)
    phase = 0.05 * np.sin(t)  # of the heart, the same in both
    warm = 0.1 + phase + rng.normal(0, 0.05, (n, 1)) + rng.normal(0, spread, (n, 15))
    return warm + 0.4 * 0.6**t + rng.normal(0, spread, (n, 15)), warm


def test_against_two_one_sided_tests():
    cold, warm = errors(np.random.default_rng(0))
    found = settle(list(cold), list(warm))
    shown = []
    for gap in (cold - warm).T:
        low = stats.ttest_1samp(gap, -0.01, alternative="greater").pvalue
        high = stats.ttest_1samp(gap, 0.01, alternative="less").pvalue
        shown.append(max(low, high) < 0.05)
    wanted = next(k for k in range(15) if all(shown[k:]))
    assert found.frame == wanted and 7 <= wanted <= 11  # 0.4 * 0.6^t falls below 0.01 at 7.2
    assert found.n_clips == 60 and f"from frame {wanted} on" in found.words()
    lines = settling_section(found, found).lines
    assert lines[0].startswith("without padding") and lines[1].startswith("with padding")


def test_few_clips_show_nothing():
    cold, warm = errors(np.random.default_rng(1), 4, spread=0.1)
    found = settle(list(cold), list(warm))
    assert found.frame is None and "not shown" in found.words()
    assert settle(list(warm), list(warm)).frame == 0
    with pytest.raises(AnnostatError, match="same frames of the same clips"):
        settle([np.zeros(3)], [np.zeros(3)])


def test_frames_that_differ_by_the_margin_are_rarely_called_settled():
    """At the margin itself each test errs in 5% of the cases."""
    rng, wrong = np.random.default_rng(2), 0
    for _ in range(400):
        warm = rng.normal(0.1, 0.02, (20, 5))
        cold = warm + rng.normal(0, 0.01, (20, 5))
        cold[:, 4] += 0.01
        wrong += settle(list(cold), list(warm)).frame is not None
    assert wrong <= stats.binom.ppf(0.999, 400, 0.05)


def test_starts_in_the_midst_of_clips(tmp_path):
    """Both errors are of the same frames; a network without memory needs no time to settle."""
    torch.manual_seed(0)
    student = make_student(Net(blocks=1, layers=1, filters=2), 1).eval()
    store = open_store(Data(size=16, frames=12, n_test=3), "test", tmp_path)
    bare = predictions(student, store)
    cold, warm = cold_starts(student, store, bare, n_frames=6)
    assert len(cold) == 3 and all(len(e) == 6 for e in (*cold, *warm))
    assert np.array_equal(warm[1], bare.frame_errors()[1][6:])
    assert cold_starts(student, store, bare, n_frames=7) == ([], [])
    with torch.no_grad():  # forget gate shut, input gate open: each frame by itself
        gates = student.cells[0][0].gates
        gates.weight[:, 1:] = 0
        gates.bias[2:4] = -50.0
    bare = predictions(student, store)
    cold, warm = cold_starts(student, store, bare, n_frames=6)
    assert all(np.array_equal(a, b) for a, b in zip(cold, warm, strict=True))
