"""Flat is what is shown to be flat."""

import numpy as np
import pytest
from scipy import stats

from annostat import AnnostatError
from models.settling import settle, settling_section


def curves(rng, n=60, *, slow=0.05, spread=0.02):
    """Errors that fall as 0.4·2^−t towards 0.1, and by `slow` over frames 3 to 8."""
    t = np.arange(40)
    mean = 0.1 + 0.4 * 0.5**t + slow * np.clip((9 - t) / 6, 0, 1)
    return mean + rng.normal(0, 0.05, (n, 1)) + rng.normal(0, spread, (n, 40))


def test_against_two_one_sided_tests():
    table = curves(np.random.default_rng(0))
    found = settle(list(table))
    flat = table[:, 15:30].mean(axis=1)
    shown = []
    for t in range(15):
        gap = table[:, t] - flat
        low = stats.ttest_1samp(gap, -0.01, alternative="greater").pvalue
        high = stats.ttest_1samp(gap, 0.01, alternative="less").pvalue
        shown.append(max(low, high) < 0.05)
    wanted = next(k for k in range(15) if all(shown[k:]))
    assert found.frame == wanted and 6 <= wanted <= 10
    assert found.n_clips == 60 and "from frame" in found.words()
    assert settling_section(found, None).lines


def test_too_few_clips_show_nothing():
    table = curves(np.random.default_rng(1), 4, spread=0.1)
    assert settle(list(table)).frame is None
    with pytest.raises(AnnostatError, match="two clips of more than 15 frames"):
        settle([np.zeros(10)] * 5)
    assert settle([np.zeros(40)] * 5).frame == 0


def test_frames_that_differ_by_more_than_the_margin_are_rarely_called_flat():
    """At the margin itself each test errs in 5% of the cases."""
    rng, wrong = np.random.default_rng(2), 0
    for _ in range(400):
        table = rng.normal(0.1, 0.02, (20, 30))
        table[:, 14] += 0.01
        wrong += settle(list(table)).frame in range(15)
    assert wrong <= stats.binom.ppf(0.999, 400, 0.05)
