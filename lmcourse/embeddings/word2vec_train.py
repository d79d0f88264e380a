"""The fast trainer of word2vec: small matrix products over blocks of running text.

One pair at a time, as in the released program, is slow in Python. So the text, in its order, is cut into blocks of
32 centres. The contexts of a block are the words of the block and of its halo: one product of (32, d) with
(d, 42) holds all scores of true pairs, and a mask says which are true. The block shares 32 noise words, each weighted
by k / 32: the same expected loss as k noise words for each pair (Ji et al. 2016, "Parallelizing Word2Vec in Shared and
Distributed Memory"). A step takes 16 blocks. Much larger steps are hardly faster and learn less from a pass over the text: the
vectors move less often.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Int64
from torch import Tensor
from tqdm.auto import tqdm

from lmcourse.embeddings.adagrad import RowAdagrad
from lmcourse.embeddings.pairs import Thinned, document_numbers, draw, keep_probability, noise_law, subsample
from lmcourse.embeddings.word2vec import Word2Vec, Word2VecConfig

CENTRES, NOISE = 32, 32  # of a block
BLOCKS = 16  # of a step
REPORT = 25  # steps between two looks at the loss


class Blocks(NamedTuple):
    """The text of one step; each row is a block."""

    centres: Int64[Tensor, "blocks centres"]
    halo: Int64[Tensor, "blocks halo"]  # the centres, with `window` more words on either side
    near: Float[Tensor, "blocks centres halo"]  # 1 where the word of the halo is a context of the centre


class Step(NamedTuple):
    """The gradients of one step, for the rows that were looked up, and the scores they came from."""

    input_ids: Int64[Tensor, "blocks given"]
    d_inputs: Float[Tensor, "blocks given d"]
    output_ids: Int64[Tensor, "blocks candidates"]
    d_outputs: Float[Tensor, "blocks candidates d"]
    scores: Float[Tensor, "blocks centres candidates"]
    target: Float[Tensor, "candidates"]  # 1: stood there; 0: noise
    weight: Float[Tensor, "blocks centres candidates"]

    def loss(self) -> Float[Tensor, ""]:
        """The loss of the step: in nats a pair (CBOW: a word)."""
        n_true = (self.weight * self.target).sum().clamp(min=1)
        return score_loss(self.scores, self.target, self.weight) / n_true


def cut_into_blocks(text: Thinned, window: int, rng: np.random.Generator) -> Iterator[Blocks]:
    """Yield a text, in order, as steps of BLOCKS x CENTRES centres; the last is filled with centres without contexts.

    Each centre draws its reach from 1 ... `window`; no context lies in another document.
    """
    n, step = len(text.ids), BLOCKS * CENTRES
    filled = -(-n // step) * step  # n, rounded up to whole steps
    padded = np.zeros((2, window + filled + window), dtype=np.int64)  # ids; document numbers from 1
    padded[0, window : window + n] = text.ids
    padded[1, window : window + n] = 1 + document_numbers(n, text.starts)
    ids, documents = torch.from_numpy(padded)
    reach = torch.from_numpy(rng.integers(1, window + 1, filled))
    distance = (torch.arange(CENTRES + 2 * window) - window - torch.arange(CENTRES)[:, None]).abs()
    distance[distance == 0] = window + 1  # a centre is not its own context
    for at in range(0, filled, step):
        halo, halo_document = (
            row[at : at + step + 2 * window].unfold(0, CENTRES + 2 * window, CENTRES)
            for row in (ids, documents)
        )  # (blocks, halo)
        inner = slice(window, window + CENTRES)
        document = halo_document[:, inner, None]  # (blocks, centres, 1)
        within_reach = distance <= reach[at : at + step].view(BLOCKS, CENTRES, 1)  # (blocks, centres, halo)
        together = (document == halo_document[:, None]) & (document > 0)
        yield Blocks(halo[:, inner], halo, (within_reach & together).float())


def score_loss(scores: Tensor, target: Tensor, weight: Tensor) -> Float[Tensor, ""]:
    """Return the weighted sum of -t log s(x) - (1 - t) log s(-x) over all scores x, in nats."""
    return F.binary_cross_entropy_with_logits(scores, target.expand_as(scores), weight, reduction="sum")


def score_gradients(
    hidden: Float[Tensor, "blocks centres d"],
    outputs: Float[Tensor, "blocks candidates d"],
    target: Float[Tensor, "candidates"],
    weight: Float[Tensor, "blocks centres candidates"],
) -> tuple[Float[Tensor, "blocks centres d"], Float[Tensor, "blocks candidates d"], Float[Tensor, "..."]]:
    """Return the gradients of `score_loss` with respect to `hidden` and `outputs`, and the scores h.o.

    The derivative by a score x is s(x) - t: what was predicted less what was true. All else is the chain rule through
    one product of matrices.
    """
    scores = hidden @ outputs.mT  # (blocks, centres, candidates)
    error = (scores.sigmoid() - target).mul_(weight)
    return error @ outputs, error.mT @ hidden, scores


def skipgram_step(
    inputs: Float[Tensor, "vocab d"],
    outputs: Float[Tensor, "vocab d"],
    blocks: Blocks,
    noise: Int64[Tensor, "blocks noise"],
    negatives: int,
) -> Step:
    """Each centre tells its contexts in the halo from noise: in all, `negatives` noise words for each context."""
    contexts = blocks.near.sum(-1, keepdim=True)  # (blocks, centres, 1)
    candidates, target, weight = _with_noise(blocks.halo, blocks.near, noise, contexts * negatives)
    d_hidden, d_outputs, scores = score_gradients(inputs[blocks.centres], outputs[candidates], target, weight)
    return Step(blocks.centres, d_hidden, candidates, d_outputs, scores, target, weight)


def cbow_step(
    inputs: Float[Tensor, "vocab d"],
    outputs: Float[Tensor, "vocab d"],
    blocks: Blocks,
    noise: Int64[Tensor, "blocks noise"],
    negatives: int,
) -> Step:
    """The mean of the contexts tells the centre from noise; a centre without contexts counts for nothing."""
    contexts = blocks.near.sum(-1, keepdim=True)  # (blocks, centres, 1)
    mean = blocks.near / contexts.clamp(min=1)  # (blocks, centres, halo)
    asked = (contexts > 0).to(mean.dtype)
    itself = asked * torch.eye(blocks.centres.shape[1], dtype=mean.dtype, device=mean.device)
    candidates, target, weight = _with_noise(blocks.centres, itself, noise, asked * negatives)
    hidden = mean @ inputs[blocks.halo]  # (blocks, centres, d)
    d_hidden, d_outputs, scores = score_gradients(hidden, outputs[candidates], target, weight)
    return Step(blocks.halo, mean.mT @ d_hidden, candidates, d_outputs, scores, target, weight)


def _with_noise(
    true: Tensor, true_weight: Tensor, noise: Tensor, noise_total: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    target = true_weight.new_zeros(true.shape[1] + noise.shape[1])
    target[: true.shape[1]] = 1
    each = (noise_total / noise.shape[1]).expand(-1, -1, noise.shape[1])  # (blocks, centres, noise)
    return torch.cat([true, noise], 1), target, torch.cat([true_weight, each], 2)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread. Products this small gain little by more, lose much where a core is busy, and so repeat exactly."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@one_thread()
def train_word2vec(
    ids: Int[np.ndarray, "n"],
    starts: Int[np.ndarray, "docs"] | Sequence[int],
    vocab_size: int,
    config: Word2VecConfig | None = None,
    *,
    progress: bool = False,
) -> Word2Vec:
    """Train word vectors on a text, by skip-gram or CBOW with negative sampling.

    Args:
        ids: the tokens of all documents, one after the other. starts: where each document begins.

    Raises:
        ValueError: an id outside the vocabulary, a bad `starts`, an empty text.

    >>> text = np.random.default_rng(0).integers(0, 20, 2000)
    >>> model = train_word2vec(text, [0], 20, Word2VecConfig(d=8, epochs=1))
    >>> model.inputs.shape
    (20, 8)
    """
    config = config or Word2VecConfig()
    if len(ids) == 0 or ids.min() < 0 or ids.max() >= vocab_size:
        raise ValueError(
            f"'ids' must be one or more numbers from 0 to vocab_size-1={vocab_size - 1}, got {ids}"
        )
    rng = np.random.default_rng(config.seed)
    counts = np.bincount(ids, minlength=vocab_size)
    keep = np.ones(vocab_size)
    if config.subsample is not None:
        keep = keep_probability(counts / counts.sum(), config.subsample)
    law = noise_law(counts)
    d = config.d
    inputs = torch.from_numpy((rng.random((vocab_size, d), dtype=np.float32) - 0.5) / d).to(config.device)
    outputs = torch.zeros_like(inputs)
    move_inputs, move_outputs = RowAdagrad(inputs), RowAdagrad(outputs)
    gradients = skipgram_step if config.architecture == "skip-gram" else cbow_step
    losses: dict[float, float] = {}
    total = config.epochs * len(ids)
    with tqdm(total=total, desc="word2vec", unit="word", unit_scale=True, disable=not progress) as bar:
        for epoch in range(config.epochs):
            text = subsample(ids, starts, keep, rng)
            n_steps = -(-len(text.ids) // (BLOCKS * CENTRES))
            noise = torch.from_numpy(draw(law, (n_steps, BLOCKS, NOISE), rng)).to(config.device)
            for number, blocks in enumerate(cut_into_blocks(text, config.window, rng)):
                done = (epoch + number / n_steps) / config.epochs
                here = Blocks(*(part.to(config.device) for part in blocks))
                step = gradients(inputs, outputs, here, noise[number], config.negatives)
                lr = config.lr * (1 - done)
                move_inputs.step(step.input_ids.reshape(-1), step.d_inputs.reshape(-1, d), lr)
                move_outputs.step(step.output_ids.reshape(-1), step.d_outputs.reshape(-1, d), lr)
                if number % REPORT == 0:
                    losses[done] = step.loss().item()
                    bar.set_postfix(loss=f"{losses[done]:.3f}", refresh=False)
                bar.update(len(ids) / n_steps)
    return Word2Vec(inputs.cpu().numpy(), outputs.cpu().numpy(), losses)
