"""What every tokenizer promises: special tokens, streams, checks."""

import copy
import pickle
import re
import subprocess
import sys
from itertools import accumulate, cycle, islice, pairwise

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from lmcourse.tokens import AddedToken, BPETokenizer, CharTokenizer, SplitRule, Tokenizer, WordTokenizer, base
from lmcourse.tokens.pretokenize import GPT2_PATTERN, GPT4_PATTERN
from lmcourse.tokens.special import TokenSplitter
from lmcourse.tokens.split_rules import DIGIT_PATTERN, QWEN_PATTERN
from lmcourse.tokens.tokenizer_json import tokenizer_from_json
from tests.tokens.support import FIXTURE, any_text, hf_sentencepiece_bpe

SPECIAL = ["<pad>", "<eos>", "<eos><eos>", "<unk>"]


def _bpe(**options) -> BPETokenizer:
    """With merges of white space and signs too, so that another cut into words shows in the ids."""
    odd = r"  |   | \n|\n\n|\n | \n |'l|'ll| '|.\n| .|11|111|l'|\na".replace(r"\n", "\n").split("|")
    merges = BPETokenizer.train([FIXTURE * 3, *(piece * 2 for piece in odd * 3)], 700).merges
    return BPETokenizer(merges, SPECIAL, **options)


def _stripping(tokenizer: Tokenizer) -> Tokenizer:
    """With tokens that swallow the white space beside them, as some models' files have them."""
    left, right = AddedToken("<pad>", lstrip=True), AddedToken("<eos>", rstrip=True)
    tokenizer._set_added_tokens([left, right])
    return tokenizer


def _of_phi() -> Tokenizer:
    import json

    return tokenizer_from_json(json.loads(hf_sentencepiece_bpe([FIXTURE * 3], 400).to_str()))


KINDS = {
    "characters": lambda: CharTokenizer.train([FIXTURE], 500, SPECIAL),
    "words": lambda: WordTokenizer.train([FIXTURE], 500, SPECIAL),
    "gpt2": _bpe,
    "gpt4": lambda: _bpe(rules=[SplitRule(GPT4_PATTERN)]),
    "qwen": lambda: _bpe(rules=[SplitRule(QWEN_PATTERN)], nfc=True),
    "starcoder": lambda: _bpe(rules=[SplitRule(DIGIT_PATTERN), SplitRule(GPT2_PATTERN)]),
    "unknown pattern": lambda: BPETokenizer(
        [("a", "Ġ"), ("aĠ", "a")], SPECIAL, rules=[SplitRule(r"a a|\s+\S")]
    ),
    "prefix space": lambda: _bpe(add_prefix_space=True),
    "stripping": lambda: _stripping(_bpe()),
    "stripping characters": lambda: _stripping(CharTokenizer.train([FIXTURE], 500, SPECIAL)),
    "phi": _of_phi,
}


@pytest.fixture(scope="module", params=KINDS)
def tokenizer(request) -> Tokenizer:
    return KINDS[request.param]()


# --- streams ---


@given(text=any_text, cuts=st.lists(st.integers(0, 200), max_size=8), block=st.integers(1, 8))
def test_a_stream_gives_the_ids_of_the_whole_text(tokenizer, text, cuts, block):
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    chunks = [text[start:end] for start, end in pairwise(places)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "STREAM_BLOCK", block)  # look for a place to cut after every few characters
        assert list(tokenizer.encode_iterable(chunks)) == tokenizer.encode(text)


crumbs = st.sampled_from(
    [*"aaa     \n\n\n'l1.", "a a", "<eos>", "<eos><eos>", "<eos", "<pad>", "<s>", "</s>"]
)
dense_text = st.lists(crumbs, max_size=40).map("".join)


@example(text="a a..........", sizes=[1])
@given(text=dense_text, sizes=st.lists(st.integers(1, 4), min_size=1, max_size=10))
def test_a_stream_of_crumbs_gives_the_ids_of_the_whole_text(tokenizer, text, sizes):
    """Special tokens, white space and contractions, cut almost everywhere."""
    ends = list(
        accumulate(islice(cycle(sizes), len(text)), lambda end, size: min(end + size, len(text)), initial=0)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "STREAM_BLOCK", 1)
        chunks = [text[start:end] for start, end in pairwise(ends)]
        assert list(tokenizer.encode_iterable(chunks)) == tokenizer.encode(text)


def test_a_stream_without_a_place_to_cut_is_not_read_anew_for_every_chunk(monkeypatch):
    monkeypatch.setattr(base, "STREAM_BLOCK", 10)
    tokenizer, looked_at = KINDS["gpt2"](), 0

    def count(text):
        nonlocal looked_at
        looked_at += len(text)
        return 0

    monkeypatch.setattr(tokenizer, "_safe_cut", count)
    assert len(list(tokenizer.encode_iterable("a" for _ in range(5000)))) > 0
    assert looked_at < 4 * 5000


