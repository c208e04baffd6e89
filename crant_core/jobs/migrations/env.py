"""Runs the migrations inside one transaction, on the connection that `schema.upgrade` gives."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context

from crant_core.jobs import schedule_tables
from crant_core.jobs.tables import UtcDateTime


def render_item(kind: str, item: Any, autogen_context: Any) -> str | Literal[False]:
    """Write our column type as plain SQLAlchemy: a migration must not change when our code does."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=schedule_tables.ScheduleRow.metadata,
    render_as_batch=True,  # SQLite changes a table by copying it
    compare_type=True,
    render_item=render_item,
)
with context.begin_transaction():
    context.run_migrations()
