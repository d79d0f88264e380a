"""Verbs with tastes: each verb has a law of its own over its subjects and another over its objects.

A sentence is a subject, a verb and an object. There is no grammar to learn, only who does what to whom: some 29,000
probabilities. A small model can hold the coarse of it and a larger one the fine, which makes a clean line of loss against size.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from lmcourse.corpora.grammar import Grammar

VERBS = [
    "admires",
    "asks",
    "avoids",
    "blames",
    "calls",
    "carries",
    "catches",
    "chases",
    "copies",
    "draws",
    "dresses",
    "envies",
    "fears",
    "feeds",
    "finds",
    "follows",
    "forgets",
    "greets",
    "guards",
    "hears",
    "helps",
    "hides",
    "hires",
    "holds",
    "hugs",
    "hunts",
    "joins",
    "kicks",
    "knows",
    "leads",
    "likes",
    "meets",
    "misses",
    "names",
    "needs",
    "paints",
    "pays",
    "praises",
    "pulls",
    "pushes",
    "sees",
    "sells",
    "sends",
    "serves",
    "teaches",
    "thanks",
    "trusts",
    "visits",
]


def preferences(
    *, n_verbs: int = 48, n_nouns: int = 300, sharpness: float | int = 1.8, seed: int = 0
) -> Grammar:
    """Return the source: `subject verb object .`, the verbs equally likely.

    The laws of each verb are a softmax over `sharpness` times standard normal numbers, independent of each other; the
    expected entropy of such a law is near ln(n_nouns) - sharpness**2 / 2.

    Args:
        n_verbs: at most 48.
        n_nouns: the subjects and the objects are the same nouns; they are invented words.
        sharpness: 0 makes all nouns equally likely.
        seed: of the laws and of the nouns.

    >>> source = preferences(n_verbs=2, n_nouns=5)
    >>> print(source.sample(8).text())
    bovin asks dubidel .
    pinu admires bovin .

    Raises:
        ValueError: a number of verbs or nouns out of range, or a negative sharpness.
    """
    if not 1 <= n_verbs <= len(VERBS):
        raise ValueError(f"'n_verbs' must be between 1 and {len(VERBS)}, got {n_verbs}")
    if n_nouns < 1:
        raise ValueError(f"'n_nouns' must be at least 1, got {n_nouns}")
    if sharpness < 0:
        raise ValueError(f"'sharpness' must not be negative, got {sharpness}")
    rng = np.random.default_rng(seed)
    nouns = invented_words(n_nouns, seed=seed, avoid=VERBS)
    logits = sharpness * rng.standard_normal((n_verbs, 2, n_nouns))
    laws = np.exp(logits - logits.max(axis=-1, keepdims=True))
    laws /= laws.sum(axis=-1, keepdims=True)
    rules = {"S": {f"subject_{verb} {verb}/VERB object_{verb}": 1 / n_verbs for verb in VERBS[:n_verbs]}}
    for verb, its_laws in zip(VERBS, laws.tolist(), strict=False):
        for role, law in zip(("subject", "object"), its_laws, strict=True):
            rules[f"{role}_{verb}"] = {f"{noun}/NOUN": p for noun, p in zip(nouns, law, strict=True)}
    return Grammar(rules)


def invented_words(n: int, *, seed: int = 0, avoid: Collection[str] = ()) -> list[str]:
    """Return `n` different words that can be pronounced and mean nothing: two or three syllables each.

    >>> invented_words(3, seed=1)
    ['subar', 'zuler', 'ridas']
    """
    rng = np.random.default_rng(seed)
    words: dict[str, None] = {}
    while len(words) < n:
        syllables = [
            str(rng.choice(list("bdfgklmnprstvz"))) + str(rng.choice(list("aeiou")))
            for _ in range(2 + (rng.random() < 0.3))
        ]
        word = "".join(syllables) + str(rng.choice(["", "", "l", "n", "r", "s"]))
        if word not in avoid:
            words[word] = None
    return list(words)