@pytest.mark.parametrize("kind", ["characters", "words", "gpt2", "gpt4", "qwen", "starcoder", "phi"])
def test_a_stream_never_holds_more_than_a_few_blocks(kind, monkeypatch):
    monkeypatch.setattr(base, "STREAM_BLOCK", 200)
    tokenizer, read, most_ahead = KINDS[kind](), 0, 0

    def chunks():
        nonlocal read
        for line in FIXTURE.splitlines(keepends=True) * 60:
            read += len(line)
            yield line

    whole = tokenizer.encode(FIXTURE * 60)
    for number, _ in enumerate(tokenizer.encode_iterable(chunks())):
        most_ahead = max(most_ahead, read - len(FIXTURE) * 60 * number // len(whole))
    assert number == len(whole) - 1
    assert most_ahead < 2 * len(FIXTURE) < 0.05 * read


def test_a_stream_begins_to_answer_before_it_ends():
    def endless():
        while True:
            yield "the lamp "

    ids = KINDS["gpt2"]().encode_iterable(endless())
    assert [next(ids) for _ in range(100)]


def test_an_open_special_token_at_the_end_of_a_stream_is_text():
    tokenizer = KINDS["gpt2"]()
    assert list(tokenizer.encode_iterable(["a<e", "os"])) == tokenizer.encode("a<eos")
    assert list(tokenizer.encode_iterable(["a<e", "os>"]))[-1] == tokenizer.vocab["<eos>"]


# --- special tokens ---


@given(
    st.text(st.sampled_from("ab<> \n"), max_size=30),
    st.lists(st.text(st.sampled_from("ab<>"), min_size=1, max_size=3), max_size=4, unique=True),
)
def test_special_tokens_are_found_leftmost_and_longest(text, tokens):
    parts, at, run = [], 0, ""
    while at < len(text):  # the rule, spelt out character by character
        here = [token for token in tokens if text.startswith(token, at)]
        if here:
            parts += [(run, False)] * bool(run) + [(max(here, key=len), True)]
            at, run = at + len(parts[-1][0]), ""
        else:
            at, run = at + 1, run + text[at]
    parts += [(run, False)] * bool(run)
    assert TokenSplitter(map(AddedToken, tokens)).split(text)[0] == parts


def test_white_space_that_a_token_has_swallowed_is_gone_for_the_next_one():
    splitter = TokenSplitter(
        [AddedToken("<a>", rstrip=True), AddedToken("\n<b>"), AddedToken("<c>", lstrip=True)]
    )
    assert splitter.split("<a> \n<b> <c>")[0] == [("<a>", True), ("<b>", False), ("<c>", True)]


def test_special_tokens_are_never_split_and_can_be_hidden(tokenizer):
    eos = tokenizer.vocab["<eos>"] if "<eos>" in tokenizer.special_tokens else tokenizer.vocab["<s>"]
    token = tokenizer.id_to_token[eos]
    ids = tokenizer.encode(f"lamp{token}lamp")
    assert ids.count(eos) == 1
    assert token in tokenizer.decode(ids)
    assert token not in tokenizer.decode(ids, skip_special_tokens=True)


def test_the_longest_special_token_wins():
    tokenizer = KINDS["characters"]()
    assert tokenizer.tokenize("<eos><eos><eos>") == ["<eos><eos>", "<eos>"]


def test_an_added_token_that_is_not_special_is_not_hidden():
    tokenizer = KINDS["gpt2"]()
    tokenizer._set_added_tokens([AddedToken("<tool>", special=False)], {"<tool>": tokenizer.vocab_size})
    ids = tokenizer.encode("a<tool>b")
    assert tokenizer.tokenize("a<tool>b") == ["a", "<tool>", "b"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "a<tool>b"
    assert tokenizer.special_tokens == ()


def test_special_tokens_come_first_in_the_order_given(tokenizer):
    if set(SPECIAL) == set(tokenizer.special_tokens):
        assert [tokenizer.vocab[token] for token in SPECIAL] == [0, 1, 2, 3]


# --- ids ---


def test_vocabulary_and_list_of_tokens_say_the_same(tokenizer):
    assert tokenizer.vocab_size == len(tokenizer.vocab) == len(tokenizer.id_to_token)
    assert all(tokenizer.id_to_token[token_id] == token for token, token_id in tokenizer.vocab.items())


def test_ids_may_come_as_arrays_and_tensors():
    tokenizer = KINDS["gpt2"]()
    ids = tokenizer.encode(FIXTURE)
    assert (
        tokenizer.decode(np.array(ids))
        == tokenizer.decode(torch.tensor(ids))
        == tokenizer.decode(iter(ids))
        == FIXTURE
    )


def test_an_id_that_a_file_leaves_unused_is_unknown():
    tokenizer = CharTokenizer({"a": 0, "b": 3})
    assert tokenizer.vocab_size == 4
    with pytest.raises(
        ValueError, match=r"'ids' must be ids of this vocabulary, 0 to 3, got 2 at position 1"
    ):
        tokenizer.decode([0, 2])


def test_copies_and_pickles_encode_the_same(tokenizer):
    for twin in (copy.deepcopy(tokenizer), pickle.loads(pickle.dumps(tokenizer))):
        assert twin.encode(FIXTURE) == tokenizer.encode(FIXTURE)


def test_empty_text_has_no_ids(tokenizer):
    assert (
        tokenizer.encode("")
        == list(tokenizer.encode_iterable([]))
        == list(tokenizer.encode_iterable(["", ""]))
        == []
    )
    assert tokenizer.decode([]) == ""


# --- what is refused ---


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: t.decode([999_999]), "'ids' must be ids of this vocabulary, 0 to "),
        (lambda t: t.decode([0, -1]), "got -1 at position 1"),
        (lambda t: t.encode("ab\ud800"), "'text' must be Unicode text, got a lone surrogate '\\ud800' at position 2"),
        (lambda t: t.encode_iterable("abc").__next__(), "'chunks' must be an iterable of strings, got one str"),
        (lambda t: list(t.encode_iterable(["a", "\udfff"])), "'chunks' must be Unicode text"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_by_name(tokenizer, call, message):
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        call(tokenizer)


@pytest.mark.parametrize("kind", [CharTokenizer, WordTokenizer, BPETokenizer])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("abc", 500), "'texts' must be an iterable of strings, got one str: wrap it in a list"),
        (([], 500), "'texts' must hold some text to learn from, got none"),
        ((["", ""], 500), "'texts' must hold some text to learn from, got none"),
        ((["abc"], 500, ["<a>", "<b>", "<a>"]), "'special_tokens' must be different from each other, got '<a>' twice"),
        ((["abc"], 500, ["<a>", ""]), "'special_tokens' must not be empty strings, got '' at position 1"),
        ((["abc"], 500, "<a>"), "'special_tokens' must be a sequence of strings, got '<a>'"),
        ((["abc"], 2, ["<a>", "<b>"]), "'vocab_size' must be at least "),
        ((["abc"], -1), "'vocab_size' must be at least "),
        ((["abc"], True), "'vocab_size' must be int, got bool: True"),
    ],
)  # fmt: skip
def test_bad_training_arguments_are_refused_by_name(kind, arguments, message):
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        kind.train(*arguments)


