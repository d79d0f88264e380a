"""What a student's cells have shown, made safe to be looked at: an instructor's browser must not run a student's script."""

from __future__ import annotations

import base64
import binascii
from html import escape
from typing import Any

from nbformat import NotebookNode, from_dict

TAGS = [
    "a", "abbr", "b", "blockquote", "br", "caption", "code", "col", "colgroup", "dd", "details", "div", "dl", "dt", "em",
    "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "li", "ol", "p", "pre", "s", "small", "span", "strong", "sub", "summary", "sup",
    "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul",
]  # fmt: skip
ATTRIBUTES = {"*": ["title", "role", "aria-label", "colspan", "rowspan", "scope"], "a": ["href"]}
MAX_HTML = 20_000
PICTURES = ("image/png", "image/jpeg", "image/gif")
TEXTS = ("text/plain", "text/latex")


def safe_outputs(raw: Any, *, graded: bool = False) -> list[NotebookNode]:
    """Return outputs in nbformat's form from what came out of a box, whatever that is.

    Kept are streams, errors, text, pictures and HTML without scripts, styles and links to other servers. In a
    graded cell the error stream becomes the normal one, for nbgrader takes a warning there for a failure.
    """
    made = []
    for output in raw if isinstance(raw, list) else []:
        kind = output.get("output_type") if isinstance(output, dict) else None
        if kind == "stream":
            name = "stderr" if output.get("name") == "stderr" and not graded else "stdout"
            made.append({"output_type": "stream", "name": name, "text": _text(output.get("text"))})
        elif kind == "error":
            trace = output.get("traceback")
            lines = [_text(line) for line in trace] if isinstance(trace, list) else []
            made.append(
                {
                    "output_type": "error",
                    "ename": _text(output.get("ename"))[:200] or "Error",
                    "evalue": _text(output.get("evalue")),
                    "traceback": lines,
                }
            )
        elif kind in ("display_data", "execute_result"):
            shown = {"output_type": kind, "data": _data(output.get("data")), "metadata": {}}
            if kind == "execute_result":
                shown["execution_count"] = None
            made.append(shown)
    return [from_dict(output) for output in made]


def _data(data: Any) -> dict[str, str]:
    made: dict[str, str] = {}
    for mime, value in data.items() if isinstance(data, dict) else []:
        if mime in TEXTS:
            made[mime] = _text(value)
        elif mime in PICTURES and _is_base64(value):
            made[mime] = value
        elif mime == "text/html":
            made[mime] = clean_html(_text(value))
    if not made:
        made["text/plain"] = "(what is shown here cannot be kept)"
    return made


def clean_html(text: str) -> str:
    """Return HTML without anything that runs, or that calls another server.

    >>> clean_html("<b onclick='x()'>2</b><script>y()</script>")
    '<b>2</b>y()'
    """
    import bleach

    # Cleaning takes time that grows with the square of some texts; a table of results is smaller than this.
    if len(text) > MAX_HTML or text.count("<") > MAX_HTML // 20:
        return f"<pre>{escape(text[:MAX_HTML])}</pre>"
    return bleach.clean(
        text, tags=TAGS, attributes=ATTRIBUTES, protocols=["http", "https", "mailto"], strip=True
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _is_base64(value: Any) -> bool:
    try:
        base64.b64decode(value, validate=False)
    except (TypeError, ValueError, binascii.Error):
        return False
    return isinstance(value, str) and all(c.isalnum() or c in "+/=\n" for c in value)
