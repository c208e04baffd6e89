"""What the job engine costs by itself: units and items that do nothing, in one process, without a broker."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from crant_core.jobs import schema
from crant_core.jobs.database import Database
from tests.engine import Engine
from tests.fixtures.database import running_postgres

UNITS = 300
ITEMS_IN_ONE_UNIT = 1000


def table() -> str:
    """Measure on SQLite and on PostgreSQL."""
    with tempfile.TemporaryDirectory() as folder:
        sqlite = _row("SQLite (WAL)", f"sqlite:///{folder}/crant.sqlite")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, running_postgres(Path(folder)) as url:
        postgres = _row("PostgreSQL", url)
    head = "| database | units of one item, per second | ms per item, 1 000 in a unit |\n|---|---|---|"
    return "\n".join(["## Engine (wall time)", "", (__doc__ or "").strip(), "", head, sqlite, postgres])


def _row(name: str, url: str) -> str:
    database = Database(url)
    schema.upgrade(database)
    engine = Engine(database, window=UNITS)
    units, items = _units_per_second(engine), _ms_per_item(engine)
    database.close()
    return f"| {name} | {units:.0f} | {items:.2f} |"


def _units_per_second(engine: Engine) -> float:
    engine.planned([str(number) for number in range(UNITS)])
    engine.dispatch.lead("bench")
    due = engine.dispatch.due()
    began = time.perf_counter()
    for unit in due:
        claimed = engine.units.claim(unit.id, f"t{unit.id}", "bench")
        assert claimed is not None
        engine.units.succeed_item(claimed, claimed.items[0], {}, [], 0.0)
        engine.units.complete_run(claimed)
    return UNITS / (time.perf_counter() - began)


def _ms_per_item(engine: Engine) -> float:
    job = engine.planned([str(number) for number in range(ITEMS_IN_ONE_UNIT)], items_per_unit=ITEMS_IN_ONE_UNIT)
    unit = engine.claim_run(job)
    began = time.perf_counter()
    for item in unit.items:
        engine.units.succeed_item(unit, item, {}, [], 0.0)
    engine.units.complete_run(unit)
    return 1000 * (time.perf_counter() - began) / ITEMS_IN_ONE_UNIT
