"""Which names an answer may lean on.

An exercise asks for the student's own code, so importing the answer is refused as soon as it is checked, in
words. This is courtesy, not a wall: it reads what the function refers to and does not try to outwit
someone who hides it.
"""

from __future__ import annotations

import ast
import builtins
import dis
import inspect
import textwrap
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

ALWAYS = [
    "__future__",
    "abc",
    "array",
    "bisect",
    "collections",
    "copy",
    "dataclasses",
    "enum",
    "fractions",
    "functools",
    "heapq",
    "itertools",
    "json",
    "math",
    "numbers",
    "operator",
    "random",
    "re",
    "regex",
    "statistics",
    "string",
    "textwrap",
    "time",
    "typing",
    "unicodedata",
    "numpy",
    "torch",
]
NEVER = {"eval", "exec", "compile", "__import__", "globals", "locals", "vars", "breakpoint", "open"}
LOADS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF", "LOAD_FROM_DICT_OR_GLOBALS")


def refusal(
    function: Callable[..., Any], allow: Sequence[str] = (), refuse: Sequence[str] = ()
) -> str | None:
    """Return why `function` may not be judged, in words, or None where nothing is against it.

    Looked at: the function itself, functions and classes of the same notebook that it uses, imports inside
    and the modules behind the names it uses. `allow` adds modules to those always allowed, and `refuse` names
    what of an allowed module is the answer itself, whatever the notebook calls it.
    """
    allowed = {*ALWAYS, *allow}
    home = getattr(function, "__module__", None)
    name = getattr(function, "__name__", "this function")
    if not isinstance(function, types.FunctionType) and not isinstance(function, type):
        return f"{name} is a {type(function).__name__}: write it yourself, with def or class."
    if not is_allowed(home, allowed, own=home) or _package(home) in ("lmcourse", "torch", "numpy"):
        return f"{name} comes from {home}: here you write it yourself."
    seen: set[int] = set()
    for used, value in _reachable(function, home, seen):
        if isinstance(value, _Import):
            if not is_allowed(value.module, allowed, own=home):
                return f"{used} imports {value.module}: this exercise is answered with your own code."
            continue
        if isinstance(value, _Use):
            if value.name in refuse:
                return said_of_use(used, value.name)
            continue
        if used in NEVER and value is getattr(builtins, used, None):
            return f"{used}() is not used in answers: an exercise is judged by what your own code computes."
        module = _module_of(value)
        if isinstance(module, str) and not is_allowed(module, allowed, own=home):
            return f"{used} comes from {module}: this exercise is answered with your own code."
    return None


@dataclass(frozen=True)
class _Import:
    """An import inside a function."""

    module: str


@dataclass(frozen=True)
class _Use:
    """A name that is not the student's own: of an attribute, of an import, or what an object is called at home."""

    name: str


def said_of_use(user: str, name: str) -> str:
    return f"{user} uses {name}: this exercise is answered with your own code."


def _module_of(value: Any) -> Any:
    return value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", None)


def _package(module: str | None) -> str:
    return (module or "").split(".")[0]


def is_allowed(module: str | None, allowed: set[str], own: str | None) -> bool:
    if module is None or module == own or module == "builtins":
        return True
    parts = module.split(".")
    if any(".".join(parts[: i + 1]) in allowed for i in range(len(parts))):
        return True
    # C modules behind the standard library: _collections, _heapq, _regex and the like.
    return parts[0].startswith("_") and parts[0].lstrip("_") in allowed


def _reachable(function: Any, home: str | None, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """Yield (name, object) for what the code refers to, and (who, _Import) and (who, _Use) for what it takes."""
    if id(function) in seen:
        return
    seen.add(id(function))
    if isinstance(function, type):
        for member in vars(function).values():
            inner = getattr(member, "__func__", member)
            if isinstance(inner, types.FunctionType):
                yield from _reachable(inner, home, seen)
        for base in function.__mro__[1:]:
            yield base.__name__, base
            yield from _use_of(function, base, home)
        return
    yield from _imports(function)
    scope = {**vars(builtins), **function.__globals__}
    scope |= {
        k: c.cell_contents
        for k, c in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        if _filled(c)
    }
    for used in sorted(names_in(function.__code__)):
        value = scope.get(used)
        if value is None:
            continue
        yield used, value
        yield from _use_of(function, value, home)
        if isinstance(value, (types.FunctionType, type)) and value.__module__ == home:
            yield from _reachable(value, home, seen)
    for root, name in uses_in(function.__code__):
        # What is read off the student's own things is the student's own, whatever it is called.
        if root is None or (root in scope and _module_of(scope[root]) != home):
            yield function.__name__, _Use(name)


def _use_of(user: Any, value: Any, home: str | None) -> Iterator[tuple[str, _Use]]:
    """Yield what `value`, or the class that it is made of, is called where it comes from."""
    if _module_of(value) in (home, "builtins"):
        return
    name = getattr(value, "__name__", type(value).__name__)
    if isinstance(name, str):
        yield user.__name__, _Use(name)


def _filled(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


def names_in(code: types.CodeType) -> set[str]:
    """Return global names that are looked up, without attributes: `re.compile` is not the builtin `compile`."""
    names = {i.argval for i in dis.get_instructions(code) if i.opname in LOADS}
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= names_in(constant)
    # What inner functions take from this one is its own variable, whatever it is called.
    return names - set(code.co_cellvars)


def uses_in(code: types.CodeType, imported: frozenset[str] = frozenset()) -> Iterator[tuple[str | None, str]]:
    """Yield (name, attribute) for what is read off global names, and (None, what) for what is imported inside.

    `imported` are the names that an enclosing function has imported.

    >>> sorted(uses_in((lambda: torch.nn.GRU).__code__))
    [('torch', 'GRU'), ('torch', 'nn')]
    """
    here, importing = imported & set(code.co_freevars), False
    chain: list[str | None] = []  # what the next attribute is read off: a name, or None for what is imported
    for instruction in dis.get_instructions(code):
        op, first, last = instruction.opname, instruction.argval, instruction.argval
        if op in ("EXTENDED_ARG", "CACHE"):
            continue
        if "_FAST_" in op and isinstance(last, tuple):  # two in one, from Python 3.13 on
            first, last = last
        if op in ("LOAD_ATTR", "LOAD_METHOD"):
            yield from ((root, last) for root in chain)
            continue
        if op == "IMPORT_FROM":
            yield None, last
        if importing and op.startswith("STORE_"):
            here |= {first}
        importing = op in ("IMPORT_NAME", "IMPORT_FROM") or (importing and op in ("SWAP", "POP_TOP"))
        chain = []
        if (op in LOADS or "LOAD_FAST" in op) and last in here:
            chain = [None]
        elif op in LOADS and last not in code.co_cellvars:
            chain = [last]
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            # What inner functions take from this one is its own variable, whatever it is called.
            inner = uses_in(constant, here)
            yield from ((root, name) for root, name in inner if root not in code.co_cellvars)


def _imports(function: types.FunctionType) -> Iterator[tuple[str, _Import]]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((function.__name__, _Import(alias.name)) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield function.__name__, _Import(node.module or ".")
