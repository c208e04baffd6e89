"""Log lines for people or machines, each with the ids of what it is about. Set up by a process's entry point only."""

from __future__ import annotations

import logging
import sys

import structlog

from crant_core.jobs.settings import Settings


def configure(settings: Settings) -> None:
    """Send structlog's lines to standard error, as text or as JSON."""
    final = structlog.processors.JSONRenderer() if settings.log_json else _for_people()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            final,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.log_level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _for_people() -> structlog.dev.ConsoleRenderer:
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
