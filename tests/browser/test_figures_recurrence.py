"""The interactive figures of chapter 03 in a browser: their numbers are Python's, and everybody can work them."""

import math
import random
from functools import cache
from itertools import product
from typing import ClassVar

import numpy as np
import pytest
import torch
from figure_page import FigureChecks, stat

from lmcourse.figures import Figure
from lmcourse.recurrence.steps import lstm_step, rnn_step
from lmcourse.widgets.recurrence import TracedSentence, encoder_decoder_steps, gate_playground
from lmcourse.widgets.recurrence.gate_playground import LONGEST, PRESETS

pytestmark = pytest.mark.browser

# --- What the figures are made of -----------------------------------------------------------------------

UNITS, WIDTH, STEPS = 3, 5, 30
GLOSSES = {"lomi": "fox", "<b>": "bold", "tu": "PL", "rusa": "sing"}
# Source, reference, written: right, a wrong word, a missing one, one too many, cut off, nothing at all.
TEXTS = [
    ("the fox sings", "lomi rusa", "lomi rusa <eos>"),
    ("a <b> sings", "<b> rusa", "<b> tu <eos>"),
    ("two foxes sing", "lomi tu rusa", "lomi rusa <eos>"),
    ("The fox sees the <b>", "lomi <b> su kilu", "lomi <b> su <b> kilu <eos>"),
    ("foxes see a <b> .", "lomi tu <b> su kilu", "lomi tu <b> su kilu"),
    ("the fox sleeps , a <b> sings", "lomi pora , <b> rusa", "<eos>"),
]
# Places of what is wrong among the words written and of what is missing in the reference, by hand.
WRONG = [[], [1], [], [3], [], []]
MISSING = [[], [1], [1], [], [], [0, 1, 2, 3, 4]]
SPOKEN = sorted({word for _, reference, written in TEXTS for word in f"{reference} {written}".split()})


@cache
def traced(directions: int = 2) -> list[TracedSentence]:
    """Sentences with states from a random walk that often runs into -1 and 1."""
    rng = np.random.default_rng(5)

    def walk(*shape):
        return np.clip(np.cumsum(rng.normal(scale=0.6, size=shape), axis=-2), -1, 1)

    def guesses(word):
        others = rng.permutation([other for other in SPOKEN if other != word])[:2]
        law = np.sort(rng.dirichlet([0.3] * 4))[::-1]
        return [(str(w), float(p)) for w, p in zip([word, *others], law, strict=False)]

    sentences = []
    for text, reference, written in TEXTS:
        source, said = [*text.split(), "<eos>"], written.split()
        encoder = walk(directions, len(source), WIDTH)
        decoder = walk(len(said), directions * WIDTH)
        sentences.append(
            TracedSentence(source, reference.split(), encoder, decoder, [guesses(word) for word in said])
        )
    return sentences


@pytest.fixture(scope="module")
def build():
    @cache
    def build(name: str) -> Figure:
        if name == "encoder_decoder_steps":
            return encoder_decoder_steps(traced()[::-1], glosses=GLOSSES, units=UNITS)
        if name == "one direction":
            return encoder_decoder_steps(traced(1), units=UNITS)
        return gate_playground(steps=STEPS)

    return build


def press(figure, name: str):
    return figure.get_by_role("button", name=name, exact=True)


def slider(figure, name: str = "Step"):
    return figure.get_by_role("slider", name=name)


# --- encoder_decoder_steps ------------------------------------------------------------------------------

