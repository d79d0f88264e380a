"""Asking a snapshot the cases of its exercise, and judging the answers out here."""

from __future__ import annotations

import time
from collections.abc import Iterator

from lmcourse.exercises.records import ExerciseRecord
from lmcourse.exercises.verdict import Verdict, judge
from lmcourse.grading.box.client import Box, BoxEnded, TookTooLong

GRACE_SECONDS = 5.0


class Fatal(Exception):
    """The program ended, or did not stop, while it was asked. With `box_is_over` nothing else in the box can be asked."""

    def __init__(self, why: str, *, box_is_over: bool) -> None:
        super().__init__(why)
        self.box_is_over = box_is_over


def ask(exercise: ExerciseRecord, channel: int, box: Box) -> Verdict:
    """Return the verdict on the cases of `exercise`.

    Raises:
        Fatal: the program ended or hung.
    """
    return judge(exercise, _Asked(exercise, channel, box, time.monotonic() + box.limits.exercise_seconds))


class _Asked:
    """Called once for each case, in order. All cases are sent with the first, so that nobody waits for the wire."""

    def __init__(self, exercise: ExerciseRecord, channel: int, box: Box, until: float) -> None:
        self.exercise, self.channel, self.box, self.until = exercise, channel, box, until
        self._answers: Iterator[bytes] | None = None

    def __call__(self, packed_args: bytes) -> bytes:
        if self._answers is None:
            self._answers = self._ask()
        return next(self._answers)

    def _ask(self) -> Iterator[bytes]:
        box, cases = self.box, self.exercise.cases
        seconds = box.limits.call_seconds
        how = {"collect": self.exercise.collect, "seconds": seconds}
        box.ask(self.channel, {"count": len(cases), "how": how}, [case.packed_args for case in cases])
        for _ in cases:
            left = self.until - time.monotonic()
            try:
                answer = box.answer(self.channel, min(seconds + GRACE_SECONDS, left))
            except BoxEnded as error:
                raise Fatal(box.over or "it ended the program", box_is_over=box.over is not None) from error
            except TookTooLong as error:
                raise Fatal("it did not answer in time", box_is_over=True) from error
            yield answer if isinstance(answer, bytes) else b""
