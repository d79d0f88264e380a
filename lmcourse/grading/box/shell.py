"""IPython without a kernel: runs the cells of a notebook and gathers their outputs as nbformat has them."""

from __future__ import annotations

import builtins
import io
import os
import signal
import sys
import tempfile
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

MAX_OUTPUTS = 100
# Below the descriptors that a notebook is likely to open itself.
_SPILL = "/tmp/.output"


class Gathered:
    """The outputs of one cell, up to a number of bytes; what comes after is left out, and said to be."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.start()

    def start(self) -> None:
        self.outputs: list[dict[str, Any]] = []
        self.left, self.cut = self.max_bytes, False

    def stream(self, name: str, text: str) -> None:
        text = text[: self._take(len(text))]
        if not text:
            return
        last = self.outputs[-1] if self.outputs else {}
        if last.get("output_type") == "stream" and last["name"] == name:
            last["text"].append(text)
        else:
            self.outputs.append({"output_type": "stream", "name": name, "text": [text]})

    def add(self, output: dict[str, Any], size: int) -> None:
        if len(self.outputs) < MAX_OUTPUTS and self._take(size) == size:
            self.outputs.append(output)
        else:
            self.cut = True

    def finished(self) -> list[dict[str, Any]]:
        for output in self.outputs:
            if output["output_type"] == "stream":
                output["text"] = "".join(output["text"])
        if self.cut:
            note = f"\n... more was printed; the first {self.max_bytes // 1024} kB are kept.\n"
            self.outputs.append({"output_type": "stream", "name": "stdout", "text": note})
        return self.outputs

    def _take(self, size: int) -> int:
        taken = min(size, self.left)
        self.left -= taken
        self.cut = self.cut or taken < size
        return taken


class _Stream(io.TextIOBase):
    encoding, errors = "utf-8", "replace"

    def __init__(self, name: str, gathered: Gathered) -> None:
        self.name, self._gathered = name, gathered

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._gathered.stream(self.name, str(text))
        return len(text)


class _Publisher(DisplayPublisher):
    gathered: Gathered

    def publish(self, data: dict, metadata: dict | None = None, **_: Any) -> None:
        self.gathered.add({"output_type": "display_data", **_bundle(data, metadata)}, _size(data))

    def clear_output(self, wait: bool = False) -> None:
        self.gathered.start()


class _Hook(DisplayHook):
    gathered: Gathered

    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict: dict, md_dict: dict | None = None) -> None:
        output = {"output_type": "execute_result", "execution_count": self.prompt_count}
        self.gathered.add({**output, **_bundle(format_dict, md_dict)}, _size(format_dict))

    def finish_displayhook(self) -> None:
        pass


class Shell(InteractiveShell):
    """IPython's shell; `run(source)` returns the cell's outputs and whether it was "ok", "error" or "stopped"."""

    # Into descriptor 1, which is gathered; the other way needs a terminal.
    system = InteractiveShell.system_raw

    def _showtraceback(self, etype: type, evalue: BaseException, stb: list[str]) -> None:
        try:
            message = str(evalue)
        except Exception:
            message = "(the exception's message cannot be shown)"
        name = getattr(etype, "__name__", "Error")
        lines = [str(line)[:4000] for line in stb][-200:]
        output = {"output_type": "error", "ename": name, "evalue": message[:4000], "traceback": lines}
        self.display_pub.gathered.add(output, len(message[:4000]) + sum(map(len, lines)))

    def run(self, source: str) -> tuple[list[dict[str, Any]], str]:
        gathered = self.display_pub.gathered
        gathered.start()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        result = None
        try:
            result = self.run_cell(source, store_history=True)
            _read_spill(gathered)
        except KeyboardInterrupt:  # it came between the cell's end and here
            gathered.add(
                {"output_type": "error", "ename": "KeyboardInterrupt", "evalue": "", "traceback": []}, 0
            )
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        error = result and (result.error_before_exec or result.error_in_exec)
        stopped = result is None or isinstance(error, KeyboardInterrupt)
        return gathered.finished(), "stopped" if stopped else "error" if error else "ok"


def make_shell() -> Shell:
    """Return the one shell of this process, ready to run cells. No threads, no files, no history kept.

    It has run a cell that fails: what IPython loads for its first traceback costs more than all the rest.
    """
    with tempfile.TemporaryDirectory() as folder:
        os.environ["IPYTHONDIR"] = folder
        config = Config()
        config.HistoryManager.enabled = False
        config.InteractiveShell.colors = "NoColor"
        shell = Shell.instance(config=config, displayhook_class=_Hook, display_pub_class=_Publisher)
        shell.display_pub.gathered = shell.displayhook.gathered = Gathered(0)
        shell.run_cell("1 / 0", store_history=True)
        shell.reset(new_session=True)
    del os.environ["IPYTHONDIR"]
    return shell


def take_over_output(shell: Shell, max_bytes: int) -> None:
    """Gather, up to a number of bytes a cell, what this process prints, also by subprocesses and C code, which write to descriptors 1 and 2."""
    shell.display_pub.gathered.max_bytes = max_bytes
    sys.stdout = _Stream("stdout", shell.display_pub.gathered)
    sys.stderr = _Stream("stderr", shell.display_pub.gathered)
    sys.stdin = open(os.devnull)  # noqa: SIM115
    builtins.input = _no_input
    spill = os.open(_SPILL, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    for fd in (1, 2):
        os.dup2(spill, fd)
    os.close(spill)


def _no_input(prompt: object = "") -> str:
    raise RuntimeError("nobody is there to answer input() while a notebook is graded")


def _read_spill(gathered: Gathered) -> None:
    try:
        with open(_SPILL, "rb") as file:
            text = file.read(gathered.max_bytes).decode("utf-8", "replace")
        os.truncate(_SPILL, 0)
    except OSError:
        return
    gathered.stream("stdout", text)


def _bundle(data: dict, metadata: dict | None) -> dict[str, Any]:
    return {"data": {str(k): v for k, v in data.items()}, "metadata": metadata or {}}


def _size(data: dict) -> int:
    return sum(len(v) if isinstance(v, (str, bytes)) else 1000 for v in data.values())
