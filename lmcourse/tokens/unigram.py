"""The unigram tokenizer of SentencePiece and T5: text as one stream, spaces written as `▁`, best segmentation.

No rule says what a word is: a space is a character like others, written `▁` (U+2581), and joins the piece behind
it: ` boat` is `▁boat`. So the pieces joined are the text, and decoding is joining. Sources: Kudo 2018 (the model,
see `unigram_model.py`), Kudo & Richardson, "SentencePiece" (2018) (the stream).
"""

import random
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Self

import regex

from lmcourse.tokens.base import Tokenizer
from lmcourse.tokens.charsmap import Charsmap
from lmcourse.tokens.checks import check_special_tokens, check_vocab_size, checked_texts
from lmcourse.tokens.special import AddedToken, TokenSplitter
from lmcourse.tokens.unigram_model import PieceScores, n_best, sample, viterbi
from lmcourse.tokens.unigram_train import SPACE, count_chunks, train_unigram

UNKNOWN = "<unk>"
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
_byte_of = {piece: byte for byte, piece in enumerate(BYTES)}
# A `▁` that stands in the text itself must not be read as a space: it becomes a sign that no text can hold.
_TEXTS_OWN = "\udc00"
_white_space = regex.compile(r"\p{White_Space}+")


class UnigramTokenizer(Tokenizer):
    """The segmentation with the highest probability under a unigram model of pieces.

    With the defaults, `decode(encode(text)) == text` for every text of known characters, spaces and line ends
    included: nothing is normalized, each space becomes one `▁`, and the `▁` put in front of the text (so that a
    word at its beginning looks like any other) is taken off again. The same holds after every special token.
    Unknown characters become `<unk>`, one for a run of them, or with `byte_fallback` the bytes of their UTF-8,
    `<0xE2><0x82><0xAC>`, and then *every* text comes back. A `▁` of the text's own counts as unknown
    (SentencePiece and `tokenizers` take it for a space). Bytes that are no UTF-8 are decoded to U+FFFD.

    Args:
        vocab: token -> id, 0 to n - 1.
        scores: piece -> log-probability; tokens without one (special tokens, bytes) are never found in text.
        special_tokens, unk_token: as in `Tokenizer`.
        byte_fallback: whether unknown characters become bytes.
        normalization: None; "nfkc" (Unicode's compatibility form: `ﬁ` becomes `fi`, `①` becomes `1`); or the
            rules of a SentencePiece model.
        dummy_prefix: whether a `▁` is put in front: "always", "never", or "unless_space" (not if the text
            begins with a space; then `x` and ` x` become the same, as in `tokenizers`' Metaspace).
        remove_extra_whitespaces: take every stretch of white space for one space, and none at the ends.
        split_at_spaces: whether pieces with a `▁` inside are left unused. (Training makes none.)

    Raises:
        ValueError: the ids are not 0 to n - 1, or one of the other arguments is none of those named here.
    """

    def __init__(
        self,
        vocab: Mapping[str, int],
        scores: Mapping[str, float],
        special_tokens: Sequence[str] = (UNKNOWN,),
        unk_token: str | None = UNKNOWN,
        *,
        byte_fallback: bool = False,
        normalization: str | Charsmap | None = None,
        dummy_prefix: str = "always",
        remove_extra_whitespaces: bool = False,
        split_at_spaces: bool = True,
    ) -> None:
        super().__init__(vocab, special_tokens, unk_token)
        if sorted(vocab.values()) != list(range(len(vocab))):
            raise ValueError(f"'vocab' must number its {len(vocab)} tokens from 0 to {len(vocab) - 1}")
        missing = next((piece for piece in scores if piece not in vocab), None)
        if missing is not None:
            raise ValueError(f"'scores' must be those of tokens in 'vocab', got {missing!r}")
        if normalization not in (None, "nfkc") and not isinstance(normalization, Charsmap):
            raise ValueError(f"'normalization' must be None, 'nfkc' or a Charsmap, got {normalization!r}")
        if dummy_prefix not in ("always", "never", "unless_space"):
            raise ValueError(
                f"'dummy_prefix' must be 'always', 'never' or 'unless_space', got {dummy_prefix!r}"
            )
        self.scores = PieceScores(
            {piece: score for piece, score in scores.items() if not (split_at_spaces and SPACE in piece[1:])}
        )
        self.byte_fallback = byte_fallback and all(piece in vocab for piece in BYTES)
        self.normalization = normalization
        self.dummy_prefix = dummy_prefix
        self.remove_extra_whitespaces = remove_extra_whitespaces
        self._file_vocab = [[token, scores.get(token, 0.0)] for token in sorted(vocab, key=vocab.__getitem__)]
        # Neighbours that stand together inside some piece: between any others, every segmentation has a cut.
        self._neighbours = {piece[i : i + 2] for piece in self.scores for i in range(len(piece) - 1)}
        self._known: dict[str, list[str]] = {}  # stretches met before

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        vocab_size: int,
        special_tokens: Sequence[str] = (),
        *,
        progress: bool = False,
        byte_fallback: bool = False,
        normalization: str | Charsmap | None = None,
        add_dummy_prefix: bool = True,
        max_piece_length: int = 16,
    ) -> Self:
        """Learn at most `vocab_size` tokens: special tokens (`<unk>` is added if missing), bytes, pieces.

        Pieces come in the order of their probability. (The vocabulary is smaller if the text has too few
        substrings that occur twice.)

        Raises:
            ValueError: no text, or `vocab_size` below special tokens + bytes + alphabet.
        """
        special_tokens = check_special_tokens(special_tokens)
        if UNKNOWN not in special_tokens:
            special_tokens = (*special_tokens, UNKNOWN)
        if max_piece_length < 1:
            raise ValueError(f"'max_piece_length' must be at least 1, got {max_piece_length}")
        reserved = [*special_tokens, *(BYTES if byte_fallback else ())]
        options = {
            "byte_fallback": byte_fallback,
            "normalization": normalization,
            "dummy_prefix": "always" if add_dummy_prefix else "never",
        }
        # A tokenizer without pieces of its own prepares the texts just as the trained one will.
        blank = cls({token: i for i, token in enumerate([*reserved, SPACE])}, {SPACE: 0.0}, special_tokens, **options)
        chunks = count_chunks(
            blank._to_stream(part)
            for text in checked_texts(texts)
            for part, is_token in blank._splitter.split(text)[0]
            if not is_token
        )
        ...
