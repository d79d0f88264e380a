"""Files are written whole or not at all, and never outside the folder of the class."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(root: Path, path: Path, data: bytes | str, *, mode: int = 0o644) -> bool:
    """Write the file whole or not at all, only inside `root`, and not where it already says so.

    Returns whether anything was written. What a killed write leaves behind is taken over by the next.

    Raises:
        ValueError: `path` is a link, or stands behind one that leads out of `root`.
    """
    data = data.encode("utf-8", "replace") if isinstance(data, str) else data
    if not path.parent.resolve().is_relative_to(root.resolve()) or path.is_symlink():
        raise ValueError(f"{path} must not be a link or stand behind one that leads out of {root}")
    if path.is_file() and path.read_bytes() == data:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".part-{path.name}")
    part.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
        os.chmod(part, mode)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return True
