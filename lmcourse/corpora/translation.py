"""English sentences and their translations into an invented language, by one synchronous grammar.

The invented language puts the verb last, adjectives after the noun, and the words of place behind the place. It has
no articles. A small word marks what the verb acts on; another one marks more than one, unless a number has said so
already, and is echoed behind the verb. Some words become two ("sailor": sea person), some become one ("falls
asleep"), and "knows" is one word for people and another one for facts.

    anna  does not  see     the black cats
    anna  cat  PL  black  OBJ  see  NEG

A translation is a *function* of the source: the English side has one derivation for each sentence, and a derivation has
one translation. So the conditional entropy of the translation is 0 nats, and exact match is a fair measure.
"""

import math
import random
from collections.abc import Sequence
from functools import cached_property

from tqdm.auto import tqdm

from lmcourse.corpora.pairs import SPECIAL_TOKENS, Pairs
from lmcourse.corpora.translation_rules import PARTICLES, START, english_and_glosses


def _invented_words(glosses: Sequence[str], seed: int) -> dict[str, str]:
    """A pronounceable word for each gloss: one syllable for a particle, two for all others; no two alike."""
    rng = random.Random(seed)
    words: dict[str, str] = {}
    for gloss in glosses:
        word = ""
        while not word or word in words.values():
            first, second = rng.sample("ptkmnlrsv", 2)
            end = first + rng.choice("aiu")
            word = end if gloss in PARTICLES else second + rng.choice("aeiou") + end
        words[gloss] = word
    return words


class TranslationGrammar:
    """A source of sentences and their translations; see the module for what the two languages are like.

    Attributes:
        source_vocab, target_vocab: `<pad>`, `<bos>`, `<eos>`, then all words in alphabetical order.
        glosses: what each invented word means, in English; in capitals, a name from `PARTICLES`.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self._rules = english_and_glosses()
        rules = [rule for rules in self._rules.rules.values() for rule in rules]
        source = {part for rule in rules for part in rule.source if part not in self._rules.rules}
        glosses = sorted({piece[0] for rule in rules for piece in rule.target if not isinstance(piece, int)})
        self._spelling = {gloss: gloss for gloss in glosses if not gloss.isupper()}
        self._spelling |= _invented_words([g for g in glosses if g.isupper()], seed)
        self.source_vocab = (*SPECIAL_TOKENS, *sorted(source))
        self.target_vocab = (*SPECIAL_TOKENS, *sorted(self._spelling.values()))

    def __repr__(self) -> str:
        return f"TranslationGrammar(seed={self.seed})"

    @cached_property
    def glosses(self) -> dict[str, str]:
        return {
            word: gloss if gloss in PARTICLES else gloss.lower().replace("_", " ")
            for gloss, word in self._spelling.items()
        }

    def sample(
        self, n_pairs: int, lengths: tuple[int, int] = (4, 24), seed: int = 0, progress: bool = False
    ) -> Pairs:
        """Draw pairs whose numbers of source words are uniform from `lengths[0]` to `lengths[1]`, both included.

        Given its number of words, a sentence is drawn by the law of the grammar. Pairs are independent, so short
        sentences come more than once: `Pairs.without` leaves out of a test what stands in the training data.

        Raises:
            ValueError: `n_pairs` is negative, `lengths` are no range, or the grammar has no sentence of some length.

        >>> pair = translation().sample(1, lengths=(7, 7), seed=7)[0]
        >>> print(" ".join(pair.source), "=", " ".join(pair.target))
        anna often hears the clever young horse = anna pemu tami luni tinu su koli
        >>> [translation().glosses[word] for word in pair.target]
        ['anna', 'often', 'horse', 'young', 'clever', 'OBJ', 'hear']
        >>> pair.alignment
        ((0, 0), (1, 1), (2, 6), (4, 4), (5, 3), (6, 2))
        """
        if n_pairs < 0:
            raise ValueError(f"'n_pairs' must be 0 or more, got {n_pairs}")
        shortest, longest = self._checked(lengths)
        rng = random.Random(seed)
        sources, targets, alignments = [], [], []
        for _ in tqdm(range(n_pairs), disable=not progress, desc="sampling", unit="pair"):
            source, target = self._rules.derive(rng.randint(shortest, longest), start=START, draw=rng.random)
            sources.append(tuple(source))
            targets.append(tuple([self._spelling[gloss] for gloss, _ in target]))
            alignments.append(tuple(sorted((i, j) for j, (_, places) in enumerate(target) for i in places)))
        return Pairs(tuple(sources), tuple(targets), tuple(alignments), self.source_vocab, self.target_vocab)

    def source_entropy(self, lengths: tuple[int, int] = (4, 24)) -> float:
        """Return the entropy of a source sentence in nats, exactly: log(number of lengths) + mean over n of H(sentence | n words).

        It is the entropy of derivations, and a sentence has one derivation. The translation adds nothing: it is a function
        of the source.
        """
        shortest, longest = self._checked(lengths)
        given_n = [self._rules.entropy(n, start=START) for n in range(shortest, longest + 1)]
        return math.log(len(given_n)) + math.fsum(given_n) / len(given_n)

    def _checked(self, lengths: tuple[int, int]) -> tuple[int, int]:
        shortest, longest = lengths
        if not 1 <= shortest <= longest:
            raise ValueError(
                f"'lengths' must be (shortest, longest) with 1 <= shortest <= longest, got {lengths}"
            )
        for n in range(shortest, longest + 1):
            if not self._rules.weight(START, n):
                raise ValueError(f"'lengths' must be lengths of sentences, got {lengths}: none has {n} words")
        return shortest, longest


def translation(*, seed: int = 0) -> TranslationGrammar:
    """Return the grammar, with an invented language spelled by `seed`.

    >>> grammar = translation()
    >>> len(grammar.source_vocab), len(grammar.target_vocab)
    (125, 81)
    >>> round(grammar.source_entropy(lengths=(4, 24)), 2)  # nats a sentence
    34.52
    """
    return TranslationGrammar(seed)
