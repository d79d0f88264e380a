"""The Osier Bay Papers: English prose written for this course, about an island, its harbour and its people.

Short tales, letters, diaries, a newspaper, recipes, reports, essays, plays, accounts, exams, some code, and
a few passages in other scripts. Licence: CC BY 4.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources

_FOLDER = resources.files("lmcourse.corpora") / "data" / "osier_bay"


def osier_bay_names() -> list[str]:
    """Return the names of the documents, sorted.

    >>> "recipes" in osier_bay_names()
    True
    """
    names = (f.name for f in _FOLDER.iterdir() if f.name.endswith(".txt"))
    return sorted(name.removesuffix(".txt") for name in names if name != "LICENSE.txt")


def osier_bay(names: Sequence[str] | None = None) -> list[str]:
    """Return the documents in `names` (default: all of them), one string each.

    Raises:
        KeyError: a name that the collection does not have.

    >>> osier_bay(["recipes"])[0].splitlines()[0]
    'What We Eat on Tern: Recipes Collected for the Net Loft Roof'
    """
    known = osier_bay_names()
    chosen = known if names is None else [names] if isinstance(names, str) else list(names)
    for name in chosen:
        if name not in known:
            raise KeyError(f"'names' must be among {', '.join(known)}, got {name!r}")
    return [(_FOLDER / f"{name}.txt").read_text(encoding="utf-8") for name in chosen]
