"""One target under atheris: python -m tests.fuzz.one NAME CORPUS... [libFuzzer options]."""

import sys
from pathlib import Path

if __name__ == "__main__":
    import atheris  # not everywhere to be had; the corpus alone runs in tests/test_fuzz.py

    name = sys.argv.pop(1)
    kernels = [path.with_suffix("").parts for path in Path("annostat").rglob("kernels.py")]
    compiled = ["annostat.noise.families", *map(".".join, kernels)]
    with atheris.instrument_imports(include=["annostat", "models"], exclude=compiled):
        from tests.fuzz.targets import TARGETS

        # What a target imports when it runs is to be instrumented as well.
        for path in sorted(Path(__file__).parent.joinpath("corpus", name).iterdir()):
            TARGETS[name](path.read_bytes())
    atheris.Setup(sys.argv, TARGETS[name])
    atheris.Fuzz()
