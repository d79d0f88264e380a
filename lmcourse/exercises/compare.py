"""How an output is compared with the expected one, and how the difference is told.

A comparison is data (a kind and its numbers), so that it can be written beside the recorded cases.
Shapes and types are told before values, for a wrong shape is the nearer cause.
"""

from __future__ import annotations

import hashlib
import math
import random
from dataclasses import asdict, dataclass
from typing import Any

import torch

from lmcourse.exercises.codec import pack


@dataclass(frozen=True)
class Compare:
    """`kind` is "exact", "close" or "law".

    `close` allows |got - expected| <= atol + rtol |expected| for floats; `law` allows a loss of `atol` above the floor.
    """

    kind: str = "exact"
    rtol: float = 0.0
    atol: float = 0.0
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def exact() -> Compare:
    """Equal in value and in type."""
    return Compare()


def close(*, rtol: float = 1e-5, atol: float = 1e-6, why: str) -> Compare:
    """Equal up to rounding. `why` says what the tolerance stands for, for the author who meets it later."""
    return Compare("close", rtol, atol, why)


def law(*, within: float, why: str) -> Compare:
    """Laws of a trained model, (rows, outcomes) of log-probabilities, that come near enough to the true ones.

    The mean cross-entropy over the rows may be at most `within` nats above its floor, the entropy of the true laws.
    """
    return Compare("law", 0.0, within, why)


def difference(expected: Any, got: Any, how: Compare, where: str = "the result") -> str | None:
    """Return what differs first, in words, or None where `got` passes.

    >>> difference([1, 2, 3], [1, 2], exact())
    'the result has length 2, expected 3'
    >>> difference(torch.zeros(2, 3), torch.zeros(3, 2), exact())
    'the result has shape (3, 2), expected (2, 3)'
    """
    if isinstance(expected, torch.Tensor):
        compare = _law_difference if how.kind == "law" else _tensor_difference
        return compare(expected, got, how, where)
    if type(expected) is float and how.kind == "close" and type(got) in (int, float):
        return None if _near(expected, got, how) else f"{where} is {short(got)}, expected {expected!r}"
    if type(expected) is not type(got):
        return f"{where} is a {type(got).__name__}, expected a {type(expected).__name__}"
    if isinstance(expected, (list, tuple)):
        if len(expected) != len(got):
            return f"{where} has length {len(got)}, expected {len(expected)}"
        pairs = [(e, g, f"{where}[{i}]") for i, (e, g) in enumerate(zip(expected, got, strict=True))]
    elif isinstance(expected, dict):
        missing, extra = [k for k in expected if k not in got], [k for k in got if k not in expected]
        if missing or extra:
            return f"{where} " + " and ".join(
                part
                for part in (missing and f"lacks {_some(missing)}", extra and f"has {_some(extra)} too many")
                if part
            )
        pairs = [(expected[k], got[k], f"{where}[{k!r}]") for k in expected]
    else:
        same = expected == got or (type(expected) is float and math.isnan(expected) and math.isnan(got))
        return None if same else f"{where} is {short(got)}, expected {short(expected)}"
    for e, g, place in pairs:
        found = difference(e, g, how, place.removeprefix("the result") if where == "the result" else place)
        if found:
            return found
    return None


def stream_difference(expected: Any, got: Any, how: Compare, what: str) -> str | None:
    """Return what differs first in what was yielded, or when, or None. Both are lists of (item, number taken of `what`).

    >>> stream_difference([("ab", 1), ("c", 3)], [("ab", 3), ("c", 3)], exact(), "tokens")
    "yielded 'ab' only after 3 tokens were taken, expected after 1"
    """
    found = difference([item for item, _ in expected], [item for item, _ in got], how)
    if found is not None:
        return found
    for (item, due), (_, taken) in zip(expected, got, strict=True):
        if taken > due:
            return f"yielded {short(item)} only after {taken} {what} were taken, expected after {due}"
        if taken < due:
            return f"yielded {short(item)} too early: {taken} of the {what} had been taken, expected {due}"
    return None


def _shape_difference(expected: torch.Tensor, got: Any, where: str) -> str | None:
    if not isinstance(got, torch.Tensor):
        return f"{where} is a {type(got).__name__}, expected a tensor of shape {tuple(expected.shape)}"
    if expected.shape != got.shape:
        return f"{where} has shape {tuple(got.shape)}, expected {tuple(expected.shape)}"
    return None


def _law_difference(expected: torch.Tensor, got: Any, how: Compare, where: str) -> str | None:
    found = _shape_difference(expected, got, where)
    if found is not None:
        return found
    if not got.is_floating_point():
        return f"{where} has dtype {got.dtype}, expected floats"
    true, said = expected.double(), got.double()
    bad = said.isnan() | (said == math.inf)
    if bad.any():
        return f"{where}[{int(bad.nonzero()[0][0])}] holds {said[bad][0].item()}, expected log-probabilities"
    totals = said.exp().sum(-1)
    row = int((totals - 1).abs().argmax())
    if not abs(totals[row] - 1) < 1e-3:
        return f"the exponentials of {where}[{row}] add up to {totals[row]:.6g}, expected 1: no law"
    p = true.exp()
    floor = -torch.where(p > 0, p * true, 0.0).sum(-1).mean().item()
    loss = -torch.where(p > 0, p * said, 0.0).sum(-1).mean().item()
    if loss - floor <= how.atol:
        return None
    return f"the loss is {loss:.3f} nats per token, the floor {floor:.3f}: {loss - floor:.3f} above it, at most {how.atol:g} is allowed"


