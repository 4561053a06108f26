"""STAPLE, Dice and Hausdorff distances beside SimpleITK, NumPy and scikit-image."""

import numpy as np
import pytest
from scipy import ndimage

from annostat.consensus import staple
from annostat.masks import dice, surface_distances


def readers(n, shape, seed=0):
    """A ball, and n readers with wavy outlines and stray pixels."""
    rng = np.random.default_rng(seed)
    z = np.indices(shape, dtype=np.float32)
    r = np.sqrt(sum((z[i] - shape[i] / 2) ** 2 for i in range(len(shape))))
    size = 0.3 * min(shape)
    return [
        (
            (r < size * (1 + 0.05 * rng.standard_normal()) + 3 * np.sin(0.2 * z[0] + k))
            ^ (rng.random(shape) < 0.002 * (k + 1))
        ).astype(np.uint8)
        for k in range(n)
    ]


SIZES = [(5, (100, 112, 112)), (3, (256, 256, 256))]


@pytest.fixture(scope="module", params=SIZES, ids=["5 × 100 × 112 × 112", "3 × 256³"])
def masks(request):
    return readers(*request.param)


@pytest.mark.benchmark(group="STAPLE to its probability image")
def bench_staple(benchmark, masks):
    benchmark(lambda: staple(masks).probability())


@pytest.mark.benchmark(group="STAPLE to its probability image")
def bench_simpleitk(benchmark, masks):
    sitk = pytest.importorskip("SimpleITK")
    images = [sitk.GetImageFromArray(m) for m in masks]
    benchmark.pedantic(lambda: sitk.STAPLE(images, 1.0, 1), rounds=2, iterations=1)


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(0)
    return rng.random((2, 1000, 112, 112)) < 0.3


@pytest.mark.benchmark(group="Dice of 1,000 × 112 × 112")
def bench_dice(benchmark, pair):
    benchmark(dice, *pair)


@pytest.mark.benchmark(group="Dice of 1,000 × 112 × 112")
def bench_plain_dice(benchmark, pair):
    a, b = pair
    benchmark(lambda: 2 * (a & b).sum((1, 2)) / (a.sum((1, 2)) + b.sum((1, 2))))


@pytest.mark.benchmark(group="Hausdorff of 100 × 112 × 112 pairs")
def bench_surface_distances(benchmark, outlined):
    """The Hausdorff distance with the mean and the 95th percentile."""
    benchmark(lambda: [surface_distances(a, b)[1] for a, b in zip(*outlined, strict=True)])


@pytest.mark.benchmark(group="Hausdorff of 100 × 112 × 112 pairs")
def bench_skimage_hausdorff(benchmark, outlined):
    """The Hausdorff distance alone, of the same outlines."""
    metrics = pytest.importorskip("skimage.metrics")
    found = [metrics.hausdorff_distance(a, b) for a, b in edges(outlined)]
    assert found == pytest.approx(
        [surface_distances(a, b)[1] for a, b in zip(*outlined, strict=True)]
    )
    benchmark(lambda: [metrics.hausdorff_distance(a, b) for a, b in edges(outlined)])


@pytest.fixture(scope="module")
def outlined():
    """Two readers of 100 discs."""
    return [np.stack([readers(2, (112, 112), seed=i)[j] > 0 for i in range(100)]) for j in (0, 1)]


def edges(pairs):
    """Return the outlines of pairs of masks, as both programs take them."""
    for both in zip(*pairs, strict=True):
        yield [mask & ~ndimage.binary_erosion(mask) for mask in both]
