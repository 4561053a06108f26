"""Masks of whole clips, their scores beside the bounds, and the commands."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from annostat import AnnostatError, NoiseModel
from annostat.cli import cli
from models import evaluate as evaluate_command
from models.checkpoints import build_student, save_weights
from models.config import Config, Data, Net, Train
from models.data.clips import open_store
from models.data.readings import read_noise, read_readings
from models.data.reference import truth_of
from models.data.store import Store
from models.evaluation import ALL_COLUMNS, bias_lines, evaluate
from models.figures import plot_evaluation
from models.means import mean_estimate
from models.predictions import Drawn, Predictions, beat_of
from models.scores import Row, human_overlaps, overlaps, score
from models.world.annotators import Noise, annotate, draw_outlines
from models.world.phantom import make_clip
from tests.folders import EchoFolder, write_camus

CONFIG = Config(
    Data(size=32, frames=24, n_train=1, n_valid=1, n_test=16, structures=("LV", "LA")),
    Net(blocks=2, layers=1, filters=2),
    Train(window=8),
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def store(cache):
    return open_store(CONFIG.data, "test", cache)


@pytest.fixture(scope="module")
def student():
    torch.manual_seed(0)
    return build_student(CONFIG).eval()


@pytest.fixture(scope="module")
def weights(student, tmp_path_factory):
    path = tmp_path_factory.mktemp("w") / "best.safetensors"
    save_weights(path, student.state_dict(), CONFIG, {})
    return path


def perfect(store):
    """Return the predictions of a model that knows the truth."""
    clips = [store.clip(k) for k in range(len(store))]
    outlines = np.stack([c.targets[[c.facts["ed"], c.facts["es"]], 0] >= 128 for c in clips])
    counts = [np.repeat((c.targets >= 128).sum((2, 3)).T[..., None], 3, axis=2) for c in clips]
    return Predictions(
        store.names,
        counts,
        outlines,
        np.array([float(c.facts["es"]) for c in clips]),
        np.array([c.facts["ef"] for c in clips]),
        ed=np.array([float(c.facts["ed"]) for c in clips]),
    )


def run(command, *arguments):
    with pytest.raises(SystemExit) as end:
        command.main([str(a) for a in arguments])
    return end.value.code


# ---- scores


def test_a_perfect_model_meets_the_bounds(store):
    """Scored like a model, the truth reaches what the two rounds predict of a perfect one."""
    noise = Noise(0.8, NoiseModel.with_mae("laplace", 2.0), 5.0)
    rows = {
        r.name: r for r in score(perfect(store), store, annotate(truth_of(store), noise, seed=2))
    }
    assert rows["Dice at ED and ES"].truth.value == 1
    assert rows["aFD of ES"].truth.value == rows["aFD of ED"].truth.value == 0
    bias = rows.pop("Bias of EF")
    assert bias.truth.value == 0 and abs(bias.one.value) < 3 * bias.one.standard_uncertainty
    for row in rows.values():
        gap = row.one.value - row.bound.value
        spread = np.hypot(row.one.standard_uncertainty, row.bound.standard_uncertainty or 0)
        assert abs(gap) < 3 * spread, row.name


def test_overlaps_against_plain_means(store):
    found = overlaps(perfect(store), ("LV", "LA"))
    assert found["LV"]["dice"].value == 1 and found["LA"]["iou"].value == 1
    counts = np.array([[[2, 3, 5], [0, 0, 0]]])
    other = Predictions(["a", "b"], [counts, counts], None, np.zeros(2), np.zeros(2))
    assert overlaps(other, ("LV",))["LV"]["dice"].value == pytest.approx((4 / 8 + 1) / 2)
    assert overlaps(other, ("LV",))["LV"]["iou"].value == pytest.approx((2 / 6 + 1) / 2)


def test_means_with_intervals():
    values = np.random.default_rng(0).gamma(2, 1, 200)
    plain = mean_estimate(values)
    assert plain.value == pytest.approx(values.mean()) and plain.low < 2 < plain.high
    assert plain.standard_uncertainty == pytest.approx(values.std(ddof=1) / 200**0.5, rel=1e-6)
    root = mean_estimate(values**2, root=True)
    assert root.value == pytest.approx(np.sqrt(np.mean(values**2))) and root.low < root.value
    share = mean_estimate(1 - values / 20, share=True)
    assert share.value == pytest.approx(1 - values.mean() / 20) and share.high < 1
    gone = mean_estimate(np.array([1.0, np.nan, 3.0]))
    assert gone.value == 2 and "1 of 3 have none" in gone.note
    assert np.isnan(mean_estimate(np.array([np.nan])).value)


def test_overlaps_of_few_clips_stay_between_0_and_1():
    for values in ([0.02, 0.15, 0.97], [0.1, 0.1, 1.0], [0.0, 0.0, 0.5, 1.0]):
        share = mean_estimate(np.array(values), share=True)
        assert 0 <= share.low < share.value < share.high <= 1
    assert mean_estimate(np.ones(4), share=True).interval is None
    signed = mean_estimate(np.array([-3.0, -1.0, 2.0]), signed=True)
    assert signed.low < signed.value < 0 < signed.high


def test_a_biased_ejection_fraction_is_said():
    gap = np.random.default_rng(0).normal(-3, 2, 40)
    row = Row("Bias of EF", human=mean_estimate(gap, signed=True, unit="points"))
    assert "too low, against people: by -3" in bias_lines([row])[0].replace("−", "-")
    row = Row("Bias of EF", one=row.human, two=mean_estimate(-gap, signed=True))
    assert "too high, against both annotators: by 3" in bias_lines([row])[0]
    fair = Row("Bias of EF", human=mean_estimate(gap - gap.mean() + 0.1, signed=True))
    assert bias_lines([fair]) == bias_lines([]) == []


def test_beat_is_read_from_soft_masks(store):
    for k in range(5):
        clip = store.clip(k)
        es, ef = beat_of(np.asarray(clip.targets[:, 0]), clip.facts["beat"])
        assert abs(es - clip.facts["es"]) <= 2
        assert abs(ef - clip.facts["ef"]) < 8  # a ventricle of 300 pixels
    assert np.isnan(beat_of(np.zeros((9, 4, 4), np.uint8), None)).all()


def test_evaluation_of_the_phantom(weights, cache, tmp_path, capsys):
    arguments = [weights, "--out", tmp_path, "--cache", cache, "--pad", 5, "--quiet"]
    assert run(evaluate_command, *arguments) == 0
    found = json.loads((tmp_path / "evaluation.json").read_text())
    assert set(found) == {
        "scores",
        "afd",
        "afd_ed",
        "ef",
        "first_frames",
        "settled",
        "remedies",
        "concentration",
        "interchange",
        "notes",
        "provenance",
    }
    names = {
        "Dice LV, all frames",
        "IoU LV, all frames",
        "Dice LA, all frames",
        "IoU LA, all frames",
        "Dice at ED and ES",
        "IoU at ED and ES",
        "aFD of ES",
        "aFD of ED",
        "RMSE of EF",
        "Bias of EF",
    }
    assert set(found["scores"]) == names
    for name in ("Dice at ED and ES", "aFD of ES", "RMSE of EF"):
        assert all(
            found["scores"][name][c]["value"] is not None for c in ("truth", "one", "two", "bound")
        )
    assert found["provenance"]["options"]["pad"] == 5
    # An untrained student is worse than a person in everything that it says something of.
    places = found["interchange"]
    assert places["outlines LV"]["models"][0]["verdict"] == "worse than a reader"
    assert found["remedies"]["pad"] == 5 and len(found["remedies"]["means"]["padded"]) == 10
    page = (tmp_path / "evaluation.html").read_text()
    assert "In a person's place" in page.replace("&#39;", "'") and "frame 0" in page
    assert (tmp_path / "evaluation.png").stat().st_size > 10_000
    assert "perfect model" in capsys.readouterr().out


def exact_echonet(folder, *, n=12, frames=150, size=32):
    """Write an EchoNet folder of phantom clips of several beats, its outlines and its masks.

    On the frames of ED and ES two people drew, off by 0.8 pixels; `rounds.csv` has what they read.
    """
    rng = np.random.default_rng(3)
    made, hearts = EchoFolder(), EchoFolder.make(1, n_frames=8, size=size).rows[0]
    (folder / "T").mkdir(parents=True)
    rows = ["clip,es_first,es_second,ed_first,ed_second,EF 1,EF 2"]
    for k in range(n):
        # Of hearts that hardly beat people's outlines would tell ED and ES apart by chance.
        clip = make_clip(5, k, size=size, frames=frames, ef=rng.uniform(35, 70))
        name = f"0X{k:015X}"
        made.clips[name] = clip.frames
        facts = {"FileName": name, "EF": clip.ef, "FPS": clip.fps, "NumberOfFrames": frames}
        made.rows.append({**hearts, **facts, "Split": "TEST"})
        for frame in (clip.es, clip.ed):
            truth = clip.mask("LV")[frame]
            for _ in range(2):
                drawn = draw_outlines(truth[None], noise_px=0.8, rng=rng)[0]
                made.traces.append((name, frame, chords(drawn)))
        es = clip.es + np.rint(rng.laplace(0, 2, 2))
        ef = clip.ef + rng.normal(0, 5, 2)
        ed = clip.ed + np.rint(np.random.default_rng([4, k]).laplace(0, 2, 2))
        read = [*(f"{v:.0f}" for v in (*es, *ed)), *(f"{v:.2f}" for v in ef)]
        rows.append(",".join([f"{name}.avi", *read]))
        masks = 255 * clip.mask("LV").astype(np.uint8)
        np.savez_compressed(folder / "T" / f"{name}.npz", masks)
    (folder / "rounds.csv").write_text("\n".join(rows) + "\n")
    return made.write(folder / "E", codec="ffv1")


def chords(mask):
    """Return a long axis and 20 horizontal chords of a mask, from its top to its bottom."""
    rows = np.flatnonzero(mask.any(axis=1))
    ends = [
        [y, *(np.flatnonzero(mask[y])[[0, -1]])]
        for y in np.linspace(rows[0], rows[-1], 20).round().astype(int)
    ]
    middle = np.mean([(a + b) / 2 for _, a, b in ends])
    axis = [[[middle, rows[0] - 0.5], [middle + 0.01, rows[-1] + 0.5]]]
    return np.array(axis + [[[a, y], [b, y]] for y, a, b in ends], dtype=float)


class Exact(torch.nn.Module):
    """A student that looks its masks up by the frame."""

    def __init__(self, store):
        super().__init__()
        self.head = torch.nn.Conv2d(1, 1, 1)
        self.known = {store.frames[t].tobytes(): store.targets[t] for t in range(len(store.frames))}

    def forward(self, frames, states):
        masks = [self.known[f.numpy().tobytes()] for f in frames[0]]
        return torch.from_numpy(np.stack(masks)).float()[None] / 255 * 40 - 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("echo")
    exact_echonet(path)
    return path


def test_exact_masks_of_an_echonet_folder(folder, tmp_path):
    """150 frames of several beats: within a frame of the labels, and people's outlines met."""
    data = Data(
        kind="echonet", path=str(folder / "E"), size=32, teachers=(f"LV=folder:{folder / 'T'}",)
    )
    store = open_store(data, "test", tmp_path)
    assert store.kind == "teachers" and len(store) == 12
    result, found = evaluate(Exact(store).eval(), store, Config(data))
    rows = {r.name: r for r in result.rows}
    outlined = rows["Dice LV, outlined frames"]
    gap = outlined.human.value - outlined.bound.value
    assert abs(gap) < 3 * np.hypot(outlined.human.standard_uncertainty, 0.02)
    assert rows["Dice LV, outlined frames"].teachers.value == 1
    assert rows["Dice LV, all frames"].teachers.value == 1
    assert rows["Dice LV, all frames"].human is None
    assert rows["aFD of ES"].human.value < 1.5  # masks of 100 pixels
    assert rows["aFD of ED"].human.value < 2
    assert result.places["outlines LV"].taken.names == ("annotator 1", "annotator 2")
    # Exact masks need no remedy, and a student without memory none against the first frame.
    assert all(not errors.any() for errors in result.remedies.errors.values())
    assert result.afd.scores["blind"].afd.value > 10
    assert abs(rows["Bias of EF"].human.value) < 5
    text = str(result)
    assert "against people" in text and "against the teachers' masks" in text
    assert "looks at the label" in text
    figure = plot_evaluation(result, found, store.facts)
    assert figure.axes
    # Without a teacher nothing is missing but their column.
    bare = open_store(dataclasses.replace(data, teachers=()), "test", tmp_path)
    one, _ = evaluate(Exact(store).eval(), bare, Config(data))
    again = {r.name: r for r in one.rows}
    assert again["Dice LV, outlined frames"].human == rows["Dice LV, outlined frames"].human
    assert all(row.teachers is None for row in one.rows) and one.first is None
    assert set(one.to_frame()["against"]) == {"human", "bound"}


