from __future__ import annotations

import sqlalchemy as sa
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


def test_a_release_works_on_while_a_newer_one_has_migrated_and_leaves_its_schema_alone(database_url: str) -> None:
    database = Database(database_url)
    assert not schema.is_usable(database)
    schema.upgrade(database)
    assert schema.is_usable(database)
    with database.engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = 'of a later release'"))
    schema.upgrade(database)  # a host of the release before starts again
    assert schema.is_usable(database)
    assert not schema.is_current(database)
    with database.engine.begin() as connection:
        assert connection.scalar(sa.text("SELECT version_num FROM alembic_version")) == "of a later release"
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0001'"))
    assert not schema.is_usable(database)
    database.close()


def test_there_is_one_line_of_migrations() -> None:
    assert len(ScriptDirectory.from_config(schema._config(None)).get_heads()) == 1
