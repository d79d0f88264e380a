"""The pairs against a translator of another kind: it reads the English with an LR parser and then writes.

That the parser's table has no conflicts proves that the English side is unambiguous: a sentence has one derivation,
so it has one translation.
"""

import itertools
import math
import re
from collections import Counter
from functools import cache

import pytest

from lmcourse.corpora.pairs import SPECIAL_TOKENS, Pairs
from lmcourse.corpora.synchronous import SynchronousGrammar
from lmcourse.corpora.translation import TranslationGrammar, translation
from lmcourse.corpora.translation_rules import PARTICLES, START, english_and_glosses


class ReferenceTranslator:
    """An SLR(1) parser (Aho, Sethi and Ullman 1986, section 4.7) for the source side, and a writer for the target."""

    def __init__(self, grammar, start):
        self.rules = grammar.rules
        self.follow = self._follow(start)
        self.conflicts, self.actions, self.states = [], [], []
        self._state({("", 0, 0)}, start)

    def _parts(self, item, start):
        return (start,) if item[0] == "" else self.rules[item[0]][item[1]].source

    def _state(self, kernel, start):
        """The number of the state that begins with these items (symbol, rule, how far it is read); makes it if it is new."""
        if kernel in self.states:
            return self.states.index(kernel)
        number = len(self.states)
        self.states.append(kernel)
        self.actions.append({})
        items, moves = list(kernel), {}
        for item in items:
            parts = self._parts(item, start)
            if item[2] == len(parts):
                for word in self.follow[item[0]]:
                    self._act(number, word, ("reduce", item[0], item[1]))
                continue
            name = parts[item[2]]
            moves.setdefault(name, set()).add((item[0], item[1], item[2] + 1))
            for index in range(len(self.rules.get(name, ()))):
                if (name, index, 0) not in items:
                    items.append((name, index, 0))
        for name, after in moves.items():
            self._act(number, name, ("shift", self._state(after, start), None))
        return number

    def _act(self, state, word, action):
        if word in self.actions[state]:
            self.conflicts.append((word, self.actions[state][word], action))
        self.actions[state][word] = action

    def _follow(self, start):
        first = {symbol: set() for symbol in self.rules}
        follow = {symbol: set() for symbol in ["", *self.rules]} | {"": {"<end>"}, start: {"<end>"}}
        before = None
        while before != (before := (sum(map(len, first.values())), sum(map(len, follow.values())))):
            for symbol, rules in self.rules.items():
                for rule in rules:
                    begins = [first.get(part, {part}) for part in rule.source]
                    first[symbol] |= begins[0]
                    for part, after in zip(rule.source, [*begins[1:], follow[symbol]], strict=True):
                        follow.get(part, set()).update(after)
        return follow

    def parse(self, words):
        """The rules of the one derivation as a tree (rule, parts)."""
        states, trees = [0], []
        for word in [*words, "<end>"]:
            while True:
                if word not in self.actions[states[-1]]:
                    raise ValueError(f"{word!r} cannot stand here")
                kind, what, index = self.actions[states[-1]][word]
                if kind == "shift":
                    states.append(what)
                    trees.append(word)
                    break
                if what == "":
                    return trees[0]
                rule = self.rules[what][index]
                size = len(rule.source)
                parts, trees[-size:] = trees[-size:], []
                del states[-size:]
                trees.append((rule, parts))
                states.append(self.actions[states[-1]][what][1])
        raise AssertionError

    def translate(self, words):
        """The glosses of the translation, and the links (i, j)."""
        places = itertools.count()

        def number(tree):
            return next(places) if isinstance(tree, str) else (tree[0], [number(part) for part in tree[1]])

        def below(tree):
            return {tree} if isinstance(tree, int) else set().union(*map(below, tree[1]))

        def write(tree):
            rule, parts = tree
            for piece in rule.target:
                if isinstance(piece, int):
                    yield from write(parts[piece])
                else:
                    yield piece[0], set().union(*(below(parts[link]) for link in piece[1]))

        written = list(write(number(self.parse(words))))
        links = {(i, j) for j, (_, sources) in enumerate(written) for i in sources}
        return [gloss for gloss, _ in written], links

    def log_probability(self, tree):
        return (
            0.0
            if isinstance(tree, str)
            else math.log(tree[0].weight) + sum(map(self.log_probability, tree[1]))
        )


