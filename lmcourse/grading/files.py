"""Files are written whole or not at all, and never outside the folder of the class."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_whole(root: Path, path: Path, data: bytes | str) -> bool:
    """Write the file whole or not at all, only inside `root`, and not where it already says so.

    Returns whether anything was written.

    Raises:
        ValueError: `path` is a link, or stands behind one that leads out of `root`.
    """
    data = data.encode("utf-8", "replace") if isinstance(data, str) else data
    if not path.parent.resolve().is_relative_to(root.resolve()) or path.is_symlink():
        raise ValueError(f"{path} must not be a link or stand behind one that leads out of {root}")
    if path.is_file() and path.read_bytes() == data:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(prefix=".part-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(part, 0o644)
        os.replace(part, path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
    return True
