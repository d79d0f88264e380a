"""`lmcourse grade ...`: what an instructor types."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Grade a class: collect what was handed in.")


@app.callback()
def grade() -> None:
    """Grade a class."""


@app.command()
def collect(
    source: Annotated[Path, typer.Argument(help="The LMS's zip, or a folder.", exists=True, readable=True)],
    assignment: Annotated[str, typer.Option(help='For example "01_tokens".')],
    to: Annotated[
        Path, typer.Option(help="The folder of the class, where submitted/ is.", file_okay=False)
    ] = Path("."),
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    course: Annotated[
        Path | None, typer.Option(help="The clone of the course; default: the folder at or above this one.")
    ] = None,
) -> None:
    """Sort a class's notebooks into submitted/, repaired. Exit code 1 where a file was refused, 2 for wrong use."""
    from lmcourse.authoring.chapter import chapter_names, course_root
    from lmcourse.grading import collect as collecting
    from lmcourse.grading.repair import Template

    try:
        root = course_root(course)
        if assignment not in chapter_names(root):
            known = ", ".join(chapter_names(root))
            raise ValueError(f"'assignment' must be one of {known}, got {assignment!r}")
        template = Template.load(root / "solutions" / assignment / "exercises.ipynb")
        rows = collecting.collect(source, assignment, to, template)
    except (OSError, ValueError) as error:
        typer.echo(f"lmcourse: {error}", err=True)
        raise typer.Exit(2) from error
    if as_json:
        typer.echo(json.dumps(rows, indent=1, ensure_ascii=False))
    else:
        _say(rows)
    raise typer.Exit(1 if any(row["status"] == "refused" for row in rows) else 0)


def _say(rows: list[dict]) -> None:
    for row in rows:
        late = ", late" if row["late"] else ""
        typer.echo(f"{row['status']:<11} {row['student'] or '?'}{late}: {row['file']}")
        for line in [row["why"], *row["notes"]]:
            if line:
                typer.echo(f"{'':<11} {line}")
    counts = {s: sum(r["status"] == s for r in rows) for s in ("taken", "earlier", "refused", "passed over")}
    typer.echo(f"{len(rows)} files: " + ", ".join(f"{n} {status}" for status, n in counts.items()))
