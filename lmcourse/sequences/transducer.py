"""A machine that reads one sequence and writes another: the simplest model from sequences to sequences.

Input and output need not have the same length: an arc may write nothing (it waits to see more) or several symbols.
Names of numbers, dates and plurals can be written down like this. Translation cannot; later chapters learn it from
examples.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

EPSILON = "ε"  # written where an arc writes nothing


@dataclass(frozen=True)
class Step:
    """One arc as it was taken: from `state`, having read `read` (ε at the end), it writes `written`."""

    state: str
    read: str
    written: tuple[str, ...]
    next_state: str


@dataclass(frozen=True)
class Transducer:
    """A deterministic finite-state transducer with final outputs ("subsequential"; Mohri 1997, section 2).

    Args:
        start: the state it begins in.
        arcs: (state, symbol read) -> (symbols written, next state): at most one arc for a state and a symbol.
        finals: the states it may end in, with what it writes at the end.

    >>> plural = Transducer("noun", {("noun", "cat"): (["cat", "s"], "end")}, {"end": ["!"]})
    >>> plural.transduce(["cat"])
    ('cat', 's', '!')

    Raises:
        ValueError: an arc leads to a state with no arc out that is no final state either.
    """

    start: str
    arcs: Mapping[tuple[str, str], tuple[Iterable[str], str]]
    finals: Mapping[str, Iterable[str]]

    def __post_init__(self):
        known = {state for state, _ in self.arcs} | set(self.finals)
        for (state, symbol), (_, next_state) in self.arcs.items():
            if next_state not in known:
                raise ValueError(f"'arcs' must lead to a known state, got {state} -{symbol}-> {next_state}")

    def steps(self, symbols: Iterable[str]) -> list[Step]:
        """Return the path through the machine, the end included.

        Raises:
            ValueError: there is no arc for a symbol, or the text ends in a state that is not final.
        """
        state, path = self.start, []
        for place, symbol in enumerate(symbols):
            if (state, symbol) not in self.arcs:
                allowed = sorted(read for at, read in self.arcs if at == state)
                raise ValueError(
                    f"'symbols' must go on with one of {allowed} in state {state!r}, got {symbol!r} at place {place}"
                )
            written, next_state = self.arcs[state, symbol]
            path.append(Step(state, symbol, tuple(written), next_state))
            state = next_state
        if state not in self.finals:
            raise ValueError(f"'symbols' must not end in state {state!r}, which is not final")
        return [*path, Step(state, EPSILON, tuple(self.finals[state]), state)]

    def transduce(self, symbols: Iterable[str]) -> tuple[str, ...]:
        """Return what the machine writes while it reads `symbols`."""
        return tuple(symbol for step in self.steps(symbols) for symbol in step.written)


ONES = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
TEENS = [
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def number_names() -> Transducer:
    """Return the machine that reads the three digits of a number below one thousand and writes its name.

    After a 1 in the middle it writes nothing: ten or seventeen, only the next digit tells.

    >>> " ".join(number_names().transduce("117"))
    'one hundred and seventeen'
    >>> number_names().transduce("000"), number_names().transduce("040")
    (('zero',), ('forty',))
    """
    arcs: dict[tuple[str, str], tuple[list[str], str]] = {("hundreds", "0"): ([], "tens, alone")}
    for digit, name in enumerate(ONES, start=1):
        arcs["hundreds", str(digit)] = ([name, "hundred"], "tens")
    for state, link, nothing in (("tens", ["and"], "ones, and"), ("tens, alone", [], "ones, alone")):
        arcs[state, "0"] = ([], nothing)
        arcs[state, "1"] = (link, "teens")
        for digit, name in enumerate(TENS, start=2):
            arcs[state, str(digit)] = ([*link, name], "ones")
    for state, link, zero in (("ones", [], []), ("ones, and", ["and"], []), ("ones, alone", [], ["zero"])):
        arcs[state, "0"] = (zero, "done")
        for digit, name in enumerate(ONES, start=1):
            arcs[state, str(digit)] = ([*link, name], "done")
    for digit, name in enumerate(TEENS):
        arcs["teens", str(digit)] = ([name], "done")
    return Transducer("hundreds", arcs, {"done": []})