def test_a_perfect_student_sits_at_the_floor_of_real_clips(folder, tmp_path):
    """With two rounds of picks and of ejection fractions, as on the phantom."""
    data = Data(
        kind="echonet", path=str(folder / "E"), size=32, teachers=(f"LV=folder:{folder / 'T'}",)
    )
    store = open_store(data, "test", tmp_path)
    readings, told = read_readings(folder / "rounds.csv", store)
    assert told.endswith("ES: es_first, es_second; ED: ed_first, ed_second; EF: EF 1, EF 2")
    assert readings.es.n_items == 12 and np.isfinite(readings.es.values).all()
    result, _ = evaluate(Exact(store).eval(), store, Config(data), readings=readings)
    rows = {r.name: r for r in result.rows}
    for name in ("aFD of ES", "aFD of ED", "RMSE of EF"):
        one, bound = rows[name].one, rows[name].bound
        spread = np.hypot(one.standard_uncertainty, bound.standard_uncertainty or 0)
        assert abs(one.value - bound.value) < 3 * spread, name
    assert result.afd.scores["beat"].floor is not None and result.concentration is not None
    assert result.ef.ceiling is not None and rows["RMSE of EF"].estimated is not None
    assert result.afd_ed.scores["beat"].floor is not None
    # In a person's place it is better than a person, or not worse.
    assert set(result.places) == {"outlines LV", "ES", "ED", "EF"}
    for name, place in result.places.items():
        assert place.models[0].change.value < 0, name
        assert place.models[0].standing.name != "worse than a reader"
    assert result.places["outlines LV"].models[0].standing.name == "better than a reader"
    text = str(result)
    assert "what several people said" in text and "aFD of ED" in text
    assert "The student in a person's place" in text


