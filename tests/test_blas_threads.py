"""No answer starts threads of BLAS, which wait busily for up to 50 ms after each product."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

WORK = """
import os, time
import numpy as np
from annostat import Rounds, score_models
from annostat.ceilings import bounds
from annostat.concentration import concentration
from annostat.interchange import interchange

def others():
    own = os.getpid()
    tasks = [t for t in os.listdir("/proc/self/task") if int(t) != own]
    read = [open(f"/proc/self/task/{t}/schedstat").read() for t in tasks]
    return len(tasks), sum(int(text.split()[0]) for text in read)

g = np.random.default_rng(1)
def answers(n):
    truth = g.normal(55, 10, n)
    z = truth[:, None] + g.normal(0, 4, (n, 3))
    three = Rounds.from_array(z, cluster=np.arange(n) // 3)
    bounds(Rounds.from_array(z[:, :2]), n_resamples=200)
    bounds(three, n_resamples=200)
    score_models(three, {"m": truth}, kind="values", n_resamples=200)
    interchange(three, {"m": truth})
    concentration(z[:, 0] - truth, n_resamples=200)

time.sleep(0.3)
threads, before = others()
for n in (100, 1000, 20_000):
    answers(n)
time.sleep(0.3)
print(threads, (others()[1] - before) / 1e9)
np.ones((400, 400)) @ np.ones((400, 400))
time.sleep(0.3)
print(threads, (others()[1] - before) / 1e9)
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads Linux's times of threads")
def test_no_answer_starts_threads_of_blas():
    found = subprocess.run(
        [sys.executable, "-c", WORK],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    ours, plain = (line.split() for line in found.stdout.splitlines())
    if int(ours[0]) == 0 or float(plain[1]) == 0:
        pytest.skip("this BLAS has no threads")
    assert float(ours[1]) < 0.002 and float(plain[1]) > 0.01
