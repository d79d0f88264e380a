"""Interactive figures of chapter 03, recurrence."""

from .encoder_decoder_steps import TracedSentence, encoder_decoder_steps
from .gate_playground import gate_playground

__all__ = ["TracedSentence", "encoder_decoder_steps", "gate_playground"]
