"""The unigram model against enumeration, SentencePiece and the `tokenizers` library."""

import base64
import functools
import io
import itertools
import json
import math
import random
import struct
from collections import Counter

import pytest
import sentencepiece
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcourse.tokens.base import Tokenizer
from lmcourse.tokens.bpe_fallback import BYTE_PIECES, SPACE
from lmcourse.tokens.charsmap import Charsmap
from lmcourse.tokens.unigram import UnigramTokenizer
from lmcourse.tokens.unigram_model import (
    PieceScores,
    backward,
    forward,
    lattice,
    log_probability,
    log_sum_exp,
    n_best,
    sample,
    viterbi,
)
from lmcourse.tokens.unigram_stream import Stream, count_chunks
from lmcourse.tokens.unigram_train import (
    expected_counts,
    maximize,
    prune,
    removal_losses,
    seed_pieces,
    train_unigram,
)
from tests.tokens.support import assert_same_up_to_ties, total_score

SPECIAL = ["<pad>", "<bos>", "<eos>", "<unk>"]


def segmentations(text: str, pieces: PieceScores) -> dict[tuple[str, ...], float]:
    """All of them with their scores, by trying every set of cuts. A character may stand alone if unknown."""
    found = {}
    for cuts in itertools.product([False, True], repeat=max(len(text) - 1, 0)):
        places = [0, *(i + 1 for i, cut in enumerate(cuts) if cut), len(text)]
        parts = tuple(text[a:b] for a, b in itertools.pairwise(places))
        if all(part in pieces or len(part) == 1 for part in parts):
            found[parts] = sum(pieces.get(part, pieces.unknown) for part in parts)
    return found


IN_32_BITS = 1e-3  # SentencePiece adds up scores so
log_probabilities = st.floats(-12, -0.01, allow_nan=False)


@st.composite
def texts_with_models(draw) -> tuple[str, PieceScores]:
    """A short text and pieces, many of which occur in it; a `d` is never a piece."""
    text = draw(st.text("aaabbcd", min_size=1, max_size=8))
    inside = {text[a:b] for a in range(len(text)) for b in range(a + 1, min(a + 5, len(text)) + 1)}
    pieces = draw(st.sets(st.sampled_from(sorted(inside - {"d"} | {"a", "bc"})), min_size=1))
    return text, PieceScores({piece: draw(log_probabilities) for piece in sorted(pieces)})


# --- the lattice against enumeration ---


@settings(max_examples=200, deadline=None)
@given(texts_with_models())
def test_best_segmentations_are_those_of_enumeration(text_and_pieces):
    text, pieces = text_and_pieces
    everything = segmentations(text, pieces)
    best = viterbi(text, pieces)
    assert everything[tuple(best)] == pytest.approx(max(everything.values()))
    for n in (1, 3, 1000):
        found = n_best(text, pieces, n)
        assert len(found) == min(n, len(everything))
        assert len({tuple(parts) for parts, _ in found}) == len(found)
        assert [score for _, score in found] == pytest.approx(sorted(everything.values(), reverse=True)[:n])
        assert all(everything[tuple(parts)] == pytest.approx(score) for parts, score in found)
        assert found[0][0] == best


@settings(max_examples=200, deadline=None)
@given(texts_with_models())
def test_sums_are_those_of_enumeration(text_and_pieces):
    text, pieces = text_and_pieces
    everything = segmentations(text, pieces)
    total = math.log(sum(map(math.exp, everything.values())))
    arcs = lattice(text, pieces)
    alpha, beta = forward(arcs), backward(arcs)
    assert alpha[-1] == pytest.approx(total)
    assert beta[0] == pytest.approx(total)
    assert log_probability(text, pieces) == pytest.approx(total)
    assert alpha[0] == beta[-1] == 0
    for place in range(len(text) + 1):  # summed over the segmentations with a cut there
        through = [
            s for parts, s in everything.items() if place in itertools.accumulate(map(len, parts), initial=0)
        ]
        expected = math.log(sum(map(math.exp, through))) if through else -math.inf
        assert alpha[place] + beta[place] == pytest.approx(expected)


