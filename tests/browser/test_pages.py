"""Every page of the book, opened from disk with the network cut: light, dark and on a phone.

The book is taken from the folder that LMCOURSE_BOOK names (the one with index.html), or built once per run by the
command that stands at the top of _config.yml.
"""

import base64
import gzip
import hashlib
import io
import json
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
from PIL import Image, ImageChops, ImageStat
from sphinx_external_toc.parsing import parse_toc_yaml

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
BUILD = ["build", ".", "--path-output", "build/book", "--all", "-W", "--keep-going"]
PAGES = [Path(name).with_suffix("").as_posix() for name in parse_toc_yaml(ROOT / "_toc.yml")]
NOTEBOOKS = [page for page in PAGES if (ROOT / f"{page}.ipynb").exists()]
DRESSES = [("light", 1280), ("dark", 1280), ("light", 390)]
HEAVIEST = 800_000  # bytes of a page and all it loads, as a server sends them (gzip)

# MathJax typesets after the load event; a page without formulas does not have it.
SETTLED = "() => window.MathJax ? window.MathJax.startup.promise.then(() => true) : true"

# Rules that axe leaves out unless it is asked.
VISIBLE_NAMES = """() => axe.run("html", { runOnly: ["label-content-name-mismatch"] })
  .then(({ violations }) => violations.flatMap(({ nodes }) => nodes.map(({ html }) => html)))"""

# A block of code inside an output that scrolls is not itself what scrolls.
OVERFLOWS = """(block) => block.scrollWidth > block.clientWidth + 1
  && ["auto", "scroll"].includes(getComputedStyle(block).overflowX)"""


@pytest.fixture(scope="session")
def book() -> Path:
    """The folder of the built book."""
    if given := os.environ.get("LMCOURSE_BOOK"):
        folder = Path(given).resolve()
        if not (folder / "search.html").exists():
            pytest.fail(f"LMCOURSE_BOOK must be a built book's html folder, got {given!r}", pytrace=False)
        return folder
    command = [Path(sys.executable).with_name("jupyter-book"), *BUILD]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    folder = ROOT / "build" / "book" / "_build" / "html"
    if done.returncode or not folder.exists():
        pytest.fail(f"the book does not build:\n{done.stdout[-3000:]}{done.stderr[-3000:]}", pytrace=False)
    return folder


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
    assert page.evaluate(VISIBLE_NAMES) == []
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


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_pictures_look_as_in_the_notebook(book, name):
    """The build stores plots with fewer colours; the mean of all pixels may move by a tenth of one level in 255."""
    cells = json.loads((ROOT / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    outputs = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    shown = {Path(img["src"]).name for img in soup(book / f"{name}.html").select(".cell_output img")}
    for png in [base64.b64decode(data["image/png"]) for data in outputs if "image/png" in data]:
        file = book / "_images" / f"{hashlib.sha256(png).hexdigest()}.png"
        assert file.name in shown
        before, after = (Image.open(source).convert("RGB") for source in (io.BytesIO(png), file))
        assert before.size == after.size
        assert max(ImageStat.Stat(ImageChops.difference(before, after)).mean) <= 0.1


@pytest.mark.parametrize("name", PAGES)
def test_questions_of_checkpoints_are_html(book, name):
    """Inside <summary> nobody reads Markdown: `<unk>` would vanish and *this* would keep its stars."""
    questions = [
        summary.get_text() for summary in soup(book / f"{name}.html").select(".checkpoint > summary")
    ]
    assert [question for question in questions if re.search(r"[`*$]|\[.*\]\(", question)] == []


@pytest.mark.parametrize("name", PAGES)
def test_what_unfolds_has_a_name(book, name):
    """The theme's arrows in the contents are nameless, and older versions of axe let that pass."""
    summaries = soup(book / f"{name}.html").select("summary")
    assert [
        str(each) for each in summaries if not (each.get("aria-label") or each.get_text(strip=True))
    ] == []


@pytest.mark.parametrize("name", [*PAGES, "search"])
def test_script_of_the_theme_finds_what_it_reads(book, name):
    """It fails on pages with a margin note where there are no contents of the page."""
    assert len(soup(book / f"{name}.html").select("div.bd-sidebar-secondary")) == 1


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_html_outputs_keep_their_own_ground_in_the_dark(visit, name):
    page, _ = visit(name, theme="dark")
    grounds = page.locator(".cell_output .text_html:not(:has(table.dataframe))").evaluate_all(
        "outputs => outputs.map((output) => getComputedStyle(output).backgroundColor)"
    )
    assert set(grounds) <= {"rgba(0, 0, 0, 0)"}


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


def test_checkpoint_unfolds_by_keyboard(visit):
    page, _ = visit("book/how_to_study")
    answer = page.locator("details.checkpoint > p").first
    assert not answer.is_visible()
    page.locator("details.checkpoint > summary").first.press("Enter")
    assert answer.is_visible()


def test_paper_is_light_and_shows_the_answers(visit):
    page, _ = visit("book/how_to_study", theme="dark")
    answer = page.locator("details.checkpoint > p").first
    shown = "document.documentElement.dataset.theme"
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert (answer.is_visible(), page.evaluate(shown)) == (True, "light")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert (answer.is_visible(), page.evaluate(shown)) == (False, "dark")


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


@pytest.mark.parametrize("name", ["book/how_to_teach", *NOTEBOOKS])
def test_wide_things_scroll_by_keyboard(visit, name):
    """On a phone, whatever is wider than the column can be focused, and then an arrow key moves it."""
    page, _ = visit(name, width=390)
    blocks = page.locator(
        "main :is(pre, .cell_output > .output, .pst-scrollable-table-container, mjx-container[display])"
    )
    for block in [block for block in blocks.all() if block.evaluate(OVERFLOWS)]:
        assert block.evaluate("(block) => block.tabIndex") == 0
        block.focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_function("(block) => block.scrollLeft > 0", arg=block.element_handle())


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
