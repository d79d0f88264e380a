"""The interactive figures of chapters 00 and 02 in a browser: their numbers are Python's, and everybody can work them."""

import math
import random
from functools import cache
from typing import ClassVar

import numpy as np
import pytest
import torch
from figure_page import FigureChecks, stat

from lmcourse.embeddings.absolute import position_angles
from lmcourse.embeddings.pairs import context_pairs
from lmcourse.embeddings.rotary import rotate
from lmcourse.embeddings.vectors import WordVectors
from lmcourse.figures import Figure
from lmcourse.sequences import MaximumLikelihood, NGramModel
from lmcourse.sequences import guessing_game as game_data
from lmcourse.widgets.embeddings import rope_dials, window_pairs, word_map
from lmcourse.widgets.sequences import guessing_game
from lmcourse.widgets.sequences.guessing_game import CONFIDENCE

pytestmark = pytest.mark.browser

# --- What the figures are made of -----------------------------------------------------------------------

TRAINING = [
    text.split()
    for text in (
        "The cat sees a dog .",
        "a dog sees The cat .",
        "The cats see <b> .",
        "a dog barks .",
        "<b> barks .",
    )
]
VOCAB = tuple(dict.fromkeys(word for text in TRAINING for word in text))
PLAYED = [text.split() for text in ("The dog sees a cat .", "a cat barks .", "The cats see The dog .")]
SENTENCE = [
    "the",
    "dog",
    "and",
    "the",
    "cat",
    "and",
    "a",
    "dog",
    "near",
    "the",
    "cat",
    "saw",
    "the",
    "<b>",
    ".",
]
KEEP = {
    "the": 0.31,
    "and": 0.5,
    "a": 0.62,
    "dog": 0.8,
    "cat": 0.9,
    "near": 1.0,
    "saw": 1.0,
    "<b>": 0.7,
    ".": 0.0,
}
QUERY = [0.9, -0.4, 0.2, 1.1, -0.7, 0.3, 0.5, 0.5]
KEY = [0.1, 0.8, 1.0, -0.2, 0.6, 0.6, -0.3, 0.9]
LAST, BASE = 12, 50.0


@cache
def games() -> tuple[list[dict], dict[str, float]]:
    """Three sentences as three models see them; the maximum-likelihood trigram thinks some words impossible."""
    ids = [[VOCAB.index(word) for word in text] for text in TRAINING]
    models = {
        "unigram": NGramModel.train(ids, 1, len(VOCAB)),
        "trigram": NGramModel.train(ids, 3, len(VOCAB), MaximumLikelihood()),
        "exact": NGramModel.train(ids, 2, len(VOCAB)),
    }
    data = game_data([[VOCAB.index(word) for word in text] for text in PLAYED], models, VOCAB, top=6)
    law = models["unigram"].next_probabilities([])
    return data, dict(zip(VOCAB, map(float, law), strict=True))


@cache
def vectors() -> tuple[WordVectors, dict[str, str], dict[str, np.ndarray]]:
    """Sixty words in seven clusters, two of them not on the map; two layouts of them."""
    rng = np.random.default_rng(3)
    kinds = ["noun", "verb", "adjective", "<i>", "pronoun", "name", "number"]
    words = [f"{kind[:4]}{i}" for i in range(8) for kind in kinds] + ["off1", "off2"]
    centres = rng.normal(size=(7, 12))
    matrix = np.array([centres[i % 7] for i in range(len(words))]) + 0.6 * rng.normal(size=(len(words), 12))
    classes = {word: kinds[i % 7] for i, word in enumerate(words[:-2])}
    flat = matrix[:-2] @ rng.normal(size=(12, 2))
    return WordVectors(matrix, words), classes, {"PCA": flat, "t-SNE": flat[:, ::-1] ** 3 * [1.0, 0.5]}


