"""What the house promises: rooms, one vocabulary, and things that are declared once."""

import inspect
import json
import os
import pkgutil
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

import annostat
from annostat import Rounds, bounds, simulate_masks, simulate_values
from annostat.arrays import digest
from annostat.ceilings import Bounds
from annostat.ceilings.floors import QUANTITIES
from annostat.labels import LabelKind, LabelSet, MaskRounds, kind_of
from annostat.report import make_report
from annostat.resampling import Sums
from annostat.results import Estimate, Measured, Quantity, Section
from annostat.study import study
from annostat.truth.result import QUANTITIES as OF_MODELS

ROOT = Path(__file__).parent.parent
ROOMS = sorted(m.name for m in pkgutil.iter_modules(annostat.__path__) if m.ispkg)


def test_rooms_import_one_way():
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stdout


# A kind of label in a few lines: angles in degrees, 359 and 1 being 2 apart.
@dataclass(frozen=True, eq=False)
class Angles(LabelSet):
    values: np.ndarray
    names: tuple
    items: np.ndarray = None
    cluster: np.ndarray = None
    stratum: np.ndarray = None
    exchangeable: bool = False
    notes: tuple = ()

    @property
    def present(self):
        return np.isfinite(self.values)

    def take(self, rows):
        cut = (None if c is None else c[rows] for c in (self.items, self.cluster, self.stratum))
        return Angles(self.values[rows], self.names, *cut, self.exchangeable, self.notes)

    def choose(self, names):
        return replace(
            self, names=tuple(names), values=self.values[:, [self.names.index(n) for n in names]]
        )

    def digest(self):
        return digest(self.values)


@dataclass(frozen=True)
class AngleNoise(Measured):
    mean_difference: Estimate
    unit: str = "°"

    title = "Noise of an angle"
    quantities = (
        Quantity("mean_difference", "two annotations differ by", unit="labels"),
        Quantity(
            "floor",
            "floor of the error, half of that",
            unit="labels",
            role="floor",
            value=lambda a: a.mean_difference.scaled(0.5),
        ),
    )


def angle_noise(angles):
    d = np.abs((np.diff(angles.values, axis=1)[:, 0] + 180) % 360 - 180)
    sums = Sums.of(np.column_stack([d, np.ones_like(d)]))

    def mean(t):
        return t[..., 0] / t[..., 1]

    interval = sums.interval(mean, method="t", level=0.95)
    return AngleNoise(Estimate(sums.value(mean), sums.standard_error(mean), interval))


def test_a_kind_of_label_that_is_declared_here():
    g = np.random.default_rng(1)
    z = (g.uniform(0, 360, (60, 1)) + g.normal(0, 5, (60, 3))) % 360
    angles = Angles(z, ("a", "b", "c"), stratum=np.repeat(["x", "y"], 30))
    assert angles.readings.tolist() == [3] * 60 and angles.n_raters == 3
    assert {k: len(v.values) for k, v in angles.strata().items()} == {"x": 30, "y": 30}
    found = angle_noise(angles.choose(["a", "c"]))
    page = make_report([found], title="Angles")
    for text in (str(found), json.dumps(found.to_dict(), ensure_ascii=False), page):
        assert found.mean_difference.short() in text or "mean_difference" in text
    assert "floor of the error, half of that" in str(found) and "Noise of an angle" in page
    assert list(found.to_frame()["quantity"]) == ["mean_difference", "floor"]
    assert found.to_dict()["floor"]["unit"] == "°"


@pytest.mark.parametrize("kind", ["values", "masks", "declared here"])
def test_one_vocabulary_for_labels(kind):
    """`names`, `items`, `present`, `take`, `choose`, `strata`, `digest` mean the same for all."""
    if kind == "masks":
        labels, _ = simulate_masks(6, n_raters=3, noise_px=1.0, rng=1)
        labels = replace(labels, stratum=np.array(list("aabbbb"), dtype=object))
    else:
        values = simulate_values(6, noise_sd=1, truth_sd=3, n_rounds=3, rng=1).values
        columns = dict(
            items=np.array(list("uvwxyz"), dtype=object),
            stratum=np.array(list("aabbbb"), dtype=object),
        )
        make = Angles if kind == "declared here" else Rounds
        labels = make(values, ("p", "q", "r"), **columns)
    assert labels.present.shape == (6, 3) == (len(labels.items), labels.n_raters)
    first, last = labels.names[0], labels.names[-1]
    assert labels.choose([last, first]).names == (last, first)
    some = labels.take(np.array([4, 1]))
    assert list(some.items) == [labels.items[4], labels.items[1]]
    assert some.present.shape == (2, 3)
    assert {k: len(v.items) for k, v in labels.strata().items()} == {"a": 2, "b": 4}
    assert labels.digest() == labels.take(np.arange(6)).digest() != some.digest()
    assert labels.cluster is None and labels.exchangeable is False and labels.notes == ()


