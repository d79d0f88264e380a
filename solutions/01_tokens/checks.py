"""How the exercises of chapter 01 are judged: cases, known mistakes with hints, other right answers."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from functools import lru_cache

import torch

from lmcourse.authoring.spec import Call, Exercise, Written
from lmcourse.exercises.compare import close

# 1 ------------------------------------------------------------------------------------------------ merge_pair


def merge_cases(rng: random.Random) -> Iterator[Call]:
    yield Call("two places", [1, 2, 3, 1, 2], (1, 2), 9)
    yield Call(
        "a run of three: the middle one is used up", [7, 7, 7], (7, 7), 8
    )
    yield Call(
        "three times the pair, side by side", [1, 2, 1, 2, 1, 2], (1, 2), 9
    )
    yield Call("a run of four", [7, 7, 7, 7], (7, 7), 8)
    yield Call("ids of two digits", [11, 2, 1, 21], (1, 2), 9)
    yield Call("nothing to merge", [1, 2, 3], (3, 1), 9)
    yield Call("an empty list", [], (1, 2), 9)
    yield Call("one token alone", [1], (1, 1), 9)
    yield Call("the pair at the very end", [4, 1, 2], (1, 2), 9)
    yield Call("the other way round is another pair", [2, 1, 2, 1], (1, 2), 9)
    yield Call(
        "the new id may meet its own pair: no second round",
        [1, 1, 2, 2],
        (1, 2),
        1,
    )
    while True:
        known = rng.sample([0, 1, 2, 11, 12, 21, 256], k=rng.randrange(2, 4))
        ids = rng.choices(known, k=rng.randrange(0, 25))
        yield Call(
            "a random list", ids, (rng.choice(known), rng.choice(known)), 300
        )


merge_pair = Exercise(
    "merge_pair",
    title="Merge one pair",
    points=2,
    minutes=5,
    cases=merge_cases,
    visible=16,
)


@merge_pair.mistake(
    "You go on one step after a merge. What has been merged is used up: go on behind both tokens."
)
def merge_keeps_second(ids, pair, new_id):
    merged = []
    for i, token in enumerate(ids):
        merged.append(new_id if tuple(ids[i : i + 2]) == pair else token)
    return merged


@merge_pair.mistake(
    "The last token gets lost when it is not part of a merge: your loop stops one step early."
)
def merge_drops_last(ids, pair, new_id):
    merged, i = [], 0
    while i < len(ids) - 1:
        if (ids[i], ids[i + 1]) == pair:
            merged.append(new_id)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged


@merge_pair.mistake(
    "Two things at once. After a merge go on behind *both* tokens; and look at the last token too, which begins no pair."
)
def merge_keeps_second_and_drops_last(ids, pair, new_id):
    return merge_keeps_second(ids, pair, new_id)[: max(len(ids) - 1, 0)]


@merge_pair.mistake(
    "Only the first occurrence is replaced. One merge step replaces every occurrence in the sequence."
)
def merge_first_only(ids, pair, new_id):
    for i in range(len(ids) - 1):
        if (ids[i], ids[i + 1]) == pair:
            return [*ids[:i], new_id, *ids[i + 2 :]]
    return list(ids)


@merge_pair.mistake(
    "You read from right to left. In 'aaa' the first two are merged, not the last two."
)
def merge_from_right(ids, pair, new_id):
    merged, i = [], len(ids) - 1
    while i >= 0:
        if i > 0 and (ids[i - 1], ids[i]) == pair:
            merged.append(new_id)
            i -= 2
        else:
            merged.append(ids[i])
            i -= 1
    return merged[::-1]


@merge_pair.mistake("The pair has an order: (1, 2) is not (2, 1).")
def merge_unordered(ids, pair, new_id):
    merged, i = [], 0
    while i < len(ids):
        if i + 1 < len(ids) and {ids[i], ids[i + 1]} == set(pair):
            merged.append(new_id)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged


@merge_pair.mistake(
    "You merge again what has just been merged. One step is one pass: the new token is not looked at twice."
)
def merge_until_none(ids, pair, new_id):
    shorter = merge_first_only(ids, pair, new_id)
    return (
        shorter
        if len(shorter) == len(ids)
        else merge_until_none(shorter, pair, new_id)
    )


@merge_pair.mistake(
    "You changed the list that was passed in. Return a new list: the caller still needs the old one."
)
def merge_in_place(ids, pair, new_id):
    i = 0
    while i < len(ids) - 1:
        if (ids[i], ids[i + 1]) == pair:
            ids[i : i + 2] = [new_id]
        i += 1
    return ids


@merge_pair.mistake(
    "The list has become shorter: after merging in place go on one place, not two, or the next token is skipped."
)
def merge_in_place_skips(ids, pair, new_id):
    out, i = list(ids), 0
    while i < len(out) - 1:
        if (out[i], out[i + 1]) == pair:
            out[i] = new_id
            del out[i + 1]
            i += 2
        else:
            i += 1
    return out


@merge_pair.mistake(
    "Nothing is ever merged. If you ask ids[i:i + 2] == pair: a list never equals a tuple. Compare (ids[i], ids[i + 1])."
)
def merge_list_against_tuple(ids, pair, new_id):
    out, i = [], 0
    while i < len(ids):
        if ids[i : i + 2] == pair:
            out.append(new_id)
            i += 2
        else:
            out.append(ids[i])
            i += 1
    return out


@merge_pair.mistake(
    "As text, the pair '1 2' is also found inside '11 2'. Compare the numbers themselves."
)
def merge_as_text(ids, pair, new_id):
    text = " ".join(map(str, ids)).replace(f"{pair[0]} {pair[1]}", str(new_id))
    return [int(word) for word in text.split()]


@merge_pair.mistake(
    "The last token has no neighbour: ask whether ids[i + 1] exists before you look at it."
)
def merge_looks_past_the_end(ids, pair, new_id):
    out, i = [], 0
    while i < len(ids):
        if (ids[i], ids[i + 1]) == pair:
            out.append(new_id)
            i += 2
        else:
            out.append(ids[i])
            i += 1
    return out


@merge_pair.mistake(
    "The last token has no neighbour: ask whether ids[i + 1] exists before you look at it."
)
def merge_looks_past_the_end_with_and(ids, pair, new_id):
    """`and` looks at the second token only where the first fits, so this fails in fewer cases."""
    out, i = [], 0
    while i < len(ids):
        if ids[i] == pair[0] and ids[i + 1] == pair[1]:
            out.append(new_id)
            i += 2
        else:
            out.append(ids[i])
            i += 1
    return out


@merge_pair.mistake(
    "An index runs past the end. The last token has no neighbour, and a list that you shorten ends before range(len(ids)) does."
)
def merge_looks_past_the_end_each_time(ids, pair, new_id):
    out = list(ids)
    for i in range(len(out)):
        if (out[i], out[i + 1]) == pair:
            out[i] = new_id
            del out[i + 1]
    return out


@merge_pair.alternative
def merge_by_iterator(ids, pair, new_id):
    out = []
    skip = False
    for a, b in zip(ids, [*ids[1:], None], strict=False):
        if skip:
            skip = False
        elif (a, b) == tuple(pair):
            out.append(new_id)
            skip = True
        else:
            out.append(a)
    return out


@merge_pair.alternative
def merge_on_a_stack(ids, pair, new_id):
    stack, fresh = [], False
    for token in ids:
        if stack and not fresh and (stack[-1], token) == pair:
            stack[-1], fresh = new_id, True
        else:
            stack.append(token)
            fresh = False
    return stack


# 2 -------------------------------------------------------------------------------------------- predict_merges


def predict_cases(rng: random.Random) -> Iterator[Call]:
    yield Call("your three merges")


predict_merges = Exercise(
    "predict_merges",
    title="Predict the merges",
    points=2,
    minutes=10,
    cases=predict_cases,
    secret=True,
)


@predict_merges.mistake(
    "After a merge the counts change: once 'eat' is one token, there are fewer 's' before 'ea'. Count anew each time."
)
def predict_without_recount():
    return [("e", "a"), ("ea", "t"), ("s", "ea")]


@predict_merges.mistake(
    "After a merge its parts are gone where they were merged: 'a' no longer stands alone before 't', 'ea' does."
)
def predict_old_characters():
    return [("e", "a"), ("a", "t"), ("s", "e")]


@predict_merges.mistake(
    "After a merge its parts are gone where they were merged: 'a' no longer stands alone before 't', 'ea' does."
)
def predict_old_characters_twice():
    return [("e", "a"), ("a", "t"), ("t", "e")]


@predict_merges.mistake(
    "After a merge its parts are gone where they were merged: 'e' no longer stands alone behind 't', 'ea' does."
)
def predict_old_characters_from_the_start():
    return [("e", "a"), ("t", "e"), ("a", "t")]


@predict_merges.mistake(
    "Not the pairs as they come in a word: add up, for each pair, how often the words with it occur, and take the largest."
)
def predict_in_reading_order():
    return [("s", "e"), ("e", "a"), ("a", "t")]


@predict_merges.mistake(
    "The first pair is turned round: a pair is written as it is read, from left to right."
)
def predict_turned_round():
    return [("a", "e"), ("ea", "t"), ("t", "ea")]


@predict_merges.mistake(
    "Each word counts as often as it occurs in the text. You counted each word of the table once."
)
def predict_by_types():
    return [("e", "a"), ("s", "ea"), ("ea", "t")]


@predict_merges.mistake(
    "Each word counts as often as it occurs in the text. You counted each word of the table once."
)
def predict_by_types_and_recount():
    return [("e", "a"), ("s", "ea"), ("sea", "t")]


@predict_merges.mistake(
    "Right first two. For the third, count again: which word has 'ea' as a token still?"
)
def predict_longest():
    return [("e", "a"), ("ea", "t"), ("s", "eat")]


@predict_merges.mistake(
    "Right first two. For the third, look again at what stands beside 't': is it still an 'e'?"
)
def predict_old_right_neighbour():
    return [("e", "a"), ("ea", "t"), ("t", "e")]


@predict_merges.mistake(
    "The first is right. For the second, two pairs come close: count both again, in all five words."
)
def predict_start_before_end():
    return [("e", "a"), ("s", "ea"), ("t", "ea")]


@predict_merges.mistake(
    "The merges are right but their order is not: the most frequent pair comes first."
)
def predict_other_order():
    return [("e", "a"), ("t", "ea"), ("ea", "t")]


@predict_merges.mistake(
    "The merges are right but their order is not: a token can only be merged once an earlier merge has made it."
)
def predict_used_before_made():
    return [("ea", "t"), ("e", "a"), ("t", "ea")]


@predict_merges.mistake(
    "Right merges; write them as a list of tuples, one tuple a pair."
)
def predict_lists():
    return [["e", "a"], ["ea", "t"], ["t", "ea"]]


@predict_merges.mistake(
    "Right merges; write them as a list of tuples, one tuple a pair."
)
def predict_tuple():
    return (("e", "a"), ("ea", "t"), ("t", "ea"))


@predict_merges.mistake(
    "Right merges; write them as a list of tuples, one tuple a pair."
)
def predict_spaced():
    return ["e a", "ea t", "t ea"]


@predict_merges.mistake(
    "A merge is a pair of tokens, not the token that it makes: write ('e', 'a'), not 'ea'."
)
def predict_joined():
    return ["ea", "eat", "tea"]


@predict_merges.alternative
def predict_by_counting():
    words = {"sea": 5, "seat": 8, "tea": 11, "east": 3, "eat": 6}
    cut = {w: list(w) for w in words}
    merges = []
    for _ in range(3):
        counts: dict[tuple[str, str], int] = {}
        for word, times in words.items():
            for pair in zip(cut[word], cut[word][1:], strict=False):
                counts[pair] = counts.get(pair, 0) + times
        best = max(counts, key=counts.get)
        merges.append(best)
        for word, pieces in cut.items():
            for i in range(len(pieces) - 2, -1, -1):
                if tuple(pieces[i : i + 2]) == best:
                    pieces[i : i + 2] = ["".join(best)]
            cut[word] = pieces
    return merges


# 3 ------------------------------------------------------------------------------------------------ bpe_encode

ENGLISH = [
    "the",
    "tide",
    "took",
    "the",
    "lower",
    "lantern",
    "lower",
    "still",
    "and",
    "the",
    "owl",
    "on",
    "the",
    "wall",
    "was",
    "low",
    "newer",
    "slower",
    "lowest",
    "wallow",
    "owner",
    "lawn",
]


@lru_cache(maxsize=64)
def some_merges(seed: int, count: int) -> tuple[tuple[str, str], ...]:
    """Merges as a training run gives them, on words drawn by `seed`, but each makes a token that was not there.

    So they may also be replayed one after the other, which is not the same when two merges spell one token.
    """
    rng = random.Random(seed)
    letters = "lowertan"
    words = [rng.choice(ENGLISH) for _ in range(30)] + [
        "".join(rng.choices(letters, k=rng.randrange(2, 7))) for _ in range(15)
    ]
    cut = [list(word) for word in words]
    merges, made = [], set()
    for _ in range(count):
        counts: dict[tuple[str, str], int] = {}
        for pieces in cut:
            for pair in zip(pieces, pieces[1:], strict=False):
                if "".join(pair) not in made:
                    counts[pair] = counts.get(pair, 0) + 1
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        made.add("".join(best))
        cut = [merge_by_iterator(pieces, best, "".join(best)) for pieces in cut]
    return tuple(merges)


def bpe_cases(rng: random.Random) -> Iterator[Call]:
    low = [("e", "r"), ("l", "o"), ("lo", "w"), ("low", "er")]
    yield Call("all merges apply", "lower", low)
    yield Call("some merges apply", "loer", low)
    yield Call("an empty word", "", low)
    yield Call("no merge applies", "xyz", low)
    yield Call("no merges at all", "low", [])
    yield Call(
        "the earliest merge stands further right",
        "abc",
        [("b", "c"), ("a", "b")],
    )
    yield Call(
        "a pair in two places goes first where it stands further left",
        "aaa",
        [("a", "a")],
    )
    yield Call("a run of one letter", "aaaaa", [("a", "a"), ("aa", "aa")])
    yield Call(
        "the longest known token is not reached by the merges",
        "abcd",
        [("b", "c"), ("a", "b"), ("ab", "cd")],
    )
    yield Call("twice the same pair", "erer", low)
    yield Call(
        "both times before the next merge", "abxab", [("a", "b"), ("x", "a")]
    )
    yield Call(
        "another pair spells the same",
        "abc",
        [("b", "c"), ("a", "b"), ("ab", "c")],
    )
    yield Call(
        "a token that ends like the pair", "xab", [("x", "a"), ("a", "b")]
    )
    yield Call(
        "a chain from the right", "abcd", [("c", "d"), ("b", "cd"), ("a", "b")]
    )
    yield Call(
        "an early merge spoils a later one",
        "nnen",
        [("n", "e"), ("n", "n"), ("e", "n"), ("nn", "en")],
    )
    while True:
        merges = list(some_merges(rng.randrange(40), rng.randrange(1, 25)))
        word = (
            rng.choice(ENGLISH)
            if rng.random() < 0.4
            else "".join(rng.choices("lowertan", k=rng.randrange(1, 16)))
        )
        yield Call("a random word with trained merges", word, merges)


bpe_encode = Exercise(
    "bpe_encode",
    title="Encode with merges",
    points=3,
    minutes=20,
    cases=bpe_cases,
    visible=26,
)


@bpe_encode.mistake(
    "You merge the leftmost pair that has a merge, or the longest. The earliest merge of the list goes first, wherever it stands."
)
def bpe_leftmost(word, merges):
    known, tokens, i = set(merges), list(word), 0
    while i < len(tokens) - 1:
        if (tokens[i], tokens[i + 1]) in known:
            tokens[i : i + 2] = [tokens[i] + tokens[i + 1]]
            i = 0
        else:
            i += 1
    return tokens


@bpe_encode.mistake(
    "You take the longest piece that the vocabulary has. That is WordPiece; BPE replays its merges in order."
)
def bpe_longest_match(word, merges):
    vocab, tokens, start = {"".join(pair) for pair in merges}, [], 0
    while start < len(word):
        end = next(
            (
                e
                for e in range(len(word), start + 1, -1)
                if word[start:e] in vocab
            ),
            start + 1,
        )
        tokens.append(word[start:end])
        start = end
    return tokens


@bpe_encode.mistake("You stop after one merge. Go on until no merge applies.")
def bpe_one_merge(word, merges):
    tokens, rank = list(word), {pair: i for i, pair in enumerate(merges)}
    pairs = list(zip(tokens, tokens[1:], strict=False))
    best = min(pairs, key=lambda p: rank.get(p, math.inf), default=None)
    if best in rank:
        i = pairs.index(best)
        tokens[i : i + 2] = ["".join(best)]
    return tokens


@bpe_encode.mistake(
    "The latest merge wins in your version. It is the other way round: early merges were the frequent ones."
)
def bpe_latest_first(word, merges):
    rank, tokens = {pair: i for i, pair in enumerate(merges)}, list(word)
    while True:
        pairs = [p for p in zip(tokens, tokens[1:], strict=False) if p in rank]
        if not pairs:
            return tokens
        best = max(pairs, key=rank.get)
        tokens = merge_by_iterator(tokens, best, "".join(best))


@bpe_encode.mistake(
    "You return one joined token where merging stopped: a word may stay in several pieces."
)
def bpe_whole_word(word, merges):
    return [word] if word else []


@bpe_encode.mistake("An empty word has no tokens: return an empty list for it.")
def bpe_empty_string(word, merges):
    return bpe_by_passes(word, merges) or [""]


@bpe_encode.mistake(
    "Each merge is used only once in your version. A pair that stands twice in the word is merged twice."
)
def bpe_each_once(word, merges):
    tokens = list(word)
    for pair in merges:
        for i in range(len(tokens) - 1):
            if (tokens[i], tokens[i + 1]) == pair:
                tokens[i : i + 2] = ["".join(pair)]
                break
    return tokens


@bpe_encode.mistake(
    "After one occurrence you go on to the next merge. Stay with the earliest merge until it stands nowhere any more."
)
def bpe_one_place_a_sweep(word, merges):
    tokens = list(word)
    for _ in range(len(word)):
        tokens = bpe_each_once(tokens, merges)
    return tokens


@bpe_encode.mistake(
    "A merge is a pair: (a, bc) is not (ab, c), though both spell abc."
)
def bpe_by_joined(word, merges):
    rank, tokens = (
        {"".join(pair): i for i, pair in reversed(list(enumerate(merges)))},
        list(word),
    )
    while True:
        found = [
            (rank[a + b], i)
            for i, (a, b) in enumerate(zip(tokens, tokens[1:], strict=False))
            if a + b in rank
        ]
        if not found:
            return tokens
        _, i = min(found)
        tokens[i : i + 2] = [tokens[i] + tokens[i + 1]]


@bpe_encode.mistake(
    "You replace in a text: 'a b' is also found inside 'xa b'. Compare whole tokens, kept in a list."
)
def bpe_as_text(word, merges):
    text = " ".join(word)
    for a, b in merges:
        text = text.replace(f"{a} {b}", a + b)
    return text.split()


@bpe_encode.mistake(
    "Where the same pair stands in several places, the leftmost goes first: 'aaa' becomes 'aa', 'a'."
)
def bpe_rightmost(word, merges):
    rank, tokens = {pair: i for i, pair in enumerate(merges)}, list(word)
    while True:
        pairs = zip(tokens, tokens[1:], strict=False)
        found = [
            (rank[pair], -i) for i, pair in enumerate(pairs) if pair in rank
        ]
        if not found:
            return tokens
        i = -min(found)[1]
        tokens[i : i + 2] = [tokens[i] + tokens[i + 1]]


@bpe_encode.mistake(
    "You ask only the neighbours whether a merge is early enough. Look through the whole word for the earliest, merge it, look again."
)
def bpe_asks_neighbours(word, merges):
    rank, tokens, before = (
        {pair: i for i, pair in enumerate(merges)},
        list(word),
        None,
    )
    while tokens != before:
        before, i = list(tokens), 0
        while i < len(tokens) - 1:
            here = rank.get((tokens[i], tokens[i + 1]))
            if here is not None and here <= rank.get(
                tuple(tokens[i + 1 : i + 3]), here
            ):
                tokens[i : i + 2] = [tokens[i] + tokens[i + 1]]
            i += 1
    return tokens


@bpe_encode.mistake(
    "You count pairs in the word. Counting was for training: to encode, only the order of the merges matters."
)
def bpe_most_frequent(word, merges):
    tokens = list(word)
    while True:
        found = [
            pair
            for pair in zip(tokens, tokens[1:], strict=False)
            if pair in merges
        ]
        if not found:
            return tokens
        best = max(found, key=found.count)
        tokens = merge_by_iterator(tokens, best, "".join(best))


@bpe_encode.mistake(
    "The first merge has rank 0, and 0 counts as False. Ask whether a pair is in the ranks, or whether its rank is not None."
)
def bpe_rank_0_is_false(word, merges):
    rank, tokens = {pair: i for i, pair in enumerate(merges)}, list(word)
    while True:
        found = [
            pair
            for pair in zip(tokens, tokens[1:], strict=False)
            if rank.get(pair)
        ]
        if not found:
            return tokens
        best = min(found, key=rank.get)
        i = list(zip(tokens, tokens[1:], strict=False)).index(best)
        tokens[i : i + 2] = ["".join(best)]


@bpe_encode.mistake(
    "Not every pair of the word has a merge, and index() fails for those. Give them a rank behind all others, or leave them out."
)
def bpe_index_of_unknown(word, merges):
    tokens = list(word)
    while len(tokens) > 1:
        pairs = list(zip(tokens, tokens[1:], strict=False))
        best = min(pairs, key=merges.index)
        i = pairs.index(best)
        tokens[i : i + 2] = ["".join(best)]
    return tokens


@bpe_encode.mistake(
    "An index runs past the end: range(len(tokens) - 1) was counted before the merge made the list shorter. Use a while loop."
)
def bpe_range_over_shrinking(word, merges):
    tokens = list(word)
    for a, b in merges:
        for i in range(len(tokens) - 1):
            if (tokens[i], tokens[i + 1]) == (a, b):
                tokens[i : i + 2] = [a + b]
    return tokens


@bpe_encode.mistake(
    "An index runs past the end: range(len(tokens) - 1) was counted before the merge made the list shorter. Use a while loop."
)
def bpe_range_over_shrinking_with_and(word, merges):
    """`and` looks at the second token only where the first fits, so this fails in fewer cases."""
    tokens = list(word)
    for a, b in merges:
        for i in range(len(tokens) - 1):
            if tokens[i] == a and tokens[i + 1] == b:
                tokens[i : i + 2] = [a + b]
    return tokens


@bpe_encode.mistake(
    "With fewer than two tokens there are no pairs, and min() of nothing fails: stop there."
)
def bpe_min_of_nothing(word, merges):
    rank, tokens = {pair: i for i, pair in enumerate(merges)}, list(word)
    while True:
        pairs = list(zip(tokens, tokens[1:], strict=False))
        best = min(pairs, key=lambda pair: rank.get(pair, math.inf))
        if best not in rank:
            return tokens
        i = pairs.index(best)
        tokens[i : i + 2] = ["".join(best)]


@bpe_encode.alternative
def bpe_replayed(word, merges):
    """One merge after the other, each in all its places: right for merges none of which spells another's token."""
    tokens = list(word)
    for pair in merges:
        tokens = merge_by_iterator(tokens, pair, "".join(pair))
    return tokens


