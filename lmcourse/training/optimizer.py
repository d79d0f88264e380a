"""AdamW over the weights of a model, and which of them it lets shrink."""

from torch import nn, optim

from lmcourse.training.config import TrainConfig


def make_optimizer(model: nn.Module, config: TrainConfig) -> optim.AdamW:
    """Return AdamW for `model` with the numbers of `config`; the loop sets the learning rate before each step.

    With `decay="matrices"` the weight decay is for parameters of two dimensions and more. A vector is a bias or the gain of a
    norm: to pull a gain to 0 is to switch off what it scales, and biases are few. AdamW: Loshchilov and Hutter, "Decoupled
    Weight Decay Regularization" (ICLR 2019), algorithm 2.

    >>> optimizer = make_optimizer(nn.Linear(3, 2), TrainConfig(steps=100, weight_decay=0.1, decay="matrices"))
    >>> [(group["weight_decay"], [tuple(p.shape) for p in group["params"]]) for group in optimizer.param_groups]
    [(0.1, [(2, 3)]), (0.0, [(2,)])]
    """
    weights = list(model.parameters())
    groups: list[dict] = [{"params": weights}]
    if config.decay == "matrices":
        groups = [
            {"params": [weight for weight in weights if weight.ndim >= 2]},
            {"params": [weight for weight in weights if weight.ndim < 2], "weight_decay": 0.0},
        ]
    return optim.AdamW(
        groups,
        lr=config.lr,
        betas=config.betas,
        weight_decay=config.weight_decay,
        fused=True,
    )
