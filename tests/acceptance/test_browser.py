"""The dashboard as people use it: a real browser, a real worker. Pictures of it are kept in SCREENSHOTS."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from crant_core.jobs.model import Scope
from crant_core.jobs.repository.tokens import TokenRepository
from crant_core.stack.network import free_port
from tests.fixtures.browser import CHROMIUM, Page, chromium
from tests.fixtures.service import Service, running_service, until

NO_ROOT = str((8 << 56) + (1 << 30))

pytestmark = [pytest.mark.timeout(240), pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")]


@dataclass
class Desk:
    """A browser that is signed in to a running service."""

    page: Page
    url: str
    service: Service
    downloads: Path
    pictures: Path

    def visit(self, path: str) -> None:
        self.page.open(self.url + path)

    def shot(self, name: str, **look: object) -> None:
        """Keep a picture, and see that nothing is wider than the screen."""
        self.page.look(**look)
        self.page.run("new Promise((done) => setTimeout(done, 300))")
        self.page.picture(self.pictures / f"{name}.png")
        assert self.page.run("document.documentElement.scrollWidth <= innerWidth"), name
        self.page.look()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("desk")
    pictures = Path(os.environ.get("SCREENSHOTS") or folder / "pictures")
    with running_service(f"sqlite:///{folder}/jobs.sqlite") as service, chromium(folder) as page:
        url, token = (
            serve(service),
            TokenRepository(service.engine.database).create("alice", [Scope.READ, Scope.SUBMIT]),
        )
        service.start_worker(processes=1)
        page.look()
        page.open(f"{url}/login#{token}")  # as the link that `crant up` prints
        page.until("location.pathname === '/'")
        yield Desk(page, url, service, folder, pictures)


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
    job_path = page.run("location.pathname")
    watch(desk)
    page.click("form[action$='/retry'] button")
    page.until("document.querySelector('.timeline').innerText.includes('retr')")
    page.until("document.querySelector('.head .chip').innerText === 'partial'")
    assert page.run("location.pathname") == job_path
    look_at_skeletons(desk)
    page.click(".files a[href$='.swc']")
    until(lambda: bool([*desk.downloads.glob("*.swc")]))
    (swc,) = desk.downloads.glob("*.swc")
    assert swc.read_text().startswith("#")
    unexpected = [error for error in page.errors if "favicon" not in error]
    assert unexpected == []


def fill_in(desk: Desk) -> None:
    """Check first, as the page asks, then submit; with the keyboard where a mouse is not needed."""
    page = desk.page
    desk.visit("/new/skeletonize")
    page.type("#p-ids", f"{root(desk)}\n{NO_ROOT}")
    page.type("#label", "by hand")
    desk.shot("form")
    page.click("button[value=check]")
    page.until("document.querySelector('#estimate')?.innerText.includes('Submit 2 items')")
    page.until("document.activeElement.id === 'estimate'")  # what a screen reader reads next
    desk.shot("estimate", dark=True)
    page.run("document.querySelector('button[value=submit]').focus()")
    page.press("Enter", 13, text="\r")
    page.until("location.pathname.startsWith('/jobs/')")


def root(desk: Desk) -> str:
    world = httpx.get(f"{desk.service.sandbox.url}/_sandbox/world", timeout=30, trust_env=False).json()
    return str(world["neurons"][0]["root_id"])


def watch(desk: Desk) -> None:
    """The page changes by itself, without being loaded again."""
    page = desk.page
    page.run("window.same = true")
    page.until("document.querySelector('.head .chip').innerText === 'partial'")
    page.until("document.querySelector('form[action$=\"/retry\"] button') !== null")
    assert page.run("window.same") is True
    assert page.run("document.querySelector('[data-count=failed]').innerText") == "1"
    assert "mesh_not_found" in page.text() or "not_a_root" in page.text()


def look_at_skeletons(desk: Desk) -> None:
    page = desk.page
    page.until("document.querySelector('.skeletons').dataset.drawn === '1'")
    before = page.run("document.querySelector('.stage canvas').toDataURL()")
    page.run("document.querySelector('.stage canvas').focus()")
    page.press("ArrowRight", 39)
    page.until(f"document.querySelector('.stage canvas').toDataURL().length !== {len(before)}")
    page.click(".thumbs button")
    page.until("document.querySelector('.thumbs button').getAttribute('aria-pressed') === 'true'")
    desk.shot("job")
    desk.shot("job-dark", dark=True)
    desk.shot("job-phone", width=390, height=844, phone=True)


def test_other_pages_fit_every_screen_and_every_control_has_a_name(desk: Desk) -> None:
    for path in ("/", "/new", "/workers", "/storage", "/new/neuropil_matrices"):
        desk.visit(path)
        name = path.strip("/").replace("/", "-") or "jobs"
        desk.shot(name)
        desk.shot(f"{name}-phone", width=390, height=844, phone=True)
        tree = desk.page.send("Accessibility.getFullAXTree")["nodes"]
        controls = [
            node for node in tree if node.get("role", {}).get("value") in ("button", "link", "textbox", "combobox")
        ]
        nameless = [node for node in controls if not node.get("ignored") and not node.get("name", {}).get("value")]
        assert controls
        assert nameless == []
