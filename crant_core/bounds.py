"""Numbers that people give as limits, lengths and counts: refused before anything is done with them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any

from crant_core.errors import InvalidParameters


def is_finite(value: Any) -> bool:
    """Say whether this is a real number, numpy's too, and neither NaN nor infinite; True and False are none."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def is_whole(value: Any) -> bool:
    """Say whether this is an integer, numpy's too; True and False are none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def check_finite(**values: Any) -> None:
    """Refuse what is no finite number of 0 or more.

    Parameters
    ----------
    **values
        By the names that people know them under.

    Raises
    ------
    InvalidParameters
    """
    _check(values, lambda value: is_finite(value) and value >= 0, "a finite number, 0 or more")


def check_counts(**values: Any) -> None:
    """Refuse what is no whole number of 1 or more.

    Parameters
    ----------
    **values
        By the names that people know them under.

    Raises
    ------
    InvalidParameters
    """
    _check(values, lambda value: is_whole(value) and value >= 1, "a whole number, 1 or more")


def _check(values: Mapping[str, Any], fits: Callable[[Any], bool], hint: str) -> None:
    for name, value in values.items():
        if not fits(value):
            raise InvalidParameters(f"{name} is {_shown(value)}", value=value, hint=hint)


def _shown(value: Any) -> str:
    return str(value) if is_finite(value) or isinstance(value, float) else repr(value)[:100]
