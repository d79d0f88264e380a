"""Chapter 04, attention: a model that chooses what to look at.

Read the modules in this order: `masks` (who may look at whom), `softmax` (from scores to weights, and why they are scaled), `scaled`
(relevance and combination, the two steps), `alignment` (looking back from a recurrent decoder), `heads` and `multi_head` (the layer of
the Transformer) and `influence` (does anything leak?).
"""

from lmcourse.attention.alignment import (
    AdditiveAttention,
    LookingBack,
    MultiplicativeAttention,
    additive_scores,
)
from lmcourse.attention.heads import join_heads, multi_head_attention, split_heads
from lmcourse.attention.influence import influence
from lmcourse.attention.masks import causal_mask, check_mask, combine_masks, length_mask, padding_mask
from lmcourse.attention.multi_head import MultiHeadAttention, MultiHeadConfig
from lmcourse.attention.scaled import combine, relevance, scaled_dot_product_attention
from lmcourse.attention.softmax import (
    Saturation,
    ScoreVariance,
    masked_softmax,
    score_variance,
    softmax_jacobian,
    softmax_saturation,
    weight_entropy,
)

__all__ = [
    "AdditiveAttention",
    "LookingBack",
    "MultiHeadAttention",
    "MultiHeadConfig",
    "MultiplicativeAttention",
    "Saturation",
    "ScoreVariance",
    "additive_scores",
    "causal_mask",
    "check_mask",
    "combine",
    "combine_masks",
    "influence",
    "join_heads",
    "length_mask",
    "masked_softmax",
    "multi_head_attention",
    "padding_mask",
    "relevance",
    "scaled_dot_product_attention",
    "score_variance",
    "softmax_jacobian",
    "softmax_saturation",
    "split_heads",
    "weight_entropy",
]
