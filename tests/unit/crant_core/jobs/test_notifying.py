"""Who is told of a job: once, at a real webhook, and without a word about the address anywhere."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from crant_core.errors import InvalidParameters
from crant_core.jobs import schema
from crant_core.jobs.artifacts import CloudStore
from crant_core.jobs.notifying import Notifier, check_address
from crant_core.jobs.repository.notifications import NewNotification, NotificationRepository
from crant_core.jobs.repository.planning import NewItem
from crant_core.jobs.tables import JobRow
from tests.engine import ClockedDatabase, Engine, a_file, an_outcome

SECRET = "hunter2secret"


class Hook:
    """A webhook that remembers what it was sent."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.status = 200

    def url(self, port: int) -> str:
        return f"json://user:{SECRET}@127.0.0.1:{port}/hook"


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Hook, str]]:
    monkeypatch.setenv("CRANT_INTERNAL_HOSTS", '["127.0.0.1"]')
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            hook.heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(hook.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield hook, hook.url(server.server_port)
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    database = ClockedDatabase(f"sqlite:///{tmp_path}/jobs.sqlite")
    schema.upgrade(database)
    yield Engine(database)
    database.close()


@pytest.fixture
def notifier(engine: Engine, tmp_path: Path) -> Notifier:
    return Notifier(engine.jobs, CloudStore(f"file://{tmp_path}/artifacts"), "https://lab.example")


def job_of(engine: Engine, *notify: NewNotification, changed: float | None = None, notifier: Any = None) -> JobRow:
    job = engine.submit(notify=notify, label="night")
    engine.plan(engine.claim_plan(job), [NewItem(key="1")])
    unit = engine.claim_run(job)
    engine.units.complete_run(unit, [an_outcome(item) for item in unit.items])
    files = [a_file("manifest.json")]
    if changed is not None:
        data = json.dumps({"summary": {"changed_percent": changed}}).encode()
        made = a_file("report.json")
        files.append(type(made)(**{**vars(made), "sha256": notifier.store.put(data)}))
    engine.units.complete_finish(engine._claim(job, "finish"), files)  # type: ignore[arg-type]
    return engine.see(job)


def states(engine: Engine, job: JobRow) -> list[tuple[str, int]]:
    return [(row.state, row.attempts) for row in NotificationRepository(engine.database).of_job(job.id)]


def test_a_webhook_hears_once_of_a_job_that_ended(engine, notifier, hook) -> None:
    heard, url = hook
    job = job_of(engine, NewNotification(url=url, on=["finish"]))
    assert [notifier.send_due(), notifier.send_due()] == [1, 0]
    [message] = heard.heard
    assert message["title"] == "skeletonize “night” on demo: succeeded"
    assert f"https://lab.example/jobs/{job.id}" in message["message"]
    assert f"Notification {job.id}/0" in message["message"]
    assert states(engine, job) == [("sent", 1)]


def test_nobody_hears_of_a_job_that_goes_on(engine, notifier, hook) -> None:
    engine.submit(notify=[NewNotification(url=hook[1], on=["finish"])])
    assert notifier.send_due() == 0


@pytest.mark.parametrize(
    "case",
    [
        (["failure"], None, None, "not_needed"),
        (["changed"], 5.0, 5.0, "not_needed"),
        (["changed"], 5.0, 5.1, "sent"),
        (["changed"], None, 0.0, "not_needed"),
        (["changed"], None, 0.1, "sent"),
        (["changed"], None, None, "not_needed"),
        (["failure", "finish"], None, None, "sent"),
    ],
)
def test_one_hears_of_what_one_wants_to(engine, notifier, hook, case) -> None:
    on, percent, changed, state = case
    new = NewNotification(url=hook[1], on=on, changed_percent=percent)
    job = job_of(engine, new, changed=changed, notifier=notifier)
    notifier.send_due()
    assert states(engine, job)[0][0] == state
    assert len(hook[0].heard) == (state == "sent")


def test_what_is_not_taken_is_tried_again_later_and_given_up_in_the_end(engine, notifier, hook) -> None:
    heard, url = hook
    heard.status = 500
    job = job_of(engine, NewNotification(url=url, on=["finish"]))
    assert [notifier.send_due(), notifier.send_due()] == [1, 0], "it waits before it is tried again"
    for _ in range(10):
        engine.database.pass_time(4000)
        notifier.send_due()
    assert states(engine, job) == [("failed", 6)]
    assert len(heard.heard) == 6


def test_a_sender_that_died_is_followed_by_another_one(engine, notifier, hook) -> None:
    job = job_of(engine, NewNotification(url=hook[1], on=["finish"]))
    assert notifier.notifications.claim() is not None
    assert notifier.send_due() == 0, "it may be at it"
    engine.database.pass_time(301)
    assert notifier.send_due() == 1
    assert states(engine, job) == [("sent", 2)]


def test_two_at_once_do_not_send_the_same(engine, notifier) -> None:
    sent: list[str] = []

    def send(url: str, *_: object) -> bool:
        sent.append(url)
        notifier.send_due()
        return True

    notifier.send = send
    job_of(engine, *(NewNotification(url=f"json://localhost/{n}", on=["finish"]) for n in range(3)))
    notifier.send_due()
    assert sorted(sent) == [f"json://localhost/{n}" for n in range(3)]


def test_no_secret_is_logged_shown_or_stored_with_errors(engine, notifier, hook, caplog, capsys) -> None:
    heard, url = hook
    heard.status = 500
    new = NewNotification(url=url, on=["finish"])
    job = job_of(engine, new)
    notifier.send_due()
    rows = notifier.notifications.of_job(job.id)
    events = [str(event.data) for event in engine.jobs.events(job.id)]
    output = capsys.readouterr()
    said = [caplog.text, output.out, output.err, repr(new), *(row.error for row in rows), *events]
    assert not [text for text in said if SECRET in text]
    assert rows[0].error == "json://…: the service did not take it"


def test_where_a_name_leads_is_looked_at_again_when_it_is_sent_to(engine, notifier, hook, monkeypatch) -> None:
    heard, url = hook
    monkeypatch.setenv("CRANT_INTERNAL_HOSTS", "[]")
    job = job_of(engine, NewNotification(url=url, on=["finish"]))
    notifier.send_due()
    [row] = notifier.notifications.of_job(job.id)
    assert (row.state, heard.heard) == ("waiting", [])
    assert row.error.startswith("json://…: it leads to 127.0.0.1, which notifications may not reach")


def test_what_is_no_address_is_refused_without_repeating_it() -> None:
    with pytest.raises(InvalidParameters) as caught:
        check_address(f"nonsense://{SECRET}")
    assert SECRET not in f"{caught.value} {caught.value.value}"
    check_address(f"json://user:{SECRET}@nobody-knows.invalid/hook")
