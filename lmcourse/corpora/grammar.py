"""A probabilistic context-free grammar as a source of text: sampled by arrays, read exactly, entropy in closed form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property

import numpy as np
from jaxtyping import Float64, Int

from lmcourse.corpora.corpus import Word
from lmcourse.corpora.entropy import check_expected_length, derivation_entropy, expected_words
from lmcourse.corpora.rules import Rules, RuleTable, read_rules
from lmcourse.corpora.source import Source, Text, spans
from lmcourse.corpora.surprisal import StackParser, State


class Grammar(Source):
    """The source that writes documents by a grammar's rules; see `lmcourse.corpora.rules` for how they are written.

    A document is what `start` derives, then the end token. The entropy is that of derivations: the grammar should be
    unambiguous, so that it is that of documents too (`n_derivations` counts). Surprisals are exact in any case.

    >>> grammar = Grammar({"S": {"the/DET N sleeps/VERB": 1}, "N": {"gull/NOUN": 0.5, "seal/NOUN": 0.25, "tern/NOUN": 0.25}})
    >>> grammar.tokens_per_document, round(grammar.entropy_per_document / math.log(2), 6)
    (4.0, 1.5)
    >>> [round(float(bits), 6) for bits in grammar.surprisal("the seal sleeps .") / math.log(2)]
    [0.0, 2.0, 0.0, 0.0]

    Raises:
        ValueError: rules that define no law of finite documents, or that cannot be read from left to right; it names the rule.
    """

    def __init__(self, rules: RuleTable, start: str = "S", end: str = ".") -> None:
        self.end = Word(end, "PUNCT", end)
        self.start = start
        self.rules = read_rules(rules, start, self.end)
        check_expected_length(self.rules)
        words = [part for rule in self._all_rules for part in rule.body if isinstance(part, Word)]
        super().__init__(tuple(dict.fromkeys([self.end, *words])))
        self._parser = self._parser_of(self.rules, self._id_of)

    def __repr__(self) -> str:
        return f"Grammar({len(self._all_rules)} rules, {len(self.vocab)} words)"

    @property
    def _all_rules(self) -> list:
        return [rule for its_rules in self.rules.values() for rule in its_rules]

    @cached_property
    def entropy_per_document(self) -> float:
        """The entropy of a derivation in nats: expected uses of each symbol times the entropy of its rules."""
        return derivation_entropy(self.rules, self.start)

    @cached_property
    def tokens_per_document(self) -> float:
        """The expected number of tokens of a document, its end token among them."""
        return expected_words(self.rules, self.start) + 1

    def sense_certainty(self, text: Text) -> Float64[np.ndarray, "tokens"]:
        """Return how probable the likeliest sense of each token is, given the text up to and including that token.

        Its mean over the tokens of a homonym is the best that any reader from left to right can do at telling the
        senses apart there: the ceiling for a probe of a causal model.

        >>> grammar = Grammar({"S": {"the/DET A seal/NOUN/animal": 0.6, "the/DET B seal/NOUN/stamp": 0.4},
        ...                    "A": {"": 0.5, "wet/ADJ": 0.5}, "B": {"": 0.5, "new/ADJ": 0.5}})
        >>> grammar.sense_certainty("the seal . the new seal .").tolist()
        [1.0, 0.6, 1.0, 1.0, 1.0, 1.0, 1.0]

        Raises:
            ValueError: a text that the grammar cannot write.
        """
        self.surprisal(text)  # refuses what cannot be
        n_senses = len(self.sense_names)
        told = self._parser_of(
            self.rules, self._id_of * n_senses + self._sense_of
        )  # a reader who is told the senses
        likeliest: dict[State, dict[int, float]] = {}
        state, certainty = self._first, []
        for token in self._checked(text):
            if state not in likeliest:
                likeliest[state] = {}
                for told_id, p in self._parser.law_in(told, state).items():
                    word = told_id // n_senses
                    likeliest[state][word] = max(likeliest[state].get(word, 0.0), p)
            certainty.append(likeliest[state][token] / state.law[token])
            state = self._step(state, token)
        return np.array(certainty)

    def n_derivations(self, document: Text) -> int:
        """Return in how many ways the grammar can write a whole document: 0 if it cannot, above 1 if it is ambiguous.

        It is the sum that gives a document's probability, with 1 in the place of every rule's probability.
        """
        state, logarithm = self._counter.first, 0.0
        ids = self._checked(document)
        for token in ids:
            if token not in state.law:
                return 0
            logarithm += math.log(state.law[token])
            state = self._counter.step(state, token)
        return round(math.exp(logarithm)) if ids[-1:] == [self.end_id] else 0

    @cached_property
    def _counter(self) -> StackParser:
        ones: Rules = {
            symbol: tuple(rule._replace(probability=1.0) for rule in its_rules)
            for symbol, its_rules in self.rules.items()
        }
        return self._parser_of(ones, self._id_of)

    def _parser_of(self, rules: Rules, ids: Int[np.ndarray, "words"]) -> StackParser:
        """A reader that sees of each word of the lexicon its number in `ids`."""
        return StackParser(rules, self.start, self.end, dict(zip(self.lexicon, ids.tolist(), strict=True)))

    # --- reading ---

    @property
    def _first(self) -> State:
        return self._parser.first

    def _law(self, state: State) -> Mapping[int, float]:
        return state.law

    def _step(self, state: State, token: int) -> State:
        return self._parser.step(state, token)

    # --- writing ---

    def _draw(self, n_documents, rng):
        """Draw all documents at once: in each round every open symbol in the row is replaced by the body of a drawn rule.

        Symbols are numbered from 0, words of the lexicon from `n_symbols`.
        """
        n_symbols = len(self.rules)
        draw, bodies, body_starts, body_lengths = self._arrays
        start, end = list(self.rules).index(self.start), n_symbols
        row = np.tile(np.array([start, end], dtype=np.int32), n_documents)
        while (open_ := np.flatnonzero(row < n_symbols)).size:
            chosen = draw(row[open_], rng)
            lengths = np.ones(len(row), dtype=np.int64)
            lengths[open_] = body_lengths[chosen]
            places = np.cumsum(lengths) - lengths
            longer = np.repeat(row, lengths)
            longer[spans(places[open_], body_lengths[chosen])] = bodies[
                spans(body_starts[chosen], body_lengths[chosen])
            ]
            row = longer
        words = row - n_symbols
        ends = np.flatnonzero(words == self.end_id)
        return words, np.concatenate([[0], ends[:-1] + 1])

    @cached_property
    def _arrays(self):
        """A function that draws a rule for each symbol, and the rules' bodies one after the other with starts and lengths."""
        number: dict[str | Word, int] = {symbol: at for at, symbol in enumerate(self.rules)}
        number |= {word: len(self.rules) + at for at, word in enumerate(self.lexicon)}
        bodies = np.array([number[part] for rule in self._all_rules for part in rule.body], dtype=np.int32)
        lengths = np.array([len(rule.body) for rule in self._all_rules])
        last = np.cumsum([len(its_rules) for its_rules in self.rules.values()]) - 1
        # Symbol a owns the stretch from a to a + 1, cut among its rules: one search then draws for all symbols.
        edges = np.concatenate(
            [at + np.cumsum([r.probability for r in its]) for at, its in enumerate(self.rules.values())]
        )

        def draw(symbols: Int[np.ndarray, "open"], rng: np.random.Generator) -> Int[np.ndarray, "open"]:
            points = symbols + rng.random(len(symbols))
            return np.minimum(np.searchsorted(edges, points, side="right"), last[symbols])

        return draw, bodies, np.cumsum(lengths) - lengths, lengths
