"""BPE over characters with bytes to fall back on: what SentencePiece made for Llama and Phi-3.

It differs from GPT-2's BPE in three ways. A space is written `▁` and one is put in front of the text. There are
no words: merges run over the whole text, only that no learnt piece has a `▁` behind anything else, so text
may be cut in front of it. A character that the vocabulary lacks is spelt in pieces `<0x00>` to `<0xFF>`.
(Kudo & Richardson 2018, "SentencePiece"; the fall-back came with Touvron et al. 2023, "LLaMA", section 2.1.)
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, groupby

import regex

from lmcourse.tokens.base import Tokenizer
from lmcourse.tokens.checks import shorten
from lmcourse.tokens.json_fields import merges_from_json, refuse_features, vocab_from_json
from lmcourse.tokens.merging import Merger, WordCache

SPACE = "▁"
BYTE_PIECES = [f"<0x{byte:02X}>" for byte in range(256)]
_byte_of = {piece: byte for byte, piece in enumerate(BYTE_PIECES)}
_word = regex.compile(f"{SPACE}*[^{SPACE}]+|{SPACE}+")
_before_space = regex.compile(f"(?r)(?<=[^ {SPACE}])(?=[ {SPACE}])")

_PREPEND = {"type": "Prepend", "prepend": SPACE}
_REPLACE = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
_BACK = {"type": "Replace", "pattern": {"String": SPACE}, "content": " "}
_DECODERS = [_BACK, {"type": "ByteFallback"}, {"type": "Fuse"}]
_STRIP = {"type": "Strip", "content": " ", "start": 1, "stop": 0}


class ByteFallbackBPETokenizer(Tokenizer):
    """BPE as in Llama and Phi-3; made from a file, it has no trainer here.

    Args:
        vocab: piece -> id, with all 256 byte pieces. merges: pairs of pieces, the first is applied first.
        prefix_space: put a space in front of each text (and of the text behind a special token), and take it
            off again in `decode`. ignore_merges: take a whole text that is a piece as it is.

    >>> vocab = {piece: piece_id for piece_id, piece in enumerate([*BYTE_PIECES, "▁", "h", "i", "hi", "▁hi"])}
    >>> tokenizer = ByteFallbackBPETokenizer(vocab, [("h", "i"), ("▁", "hi")])
    >>> tokenizer.tokenize("hi hié"), tokenizer.decode(tokenizer.encode("hi hié"))
    (['▁hi', '▁hi', '<0xC3>', '<0xA9>'], 'hi hié')
    """

    def __init__(
        self,
        vocab: Mapping[str, int],
        merges: Sequence[tuple[str, str]],
        special_tokens: Sequence[str] = (),
        unk_token: str | None = None,
        *,
        prefix_space: bool = True,
        ignore_merges: bool = False,
    ) -> None:
        super().__init__(vocab, special_tokens, unk_token)
        missing = [piece for piece in BYTE_PIECES if piece not in vocab]
        if missing:
            raise ValueError(
                f"'vocab' must have all 256 byte pieces, {len(missing)} are missing: {missing[0]!r}"
            )
        self.merges = [(left, right) for left, right in merges]
        self.prefix_space = prefix_space
        self.ignore_merges = ignore_merges
        self._pieces = dict(vocab)
        self._merger = Merger(self.merges, vocab)
        # A piece with a space behind something else would make the place in front of that space unsafe to cut.
        self._may_cut = not any(
            regex.search(f"[^{SPACE}]{SPACE}", left + right) for left, right in self.merges
        )
        self._words = WordCache(self._encode_word)

    @classmethod
    def train(
        cls, texts: Iterable[str], vocab_size: int, special_tokens: Sequence[str] = (), **options
    ) -> "ByteFallbackBPETokenizer":
        """Not part of the course: see `BPETokenizer.train` and `UnigramTokenizer.train`."""
        raise NotImplementedError(
            "ByteFallbackBPETokenizer is only read from files; train a BPETokenizer instead"
        )

    def _encode_ordinary(self, text: str) -> list[int]:
        return self._encode_spaced(SPACE * self.prefix_space + text.replace(" ", SPACE))

    def _encode_continuation(self, text: str) -> list[int]:
        return self._encode_spaced(text.replace(" ", SPACE))

    def _encode_spaced(self, text: str) -> list[int]:
        if self.ignore_merges and text in self._pieces:
            return [self._pieces[text]]
        words = _word.findall(text) if self._may_cut else [text]
        return list(chain.from_iterable(map(self._words.__getitem__, words)))

    def _encode_word(self, word: str) -> list[int]:
        return list(map(ord, self._merger.merge("".join(map(self._symbols, word)))))

    def _symbols(self, character: str) -> str:
        if character in self._pieces:
            return chr(self._pieces[character])
        return "".join(chr(self._pieces[BYTE_PIECES[byte]]) for byte in character.encode())

    def _safe_cut(self, text: str) -> int:
        place = _before_space.search(text) if self._may_cut and not self.ignore_merges else None
        return place.start() if place else 0

    def _decode_tokens(self, tokens: list[str]) -> str:
        text = self._decode_ordinary(tokens)
        return text[1:] if self.prefix_space and text.startswith(" ") else text

    def _decode_ordinary(self, tokens: list[str]) -> str:
        parts = []
        for is_bytes, run in groupby(tokens, key=_byte_of.__contains__):
            if is_bytes:
                parts.append(_text_of_bytes(bytes(_byte_of[piece] for piece in run)))
            else:
                parts.append("".join(run).replace(SPACE, " "))
        return "".join(parts)

    def _model_json(self) -> dict:
        return {
            "normalizer": {"type": "Sequence", "normalizers": [_PREPEND, _REPLACE]}
            if self.prefix_space
            else _REPLACE,
            "pre_tokenizer": None,
            "decoder": {
                "type": "Sequence",
                "decoders": [*_DECODERS, _STRIP] if self.prefix_space else _DECODERS,
            },
            "model": {
                "type": "BPE",
                "dropout": None,
                "unk_token": self.unk_token,
                "continuing_subword_prefix": None,
                "end_of_word_suffix": None,
                "fuse_unk": True,
                "byte_fallback": True,
                "ignore_merges": self.ignore_merges,
                "vocab": self.vocab,
                "merges": [[left, right] for left, right in self.merges],
            },
        }

    @classmethod
    def _from_json(cls, spec: dict) -> "ByteFallbackBPETokenizer":
        model = spec["model"]
        refuse_features(model, dropout=0, continuing_subword_prefix="", end_of_word_suffix="")
        if spec.get("pre_tokenizer") is not None:
            raise ValueError(
                f"'pre_tokenizer' must be none for BPE with byte_fallback, got {shorten(spec['pre_tokenizer'])}"
            )
        prefix_space = _steps(spec, "normalizer", "normalizers") == [_PREPEND, _REPLACE]
        if not prefix_space and _steps(spec, "normalizer", "normalizers") != [_REPLACE]:
            raise ValueError(
                f"'normalizer' must write spaces as {SPACE!r} for BPE with byte_fallback, "
                f"got {shorten(spec.get('normalizer'), 120)}"
            )
        if _steps(spec, "decoder", "decoders") != ([*_DECODERS, _STRIP] if prefix_space else _DECODERS):
            raise ValueError(
                f"'decoder' must undo the normalizer for BPE with byte_fallback, got {shorten(spec.get('decoder'), 120)}"
            )
        vocab, unk = vocab_from_json(model), model.get("unk_token")
        return cls(
            vocab,
            merges_from_json(model),
            unk_token=unk if unk in vocab else None,
            prefix_space=prefix_space,
            ignore_merges=bool(model.get("ignore_merges")),
        )


def _steps(spec: dict, section: str, name: str) -> list[dict]:
    whole = spec.get(section) or {}
    return whole[name] if whole.get("type") == "Sequence" else [whole]


def _text_of_bytes(raw: bytes) -> str:
    """UTF-8, or one replacement character for each byte if it is not (as `tokenizers` has it)."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return "\ufffd" * len(raw)
