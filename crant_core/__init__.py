"""Connectomics on CAVE, in batches.

Public names are loaded when first used: importing this package does no I/O and loads nothing heavy.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "CrantError": "errors",
    "Dataset": "datasets",
    "Mesh": "mesh",
    "Skeleton": "skeleton",
    "get_dataset": "datasets",
    "skeletonize_mesh": "skeleton",
}

__all__ = sorted(_HOME)  # noqa: PLE0605 - one list of names, not two


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
