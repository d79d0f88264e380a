"""Interactive figures of chapter 01, tokens."""

from .bpe_steps import bpe_steps
from .vocab_tradeoff import vocab_tradeoff

__all__ = ["bpe_steps", "vocab_tradeoff"]
