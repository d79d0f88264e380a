"""Where the numbers of long experiments are kept: a JSON file beside the package, written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_studies(studies: Mapping[str, Any], path: Path) -> None:
    """Write `studies` to `path`; a reader finds the old file or the new one, never half of one.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "data" / "studies.json"
    >>> write_studies({"lengths": [1.0]}, path)
    >>> json.loads(path.read_text()), [file.name for file in path.parent.iterdir()]
    ({'lengths': [1.0]}, ['studies.json'])
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".part")
    half.write_text(json.dumps(studies, indent=1) + "\n", encoding="utf-8")
    os.replace(half, path)
