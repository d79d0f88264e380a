"""A browser with the network cut, and what every page must satisfy in it.

`open_page(url, theme=..., width=...)` opens a file with its own log of requests and console errors; when the test
ends, both logs must be empty of anything a reader offline would miss. Reusable for figures and for book pages.
"""

import os
import shutil
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

pytest.register_assert_rewrite("figure_page")

from figure_page import write_page  # noqa: E402

FLAGS = [
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--force-color-profile=srgb",
    "--font-render-hinting=none",
]
LOCAL = {"file", "data", "blob", "about"}

# What the hosts of the course write on their pages to say which theme is on.
THEMES = """(theme) => {
  try { localStorage.setItem("mode", theme); localStorage.setItem("theme", theme); } catch { /* no storage */ }
  const say = () => {
    if (!document.documentElement) return;
    document.documentElement.dataset.theme = theme;
    observer.disconnect();
  };
  const observer = new MutationObserver(say);
  observer.observe(document, { childList: true });
  say();
}"""

# Text whose colour has a contrast below 4.5 (3 if large) to the nearest painted background behind it.
CONTRAST = """(scope) => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => { context.clearRect(0, 0, 1, 1); context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1); return [...context.getImageData(0, 0, 1, 1).data]; };
  const light = (colour) => { const [r, g, b] = rgba(colour).slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = (node) => { for (let e = node; e; e = e.parentElement) {
    const colour = getComputedStyle(e).backgroundColor; if (rgba(colour)[3] === 255) return colour; }
    return "white"; };
  const bad = [];
  let seen = 0;
  for (const root of document.querySelectorAll(scope)) {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const element = walker.currentNode.parentElement, text = walker.currentNode.data.trim();
      if (!text || element.closest("script, style") || !element.checkVisibility({ checkVisibilityCSS: true })) continue;
      const style = getComputedStyle(element), svg = element instanceof SVGElement;
      const [ink, paper] = [svg ? style.fill : style.color, behind(element)];
      const [high, low] = [light(ink), light(paper)].sort((a, b) => b - a);
      const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
      const contrast = (high + 0.05) / (low + 0.05);
      seen += 1;
      if (contrast < (large ? 3 : 4.5)) bad.push(`${text.slice(0, 40)}: ${contrast.toFixed(2)} (${ink} on ${paper})`);
    }
  }
  return { seen, bad: [...new Set(bad)] };
}"""


def chromium_path() -> str:
    """The browser to use; fails with the line to type when there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    path = os.environ.get("LMCOURSE_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if not path or not Path(path).exists():
        pytest.fail(
            f"no browser found (looked for {path or ', '.join(names)}). Type `sudo apt-get install chromium`, "
            "or `export LMCOURSE_CHROMIUM=/path/to/chrome`, or leave these tests out with `-m 'not browser'`.",
            pytrace=False,
        )
    return path


@dataclass
class Visit:
    """An open page and what was heard of it: requests that left the machine, errors on the console."""

    page: Page
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", self._heard)
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _heard(self, request) -> None:
        if urlsplit(request.url).scheme not in LOCAL:
            self.requests.append(request.url)


@pytest.fixture(scope="session")
def browser() -> Browser:
    flags = FLAGS + (["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else [])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=flags)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def listen():
    """`listen(page)` -> Visit: hears what the page does from now on."""
    return Visit


@pytest.fixture
def open_page(browser, listen):
    """`open_page(url_or_path, theme="light", width=1280)` -> Page, offline; logs are checked at the end.

    `theme=None` leaves the choice to the page and to `color_scheme` (what the reader's system prefers).
    """
    visits, contexts = [], []

    def open_page(url, theme="light", width=1280, height=900, color_scheme=None, **options) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=color_scheme or theme or "light",
            has_touch=width < 600,
            **options,
        )
        context.set_default_timeout(10_000)
        context.set_offline(True)
        contexts.append(context)
        if theme:
            context.add_init_script(f"({THEMES})({theme!r})")
        page = context.new_page()
        visits.append(listen(page))
        page.goto(url.as_uri() if isinstance(url, Path) else url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [visit.requests for visit in visits if visit.requests] == [], "a page asked the network"
    assert [visit.errors for visit in visits if visit.errors] == [], "errors on the console"


@pytest.fixture(scope="session")
def axe_source() -> str:
    return (Path(find_spec("axe_core_python").origin).parent / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture
def axe(axe_source):
    """`axe(page, scope)`: the violations axe-core finds within a CSS selector, as readable lines."""

    def axe(page: Page, scope: str = "body", disable: tuple[str, ...] = ()) -> list[str]:
        if not page.evaluate("() => 'axe' in window"):
            page.evaluate(axe_source)
        rules = {rule: {"enabled": False} for rule in disable}
        found = page.evaluate("([scope, rules]) => axe.run(scope, { rules })", [scope, rules])
        return [
            f"{violation['id']}: {node['target']} {node['failureSummary']}"
            for violation in found["violations"]
            for node in violation["nodes"]
        ]

    return axe


@pytest.fixture
def poor_contrast():
    """`poor_contrast(page, scope)`: visible texts that are hard to read, from computed colours; axe misses some."""

    def poor_contrast(page: Page, scope: str) -> list[str]:
        measured = page.evaluate(CONTRAST, scope)
        assert measured["seen"] > 0, f"no visible text in {scope!r}: nothing was measured"
        return measured["bad"]

    return poor_contrast


@pytest.fixture
def overflow():
    """`overflow(page)`: by how many pixels the page is wider than its window."""
    return lambda page: page.evaluate(
        "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )


@pytest.fixture
def show(open_page, build, tmp_path):
    """`show(name, theme=..., width=...)`, with the `build` of each test file -> (page, the figure's element)."""

    def show(name: str, **options):
        page = open_page(write_page(tmp_path, build(name)), **options)
        return page, page.locator(".lm-figure.lm-ready")

    return show