def test_which_kind_a_column_is_has_one_rule():
    """Study, scores and report ask the same function, which a new kind joins by one line."""
    near = Rounds.from_array([[10, 12], [31, 30], [7, 7]])
    volumes = Rounds.from_array(50_000 + np.array([[10, 2012], [31, 30], [7, 7]]))
    assert kind_of(near).picks and not kind_of(near).sure
    assert not kind_of(volumes).picks
    assert (
        not kind_of(replace(near, unit="%")).picks and kind_of(replace(near, unit="frames")).picks
    )
    assert kind_of(replace(near, length=np.array([50, 50, 50]))).sure
    grades = LabelKind("grades", "1 to 5", lambda r: np.nanmax(r.values) <= 5, lambda r: False)
    few = Rounds.from_array([[1, 2], [5, 5]])
    from annostat.labels.kinds import LABEL_KINDS

    assert kind_of(few, kinds=(grades, *LABEL_KINDS)).name == "grades"
    assert kind_of(near, kinds=(grades, *LABEL_KINDS)).name == "picks"


MEDIAN = Quantity(
    "median_error_floor",
    "floor of the median error",
    unit="labels",
    role="floor",
    head="median floor",
    meaning="Median error of a perfect model with Gaussian noise.",
    calibrated="interval: noise_sd, bootstrap-t",
    value=lambda b: b.noise_sd.scaled(0.6745),
)


def test_a_quantity_that_is_declared_here(monkeypatch):
    """One entry of a tuple: text, JSON, frame, page, and the readings of published numbers."""
    monkeypatch.setattr(Bounds, "quantities", (*QUANTITIES, MEDIAN))
    rounds = simulate_values(60, noise_sd=4.0, truth_sd=11.0, rng=1)
    found = bounds(replace(rounds, unit="ml"))
    value = found.noise_sd.scaled(0.6745)
    row = next(line for line in str(found).splitlines() if "floor of the median error" in line)
    assert value.short() in row and "ml" in row
    assert found.to_dict()["median_error_floor"] == value.to_dict()
    frame = found.to_frame().set_index("quantity")
    assert frame.loc["median_error_floor", "value"] == value.value
    assert "floor of the median error" in make_report([found])


def test_what_every_quantity_says():
    """Meaning for the docs, and the outcome of the calibration study that its interval rests on."""
    import pandas as pd

    studies = ROOT / "docs" / "studies"
    studied = {w for f in ("calibration", "raters") for w in pd.read_csv(studies / f"{f}.csv").what}
    for q in (*QUANTITIES, *OF_MODELS):
        assert q.meaning.endswith("."), q.key
        assert q.calibrated in studied, (q.key, q.calibrated)
        assert not q.few or q.few in studied, (q.key, q.few)


def test_a_table_refuses_a_row_that_does_not_fit():
    with pytest.raises(ValueError, match="a row of 3 cells for the 2 columns a, b"):
        Section("t", ("a", "b"), [["1", "2", "3"]])


@pytest.mark.parametrize("room", ROOMS)
def test_no_name_hides_a_module(room):
    package = __import__(f"annostat.{room}", fromlist=["x"])
    modules = {m.name for m in pkgutil.iter_modules(package.__path__)}
    assert not modules & set(getattr(package, "__all__", ()))


