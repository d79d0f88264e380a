"""A training step of the course's Transformer beside one of torch's `nn.Transformer`.

    python benchmarks/bench_encoder_decoder.py [--quick]

Both have the same sizes, the same first weights, the same embeddings, positions and output layer (`nn.Transformer` has none: ours are put around
it), the same optimizer and the same batches of sentences of the course's grammar, padded and masked. First the losses must be equal,
and stay so while both are trained; then they take turns at the clock, in one process, on one thread and on all. A step is forward, backward and
AdamW; the number is the median of the rounds.

Without dropout both do the same work. With dropout, ours drops what each sublayer adds, as the paper does (section 5.4); torch's also drops
attention weights, for which it leaves its fast kernel, and hidden units.
"""

import argparse
import copy
import warnings

import torch
import torch.nn.functional as F
from torch import nn
from turns import in_turn

from lmcourse.corpora import translation
from lmcourse.encoder_decoder import Transformer, TransformerConfig, load_torch_transformer
from lmcourse.recurrence import PairBatch
from lmcourse.recurrence.translation_training import pair_batches

GRAMMAR = translation()
VOCABULARIES = (len(GRAMMAR.source_vocab), len(GRAMMAR.target_vocab))


class Torchs(nn.Module):
    """`nn.Transformer` with embeddings, positions and output layer copied from ours."""

    def __init__(self, ours: Transformer) -> None:
        super().__init__()
        config = ours.config
        self.layers = nn.Transformer(
            config.d_model,
            config.n_heads,
            config.n_layers,
            config.decoder_layers,
            config.block.d_ff,
            dropout=0.0,
            norm_first=True,
            batch_first=True,
        )
        ends = copy.deepcopy(ours)
        self.source_side, self.target_side = ends.encoder, ends.decoder
        for side in (self.source_side, self.target_side):
            side.blocks = nn.ModuleList()
            side.norm_out = nn.Identity()

    def forward(self, source_ids, lengths, target_ids):
        padding = torch.arange(source_ids.shape[1]) >= lengths[:, None]
        causal = nn.Transformer.generate_square_subsequent_mask(target_ids.shape[1])
        out = self.layers(
            self.source_side.embed(source_ids),
            self.target_side.embed(target_ids),
            tgt_mask=causal,
            tgt_is_causal=True,
            src_key_padding_mask=padding,
            memory_key_padding_mask=padding,
        )
        return self.target_side.output(out)


class Step:
    """One program at the clock: each call is the next step of training."""

    def __init__(self, model: nn.Module, batches: list[PairBatch]) -> None:
        self.model, self.batches, self.at = model.train(), batches, 0
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

    def __call__(self) -> float:
        batch = self.batches[self.at % len(self.batches)]
        self.at += 1
        logits = self.model(batch.source_ids, batch.lengths, batch.target_ids)
        loss = F.cross_entropy(logits.flatten(0, 1), batch.targets.flatten())
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss.item()


def contestants(batch_size: int, dropout: float = 0.0, **sizes) -> tuple[Step, Step]:
    """Ours and torch's, with equal weights; it is checked that they learn the same, and then dropout is switched on."""
    ours = Transformer(TransformerConfig(*VOCABULARIES, **sizes))
    theirs = Torchs(ours)
    load_torch_transformer(ours, theirs.layers)
    pairs = GRAMMAR.sample(40 * batch_size, lengths=(4, 24), seed=0)
    stream = pair_batches(pairs, batch_size)
    batches = [next(stream) for _ in range(40)]
    steps = Step(ours, batches), Step(theirs, batches)
    for at in range(5):
        ours_loss, theirs_loss = (step() for step in steps)
        assert abs(ours_loss - theirs_loss) < 1e-3, (at, ours_loss, theirs_loss)
    for step in steps:
        for module in step.model.modules():
            if isinstance(module, nn.Dropout):
                module.p = dropout
            elif isinstance(module, nn.MultiheadAttention):
                module.dropout = dropout
    return steps


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a few rounds")
    warnings.filterwarnings("ignore", "enable_nested_tensor")  # torch's advice on the norm in front
    rounds = 8 if parser.parse_args().quick else 80
    print(f"{'':<46} {'ms a step':>15} {'ratio':>6}")
    print(f"{'':<46} {'ours':>7} {'torch':>7} {'>= 1.1':>6}")
    threads = sorted({1, torch.get_num_threads()})
    small = {"d_model": 64, "n_heads": 4, "n_layers": 3, "d_ff": 128}
    middle = {"d_model": 128, "n_heads": 4, "n_layers": 3, "d_ff": 512}
    large = {"d_model": 256, "n_heads": 8, "n_layers": 3, "d_ff": 1024}
    for sizes, dropout in ((small, 0.0), (middle, 0.0), (large, 0.0), (middle, 0.1)):
        name = f"d {sizes['d_model']}, 3 + 3, batch 32, dropout {dropout:g}"
        for n in threads:
            torch.set_num_threads(n)
            ours, theirs = in_turn(rounds, *contestants(32, dropout, **sizes))
            label = f"{name}, {n} thread{'s' if n > 1 else ''}"
            print(f"{label:<46} {1e3 * ours:>7.1f} {1e3 * theirs:>7.1f} {theirs / ours:>6.2f}", flush=True)


if __name__ == "__main__":
    main()
