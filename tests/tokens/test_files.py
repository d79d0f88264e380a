"""tokenizer.json: what we write, `tokenizers` and `transformers` read; what they write, we read."""

import json
import os
import random
import re

import pytest
import tokenizers
from hypothesis import given, settings
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from lmcourse.tokens import (
    GPT2_PATTERN,
    GPT4_PATTERN,
    BPETokenizer,
    ByteFallbackBPETokenizer,
    CharTokenizer,
    SplitRule,
    Tokenizer,
    UnigramTokenizer,
    WordPieceTokenizer,
    WordTokenizer,
)
from lmcourse.tokens.split_rules import QWEN_PATTERN
from lmcourse.tokens.tokenizer_json import tokenizer_from_json, tokenizer_to_json
from tests.tokens.support import (
    FIXTURE,
    any_text,
    assert_same_up_to_ties,
    bpe_merges,
    hf_byte_level,
    hf_sentencepiece_bpe,
)

SPECIAL = ["<pad>", "<eos>", "<unk>"]
BERT_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TEXTS = [FIXTURE * 3]

OURS = {
    "characters": lambda: CharTokenizer.train(TEXTS, 500, SPECIAL),
    "words": lambda: WordTokenizer.train(TEXTS, 60, SPECIAL),
    "bpe": lambda: BPETokenizer.train(TEXTS, 400, SPECIAL),
    "bpe, GPT-4's words": lambda: BPETokenizer.train(TEXTS, 400, SPECIAL, pattern=GPT4_PATTERN),
    "bpe, nfc": lambda: BPETokenizer(BPETokenizer.train(TEXTS, 400).merges, SPECIAL, nfc=True),
    "bpe, prefix space": lambda: BPETokenizer(
        BPETokenizer.train(TEXTS, 400).merges, SPECIAL, add_prefix_space=True
    ),
    "wordpiece": lambda: WordPieceTokenizer.train(TEXTS, 300, BERT_SPECIAL),
    "unigram": lambda: UnigramTokenizer.train(TEXTS, 300, SPECIAL),
}


