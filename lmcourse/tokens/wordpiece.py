"""WordPiece, the tokenizer of BERT: words are cut from the left into the longest pieces of the vocabulary.

`unwanted` may become `un`, `##want`, `##ed`: a piece that continues a word is marked with `##`. A word is
treated on its own, and what BERT does before (lower case, no accents) throws information away, so decoding does
not give the text back. Sources: Devlin et al., "BERT" (2019), and the code released with it; the trainer is in
`wordpiece_train.py`.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain

from lmcourse.tokens.base import Tokenizer
from lmcourse.tokens.bert_normalize import bert_normalize, clean
from lmcourse.tokens.checks import check_special_tokens, check_vocab_size, checked_texts, shorten
from lmcourse.tokens.json_fields import field, vocab_from_json
from lmcourse.tokens.merging import WordCache
from lmcourse.tokens.pretokenize import bert_words, is_punctuation
from lmcourse.tokens.special import AddedToken, TokenSplitter
from lmcourse.tokens.wordpiece_train import PREFIX, alphabet, fitting_min_frequency, train_wordpiece

UNKNOWN = "[UNK]"
GLUED = (".", "?", "!", ",", "n't", "'m", "'s", "'ve", "'re")  # decode puts no space before these


def longest_match(word: str, vocab: Collection[str], unk_token: str = UNKNOWN) -> list[str]:
    """Cut a word from the left into the longest pieces of `vocab`, greedily; if that fails, it is unknown.

    The first cut is never taken back, so a word may be unknown although other cuts exist.

    >>> longest_match("unwanted", {"un", "##want", "##ed", "##wan"})
    ['un', '##want', '##ed']
    >>> longest_match("abc", {"ab", "a", "##bc"})  # "a" + "##bc" is not tried: "ab" is longer
    ['[UNK]']
    """
    pieces: list[str] = []
    start = 0
    while start < len(word):
        prefix = PREFIX if start else ""
        for end in range(len(word), start, -1):
            if prefix + word[start:end] in vocab:
                break
        else:
            return [unk_token]
        pieces.append(prefix + word[start:end])
        start = end
    return pieces


class WordPieceTokenizer(Tokenizer):
    """BERT's tokenizer: clean-up, words, longest match.

    `decode` joins words with one space and writes `. ? ! ,` (and contractions such as `'s`, where a piece
    begins so) without a space in front; that is all. Capitals, accents and the original spaces are lost.
    Special tokens are joined with spaces as well.

    Args:
        vocab: piece -> id, continuing pieces with `##`.
        special_tokens, unk_token: as in `Tokenizer`.
        lowercase, strip_accents: see `bert_normalize`.
        max_input_chars_per_word: a longer word is unknown (which bounds the time that `longest_match` takes).
        cleanup: whether `decode` leaves out those spaces before `. ? ! ,`.

    >>> vocab = {piece: i for i, piece in enumerate(["[UNK]", "the", "boat", "##s", "."])}
    >>> tokenizer = WordPieceTokenizer(vocab)
    >>> tokenizer.tokenize("The boats."), tokenizer.decode(tokenizer.encode("The boats."))
    (['the', 'boat', '##s', '.'], 'the boats.')

    Raises:
        ValueError: `unk_token` or a special token is not in `vocab`, or two tokens share an id.
    """

    def __init__(
        self,
        vocab: Mapping[str, int],
        special_tokens: Sequence[str] = (UNKNOWN,),
        unk_token: str = UNKNOWN,
        *,
        lowercase: bool = True,
        strip_accents: bool | None = None,
        max_input_chars_per_word: int = 100,
        cleanup: bool = True,
    ) -> None:
        super().__init__(vocab, special_tokens, unk_token)
        self.lowercase = lowercase
        self.strip_accents = strip_accents
        self.max_input_chars_per_word = max_input_chars_per_word
        self.cleanup = cleanup
        self._pieces = dict.fromkeys(
            vocab
        )  # without tokens that a file adds later: those are never parts of words
        self._words = WordCache(self._word_ids)

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        vocab_size: int,
        special_tokens: Sequence[str] = (),
        *,
        progress: bool = False,
        min_frequency: int | None = None,
        lowercase: bool = True,
        strip_accents: bool | None = None,
        max_input_chars_per_word: int = 100,
    ) -> "WordPieceTokenizer":
        """Learn at most `vocab_size` tokens: special tokens (`[UNK]` is added if missing), alphabet, merges.

        Args:
            min_frequency: pairs that occur less often are not merged. None: the largest value that still fills
                the vocabulary. Low values give the vocabulary to rare words: on 300 kB of the course's texts
                and 2,000 tokens, 2 leads to 2.6 tokens a word, 20 to 1.4.

        Raises:
            ValueError: no text, or `vocab_size` below special tokens + alphabet.
        """
        special_tokens = check_special_tokens(special_tokens)
        if UNKNOWN not in special_tokens:
            special_tokens = (*special_tokens, UNKNOWN)
        if min_frequency is not None and min_frequency < 1:
            raise ValueError(f"'min_frequency' must be at least 1 or None, got {min_frequency}")
        splitter = TokenSplitter(map(AddedToken, special_tokens))
        words: Counter[str] = Counter()
        for text in checked_texts(texts):
            for part, is_token in splitter.split(text)[0]:
                if not is_token:
                    words.update(bert_words(bert_normalize(part, lowercase, strip_accents)))
        counts = {word: n for word, n in words.items() if len(word) <= max_input_chars_per_word}
        if not counts:
            raise ValueError("'texts' must hold some words to learn from, got none")
        needed = len(set(alphabet(counts)) | set(special_tokens))
        check_vocab_size(vocab_size, needed, f"{len(special_tokens)} special tokens and the alphabet")
        size = vocab_size - len(special_tokens)
        if min_frequency is None:
            min_frequency = fitting_min_frequency(counts, size)
        pieces = train_wordpiece(counts, size, min_frequency, progress)
        vocab = {token: i for i, token in enumerate(dict.fromkeys((*special_tokens, *pieces)))}
        return cls(
            vocab,
            special_tokens,
            lowercase=lowercase,
            strip_accents=strip_accents,
            max_input_chars_per_word=max_input_chars_per_word,
        )

    def _encode_ordinary(self, text: str) -> list[int]:
        words = bert_words(bert_normalize(text, self.lowercase, self.strip_accents))
        return list(chain.from_iterable(map(self._words.__getitem__, words)))

    def _word_ids(self, word: str) -> list[int]:
        if len(word) > self.max_input_chars_per_word:
            return [self.vocab[self.unk_token]]
        return [self.vocab[piece] for piece in longest_match(word, self._pieces, self.unk_token)]

    def _safe_cut(self, text: str) -> int:
        # After a character that is never joined to another. The clean-up works character by character, except
        # that NFD sorts accents, and accents do not move across such a character.
        for cut in range(len(text), 0, -1):
            last = text[cut - 1]
            if clean(last).startswith(" ") or (last.isascii() and is_punctuation(last)):
                return cut
        return 0

    def _decode_ordinary(self, tokens: list[str]) -> str:
        text = "".join(tokens[:1])
        for token in tokens[1:]:
            if token.startswith(PREFIX):
                text += token.removeprefix(PREFIX)
            elif self.cleanup and token.startswith(GLUED):
                text += token
            else:
                text += " " + token
        return text

    def _decode_tokens(self, tokens: list[str]) -> str:
        return self._decode_ordinary(tokens)  # special tokens are words among words

    def _model_json(self) -> dict:
        return {
            "normalizer": {
                "type": "BertNormalizer",
                "clean_text": True,
                "handle_chinese_chars": True,
                "strip_accents": self.strip_accents,
                "lowercase": self.lowercase,
            },
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "decoder": {"type": "WordPiece", "prefix": PREFIX, "cleanup": self.cleanup},
            "model": {
                "type": "WordPiece",
                "unk_token": self.unk_token,
                "continuing_subword_prefix": PREFIX,
                "max_input_chars_per_word": self.max_input_chars_per_word,
                "vocab": {piece: self.vocab[piece] for piece in self._pieces},
            },
        }

    @classmethod
    def _from_json(cls, spec: dict) -> "WordPieceTokenizer":
        expected = {
            "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True},
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "decoder": {"type": "WordPiece", "prefix": PREFIX},
            "model": {"continuing_subword_prefix": PREFIX},
        }
        sections = {name: field(spec, name, dict) for name in expected}
        for name, wanted in expected.items():
            if any(sections[name].get(key) != value for key, value in wanted.items()):
                raise ValueError(
                    f"'{name}' must hold {wanted} for a WordPieceTokenizer, got {shorten(sections[name], 120)}"
                )
        return cls(
            vocab_from_json(sections["model"]),
            special_tokens=(),
            unk_token=field(sections["model"], "unk_token", str),
            lowercase=bool(_flag(sections["normalizer"], "lowercase")),
            strip_accents=_flag(sections["normalizer"], "strip_accents"),
            max_input_chars_per_word=field(sections["model"], "max_input_chars_per_word", int),
            cleanup=bool(_flag(sections["decoder"], "cleanup")),
        )


def _flag(section: dict, name: str) -> bool | None:
    value = section.get(name)
    if value not in (True, False, None):
        raise ValueError(f"'{name}' must be true, false or null, got {shorten(value)}")
    return value