@bpe_encode.alternative
def bpe_by_passes(word, merges):
    """The earliest merge in all its places at once."""
    rank, tokens = {pair: i for i, pair in enumerate(merges)}, list(word)
    while True:
        best = min(
            (p for p in zip(tokens, tokens[1:], strict=False) if p in rank),
            key=rank.__getitem__,
            default=None,
        )
        if best is None:
            return tokens
        tokens = merge_by_iterator(tokens, best, "".join(best))


@bpe_encode.alternative
def bpe_recursive(word, merges):
    def reduce(tokens):
        found = [
            (merges.index(p), i)
            for i, p in enumerate(zip(tokens, tokens[1:], strict=False))
            if p in merges
        ]
        if not found:
            return tokens
        _, i = min(found)
        return reduce(
            [*tokens[:i], tokens[i] + tokens[i + 1], *tokens[i + 2 :]]
        )

    return reduce(list(word))


# 4 -------------------------------------------------------------------------------------------------- cut_word


def cut_cases(rng: random.Random) -> Iterator[Call]:
    vocab = {"un", "##able", "able", "##break", "break", "##s", "b", "##b"}
    yield Call("three pieces", "unbreakable", vocab)
    yield Call("a word that cannot be cut to its end", "unzip", vocab)
    yield Call("an empty word", "", vocab)
    yield Call("the whole word is a piece", "able", vocab)
    yield Call(
        "a piece for the start is not a piece for the middle", "unun", vocab
    )
    yield Call("a continuation cannot start a word", "sb", vocab)
    yield Call(
        "greedy runs into a wall, and does not turn back",
        "abcd",
        {"abc", "ab", "##cd", "a"},
    )
    yield Call(
        "longest first", "banana", {"b", "ba", "##na", "##nana", "##n", "##a"}
    )
    yield Call("another unknown token", "xyz", {"x", "##y"}, "<unk>")
    yield Call(
        "the unknown part is in the middle", "ab?cd", {"ab", "##cd", "a"}
    )
    while True:
        letters = "abc"
        starts = {
            "".join(rng.choices(letters, k=rng.randrange(1, 4)))
            for _ in range(5)
        } | {"a", "b"}
        inner = {
            "##" + "".join(rng.choices(letters, k=rng.randrange(1, 4)))
            for _ in range(5)
        } | {
            "##a",
            "##b",
        }
        word = "".join(rng.choices(letters, k=rng.randrange(1, 10)))
        yield Call(
            "a random vocabulary",
            word,
            starts | inner,
            rng.choice(["[UNK]", "<unk>"]),
        )


