from __future__ import annotations

from alembic.script import ScriptDirectory

from crant_core.jobs import schema
from crant_core.jobs.database import Database


def test_migrations_lead_to_the_models_and_may_run_twice(database_url: str) -> None:
    database = Database(database_url)
    assert not schema.is_current(database)
    schema.upgrade(database)
    schema.upgrade(database)
    assert schema.is_current(database)
    assert schema.drift(database) == []
    database.close()


def test_there_is_one_line_of_migrations() -> None:
    assert len(ScriptDirectory.from_config(schema._config(None)).get_heads()) == 1
