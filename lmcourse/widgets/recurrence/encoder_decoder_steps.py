"""An encoder and a decoder at work, step by step, with their states as colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from lmcourse.figures import Figure

_HERE = Path(__file__).parent

TITLE = "One sentence through encoder and decoder"
CAPTION = (
    "Choose a sentence and go through it. Each row of cells is a state after one more word: orange above 0, blue with a dash "
    "below 0, the stronger the further away. The state behind the last word read (outlined, from each side) is all that the decoder gets. "
    "It then writes the most probable word and is fed what it wrote, right or wrong."
)
END = "<eos>"
MOST = 300  # sentences; more make the page heavy


@dataclass(frozen=True)
class TracedSentence:
    """What a translator did with one sentence.

    Attributes:
        source: the tokens as they were read. reference: the true translation, without <eos>.
        encoder_states: the state after each token, from -1 to 1; [0] has read from the left, [1], if there, from the right.
        decoder_states: the state in which it wrote each token; it begins in the encoder's last states, side by side.
        guesses: for each step the most probable tokens with their probabilities, as many at each; the first one was written.
    """

    source: Sequence[str]
    reference: Sequence[str]
    encoder_states: Float[np.ndarray, "directions source d"]
    decoder_states: Float[np.ndarray, "steps directions*d"]
    guesses: Sequence[Sequence[tuple[str, float]]]

    @property
    def written(self) -> list[str]:
        """The translation, <eos> at the end if it came."""
        return [step[0][0] for step in self.guesses]

    @property
    def is_right(self) -> bool:
        """The translation is the true one, and it ended."""
        return self.written == [*self.reference, END]


def encoder_decoder_steps(
    sentences: Sequence[TracedSentence],
    *,
    glosses: Mapping[str, str] | None = None,
    units: int = 12,
    title: str = TITLE,
    caption: str = CAPTION,
) -> Figure:
    """An interactive figure: a sentence of the reader's choice through encoder and decoder, word by word.

    States are shown in quarters. 200 sentences of 4 to 24 words with 12 units take about 85 kB of a page's 0.8 MB, gzipped.

    Args:
        sentences: at most 300, as `lmcourse.recurrence.trace` makes them; listed by length.
        glosses: what a target word means; those without one are shown alone.
        units: how many are shown of each direction of the encoder, and of both halves of the decoder's state: the
            first ones, as good as any others.

    Raises:
        ValueError: no sentence or more than 300, states of the wrong shape or out of -1 to 1, guesses that do not fit.

    >>> states, guess = np.zeros((1, 2, 4)), [("hund", 0.9), ("<eos>", 0.1)]
    >>> encoder_decoder_steps([TracedSentence(["dog", "<eos>"], ["hund"], states, np.zeros((1, 4)), [guess])], units=4)
    Figure('One sentence through encoder and decoder')
    """
    directions, width = _check(sentences, units)
    ordered = sorted(sentences, key=lambda one: (n_words(one), [word.casefold() for word in one.source]))
    read = _number(word for one in ordered for word in one.source)
    spoken = _number(
        word
        for one in ordered
        for word in (*one.reference, *(word for step in one.guesses for word, _ in step))
    )
    packed = [_pack(one, read, spoken, units) for one in ordered]
    n_right = sum(one.is_right for one in ordered)
    lengths = sorted({n_words(one) for one in ordered})
    table = [("Words", "Sentences", "Translated without a mistake")]
    for length in lengths:
        of_length = [one.is_right for one in ordered if n_words(one) == length]
        table.append((length, len(of_length), sum(of_length)))
    return Figure(
        _HERE / "encoder_decoder_steps.js",
        {
            "source_vocab": list(read),
            "target_vocab": list(spoken),
            "glosses": [(glosses or {}).get(word, "") for word in spoken],
            "directions": directions,
            "units": units,
            "width": width,
            "top": len(ordered[0].guesses[0]),
            # Column by column, since like beside like compresses best.
            **{name: [row[name] for row in packed] for name in packed[0]},
        },
        state={"shown": {"sentence": 0, "step": min(3, len(ordered[0].source))}},
        css=_HERE / "encoder_decoder_steps.css",
        title=title,
        caption=caption,
        alt=f"{len(ordered)} sentences of {lengths[0]} to {lengths[-1]} words, read into a state of {directions * width} numbers and "
        f"written from it: {n_right} translations are without a mistake.",
        fallback=table,
    )


def n_words(sentence: TracedSentence) -> int:
    """How many words were read, <eos> not counted."""
    return len(sentence.source) - (sentence.source[-1] == END)


def common_words(one: Sequence[str], other: Sequence[str]) -> list[tuple[int, int]]:
    """Places (i, j) with one[i] == other[j], both rising, as many as can be: a longest common subsequence.

    >>> common_words("a b c d".split(), "b c x d".split())
    [(1, 0), (2, 1), (3, 3)]
    """
    most = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]  # of the ends one[i:] and other[j:]
    for i in reversed(range(len(one))):
        for j in reversed(range(len(other))):
            both = most[i + 1][j + 1] + 1 if one[i] == other[j] else 0
            most[i][j] = max(both, most[i + 1][j], most[i][j + 1])
    pairs, i, j = [], 0, 0
    while i < len(one) and j < len(other):
        if one[i] == other[j]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif most[i + 1][j] >= most[i][j + 1]:
            i += 1
        else:
            j += 1
    return pairs


def _number(words) -> dict[str, int]:
    return {word: number for number, word in enumerate(dict.fromkeys(words))}


def _pack(one: TracedSentence, read: Mapping[str, int], spoken: Mapping[str, int], units: int) -> dict:
    """A sentence as the page gets it: words as numbers, states as text."""
    directions, _, d = one.encoder_states.shape
    halves = np.asarray(one.decoder_states).reshape(len(one.written), directions, d)
    common = common_words(one.written, [*one.reference, END])
    right, met = {i for i, _ in common}, {j for _, j in common}
    return {
        "source": [read[word] for word in one.source],
        "reference": [spoken[word] for word in one.reference],
        "right": [int(i in right) for i in range(len(one.written))],
        "met": [int(j in met) for j in range(len(one.reference))],
        "encoder": encode_states(one.encoder_states[..., :units]),
        "decoder": encode_states(halves[..., :units].reshape(1, len(halves), -1)),
        "guesses": [[spoken[word] for word, _ in step] for step in one.guesses],
        "chances": [[round(100 * p) for _, p in step] for step in one.guesses],  # in per cent
    }


def encode_states(states: Float[np.ndarray, "directions time units"]) -> str:
    """The states in quarters, two cells a character, as differences from the step before: what gzip makes small.

    A cell is a level from -4 to 4. Its difference from the same cell one step before (from 0 at first), modulo 9, is a digit to
    the base 9; two digits make the character with the number 35 + 9 * first + second.

    >>> encode_states(np.array([[[0.0, 1.0], [-0.25, 1.0]]]))  # digits 0 4, 8 0
    "'k"
    """
    levels = np.rint(4 * np.clip(states, -1, 1)).astype(int)
    digits = (np.diff(levels, axis=1, prepend=0) % 9).ravel()
    pairs = np.pad(digits, (0, digits.size % 2)).reshape(-1, 2)
    return "".join(chr(35 + 9 * first + second) for first, second in pairs.tolist())


def _check(sentences: Sequence[TracedSentence], units: int) -> tuple[int, int]:
    """The number of directions and the size of each, the same in all sentences."""
    if not 1 <= len(sentences) <= MOST:
        raise ValueError(f"'sentences' must hold from 1 to {MOST}, got {len(sentences)}")
    first = np.shape(sentences[0].encoder_states)
    if len(first) != 3 or first[0] not in (1, 2):
        raise ValueError(f"'encoder_states' must be those of 1 or 2 directions, got shape {first}")
    directions, _, width = first
    if not 1 <= units <= width:
        raise ValueError(f"'units' must be from 1 to {width}, the size of a direction, got {units}")
    top = len(sentences[0].guesses[0]) if len(sentences[0].guesses) else 0
    for one in sentences:
        if not len(one.source) or not len(one.guesses):
            raise ValueError(
                f"'sentences' must have tokens on both sides, got {one.source} and {one.guesses}"
            )
        expected = {
            "encoder_states": (directions, len(one.source), width),
            "decoder_states": (len(one.guesses), directions * width),
        }
        for name, shape in expected.items():
            states = np.asarray(getattr(one, name))
            if states.shape != shape or not (np.abs(states) <= 1 + 1e-6).all():
                high = np.abs(states).max(initial=0.0)
                raise ValueError(
                    f"'{name}' must be {shape} numbers from -1 to 1, got {states.shape} and up to {high:.3g}"
                )
        sizes = {len(step) for step in one.guesses}
        if sizes != {top} or not top:
            raise ValueError(
                f"'guesses' must be as many at each step, at least 1, got {sorted(sizes | {top})}"
            )
        chances = [p for step in one.guesses for _, p in step]
        if not all(0 <= p <= 1 for p in chances):
            raise ValueError(
                f"'guesses' must have probabilities from 0 to 1, got {min(chances)} to {max(chances)}"
            )
    return directions, width
