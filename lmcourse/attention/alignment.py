"""Looking back from a recurrent decoder: additive (Bahdanau) and multiplicative (Luong) attention.

A fixed-context decoder has one vector for the whole source sentence. Here it keeps all states of the encoder, the *memory*, and
at each step takes a mean of them, weighted by how well each fits the decoder's own state:

    weights = softmax over the source places j of score(s_t, h_j),    context c_t = sum over j of weights[t, j] h_j

The two papers differ in the score. Bahdanau et al. 2015, "Neural Machine Translation by Jointly Learning to Align and Translate",
equations 5 and 6; Luong et al. 2015, "Effective Approaches to Attention-based Neural Machine Translation", equations 7 and 8.

Both take the states of all steps at once, (batch, step, d_state). In Bahdanau's decoder the next state depends on this context, so
steps = 1 and the calls follow one another; in Luong's, attention comes after the recurrent step and training can
look back from all steps in one call.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from lmcourse.attention.scaled import combine
from lmcourse.attention.softmax import masked_softmax

States = Float[Tensor, "batch step d_state"]
Memory = Float[Tensor, "batch source d_memory"]
Scores = Float[Tensor, "batch step source"]
Context = Float[Tensor, "batch step d_memory"]


class LookingBack(nn.Module):
    """The part that both kinds share: weights from scores, context from weights. A kind adds its own `scores`."""

    def scores(self, states: States, memory: Memory) -> Scores:
        """Return score(s_t, h_j) for each step t and each source place j."""
        raise NotImplementedError

    def forward(
        self, states: States, memory: Memory, mask: Bool[Tensor, "..."] | None = None
    ) -> tuple[Context, Scores]:
        """Return the contexts (batch, step, d_memory) and the weights (batch, step, source).

        Args:
            states: of the decoder, one or more steps. memory: the outputs of the encoder, one for each source token.
            mask: True = may look, (batch, 1, source); `padding_mask` of the source. A source of padding only gives a context of zeros.
        """
        weights = masked_softmax(self.scores(states, memory), mask)
        return combine(weights, memory), weights


def additive_scores(
    queries: Float[Tensor, "batch step d_attention"],
    keys: Float[Tensor, "batch source d_attention"],
    v: Float[Tensor, "d_attention"],
) -> Scores:
    """Return e[t, j] = v . tanh(q_t + k_j): a network with one hidden layer scores each pair.

    The hidden layer of all pairs takes step * source * d_attention numbers; a dot product needs none of them.

    >>> q, k = torch.zeros(1, 1, 2), torch.tensor([[[9.0, 9.0], [-9.0, 9.0]]])
    >>> additive_scores(q, k, torch.tensor([1.0, 1.0])).round()
    tensor([[[2., 0.]]])
    """
    hidden = torch.tanh(queries[:, :, None] + keys[:, None])  # (batch, step, source, d_attention)
    return hidden @ v


class AdditiveAttention(LookingBack):
    """score(s, h) = v . tanh(W s + U h), Bahdanau et al. 2015, section A.1.2; no biases, as there.

    W and U start as draws from Glorot's uniform law, v from U(-1/sqrt(d_attention), 1/sqrt(d_attention)).

    Raises:
        ValueError: a size below 1.

    >>> attention = AdditiveAttention(d_state=4, d_memory=6, d_attention=8)
    >>> context, weights = attention(torch.randn(2, 3, 4), torch.randn(2, 5, 6))
    >>> context.shape, weights.shape
    (torch.Size([2, 3, 6]), torch.Size([2, 3, 5]))
    """

    def __init__(self, d_state: int, d_memory: int, d_attention: int) -> None:
        super().__init__()
        _check_sizes(d_state=d_state, d_memory=d_memory, d_attention=d_attention)
        self.W = nn.Linear(d_state, d_attention, bias=False)
        self.U = nn.Linear(d_memory, d_attention, bias=False)
        self.v = nn.Parameter(torch.empty(d_attention))
        nn.init.xavier_uniform_(self.W.weight)
        nn.init.xavier_uniform_(self.U.weight)
        nn.init.uniform_(self.v, -1 / math.sqrt(d_attention), 1 / math.sqrt(d_attention))

    def scores(self, states: States, memory: Memory) -> Scores:
        return additive_scores(self.W(states), self.U(memory), self.v)


class MultiplicativeAttention(LookingBack):
    """score(s, h) = s . h ("dot") or s . W h ("general"), Luong et al. 2015, equation 8. Neither is scaled, as there.

    Raises:
        ValueError: an unknown `score`; "dot" with states and memory of different lengths.

    >>> attention = MultiplicativeAttention(d_state=2, d_memory=2, score="dot")
    >>> memory = torch.tensor([[[9.0, 0.0], [0.0, 9.0]]])
    >>> context, weights = attention(torch.tensor([[[0.0, 1.0]]]), memory)
    >>> context.round(decimals=1)
    tensor([[[0., 9.]]])
    """

    def __init__(self, d_state: int, d_memory: int, score: Literal["dot", "general"] = "general") -> None:
        super().__init__()
        _check_sizes(d_state=d_state, d_memory=d_memory)
        if score not in ("dot", "general"):
            raise ValueError(f"'score' must be 'dot' or 'general', got {score!r}")
        if score == "dot" and d_state != d_memory:
            raise ValueError(f"'d_memory' must be d_state={d_state} for the score 'dot', got {d_memory}")
        self.W = nn.Linear(d_memory, d_state, bias=False) if score == "general" else nn.Identity()
        if score == "general":
            nn.init.xavier_uniform_(self.W.weight)

    def scores(self, states: States, memory: Memory) -> Scores:
        return states @ self.W(memory).mT  # (batch, step, d_state) @ (batch, d_state, source)


def _check_sizes(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"'{name}' must be at least 1, got {size}")