@settings(max_examples=100, deadline=None)
@given(texts_with_models(), st.text("abd", min_size=1, max_size=5), st.integers(1, 5))
def test_expected_counts_are_those_of_enumeration(text_and_pieces, other, count):
    text, pieces = text_and_pieces
    chunks = {other: 1} | {text: count}
    wanted: Counter[str] = Counter()
    log_likelihood = 0.0
    for chunk, count in chunks.items():
        everything = segmentations(chunk, pieces)
        total = sum(map(math.exp, everything.values()))
        log_likelihood += count * math.log(total)
        for parts, score in everything.items():
            for part in parts:
                wanted[part] += count * math.exp(score) / total
    counts, got = expected_counts(chunks, pieces)
    assert got == pytest.approx(log_likelihood)
    assert dict(counts) == pytest.approx(dict(wanted))


def test_long_texts_neither_underflow_nor_recurse():
    pieces = PieceScores({"a": math.log(0.001), "aa": math.log(0.001)})
    text = "a" * 5000
    assert len(viterbi(text, pieces)) == 2500
    assert math.isfinite(log_probability(text, pieces))
    assert backward(lattice(text, pieces))[0] == pytest.approx(log_probability(text, pieces))


def test_of_equal_scores_the_longer_last_piece_wins():
    pieces = {"a": -1.0, "aa": -2.0, "aaa": -3.0}  # every segmentation of a's has the same score
    assert viterbi("aaa", pieces) == ["aaa"]
    assert viterbi("aaaa", pieces) == ["a", "aaa"]
    assert viterbi("aaaaa", pieces) == ["aa", "aaa"]
    assert n_best("aaa", pieces, 4)[0] == (["aaa"], -3.0)
    theirs = tokenizers.Tokenizer(tokenizers.models.Unigram([("<unk>", 0.0), *pieces.items()], unk_id=0))
    for length in range(1, 9):
        assert viterbi("a" * length, pieces) == theirs.encode("a" * length).tokens


def test_log_sum_exp_of_nothing_is_log_zero():
    assert log_sum_exp([]) == log_sum_exp([-math.inf, -math.inf]) == -math.inf
    assert log_sum_exp([-1000.0, -1000.0]) == pytest.approx(-1000 + math.log(2))


# --- sampling ---


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0, 2.0])
def test_samples_have_the_probabilities_of_the_paper(alpha):
    pieces = PieceScores({"a": -1.5, "b": -2.0, "ab": -2.2, "ba": -3.0, "aba": -4.0, "bab": -4.5})
    text, draws = "ababa", 6000
    everything = segmentations(text, pieces)
    total = sum(math.exp(alpha * score) for score in everything.values())
    generator = random.Random(1)
    seen = Counter(tuple(sample(text, pieces, alpha, generator)) for _ in range(draws))
    assert set(seen) <= set(everything)
    chi_square = sum(
        (seen[parts] - draws * p) ** 2 / (draws * p)
        for parts, score in everything.items()
        for p in [math.exp(alpha * score) / total]
    )
    degrees = len(everything) - 1
    # Mean `degrees`, variance 2 * degrees: five standard deviations away is a bug, and the seed is fixed.
    assert chi_square < degrees + 5 * math.sqrt(2 * degrees)


def test_the_same_generator_state_gives_the_same_samples():
    pieces = {"a": -1.0, "aa": -2.0}
    first = [sample("a" * 30, pieces, 1.0, random.Random(5)) for _ in range(3)]
    assert first[0] == first[1] == first[2]
    assert sample("a" * 30, pieces, 1.0, random.Random(6)) != first[0]


def test_a_large_alpha_gives_the_best_segmentation():
    pieces = {"a": -1.0, "b": -2.0, "ab": -2.5}
    assert all(sample("abab", pieces, 200.0, random.Random(i)) == ["ab", "ab"] for i in range(50))


# --- training ---


def test_seeds_are_the_substrings_that_occur_twice():
    chunks = {"abab": 1, "cab": 2, "x": 1}
    counts = Counter()
    for chunk, count in chunks.items():
        for start in range(len(chunk)):
            for end in range(start + 1, len(chunk) + 1):
                counts[chunk[start:end]] += count
    seeds = seed_pieces(chunks)
    assert set(seeds) == {piece for piece, count in counts.items() if count > 1 or len(piece) == 1}
    assert seeds["ab"] - seeds["b"] == pytest.approx(math.log(counts["ab"] * 2 / counts["b"]))
    assert sum(map(math.exp, seeds.values())) == pytest.approx(1)
    assert max(map(len, seed_pieces({"a" * 40: 2}))) == 16
    assert max(map(len, seed_pieces({"a" * 40: 2}, max_length=5))) == 5


