"""An encoder and a decoder: the state in which the one ends is the state in which the other begins.

The encoder reads the source sentence. What it hands over has a fixed size, however long the sentence was: the context
vector. The decoder is a language model of the target language that begins in this state instead of zeros. Sutskever,
Vinyals and Le, "Sequence to Sequence Learning with Neural Networks" (NeurIPS 2014). Cho et al., "Learning Phrase
Representations using RNN Encoder-Decoder" (EMNLP 2014), show the context vector to the decoder again at each step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from lmcourse.embeddings import Embedding
from lmcourse.recurrence.layers import Recurrent, RecurrentConfig
from lmcourse.recurrence.translator import Context, Translator
from lmcourse.recurrence.unroll import real_steps


@dataclass(frozen=True)
class Seq2SeqConfig:
    """The sizes of a `Seq2Seq`.

    Args:
        source_vocab_size, target_vocab_size: how many tokens each side has.
        d_model: of the embeddings.
        hidden_size: of the decoder's state, and so of the context. Of a bidirectional encoder each direction has half of it.
        cell: "rnn", "lstm" or "gru", on both sides. An LSTM hands over both parts of its state, h and c.
        n_layers: one above another, on both sides.
        bidirectional: the encoder also reads from right to left.
        fused: see `RecurrentConfig`.
        seed: of the first weights.

    Raises:
        ValueError: a `hidden_size` that cannot be halved. Other errors come from `RecurrentConfig` and `Embedding`.
    """

    source_vocab_size: int
    target_vocab_size: int
    d_model: int = 64
    hidden_size: int = 192
    cell: str = "gru"
    n_layers: int = 1
    bidirectional: bool = True
    fused: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if self.bidirectional and self.hidden_size % 2:
            raise ValueError(
                f"'hidden_size' must be even, half for each direction of the encoder, got {self.hidden_size}"
            )

    @property
    def encoder_layers(self) -> RecurrentConfig:
        """The sizes of the encoder's layers, whose outputs have `hidden_size` numbers in one direction or two."""
        one_way = self.hidden_size // (2 if self.bidirectional else 1)
        return RecurrentConfig(
            self.d_model, one_way, self.cell, self.n_layers, self.bidirectional, fused=self.fused
        )

    @property
    def decoder_layers(self) -> RecurrentConfig:
        """The sizes of the decoder's layers."""
        return RecurrentConfig(self.d_model, self.hidden_size, self.cell, self.n_layers, fused=self.fused)


class Encoder(nn.Module):
    """Reads source tokens; returns their states as memory, and its last states as a decoder's first.

    From left to right the last state has read the whole sentence, from right to left so has the state at the first word. Both
    side by side are the first state of the decoder's layer, of the same size: no further weights stand between them.
    (Where the sizes differ, a layer of weights makes the one from the other, as in Bahdanau et al. 2015, section A.2.2.)

    >>> encoder = Encoder(Seq2SeqConfig(9, 9, d_model=4, hidden_size=6, cell="gru"))
    >>> context = encoder(torch.tensor([[5, 7, 2], [8, 2, 0]]), torch.tensor([3, 2]))
    >>> context.memory.shape, [tuple(part.shape) for part in context.state]
    (torch.Size([2, 3, 6]), [(2, 1, 6)])
    >>> torch.equal(context.state[0][1, 0, :3], context.memory[1, 1, :3])  # after the last real token
    True
    """

    def __init__(self, config: Seq2SeqConfig) -> None:
        super().__init__()
        self.embedding = Embedding(config.source_vocab_size, config.d_model, std=1.0)
        self.layers = Recurrent(config.encoder_layers)

    def forward(self, source_ids: Int64[Tensor, "batch source"], lengths: Int64[Tensor, "batch"]) -> Context:
        """Return the context; each part of its state is [batch, layer, hidden_size]."""
        memory, ends = self.layers(self.embedding(source_ids), None, lengths)  # (batch, source, hidden)
        n_layers, batch = self.layers.config.n_layers, len(source_ids)
        # From (layer * direction, batch, d) to (batch, layer, direction * d).
        state = tuple(
            end.view(n_layers, -1, batch, end.shape[-1]).permute(2, 0, 1, 3).flatten(2) for end in ends
        )
        return Context(memory, real_steps(lengths, *source_ids.shape), state)


class Decoder(nn.Module):
    """A recurrent language model of the target language that begins in the encoder's last state."""

    def __init__(self, config: Seq2SeqConfig) -> None:
        super().__init__()
        self.embedding = Embedding(config.target_vocab_size, config.d_model, std=1.0)
        self.layers = Recurrent(config.decoder_layers)
        self.output = nn.Linear(config.hidden_size, config.target_vocab_size)

    def recur(
        self, target_ids: Int64[Tensor, "batch steps"], context: Context
    ) -> tuple[Float[Tensor, "batch steps hidden"], Context]:
        """Take the recurrent steps: return the outputs of all of them, and the context with the state behind the last."""
        state = tuple(part.transpose(0, 1).contiguous() for part in context.state)  # (layer, batch, hidden)
        outputs, state = self.layers(self.embedding(target_ids), state)
        return outputs, context._replace(state=tuple(part.transpose(0, 1) for part in state))

    def forward(
        self, target_ids: Int64[Tensor, "batch steps"], context: Context
    ) -> tuple[Float[Tensor, "batch steps vocab"], Context]:
        """Return the logits after each step and the context behind the last; see `Translator.write`."""
        outputs, context = self.recur(target_ids, context)
        return self.output(outputs), context


class Seq2Seq(Translator):
    """An encoder-decoder with a context of fixed size.

    The weights are drawn with `config.seed`, the encoder's first, and leave torch's global generator as it was. A subclass with
    another `decoder_type` therefore has the same encoder, number for number.

    >>> model = Seq2Seq(Seq2SeqConfig(9, 7, d_model=4, hidden_size=6))
    >>> context = model.read(torch.tensor([[5, 7, 2]]), torch.tensor([3]))
    >>> logits, context = model.write(torch.tensor([[1]]), context)  # <bos>
    >>> logits.shape
    torch.Size([1, 1, 7])
    """

    decoder_type: ClassVar[type[Decoder]] = Decoder

    def __init__(self, config: Seq2SeqConfig) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.encoder = Encoder(config)
            self.decoder = self.decoder_type(config)
        self.config = config

    def read(self, source_ids: Int64[Tensor, "batch source"], lengths: Int64[Tensor, "batch"]) -> Context:
        return self.encoder(source_ids, lengths)

    def write(
        self, target_ids: Int64[Tensor, "batch steps"], context: Context
    ) -> tuple[Float[Tensor, "batch steps vocab"], Context]:
        return self.decoder(target_ids, context)