cut_word = Exercise(
    "cut_word",
    title="Repair the WordPiece cutter",
    points=2,
    minutes=15,
    cases=cut_cases,
    visible=16,
)


@cut_word.mistake(
    "Both faults are still there: no piece carries ##, and an unknown word comes back in parts."
)
def cut_unrepaired(word, vocab, unk="[UNK]"):
    return _cut(word, vocab, unk, mark=False, whole=False)


@cut_word.mistake(
    "The ## is right. Now the second fault: a word that cannot be cut to its end is one unknown token, whole."
)
def cut_unknown_in_parts(word, vocab, unk="[UNK]"):
    return _cut(word, vocab, unk, mark=True, whole=False)


@cut_word.mistake(
    "Unknown words are right. Now the second fault: a piece after the first is looked up, and returned, with ## before it."
)
def cut_without_marks(word, vocab, unk="[UNK]"):
    return _cut(word, vocab, unk, mark=False, whole=True)


@cut_word.mistake(
    "The piece is looked up with ## but returned without: put what you found in the vocabulary into the result."
)
def cut_returns_bare(word, vocab, unk="[UNK]"):
    return [
        piece.removeprefix("##")
        for piece in _cut(word, vocab, unk, mark=True, whole=True)
    ]


@cut_word.mistake(
    "You keep the pieces before the unknown part. In BERT the whole word becomes one unknown token."
)
def cut_keeps_start(word, vocab, unk="[UNK]"):
    pieces, start = [], 0
    while start < len(word):
        end = _longest(word, start, vocab, True)
        if end is None:
            return [*pieces, unk]
        pieces.append(word[start:end] if start == 0 else "##" + word[start:end])
        start = end
    return pieces


