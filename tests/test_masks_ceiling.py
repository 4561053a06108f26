"""The ceiling of Dice, consensus and clean-up: hand-made masks, plain twins, simulated outlines."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from annostat import AnnostatError, simulate_masks
from annostat.ceilings import dice_ceiling
from annostat.ceilings.ladder import to_perfect
from annostat.consensus import bayes_mask, consensus, signed_distance, staple
from annostat.datasets import lidc_masks
from annostat.labels import MaskRounds
from annostat.masks import clean_masks, compare_cleanup, dice
from annostat.truth import compare_masks


def rounds_of(*masks, **options):
    return MaskRounds.from_arrays(
        {f"r{k}": np.asarray(m, bool) for k, m in enumerate(masks)}, **options
    )


def test_masks_come_as_people_have_them():
    rng = np.random.default_rng(0)
    one = np.zeros((6, 12, 14), bool)
    for mask, width in zip(one, rng.integers(5, 9, 6), strict=True):
        mask[2:9, 2 : 2 + width] = True
    arrays = {"rater_1": one, "rater_2": np.roll(one, 1, axis=2)}
    rounds = MaskRounds.from_arrays(arrays)
    whole = np.stack(list(arrays.values()))
    for call in (
        lambda m: dice_ceiling(m, n_resamples=50).to_dict(),
        lambda m: consensus(m).mask.tolist(),
        lambda m: compare_masks(m, surface=False, n_resamples=50).to_dict(),
        lambda m: staple(m).mask.tolist(),
    ):
        expected = call(rounds)
        for form in (arrays, list(arrays.values()), tuple(whole), whole):
            assert call(form) == expected
    for wrong in (one, None, "folder", ["a", "b"], 3):
        for call in (dice_ceiling, consensus, compare_masks):
            with pytest.raises(AnnostatError, match=r"such as \{.anna.: a, .ben.: b\}, got"):
                call(wrong)


def strips(*widths, height=4, length=30):
    """Masks of one item: the first `width` columns."""
    return [np.broadcast_to(np.arange(length) < w, (1, height, length)) for w in widths]


# ---------------------------------------------------------------- consensus


def test_signed_distances_are_the_plain_ones():
    """To the nearest pixel of the other side; beyond the image all are outside."""
    g = np.random.default_rng(1)
    for shape in ((1, 1), (1, 7), (5, 5), (11, 8), (4, 5, 3), (1, 6, 5)):
        for share in (0.02, 0.3, 0.97, 1.0):
            mask = g.random(shape) < share
            mask.flat[g.integers(mask.size)] = True
            inside = np.pad(mask, 1)
            at = {side: np.argwhere(inside == side) for side in (True, False)}
            plain = [
                (1 if here else -1) * (min(np.linalg.norm(at[not here] - pixel, axis=1)) - 0.5)
                for pixel, here in ((np.add(i, 1), mask[i]) for i in np.ndindex(*shape))
            ]
            np.testing.assert_allclose(signed_distance(mask).ravel(), plain, rtol=1e-12)


def test_signed_distance():
    mask = np.zeros((5, 6), bool)
    mask[1:4, 1:5] = True
    d = signed_distance(mask)
    assert (d > 0).tolist() == mask.tolist()
    assert d[2, 2] == 1.5 and d[1, 1] == 0.5 and d[0, 2] == -0.5
    assert d[0, 0] == pytest.approx(-(2**0.5) + 0.5)
    assert signed_distance(np.ones((3, 3), bool))[1, 1] == 1.5  # nothing beyond the image


def test_consensus_by_hand():
    found = consensus(rounds_of(*strips(10, 14, 21)), method="majority")
    assert found.mask[0, 0].sum() == 14 and found.n_tied == 0
    even = consensus(rounds_of(*strips(10, 14)), method="majority")
    assert even.mask[0, 0].sum() == 10 and even.n_tied == 4 * 4
    assert consensus(rounds_of(*strips(10, 14)), method="mean").share[0, 0, 0, 12] == 0.5
    # Tall strips, so that the columns alone decide: the mean of 10, 14 and 21 is 15.
    tall = rounds_of(*strips(10, 14, 21, height=80))
    middle = consensus(tall, method="boundary").mask[0, 40]
    assert middle.sum() == 15
    assert consensus(rounds_of(*strips(10, 14, height=80))).mask[0, 40].sum() == 12
    half = consensus(rounds_of(*strips(10, 13, height=80)))
    assert half.share[0, 0, 40, 11] == 0.5 and half.mask[0, 40].sum() == 11
    again = consensus(rounds_of(*strips(10, 14, 21)), method="staple", region="all")
    assert again.mask[0, 0].sum() == 14 and "staple" in repr(again)


def test_consensus_of_labels_of_empty_and_of_missing_masks():
    a, b, c = np.array([[[1, 1, 3, 0]]]), np.array([[[1, 3, 3, 0]]]), np.array([[[3, 3, 0, 0]]])
    rounds = MaskRounds.from_arrays({"a": a, "b": b, "c": c}, labels=[1, 3])
    found = consensus(rounds, method="majority")
    assert found.mask[0, 0].tolist() == [1, 3, 3, 0] and found.share.shape == (2, 1, 1, 4)
    two = rounds.choose(["a", "c"])
    assert consensus(two, method="majority").mask[0, 0].tolist() == [0, 0, 0, 0]
    drawn, empty = strips(10)[0], np.zeros((1, 4, 30), bool)
    assert not consensus(rounds_of(drawn, empty)).mask.any()
    assert consensus(rounds_of(drawn, drawn, empty)).mask.sum() == 40
    rounds = MaskRounds.from_arrays(
        {"a": np.concatenate([drawn, drawn]), "b": np.concatenate([drawn, empty])},
        present={"b": [True, False]},
    )
    for method in ("boundary", "majority"):
        assert consensus(rounds, method=method).mask.sum() == 80
    with pytest.raises(AnnostatError, match="did you mean 'majority'"):
        consensus(rounds, method="majorit")


# ---------------------------------------------------------------- the ladder


def plain_ladder(masks):
    """Each rung by loops, and the least squares of its squares, for the masks of one item."""
    distance = [
        ndimage.distance_transform_edt(m)
        - ndimage.distance_transform_edt(~m)
        - np.where(m, 0.5, -0.5)
        for m in masks
    ]
    share = {}
    for k in range(1, len(masks)):
        for group in itertools.combinations(range(len(masks)), k):
            share[group] = np.clip(np.mean([distance[r] for r in group], axis=0) + 0.5, 0, 1)
    rungs = {}
    for (a, first), (b, second) in itertools.combinations(share.items(), 2):
        if not set(a) & set(b):
            loss = np.abs(first - second).sum() / (first + second).sum()
            rungs.setdefault(tuple(sorted((len(a), len(b)), reverse=True)), []).append(loss)
    return {key: np.mean(losses) for key, losses in rungs.items()}


@pytest.mark.parametrize("m", [3, 4, 5])
def test_ladder_equals_its_plain_twin(m):
    rounds, _ = simulate_masks(3, m, noise_px=2.0, rng=m, shape=(64, 64), radius_px=(10, 20))
    ceiling = dice_ceiling(rounds, method="ladder", n_resamples=0)
    each = [plain_ladder(rounds.values[:, i].astype(bool)) for i in range(3)]
    y, x, z = [], [], []
    for rung in ceiling.ladder:
        loss = np.mean([e[rung.k, rung.l] for e in each])
        assert 1 - rung.dice.value == pytest.approx(loss, abs=1e-12)
        y.append(loss**2)
        x.append(1 / rung.k + 1 / rung.l)
        z.append((rung.k**-3 + rung.l**-3) / x[-1])
    assert {(r.k, r.l) for r in ceiling.ladder} == set(each[0])
    design = np.column_stack([x, z] if m > 3 else [x])
    fitted = np.linalg.lstsq(design, np.array(y), rcond=None)[0]
    assert ceiling.dice.value == pytest.approx(1 - fitted.sum() ** 0.5, abs=1e-10)


drawn = hnp.arrays(
    bool, st.tuples(st.integers(3, 5), st.integers(1, 6), st.integers(2, 9), st.integers(2, 9))
).map(
    lambda masks: MaskRounds.from_arrays({f"r{j}": m for j, m in enumerate(masks | corner(masks))})
)
simulated = st.builds(
    lambda n, k, noise, seed: simulate_masks(n, k, noise_px=noise, rng=seed)[0],
    st.integers(1, 20),
    st.integers(3, 5),
    st.floats(0.5, 4.0),
    st.integers(0, 2**32),
)


def corner(masks):
    """Return one pixel, so that nobody's mask is empty."""
    one = np.zeros(masks.shape[2:], bool)
    one[0, 0] = True
    return one


