"""The stream that SentencePiece reads: a text as it is, with spaces made visible.

No rule says what a word is. A space is a character like others, written `▁`, and joins the piece behind it:
` boat` is `▁boat`. So the pieces joined are the text. Source: Kudo & Richardson, "SentencePiece" (EMNLP 2018).
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import regex

from lmcourse.tokens.bpe_fallback import SPACE
from lmcourse.tokens.charsmap import Charsmap

TEXTS_OWN_SIGN = "\udc00"  # for a `▁` that the text itself holds: a half character, which no text may hold

# A piece may begin with a space; apart from that it holds only letters, only other signs, or only line ends.
CHUNK = regex.compile(
    rf"{SPACE}?[\p{{L}}\p{{M}}]+|{SPACE}?[^\p{{L}}\p{{M}}\n{SPACE}{TEXTS_OWN_SIGN}]+|\n+|{SPACE}"
)

DUMMY_PREFIXES = ("always", "never", "unless_space")
WHITESPACE = ("keep", "words", "squeeze", "squeeze_right")

_white_space = regex.compile(r"\p{White_Space}+")
_white_end = regex.compile(r"\p{White_Space}+\Z")
_before_a_space = regex.compile(r"(?r)(?<=\S)(?= )")


@dataclass(frozen=True)
class Stream:
    """How a text becomes the stream that pieces are cut from.

    Args:
        normalization: None; "nfkc", Unicode's compatibility form (`ﬁ` becomes `fi`, `①` becomes `1`); or the
            rules of a SentencePiece model.
        dummy_prefix: whether a `▁` is put in front, so that a word looks the same at the beginning of a text:
            "always", "never", or "unless_space" (not if a space is there; then `x` and ` x` become the same).
        whitespace: "keep": each space becomes a `▁`; "words": any stretch of white space counts as one space,
            and none at the ends, as SentencePiece has it by default; "squeeze": a run of spaces counts as one;
            "squeeze_right": the same, and no white space at the end. (Files of real models have all of these.)

    >>> Stream()("two  boats"), Stream(whitespace="words")("two  boats ")
    ('▁two▁▁boats', '▁two▁boats')
    """

    normalization: str | Charsmap | None = None
    dummy_prefix: str = "always"
    whitespace: str = "keep"

    def __post_init__(self) -> None:
        if self.normalization not in (None, "nfkc") and not isinstance(self.normalization, Charsmap):
            raise ValueError(
                f"'normalization' must be None, 'nfkc' or a Charsmap, got {self.normalization!r}"
            )
        if self.dummy_prefix not in DUMMY_PREFIXES:
            raise ValueError(f"'dummy_prefix' must be one of {DUMMY_PREFIXES}, got {self.dummy_prefix!r}")
        if self.whitespace not in WHITESPACE:
            raise ValueError(f"'whitespace' must be one of {WHITESPACE}, got {self.whitespace!r}")
        if self.whitespace == "words" and self.dummy_prefix != "always":
            raise ValueError(
                f"'dummy_prefix' must be 'always' with whitespace='words', got {self.dummy_prefix!r}"
            )

    def __call__(self, text: str, continues: bool = False) -> str:
        """The stream of a text; that of one which `continues` a text has no prefix of its own."""
        text = self._normalize(text)
        if self.whitespace == "words":
            words = [word for word in _white_space.split(text) if word]
            text = " ".join(["", *words] if continues else words)
        elif self.whitespace != "keep":
            if self.whitespace == "squeeze_right":
                text = _white_end.sub("", text)
            text = regex.sub(" {2,}", " ", text)
        stream = text.replace(SPACE, TEXTS_OWN_SIGN).replace(" ", SPACE)
        prefix = self.dummy_prefix == "always" or (
            self.dummy_prefix == "unless_space" and stream[:1] != SPACE
        )
        return SPACE + stream if stream and prefix and not continues else stream

    def cuts(self, text: str) -> Iterator[tuple[int, str]]:
        """Places such that, whatever follows the text, its stream is that of `text[:place]` and that of what
        begins at `place` and continues it; from the right, each with the last character of the stream before.

        They are in front of spaces: no normalization reaches across one. What is left of the word in front
        must not end in white space, or that and the space could become one.
        """
        for match in _before_a_space.finditer(text):
            place = match.start()
            word = self._normalize(text[max(text.rfind(" ", 0, place), 0) : place])
            if word and not word[-1].isspace():
                yield place, word[-1].replace(SPACE, TEXTS_OWN_SIGN)

    def _normalize(self, text: str) -> str:
        if self.normalization == "nfkc":
            return unicodedata.normalize("NFKC", text)
        return text if self.normalization is None else self.normalization.normalize(text)


def count_chunks(texts: Iterable[str]) -> Counter[str]:
    """Cut texts, whose spaces are written as `▁`, into the stretches that no piece may cross.

    >>> count_chunks(["▁two▁boats,▁two▁piers."])["▁two"]
    2
    """
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(CHUNK.findall(text))
    return counts