@cache
def reference():
    return ReferenceTranslator(english_and_glosses(), START)


@cache
def many_pairs() -> Pairs:
    return translation().sample(4000, lengths=(2, 30), seed=11)


def glosses_of(sentence):
    grammar = translation()
    return [next(g for g, word in grammar._spelling.items() if word == spelled) for spelled in sentence]


def test_a_source_has_one_derivation_and_so_one_translation():
    assert reference().conflicts == []
    assert len(reference().states) > 100


@pytest.mark.parametrize(
    "ambiguous", ["S : S and S => 1 2/2 3\nS : x =>", "S : A => 1\nS : B => 1\nA : x =>\nB : x => X"]
)
def test_the_proof_would_see_an_ambiguity(ambiguous):
    grammar = SynchronousGrammar(ambiguous.replace("2/2", "AND/2"))
    assert ReferenceTranslator(grammar, "S").conflicts


def test_the_sampler_translates_and_aligns_as_the_reference_does():
    for pair in many_pairs():
        glosses, links = reference().translate(pair.source)
        assert glosses == glosses_of(pair.target)
        assert links == set(pair.alignment)
        assert len(links) == len(pair.alignment)


@pytest.mark.parametrize(
    ("english", "expected"),
    [
        ("anna sleeps", "anna SLEEP"),
        ("dogs sleep", "DOG PL SLEEP MANY"),
        ("two dogs sleep", "DOG TWO SLEEP MANY"),
        ("anna does not see the black cats", "anna CAT PL BLACK OBJ SEE NEG"),
        ("the dogs do not see a cat", "DOG PL CAT OBJ SEE NEG MANY"),
        ("a small white fox will run", "FOX WHITE SMALL RUN FUT"),
        ("anna and the fox will run", "anna AND FOX RUN FUT MANY"),
        ("some big sailors remember a baker", "SEA PERSON PL BIG BREAD PERSON OBJ HOLD MIND MANY"),
        ("the large night watchman falls asleep", "GUARD BIG DOZE"),
        ("boris picks the cat up", "boris CAT OBJ LIFT"),
        ("the man gives a dog to some children", "MAN CHILD PL DAT DOG OBJ GIVE"),
        ("anna knows the man", "anna MAN OBJ BE_FRIENDS_WITH"),
        ("anna knows that the man sings", "anna MAN SING COMP UNDERSTAND"),
        (
            "a dog in front of the lighthouse near two rivers waits",
            "DOG LIGHT TOWER RIVER TWO NEAR BEFORE WAIT",
        ),
        ("the fox that sees dogs runs", "FOX DOG PL OBJ SEE REL RUN"),
        ("the foxes that the dogs see run", "FOX PL DOG PL SEE MANY REL RUN MANY"),
        ("when dogs sleep , anna sings", "DOG PL SLEEP MANY WHEN , anna SING"),
        ("anna often waits but boris runs", "anna OFTEN WAIT BUT boris RUN"),
    ],
)
def test_sentences_are_translated_as_a_speaker_would(english, expected):
    assert reference().translate(english.split())[0] == expected.split()


@pytest.mark.parametrize(
    "wrong",
    [
        "the dogs sees anna",
        "a dog sleep",
        "a dogs sleep",
        "two cat run",
        "anna and boris sleeps",
        "anna will sees dora",
        "the fox that see dogs runs",
        "anna does not sleeps",
        "dog sleeps",
        "anna sees",
        "anna sleeps boris",
    ],
)
def test_what_is_not_english_is_not_in_the_grammar(wrong):
    with pytest.raises(ValueError, match="cannot stand here"):
        reference().parse(wrong.split())


def test_links_join_what_means_the_same():
    glosses = translation().glosses
    without_link, linked_to = Counter(), {}
    for pair in many_pairs():
        linked_sources, linked_targets = ({link[side] for link in pair.alignment} for side in (0, 1))
        without_link.update(word for i, word in enumerate(pair.source) if i not in linked_sources)
        without_link.update(glosses[word] for j, word in enumerate(pair.target) if j not in linked_targets)
        for i, j in pair.alignment:
            linked_to.setdefault(pair.source[i], set()).add(glosses[pair.target[j]])
    assert set(without_link) == {"the", "a", "some", "does", "do", "OBJ", "MANY"}
    assert linked_to["sailor"] == {"sea", "person"}
    assert linked_to["cats"] == {"cat", "PL"}
    assert linked_to["picks"] == linked_to["up"] == {"lift"}
    assert linked_to["know"] == {"be friends with", "understand"}
    assert linked_to["that"] == {"REL", "COMP"}
    assert linked_to["big"] == linked_to["large"] == {"big"}
    assert linked_to["not"] == {"NEG"}


