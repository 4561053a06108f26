"""Each script of the analysis on tiny data, and the numbers that it promises."""

import importlib
import importlib.util
import inspect
import json

import numpy as np
import pytest

from analysis import __main__ as analysis
from annostat.datasets import read_echonet
from annostat.errors import AnnostatError

NEEDS = {  # modules of the extras
    "sampling_rates": ("av", "torch"),
    "corrupted": ("av", "torch"),
    "prompts": ("av", "torch"),
    "first_frames": ("torch", "safetensors", "yaml"),
    "two_ventricles": ("torch", "safetensors", "yaml"),
}


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """One folder for all, so that the folder of clips and the student are made once."""
    return tmp_path_factory.mktemp("analysis")


@pytest.fixture(scope="module")
def run(out):
    done = {}

    def once(name):
        for module in NEEDS.get(name, ()):
            if importlib.util.find_spec(module) is None:
                pytest.skip(f"needs {module}")
        if name not in done:
            importlib.import_module(f"analysis.{name}").main(out, seed=0, quick=True)
            done[name] = json.loads((out / f"{name}.json").read_text(encoding="utf-8"))
        return done[name]

    return once


@pytest.mark.parametrize("name", analysis.SCRIPTS)
def test_every_script_writes_numbers_and_figures(run, out, name):
    numbers = run(name)
    assert numbers["kind"]
    figures = sorted(p.stem for p in out.glob(f"{name}*.svg"))
    assert figures and all((out / f"{figure}.png").stat().st_size > 5000 for figure in figures)
    script = importlib.import_module(f"analysis.{name}")
    assert {"seed", "quick"} <= set(inspect.signature(script.main).parameters)
    assert len(script.__doc__.splitlines()) > 2


def test_the_bounds_of_the_paper(run):
    numbers = run("bounds")
    assert round(numbers["rmse_floor"]["value"], 2) == 4.03
    assert round(numbers["correlation_ceiling"]["value"], 3) == 0.895
    assert numbers["r2_ceiling"]["value"] == pytest.approx(0.801)
    floors = {k: round(v["rmse_floor"]["value"], 2) for k, v in numbers["readings"].items()}
    assert floors == {
        "between-sessions": 4.03,
        "session-vs-mean": 8.06,
        "noise-sd": 5.7,
        "mean-item-sd": 7.14,
    }
    for judged in numbers["echocotr"].values():
        refuted = {r["convention"]: r["refuted"] for r in judged["readings"]}
        assert not refuted["between-sessions"] and not refuted["noise-sd"]
        assert refuted["session-vs-mean"]
    merged = numbers["readings"]["session-vs-mean"]
    assert round(merged["reliability"]["value"], 3) == 0.283
    assert round(merged["correlation_ceiling"]["value"], 3) == 0.532
    simulated = numbers["derivation_simulated"]
    assert simulated["rmse_between_rounds_over_sigma"] == pytest.approx(2**0.5, rel=0.03)
    assert simulated["correlation_of_the_truth_with_one_round"] == pytest.approx(
        simulated["root_of_it"], abs=0.02
    )


def test_picks_have_intervals(run):
    numbers = run("afd")
    for name in ("ES", "ED", "LIDC"):
        mae = numbers[name]["mae"]
        assert mae["low"] < mae["value"] < mae["high"]
    assert numbers["ES"]["paper"] == 2.0 and numbers["ED"]["paper"] == 2.4
    # Shared difficulty: the fit is too small, the bracket is not.
    shared = numbers["shared_difficulty"]
    assert shared["relative_bias"] < 0
    low, high = (shared["bracket"]["log_concave"][end] for end in ("low_limit", "high_limit"))
    assert low < shared["true_mae"] < high


def test_theory_in_numbers(run):
    numbers = run("theory")
    assert numbers["floors"]["mae_laplace"][:3] == pytest.approx([1.0, 0.75, 0.625])
    assert numbers["symmetry"]["largest_gap_of_the_difference_laws"] < 1e-12
    assert all(0.5 <= r["low"] <= r["high"] <= 0.75 for r in numbers["bracket"].values())
    shares = numbers["concentration"]
    assert shares["Gaussian"] == pytest.approx(0.558, abs=1e-3)
    assert shares["Laplace"] == pytest.approx(0.704, abs=1e-3)
    assert shares["uniform"] == pytest.approx(0.386, abs=1e-3)
    assert numbers["product"]["0"]["negative"] == pytest.approx(0.5, abs=0.15)


