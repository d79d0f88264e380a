"""Which folders Python needs, and so a box sees."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

SYSTEM = ("/usr", "/lib", "/lib64", "/lib32", "/bin", "/sbin")


def package_folders() -> list[str]:
    """Where this process finds installed packages."""
    found = [
        p for p in sys.path if os.path.basename(p) in ("site-packages", "dist-packages") and os.path.isdir(p)
    ]
    return [os.path.abspath(p) for p in found]


def visible_folders() -> list[str]:
    """The folders of Python and of this package: all that a box sees besides the system's programs."""
    import lmcourse

    paths = [
        sys.prefix,
        sys.base_prefix,
        sysconfig.get_path("stdlib"),
        *package_folders(),
        *lmcourse.__path__,
    ]
    every = {
        p for path in paths if os.path.isdir(path) for p in (os.path.abspath(path), os.path.realpath(path))
    }
    return sorted(
        p for p in every if not any(p != o and Path(p).is_relative_to(o) for o in (*every, *SYSTEM))
    )
