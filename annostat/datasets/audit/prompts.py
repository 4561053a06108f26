"""Prompt responses: what a vision-language model answered for each clip, and what it goes with."""

from __future__ import annotations

import ast
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from annostat.arrays import FloatArray
from annostat.datasets.video import without_suffix
from annostat.errors import AnnostatError, check_level, printable, shown
from annostat.files import plain_cell, reading
from annostat.resampling.clusters import cluster_codes
from annostat.resampling.intervals import t_interval
from annostat.resampling.multiplicity import holm
from annostat.results.estimates import Estimate
from annostat.tables.folders import is_inside, open_folder

if TYPE_CHECKING:
    import pandas as pd

    from annostat.labels.rounds import Rounds

__all__ = [
    "Association",
    "annotation_noise",
    "associate",
    "rank_correlation",
    "read_prompts",
]

FILE_BYTES = 16 << 20
FEW = 10  # clips without which there is no interval


@dataclass(frozen=True, slots=True)
class Association:
    """How a prompt goes with the annotation noise or with a model's error.

    Attributes
    ----------
    prompt, outcome : str
    correlation : Estimate
        Spearman's rank correlation over the clips that have both.
    p_value : float
        Of no correlation; NaN where there is no interval.
    p_adjusted : float
        After Holm, over all associations of one audit.
    n_items : int
    """

    prompt: str
    outcome: str
    correlation: Estimate
    p_value: float
    p_adjusted: float
    n_items: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "prompt": self.prompt,
            "outcome": self.outcome,
            "n_items": self.n_items,
            "correlation": self.correlation.to_dict(),
            "p_value": self.p_value,
            "p_adjusted": self.p_adjusted,
        }


