"""What the job engine costs by itself: units and items that do nothing, in one process, without a broker.

A unit is claimed, its items recorded, and it is ended, with every event and counter. Planning stores 1 000 000 items
with addresses, as a kind does whose results can be reused.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from crant_core.jobs import schema
from crant_core.jobs.database import Database
from crant_core.jobs.repository.cutting import cut
from crant_core.jobs.repository.planning import CHUNK, NewItem
from crant_core.jobs.repository.reuse import batches
from crant_core.jobs.repository.units import ClaimedUnit
from tests.engine import NOON, Engine, an_outcome
from tests.fixtures.database import running_postgres

TITLE = "Engine (wall time)"
UNITS = 500
ITEMS_IN_ONE_UNIT = 1000
PLANNED = 1_000_000
_OUTBOX = 250  #: items that a worker records at a time


def table(full: bool = False) -> str:
    """Measure on SQLite and on PostgreSQL; always the same sizes."""
    head = (
        "| database | units of one item, per second | ms per item, 1 000 in a unit | 1 000 000 items planned in |"
        " most memory |\n|---|---|---|---|---|"
    )
    rows = [_row(name) for name in ("SQLite (WAL)", "PostgreSQL")]
    return "\n".join([(__doc__ or "").strip(), "", head, *rows])


def _row(name: str) -> str:
    """Measure in a process of its own, so that memory is what planning took."""
    command = [sys.executable, "-m", "benchmarks.engine", name]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _measure(name: str) -> str:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        if name == "PostgreSQL":
            with running_postgres(Path(folder)) as url:
                return _figures(name, url)
        return _figures(name, f"sqlite:///{folder}/crant.sqlite")


def _figures(name: str, url: str) -> str:
    database = Database(url)
    schema.upgrade(database)
    engine = Engine(database, window=4 * UNITS)
    units, items = _units_per_second(engine), _ms_per_item(engine)
    seconds = _planned_in(engine)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    database.close()
    return f"| {name} | {units:.0f} | {items:.2f} | {seconds:.0f} s | {memory:.0f} MB |"


def _units_per_second(engine: Engine) -> float:
    engine.planned(["0"])
    engine.run_unit(seconds=1e-9)  # now the engine knows that units cost nothing, and offers many
    engine.units.complete_finish(engine.claimed(), [])
    job = engine.planned([str(number) for number in range(UNITS)])
    cut(engine.database, job.id, UNITS)
    engine.dispatch.lead("bench")
    began, done = time.perf_counter(), 0
    while done < UNITS:
        for unit in engine.dispatch.due():
            claimed = engine.units.claim(unit.id, f"t{unit.id}", "bench")
            assert claimed is not None
            engine.units.complete_run(claimed, [an_outcome(item, files=[]) for item in claimed.items], seconds=1e-9)
            done += 1
    return done / (time.perf_counter() - began)


def _ms_per_item(engine: Engine) -> float:
    job = engine.planned([str(number) for number in range(ITEMS_IN_ONE_UNIT)], items_per_unit=ITEMS_IN_ONE_UNIT)
    began = time.perf_counter()
    _do(engine, engine.claim_run(job))
    return 1000 * (time.perf_counter() - began) / ITEMS_IN_ONE_UNIT


def _do(engine: Engine, unit: ClaimedUnit) -> None:
    parts = list(batches([an_outcome(item, files=[]) for item in unit.items], _OUTBOX))
    for part in parts[:-1]:
        engine.units.record(unit, part)
    engine.units.complete_run(unit, parts[-1])


def _planned_in(engine: Engine) -> float:
    unit = engine.claim_plan(engine.submit())
    began, position = time.perf_counter(), 0
    engine.plans.begin(unit)
    items = (NewItem(key=str(576460752303423577 + n), address=f"{n * 7919:064x}") for n in range(PLANNED))
    for chunk in batches(items, CHUNK):
        engine.plans.add(unit, position, chunk)
        position += len(chunk)
    engine.plans.complete(unit, NOON, first_size=1, largest_size=1000)
    return time.perf_counter() - began


if __name__ == "__main__":
    print(_measure(sys.argv[1]))
