"""A masked language model, as BERT is one: the same blocks without the causal mask, and another task.

Every place sees the whole text, so each vector knows what comes before it and after it. That is what one wants in order to understand
a text that is already there: to classify, to search, to fill a gap. What is lost is the product P(w_1) P(w_2 | w_1) ...: such a
model gives no probability to a text and does not write one. What it gives instead is P(w_t | all other words). The sum
of their logarithms over a text is called its pseudo-log-likelihood (Salazar et al. 2020, "Masked Language Model Scoring"); exp of its
negative mean, the pseudo-perplexity, compares texts, but not with the perplexity of a model that reads from left to right.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from lmcourse.encoder_decoder.feed_forward import ACTIVATIONS
from lmcourse.encoder_decoder.norms import make_norm
from lmcourse.language_model.config import LanguageModelConfig
from lmcourse.language_model.model import Ids, LanguageModel, Logits
from lmcourse.tokens import Tokenizer


def bert_config(**changes: Any) -> LanguageModelConfig:
    """Return the configuration of the base size of BERT (Devlin et al. 2019), with `changes`.

    >>> bert_config(n_layers=2, d_model=64, n_heads=2).order
    'post'
    """
    bert = {"vocab_size": 30_522, "d_model": 768, "n_heads": 12, "n_layers": 12, "max_length": 512}
    bert |= {"norm": "layer", "order": "post", "eps": 1e-12, "feed_forward": "gelu", "bias": True}
    bert |= {"positions": "learned", "token_types": 2, "embedding_norm": True, "causal": False}
    return LanguageModelConfig(**bert | changes)


class MaskedHead(nn.Module):
    """The head of BERT: norm(act(W h + b)), then one score for each token of the vocabulary, with a bias each.

    act is the activation of the feed-forward network (GELU where that has a gate). The scores are products with the
    embeddings themselves if the model is tied.
    """

    def __init__(self, config: LanguageModelConfig, embedding: nn.Module) -> None:
        super().__init__()
        d, tokens = config.d_model, embedding.weight
        self.activation = "gelu" if config.gated else config.feed_forward
        self.transform = nn.Linear(d, d)
        nn.init.normal_(self.transform.weight, 0, config.std)
        nn.init.zeros_(self.transform.bias)
        self.norm = make_norm(config.norm, d, config.eps)
        self.weight = tokens if config.tied else nn.Parameter(config.std * torch.randn_like(tokens))
        self.bias = nn.Parameter(tokens.new_zeros(config.vocab_size))

    def forward(self, h: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch vocab"]:
        h = self.norm(ACTIVATIONS[self.activation](self.transform(h)))
        return nn.functional.linear(h, self.weight, self.bias)


class MaskedLM(LanguageModel):
    """P(w_t | all places of the text as the model reads it) = softmax(logits[t]); for places whose word is hidden or doubtful.

    It is a `LanguageModel` in its parts (tokenizer, stack, head), not in what its logits mean: they are about the place itself and not
    about the next one. Train it with `mask_tokens` and `masked_loss`.

    Raises:
        ValueError: a configuration with `causal`; as `LanguageModel`.

    >>> model = MaskedLM(bert_config(vocab_size=10, d_model=8, n_heads=2, n_layers=1))
    >>> model(torch.tensor([[1, 2, 3]])).shape
    torch.Size([1, 3, 10])
    """

    def __init__(self, config: LanguageModelConfig, tokenizer: Tokenizer | None = None) -> None:
        if config.causal:
            raise ValueError("'config' must have causal=False for a masked language model, got True")
        super().__init__(config, tokenizer)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed + 1)
            self.head = MaskedHead(config, self.stack.tokens)

    def forward(
        self, input_ids: Ids, *, attention_mask: Tensor | None = None, token_types: Ids | None = None
    ) -> Logits:
        """Return the logits: [b, t] scores every token as the one at place t.

        Args:
            attention_mask: 1 = text, 0 = padding, (batch, time). token_types: 0 = first sentence, 1 = second; None: all 0.
        """
        return self.head(self.stack(input_ids, attention_mask=attention_mask, token_types=token_types))


@torch.no_grad()
def guess_masked(
    model: MaskedLM, ids: Int64[Tensor, "time"], mask_id: int, top: int = 5
) -> list[list[tuple[int, float]]]:
    """Return for each masked place of a text the `top` likeliest ids with their probabilities, the likeliest first.

    Several masks are guessed each by itself: their joint law is not the product of these.

    >>> model = MaskedLM(bert_config(vocab_size=10, d_model=8, n_heads=2, n_layers=1))
    >>> [len(guesses) for guesses in guess_masked(model, torch.tensor([1, 9, 3, 9]), mask_id=9, top=2)]
    [2, 2]
    """
    law = model(ids[None])[0, ids == mask_id].softmax(-1)  # (masks, vocab)
    best = law.topk(top)
    return [
        list(zip(chosen.tolist(), p.tolist(), strict=True))
        for chosen, p in zip(best.indices, best.values, strict=True)
    ]


@torch.no_grad()
def pseudo_surprisal(
    model: MaskedLM, ids: Int64[Tensor, "batch time"], mask_id: int
) -> Float[Tensor, "batch time"]:
    """Return -ln P(w_t | all other words) in nats, each place hidden once, for texts of one length.

    It takes as many passes as a text has places.

    >>> model = MaskedLM(bert_config(vocab_size=10, d_model=8, n_heads=2, n_layers=1))
    >>> pseudo_surprisal(model, torch.tensor([[1, 2, 3]]), mask_id=9).shape
    torch.Size([1, 3])
    """
    columns = []
    for place in range(ids.shape[1]):
        hidden = ids.clone()
        hidden[:, place] = mask_id
        law = model(hidden)[:, place].log_softmax(-1)  # (batch, vocab)
        columns.append(-law.gather(1, ids[:, place, None]))
    return torch.cat(columns, dim=1)
