"""One ES module, two hosts: a page without a kernel, and a live notebook.

A module has the form of anywidget, `export default { render({ model, el }) { ... } }`, and reads its numbers
with `model.get("key")`. `Figure` writes it into a piece of HTML that needs nothing else: no kernel, no
network, no library. `Figure.live` hands the same module to anywidget, where Python can hear and answer.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

__all__ = ["Figure"]

_HERE = Path(__file__).parent

# What a module may not hold, and what it would do.
_FORBIDDEN = [
    (r"</?script|<!--", "would end the page's script element early; build the text from two pieces"),
    (r"^\s*import\b|\bimport\s*[({.]", "finds nothing inside a page; join files: Figure([a, b], ...)"),
    (r"^export(?! default\b)", "means nothing here; a module exports one object, `export default {...}`"),
    (r"\b(inner|outer|insertAdjacent)HTML\b|\bdocument\.write", "makes a token `<b>` vanish; use lm.h()"),
    (r"\beval\s*\(|\bnew\s+Function\b", "is refused by careful hosts"),
]


class Figure:
    """An interactive figure that is shown as still, self-contained HTML and can come alive with a kernel.

    Args:
        module: an ES module, `export default { render({ model, el }) {...} }`: its source, a `.js` path, or
            several of them, joined in order (only the last one exports).
        data: what the module reads with `model.get(key)`; anything JSON can carry.
        state: start values of what the reader can change; in a live figure Python sees the changes.
        title, caption, alt: what it is; what to look at; what it shows, for those who do not see it.
        fallback: shown on paper and where scripts do not run: a text, or the rows of a table, header first.
        css: styles of this figure alone, source or path; the shared ones come with every figure.

    Raises:
        ValueError: a text is empty, two names collide, or the module breaks one of the rules it lives by.
        TypeError: `data` or `state` hold something JSON cannot carry.

    >>> module = "export default { render({ model, el }) { el.append(lm.h('p', {}, model.get('word'))); } };"
    >>> texts = dict(title="A word", caption="One word.", alt="A tag.", fallback="<b>")
    >>> figure = Figure(module, {"word": "<b>"}, **texts)
    >>> figure
    Figure('A word')
    >>> figure.html() == Figure(module, {"word": "<b>"}, **texts).html()
    True
    """

    def __init__(
        self,
        module: str | Path | Sequence[str | Path],
        data: Mapping[str, Any],
        *,
        title: str,
        caption: str,
        alt: str,
        fallback: str | Sequence[Sequence[object]],
        state: Mapping[str, Any] | None = None,
        css: str | Path = "",
    ):
        for name, text in (("title", title), ("caption", caption), ("alt", alt)):
            if not isinstance(text, str) or not text.strip():
                raise ValueError(f"{name!r} must be a text that says something, got {text!r}")
        if not fallback:
            raise ValueError(f"'fallback' must be a text or the rows of a table, got {fallback!r}")
        both = set(data) & set(state or {})
        if both:
            raise ValueError(f"'state' must not repeat names of 'data', got {sorted(both)} in both")
        self.title, self.caption, self.alt, self.fallback = title, caption, alt, fallback
        self._module = _join_module(module)
        self._css = _source(_HERE / "style.css") + _source(css)
        if "</style" in self._css.lower():
            raise ValueError("'css' must not contain '</style': it would end the page's style element early")
        self._json = _to_json({**data, **(state or {})})
        everything = [self._module, self._css, self._json, title, caption, alt, str(fallback)]
        self.id = "lm-" + hashlib.sha256("\x00".join(everything).encode()).hexdigest()[:12]

    def html(self) -> str:
        """The whole figure as HTML. Equal inputs give equal bytes, so committed notebooks do not churn."""
        script = self._as_constant()
        return (
            f"<style>\n{self._css}</style>\n"
            f'<figure class="lm-figure" id="{self.id}" data-lm-figure="{self.id}"'
            f' aria-label="{escape(self.title)}">\n'
            f'<p class="lm-title">{escape(self.title)}</p>\n'
            f'<div class="lm-body"></div>\n<p class="lm-alt">{escape(self.alt)}</p>\n'
            f'<div class="lm-fallback">{_fallback_html(self.fallback)}</div>\n'
            f'<figcaption class="lm-caption">{escape(self.caption)}</figcaption>\n'
            f'<script type="application/json" class="lm-data">{self._json}</script>\n'
            f'<script>\n(() => {{\n"use strict";\n{script}\n{_source(_HERE / "static_host.js")}'
            f'lmStaticHost(lmModule, "{self.id}");\n}})();\n</script>\n</figure>'
        )

    def live(self):
        """An anywidget widget of the same module; each name in `data` and `state` is a synchronized trait.

        Python reads what the reader does (`widget.observe(f, "sentence")`) and answers by assignment
        (`widget.answer = ...`). A saved live figure is blank without its kernel: commit `Figure`.
        """
        import anywidget  # here, because a page needs no widgets and loading them takes a moment
        import traitlets

        values = json.loads(self._json)
        values["figure_texts"] = {"title": self.title, "caption": self.caption, "alt": self.alt}
        taken = [name for name in values if hasattr(anywidget.AnyWidget, name)]
        if taken:
            raise ValueError(f"'data' and 'state' must not use names that widgets have already, got {taken}")
        traits = {name: traitlets.Any(value).tag(sync=True) for name, value in values.items()}
        module = self._as_constant() + "\n" + _source(_HERE / "live_host.js")
        body = {"_esm": module, "_css": self._css, **traits}
        # anywidget keeps one style sheet per class name, so each figure gets a class of its own.
        return type("Live_" + self.id.replace("-", "_"), (anywidget.AnyWidget,), body)()

    def _as_constant(self) -> str:
        return re.sub(r"^export default\b", "const lmModule =", self._module, count=1, flags=re.MULTILINE)

    def __repr__(self) -> str:
        return f"Figure({self.title!r})"

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self.html()}


def _source(source: str | Path) -> str:
    return source.read_text(encoding="utf-8") if isinstance(source, Path) else source


def _join_module(module: str | Path | Sequence[str | Path]) -> str:
    """Helpers and module in one source, after a check of the rules that a static page imposes."""
    parts = [module] if isinstance(module, str | Path) else list(module)
    for left, part in zip(range(len(parts) - 1, -1, -1), parts, strict=True):
        name, source = (part.name if isinstance(part, Path) else "module"), _source(part)
        for pattern, why in _FORBIDDEN:
            found = re.search(pattern, source, re.MULTILINE | re.IGNORECASE)
            if found:
                what, line = found.group().strip(), source.count("\n", 0, found.start()) + 1
                raise ValueError(f"{name!r} must not contain {what!r} (line {line}): it {why}")
        exports = len(re.findall(r"^export default\b", source, re.MULTILINE))
        if exports != (left == 0):
            expected = "no line" if left else "exactly one line"
            raise ValueError(f"{name!r} must have {expected} that begins 'export default', got {exports}")
    return "\n".join([_source(_HERE / "helpers.js"), *map(_source, parts)])


def _to_json(values: Mapping[str, Any]) -> str:
    """JSON that is safe inside a script element and inside any encoding of surrogates.

    >>> print(_to_json({"token": "</script>"}))
    {"token":"\\u003c/script>"}
    """
    for name in values:
        if not isinstance(name, str) or not name.isidentifier() or name.startswith("_"):
            raise ValueError(f"names in 'data' and 'state' must be plain identifiers, got {name!r}")
    try:
        text = json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise TypeError(f"'data' and 'state' must hold what JSON can carry: {error}") from None
    return re.sub("[<\u2028\u2029\x7f\ud800-\udfff]", lambda found: f"\\u{ord(found.group()):04x}", text)


def _fallback_html(fallback: str | Sequence[Sequence[object]]) -> str:
    if isinstance(fallback, str):
        return f'<p class="lm-note">{escape(fallback)}</p>'
    head, *rows = ([escape(str(cell)) for cell in row] for row in fallback)
    header = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "\n".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table>\n<thead><tr>{header}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