READ_STEPS = """(root) => {
  const level = (path) => Math.round(4 * path.getAttribute("fill-opacity")) * (path.matches(".lm-steps-plus") ? 1 : -1);
  const band = (svg) => {
    const cells = Array(svg.viewBox.baseVal.width).fill(0);
    for (const path of svg.querySelectorAll("path:not(.lm-steps-dash)"))
      for (const [, at] of path.getAttribute("d").matchAll(/M(\\d+),/g)) cells[at] = level(path);
    const there = svg.querySelector("path") ? [...svg.querySelectorAll("path")].every((p) => getComputedStyle(p).display !== "none")
      : !svg.matches(".lm-steps-empty");
    return { cells, there, given: svg.matches(".lm-steps-context"), newest: svg.matches(".lm-steps-newest") };
  };
  const rows = (at) => [...root.querySelectorAll(".lm-steps-table")[at].querySelectorAll("tbody tr")];
  const texts = (css) => [...root.querySelectorAll(css)].map((node) => node.textContent);
  const places = (list, css) => [...root.querySelectorAll(".lm-steps-text")[list].querySelectorAll(".lm-token")].flatMap((t, i) => (t.matches(css) ? [i] : []));
  const words = (list) => [...root.querySelectorAll(".lm-steps-text")[list].querySelectorAll(".lm-token")].map((t) => t.textContent);
  return {
    encoder: rows(0).map((row) => [...row.querySelectorAll("svg")].map(band)), read: rows(0).map((row) => row.firstChild.textContent),
    decoder: rows(1).map((row) => ({ fed: row.firstChild.textContent, out: row.lastChild.textContent, ...band(row.querySelector("svg")) })),
    guesses: [...root.querySelectorAll(".lm-steps-guesses li")].map((li) => [li.dataset.word, Number(li.dataset.chance)]),
    glosses: [...root.querySelectorAll(".lm-steps-text")[1].querySelectorAll(".lm-steps-gloss")].map((n) => n.textContent.trim()),
    written: words(0), wrong: places(0, ".lm-unk"), truth: words(1), missing: places(1, ".lm-unk"), open: places(1, ".lm-steps-open"),
    stats: Object.fromEntries([...root.querySelectorAll("[data-stat]")].map((n) => [n.dataset.stat, Number(n.dataset.value)])),
    headline: root.querySelector(".lm-steps-headline").textContent,
  };
}"""


def quarters(states) -> list:
    """What a reader should see: whole quarters; np.rint, since no state here lies half-way."""
    return np.rint(4 * np.asarray(states)).astype(int).tolist()


@pytest.mark.parametrize("directions", [2, 1])
def test_every_step_shows_what_the_translator_did(show, directions):
    _, figure = show("encoder_decoder_steps" if directions == 2 else "one direction")
    for at, one in enumerate(traced(directions)):
        figure.get_by_label("Sentence").select_option(label=f"{'✓' if at == 0 else '✗'} {TEXTS[at][0]}")
        n, said = len(one.source), one.written
        halves = one.decoder_states.reshape(len(said), directions, WIDTH)[..., :UNITS].reshape(len(said), -1)
        context = [one.encoder_states[0][-1][:UNITS], one.encoder_states[-1][0][:UNITS]][:directions]
        states = [np.concatenate(context), *halves]
        fed = ["context", "<bos>", *said[:-1]]
        for step in range(n + 2 + len(said)):
            slider(figure).fill(str(step))
            shown, j = figure.evaluate(READ_STEPS), max(0, step - n - 1)
            assert shown["read"] == one.source
            for d in range(directions):
                column = [row[d] for row in shown["encoder"]]
                assert [band["cells"] for band in column] == quarters(one.encoder_states[d, :, :UNITS])
                read = [t < step if d == 0 else t >= n - step for t in range(n)]
                assert [band["there"] for band in column] == read
                last = n - 1 if d == 0 else 0
                assert [band["given"] for band in column] == [t == last and step > n for t in range(n)]
                new = step - 1 if d == 0 else n - step
                assert [band["newest"] for band in column] == [t == new and step > 0 for t in range(n)]
            there = [step > n and row <= j for row in range(len(states))]
            assert [row["there"] for row in shown["decoder"]] == there
            assert [row["cells"] for row in shown["decoder"]] == [quarters(state) for state in states]
            assert [row["fed"] for row in shown["decoder"][: j + 1]] == fed[: j + 1]
            assert [row["out"] for row in shown["decoder"]] == ["", *said[:j], *[""] * (len(said) - j)]
            expected = [[word, round(100 * p)] for word, p in one.guesses[j - 1]] if j else []
            assert shown["guesses"] == expected
            assert (shown["written"], shown["truth"]) == (said[:j], one.reference)
            assert shown["wrong"] == [i for i in WRONG[at] if i < j]
            done = j == len(said)
            assert shown["missing"] == (MISSING[at] if done else [])
            assert shown["stats"]["wrong"] == len(shown["wrong"])
            assert (shown["stats"]["read"], shown["stats"]["written"]) == (min(step, n), j)
            right = (
                j - len(shown["wrong"]) - (said[:j][-1:] == ["<eos>"])
            )  # words that have a place in the truth
            assert len(shown["open"]) + len(shown["missing"]) + right == len(one.reference)
            if directions == 2:
                assert shown["glosses"] == [GLOSSES.get(word, "") for word in one.reference]
        end = shown["headline"]
        assert ("the translation is right" in end) == (at == 0)
        assert ("cut off" in end) == (at == 4)