@pytest.fixture(scope="module")
def build():
    @cache
    def build(name: str) -> Figure:
        if name == "guessing_game":
            return guessing_game(*games(), choices=6)
        if name == "window_pairs":
            return window_pairs(SENTENCE, KEEP, draws=4, seed=1)
        if name == "word_map":
            space, classes, layouts = vectors()
            return word_map(space, classes, layouts, chosen="verb2")
        return rope_dials(BASE, QUERY, KEY, m=5, n=3, max_position=LAST)

    return build


def press(figure, name: str):
    return figure.get_by_role("button", name=name, exact=True)


# --- guessing_game --------------------------------------------------------------------------------------


def law_of_reader(picks: list[str], confidence: float) -> dict[str, float]:
    """The whole distribution, word by word, as the caption says it."""
    _, frequencies = games()
    if not picks:
        return frequencies
    others = {word: p for word, p in frequencies.items() if word not in picks}
    law = {word: (1 - confidence) * p / sum(others.values()) for word, p in others.items()}
    law |= dict.fromkeys(picks, confidence / len(picks))
    assert sum(law.values()) == pytest.approx(1)
    return law


def expected_bits(at: int, place: int, picks: list[str], confidence: float) -> list[float]:
    """The reader's bits and the models', the floor last."""
    game = games()[0][at]
    nats = [game["models"][name]["nats"][place] for name in ("unigram", "trigram", "exact")]
    reader = -math.log2(law_of_reader(picks, confidence)[game["tokens"][place]])
    return [reader, *(math.inf if nat is None else nat / math.log(2) for nat in nats)]


def scores(figure, key: str) -> list[float]:
    return [
        float(n)
        for n in figure.locator(f"[data-stat^={key}]").evaluate_all(
            "(cells) => cells.map((c) => c.dataset.value)"
        )
    ]


def test_guessing_game_scores_reader_and_models_as_python_does(show):
    _, figure = show("guessing_game")
    rng = random.Random(5)
    history = []
    for at, text in enumerate(PLAYED):
        for place in range(len(text)):
            picks = rng.sample(sorted(VOCAB), rng.choice([0, 1, 1, 2, 4]))
            if picks and rng.random() < 0.5:  # often right, so that both halves of the law are met
                picks = list(dict.fromkeys([*picks[1:], text[place]]))
            label, confidence = rng.choice(list(CONFIDENCE.items()))
            for word in picks:
                exact = [w for w in VOCAB if word.lower() in w.lower()]
                figure.get_by_label("Any of the").fill(word)
                found = figure.locator(
                    ".lm-guess-options button:not([aria-pressed=true])"
                ).all_text_contents()
                assert set(exact) - set(picks) <= set(found)
                press(figure, word).click()
                figure.get_by_label("Any of the").fill("")
            press(figure, f"{label}: {round(100 * confidence)} %").click()
            press(figure, "Show the word" if picks else "Skip").click()
            history.append(expected_bits(at, place, picks, confidence))
            assert scores(figure, "now") == pytest.approx(history[-1], rel=1e-5)
            assert scores(figure, "mean") == pytest.approx(np.mean(history, axis=0).tolist(), rel=1e-5)
            assert figure.locator(".lm-guess-verdict b").text_content() == text[place]
        press(figure, "Next sentence").click()
    assert math.inf in np.array(history)[:, 2]  # an impossible word was among them, and is shown as such
    assert "∞" in figure.locator("[data-stat=mean2]").text_content()


def test_guessing_game_does_not_show_what_is_to_be_guessed(show):
    _, figure = show("guessing_game")
    for place in range(len(PLAYED[0]) + 1):
        shown = figure.locator(".lm-guess-text li").all_text_contents()
        assert shown == PLAYED[0][:place] + (["?"] if place < len(PLAYED[0]) else [])
        if place < len(PLAYED[0]):
            offered = figure.locator(".lm-guess-options button").all_text_contents()
            assert offered == sorted(offered, key=lambda word: (word.casefold(), word))
            rivals = [
                word
                for name in ("unigram", "trigram")
                for word, _ in games()[0][0]["models"][name]["guesses"][place]
            ]
            assert len(offered) == 6
            assert set(offered) <= set(rivals)
            press(figure, "Skip").click()


