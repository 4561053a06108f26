"""Answers of a vision-language model about clips, and masks scored against what they pick."""

import csv
import json
import os
import sys
import types

import numpy as np
import pytest
import torch
from torch import nn

from annostat import AnnostatError
from annostat.cardiac import pick_prominent, prompt_curve
from annostat.datasets.audit.prompts import read_prompts
from models import prompted, prompts
from models.data.clip_files import Whole
from models.data.images import squared
from models.prompted import by_chance, score_prompted
from models.prompts import CLOSED, OPENED, picked, read_curve
from models.vision import open_judge
from models.world.phantom import make_clip
from tests.folders import write_camus, write_clip

SIZE = 24
BRIGHT, DARK = (1.0, 0.0), (0.0, 1.0)
WORDS = {"bright": BRIGHT, "dark": DARK, CLOSED: BRIGHT, OPENED: DARK}
WORDS |= {"WALL": DARK, "NOTHING": DARK, "LEFT VENTRICLE": BRIGHT}


class Brightness(nn.Module):
    """A model for which a bright frame is a closed valve: its answers are known."""

    def encode_image(self, images):
        grey = images.mean((1, 2, 3))
        return torch.stack([grey, 1 - grey], 1)

    def encode_text(self, tokens):
        return torch.tensor([list(WORDS.values())[k] for k in tokens[:, 0]])


