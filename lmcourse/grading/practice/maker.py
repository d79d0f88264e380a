"""The work of a class: honest answers from strong to weak, two that are one, damaged files, tricks."""

from __future__ import annotations

import copy
import json
import random
from dataclasses import dataclass, field

from lmcourse.grading.intake.template import Template
from lmcourse.grading.practice import spoiled
from lmcourse.grading.practice.answers import Answers, restyled

HABITS_OF_NAMING = [
    {},
    {"out": "result", "i": "pos", "tokens": "toks", "pieces": "parts", "best": "top", "merged": "res"},
    {"out": "new", "i": "k", "tokens": "current", "pieces": "found", "start": "left", "end": "right"},
]
COPIED_NAMES = {
    "i": "idx", "out": "answer", "merged": "answer_list", "tokens": "my_tokens", "pairs": "my_pairs", "best": "my_best",
    "rank": "my_rank", "pieces": "my_pieces", "start": "begin", "piece": "part", "waiting": "buffer", "cut": "cut_at",
    "kept": "short", "row": "line", "width": "longest_one", "total": "sums", "ways": "options", "end": "stop",
}  # fmt: skip


@dataclass
class Submission:
    """What one person hands in. `picks` says of each exercise "right", "mistake 3" or "not started"."""

    about: str
    picks: dict[str, str] = field(default_factory=dict)
    points: float | None = None
    notebook: dict = field(default_factory=dict)
    data: bytes | None = None


class Maker:
    """Makes the submissions of a class: `all(40)`."""

    def __init__(
        self, template: Template, bank: dict[str, Answers], words: dict[str, list[str]], rng: random.Random
    ) -> None:
        self.student = json.loads(json.dumps(template.notebook))
        self.bank, self.words, self.rng = bank, words, rng

    def all(self, count: int) -> list[Submission]:
        """Return `count` submissions: a fixed share of odd ones, the rest from strong to weak."""
        odd = max(1, count // 10)
        made = [self._damaged(spoiled.DAMAGES[k % len(spoiled.DAMAGES)]) for k in range(odd)]
        made += [self._damaged(spoiled.EMPTY), self._untouched()]
        tricks = list(spoiled.TRICKS.items())
        made += [self._trick(*tricks[k % len(tricks)]) for k in range(min(odd, 4))]
        made += self._pair()
        rest = count - len(made)
        # From nearly all right to nearly nothing: what somebody gets is skill and a little chance.
        made += [self._person(1.25 - 1.05 * (k / max(1, rest - 1)) ** 1.6) for k in range(rest)]
        for number, submission in enumerate(made[len(made) - rest :]):
            habit = (*spoiled.HABITS, None, None, None)[number % 6]
            if habit:
                habit(submission.notebook, f"Somebody {number}")
        return made

    def _person(self, skill: float) -> Submission:
        """Return honest work: each exercise is right with probability `skill`, a known mistake, or left open."""
        picks, texts = {}, {}
        naming = self.rng.choice(HABITS_OF_NAMING)
        for place, (name, answers) in enumerate(self.bank.items()):
            # Later exercises are harder, and whoever runs out of time leaves the last ones.
            luck = self.rng.random() + 0.03 * place
            if luck < skill:
                picks[name], text = "right", self.rng.choice(answers.right)
            elif answers.wrong and (luck < skill + 0.55 or place == 0):
                picks[name], text = self._mistake(answers)
            else:
                picks[name], text = "not started", None
            texts[name] = text if text is None or not naming else restyled(text, naming)
        quality = min(0.999, max(0.0, 1 - skill + self.rng.uniform(-0.2, 0.2)))
        about = "all right" if set(picks.values()) == {"right"} else f"of skill {min(skill, 1):.2f}"
        return self._filled(about, picks, texts, None if skill < 0.35 else quality)

    def _mistake(self, answers: Answers) -> tuple[str, str]:
        known = sorted(answers.wrong)
        weights = [1 / (1 + rank) ** 1.3 for rank in range(len(known))]
        k = self.rng.choices(known, weights)[0]
        return f"mistake {k}", answers.wrong[k]

    def _pair(self) -> list[Submission]:
        """Return two submissions with the same slips, the second one with other names for the variables."""
        first = self._person(0.7)
        second = copy.deepcopy(first)
        for cell in second.notebook["cells"]:
            name = cell["metadata"].get("nbgrader", {}).get("grade_id")
            if name in self.bank and first.picks[name] != "not started":
                cell["source"] = restyled(cell["source"], COPIED_NAMES)
        first.about, second.about = "copied by another", "copies another, with other names for the variables"
        return [first, second]

    def _damaged(self, damage: spoiled.Damage) -> Submission:
        submission = self._person(0.8)
        submission.about, submission.data = damage.what, damage.spoil(submission.notebook)
        if not damage.readable:
            submission.points, submission.picks = None, {}
        return submission

    def _untouched(self) -> Submission:
        picks = dict.fromkeys(self.bank, "not started")
        return self._filled("handed in as it was given out", picks, dict.fromkeys(picks), None)

    def _trick(self, about: str, text: str) -> Submission:
        texts = {name: text.format(name=name) for name in self.bank}
        made = self._filled(f"a trick: {about}", dict.fromkeys(self.bank, "not right"), texts, 0.5)
        made.points = 0.0
        return made

    def _filled(
        self, about: str, picks: dict[str, str], texts: dict[str, str | None], quality: float | None
    ) -> Submission:
        """Return the student's notebook with the texts typed in, and an answer in words of that quality, 0 best."""
        notebook = copy.deepcopy(self.student)
        for cell in notebook["cells"]:
            name = cell["metadata"].get("nbgrader", {}).get("grade_id")
            if texts.get(name) is not None:
                cell["source"] = texts[name]
            elif name in self.words and quality is not None:
                options = self.words[name]
                cell["source"] = options[int(quality * len(options))]
        points = float(sum(a.points for name, a in self.bank.items() if picks[name] == "right"))
        return Submission(about, picks, points, notebook)
