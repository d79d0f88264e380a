"""The two experiments of this chapter, over several seeds: accuracy against length, and when recall is found.

A lesson has time for one seed. `record_studies` runs three, which takes some ten minutes, and keeps the numbers beside the
package; `recorded_study` reads them. So a lesson can show its own run beside the spread of others.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lmcourse.attention.language_model import SelfAttentionLM, SelfAttentionLMConfig
from lmcourse.attention.recall import short_play, train_on_plays
from lmcourse.attention.translators import (
    AttentiveConfig,
    AttentiveSeq2Seq,
    SelfAttentionTranslator,
    SelfAttentionTranslatorConfig,
)
from lmcourse.corpora import TranslationGrammar, translation
from lmcourse.recurrence import (
    RecurrentLMConfig,
    Seq2Seq,
    Seq2SeqConfig,
    Translator,
    exact_match_by_length,
    train_translator,
)
from lmcourse.recurrence.floor import MakeModel
from lmcourse.training import TrainConfig, side_by_side
from lmcourse.training.studies_file import write_studies

STUDY_FILE = Path(__file__).parent / "data" / "studies.json"
STUDY_BANDS = ((3, 6), (7, 10), (11, 14), (15, 18), (19, 22), (23, 24))

Runs = dict[str, list[list[float]]]  # name -> one list of numbers for each seed


def translators(grammar: TranslationGrammar, seed: int = 0) -> dict[str, tuple[Translator, TrainConfig]]:
    """Return three untrained translators with their recipes, each for about the same time on one core.

    The two recurrent ones have encoders of the same size, with the same first weights.

    >>> models = translators(translation())
    >>> fixed, looking = models["fixed context"][0].encoder, models["RNN + attention"][0].encoder
    >>> all(a.equal(b) for a, b in zip(fixed.parameters(), looking.parameters(), strict=True))
    True
    """
    sizes = (len(grammar.source_vocab), len(grammar.target_vocab))
    recurrent = {"hidden_size": 192, "cell": "lstm", "seed": seed}
    common = {"warmup": 100, "flat_until": 0.5, "seed": seed}
    return {
        "fixed context": (
            Seq2Seq(Seq2SeqConfig(*sizes, **recurrent)),
            TrainConfig(steps=700, batch_size=64, lr=6e-3, **common),
        ),
        "RNN + attention": (
            AttentiveSeq2Seq(AttentiveConfig(*sizes, **recurrent)),
            TrainConfig(steps=600, batch_size=64, lr=6e-3, **common),
        ),
        "self-attention": (
            SelfAttentionTranslator(SelfAttentionTranslatorConfig(*sizes, seed=seed)),
            TrainConfig(steps=1000, batch_size=32, lr=3e-3, **common),
        ),
    }


def additive_translator(grammar: TranslationGrammar, seed: int = 0) -> tuple[Translator, TrainConfig]:
    """Return the second of `translators` with Bahdanau's score in place of Luong's, and its recipe."""
    looking, recipe = translators(grammar, seed)["RNN + attention"]
    return AttentiveSeq2Seq(replace(looking.config, score="additive")), recipe


def readers_of_plays(
    vocab_size: int, seed: int = 0
) -> dict[str, tuple[SelfAttentionLMConfig | RecurrentLMConfig, TrainConfig]]:
    """Return the sizes of three language models that are to find out that lines come back, with one recipe for all.

    The LSTM has a third more weights than the two layers of attention.

    >>> sorted(readers_of_plays(100))
    ['LSTM', 'one layer', 'two layers']
    """
    recipe = TrainConfig(steps=1900, batch_size=16, lr=4e-3, flat_until=0.85, eval_every=100, seed=seed)
    return {
        "two layers": (SelfAttentionLMConfig(vocab_size, n_layers=2, seed=seed), recipe),
        "one layer": (SelfAttentionLMConfig(vocab_size, n_layers=1, seed=seed), recipe),
        "LSTM": (RecurrentLMConfig(vocab_size, d_model=64, hidden_size=72, fused=True, seed=seed), recipe),
    }


def attention_models() -> dict[str, MakeModel]:
    """Return this chapter's models for the table of distances to the floor."""

    def of(n_layers: int) -> MakeModel:
        return lambda vocab_size, seed: SelfAttentionLM(
            SelfAttentionLMConfig(vocab_size, n_layers=n_layers, seed=seed)
        )

    return {"self-attention, 1 layer": of(1), "self-attention, 2 layers": of(2)}


def length_study(
    seeds: Sequence[int], n_train: int = 20_000, n_test: int = 1_000, n_jobs: int | None = None
) -> Runs:
    """Return the share of exactly right translations in each of `STUDY_BANDS`, for each translator and seed.

    A seed decides the first weights and the order of the sentences; the sentences are the same for all. "additive" is
    `additive_translator`.
    """
    grammar = translation()
    pairs = grammar.sample(n_train, lengths=(4, 24), seed=0)
    test = grammar.sample(n_test, lengths=(4, 24), seed=1).without(pairs)
    models = [translators(grammar, seed) | {"additive": additive_translator(grammar, seed)} for seed in seeds]
    names = list(models[0]) if models else []
    jobs = [(*of_seed[name], pairs, test) for name in names for of_seed in models]
    shares = side_by_side(_translate, jobs, n_jobs)
    return {name: shares[at * len(seeds) : (at + 1) * len(seeds)] for at, name in enumerate(names)}


def _translate(model: Translator, config: TrainConfig, pairs, test) -> list[float]:
    train_translator(model, pairs, config, progress=False)
    return [round(band.share, 4) for band in exact_match_by_length(model, test, STUDY_BANDS)]


def recall_study(seeds: Sequence[int], n_jobs: int | None = None) -> Runs:
    """Return what each reader pays for tokens that could be recalled, in nats, after 0, 100, 200 ... steps, for each seed."""
    source = short_play()
    names = list(readers_of_plays(len(source.vocab)))
    jobs = [(name, source, seed) for name in names for seed in seeds]
    curves = side_by_side(_read, jobs, n_jobs)
    return {name: curves[at * len(seeds) : (at + 1) * len(seeds)] for at, name in enumerate(names)}


def _read(name: str, source, seed: int) -> list[float]:
    config, recipe = readers_of_plays(len(source.vocab), seed)[name]
    _, history = train_on_plays(config, source, recipe, progress=False)
    return [round(value, 4) for value in history.evaluations["recalled"]]


def record_studies(seeds: Sequence[int] = (0, 1, 2), path: Path = STUDY_FILE) -> dict[str, Runs]:
    """Run both studies and keep them in `path`, written whole or not at all."""
    studies = {"lengths": length_study(seeds), "recall": recall_study(seeds)}
    write_studies(studies, path)
    return studies


def recorded_study(name: str, path: Path = STUDY_FILE) -> Runs:
    """Return what was recorded of "lengths" or "recall": for each model, a list for each seed.

    Raises:
        ValueError: another name.

    >>> recorded_study("sizes")
    Traceback (most recent call last):
    ValueError: 'name' must be one of ['lengths', 'recall'], got 'sizes'
    """
    studies = json.loads(path.read_text(encoding="utf-8"))
    if name not in studies:
        raise ValueError(f"'name' must be one of {sorted(studies)}, got {name!r}")
    return studies[name]
