"""Names that are loaded when they are first used, and old names that work for a release."""

from __future__ import annotations

import functools
import importlib
import warnings
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


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


def renamed(**new_names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function take arguments by their old names, with a `DeprecationWarning`.

    ``@renamed(clusters="cluster")`` on a function that takes `cluster`.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            for old, new in new_names.items():
                if old in kwargs and new not in kwargs:
                    message = f"{function.__name__}: {old} is now {new}; the old name will go"
                    warnings.warn(message, DeprecationWarning, stacklevel=2)
                    kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return call

    return decorate
