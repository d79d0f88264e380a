"""Judging: outcomes on recorded cases against the expected ones, and which known mistake explains them.

Everything here is plain data in and out. The student's program is reached only through `run`, which takes
packed arguments and gives a packed outcome, so it may sit in another process behind a wall.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lmcourse.exercises.codec import CodecError, pack, unpack
from lmcourse.exercises.compare import (
    Compare,
    difference,
    fingerprint,
    same_fingerprint,
    short,
    stream_difference,
)
from lmcourse.exercises.records import Case, ExerciseRecord

Run = Callable[[bytes], bytes]
# Nobody needs to look into a wrong answer of more bytes than this beyond a right one.
_LARGE = 64 * 1024


@dataclass(frozen=True)
class Failure:
    """The first case that fails, as a student reads it."""

    about: str
    call: str
    expected: str
    got: str
    difference: str
    trace: str = ""


@dataclass(frozen=True)
class Verdict:
    """`status` is "passed", "failed", "not started", "missing" or "refused" (with `reason`)."""

    name: str
    status: str
    points: int
    max_points: int
    passed: int = 0
    total: int = 0
    failure: Failure | None = None
    hint: str | None = None
    mistake: int | None = None
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def outcome_of(raw: bytes, collect: str = "") -> dict[str, Any]:
    """Return a readable outcome; what is damaged or of another shape becomes an unreadable one."""
    try:
        outcome = unpack(raw)
    except CodecError as error:
        return {"kind": "unreadable", "message": str(error)}
    if not _has_agreed_form(outcome):
        return {"kind": "unreadable", "message": "the outcome does not have the agreed form"}
    for part in ("message", "trace"):
        if part in outcome:
            outcome[part] = outcome[part][:4000]
    if collect == "stream" and outcome["kind"] == "returned" and not _is_timed(outcome["value"]):
        return {"kind": "unreadable", "message": "the outcome does not have the agreed form"}
    return outcome


def _has_agreed_form(outcome: Any) -> bool:
    """Whether it is what `call_packed` gives. It need not be: the student's process has sent it."""
    if not isinstance(outcome, dict) or not isinstance(outcome.get("kind"), str):
        return False
    if outcome["kind"] == "returned":
        return "value" in outcome and type(outcome.get("mutated")) is bool
    texts = {"raised": ("message", "trace"), "unreadable": ("message",)}.get(outcome["kind"])
    if texts is None or not all(isinstance(outcome.get(part), str) for part in texts):
        return False
    names = outcome.get("error", ["Error"])
    return (
        isinstance(names, list) and len(names) > 0 and all(isinstance(n, str) and len(n) < 200 for n in names)
    )


def _is_timed(value: Any) -> bool:
    """Whether `value` is a list of (what was yielded, how many had been taken)."""
    return isinstance(value, list) and all(
        isinstance(pair, tuple) and len(pair) == 2 and type(pair[1]) is int for pair in value
    )


def mark_of(outcome: dict[str, Any], how: Compare) -> list[Any]:
    """Return the fingerprint of an outcome: its value, or the name of the error, never the message."""
    if outcome["kind"] == "returned":
        try:
            return fingerprint(("returned", outcome["value"], outcome["mutated"]), how)
        except CodecError:  # made by hand, and like no other
            return ["unreadable"]
    return fingerprint((outcome["kind"], outcome.get("error", [""])[0]), Compare())


def case_difference(case: Case, outcome: dict[str, Any], exercise: ExerciseRecord) -> str | None:
    """Return what is wrong with `outcome` in words, or None."""
    if outcome["kind"] == "unreadable":
        return outcome["message"]
    if case.packed_expected is None:
        same = same_fingerprint(mark_of(outcome, exercise.compare), case.mark)
        return None if same else "this is not the answer (it is not shown, so that you can work it out)"
    expected = unpack(case.packed_expected)
    if expected["kind"] == "raised":
        wanted = expected["error"][0]
        if outcome["kind"] == "returned":
            return f"a value came back, expected {wanted} to be raised"
        return None if wanted in outcome["error"] else f"{outcome['error'][0]} was raised, expected {wanted}"
    if outcome["kind"] == "raised":
        return f"{outcome['error'][0]} was raised: {outcome['message']}"
    if outcome["mutated"] and not exercise.may_mutate:
        return "an argument was changed: work on a copy, the caller still needs the original"
    if exercise.collect == "stream":
        what = _first_parameter(exercise)
        return stream_difference(expected["value"], outcome["value"], exercise.compare, what)
    return difference(expected["value"], outcome["value"], exercise.compare)


