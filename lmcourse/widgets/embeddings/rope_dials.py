"""Rotary positions as dials: two hands turn with their positions, and only the angle between them counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from lmcourse.figures import Figure

_HERE = Path(__file__).parent

TITLE = "Rotary positions: hands on dials"
CAPTION = (
    "Each pair of entries of a vector is a hand; a step in position turns it by the speed w of its dial. Move query and key "
    "together: all hands turn, no angle between two hands changes, and the dot product stays. Move one: it changes. "
    "It depends on the distance n − m alone."
)


def rope_dials(
    base: float = 100.0,
    query: Sequence[float] | None = None,
    key: Sequence[float] | None = None,
    *,
    d_head: int = 8,
    m: int = 6,
    n: int = 2,
    max_position: int = 24,
    title: str = TITLE,
    caption: str = CAPTION,
) -> Figure:
    """An interactive figure: a query at position m and a key at position n under RoPE, one dial for each pair of entries.

    Pair i is the entries 2i and 2i + 1, turned by position * base^(-2i / d_head) radians (Su et al. 2021, equation 34). The
    first entry is drawn upwards, the second to the right, so hands turn clockwise.

    Args:
        query, key: `d_head` numbers each; None: each pair is (1, 0), a hand that points straight up at position 0.
        m, n: where the reader begins, from 0 to `max_position`.

    Raises:
        ValueError: an odd `d_head` or more than 12, a vector of another length or without one, a position out of range.

    >>> rope_dials()
    Figure('Rotary positions: hands on dials')
    """
    if d_head % 2 or not 2 <= d_head <= 12:
        raise ValueError(f"'d_head' must be even and from 2 to 12, one dial for two entries, got {d_head}")
    if not base > 1:
        raise ValueError(f"'base' must be above 1, got {base}")
    up = [1.0, 0.0] * (d_head // 2)
    vectors = {
        name: [float(x) for x in (up if vector is None else vector)]
        for name, vector in (("query", query), ("key", key))
    }
    for name, vector in vectors.items():
        if len(vector) != d_head or not all(map(math.isfinite, vector)) or not any(vector):
            raise ValueError(f"{name!r} must be d_head={d_head} finite numbers, not all 0, got {vector}")
    if max_position < 1:
        raise ValueError(f"'max_position' must be at least 1, got {max_position}")
    for name, position in (("m", m), ("n", n)):
        if not 0 <= position <= max_position:
            raise ValueError(f"{name!r} must be from 0 to max_position={max_position}, got {position}")
    speeds = [base ** (-2 * i / d_head) for i in range(d_head // 2)]
    distances = range(-max_position, max_position + 1)
    dots = [_dot(vectors["query"], vectors["key"], speeds, distance) for distance in distances]
    table = [("Distance n − m", *(f"Angle in pair {i + 1}, rad" for i in range(len(speeds))), "Dot product")]
    for distance, dot in list(zip(distances, dots, strict=True))[:: max(1, max_position // 8)]:
        table.append((distance, *(f"{distance * speed:.2f}" for speed in speeds), f"{dot:.3f}"))
    return Figure(
        _HERE / "rope_dials.js",
        {**vectors, "speeds": speeds, "max_position": max_position},
        state={"m": m, "n": n},
        css=_HERE / "rope_dials.css",
        title=title,
        caption=caption,
        alt=f"The dot product of query and key depends on the distance n − m alone: it is {dots[n - m + max_position]:.3f} "
        f"at {n - m}, and largest, {max(dots):.3f}, at {distances[dots.index(max(dots))]}.",
        fallback=table,
    )


def _dot(query: Sequence[float], key: Sequence[float], speeds: Sequence[float], distance: int) -> float:
    """The sum over pairs, as complex numbers q and k, of the real part of conj(q) k e^(i distance w)."""
    pairs = [(complex(*query[i : i + 2]), complex(*key[i : i + 2])) for i in range(0, len(query), 2)]
    return sum(
        (q.conjugate() * k * complex(math.cos(distance * w), math.sin(distance * w))).real
        for (q, k), w in zip(pairs, speeds, strict=True)
    )
