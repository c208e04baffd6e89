"""How functions are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

Function = TypeVar("Function", bound=Callable[..., object])


def kernel(function: Function) -> Function:
    """Compile a function at its first call, without the interpreter's lock.

    Machine code is kept beside the module, or, where that folder cannot be written, in the user's cache folder; the
    variable NUMBA_CACHE_DIR names another. Where nothing can be written it is compiled once in every process.

    A change in one module does not make code of another be compiled again: what a kernel calls stands in its module,
    and numbers from elsewhere are arguments.
    """
    try:
        made = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # numba found no folder for its cache
        made = numba.njit(nogil=True, error_model="numpy")(function)
    return cast("Function", made)


def fixed(array: NDArray[Any]) -> NDArray[Any]:
    """Return a view that cannot be written: for arrays that can be, as for each type, kernels are compiled anew."""
    view = array.view(np.ndarray)
    view.flags.writeable = False
    return view
