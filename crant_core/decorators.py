"""What functions about neurons have in common: a default dataset, criteria for ids, and repeated attempts."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from functools import partial, wraps
from typing import Any, TypeVar, cast

from crant_core.datasets import Dataset
from crant_core.errors import InvalidInput, NoMatchesError
from crant_core.registry import dataset_of
from crant_core.sources.attempts import retry, retry_func

__all__ = ["inject_dataset", "parse_neuroncriteria", "retry", "retry_func"]

F = TypeVar("F", bound=Callable[..., Any])


def inject_dataset(
    allowed: Collection[str] | str | None = None,
    disallowed: Collection[str] | str | None = None,
    param_name: str = "dataset",
) -> Callable[[F], F]:
    """Name the dataset for a function: the default one, as it is when the function is called, where none is named.

    Parameters
    ----------
    allowed, disallowed : collection of str or str, optional
        Names of datasets that the function works with, or does not work with.
    param_name : str, optional
        The parameter with the dataset. The function gets its name, whichever alias was given; a Dataset stays one.

    Returns
    -------
    callable
        A decorator.

    Raises
    ------
    UnknownDataset
        From the decorated function.
    InvalidInput
        The function has no such parameter. From the decorated function: it does not work with the dataset.
    """

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        if param_name not in signature.parameters:
            raise InvalidInput(f"{function.__qualname__} has no parameter {param_name}", value=param_name)

        @wraps(function)
        def injected(*args: Any, **kwargs: Any) -> Any:
            bound = signature.bind_partial(*args, **kwargs)
            given = bound.arguments.get(param_name)
            name = dataset_of(given).name
            _check_known(name, _names(allowed), _names(disallowed) or (), function.__name__)
            bound.arguments[param_name] = given if isinstance(given, Dataset) else name
            return function(*bound.args, **bound.kwargs)

        return cast("F", injected)

    return decorate


def parse_neuroncriteria(allow_empty: bool = False) -> Callable[[F], F]:
    """Give a function root ids wherever it is called with a NeuronCriteria.

    Parameters
    ----------
    allow_empty : bool, default False
        Let criteria pass that match no neuron, as an empty array.

    Returns
    -------
    callable
        A decorator. What counts as criteria is what has a method `get_roots()`.

    Raises
    ------
    InvalidInput
        From the decorated function, for criteria that say nothing (their `is_empty`).
    NoMatchesError
        From the decorated function, unless empty ones are allowed.
    """

    def decorate(function: F) -> F:
        @wraps(function)
        def parsed(*args: Any, **kwargs: Any) -> Any:
            ids = partial(_roots, allow_empty=allow_empty)
            return function(*map(ids, args), **{name: ids(value) for name, value in kwargs.items()})

        return cast("F", parsed)

    return decorate


def _check_known(name: str, good: tuple[str, ...] | None, bad: tuple[str, ...], function: str) -> None:
    if name in bad or (good is not None and name not in good):
        hint = f"it works with {', '.join(good)}" if good else f"it does not work with {', '.join(bad)}"
        raise InvalidInput(f"{function} does not know dataset {name}", value=name, hint=hint)


def _names(datasets: Collection[str] | str | None) -> tuple[str, ...] | None:
    if datasets is None:
        return None
    listed = [datasets] if isinstance(datasets, str) else datasets
    return tuple(dataset_of(name).name for name in listed)


def _roots(value: Any, *, allow_empty: bool) -> Any:
    if not hasattr(value, "get_roots"):
        return value
    if getattr(value, "is_empty", False):
        raise InvalidInput("the criteria say nothing, so they mean all neurons", hint="name at least one field")
    try:
        return value.get_roots()
    except NoMatchesError:
        if not allow_empty:
            raise
    import numpy as np

    return np.empty(0, dtype=np.int64)
