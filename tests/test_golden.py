"""What results say and hold, word for word, beside what they said before.

After a wanted change: python -m tests.test_golden, and read the difference.
"""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from annostat import (
    NoiseModel,
    Rounds,
    agreement,
    bounds,
    bounds_from_summary,
    compare_noise,
    compare_published,
    fit_noise,
    plan_rounds,
    score_models,
    simulate_rounds,
)
from annostat.concentration import (
    compare_concentration,
    concentration,
    excess_by_swaps,
    overlap,
)
from annostat.labels import pair_mae
from annostat.noise import bracket
from annostat.results.text import plain
from annostat.scaling import compare_scaling
from annostat.truth import grubbs, three_cornered_hat, triple_collocation

GOLDEN = Path(__file__).parent / "golden"
BETWEEN = "\n\n" + "=" * 40 + "\n\n"
NUMBER = re.compile(r"[-−+]?\d[\d,]*\.?\d*(?:e[-+]?\d+)?")
TRUTH = np.array([38, 41, 44, 47, 50, 52, 55, 57, 58, 60, 62, 63, 65, 67, 70, 73.0])
NOISE = np.random.default_rng(5).normal(0, 3, (16, 3)).round(1)
THREE = Rounds.from_array(TRUTH[:, None] + NOISE + [0, 1, -1], names=["a", "b", "c"], unit="%")
TWO = Rounds.from_array(
    TRUTH[:, None] + NOISE[:, :2] + [0, 1],
    names=["first", "second"],
    unit="%",
    cluster=np.arange(16) // 2,
)
APART = Rounds.from_array(TWO.values, unit="%")
GAPS = Rounds.from_array(
    np.where(np.arange(48).reshape(16, 3) % 7 == 3, np.nan, THREE.values),
    unit="ml",
    exchangeable=True,
)
PICKS = simulate_rounds(
    NoiseModel("laplace", {"scale": 2.0}, "independent", 0.02, window=20),
    120,
    rng=np.random.default_rng(2),
)
RATERS = Rounds.from_array(
    np.round(TRUTH[:, None] + NOISE * [1, 1, 2]), names=["a", "b", "c"], unit="frames"
)


def of_agreement():
    yield agreement.repeatability(TWO, interval="t")
    yield agreement.repeatability(THREE, interval="chi-square")
    yield agreement.repeatability(GAPS, n_resamples=99)
    additive = Rounds.from_array([[1, 2], [3, 4], [7, 8.0]], unit="mm")
    for rounds in (THREE, GAPS, Rounds.from_array(np.ones((5, 2))), additive, TWO.take([0, 9])):
        yield agreement.icc(rounds, k=2)
    yield agreement.bland_altman(THREE, "a", "c")
    yield agreement.bland_altman(additive)
    yield agreement.bland_altman(TWO, log=True, interval="sqrt3")
    repeated = [[z, z + e] for z, e in zip(TRUTH, NOISE[:, 0], strict=True)]
    yield agreement.bland_altman(
        agreement.stacked_rounds(repeated, repeated[::-1]), replicates=True
    )
    for interval in ("lin", "bootstrap-t"):
        yield agreement.concordance(APART, interval=interval, n_resamples=99)
    parts, raters = np.repeat(np.arange(5), 6), np.tile([0, 0, 1, 1, 2, 2], 5)
    measured = TRUTH[parts] + NOISE.ravel()[:30]
    for method in ("anova", "average-range"):
        yield agreement.gauge_rr(parts, raters, measured, method=method)


def of_ceilings():
    yield bounds(TWO, interval="t")
    yield bounds(THREE, m=3, interval="chi-square")
    yield bounds(GAPS, n_resamples=99)
    yield bounds(THREE, interval="chi-square").at(sd_of_labels=12.0)
    yield bounds_from_summary(
        sd=5.7, convention="between-sessions", correlation=0.8, n=50, unit="%"
    )
    yield bounds_from_summary(sd=5.7, correlation=0.801, n=50, m=2)
    yield bounds_from_summary(sd=3.0, convention="noise-sd", n_rounds=3, kurtosis=4.0)
    yield bounds_from_summary(sd=3.0, convention="noise-sd", n=60, kurtosis=4.0, correlation=-0.2)
    yield bounds_from_summary(sd=3.0, convention="noise-sd", unit="mm").at(sd_of_labels=9.0)
    yield compare_published(score_rmse=5.17, score_n=1277, sd=5.7, n=50)
    yield compare_published(score_rmse=9.0, score_n=50, sd=5.7, n=50, convention="noise-sd")
    yield compare_published(
        score_rmse=4.1,
        score_correlation=0.78,
        score_n=200,
        sd=5.7,
        correlation=0.7,
        n=40,
        kurtosis=4.0,
        m=2,
    )


def of_concentration():
    errors = NOISE[:, 0] * np.linspace(0.5, 2, 16)
    names = [f"c{i:02d}" for i in range(16)]
    yield concentration(
        errors,
        noise="laplace",
        items=names,
        n_resamples=99,
        unit="%",
        name="student",
        lists={"odd": np.arange(16) % 2 == 1},
    )
    yield concentration(
        errors,
        noise="gaussian",
        loss="absolute",
        top=0.25,
        n_resamples=99,
        cluster=np.arange(16) // 2,
    )
    picks, rounded = PICKS.values, np.round(PICKS.values.mean(axis=1) + 1)
    pair = Rounds.from_array(picks)
    yield concentration(rounded - picks[:, 0], rounds=pair, predictions=rounded, n_resamples=19)
    yield concentration([1.0, 2.0, 4.0])
    yield compare_concentration({"a": errors, "b": 2 * errors + NOISE[:, 1]}, n_resamples=99)
    yield excess_by_swaps(rounded, pair, n_resamples=99)
    yield overlap(np.arange(16) < 5, np.arange(16) % 3 == 0, n_resamples=99)


