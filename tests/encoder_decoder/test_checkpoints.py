"""Marian, BART and T5 of `transformers`, with random weights, in our Transformer: equal logits, from objects and from folders."""

import json

import pytest
import torch

from lmcourse.encoder_decoder import bart, load_bart, load_marian, load_t5, marian, t5
from lmcourse.recurrence import greedy
from tests.encoder_decoder.support import randomize

transformers = pytest.importorskip("transformers")

BART_SIZES = {
    "vocab_size": 20,
    "d_model": 8,
    "encoder_layers": 2,
    "decoder_layers": 3,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 12,
    "decoder_ffn_dim": 12,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "eos_token_id": 2,
    "bos_token_id": 1,
    "decoder_start_token_id": 1,
    "forced_eos_token_id": None,
}
T5_SIZES = {
    "vocab_size": 20,
    "d_model": 8,
    "d_kv": 4,
    "d_ff": 12,
    "num_layers": 2,
    "num_decoder_layers": 3,
    "num_heads": 2,
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 20,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}


def make(kind: str, **changes):
    """Return a model of `transformers` with every weight drawn anew, float64, eval mode."""
    torch.manual_seed(0)
    if kind == "t5":
        config = transformers.T5Config(**{**T5_SIZES, **changes})
        model = transformers.T5ForConditionalGeneration(config)
    elif kind == "marian":
        config = transformers.MarianConfig(**{**BART_SIZES, "scale_embedding": True, **changes})
        model = transformers.MarianMTModel(config)
    else:
        config = transformers.BartConfig(**{**BART_SIZES, **changes})
        model = transformers.BartForConditionalGeneration(config)
    sinusoids = {
        n: p.clone() for n, p in model.named_parameters() if kind == "marian" and "embed_positions" in n
    }
    model = randomize(model, size=0.3).eval()
    with torch.no_grad():
        for name, table in sinusoids.items():
            model.get_parameter(name).copy_(table)
        if kind != "t5":
            model.final_logits_bias.copy_(torch.linspace(-1, 1, 20))
    return model


OURS = {"bart": bart, "marian": marian, "t5": t5}
LOAD = {"bart": load_bart, "marian": load_marian, "t5": load_t5}
CASES = {
    "bart": ("bart", {}),
    "bart, scaled, relu": ("bart", {"scale_embedding": True, "activation_function": "relu"}),
    "marian": ("marian", {"activation_function": "swish"}),
    "marian, not scaled": ("marian", {"activation_function": "gelu", "scale_embedding": False}),
    "t5": ("t5", {}),
    "t5, four heads": ("t5", {"num_heads": 4, "d_kv": 2}),
}
of_each_case = pytest.mark.parametrize("case", CASES)


