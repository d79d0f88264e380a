"""Marks into our own table and into the files of Canvas and Moodle, as their exporters write them."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest

from lmcourse.exercises.records import load_chapter
from lmcourse.grading.gradebook.marks import marks_of
from lmcourse.grading.handing_back.export import export_marks
from lmcourse.grading.handing_back.sheet import Sheet
from tests.grading.class_by_hand import WRITTEN, HandMadeClass, wrong
from tests.grading.conftest import NAME

# As lib/gradebook_exporter.rb writes it: a column of our own, "Manual Posting", read-only sums, the student view at the end.
CANVAS = (
    "Student,ID,SIS User ID,SIS Login ID,Section,Notes,Week 1: Tokens (70001),Week 2: Embeddings (70002),Current Score\n"
    ",,,,,,,Manual Posting,\n"
    "    Points Possible,,,,,,24.00,24.00,(read only)\n"
    '"Lovelace, Ada",101,s-101,ada,"Section ""A""",likes tea,,12.00,50.0\n'
    '"Çelik, Bob",102,s-102,bob,Section A,,"3.00",,\n'
    '"Curie, Cem",103,s-103,cem,"Section A and B",,7.00,,\n'
    "=\"\"=1+1\"\",104,s-104,dan,Section A,,EX,,\n"
    '"Nobody, Nil",105,s-105,nil,Section A,,,,\n'
    '"Folder, Fay",106,s-106,fay@example.org,Section A,,,,\n'
    '"Student, Test",999,,0123456789abcdef,Section A,,,,\n'
).replace('=""=1+1""', '"=""=1+1"""')  # fmt: skip

MOODLE_HEAD = (
    "Identifier,Full name,Email address,Status,Grade,Maximum Grade,Grade can be changed,"
    "Last modified (submission),Last modified (grade),Feedback comments\r\n"
)
DATE = '"Friday, 2 January 2026, 3:04 AM"'
MOODLE = MOODLE_HEAD + (
    f'Participant 5001,Ada Lovelace,ada@example.org,"Submitted for grading",,24.00,Yes,{DATE},-,\r\n'
    f'Participant 5002,"Bob Çelik",bob@example.org,"Submitted for grading",,24.00,Yes,{DATE},-,"A person\'s ""own"" words"\r\n'
    f'Participant 5003,Cem Curie,cem@example.org,"Submitted for grading",,24.00,No,{DATE},-,\r\n'
    f'Participant 5004,Dan Dirac,dan@example.org,"No submission",,24.00,Yes,-,-,"<p>Points: 1 of 24 (old).</p>"\r\n'
    f'Participant 5005,Nil Nobody,nil@example.org,"No submission",,24.00,Yes,-,-,\r\n'
)


@pytest.fixture
def made(tmp_path, answered):
    return HandMadeClass(tmp_path / "class", load_chapter(NAME), answered)


def _class(made, lms, first):
    """Ada has 23, Bob waits for a person, Cem could not be graded, Dan has 17."""
    made.add("ada", lms=(lms, f"{first}1"))
    made.add("bob", lms=(lms, f"{first}2"))
    made.fail("cem", "it never ended", lms=(lms, f"{first}3"))
    made.add(
        "dan", lms=(lms, f"{first}4"), verdicts={"bpe_encode": wrong("bpe_encode", 3)}, words=None, late=True
    )
    made.gradebook({"ada": {"points": {WRITTEN: 3.0}}})


def _export(made, lms, text, tmp_path, **more):
    template = tmp_path / "template.csv"
    template.write_bytes(text if isinstance(text, bytes) else text.encode())
    summary = export_marks(made.folder, NAME, made.chapter, lms, template, **more)
    assert template.read_bytes() == (text if isinstance(text, bytes) else text.encode())
    return summary, summary.to.read_bytes().decode()


