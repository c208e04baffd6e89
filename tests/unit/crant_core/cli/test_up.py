from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crant_core.cli.up import describe
from crant_core.stack import RunningStack

TOKEN = "crant_first"


def stack(**changes: Any) -> RunningStack:
    given = {
        "url": "http://127.0.0.1:8000", "public_url": None, "token": TOKEN, "is_first_start": True,
        "flower_url": "http://127.0.0.1:5555", "flower_user": "crant", "flower_password": "p", "sandbox_url": None,
        "data": Path("/data"), "wait": lambda: None,
    }  # fmt: skip
    return RunningStack(**(given | changes))


def test_the_first_start_shows_the_token_and_no_later_one_does(capsys: pytest.CaptureFixture[str]) -> None:
    describe(stack())
    first = capsys.readouterr().out
    assert f"/login#{TOKEN}" in first
    assert ["token", TOKEN] in [line.split() for line in first.splitlines()]
    describe(stack(is_first_start=False))
    later = capsys.readouterr().out
    assert TOKEN not in later
    assert "/data/client.json" in later


def test_people_are_sent_to_the_public_address(capsys: pytest.CaptureFixture[str]) -> None:
    describe(stack(public_url="https://crant.lab"))
    said = capsys.readouterr().out
    assert f"https://crant.lab/login#{TOKEN}" in said
    assert "https://crant.lab/docs" in said