def test_guessing_game_by_mouse(show):
    _, figure = show("guessing_game")
    first = figure.locator(".lm-guess-options button").first
    assert press(figure, "Show the word").get_attribute("aria-disabled") == "true"
    press(figure, "Show the word").click(force=True)  # nothing picked: nothing happens
    assert figure.locator(".lm-guess-text li").count() == 1
    first.click()
    assert first.get_attribute("aria-pressed") == "true"
    assert press(figure, "Show the word").get_attribute("aria-disabled") is None
    first.click()
    assert first.get_attribute("aria-pressed") == "false"
    press(figure, "Skip").click()
    press(figure, "Next sentence").click()  # in the middle of a sentence
    assert "Sentence 2 of 3, word 1" in figure.locator(".lm-heading").first.text_content()
    assert not math.isnan(stat(figure, "mean0"))
    press(figure, "New game").click()
    assert "Sentence 3 of 3, word 1" in figure.locator(".lm-heading").first.text_content()
    assert math.isnan(stat(figure, "mean0"))
    assert figure.locator("[data-stat=mean0]").text_content() == "–"


def test_guessing_game_by_keyboard(show):
    page, figure = show("guessing_game")
    for _ in range(6 + 1):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.type") == "search"
    page.keyboard.type("CATS")
    page.keyboard.press("Enter")  # picks the only match
    page.keyboard.type("the")
    page.keyboard.press("Enter")
    pressed = figure.locator(".lm-guess-options [aria-pressed=true]").all_text_contents()
    assert sorted(pressed) == ["The", "cats"]
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # sure: 95 %
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")  # nothing typed: shows the word
    assert scores(figure, "now") == pytest.approx(expected_bits(0, 0, ["The", "cats"], 0.95), rel=1e-5)
    page.keyboard.press("Shift+Tab")  # a button to pick a word; it keeps the focus
    page.keyboard.press("Space")
    assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"
    status = figure.get_by_role("status")
    press(figure, "Skip").focus()
    for _ in PLAYED[0][1:]:
        page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.textContent") == "Next sentence"  # the picker is gone
    assert not figure.get_by_label("Any of the").is_visible()
    page.wait_for_function("(node) => node.textContent.includes('over')", arg=status.element_handle())
    assert "unigram" in status.text_content()
    page.keyboard.press("Enter")
    assert "Sentence 2 of 3, word 1" in figure.locator(".lm-heading").first.text_content()


# --- window_pairs ---------------------------------------------------------------------------------------

READ_PAIRS = """(root) => ({
  pairs: [...root.querySelectorAll(".lm-pairs-table tbody tr")].reverse().map((row) =>
    [Number(row.dataset.centre), [...row.querySelectorAll("[data-context]")].map((word) => Number(word.dataset.context))]),
  counts: [...root.querySelectorAll(".lm-pairs-table tbody .lm-num")].map((cell) => Number(cell.textContent)),
  roles: [...root.querySelectorAll(".lm-pairs-text li")].map((li) => li.querySelector(".lm-pairs-role").textContent),
  stats: Object.fromEntries([...root.querySelectorAll("[data-stat]")].map((n) => [n.dataset.stat, Number(n.dataset.value)])),
})"""


def python_pairs(kept: list[int], window: int) -> dict[int, list[int]]:
    """Places instead of words, so that two words of the same spelling are not confused."""
    centres, near = context_pairs(np.array(kept, dtype=np.int64), [0] if kept else [], window)
    return {place: sorted(near[centres == place].tolist()) for place in kept}