class Tiny(nn.Module):
    """A tiny random model."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.image = nn.Sequential(nn.Conv2d(3, 4, 5, stride=4), nn.ReLU(), nn.Flatten())
        self.out = nn.Linear(4 * 5 * 5, 8)
        self.word = nn.Embedding(300, 8)

    def encode_image(self, images):
        return self.out(self.image(images))

    def encode_text(self, tokens):
        return self.word(tokens).mean(1)


def to_tensor(image):
    image = image.resize((SIZE, SIZE))
    return torch.from_numpy(np.array(image, np.float32) / 255).permute(2, 0, 1)


def letters(texts):
    rows = [[ord(c) for c in text[:20]] + [0] * (20 - len(text)) for text in texts]
    return torch.tensor(rows)


@pytest.fixture
def library(monkeypatch):
    """What open_clip offers, with the models above; every call is kept."""
    calls = []

    def create_model_and_transforms(name, **options):
        calls.append((name, options, os.environ.get("HF_HUB_OFFLINE")))
        if "broken" in name:
            raise RuntimeError("Error(s) in loading state_dict for CLIP:\n\tsize mismatch")
        return Brightness() if "bright" in name else Tiny(), None, to_tensor

    def get_tokenizer(name):
        known = list(WORDS)
        codes = lambda texts: torch.tensor([[known.index(t), 0, 0] for t in texts])  # noqa: E731
        return codes if "bright" in name else letters

    fake = types.ModuleType("open_clip")
    fake.create_model_and_transforms = create_model_and_transforms
    fake.get_tokenizer = get_tokenizer
    fake.__version__ = "0"
    monkeypatch.setitem(sys.modules, "open_clip", fake)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    return calls


@pytest.fixture
def model(tmp_path):
    """A folder as open_clip writes one."""

    def make(name):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "open_clip_config.json").write_text("{}")
        (folder / "open_clip_model.safetensors").write_bytes(name.encode())
        return folder

    return make


def run(command, *arguments):
    with pytest.raises(SystemExit) as end:
        command.main([str(a) for a in arguments])
    return end.value.code


def beating(n=96, beat=32, first=20):
    """Frames that are bright from ED on until ES, and the frames of ES."""
    t = np.arange(n)
    bright = (t - first) % beat >= beat // 2
    frames = np.where(bright, 200, 40).astype(np.uint8)[:, None, None] * np.ones((1, 8, 8), "u1")
    return frames, [k for k in range(1, n) if bright[k - 1] and not bright[k]]


def test_answers_of_every_frame(library, model, tmp_path, capsys):
    """The files that the audit and the reference of the aFD read, and what they hold."""
    clips, out = tmp_path / "clips", tmp_path / "out"
    clips.mkdir()
    frames, ends = beating()
    np.save(clips / "a.npy", frames)
    np.save(clips / "b.npy", frames[5:])
    (clips / "c.npy").write_bytes(b"junk")
    (tmp_path / "p.txt").write_text("# of the picture\nbright\n\n  dark \n")
    folder = model("bright")
    asked = (folder, clips, "--out", out, "--prompts", tmp_path / "p.txt", "--phase")
    assert run(prompts, *asked) == 0
    said = capsys.readouterr().err
    assert "2 clips in" in said and "Without answers, see clips.csv: 1 clip: c (c.npy" in said
    grey = frames[:, 0, 0] / 255
    cosine = grey / np.hypot(grey, 1 - grey)
    answers = json.loads((out / "responses" / "a.json").read_text())
    assert list(answers) == ["bright", "dark"]
    assert answers["bright"] == pytest.approx(cosine, abs=1e-5)
    table = read_prompts(out / "responses")
    assert list(table.index) == ["a", "b"] and list(table.columns) == ["bright", "dark"]
    assert table.loc["a", "bright"] == pytest.approx(cosine.mean(), abs=1e-5)
    curve = read_curve(out / "phase" / "a.npy")
    assert curve == pytest.approx(prompt_curve(answers["bright"], answers["dark"]), abs=1e-4)
    assert pick_prominent(curve) + 1 in ends
    with open(out / "picks.csv") as file:
        rows = list(csv.DictReader(file))
    assert [r["clip"] for r in rows] == ["a", "b"]
    assert int(rows[0]["es"]) + 1 in ends and int(rows[1]["es"]) + 6 in ends
    with open(out / "clips.csv") as file:
        rows = list(csv.DictReader(file))
    assert [(r["frames"], bool(r["error"])) for r in rows] == [
        ("96", False),
        ("91", False),
        ("", True),
    ]
    facts = json.loads((out / "prompts.json").read_text())
    assert facts["prompts"] == ["bright", "dark"] and facts["valve"] == [CLOSED, OPENED]
    assert facts["model"] == "bright" and set(facts["weights"]) == {
        "open_clip_config.json",
        "open_clip_model.safetensors",
    }
    name, options, offline = library[0]
    assert name == f"local-dir:{folder}" and options["require_pretrained"] and offline == "1"
    assert "HF_HUB_OFFLINE" not in os.environ


def test_the_same_command_goes_on(library, model, tmp_path, monkeypatch, capsys):
    clips, out = tmp_path / "clips", tmp_path / "out"
    clips.mkdir()
    for name in "abc":
        np.save(clips / f"{name}.npy", beating()[0])
    asked = (model("bright"), clips, "--out", out, "--prompt", "dark", "--phase")
    calls, whole = [], prompts.answer

    def counted(*given):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return whole(*given)

    monkeypatch.setattr(prompts, "answer", counted)
    with pytest.raises((SystemExit, KeyboardInterrupt)):
        prompts.main([str(a) for a in asked])
    assert sorted(p.name for p in (out / "responses").iterdir()) == ["a.json"]
    before = (out / "responses" / "a.json").stat().st_mtime_ns
    assert run(prompts, *asked) == 0 and len(calls) == 4
    assert (out / "responses" / "a.json").stat().st_mtime_ns == before
    assert len(list((out / "phase").iterdir())) == 3
    capsys.readouterr()
    other = (*asked[:4], "--prompt", "bright", "--phase")
    with pytest.raises(AnnostatError, match=r"holds other answers \(prompts \['dark'\] → "):
        prompts.main([str(a) for a in other], standalone_mode=False)
    (out / "prompts.json").unlink()
    with pytest.raises(AnnostatError, match=r"holds answers and no prompts.json"):
        prompts.main([str(a) for a in asked], standalone_mode=False)


def test_a_tiny_random_model(library, tmp_path):
    """Frames go in as they are, in a black square, in pieces of any length."""
    (tmp_path / "w.pt").write_bytes(b"w")
    judge = open_judge("Tiny", tmp_path / "w.pt")
    assert judge.facts["weights"].keys() == {"w.pt"}
    assert library[0][1]["pretrained"] == str(tmp_path / "w.pt")
    clip = np.array(make_clip(1, 0, size=32, frames=40).frames)[:, :20]
    texts = judge.texts(["A LEFT VENTRICLE", "NOTHING"])
    assert judge.cut == []
    judge.texts(["A LEFT VENTRICLE THAT IS LARGE", "NOTHING"])
    assert judge.cut == ["A LEFT VENTRICLE THAT IS LARGE"]
    found = prompts.answer(judge, texts, Whole(clip))
    assert found.shape == (40, 2) and np.abs(found).max() <= 1 + 1e-6 and found.std(0).min() > 1e-4
    from PIL import Image

    for k, frame in enumerate(squared(clip, 32)[33:35]):
        image = to_tensor(Image.fromarray(frame).convert("RGB"))[None]
        with torch.no_grad():
            seen, meant = judge.network.encode_image(image), texts
        wanted = torch.nn.functional.cosine_similarity(seen, meant)
        assert found[33 + k] == pytest.approx(wanted.numpy(), abs=1e-6)


def test_masks_are_blackened(library, model, tmp_path):
    """The model sees what masks leave, of videos and of images in millimetres."""
    clips, masks = tmp_path / "clips", tmp_path / "masks"
    clips.mkdir()
    masks.mkdir()
    frames = np.full((6, 8, 8), 200, np.uint8)
    write_clip(clips / "a.avi", frames, codec="ffv1")
    inside = np.zeros((6, 8, 8), np.uint8)
    inside[:, :4] = 255
    np.savez(masks / "a.npz", inside)
    folder = model("bright")
    asked = (folder, clips, "--prompt", "bright", "--quiet", "--out")
    assert run(prompts, *asked, tmp_path / "seen") == 0
    assert run(prompts, *asked, tmp_path / "half", "--without", masks) == 0
    found = [read_prompts(tmp_path / n / "responses").loc["a", "bright"] for n in ("seen", "half")]
    grey = np.array([200, 100]) / 255
    assert found == pytest.approx(grey / np.hypot(grey, 1 - grey), abs=0.01)
    facts = json.loads((tmp_path / "half" / "prompts.json").read_text())
    assert facts["without"] == {"folder": "masks"}
    again = (folder, clips, "--prompt", "WALL", "--quiet", "--out", tmp_path / "score")
    assert run(prompts, *again, "--without", masks, "--hidden") == 0
    cosine = np.array([100, 155]) / np.hypot(100, 155)  # of bright and of dark, half of it black
    row = (tmp_path / "score" / "scores.csv").read_text().splitlines()[1]
    assert float(row.removeprefix("a,")) == pytest.approx(2 * cosine[1] - cosine[0], abs=0.02)
    np.savez(masks / "a.npz", inside[:3])
    with pytest.raises(AnnostatError, match=r"have shape \(3, 8, 8\), its frames \(6, 8, 8\)"):
        refused = [str(a) for a in (*asked, tmp_path / "o", "--without", masks)]
        prompts.main(refused, standalone_mode=False)
    path, _ = write_camus(tmp_path / "C", n=1)
    from models.data.folders import clips_in

    clip = next(iter(clips_in(path).values()))()
    black = prompts.without(clip, np.ones(clip.frames.shape, bool), "c")
    assert clip.squared(16).any() and not black.squared(16).any()


def write_answers(folder, curves):
    (folder / "phase").mkdir(parents=True)
    for name, curve in curves.items():
        np.save(folder / "phase" / f"{name}.npy", curve)


def test_masks_are_scored_against_prompts(tmp_path, capsys):
    """Exact masks, picks off by a known number of frames, and a reference in another beat."""
    t, masks, answers = np.arange(96), tmp_path / "masks", tmp_path / "answers"
    masks.mkdir()
    curves = {}
    for k in range(10):
        phase = 2 * np.pi * (t - 3 * k) / 32
        area = np.rint(60 + 20 * np.cos(phase) - 0.05 * t).astype(int)  # the last beat is deepest
        soft = np.zeros((96, 10, 10), np.uint8)
        for frame, n in zip(soft.reshape(96, -1), area, strict=True):
            frame[:n] = 255
        np.savez(masks / f"c{k}.npz", soft)
        later = 2 * np.pi * (t - 3 * k - 2) / 32
        curves[f"c{k}"] = np.cos(later) + 0.004 * t  # two frames later; its first beat is deepest
    write_answers(answers, {**curves, "without": curves["c0"]})
    assert run(prompted, answers, masks, "--out", tmp_path / "s.json", "--fps", 50) == 0
    said = capsys.readouterr().out
    assert "has no known floor" in said and "no masks of 1 clip: without" in said
    found = json.loads((tmp_path / "s.json").read_text())
    assert found["clips"] == list(curves) and found["es"]["n_clips"] == 10
    assert found["es"]["afd"]["value"] == pytest.approx(2, abs=1)
    assert found["es"]["afd_ms"]["value"] == pytest.approx(20 * found["es"]["afd"]["value"])
    assert found["ed"]["afd"]["value"] == pytest.approx(2, abs=1.5)
    assert found["es"]["blind"]["value"] > 20 and found["es"]["wrong_beat"]["value"] > 0.5
    rates = [f"c{k}.avi,{25 if k else 50}" for k in range(10)]
    (tmp_path / "List.csv").write_text("FileName,FPS\n" + "\n".join(rates))
    given = [str(answers), str(masks), "--out", str(tmp_path / "t.json"), "--fps"]
    prompted.main([*given, str(tmp_path / "List.csv")], standalone_mode=False)
    twice = json.loads((tmp_path / "t.json").read_text())["es"]["afd_ms"]["value"]
    assert 1.7 < twice / found["es"]["afd_ms"]["value"] < 2
    (tmp_path / "List.csv").write_text("FileName,FPS\nc0,50\n")
    with pytest.raises(AnnostatError, match=r"'List.csv' has no FPS of 9 clips: c1, c2"):
        prompted.main([*given, str(tmp_path / "List.csv")], standalone_mode=False)
    (tmp_path / "List.csv").write_text("FileName,rate\nc0,50\n")
    with pytest.raises(AnnostatError, match=r"needs the columns FileName \(or clip\) and FPS"):
        prompted.main([*given, str(tmp_path / "List.csv")], standalone_mode=False)
    for wrong, message in (("0", "fps must be positive"), ("x", "neither a number nor a table")):
        with pytest.raises(AnnostatError, match=message):
            prompted.main([*given, wrong], standalone_mode=False)
    np.save(answers / "phase" / "c3.npy", curves["c3"][:50])
    with pytest.raises(AnnostatError, match="'c3' has masks of 96 frames and answers of 50"):
        prompted.main([str(answers), str(masks), "--out", "s.json"], standalone_mode=False)
    with pytest.raises(AnnostatError, match=r"no phase/CLIP.npy: python -m models.prompts"):
        prompted.main([str(masks), str(masks), "--out", "s.json"], standalone_mode=False)
    np.save(answers / "phase" / "c3.npy", np.array(["a"]))
    with pytest.raises(AnnostatError, match=r"c3.npy must hold one finite number"):
        read_curve(answers / "phase" / "c3.npy")


def test_a_reference_that_knows_nothing():
    """It scores well with the nearest candidate where beats are short, and a note says so."""
    t = np.arange(80)
    areas = {f"c{k}": 60 + 20 * np.cos(2 * np.pi * (t - k) / 16) for k in range(12)}
    slopes = {name: 0.1 * t for name in areas}  # of no minimum, nor maximum
    found = score_prompted(slopes, areas)
    assert "ES: no frame of the prompts' curve stands out in 12 of 12 clips (c0, " in found.notes[0]
    assert len(found.notes) == 2 and "their reference says little" in str(found)
    # Any frame is on average a quarter of a beat from the nearest minimum, but for the clip's ends.
    assert found.chance["es"]["nearest"] == pytest.approx(4, abs=1)
    assert found.chance["es"]["blind"] > 18
    good = {name: np.cos(2 * np.pi * (t - k) / 16) for k, name in enumerate(areas)}
    sound = score_prompted(good, areas)
    assert sound.notes == () and sound.es.afd.value == 0
    flat = by_chance([np.ones(9)], np.array([np.nan]), "ES")
    assert np.isnan(flat["nearest"]) and np.isnan(flat["blind"])
    assert picked(good["c0"])["es_stands_out"] == 1 and picked(0.1 * t) == {
        "es": 0,
        "ed": 79,
        "es_stands_out": 0,
        "ed_stands_out": 0,
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((), "nothing is asked: give --prompt, --prompts or --phase"),
        (("--prompt", "dark", "--prompt", "dark"), "must differ, got twice dark"),
        (("--prompt", " "), "must be a text"),
        (("--phase", "--closed", "x", "--opened", "x"), "--closed and --opened must differ"),
        (("--prompts", "nowhere.txt"), "cannot be read"),
        (("--prompt", "dark", "--weights", "w.pt"), "leave --weights out"),
        (("--prompt", "dark", "--without", "nowhere"), "nowhere"),
        (("--hidden",), "about the masks of --without"),
    ],
)
def test_what_cannot_be_asked_is_told(library, model, tmp_path, given, message):
    np.save(tmp_path / "a.npy", beating()[0])
    asked = [str(model("bright")), str(tmp_path / "a.npy"), "--out", str(tmp_path / "o"), *given]
    with pytest.raises(AnnostatError, match=message):
        prompts.main(asked, standalone_mode=False)
    assert not (tmp_path / "o").exists()


def test_models_that_cannot_be_used(library, model, tmp_path, monkeypatch):
    with pytest.raises(AnnostatError, match=r"'broken' cannot be used .*size mismatch") as error:
        (tmp_path / "w.pt").write_bytes(b"w")
        open_judge("broken", tmp_path / "w.pt")
    assert "\n" not in str(error.value)
    with pytest.raises(AnnostatError, match="needs --weights FILE, a model of the hub is hf-hub"):
        open_judge("ViT-B-32")
    with pytest.raises(AnnostatError, match="there are no weights"):
        open_judge("ViT-B-32", tmp_path / "none.pt")
    with pytest.raises(AnnostatError, match=r"no open_clip_config.json; it holds"):
        open_judge(str(tmp_path))
    with pytest.raises(AnnostatError, match="comes with its weights"):
        open_judge("hf-hub:a/b", tmp_path / "w.pt")
    assert open_judge("hf-hub:a/b").facts["model"] == "hf-hub:a/b"
    assert library[-1][2] is None  # the network may be used
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(AnnostatError, match=r"open_clip is not installed: .*annostat\[prompts\]"):
        open_judge("hf-hub:a/b")


def test_open_clip_itself(tmp_path, monkeypatch):
    """A tiny random CLIP in a folder: the answers are those of its own two towers."""
    try:
        import open_clip
    except (ImportError, RuntimeError) as error:  # the latter where torchvision is of another build
        pytest.skip(f"needs annostat[prompts]: {error}")
    from PIL import Image
    from safetensors.torch import save_file

    config = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
        "text_cfg": {
            "context_length": 77,
            "vocab_size": 49408,
            "width": 32,
            "heads": 2,
            "layers": 1,
        },
    }
    torch.manual_seed(0)
    network = open_clip.CLIP(**config).eval()
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
    save_file(network.state_dict(), folder / "open_clip_model.safetensors")
    clip = make_clip(1, 0, size=48, frames=30)
    np.save(tmp_path / "a.npy", np.array(clip.frames))
    text = ("A LEFT VENTRICLE", "NOTHING")
    asked = (folder, tmp_path / "a.npy", "--out", tmp_path / "o", "--phase")
    assert run(prompts, *asked, "--prompt", text[0], "--prompt", text[1]) == 0
    found = json.loads((tmp_path / "o" / "responses" / "a.json").read_text())
    transform = open_clip.image_transform(32, is_train=False)
    image = transform(Image.fromarray(np.array(clip.frames)[7]).convert("RGB"))[None]
    with torch.no_grad():
        seen = network.encode_image(image, normalize=True)
        meant = network.encode_text(open_clip.tokenize(list(text)), normalize=True)
    assert [found[t][7] for t in text] == pytest.approx((seen @ meant.T)[0].tolist(), abs=1e-5)
    assert len(read_curve(tmp_path / "o" / "phase" / "a.npy")) == 30
    (folder / "open_clip_model.safetensors").unlink()
    with pytest.raises(AnnostatError, match="cannot be used"):
        open_judge(str(folder))
