"""The command line: `lmcourse --help`."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from lmcourse.grading.commands import app as grading

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Tools of the course for authors and instructors.",
    pretty_exceptions_enable=False,
)
app.add_typer(grading, name="grade")

Course = Annotated[
    Path | None, typer.Option(help="The clone of the course; default: the folder at or above this one.")
]


def _fail(error: Exception) -> typer.Exit:
    typer.echo(f"lmcourse: {error.args[0] if error.args else error}", err=True)
    return typer.Exit(2)


@app.command()
def judge(
    chapter: Annotated[str, typer.Argument(help='For example "01_tokens".')],
    attempt: Annotated[
        Path,
        typer.Argument(
            help="A Python file that defines the exercises' functions.", exists=True, dir_okay=False
        ),
    ],
    seed: Annotated[int, typer.Option(help="Seed of the hidden cases.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    course: Course = None,
) -> None:
    """Judge a file of attempts with visible and hidden cases: an exercise a row. Exit code 1 where one does not pass."""
    from lmcourse.authoring.course import course_root
    from lmcourse.authoring.judging import judge_file

    try:
        # What an attempt prints must not get into the JSON.
        with redirect_stdout(sys.stderr):
            verdicts = judge_file(chapter, attempt, seed=seed, root=course_root(course))
    except (KeyError, FileNotFoundError, SyntaxError) as error:
        raise _fail(error) from error
    if as_json:
        typer.echo(json.dumps([v.to_json() for v in verdicts], indent=1))
    else:
        _table(verdicts)
    raise typer.Exit(0 if all(v.status == "passed" for v in verdicts) else 1)


def _table(verdicts: list) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("exercise", "verdict", "cases", "points", "why")
    for v in verdicts:
        why = [v.reason or "", v.failure.difference if v.failure else "", f"hint: {v.hint}" if v.hint else ""]
        # As Text, for brackets in a message are not mark-up.
        reason = Text("\n".join(w for w in why if w))
        table.add_row(v.name, v.status, f"{v.passed}/{v.total}", f"{v.points}/{v.max_points}", reason)
    console = Console()
    console.print(table)
    console.print(f"{sum(v.points for v in verdicts)} of {sum(v.max_points for v in verdicts)} points")


@app.command()
def notebooks(
    only: Annotated[list[str] | None, typer.Argument(help="Chapters to rebuild; default: all.")] = None,
    lessons: Annotated[bool, typer.Option(help="Rebuild the lessons.")] = True,
    exercises: Annotated[bool, typer.Option(help="Rebuild the exercises.")] = True,
    course: Course = None,
) -> None:
    """Rebuild every generated file: notebooks from their .py sources, student versions, recorded cases."""
    from lmcourse.authoring.course import course_root
    from lmcourse.authoring.notebooks import build_all

    try:
        root = course_root(course)
        changed = build_all(root, only, lessons=lessons, exercises=exercises)
    except (KeyError, FileNotFoundError, ValueError) as error:
        raise _fail(error) from error
    for path in changed:
        typer.echo(f"changed: {path.relative_to(root)}")
    typer.echo(f"{len(changed)} files changed")


@app.command()
def hidden(
    chapter: Annotated[str, typer.Argument(help='For example "01_tokens".')],
    folder: Annotated[
        Path, typer.Argument(help="Where the instructor keeps hidden cases; students never see it.")
    ],
    seed: Annotated[int, typer.Option(help="Your own number: another seed, other cases.")],
    course: Course = None,
) -> None:
    """Write hidden cases for grading with stock nbgrader; point LMCOURSE_HIDDEN_CASES at the folder."""
    from lmcourse.authoring.chapter import load
    from lmcourse.authoring.course import course_root
    from lmcourse.exercises.records import to_json

    try:
        record = load(chapter, course_root(course)).record(seed, hidden=True)
    except (KeyError, FileNotFoundError) as error:
        raise _fail(error) from error
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{chapter}.json"
    target.write_text(to_json(record), encoding="utf-8")
    typer.echo(
        f"{sum(len(e.cases) for e in record.exercises)} hidden cases of seed {seed} written to {target}"
    )


if __name__ == "__main__":
    app()