def test_window_pairs_agree_with_python_over_the_grid(show):
    _, figure = show("window_pairs")
    chances = np.random.default_rng(1).random((4, len(SENTENCE))).round(4)
    centre = figure.get_by_label("Centre of the window")
    for draw in [None, 0, 1, 2, 3]:
        if draw == 0:
            figure.get_by_label("Sub-sample").check()
        elif draw:
            press(figure, "Draw again").click()
        stays = [draw is None or chances[draw][i] < KEEP[word] for i, word in enumerate(SENTENCE)]
        kept = [i for i, stay in enumerate(stays) if stay]
        for window in (1, 2, 5):
            figure.get_by_role("combobox").select_option(str(window))
            pairs = python_pairs(kept, window)
            for place in (0, 1, 4, 9, len(SENTENCE) - 1):
                centre.fill(str(place))
                shown = figure.evaluate(READ_PAIRS)
                sofar = [[i, pairs[i]] for i in kept if i <= place]
                assert shown["pairs"] == sofar
                assert shown["stats"] == {
                    "kept": len(kept),
                    "here": len(pairs.get(place, [])),
                    "sofar": sum(len(near) for _, near in sofar),
                    "all": sum(map(len, pairs.values())),
                }
                assert sum(shown["counts"]) == shown["stats"]["sofar"]
                assert [role == "dropped" for role in shown["roles"]] == [not stay for stay in stays]
                assert {i for i, role in enumerate(shown["roles"]) if role == "context"} == set(
                    pairs.get(place, [])
                )
    press(figure, "Draw again").click()  # after the last draw comes the first again
    assert stat(figure, "kept") == sum(
        chance < KEEP[word] for chance, word in zip(chances[0], SENTENCE, strict=True)
    )


def test_window_pairs_by_mouse_and_keyboard(show):
    page, figure = show("window_pairs")
    page.keyboard.press("Tab")
    page.keyboard.press("Home")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    assert figure.get_by_label("Centre of the window").get_attribute("aria-valuetext") == "cat, word 5 of 15"
    assert figure.locator(".lm-pairs-table tbody tr").count() == 5
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowUp")  # the window, from 2 to 1
    assert stat(figure, "here") == 2
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert figure.locator(".lm-pairs-keep").all_text_contents() == [f"{KEEP[word]:.2f}" for word in SENTENCE]
    page.keyboard.press("Tab")
    before = figure.evaluate(READ_PAIRS)["roles"]
    page.keyboard.press("Enter")
    assert figure.evaluate(READ_PAIRS)["roles"] != before
    figure.locator(".lm-pairs-text li").last.click()
    assert (
        "“.” was dropped (it is kept with probability 0.00)"
        in figure.locator(".lm-pairs-headline").text_content()
    )
    assert stat(figure, "here") == 0
    status = figure.get_by_role("status")
    page.wait_for_function("(node) => node.textContent.includes('dropped')", arg=status.element_handle())


# --- word_map -------------------------------------------------------------------------------------------

READ_MAP = """(root) => ({
  list: [...root.querySelectorAll(".lm-map-list li")].map((li) => [li.dataset.word, Number(li.dataset.cosine)]),
  off: [...root.querySelectorAll(".lm-map-off")].map((span) => span.parentElement.dataset.word),
  near: [...root.querySelectorAll(".lm-map-near")].map((g) => Number(g.dataset.index)),
  chosen: [...root.querySelectorAll(".lm-map-chosen")].map((g) => g.getAttribute("aria-label")),
  stops: [...root.querySelectorAll("[role=option][tabindex='0']")].map((g) => Number(g.dataset.index)),
  lines: [...root.querySelectorAll(".lm-map-edge")].map((l) => ["x1", "y1", "x2", "y2"].map((k) => Number(l.getAttribute(k)))),
  points: [...root.querySelectorAll("[role=option]")].map((g) => { const b = g.getBBox(); return [b.x + b.width / 2, b.y + b.height / 2]; }),
})"""


