"""Functions whose complex step gives a derivative, at the cost of real ones.

A complex step is so small that f(x + ih) is f(x) + ih·f'(x) to the last digit. NumPy's complex
logarithms and the like take five to twenty times as long as the real ones that this needs. Where
the real part is outside the domain of f all is NaN, without the other branch of a complex function.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def log(z: NDArray[Any]) -> NDArray[Any]:
    """Return log z of real numbers, or of real numbers with a complex step."""
    x = np.real(z)
    return _with_step(z, np.log(x), 1 / x)


def sqrt(z: NDArray[Any]) -> NDArray[Any]:
    """Return √z of such numbers."""
    root = np.sqrt(np.real(z))
    return _with_step(z, root, 0.5 / root)


def artanh(z: NDArray[Any]) -> NDArray[Any]:
    """Return artanh z of such numbers."""
    x = np.real(z)
    return _with_step(z, np.arctanh(x), 1 / (1 - x * x))


def _with_step(z: NDArray[Any], value: NDArray[Any], slope: NDArray[Any]) -> NDArray[Any]:
    if not np.iscomplexobj(z):
        return value
    found = np.empty(np.shape(z), dtype=np.complex128)
    found.real = value
    found.imag = slope * z.imag
    return found
