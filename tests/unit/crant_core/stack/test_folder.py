from __future__ import annotations

from pathlib import Path

import pytest

from crant_core.errors import StackError
from crant_core.stack.folder import DataFolder


def test_only_its_owner_may_look_into_it(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    folder.remember(url="http://x", token="t")
    folder.secret("flower")
    assert folder.path.stat().st_mode & 0o777 == 0o700
    for name in ("client.json", "secrets.json"):
        assert (folder.path / name).stat().st_mode & 0o777 == 0o600


def test_secrets_are_made_once_and_differ(tmp_path: Path) -> None:
    first, again = DataFolder(tmp_path), DataFolder(tmp_path)
    assert first.secret("flower") == again.secret("flower")
    assert first.secret("sandbox") != first.secret("flower")


def test_what_is_known_is_kept_beside_what_is_new(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    assert folder.known() == {}
    folder.remember(url="http://a", token="t")
    folder.remember(url="http://b")
    assert folder.known() == {"url": "http://b", "token": "t"}


def test_two_stacks_cannot_share_a_folder(tmp_path: Path) -> None:
    first, second = DataFolder(tmp_path), DataFolder(tmp_path)
    first.lock()
    with pytest.raises(StackError, match="already"):
        second.lock()
    first.unlock()
    second.lock()
    second.unlock()
