"""Where the course's files lie. Quick to import: a command can say what is wrong before anything heavy is loaded."""

from __future__ import annotations

from pathlib import Path


def course_root(start: Path | None = None) -> Path:
    """Return the folder of the course at or above `start` (default: where the command runs)."""
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "_config.yml").is_file() and (folder / "solutions").is_dir():
            return folder
    raise FileNotFoundError(
        f"'course' must be a clone of the course (a folder with _config.yml and solutions/), got {here}"
    )


def chapter_names(root: Path) -> list[str]:
    return sorted(p.parent.name for p in (root / "solutions").glob("*/checks.py"))
