"""Chapter 01, tokens: from text to ids and back.

Read the modules in this order: `base` (what a tokenizer is), `words` (characters and words as tokens), `pretokenize`,
`bpe_simple`, `bpe_train` and `bpe` (byte-pair encoding), `wordpiece` and `unigram` with their helpers, `batch`
(padding), `tokenizer_json` and `pretrained` (other people's tokenizers).
"""

from lmcourse.tokens.base import Tokenizer
from lmcourse.tokens.batch import Batch, pad_batch
from lmcourse.tokens.bpe import BPETokenizer
from lmcourse.tokens.bpe_fallback import ByteFallbackBPETokenizer
from lmcourse.tokens.bpe_simple import count_pairs, merge_names, merge_pair, train_bpe_simple
from lmcourse.tokens.bpe_train import train_bpe
from lmcourse.tokens.pretokenize import (
    BYTE_ALPHABET,
    GPT2_PATTERN,
    GPT4_PATTERN,
    bert_words,
    byte_to_character,
    from_byte_characters,
    gpt2_words,
    to_byte_characters,
)
from lmcourse.tokens.pretrained import PUBLISHED, PublishedTokenizer, Row, compare, load_pretrained
from lmcourse.tokens.special import AddedToken
from lmcourse.tokens.split_rules import SplitRule
from lmcourse.tokens.unigram import UnigramTokenizer
from lmcourse.tokens.wordpiece import WordPieceTokenizer
from lmcourse.tokens.words import CharTokenizer, WordTokenizer

__all__ = [
    "BYTE_ALPHABET",
    "GPT2_PATTERN",
    "GPT4_PATTERN",
    "PUBLISHED",
    "AddedToken",
    "BPETokenizer",
    "Batch",
    "ByteFallbackBPETokenizer",
    "CharTokenizer",
    "PublishedTokenizer",
    "Row",
    "SplitRule",
    "Tokenizer",
    "UnigramTokenizer",
    "WordPieceTokenizer",
    "WordTokenizer",
    "bert_words",
    "byte_to_character",
    "compare",
    "count_pairs",
    "from_byte_characters",
    "gpt2_words",
    "load_pretrained",
    "merge_names",
    "merge_pair",
    "pad_batch",
    "to_byte_characters",
    "train_bpe",
    "train_bpe_simple",
]
