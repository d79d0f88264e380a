"""The experiments of this chapter, over several seeds: accuracy against length, what each part is worth, how to search, what heads see.

As in `lmcourse.attention.studies`: a lesson has time for one run, `record_studies` makes all of them, and `recorded_study` reads what it
wrote beside the package. The translators of chapters 03 and 04 stand there too, with the same sentences and about the same time:
`lmcourse.attention.recorded_study("lengths")`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from lmcourse.attention.studies import STUDY_BANDS, Runs, translators
from lmcourse.corpora import Pairs, TranslationGrammar, translation
from lmcourse.encoder_decoder.head_alignment import SHIFTS, cross_attention_errors
from lmcourse.encoder_decoder.scores import score_sentences, translate
from lmcourse.encoder_decoder.training import smoothed_translation_loss
from lmcourse.encoder_decoder.transformer import Transformer, TransformerConfig
from lmcourse.recurrence import Translator, exact_match_by_length, train_translator
from lmcourse.recurrence.decoding import beam_search, greedy
from lmcourse.recurrence.translation_training import Decode, pad_pairs, pair_batches, translation_loss
from lmcourse.training import History, TrainConfig, side_by_side, train
from lmcourse.training.studies_file import write_studies

Model = TypeVar("Model", bound=Translator)

STUDY_FILE = Path(__file__).parent / "data" / "studies.json"


@dataclass(frozen=True)
class Plan:
    """A Transformer and how it is trained. What is in `sizes` and `recipe` stands for what `TransformerConfig` and `TrainConfig` say.

    The sizes and the recipe of the lesson are the defaults; they were chosen so that training takes about as long as that of the
    translators of chapter 04, on one core.

    Args:
        smoothing: of the labels. wide_biases: biases of queries and keys in self-attention start as draws from N(0, 1), not at 0, for
            the reason that is given in `lmcourse.attention.ResidualAttention`.
    """

    sizes: dict = field(default_factory=dict)
    recipe: dict = field(default_factory=dict)
    smoothing: float = 0.0
    wide_biases: bool = True

    def model(self, grammar: TranslationGrammar, seed: int = 0) -> Transformer:
        """Return the model, not trained."""
        vocabularies = (len(grammar.source_vocab), len(grammar.target_vocab))
        model = Transformer(TransformerConfig(*vocabularies, **SIZES | {"seed": seed} | self.sizes))
        if self.wide_biases:
            generator = torch.Generator().manual_seed(seed)
            for block in (*model.encoder.blocks, *model.decoder.blocks):
                for projection in (block.attention.q_proj, block.attention.k_proj):
                    nn.init.normal_(projection.bias, generator=generator)
        return model

    def config(self, seed: int = 0) -> TrainConfig:
        return TrainConfig(**RECIPE | {"seed": seed} | self.recipe)

    def but(self, **sizes) -> Plan:
        """Return this plan with other sizes."""
        return replace(self, sizes=self.sizes | sizes)


SIZES = {"d_model": 64, "n_heads": 4, "n_layers": 3, "d_ff": 128, "positions": "rope", "base": 100.0}
RECIPE = {"steps": 750, "batch_size": 32, "lr": 4e-3, "warmup": 100, "flat_until": 0.5}
PATIENCE = 3  # times the steps, for whoever learns slowly


def transformer_recipe(
    grammar: TranslationGrammar, seed: int = 0, steps: int | None = None
) -> tuple[Transformer, TrainConfig]:
    """Return the lesson's Transformer, not trained, and its recipe, as `lmcourse.attention.translators` returns the others.

    >>> model, recipe = transformer_recipe(translation())
    >>> sum(weights.numel() for weights in model.parameters()), recipe.steps
    (264576, 750)
    """
    plan = Plan(recipe={} if steps is None else {"steps": steps})
    return plan.model(grammar, seed), plan.config(seed)


def ablations(steps: int = 375) -> dict[str, Plan]:
    """Return the lesson's plan with half its steps, then with one thing taken away or changed.

    >>> list(ablations())[:3]
    ['as in the lesson', 'no positions', 'encoder without positions']
    """
    whole = Plan(recipe={"steps": steps})
    at_once = replace(whole, recipe={"steps": steps, "warmup": 0})
    return {
        "as in the lesson": whole,
        "no positions": whole.but(positions="none"),
        "encoder without positions": whole.but(encoder_positions="none"),
        "sinusoids": whole.but(positions="sinusoidal", base=10_000.0),
        "no scale": whole.but(scale=1.0),
        "one head": whole.but(n_heads=1),
        "norm behind": whole.but(order="post"),
        "no warm-up": at_once,
        "norm behind, no warm-up": at_once.but(order="post"),
        "label smoothing 0.1": replace(whole, smoothing=0.1),
        "biases from 0": replace(whole, wide_biases=False),
    }


def train_transformer(
    model: Model, pairs: Pairs, config: TrainConfig, smoothing: float = 0.0, progress: bool = True
) -> tuple[Model, History]:
    """Train `model` on `pairs` with smoothed labels, in place; return it and what happened.

    Without smoothing it is `lmcourse.recurrence.train_translator`.
    """
    batches = pair_batches(pairs, config.batch_size, config.seed)
    loss = smoothed_translation_loss(smoothing) if smoothing else translation_loss
    return model, train(model, batches, loss, config, progress=progress)


def by_beam(width: int = 4, length_penalty: float = 0.0) -> Decode:
    """Return a decoder for `translate`: the best hypothesis of a beam search."""

    def decode(model, source_ids, lengths, max_length):
        found = beam_search(model, source_ids, lengths, width, max_length, length_penalty)
        return [list(hypotheses[0].ids) for hypotheses in found]

    return decode


def searches() -> dict[str, Decode]:
    """Return the ways of writing that are compared.

    >>> list(searches())
    ['greedy', 'beam of 4', 'beam of 4, penalty 0.6', 'beam of 4, penalty 1.5']
    """
    beams = {f"beam of 4, penalty {alpha}": by_beam(4, alpha) for alpha in (0.6, 1.5)}
    return {"greedy": greedy, "beam of 4": by_beam(4), **beams}


def _sentences(n_train: int = 20_000, n_test: int = 1_000) -> tuple[Pairs, Pairs]:
    """The sentences of `lmcourse.attention.studies.length_study`."""
    grammar = translation()
    pairs = grammar.sample(n_train, lengths=(4, 24), seed=0)
    return pairs, grammar.sample(n_test, lengths=(4, 24), seed=1).without(pairs)


def _study_of_one(
    seed: int, pairs: Pairs, test: Pairs, n_few: int = 300
) -> dict[str, dict[str, list[float]]]:
    """The lesson's model: right translations by length; the ways of writing and the heads on the first `n_few` test sentences."""
    model, config = transformer_recipe(translation(), seed)
    train_transformer(model, pairs, config, progress=False)
    bands = exact_match_by_length(model, test, STUDY_BANDS)
    few = test[:n_few]
    found: dict[str, dict[str, list[float]]] = {
        "lengths": {"Transformer": [round(band.share, 4) for band in bands]},
        "decoding": {},
    }
    for name, decode in searches().items():
        written = translate(model, few, decode)
        scores = score_sentences(written, few.target)
        ratio = sum(map(len, written)) / sum(map(len, few.target))
        found["decoding"][name] = [round(scores.exact, 4), scores.bleu, scores.chrf, round(ratio, 4)]
    found["heads"] = {
        f"layer {row.layer}, head {row.head}": [round(row.errors[s], 4) for s in SHIFTS]
        for row in cross_attention_errors(model, few)
    }
    return found


