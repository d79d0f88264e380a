"""The reader's own sentence, cut by several tokenizers side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lmcourse.figures import Figure

_HERE = Path(__file__).parent

TITLE = "Your own sentence, cut by each tokenizer"
CAPTION = (
    "Type anything. ␣ stands for a space, ↵ for a line end; a dashed frame holds text the vocabulary cannot "
    "spell; pairs such as F0 9F are bytes, where a character is split. The page computes the same ids as Python."
)
SAMPLES = {
    "Numbers": "In 1969 it cost 12,345.67 dollars, in 2024 98765.",
    "Rare word": "The otorhinolaryngologist antidisestablished it.",
    "Other script": "Привет, мир! 東京 ваш город?",
    "Spaces": "two  spaces,   three, and one at the end ",
    "Emoji": "Good morning 👩‍🚀🌍!",
}
# The word patterns that encoders.js has; a file with another one is refused.
SPLITS = {
    r"[\s\S]": "char",
    r"[\p{L}\p{M}\p{N}_]+(?:['’\-][\p{L}\p{M}\p{N}_]+)*|[^\s\p{L}\p{M}\p{N}_]": "word",
}


def tokenizer_lab(
    tokenizers: Mapping[str, Any],
    sentence: str = "The unhappiest lighthouse keeper drank lukewarm tea.",
    *,
    samples: Mapping[str, str] = SAMPLES,
    title: str = TITLE,
    caption: str = CAPTION,
) -> Figure:
    """An interactive figure in which any sentence is tokenized on the page, with exactly Python's ids.

    Args:
        tokenizers: name -> tokenizer of `lmcourse.tokens`: characters, words, byte-level BPE with GPT-2's
            pattern, WordPiece, Unigram. Their vocabularies go into the page, about 10 kB per 1,000 tokens.
        sentence: what the figure opens with. samples: label -> sentence, one button each.

    Raises:
        ValueError: no tokenizers, or one with an option that the page's encoders do not have (it says which).
    """
    if not tokenizers:
        raise ValueError("'tokenizers' must hold at least one tokenizer, got none")
    described = [{"name": name, **describe(_saved(tokenizer))} for name, tokenizer in tokenizers.items()]
    cuts = {name: tokenizer.tokenize(sentence) for name, tokenizer in tokenizers.items()}
    table = [("Tokenizer", "Tokens", f"“{sentence}”")]
    table += [(name, len(tokens), " | ".join(tokens)) for name, tokens in cuts.items()]
    lengths = ", ".join(f"{len(tokens)} tokens by {name}" for name, tokens in cuts.items())
    return Figure(
        [_HERE / "encoders.js", _HERE / "tokenizer_lab.js"],
        {"tokenizers": described, "samples": [["Plain", sentence], *map(list, samples.items())]},
        state={"sentence": sentence, "show_ids": False},
        css=_HERE / "tokenizer_lab.css",
        title=title,
        caption=caption,
        alt=f"The sentence “{sentence}” is cut into {lengths}.",
        fallback=table,
    )


def _saved(tokenizer: Any) -> dict[str, Any]:
    """A tokenizer as its own tokenizer.json says it: all there is to know, whatever class it is."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tokenizer.json"
        tokenizer.save(path)
        return json.loads(path.read_text(encoding="utf-8"))


