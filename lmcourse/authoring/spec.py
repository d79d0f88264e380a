"""How an author says what an exercise accepts: `solutions/NN_name/checks.py` is written with this.

    merge_pair = Exercise("merge_pair", title="Merge one pair", points=2, minutes=5, cases=merge_cases)

    @merge_pair.mistake("After a merge, go on behind it: in 'aaa' the pair (a, a) occurs once.")
    def overlapping(ids, pair, new_id): ...

    @merge_pair.alternative
    def with_slices(ids, pair, new_id): ...

The reference is not here. It is the solution cell of `exercises.py`, so there is one only.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from lmcourse.exercises.compare import Compare, exact


@dataclass(frozen=True)
class Call:
    """Arguments of one case and what it is about, as the student reads it: Call("a run of one letter", ids, pair)."""

    about: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def __init__(self, about: str, *args: Any, **kwargs: Any) -> None:
        object.__setattr__(self, "about", about)
        object.__setattr__(self, "args", args)
        object.__setattr__(self, "kwargs", kwargs)


CaseMaker = Callable[[random.Random], Iterator[Call]]


@dataclass(frozen=True)
class Mistake:
    """A wrong implementation that students write, and what a good teacher would say to it."""

    name: str
    hint: str
    function: Callable[..., Any]


@dataclass
class Exercise:
    """One exercise.

    `cases(rng)` yields edge cases first and then random ones without end; `visible` of them go to the student,
    `hidden` of them are asked in grading, from another seed. `allow` names modules an answer may use beyond the
    usual ones. `refuse` names functions and classes of torch or numpy that would be the answer itself, each as it
    calls itself (its `__name__`); they are looked for as attributes of modules and as imports, so methods of a tensor
    are not seen. `secret` keeps expected values out of the student's copy (predictions). `may_mutate`
    lets an answer change its arguments. For answers that yield: collect="list" runs the iterator through and
    judges the list; collect="stream" also hands the first argument over as an iterator, and judges after how
    many items taken from it each text, number or whatever was yielded. `oracle` gives the expected values in place of
    the reference, where they are known exactly and a right answer only comes near them (a trained model: `law`).
    """

    name: str
    title: str
    points: int
    minutes: int
    cases: CaseMaker
    compare: Compare = field(default_factory=exact)
    visible: int = 12
    hidden: int = 30
    allow: tuple[str, ...] = ()
    refuse: tuple[str, ...] = ()
    secret: bool = False
    collect: str = ""
    may_mutate: bool = False
    oracle: Callable[..., Any] | None = None
    mistakes: list[Mistake] = field(default_factory=list)
    alternatives: list[Callable[..., Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.collect not in ("", "list", "stream"):
            raise ValueError(f"'collect' must be '', 'list' or 'stream', got {self.collect!r}")

    def mistake(self, hint: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Register a wrong implementation with its hint."""

        def register(function: Callable[..., Any]) -> Callable[..., Any]:
            self.mistakes.append(Mistake(function.__name__, hint, function))
            return function

        return register

    def alternative(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Register a right implementation in another style."""
        self.alternatives.append(function)
        return function

    def take(self, seed: int, count: int) -> list[Call]:
        """Return the first `count` cases of `seed`; a generator that ends sooner gives what it has."""
        rng = random.Random(f"{self.name}:{seed}")
        return [call for _, call in zip(range(count), self.cases(rng), strict=False)]


@dataclass(frozen=True)
class Written:
    """A short answer in words, graded by hand; the rubric stands in the source notebook's solution."""

    name: str
    points: int
