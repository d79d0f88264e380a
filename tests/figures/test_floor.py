"""The table of distances to the floor: merged by key, written whole, safe and readable as HTML."""

import json
import re
from html.parser import HTMLParser

import pytest

from lmcourse.figures.floor import FloorRow, floor_table, load_rows, record

BIGRAM = FloorRow("00_sequences", "filler", "bigram", 900, 2.4, 2.0, seeds=3, spread=0.01)
UNIGRAM = FloorRow(
    "00_sequences", "filler", "unigram", 80, 4.0, 2.0, seeds=3, spread=0.02, note="no <context>"
)
PLAY = FloorRow("00_sequences", "play", "bigram", 800, 2.0, 1.0)
LSTM = FloorRow("03_recurrence", "filler", "LSTM", 154_000, 2.04, 2.0)


class Page(HTMLParser):
    """Which elements are open, whether they close in order, and the text and classes of each."""

    def __init__(self, html: str):
        super().__init__()
        self.open, self.seen, self.attributes = [], [], []
        self.feed(html)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes.append((tag, dict(attrs)))
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_excess_is_what_lies_above_the_floor():
    assert LSTM.excess_nats == pytest.approx(0.04)
    assert LSTM.excess_percent == pytest.approx(2.0)


def test_rows_are_merged_by_key_and_written_sorted(tmp_path):
    path = tmp_path / "data" / "floor.json"
    assert load_rows(path) == []
    record([PLAY, UNIGRAM], path)
    record([LSTM, BIGRAM], path)
    assert load_rows(path) == [BIGRAM, UNIGRAM, PLAY, LSTM]
    better = FloorRow("00_sequences", "filler", "bigram", 950, 2.3, 2.0)
    assert record([better], path) == load_rows(path) == [better, UNIGRAM, PLAY, LSTM]
    assert [p.name for p in path.parent.iterdir()] == ["floor.json"]


def test_the_file_does_not_depend_on_the_order_of_recording(tmp_path):
    record([PLAY, LSTM, BIGRAM], tmp_path / "a.json")
    for row in (BIGRAM, LSTM, PLAY):
        record([row], tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_numbers_are_kept_to_six_places(tmp_path):
    record([FloorRow("00_sequences", "a", "m", 1, 1 / 3, 0.25, spread=1e-9)], tmp_path / "rows.json")
    (row,) = json.loads((tmp_path / "rows.json").read_text())
    assert (row["loss"], row["spread"]) == (0.333333, 0)


def test_html_is_whole_and_each_cell_has_its_heads():
    page = Page(floor_table([BIGRAM, UNIGRAM, PLAY, LSTM])._repr_html_())
    assert [page.seen.count(tag) for tag in ("caption", "thead", "figcaption")] == [1, 1, 1]
    scopes = [values.get("scope") for tag, values in page.attributes if tag == "th"]
    assert scopes.count("rowgroup") == 2
    assert scopes.count("row") == 4
    assert scopes.count("col") == 8
    assert page.seen.count("td") == 4 * 7
    assert None not in scopes
    assert "script" not in page.seen


def test_rows_stand_by_corpus_the_farthest_first():
    html = floor_table([LSTM, PLAY, BIGRAM, UNIGRAM])._repr_html_()
    heads = re.findall(r'<th scope="row(?:group)?"[^>]*>([^<]*)', html)
    assert heads == ["filler", "unigram", "bigram", "LSTM", "play", "bigram"]


def test_bars_are_in_proportion_within_a_corpus():
    rows = [LSTM, PLAY, BIGRAM, UNIGRAM]
    widths = [
        float(w) for w in re.findall(r'lm-bar" style="width:([\d.]+)%', floor_table(rows)._repr_html_())
    ]
    assert widths == [100, 20, 2, 100]
    near = floor_table([LSTM, FloorRow("03_recurrence", "filler", "GRU", 1, 2.01, 2.0)])._repr_html_()
    assert re.findall(r'lm-bar" style="width:([\d.]+)%', near) == ["100.00", "25.00"]
    lucky = FloorRow("00_sequences", "filler", "lucky", 1, 1.99, 2.0)
    assert 'style="width:0.00%"' in floor_table([lucky])._repr_html_(), "below the floor by luck: no bar"


def test_numbers_and_names_are_shown_as_they_are():
    html = floor_table([UNIGRAM, LSTM])._repr_html_()
    assert "no &lt;context&gt;" in html
    assert "154,000" in html
    assert "2.000 ± 0.020" in html
    assert "0.040</td>" in html, "no spread for a single seed"
    assert "100.0 %" in html


def test_a_lesson_shows_the_chapters_up_to_its_own():
    table = floor_table([LSTM, BIGRAM], upto="02_embeddings")
    assert table.rows == [BIGRAM]
    assert floor_table([LSTM, BIGRAM], upto="03_recurrence").rows == [LSTM, BIGRAM]
    with pytest.raises(
        ValueError, match="'rows' must hold at least one row up to chapter '01_tokens', got none"
    ):
        floor_table([LSTM], upto="01_tokens")


def test_highlighted_models_are_marked_for_every_sense():
    html = floor_table([LSTM, BIGRAM], highlight="LSTM")._repr_html_()
    marked = re.findall(r'<tr class="lm-here"><th scope="row">(\w+) <span class="lm-sr">\(marked\)', html)
    assert marked == ["LSTM"]
    with pytest.raises(ValueError, match=r"'highlight' must name models of the table, got \['GRU'\]"):
        floor_table([LSTM], highlight=["LSTM", "GRU"])


def test_as_text_it_is_a_plain_table():
    lines = repr(floor_table([BIGRAM, LSTM])).splitlines()
    assert lines[1].split() == ["filler", "bigram", "900", "2.400", "2.000", "20.0%"]
    assert lines[2].split() == ["filler", "LSTM", "154,000", "2.040", "2.000", "2.0%"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"chapter": "recurrence"},
            "'chapter' must be a folder's name like '03_recurrence', got 'recurrence'",
        ),
        ({"model": " "}, "'model' must be a name, got ' '"),
        ({"corpus": ""}, "'corpus' must be a name, got ''"),
        ({"loss": float("inf")}, "'loss' must be a finite number, at least 0, got inf"),
        ({"loss": float("nan")}, "'loss' must be a finite number, at least 0, got nan"),
        ({"floor": 0}, "'floor' must be above 0"),
        ({"seeds": 0}, "'seeds' must be a finite number, at least 1, got 0"),
        ({"spread": -1}, "'spread' must be a finite number, at least 0, got -1"),
    ],
)
def test_rows_that_cannot_be_are_refused(change, message):
    fields = {"chapter": "00_x", "corpus": "c", "model": "m", "parameters": 1, "loss": 1.0, "floor": 1.0}
    with pytest.raises(ValueError, match=message):
        FloorRow(**{**fields, **change})
