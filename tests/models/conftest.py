"""The models' tests need the extra `train`, and run on one thread."""

import pytest

torch = pytest.importorskip("torch", reason="needs annostat[train]")
pytest.importorskip("safetensors", reason="needs annostat[train]")
torch.set_num_threads(1)
