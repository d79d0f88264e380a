"""Which kind of box this machine can make, and what to do where it can make none."""

from __future__ import annotations

import sys

HELP = """\
Students' programs must not run where they could read or change anything, so nothing was graded.
A box needs Linux 5.14 or newer with user namespaces (or root). To get there:
  Ubuntu 24.04 and newer   sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0
  Debian before 11         sudo sysctl -w kernel.unprivileged_userns_clone=1
  macOS, Windows           in a container: see "On macOS and Windows" in the guide for instructors
With --unsafe notebooks run without a box, with all rights that you have: only where you trust everybody."""


class NoIsolation(RuntimeError):
    """No box can be made here; the message says why and what to do."""


def isolation_for(*, unsafe: bool) -> str:
    """Return "namespaces", or "none" where that was asked for.

    Raises:
        NoIsolation: this system has no namespaces.
    """
    if unsafe:
        return "none"
    if not sys.platform.startswith("linux"):
        raise NoIsolation(f"This is {sys.platform}. {HELP}")
    return "namespaces"


def explained(error: Exception) -> NoIsolation:
    return NoIsolation(f"{error}\n{HELP}")
