"""Two translators that look back: a recurrent decoder with attention, and attention without recurrence.

`AttentiveSeq2Seq` is the encoder-decoder of chapter 03 with one thing added: after each recurrent step the decoder looks at all the
encoder's states. `SelfAttentionTranslator` drops the recurrence on both sides: source and target are one sequence, and every
place looks for what it needs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from lmcourse.attention.alignment import AdditiveAttention, LookingBack, MultiplicativeAttention
from lmcourse.attention.heads import Weights
from lmcourse.attention.masks import causal_mask
from lmcourse.attention.residual import ResidualAttention, ResidualConfig
from lmcourse.embeddings import Embedding
from lmcourse.recurrence.seq2seq import Decoder, Seq2Seq, Seq2SeqConfig
from lmcourse.recurrence.translator import Context, Translator

Logits = Float[Tensor, "batch steps vocab"]
Places = Float[Tensor, "batch steps source"]
SCORES = ("additive", "general", "dot")


@dataclass(frozen=True)
class AttentiveConfig(Seq2SeqConfig):
    """The sizes of an `AttentiveSeq2Seq`: those of a `Seq2Seq`, and the kind of attention.

    Args:
        score: "additive" (Bahdanau), "general" or "dot" (Luong).
        d_attention: hidden units of the additive score.
    """

    score: str = "general"
    d_attention: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.score not in SCORES:
            raise ValueError(f"'score' must be one of {list(SCORES)}, got {self.score!r}")


class AttentiveDecoder(Decoder):
    """The decoder of chapter 03 with a look back after its recurrent step.

    With s_t the output of the recurrent step and c_t the context that attention makes for it, the output layer reads

        h~_t = tanh(W [c_t; s_t])

    Luong et al. 2015, section 3 and equation 5. The recurrent steps do not need c_t, so in training they run first, all of
    them, and then all look back in one call. In Bahdanau's order the context of s_{t-1} enters step t, and the calls have to
    alternate. (Luong also feeds h~_t into the next step, section 3.3; that is left out here, for the same reason.)
    """

    def __init__(self, config: AttentiveConfig) -> None:
        super().__init__(config)
        d = config.hidden_size
        self.attention: LookingBack
        if config.score == "additive":
            self.attention = AdditiveAttention(d, d, config.d_attention)
        else:
            self.attention = MultiplicativeAttention(d, d, config.score)
        self.combine = nn.Linear(2 * d, d, bias=False)

    def look(
        self, target_ids: Int64[Tensor, "batch steps"], context: Context
    ) -> tuple[Logits, Context, Places]:
        """Return what `forward` returns, and the weights of each step on the source places."""
        states, context = self.recur(target_ids, context)  # (batch, steps, d)
        seen, weights = self.attention(states, context.memory, context.mask[:, None])
        both = torch.cat([seen, states], dim=-1)  # (batch, steps, 2 d)
        return self.output(torch.tanh(self.combine(both))), context, weights

    def forward(self, target_ids: Int64[Tensor, "batch steps"], context: Context) -> tuple[Logits, Context]:
        logits, context, _ = self.look(target_ids, context)
        return logits, context


class AttentiveSeq2Seq(Seq2Seq):
    """The encoder-decoder of chapter 03, whose decoder looks back at all states of the encoder.

    The encoder is the same class, and with the same seed it starts with the same weights.

    >>> model = AttentiveSeq2Seq(AttentiveConfig(9, 7, d_model=4, hidden_size=6))
    >>> source, lengths = torch.tensor([[5, 7, 2]]), torch.tensor([3])
    >>> model(source, lengths, torch.tensor([[1, 4]])).shape
    torch.Size([1, 2, 7])
    >>> model.weights(source, lengths, torch.tensor([[1, 4]])).shape  # (batch, target, source)
    torch.Size([1, 2, 3])
    """

    decoder_type = AttentiveDecoder

    def weights(
        self,
        source_ids: Int64[Tensor, "batch source"],
        lengths: Int64[Tensor, "batch"],
        target_ids: Int64[Tensor, "batch target"],
    ) -> Float[Tensor, "batch target source"]:
        """Return where the decoder looks when it has read each of `target_ids` and writes the word after it."""
        return self.decoder.look(target_ids, self.read(source_ids, lengths))[2]


@dataclass(frozen=True)
class SelfAttentionTranslatorConfig:
    """The sizes of a `SelfAttentionTranslator`; see `ResidualConfig`."""

    source_vocab_size: int
    target_vocab_size: int
    d_model: int = 96
    n_heads: int = 4
    n_layers: int = 3
    base: float = 100.0
    feed_forward: int = 0
    seed: int = 0

    @property
    def layers(self) -> ResidualConfig:
        """Rope: of the schemes it looks both ways, knows distances only, and so does not mind padding on the left."""
        sizes = (self.d_model, self.n_heads, self.n_layers)
        return ResidualConfig(*sizes, "rope", base=self.base, feed_forward=self.feed_forward)


class SelfAttentionTranslator(Translator):
    """Source and target as one sequence, read by layers of self-attention: no recurrence anywhere.

    The mask makes a translator of it: a source token sees the whole source, a target token sees the source and the target so
    far (Dong et al. 2019, "Unified Language Model Pre-training", section 2.3: "sequence-to-sequence" mask; also called a prefix mask). Sources
    are padded on the left here, so that each target begins right behind its source. The side of a token is known by its
    embedding: each side has a table of its own.

    `write` reads everything anew at each call; what need not be computed twice is the business of chapter 06.

    >>> model = SelfAttentionTranslator(SelfAttentionTranslatorConfig(9, 7, d_model=8, n_heads=2))
    >>> model(torch.tensor([[5, 7, 2]]), torch.tensor([3]), torch.tensor([[1, 4]])).shape
    torch.Size([1, 2, 7])
    """

    def __init__(self, config: SelfAttentionTranslatorConfig) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.source_embedding = Embedding(config.source_vocab_size, config.d_model, std=0.05)
            self.target_embedding = Embedding(config.target_vocab_size, config.d_model, std=0.05)
            self.layers = ResidualAttention(config.layers)
        self.config = config

    def read(self, source_ids: Int64[Tensor, "batch source"], lengths: Int64[Tensor, "batch"]) -> Context:
        """Return the embedded source, padded on the left; the state is the target so far, which is empty."""
        n = source_ids.shape[1]
        places = torch.arange(n, device=source_ids.device)
        shift = (n - lengths)[:, None]
        ids = source_ids.gather(1, (places - shift) % n)  # the padding comes round to the left
        return Context(self.source_embedding(ids), places >= shift, (source_ids[:, :0],))

    def write(self, target_ids: Int64[Tensor, "batch steps"], context: Context) -> tuple[Logits, Context]:
        so_far = torch.cat([context.state[0], target_ids], dim=1)  # (batch, target)
        x = self.layers(*self._one_sequence(so_far, context))
        logits = x[:, -target_ids.shape[1] :] @ self.target_embedding.weight.T
        return logits, context._replace(state=(so_far,))

    def _one_sequence(
        self, target_ids: Int64[Tensor, "batch target"], context: Context
    ) -> tuple[Float[Tensor, "batch time d"], Bool[Tensor, "batch time time"]]:
        x = torch.cat([context.memory, self.target_embedding(target_ids)], dim=1)
        return x, prefix_mask(context.mask, target_ids.shape[1])

    def weights(
        self,
        source_ids: Int64[Tensor, "batch source"],
        lengths: Int64[Tensor, "batch"],
        target_ids: Int64[Tensor, "batch target"],
    ) -> list[Weights]:
        """Return, for each layer, where target places look among the source: (batch, heads, target, source), as the source was given.

        Rows need not sum to 1: what is missing lies on the target itself.
        """
        context = self.read(source_ids, lengths)
        _, layers = self.layers(*self._one_sequence(target_ids, context), return_weights=True)
        n = source_ids.shape[1]
        back = (torch.arange(n, device=lengths.device) + (n - lengths)[:, None]) % n  # undo the shift
        back = back[:, None, None, :].expand(-1, self.config.n_heads, target_ids.shape[1], -1)
        return [layer[:, :, n:, :n].gather(-1, back) for layer in layers]


def prefix_mask(source: Bool[Tensor, "batch source"], n_target: int) -> Bool[Tensor, "batch time time"]:
    """Return who may look at whom in source and target as one sequence: all at the source, targets also at earlier targets.

    Args:
        source: True = a source token, False = padding, at which nobody looks.

    >>> prefix_mask(torch.tensor([[False, True]]), n_target=2)[0].int()
    tensor([[0, 1, 0, 0],
            [0, 1, 0, 0],
            [0, 1, 1, 0],
            [0, 1, 1, 1]], dtype=torch.int32)
    """
    n = source.shape[1] + n_target
    mask = causal_mask(n, source.device).repeat(len(source), 1, 1)  # (batch, time, time)
    mask[:, :, : source.shape[1]] = source[:, None]
    return mask