class Blind(torch.nn.Module):
    """A student that sees nothing anywhere."""

    def __init__(self):
        super().__init__()
        self.head = torch.nn.Conv2d(1, 1, 1)

    def forward(self, frames, states):
        return torch.full((*frames.shape[:2], 1, *frames.shape[-2:]), -20.0)


def test_a_student_that_sees_nothing_is_said_to(folder, tmp_path):
    data = Data(
        kind="echonet", path=str(folder / "E"), size=32, teachers=(f"LV=folder:{folder / 'T'}",)
    )
    store = open_store(data, "test", tmp_path)
    readings, _ = read_readings(folder / "rounds.csv", store)
    result, _ = evaluate(Blind().eval(), store, Config(data), readings=readings)
    assert result.first is None and result.settled == () and result.remedies is None
    text = str(result)
    assert "No ejection fraction in 12 of 12 clips: nothing is seen at ED." in text
    assert "No frame has a Dice above 0: nothing is said of the first frames." in text
    assert "flat from frame" not in text and "no clip has a value" in text
    place = result.places["outlines LV"].models[0].standing
    assert place.p_value == place.p_worse and place.words() == "worse than a reader (p < 0.001)"


# ---- what people read


def clips_of(names, facts=()):
    n, facts = len(names), list(facts) or [{} for _ in names]
    return Store(names, np.ones(n, np.int64), np.zeros((n, 4, 4), np.uint8), None, facts)


