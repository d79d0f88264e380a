"""Writing: the model's next token becomes part of the text that it reads.

The context length counts both: a prompt and what is generated may have `max_length` tokens together. `max_new_tokens` counts only the
second. What happens at the limit is the caller's choice, and the result says what happened.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from lmcourse.language_model.model import LanguageModel
from lmcourse.language_model.sampling import GREEDY, SamplingConfig, sample_token
from lmcourse.tokens import pad_batch

OnLimit = Literal["stop", "slide", "error"]
Prompts = Int64[Tensor, "batch time"] | Sequence[Sequence[int]]


class Continuation(NamedTuple):
    """What was written behind a prompt.

    Attributes:
        ids: the new tokens; a stop token is kept.
        reason: why it ends: "stop" (a stop token), "length" (max_new_tokens) or "context" (prompt and new tokens fill the context).
        log_probabilities: log P of each token by the model's own law, in nats, whatever temperature and cuts made of it.
    """

    ids: tuple[int, ...]
    reason: str
    log_probabilities: tuple[float, ...]


@torch.inference_mode()
def generate(
    model: LanguageModel,
    prompts: Prompts,
    max_new_tokens: int,
    sampling: SamplingConfig = GREEDY,
    *,
    stop_ids: Iterable[int] = (),
    seed: int = 0,
    cache: bool = True,
    on_limit: OnLimit = "stop",
) -> list[Continuation]:
    """Return a continuation of each prompt, one token after the other, each drawn as `sampling` says.

    Args:
        prompts: rows of ids, of different lengths if they are lists. They are padded on the left, and the padding changes nothing.
        seed: of the draws; the same call gives the same texts. (A row draws other numbers in another batch.)
        cache: keep keys and values (`KVCache`). Without, the whole text is read again for each token: the same result, slowly.
        on_limit: when prompt and new tokens have reached the model's `max_length`:
            "stop": the text ends, and its reason is "context".
            "slide": the oldest tokens are dropped and the last `max_length` are read anew for each token, as a text of their
                own. A cache is of no use there: what a place knows it has from all before it, dropped ones too.
            "error": nothing begins unless prompt and max_new_tokens fit.

    Raises:
        ValueError: no prompt, or an empty one; `max_new_tokens` below 1; a prompt longer than the context (unless it slides);
            with "error", one that `max_new_tokens` does not fit behind; a model that is not causal.

    >>> from lmcourse.language_model.config import LanguageModelConfig
    >>> model = LanguageModel(LanguageModelConfig(vocab_size=10, d_model=8, n_heads=2, max_length=5))
    >>> [len(one.ids) for one in generate(model, [[1, 2, 3], [4]], max_new_tokens=3)]
    [2, 3]
    >>> generate(model, [[1, 2, 3]], max_new_tokens=3)[0].reason
    'context'
    """
    stops, context = set(stop_ids), model.config.max_length
    rows = check_prompts(model, prompts, max_new_tokens)
    _check_room(rows, max_new_tokens, context, on_limit)
    texts = [_Text(row, len(row)) for row in rows]
    for text in texts:
        if len(text.ids) == context and on_limit == "stop":
            text.reason = "context"
    reader = _Reader(model, _places(rows, max_new_tokens, context, on_limit) if cache else 0)
    generator = torch.Generator(model.head.weight.device).manual_seed(seed)
    while living := [text for text in texts if text.reason is None]:
        logits = reader.next_logits(living)  # (living, vocab)
        tokens = sample_token(logits, sampling, generator)
        log_probabilities = logits.log_softmax(-1).gather(-1, tokens[:, None])[:, 0]
        for text, token, log_p in zip(living, tokens.tolist(), log_probabilities.tolist(), strict=True):
            text.ids.append(token)
            text.log_probabilities.append(log_p)
            if token in stops:
                text.reason = "stop"
            elif len(text.log_probabilities) == max_new_tokens:
                text.reason = "length"
            elif len(text.ids) == context and on_limit == "stop":
                text.reason = "context"
    return [
        Continuation(tuple(text.ids[text.prompt_length :]), text.reason, tuple(text.log_probabilities))
        for text in texts
    ]


@dataclass(eq=False)
class _Text:
    """A prompt and what has been written behind it so far."""

    ids: list[int]
    prompt_length: int
    log_probabilities: list[float] = field(default_factory=list)
    reason: str | None = None


class _Reader:
    """Reads texts that grow by one token each between two calls; some of them may end."""

    def __init__(self, model: LanguageModel, places: int) -> None:
        self.model = model
        self.places = places  # of the cache; 0: no cache
        self.texts: list[_Text] = []  # those in the cache
        self.cache = self.mask = None

    def next_logits(self, texts: list[_Text]) -> Float[Tensor, "texts vocab"]:
        """Return the logits of the token after each of `texts`, read as far as the context reaches back."""
        longest = max(len(text.ids) for text in texts)
        if not self.places or longest > self.model.config.max_length:
            hidden = self._anew(texts)
        elif self.cache is None:
            hidden = self._begin(texts)
        else:
            hidden = self._go_on(texts)
        logits = self.model.head(hidden[:, -1])
        return logits.float() if logits.dtype.itemsize < 4 else logits

    def _anew(self, texts: list[_Text]) -> Tensor:
        ids, mask = self._pad(texts)
        return self.model.hidden(ids, attention_mask=mask)

    def _begin(self, texts: list[_Text]) -> Tensor:
        ids, mask = self._pad(texts)
        self.texts, self.cache = texts, self.model.new_cache(len(ids), self.places)
        if mask is not None:  # what is written later is text
            self.mask = mask.new_ones(len(ids), self.places)
            self.mask[:, : ids.shape[1]] = mask
        return self.model.hidden(ids, attention_mask=mask, cache=self.cache)

    def _go_on(self, texts: list[_Text]) -> Tensor:
        device = self.model.head.weight.device
        if len(texts) < len(self.texts):
            rows = torch.tensor([self.texts.index(text) for text in texts], device=device)
            self.texts, self.cache = texts, self.cache.select(rows)
            self.mask = None if self.mask is None else self.mask[rows]
        ids = torch.tensor([text.ids[-1:] for text in texts], device=device)
        mask = None if self.mask is None else self.mask[:, : self.cache.length + 1]
        return self.model.hidden(ids, attention_mask=mask, cache=self.cache)

    def _pad(self, texts: list[_Text]) -> tuple[Tensor, Tensor | None]:
        context, device = self.model.config.max_length, self.model.head.weight.device
        batch = pad_batch([text.ids[-context:] for text in texts], pad_id=0, padding_side="left")
        ragged = not bool(batch.attention_mask.all())
        return batch.input_ids.to(device), batch.attention_mask.to(device) if ragged else None


def _places(rows: list[list[int]], max_new_tokens: int, context: int, on_limit: OnLimit) -> int:
    """The tokens that a row of the padded batch can come to hold before all texts end or the cache is given up."""
    longest, shortest = max(map(len, rows)), min(map(len, rows))
    room = context - longest if on_limit == "slide" else context - shortest
    return longest + max(0, min(max_new_tokens, room))


def check_prompts(model: LanguageModel, prompts: Prompts, max_new_tokens: int) -> list[list[int]]:
    """Return the prompts as lists of ids, or raise a ValueError that says what is wrong."""
    if not model.config.causal:
        raise ValueError("'model' must be causal to write from left to right, got one that is not")
    if max_new_tokens < 1:
        raise ValueError(f"'max_new_tokens' must be at least 1, got {max_new_tokens}")
    rows = prompts.tolist() if isinstance(prompts, Tensor) else [list(map(int, row)) for row in prompts]
    if not rows or not all(rows):
        raise ValueError("'prompts' must be at least one row of at least one id, got an empty one")
    return rows


def _check_room(rows: list[list[int]], max_new_tokens: int, context: int, on_limit: OnLimit) -> None:
    if on_limit not in ("stop", "slide", "error"):
        raise ValueError(f"'on_limit' must be 'stop', 'slide' or 'error', got {on_limit!r}")
    longest = max(map(len, rows))
    if on_limit == "stop" and longest > context:
        raise ValueError(f"'prompts' must fit into the context of {context} tokens, got one of {longest}")
    if on_limit == "error" and longest + max_new_tokens > context:
        raise ValueError(
            f"'max_new_tokens' must fit into the context of {context} tokens behind a prompt of {longest}, "
            f"got {max_new_tokens}"
        )