def test_encoder_decoder_steps_finds_sentences(show):
    _, figure = show("encoder_decoder_steps")
    groups = figure.get_by_label("Sentence").locator("optgroup")
    assert [group.get_attribute("label") for group in groups.all()] == [
        "3 words: 1 of 3 right",
        "5 words: 0 of 2 right",
        "7 words: 0 of 1 right",
    ]
    listed = figure.get_by_label("Sentence").locator("option")
    assert [text[2:] for text in listed.all_text_contents()] == sorted(
        (text for text, *_ in TEXTS), key=lambda text: (len(text.split()), text.casefold())
    )
    figure.get_by_label("Length").select_option("5")
    assert sorted(text[2:] for text in listed.all_text_contents()) == [TEXTS[3][0], TEXTS[4][0]]
    assert figure.evaluate(READ_STEPS)["read"] == [*TEXTS[4][0].split(), "<eos>"]  # the first of them
    assert figure.get_by_text("2 of 6 sentences").is_visible()
    for at in (3, 4) * 3:  # never the same again
        slider(figure).fill("2")
        press(figure, "Random").click()
        assert figure.evaluate(READ_STEPS)["read"][:-1] == TEXTS[at][0].split()
        assert stat(figure, "read") == 0
    find = figure.get_by_label("Find")
    find.fill("zebra")
    assert figure.get_by_text("no such sentence here").is_visible()
    find.fill("THE <B>")
    assert [text[2:] for text in listed.all_text_contents()] == [TEXTS[3][0]]
    press(figure, "Random").click()  # takes the only one, or stays on it
    assert figure.evaluate(READ_STEPS)["read"][0] == "The"
    figure.get_by_label("Length").select_option("")
    find.fill("sees")
    find.press("Enter")
    assert figure.evaluate(READ_STEPS)["read"] == [*TEXTS[3][0].split(), "<eos>"]
    find.fill("")
    assert not figure.locator(".lm-steps-found").is_visible()


def test_encoder_decoder_steps_by_keyboard(show):
    page, figure = show("encoder_decoder_steps")
    page.keyboard.press("Tab")  # length
    page.keyboard.press("Tab")
    page.keyboard.type("sleeps")
    page.keyboard.press("Enter")
    assert figure.evaluate(READ_STEPS)["read"][2] == "sleeps"
    for _ in range(4):
        page.keyboard.press("Tab")  # list, Random, Back, Step
    assert page.evaluate("document.activeElement.textContent") == "Step"
    for read in range(1, 4):
        page.keyboard.press("Enter")
        assert stat(figure, "read") == read
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    assert stat(figure, "read") == 2
    slider(figure).focus()
    page.keyboard.press("End")
    assert (stat(figure, "read"), stat(figure, "written"), stat(figure, "missing")) == (8, 1, 5)
    assert press(figure, "Step").get_attribute("aria-disabled") == "true"
    press(figure, "Step").focus()
    page.keyboard.press("Enter")  # nothing is left: nothing happens
    assert slider(figure).get_attribute("aria-valuetext") == "10 of 10"
    status = figure.get_by_role("status")
    page.wait_for_function("(node) => node.textContent.includes('mistakes')", arg=status.element_handle())
    press(figure, "Restart").focus()
    page.keyboard.press("Enter")
    assert press(figure, "Back").get_attribute("aria-disabled") == "true"
    assert "Nothing has been read" in figure.evaluate(READ_STEPS)["headline"]


def test_encoder_decoder_steps_plays_to_the_end_and_stops(show):
    page, figure = show("encoder_decoder_steps")
    page.clock.install()
    slider(figure).fill("5")
    press(figure, "Play").click()
    page.clock.run_for(1500)  # two steps
    assert (stat(figure, "read"), stat(figure, "written")) == (4, 2)
    press(figure, "Pause").click()
    page.clock.run_for(3000)
    assert stat(figure, "written") == 2
    press(figure, "Step").click()
    press(figure, "Play").click()  # at the end: from the beginning
    page.clock.run_for(1500)
    assert (stat(figure, "read"), stat(figure, "written")) == (2, 0)
    page.clock.run_for(20_000)
    assert stat(figure, "written") == 3
    assert press(figure, "Play").is_visible()


