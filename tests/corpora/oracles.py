"""Grammars done the slow way, from the written rules alone: every derivation spelt out, every span of a text tried."""

import math
from functools import cache


def parts_of(body):
    """A body's parts as ("symbol", name) or ("word", text)."""
    return tuple(("word", part.split("/")[0]) if "/" in part else ("symbol", part) for part in body.split())


def derivations(table, start="S", end=".", longest=99):
    """Yield (words, probability) for each derivation of at most `longest` tokens, leftmost symbol first."""
    shortest = _shortest(table)

    def least(parts):
        return sum(1 if kind == "word" else shortest[name] for kind, name in parts)

    waiting = [((), (("symbol", start),), 1.0)]
    while waiting:
        done, parts, probability = waiting.pop()
        while parts and parts[0][0] == "word":
            done, parts = (*done, parts[0][1]), parts[1:]
        if not parts:
            yield (*done, end), probability
            continue
        for body, p in table[parts[0][1]].items():
            longer = parts_of(body) + parts[1:]
            if len(done) + least(longer) + 1 <= longest:
                waiting.append((done, longer, probability * p))


def _shortest(table):
    lengths = dict.fromkeys(table, math.inf)
    for _ in table:
        for symbol, bodies in table.items():
            lengths[symbol] = min(
                sum(1 if kind == "word" else lengths[name] for kind, name in parts_of(body))
                for body in bodies
            )
    return lengths


def documents(table, start="S", end=".", longest=99):
    """The probability of each document of at most `longest` tokens, and the number of its derivations."""
    found, ways = {}, {}
    for words, probability in derivations(table, start, end, longest):
        found[words] = found.get(words, 0.0) + probability
        ways[words] = ways.get(words, 0) + 1
    return found, ways


def inside(rules, start, words):
    """The probability of `words` (without the end token) by the inside recursion over spans (Baker 1979)."""

    @cache
    def of_body(body, begin, end):
        if not body:
            return float(begin == end)
        first, rest = body[0], body[1:]
        if not isinstance(first, str):
            return of_body(rest, begin + 1, end) if begin < end and words[begin] == first.text else 0.0
        return sum(
            left * of_body(rest, cut, end)
            for cut in range(begin, end + 1)
            if (left := of_symbol(first, begin, cut))
        )

    @cache
    def of_symbol(symbol, begin, end):
        return sum(rule.probability * of_body(rule.body, begin, end) for rule in rules[symbol])

    return of_symbol(start, 0, len(words))


def told_derivations(table):
    """Every derivation of a finite grammar as (pairs of word and sense, probability)."""
    told = {
        symbol: {
            " ".join(part.replace("/", "|") + "/X" if "/" in part else part for part in body.split()): p
            for body, p in bodies.items()
        }
        for symbol, bodies in table.items()
    }
    for spelt, p in derivations(told):
        labels = [word.split("|") for word in spelt]
        yield tuple((label[0], label[2] if len(label) == 3 else label[0]) for label in labels), p


def certainties(told, words):
    """For each token, the share of its likeliest sense among all derivations that begin with the same words."""
    shares = []
    for at in range(len(words)):
        mass = {}
        for pairs, p in told:
            if tuple(word for word, _ in pairs[: at + 1]) == words[: at + 1]:
                mass[pairs[at][1]] = mass.get(pairs[at][1], 0.0) + p
        shares.append(max(mass.values()) / sum(mass.values()))
    return shares


def entropy(probabilities):
    return -math.fsum(p * math.log(p) for p in probabilities)


def next_laws(found):
    """For each prefix, the law of the next word in a finite table of documents."""
    mass = {}
    for words, probability in found.items():
        for end in range(len(words) + 1):
            mass[words[:end]] = mass.get(words[:end], 0.0) + probability
    laws = {}
    for prefix in mass:
        if prefix:
            laws.setdefault(prefix[:-1], {})[prefix[-1]] = mass[prefix] / mass[prefix[:-1]]
    return laws
