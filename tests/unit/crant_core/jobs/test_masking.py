"""Secrets in log lines, of ours and of libraries."""

from __future__ import annotations

import json
import logging

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from crant_core.jobs.logs import adopt_libraries, configure
from crant_core.jobs.masking import MASK, masking
from crant_core.jobs.settings import Settings
from tests.fixtures.logs import own_logging

__all__ = ["own_logging"]

pytestmark = pytest.mark.usefixtures("own_logging")

TOKEN = "crant_" + "x-_9" * 10 + "abc"
SETTINGS = Settings(
    database_url="postgresql+psycopg://crant:p%40ssw%22rd@db/crant",
    broker_url="redis://:br0ker-word@redis:6379/0",
    artifacts_url="file:///nowhere",
    cave_tokens={"https://cave.test": "c4ve-token"},
    annotation_tokens={"https://table.test": "t4ble-token"},
    log_level="DEBUG",
)
MASKED = masking(SETTINGS)


@pytest.mark.parametrize(
    ("line", "left"),
    [
        (f"GET /v1/{TOKEN}/x", f"GET /v1/{MASK}/x"),
        (f'headers={{"authorization": "Bearer {TOKEN}"}}', f'headers={{"authorization": "Bearer {MASK}"}}'),
        ("Authorization: Basic dTpw, next", f"Authorization: Basic {MASK}, next"),
        ("/precomputed/jobs/ab12~k3y-_/info", f"/precomputed/jobs/ab12~{MASK}/info"),
        ("/precomputed/jobs/ab12%7Ek3y/info", f"/precomputed/jobs/ab12%7E{MASK}/info"),
        ('"GET /?a=1&token=s3cret&b=2 HTTP/1.1"', f'"GET /?a=1&token={MASK}&b=2 HTTP/1.1"'),
        ("/x?middle_auth_token=s3cret", f"/x?middle_auth_token={MASK}"),
        ("/x?X-Amz-Signature=s3cret)", f"/x?X-Amz-Signature={MASK})"),
        ("/login?next=%2F%3Ftoken%3Ds3cret", f"/login?next=%2F%3Ftoken%3D{MASK}"),
        ("at https://u:s3cret@host:80/x", f"at https://u:{MASK}@host:80/x"),
        ("redis://:s3cret@[::1]/0", f"redis://:{MASK}@[::1]/0"),
        ("it said c4ve-token and t4ble-token", f"it said {MASK} and {MASK}"),
        ('wrong: p@ssw"rd', f"wrong: {MASK}"),
        (r'{"event": "wrong: p@ssw\"rd"}', f'{{"event": "wrong: {MASK}"}}'),
        ("p%40ssw%22rd or br0ker-word", f"{MASK} or {MASK}"),
    ],
)
def test_what_is_secret_is_taken_out_and_nothing_else(line: str, left: str) -> None:
    assert MASKED(line) == left


@pytest.mark.parametrize(
    "line",
    [
        "unit done action=unit_done attempt=01a7-run-0-77b2 item=576460752303423577",
        "http://127.0.0.1:8000/v1/jobs?limit=5&before=7&keyed=1&monkey=2",
        "crant_core.jobs.logs, crant_token and table crant_demo_annotations",
        "12:30:01 <a@b.org> wrote https://host:80/~user/x",
        "the bearer of this token has no key",
    ],
)
def test_what_is_no_secret_stays(line: str) -> None:
    assert MASKED(line) == line


@given(
    st.dictionaries(
        st.text(), st.one_of(st.text(), st.sampled_from([TOKEN, f"?token={TOKEN}", 'Bearer a"b', "x://a:b@c"]))
    )
)
def test_json_stays_json(line: dict[str, str]) -> None:
    read = json.loads(MASKED(json.dumps(line)))
    assert len(read) <= len(line)
    assert TOKEN not in json.dumps(read)


@pytest.mark.parametrize("as_json", [False, True])
def test_every_line_is_masked_wherever_the_secret_stands(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    settings = SETTINGS.model_copy(update={"log_json": as_json})
    configure(settings)
    adopt_libraries(settings)
    structlog.get_logger().warning("ours", path=f"/{TOKEN}", error='FATAL: p@ssw"rd')
    logging.getLogger("httpx").info('HTTP Request: GET %s "200"', f"https://x.test/y?token={TOKEN}", extra={"t": TOKEN})
    broken = ConnectionError("no answer from https://u:s3cret@host with c4ve-token")
    logging.getLogger("some.library").error("broken", exc_info=broken)
    written = capsys.readouterr().err
    assert "ours" in written
    assert "ConnectionError" in written
    assert not [one for one in (TOKEN, "s3cret", "c4ve-token", "ssw") if one in written]
    assert written.count(MASK) >= 6


def test_requests_are_logged_by_us_and_not_by_uvicorn_with_their_queries() -> None:
    access = logging.getLogger("uvicorn.access")
    adopt_libraries(SETTINGS)
    assert not access.hasHandlers()  # that is what uvicorn asks before it writes