def patient_translators(
    grammar: TranslationGrammar, seed: int = 0
) -> dict[str, tuple[Translator, TrainConfig]]:
    """Return the lesson's two translators, not trained, with `PATIENCE` times the steps.

    >>> [recipe.steps for _, recipe in patient_translators(translation()).values()]
    [1800, 2250]
    """
    both = {
        "RNN + attention": translators(grammar, seed)["RNN + attention"],
        "Transformer": transformer_recipe(grammar, seed),
    }
    return {
        f"{name}, {PATIENCE} x": (model, replace(recipe, steps=PATIENCE * recipe.steps))
        for name, (model, recipe) in both.items()
    }


def _patiently(name: str, seed: int, pairs: Pairs, test: Pairs) -> list[float]:
    model, recipe = patient_translators(translation(), seed)[name]
    train_translator(model, pairs, recipe, progress=False)
    return [round(band.share, 4) for band in exact_match_by_length(model, test, STUDY_BANDS)]


def _ablation(plan: Plan, seed: int, pairs: Pairs, test: Pairs) -> list[float]:
    """Share of exactly right translations, BLEU, and the loss on held-out sentences, in nats a token."""
    model = plan.model(translation(), seed)
    train_transformer(model, pairs, plan.config(seed), plan.smoothing, progress=False)
    scores = score_sentences(translate(model, test), test.target)
    return [round(scores.exact, 4), scores.bleu, round(held_out_loss(model, test), 4)]


