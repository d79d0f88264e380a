"""Beam search that forgets nothing: every continuation it kept, and the best of those it left behind, as a tree to look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from lmcourse.corpora import Pairs
from lmcourse.recurrence import pad_pairs
from lmcourse.recurrence.translator import BOS, EOS, Translator
from lmcourse.widgets.encoder_decoder import BeamNode, BeamTree
from lmcourse.widgets.encoder_decoder.beam_tree import finished_paths


class _Path(NamedTuple):
    node: int  # in the tree; -1 before the first token
    ids: tuple[int, ...]  # with <bos>
    log_probability: float


@torch.no_grad()
def search_tree(
    model: Translator, pairs: Pairs, at: int = 0, width: int = 4, max_length: int = 60, n_cut: int = 2
) -> BeamTree:
    """Return how beam search finds translations of `pairs[at]`.

    The search is that of `lmcourse.recurrence.beam_search`, with one difference: it goes on until `width` paths have finished, whether
    or not those that live can still beat the best of them. So the hypotheses of `beam_search` are among the finished ones here, and
    its first is the best of them, for every length penalty.

    Args:
        n_cut: how many of the continuations that were cut are noted in each step, the best ones.

    Raises:
        ValueError: `width` or `max_length` below 1, `n_cut` below 0.
    """
    for name, value, least in (("width", width, 1), ("max_length", max_length, 1), ("n_cut", n_cut, 0)):
        if value < least:
            raise ValueError(f"'{name}' must be at least {least}, got {value}")
    words = pairs.target_vocab
    batch = pad_pairs(*(list(side) for side in pairs[at : at + 1].ids()))
    device = next(model.parameters()).device
    context = model.read(batch.source_ids.to(device), batch.lengths.to(device))
    nodes: list[BeamNode] = []
    living, room = [_Path(-1, (BOS,), 0.0)], width
    for n in range(1, max_length + 1):
        last = torch.tensor([[path.ids[-1]] for path in living], device=device)
        logits, context = model.write(last, context)
        law = logits[:, -1].double().log_softmax(-1)  # (paths, vocab)
        before = law.new_tensor([path.log_probability for path in living])
        totals = (before[:, None] + law).flatten()
        best, places = totals.topk(min(room + n_cut, len(totals)))
        parents, survivors = living, []
        living = []
        for rank, (total, place) in enumerate(zip(best.tolist(), places.tolist(), strict=True)):
            row, token = divmod(place, law.shape[1])
            parent = parents[row]
            done = token == EOS or n == max_length
            fate = "cut" if rank >= room else "finished" if done else "kept"
            nodes.append(BeamNode(parent.node, words[token], law[row, token].item(), fate))
            if fate == "kept":
                living.append(_Path(len(nodes) - 1, (*parent.ids, token), total))
                survivors.append(row)
        room = len(living)
        if not room:
            break
        context = context.select(torch.tensor(survivors, device=device))
    return BeamTree(pairs.source[at], pairs.target[at], width, nodes)


def beam_records(
    model: Translator,
    pairs: Pairs,
    places: Sequence[int],
    widths: Sequence[int] = (1, 2, 4),
    max_length: int = 60,
    n_cut: int = 2,
) -> list[BeamTree]:
    """Return the trees of the sentences `pairs[at]` for each at in `places`, width by width, for `lmcourse.widgets.encoder_decoder.beam_tree`."""
    return [search_tree(model, pairs, at, width, max_length, n_cut) for at in places for width in widths]


def finished(tree: BeamTree, length_penalty: float = 0.0) -> list[tuple[tuple[str, ...], float, float]]:
    """Return the finished paths of a tree as (words, log-probability, score), the best first, <eos> included.

    The score is that of `beam_search`: log P / ((5 + n) / 6)^length_penalty with n words.

    >>> nodes = [BeamNode(-1, "a", -0.5, "kept"), BeamNode(0, "<eos>", -0.25, "finished"), BeamNode(0, "b", -2.0, "cut")]
    >>> finished(BeamTree(["x"], ["a"], 1, nodes))
    [(('a', '<eos>'), -0.75, -0.75)]
    """
    found = [
        (tuple(words), log_p, log_p / ((5 + len(words)) / 6) ** length_penalty)
        for words, log_p in finished_paths(tree)
    ]
    return sorted(found, key=lambda one: -one[2])
