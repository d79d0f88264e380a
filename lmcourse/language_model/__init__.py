"""Chapter 06, language model: tokenizer, stack of blocks and head, from a text to the next token and to the files of real models.

Read the modules in this order: `config`, `cache`, `block`, `stack` and `model` (the model), `sizes` (what it costs, by arithmetic), `trace` (every
tensor on the way); `sampling`, `generate` and `beam` (how it writes); `masking`, `masked` and `both_sides` (an encoder that fills gaps);
`matching`, `hub_gpt2`, `hub_llama`, `hub_bert`, `pretrained`, `published` and `model_card` (the weights of others); `scaling`, `bits_per_byte` and `floor`
(how good it is) with `studies` (their experiments, over several seeds), and `train` (a training from the command line).
"""

from lmcourse.encoder_decoder.hub import fetch_pretrained
from lmcourse.language_model.beam import beam
from lmcourse.language_model.bits_per_byte import PerByte, compare_tokenizers, stream_surprisal
from lmcourse.language_model.block import Block, GatedFeedForward
from lmcourse.language_model.both_sides import WordGuess, compare_both_sides, small_sentences
from lmcourse.language_model.cache import KVCache, cache_bytes
from lmcourse.language_model.config import LanguageModelConfig, gpt2_config, llama_config
from lmcourse.language_model.generate import Continuation, generate
from lmcourse.language_model.masked import MaskedLM, bert_config, guess_masked, pseudo_surprisal
from lmcourse.language_model.masking import Masked, mask_tokens, masked_loss
from lmcourse.language_model.model import LanguageModel, LMHead
from lmcourse.language_model.model_card import ModelCard, model_card
from lmcourse.language_model.pretrained import empty_model, load_pretrained, save_pretrained
from lmcourse.language_model.published import PUBLISHED_MODELS, PublishedModel
from lmcourse.language_model.sampling import (
    GREEDY,
    SamplingConfig,
    apply_temperature,
    next_token_law,
    sample_token,
    top_k,
    top_p,
)
from lmcourse.language_model.scaling import PowerLaw, Scaling, fit_power_law, measure_scaling
from lmcourse.language_model.sizes import ParameterCount, count_parameters, flops_per_token
from lmcourse.language_model.stack import Stack
from lmcourse.language_model.studies import record_studies, recorded_bytes, recorded_scaling
from lmcourse.language_model.trace import trace

__all__ = [
    "GREEDY",
    "PUBLISHED_MODELS",
    "Block",
    "Continuation",
    "GatedFeedForward",
    "KVCache",
    "LMHead",
    "LanguageModel",
    "LanguageModelConfig",
    "Masked",
    "MaskedLM",
    "ModelCard",
    "ParameterCount",
    "PerByte",
    "PowerLaw",
    "PublishedModel",
    "SamplingConfig",
    "Scaling",
    "Stack",
    "WordGuess",
    "apply_temperature",
    "beam",
    "bert_config",
    "cache_bytes",
    "compare_both_sides",
    "compare_tokenizers",
    "count_parameters",
    "empty_model",
    "fetch_pretrained",
    "fit_power_law",
    "flops_per_token",
    "generate",
    "gpt2_config",
    "guess_masked",
    "llama_config",
    "load_pretrained",
    "mask_tokens",
    "masked_loss",
    "measure_scaling",
    "model_card",
    "next_token_law",
    "pseudo_surprisal",
    "record_studies",
    "recorded_bytes",
    "recorded_scaling",
    "sample_token",
    "save_pretrained",
    "small_sentences",
    "stream_surprisal",
    "top_k",
    "top_p",
    "trace",
]
