"""The whole Transformer: torch's own with the same weights, no leak, padding, caches, positions, parameter counts, decoding."""

import pytest
import torch
from torch import nn

from lmcourse.embeddings import sinusoidal_positions
from lmcourse.encoder_decoder import (
    Transformer,
    TransformerConfig,
    count_parameters,
    load_torch_transformer,
    write_step_by_step,
)
from lmcourse.recurrence import Context, Translator, beam_search, greedy
from tests.attention.support import gradients
from tests.encoder_decoder.support import LENGTHS, SOURCE, TARGET, randomize, transformer

SCHEMES = ["sinusoidal", "learned", "rope", "none", "t5", "alibi", "shaw"]
KINDS = {
    **{scheme: {"positions": scheme} for scheme in SCHEMES},
    "post": {"order": "post"},
    "rms": {"norm": "rms", "activation": "silu", "bias": False},
    "untied": {"tie": "none", "output_bias": True, "embedding_norm": True, "scale_embeddings": False},
    "written out": {"fused": False, "positions": "rope"},
    "uneven": {"n_decoder_layers": 1, "encoder_positions": "none", "positions": "t5"},
}
of_each_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.mark.parametrize("order", ["pre", "post"])
@pytest.mark.parametrize("fused", [True, False])
def test_it_is_the_transformer_of_torch(order, fused):
    model = transformer(order=order, fused=fused, n_decoder_layers=3)
    options = {"norm_first": order == "pre", "batch_first": True, "dropout": 0.0}
    layers = [kind(8, 2, 12, **options) for kind in (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)]
    last = [nn.LayerNorm(8) if order == "pre" else None for _ in layers]
    encoder = nn.TransformerEncoder(layers[0], 2, last[0], enable_nested_tensor=False)
    decoder = nn.TransformerDecoder(layers[1], 3, last[1])
    theirs = randomize(
        nn.Transformer(8, 2, custom_encoder=encoder, custom_decoder=decoder, batch_first=True), seed=5
    )
    load_torch_transformer(model, theirs)

    def embedded(side, ids):
        places = sinusoidal_positions(torch.arange(ids.shape[1]), 8)
        return side.embedding.weight[ids] * 8**0.5 + places

    padding = torch.arange(5) >= LENGTHS[:, None]
    states = theirs(
        embedded(model.encoder, SOURCE),
        embedded(model.decoder, TARGET),
        tgt_mask=torch.ones(4, 4, dtype=torch.bool).triu(1),
        src_key_padding_mask=padding,
        memory_key_padding_mask=padding,
    )
    expected = states @ model.decoder.embedding.weight.T
    found = model(SOURCE, LENGTHS, TARGET)
    torch.testing.assert_close(found, expected)
    leaves = [model.encoder.embedding.weight, model.decoder.embedding.weight]
    torch.testing.assert_close(gradients(found, *leaves), gradients(expected, *leaves))
    memory = theirs.encoder(embedded(model.encoder, SOURCE), src_key_padding_mask=padding)
    torch.testing.assert_close(
        model.read(SOURCE, LENGTHS).memory[~padding], memory[~padding]
    )  # layer by layer: see test_blocks


@of_each_kind
def test_logits_depend_on_the_target_so_far_and_on_no_later_token(kind):
    model = transformer(**KINDS[kind])
    before = model(SOURCE, LENGTHS, TARGET)
    for t in range(4):
        changed = TARGET.clone()
        changed[:, t] = (changed[:, t] + 1) % 7
        after = model(SOURCE, LENGTHS, changed)
        assert torch.equal(before[:, :t], after[:, :t])
        assert ((before[:, t:] - after[:, t:]).abs().amax(-1) > 1e-9).all()


