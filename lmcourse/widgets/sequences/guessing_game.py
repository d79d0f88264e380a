"""Shannon's guessing game: the reader against n-gram models and the exact floor, word by word."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from lmcourse.figures import Figure

_HERE = Path(__file__).parent

TITLE = "Shannon's game: guess the next word"
CAPTION = (
    "Pick what may come next, one word or several, say how sure you are, and see the word. Your picks share the "
    "probability you named; all other words share the rest, as often as each occurs in the text. A word of "
    "probability p costs log2(1/p) bits. Nobody who knows only the words before can do better, in the long run, than the floor."
)
CONFIDENCE = {"sure": 0.95, "likely": 0.7, "a guess": 0.3}


def guessing_game(
    games: Sequence[Mapping[str, Any]],
    frequencies: Mapping[str, float],
    *,
    floor: str = "exact",
    choices: int = 12,
    shown: int = 3,
    title: str = TITLE,
    caption: str = CAPTION,
) -> Figure:
    """An interactive figure in which the reader guesses texts word by word and is scored in bits beside the models.

    Args:
        games: what `lmcourse.sequences.guessing_game` returns: for each text its tokens and, for each model and
            place, nats and best guesses. `top=12` guesses there make a good choice of buttons.
        frequencies: every word of the vocabulary with its relative frequency, above 0.
        floor: the name of the model that is exact. Its guesses offer no buttons, since they would give away
            what is possible; it is called "floor" in the figure.
        choices: buttons at each place: the best guesses of the other models in turn, sorted by name.
        shown: how many guesses of each model are shown afterwards.

    Raises:
        ValueError: no game, games with other models, a token without a frequency, a frequency that is not above 0.

    >>> model = {"nats": [0.69, 0.0], "rank": [1, 1], "guesses": [[["a", 0.5], ["b", 0.5]], [["b", 1.0], ["a", 0.0]]]}
    >>> guessing_game([{"tokens": ["a", "b"], "models": {"bigram": model, "exact": model}}], {"a": 0.5, "b": 0.5})
    Figure("Shannon's game: guess the next word")
    """
    names = _check(games, frequencies, floor)
    vocab = sorted(frequencies, key=lambda word: (word.casefold(), word))
    number = {word: i for i, word in enumerate(vocab)}
    total = sum(frequencies.values())
    sentences = []
    for game in games:
        rivals = [game["models"][name]["guesses"] for name in names if name != floor]
        places = range(len(game["tokens"]))
        sentences.append(
            {
                "words": [number[word] for word in game["tokens"]],
                "choices": [_offer([g[place] for g in rivals], number, choices) for place in places],
                "nats": [game["models"][name]["nats"] for name in names],
                "guesses": [
                    [
                        [[number[word], p] for word, p in guesses[:shown] if p > 0]
                        for guesses in game["models"][name]["guesses"]
                    ]
                    for name in names
                ],
            }
        )
    means = [_mean_bits(games, name) for name in names]
    labels = ["floor" if name == floor else name for name in names]
    table = [("Text", "Words", *(f"{label}, bits per word" for label in labels))]
    for game in games:
        bits = (_mean_bits([game], name) for name in names)
        table.append((" ".join(game["tokens"]), len(game["tokens"]), *(f"{mean:.2f}" for mean in bits)))
    each = ", ".join(f"{label} {mean:.2f}" for label, mean in zip(labels, means, strict=True))
    return Figure(
        _HERE / "guessing_game.js",
        {
            "vocab": vocab,
            "frequencies": [float(f"{frequencies[word] / total:.6g}") for word in vocab],
            "models": labels,
            "sentences": sentences,
            "confidences": [[label, p] for label, p in CONFIDENCE.items()],
        },
        state={"played": {"sentence": 0, "place": 0, "log": []}, "confidence": 1},
        css=_HERE / "guessing_game.css",
        title=title,
        caption=caption,
        alt=f"Over {len(games)} texts the models need, in bits per word: {each}.",
        fallback=table,
    )


def reader_bits(
    picks: Collection[str], confidence: float, truth: str, frequencies: Mapping[str, float]
) -> float:
    """Return the surprisal in bits of `truth` for a reader who gives `confidence` to `picks` together.

    The picks share `confidence` equally. The other words share what is left, in proportion to their frequencies. Without a
    pick the reader's law is the frequencies themselves.

    >>> law = {"a": 0.5, "b": 0.25, "c": 0.25}
    >>> reader_bits(["b", "c"], 0.5, "b", law), reader_bits(["b", "c"], 0.5, "a", law), reader_bits([], 0.5, "a", law)
    (2.0, 1.0, 1.0)
    """
    total = sum(frequencies.values())
    if not picks:
        return math.log2(total / frequencies[truth])
    if truth in picks:
        return math.log2(len(picks) / confidence)
    others = total - sum(frequencies[word] for word in picks)
    return math.log2(others / frequencies[truth] / (1 - confidence))


def _check(games: Sequence[Mapping[str, Any]], frequencies: Mapping[str, float], floor: str) -> list[str]:
    """The names of the models, the floor last."""
    if not games:
        raise ValueError("'games' must hold at least one text, got none")
    names = list(games[0]["models"])
    if floor not in names or len(names) < 2:
        raise ValueError(f"'floor' must be one of at least two models, got {floor!r} and {names}")
    for game in games:
        if list(game["models"]) != names or not game["tokens"]:
            raise ValueError(
                f"'games' must each have tokens and the models {names}, got {list(game['models'])}"
            )
        lengths = {len(model[key]) for model in game["models"].values() for key in ("nats", "guesses")}
        if lengths != {len(game["tokens"])}:
            raise ValueError(
                f"'games' must have a number for each of {len(game['tokens'])} tokens, got {sorted(lengths)}"
            )
        guessed = (word for m in game["models"].values() for place in m["guesses"] for word, _ in place)
        missing = [word for word in chain(game["tokens"], guessed) if word not in frequencies]
        if missing:
            raise ValueError(f"'frequencies' must hold every word of 'games', got none for {missing[0]!r}")
    low = [word for word, p in frequencies.items() if not 0 < p < math.inf]
    if low:
        raise ValueError(f"'frequencies' must be above 0, got {frequencies[low[0]]} for {low[0]!r}")
    return [*(name for name in names if name != floor), floor]


def _offer(
    guesses: Sequence[Sequence[tuple[str, float]]], number: Mapping[str, int], choices: int
) -> list[int]:
    """The first guess of each model, then the second of each, and so on, without repeats; in the order of the vocabulary."""
    in_turn = chain.from_iterable(zip_longest(*guesses))
    words = dict.fromkeys(guess[0] for guess in in_turn if guess is not None)
    return sorted(number[word] for word in list(words)[:choices])


def _mean_bits(games: Sequence[Mapping[str, Any]], name: str) -> float:
    nats = [math.inf if nat is None else nat for game in games for nat in game["models"][name]["nats"]]
    return sum(nats) / len(nats) / math.log(2)
