"""How the rules of a probabilistic context-free grammar are written, read and checked.

    {"S": {"NP VP": 1},
     "NP": {"the/DET N": 0.7, "the/DET N that/PRON VP": 0.3},
     "N": {"seal/NOUN/animal": 0.5, "seal/NOUN/stamp": 0.5}, ...}

A symbol has bodies with their probabilities. In a body, a name is a symbol, `word/TAG` is a word with its part of
speech, `word/TAG/sense` says its sense too (by default the word itself); "" is the empty body.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from lmcourse.corpora.corpus import Word

RuleTable = Mapping[str, Mapping[str, float | int]]


class Rule(NamedTuple):
    """`symbol` becomes `body` with `probability`.

    >>> print(Rule("NP", (Word("the", "DET", "the"), "N"), 0.7))
    'NP -> the/DET N' (0.7)
    """

    symbol: str
    body: tuple[str | Word, ...]
    probability: float

    def __str__(self) -> str:
        parts = [part if isinstance(part, str) else f"{part.text}/{part.tag}" for part in self.body]
        return f"'{self.symbol} -> {' '.join(parts) or '(nothing)'}' ({self.probability:.4g})"


Rules = dict[str, tuple[Rule, ...]]


def choice(options: str | Sequence[str], *, skew: float | int = 0) -> dict[str, float]:
    """Return bodies of one part each, with probabilities proportional to 1 / rank ** skew: 0 is uniform, 1 is Zipf's law.

    >>> choice("gull/NOUN seal/NOUN", skew=1)
    {'gull/NOUN': 0.6666666666666666, 'seal/NOUN': 0.3333333333333333}
    """
    options = options.split() if isinstance(options, str) else options
    weights = [(rank + 1) ** -skew for rank in range(len(options))]
    total = math.fsum(weights)
    return {option: weight / total for option, weight in zip(options, weights, strict=True)}


def read_rules(table: RuleTable, start: str, end: Word) -> Rules:
    """Read a table of rules and check it.

    Raises:
        ValueError: a start or a symbol without rules, probabilities that are not positive or do not sum to 1, a rule that
            stands twice, the end token inside a rule, a symbol that cannot be reached or never ends, left recursion
            (a belief over parser stacks could then grow without end). It names the rule or the symbol.
    """
    rules = {symbol: tuple(_rule(symbol, *item) for item in table[symbol].items()) for symbol in table}
    if start not in rules:
        raise ValueError(f"'start' must be a symbol that has rules, got {start!r}")
    for symbol, its_rules in rules.items():
        _check_symbol(symbol, its_rules, rules, end)
    _check_reachable(rules, start)
    _check_ends(rules)
    _check_left_recursion(rules)
    return rules


def _rule(symbol: str, body: str, probability: float | int) -> Rule:
    parts: list[str | Word] = []
    for part in body.split():
        text, *labels = part.split("/")
        if not labels:
            parts.append(text)
        elif len(labels) > 2 or not all((text, *labels)):
            raise ValueError(
                f"'rules': a word must be written word/TAG or word/TAG/sense, got {part!r} in '{symbol} -> {body}'"
            )
        else:
            parts.append(Word(text, labels[0], labels[1].replace("_", " ") if len(labels) == 2 else text))
    return Rule(symbol, tuple(parts), float(probability))


def _check_symbol(symbol: str, its_rules: tuple[Rule, ...], rules: Rules, end: Word) -> None:
    for number, rule in enumerate(its_rules):
        if not (math.isfinite(rule.probability) and rule.probability > 0):
            raise ValueError(f"'rules': a probability must be a positive number, got {rule}")
        if any(rule.body == other.body for other in its_rules[:number]):
            raise ValueError(f"'rules': a rule must stand only once, got {rule} again")
        for part in rule.body:
            if isinstance(part, str) and part not in rules:
                raise ValueError(
                    f"'rules': {part!r} in {rule} must have rules of its own, or be written {part}/TAG"
                )
            if isinstance(part, Word) and part.text == end.text:
                raise ValueError(f"'rules': the end token {end.text!r} must stand in no rule, got {rule}")
    total = math.fsum(rule.probability for rule in its_rules)
    if abs(total - 1) > 1e-9:
        shown = ", ".join(map(str, its_rules[:4])) + (", ..." if len(its_rules) > 4 else "")
        raise ValueError(
            f"'rules': the probabilities of {symbol!r} must sum to 1, got {total:.6g} from {shown or 'no rule'}"
        )


def _check_reachable(rules: Rules, start: str) -> None:
    reached, waiting = {start}, [start]
    while waiting:
        parts = {part for rule in rules[waiting.pop()] for part in rule.body if isinstance(part, str)}
        waiting += parts - reached
        reached |= parts
    for symbol in rules:
        if symbol not in reached:
            raise ValueError(
                f"'rules': {rules[symbol][0]} can never be used: no rule leads from {start!r} to {symbol!r}"
            )


def _check_ends(rules: Rules) -> None:
    """Each symbol must derive something finite: first those with a body of words only, then those made of these, ..."""
    ending: set[str] = set()
    while new := {
        symbol
        for symbol in rules.keys() - ending
        if any(all(isinstance(part, Word) or part in ending for part in rule.body) for rule in rules[symbol])
    }:
        ending |= new
    endless = next((symbol for symbol in rules if symbol not in ending), None)
    path: list[str] = []
    while endless:
        if endless in path:  # it brings itself back; the symbols before it are only led there
            raise ValueError(
                f"'rules': {rules[endless][0]} never ends, nor does any other rule of {endless!r}"
            )
        path.append(endless)
        endless = next(part for part in rules[endless][0].body if part in rules and part not in ending)


def _check_left_recursion(rules: Rules) -> None:
    nullable: set[str] = set()
    while new := {
        symbol
        for symbol in rules.keys() - nullable
        if any(all(part in nullable for part in rule.body) for rule in rules[symbol])
    }:
        nullable |= new

    def visit(symbol: str, path: tuple[str, ...]) -> None:
        for rule in rules[symbol]:
            for part in rule.body:
                if isinstance(part, Word):
                    break
                if part in (*path, symbol):
                    raise ValueError(
                        f"'rules': {rule} is left recursive: {part!r} would begin with {part!r} again, without end; "
                        "put a word before it"
                    )
                if part not in done:
                    visit(part, (*path, symbol))
                if part not in nullable:
                    break
        done.add(symbol)

    done: set[str] = set()
    for symbol in rules:
        if symbol not in done:
            visit(symbol, ())
