"""A synchronous grammar: each rule has two sides, so that one derivation writes a sentence and its translation.

A rule is written like this:

    2 PP : P NP => 2 1            after its weight and its symbol, the source side; then the target side, where a
                                  number is what that part of the source side becomes: here P and NP change places
    NP : two N => 2 TWO/1         a word of the target, linked to part 1 (the word "two")
    N : tower guard => GUARD/1,2  two words that become one

A name that has rules of its own is a symbol; all others are words. In `NP.n : DET N.n => 2` the letter n is a
variable: the rule stands for one rule for each of its values.

Sentences can be drawn with a given number of source words, exactly. Let W(A, n) be the summed weight of everything
with n words that A can become: a rule and a way to share n words among its parts is drawn in proportion to its weight
times the W of its parts.

Sources: Lewis and Stearns, "Syntax-directed transduction" (Journal of the ACM 15, 1968); for strings of a given length,
Hickey and Cohen, "Uniform random generation of strings in a context-free language" (SIAM Journal on Computing 12, 1983).
"""

import itertools
import math
from bisect import bisect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

Target = tuple[int | tuple[str, tuple[int, ...]], ...]  # parts of the source side, and words with their links


class Rule(NamedTuple):
    """`symbol` becomes `source` on the one side and `target` on the other; parts are counted from 0."""

    symbol: str
    source: tuple[str, ...]
    target: Target
    weight: float


class Way(NamedTuple):
    """A rule, the number of source words that each of its parts has, and the weight of all that."""

    rule: Rule
    lengths: tuple[int, ...]
    weight: float


class Derived(NamedTuple):
    """A sentence, its translation, and for each word of the translation the source words it stands for."""

    source: list[str]
    target: list[tuple[str, tuple[int, ...]]]


class SynchronousGrammar:
    """Rules with weights, which are made to sum to 1 for each symbol.

    >>> grammar = SynchronousGrammar("S : the N runs => 2 RUN/3\\n3 N : dog => DOG/1\\nN : cat => CAT/1")
    >>> grammar.derive(3, start="S", draw=lambda: 0.5)
    Derived(source=['the', 'dog', 'runs'], target=[('DOG', (1,)), ('RUN', (2,))])
    >>> round(grammar.entropy(3, start="S"), 4)  # nats: one choice, 3/4 or 1/4
    0.5623

    Raises:
        ValueError: a rule that cannot be read, or that does not use each symbol of its source side once in the target;
            it names the rule.
    """

    def __init__(self, text: str, variables: Mapping[str, Sequence[str]] | None = None) -> None:
        self.rules: dict[str, list[Rule]] = {}
        for line in filter(str.strip, text.splitlines()):
            for rule in _read(line, variables or {}):
                self.rules.setdefault(rule.symbol, []).append(rule)
        for rules in self.rules.values():
            total = math.fsum(rule.weight for rule in rules)
            rules[:] = [rule._replace(weight=rule.weight / total) for rule in rules]
            for rule in rules:
                symbols = [part for part, name in enumerate(rule.source) if name in self.rules]
                if sorted(piece for piece in rule.target if isinstance(piece, int)) != symbols:
                    raise ValueError(f"'text': the target must use each symbol once, got {_show(rule)}")
        self._ways: dict[tuple[str, int], tuple[list[float], list[Way]] | None] = {}
        self._entropy: dict[tuple[str, int], float] = {}

    def weight(self, symbol: str, n: int) -> float:
        """Return W(symbol, n): the summed weight of all that has n source words; 1 for a word and n = 1.

        It is the probability that the symbol becomes n words, if the grammar ends with probability 1.
        """
        if symbol not in self.rules:
            return float(n == 1)
        cumulative, _ = self._expansions(symbol, n)
        return cumulative[-1] if cumulative else 0.0

    def _expansions(self, symbol: str, n: int) -> tuple[list[float], list[Way]]:
        """All ways for the symbol to become n words, and their weights, added up."""
        if (symbol, n) not in self._ways:
            self._ways[symbol, n] = None  # being computed
            ways = [
                Way(rule, lengths, rule.weight * math.prod(map(self.weight, rule.source, lengths)))
                for rule in self.rules[symbol]
                for lengths in self._shares(rule.source, n)
            ]
            ways = [way for way in ways if way.weight > 0]
            self._ways[symbol, n] = list(itertools.accumulate(way.weight for way in ways)), ways
        if self._ways[symbol, n] is None:
            raise ValueError(f"'text': {symbol!r} must not become itself and nothing else")
        return self._ways[symbol, n]

    def _shares(self, parts: tuple[str, ...], n: int) -> Iterator[tuple[int, ...]]:
        """All ways to share n words among the parts, at least one for each."""
        if len(parts) == 1:
            yield (n,)
            return
        most = n - len(parts) + 1 if parts[0] in self.rules else min(1, n - len(parts) + 1)
        for first in range(1, most + 1):
            if self.weight(parts[0], first):
                for rest in self._shares(parts[1:], n - first):
                    yield (first, *rest)

    def derive(self, n: int, *, start: str, draw: Callable[[], float]) -> Derived:
        """Draw a sentence of n source words and its translation; `draw()` gives numbers from [0, 1)."""
        source: list[str] = []
        return Derived(source, self._derive(start, n, draw, source))

    def _derive(
        self, symbol: str, n: int, draw: Callable[[], float], source: list[str]
    ) -> list[tuple[str, tuple[int, ...]]]:
        cumulative, ways = self._expansions(symbol, n)
        rule, lengths, _ = ways[bisect(cumulative, draw() * cumulative[-1])]
        begin, becomes = len(source), []
        for part, length in zip(rule.source, lengths, strict=True):
            if part in self.rules:
                becomes.append(self._derive(part, length, draw, source))
            else:
                becomes.append([])
                source.append(part)
        ends = list(itertools.accumulate(lengths, initial=begin))
        target = []
        for piece in rule.target:
            if isinstance(piece, int):
                target += becomes[piece]
            else:
                word, parts = piece
                places = [place for part in parts for place in range(ends[part], ends[part + 1])]
                target.append((word, tuple(places)))
        return target

    def entropy(self, n: int, *, start: str) -> float:
        """Return the entropy, in nats, of a derivation of `start` that has n source words.

        H(A, n) = sum over ways w of P(w) (-log P(w) + the H of its parts), P(w) being w's share of W(A, n).
        """
        if start not in self.rules:
            return 0.0
        if (start, n) not in self._entropy:
            cumulative, ways = self._expansions(start, n)
            terms = []
            for rule, lengths, weight in ways:
                p = weight / cumulative[-1]
                parts = zip(rule.source, lengths, strict=True)
                terms.append(p * (sum(self.entropy(k, start=part) for part, k in parts) - math.log(p)))
            self._entropy[start, n] = math.fsum(terms)
        return self._entropy[start, n]


