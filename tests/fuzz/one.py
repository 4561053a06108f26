"""One target under atheris: python -m tests.fuzz.one NAME CORPUS... [libFuzzer options]."""

import sys

if __name__ == "__main__":
    import atheris  # not everywhere to be had; the corpus alone runs in tests/test_fuzz.py

    with atheris.instrument_imports(include=["annostat"]):
        from tests.fuzz.targets import TARGETS

    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, TARGETS[name])
    atheris.Fuzz()
