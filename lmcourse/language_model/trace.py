"""End to end: one text through the model, with every tensor on its way, and round again.

    text -> tokens -> ids -> embeddings -> blocks -> norm -> logits -> probabilities -> a token -> a longer text

The stages below are the lines of `Stack.forward` and `Block.forward`, one by one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lmcourse.language_model.block import Block
from lmcourse.language_model.model import LanguageModel
from lmcourse.language_model.sampling import GREEDY, SamplingConfig, next_token_law, sample_token
from lmcourse.widgets.language_model import FlowRound, FlowStage


@torch.no_grad()
def trace(
    model: LanguageModel,
    text: str,
    max_new_tokens: int = 1,
    sampling: SamplingConfig = GREEDY,
    *,
    seed: int = 0,
    top: int = 8,
) -> list[FlowRound]:
    """Return a round for each new token: the tensors by name, with shape and values, and the token that was taken.

    `lmcourse.widgets.language_model.flow` draws them. Of a batch of one text, the values have a row for each place. Attention weights
    are shown as their mean over the heads, logits and probabilities for the `top` most probable next tokens.

    Args:
        sampling, seed: as in `generate`, which takes the same tokens. The probabilities are those drawn from, and the model's own
            where the best token is taken.

    Raises:
        ValueError: a model without a tokenizer; a text without tokens, or of more than fit into the context with `max_new_tokens` behind
            it; `max_new_tokens` or `top` below 1.

    >>> from lmcourse.language_model.config import LanguageModelConfig
    >>> from lmcourse.tokens import WordTokenizer
    >>> tokenizer = WordTokenizer.train(["the fox sees the hen"], vocab_size=10, special_tokens=["<unk>"])
    >>> model = LanguageModel(LanguageModelConfig(tokenizer.vocab_size, d_model=8, n_heads=2, n_layers=1), tokenizer)
    >>> (round,) = trace(model, "the fox", top=2)
    >>> [(stage.name, stage.shape) for stage in round.stages][:2]
    [('embedding', (1, 2, 8)), ('blocks[0].attention.weights', (1, 2, 2, 2))]
    """
    for name, value in (("max_new_tokens", max_new_tokens), ("top", top)):
        if value < 1:
            raise ValueError(f"'{name}' must be at least 1, got {value}")
    ids, context = model.from_text(text), model.config.max_length
    if not 0 < ids.shape[1] <= context - max_new_tokens:
        raise ValueError(
            f"'text' must have from 1 to {context - max_new_tokens} tokens, so that it fits into the context of {context} with "
            f"max_new_tokens={max_new_tokens}, got {ids.shape[1]}"
        )
    generator = torch.Generator(ids.device).manual_seed(seed)
    shown = sampling if sampling.temperature else SamplingConfig()
    rounds = []
    for _ in range(max_new_tokens):
        words = [_word(model, i) for i in ids[0].tolist()]
        stages, hidden = _stages(model, ids, words)
        logits = model.head(hidden)  # (1, time, vocab)
        law = next_token_law(logits, shown)
        chosen = sample_token(logits[:, -1], sampling, generator)
        best = law[0, -1].topk(min(top, law.shape[-1]))
        guesses = [_word(model, i) for i in best.indices.tolist()]
        for name, tensor, note in (
            ("logits", logits, "A score for every token of the vocabulary: how well its vector fits."),
            ("probabilities", law, "The softmax of the scores. The last row is the law of the next token."),
        ):
            stages.append(_stage("Output", name, tensor, note, tensor[0][:, best.indices], guesses))
        rounds.append(
            FlowRound(
                text=model.to_text(ids[0]),
                tokens=words,
                ids=ids[0].tolist(),
                stages=stages,
                guesses=list(zip(guesses, best.values.tolist(), strict=True)),
                chosen=_word(model, chosen.item()),
            )
        )
        ids = torch.cat([ids, chosen[:, None]], dim=1)
    return rounds


def _stages(model: LanguageModel, ids: Tensor, words: Sequence[str]) -> tuple[list[FlowStage], Tensor]:
    """The stages up to the vectors that the head reads, and these."""
    stack = model.stack
    stages = [_stage("Input", "embedding", stack.tokens(ids), "A row of the table for each id.")]
    x = stack.embed(ids)
    if not torch.equal(x, stack.tokens(ids)):
        stages.append(_stage("Input", "embed", x, "What tells the places apart is added."))
    for layer, block in enumerate(stack.blocks):
        x, inside = _block_stages(block, x, layer, model, words)
        stages += inside
    if model.config.order == "pre":
        x = stack.norm(x)
        stages.append(_stage("Output", "norm", x, "Each vector is brought to one size."))
    return stages, x


def _block_stages(
    block: Block, x: Tensor, layer: int, model: LanguageModel, words: Sequence[str]
) -> tuple[Tensor, list[FlowStage]]:
    part, name = f"Block {layer + 1}", f"blocks[{layer}]"
    h = block.around_attention.enter(x)
    seen, weights = block.attend(h, layer=layer, positions=model.stack.positions, return_weights=True)
    between = block.around_attention.leave(x, seen)
    thought = block.feed_forward(block.around_feed_forward.enter(between))
    x = block.around_feed_forward.leave(between, thought)
    looks = "Where each place looks (the mean over the heads): a row is a law over the places so far."
    return x, [
        _stage(part, f"{name}.attention.weights", weights, looks, weights[0].mean(dim=0), words),
        _stage(part, f"{name}.attention", seen, "What each place takes from where it looks."),
        _stage(part, f"{name}.after_attention", between, "The stream: what was there and what was taken."),
        _stage(part, f"{name}.feed_forward", thought, "What each place makes of it, alone."),
        _stage(part, name, x, "The stream again, with that added: what the next part reads."),
    ]


def _stage(
    part: str,
    name: str,
    tensor: Tensor,
    note: str,
    values: Tensor | None = None,
    columns: Sequence[str] = (),
) -> FlowStage:
    shown = (tensor[0] if values is None else values).double().cpu().numpy()
    return FlowStage(name, tuple(tensor.shape), note, shown, tuple(columns), part)


def _word(model: LanguageModel, token_id: int) -> str:
    """A token as people read it."""
    return model.to_text([token_id]) or model.tokenizer.id_to_token[token_id]
