"""Answers as students would type them: the chapter's other right answers and known mistakes, each as a cell's text.

A function of `solutions/NN_name/checks.py` is taken out as source, with the helpers and imports that it uses,
and gets the exercise's name and the header that the student was given.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path

from lmcourse.authoring.chapter import Chapter
from lmcourse.exercises.compare import Compare, fingerprint, same_fingerprint
from lmcourse.exercises.records import ChapterRecord
from lmcourse.grading.intake.template import Template

TODO = re.compile(r"^ *(?:# YOUR CODE HERE\n *)?raise NotImplementedError.*\n?", re.MULTILINE)
MARKERS = re.compile(r" *### (?:BEGIN|END) SOLUTION\n?")


@dataclass
class Answers:
    """The answers to one exercise, as texts of a cell. `wrong` is by the index of the known mistake."""

    name: str
    points: int
    stub: str
    right: list[str]
    wrong: dict[int, str] = field(default_factory=dict)


def answers_of(
    chapter: Chapter, visible: ChapterRecord, course: Path, template: Template
) -> dict[str, Answers]:
    """Return the answers to each exercise of `chapter`, by its name; the first right one is the solution.

    Left out are mistakes that do not come back on some case (a class for practice would only wait for them), and
    those whose source cannot stand alone.
    """
    folder = course / "solutions" / chapter.name
    checks = Definitions((folder / "checks.py").read_text(encoding="utf-8"))
    solution = _solutions(folder / "exercises.ipynb")
    made = {}
    for e in chapter.exercises:
        stub = next(slot.node.source for slot in template.slots if slot.defines == e.name)
        texts = [checks.answer(f.__name__, e.name, stub) for f in e.alternatives]
        answers = Answers(e.name, e.points, stub, [solution[e.name], *filter(None, texts)])
        for k, mistake in enumerate(e.mistakes):
            text = checks.answer(mistake.name, e.name, stub)
            if text and not _is_endless(visible, e.name, k):
                answers.wrong[k] = text
        made[e.name] = answers
    return made


def _solutions(notebook: Path) -> dict[str, str]:
    import nbformat

    found = {}
    for cell in nbformat.read(notebook, as_version=4).cells:
        if "exercise" in cell.metadata:
            found[cell.metadata["exercise"]] = MARKERS.sub("", cell.source).rstrip()
    return found


def _is_endless(visible: ChapterRecord, name: str, mistake: int) -> bool:
    endless = fingerprint(("raised", "TookTooLong"), Compare())
    return any(same_fingerprint(c.mistake_marks[mistake], endless) for c in visible.find(name).cases)


class Definitions:
    """What a module defines at its top level, by name, as source."""

    def __init__(self, source: str) -> None:
        self._lines = source.splitlines()
        self._nodes: dict[str, ast.stmt] = {}
        for node in ast.parse(source).body:
            for name in _bound(node):
                self._nodes[name] = node

    def answer(self, name: str, exercise: str, stub: str) -> str | None:
        """Return the function `name` with all that it needs, under the name `exercise`; None where that cannot be.

        >>> source = "def half(x):\\n    return x / 2\\ndef wrong(x):\\n    return half(x)"
        >>> print(Definitions(source).answer("wrong", "f", "def f(x):\\n    raise NotImplementedError"))
        def half(x):
            return x / 2
        <BLANKLINE>
        <BLANKLINE>
        def f(x):
            return half(x)
        """
        main = self._nodes.get(name)
        needed = self._needed(name)
        if not isinstance(main, (ast.FunctionDef, ast.ClassDef)) or needed is None:
            return None
        helpers = sorted(needed - {main}, key=lambda node: node.lineno)
        imports = [self._text(node) for node in helpers if isinstance(node, (ast.Import, ast.ImportFrom))]
        others = [self._text(node) for node in helpers if not isinstance(node, (ast.Import, ast.ImportFrom))]
        parts = ["\n".join(imports)] * bool(imports) + others + [self._under_header(main, stub)]
        return re.sub(rf"\b{name}\b", exercise, "\n\n\n".join(parts))

    def _needed(self, name: str) -> set[ast.stmt] | None:
        found: set[ast.stmt] = set()
        open_names = [name]
        while open_names:
            node = self._nodes.get(open_names.pop())
            if node in found:
                continue
            # An exercise, and whatever else leans on the course, is the judge's: no student has it.
            if node is None or not _can_stand_alone(node):
                return None
            found.add(node)
            used = {
                n.id for part in _without_decorators(node) for n in ast.walk(part) if isinstance(n, ast.Name)
            }
            open_names += sorted(used & set(self._nodes))
        return found

    def _text(self, node: ast.stmt) -> str:
        return "\n".join(self._lines[_first_line(node) - 1 : node.end_lineno])

    def _under_header(self, node: ast.FunctionDef | ast.ClassDef, stub: str) -> str:
        """Return the function under the header and docstring of the stub, where both take the same arguments."""
        header, rest = TODO.split(stub, 1) if len(TODO.findall(stub)) == 1 else ("", "?")
        given = ast.parse(stub).body[-1]
        if isinstance(node, ast.ClassDef) or not isinstance(given, ast.FunctionDef) or rest.strip():
            return self._text(node)
        if [a.arg for a in ast.walk(node.args) if isinstance(a, ast.arg)] != [
            a.arg for a in ast.walk(given.args) if isinstance(a, ast.arg)
        ]:
            return self._text(node)
        own = [part for part in node.body if not _is_docstring(part)]
        body = self._lines[node.body[0].end_lineno : node.end_lineno] if len(own) < len(node.body) else None
        body = body or self._lines[_first_line(own[0]) - 1 : node.end_lineno]
        return "\n".join([header.rstrip(), *body])


def _bound(node: ast.stmt) -> list[str]:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [(alias.asname or alias.name).split(".")[0] for alias in node.names]
    # A loop's names count, too: what leans on them cannot stand alone.
    return [n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]


def _can_stand_alone(node: ast.stmt) -> bool:
    if isinstance(node, ast.ImportFrom):
        return not (node.module or "").startswith("lmcourse")
    if isinstance(node, ast.Import):
        return not any(alias.name.startswith("lmcourse") for alias in node.names)
    return isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign))


def _without_decorators(node: ast.stmt) -> list[ast.AST]:
    if not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node]
    # `@exercise.mistake(...)` is the author's; `@lru_cache` is the function's own.
    return [n for n in ast.iter_child_nodes(node) if n not in node.decorator_list or not _registers(n)]


def _registers(decorator: ast.AST) -> bool:
    call = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(call, ast.Attribute) and call.attr in ("mistake", "alternative")


def _first_line(node: ast.stmt) -> int:
    own = [d.lineno for d in getattr(node, "decorator_list", []) if not _registers(d)]
    return min([*own, node.lineno])


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def restyled(text: str, names: dict[str, str]) -> str:
    """Return the same program as somebody else would type it: no comments, and local variables renamed by `names`.

    >>> restyled("def f(ids):\\n    out = []  # none yet\\n    return out", {"out": "result"})
    'def f(ids):\\n    result = []\\n    return result'
    """
    tree = ast.parse(text)
    for function in [node for node in tree.body if isinstance(node, ast.FunctionDef)]:
        _rename(function, names)
    return ast.unparse(tree)


def _rename(function: ast.FunctionDef, names: dict[str, str]) -> None:
    nodes = list(ast.walk(function))
    stored = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    taken = {n.id for n in nodes if isinstance(n, ast.Name)} | {
        n.arg for n in nodes if isinstance(n, ast.arg)
    }
    # Names that stand as plain text somewhere (arguments, `nonlocal`) stay as they are.
    fixed = {n.arg for n in nodes if isinstance(n, ast.arg)}
    fixed |= {name for n in nodes if isinstance(n, (ast.Nonlocal, ast.Global)) for name in n.names}
    fixed |= {n.name for n in nodes if isinstance(n, ast.FunctionDef)}
    new = {o: n for o, n in names.items() if o in stored - fixed and n not in taken}
    for node in nodes:
        if isinstance(node, ast.Name):
            node.id = new.get(node.id, node.id)
