"""The dashboard as people use it: a real browser, a real worker. Pictures of it are kept in SCREENSHOTS."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from crant_core.jobs.model import Scope
from crant_core.jobs.repository.tokens import TokenRepository
from crant_core.stack.network import free_port
from tests.fixtures.browser import chromium, errors_of, photograph
from tests.fixtures.service import Service, running_service, until

NO_ROOT = str((8 << 56) + (1 << 30))

pytestmark = pytest.mark.timeout(480)


@dataclass
class Desk:
    """A browser that is signed in to a running service."""

    page: Page
    url: str
    service: Service
    pictures: Path
    errors: list[str]

    def visit(self, path: str) -> None:
        self.page.goto(self.url + path)

    def shot(self, name: str, *, dark: bool = False, phone: bool = False) -> None:
        photograph(self.page, self.pictures / f"{name}.png", dark=dark, phone=phone)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("desk")
    pictures = Path(os.environ.get("SCREENSHOTS") or folder / "pictures")
    with running_service(f"sqlite:///{folder}/jobs.sqlite") as service, chromium() as page:
        url, errors = serve(service), errors_of(page)
        token = TokenRepository(service.engine.database).create("alice", [Scope.READ, Scope.SUBMIT])
        service.start_worker(processes=1)
        page.goto(f"{url}/login#{token}")  # as the link that `crant up` prints
        page.wait_for_url(f"{url}/")
        yield Desk(page, url, service, pictures, errors)


def serve(service: Service) -> str:
    port = free_port(0, "127.0.0.1")
    service._start([sys.executable, "-m", "uvicorn", "--factory", "api.main:create_app", "--port", str(port)], "api")
    url = f"http://127.0.0.1:{port}"
    until(lambda: answers(url), service.logs)
    return url


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", trust_env=False).is_success
    except httpx.HTTPError:
        return False


def test_submit_watch_retry_download(desk: Desk) -> None:
    page = desk.page
    fill_in(desk)
    job_page = page.url
    watch(desk)
    page.get_by_role("button", name=re.compile("retry", re.IGNORECASE)).click()
    expect(page.locator(".timeline")).to_contain_text("retr")
    expect(page.locator(".head .chip")).to_have_text("partial")
    assert page.url == job_page
    look_at_skeletons(desk)
    with page.expect_download() as downloading:
        page.locator(".files a[href$='.swc']").click()
    assert downloading.value.path().read_text().startswith("#")
    assert [error for error in desk.errors if "favicon" not in error] == []


def fill_in(desk: Desk) -> None:
    """Check first, as the page asks, then submit; with the keyboard where a mouse is not needed."""
    page = desk.page
    desk.visit("/new/skeletonize")
    page.locator("#p-ids").fill(f"{root(desk)}\n{NO_ROOT}")
    page.get_by_label("label").fill("by hand")
    desk.shot("form")
    page.get_by_role("button", name="Check").click()
    submit = page.get_by_role("button", name="Submit 2 items")
    expect(submit).to_be_visible()
    expect(page.locator("#estimate")).to_be_focused()  # what a screen reader reads next
    desk.shot("estimate", dark=True)
    submit.press("Enter")
    page.wait_for_url("**/jobs/*")


def root(desk: Desk) -> str:
    world = httpx.get(f"{desk.service.sandbox.url}/_sandbox/world", timeout=30, trust_env=False).json()
    return str(world["neurons"][0]["root_id"])


def watch(desk: Desk) -> None:
    """The page changes by itself, without being loaded again."""
    page = desk.page
    page.evaluate("window.same = true")
    expect(page.locator(".head .chip")).to_have_text("partial")
    expect(page.get_by_role("button", name=re.compile("retry", re.IGNORECASE))).to_be_visible()
    assert page.evaluate("window.same") is True
    expect(page.locator("[data-count=failed]")).to_have_text("1")
    expect(page.locator("body")).to_contain_text(re.compile("mesh_not_found|not_a_root"))


def look_at_skeletons(desk: Desk) -> None:
    page = desk.page
    expect(page.locator(".skeletons")).to_have_attribute("data-drawn", "1")
    drawn = "document.querySelector('.stage canvas').toDataURL()"
    before = page.evaluate(drawn)
    page.locator(".stage canvas").press("ArrowRight")
    page.wait_for_function(f"(before) => {drawn} !== before", arg=before)
    page.locator(".thumbs button").click()
    expect(page.locator(".thumbs button")).to_have_attribute("aria-pressed", "true")
    desk.shot("job")
    desk.shot("job-dark", dark=True)
    desk.shot("job-phone", phone=True)


@pytest.mark.parametrize("path", ["/", "/new", "/workers", "/storage", "/new/neuropil_matrices"])
def test_other_pages_fit_every_screen_and_every_control_has_a_name(desk: Desk, path: str) -> None:
    desk.visit(path)
    name = path.strip("/").replace("/", "-") or "jobs"
    desk.shot(name)
    desk.shot(f"{name}-phone", phone=True)
    tree = desk.page.context.new_cdp_session(desk.page).send("Accessibility.getFullAXTree")["nodes"]
    controls = [node for node in tree if node.get("role", {}).get("value") in ("button", "link", "textbox", "combobox")]
    nameless = [node for node in controls if not node.get("ignored") and not node.get("name", {}).get("value")]
    assert controls
    assert nameless == []
