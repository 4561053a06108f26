"""The exact test of concentration: its size, what it finds, and what it must not depend on."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annostat import AnnostatError, Rounds
from annostat.concentration import excess_by_swaps, swaps
from tests import naive


def world(seed, n=200, noise="laplace"):
    rng = np.random.default_rng(seed)
    truth = rng.normal(50, 10, n)
    errors = getattr(rng, noise)(0, 4, (n, 2))
    # Items differ in difficulty, and both rounds share it.
    return rng, truth, truth[:, None] + errors * rng.lognormal(0, 0.6, (n, 1))


@pytest.mark.parametrize("noise", ["normal", "laplace", "uniform"])
def test_a_perfect_model_is_refused_as_often_as_stated(noise):
    if noise == "uniform":
        noise, draw = "normal", lambda rng: rng.uniform(-4, 4, (60, 2))
    else:
        draw = None
    p = []
    for seed in range(300):
        rng, truth, labels = world([seed, 7], 60, noise)
        if draw is not None:
            labels = truth[:, None] + draw(rng)
        p.append(
            excess_by_swaps(truth, Rounds.from_array(labels), n_resamples=39, rng=seed).p_value
        )
    # 300 sets: 5% with a standard error of 1.26 points.
    assert abs(np.mean(np.array(p) <= 0.05) - 0.05) < 3.5 * 0.0126


def test_an_excess_is_found_and_an_even_error_is_none():
    rng, truth, labels = world(1)
    rounds = Rounds.from_array(labels)
    wrong = np.where(np.arange(200) < 10, 40.0, 0.0)
    found = excess_by_swaps(truth + wrong, rounds)
    assert found.p_value <= 0.01 and found.share > found.share_of_noise
    assert excess_by_swaps(truth + rng.normal(0, 8, 200), rounds).p_value > 0.05
    assert "exact test, p" in str(found) and found.to_dict()["n_items"] == 200
    assert found.to_frame().shape[0] == 1


@settings(max_examples=25)
@given(st.floats(-3, 3).filter(lambda a: abs(a) > 0.01), st.floats(-100, 100))
def test_units_and_the_order_of_rounds_do_not_matter(scale, shift):
    _, truth, labels = world(3, 50)
    one = excess_by_swaps(truth, Rounds.from_array(labels), n_resamples=39)
    other = excess_by_swaps(
        scale * truth + shift, Rounds.from_array(scale * labels[:, ::-1] + shift), n_resamples=39
    )
    assert other.share == pytest.approx(one.share) and other.p_value == one.p_value


def test_clusters_are_swapped_whole_and_missing_labels_left_out():
    _, truth, labels = world(5, 60)
    twice = Rounds.from_array(
        np.repeat(labels, 2, axis=0), cluster=[f"p{i // 2}" for i in range(120)]
    )
    once = excess_by_swaps(truth, Rounds.from_array(labels), rng=1)
    again = excess_by_swaps(np.repeat(truth, 2), twice, rng=1)
    assert again.p_value == pytest.approx(once.p_value, abs=0.06)
    labels[3, 0] = np.nan
    truth[7] = np.nan
    assert excess_by_swaps(truth, Rounds.from_array(labels), n_resamples=19).n_items == 58


def test_bad_input():
    _, truth, labels = world(5, 20)
    rounds = Rounds.from_array(labels)
    for wrong, word in (
        ((truth[:5], rounds), "one number for each"),
        ((truth, Rounds.from_array(np.column_stack([labels, truth]))), "must be two"),
        ((np.full(20, np.inf), rounds), "finite"),
        ((np.full(20, np.nan), rounds), "three or more"),
        ((truth, Rounds.from_array(np.column_stack([truth, truth]))), "agree"),
        ((np.full(20, "x"), rounds), "predictions must be numbers"),
    ):
        with pytest.raises(AnnostatError, match=word):
            excess_by_swaps(*wrong)
    for options, word in (
        ({"top": 0}, "top must be in"),
        ({"top": 1}, "top must be in"),
        ({"n_resamples": 18}, "n_resamples must be a whole number of at least 19"),
        ({"loss": "asis"}, "loss must be one of"),
    ):
        with pytest.raises(AnnostatError, match=word):
            excess_by_swaps(truth, rounds, **options)


@pytest.mark.parametrize("loss", ["squared", "absolute"])
def test_against_a_plain_loop(loss, monkeypatch):
    """One swap at a time, each share from its own sorted list; and in blocks of any size."""
    _, truth, labels = world(11, 40)
    rounds = Rounds.from_array(labels)
    found = excess_by_swaps(truth, rounds, top=0.2, loss=loss, n_resamples=99, rng=3)
    e = truth[:, None] - labels
    e = e - e.mean(axis=0)
    total, between = e.sum(axis=1), e[:, 0] - e[:, 1]

    def gap(a, b):
        return np.subtract(*(naive.concentration(naive.losses(x, loss), [0.2])[0] for x in (a, b)))

    rng, beyond = np.random.default_rng(3), 0
    for _ in range(99):
        swap = rng.random(40) < 0.5
        moved = np.where(swap, between, total), np.where(swap, total, between)
        beyond += gap(*moved) >= gap(total, between) - 1e-12
    assert found.p_value == pytest.approx((1 + beyond) / 100)
    assert found.share - found.share_of_noise == pytest.approx(gap(total, between))
    for block in (1, 40 * 7):
        monkeypatch.setattr(swaps, "BLOCK", block)
        assert excess_by_swaps(truth, rounds, top=0.2, loss=loss, n_resamples=99, rng=3) == found


def test_the_command_takes_predictions(run, tmp_path):
    _, truth, labels = world(1)
    wrong = np.where(np.arange(200) < 10, 40.0, 0.0)
    path = tmp_path / "t.csv"
    columns = np.column_stack([labels, truth, truth + wrong])
    np.savetxt(path, columns, delimiter=",", header="a,b,good,bad", comments="")
    args = ("concentration", path, "--rounds", "a", "b", "--resamples", "19")
    code, out, _ = run(*args, "--model", "bad")
    assert code == 0 and "Against both rounds" in out
    code, out, _ = run(*args, "--model", "bad", "--model", "good", "--json", "-")
    swaps = {name: m["swaps"]["p_value"] for name, m in json.loads(out)["models"].items()}
    assert code == 0 and swaps["bad"] <= 0.01 < swaps["good"]
    code, _, err = run("concentration", path, "--model", "bad")
    assert code == 2 and "--model needs --rounds" in err and err.count("\n") == 1