@of_each_kind
def test_every_logit_depends_on_every_source_token_and_on_no_padding(kind):
    model = transformer(**KINDS[kind])
    before = model(SOURCE, LENGTHS, TARGET)
    for j in range(5):
        changed = SOURCE.clone()
        changed[:, j] = (changed[:, j] + 1) % 9
        moved = (model(changed, LENGTHS, TARGET) - before).abs().amax(-1)  # (batch, target)
        assert (moved[0] > 1e-9).all()
        assert (moved[1] > 1e-9).all() if j < 3 else not moved[1].any()


@of_each_kind
def test_a_sentence_alone_and_in_a_padded_batch_is_the_same(kind):
    model = transformer(**KINDS[kind])
    alone = model(SOURCE[1:, :3], LENGTHS[1:], TARGET[1:])
    torch.testing.assert_close(model(SOURCE, LENGTHS, TARGET)[1:], alone)
    wider = torch.cat([SOURCE, torch.full((2, 3), 7)], dim=1)
    torch.testing.assert_close(model(wider, LENGTHS, TARGET)[1:], alone)


@of_each_kind
def test_one_call_for_each_step_gives_what_one_call_for_all_gives(kind):
    model = transformer(**KINDS[kind])
    expected = model(SOURCE, LENGTHS, TARGET)
    context = model.read(SOURCE, LENGTHS)
    pieces = []
    for t in (slice(0, 1), slice(1, 3), slice(3, 4)):
        logits, context = model.write(TARGET[:, t], context)
        pieces.append(logits)
    torch.testing.assert_close(torch.cat(pieces, dim=1), expected, atol=1e-12, rtol=1e-12)
    assert context.state[0].shape[2] == 4


@of_each_kind
def test_selected_rows_are_written_on_as_if_alone(kind):
    model = transformer(**KINDS[kind])
    _, context = model.write(TARGET[:, :2], model.read(SOURCE, LENGTHS))
    rows = torch.tensor([1, 1, 0])
    logits, _ = model.write(TARGET[rows, 2:], context.select(rows))
    torch.testing.assert_close(logits, model(SOURCE, LENGTHS, TARGET)[rows, 2:])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_order_matters_to_the_reader_if_and_only_if_it_has_positions(scheme):
    model = transformer(positions=scheme)
    swapped = SOURCE[:, [1, 0, 2, 3, 4]]
    moved = (model(swapped, LENGTHS, TARGET) - model(SOURCE, LENGTHS, TARGET)).abs().max()
    assert moved < 1e-12 if scheme == "none" else moved > 1e-6


def test_the_t5_scheme_of_the_encoder_knows_before_from_behind():
    model = transformer(positions="t5", n_layers=1)
    bias = model.encoder.positions.bias(torch.zeros(1, 2, 3, 4).double(), 0)[0, 0]
    assert bias[0, 1] != bias[1, 0]
    assert bias[0, 1] != bias[0, 0]


class WithoutCache(Translator):
    """The same model, which reads the whole target anew at each step."""

    def __init__(self, model: Transformer) -> None:
        super().__init__()
        self.model = model

    def read(self, source_ids, lengths):
        memory, mask, _ = self.model.read(source_ids, lengths)
        return Context(memory, mask, (source_ids, lengths, source_ids[:, :0]))

    def write(self, target_ids, context):
        source_ids, lengths, so_far = context.state
        so_far = torch.cat([so_far, target_ids], dim=1)
        logits = self.model(source_ids, lengths, so_far)[:, -target_ids.shape[1] :]
        return logits, context._replace(state=(source_ids, lengths, so_far))


@pytest.mark.parametrize("scheme", ["sinusoidal", "rope", "t5"])
def test_decoding_with_caches_finds_what_decoding_without_finds(scheme):
    model = transformer(positions=scheme)
    slow = WithoutCache(model)
    assert greedy(model, SOURCE, LENGTHS, 12) == greedy(slow, SOURCE, LENGTHS, 12)
    for penalty in (0.0, 0.7):
        options = {"width": 3, "max_length": 8, "length_penalty": penalty}
        mine, other = (beam_search(m, SOURCE, LENGTHS, **options) for m in (model, slow))
        for found, expected in zip(mine, other, strict=True):
            assert [one.ids for one in found] == [one.ids for one in expected]
            scores = [[one.score for one in side] for side in (found, expected)]
            assert scores[0] == pytest.approx(scores[1], abs=1e-9)


