"""What follows the grading: feedback, marks for the LMS, the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from lmcourse.grading.commands.app import (
    AsJson,
    Assignment,
    Class,
    Course,
    app,
    graded_class,
    known_assignment,
    open_in_browser,
    wrong_use_is_told,
)


@app.command()
def feedback(
    assignment: Assignment, to: Class = Path("."), as_json: AsJson = False, course: Course = None
) -> None:
    """Write a page for each student into feedback/: marks, hints, a person's comments; no hidden case."""
    from tqdm.auto import tqdm

    from lmcourse.exercises.records import load_chapter
    from lmcourse.grading.handing_back.feedback import write_feedback

    with wrong_use_is_told():
        known_assignment(assignment, course)
        folder, pages = graded_class(to, assignment), []
        with tqdm(unit="page", disable=as_json) as bar:
            for page in write_feedback(folder, assignment, load_chapter(assignment)):
                bar.set_postfix_str(page.student)
                bar.update()
                pages.append(page)
    if as_json:
        rows = [{"student": p.student, "path": str(p.path), "changed": p.changed} for p in pages]
        typer.echo(json.dumps(rows, indent=1, ensure_ascii=False))
    else:
        typer.echo(
            f"{len(pages)} pages in {to / 'feedback'}, {sum(p.changed for p in pages)} of them new or changed"
        )


@app.command()
def export(
    assignment: Assignment,
    to: Class = Path("."),
    lms: Annotated[str, typer.Option(help="canvas, moodle or csv.")] = "csv",
    template: Annotated[
        Path | None,
        typer.Option(help="The file that the LMS exported, to be filled.", exists=True, dir_okay=False),
    ] = None,
    column: Annotated[
        str | None, typer.Option(help="The column to fill, where the title does not tell.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where to write; default: graded/ASSIGNMENT/marks-LMS.csv.")
    ] = None,
    course: Course = None,
) -> None:
    """Write the marks for Canvas, Moodle or a spreadsheet. Missing work stays empty; it is not 0."""
    from lmcourse.exercises.records import load_chapter
    from lmcourse.grading.handing_back.export import export_marks

    with wrong_use_is_told():
        known_assignment(assignment, course)
        summary = export_marks(
            graded_class(to, assignment), assignment, load_chapter(assignment), lms, template, out, column
        )
    for line in summary.lines():
        typer.echo(line)


@app.command()
def report(
    assignment: Assignment,
    to: Class = Path("."),
    names: Annotated[
        bool, typer.Option(help="Without names and code: a page to show in the lecture.")
    ] = True,
    show: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    course: Course = None,
) -> None:
    """Write a page on what the class has understood: marks, exercises, mistakes, answers that are alike."""
    from lmcourse.authoring.chapter import load
    from lmcourse.exercises.records import load_chapter
    from lmcourse.grading.reporting.answers import authors_code
    from lmcourse.grading.reporting.report import write_report

    with wrong_use_is_told():
        known = authors_code(load(assignment, known_assignment(assignment, course)))
        path = write_report(
            graded_class(to, assignment), assignment, load_chapter(assignment), names=names, known=known
        )
    typer.echo(f"The report: {path.resolve().as_uri()}")
    if show:
        open_in_browser(path)
