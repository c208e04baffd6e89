"""Traces, as an exporter in this process sees them."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from crant_core.jobs import tracing

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    tracing.configure("test", exporter)
    yield exporter
    tracing.flush()


def spans(exporter: InMemorySpanExporter) -> dict[str, object]:
    tracing._installed[0].force_flush()
    return {span.name: span for span in exporter.get_finished_spans()}


def test_blocks_are_nested_and_belong_to_the_trace_of_their_parent(exporter: InMemorySpanExporter) -> None:
    with tracing.span("outer", f"00-{TRACE}-{PARENT}-01", unit=7), tracing.span("inner"):
        handed_on = tracing.traceparent()
    found = spans(exporter)
    outer, inner = found["outer"], found["inner"]
    assert f"{outer.parent.span_id:016x}" == PARENT
    assert inner.parent.span_id == outer.context.span_id
    assert {f"{span.context.trace_id:032x}" for span in (outer, inner)} == {TRACE}
    assert handed_on == f"00-{TRACE}-{inner.context.span_id:016x}-01"
    assert outer.attributes["crant.unit"] == 7


def test_what_threads_record_belongs_to_the_unit_in_hand(exporter: InMemorySpanExporter) -> None:
    began = time.time()
    with tracing.span("unit", everywhere=True):
        thread = threading.Thread(target=tracing.record, args=("request", began, 0.5), kwargs={"status": "200"})
        thread.start()
        thread.join()
    tracing.record("request of nobody", began, 0.5)
    found = spans(exporter)
    assert found["request"].parent.span_id == found["unit"].context.span_id
    assert found["request"].end_time - found["request"].start_time == 500_000_000
    assert found["request of nobody"].parent is None


def test_an_error_ends_the_span_and_is_on_it(exporter: InMemorySpanExporter) -> None:
    with pytest.raises(ZeroDivisionError), tracing.span("unit", everywhere=True):
        _ = 1 / 0
    assert spans(exporter)["unit"].status.description.startswith("ZeroDivisionError")
    assert tracing._in_hand == []


def test_without_an_address_nothing_is_imported() -> None:
    code = """
import sys
from crant_core.jobs import tracing
with tracing.span("x", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"):
    tracing.record("y", 0.0, 1.0)
assert tracing.traceparent() is None
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
"""
    subprocess.run([sys.executable, "-c", code], check=True)
