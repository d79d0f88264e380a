"""The interactive figures of chapters 05 and 06 in a browser: their numbers are Python's, and everybody can work them."""

import gzip
import math
from functools import cache
from itertools import product
from typing import ClassVar

import numpy as np
import pytest
import torch
from figure_page import FigureChecks

from lmcourse.attention import alignment_error
from lmcourse.encoder_decoder.search_tree import finished
from lmcourse.figures import Figure
from lmcourse.language_model.sampling import SamplingConfig, next_token_law
from lmcourse.widgets.encoder_decoder import BeamNode, BeamTree, HeadMaps, beam_tree, head_explorer
from lmcourse.widgets.language_model import FlowRound, FlowStage, NextToken, flow, sampling_playground
from lmcourse.widgets.language_model.sampling_playground import PRESETS

pytestmark = pytest.mark.browser

# --- What the figures are made of -----------------------------------------------------------------------

PAIRS = [
    ("the fox <b> sings .", "lomi su <b> rusa . mi", [(1, 0), (2, 2), (3, 3), (4, 4)]),
    ("a baker will fall asleep", "lisa liku ni piku", [(1, 0), (1, 1), (3, 3), (4, 3)]),
]
LAYERS, HEADS = 2, 3
VOCAB = ("<eos>", "lomi", "su", "<b>", "rusa", "tu", "mi")
REFERENCES = ("lomi su rusa", "<b> tu mi su")
WIDTHS, LONGEST, CUT = (1, 2, 4), 8, 2
TOKENS = ("<pad>", " ", "the", "<b>", "cat", "\n", *(f"w{i}" for i in range(34)))
STARTED = ("the", "cat", "<b>")
ROUNDS, D = 3, 30


