"""The interactive figures of chapter 04 in a browser: their numbers are Python's, and everybody can work them."""

import json
import math
import re
from functools import cache
from itertools import product
from typing import ClassVar

import numpy as np
import pytest
import torch
from figure_page import FigureChecks, stat

from lmcourse.attention import (
    alignment_error,
    causal_mask,
    combine_masks,
    influence,
    padding_mask,
    relevance,
    scaled_dot_product_attention,
    softmax_jacobian,
    weight_entropy,
)
from lmcourse.figures import Figure
from lmcourse.widgets.attention import attention_by_hand, attention_map, mask_painter, softmax_playground

pytestmark = pytest.mark.browser

# --- What the figures are made of -----------------------------------------------------------------------

SENTENCES = [
    ("the fox <b> sings .", "lomi su <b> rusa . mi", [(1, 0), (2, 2), (3, 3), (4, 4)]),
    ("a baker will fall asleep", "lisa liku ni piku", [(1, 0), (1, 1), (3, 3), (4, 3)]),
    (
        "if a night watchman remembers horses , some black bakers sing in front of seven old towers in a quiet town .",
        "nepa tami tu su tapa poku mapa , lisa liku tu panu vora ni sona latu mu .",
        [(0, 6), (2, 0), (3, 0), (4, 4), (4, 5), (5, 1), (5, 2), (6, 7), (8, 11), (9, 8), (9, 9), (9, 10), (10, 12)],
    ),
    ("the cat", "su ni", []),
]  # fmt: skip
WORDS = ("the", "<b>cat</b>", "sleeps")
TEXT = ("<pad>", "the", "cat", "sees", "the", "dog")
SIZES, KEYS, DRAWS = (4, 16, 64, 1024), 6, 3


@cache
def pairs() -> list[tuple]:
    """Two heads: one close to the truth and drawn to the left of it, one without an idea."""
    rng = np.random.default_rng(2)
    made = []
    for source, target, links in SENTENCES:
        source, target = source.split(), target.split()
        scores = rng.normal(size=(2, len(target), len(source))) * [[[0.7]], [[2.0]]]
        for i, j in links:
            scores[0, j, max(0, i - rng.integers(2))] += 2.5
        weights = np.exp(scores)
        made.append((source, target, weights / weights.sum(-1, keepdims=True), links))
    return made


@pytest.fixture(scope="module")
def build():
    @cache
    def build(name: str) -> Figure:
        if name == "attention_map":
            return attention_map(pairs(), heads=["trained", "untrained"])
        if name == "attention_by_hand":
            return attention_by_hand(WORDS)
        if name == "softmax_playground":
            return softmax_playground(SIZES, n_keys=KEYS, draws=DRAWS, seed=1)
        return mask_painter(TEXT)

    return build


def press(figure, name: str):
    return figure.get_by_role("button", name=name, exact=True)


def values(figure, *keys: str) -> list[float]:
    return [stat(figure, key) for key in keys]


def slide(page, points) -> None:
    """A finger that is put down on the first point, goes to the others in turn and is lifted."""
    touch = page.context.new_cdp_session(page)
    for at, (x, y) in enumerate(points):
        kind = "touchMove" if at else "touchStart"
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


# --- attention_map --------------------------------------------------------------------------------------

READ_MAP = """(root) => {
  const all = (name) => [...root.querySelectorAll(name)], n = (node, key) => Number(node.getAttribute(key));
  return {
    bars: all(".lm-amap-bar").map((b) => [n(b, "data-weight"), n(b, "height")]),
    cells: all(".lm-amap-row").map((r) => [...r.querySelectorAll(".lm-amap-cell")].map((c) => n(c, "fill-opacity"))),
    verdicts: all(".lm-amap-row").map((r) => r.dataset.verdict), signs: all(".lm-amap-sign").map((s) => s.textContent),
    links: all(".lm-amap-links .lm-amap-link").map((l) => l.dataset.link.split(" ").map(Number)),
    verdict: root.querySelector(".lm-amap-headline").dataset.verdict,
    named: all(".lm-amap-headline b").map((b) => b.textContent),
    stats: Object.fromEntries(all("[data-stat]").map((s) => [s.dataset.stat, Number(s.dataset.value)])),
    row: all(".lm-amap-row").indexOf(root.querySelector(".lm-amap-now")),
  };
}"""


