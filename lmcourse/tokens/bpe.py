"""Byte-level BPE as GPT-2 and its successors use it: a fast trainer, a fast encoder, no unknown text.

The module `bpe_simple` says what is computed; this one does the same with less work. One trick carries both the
trainer and the encoder: the piece with id n is held as the character number n. A word is then an ordinary str,
a pair is a str of two characters, and Python's own `find` and `replace` do the merging.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain

from tqdm.auto import tqdm

from lmcourse.tokens.base import Tokenizer
from lmcourse.tokens.bpe_simple import merge_names
from lmcourse.tokens.bpe_train import train_bpe
from lmcourse.tokens.checks import check_special_tokens, check_vocab_size, checked_texts, shorten
from lmcourse.tokens.json_fields import merges_from_json, refuse_features, vocab_from_json
from lmcourse.tokens.merging import Merger, WordCache
from lmcourse.tokens.pretokenize import (
    BYTE_ALPHABET,
    BYTE_CHARACTERS,
    GPT2_PATTERN,
    to_byte_characters,
    to_bytes,
)
from lmcourse.tokens.special import AddedToken, TokenSplitter
from lmcourse.tokens.split_rules import (
    GPT2_RULE,
    SplitRule,
    rules_from_json,
    rules_to_json,
    safe_cut,
    split_words,
)


class BPETokenizer(Tokenizer):
    """Byte-pair encoding over the bytes of UTF-8 (Radford et al. 2019, section 2.2).

    Every one of the 256 bytes is a piece, so any text can be spelt, and `decode(encode(text)) == text`. (With
    `nfc` the text comes back in that form.) Pieces are written in GPT-2's byte characters: `Ġ` is a space.

    Args:
        merges: pairs of pieces in the order in which they were learnt; earlier ones are applied first.
        special_tokens: tokens that are never split.
        vocab: piece -> id; by default the special tokens, the 256 bytes, then the merged pieces.
        rules: how a text is cut into words before any merge.
        nfc: bring the text into Unicode's composed normal form first.
        add_prefix_space: put a space in front of a text that does not begin with one.
        ignore_merges: take a word that is a piece of the vocabulary as it is, whatever the merges say.

    >>> tokenizer = BPETokenizer([("l", "o"), ("lo", "w"), ("Ġ", "low")], special_tokens=["<eos>"])
    >>> tokenizer.tokenize("low lows<eos>"), tokenizer.encode("low lows<eos>")
    (['low', 'Ġlow', 's', '<eos>'], [258, 259, 83, 0])

    Raises:
        ValueError: a merge of pieces that the vocabulary lacks, or a vocabulary that lacks a byte.
    """

    def __init__(
        self,
        merges: Sequence[tuple[str, str]],
        special_tokens: Sequence[str] = (),
        *,
        vocab: Mapping[str, int] | None = None,
        rules: Sequence[SplitRule] = (GPT2_RULE,),
        nfc: bool = False,
        add_prefix_space: bool = False,
        ignore_merges: bool = False,
    ) -> None:
        special_tokens = _check_not_bytes(check_special_tokens(special_tokens))
        self.merges = [(left, right) for left, right in merges]
        if vocab is None:
            pieces = dict.fromkeys([*special_tokens, *BYTE_ALPHABET, *map("".join, self.merges)])
            vocab = {piece: piece_id for piece_id, piece in enumerate(pieces)}
        super().__init__(vocab, special_tokens)
        missing = [character for character in BYTE_ALPHABET if character not in vocab]
        if missing:
            raise ValueError(
                f"'vocab' must have all 256 byte characters, {len(missing)} are missing: {missing[0]!r}"
            )
        self.rules = tuple(rules)
        self.nfc = nfc
        self.add_prefix_space = add_prefix_space
        self.ignore_merges = ignore_merges
        self._pieces = dict(vocab)  # self.vocab may gain added tokens later; those are no pieces of words
        self._merger = Merger(self.merges, vocab)
        self._symbol_of_byte = {byte: chr(vocab[character]) for byte, character in BYTE_CHARACTERS.items()}
        self._words = WordCache(self._encode_word)

    # --- training ---

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        vocab_size: int,
        special_tokens: Sequence[str] = (),
        *,
        progress: bool = False,
        min_frequency: int = 2,
        pattern: str = GPT2_PATTERN,
    ) -> "BPETokenizer":
        """Learn merges from texts until the vocabulary has `vocab_size` tokens.

        The vocabulary stays smaller when the texts have no pair left that occurs `min_frequency` times (a pair
        that occurs once saves nothing); see `vocab_size` of the result. Ties between pairs go to the one whose
        pieces were learnt first, as in the trainer of `tokenizers`, so both learn the same merges. Special
        tokens in the texts are left out of what is learnt from.

        >>> BPETokenizer.train(["low lower lowest"], 260, ["<eos>"]).merges
        [('l', 'o'), ('lo', 'w'), ('Ġ', 'low')]

        Raises:
            ValueError: no text, or a `vocab_size` without room for the 256 bytes and the special tokens.
        """
        special_tokens = _check_not_bytes(check_special_tokens(special_tokens))
        smallest = len(BYTE_ALPHABET) + len(special_tokens)
        check_vocab_size(vocab_size, smallest, f"256 bytes and {len(special_tokens)} special tokens")
        rules = [SplitRule(pattern)]
        splitter = TokenSplitter(map(AddedToken, special_tokens))
        word_counts: Counter[str] = Counter()
        for text in tqdm(checked_texts(texts), desc="texts", disable=not progress):
            for part, is_token in splitter.split(text)[0]:
                if not is_token:
                    word_counts.update(split_words(part, rules))
        merges = train_bpe(
            word_counts,
            vocab_size - len(special_tokens),
            min_frequency,
            never=special_tokens,
            progress=progress,
        )
        return cls(merge_names(merges), special_tokens, rules=rules)

    # --- text to ids and back ---

    def _encode_ordinary(self, text: str) -> list[int]:
        if self.add_prefix_space and not text.startswith(" "):
            text = " " + text
        return self._encode_continuation(text)

    def _encode_continuation(self, text: str) -> list[int]:
        if self.nfc:
            text = unicodedata.normalize("NFC", text)
        words = split_words(text, self.rules)
        return list(chain.from_iterable(map(self._words.__getitem__, words)))

    def _encode_word(self, word: str) -> list[int]:
        if self.ignore_merges and (whole := self._pieces.get(to_byte_characters(word))) is not None:
            return [whole]
        as_latin_1 = word.encode().decode("latin-1")  # reads byte b as character number b
        symbols = as_latin_1.translate(self._symbol_of_byte)
        return list(map(ord, self._merger.merge(symbols)))

    def _safe_cut(self, text: str) -> int:
        return safe_cut(text, self.rules)

    def _decode_ordinary(self, tokens: list[str]) -> str:
        return b"".join(map(self._bytes_of.__getitem__, tokens)).decode(errors="replace")

    @cached_property
    def _bytes_of(self) -> dict[str, bytes]:
        """The bytes of each piece. (What a file spells otherwise than in byte characters stands for itself.)"""
        spelt = set(BYTE_ALPHABET)
        return {
            piece: to_bytes(piece) if spelt.issuperset(piece) else piece.encode() for piece in self._pieces
        }

    # --- files ---

    def _model_json(self) -> dict:
        return {
            "normalizer": {"type": "NFC"} if self.nfc else None,
            "pre_tokenizer": rules_to_json(self.rules, self.add_prefix_space),
            "decoder": {
                "type": "ByteLevel",
                "add_prefix_space": True,
                "trim_offsets": True,
                "use_regex": True,
            },
            "model": {
                "type": "BPE",
                "dropout": None,
                "unk_token": None,
                "continuing_subword_prefix": None,
                "end_of_word_suffix": None,
                "fuse_unk": False,
                "byte_fallback": False,
                "ignore_merges": self.ignore_merges,
                "vocab": self.vocab,
                "merges": [f"{left} {right}" for left, right in self.merges],
            },
        }

    @classmethod
    def _from_json(cls, spec: dict) -> "BPETokenizer":
        model, normalizer = spec["model"], spec.get("normalizer")
        refuse_features(
            model, dropout=0, continuing_subword_prefix="", end_of_word_suffix="", byte_fallback=False
        )
        rules, add_prefix_space = rules_from_json(spec.get("pre_tokenizer"))
        if normalizer not in (None, {"type": "NFC"}):
            raise ValueError(f"'normalizer' must be NFC or none for this model, got {shorten(normalizer)}")
        if (spec.get("decoder") or {}).get("type") != "ByteLevel":
            raise ValueError(
                f"'decoder' must be ByteLevel for this model, got {shorten(spec.get('decoder'))}"
            )
        return cls(
            merges_from_json(model),
            vocab=vocab_from_json(model),
            rules=rules,
            nfc=normalizer is not None,
            add_prefix_space=add_prefix_space,
            ignore_merges=bool(model.get("ignore_merges")),
        )


def _check_not_bytes(special_tokens: tuple[str, ...]) -> tuple[str, ...]:
    for token in special_tokens:
        if token in BYTE_ALPHABET:
            raise ValueError(f"'special_tokens' must not be one of the 256 byte characters, got {token!r}")
    return special_tokens
