"""The course's language model beside a compact GPT-2 and beside `transformers`: a training step, and generation with a cache.

    python benchmarks/bench_language_model.py [--quick]

Training: a GPT-2 of 4 layers and d = 128, the same first weights, the same batches of the course's grammar, the same loss function, AdamW
(torch's fused one) and clipping for all. `Compact` below is the design that nanoGPT made common: queries, keys and values by one product, torch's
fused attention, everything in one file. `transformers` computes attention in its eager way. The losses of ten steps must be equal first; then the
three take turns at the clock. Dropout is off.

Generation: greedy, batches of 1 and 8, a GPT-2 and a Llama; the tokens must be equal to those of `transformers`, and the memory of our cache to the
formula. Ratios are theirs / ours: above 1, ours is faster.
"""

import argparse
import tempfile

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AutoModelForCausalLM
from transformers.utils import logging
from turns import in_turn

from lmcourse.corpora import preferences
from lmcourse.language_model import (
    LanguageModel,
    LanguageModelConfig,
    cache_bytes,
    generate,
    gpt2_config,
    llama_config,
)
from lmcourse.language_model.pretrained import save_pretrained
from lmcourse.training import Rows, batches_of_rows

ROW = 128


class CompactBlock(nn.Module):
    def __init__(self, d: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.before_attention, self.before_network = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.mix = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.widen, self.narrow = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x: Tensor) -> Tensor:
        b, t, d = x.shape
        q, k, v = (
            part.view(b, t, self.n_heads, -1).transpose(1, 2)
            for part in self.qkv(self.before_attention(x)).split(d, dim=2)
        )
        heads = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.mix(heads.transpose(1, 2).reshape(b, t, d))
        return x + self.narrow(F.gelu(self.widen(self.before_network(x)), approximate="tanh"))


