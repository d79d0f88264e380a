"""The references of chapter 05 beside libraries: what the course calls right is what the field calls right."""

from __future__ import annotations

import math

import pytest
import torch
from sacrebleu.metrics import BLEU

from lmcourse.authoring.chapter import load
from tests.conftest import ROOT

F = torch.nn.functional
CHAPTER = load("05_encoder_decoder", ROOT)
REFERENCES = CHAPTER.references


def calls(name, count=60, seed=3):
    (exercise,) = [e for e in CHAPTER.exercises if e.name == name]
    return exercise.take(seed, count)


def test_bleu_is_that_of_sacrebleu():
    seen = []
    for call in calls("bleu", 150):
        hypotheses, groups, max_n = call.args
        oracle = BLEU(tokenize="none", smooth_method="none", max_ngram_order=max_n, effective_order=False)
        longest = max(map(len, groups))
        streams = [
            [" ".join(group[i]) if i < len(group) else None for group in groups] for i in range(longest)
        ]
        expected = oracle.corpus_score([" ".join(h) for h in hypotheses], streams).score
        assert REFERENCES["bleu"](*call.args) == pytest.approx(expected, abs=1e-6), call
        seen.append(expected)
    assert sum(0 < score < 100 for score in seen) > 80


def test_the_warm_up_is_the_shortest_that_holds_step_by_step():
    for call in calls("shortest_warmup", 40):
        d_model, largest, gentle, n = call.args

        def holds(warmup, d_model=d_model, largest=largest, gentle=gentle, n=n):
            step = torch.arange(1, 2 * max(warmup, n) + 2, dtype=torch.float64)
            rate = d_model**-0.5 * torch.minimum(step**-0.5, step * warmup**-1.5)
            return bool((rate <= largest).all() and (rate[:n] <= gentle).all())

        warmup = REFERENCES["shortest_warmup"](*call.args)
        assert holds(warmup), call
        assert warmup == 1 or not holds(warmup - 1), call


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
def test_the_parameters_are_those_of_torch():
    encoder = torch.nn.TransformerEncoderLayer(10, 2, 40, norm_first=True)
    decoder = torch.nn.TransformerDecoderLayer(10, 2, 40, norm_first=True)
    whole = torch.nn.Transformer(10, 2, 2, 2, 40, norm_first=True)
    one, other, all_blocks = (sum(p.numel() for p in m.parameters()) for m in (encoder, decoder, whole))
    assert REFERENCES["predict_parameters"]() == [one, other, all_blocks + 100 * 10, 2 * 100 * 10]


def test_the_stack_is_that_of_torchs_layer_norm():
    for call in calls("pre_norm_stack"):
        x, sublayers, gain, bias, eps = call.args
        expected = x.double()
        for sublayer in sublayers:
            g, b, W_1, W_2 = (p.double() for p in sublayer)
            expected = expected + F.layer_norm(expected, g.shape, g, b, eps).matmul(W_1).relu() @ W_2
        expected = F.layer_norm(expected, gain.shape, gain.double(), bias.double(), eps)
        torch.testing.assert_close(
            REFERENCES["pre_norm_stack"](*call.args).double(), expected, rtol=1e-4, atol=1e-4
        )


def test_the_smoothed_loss_is_a_cross_entropy_with_a_law_as_target():
    for call in calls("smoothed_loss"):
        logits, targets, smoothing, pad_id = call.args
        real = targets != pad_id
        vocab = logits.shape[-1]
        law = torch.full((int(real.sum()), vocab), smoothing / (vocab - 1))
        law[:, pad_id] = 0
        law += (1 - smoothing) * F.one_hot(targets[real], vocab)
        torch.testing.assert_close(law.sum(-1), torch.ones(len(law)))
        rows = logits[real].clamp(min=-1e6)  # 0 * -inf is nan there, too
        expected = F.cross_entropy(rows, law)
        torch.testing.assert_close(REFERENCES["smoothed_loss"](*call.args), expected, rtol=1e-4, atol=1e-5)


def test_a_smoothed_loss_can_be_trained_on():
    logits = torch.tensor([[[-math.inf, 1.0, 2.0], [0.0, math.nan, 1.0]]], requires_grad=True)
    REFERENCES["smoothed_loss"](logits, torch.tensor([[2, 0]]), 0.1, 0).backward()
    assert logits.grad.isfinite().all()
    assert logits.grad[0, 0, 2] < 0 < logits.grad[0, 0, 1]


def test_cross_attention_is_that_of_torch_with_a_memory_for_each_hypothesis():
    for call in calls("cross_attention"):
        x, memory, mask, W_q, W_k, W_v = call.args
        width = len(x) // len(memory)
        own = memory.repeat_interleave(width, dim=0)
        seen = mask.repeat_interleave(width, dim=0)[:, None].expand(-1, x.shape[1], -1)
        expected = F.scaled_dot_product_attention(x @ W_q, own @ W_k, own @ W_v, attn_mask=seen)
        output, weights = REFERENCES["cross_attention"](*call.args)
        torch.testing.assert_close(output, expected, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:2]))
        assert (weights[~seen] == 0).all()


def test_a_translation_is_the_same_alone_and_in_a_batch():
    for call in calls("translate", 30):
        memory, mask, *rest = call.args
        together = REFERENCES["translate"](memory, mask, *rest)
        alone = [
            REFERENCES["translate"](m[None, :n], s[None, :n], *rest)[0]
            for m, s, n in zip(memory, mask, mask.sum(1).tolist(), strict=True)
        ]
        assert together == alone
