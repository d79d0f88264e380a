"""Reading and writing `tokenizer.json`, the file format of the `tokenizers` and `transformers` libraries.

The file has one section for each step: `normalizer` (rewrite the text), `pre_tokenizer` (cut it into words),
`model` (words to pieces), `decoder` (pieces to text), and `added_tokens` with the tokens that are never split. Each
class reads and writes its own four sections; this module does the rest. `encode` gives the ids that
`tokenizers` gives with `add_special_tokens=False`, whatever the file says about tokens to put around a text
(`post_processor`), cutting and padding: those are kept for the next `save`, and are no part of `encode`.
"""

import json
import os
import secrets
from pathlib import Path
from typing import Any

from lmcourse.tokens.base import Tokenizer
from lmcourse.tokens.bpe import BPETokenizer
from lmcourse.tokens.bpe_fallback import ByteFallbackBPETokenizer
from lmcourse.tokens.checks import shorten
from lmcourse.tokens.json_fields import field
from lmcourse.tokens.special import AddedToken
from lmcourse.tokens.unigram import UnigramTokenizer
from lmcourse.tokens.wordpiece import WordPieceTokenizer
from lmcourse.tokens.words import ANY_CHARACTER, WORD_PATTERN, CharTokenizer, WordTokenizer

KEPT_SECTIONS = ("truncation", "padding", "post_processor")


def write_tokenizer(tokenizer: Tokenizer, path: str | os.PathLike[str]) -> None:
    """Write a tokenizer.json; see `Tokenizer.save`."""
    write_atomically(path, json.dumps(tokenizer_to_json(tokenizer), ensure_ascii=False, indent=1))


def write_atomically(path: str | os.PathLike[str], text: str) -> None:
    """Write a file beside `path` and rename it to `path`, so that `path` is at no time half written."""
    target = Path(os.path.realpath(path))  # behind a symbolic link, so that the link stays
    if target.is_dir():
        raise IsADirectoryError(f"'path' must be the name of a file, got a folder: {path}")
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        with open(draft, "x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)


def tokenizer_to_json(tokenizer: Tokenizer) -> dict:
    """The whole file as Python data."""
    added = [
        {
            "id": tokenizer.vocab[token.content],
            "content": token.content,
            "single_word": False,
            "lstrip": token.lstrip,
            "rstrip": token.rstrip,
            "normalized": False,
            "special": token.special,
        }
        for token in sorted(tokenizer.added_tokens, key=lambda token: tokenizer.vocab[token.content])
    ]
    kept = dict.fromkeys(KEPT_SECTIONS) | dict(tokenizer.kept_sections)
    sections = {"version": "1.0", **kept, "added_tokens": added, **tokenizer._model_json()}
    order = (
        "version",
        "truncation",
        "padding",
        "added_tokens",
        "normalizer",
        "pre_tokenizer",
        "post_processor",
    )
    return {name: sections[name] for name in (*order, "decoder", "model")}


def read_tokenizer(path: str | os.PathLike[str]) -> Tokenizer:
    """Read a tokenizer.json; see `Tokenizer.load`."""
    raw = Path(path).read_bytes()
    try:
        spec = json.loads(raw.decode())
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no tokenizer file: not UTF-8 from byte {error.start} on") from None
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path} is no whole tokenizer file: {error.msg} at line {error.lineno}, column {error.colno} "
            f"(the file has {len(raw)} bytes)"
        ) from None
    try:
        return tokenizer_from_json(spec)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    except (
        AttributeError,
        IndexError,
        KeyError,
        TypeError,
    ) as error:  # a section of another shape than any we know
        raise ValueError(
            f"{path} is damaged or of an unknown kind: {type(error).__name__}: {error}"
        ) from error


def tokenizer_from_json(spec: Any) -> Tokenizer:
    """The tokenizer of a parsed file.

    Raises:
        ValueError: something is missing, of the wrong kind, or not supported; the message names it.
    """
    if not isinstance(spec, dict):
        raise ValueError(f"the file must hold a JSON object, got {shorten(spec)}")
    model = field(spec, "model", dict)
    for name in ("normalizer", "pre_tokenizer", "decoder"):
        if spec.get(name) is not None:
            field(spec, name, dict)
    tokenizer = _class_for(spec, model)._from_json(spec)
    tokens, ids = _added_tokens(spec)
    for token, token_id in ids.items():
        if tokenizer.vocab.get(token, token_id) != token_id:
            raise ValueError(
                f"'added_tokens' gives {token!r} the id {token_id}, 'model' gives {tokenizer.vocab[token]}"
            )
    tokenizer._set_added_tokens(tokens, ids)
    tokenizer.kept_sections = {name: spec.get(name) for name in KEPT_SECTIONS}
    return tokenizer


def _class_for(spec: dict, model: dict) -> type[Tokenizer]:
    kind = model.get("type") or _kind_of_old_file(model)
    if kind == "BPE":
        return ByteFallbackBPETokenizer if model.get("byte_fallback") else BPETokenizer
    if kind == "WordLevel":
        split = spec.get("pre_tokenizer") or {}
        by_pattern = {ANY_CHARACTER: CharTokenizer, WORD_PATTERN: WordTokenizer}
        pattern = split.get("pattern", {}).get("Regex") if split.get("type") == "Split" else None
        if pattern not in by_pattern or spec.get("normalizer"):
            raise ValueError(
                f"'pre_tokenizer' of a WordLevel model must be one of ours, got {shorten(split)}"
            )
        return by_pattern[pattern]
    classes = {"WordPiece": WordPieceTokenizer, "Unigram": UnigramTokenizer}
    if kind not in classes:
        raise ValueError(
            f"'model' of type {kind!r} is not supported (supported: BPE, WordLevel, {', '.join(classes)})"
        )
    return classes[kind]


def _kind_of_old_file(model: dict) -> str:
    """Files of the first years do not name the type of the model."""
    if "merges" in model:
        return "BPE"
    if "max_input_chars_per_word" in model:
        return "WordPiece"
    return "Unigram" if isinstance(model.get("vocab"), list) else "WordLevel"


def _added_tokens(spec: dict) -> tuple[list[AddedToken], dict[str, int]]:
    tokens: list[AddedToken] = []
    ids: dict[str, int] = {}
    for entry in spec.get("added_tokens") or []:
        content = field(entry, "content", str)
        if not content or content in ids:
            raise ValueError(f"'added_tokens' must be different and not empty, got {content!r}")
        ids[content] = field(entry, "id", int)
        if entry.get("single_word"):
            raise ValueError(f"'added_tokens' asks for single_word=true for {content!r}: not supported here")
        if entry.get("normalized") and spec.get("normalizer"):
            raise ValueError(f"'added_tokens' asks for normalized=true for {content!r}: not supported here")
        special = bool(entry.get("special"))
        tokens.append(AddedToken(content, special, bool(entry.get("lstrip")), bool(entry.get("rstrip"))))
    return tokens, ids
