"""What the commands have in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from lmcourse.grading.class_folder import ClassFolder

app = typer.Typer(
    no_args_is_help=True,
    help="Grade a class: collect, run, then feedback, export and report. Try it with practice.",
)

Assignment = Annotated[str, typer.Argument(help='For example "01_tokens".')]
Class = Annotated[
    Path, typer.Option("--to", help="The folder of the class, where submitted/ is.", file_okay=False)
]
Course = Annotated[
    Path | None, typer.Option(help="The clone of the course; default: the folder at or above this one.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


@app.callback()
def grade() -> None:
    """Grade a class."""


@contextmanager
def wrong_use_is_told() -> Iterator[None]:
    """Whatever an instructor can put right ends in a sentence and exit code 2."""
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        typer.echo(f"lmcourse: {text}", err=True)
        raise typer.Exit(2) from error


def known_assignment(assignment: str, course: Path | None) -> Path:
    """Return the clone of the course, which must have this chapter."""
    from lmcourse.authoring.course import chapter_names, course_root

    root = course_root(course)
    if assignment not in chapter_names(root):
        known = ", ".join(chapter_names(root))
        raise ValueError(f"'assignment' must be one of {known}, got {assignment!r}")
    return root


def graded_class(to: Path, assignment: str) -> ClassFolder:
    """Return the folder of a class that has been graded.

    Raises:
        ValueError: nothing of `assignment` is there.
    """
    folder = ClassFolder(to)
    if not any(folder.graded(assignment).glob("*.json")):
        raise ValueError(
            f"'to' must be a class whose {assignment} was graded; {to} has none: type lmcourse grade run first"
        )
    return folder


def open_in_browser(path: Path) -> None:
    import os
    import webbrowser

    if "CI" not in os.environ:
        webbrowser.open(path.resolve().as_uri())
