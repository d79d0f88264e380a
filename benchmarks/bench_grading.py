"""The course's grader beside stock nbgrader, on the same submissions of one chapter, in one run.

    python benchmarks/bench_grading.py [--students 40] [--workers 2]

Two classes: one in which everybody has the answers of the solution, and the honest part of a practice class, with wrong answers,
slow right ones and cells that call pip, which cost both graders the same. Submissions with an endless loop are left out. Both
graders are started as an instructor starts them, from the command line, so that start-up is counted, on copies of one folder.
Both ask the visible and the hidden cases of one seed. That they give the same marks is asserted. Memory is the
peak of what all processes of the command have together (proportional set size), in runs of their own, for looking slows what is looked at.
"""

import argparse
import copy
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbgrader.api import Gradebook

from lmcourse.grading.class_folder import ClassFolder
from lmcourse.grading.intake.collect import collect
from lmcourse.grading.intake.template import Template
from lmcourse.grading.practice.invented import make_class

ROOT = Path(__file__).resolve().parent.parent
CHAPTER = "01_tokens"
SEED = 4711
BIN = Path(sys.executable).parent


def processes_under(pid: int) -> list[int]:
    found, waiting = [], [pid]
    while waiting:
        current = waiting.pop()
        found.append(current)
        try:
            for task in Path(f"/proc/{current}/task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue
    return found


def memory_of(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    except (OSError, StopIteration):
        return 0


def run_in(folder: Path, command: list[str], *, sampled: bool = False, **environment: str) -> float:
    """Run `command` in `folder` and return its seconds; with `sampled` the peak of its memory, in bytes, instead."""
    peak = 0
    started = time.perf_counter()
    with open(folder / "said.txt", "w") as said:
        process = subprocess.Popen(
            command, cwd=folder, stdout=said, stderr=said, env={**os.environ, **environment}
        )
        while sampled and process.poll() is None:
            peak = max(peak, sum(map(memory_of, processes_under(process.pid))))
            time.sleep(0.2)
        code = process.wait()
    if code != 0:
        raise SystemExit(
            f"{' '.join(command)} ended with {code}:\n{(folder / 'said.txt').read_text()[-3000:]}"
        )
    return peak if sampled else time.perf_counter() - started


def honest_class(folder: Path, students: int) -> None:
    """Fill folder/submitted with honest submissions of a practice class, without endless loops."""
    made = make_class(folder / "lms", CHAPTER, ROOT, students=2 * students)
    template = Template.load(ROOT / "solutions" / CHAPTER / "exercises.ipynb")
    collect(made.zip, CHAPTER, folder, template)
    run = [
        str(BIN / "lmcourse"),
        "grade",
        "run",
        CHAPTER,
        "--to",
        str(folder),
        "--course",
        str(ROOT),
        "--workers",
        "2",
        "--seed",
        str(SEED),
        "--json",
    ]
    subprocess.run(run, check=False, stdout=subprocess.DEVNULL)
    from lmcourse.grading.results import results_of

    quick = {r.student for r in results_of(ClassFolder(folder), CHAPTER) if r.seconds < 5 and not r.incidents}
    honest = [
        s
        for s, about in sorted(made.about.items())
        if about.startswith(("all right", "of skill")) and s in quick
    ]
    if len(honest) < students:
        raise SystemExit(f"the class has only {len(honest)} honest submissions without an endless loop")
    for path in (folder / "submitted").iterdir():
        if path.name not in honest[:students]:
            shutil.rmtree(path)


def class_of_solutions(folder: Path, students: int) -> None:
    """Fill folder/submitted with the solution's answers, as nbgrader's source has them."""
    template = Template.load(ROOT / "solutions" / CHAPTER / "exercises.ipynb")
    answers = {c.metadata.get("nbgrader", {}).get("grade_id"): c.source for c in template.source.cells}
    for number in range(students):
        notebook = copy.deepcopy(template.notebook)
        for cell in notebook.cells:
            name = cell.metadata.get("nbgrader", {}).get("grade_id")
            if cell.metadata.get("nbgrader", {}).get("solution"):
                cell.source = f"{answers[name]}\n# student {number}"
        path = folder / "submitted" / f"student-{number:02}" / CHAPTER / "exercises.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(notebook, path)


def fresh_copy(source: Path, name: str) -> Path:
    folder = source.parent / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source / "submitted", folder / "submitted")
    return folder


def prepare_stock(folder: Path) -> dict[str, str]:
    """What an instructor does before stock autograding; not counted."""
    (folder / "source" / CHAPTER).mkdir(parents=True)
    shutil.copy(ROOT / "solutions" / CHAPTER / "exercises.ipynb", folder / "source" / CHAPTER)
    subprocess.run(
        [BIN / "nbgrader", "generate_assignment", CHAPTER], cwd=folder, check=True, capture_output=True
    )
    subprocess.run(
        [BIN / "lmcourse", "hidden", CHAPTER, folder / "private", "--seed", str(SEED), "--course", ROOT],
        check=True,
        capture_output=True,
    )
    return {"LMCOURSE_HIDDEN_CASES": str(folder / "private")}


def marks(folder: Path) -> dict[tuple[str, str], float | None]:
    with Gradebook(ClassFolder(folder).db_url) as book:
        return {
            (s.student.id, g.name): g.auto_score
            for s in book.find_assignment(CHAPTER).submissions
            for n in s.notebooks
            for g in n.grades
        }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--students", type=int, default=40)
    parser.add_argument("--workers", type=int, default=2, help="a second line with so many workers")
    options = parser.parse_args()
    # nbgrader starts a program of its environment by name.
    os.environ["PATH"] = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    for what, fill in (("the solution's answers", class_of_solutions), ("a practice class", honest_class)):
        with tempfile.TemporaryDirectory(prefix="bench-grading-") as made:
            base = Path(made) / "class"
            base.mkdir()
            fill(base, options.students)
            print(f"{what}: {options.students} submissions of {CHAPTER}, start-up included", flush=True)
            compare(base, options.students, options.workers, memory=fill is class_of_solutions)


def compare(base: Path, students: int, workers: int, *, memory: bool) -> None:
    run = [str(BIN / "lmcourse"), "grade", "run", CHAPTER, "--course", str(ROOT), "--seed", str(SEED)]
    commands = {"stock nbgrader": [str(BIN / "nbgrader"), "autograde", CHAPTER]}
    for count in dict.fromkeys((1, workers)):
        commands[f"ours, {count} worker{'s' * (count > 1)}"] = [*run, "--workers", str(count)]
    took, given = {}, []
    for sampled in (False, True)[: 1 + memory]:
        for name, command in commands.items():
            folder = fresh_copy(base, name.replace(" ", "-"))
            environment = prepare_stock(folder) if "stock" in name else {}
            took[name, sampled] = run_in(folder, command, sampled=sampled, **environment)
            given.append(marks(folder))
    assert all(other == given[0] for other in given), "all must give the same marks"
    for name in commands:
        seconds, peak = took[name, False], took.get((name, True), 0)
        print(
            f"  {name:<16} {seconds:7.1f} s  {seconds / students:6.3f} s a submission  "
            f"{took['stock nbgrader', False] / seconds:5.1f} x stock's speed"
            + f"  peak {peak / 2**20:5.0f} MiB"
            * memory,
            flush=True,
        )


if __name__ == "__main__":
    main()