@pytest.mark.parametrize(
    ("vocab", "special_tokens", "unk_token", "message"),
    [
        ({"a": 0, "b": 0}, (), None, "an id of its own, 0 to 1114111, got 'b': 0, as 'a' has"),
        ({"a": -1}, (), None, "an id of its own, 0 to 1114111, got 'a': -1"),
        ({"a": 10**12}, (), None, "an id of its own, 0 to 1114111, got 'a': 1000000000000"),
        ({"a": 0}, ["<pad>"], None, "'special_tokens' must be in the vocabulary of 1 tokens, got '<pad>'"),
        ({"a": 0}, (), "<unk>", "'unk_token' must be in the vocabulary of 1 tokens, got '<unk>'"),
    ],
)
def test_a_contradictory_vocabulary_is_refused(vocab, special_tokens, unk_token, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        CharTokenizer(vocab, special_tokens, unk_token)


def test_wrong_types_are_named_where_no_type_checker_runs():
    """The tests run under a type checker that would speak first; a reader's notebook has none."""
    program = """
import torch
from lmcourse.tokens import *
tokenizer = CharTokenizer.train(["abc"], 10)
for call in (
    lambda: tokenizer.encode(b"abc"),
    lambda: tokenizer.encode(None),
    lambda: list(tokenizer.encode_iterable([b"abc"])),
    lambda: tokenizer.decode(["a"]),
    lambda: tokenizer.decode([0.5]),
    lambda: BPETokenizer.train([b"abc"], 300),
    lambda: BPETokenizer.train(b"abc", 300),
    lambda: BPETokenizer.train(["abc"], "300"),
    lambda: BPETokenizer.train(["abc"], 300, [7]),
    lambda: train_bpe_simple(b"abc", 300),
    lambda: merge_pair([1, 2], (1, 2, 3), 4),
    lambda: pad_batch([[1, 2], "ab"], 0),
    lambda: pad_batch([[1]], 0, padding_side="top"),
):
    try:
        print("accepted:", call())
    except (TypeError, ValueError) as error:
        print(error)
"""
    lines = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert lines == [
        "'text' must be str, got bytes: b'abc'",
        "'text' must be str, got NoneType: None",
        "'chunks' must be str, got bytes: b'abc'",
        "'ids' must be integers, got 'a' at position 0",
        "'ids' must be integers, got 0.5 at position 0",
        "'texts' must be str, got bytes: b'abc'",
        "'texts' must be an iterable of strings, got one bytes: wrap it in a list",
        "'vocab_size' must be int, got str: '300'",
        "'special_tokens' must be str, got int: 7",
        "'text' must be str, got bytes: b'abc'",
        "'pair' must be two ids, got (1, 2, 3)",
        "'sequences' must be sequences of integers, got 'ab' at position 1",
        "'padding_side' must be 'left' or 'right', got 'top'",
    ]
