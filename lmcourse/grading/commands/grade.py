"""Collecting what was handed in, and running it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from lmcourse.grading.commands.app import (
    AsJson,
    Assignment,
    Class,
    Course,
    app,
    known_assignment,
    wrong_use_is_told,
)


@app.command()
def collect(
    source: Annotated[Path, typer.Argument(help="The LMS's zip, or a folder.", exists=True, readable=True)],
    assignment: Annotated[str, typer.Option(help='For example "01_tokens".')],
    to: Class = Path("."),
    as_json: AsJson = False,
    course: Course = None,
) -> None:
    """Sort a class's notebooks into submitted/, repaired. Exit code 1 where a file was refused, 2 for wrong use."""
    from lmcourse.grading.intake import collect as collecting
    from lmcourse.grading.intake.template import Template

    with wrong_use_is_told():
        root = known_assignment(assignment, course)
        template = Template.load(root / "solutions" / assignment / "exercises.ipynb")
        rows = collecting.collect(source, assignment, to, template, progress=not as_json)
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


@app.command()
def run(
    assignment: Assignment,
    to: Class = Path("."),
    workers: Annotated[int, typer.Option(help="Boxes at a time; about one a core.")] = 1,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler, to use several machines.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the hidden cases; default: a secret one, kept.")
    ] = None,
    again: Annotated[bool, typer.Option(help="Grade everybody anew.")] = False,
    unsafe: Annotated[bool, typer.Option(help="Run notebooks without a box, with all your rights.")] = False,
    cell_seconds: Annotated[float, typer.Option(help="After this a cell is interrupted.")] = 60.0,
    notebook_seconds: Annotated[float, typer.Option(help="After this a notebook is stopped.")] = 300.0,
    memory: Annotated[int, typer.Option(help="MiB that a notebook and all it starts may use.")] = 2048,
    as_json: AsJson = False,
    course: Course = None,
) -> None:
    """Grade what is in submitted/, each notebook in a box. Exit code 1 where one could not be graded, 3 without a box."""
    # Behind nbformat a grammar of web addresses is loaded, which takes longer than all else and which notebooks do not need.
    sys.modules.setdefault("rfc3987_syntax", None)
    from lmcourse.grading.class_folder import ClassFolder
    from lmcourse.grading.isolation import NoIsolation
    from lmcourse.grading.limits import MIB, Limits
    from lmcourse.grading.run import grade_class

    with wrong_use_is_told():
        limits = Limits(
            cell_seconds=cell_seconds, notebook_seconds=notebook_seconds, memory_bytes=memory * MIB
        )
        try:
            results = grade_class(
                ClassFolder(to), assignment, course=known_assignment(assignment, course), workers=workers, scheduler=scheduler,
                limits=limits, seed=seed, again=again, unsafe=unsafe, progress=not as_json,
            )  # fmt: skip
        except NoIsolation as error:
            typer.echo(f"lmcourse: {error}", err=True)
            raise typer.Exit(3) from error
    failed = [result for result in results if result.status != "graded"]
    if as_json:
        typer.echo("[" + ",\n".join(result.to_json().rstrip() for result in results) + "]")
    else:
        for result in failed:
            typer.echo(f"not graded: {result.student}: {result.why}")
        for result in results:
            for incident in result.incidents:
                typer.echo(f"{result.student}: {incident}")
        waiting = sum(None in result.scores.values() for result in results)
        typer.echo(
            f"{len(results)} notebooks: {len(results) - len(failed)} graded, {len(failed)} not; {waiting} with answers to read by hand"
        )
    raise typer.Exit(1 if failed else 0)
