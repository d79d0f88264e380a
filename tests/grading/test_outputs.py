"""What students' cells show must not run in an instructor's browser, whatever came out of the box."""

from __future__ import annotations

import pytest

from lmcourse.grading.judging.outputs import clean_html, safe_outputs

ATTACKS = [
    "<script>steal()</script>",
    "<img src=x onerror=steal()>",
    "<a href='javascript:steal()'>x</a>",
    "<svg onload=steal()>",
    "<iframe src='http://evil'></iframe>",
    "<style>@import 'http://evil'</style>",
    "<form action='http://evil'><input></form>",
    "<div style='background:url(http://evil)'>x</div>",
    "<meta http-equiv=refresh content='0;url=http://evil'>",
    "<math><mtext></mtext><script>steal()</script></math>",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_html_that_acts_is_left_out(attack):
    cleaned = clean_html(attack)
    assert not any(
        word in cleaned.lower()
        for word in (
            "<script",
            "onerror",
            "onload",
            "javascript:",
            "<iframe",
            "<svg",
            "<form",
            "style",
            "<meta",
            "src=",
        )
    )


def test_tables_and_text_stay():
    html = '<table><tbody><tr><th scope="col">a</th><td>1 &lt; 2</td></tr></tbody></table>'
    assert clean_html(html) == html


def test_scripts_widgets_and_pictures_that_are_none_are_dropped():
    data = {
        "application/javascript": "steal()",
        "application/vnd.jupyter.widget-view+json": {"model_id": "1"},
        "image/svg+xml": "<svg onload='steal()'/>",
        "image/png": "x' onerror='steal()",
        "text/html": "<b>2</b>",
    }
    shown = safe_outputs([{"output_type": "display_data", "data": data, "metadata": {"x": 1}}])
    assert shown[0].data == {"text/html": "<b>2</b>"}
    assert shown[0].metadata == {}


def test_warnings_in_a_graded_cell_are_no_failure():
    raw = [{"output_type": "stream", "name": "stderr", "text": "UserWarning: slow"}]
    assert safe_outputs(raw, graded=True)[0].name == "stdout"
    assert safe_outputs(raw)[0].name == "stderr"


@pytest.mark.parametrize(
    "raw",
    [
        None, 7, "x", {}, [None, 3, []], [{"output_type": ["stream"]}], [{"output_type": "error", "traceback": 5}],
        [{"output_type": "stream", "text": {"a": 1}}], [{"output_type": "display_data", "data": [1]}],
        [{"output_type": "execute_result", "data": {"text/plain": 5, "image/png": 3}, "execution_count": "x"}],
    ],
)  # fmt: skip
def test_whatever_came_out_becomes_outputs_that_nbformat_takes(raw):
    import nbformat

    cell = nbformat.v4.new_code_cell("1", outputs=safe_outputs(raw), id="a")
    nbformat.validate(nbformat.v4.new_notebook(cells=[cell]))
