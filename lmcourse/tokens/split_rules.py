"""Rules that cut a text into words, as data: what a tokenizer.json says about pre-tokenization.

GPT-2, GPT-4, Llama 3, Qwen and StarCoder are all byte-level BPE; they differ in the pattern that cuts the text
first. A `SplitRule` is one such pattern, a tokenizer has one or several of them, applied in turn.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import regex

from lmcourse.tokens.checks import shorten
from lmcourse.tokens.pretokenize import GPT2_PATTERN, GPT4_PATTERN

DIGIT_PATTERN = r"\p{N}"
DIGITS_PATTERN = r"\p{N}+"
QWEN_PATTERN = GPT4_PATTERN.replace(r"\p{N}{1,3}", r"\p{N}")  # each digit on its own

_COVERING = {GPT2_PATTERN, GPT4_PATTERN, QWEN_PATTERN}  # they match all of any text
_KNOWN_CUTS = {*_COVERING, DIGIT_PATTERN, DIGITS_PATTERN}  # see `safe_cut`
_SAFE_PLACE = regex.compile(r"(?r)(?<=\S)(?= )|(?<=\S\n)(?=\S)")

# What `regex` and Oniguruma, the engine of `tokenizers`, read alike. Whatever else a pattern has (anchors,
# look-behind, classes with && or [[:...:]], other words in any case) may mean something else there, so it is refused.
_SAME_IN_BOTH_ENGINES = regex.compile(
    r"""(?x)(?:
      \(\?i:(?:'s\|'t\|'re\|'ve\|'m\|'ll\|'d|\[sdmt\]\|ll\|ve\|re)\)   # contractions in any case
    | \((?:\?:|\?=|\?!) | \) | \|                                      # groups that capture nothing
    | (?:[?*+][?+]?|\{\d+(?:,\d*)?\})(?![?*+{])                        # repetitions
    | \[\^?(?:\\.(?:\{\^?\w+\})? | (?!&&)[^\[\]\\])+\]                 # classes
    | \\[pP]\{\^?\w+\} | \\[sSdDrnt] | \\[^\w]                         # classes of Unicode, escapes
    | [^()\[\]{}|?*+.^$\\]                                             # any other sign stands for itself
    )++"""
)


@dataclass(frozen=True)
class SplitRule:
    """A pattern whose matches are words; what lies between matches is kept as words too, or dropped.

    >>> SplitRule(r"\\p{N}").words(["a12b"])
    ['a', '1', '2', 'b']

    Raises:
        ValueError: a pattern that `tokenizers` may read in another way than Python does, or that is not valid.
    """

    pattern: str
    keep_rest: bool = True

    def __post_init__(self) -> None:
        if not _SAME_IN_BOTH_ENGINES.fullmatch(self.pattern):
            raise ValueError(
                f"'pattern' must be of the plain kind, without anchors and captures, got {self.pattern!r}"
            )
        try:
            self.compiled  # noqa: B018 - compile it now, so that a bad pattern is found here
        except regex.error as error:
            raise ValueError(
                f"'pattern' must be a regular expression, got {self.pattern!r}: {error}"
            ) from None

    @cached_property
    def compiled(self) -> regex.Pattern:
        return regex.compile(self.pattern)

    @cached_property
    def _ascii(self) -> re.Pattern:
        """A twin for ASCII text in the standard library's engine, which is twice as fast but knows no `\\p{L}`."""

        def in_ascii(match: re.Match) -> str:
            ranges = match[0].replace(r"\p{L}", "A-Za-z").replace(r"\p{N}", "0-9")
            return ranges if ranges.startswith("[") else f"[{ranges}]"

        return re.compile(re.sub(r"\[.*?\]|\\p\{[LN]\}", in_ascii, self.pattern), re.ASCII)

    def _find_all(self, text: str) -> list[str]:
        return (self._ascii if text.isascii() else self.compiled).findall(text)

    def words(self, texts: list[str]) -> list[str]:
        """Cut each text; the pieces of all of them, in order."""
        if self.pattern in _COVERING:
            return list(chain.from_iterable(map(self._find_all, texts)))
        found = [word for text in texts for word in self.compiled.findall(text)]
        if self.keep_rest and sum(map(len, found)) < sum(map(len, texts)):
            return [word for text in texts for word in self._with_rest(text)]
        return found if all(found) else [word for word in found if word]

    def _with_rest(self, text: str) -> list[str]:
        words, end = [], 0
        for match in self.compiled.finditer(text):
            words += [text[end : match.start()], match[0]]
            end = match.end()
        return [word for word in [*words, text[end:]] if word]


GPT2_RULE = SplitRule(GPT2_PATTERN)


def split_words(text: str, rules: Sequence[SplitRule]) -> list[str]:
    """Cut a text by the rules in turn: the second cuts the words of the first, and so on."""
    words = [text]
    for rule in rules:
        words = rule.words(words)
    return words


def safe_cut(text: str, rules: Sequence[SplitRule]) -> int:
    """The last place in `text` where it can be cut so that both sides, cut into words apart, give the words of
    the whole, whatever follows `text`; 0 if there is none, or if a rule is not one whose habits are known.

    None of the known patterns has a match in which a space follows something that is not white space, and all
    of them take a line break that stands alone as the end of a word or as a word. So the rule holds for them;
    a text that has neither spaces nor line breaks is never cut.
    """
    if not rules or any(rule.pattern not in _KNOWN_CUTS for rule in rules):
        return 0
    place = _SAFE_PLACE.search(text)
    return place.start() if place else 0


def rules_from_json(spec: dict | None) -> tuple[tuple[SplitRule, ...], bool]:
    """The rules of a `pre_tokenizer` section that ends in `ByteLevel`, and its `add_prefix_space`.

    Raises:
        ValueError: a step that this course does not have; the message names it.
    """
    steps = spec.get("pretokenizers", []) if spec and spec.get("type") == "Sequence" else [spec or {}]
    *splits, last = steps
    if last.get("type") != "ByteLevel":
        raise ValueError(f"'pre_tokenizer' must end in a ByteLevel step for this model, got {shorten(spec)}")
    prefix = last.get("add_prefix_space", True)
    if splits and prefix:
        raise ValueError(
            "'pre_tokenizer' must not have add_prefix_space=true behind other steps: not supported here"
        )
    rules = [_rule_from_json(step) for step in splits]
    if last.get("use_regex", True):
        rules.append(GPT2_RULE)
    return tuple(rules), prefix


def _rule_from_json(step: dict) -> SplitRule:
    kind = step.get("type")
    if kind == "Digits":
        return SplitRule(DIGIT_PATTERN if step.get("individual_digits") else DIGITS_PATTERN)
    if kind != "Split":
        raise ValueError(f"'pre_tokenizer' step {kind!r} is not supported here: {shorten(step)}")
    behavior, invert, pattern = step.get("behavior"), step.get("invert", False), step.get("pattern", {})
    if behavior != "Isolated" and not (behavior == "Removed" and invert):
        raise ValueError(f"'behavior' {behavior!r} (invert={invert}) of a Split step is not supported here")
    if "Regex" in pattern:
        return SplitRule(pattern["Regex"], keep_rest=behavior == "Isolated")
    return SplitRule(regex.escape(pattern["String"], special_only=True), keep_rest=behavior == "Isolated")


def rules_to_json(rules: Sequence[SplitRule], add_prefix_space: bool = False) -> dict:
    """The `pre_tokenizer` section for rules followed by `ByteLevel`."""
    last = {
        "type": "ByteLevel",
        "add_prefix_space": add_prefix_space,
        "trim_offsets": True,
        "use_regex": tuple(rules[-1:]) == (GPT2_RULE,),
    }
    splits = [
        {
            "type": "Split",
            "pattern": {"Regex": rule.pattern},
            "behavior": "Isolated" if rule.keep_rest else "Removed",
            "invert": not rule.keep_rest,
        }
        for rule in (rules[:-1] if last["use_regex"] else rules)
    ]
    return {"type": "Sequence", "pretokenizers": [*splits, last]} if splits else last
