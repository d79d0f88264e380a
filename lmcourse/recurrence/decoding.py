"""From a translator to a translation: greedy decoding and beam search. Both ask the model only for `read` and `write`.

The most probable translation stands at the end of one of vocab^length paths. Greedy decoding follows one of them, beam search a few.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from lmcourse.recurrence.translator import BOS, EOS, Context, Translator


@torch.no_grad()
def greedy(
    model: Translator,
    source_ids: Int64[Tensor, "batch source"],
    lengths: Int64[Tensor, "batch"],
    max_length: int = 60,
) -> list[list[int]]:
    """Return, for each sentence, the most probable next token after each of those that were written before, up to <eos>.

    <eos> is kept and <bos> is not there. A translation of `max_length` tokens ends without <eos>. Of equal
    probabilities the smaller id is taken.

    Raises:
        ValueError: `max_length` below 1.

    >>> from lmcourse.recurrence.seq2seq import Seq2Seq, Seq2SeqConfig
    >>> model = Seq2Seq(Seq2SeqConfig(9, 7, d_model=4, hidden_size=6))
    >>> with torch.no_grad():
    ...     _ = model.decoder.output.bias.copy_(torch.tensor([0., 0., 9., 0., 0., 0., 0.]))
    >>> greedy(model, torch.tensor([[5, 7, 2]]), torch.tensor([3]))  # it has nothing to say
    [[2]]
    """
    _check_length(max_length)
    context = model.read(source_ids, lengths)
    token = source_ids.new_full((len(source_ids), 1), BOS)
    done = torch.zeros_like(token, dtype=torch.bool)
    written: list[Tensor] = []  # (batch, 1) for each step
    while len(written) < max_length and not done.all():
        logits, context = model.write(token, context)
        token = logits[:, -1:].argmax(-1)
        written.append(token)
        done |= token == EOS
    rows = torch.cat(written, dim=1).tolist()
    return [row[: row.index(EOS) + 1] if EOS in row else row for row in rows]


class Hypothesis(NamedTuple):
    """A translation that a search has found.

    Attributes:
        ids: without <bos>, with <eos> unless `max_length` cut it off.
        log_probability: log P(ids | source) in nats.
        score: what the search ranks by, see `beam_search`.
    """

    ids: tuple[int, ...]
    log_probability: float
    score: float


@torch.no_grad()
def beam_search(
    model: Translator,
    source_ids: Int64[Tensor, "batch source"],
    lengths: Int64[Tensor, "batch"],
    width: int = 4,
    max_length: int = 60,
    length_penalty: float = 0.0,
) -> list[list[Hypothesis]]:
    """Return, for each sentence, the finished hypotheses, the best first: at most `width`.

    At each step every living hypothesis is continued by every token, and the most probable of all these continuations are
    kept. One that ends with <eos> is finished: it leaves the beam (Sutskever et al. 2014, section 3.2), which is then narrower
    by one. So width 1 is greedy decoding. Those that reach `max_length` without <eos> are put aside as they are. A
    sentence is done when nothing that lives can beat its best finished one any more.

    Hypotheses are ranked by score = log P(ids | source) / ((5 + n) / 6)^length_penalty with n the number of ids, <eos> included: Wu et
    al., "Google's Neural Machine Translation System" (2016), equation 14, who take 0.6 to 0.7. With 0 it is
    log P: what the model believes. It favours short translations, since every further token costs.

    Raises:
        ValueError: `width` or `max_length` below 1, `length_penalty` below 0.

    >>> from lmcourse.recurrence.seq2seq import Seq2Seq, Seq2SeqConfig
    >>> model = Seq2Seq(Seq2SeqConfig(9, 7, d_model=4, hidden_size=6))
    >>> (found,) = beam_search(model, torch.tensor([[5, 7, 2]]), torch.tensor([3]), width=3)
    >>> 1 <= len(found) <= 3 and found[0].score >= found[-1].score
    True
    """
    _check_length(max_length)
    if width < 1:
        raise ValueError(f"'width' must be at least 1, got {width}")
    if not length_penalty >= 0:
        raise ValueError(f"'length_penalty' must be at least 0, got {length_penalty}")

    def score(log_probability: float, n: int) -> float:
        return log_probability / ((5 + n) / 6) ** length_penalty

    batch = len(source_ids)
    finished: list[list[Hypothesis]] = [[] for _ in range(batch)]
    beams = _first_beams(model.read(source_ids, lengths), width)
    for n in range(1, max_length + 1):
        room = [width - len(found) for found in finished]
        beams = _step(model, beams, torch.tensor(room, device=source_ids.device))
        last, alive = beams.ids[..., -1].tolist(), beams.log_probability.tolist()
        for b, row in enumerate(alive):
            for k, log_p in enumerate(row):
                if log_p > -math.inf and (last[b][k] == EOS or n == max_length):
                    ids = tuple(beams.ids[b, k, 1:].tolist())
                    finished[b].append(Hypothesis(ids, log_p, score(log_p, n)))
                    row[k] = -math.inf
            # log P can only fall, and no divisor is larger than the last: this is the best that may still come.
            hope = score(max(row), max_length)
            if finished[b] and max(one.score for one in finished[b]) >= hope:
                row[:] = [-math.inf] * width
        beams = beams._replace(log_probability=beams.log_probability.new_tensor(alive))
        if not beams.log_probability.isfinite().any():
            break
    return [sorted(found, key=lambda one: -one.score) for found in finished]


class _Beams(NamedTuple):
    """`width` hypotheses for each sentence; a log-probability of -infinity marks an empty place."""

    ids: Int64[Tensor, "batch width n"]  # with <bos>
    log_probability: Float64[Tensor, "batch width"]
    context: Context  # of batch * width rows


def _first_beams(context: Context, width: int) -> _Beams:
    batch, device = len(context.mask), context.mask.device
    ids = torch.full((batch, width, 1), BOS, device=device)
    log_probability = torch.full((batch, width), -math.inf, dtype=torch.float64, device=device)
    log_probability[:, 0] = 0.0  # all copies are the same hypothesis: one of them counts
    rows = torch.arange(batch, device=device).repeat_interleave(width)
    return _Beams(ids, log_probability, context.select(rows))


def _step(model: Translator, beams: _Beams, room: Int64[Tensor, "batch"]) -> _Beams:
    """Return the `room` most probable continuations of each sentence; the other places are empty."""
    batch, width, _ = beams.ids.shape
    logits, context = model.write(beams.ids[:, :, -1].reshape(-1, 1), beams.context)
    law = logits[:, -1].double().log_softmax(-1).view(batch, width, -1)  # (batch, width, vocab)
    paths = (beams.log_probability[..., None] + law).flatten(1)  # (batch, width * vocab)
    best, at = paths.topk(width)  # (batch, width), the best first
    places = torch.arange(width, device=room.device)
    best = best.masked_fill(places >= room[:, None], -math.inf)
    parent, token = at // law.shape[-1], at % law.shape[-1]
    sentence = torch.arange(batch, device=room.device)[:, None]
    ids = torch.cat([beams.ids[sentence, parent], token[..., None]], dim=-1)
    return _Beams(ids, best, context.select((sentence * width + parent).flatten()))


def _check_length(max_length: int) -> None:
    if max_length < 1:
        raise ValueError(f"'max_length' must be at least 1, got {max_length}")