@cut_word.mistake(
    "You search for any way to cut the word. WordPiece is greedy: it takes the longest piece and never turns back."
)
def cut_backtracks(word, vocab, unk="[UNK]"):
    def search(start):
        if start == len(word):
            return []
        for end in range(len(word), start, -1):
            piece = word[start:end] if start == 0 else "##" + word[start:end]
            if piece in vocab:
                rest = search(end)
                if rest is not None:
                    return [piece, *rest]
        return None

    found = search(0)
    return [unk] if found is None else found


@cut_word.mistake(
    "You take the shortest piece that fits. Try the longest first."
)
def cut_shortest(word, vocab, unk="[UNK]"):
    pieces, start = [], 0
    while start < len(word):
        for end in range(start + 1, len(word) + 1):
            piece = word[start:end] if start == 0 else "##" + word[start:end]
            if piece in vocab:
                pieces.append(piece)
                start = end
                break
        else:
            return [unk]
    return pieces


@cut_word.mistake(
    "You look a piece up without ## and put the ## on afterwards. 'able' and '##able' are two entries: look up what you return."
)
def cut_marks_afterwards(word, vocab, unk="[UNK]"):
    pieces = _cut(word, vocab, unk, mark=False, whole=True)
    return (
        pieces
        if pieces == [unk]
        else [("##" if i else "") + piece for i, piece in enumerate(pieces)]
    )


@cut_word.mistake(
    "The first piece of a word carries no ##: only the pieces that continue it do."
)
def cut_marks_the_first(word, vocab, unk="[UNK]"):
    pieces, start = [], 0
    while start < len(word):
        end = next(
            (
                e
                for e in range(len(word), start, -1)
                if "##" + word[start:e] in vocab
            ),
            None,
        )
        if end is None:
            return [unk]
        pieces.append("##" + word[start:end])
        start = end
    return pieces


@cut_word.mistake(
    "An empty word is not an unknown one: it has no pieces, so return an empty list."
)
def cut_empty_is_unknown(word, vocab, unk="[UNK]"):
    return _cut(word, vocab, unk, mark=True, whole=True) or [unk]


@cut_word.mistake(
    "The unknown token is an argument: return `unk`, not always '[UNK]'."
)
def cut_fixed_unknown(word, vocab, unk="[UNK]"):
    return _cut(word, vocab, "[UNK]", mark=True, whole=True)


def _longest(word, start, vocab, mark):
    for end in range(len(word), start, -1):
        if ("##" if mark and start else "") + word[start:end] in vocab:
            return end
    return None


def _cut(word, vocab, unk, *, mark, whole):
    pieces, start = [], 0
    while start < len(word):
        end = _longest(word, start, vocab, mark)
        if end is None:
            if whole:
                return [unk]
            pieces.append(unk)
            start += 1
            continue
        pieces.append(("##" if mark and start else "") + word[start:end])
        start = end
    return pieces


@cut_word.alternative
def cut_by_shrinking(word, vocab, unk="[UNK]"):
    pieces, rest = [], word
    while rest:
        head = rest
        prefix = "##" if pieces else ""
        while head and prefix + head not in vocab:
            head = head[:-1]
        if not head:
            return [unk]
        pieces.append(prefix + head)
        rest = rest[len(head) :]
    return pieces


@cut_word.alternative
def cut_by_recursion(word, vocab, unk="[UNK]"):
    def tail(rest, prefix):
        if not rest:
            return []
        best = max(
            (n for n in range(1, len(rest) + 1) if prefix + rest[:n] in vocab),
            default=0,
        )
        if best == 0:
            raise LookupError(rest)
        return [prefix + rest[:best], *tail(rest[best:], "##")]

    try:
        return tail(word, "")
    except LookupError:
        return [unk]


# 5 --------------------------------------------------------------------------------------------- decode_stream

TEXTS = [
    "café",
    "naïve",
    "straße",
    "Ελλάδα",
    "русский",
    "日本語",
    "한국어",
    "😀😃",
    "a😀b",
    "ไทย",
    "plain ascii",
    "é",
    "½",
    "🏴‍☠️!",
]


def _split(data: bytes, rng: random.Random) -> list[bytes]:
    cuts = sorted(
        rng.randrange(len(data) + 1) for _ in range(rng.randrange(0, 8))
    )
    return [
        data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)
    ]


def stream_cases(rng: random.Random) -> Iterator[Call]:
    yield Call(
        "a two-byte character in two tokens", [b"caf", b"\xc3", b"\xa9!"]
    )
    yield Call("the stream ends inside a character", [b"ok\xf0\x9f"])
    yield Call("no tokens", [])
    yield Call("plain text comes at once", [b"tide", b" ", b"table"])
    yield Call("four bytes, one at a time", [bytes([b]) for b in "😀".encode()])
    yield Call(
        "text before the cut is not held back", [b"abc\xe6\x97", b"\xa5"]
    )
    yield Call("an empty token", [b"a", b"", b"b"])
    yield Call(
        "a token ends one character and begins the next",
        [b"\xc3", b"\xa9\xc3", b"\xa8"],
    )
    yield Call(
        "three bytes after a whole character of three",
        ["日".encode() + b"\xe6\x9c", b"\xac"],
    )
    yield Call("whole characters of each length", ["aé日😀".encode()])
    yield Call(
        "two characters in one token",
        ["éé".encode(), b"\xf0\x9f\x98", b"\x80x"],
    )
    yield Call("the text itself holds a \ufffd", [b"\xef\xbf\xbd", b"a"])
    yield Call(
        "whole characters that are not ASCII",
        ["日".encode(), "本".encode(), b"!"],
    )
    yield Call(
        "the stream ends inside a character, after whole ones",
        [b"a", "é".encode(), b"b\xe6\x97"],
    )
    while True:
        data = "".join(rng.choices(TEXTS, k=rng.randrange(1, 4))).encode()
        if rng.random() < 0.25:
            data = data[: rng.randrange(len(data)) + 1]
        yield Call("a text cut at random places", _split(data, rng))


decode_stream = Exercise(
    "decode_stream",
    title="Show text while it is being generated",
    points=3,
    minutes=35,
    cases=stream_cases,
    visible=24,
    collect="stream",
)


@decode_stream.mistake(
    "Each token is decoded alone, so a character that is cut becomes �. Keep the bytes of an unfinished character and wait."
)
def stream_each_alone(tokens):
    for token in tokens:
        text = token.decode("utf-8", errors="replace")
        if text:
            yield text


@decode_stream.mistake(
    "Each token is decoded alone, and half a character cannot be decoded. Keep the bytes of an unfinished character and wait."
)
def stream_each_alone_strictly(tokens):
    for token in tokens:
        if token:
            yield token.decode("utf-8")


@decode_stream.mistake(
    "Bytes that cannot be decoded yet are thrown away (errors='ignore'). They are the start of a character: keep them."
)
def stream_ignores(tokens):
    for token in tokens:
        text = token.decode("utf-8", errors="ignore")
        if text:
            yield text


@decode_stream.mistake(
    "You wait until everything has come. A reader wants to see each token as soon as it is complete."
)
def stream_all_at_end(tokens):
    text = b"".join(tokens).decode("utf-8", errors="replace")
    if text:
        yield text


@decode_stream.mistake(
    "The texts are right, but all tokens are taken before the first text is yielded. Take one token, yield, then take the next."
)
def stream_takes_all_first(tokens):
    yield from stream_by_trying(list(tokens))


@decode_stream.mistake(
    "Each text comes one token late. Yield what a token completes before you take the next one."
)
def stream_one_behind(tokens):
    ready, waiting = b"", b""
    for token in tokens:
        if ready:
            yield ready.decode()
        ready, waiting = _whole(waiting + token)
    if ready:
        yield ready.decode()
    if waiting:
        yield "\ufffd"


@decode_stream.mistake(
    "When a token ends inside a character you hold back all of it. The text before the cut is complete: yield it now."
)
def stream_holds_whole_token(tokens):
    waiting = b""
    for token in tokens:
        waiting += token
        try:
            text = waiting.decode()
        except UnicodeDecodeError:
            continue
        waiting = b""
        if text:
            yield text
    if waiting:
        yield waiting.decode(errors="ignore") + "\ufffd"


@decode_stream.mistake(
    "When a token ends inside a character you hold back all of it, and lose it at the end. The text before the cut is complete: yield it now."
)
def stream_holds_and_loses(tokens):
    for text in stream_holds_whole_token(tokens):
        yield "\ufffd" if text.endswith("\ufffd") else text


