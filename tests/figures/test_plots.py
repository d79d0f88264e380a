"""The palette holds what it promises, and a plot is the same file twice."""

import re
from itertools import combinations

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from lmcourse.figures import plots
from lmcourse.figures.figure import _HERE

# Machado, Oliveira & Fernandes 2009, severity 1, on linear RGB.
SIGHT = {
    "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "tritanopia": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
    "full": np.eye(3),
    "greyscale": [[0.2126, 0.7152, 0.0722]] * 3,
}


def linear(colour: str) -> np.ndarray:
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    high, low = sorted((linear(c) @ [0.2126, 0.7152, 0.0722] for c in (one, other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def oklab(rgb: np.ndarray) -> np.ndarray:
    """Ottosson 2020; distances in it are close to what the eye sees."""
    lms = [[0.4122, 0.5363, 0.0514], [0.2119, 0.6807, 0.1074], [0.0883, 0.2817, 0.6300]]
    to_lab = [[0.2105, 0.7936, -0.0041], [1.9780, -2.4286, 0.4506], [0.0259, 0.7828, -0.8087]]
    return np.array(to_lab) @ np.cbrt(np.array(lms) @ np.clip(rgb, 0, 1))


def variables(scheme: str) -> dict[str, str]:
    """The colours of style.css: `light`, or the dark ones of the `page` or of the reader's `system`."""
    css = (_HERE / "style.css").read_text(encoding="utf-8")
    blocks = [
        dict(re.findall(r"--lm-(\w[\w-]*): (#\w{6});", block))
        for block in re.findall(r"\{([^{}]*--lm-ink: [^{}]*)\}", css)
    ]
    return dict(zip(("light", "system", "page"), blocks, strict=True))[scheme]


def test_both_dark_blocks_are_equal_and_complete():
    assert variables("system") == variables("page")
    assert variables("page").keys() == variables("light").keys()


def test_css_and_matplotlib_name_the_same_colours():
    light = variables("light")
    assert {name: light[name] for name in plots.PALETTE} == plots.PALETTE
    assert (light["ink"], light["soft"], light["line"]) == (plots.INK, plots.SOFT, plots.LINE)


@pytest.mark.parametrize("scheme", ["light", "page"])
def test_text_colours_reach_a_contrast_of_4_5(scheme):
    colours = variables(scheme)
    for ink in ("ink", "soft", "focus", *plots.PALETTE):
        for paper in ("paper", "panel"):
            assert contrast(colours[ink], colours[paper]) >= 4.5, (ink, paper)
    for paper in ("tint-a", "tint-b", "mark"):
        assert contrast(colours["ink"], colours[paper]) >= 7
        assert contrast(colours["soft"], colours[paper]) >= 4.5
    assert contrast(colours["edge"], colours["paper"]) >= 3  # frames of controls and tokens


@pytest.mark.parametrize("scheme", ["light", "page"])
@pytest.mark.parametrize("sight", SIGHT)
def test_colours_differ_to_every_eye(scheme, sight):
    least = 3.0 if sight == "greyscale" else 6.0
    for one, other in combinations(plots.PALETTE, 2):
        seen = [oklab(np.array(SIGHT[sight]) @ linear(variables(scheme)[name])) for name in (one, other)]
        assert 100 * np.linalg.norm(seen[0] - seen[1]) >= least, (one, other)


def draw():
    figure, ax = plt.subplots()
    lines = {"low": [1, 2, 3], "close": [1, 2, 3.02], "high": [2, 4, 8]}
    for name, values in lines.items():
        ax.plot(values, label=name)
    ax.set(xlabel="step", ylabel="loss (nats)")
    plots.label_lines(ax)
    return figure, ax


def test_png_is_the_same_file_twice_and_carries_no_date(tmp_path):
    files = [tmp_path / "one.png", tmp_path / "two.png"]
    with plots.use_style():
        for path in files:
            figure, _ = draw()
            plots.save_png(figure, path)
            plt.close(figure)
    one, two = (path.read_bytes() for path in files)
    assert one == two
    assert b"tEXt" not in one
    assert b"tIME" not in one
    assert (
        int.from_bytes(one[16:20], "big") == 1008
    )  # 7 inches at 144 dots: the size never depends on the content


def test_style_is_undone_behind_a_with_block_and_stays_otherwise():
    before = matplotlib.rcParams["figure.dpi"]
    with plots.use_style():
        assert matplotlib.rcParams["figure.dpi"] == 144
    assert matplotlib.rcParams["figure.dpi"] == before
    undo = plots.use_style()
    assert "0x" not in repr(undo)  # as the last line of a cell it must not churn the notebook
    assert undo._ipython_display_() is None
    assert matplotlib.rcParams["figure.dpi"] == 144
    undo.close()


def test_labels_do_not_overlap_and_stay_in_the_order_of_their_lines():
    with plots.use_style():
        figure, ax = draw()
        labels = {text.get_text(): text for text in ax.texts}
        boxes = {name: text.get_window_extent() for name, text in labels.items()}
        assert boxes["low"].y1 <= boxes["close"].y0 + 1
        assert boxes["close"].y1 < boxes["high"].y0
        assert labels["high"].xyann[1] == pytest.approx(0)  # room enough: it stands at its line
        assert [text.get_color() for text in ax.texts] != []
        plt.close(figure)


def test_a_label_without_a_name_or_a_point_is_refused():
    _, ax = plt.subplots()
    with pytest.raises(ValueError, match="'text' must name the line"):
        plots.label_line(ax, ax.plot([1, 2])[0])
    with pytest.raises(ValueError, match="'line' must have at least one point"):
        plots.label_line(ax, ax.plot([], [])[0], "empty")
    plt.close()