def of_noise():
    yield compare_noise(PICKS, cores=["laplace", "gaussian"], n_tests=19)
    yield fit_noise(PICKS, "laplace", abandonment="independent", window=20)
    yield fit_noise(RATERS, "gaussian", abandonment="none", by_rater=True)
    yield bracket(pair_mae(PICKS))
    yield plan_rounds(PICKS, n_resamples=9, rng=1)


def of_scaling():
    sizes = np.geomspace(1e4, 1e7, 12)
    loss = 0.2 + 0.8 * (sizes / 1e4) ** -0.4 * np.exp(NOISE[:12, 0] / 100)
    yield compare_scaling(sizes, loss, at=[1e8])
    yield compare_scaling(
        sizes,
        loss,
        floor=0.2,
        robust=True,
        size_name="clips",
        score_name="RMSE",
        loss_kind="first-order",
    )
    yield compare_scaling(sizes, 1 - loss, higher_is_better=True, laws=["power"])


def of_truth():
    good, rough = TRUTH + NOISE[:, 2] / 3, TRUTH - NOISE[:, 2] + [0, 2] * 8
    yield score_models(TWO, {"good": good, "rough": rough}, n_resamples=99)
    lazy = THREE.values[:, 0] + NOISE[:, 1] / 9
    yield score_models(
        THREE,
        {"good": good, "lazy": lazy},
        kind="values",
        trained_on="a",
        margin=1.0,
        n_resamples=99,
    )
    exact = Rounds.from_array(np.stack([TRUTH, TRUTH], axis=1))
    near = {"itself": TRUTH + 0, "near": TRUTH + [0.5, -0.5] * 8}
    yield score_models(exact, near, kind="values", margin=1.0, n_resamples=99)
    yield score_models(THREE, {"good": good}, kind="values", margin=6.0, n_resamples=99)
    pair = Rounds.from_array(PICKS.values, unit="frames")
    yield score_models(pair, {"pick": np.round(PICKS.values.mean(axis=1))}, n_resamples=99)
    yield from grubbs(TWO).values()
    yield from three_cornered_hat(THREE).values()
    yield triple_collocation(np.cov(THREE.values.T))


MADE = {
    made.__name__[3:]: made
    for made in (of_agreement, of_ceilings, of_concentration, of_noise, of_scaling, of_truth)
}


def table(result):
    """Return the first lines of the table that a program would take."""
    if not hasattr(result, "to_frame"):
        return ""
    frame = result.to_frame()
    named = frame.index.name is not None
    return "\n\n" + frame.head(12).to_csv(index=named, float_format="%.6g", lineterminator="\n")


def texts(results):
    return [f"{type(result).__name__}\n{result}{table(result)}".rstrip() for result in results]


def data(results):
    return [plain(result) for result in results]


def words(text):
    """Return a text without its numbers and the width of its columns."""
    return re.sub(r"[ ─]+", " ", NUMBER.sub("#", text))


def close(found, kept):
    """Say where two pieces of plain data differ by more than solvers on other machines do."""
    if isinstance(kept, dict):
        assert list(found) == list(kept)
        for name in kept:
            if name != "version":
                close(found[name], kept[name])
    elif isinstance(kept, list):
        assert len(found) == len(kept)
        for one, other in zip(found, kept, strict=True):
            close(one, other)
    elif isinstance(kept, float) and isinstance(found, float | int):
        assert found == pytest.approx(kept, rel=1e-3, abs=1e-6)
    elif isinstance(kept, str):
        assert words(found) == words(kept)
    else:
        assert found == kept


@pytest.mark.parametrize("package", sorted(MADE))
def test_results_say_what_they_said(package):
    results = list(MADE[package]())
    kept = (GOLDEN / f"{package}.txt").read_text(encoding="utf-8").split(BETWEEN)
    for found, text in zip(texts(results), kept, strict=True):
        assert words(found).strip() == words(text).strip()
        numbers = [
            [float(n.replace(",", "").replace("−", "-")) for n in NUMBER.findall(t)]
            for t in (found, text)
        ]
        assert numbers[0] == pytest.approx(numbers[1], rel=2e-3)
    lines = (GOLDEN / f"{package}.jsonl").read_text(encoding="utf-8").splitlines()
    for found, line in zip(data(results), lines, strict=True):
        close(json.loads(json.dumps(found)), json.loads(line))


def short(value):
    """Return plain data with six digits, enough to notice a change."""
    if isinstance(value, dict):
        return {k: short(v) for k, v in value.items()}
    if isinstance(value, list):
        return [short(v) for v in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


if __name__ == "__main__":
    for package, made in MADE.items():
        results = list(made())
        (GOLDEN / f"{package}.txt").write_text(BETWEEN.join(texts(results)) + "\n", "utf-8")
        lines = [json.dumps(short(found), ensure_ascii=False) for found in data(results)]
        (GOLDEN / f"{package}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
