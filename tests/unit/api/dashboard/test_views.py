from __future__ import annotations

import re
from base64 import b64encode
from html.parser import HTMLParser

import pytest
from fastapi import FastAPI
from sqlalchemy.exc import OperationalError

from crant_core.errors import MeshNotFound, VersionNotFound, WorkerLost
from crant_core.jobs.model import JobState
from tests.engine import an_outcome
from tests.unit.api.dashboard.conftest import PNG, Browser, Lab

FIRST, SECOND = "576460754037774676", "9223372036854775807"
HOSTILE = "<script>alert('ants')</script>\"><img src=x onerror=alert(1)>"


class Elements(HTMLParser):
    """Every element of a page, as (tag, attributes)."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def values(self, *names: str) -> list[str]:
        return [value for _, attrs in self.found for name, value in attrs.items() if name in names and value]

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.found if name == tag]


def chip(state: str) -> str:
    return f'<span class="chip" data-state="{state}">{state}</span>'


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html.partition("<main")[2]).split())


def test_no_jobs_says_how_to_submit_the_first(alice: Browser) -> None:
    page = alice.get("/").text
    assert "No jobs yet" in page
    assert re.search(r"<code>crant submit skeletonize \d{18} --dataset demo --at mat --watch</code>", page)
    assert "data-poll" not in page


def test_the_list_shows_newest_first_with_state_progress_and_times(alice: Browser, lab: Lab) -> None:
    lab.done([FIRST, SECOND], label="older")
    job = lab.engine.submit(label="newer")
    page = alice.get("/").text
    assert page.index("newer") < page.index("older")
    assert chip("planning") in page
    assert chip("succeeded") in page
    assert f'href="/jobs/{job.id}"' in page
    assert "2 of 2" in text_of(page)
    assert re.search(r'<time datetime="[^"]+\+00:00" title="[-0-9]+ [:0-9]+ UTC" data-ago>just now</time>', page)


def test_the_list_asks_again_only_while_a_job_is_unfinished(alice: Browser, lab: Lab) -> None:
    lab.done([FIRST])
    assert "data-poll" not in alice.get("/").text
    lab.engine.submit()
    assert "data-poll" in alice.get("/").text


def test_one_sees_ones_own_jobs_and_an_administrator_all_with_their_owners(
    alice: Browser, admin: Browser, lab: Lab
) -> None:
    lab.engine.submit(label="hers", owner="alice")
    lab.engine.submit(label="his", owner="bob")
    page = alice.get("/").text
    assert "hers" in page
    assert ">his<" not in page
    assert "Owner" not in page
    page = admin.get("/").text
    assert '<td class="owner">bob</td>' in page
    assert '<td class="owner">alice</td>' in page


def test_the_list_can_be_filtered_by_state(alice: Browser, lab: Lab) -> None:
    lab.done([FIRST], label="finished one")
    lab.engine.submit(label="waiting one")
    page = alice.get("/?state=succeeded").text
    assert "finished one" in page
    assert "waiting one" not in page
    assert '<a href="/?state=succeeded" aria-current="true">' in page
    assert "No failed jobs" in alice.get("/?state=failed").text


def test_every_state_has_a_filter(alice: Browser, lab: Lab) -> None:
    lab.engine.submit()
    links = Elements(alice.get("/").text).values("href")
    assert {f"/?state={state}" for state in JobState} <= set(links)


def test_long_lists_come_in_pages(alice: Browser, lab: Lab) -> None:
    for number in range(52):
        lab.engine.submit(label=f"number {number}.")
    first = alice.get("/?state=planning")
    (older,) = (link for link in Elements(first.text).values("href") if "before=" in link)
    assert "number 2." in first.text
    assert "number 1." not in first.text
    second = alice.get(older)
    assert "number 1." in second.text
    assert "number 2." not in second.text
    assert "Newest" in second.text
    assert "before=" not in " ".join(Elements(second.text).values("href"))


def test_a_planning_job_waits_for_its_items(alice: Browser, lab: Lab) -> None:
    job = lab.engine.submit(at="mat_3")
    page = alice.get(f"/jobs/{job.id}").text
    assert chip("planning") in page
    assert f'data-job="{job.id}"' in page
    assert "mat_3" in page
    assert "They appear when the job is planned" in page


def test_a_running_job_shows_how_far_it_is_and_where_events_go_on(alice: Browser, lab: Lab) -> None:
    job = lab.planned([FIRST, SECOND], label="on its way")
    unit = lab.engine.claim_run(job)
    lab.engine.units.record(unit, [an_outcome(unit.items[0], metrics={"n_nodes": 1234}, files=[], seconds=4.04)])
    page = alice.get(f"/jobs/{job.id}").text
    (bar,) = (attrs for attrs in Elements(page).attributes("svg") if attrs.get("role") == "progressbar")
    assert (bar["aria-valuenow"], bar["aria-valuemax"]) == ("1", "2")
    assert "1/2 · on its way · running" in page
    assert "time left" in page
    cursor = lab.engine.jobs.latest_events(job.id)[0].id
    assert f'data-cursor="{cursor}"' in page
    assert chip("pending") in page
    assert "1,234" in page
    assert "<figure" not in page


def test_a_finished_job_shows_everything(alice: Browser, lab: Lab) -> None:
    job = lab.done([FIRST, SECOND], label="two neurons")
    page = alice.get(f"/jobs/{job.id}").text
    assert "data-job" not in page
    assert "2026-11-01 12:00:00 UTC" in page  # the time base
    here = f"/v1/jobs/{job.id}"
    assert f'<img src="{here}/artifacts/skeletons.png" alt="' in page
    links = Elements(page).values("href")
    expected = {here, f"{here}/artifacts/manifest.json", f"{here}/artifacts/{FIRST}.swc", f"/jobs/{job.id}/report"}
    assert expected <= set(links)
    assert f"http://flower.test/tasks?name=skeletonize%20{job.id}" in links
    (file,) = (one for one in lab.engine.jobs.artifacts(job.id) if one.name == f"{FIRST}.swc")
    assert f'title="{file.sha256}">{file.sha256[:12]}<' in page
    assert '<th scope="col" class="n" title="cable_length_um">cable length <small>µm</small></th>' in page
    assert "1,234.6" in page
    for moment in ("submitted", "planned, 2 items", "running", "finishing", "succeeded"):
        assert moment in text_of(page)


def test_ids_appear_exactly(alice: Browser, lab: Lab) -> None:
    job = lab.done([FIRST, SECOND])
    page = alice.get(f"/jobs/{job.id}").text
    rows = [attrs["data-key"] for attrs in Elements(page).attributes("tr") if "data-key" in attrs]
    assert rows[:2] == [FIRST, SECOND]
    assert f'<code class="id">{SECOND}</code>' in page


def test_failed_items_say_why_and_are_grouped_by_code(alice: Browser, lab: Lab) -> None:
    job = lab.planned(["1", "2", "3", "4"])
    gone, lost = MeshNotFound("no mesh for it", hint="check the id"), WorkerLost()
    lab.run(job, k1=gone, k2=gone, k4=lost)
    lab.finish(job)
    page = alice.get(f"/jobs/{job.id}").text
    assert chip("partial") in page
    text = text_of(page)
    assert "2 mesh_not_found The source has no mesh for this root id. 1 2" in text
    assert "1 worker_lost The worker process died while it ran this unit. It may work later. 4" in text
    assert "mesh_not_found no mesh for it (check the id)" in text


def test_a_job_that_failed_as_a_whole_says_why(alice: Browser, lab: Lab) -> None:
    job = lab.broken(VersionNotFound("there is no version 9999", hint="known: 42"))
    text = text_of(alice.get(f"/jobs/{job.id}").text)
    assert "there is no version 9999 (known: 42) version_not_found" in text
    assert "None: the job ended before it was planned." in text


def test_a_retried_unit_is_in_the_timeline(alice: Browser, lab: Lab) -> None:
    job = lab.planned(["1"])
    lab.engine.units.give_back(lab.engine.claim_run(job).token, WorkerLost())
    assert "attempt 1 ended with worker_lost ; tried again" in text_of(alice.get(f"/jobs/{job.id}").text)


def test_a_large_job_shows_its_first_items(alice: Browser, lab: Lab) -> None:
    job = lab.planned([str(number) for number in range(1000, 1201)])
    page = alice.get(f"/jobs/{job.id}").text
    assert "1199" in page
    assert '<code class="id">1200</code>' not in page
    assert "The first 200 of 201" in page


@pytest.mark.parametrize("path", ["/", "/jobs/{}", "/jobs/{}/report"])
def test_what_users_wrote_is_never_markup(alice: Browser, lab: Lab, path: str) -> None:
    job = lab.planned([HOSTILE], label=HOSTILE)
    lab.run(job, **{f"k{HOSTILE}": MeshNotFound(HOSTILE)})
    page = alice.get(path.format(job.id)).text
    assert "&lt;script&gt;alert(" in page
    elements = Elements(page)
    assert all(set(attrs) == {"src", "defer"} for attrs in elements.attributes("script"))
    assert not any("onerror" in attrs for _, attrs in elements.found)
    assert not elements.attributes("img")


def test_a_job_of_somebody_else_does_not_exist(bob: Browser, lab: Lab) -> None:
    job = lab.done([FIRST], label="secret", owner="alice")
    for path in (f"/jobs/{job.id}", f"/jobs/{job.id}/report", "/jobs/nothing"):
        response = bob.get(path)
        assert response.status_code == 404
        assert response.headers["content-type"].startswith("text/html")
        assert "secret" not in response.text
        assert 'href="/"' in response.text


def test_the_report_stands_alone(alice: Browser, lab: Lab) -> None:
    job = lab.done([FIRST, SECOND], label="to keep")
    response = alice.get(f"/jobs/{job.id}/report")
    assert response.headers["content-disposition"] == f'inline; filename="crant-{job.id}.html"'
    elements = Elements(response.text)
    assert elements.values("src") == [f"data:image/png;base64,{b64encode(PNG).decode()}"]
    assert not elements.attributes("script")
    assert not elements.attributes("link")
    assert all(link.startswith(("http://crant.test/", "#")) for link in elements.values("href"))
    assert "url(" not in response.text
    assert "@import" not in response.text
    assert SECOND in response.text
    assert "--accent" in response.text


def test_the_report_allows_its_own_style_and_nothing_else(alice: Browser, lab: Lab) -> None:
    response = alice.get(f"/jobs/{lab.done([FIRST]).id}/report")
    policy = response.headers["content-security-policy"]
    (meta,) = (attrs["content"] for attrs in Elements(response.text).attributes("meta") if "http-equiv" in attrs)
    assert policy == f"{meta}; frame-ancestors 'none'"
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "unsafe-inline" not in policy


def test_a_report_does_without_a_picture_that_is_lost(alice: Browser, lab: Lab) -> None:
    job = lab.done([FIRST])
    lab.store.local_path(lab.engine.jobs.artifact(job.id, "skeletons.png").sha256).unlink()
    response = alice.get(f"/jobs/{job.id}/report")
    assert response.status_code == 200
    assert "<img" not in response.text


def test_a_report_can_be_fetched_with_a_token_in_the_header(app: FastAPI, lab: Lab, alice: Browser) -> None:
    job = lab.done([FIRST])
    token = alice.cookies["crant_token"]
    response = Browser(app).get(f"/jobs/{job.id}/report", headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == 200


@pytest.mark.parametrize("path", ["/", "/login", "/jobs/nothing", "/jobs/{}"])
def test_pages_are_careful(alice: Browser, lab: Lab, path: str) -> None:
    response = alice.get(path.format(lab.engine.submit().id))
    policy = response.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["referrer-policy"] == "same-origin"
    assert response.headers["x-content-type-options"] == "nosniff"
    elements = Elements(response.text)
    assert not elements.values("style")
    assert not any(name.startswith("on") for _, attrs in elements.found for name in attrs)
    assert all(link.startswith("/static/") for tag in ("script", "img") for link in _sources(elements, tag))


def _sources(elements: Elements, tag: str) -> list[str]:
    return [str(attrs["src"]) for attrs in elements.attributes(tag)]


def test_what_pages_are_made_of_is_served_to_everybody(stranger: Browser) -> None:
    elements = Elements(stranger.get("/login").text)
    parts = [link for link in elements.values("href", "src") if link.startswith("/static/")]
    assert {part.partition("?")[0] for part in parts} == {
        "/static/mark.svg",
        "/static/dashboard.css",
        "/static/signin.js",
    }
    assert all(stranger.get(part).status_code == 200 for part in parts)


@pytest.mark.parametrize(("path", "status"), [("/?state=lost", 422), ("/static/nothing.css", 404)])
def test_mistakes_on_pages_are_pages(alice: Browser, path: str, status: int) -> None:
    response = alice.get(path)
    assert response.status_code == status
    assert response.headers["content-type"].startswith("text/html")
    assert "All jobs" in response.text


def test_a_wrong_method_keeps_its_header(alice: Browser) -> None:
    response = alice("DELETE", "/")
    assert (response.status_code, response.headers["allow"]) == (405, "GET")
    assert response.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("path", ["/v1/jobs/nothing", "/v1/nothing", "/jobsx", "/nothing"])
def test_mistakes_elsewhere_stay_problems_in_json(alice: Browser, path: str) -> None:
    assert alice.get(path).headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("error", "status"), [(RuntimeError("a bug"), 500), (OperationalError("select", {}, Exception("gone")), 503)]
)
def test_failures_of_ours_are_pages_that_give_nothing_away(
    app: FastAPI, alice: Browser, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr(app.state.services.listing, "jobs", fail)
    response = alice.get("/")
    assert response.status_code == status
    assert "Jobs go on by themselves" in response.text
    assert "a bug" not in response.text
    assert "select" not in response.text
