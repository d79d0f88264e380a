"""What temperature, top-k and top-p make of the logits of a trained model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from lmcourse.figures import Figure
from lmcourse.widgets import attention

_HERE = Path(__file__).parent
_SOFTMAX = Path(attention.__file__).parent / "softmax.js"

TITLE = "From logits to a token"
CAPTION = (
    "The bars are the law of the next token: dashed as the model gives it, filled as a token is drawn from it. Take a low and a high temperature, "
    "then cut the tail with top-k or top-p, and change the prompt: a fixed k keeps as many tokens where one is certain "
    "as where many would do, top-p does not. The draws use the same random numbers for the same seed."
)
MOST = 20_000  # logits in all prompts together

# Name, temperature (0: greedy), top-k (0: all), top-p (1: all).
PRESETS = [
    ("greedy", 0, 0, 1),
    ("as it is", 1, 0, 1),
    ("hot", 1.5, 0, 1),
    ("top-k 5", 1, 5, 1),
    ("nucleus", 1, 0, 0.9),
]


@dataclass(frozen=True)
class NextToken:
    """What a model thinks of the token after a prompt.

    Attributes:
        prompt: the text so far.
        tokens: the whole vocabulary, as people read it; the same in all prompts.
        logits: one for each token.
    """

    prompt: str
    tokens: Sequence[str]
    logits: Float[np.ndarray, "vocab"]


def sampling_playground(
    prompts: Sequence[NextToken], *, rows: int = 15, title: str = TITLE, caption: str = CAPTION
) -> Figure:
    """An interactive figure: the law of the next token before and after temperature, top-k and top-p, and draws from it.

    Applied in the order temperature, top-k, top-p. Tokens that tie with the k-th stay; top-p keeps the smallest set whose probability
    reaches p, of equal tokens those that stand first. Logits travel in thousandths of a nat. *Probability cut* is what the law after
    the temperature gives to the tokens that are left out.

    Args:
        rows: how many tokens are shown, the most probable ones; the others share a row.

    Raises:
        ValueError: no prompt, other tokens from prompt to prompt, logits that are not finite or not one for each
            token, more than 20,000 of them, rows below 1.

    >>> sampling_playground([NextToken("the", ["fox", "dog"], np.array([1.0, 0.0]))])
    Figure('From logits to a token')
    """
    if not prompts:
        raise ValueError("'prompts' must hold at least one prompt, got none")
    if rows < 1:
        raise ValueError(f"'rows' must be at least 1, got {rows}")
    vocab = list(prompts[0].tokens)
    if len(vocab) * len(prompts) > MOST:
        raise ValueError(f"'prompts' must hold at most {MOST} logits, got {len(prompts)} times {len(vocab)}")
    packed, table = [], [("The text so far", "Strategy", "Entropy (nats)", "Tokens kept", "Most probable")]
    entropies = []
    for number, one in enumerate(prompts):
        if list(one.tokens) != vocab:
            raise ValueError(f"'tokens' must be the same in all prompts, got others in prompt {number}")
        logits = np.asarray(one.logits, dtype=np.float64)
        if logits.shape != (len(vocab),) or not np.isfinite(logits).all():
            raise ValueError(
                f"'logits' must be {len(vocab)} finite numbers, one for each token, got {logits.shape} in prompt {number}"
            )
        thousandths = np.rint(1000 * (logits - logits.max())).astype(int)
        packed.append({"prompt": one.prompt, "logits": thousandths.tolist()})
        for name, *how in PRESETS:
            law, kept = sampled_law(thousandths / 1000, *how)
            best = np.argsort(-law, kind="stable")[:3]
            likely = ", ".join(f"{vocab[i]} {law[i]:.2f}" for i in best if law[i] > 0)
            table.append((one.prompt, name, f"{_entropy(law):.2f}", int(kept.sum()), likely))
        entropies.append(_entropy(sampled_law(thousandths / 1000, 1, 0, 1)[0]))
    low, high = int(np.argmin(entropies)), int(np.argmax(entropies))
    return Figure(
        [_SOFTMAX, _HERE / "sampling_playground.js"],
        {"vocab": vocab, "prompts": packed, "presets": [list(preset) for preset in PRESETS], "shown": rows},
        state={"prompt": 0, "temperature": 1, "top_k": 0, "top_p": 1, "seed": 0},
        css=_HERE / "sampling_playground.css",
        title=title,
        caption=caption,
        alt=f"The law of the next token over {len(vocab)} tokens. Its entropy is lowest after “{prompts[low].prompt}”, {entropies[low]:.2f} "
        f"nats, and highest after “{prompts[high].prompt}”, {entropies[high]:.2f} nats.",
        fallback=table,
    )


def sampled_law(
    logits: Float[np.ndarray, "vocab"], temperature: float, top_k: int, top_p: float
) -> tuple[Float[np.ndarray, "vocab"], Bool[np.ndarray, "vocab"]]:
    """The probabilities that a token is drawn with, and which tokens are kept.

    >>> law, kept = sampled_law(np.log([0.1, 0.5, 0.4]), 1, 2, 1)
    >>> law.round(4).tolist(), kept.tolist()
    ([0.0, 0.5556, 0.4444], [False, True, True])
    """
    order = np.argsort(-logits, kind="stable")
    if temperature == 0:
        kept = np.arange(len(logits)) == order[0]
        return kept.astype(np.float64), kept
    scaled = logits / temperature
    kept = scaled >= scaled[order[top_k - 1]] if 0 < top_k < len(logits) else np.ones(len(logits), dtype=bool)
    if top_p < 1:
        law = _softmax(np.where(kept, scaled, -math.inf))[order]
        kept[order[np.cumsum(law) - law >= top_p]] = False
    return _softmax(np.where(kept, scaled, -math.inf)), kept


def _softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


def _entropy(law: np.ndarray) -> float:
    """In nats."""
    return float(-(law * np.log(np.where(law > 0, law, 1))).sum()) + 0.0  # and not -0