def judge(exercise: ExerciseRecord, run: Run) -> Verdict:
    """Run every case of `exercise` and say how it went, with the hint of the mistake that explains the failures."""
    outcomes = []
    for case in exercise.cases:
        raw = run(case.packed_args)
        if len(raw) > _LARGE + 8 * len(case.packed_expected or b""):
            raw = pack({"kind": "unreadable", "message": "the result is far larger than the right one"})
        outcome = outcome_of(raw, exercise.collect)
        if outcome["kind"] == "raised" and outcome["error"][0] == "NotImplementedError":
            return Verdict(exercise.name, "not started", 0, exercise.points, total=len(exercise.cases))
        outcomes.append(outcome)
        if outcome["kind"] == "raised" and outcome["error"][0] == "TookTooLong":
            break  # one endless case is enough; the student waits for the answer
    wrong = [
        (i, text)
        for i, (case, outcome) in enumerate(zip(exercise.cases, outcomes, strict=False))
        if (text := case_difference(case, outcome, exercise)) is not None
    ]
    total = len(exercise.cases)
    if not wrong:
        return Verdict(exercise.name, "passed", exercise.points, exercise.points, passed=total, total=total)
    index, text = wrong[0]
    mistake = diagnose(exercise, outcomes, [i for i, _ in wrong])
    return Verdict(
        exercise.name,
        "failed",
        0,
        exercise.points,
        passed=len(outcomes) - len(wrong),
        total=total,
        failure=_failure(exercise, exercise.cases[index], outcomes[index], text),
        hint=None if mistake is None else exercise.hints[mistake],
        mistake=mistake,
    )


def diagnose(
    exercise: ExerciseRecord, outcomes: Sequence[dict[str, Any]], wrong: Sequence[int]
) -> int | None:
    """Return the index of the known mistake that explains the failures best, or None.

    Looked at are the cases in which the answer or the mistake is wrong. The mistake must be wrong in the same
    way in the first failure and in four of five of these cases; where several are, the closest wins, then the
    first listed. One shared wrong value may be chance, and so may a mistake that would have failed elsewhere,
    too; a wrong hint misleads. The fifth is left for an answer with a slip more, such as a crash on no input.
    """
    marks = [mark_of(outcome, exercise.compare) for outcome in outcomes]
    found, closest = None, 0.8
    for m in range(len(exercise.hints)):
        same, either = set(), set(wrong)
        for i, (mark, case) in enumerate(zip(marks, exercise.cases, strict=False)):
            if not same_fingerprint(case.mark, case.mistake_marks[m]):
                either.add(i)
            if same_fingerprint(mark, case.mistake_marks[m]):
                same.add(i)
        share = len(same & either) / len(either)
        if wrong[0] in same and (share > closest or (found is None and share == closest)):
            found, closest = m, share
    return found


def _failure(exercise: ExerciseRecord, case: Case, outcome: dict[str, Any], text: str) -> Failure:
    args, kwargs = unpack(case.packed_args)
    shown = [short(a) for a in args] + [f"{k}={short(v)}" for k, v in kwargs.items()]
    if exercise.collect == "stream":
        shown[0] = f"iter({shown[0]})"
    if case.packed_expected is None:
        expected_text = "(yours to find)"
    else:
        expected = unpack(case.packed_expected)
        expected_text = (
            f"raises {expected['error'][0]}"
            if expected["kind"] == "raised"
            else _shown(expected["value"], exercise, text)
        )
    if outcome["kind"] == "returned":
        got = _shown(outcome["value"], exercise, text)
    else:
        got = (
            f"raised {outcome['error'][0]}: {outcome['message']}"
            if outcome["kind"] == "raised"
            else "no value that can be judged"
        )
    return Failure(
        case.about, f"{exercise.name}({', '.join(shown)})", expected_text, got, text, outcome.get("trace", "")
    )


def _first_parameter(exercise: ExerciseRecord) -> str:
    """The name of the first parameter, from a signature such as "decode_stream(tokens: Iterable[bytes])"."""
    return re.split(r"[:,)=]", exercise.signature.split("(", 1)[1])[0].strip()


def _shown(value: Any, exercise: ExerciseRecord, problem: str) -> str:
    """A value as the student reads it; what was yielded with the moments only where these are the problem."""
    if exercise.collect != "stream" or not problem.startswith("yielded "):
        return short([item for item, _ in value] if exercise.collect == "stream" else value)
    timed = ", ".join(f"{short(item)} after {taken}" for item, taken in value[:12])
    return timed if len(value) <= 12 else f"{timed} ... ({len(value)} in all)"