class Compact(nn.Module):
    """GPT-2 as compactly as it can be written, with the weights of one of ours."""

    def __init__(self, ours: LanguageModel) -> None:
        super().__init__()
        config, stack = ours.config, ours.stack
        self.tokens = nn.Embedding.from_pretrained(stack.tokens.weight.detach().clone(), freeze=False)
        places = stack.positions.positions.table.weight
        self.places = nn.Embedding.from_pretrained(places.detach().clone(), freeze=False)
        self.blocks = nn.ModuleList(
            CompactBlock(config.d_model, config.n_heads) for _ in range(config.n_layers)
        )
        self.last = nn.LayerNorm(config.d_model)
        self.last.load_state_dict(stack.norm.state_dict())
        for block, source in zip(self.blocks, stack.blocks, strict=True):
            attention, network = source.attention, source.feed_forward
            three = (attention.q_proj, attention.k_proj, attention.v_proj)
            for name in ("weight", "bias"):
                getattr(block.qkv, name).data = torch.cat([getattr(part, name).data for part in three])
            block.before_attention.load_state_dict(source.around_attention.norm.state_dict())
            block.before_network.load_state_dict(source.around_feed_forward.norm.state_dict())
            block.mix.load_state_dict(attention.out_proj.state_dict())
            block.widen.load_state_dict(network.up_proj.state_dict())
            block.narrow.load_state_dict(network.down_proj.state_dict())

    def forward(self, ids: Tensor) -> Tensor:
        x = self.tokens(ids) + self.places(torch.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        return F.linear(self.last(x), self.tokens.weight)


class Theirs(nn.Module):
    """The same model in `transformers`."""

    def __init__(self, ours: LanguageModel) -> None:
        super().__init__()
        with tempfile.TemporaryDirectory() as folder:
            save_pretrained(ours, folder)
            self.model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager")
        for name in ("attn_pdrop", "embd_pdrop", "resid_pdrop"):
            assert getattr(self.model.config, name, 0.0) == 0, name

    def forward(self, ids: Tensor) -> Tensor:
        return self.model(ids, use_cache=False).logits


class Step:
    """One program at the clock: each call is the next step of training."""

    def __init__(self, model: nn.Module, batches: list[Rows]) -> None:
        self.model, self.batches, self.at = model.train(), batches, 0
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)

    def __call__(self) -> float:
        batch = self.batches[self.at % len(self.batches)]
        self.at += 1
        loss = F.cross_entropy(self.model(batch.input_ids).flatten(0, 1), batch.targets.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss.item()


def compare_training(rounds: int) -> None:
    corpus = preferences().sample(20_000, seed=0)
    vocab_size = len(corpus.vocab)
    config = gpt2_config(vocab_size=vocab_size, d_model=128, n_heads=4, n_layers=4, max_length=ROW)
    print(f"training step: 4 layers, d = 128, {vocab_size} tokens, rows of {ROW}")
    for batch_size in (4, 16):
        stream = batches_of_rows(corpus.ids, ROW, batch_size)
        batches = [next(stream) for _ in range(10)]
        ours = LanguageModel(config)
        compact, theirs = Compact(ours), Theirs(ours)
        programs = [Step(model, batches) for model in (ours, compact, theirs)]
        for step in range(10):
            losses = torch.tensor([program() for program in programs])
            assert torch.allclose(losses, losses[0], atol=2e-3), (step, losses)
        ours_s, compact_s, theirs_s = in_turn(rounds, *programs)
        print(
            f"  batch {batch_size:>2}: {batch_size * ROW / ours_s:>7,.0f} tokens/s; compact / ours {compact_s / ours_s:.3f} (>= 0.95), "
            f"transformers eager / ours {theirs_s / ours_s:.3f} (>= 1.15)",
            flush=True,
        )


def compare_generation(rounds: int, name: str, config: LanguageModelConfig, new: int) -> None:
    ours = LanguageModel(config).eval()
    with torch.no_grad():  # far from ties between tokens
        for weight in ours.parameters():
            weight.mul_(2.0 if weight.ndim > 1 else 1.0)
    with tempfile.TemporaryDirectory() as folder:
        save_pretrained(ours, folder)
        theirs = AutoModelForCausalLM.from_pretrained(folder).eval()  # with its own fastest attention
    generator = torch.Generator().manual_seed(0)
    for batch in (1, 8):
        prompts = torch.randint(config.vocab_size, (batch, 16), generator=generator)
        options = {"max_new_tokens": new, "min_new_tokens": new, "do_sample": False, "use_cache": True}
        run = [
            lambda p=prompts: generate(ours, p, new),
            lambda p=prompts, o=options: theirs.generate(
                p, attention_mask=torch.ones_like(p), pad_token_id=0, eos_token_id=None, **o
            ),
        ]
        found, expected = run[0](), run[1]()
        assert [one.ids for one in found] == [tuple(row) for row in expected[:, 16:].tolist()]
        assert len({one.ids for one in found}) == batch
        cache = ours.new_cache(batch, 16 + new)
        assert cache.bytes == cache_bytes(config, batch, 16 + new) == cache.kept.untyped_storage().nbytes()
        ours_s, theirs_s = in_turn(rounds, *run)
        print(
            f"  {name}, batch {batch}: {batch * new / ours_s:>6,.0f} tokens/s; transformers / ours {theirs_s / ours_s:.2f} (>= 1.4); "
            f"cache {cache.bytes / 2**20:.2f} MiB, as the formula says",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="few rounds, short texts")
    quick = parser.parse_args().quick
    logging.disable_progress_bar()
    print(f"{torch.get_num_threads()} threads")
    compare_training(5 if quick else 31)
    new = 48 if quick else 200
    sizes = {"vocab_size": 2000, "d_model": 128, "n_heads": 4, "n_layers": 4, "max_length": 256}
    print(f"generation: 4 layers, d = 128, 2000 tokens, prompts of 16, {new} new tokens")
    compare_generation(2 if quick else 7, "GPT-2", gpt2_config(**sizes), new)
    compare_generation(2 if quick else 7, "Llama", llama_config(**sizes, n_kv_heads=2), new)


if __name__ == "__main__":
    main()
