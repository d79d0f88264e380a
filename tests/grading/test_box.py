"""The walls themselves: what a program in a box can see, do and leave behind."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from lmcourse.exercises.codec import pack, unpack
from lmcourse.grading.box.client import Box, BoxEnded, Boxes, TookTooLong
from lmcourse.grading.box.frames import MAIN
from lmcourse.grading.limits import MIB, Limits
from tests.conftest import ROOT
from tests.grading.conftest import needs_boxes

pytestmark = needs_boxes
SMALL = Limits(
    memory_bytes=700 * MIB, processes=20, output_bytes=2000, disk_bytes=8 * MIB, file_bytes=4 * MIB
)


@pytest.fixture(scope="module")
def boxes():
    with Boxes() as made:
        yield made


@pytest.fixture
def box(boxes):
    made = boxes.open(SMALL, 4)
    assert made.answer(MAIN, 60) == {"ready": True}
    yield made
    made.close()


def run(box: Box, source: str, seconds: float = 20) -> dict:
    box.ask(MAIN, {"do": "cell", "source": source})
    return box.answer(MAIN, seconds)


def said(told: dict) -> str:
    return "".join(o["text"] for o in told["outputs"] if o["output_type"] == "stream")


def snapshot(box: Box, channel: int, name: str) -> dict:
    box.ask(MAIN, {"do": "snapshot", "channel": channel, "name": name, "allow": [], "refuse": []})
    box.answer(MAIN, 10)
    return box.answer(channel, 10)


def call(box: Box, channel: int, *args: object) -> object:
    box.ask(channel, {"count": 1, "how": {"collect": "", "seconds": 5}}, [pack((args, {}))])
    return unpack(box.answer(channel, 10))["value"]


def test_nothing_of_the_grader_is_in_sight(box, tmp_path):
    (tmp_path / "gradebook.db").write_text("marks")
    hidden = [
        ROOT / "solutions",
        ROOT / "tests",
        ROOT / "Makefile",
        tmp_path / "gradebook.db",
        Path("/etc/shadow"),
        Path.home() / ".bashrc",
    ]
    assert all(path.exists() for path in hidden[:4])
    told = run(
        box,
        f"import os\nprint([p for p in {[str(p) for p in hidden]} if os.path.exists(p)], sorted(os.listdir('/home')))",
    )
    assert said(told) == "[] ['student']\n"


def test_no_process_but_its_own_is_in_sight_and_no_secret_in_the_environment(box, monkeypatch):
    told = run(
        box,
        "import os\nprint(sorted(p for p in os.listdir('/proc') if p.isdigit()), os.getppid())\nprint(sorted(os.environ))",
    )
    processes, names = said(told).splitlines()
    assert processes == "['1', '2'] 1"
    assert not {name for name in os.environ if "TOKEN" in name or "KEY" in name} & set(eval(names))
    assert set(eval(names)) <= {
        "PYTHONPATH", "PATH", "LANG", "HOME", "PYTHONDONTWRITEBYTECODE", "PYTHONHASHSEED", "IPYTHONDIR", "OMP_NUM_THREADS", "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS", "PIP_RETRIES", "PIP_TIMEOUT", "MPLBACKEND", "TMPDIR", "USER", "LOGNAME", "LC_CTYPE", "KMP_DUPLICATE_LIB_OK",
        "KMP_INIT_AT_FORK", "TORCHINDUCTOR_CACHE_DIR", "PAGER", "GIT_PAGER", "CLICOLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "TERM",
    }  # fmt: skip


def test_there_is_no_network(box):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.5)
        told = run(
            box,
            f"import socket\ntry:\n    socket.create_connection(('127.0.0.1', {listener.getsockname()[1]}), timeout=2)\nexcept OSError as e: print(type(e).__name__)",
        )
        assert said(told) in ("ConnectionRefusedError\n", "OSError\n")
        with pytest.raises(TimeoutError):
            listener.accept()


def test_it_has_no_privileges_and_can_write_only_to_its_own_folders(box):
    told = run(
        box,
        "for line in open('/proc/self/status'):\n    if line.startswith(('CapEff', 'CapBnd', 'NoNewPrivs', 'Seccomp:')): print(*line.split())",
    )
    state = dict(line.split() for line in said(told).splitlines())
    assert (int(state["CapEff:"], 16), state["NoNewPrivs:"], state["Seccomp:"]) == (0, "1", "2")
    told = run(
        box,
        "import os, ctypes, tempfile\nfailed = []\n"
        "for place in ('/usr/x', '/etc/x', '/x', os.__file__ + 'x', '/proc/sys/kernel/hostname'):\n"
        "    try:\n        open(place, 'w')\n    except OSError: failed.append(place)\n"
        "tempfile.NamedTemporaryFile(); open('here', 'w').close()\n"
        "print(len(failed), ctypes.CDLL(None).memfd_create(b'x', 0), ctypes.CDLL(None).unshare(0x10000000))",
    )
    assert said(told) == "5 -1 -1\n"


def test_the_disk_is_small(box):
    told = run(
        box,
        "n = 0\ntry:\n    for i in range(20):\n        open(f'/tmp/{i}', 'wb').write(bytes(2**20)); n += 1\nexcept OSError as e: print(e.strerror, n)",
    )
    assert said(told).startswith("No space left on device")


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("x = [bytearray(2**20) for _ in range(3000)]", None),
        (
            "import os, time\nfor _ in range(6):\n    if os.fork() == 0:\n        x = b'x' * (300 * 2**20); time.sleep(60)\ntime.sleep(60)",
            "it used more than 700 MiB",
        ),
        (
            "import mmap, time\nm = mmap.mmap(-1, 10**9)\nfor i in range(0, 10**9, 4096): m[i] = 1\ntime.sleep(60)",
            None,
        ),
    ],
)
def test_memory_is_limited_for_the_whole_tree(boxes, source, why):
    box = boxes.open(SMALL, 1)
    box.answer(MAIN, 60)
    try:
        told = run(box, source, 30)
        assert why is None
        assert told["outputs"][-1]["ename"] in ("MemoryError", "OSError")
    except BoxEnded:
        assert (why or "it used more than 700 MiB") in box.over
    finally:
        box.close()


def test_processes_are_limited(box):
    source = "import os, time\nn = 0\ntry:\n    while n < 100:\n        if os.fork() == 0: time.sleep(60)\n        n += 1\nexcept OSError as e: print(type(e).__name__, n < 25)"
    assert said(run(box, source)) == "BlockingIOError True\n"


def test_a_cell_that_hangs_is_interrupted_and_the_next_one_runs(box):
    box.ask(MAIN, {"do": "cell", "source": "while True: pass"})
    with pytest.raises(TookTooLong):
        box.answer(MAIN, 0.5)
    box.interrupt()
    told = box.answer(MAIN, 10)
    assert (told["status"], told["outputs"][-1]["ename"]) == ("stopped", "KeyboardInterrupt")
    assert said(run(box, "print(1 + 1)")) == "2\n"


def test_what_was_started_in_a_box_ends_with_it(boxes):
    box = boxes.open(SMALL, 1)
    box.answer(MAIN, 60)
    marker = f"left-over-{time.time()}"
    source = f"import os, sys\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: os.execv('/bin/sleep', ['{marker}', '100'])\n    os._exit(0)\nprint(1)"
    assert said(run(box, source)) == "1\n"
    deadline = time.monotonic() + 5
    while not _running(marker) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert _running(marker)
    box.close()
    while _running(marker) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _running(marker)


def _running(marker: str) -> bool:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if marker.encode() in path.read_bytes():
                return True
        except OSError:
            continue
    return False


def test_a_program_that_ends_itself_is_noticed_at_once(boxes):
    box = boxes.open(SMALL, 1)
    box.answer(MAIN, 60)
    started = time.monotonic()
    with pytest.raises(BoxEnded):
        run(box, "import os\nos._exit(0)")
    assert box.over is None
    box.close()
    assert time.monotonic() - started < 10


def test_outputs_are_those_of_a_notebook(box):
    told = run(
        box,
        "import os, sys\nfrom IPython.display import display, HTML\nprint('a'); print('b', file=sys.stderr); os.write(1, b'c')\n"
        "display(HTML('<b>d</b>'))\n'e'",
    )
    kinds = [(o["output_type"], o.get("name")) for o in told["outputs"]]
    assert kinds == [
        ("stream", "stdout"),
        ("stream", "stderr"),
        ("display_data", None),
        ("execute_result", None),
        ("stream", "stdout"),
    ]
    assert told["outputs"][2]["data"]["text/html"] == "<b>d</b>"
    assert told["outputs"][3]["data"]["text/plain"] == "'e'"
    assert said(run(box, "!echo f; echo g >&2")) == "f\ng\n"
    assert run(box, "1 / 0")["outputs"][0]["ename"] == "ZeroDivisionError"
    assert run(box, "input()")["outputs"][0]["evalue"].startswith("nobody is there")
    assert run(box, "import asyncio\nawait asyncio.sleep(0)\n%time 1")["status"] == "ok"


def test_endless_output_is_cut(box):
    told = run(box, "print('x' * 10**6)\nfor _ in range(10**4): display('y')")
    assert len(said(told)) < SMALL.output_bytes + 200
    assert "more was printed" in said(told)
    assert len(told["outputs"]) < 120


def test_a_snapshot_is_the_program_at_its_check_and_nothing_flows_back(box):
    run(box, "seen = []\ndef f(x):\n    seen.append(x)\n    return len(seen)")
    assert snapshot(box, 2, "f") == {"defined": True, "refused": None}
    run(box, "def f(x): return 'another'")
    assert snapshot(box, 3, "f") == {"defined": True, "refused": None}
    assert snapshot(box, 4, "g")["defined"] is False
    assert [call(box, 2, "a"), call(box, 2, "b"), call(box, 3, "c")] == [1, 2, "another"]
    assert said(run(box, "print(seen)")) == "[]\n"


def test_a_snapshot_that_ends_itself_leaves_the_others(box):
    run(box, "import os\ndef f(x): os._exit(0)\ndef g(x): return x")
    snapshot(box, 2, "f")
    snapshot(box, 3, "g")
    with pytest.raises(BoxEnded):
        call(box, 2, 1)
    assert call(box, 3, 1) == 1


def test_torch_works_in_snapshots_although_the_program_used_threads(box):
    run(
        box,
        "import torch\ntorch.set_num_threads(2)\na = torch.randn(300, 300) @ torch.randn(300, 300)\ndef f(x):\n    x = x.requires_grad_()\n    (x @ x).sum().backward()\n    return x.grad.shape[0]",
    )
    snapshot(box, 2, "f")
    import torch

    assert call(box, 2, torch.ones(200, 200)) == 200


def test_a_box_finds_nothing_of_an_earlier_one_in_its_memory(boxes):
    """What has passed between grader and box must not stand in the memory that later boxes are copies of."""
    scan = """
