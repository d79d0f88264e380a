"""n-gram models written as their definitions read, with dictionaries and recursion: slow, and the oracle of the fast ones."""

from collections import Counter

from lmcourse.sequences import AbsoluteDiscounting, AddK, Katz, KneserNey, MaximumLikelihood, StupidBackoff

BEGIN = "<begin>"


def ngrams(documents, order):
    """Every n-gram of every length up to `order`, as (context..., token), one for each token and length."""
    for document in documents:
        padded = [BEGIN] * (order - 1) + list(document)
        for place in range(order - 1, len(padded)):
            for length in range(1, order + 1):
                yield tuple(padded[place - length + 1 : place + 1])


class Naive:
    def __init__(self, documents, order, vocab_size, smoothing):
        self.order, self.vocab_size, self.smoothing = order, vocab_size, smoothing
        self.raw = Counter(ngrams(documents, order))
        self.discounts = {}

    def count(self, ngram):
        if isinstance(self.smoothing, KneserNey) and len(ngram) < self.order:
            return sum(1 for other in self.raw if len(other) == len(ngram) + 1 and other[1:] == ngram)
        return self.raw[ngram]

    def after(self, context):
        """The counts of the tokens that followed a context."""
        seen = [n for n in self.raw if len(n) == len(context) + 1 and n[:-1] == context]
        return {n[-1]: self.count(n) for n in seen}

    def discount(self, length):
        if self.smoothing.discount is not None:
            return self.smoothing.discount
        if length not in self.discounts:
            counts = Counter(self.count(n) for n in self.raw if len(n) == length)
            self.discounts[length] = min(max(counts[1] / max(counts[1] + 2 * counts[2], 1), 0.1), 0.9)
        return self.discounts[length]

    def probability(self, context, token):
        """P(token | context), context a tuple of order - 1 tokens, padded at the beginning of a document."""
        kind, seen, size = self.smoothing, self.after(context), self.vocab_size
        total, count = sum(seen.values()), seen.get(token, 0)
        if isinstance(kind, AddK):
            return (count + kind.k) / (total + kind.k * size)
        lower = self.probability(context[1:], token) if context else 1 / size
        if not seen:
            return (kind.factor if isinstance(kind, StupidBackoff) else 1) * lower
        if isinstance(kind, MaximumLikelihood):
            return count / total
        if isinstance(kind, StupidBackoff):
            return count / total if count else (kind.factor * lower if context else 0)
        discount = self.discount(len(context) + 1)
        if not isinstance(kind, Katz):
            return max(count - discount, 0) / total + discount * len(seen) / total * lower
        if len(seen) == size:
            return count / total
        if count:
            return (count - discount) / total
        shorter = {w: self.probability(context[1:], w) if context else 1 / size for w in range(size)}
        free = sum(p for w, p in shorter.items() if w not in seen)
        return discount * len(seen) / total * shorter[token] / free


def all_smoothings():
    return [
        MaximumLikelihood(),
        AddK(),
        AddK(0.05),
        AbsoluteDiscounting(),
        AbsoluteDiscounting(0.6),
        KneserNey(),
        KneserNey(0.75),
        Katz(),
        Katz(0.3),
        StupidBackoff(),
        StupidBackoff(0.2),
    ]