def test_canvas_gets_final_marks_in_one_column_and_every_other_byte_stays(made, tmp_path):
    _class(made, "canvas", 10)
    made.add("fay@example.org", words=None)
    made.add("gone", lms=("canvas", "198"), words=None)
    summary, text = _export(made, "canvas", CANVAS, tmp_path)
    expected = CANVAS.replace("likes tea,,12.00", "likes tea,23.00,12.00")
    expected = expected.replace("fay@example.org,Section A,,,,", "fay@example.org,Section A,,20.00,,")
    assert text == expected
    assert summary.column == "Week 1: Tokens (70001)"
    assert summary.filled == ["ada", "fay@example.org"]
    assert summary.without_mark == {
        "bob": "a person has to read why_languages (the mark 3.00 that stands there stays)",
        "cem": "it could not be graded: it never ended (the mark 7.00 that stands there stays)",
        "dan": "Canvas has excused them",
    }
    assert summary.nothing_handed_in == ["Nobody, Nil"]
    assert summary.not_in_lms == ["gone"]
    assert not summary.warnings
    assert "Not in the LMS's file (1): gone." in summary.lines()


@pytest.mark.parametrize(
    "style", ["bom and crlf", "no newline at the end", "semicolons and commas", "two name columns"]
)
def test_canvas_files_of_every_style_are_kept(made, tmp_path, style):
    _class(made, "canvas", 10)
    text, mark = CANVAS, "23.00"
    if style == "bom and crlf":
        text = "\ufeff" + CANVAS.replace("\n", "\r\n")
    elif style == "no newline at the end":
        text = CANVAS.rstrip("\n")
    elif style == "two name columns":
        lines = CANVAS.replace("Student,", "LastName,FirstName,", 1).splitlines(keepends=True)
        lines = [
            line.replace("Points Possible,", "Points Possible,,").replace(", Test", '","Test')
            for line in lines
        ]
        lines[1] = "," + lines[1]
        text = "".join(lines[:3]) + "Lovelace,Ada,101,s-101,ada,A,likes tea,,,\n" + lines[-1]
    else:
        out = io.StringIO()
        rows = [[c.replace(".00", ",00") for c in row] for row in csv.reader(io.StringIO(CANVAS))]
        csv.writer(out, delimiter=";", lineterminator="\n").writerows(rows)
        text, mark = out.getvalue(), "23,00"
    summary, filled = _export(made, "canvas", text, tmp_path)
    assert "ada" in summary.filled
    sign = ";" if style.startswith("semi") else ","
    assert filled == text.replace(f"likes tea{sign}", f"likes tea{sign}{mark}")


def test_canvas_column_is_asked_for_where_titles_leave_it_open(made, tmp_path):
    _class(made, "canvas", 10)
    two = CANVAS.replace("Week 1: Tokens", "Tokens").replace("Week 2: Embeddings", "Tokens again")
    with pytest.raises(ValueError, match=r"which of these is 01_tokens: Tokens \(70001\); Tokens again"):
        _export(made, "canvas", two, tmp_path)
    for column in ("70002", "tokens AGAIN", "Tokens again (70002)"):
        summary, text = _export(made, "canvas", two, tmp_path, column=column)
        assert summary.replaced == ["ada"]
        assert "likes tea,,23.00,50.0" in text
    numbered = two.replace("Tokens again", "Exercises 1, tokens").replace(
        "Exercises 1, tokens (70002)", '"Exercises 1, tokens (70002)"'
    )
    assert _export(made, "canvas", numbered, tmp_path)[0].column == "Exercises 1, tokens (70002)"
    with pytest.raises(
        ValueError, match="must name one assignment of the file, got 'Notes'; there are: Week 1"
    ):
        _export(made, "canvas", CANVAS, tmp_path, column="Notes")
    none = CANVAS.replace("Tokens", "Words")
    with pytest.raises(
        ValueError, match="which assignment of the file is 01_tokens; there are: Week 1: Words"
    ):
        _export(made, "canvas", none, tmp_path)


def test_another_maximum_in_the_lms_is_said(made, tmp_path):
    _class(made, "canvas", 10)
    summary, _ = _export(made, "canvas", CANVAS.replace(",24.00,24.00,", ",100.00,24.00,"), tmp_path)
    assert summary.warnings == ["the LMS counts to 100 points, the assignment to 24; marks are not scaled"]