def test_chunks_are_letters_or_signs_with_at_most_one_space_in_front():
    text = "▁It's▁4.50,▁▁né?\n\n▁(yes)"
    assert sorted(count_chunks([text]).elements()) == sorted(
        ["▁It", "'", "s", "▁4.50,", "▁", "▁né", "?", "\n\n", "▁(", "yes", ")"]
    )


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text("abc", min_size=1, max_size=8), st.integers(1, 9), min_size=1, max_size=5))
def test_em_without_pruning_never_lowers_the_likelihood(chunks):
    pieces = seed_pieces(chunks)
    before = -math.inf
    for _ in range(6):
        counts, log_likelihood = expected_counts(chunks, pieces)
        assert log_likelihood >= before - 1e-9 * abs(log_likelihood)
        before = log_likelihood
        pieces = maximize(counts)
        assert sum(map(math.exp, pieces.values())) == pytest.approx(1)


def test_em_raises_the_likelihood_of_real_text(osier_bay):
    chunks = count_chunks([SPACE + osier_bay[1].replace(" ", SPACE)])
    pieces, history = seed_pieces(chunks), []
    for _ in range(4):
        counts, log_likelihood = expected_counts(chunks, pieces)
        history.append(log_likelihood)
        pieces = maximize(counts)
    assert history == sorted(history)
    assert history[-1] > 0.9 * history[0]  # (both are negative)


def test_the_loss_of_a_piece_is_what_its_replacement_costs():
    pieces = PieceScores({"a": -2.0, "b": -3.0, "c": -4.0, "ab": -2.5, "abc": -4.5})
    losses = removal_losses({"ab": 10.0, "abc": 3.0}, pieces)
    assert losses == pytest.approx({"ab": 10 * (-2.5 + 5.0), "abc": 3 * (-4.5 + 6.5)})


def test_pruning_drops_what_is_missed_least_and_never_a_character():
    pieces = PieceScores({"a": -2.0, "b": -3.0, "c": -9.0, "ab": -2.5, "bb": -5.9, "cc": -3.0})
    counts = {"a": 5.0, "b": 5.0, "c": 0.0, "ab": 10.0, "bb": 10.0, "cc": 0.1}
    assert set(prune(pieces, counts, 4)) == {"a", "b", "c", "ab"}  # bb: 10 * 0.1
    assert set(prune(pieces, counts, 6)) == {"a", "b", "c", "ab", "bb"}  # cc is hardly used
    assert set(prune(pieces, counts, 1)) == {"a", "b", "c"}


@pytest.fixture(scope="module")
def lines(osier_bay) -> tuple[list[str], list[str]]:
    """Lines to train on and lines that are held out, some 80 kB, without signs that SentencePiece reserves."""
    found = [line for line in "\n".join(osier_bay)[:250_000].splitlines()[::3] if line.strip()]
    found = [line for line in found if SPACE not in line and not set(line) & set("\t\0")]
    return [line for i, line in enumerate(found) if i % 8], found[::8]


@pytest.fixture(scope="module")
def sentence_piece(lines) -> sentencepiece.SentencePieceProcessor:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines[0]),
        model_writer=model,
        vocab_size=1000,
        model_type="unigram",
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        character_coverage=1.0,
        num_threads=1,
        minloglevel=2,
    )
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


@pytest.fixture(scope="module")
def from_sentence_piece(sentence_piece) -> UnigramTokenizer:
    """Our tokenizer with the pieces, scores and ids of SentencePiece's model."""
    entries = [(sentence_piece.id_to_piece(i), i) for i in range(sentence_piece.vocab_size())]
    special = ["<unk>", "<s>", "</s>"]
    return UnigramTokenizer(
        dict(entries),
        {piece: sentence_piece.get_score(i) for piece, i in entries if piece not in special},
        special,
    )


@pytest.fixture(scope="module")
def trained(lines) -> UnigramTokenizer:
    return UnigramTokenizer.train(lines[0], 1000, ["<unk>", "<s>", "</s>"])


