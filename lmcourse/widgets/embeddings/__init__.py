"""Interactive figures of chapter 02, embeddings."""

from .rope_dials import rope_dials
from .window_pairs import window_pairs
from .word_map import word_map

__all__ = ["rope_dials", "window_pairs", "word_map"]