def batch(time: int = 40) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return sources with padding, as long as buckets of distances need it, and targets."""
    generator = torch.Generator().manual_seed(0)
    source = torch.randint(3, 20, (3, time), generator=generator)
    lengths = torch.tensor([time, time // 2, 1])
    source[torch.arange(time) >= lengths[:, None]] = 0
    return source, lengths, torch.randint(3, 20, (3, 30), generator=generator)


def expected_logits(model, source, lengths, target):
    mask = (torch.arange(source.shape[1]) < lengths[:, None]).long()
    with torch.no_grad():
        return model(input_ids=source, attention_mask=mask, decoder_input_ids=target).logits


@of_each_case
@torch.no_grad()
def test_logits_are_those_of_transformers(case):
    kind, changes = CASES[case]
    theirs = make(kind, **changes)
    ours = OURS[kind](theirs.config.to_dict(), theirs.state_dict())
    found = ours(*batch())
    assert found.dtype == torch.float64
    near = 1e-6 if kind == "t5" else 1e-9  # its norms and softmax compute in float32 whatever the weights are
    torch.testing.assert_close(found, expected_logits(theirs, *batch()), atol=near, rtol=near)


@pytest.mark.parametrize("kind", LOAD)
@torch.no_grad()
def test_logits_from_a_folder_are_those_of_transformers(kind, tmp_path):
    theirs = make(kind).float()
    theirs.save_pretrained(tmp_path)
    found = LOAD[kind](tmp_path)(*batch())
    torch.testing.assert_close(found, expected_logits(theirs, *batch()), atol=1e-4, rtol=1e-4)


def test_a_folder_may_hold_its_weights_in_parts(tmp_path):
    theirs = make("t5").float()
    theirs.save_pretrained(tmp_path, max_shard_size="2KB")
    assert (tmp_path / "model.safetensors.index.json").exists()
    with torch.no_grad():
        found = load_t5(tmp_path)(*batch())
    torch.testing.assert_close(found, expected_logits(theirs, *batch()), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", OURS)
def test_greedy_decoding_writes_what_generate_writes(kind):
    # (The caches of T5 in `transformers` want as many layers in the decoder as in the encoder.)
    theirs = make(kind, **({"num_decoder_layers": 2} if kind == "t5" else {}))
    ours = OURS[kind](theirs.config.to_dict(), theirs.state_dict())
    source, lengths, _ = batch(12)
    mask = (torch.arange(12) < lengths[:, None]).long()
    options = {"max_new_tokens": 10, "do_sample": False, "num_beams": 1, "pad_token_id": 0}
    written = theirs.generate(input_ids=source, attention_mask=mask, **options)[:, 1:].tolist()
    expected = [ids[: ids.index(2) + 1] if 2 in ids else ids for ids in written]
    assert greedy(ours, source, lengths, 10) == expected


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("bart", {"decoder_attention_heads": 1}, "'decoder_attention_heads' must be 2 .*, got 1"),
        ("bart", {"decoder_ffn_dim": 8}, "'decoder_ffn_dim' must be 12 .*, got 8"),
        ("bart", {"normalize_before": True}, "'normalize_before' must be False .*, got True"),
        ("bart", {"activation_function": "tanh"}, "'activation_function' must be one of .*, got 'tanh'"),
        (
            "marian",
            {"share_encoder_decoder_embeddings": False},
            "'share_encoder_decoder_embeddings' must be True",
        ),
        ("t5", {"d_kv": 3}, "'sizes' must have d_kv = d_model / num_heads = 4, got 3"),
        (
            "t5",
            {"feed_forward_proj": "gated-gelu"},
            "'feed_forward_proj' must be 'relu' .*, got 'gated-gelu'",
        ),
        ("t5", {"tie_word_embeddings": False}, "'tie_word_embeddings' must be True"),
        ("t5", {"num_layers": 3}, "got none for .*encoder.blocks.2"),
        ("t5", {"num_layers": 1}, "too much: .*encoder.blocks.1"),
        ("t5", {"vocab_size": 21}, r"'shared.weight' must have the shape \(21, 8\), got \(20, 8\)"),
    ],
)
def test_what_has_no_counterpart_is_refused(kind, changes, message):
    theirs = make(kind)
    with pytest.raises(ValueError, match=message):
        OURS[kind]({**theirs.config.to_dict(), **changes}, theirs.state_dict())


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("bart", "model.encoder.extra.weight"),
        ("bart", "model.encoder.layers.0.extra.weight"),
        ("t5", "encoder.block.0.layer.1.DenseReluDense.wi_0.weight"),
        ("t5", "encoder.block.0.layer.2.layer_norm.weight"),
        ("t5", "extra"),
    ],
)
def test_weights_that_nobody_knows_are_refused(kind, name):
    theirs = make(kind)
    with pytest.raises(ValueError, match=f"a place in the model each, got '{name}'"):
        OURS[kind](theirs.config.to_dict(), {**theirs.state_dict(), name: torch.zeros(1)})


def test_the_table_that_t5s_first_files_hold_for_nothing_is_left_out():
    theirs = make("t5")
    name = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"
    t5(theirs.config.to_dict(), {**theirs.state_dict(), name: torch.zeros(8, 2)})


def test_sinusoids_need_not_be_stored():
    theirs = make("marian")
    weights = {name: w for name, w in theirs.state_dict().items() if "embed_positions" not in name}
    ours = marian(json.loads(theirs.config.to_json_string()), weights)
    with torch.no_grad():
        torch.testing.assert_close(ours(*batch()), expected_logits(theirs, *batch()), atol=1e-5, rtol=1e-5)
