"""Asking a snapshot the cases of its exercise, and judging the answers out here."""

from __future__ import annotations

import time

from lmcourse.exercises.records import ExerciseRecord
from lmcourse.exercises.verdict import Verdict, judge
from lmcourse.grading.box.client import Box, BoxEnded, TookTooLong

GRACE_SECONDS = 5.0


class Fatal(Exception):
    """The program ended, or did not stop, while it was asked. With `box_is_over` nothing else in the box can be asked."""

    def __init__(self, why: str, *, box_is_over: bool) -> None:
        super().__init__(why)
        self.box_is_over = box_is_over


class Asked:
    """The answers of one snapshot, to be called once for each case, in order.

    All cases are sent at once when this is made, so that the snapshots of a notebook work at the same time and nobody
    waits for the wire.
    """

    def __init__(self, exercise: ExerciseRecord, channel: int, box: Box) -> None:
        self.exercise, self.channel, self.box = exercise, channel, box
        self.until = time.monotonic() + box.limits.exercise_seconds
        how = {"collect": exercise.collect, "seconds": box.limits.call_seconds}
        order = {"count": len(exercise.cases), "how": how}
        box.ask(channel, order, [case.packed_args for case in exercise.cases])

    def verdict(self) -> Verdict:
        """Return the verdict on the cases.

        Raises:
            Fatal: the program ended or hung.
        """
        return judge(self.exercise, self)

    def __call__(self, packed_args: bytes) -> bytes:
        seconds = min(self.box.limits.call_seconds + GRACE_SECONDS, self.until - time.monotonic())
        try:
            answer = self.box.answer(self.channel, seconds)
        except BoxEnded as error:
            over = self.box.over
            raise Fatal(over or "it ended the program", box_is_over=over is not None) from error
        except TookTooLong as error:
            raise Fatal("it did not answer in time", box_is_over=True) from error
        return answer if isinstance(answer, bytes) else b""