@of_each_kind
def test_weights_are_laws_over_what_may_be_seen(kind):
    model = transformer(**KINDS[kind])
    weights = model.weights(SOURCE, LENGTHS, TARGET)
    assert [len(part) for part in weights] == [2, *[model.config.decoder_layers] * 2]
    for part, (queries, keys) in zip(weights, [(5, 5), (4, 4), (4, 5)], strict=True):
        for layer in part:
            assert layer.shape == (2, 2, queries, keys)
            torch.testing.assert_close(layer.sum(-1), torch.ones_like(layer[..., 0]))
            assert (layer >= 0).all()
    for layer in (*weights.encoder, *weights.cross):
        assert not layer[1, ..., 3:].any()
        assert (layer[0] > 0).all()
    assert not any(layer.triu(1).any() for layer in weights.decoder)


def test_cross_weights_tell_what_the_first_block_takes_from_the_memory():
    """An oracle by hand: the weights times the values are what cross-attention adds."""
    model = transformer(n_layers=1)
    context = model.read(SOURCE, LENGTHS)
    (cross,) = model.weights(SOURCE, LENGTHS, TARGET).cross
    block, seen = model.decoder.blocks[0], []
    leave = block.around_cross_attention.leave
    block.around_cross_attention.leave = lambda x, y: (seen.append(y), leave(x, y))[1]
    model.write(TARGET, context)
    values = (
        context.memory @ block.cross_attention.v_proj.weight.T + block.cross_attention.v_proj.bias
    ).unflatten(-1, (2, 4))
    taken = torch.einsum("bhqk,bkhd->bqhd", cross, values).flatten(-2)
    torch.testing.assert_close(block.cross_attention.out_proj(taken), seen[0])


@of_each_kind
def test_the_arithmetic_of_parameters_is_the_number_of_parameters(kind):
    model = transformer(**KINDS[kind])
    assert sum(count_parameters(model.config).values()) == sum(p.numel() for p in model.parameters())


def test_the_parameters_of_the_parts_are_counted_where_they_are():
    config = TransformerConfig(
        11, 11, 8, 2, 2, 12, n_decoder_layers=3, tie="all", positions="learned", order="post"
    )
    names = {
        "embedding": "embedding",
        "positions": "positions",
        "attention": "attention.",
        "feed-forward": "feed_forward.",
        "norms": "norm.",
    }
    counts = dict.fromkeys(names, 0)
    for name, parameter in Transformer(config).named_parameters():
        if "around" in name:
            counts["norms"] += parameter.numel()
        else:
            (part,) = [part for part, piece in names.items() if piece in f"{name}."]
            counts[part] += parameter.numel()
    assert count_parameters(config) == counts


def test_the_papers_base_model_has_63_million_parameters():
    config = TransformerConfig.paper_base(37_000, 37_000)
    counts = count_parameters(config)
    assert sum(counts.values()) == 63_082_496
    with torch.device("meta"):
        layers = nn.Transformer(512, 8, 6, 6, 2048, batch_first=True).parameters()
        behind = 2 * sum(
            p.numel() for p in nn.LayerNorm(512).parameters()
        )  # torch's norms after the last layers
    assert sum(p.numel() for p in layers) - behind + 37_000 * 512 == sum(counts.values())


def test_tied_matrices_are_one_and_others_are_not():
    model = Transformer(TransformerConfig(7, 7, 8, 2, 1, tie="all"))
    tables = {id(m.weight) for m in (model.encoder.embedding, model.decoder.embedding, model.decoder.output)}
    assert len(tables) == 1
    model = Transformer(TransformerConfig(9, 7, 8, 2, 1, tie="output"))
    assert model.decoder.output.weight is model.decoder.embedding.weight
    assert model.encoder.embedding.weight.shape == (9, 8)
    model = Transformer(TransformerConfig(9, 7, 8, 2, 1, tie="none"))
    assert model.decoder.output.weight is not model.decoder.embedding.weight


