"""Cards of models: counts by part, bytes, operations."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from lmcourse.language_model.cache import cache_bytes
from lmcourse.language_model.model_card import model_card
from lmcourse.language_model.pretrained import load_pretrained
from lmcourse.language_model.published import PUBLISHED_MODELS
from lmcourse.language_model.sizes import count_parameters

from .small_models import CAUSAL, CONTEXT, MASKED, VOCAB, small


@pytest.mark.parametrize("name", PUBLISHED_MODELS)
def test_parts_add_up_to_the_published_count(name: str):
    card = model_card(PUBLISHED_MODELS[name].config)
    assert card.parameters.total == PUBLISHED_MODELS[name].parameters


@pytest.mark.parametrize("name", [name for name in PUBLISHED_MODELS if "bert" not in name])
def test_parts_are_those_of_the_closed_form(name: str):
    card = model_card(PUBLISHED_MODELS[name].config)
    expected = count_parameters(card.config)._asdict()
    if card.model_type == "qwen2":  # the biases of queries, keys and values: 14 and 2 + 2 heads of length 64
        expected["attention"] += 24 * (14 + 2 + 2) * 64
    assert card.parameters._asdict() == expected


def test_the_head_of_bert_has_a_matrix_a_norm_and_biases():
    card = model_card(PUBLISHED_MODELS["bert-base-uncased"].config)
    expected = count_parameters(card.config)._asdict() | {"head": 768 * 768 + 768 + 2 * 768 + 30_522}
    assert card.parameters._asdict() == expected
    assert card.cache_bytes_per_token(torch.float32) == 0
    assert "KV cache" not in str(card)


@pytest.mark.parametrize("name", [*CAUSAL, *MASKED])
def test_operations_are_those_that_torch_counts(name: str, tmp_path: Path):
    small(name, tmp_path)
    card, model = model_card(tmp_path), load_pretrained(tmp_path)
    for block in model.stack.blocks:  # torch does not look into its own kernel
        block.attention.config = replace(block.attention.config, fused=False)
    ids = torch.zeros(1, CONTEXT, dtype=torch.long)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(ids)
    assert counter.get_total_flops() == CONTEXT * card.flops(CONTEXT)


def test_bytes_are_those_of_the_model_and_its_cache(tmp_path: Path):
    small("llama", tmp_path)
    card, model = model_card(str(tmp_path)), load_pretrained(tmp_path, dtype=torch.bfloat16)
    assert card.weight_bytes(torch.bfloat16) == sum(w.nbytes for w in model.parameters())
    assert card.cache_bytes_per_token(torch.bfloat16) * 7 == model.new_cache(1, 7).bytes
    assert card.cache_bytes_per_token(torch.float32) == cache_bytes(model.config, 1, 1)


def test_a_card_says_what_a_reader_asks_for():
    text = str(model_card(PUBLISHED_MODELS["meta-llama/Llama-2-7b-hf"].config))
    for said in (
        "6,738,415,616",
        "32 of length 128",
        "11,008",
        "4,096 tokens",
        "13.5 GB in bf16",
        "2.15 GB for a full",
    ):
        assert said in text
    assert "causal" in text
    shares = [line.split()[-1] for line in text.splitlines() if line.startswith("  ")]
    assert len(shares) == 5  # the rotary positions have no parameters
    assert sum(float(share.rstrip("%")) for share in shares) == pytest.approx(100, abs=0.3)


def test_what_cannot_be_read_is_refused(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="config.json"):
        model_card(tmp_path)
    with pytest.raises(ValueError, match="'model_type' must be one of"):
        model_card({"model_type": "odd", "vocab_size": VOCAB})
