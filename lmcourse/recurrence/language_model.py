"""A recurrent language model: embedding, recurrent layers, and an output layer that scores every token as the next.

Its state is all it keeps of what it has read, however long that was; so a text may be read in pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float64, Int64
from torch import Tensor, nn

from lmcourse.embeddings import Embedding
from lmcourse.recurrence.cells import State
from lmcourse.recurrence.layers import Recurrent, RecurrentConfig
from lmcourse.sequences import Documents


@dataclass(frozen=True)
class RecurrentLMConfig:
    """The sizes of a `RecurrentLM`.

    Args:
        vocab_size: how many tokens there are.
        d_model: of the embeddings. hidden_size: of the state.
        cell: "rnn", "lstm" or "gru". n_layers: one above another. fused, forget_bias: see `RecurrentConfig`.
        start_id: the token that stands before a document when it is scored or written. The end token of the document
            before is the natural one: the corpora of this course have 0.
        seed: of the first weights.

    Raises:
        ValueError: a `start_id` that is not an id. Other errors come from `RecurrentConfig` and `Embedding`.
    """

    vocab_size: int
    d_model: int = 64
    hidden_size: int = 128
    cell: str = "lstm"
    n_layers: int = 1
    fused: bool = False
    forget_bias: float = 1.0
    start_id: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.start_id < self.vocab_size:
            raise ValueError(
                f"'start_id' must be an id below vocab_size={self.vocab_size}, got {self.start_id}"
            )


class RecurrentLM(nn.Module):
    """P(w_t | w_1 ... w_{t-1}) = softmax(W h_{t-1} + b), with h_{t-1} the output of the layers after w_{t-1}.

    The weights are drawn with `config.seed` and leave torch's global generator as it was. Source: Mikolov et al., "Recurrent
    Neural Network Based Language Model" (Interspeech 2010).

    >>> model = RecurrentLM(RecurrentLMConfig(vocab_size=10, d_model=4, hidden_size=8))
    >>> ids = torch.tensor([[1, 2, 3, 4]])
    >>> logits, state = model.read(ids[:, :2])
    >>> rest, _ = model.read(ids[:, 2:], state)
    >>> torch.allclose(torch.cat([logits, rest], dim=1), model(ids), atol=1e-6)
    True
    """

    def __init__(self, config: RecurrentLMConfig) -> None:
        super().__init__()
        sizes = RecurrentConfig(
            config.d_model,
            config.hidden_size,
            config.cell,
            config.n_layers,
            fused=config.fused,
            forget_bias=config.forget_bias,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            # A cell's weights expect inputs of about 1 in each place, not vectors of length 1.
            self.embedding = Embedding(config.vocab_size, config.d_model, std=1.0)
            self.layers = Recurrent(sizes)
            self.output = nn.Linear(config.hidden_size, config.vocab_size)
        self.config = config

    def read(
        self,
        input_ids: Int64[Tensor, "batch time"],
        state: State | None = None,
        lengths: Int64[Tensor, "batch"] | None = None,
    ) -> tuple[Float[Tensor, "batch time vocab"], State]:
        """Return the logits, [b, t] for the token after position t, and the state after the last token.

        Args:
            state: what an earlier call returned, to read on from there; None begins anew.
            lengths: see `run`. Logits on padding mean nothing.
        """
        outputs, state = self.layers(self.embedding(input_ids), state, lengths)
        return self.output(outputs), state

    def forward(self, input_ids: Int64[Tensor, "batch time"]) -> Float[Tensor, "batch time vocab"]:
        """Return the logits of `read`, from the zero state: what `lmcourse.training.next_token_loss` wants."""
        return self.read(input_ids)[0]

    def loss(
        self,
        input_ids: Int64[Tensor, "batch time"],
        targets: Int64[Tensor, "batch time"],
        state: State | None = None,
    ) -> tuple[Float[Tensor, ""], State]:
        """Return the mean of -log P(target) in nats per token, and the state at the end. Targets of -100 do not count."""
        logits, state = self.read(input_ids, state)
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten()), state

    @torch.no_grad()
    def next_probabilities(self, prefix: Sequence[int] | np.ndarray) -> Float64[np.ndarray, "vocab"]:
        """Return P(w | prefix) for every token; `prefix` is the document so far, and may be empty.

        So `lmcourse.sequences.generate` and `log_probability` work with this model. `start_id` is read first, from the
        zero state; the prefix is read anew in each call.

        Raises:
            ValueError: an id outside the vocabulary.
        """
        ids = torch.tensor([[self.config.start_id, *map(int, prefix)]], device=self.output.weight.device)
        if not 0 <= ids.min() <= ids.max() < self.config.vocab_size:
            raise ValueError(
                f"'prefix' must hold ids from 0 to below vocab_size={self.config.vocab_size}, got {list(prefix)}"
            )
        logits = self(ids)[0, -1]  # (vocab,)
        return logits.double().softmax(-1).cpu().numpy()

    def surprisal(self, documents: Documents, batch_size: int = 64) -> Float64[np.ndarray, "tokens"]:
        """Return -log P of each token given its document so far; see `document_surprisal`."""
        return document_surprisal(self, documents, self.config.start_id, batch_size)


@torch.no_grad()
def document_surprisal(
    model: nn.Module, documents: Documents, start_id: int = 0, batch_size: int = 64
) -> Float64[np.ndarray, "tokens"]:
    """Return -log P of each token given its document so far, in nats, all documents in a row.

    Each document is read behind `start_id`, with nothing before it; a model trained on rows that begin so (see
    `lmcourse.embeddings.row_index`) knows this beginning. Documents of about the same length share a batch.

    Args:
        model: `model(input_ids)` are the logits of the token after each, (batch, time, vocab); what stands later must not change
            them, as in every causal model.

    Raises:
        ValueError: `batch_size` below 1; a negative id, or one that the model has no logit for.

    >>> uniform = nn.Embedding.from_pretrained(torch.zeros(4, 4))  # the same logit for each of four tokens
    >>> document_surprisal(uniform, [[1, 2, 0], [3, 0]]).round(4)
    array([1.3863, 1.3863, 1.3863, 1.3863, 1.3863])
    """
    if batch_size < 1:
        raise ValueError(f"'batch_size' must be at least 1, got {batch_size}")
    weights = next(model.parameters())
    start = torch.tensor([[start_id]], device=weights.device)
    vocab_size = model(start).shape[-1]
    texts = [torch.as_tensor(np.asarray(document, np.int64)) for document in documents]
    for text in texts:
        if len(text) and not 0 <= text.min() <= text.max() < vocab_size:
            raise ValueError(
                f"'documents' must hold ids from 0 to below vocab_size={vocab_size}, "
                f"got {text.min().item()} to {text.max().item()}"
            )
    result: list[np.ndarray] = [np.zeros(0)] * len(texts)
    order = [i for i in sorted(range(len(texts)), key=lambda i: len(texts[i])) if len(texts[i])]
    for first in range(0, len(order), batch_size):
        chosen = order[first : first + batch_size]
        targets = nn.utils.rnn.pad_sequence([texts[i] for i in chosen], batch_first=True)  # (batch, time)
        targets = targets.to(weights.device)
        # Padding stands at the right end, so what is read there changes nothing before it.
        logits = model(torch.cat([start.expand(len(chosen), 1), targets[:, :-1]], dim=1))
        losses = F.cross_entropy(logits.double().transpose(1, 2), targets, reduction="none")
        for i, row in zip(chosen, losses.cpu().numpy(), strict=True):
            result[i] = row[: len(texts[i])]
    return np.concatenate([np.zeros(0), *result])
