"""The two simplest vocabularies: every character, and every word.

Characters need a short vocabulary and make long sequences; words the other way round, and most words of a language
are still missing. Subword tokenizers stand between the two.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import regex
from tqdm.auto import tqdm

from lmcourse.tokens.base import Tokenizer
from lmcourse.tokens.checks import check_special_tokens, check_vocab_size, checked_texts
from lmcourse.tokens.json_fields import vocab_from_json
from lmcourse.tokens.special import AddedToken, TokenSplitter

UNK = "<unk>"
ANY_CHARACTER = r"[\s\S]"
# Runs of letters, accents, digits and _, with single apostrophes and hyphens inside; any other sign on its own.
WORD_PATTERN = r"[\p{L}\p{M}\p{N}_]+(?:['’\-][\p{L}\p{M}\p{N}_]+)*|[^\s\p{L}\p{M}\p{N}_]"
SPACE_BEFORE_CLOSING = r" (?=[,.;:!?)\]}…”])"
SPACE_AFTER_OPENING = r"(?<=[(\[{“¿¡]) "

_word = regex.compile(WORD_PATTERN)
_spaces_to_drop = regex.compile(f"{SPACE_BEFORE_CLOSING}|{SPACE_AFTER_OPENING}")
_end_of_word = regex.compile(r"(?r)[^\p{L}\p{M}\p{N}_'’\-]")  # searched from the right


class _ListTokenizer(Tokenizer):
    """What characters and words share: a list of them, and `<unk>` for those that are not in it."""

    def _ids_of(self, pieces: Iterable[str]) -> list[int]:
        ids = []
        for piece in pieces:
            if piece not in self._pieces and self.unk_token is None:
                raise ValueError(
                    f"'text' must be made of the {len(self.vocab)} tokens of the vocabulary, got {piece!r}: "
                    f"train with {UNK!r} among the special tokens to read what is not in it"
                )
            ids.append(self._pieces.get(piece, self._pieces.get(self.unk_token)))
        return ids

    def __init__(
        self, vocab: Mapping[str, int], special_tokens: Sequence[str] = (), unk_token: str | None = None
    ) -> None:
        super().__init__(vocab, special_tokens, unk_token)
        self._pieces = dict(vocab)

    def _list_json(self, pattern: str, decoder: dict) -> dict:
        split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Removed", "invert": True}
        unk = (
            self.unk_token if self.unk_token is not None else UNK
        )  # the format has no "none"; it is not in vocab
        return {
            "normalizer": None,
            "pre_tokenizer": split,
            "decoder": decoder,
            "model": {"type": "WordLevel", "vocab": self.vocab, "unk_token": unk},
        }

    @classmethod
    def _from_json(cls, spec: dict) -> "_ListTokenizer":
        vocab, unk = vocab_from_json(spec["model"]), spec["model"].get("unk_token")
        return cls(vocab, (), unk if unk in vocab else None)


def _count(
    texts: Iterable[str], special_tokens: Sequence[str], pattern: regex.Pattern, progress: bool
) -> Counter[str]:
    splitter = TokenSplitter(map(AddedToken, special_tokens))
    counts: Counter[str] = Counter()
    for text in tqdm(checked_texts(texts), desc="texts", disable=not progress):
        for part, is_token in splitter.split(text)[0]:
            if not is_token:
                counts.update(pattern.findall(part))
    return counts


def _commonest(counts: Counter[str], number: int) -> list[str]:
    """The `number` most frequent, of equal ones the first in the order of the code points."""
    return sorted(counts, key=lambda piece: (-counts[piece], piece))[:number]


class CharTokenizer(_ListTokenizer):
    """Every character is a token: nothing is lost, sequences are long.

    A character that the vocabulary lacks becomes `<unk>` if that is one of the special tokens, else it is an
    error. `decode(encode(text)) == text` for texts of known characters.

    >>> tokenizer = CharTokenizer.train(["abba"], 10, ["<pad>", "<unk>"])
    >>> tokenizer.encode("baz"), tokenizer.decode([3, 2, 2])
    ([3, 2, 1], 'baa')
    """

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        vocab_size: int,
        special_tokens: Sequence[str] = (),
        *,
        progress: bool = False,
    ) -> "CharTokenizer":
        """Collect the characters of the texts, in the order of their code points.

        With `<unk>` among the special tokens a small `vocab_size` keeps the most frequent characters.

        Raises:
            ValueError: no text, or more characters than `vocab_size` has room for and no `<unk>`.
        """
        special_tokens = check_special_tokens(special_tokens)
        counts = _count(texts, special_tokens, regex.compile(ANY_CHARACTER), progress)
        unk = UNK if UNK in special_tokens else None
        reason = f"{len(counts)} characters and {len(special_tokens)} special tokens"
        check_vocab_size(vocab_size, len(special_tokens) + (1 if unk else len(counts)), reason)
        characters = sorted(_commonest(counts, vocab_size - len(special_tokens)))
        vocab = {token: number for number, token in enumerate([*special_tokens, *characters])}
        return cls(vocab, special_tokens, unk)

    def _encode_ordinary(self, text: str) -> list[int]:
        return self._ids_of(text)

    def _decode_ordinary(self, tokens: list[str]) -> str:
        return "".join(tokens)

    def _safe_cut(self, text: str) -> int:
        return len(text)

    def _model_json(self) -> dict:
        return self._list_json(ANY_CHARACTER, {"type": "Fuse"})


class WordTokenizer(_ListTokenizer):
    """Every word and every punctuation sign is a token; what is not in the list is `<unk>`.

    A word is a run of letters, accents, digits and underscores, with single apostrophes and hyphens inside it
    (`don't`, `well-known`); every other sign that is not white space is a token of its own. White space is
    dropped: `decode` puts one space between tokens, but none in front of a closing sign such as `,` and none
    behind an opening one such as `(`. So ordinary prose of known words comes back, other spacing does not.

    >>> tokenizer = WordTokenizer.train(["Well, well: (we don't know)"], 100)
    >>> tokenizer.tokenize("we know, we   don't care")
    ['we', 'know', ',', 'we', "don't", '<unk>']
    >>> tokenizer.decode(tokenizer.encode("well (we know)"))
    'well (we know)'
    """

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        vocab_size: int,
        special_tokens: Sequence[str] = (),
        *,
        progress: bool = False,
    ) -> "WordTokenizer":
        """Keep the most frequent words, the most frequent first; `<unk>` joins the special tokens if missing.

        Raises:
            ValueError: no text, or a `vocab_size` without room for the special tokens and one word.
        """
        special_tokens = check_special_tokens(special_tokens)
        if UNK not in special_tokens:
            special_tokens = (*special_tokens, UNK)
        check_vocab_size(
            vocab_size, len(special_tokens) + 1, f"{len(special_tokens)} special tokens and a word"
        )
        counts = _count(texts, special_tokens, _word, progress)
        words = _commonest(counts, vocab_size - len(special_tokens))
        vocab = {token: number for number, token in enumerate([*special_tokens, *words])}
        return cls(vocab, special_tokens, UNK)

    def _encode_ordinary(self, text: str) -> list[int]:
        return self._ids_of(_word.findall(text))

    def _decode_ordinary(self, tokens: list[str]) -> str:
        return _spaces_to_drop.sub("", " ".join(tokens))

    def _safe_cut(self, text: str) -> int:
        end = _end_of_word.search(text)
        return end.end() if end else 0

    def _model_json(self) -> dict:
        decoders = [
            {"type": "WordPiece", "prefix": "##", "cleanup": False},  # no word begins so: spaces everywhere
            {"type": "Fuse"},
            {"type": "Replace", "pattern": {"Regex": SPACE_BEFORE_CLOSING}, "content": ""},
            {"type": "Replace", "pattern": {"Regex": SPACE_AFTER_OPENING}, "content": ""},
        ]
        return self._list_json(WORD_PATTERN, {"type": "Sequence", "decoders": decoders})
