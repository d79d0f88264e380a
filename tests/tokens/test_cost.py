"""What a vocabulary costs: the formulas against torch's own counter, fertility against counting by hand."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from lmcourse.tokens import BPETokenizer, WordTokenizer, cost
from lmcourse.tokens.cost import embedding_parameters, output_multiply_adds, tokens_per_word


def test_fertility_counts_tokens_and_words_over_all_texts():
    words = WordTokenizer.train(["the sea , the sea"], 10, ["<unk>"])
    assert tokens_per_word(words, ["the sea, the", "sea"]) == (4 + 1) / 4
    plain = BPETokenizer([])
    assert tokens_per_word(plain, ["ab cd"]) == 5 / 2
    with pytest.raises(ValueError, match="'texts' must hold at least one word"):
        tokens_per_word(words, [" ", ""])


def test_the_formulas_agree_with_torch():
    vocab_size, d_model, tokens = 300, 16, 7
    embedding = torch.nn.Embedding(vocab_size, d_model)
    output = torch.nn.Linear(d_model, vocab_size, bias=False)
    assert embedding_parameters(vocab_size, d_model) == sum(p.numel() for p in embedding.parameters())
    with FlopCounterMode(display=False) as counter:
        hidden = embedding(torch.arange(tokens))
    assert counter.get_total_flops() == 0, "a lookup multiplies nothing"
    with FlopCounterMode(display=False) as counter:
        output(hidden)
    assert counter.get_total_flops() == 2 * output_multiply_adds(tokens, vocab_size, d_model)


def test_each_size_is_measured_and_shown():
    measured = cost.measure([50, 100], d_model=8, tokens=16, rounds=1)
    assert [m.vocab_size for m in measured] == [50, 100]
    assert all(m.lookup_seconds > 0 and m.output_seconds > 0 for m in measured)
    assert len(cost.table(measured).splitlines()) == 3


def test_layers_are_measured_for_each_length():
    seconds = cost.layer_seconds([8, 16], d_model=16, layers=1, rounds=1)
    assert list(seconds) == [8, 16]
    assert all(value > 0 for value in seconds.values())
