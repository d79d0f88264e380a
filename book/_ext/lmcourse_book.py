"""The book's own Sphinx extension: pages that work offline, by keyboard and with a screen reader.

It does six things, and the templates in ``book/_templates`` use what it provides:

* **mathematics without a network**: the needed part of MathJax (TeX in, CHTML out, its fonts) is copied from
  the PyPI package ``sphinx-mathjax-offline`` into the built book, so that a page also works from ``file://``;
* **lighter pictures**: plots are stored with the few colours they have, a third of the bytes;
* **page tools**: which pages get a Colab link, and what a reader can download from a page;
* **names** for the arrows that unfold the contents, which the theme leaves nameless;
* **list items** for the works in the references, which docutils gives a role that is no longer in use;
* **no ``fontawesome.js``**: half a megabyte that draws what the style sheet draws as well.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from bs4 import BeautifulSoup
from PIL import Image, ImageChops, ImageStat
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

# A page is opened in Colab to be run or solved; a notebook of another name says `"colab": true` in its metadata.
COLAB_NAMES = {"lesson", "exercises"}

# MathJax as separate components: 160 kB (gzip) where the combined tex-chtml.js has 260 kB, most of the
# difference being a right-click menu. `input/tex/extensions` are fetched by MathJax only when a formula asks.
MATHJAX_LOAD = ["input/tex", "output/chtml", "a11y/assistive-mml"]
MATHJAX_FILES = [
    "startup.js",
    "core.js",
    "input/tex.js",
    "input/tex/extensions",
    "output/chtml.js",
    "output/chtml/fonts",
    "a11y/assistive-mml.js",
]


# --- mathematics ------------------------------------------------------------------------------------------


def mathjax_folder() -> Path:
    """The folder of MathJax's files inside the installed package ``sphinx-mathjax-offline``."""
    spec = importlib.util.find_spec("sphinx-mathjax-offline")
    if spec is None or not spec.submodule_search_locations:
        raise ExtensionError("the book needs MathJax's files: pip install sphinx-mathjax-offline")
    return Path(next(iter(spec.submodule_search_locations))) / "static" / "mathjax"


def use_local_mathjax(app: Sphinx, config: Any) -> None:
    """Point Sphinx to the copy of MathJax that ``copy_mathjax`` will make."""
    config.mathjax_path = "mathjax/startup.js"
    config.mathjax3_config = {
        **(config.mathjax3_config or {}),
        "loader": {"load": MATHJAX_LOAD},
        "chtml": {"displayAlign": "left", "displayIndent": "1.5em", "matchFontHeight": False},
    }


def copy_mathjax(app: Sphinx, exception: Exception | None) -> None:
    """Copy the needed part of MathJax to ``_static/mathjax`` of the finished book."""
    if exception is not None or app.builder.format != "html":
        return
    source, target = mathjax_folder(), Path(app.outdir) / "_static" / "mathjax"
    for name in MATHJAX_FILES:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, dirs_exist_ok=True)
        else:
            shutil.copyfile(source / name, target / name)


# --- pictures ---------------------------------------------------------------------------------------------


def shrink_png(file: Path) -> None:
    """Store an opaque picture with a palette of 256 colours, if nobody can see the difference.

    A plot has a few hundred colours, nearly all of them from smoothed edges. Pictures with many more (on average
    over 0.1 of 255 levels away from their palette) stay as they are.
    """
    with Image.open(file) as picture:
        if picture.mode not in ("RGB", "RGBA") or picture.convert("RGBA").getextrema()[3] != (255, 255):
            return
        full = picture.convert("RGB")
    reduced = full.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    if max(ImageStat.Stat(ImageChops.difference(full, reduced.convert("RGB"))).mean) <= 0.1:
        reduced.save(file, optimize=True)


def shrink_pictures(app: Sphinx, exception: Exception | None) -> None:
    """Shrink every PNG of the finished book; the notebooks keep theirs."""
    if exception is None and app.builder.format == "html":
        for file in sorted((Path(app.outdir) / "_images").glob("*.png")):
            shrink_png(file)


