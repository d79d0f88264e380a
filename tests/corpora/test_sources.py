"""The course's sources: their floors are exact, and what their texts must keep in mind is kept in them."""

import math
from collections import Counter

import numpy as np
import pytest

from lmcourse.corpora.families import families
from lmcourse.corpora.filler import HOMONYMS, filler, noun_features
from lmcourse.corpora.grammar import Grammar
from lmcourse.corpora.play import play
from lmcourse.corpora.preferences import invented_words, preferences
from tests.corpora.oracles import documents, entropy, next_laws

MAKERS = {"filler": filler, "play": play, "preferences": preferences, "families": families}


@pytest.fixture(scope="module", params=MAKERS)
def source(request):
    return MAKERS[request.param]()


# --- all sources ---


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_mean_surprisal_of_a_sample_is_the_entropy(source, seed):
    corpus = source.sample(30_000, seed=seed)
    nats = np.add.reduceat(source.surprisal(corpus), corpus.starts)
    tokens = np.diff(np.append(corpus.starts, len(corpus)))
    for mean in (source.entropy_per_document, source.entropy_per_token * tokens):
        errors = nats - mean
        spread = errors.std() / math.sqrt(len(errors))
        assert (
            abs(errors.mean()) < 3.5 * spread + 1e-9
        )  # 24 draws of |z|: one in 90 choices of seeds would fail
    errors = tokens - source.tokens_per_document
    assert abs(errors.mean()) <= 3.5 * errors.std() / math.sqrt(len(errors)) + 1e-9


def test_next_probabilities_are_a_law_and_agree_with_surprisal(source):
    corpus = source.sample(60, seed=4)
    nats = source.surprisal(corpus)
    for at in range(60):
        law = source.next_probabilities(corpus.ids[:at])
        assert law.shape == (len(source.vocab),)
        assert law.sum() == pytest.approx(1, abs=1e-12)
        assert (law >= 0).all()
        assert -math.log(law[corpus.ids[at]]) == pytest.approx(nats[at], abs=1e-12)


def test_texts_are_the_same_from_the_same_seed_and_begin_like_longer_ones(source):
    short, long = source.sample(500, seed=5), source.sample(700_000, seed=5)
    assert np.array_equal(short.ids, source.sample(500, seed=5).ids)
    assert np.array_equal(short.ids, long.ids[: len(short)])
    assert not np.array_equal(short.ids, source.sample(500, seed=6).ids[: len(short)])


def test_a_million_tokens_are_whole_documents(source):
    corpus = source.sample(1_000_000)
    assert 1_000_000 <= len(corpus) < 1_000_200
    assert source.vocab[0] == "."
    assert (corpus.ids[corpus.starts[1:] - 1] == 0).all()
    assert corpus.ids[-1] == 0
    assert np.array_equal(np.unique(corpus.ids), np.arange(len(source.vocab)))  # each word can come


# --- filler ---


def test_filler_is_of_the_size_that_the_lessons_count_on():
    source = filler()
    assert 70 <= len(source.vocab) <= 95
    assert 1.85 < source.entropy_per_token < 2.1


def test_filler_sentences_have_one_derivation_each():
    source = filler()
    corpus = source.sample(20_000, seed=6)
    assert all(source.n_derivations(document) == 1 for document in corpus.documents())


def test_verbs_agree_with_the_noun_right_before_them():
    corpus = filler().sample(80_000, seed=7)
    plural_nouns = {noun for noun in corpus.vocab if noun.endswith("s")} | {"women", "men"}
    seen = Counter()
    clause = []
    for word, tag in zip(corpus.words, corpus.tags, strict=True):
        if word not in (",", "."):
            clause.append((word, corpus.tag_names[tag]))
            continue
        words = [word for word, _ in clause]
        if not {"that", "near", "behind"} & set(words):  # then no other noun can stand between
            several = "and" in words[2:]  # a dog and a cat sleep
            for (noun, noun_tag), (verb, verb_tag) in zip(clause, clause[1:], strict=False):
                if (noun_tag, verb_tag) == ("NOUN", "VERB"):
                    plural = several or noun in plural_nouns
                    assert plural != verb.endswith("s"), " ".join(words)
                    seen[plural] += 1
        clause = []
    assert min(seen.values()) > 1000


