"""A language model: tokenizer + stack of blocks + head, one class each.

text -> ids -> Stack (embedding, blocks, norm) -> vectors -> LMHead -> logits -> softmax -> a law for the next token
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import SupportsIndex

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from lmcourse.attention.heads import Weights
from lmcourse.embeddings import Embedding
from lmcourse.encoder_decoder.blocks import Stream
from lmcourse.language_model.cache import KVCache
from lmcourse.language_model.config import LanguageModelConfig
from lmcourse.language_model.stack import Ids, Stack
from lmcourse.tokens import Tokenizer

Logits = Float[Tensor, "batch time vocab"]


class LMHead(nn.Module):
    """One score for each token of the vocabulary: the logits, h @ weight.T. A tied head scores by the embeddings themselves; one of
    its own starts with draws from N(0, std^2).

    Tied: Press and Wolf 2017, "Using the Output Embedding to Improve Language Models".

    >>> LMHead(Embedding(10, 4), tied=True)(torch.randn(1, 3, 4)).shape
    torch.Size([1, 3, 10])
    """

    def __init__(self, embedding: Embedding, tied: bool, std: float = 0.02) -> None:
        super().__init__()
        self.weight = embedding.weight if tied else nn.Parameter(std * torch.randn_like(embedding.weight))

    def forward(self, h: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch vocab"]:
        return F.linear(h, self.weight)


class LanguageModel(nn.Module):
    """P(w_t | w_1 ... w_{t-1}) = softmax(logits[t - 1]), for all t of a text at once.

    Args:
        tokenizer: for `from_text` and `to_text`; the model itself works on ids.

    Raises:
        ValueError: a tokenizer with ids that the model has no row for.

    >>> model = LanguageModel(LanguageModelConfig(vocab_size=10, d_model=8, n_heads=2, n_layers=2))
    >>> ids = torch.tensor([[1, 2, 3]])
    >>> model(ids).shape, model.hidden(ids).shape, [weights.shape for weights in model.weights(ids)]
    (torch.Size([1, 3, 10]), torch.Size([1, 3, 8]), [torch.Size([1, 2, 3, 3]), torch.Size([1, 2, 3, 3])])
    """

    def __init__(self, config: LanguageModelConfig, tokenizer: Tokenizer | None = None) -> None:
        super().__init__()
        if tokenizer is not None and tokenizer.vocab_size > config.vocab_size:
            raise ValueError(
                f"'tokenizer' must have at most vocab_size={config.vocab_size} ids, got {tokenizer.vocab_size}"
            )
        self.config = config
        self.tokenizer = tokenizer
        self.stack = Stack(config)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed + 1)
            self.head = LMHead(self.stack.tokens, config.tied, config.std)

    def forward(
        self,
        input_ids: Ids,
        *,
        attention_mask: Tensor | None = None,
        cache: KVCache | None = None,
    ) -> Logits:
        """Return the logits: [b, t] scores every token as the one after place t. Arguments: see `Stack.forward`."""
        return self.head(self.hidden(input_ids, attention_mask=attention_mask, cache=cache))

    def hidden(
        self,
        input_ids: Ids,
        *,
        attention_mask: Tensor | None = None,
        cache: KVCache | None = None,
    ) -> Stream:
        """Return the vectors that the head reads, (batch, time, d_model)."""
        return self.stack(input_ids, attention_mask=attention_mask, cache=cache)

    @torch.no_grad()
    def weights(self, input_ids: Ids) -> list[Weights]:
        """Return the attention weights of each layer, (batch, heads, query, key)."""
        return self.stack(input_ids, return_weights=True)[1]

    def new_cache(self, batch: int, length: int) -> KVCache:
        """Return an empty cache of this model's type, where the model is."""
        weight = self.stack.tokens.weight
        return KVCache(self.config, batch, length, dtype=weight.dtype, device=weight.device)

    def from_text(self, text: str) -> Int64[Tensor, "1 time"]:
        """Return the ids of a text as a batch of one, where the model is.

        Raises:
            ValueError: the model has no tokenizer.
        """
        ids = self._tokenizer().encode(text)
        return torch.tensor([ids], dtype=torch.int64, device=self.stack.tokens.weight.device)

    def to_text(self, ids: Iterable[SupportsIndex]) -> str:
        """Return the text of a row of ids.

        Raises:
            ValueError: the model has no tokenizer, or an id that it does not know.
        """
        return self._tokenizer().decode(ids)

    def _tokenizer(self) -> Tokenizer:
        if self.tokenizer is None:
            raise ValueError("the model must have a 'tokenizer' to read and write text, got none")
        return self.tokenizer
