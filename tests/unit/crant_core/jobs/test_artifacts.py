from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from crant_core.errors import NotFound, StoreUnavailable
from crant_core.jobs.artifacts import CloudStore
from crant_core.sources import buckets
from tests.fixtures.bucket import Bucket, serving

GRACE = timedelta(hours=24)


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with serving(Bucket()) as server:
        yield server


@pytest.fixture
def s3(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> CloudStore:
    for name, value in bucket.environment().items():
        monkeypatch.setenv(name, value)
    return CloudStore(f"s3://lab-{bucket.server_port}/a b/artifacts")  # cloud-files keeps connections by bucket


@pytest.fixture(params=["file", "mem", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> CloudStore:
    if request.param == "s3":
        return request.getfixturevalue("s3")
    place = tmp_path.name if request.param == "mem" else tmp_path  # the whole process has the same memory
    return CloudStore(f"{request.param}://{place}/a b/artifacts")


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


def test_what_is_listed_is_what_was_stored_and_nothing_else(store: CloudStore) -> None:
    stored = {store.put(str(n).encode()) for n in range(5)}
    store._write("ab/notes.txt", b"of somebody else")
    assert set(store.stored()) == stored


class TestObjectStores:
    def test_objects_lie_under_their_checksum_and_are_asked_with_the_keys_of_the_environment(self, s3, bucket) -> None:
        sha256 = s3.put(b"whole")
        [path] = bucket.objects
        assert path == f"lab-{bucket.server_port}/a b/artifacts/{sha256[:2]}/{sha256}"
        assert s3.local_path(sha256) is None
        assert list(s3.drafts()) == []

    def test_one_that_is_not_there_or_damaged_is_not_given_out(self, s3, bucket) -> None:
        with pytest.raises(NotFound):
            s3.get("0" * 64)
        sha256 = s3.put(b"whole")
        [path] = bucket.objects
        bucket.objects[path] = (b"torn", 0.0)
        with pytest.raises(NotFound, match="sound"):
            s3.get(sha256)
        assert s3.get(s3.put(b"whole")) == b"whole"

    def test_a_listing_of_several_pages_is_whole(self, s3, bucket) -> None:
        folder = f"lab-{bucket.server_port}/a b/artifacts"
        digests = {hashlib.sha256(str(n).encode()).hexdigest() for n in range(2500)}
        bucket.objects = {f"{folder}/{digest[:2]}/{digest}": (b"x", 0.0) for digest in digests}
        bucket.objects[f"{folder} of others/aa/{'a' * 64}"] = (b"x", 0.0)
        assert set(s3.stored()) == digests
        assert sum("list-type" in request for request in bucket.requests) == 3

    def test_old_objects_are_removed_and_young_ones_are_not(self, s3, bucket) -> None:
        old = s3.put(b"old")
        bucket.age(2 * 86400)
        young = s3.put(b"young")
        assert s3.remove(old, GRACE, really=False) == 3
        assert s3.missing({old: 3}) == set()
        assert s3.remove(old, GRACE, really=True) == 3
        assert s3.remove(old, GRACE, really=True) is None, "gone"
        assert s3.remove(young, GRACE, really=True) is None
        assert s3.missing({old: 3, young: 5}) == {old}

    def test_bytes_that_are_stored_again_are_young(self, s3, bucket) -> None:
        sha256 = s3.put(b"wanted")
        bucket.age(2 * 86400)
        s3.put_parts([b"wan", b"ted"])
        assert s3.remove(sha256, GRACE, really=True) is None

    @pytest.mark.parametrize("status", [500, 503])
    def test_a_busy_store_is_asked_again_and_then_it_is_an_error_that_may_pass(
        self, s3, bucket, status, monkeypatch
    ) -> None:
        sha256 = s3.put(b"whole")
        monkeypatch.setattr("crant_core.sources.transport.RETRY_SECONDS", 0.2)
        bucket.status = status
        for act in (
            lambda: s3.put(b"more"),
            lambda: s3.put_parts([b"more"]),
            lambda: s3.get(sha256),
            lambda: s3.missing({sha256: 5}),
            lambda: s3.remove(sha256, GRACE, really=True),
        ):
            bucket.requests.clear()
            with pytest.raises(StoreUnavailable) as caught:
                act()
            assert caught.value.retryable
            assert len(bucket.requests) > 1
        bucket.status = None
        assert s3.get(sha256) == b"whole"

    def test_one_that_refuses_is_not_asked_again(self, s3, bucket) -> None:
        s3.put(b"whole")
        bucket.status = 403
        bucket.requests.clear()
        with pytest.raises(StoreUnavailable, match="InvalidAccessKeyId"):
            s3.put(b"more")
        assert len(bucket.requests) == 1

    def test_one_that_is_not_there_is_an_error_that_may_pass(self, s3, bucket, monkeypatch) -> None:
        monkeypatch.setattr("crant_core.sources.transport.RETRY_SECONDS", 0.2)
        bucket.shutdown()
        bucket.server_close()
        with pytest.raises(StoreUnavailable, match="Could not connect"):
            s3.put(b"more")

    def test_the_time_that_a_request_may_take_is_bounded_once_for_the_process(self, s3) -> None:
        from cloudfiles.interfaces import S3Interface

        assert S3Interface.put_file.retry.stop is buckets.is_enough
