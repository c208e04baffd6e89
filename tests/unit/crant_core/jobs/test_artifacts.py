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


def test_files_that_are_not_there_whole_are_missing(store: CloudStore) -> None:
    whole, other = store.put(b"whole"), store.put(b"")
    assert store.missing({whole: 5, other: 0, "0" * 64: 5}) == {"0" * 64}
    assert store.missing({whole: 4}) == {whole}
    assert store.missing({}) == set()


def test_a_file_that_was_cut_short_or_found_damaged_is_stored_anew(tmp_path: Path) -> None:
    store = CloudStore(f"file://{tmp_path}")
    path = store.local_path(store.put(b"whole"))
    assert path is not None
    path.write_bytes(b"who")
    assert store.get(store.put(b"whole")) == b"whole"
    path.write_bytes(b"wrong")
    with pytest.raises(NotFound, match="sound"):
        store.get(path.name)
    assert [file.read_bytes() for file in path.parent.glob("*.damaged")] == [b"wrong"], "for people to look at"
    assert store.get(store.put(b"whole")) == b"whole"


def test_bytes_in_parts_are_stored_as_if_they_were_whole(store: CloudStore) -> None:
    parts = [b"one ", b"", b"two"]
    assert store.put_parts(iter(parts)) == (hashlib.sha256(b"one two").hexdigest(), 7)
    assert store.get(store.put(b"one two")) == b"one two"
    assert store.put_parts(iter(parts)) == (hashlib.sha256(b"one two").hexdigest(), 7)
