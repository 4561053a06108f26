"""Plain twins of the kernels: short, slow and independent of the library's code."""

import numpy as np


def laplace_uniform(scale, rate, window, reach=400):
    """Discrete Laplace plus uniform on -reach..reach, from their definitions."""
    x = np.arange(-reach, reach + 1)
    p = np.exp(-1.0 / scale)
    core = (1 - p) / (1 + p) * p ** np.abs(x)
    wide = np.where(np.abs(x) <= window, 1.0 / (2 * window + 1), 0.0)
    return x, (1 - rate) * core + rate * wide


def difference(f):
    """Law of the difference of two independent draws from f on -M..M."""
    return np.convolve(f, f[::-1])


def difference_with_truth(core, rate, length, shared, widest):
    """Law of |d| = 0..widest of two picks of a clip, by loops over its truth and both picks.

    Who gives up picks any frame of the clip; `core` is a dictionary from errors to probabilities.
    """
    found = np.zeros(widest + 1)
    for y in range(length):
        noisy = {y + x: p for x, p in core.items()}
        wild = dict.fromkeys(range(length), 1 / length)
        ways = (
            [((1 - rate), noisy, noisy), (rate, wild, wild)]
            if shared
            else [
                ((1 - rate) ** 2, noisy, noisy),
                ((1 - rate) * rate, noisy, wild),
                (rate * (1 - rate), wild, noisy),
                (rate**2, wild, wild),
            ]
        )
        for chance, first, second in ways:
            for a, p in first.items():
                for b, q in second.items():
                    if abs(a - b) <= widest:
                        found[abs(a - b)] += chance * p * q / length
    return found


def log_likelihood(d, f):
    """Sum of log q(d) over signed differences."""
    q = difference(f)
    return float(np.log(q[np.asarray(d, int) + (q.size - 1) // 2]).sum())


def flat_prior(z, law, reach):
    """Sum over y of prod_j f(z_j - y), by loops; `law` maps an error to its probability, which is
    zero beyond `reach`."""
    seen = [int(v) for v in z if np.isfinite(v)]
    total = 0.0
    for y in range(min(seen) - reach, max(seen) + reach + 1):
        product = 1.0
        for v in seen:
            product *= law(v - y)
        total += product
    return total


def dictionary_law(half):
    """Return x -> probability for a symmetric law given on 0..S."""
    return lambda x: half[abs(x)] if abs(x) < len(half) else 0.0


def losses(errors, loss):
    """Squared or absolute errors."""
    return errors**2 if loss == "squared" else np.abs(errors)


def concentration(losses, parts):
    """Return the share of the worst part, items split where it ends, for each part; the Gini."""
    worst = np.sort(losses)[::-1]
    n, found = worst.size, []
    for p in parts:
        whole = int(p * n)
        rest = (p * n - whole) * worst[whole] if whole < n else 0.0
        found.append((worst[:whole].sum() + rest) / worst.sum())
    rank = np.arange(1, n + 1)
    return [*found, (np.sum((n + 1 - 2 * rank) * worst)) / (n * worst.sum())]


def mean_difference_gini(losses):
    """Gini as half the relative mean difference of all pairs."""
    return np.abs(losses[:, None] - losses).mean() / (2 * losses.mean())


def multiplicities(seed, start, rows, n):
    """How often n draws took each of n units: SplitMix64, two draws a word, Lemire's rejection."""
    wrap, found = 2**64 - 1, []
    for r in range(start, start + rows):
        counter, row, drawn = seed + r * n * 0x9E3779B97F4A7C15, [0] * n, 0
        while drawn < n:
            counter += 0x9E3779B97F4A7C15
            z = counter & wrap
            z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & wrap
            z = (z ^ z >> 27) * 0x94D049BB133111EB & wrap
            for half in divmod(z ^ z >> 31, 2**32):
                unit, rest = divmod(half * n, 2**32)
                if drawn < n and rest >= 2**32 % n:
                    row[unit] += 1
                    drawn += 1
        found.append(row)
    return np.array(found, float)