def test_pronouns_take_up_gender_and_number_of_a_noun_before_them():
    feminine = {"girl", "woman", "queen"}
    masculine = {"boy", "man", "king"}
    wanted = {"herself": feminine, "she": feminine, "himself": masculine, "he": masculine}
    corpus = filler().sample(50_000, seed=8)
    seen = Counter()
    for document in corpus.documents():
        words = [corpus.vocab[number] for number in document]
        for pronoun, nouns in wanted.items():
            if pronoun in words:
                assert nouns & set(words[: words.index(pronoun)]), " ".join(words)
                seen[pronoun] += 1
    assert min(seen[pronoun] for pronoun in wanted) > 50


def test_a_verb_agrees_across_and_inside_a_relative_clause():
    source = filler()
    for noun, singular in (("dog", True), ("dogs", False)):
        law = source.next_probabilities(f"the {noun} that the girls follow")
        barks, bark = law[source.encode("barks bark")]
        assert (barks > 0.02) == singular
        assert (bark > 0.02) != singular
        assert min(barks, bark) == 0
        for target, verb in (
            ("boy", "follow"),
            ("lamp", "lift"),
        ):  # inside the clause, with the clause's own subject
            law = source.next_probabilities(f"the {target} that the {noun}")
            lifts, lift = law[source.encode(f"{verb}s {verb}")]
            assert (lifts > 0.02, lift > 0.02) == (singular, not singular)
            assert min(lifts, lift) == 0


def test_words_with_two_senses_have_two_and_the_sentence_tells_which():
    source = filler()
    corpus = source.sample(100_000, seed=9)
    senses = {}
    for word, sense, tag in zip(corpus.words, corpus.senses, corpus.tags, strict=True):
        senses.setdefault(word, set()).add((corpus.sense_names[sense], corpus.tag_names[tag]))
    assert {word for word, its in senses.items() if len(its) > 1} == set(HOMONYMS)
    assert all(len(senses[word]) == 2 for word in HOMONYMS)
    certain = source.sense_certainty(corpus)
    animals = np.isin(corpus.words, [word for word in HOMONYMS if word[:3] in ("bat", "cra", "sea")])
    assert 0.8 < certain[animals].mean() < 0.9  # at the noun itself, not all has been said
    assert (certain[~animals] > 1 - 1e-12).all()
    assert source.next_probabilities("the hungry seal")[source.encode("shines")[0]] == 0
    assert source.next_probabilities("the rusty seal")[source.encode("shines")[0]] > 0
    assert source.next_probabilities("the seal")[source.encode("shines barks")].min() > 0


def test_noun_features_are_of_words_with_one_sense():
    features = noun_features()
    assert features.keys() <= set(filler().vocab) - set(HOMONYMS)
    assert features["women"] == {"number": "plural", "gender": "feminine", "animacy": "animate"}
    assert features["lamp"] == {"number": "singular", "gender": "neuter", "animacy": "inanimate"}
    assert Counter(its["number"] for its in features.values()) == {"singular": 10, "plural": 10}


@pytest.mark.parametrize("name", ["relative", "clauses"])
def test_filler_refuses_what_is_no_share(name):
    with pytest.raises(ValueError, match=f"'{name}' must be between 0 and 1, got 1.0"):
        filler(**{name: 1.0})


# --- play ---

LINES = {"S": {"A": 0.6, "no/X A": 0.3, "": 0.1}, "A": {"yes/X": 0.75, "we/X can/X": 0.25}}


def all_plays(lines, speakers, narrator, turns):
    """The probability of each play, by trying each speaker and each line in each turn."""
    found = {}

    def go_on(words, known, probability, turns):
        if turns == 0:
            found[words] = found.get(words, 0.0) + probability
            return
        for line, p in lines.items():
            go_on((*words, "narrator:", *line), known, probability * narrator * p, turns - 1)
        for speaker in speakers:
            share = probability * (1 - narrator) / len(speakers)
            for line, p in ({known[speaker]: 1.0} if speaker in known else lines).items():
                go_on((*words, f"{speaker}:", *line), {**known, speaker: line}, share * p, turns - 1)

    go_on((), {}, 1.0, turns)
    return found


