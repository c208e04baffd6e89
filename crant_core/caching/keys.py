"""What a call is remembered under: every argument that can change its answer."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Hashable, Mapping, Sequence, Set
from typing import Any

from crant_core.registry import dataset_of, default_dataset
from crant_core.values import array_of

_NOT_IN_KEYS = ("clear_cache", "check_stale", "progress", "verbose")  # say how, not what


class Uncacheable(TypeError):
    """An argument has no lasting value to compare by."""


def arguments(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> inspect.BoundArguments:
    """Bind a call's arguments to names, with defaults, and with the default dataset where none is named."""
    bound = inspect.signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    if "dataset" in bound.arguments and bound.arguments["dataset"] is None:
        bound.arguments["dataset"] = default_dataset()
    return bound


def call_key(bound: inspect.BoundArguments, without: str | None = None) -> Hashable:
    """Return what a call is remembered under.

    Parameters
    ----------
    bound : BoundArguments
        From `arguments`.
    without : str, optional
        An argument to leave out, beside those that say nothing about the answer.

    Raises
    ------
    Uncacheable
    """
    names = [name for name in bound.arguments if name != without and name not in _NOT_IN_KEYS]
    values = {name: bound.arguments[name] for name in names}
    if "dataset" in values:
        values["dataset"] = dataset_of(values["dataset"])  # its address too: a name may be registered anew
    else:
        values[""] = default_dataset()  # what the function does may depend on it
    return fingerprint(values)


def fingerprint(value: Any) -> Hashable:
    """Return something hashable that is equal for equal values, and only for those.

    Parameters
    ----------
    value : object
        Scalars, strings, times, containers, arrays and tables of them, or anything that is hashable.

    Raises
    ------
    Uncacheable
    """
    for is_one, read in _READERS:
        if is_one(value):
            return read(value)
    return _of_object(value)


def _of_mapping(value: Mapping[Any, Any]) -> Hashable:
    return "mapping", frozenset((fingerprint(key), fingerprint(item)) for key, item in value.items())


def _of_sequence(value: list[Any] | tuple[Any, ...]) -> Hashable:
    return type(value).__name__, tuple(map(fingerprint, value))


def _of_set(value: Set[Any]) -> Hashable:
    return "set", frozenset(map(fingerprint, value))


def _of_criteria(value: Any) -> Hashable:
    raise Uncacheable(f"a {type(value).__name__} may match other neurons later")


def _of_array(array: Any) -> Hashable:
    if array.ndim == 0:
        return (array.dtype.str, array.tobytes()) if array.dtype.kind in "mM" else _of_object(array.item())
    if array.dtype.hasobject:
        return "array", array.shape, tuple(map(fingerprint, array.ravel().tolist()))
    digest = hashlib.sha256(array.tobytes()).digest()
    return "array", array.dtype.str, array.shape, digest


def _of_pandas(value: Any) -> Hashable:
    if hasattr(value, "columns"):
        columns = tuple((fingerprint(name), fingerprint(array_of(column))) for name, column in value.items())
        return "table", fingerprint(array_of(value.index)), columns
    if hasattr(value, "index"):
        return "series", fingerprint(array_of(value.index)), fingerprint(array_of(value))
    return "index", fingerprint(array_of(value))


def _of_object(value: Any) -> Hashable:
    try:
        hash(value)
    except TypeError as error:
        raise Uncacheable(f"a {type(value).__name__} cannot be compared with later ones") from error
    return type(value), value  # with its type, because 1 == True == 1.0


_READERS: tuple[tuple[Callable[[Any], bool], Callable[[Any], Hashable]], ...] = (
    (lambda value: hasattr(value, "get_roots"), _of_criteria),
    (lambda value: isinstance(value, Mapping), _of_mapping),
    (lambda value: isinstance(value, list | tuple), _of_sequence),
    (lambda value: isinstance(value, Set), _of_set),
    (lambda value: hasattr(value, "dtype") and hasattr(value, "tobytes"), _of_array),
    (lambda value: hasattr(value, "to_numpy") and hasattr(value, "shape"), _of_pandas),  # no Timestamp has a shape
)
