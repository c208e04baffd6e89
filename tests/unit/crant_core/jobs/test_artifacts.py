from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from crant_core.errors import NotFound, StoreUnavailable
from crant_core.jobs.artifacts import CloudStore


@pytest.fixture(params=["file", "mem"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> CloudStore:
    return CloudStore(f"{request.param}://{tmp_path}/a b/artifacts")


def test_bytes_come_back_under_their_checksum(store: CloudStore) -> None:
    sha256 = store.put(b"\x1f\x8b not really gzip")
    assert sha256 == hashlib.sha256(b"\x1f\x8b not really gzip").hexdigest()
    assert store.put(b"\x1f\x8b not really gzip") == sha256
    assert store.get(sha256) == b"\x1f\x8b not really gzip"
    assert store.get(store.put(b"")) == b""


def test_what_is_not_there_or_damaged_is_not_given_out(tmp_path: Path) -> None:
    store = CloudStore(f"file://{tmp_path}")
    with pytest.raises(NotFound):
        store.get("0" * 64)
    sha256 = store.put(b"whole")
    path = store.local_path(sha256)
    assert path is not None
    path.write_bytes(b"torn")
    with pytest.raises(NotFound, match="sound"):
        store.get(sha256)


def test_what_does_not_fit_leaves_neither_file_nor_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = CloudStore(f"file://{tmp_path}")

    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("crant_core.jobs.artifacts.os.fsync", full_disk)
    with pytest.raises(StoreUnavailable, match="No space"):
        store.put(b"too much")
    assert store.local_path(hashlib.sha256(b"too much").hexdigest()) is None
    assert list(store.drafts()) == []
