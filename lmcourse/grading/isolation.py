"""Which kind of box this machine can make, and what to do where it can make none.

Linux makes boxes of its own; elsewhere, and where Linux does not let it, a Docker or Podman container is around them.
"""

from __future__ import annotations

import sys

HELP = """\
Students' programs must not run where they could read or change anything, so nothing was graded.
A box needs Linux 5.14 or newer with user namespaces (or root), or else Docker or Podman. To get there:
  Ubuntu 24.04 and newer   sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0
  Debian before 11         sudo sysctl -w kernel.unprivileged_userns_clone=1
  everywhere else          install Docker or Podman, start it, then type once: lmcourse grade image
With --unsafe notebooks run without a box, with all rights that you have: only where you trust everybody."""


class NoIsolation(RuntimeError):
    """No box can be made here; the message says why and what to do."""


def isolation_for(*, unsafe: bool) -> str:
    """Return "namespaces" where a box can be made with them, else "container"; "none" only where that was asked for, on Linux.

    Raises:
        NoIsolation: there is neither.
    """
    from lmcourse.grading.box.container import NoEngine, ready_engine

    if unsafe and sys.platform.startswith("linux"):
        return "none"
    why = _no_namespaces()
    if why is None:
        return "namespaces"
    try:
        ready_engine()
    except NoEngine as error:
        raise NoIsolation(f"{why}. {str(error).rstrip('.')}.\n{HELP}") from error
    return "container"


def _no_namespaces() -> str | None:
    """Why there are none here, or None where there are."""
    if not sys.platform.startswith("linux"):
        return f"This is {sys.platform}, which has no namespaces"
    from lmcourse.grading.box.walls import obstacle

    why = obstacle()
    return why and f"This Linux does not let a box be made ({why})"


def explained(error: Exception) -> NoIsolation:
    return NoIsolation(f"{error}\n{HELP}")
