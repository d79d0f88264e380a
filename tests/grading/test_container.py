"""Boxes in a container: with an engine made for these tests, and with Docker or Podman where the image is built."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from lmcourse.grading import isolation
from lmcourse.grading.box import container
from lmcourse.grading.box.client import Box, BoxBroken, BoxEnded, Boxes, TookTooLong
from lmcourse.grading.box.frames import MAIN
from lmcourse.grading.judging.assignment import load_assignment
from lmcourse.grading.judging.submission import grade_submission, prepare
from lmcourse.grading.limits import MIB, Limits
from tests.conftest import ROOT
from tests.grading.conftest import ANSWERS, NAME, as_bytes

LIMITS = Limits(memory_bytes=700 * MIB, processes=20, disk_bytes=16 * MIB, file_bytes=8 * MIB)
NO_SMALL_ENGINE = (
    "the engine made for tests needs Linux and root"
    if not sys.platform.startswith("linux") or os.geteuid() != 0
    else "the engine made for tests puts an empty folder over /tmp, where this Python or this clone stands"
    if any(Path(path).resolve().is_relative_to("/tmp") for path in (sys.prefix, sys.base_prefix, ROOT))
    else ""
)
linux_root = pytest.mark.skipif(bool(NO_SMALL_ENGINE), reason=NO_SMALL_ENGINE)


def put_engine(folder: Path, *, image: bool = True) -> Path:
    """A command `docker` in a folder of its own, which is returned."""
    folder.mkdir(exist_ok=True)
    if image:
        (folder / "image").touch()
    line = f'PYTHONPATH="{ROOT}" exec "{sys.executable}" -m tests.grading.small_engine "{folder}" "$@"'
    (folder / "docker").write_text(f"#!/bin/sh\n{line}\n")
    (folder / "docker").chmod(0o755)
    return folder


def told(folder: Path) -> list[list[str]]:
    return [json.loads(line) for line in (folder / "told").read_text().splitlines()]


@pytest.fixture(scope="module", params=["small engine", "real engine"])
def boxes(request, tmp_path_factory) -> Iterator[Boxes]:
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "small engine":
            if NO_SMALL_ENGINE:
                pytest.skip(NO_SMALL_ENGINE)
            patch.setenv("PATH", f"{put_engine(tmp_path_factory.mktemp('engine'))}:{os.environ['PATH']}")
        else:
            if "LMCOURSE_TEST_ENGINE" not in os.environ:
                pytest.skip(
                    "set LMCOURSE_TEST_ENGINE to try the Docker or Podman of this machine, and its image"
                )
            container.ready_engine()
        with Boxes("container", LIMITS) as made:
            yield made


@pytest.fixture
def box(boxes) -> Iterator[Box]:
    made = opened(boxes)
    yield made
    made.close()


def opened(boxes: Boxes) -> Box:
    made = boxes.open(LIMITS, 1)
    assert made.answer(MAIN, 60) == {"ready": True}
    return made


def run(box: Box, source: str, seconds: float = 20) -> str:
    """What the cell printed."""
    box.ask(MAIN, {"do": "cell", "source": textwrap.dedent(source)})
    outputs = box.answer(MAIN, seconds)["outputs"]
    assert not [o for o in outputs if o["output_type"] == "error"], outputs
    return "".join(o["text"] for o in outputs if o["output_type"] == "stream")


def run_alone(boxes: Boxes, source: str) -> str:
    box = opened(boxes)
    try:
        return run(box, source)
    finally:
        box.close()


def zygote_of(boxes: Boxes) -> int:
    """Which container it is: the process that stands for it."""
    run_alone(boxes, "pass")
    return boxes._process.pid


def test_right_answers_get_full_marks(boxes, answered):
    assignment = load_assignment(NAME, ROOT, seed=3)
    result, _ = grade_submission(
        "ada", partial(prepare, as_bytes(answered), assignment), assignment, boxes, LIMITS, "key"
    )
    assert result.points == 20, result
    assert not result.incidents
    assert result.peak_bytes > 0
    assert len(result.exercises) == len([name for name in ANSWERS if name != "why_languages"])


def test_what_forks_boxes_can_be_neither_signalled_nor_traced_nor_read(box, boxes):
    program = """
        import ctypes, os, signal
        done = []
        zygote = os.getppid()
        for pid in {1, zygote, -1}:
            for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM):
                try:
                    os.kill(pid, number)
                    # With -1 the kernel says yes even where it was allowed to signal nobody.
                    if pid != -1:
                        done.append(("kill", pid, number))
                except OSError:
                    pass
        for pid in {1, zygote}:
            for name in ("mem", "environ", "maps", "fd/0", "root/", "cwd/"):
                try:
                    with os.scandir(f"/proc/{pid}/{name}") if name[-1] == "/" else open(f"/proc/{pid}/{name}", "rb") as file:
                        done.append((name, next(iter(file))))
                except OSError:
                    pass
            if ctypes.CDLL(None).ptrace(16, pid, 0, 0) == 0:
                done.append(("ptrace", pid))
        print(zygote != os.getpid(), done)
    """
    assert run(box, program) == "True []\n"
    assert run(box, "print('still there')") == "still there\n"
    assert run(box, "print(2)") == "2\n"


def test_it_is_nobody_and_stays_nobody(box):
    program = """
        import os
        fields = dict(line.split(":\\t") for line in open("/proc/self/status").read().splitlines())
        print([fields[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb", "NoNewPrivs", "Seccomp")])
        changed = []
        for change in (os.setuid, os.seteuid, os.setgid, os.setegid):
            for number in (0, 9999, os.getuid() + 1):
                try:
                    change(number)
                    changed.append(number)
                except PermissionError:
                    pass
        print(changed, os.getuid() >= 10_000, os.getgroups())
        print(sorted(os.environ.items() - {"x": "y"}.items())[0][0], os.path.expanduser("~"), oct(os.stat(os.path.expanduser("~")).st_mode))
    """
    none = "0000000000000000"
    first, second, third = run(box, program).splitlines()
    assert first == str([none, none, none, none, "1", "2"])
    assert second == "[] True []"
    assert third.endswith("/tmp/home 0o40700")


def test_nothing_of_the_host_is_in_sight(box, tmp_path):
    (tmp_path / "gradebook.db").write_text("marks")
    hidden = [str(p) for p in (ROOT / "solutions", ROOT / "tests", tmp_path / "gradebook.db", "/etc/shadow-")]
    program = f"""
        import os, socket
        print([p for p in {hidden!r} if os.path.exists(p)], socket.if_nameindex())
        print([name for name in os.environ if "PROXY" in name.upper() or "TOKEN" in name.upper()])
        import lmcourse
        try:
            open(next(iter(lmcourse.__path__)) + "/x", "w")
        except OSError:
            print("cannot write")
    """
    assert run(box, program).splitlines() == ["[] [(1, 'lo')]", "[]", "cannot write"]


def test_a_program_that_went_into_the_background_is_gone_before_the_next(boxes):
    program = """
        import os, signal, time
        user = os.getuid()
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                for number in set(range(1, 65)) - {signal.SIGKILL, signal.SIGSTOP, 32, 33}:
                    signal.signal(number, signal.SIG_IGN)
                while True:
                    time.sleep(0.01)
                    open("/tmp/alive", "w").close()
            os._exit(0)
        os.wait()
        time.sleep(0.2)
        print(os.path.exists("/tmp/alive"), user)
    """
    before = zygote_of(boxes)
    alive, user = run_alone(boxes, program).split()
    assert alive == "True"
    program = f"""
        import os, time
        time.sleep(0.1)
        states = [open(f"/proc/{{pid}}/status").read() for pid in os.listdir("/proc") if pid.isdigit()]
        print(os.path.exists("/tmp/alive"), os.getuid() == {user}, sum("{user}" in state for state in states))
    """
    assert run_alone(boxes, program) == "False False 0\n"
    assert zygote_of(boxes) == before, "a swept container is used again"


def test_nothing_that_one_leaves_is_there_for_the_next(boxes):
    leave = """
        import ctypes, os
        for folder in ("/tmp", "/dev/shm", "/var/tmp", "/dev/mqueue", "/run", "/run/lock", os.path.expanduser("~")):
            try:
                os.makedirs(f"{folder}/mark/deeper")
                open(f"{folder}/mark/deeper/file", "w").write("secret")
                os.symlink("/etc/passwd", f"{folder}/mark/link")
                os.chmod(f"{folder}/mark/deeper", 0)
                os.chmod(f"{folder}/mark", 0)
            except OSError:
                pass
        os.chdir("/tmp")
        for _ in range(1500):
            os.mkdir("down")
            os.chdir("down")
        os.chdir("/")
        print(ctypes.CDLL(None).semget(4711, 1, 0o1666) >= -1)
    """
    look = """
        import os
        from pathlib import Path
        mine = {"/tmp/home", "/tmp/.output", "/tmp/.ipython"}
        folders = ("/tmp", "/dev/shm", "/var/tmp", "/dev/mqueue", "/run", "/run/lock")
        found = [f"{f}/{n}" for f in folders if os.path.isdir(f) for n in os.listdir(f) if "mark" in n or f in ("/tmp", "/dev/shm")]
        print(sorted(set(found) - mine), os.listdir(os.path.expanduser("~")))
        print(len(Path("/proc/sysvipc/sem").read_text().splitlines()))
    """
    before = zygote_of(boxes)
    assert run_alone(boxes, leave) == "True\n"
    assert run_alone(boxes, look) == "[] []\n1\n"
    assert zygote_of(boxes) == before, "a swept container is used again"


def test_a_loop_can_be_interrupted(box):
    box.ask(MAIN, {"do": "cell", "source": "while True: pass"})
    with pytest.raises(TookTooLong):
        box.answer(MAIN, 0.3)
    box.interrupt()
    assert box.answer(MAIN, 10)["status"] == "stopped"


def test_memory_counts_for_all_processes_together_also_for_those_that_hide(boxes):
    program = """
        import ctypes, os, time
        for _ in range(8):
            if os.fork() == 0:
                os.setsid()
                if os.fork():
                    os._exit(0)
                ctypes.CDLL(None).prctl(4, 0)
                kept = os.urandom(1000) * 150_000
                time.sleep(60)
        time.sleep(60)
    """
    box = opened(boxes)
    box.ask(MAIN, {"do": "cell", "source": textwrap.dedent(program)})
    with pytest.raises(BoxEnded):
        box.answer(MAIN, 30)
    assert box.over == "it used more than 700 MiB of memory"
    box.close()
    assert run_alone(boxes, "print(1)") == "1\n"


def test_processes_that_multiply_and_kill_one_another_are_ended(boxes):
    program = """
        import os, signal
        while True:
            try:
                if os.fork() == 0:
                    os.setsid()
            except OSError:
                pass
    """
    before = zygote_of(boxes)
    box = opened(boxes)
    box.ask(MAIN, {"do": "cell", "source": textwrap.dedent(program)})
    with pytest.raises((TookTooLong, BoxEnded)):
        box.answer(MAIN, 1)
    box.close()
    assert run_alone(boxes, "print(1)") == "1\n"
    assert zygote_of(boxes) == before


def test_a_container_that_could_not_be_swept_is_not_used_again(boxes):
    run_alone(boxes, "pass")
    before = zygote_of(boxes)
    boxes._clean = False
    assert run_alone(boxes, "print(1)") == "1\n"
    assert zygote_of(boxes) != before


@linux_root
def test_other_limits_take_another_container_and_leaving_ends_it(tmp_path, monkeypatch):
    folder = put_engine(tmp_path / "engine")
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    more = Limits(memory_bytes=3000 * MIB)
    with Boxes("container") as boxes:
        boxes.open(more, 1).close()
        process = boxes._process
    assert process.returncode == 0, "the container ended by itself"
    runs = [words for words in told(folder) if words[0] == "run"]
    sizes = [int(words[words.index("--memory") + 1]) for words in runs]
    assert sizes[1] - sizes[0] == more.memory_bytes - Limits().memory_bytes
    assert "rm" not in {words[0] for words in told(folder)}


@linux_root
def test_a_container_that_does_not_start_says_why(tmp_path, monkeypatch):
    folder = put_engine(tmp_path / "engine")
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr(container, "CAPABILITIES", ())  # so it may not become a student
    with Boxes("container") as boxes:
        box = boxes.open(LIMITS, 1)
        assert "PermissionError" in box.answer(MAIN, 30)["broken"]
        box.close()
    (folder / "docker").write_text("#!/bin/sh\n[ $1 = run ] && echo no space left >&2 && exit 125\nexit 0\n")
    with Boxes("container") as boxes, pytest.raises(BoxBroken, match="It said: no space left"):
        boxes.open(LIMITS, 1)


def test_the_command_line_shuts_everything_that_an_engine_leaves_open():
    words = container.command("/usr/bin/podman", "name", LIMITS, {"PYTHONPATH": "/home/ada", "LANG": "C"})
    line = " ".join(words)
    for needed in (
        "--network none", "--cap-drop ALL", "--security-opt no-new-privileges", "--read-only ", "--ipc private",
        "--log-driver none", "--pull never", "--rm", "--read-only-tmpfs=false", "--pids-limit 104", ",readonly",
    ):  # fmt: skip
        assert needed in line, needed
    assert words.count("--cap-add") == 4
    assert not {"--privileged", "--volume", "-v", "--env", "--pid", "--tty"} & set(words)
    ceiling = words[words.index("--memory") + 1]
    assert words[words.index("--memory-swap") + 1] == ceiling
    assert words[words.index("env") :][:4] == ["env", "-i", "PYTHONPATH=/opt/lmcourse", "LANG=C"]
    assert "--read-only-tmpfs=false" not in container.command("docker", "name", LIMITS, {})


def test_the_grader_needs_nothing_of_unix_on_its_own_side():
    program = """
        import sys
        for name in ("resource", "fcntl", "pwd", "grp", "termios", "select"):
            sys.modules[name] = None
        import os
        for name in ("fork", "geteuid", "setsid", "waitpid", "sched_getaffinity"):
            if hasattr(os, name):
                delattr(os, name)
        from lmcourse.grading.box import client, container
        from lmcourse.grading import isolation
        from lmcourse.grading.judging import asking
        from lmcourse.grading.limits import Limits
        assert container.command("docker", "n", Limits(), {})[0] == "docker"
        assert container.requirements()
        sys.platform = "darwin"
        container.ready_engine = lambda: "docker"
        print(isolation.isolation_for(unsafe=False))
    """
    # subprocess itself was imported for this system; what it needs is loaded before it is taken away.
    program = "import subprocess, tempfile, selectors, socket\n" + textwrap.dedent(program)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "container\n", done.stderr


@pytest.fixture
def no_namespaces(monkeypatch):
    monkeypatch.setattr(isolation, "_no_namespaces", lambda: "This Linux does not let a box be made (EPERM)")


def test_without_namespaces_and_engine_nothing_is_graded_and_the_way_out_is_said(
    no_namespaces, monkeypatch, tmp_path
):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(isolation.NoIsolation) as caught:
        isolation.isolation_for(unsafe=False)
    text = str(caught.value)
    assert "(EPERM). No container can be started: docker is not installed; podman is not installed.\n" in text
    assert "lmcourse grade image" in text
    assert isolation.isolation_for(unsafe=True) == "none"


@linux_root
def test_an_engine_is_used_once_it_has_the_image(no_namespaces, monkeypatch, tmp_path):
    folder = put_engine(tmp_path / "engine", image=False)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setattr(container, "ENGINES", ("docker",))
    with pytest.raises(
        isolation.NoIsolation,
        match="docker has no image lmcourse-box:.*; type: lmcourse grade image --engine docker",
    ):
        isolation.isolation_for(unsafe=False)
    container.build_image(container.find_engine("docker"))
    assert isolation.isolation_for(unsafe=False) == "container"
    built = next(words for words in told(folder) if words[0] == "build")
    assert f"PYTHON={sys.version_info.major}.{sys.version_info.minor}" in built
    assert container.image_name() in built
    import numpy

    lines = (folder / "image").read_text().splitlines()
    assert f"numpy=={numpy.__version__}" in lines
    assert not [line for line in lines if line.startswith(("nbgrader", "pytest")) or "+" in line]


def test_an_engine_that_does_not_answer_is_passed_over_and_quoted(monkeypatch, tmp_path):
    for name, text in {
        "docker": "echo 'Cannot connect to the daemon' >&2; exit 1",
        "podman": "exit 0",
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    assert container.find_engine() == str(tmp_path / "podman")
    with pytest.raises(container.NoEngine, match="docker does not work \\(Cannot connect to the daemon\\)"):
        container.find_engine("docker")
    with pytest.raises(ValueError, match="'engine' must be one of docker, podman, got 'lxc'"):
        container.find_engine("lxc")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="namespaces are Linux's")
def test_the_probe_says_what_keeps_a_box_from_being_made(monkeypatch):
    from lmcourse.grading.box import walls

    def refuse(*_):
        raise PermissionError(1, "mount proc on /tmp/proc: not permitted")

    monkeypatch.setattr(walls, "_new_root", refuse)
    assert "mount proc on /tmp/proc" in walls.obstacle()
    monkeypatch.setattr(walls, "_new_root", lambda *_: os._exit(1))
    assert walls.obstacle() == "the process that tried it was ended"
