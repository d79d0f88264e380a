"""Reading the fields of a tokenizer.json with errors that say which field is wrong and how."""

from typing import Any

from lmcourse.tokens.checks import shorten


def field(section: dict, name: str, kind: type | tuple[type, ...]) -> Any:
    """`section[name]`, which must be there and be of `kind`."""
    if name not in section:
        raise ValueError(f"the file lacks '{name}' (it has {', '.join(map(repr, section))})")
    if not isinstance(section[name], kind):
        raise ValueError(f"'{name}' must be {_names(kind)}, got {shorten(section[name])}")
    return section[name]


def vocab_from_json(model: dict) -> dict[str, int]:
    """The `vocab` of a BPE, WordPiece or WordLevel model: token -> id."""
    vocab = field(model, "vocab", dict)
    for token, token_id in vocab.items():
        if type(token_id) is not int or token_id < 0:
            raise ValueError(f"'vocab' must map tokens to ids >= 0, got {token!r}: {shorten(token_id)}")
    return vocab


def merges_from_json(model: dict) -> list[tuple[str, str]]:
    """The `merges` of a BPE model: pairs, or (in older files) strings with one space between the pieces.

    >>> merges_from_json({"merges": ["l o", ["lo", "w"]]})
    [('l', 'o'), ('lo', 'w')]
    """
    merges = []
    for position, merge in enumerate(field(model, "merges", list)):
        pair = merge.split(" ") if isinstance(merge, str) else merge
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(part, str) for part in pair):
            raise ValueError(f"'merges' must be pairs of pieces, got {shorten(merge)} at position {position}")
        merges.append((pair[0], pair[1]))
    return merges


def refuse_features(section: dict, **supported: Any) -> None:
    """Raise ValueError for a feature whose value is not the supported one; absent, null and 0 mean "off".

    >>> refuse_features({"dropout": 0.1}, dropout=0)
    Traceback (most recent call last):
    ValueError: the file asks for 'dropout' = 0.1, which is not supported here (supported: 0)
    """
    for name, value in supported.items():
        if (section.get(name) or value) != value:
            raise ValueError(
                f"the file asks for '{name}' = {shorten(section[name])}, which is not supported here "
                f"(supported: {value!r})"
            )


def _names(kind: type | tuple[type, ...]) -> str:
    words = {dict: "an object", list: "a list", str: "a string", int: "a whole number", float: "a number"}
    return " or ".join(words[each] for each in (kind if isinstance(kind, tuple) else (kind,)))
