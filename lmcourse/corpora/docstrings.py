"""Docstrings of Python's standard library: megabytes of technical English on every machine, without a network."""

from __future__ import annotations

import ast
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path

_SKIPPED = {"site-packages", "dist-packages", "test", "tests", "idlelib", "lib2to3", "__pycache__"}


def stdlib_docstrings(max_bytes: int | None = None) -> Iterator[str]:
    """Yield the docstrings of the standard library's modules, classes and functions, file by file in sorted order.

    They are read, not imported, so nothing runs. The text differs a little between Python versions: use it for
    size and speed, not for numbers that must repeat. With `max_bytes` the stream ends before that many UTF-8 bytes.

    >>> text = next(stdlib_docstrings())
    >>> isinstance(text, str)
    True
    """
    if max_bytes is not None and max_bytes < 1:
        raise ValueError(f"'max_bytes' must be positive or None, got {max_bytes}")
    total = 0
    root = Path(sysconfig.get_path("stdlib"))
    for path in sorted(root.rglob("*.py")):
        if _SKIPPED & set(path.relative_to(root).parts):
            continue
        for text in _docstrings(path):
            total += len(text.encode("utf-8", errors="replace"))
            if max_bytes is not None and total > max_bytes:
                return
            yield text


def _docstrings(path: Path) -> Iterator[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old escapes in the library's own files
            tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError, OSError):
        return
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            text = ast.get_docstring(node)
            if text:
                yield text + "\n"