def test_a_row_that_two_people_claim_stays_empty(made, tmp_path):
    made.add("ada", words=None)
    made.add("someone", lms=("canvas", "101"), words=None)
    made.add("bob", words=None)
    summary, text = _export(made, "canvas", CANVAS, tmp_path)
    assert set(summary.without_mark) == {"ada", "someone"}
    assert "likes tea,,12.00" in text


def test_moodle_gets_grades_and_comments_and_locked_rows_stay(made, tmp_path):
    _class(made, "moodle", 500)
    made.gradebook_of("ada", penalty=0.5, extra={WRITTEN: 1.0})
    summary, text = _export(made, "moodle", MOODLE, tmp_path)
    said = "Points: 23.50 of 24.00 (20.00 from the checks; 3.00 for answers in words; 1.00 extra credit; 0.50 taken off because it was late)."
    expected = MOODLE.replace(
        f'ada@example.org,"Submitted for grading",,24.00,Yes,{DATE},-,',
        f'ada@example.org,"Submitted for grading",23.50,24.00,Yes,{DATE},-,{said}',
    )
    again = '"Points: 17.00 of 24.00 (17.00 from the checks; 0.00 for answers in words)."'
    expected = expected.replace(
        '"No submission",,24.00,Yes,-,-,"<p>Points: 1 of 24 (old).</p>"',
        f'"No submission",17.00,24.00,Yes,-,-,{again}',
    )
    assert text == expected
    assert summary.filled == ["ada", "dan"]
    assert summary.nothing_handed_in == ["Nil Nobody"]
    made.add("cem", lms=("moodle", "5003"), words=None)
    made.gradebook_of("bob", points={WRITTEN: 4.0})
    summary, text = _export(made, "moodle", MOODLE, tmp_path)
    assert summary.without_mark == {
        "cem": "a person has to read " + ", ".join(marks_of(made.folder, NAME)[2].to_read)
    }
    assert 'grading",24.00,24.00,Yes' in text
    assert '"A person\'s ""own"" words"' in text


def test_moodle_says_which_marks_it_would_pass_over(made, tmp_path):
    made.add("ada", lms=("moodle", "5001"), words=None)
    made.add("cem", lms=("moodle", "5003"), words=None)
    summary, text = _export(made, "moodle", MOODLE.replace("24.00", "10.00"), tmp_path)
    assert text == MOODLE.replace("24.00", "10.00")
    assert summary.without_mark == {
        "ada": "Moodle takes 10 points at most, the mark is 20",
        "cem": "Moodle says that the grade cannot be changed",
    }


def test_a_worksheet_in_another_language_keeps_its_decimal_comma(made, tmp_path):
    made.add("ada", lms=("moodle", "77"), words=None, verdicts={"bpe_encode": wrong("bpe_encode", 3)})
    made.gradebook({"ada": {"points": {"check_bpe_encode": 1.5}}})
    german = (
        "ID,Vollständiger Name,E-Mail-Adresse,Status,Bewertung,Bestwertung,Bewertung kann geändert werden\n"
        'Teilnehmer/in77,Ada Lovelace,ada@example.org,Abgegeben,"3,00","24,00",Ja\n'
    )
    with pytest.raises(ValueError, match="give its heading as 'column'"):
        _export(made, "moodle", german, tmp_path)
    summary, text = _export(made, "moodle", german, tmp_path, column="Bewertung")
    assert text == german.replace('"3,00"', '"18,50"')
    assert summary.replaced == ["ada"]