mark, found = b"SECRET-"[::-1][::-1] + b"OF-ANOTHER", 0
memory = open("/proc/self/mem", "rb", 0)
for line in open("/proc/self/maps"):
    place, rights, *_ = line.split()
    start, end = (int(x, 16) for x in place.split("-"))
    if "rw" in rights and end - start < 2**28 and "[v" not in line:
        memory.seek(start)
        try: content = memory.read(end - start)
        except OSError: continue
        found += mark + b"-4" in content  # made only now, or it would find itself
        del content
print("found", found)
"""
    for n in range(0, 3000, 100):
        box = boxes.open(SMALL, 1)
        box.answer(MAIN, 60)
        run(box, f"x = 'SECRET-OF-ANOTHER-4{n} {'y' * n}'; print(x)")
        box.close()
    box = boxes.open(SMALL, 1)
    box.answer(MAIN, 60)
    assert said(run(box, scan)) == "found 0\n"
    box.close()


def test_no_way_leads_to_a_space_of_its_own_where_it_would_have_every_right(box):
    """From a user namespace of its own a program could mount memory that no limit counts."""
    source = """
import ctypes, platform
libc, column = ctypes.CDLL(None, use_errno=True), ["x86_64", "aarch64"].index(platform.machine())
def call(numbers, *arguments):
    result = libc.syscall(ctypes.c_long(numbers[column]), *map(ctypes.c_long, arguments))
    if result == 0 and numbers[0] == 56:
        import os
        os._exit(0)
    return result, ctypes.get_errno()
print([call((56, 220), flag | 17, 0, 0, 0, 0) for flag in (0x10000000, 0x00020000, 0x40000000, 0x20000000)])
print([call((number, number), 0, 0, 0, 0) for number in (428, 429, 430, 431, 432, 433, 435, 442)])
import os, threading
thread = threading.Thread(target=print, args=("threads and processes work",)); thread.start(); thread.join()
print(os.waitstatus_to_exitcode(os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)[1]))
"""
    spaces, calls, *rest = said(run(box, source)).splitlines()
    assert eval(spaces) == [(-1, 1)] * 4
    assert eval(calls) == [(-1, 1)] * 6 + [(-1, 38), (-1, 1)]
    assert rest == ["threads and processes work", "0"]