def test_word_map_shows_the_true_neighbours_of_every_word(show):
    _, figure = show("word_map")
    space, classes, _ = vectors()
    words = list(classes)
    unit = space.matrix / np.linalg.norm(space.matrix, axis=1, keepdims=True)
    cosines = unit @ unit.T  # another way to the same numbers than `neighbours`
    off = 0
    for word in words:
        figure.get_by_label("Find a word").fill(word)
        shown = figure.evaluate(READ_MAP)
        row = cosines[space.index(word)].copy()
        row[space.index(word)] = -2
        best = np.argsort(-row)[:8]
        assert [other for other, _ in shown["list"]] == [space.vocab[i] for i in best]
        assert [c for _, c in shown["list"]] == pytest.approx(row[best].tolist(), abs=6e-4)
        assert shown["chosen"] == [f"{word}, {classes[word]}"]
        on_map = [other for other, _ in shown["list"] if other in classes]
        assert sorted(words[i] for i in shown["near"]) == sorted(on_map)
        assert shown["off"] == [other for other, _ in shown["list"] if other not in classes]
        off += len(shown["off"])
        here = shown["points"][words.index(word)]
        ends = [shown["points"][words.index(other)] for other in on_map]
        assert [line[:2] for line in shown["lines"]] == [pytest.approx(here, abs=1.6)] * len(on_map)
        assert [line[2:] for line in shown["lines"]] == [pytest.approx(end, abs=1.6) for end in ends]
    assert off > 0


@pytest.mark.parametrize("width", [1280, 390])
def test_word_map_keeps_the_distances_of_each_layout(show, width):
    _, figure = show("word_map", width=width)
    for name, points in vectors()[2].items():
        press(figure, name).click()
        assert press(figure, name).get_attribute("aria-pressed") == "true"
        shown = np.array(figure.evaluate(READ_MAP)["points"])
        flat = np.array(points) * [1, -1]  # upwards on paper, downwards on a screen
        steps = (shown - shown[0]), (flat - flat[0])
        scale = np.linalg.norm(steps[0]) / np.linalg.norm(steps[1])
        assert steps[0] == pytest.approx(scale * steps[1], abs=2.5)
        box = figure.locator(".lm-map-svg").bounding_box()
        assert shown.min() > 0
        assert shown[:, 0].max() < box["width"]
        assert shown[:, 1].max() < box["height"]
        labels = figure.locator(".lm-map-label").evaluate_all(
            "(nodes) => nodes.map((n) => { const b = n.getBBox(); return [b.x, b.y, b.x + b.width, b.y + b.height]; })"
        )
        assert len(labels) > 8
        assert min(b[0] for b in labels) >= -1
        assert max(b[2] for b in labels) <= box["width"] + 1
        hit = [
            (a, b)
            for i, a in enumerate(labels)
            for b in labels[:i]
            if min(a[2], b[2]) - max(a[0], b[0]) > 2 and min(a[3], b[3]) - max(a[1], b[1]) > 4
        ]
        assert hit == []  # no name on another


def test_word_map_by_keyboard(show):
    page, figure = show("word_map")
    words = list(vectors()[1])
    box = figure.get_by_label("Find a word")
    box.focus()
    page.keyboard.type("NUM")
    page.keyboard.press("Enter")
    assert figure.evaluate(READ_MAP)["chosen"] == ["numb0, number"]
    assert box.input_value() == ""
    page.keyboard.type("zebra")
    page.keyboard.press("Enter")
    assert figure.get_by_text("No word of the map begins with “zebra”.").is_visible()
    assert figure.evaluate(READ_MAP)["chosen"] == ["numb0, number"]
    for _ in range(3):
        page.keyboard.press("Tab")  # past two projections to the map: one stop for all words
    assert figure.get_by_role("listbox", name="Words on the map").get_by_role("option").count() == len(words)
    now = words.index("numb0")
    assert page.evaluate("document.activeElement.dataset.index") == str(now)
    moved = 0
    for key, axis, sign in [
        ("ArrowRight", 0, 1),
        ("ArrowDown", 1, 1),
        ("ArrowLeft", 0, -1),
        ("ArrowUp", 1, -1),
    ] * 4:
        points = np.array(figure.evaluate(READ_MAP)["points"])
        page.keyboard.press(key)
        to = int(page.evaluate("document.activeElement.dataset.index"))
        shown = figure.evaluate(READ_MAP)
        assert shown["stops"] == [to]
        if to != now:
            step = points[to] - points[now]
            assert sign * step[axis] > 0
            assert abs(step[1 - axis]) <= abs(step[axis]) + 2
            moved += 1
        now = to
    assert moved > 8
    page.keyboard.press("End")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == f"{words[-1]}, number"
    page.keyboard.press("Home")
    page.keyboard.press("Tab")  # the first neighbour in the list
    first = figure.evaluate(READ_MAP)["list"][0][0]
    page.keyboard.press("Enter")
    assert figure.locator(".lm-map-name b").text_content() == first
    assert page.evaluate("document.activeElement.tagName") == "BUTTON"
    status = figure.get_by_role("status")
    page.wait_for_function(f"(node) => node.textContent.startsWith('{first},')", arg=status.element_handle())


