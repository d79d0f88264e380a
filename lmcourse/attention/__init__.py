"""Chapter 04, attention: a model that chooses what to look at.

Read the modules in this order: `masks` (who may look at whom), `softmax` (from scores to weights, and why they are scaled), `scaled`
(relevance and combination, the two steps), `alignment` (looking back from a recurrent decoder), `heads` and `multi_head` (the layer of
the Transformer) and `influence` (does anything leak?); then `residual`, `language_model` and `recall` (a model of attention and
nothing else), `translators` (looking back with and without recurrence), `alignment_error` (does it look where the truth is?), `cost`, and
`studies` (the experiments of the lesson, over several seeds).
"""

from lmcourse.attention.alignment import (
    AdditiveAttention,
    LookingBack,
    MultiplicativeAttention,
    additive_scores,
)
from lmcourse.attention.alignment_error import AlignmentErrors, alignment_error, alignment_error_rate
from lmcourse.attention.cost import (
    Cost,
    attention_cost,
    fit_exponent,
    peak_bytes,
    recurrent_cost,
    seconds_against_length,
)
from lmcourse.attention.heads import join_heads, multi_head_attention, split_heads
from lmcourse.attention.influence import influence
from lmcourse.attention.language_model import (
    SelfAttentionLM,
    SelfAttentionLMConfig,
    induction_score,
    previous_token_score,
)
from lmcourse.attention.masks import causal_mask, check_mask, combine_masks, length_mask, padding_mask
from lmcourse.attention.multi_head import MultiHeadAttention, MultiHeadConfig
from lmcourse.attention.recall import PlayRows, play_rows, recall_excess, short_play, train_on_plays
from lmcourse.attention.residual import ResidualAttention, ResidualConfig
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
from lmcourse.attention.studies import (
    attention_models,
    readers_of_plays,
    record_studies,
    recorded_study,
    translators,
)
from lmcourse.attention.translators import (
    AttentiveConfig,
    AttentiveDecoder,
    AttentiveSeq2Seq,
    SelfAttentionTranslator,
    SelfAttentionTranslatorConfig,
    prefix_mask,
)

__all__ = [
    "AdditiveAttention",
    "AlignmentErrors",
    "AttentiveConfig",
    "AttentiveDecoder",
    "AttentiveSeq2Seq",
    "Cost",
    "LookingBack",
    "MultiHeadAttention",
    "MultiHeadConfig",
    "MultiplicativeAttention",
    "PlayRows",
    "ResidualAttention",
    "ResidualConfig",
    "Saturation",
    "ScoreVariance",
    "SelfAttentionLM",
    "SelfAttentionLMConfig",
    "SelfAttentionTranslator",
    "SelfAttentionTranslatorConfig",
    "additive_scores",
    "alignment_error",
    "alignment_error_rate",
    "attention_cost",
    "attention_models",
    "causal_mask",
    "check_mask",
    "combine",
    "combine_masks",
    "fit_exponent",
    "induction_score",
    "influence",
    "join_heads",
    "length_mask",
    "masked_softmax",
    "multi_head_attention",
    "padding_mask",
    "peak_bytes",
    "play_rows",
    "prefix_mask",
    "previous_token_score",
    "readers_of_plays",
    "recall_excess",
    "record_studies",
    "recorded_study",
    "recurrent_cost",
    "relevance",
    "scaled_dot_product_attention",
    "score_variance",
    "seconds_against_length",
    "short_play",
    "softmax_jacobian",
    "softmax_saturation",
    "split_heads",
    "train_on_plays",
    "translators",
    "weight_entropy",
]
