"""Names of a package that are loaded when they are first used, and names that have moved."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Mapping
from typing import Any


def attach(
    package: str, home: Mapping[str, str], old: Mapping[str, str] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a package.

    Parameters
    ----------
    package : str
        Its ``__name__``.
    home : mapping of str to str
        The module that defines each public name; a name that maps to itself with the package
        before it is a module.
    old : mapping of str to str, optional
        Where a name that has moved is now public: it works for one release, with a
        `DeprecationWarning`.
    """
    moved = old or {}

    def get(name: str) -> Any:
        if name in home:
            module = importlib.import_module(home[name])
            return module if home[name] == f"{package}.{name}" else getattr(module, name)
        if name in moved:
            message = f"{package}.{name} is now {moved[name]}.{name}; the old name will go"
            warnings.warn(message, DeprecationWarning, stacklevel=2)
            return getattr(importlib.import_module(moved[name]), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return get, lambda: sorted(home)