def test_lengths_are_uniform_over_the_range():
    pairs = translation().sample(8400, lengths=(4, 24), seed=2)
    counts = Counter(map(len, pairs.source))
    assert sorted(counts) == list(range(4, 25))
    chi_square = sum((counts[n] - 400) ** 2 / 400 for n in counts)  # 20 degrees of freedom
    assert chi_square < 45.3, "the 0.999 quantile"


def everything(symbol, n):
    """All word strings of n words that a symbol becomes, each with its probability: by brute force."""
    rules = english_and_glosses().rules
    if symbol not in rules:
        return [((symbol,), 1.0)] if n == 1 else []
    found = []
    for rule in rules[symbol]:
        partial = [((), rule.weight)]
        for left, part in zip(range(len(rule.source) - 1, -1, -1), rule.source, strict=True):
            partial = [
                (words + more, p * q)
                for words, p in partial
                for k in range(1, n - len(words) - left + 1)
                for more, q in everything(part, k)
            ]
        found += [way for way in partial if len(way[0]) == n]
    return found


def test_entropy_is_that_of_all_sentences_enumerated():
    grammar = translation()
    by_length = [everything(START, n) for n in (2, 3, 4)]
    assert [english_and_glosses().weight(START, n) for n in (2, 3, 4)] == pytest.approx(
        [math.fsum(p for _, p in sentences) for sentences in by_length], rel=1e-12
    )
    everyone = []
    for sentences in by_length:
        assert len({words for words, _ in sentences}) == len(sentences) > 50
        total = math.fsum(p for _, p in sentences)
        everyone += [p / total / 3 for _, p in sentences]
    assert math.fsum(everyone) == pytest.approx(1.0)
    entropy = -math.fsum(p * math.log(p) for p in everyone)
    assert grammar.source_entropy((2, 4)) == pytest.approx(entropy, rel=1e-12)


def test_entropy_is_the_mean_surprisal_of_samples():
    surprisals = [
        math.log(29)
        + math.log(english_and_glosses().weight(START, len(pair.source)))
        - reference().log_probability(reference().parse(pair.source))
        for pair in many_pairs()
    ]
    mean = math.fsum(surprisals) / len(surprisals)
    spread = math.sqrt(math.fsum((s - mean) ** 2 for s in surprisals)) / len(surprisals)
    z = (mean - translation().source_entropy((2, 30))) / spread
    assert abs(z) < 3.3
    assert spread < 0.4


def test_one_seed_gives_the_same_pairs():
    grammar = translation()
    pairs = grammar.sample(300, seed=4)
    assert pairs == grammar.sample(300, seed=4) == translation().sample(300, seed=4)
    assert pairs.source != grammar.sample(300, seed=5).source
    assert pairs[:100] == grammar.sample(100, seed=4, progress=True)


def test_the_invented_language_is_pronounceable_and_spelled_by_its_seed():
    for seed in range(4):
        grammar = translation(seed=seed)
        names = {"anna", "boris", "clara", "dora", "marco"}
        for word, gloss in grammar.glosses.items():
            form = (
                r"[a-z]+|,"
                if word in names | {","}
                else r"[ptkmnlrsv][aiu]"
                if gloss in PARTICLES
                else r"([ptkmnlrsv][aeiou]){2}"
            )
            assert re.fullmatch(form, word)
        assert names | {","} == set(grammar.source_vocab[3:]) & set(grammar.glosses)
        assert len(grammar.glosses) == len(set(grammar.glosses.values()))
    one, other = translation(seed=0), translation(seed=1)
    assert set(one.glosses.values()) == set(other.glosses.values())
    assert one.target_vocab != other.target_vocab
    assert one.sample(50).source == other.sample(50).source
    assert set(PARTICLES) <= set(one.glosses.values())