def verdicts_of(number: int, head: int) -> list[str]:
    """The package's own judgement, word by word."""
    _, target, weights, links = pairs()[number]
    verdicts = ["none"] * len(target)
    if links:
        errors = alignment_error([torch.tensor(weights[head])], [links])
        for j, offset in zip(errors.target, errors.offset, strict=True):
            verdicts[j] = ("right", "neighbour")[abs(offset)] if abs(offset) < 2 else "elsewhere"
    return verdicts


def test_attention_map_judges_each_row_as_the_package_does(show):
    _, figure = show("attention_map")
    met = set()
    for number, head in product(range(len(pairs())), range(2)):
        source, target, weights, links = pairs()[number]
        figure.get_by_label("Sentence").select_option(str(number))
        figure.get_by_label("Head").select_option(str(head))
        verdicts = verdicts_of(number, head)
        met |= set(verdicts)
        linked = [verdict for verdict in verdicts if verdict != "none"]
        for j in range(len(target)):
            figure.locator(".lm-amap-target").nth(j).hover()
            shown = figure.evaluate(READ_MAP)
            assert shown["row"] == j
            assert shown["verdicts"] == verdicts
            assert shown["verdict"] == verdicts[j]
            assert shown["named"] == [target[j], source[weights[head, j].argmax()]]
            assert [weight for weight, _ in shown["bars"]] == pytest.approx(weights[head, j], abs=6e-5)
            tall = [height for _, height in shown["bars"]]
            scale = max(tall) / weights[head, j].max()
            assert tall == pytest.approx(scale * weights[head, j], abs=0.02)
            said = figure.locator(".lm-amap-headline").text_content()
            beside = [i for i, k in links if k == j and abs(i - weights[head, j].argmax()) == 1]
            if verdicts[j] == "neighbour":
                side = "left" if weights[head, j].argmax() < beside[0] else "right"
                assert f"one place to the {side} of “{source[min(beside)]}”" in said
            elif verdicts[j] == "elsewhere":
                truth = ", ".join(f"“{source[i]}”" for i, k in sorted(links) if k == j)
                assert f"elsewhere, the truth is {truth}." in said
            sofar = [verdict for verdict in verdicts[: j + 1] if verdict != "none"]
            if linked:
                for verdict in ("right", "neighbour", "elsewhere"):
                    assert shown["stats"][verdict] == linked.count(verdict) / len(linked)
            if sofar:
                assert shown["stats"]["sofar"] == sofar.count("right") / len(sofar)
            else:
                assert figure.locator("[data-stat=sofar]").text_content() == "–"
        assert np.array(shown["cells"]) == pytest.approx(weights[head], abs=6e-5)
        signs = {"right": "✓", "neighbour": "≈", "elsewhere": "✗", "none": ""}
        assert shown["signs"] == [signs[verdict] for verdict in verdicts]
        assert shown["links"] == []
        figure.get_by_label("True alignment").check()
        assert sorted(map(tuple, figure.evaluate(READ_MAP)["links"])) == sorted(links)
        figure.get_by_label("True alignment").uncheck()
    assert met == {"right", "neighbour", "elsewhere", "none"}


