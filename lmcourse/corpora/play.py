"""A play whose speakers repeat themselves: half of its tokens can be known for certain by whoever remembers.

Each speaker has one line and says it at every turn; a narrator says something fresh each time. So a speaker's
first line and all of the narrator's cost nats, and each line said again costs none, however long ago it was said
before. An n-gram sees none of that; a recurrent state must keep all lines at once; attention can look them up.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from lmcourse.corpora.corpus import Word
from lmcourse.corpora.grammar import Grammar
from lmcourse.corpora.rules import choice
from lmcourse.corpora.source import Source, spans
from lmcourse.corpora.surprisal import State


class Reading(NamedTuple):
    """What a reader of a play keeps in mind."""

    turn: int
    known: tuple[tuple[int, ...] | None, ...]  # each speaker's line, the narrator's place stays None
    speaker: int | None = None  # None: a name comes next
    said: tuple[int, ...] = ()
    fresh: State | None = None  # the state in a line that is new; None in a line that is known


class Play(Source):
    """A source of plays of `turns` lines, in which each speaker repeats the line that it said first.

    A turn is a name and a line. The narrator speaks with probability `narrator`, else one of the speakers, all equally
    likely. A play is a document; its end is that of its last line, so no token is spent on it.

    Attributes:
        lines: the grammar that the lines are drawn from. Its end token ends each line.
        names: the names of the speakers, the narrator's last; each is one token, with its colon.

    >>> source = play()
    >>> print(source.sample(1, seed=3).text(24))
    anna: the happy doctor draws this doctor . anna: the happy doctor draws this doctor . cleo: this happy sailor follows the singer .

    Raises:
        ValueError: names that are no names or not different, a probability outside 0 to 1, no turn.
    """

    def __init__(self, lines: Grammar, speakers: Sequence[str], narrator: float, turns: int) -> None:
        names = [*speakers, "narrator"]
        if not speakers or len(set(names)) < len(names) or not all(names):
            raise ValueError(
                f"'speakers' must be different names, none of them 'narrator', got {tuple(speakers)}"
            )
        if not 0 < narrator < 1:
            raise ValueError(f"'narrator' must be a probability between 0 and 1, got {narrator}")
        if turns < 1:
            raise ValueError(f"'turns' must be at least 1, got {turns}")
        self.lines, self.narrator, self.turns = lines, narrator, turns
        self.names = tuple(f"{name}:" for name in names)
        if clash := set(self.names) & set(lines.vocab):
            raise ValueError(f"'speakers' must not be words of the lines, got {min(clash)!r}")
        super().__init__([*lines.lexicon, *(Word(name, "NAME", name) for name in self.names)])
        share = (1 - narrator) / len(speakers)
        self._choice = np.array([share] * len(speakers) + [narrator])
        self._first_name = len(lines.vocab)  # the lines' words keep their ids, the names come after them
        self._name_law = {self._first_name + who: float(p) for who, p in enumerate(self._choice)}
        self._first = Reading(0, (None,) * len(names))

    def __repr__(self) -> str:
        return f"Play({len(self.names) - 1} speakers and a narrator, {self.turns} turns, {len(self.vocab)} words)"

    @property
    def fresh_lines(self) -> float:
        """The expected number of lines of a play that are new: turns * narrator + the speakers who come to speak at all."""
        share = self._choice[0]
        heard = (len(self.names) - 1) * (1 - (1 - share) ** self.turns)
        return self.turns * self.narrator + float(heard)

    @property
    def entropy_per_document(self) -> float:
        """Turns times the entropy of a name, plus fresh lines times the entropy of a line; in nats."""
        name = -math.fsum(p * math.log(p) for p in self._choice.tolist())
        return self.turns * name + self.fresh_lines * self.lines.entropy_per_document

    @property
    def tokens_per_document(self) -> float:
        """The expected number of tokens: each turn is a name and a line."""
        return self.turns * (1 + self.lines.tokens_per_document)

    # --- reading ---

    def _law(self, state: Reading) -> Mapping[int, float]:
        if state.speaker is None:
            return self._name_law
        if state.fresh is not None:
            return self.lines._law(state.fresh)
        return {state.known[state.speaker][len(state.said)]: 1.0}

    def _step(self, state: Reading, token: int) -> Reading:
        if state.speaker is None:
            who = token - self._first_name
            fresh = self.lines._first if state.known[who] is None else None
            return state._replace(speaker=who, fresh=fresh)
        said = (*state.said, token)
        if token != self.end_id:
            fresh = None if state.fresh is None else self.lines._step(state.fresh, token)
            return state._replace(said=said, fresh=fresh)
        if state.turn + 1 == self.turns:
            return self._first
        known = list(state.known)
        if state.speaker < len(self.names) - 1:
            known[state.speaker] = said
        return Reading(state.turn + 1, tuple(known))

    # --- writing ---

    def _draw(self, n_documents, rng):
        who = rng.choice(len(self._choice), p=self._choice, size=(n_documents, self.turns))
        fresh = who == len(self.names) - 1
        first_turn = np.zeros_like(who)  # the turn in which this turn's speaker spoke first
        for speaker in range(len(self.names) - 1):
            speaks = who == speaker
            first = speaks.argmax(axis=1)
            first_turn[speaks] = np.repeat(first, speaks.sum(axis=1))
            heard = np.flatnonzero(speaks.any(axis=1))
            fresh[heard, first[heard]] = True
        number = np.cumsum(fresh).reshape(fresh.shape) - 1  # of the fresh lines, in reading order
        line = np.where(fresh, number, np.take_along_axis(number, first_turn, axis=1)).ravel()

        words, starts = self.lines._draw(int(fresh.sum()), rng)
        lengths = np.diff(np.append(starts, len(words)))[line]
        ends = np.cumsum(lengths + 1)
        row = np.empty(ends[-1], dtype=words.dtype)
        names_at = ends - lengths - 1
        row[names_at] = len(self.lines.lexicon) + who.ravel()
        row[spans(names_at + 1, lengths)] = words[spans(starts[line], lengths)]
        return row, names_at[:: self.turns]


def play(
    *,
    speakers: Sequence[str] = ("anna", "ben", "cleo"),
    narrator: float = 0.15,
    turns: int = 10,
    lines: Grammar | None = None,
) -> Play:
    """Return the source. By default all lines have seven tokens, so that ten turns are a row of exactly 80."""
    return Play(lines or seven_token_lines(), speakers, narrator, turns)


def seven_token_lines() -> Grammar:
    """Return the grammar of the play's lines: six words and a full stop, the verb agrees with its subject."""
    nouns = [
        "sailor",
        "gull",
        "tailor",
        "teacher",
        "painter",
        "goat",
        "farmer",
        "baker",
        "pilot",
        "miller",
        "singer",
        "king",
        "doctor",
        "girl",
        "robin",
        "spider",
    ]
    verbs = [
        "see",
        "call",
        "hear",
        "find",
        "meet",
        "greet",
        "help",
        "like",
        "need",
        "praise",
        "follow",
        "draw",
    ]
    adjectives = ["old", "young", "tall", "quiet", "happy", "tired", "proud", "lost", "clever"]
    rules = {
        "S": {"ADJ_FIRST": 0.5, "ADJ_LAST": 0.5},
        "ADJ_FIRST": {f"DET_{n} ADJ N_{n} V_{n} OBJECT": 0.5 for n in ("singular", "plural")},
        "ADJ_LAST": {f"DET_{n} N_{n} V_{n} OBJECT_ADJ": 0.5 for n in ("singular", "plural")},
        "OBJECT": {f"DET_{n} N_{n}": 0.5 for n in ("singular", "plural")},
        "OBJECT_ADJ": {f"DET_{n} ADJ N_{n}": 0.5 for n in ("singular", "plural")},
        "DET_singular": choice("the/DET this/DET"),
        "DET_plural": choice("the/DET these/DET"),
        "N_singular": choice([f"{noun}/NOUN" for noun in nouns]),
        "N_plural": choice([f"{noun}s/NOUN/{noun}" for noun in nouns]),
        "V_singular": choice([f"{verb}s/VERB/{verb}" for verb in verbs]),
        "V_plural": choice([f"{verb}/VERB" for verb in verbs]),
        "ADJ": choice([f"{adjective}/ADJ" for adjective in adjectives]),
    }
    return Grammar(rules)
