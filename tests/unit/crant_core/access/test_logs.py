from __future__ import annotations

import logging

import pytest

from crant_core.access import (
    configure_urllib3_warning_suppression,
    set_logging_level,
    suppress_urllib3_connectionpool_warnings,
)
from crant_core.errors import InvalidInput

FULL = "Connection pool is full, discarding connection: %s. Connection pool size: %s"
RETRYING = "Retrying (%r) after connection broken by '%r': %s"


@pytest.fixture(autouse=True)
def as_before():
    yield
    configure_urllib3_warning_suppression(enable=False)
    logging.getLogger("crant_core").setLevel(logging.NOTSET)


def heard(caplog) -> list[str]:
    caplog.clear()
    logger = logging.getLogger("urllib3.connectionpool")
    logger.warning(FULL, "host", 10)
    logger.warning(RETRYING, 1, 2, 3)
    return [record.message.split()[0] for record in caplog.records]


def test_only_the_one_warning_is_hidden(caplog):
    assert heard(caplog) == ["Connection", "Retrying"]
    suppress_urllib3_connectionpool_warnings()
    suppress_urllib3_connectionpool_warnings()
    assert heard(caplog) == ["Retrying"]
    configure_urllib3_warning_suppression(enable=False)
    assert heard(caplog) == ["Connection", "Retrying"]


@pytest.mark.parametrize(("value", "hidden"), [("1", True), ("Yes", True), ("on", True), ("0", False), ("", False)])
def test_the_environment_says_so(caplog, monkeypatch, value, hidden):
    monkeypatch.setenv("CRANTPY_SUPPRESS_URLLIB3_WARNINGS", value)
    configure_urllib3_warning_suppression()
    assert ("Connection" not in heard(caplog)) is hidden


def test_levels_are_of_this_library_alone():
    root = logging.getLogger()
    before = root.level, list(root.handlers)
    set_logging_level("debug")
    assert logging.getLogger("crant_core.caching.store").getEffectiveLevel() == logging.DEBUG
    assert (root.level, list(root.handlers)) == before
    with pytest.raises(InvalidInput, match="DEBUG"):
        set_logging_level("loud")