def test_word_map_by_mouse_and_finger(show):
    page, figure = show("word_map")
    svg = figure.locator(".lm-map-svg").bounding_box()
    points = figure.evaluate(READ_MAP)["points"]
    words = list(vectors()[1])
    lonely = max(range(len(points)), key=lambda i: sorted(math.dist(points[i], p) for p in points)[1])
    x, y = points[lonely][0] + svg["x"], points[lonely][1] + svg["y"]
    page.mouse.move(x + 3, y - 3)
    assert figure.locator(".lm-map-name b").text_content() == words[lonely]
    assert figure.evaluate(READ_MAP)["stops"] == [words.index("verb2")]  # pointing is not choosing
    page.mouse.move(svg["x"] + 2, svg["y"] - 20)
    assert figure.locator(".lm-map-name b").text_content() == "verb2"
    page.mouse.click(x, y)
    page.mouse.move(svg["x"] + 2, svg["y"] - 20)
    assert figure.locator(".lm-map-name b").text_content() == words[lonely]
    phone, small = show("word_map", width=390)
    small.locator(".lm-map-svg").scroll_into_view_if_needed()
    box, place = small.locator(".lm-map-svg").bounding_box(), small.evaluate(READ_MAP)["points"][lonely]
    phone.touchscreen.tap(box["x"] + place[0], box["y"] + place[1])
    assert small.locator(".lm-map-name b").text_content() == words[lonely]


def test_word_map_glyphs_of_classes_differ_in_grey(show):
    """By shape where the colour is the same, so that no two classes look alike."""
    _, figure = show("word_map")
    looks = figure.locator(".lm-map-legend svg").evaluate_all(
        "(nodes) => nodes.map((n) => n.getAttribute('class') + n.firstChild.getAttribute('d'))"
    )
    assert len(set(looks)) == len(looks) == 7
    shapes = figure.locator(".lm-map-legend path").evaluate_all(
        "(nodes) => nodes.map((n) => n.getAttribute('d'))"
    )
    assert len(set(shapes[:6])) == 6


# --- rope_dials -----------------------------------------------------------------------------------------


def python_products(m: int, n: int) -> list[float]:
    """What each pair adds to the dot product, by the package's own rotation."""
    turned = [
        rotate(
            torch.tensor([vector], dtype=torch.float64),
            position_angles(torch.tensor([position]), len(vector), BASE),
            "interleaved",
        )[0]
        for vector, position in ((QUERY, m), (KEY, n))
    ]
    return (turned[0] * turned[1]).view(-1, 2).sum(-1).tolist()


def test_rope_dials_agree_with_the_packages_rotation_over_the_grid(show):
    _, figure = show("rope_dials")
    query, key = figure.get_by_label("Query's position"), figure.get_by_label("Key's position")
    read = "(root) => Object.fromEntries([...root.querySelectorAll('[data-stat]')].map((n) => [n.dataset.stat, Number(n.dataset.value)]))"
    speeds = BASE ** (-np.arange(0, len(QUERY), 2) / len(QUERY))
    for m in (0, 1, 5, LAST):
        query.fill(str(m))
        for n in range(LAST + 1):
            key.fill(str(n))
            shown, products = figure.evaluate(read), python_products(m, n)
            assert (shown["m"], shown["n"], shown["distance"]) == (m, n, n - m)
            assert shown["dot"] == pytest.approx(sum(products), abs=1e-12)
            for i, speed in enumerate(speeds):
                assert shown[f"product{i}"] == pytest.approx(products[i], abs=1e-12)
                assert shown[f"angle{i}"] == pytest.approx((n - m) * speed, abs=1e-12)


