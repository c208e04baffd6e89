"""An engine on a database of each kind, whose time stands still until a test moves it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine import ClockedDatabase, Engine


@pytest.fixture
def database(migrated_url: str) -> Iterator[ClockedDatabase]:
    database = ClockedDatabase(migrated_url)
    yield database
    database.close()


@pytest.fixture
def engine(database: ClockedDatabase) -> Engine:
    return Engine(database)
