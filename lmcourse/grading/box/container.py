"""A Docker or Podman container around the process that forks boxes: for macOS, Windows, and Linux without namespaces.

The container has no network, a read-only root, four capabilities, and a ceiling for memory and processes. It sees
this package and what its image holds, nothing else of the host. The grader talks to it over standard input and output.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

from lmcourse.grading.limits import MIB, Limits

ENGINES = ("docker", "podman")
PACKAGE = "/opt/lmcourse"
# To become a student, to signal one, and to see how much memory one has. None of them reaches the student.
CAPABILITIES = ("SETUID", "SETGID", "KILL", "SYS_PTRACE")
# Beside the box: Python and torch, loaded once.
OWN_BYTES = 1024 * MIB
ASK_SECONDS = 30.0


class NoEngine(RuntimeError):
    """No container can be started here; the message says why and what to do."""


def image_name() -> str:
    return f"lmcourse-box:{metadata.version('lmcourse')}"


def find_engine(only: str | None = None) -> str:
    """Return the path of Docker or Podman, whichever is installed and answers; with `only` no other.

    Raises:
        NoEngine: none is installed, or none answers. ValueError: `only` is neither of the two.
    """
    return next(_engines(only))


def has_image(engine: str) -> bool:
    return _asked(engine, "image", "inspect", image_name()) is None


def ready_engine() -> str:
    """Return the path of an engine that answers and has the image.

    Raises:
        NoEngine: there is none.
    """
    for engine in (found := list(_engines(None))):
        if has_image(engine):
            return engine
    named = Path(found[0]).stem
    raise NoEngine(f"{named} has no image {image_name()}; type: lmcourse grade image --engine {named}")


def build_image(engine: str) -> None:
    """Build the image, showing what the engine says. It has the Python and the packages of this process, in their versions.

    Where the environment has PIP_EXTRA_INDEX_URL, packages are looked for there, too.

    Raises:
        NoEngine: the engine could not build it.
    """
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(Path(__file__).with_name("Containerfile"), folder)
        text = "".join(f"{line}\n" for line in requirements())
        Path(folder, "requirements.txt").write_text(text, encoding="utf-8")
        python = f"PYTHON={sys.version_info.major}.{sys.version_info.minor}"
        named = [
            "--tag",
            image_name(),
            "--file",
            os.path.join(folder, "Containerfile"),
            "--build-arg",
            python,
        ]
        if index := os.environ.get("PIP_EXTRA_INDEX_URL"):
            named += ["--build-arg", f"PIP_EXTRA_INDEX_URL={index}"]
        done = subprocess.run([engine, "build", *named, folder], check=False)
    if done.returncode:
        raise NoEngine(f"{Path(engine).stem} could not build {image_name()}: what it said stands above")


def requirements() -> list[str]:
    """The packages that this one needs, in the versions that are installed here: `numpy==2.4.6`."""
    from packaging.requirements import Requirement

    needed = [Requirement(line) for line in metadata.requires("lmcourse") or ()]
    names = [r.name for r in needed if r.marker is None or r.marker.evaluate({"extra": ""})]
    # "+cpu" and the like are builds of the same version, which another system may not have.
    return [f"{name}=={metadata.version(name).partition('+')[0]}" for name in names]


def new_name() -> str:
    return f"lmcourse-box-{secrets.token_hex(6)}"


def command(engine: str, name: str, limits: Limits, environment: Mapping[str, str]) -> list[str]:
    """Return the command line that starts a container `name` with the process that forks boxes as its first."""
    import lmcourse

    memory = limits.memory_bytes + 2 * limits.disk_bytes + OWN_BYTES
    folder = f"rw,noexec,nosuid,nodev,size={limits.disk_bytes},mode=1777"
    package = os.path.abspath(next(iter(lmcourse.__path__)))
    options = [
        "run", "--name", name, "--rm", "--interactive", "--pull", "never", "--log-driver", "none",
        "--user", "0:0", "--workdir", "/", "--hostname", "box", "--network", "none", "--ipc", "private",
        "--cap-drop", "ALL", *(word for cap in CAPABILITIES for word in ("--cap-add", cap)),
        # A label of SELinux would keep the package from being read.
        "--security-opt", "no-new-privileges", "--security-opt", "label=disable",
        "--read-only", "--tmpfs", f"/tmp:{folder}", "--tmpfs", f"/dev/shm:{folder}",
        "--memory", str(memory), "--memory-swap", str(memory), "--pids-limit", str(2 * limits.processes + 64),
        "--mount", f"type=bind,source={package},target={PACKAGE}/lmcourse,readonly",
    ]  # fmt: skip
    if Path(engine).stem == "podman":
        options.append("--read-only-tmpfs=false")  # else further folders that everybody may write to
    # An engine may hand on variables of its own, proxies with their passwords among them.
    given = [f"{key}={value}" for key, value in {**environment, "PYTHONPATH": PACKAGE}.items()]
    program = ["env", "-i", *given, "python", "-m", "lmcourse.grading.box.zygote", "container"]
    return [engine, *options, image_name(), *program]


def remove(engine: str, name: str) -> None:
    """End the container, if it is still there."""
    _asked(engine, "rm", "--force", name)


def _engines(only: str | None) -> Iterator[str]:
    """Yield the engines that answer.

    Raises:
        NoEngine: there is none at all. ValueError: `only` is none.
    """
    if only is not None and only not in ENGINES:
        raise ValueError(f"'engine' must be one of {', '.join(ENGINES)}, got {only!r}")
    complaints, found = [], False
    for name in ENGINES if only is None else (only,):
        path = shutil.which(name)
        complaint = "is not installed" if path is None else _asked(path, "ps", "--quiet")
        if complaint is None:
            found = True
            yield path
        else:
            complaints.append(f"{name} {complaint}")
    if not found:
        raise NoEngine(f"No container can be started: {'; '.join(complaints)}.")


def _asked(engine: str, *arguments: str) -> str | None:
    """Return what the engine complains about, or None where it does not."""
    try:
        done = subprocess.run(
            [engine, *arguments],
            check=False,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=ASK_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"does not answer ({error!s:.200})"
    said = done.stderr.decode("utf-8", "replace").strip()
    return None if done.returncode == 0 else f"does not work ({said[-300:] or done.returncode})"
