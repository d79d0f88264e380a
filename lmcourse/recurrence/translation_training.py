"""Pairs of sentences as batches, the loss of a translator, its training in one call, and how often it is exactly right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from lmcourse.corpora import Pairs
from lmcourse.recurrence.decoding import greedy
from lmcourse.recurrence.translator import PAD, Translator
from lmcourse.training import History, TrainConfig, batches_by_length, train

BANDS = ((3, 6), (7, 10), (11, 14), (15, 18), (19, 22), (23, 24))

Model = TypeVar("Model", bound=Translator)
Decode = Callable[[Translator, Tensor, Tensor, int], list[list[int]]]


class PairBatch(NamedTuple):
    """Pairs side by side, padded at the right end.

    Attributes:
        source_ids: words, <eos>, <pad>. lengths: how many of them are real.
        target_ids: <bos>, words, <pad>: what the decoder reads.
        targets: words, <eos>, -100: what it is to say after each; `targets[:, t]` follows `target_ids[:, t]`.
    """

    source_ids: Int64[Tensor, "batch source"]
    lengths: Int64[Tensor, "batch"]
    target_ids: Int64[Tensor, "batch target"]
    targets: Int64[Tensor, "batch target"]


def pad_pairs(source: Sequence[Sequence[int]], target: Sequence[Sequence[int]]) -> PairBatch:
    """Return the pairs as one batch; `source` and `target` are lists of ids as `Pairs.ids` makes them.

    Raises:
        ValueError: no pair, an empty side, or not as many sources as targets.

    >>> batch = pad_pairs([[4, 5, 2], [6, 2]], [[1, 3, 2], [1, 3, 4, 2]])
    >>> batch.source_ids.tolist(), batch.lengths.tolist()
    ([[4, 5, 2], [6, 2, 0]], [3, 2])
    >>> batch.target_ids.tolist(), batch.targets.tolist()
    ([[1, 3, 0], [1, 3, 4]], [[3, 2, -100], [3, 4, 2]])
    """
    if not source or len(source) != len(target):
        raise ValueError(
            f"'source' and 'target' must hold as many sentences, at least 1, got {len(source)} and {len(target)}"
        )
    if not min(map(len, source)) or min(map(len, target)) < 2:
        raise ValueError("'source' must hold at least one id a sentence, 'target' <bos> and <eos>")
    return PairBatch(
        _padded(source, PAD),
        torch.tensor([len(ids) for ids in source]),
        _padded([ids[:-1] for ids in target], PAD),
        _padded([ids[1:] for ids in target], -100),
    )


def _padded(rows: Sequence[Sequence[int]], padding: int) -> Tensor:
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[padding] * (longest - len(row))] for row in rows])


def pair_batches(pairs: Pairs, batch_size: int, seed: int = 0) -> Iterator[PairBatch]:
    """Yield batches without end, in each of them pairs of about the same length; see `batches_by_length`.

    Raises:
        ValueError: fewer pairs than `batch_size`, or a `batch_size` below 1.
    """
    source, target = pairs.ids()
    # Targets of one length share a batch within those of sources: both sides have little padding.
    lengths = [len(one) + len(other) for one, other in zip(source, target, strict=True)]
    return (
        pad_pairs([source[i] for i in chosen], [target[i] for i in chosen])
        for chosen in batches_by_length(lengths, batch_size, seed)
    )


def translation_loss(model: Translator, batch: PairBatch) -> Float[Tensor, ""]:
    """Return the mean of -log P(target | what came before it, source) in nats per target token, <eos> included.

    Teacher forcing; padding does not count.

    >>> from lmcourse.recurrence.seq2seq import Seq2Seq, Seq2SeqConfig
    >>> model = Seq2Seq(Seq2SeqConfig(9, 7, d_model=4, hidden_size=6))
    >>> 1.5 < translation_loss(model, pad_pairs([[4, 5, 2]], [[1, 3, 2]])).item() < 2.5  # untrained: about log(7)
    True
    """
    logits = model(batch.source_ids, batch.lengths, batch.target_ids)
    return F.cross_entropy(logits.flatten(0, 1), batch.targets.flatten())


def train_translator(
    model: Model, pairs: Pairs, config: TrainConfig, progress: bool = True
) -> tuple[Model, History]:
    """Train `model` on `pairs` by teacher forcing, in place; return it and what happened.

    Both are returned so that `lmcourse.training.side_by_side` can bring them back from another process. `config.batch_size`
    and `config.seed` make the batches.
    """
    batches = pair_batches(pairs, config.batch_size, config.seed)
    history = train(model, batches, translation_loss, config, progress=progress)
    return model, history


class Band(NamedTuple):
    """How many of the sentences with `shortest` to `longest` source words were translated without any mistake."""

    shortest: int
    longest: int
    exact: int
    n: int

    @property
    def share(self) -> float:
        """Return exact / n; not a number where there is no sentence."""
        return self.exact / self.n if self.n else float("nan")


def exact_match_by_length(
    model: Translator,
    pairs: Pairs,
    bands: Sequence[tuple[int, int]] = BANDS,
    decode: Decode = greedy,
    batch_size: int = 256,
) -> list[Band]:
    """Return, for each band of source lengths (words, both ends included), how many translations are exactly right.

    The grammar gives each sentence one translation, so every difference is a mistake; one wrong word, and the sentence
    is wrong. A translation is written until it is as long as the longest right one in its batch: what goes on then is
    wrong already.

    Args:
        decode: `decode(model, source_ids, lengths, max_length)` is a list of ids for each sentence, <eos> included.
    """
    source, target = pairs.ids()
    device = next(model.parameters()).device
    order = sorted(range(len(source)), key=lambda i: len(source[i]))
    right = [False] * len(source)
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        batch = pad_pairs([source[i] for i in chosen], [target[i] for i in chosen])
        written = decode(model, batch.source_ids.to(device), batch.lengths.to(device), batch.targets.shape[1])
        for i, ids in zip(chosen, written, strict=True):
            right[i] = list(ids) == target[i][1:]
    result = []
    for shortest, longest in bands:
        inside = [
            ok for ok, words in zip(right, pairs.source, strict=True) if shortest <= len(words) <= longest
        ]
        result.append(Band(shortest, longest, sum(inside), len(inside)))
    return result
