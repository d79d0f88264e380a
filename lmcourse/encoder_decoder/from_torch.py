"""torch's own Transformer beside ours: its weights in our blocks, to see that both compute the same."""

from __future__ import annotations

from torch import nn

from lmcourse.attention.multi_head import MultiHeadAttention
from lmcourse.encoder_decoder.blocks import DecoderBlock, EncoderBlock
from lmcourse.encoder_decoder.transformer import Transformer

NAMES = {
    EncoderBlock: {
        "self_attn": "attention",
        "norm1": "around_attention.norm",
        "linear1": "feed_forward.up_proj",
        "linear2": "feed_forward.down_proj",
        "norm2": "around_feed_forward.norm",
    },
    DecoderBlock: {
        "self_attn": "attention",
        "norm1": "around_attention.norm",
        "multihead_attn": "cross_attention",
        "norm2": "around_cross_attention.norm",
        "linear1": "feed_forward.up_proj",
        "linear2": "feed_forward.down_proj",
        "norm3": "around_feed_forward.norm",
    },
}


def load_torch_layer(
    block: EncoderBlock | DecoderBlock, layer: nn.TransformerEncoderLayer | nn.TransformerDecoderLayer
) -> None:
    """Copy the weights of one of torch's layers into `block`, which has the same sizes. It then computes the same.

    Raises:
        ValueError: the norm stands elsewhere. RuntimeError: other sizes (from torch).

    >>> import torch
    >>> from lmcourse.encoder_decoder import BlockConfig
    >>> layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, norm_first=True, batch_first=True)
    >>> block, x = EncoderBlock(BlockConfig(8, 2, 16, order="pre")), torch.randn(1, 3, 8)
    >>> load_torch_layer(block, layer)
    >>> torch.allclose(block(x), layer(x), atol=1e-5)
    True
    """
    order = "pre" if layer.norm_first else "post"
    if block.around_attention.order != order:
        raise ValueError(
            f"'block' must have the order {order!r}, as the layer, got {block.around_attention.order!r}"
        )
    for theirs, ours in NAMES[type(block)].items():
        module = getattr(layer, theirs)
        if isinstance(module, nn.MultiheadAttention):
            module = MultiHeadAttention.from_torch(module)
        block.get_submodule(ours).load_state_dict(module.state_dict())


def load_torch_transformer(model: Transformer, theirs: nn.Transformer) -> None:
    """Copy the weights of an `nn.Transformer`, which has neither embeddings nor an output layer, into `model`.

    torch's puts a norm behind the last layer in either order, which makes two of them with the norm behind: give it
    stacks of its own without, `nn.TransformerEncoder(layer, n, norm=None)`, and the same for the decoder.

    Raises:
        ValueError: another number of layers, or other norms at the end.
    """
    for ours, other in ((model.encoder, theirs.encoder), (model.decoder, theirs.decoder)):
        if len(ours.blocks) != len(other.layers):
            raise ValueError(f"'theirs' must have {len(ours.blocks)} layers, got {len(other.layers)}")
        if isinstance(ours.norm_out, nn.Identity) != (other.norm is None):
            raise ValueError(f"'theirs' must end with {type(ours.norm_out).__name__}, got {other.norm}")
        for block, layer in zip(ours.blocks, other.layers, strict=True):
            load_torch_layer(block, layer)
        if other.norm is not None:
            ours.norm_out.load_state_dict(other.norm.state_dict())