@settings(max_examples=40)
@given(st.one_of(drawn, simulated))
def test_first_rung_is_the_pairwise_mean(rounds):
    """Invariant 10: D of one rater against another, whatever they drew."""
    ceiling = dice_ceiling(rounds, n_resamples=0)
    by_hand = np.mean([dice(a, b).mean() for a, b in itertools.combinations(rounds.values, 2)])
    assert ceiling.ladder[0].dice.value == pytest.approx(by_hand, abs=1e-12)
    assert ceiling.pair.value == pytest.approx(by_hand, abs=1e-12)
    assert ceiling.pair_dice.mean() == pytest.approx(by_hand, abs=1e-12)


@pytest.mark.parametrize("law", ["gaussian", "laplace"])
def test_weights_are_exact_for_the_law_they_assume(law):
    """Mean |mean of k − mean of l| of many draws: the weights find E|X| from the rungs alone."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5, 200_000)) if law == "gaussian" else rng.laplace(size=(5, 200_000))
    for m, most in ((3, 0.07), (4, 0.02), (5, 0.02)):
        rungs = [(k, j) for j in range(1, m // 2 + 1) for k in range(j, m - j + 1)]
        squares = [
            np.abs(x[:k].mean(axis=0) - x[k : k + j].mean(axis=0)).mean() ** 2 for k, j in rungs
        ]
        found = float(np.array(squares) @ to_perfect(rungs)) ** 0.5
        wanted = np.abs(x).mean()
        assert abs(found / wanted - 1) < (0.005 if law == "gaussian" else most)


@pytest.mark.parametrize("law", ["gaussian", "laplace", "skew"])
@pytest.mark.parametrize("m", [2, 3, 5])
def test_bias_on_simulated_outlines(law, m):
    rounds, truth = simulate_masks(80, m, noise_px=2.0, law=law, rng=7)
    perfect = np.mean([dice(v, truth).mean() for v in rounds.values])
    ceiling = dice_ceiling(rounds, n_resamples=300)
    assert abs(ceiling.dice.value - perfect) < 4e-3
    assert perfect - ceiling.pair.value > 0.02
    assert ceiling.bracket.low < perfect < ceiling.bracket.high
    in_sample = np.mean(
        [dice(consensus(rounds, method="majority").mask, v).mean() for v in rounds.values]
    )
    if m == 3:
        assert in_sample > ceiling.dice.high
    ious = [dice(v, truth) / (2 - dice(v, truth)) for v in rounds.values]
    assert abs(ceiling.iou.value - np.mean(ious)) < 8e-3


def test_two_raters_give_the_bracket():
    rounds, _ = simulate_masks(40, 2, noise_px=2.0, rng=3)
    ceiling = dice_ceiling(rounds, method="two-raters", n_resamples=200)
    loss = 1 - ceiling.pair.value
    assert ceiling.method == "two-raters" and ceiling.ladder == ()
    assert ceiling.dice.value == pytest.approx(1 - loss / 2**0.5)
    assert ceiling.dice.low < 1 - 0.75 * loss < 1 - loss * 2 / 3 < ceiling.dice.high
    with pytest.raises(AnnostatError, match="three or more raters"):
        dice_ceiling(rounds, method="ladder")


def test_in_sample_is_refused():
    rounds, _ = simulate_masks(3, 3, noise_px=2.0, rng=3)
    for method in ("in-sample", "majority", "staple"):
        with pytest.raises(AnnostatError, match="part of that consensus"):
            dice_ceiling(rounds, method=method)
    with pytest.raises(AnnostatError, match="did you mean 'ladder'"):
        dice_ceiling(rounds, method="lader")
    with pytest.raises(AnnostatError, match="label must be"):
        dice_ceiling(rounds, label=2)


def test_missing_raters_empty_masks_and_patients():
    rounds, _ = simulate_masks(40, 4, noise_px=2.0, rng=4, n_clusters=10)
    whole = dice_ceiling(rounds, n_resamples=200)
    assert "clusters" in whole.dice.interval.method
    present = rounds.drawn.copy()
    present[3, :15] = present[2, :4] = present[1, :2] = False
    values = rounds.values.copy()
    values[0, 39] = 0
    some = MaskRounds.from_arrays(
        dict(zip(rounds.names, values, strict=True)),
        present=dict(zip(rounds.names, present, strict=True)),
        cluster=list(rounds.cluster),
    )
    part = dice_ceiling(some, n_resamples=200)
    assert (part.n_alone, part.n_empty, len(part.items)) == (2, 1, 37)
    assert abs(part.dice.value - whole.dice.value) < 0.01
    failed = {c.name: c for c in part.checks}
    assert failed["empty"].passed is False and "1 of 40" in failed["empty"].message
    assert failed["one_rater"].passed is None
    nothing = MaskRounds.from_arrays({"a": values[:1, 39], "b": values[1:2, 39]})
    with pytest.raises(AnnostatError, match="nothing to compare"):
        dice_ceiling(nothing)


def test_a_rater_of_another_school_is_named():
    rounds, truth = simulate_masks(30, 3, noise_px=1.0, rng=5)
    wide = np.stack([ndimage.binary_dilation(m, iterations=4) for m in truth])
    masks = dict(zip(rounds.names, rounds.values, strict=True)) | {"wide": wide}
    checks = {c.name: c for c in dice_ceiling(MaskRounds.from_arrays(masks)).checks}
    assert checks["raters_alike"].passed is False
    assert checks["raters_alike"].message.startswith("wide ")


def test_equal_masks_and_one_item():
    rounds = rounds_of(*strips(10, 10, 10))
    ceiling = dice_ceiling(rounds)
    assert ceiling.dice.value == ceiling.iou.value == 1 and "equal" in ceiling.dice.note
    one = dice_ceiling(rounds_of(*strips(10, 12, 11, height=20)))
    assert one.dice.interval is None and 0.9 < one.dice.value < 1
    json.dumps(one.to_dict(), allow_nan=False)
    assert len(one.to_frame()) == 2 and "Ladder" in str(one)


# ---------------------------------------------------------------- the best mask


def expected_dice(mask, draws):
    return np.mean(
        [
            1.0 if not (mask.any() or d.any()) else 2 * (mask & d).sum() / (mask.sum() + d.sum())
            for d in draws
        ]
    )


@settings(max_examples=40)
@given(hnp.arrays(bool, st.tuples(st.integers(2, 4), st.just(2), st.integers(2, 4))))
def test_best_mask_beats_every_mask(draws):
    best = bayes_mask(draws)
    shape = draws.shape[1:]
    scores = [
        expected_dice(np.array(bits, bool).reshape(shape), draws)
        for bits in itertools.product([0, 1], repeat=shape[0] * shape[1])
    ]
    assert best.dice == pytest.approx(max(scores), abs=1e-12)
    assert expected_dice(best.mask, draws) == pytest.approx(best.dice, abs=1e-12)


def test_best_threshold_is_half_the_best_dice():
    y, x = np.mgrid[:120, :120]
    p = 1 / (1 + np.exp((np.hypot(y - 60, x - 60) - 35) / 2.5))
    best = bayes_mask(probability=p)
    assert best.threshold == pytest.approx(best.dice / 2, abs=0.01)
    cut = {t: 2 * p[p > t].sum() / ((p > t).sum() + p.sum()) for t in np.linspace(0.2, 0.8, 61)}
    assert best.dice >= max(cut.values()) - 1e-12 and best.dice - cut[0.5] < 0.01
    assert bayes_mask(probability=np.zeros((2, 2))).dice == 1
    for wrong, words in [
        ({}, "either"),
        ({"draws": np.ones((2, 2)), "probability": [[1]]}, "either"),
        ({"draws": np.ones((2, 2))}, "several masks"),
        ({"probability": [[2.0]]}, r"\[0, 1\]"),
    ]:
        with pytest.raises(AnnostatError, match=words):
            bayes_mask(**wrong)


# ---------------------------------------------------------------- clean-up


def picture(text):
    return np.array([[c == "#" for c in line.strip()] for line in text.strip().splitlines()])


def test_clean_up_in_pictures():
    dirty = picture("""
        #.......
        ..####..
        ..#..#.#
        ..####.#
        ........
        """)
    clean = picture("""
        ........
        ..####..
        ..####..
        ..####..
        ........
        """)
    np.testing.assert_array_equal(clean_masks(dirty), clean)
    kept = clean_masks(dirty, largest=False)
    assert kept[0, 0] and kept[2, 3] and kept[2, 7]
    assert not clean_masks(dirty, holes=False)[2, 3]
    np.testing.assert_array_equal(clean_masks(dirty * 3, labels=[3]), clean * 3)
    assert not clean_masks(np.zeros((3, 4))).any()


def test_majority_in_time_stays_within_its_clip():
    frames = np.zeros((9, 1, 1), bool)
    frames[[1, 2, 4, 5, 8]] = True  # a gap at 3, an end of clip between 5 and 6
    out = clean_masks(frames, window=3, clips=list("aaaaaabbb"))[:, 0, 0]
    assert out.tolist() == [False, True, True, True, True, True, False, False, True]
    for clips, words in [(list("ab"), "entries"), (list("ababababa"), "next to each other")]:
        with pytest.raises(AnnostatError, match=words):
            clean_masks(frames, clips=clips)
    with pytest.raises(AnnostatError, match="odd number"):
        clean_masks(frames, window=2)


def test_scores_before_and_after():
    _, truth = simulate_masks(12, 2, noise_px=1.0, rng=1, shape=(64, 64), radius_px=(10, 20))
    dirty = truth.copy()
    dirty[::2, :3, :3] = True
    result = compare_cleanup(dirty, truth, clips=np.arange(12) // 3, n_resamples=200)
    table = result.to_frame().set_index("metric")
    assert table.loc["dice", "after"] == 1 and table.loc["hausdorff", "after"] == 0
    assert table.loc["dice", "change"] == pytest.approx(1 - table.loc["dice", "before"])
    assert 0 < table.loc["dice", "low"] and "before" in str(result)
    json.dumps(result.to_dict(), allow_nan=False)


# ---------------------------------------------------------------- everything together


def test_models_against_the_ceiling():
    rounds, truth = simulate_masks(80, 4, noise_px=2.0, rng=2, n_clusters=40)
    small = np.stack([ndimage.binary_erosion(m, iterations=2) for m in truth])
    models = {"perfect": truth, "small": small, "cheat": consensus(rounds, method="majority").mask}
    result = compare_masks(rounds, models=models, surface=False, n_resamples=400)
    perfect, eroded, cheat = result.models
    assert 0 in perfect.gap.interval and perfect.check.passed
    assert eroded.gap.low > 0 and "can still gain" in eroded.check.message
    assert cheat.gap.high < 0 and cheat.check.passed is False
    by_hand = np.mean([dice(truth, v).mean() for v in rounds.values])
    assert perfect.dice.value == pytest.approx(by_hand, abs=1e-12)
    ceiling = result.ceilings[1].dice.value
    assert perfect.gap.value == pytest.approx(ceiling - by_hand, abs=1e-12)
    assert perfect.by_rater["rater_2"] == pytest.approx(dice(truth, rounds.values[1]).mean())
    worst = result.disputed(3)
    assert worst["dice"].is_monotonic_increasing and len(worst) == 3
    assert len(result.pairs) == 6 and len(result.to_frame()) == 6 * 4
    json.dumps(result.to_dict(), allow_nan=False)


def test_labels_and_two_raters_together():
    rounds, truth = simulate_masks(20, 2, noise_px=2.0, rng=3)
    plus = ndimage.generate_binary_structure(2, 1)[None]
    ring = [
        v + 2 * (ndimage.binary_dilation(v, plus, iterations=5) & (v == 0)) for v in rounds.values
    ]
    both = MaskRounds.from_arrays(
        {"a": np.where(ring[0] == 2, 7, ring[0]), "b": np.where(ring[1] == 2, 7, ring[1])},
        labels=[1, 7],
    )
    result = compare_masks(both, models={"m": truth.astype(int)}, n_resamples=100)
    assert set(result.ceilings) == {1, 7} and len(result.models) == 2
    assert result.ceilings[1].pair.value == pytest.approx(dice(*rounds.values).mean())
    assert "label 7" in str(result) and "bracket" in result.models[0].gap.interval.method
    with pytest.raises(AnnostatError, match="labels that are not in"):
        compare_masks(both, models={"m": np.full(truth.shape, 5)})
    with pytest.raises(AnnostatError, match="same items"):
        compare_masks(both, models=MaskRounds.from_arrays({"m": np.ones((2, 4, 4))}, labels=[1, 7]))
    with pytest.raises(AnnostatError, match="two or more raters"):
        compare_masks(both.choose(["a"]))


def test_bundled_masks():
    rounds = lidc_masks()
    assert rounds.values.shape[:2] == (4, 100) and rounds.exchangeable
    assert len(set(rounds.cluster)) == 100 and rounds.spacing_unit == "mm"
    assert 0.4 < rounds.spacing.min() and rounds.spacing.max() < 1.0
    ceiling = dice_ceiling(rounds, n_resamples=200)
    assert len(ceiling.items) >= 95
    assert 0.80 < ceiling.pair.value < ceiling.dice.value < 0.91
    # The model-free bracket of pairs holds the ladder's estimate.
    assert ceiling.bracket.low < ceiling.dice.value < ceiling.bracket.high
