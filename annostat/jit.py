"""numba's decorators, with a cache on disk wherever there is a place for one.

Without such a place (a package that cannot be written to, and no home) numba refuses to decorate
what asks for a cache; the functions are then compiled anew by each process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba as nb

OFF = bool(vars(nb.config)["DISABLE_JIT"])  # NUMBA_DISABLE_JIT: kernels run as plain Python


def njit(**options: Any) -> Callable[[Any], Any]:
    """Decorate a function to be compiled when first called; it releases the interpreter lock."""
    # Nobody calls these from C, and numba would compile a way to do so each time.
    return _cached(nb.njit, nogil=True, no_cfunc_wrapper=True, **options)


class FirstClass:
    """A compiled function that kernels can be handed as an argument.

    numba takes its own such functions too, but works out their type anew at each call, which
    takes longer than what many of the calls are for.
    """

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled  # held, for the address is its own
        self._address = compiled.address
        self._numba_type_ = nb.typeof(compiled)  # type: ignore[no-untyped-call]

    def __wrapper_address__(self) -> int:
        """Return where numba finds it."""
        return int(self._address)


def first_class(signature: Any, **options: Any) -> Callable[[Any], Any]:
    """Compile a function at once, to one that kernels can be handed as an argument."""
    if OFF:
        return lambda function: function
    compiled = _cached(nb.cfunc, signature, **options)
    return lambda function: FirstClass(compiled(function))


def _cached(decorator: Any, *arguments: Any, **options: Any) -> Callable[[Any], Any]:
    def decorate(function: Any) -> Any:
        try:
            return decorator(*arguments, cache=True, **options)(function)
        except RuntimeError:
            return decorator(*arguments, **options)(function)

    return decorate
