"""Whatever a person gives, the commands answer in one line."""

import shlex
import shutil

import numpy as np
import pytest

from models import (
    bench,
    evaluate,
    export,
    film,
    gpu_check,
    infer,
    prompted,
    prompts,
    ship,
    sweep,
    train,
)
from models.checkpoints import build_student, save_weights
from models.command import run_command
from models.config import Config
from models.data.settings import Data
from models.network.settings import Net

TRAIN = (
    "--preset phantom-tiny --device cpu --quiet --out o --cache c --set train.epochs=1 "
    "--set data.n_train=2 --set data.n_valid=1 --set data.n_test=1 --set data.size=16 "
    "--set data.frames=16 "
)
WRONG = {
    "train": [
        ("", "give either --preset or --config"),
        ("--config nope.yaml", "No such file"),
        ("--config bin.yaml", "can't decode"),
        ("--config list.yaml", "settings must be names and values"),
        ("--config three.yaml", "settings of data must be names and values, got 3"),
        ("--config dir", "Is a directory"),
        ("--set data.size=17", "data.size must be a multiple of 2"),
        ("--set data.size=8", "data.size must be a whole number of at least 16"),
        ("--set student.blocks=9", "multiple of 256"),
        ("--set student.filters=0", "student.filters must"),
        ("--set train.threads=-1", "train.threads must"),
        ("--set train.seed=-1", "train.seed must"),
        ("--set data.view=3CH", "data.view must be one of 2CH, 4CH"),
        ("--set data.n_train=-3", "data.n_train must"),
        ("--set data.n_test=0", "data.n_test must be at least 1"),
        ("--set train.rate=nan", "train.rate must be finite"),
        ("--set 'train.rate=[1'", "--set train.rate: the value is no YAML"),
        ("--set nonsense", "--set takes section.name=value"),
        ("--set train.bach=3", "did you mean 'train.batch'"),
        ("--set train.engine=fast", "train.engine must be one of"),
        ("--set 'data.teachers=[1]'", "data.teachers must be a list of texts"),
        ("--set data.teachers=[LV=folder:file]", "file"),
        ("--set data.teachers=[LV=folder:dir]", "holds no .npz"),
        ("--set data.teachers=[LV=module:file]", "no TorchScript or exported program"),
        ("--set data.teachers=[LV=student:file]", "cannot be used"),
        ("--set 'data.teachers=[\"LV=student:w.safetensors,channel=3\"]'", "channel"),
        ("--set 'data.teachers=[\"LV=oracle,seed=-3\"]'", "seed must"),
        ("--set 'data.teachers=[\"LV=oracle,seed=1.5\"]'", "seed must"),
        ("--set 'data.teachers=[\"LV=oracle,quality=q.csv\"]'", "needs the columns clip"),
        ("--set 'data.teachers=[\"LV=oracle,quality=bin.csv\"]'", "cannot be read"),
        ("--set data.kind=echonet --set data.path=nope", "nope"),
        ("--set data.kind=camus --set data.path=dir", "is it CAMUS"),
        ("--out file", "--out 'file' cannot be written"),
        ("--cache file", "file"),
        ("--out broken", "holds a broken config.json or result.json"),
        ("--device tpu", "--device must be auto, cpu, cuda"),
        ("--device cuda:x", "--device must be auto, cpu, cuda"),
    ],
    "infer": [
        ("nope dir --out m", "there are no weights"),
        ("file dir --out m", "cannot be used"),
        ("dir dir --out m", "cannot be used"),
        ("w.safetensors nope --out m", "there are no clips"),
        ("w.safetensors dir --out m", "holds no clip"),
        ("w.safetensors bin.yaml --out m", "no clip can be read"),
        ("w.safetensors clip.npy --out file", "file"),
        ("w.safetensors clip.npy --out m --pad -1", "--pad"),
    ],
    "evaluate": [
        ("nope --out e", "there are no weights"),
        ("w.safetensors --out e --outline-px -1", "--outline-px must"),
        ("w.safetensors --out e --pick-mae nan", "--pick-mae must be in"),
        ("w.safetensors --out e --flat-within 0", "--flat-within must"),
        ("w.safetensors --out e --set 'data.structures=[LV, RV]'", "settings of the data only"),
        ("w.safetensors --out e --set train.rate=0.5", "settings of the data only"),
        ("w.safetensors --out e --set data.kind=camus", "folder"),
        ("w.safetensors --out file", "--out 'file' cannot be written"),
        ("w.safetensors --out e --cache c --noise file", "are of real clips"),
        ("w.safetensors --out e --cache c --outlines dir", "are of real clips"),
    ],
    "sweep": [
        ("--preset phantom-tiny --blocks x", "give numbers of at least 1"),
        (TRAIN + "--blocks 9 --layers 1", "multiple of 256"),
    ],
    "bench": [
        ("--set data.size=18", "multiple of 4"),
        ("--preset x", "--preset must be one of"),
    ],
    "film": [
        ("nope --out f", "there are no weights"),
        ("w.safetensors --out f --floor -1", "--floor must"),
        ("w.safetensors --out f --set 'data.structures=[LV, RV]'", "came with the weights"),
        ("w.safetensors --out file --cache c --quiet", "file"),
    ],
    "export": [
        ("w.safetensors --out s.pth", "--out must end in .pt2 or .onnx"),
        ("nope --out s.pt2", "there are no weights"),
    ],
    "prompts": [
        ("nope clip.npy --out o --phase", "needs --weights FILE"),
        ("dir clip.npy --out o", "nothing is asked"),
        ("dir nope --out o --phase", "there are no clips"),
        ("dir clip.npy --out o --phase", "no open_clip_config.json"),
    ],
    "prompted": [("dir dir --out f.json", "no phase/CLIP.npy")],
    "ship": [
        ("nope --name a", "there are no weights"),
        ("w.safetensors --name A", "--name must be of a-z"),
    ],
    "gpu_check": [("exakt --tiny", "did you mean 'exact'")],
}
COMMANDS = (train, infer, evaluate, export, film, sweep, bench, prompts, prompted, ship, gpu_check)
MODULES = {m.__name__.split(".")[-1]: m for m in COMMANDS}
CASES = [(name, *case) for name, cases in WRONG.items() for case in cases]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder of things that are not what they are given for."""
    path = tmp_path_factory.mktemp("wrong")
    (path / "bin.yaml").write_bytes(b"\x00\xff\x10")
    (path / "bin.csv").write_bytes(b"\xff\xfe")
    (path / "list.yaml").write_text("- a\n- b\n")
    (path / "three.yaml").write_text("data: 3\n")
    (path / "q.csv").write_text("a,b\n1,2\n")
    (path / "file").write_text("hi\n")
    (path / "dir").mkdir()
    (path / "broken").mkdir()
    for name in ("config.json", "result.json", "last.pt"):
        (path / "broken" / name).write_text("{")
    np.save(path / "clip.npy", np.zeros((3, 16, 16), np.uint8))
    config = Config(Data(size=16, frames=16, n_test=2), Net(blocks=1, layers=1, filters=2))
    save_weights(path / "w.safetensors", build_student(config).state_dict(), config, {})
    return path


@pytest.mark.parametrize(("name", "text", "message"), CASES, ids=[f"{c[0]} {c[1]}" for c in CASES])
def test_one_line(name, text, message, place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    shutil.rmtree(place / "o", ignore_errors=True)
    plain = name == "train" and text and not text.startswith("--config")
    arguments = shlex.split(TRAIN + text if plain else text)
    with pytest.raises(SystemExit) as end:
        run_command(MODULES[name].main, arguments)
    assert end.value.code == 2
    err = capsys.readouterr().err.splitlines()
    told = [line for line in err if not line.startswith(("Usage:", "Try ")) and line]
    assert len(told) == 1 and told[0].startswith("Error: ") and message in told[0], told
    assert not (place / "o").exists() or not any((place / "o").iterdir())


def test_short_memory_is_told(monkeypatch, capsys):
    def raising(error):
        def call(*given, **options):
            raise error

        return call

    for error, message in (
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "a smaller train.batch"),
        (MemoryError(), "memory is short"),
        (OSError(28, "No space left on device", "out/last.pt"), "No space left on device 'out/l"),
        (ModuleNotFoundError("No module named 'av'", name="av"), "av is not installed"),
    ):
        with pytest.raises(SystemExit):
            run_command(raising(error))
        assert message in capsys.readouterr().err
    with pytest.raises(RuntimeError, match="a fault"):
        run_command(raising(RuntimeError("a fault of ours")))
