"""Before the first class: one to practise with, and the image that boxes need where there are no namespaces."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lmcourse.grading.commands.app import Course, app, known_assignment, wrong_use_is_told


@app.command()
def practice(
    folder: Annotated[
        Path, typer.Argument(help="Where to write the zip and the gradebook's file.", file_okay=False)
    ],
    assignment: Annotated[str, typer.Option(help='For example "01_tokens".')] = "01_tokens",
    students: Annotated[int, typer.Option(help="How many hand in.")] = 40,
    seed: Annotated[int, typer.Option(help="Another seed, another class.")] = 0,
    course: Course = None,
) -> None:
    """Invent a class: right answers, known mistakes, broken files and tricks, in a zip as Canvas gives it."""
    from lmcourse.grading.practice.invented import make_class

    with wrong_use_is_told():
        made = make_class(
            folder, assignment, known_assignment(assignment, course), students=students, seed=seed
        )
    typer.echo(f"What was handed in:  {made.zip}")
    typer.echo(f"Canvas's gradebook:  {made.gradebook_csv}")
    typer.echo(f"What each should get: {folder / 'expected.json'}")


@app.command()
def image(
    engine: Annotated[str | None, typer.Option(help="docker or podman; default: whichever is there.")] = None,
) -> None:
    """Build the image that boxes need on macOS, Windows, and Linux without namespaces. Once for each version."""
    from lmcourse.grading.box.container import NoEngine, build_image, find_engine

    try:
        build_image(find_engine(engine))
    except NoEngine as error:
        typer.echo(f"lmcourse: {error}", err=True)
        raise typer.Exit(3) from error
