"""Streaming at scale: python -m tests.bench.bench_stream --rows 100_000_000."""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

TAIL = """
import resource
print(time.perf_counter()-t, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/2**20)
"""
READ = """
import time,sys
import pyarrow.parquet as pq
t=time.perf_counter()
source=pq.ParquetFile(sys.argv[1], memory_map=True)
for batch in source.iter_batches(batch_size=1<<20, columns=["a","b"]):
    batch.column(0).to_numpy(); batch.column(1).to_numpy()
"""
OURS = """
import time,sys
from annostat.tables import read_rounds
import pandas, pyarrow.parquet
t=time.perf_counter()
rounds=read_rounds(sys.argv[1], rounds=["a","b"], collapse=True)
assert rounds.n_items == int(sys.argv[2])
"""


def main():
    """Write a file, read it both ways in processes of their own, print seconds and gigabytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--dtype", choices=["int16", "int32", "float64"], default="int16")
    options = parser.parse_args()
    rows, kind = options.rows, options.dtype
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rounds.parquet"
        schema = pa.schema([("a", kind), ("b", kind)])
        with pq.ParquetWriter(path, schema) as writer:
            for start in range(0, rows, 1 << 20):
                n = min(1 << 20, rows - start)
                a = rng.integers(0, 200, n).astype(kind)
                b = (a + np.rint(rng.laplace(scale=2, size=n))).astype(kind)
                writer.write_table(pa.table({"a": a, "b": b}, schema=schema))
        figures = {}
        for name, code in (("reading only", READ), ("read_rounds", OURS)):
            out = subprocess.run(
                [sys.executable, "-c", code + TAIL, str(path), str(rows)],
                check=True,
                capture_output=True,
                text=True,
            ).stdout.split()
            figures[name] = float(out[0])
            print(f"{name:14s}{float(out[0]):8.2f} s  peak {float(out[1]):.2f} GiB")
        print(f"ratio {figures['read_rounds'] / figures['reading only']:.2f}")


if __name__ == "__main__":
    main()