def soft(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


@cache
def head_maps() -> list[HeadMaps]:
    """Cross-attention of two pairs, the encoder's of their sources, the decoder's of their translations."""
    rng = np.random.default_rng(4)
    made = {"cross": [], "encoder": [], "decoder": []}
    for source, target, links in PAIRS:
        source, target = source.split(), target.split()
        scores = rng.normal(size=(LAYERS, HEADS, len(target), len(source))) * 1.5
        for i, j in links:
            scores[1, 0, j, max(0, i - rng.integers(2))] += 4
        made["cross"].append(HeadMaps(target, source, soft(scores), links, "cross-attention"))
        for kind, words in (("encoder", source), ("decoder", target)):
            n = len(words)
            scores = rng.normal(size=(LAYERS, HEADS, n, n))
            scores[0, 0] += 5 * np.eye(n, k=-1)
            scores[0, 1] += 5 * np.eye(n)
            if kind == "decoder":
                scores[..., np.triu(np.ones((n, n), dtype=bool), 1)] = -np.inf
            made[kind].append(HeadMaps(words, words, soft(scores), (), kind, kind == "decoder"))
    return [one for kind in made.values() for one in kind]


def law_after(sentence: int, words: tuple[str, ...]) -> np.ndarray:
    """log P of each word of the vocabulary: the reference is likely, but not always the likeliest."""
    rng = np.random.default_rng([65, sentence, len(words), *(VOCAB.index(word) for word in words)])
    scores = rng.normal(size=len(VOCAB)) * 1.5
    reference = REFERENCES[sentence].split()
    scores[VOCAB.index(reference[len(words)]) if len(words) < len(reference) else 0] += 1.5
    return np.log(soft(scores))


def search(sentence: int, width: int) -> BeamTree:
    nodes, alive = [], [(-1, (), 0.0)]
    for step in range(1, LONGEST + 1):
        found = [
            (total + log_p, at, words, VOCAB[k], log_p)
            for at, words, total in alive
            for k, log_p in enumerate(law_after(sentence, words))
        ]
        room, alive = width - sum(node.fate == "finished" for node in nodes), []
        for rank, (total, at, words, word, log_p) in enumerate(sorted(found, reverse=True)[: room + CUT]):
            ends = word == "<eos>" or step == LONGEST
            nodes.append(
                BeamNode(at, word, float(log_p), "cut" if rank >= room else "finished" if ends else "kept")
            )
            if nodes[-1].fate == "kept":
                alive.append((len(nodes) - 1, (*words, word), total))
        if not alive:
            break
    return BeamTree(["source", f"<b>{sentence}"], REFERENCES[sentence].split(), width, nodes)


@cache
def trees() -> list[BeamTree]:
    return [search(sentence, width) for sentence in range(len(REFERENCES)) for width in WIDTHS]


@cache
def next_tokens() -> list[NextToken]:
    """A flat law, a sharp one, and one where many are equal."""
    rng = np.random.default_rng(1)
    flat, sharp = rng.normal(size=len(TOKENS)), 4 * rng.normal(size=len(TOKENS))
    equal = rng.integers(0, 3, size=len(TOKENS)) * 1.5
    prompts = [("", flat), ("the <b>cat</b>", sharp), ("a b", equal)]
    return [NextToken(text, TOKENS, logits.round(3)) for text, logits in prompts]


@cache
def flow_rounds() -> list[FlowRound]:
    rng, rounds, tokens = np.random.default_rng(8), [], list(STARTED)
    for _ in range(ROUNDS):
        n = len(tokens)
        stages = [
            FlowStage("embedding", (1, n, D), "Each id picks a row.", rng.normal(size=(n, D)), part="Input")
        ]
        weights = np.tril(soft(rng.normal(size=(n, n))))
        stages.append(
            FlowStage(
                "blocks[0].weights", (1, 2, n, n), "Who looks at whom.", weights, list(tokens), "Block 1"
            )
        )
        stages.append(
            FlowStage("blocks[0].output", (1, n, D), "The sum so far.", np.zeros((n, D)), part="Block 1")
        )
        law = soft(3 * rng.normal(size=(n, 4)))
        words = ["the", "cat", "<b>", "\n"]
        stages.append(FlowStage("probabilities", (1, n, 40), "The softmax.", law, words, "Output"))
        order = np.argsort(-law[-1])
        guesses = [(words[i], float(law[-1, i])) for i in order]
        rounds.append(
            FlowRound(
                " ".join(tokens),
                list(tokens),
                [TOKENS.index(t) for t in tokens],
                stages,
                guesses,
                guesses[0][0],
            )
        )
        tokens.append(guesses[0][0])
    return rounds


@pytest.fixture(scope="module")
def build():
    @cache
    def build(name: str) -> Figure:
        if name == "head_explorer":
            return head_explorer(head_maps())
        if name == "beam_tree":
            return beam_tree(trees())
        if name == "cut off":
            return beam_tree([BeamTree(["fox"], ["lomi"], 1, [BeamNode(-1, "lomi", -0.1, "finished")])])
        if name == "sampling_playground":
            return sampling_playground(next_tokens(), rows=10)
        return flow(flow_rounds(), columns=20)

    return build


def press(figure, name: str):
    return figure.get_by_role("button", name=name, exact=True)


def combobox(figure, name: str):
    return figure.get_by_role("combobox", name=name, exact=True)


# --- head_explorer --------------------------------------------------------------------------------------

READ_HEADS = """(root) => {
  const all = (css, from = root) => [...from.querySelectorAll(css)];
  const cells = (path) => [...path.getAttribute("d").matchAll(/M(\\d+),(\\d+)h1v1h-1z/g)].map(([, i, j]) => [Number(j), Number(i)]);
  return {
    grid: all(".lm-heads-layer").map((layer) => all(".lm-heads-cell", layer).map((cell) => ({
      shades: all(".lm-heads-shade", cell).flatMap((path) => cells(path).map((at) => [...at, Math.round(8 * path.getAttribute("fill-opacity"))])),
      links: all(".lm-heads-link", cell).flatMap(cells), brief: cell.querySelector(".lm-heads-brief").textContent, chosen: cell.getAttribute("aria-checked") === "true" }))),
    cells: all(".lm-amap-row").map((row) => all(".lm-amap-cell", row).map((cell) => Number(cell.dataset.weight))),
    bars: all(".lm-amap-bar").map((bar) => Number(bar.dataset.weight)),
    links: all(".lm-amap-links .lm-amap-link").map((link) => link.dataset.link.split(" ").map(Number)),
    verdicts: all(".lm-amap-row").map((row) => row.dataset.verdict), name: root.querySelector(".lm-heads-name").textContent,
    said: root.querySelector(".lm-amap-headline").textContent, frame: Number(root.querySelector(".lm-amap-frame").getAttribute("width")),
    stats: Object.fromEntries(all("[data-stat]").map((s) => [s.dataset.stat, Number(s.dataset.value)])),
  };
}"""


def choose_text(figure, one: HeadMaps) -> None:
    combobox(figure, "Attention").select_option(one.kind)
    combobox(figure, "Text").select_option(label=" ".join(one.keys))


def cell(figure, layer: int, head: int):
    return figure.locator(f"[data-layer='{layer}'][data-head='{head}']")


def test_head_explorer_shows_the_weights_of_every_head(show):
    _, figure = show("head_explorer")
    habits = set()
    for one in head_maps():
        choose_text(figure, one)
        for layer, head in np.ndindex(LAYERS, HEADS):
            cell(figure, layer, head).click()
            shown, weights = figure.evaluate(READ_HEADS), one.weights[layer, head]
            assert shown["name"] == f"{one.kind}, layer {layer + 1}, head {head + 1}"
            chosen = [
                (r, c)
                for r, row in enumerate(shown["grid"])
                for c, cell_ in enumerate(row)
                if cell_["chosen"]
            ]
            assert chosen == [(layer, head)]
            seen = [row[: j + 1] if one.causal else row for j, row in enumerate(weights)]
            for row, expected in zip(shown["cells"], seen, strict=True):
                assert row == pytest.approx(expected, abs=0.0021)
            assert shown["bars"] == pytest.approx(weights[0], abs=0.0021)
            habits.add(shown["grid"][layer][head]["brief"].split()[0])
            check_head(one, weights, shown)
        for row, maps in zip(shown["grid"], one.weights, strict=True):
            for small, weights in zip(row, maps, strict=True):
                levels = np.floor(np.rint(255 * weights) / 255 * 8 + 0.5).astype(int)
                assert sorted(small["shades"]) == [[j, i, levels[j, i]] for j, i in np.argwhere(levels)]
                assert small["links"] == []
    assert {"✓", "before", "itself", "over"} <= habits


def check_head(one: HeadMaps, weights: np.ndarray, shown: dict) -> None:
    """The numbers of a head: against the package's judgement where there are links, and against plain sums."""
    levels = np.rint(255 * weights) / 255
    if one.links:
        verdicts = ["none"] * len(one.queries)
        errors = alignment_error([torch.tensor(levels)], [list(one.links)])
        for j, offset in zip(errors.target, errors.offset, strict=True):
            verdicts[j] = ("right", "neighbour")[abs(offset)] if abs(offset) < 2 else "elsewhere"
        assert shown["verdicts"] == verdicts
        judged = len(verdicts) - verdicts.count("none")
        for verdict in ("right", "neighbour", "elsewhere"):
            assert shown["stats"][verdict] == verdicts.count(verdict) / judged
        rows = levels
    else:
        later = range(1, len(levels))
        assert shown["stats"]["itself"] == pytest.approx(np.mean([levels[j, j] for j in later]))
        assert shown["stats"]["before"] == pytest.approx(np.mean([levels[j, j - 1] for j in later]))
        assert shown["stats"]["first"] == pytest.approx(np.mean([levels[j, 0] for j in later]))
        assert "true link" not in shown["said"]
        rows = levels[1:]
    entropies = torch.distributions.Categorical(torch.tensor(rows)).entropy()
    assert shown["stats"]["spread"] == pytest.approx(math.exp(entropies.mean()))


def test_head_explorer_outlines_true_links_in_both_sizes(show):
    _, figure = show("head_explorer")
    for one in head_maps()[:2]:
        choose_text(figure, one)
        figure.get_by_label("True alignment").check()
        shown = figure.evaluate(READ_HEADS)
        assert sorted(map(tuple, shown["links"])) == sorted(one.links)
        for small in (small for row in shown["grid"] for small in row):
            assert sorted((i, j) for j, i in small["links"]) == sorted(one.links)
    choose_text(figure, head_maps()[2])  # nothing to be held against
    assert not figure.get_by_label("True alignment").is_visible()
    assert figure.locator(".lm-amap-links .lm-amap-link, .lm-heads-link").count() == 0


def test_head_explorer_frames_only_what_causal_attention_sees(show):
    _, figure = show("head_explorer")
    choose_text(figure, head_maps()[4])
    first = figure.evaluate(READ_HEADS)["frame"]
    figure.locator(".lm-amap-target").nth(2).click()
    assert figure.evaluate(READ_HEADS)["frame"] == pytest.approx(3 * first)


def test_head_explorer_by_keyboard(show):
    page, figure = show("head_explorer")
    for _ in range(4):
        page.keyboard.press("Tab")  # kind, text, alignment, grid: one stop for all maps
    at = "[document.activeElement.dataset.layer, document.activeElement.dataset.head].join()"
    assert page.evaluate(at) == "0,0"
    for key, expected in [
        ("ArrowRight", "0,1"),
        ("ArrowDown", "1,1"),
        ("ArrowLeft", "1,0"),
        ("ArrowLeft", "0,2"),
        ("ArrowUp", "0,2"),
        ("End", "1,2"),
        ("ArrowRight", "1,2"),
        ("Home", "0,0"),
        ("ArrowDown", "1,0"),
    ]:
        page.keyboard.press(key)
        assert page.evaluate(at) == expected, key
    assert figure.locator(".lm-heads-cell[tabindex='0']").count() == 1
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    weights = head_maps()[0].weights[1, 0]
    assert figure.evaluate(READ_HEADS)["bars"] == pytest.approx(weights[1], abs=0.0021)
    status = figure.get_by_role("status")
    page.locator("h1").click()
    cell(figure, 0, 1).click()
    page.wait_for_function(
        "(node) => node.textContent.includes('layer 1, head 2')", arg=status.element_handle()
    )


def test_head_explorer_keeps_the_sentence_when_the_kind_changes(show):
    _, figure = show("head_explorer")
    combobox(figure, "Text").select_option(label=PAIRS[1][0])
    combobox(figure, "Attention").select_option("encoder")
    assert combobox(figure, "Text").locator("option:checked").text_content() == PAIRS[1][0]


# --- beam_tree ------------------------------------------------------------------------------------------

READ_TREE = """(root) => {
  const all = (css) => [...root.querySelectorAll(css)];
  return {
    nodes: all(".lm-beam-node").map((n) => ({ at: Number(n.dataset.at), total: Number(n.dataset.total), greedy: n.dataset.greedy === "1",
      fate: ["kept", "cut", "finished"].find((fate) => n.classList.contains(`lm-beam-${fate}`)), on: n.classList.contains("lm-beam-on"),
      word: n.querySelector(".lm-beam-word").textContent, numbers: [...n.querySelectorAll(".lm-beam-number")].map((t) => Number(t.textContent.replace("−", "-"))) })),
    greedy: all(".lm-beam-edge.lm-beam-greedy").length,
    ranked: all(".lm-beam-table [data-score]").map((row) => [Number(row.dataset.at), Number(row.dataset.score), row.textContent]),
    stats: Object.fromEntries(all("[data-stat]").map((s) => [s.dataset.stat, Number(s.dataset.value)])),
  };
}"""


def steps_of(tree: BeamTree) -> list[int]:
    steps = []
    for node in tree.nodes:
        steps.append(1 if node.parent < 0 else steps[node.parent] + 1)
    return steps


def words_of(tree: BeamTree, at: int) -> tuple[str, ...]:
    node = tree.nodes[at]
    return (*(words_of(tree, node.parent) if node.parent >= 0 else ()), node.token)


def greedy_words(sentence: int) -> tuple[str, ...]:
    words = ()
    while len(words) < LONGEST and "<eos>" not in words:
        words += (VOCAB[law_after(sentence, words).argmax()],)
    return words


def open_tree(figure, number: int) -> BeamTree:
    tree = trees()[number]
    figure.get_by_label("Sentence").select_option(str(number // len(WIDTHS)))
    press(figure, str(tree.width)).click()
    return tree


def test_beam_tree_unfolds_the_search_step_by_step(show):
    _, figure = show("beam_tree")
    fates = set()
    for number, one in enumerate(trees()):
        tree, steps = open_tree(figure, number), steps_of(one)
        greedy = greedy_words(number // len(WIDTHS))
        for step in range(max(steps) + 1):
            figure.get_by_label("Step", exact=True).fill(str(step))
            shown = figure.evaluate(READ_TREE)
            seen = [at for at, s in enumerate(steps) if s <= step]
            assert [node["at"] for node in shown["nodes"]] == seen
            for node in shown["nodes"]:
                words, expected = words_of(tree, node["at"]), tree.nodes[node["at"]]
                total = sum(
                    law_after(number // len(WIDTHS), words[:n])[VOCAB.index(w)] for n, w in enumerate(words)
                )
                assert (node["word"], node["fate"]) == (words[-1], expected.fate)
                assert node["total"] == pytest.approx(total, abs=1e-3)
                assert node["numbers"] == pytest.approx([expected.log_probability, total], abs=0.0061)
                assert node["greedy"] == (words == greedy[: len(words)])
                fates.add((node["fate"], node["greedy"]))
            assert shown["greedy"] == sum(node["greedy"] for node in shown["nodes"])
            newest = [tree.nodes[at].fate for at in seen if steps[at] == step]
            assert shown["stats"]["alive"] == (newest.count("kept") if step else 1)
            assert shown["stats"]["finished"] == len(shown["ranked"])
    assert fates == set(product(("kept", "cut", "finished"), (True, False)))


def test_beam_tree_ranks_what_has_finished_by_the_length_penalty(show):
    _, figure = show("beam_tree")
    orders = set()
    for number in range(len(trees())):
        tree = open_tree(figure, number)
        figure.get_by_label("Step", exact=True).fill(str(max(steps_of(tree))))
        for alpha in (0.0, 0.35, 0.6, 1.0, 1.5):
            figure.get_by_label("Length penalty").fill(str(alpha))
            ranked = figure.evaluate(READ_TREE)["ranked"]
            expected = finished(tree, alpha)
            assert [words_of(tree, at) for at, _, _ in ranked] == [words for words, _, _ in expected]
            assert [score for _, score, _ in ranked] == pytest.approx(
                [score for _, _, score in expected], abs=1e-3
            )
            for (_, _, text), (words, _, _) in zip(ranked, expected, strict=True):
                assert text.startswith("✓") == (words == (*tree.reference, "<eos>"))
                assert ("cut off" in text) == (words[-1] != "<eos>")
                assert ("greedy" in text) == (words == greedy_words(number // len(WIDTHS)))
            orders.add((number, tuple(at for at, _, _ in ranked)))
    assert len(orders) > len(trees())  # the penalty changes something


def test_beam_tree_a_translation_without_its_end_is_not_right(show):
    _, figure = show("cut off")
    ((_, _, text),) = figure.evaluate(READ_TREE)["ranked"]
    assert text.startswith("✗ lomi cut off at the limit")


def test_beam_tree_by_mouse(show):
    page, figure = show("beam_tree")
    tree = open_tree(figure, 5)
    for step in range(1, max(steps_of(tree)) + 1):
        if step > 1:
            press(figure, "Next step").click()
        assert f"Step {step}:" in figure.locator(".lm-beam-headline").text_content()
    assert press(figure, "Next step").get_attribute("aria-disabled") == "true"
    last = figure.locator(".lm-beam-node").last
    last.click()
    path = set()
    at = len(tree.nodes) - 1
    while at >= 0:
        path.add(at)
        at = tree.nodes[at].parent
    assert {node["at"] for node in figure.evaluate(READ_TREE)["nodes"] if node["on"]} == path
    assert (
        figure.locator(".lm-beam-headline")
        .text_content()
        .startswith(" ".join(words_of(tree, len(tree.nodes) - 1)))
    )
    box, host = last.bounding_box(), figure.locator(".lm-beam-host").bounding_box()
    assert box["x"] + box["width"] <= host["x"] + host["width"]  # scrolled into sight
    press(figure, "2").click()
    assert figure.locator(".lm-beam-on").count() == 0
    page.locator("h1").hover()


def test_beam_tree_by_keyboard(show):
    page, figure = show("beam_tree")
    tree = trees()[2]
    press(figure, "4").click()
    press(figure, "To the end").click()
    figure.locator(".lm-beam-node").first.click()
    at = "Number(document.activeElement.dataset.at)"
    assert page.evaluate(at) == 0
    page.keyboard.press("ArrowRight")
    child = next(k for k, node in enumerate(tree.nodes) if node.parent == 0)
    assert page.evaluate(at) == child
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(at) == 0
    page.keyboard.press("ArrowDown")
    assert page.evaluate(at) == 1
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert page.evaluate(at) == 0
    page.keyboard.press("End")
    assert page.evaluate(at) == len(tree.nodes) - 1
    page.keyboard.press("Home")
    assert page.evaluate(at) == 0
    assert figure.locator(".lm-beam-node[tabindex='0']").count() == 1
    figure.get_by_label("Step", exact=True).focus()
    page.keyboard.press("Home")
    assert figure.locator(".lm-beam-node").count() == 0
    page.keyboard.press("ArrowRight")
    assert figure.locator(".lm-beam-node").count() == sum(step == 1 for step in steps_of(tree))
    figure.get_by_label("Length penalty").focus()
    page.keyboard.press("End")
    status = figure.get_by_role("status")
    page.wait_for_function(
        "(node) => node.textContent.includes('Step 1: 4 kept')",
        arg=status.element_handle(),
    )


# --- sampling_playground --------------------------------------------------------------------------------

READ_LAW = """(root) => ({
  rows: [...root.querySelectorAll(".lm-sample-row")].map((row) => ({ name: row.querySelector(".lm-sample-name").textContent, cut: row.classList.contains("lm-sample-cut"),
    edge: row.classList.contains("lm-sample-edge"), ...Object.fromEntries(["before", "after", "drawn"].map((part) => [part, Number(row.querySelector(`.lm-sample-${part}`).dataset.value)])) })),
  drawn: [...root.querySelectorAll(".lm-sample-list li")].map((li) => Number(li.dataset.id)),
  pressed: [...root.querySelectorAll(".lm-sample-presets [aria-pressed=true]")].map((b) => b.textContent),
  stats: Object.fromEntries([...root.querySelectorAll("[data-stat]")].map((s) => [s.dataset.stat, Number(s.dataset.value)])),
})"""
KS = [1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 0]  # the places of the slider, in a vocabulary of 40


def numbers(seed: int, n: int) -> list[float]:
    """mulberry32, in Python's own integers."""
    whole, state, made = 0xFFFFFFFF, seed, []
    for _ in range(n):
        state = (state + 0x6D2B79F5) & whole
        t = ((state ^ (state >> 15)) * (state | 1)) & whole
        t ^= (t + (((t ^ (t >> 7)) * (t | 61)) & whole)) & whole
        made.append(((t ^ (t >> 14)) & whole) / 2**32)
    return made


def sampling(temperature: float, k: int, p: float) -> SamplingConfig:
    return SamplingConfig(float(temperature), k or None, p if p < 1 else None)


def check_law(figure, prompt: int, temperature: float, k: int, p: float) -> dict:
    shown, logits = figure.evaluate(READ_LAW), torch.tensor(next_tokens()[prompt].logits)
    law = next_token_law(logits, sampling(temperature, k, p))
    before = logits.softmax(-1)
    order = sorted(range(len(TOKENS)), key=lambda i: (-logits[i].item(), i))
    parts = [*([i] for i in order[:10]), order[10:]]
    for row, part in zip(shown["rows"], parts, strict=True):
        assert row["before"] == pytest.approx(before[part].sum().item(), abs=1e-12)
        assert row["after"] == pytest.approx(law[part].sum().item(), abs=1e-12)
        assert row["cut"] == (law[part] == 0).all()
    stats = shown["stats"]
    assert stats["before"] == pytest.approx(
        torch.distributions.Categorical(before).entropy().item(), abs=1e-7
    )
    assert stats["after"] == pytest.approx(-torch.special.xlogy(law, law).sum().item(), abs=1e-12)
    assert stats["kept"] == (law > 0).sum()
    whole = (logits / temperature).softmax(-1) if temperature else (law > 0).double()
    assert stats["cut"] == pytest.approx(whole[law == 0].sum().item(), abs=1e-12)
    return shown


def set_sliders(figure, temperature: float, k: int, p: float) -> None:
    figure.get_by_label("Temperature").fill(str(temperature))
    figure.get_by_label("Top-k").fill(str(KS.index(k)))
    figure.get_by_label("Top-p").fill(str(p))


def test_sampling_playground_agrees_with_the_package_over_the_grid(show):
    _, figure = show("sampling_playground")
    for prompt in range(len(next_tokens())):
        figure.get_by_label("Prompt").select_option(str(prompt))
        for temperature, k, p in product((0, 0.05, 0.7, 1, 2), (0, 1, 3, 30), (1, 0.99, 0.5, 0.01)):
            set_sliders(figure, temperature, k, p)
            check_law(figure, prompt, temperature, k, p)


def test_sampling_playground_shows_all_that_tie_with_the_kth(show):
    _, figure = show("sampling_playground")
    figure.get_by_label("Prompt").select_option("2")
    set_sliders(figure, 1, 3, 1)
    logits = next_tokens()[2].logits
    assert check_law(figure, 2, 1, 3, 1)["stats"]["kept"] == (logits == logits.max()).sum() > 3
    set_sliders(figure, 1, 0, 0.2)  # of equals those that stand first
    kept = check_law(figure, 2, 1, 0, 0.2)
    names = [row["name"] for row in kept["rows"] if not row["cut"]]
    best = [TOKENS[i] for i in np.flatnonzero(logits == logits.max())]
    assert names == [name.replace(" ", "␣").replace("\n", "↵") for name in best[: len(names)]]


def test_sampling_playground_presets(show):
    _, figure = show("sampling_playground")
    assert figure.evaluate(READ_LAW)["pressed"] == ["as it is"]
    for name, *how in PRESETS:
        press(figure, name).click()
        assert check_law(figure, 0, *how)["pressed"] == [name]
    figure.get_by_label("Top-p").fill("0.89")
    assert figure.evaluate(READ_LAW)["pressed"] == []


def test_sampling_playground_draws_from_the_law_with_a_seed(show):
    _, figure = show("sampling_playground")
    assert figure.evaluate(READ_LAW)["drawn"] == []
    press(figure, "Draw 20 tokens").click()
    for seed, how in [(1, (1, 0, 1)), (1, (0, 0, 1)), (1, (1.5, 5, 1)), (2, (2, 0, 1)), (3, (1, 0, 0.5))]:
        while f"seed {seed}" not in figure.locator(".lm-sample-note").text_content():
            press(figure, "Draw 20 tokens").click()
        set_sliders(figure, *how)
        shown = check_law(figure, 0, *how)
        logits = torch.tensor(next_tokens()[0].logits)
        temperature, k, p = how
        law = next_token_law(logits, sampling(temperature, k, p)).numpy()
        order = np.argsort(-logits.numpy(), kind="stable")
        at = np.searchsorted(law[order].cumsum(), numbers(seed, 20), side="right")
        assert shown["drawn"] == order[at].tolist()
        assert [row["drawn"] for row in shown["rows"][:10]] == [shown["drawn"].count(i) for i in order[:10]]
        assert shown["rows"][10]["drawn"] == sum(i in order[10:] for i in shown["drawn"])


def test_the_random_numbers_are_spread_evenly():
    made = np.concatenate([numbers(seed, 20) for seed in range(1, 501)])
    counts = np.histogram(made, bins=20, range=(0, 1))[0]
    assert ((counts - 500) ** 2 / 500).sum() < 43.8  # chi-square with 19 degrees of freedom, 0.1 %


def test_sampling_playground_by_keyboard(show):
    page, figure = show("sampling_playground")
    for _ in range(1 + len(PRESETS) + 1):
        page.keyboard.press("Tab")
    page.keyboard.press("Home")
    check_law(figure, 0, 0, 0, 1)
    assert page.evaluate("document.activeElement.getAttribute('aria-valuetext')").startswith(
        "temperature 0: greedy"
    )
    page.keyboard.press("End")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.getAttribute('aria-valuetext')") == "the best 30"
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowLeft")
    check_law(figure, 0, 2, 30, 0.99)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert len(figure.evaluate(READ_LAW)["drawn"]) == 20
    status = figure.get_by_role("status")
    page.wait_for_function("(node) => node.textContent.includes('Drawn:')", arg=status.element_handle())


# --- flow -----------------------------------------------------------------------------------------------

READ_FLOW = """(root) => {
  const svg = root.querySelector(".lm-flow-host svg"), all = (css) => [...root.querySelectorAll(css)];
  const cells = !svg ? [] : [...svg.querySelectorAll("[data-shade]")].flatMap((path) =>
    [...path.getAttribute("d").matchAll(/M([\\d.]+),([\\d.]+)h/g)].map(([, x, y]) => [Number(x), Number(y), Number(path.dataset.shade)]));
  const frame = svg?.querySelector(".lm-flow-frame"), n = (key) => Number(frame?.getAttribute(key));
  return {
    cells, frame: [n("x"), n("y"), n("width"), n("height")], columns: Number(svg?.dataset.columns), dashes: svg?.querySelector(".lm-flow-dash")?.getAttribute("d").match(/M/g).length ?? 0,
    words: svg ? [...svg.querySelectorAll(".lm-flow-token")].map((t) => t.textContent) : [],
    title: root.querySelector(".lm-flow-title").textContent, note: root.querySelector(".lm-flow-note").textContent,
    chosen: all(".lm-flow-chip").findIndex((c) => c.getAttribute("aria-checked") === "true"), chips: all(".lm-flow-chip").map((c) => c.textContent), parts: all(".lm-flow-label").map((l) => l.textContent),
    text: root.querySelector(".lm-flow-text")?.textContent, marked: root.querySelector(".lm-flow-text mark")?.textContent ?? "",
    tokens: all(".lm-flow-host .lm-token").map((t) => t.textContent), fresh: all(".lm-flow-host .lm-new").length,
    guesses: all(".lm-flow-guess").map((g) => [g.querySelector(".lm-flow-name").textContent, Number(g.dataset.p), g.classList.contains("lm-flow-taken")]),
  };
}"""


def test_flow_shows_every_stage_of_every_round(show):
    _, figure = show("flow")
    slider, stages = figure.get_by_label("Stage", exact=True), len(flow_rounds()[0].stages) + 4
    shown = figure.evaluate(READ_FLOW)
    assert shown["chips"] == [
        "text",
        "tokens",
        "ids",
        "embedding",
        "weights",
        "output",
        "probabilities",
        "next token",
    ]
    assert shown["parts"] == ["Input", "Block 1", "Output"]
    for number, one in enumerate(flow_rounds()):
        n = len(one.tokens)
        for at in range(stages):
            slider.fill(str(number * stages + at))
            shown = figure.evaluate(READ_FLOW)
            assert shown["chosen"] == at
            if at == 0:
                assert (shown["text"], shown["marked"]) == (one.text, f" {one.tokens[-1]}" if number else "")
            elif at == 1:
                assert shown["tokens"] == [token.replace("\n", "↵") for token in one.tokens]
                assert shown["fresh"] == (number > 0)
            elif at == 2:
                assert [
                    text[: len(str(i))] for text, i in zip(shown["tokens"], one.ids, strict=True)
                ] == list(map(str, one.ids))
            elif at == stages - 1:
                guesses = [(word.replace("\n", "↵"), p) for word, p in one.guesses]
                assert [word for word, _, _ in shown["guesses"]] == [word for word, _ in guesses]
                assert [p for _, p, _ in shown["guesses"]] == pytest.approx([p for _, p in guesses], abs=6e-5)
                assert [word for word, _, taken in shown["guesses"] if taken] == [
                    one.chosen.replace("\n", "↵")
                ]
            else:
                check_stage(shown, one.stages[at - 3], n)


def check_stage(shown: dict, stage: FlowStage, n: int) -> None:
    assert shown["title"].startswith(f"{stage.name} ({', '.join(map(str, stage.shape))})")
    assert shown["note"] == stage.note
    values = stage.values if stage.columns else stage.values[:, :20]
    assert ("shown" in shown["title"]) == (stage.shape[-1] > values.shape[1])
    assert len(shown["words"]) == n + len(stage.columns)
    left, top, width, height = shown["frame"]
    grid = np.zeros(values.shape, dtype=int)
    for x, y, shade in shown["cells"]:
        grid[round((y - top) / (height / n)), round((x - left) / (width / values.shape[1]))] = shade
    levels = np.rint(127 * values / (abs(values).max() or 1))
    assert (grid == np.floor(levels / 127 * 8 + 0.5)).all()
    assert shown["dashes"] == (grid <= -3).sum()


def test_flow_by_mouse_and_round_again(show):
    _, figure = show("flow")
    total = ROUNDS * (len(flow_rounds()[0].stages) + 4)
    assert press(figure, "Back").get_attribute("aria-disabled") == "true"
    for _ in range(total - 1):
        press(figure, "Next").click()
    assert press(figure, "Next").get_attribute("aria-disabled") == "true"
    assert press(figure, "Round 3").get_attribute("aria-pressed") == "true"
    press(figure, "Round 2").click()
    shown = figure.evaluate(READ_FLOW)
    assert [word for word, _, taken in shown["guesses"] if taken] == [
        flow_rounds()[1].chosen.replace("\n", "↵")
    ]
    figure.get_by_role("radio", name="blocks[0].weights").click()
    assert figure.evaluate(READ_FLOW)["title"].startswith("blocks[0].weights (1, 2, 4, 4)")


def test_flow_by_keyboard(show):
    page, figure = show("flow")
    for _ in range(7):
        page.keyboard.press("Tab")  # slider, back, next, three rounds, stages: one stop for all of them
    chosen = "document.activeElement.textContent"
    assert page.evaluate(chosen) == "text"
    for key, expected in [
        ("ArrowLeft", "text"),
        ("ArrowRight", "tokens"),
        ("End", "next token"),
        ("ArrowRight", "text"),  # and round again
        ("ArrowLeft", "next token"),
        ("Home", "text"),
    ]:
        page.keyboard.press(key)
        assert page.evaluate(chosen) == expected, key
    page.keyboard.press("ArrowDown")
    assert figure.locator(".lm-flow-chip[tabindex='0']").count() == 1
    status = figure.get_by_role("status")
    page.wait_for_function(
        "(node) => node.textContent.includes('Round 1, tokens')", arg=status.element_handle()
    )


# --- all of them ----------------------------------------------------------------------------------------


class TestEveryFigure(FigureChecks):
    live: ClassVar = {
        "head_explorer": ("head", 2),
        "beam_tree": ("step", 3),
        "sampling_playground": ("temperature", 0.5),
        "flow": ("step", 6),
    }

    def use(self, figure, name: str) -> None:
        if name == "head_explorer":
            cell(figure, 1, 0).click()
            figure.get_by_label("True alignment").check()
        if name == "beam_tree":
            press(figure, "4").click()
            press(figure, "To the end").click()
            figure.locator(".lm-beam-node").last.click()
        if name == "sampling_playground":
            press(figure, "nucleus").click()
            press(figure, "Draw 20 tokens").click()
        if name == "flow":
            figure.get_by_label("Stage", exact=True).fill("11")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    ("name", "at"), [("beam_tree", 0), ("flow", 0), ("flow", 9), ("flow", 10), ("flow", 15)]
)
def test_other_stages_are_accessible_too(show, axe, poor_contrast, name, at, theme):
    page, figure = show(name, theme=theme)
    figure.get_by_label("Step" if name == "beam_tree" else "Stage", exact=True).fill(str(at))
    assert axe(page, ".lm-figure") == []
    assert poor_contrast(page, ".lm-figure") == []


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_maps_of_self_attention_are_accessible_too(show, axe, poor_contrast, kind):
    page, figure = show("head_explorer", theme="dark")
    combobox(figure, "Attention").select_option(kind)
    assert axe(page, ".lm-figure") == []
    assert poor_contrast(page, ".lm-figure") == []


@pytest.mark.parametrize(
    "names", [("head_explorer", "beam_tree"), ("head_explorer", "sampling_playground", "flow")]
)
def test_the_figures_of_a_chapter_are_light_together(build, names):
    """Styles and helpers, which all figures share, included."""
    html = "".join(build(name).html() for name in names)
    assert len(gzip.compress(html.encode())) < 150_000
