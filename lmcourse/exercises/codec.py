"""Plain data across a wall: values as a JSON tree and raw tensor bytes, never pickle.

Whoever judges must not run what a student's program made, and unpickling runs code. So inputs and
outputs travel as bytes that can only ever become plain Python values and tensors. The exact type
survives: `True` is not `1`, a tuple is not a list, float32 is not float64.

Layout of a packed value: 8 bytes length of the tree, the tree as UTF-8 JSON, then the raw buffers of
the tensors one after the other. Sets are written in sorted order; dictionaries keep theirs, or are sorted
with `canonical=True`, so that equal values give equal bytes and can be compared by a digest.
"""

from __future__ import annotations

import json
import math
from typing import Any

import torch

MAX_BYTES = 64 * 2**20
MAX_DEPTH = 64
MAX_DIMENSIONS = 16

_DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        torch.bool,
        torch.uint8,
        torch.int8,
        torch.int16,
        torch.int32,
        torch.int64,
        torch.float16,
        torch.bfloat16,
        torch.float32,
        torch.float64,
    )
}


class CodecError(ValueError):
    """A value that cannot cross: what it is, where it sits, and what could be returned instead."""


def pack(value: Any, *, canonical: bool = False, max_bytes: int = MAX_BYTES) -> bytes:
    """Return `value` as bytes.

    Known: None, bool, int, float, str, bytes, list, tuple, dict, set, frozenset and dense tensors, and what
    is one of them but for its name (Counter, namedtuple, a NumPy scalar or array), which becomes the plain form.

    Raises:
        CodecError: for any other type, nesting deeper than 64 levels, or more than `max_bytes`.

    >>> unpack(pack({"ids": (1, 2), "x": torch.tensor([0.5])}))
    {'ids': (1, 2), 'x': tensor([0.5000])}
    """
    buffers: list[bytes] = []
    tree = json.dumps(_to_tree(value, buffers, "value", 0, canonical), separators=(",", ":")).encode()
    packed = len(tree).to_bytes(8, "big") + tree + b"".join(buffers)
    if len(packed) > max_bytes:
        raise CodecError(f"value must pack into at most {max_bytes} bytes, got {len(packed)}")
    return packed


def unpack(packed: bytes) -> Any:
    """Return the value that `pack` wrote. Malformed input raises CodecError; nothing is ever executed."""
    try:
        size = int.from_bytes(packed[:8], "big")
        tree = json.loads(packed[8 : 8 + size])
        value, used = _from_tree(tree, memoryview(packed)[8 + size :], 0, 0, False)
    except CodecError:
        raise
    except (
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        RecursionError,
        OverflowError,
        RuntimeError,
    ) as error:
        raise CodecError(f"packed value is damaged: {type(error).__name__}: {error}") from error
    if 8 + size + used != len(packed):
        raise CodecError(f"packed value is damaged: {len(packed) - 8 - size - used} bytes left over")
    return value


def _to_tree(value: Any, buffers: list[bytes], where: str, depth: int, canonical: bool) -> Any:
    if depth > MAX_DEPTH:
        raise CodecError(f"{where} is nested deeper than {MAX_DEPTH} levels")
    if value is None or type(value) in (bool, int, str):
        return value
    if hasattr(value, "dtype") and not isinstance(value, torch.Tensor):  # NumPy, without importing it here
        value = value.item() if getattr(value, "ndim", 1) == 0 else torch.as_tensor(value)
        return _to_tree(value, buffers, where, depth + 1, canonical)
    if isinstance(value, torch.Tensor):
        return _tensor_to_tree(value, buffers, where)

    def inner(item: Any, place: str) -> Any:
        return _to_tree(item, buffers, f"{where}{place}", depth + 1, canonical)

    if type(value) is float:
        return {"t": "float", "v": "nan" if math.isnan(value) else value.hex()}
    if type(value) is bytes:
        return {"t": "bytes", "v": value.hex()}
    if isinstance(value, (list, tuple)):
        kind = "list" if isinstance(value, list) else "tuple"
        return {"t": kind, "v": [inner(item, f"[{i}]") for i, item in enumerate(value)]}
    if isinstance(value, dict):
        pairs = [[_no_tensor(key, where), key, item] for key, item in value.items()]
        if canonical:
            pairs.sort(key=lambda triple: triple[0])
        return {
            "t": "dict",
            "v": [[json.loads(text), inner(item, f"[{key!r}]")] for text, key, item in pairs],
        }
    if isinstance(value, (set, frozenset)):
        kind = "set" if isinstance(value, set) else "frozenset"
        return {
            "t": kind,
            "v": [json.loads(text) for text in sorted(_no_tensor(item, where) for item in value)],
        }
    raise CodecError(
        f"{where} is a {type(value).__name__}, which cannot be judged: return plain values "
        "(int, float, str, bytes, list, tuple, dict, set) or tensors"
    )