def test_a_regression_meets_its_floor(run):
    numbers = run("floor_regression")
    floor = numbers["regression"]["rmse_floor"]
    reached = numbers["regression"]["reached"]
    truth = reached["the truth itself"]
    assert truth["rmse"]["low"] < floor["value"] < truth["rmse"]["high"]
    for row in reached.values():
        assert row["true_rmse"]["low"] <= row["true_rmse_known"] <= row["true_rmse"]["high"]
    for cell in numbers["readers"]["mean_of_k"].values():
        assert cell["predicted"]["low"] < cell["reached"]["high"]
        assert cell["reached"]["low"] < cell["predicted"]["high"]


def test_slopes_have_intervals(run):
    series = run("scaling_laws")["series"]
    dice = series["EchoNet-Dynamic, Dice (digitised)"]
    slope = dice["log_slope"]
    assert round(slope["value"], 2) == 0.16 and slope["low"] < slope["value"] < slope["high"]
    assert dice["models"][0]["law"] == "hinge"
    assert not dice["one_million_in_the_interval_of_the_hinge"]
    published = run("scaling_laws")["published_slopes"]["synthetic"]["aFD, human"]["dimension"]
    assert round(published["quadratic"]["value"], 1) == 26.7
    assert round(published["first-order"]["value"], 1) == 13.3


def test_the_generated_folder_is_in_the_format(run, out):
    run("sampling_rates")
    folder = read_echonet(out / "echo_folder" / "echonet")
    assert folder.variant == "dynamic" and len(folder.clips) == len(folder.videos.files) == 10
    name = folder.clips["clip"].iloc[0]
    assert folder.clip(name).shape == (60, 56, 56)
    planted = json.loads((out / "echo_folder" / "planted.json").read_text())["planted"]
    phases = folder.phases().set_index("clip")
    for clip, defects in planted.items():
        if "swapped areas" in defects:  # told apart by area, whatever the list says
            assert phases.loc[clip, "ed_area_px2"] > phases.loc[clip, "es_area_px2"]


def test_the_audit_finds_what_was_planted(run, out):
    numbers = run("corrupted")
    found_as = {
        "frozen": {"frozen"},
        "dark": {"black"},
        "noise": {"sector"},
        "short trace": {"rows"},
        "swapped areas": {"ed_below_es"},
        "near phases": {"phases_close"},
        "several annotators": {"several_annotators"},
    }
    for clip, row in numbers["planted"].items():
        for defect in row["defects"]:
            assert found_as.get(defect, set()) <= set(row["found"]), (clip, row)
    assert numbers["found_without_a_planted_defect"] == []
    assert (out / "corrupted.csv").read_text().startswith("item,reason,score,evidence")


def test_prompt_extremes(run):
    numbers = run("prompts")
    least, most = ([row["answer"] for row in numbers[side]] for side in ("least", "most"))
    assert least == sorted(least) and most == sorted(most, reverse=True)
    assert max(least) <= min(most)


def test_shares_of_the_worst_have_their_null(run):
    numbers = run("error_concentration")
    for model in (*numbers["models"]["models"].values(), numbers["reader"]):
        assert 0 < model["worst_share"]["value"] < 1
        null = model["null"]["worst_share"]
        assert null["low"] < null["value"] < null["high"]
        assert 0 <= model["excess"]["p_value"] <= 1


def test_table_one(run):
    numbers = run("camus_table")
    # 0.8503/(2 − 0.8503) = 0.7396 > 0.7269: means over the same frames cannot do that.
    assert numbers["cells_with_iou_below_what_dice_allows"] == ["B4 L3"]
    assert numbers["tables"]["Dice, paper"]["B4 L2"] == pytest.approx(0.8521)
    assert set(numbers["best"].values()) == {"B4 L2"}


def test_command_names_what_there_is():
    with pytest.raises(AnnostatError, match="no script 'fig9'"):
        analysis.main(["fig9"], standalone_mode=False)


def test_sizes_scatter_as_a_share_of_themselves(run):
    numbers = run("lidc")
    sizes = numbers["sizes"]
    assert sizes["diameter_mm, raw"]["noise_sd"]["low"] is None  # dominated: no interval
    share = sizes["diameter_mm, log"]["noise_sd"]
    assert share["low"] < share["value"] < share["high"]
    # The same number from the pairs themselves: Var(log a − log b) / 2.
    from annostat.datasets import lidc

    z = np.log(lidc("diameter_mm").values)
    within = np.nanvar(z, axis=1, ddof=1)
    k = np.isfinite(z).sum(axis=1)
    assert share["value"] == pytest.approx(np.sqrt((within @ (k - 1)) / (k - 1).sum()), rel=1e-9)
