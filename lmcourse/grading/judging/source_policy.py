"""The rule on whose code an answer may use, read from the notebook's text, where no running program can lie about it.

It follows the same names as `lmcourse.exercises.policy` does in the student's notebook, and is never stricter. Both
must be content. Neither outwits somebody who hides what is used: see what the report lists to look at.
"""

from __future__ import annotations

import ast
import dis
import types
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from lmcourse.exercises.policy import ALWAYS, NEVER, is_allowed, names_in

MAX_CHARACTERS = 200_000


@dataclass
class Names:
    """What the cells of a notebook define and import at their top level; what comes later counts."""

    functions: dict[str, types.CodeType] = field(default_factory=dict)
    modules: dict[str, str] = field(default_factory=dict)
    assigned: dict[str, set[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, cells: Iterable[str]) -> Names:
        from IPython.core.inputtransformer2 import TransformerManager

        names, transform = cls(), TransformerManager().transform_cell
        for source in cells:
            if len(source) > MAX_CHARACTERS:
                continue
            if source.lstrip().startswith("%%"):  # a cell magic: what it is given is below its line
                source = source.lstrip().partition("\n")[2]
            try:
                with warnings.catch_warnings(action="ignore"):
                    tree = ast.parse(transform(source))
                    code = compile(
                        tree, "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True
                    )
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue  # such a cell defines nothing when it is run, either
            names._add(tree, code)
        return names

    def _add(self, tree: ast.Module, code: types.CodeType) -> None:
        for name, module in _imports(tree.body):
            self.modules[name] = module
            self.functions.pop(name, None)
        for node in tree.body:
            if isinstance(node, ast.Assign):
                used = {n.id for n in ast.walk(node.value) if isinstance(n, ast.Name)}
                self.assigned |= {target.id: used for target in node.targets if isinstance(target, ast.Name)}
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                self.functions[constant.co_name] = constant
                self.modules.pop(constant.co_name, None)


def source_refusal(names: Names, name: str, allow: Sequence[str]) -> str | None:
    """Return why the answer `name` may not be judged, in words, or None.

    >>> source_refusal(Names.of(["import tiktoken", "def f(x): return tiktoken.encode(x)"]), "f", [])
    'tiktoken comes from tiktoken: this exercise is answered with your own code.'
    """
    allowed, seen, waiting = {*ALWAYS, *allow}, set(), [name]
    if name not in names.functions:  # name = something.else
        waiting += sorted(names.assigned.get(name, ()))
    while waiting:
        current = waiting.pop()
        code = names.functions.get(current)
        if current in seen:
            continue
        seen.add(current)
        if code is None:
            module = names.modules.get(current)
            if module and not is_allowed(module, allowed, own=None):
                return f"{current} comes from {module}: this exercise is answered with your own code."
            if current in NEVER and module is None:
                return f"{current}() is not used in answers: an exercise is judged by what your own code computes."
            continue
        for module in _imported_inside(code):
            if not is_allowed(module, allowed, own=None):
                return f"{current} imports {module}: this exercise is answered with your own code."
        waiting += sorted(names_in(code))
    return None


def _imports(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    """Yield (name, module) for what is imported at the top level, also under `if`, `try` and `with`."""
    for statement in body:
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                yield (
                    (alias.asname or alias.name.split(".")[0]),
                    (alias.name if alias.asname else alias.name.split(".")[0]),
                )
        elif isinstance(statement, ast.ImportFrom):
            yield from ((alias.asname or alias.name, statement.module or ".") for alias in statement.names)
        else:
            for inner in ("body", "orelse", "finalbody"):
                if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                    part = getattr(statement, inner, [])
                    yield from _imports(part if isinstance(part, list) else [])


def _imported_inside(code: types.CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname == "IMPORT_NAME":
            yield instruction.argval or "."
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _imported_inside(constant)
