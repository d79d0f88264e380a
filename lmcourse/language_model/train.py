"""Train a language model on a text, from the command line: `python -m lmcourse.language_model.train --help`.

Under `torchrun` each process takes a share of every batch:

    python -m torch.distributed.run --nproc_per_node=2 -m lmcourse.language_model.train osier_bay out
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from jaxtyping import Int64
from torch import Tensor

from lmcourse.corpora import osier_bay, stdlib_docstrings, text8
from lmcourse.language_model.bits_per_byte import END, stream_surprisal
from lmcourse.language_model.config import LanguageModelConfig
from lmcourse.language_model.generate import generate
from lmcourse.language_model.model import LanguageModel
from lmcourse.language_model.pretrained import save_pretrained
from lmcourse.language_model.sampling import SamplingConfig
from lmcourse.tokens import BPETokenizer, Tokenizer
from lmcourse.training import TrainConfig, batches_of_rows, data_parallel, next_token_loss, train
from lmcourse.training.distributed import rank, world_size

CORPORA = {
    "osier_bay": osier_bay,
    "docstrings": stdlib_docstrings,
    "text8": lambda: [" ".join(text8(progress=rank() == 0))],
}
HELD_OUT = 0.05  # of the tokens, the last of them
JUDGED = 20_000  # tokens of it that each evaluation reads, at most

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def read_documents(data: str) -> list[str]:
    """Return the documents of a corpus of the course, or the one in a text file.

    Raises:
        ValueError: neither of the two.

    >>> len(read_documents("osier_bay")) > 10
    True
    """
    if data in CORPORA:
        return CORPORA[data]()
    if not Path(data).is_file():
        raise ValueError(f"'data' must be one of {', '.join(CORPORA)} or a text file, got {data!r}")
    return [Path(data).read_text(encoding="utf-8")]


def to_ids(tokenizer: Tokenizer, documents: list[str]) -> Int64[Tensor, "tokens"]:
    """Return the ids of all documents in a row, the end token before each."""
    end = tokenizer.vocab[END]
    rows = [np.array([end, *tokenizer.encode(text)], np.int32) for text in documents]
    return torch.from_numpy(np.concatenate(rows)).long()


def held_out_loss(model: LanguageModel, ids: Int64[Tensor, "tokens"], row: int) -> dict[str, float]:
    """Return the loss on a text in nats per token, and in bits per byte."""
    weight = next(model.parameters())
    surprisal = stream_surprisal(model, ids.to(weight.device), row).cpu()
    n_bytes = len(model.to_text(ids[1:].tolist()).encode())
    return {
        "nats per token": surprisal.mean().item(),
        "bits per byte": surprisal.sum().item() / math.log(2) / n_bytes,
    }


@app.command()
def main(
    data: Annotated[str, typer.Argument(help=f"A text file, or one of {', '.join(CORPORA)}.")],
    out: Annotated[Path, typer.Argument(help="The folder for the model, its tokenizer and its checkpoint.")],
    vocab_size: Annotated[
        int, typer.Option(help="Tokens of the byte-level BPE that is trained on the text.")
    ] = 2000,
    d_model: Annotated[int, typer.Option(help="Width of the residual stream.")] = 128,
    n_layers: Annotated[int, typer.Option(help="Blocks.")] = 4,
    n_heads: Annotated[int, typer.Option(help="Heads of each attention.")] = 4,
    context: Annotated[int, typer.Option(help="Context length, an even number of tokens.")] = 128,
    dropout: Annotated[float, typer.Option(help="Share of what each sublayer adds that is left out.")] = 0.0,
    steps: Annotated[int, typer.Option(help="How often the weights are changed.")] = 1000,
    batch_size: Annotated[int, typer.Option(help="Rows in a batch, of all processes together.")] = 16,
    lr: Annotated[
        float, typer.Option(help="The highest learning rate; a cosine ends at a tenth of it.")
    ] = 2e-3,
    weight_decay: Annotated[float, typer.Option(help="Of the matrices.")] = 0.1,
    precision: Annotated[str, typer.Option(help='"float32", or "bf16" for the matrix products.')] = "float32",
    device: Annotated[
        str | None, typer.Option(help='"cpu" or "cuda"; default: the best that is there.')
    ] = None,
    eval_every: Annotated[int, typer.Option(help="Steps between looks at the held-out text.")] = 250,
    checkpoint_every: Annotated[int, typer.Option(help="Steps between checkpoints.")] = 250,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint in the folder.")
    ] = False,
    prompt: Annotated[str, typer.Option(help="What the trained model continues at the end.")] = "The ",
    seed: Annotated[int, typer.Option(help="Of weights, order and dropout.")] = 0,
) -> None:
    """Train a decoder-only language model on a text, and leave it in a folder that `load_pretrained` reads.

    The recipe is that of the GPT papers: AdamW with a weight decay on the matrices, a warm-up, a cosine, gradients cut to
    length 1. A run that was stopped goes on with --resume and the same options, bit for bit.
    """
    try:
        documents = read_documents(data)
        with data_parallel(device) as place:
            config = LanguageModelConfig(
                vocab_size, d_model, n_heads, n_layers, max_length=context, dropout=dropout, seed=seed
            )
            recipe = TrainConfig(
                steps=steps,
                batch_size=batch_size,
                lr=lr,
                betas=(0.9, 0.95),
                weight_decay=weight_decay,
                warmup=steps // 20,
                final_share=0.1,
                seed=seed,
                eval_every=eval_every,
                device=place,
                schedule="cosine",
                precision=precision,
                decay="matrices",
            )
            _run(documents, out, config, recipe, checkpoint_every, resume, prompt)
    except (ValueError, OSError) as error:
        typer.echo(f"train: {error}", err=True)
        raise typer.Exit(2) from error


def _run(
    documents: list[str],
    out: Path,
    config: LanguageModelConfig,
    recipe: TrainConfig,
    checkpoint_every: int,
    resume: bool,
    prompt: str,
) -> None:
    def say(text: str) -> None:
        if rank() == 0:
            typer.echo(text)

    tokenizer = BPETokenizer.train(documents, config.vocab_size, special_tokens=[END])
    ids = to_ids(tokenizer, documents)
    learn, judge = ids.tensor_split([round(len(ids) * (1 - HELD_OUT))])
    judge, row = judge[:JUDGED], config.max_length
    model = LanguageModel(config, tokenizer)
    parameters = sum(weights.numel() for weights in model.parameters())
    say(f"{parameters:,} parameters, {len(learn):,} tokens to learn from; {world_size()} x {recipe.device}")
    history = train(
        model,
        batches_of_rows(learn, row, recipe.batch_size, recipe.seed),
        next_token_loss,
        recipe,
        lambda model: held_out_loss(model, judge, row),
        checkpoint=out / "checkpoint.pt",
        checkpoint_every=checkpoint_every,
        resume=resume,
    )
    say(f"{history}; {history.tokens[-1] / history.seconds:,.0f} tokens a second")
    if rank() == 0:
        save_pretrained(model.cpu(), out)
        sampling = SamplingConfig(temperature=0.8, top_k=40)
        start = model.from_text(prompt)
        text = generate(model, start, max(1, row - start.shape[1]), sampling, seed=recipe.seed)[0]
        say(prompt + model.to_text(text.ids))


if __name__ == "__main__":
    app()