@decode_stream.mistake(
    "You yield only behind ASCII. A byte of 0x80 or more may also end a character: count from its first byte."
)
def stream_up_to_ascii(tokens):
    yield from _by_ascii(tokens, whole_token=False, at_end=_one_mark)


@decode_stream.mistake(
    "You yield only behind ASCII. A byte of 0x80 or more may also end a character: count from its first byte."
)
def stream_up_to_ascii_then_decode(tokens):
    yield from _by_ascii(tokens, whole_token=False, at_end=_with_mark)


@decode_stream.mistake(
    "You yield only when the last byte is ASCII. A byte of 0x80 or more may also end a character: count from its first byte."
)
def stream_when_ascii(tokens):
    yield from _by_ascii(tokens, whole_token=True, at_end=_one_mark)


@decode_stream.mistake(
    "You yield only when the last byte is ASCII. A byte of 0x80 or more may also end a character: count from its first byte."
)
def stream_when_ascii_then_decode(tokens):
    yield from _by_ascii(tokens, whole_token=True, at_end=_with_mark)


@decode_stream.mistake(
    "You take every \ufffd at the end for an unfinished character. A text may hold one of its own (EF BF BD): look at the bytes."
)
def stream_strips_marks(tokens):
    waiting = b""
    for token in tokens:
        waiting += token
        text = waiting.decode("utf-8", errors="replace").rstrip("\ufffd")
        if text:
            yield text
        waiting = waiting[len(text.encode()) :]
    if waiting:
        yield "\ufffd"


@decode_stream.mistake(
    "What is left when the stream ends inside a character is lost. The reader should see one \ufffd for it."
)
def stream_forgets_rest(tokens):
    waiting = b""
    for token in tokens:
        whole, waiting = _whole(waiting + token)
        if whole:
            yield whole.decode()


@decode_stream.mistake(
    "You yield an empty text when nothing has become complete. Yield nothing then."
)
def stream_yields_empty(tokens):
    waiting = b""
    for token in tokens:
        waiting += token
        whole, waiting = _whole(waiting)
        yield whole.decode()
    if waiting:
        yield "\ufffd"


@decode_stream.mistake(
    "The unfinished character at the end gives one \ufffd, not one for each of its bytes."
)
def stream_one_mark_a_byte_apart(tokens):
    for text in stream_one_mark_a_byte(tokens):
        if text.strip("\ufffd"):
            yield text
        else:
            yield from text


@decode_stream.mistake(
    "You yield all the text so far each time. Yield only what is new since the last token."
)
def stream_yields_all_so_far(tokens):
    data, shown = b"", ""
    for token in tokens:
        data += token
        text = data.decode(errors="ignore")
        if text != shown:
            yield text
        shown = text
    if shown.encode() != data:
        yield "\ufffd"


@decode_stream.mistake(
    "You cut off as many bytes as the text has characters. An é is one character and two bytes: count len(text.encode())."
)
def stream_counts_characters(tokens):
    waiting = b""
    for token in tokens:
        waiting += token
        text = waiting.decode(errors="ignore")
        if text:
            yield text
        waiting = waiting[len(text) :]
    if waiting:
        yield "\ufffd"


@decode_stream.mistake(
    "The unfinished character at the end gives one \ufffd, not one for each of its bytes."
)
def stream_one_mark_a_byte(tokens):
    waiting = b""
    for token in tokens:
        waiting += token
        whole, waiting = _whole(waiting)
        if whole:
            yield whole.decode()
    if waiting:
        yield "\ufffd" * len(waiting)


@decode_stream.mistake(
    "Characters come out one by one. Yield all that a token completes as one text."
)
def stream_by_character(tokens):
    for piece in stream_by_length(tokens):
        yield from piece


def _by_ascii(tokens, *, whole_token, at_end):
    """Yield up to the last ASCII byte (with `whole_token`: only where it ends the token), the rest at the end."""
    waiting = b""
    for token in tokens:
        waiting += token
        cut = len(waiting)
        while cut and waiting[cut - 1] >= 0x80:
            cut -= 1
        if whole_token and cut < len(waiting):
            continue
        if cut:
            yield waiting[:cut].decode()
            waiting = waiting[cut:]
    if waiting:
        yield at_end(waiting)


def _one_mark(data: bytes) -> str:
    return "\ufffd"


def _with_mark(data: bytes) -> str:
    return data.decode("utf-8", errors="replace")


def _whole(data: bytes) -> tuple[bytes, bytes]:
    for keep in range(0, min(3, len(data)) + 1):
        try:
            data[: len(data) - keep].decode()
        except UnicodeDecodeError:
            continue
        return data[: len(data) - keep], data[len(data) - keep :]
    return data, b""


@decode_stream.alternative
def stream_by_trying(tokens):
    waiting = b""
    for token in tokens:
        whole, waiting = _whole(waiting + token)
        if whole:
            yield whole.decode()
    if waiting:
        yield "\ufffd"


@decode_stream.alternative
def stream_by_length(tokens):
    waiting = bytearray()
    for token in tokens:
        waiting.extend(token)
        done = 0
        while done < len(waiting):
            first = waiting[done]
            size = (
                1
                if first < 0x80
                else 2
                if first < 0xE0
                else 3
                if first < 0xF0
                else 4
            )
            if done + size > len(waiting):
                break
            done += size
        if done:
            yield bytes(waiting[:done]).decode()
            del waiting[:done]
    if waiting:
        yield "\ufffd"


# 6 -------------------------------------------------------------------------------------- batch_for_generation


def batch_cases(rng: random.Random) -> Iterator[Call]:
    yield Call("a short and a long prompt", [[5], [1, 2, 3, 4]], 0, 6, 3)
    yield Call("all of one length", [[1, 2], [3, 4]], 0, 10, 2)
    yield Call(
        "the padding id is also a real token",
        [[0, 7, 0], [1, 2, 3, 4]],
        0,
        10,
        2,
    )
    yield Call("no room for a prompt", [[1]], 0, 4, 4)
    yield Call("less than no room", [[1]], 0, 4, 9)
    yield Call("room for one token", [[1, 2, 3], [4]], 9, 5, 4)
    yield Call("one prompt", [[3, 1, 4, 1, 5]], 50256, 100, 20)
    yield Call("the longest prompt fits exactly", [[1, 2, 3], [4]], 0, 5, 2)
    yield Call("an empty prompt beside another", [[], [6, 7]], 1, 8, 2)
    while True:
        context = rng.randrange(3, 12)
        new = rng.randrange(1, context)
        pad = rng.randrange(0, 4)
        prompts = [
            [rng.randrange(0, 9) for _ in range(rng.randrange(1, 12))]
            for _ in range(rng.randrange(1, 5))
        ]
        yield Call("random prompts", prompts, pad, context, new)


batch_for_generation = Exercise(
    "batch_for_generation",
    title="A batch that leaves room to answer",
    points=3,
    minutes=20,
    cases=batch_cases,
    visible=16,
)


def _batch(
    prompts,
    pad_id,
    room,
    *,
    left=True,
    keep_end=True,
    dtype=torch.int64,
    by_value=False,
):
    kept = [p[-room:] if keep_end else p[:room] for p in prompts]
    width = max(map(len, kept))
    rows, marks = [], []
    for p in kept:
        pad, ones = [pad_id] * (width - len(p)), [1] * len(p)
        zeros = [0] * (width - len(p))
        rows.append(pad + p if left else p + pad)
        marks.append(zeros + ones if left else ones + zeros)
    ids = torch.tensor(rows, dtype=torch.int64).reshape(len(kept), width)
    mask = (
        (ids != pad_id).to(dtype)
        if by_value
        else torch.tensor(marks).reshape(len(kept), width).to(dtype)
    )
    return ids, mask


def _room(context_length, max_new_tokens):
    if max_new_tokens >= context_length:
        raise ValueError("no room")
    return context_length - max_new_tokens


@batch_for_generation.mistake(
    "You pad on the right. New tokens are appended on the right, so padding would stand inside the text."
)
def batch_right_padding(prompts, pad_id, context_length, max_new_tokens):
    return _batch(
        prompts, pad_id, _room(context_length, max_new_tokens), left=False
    )


@batch_for_generation.mistake(
    "You keep the start of a long prompt. The question stands at its end: keep that."
)
def batch_keeps_start(prompts, pad_id, context_length, max_new_tokens):
    return _batch(
        prompts, pad_id, _room(context_length, max_new_tokens), keep_end=False
    )


@batch_for_generation.mistake(
    "The mask is read off the values (ids != pad_id). But pad_id may be a real token too: build the mask from the lengths."
)
def batch_mask_by_value(prompts, pad_id, context_length, max_new_tokens):
    return _batch(
        prompts, pad_id, _room(context_length, max_new_tokens), by_value=True
    )


@batch_for_generation.mistake(
    "You cut prompts to context_length. The tokens to be generated count, too: only context_length - max_new_tokens are left."
)
def batch_forgets_new_tokens(prompts, pad_id, context_length, max_new_tokens):
    _room(context_length, max_new_tokens)
    return _batch(prompts, pad_id, context_length)


