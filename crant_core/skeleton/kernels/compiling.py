"""How kernels are compiled.

Division by zero gives infinity, as in numpy: a check in every loop would keep it from being vectorized.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a function at its first call, keep the machine code on disk, and let go of the interpreter's lock."""
    kernel: Function = njit(cache=True, nogil=True, error_model="numpy")(function)
    return kernel


def inlined(function: Function) -> Function:
    """Compile a small function into those of its file that call it, as handing over arrays costs more than it does."""
    kernel: Function = njit(nogil=True, inline="always", error_model="numpy")(function)
    return kernel
