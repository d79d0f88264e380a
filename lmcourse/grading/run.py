"""Grade a class: boxes on one side, one writer of the gradebook on the other.

Every worker has a box of its own at a time; only this process writes. A result is kept when the gradebook has it, so a
run that was killed goes on where it stopped, and a run with nothing new changes nothing.
"""

from __future__ import annotations

import atexit
import gc
import hashlib
import pickle
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from lmcourse.grading.box.client import BoxBroken, Boxes
from lmcourse.grading.box.folders import visible_folders
from lmcourse.grading.class_folder import ClassFolder
from lmcourse.grading.files import write_whole
from lmcourse.grading.isolation import explained, isolation_for
from lmcourse.grading.limits import Limits

if TYPE_CHECKING:
    from lmcourse.grading.gradebook.writer import Writer
    from lmcourse.grading.judging.assignment import Assignment
    from lmcourse.grading.results import Result


def grade_class(
    folder: ClassFolder,
    assignment: str,
    *,
    course: Path,
    workers: int = 1,
    scheduler: str | None = None,
    limits: Limits | None = None,
    seed: int | None = None,
    again: bool = False,
    unsafe: bool = False,
    progress: bool = False,
) -> list[Result]:
    """Grade everybody in `submitted/` and return the results in the order of names.

    Whoever was graded before, with the same notebook and the same cases, is not graded again, unless `again`.
    `scheduler` is the address of a Dask scheduler whose workers have this package; without one, `workers` threads
    of this process have a box each.

    Raises:
        ValueError: a wrong argument, or nobody has handed in.
        NoIsolation: students' programs cannot be kept apart here, and `unsafe` is not set.
    """
    from tqdm.auto import tqdm

    if workers < 1:
        raise ValueError(f"'workers' must be at least 1, got {workers}")
    if not folder.root.is_dir():
        raise ValueError(f"'folder' must be a folder that exists, got {folder.root}")
    isolation = isolation_for(unsafe=unsafe)
    if isolation == "namespaces":
        _refuse_what_boxes_see(folder.root, course / "solutions")
    limits = limits or Limits()
    with _reading_ahead() as ahead, _executor(workers, scheduler) as executor:
        executor.submit(_start_boxes, isolation, limits)  # they load while we do
        from lmcourse.grading.gradebook.writer import Writer
        from lmcourse.grading.judging.assignment import load_assignment, seed_of
        from lmcourse.grading.judging.submission import prepare

        loaded = load_assignment(assignment, course, seed_of(folder, assignment, seed))
        students = folder.students(assignment)
        if not students:
            raise ValueError(
                f"nobody has handed in {assignment}: {folder.root / 'submitted'} holds no notebook for it"
            )
        packed = pickle.dumps(loaded)
        gc.freeze()  # what is loaded stays: collections need not look through it again
        todo, results = {}, {}
        for student in students:
            data = folder.submitted(student, assignment).read_bytes()
            key = _key(loaded, limits, data)
            old = None if again else _kept(folder, assignment, student, key)
            if old is None:
                # With boxes on this machine a notebook is read while those before it run.
                ready = None if scheduler else ahead.submit(prepare, data, loaded)
                todo[executor.submit(_grade, packed, student, data, limits, isolation, key, ready)] = student
            else:
                results[student] = old
        # Opened while the first ones are graded: a new gradebook takes seconds.
        with Writer(folder, assignment, loaded.template.source) as writer:
            for student, result in results.items():
                if not writer.written(result):  # the gradebook is new, or another one
                    kept = folder.autograded(student, assignment).read_text(encoding="utf-8")
                    results[student] = _written(writer, folder, result, kept)
            bar = tqdm(total=len(students), initial=len(results), unit="notebook", disable=not progress)
            with bar:
                for task in as_completed(todo):
                    student = todo[task]
                    bar.set_postfix_str(student)
                    try:
                        result, notebook = task.result()
                    except BoxBroken as error:
                        for other in todo:
                            other.cancel()
                        raise explained(error) from error
                    result = _written(writer, folder, result, notebook)
                    # Last, so that what is kept is in the gradebook, whenever this is killed.
                    write_whole(folder.root, folder.result(student, assignment), result.to_json())
                    results[student] = result
                    bar.update()
    return [results[student] for student in students]


