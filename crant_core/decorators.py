"""What functions about neurons have in common: a default dataset, criteria for ids, and repeated attempts."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Collection
from functools import partial, wraps
from typing import Any, TypeVar, cast

import requests

from crant_core.datasets import Dataset
from crant_core.errors import CrantError, InvalidInput, NoMatchesError
from crant_core.registry import dataset_of

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


def retry(func: F, retries: int = 5, cooldown: float = 2) -> F:
    """Call a function again where it failed for a reason that may pass.

    That is a server that is busy or does not answer: no connection, a time-out, status 429 or one of the 500s, and this
    project's errors that are `retryable`. All other errors are raised at once.

    Parameters
    ----------
    func : callable
    retries : int, default 5
        Calls at most.
    cooldown : float, default 2
        Seconds before the second call; every further one waits that much longer.

    Returns
    -------
    callable

    Raises
    ------
    InvalidInput
        There shall be no call.
    """
    from crant_core.sources.failures import may_pass

    if retries < 1:
        raise InvalidInput(f"retries={retries} allows no call", value=retries, hint="give 1 or more")

    @wraps(func)
    def repeated(*args: Any, **kwargs: Any) -> Any:
        for attempt in range(1, retries):
            try:
                return func(*args, **kwargs)
            except (requests.RequestException, CrantError) as error:
                if not may_pass(error):
                    raise
            time.sleep(cooldown * attempt)
        return func(*args, **kwargs)

    return cast("F", repeated)


def retry_func(retries: int = 5, cooldown: float = 2) -> Callable[[F], F]:
    """Do what `retry` does, as a decorator.

    Parameters
    ----------
    retries, cooldown
        See `retry`.
    """
    return lambda function: retry(function, retries, cooldown)


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