def test_first_logits_are_about_as_large_as_1():
    model = Transformer(TransformerConfig(60, 50, d_model=64, n_layers=2))
    ids = torch.randint(0, 50, (8, 10), generator=torch.Generator().manual_seed(0))
    logits = model(ids, torch.full((8,), 10), ids)
    assert 0.3 < logits.std() < 3
    assert 0.7 < (model.encoder.embedding(ids) * 8).std() < 1.3


def test_dropout_works_while_training_and_not_else():
    model = transformer(dropout=0.5)
    assert torch.equal(model(SOURCE, LENGTHS, TARGET), model(SOURCE, LENGTHS, TARGET))
    model.train()
    assert not torch.equal(model(SOURCE, LENGTHS, TARGET), model(SOURCE, LENGTHS, TARGET))


def test_padding_gets_no_gradient():
    model = transformer()
    model(SOURCE, LENGTHS, TARGET)[1].square().sum().backward()  # the padded sentence
    gradient = model.encoder.embedding.weight.grad
    assert not gradient[[0, 1, 3, 4, 5, 7]].any()
    assert (gradient[[8, 6, 2]].abs().sum(-1) > 0).all()


def test_the_loop_written_out_is_greedy_decoding():
    model = transformer(positions="rope")
    for b in range(2):
        ids = SOURCE[b, : LENGTHS[b]]
        steps = list(write_step_by_step(model, ids, max_length=6, top=7))
        written = [step.written for step in steps]
        assert [written] == greedy(model, ids[None], LENGTHS[b : b + 1], 6)
        for n, step in enumerate(steps):
            assert step.read == (1, *written[:n])
            law = model(ids[None], LENGTHS[b : b + 1], torch.tensor([step.read]))[0, -1].softmax(-1)
            tokens, probabilities = zip(*step.candidates, strict=True)
            assert step.written == tokens[0]
            assert list(probabilities) == pytest.approx(law[list(tokens)].tolist())
            assert list(probabilities) == sorted(probabilities, reverse=True)
            assert sum(probabilities) == pytest.approx(1)


def test_the_loop_ends_with_eos():
    model = transformer(output_bias=True)
    with torch.no_grad():
        model.decoder.output.bias[2] = 1e3
    assert [step.written for step in write_step_by_step(model, SOURCE[0])] == [2]


def test_the_seed_makes_the_weights_and_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one, two, other = (
        Transformer(TransformerConfig(9, 7, 8, 2, 1, seed=seed))(SOURCE, LENGTHS, TARGET)
        for seed in (1, 1, 2)
    )
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_layers": 0}, "'n_layers' must be at least 1, got 0"),
        ({"n_decoder_layers": 0}, "'n_decoder_layers' must be at least 1, got 0"),
        ({"tie": "some"}, "'tie' must be one of .*, got 'some'"),
        ({"tie": "all"}, "'tie' may only be 'all' for one vocabulary .* got 9 and 7 tokens"),
        ({"positions": "x"}, "'positions' must be one of .*, got 'x'"),
        ({"encoder_positions": "x"}, "'encoder_positions' must be one of .*, got 'x'"),
        ({"order": "x"}, "'order' must be one of .*, got 'x'"),
        ({"n_heads": 3}, "'d_model' must be a multiple of n_heads=3, got 8"),
    ],
)
def test_bad_sizes_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        transformer(**changes)


@pytest.mark.parametrize("name", ["max_length", "top"])
def test_bad_arguments_of_the_loop_are_named_at_once(name):
    with pytest.raises(ValueError, match=f"'{name}' must be at least 1, got 0"):
        write_step_by_step(transformer(), SOURCE[0], **{name: 0})
