"""What goes on inside a translator while it works on a sentence: for the figure that steps through it."""

from __future__ import annotations

from collections import defaultdict
from itertools import chain, zip_longest

import torch

from lmcourse.corpora.pairs import Pair, Pairs
from lmcourse.recurrence.seq2seq import Seq2Seq
from lmcourse.recurrence.translation_training import pad_pairs
from lmcourse.recurrence.translator import BOS, EOS
from lmcourse.widgets.recurrence import TracedSentence


def trace(
    model: Seq2Seq, pairs: Pairs, n: int = 200, top: int = 3, max_length: int = 40
) -> list[TracedSentence]:
    """Translate `n` sentences of `pairs` greedily and return all states and the best guesses on the way.

    The sentences are the first ones of each length in turn, the shortest first, none twice: as many of each length as there are. Of
    several layers the states of the last one are returned; of an LSTM h, not c.

    Args:
        top: how many guesses are kept of each step. max_length: where a translation is cut off.

    Raises:
        ValueError: `n`, `top` or `max_length` below 1, or `n` larger than the number of different sentences.

    >>> from lmcourse.corpora import translation
    >>> from lmcourse.recurrence.seq2seq import Seq2SeqConfig
    >>> pairs = translation().sample(30, lengths=(4, 6), seed=0)
    >>> model = Seq2Seq(Seq2SeqConfig(len(pairs.source_vocab), len(pairs.target_vocab), d_model=4, hidden_size=6))
    >>> one, *others = trace(model, pairs, n=5)
    >>> len(one.source), one.encoder_states.shape, len(others)  # four words and <eos>, two directions, three numbers each
    (5, (2, 5, 3), 4)
    """
    for name, value in (("n", n), ("top", top), ("max_length", max_length)):
        if value < 1:
            raise ValueError(f"'{name}' must be at least 1, got {value}")
    chosen = _of_all_lengths(pairs)
    if n > len(chosen):
        raise ValueError(f"'n' must be at most the number of different sentences, {len(chosen)}, got {n}")
    columns = zip(*chosen[:n], strict=True)
    some = Pairs(*map(tuple, columns), pairs.source_vocab, pairs.target_vocab)
    source, target = some.ids()
    return [_trace_one(model, some, k, source[k], target[k], top, max_length) for k in range(len(some))]


def _of_all_lengths(pairs: Pairs) -> list[Pair]:
    """The different sentences in an order whose beginning has as many of each length as can be."""
    by_length = defaultdict(list)
    for pair in {pair.source: pair for pair in reversed(pairs)}.values():
        by_length[len(pair.source)].append(pair)
    turns = zip_longest(*(reversed(by_length[length]) for length in sorted(by_length)))
    return [pair for pair in chain.from_iterable(turns) if pair is not None]


@torch.no_grad()
def _trace_one(
    model: Seq2Seq, pairs: Pairs, k: int, source: list[int], target: list[int], top: int, max_length: int
) -> TracedSentence:
    batch = pad_pairs([source], [target])
    context = model.read(batch.source_ids, batch.lengths)
    directions = 2 if model.config.bidirectional else 1
    memory = context.memory[0].view(len(source), directions, -1).transpose(0, 1)  # (direction, source, d)
    token, states, guesses = torch.tensor([[BOS]]), [], []
    while len(guesses) < max_length and token.item() != EOS:
        logits, context = model.write(token, context)
        token = logits[:, -1:].argmax(-1)
        states.append(context.state[0][0, -1])  # h of the last layer
        best = logits[0, -1].softmax(-1).topk(top)
        guesses.append(
            [
                (pairs.target_vocab[i], p)
                for p, i in zip(best.values.tolist(), best.indices.tolist(), strict=True)
            ]
        )
    return TracedSentence(
        source=[pairs.source_vocab[i] for i in source],
        reference=list(pairs.target[k]),
        encoder_states=memory.numpy(),
        decoder_states=torch.stack(states).numpy(),
        guesses=guesses,
    )