def test_public_rooms_are_there_after_import():
    code = (
        "import annostat; [getattr(annostat, n) for n in annostat.__all__]; annostat.noise.FAMILIES"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_old_names_work_for_a_release():
    for place, name in (
        ("annostat.rounds", "Rounds"),
        ("annostat.estimates", "Estimate"),
        ("annostat.masks", "MaskRounds"),
        ("annostat.masks", "staple"),
        ("annostat.noise", "pair_mae"),
    ):
        module = __import__(place, fromlist=["x"])
        with pytest.warns(DeprecationWarning, match=f"{place}.{name} is now annostat"):
            assert getattr(module, name) is not None
    with pytest.warns(DeprecationWarning, match="n_simulated is now n_resamples"):
        annostat.concentration.concentration([1.0, 2.0, 4.0, 3.0], noise="laplace", n_simulated=19)
    masks = MaskRounds.from_arrays({"a": np.ones((1, 3, 3)), "b": np.ones((1, 3, 3))})
    with pytest.warns(DeprecationWarning, match="choose"):
        assert masks.select(["b"]).names == ("b",)


def public_functions():
    """Yield every public function with the name of its room."""
    seen = set()
    for room in ("", *ROOMS, "simulate", "study"):
        module = __import__(f"annostat.{room}".rstrip("."), fromlist=["x"])
        for name in getattr(module, "__all__", ()):
            function = getattr(module, name)
            if inspect.isfunction(function) and function not in seen:
                seen.add(function)
                yield room, name, function


DRAWS = {"as_generator", "seed_of", "spawn"}  # what an rng is handed to


def test_randomness_counts_and_clusters_have_one_name_and_one_default():
    seen = 0
    for room, name, function in public_functions():
        parameters = inspect.signature(function).parameters
        kinds = {p.kind for p in parameters.values()}
        assert inspect.Parameter.VAR_KEYWORD not in kinds, (room, name)
        if "rng" in parameters and name not in DRAWS:
            want = None if name.startswith("simulate_") else 0
            assert parameters["rng"].default == want, (room, name)
        assert not {"n_simulated", "n_swaps", "n_permutations", "n_check", "n_boot"} & set(
            parameters
        )
        assert not {"clusters", "codes", "groups"} & set(parameters), (room, name)
        for option, default in (("level", 0.95), ("n_jobs", 1), ("progress", None)):
            if option in parameters and parameters[option].default is not inspect.Parameter.empty:
                assert parameters[option].default == default, (room, name, option)
        seen += 1
    assert seen > 60


def test_files_are_short_and_have_one_subject():
    """500 lines at most, but tables of data and kernels."""
    for path in (ROOT / "annostat").rglob("*.py"):
        if "kernels" not in path.parts and path.name not in ("families.py", "kernels.py"):
            assert len(path.read_text(encoding="utf-8").splitlines()) <= 500, path


def test_a_study_is_everything_that_a_table_allows():
    rounds = simulate_values(40, noise_sd=4.0, truth_sd=11.0, rng=1)
    model = rounds.values.mean(axis=1)
    found = study(rounds, {"m": model}, n_resamples=99)
    assert [type(r).__name__ for r in found.results] == [
        "MeasuredBounds",
        "Scores",
        "Concentration",
    ]
    json.dumps(found.to_dict(), allow_nan=False)
    assert set(found.to_frame()["result"]) == {"MeasuredBounds", "Scores", "Concentration"}
    whole = study(replace(rounds, values=rounds.values.round()))
    assert whole.kind.picks and whole.noise is not None and whole.bounds is not None
    assert [c.name for c in whole.checks] == ["kind"]
    # One number has one interval on a page of labels that may be picks.
    assert whole.bounds.mae_floor.value == whole.noise.envelope.value
    assert whole.bounds.pair_mae == whole.noise.pair_mae
    assert "sampling error" not in str(whole.bounds)
    assert study(rounds, kind="values").noise is None


@pytest.mark.parametrize(
    ("pattern", "home"),
    [
        (r"^FloatArray\b.*=", "arrays.py"),
        (r"stdtrit\(.*\(1 \+ (self\.)?level\) / 2", "resampling/intervals.py"),
        (r"ndtri\(\(1 \+ level\) / 2", "resampling/intervals.py"),
        (r"1\.9599", "resampling/intervals.py"),
    ],
)
def test_what_has_one_home(pattern, home):
    found = [
        path.relative_to(ROOT / "annostat").as_posix()
        for path in (ROOT / "annostat").rglob("*.py")
        if re.search(pattern, path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert [path for path in found if path != home] == []
