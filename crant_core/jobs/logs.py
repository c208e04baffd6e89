"""Log lines for people or machines, each with the ids of what it is about. Set up by a process's entry point only.

Our own lines go through structlog; what libraries say through `logging` is written in the same form, with the same
ids. Both are written to standard error, where supervisors, container engines and journals pick them up; secrets are
taken out of each line last.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from crant_core.jobs.masking import masking
from crant_core.jobs.settings import Settings

#: what this process is working on. Processes of a worker do one unit at a time, so this is right for their threads too,
#: to which context variables do not reach
_in_hand: dict[str, object] = {}
_TASK = re.compile(r"(?P<job>[0-9a-f]+)-(plan|run|finish)-\d+-[0-9a-f]+")  #: as the queue names them


def configure(settings: Settings) -> None:
    """Send structlog's lines to standard error, as text or as JSON."""
    structlog.configure(
        processors=[*_common(), *_final(settings)],
        wrapper_class=structlog.make_filtering_bound_logger(_level(settings)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def adopt_libraries(settings: Settings) -> None:
    """Write what libraries log as our own lines are written; for entry points, as it changes the whole process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                *_common(),
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(),
                _add_job_of_task,
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_final(settings)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_level(settings))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):  # has handlers of its own
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = name != "uvicorn.access"  # ours says the same, without queries


@contextmanager
def in_hand(**ids: object) -> Iterator[None]:
    """Put these on every line of this process, whichever thread or library writes it, until the block ends."""
    before = dict(_in_hand)
    _in_hand.update(ids)
    try:
        yield
    finally:
        _in_hand.clear()
        _in_hand.update(before)


def _common() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        _add_in_hand,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]


def _add_in_hand(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    return {**_in_hand, **event}


def _add_job_of_task(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Name the job where Celery says in a worker's main process what became of a unit's task."""
    data = event.get("data")
    task = str(data.get("id", "")) if isinstance(data, dict) else ""
    if found := _TASK.fullmatch(task):
        return {"job": found["job"], "attempt": task, **event}
    return event


def _final(settings: Settings) -> list[Processor]:
    renderer = structlog.processors.JSONRenderer() if settings.log_json else _for_people()
    mask = masking(settings)

    def masked(logger: WrappedLogger, method: str, line: Any) -> str:
        return mask(str(line))

    return [renderer, masked]


def _level(settings: Settings) -> int:
    return logging.getLevelNamesMapping()[settings.log_level]


def _for_people() -> structlog.dev.ConsoleRenderer:
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
