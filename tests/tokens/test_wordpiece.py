"""WordPiece against a trainer that recounts everything, and against the `tokenizers` library."""

import string
import unicodedata
from collections import Counter

import pytest
import tokenizers
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lmcourse.tokens.base import Tokenizer
from lmcourse.tokens.bert_normalize import bert_normalize
from lmcourse.tokens.pretokenize import bert_words
from lmcourse.tokens.wordpiece import WordPieceTokenizer, longest_match
from lmcourse.tokens.wordpiece_train import (
    alphabet,
    fitting_min_frequency,
    merges,
    pair_scores,
    split_characters,
    train_wordpiece,
)

BERT_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
HUGS = {"hug": 10, "pug": 5, "pun": 12, "bun": 4, "hugs": 5}

# Characters that mean the same in Unicode 3.2 and in Python's tables: tables that differ by their age agree there.
# (`tokenizers` classifies by an older Unicode than Python does.)
SETTLED = [
    character
    for character in map(chr, range(0x30000))
    if not 0xD800 <= ord(character) < 0xE000
    and unicodedata.category(character) != "Cn"
    and unicodedata.ucd_3_2_0.category(character) == unicodedata.category(character)
]
COMMON = (
    string.printable
    + "éÉñçßİıΣσςΑäöüÄÖÜ«»„“”’–—…北京東京かなカナ한국어हिन्दीไทยعربيעבריт́ы\u0301\u0323\u200b\u00ad\ufffd\x00\xa0"
)
unicode_text = st.text(st.one_of(st.sampled_from(COMMON), st.sampled_from(SETTLED)), max_size=40)


@pytest.fixture(scope="module")
def trained(osier_bay) -> WordPieceTokenizer:
    return WordPieceTokenizer.train(osier_bay, 2000, BERT_SPECIAL, min_frequency=20)


def hugging_face(tokenizer: WordPieceTokenizer) -> tokenizers.Tokenizer:
    """The same vocabulary in the `tokenizers` library, put together there and not read from our file."""
    model = tokenizers.models.WordPiece(
        vocab=tokenizer.vocab,
        unk_token=tokenizer.unk_token,
        max_input_chars_per_word=tokenizer.max_input_chars_per_word,
    )
    theirs = tokenizers.Tokenizer(model)
    theirs.normalizer = tokenizers.normalizers.BertNormalizer(
        lowercase=tokenizer.lowercase, strip_accents=tokenizer.strip_accents
    )
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    theirs.decoder = tokenizers.decoders.WordPiece(cleanup=tokenizer.cleanup)
    theirs.add_special_tokens(list(tokenizer.special_tokens))
    return theirs


# --- the score and the trainer ---


def test_the_score_is_pair_count_over_product_of_piece_counts():
    words = {tuple(split_characters(word)): count for word, count in HUGS.items()}
    scores = pair_scores(words)
    assert scores[("##g", "##s")] == 5 / (20 * 5)
    assert scores[("h", "##u")] == 15 / (15 * 36)
    assert scores[("##u", "##n")] == 16 / (36 * 16)
    assert len(scores) == 6


def test_a_merge_of_the_best_score_is_not_a_merge_of_the_highest_count():
    assert next(merges(HUGS)) == ("##g", "##s")  # 5 occurrences, against 36 - 16 = 20 of ("##u", "##g")


def test_huggingface_ranks_by_count():
    """The docstring of wordpiece_train says so; if they change it, we want to know."""
    words = [
        word
        for word, count in {"ab": 50, "ac": 50, "cb": 40, "db": 40, "qz": 10}.items()
        for _ in range(count)
    ]
    theirs = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token="[UNK]"))
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    trainer = tokenizers.trainers.WordPieceTrainer(
        vocab_size=11, special_tokens=["[UNK]"], show_progress=False
    )
    theirs.train_from_iterator(words, trainer)
    assert "qz" not in theirs.get_vocab()
    assert {"ab", "ac"} & set(theirs.get_vocab())
    assert next(merges(Counter(words))) == ("q", "##z")


