"""How the command line finds the stack of this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from crant_core import running
from crant_core.running import announce, data_folder, folder_of_running_stack, stack_folder, withdraw


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_note", lambda: tmp_path / "runtime" / "stack.json")
    monkeypatch.delenv("CRANT_DATA", raising=False)


def test_a_stack_that_runs_is_found_wherever_its_data_are(tmp_path: Path) -> None:
    assert stack_folder() == data_folder()
    announce(tmp_path / "elsewhere")
    assert stack_folder() == tmp_path / "elsewhere"
    withdraw()
    assert stack_folder() == data_folder()


def test_who_names_a_folder_is_not_led_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    announce(tmp_path / "elsewhere")
    monkeypatch.setenv("CRANT_DATA", str(tmp_path / "mine"))
    assert stack_folder() == tmp_path / "mine"


def test_a_stack_that_was_killed_is_not_found(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    announce(tmp_path)
    running._note().write_text(json.dumps({"folder": str(tmp_path), "pid": ended.pid}))
    assert folder_of_running_stack() is None
    withdraw()  # it is not this process's note
    assert running._note().exists()


@pytest.mark.parametrize("text", ["", "[]", '{"folder": "/x"}', '{"folder": "/x", "pid": "y"}', "\xff"])
def test_a_note_that_is_none_is_passed_over(tmp_path: Path, text: str) -> None:
    announce(tmp_path)
    running._note().write_text(text, encoding="latin-1")
    assert folder_of_running_stack() is None


def test_a_note_of_somebody_else_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    announce(tmp_path)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    assert folder_of_running_stack() is None