def test_the_trained_model_fits_new_text_as_well_as_that_of_sentence_piece(
    trained, from_sentence_piece, lines
):
    assert trained.vocab_size == from_sentence_piece.vocab_size

    def bits(tokenizer: UnigramTokenizer) -> float:
        total = log_sum_exp(list(tokenizer.scores.values()))  # theirs do not add up to 1 exactly
        pieces = PieceScores({piece: score - total for piece, score in tokenizer.scores.items()})
        chunks = count_chunks(map(tokenizer.to_stream, lines[1]))
        return -sum(count * log_probability(chunk, pieces) for chunk, count in chunks.items())

    assert bits(trained) < 1.02 * bits(from_sentence_piece)
    tokens = [sum(len(t.encode(line)) for line in lines[1]) for t in (trained, from_sentence_piece)]
    assert tokens[0] < 1.03 * tokens[1]


def test_training_gives_the_size_that_was_asked_for_and_keeps_all_characters(trained, lines):
    assert trained.vocab_size == 1000
    assert set("".join(lines[0])) - {" "} <= set(trained.scores)
    assert sum(map(math.exp, trained.scores.values())) == pytest.approx(1)
    ordered = [trained.scores[token] for token in trained.id_to_token[3:]]
    assert ordered == sorted(ordered, reverse=True)
    assert not any(SPACE in piece[1:] for piece in trained.scores)


def test_training_twice_gives_the_same(lines):
    first, second = (UnigramTokenizer.train(lines[0][:40], 250) for _ in range(2))
    assert first.id_to_token == second.id_to_token
    assert first.scores == second.scores


def test_a_text_too_small_gives_a_smaller_vocabulary():
    tokenizer = UnigramTokenizer.train(["a boat, a boat"], 1000, ["<unk>"])
    assert tokenizer.vocab_size < 50
    assert tokenizer.tokenize("a boat") == ["▁a", "▁boat"]


def test_special_tokens_come_first_and_are_not_learnt_from():
    texts = ["a boat<eos>a boat<eos>"] * 5
    tokenizer = UnigramTokenizer.train(texts, 1000, ["<pad>", "<eos>"])
    assert tokenizer.id_to_token[:3] == ["<pad>", "<eos>", "<unk>"]
    assert not set("<>es") & set(tokenizer.scores)
    assert tokenizer.tokenize(texts[0]) == ["▁a", "▁boat", "<eos>"] * 2
    with_bytes = UnigramTokenizer.train(texts, 1000, ["<eos>"], byte_fallback=True)
    assert with_bytes.id_to_token[:258] == ["<eos>", "<unk>", *BYTE_PIECES]


def test_a_character_that_never_stands_alone_can_still_be_spelt():
    tokenizer = UnigramTokenizer.train(["quay quiet quoin quarter"] * 50, 60)
    assert tokenizer.decode(tokenizer.encode("q")) == "q"
    assert "<unk>" not in tokenizer.tokenize("iq qat")


# --- against SentencePiece, with the same model ---


def test_segmentations_equal_those_of_sentence_piece(sentence_piece, from_sentence_piece, lines):
    texts = [line[:300] for line in lines[1] + lines[0][::4]]
    pairs = [(from_sentence_piece.encode(text), sentence_piece.encode(text)) for text in texts]
    for ours, theirs in pairs:
        assert_same_up_to_ties(from_sentence_piece, ours, theirs, IN_32_BITS)
    assert sum(ours != theirs for ours, theirs in pairs) <= len(pairs) / 100


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("  abehnrt.,'TS4éÉ中€\t"), max_size=30))
def test_ids_equal_those_of_sentence_piece_on_any_text(sentence_piece, from_sentence_piece, text):
    assert_same_up_to_ties(
        from_sentence_piece, from_sentence_piece.encode(text), sentence_piece.encode(text), IN_32_BITS
    )


def test_n_best_equals_that_of_sentence_piece(sentence_piece, from_sentence_piece):
    for text in ("The harbour", "Osier Bay", "unmistakable", " two  boats"):
        theirs = sentence_piece.nbest_encode_as_pieces(text, 20)
        ours = from_sentence_piece.n_best(text, 20)
        assert len(ours) == len(theirs) > 4
        wanted = [total_score(from_sentence_piece, pieces) for pieces in theirs]
        assert [score for _, score in ours] == pytest.approx(wanted, abs=1e-3)
        assert ours[0][0] == theirs[0]
        assert (
            len({tuple(tokens) for tokens, _ in ours} & {tuple(tokens) for tokens in theirs}) >= len(ours) - 2
        )