def read_prompts(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read prompt responses.

    Parameters
    ----------
    path : path
        A table with a column of clips (`FileName`, `clip`, `item`, ...) and one column of numbers
        for each prompt; or a folder of files `CLIP.json`, in it or in folders of runs in it, each
        an object of prompts and their responses: a number, a list with one number for each frame,
        or such a list as text. Runs are merged; frames are averaged.

    Returns
    -------
    DataFrame
        One row for each clip (the index, text, without a video's suffix), one float64 column for
        each prompt; NaN where a clip has no response.

    Raises
    ------
    AnnostatError
        If there is nothing to read, a clip stands twice, runs disagree on a prompt, or a response
        is no number.
    """
    source = Path(path)
    if source.is_dir():
        return _read_folder(source)
    table, item = read_item_table(source, "prompts")
    responses = table.set_index(item).select_dtypes("number").astype(float)
    if responses.columns.empty:
        raise AnnostatError(f"prompts: {source.name} has no column of numbers beside {item!r}")
    return responses


def read_item_table(path: Path, what: str) -> tuple[pd.DataFrame, str]:
    """Read a table with a column of items, without a video's suffix and each once."""
    table, item = _item_table(path, what)
    twice = table.loc[table[item].duplicated(), item]
    if len(twice):
        raise AnnostatError(f"{what}: {path.name} names an item twice: {shown(twice, 3)}")
    return table, item


def read_item_column(path: Path, what: str) -> list[str]:
    """Read the items that a table names, without a video's suffix."""
    table, item = _item_table(path, what)
    return [str(v) for v in table[item]]


def _item_table(path: Path, what: str) -> tuple[pd.DataFrame, str]:
    from annostat.labels.looks import is_item_name, item_rank
    from annostat.tables.reading import read_table

    table = read_table(path)
    item = next(iter(sorted(filter(is_item_name, table.columns), key=item_rank)), None)
    if item is None:
        raise AnnostatError(
            f"{what}: {path.name} has no column of items (item, file, clip, patient, ...); "
            f"it has {shown(table.columns, 8)}"
        )
    table = table.dropna(subset=[item])
    table[item] = [printable(without_suffix(plain_cell(str(v).strip()))) for v in table[item]]
    return table, item


def _read_folder(folder: Path) -> pd.DataFrame:
    import pandas as pd

    root = open_folder(folder)
    found: dict[str, dict[str, float]] = {}
    for path in _json_files(root):
        answers = found.setdefault(printable(path.stem), {})
        for prompt, value in _read_json(path).items():
            response = _response(path, prompt, value)
            if answers.setdefault(prompt, response) != response:
                raise AnnostatError(
                    f"prompts: two runs answer {prompt!r} of {path.stem!r} differently"
                )
    if not found:
        raise AnnostatError(f"prompts: {str(folder)!r} holds no .json file")
    return pd.DataFrame.from_dict(found, orient="index").sort_index().astype(float)


def _json_files(root: Path) -> Iterator[Path]:
    for place in [root, *sorted(p for p in root.iterdir() if p.is_dir())]:
        if is_inside(root, place):
            for path in sorted(place.glob("*.json")):
                if is_inside(root, path) and path.is_file():
                    yield path


def _read_json(path: Path) -> dict[str, Any]:
    reading(path)
    if path.stat().st_size > FILE_BYTES:
        raise AnnostatError(f"prompts: {path.name} is larger than 16 MiB, which no clip needs")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        text = " ".join(str(error).split())[:100]
        raise AnnostatError(f"prompts: {path.name} is no JSON: {text}") from None
    if not isinstance(content, dict):
        raise AnnostatError(f"prompts: {path.name} must hold an object of prompts")
    return content


def _response(path: Path, prompt: str, value: Any) -> float:
    """Return the mean over frames of a number, a list of numbers, or a list as text."""
    if isinstance(value, str):
        try:
            value = ast.literal_eval(value.strip())  # a literal: nothing is run
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            value = None
    try:
        frames = np.asarray(value, dtype=np.float64).ravel()
    except (TypeError, ValueError):
        frames = np.array([np.nan])
    if not frames.size or not np.isfinite(frames).all():
        raise AnnostatError(f"prompts: {path.name} has no numbers for {prompt!r}")
    return float(frames.mean())


def annotation_noise(rounds: Rounds) -> dict[str, float]:
    """Return the mean absolute difference between the rounds of each item."""
    noise: dict[str, float] = {}
    if rounds.items is None:
        raise AnnostatError("noise: the rounds must have items")
    for item, row in zip(rounds.items, rounds.values, strict=True):
        seen = row[np.isfinite(row)]
        if seen.size > 1:
            first, second = np.triu_indices(seen.size, 1)
            noise[without_suffix(str(item))] = float(np.abs(seen[first] - seen[second]).mean())
    return noise


def associate(
    responses: pd.DataFrame,
    outcomes: Mapping[str, Mapping[str, float]],
    *,
    patient_of: Mapping[str, str] | None = None,
    level: float = 0.95,
) -> list[Association]:
    """Return the rank correlation of each prompt with each outcome.

    Parameters
    ----------
    responses : DataFrame of shape (n_clips, n_prompts)
        As `read_prompts` returns it.
    outcomes : mapping of str to mapping
        For each outcome its value by clip; clips without a response, or the other way round, are
        left out.
    patient_of : mapping, optional
        Patient by clip: clips of one patient are one unit.
    level : float
        Confidence level of each interval; p-values are adjusted by Holm over all of them.
    """
    found = []
    for prompt in responses.columns:
        for outcome, values in outcomes.items():
            x = responses[prompt].dropna()
            items = [i for i in x.index if math.isfinite(values.get(i, math.nan))]
            y = np.array([values[i] for i in items])
            units = None if patient_of is None else [patient_of.get(i, i) for i in items]
            estimate, p = rank_correlation(x.loc[items].to_numpy(), y, clusters=units, level=level)
            found.append((str(prompt), outcome, estimate, p, len(items)))
    adjusted = holm([p for *_, p, _ in found])
    return [
        Association(prompt, outcome, estimate, p, math.nan if q is None else q, n)
        for (prompt, outcome, estimate, p, n), q in zip(found, adjusted, strict=True)
    ]


def rank_correlation(
    x: ArrayLike,
    y: ArrayLike,
    *,
    clusters: Sequence[object] | None = None,
    level: float = 0.95,
) -> tuple[Estimate, float]:
    r"""Return Spearman's rank correlation with its interval, and the p-value of none.

    Parameters
    ----------
    x, y : array-like of shape (n,)
        Finite numbers; ties are allowed.
    clusters : sequence of shape (n,), optional
        Units that are independent of each other; each item by default.
    level : float
        Confidence level.

    Returns
    -------
    Estimate, float
        With F and G the mid-distribution functions, ρ = cov(F, G)/√(var F · var G). Its standard
        error is that of the mean of its influence function, summed over clusters; the interval is
        tanh(atanh ρ ± t·SE/(1 − ρ²)), t of (clusters − 1) degrees of freedom, and the p-value that
        of ρ/SE: it asks for no correlation, not for independence. NaN with a note where either is
        constant; no interval below 10 clusters.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(30.0)
    >>> estimate, p = rank_correlation(x, np.cos(x))
    >>> bool(abs(estimate.value) < 0.2), bool(p > 0.3)
    (True, True)
    """
    level = check_level(level)
    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise AnnostatError(f"x and y must be lists of one length, got {a.shape} and {b.shape}")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise AnnostatError("x and y must be finite numbers")
    if a.size < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return Estimate(
            math.nan, note="one of the two is constant, or there are no clips"
        ), math.nan
    cab, pull_ab = _mid_covariance(a, b)
    caa, pull_aa = _mid_covariance(a, a)
    cbb, pull_bb = _mid_covariance(b, b)
    scale = math.sqrt(caa * cbb)
    rho = min(1.0, max(-1.0, cab / scale))
    pull = pull_ab / scale - rho / 2 * (pull_aa / caa + pull_bb / cbb)
    codes = cluster_codes(None if clusters is None else list(clusters))
    sums = pull if codes is None else np.bincount(codes, weights=pull)
    n = sums.size
    if n < FEW:
        return Estimate(rho, note=f"no interval: {n} clips or patients are too few"), math.nan
    se = math.sqrt(float((sums**2).sum()) * n / (n - 1)) / a.size
    if abs(rho) == 1.0 or se == 0.0:
        return Estimate(rho, note="no interval: the order is the same throughout"), 0.0
    method = "Fisher z of Spearman's ρ, standard error by influence, t"
    limits = t_interval(math.atanh(rho), se / (1 - rho**2), n - 1, level, method)
    p = 2 * float(special.stdtr(n - 1, -abs(rho) / se))
    return Estimate(rho, se, limits.through(math.tanh)), p


def _mid_covariance(x: FloatArray, y: FloatArray) -> tuple[float, FloatArray]:
    """Return cov(F(X), G(Y)) of the mid-distribution functions, and each item's influence on it.

    E F(X) is ½ for every law, so that only E FG has an influence: with k(s, t) = 1 for s < t and
    ½ for s = t, it is F(x)G(y) + E[k(x, X) G(Y)] + E[F(X) k(y, Y)] − 3 E FG.
    """
    f, g = _mid_ranks(x), _mid_ranks(y)
    product = float((f * g).mean())
    pull = f * g + _above(x, g) + _above(y, f) - 3 * product
    return product - 0.25, pull - pull.mean()


def _mid_ranks(x: FloatArray) -> FloatArray:
    """Return P(X < x) + ½ P(X = x) for each x."""
    ordered = np.sort(x)
    low, high = np.searchsorted(ordered, x, "left"), np.searchsorted(ordered, x, "right")
    return (low + high) / (2 * x.size)


def _above(x: FloatArray, weight: FloatArray) -> FloatArray:
    """Return the mean over j of weight_j · (1 if x_j > x_i, ½ if they are equal) for each i."""
    order = np.argsort(x, kind="stable")
    ordered = x[order]
    total = np.concatenate([[0.0], np.cumsum(weight[order])])
    low, high = np.searchsorted(ordered, x, "left"), np.searchsorted(ordered, x, "right")
    above = total[-1] - (total[low] + total[high]) / 2
    return np.asarray(above / x.size)
