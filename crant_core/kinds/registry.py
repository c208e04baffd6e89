"""Finds the kinds: one folder each. Adding a kind is adding a folder."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from crant_core import kinds
from crant_core.errors import UnknownKind
from crant_core.kinds.base import KindSpec


@cache
def all_kinds() -> dict[str, KindSpec]:
    """Load every kind's spec, by name. Nothing scientific is imported."""
    folders = (module.name for module in iter_modules(kinds.__path__) if module.ispkg)
    specs = (import_module(f"{kinds.__name__}.{folder}.spec").SPEC for folder in folders)
    return {spec.name: spec for spec in specs}


def get_kind(name: str) -> KindSpec:
    """Find a kind by name.

    Raises
    ------
    UnknownKind
        With the nearest known names.
    """
    known = all_kinds()
    if name in known:
        return known[name]
    near = get_close_matches(name, known, n=3) or sorted(known)
    raise UnknownKind(f"no kind of job is called {name!r}", value=name, hint=f"known: {', '.join(near)}")


def load_runner(spec: KindSpec) -> ModuleType:
    """Import the heavy half of a kind (workers only)."""
    return import_module(spec.runner)