def test_rope_dials_draw_what_they_say(show):
    """Hands at the turned vectors, first entry up and second to the right; the mark lies on the curve."""
    _, figure = show("rope_dials")
    figure.get_by_label("Query's position").fill("7")
    figure.get_by_label("Key's position").fill("2")
    hands = figure.locator(".lm-rope-hand-q, .lm-rope-hand-k").evaluate_all(
        "(nodes) => nodes.map((l) => ['x1', 'y1', 'x2', 'y2'].map((k) => Number(l.getAttribute(k))))"
    )
    expected = []
    for i in range(len(QUERY) // 2):
        for vector, position in ((QUERY, 7), (KEY, 2)):
            turned = complex(vector[2 * i], vector[2 * i + 1]) * np.exp(
                1j * position * BASE ** (-2 * i / len(QUERY))
            )
            expected.append((turned.imag, -turned.real))
    drawn = [((x2 - x1), (y2 - y1)) for x1, y1, x2, y2 in hands]
    scale = math.hypot(*drawn[0]) / math.hypot(*expected[0])
    assert np.array(drawn) == pytest.approx(scale * np.array(expected), abs=1e-6)
    dots = figure.locator(".lm-rope-dot").evaluate_all(
        "(nodes) => nodes.map((c) => [c.cx.baseVal.value, c.cy.baseVal.value])"
    )
    now = figure.locator(".lm-rope-now").evaluate("(c) => [c.cx.baseVal.value, c.cy.baseVal.value]")
    assert len(dots) == 2 * LAST + 1
    assert now == pytest.approx(dots[LAST + 2 - 7], abs=1e-3)
    heights = [sum(python_products(max(0, -d), max(0, d))) for d in range(-LAST, LAST + 1)]
    assert np.corrcoef(heights, [-y for _, y in dots])[0, 1] == pytest.approx(1, abs=1e-6)


def test_rope_dials_by_keyboard_shifting_both_changes_nothing(show):
    page, figure = show("rope_dials")
    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.press("Home")
    assert (stat(figure, "m"), stat(figure, "n")) == (2, 0)
    dot = stat(figure, "dot")
    for shift in range(1, LAST - 1):
        page.keyboard.press("ArrowRight")
        assert (stat(figure, "m"), stat(figure, "n")) == (min(2 + shift, LAST), min(shift, LAST - 2))
        assert stat(figure, "dot") == pytest.approx(dot, abs=1e-12)
    assert figure.get_by_label("Shift both").get_attribute("aria-valuetext") == f"m = {LAST}, n = {LAST - 2}"
    page.keyboard.press("ArrowRight")  # at the end
    assert stat(figure, "m") == LAST
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("ArrowLeft")  # the key alone
    assert stat(figure, "distance") == -3
    assert abs(stat(figure, "dot") - dot) > 1e-3
    status = figure.get_by_role("status")
    page.wait_for_function("(node) => node.textContent.includes('distance -3')", arg=status.element_handle())


# --- all of them ----------------------------------------------------------------------------------------


class TestEveryFigure(FigureChecks):
    live: ClassVar = {
        "guessing_game": ("played", {"sentence": 1, "place": 2, "log": []}),
        "window_pairs": ("window", 4),
        "word_map": ("word", "noun0"),
        "rope_dials": ("m", 9),
    }

    def use(self, figure, name: str) -> None:
        if name == "guessing_game":
            figure.locator(".lm-guess-options button").first.click()
            press(figure, "Show the word").click()
            figure.locator(".lm-guess-options button").first.click()
            figure.get_by_label("Any of the").fill("c")
        if name == "window_pairs":
            figure.get_by_label("Sub-sample").check()
            figure.get_by_label("Centre of the window").fill("7")
        if name == "word_map":
            figure.get_by_label("Find a word").fill("zebra")
            figure.get_by_label("Find a word").press("Enter")
        if name == "rope_dials":
            figure.get_by_label("Key's position").fill("9")
