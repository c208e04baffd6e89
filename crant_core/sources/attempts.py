"""Repeated attempts at what may go well the next time."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import requests

from crant_core.errors import CrantError, InvalidInput
from crant_core.sources.failures import may_pass

F = TypeVar("F", bound=Callable[..., Any])


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
