"""What students wrote, as HTML that cannot run: Markdown and code from people whom the page must not trust."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from html import escape
from typing import Any

from markupsafe import Markup

CODE_LIMIT = 20_000
WORDS_LIMIT = 20_000
IMAGE_LIMIT = 4_000_000
PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")

TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "hr", "i", "b", "img", "li", "ol", "p", "pre", "s", "strong", "sub",
    "sup", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_PICTURE = re.compile(rf"data:(?:{'|'.join(PICTURES)});base64,[A-Za-z0-9+/=\s]+")
_LINK = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)


def code_html(source: str) -> Markup:
    """Return Python code with its words marked by classes, as Pygments names them (k, s, c, mi, ...)."""
    from pygments import highlight

    shown = highlight(source[:CODE_LIMIT], *_pygments())
    cut = "<span class='c'># ... (the rest is not shown)</span>" if len(source) > CODE_LIMIT else ""
    return Markup(shown + cut)


def words_html(text: str, attachments: dict[str, dict[str, Any]] | None = None) -> Markup:
    """Return Markdown as HTML: no scripts, styles, frames, headings or anything from the network.

    `attachments` are those of the notebook's cell; pictures among them are put into the page.
    """
    from nbconvert.filters.markdown_mistune import MarkdownWithMath

    try:
        made = MarkdownWithMath(renderer=_renderer()(attachments or {})).render(text[:WORDS_LIMIT])
        made = _cleaner().clean(made)
    except Exception:  # what a parser trips over can still be read as it is
        made = f"<pre>{escape(text[:WORDS_LIMIT])}</pre>"
    cut = "<p>(The rest is too long to show.)</p>" if len(text) > WORDS_LIMIT else ""
    return Markup(made + cut)


@cache
def _pygments() -> tuple[Any, Any]:
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    return PythonLexer(stripnl=False), HtmlFormatter(nowrap=True)


@cache
def _renderer() -> Callable[[dict], Any]:
    from mistune import HTMLRenderer
    from nbconvert.filters.markdown_mistune import IPythonRenderer

    class Renderer(IPythonRenderer):
        """Headings become bold lines, so that the page keeps its own; code stays plain."""

        def __init__(self, attachments: dict[str, dict[str, Any]]) -> None:
            super().__init__(escape=False, attachments=attachments)

        def heading(self, text: str, level: int, **attrs: Any) -> str:
            return f"<p><strong>{text}</strong></p>"

        def block_code(self, code: str, info: str | None = None) -> str:
            return f"<pre><code>{escape(code)}</code></pre>"

        def image(self, text: str, url: str, title: str | None = None) -> str:
            if url.startswith("attachment:"):
                url = _attached(self.attachments.get(url.removeprefix("attachment:"), {}))
            return HTMLRenderer.image(self, text, url, title)

    return Renderer


def _attached(kinds: dict[str, Any]) -> str:
    for kind in PICTURES:
        data = kinds.get(kind, "")
        data = "".join(data) if isinstance(data, list) else data
        if data:
            return f"data:{kind};base64,{data}"
    return ""


def _allowed(tag: str, name: str, value: str) -> bool:
    if (tag, name) == ("a", "href"):
        return bool(_LINK.match(value))
    if (tag, name) == ("img", "src"):
        return len(value) <= IMAGE_LIMIT and bool(_PICTURE.fullmatch(value))
    return (tag, name) in {("img", "alt"), ("img", "title"), ("a", "title"), ("ol", "start")}


@cache
def _cleaner() -> Any:
    from bleach.html5lib_shim import Filter
    from bleach.sanitizer import Cleaner

    class Pictures(Filter):
        """A picture that may not be shown becomes words; one that may gets the alternative text it lacks."""

        def __iter__(self) -> Any:
            for token in Filter.__iter__(self):
                if token.get("name") == "img" and token["type"] in ("StartTag", "EmptyTag"):
                    alt = token["data"].get((None, "alt"), "")
                    if (None, "src") not in token["data"]:
                        token = {"type": "Characters", "data": f"[{alt or 'picture'}: not shown here]"}
                    elif not alt:
                        token["data"][None, "alt"] = "a picture in the answer"
                yield token

    return Cleaner(
        tags=TAGS,
        attributes=_allowed,
        protocols={"http", "https", "mailto", "data"},
        strip=True,
        filters=[Pictures],
    )
