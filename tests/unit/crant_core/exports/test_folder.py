"""Files of buckets, read by ranges while the next one is on its way."""

from __future__ import annotations

import threading

import pytest

from crant_core.errors import SourceError
from crant_core.exports import folder as module
from crant_core.exports.folder import Folder

DATA = bytes(range(256)) * 4


class Bucket(Folder):
    """Serves ranges from memory and remembers which were asked for."""

    def __init__(self, broken_from: int | None = None) -> None:
        super().__init__("https://bucket.test/x")
        self.asked: list[tuple[int, int]] = []
        self.second = threading.Event()
        self.broken_from = broken_from

    def size(self, name: str) -> int | None:
        return len(DATA)

    def part(self, name: str, start: int, stop: int) -> bytes:
        self.asked.append((start, stop))
        if len(self.asked) == 2:
            self.second.set()
        if self.broken_from is not None and start >= self.broken_from:
            raise SourceError("cut short")
        return DATA[start:stop]


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    monkeypatch.setattr(module, "_PART", 100)


@pytest.mark.parametrize("step", [1, 7, 100, 250, 5000])
def test_every_byte_comes_once_in_order(step):
    bucket, found = Bucket(), b""
    with bucket.open("a") as file:
        while more := file.read(step):
            found += more
    assert found == DATA
    assert bucket.asked == [(start, min(start + 100, len(DATA))) for start in range(0, len(DATA), 100)]


def test_the_next_part_comes_while_this_one_is_read_and_no_further_one():
    bucket = Bucket()
    with bucket.open("a") as file:
        assert file.read(1) == DATA[:1]
        assert bucket.second.wait(5)
        assert bucket.asked == [(0, 100), (100, 200)]
    assert not [one for one in threading.enumerate() if one.name.startswith("exports")]


def test_a_part_that_cannot_be_had_is_an_error_where_it_is_read():
    with Bucket(broken_from=100).open("a") as file:
        assert file.read(1) == DATA[:1]
        with pytest.raises(SourceError, match="cut short"):
            file.read()
