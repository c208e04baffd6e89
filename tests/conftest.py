"""A clean environment for every test: no CRANT_* variables, no tokens, no home of the person who runs them."""

from __future__ import annotations

import os
import tempfile

import pytest

pytest_plugins = ["tests.fixtures.database", "tests.fixtures.sandbox", "tests.fixtures.service"]

# Libraries read these when they are imported, so a fixture would come too late.
for name in [name for name in os.environ if name.startswith(("CRANT_", "CELERY_", "FLOWER_", "CLOUD_VOLUME"))]:
    del os.environ[name]
os.environ |= {
    "HOME": tempfile.mkdtemp(prefix="crant-home-"),
    "MPLBACKEND": "agg",
    "BROWSER": "/bin/true",  # caveclient would open one on a 403
    "TQDM_DISABLE": "1",
}


@pytest.fixture(autouse=True)
def _no_leaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo every change of the environment after each test."""
    monkeypatch.setenv("PYTHONHASHSEED", "0")
