"""The charts of the lessons show the numbers that they are given."""

import matplotlib.pyplot as plt
import pytest

from lmcourse.figures.charts import bars, curves, histograms


@pytest.fixture(autouse=True)
def keep_open(monkeypatch):
    monkeypatch.setattr(plt, "show", lambda: None)
    yield
    plt.close("all")


def test_curves_draw_each_series_and_name_it():
    curves(
        [1, 10, 100],
        {"a": [3, 2, 1], "b": [4, 4, 4]},
        xlabel="x",
        ylabel="y",
        title="t",
        log_x=True,
        y_from=0,
    )
    ax = plt.gca()
    assert [list(line.get_ydata()) for line in ax.get_lines()] == [[3, 2, 1], [4, 4, 4]]
    assert {text.get_text() for text in ax.texts} == {"a", "b"}
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["1", "10", "100"]
    with pytest.raises(ValueError, match="'series' must have 2 values for each line, got 3 for 'a'"):
        curves([1, 2], {"a": [1, 2, 3]}, xlabel="", ylabel="", title="")


def test_bars_are_sorted_and_carry_their_notes():
    bars({"low": 1, "high": 3, "middle": 2}, xlabel="n", title="t", notes={"high": "most"})
    ax = plt.gca()
    assert [bar.get_width() for bar in ax.patches] == [3, 2, 1], "drawn from the bottom up"
    assert [text.get_text() for text in ax.texts] == ["most", "2", "1"]


def test_histograms_are_in_per_cent_of_their_own_panel():
    histograms({"one": {4: 3, 5: 1}, "two": {6: 10}}, xlabel="n", ylabel="%")
    first, second = plt.gcf().axes
    assert [bar.get_height() for bar in first.patches] == [75, 25]
    assert [bar.get_height() for bar in second.patches] == [100]
    assert first.get_xlim() == second.get_xlim()


def test_curves_on_a_logarithmic_axis_and_without_dots_where_there_are_many():
    curves(range(40), {"a": [2.0**-k for k in range(40)]}, xlabel="", ylabel="", title="", log_y=True)
    (line,) = plt.gca().get_lines()
    assert (plt.gca().get_yscale(), line.get_marker()) == ("log", "None")
