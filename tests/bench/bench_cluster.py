"""What a Dask cluster costs, beside the same work in one process: CPU, bytes, peak memory.

python -m tests.bench.bench_cluster --clips 60 --rows 400_000
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage

from annostat import bounds, fit_noise, read_rounds, score_models
from annostat.datasets.mask_files import read_masks_and_models
from annostat.labels import packed_masks
from annostat.truth import compare_masks

FRAMES, SIDE, RATERS = 10, 256, ("anna", "ben", "cleo")


def write_masks(folder: Path, clips: int) -> None:
    """Write folders of three raters and a model: discs whose outlines waver."""
    g = np.random.default_rng(0)
    y, x = np.indices((SIDE, SIDE)) - SIDE / 2
    for name in (*RATERS, "net"):
        (folder / name).mkdir(parents=True)
    for c in range(clips):
        radius = g.uniform(25, 45)
        for name in (*RATERS, "net"):
            wave = ndimage.gaussian_filter(g.normal(size=(FRAMES, SIDE, SIDE)), (0, 8, 8))
            masks = np.hypot(y, x) + 60 * wave < radius
            np.savez_compressed(folder / name / f"clip{c:05d}.npz", masks)


def write_rows(folder: Path, rows: int, parts: int = 20) -> None:
    """Write a folder of Parquet files with two readings, a model and a patient."""
    folder.mkdir()
    g = np.random.default_rng(0)
    for i, n in enumerate(np.diff(np.linspace(0, rows, parts + 1).astype(int))):
        truth = g.uniform(20, 80, n)
        first, second = np.rint(truth + g.laplace(0, 2, (2, n)))
        frame = pd.DataFrame({"first": first, "second": second, "net": truth})
        frame["clip"] = [f"clip{i:02d}-{k}" for k in range(n)]
        frame["patient"] = i * rows + np.arange(n) // 3
        for k in range(12):  # what is not asked for
            frame[f"other_{k}"] = g.normal(size=n)
        frame.to_parquet(folder / f"part-{i:03d}.parquet", index=False)


def masks(folder: Path, n_jobs: int, items: str = "frames") -> int:
    """Compare the masks; return how many items they are."""
    rounds, models = read_masks_and_models(
        [folder / name for name in RATERS], {"net": folder / "net"}, n_jobs=n_jobs, items=items
    )
    compare_masks(rounds, models=models, n_jobs=n_jobs)
    return rounds.n_items


def volumes(folder: Path, n_jobs: int) -> int:
    """Compare the clips as volumes, as many slices as frames."""
    return masks(folder, n_jobs, "volumes")


def picks(folder: Path, _: int) -> int:
    """Fit the noise of whole numbers, from counts."""
    rounds = read_rounds(folder, item="clip", rounds=["first", "second"], collapse=True)
    fit_noise(rounds, "laplace", ci="none")
    return rounds.n_items


def values(folder: Path, _: int) -> int:
    """Return bounds and the score of a model, from the columns that matter."""
    columns = {"item": "clip", "rounds": ["first", "second"], "cluster": "patient"}
    rounds = read_rounds(folder, models=["net"], **columns)
    labels = rounds.without_models()
    bounds(labels)
    score_models(labels, {"net": rounds.values[:, rounds.names.index("net")]})
    return rounds.n_items


def count_traffic() -> None:
    """Count from now on what this process sends and receives over TCP, in bytes."""
    from distributed.comm import tcp

    tcp.traffic = np.zeros(2)
    write, read = tcp.TCP.write, tcp.read_bytes_rw

    async def counted_write(self, *args, **kwargs):
        sent = await write(self, *args, **kwargs)
        tcp.traffic[0] += sent
        return sent

    async def counted_read(stream, n):
        tcp.traffic[1] += n
        return await read(stream, n)

    tcp.TCP.write, tcp.read_bytes_rw = counted_write, counted_read


def of_worker() -> np.ndarray:
    """Return CPU seconds, bytes sent, bytes received and peak memory (MB) of this process."""
    from distributed.comm import tcp

    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    return np.array([time.process_time(), *tcp.traffic, peak])


def main():
    """Write the data, do each job in one process and on two workers, print what it took."""
    import distributed
    import joblib

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--rows", type=int, default=400_000)
    options = parser.parse_args()
    packed_masks.MAX_PIXELS = 1 << 22  # as if there were more of them
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        write_masks(root / "masks", options.clips)
        write_masks(root / "few masks", 4)
        write_rows(root / "rows", options.rows)
        write_rows(root / "few rows", 2000)
        jobs = [("masks", masks, "masks"), ("masks, volumes", volumes, "masks")]
        jobs.append(("fit-afd", picks, "rows"))
        jobs.append(("bounds, score", values, "rows"))
        print("job                items  CPU s: serial  here  workers", end="")
        print("  bytes an item: sent  received  MB of a worker: idle  peak")
        for name, job, kind in jobs:
            folder, few = root / kind, root / f"few {kind}"
            job(few, 1)  # compiled and in the cache
            start = time.process_time()
            n = job(folder, 1)
            serial = time.process_time() - start
            with (
                distributed.LocalCluster(
                    n_workers=2, threads_per_worker=1, dashboard_address=":0", processes=True
                ) as cluster,
                distributed.Client(cluster) as client,
                joblib.parallel_config(backend="dask", n_jobs=2),
            ):
                client.run(count_traffic)
                job(few, 2)  # what is imported is no cost of these items
                before = np.array(list(client.run(of_worker).values()))
                start = time.process_time()
                job(folder, 2)
                here = time.process_time() - start
                after = np.array(list(client.run(of_worker).values()))
            cpu, sent, received, _ = (after - before).sum(axis=0)
            print(f"{name:14s} {n:9,}  {serial:13.2f} {here:5.2f} {cpu:8.2f}", end="")
            print(f"  {sent / n:19.1f}  {received / n:8.1f}", end="")
            print(f"  {before[:, 3].max():20.0f}  {after[:, 3].max():4.0f}")


if __name__ == "__main__":
    main()
