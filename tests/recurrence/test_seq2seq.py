"""The fixed-context encoder-decoder: against torch's modules, and what may depend on what."""

import pytest
import torch
import torch.nn.functional as F

from lmcourse.recurrence import CELLS, Context, Decoder, Encoder, Seq2Seq, Seq2SeqConfig, Translator

MODULES = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
SOURCE = torch.tensor([[5, 7, 3, 2], [8, 2, 0, 0], [4, 4, 2, 0]])
LENGTHS = torch.tensor([4, 2, 3])
TARGET = torch.tensor([[1, 3, 4, 5, 6], [1, 6, 6, 0, 0], [1, 2, 5, 4, 0]])


def model_with(cell: str = "gru", **options) -> Seq2Seq:
    return Seq2Seq(Seq2SeqConfig(9, 7, **{"d_model": 5, "hidden_size": 6, "cell": cell, **options})).double()


def as_torch(recurrent, bidirectional: bool) -> torch.nn.RNNBase:
    """torch's module with the weights of `recurrent`."""
    config = recurrent.config
    theirs = MODULES[config.cell](
        config.input_size, config.hidden_size, config.n_layers, batch_first=True, bidirectional=bidirectional
    ).double()
    with torch.no_grad():
        for cell, weights in zip(recurrent.cells, theirs.all_weights, strict=True):
            for mine, other in zip(cell.parameters(), weights, strict=True):
                other.copy_(mine)
    return theirs


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("n_layers", [1, 2])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_the_logits_are_those_of_torchs_modules(cell, n_layers, bidirectional):
    model = model_with(cell, n_layers=n_layers, bidirectional=bidirectional)
    logits = model(SOURCE, LENGTHS, TARGET)
    encoder = as_torch(model.encoder.layers, bidirectional)
    decoder = as_torch(model.decoder.layers, False)
    for b, length in enumerate(LENGTHS):  # each sentence alone: no padding
        vectors = F.embedding(SOURCE[b : b + 1, :length], model.encoder.embedding.weight)
        memory, ends = encoder(vectors)
        ends = ends if isinstance(ends, tuple) else (ends,)
        step = 2 if bidirectional else 1
        # Layer by layer: what read from left to right, and beside it what read from right to left.
        start = [torch.cat([end[layer::step] for layer in range(step)], dim=-1) for end in ends]
        words = F.embedding(TARGET[b : b + 1], model.decoder.embedding.weight)
        outputs, _ = decoder(words, tuple(start) if cell == "lstm" else start[0])
        expected = F.linear(outputs, model.decoder.output.weight, model.decoder.output.bias)
        torch.testing.assert_close(logits[b], expected[0])
        torch.testing.assert_close(model.read(SOURCE, LENGTHS).memory[b, :length], memory[0])


@pytest.mark.parametrize("fused", [True, False])
def test_padding_changes_nothing(fused):
    model = model_with(fused=fused)
    whole = model(SOURCE, LENGTHS, TARGET)
    context = model.read(SOURCE, LENGTHS)
    assert context.mask.tolist() == [[j < n for j in range(4)] for n in LENGTHS.tolist()]
    for b, length in enumerate(LENGTHS.tolist()):
        alone = model.read(SOURCE[b : b + 1, :length], LENGTHS[b : b + 1])
        torch.testing.assert_close(alone.state[0], context.state[0][b : b + 1])
        torch.testing.assert_close(model.write(TARGET[b : b + 1], alone)[0], whole[b : b + 1])
    other = SOURCE.masked_fill(~context.mask, 8)
    torch.testing.assert_close(model(other, LENGTHS, TARGET), whole, rtol=0, atol=0)


@pytest.mark.parametrize("cell", CELLS)
def test_writing_step_by_step_is_writing_all_at_once(cell):
    model = model_with(cell, n_layers=2)
    whole, end = model.write(TARGET, model.read(SOURCE, LENGTHS))
    context = model.read(SOURCE, LENGTHS)
    for t in range(TARGET.shape[1]):
        logits, context = model.write(TARGET[:, t : t + 1], context)
        torch.testing.assert_close(logits[:, 0], whole[:, t])
    assert len(context.state) == len(end.state) == (2 if cell == "lstm" else 1)
    for mine, other in zip(context.state, end.state, strict=True):
        torch.testing.assert_close(mine, other)


def test_a_place_sees_its_own_input_and_those_before_it_and_the_whole_source():
    model = model_with()
    vectors = {}
    for name, side in (("source", model.encoder), ("target", model.decoder)):
        side.embedding.register_forward_hook(lambda module, args, out, name=name: vectors.update({name: out}))
    logits = model(SOURCE, LENGTHS, TARGET)
    for place in range(TARGET.shape[1]):
        total = logits[0, place].square().sum()
        source, target = torch.autograd.grad(total, (vectors["source"], vectors["target"]), retain_graph=True)
        reached = [row.abs().sum().item() > 0 for row in target[0]]
        assert reached == [other <= place for other in range(TARGET.shape[1])]
        assert (source[0].abs().sum(-1) > 0).all()
        assert not source[1:].any()
        assert not target[1:].any()


