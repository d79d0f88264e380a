"""Interactive figures of chapter 05, encoder and decoder; the heads of the trained model of chapter 06 use them too."""

from .beam_tree import BeamNode, BeamTree, beam_tree
from .head_explorer import HeadMaps, head_explorer

__all__ = ["BeamNode", "BeamTree", "HeadMaps", "beam_tree", "head_explorer"]
