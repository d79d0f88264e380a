"""One sentence through a language model, stage by stage, and round again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from lmcourse.figures import Figure

_HERE = Path(__file__).parent

TITLE = "One sentence through the model"
CAPTION = (
    "Press “Next” and follow the text: each stage has a name and a shape, and a row of cells for each token, orange above 0, blue with a dash below "
    "0. Only attention mixes rows; at the end the last row alone decides. What is taken is written behind the text, and the next round begins."
)


@dataclass(frozen=True)
class FlowStage:
    """A tensor on its way through the model.

    Attributes:
        name: what it is called, as in the code: "embedding", "blocks[0].attention".
        shape: of the whole tensor, the batch axis included if there is one.
        note: one line on what happens here.
        values: a slice to look at, a row for each token: any number of columns, of which the first are shown.
        columns: what each column of `values` is called, where it has a name (tokens of the vocabulary, words looked at).
        part: what the stage belongs to, "Input", "Block 1", "Output": stages of one part stand together.
    """

    name: str
    shape: tuple[int, ...]
    note: str
    values: Float[np.ndarray, "tokens columns"]
    columns: Sequence[str] = ()
    part: str = ""


@dataclass(frozen=True)
class FlowRound:
    """One pass: a text goes in, a token comes out.

    Attributes:
        text: what goes in. tokens, ids: the same, cut up and numbered.
        stages: from the embedding to the probabilities, in order; the same names in every round.
        guesses: the most probable next tokens with their probabilities, the best first.
        chosen: the token that was taken; the text of the next round ends with it.
    """

    text: str
    tokens: Sequence[str]
    ids: Sequence[int]
    stages: Sequence[FlowStage]
    guesses: Sequence[tuple[str, float]]
    chosen: str


def flow(
    rounds: Sequence[FlowRound], *, columns: int = 24, title: str = TITLE, caption: str = CAPTION
) -> Figure:
    """An interactive figure: rounds of generation, each from text through the stages of the model to the next token.

    Values travel in 127 steps to each side of 0, relative to the largest one of their stage, and are shown in eighths of it.

    Args:
        columns: how many of each stage are shown at most, the first ones; stages with named columns are shown whole.

    Raises:
        ValueError: no round or no stage, stages that change from round to round, values that are not finite or not a
            row for each token, names for another number of columns, ids or guesses that do not fit.

    >>> stage = FlowStage("embedding", (1, 2, 3), "A row of the table for each id.", np.eye(2, 3), part="Input")
    >>> flow([FlowRound("a fox", ["a", "fox"], [3, 7], [stage], [("sings", 0.9), (".", 0.1)], "sings")])
    Figure('One sentence through the model')
    """
    if not rounds or not rounds[0].stages:
        raise ValueError(f"'rounds' must hold at least one round with a stage, got {len(rounds)} rounds")
    if columns < 1:
        raise ValueError(f"'columns' must be at least 1, got {columns}")
    names = [{"name": stage.name, "part": stage.part} for stage in rounds[0].stages]
    table = [("Round", "Stage", "Shape", "What happens")]
    for number, one in enumerate(rounds):
        if [{"name": stage.name, "part": stage.part} for stage in one.stages] != names:
            raise ValueError(f"'stages' must be the same in every round, got others in round {number}")
        table.append((number + 1, "text", "", one.text))
        if not number:
            table += [(1, stage.name, str(tuple(stage.shape)), stage.note) for stage in one.stages]
        table.append((number + 1, "next token", "", one.chosen))
    said = "".join(f" “{one.chosen}”" for one in rounds)
    return Figure(
        _HERE / "flow.js",
        {"names": names, "rounds": [_pack(number, one, columns) for number, one in enumerate(rounds)]},
        state={"step": 0},
        css=_HERE / "flow.css",
        title=title,
        caption=caption,
        alt=f"“{rounds[0].text}” goes through {len(names)} stages, from {names[0]['name']} to {names[-1]['name']}, in "
        f"{len(rounds)} rounds; the tokens taken are{said}.",
        fallback=table,
    )


def _pack(number: int, one: FlowRound, most: int) -> dict:
    """A round as the module reads it."""
    n = len(one.tokens)
    if not n or len(one.ids) != n:
        raise ValueError(f"'ids' must be one for each of {n} tokens, got {len(one.ids)} in round {number}")
    chances = [p for _, p in one.guesses]
    if not chances or not all(0 <= p <= 1 for p in chances):
        raise ValueError(f"'guesses' must have probabilities from 0 to 1, got {chances} in round {number}")
    shown, scales, maps = [], [], []
    for stage in one.stages:
        values = np.asarray(stage.values, dtype=np.float64)
        if values.ndim != 2 or len(values) != n or not values.shape[1] or not np.isfinite(values).all():
            raise ValueError(
                f"'values' must be finite, a row for each of {n} tokens, got {values.shape} in {stage.name!r} of round {number}"
            )
        if len(stage.columns) not in (0, values.shape[1]):
            raise ValueError(
                f"'columns' must name all {values.shape[1]} columns or none, got {len(stage.columns)} in {stage.name!r}"
            )
        values = values if len(stage.columns) else values[:, :most]
        scale = float(np.abs(values).max()) or 1.0
        shown.append(values.shape[1])
        scales.append(float(f"{scale:.3g}"))
        maps.append((np.rint(127 * values / scale) + 128).astype(np.uint8).tobytes().hex())
    return {
        "text": one.text,
        "tokens": list(one.tokens),
        "ids": [int(i) for i in one.ids],
        "guesses": [[token, round(float(p), 4)] for token, p in one.guesses],
        "chosen": one.chosen,
        "notes": [stage.note for stage in one.stages],
        "shapes": [[int(size) for size in stage.shape] for stage in one.stages],
        "labels": [list(stage.columns) for stage in one.stages],
        "columns": shown,
        "scales": scales,
        "maps": maps,
    }
