"""Results in SQL: what people query, on SQLite and on PostgreSQL alike, with the queries that the page shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from alembic import command
from alembic.config import Config
from pyarrow.parquet import write_table
from sqlalchemy import Connection, delete, inspect, text

from crant_core.errors import LeaseLost
from crant_core.jobs import schema
from crant_core.jobs.model import JobState
from crant_core.jobs.repository.results import TABLES
from crant_core.jobs.tables import ArtifactRow, AttemptRow, EventRow, ItemRow, JobRow, UnitRow
from crant_core.kinds.base import File
from tests.engine import ClockedDatabase, Engine, a_file, an_outcome
from worker.rows import rows_of

PAGE = (Path(__file__).parents[2] / "docs" / "results.md").read_text()
QUERIES = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
A, B, C = 2**62 + 1, 2**62 + 2, 2**63 - 1  # as float64 the first two are one

EDGES = {"pre": [A, B, A], "post": [B, A, C], "weight": [5, 2, 2**40]}
SUMS = {
    "neuropil": ["EB", "other"],
    "pre_type": ["EPG", "EPG"],
    "post_type": ["PEN", "EPG"],
    "weight": [12.0, 0.5],
    "n_pre": [2, 2],
    "n_post": [3, 2],
}
CHANGES = {
    "number": [0, 1],
    "change": ["skeleton", "connection"],
    "root_id": [A, A],
    "old_id": [B, None],
    "partner_id": [None, C],
    "measure": ["cable_length_um", "weight"],
    "before": [12.5, None],
    "after": [13.0, 2.0],
}
SKELETON = {"n_nodes": 9, "cable_length_um": 12.5, "n_branches": 2, "n_ends": 3, "radius_nm": 80.0}


@pytest.fixture
def engine(migrated_url: str) -> Iterator[Engine]:
    database = ClockedDatabase(migrated_url)
    yield Engine(database)
    database.close()


def a_table(name: str, rows: dict[str, list[Any]], sql: str) -> File:
    stream = BytesIO()
    write_table(pa.table(rows), stream)
    return File(name=name, media_type="application/vnd.apache.parquet", data=stream.getvalue(), table=sql)


def ended(engine: Engine, kind: str, items: dict[int, dict[str, Any]], *files: File, most: int = 100) -> JobRow:
    """Do a job whose items have these metrics and whose finish makes these files."""
    job = engine.planned(map(str, items), items_per_unit=100, kind=kind)
    unit = engine.claim_run(job)
    engine.units.complete_run(
        unit, [an_outcome(item, metrics=items[int(item.key)], files=()) for item in unit.items], seconds=0.1
    )
    finish(engine, job, *files, most=most)
    return engine.see(job)


def finish(engine: Engine, job: JobRow, *files: File, most: int = 100) -> None:
    unit = engine.claimed()
    assert unit.job.id == job.id
    engine.units.complete_finish(unit, [a_file(file.name) for file in files], [rows_of(file, most) for file in files])


def asked(engine: Engine, query: str, **names: Any) -> list[dict[str, Any]]:
    with engine.database.reading() as session:
        return [dict(row._mapping) for row in session.execute(text(query), names)]


def edges(engine: Engine) -> list[tuple[int, ...]]:
    return [tuple(row.values()) for row in asked(engine, "SELECT pre, post, weight FROM edges ORDER BY pre, post")]


def test_rows_are_there_when_the_job_has_ended_with_ids_exact(engine: Engine) -> None:
    job = ended(engine, "connectivity", {A: {}}, a_table("c.parquet", EDGES, "edges"))
    assert job.state == JobState.SUCCEEDED
    assert edges(engine) == [(A, B, 5), (A, C, 2**40), (B, A, 2)]
    other = ended(engine, "neuropil_matrices", {A: {}}, a_table("t.parquet", SUMS, "type_sums"))
    found = asked(engine, "SELECT * FROM type_sums ORDER BY neuropil")
    rows = [dict(zip(SUMS, values, strict=True)) for values in zip(*SUMS.values(), strict=True)]
    assert found == [{"job_id": other.id, **row} for row in rows]


def test_a_second_finish_replaces_them(engine: Engine) -> None:
    job = engine.planned(["1"], kind="connectivity")
    engine.run_unit(fail=lambda _: LeaseLost())
    finish(engine, job, a_table("c.parquet", EDGES, "edges"))
    engine.control.retry(job.id)
    engine.run_unit()
    finish(engine, job, a_table("c.parquet", {"pre": [C], "post": [A], "weight": [1]}, "edges"))
    assert edges(engine) == [(C, A, 1)]


def test_a_zombies_rows_are_refused_with_its_finish(engine: Engine) -> None:
    job = engine.planned([], kind="connectivity")
    zombie = engine.claimed()
    engine.pass_time(61)
    engine.pass_time(61)
    heir = engine.claimed()
    with pytest.raises(LeaseLost):
        engine.units.complete_finish(zombie, [], [rows_of(a_table("c.parquet", EDGES, "edges"), 100)])
    assert edges(engine) == []
    engine.units.complete_finish(heir, [], [rows_of(a_table("c.parquet", EDGES, "edges"), 100)])
    assert len(edges(engine)) == 3
    assert JobState(engine.see(job).state).ended


def test_a_table_that_is_too_large_stays_out_whole_and_the_job_says_so(engine: Engine) -> None:
    table = a_table("c.parquet", EDGES, "edges")
    job = ended(engine, "connectivity", {A: {}}, table, most=2)
    assert edges(engine) == []
    [event] = [one for one in engine.jobs.events(job.id) if one.type == "not_in_sql"]
    told = {"table": "edges", "file": "c.parquet", "rows": 3, "most": 2}
    assert {name: event.data[name] for name in told} == told
    assert rows_of(table, 2).described() == told | {"in_sql": False}
    assert rows_of(table, 3).described() == told | {"in_sql": True, "most": 3}


def test_more_rows_than_a_batch_are_all_written(engine: Engine) -> None:
    count = 20_001
    rows = {"pre": [A] * count, "post": [*range(1, count + 1)], "weight": [1] * count}
    ended(engine, "connectivity", {A: {}}, a_table("c.parquet", rows, "edges"), most=count)
    assert asked(engine, "SELECT COUNT(*) AS n, MAX(post) AS last FROM edges") == [{"n": count, "last": count}]


def test_rows_go_with_their_job(engine: Engine) -> None:
    job = ended(engine, "connectivity", {A: {}}, a_table("c.parquet", EDGES, "edges"))
    with engine.database.writing() as session:
        for row in (ArtifactRow, AttemptRow, ItemRow, UnitRow, EventRow):
            session.execute(delete(row).where(row.__table__.c.job_id == job.id))
        session.execute(delete(JobRow).where(JobRow.id == job.id))
    assert edges(engine) == []


def test_summaries_say_what_each_kind_measured(engine: Engine) -> None:
    ended(engine, "skeletonize", {A: SKELETON | {"soma_radius_nm": 2500.0}, B: SKELETON | {"soma_radius_nm": 0.0}})
    ended(engine, "attach_synapses", {A: SKELETON | {"n_pre": 7, "n_post": 8}})
    ended(engine, "synapse_counts", {A: {"pre": 1, "post": 2, "synapses_out": 3, "synapses_in": 4}})
    ended(engine, "connectivity", {A: {"n_downstream": 1, "n_synapses_out": 2**40}})
    ended(engine, "neuropil_matrices", {A: {"n_synapses": 6}})
    query = "SELECT kind, root_id, n_nodes, has_soma, soma_radius_nm, synapses_out, synapses_in FROM neuron_summaries"
    found = asked(engine, f"{query} ORDER BY kind, root_id")
    assert [tuple(row.values()) for row in found] == [
        ("attach_synapses", A, 9, None, None, 7, 8),
        ("connectivity", A, None, None, None, 2**40, None),
        ("neuropil_matrices", A, None, None, None, 6, None),
        ("skeletonize", A, 9, True, 2500.0, None, None),
        ("skeletonize", B, 9, False, None, None, None),
        ("synapse_counts", A, None, None, None, 3, 4),
    ]


def test_kinds_whose_items_are_no_neurons_do_not_disturb(engine: Engine) -> None:
    job = engine.planned(["a_table"], kind="export_table")
    unit = engine.claim_run(job)
    engine.units.complete_run(unit, [an_outcome(unit.items[0], metrics={"n_nodes": "many", "new_id": "?"})])
    finish(engine, job)
    ended(engine, "skeletonize", {A: SKELETON})
    query = "SELECT root_id FROM neuron_summaries WHERE root_id >= :least AND n_nodes > 1"
    assert [row["root_id"] for row in asked(engine, query, least=A)] == [A]
    assert asked(engine, "SELECT * FROM id_updates WHERE new_id > 1 AND changed") == []


def test_every_query_of_the_page_finds_something_with_the_columns_it_names(engine: Engine) -> None:
    names = {
        "connectivity": ended(engine, "connectivity", {A: {}}, a_table("c.parquet", EDGES, "edges")).id,
        "matrices": ended(engine, "neuropil_matrices", {A: {}}, a_table("t.parquet", SUMS, "type_sums")).id,
        "attached": ended(engine, "attach_synapses", {A: SKELETON | {"n_pre": 7, "n_post": 8}}).id,
        "updates": ended(
            engine,
            "update_ids",
            {
                A: {"new_id": str(C), "confidence": 0.5, "changed": True},
                B: {"new_id": str(C), "confidence": 1.0, "changed": True},
            },
        ).id,
    }
    ended(engine, "skeletonize", {A: SKELETON})
    ended(engine, "refresh", {A: {}}, a_table("changes.parquet", CHANGES, "refresh_changes"))
    assert len(QUERIES) == 8
    for query in QUERIES:
        wanted = {name: value for name, value in names.items() if f":{name}" in query}
        assert asked(engine, query, **wanted), query
    [row] = asked(engine, "SELECT * FROM id_updates WHERE confidence < 1")
    assert (row["old_id"], row["new_id"], bool(row["changed"])) == (A, C, True)


@pytest.mark.parametrize("name", [*TABLES, "neuron_summaries", "id_updates"])
def test_the_page_lists_exactly_the_columns_there_are(engine: Engine, name: str) -> None:
    [section] = re.findall(rf"^## `{name}`\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    listed = [one for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE) for one in re.findall(r"`(\w+)`", row)]
    assert listed == [column["name"] for column in inspect(engine.database.engine).get_columns(name)]


def test_views_survive_migrations_that_come_later(database_url: str) -> None:
    database = ClockedDatabase(database_url)
    with database.engine.begin() as connection:
        command.upgrade(migrations(connection), "0003")
        connection.execute(text("CREATE VIEW neuron_summaries AS SELECT id AS job_id FROM jobs"))
    schema.upgrade(database)
    engine = Engine(database)
    job = ended(engine, "skeletonize", {A: SKELETON})
    assert [row["job_id"] for row in asked(engine, "SELECT job_id FROM neuron_summaries")] == [job.id]
    assert schema.drift(database) == []
    database.close()


def migrations(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config