def merges_by_recounting(word_counts: dict[str, int], min_frequency: int) -> list[tuple[str, str]]:
    """The definition: all scores anew before each merge; ties by count, then by spelling."""
    words = {word: split_characters(word) for word in word_counts}
    done = []
    while True:
        segmented: Counter[tuple[str, ...]] = Counter()
        for word, pieces in words.items():
            segmented[tuple(pieces)] += word_counts[word]
        counts: Counter[tuple[str, str]] = Counter()
        for pieces, count in segmented.items():
            for pair in zip(pieces, pieces[1:], strict=False):
                counts[pair] += count
        scores = {
            pair: score for pair, score in pair_scores(segmented).items() if counts[pair] >= min_frequency
        }
        if not scores:
            return done
        best = min(scores, key=lambda pair: (-scores[pair], -counts[pair], pair))
        done.append(best)
        for pieces in words.values():
            for at in range(len(pieces)):
                if tuple(pieces[at : at + 2]) == best:
                    pieces[at : at + 2] = [best[0] + best[1][2:]]


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.text("abc", min_size=1, max_size=7), st.integers(1, 9), min_size=1, max_size=8),
    st.integers(1, 4),
)
def test_the_incremental_trainer_makes_the_merges_of_a_full_recount(word_counts, min_frequency):
    assert list(merges(word_counts, min_frequency)) == merges_by_recounting(word_counts, min_frequency)


def test_the_vocabulary_is_alphabet_then_merges_without_repetition():
    pieces = train_wordpiece(HUGS, size=16)
    assert pieces[:7] == alphabet(HUGS) == ["b", "h", "p", "##g", "##n", "##s", "##u"]
    assert len(pieces) == len(set(pieces))
    assert "hugs" in pieces


def test_min_frequency_keeps_rare_pairs_out():
    words = {"the": 50, "then": 20, "qzx": 1}  # q, z and x occur once: their pairs have the highest score, 1
    assert next(merges(words)) in {("q", "##z"), ("##z", "##x")}
    assert not any("q" in "".join(pair) or "z" in "".join(pair) for pair in merges(words, min_frequency=2))


def test_fitting_min_frequency_is_the_largest_that_fills_the_vocabulary(osier_bay):
    counts = Counter(word for text in osier_bay[:2] for word in bert_words(bert_normalize(text)))
    size = 400
    fitting = fitting_min_frequency(counts, size)
    assert fitting > 1
    assert len(train_wordpiece(counts, size, fitting)) == size
    assert len(train_wordpiece(counts, size, fitting + 1)) < size


def test_by_default_training_fills_the_vocabulary_and_gives_short_texts(osier_bay):
    texts = osier_bay[:3]
    text = "".join(texts)
    fitted = WordPieceTokenizer.train(texts, 800)
    unguarded = WordPieceTokenizer.train(texts, 800, min_frequency=1)
    assert fitted.vocab_size == unguarded.vocab_size == 800
    assert len(fitted.encode(text)) < 0.8 * len(unguarded.encode(text))


def test_special_tokens_come_first_and_are_not_learnt_from(osier_bay):
    tokenizer = WordPieceTokenizer.train(["hug [SEP] hugs"] * 3, 30, ["[SEP]", "[PAD]"], min_frequency=1)
    assert tokenizer.id_to_token[:3] == ["[SEP]", "[PAD]", "[UNK]"]
    assert not {"s", "##s", "e", "##e", "##p", "["} & set(tokenizer.vocab) - {"##s"}
    assert sorted(tokenizer.vocab.values()) == list(range(tokenizer.vocab_size))


# --- longest match ---


def test_longest_match_takes_the_longest_piece_from_the_left():
    assert longest_match("unwanted", {"un", "u", "##want", "##w", "##ed", "##anted"}) == [
        "un",
        "##want",
        "##ed",
    ]


def test_a_word_is_unknown_as_a_whole():
    assert longest_match("unwanted", {"un", "##want"}) == ["[UNK]"]
    assert longest_match("abc", {"ab", "a", "##bc"}, unk_token="<unk>") == ["<unk>"]  # greedy: no way back


def test_a_word_of_more_than_the_longest_allowed_is_unknown(trained):
    assert trained.tokenize("a" * 100)[0] != "[UNK]"
    assert trained.tokenize("a" * 101 + " a") == ["[UNK]", "a"]
    assert trained.tokenize("a" + "\u0301" * 300) == ["a"]  # counted after the accents have gone
    assert hugging_face(trained).encode("a" * 101).tokens == ["[UNK]"]


