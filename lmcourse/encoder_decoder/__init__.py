"""Chapter 05, encoder-decoder: the Transformer of "Attention Is All You Need", and translation with it.

Read the modules in this order: `norms`, `feed_forward` and `blocks` (what a layer is made of, and where the norm
stands), `config` and `transformer` (the whole model), `parameters` (how large it is, by arithmetic), `training`
(smoothed labels, warm-up) and `gradients` (why a warm-up), `feeding` (the loop that writes), `scores`
and `head_alignment` (how good, and does it look where the truth is?), `search_tree` (beam search with all that it left
behind); then `from_torch` and `checkpoints` (the weights of others in this code), and `studies` (the experiments of the
lesson, over several seeds).
"""

from lmcourse.encoder_decoder.blocks import (
    BlockConfig,
    DecoderBlock,
    DecoderCache,
    DecoderWeights,
    EncoderBlock,
    Sublayer,
)
from lmcourse.encoder_decoder.checkpoints import (
    bart,
    load_bart,
    load_marian,
    load_t5,
    marian,
    t5,
)
from lmcourse.encoder_decoder.config import TransformerConfig
from lmcourse.encoder_decoder.feed_forward import ACTIVATIONS, FeedForward
from lmcourse.encoder_decoder.feeding import WritingStep, write_step_by_step
from lmcourse.encoder_decoder.from_torch import load_torch_layer, load_torch_transformer
from lmcourse.encoder_decoder.gradients import gradient_norms_by_layer
from lmcourse.encoder_decoder.head_alignment import (
    HeadAlignment,
    cross_attention_errors,
    cross_weights,
    head_alignment,
)
from lmcourse.encoder_decoder.norms import RMSNorm, layer_norm, make_norm, rms_norm
from lmcourse.encoder_decoder.parameters import count_parameters
from lmcourse.encoder_decoder.scores import Scores, score_sentences, translate, translation_scores
from lmcourse.encoder_decoder.search_tree import beam_records, search_tree
from lmcourse.encoder_decoder.studies import record_studies, recorded_study, transformer_recipe
from lmcourse.encoder_decoder.training import (
    label_smoothing_loss,
    smoothed_translation_loss,
    warmup_rate,
)
from lmcourse.encoder_decoder.transformer import Decoder, Encoder, Transformer, TransformerWeights

__all__ = [
    "ACTIVATIONS",
    "BlockConfig",
    "Decoder",
    "DecoderBlock",
    "DecoderCache",
    "DecoderWeights",
    "Encoder",
    "EncoderBlock",
    "FeedForward",
    "HeadAlignment",
    "RMSNorm",
    "Scores",
    "Sublayer",
    "Transformer",
    "TransformerConfig",
    "TransformerWeights",
    "WritingStep",
    "bart",
    "beam_records",
    "count_parameters",
    "cross_attention_errors",
    "cross_weights",
    "gradient_norms_by_layer",
    "head_alignment",
    "label_smoothing_loss",
    "layer_norm",
    "load_bart",
    "load_marian",
    "load_t5",
    "load_torch_layer",
    "load_torch_transformer",
    "make_norm",
    "marian",
    "record_studies",
    "recorded_study",
    "rms_norm",
    "score_sentences",
    "search_tree",
    "smoothed_translation_loss",
    "t5",
    "transformer_recipe",
    "translate",
    "translation_scores",
    "warmup_rate",
    "write_step_by_step",
]