def test_readings_of_some_clips(tmp_path):
    table = tmp_path / "r.csv"
    table.write_text("clip,es_1,es_2,ESV\nb.avi,3,4,9\nz,1,1,9\na,7,,9\n")
    found, told = read_readings(table, clips_of(["a", "x.y", "b"]))
    wanted = [[7, np.nan], [np.nan] * 2, [3, 4]]
    assert np.array_equal(found.es.values, wanted, equal_nan=True)
    assert found.es.unit == "frames" and found.ed is None and found.ef is None
    assert told == "r.csv: ES: es_1, es_2; not used: ESV"
    with pytest.raises(AnnostatError, match="readings of 1 of 2 clips, not of c: its column clip"):
        read_readings(table, clips_of(["a", "c"]))


def test_a_single_column_is_the_round_after_the_folders_own(tmp_path):
    """Such as a second FileList.csv, of which EF alone is taken."""
    table = tmp_path / "FileList.csv"
    table.write_text("FileName,EF,ESV,EDV,FPS,Split\na,51.5,30,60,50,TEST\nb,62,30,60,50,TEST\n")
    store = clips_of(["b", "a", "c"], [{"ef": 60.0}, {"ef": 50.0}, {"ef": 40.0}])
    found, told = read_readings(table, store)
    wanted = [[60, 62], [50, 51.5], [40, np.nan]]
    assert np.array_equal(found.ef.values, wanted, equal_nan=True)
    assert found.ef.names == ("the folder's", "EF") and found.es is None
    assert told == "FileList.csv: EF: the folder's, EF; not used: ESV, EDV, FPS, Split"
    with pytest.raises(AnnostatError, match="one column of EF, EF, and the clips' folder"):
        read_readings(table, clips_of(["a", "b"]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clip,first,second\na,1,2\nb,1,2\n", r"columns clip, first, second: name the clips in"),
        ("who,es_1,es_2\na,1,2\nb,1,2\n", r"such as clip,es_first,es_second,ef_first"),
        ("clip,ESV,edition\na,1,2\nb,1,2\n", r"es…, ed… \(picked frames, from 0\) or ef…"),
        ("clip,es_1,es_2\na,1,2\na,1,2\nb,1,2\n", "more than one row of a: keep one"),
        ("clip,es_1,es_2\na,1,early\nb,1,2\n", "column 'es_2' holds text"),
    ],
)
def test_tables_of_readings_that_are_refused(text, message, tmp_path):
    table = tmp_path / "r.csv"
    table.write_text(text)
    with pytest.raises(AnnostatError, match=message):
        read_readings(table, clips_of(["a", "b"]))


