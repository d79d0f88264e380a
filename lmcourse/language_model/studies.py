"""The experiments of this chapter over several seeds: loss against size and text, and tokenizers by bits per byte.

A lesson has time for one seed. `record_studies` runs three, which takes some minutes, and keeps the numbers beside the
package; `recorded_scaling` and `recorded_bytes` read them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lmcourse.language_model.bits_per_byte import PerByte, compare_tokenizers
from lmcourse.language_model.scaling import SIZES, TEXTS, Scaling, measure_scaling
from lmcourse.training.studies_file import write_studies

STUDY_FILE = Path(__file__).parent / "data" / "studies.json"
SCALINGS = {"sizes": SIZES, "texts": TEXTS}


def record_studies(
    seeds: Sequence[int] = (0, 1, 2), path: Path = STUDY_FILE, progress: bool = True
) -> dict[str, Any]:
    """Run the three studies and keep them in `path`, written whole or not at all."""
    studies: dict[str, Any] = {
        name: asdict(measure_scaling(trainings, seeds, progress=progress))
        for name, trainings in SCALINGS.items()
    }
    runs = [compare_tokenizers(seed=seed, progress=progress) for seed in seeds]
    studies["bytes"] = {name: [run[name]._asdict() for run in runs] for name in runs[0]}
    write_studies(studies, path)
    return studies


def recorded_scaling(name: str, path: Path = STUDY_FILE) -> Scaling:
    """Return what was recorded of "sizes" (models of several widths) or "texts" (one model, texts of several lengths).

    Raises:
        ValueError: another name.

    >>> recorded_scaling("depths")
    Traceback (most recent call last):
    ValueError: 'name' must be one of ['sizes', 'texts'], got 'depths'
    """
    if name not in SCALINGS:
        raise ValueError(f"'name' must be one of {sorted(SCALINGS)}, got {name!r}")
    return Scaling(**json.loads(path.read_text(encoding="utf-8"))[name])


def recorded_bytes(path: Path = STUDY_FILE) -> dict[str, list[PerByte]]:
    """Return what was recorded of `compare_tokenizers`: for each tokenizer a score for each seed.

    >>> sorted(recorded_bytes())
    ['BPE, 2,000', 'BPE, 500', 'Unigram, 2,000', 'characters']
    """
    scores = json.loads(path.read_text(encoding="utf-8"))["bytes"]
    return {name: [PerByte(**score) for score in of_seeds] for name, of_seeds in scores.items()}