# --- the tokenizer: round trips, unknown characters, spaces ---


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("  abcdet.,'TS4\n"), max_size=40), st.booleans())
def test_texts_of_known_characters_come_back(trained, text, special):
    tokenizer = UnigramTokenizer.train(["abc det ,.'TS4\nabc"], 40, SPECIAL)
    text = text + "<eos>" + text if special else text
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_the_corpus_comes_back(osier_bay):
    tokenizer = UnigramTokenizer.train(osier_bay[:2], 600, SPECIAL)
    for text in osier_bay[:2]:
        assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.fixture(scope="module")
def byte_level(lines) -> UnigramTokenizer:
    return UnigramTokenizer.train(lines[0][:60], 600, SPECIAL, byte_fallback=True)


any_text = st.text(
    st.one_of(
        st.sampled_from(" \n\tabet▁<0xE2>éﬁ①中👩‍👧\u0301\udbff"), st.characters(exclude_categories=["Cs"])
    ),
    max_size=30,
).filter(lambda text: "\udbff" not in text)


@settings(max_examples=300, deadline=None)
@given(any_text)
def test_with_byte_fallback_every_text_comes_back(byte_level, text):
    ids = byte_level.encode(text)
    assert byte_level.decode(ids) == text
    assert byte_level.unk_token not in byte_level.tokenize(text.replace("<unk>", ""))


def test_unknown_characters(trained, byte_level):
    assert trained.tokenize("a中中 中b") == ["▁a", "<unk>", "▁", "<unk>", "b"]
    assert trained.decode(trained.encode("a中中 中b")) == "a<unk> <unk>b"
    assert byte_level.tokenize("▁") == ["▁", "<0xE2>", "<0x96>", "<0x81>"]
    assert trained.tokenize("▁") == ["▁", "<unk>"]
    half = byte_level.encode("a中")[:-1]
    assert byte_level.decode(half) == "a\ufffd"
    strict = UnigramTokenizer({"a": 0}, {"a": -1.0}, [], None, stream=Stream(dummy_prefix="never"))
    assert strict.tokenize("aa") == ["a", "a"]
    with pytest.raises(ValueError, match="known characters.*'b'"):
        strict.encode("ab")


@pytest.mark.parametrize(
    ("options", "stream"),
    [
        ({}, "▁▁▁two▁▁boats▁"),
        ({"add_dummy_prefix": False}, "▁▁two▁▁boats▁"),
        ({"remove_extra_whitespaces": True}, "▁two▁boats"),
    ],
)
def test_spaces(options, stream):
    tokenizer = UnigramTokenizer.train(["two boats, three boats "], 60, **options)
    assert "".join(tokenizer.tokenize("  two  boats ")) == stream
    kept = "two boats" if "remove_extra_whitespaces" in options else "  two  boats "
    assert tokenizer.decode(tokenizer.encode("  two  boats ")) == kept
    assert tokenizer.encode("") == []


def test_the_space_is_a_piece_even_if_the_text_has_none():
    tokenizer = UnigramTokenizer.train(["boat"], 6, add_dummy_prefix=False)
    assert tokenizer.decode(tokenizer.encode("bo at")) == "bo at"


def test_a_prefix_stands_after_every_special_token(trained):
    assert trained.tokenize("the<s>the") == [*trained.tokenize("the"), "<s>", *trained.tokenize("the")]
    assert trained.decode(trained.encode("the<s>the</s>")) == "the<s>the</s>"
    assert trained.decode(trained.encode("the<s>the</s>"), skip_special_tokens=True) == "the the"


def test_nfkc_is_off_by_default(lines):
    plain = UnigramTokenizer.train(["fine find ﬁne ①1"], 60)
    normalized = UnigramTokenizer.train(["fine find ﬁne ①1"], 60, normalization="nfkc")
    assert plain.decode(plain.encode("ﬁne ①")) == "ﬁne ①"
    assert normalized.decode(normalized.encode("ﬁne ①")) == "fine 1"
    assert "ﬁ" not in normalized.scores