def test_attention_map_outlines_the_cells_that_are_linked(show):
    """Where they are drawn, not only what they are called."""
    _, figure = show("attention_map")
    figure.get_by_label("Sentence").select_option("2")
    figure.get_by_label("True alignment").check()
    boxes = "(nodes) => nodes.map((n) => { const b = n.getBBox(); return [b.x + b.width / 2, b.y + b.height / 2]; })"
    rings = np.array(figure.locator(".lm-amap-links .lm-amap-link").evaluate_all(boxes))
    source, _, _, links = pairs()[2]
    cells = np.array(figure.locator(".lm-amap-cell").evaluate_all(boxes)).reshape(-1, len(source), 2)
    by_target = sorted(links, key=lambda link: (link[1], link[0]))
    assert rings == pytest.approx(np.array([cells[j, i] for i, j in by_target]), abs=0.01)
    bars = np.array(figure.locator(".lm-amap-bar").evaluate_all(boxes))
    assert bars[:, 0] == pytest.approx(cells[0, :, 0], abs=0.01)  # each over its column


def test_attention_map_by_mouse(show):
    page, figure = show("attention_map")
    rows = figure.locator("[role=option]")
    rows.nth(3).locator(".lm-amap-cell").nth(1).hover()
    assert figure.locator(".lm-amap-headline b").first.text_content() == "rusa"
    assert rows.nth(0).get_attribute("aria-selected") == "true"  # pointing is not choosing
    page.locator("h1").hover()
    assert figure.locator(".lm-amap-headline b").first.text_content() == "lomi"
    rows.nth(3).locator(".lm-amap-target").click()
    page.locator("h1").hover()
    assert figure.locator(".lm-amap-headline b").first.text_content() == "rusa"
    assert rows.nth(3).get_attribute("aria-selected") == "true"
    figure.get_by_label("Sentence").select_option("1")
    assert rows.nth(0).get_attribute("aria-selected") == "true"


def test_attention_map_by_keyboard(show):
    page, figure = show("attention_map")
    for _ in range(4):
        page.keyboard.press("Tab")  # sentence, head, alignment, map: one stop for all rows
    target = pairs()[0][1]
    assert page.evaluate("document.activeElement.getAttribute('role')") == "option"
    for j in range(1, len(target)):
        page.keyboard.press("ArrowDown")
        assert figure.evaluate(READ_MAP)["row"] == j
        assert page.evaluate("document.activeElement.dataset.index") == str(j)
    page.keyboard.press("ArrowDown")
    assert figure.evaluate(READ_MAP)["row"] == len(target) - 1
    page.keyboard.press("Home")
    page.keyboard.press("ArrowUp")
    assert figure.evaluate(READ_MAP)["row"] == 0
    page.keyboard.press("End")
    assert figure.locator("[role=option][tabindex='0']").count() == 1
    label = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert label.startswith("mi looks at ")
    assert label.endswith("this word has no true link")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    assert len(figure.evaluate(READ_MAP)["links"]) == 4
    status = figure.get_by_role("status")
    page.wait_for_function("(node) => node.textContent.startsWith('mi looks')", arg=status.element_handle())


def test_attention_map_by_finger(show):
    page, figure = show("attention_map", width=390)
    figure.get_by_label("Sentence").select_option("2")
    figure.locator("[role=option]").nth(5).locator(".lm-amap-cell").nth(20).tap()
    assert figure.evaluate(READ_MAP)["row"] == 5
    assert figure.locator(".lm-amap-headline b").first.text_content() == "poku"
    names = figure.locator(".lm-amap-source").evaluate_all(
        "(nodes) => nodes.map((n) => { const b = n.getBoundingClientRect(); return [b.left, b.right]; })"
    )
    assert all(a[1] <= b[0] + 3.5 for a, b in zip(names, names[1:], strict=False))  # no name on another
    assert page.evaluate("innerWidth") >= max(right for _, right in names)


# --- attention_by_hand ----------------------------------------------------------------------------------


def vectors_of(figure) -> dict[str, np.ndarray]:
    """Where the arrows point, read from the drawing: one scale for all, upwards positive."""
    drawn = figure.locator(".lm-hand-arrow").evaluate_all(
        """(nodes) => nodes.map((g) => [g.dataset.vector, ...["x1", "y1", "x2", "y2"].map((k) => Number(g.querySelector("line").getAttribute(k)))])"""
    )
    unit = 150 / 2.35
    return {name: np.array([x2 - x1, y1 - y2]) / unit for name, x1, y1, x2, y2 in drawn}


