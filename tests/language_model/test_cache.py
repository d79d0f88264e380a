"""The cache: the same outputs with and without, its memory by the formula, its rows chosen for beams."""

import pytest
import torch

from lmcourse.language_model import KVCache, LanguageModelConfig, cache_bytes, llama_config
from tests.language_model.support import EVERY, VARIANTS, VOCAB, model_of, some_ids


def in_pieces(model, ids, cuts, **options) -> torch.Tensor:
    cache = model.new_cache(len(ids), ids.shape[1])
    pieces = [model(piece, cache=cache, **options) for piece in ids.tensor_split(cuts, dim=1)]
    assert cache.length == ids.shape[1]
    return torch.cat(pieces, dim=1)


@pytest.mark.parametrize(("variant", "fused"), EVERY)
@pytest.mark.parametrize("cuts", [[], [1], [8], [4, 5, 6, 7, 8], [3, 6]], ids=str)
def test_a_text_in_pieces_gives_what_the_whole_text_gives(variant, fused, cuts):
    model, ids = model_of(variant, fused), some_ids()
    torch.testing.assert_close(in_pieces(model, ids, cuts), model(ids), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("variant", "fused"), EVERY)
def test_padded_texts_in_pieces_too(variant, fused):
    model, ids = model_of(variant, fused), some_ids(2, 9)
    text = torch.ones_like(ids)
    text[1, :4] = 0  # the second begins at place 4
    cache = model.new_cache(2, 9)
    pieces = [
        model(ids[:, start:end], attention_mask=text[:, :end], cache=cache)
        for start, end in ((0, 5), (5, 6), (6, 9))
    ]
    found = torch.cat(pieces, dim=1)
    torch.testing.assert_close(found[:1], model(ids[:1]), rtol=0, atol=1e-12)
    torch.testing.assert_close(found[1:, 4:], model(ids[1:, 4:]), rtol=0, atol=1e-12)


def test_weights_of_a_cached_step_are_the_last_row_of_the_whole():
    model, ids = model_of(), some_ids()
    cache = model.new_cache(2, 9)
    model(ids[:, :8], cache=cache)
    _, weights = model.stack(ids[:, 8:], cache=cache, return_weights=True)
    for step, whole in zip(weights, model.weights(ids), strict=True):
        torch.testing.assert_close(step, whole[:, :, 8:])


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_memory_is_what_the_formula_says(variant, dtype):
    config = model_of(variant).config
    cache = KVCache(config, batch=3, length=11, dtype=dtype)
    assert cache.bytes == cache_bytes(config, 3, 11, dtype)
    assert cache.bytes == cache.kept.untyped_storage().nbytes()
    kv_heads = {"llama": 1, "wide": 2, "alibi": 2}.get(variant, 4)
    d_head = 6 if variant == "wide" else 4
    assert cache.bytes == 2 * 3 * kv_heads * d_head * 11 * 3 * (2 if dtype == torch.bfloat16 else 4)


def test_llama_2_keeps_half_a_mebibyte_for_each_token():
    assert cache_bytes(llama_config(), 1, 1, torch.float16) == 2**19


def test_nothing_is_allocated_while_a_text_grows():
    model, ids = model_of(), some_ids()
    cache = model.new_cache(2, 9)
    before = cache.kept.data_ptr()
    for t in range(9):
        model(ids[:, t : t + 1], cache=cache)
    assert cache.kept.data_ptr() == before
    k, _ = cache.kept[0]
    assert cache.update(0, k[:, :, :0], k[:, :, :0])[0].data_ptr() == before  # a view


def test_chosen_rows_go_on_as_their_texts():
    model, ids = model_of("gpt2"), some_ids(3)
    cache = model.new_cache(3, 9)
    model(ids[:, :6], cache=cache)
    rows = torch.tensor([2, 0, 2, 2])
    chosen = cache.select(rows)
    found = model(ids[rows][:, 6:], cache=chosen)
    torch.testing.assert_close(found, model(ids)[rows, 6:], rtol=0, atol=1e-12)
    assert (cache.length, chosen.length) == (6, 9)  # the first is as it was
    torch.testing.assert_close(model(ids[:, 6:], cache=cache), model(ids)[:, 6:], rtol=0, atol=1e-12)


def test_a_cache_has_the_type_of_the_model():
    model = model_of()
    assert model.new_cache(1, 2).kept.dtype == torch.float64
    assert model.bfloat16().new_cache(1, 2).kept.dtype == torch.bfloat16


def test_what_does_not_fit_is_named():
    config = LanguageModelConfig(VOCAB, d_model=16)
    model = model_of()
    cache = model.new_cache(2, 4)
    with pytest.raises(ValueError, match="'k' must fit into the cache's length=4 behind 0 tokens, got 5"):
        model(some_ids(2, 5), cache=cache)
    with pytest.raises(ValueError, match="'k' must have the cache's batch=2, got 3"):
        model(some_ids(3, 2), cache=cache)
    for sizes, name in (((0, 3), "batch"), ((3, 0), "length")):
        with pytest.raises(ValueError, match=f"'{name}' must be at least 1, got 0"):
            KVCache(config, *sizes)
