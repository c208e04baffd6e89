"""Answers remembered id by id: of a list of ids, only those that are new are asked for."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

from crant_core.caching.copies import snapshot
from crant_core.caching.keys import Uncacheable, arguments, call_key
from crant_core.caching.memory import Cache, get_global_cache
from crant_core.caching.results import MAX_AGE
from crant_core.caching.rows import Rows, in_order, is_nothing, key_of, rows_of
from crant_core.errors import Internal, InvalidInput
from crant_core.parsing import raw_ids

if TYPE_CHECKING:
    import inspect

    import pandas as pd

F = TypeVar("F", bound=Callable[..., Any])


def cached_per_id(
    cache_name: str,
    id_param: str = "x",
    max_age: float = MAX_AGE,
    result_id_column: str = "old_id",
) -> Callable[[F], F]:
    """Remember what a function answers about each id.

    The function gets a list of ids and returns a DataFrame that names the id of each row. Called again, it is only
    given ids that it was not asked about with the same other arguments. The result has the rows of each input id, in
    input order, repetitions and missing ids too. Everybody gets a copy.

    Parameters
    ----------
    cache_name : str
        Name of the cache; see `get_global_cache`. Functions may share one.
    id_param : str, optional
        The parameter with the ids: one, a list, an array, a Series, a NeuronCriteria, navis neurons. With a DataFrame,
        or if another argument is as long as the ids and may belong to them, the function is called as if undecorated.
    max_age : float, optional
        Seconds, by default 7200, after which an answer is stale.
    result_id_column : str, optional
        The column with the id that a row is about. Missing ids and 0 are not remembered; the function is given them
        every time, and its rows about them keep their places.

    Returns
    -------
    callable
        A decorator. Decorated functions have a method `clear_cache()`, and take `clear_cache=True`, which asks anew, if
        they have not got it. Of `df.attrs`, what differs between rows asked for at different times is left out.

    Raises
    ------
    InvalidInput
        The function has no such parameter.
    Internal
        From the decorated function, if its answer is no DataFrame with that column.
    """

    def decorate(function: F) -> F:
        import inspect

        own = set(inspect.signature(function).parameters)
        if id_param not in own:
            raise InvalidInput(f"{function.__qualname__} has no parameter {id_param}", value=id_param)

        @wraps(function)
        def remembering(*args: Any, **kwargs: Any) -> Any:
            clear = bool(kwargs.get("clear_cache", False))
            if "clear_cache" not in own:
                kwargs.pop("clear_cache", None)
            bound = arguments(function, args, kwargs)
            try:
                ids = _ids(bound, id_param)
                rest: Hashable = (function, call_key(bound, without=id_param))
            except Uncacheable:
                return function(*bound.args, **bound.kwargs)
            call = _Call(function, bound, id_param, result_id_column)
            return _Answer(call, get_global_cache(cache_name), rest, max_age).to(ids, clear)

        remembering.clear_cache = get_global_cache(cache_name).clear  # type: ignore[attr-defined]
        return cast("F", remembering)

    return decorate


@dataclass(frozen=True, slots=True)
class _Call:
    """A function and its arguments, but for the ids."""

    function: Callable[..., Any]
    bound: inspect.BoundArguments
    id_param: str
    column: str

    def __call__(self, ids: list[Any]) -> pd.DataFrame:
        import pandas as pd

        self.bound.arguments[self.id_param] = ids
        found = self.function(*self.bound.args, **self.bound.kwargs)
        if not isinstance(found, pd.DataFrame) or self.column not in found.columns:
            raise Internal(f"{self.function.__qualname__} gave no table with a column {self.column}")
        return found


class _Answer:
    """The rows about some ids, from memory where they are known."""

    def __init__(self, call: _Call, cache: Cache, rest: Hashable, max_age: float) -> None:
        self._call, self._cache, self._rest, self._max_age = call, cache, rest, max_age
        self._generation = cache.generation

    def to(self, ids: list[Any], clear: bool) -> pd.DataFrame:
        """Return the rows about these ids, in their order."""
        known = {} if clear else self._known(ids)
        unknown = tuple(dict.fromkeys(id_ for id_ in ids if key_of(id_) not in known and not is_nothing(id_)))
        if not ids or (not unknown and not known):
            return self._call(ids)
        with self._cache.turn((self._rest, unknown)):  # who asks about the same ids waits for the answer
            known |= {} if clear else self._known(unknown)
            return in_order(ids, known | self._ask(ids, known))

    def _known(self, ids: Sequence[Any]) -> dict[Hashable, Rows]:
        keys = {key_of(id_) for id_ in ids if not is_nothing(id_)}
        found = {key: self._cache.entry((self._rest, key), self._max_age) for key in keys}
        return {key: entry.value for key, entry in found.items() if entry is not None}

    def _ask(self, ids: list[Any], known: dict[Hashable, Rows]) -> dict[Hashable, Rows]:
        """Ask about what is not known, and remember it; ask about what is no id apart, and do not."""
        unknown = {key_of(id_): id_ for id_ in reversed(ids) if not is_nothing(id_) and key_of(id_) not in known}
        found = self._told(list(unknown.values())[::-1])
        self._remember(found)
        # Apart, because pandas makes floats of whole numbers among missing ones, and ids would lose digits.
        return found | self._told([id_ for id_ in ids if is_nothing(id_)])

    def _told(self, asked: list[Any]) -> dict[Hashable, Rows]:
        if not asked:
            return {}
        self._generation = self._cache.generation
        table = snapshot(self._call(asked)).reset_index(drop=True)
        return rows_of(table, self._call.column, asked)

    def _remember(self, found: dict[Hashable, Rows]) -> None:
        for key, rows in found.items():
            self._cache.store((self._rest, key), rows, self._generation)


def _ids(bound: inspect.BoundArguments, id_param: str) -> list[Any]:
    given = bound.arguments[id_param]
    if hasattr(given, "columns"):
        raise Uncacheable("a table may say more about its ids")
    ids = raw_ids(given)
    for name, value in bound.arguments.items():
        if name != id_param and _is_list(value) and len(value) == len(ids):
            raise Uncacheable(f"{name} may belong to the ids one by one")
    return ids


def _is_list(value: Any) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, str) and getattr(value, "ndim", 1) > 0
