"""Which answers look alike, for a person to look at: fingerprints of what is rare in the class.

An answer becomes a stream of tokens without names, comments, docstrings, type hints and layout. Of its runs of `RUN`
tokens some are chosen as fingerprints by winnowing, so that any common stretch of `RUN + WINDOW - 1` tokens is found
(Schleimer, Wilkerson and Aiken 2003, "Winnowing: local algorithms for document fingerprinting", section 3).
Short answers are alike by nature. So a fingerprint counts by its rarity: fully if two share it, not at all if many
do or if the assignment's own code has it. Two people are named only for much of what is rare, over all exercises.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from itertools import combinations

from lmcourse.grading.reporting.syntax import LONGEST, normal_form

RUN, WINDOW = 7, 4
FEWEST = 10  # answers without which nobody can say what is rare
ALIKE = 0.5  # share of common fingerprints from which two answers count
ENOUGH = 50.0  # weighed fingerprints from which two people are named: about 125 rare tokens
TOKENS = re.compile(r"'(?:[^'\\\n]|\\.)*+'|\"(?:[^\"\\\n]|\\.)*+\"|\w+|[^\w\s]")
NAME = re.compile(r"_\d+_")


@dataclass(frozen=True)
class Alike:
    """Answers of several students to one exercise. Of `of` fingerprints they share `shared`; `rare` nobody else has."""

    exercise: str
    students: tuple[str, ...]
    shared: int
    of: int
    rare: int
    kind: str
    weight: float


@dataclass(frozen=True)
class Group:
    """Students whose answers look alike, the most telling exercise first."""

    students: list[str]
    alike: list[Alike]

    @property
    def weight(self) -> float:
        return sum(alike.weight for alike in self.alike)


@lru_cache(maxsize=4096)
def fingerprints(code: str) -> frozenset[bytes]:
    """Return the winnowed fingerprints of `code`: the same for the same code with other names and comments.

    >>> fingerprints("def f(a, b):\\n    return [x + b for x in a]") == fingerprints("def f(p,q): return [y+q for y in p]  # mine")
    True
    """
    tokens = [NAME.sub("_", token) for token in TOKENS.findall(normal_form(code))]
    runs = [tokens[i : i + RUN] for i in range(max(len(tokens) - RUN + 1, 1))]
    marks = [blake2b("\0".join(run).encode("utf-8", "replace"), digest_size=8).digest() for run in runs]
    windows = (marks[i : i + WINDOW] for i in range(max(len(marks) - WINDOW + 1, 1)))
    return frozenset(min(window) for window in windows)


def alike(
    answers: Mapping[str, Mapping[str, str]], given: Mapping[str, Iterable[str]] | None = None
) -> list[Group]:
    """Return groups of students to look at, the most telling first.

    `answers` has each exercise's code by student; `given` the code that everyone may have seen, by exercise, with
    "" for what belongs to all of them.
    """
    given = given or {}
    everywhere = {mark for code in given.get("", ()) for mark in fingerprints(code)}
    pairs: dict[tuple[str, str], list[Alike]] = {}
    for exercise, codes in answers.items():
        codes = {student: code[:LONGEST] for student, code in codes.items()}
        known = everywhere | {mark for code in given.get(exercise, ()) for mark in fingerprints(code)}
        for found in _alike_in(exercise, codes, known):
            pairs.setdefault(found.students, []).append(found)
    strong = {pair: found for pair, found in pairs.items() if sum(a.weight for a in found) >= ENOUGH}
    return sorted((_group(members, strong, answers) for members in _components(strong)), key=_order)


def _order(group: Group) -> tuple[float, list[str]]:
    return -group.weight, group.students


def _alike_in(exercise: str, codes: Mapping[str, str], known: set[bytes]) -> list[Alike]:
    """Return the pairs that share rare fingerprints in one exercise, and enough of all."""
    marks = {student: fingerprints(code) - known for student, code in sorted(codes.items()) if code.strip()}
    if len(marks) < FEWEST:
        return []
    holders: dict[bytes, list[str]] = {}
    for student, own in marks.items():
        for mark in own:
            holders.setdefault(mark, []).append(student)
    common = max(6.0, 0.05 * len(marks))  # held by so many, a fingerprint weighs nothing
    weights: dict[tuple[str, str], float] = {}
    for students in holders.values():
        if 2 <= len(students) < common:
            weight = math.log(common / len(students)) / math.log(common / 2)
            for pair in combinations(students, 2):
                weights[pair] = weights.get(pair, 0.0) + weight
    found = []
    for (a, b), weight in sorted(weights.items()):
        shared, both = marks[a] & marks[b], marks[a] | marks[b]
        if len(shared) >= ALIKE * len(both):
            rare = sum(len(holders[mark]) == 2 for mark in shared)
            kind = how_alike(codes[a], codes[b])
            found.append(Alike(exercise, (a, b), len(shared), len(both), rare, kind, weight))
    return found


def how_alike(a: str, b: str) -> str:
    """Say in words how much two answers have in common."""
    if a.split() == b.split():
        return "the same, comments and names included"
    if normal_form(a) == normal_form(b):
        return "the same but for names, comments, type hints or layout"
    return "alike in large parts"


def _components(pairs: Iterable[tuple[str, str]]) -> list[set[str]]:
    """Return the sets of students that the pairs tie together."""
    groups: list[set[str]] = []
    for pair in pairs:
        touched = [group for group in groups if group & set(pair)]
        groups = [group for group in groups if group not in touched] + [set(pair).union(*touched)]
    return groups


def _group(
    members: set[str],
    pairs: Mapping[tuple[str, str], list[Alike]],
    answers: Mapping[str, Mapping[str, str]],
) -> Group:
    """Return the group with its evidence, an entry for each exercise and each set of students tied together in it."""
    by_exercise: dict[str, list[Alike]] = {}
    for pair, found in pairs.items():
        if set(pair) <= members:
            for entry in found:
                by_exercise.setdefault(entry.exercise, []).append(entry)
    joined = []
    for exercise, found in by_exercise.items():
        for tied in _components(entry.students for entry in found):
            own = [entry for entry in found if set(entry.students) <= tied]
            best = max(own, key=lambda entry: (entry.weight, entry.students))
            kinds = {entry.kind for entry in own}
            kind = best.kind if len(kinds) == 1 else "alike in large parts"
            joined.append(
                Alike(exercise, tuple(sorted(tied)), best.shared, best.of, best.rare, kind, best.weight)
            )
    return Group(sorted(members), sorted(joined, key=lambda entry: (-entry.weight, entry.exercise)))