def test_a_small_play_is_what_writing_out_all_plays_says():
    source = play(speakers=("ann", "bo"), narrator=0.2, turns=3, lines=Grammar(LINES))
    found = all_plays(documents(LINES)[0], ("ann", "bo"), 0.2, 3)
    assert math.fsum(found.values()) == pytest.approx(1)
    assert source.entropy_per_document == pytest.approx(entropy(found.values()))
    assert source.tokens_per_document == pytest.approx(
        math.fsum(p * len(words) for words, p in found.items())
    )
    laws = next_laws(found)
    for words, p in list(found.items())[::29]:
        text = source.encode(words)
        assert source.surprisal(text).sum() == pytest.approx(-math.log(p))
        for end in range(len(words)):
            expected = [laws[words[:end]].get(word, 0.0) for word in source.vocab]
            np.testing.assert_allclose(source.next_probabilities(text[:end]), expected, atol=1e-12)


def test_drawn_plays_have_the_probabilities_of_all_plays():
    source = play(
        speakers=("ann", "bo"), narrator=0.2, turns=2, lines=Grammar({"S": {"yes/X": 0.7, "": 0.3}})
    )
    found = all_plays({("yes", "."): 0.7, (".",): 0.3}, ("ann", "bo"), 0.2, 2)
    corpus = source.sample(150_000, seed=1)
    drawn = Counter(tuple(text.split()) for text in corpus.text().split("\n"))
    n = len(corpus.starts)
    assert drawn.keys() == found.keys()
    z = [(drawn[words] - n * p) / math.sqrt(n * p * (1 - p)) for words, p in found.items()]
    assert max(map(abs, z)) < 4


def test_plays_are_rows_of_80_tokens_half_of_which_are_known():
    source = play()
    corpus = source.sample(80_000)
    assert np.array_equal(corpus.starts, np.arange(0, 80_000, 80))
    assert source.entropy_per_token == pytest.approx(0.921, abs=0.001)
    assert 0.45 < (source.surprisal(corpus) == 0).mean() < 0.6


def test_each_speaker_repeats_its_first_line_and_the_narrator_does_not():
    source = play()
    corpus = source.sample(40_000, seed=2)
    repeated = fresh = 0
    for document in corpus.documents():
        nats = source.surprisal(document)
        first = {}
        for at in range(0, 80, 8):
            name, line = source.vocab[document[at]], document[at + 1 : at + 8].tolist()
            if name in first and name != "narrator:":
                assert line == first[name]
                assert (nats[at + 1 : at + 8] == 0).all()
                repeated += 1
            else:
                assert nats[at + 1 : at + 7].sum() > 8  # about 13.7 on average
                fresh += 1
            first[name] = line
    assert fresh / (500) == pytest.approx(source.fresh_lines, abs=0.15)
    assert repeated + fresh == 5000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"speakers": ()}, "'speakers' must be different names"),
        ({"speakers": ("ann", "ann")}, "'speakers' must be different names"),
        ({"speakers": ("narrator",)}, "none of them 'narrator'"),
        ({"narrator": 1.0}, "'narrator' must be a probability between 0 and 1, got 1.0"),
        ({"turns": 0}, "'turns' must be at least 1, got 0"),
        ({"lines": Grammar({"S": {"anna:/X": 1}})}, "'speakers' must not be words of the lines, got 'anna:'"),
    ],
)
def test_a_play_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        play(**arguments)


# --- preferences ---


def test_entropy_of_preferences_is_that_of_their_laws():
    source = preferences(n_verbs=5, n_nouns=30, seed=3)
    laws = [entropy(r.probability for r in its) for name, its in source.rules.items() if name != "S"]
    assert len(laws) == 10
    assert source.entropy_per_document == pytest.approx(math.log(5) + math.fsum(laws) / 5)
    assert source.tokens_per_document == pytest.approx(4)


def test_reading_a_subject_says_by_bayes_which_verb_comes():
    source = preferences(n_verbs=5, n_nouns=30, seed=3)
    verbs = [rule.body[1].text for rule in source.rules["S"]]
    subject = source.vocab[7]
    given = np.array(
        [
            next(r.probability for r in source.rules[f"subject_{v}"] if r.body[0].text == subject)
            for v in verbs
        ]
    )
    assert source.next_probabilities()[7] == pytest.approx(given.mean())
    law = source.next_probabilities(subject)
    np.testing.assert_allclose(law[source.encode(verbs)], given / given.sum())
    objects = source.next_probabilities(f"{subject} {verbs[2]}")
    for rule in source.rules[f"object_{verbs[2]}"]:
        assert objects[source.encode([rule.body[0].text])[0]] == pytest.approx(rule.probability)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_preferences_are_of_the_size_that_the_lessons_count_on(seed):
    source = preferences(seed=seed)
    assert len(source.vocab) == 349
    assert source.entropy_per_token == pytest.approx(3.05, abs=0.04)


