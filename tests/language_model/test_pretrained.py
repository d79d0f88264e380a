"""Published models in our code: equal logits, equal texts, equal counts; and everything that must be refused."""

import functools
import http.server
import json
import sys
import threading
from pathlib import Path

import pytest
import torch
import transformers as hf
from safetensors.torch import load_file, save_file

from lmcourse.encoder_decoder import hub
from lmcourse.encoder_decoder.hub import fetch_pretrained
from lmcourse.language_model.config import LanguageModelConfig
from lmcourse.language_model.generate import generate
from lmcourse.language_model.masked import MaskedLM, bert_config
from lmcourse.language_model.model import LanguageModel
from lmcourse.language_model.pretrained import empty_model, load_pretrained, save_pretrained
from lmcourse.language_model.published import PUBLISHED_MODELS
from lmcourse.tokens import CharTokenizer

from .small_models import CAUSAL, CONTEXT, MASKED, VOCAB, ids, small

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}


def same(ours: torch.Tensor, theirs: torch.Tensor, tolerance: float) -> None:
    scale = theirs.abs().max()
    torch.testing.assert_close(ours / scale, theirs.to(ours) / scale, rtol=0, atol=tolerance)


class TorchInDouble:
    """torch, but whoever asks it for float32 gets float64."""

    def __getattr__(self, name: str):
        return torch.float64 if name in ("float", "float32") else getattr(torch, name)