def test_sample_and_n_best_of_the_tokenizer(trained, byte_level):
    text = "The harbour was 中 quiet.</s>Yes"
    generator = random.Random(0)
    drawn = {tuple(trained.sample(text, 0.1, generator)) for _ in range(40)}
    assert len(drawn) > 5
    for tokens in drawn:
        assert trained.decode([trained.vocab[token] for token in tokens]) == trained.decode(
            trained.encode(text)
        )
    assert trained.sample(text, 500.0, generator) == trained.tokenize(text)
    tokens, score = trained.n_best("quiet harbour", 3)[0]
    assert tokens == trained.tokenize("quiet harbour")
    assert score == pytest.approx(total_score(trained, tokens))
    assert byte_level.n_best("中", 1)[0][0] == byte_level.tokenize("中")
    with pytest.raises(ValueError, match="special"):
        trained.n_best("yes</s>", 2)


# --- streams ---


@functools.cache
def nmt_nfkc() -> str:
    """SentencePiece's own normalization rules, in base64 as a tokenizer.json holds them."""
    proto = sentencepiece.SentencePieceNormalizer(rule_name="nmt_nfkc").serialized_model_proto()
    start = proto.index(b"nmt_nfkc") + len(b"nmt_nfkc")
    assert proto[start] == 0x12  # field 2, precompiled_charsmap; its length follows, seven bits a byte
    size = shift = 0
    while True:
        start += 1
        size, shift = size | (proto[start] & 0x7F) << shift, shift + 7
        if proto[start] < 0x80:
            break
    return base64.b64encode(proto[start + 1 : start + 1 + size]).decode()


STREAMS = {
    "plain": {},
    "no prefix": {"dummy_prefix": "never"},
    "unless space": {"dummy_prefix": "unless_space"},
    "nfkc": {"normalization": "nfkc"},
    "words": {"whitespace": "words"},
    "squeeze": {"whitespace": "squeeze", "dummy_prefix": "unless_space"},
    "squeeze right": {"whitespace": "squeeze_right"},
    "rules": {"normalization": "rules", "whitespace": "squeeze_right"},
}


def tokenizer_with(name: str, byte_fallback: bool = False, split_at_spaces: bool = True) -> UnigramTokenizer:
    options = dict(STREAMS[name])
    if options.get("normalization") == "rules":
        options["normalization"] = Charsmap(nmt_nfkc())
    generator = random.Random(3)
    pieces = ["▁", *"abcfi1. \n", "ab", "bc", "▁a", "▁ab", "fi", "c.", "\n\n", "▁▁", "b▁", "b▁a", "zz"]
    # Eighths add up without rounding, so that ties are ties in every order of addition.
    scores = {piece: -generator.randrange(8, 72) / 8 for piece in pieces if piece != " "}
    vocab = [*SPECIAL, *BYTE_PIECES, *scores]
    return UnigramTokenizer(
        {token: i for i, token in enumerate(vocab)},
        scores,
        SPECIAL,
        byte_fallback=byte_fallback,
        stream=Stream(**options),
        split_at_spaces=split_at_spaces,
    )


stream_text = st.text(st.sampled_from("   abc.fi1\n\tzﬁ①\u200b\x01é\u0301中"), max_size=12)


