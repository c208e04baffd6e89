"""The sandbox's world is made the same every time, small, and nowhere but in its folder."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures import neurons
from tests.fixtures.sandbox import run_sandbox

MEGABYTES = 30


def contents(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "complete"]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_second_build_is_equal_byte_for_byte_and_small(tmp_path: Path) -> None:
    again = tmp_path / "world"
    subprocess.run([sys.executable, "-m", "crant_core.sandbox.world", str(again)], check=True, timeout=230)
    assert contents(again) == contents(neurons.world().folder)
    assert sum(path.stat().st_size for path in again.rglob("*") if path.is_file()) < MEGABYTES * 1e6


def test_a_running_sandbox_leaves_the_home_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRANT_SANDBOX_CACHE", os.environ["CRANT_SANDBOX_CACHE"])
    monkeypatch.setenv("HOME", str(tmp_path))
    with run_sandbox() as sandbox:
        sandbox.control("POST", "edit", {"operation": "toggle", "neuron": 0})
        sandbox.control("POST", "materialize")
        sandbox.control("POST", "reset")
    assert list(tmp_path.iterdir()) == []


def test_a_world_that_was_only_half_built_is_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupted build leaves a folder without its mark."""
    from crant_core.sandbox.world import cache

    monkeypatch.setenv("CRANT_SANDBOX_CACHE", str(tmp_path))
    (tmp_path / cache.fingerprint() / "tables").mkdir(parents=True)
    built = []
    monkeypatch.setattr(cache, "_build", lambda folder: (built.append(folder), (folder / "complete").touch()))
    assert not cache.is_ready()
    assert cache.prepare() == cache.prepare() == built[0]
    assert len(built) == 1
    assert cache.is_ready()
