"""Brings the database to the schema this release needs, and says whether it is there."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from crant_core.jobs import schedule_tables, views
from crant_core.jobs.database import Database

_LOCK = 0x43_52_41_4E_54  # any number of our own: two releases must not migrate PostgreSQL at once


def upgrade(database: Database) -> None:
    """Apply the migrations that are missing, if any are. Safe to call twice and from two processes."""
    with database.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        if _is_usable(connection):
            return
        views.drop(connection)
        command.upgrade(_config(connection), "head")
        views.create(connection)


def new_revision(database: Database, message: str) -> None:
    """Write a migration that takes the database to the models as they are in the code now."""
    with database.engine.begin() as connection:
        command.revision(_config(connection), message, autogenerate=True)


def is_current(database: Database) -> bool:
    """Say whether the database has this release's schema."""
    with database.engine.connect() as connection:
        return _is_current(connection)


def is_usable(database: Database) -> bool:
    """Say whether the database has this release's schema, or that of a newer one, which only added to it."""
    with database.engine.connect() as connection:
        return _is_usable(connection)


def drift(database: Database) -> list[object]:
    """List the differences between the models and the migrated database; an empty list is right."""
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, schedule_tables.ScheduleRow.metadata))


def _is_current(connection: Connection) -> bool:
    return _revision(connection) == ScriptDirectory.from_config(_config(None)).get_current_head()


def _is_usable(connection: Connection) -> bool:
    """Look for a revision that does not stand behind ours: what is not known here was made later."""
    found, scripts = _revision(connection), ScriptDirectory.from_config(_config(None))
    behind = {script.revision for script in scripts.walk_revisions()} - {scripts.get_current_head()}
    return found is not None and found not in behind


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _config(connection: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config
