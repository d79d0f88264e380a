"""Every page of the book, opened from disk with the network cut: light, dark and on a phone.

The book is taken from the folder that LMCOURSE_BOOK names (the one with index.html), or built once per run by the
command that stands at the top of _config.yml.
"""

import gzip
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup
from sphinx_external_toc.parsing import parse_toc_yaml

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
BUILD = ["build", ".", "--path-output", "build/book", "-W", "--keep-going"]
PAGES = [Path(name).with_suffix("").as_posix() for name in parse_toc_yaml(ROOT / "_toc.yml")]
NOTEBOOKS = [page for page in PAGES if (ROOT / f"{page}.ipynb").exists()]
DRESSES = [("light", 1280), ("dark", 1280), ("light", 390)]
HEAVIEST = 800_000  # bytes of a page and all it loads, as a server sends them (gzip)

# MathJax typesets after the load event; a page without formulas does not have it.
SETTLED = "() => window.MathJax ? window.MathJax.startup.promise.then(() => true) : true"


@pytest.fixture(scope="session")
def book() -> Path:
    """The folder of the built book."""
    if given := os.environ.get("LMCOURSE_BOOK"):
        folder = Path(given).resolve()
        if not (folder / "search.html").exists():
            pytest.fail(f"LMCOURSE_BOOK must be a built book's html folder, got {given!r}", pytrace=False)
        return folder
    command = [sys.executable, "-m", "jupyter_book.cli.main", *BUILD]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    if done.returncode:
        pytest.fail(f"the book does not build:\n{done.stdout[-3000:]}{done.stderr[-3000:]}", pytrace=False)
    return ROOT / "build" / "book" / "_build" / "html"


@pytest.fixture
def visit(open_page, book):
    """`visit("book/welcome", theme, width)` -> (settled page, files it loaded); refuses what is not the book's own."""

    def visit(name: str, theme="light", width=1280, query="", **options):
        page = open_page("about:blank", theme=theme, width=width, **options)
        asked, failed = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("requestfailed", lambda request: failed.append(request.url))
        page.goto((book / f"{name}.html").as_uri() + query)
        page.evaluate(SETTLED)
        page.wait_for_load_state("networkidle")
        files = {Path(unquote(urlsplit(url).path)) for url in asked if not url.startswith(("data:", "blob:"))}
        assert failed == []
        assert [str(file) for file in files if book not in file.parents] == []
        return page, files

    return visit


@cache
def soup(file: Path) -> BeautifulSoup:
    return BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser")


@cache
def sent_bytes(file: Path) -> int:
    """What a server that compresses sends for a file; fonts and pictures are compressed already."""
    data = file.read_bytes()
    return min(len(data), len(gzip.compress(data, 6)))


# --- every page ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("theme", "width"), DRESSES)
@pytest.mark.parametrize("name", [*PAGES, "search"])
def test_page_is_quiet_readable_and_fits(visit, axe, poor_contrast, overflow, name, theme, width):
    """No error, no foreign request (both by the fixtures), nothing axe objects to, no scrolling sideways."""
    page, _ = visit(name, theme, width)
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    assert axe(page, "html") == []
    assert poor_contrast(page, "main") == []
    assert overflow(page) <= 0


@pytest.mark.parametrize("name", PAGES)
def test_page_is_light_enough(visit, name):
    _, files = visit(name)
    weights = {file.name: sent_bytes(file) for file in files}
    heaviest = sorted(weights.items(), key=lambda item: -item[1])[:6]
    assert sum(weights.values()) < HEAVIEST, f"{sum(weights.values()):,} bytes, most of it {heaviest}"


@pytest.mark.parametrize("name", PAGES)
def test_every_formula_is_typeset(visit, book, name):
    written = len(soup(book / f"{name}.html").select("main .math"))
    page, _ = visit(name)
    assert page.locator("main mjx-container").count() == written
    assert page.locator("main mjx-merror").all_inner_texts() == []
    assert page.locator("main mjx-container mjx-assistive-mml").count() == written  # for screen readers


@pytest.mark.parametrize("name", PAGES)
def test_every_picture_has_words(book, name):
    """Where a cell names no alt text, Sphinx writes the path of the file, and axe takes that for words."""
    alts = {img["src"]: img.get("alt", "").strip() for img in soup(book / f"{name}.html").select("main img")}
    wordless = {src: alt for src, alt in alts.items() if len(alt.split()) < 3 or "/_build/" in alt}
    assert wordless == {}


