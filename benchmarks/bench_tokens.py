"""The tokenizers of the course beside their peers: ratios of times, measured in turn in one run.

    python benchmarks/bench_tokens.py [--quick]

Each line times two programs that do the same work. That the work is the same is asserted first (equal merges,
equal ids). Then the two run in turn, five rounds, and the medians are divided: "ours / theirs" below 1 is faster
than the peer. The texts are the course's corpus and the source files of Python's standard library.
"""

import argparse
import json
import sysconfig
from collections import Counter
from pathlib import Path

import tiktoken
import tokenizers
from tokenizers import models, pre_tokenizers, trainers
from turns import in_turn

from lmcourse.tokens import (
    GPT2_PATTERN,
    BPETokenizer,
    byte_to_character,
    gpt2_words,
    train_bpe,
    train_bpe_simple,
)

CORPUS = Path(__file__).parent.parent / "lmcourse" / "corpora" / "data" / "osier_bay"


def library_files(size: int, skip: int = 0) -> list[str]:
    """Source files of the standard library, `size` bytes of them in all, the first `skip` bytes left out."""
    files, total = [], 0
    for path in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py")):
        if "site-packages" in path.parts:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        total += len(text.encode())
        if total <= skip:
            continue
        if total > skip + size:
            text = text.encode()[: max(0, skip + size - (total - len(text.encode())))].decode(errors="ignore")
        files.append(text)
        if total >= skip + size:
            break
    return files


def corpus(size: int) -> str:
    """The course's corpus, cut to `size` bytes."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(CORPUS.glob("*.txt")))
    return text.encode()[:size].decode(errors="ignore")


def hf_trained(texts: list[str], vocab_size: int) -> tokenizers.Tokenizer:
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def hf_merges(tokenizer: tokenizers.Tokenizer) -> list[tuple[str, str]]:
    return [tuple(merge) for merge in json.loads(tokenizer.to_str())["model"]["merges"]]


def tiktoken_encoding(tokenizer: BPETokenizer) -> tiktoken.Encoding:
    byte_of = {character: byte for byte, character in byte_to_character().items()}
    ranks = {bytes(map(byte_of.__getitem__, piece)): rank for piece, rank in tokenizer.vocab.items()}
    return tiktoken.Encoding("ours", pat_str=GPT2_PATTERN, mergeable_ranks=ranks, special_tokens={})


def report(name: str, ours: float, theirs: float, goal: str) -> None:
    print(f"{name:<62} {ours:>8.3f} s {theirs:>8.3f} s {ours / theirs:>8.3f}   {goal}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the text, one round")
    quick = parser.parse_args().quick
    rounds, size, vocab_size = (1, 500_000, 1_000) if quick else (5, 5_000_000, 5_000)
    print(f"{'':<62} {'ours':>10} {'theirs':>10} {'ratio':>8}   goal")

    texts = library_files(size)
    assert BPETokenizer.train(texts, vocab_size).merges == hf_merges(hf_trained(texts, vocab_size))
    ours, theirs = in_turn(
        rounds, lambda: BPETokenizer.train(texts, vocab_size), lambda: hf_trained(texts, vocab_size)
    )
    report(f"train BPE, {size / 1e6:g} MB to {vocab_size} tokens, vs tokenizers", ours, theirs, "<= 2.0")

    small = corpus(133_000 // (4 if quick else 1))

    def fast() -> dict:
        return train_bpe(Counter(gpt2_words(small)), 500)

    assert fast() == train_bpe_simple(small, 500)
    ours, theirs = in_turn(rounds, fast, lambda: train_bpe_simple(small, 500))
    report(
        f"train BPE, {len(small.encode()) // 1000} kB to 500 tokens, vs recounting", ours, theirs, "<= 0.02"
    )

    tokenizer = BPETokenizer.train(texts, vocab_size)
    fresh = library_files(size, skip=2 * size)
    encoding = tiktoken_encoding(tokenizer)
    peer = tokenizers.Tokenizer(models.BPE(tokenizer.vocab, tokenizer.merges))
    peer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    assert [tokenizer.encode(text) for text in fresh] == [encoding.encode_ordinary(text) for text in fresh]
    assert tokenizer.encode(fresh[0]) == peer.encode(fresh[0]).ids

    def cold() -> None:  # a new encoder each time, for its memory of words
        new = BPETokenizer(tokenizer.merges)
        for text in fresh:
            new.encode(text)

    def cold_peer() -> None:
        new = tokenizers.Tokenizer(models.BPE(tokenizer.vocab, tokenizer.merges))
        new.pre_tokenizer = peer.pre_tokenizer
        for text in fresh:
            _ = new.encode(text).ids

    ours, theirs = in_turn(rounds, cold, lambda: [encoding.encode_ordinary(text) for text in fresh])
    report(f"encode {size / 1e6:g} MB cold, vs tiktoken", ours, theirs, "<= 3.3")
    ours, theirs = in_turn(rounds, cold, cold_peer)
    report(f"encode {size / 1e6:g} MB cold, vs tokenizers", ours, theirs, "")
    ids = [tokenizer.encode(text) for text in fresh]
    ours, theirs = in_turn(
        rounds, lambda: list(map(tokenizer.decode, ids)), lambda: list(map(encoding.decode, ids))
    )
    report(f"decode {size / 1e6:g} MB, vs tiktoken", ours, theirs, "")


if __name__ == "__main__":
    main()
