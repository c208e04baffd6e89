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
    desk.errors.clear()
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


@pytest.fixture(scope="module")
def schedule(desk: Desk) -> str:
    """Page of a schedule with a run, made with its form."""
    page = desk.page
    desk.visit("/schedules/new/skeletonize")
    page.locator("#when-name").fill("nightly, ünïcode")
    page.locator("#when-cron").fill("0 2 * * *")
    page.locator("#p-ids").fill(root(desk))
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Make this schedule").click()
    page.wait_for_url(re.compile("/schedules/(?!new)"))
    found = page.url.removeprefix(desk.url)
    page.get_by_role("button", name=re.compile("run", re.IGNORECASE)).click()
    page.wait_for_url("**/jobs/*")
    return found


PAGES = (
    *("/", "/new", "/workers", "/storage", "/new/neuropil_matrices", "/new/nothing"),
    *("/schedules", "/schedules/new", "/schedules/new/skeletonize", "SCHEDULE", "SCHEDULE/edit"),
)


@pytest.mark.parametrize("path", PAGES)
def test_other_pages_fit_every_screen_and_every_control_has_a_name(desk: Desk, schedule: str, path: str) -> None:
    desk.visit(path.replace("SCHEDULE", schedule))
    name = path.strip("/").replace("/", "-") or "jobs"
    desk.shot(name)
    desk.shot(f"{name}-phone", phone=True)
    desk.shot(f"{name}-dark", dark=True)
    tree = desk.page.context.new_cdp_session(desk.page).send("Accessibility.getFullAXTree")["nodes"]
    controls = [node for node in tree if node.get("role", {}).get("value") in ("button", "link", "textbox", "combobox")]
    nameless = [node for node in controls if not node.get("ignored") and not node.get("name", {}).get("value")]
    assert controls
    assert nameless == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", [*PAGES, "JOB"])
def test_all_text_can_be_read_in_both_themes(desk: Desk, schedule: str, path: str, scheme: str) -> None:
    """As WCAG 2 says it: 4.5 to 1, and 3 to 1 for what is large."""
    desk.visit(path.replace("SCHEDULE", schedule).replace("JOB", "/"))
    if path == "JOB":
        desk.page.locator("main a[href^='/jobs/']").first.click()
        desk.page.wait_for_url("**/jobs/*")
    desk.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    faint = desk.page.evaluate(FAINT)
    desk.page.emulate_media(color_scheme="light")
    assert faint == []


def test_faint_text_is_found(desk: Desk) -> None:
    desk.visit("/new")
    desk.page.evaluate("document.querySelector('h1').style.color = 'color-mix(in srgb, currentcolor 20%, white)'")
    assert len(desk.page.evaluate(FAINT)) == 1


def test_a_job_is_made_and_followed_with_the_keyboard_alone(desk: Desk) -> None:
    page = desk.page
    desk.visit("/new/skeletonize")
    assert page.locator("[tabindex]:not([tabindex='-1']):not([tabindex='0'])").count() == 0, "the order is the page's"
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_attribute("href", "#content")
    page.keyboard.press("Enter")
    tab_to(page, "#p-ids")
    page.keyboard.type(root(desk))
    tab_to(page, "#label")
    page.keyboard.type("by keyboard")
    tab_to(page, "button[value=check]")
    page.keyboard.press("Enter")
    expect(page.locator("#estimate")).to_be_focused()
    tab_to(page, "button[value=submit]")
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs/*")
    expect(page.locator(".head .chip")).to_have_text("succeeded")
    expect(page.locator(".progress [role=status]")).to_have_text("succeeded, 100 % done")
    told = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    polite = {"name": "live", "value": {"type": "token", "value": "polite"}}
    assert any(node["role"]["value"] == "status" and polite in node["properties"] for node in told if "role" in node)
    tab_to(page, ".files a[href$='.swc']")


def tab_to(page: Page, wanted: str) -> None:
    """Press Tab until something has the focus; whatever has it on the way can be seen to have it."""
    for _ in range(80):
        page.keyboard.press("Tab")
        assert page.evaluate(SHOWN), page.evaluate("document.activeElement.outerHTML")
        if page.evaluate("(wanted) => document.activeElement.matches(wanted)", wanted):
            return
    raise AssertionError(wanted)


SHOWN = """() => {
  const focused = document.activeElement, style = getComputedStyle(focused), box = focused.getBoundingClientRect();
  const inView = box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight;
  return inView && (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0 || style.boxShadow !== "none");
}"""

#: texts whose contrast is too low; colours are read from a canvas, as styles may say them in any notation
FAINT = """() => {
  const brush = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    brush.clearRect(0, 0, 1, 1);
    brush.fillStyle = colour;
    brush.fillRect(0, 0, 1, 1);
    return brush.getImageData(0, 0, 1, 1).data;
  };
  const over = (top, below) => [0, 1, 2].map((n) => top[n] * top[3] / 255 + below[n] * (1 - top[3] / 255));
  const backOf = (node) => {
    if (!node) return rgba(getComputedStyle(document.documentElement).backgroundColor);
    const own = rgba(getComputedStyle(node).backgroundColor);
    return own[3] === 255 ? own : over(own, backOf(node.parentElement));
  };
  const light = (colour) => [0.2126, 0.7152, 0.0722].reduce((sum, weight, n) => {
    const part = colour[n] / 255;
    return sum + weight * (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  }, 0);
  const faint = [];
  for (const node of document.querySelectorAll("body *")) {
    const text = [...node.childNodes].map((child) => child.nodeType === 3 ? child.data : "").join("").trim();
    if (!text || !node.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    if (node.closest("svg, option, datalist, script, style")) continue;
    const style = getComputedStyle(node), back = backOf(node), front = over(rgba(style.color), back);
    const [high, low] = [light(front), light(back)].sort((a, b) => b - a);
    const size = parseFloat(style.fontSize), isLarge = size >= 24 || size >= 18.66 && style.fontWeight >= 700;
    const contrast = (high + 0.05) / (low + 0.05);
    if (contrast < (isLarge ? 3 : 4.5)) faint.push(`${contrast.toFixed(2)} ${node.className} ${text.slice(0, 40)}`);
  }
  return faint;
}"""
