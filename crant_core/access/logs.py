"""How loud the library and its HTTP are. Nothing here happens unless it is called."""

from __future__ import annotations

import logging
import os

from crant_core.errors import InvalidInput

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_SWITCH = "CRANTPY_SUPPRESS_URLLIB3_WARNINGS"  # the name that crantpy's users have in their environment
_YES = {"1", "true", "yes", "on"}


def set_logging_level(level: str) -> None:
    """Say which of this library's messages are let through; other libraries' loggers stay as they are.

    Parameters
    ----------
    level : {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}
        In capitals or not.

    Raises
    ------
    InvalidInput
    """
    name = str(level).upper()
    if name not in _LEVELS:
        raise InvalidInput(f"{level!r} is no logging level", value=level, hint=f"use one of {', '.join(_LEVELS)}")
    logging.getLogger("crant_core").setLevel(name)


def suppress_urllib3_connectionpool_warnings() -> None:
    """Hide urllib3's warnings that a connection was one too many to be kept."""
    configure_urllib3_warning_suppression(enable=True)


def configure_urllib3_warning_suppression(enable: bool | None = None) -> None:
    """Hide or show urllib3's warning that a connection was one too many to be kept; all others stay.

    Parameters
    ----------
    enable : bool, optional
        Whether to hide them. Left out, that is what the environment variable CRANTPY_SUPPRESS_URLLIB3_WARNINGS says (1,
        true, yes or on).
    """
    hide = os.environ.get(_SWITCH, "").strip().lower() in _YES if enable is None else enable
    logger = logging.getLogger("urllib3.connectionpool")
    (logger.addFilter if hide else logger.removeFilter)(_let_through)


def _let_through(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("Connection pool is full")