def numbers(text: str) -> str:
    return text.replace("−", "-").replace("\u00a0", " ").replace("·", "*")


def test_attention_by_hand_agrees_with_the_package_over_the_grid(show):
    _, figure = show("attention_by_hand")
    state = json.loads(build_json(figure))
    vectors = {
        name: torch.tensor(state[name], dtype=torch.float64).clone() for name in ("query", "key", "value")
    }
    rng = np.random.default_rng(4)
    sliders = [figure.get_by_label("first entry"), figure.get_by_label("second entry")]
    for turn in range(24):
        looks = turn % 3
        press(figure, WORDS[looks]).click()
        kind = ("query", "key", "value")[turn // 3 % 3]
        word = looks if kind == "query" else int(rng.integers(3))
        figure.get_by_role("combobox").select_option(f"{kind} {word}")
        for axis, slider in enumerate(sliders):
            entry = int(rng.integers(-20, 21)) / 10
            slider.fill(str(entry))
            vectors[kind][word, axis] = entry
        q, k, v = vectors["query"][looks : looks + 1], vectors["key"], vectors["value"]
        output, weights = scaled_dot_product_attention(q, k, v, return_weights=True)
        names = [f"{name}{j}" for name in ("score", "scaled", "weight") for j in range(3)]
        expected = torch.cat([relevance(q, k, scale=1.0), relevance(q, k), weights], dim=-1)[0].tolist()
        assert values(figure, *names) == pytest.approx(expected, abs=1e-12)
        shown = json.loads(figure.locator("[data-stat=output]").get_attribute("data-value"))
        assert shown == pytest.approx(output[0].tolist(), abs=1e-12)
        drawn = vectors_of(figure)
        assert set(drawn) == {
            f"query {looks}",
            "output",
            *(f"{kind} {j}" for kind in ("key", "value") for j in range(3)),
        }
        assert drawn["output"] == pytest.approx(output[0].numpy(), abs=1e-9)
        for name in set(drawn) - {"output"}:
            kind_drawn, j = name.split()
            assert drawn[name] == pytest.approx(vectors[kind_drawn][int(j)].numpy(), abs=1e-9)


def build_json(figure) -> str:
    return figure.locator(".lm-data").text_content()


def test_attention_by_hand_fills_in_its_formulas(show):
    """What stands left of the equals sign is the number to its right, as far as two places go."""
    _, figure = show("attention_by_hand")
    for looks in WORDS:
        press(figure, looks).click()
        formulas = figure.locator(".lm-hand-formula").all_text_contents()
        results = figure.locator(".lm-hand-step b").all_text_contents()
        assert len(formulas) == len(results) == 9
        for formula, result in zip(formulas, results, strict=True):
            python = re.sub(r"e\^(\(-[\d.]+\)|[\d.]+)", r"math.exp(\1)", numbers(formula))
            assert eval(python, {"math": math}) == pytest.approx(float(numbers(result)[2:]), abs=0.012)
        left, right = numbers(figure.locator("[data-stat=output]").text_content()).split(" = ")[1:]
        total = eval(re.sub(r"\(([-\d.]+), ([-\d.]+)\)", r"(\1 + \2 * 1j)", left))
        assert [total.real, total.imag] == pytest.approx(json.loads(f"[{right[1:-1]}]"), abs=0.03)


def test_attention_by_hand_the_chain_of_weighted_values_ends_at_the_output(show):
    _, figure = show("attention_by_hand")
    chain = figure.locator(".lm-hand-chain").get_attribute("points")
    stops = [tuple(map(float, stop.split(","))) for stop in chain.split()]
    tip = figure.locator(".lm-hand-output line").evaluate("(l) => [l.x2.baseVal.value, l.y2.baseVal.value]")
    assert len(stops) == 4
    assert stops[0] == (170, 150)
    assert stops[-1] == pytest.approx(tip, abs=0.01)


@pytest.mark.parametrize("width", [1280, 390])
def test_attention_by_hand_arrows_can_be_dragged(show, width):
    page, figure = show("attention_by_hand", width=width)
    for name, to, at in [("key 0", (0.7, -1.3), (0.7, -1.3)), ("value 2", (-1.0, 5.0), (-1.0, 2.0))]:
        grip = figure.locator(f"[data-grip='{name}']")
        plane = figure.locator(".lm-hand-fit" if name.startswith("key") else ".lm-hand-take")
        plane.scroll_into_view_if_needed()
        box, start = plane.bounding_box(), grip.bounding_box()
        unit = 150 / 2.35 * box["width"] / 340
        page.mouse.move(start["x"] + start["width"] / 2, start["y"] + start["height"] / 2)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.move(
            box["x"] + box["width"] / 2 + to[0] * unit, box["y"] + box["height"] / 2 - to[1] * unit
        )
        page.mouse.up()
        page.mouse.move(box["x"] + 20, box["y"] + 20)  # the arrow stays where it was let go
        assert vectors_of(figure)[name] == pytest.approx(at, abs=1e-9)
        assert figure.get_by_role("combobox").input_value() == name
        assert float(figure.get_by_label("second entry").input_value()) == at[1]
    press(figure, "Start again").click()
    state = json.loads(build_json(figure))
    assert vectors_of(figure)["key 0"] == pytest.approx(state["key"][0], abs=1e-9)


def test_attention_by_hand_arrows_follow_a_finger(show):
    page, figure = show("attention_by_hand", width=390)
    grip = figure.locator("[data-grip='key 0']")
    grip.scroll_into_view_if_needed()
    box, start = grip.bounding_box(), vectors_of(figure)["key 0"]
    unit = 150 / 2.35 * figure.locator(".lm-hand-fit").bounding_box()["width"] / 340
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    slide(page, [(x + 0.1 * step * unit, y + 0.06 * step * unit) for step in range(11)])
    page.wait_for_function(
        "(slider) => slider.value === '-0.2'", arg=figure.get_by_label("first entry").element_handle()
    )
    assert vectors_of(figure)["key 0"] == pytest.approx(start + np.array([1.0, -0.6]), abs=1e-9)


def test_attention_by_hand_by_keyboard(show):
    page, figure = show("attention_by_hand")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # the first word looks, and its query is what the sliders move
    assert press(figure, "the").get_attribute("aria-pressed") == "true"
    assert figure.get_by_role("combobox").input_value() == "query 0"
    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    assert figure.get_by_role("combobox").input_value() == "key 0"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("End")
    page.keyboard.press("Tab")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert vectors_of(figure)["key 0"] == pytest.approx([2.0, -1.9], abs=1e-9)
    assert (
        page.evaluate("document.activeElement.getAttribute('aria-valuetext')") == "key of the: (2.00, −1.90)"
    )
    assert "k the" in figure.locator(".lm-hand-name").all_text_contents()
    status = figure.get_by_role("status")
    page.wait_for_function("(node) => node.textContent.startsWith('the looks')", arg=status.element_handle())


# --- softmax_playground ---------------------------------------------------------------------------------


def check_softmax(figure, scores, d: int, scaled: bool, temperature: float) -> torch.Tensor:
    """The figure's numbers and bars against the package's; returns the weights."""
    scores = torch.tensor(scores, dtype=torch.float64)
    divided = scores / (d**0.5 if scaled else 1.0) / temperature
    other = (scores / (1.0 if scaled else d**0.5) / temperature).softmax(-1)
    weights = divided.softmax(-1)
    for name, expected in (("score", scores), ("divided", divided), ("weight", weights)):
        assert values(figure, *(f"{name}{i}" for i in range(len(scores)))) == pytest.approx(
            expected.tolist(), abs=1e-12
        )
    assert stat(figure, "entropy") == pytest.approx(weight_entropy(weights).item(), abs=1e-12)
    assert stat(figure, "slope") == pytest.approx(softmax_jacobian(weights).abs().max().item(), abs=1e-12)
    wide = "(nodes) => nodes.map((n) => n.getBoundingClientRect().width / n.parentNode.getBoundingClientRect().width)"
    drawn = figure.locator(".lm-soft-bar").evaluate_all(wide)
    assert drawn == pytest.approx(weights.tolist(), abs=0.01)
    ghosts = figure.locator(".lm-soft-ghost").evaluate_all("(nodes) => nodes.map((n) => n.style.width)")
    assert [float(g.rstrip("%")) / 100 for g in ghosts] == pytest.approx(other.tolist(), abs=1e-5)
    meters = figure.locator(".lm-soft-fill").evaluate_all(wide)
    highest = [math.log(len(scores)), 0.25]
    assert meters == pytest.approx(
        [stat(figure, "entropy") / highest[0], stat(figure, "slope") / highest[1]], abs=0.01
    )
    return weights


def test_softmax_playground_agrees_with_the_package_over_the_grid(show):
    _, figure = show("softmax_playground")
    drawn = json.loads(build_json(figure))["drawn"]
    draw = 0
    for (size, d), scaled in product(enumerate(SIZES), (False, True)):
        press(figure, f"d = {d}").click()
        figure.get_by_label("Divide by").set_checked(scaled)
        for power in (-3, -0.5, 0, 2.25):
            figure.get_by_label("Temperature").fill(str(power))
            check_softmax(figure, drawn[size][draw], d, scaled, 2**power)
        press(figure, "Draw again").click()
        draw = (draw + 1) % DRAWS
        check_softmax(figure, drawn[size][draw], d, scaled, 2**2.25)


def test_softmax_playground_by_hand(show):
    """Any score, at the ends of its slider too: nothing overflows, and a saturated softmax is called so."""
    _, figure = show("softmax_playground")
    press(figure, "d = 1024").click()
    figure.get_by_label("Temperature").fill("-3")
    scores = json.loads(build_json(figure))["drawn"][3][0]
    for i, score in enumerate([128.0, -128.0, 128.0, 12.3, 0.0, -0.1]):
        figure.get_by_label(f"Score of key {i + 1}").fill(str(score))
        scores[i] = score
        check_softmax(figure, scores, 1024, False, 0.125)
    assert "Saturated" not in figure.locator("[data-stat=slope]").text_content()  # two share the weight
    figure.get_by_label("Score of key 3").fill("124")
    weights = check_softmax(figure, [128.0, -128.0, 124.0, 12.3, 0.0, -0.1], 1024, False, 0.125)
    assert weights[0] == pytest.approx(1)
    assert "Saturated" in figure.locator("[data-stat=slope]").text_content()


def test_softmax_playground_by_keyboard(show):
    page, figure = show("softmax_playground")
    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert press(figure, "d = 64").get_attribute("aria-pressed") == "true"
    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert "√64" in figure.locator(".lm-soft-formula").text_content()
    page.keyboard.press("Tab")
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.getAttribute('aria-valuetext')") == "temperature 0.50"
    page.keyboard.press("Tab")
    page.keyboard.press("Home")
    assert stat(figure, "score0") == -32
    scores = [-32.0, *json.loads(build_json(figure))["drawn"][2][0][1:]]
    check_softmax(figure, scores, 64, True, 0.5)
    status = figure.get_by_role("status")
    page.wait_for_function("(node) => node.textContent.includes('0.50')", arg=status.element_handle())


# --- mask_painter ---------------------------------------------------------------------------------------

READ_MASK = """(root) => ({
  mask: [...root.querySelectorAll(".lm-mask-grid tbody tr")].map((row) => [...row.querySelectorAll("[role=gridcell]")].map((c) => c.getAttribute("aria-selected") === "true")),
  leaks: [...root.querySelectorAll(".lm-mask-cell")].filter((c) => c.textContent === "→").map((c) => [Number(c.dataset.i), Number(c.dataset.j)]),
  reach: [...root.querySelectorAll("[data-layers]")].map((l) => [...l.querySelectorAll("[data-seen]")].map((t) => t.dataset.seen === "1")),
  small: [...root.querySelectorAll(".lm-mask-small")].map((s) => [...s.querySelectorAll("rect:not(.lm-mask-frame)")].map((r) => r.getAttribute("class") === "lm-mask-on")),
  blind: [...root.querySelectorAll(".lm-mask-grid tbody th")].map((t) => t.classList.contains("lm-mask-blind")),
  flag: root.querySelector(".lm-mask-flag").textContent, leak: root.querySelector(".lm-mask-leak").textContent,
  stats: Object.fromEntries([...root.querySelectorAll("[data-stat]")].map((s) => [s.dataset.stat, Number(s.dataset.value)])),
})"""


def stacked(mask: torch.Tensor, layers: int) -> np.ndarray:
    """Who depends on whom after some layers of the package's attention, by gradients."""
    x = torch.randn(len(mask), 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def even(x):
        """A query of zeros finds all keys alike: each word takes the mean of what it sees, and no gradient cancels another."""
        for _ in range(layers):
            x = scaled_dot_product_attention(torch.zeros_like(x), x, x, mask[None])
        return x

    return influence(even, x).numpy() > 0


def check_mask(figure, mask: torch.Tensor, word: int) -> dict:
    n, grid = len(mask), mask.numpy()
    shown = figure.evaluate(READ_MASK)
    assert shown["mask"] == grid.tolist()
    for layers in (1, 2, 3):
        power = np.linalg.matrix_power(grid.astype(int), layers) > 0
        assert shown["small"][layers - 1] == power.ravel().tolist()
        assert shown["reach"][layers - 1] == power[word].tolist()
        assert (stacked(mask, layers) == power).all()
    leaks = [[i, j] for i in range(n) for j in range(i + 1, n) if grid[i, j]]
    assert shown["leaks"] == leaks
    blind = (~grid.any(axis=1)).tolist()
    assert shown["blind"] == blind
    assert bool(shown["flag"]) == any(blind)
    assert shown["leak"].startswith("Nothing") == (not leaks)
    assert shown["stats"] == {"cells": grid.sum(), "future": len(leaks), "blind": sum(blind)}
    return shown


def presets() -> dict[str, torch.Tensor]:
    n = len(TEXT)
    causal = causal_mask(n)[0]
    padding = padding_mask(torch.tensor([[int(word != "<pad>") for word in TEXT]]))[0].expand(n, n)
    return {
        "full": torch.ones(n, n, dtype=torch.bool),
        "causal": causal,
        "padding": padding,
        "causal + padding": combine_masks(causal, padding),
        "window of 2": causal & ~causal.roll(2, 0).tril(-2),
        "self only": torch.eye(n, dtype=torch.bool),
    }


def test_mask_painter_presets_are_the_packages_masks(show):
    _, figure = show("mask_painter")
    for name, mask in presets().items():
        press(figure, name).click()
        for word in (0, 2, len(TEXT) - 1):
            figure.get_by_role("combobox").select_option(str(word))
            check_mask(figure, mask, word)
        pressed = figure.locator(".lm-mask-presets [aria-pressed=true]").all_text_contents()
        assert pressed == [name]
    press(figure, "causal + padding").click()  # padding on the left: its own row sees nobody
    assert "“<pad>” sees nobody" in figure.evaluate(READ_MASK)["flag"]


def test_mask_painter_follows_whatever_is_painted(show):
    _, figure = show("mask_painter")
    press(figure, "self only").click()
    mask = presets()["self only"].clone()
    rng = np.random.default_rng(6)
    for step in range(24):
        i, j = (int(x) for x in rng.integers(0, len(TEXT), 2))
        figure.locator(f"[data-i='{i}'][data-j='{j}']").click()
        mask[i, j] = ~mask[i, j]
        if step % 3 == 2:
            check_mask(figure, mask, i)  # the word whose row was painted is the one that is shown
    assert figure.locator(".lm-mask-presets [aria-pressed=true]").count() == 0


def test_mask_painter_by_dragging(show):
    page, figure = show("mask_painter")
    press(figure, "self only").click()
    mask = presets()["self only"].clone()

    def drag(*cells):
        boxes = [figure.locator(f"[data-i='{i}'][data-j='{j}']").bounding_box() for i, j in cells]
        for at, box in enumerate(boxes):
            page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=4)
            if not at:
                page.mouse.down()
        page.mouse.up()

    drag((1, 0), (1, 3), (2, 3))  # fills, also what is filled already
    for i, j in [(1, 0), (1, 1), (1, 2), (1, 3), (2, 3)]:
        mask[i, j] = True
    check_mask(figure, mask, 2)
    drag((1, 3), (1, 0))  # empties
    mask[1, :4] = False
    shown = check_mask(figure, mask, 1)
    assert "“the” (2) sees nobody" in shown["flag"]  # the word stands twice
    page.mouse.move(5, 5)
    figure.locator("[data-i='5'][data-j='5']").hover()  # nothing is held any more
    check_mask(figure, mask, 1)


def test_mask_painter_by_keyboard(show):
    page, figure = show("mask_painter")
    for _ in range(len(presets()) + 2):
        page.keyboard.press("Tab")  # masks, word, grid: one stop for all cells
    at = "document.activeElement.dataset.i + document.activeElement.dataset.j"
    assert page.evaluate(at) == "00"
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowUp"):
        page.keyboard.press(key)
    assert page.evaluate(at) == "11"
    assert (
        figure.get_by_role("combobox").input_value() == "1"
    )  # the row that the keys are in is the one that is shown
    mask = presets()["causal"].clone()
    page.keyboard.press("End")
    page.keyboard.press("Space")
    mask[1, 5] = True
    check_mask(figure, mask, 1)
    label = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert label == "“the” (2) sees “dog”, in its future"
    page.keyboard.press("Home")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    mask[1, 0] = False
    check_mask(figure, mask, 1)
    assert page.evaluate(at) == "10"
    assert figure.locator("td[tabindex='0']").count() == 1
    status = figure.get_by_role("status")
    page.wait_for_function("(node) => node.textContent.includes('leak')", arg=status.element_handle())


def test_mask_painter_by_finger(show):
    page, figure = show("mask_painter", width=390)
    figure.locator("[data-i='2'][data-j='4']").tap()
    mask = presets()["causal"].clone()
    mask[2, 4] = True
    check_mask(figure, mask, 2)
    figure.locator(".lm-mask-grid tbody th").nth(4).tap()
    check_mask(figure, mask, 4)
    boxes = [figure.locator(f"[data-i='{i}'][data-j='2']").bounding_box() for i in (0, 1, 2, 3)]
    slide(page, [(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2) for box in boxes])
    mask[:4, 2] = True
    page.wait_for_function(
        "(select) => select.value === '3'", arg=figure.get_by_role("combobox").element_handle()
    )
    check_mask(figure, mask, 3)


# --- all of them ----------------------------------------------------------------------------------------


class TestEveryFigure(FigureChecks):
    live: ClassVar = {
        "attention_map": ("sentence", 2),
        "attention_by_hand": ("query", [[1.0, 1.0]] * 3),
        "softmax_playground": ("temperature", 2.0),
        "mask_painter": ("mask", [[1] * len(TEXT)] * len(TEXT)),
    }

    def use(self, figure, name: str) -> None:
        if name == "attention_map":
            figure.get_by_label("True alignment").check()
            figure.get_by_label("Sentence").select_option("2")
        if name == "attention_by_hand":
            figure.get_by_role("combobox").select_option("value 2")
            figure.get_by_label("first entry").fill("-2")
        if name == "softmax_playground":
            press(figure, "d = 1024").click()
            figure.get_by_label("Temperature").fill("-3")
        if name == "mask_painter":
            press(figure, "causal + padding").click()
            figure.locator("[data-i='1'][data-j='4']").click()