# --- gate_playground ------------------------------------------------------------------------------------

CONTROLS = {
    "forget": "Forget gate",
    "input": "Input gate",
    "candidate": "Candidate",
    "output": "Output gate",
    "start": "First value",
    "weight": "Plain cell: weight",
    "step": "Look at step",
}


def python_cells(v: dict[str, float]) -> dict[str, float]:
    """The package's own steps and, for what is kept, torch's derivative through them."""
    gates = [
        torch.tensor(v[name], dtype=torch.float64) for name in ("input", "forget", "candidate", "output")
    ]
    a = torch.stack([gates[0].logit(), gates[1].logit(), gates[2].atanh(), gates[3].logit()])[None]
    start = torch.tensor([[v["start"]]], dtype=torch.float64, requires_grad=True)
    zeros = torch.zeros(4, dtype=torch.float64)
    c, h = start, torch.tanh(start) * v["output"]
    for _ in range(int(v["step"])):
        h, c = lstm_step(a, torch.zeros_like(h), c, zeros[:, None], zeros)
    (kept,) = torch.autograd.grad(c.sum(), start)
    plain = start
    weight = torch.tensor([[v["weight"]]], dtype=torch.float64)
    for _ in range(int(v["step"])):
        plain = rnn_step(torch.zeros_like(plain), plain, weight, torch.zeros(1, dtype=torch.float64))
    (plain_kept,) = torch.autograd.grad(plain.sum(), start)
    return {"c": c.item(), "h": h.item(), "kept": kept.item(), "plainKept": plain_kept.item()}


READ_STATS = "(root) => Object.fromEntries([...root.querySelectorAll('[data-stat]')].map((n) => [n.dataset.stat, Number(n.dataset.value)]))"


def set_all(figure, values: dict[str, float]) -> None:
    for name, value in values.items():
        slider(figure, CONTROLS[name]).fill(str(value))


def test_gate_playground_agrees_with_the_packages_steps_over_the_grid(show):
    _, figure = show("gate_playground")
    grid = product(
        (0, 0.5, 0.97, 1), (0, 0.3, 1), (-1, 0.4), (0.6,), (-0.5, 0, 1), (0, 0.8, 1, 1.5), (0, 1, STEPS)
    )
    cases = [dict(zip(CONTROLS, values, strict=True)) for values in grid]
    for v in random.Random(0).sample(cases, 120):
        set_all(figure, v)
        shown = figure.evaluate(READ_STATS)
        for name, value in python_cells(v).items():
            assert shown[name] == pytest.approx(value, rel=1e-9, abs=1e-12), (name, v)


def test_gate_playground_says_when_half_is_lost(show):
    _, figure = show("gate_playground")
    set_all(figure, {"start": 0.5, "weight": 0.9, "step": STEPS})
    for forget in (0, 0.5, 0.7, 0.98, 0.99):
        slider(figure, "Forget gate").fill(str(forget))
        at = int(stat(figure, "half"))
        assert forget**at <= 0.5 < forget ** (at - 1)
    slider(figure, "Forget gate").fill("1")
    assert (stat(figure, "half"), figure.locator("[data-stat=half]").text_content()) == (-1, "for ever")
    for weight in (0.3, 0.9, 1, 1.3):
        slider(figure, "weight").fill(str(weight))
        at = int(stat(figure, "plainHalf"))
        v = {"forget": 1.0, "input": 0.5, "candidate": 0.0, "output": 0.5, "start": 0.5, "weight": weight}
        before, after = (python_cells({**v, "step": step})["plainKept"] for step in (at - 1, at))
        assert after <= 0.5 < before
    set_all(figure, {"start": 0, "weight": 1})  # the slope of the tanh at 0 is 1: nothing is lost
    assert figure.locator("[data-stat=plainHalf]").text_content() == "for ever"
    assert stat(figure, "plainHalf") == -1
    assert LONGEST == 1000


