"""The unigram tokenizer of SentencePiece and T5: text as one stream, spaces written as `▁`, best segmentation.

No rule says what a word is: a space is a character like others, written `▁` (U+2581), and joins the piece behind
it: ` boat` is `▁boat`. So the pieces joined are the text, and decoding is joining. Sources: Kudo 2018 (the model,
see `unigram_model.py`), Kudo & Richardson, "SentencePiece" (2018) (the stream).
"""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby

from lmcourse.tokens.base import Tokenizer
from lmcourse.tokens.bpe_fallback import BYTE_PIECES, SPACE
from lmcourse.tokens.charsmap import Charsmap
from lmcourse.tokens.checks import check_special_tokens, check_text, check_vocab_size, checked_texts, shorten
from lmcourse.tokens.merging import WordCache
from lmcourse.tokens.special import AddedToken, TokenSplitter
from lmcourse.tokens.unigram_json import unigram_arguments, unigram_sections
from lmcourse.tokens.unigram_model import PieceScores, n_best, sample, viterbi
from lmcourse.tokens.unigram_stream import TEXTS_OWN_SIGN, Stream, count_chunks
from lmcourse.tokens.unigram_train import train_unigram

UNKNOWN = "<unk>"
_byte_of = {piece: byte for byte, piece in enumerate(BYTE_PIECES)}