def test_all_words_of_the_vocabularies_occur():
    pairs = many_pairs()
    assert pairs.source_vocab == (*SPECIAL_TOKENS, *sorted({word for s in pairs.source for word in s}))
    assert pairs.target_vocab == (*SPECIAL_TOKENS, *sorted({word for s in pairs.target for word in s}))
    assert 60 <= len(pairs.target_vocab) < len(pairs.source_vocab) <= 130


def test_long_sentences_do_not_repeat():
    pairs = translation().sample(2000, lengths=(8, 24))
    assert len(set(pairs.source)) > 1990


def test_pairs_are_like_a_list():
    pairs = translation().sample(40, lengths=(3, 9), seed=1)
    assert len(pairs) == len(list(pairs)) == 40
    assert pairs[-1] == list(pairs)[39] == pairs[39:][0]
    assert pairs[7].source == pairs.source[7]
    assert pairs[7].alignment == pairs.alignment[7]
    assert isinstance(pairs[5:9], Pairs)
    assert [p.target for p in pairs[5:9]] == list(pairs.target[5:9])
    assert repr(pairs).startswith("Pairs(40, vocabularies of 1")
    with pytest.raises(IndexError):
        pairs[40]


def test_what_was_trained_on_can_be_left_out():
    train, test = (translation().sample(600, lengths=(3, 5), seed=seed) for seed in (0, 1))
    new = test.without(train)
    assert 0 < len(new) < 600
    assert [p for p in test if p.source not in set(train.source)] == list(new)
    assert len(test.without(test)) == 0


def test_ids_are_words_with_a_beginning_and_an_end():
    pairs = translation().sample(50)
    ids = pairs.ids()
    for pair, source, target in zip(pairs, *ids, strict=True):
        assert [pairs.source_vocab[i] for i in source] == [*pair.source, "<eos>"]
        assert [pairs.target_vocab[i] for i in target] == ["<bos>", *pair.target, "<eos>"]


def test_errors_name_the_argument():
    grammar = translation()
    with pytest.raises(ValueError, match="'n_pairs' must be 0 or more, got -1"):
        grammar.sample(-1)
    for lengths in [(0, 5), (7, 6)]:
        with pytest.raises(ValueError, match=r"'lengths' must be \(shortest, longest\) with 1 <= shortest"):
            grammar.sample(1, lengths=lengths)
    with pytest.raises(
        ValueError, match=r"'lengths' must be lengths of sentences, got \(1, 5\): none has 1 words"
    ):
        grammar.source_entropy((1, 5))
    assert isinstance(grammar, TranslationGrammar)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("S : a b", "a rule is written '.weight. SYMBOL : source => target', got 'S : a b'"),
        ("S : => X", "a rule is written"),
        ("S : a => X/2", "links must be from 1 to 1, got 'X/2' in 'S : a => X/2'"),
        ("S : a => 0", "links must be from 1 to 1, got '0'"),
        ("S : A =>\nA : a => X", "the target must use each symbol once, got 'S : A => '"),
        ("S : A => 1 1\nA : a => X", "the target must use each symbol once, got 'S : A => 1 1'"),
        ("S : a => 1", "the target must use each symbol once, got 'S : a => 1'"),
    ],
)
def test_rules_that_cannot_be_read_are_named(rules, message):
    with pytest.raises(ValueError, match=message):
        SynchronousGrammar(rules)


def test_a_symbol_that_becomes_itself_is_refused():
    with pytest.raises(ValueError, match="'A' must not become itself and nothing else"):
        SynchronousGrammar("A : B => 1\nB : A => 1\nB : b =>").weight("A", 1)


def test_variables_stand_for_all_their_values():
    grammar = SynchronousGrammar(
        "2 S : A.n B.m => 2 1\nA.n : a.n => X\nB.n : b => Y", {"n": ("s", "p"), "m": ("s", "p")}
    )
    assert [rule.source for rule in grammar.rules["S"]] == [
        ("A.s", "B.s"),
        ("A.s", "B.p"),
        ("A.p", "B.s"),
        ("A.p", "B.p"),
    ]
    assert [rule.weight for rule in grammar.rules["S"]] == [0.25] * 4
    assert grammar.rules["A.p"][0].source == ("a.p",)