def all_in_double(model: torch.nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make transformers compute rotary angles and RMS norms in float64; it takes float32 for them whatever the model's type is."""
    monkeypatch.setattr(sys.modules[type(model).__module__], "torch", TorchInDouble())
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    if hasattr(model.base_model, "rotary_emb"):
        rotary = model.base_model.rotary_emb
        rotary.inv_freq = rotary.compute_default_rope_parameters(model.config)[0]
        assert rotary.inv_freq.dtype == torch.float64


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", CAUSAL)
def test_logits_are_those_of_transformers(
    name: str, dtype: torch.dtype, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    theirs = small(name, tmp_path, dtype)
    ours = load_pretrained(tmp_path, dtype=dtype)
    with torch.no_grad():
        given = ours(ids())
        if dtype == torch.float64:
            all_in_double(theirs, monkeypatch)
        same(given, theirs(ids()).logits, TOLERANCE[dtype])
    assert not ours.training


def greedy(model: torch.nn.Module, prompt: torch.Tensor, length: int) -> torch.Tensor:
    """What transformers writes. (Without a mask it takes tokens with the padding's id for padding.)"""
    whole = torch.ones_like(prompt)
    return model.generate(
        prompt, attention_mask=whole, max_new_tokens=length, do_sample=False, pad_token_id=0
    )


@pytest.mark.parametrize("name", CAUSAL)
def test_greedy_texts_are_those_of_transformers(name: str, tmp_path: Path):
    theirs, prompt = small(name, tmp_path), ids(2, 5)
    written = greedy(theirs, prompt, 15)
    ours = load_pretrained(tmp_path)
    assert [list(row.ids) for row in generate(ours, prompt, 15)] == written[:, 5:].tolist()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", MASKED)
def test_masked_logits_are_those_of_transformers(name: str, dtype: torch.dtype, tmp_path: Path):
    theirs = small(name, tmp_path, dtype)
    ours = load_pretrained(tmp_path, dtype=dtype)
    assert isinstance(ours, MaskedLM)
    text, mask = ids(), torch.ones(3, CONTEXT, dtype=torch.long)
    mask[0, 10:], mask[2, 20:] = 0, 0
    types = torch.zeros_like(text)
    types[:, 12:] = 1
    with torch.no_grad():
        same(ours(text), theirs(text).logits, TOLERANCE[dtype])
        expected = theirs(text, attention_mask=mask, token_type_ids=types).logits
        given = ours(text, attention_mask=mask, token_types=types)
        same(given[mask == 1], expected[mask == 1], TOLERANCE[dtype])
        assert not torch.allclose(given, ours(text, token_types=types))  # the mask does something


def test_no_tensor_is_used_twice_and_tied_heads_stay_tied(tmp_path: Path):
    theirs = small("gpt2", tmp_path)
    ours = load_pretrained(tmp_path)
    assert ours.head.weight is ours.stack.tokens.weight
    assert sum(w.numel() for w in ours.parameters()) == sum(w.numel() for w in theirs.parameters())
    assert all(weights.requires_grad for weights in ours.parameters())
    ours(ids()).sum().backward()
    assert all(weights.grad is not None for weights in ours.parameters())


@pytest.mark.parametrize("name", ["llama", "bert"])
def test_files_in_half_precision_and_in_shards(name: str, tmp_path: Path):
    half = small(name, tmp_path, torch.bfloat16, max_shard_size="4KB")
    theirs = type(half).from_pretrained(tmp_path, dtype=torch.float32)
    assert (tmp_path / "model.safetensors.index.json").is_file()
    ours = load_pretrained(tmp_path)
    assert {weights.dtype for weights in ours.parameters()} == {torch.float32}
    with torch.no_grad():
        same(ours(ids()), theirs(ids()).logits, 1e-5)


def rewrite(folder: Path, change) -> None:
    tensors = load_file(folder / "model.safetensors")
    save_file(change(tensors) or tensors, folder / "model.safetensors", metadata={"format": "pt"})


def reconfigure(folder: Path, **changes) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


def test_the_first_files_of_gpt2_have_other_names_and_masks(tmp_path: Path):
    theirs = small("gpt2", tmp_path)

    def as_of_old(tensors: dict) -> dict:
        old = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}
        masks = {f"h.{layer}.attn.bias": torch.ones(1, 1, CONTEXT, CONTEXT) for layer in range(3)}
        return old | masks

    rewrite(tmp_path, as_of_old)
    with torch.no_grad():
        same(load_pretrained(tmp_path)(ids()), theirs(ids()).logits, 1e-5)


def test_the_first_files_of_bert_have_other_names_and_heads(tmp_path: Path):
    theirs = small("bert", tmp_path)

    def as_of_old(tensors: dict) -> dict:
        names = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
        old = {}
        for name, tensor in tensors.items():
            for new, of_old in names.items():
                name = name.replace(new, of_old)
            old[name] = tensor
        return old | {
            "bert.pooler.dense.weight": torch.zeros(24, 24),
            "cls.seq_relationship.bias": torch.zeros(2),
            "bert.embeddings.position_ids": torch.arange(CONTEXT)[None],
            "cls.predictions.decoder.weight": tensors["bert.embeddings.word_embeddings.weight"].clone(),
        }

    rewrite(tmp_path, as_of_old)
    with torch.no_grad():
        same(load_pretrained(tmp_path)(ids()), theirs(ids()).logits, 1e-5)


def test_a_copy_that_is_none_is_refused(tmp_path: Path):
    small("gpt2", tmp_path)
    rewrite(tmp_path, lambda tensors: tensors.update({"lm_head.weight": torch.zeros(VOCAB, 24)}))
    with pytest.raises(ValueError, match="'lm_head.weight' must equal 'transformer.wte.weight'"):
        load_pretrained(tmp_path)


@pytest.mark.parametrize("name", ["gpt2", "llama", "qwen2", "bert"])
def test_each_tensor_is_needed_and_no_other_is_taken(name: str, tmp_path: Path):
    small(name, tmp_path)
    whole = load_file(tmp_path / "model.safetensors")
    for missing in whole:
        rewrite(tmp_path, lambda _, missing=missing: {key: whole[key] for key in whole if key != missing})
        with pytest.raises(ValueError, match=f"none called '{missing}'"):
            load_pretrained(tmp_path)
    rewrite(tmp_path, lambda _: whole | {"odd.weight": torch.zeros(2)})
    with pytest.raises(ValueError, match="'odd.weight' besides"):
        load_pretrained(tmp_path)
    one = next(key for key, tensor in whole.items() if tensor.ndim == 2)
    rewrite(tmp_path, lambda _: whole | {one: torch.zeros(5, 5)})
    with pytest.raises(ValueError, match=rf"'{one}' must have shape .* got \(5, 5\)"):
        load_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("name", "changes", "named"),
    [
        ("gpt2", {"model_type": "xlnet"}, "'model_type' must be one of gpt2, llama, .* got 'xlnet'"),
        (
            "gpt2",
            {"activation_function": "tanh"},
            "'activation_function' must be 'gelu_new' or .* got 'tanh'",
        ),
        (
            "gpt2",
            {"scale_attn_by_inverse_layer_idx": True},
            "'scale_attn_by_inverse_layer_idx' must be False",
        ),
        ("gpt2", {"n_embd": None}, "config.json must have 'n_embd'"),
        ("gpt2", {"n_layer": "3"}, "'n_layer' must be a positive whole number, got '3'"),
        ("llama", {"attention_bias": True}, "'attention_bias' must be False"),
        (
            "llama",
            {"rope_parameters": {"rope_type": "llama3", "factor": 8.0}},
            "'rope_type' must be 'default'",
        ),
        (
            "llama",
            {"rope_scaling": {"type": "linear", "factor": 2.0}, "rope_parameters": None},
            "got 'linear'",
        ),
        ("bert", {"position_embedding_type": "relative_key"}, "'position_embedding_type' must be 'absolute'"),
    ],
)
def test_what_our_blocks_do_not_compute_is_refused(name: str, changes: dict, named: str, tmp_path: Path):
    small(name, tmp_path)
    reconfigure(tmp_path, **changes)
    with pytest.raises(ValueError, match=named):
        load_pretrained(tmp_path)