class UnigramTokenizer(Tokenizer):
    """The segmentation with the highest probability under a unigram model of pieces.

    With the default `stream`, `decode(encode(text)) == text` for every text of known characters, spaces and line
    ends included: nothing is normalized, each space becomes one `▁`, and the `▁` put in front of the text (so
    that a word at its beginning looks like any other) is taken off again. The same holds after each special token.
    Unknown characters become `<unk>`, one for a run of them, or with `byte_fallback` the bytes of their UTF-8,
    `<0xE2><0x82><0xAC>`, and then *every* text comes back. A `▁` of the text's own counts as unknown
    (SentencePiece and `tokenizers` take it for a space). Bytes that are no UTF-8 are decoded to U+FFFD.

    Args:
        vocab: token -> id, 0 to n - 1.
        scores: piece -> log-probability; tokens without one (special tokens, bytes) are never found in text.
        special_tokens, unk_token: as in `Tokenizer`.
        byte_fallback: whether unknown characters become bytes; all of `<0x00>` to `<0xFF>` must be in `vocab`.
        stream: how the text is prepared.
        split_at_spaces: whether pieces with a `▁` inside are left unused. (Training makes none.)

    >>> scores = {"▁": -2.0, "▁boat": -3.0, "s": -4.0, "▁boats": -6.0}
    >>> vocab = {token: i for i, token in enumerate(["<unk>", *scores])}
    >>> tokenizer = UnigramTokenizer(vocab, scores)
    >>> tokenizer.tokenize("boats boat?"), tokenizer.decode(tokenizer.encode("boats boat?"))
    (['▁boats', '▁boat', '<unk>'], 'boats boat<unk>')

    Raises:
        ValueError: the ids are not 0 to n - 1, or a piece or byte is not in `vocab`.
    """

    def __init__(
        self,
        vocab: Mapping[str, int],
        scores: Mapping[str, float],
        special_tokens: Sequence[str] = (UNKNOWN,),
        unk_token: str | None = UNKNOWN,
        *,
        byte_fallback: bool = False,
        stream: Stream | None = None,
        split_at_spaces: bool = True,
    ) -> None:
        super().__init__(vocab, special_tokens, unk_token)
        if sorted(vocab.values()) != list(range(len(vocab))):
            raise ValueError(f"'vocab' must number its {len(vocab)} tokens from 0 to {len(vocab) - 1}")
        for token in (*scores, *(BYTE_PIECES if byte_fallback else ())):
            if token not in vocab:
                raise ValueError(f"'vocab' must have all pieces with scores and all bytes, but not {token!r}")
        self.to_stream = stream or Stream()
        self.byte_fallback = byte_fallback
        self.split_at_spaces = split_at_spaces or self.to_stream.whitespace == "words"
        self.file_vocab = [(token, scores.get(token, 0.0)) for token in sorted(vocab, key=vocab.__getitem__)]
        self.scores = PieceScores(
            {piece: p for piece, p in scores.items() if not (self.split_at_spaces and SPACE in piece[1:])}
        )
        # Neighbours that stand together inside some piece: between any others, every segmentation has a cut.
        self._neighbours = {piece[i : i + 2] for piece in self.scores for i in range(len(piece) - 1)}
        self._known = WordCache(self._stretch_ids)

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
        remove_extra_whitespaces: bool = False,
        max_piece_length: int = 16,
    ) -> "UnigramTokenizer":
        """Learn at most `vocab_size` tokens: special tokens (`<unk>` is added if missing), bytes, pieces.

        Pieces come in the order of their probability. (The vocabulary is smaller if the text has too few
        substrings that occur twice.)

        >>> UnigramTokenizer.train(["a boat, a boat, a boat"], 20).tokenize("a boat")
        ['▁a', '▁boat']

        Raises:
            ValueError: no text, or `vocab_size` below special tokens + bytes + alphabet.
        """
        special_tokens = check_special_tokens(special_tokens)
        if UNKNOWN not in special_tokens:
            special_tokens = (*special_tokens, UNKNOWN)
        if max_piece_length < 1:
            raise ValueError(f"'max_piece_length' must be at least 1, got {max_piece_length}")
        stream = Stream(
            normalization,
            dummy_prefix="always" if add_dummy_prefix else "never",
            whitespace="words" if remove_extra_whitespaces else "keep",
        )
        splitter = TokenSplitter(map(AddedToken, special_tokens))
        chunks = count_chunks(
            stream(part)
            for text in checked_texts(texts)
            for part, is_token in splitter.split(text)[0]
            if not is_token
        )
        if not chunks:
            raise ValueError("'texts' must hold some text to learn from, got only special tokens")
        reserved = [*special_tokens, *(BYTE_PIECES if byte_fallback else ())]
        alphabet = {SPACE}.union(*chunks)
        needs = f"{len(reserved)} special tokens and bytes, {len(alphabet)} different characters"
        check_vocab_size(vocab_size, len(reserved) + len(alphabet), needs)
        chunks[SPACE] += 1  # the space is a piece, even where the text has none
        scores = train_unigram(
            chunks, vocab_size - len(reserved), max_length=max_piece_length, progress=progress
        )
        # Normalization may spell a special token where there was none: that is no piece.
        # Rounded, for the last digits of a logarithm differ from one processor to the next.
        scores = {p: round(score, 6) for p, score in scores.items() if p not in special_tokens}
        return cls(
            {token: i for i, token in enumerate([*reserved, *scores])},
            scores,
            special_tokens,
            byte_fallback=byte_fallback,
            stream=stream,
        )

    def _encode_ordinary(self, text: str) -> list[int]:
        return self._stream_ids(self.to_stream(text))

    def _encode_continuation(self, text: str) -> list[int]:
        return self._stream_ids(self.to_stream(text, continues=True))

    def _stream_ids(self, stream: str) -> list[int]:
        return list(chain.from_iterable(map(self._known.__getitem__, self._stretches(stream))))

    def _stretch_ids(self, stretch: str) -> list[int]:
        return [self.vocab[token] for token in self._spell(viterbi(stretch, self.scores))]

    def _stretches(self, stream: str) -> Iterator[str]:
        """Cut a stream where every segmentation has a cut: the best of the whole is that of the parts."""
        start = 0
        for position in range(1, len(stream)):
            if self._is_cut(stream[position - 1], stream[position]):
                yield stream[start:position]
                start = position
        if stream:
            yield stream[start:]

    def _is_cut(self, before: str, after: str) -> bool:
        # No piece holds both, and they are not two unknown characters, which would become one `<unk>`.
        return before + after not in self._neighbours and (before in self.scores or after in self.scores)

    def _safe_cut(self, text: str) -> int:
        if self.to_stream.normalization is None and self.to_stream.whitespace == "keep":
            stream = self.to_stream(text, continues=True)  # character by character the text itself
            places = range(len(text) - 1, 0, -1)
            return next((place for place in places if self._is_cut(*stream[place - 1 : place + 1])), 0)
        cuts = (place for place, before in self.to_stream.cuts(text) if self._is_cut(before, SPACE))
        return next(cuts, 0)

    def _spell(self, pieces: Iterable[str]) -> list[str]:
        """The tokens of pieces, some of which may be unknown characters."""
        tokens: list[str] = []
        after_unknown = False
        for piece in pieces:
            known = piece in self.scores
            if known:
                tokens.append(piece)
            elif self.byte_fallback:
                tokens += [BYTE_PIECES[byte] for byte in piece.replace(TEXTS_OWN_SIGN, SPACE).encode()]
            elif self.unk_token is None:
                raise ValueError(
                    f"'text' must have known characters only (there is no unk_token), got {piece!r}"
                )
            elif not after_unknown:
                tokens.append(self.unk_token)
            after_unknown = not known
        return tokens

    def n_best(self, text: str, n: int) -> list[tuple[list[str], float]]:
        """The `n` best segmentations of a text without special tokens, with their log-probabilities."""
        if any(is_token for _, is_token in self._splitter.split(check_text(text))[0]):
            raise ValueError(f"'text' must hold no special token, got {shorten(text)}")
        best = n_best(self.to_stream(text), self.scores, n)
        return [(self._spell(pieces), log_probability) for pieces, log_probability in best]

    def sample(self, text: str, alpha: float = 0.1, generator: random.Random | None = None) -> list[str]:
        """Draw a segmentation with probability in proportion to P^alpha (subword regularization).

        A model that reads a text cut differently each time learns from more of the pieces (Kudo 2018). The ids
        are `[tokenizer.vocab[token] for token in tokens]`. See `unigram_model.sample`.
        """
        tokens: list[str] = []
        for part, is_token in self._splitter.split(check_text(text))[0]:
            if is_token:
                tokens.append(part)
                continue
            for stretch in self._stretches(self.to_stream(part)):
                tokens += self._spell(sample(stretch, self.scores, alpha, generator))
        return tokens

    def _decode_tokens(self, tokens: list[str]) -> str:
        # Not cut at `<unk>`: it stands in the middle of a text, and no `▁` was put in behind it.
        cuts = self._splitter.tokens.keys() - {self.unk_token}
        runs = groupby(tokens, key=cuts.__contains__)
        return "".join("".join(run) if is_cut else self._decode_ordinary(list(run)) for is_cut, run in runs)

    def _decode_ordinary(self, tokens: list[str]) -> str:
        parts: list[str] = []
        for are_bytes, run in groupby(tokens, key=lambda token: self.byte_fallback and token in _byte_of):
            if are_bytes:
                parts.append(bytes(map(_byte_of.__getitem__, run)).decode(errors="replace"))
            else:
                parts += (token.replace(SPACE, " ") for token in run)
        text = "".join(parts)
        return text if self.to_stream.dummy_prefix == "never" else text.removeprefix(" ")

    def _model_json(self) -> dict:
        return unigram_sections(
            self.file_vocab,
            self.vocab.get(self.unk_token),
            self.byte_fallback,
            self.to_stream,
            self.split_at_spaces,
        )

    @classmethod
    def _from_json(cls, spec: dict) -> "UnigramTokenizer":
        return cls(**unigram_arguments(spec))
