"""What the API tells Prometheus, read with Prometheus' own parser."""

from __future__ import annotations

import pytest
import structlog
from fastapi import FastAPI
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families

from api.requests import HEADER
from crant_core.errors import SourceUnavailable
from crant_core.jobs import tracing
from crant_core.jobs.counting import Tally
from crant_core.jobs.metrics import EVERY
from crant_core.jobs.model import Queue, Scope
from crant_core.jobs.repository.counters import CounterRepository
from crant_core.jobs.repository.jobs import Viewer
from crant_core.jobs.tables import JobRow
from tests.engine import Engine
from tests.unit.api.conftest import Caller, caller

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def prometheus(app: FastAPI) -> Caller:
    return caller(app, "prometheus", Scope.METRICS)


def scrape(caller: Caller) -> Samples:
    answer = caller("GET", "/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = list(text_string_to_metric_families(answer.text))
    names = {f"{family.name}_total" if family.type == "counter" else family.name for family in families}
    assert {name for name in names if not name.endswith("_created")} == set(EVERY)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def value(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((name, frozenset(labels.items())))


def test_numbers_are_for_tokens_that_allow_it_and_those_allow_nothing_else(
    app: FastAPI, alice: Caller, prometheus: Caller
) -> None:
    assert Caller(app, None)("GET", "/metrics").status_code == 401
    assert alice("GET", "/metrics").status_code == 403
    assert caller(app, "root", Scope.ADMIN)("GET", "/metrics").status_code == 200
    assert prometheus("GET", "/v1/jobs").status_code == 403
    assert prometheus.submit("1").status_code == 403


def test_it_says_what_jobs_items_and_units_do(engine: Engine, prometheus: Caller) -> None:
    engine.planned(["1", "2", "3", "4"])
    engine.run_unit()
    engine.run_unit(lambda key: SourceUnavailable("busy"))
    engine.claimed()
    engine.submit(queue=Queue.IO, kind="update_ids")
    found = scrape(prometheus)
    assert value(found, "crant_jobs", kind="skeletonize", state="running") == 1
    assert value(found, "crant_jobs", kind="update_ids", state="planning") == 1
    states = ("succeeded", "reused", "failed", "cancelled", "pending")
    assert [value(found, "crant_job_items", kind="skeletonize", state=s) for s in states] == [1, 0, 0, 0, 3]
    assert value(found, "crant_units", queue="cpu", state="running") == 1
    assert value(found, "crant_units", queue="cpu", state="offered") == 0
    assert value(found, "crant_units", queue="io", state="queued") == 1
    assert value(found, "crant_queue_units", queue="io") == 1
    assert value(found, "crant_queue_units", queue="heavy") == 0


def test_it_says_how_long_the_oldest_unit_waits_and_when_a_dispatcher_looked_last(
    engine: Engine, prometheus: Caller
) -> None:
    empty = scrape(prometheus)
    assert value(empty, "crant_dispatcher_lag_seconds") == -1
    assert value(empty, "crant_queue_oldest_seconds", queue="cpu") == 0
    engine.submit()
    assert engine.dispatch.lead("somebody")
    found = scrape(prometheus)
    assert 0 < (value(found, "crant_queue_oldest_seconds", queue="cpu") or 0) < 60
    assert 0 <= (value(found, "crant_dispatcher_lag_seconds") or 0) < 60


def test_what_workers_counted_is_added_up_and_buckets_are_cumulative(app: FastAPI, prometheus: Caller) -> None:
    sums = CounterRepository(app.state.services.database)
    for seconds in (0.05, 0.3, 0.4, 7.0, 9999.0):
        tally = Tally()
        tally.observe("crant_item_seconds", seconds, kind="skeletonize")
        tally.add("crant_items_total", kind="skeletonize", state="succeeded")
        sums.add(tally.take())
    found = scrape(prometheus)
    assert value(found, "crant_items_total", kind="skeletonize", state="succeeded") == 5
    ends = {"0.1": 1, "0.5": 3, "5.0": 3, "15.0": 4, "1800.0": 4, "+Inf": 5}
    for end, count in ends.items():
        assert value(found, "crant_item_seconds_bucket", kind="skeletonize", le=end) == count
    assert value(found, "crant_item_seconds_count", kind="skeletonize") == 5
    assert value(found, "crant_item_seconds_sum", kind="skeletonize") == pytest.approx(10006.75)


def test_requests_are_counted_by_route_and_not_by_path(alice: Caller, prometheus: Caller) -> None:
    job = alice.submit("576460754037774276").json()["id"]
    alice("GET", f"/v1/jobs/{job}")
    alice("GET", "/v1/jobs/nothing")
    alice("GET", f"/{'x' * 50}")
    found = scrape(prometheus)
    seen = {dict(labels)["route"] for name, labels in found if name == "crant_http_requests_total"}
    assert seen == {"/v1/jobs", "/v1/jobs/{job_id}", "(unknown)"}
    counted = {"method": "GET", "route": "/v1/jobs/{job_id}"}
    assert value(found, "crant_http_requests_total", status="200", **counted) == 1
    assert value(found, "crant_http_requests_total", status="404", **counted) == 1


def test_nobody_counts_what_is_not_declared() -> None:
    with pytest.raises(KeyError):
        Tally().add("crant_surprises_total")
    with pytest.raises(ValueError, match="labels"):
        Tally().add("crant_items_total", kind="skeletonize", root="576460754037774276")


@pytest.mark.parametrize(("given", "kept"), [("abc-1.2_x", True), ("", False), ("a b\n", False), ("x" * 65, False)])
def test_a_request_has_an_id_that_its_answer_names(alice: Caller, given: str, kept: bool) -> None:
    headers = {HEADER: given.strip("\n")} if given else {}
    answer = alice("GET", "/v1/me", headers=headers)
    assert (answer.headers[HEADER] == given) is kept
    assert answer.headers[HEADER]


def test_a_job_remembers_the_trace_of_its_submission(app: FastAPI, alice: Caller, engine: Engine) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    assert engine_job(engine, alice.submit("1", headers=headers).json()["id"]).traceparent is None, "nobody collects"
    exporter = InMemorySpanExporter()
    tracing.configure("test", exporter)
    try:
        job = engine_job(engine, alice.submit("1", headers=headers).json()["id"])
    finally:
        tracing.flush()
    [request] = exporter.get_finished_spans()
    assert (request.name, f"{request.context.trace_id:032x}") == ("POST /v1/jobs", trace)
    assert job.traceparent == f"00-{trace}-{request.context.span_id:016x}-01"
    [plan] = (engine.dispatch.lead("test") and engine.dispatch.due())[-1:]
    assert plan.traceparent == job.traceparent, "hints carry it"


def engine_job(engine: Engine, job_id: str) -> JobRow:
    return engine.jobs.get(job_id, Viewer(owner="", sees_all=True))


def test_every_log_line_of_a_request_names_it(alice: Caller) -> None:
    usual = structlog.get_config()
    try:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(0))
        with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
            alice("GET", "/v1/jobs/nothing", headers={HEADER: "abc"})
            alice("GET", "/healthz")
    finally:
        structlog.configure(**usual)
    told = [line for line in lines if line["event"] == "request"]
    assert [(line["log_level"], line["path"], line["status"]) for line in told] == [
        ("info", "/v1/jobs/nothing", 404),
        ("debug", "/healthz", 200),
    ]
    assert told[0]["request"] == "abc"
    assert told[1]["request"] not in ("", "abc")
