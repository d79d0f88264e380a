"""Bits per byte against arithmetic that one can do by hand, and against plain scoring of short texts."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from lmcourse.language_model import LanguageModel, LanguageModelConfig, bits_per_byte
from lmcourse.language_model.bits_per_byte import END, encode_paragraphs, score_tokenizer, stream_surprisal
from lmcourse.language_model.sizes import flops_per_token
from lmcourse.recurrence.language_model import document_surprisal
from lmcourse.tokens import CharTokenizer, UnigramTokenizer, WordTokenizer

TEXTS = ["the net is wet", "an eel is in it", "we sell the eel", "añ"] * 6


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def characters() -> CharTokenizer:
    return CharTokenizer.train(TEXTS, 50, special_tokens=[END])


def test_one_window_is_the_whole_text_and_later_ones_see_at_least_half_a_row():
    torch.manual_seed(0)
    ids = torch.randint(10, (41,))
    model = LanguageModel(LanguageModelConfig(10, 16, 2, 2, std=0.5))
    whole = document_surprisal(model, [ids[1:].numpy()], start_id=int(ids[0]))
    assert np.allclose(stream_surprisal(model, ids, 80), whole, atol=1e-5)
    found = stream_surprisal(model, ids, 16, batch_size=2).numpy()
    assert found.shape == (40,)
    for place in range(40):
        begin = max(0, place // 8 * 8 - 8)  # a window begins at a multiple of half a row
        piece = document_surprisal(model, [ids[begin + 1 : place + 2].numpy()], start_id=int(ids[begin]))
        assert found[place] == pytest.approx(piece[-1], abs=1e-5)
        assert place < 8 or 8 < place + 1 - begin <= 16
    assert not np.allclose(found, whole, atol=1e-3), "the windows must matter"
    with pytest.raises(ValueError, match="'row' must be an even number, at least 2, got 3"):
        stream_surprisal(model, ids, 3)
    with pytest.raises(ValueError, match="'ids' must hold at least two ids, got 1"):
        stream_surprisal(model, ids[:1], 2)


def test_a_model_that_knows_nothing_pays_log2_of_its_vocabulary_for_each_token(monkeypatch):
    def untrained(model, *rest, **options):
        nn.init.zeros_(model.head.weight)

    monkeypatch.setattr(bits_per_byte, "train", untrained)
    score = score_tokenizer(characters(), TEXTS * 9, ["eel", "añ"], compute=1e9)
    # e e l END a ñ END: 7 tokens, and ñ is two bytes
    assert score.bytes_per_token == pytest.approx(8 / 7)
    assert score.perplexity == pytest.approx(score.vocab_size, rel=1e-6)
    assert score.bits_per_byte == pytest.approx(7 * math.log2(score.vocab_size) / 8, rel=1e-6)


def test_every_tokenizer_gets_the_same_compute():
    tokenizers = [characters(), UnigramTokenizer.train(TEXTS, 40, [END])]
    for tokenizer in tokenizers:
        score = score_tokenizer(tokenizer, TEXTS * 12, TEXTS[:4], compute=5e9)
        config = bits_per_byte.byte_model_config(tokenizer.vocab_size)
        step = 3 * flops_per_token(config, bits_per_byte.ROW) * bits_per_byte.ROW * bits_per_byte.BATCH
        assert abs(score.steps * step - 5e9) <= step / 2
        n_tokens = len(encode_paragraphs(tokenizer, TEXTS * 12))
        assert score.passes == round(score.steps * bits_per_byte.ROW * bits_per_byte.BATCH / n_tokens, 2)
        assert score.bits_per_byte < 8


def test_a_tokenizer_that_loses_text_is_refused():
    words = WordTokenizer.train(["the eel"], 4, special_tokens=[END, "<unk>"])
    with pytest.raises(ValueError, match="'texts' must come back from their ids .*: 'the net'"):
        encode_paragraphs(words, ["the eel", "the net"])
    with pytest.raises(ValueError, match=r"'tokenizer' must have the special token '<end>', got \(\)"):
        encode_paragraphs(CharTokenizer.train(["ab"], 3), ["ab"])


def test_the_held_out_text_can_be_written_by_all():
    learn, judge = bits_per_byte.natural_text()
    assert set("".join(judge)) <= set("".join(learn))
    assert 0.05 < len("".join(judge)) / len("".join(learn)) < 0.15
    assert len(set(judge) & set(learn)) < 0.03 * len(judge), "but for short answers in dialogues"
