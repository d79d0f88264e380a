"""Programs that take turns at the clock."""

import statistics
import time
from collections.abc import Callable


def in_turn(rounds: int, *programs: Callable[[], object]) -> list[float]:
    """The median time of each program; they take turns, so that a busy minute hits all of them."""
    times: list[list[float]] = [[] for _ in programs]
    for _ in range(rounds):
        for program, measured in zip(programs, times, strict=True):
            start = time.perf_counter()
            program()
            measured.append(time.perf_counter() - start)
    return [statistics.median(measured) for measured in times]
