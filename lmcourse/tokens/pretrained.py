"""The tokenizers of real models, and a table that sets tokenizers side by side."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pooch

from lmcourse.tokens.base import Tokenizer

HUB_URL = "https://huggingface.co/{name}/resolve/main/tokenizer.json"


@dataclass(frozen=True)
class PublishedTokenizer:
    """A tokenizer as its makers describe it.

    `vocab_size` is the number that they publish. The file may hold fewer ids (a model's embedding matrix is
    often rounded up to please the hardware) or more (tokens added for chats).
    """

    name: str
    kind: str
    vocab_size: int
    source: str


PUBLISHED = {
    published.name: published
    for published in [
        PublishedTokenizer("bert-base-uncased", "WordPiece", 30_522, "model card and config; paper: 'a 30,000 token vocabulary' (Devlin et al. 2019, section 3)"),
        PublishedTokenizer("gpt2", "byte-level BPE", 50_257, "Radford et al. 2019, section 2.3"),
        PublishedTokenizer("Xenova/gpt-4", "byte-level BPE", 100_277, "tiktoken, encoding cl100k_base: highest id plus one"),
        PublishedTokenizer("google/flan-t5-small", "Unigram", 32_128, "model config; 32,000 pieces (Raffel et al. 2020, section 3.1.3), 100 sentinels, rounded up"),
        PublishedTokenizer("bigcode/starcoder2-15b", "byte-level BPE", 49_152, "Lozhkov et al. 2024, and model config"),
        PublishedTokenizer("microsoft/Phi-3-mini-4k-instruct", "BPE with byte fall-back", 32_064, "model card; 32,000 of Llama 2, tokens for chats, rounded up"),
        PublishedTokenizer("Qwen/Qwen2-VL-7B-Instruct", "byte-level BPE", 152_064, "model config; 151,643 pieces (Yang et al. 2024, section 2.1), control tokens, rounded up"),
    ]
}  # fmt: skip


def load_pretrained(name_or_folder: str | Path) -> Tokenizer:
    """The tokenizer of a published model, or of a folder (or file) on this machine.

    A name is one of `PUBLISHED` or any `owner/model` of the Hugging Face hub. Its `tokenizer.json` is fetched
    once and kept in the cache folder of the user. No checksum is asked for: the files on the hub are
    revised by their owners, and a revised file is wanted rather than an error.

    Raises:
        ConnectionError: the file is not on this machine and cannot be fetched; says how to go on without.
        FileNotFoundError: a folder without tokenizer.json. ValueError: no name of a model.
    """
    path = Path(name_or_folder)
    if path.is_dir():
        if not (path / "tokenizer.json").is_file():
            raise FileNotFoundError(
                f"'name_or_folder' must hold a file tokenizer.json, got the folder {path}"
            )
        return Tokenizer.load(path / "tokenizer.json")
    if path.is_file():
        return Tokenizer.load(path)
    name = str(name_or_folder)
    if name not in PUBLISHED and not _is_hub_name(name):
        raise ValueError(
            f"'name_or_folder' must be a folder, 'owner/model' or one of {', '.join(PUBLISHED)}, got {name!r}"
        )
    return Tokenizer.load(_fetch(name))


def _is_hub_name(name: str) -> bool:
    parts = name.split("/")
    return len(parts) == 2 and all(part.strip(".") and set(part) <= _NAME_SIGNS for part in parts)


_NAME_SIGNS = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


def _fetch(name: str) -> str:
    url = HUB_URL.format(name=name)
    file_name = f"{name.replace('/', '--')}--tokenizer.json"
    folder = Path(pooch.os_cache("lmcourse")) / "tokenizers"
    try:
        return pooch.retrieve(url, known_hash=None, fname=file_name, path=folder)
    except OSError as error:  # what requests raises, from "no network" to "not found", is one too
        raise ConnectionError(
            f"the tokenizer {name!r} is not on this machine and could not be fetched from {url} "
            f"({type(error).__name__}: {error}). Connect to the network and try again; or fetch the file elsewhere, "
            f"put it in a folder and give its name: load_pretrained('path/to/folder')."
        ) from error


class Row(NamedTuple):
    """One tokenizer's line in the table of `compare`."""

    name: str
    kind: str
    vocab_size: int
    special_tokens: tuple[str, ...]
    n_tokens: int
    characters_per_token: float
    n_unknown: int
    comes_back: bool
    tokens: list[str]


def compare(tokenizers: Mapping[str, Tokenizer], text: str) -> list[Row]:
    """The same text, split by each of several tokenizers.

    `characters_per_token` is the length of the text divided by the number of tokens (0 for the empty text),
    `n_unknown` counts tokens that stand for text the vocabulary cannot spell, `comes_back` says whether
    decoding gives the text again.

    >>> from lmcourse.tokens.words import CharTokenizer
    >>> row, = compare({"characters": CharTokenizer.train(["abc"], 10)}, "cab")
    >>> row.n_tokens, row.tokens, row.comes_back
    (3, ['c', 'a', 'b'], True)
    """
    rows = []
    for name, tokenizer in tokenizers.items():
        ids = tokenizer.encode(text)
        tokens = [tokenizer.id_to_token[token_id] for token_id in ids]
        rows.append(
            Row(
                name=name,
                kind=type(tokenizer).__name__.removesuffix("Tokenizer"),
                vocab_size=tokenizer.vocab_size,
                special_tokens=tokenizer.special_tokens,
                n_tokens=len(ids),
                characters_per_token=len(text) / len(ids) if ids else 0.0,
                n_unknown=tokens.count(tokenizer.unk_token) if tokenizer.unk_token is not None else 0,
                comes_back=tokenizer.decode(ids) == text,
                tokens=tokens,
            )
        )
    return rows
