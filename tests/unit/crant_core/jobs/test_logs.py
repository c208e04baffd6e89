"""What stands on log lines, ours and libraries'."""

from __future__ import annotations

import json
import logging
import threading
from typing import Any

import pytest
import structlog

from crant_core.jobs.logs import adopt_libraries, configure, in_hand
from crant_core.jobs.settings import Settings
from tests.fixtures.logs import own_logging

__all__ = ["own_logging"]

pytestmark = pytest.mark.usefixtures("own_logging")

SETTINGS = Settings(database_url="sqlite://", broker_url="memory://", artifacts_url="file:///nowhere", log_json=True)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_libraries_and_their_threads_name_what_is_in_hand(capsys: pytest.CaptureFixture[str]) -> None:
    configure(SETTINGS)
    adopt_libraries(SETTINGS)
    with in_hand(job="j", unit=7), in_hand(item="576460754037774276"):
        structlog.get_logger().info("ours", action="x")
        thread = threading.Thread(target=logging.getLogger("some.library").warning, args=("theirs: %s", 3))
        thread.start()
        thread.join()
    logging.getLogger("some.library").warning("later")
    ours, theirs, later = lines(capsys)
    for line in (ours, theirs):
        assert (line["job"], line["unit"], line["item"]) == ("j", 7, "576460754037774276")
        assert line["timestamp"].endswith("Z")
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("theirs: 3", "warning", "some.library")
    assert "job" not in later


def test_celerys_lines_about_a_unit_name_its_job(capsys: pytest.CaptureFixture[str]) -> None:
    adopt_libraries(SETTINGS)
    celery = logging.getLogger("celery.worker.strategy")
    celery.info("Task received", extra={"data": {"id": "2da476e553d2-run-0-02d91398", "name": "skeletonize.run"}})
    celery.info("Task received", extra={"data": {"id": "9ba97c16-a9ad-4181-8bb8-ecb1aea9457d", "name": "service.tick"}})
    celery.info("ready", extra={"data": "of another shape"})
    of_unit, *others = lines(capsys)
    assert (of_unit["job"], of_unit["attempt"]) == ("2da476e553d2", "2da476e553d2-run-0-02d91398")
    assert not [line for line in others if "job" in line]


def test_what_is_in_hand_ends_with_its_block_even_if_that_fails(capsys: pytest.CaptureFixture[str]) -> None:
    configure(SETTINGS)
    with pytest.raises(ZeroDivisionError), in_hand(job="j"):
        _ = 1 / 0
    with in_hand(job="k"):
        with in_hand(item="1"):
            pass
        structlog.get_logger().info("after an item")
    structlog.get_logger().info("after the job")
    after_item, after_job = lines(capsys)
    assert after_item["job"] == "k"
    assert "item" not in after_item
    assert "job" not in after_job


def test_a_traceback_is_part_of_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure(SETTINGS)
    adopt_libraries(SETTINGS)
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        logging.getLogger("some.library").exception("broken")
    [line] = lines(capsys)
    assert "ZeroDivisionError" in line["exception"]
