"""A clean environment for every test: no CRANT_* variables, no tokens, no home of the person who runs them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import platformdirs
import pytest

pytest_plugins = ["tests.fixtures.database", "tests.fixtures.sandbox", "tests.fixtures.service"]

hypothesis.settings.register_profile("house", deadline=None)  # machines are busy; no test asserts wall time
hypothesis.settings.load_profile("house")

# Building the sandbox's world takes half a minute: all runs on a machine share it.
_worlds = os.environ.get("CRANT_SANDBOX_CACHE") or str(platformdirs.user_cache_path("crant") / "sandbox")

# Libraries read these when they are imported, so a fixture would come too late.
for name in [name for name in os.environ if name.startswith(("CRANT_", "CELERY_", "FLOWER_", "CLOUD_VOLUME"))]:
    del os.environ[name]
_home = tempfile.TemporaryDirectory(prefix="crant-home-", ignore_cleanup_errors=True)
os.environ |= {
    "HOME": _home.name,
    "MPLBACKEND": "agg",
    "BROWSER": "/bin/true",  # caveclient would open one on a 403
    "TQDM_DISABLE": "1",
    "CRANT_SANDBOX_CACHE": _worlds,
}

_SHORTER = ("integration", "science", "contracts", "architecture", "unit")  # than all others, in this order


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Give each module to one test process, so that its servers start once, and begin with what takes long."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(_sharing(item.path)))
    yield
    items.sort(key=_length)  # stable: within a level still at random


def _length(item: pytest.Item) -> int:
    level = _parts(item.path)[0]
    return _SHORTER.index(level) if level in _SHORTER else -1


def _sharing(path: Path) -> str:
    """Return the package where it has servers of its own, or the module."""
    return "/".join(_parts(path.parent if (path.parent / "conftest.py").exists() and len(_parts(path)) > 2 else path))


def _parts(path: Path) -> tuple[str, ...]:
    return path.relative_to(Path(__file__).parent).parts