def test_a_window_is_the_longest_text(tmp_path: Path):
    small("mistral, window", tmp_path)
    assert load_pretrained(tmp_path).config.max_length == CONTEXT
    reconfigure(tmp_path, sliding_window=None)
    assert load_pretrained(tmp_path).config.max_length == 4 * CONTEXT


def test_older_configs_say_rope_theta_on_their_own(tmp_path: Path):
    small("llama, tied, other rope_theta, wide heads", tmp_path)
    now = load_pretrained(tmp_path).config
    reconfigure(tmp_path, rope_parameters=None, rope_theta=500.0, rope_scaling=None)
    assert load_pretrained(tmp_path).config == now
    assert now.base == 500.0


def test_the_tokenizer_comes_with_the_model(tmp_path: Path):
    small("gpt2", tmp_path)
    assert load_pretrained(tmp_path).tokenizer is None
    letters().save(tmp_path / "tokenizer.json")
    model = load_pretrained(tmp_path)
    assert model.to_text(model.from_text("the tide turns")[0]) == "the tide turns"
    (tmp_path / "tokenizer.json").write_text('{"model": {"type": "Odd"}}')
    with pytest.warns(UserWarning, match="tokenizer.json cannot be read here"):
        assert load_pretrained(tmp_path).tokenizer is None


def letters() -> CharTokenizer:
    return CharTokenizer.train(["the tide turns"], VOCAB)


def test_a_tokenizer_with_too_many_ids_is_refused(tmp_path: Path):
    small("gpt2", tmp_path)
    CharTokenizer.train([chr(97 + n) for n in range(60)], 60).save(tmp_path / "tokenizer.json")
    with pytest.raises(ValueError, match=f"at most vocab_size={VOCAB} ids"):
        load_pretrained(tmp_path)


# --- counts ---


@pytest.mark.parametrize("name", PUBLISHED_MODELS)
def test_published_models_have_the_published_number_of_parameters(name: str):
    published = PUBLISHED_MODELS[name]
    model = empty_model(published.config)
    assert {weights.device.type for weights in model.parameters()} == {"meta"}
    assert sum(weights.numel() for weights in model.parameters()) == published.parameters


@pytest.mark.parametrize("name", PUBLISHED_MODELS)
def test_published_configs_are_read_by_transformers_as_here(name: str):
    published = PUBLISHED_MODELS[name]
    config = hf.AutoConfig.for_model(**published.config)
    kind = hf.BertForMaskedLM if published.config["model_type"] == "bert" else hf.AutoModelForCausalLM
    with torch.device("meta"):
        model = kind(config) if kind is hf.BertForMaskedLM else kind.from_config(config)
    assert sum(weights.numel() for weights in model.parameters()) == published.parameters


# --- the way back ---

OURS = {
    "today's block": LanguageModelConfig(VOCAB, d_model=24, n_layers=2, n_kv_heads=2, max_length=CONTEXT, base=300.0),
    "untied, wide heads": LanguageModelConfig(VOCAB, 24, n_layers=2, d_head=10, tied=False, max_length=CONTEXT, eps=1e-3),
    "gpt2": LanguageModelConfig(VOCAB, 24, n_layers=2, norm="layer", feed_forward="gelu_tanh", positions="learned", bias=True, max_length=CONTEXT),
    "gpt2, relu, untied": LanguageModelConfig(VOCAB, 24, n_layers=2, norm="layer", feed_forward="relu", positions="learned", bias=True, tied=False, d_ff=30, max_length=CONTEXT, eps=1e-3),
}  # fmt: skip


