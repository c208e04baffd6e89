"""Whole answers remembered in memory."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import wraps
from typing import Any, TypeVar, cast

from crant_core.caching.copies import snapshot
from crant_core.caching.keys import Uncacheable, arguments, call_key, fingerprint
from crant_core.caching.memory import Cache, get_global_cache
from crant_core.errors import InvalidInput
from crant_core.registry import default_dataset

MAX_AGE = 7200  #: seconds, two hours
_MOST = 256  # answers kept in one cache: they may be large tables
F = TypeVar("F", bound=Callable[..., Any])


def cached_result(
    cache_name: str,
    max_age: float = MAX_AGE,
    key_fn: Callable[..., Hashable] | None = None,
    should_cache_fn: Callable[..., bool] | None = None,
    validate_cache_fn: Callable[..., bool] | None = None,
) -> Callable[[F], F]:
    """Remember a function's answers.

    Of threads that ask the same at the same time, one calls the function and the others get its answer. Everybody gets
    a copy. An error is never remembered.

    Parameters
    ----------
    cache_name : str
        Name of the cache; see `get_global_cache`. Functions may share one.
    max_age : float, optional
        Seconds, by default 7200, after which an answer is stale.
    key_fn : callable, optional
        Called with the arguments; its result is what an answer is remembered under, together with the default dataset.
        Left out, that is every argument, and the default dataset where none is named, but not `clear_cache`,
        `check_stale`, `progress` and `verbose`. Calls that cannot be compared, such as those with criteria, are not
        remembered.
    should_cache_fn : callable, optional
        Called with the answer and the arguments; False means that the answer is not remembered.
    validate_cache_fn : callable, optional
        Called with a remembered answer and the arguments; False means that it is stale.

    Returns
    -------
    callable
        A decorator. Decorated functions have a method `clear_cache()`, and take two more arguments if they have not
        got them: `clear_cache=True` asks anew, `check_stale=False` takes a remembered answer whatever its age.

    Raises
    ------
    InvalidInput
        From the decorated function, if `key_fn` returns None.
    """

    def decorate(function: F) -> F:
        own = set(inspect.signature(function).parameters)

        @wraps(function)
        def remembering(*args: Any, **kwargs: Any) -> Any:
            clear, check = bool(kwargs.get("clear_cache", False)), bool(kwargs.get("check_stale", True))
            for name in {"clear_cache", "check_stale"} - own:
                kwargs.pop(name, None)
            bound = arguments(function, args, kwargs)
            call = _Call(function, bound.args, bound.kwargs, should_cache_fn, validate_cache_fn if check else None)
            try:
                key = (function, _given_key(key_fn, args, kwargs) if key_fn else call_key(bound))
            except Uncacheable:
                return call.run()
            return call.answer(get_global_cache(cache_name), key, max_age if check else None, clear)

        remembering.clear_cache = get_global_cache(cache_name).clear  # type: ignore[attr-defined]
        return cast("F", remembering)

    return decorate


class _Call:
    """One call, which may be answered from memory."""

    def __init__(
        self,
        function: Callable[..., Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        should_cache: Callable[..., bool] | None,
        is_valid: Callable[..., bool] | None,
    ) -> None:
        self._function, self._args, self._kwargs = function, args, kwargs
        self._should_cache, self._is_valid = should_cache, is_valid

    def answer(self, cache: Cache, key: Hashable, max_age: float | None, clear: bool) -> Any:
        """Return a copy of what is remembered, or call the function and remember."""
        with cache.turn(key):
            found = None if clear else cache.entry(key, max_age)
            if found is not None and self._holds(self._is_valid, found.value):
                return snapshot(found.value)
            generation = cache.generation
            result = self.run()
            if self._holds(self._should_cache, result):
                cache.store(key, snapshot(result), generation, _MOST)
            return result

    def run(self) -> Any:
        """Call the function."""
        return self._function(*self._args, **self._kwargs)

    def _holds(self, condition: Callable[..., bool] | None, result: Any) -> bool:
        return condition is None or bool(condition(result, *self._args, **self._kwargs))


def _given_key(key_fn: Callable[..., Hashable], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Hashable:
    key = key_fn(*args, **kwargs)
    if key is None:
        raise InvalidInput("key_fn returned None", value=key_fn.__qualname__, hint="return something hashable")
    return fingerprint(key), default_dataset()