def test_the_seed_draws_laws_and_nouns():
    one, same, other = preferences(seed=1), preferences(seed=1), preferences(seed=2)
    assert one.rules == same.rules
    assert one.vocab != other.vocab
    assert one.entropy_per_document != other.entropy_per_document
    flat = preferences(n_verbs=2, n_nouns=8, sharpness=0)
    assert flat.entropy_per_document == pytest.approx(math.log(2 * 8 * 8))


def test_invented_words_are_different_and_avoid_what_they_are_told():
    words = invented_words(500, seed=4)
    assert len(set(words)) == 500
    assert all(word.isalpha() and word.islower() for word in words)
    assert not set(words[:50]) & set(invented_words(500, seed=4, avoid=words[:50]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_verbs": 0}, "'n_verbs' must be between 1 and 48, got 0"),
        ({"n_verbs": 49}, "'n_verbs' must be between 1 and 48, got 49"),
        ({"n_nouns": 0}, "'n_nouns' must be at least 1, got 0"),
        ({"sharpness": -1.0}, "'sharpness' must not be negative, got -1.0"),
    ],
)
def test_preferences_refuse_what_is_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        preferences(**arguments)


# --- families ---


def test_the_offset_of_an_analogy_is_exact_in_expected_counts():
    source = families(n_lexemes=4)
    table = {s: {str_body(rule): rule.probability for rule in its} for s, its in source.rules.items()}
    counts = np.zeros((len(source.vocab), len(source.vocab)))
    for words, p in documents(table)[0].items():
        ids = source.encode(words)
        for centre in ids:
            counts[centre, ids] += p
    ids_of = {word: number for number, word in enumerate(source.vocab)}
    np.fill_diagonal(counts, 0)
    forms = [ids_of[form] for form in source.forms()]
    counts[np.ix_(forms, forms)] = 0
    for kind in ("gender", "number"):
        questions = source.analogies(kind)
        assert len(questions) == 4 * 3 * 2
        for a, b, c, d in questions:
            row = {word: counts[ids_of[word]] for word in (a, b, c, d)}
            np.testing.assert_allclose(row[b] - row[a] + row[c], row[d], atol=1e-12)
            assert np.abs(row[b] - row[a]).max() > 1e-3
            assert np.abs(row[d] - row[c] - row[c]).max() > 1e-3


def str_body(rule):
    return " ".join(part if isinstance(part, str) else f"{part.text}/{part.tag}" for part in rule.body)


def test_analogies_change_one_feature_and_keep_the_other():
    source = families()
    forms = source.forms()
    assert len(forms) == 32 * 4
    for kind, other in (("gender", "number"), ("number", "gender")):
        questions = source.analogies(kind)
        assert len(set(questions)) == 2 * 32 * 31
        for a, b, c, d in questions:
            assert forms[a]["lexeme"] == forms[b]["lexeme"] != forms[c]["lexeme"] == forms[d]["lexeme"]
            assert forms[a][kind] == forms[c][kind] != forms[b][kind] == forms[d][kind]
            assert len({forms[word][other] for word in (a, b, c, d)}) == 1
    with pytest.raises(ValueError, match="'kind' must be 'gender' or 'number', got 'case'"):
        source.analogies("case")


def test_families_share_no_words_so_a_form_tells_its_lexeme():
    source = families()
    things = [thing for lexeme in source.lexemes for thing in lexeme.things]
    words = [*source.forms(), *things]
    assert len(set(words)) == len(words) == 32 * 6
    corpus = source.sample(5000)
    assert all(source.n_derivations(document) == 1 for document in corpus.documents())
    senses = {word: source.sense_names[s] for word, s in zip(corpus.words, corpus.senses, strict=True)}
    assert senses["king"] == senses["queen"] == senses["kings"] == senses["queens"] == "king"
    with pytest.raises(ValueError, match="'n_lexemes' must be between 2 and 32, got 33"):
        families(n_lexemes=33)