def trained(config: LanguageModelConfig, **kwargs) -> LanguageModel:
    """A model whose weights are all random, as if it were trained."""
    model = LanguageModel(config, **kwargs).eval()
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(3)
        for weights in model.parameters():
            weights.add_(0.3 * torch.randn_like(weights))
    return model


@pytest.mark.parametrize("name", OURS)
def test_transformers_opens_what_was_trained_here(name: str, tmp_path: Path):
    ours = trained(OURS[name])
    save_pretrained(ours, tmp_path)
    theirs, report = hf.AutoModelForCausalLM.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values())
    again = load_pretrained(tmp_path)
    with torch.no_grad():
        same(theirs.eval()(ids()).logits, ours(ids()), 1e-5)
        assert torch.equal(again(ids()), ours(ids()))
    assert again.head.weight.requires_grad


def test_transformers_writes_the_same_text_with_the_saved_tokenizer(tmp_path: Path):
    ours = trained(OURS["today's block"], tokenizer=letters())
    save_pretrained(ours, tmp_path)
    theirs = hf.AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    words = hf.PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "tokenizer.json"))
    prompt = torch.tensor([words("the ti").input_ids])
    assert torch.equal(prompt, ours.from_text("the ti"))
    written = greedy(theirs, prompt, 9)
    assert list(generate(ours, prompt, 9)[0].ids) == written[0, prompt.shape[1] :].tolist()


def test_double_precision_and_half_come_back_as_they_were(tmp_path: Path):
    for dtype in (torch.float64, torch.bfloat16):
        ours = trained(OURS["today's block"]).to(dtype)
        save_pretrained(ours, tmp_path)
        again = load_pretrained(tmp_path, dtype=dtype)
        assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), again.parameters(), strict=True))
        assert hf.AutoModelForCausalLM.from_pretrained(tmp_path, dtype="auto").dtype == dtype


@pytest.mark.parametrize(
    ("model", "named"),
    [
        (
            lambda: LanguageModel(LanguageModelConfig(VOCAB, 24, positions="alibi")),
            "for llama positions='rope'",
        ),
        (lambda: LanguageModel(LanguageModelConfig(VOCAB, 24, order="post")), "order='pre'"),
        (lambda: MaskedLM(bert_config(vocab_size=VOCAB, d_model=24)), "a causal language model"),
    ],
)
def test_other_models_are_not_saved(model, named: str, tmp_path: Path):
    with pytest.raises(ValueError, match=named):
        save_pretrained(model(), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_tensor_without_a_place_in_the_file_is_not_lost(tmp_path: Path):
    small("qwen2", tmp_path)
    with pytest.raises(ValueError, match="k_proj.bias"):
        save_pretrained(load_pretrained(tmp_path), tmp_path / "new")


# --- the network ---


@pytest.fixture
def hub_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A server with the folder tmp_path/served, and an empty cache."""
    served = tmp_path / "served"
    served.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_) -> None: ...

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(served))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("LMCOURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(hub, "HUB_URL", f"http://127.0.0.1:{server.server_port}/{{name}}/{{file}}")
    yield served
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("options", [{}, {"max_shard_size": "4KB"}], ids=["whole", "shards"])
def test_a_model_is_fetched_once(options: dict, hub_server: Path):
    theirs = small("llama", hub_server / "owner" / "small", **options)
    folder = fetch_pretrained("owner/small", progress=False)
    with torch.no_grad():
        same(load_pretrained(folder)(ids()), theirs(ids()).logits, 1e-5)
    for file in (hub_server / "owner" / "small").glob("model-*"):
        file.unlink()  # what is here is not asked for again
    assert fetch_pretrained("owner/small", progress=False) == folder


def test_checksums_and_absent_models(hub_server: Path):
    small("llama", hub_server / "owner" / "small")
    with pytest.raises(ValueError, match="hash"):
        fetch_pretrained("owner/small", {"model.safetensors": "0" * 64}, progress=False)
    with pytest.raises(ConnectionError, match=r"owner/absent/config.json cannot be fetched.*load_pretrained"):
        fetch_pretrained("owner/absent", progress=False)
    with pytest.raises(ValueError, match="'owner/model' as on the hub, got '../small'"):
        fetch_pretrained("../small")


def test_without_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("LMCOURSE_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "HUB_URL", "http://127.0.0.1:9/{name}/{file}")
    with pytest.raises(ConnectionError, match="Connect to the network"):
        fetch_pretrained("owner/small", progress=False)
