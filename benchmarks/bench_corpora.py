"""How fast the course's sources write and read: tokens per second, and beside a sampler of the plain kind.

    python benchmarks/bench_corpora.py [--quick]

The plain sampler goes through one document at a time and replaces its leftmost symbol until only words are left, as
one would write it first. That both draw from the same law is asserted first (mean length within 4 standard errors). All
programs run in turn, and the medians are reported.
"""

import argparse
import random
import statistics
import time

import numpy as np
from turns import in_turn

from lmcourse.corpora.families import families
from lmcourse.corpora.filler import filler
from lmcourse.corpora.grammar import Grammar
from lmcourse.corpora.play import play
from lmcourse.corpora.preferences import preferences


def plain_sample(source: Grammar, n_tokens: int, seed: int) -> list[list[str]]:
    """Documents with `n_tokens` tokens or a few more, one symbol after the other."""
    rng = random.Random(seed)
    bodies = {symbol: [rule.body for rule in its] for symbol, its in source.rules.items()}
    weights = {symbol: [rule.probability for rule in its] for symbol, its in source.rules.items()}
    documents, total = [], 0
    while total < n_tokens:
        words, stack = [], [source.start]
        while stack:
            part = stack.pop()
            if isinstance(part, str):
                stack.extend(reversed(rng.choices(bodies[part], weights[part])[0]))
            else:
                words.append(part.text)
        documents.append([*words, source.end.text])
        total += len(words) + 1
    return documents


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the text, one round")
    quick = parser.parse_args().quick
    rounds, size = (1, 100_000) if quick else (5, 1_000_000)
    few = size // 10

    print(
        f"{'million tokens per second':<14}{'write':>12}{'read, cold':>12}{'read again':>12}{'write / plain':>15}"
    )
    for make in (filler, play, preferences, families):
        source = make()
        corpus = source.sample(size, seed=1)
        cold = []
        for _ in range(rounds):
            fresh = make()
            start = time.perf_counter()
            fresh.surprisal(corpus)
            cold.append(time.perf_counter() - start)
        programs = [lambda s=source: s.sample(size, seed=1), lambda s=source, c=corpus: s.surprisal(c)]
        source.surprisal(corpus)
        if isinstance(source, Grammar):
            lengths = np.array([len(document) for document in plain_sample(source, few, seed=2)])
            error = abs(lengths.mean() - source.tokens_per_document)
            assert error <= 4 * lengths.std() / len(lengths) ** 0.5, "the plain sampler has another law"
            programs.append(lambda s=source: plain_sample(s, few, seed=1))
        write, read, *plain = in_turn(rounds, *programs)
        ratio = f"{plain[0] * size / few / write:>14.0f}x" if plain else f"{'':>15}"
        rates = "".join(
            f"{size / seconds / 1e6:>12.2f}" for seconds in (write, statistics.median(cold), read)
        )
        print(f"{make.__name__:<25}{rates}{ratio}", flush=True)


if __name__ == "__main__":
    main()
