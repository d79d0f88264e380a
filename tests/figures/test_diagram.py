"""The picture of an architecture shows what it was given: every box in its order, arrows up and across, frames."""

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import pytest

from lmcourse.figures.diagram import plot_stacks

STACKS = {"encoder": ["source", "block"], "decoder": ["target", "block", "head"]}


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def test_boxes_stand_in_their_order_and_stacks_side_by_side():
    ax = plot_stacks(STACKS).axes[0]
    places = {text.get_text(): text.get_position() for text in ax.texts if text.get_text()}
    assert places["target"][1] < places["block"][1] < places["head"][1]
    assert places["source"][0] == places["encoder"][0] < places["decoder"][0] == places["head"][0]


def test_an_arrow_across_goes_from_the_side_of_one_box_to_the_side_of_the_other():
    plain, crossed = plot_stacks(STACKS), plot_stacks(STACKS, across=[("encoder", 1, "decoder", 1)])
    arrows = [[t for t in f.axes[0].texts if not t.get_text()] for f in (plain, crossed)]
    assert len(arrows[0]) == 3  # one between each two boxes of a stack
    (more,) = arrows[1][3:]
    boxes = {t.get_text(): t.get_position() for t in crossed.axes[0].texts if t.get_text()}
    (from_x, from_y), (to_x, to_y) = more.xyann, more.xy
    assert boxes["encoder"][0] < from_x < to_x < boxes["decoder"][0]
    assert from_y == to_y == boxes["block"][1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stacks": {}}, "'stacks' must hold at least one stack"),
        ({"stacks": {"encoder": []}}, "'stacks' must hold at least one stack"),
        ({"repeated": {"router": (0, 1, "x 2")}}, "'repeated' must name one of the stacks"),
        (
            {"repeated": {"encoder": (1, 2, "x 2")}},
            "'repeated' must count the 2 boxes of 'encoder' from 0, got 1 to 2",
        ),
        (
            {"across": [("encoder", 0, "decoder", 3)]},
            "'across' must count the 3 boxes of 'decoder' from 0, got 3 to 3",
        ),
        ({"colours": {"block": "pink"}}, "'colours' must be some of"),
    ],
)
def test_bad_arguments_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        plot_stacks(**({"stacks": STACKS} | options))
