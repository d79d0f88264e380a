"""The unigram tokenizer's sections of a `tokenizer.json`, written and read.

The file says in four sections what `Stream` says in three fields. There is more than one way to write the same
thing, and files of real models use several, so reading knows more forms than writing.
"""

import re
from collections.abc import Mapping, Sequence

from lmcourse.tokens.bpe_fallback import BYTE_PIECES, SPACE
from lmcourse.tokens.charsmap import Charsmap
from lmcourse.tokens.checks import shorten
from lmcourse.tokens.json_fields import field
from lmcourse.tokens.unigram_stream import Stream

_SQUEEZE = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}
_STRIP_RIGHT = {"type": "Strip", "strip_left": False, "strip_right": True}
_PREPEND = {"type": "Prepend", "prepend": SPACE}
_NFKC = {"type": "NFKC"}


def unigram_sections(
    vocab: Sequence[tuple[str, float]],
    unk_id: int | None,
    byte_fallback: bool,
    stream: Stream,
    split_at_spaces: bool,
) -> dict:
    """`normalizer`, `pre_tokenizer`, `decoder` and `model`; `vocab` is in the order of the ids."""
    steps: list[dict] = []
    if isinstance(stream.normalization, Charsmap):
        steps.append({"type": "Precompiled", "precompiled_charsmap": stream.normalization.encoded})
    elif stream.normalization == "nfkc":
        steps.append(_NFKC)
    if stream.whitespace == "squeeze_right":
        steps.append(_STRIP_RIGHT)
    if stream.whitespace.startswith("squeeze"):
        steps.append(_SQUEEZE)
    words = stream.whitespace == "words"
    if stream.dummy_prefix == "always" and not words:
        steps.append(_PREPEND)  # Metaspace would not put one in front of a space

    pre_tokenizer: dict = {
        "type": "Metaspace",
        "replacement": SPACE,
        "prepend_scheme": "always" if words or stream.dummy_prefix == "unless_space" else "never",
        "split": split_at_spaces,
    }
    if words:
        pre_tokenizer = {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, pre_tokenizer]}
    decoders = [
        {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
        {"type": "ByteFallback"},  # after the spaces: the bytes of a ▁ are not one
        {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0},
    ]
    if not byte_fallback:
        del decoders[1]
    if stream.dummy_prefix == "never":
        del decoders[-1]
    return {
        "normalizer": {"type": "Sequence", "normalizers": steps} if steps else None,
        "pre_tokenizer": pre_tokenizer,
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": {
            "type": "Unigram",
            "unk_id": unk_id,
            "vocab": [list(entry) for entry in vocab],
            "byte_fallback": byte_fallback,
        },
    }


def unigram_arguments(spec: Mapping) -> dict:
    """The arguments of `UnigramTokenizer` that a parsed tokenizer.json asks for, without special tokens.

    Raises:
        ValueError: a section is damaged or asks for something that `Stream` does not have; it says which.
    """
    model = field(spec, "model", dict)
    vocab = _read_vocab(field(model, "vocab", list))
    unk_id = model.get("unk_id")
    if unk_id is not None and (type(unk_id) is not int or not 0 <= unk_id < len(vocab)):
        raise ValueError(
            f"'unk_id' must be null or below {len(vocab)}, the size of the vocabulary, got {unk_id!r}"
        )
    unk_token = None if unk_id is None else list(vocab)[unk_id]
    byte_fallback = bool(model.get("byte_fallback", False))
    no_pieces = {token["content"] for token in spec.get("added_tokens") or ()} | {unk_token}
    if byte_fallback:
        no_pieces.update(BYTE_PIECES)
    _check_decoder(spec)
    stream, split_at_spaces = _read_stream(spec)
    return {
        "vocab": {token: i for i, token in enumerate(vocab)},
        "scores": {token: score for token, score in vocab.items() if token not in no_pieces},
        "special_tokens": (),
        "unk_token": unk_token,
        "byte_fallback": byte_fallback,
        "stream": stream,
        "split_at_spaces": split_at_spaces,
    }


def _read_vocab(entries: list) -> dict[str, float]:
    vocab: dict[str, float] = {}
    for position, entry in enumerate(entries):
        match entry:
            case [str(piece), int() | float() as score] if piece not in vocab:
                vocab[piece] = float(score)
            case _:
                raise ValueError(
                    f"'vocab' must be a list of [piece, score], each piece once, "
                    f"got {shorten(entry)} at position {position}"
                )
    return vocab


def _read_stream(spec: Mapping) -> tuple[Stream, bool]:
    """The stream, and whether pieces with a `▁` inside are left unused."""
    normalization = None
    steps = ""  # one letter for each step of the normalizer
    for step in _parts(spec.get("normalizer"), "normalizers"):
        match step:
            case {"type": "NFKC"}:
                normalization, steps = "nfkc", steps + "n"
            case {"type": "Precompiled", "precompiled_charsmap": str(encoded)}:
                normalization, steps = Charsmap(encoded), steps + "n"
            case {"type": "Strip", "strip_left": False, "strip_right": True}:
                steps += "r"
            case {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " " | "▁"}:
                steps += "q"
            case {"type": "Prepend", "prepend": "▁"}:
                steps += "p"
            case {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}:
                steps += "s"
            case _:
                raise _unread("normalizer", step)
    if not re.fullmatch("n?(r?q)?p?s?", steps):
        raise _unread("normalizer", spec["normalizer"])
    whitespace = "squeeze_right" if "r" in steps else "squeeze" if "q" in steps else "keep"
    prefix = "always" if "p" in steps else "never"
    match _parts(spec.get("pre_tokenizer"), "pretokenizers"):
        case [] if "s" in steps:
            return Stream(normalization, prefix, whitespace), False
        case [{"type": "Metaspace", "replacement": "▁"} as metaspace]:
            if _scheme(metaspace) == "always" and prefix == "never":
                prefix = "unless_space"
        case [{"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "▁"} as metaspace] if (
            not set(steps) & set("ps") and _scheme(metaspace) == "always"
        ):
            return Stream(normalization, "always", "words"), True
        case _:
            raise _unread("pre_tokenizer", spec.get("pre_tokenizer"))
    return Stream(normalization, prefix, whitespace), bool(metaspace.get("split", True))


def _check_decoder(spec: Mapping) -> None:
    kinds = {part.get("type") for part in _parts(spec.get("decoder"), "decoders")}
    if not kinds or not kinds <= {"Metaspace", "Replace", "ByteFallback", "Fuse", "Strip"}:
        raise _unread("decoder", spec.get("decoder"))


def _parts(section: Mapping | None, name: str) -> list:
    """The parts of a section, which may be missing, one part, or a sequence of parts."""
    if section is None:
        return []
    return section[name] if section.get("type") == "Sequence" else [section]


def _scheme(metaspace: Mapping) -> str:
    scheme = metaspace.get("prepend_scheme") or ("always" if metaspace.get("add_prefix_space") else "never")
    if scheme not in ("always", "never"):
        raise _unread("pre_tokenizer", metaspace)
    return scheme


def _unread(name: str, got: object) -> ValueError:
    return ValueError(f"'{name}' must be of a kind that UnigramTokenizer can follow, got {shorten(got, 120)}")