@pytest.mark.parametrize("name", STREAMS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_stream_gives_the_ids_of_the_whole_text(name, data):
    tokenizer = tokenizer_with(name, data.draw(st.booleans()), data.draw(st.booleans()))
    chunks = data.draw(st.lists(stream_text, max_size=6))
    text = "".join(chunks)
    whole = tokenizer.encode(text)
    for front in itertools.accumulate(chunks):  # cut wherever the tokenizer says it is safe, whatever follows
        cut = tokenizer._safe_cut(front)
        if cut:
            rest = tokenizer._encode_continuation(text[cut:]) if text[cut:] else []
            assert tokenizer._encode_ordinary(text[:cut]) + rest == whole
    assert list(tokenizer.encode_iterable(chunks)) == whole


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_cut_as_it_goes(name, osier_bay):
    tokenizer = tokenizer_with(name)
    text = osier_bay[1]
    assert tokenizer._safe_cut(text[:5000]) > 4900
    assert list(
        tokenizer.encode_iterable(text[i : i + 999] for i in range(0, len(text), 999))
    ) == tokenizer.encode(text)


def test_a_text_without_spaces_is_cut_where_no_piece_reaches_across():
    tokenizer = tokenizer_with("plain")
    assert tokenizer._safe_cut("abc.abc1ab") == 8  # no piece holds "1a"
    assert tokenizer._safe_cut("abab") == 2
    assert tokenizer._safe_cut("中中中") == 0  # one <unk>, however long it gets


# --- normalization rules of SentencePiece ---


def test_the_rules_do_what_sentence_piece_does(osier_bay):
    ours = Charsmap(nmt_nfkc())
    theirs = sentencepiece.SentencePieceNormalizer(
        rule_name="nmt_nfkc", add_dummy_prefix=False, escape_whitespaces=False, remove_extra_whitespaces=False
    )
    signs = [chr(i) for i in range(1, 0x10000) if not 0xD800 <= i < 0xE000]
    for start in range(0, len(signs), 64):
        text = "x".join(signs[start : start + 64])
        assert ours.normalize(text) == theirs.normalize(text)
    for text in [
        *osier_bay[0].splitlines(),
        "ﾊﾞﾊﾟﾊ e\u0301 e\u0323\u0302 가",
        "日本語…",
    ]:  # the longest rule counts
        assert ours.normalize(text) == theirs.normalize(text)


@pytest.mark.parametrize(
    "broken", ["", "@@@", "AAAA", base64.b64encode(struct.pack("<I", 400) + b"1234").decode()]
)
def test_broken_rules_are_refused(broken):
    with pytest.raises(ValueError, match="precompiled_charsmap"):
        Charsmap(broken)


# --- files ---


def as_file(tokenizer: UnigramTokenizer) -> dict:
    added = [
        {"id": tokenizer.vocab[token], "content": token, "special": True, "normalized": False}
        | dict.fromkeys(("single_word", "lstrip", "rstrip"), False)
        for token in tokenizer.special_tokens
    ]
    return {"version": "1.0", "added_tokens": added, **tokenizer._model_json()}


def hugging_face(tokenizer: UnigramTokenizer) -> tokenizers.Tokenizer:
    return tokenizers.Tokenizer.from_str(json.dumps(as_file(tokenizer)))


@pytest.mark.parametrize("byte_fallback", [False, True])
@pytest.mark.parametrize("name", STREAMS)
@settings(max_examples=100, deadline=None)
@given(text=st.text(st.sampled_from("   abc.fi1\n\tzﬁ①\x01é中"), max_size=14), split_at_spaces=st.booleans())
def test_our_file_means_the_same_to_tokenizers(name, byte_fallback, text, split_at_spaces):
    ours = tokenizer_with(name, byte_fallback, split_at_spaces)
    theirs = hugging_face(ours)
    ids = theirs.encode(text).ids
    assert ours.encode(text) == ids
    assert ours.decode(ids) == theirs.decode(ids, skip_special_tokens=False)
    back = UnigramTokenizer._from_json(as_file(ours))
    assert back.encode(text) == ids
    assert back._model_json() == ours._model_json()
    if byte_fallback:  # a text that looks like a byte; they take it for one
        assert back.encode("<0x41>") == ours.encode("<0x41>") != [ours.vocab["<0x41>"]]


def test_a_saved_tokenizer_is_read_by_tokenizers_and_by_us(trained, lines, tmp_path):
    path = tmp_path / "tokenizer.json"
    trained.save(path)
    theirs, back = tokenizers.Tokenizer.from_file(str(path)), Tokenizer.load(path)
    assert type(back) is UnigramTokenizer
    assert back.scores == trained.scores
    for line in [*lines[1][:300], "<s>the 中 boat</s>", ""]:
        assert back.encode(line) == trained.encode(line)
        ids = theirs.encode(line, add_special_tokens=False).ids
        assert sorted(ids) == sorted(
            trained.encode(line)
        )  # (with `\n`, `\n\n` rounding decides the order there)


def test_a_file_like_that_of_flan_t5_is_read(lines, trained):
    """T5's files: rules, words, `add_prefix_space` as older versions wrote it; <unk> is not the first token."""
    spec = as_file(trained) | {
        "normalizer": {"type": "Precompiled", "precompiled_charsmap": nmt_nfkc()},
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "WhitespaceSplit"},
                {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True},
            ],
        },
        "decoder": {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True},
    }
    ours, theirs = UnigramTokenizer._from_json(spec), tokenizers.Tokenizer.from_str(json.dumps(spec))
    for line in [*lines[1][:200], "  two\tboats ﬁne… ", ""]:
        ids = theirs.encode(line).ids
        assert sorted(ours.encode(line)) == sorted(ids)
        assert ours.decode(ids) == theirs.decode(ids, skip_special_tokens=False)


