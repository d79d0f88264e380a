"""Beam search for a language model: the search of chapter 03, with the prompt as the sentence that is translated."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from lmcourse.language_model.generate import Prompts, check_prompts
from lmcourse.language_model.model import LanguageModel
from lmcourse.recurrence.decoding import Hypothesis, beam_search
from lmcourse.recurrence.translator import EOS, Context, Translator
from lmcourse.tokens import pad_batch


def beam(
    model: LanguageModel,
    prompts: Prompts,
    max_new_tokens: int,
    width: int = 4,
    *,
    stop_id: int | None = None,
    length_penalty: float = 0.0,
) -> list[list[Hypothesis]]:
    """Return, for each prompt, the continuations that beam search finds, the best first: at most `width`.

    The search and its score are `lmcourse.recurrence.beam_search`. `ids` are the new tokens, `log_probability` is log P(ids | prompt). A
    continuation ends with `stop_id`, or after `max_new_tokens`, or earlier where the longest prompt's context ends.

    Raises:
        ValueError: as `generate` and `beam_search`; a prompt that fills the context; a `stop_id` that is no id; fewer than 3 tokens.

    >>> from lmcourse.language_model.config import LanguageModelConfig
    >>> model = LanguageModel(LanguageModelConfig(vocab_size=10, d_model=8, n_heads=2))
    >>> (found,) = beam(model, [[1, 2, 3]], max_new_tokens=4, width=3)
    >>> [len(one.ids) for one in found], found[0].log_probability >= found[1].log_probability
    ([4, 4, 4], True)
    """
    rows, size = check_prompts(model, prompts, max_new_tokens), model.config.vocab_size
    longest = max(map(len, rows))
    if longest >= model.config.max_length:
        raise ValueError(
            f"'prompts' must be shorter than the context of {model.config.max_length} tokens, got one of {longest}"
        )
    if stop_id is not None and not 0 <= stop_id < size:
        raise ValueError(f"'stop_id' must be an id below vocab_size={size}, got {stop_id}")
    if size < 3:
        raise ValueError(f"'model' must have a vocabulary of at least 3 tokens, got {size}")
    max_length = min(max_new_tokens, model.config.max_length - longest)
    translator = _Continuer(model, stop_id, longest + max_length)
    ids = pad_batch(rows, pad_id=0, padding_side="left").input_ids
    lengths = torch.tensor([len(row) for row in rows])
    device = model.head.weight.device
    found = beam_search(translator, ids.to(device), lengths.to(device), width, max_length, length_penalty)
    names = translator.names.tolist()
    return [[one._replace(ids=tuple(names[i] for i in one.ids)) for one in ones] for ones in found]


class _Continuer(Translator):
    """A language model as a translator: it reads the prompt and writes what follows.

    A translator ends with the token EOS, so the vocabulary is numbered anew: the stop token gets that number. Without a stop
    token the number belongs to a token that is never written. `names[i]` is the model's id of token i.

    The keys and values stay here. What is carried as state is a row of the cache for each text, and `select` picks among them.
    """

    def __init__(self, model: LanguageModel, stop_id: int | None, places: int) -> None:
        super().__init__()
        self.model, self.places = model, places
        others = [i for i in range(model.config.vocab_size) if i != stop_id]
        end = model.config.vocab_size if stop_id is None else stop_id
        self.names = torch.tensor([*others[:EOS], end, *others[EOS:]], device=model.head.weight.device)

    def read(self, source_ids: Int64[Tensor, "batch source"], lengths: Int64[Tensor, "batch"]) -> Context:
        """Read the prompts, padded at the *left* end; the memory is the vector of the last place."""
        batch, time = source_ids.shape
        mask = torch.arange(time, device=lengths.device) >= time - lengths[:, None]
        self.ragged, self.written = not bool(mask.all()), 0
        self.cache = self.model.new_cache(batch, self.places)
        hidden = self.model.hidden(source_ids, attention_mask=mask if self.ragged else None, cache=self.cache)
        rows = torch.arange(batch, device=lengths.device)
        return Context(hidden[:, -1:], mask, (rows,))

    def write(
        self, target_ids: Int64[Tensor, "batch 1"], context: Context
    ) -> tuple[Float[Tensor, "batch 1 vocab"], Context]:
        """Return the logits of the token after each of `target_ids`. The first of these, <bos>, is the end of the prompt."""
        self.cache = self.cache.select(context.state[0])
        hidden = context.memory
        if self.written:
            mask = F.pad(context.mask, (0, self.written), value=True) if self.ragged else None
            # An empty place of a beam may hold the token that is never written; what is read there counts for nothing.
            ids = self.names[target_ids].clamp(max=self.model.config.vocab_size - 1)
            hidden = self.model.hidden(ids, attention_mask=mask, cache=self.cache)
        self.written += 1
        logits = F.pad(self.model.head(hidden), (0, 1), value=-math.inf)  # the token that is never written
        rows = torch.arange(len(target_ids), device=target_ids.device)
        return logits[..., self.names], context._replace(state=(rows,))
