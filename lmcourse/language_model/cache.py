"""The KV cache: keys and values of the tokens that a model has read, kept for the tokens to come.

In a causal model no place changes when a token is added behind it. So of all that was computed for the tokens so far, the next
token needs only what it looks at: their keys and their values. With them kept, a step costs one token's work instead of the whole text's.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from lmcourse.language_model.config import LanguageModelConfig

New = Float[Tensor, "batch kv_heads time d_head"]
SoFar = Float[Tensor, "batch kv_heads key d_head"]


def cache_bytes(
    config: LanguageModelConfig, batch: int, length: int, dtype: torch.dtype = torch.float32
) -> int:
    """Return 2 * n_layers * kv_heads * d_head * length * batch * (bytes of a number): the memory of a `KVCache`.

    The 2 stands for keys and values. Fewer heads of keys and values are the cheapest way to make it smaller.

    >>> from lmcourse.language_model.config import llama_config
    >>> cache_bytes(llama_config(), batch=1, length=4096, dtype=torch.float16) / 2**30  # GiB
    2.0
    """
    return 2 * config.n_layers * config.kv_heads * config.head_size * length * batch * dtype.itemsize


class KVCache:
    """Keys and values of up to `length` tokens for each of `batch` texts, in memory that is taken once.

    Growing tensors (`torch.cat`) would copy all of it for each new token. A cache is for writing, not for training: no gradient flows
    through what it keeps.

    Attributes:
        length: how many tokens were read. All layers add the same tokens, the last one last: then the length grows.
        kept: (layer, keys or values, batch, kv_heads, place, d_head); places from `length` on mean nothing.

    Raises:
        ValueError: `batch` or `length` below 1.

    >>> config = LanguageModelConfig(vocab_size=10, d_model=8, n_heads=2, n_layers=1)
    >>> cache = KVCache(config, batch=1, length=5)
    >>> k, v = cache.update(0, torch.ones(1, 2, 3, 4), torch.zeros(1, 2, 3, 4))
    >>> k, v = cache.update(0, torch.ones(1, 2, 1, 4), torch.zeros(1, 2, 1, 4))
    >>> k.shape, cache.length, cache.capacity, cache.bytes
    (torch.Size([1, 2, 4, 4]), 4, 5, 320)
    """

    def __init__(
        self,
        config: LanguageModelConfig,
        batch: int,
        length: int,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str | None = None,
    ) -> None:
        for name, size in (("batch", batch), ("length", length)):
            if size < 1:
                raise ValueError(f"'{name}' must be at least 1, got {size}")
        shape = (config.n_layers, 2, batch, config.kv_heads, length, config.head_size)
        self._hold(torch.zeros(shape, dtype=dtype, device=device), 0)

    def _hold(self, kept: Tensor, length: int) -> None:
        self.kept, self.length = kept, length
        self._layers = [(kept[layer, 0], kept[layer, 1]) for layer in range(len(kept))]  # views

    @property
    def capacity(self) -> int:
        """How many tokens there is room for."""
        return self.kept.shape[-2]

    @property
    def bytes(self) -> int:
        """The memory that the keys and values take, filled or not: `cache_bytes`."""
        return self.kept.nbytes

    def update(self, layer: int, k: New, v: New) -> tuple[SoFar, SoFar]:
        """Add the keys and values that `layer` made of the next tokens; return all it has so far, as views.

        Raises:
            ValueError: more tokens than there is room for, or of another batch than the cache's.
        """
        end = self.length + k.shape[2]
        if end > self.capacity:
            raise ValueError(
                f"'k' must fit into the cache's length={self.capacity} behind {self.length} tokens, got {k.shape[2]}"
            )
        if k.shape[0] != self.kept.shape[2]:
            raise ValueError(f"'k' must have the cache's batch={self.kept.shape[2]}, got {k.shape[0]}")
        keys, values = self._layers[layer]  # (batch, kv_heads, capacity, d_head)
        # `narrow` is a slice with less ado than keys[:, :, a:b], and this is done in every layer for every token.
        keys.narrow(2, self.length, k.shape[2]).copy_(k.detach())
        values.narrow(2, self.length, v.shape[2]).copy_(v.detach())
        if layer == len(self._layers) - 1:
            self.length = end
        return keys.narrow(2, 0, end), values.narrow(2, 0, end)

    def select(self, rows: Int64[Tensor, "rows"]) -> KVCache:
        """Return a cache of the texts with the numbers `rows`, in that order; a number may come more than once."""
        chosen = object.__new__(KVCache)
        chosen._hold(self.kept.index_select(2, rows), self.length)
        return chosen
