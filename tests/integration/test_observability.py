"""What an operator sees of a real job on real workers: log lines, numbers, a trace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from crant_core.jobs.model import JobState, Queue
from crant_core.jobs.repository.counters import CounterRepository
from crant_core.jobs.tables import JobRow
from tests.fixtures.collector import Collector, running_collector
from tests.fixtures.neurons import live_roots
from tests.fixtures.service import Service, running_service, until

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
MISSING = (8 << 56) + (1 << 30)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with running_collector() as found:
        yield found


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[Service]:
    with running_service(f"sqlite:///{tmp_path_factory.mktemp('seen')}/crant.sqlite") as service:
        service.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.url
        service.start_worker("worker.main", 1, "--loglevel", "INFO", CRANT_LOG_JSON="true")
        yield service


@pytest.fixture(scope="module")
def job(service: Service) -> JobRow:
    """Two neurons and something that is none, done by a worker that has ended since."""
    ids, trace = [*live_roots()[:2], MISSING], f"00-{TRACE}-{PARENT}-01"
    job = service.ended(service.engine.submit(ids, at="mat", code_version=4, traceparent=trace, queue=Queue.IO))
    assert (job.state, job.succeeded) == (JobState.PARTIAL, 2), service.logs()
    [worker] = service.processes[1:]
    worker.terminate()
    worker.wait(60)
    return job


@pytest.fixture(scope="module")
def lines(service: Service, job: JobRow) -> list[dict[str, Any]]:
    [log] = service.folder.glob("worker-*.log")
    written = log.read_text().splitlines()
    others = [line for line in written if not line.startswith("{")]
    assert not [line for line in others if "Task" in line or "INFO" in line or "WARN" in line], "that is the greeting"
    return [json.loads(line) for line in written if line.startswith("{")]


def test_every_line_about_a_unit_names_it_whoever_wrote_it(lines: list[dict[str, Any]], job: JobRow) -> None:
    done = [line for line in lines if line.get("action") == "unit_done"]
    assert {line["role"] for line in done} == {"plan", "run", "finish"}
    for line in done:
        assert (line["job"], line["kind"]) == (job.id, "skeletonize")
        assert line["attempt"].startswith(f"{job.id}-{line['role']}-")
        assert isinstance(line["unit"], int)
    [failed] = [line for line in lines if line.get("action") == "item_failed"]
    assert (failed["job"], failed["item"], failed["code"]) == (job.id, str(MISSING), "not_a_root")
    assert any(line.get("logger", "").startswith("celery") for line in lines), "libraries' lines are there too"


def sums(service: Service) -> dict[str, dict[frozenset[tuple[str, str]], float]]:
    found: dict[str, dict[frozenset[tuple[str, str]], float]] = {}
    for name, labels, value in CounterRepository(service.engine.database).sums():
        found.setdefault(name, {})[frozenset(labels.items())] = value
    return found


def test_units_items_and_requests_are_counted(service: Service, job: JobRow) -> None:
    found = sums(service)
    units = {(dict(key)["role"], dict(key)["outcome"]): value for key, value in found["crant_units_total"].items()}
    assert units["plan", "done"] == units["finish", "done"] == 1
    items = {dict(key)["state"]: value for key, value in found["crant_items_total"].items()}
    assert items == {"succeeded": 2, "failed": 1}
    assert {dict(key)["code"] for key in found["crant_item_errors_total"]} == {"not_a_root"}
    requests = [dict(key) for key in found["crant_cave_requests_total"]]
    assert {"/meshing/api/v1/table/*/manifest/*", "/segmentation/api/v1/table/*/is_latest_roots"} <= {
        request["endpoint"] for request in requests
    }
    assert {dict(key)["endpoint"] for key in found["crant_cave_received_bytes_total"]} == {
        request["endpoint"] for request in requests if request["status"] != "no answer"
    }
    assert sum(found["crant_cave_received_bytes_total"].values()) > 10_000
    assert {request["status"] for request in requests} <= {"200", "206", "404"}
    assert not any(letter in "56789" for request in requests for letter in request["endpoint"]), "no ids"


def test_a_trace_leads_from_the_submission_to_the_artifact(service: Service, collector: Collector, job: JobRow) -> None:
    until(lambda: "skeletonize.finish" in {span.name for span in collector.of(TRACE)}, service.logs)
    spans = {span.span_id: span for span in collector.of(TRACE)}
    names = {span.name for span in spans.values()}
    assert {"skeletonize.plan", "skeletonize.run", "skeletonize.finish", "item", "store"} <= names
    assert any(name.startswith("GET /meshing/") for name in names)
    for span in spans.values():
        way = [span]
        while way[-1].parent_span_id in spans:
            way.append(spans[way[-1].parent_span_id])
        assert way[-1].parent_span_id.hex() == PARENT
        assert way[-1].name.startswith("skeletonize.")
