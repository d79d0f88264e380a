"""Beam search as a tree that the reader unfolds step by step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lmcourse.figures import Figure

_HERE = Path(__file__).parent

TITLE = "A beam search, step by step"
CAPTION = (
    "Press “Next step”: every path that is alive is continued by every token, the best few of all continuations are kept, the others "
    "are cut. Choose a box to see its path. Then widen the beam and watch whether the greedy path survives, and move the length "
    "penalty: it ranks what has finished, since a longer translation has a smaller probability for its length alone."
)
END = "<eos>"


@dataclass(frozen=True)
class BeamNode:
    """One continuation that the search has looked at.

    Attributes:
        parent: the place of the node it continues in `BeamTree.nodes`; -1 if it is a first token.
        token: the token that is added.
        log_probability: log P(token | source and the path so far), in nats. The path's is the sum along it.
        fate: "kept": it stays in the beam; "finished": it ends here, with `<eos>` or at the longest length allowed;
            "cut": it was looked at and left behind.
    """

    parent: int
    token: str
    log_probability: float
    fate: Literal["kept", "cut", "finished"]


@dataclass(frozen=True)
class BeamTree:
    """A whole search for the translation of one sentence.

    Attributes:
        source: the words of the sentence. reference: those of its true translation, without `<eos>`.
        width: of the beam. The one path of a search of width 1 is the greedy one; it is marked in the other trees of the sentence.
        nodes: step by step and, in a step, the best path first; all that were kept or finished and the best few that
            were cut. A child comes after its parent. The search should go on until `width` paths have
            finished, so that a length penalty has something to rank.
    """

    source: Sequence[str]
    reference: Sequence[str]
    width: int
    nodes: Sequence[BeamNode]


def beam_tree(trees: Sequence[BeamTree], *, title: str = TITLE, caption: str = CAPTION) -> Figure:
    """An interactive figure: beam search unfolded step by step. Trees of one sentence stand together, width by width.

    Finished paths are ranked by log P / ((5 + n) / 6)^alpha with n the number of tokens, `<eos>` included (Wu et al., "Google's Neural
    Machine Translation System", 2016, equation 14); the reader chooses alpha from 0 to 1.5. The search itself is by log P.

    Raises:
        ValueError: no tree, two of one sentence with the same width, a node out of order, below one that is not kept, with a
            log-probability above 0 or another fate, a step that keeps more than `width`.

    >>> nodes = [BeamNode(-1, "lomi", -0.1, "kept"), BeamNode(-1, "su", -2.5, "cut"), BeamNode(0, "<eos>", -0.2, "finished")]
    >>> beam_tree([BeamTree(["fox"], ["lomi"], 1, nodes)])
    Figure('A beam search, step by step')
    """
    if not trees:
        raise ValueError("'trees' must hold at least one search, got none")
    vocab: dict[str, int] = {}
    sentences: dict[tuple, dict[int, BeamTree]] = {}
    for tree in trees:
        _check(tree)
        for word in (*tree.source, *tree.reference, *(node.token for node in tree.nodes)):
            vocab.setdefault(word, len(vocab))
        widths = sentences.setdefault((tuple(tree.source), tuple(tree.reference)), {})
        if tree.width in widths:
            raise ValueError(
                f"'trees' must have other widths for one sentence, got {tree.width} twice for {tree.source}"
            )
        widths[tree.width] = tree
    packed, right = [], 0
    table = [("Source", "Width", "Best by log P", "log P", "Best with α = 1", "Is it the reference?")]
    for (source, reference), widths in sentences.items():
        greedy = finished_paths(widths[1])[0][0] if 1 in widths else []
        one = {"source": [vocab[w] for w in source], "reference": [vocab[w] for w in reference], "trees": []}
        for width, tree in sorted(widths.items()):
            one["trees"].append(_pack(tree, vocab, greedy))
            found = finished_paths(tree)
            words, total = found[0]
            penalized = max(found, key=lambda path: path[1] / ((5 + len(path[0])) / 6))[0]
            is_right = words == [*reference, END]
            right += is_right
            yes = ["no", "yes"]
            table.append(
                (" ".join(source), width, " ".join(words), f"{total:.2f}", " ".join(penalized), yes[is_right])
            )
        packed.append(one)
    widths = sorted({tree.width for tree in trees})
    return Figure(
        _HERE / "beam_tree.js",
        {"vocab": list(vocab), "sentences": packed},
        state={"sentence": 0, "width": trees[0].width, "step": 1, "node": -1, "alpha": 0.0},
        css=_HERE / "beam_tree.css",
        title=title,
        caption=caption,
        alt=f"{len(trees)} searches for the translations of {len(packed)} sentences, with widths {', '.join(map(str, widths))}: "
        f"the best hypothesis by log P is the reference in {right} of them.",
        fallback=table,
    )


def finished_paths(tree: BeamTree) -> list[tuple[list[str], float]]:
    """The words of each finished path and its log-probability in nats, the most probable first.

    >>> nodes = [BeamNode(-1, "lomi", -0.1, "kept"), BeamNode(0, "<eos>", -0.2, "finished")]
    >>> [(words, round(total, 3)) for words, total in finished_paths(BeamTree(["fox"], ["lomi"], 1, nodes))]
    [(['lomi', '<eos>'], -0.3)]
    """
    paths: list[tuple[list[str], float]] = []
    for node in tree.nodes:
        words, total = paths[node.parent] if node.parent >= 0 else ([], 0.0)
        paths.append(([*words, node.token], total + node.log_probability))
    ended = [path for path, node in zip(paths, tree.nodes, strict=True) if node.fate == "finished"]
    return sorted(ended, key=lambda path: -path[1])


def _pack(tree: BeamTree, vocab: dict[str, int], greedy: Sequence[str]) -> dict:
    """A tree as the module reads it, column by column; its nodes on the greedy path are marked."""
    steps, marks = [], []
    for node in tree.nodes:
        step = steps[node.parent] + 1 if node.parent >= 0 else 0
        follows = node.parent < 0 or marks[node.parent]
        steps.append(step)
        marks.append(int(bool(follows) and step < len(greedy) and greedy[step] == node.token))
    return {
        "width": tree.width,
        "parent": [node.parent for node in tree.nodes],
        "token": [vocab[node.token] for node in tree.nodes],
        "log_p": [round(float(node.log_probability), 4) + 0.0 for node in tree.nodes],
        "fate": "".join(node.fate[0].upper() for node in tree.nodes),
        "greedy": marks,
    }


def _check(tree: BeamTree) -> None:
    if tree.width < 1:
        raise ValueError(f"'width' must be at least 1, got {tree.width}")
    steps: list[int] = []
    taken: dict[int, int] = {}
    for at, node in enumerate(tree.nodes):
        what = f"in node {at} of width {tree.width} for {' '.join(tree.source)!r}"
        if node.fate not in ("kept", "cut", "finished"):
            raise ValueError(f"'fate' must be 'kept', 'cut' or 'finished', got {node.fate!r} {what}")
        if not -1 <= node.parent < at or (node.parent >= 0 and tree.nodes[node.parent].fate != "kept"):
            raise ValueError(
                f"'parent' must be -1 or the place of an earlier node that was kept, got {node.parent} {what}"
            )
        if not (node.log_probability <= 1e-6 and math.isfinite(node.log_probability)):
            raise ValueError(
                f"'log_probability' must be finite and at most 0, got {node.log_probability} {what}"
            )
        steps.append(steps[node.parent] + 1 if node.parent >= 0 else 1)
        if at and steps[at] < steps[at - 1]:
            raise ValueError(
                f"'nodes' must be listed step by step, got one of step {steps[at]} behind {steps[at - 1]} {what}"
            )
        taken[steps[at]] = taken.get(steps[at], 0) + (node.fate != "cut")
        if taken[steps[at]] > tree.width:
            raise ValueError(f"'nodes' must keep at most width={tree.width} in a step, got more {what}")
    if not any(node.fate == "finished" for node in tree.nodes):
        raise ValueError(
            f"'nodes' must have at least one that finished, got none for {' '.join(tree.source)!r}"
        )