# --- the whole tokenizer against `tokenizers` ---


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"lowercase": False},
        {"lowercase": False, "strip_accents": True},
        {"lowercase": True, "strip_accents": False},
    ],
)
def test_ids_equal_those_of_tokenizers_on_the_corpus(trained, osier_bay, options):
    ours = WordPieceTokenizer(trained.vocab, BERT_SPECIAL, **options)
    theirs = hugging_face(ours)
    for text in osier_bay[::2]:
        assert ours.encode(text) == theirs.encode(text).ids


# Signs and letters of every kind, so that a difference in the clean-up shows as a piece and not as [UNK].
def spelling_vocab(text: str) -> dict[str, int]:
    signs = sorted(set(text) | set(unicodedata.normalize("NFD", text)) | set(text.lower()))
    signs = sorted(set(signs) | {c.lower() for s in signs for c in unicodedata.normalize("NFD", s)})
    pieces = [*BERT_SPECIAL, *signs, *("##" + sign for sign in signs)]
    return {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}


@settings(max_examples=300, deadline=None)
@example("ΟΔΟΣ ΣΑΣ.", True, None)  # str.lower() would write the last sigma of a word in another way
@example("a\ufffdb\x00c\u200bd", True, None)
@example("a\uf900b\uf901", False, None)  # Chinese characters of the compatibility block
@example("İstanbul ẞtraße ŉ", True, False)
@given(unicode_text, st.booleans(), st.sampled_from([None, True, False]))
def test_ids_equal_those_of_tokenizers_on_any_text(text, lowercase, strip_accents):
    ours = WordPieceTokenizer(
        spelling_vocab(text), BERT_SPECIAL, lowercase=lowercase, strip_accents=strip_accents
    )
    theirs = hugging_face(ours).encode(text)
    assert ours.tokenize(text) == theirs.tokens
    assert ours.encode(text) == theirs.ids


def test_chinese_characters_are_words_and_accents_go_with_capitals(trained):
    assert bert_words(bert_normalize("北京 ÉTÉ")) == ["北", "京", "ete"]
    assert bert_words(bert_normalize("北京 ÉTÉ", lowercase=False)) == ["北", "京", "ÉTÉ"]
    assert trained.encode("the BOAT") == trained.encode("the boat")
    cased = WordPieceTokenizer(trained.vocab, BERT_SPECIAL, lowercase=False)
    assert cased.encode("BOAT") != cased.encode("boat")


def test_special_tokens_are_found_in_the_text(trained):
    tokens = trained.tokenize("[CLS]the boat [SEP]it")
    assert tokens == ["[CLS]", "the", "boat", "[SEP]", "it"]
    assert trained.encode("[MASK]") == [trained.vocab["[MASK]"]]


# --- decoding ---


@pytest.mark.parametrize("cleanup", [True, False])
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_decoding_equals_that_of_tokenizers(trained, cleanup, data):
    ours = WordPieceTokenizer(
        trained.vocab | {"'s": trained.vocab_size, "n't": trained.vocab_size + 1},
        BERT_SPECIAL,
        cleanup=cleanup,
    )
    signs = [ours.vocab[sign] for sign in [*".,?!'\"", "'s", "n't"] if sign in ours.vocab]
    ids = data.draw(
        st.lists(st.one_of(st.sampled_from(signs), st.integers(0, ours.vocab_size - 1)), max_size=12)
    )
    theirs = hugging_face(ours)
    assert ours.decode(ids) == theirs.decode(ids, skip_special_tokens=False)
    assert ours.decode(ids, skip_special_tokens=True) == theirs.decode(ids, skip_special_tokens=True)


def test_decoding_is_lossy_in_the_documented_way(trained):
    assert trained.decode(trained.encode("The  boat,\nhe said.")) == "the boat, he said."
    assert trained.decode(trained.encode("[CLS] the boat [SEP]")) == "[CLS] the boat [SEP]"


# --- streams and files ---


@settings(max_examples=200, deadline=None)
@given(st.lists(unicode_text, max_size=6), st.booleans())
def test_a_stream_gives_the_ids_of_the_whole_text(chunks, lowercase):
    text = "".join(chunks)
    tokenizer = WordPieceTokenizer(spelling_vocab(text), BERT_SPECIAL, lowercase=lowercase)
    cut = tokenizer._safe_cut(text)
    assert tokenizer.encode(text[:cut]) + tokenizer.encode(text[cut:]) == tokenizer.encode(text)
    assert list(tokenizer.encode_iterable(chunks)) == tokenizer.encode(text)


