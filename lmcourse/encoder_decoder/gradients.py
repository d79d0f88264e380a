"""Where the gradient is large before the first step: the reason for warm-up, and for the norm in front."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float64

from lmcourse.encoder_decoder.transformer import Transformer
from lmcourse.recurrence.translation_training import PairBatch, translation_loss


def gradient_norms_by_layer(
    model: Transformer, batch: PairBatch
) -> tuple[Float64[np.ndarray, "encoder_layers"], Float64[np.ndarray, "decoder_layers"]]:
    """Return ||d loss / d W2|| of the feed-forward network in each block, of encoder and decoder.

    The loss is that of teacher forcing. Xiong et al. 2020, "On Layer Normalization in the Transformer Architecture",
    theorem 1 and figure 3: at the first step, with the norm behind, the gradient of the last block is large however
    deep the model is; with the norm in front it falls as 1 / sqrt(depth). So the first needs a learning rate that
    starts small, the second does not. With the norm behind, a deep decoder's first blocks get next to nothing. The
    model is left as it was.

    >>> from lmcourse.encoder_decoder import TransformerConfig
    >>> from lmcourse.recurrence import pad_pairs
    >>> model, batch = Transformer(TransformerConfig(9, 7, d_model=8, n_layers=2)), pad_pairs([[4, 5, 2]], [[1, 3, 2]])
    >>> [norms.shape for norms in gradient_norms_by_layer(model, batch)]
    [(2,), (2,)]
    """
    sides = [model.encoder.blocks, model.decoder.blocks]
    matrices = [block.feed_forward.down_proj.weight for blocks in sides for block in blocks]
    gradients = torch.autograd.grad(translation_loss(model, batch), matrices)
    norms = torch.stack([gradient.norm() for gradient in gradients]).double().cpu().numpy()
    return norms[: len(model.encoder.blocks)], norms[len(model.encoder.blocks) :]