def _tensor_difference(expected: torch.Tensor, got: Any, how: Compare, where: str) -> str | None:
    found = _shape_difference(expected, got, where)
    if found is not None:
        return found
    if expected.dtype != got.dtype:
        return f"{where} has dtype {got.dtype}, expected {expected.dtype}"
    if how.kind == "close" and expected.is_floating_point():
        wrong = ~torch.isclose(got.double(), expected.double(), rtol=how.rtol, atol=how.atol, equal_nan=True)
    else:
        wrong = ~((got == expected) | (got.isnan() & expected.isnan()))
    if not wrong.any():
        return None
    index = tuple(int(i) for i in wrong.nonzero()[0])
    place = f"{where}[{', '.join(map(str, index))}]" if index else where
    return (
        f"{place} is {got[index].item():.6g}, expected {expected[index].item():.6g} "
        f"({int(wrong.sum())} of {wrong.numel()} values differ)"
    )


def _near(expected: float, got: float, how: Compare) -> bool:
    try:
        got = float(got)
    except OverflowError:  # an integer beyond all floats
        return False
    if math.isnan(expected) or math.isnan(got) or math.isinf(expected) or math.isinf(got):
        return expected == got or (math.isnan(expected) and math.isnan(got))
    return abs(got - expected) <= how.atol + how.rtol * abs(expected)


def short(value: Any, limit: int = 240) -> str:
    """Return a repr that fits on a screen, with tensors by shape first."""
    text = f"tensor{tuple(value.shape)} {value.tolist()}" if isinstance(value, torch.Tensor) else repr(value)
    return text if len(text) <= limit else f"{text[: limit - 20]} ... ({len(text)} characters)"


def _some(keys: list[Any]) -> str:
    return ", ".join(map(repr, keys[:3])) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")


def fingerprint(outcome: Any, how: Compare) -> list[Any]:
    """Return a mark by which equal outcomes know each other, though the outcome cannot be read from it.

    Exact values give a digest. Floats that are compared with a tolerance are left out of the digest and give
    random projections instead: sums with fixed random weights, which agree when all the floats agree. One sum would let
    a whole plane of wrong values through, so there are up to three; but fewer than floats, or one could solve for them.
    """
    if how.kind == "law":
        value = outcome[1] if isinstance(outcome, tuple) and len(outcome) == 3 else outcome
        return [kind_of_law(value)]
    if how.kind == "exact":
        return [hashlib.sha256(pack(outcome, canonical=True)).hexdigest()[:16]]
    floats: list[float] = []
    skeleton = hashlib.sha256(pack(_without_floats(outcome, floats), canonical=True)).hexdigest()[:16]
    rng = random.Random(0)
    finite = [x if math.isfinite(x) else 1e9 for x in floats]
    mark: list[Any] = [skeleton]
    for _ in range(min(3, max(1, len(floats) - 1))):
        weights = [rng.uniform(-1, 1) for _ in floats]
        mark.append(sum(w * x for w, x in zip(weights, finite, strict=True)))
        mark.append(
            sum(abs(w) * (how.atol + how.rtol * abs(x)) for w, x in zip(weights, finite, strict=True))
        )
    return mark


def kind_of_law(value: Any) -> str:
    """Say what sort of thing came where laws are wanted: no two trainings give the same numbers.

    Of a law only how sure it is counts: the mean entropy of the rows as a share of that of the uniform law, in three steps.

    >>> kind_of_law(torch.full((1, 2), 0.5))
    '(1, 2): probabilities'
    """
    if not isinstance(value, torch.Tensor):
        return type(value).__name__
    shape = f"{tuple(value.shape)}: "
    if not value.is_floating_point() or value.ndim == 0 or value.numel() == 0:
        return shape + "no floats"
    x = value.double()
    if (x.isnan() | (x == math.inf)).any():
        return shape + "not finite"
    kinds = {"law": x.exp(), "probabilities": x, "bits": x.exp2()}
    kind = next((name for name, p in kinds.items() if _are_laws(p)), "scores")
    if kind == "law":
        p = kinds["law"]
        share = torch.special.entr(p).sum(-1).mean().item() / math.log(max(2, p.shape[-1]))
        kind = "sure" if share < 0.15 else "even" if share > 0.85 else "law"
    return shape + kind


def _are_laws(p: torch.Tensor) -> bool:
    return bool((p >= 0).all() and ((p.sum(-1) - 1).abs() < 1e-3).all())


def same_fingerprint(a: list[Any], b: list[Any]) -> bool:
    """Whether two fingerprints are of the same outcome, up to the comparison's tolerance.

    The smaller slack counts: otherwise a huge wrong value, whose slack is huge, would be like any other.
    """
    if a[0] != b[0] or len(a) != len(b):
        return False
    pairs = zip(a[1::2], b[1::2], a[2::2], b[2::2], strict=True)  # a projection and its slack
    return all(abs(x - y) <= 2 * min(slack_x, slack_y) for x, y, slack_x, slack_y in pairs)


def _without_floats(value: Any, floats: list[float]) -> Any:
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        floats.extend(value.double().flatten().tolist())
        return ("tensor", list(value.shape), str(value.dtype))
    if type(value) is float:
        floats.append(value)
        return ("float",)
    if isinstance(value, (list, tuple)):
        return [type(value).__name__, *(_without_floats(item, floats) for item in value)]
    if isinstance(value, dict):
        ordered = sorted(value.items(), key=lambda item: pack(item[0], canonical=True))
        return {key: _without_floats(item, floats) for key, item in ordered}
    return value
