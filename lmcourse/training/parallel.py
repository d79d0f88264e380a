"""Two small models at a time: each in a process of its own, on one core."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from joblib import Parallel, cpu_count, delayed, parallel_config
from tqdm.auto import tqdm


def side_by_side(
    function: Callable[..., Any],
    arguments: Sequence[tuple],
    n_jobs: int | None = None,
    progress: bool = True,
) -> list[Any]:
    """Return [function(*args) for args in arguments], computed in processes of their own, as many at a time as there are cores.

    A network of a hundred thousand weights is too small for its matrix products to be shared out among cores: two trainings side
    by side take about as long as one. Each process has one thread, so the numbers do not depend on how many run.

    Args:
        function: defined in a module, or in a notebook; it and its results must be picklable, as trained models are.
        arguments: a tuple for each call.
        n_jobs: how many at a time; None: one for each core.

    Raises:
        ValueError: `n_jobs` below 1. What a call raises is raised here.

    >>> side_by_side(pow, [(2, 3), (3, 2)], progress=False)
    [8, 9]
    """
    if n_jobs is not None and n_jobs < 1:
        raise ValueError(f"'n_jobs' must be at least 1, got {n_jobs}")
    n_jobs = min(n_jobs or cpu_count(), max(1, len(arguments)))
    with parallel_config("loky", n_jobs=n_jobs, inner_max_num_threads=1):
        results = Parallel(return_as="generator")(
            delayed(_on_one_thread)(function, args) for args in arguments
        )
        return list(
            tqdm(results, total=len(arguments), disable=not progress, desc="side by side", unit="run")
        )


def _on_one_thread(function: Callable[..., Any], args: tuple) -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return function(*args)
    finally:
        torch.set_num_threads(before)  # one job at a time runs in the process of the caller