def describe(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What the page's encoder needs of a tokenizer.json: the tokens in the order of ids, and the options.

    Raises:
        ValueError: the file asks for something that the page's encoders do not do.
    """
    model, added = spec["model"], spec["added_tokens"]
    _require("added tokens without lstrip, rstrip", not any(t["lstrip"] or t["rstrip"] for t in added))
    describer = _DESCRIBERS.get(model["type"])
    _require(f"a model of {', '.join(_DESCRIBERS)}", describer is not None, model["type"])
    if model["type"] == "Unigram":
        ids = {token: i for i, (token, _) in enumerate(model["vocab"])}
        unk = None if model["unk_id"] is None else model["vocab"][model["unk_id"]][0]
    else:
        ids, unk = dict(model["vocab"]), model.get("unk_token")
    ids.update({token["content"]: token["id"] for token in added})
    vocab = sorted(ids, key=ids.__getitem__)
    _require("ids from 0 on without a gap", list(map(ids.__getitem__, vocab)) == list(range(len(vocab))))
    special = [token["content"] for token in added]
    return {"vocab": vocab, "special": special, "unk": unk if unk in ids else None, **describer(spec, vocab)}


def _list(spec: Mapping, vocab: list[str]) -> dict[str, Any]:
    pattern = (spec["pre_tokenizer"] or {}).get("pattern", {}).get("Regex")
    _require(f"one of the word patterns {list(SPLITS)}", pattern in SPLITS, pattern)
    return {"kind": SPLITS[pattern]}


def _bpe(spec: Mapping, vocab: list[str]) -> dict[str, Any]:
    rule, model = spec["pre_tokenizer"] or {}, spec["model"]
    _require("no normalizer for BPE", spec["normalizer"] is None, spec["normalizer"])
    gpt2 = rule.get("type") == "ByteLevel" and rule.get("use_regex", True)
    _require("GPT-2's rule of words and no space in front", gpt2 and not rule.get("add_prefix_space"), rule)
    _require("ignore_merges and byte_fallback off", not (model["ignore_merges"] or model["byte_fallback"]))
    pairs = [pair.split(" ") if isinstance(pair, str) else pair for pair in model["merges"]]
    # The page can make the merged pieces from the merges: if they are the last of the vocabulary, in order,
    # they need not be sent.
    made = list(dict.fromkeys(left + right for left, right in pairs))
    base = vocab[: -len(made)] if made and vocab[-len(made) :] == made else vocab
    merges = [model["vocab"][piece] for pair in pairs for piece in pair]
    return {"kind": "bpe", "vocab": base, "merges": merges}


def _wordpiece(spec: Mapping, vocab: list[str]) -> dict[str, Any]:
    clean, model = spec["normalizer"] or {}, spec["model"]
    bert = clean.get("type") == "BertNormalizer" and clean["clean_text"] and clean["handle_chinese_chars"]
    _require("BERT's clean-up", bert, clean)
    _require("BERT's rule of words", spec["pre_tokenizer"] == {"type": "BertPreTokenizer"})
    return {
        "kind": "wordpiece",
        "lowercase": clean["lowercase"],
        "strip_accents": clean["strip_accents"],
        "longest_word": model["max_input_chars_per_word"],
    }


def _unigram(spec: Mapping, vocab: list[str]) -> dict[str, Any]:
    model = spec["model"]
    steps = [step["type"] for step in (spec["normalizer"] or {}).get("normalizers", [])]
    rest = steps[1:] if steps[:1] == ["NFKC"] else steps
    _require("NFKC or no normalization", rest in ([], ["Prepend"]), spec["normalizer"])
    *before, space = (spec["pre_tokenizer"] or {}).get("pretokenizers", [spec["pre_tokenizer"]])
    words = before == [{"type": "WhitespaceSplit"}]
    _require("Metaspace", (words or not before) and space["type"] == "Metaspace", spec["pre_tokenizer"])
    scheme = "unless_space" if space["prepend_scheme"] == "always" else "never"
    never = {
        token["content"] for token in spec["added_tokens"]
    }  # these, and bytes, are never found in a text
    if model["byte_fallback"]:
        never.update(f"<0x{byte:02X}>" for byte in range(256))
    if model["unk_id"] is not None:
        never.add(model["vocab"][model["unk_id"]][0])
    scores = {
        token: score
        for token, score in model["vocab"]
        if token not in never and not (space["split"] and "▁" in token[1:])
    }
    return {
        "kind": "unigram",
        "scores": [scores.get(token) for token in vocab],
        "byte_fallback": model["byte_fallback"],
        "nfkc": steps != rest,
        "prefix": "always" if rest or words else scheme,
        "words": words,
    }


_DESCRIBERS = {"WordLevel": _list, "BPE": _bpe, "WordPiece": _wordpiece, "Unigram": _unigram}


def _require(what: str, fulfilled: bool, got: object = None) -> None:
    if not fulfilled:
        suffix = "" if got is None else f", got {got!r}"
        raise ValueError(f"'tokenizers' must be such as the page can encode: {what}{suffix}")
