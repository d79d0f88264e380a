"""The interactive figures in a browser: their numbers are Python's, and everybody can work them.

Each figure stands alone on a bare page; the pages of the book have tests of their own.
"""

import math
import random
import re
from collections import Counter
from functools import cache
from itertools import product
from pathlib import Path

import pytest
from figure_page import LIVE, stat, write_page

from lmcourse.figures import Figure
from lmcourse.tokens.bpe import BPETokenizer
from lmcourse.tokens.bpe_simple import count_pairs, merge_pair
from lmcourse.tokens.split_rules import SplitRule
from lmcourse.tokens.unigram import UnigramTokenizer
from lmcourse.tokens.wordpiece import WordPieceTokenizer
from lmcourse.tokens.words import CharTokenizer, WordTokenizer
from lmcourse.widgets.tokens import bpe_steps, tokenizer_lab, vocab_tradeoff

pytestmark = pytest.mark.browser

WORDS = {"low": 5, "lower": 2, "newest": 6, "widest": 3, "banana": 4, "aaaa": 1, "<b>": 2}
MERGES = [("e", "s"), ("es", "t"), ("l", "o"), ("lo", "w"), ("a", "n"), ("an", "a"), ("a", "a"), ("<", "b")]
ROWS = [
    {"vocab_size": 500, "BPE": 1.914, "WordPiece": 1.902, "Unigram": 1.871},
    {"vocab_size": 1000, "BPE": 1.633, "WordPiece": 1.622, "Unigram": 1.601},
    {"vocab_size": 4000, "BPE": 1.31, "WordPiece": 1.302, "Unigram": 1.288},
    {"vocab_size": 32000, "BPE": 1.12, "WordPiece": 1.11, "Unigram": 1.105},
    {"vocab_size": 128000, "BPE": 1.09, "WordPiece": 1.08, "Unigram": 1.08},
]
SENTENCES = [
    *("", " ", "  ", "\n", "\n\n \n", "\t", "a", " a", "a ", "  two  spaces  ", "A sentence, like any other."),
    "The unhappiest lighthouse keeper's café opens at 7.30, unseasonably early.",
    *("don't DON'T I'll we've you're 'sup 'S o'clock rock'n'roll", "it’s a ‘quoted’ “word” … – —"),
    *("In 1969 it cost 12,345.67 dollars; 98765 00 ½ Ⅷ ² ① ٣٤٥", "3.14159 -273.15 1e-9 0xFF 50% #7 $9 €8"),
    *("snake_case camelCase kebab-case f(x)=x**2; // a/b\\c", "https://example.org/a?b=c&d=%20#e", "a@b.c"),
    *("<b>bold</b> &amp; </script> <!-- -->", "x<unk>y", "<pad><bos> <eos>end<eos>", "[MASK] [unk] [CLS][SEP]"),
    *("▁ ▁▁low a▁b Ġlow ##ing </w>", "constructor __proto__ toString valueOf", "aaaaaaaaaaaaaaaaaaaaaaaa"),
    *("hahahahahaha lalala tututu nananana", "abababababab bababa", "sasessessesses aaa haaaah aaaaa", "nonononono ononon"),
    *("otorhinolaryngologist", "w" * 99, "w" * 100, "w" * 101, "the" * 60, "é" * 120),
    *("Zürich naïve façade œuvre Ångström", "e\u0301 e\u0327\u0301 \u0301alone a\u0301\u0323 a\u0323\u0301", "ﬁ ﬂ ﬃ"),
    *("Straße GROẞ ß", "İstanbul ıI Iİ", "ΟΔΥΣΣΕΥΣ Σίσυφος ΣΑΣ Σ", "Привет, мир! Ёлка ёж", "Ґанок їжак"),
    *("東京 と 大阪。漢字かな交じり文", "我爱北京天安门 abc北京def", "한국어 텍스트 각 각", "ภาษาไทย กำ", "हिन्दी में लिखा"),
    *("שלום עולם", "مرحبا بالعالم", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𐐀𐐨 𠮷野家", "Ａｂｃ１２３　全角"),
    *("😀", "Good morning 👩‍🚀🌍!", "👍🏽👍🏿 🇳🇱🇫🇷 ❤️ ❤", "☃ ☂︎ ✈️ ♞", "a\u200bb\u200dc\u00adf\ufeffg"),
    *("a\u00a0b\u2003c\u3000d\u202fe\u205ff", "a\u0085b\u2028c\u2029d", "a\x00b\x01c\x1cd\x1de\x1ff\x7fg", "a\u180eb"),
    *("\ue000\uf8ff private", "\ufffd replaced", "tab\tand\nline\n\nends \n here", " \n a \n\n  b   \n", "¿qué? ¡sí!"),
    *("(a) [b] {c} <d> |e| ~f~ `g` ^h^", "+-*/=<>|~^$`", "©®™ §¶ ←→ ∑∫√", "x̂ ȳ z̃ å̊", "ǅ ǈ ŉ ǰ"),
    *("no.1 No1 N°1 nº", "Ⓐ ㈱ ㎏ ﷺ", "٪ ؟ ، ؛", "。、「」・ー", "ʼn ‐ ‑ ‒ ′ ″", "end with special <eos>", "<eos", "eos>"),
]  # fmt: skip


TIES = {
    "▁": -1.3,
    "h": -0.7,
    "a": -0.1,
    "aa": -0.2,
    "aaa": -0.3,
    "ha": -0.8,
    "haha": -1.6,
    "n": -0.1,
    "na": -0.2,
}


def random_sentences(number: int) -> list[str]:
    """Strings of a few alphabets, each long in use (so that every Unicode version knows it)."""
    rng = random.Random(7)
    alphabets = [
        "abcdehilnorst",
        "AEIOUaeiou  ",
        "0123456789.,",
        " \n\t",
        "'’-_",
        "äéîõüçñ\u0301\u0308",
        "αβγΣΔ",
        "дежз",
    ]
    alphabets += ["東京大阪", "😀🌍\u200d\ufe0f", "<>[]##▁Ġ", "\u00a0\u2003\u0085", "한글", "ﬁ½Ⅷ①"]
    pick = [rng.sample(alphabets, rng.randint(1, 4)) for _ in range(number)]
    return ["".join(rng.choice(rng.choice(few)) for _ in range(rng.randint(1, 40))) for few in pick]


def substrings(texts: list[str], number: int, longest: int = 8) -> Counter[str]:
    """The commonest pieces of words, each beginning of a word marked with a space."""
    words = Counter(" " + word for text in texts for word in text.split())
    counts = Counter()
    for word, count in words.items():
        for start in range(len(word)):
            for end in range(start + 1, min(start + longest, len(word)) + 1):
                counts[word[start:end]] += count
    alphabet = {sign: counts[sign] for sign in counts if len(sign) == 1}
    return Counter(dict(counts.most_common(number))) | Counter(alphabet)


def wordpieces(texts: list[str], number: int, **options) -> WordPieceTokenizer:
    special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    pieces = [p[1:] if p[0] == " " else "##" + p for p in substrings(texts, number)]
    pieces += [p[2:] for p in pieces if p.startswith("##") and len(p) == 3]
    vocab = {piece: i for i, piece in enumerate(dict.fromkeys([*special, *filter(None, pieces)]))}
    return WordPieceTokenizer(vocab, special, **options)


def unigrams(texts: list[str], number: int) -> UnigramTokenizer:
    """Log-probabilities from plain counts, so that many are equal and ties abound."""
    counts = substrings(texts, number)
    scores = {p.replace(" ", "▁"): math.log(n / counts.total()) for p, n in counts.items()}
    vocab = {piece: i for i, piece in enumerate(["<pad>", "<unk>", "<eos>", *scores])}
    return UnigramTokenizer(vocab, scores, ("<pad>", "<unk>", "<eos>"))


@pytest.fixture(scope="session")
def tokenizers():
    """One of each kind, and then each with the options that the page knows, from a little English."""
    data = Path(__file__).parents[2] / "lmcourse/corpora/data"
    texts = [path.read_text(encoding="utf-8") for path in sorted(data.rglob("tales_0[12].txt"))]
    lower = [text.lower() for text in texts]
    special = ("<pad>", "<unk>", "<eos>")
    few = [texts[0][:4000]]
    return {
        "characters": CharTokenizer.train(texts, 60, special),
        "words": WordTokenizer.train(texts, 600, special),
        "BPE": BPETokenizer.train(texts, 700, special),
        "WordPiece": wordpieces([*lower, "σίσυφος οδυσσευς σας straße ss i̇stanbul"] * 2, 700),
        "Unigram": unigrams(texts, 700),
        # By hand, for what training hardly ever meets: a merge of equals, a special token that begins another,
        # sums that tie on paper and differ in doubles.
        "BPE by hand": BPETokenizer(
            [("a", "a"), ("h", "a"), ("aa", "a"), ("n", "o")], ("<e", "<eos>", "<eos>e")
        ),
        "Unigram by hand": UnigramTokenizer(
            {piece: i for i, piece in enumerate(["<unk>", *TIES])}, TIES, ("<unk>",)
        ),
        "cased WordPiece": wordpieces(texts, 500, lowercase=False, max_input_chars_per_word=20),
        "trained Unigram": UnigramTokenizer.train(few, 200, special),
        "Unigram, bytes": UnigramTokenizer.train(few, 420, byte_fallback=True, add_dummy_prefix=False),
        "Unigram, NFKC": UnigramTokenizer.train(
            few, 150, normalization="nfkc", remove_extra_whitespaces=True
        ),
    }


FIVE = ("characters", "words", "BPE", "WordPiece", "Unigram")
NAMES = ["bpe_steps", "tokenizer_lab", "vocab_tradeoff"]


@pytest.fixture(scope="session")
def build(request):
    """`build("bpe_steps")` -> the figure, made when it is first asked for."""

    @cache
    def build(name: str) -> Figure:
        if name == "bpe_steps":
            return bpe_steps(WORDS, MERGES)
        if name == "vocab_tradeoff":
            return vocab_tradeoff(ROWS, d_model=512, n_blocks=6)
        tokenizers = request.getfixturevalue("tokenizers")
        wanted = [kind for kind in tokenizers if (kind in FIVE) == (name == "tokenizer_lab")]
        return tokenizer_lab({kind: tokenizers[kind] for kind in wanted}, SENTENCES[11])

    return build


# --- bpe_steps ------------------------------------------------------------------------------------------


def python_steps() -> list[dict]:
    """The same film by the package's own functions, on ids."""
    pieces = sorted({sign for word in WORDS for sign in word})
    words = [[pieces.index(sign) for sign in word] for word in WORDS]
    frames = []
    for step in range(len(MERGES) + 1):
        counts = count_pairs(words, WORDS.values())
        frame = {
            "vocabulary": len(pieces),
            "tokens": sum(len(ids) * n for ids, n in zip(words, WORDS.values(), strict=True)),
            "words": {"".join(w): [pieces[i] for i in ids] for w, ids in zip(WORDS, words, strict=True)},
            "pairs": {(pieces[a], pieces[b]): n for (a, b), n in counts.items()},
        }
        frames.append(frame)
        if step < len(MERGES):
            pair = tuple(pieces.index(piece) for piece in MERGES[step])
            pieces.append("".join(MERGES[step]))
            words = [merge_pair(ids, pair, len(pieces) - 1) for ids in words]
    return frames


def bpe_frame(figure) -> dict:
    """What the page shows now."""
    read = """(root) => ({
      words: [...root.querySelectorAll(".lm-bpe-words li")].map((li) =>
        [...li.querySelectorAll(".lm-token")].map((token) => token.textContent)),
      pairs: [...root.querySelectorAll(".lm-bpe-columns tbody tr")].map((row) =>
        [[...row.querySelectorAll(".lm-token")].map((t) => t.textContent), Number(row.cells[1].textContent)]),
      winner: [...root.querySelectorAll(".lm-bpe-winner .lm-token")].map((t) => t.textContent),
      fresh: [...new Set([...root.querySelectorAll(".lm-bpe-words .lm-new")].map((t) => t.textContent))],
    })"""
    return figure.evaluate(read)


def assert_frame(figure, step: int) -> None:
    expected, shown = python_steps()[step], bpe_frame(figure)
    assert stat(figure, "vocabulary") == expected["vocabulary"]
    assert stat(figure, "tokens") == expected["tokens"]
    assert stat(figure, "perWord") == pytest.approx(expected["tokens"] / sum(WORDS.values()))
    assert {"".join(tokens): tokens for tokens in shown["words"]} == expected["words"]
    winner = [MERGES[step]] if step < len(MERGES) else []
    assert shown["winner"] == [sign for pair in winner for sign in pair]
    assert all(expected["pairs"].get(tuple(pair), 0) == count for pair, count in shown["pairs"])
    assert [tuple(pair) for pair, _ in shown["pairs"][: len(winner)]] == winner
    others = sorted((n for pair, n in expected["pairs"].items() if pair not in winner), reverse=True)
    assert [count for _, count in shown["pairs"]][len(winner) :] == others[: 8 - len(winner)]
    present = any("".join(MERGES[step - 1]) in tokens for tokens in shown["words"]) if step else False
    assert shown["fresh"] == (["".join(MERGES[step - 1])] if present else [])


def test_bpe_steps_agree_with_python_at_every_step(show):
    _, figure = show("bpe_steps")
    slider = figure.get_by_label("Merges done")
    for step in [*range(len(MERGES) + 1), 3]:
        slider.fill(str(step))
        assert_frame(figure, step)


def test_bpe_steps_by_mouse(show):
    page, figure = show("bpe_steps")
    button = {
        name: figure.get_by_role("button", name=name, exact=True) for name in ("Next", "Previous", "Restart")
    }
    assert button["Previous"].get_attribute("aria-disabled") == "true"
    for step in (1, 2, 3):
        button["Next"].click()
        assert_frame(figure, step)
    button["Previous"].click()
    assert_frame(figure, 2)
    button["Restart"].click()
    assert_frame(figure, 0)
    button["Previous"].click(force=True)  # at the first step: nothing happens, nothing breaks
    assert_frame(figure, 0)
    page.clock.install()
    figure.get_by_role("button", name="Play").click()
    page.clock.run_for(1100 * 3 + 50)
    assert_frame(figure, 3)
    figure.get_by_role("button", name="Pause").click()
    page.clock.run_for(1100 * 5)
    assert_frame(figure, 3)
    figure.get_by_role("button", name="Play").click()
    page.clock.run_for(1100 * (len(MERGES) + 3))
    assert_frame(figure, len(MERGES))
    assert figure.get_by_role("button", name="Play").is_visible()


def test_bpe_steps_by_keyboard(show):
    page, figure = show("bpe_steps")
    names = []
    for _ in range(5):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.textContent || document.activeElement.type"))
    assert names == ["Previous", "Next", "Play", "Restart", "range"]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert_frame(figure, 2)
    page.keyboard.press("End")
    assert_frame(figure, len(MERGES))
    figure.get_by_role("button", name="Previous").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Space")
    assert_frame(figure, len(MERGES) - 2)
    page.keyboard.press("Home")  # on a button: not a control of the slider
    assert_frame(figure, len(MERGES) - 2)
    status = figure.get_by_role("status")
    page.wait_for_function("(node) => node.textContent.includes('Vocabulary')", arg=status.element_handle())
    assert f"{python_steps()[len(MERGES) - 2]['tokens']} tokens" in status.text_content()


# --- tokenizer_lab --------------------------------------------------------------------------------------

READ_IDS = """(root, sentences) => {
  const box = root.querySelector("textarea");
  return sentences.map((sentence) => {
    box.value = sentence;
    box.dispatchEvent(new Event("input", { bubbles: true }));
    return [box.value, Object.fromEntries([...root.querySelectorAll("[data-tokenizer]")].map((panel) =>
      [panel.dataset.tokenizer, [...panel.querySelectorAll("[data-id]")].map((token) => Number(token.dataset.id))]))];
  });
}"""


@pytest.mark.parametrize("name", ["tokenizer_lab", "tokenizer_lab_options"])
def test_tokenizer_lab_gives_pythons_ids(show, tokenizers, name):
    sentences = [*SENTENCES, *random_sentences(150)]
    assert len(SENTENCES) >= 60
    _, figure = show(name)
    wrong, compared = [], 0
    for sentence, (typed, shown) in zip(sentences, figure.evaluate(READ_IDS, sentences), strict=True):
        assert typed == sentence
        for tokenizer, ids in shown.items():
            compared += 1
            if ids != tokenizers[tokenizer].encode(sentence):
                wrong.append((tokenizer, sentence, ids, tokenizers[tokenizer].encode(sentence)))
    assert wrong == []
    assert compared == len(sentences) * (5 if name == "tokenizer_lab" else 6)


def test_tokenizer_lab_counts_and_shows_what_it_says(show, tokenizers):
    _, figure = show("tokenizer_lab")
    sentence = "The  zyzzyva 👩‍🚀 wouldn't<eos>"
    figure.get_by_label("Your sentence").fill(sentence)
    for name in FIVE:
        panel = figure.locator(f"[data-tokenizer='{name}']")
        ids = tokenizers[name].encode(sentence)
        unk = tokenizers[name].vocab.get(tokenizers[name].unk_token)
        shown = {
            key: panel.locator(f"[data-stat={key}]").text_content()
            for key in ("tokens", "perWord", "unknown")
        }
        unknown = str(sum(token_id == unk for token_id in ids) if name != "BPE" else 0)
        assert shown == {"tokens": str(len(ids)), "perWord": f"{len(ids) / 4:.2f}", "unknown": unknown}
    bpe = figure.locator("[data-tokenizer=BPE] .lm-token").all_text_contents()
    assert "F0 9F" in " ".join(bpe) or "F0" in bpe  # half a character, as bytes
    assert "␣" in "".join(bpe)
    assert "<eos>" in bpe
    words = figure.locator("[data-tokenizer=words] .lm-unk").all_text_contents()
    assert "zyzzyva" in words  # not "<unk>": what was lost is shown


def test_tokenizer_lab_by_mouse(show, tokenizers):
    _, figure = show("tokenizer_lab")
    bpe = figure.locator("[data-tokenizer=BPE]")
    for sample in ("Numbers", "Rare word", "Other script", "Spaces", "Emoji", "Plain"):
        figure.get_by_role("button", name=sample).click()
        text = figure.get_by_label("Your sentence").input_value()
        assert bpe.locator("[data-stat=tokens]").text_content() == str(len(tokenizers["BPE"].encode(text)))
    assert text == SENTENCES[11]
    figure.get_by_label("Show ids").check()
    ids = [int(text) for text in bpe.locator(".lm-lab-id").all_text_contents()]
    assert ids == tokenizers["BPE"].encode(text)
    bpe.locator(".lm-token").nth(1).hover()
    token = tokenizers["BPE"].tokenize(text)[1]
    assert bpe.locator(".lm-lab-detail").text_content() == f"Token 2 of {len(ids)} has id {ids[1]}: {token}"


def test_tokenizer_lab_by_keyboard(show, tokenizers):
    page, figure = show("tokenizer_lab")
    box = figure.get_by_label("Your sentence")
    box.focus()
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type("low tea <b>", delay=0)
    ids = tokenizers["characters"].encode("low tea <b>")
    assert figure.locator("[tabindex='0']").count() == len(FIVE)
    for _ in range(7):
        page.keyboard.press("Tab")  # past six samples to "Show ids"
    page.keyboard.press("Space")
    assert figure.get_by_label("Show ids").is_checked()
    page.keyboard.press("Tab")  # one stop for all tokens of a tokenizer
    detail = figure.locator("[data-tokenizer=characters] .lm-lab-detail")
    assert f"Token 1 of 11 has id {ids[0]}" in detail.text_content()
    for key, place in (
        ("ArrowRight", 1),
        ("End", 10),
        ("ArrowRight", 10),
        ("ArrowLeft", 9),
        ("Home", 0),
        ("ArrowLeft", 0),
    ):
        page.keyboard.press(key)
        assert f"Token {place + 1} of 11 has id {ids[place]}" in detail.text_content()
        assert page.evaluate("document.activeElement.dataset.id") == str(ids[place])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('[data-tokenizer]').dataset.tokenizer") == "words"


def test_tokenizer_lab_weighs_little(build):
    """With these small vocabularies; a real lesson's, of 2,000 tokens each, weighs about 140 kB."""
    assert len(build("tokenizer_lab").html().encode()) < 110_000


def test_tokenizer_lab_refuses_what_the_page_cannot_do():
    text = ["low lower lowest low"]
    with pytest.raises(ValueError, match="GPT-2's rule"):
        tokenizer_lab({"digits": BPETokenizer([], rules=[SplitRule(r"\p{N}")])})
    with pytest.raises(ValueError, match="normalizer for BPE"):
        tokenizer_lab({"nfc": BPETokenizer([], nfc=True)})
    with pytest.raises(ValueError, match="at least one tokenizer"):
        tokenizer_lab({})
    assert tokenizer_lab({"words": WordTokenizer.train(text, 10)}, "low").alt.endswith("1 tokens by words.")


# --- vocab_tradeoff -------------------------------------------------------------------------------------


def test_vocab_tradeoff_agrees_with_python_over_the_grid(show):
    _, figure = show("vocab_tradeoff")
    size, name = figure.get_by_label("Vocabulary size"), figure.get_by_label("Tokenizer")
    width, depth = figure.get_by_label("Width"), figure.get_by_label("Blocks")
    for tokenizer, d_model, blocks in product(("BPE", "Unigram"), (64, 512, 4096), (2, 48)):
        name.select_option(tokenizer)
        width.select_option(str(d_model))
        depth.select_option(str(blocks))
        for place, row in enumerate(ROWS):
            size.fill(str(place))
            tokens, embedding = 1000 * row[tokenizer], row["vocab_size"] * d_model
            body = 12 * blocks * d_model**2
            expected = {
                "tokens": tokens,
                "embedding": embedding,
                "share": embedding / (embedding + body),
                "softmax": tokens * embedding,
                "body": tokens * body,
            }
            read = "(root) => [...root.querySelectorAll('[data-stat]')].map((n) => [n.dataset.stat, Number(n.dataset.value)])"
            assert dict(figure.evaluate(read)) == pytest.approx(expected, rel=1e-12)


def test_vocab_tradeoff_writes_numbers_for_people_and_marks_the_least_work(show):
    _, figure = show("vocab_tradeoff")
    figure.get_by_label("Vocabulary size").fill("3")
    texts = figure.locator("[data-stat]").all_text_contents()
    assert texts == ["1,120", "16.4 million", "46.5 %", "18.4 billion", "21.1 billion"]
    work = [r["BPE"] * (r["vocab_size"] * 512 + 12 * 6 * 512**2) for r in ROWS]
    least = ROWS[work.index(min(work))]["vocab_size"]
    assert figure.get_by_role("img", name=f"Least work at a vocabulary of {least:,}").count() == 1
    assert figure.locator("svg text", has_text="least").count() == 1
    assert figure.locator(".lm-trade-body").count() == len(ROWS)


def test_vocab_tradeoff_by_keyboard(show):
    page, figure = show("vocab_tradeoff")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.type") == "range"
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert figure.locator(".lm-trade-size").text_content() == "1,000"
    assert figure.get_by_label("Vocabulary size").get_attribute("aria-valuetext") == "1,000 tokens"
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    assert stat(figure, "tokens") == pytest.approx(1622)
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    assert stat(figure, "embedding") == 768 * 1000
    status = figure.get_by_role("status")
    page.wait_for_function(
        "(node) => node.textContent.includes('WordPiece: 1,622')", arg=status.element_handle()
    )


# --- all of them ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_figure_is_accessible_and_readable(show, axe, poor_contrast, name, theme):
    page, figure = show(name, theme=theme)
    if name == "bpe_steps":
        figure.get_by_label("Merges done").fill("3")
    if name == "tokenizer_lab":
        figure.get_by_role("button", name="Emoji").click()
        figure.get_by_label("Show ids").check()
        figure.locator(".lm-token").first.click()
    assert axe(page, ".lm-figure") == []
    assert poor_contrast(page, ".lm-figure") == []
    paper = figure.evaluate("(node) => getComputedStyle(node).backgroundColor")
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(23, 28, 35)"}[theme]


@pytest.mark.parametrize("name", NAMES)
def test_figure_fits_a_phone(show, overflow, name):
    page, figure = show(name, width=390)
    assert overflow(page) == 0
    wide = "(root) => [...root.querySelectorAll('*')].filter((n) => n.getBoundingClientRect().right > innerWidth + 1 && !n.closest('svg')).length"
    assert figure.evaluate(wide) == 0
    low = """(root) => [...root.querySelectorAll("button, select, textarea, input[type=range]")]
      .filter((n) => n.getBoundingClientRect().height < 32).length"""
    assert figure.evaluate(low) == 0  # large enough for a finger
    if name == "tokenizer_lab":
        figure.get_by_label("Your sentence").fill("w" * 300 + " " + "é" * 80 + "<eos>")
        assert overflow(page) == 0


@pytest.mark.parametrize("name", NAMES)
def test_every_control_has_a_visible_focus_and_keeps_jupyterlab_away(show, name):
    page, figure = show(name)
    controls = figure.locator("button, select, textarea, input, [role=listbox]")
    lost = controls.evaluate_all(
        "(nodes) => nodes.filter((n) => !n.closest('[data-lm-suppress-shortcuts]')).length"
    )
    assert lost == 0
    stops, seen = set(), 0
    for _ in range(40):
        page.keyboard.press("Tab")
        at = page.evaluate(
            """() => { const n = document.activeElement; return n === document.body ? null
              : [n.tagName + (n.textContent || n.type), parseFloat(getComputedStyle(n).outlineWidth), getComputedStyle(n).outlineStyle]; }"""
        )
        if at is None:
            break
        assert at[1] >= 2, at
        assert at[2] != "none", at
        stops.add(at[0])
        seen += 1
    assert 4 <= seen < 40


@pytest.mark.parametrize(
    ("mark", "system", "dark"),
    [
        ("document.documentElement.dataset.theme = 'dark'", "light", True),
        ("document.documentElement.dataset.theme = 'light'", "dark", False),
        ("document.documentElement.setAttribute('theme', 'dark')", "light", True),
        ("document.documentElement.setAttribute('theme', '')", "dark", False),
        ("document.body.dataset.jpThemeLight = 'false'", "light", True),
        ("document.body.dataset.jpThemeLight = 'true'", "dark", False),
        ("0", "dark", True),
        ("0", "light", False),
    ],
)
def test_figure_follows_the_host_before_the_system(show, mark, system, dark):
    page, figure = show("vocab_tradeoff", theme=None, color_scheme=system)
    page.evaluate(mark)
    style = "(node) => [getComputedStyle(node).backgroundColor, getComputedStyle(node).colorScheme]"
    assert figure.evaluate(style) == (
        ["rgb(23, 28, 35)", "dark"] if dark else ["rgb(255, 255, 255)", "light"]
    )


@pytest.mark.parametrize("name", NAMES)
def test_paper_shows_the_still_version_in_black_on_white(show, name):
    page, figure = show(name, theme="dark")
    page.emulate_media(media="print")
    assert figure.locator(".lm-fallback table").is_visible()
    assert not figure.locator(".lm-controls").first.is_visible()
    assert figure.evaluate("(node) => getComputedStyle(node).backgroundColor") == "rgb(255, 255, 255)"


def test_without_scripts_the_table_and_the_finding_are_there(open_page, build, tmp_path):
    page = open_page(write_page(tmp_path, build("bpe_steps")), java_script_enabled=False)
    figure = page.locator(".lm-figure")
    assert figure.locator(".lm-fallback table").is_visible()
    assert figure.locator(".lm-alt").bounding_box()["height"] > 15
    assert figure.locator("tbody tr").count() == len(MERGES)


def test_a_failing_module_leaves_the_still_version(browser, tmp_path):
    texts = {"title": "Broken", "caption": "c", "alt": "a", "fallback": "Still here."}
    broken = Figure("export default { render() { throw new Error('on purpose'); } };", {}, **texts)
    page = browser.new_page()
    errors = []
    page.on("console", lambda message: errors.append(message.text))
    page.goto(write_page(tmp_path, broken).as_uri())
    assert page.get_by_text("Still here.").is_visible()
    assert any("on purpose" in error for error in errors)
    page.close()


def test_the_same_figure_twice_works_twice(open_page, build, tmp_path):
    figure = build("bpe_steps")
    page = open_page(write_page(tmp_path, figure, figure))
    both = page.locator(".lm-figure.lm-ready")
    assert both.count() == 2
    both.nth(1).get_by_role("button", name="Next").click()
    assert [stat(both.nth(i), "vocabulary") for i in (0, 1)] == [
        python_steps()[0]["vocabulary"],
        python_steps()[1]["vocabulary"],
    ]
    assert page.evaluate("() => document.querySelectorAll('[id]').length") == 1


def test_markup_in_a_token_is_shown_not_obeyed(open_page, tmp_path):
    words = {"<img src=x onerror=alert(1)>": 1, "</script>": 2}
    page = open_page(write_page(tmp_path, bpe_steps(words, [("<", "/"), ("</", "s")])))
    assert page.locator(".lm-figure img").count() == 0
    page.get_by_label("Merges done").fill("2")
    assert "</s" in page.locator(".lm-bpe-words .lm-token").all_text_contents()


def test_live_module_reads_python_and_tells_python(open_page, build, tmp_path):
    """The module that anywidget gets, with a model that behaves as anywidget's does."""
    widget = build("bpe_steps").live()
    page = open_page(write_page(tmp_path))
    values = {name: getattr(widget, name) for name in ("words", "merges", "step", "figure_texts")}
    page.evaluate(LIVE, [widget._esm, values])
    page.add_style_tag(content=widget._css)
    figure = page.locator(".lm-figure.lm-ready")
    assert figure.get_by_text(build("bpe_steps").caption).is_visible()
    figure.get_by_role("button", name="Next").click()
    assert page.evaluate("saved.at(-1).step") == 1  # Python hears it
    page.evaluate("model.set('step', 5)")  # Python says it
    assert_frame(figure, 5)
    page.evaluate("stop()")
    assert page.evaluate("listeners['change:step'].length") == 0


def test_pages_that_ask_the_network_or_fail_are_found(browser, listen, tmp_path):
    """The two logs that every test leans on do hear something."""
    path = tmp_path / "noisy.html"
    path.write_text(
        '<!doctype html><link rel="icon" href="data:,"><img src="https://example.org/x.png"><script>boom()</script>',
        encoding="utf-8",
    )
    context = browser.new_context(offline=True)
    visit = listen(context.new_page())
    visit.page.goto(path.as_uri())
    context.close()
    assert visit.requests == ["https://example.org/x.png"]
    assert any(re.search("boom", error) for error in visit.errors)
