"""A result whose file is gone or damaged serves nobody: it is made again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from crant_core.jobs.model import JobState
from crant_core.jobs.tables import JobRow
from crant_core.kinds.base import Context, File, ItemResult
from tests.unit.worker.house import House


def stored_at(house: House, job: JobRow, name: str) -> Path:
    path = house.store.local_path(house.engine.jobs.artifact(job.id, name).sha256)
    assert path is not None
    return path


@pytest.fixture
def made(science: SimpleNamespace) -> list[str]:
    """The keys of what was computed, in turn; each key has a file of its own."""
    keys: list[str] = []

    def run(context: Context, key: str) -> ItemResult:
        keys.append(key)
        return ItemResult(files=(File(name=f"{key}.txt", media_type="t/t", data=f"file of {key}".encode()),))

    science.run = run
    return keys


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(b"fi")], ids=["gone", "cut short"])
def test_it_is_made_again_and_the_others_are_not(house: House, made: list[str], harm: Callable[[Path], object]) -> None:
    first = house.finish(ids=[1, 2, 3])
    harm(stored_at(house, first, "2.txt"))
    second = house.finish(ids=[1, 2, 3])
    assert (second.state, second.reused, made) == (JobState.SUCCEEDED, 2, ["1", "2", "3", "2"])
    assert stored_at(house, second, "2.txt").read_bytes() == b"file of 2"
    assert house.finish(ids=[1, 2, 3]).reused == 3, "the new result serves again"


def test_a_file_that_was_read_and_found_damaged_counts_as_gone(house: House, made: list[str]) -> None:
    first = house.finish(ids=[1])
    stored_at(house, first, "1.txt").write_bytes(b"fail of 1")  # as long as it was
    failed = house.finish(ids=[1])
    assert (failed.state, failed.error_code) == (JobState.FAILED, "not_found")
    again = house.finish(ids=[1])
    assert (again.state, made) == (JobState.SUCCEEDED, ["1", "1"])
    assert stored_at(house, again, "1.txt").read_bytes() == b"file of 1"


def test_a_unit_finds_it_missing_too(house: House, made: list[str]) -> None:
    """Nobody had made the result when the second job was planned; it was made, and lost, before its unit began."""
    first, second = house.engine.submit(ids=[1]), house.engine.submit(ids=[1])
    house.work(1)  # both plans
    units = {unit.job_id: unit.id for unit in house.engine.dispatch.due()}
    house.runner.execute(units[first.id], "t1", "test")
    stored_at(house, first, "1.txt").unlink()
    house.runner.execute(units[second.id], "t2", "test")
    assert (made, house.engine.see(second).reused) == (["1", "1"], 0)
    assert stored_at(house, second, "1.txt").is_file()