@pytest.mark.parametrize(
    ("section", "value", "named"),
    [
        ("normalizer", {"type": "Lowercase"}, "normalizer.*Lowercase"),
        ("normalizer", {"type": "Precompiled", "precompiled_charsmap": "AAAA"}, "precompiled_charsmap"),
        (
            "normalizer",
            {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, {"type": "NFKC"}]},
            "normalizer.*NFKC",
        ),
        ("pre_tokenizer", None, "pre_tokenizer"),
        ("pre_tokenizer", {"type": "ByteLevel"}, "pre_tokenizer.*ByteLevel"),
        (
            "pre_tokenizer",
            {"type": "Metaspace", "replacement": "_", "prepend_scheme": "never"},
            "pre_tokenizer",
        ),
        ("pre_tokenizer", {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first"}, "first"),
        ("decoder", {"type": "WordPiece"}, "decoder"),
        ("model", {"type": "Unigram", "unk_id": 9, "vocab": [["a", -1.0]]}, "unk_id"),
        ("model", {"type": "Unigram", "unk_id": None, "vocab": [["a", "b"]]}, "vocab.*position 0"),
        ("model", {"type": "Unigram", "unk_id": None, "vocab": [["a", -1], ["a", -2]]}, "vocab.*position 1"),
        ("model", {"type": "Unigram", "unk_id": None, "vocab": {"a": 1}}, "vocab"),
        ("model", {"type": "Unigram"}, "vocab"),
    ],
)
def test_a_file_that_asks_for_something_else_is_refused(trained, section, value, named):
    with pytest.raises(ValueError, match=named):
        UnigramTokenizer._from_json(as_file(trained) | {section: value})


# --- bad input ---


def test_bad_input_is_named(trained):
    with pytest.raises(ValueError, match="'texts'"):
        UnigramTokenizer.train([], 100)
    with pytest.raises(ValueError, match="'texts'"):
        UnigramTokenizer.train(["<eos>"], 100, ["<eos>"])
    with pytest.raises(TypeError, match="'texts'"):
        UnigramTokenizer.train([b"boat"], 100)
    with pytest.raises(ValueError, match=r"'vocab_size' must be at least 6 .*got 5"):
        UnigramTokenizer.train(["boat"], 5)
    with pytest.raises(ValueError, match=r"at least 262 "):
        UnigramTokenizer.train(["boat"], 200, byte_fallback=True)
    with pytest.raises(ValueError, match="'special_tokens'"):
        UnigramTokenizer.train(["boat"], 40, ["", "<pad>"])
    with pytest.raises(ValueError, match="'normalization'.*'nfd'"):
        UnigramTokenizer.train(["boat"], 40, normalization="nfd")
    with pytest.raises(ValueError, match="'max_piece_length'"):
        UnigramTokenizer.train(["boat"], 40, max_piece_length=0)
    with pytest.raises(ValueError, match="'vocab'.*from 0 to 1"):
        UnigramTokenizer({"<unk>": 0, "a": 2}, {"a": -1.0})
    with pytest.raises(ValueError, match="'vocab'.*'b'"):
        UnigramTokenizer({"<unk>": 0, "a": 1}, {"b": -1.0})
    with pytest.raises(ValueError, match="'pieces'.*'a': nan"):
        UnigramTokenizer({"<unk>": 0, "a": 1}, {"a": math.nan})
    with pytest.raises(TypeError, match="'text'"):
        trained.encode(b"boat")
    with pytest.raises(ValueError, match="'ids'"):
        trained.decode([-1])
    with pytest.raises(ValueError, match="'alpha'"):
        sample("a", {"a": -1.0}, -0.5)
    with pytest.raises(ValueError, match="'n'"):
        n_best("a", {"a": -1.0}, 0)
    with pytest.raises(ValueError, match="'pieces'"):
        viterbi("a", {})
    with pytest.raises(ValueError, match="'size'"):
        train_unigram({"abc": 1}, 2)
