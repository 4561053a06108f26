"""Signs that a figure's font lacks: lent by another font, or named in one warning."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

from annostat.errors import AnnostatWarning

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMED = 8  # signs of a warning


@contextlib.contextmanager
def with_signs(figure: Figure, *, as_text: bool = False) -> Iterator[None]:
    """Have a figure drawn with all its signs, names in Japanese say, or say which it lacks.

    Parameters
    ----------
    figure : Figure
        Its texts are lent an installed font that has what their own lacks.
    as_text : bool
        The figure's text stays text, whose signs whoever shows it draws.
    """
    from matplotlib.text import Text

    texts = [t for t in figure.findobj(Text) if isinstance(t, Text) and not t.get_text().isascii()]
    lacking = {c for t in texts for c in t.get_text() if ord(c) not in _signs_of_own()}
    if lacking and not as_text:
        font = _covering({ord(c) for c in lacking})
        if font is None:
            named = "".join(sorted(lacking)[:NAMED]) + ("…" if len(lacking) > NAMED else "")
            text = (
                f"no installed font has these signs, which are drawn as boxes: {named}; "
                "install one that does (Noto Sans CJK, say)"
            )
            warnings.warn(text, AnnostatWarning, stacklevel=2)
        else:
            for t in texts:
                t.set_fontfamily([*t.get_fontfamily(), font])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        yield


def _signs_of_own() -> set[int]:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return {ord("\n"), *get_font(findfont(FontProperties())).get_charmap()}


def _covering(signs: set[int]) -> str | None:
    """Return the name of an installed font that has all of some signs."""
    from matplotlib.font_manager import fontManager, get_font

    for entry in fontManager.ttflist:
        if entry.style == "normal" and "Last Resort" not in entry.name:
            with contextlib.suppress(OSError, RuntimeError):
                if signs <= set(get_font(entry.fname).get_charmap()):
                    return str(entry.name)
    return None
