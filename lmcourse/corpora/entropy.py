"""The entropy of a probabilistic context-free grammar in closed form: one linear system.

Let M[a, b] be the expected number of symbols b in the body of a rule of a. A document holds on average
c = e_start + c M symbols of each kind, so c = e_start (I - M)^-1. Each use of a symbol a is an independent draw of a
rule with entropy h_a, so by the chain rule a derivation has the entropy sum_a c_a h_a (Grenander 1967; Chi 1999,
"Statistical properties of probabilistic context-free grammars", Computational Linguistics 25).

This is the entropy of *derivations*. It is the entropy of documents if and only if the grammar is unambiguous, that is, no
document has two derivations; else it lies above it by the expected entropy of the derivation given the document.
"""

import math

import numpy as np
from jaxtyping import Float64

from lmcourse.corpora.rules import Rules


def expected_children(rules: Rules) -> Float64[np.ndarray, "symbols symbols"]:
    """Return M: the expected number of symbols b (column) in one use of a symbol a (row), in the order of `rules`."""
    number = {symbol: at for at, symbol in enumerate(rules)}
    children = np.zeros((len(rules), len(rules)))
    for symbol, its_rules in rules.items():
        for rule in its_rules:
            for part in rule.body:
                if isinstance(part, str):
                    children[number[symbol], number[part]] += rule.probability
    return children


def check_expected_length(rules: Rules) -> None:
    """Raise ValueError, with the rule that is most to blame, if documents have no finite expected length.

    They have one if and only if the spectral radius of M is below 1: else a symbol brings itself back once or more, on
    average. That holds if and only if I - M has an inverse without negative entries (Berman and Plemmons 1994,
    theorem 6.2.3), which rounding disturbs less than it does eigenvalues.
    """
    children = expected_children(rules)
    try:
        uses = np.linalg.inv(np.eye(len(rules)) - children)
        if uses.min() > -1e-9 and uses.max() < 1e9:
            return
    except np.linalg.LinAlgError:  # the radius is 1 to the last digit
        pass
    values, right = np.linalg.eig(children)
    radius = float(np.abs(values).max())
    values_left, left = np.linalg.eig(children.T)
    grows = np.abs(right[:, np.abs(values).argmax()])  # how much each symbol leads to
    fed = np.abs(left[:, np.abs(values_left).argmax()])  # how much leads to each symbol
    weight = dict(zip(rules, grows, strict=True))
    share = dict(zip(rules, fed, strict=True))
    worst = max(
        (rule for its_rules in rules.values() for rule in its_rules),
        key=lambda rule: (
            share[rule.symbol]
            * rule.probability
            * sum(weight[part] for part in rule.body if isinstance(part, str))
        ),
    )
    raise ValueError(
        f"'rules': {worst} makes documents without a finite expected length: "
        f"each round brings {radius:.4g} symbols for one; make it less probable"
    )


def expected_counts(rules: Rules, start: str) -> dict[str, float]:
    """Return how often each symbol is used in a document, on average."""
    first = np.array([float(symbol == start) for symbol in rules])
    counts = np.linalg.solve((np.eye(len(rules)) - expected_children(rules)).T, first)
    return dict(zip(rules, counts.tolist(), strict=True))


def derivation_entropy(rules: Rules, start: str) -> float:
    """Return the entropy of a derivation in nats."""
    counts = expected_counts(rules, start)
    return math.fsum(
        -counts[symbol] * rule.probability * math.log(rule.probability)
        for symbol, its_rules in rules.items()
        for rule in its_rules
    )


def expected_words(rules: Rules, start: str) -> float:
    """Return the expected number of words of a derivation."""
    counts = expected_counts(rules, start)
    return math.fsum(
        counts[symbol] * rule.probability * sum(not isinstance(part, str) for part in rule.body)
        for symbol, its_rules in rules.items()
        for rule in its_rules
    )