def test_noise_that_was_fitted_elsewhere(tmp_path):
    rounds = tmp_path / "r.csv"
    lines = [f"{k},{10 + (k * 7) % 5},{10 + (k * 3) % 4}" for k in range(40)]
    rounds.write_text("\n".join(["clip,first,second", *lines]) + "\n")
    written = tmp_path / "fit.json"
    options = ["--item", "clip", "--core", "laplace", "--abandonment", "none", "--resamples", "19"]
    done = CliRunner().invoke(cli, ["fit-afd", str(rounds), *options, "--json", str(written)])
    assert done.exit_code == 0, done.output
    noise = read_noise(written)
    assert noise.value > 0 and noise.unit == "frames" and noise.low < noise.value < noise.high
    with pytest.raises(AnnostatError, match="no result of annostat fit-afd"):
        read_noise(rounds)


def test_people_are_averaged_frame_by_frame():
    counts = np.array([[4, 4, 4], [0, 4, 4], [2, 4, 4], [4, 4, 4]])
    drawn = Drawn(np.array([0, 0, 0, 1]), np.array([3, 3, 8, 5]), np.zeros(4, np.int64), counts)
    found = Predictions(["a", "b"], [], None, np.zeros(2), np.zeros(2), [], drawn)
    dice = human_overlaps(found, ("LV",))["LV"]["dice"]
    assert dice.value == pytest.approx(((1 + 0) / 2 + 0.5 + 1) / 3)
    assert human_overlaps(found, ("LV",), teachers=True) == {}


def test_camus_labels_are_peoples(student, tmp_path):
    path, _ = write_camus(tmp_path / "C", n=6)
    data = Data(kind="camus", path=str(path), size=32, structures=("LV", "LA"))
    for split in ("train", "valid", "test"):
        store = open_store(data, split, tmp_path)
        assert store.kind == "labels"
    result, _ = evaluate(student, store, Config(data, CONFIG.student))
    assert {c for row in result.rows for c in ALL_COLUMNS if getattr(row, c)} == {"human"}
    masks = tmp_path / "T"
    masks.mkdir()
    np.savez(masks / f"{store.names[0]}.npz", np.zeros((12, 32, 32), np.uint8))
    texts = tuple(f"{s}=folder:{masks}" for s in data.structures)
    taught = open_store(dataclasses.replace(data, teachers=texts, n_test=1), "test", tmp_path)
    result, _ = evaluate(student, taught, Config(data, CONFIG.student))
    rows = {row.name: row for row in result.rows}
    assert rows["Dice LV, outlined frames"].human and rows["Dice LV, all frames"].teachers