# --- page tools -------------------------------------------------------------------------------------------


def wants_colab(pagename: str, metadata: dict[str, Any]) -> bool:
    """Whether a notebook page is offered in Colab: its own ``colab`` metadata, else its name."""
    if "colab" in metadata:
        return str(metadata["colab"]).lower() == "true"
    return PurePosixPath(pagename).name in COLAB_NAMES


def theme_links(buttons: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """All link buttons that the theme made, also those inside its groups."""
    for button in buttons:
        if button["type"] == "group":
            yield from theme_links(button["buttons"])
        elif button["type"] == "link":
            yield button


def add_page_tools(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """Give the templates ``book_colab_url`` and ``book_downloads`` ([{url, name, text}]) of this page."""
    context["book_colab_url"], context["book_downloads"] = None, []
    if context.get("page_source_suffix") != ".ipynb":
        return
    links = list(theme_links(context["header_buttons"]))
    if wants_colab(pagename, app.env.metadata[pagename]):
        context["book_colab_url"] = next((link["url"] for link in links if link["text"] == "Colab"), None)

    def downloadable(name: str, text: str) -> dict[str, str]:
        url = context["pathto"](f"_sources/{name}", 1)
        return {"url": url, "name": PurePosixPath(name).name, "text": text}

    context["book_downloads"].append(downloadable(context["sourcename"], "Notebook"))
    script = Path(app.srcdir) / f"{pagename}.py"
    if script.exists():  # a lesson has its script beside it; exercises have none here, on purpose
        target = Path(app.outdir) / "_sources" / f"{pagename}.py"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(script, target)
        context["book_downloads"].append(downloadable(f"{pagename}.py", "Script"))


# --- names and dead weight --------------------------------------------------------------------------------


def name_summaries(html: str) -> str:
    """Name each unfolding arrow of the contents after the page whose sub-pages it shows.

    >>> name_summaries('<li><a>Tokens</a><details><summary><i></i></summary></details></li>')
    '<li><a>Tokens</a><details><summary aria-label="Pages below Tokens"><i></i></summary></details></li>'
    """
    soup = BeautifulSoup(html, "html.parser")
    for summary in soup.find_all("summary"):
        link = summary.find_parent("li").find("a")
        if link is not None:
            summary["aria-label"] = f"Pages below {link.get_text(strip=True)}"
    return str(soup)


def repair_markup(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """Name the arrows of the contents, and make list items of the entries of a bibliography."""
    generate: Callable[..., Any] | None = context.get("generate_toctree_html")
    if generate is not None:
        context["generate_toctree_html"] = lambda *args, **kwargs: name_summaries(
            str(generate(*args, **kwargs))
        )
    if "body" in context:
        context["body"] = context["body"].replace('role="doc-biblioentry"', 'role="listitem"')


def without_fontawesome_js(html: str) -> str:
    """The head of a page without the tag that loads ``fontawesome.js``.

    >>> without_fontawesome_js('<link href="a.css"/><script defer src="x/fontawesome.js?d=1"></script>')
    '<link href="a.css"/>'
    """
    return re.sub(r"\s*<script\b[^>]*/?fontawesome\.js[^>]*></script>", "", html)


def add_filters(app: Sphinx) -> None:
    """Make ``without_fontawesome_js`` known to the templates."""
    templates = getattr(app.builder, "templates", None)
    if templates is not None:
        templates.environment.filters["without_fontawesome_js"] = without_fontawesome_js


def setup(app: Sphinx) -> dict[str, Any]:
    # Jupyter Book always sets this value of sphinx_comments, which the book leaves out.
    app.add_config_value("comments_config", {}, "html")
    app.connect("config-inited", use_local_mathjax)
    app.connect("builder-inited", add_filters)
    # The theme makes its buttons at 501 and its contents generator at 500: these come after both.
    app.connect("html-page-context", add_page_tools, priority=600)
    app.connect("html-page-context", repair_markup, priority=600)
    app.connect("build-finished", copy_mathjax)
    app.connect("build-finished", shrink_pictures)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
