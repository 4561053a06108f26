"""The corpus of the fuzzer, replayed: inputs that once failed, and seeds."""

from pathlib import Path

import pytest

from tests.fuzz.options import fuzz
from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "fuzz" / "corpus"


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_corpus_raises_nothing_but_clear_errors(name):
    if name == "config":
        pytest.importorskip("yaml", reason="settings of training need PyYAML")
    files = sorted((CORPUS / name).iterdir())
    assert files
    for path in files:
        TARGETS[name](path.read_bytes())


def test_random_options_end_well_or_in_one_line():
    assert fuzz(120, seed=4) == []
