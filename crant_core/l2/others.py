"""Functions of the library that this part of it does not need, but may be asked to use."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from crant_core.errors import InvalidParameters


def public_function(name: str) -> Callable[..., Any]:
    """Return a function of the library by its public name; it is loaded now, because it may stand above this.

    Raises
    ------
    InvalidParameters
        This version of the library has none.
    """
    try:
        found: Callable[..., Any] = getattr(import_module("crant_core"), name)
    except AttributeError as error:
        message = f"this version of crant_core has no {name}"
        raise InvalidParameters(message, value=name, hint=f"leave {name} out, or install a later version") from error
    return found
