"""Interactive figures of chapter 04, attention."""

from .attention_by_hand import attention_by_hand
from .attention_map import attention_map
from .mask_painter import mask_painter
from .softmax_playground import softmax_playground

__all__ = ["attention_by_hand", "attention_map", "mask_painter", "softmax_playground"]