def _no_tensor(key: Any, where: str) -> str:
    """Keys and members, as canonical text; tensors have no order, so they cannot stand there."""
    buffers: list[bytes] = []
    text = json.dumps(_to_tree(key, buffers, f"a key of {where}", 0, True), sort_keys=True)
    if buffers:
        raise CodecError(f"{where} has a tensor as key or member: use plain values there")
    return text


def _tensor_to_tree(tensor: torch.Tensor, buffers: list[bytes], where: str) -> dict[str, Any]:
    name = str(tensor.dtype).removeprefix("torch.")
    if name not in _DTYPES or tensor.layout is not torch.strided:
        raise CodecError(
            f"{where} is a tensor of {tensor.dtype} ({tensor.layout}); expected a dense tensor of {', '.join(_DTYPES)}"
        )
    # A copy, for a tensor of one element may count as contiguous with any stride.
    plain = tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
    # bfloat16 has no NumPy type, so the bytes are read through a view as uint8.
    raw = plain.reshape(-1).view(torch.uint8).numpy().tobytes() if plain.numel() else b""
    buffers.append(raw)
    return {"t": "tensor", "dtype": name, "shape": list(plain.shape)}


def _from_tree(tree: Any, raw: memoryview, used: int, depth: int, keyed: bool) -> tuple[Any, int]:
    """`keyed` says that the value is to be a key or a member, or part of one."""
    if depth > MAX_DEPTH:
        raise CodecError(f"packed value is nested deeper than {MAX_DEPTH} levels")
    if tree is None or isinstance(tree, (bool, int, str)):
        return tree, used
    kind = tree["t"]
    if kind == "float":
        return (math.nan if tree["v"] == "nan" else float.fromhex(tree["v"])), used
    if kind == "bytes":
        return bytes.fromhex(tree["v"]), used
    if kind == "tensor":
        if keyed:
            raise CodecError("packed value has a tensor as key or member")
        return _tensor_from_tree(tree, raw, used)
    items = []
    for item in tree["v"]:
        if kind == "dict":
            key, used = _from_tree(item[0], raw, used, depth + 1, True)
            value, used = _from_tree(item[1], raw, used, depth + 1, keyed)
            items.append((key, value))
        else:
            member = keyed or kind in ("set", "frozenset")
            value, used = _from_tree(item, raw, used, depth + 1, member)
            items.append(value)
    makers = {"list": list, "tuple": tuple, "dict": dict, "set": set, "frozenset": frozenset}
    return makers[kind](items), used


def _tensor_from_tree(tree: dict[str, Any], raw: memoryview, used: int) -> tuple[torch.Tensor, int]:
    dtype, shape = _DTYPES[tree["dtype"]], [int(n) for n in tree["shape"]]
    if len(shape) > MAX_DIMENSIONS:
        raise CodecError(f"packed tensor must have at most {MAX_DIMENSIONS} dimensions, got {len(shape)}")
    if any(n < 0 for n in shape):
        raise CodecError(f"packed tensor has a negative size: {shape}")
    size = math.prod(shape) * dtype.itemsize
    if used + size > len(raw):
        raise CodecError(f"packed tensor of shape {shape} needs {size} bytes, got {len(raw) - used}")
    if size == 0:
        return torch.empty(shape, dtype=dtype), used
    tensor = torch.frombuffer(bytearray(raw[used : used + size]), dtype=dtype).reshape(shape)
    return tensor, used + size
