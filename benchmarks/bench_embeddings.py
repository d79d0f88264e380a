"""word2vec of the course beside gensim's: speed and held-out loss together, in one run.

    python benchmarks/bench_embeddings.py [--quick]

Speed alone says nothing here: a trainer that takes fewer steps is faster and learns less. So each line has both. Both
programs read the same words in the same documents for the same number of passes, with the same length of vectors,
window, negatives and sub-sampling, gensim with two workers. They take turns; words per second are the median of the rounds. The
loss is computed by one function on the same pairs and noise words of held-out documents, and is the mean over
the rounds, each with another seed. The text is the source files of Python's standard library.
"""

import argparse
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable

import numpy as np
import torch
from bench_tokens import library_files
from gensim.models import Word2Vec as GensimWord2Vec

from lmcourse.embeddings.pairs import Thinned, draw, keep_probability, noise_law, subsample
from lmcourse.embeddings.word2vec import Word2VecConfig, held_out_loss, make_pair_test
from lmcourse.embeddings.word2vec_train import BLOCKS, NOISE, cbow_step, cut_into_blocks, train_word2vec

LONGEST = 1_000  # words of a document: gensim cuts off what is beyond 10,000
Tables = tuple[np.ndarray, np.ndarray]


def corpus(size: int) -> tuple[Thinned, Thinned, int]:
    """Words that come at least five times in `size` bytes: documents to learn from, every twentieth held out, vocabulary size."""
    words = [re.findall(r"[^\W_]+", text.lower()) for text in library_files(size)]
    counts = Counter(word for document in words for word in document)
    number = {word: i for i, (word, n) in enumerate(counts.most_common()) if n >= 5}
    documents = [[number[word] for word in document if word in number] for document in words]
    pieces = [d[at : at + LONGEST] for d in documents for at in range(0, len(d), LONGEST)]
    return flat(p for i, p in enumerate(pieces) if i % 20), flat(pieces[::20]), len(number)


def flat(documents) -> Thinned:
    documents = list(documents)
    starts = np.cumsum([0, *(len(document) for document in documents[:-1])])
    return Thinned(np.concatenate([np.array(document) for document in documents]), starts)


def train_gensim(text: Thinned, vocab_size: int, config: Word2VecConfig) -> tuple[float, Tables]:
    """Seconds of gensim's training (its scan for the vocabulary is not counted), and its two tables."""
    documents = [list(map(str, document)) for document in np.split(text.ids, text.starts[1:])]
    model = GensimWord2Vec(
        vector_size=config.d,
        window=config.window,
        negative=config.negatives,
        sample=config.subsample,
        sg=int(config.architecture == "skip-gram"),
        workers=2,
        min_count=1,
        seed=config.seed + 1,
    )
    model.build_vocab(documents)
    start = time.perf_counter()
    model.train(documents, total_examples=len(documents), epochs=config.epochs)
    seconds = time.perf_counter() - start
    inputs, outputs = np.zeros((2, vocab_size, config.d), dtype=np.float32)
    order = np.array(model.wv.index_to_key, dtype=int)
    inputs[order], outputs[order] = model.wv.vectors, model.syn1neg
    return seconds, (inputs, outputs)


def train_ours(text: Thinned, vocab_size: int, config: Word2VecConfig) -> tuple[float, Tables]:
    start = time.perf_counter()
    model = train_word2vec(*text, vocab_size, config)
    return time.perf_counter() - start, (model.inputs, model.outputs)


def cbow_examination(text: Thinned, law: np.ndarray, config: Word2VecConfig) -> Callable[[Tables], float]:
    """The loss of CBOW on the windows of a text, in nats a word; every model is asked the same."""
    steps = list(cut_into_blocks(text, config.window, np.random.default_rng(0)))
    noise = torch.from_numpy(draw(law, (len(steps), BLOCKS, NOISE), np.random.default_rng(1)))

    def examine(tables: Tables) -> float:
        inputs, outputs = map(torch.from_numpy, tables)
        losses = [
            cbow_step(inputs, outputs, blocks, words, config.negatives).loss().item()
            for blocks, words in zip(steps, noise, strict=True)
        ]
        return statistics.fmean(losses[:-1])  # the last step is not full

    return examine


def compare(name: str, rounds: int, text: Thinned, held_out: Thinned, vocab_size: int, options: dict) -> None:
    config = Word2VecConfig(**options)
    counts = np.bincount(text.ids, minlength=vocab_size)
    law, keep = noise_law(counts), keep_probability(counts / counts.sum(), config.subsample)
    thinned = subsample(*held_out, keep, np.random.default_rng(0))
    if config.architecture == "skip-gram":
        exam = make_pair_test(*thinned, law, window=config.window, negatives=config.negatives)
        examine = lambda tables: held_out_loss(*tables, exam)  # noqa: E731
    else:
        examine = cbow_examination(thinned, law, config)
    results: dict[str, list[tuple[float, float]]] = {"ours": [], "gensim": []}
    for seed in range(rounds):
        for who, trainer in (("ours", train_ours), ("gensim", train_gensim)):
            seconds, tables = trainer(text, vocab_size, Word2VecConfig(**options, seed=seed))
            results[who].append((seconds, examine(tables)))
    words = config.epochs * len(text.ids)
    rate = {who: words / statistics.median(s for s, _ in rows) for who, rows in results.items()}
    loss = {who: statistics.fmean(x for _, x in rows) for who, rows in results.items()}
    print(
        f"{name:<34} {rate['ours'] / 1e3:>7,.0f} {rate['gensim'] / 1e3:>7,.0f} {rate['ours'] / rate['gensim']:>6.2f}"
        f"   {loss['ours']:>6.3f} {loss['gensim']:>6.3f}   {loss['ours'] / loss['gensim']:>6.3f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the text, one round")
    quick = parser.parse_args().quick
    rounds, size = (1, 1_200_000) if quick else (3, 12_000_000)
    text, held_out, vocab_size = corpus(size)
    print(
        f"{len(text.ids):,} words in {len(text.starts):,} documents, {vocab_size:,} different; {len(held_out.ids):,} held out"
    )
    print(f"{'':<34} {'thousand words/s':>15} {'ratio':>6}   {'held-out loss':>13}   {'ratio':>6}")
    print(f"{'':<34} {'ours':>7} {'gensim':>7} {'>= 0.5':>6}   {'ours':>6} {'gensim':>6}   {'<= 1.0':>6}")
    common = {"window": 5, "negatives": 5, "subsample": 1e-3}
    for architecture in ("skip-gram", "cbow"):
        for d, epochs in ((100, 1), (100, 5), (24, 5)):
            name = f"{architecture}, d={d}, {epochs} pass{'es' if epochs > 1 else ''}"
            options = {"d": d, "epochs": epochs, "architecture": architecture, **common}
            compare(name, rounds, text, held_out, vocab_size, options)


if __name__ == "__main__":
    main()