def test_own_table_has_every_student_and_nothing_where_there_is_no_mark(made, tmp_path):
    _class(made, "canvas", 10)
    made.gradebook_of("dan", penalty=1.0, first_name="=cmd|'/c calc'!A1", last_name='Dan, "D"')
    made.row("ref", "folder", "ref", "ref.pdf", status="refused", why="it is a .pdf file.")
    made.student_of_the_gradebook("nil")
    summary = export_marks(made.folder, NAME, made.chapter, "csv")
    data = summary.to.read_bytes()
    assert data.startswith(b"\xef\xbb\xbfstudent,name,status,late,merge_pair,")
    table = {row["student"]: row for row in csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""))}
    assert list(table) == ["ada", "bob", "cem", "dan", "nil", "ref"]
    got = {
        name: (row["status"], row["bpe_encode"], row[WRITTEN], row["total"]) for name, row in table.items()
    }
    assert got == {
        "ada": ("graded", "3", "3", "23"),
        "bob": ("to be read", "3", "", ""),
        "cem": ("failed", "", "", ""),
        "dan": ("graded", "0", "0", "16"),
        "nil": ("missing", "", "", ""),
        "ref": ("refused", "", "", ""),
    }
    assert table["dan"]["name"] == "'=cmd|'/c calc'!A1 Dan, \"D\""
    assert (table["dan"]["late"], table["dan"]["late penalty"], table["dan"]["maximum"]) == ("yes", "1", "24")
    assert table["ref"]["note"] == "its file was refused: it is a .pdf file"
    assert summary.nothing_handed_in == ["nil"]


def test_a_penalty_never_makes_a_mark_negative(made):
    made.add("ada", verdicts={e.name: wrong(e.name, e.points) for e in made.chapter.exercises}, words=None)
    made.gradebook({"ada": {"penalty": 30.0}})
    assert marks_of(made.folder, NAME)[0].total == 0.0


def test_scores_of_a_grading_that_failed_are_no_mark(made):
    made.write(replace(made.add("ada", words=None), status="failed", why="it was killed"))
    assert (marks_of(made.folder, NAME)[0].status, marks_of(made.folder, NAME)[0].total) == ("failed", None)


def test_a_gradebook_that_is_behind_the_grading_is_said(made, tmp_path):
    made.add("ada", words=None)
    made.gradebook({"ada": {"auto": {"check_bpe_encode": 0.0}}})
    summary = export_marks(made.folder, NAME, made.chapter, "csv")
    assert "other points from the checks than the last grading for ada" in summary.warnings[0]


def test_the_template_is_written_over_only_when_it_is_named(made, tmp_path):
    _class(made, "canvas", 10)
    template = made.folder.graded(NAME) / "marks-canvas.csv"
    template.write_text(CANVAS)
    with pytest.raises(ValueError, match="'to' must be given to write over 'template'"):
        export_marks(made.folder, NAME, made.chapter, "canvas", template)
    export_marks(made.folder, NAME, made.chapter, "canvas", template, to=template)
    assert "23.00" in template.read_text()
    assert not list(template.parent.glob(".part-*"))


@pytest.mark.parametrize(
    ("lms", "text", "words"),
    [
        ("canvas", MOODLE, "must be Canvas's gradebook export"),
        ("moodle", CANVAS, "must be Moodle's grading worksheet"),
        ("canvas", CANVAS.replace(",10", ",20"), "nobody who handed in is among them"),
        ("canvas", "Zoë".encode("latin-1"), "must be CSV in UTF-8"),
        ("canvas", b"", "is empty"),
        ("canvas", 'Student,ID\n"a"b,1\n', "broken quotes"),
        ("canvas", 'Student,ID\n"a,1\n', "broken quotes"),
        ("blackboard", CANVAS, "'lms' must be one of csv, canvas, moodle"),
        ("csv", CANVAS, "'template' must be left out for csv"),
    ],
)
def test_wrong_files_are_refused_in_words(made, tmp_path, lms, text, words):
    made.add("ada", lms=("canvas", "101"), words=None)
    with pytest.raises(ValueError, match=words):
        _export(made, lms, text, tmp_path)
    assert not list(made.folder.graded(NAME).glob("marks-*"))


def test_a_sheet_reads_as_the_csv_module_does_and_gives_back_its_bytes():
    text = 'a,b,c\r\n"x ""y""\n,z",,\r\n\r\n1,"",\n,,'
    sheet = Sheet(text.encode(), "test")
    assert sheet.rows == [row or [""] for row in csv.reader(io.StringIO(text, newline=""))]
    assert sheet.data() == text.encode()
    assert sheet.put(1, 0, 'new, "text"')
    assert sheet.put(4, 2, "end")
    assert not sheet.put(2, 1, "there is no such cell")
    assert sheet.data() == text.replace('"x ""y""\n,z"', '"new, ""text"""').encode() + b"end"
