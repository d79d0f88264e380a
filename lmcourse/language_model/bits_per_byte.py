"""Language models with different tokenizers, compared: bits per byte, and what a perplexity per token hides.

A perplexity is a number of choices for each *token*. Who cuts a text into fewer tokens has harder guesses to make and fewer of them,
so a perplexity says nothing beside one of another tokenizer. What can be compared is the whole text: the sum of -log2 P over its
tokens, by the number of its bytes. An arithmetic coder would need so many bits for each byte.

    bits per byte = nats per token / ln 2 / bytes per token

Two things must hold. The tokens must give the text back exactly: where `<unk>` stands for a word, the word was lost, and its
letters cost nothing. And the end of each paragraph must be paid for, as a new line is a byte of the text.

Strictly, a text can be cut in many ways and its probability is the sum over all of them; a tokenizer picks one, so the true
number is a little lower (Cao and Rimell 2021, "You should evaluate your language model on marginal likelihood over tokenisations").
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float64, Int64
from torch import Tensor, nn

from lmcourse.corpora import osier_bay
from lmcourse.language_model.config import LanguageModelConfig
from lmcourse.language_model.model import LanguageModel
from lmcourse.language_model.sizes import flops_per_token
from lmcourse.sequences.measure import perplexity
from lmcourse.sequences.natural import hold_out, paragraphs
from lmcourse.tokens import BPETokenizer, CharTokenizer, Tokenizer, UnigramTokenizer
from lmcourse.training import TrainConfig, batches_of_rows, next_token_loss, side_by_side, train

END = "<end>"  # stands behind each paragraph, and counts as one byte: the new line
ROW, BATCH = 64, 16
COMPUTE = 2e11  # operations of a training: some five seconds on one core


class PerByte(NamedTuple):
    """What a model with one tokenizer came to on a held-out text.

    `steps` is how many updates the common amount of compute was enough for, `passes` how often the training text was read.
    """

    vocab_size: int
    parameters: int
    steps: int
    passes: float
    bytes_per_token: float
    nats_per_token: float

    @property
    def perplexity(self) -> float:
        """Choices per token."""
        return perplexity(self.nats_per_token)

    @property
    def bits_per_byte(self) -> float:
        """Comparable across tokenizers."""
        return self.nats_per_token / math.log(2) / self.bytes_per_token


def natural_text() -> tuple[list[str], list[str]]:
    """Return the paragraphs of the Osier Bay Papers to learn from, and each tenth to be judged by.

    Held-out paragraphs with a character that the others lack are left out: not every tokenizer could write them.
    """
    learn, judge = hold_out(paragraphs(osier_bay()))
    known = set("".join(learn))
    return learn, [text for text in judge if known.issuperset(text)]


def tokenizers_to_compare(texts: Sequence[str]) -> dict[str, Tokenizer]:
    """Return four tokenizers of chapter 01, trained on `texts`, by the names that they have in the table."""
    ends = {"special_tokens": [END]}
    return {
        "characters": CharTokenizer.train(texts, len(set("".join(texts))) + 1, **ends),
        "BPE, 500": BPETokenizer.train(texts, 500, **ends),
        "BPE, 2,000": BPETokenizer.train(texts, 2_000, **ends),
        "Unigram, 2,000": UnigramTokenizer.train(texts, 2_000, **ends),
    }


def encode_paragraphs(tokenizer: Tokenizer, texts: Sequence[str]) -> Int64[Tensor, "tokens"]:
    """Return the ids of all paragraphs in a row, with `END` before the first and behind each.

    Raises:
        ValueError: a paragraph that does not come back from its ids as it was; an END that the tokenizer does not know.

    >>> encode_paragraphs(CharTokenizer.train(["ab"], 3, special_tokens=[END]), ["ab", "b"])
    tensor([0, 1, 2, 0, 2, 0])
    """
    if END not in tokenizer.special_tokens:
        raise ValueError(f"'tokenizer' must have the special token {END!r}, got {tokenizer.special_tokens}")
    end = tokenizer.vocab[END]
    ids = [end]
    for text in texts:
        own = tokenizer.encode(text)
        if tokenizer.decode(own) != text:
            raise ValueError(
                f"'texts' must come back from their ids as they were, but this one does not: {text[:60]!r}"
            )
        ids += [*own, end]
    return torch.tensor(ids)


@torch.no_grad()
def stream_surprisal(
    model: nn.Module, ids: Int64[Tensor, "tokens"], row: int, batch_size: int = 64
) -> Float64[Tensor, "tokens-1"]:
    """Return -log P of each token but the first, in nats, behind the row / 2 to row - 1 tokens before it (fewer at the beginning).

    A window of `row` tokens moves on by half of itself, and only its second half counts: so no token is guessed from
    next to nothing because a window happens to begin there.

    Raises:
        ValueError: an odd `row`, or fewer than two ids.

    >>> uniform = nn.Embedding.from_pretrained(torch.zeros(4, 4))  # the same logit for each of four tokens
    >>> stream_surprisal(uniform, torch.tensor([0, 1, 2, 3, 1]), row=2).exp()
    tensor([4., 4., 4., 4.], dtype=torch.float64)
    """
    if row < 2 or row % 2:
        raise ValueError(f"'row' must be an even number, at least 2, got {row}")
    if len(ids) < 2:
        raise ValueError(f"'ids' must hold at least two ids, got {len(ids)}")
    half, n = row // 2, len(ids) - 1
    padded = F.pad(ids, (0, -n % half))
    read, targets = padded[:-1].view(-1, half), padded[1:].view(-1, half)  # (halves, half)
    logits = [model(read[:1])]
    for some in torch.cat([read[:-1], read[1:]], dim=1).split(batch_size):  # (windows, row)
        logits.append(model(some)[:, half:])
    losses = F.cross_entropy(torch.cat(logits).double().transpose(1, 2), targets, reduction="none")
    return losses.flatten()[:n]


def byte_model_config(vocab_size: int, seed: int = 0) -> LanguageModelConfig:
    """Return the model that every tokenizer gets: two blocks of width 96."""
    return LanguageModelConfig(
        vocab_size, 96, 3, 2, d_ff=192, max_length=ROW, base=1_000.0, std=0.05, seed=seed
    )


def score_tokenizer(
    tokenizer: Tokenizer, learn: Sequence[str], judge: Sequence[str], compute: float = COMPUTE, seed: int = 0
) -> PerByte:
    """Train a model on the ids of `learn` with `compute` operations; return what it came to on `judge`.

    A larger vocabulary has a dearer head and gets fewer steps; its steps read more text.
    """
    config = byte_model_config(tokenizer.vocab_size, seed)
    steps = max(1, round(compute / (3 * flops_per_token(config, ROW) * ROW * BATCH)))
    ids = encode_paragraphs(tokenizer, learn)
    recipe = TrainConfig(
        steps=steps,
        batch_size=BATCH,
        lr=4e-3,
        warmup=steps // 10,
        schedule="cosine",
        decay="matrices",
        seed=seed,
    )
    model = LanguageModel(config, tokenizer)
    train(model, batches_of_rows(ids, ROW, BATCH, seed), next_token_loss, recipe, progress=False)
    held_out = encode_paragraphs(tokenizer, judge)
    n_bytes = sum(len(text.encode()) + 1 for text in judge)
    return PerByte(
        vocab_size=tokenizer.vocab_size,
        parameters=sum(weights.numel() for weights in model.parameters()),
        steps=steps,
        passes=round(steps * ROW * BATCH / len(ids), 2),
        bytes_per_token=n_bytes / (len(held_out) - 1),
        nats_per_token=float(stream_surprisal(model, held_out, ROW).mean()),
    )


def compare_tokenizers(
    tokenizers: Mapping[str, Tokenizer] | None = None,
    compute: float = COMPUTE,
    seed: int = 0,
    n_jobs: int | None = None,
    progress: bool = False,
) -> dict[str, PerByte]:
    """Return the score of a model with each tokenizer (None: `tokenizers_to_compare`) on `natural_text`, same compute for all."""
    learn, judge = natural_text()
    tokenizers = tokenizers_to_compare(learn) if tokenizers is None else tokenizers
    jobs = [(tokenizer, learn, judge, compute, seed) for tokenizer in tokenizers.values()]
    return dict(zip(tokenizers, side_by_side(score_tokenizer, jobs, n_jobs, progress), strict=True))