def _read(line: str, variables: Mapping[str, Sequence[str]]) -> Iterator[Rule]:
    """The rules that one line stands for."""
    head, arrow, right = line.partition("=>")
    left, colon, body = head.partition(" : ")
    *weight, symbol = left.split()
    if not (arrow and colon and body.split() and len(weight) <= 1):
        raise ValueError(
            f"'text': a rule is written '[weight] SYMBOL : source => target', got {line.strip()!r}"
        )
    used = [
        name for name in variables if any(name in part.split(".")[1:] for part in [symbol, *body.split()])
    ]
    for values in itertools.product(*(variables[name] for name in used)):
        bound = dict(zip(used, values, strict=True))
        source = tuple(_bind(part, bound) for part in body.split())
        target = tuple(_piece(piece, len(source), line) for piece in right.split())
        yield Rule(_bind(symbol, bound), source, target, float(weight[0]) if weight else 1.0)


def _bind(name: str, bound: Mapping[str, str]) -> str:
    first, *rest = name.split(".")
    return ".".join([first, *(bound.get(part, part) for part in rest)])


def _piece(piece: str, n_parts: int, line: str) -> int | tuple[str, tuple[int, ...]]:
    word, _, links = ("", "", piece) if piece.isdigit() else piece.partition("/")
    parts = tuple(int(link) - 1 for link in links.split(",") if link)
    if not all(0 <= part < n_parts for part in parts):
        raise ValueError(f"'text': links must be from 1 to {n_parts}, got {piece!r} in {line.strip()!r}")
    return (word, parts) if word else parts[0]


def _show(rule: Rule) -> str:
    target = (str(p + 1) if isinstance(p, int) else p[0] for p in rule.target)
    return f"'{rule.symbol} : {' '.join(rule.source)} => {' '.join(target)}'"
