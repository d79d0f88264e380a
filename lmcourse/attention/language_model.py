"""A language model of attention and nothing else, and what its heads do.

A text that repeats itself can be continued by a simple trick: find where the last token stood before, and say what came after it
then. One layer of attention cannot do that. It can find the earlier token, but what it takes from there is that token, which
it knows already. Two layers can: in the first each place notes what token stands before it, in the second a place looks
for one that has noted *its* token. Olsson et al. 2022, "In-context Learning and Induction Heads", call the second an induction
head, and saw it appear suddenly in training.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from lmcourse.attention.heads import Weights
from lmcourse.attention.residual import ResidualAttention, ResidualConfig
from lmcourse.embeddings import Embedding


@dataclass(frozen=True)
class SelfAttentionLMConfig:
    """The sizes of a `SelfAttentionLM`.

    Args:
        n_layers, positions and what follows: see `ResidualConfig`.
        seed: of the first weights.
    """

    vocab_size: int
    d_model: int = 64
    n_heads: int = 2
    n_layers: int = 2
    positions: str = "rope"
    max_length: int = 512
    feed_forward: int = 0
    base: float = 100.0
    seed: int = 0

    @property
    def layers(self) -> ResidualConfig:
        sizes = (self.d_model, self.n_heads, self.n_layers)
        return ResidualConfig(*sizes, self.positions, self.max_length, self.base, self.feed_forward)


class SelfAttentionLM(nn.Module):
    """Embedding, causal layers of `ResidualAttention`, and the embedding's own matrix as output layer.

    The weights are drawn with `config.seed` and leave torch's global generator as it was. Embeddings start small (0.05), so that
    what the layers add to them counts from the beginning. Tied output: Press and Wolf 2017, "Using the Output
    Embedding to Improve Language Models".

    >>> model = SelfAttentionLM(SelfAttentionLMConfig(vocab_size=10, d_model=8))
    >>> ids = torch.tensor([[1, 2, 3]])
    >>> model(ids).shape, [weights.shape for weights in model.weights(ids)]
    (torch.Size([1, 3, 10]), [torch.Size([1, 2, 3, 3]), torch.Size([1, 2, 3, 3])])
    """

    def __init__(self, config: SelfAttentionLMConfig) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.embedding = Embedding(config.vocab_size, config.d_model, std=0.05)
            self.layers = ResidualAttention(config.layers)
        self.config = config

    def forward(self, input_ids: Int64[Tensor, "batch time"]) -> Float[Tensor, "batch time vocab"]:
        """Return the logits: [b, t] scores every token as the one after place t."""
        return self.layers(self.embedding(input_ids), causal=True) @ self.embedding.weight.T

    @torch.no_grad()
    def weights(self, input_ids: Int64[Tensor, "batch time"]) -> list[Weights]:
        """Return the attention weights of each layer, (batch, heads, query, key), written out."""
        return self.layers(self.embedding(input_ids), causal=True, return_weights=True)[1]


def induction_score(
    weights: Weights, ids: Int64[Tensor, "batch time"], where: Bool[Tensor, "batch time"] | None = None
) -> Float[Tensor, "heads"]:
    """Return, for each head, the mean weight that a token puts on the places right behind its own earlier occurrences.

    It is 1 for a head that looks only at what followed the same token before, and small for one that looks evenly at all it
    sees. Tokens that have not stood there before do not count. Olsson et al. 2022, the "prefix matching score".

    Args:
        weights: of a layer, (batch, heads, query, key). ids: the tokens, one for each query and key.
        where: count these places only.

    Raises:
        ValueError: weights and ids of different lengths; no token to count.

    >>> ids = torch.tensor([[5, 6, 5]])
    >>> weights = torch.tensor([[[[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.2, 0.7, 0.1]]]])
    >>> induction_score(weights, ids)  # the last token, 5, stood at place 0: how much does it look at place 1?
    tensor([0.7000])
    """
    batch, time = ids.shape
    if weights.shape[0] != batch or weights.shape[2:] != (time, time):
        raise ValueError(
            f"'weights' must have shape ({batch}, heads, {time}, {time}) for these ids, got {tuple(weights.shape)}"
        )
    same = ids[:, :, None] == ids[:, None, :-1]  # (batch, query, key): the same token at the key
    behind = F.pad(same, (1, 0)).tril()  # one place later, and nothing beyond the query itself
    counted = behind.any(dim=-1) if where is None else behind.any(dim=-1) & where  # (batch, query)
    if not counted.any():
        raise ValueError(
            "'ids' must hold a token that has stood there before, at a place that counts; got none"
        )
    on_them = (weights * behind[:, None]).sum(dim=-1)  # (batch, heads, query)
    return on_them.transpose(0, 1)[:, counted].mean(dim=-1)


def previous_token_score(weights: Weights) -> Float[Tensor, "heads"]:
    """Return, for each head, the mean weight that a token puts on the one before it; the first token does not count.

    >>> previous_token_score(torch.tensor([[[[1.0, 0.0], [0.75, 0.25]]]]))
    tensor([0.7500])
    """
    return weights.diagonal(offset=-1, dim1=-2, dim2=-1).mean(dim=(0, -1))