def _split_and_bytes(*steps) -> pre_tokenizers.Sequence:
    return pre_tokenizers.Sequence(
        [*steps, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )


def _gpt2() -> tokenizers.Tokenizer:
    return hf_byte_level(TEXTS, 400, ["<eos>"])


def _gpt4() -> tokenizers.Tokenizer:
    """As people converted tiktoken's files: what the pattern matches is kept, the rest is removed."""
    tokenizer = hf_byte_level(TEXTS, 400)
    split = pre_tokenizers.Split(tokenizers.Regex(GPT4_PATTERN), "removed", invert=True)
    tokenizer.pre_tokenizer = _split_and_bytes(split)
    tokenizer.add_special_tokens(["<eos>", "<pad>"])  # behind the others
    return tokenizer


def _llama3() -> tokenizers.Tokenizer:
    """With `ignore_merges`: a word that is a piece is taken whole. Here its merges would not make it."""
    trained = hf_byte_level(TEXTS, 400)
    vocab = trained.get_vocab() | {"Ġlampzz": 400, "the": 401}
    tokenizer = tokenizers.Tokenizer(models.BPE(vocab, bpe_merges(trained), ignore_merges=True))
    tokenizer.pre_tokenizer = _split_and_bytes(
        pre_tokenizers.Split(tokenizers.Regex(GPT4_PATTERN), "isolated")
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<eos>"])
    return tokenizer


def _qwen() -> tokenizers.Tokenizer:
    tokenizer = hf_byte_level(TEXTS, 400)
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = _split_and_bytes(
        pre_tokenizers.Split(tokenizers.Regex(QWEN_PATTERN), "isolated")
    )
    tokenizer.add_special_tokens([tokenizers.AddedToken("<eos>", normalized=False)])
    tokenizer.add_tokens([tokenizers.AddedToken("<pad>", normalized=False, special=False)])
    return tokenizer


def _starcoder() -> tokenizers.Tokenizer:
    tokenizer = hf_byte_level(TEXTS, 400, ["<eos>", "<pad>"])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    return tokenizer


def _roberta() -> tokenizers.Tokenizer:
    """A space in front, and a token that swallows the white space on its left."""
    tokenizer = hf_byte_level(TEXTS, 400, ["<eos>"])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.add_special_tokens([tokenizers.AddedToken("<pad>", lstrip=True, rstrip=True)])
    return tokenizer


def _phi3() -> tokenizers.Tokenizer:
    return hf_sentencepiece_bpe(TEXTS, 400)


def _phi3_without_prefix() -> tokenizers.Tokenizer:
    """No space in front, whole texts that are pieces taken whole, and a piece with a space at its end."""
    spec = json.loads(_phi3().to_str())
    spec["normalizer"] = spec["normalizer"]["normalizers"][1]
    spec["decoder"]["decoders"].pop()
    model = spec["model"]
    model["vocab"] |= {"e▁": len(model["vocab"]), "▁lamp.": len(model["vocab"]) + 1}
    model["merges"].insert(0, ["e", "▁"])
    model["ignore_merges"] = True
    return tokenizers.Tokenizer.from_str(json.dumps(spec))


def _bert() -> tokenizers.Tokenizer:
    tokenizer = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(vocab_size=300, special_tokens=BERT_SPECIAL, show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


def _t5() -> tokenizers.Tokenizer:
    tokenizer = tokenizers.Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=200, special_tokens=["<pad>", "<eos>", "<unk>"], unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer


THEIRS = {
    "gpt2": (_gpt2, BPETokenizer),
    "gpt4": (_gpt4, BPETokenizer),
    "llama3": (_llama3, BPETokenizer),
    "qwen": (_qwen, BPETokenizer),
    "starcoder": (_starcoder, BPETokenizer),
    "roberta": (_roberta, BPETokenizer),
    "phi3": (_phi3, ByteFallbackBPETokenizer),
    "phi3 without prefix": (_phi3_without_prefix, ByteFallbackBPETokenizer),
    "bert": (_bert, WordPieceTokenizer),
    "t5": (_t5, UnigramTokenizer),
}


def _agreed(text: str, ours: Tokenizer) -> str:
    """UnigramTokenizer keeps a `▁` of the text's own apart from spaces, `tokenizers` does not."""
    return text.replace("▁", "") if isinstance(ours, UnigramTokenizer) else text


def _read(theirs: tokenizers.Tokenizer) -> Tokenizer:
    return tokenizer_from_json(json.loads(theirs.to_str()))


# --- ours, read by others ---


@pytest.fixture(scope="module", params=OURS)
def ours(request, tmp_path_factory):
    """A tokenizer of ours, its file, and what `tokenizers` makes of that."""
    tokenizer = OURS[request.param]()
    path = tmp_path_factory.mktemp("ours") / "tokenizer.json"
    tokenizer.save(path)
    return tokenizer, path, tokenizers.Tokenizer.from_file(str(path))


@given(text=any_text)
def test_tokenizers_gives_the_ids_that_we_give(ours, text):
    tokenizer, _, theirs = ours
    text = _agreed(text, tokenizer)
    assert_same_up_to_ties(
        tokenizer, tokenizer.encode(text), theirs.encode(text, add_special_tokens=False).ids
    )


@given(text=any_text)
def test_tokenizers_decodes_to_the_text_that_we_decode_to(ours, text):
    tokenizer, _, theirs = ours
    ids = tokenizer.encode(text)
    shown = tokenizer.decode(ids, skip_special_tokens=True)
    assert theirs.decode(ids, skip_special_tokens=True) == shown


def test_transformers_gives_the_ids_that_we_give(ours):
    tokenizer, path, _ = ours
    theirs = PreTrainedTokenizerFast(tokenizer_file=str(path))
    text = FIXTURE + tokenizer.special_tokens[0] + "lamp"
    assert theirs.encode(text, add_special_tokens=False) == tokenizer.encode(text)
    assert len(theirs) == tokenizer.vocab_size


def test_a_saved_tokenizer_comes_back_whole(ours, tmp_path):
    tokenizer, path, _ = ours
    again = Tokenizer.load(path)
    assert type(again) is type(tokenizer)
    assert (again.vocab, again.special_tokens, again.unk_token) == (
        tokenizer.vocab,
        tokenizer.special_tokens,
        tokenizer.unk_token,
    )
    again.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()


# --- others', read by us ---


@pytest.fixture(scope="module", params=THEIRS)
def theirs(request):
    make, kind = THEIRS[request.param]
    tokenizer = make()
    ours = _read(tokenizer)
    assert type(ours) is kind
    return tokenizer, ours


@given(text=any_text)
def test_we_give_the_ids_that_tokenizers_gives(theirs, text):
    tokenizer, ours = theirs
    text = _agreed(text, ours)
    assert_same_up_to_ties(ours, ours.encode(text), tokenizer.encode(text, add_special_tokens=False).ids)


@given(text=any_text)
def test_we_decode_to_the_text_that_tokenizers_decodes_to(theirs, text):
    tokenizer, ours = theirs
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert ours.decode(ids, skip_special_tokens=True) == tokenizer.decode(ids, skip_special_tokens=True)


@given(text=any_text)
def test_what_we_read_and_save_is_still_read_by_tokenizers(theirs, text):
    tokenizer, ours = theirs
    saved, text = _saved(ours), _agreed(text, ours)
    assert_same_up_to_ties(ours, ours.encode(text), saved.encode(text, add_special_tokens=False).ids)
    assert saved.encode(text).ids == tokenizer.encode(text).ids  # with what the file puts around a text


_SAVED: dict[int, tokenizers.Tokenizer] = {}


def _saved(ours: Tokenizer) -> tokenizers.Tokenizer:
    if id(ours) not in _SAVED:
        _SAVED[id(ours)] = tokenizers.Tokenizer.from_str(json.dumps(tokenizer_to_json(ours)))
    return _SAVED[id(ours)]


def test_vocabularies_and_special_tokens_are_those_of_the_file(theirs):
    tokenizer, ours = theirs
    assert ours.vocab == tokenizer.get_vocab(with_added_tokens=True)
    added = tokenizer.get_added_tokens_decoder()
    assert {ours.vocab[token] for token in ours.special_tokens} == {i for i in added if added[i].special}
    assert _read(_saved(ours)).added_tokens == ours.added_tokens


@given(text=any_text)
@settings(max_examples=30)
def test_broken_bytes_decode_as_tokenizers_decodes_them(text):
    theirs = _phi3()
    ours = _read(theirs)
    ids = [i for i in ours.encode(text) if i % 3]  # parts of characters are missing now
    assert ours.decode(ids) == theirs.decode(ids, skip_special_tokens=False)


def test_older_files_without_a_type_and_with_merges_as_text_are_read():
    spec = json.loads(_gpt2().to_str())
    model = spec["model"]
    del model["type"]
    model["merges"] = [" ".join(merge) for merge in bpe_merges(_gpt2())]
    assert tokenizer_from_json(spec).encode(FIXTURE) == _gpt2().encode(FIXTURE).ids


def test_an_added_token_is_no_piece_of_a_word():
    theirs = _llama3()
    theirs.add_tokens([tokenizers.AddedToken("Ġqzx", special=False)])  # four letters of text, not " qzx"
    ours = _read(theirs)
    for text in ("one qzx Ġqzx", " qzx"):
        assert ours.encode(text) == theirs.encode(text).ids


def test_a_piece_that_is_not_spelt_in_byte_characters_shows_itself():
    spec = json.loads(_gpt2().to_str())
    number = spec["model"]["vocab"]["two words"] = len(spec["model"]["vocab"])
    theirs = tokenizers.Tokenizer.from_str(json.dumps(spec))
    ids = [number, *theirs.encode(" é").ids]
    assert tokenizer_from_json(spec).decode(ids) == theirs.decode(ids) == "two words é"


def test_whole_texts_that_are_pieces_are_taken_whole_where_the_file_says_so():
    theirs = _phi3_without_prefix()
    for text in (" lamp.", "e ", "the e "):
        assert _read(theirs).encode(text) == theirs.encode(text).ids
    assert _read(theirs).tokenize(" lamp.") == ["▁lamp."]


def test_ids_that_leave_gaps_are_kept():
    spec = json.loads(_gpt2().to_str())
    spec["added_tokens"].append({"id": 777, "content": "<end>", "special": True})
    tokenizer = tokenizer_from_json(spec)
    assert tokenizer.encode("a<end>")[-1] == 777
    assert tokenizer.vocab_size == 778
    again = tokenizers.Tokenizer.from_str(json.dumps(tokenizer_to_json(tokenizer)))
    assert again.encode("a<end>").ids == tokenizer.encode("a<end>")


# --- what is refused ---


def _changed(section: str, value, base=_gpt2) -> dict:
    spec = json.loads(base().to_str())
    *path, last = section.split(".")
    place = spec
    for name in path:
        place = place[name]
    place[last] = value
    return spec


WHOLE_WORD = {"id": 0, "content": "<eos>", "single_word": True, "special": True}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (lambda: _changed("model.dropout", 0.1), "'dropout' = 0.1, which is not supported"),
        (lambda: _changed("model.end_of_word_suffix", "</w>"), "'end_of_word_suffix' = '</w>'"),
        (lambda: _changed("model.continuing_subword_prefix", "##"), "'continuing_subword_prefix' = '##'"),
        (lambda: _changed("model.type", "Magic"), "'model' of type 'Magic' is not supported"),
        (lambda: _changed("normalizer", {"type": "Lowercase"}), "'normalizer' must be NFC or none"),
        (lambda: _changed("pre_tokenizer", {"type": "Whitespace"}), "'pre_tokenizer' must end in a ByteLevel step"),
        (lambda: _changed("pre_tokenizer", None), "'pre_tokenizer' must end in a ByteLevel step"),
        (lambda: _changed("decoder", None), "'decoder' must be ByteLevel"),
        (lambda: _changed("decoder", {"type": "Fuse"}), "'decoder' must be ByteLevel"),
        (lambda: _changed("added_tokens", [WHOLE_WORD]), "single_word=true for '<eos>'"),
        (lambda: _changed("added_tokens", [{"id": 3, "content": "<eos>"}]), "'<eos>' the id 3, 'model' gives 0"),
        (lambda: _changed("added_tokens", [{"id": 9, "content": "<a>"}]), "got '<a>': 9, as ')' has"),
        (lambda: _changed("added_tokens", [{"id": 9, "content": ""}]), "'added_tokens' must be different and not empty"),
        (lambda: _changed("model.vocab", ["a"]), "'vocab' must be an object, got ['a']"),
        (lambda: _changed("model.vocab", {"a": "0"}), "'vocab' must map tokens to ids >= 0, got 'a': '0'"),
        (lambda: _changed("model.merges", ["a b c"]), "'merges' must be pairs of pieces, got 'a b c' at position 0"),
        (lambda: _changed("model.merges", [["a", "zzz"]]), "got 'a' + 'zzz' at position 0: no 'zzz'"),
        (lambda: _changed("model", None), "'model' must be an object, got None"),
        (lambda: _changed("pre_tokenizer.pretokenizers", [{"type": "Punctuation"}, {"type": "ByteLevel", "add_prefix_space": False}], _qwen), "step 'Punctuation' is not supported"),
        (lambda: _changed("pre_tokenizer.pretokenizers", [{"type": "Split", "pattern": {"Regex": "a"}, "behavior": "Contiguous"}, {"type": "ByteLevel", "add_prefix_space": False}], _qwen), "'behavior' 'Contiguous'"),
        (lambda: _changed("pre_tokenizer.pretokenizers", [{"type": "Split", "pattern": {"Regex": "^a"}, "behavior": "Isolated"}, {"type": "ByteLevel", "add_prefix_space": False}], _qwen), "'pattern' must be of the plain kind"),
        (lambda: _changed("normalizer", {"type": "NFKC"}, _phi3), "'normalizer' must write spaces as '▁'"),
        (lambda: _changed("decoder", {"type": "Fuse"}, _phi3), "'decoder' must undo the normalizer"),
        (lambda: _changed("pre_tokenizer", {"type": "Whitespace"}, _phi3), "'pre_tokenizer' must be none"),
        (lambda: [], "the file must hold a JSON object, got []"),
        (lambda: {}, "the file lacks 'model'"),
    ],
)  # fmt: skip
def test_what_we_do_not_have_is_refused_by_name(spec, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        tokenizer_from_json(spec())


def test_a_normalized_token_beside_a_normalizer_is_refused():
    theirs = _qwen()
    theirs.add_special_tokens([tokenizers.AddedToken("<x>", normalized=True)])
    with pytest.raises(ValueError, match="normalized=true for '<x>'"):
        _read(theirs)


def test_a_words_file_of_another_rule_is_refused():
    theirs = tokenizers.Tokenizer(models.WordLevel({"<unk>": 0, "a": 1}, unk_token="<unk>"))
    theirs.pre_tokenizer = pre_tokenizers.Whitespace()
    with pytest.raises(ValueError, match="'pre_tokenizer' of a WordLevel model must be one of ours"):
        _read(theirs)


def test_a_file_of_another_kind_is_refused(tmp_path):
    OURS["characters"]().save(tmp_path / "t.json")
    with pytest.raises(ValueError, match="'path' must be the file of a BPETokenizer, got a CharTokenizer"):
        BPETokenizer.load(tmp_path / "t.json")
    assert CharTokenizer.load(tmp_path / "t.json").vocab


def test_a_missing_file_is_reported_as_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        Tokenizer.load(tmp_path / "none.json")


@pytest.mark.parametrize("kind", ["words", "bpe", "wordpiece", "unigram"])
def test_a_truncated_file_is_refused_wherever_it_ends(kind, tmp_path):
    path = tmp_path / "t.json"
    OURS[kind]().save(path)
    whole = path.read_bytes()
    for end in [0, 1, *random.Random(0).sample(range(2, len(whole) - 1), 25), len(whole) - 1]:
        path.write_bytes(whole[:end])
        with pytest.raises(ValueError, match=re.escape(str(path)) + " is no (whole )?tokenizer file"):
            Tokenizer.load(path)


@pytest.mark.parametrize("kind", OURS)
def test_a_damaged_file_is_an_error_that_names_it_or_still_a_tokenizer(kind, tmp_path):
    """Any one value gone or replaced: never another exception than ValueError."""
    path = tmp_path / "t.json"
    OURS[kind]().save(path)
    spec = json.loads(path.read_text())
    rng = random.Random(0)
    for _ in range(60):
        damaged = json.loads(json.dumps(spec))
        place, name = _some_place(damaged, rng)
        place[name] = rng.choice([None, 7, -1, "x", [], {}, [[]], {"a": None}, True])
        if rng.random() < 0.3:
            del place[name]
        path.write_text(json.dumps(damaged))
        try:
            tokenizer = Tokenizer.load(path)
        except ValueError as error:
            assert str(path) in str(error)  # noqa: PT017 - it may as well be read without error
        else:
            assert isinstance(tokenizer, Tokenizer)


def _some_place(node, rng):
    """A random container in a JSON tree and a key of it, most of them near the root."""
    while True:
        keys = list(node) if isinstance(node, dict) else range(len(node))
        key = rng.choice(list(keys))
        if not isinstance(node[key], dict | list) or not node[key] or rng.random() < 0.3:
            return node, key
        node = node[key]


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "t.json"
    path.write_bytes(b'{"model": "\xff"}')
    with pytest.raises(ValueError, match="not UTF-8 from byte 11 on"):
        Tokenizer.load(path)


# --- writing ---


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_failed_save_leaves_the_old_file_and_nothing_else(failing, tmp_path, monkeypatch):
    path = tmp_path / "t.json"
    OURS["characters"]().save(path)
    before = path.read_bytes()

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, failing, full)
    with pytest.raises(OSError, match="no space left"):
        OURS["bpe"]().save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["t.json"]


def test_a_tokenizer_that_cannot_be_written_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "t.json"
    OURS["characters"]().save(path)
    monkeypatch.setattr(CharTokenizer, "_model_json", lambda self: {"model": object()})
    before = path.read_bytes()
    with pytest.raises((TypeError, KeyError)):
        OURS["characters"]().save(path)
    assert path.read_bytes() == before


def test_a_link_stays_a_link_and_a_folder_is_refused(tmp_path):
    tokenizer = OURS["characters"]()
    (tmp_path / "link.json").symlink_to(tmp_path / "t.json")
    tokenizer.save(tmp_path / "link.json")
    assert (tmp_path / "link.json").is_symlink()
    assert Tokenizer.load(tmp_path / "t.json").vocab == tokenizer.vocab
    with pytest.raises(IsADirectoryError, match="'path' must be the name of a file"):
        tokenizer.save(tmp_path)


def test_split_rules_go_to_the_file_and_come_back():
    rules = [SplitRule("[0-9]"), SplitRule("a|b", keep_rest=False), SplitRule(GPT2_PATTERN)]
    tokenizer = BPETokenizer([("b", "a")], rules=rules)
    theirs = tokenizers.Tokenizer.from_str(json.dumps(tokenizer_to_json(tokenizer)))
    again = tokenizer_from_json(tokenizer_to_json(tokenizer))
    assert again.rules == tokenizer.rules
    assert again.encode("xbab1a") == tokenizer.encode("xbab1a") == theirs.encode("xbab1a").ids
