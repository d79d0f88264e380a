"""Exact reading of a grammar's text: a belief over the stacks that a parser could hold.

A top-down parser keeps a stack of what must still come. Before the next word the symbol on top is replaced by the
bodies of its rules until a word is on top; that word is then read. Reading from left to right one cannot know which
rules the writer used, so the reader holds a *belief*: every stack that fits the words so far, with its probability.
The law of the next word is a sum over that belief. Nothing is pruned and nothing is estimated; states that come
again are looked up, so that a long text is read at the speed of a dictionary.

How a symbol can open (its first word, and what is then still to come) is worked out once: the grammar's Greibach form.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping

from lmcourse.corpora.corpus import Word
from lmcourse.corpora.rules import Rules

Part = str | Word
Belief = tuple[tuple[int, float], ...]
Opening = dict[
    int, dict[tuple[Part, ...], float]
]  # first word -> what is still to come -> probability of both
_EMPTY = 0  # the number of the empty stack: the document has ended


class State:
    """A belief, the law of the next word under it, and the states that were reached from here."""

    def __init__(self, belief: Belief, law: dict[int, float]) -> None:
        self.belief = belief
        self.law = law
        self.after: dict[int, State] = {}


class StackParser:
    """All stacks of a grammar that were met, numbered, and the states made of them.

    `ids` says what the reader sees of a word. Words with one id (the senses of a homonym) look alike to it.

    >>> from lmcourse.corpora.rules import read_rules
    >>> end = Word(".", "PUNCT", ".")
    >>> rules = read_rules({"S": {"go/VERB": 0.5, "go/VERB S": 0.5}}, "S", end)
    >>> parser = StackParser(rules, "S", end, {end: 0, Word("go", "VERB", "go"): 1})
    >>> parser.first.law, parser.step(parser.first, 1).law
    ({1: 1.0}, {0: 0.5, 1: 0.5})
    """

    def __init__(self, rules: Rules, start: str, end: Word, ids: Mapping[Word, int]) -> None:
        self._rules, self._ids = rules, ids
        self._stacks: list[tuple[Part, int]] = [
            (end, -1)
        ]  # top and the number of the stack under it; 0 is empty
        self._numbers: dict[tuple[Part, int], int] = {}
        self._openings: dict[Part, tuple[Opening, dict[int, float], float]] = {}
        self._states: dict[Belief, State] = {}
        self.first = self._state(((self._push((start, end), _EMPTY), 1.0),))

    def step(self, state: State, token: int) -> State:
        """Return the state after `token`, one that `state.law` has; after the end token that is `first`."""
        after = state.after.get(token)
        if after is None:
            stacks: dict[int, float] = defaultdict(float)
            for top, below, weight in self._tops(state.belief):
                for to_come, p in self._opening(top)[0].get(token, {}).items():
                    stacks[self._push(to_come, below)] += weight * p
            total = math.fsum(stacks.values())
            belief = tuple(sorted((stack, p / total) for stack, p in stacks.items()))
            after = self.first if _EMPTY in stacks else self._state(belief)
            state.after[token] = after
        return after

    def law_in(self, ids: StackParser, state: State) -> dict[int, float]:
        """Return the law of the next word in the ids of another parser of the same rules, which tells more of them apart."""
        law: dict[int, float] = defaultdict(float)
        for top, _, weight in self._tops(state.belief):
            for word, p in ids._opening(top)[1].items():
                law[word] += weight * p
        return law

    def _state(self, belief: Belief) -> State:
        if belief not in self._states:
            laws = [(self._opening(top)[1], weight) for top, _, weight in self._tops(belief)]
            if len(laws) == 1:
                law = laws[0][0]  # shared by all stacks with this top
            else:
                law = defaultdict(float)
                for its_law, weight in laws:
                    for word, p in its_law.items():
                        law[word] += weight * p
                law = dict(law)
            self._states[belief] = State(belief, law)
        return self._states[belief]

    def _tops(self, belief: Belief) -> Iterator[tuple[Part, int, float]]:
        """Yield the parts that can give the next word, the stack under each, and its probability."""
        for stack, weight in belief:
            while weight:
                top, stack = self._stacks[stack]
                yield top, stack, weight
                weight *= self._opening(top)[2]  # it may be empty: then the part under it gives the word

    def _push(self, parts: tuple[Part, ...], stack: int) -> int:
        """Return the number of the stack with `parts` on top of `stack`: equal stacks have one number."""
        for part in reversed(parts):
            below, stack = stack, self._numbers.setdefault((part, stack), len(self._stacks))
            if stack == len(self._stacks):
                self._stacks.append((part, below))
        return stack

    def _opening(self, part: Part) -> tuple[Opening, dict[int, float], float]:
        """Return how `part` opens, the law of its first word, and the probability that it is empty."""
        if part not in self._openings:
            opening: Opening = defaultdict(lambda: defaultdict(float))
            empty = 0.0
            if isinstance(part, Word):
                opening[self._ids[part]][()] = 1.0
            else:
                for rule in self._rules[part]:
                    weight = rule.probability
                    for at, first in enumerate(rule.body):
                        its_opening, _, its_empty = self._opening(first)
                        for word, remainders in its_opening.items():
                            for to_come, p in remainders.items():
                                opening[word][to_come + rule.body[at + 1 :]] += weight * p
                        weight *= its_empty
                        if not weight:
                            break
                    empty += weight
            law = {word: math.fsum(remainders.values()) for word, remainders in opening.items()}
            self._openings[part] = (opening, law, empty)
        return self._openings[part]