def _refuse_what_boxes_see(*secrets: Path) -> None:
    """An environment made in the course's own folder would take the solutions into every box."""
    for path in secrets:
        for seen in visible_folders():
            if path.resolve().is_relative_to(seen):
                raise ValueError(
                    f"{path} must not stand inside {seen}, which every box sees because Python is there"
                )


def _written(writer: Writer, folder: ClassFolder, result: Result, notebook: str) -> Result:
    """Write one result; one that the gradebook does not take has failed, and the others go on."""
    from lmcourse.grading.results import Result

    handed_in = folder.submitted(result.student, result.assignment)
    try:
        writer.write(result, notebook or handed_in.read_text(encoding="utf-8", errors="replace"))
    except ValueError as error:
        why = f"It could not be written to the gradebook: {error}."
        return Result(result.student, result.assignment, result.key, "failed", why)
    return result


def _key(loaded: Assignment, limits: Limits, data: bytes) -> str:
    return hashlib.sha256(b"\0".join((loaded.key.encode(), repr(limits).encode(), data))).hexdigest()


def _kept(folder: ClassFolder, assignment: str, student: str, key: str) -> Result | None:
    """The result of an earlier run, where it is still true and its notebook is still there."""
    from lmcourse.grading.results import Result

    path = folder.result(student, assignment)
    if not path.is_file() or not folder.autograded(student, assignment).is_file():
        return None
    try:
        result = Result.from_json(path.read_text(encoding="utf-8"), source=str(path))
    except ValueError:
        return None
    return result if result.key == key and result.status == "graded" else None


# --- in the workers ----------------------------------------------------------------------------------------------

_own = threading.local()
_started: list[Boxes] = []


def _start_boxes(isolation: str, limits: Limits) -> Boxes:
    """Return this thread's boxes; the process behind them is started once and ends with this one."""
    if getattr(_own, "isolation", None) != isolation:
        _own.boxes, _own.isolation = Boxes(isolation, limits), isolation
        _own.boxes.start()
        _started.append(_own.boxes)
    return _own.boxes


@atexit.register
def _end_boxes() -> None:
    while _started:
        _started.pop().__exit__()


@lru_cache(maxsize=2)
def _unpacked(packed: bytes) -> Assignment:
    return pickle.loads(packed)  # from the process that grades, never from a box


def _grade(
    packed: bytes,
    student: str,
    data: bytes,
    limits: Limits,
    isolation: str,
    key: str,
    ready: Future | None,
) -> tuple[Result, str]:
    from lmcourse.grading.judging.submission import grade_submission, prepare
    from lmcourse.grading.results import Result

    loaded = _unpacked(packed)
    prepared = ready.result if ready else partial(prepare, data, loaded)
    try:
        return grade_submission(student, prepared, loaded, _start_boxes(isolation, limits), limits, key)
    except BoxBroken:
        _own.isolation = None
        raise
    except Exception as error:  # one notebook of a class must not stop the others
        where = traceback.extract_tb(error.__traceback__)[-1]
        why = f"It broke the grader, which is our fault ({error!r:.300}, line {where.lineno} of {Path(where.filename).name})."
        return Result(student, loaded.name, key, "failed", why), ""


@contextmanager
def _reading_ahead() -> Iterator[Executor]:
    """A thread that reads notebooks before their turn; where grading ends early, what it has not begun is left."""
    ahead = ThreadPoolExecutor(1, thread_name_prefix="reader")
    try:
        yield ahead
    finally:
        ahead.shutdown(cancel_futures=True)
        gc.unfreeze()


@contextmanager
def _executor(workers: int, scheduler: str | None) -> Iterator[Executor]:
    """Something with `submit`: threads here, or Dask's workers. Threads are enough, for boxes are processes of their own."""
    if scheduler is None:
        with ThreadPoolExecutor(workers, thread_name_prefix="grader") as executor:
            try:
                yield executor
            except BaseException:
                executor.shutdown(wait=False, cancel_futures=True)
                _end_boxes()
                raise
            executor.submit(_end_boxes)
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise ValueError("'scheduler' needs Dask; type: pip install distributed") from error
    try:
        client = Client(scheduler, timeout=10)
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(
            f"'scheduler' must be the address of a running Dask scheduler, got {scheduler!r} ({error})"
        ) from error
    with client:
        yield client.get_executor()