def test_gate_playground_presets_set_the_gates_exactly(show):
    _, figure = show("gate_playground")
    figure_buttons = figure.locator(".lm-gate-presets button")
    assert figure_buttons.all_text_contents() == list(PRESETS)
    for name, (forget, gate, candidate, output) in PRESETS.items():
        press(figure, name).click()
        pressed = figure.locator(".lm-gate-presets [aria-pressed=true]").all_text_contents()
        assert pressed == [name]
        v = {"forget": forget, "input": gate, "candidate": candidate, "output": output}
        expected = python_cells({**v, "start": 0.8, "weight": 0.9, "step": 20})
        shown = figure.evaluate(READ_STATS)
        assert {key: shown[key] for key in expected} == pytest.approx(expected, rel=1e-9)
    assert stat(figure, "c") == pytest.approx(-0.9)  # overwritten
    slider(figure, "Candidate").fill("0.2")
    assert figure.locator(".lm-gate-presets [aria-pressed=true]").count() == 0


def test_gate_playground_draws_what_it_says(show):
    """Each dot lies on its curve at the step, and heights of the curve are the numbers."""
    _, figure = show("gate_playground")
    set_all(figure, {"forget": 0.9, "input": 1, "candidate": 0.5, "start": -0.5, "weight": 0.8, "step": 12})
    read = """(root) => [...root.querySelectorAll(".lm-gate-plot")].map((plot) => [...plot.querySelectorAll(".lm-gate-line")].map((line) => ({
      points: line.getAttribute("d").slice(1).split("L").map((p) => p.split(",").map(Number)),
      dot: [line.nextSibling.cx.baseVal.value, line.nextSibling.cy.baseVal.value], name: line.nextSibling.nextSibling.textContent })))"""
    kept, values = figure.evaluate(read)
    assert [line["name"] for line in kept] == ["LSTM, fᵗ", "plain", "wᵗ, no tanh"]
    assert [line["name"] for line in values] == ["LSTM c", "LSTM h", "plain h"]
    for line in [*kept, *values]:
        assert len(line["points"]) == STEPS + 1
        assert line["dot"] == pytest.approx(line["points"][12], abs=0.06)
    heights = -np.array(kept[0]["points"])[:, 1]
    assert np.corrcoef(heights, 0.9 ** np.arange(STEPS + 1))[0, 1] == pytest.approx(1, abs=1e-5)
    memory = np.array([0.9**t * -0.5 + 0.5 * (1 - 0.9**t) / 0.1 for t in range(STEPS + 1)])
    plain = [-0.5]
    for _ in range(STEPS):
        plain.append(math.tanh(0.8 * plain[-1]))
    drawn = [np.array(line["points"])[:, 1] for line in values]
    slope, zero = np.polyfit(memory, drawn[0], 1)  # one scale for all three
    for ys, run in zip(drawn, [memory, 0.5 * np.tanh(memory), plain], strict=True):
        assert ys == pytest.approx(zero + slope * np.array(run), abs=0.1)


def test_gate_playground_by_keyboard(show):
    page, figure = show("gate_playground")
    for _ in PRESETS:
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert figure.locator(".lm-gate-presets [aria-pressed=true]").text_content() == "overwrite"
    page.keyboard.press("Tab")
    page.keyboard.press("End")  # the forget gate: 1
    assert stat(figure, "kept") == 1
    page.keyboard.press("ArrowLeft")
    assert stat(figure, "kept") == pytest.approx(0.99**20)
    assert "= s(4.6)" in figure.locator(".lm-gate-value").first.text_content()
    for _ in range(6):
        page.keyboard.press("Tab")
    page.keyboard.press("Home")
    assert stat(figure, "kept") == stat(figure, "plainKept") == 1
    assert "Step 0" in figure.locator(".lm-gate-formula").text_content()
    page.keyboard.press("ArrowRight")
    assert (
        figure.locator(".lm-gate-formula")
        .text_content()
        .startswith("c₁ = f c₀ + i g = 0.99 × 0.800 + 1.00 × −0.90 = −0.108")
    )
    status = figure.get_by_role("status")
    page.wait_for_function(
        "(node) => node.textContent.includes('Step 1: memory −0.108')", arg=status.element_handle()
    )


# --- all of them ----------------------------------------------------------------------------------------


class TestEveryFigure(FigureChecks):
    live: ClassVar = {
        "encoder_decoder_steps": ("shown", {"sentence": 2, "step": 5}),
        "gate_playground": ("forget", 0.25),
    }
    fewest_stops = 9

    def use(self, figure, name: str) -> None:
        if name == "encoder_decoder_steps":
            figure.get_by_label("Sentence").select_option(label=f"✗ {TEXTS[3][0]}")
            slider(figure).fill("13")
            figure.get_by_label("Find").fill("see")
        else:
            press(figure, "overwrite").click()
