"""Traces from the request to the artifact, for those who collect them: OpenTelemetry, sent over OTLP.

Without `OTEL_EXPORTER_OTLP_ENDPOINT` nothing is imported and nothing is done. A job remembers the trace of its
submission (`traceparent`, in W3C's notation), so that its units, done hours later on other machines, belong to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from crant_core.errors import NotInstalled

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

Attribute = str | int | float | bool
_installed: list[TracerProvider] = []
_in_hand: list[Context] = []  #: of the unit that this process does, for threads that know nothing of it


def configure(service: str, exporter: SpanExporter | None = None) -> None:
    """Send spans of this process from now on. Call it after any fork, as it starts a thread.

    Raises
    ------
    NotInstalled
        The extra `tracing` is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise NotInstalled("traces need OpenTelemetry", hint="pip install 'crant-batch[tracing]'") from error
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
    _installed[:] = [provider]


def flush() -> None:
    """Send what has not been sent yet, and send nothing after it."""
    while _installed:
        _installed.pop().shutdown()


@contextmanager
def span(name: str, parent: str | None = None, *, everywhere: bool = False, **attributes: Attribute) -> Iterator[None]:
    """Measure a block.

    Parameters
    ----------
    name : str
    parent : str, optional
        Of which trace it is; that of the block around it if left out.
    everywhere : bool
        Whether what other threads of this process record belongs to it as well.
    **attributes
    """
    if not _installed:
        yield
        return
    from opentelemetry import context

    around = _context_of(parent) if parent else None
    tracer = _installed[0].get_tracer("crant")
    with tracer.start_as_current_span(name, around, attributes=_named(attributes)):
        if everywhere:
            _in_hand[:] = [context.get_current()]
        try:
            yield
        finally:
            if everywhere:
                _in_hand.clear()


def record(name: str, began: float, seconds: float, **attributes: Attribute) -> None:
    """Record something that is over: when it began (Unix time), and how long it took."""
    if not _installed:
        return
    from opentelemetry import trace

    around = None if trace.get_current_span().get_span_context().is_valid else next(iter(_in_hand), None)
    start = int(began * 1e9)
    tracer = _installed[0].get_tracer("crant")
    made = tracer.start_span(name, around, attributes=_named(attributes), start_time=start)
    made.end(start + int(seconds * 1e9))


def traceparent() -> str | None:
    """Return the trace and span that this belongs to, in W3C's notation; None if there are no traces."""
    if not _installed:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent")


def _context_of(parent: str) -> Context:
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({"traceparent": parent})


def _named(attributes: dict[str, Any]) -> dict[str, Any]:
    return {f"crant.{name}": value for name, value in attributes.items()}
