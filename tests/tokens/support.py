"""Texts, tokenizers and oracles that several tests of the tokenizers use."""

import json
import unicodedata

import pytest
import tiktoken
import tokenizers
from hypothesis import settings
from hypothesis import strategies as st
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

from lmcourse.tokens import BYTE_ALPHABET, BPETokenizer, Tokenizer, UnigramTokenizer, byte_to_character

settings.register_profile("tokens", deadline=None)  # a busy machine is no failure
settings.load_profile("tokens")

FIXTURE = """\
The keeper of the lamp wrote, on the 3rd of May 1987: "We'll need 1200 litres more."
He'd said so before; they hadn't listened. Well-known lamps (old ones!) won't wait...
    indented = lamp[0] + lamps[12]  # and code
Naïve café-goers' façades — “quoted”, Ångström, Straße, İstanbul.
Город у реки; 灯台の明かり。 नमस्ते दुनिया 😀👩‍👩‍👧 e\u0301 \t tabs\u00a0and\u2003spaces\r\n\r\nThe lamp, the lamps, the lamplight.
"""

# Characters that the engines' Unicode tables, which are of different ages, all know by the same class.
SETTLED = [
    character
    for character in map(chr, range(0x30000))
    if unicodedata.category(character) not in ("Cn", "Cs")
    and unicodedata.category(character) == unicodedata.ucd_3_2_0.category(character)
]
TRICKY = "aAbels'’-_.,!?()[]0127½ \t\n\r\x00\x1c\x1f\x85\xa0\u2003\u200b\u200d\ufeff▁éÉßſKéñ́̈😀👩🏽中灯нر"
WORDS = [
    "the",
    " lamp",
    "lamps",
    "'ll",
    "'S",
    " 1987",
    "  ",
    "\n\n",
    " \n ",
    "<eos>",
    "<pad>",
    "don't",
    "…",
    " e\u0301",
]
characters = st.one_of(st.sampled_from(TRICKY), st.sampled_from(SETTLED))
any_text = st.lists(st.one_of(characters, st.sampled_from(WORDS)), max_size=30).map("".join)


def hf_byte_level(
    texts: list[str],
    vocab_size: int,
    special_tokens: list[str] | None = None,
    min_frequency: int = 2,
    **model,
) -> tokenizers.Tokenizer:
    """GPT-2's tokenizer, trained by the `tokenizers` library."""
    tokenizer = tokenizers.Tokenizer(models.BPE(**model))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        special_tokens=special_tokens or [],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def hf_sentencepiece_bpe(texts: list[str], vocab_size: int) -> tokenizers.Tokenizer:
    """A tokenizer of the shape of Llama's and Phi-3's: spaces as ▁, no words, bytes to fall back on."""
    trained = tokenizers.Tokenizer(models.BPE())
    trained.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    trained.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")  # only while training
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, show_progress=False, limit_alphabet=70)
    trained.train_from_iterator(texts, trainer)
    learnt = [token for token, _ in sorted(trained.get_vocab().items(), key=lambda item: item[1])]
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *learnt, "▁▁", "▁▁▁▁"]
    merges = [("▁", "▁"), ("▁▁", "▁▁"), *bpe_merges(trained)]
    tokenizer = tokenizers.Tokenizer(
        models.BPE(
            vocab={piece: number for number, piece in enumerate(pieces)},
            merges=merges,
            unk_token="<unk>",
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    tokenizer.normalizer = trained.normalizer
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(steps)
    tokenizer.add_special_tokens(
        [tokenizers.AddedToken(token, normalized=False, special=True) for token in ("<unk>", "<s>")]
    )
    tokenizer.add_tokens([tokenizers.AddedToken("</s>", normalized=False, rstrip=True)])
    return tokenizer


def bpe_merges(tokenizer: tokenizers.Tokenizer) -> list[tuple[str, str]]:
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return [tuple(merge.split(" ")) if isinstance(merge, str) else tuple(merge) for merge in merges]


def tiktoken_twin(tokenizer: BPETokenizer, pattern: str) -> tiktoken.Encoding:
    """tiktoken's encoder with the same pieces: the bytes, then the merged pieces in the order of their ids."""
    byte_of = {character: byte for byte, character in byte_to_character().items()}
    pieces = [piece for piece in tokenizer.id_to_token if piece not in tokenizer.special_tokens]
    assert pieces[:256] == BYTE_ALPHABET
    ranks = {bytes(byte_of[character] for character in piece): tokenizer.vocab[piece] for piece in pieces}
    special = {token: tokenizer.vocab[token] for token in tokenizer.special_tokens}
    return tiktoken.Encoding("twin", pat_str=pattern, mergeable_ranks=ranks, special_tokens=special)


def total_score(tokenizer: UnigramTokenizer, tokens: list[str]) -> float:
    return sum(tokenizer.scores[token] for token in tokens if token != tokenizer.unk_token)


def assert_same_up_to_ties(
    tokenizer: Tokenizer, ours: list[int], theirs: list[int], accuracy: float = 1e-9
) -> None:
    """The ids are equal. For Unigram two segmentations of equal score may differ: others decide by rounding."""
    if ours == theirs:
        return
    assert isinstance(tokenizer, UnigramTokenizer), (ours, theirs)
    names = tokenizer.id_to_token
    scores = [
        sum(tokenizer.scores.get(names[i], 0.0) for i in ids if names[i] != tokenizer.unk_token)
        for ids in (ours, theirs)
    ]
    assert scores[0] == pytest.approx(scores[1], rel=0, abs=accuracy)
    unknown = tokenizer.vocab.get(tokenizer.unk_token)
    assert ours.count(unknown) == theirs.count(unknown)
