"""Data for Shannon's guessing game: a text, and what each of several models expected at each place of it.

Shannon 1951, "Prediction and entropy of printed English", let people guess the next letter; the better the guesser,
the lower the entropy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lmcourse.sequences.counts import Documents
from lmcourse.sequences.generate import LanguageModel


def guessing_game(
    documents: Documents,
    models: Mapping[str, LanguageModel],
    vocab: Sequence[str],
    *,
    top: int = 5,
    digits: int = 4,
) -> list[dict[str, Any]]:
    """Return for each document its tokens and, for each model and place, the surprisal, the rank and the best guesses.

    Everything is JSON: `{"tokens": [...], "models": {name: {"nats": [...], "rank": [...], "guesses": [[[token, p],
    ...], ...]}}}`. Rank 1 means that the first guess was right; guesses that are equally probable stand in the
    order of their ids. A token that the model thinks impossible has `null` for its surprisal. Numbers are rounded
    to `digits` places.

    Raises:
        ValueError: `top` below 1 or above the vocabulary.
    """
    if not 1 <= top <= len(vocab):
        raise ValueError(f"'top' must be from 1 to the size of the vocabulary, {len(vocab)}, got {top}")
    return [
        {
            "tokens": [vocab[token] for token in document],
            "models": {name: _play(model, document, vocab, top, digits) for name, model in models.items()},
        }
        for document in documents
    ]


def _play(
    model: LanguageModel, document: Sequence[int], vocab: Sequence[str], top: int, digits: int
) -> dict[str, list]:
    nats, ranks, guesses = [], [], []
    for place, token in enumerate(document):
        law = np.asarray(model.next_probabilities(document[:place]))
        best = np.argsort(-law, kind="stable")
        nats.append(round(abs(math.log(law[token])), digits) if law[token] > 0 else None)
        ranks.append(int(np.flatnonzero(best == token)[0]) + 1)
        guesses.append([[vocab[guess], round(float(law[guess]), digits)] for guess in best[:top]])
    return {"nats": nats, "rank": ranks, "guesses": guesses}
