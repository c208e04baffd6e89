"""How a neuron is skeletonized: the method, and what can be chosen about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from difflib import get_close_matches
from operator import index
from typing import Any

from crant_core.errors import InvalidParameters
from crant_core.skeleton.options import Options

WAVEFRONT, SKELETOR, L2, SERVICE = METHODS = ("wavefront", "skeletor", "l2", "service")
MOST_ELSEWHERE = 0.3  #: share of nodes that may lie outside: 0.2 to 0.26 of decimated surfaces do, 0.9 of foreign ones

_NAMED = ("shave", "remove_soma_hairball")  # arguments of the public functions
_OF_ENGINE = frozenset(one.name for one in fields(Options)) - set(_NAMED) | {"step_size"}
_ALLOWED: Mapping[str, frozenset[str]] = {
    WAVEFRONT: _OF_ENGINE,
    SKELETOR: frozenset({"waves", "step_size", "heal"}),
    L2: frozenset(),
    SERVICE: frozenset(),
}


@dataclass(frozen=True, kw_only=True)
class Choices:
    """How skeletons are made.

    Attributes
    ----------
    method : str
        One of `METHODS`.
    options : Options
        Of the wavefront, which is also the way out where another method fails.
    waves, step_size : int
        Of skeletor.
    heal : bool
        Of skeletor.
    otherwise : bool
        Take the wavefront where the method has no skeleton.
    most_elsewhere : float or None
        The share of nodes that may lie outside of their neuron; None: nobody looks.
    """

    method: str = WAVEFRONT
    options: Options = field(default_factory=Options)
    waves: int = 1
    step_size: int = 1
    heal: bool = True
    otherwise: bool = False
    most_elsewhere: float | None = None

    def asked(self, first: str = "") -> dict[str, Any]:
        """Return the method and its options; with `first`, or with a way out, all methods that may make skeletons."""
        methods = dict.fromkeys([*filter(None, [first]), self.method, *([WAVEFRONT] if self.otherwise else [])])
        options = {name: value for method in methods for name, value in self.described(method).items()}
        return {"method": ", else ".join(methods), **options}

    def described(self, method: str) -> dict[str, Any]:
        """Return the choices that mattered to a skeleton that was made by `method`."""
        if method == WAVEFRONT:
            return asdict(self.options)
        if method == SKELETOR:
            return {"waves": self.waves, "step_size": self.step_size, "heal": self.heal}
        return {}


def chosen(
    method: str | None = None,
    given: Mapping[str, Any] | None = None,
    *,
    shave_skeleton: bool = True,
    remove_soma_hairball: bool = False,
    assert_id_match: bool = False,
    use_pcg_skel: bool = False,
) -> Choices:
    """Read what was asked for.

    Parameters
    ----------
    method : str or None
        None is the wavefront, or with `use_pcg_skel` the L2 chunks with the wavefront as a way out.
    given : mapping
        Options of the method; `elsewhere`, the share of nodes that may lie outside.

    Raises
    ------
    InvalidParameters
        There is no such method or option, or the method has no use for it.
    """
    given = dict(given or {})
    if use_pcg_skel and method not in (None, L2):
        raise InvalidParameters(f"use_pcg_skel is the method l2, not {method}", value=method)
    name = method or (L2 if use_pcg_skel else WAVEFRONT)
    if name not in METHODS:
        raise InvalidParameters(f"no method is called {name!r}", value=name, hint=f"one of {', '.join(METHODS)}")
    elsewhere = _share(given.pop("elsewhere", MOST_ELSEWHERE))
    _check_names(given, _ALLOWED[WAVEFRONT if use_pcg_skel else name], name)
    if remove_soma_hairball and name != WAVEFRONT and not use_pcg_skel:
        raise InvalidParameters(f"the method {name} cannot remove_soma_hairball", value=name, hint="wavefront can")
    engine = name == WAVEFRONT or use_pcg_skel
    return Choices(
        method=name,
        options=_options(given if engine else {}, shave_skeleton, remove_soma_hairball),
        **({} if engine else _of_skeletor(given)),
        otherwise=use_pcg_skel,
        most_elsewhere=elsewhere if assert_id_match else None,
    )


def _check_names(given: Iterable[str], allowed: frozenset[str], method: str) -> None:
    for name in given:
        if name in allowed:
            continue
        hint = _hint(name, allowed)
        raise InvalidParameters(f"the method {method} has no option {name}", value=name, hint=hint)


def _hint(name: str, allowed: frozenset[str]) -> str:
    elsewhere = [method for method, names in _ALLOWED.items() if name in names]
    if elsewhere:
        return f"{name} is of the method {' or '.join(elsewhere)}"
    near = get_close_matches(name, allowed, n=3) or sorted(allowed)
    return f"it has: {', '.join(near)}" if near else "it has none"


def _options(given: dict[str, Any], shave: bool, hairball: bool) -> Options:
    if "step_size" in given:  # as skeletor calls it
        if "edges_per_step" in given:
            raise InvalidParameters("step_size and edges_per_step are the same, and both are given", value=str(given))
        given["edges_per_step"] = given.pop("step_size")
    return Options(shave=bool(shave), remove_soma_hairball=bool(hairball), **given)


def _of_skeletor(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: bool(value) if name == "heal" else _whole(name, value) for name, value in given.items()}


def _whole(name: str, value: Any) -> int:
    try:
        found = index(value)
    except TypeError as error:
        raise InvalidParameters(f"{name} is {value!r}", value=value, hint="a whole number, 1 or more") from error
    if found < 1:
        raise InvalidParameters(f"{name} is {found}", value=found, hint="a whole number, 1 or more")
    return found


def _share(value: Any) -> float:
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InvalidParameters(f"elsewhere is {value!r}", value=value, hint="a share of the nodes, 0 to 1")
    return float(value)