@batch_for_generation.mistake(
    "Two things at once. Pad on the left, and keep the *end* of a long prompt."
)
def batch_right_padding_and_start(
    prompts, pad_id, context_length, max_new_tokens
):
    return _batch(
        prompts,
        pad_id,
        _room(context_length, max_new_tokens),
        left=False,
        keep_end=False,
    )


@batch_for_generation.mistake(
    "Two things at once. Pad on the left; and build the mask from the lengths, for pad_id may be a real token, too."
)
def batch_right_padding_by_value(
    prompts, pad_id, context_length, max_new_tokens
):
    return _batch(
        prompts,
        pad_id,
        _room(context_length, max_new_tokens),
        left=False,
        by_value=True,
    )


@batch_for_generation.mistake(
    "Two things at once. Keep the *end* of a long prompt; and build the mask from the lengths, for pad_id may be a real token, too."
)
def batch_start_by_value(prompts, pad_id, context_length, max_new_tokens):
    return _batch(
        prompts,
        pad_id,
        _room(context_length, max_new_tokens),
        keep_end=False,
        by_value=True,
    )


@batch_for_generation.mistake(
    "Three things at once. Pad on the left; keep the *end* of a long prompt; build the mask from the lengths, not from the values."
)
def batch_right_padding_start_by_value(
    prompts, pad_id, context_length, max_new_tokens
):
    room = _room(context_length, max_new_tokens)
    return _batch(
        prompts, pad_id, room, left=False, keep_end=False, by_value=True
    )


@batch_for_generation.mistake(
    "The ids are padded on the left, the mask on the right. Both need the same side: 1 lies over the prompt's own tokens."
)
def batch_mask_on_the_other_side(
    prompts, pad_id, context_length, max_new_tokens
):
    room = _room(context_length, max_new_tokens)
    return _batch(prompts, pad_id, room)[0], _batch(
        prompts, pad_id, room, left=False
    )[1]


@batch_for_generation.mistake(
    "You take the width before you cut, so rows are wider than the longest prompt kept. Cut first, then measure."
)
def batch_measures_before_cutting(
    prompts, pad_id, context_length, max_new_tokens
):
    ids, mask = _batch(prompts, pad_id, _room(context_length, max_new_tokens))
    return _widened(ids, mask, pad_id, max(map(len, prompts)))


@batch_for_generation.mistake(
    "A prompt that is too long is cut, not refused. ValueError is for a context without any room for a prompt."
)
def batch_refuses_long_prompts(prompts, pad_id, context_length, max_new_tokens):
    if max(map(len, prompts)) > _room(context_length, max_new_tokens):
        raise ValueError("too long")
    return _batch(prompts, pad_id, context_length - max_new_tokens)


@batch_for_generation.mistake(
    "The mask is 1 everywhere. Padding is marked by 0, so that the model passes over it."
)
def batch_mask_of_ones(prompts, pad_id, context_length, max_new_tokens):
    ids, mask = _batch(prompts, pad_id, _room(context_length, max_new_tokens))
    return ids, torch.ones_like(mask)


@batch_for_generation.mistake(
    "An empty prompt has no tokens, but [-len(prompt):] is [-0:] then, the whole row: its mask should be all 0."
)
def batch_empty_marks_all(prompts, pad_id, context_length, max_new_tokens):
    ids, mask = _batch(prompts, pad_id, _room(context_length, max_new_tokens))
    for row, prompt in enumerate(prompts):
        mask[row, -len(prompt) :] = 1
    return ids, mask


@batch_for_generation.mistake(
    "Only the empty prompt fails. If you write into row[-len(prompt):]: that is row[-0:] then, the whole row."
)
def batch_empty_fills_all(prompts, pad_id, context_length, max_new_tokens):
    ids, mask = _batch(prompts, pad_id, _room(context_length, max_new_tokens))
    for row, prompt in enumerate(prompts):
        kept = torch.tensor(prompt[len(prompt) - int(mask[row].sum()) :])
        ids[row, -len(kept) :] = kept
    return ids, mask


@batch_for_generation.mistake(
    "The mask is upside down: 1 marks real tokens, 0 padding."
)
def batch_mask_inverted(prompts, pad_id, context_length, max_new_tokens):
    ids, mask = _batch(prompts, pad_id, _room(context_length, max_new_tokens))
    return ids, 1 - mask


@batch_for_generation.mistake(
    "The mask should be int64 (1 and 0), as the model library expects it; yours is bool."
)
def batch_mask_bool(prompts, pad_id, context_length, max_new_tokens):
    return _batch(
        prompts, pad_id, _room(context_length, max_new_tokens), dtype=torch.bool
    )


@batch_for_generation.mistake(
    "The mask should be int64 (1 and 0), as the model library expects it; yours is float32, which torch.zeros and 1.0 make."
)
def batch_mask_float(prompts, pad_id, context_length, max_new_tokens):
    return _batch(
        prompts,
        pad_id,
        _room(context_length, max_new_tokens),
        dtype=torch.float32,
    )


@batch_for_generation.mistake(
    "Two things at once. The mask should be int64, not bool; and build it from the lengths, for pad_id may be a real token, too."
)
def batch_mask_bool_by_value(prompts, pad_id, context_length, max_new_tokens):
    room = _room(context_length, max_new_tokens)
    return _batch(prompts, pad_id, room, dtype=torch.bool, by_value=True)


@batch_for_generation.mistake(
    "No room at all is too little, too: max_new_tokens == context_length should raise ValueError. Python's [-0:] keeps everything."
)
def batch_without_error_at_zero(
    prompts, pad_id, context_length, max_new_tokens
):
    if max_new_tokens > context_length:
        raise ValueError("no room")
    return _batch(prompts, pad_id, context_length - max_new_tokens)


@batch_for_generation.mistake(
    "When no room is left for a prompt you go on. Python's [-0:] keeps everything: raise ValueError instead."
)
def batch_without_error(prompts, pad_id, context_length, max_new_tokens):
    return _batch(prompts, pad_id, context_length - max_new_tokens)


@batch_for_generation.mistake(
    "Every row is as wide as the room, even when all prompts are shorter. Pad only to the longest prompt kept."
)
def batch_pads_to_room(prompts, pad_id, context_length, max_new_tokens):
    room = _room(context_length, max_new_tokens)
    return _widened(*_batch(prompts, pad_id, room), pad_id, room)


@batch_for_generation.mistake(
    "Every row is as wide as the context. Pad only to the longest prompt kept, or no room is left for new tokens."
)
def batch_pads_to_context(prompts, pad_id, context_length, max_new_tokens):
    ids, mask = _batch(prompts, pad_id, _room(context_length, max_new_tokens))
    return _widened(ids, mask, pad_id, context_length)


def _widened(ids, mask, pad_id, width):
    extra, pad = width - ids.shape[1], torch.nn.functional.pad
    return pad(ids, (extra, 0), value=pad_id), pad(mask, (extra, 0), value=0)


@batch_for_generation.alternative
def batch_by_lists(prompts, pad_id, context_length, max_new_tokens):
    return _batch(prompts, pad_id, _room(context_length, max_new_tokens))


@batch_for_generation.alternative
def batch_by_flipping(prompts, pad_id, context_length, max_new_tokens):
    room = _room(context_length, max_new_tokens)
    flipped = [torch.tensor(p[::-1][:room], dtype=torch.long) for p in prompts]
    lengths = torch.tensor([len(p) for p in flipped])
    ids = torch.nn.utils.rnn.pad_sequence(
        flipped, batch_first=True, padding_value=pad_id
    ).flip(1)
    mask = (
        torch.arange(ids.shape[1])[None, :] >= ids.shape[1] - lengths[:, None]
    ).long()
    return ids, mask


# 7 ---------------------------------------------------------------------------------------- cheapest_vocabulary


# Tables in which each mistake below chooses another size, so that a wrong answer shows which one it was. Token counts
# do not fall evenly, as if each vocabulary came from a trainer of its own; one is so bad that it costs most.
TABLES = [
    (
        {
            10: 42700,
            20: 9480,
            40: 5050,
            200: 3040,
            400: 1910,
            500: 1380,
            1000: 860,
        }
        | {2000: 850, 4000: 3770, 8000: 840},
        8,
        2000,
    ),
    (
        {
            10: 300_000,
            50: 18200,
            200: 4650,
            250: 4140,
            400: 3220,
            500: 2240,
            2000: 1100,
        }
        | {4000: 31900, 5000: 570, 8000: 560},
        8,
        1000,
    ),
    (
        {
            10: 325_000,
            20: 5940,
            40: 3250,
            50: 3090,
            100: 2860,
            200: 2470,
            400: 2410,
        }
        | {2000: 1670, 4000: 25300, 5000: 1660},
        4,
        1000,
    ),
]


