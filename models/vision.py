"""A vision-language model, opened with open_clip, that is asked about frames."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from annostat import AnnostatError
from annostat.errors import shown
from models.data.manifest import digest_of

HUB, FOLDER = "hf-hub:", "local-dir:"  # as open_clip calls them
OFFLINE = "HF_HUB_OFFLINE"
CHUNK = 32  # frames at once


class Judge:
    """A model that says how much a frame is what a text says.

    Parameters
    ----------
    network : module
        With `encode_image` and `encode_text`, in evaluation mode.
    transform : callable
        From a PIL image to a tensor (3, H, W): the one that the weights were trained with.
    tokenizer : callable
        From texts to whole numbers (P, L).
    facts : dict
        Whose weights they are.
    """

    def __init__(self, network: Any, transform: Any, tokenizer: Any, facts: dict[str, Any]) -> None:
        self.network, self.transform, self.tokenizer = network, transform, tokenizer
        self.facts = facts
        self.cut: list[str] = []

    @torch.no_grad()
    def texts(self, prompts: Sequence[str], device: Any = "cpu") -> Tensor:
        """Return what the texts mean, (P, D), each of length 1.

        `cut` then lists those that fill all tokens there are, so that their ends may be lost.
        """
        tokens = self.tokenizer(list(prompts))
        full = (tokens[:, -1] != tokens[:, -2]).tolist()  # others end in padding, whatever it is
        self.cut = [p for p, ended in zip(prompts, full, strict=True) if ended]
        return F.normalize(self.network.encode_text(tokens.to(device)).float(), dim=-1)

    @torch.no_grad()
    def similarity(self, frames: NDArray[np.uint8], texts: Tensor) -> NDArray[np.float64]:
        """Return the cosines (T, P) of grey frames (T, H, W) and texts (P, D)."""
        from PIL import Image

        parts = []
        for start in range(0, len(frames), CHUNK):
            piece = frames[start : start + CHUNK]
            images = [self.transform(Image.fromarray(f).convert("RGB")) for f in piece]
            seen = self.network.encode_image(torch.stack(images).to(texts.device))
            parts.append((F.normalize(seen.float(), dim=-1) @ texts.T).cpu().numpy())
        found = np.concatenate(parts).astype(np.float64)
        if not np.isfinite(found).all():
            raise AnnostatError("the model's answers are not finite")
        return found


def open_judge(model: str, weights: Path | None = None, device: Any = "cpu") -> Judge:
    """Return a vision-language model.

    Parameters
    ----------
    model : str
        A folder with ``open_clip_config.json`` and its weights; the name of an architecture that
        open_clip knows, which needs `weights`; or ``hf-hub:OWNER/NAME``, the only form that uses a
        network.
    weights : Path, optional
        A file of weights.
    device : device

    Raises
    ------
    AnnostatError
        If open_clip is not there or cannot use what is given.
    """
    name, files = _place(model, weights)
    facts: dict[str, Any] = {"model": Path(model).name if Path(model).is_dir() else model}
    if files:
        facts["weights"] = {file.name: digest_of(file) for file in files}
    with _offline(not name.startswith(HUB)):
        library = _library()
        try:
            network, _, transform = library.create_model_and_transforms(
                name,
                pretrained=None if weights is None else os.fspath(weights),
                device=device,
                require_pretrained=True,
            )
            tokenizer: Callable[..., Any] = library.get_tokenizer(name)
        except Exception as error:  # a file cut short, another architecture, no network
            raise AnnostatError(
                f"the model {model!r} cannot be used ({type(error).__name__}: "
                f"{' '.join(str(error).split())[:200]})"
            ) from None
    facts["open_clip"] = str(getattr(library, "__version__", ""))
    return Judge(network.eval(), transform, tokenizer, facts)


def _place(model: str, weights: Path | None) -> tuple[str, list[Path]]:
    """Return what open_clip calls a model, and its files if they are here."""
    if model.startswith(HUB):
        if weights is not None:
            raise AnnostatError(f"{model!r} comes with its weights: leave --weights out")
        return model, []
    folder = Path(model.removeprefix(FOLDER))
    if folder.is_dir():
        if weights is not None:
            raise AnnostatError(f"the folder {model!r} holds its weights: leave --weights out")
        if not (folder / "open_clip_config.json").is_file():
            held = shown((f.name for f in sorted(folder.iterdir())), 4)
            raise AnnostatError(f"{model!r} has no open_clip_config.json; it holds {held}")
        files = [f for f in sorted(folder.iterdir()) if f.is_file() and not f.name.startswith(".")]
        return f"{FOLDER}{folder}", files
    if weights is None:
        raise AnnostatError(
            f"{model!r} is no folder: an architecture by name needs --weights FILE, a model of the "
            "hub is hf-hub:OWNER/NAME"
        )
    if not weights.is_file():
        raise AnnostatError(f"there are no weights {os.fspath(weights)!r}")
    return model, [weights]


def _library() -> Any:
    try:
        import open_clip
    except ImportError as error:
        raise AnnostatError(
            f'{error.name} is not installed: pip install "annostat[prompts]"'
        ) from None
    except RuntimeError as error:  # torchvision and torch of two builds
        raise AnnostatError(
            f"open_clip cannot be imported ({' '.join(str(error).split())[:120]}): torchvision "
            "must be of the same build as torch"
        ) from None
    return open_clip


@contextmanager
def _offline(wanted: bool) -> Iterator[None]:
    """Keep the hub's library from asking the network, also for a tokenizer."""
    before = os.environ.get(OFFLINE)
    if wanted:
        os.environ[OFFLINE] = "1"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(OFFLINE, None)
        else:
            os.environ[OFFLINE] = before