def test_the_decoder_knows_nothing_of_the_source_but_its_first_state():
    model = model_with()
    context = model.read(SOURCE, LENGTHS)
    blind = Context(torch.full_like(context.memory, torch.nan), ~context.mask, context.state)
    torch.testing.assert_close(model.write(TARGET, blind)[0], model.write(TARGET, context)[0], rtol=0, atol=0)
    moved = context._replace(state=(context.state[0][[1, 0, 2]],))
    assert not torch.isclose(model.write(TARGET, moved)[0], model.write(TARGET, context)[0]).all()


@pytest.mark.parametrize("cell", CELLS)
def test_the_gradient_goes_through_the_context_into_the_encoder(cell):
    model = model_with(cell)

    def loss(weight: torch.Tensor) -> torch.Tensor:
        swapped = {"encoder.embedding.weight": weight}
        logits = torch.func.functional_call(model, swapped, (SOURCE, LENGTHS, TARGET))
        return logits.square().mean()

    weight = model.encoder.embedding.weight.detach().clone().requires_grad_()
    torch.autograd.gradcheck(loss, (weight,))
    (gradient,) = torch.autograd.grad(loss(weight), weight)
    read = {token for row, n in zip(SOURCE.tolist(), LENGTHS.tolist(), strict=True) for token in row[:n]}
    assert {i for i, row in enumerate(gradient) if row.any()} == read  # <pad> is not among them


def test_the_context_has_one_size_and_rows_can_be_picked():
    model = model_with("lstm", n_layers=2)
    context = model.read(SOURCE, LENGTHS)
    assert [tuple(part.shape) for part in context.state] == [(3, 2, 6)] * 2
    longer = model.read(SOURCE.repeat(1, 5), torch.tensor([20, 20, 20]))
    assert [tuple(part.shape) for part in longer.state] == [(3, 2, 6)] * 2
    rows = torch.tensor([2, 0, 2])
    picked = model.write(TARGET[rows], context.select(rows))[0]
    torch.testing.assert_close(picked, model.write(TARGET, context)[0][rows])


class AbsentMindedDecoder(Decoder):
    """Begins in zeros."""

    def forward(self, target_ids, context):
        empty = context._replace(state=tuple(torch.zeros_like(part) for part in context.state))
        return super().forward(target_ids, empty)


class AbsentMinded(Seq2Seq):
    decoder_type = AbsentMindedDecoder


def test_a_subclass_with_another_decoder_has_the_same_encoder():
    mine, other = Seq2Seq(model_with().config), AbsentMinded(model_with().config)
    assert isinstance(other.decoder, AbsentMindedDecoder)
    for one, two in zip(mine.encoder.parameters(), other.encoder.parameters(), strict=True):
        assert torch.equal(one, two)
    logits = other(SOURCE, LENGTHS, TARGET)
    torch.testing.assert_close(logits, other(SOURCE.flip(0), LENGTHS.flip(0), TARGET))


def test_the_seed_makes_the_weights_and_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one, two, other = (model_with(seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(1), expected)
    flat = [torch.cat([w.flatten() for w in model.parameters()]) for model in (one, two, other)]
    assert torch.equal(flat[0], flat[1])
    assert not torch.equal(flat[0], flat[2])


def test_sizes_are_as_the_config_says():
    config = Seq2SeqConfig(9, 7, d_model=5, hidden_size=6, cell="gru")
    model = Seq2Seq(config)
    encoder = 9 * 5 + 2 * (3 * 3 * (5 + 3) + 2 * 3 * 3)
    decoder = 7 * 5 + 3 * 6 * (5 + 6) + 2 * 3 * 6 + 7 * 6 + 7
    assert sum(weight.numel() for weight in model.parameters()) == encoder + decoder
    assert Encoder(config)(SOURCE, LENGTHS).memory.shape == (3, 4, 6)
    assert isinstance(model, Translator)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden_size": 7}, "'hidden_size' must be even, .* got 7"),
        ({"cell": "x"}, "'cell' must be one of"),
        ({"hidden_size": 0}, "'hidden_size' must be at least 1, got 0"),
        ({"n_layers": 0}, "'n_layers' must be at least 1, got 0"),
        ({"d_model": 0}, "must be at least 1, got 0"),
    ],
)
def test_bad_sizes_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        Seq2Seq(Seq2SeqConfig(9, 7, **options))
    assert Seq2SeqConfig(9, 7, hidden_size=7, bidirectional=False).hidden_size == 7


def test_what_is_missing_is_said():
    with pytest.raises(NotImplementedError):
        Translator().read(SOURCE, LENGTHS)
    with pytest.raises(NotImplementedError):
        Translator().write(TARGET, model_with().read(SOURCE, LENGTHS))