def cheapest_cases(rng: random.Random) -> Iterator[Call]:
    yield Call("the example", {100: 50, 1000: 20}, 8, 1000)
    yield Call("a costly stack wants few tokens", {100: 50, 1000: 20}, 8, 10**9)
    yield Call("one size only", {512: 7}, 64, 100)
    yield Call("a tie goes to the smaller size", {200: 10, 100: 15}, 1, 100)
    yield Call(
        "sizes in any order", {32000: 210, 1000: 400, 8000: 260}, 64, 400_000
    )
    yield Call("near the balance", {100: 30, 200: 20}, 1, 150)
    yield Call(
        "no stack at all",
        {10: 100, 20: 45, 40: 30, 80: 16, 160: 9, 320: 6},
        4,
        0,
    )
    while True:
        table, d_model, stack = rng.choice(TABLES)
        longer, sizes = (
            rng.choice([1, 2, 5]),
            rng.sample(sorted(table), k=len(table)),
        )
        args = (
            {
                v: int(table[v] * longer * rng.uniform(0.97, 1.03))
                for v in sizes
            },
            d_model,
            int(stack * rng.uniform(0.9, 1.1)),
        )
        chosen = [
            mistake.function(*args) for mistake in cheapest_vocabulary.mistakes
        ]
        # Right only by the one mistake that fails on ties alone, and nine different answers among the mistakes.
        if (
            chosen.count(cheapest_by_tuples(*args)) == 1
            and len(set(chosen)) >= 9
        ):
            yield Call("ten sizes", *args)


cheapest_vocabulary = Exercise(
    "cheapest_vocabulary",
    title="Choose a vocabulary",
    points=2,
    minutes=10,
    cases=cheapest_cases,
    visible=20,
)


@cheapest_vocabulary.mistake(
    "You count tokens only. Each token also pays V * d_model in the output layer."
)
def cheapest_fewest_tokens(tokens_by_size, d_model, stack_cost):
    return min(sorted(tokens_by_size), key=tokens_by_size.get)


@cheapest_vocabulary.mistake(
    "The stack is left out, or paid only once. Each token pays for it, too: t * (stack_cost + V * d_model)."
)
def cheapest_stack_once(tokens_by_size, d_model, stack_cost):
    return min(
        sorted(tokens_by_size),
        key=lambda v: stack_cost + tokens_by_size[v] * v * d_model,
    )


@cheapest_vocabulary.mistake(
    "The output layer is paid for every token of the text, not once."
)
def cheapest_output_once(tokens_by_size, d_model, stack_cost):
    return min(
        sorted(tokens_by_size),
        key=lambda v: tokens_by_size[v] * stack_cost + v * d_model,
    )


@cheapest_vocabulary.mistake(
    "You also charge V * d_model for the embedding lookup. A lookup copies one row: it multiplies nothing."
)
def cheapest_lookup_costs(tokens_by_size, d_model, stack_cost):
    return min(
        sorted(tokens_by_size),
        key=lambda v: tokens_by_size[v] * (stack_cost + 2 * v * d_model),
    )


@cheapest_vocabulary.mistake(
    "Only the output layer has the factor d_model: a token costs stack_cost + V * d_model. You multiply both terms, or neither."
)
def cheapest_factor_on_both(tokens_by_size, d_model, stack_cost):
    return min(
        sorted(tokens_by_size),
        key=lambda v: tokens_by_size[v] * (stack_cost + v),
    )


@cheapest_vocabulary.mistake(
    "You multiply the two costs of a token. They are added: it goes through the stack, then through the output layer."
)
def cheapest_product(tokens_by_size, d_model, stack_cost):
    return min(
        sorted(tokens_by_size),
        key=lambda v: tokens_by_size[v] * stack_cost * v * d_model,
    )


@cheapest_vocabulary.mistake(
    "You add the number of tokens. Each of the t tokens pays: multiply by t."
)
def cheapest_adds_tokens(tokens_by_size, d_model, stack_cost):
    return min(
        sorted(tokens_by_size),
        key=lambda v: tokens_by_size[v] + stack_cost + v * d_model,
    )


@cheapest_vocabulary.mistake(
    "You return the dearest vocabulary: the lowest cost is asked for, min and not max."
)
def cheapest_max(tokens_by_size, d_model, stack_cost):
    return max(
        sorted(tokens_by_size),
        key=lambda v: tokens_by_size[v] * (stack_cost + v * d_model),
    )


@cheapest_vocabulary.mistake(
    "You return a number of tokens. The question is which vocabulary size is cheapest."
)
def cheapest_returns_tokens(tokens_by_size, d_model, stack_cost):
    return min(tokens_by_size.values())


@cheapest_vocabulary.mistake(
    "On a tie the smaller vocabulary wins, whatever the order of the dictionary."
)
def cheapest_first_in_order(tokens_by_size, d_model, stack_cost):
    return min(
        tokens_by_size,
        key=lambda v: tokens_by_size[v] * (stack_cost + v * d_model),
    )


@cheapest_vocabulary.mistake(
    "You return the cost. The question is which vocabulary size has it."
)
def cheapest_returns_cost(tokens_by_size, d_model, stack_cost):
    return min(
        t * (stack_cost + v * d_model) for v, t in tokens_by_size.items()
    )


@cheapest_vocabulary.mistake(
    "The smallest vocabulary is not always the cheapest: it cuts the text into more tokens."
)
def cheapest_smallest(tokens_by_size, d_model, stack_cost):
    return min(tokens_by_size)


@cheapest_vocabulary.alternative
def cheapest_by_loop(tokens_by_size, d_model, stack_cost):
    best, best_cost = None, None
    for size, tokens in tokens_by_size.items():
        cost = tokens * stack_cost + tokens * size * d_model
        if (
            best is None
            or cost < best_cost
            or (cost == best_cost and size < best)
        ):
            best, best_cost = size, cost
    return best


@cheapest_vocabulary.alternative
def cheapest_by_tuples(tokens_by_size, d_model, stack_cost):
    return min(
        (t * (stack_cost + v * d_model), v) for v, t in tokens_by_size.items()
    )[1]


# 8 ----------------------------------------------------------------------------------------- best_segmentation


def _random_model(rng: random.Random) -> dict[str, float]:
    pieces = {"a", "b", "c"} | {
        "".join(rng.choices("abc", k=rng.randrange(2, 5))) for _ in range(14)
    }
    weights = {p: rng.uniform(0.1, 1) * len(p) ** 2 for p in sorted(pieces)}
    total = sum(weights.values())
    return {p: math.log(w / total) for p, w in weights.items()}


def _one_best(text: str, log_probs: dict[str, float]) -> bool:
    """Whether a single segmentation is best: the two highest scores into each place, kept side by side."""
    top: list[list[float]] = [[0.0]]
    for end in range(1, len(text) + 1):
        ways = [
            s + log_probs[text[i:end]]
            for i in range(end)
            if text[i:end] in log_probs
            for s in top[i]
        ]
        top.append(sorted(ways, reverse=True)[:2])
    return len(top[-1]) < 2 or top[-1][0] - top[-1][1] > 1e-6


def segmentation_cases(rng: random.Random) -> Iterator[Call]:
    model = {"a": math.log(0.5), "b": math.log(0.2), "ab": math.log(0.3)}
    yield Call("two ways", "ab", model)
    yield Call("one way only", "ba", model)
    yield Call(
        "the longest piece is not the best",
        "abc",
        {"a": -1.0, "bc": -1.5, "ab": -2.0, "c": -3.0, "b": -4.0},
    )
    yield Call(
        "more pieces can be better than fewer",
        "aaa",
        {"a": -0.5, "aa": -3.0, "aaa": -4.0},
    )
    yield Call("cannot be spelled", "abx", model)
    yield Call(
        "greedy meets a dead end", "abcd", {"abc": -1.0, "ab": -2.0, "cd": -2.5}
    )
    # Its share is about a quarter, so that 0 is wrong, and the one of 45 characters can still be done by listing all.
    long = {"a": -4.0, "b": -5.0, "ab": -2.0, "ba": -6.0}
    yield Call("a text of 3,000 characters", "ab" * 1500, long)
    yield Call(
        "a text of 45 characters",
        "abc" * 15,
        {"abc": -2.8, "ab": -4.0, "c": -1.0},
    )
    yield Call("nothing to spell", "", model)
    yield Call(
        "words are taken from the model",
        "banana",
        {
            "b": -2.0,
            "a": -1.0,
            "n": -1.5,
            "an": -1.7,
            "ana": -3.3,
            "nana": -4.5,
            "ban": -4.1,
        },
    )
    while True:
        model, text = (
            _random_model(rng),
            "".join(rng.choices("abc", k=rng.randrange(1, 25))),
        )
        if _one_best(text, model):
            yield Call("a random model", text, model)


best_segmentation = Exercise(
    "best_segmentation",
    title="The best cut, and how sure it is",
    points=3,
    minutes=60,
    cases=segmentation_cases,
    compare=close(
        rtol=1e-6,
        atol=1e-9,
        why="sums of logarithms in another order differ in the last digits",
    ),
    visible=20,
)


