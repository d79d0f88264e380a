"""Interactive figures of chapter 01, tokens."""

from .bpe_steps import bpe_steps
from .tokenizer_lab import tokenizer_lab
from .vocab_tradeoff import vocab_tradeoff

__all__ = ["bpe_steps", "tokenizer_lab", "vocab_tradeoff"]
