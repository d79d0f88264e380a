"""bfloat16: the matrix products are, the weights and the loss are not."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lmcourse.training import TrainConfig, batches_of_rows, next_token_loss, train

VOCAB = 13


def trained(precision: str, seen: list, steps: int = 20) -> tuple[nn.Module, list[float]]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(VOCAB, 16), nn.Linear(16, 32), nn.GELU(), nn.Linear(32, VOCAB))

    def loss_fn(model, batch):
        logits = model(batch.input_ids)
        loss = F.cross_entropy(logits.flatten(0, 1), batch.targets.flatten())
        seen.append((logits.detach(), loss.detach(), batch.targets))
        return loss

    text = torch.randint(VOCAB, (400,), generator=torch.Generator().manual_seed(1))
    batches = batches_of_rows(text, row=10, batch_size=4)
    config = TrainConfig(steps=steps, warmup=2, lr=0.01, precision=precision)
    history = train(model, batches, loss_fn, config, lambda m: next_token_loss(m, next(batches)), False)
    return model, history.loss


def test_products_are_in_bfloat16_the_loss_and_the_weights_in_float32():
    seen = []
    model, losses = trained("bf16", seen)
    assert {(logits.dtype, loss.dtype) for logits, loss, _ in seen} == {(torch.bfloat16, torch.float32)}
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    for logits, loss, targets in seen:  # the softmax itself is computed in float32
        exact = F.cross_entropy(logits.double().flatten(0, 1), targets.flatten())
        assert loss.item() == pytest.approx(exact.item(), abs=2e-6)

    full = []
    _, in_float32 = trained("float32", full)
    assert full[0][0].dtype == torch.float32
    assert losses != in_float32
    assert losses == pytest.approx(in_float32, rel=0.02)
