"""What every translator of this course can do: read a sentence once, then write its translation token by token.

A recurrent network with a context of fixed size, one with attention, a Transformer: they differ in what they keep of the
source. Whatever trains, decodes or measures them needs only `read` and `write`.
"""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

PAD, BOS, EOS = range(3)  # the first ids of both vocabularies, see `lmcourse.corpora.pairs`


class Context(NamedTuple):
    """What a decoder carries from step to step, for each sentence of a batch.

    Attributes:
        memory: [batch, source, d_memory] one vector for each source token. A decoder with a fixed context never looks at it.
        mask: [batch, source] True = a source token, False = padding.
        state: tensors of any shape with the batch first: all that is known of the target tokens read so far, and of the
            source besides the memory.

    >>> import torch
    >>> context = Context(torch.zeros(2, 3, 4), torch.ones(2, 3, dtype=torch.bool), (torch.tensor([[7.], [8.]]),))
    >>> context.select(torch.tensor([1, 1, 0])).state[0].tolist()
    [[8.0], [8.0], [7.0]]
    """

    memory: Float[Tensor, "batch source d_memory"]
    mask: Bool[Tensor, "batch source"]
    state: tuple[Tensor, ...]

    def select(self, rows: Int64[Tensor, "rows"]) -> Context:
        """Return the context of the sentences with the numbers `rows`, in that order; a number may come more than once."""
        return Context(self.memory[rows], self.mask[rows], tuple(part[rows] for part in self.state))


class Translator(nn.Module):
    """A model of P(target | source), one target token after the other: P(y_1 | x) P(y_2 | y_1, x) ...

    A kind of translator says how to `read` and how to `write`.
    """

    def read(self, source_ids: Int64[Tensor, "batch source"], lengths: Int64[Tensor, "batch"]) -> Context:
        """Return what is known before the first word is written.

        Args:
            source_ids: padded at the right end. lengths: how many of them are real, at least 1.
        """
        raise NotImplementedError

    def write(
        self, target_ids: Int64[Tensor, "batch steps"], context: Context
    ) -> tuple[Float[Tensor, "batch steps vocab"], Context]:
        """Read the next target tokens, one or many; return the logits of the token after each, and the context behind them.

        The first call after `read` begins with <bos>. Many steps in one call give what one call for each step gives.
        """
        raise NotImplementedError

    def forward(
        self,
        source_ids: Int64[Tensor, "batch source"],
        lengths: Int64[Tensor, "batch"],
        target_ids: Int64[Tensor, "batch target"],
    ) -> Float[Tensor, "batch target vocab"]:
        """Return the logits of the token after each of `target_ids`, which begin with <bos>: teacher forcing.

        At each step the decoder reads the true token, whatever it would have written itself. So all steps can be trained at
        once, each on a right beginning (Williams and Zipser, "A Learning Algorithm for Continually Running Fully
        Recurrent Neural Networks", Neural Computation 1989).
        """
        logits, _ = self.write(target_ids, self.read(source_ids, lengths))
        return logits
