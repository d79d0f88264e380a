"""Interactive figures of chapter 00, sequences."""

from .guessing_game import guessing_game, reader_bits

__all__ = ["guessing_game", "reader_bits"]