def test_a_stream_is_cut_as_it_goes(trained, osier_bay):
    text = "".join(osier_bay[:6])
    assert trained._safe_cut(text[:5000]) > 4900
    assert list(
        trained.encode_iterable(text[i : i + 999] for i in range(0, len(text), 999))
    ) == trained.encode(text)


@pytest.mark.parametrize(
    ("text", "cut"), [("boats,pie", 6), ("北京人x", 3), ("two boat", 4), ("boat", 0), ("é", 0)]
)
def test_a_stream_is_cut_behind_what_never_joins(trained, text, cut):
    assert trained._safe_cut(text) == cut


def test_the_file_is_read_by_tokenizers_and_by_us(trained, osier_bay, tmp_path):
    path = tmp_path / "tokenizer.json"
    tokenizer = WordPieceTokenizer(
        trained.vocab, BERT_SPECIAL, strip_accents=False, max_input_chars_per_word=9
    )
    tokenizer.save(path)
    text = "[CLS] Zoë's dépôt " + osier_bay[0]
    theirs = tokenizers.Tokenizer.from_file(str(path))
    assert theirs.encode(text, add_special_tokens=False).ids == tokenizer.encode(text)
    assert theirs.decode(tokenizer.encode(text)) == tokenizer.decode(
        tokenizer.encode(text), skip_special_tokens=True
    )
    back = Tokenizer.load(path)
    assert type(back) is WordPieceTokenizer
    assert back.encode(text) == tokenizer.encode(text)
    assert back.vocab == tokenizer.vocab


def test_a_file_written_by_tokenizers_is_read(trained, osier_bay, tmp_path):
    path = tmp_path / "tokenizer.json"
    theirs = hugging_face(trained)
    theirs.save(str(path))
    assert WordPieceTokenizer.load(path).encode(osier_bay[1]) == theirs.encode(osier_bay[1]).ids


@pytest.mark.parametrize(
    ("section", "change", "named"),
    [
        ("normalizer", {"clean_text": False}, "normalizer"),
        ("normalizer", {"type": "NFC"}, "normalizer"),
        ("pre_tokenizer", {"type": "Whitespace"}, "pre_tokenizer"),
        ("model", {"continuing_subword_prefix": "@@"}, "model"),
        ("model", {"vocab": ["a"]}, "vocab"),
        ("decoder", {"cleanup": "yes"}, "cleanup"),
    ],
)
def test_a_file_that_asks_for_something_else_is_refused(trained, section, change, named):
    spec = trained._model_json()
    spec[section] = spec[section] | change
    with pytest.raises(ValueError, match=named):
        WordPieceTokenizer._from_json(spec)


# --- bad input ---


def test_bad_input_is_named(trained):
    with pytest.raises(ValueError, match="'texts'"):
        WordPieceTokenizer.train([], 100)
    with pytest.raises(ValueError, match="'texts'"):
        WordPieceTokenizer.train([" \n "], 100)
    with pytest.raises(TypeError, match="'texts'"):
        WordPieceTokenizer.train([b"boat"], 100)
    with pytest.raises(ValueError, match=r"'vocab_size' must be at least 5 .*got 4"):
        WordPieceTokenizer.train(["boat"], 4)
    with pytest.raises(ValueError, match="'special_tokens'"):
        WordPieceTokenizer.train(["boat"], 40, ["[PAD]", "[PAD]"])
    with pytest.raises(ValueError, match="'min_frequency'"):
        WordPieceTokenizer.train(["boat"], 40, min_frequency=0)
    with pytest.raises(ValueError, match="'unk_token'"):
        WordPieceTokenizer({"a": 0}, [])
    with pytest.raises(TypeError, match="'text'"):
        trained.encode(b"boat")
    with pytest.raises(ValueError, match="'ids'"):
        trained.decode([trained.vocab_size])


def test_the_smallest_vocabulary_is_the_alphabet():
    tokenizer = WordPieceTokenizer.train(["boat"], 5)
    assert tokenizer.tokenize("boat tab") == ["b", "##o", "##a", "##t", "[UNK]"]