@torch.no_grad()
def held_out_loss(model: Transformer, pairs: Pairs) -> float:
    """Return the mean of -log P(target | source) in nats per target token, without smoothing."""
    source, target = pairs.ids()
    total = n = 0.0
    for start in range(0, len(source), 250):
        batch = pad_pairs(source[start : start + 250], target[start : start + 250])
        tokens = (batch.targets >= 0).sum().item()
        total += translation_loss(model, batch).item() * tokens
        n += tokens
    return total / n


def record_studies(
    seeds: Sequence[int] = (0, 1, 2), path: Path = STUDY_FILE, n_jobs: int | None = None
) -> dict[str, Runs]:
    """Run all studies, which takes some twenty minutes on two cores, and keep them in `path`.

    What is done is written as soon as it is there, whole or not at all; a study that stands in the file already is made anew.
    """
    pairs, test = _sentences()
    studies: dict[str, Runs] = {}
    results = side_by_side(_study_of_one, [(seed, pairs, test) for seed in seeds], n_jobs)
    for name in ("lengths", "decoding", "heads"):
        studies[name] = {key: [result[name][key] for result in results] for key in results[0][name]}
    write_studies(studies, path)
    for name in patient_translators(translation()):
        jobs = [(name, seed, pairs, test) for seed in seeds]
        studies["lengths"][name] = side_by_side(_patiently, jobs, n_jobs)
    write_studies(studies, path)
    studies["ablations"] = {}
    for name, plan in ablations().items():
        jobs = [(plan, seed, pairs, test) for seed in seeds]
        studies["ablations"][name] = side_by_side(_ablation, jobs, n_jobs)
        write_studies(studies, path)
    return studies


def recorded_study(name: str, path: Path = STUDY_FILE) -> Runs:
    """Return what was recorded: for each row a list of numbers for each seed.

    "lengths": the share of exactly right translations in each of `lmcourse.attention.studies.STUDY_BANDS`. Names with "3 x" had `PATIENCE` times the steps. "ablations": exact match,
    BLEU and held-out loss. "decoding": exact match, BLEU, chrF, and the length of what was written as a share of what is right.
    "heads": the errors of each head of cross-attention at the shifts -1, 0 and 1, see `HeadAlignment`.

    Raises:
        ValueError: another name.

    >>> recorded_study("sizes")
    Traceback (most recent call last):
    ValueError: 'name' must be one of ['ablations', 'decoding', 'heads', 'lengths'], got 'sizes'
    """
    studies = json.loads(path.read_text(encoding="utf-8"))
    if name not in studies:
        raise ValueError(f"'name' must be one of {sorted(studies)}, got {name!r}")
    return studies[name]