def _segment(text, log_probs, *, combine):
    """Viterbi beside a second recursion that `combine` defines; the mistakes differ in that one."""
    best, total, back = [0.0], [0.0], [0]
    for end in range(1, len(text) + 1):
        ways = [
            (
                best[start] + log_probs[text[start:end]],
                total[start] + log_probs[text[start:end]],
                start,
            )
            for start in range(end)
            if end - start <= 8
            and text[start:end] in log_probs
            and best[start] > -math.inf
        ]
        top = max(ways, default=(-math.inf, -math.inf, 0))
        best.append(top[0])
        back.append(top[2])
        total.append(combine([way[1] for way in ways]) if ways else -math.inf)
    if best[-1] == -math.inf:
        raise ValueError("no segmentation")
    pieces, end = [], len(text)
    while end:
        pieces.insert(0, text[back[end] : end])
        end = back[end]
    return pieces, best[-1], total[-1]


def _logsumexp(values):
    top = max(values)
    return top + math.log(sum(math.exp(v - top) for v in values))


@best_segmentation.mistake(
    "The share is the best divided by the best. For the total, add over all ways into a place (log-sum-exp), not the maximum."
)
def segment_max_for_sum(text, log_probs):
    pieces, _, _ = _segment(text, log_probs, combine=max)
    return pieces, 1.0


@best_segmentation.mistake(
    "You return the probability of the best segmentation itself. Divide it by the sum over all segmentations."
)
def segment_not_divided(text, log_probs):
    pieces, best, _ = _segment(text, log_probs, combine=_logsumexp)
    return pieces, math.exp(best)


@best_segmentation.mistake(
    "You return the logarithm of the share. exp() turns it into the share."
)
def segment_log_share(text, log_probs):
    pieces, best, total = _segment(text, log_probs, combine=_logsumexp)
    return pieces, best - total


@best_segmentation.mistake(
    "You take the longest piece each time. The best segmentation is the one with the highest product, looked at as a whole."
)
def segment_greedy(text, log_probs):
    pieces, start, score = [], 0, 0.0
    while start < len(text):
        end = next(
            (
                e
                for e in range(min(len(text), start + 8), start, -1)
                if text[start:e] in log_probs
            ),
            None,
        )
        if end is None:
            raise ValueError("no segmentation")
        pieces.append(text[start:end])
        score += log_probs[text[start:end]]
        start = end
    _, _, total = _segment(text, log_probs, combine=_logsumexp)
    return pieces, math.exp(score - total)


@best_segmentation.mistake(
    "You choose the segmentation with the fewest pieces. It is the probability that counts, and many short pieces can be likelier."
)
def segment_fewest(text, log_probs):
    flat = dict.fromkeys(log_probs, -1.0)
    pieces, _, _ = _segment(text, flat, combine=_logsumexp)
    _, _, total = _segment(text, log_probs, combine=_logsumexp)
    return pieces, math.exp(sum(log_probs[p] for p in pieces) - total)


@best_segmentation.mistake(
    "A ratio of probabilities is exp of a *difference* of logarithms. You divide one logarithm by the other."
)
def segment_divides_logs(text, log_probs):
    pieces, best, total = _segment(text, log_probs, combine=_logsumexp)
    return pieces, best / total if total else 1.0


@best_segmentation.mistake(
    "You add up logarithms of ways. Probabilities are what adds up: in logarithms, that is log-sum-exp."
)
def segment_adds_logs(text, log_probs):
    pieces, best, total = _segment(text, log_probs, combine=sum)
    return pieces, math.exp(best - total)


@best_segmentation.mistake(
    "Some places inside a text are reached by no piece, and max() of nothing fails there. Give such a place -inf and go on."
)
def segment_max_of_nothing(text, log_probs):
    reached = [True] + [False] * len(text)
    for end in range(1, len(text) + 1):
        reached[end] = any(
            text[start:end] in log_probs
            for start in range(max(0, end - 8), end)
        )
        if not reached[end]:
            raise ValueError("max() arg is an empty sequence")
    pieces, best, total = _segment(text, log_probs, combine=_logsumexp)
    return pieces, math.exp(best - total)


@best_segmentation.mistake(
    "You divide by the number of segmentations. They are not equally probable: add up their probabilities."
)
def segment_counts(text, log_probs):
    pieces, _, _ = _segment(text, log_probs, combine=_logsumexp)
    _, _, total = _segment(
        text, dict.fromkeys(log_probs, 0.0), combine=_logsumexp
    )
    return pieces, math.exp(-total)


@best_segmentation.mistake(
    "You divide by the sum over the pieces of the model. Wanted is the sum over all segmentations of this text."
)
def segment_over_model(text, log_probs):
    pieces, best, _ = _segment(text, log_probs, combine=_logsumexp)
    return pieces, math.exp(best) / sum(
        map(math.exp, log_probs.values())
    ) if text else 1.0


@best_segmentation.mistake(
    "Python's stack ends after about a thousand calls inside each other. Do without recursion: fill a table from left to right."
)
def segment_recursive(text, log_probs):
    @lru_cache(None)
    def until(end):
        if end == 0:
            return 0.0, 0.0, ()
        ways = [
            (
                best + log_probs[text[start:end]],
                total + log_probs[text[start:end]],
                (*pieces, text[start:end]),
            )
            for start in range(max(0, end - 8), end)
            if text[start:end] in log_probs
            for best, total, pieces in [until(start)]
            if best > -math.inf
        ]
        if not ways:
            return -math.inf, -math.inf, ()
        best, _, pieces = max(ways)
        return best, _logsumexp([way[1] for way in ways]), pieces

    best, total, pieces = until(len(text))
    if best == -math.inf:
        raise ValueError("no segmentation")
    return list(pieces), math.exp(best - total)


UNDERFLOW = "Products of thousands of probabilities are 0 in a float. Stay with logarithms: sum with log-sum-exp, subtract, and only then exp()."


@best_segmentation.mistake(UNDERFLOW)
def segment_underflows(text, log_probs):
    total = [1.0]
    for end in range(1, len(text) + 1):
        total.append(
            sum(
                total[s] * math.exp(log_probs[text[s:end]])
                for s in range(max(0, end - 8), end)
                if text[s:end] in log_probs
            )
        )
    pieces, best, _ = _segment(text, log_probs, combine=_logsumexp)
    return pieces, math.exp(best) / total[-1]


@best_segmentation.mistake(UNDERFLOW)
def segment_underflow_looks_impossible(text, log_probs):
    """A total of 0 is taken for a text that cannot be spelled; math.log(0) raises the same ValueError."""
    pieces, best, total = _segment(text, log_probs, combine=_logsumexp)
    if math.exp(total) == 0:
        raise ValueError("no segmentation")
    return pieces, math.exp(best - total)


def _share_where_total_is_0(share):
    def answer(text, log_probs):
        pieces, best, total = _segment(text, log_probs, combine=_logsumexp)
        return pieces, math.exp(best - total) if math.exp(total) else share

    return answer


# What a division by a total of 0 gives: in torch and NumPy, after log-sum-exp without its shift, and with a guard.
for _name, _share in {
    "nan": math.nan,
    "inf": math.inf,
    "zero": 0.0,
    "one": 1.0,
}.items():
    _wrong = _share_where_total_is_0(_share)
    _wrong.__name__ = f"segment_underflows_to_{_name}"
    best_segmentation.mistake(UNDERFLOW)(_wrong)


@best_segmentation.mistake(
    "exp() of thousands overflows. Subtract the logarithms first: exp(best - total) is a share, between 0 and 1."
)
def segment_overflows(text, log_probs):
    pieces, best, total = _segment(text, log_probs, combine=_logsumexp)
    return pieces, math.exp(best) * math.exp(-total)


@best_segmentation.mistake(
    "The pieces come out back to front: you walked from the end to the start, so reverse them."
)
def segment_reversed(text, log_probs):
    pieces, best, total = _segment(text, log_probs, combine=_logsumexp)
    return pieces[::-1], math.exp(best - total)


@best_segmentation.mistake(
    "When a text cannot be spelled you return something. Raise ValueError: a wrong answer looks like a right one."
)
def segment_no_error(text, log_probs):
    try:
        pieces, best, total = _segment(text, log_probs, combine=_logsumexp)
    except ValueError:
        return [], 0.0
    return pieces, math.exp(best - total)


@best_segmentation.alternative
def segment_by_two_passes(text, log_probs):
    pieces, best, total = _segment(text, log_probs, combine=_logsumexp)
    return pieces, math.exp(best - total)


@best_segmentation.alternative
def segment_forward(text, log_probs):
    """Push from each place to those it reaches, instead of pulling."""
    size = len(text)
    best = torch.full((size + 1,), -math.inf, dtype=torch.float64)
    total = torch.full((size + 1,), -math.inf, dtype=torch.float64)
    best[0] = total[0] = 0
    back = {}
    for start in range(size):
        if best[start] == -math.inf:
            continue
        for piece, score in log_probs.items():
            end = start + len(piece)
            if text.startswith(piece, start):
                total[end] = torch.logaddexp(total[end], total[start] + score)
                if best[start] + score > best[end]:
                    best[end], back[end] = best[start] + score, start
    if size and best[size] == -math.inf:
        raise ValueError(text)
    pieces = []
    while size:
        pieces = [text[back[size] : size], *pieces]
        size = back[size]
    return pieces, float((best[-1] - total[-1]).exp())


# 9 --------------------------------------------------------------------------------------------- in words

why_languages = Written("why_languages", points=4)