@pytest.mark.parametrize("name", PAGES)
def test_previous_and_next_follow_the_contents(book, name):
    file, place = book / f"{name}.html", PAGES.index(name)
    for side, neighbour in [("left-prev", place - 1), ("right-next", place + 1)]:
        link = soup(file).select_one(f".prev-next-area a.{side}")
        if 0 <= neighbour < len(PAGES):
            target = book / f"{PAGES[neighbour]}.html"
            assert (file.parent / link["href"]).resolve() == target
        else:
            assert link is None


# --- what a reader does -------------------------------------------------------------------------------------


def test_search_finds_a_word(visit, book):
    page, _ = visit("search", query="?q=fertility")
    results = page.locator("#search-results li a")
    results.first.wait_for()
    found = {
        (book / link.split("#")[0].split("?")[0]).resolve()
        for link in results.evaluate_all("links => links.map((link) => link.getAttribute('href'))")
    }
    assert book / "book/glossary.html" in found


def test_search_opens_by_button_and_by_keyboard(visit):
    page, _ = visit("book/welcome")
    field = page.locator("#pst-search-dialog input")
    page.get_by_role("button", name="Search this book").first.click()
    assert field.is_visible()
    page.keyboard.press("Escape")
    assert not field.is_visible()
    page.keyboard.press("Control+k")
    field.fill("fertility")
    field.press("Enter")
    page.wait_for_url("**/search.html?q=fertility*")


def test_checkpoint_unfolds_by_keyboard_and_on_paper(visit):
    page, _ = visit("book/how_to_study")
    answer = page.locator("details.checkpoint > p").first
    assert not answer.is_visible()
    page.locator("details.checkpoint > summary").first.press("Enter")
    assert answer.is_visible()
    page.locator("details.checkpoint > summary").first.press("Enter")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert answer.is_visible()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert not answer.is_visible()


def test_colours_follow_the_system_until_the_reader_chooses(visit):
    page, _ = visit("book/welcome", theme=None, color_scheme="dark")
    shown = "document.documentElement.dataset.theme"
    assert page.evaluate(shown) == "dark"
    page.get_by_role("button", name="Colours").click()
    assert page.evaluate(shown) == "light"
    assert page.locator(".theme-switch-button i:visible").count() == 1


def test_contents_open_on_a_phone(visit):
    page, _ = visit("book/welcome", width=390)
    glossary = page.get_by_role("link", name="Glossary", exact=True).first
    assert not glossary.is_visible()
    page.locator("button.primary-toggle").click()
    glossary.click()
    page.wait_for_url("**/glossary.html")


def test_wide_things_scroll_by_keyboard(visit):
    """On a phone every block wider than the column can be focused, and an arrow key moves it."""
    page, _ = visit("book/how_to_teach", width=390)
    wide = page.locator("main pre[tabindex='0'], main .book-scroll[tabindex='0']").first
    wide.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("(block) => block.scrollLeft > 0", arg=wide.element_handle())


# --- what a notebook page offers ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAGES)
def test_colab_is_offered_where_there_is_something_to_run(book, name):
    repository = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]
    project = repository["url"].removeprefix("https://github.com/")
    address = f"https://colab.research.google.com/github/{project}/blob/{repository['branch']}/{name}.ipynb"
    links = [a["href"] for a in soup(book / f"{name}.html").select("a[href*='colab.research']")]
    assert links == ([address] if Path(name).name in ("lesson", "exercises") else [])


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_downloads_are_there_and_give_nothing_away(book, name):
    file = book / f"{name}.html"
    offered = [(file.parent / a["href"]).resolve() for a in soup(file).select("a[download]")]
    script = [".py"] if (ROOT / f"{name}.py").exists() else []
    assert [download.suffix for download in offered] == [".ipynb", *script]
    assert [str(download) for download in offered if not download.exists()] == []


def test_no_solution_is_in_the_book(book):
    marks = re.compile(r"(BEGIN|END) (SOLUTION|HIDDEN TESTS)")
    texts = [file for file in book.rglob("*") if file.suffix in {".html", ".ipynb", ".py", ".js", ".txt"}]
    told = {"how_to_teach.html"}  # may name the marks
    assert len(texts) > len(PAGES)
    assert [
        str(file) for file in texts if file.name not in told and marks.search(file.read_text("utf-8"))
    ] == []
